/*
 * policy.h - who stays in a cache: admission and eviction, for one shard.
 *
 * What it is. The bookkeeping behind cache.c, which owns the table, the values and the locks. A
 * policy sees nodes {hash, size} and says which one goes next. It keeps no clock. How it chooses,
 * and what that is worth in figures, stands in policy.c.
 *
 * Ownership. Nodes are the caller's and lie inside what it caches. Besides itself (1.5 KB) a policy
 * allocates its memory of evicted keys: none until the first eviction, then 18 bytes for every
 * node there is. Without memory for it the policy works on, choosing worse.
 *
 * Threads. Every call but policy_touch is made under the shard's lock. policy_touch is called by
 * any number of readers at once, without a lock, while the node cannot be freed.
 *
 * Limits. The same calls in the same order give the same victims, unless readers race.
 */
#ifndef MNEME_CACHE_POLICY_H
#define MNEME_CACHE_POLICY_H

#include <stdatomic.h>

#include "base/base.h"

struct policy;

/* Lies inside the cached item. Zero it, set hash and size, then policy_add. While it is in a
 * policy, all but `hits` is guarded by the shard's lock, and hash and size do not change. */
struct policy_node {
    uint64_t hash;                       /* of the key; well mixed */
    size_t size;                         /* bytes it is charged with */
    struct policy_node *next, *previous; /* the policy's own, as all that follows */
    uint32_t stamp;                      /* the miss at which it joined its queue */
    uint32_t rank;                       /* in the main part: the lowest goes first */
    uint8_t place;                       /* the queue it is in; 0: in none */
    uint8_t frequency;                   /* in eighths of an access, as of `epoch` */
    uint8_t epoch;
    atomic_uchar hits; /* what readers leave, see policy_touch; last, for they come to no other */
};

struct policy_options {
    size_t bytes;   /* the most that all nodes may weigh together */
    size_t entries; /* the most nodes */
};

/* NULL: no memory. */
struct policy *policy_create(const struct policy_options *options);
/* The nodes are the caller's; NULL is allowed. */
void policy_destroy(struct policy *policy);

enum { POLICY_HITS_MAX = 3 };

/*
 * A node was read. Relaxed, and neither one indivisible step: two readers at once may count one
 * hit, and a reader that races with the policy may bring back hits that were counted already.
 * Either changes a guess, nothing else. The store is left out once the counter is full, so that
 * the line of a popular node stays shared between the readers' cores.
 */
static inline void policy_touch(struct policy_node *node) {
    unsigned char hits = atomic_load_explicit(&node->hits, memory_order_relaxed);
    if (hits < POLICY_HITS_MAX)
        atomic_store_explicit(&node->hits, (unsigned char)(hits + 1), memory_order_relaxed);
}

/* A node joins, after its key was asked for and was not there. It may then be that too much is
 * there: see policy_victim. */
void policy_add(struct policy *policy, struct policy_node *node);

/* A node leaves for a reason that is not the policy's (invalidated, expired, replaced). Its key's
 * frequency is remembered for when it comes back. */
void policy_remove(struct policy *policy, struct policy_node *node);

/* NULL while what is there fits; else the node that goes, which has left. It may be the one just
 * added, and is that one when it alone is over the budget. Call until it answers NULL. */
struct policy_node *policy_victim(struct policy *policy);

#endif
