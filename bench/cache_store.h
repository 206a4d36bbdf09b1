/*
 * cache_store.h - a store of patterns, each of about 2 KB in memory, to be read through the public
 * calls.
 */
#ifndef MNEME_BENCH_CACHE_STORE_H
#define MNEME_BENCH_CACHE_STORE_H

#include "bench/kit.h"

enum { PATTERN_BYTES = 2048 }; /* what a pattern takes when it is decoded, about */

struct pattern_store {
    mneme *m;
    mneme_id *ids; /* in the order in which they are to be read */
    size_t count;
};

/* Make a store of `count` patterns at `path`, and open it with this limit on their cache. The ids
 * lie in the arena, in an order that has nothing to do with where the patterns lie. */
int pattern_store_open(const struct scratch_path *path, size_t count,
                       const mneme_cache_limits *limits, struct arena *arena,
                       struct pattern_store *out, mneme_error *error);

/* Pattern `number` under an id (all zero: none yet), in the arena. MNEME_NO_MEMORY. */
int pattern_make(uint64_t number, const mneme_id *id, struct arena *arena, mneme_record *out,
                 mneme_error *error);

/* Read each pattern once. */
int pattern_store_read_all(const struct pattern_store *store, mneme_error *error);

#endif
