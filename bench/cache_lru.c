/*
 * cache_lru.c - an LRU cache under one mutex.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "bench/cache_lru.h"
#include "cache/table.h"

int lru_init(struct lru *lru, size_t capacity, mneme_error *error) {
    size_t buckets = 1;
    while (buckets < 2 * capacity) /* chains of one, mostly */
        buckets *= 2;
    *lru = (struct lru){.capacity = capacity, .mask = buckets - 1};
    pthread_mutex_init(&lru->mutex, NULL);
    lru->buckets = mem_zalloc(buckets, sizeof(struct lru_entry *));
    return lru->buckets ? 0 : error_set(error, MNEME_NO_MEMORY, "no memory for an LRU cache");
}

void lru_fini(struct lru *lru) {
    while (lru->oldest) {
        struct lru_entry *entry = lru->oldest;
        lru->oldest = entry->newer;
        lru_release(entry);
    }
    mem_free(lru->buckets);
    pthread_mutex_destroy(&lru->mutex);
}

static struct lru_entry **bucket_of(struct lru *lru, const struct cache_key *key) {
    uint64_t hash = XXH3_64bits_withSeed(key->id.bytes, sizeof key->id.bytes, key->space);
    return &lru->buckets[hash & lru->mask];
}

static void unlink_entry(struct lru *lru, struct lru_entry *entry) {
    *(entry->newer ? &entry->newer->older : &lru->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &lru->oldest) = entry->newer;
}

static void put_first(struct lru *lru, struct lru_entry *entry) {
    entry->newer = NULL;
    entry->older = lru->newest;
    *(lru->newest ? &lru->newest->newer : &lru->oldest) = entry;
    lru->newest = entry;
}

/* The oldest one leaves; the mutex is held. */
static void evict(struct lru *lru) {
    struct lru_entry *entry = lru->oldest;
    struct lru_entry **at = bucket_of(lru, &entry->key);
    while (*at != entry)
        at = &(*at)->next_in_bucket;
    *at = entry->next_in_bucket;
    unlink_entry(lru, entry);
    lru->count--;
    lru_release(entry);
}

int lru_put(struct lru *lru, const struct cache_key *key, size_t bytes, mneme_error *error) {
    struct lru_entry *entry = mem_zalloc(1, size_max(bytes, sizeof *entry + sizeof(uint64_t)));
    if (!entry)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a value");
    entry->key = *key;
    atomic_init(&entry->pins, 1);
    pthread_mutex_lock(&lru->mutex);
    struct lru_entry **bucket = bucket_of(lru, key);
    entry->next_in_bucket = *bucket;
    *bucket = entry;
    put_first(lru, entry);
    if (++lru->count > lru->capacity)
        evict(lru);
    pthread_mutex_unlock(&lru->mutex);
    return 0;
}

struct lru_entry *lru_acquire(struct lru *lru, const struct cache_key *key) {
    struct lru_entry **bucket = bucket_of(lru, key);
    pthread_mutex_lock(&lru->mutex);
    struct lru_entry *entry = *bucket;
    while (entry && !cache_key_equal(&entry->key, key))
        entry = entry->next_in_bucket;
    if (entry) {
        if (entry != lru->newest) {
            unlink_entry(lru, entry);
            put_first(lru, entry);
        }
        atomic_fetch_add_explicit(&entry->pins, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&lru->mutex);
    return entry;
}

void lru_release(struct lru_entry *entry) {
    /* Release and acquire: whoever frees it comes after everybody's reads. */
    if (atomic_fetch_sub_explicit(&entry->pins, 1, memory_order_acq_rel) == 1)
        mem_free(entry);
}
