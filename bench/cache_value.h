/*
 * cache_value.h - keys and values to fill a cache with.
 */
#ifndef MNEME_BENCH_CACHE_VALUE_H
#define MNEME_BENCH_CACHE_VALUE_H

#include "cache/cache.h"

struct cache_value {
    struct cache_item item;
    uint64_t words[]; /* the first one is the key's number */
};

/* The number-th key. */
struct cache_key value_key(uint64_t number);

/* A value of about `bytes` altogether, charged with what it takes from the heap; NULL: no memory.
 */
struct cache_item *value_make(uint64_t number, size_t bytes);
/* A value of no bytes, charged with `charge` all the same: for hit rates, which ask for no more. */
struct cache_item *value_make_empty(uint64_t number, size_t charge);

/* The word that is read of a value after it was found. */
static inline uint64_t value_word(const struct cache_item *item) {
    return ((const struct cache_value *)(const void *)item)->words[0];
}

/* A cache with room for `entries` of any size. Its hashes are the same in every run, so that hit
 * rates are too. `shards`: 0 for as many as it chooses. */
int value_cache_create(size_t bytes, size_t entries, unsigned shards, struct cache **out,
                       mneme_error *error);
/* Ask for a key, and keep an empty value of that charge when it is not there. *hit tells which.
 * MNEME_NO_MEMORY. */
int value_ask(struct cache *cache, uint64_t number, size_t charge, bool *hit, mneme_error *error);

static inline void cache_destroy_cleanup(struct cache **cache) { cache_destroy(*cache); }
#define AUTO_CACHE CLEANUP(cache_destroy_cleanup)

#endif
