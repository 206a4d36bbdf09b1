/*
 * table.c - the writing half of the hash table.
 */
#include "cache/table.h"

enum { FULL_COUNT = 255, TOP_SHIFT = 56 };

int table_init(struct table *table, size_t entries) {
    size_t buckets = 1; /* five of seven slots in use at most, on the average */
    while (buckets < entries / 5 + 1)
        buckets *= 2;
    *table = (struct table){.mask = buckets - 1};
    table->block = mem_zalloc(buckets + 1, sizeof(struct table_bucket));
    if (!table->block)
        return MNEME_NO_MEMORY;
    uintptr_t at = (uintptr_t)table->block, line = sizeof(struct table_bucket);
    table->buckets = (void *)((at + line - 1) & ~(line - 1));
    return 0;
}

void table_fini(struct table *table) {
    mem_free(table->block);
    *table = (struct table){0};
}

/* Plain loads and stores will do: only one thread at a time writes. */
static uint64_t head_get(const struct table_bucket *bucket) {
    return atomic_load_explicit(&bucket->head, memory_order_relaxed);
}

static void head_set(struct table_bucket *bucket, uint64_t head) {
    atomic_store_explicit(&bucket->head, head, memory_order_release);
}

static void slot_set(struct table_bucket *bucket, unsigned slot, struct cache_item *item) {
    atomic_store_explicit(&bucket->slots[slot], item, memory_order_release);
}

static int slot_of(const struct table_bucket *bucket, const struct cache_item *item) {
    for (int slot = 0; slot < TABLE_SLOTS; slot++)
        if (atomic_load_explicit(&bucket->slots[slot], memory_order_relaxed) == item)
            return slot;
    return -1;
}

bool table_put(struct table *table, struct cache_item *item) {
    struct table_bucket *home = table_home(table, item->node.hash), *bucket = home;
    int slot = slot_of(bucket, NULL);
    for (size_t looked = 0; slot < 0; looked++) {
        if (looked == table->mask)
            return false;
        bucket = table_after(table, bucket);
        slot = slot_of(bucket, NULL);
    }
    /* The way there first, or a reader might stop short of it. */
    for (struct table_bucket *full = home; full != bucket; full = table_after(table, full))
        if (head_get(full) >> TOP_SHIFT < FULL_COUNT)
            head_set(full, head_get(full) + (UINT64_C(1) << TOP_SHIFT));
    slot_set(bucket, (unsigned)slot, item);
    head_set(bucket, head_get(bucket) | table_tag(item->node.hash) << (8 * slot));
    return true;
}

/* Where an item is, and its slot there. */
static struct table_bucket *bucket_of(const struct table *table, const struct cache_item *item,
                                      unsigned *slot) {
    struct table_bucket *bucket = table_home(table, item->node.hash);
    int at = slot_of(bucket, item);
    for (size_t looked = 0; at < 0; looked++) {
        ASSERT(looked < table->mask);
        bucket = table_after(table, bucket);
        at = slot_of(bucket, item);
    }
    *slot = (unsigned)at;
    return bucket;
}

void table_replace(struct table *table, struct cache_item *old, struct cache_item *item) {
    unsigned slot;
    struct table_bucket *bucket = bucket_of(table, old, &slot);
    slot_set(bucket, slot, item);
}

void table_remove(struct table *table, struct cache_item *item) {
    unsigned slot;
    struct table_bucket *bucket = bucket_of(table, item, &slot);
    head_set(bucket, head_get(bucket) & ~(UINT64_C(255) << (8 * slot)));
    slot_set(bucket, slot, NULL);
    struct table_bucket *full = table_home(table, item->node.hash);
    for (; full != bucket; full = table_after(table, full))
        if (head_get(full) >> TOP_SHIFT < FULL_COUNT)
            head_set(full, head_get(full) - (UINT64_C(1) << TOP_SHIFT));
}
