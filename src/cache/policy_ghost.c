/*
 * policy_ghost.c - the memory of evicted keys: buckets that are small queues.
 */
#include "cache/policy_ghost.h"

/* Both halves of the hash count, whatever bits of it chose the shard. */
static uint32_t print_of(uint64_t hash) {
    uint32_t print = (uint32_t)(hash ^ hash >> 32);
    return print ? print : 1;
}

/* The bucket follows from the print alone, so that the table can be grown. The multiplier, 2^32
 * over the golden ratio, spreads the print's low bits to the top, which choose the bucket. */
static struct ghost *bucket_of(const struct ghost_table *table, uint32_t print) {
    uint64_t spread = (uint32_t)(print * UINT32_C(0x9E3779B1));
    return table->slots + (size_t)(spread * table->buckets >> 32) * GHOST_WAYS;
}

static void bucket_push(struct ghost *bucket, struct ghost ghost) {
    memmove(bucket + 1, bucket, (GHOST_WAYS - 1) * sizeof *bucket);
    bucket[0] = ghost;
}

void ghost_fini(struct ghost_table *table) {
    mem_free(table->slots);
    *table = (struct ghost_table){0};
}

void ghost_grow(struct ghost_table *table, size_t count) {
    /* bucket_of multiplies two numbers of 32 bits. */
    size_t buckets = size_min((count - 1) / GHOST_WAYS + 1, UINT32_MAX);
    if (count == 0 || buckets <= table->buckets)
        return;
    struct ghost_table grown = {mem_zalloc(buckets, GHOST_WAYS * sizeof *grown.slots), buckets};
    if (!grown.slots)
        return;
    for (size_t i = 0; i < table->buckets; i++) {
        const struct ghost *bucket = table->slots + i * GHOST_WAYS;
        for (size_t way = GHOST_WAYS; way-- > 0;) /* the oldest first */
            if (bucket[way].print)
                bucket_push(bucket_of(&grown, bucket[way].print), bucket[way]);
    }
    ghost_fini(table);
    *table = grown;
}

void ghost_put(struct ghost_table *table, uint64_t hash, struct ghost ghost) {
    if (table->buckets == 0)
        return;
    ghost.print = print_of(hash);
    bucket_push(bucket_of(table, ghost.print), ghost);
}

bool ghost_take(struct ghost_table *table, uint64_t hash, struct ghost *out) {
    if (table->buckets == 0)
        return false;
    uint32_t print = print_of(hash);
    struct ghost *bucket = bucket_of(table, print);
    for (size_t way = 0; way < GHOST_WAYS; way++) {
        if (bucket[way].print != print)
            continue;
        *out = bucket[way];
        memmove(bucket + way, bucket + way + 1, (GHOST_WAYS - 1 - way) * sizeof *bucket);
        bucket[GHOST_WAYS - 1] = (struct ghost){0};
        return true;
    }
    return false;
}
