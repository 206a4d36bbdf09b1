/*
 * targets_query.c - the reads and lists of agents' work (targets_agent.h) on a memory that is 40 ms
 * away: with caches that have been in use for a while, and without.
 */
#include "bench/cache_cases.h"
#include "bench/targets_agent.h"
#include "bench/targets_cases.h"

enum { EPISODES = 200, PATTERNS = 500, READS_A_TASK = 64, SERVER_MS = 20 };

struct queries {
    struct remote *r;
    struct agents agents;
    mneme *cached, *uncached;
    size_t warm_tasks, tasks, uncached_reads;
};

static int times_begin(struct agents *a, size_t count, mneme_error *error) {
    a->times = arena_zalloc(&a->arena, count, sizeof *a->times);
    a->times_max = count;
    a->timed = 0;
    return a->times ? 0 : error_set(error, MNEME_NO_MEMORY, "no memory for times");
}

/* What is timed, in milliseconds. */
static void times_end(struct agents *a, double **times, size_t *count) {
    for (size_t i = 0; i < a->timed; i++)
        a->times[i] *= 1e3;
    *times = a->times;
    *count = a->timed;
    a->times = NULL;
}

static int time_cached(struct queries *q, double **times, size_t *count, mneme_error *error) {
    distance_set(q->r, &q->r->distances[STRAIGHT]); /* the same wire, without its length */
    for (size_t i = 0; i < q->warm_tasks; i++)
        TRY(agents_work(&q->agents, q->cached, error));
    distance_set(q->r, &q->r->distances[q->r->distance_count - 1]);
    TRY(times_begin(&q->agents, q->tasks * READS_A_TASK, error));
    for (size_t i = 0; i < q->tasks; i++)
        TRY(agents_work(&q->agents, q->cached, error));
    times_end(&q->agents, times, count);
    return 0;
}

static int time_uncached(struct queries *q, double **times, size_t *count, mneme_error *error) {
    struct agents *a = &q->agents;
    mneme_id id;
    TRY(agents_list(a, q->uncached, error)); /* connect, fetch the dictionary */
    TRY(agents_read(a, q->uncached, &a->episodes, &id, error));
    TRY(times_begin(a, q->uncached_reads + 3, error));
    while (a->timed < q->uncached_reads) {
        TRY(interrupt_check(error));
        TRY(agents_list(a, q->uncached, error));
        for (size_t i = 0; i < 10 && a->timed < q->uncached_reads; i++)
            TRY(agents_read(a, q->uncached, i % 5 ? &a->patterns : &a->episodes, &id, error));
    }
    times_end(a, times, count);
    return 0;
}

/* How many took at least half of a round trip: they asked the server. They come to the front. */
static size_t take_asked(double *ms, size_t count) {
    size_t asked = 0;
    for (size_t i = 0; i < count; i++)
        if (ms[i] >= SERVER_MS)
            ms[asked++] = ms[i];
    return asked;
}

/* What missed, against what had no cache; after all else, since it reorders them. */
static void print_misses(struct queries *q, double *cached, size_t cached_count, double *uncached,
                         size_t uncached_count) {
    struct report *report = &q->r->kit->report;
    size_t asked = take_asked(cached, cached_count);
    report_row(report, &(struct row){.name = "of them asked the server",
                                     .unit = "%",
                                     .value = {.median = percent(asked, cached_count)}});
    report_row(report, &(struct row){.name = "a read that asked the server",
                                     .unit = "ms",
                                     .reference = "without caches",
                                     .value = measured_of(cached, asked),
                                     .reference_value = measured_of(uncached, uncached_count),
                                     .goal = AT_MOST(1.05)});
}

static int print_queries(struct queries *q, mneme_error *error) {
    static const struct {
        const char *name;
        unsigned percent;
        double bound_ms;
    } rows[] = {{"reads at work, 40 ms away, p50", 50, 10},
                {"reads at work, 40 ms away, p95", 95, 20},
                {"reads at work, 40 ms away, p99", 99, 50}};
    double *cached, *uncached;
    size_t cached_count, uncached_count;
    TRY(time_uncached(q, &uncached, &uncached_count, error));
    TRY(time_cached(q, &cached, &cached_count, error));
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        report_row(&q->r->kit->report,
                   &(struct row){.name = rows[i].name,
                                 .unit = "ms",
                                 .reference = "without caches",
                                 .value = percentile_of(cached, cached_count, rows[i].percent),
                                 .reference_value =
                                     percentile_of(uncached, uncached_count, rows[i].percent),
                                 .goal = VALUE_AT_MOST(rows[i].bound_ms)});
    print_misses(q, cached, cached_count, uncached, uncached_count);
    return 0;
}

static int queries_open(struct queries *q, mneme_error *error) {
    const struct distance *far = &q->r->distances[q->r->distance_count - 1];
    mneme_options options = remote_options(q->r);
    AUTO_HANDLE mneme *maker = NULL;
    TRY(mneme_open(q->r->distances[STRAIGHT].url, &options, &maker, error));
    TRY(agents_init(&q->agents, q->r->kit, maker,
                    bench_size(q->r->kit->options, 20, EPISODES, EPISODES),
                    bench_size(q->r->kit->options, 20, PATTERNS, PATTERNS), error));
    distance_set(q->r, far);
    TRY(mneme_open(far->url, &options, &q->cached, error));
    options.cache.off = true;
    return mneme_open(far->url, &options, &q->uncached, error);
}

static void queries_fini(struct queries *q) {
    (void)mneme_close(q->cached, NULL);
    (void)mneme_close(q->uncached, NULL);
    agents_fini(&q->agents);
}

int targets_queries(struct remote *r, mneme_error *error) {
    CLEANUP(queries_fini)
    struct queries q = {.r = r,
                        .warm_tasks = bench_size(r->kit->options, 2, 100, 200),
                        .tasks = bench_size(r->kit->options, 2, 16, 100),
                        .uncached_reads = bench_size(r->kit->options, 10, 100, 500)};
    report_heading(&r->kit->report, "cached queries: p50, p95, p99 under 10, 20, 50 ms, from 45");
    report_progress(&r->kit->report, "measuring: reads at work, 40 ms away");
    TRY(queries_open(&q, error));
    return print_queries(&q, error);
}
