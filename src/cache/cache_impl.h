/*
 * cache_impl.h - inside the cache: shards, and what its files share.
 *
 * Invariants of a shard, while its lock is free:
 *  (1) An item is in the table if and only if its policy has it, and then holds the table's pin.
 *  (2) bytes and entries are the sum of the sizes, and the number, of the items in the table.
 *  (3) Neither is over its limit.
 *  (4) What is on the list `retired` is in no table, and keeps the table's pin until no reader can
 *      come to it any more.
 */
#ifndef MNEME_CACHE_IMPL_H
#define MNEME_CACHE_IMPL_H

#include "cache/cache.h"
#include "cache/table.h"
#include "os/os.h"

enum { CACHE_SHARDS_MAX = 16, STRIPES = 16, SAMPLES = 61 };
/* Barriers cost microseconds: one for as many items, or for this part of the bytes. */
enum { RETIRE_COUNT = 128, RETIRE_SHARE = 32 };

/* Counted where readers are: each thread has a stripe of its own, but for those beyond the last
 * one, who share it. */
struct stripe {
    _Alignas(64) atomic_uint_fast64_t hits, negative_hits;
};

struct shard_counters {
    uint64_t misses, joins, kept, not_kept, evicted_bytes_full, evicted_entries_full, expired;
    uint64_t dropped[CACHE_CAUSES];
};

struct shard {
    _Alignas(64) struct table table; /* readers look here without the lock */
    _Alignas(64) struct lock lock;   /* guards the rest */
    struct policy *policy;
    size_t bytes, entries, bytes_max, entries_max;
    struct cache_guard *guards; /* of loads and writes that are under way */
    struct signal loaded;       /* a load has ended */
    struct cache_item *retired; /* linked by node.next */
    size_t retired_count, retired_bytes;
    size_t swept; /* the bucket at which the sweep goes on */
    struct shard_counters counters;
};

struct sample {
    uint64_t hits, lookups; /* since the cache was made */
};

struct cache {
    struct shard *shards;
    uint64_t shard_mask;
    uint64_t seed;
    atomic_uint now; /* the coarse clock: ticks */
    struct cache_options options;
    void *shard_block; /* what was allocated */
    struct stripe *stripes;
    void *stripe_block;
    struct lock sample_lock;
    struct sample seconds[SAMPLES], minutes[SAMPLES]; /* as of tick t: at t % SAMPLES */
    uint32_t first_tick, last_tick;
    bool ticked;
};

uint64_t cache_hash(const struct cache *cache, const struct cache_key *key);

static inline struct shard *shard_of(const struct cache *cache, uint64_t hash) {
    return &cache->shards[hash & cache->shard_mask];
}

static inline uint32_t cache_now(const struct cache *cache) {
    return atomic_load_explicit(&cache->now, memory_order_relaxed);
}

static inline bool item_is_expired(const struct cache *cache, const struct cache_item *item) {
    return cache_now(cache) >= atomic_load_explicit(&item->expires, memory_order_relaxed);
}

/* ---- shard.c: all under the shard's lock, but shard_unlock -------------------------------- */

/* The item of a key, unless it has expired (then it is dropped). */
struct cache_item *shard_find(struct cache *cache, struct shard *shard, const struct cache_key *key,
                              uint64_t hash);
/* Take an item out of the table; somebody must count why. */
void shard_drop(struct shard *shard, struct cache_item *item);
/* Put an item in, which is not older than any other of its key; the caller keeps his pin. */
void shard_keep(struct cache *cache, struct shard *shard, struct cache_item *item);
/* Release the lock, and free what is retired when there is enough of it. */
void shard_unlock(struct shard *shard);
/* Call `visit` for the items in some buckets; it may drop the item. */
void shard_walk(struct shard *shard, size_t from, size_t buckets,
                void (*visit)(void *context, struct shard *shard, struct cache_item *item),
                void *context);

/* ---- statistics.c ------------------------------------------------------------------------- */

void count_hit(struct cache *cache, const struct pin_thread *self, bool negative);
void sample_take(struct cache *cache, uint32_t now);

#endif
