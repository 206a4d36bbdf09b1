/*
 * statistics.c - what a cache counts, and the hit rates of the last minute and hour.
 */
#include "cache/cache_impl.h"

static void add_one(atomic_uint_fast64_t *counter, bool alone) {
    if (LIKELY(alone)) /* nobody else writes here: no locked instruction */
        atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                              memory_order_relaxed);
    else
        atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void count_hit(struct cache *cache, const struct pin_thread *self, bool negative) {
    bool alone = self->number < STRIPES - 1;
    struct stripe *stripe = &cache->stripes[alone ? self->number : STRIPES - 1];
    add_one(&stripe->hits, alone);
    if (UNLIKELY(negative))
        add_one(&stripe->negative_hits, alone);
}

static uint64_t hits_get(const struct cache *cache) {
    uint64_t hits = 0;
    for (size_t i = 0; i < STRIPES; i++)
        hits += atomic_load_explicit(&cache->stripes[i].hits, memory_order_relaxed);
    return hits;
}

static void add_counters(struct cache *cache, struct cache_stats *out) {
    for (size_t i = 0; i <= cache->shard_mask; i++) {
        struct shard *shard = &cache->shards[i];
        AUTO_LOCK(held, &shard->lock);
        const struct shard_counters *counters = &shard->counters;
        out->misses += counters->misses;
        out->joins += counters->joins;
        out->kept += counters->kept;
        out->not_kept += counters->not_kept;
        out->evicted_bytes_full += counters->evicted_bytes_full;
        out->evicted_entries_full += counters->evicted_entries_full;
        out->expired += counters->expired;
        for (size_t cause = 0; cause < CACHE_CAUSES; cause++)
            out->dropped[cause] += counters->dropped[cause];
        out->bytes += shard->bytes;
        out->entries += shard->entries;
        out->bytes_max += shard->bytes_max;
        out->entries_max += shard->entries_max;
    }
}

static struct sample sample_now(struct cache *cache) {
    struct cache_stats stats = {0};
    add_counters(cache, &stats);
    uint64_t hits = hits_get(cache);
    return (struct sample){hits, hits + stats.misses};
}

/* What has been counted since the sample that is `age` steps old, of the `known` there are. */
static struct sample since(const struct sample *ring, uint32_t now, uint32_t age, uint32_t known,
                           struct sample current) {
    if (known < age)
        return current; /* the cache is not that old */
    struct sample then = ring[(now - age) % SAMPLES];
    if (then.lookups > current.lookups || then.hits > current.hits)
        return (struct sample){0}; /* a tick after a gap came between counting and asking */
    return (struct sample){current.hits - then.hits, current.lookups - then.lookups};
}

void sample_take(struct cache *cache, uint32_t now) {
    struct sample current = sample_now(cache);
    AUTO_LOCK(held, &cache->sample_lock);
    if (!cache->ticked) {
        cache->seconds[now % SAMPLES] = cache->minutes[now / 60 % SAMPLES] = current;
        cache->first_tick = cache->last_tick = now;
        cache->ticked = true;
    }
    if (now <= cache->last_tick)
        return;
    /* Ticks that were left out have seen nothing else than this one has. */
    uint32_t gap = now - cache->last_tick, minute = now / 60;
    for (uint32_t i = 0; i < gap && i < SAMPLES; i++)
        cache->seconds[(now - i) % SAMPLES] = current;
    gap = minute - cache->last_tick / 60;
    for (uint32_t i = 0; i < gap && i < SAMPLES; i++)
        cache->minutes[(minute - i) % SAMPLES] = current;
    cache->last_tick = now;
}

void cache_stats_get(struct cache *cache, struct cache_stats *out) {
    *out = (struct cache_stats){0};
    add_counters(cache, out);
    out->hits = hits_get(cache);
    for (size_t i = 0; i < STRIPES; i++)
        out->negative_hits +=
            atomic_load_explicit(&cache->stripes[i].negative_hits, memory_order_relaxed);
    struct sample current = {out->hits, out->hits + out->misses};
    AUTO_LOCK(held, &cache->sample_lock);
    uint32_t now = cache->last_tick, seconds = cache->ticked ? now - cache->first_tick : 0;
    uint32_t minutes = cache->ticked ? now / 60 - cache->first_tick / 60 : 0;
    struct sample minute = since(cache->seconds, now, 60, seconds, current);
    struct sample hour = since(cache->minutes, now / 60, 60, minutes, current);
    out->minute_hits = minute.hits;
    out->minute_lookups = minute.lookups;
    out->hour_hits = hour.hits;
    out->hour_lookups = hour.lookups;
}
