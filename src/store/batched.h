/*
 * batched.h - the group commit: many callers' batches in one transaction of the store below.
 *
 * A caller that waits commits at once when nobody is committing; callers that arrive meanwhile
 * gather, and the next commit takes them all (at most `operations` mutations). Queued batches
 * that nobody waits for are committed by a thread of the decorator when there are `operations` of
 * them, or the oldest is interval_ms old, or a flush asks. The queue is bounded: who comes when
 * it is full waits. Order of arrival is order of commit.
 */
#ifndef MNEME_STORE_BATCHED_H
#define MNEME_STORE_BATCHED_H

#include "metrics/metrics.h"
#include "store/store.h"

struct batched_options {
    uint32_t operations;       /* 0: 100 */
    uint32_t interval_ms;      /* 0: 100 */
    uint32_t queue_operations; /* 0: 4096 */
    struct meter *meter;       /* NULL: none. Borrowed */
};

/* Takes `below`, and closes it with itself; on failure it stays the caller's. */
int batched_open(struct store *below, const struct batched_options *options, struct store **out,
                 mneme_error *error);

/*
 * Queue a batch and return. With `ticketed`, *ticket names it for batched_wait; without, its
 * error is kept for the next batched_flush. The batch and all it points to are copied.
 */
int batched_enqueue(struct store *store, const struct batch *batch, bool ticketed, uint64_t *ticket,
                    mneme_error *error);

/* See mneme_ticket_wait. */
int batched_wait(struct store *store, uint64_t ticket, int64_t timeout_ms, mneme_error *error);

/* Wait until everything queued before has ended; see mneme_flush. */
int batched_flush(struct store *store, mneme_error *error);

/* The same without a word on failures, which stay for the next flush: what a caller does who is
 * about to read what it wrote. */
void batched_drain(struct store *store);

/* Commits, and batches in them, since it was opened; operations that wait now. */
struct batched_counters {
    uint64_t groups, batches, queued;
};
void batched_counters(struct store *store, struct batched_counters *out);

#endif
