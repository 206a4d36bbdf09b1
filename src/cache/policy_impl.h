/*
 * policy_impl.h - the inside of a policy, for policy.c and its tests. How the parts work together
 * is told in policy.c.
 *
 * Invariants, under the shard's lock:
 *  (1) A node is in exactly one chain, the one that its `place` names; place 0: in none.
 *  (2) loads[] are the sums over the nodes of a part; sizes are as they were when the node joined.
 *  (3) In a chain of the main part ranks never fall from the oldest node to the newest, because
 *      each got the floor of its time plus the same amount, and the floor never falls.
 *  (4) Every rank in the main part is at least the floor and at most POLICY_DENSITY_MAX above it,
 *      counted modulo 2^32.
 *  (5) oldest_ranks[c] is the rank of the oldest node of class c while bit c of `occupied` is set;
 *      while it is not, the class is empty.
 */
#ifndef MNEME_CACHE_POLICY_IMPL_H
#define MNEME_CACHE_POLICY_IMPL_H

#include "cache/policy.h"
#include "cache/policy_ghost.h"

enum {
    POLICY_ACCESS = 8, /* what one access adds to a frequency */
    POLICY_CLASSES = 62,
    POLICY_DENSITY_MAX = 1 << 30,
};

enum policy_place {
    POLICY_OUT,
    POLICY_FRESH, /* the newer half of the small part */
    POLICY_TRIAL, /* the older half of the small part */
    POLICY_MAIN,  /* class 0 of the main part; the other classes follow */
    POLICY_PLACES = POLICY_MAIN + POLICY_CLASSES
};

struct policy_chain {
    struct policy_node *newest, *oldest;
};

struct policy_load {
    size_t bytes, entries;
};

struct policy {
    struct policy_options options;
    struct policy_chain chains[POLICY_PLACES];
    struct policy_load loads[POLICY_MAIN + 1]; /* all classes of the main part are one load */
    uint64_t occupied;                         /* a bit for each class that is not empty */
    uint32_t oldest_ranks[POLICY_CLASSES];
    uint32_t floor;                     /* the rank of the node that was lowest at the last look */
    uint32_t clock;                     /* counts nodes that joined, that is, misses */
    uint16_t epoch;                     /* how often frequencies were halved */
    size_t events;                      /* accesses that were noticed in this epoch */
    double share;                       /* of the budget that the small part should have */
    double small_evicted, main_evicted; /* lately */
    struct ghost_table ghosts;
};

#endif
