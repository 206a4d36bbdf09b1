/*
 * targets_work.c - two hours of agents' work (targets_agent.h) on one file: what the caches hit,
 * what leaves them, and what they take.
 *
 * The hours are simulated: a task begins every nine seconds of the caches' own clock, which the
 * bench moves on instead of their thread. So times to live pass as they would, and the calls are
 * the real ones.
 */
#include "bench/cache_cases.h"
#include "bench/targets_agent.h"
#include "bench/targets_cases.h"
#include "store/cached/cached_impl.h"

enum { HOUR_S = 3600, TASK_S = 9 };
enum { EPISODES = 1000, PATTERNS = 2000 };
enum { TRACE_ENTRIES = 10000 }; /* as many as a cache holds unless told otherwise */

struct work {
    struct kit *kit;
    struct scratch_path path;
    mneme *m;
    struct agents agents;
    uint32_t now; /* of the caches' clock */
};

/* What all caches of the handle have counted. */
struct sums {
    uint64_t hits, lookups, evictions, expirations, entries, bytes, bytes_max;
};

static int sums_get(struct work *w, struct sums *out, mneme_error *error) {
    mneme_stats stats = {.size = sizeof stats};
    TRY(mneme_stats_get(w->m, &stats, error));
    *out = (struct sums){0};
    for (size_t i = 0; i < MNEME_CACHE_COUNT; i++) {
        const mneme_cache_stats *c = &stats.caches[i];
        out->hits += c->hits;
        out->lookups += c->hits + c->misses;
        out->evictions += c->evictions_by_bytes + c->evictions_by_entries;
        out->expirations += c->expirations;
        out->entries += c->entries;
        out->bytes += c->bytes;
        out->bytes_max += c->bytes_max;
    }
    return 0;
}

/* One hour; *before and *after are of its ends. */
static int work_hour(struct work *w, struct sums *before, struct sums *after, mneme_error *error) {
    uint32_t end = w->now + (uint32_t)bench_size(w->kit->options, HOUR_S / 100, HOUR_S, HOUR_S);
    w->agents.hot_reads = w->agents.hot_hits = 0;
    TRY(sums_get(w, before, error));
    while (w->now < end) {
        TRY(agents_work(&w->agents, w->m, error));
        for (unsigned i = 0; i < TASK_S; i++)
            cached_tick(w->m->cached, ++w->now);
    }
    return sums_get(w, after, error);
}

/* In percent. */
static double hit_rate(const struct sums *before, const struct sums *after) {
    return percent(after->hits - before->hits, after->lookups - before->lookups);
}

/* Two hours, of which the second counts; *first: the hit rate of the first, which begins empty. */
static int work_two_hours(struct work *w, struct sums *before, struct sums *after, double *first,
                          mneme_error *error) {
    struct sums start;
    TRY(work_hour(w, &start, before, error));
    *first = hit_rate(&start, before);
    return work_hour(w, before, after, error);
}

/* A new handle on the same file, whose caches are empty and take the time from us. ttl_s: how long
 * an entry lives at first; 0: as shipped. */
static int work_begin(struct work *w, uint32_t ttl_s, mneme_error *error) {
    mneme_options options = {.size = sizeof options, .no_training = true};
    for (size_t i = 0; i < MNEME_CACHE_COUNT; i++)
        options.cache.limits[i].ttl_s = ttl_s;
    TRY(mneme_close(TAKE(w->m), error));
    TRY(mneme_open(w->path.text, &options, &w->m, error));
    cached_of(w->m->cached)->options.no_keeper = true; /* it sleeps: nothing is cached yet */
    w->now = 1 + (uint32_t)(clock_monotonic_us() / 1000000);
    cached_tick(w->m->cached, w->now);
    agents_again(&w->agents);
    return 0;
}

/* ---- Rows ----------------------------------------------------------------------------------- */

static int print_hits(struct work *w, struct sums *before, struct sums *after, mneme_error *error) {
    struct sums long_before, long_after;
    double first;
    report_progress(&w->kit->report, "measuring: two hours of work");
    TRY(work_begin(w, 0, error));
    TRY(work_two_hours(w, before, after, &first, error));
    double hot = percent(w->agents.hot_hits, w->agents.hot_reads);
    targets_value(w->kit, "reads of the hot tenth", "%", (struct measured){.median = hot},
                  VALUE_AT_LEAST(80));
    targets_value(w->kit, "all look-ups", "%", (struct measured){.median = hit_rate(before, after)},
                  VALUE_AT_LEAST(90));
    targets_value(w->kit, "all look-ups, the hour before", "%", (struct measured){.median = first},
                  NO_GOAL);
    report_progress(&w->kit->report, "measuring: two hours of work, longer lives");
    TRY(work_begin(w, HOUR_S, error));
    TRY(work_two_hours(w, &long_before, &long_after, &first, error));
    targets_value(w->kit, "all look-ups, ttl_s = 3600", "%",
                  (struct measured){.median = hit_rate(&long_before, &long_after)}, NO_GOAL);
    return cache_traces_at(w->kit, TRACE_ENTRIES, error);
}

static int read_all(struct work *w, const struct popular *of, mneme_error *error) {
    for (size_t i = 0; i < of->count; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(w->m, of->kind, &of->ids[i], &record, error));
        mneme_release(w->m, record);
    }
    return interrupt_check(error);
}

static int print_memory(struct work *w, mneme_error *error) {
    uint64_t resident_kib;
    struct sums sums;
    TRY(read_all(w, &w->agents.episodes, error));
    TRY(read_all(w, &w->agents.patterns, error));
    TRY(sums_get(w, &sums, error));
    TRY(proc_number("/proc/self/status", "RssAnon", &resident_kib, error));
    report_row(&w->kit->report,
               &(struct row){.name = "caches when all was read",
                             .unit = "MB",
                             .reference = "their limits",
                             .value = {.median = (double)sums.bytes / 1e6},
                             .reference_value = {.median = (double)sums.bytes_max / 1e6},
                             .goal = VALUE_AT_MOST(500)});
    targets_value(w->kit, "the whole process, resident", "MB",
                  (struct measured){.median = (double)resident_kib * 1024 / 1e6},
                  VALUE_AT_MOST(500));
    return 0;
}

static void print_leaving(struct work *w, const struct sums *before, const struct sums *after) {
    struct row row = {.name = "evictions in the second hour",
                      .unit = "count",
                      .reference = "entries at its end",
                      .value = {.median = (double)(after->evictions - before->evictions)},
                      .reference_value = {.median = (double)after->entries},
                      .goal = AT_MOST(0.1)};
    report_row(&w->kit->report, &row);
    row.name = "expirations in the second hour";
    row.value.median = (double)(after->expirations - before->expirations);
    row.goal = NO_GOAL;
    report_row(&w->kit->report, &row);
}

static int print_work(struct work *w, mneme_error *error) {
    struct sums before, after;
    report_heading(&w->kit->report, "hit rates: 80 % on hot data, 85 to 90 % overall");
    TRY(print_hits(w, &before, &after, error));
    report_heading(&w->kit->report, "memory of the caches: 500 MB; evictions an hour: 10 %");
    TRY(print_memory(w, error));
    print_leaving(w, &before, &after);
    return 0;
}

static void work_fini(struct work *w) {
    (void)mneme_close(w->m, NULL);
    agents_fini(&w->agents);
}

int targets_work(struct kit *kit, mneme_error *error) {
    CLEANUP(work_fini)
    struct work w = {.kit = kit,
                     .path = scratch_path_of(&kit->scratch, "work.mdb"),
                     .agents.of_steps = MNEME_RELAXED}; /* hit rates do not depend on it */
    report_progress(&kit->report, "making a memory to work with");
    TRY(kit_open(kit, &w.path, &w.m, error));
    TRY(agents_init(&w.agents, kit, w.m, bench_size(kit->options, 50, EPISODES, EPISODES),
                    bench_size(kit->options, 100, PATTERNS, PATTERNS), error));
    return print_work(&w, error);
}
