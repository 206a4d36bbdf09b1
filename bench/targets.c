/*
 * targets.c - `mneme bench targets`: every target of the plan, one after the other.
 */
#include "bench/benches.h"
#include "bench/cache_store.h"
#include "bench/remote_cases.h"
#include "bench/targets_cases.h"

struct measured percentile_of(double *values, size_t count, unsigned percent) {
    (void)measured_of(values, count); /* sorts them */
    size_t rank = (count * percent + 99) / 100;
    return (struct measured){.median = values[rank ? rank - 1 : 0]};
}

void targets_value(struct kit *kit, const char *name, const char *unit, struct measured value,
                   struct goal goal) {
    report_row(&kit->report,
               &(struct row){.name = name, .unit = unit, .value = value, .goal = goal});
}

int targets_records(struct kit *kit, mneme_kind kind, size_t count, uint64_t *number,
                    struct arena *arena, mneme_record **out, mneme_error *error) {
    const mneme_id none = {{0}};
    mneme_record *records = arena_zalloc(arena, count, sizeof *records);
    if (!records)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu records", count);
    for (size_t i = 0; i < count; i++) {
        if (kind == MNEME_PATTERN)
            TRY(pattern_make((*number)++, &none, arena, &records[i], error));
        else
            TRY(corpus_vary_new(&kit->corpus, (*number)++, arena, &records[i], error));
    }
    *out = records;
    return 0;
}

/* ---- Bandwidth ------------------------------------------------------------------------------ */

static int bandwidth(struct remote *r, mneme_error *error) {
    struct wire_bytes bytes = {0};
    report_heading(&r->kit->report, "bandwidth: 40 % less");
    TRY(remote_wire_count(r, bench_size(r->kit->options, 20, 200, 1000), &bytes, error));
    struct row row = {.name = "episodes on the wire, JSON",
                      .unit = "KB",
                      .reference = "plain columns, JSON",
                      .value = {.median = (double)bytes.json / 1e3},
                      .reference_value = {.median = (double)bytes.plain / 1e3},
                      .goal = AT_MOST(0.6)};
    report_row(&r->kit->report, &row);
    row.name = "episodes on the wire, protobuf";
    row.value.median = (double)bytes.protobuf / 1e3;
    report_row(&r->kit->report, &row);
    return 0;
}

/* ---- All of them, in the order of the plan -------------------------------------------------- */

static int measure_all(struct kit *kit, mneme_error *error) {
    AUTO_REMOTE struct remote r = {0};
    TRY(remote_init(&r, kit, error));
    TRY(bandwidth(&r, error));
    TRY(targets_writes(&r, error));
    TRY(targets_reads(kit, error));
    TRY(targets_work(kit, error));
    TRY(targets_queries(&r, error));
    TRY(targets_prepare(kit, error));
    TRY(targets_calls(&r, error));
    return targets_flush(kit, error);
}

int targets_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    TRY(kit_init(&kit, options, error));
    TRY(measure_all(&kit, error));
    return kit_end(&kit, error);
}
