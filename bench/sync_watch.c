/*
 * sync_watch.c - from the beginning of a write on one machine to the moment when a local read on
 * another finds it, both with a thread that syncs, against one request of a bare client.
 *
 * Writes are a while apart, as they are in life: behind the last one a push would wait for others
 * to go with it. The bare client has a server of its own, as far away, which does nothing else.
 */
#include <stdio.h>

#include "bench/generate.h"
#include "bench/sync_cases.h"

enum { WRITES_MAX = 1000, LOOK_US = 100, SEEN_MAX_US = 30 * 1000 * 1000, PAUSE_US = 150 * 1000 };

struct watch {
    struct kit *kit;
    struct site site, bare_site;
    struct bare bare;
    mneme *a, *b;
    uint64_t number; /* of the next episode */
    double seen_ms[WRITES_MAX], write_ms[WRITES_MAX], read_ms[WRITES_MAX];
    size_t count;
};

/* ---- Both machines ------------------------------------------------------------------------ */

static int wait_until_seen(struct watch *w, const mneme_id *id, mneme_error *error) {
    int64_t until = clock_monotonic_us() + SEEN_MAX_US;
    for (;;) {
        const mneme_record *record;
        int status = mneme_acquire(w->b, MNEME_EPISODE, id, &record, error);
        if (status == 0)
            mneme_release(w->b, record);
        if (status != MNEME_NOT_FOUND)
            return status;
        TRY(interrupt_check(error));
        if (clock_monotonic_us() > until)
            return error_set(error, MNEME_UNAVAILABLE,
                             "a write had not come to the other machine after half a minute");
        wait_for_us(LOOK_US);
    }
}

static int write_seen(struct watch *w, const mneme_record *record, double *ms, mneme_error *error) {
    double start = seconds_now();
    TRY(mneme_put(w->a, record, 1, NULL, NULL, error));
    TRY(wait_until_seen(w, &record->id, error));
    *ms = (seconds_now() - start) * 1e3;
    return 0;
}

/* ---- The bare client ---------------------------------------------------------------------- */

/* The stored bytes of the same record, in a request that writes; then one that reads them. */
static int write_bare(struct watch *w, const mneme_record *record, double *write_ms,
                      double *read_ms, mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    size_t rows;
    uint64_t bytes;
    int64_t at = (int64_t)w->number - 1;
    TRY(store_get_one(w->a->store, MNEME_EPISODE, &record->id, &set, error));
    double start = seconds_now();
    TRY(bare_insert(&w->bare, &record->id, &set.records[0].body, 1, error));
    *write_ms = (seconds_now() - start) * 1e3;
    start = seconds_now();
    TRY(bare_page(&w->bare, &at, 1, &rows, &bytes, error));
    *read_ms = (seconds_now() - start) * 1e3;
    return rows == 1 ? 0 : error_set(error, MNEME_FAILURE, "the plain table lost a row");
}

/* ---- Rows --------------------------------------------------------------------------------- */

static int write_once(struct watch *w, double *seen_ms, double *write_ms, double *read_ms,
                      mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    mneme_record record;
    TRY(interrupt_check(error));
    wait_for_us(PAUSE_US + (int64_t)(mix(w->number, 7) % PAUSE_US));
    TRY(corpus_vary(&w->kit->corpus, w->number, &arena, &record, error));
    TRY(write_seen(w, &record, seen_ms, error));
    TRY(write_bare(w, &record, write_ms, read_ms, error));
    w->number++;
    return 0;
}

static int watch_init(struct watch *w, const struct delay *delay, mneme_error *error) {
    const struct scratch_path a = scratch_path_of(&w->kit->scratch, "a.mdb");
    const struct scratch_path b = scratch_path_of(&w->kit->scratch, "b.mdb");
    TRY(site_start(&w->site, delay->ms, error));
    TRY(site_start(&w->bare_site, delay->ms, error));
    TRY(bare_open(&w->bare, w->bare_site.url, error));
    TRY(bare_create(&w->bare, error));
    TRY(store_fill(w->kit, &a, 1, error));
    scratch_remove_file(&b);
    w->number = 1;
    const mneme_options options = synced_options(w->site.url, MNEME_SYNC_BACKGROUND);
    TRY(mneme_open(a.text, &options, &w->a, error));
    TRY(wait_until_sent(w->a, error));
    TRY(mneme_open(b.text, &options, &w->b, error));
    return wait_until_sent(w->b, error);
}

static void print(struct watch *w, const struct delay *delay) {
    char name[SYNC_NAME_SIZE];
    name_of(name, "a write seen elsewhere", delay);
    struct row row = {.name = name,
                      .unit = "ms",
                      .reference = "1 request, writes",
                      .value = measured_of(w->seen_ms, w->count),
                      .reference_value = measured_of(w->write_ms, w->count),
                      .goal = AT_MOST(4)};
    report_row(&w->kit->report, &row);
    row.reference = "1 request, reads";
    row.reference_value = measured_of(w->read_ms, w->count);
    row.goal = NO_GOAL;
    report_row(&w->kit->report, &row);
    name_of(name, "seen elsewhere, p99", delay);
    row.reference = NULL;
    row.value = (struct measured){.median = w->seen_ms[(w->count - 1) * 99 / 100]};
    report_row(&w->kit->report, &row);
}

static void watch_end(struct watch *w) {
    (void)mneme_close(TAKE(w->a), NULL);
    (void)mneme_close(TAKE(w->b), NULL);
    bare_close(&w->bare);
    w->bare = (struct bare){0};
    site_stop(&w->site);
    site_stop(&w->bare_site);
}

static int measure_at(struct watch *w, const struct delay *delay, mneme_error *error) {
    enum { NOT_COUNTED = 3 };
    report_progress(&w->kit->report, "measuring: writes seen elsewhere, %s", delay->text);
    TRY(watch_init(w, delay, error));
    for (size_t i = 0; i < NOT_COUNTED; i++)
        TRY(write_once(w, &w->seen_ms[0], &w->write_ms[0], &w->read_ms[0], error));
    for (size_t i = 0; i < w->count; i++)
        TRY(write_once(w, &w->seen_ms[i], &w->write_ms[i], &w->read_ms[i], error));
    print(w, delay);
    watch_end(w);
    return 0;
}

int sync_watch(struct kit *kit, mneme_error *error) {
    CLEANUP(watch_end)
    struct watch w = {.kit = kit, .count = bench_size(kit->options, 3, 150, WRITES_MAX)};
    report_heading(&kit->report, "two machines that watch");
    for (size_t i = 0; i < COUNT_OF(delays); i++)
        TRY(measure_at(&w, &delays[i], error));
    return 0;
}
