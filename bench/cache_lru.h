/*
 * cache_lru.h - the cache that everybody writes first, to compare with: a hash table and a list in
 * the order of use, under one mutex.
 */
#ifndef MNEME_BENCH_CACHE_LRU_H
#define MNEME_BENCH_CACHE_LRU_H

#include <pthread.h>
#include <stdatomic.h>

#include "cache/cache.h"

struct lru_entry {
    struct cache_key key;
    struct lru_entry *next_in_bucket;
    struct lru_entry *newer, *older;
    atomic_uint pins; /* the list's is one; as in ours, who was handed an entry may keep it */
    uint64_t words[]; /* the value */
};

struct lru {
    pthread_mutex_t mutex; /* guards the rest */
    struct lru_entry **buckets;
    size_t mask;
    struct lru_entry *newest, *oldest;
    size_t count, capacity; /* entries */
};

/* MNEME_NO_MEMORY. */
int lru_init(struct lru *lru, size_t capacity, mneme_error *error);
void lru_fini(struct lru *lru); /* only after lru_init, in which it may have failed */

/* A value of about `bytes` altogether; the oldest goes when there is no room. MNEME_NO_MEMORY. */
int lru_put(struct lru *lru, const struct cache_key *key, size_t bytes, mneme_error *error);

/* Find, move to the front, pin; NULL: not there. */
struct lru_entry *lru_acquire(struct lru *lru, const struct cache_key *key);
void lru_release(struct lru_entry *entry);

#endif
