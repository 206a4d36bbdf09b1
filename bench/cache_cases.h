/*
 * cache_cases.h - the parts of `mneme bench cache`; docs/bench.md explains each row.
 */
#ifndef MNEME_BENCH_CACHE_CASES_H
#define MNEME_BENCH_CACHE_CASES_H

#include "bench/kit.h"

/* cache_memory.c: what a full cache takes. */
int cache_memory(struct kit *kit, mneme_error *error);
/* What a handle takes, through which patterns were read that its cache cannot hold all. */
int cache_memory_of_handle(struct kit *kit, const struct scratch_path *path, const mneme_id *ids,
                           size_t count, mneme_error *error);

/* cache_hot.c: a thousand values that everybody wants, one thread and two. */
int cache_hot_set(struct kit *kit, mneme_error *error);

/* cache_mixed.c: the same with writes among the reads. */
int cache_mixed(struct kit *kit, mneme_error *error);

/* cache_large.c: more values than the processor's own caches hold. */
int cache_large_set(struct kit *kit, mneme_error *error);

/* cache_episode.c: a real episode from the cache, and from the store. */
int cache_episodes(struct kit *kit, mneme_error *error);

/* cache_skewed.c: hit rates of requests drawn by Zipf's law. */
int cache_skewed(struct kit *kit, mneme_error *error);

/* cache_traces.c: hit rates on recorded requests. */
int cache_traces(struct kit *kit, mneme_error *error);
/* The same in a cache of one size, against the best possible. */
int cache_traces_at(struct kit *kit, size_t capacity, mneme_error *error);
/* The same on a trace of the user's, instead of all else. */
int cache_trace_file(const struct bench_options *options, mneme_error *error);

/* A row without a reference, whose goal is an absolute figure. */
void cache_report_bound(struct report *report, const char *name, const char *unit,
                        struct measured value, double bound, enum goal_kind kind);

/* Share of hits in percent. */
static inline double percent(size_t hits, size_t count) {
    return count ? 100.0 * (double)hits / (double)count : 0;
}

#endif
