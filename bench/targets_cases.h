/*
 * targets_cases.h - the parts of `mneme bench targets`, and what they share; docs/bench.md explains
 * each row.
 *
 * Model. Each part measures one target of the plan on the code that ships. Where the plan names a
 * range, the goal is its harder end. Latencies are of single calls, all calls counted.
 */
#ifndef MNEME_BENCH_TARGETS_CASES_H
#define MNEME_BENCH_TARGETS_CASES_H

#include "bench/remote_server.h"

/* targets_write.c: writes in groups against single ones, and how many records a second go in. */
int targets_writes(struct remote *r, mneme_error *error);

/* targets_read.c: reads from the cache, reads that miss it, and reads without one. */
int targets_reads(struct kit *kit, mneme_error *error);

/* targets_work.c: an hour of agents' work: hit rates, evictions, memory. */
int targets_work(struct kit *kit, mneme_error *error);

/* targets_query.c: how long the reads of the same work take when the server is 40 ms away. */
int targets_queries(struct remote *r, mneme_error *error);

/* targets_prepare.c: an SQLite file's statements. */
int targets_prepare(struct kit *kit, mneme_error *error);

/* targets_calls.c: the slowest of a hundred of each public call. */
int targets_calls(struct remote *r, mneme_error *error);

/* targets_flush.c: when the group commit commits. */
int targets_flush(struct kit *kit, mneme_error *error);

/* ---- targets.c ----------------------------------------------------------------------------- */

/* The value that `percent` of a hundred do not exceed (nearest rank). Sorts; count > 0. */
struct measured percentile_of(double *values, size_t count, unsigned percent);

/* A row without a reference. */
void targets_value(struct kit *kit, const char *name, const char *unit, struct measured value,
                   struct goal goal);

/* `count` records of the kind without ids, in the arena: variations of real episodes, or patterns
 * of 2 KB. *number is of the next one. */
int targets_records(struct kit *kit, mneme_kind kind, size_t count, uint64_t *number,
                    struct arena *arena, mneme_record **out, mneme_error *error);

#endif
