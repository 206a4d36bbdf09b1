/*
 * store_cases.h - the parts of `mneme bench store`; docs/bench.md explains each row.
 */
#ifndef MNEME_BENCH_STORE_CASES_H
#define MNEME_BENCH_STORE_CASES_H

#include "bench/kit.h"

/* store_batch.c: durable batches against LMDB, SQLite, and calls one at a time. */
int store_durable_batches(struct kit *kit, mneme_error *error);
int store_batched_or_single(struct kit *kit, mneme_error *error);

/* store_ack.c: many threads that wait each for its own acknowledgement. */
int store_acknowledgements(struct kit *kit, mneme_error *error);

/* store_append.c: what a step costs early and late in an episode. */
int store_appends(struct kit *kit, mneme_error *error);

/* store_read.c: reads of records that lie in memory. */
int store_reads(struct kit *kit, mneme_error *error);

/* store_growth.c: a million episodes. */
int store_growth(struct kit *kit, mneme_error *error);

/* Real steps without id, number and time, as an agent gives them. */
struct live_steps {
    mneme_step *items;
    size_t count;
};
int live_steps_make(struct kit *kit, struct arena *arena, struct live_steps *out,
                    mneme_error *error);
/* An open episode for them. */
int live_episode_start(mneme *m, mneme_id *id, mneme_error *error);

#endif
