/*
 * targets_calls.c - each public call, a few hundred times, by four threads on one handle: how long
 * all but one in a hundred take at most. On a file, and on a server near and far.
 */
#include <stdio.h>

#include "bench/cache_threads.h"
#include "bench/store_cases.h"
#include "bench/targets_cases.h"

enum { THREADS = 4, STEPS = 3, A_BATCH = 100, LISTED = 20 };

/* What one thread works on. Item 0 of each is for a call that is not counted. */
struct caller {
    struct arena arena;
    mneme_record *puts;
    mneme_id *ids;   /* of what was put */
    mneme_id *ended; /* of episodes that are open, to be completed */
    mneme_id open;   /* of one that stays so */
    double *times;   /* seconds */
};

struct calls {
    struct kit *kit;
    const char *place;
    mneme *m, *uncached;
    size_t count; /* calls of each thread that count */
    size_t batches;
    uint64_t number;
    struct live_steps steps;
    struct arena arena;
    struct caller callers[THREADS];
};

/* ---- Calls ---------------------------------------------------------------------------------- */

static int call_put(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    return mneme_put(x->m, &c->puts[i], 1, NULL, &c->ids[i], error);
}

static int call_append(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    return mneme_step_append(x->m, &c->open, &x->steps.items[i % x->steps.count], NULL, NULL, NULL,
                             error);
}

static int call_complete(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    const mneme_completion end = {.outcome = {.kind = MNEME_SUCCESS}};
    return mneme_episode_complete(x->m, &c->ended[i], &end, NULL, error);
}

static int call_tag(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    return mneme_tag_add(x->m, MNEME_EPISODE, &c->ids[i], mneme_text_of("seen"), NULL, error);
}

static int get(mneme *m, const mneme_id *id, mneme_error *error) {
    const mneme_record *record;
    TRY(mneme_acquire(m, MNEME_EPISODE, id, &record, error));
    mneme_release(m, record);
    return 0;
}

static int call_get(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    return get(x->uncached, &c->ids[i], error);
}

static int call_get_cached(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    return get(x->m, &c->ids[i], error);
}

static int call_get_open(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    (void)i;
    return get(x->uncached, &c->open, error);
}

/* Completed ones: each open one in a list costs a server requests of its own. */
static int list(mneme *m, mneme_error *error) {
    const mneme_pair success = {mneme_text_of("outcome"), mneme_text_of("success")};
    const mneme_query query = {
        .kind = MNEME_EPISODE, .where = &success, .where_count = 1, .limit = LISTED};
    const mneme_page *page;
    TRY(mneme_list(m, &query, &page, error));
    mneme_page_release(m, page);
    return 0;
}

static int call_list(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    (void)c, (void)i;
    return list(x->uncached, error);
}

static int call_list_cached(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    (void)c, (void)i;
    return list(x->m, error);
}

static int call_stats(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    mneme_stats stats = {.size = sizeof stats};
    (void)c, (void)i;
    return mneme_stats_get(x->m, &stats, error);
}

static int call_delete(struct calls *x, struct caller *c, size_t i, mneme_error *error) {
    return mneme_delete(x->m, MNEME_EPISODE, &c->ids[i], 1, NULL, error);
}

static const struct call {
    const char *name;
    int (*run)(struct calls *x, struct caller *c, size_t i, mneme_error *error);
} calls[] = {{"put", call_put},
             {"append step", call_append},
             {"complete", call_complete},
             {"tag", call_tag},
             {"get, uncached", call_get},
             {"get, cached", call_get_cached},
             {"get open episode", call_get_open},
             {"list, uncached", call_list},
             {"list, cached", call_list_cached},
             {"stats", call_stats},
             {"delete", call_delete}};

/* ---- Measuring ------------------------------------------------------------------------------ */

struct run {
    struct calls *calls;
    const struct call *call;
};

static int run_thread(void *context, unsigned number, mneme_error *error) {
    const struct run *run = context;
    struct caller *c = &run->calls->callers[number];
    for (size_t i = 0; i <= run->calls->count; i++) {
        TRY(interrupt_check(error));
        double start = seconds_now();
        TRY(run->call->run(run->calls, c, i, error));
        c->times[i] = seconds_now() - start;
    }
    return 0;
}

static void print(struct calls *x, const char *name, double *ms, size_t count, double bound_ms) {
    char text[ROW_NAME_SIZE];
    snprintf(text, sizeof text, "p99: %s, %s", name, x->place);
    targets_value(x->kit, text, "ms", percentile_of(ms, count, 99), VALUE_AT_MOST(bound_ms));
}

static int measure_call(struct calls *x, const struct call *call, double *ms, mneme_error *error) {
    struct run run = {x, call};
    double ignored;
    size_t count = 0;
    report_progress(&x->kit->report, "measuring: %s, %s", call->name, x->place);
    TRY(threads_run(THREADS, run_thread, &run, &ignored, error));
    for (size_t t = 0; t < THREADS; t++)
        for (size_t i = 1; i <= x->count; i++)
            ms[count++] = x->callers[t].times[i] * 1e3;
    print(x, call->name, ms, count, 100);
    return 0;
}

static int measure_batches(struct calls *x, double *ms, mneme_error *error) {
    report_progress(&x->kit->report, "measuring: batches, %s", x->place);
    for (size_t i = 0; i < x->batches; i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record *records;
        TRY(interrupt_check(error));
        TRY(targets_records(x->kit, MNEME_EPISODE, A_BATCH, &x->number, &arena, &records, error));
        double start = seconds_now();
        TRY(mneme_put(x->m, records, A_BATCH, NULL, NULL, error));
        ms[i] = (seconds_now() - start) * 1e3;
    }
    print(x, "batch of 100", ms, x->batches, 200);
    return 0;
}

static int measure_all(struct calls *x, mneme_error *error) {
    double *ms = arena_zalloc(&x->arena, size_max(THREADS * x->count, x->batches), sizeof *ms);
    if (!ms)
        return error_set(error, MNEME_NO_MEMORY, "no memory for times");
    for (size_t i = 0; i < COUNT_OF(calls); i++)
        TRY(measure_call(x, &calls[i], ms, error));
    return measure_batches(x, ms, error);
}

/* ---- Setting up ----------------------------------------------------------------------------- */

/* Open episodes with a few steps each, in one batch; the last one stays open. */
static int put_open(struct calls *x, struct caller *c, mneme_error *error) {
    size_t count = x->count + 2;
    const mneme_episode episode = {.task = mneme_text_of("Measure how long calls take"),
                                   .steps = {x->steps.items, STEPS}};
    mneme_record *records = arena_zalloc(&c->arena, count, sizeof *records);
    c->ended = arena_zalloc(&c->arena, count, sizeof *c->ended);
    if (!records || !c->ended)
        return error_set(error, MNEME_NO_MEMORY, "no memory for episodes");
    for (size_t i = 0; i < count; i++)
        records[i] = (mneme_record){.kind = MNEME_EPISODE, .as.episode = &episode};
    TRY(mneme_put(x->m, records, count, NULL, c->ended, error));
    c->open = c->ended[count - 1];
    return 0;
}

static int caller_init(struct calls *x, struct caller *c, mneme_error *error) {
    size_t count = x->count + 1;
    c->times = arena_zalloc(&c->arena, count, sizeof *c->times);
    c->ids = arena_zalloc(&c->arena, count, sizeof *c->ids);
    if (!c->times || !c->ids)
        return error_set(error, MNEME_NO_MEMORY, "no memory for calls");
    TRY(targets_records(x->kit, MNEME_EPISODE, count, &x->number, &c->arena, &c->puts, error));
    return put_open(x, c, error);
}

static int calls_init(struct calls *x, mneme_error *error) {
    TRY(live_steps_make(x->kit, &x->arena, &x->steps, error));
    for (size_t i = 0; i < THREADS; i++)
        TRY(caller_init(x, &x->callers[i], error));
    return 0;
}

static void calls_fini(struct calls *x) {
    (void)mneme_close(x->m, NULL);
    (void)mneme_close(x->uncached, NULL);
    for (size_t i = 0; i < THREADS; i++)
        arena_fini(&x->callers[i].arena);
    arena_fini(&x->arena);
}

static int calls_embedded(struct kit *kit, mneme_error *error) {
    const struct scratch_path path = scratch_path_of(&kit->scratch, "calls.mdb");
    mneme_options options = {.size = sizeof options, .no_training = true, .cache.off = true};
    CLEANUP(calls_fini)
    struct calls x = {.kit = kit,
                      .place = "embedded",
                      .count = bench_size(kit->options, 3, 250, 1000),
                      .batches = bench_size(kit->options, 3, 100, 500)};
    TRY(kit_open(kit, &path, &x.m, error));
    TRY(mneme_open(path.text, &options, &x.uncached, error));
    TRY(calls_init(&x, error));
    return measure_all(&x, error);
}

static int calls_remote(struct remote *r, const struct distance *d, mneme_error *error) {
    mneme_options options = remote_options(r);
    CLEANUP(calls_fini)
    struct calls x = {.kit = r->kit,
                      .place = d->text,
                      .number = r->numbers,
                      .count =
                          bench_size(r->kit->options, 2, d->kind == DISTANCE_NONE ? 50 : 25, 250),
                      .batches = bench_size(r->kit->options, 2, 30, 100)};
    distance_set(r, d);
    TRY(mneme_open(d->url, &options, &x.m, error));
    options.cache.off = true;
    TRY(mneme_open(d->url, &options, &x.uncached, error));
    TRY(calls_init(&x, error));
    TRY(measure_all(&x, error));
    r->numbers = x.number;
    return 0;
}

int targets_calls(struct remote *r, mneme_error *error) {
    report_heading(&r->kit->report, "p99 of every call: 100 ms; of a batch: 200 ms");
    TRY(calls_embedded(r->kit, error));
    for (size_t i = 0; i < r->distance_count; i++)
        TRY(calls_remote(r, &r->distances[i], error));
    return 0;
}
