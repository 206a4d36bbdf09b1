/*
 * targets_read.c - a real episode from the cache, past it, and when the cache has it not: all three
 * handles are open on one file, which lies in memory.
 */
#include "bench/generate.h"
#include "bench/targets_cases.h"

struct reading {
    struct kit *kit;
    struct scratch_path path;
    mneme *cached, *direct;
    mneme_id *ids; /* in the order in which they are read; as many more, to fill a cache with */
    size_t count, hot, passes;
    int64_t read; /* so that what was read is used */
};

static int read_all(struct reading *x, mneme *m, const mneme_id *ids, size_t count, size_t passes,
                    double *us, mneme_error *error) {
    double start = seconds_now();
    for (size_t i = 0; i < count * passes; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(m, MNEME_EPISODE, &ids[i % count], &record, error));
        x->read += record->time_us;
        mneme_release(m, record);
    }
    *us = (seconds_now() - start) * 1e6 / (double)(count * passes);
    return 0;
}

static int run_cached(void *context, double *value, mneme_error *error) {
    struct reading *x = context;
    return read_all(x, x->cached, x->ids, x->hot, x->passes, value, error);
}

static int run_direct(void *context, double *value, mneme_error *error) {
    struct reading *x = context;
    return read_all(x, x->direct, x->ids, x->count, 1, value, error);
}

/* On a new handle, whose cache is full of others: every read is a miss, and makes one leave. */
static int run_missing(void *context, double *value, mneme_error *error) {
    struct reading *x = context;
    const mneme_options options = {.size = sizeof options, .no_training = true};
    mneme_stats before = {.size = sizeof before}, after = {.size = sizeof after};
    AUTO_HANDLE mneme *m = NULL;
    TRY(mneme_open(x->path.text, &options, &m, error));
    TRY(read_all(x, m, x->ids + x->count, x->count, 1, value, error));
    TRY(mneme_stats_get(m, &before, error));
    TRY(read_all(x, m, x->ids, x->count, 1, value, error));
    TRY(mneme_stats_get(m, &after, error));
    return after.caches[MNEME_CACHE_EPISODES].hits == before.caches[MNEME_CACHE_EPISODES].hits
               ? 0
               : error_set(error, MNEME_FAILURE, "reads that should miss the cache hit it");
}

static int reading_fill(struct reading *x, struct arena *arena, mneme_error *error) {
    AUTO_ARENA struct arena records_arena = {0};
    uint64_t number = 0;
    size_t count = 2 * x->count;
    mneme_record *records;
    x->ids = arena_zalloc(arena, count, sizeof *x->ids);
    if (!x->ids)
        return error_set(error, MNEME_NO_MEMORY, "no memory for ids");
    TRY(targets_records(x->kit, MNEME_EPISODE, count, &number, &records_arena, &records, error));
    TRY(mneme_put(x->cached, records, count, NULL, x->ids, error));
    for (size_t i = count; i > 1; i--) { /* each order is as likely as any */
        size_t other = (size_t)(mix(1, i) % i);
        mneme_id id = x->ids[i - 1];
        x->ids[i - 1] = x->ids[other];
        x->ids[other] = id;
    }
    double ignored;
    return read_all(x, x->cached, x->ids, x->hot, 1, &ignored, error);
}

static int measure_reads(struct reading *x, mneme_error *error) {
    const struct contestant contestants[] = {{run_cached, x}, {run_direct, x}, {run_missing, x}};
    struct measured results[COUNT_OF(contestants)];
    TRY(measure(x->kit->options, contestants, COUNT_OF(contestants), results, error));
    targets_value(x->kit, "episode from the cache", "us", results[0], VALUE_AT_MOST(500));
    struct row row = {.name = "episode past the cache",
                      .unit = "us",
                      .reference = "from the cache",
                      .value = results[1],
                      .reference_value = results[0],
                      .goal = AT_LEAST(10)};
    report_row(&x->kit->report, &row);
    row.name = "episode that the cache has not";
    row.reference = "cache off";
    row.value = results[2];
    row.reference_value = results[1];
    row.goal = AT_MOST(1.05);
    report_row(&x->kit->report, &row);
    return 0;
}

static void reading_fini(struct reading *x) {
    (void)mneme_close(x->cached, NULL);
    (void)mneme_close(x->direct, NULL);
}

int targets_reads(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    mneme_options options = {.size = sizeof options, .no_training = true, .cache.off = true};
    CLEANUP(reading_fini)
    struct reading x = {.kit = kit,
                        .path = scratch_path_of(&kit->scratch, "reads.mdb"),
                        .count = bench_size(kit->options, 50, 2000, 5000),
                        .hot = 50,
                        .passes = bench_size(kit->options, 10, 10000, 50000)};
    report_heading(&kit->report,
                   "reads: 5 to 10 times faster cached, 0.5 to 1 ms; a miss as before");
    report_progress(&kit->report, "measuring: reads");
    TRY(kit_open(kit, &x.path, &x.cached, error));
    TRY(mneme_open(x.path.text, &options, &x.direct, error));
    TRY(reading_fill(&x, &arena, error));
    return measure_reads(&x, error);
}
