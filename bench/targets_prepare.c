/*
 * targets_prepare.c - a store in an SQLite file under a mixed load of public calls: how many
 * statements are found prepared, and how long it takes to prepare one.
 */
#include <stdio.h>

#include "bench/cache_store.h"
#include "bench/targets_cases.h"

enum { EPISODES = 400, TIMES_MAX = 20000 };

struct load {
    struct kit *kit;
    mneme *m;
    mneme_id ids[EPISODES];
    uint64_t number;
    double *times; /* microseconds of preparation, of each call that prepared one statement */
    size_t timed;
};

/* ---- Calls ---------------------------------------------------------------------------------- */

static int list(struct load *l, size_t i, mneme_error *error) {
    const mneme_pair success = {mneme_text_of("outcome"), mneme_text_of("success")};
    const mneme_query query = {
        .kind = MNEME_EPISODE, .where = &success, .where_count = i % 2, .limit = 10};
    const mneme_page *page;
    TRY(mneme_list(l->m, &query, &page, error));
    mneme_page_release(l->m, page);
    return 0;
}

static int get(struct load *l, size_t i, mneme_error *error) {
    const mneme_record *record;
    TRY(mneme_acquire(l->m, MNEME_EPISODE, &l->ids[i * 7 % EPISODES], &record, error));
    mneme_release(l->m, record);
    return 0;
}

/* One in four puts is of ten. */
static int put(struct load *l, size_t i, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    size_t count = i % 4 ? 1 : 10;
    mneme_record *records;
    TRY(targets_records(l->kit, MNEME_EPISODE, count, &l->number, &arena, &records, error));
    return mneme_put(l->m, records, count, NULL, NULL, error);
}

static int tag(struct load *l, size_t i, mneme_error *error) {
    char text[24];
    snprintf(text, sizeof text, "seen %zu", i);
    return mneme_tag_add(l->m, MNEME_EPISODE, &l->ids[i * 3 % EPISODES], mneme_text_of(text), NULL,
                         error);
}

typedef int load_call(struct load *l, size_t i, mneme_error *error);
static load_call *const calls[] = {put, get, list, tag, get, list};

/* ---- Counting ------------------------------------------------------------------------------- */

/* A call, and how long it prepared its statement, if it prepared one. */
static int call_timed(struct load *l, load_call *call, size_t i, mneme_error *error) {
    struct sql_counters before, after;
    sql_store_counters(l->m->sql, &before);
    TRY(call(l, i, error));
    sql_store_counters(l->m->sql, &after);
    if (after.prepared == before.prepared + 1 && l->timed < TIMES_MAX)
        l->times[l->timed++] = (double)(after.prepare_us - before.prepare_us);
    return 0;
}

/* With room for so many statements; 0: as shipped. */
static int run_load(struct load *l, const char *url, uint32_t statements, size_t rounds,
                    double *hits, mneme_error *error) {
    mneme_options options = {
        .size = sizeof options, .no_training = true, .remote.statements = statements};
    mneme_stats stats = {.size = sizeof stats};
    TRY(mneme_open(url, &options, &l->m, error));
    for (size_t i = 0; i < rounds * COUNT_OF(calls); i++) {
        TRY(interrupt_check(error));
        TRY(call_timed(l, calls[i % COUNT_OF(calls)], i, error));
    }
    TRY(mneme_stats_get(l->m, &stats, error));
    uint64_t all = stats.remote.prepare_hits + stats.remote.prepared;
    *hits = all ? 100 * (double)stats.remote.prepare_hits / (double)all : 0;
    return mneme_close(TAKE(l->m), error);
}

static int fill(struct load *l, const char *url, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    const mneme_options options = {.size = sizeof options, .no_training = true};
    mneme_record *records;
    TRY(targets_records(l->kit, MNEME_EPISODE, EPISODES, &l->number, &arena, &records, error));
    TRY(mneme_open(url, &options, &l->m, error));
    TRY(mneme_put(l->m, records, EPISODES, NULL, l->ids, error));
    return mneme_close(TAKE(l->m), error);
}

static int measure_load(struct load *l, const char *url, mneme_error *error) {
    double hits, ignored;
    TRY(fill(l, url, error));
    TRY(run_load(l, url, 0, bench_size(l->kit->options, 10, 200, 1000), &hits, error));
    targets_value(l->kit, "statements found prepared", "%", (struct measured){.median = hits},
                  VALUE_AT_LEAST(95));
    TRY(run_load(l, url, 1, bench_size(l->kit->options, 10, 200, 1000), &ignored, error));
    if (l->timed == 0)
        return error_set(error, MNEME_FAILURE, "no statement was prepared");
    targets_value(l->kit, "a preparation", "us", percentile_of(l->times, l->timed, 50),
                  VALUE_AT_MOST(1000));
    targets_value(l->kit, "a preparation, p99", "us", percentile_of(l->times, l->timed, 99),
                  VALUE_AT_MOST(1000));
    return 0;
}

static void load_fini(struct load *l) { (void)mneme_close(l->m, NULL); }

int targets_prepare(struct kit *kit, mneme_error *error) {
    const struct scratch_path path = scratch_path_of(&kit->scratch, "statements.db");
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(load_fini) struct load l = {.kit = kit};
    char url[SCRATCH_PATH_MAX + 80];
    snprintf(url, sizeof url, "file:%s", path.text);
    l.times = arena_zalloc(&arena, TIMES_MAX, sizeof *l.times);
    if (!l.times)
        return error_set(error, MNEME_NO_MEMORY, "no memory for times");
    report_heading(&kit->report, "an SQLite file's statements: 1 ms, 95 % found prepared");
    report_progress(&kit->report, "measuring: prepared statements");
    return measure_load(&l, url, error);
}
