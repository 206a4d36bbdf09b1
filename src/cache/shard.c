/*
 * shard.c - a part of a cache: putting items in and taking them out, under its lock.
 */
#include "cache/cache_impl.h"

struct cache_item *shard_find(struct cache *cache, struct shard *shard, const struct cache_key *key,
                              uint64_t hash) {
    struct cache_item *item = table_find(&shard->table, key, hash);
    if (!item || !item_is_expired(cache, item))
        return item;
    shard->counters.expired++;
    shard_drop(shard, item);
    return NULL;
}

/* Already out of the policy. */
static void retire(struct shard *shard, struct cache_item *item) {
    shard->bytes -= item->node.size;
    shard->entries--;
    item->node.next = shard->retired ? &shard->retired->node : NULL;
    shard->retired = item;
    shard->retired_count++;
    shard->retired_bytes += item->node.size;
}

void shard_drop(struct shard *shard, struct cache_item *item) {
    policy_remove(shard->policy, &item->node);
    table_remove(&shard->table, item);
    retire(shard, item);
}

static void evict(struct shard *shard) {
    for (;;) {
        bool bytes_full = shard->bytes > shard->bytes_max;
        struct policy_node *node = policy_victim(shard->policy);
        if (!node)
            return;
        struct cache_item *item = cache_item_of(node);
        table_remove(&shard->table, item);
        retire(shard, item);
        shard->counters.evicted_bytes_full += bytes_full;
        shard->counters.evicted_entries_full += !bytes_full;
    }
}

/* Put it into the table, in the place of an old one: nobody sees neither. */
static bool take_place(struct shard *shard, struct cache_item *old, struct cache_item *item) {
    if (!old)
        return table_put(&shard->table, item);
    shard->counters.dropped[CACHE_REPLACED]++;
    policy_remove(shard->policy, &old->node);
    table_replace(&shard->table, old, item);
    retire(shard, old);
    return true;
}

void shard_keep(struct cache *cache, struct shard *shard, struct cache_item *item) {
    struct cache_item *old = table_find(&shard->table, &item->key, item->node.hash);
    bool late = old && version_compare(old->version, item->version) > 0;
    bool too_large = item->node.size > shard->bytes_max;
    if (too_large && old && !late) { /* out of date, though the newer one is not kept */
        shard->counters.dropped[CACHE_REPLACED]++;
        shard_drop(shard, old);
    }
    if (late || too_large) {
        shard->counters.not_kept++;
        return;
    }
    uint32_t now = cache_now(cache);
    uint32_t ttl = item->negative ? cache->options.ttl_min : cache->options.ttl_base;
    item->loaded = now;
    atomic_store_explicit(&item->expires, now + ttl, memory_order_relaxed);
    atomic_store_explicit(&item->last_read, now, memory_order_relaxed);
    cache_item_hold(item);
    if (!take_place(shard, old, item)) {
        cache_item_release(item); /* the caller has another pin */
        shard->counters.not_kept++;
        return;
    }
    shard->counters.kept++;
    shard->bytes += item->node.size;
    shard->entries++;
    policy_add(shard->policy, &item->node);
    evict(shard);
}

void shard_unlock(struct shard *shard) {
    struct cache_item *list = NULL;
    if (shard->retired_count >= RETIRE_COUNT ||
        shard->retired_bytes > shard->bytes_max / RETIRE_SHARE) {
        list = TAKE(shard->retired);
        shard->retired_count = 0;
        shard->retired_bytes = 0;
    }
    lock_release(&shard->lock);
    if (list)
        pin_retire(list);
}

void shard_walk(struct shard *shard, size_t from, size_t buckets,
                void (*visit)(void *context, struct shard *shard, struct cache_item *item),
                void *context) {
    for (size_t n = 0; n < buckets; n++) {
        struct table_bucket *bucket = &shard->table.buckets[(from + n) & shard->table.mask];
        for (int slot = 0; slot < TABLE_SLOTS; slot++) {
            struct cache_item *item =
                atomic_load_explicit(&bucket->slots[slot], memory_order_relaxed);
            if (item)
                visit(context, shard, item);
        }
    }
}
