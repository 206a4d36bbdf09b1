/*
 * remote_cached.c - reads from a server, against the same calls on a handle whose caches have it.
 */
#include "bench/remote_cases.h"

enum { EPISODES = 100, LISTED = 20 };

struct spared {
    mneme *cached, *uncached;
    mneme_id ids[EPISODES];
    mneme_query query;
    size_t hits, lists, far; /* calls of a run: of both kinds with caches; without */
    int64_t read;            /* so that what was read is used */
};

static int get_all(struct spared *s, mneme *m, size_t calls, double *value, mneme_error *error) {
    double start = seconds_now();
    for (size_t i = 0; i < calls; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(m, MNEME_EPISODE, &s->ids[i % EPISODES], &record, error));
        s->read += record->time_us;
        mneme_release(m, record);
    }
    *value = (seconds_now() - start) * 1e6 / (double)calls;
    return 0;
}

static int list_all(struct spared *s, mneme *m, size_t calls, double *value, mneme_error *error) {
    double start = seconds_now();
    for (size_t i = 0; i < calls; i++) {
        const mneme_page *page;
        TRY(mneme_list(m, &s->query, &page, error));
        bool whole = page->count == LISTED;
        s->read += whole ? page->records[0]->time_us : 0;
        mneme_page_release(m, page);
        if (!whole)
            return error_set(error, MNEME_FAILURE, "a listing does not show what was put");
    }
    *value = (seconds_now() - start) * 1e6 / (double)calls;
    return 0;
}

static int run_get(void *context, double *value, mneme_error *error) {
    struct spared *s = context;
    return get_all(s, s->cached, s->hits, value, error);
}

static int run_get_far(void *context, double *value, mneme_error *error) {
    struct spared *s = context;
    return get_all(s, s->uncached, s->far, value, error);
}

static int run_list(void *context, double *value, mneme_error *error) {
    struct spared *s = context;
    return list_all(s, s->cached, s->lists, value, error);
}

static int run_list_far(void *context, double *value, mneme_error *error) {
    struct spared *s = context;
    return list_all(s, s->uncached, s->far, value, error);
}

/* How many times longer a call takes without caches. */
static void print(struct remote *r, const char *what, const struct distance *d,
                  const struct measured *uncached, const struct measured *cached) {
    char name[ROW_NAME_SIZE];
    name_at(name, what, d);
    report_row(&r->kit->report, &(struct row){.name = name,
                                              .unit = "us",
                                              .reference = "from the cache",
                                              .value = *uncached,
                                              .reference_value = *cached,
                                              .goal = goal_at(d, NO_GOAL, AT_LEAST(10000))});
}

static int measure_at(struct remote *r, struct spared *s, const struct distance *d,
                      mneme_error *error) {
    const struct contestant contestants[] = {
        {run_get, s}, {run_get_far, s}, {run_list, s}, {run_list_far, s}};
    struct measured results[COUNT_OF(contestants)];
    mneme_options options = remote_options(r);
    AUTO_HANDLE mneme *cached = NULL, *uncached = NULL;
    distance_set(r, d);
    TRY(mneme_open(d->url, &options, &cached, error));
    options.cache.off = true;
    TRY(mneme_open(d->url, &options, &uncached, error));
    s->cached = cached;
    s->uncached = uncached;
    s->far = d->kind == DISTANCE_NONE ? bench_size(r->kit->options, 2, 100, 1000)
                                      : bench_size(r->kit->options, 2, 5, 20);
    report_progress(&r->kit->report, "measuring: caches at %s", d->text);
    TRY(measure(r->kit->options, contestants, COUNT_OF(contestants), results, error));
    print(r, "uncached get", d, &results[1], &results[0]);
    print(r, "uncached list of 20", d, &results[3], &results[2]);
    return 0;
}

int remote_cached(struct remote *r, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    const mneme_options options = remote_options(r);
    struct spared s = {.hits = bench_size(r->kit->options, 200, 200000, 1000000),
                       .lists = bench_size(r->kit->options, 20, 20000, 100000)};
    AUTO_HANDLE mneme *m = NULL;
    mneme_record *records;
    int64_t since_us;
    report_heading(&r->kit->report, "reads that the caches answer");
    TRY(episodes_take(r, EPISODES, &arena, &records, &since_us, error));
    TRY(mneme_open(r->distances[STRAIGHT].url, &options, &m, error));
    TRY(mneme_put(m, records, EPISODES, NULL, s.ids, error));
    s.query = (mneme_query){
        .kind = MNEME_EPISODE, .since_us = since_us, .order = MNEME_OLDEST_FIRST, .limit = LISTED};
    for (size_t i = 0; i < r->distance_count; i++)
        TRY(measure_at(r, &s, &r->distances[i], error));
    return 0;
}
