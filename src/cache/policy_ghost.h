/*
 * policy_ghost.h - what a policy remembers of keys that are no longer cached.
 *
 * A table of fixed buckets; each holds the last GHOST_WAYS keys that fell into it, newest first.
 * A key is known by 32 bits of its hash: a stranger with the same bits is taken for it, once in
 * hundreds of millions of lookups, and is then merely admitted better or worse than it deserves.
 */
#ifndef MNEME_CACHE_POLICY_GHOST_H
#define MNEME_CACHE_POLICY_GHOST_H

#include "base/base.h"

enum { GHOST_WAYS = 8 };

/* Where a key was when it left. */
enum ghost_origin { GHOST_SMALL, GHOST_MAIN, GHOST_REMOVED };

struct ghost {
    uint32_t print; /* of the key's hash; 0: an empty slot, and all behind it are empty */
    uint32_t stamp; /* of the node, see policy_node */
    uint16_t epoch;
    uint8_t frequency; /* as of `epoch` */
    uint8_t origin;    /* enum ghost_origin */
};

/* {0} remembers nothing. */
struct ghost_table {
    struct ghost *slots; /* buckets x GHOST_WAYS */
    size_t buckets;
};

void ghost_fini(struct ghost_table *table);

/* Make room for about `count` keys, keeping those there are. Without memory nothing changes. */
void ghost_grow(struct ghost_table *table, size_t count);

/* How many keys there is room for. */
static inline size_t ghost_room(const struct ghost_table *table) {
    return table->buckets * GHOST_WAYS;
}

/* Remember a key; the oldest of its bucket is forgotten. `ghost.print` is filled in here. */
void ghost_put(struct ghost_table *table, uint64_t hash, struct ghost ghost);

/* Whether the key is remembered; then it is in *out and forgotten. Else *out is untouched. */
bool ghost_take(struct ghost_table *table, uint64_t hash, struct ghost *out);

#endif
