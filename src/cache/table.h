/*
 * table.h - the hash table of a shard: readers take no lock, writers hold the shard's.
 *
 * A bucket is a cache line: a head of eight bytes, and seven items. Byte i of the head is the tag
 * of item i, eight bits of its hash and never 0, or 0 for none. The last byte counts the items that
 * found the bucket full and went on to a later one; a reader goes on while it is not 0. At its
 * greatest value it stays there, which only costs a look at one more bucket.
 *
 * The table never grows and items never move, so a reader sees each item or does not, and nothing
 * in between: an item's pointer is stored before its tag, and its tag is cleared before its
 * pointer.
 */
#ifndef MNEME_CACHE_TABLE_H
#define MNEME_CACHE_TABLE_H

#include "cache/cache.h"

enum { TABLE_SLOTS = 7 };

struct table_bucket {
    _Alignas(64) atomic_uint_fast64_t head;
    _Atomic(struct cache_item *) slots[TABLE_SLOTS];
};

struct table {
    struct table_bucket *buckets;
    void *block; /* what was allocated */
    size_t mask;
};

/* Room for `entries` items; MNEME_NO_MEMORY. */
int table_init(struct table *table, size_t entries);
void table_fini(struct table *table);

static inline uint64_t table_tag(uint64_t hash) {
    uint64_t tag = hash >> 56;
    return tag + (tag == 0);
}

static inline struct table_bucket *table_home(const struct table *table, uint64_t hash) {
    return &table->buckets[(hash >> 8) & table->mask];
}

static inline struct table_bucket *table_after(const struct table *table,
                                               const struct table_bucket *bucket) {
    return &table->buckets[((size_t)(bucket - table->buckets) + 1) & table->mask];
}

static inline bool cache_key_equal(const struct cache_key *a, const struct cache_key *b) {
    uint64_t x[2], y[2];
    memcpy(x, a->id.bytes, sizeof x);
    memcpy(y, b->id.bytes, sizeof y);
    return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (a->space ^ b->space)) == 0;
}

/* Where to look for a key: the next slot of a bucket whose tag is that of the hash. */
struct table_look {
    const struct table_bucket *bucket;
    uint64_t head, candidates;
    size_t looked;
};

static inline void look_at(struct table_look *look, const struct table_bucket *bucket,
                           uint64_t pattern) {
    const uint64_t ones = UINT64_C(0x0001010101010101), tops = ones << 7;
    look->bucket = bucket;
    look->head = atomic_load_explicit(&bucket->head, memory_order_acquire);
    /* Bytes of `different` are 0 where a tag matches. The classic test for zero bytes may also
     * point at the byte above one; keys are compared in any case. */
    uint64_t different = look->head ^ pattern;
    look->candidates = (different - ones) & ~different & tops;
}

static inline uint64_t table_pattern(uint64_t hash) {
    return UINT64_C(0x0001010101010101) * table_tag(hash);
}

/* False at the end. */
static inline bool look_further(const struct table *table, struct table_look *look,
                                uint64_t pattern) {
    if (LIKELY(look->head >> 56 == 0) || look->looked++ == table->mask)
        return false;
    look_at(look, table_after(table, look->bucket), pattern);
    return true;
}

/* The item of a key, or NULL, under the shard's lock. */
static inline struct cache_item *table_find(const struct table *table, const struct cache_key *key,
                                            uint64_t hash) {
    uint64_t pattern = table_pattern(hash);
    struct table_look look = {.looked = 0};
    look_at(&look, table_home(table, hash), pattern);
    do {
        for (; look.candidates; look.candidates &= look.candidates - 1) {
            unsigned slot = LOWEST_BIT(look.candidates) / 8;
            struct cache_item *item =
                atomic_load_explicit(&look.bucket->slots[slot], memory_order_acquire);
            if (LIKELY(item && cache_key_equal(&item->key, key)))
                return item;
        }
    } while (look_further(table, &look, pattern));
    return NULL;
}

/* The item at a place of the table, and in the pin: steps 1 and 2 of pin.h. */
static inline struct cache_item *table_pin(const struct table_bucket *bucket, unsigned slot,
                                           struct pin_slot *pin) {
    struct cache_item *item = atomic_load_explicit(&bucket->slots[slot], memory_order_acquire);
    PREFETCH((const uint8_t *)item + sizeof *item); /* the value: only an address, not touched */
    for (;;) {
        pin_set(pin, item);
        struct cache_item *again = atomic_load_explicit(&bucket->slots[slot], memory_order_acquire);
        if (LIKELY(again == item))
            return item;
        item = again;
    }
}

/* The item of a key, without a lock and in the pin; NULL: it is not there, and the pin is free. */
static inline struct cache_item *table_find_pinned(const struct table *table,
                                                   const struct cache_key *key, uint64_t hash,
                                                   struct pin_slot *pin) {
    uint64_t pattern = table_pattern(hash);
    struct table_look look = {.looked = 0};
    look_at(&look, table_home(table, hash), pattern);
    do {
        for (; look.candidates; look.candidates &= look.candidates - 1) {
            struct cache_item *item = table_pin(look.bucket, LOWEST_BIT(look.candidates) / 8, pin);
            if (LIKELY(item && cache_key_equal(&item->key, key)))
                return item;
        }
    } while (look_further(table, &look, pattern));
    pin_clear(pin);
    return NULL;
}

/* Under the shard's lock. table_put: false when there is no room. The item of table_replace and
 * table_remove is in the table. */
bool table_put(struct table *table, struct cache_item *item);
void table_replace(struct table *table, struct cache_item *old, struct cache_item *item);
void table_remove(struct table *table, struct cache_item *item);

#endif
