/*
 * cache.c - the calls of cache.h: making a cache, finding, dropping, time.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "cache/cache_impl.h"
#include "os/log.h"

enum { SHARD_ENTRIES = 1024, SHARD_BYTES = 8 << 20, READS_MAX = 255, READS_HALF = 8 };

/* ---- Making ------------------------------------------------------------------------------- */

static unsigned choose_shards(const struct cache_options *options) {
    unsigned shards = 1;
    while (shards < CACHE_SHARDS_MAX && options->entries / (2 * shards) >= SHARD_ENTRIES &&
           options->bytes / (2 * shards) >= SHARD_BYTES)
        shards *= 2;
    return shards;
}

static int take_options(const struct cache_options *given, struct cache_options *out,
                        mneme_error *error) {
    *out = *given;
    out->ttl_base = given->ttl_base ? given->ttl_base : 300;
    out->ttl_min = given->ttl_min ? given->ttl_min : 60;
    out->ttl_max = given->ttl_max ? given->ttl_max : 3600;
    if (given->access_weight == 0 && given->recency_weight == 0) {
        out->access_weight = 0.6;
        out->recency_weight = 0.4;
    }
    out->shards = given->shards ? given->shards : choose_shards(given);
    if (given->bytes == 0 || given->entries == 0)
        return error_set(error, MNEME_INVALID, "a cache needs room for bytes and for entries");
    if (out->ttl_min > out->ttl_base || out->ttl_base > out->ttl_max || out->ttl_max > INT32_MAX)
        return error_set(error, MNEME_INVALID,
                         "a cache's times to live are %u, %u and %u seconds; they must not fall "
                         "from the least over the first to the greatest",
                         out->ttl_min, out->ttl_base, out->ttl_max);
    bool weights = given->access_weight >= 0 && given->recency_weight >= 0 &&
                   out->access_weight + out->recency_weight < 1e9;
    if (!weights)
        return error_set(error, MNEME_INVALID, "a cache's weights must be numbers from 0 on");
    bool power = (out->shards & (out->shards - 1)) == 0;
    if (!power || out->shards > CACHE_SHARDS_MAX || out->shards > given->entries)
        return error_set(error, MNEME_INVALID,
                         "a cache has %u shards; a power of two up to %d, and no more than entries",
                         out->shards, CACHE_SHARDS_MAX);
    return 0;
}

static void *align_line(void *block) { return (void *)(((uintptr_t)block + 63) & ~(uintptr_t)63); }

static int shard_init(struct shard *shard, const struct cache_options *options) {
    lock_init_short(&shard->lock, RANK_CACHE);
    signal_init(&shard->loaded);
    shard->bytes_max = options->bytes / options->shards;
    shard->entries_max = options->entries / options->shards;
    struct policy_options policy = {.bytes = shard->bytes_max, .entries = shard->entries_max};
    shard->policy = policy_create(&policy);
    return shard->policy ? table_init(&shard->table, shard->entries_max) : MNEME_NO_MEMORY;
}

static int cache_init(struct cache *cache, const struct cache_options *options,
                      mneme_error *error) {
    TRY(random_bytes(&cache->seed, sizeof cache->seed, error));
    cache->options = *options;
    cache->shard_block = mem_zalloc(options->shards + 1, sizeof(struct shard));
    cache->stripe_block = mem_zalloc(STRIPES + 1, sizeof(struct stripe));
    if (!cache->shard_block || !cache->stripe_block)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a cache");
    cache->shards = align_line(cache->shard_block);
    cache->stripes = align_line(cache->stripe_block);
    for (unsigned i = 0; i < options->shards; i++) {
        cache->shard_mask = i; /* so many are there to be taken down */
        if (shard_init(&cache->shards[i], options))
            return error_set(error, MNEME_NO_MEMORY, "no memory for a cache");
    }
    return 0;
}

int cache_create(const struct cache_options *options, struct cache **out, mneme_error *error) {
    struct cache_options taken;
    TRY(take_options(options, &taken, error));
    struct cache *cache = mem_zalloc(1, sizeof *cache);
    if (!cache)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a cache");
    lock_init(&cache->sample_lock, RANK_LEAF);
    int status = cache_init(cache, &taken, error);
    if (status) {
        cache_destroy(cache);
        return status;
    }
    LOG(DEBUG, CACHE, "cache made", LOG_WHOLE("bytes_max", taken.bytes),
        LOG_WHOLE("entries_max", taken.entries), LOG_WHOLE("shards", taken.shards));
    *out = cache;
    return 0;
}

static void drop_item(void *context, struct shard *shard, struct cache_item *item) {
    (void)context;
    shard_drop(shard, item);
}

static void shard_fini(struct shard *shard) {
    if (shard->table.buckets)
        shard_walk(shard, 0, shard->table.mask + 1, drop_item, NULL);
    pin_retire(shard->retired);
    table_fini(&shard->table);
    policy_destroy(shard->policy);
    signal_fini(&shard->loaded);
    lock_fini(&shard->lock);
}

void cache_destroy(struct cache *cache) {
    if (!cache)
        return;
    for (size_t i = 0; cache->shards && i <= cache->shard_mask; i++)
        shard_fini(&cache->shards[i]);
    mem_free(cache->shard_block);
    mem_free(cache->stripe_block);
    lock_fini(&cache->sample_lock);
    mem_free(cache);
}

void cache_item_init(struct cache_item *item, const struct cache_key *key, mneme_version version,
                     size_t size_bytes, void (*destroy)(struct cache_item *)) {
    *item = (struct cache_item){.key = *key, .version = version, .destroy = destroy};
    item->node.size = size_bytes;
    atomic_init(&item->pins, 1);
}

/* ---- Finding ------------------------------------------------------------------------------ */

/* XXH3 with a secret seed: whoever chooses ids cannot choose which of them collide. */
uint64_t cache_hash(const struct cache *cache, const struct cache_key *key) {
    return XXH3_64bits_withSeed(key->id.bytes, sizeof key->id.bytes,
                                cache->seed + key->space * UINT64_C(0x9e3779b97f4a7c15));
}

/* Leave what the policy and the time to live ask for. Stores only what changes, so that items
 * which everybody reads stay in everybody's cache. */
static ALWAYS_INLINE void item_touch(struct cache_item *item, uint32_t now) {
    policy_touch(&item->node);
    unsigned reads = atomic_load_explicit(&item->reads, memory_order_relaxed);
    if (reads < READS_MAX)
        atomic_store_explicit(&item->reads, (unsigned char)(reads + 1), memory_order_relaxed);
    if (atomic_load_explicit(&item->last_read, memory_order_relaxed) != now)
        atomic_store_explicit(&item->last_read, now, memory_order_relaxed);
}

/* Find the item of a key, and leave it in the pin; NULL: a miss, and the pin is free. */
static ALWAYS_INLINE struct cache_item *find_pinned(struct cache *cache,
                                                    const struct cache_key *key,
                                                    const struct pin_thread *self,
                                                    struct pin_slot *pin) {
    uint64_t hash = cache_hash(cache, key);
    uint32_t now = cache_now(cache);
    struct cache_item *item = table_find_pinned(&shard_of(cache, hash)->table, key, hash, pin);
    if (UNLIKELY(!item))
        return NULL;
    if (UNLIKELY(now >= atomic_load_explicit(&item->expires, memory_order_relaxed))) {
        pin_clear(pin);
        return NULL;
    }
    item_touch(item, now);
    count_hit(cache, self, item->negative);
    return item;
}

struct cache_item *cache_acquire(struct cache *cache, const struct cache_key *key) {
    struct pin_thread *self = pin_self();
    struct cache_item *item = self ? find_pinned(cache, key, self, &self->probing) : NULL;
    if (item) {
        cache_item_hold(item);
        pin_clear(&self->probing);
    }
    return item;
}

struct pin_slot *cache_acquire_slot(struct cache *cache, const struct cache_key *key) {
    struct pin_thread *self = pin_self();
    struct pin_slot *slot = self ? pin_free_slot(self) : NULL;
    return slot && find_pinned(cache, key, self, slot) ? slot : NULL;
}

/* ---- Dropping ----------------------------------------------------------------------------- */

static void note_guards(struct shard *shard, const struct cache_key *key, uint64_t hash,
                        const mneme_version *version) {
    for (struct cache_guard *guard = shard->guards; guard; guard = guard->next) {
        if (guard->hash != hash || !cache_key_equal(&guard->key, key))
            continue;
        guard->load = NULL; /* who comes from now on must not join it */
        guard->outrun |= version == NULL;
        if (version && version_compare(guard->noted, *version) < 0)
            guard->noted = *version;
    }
}

void cache_note(struct cache *cache, const struct cache_key *key, const mneme_version *version,
                enum cache_cause cause) {
    uint64_t hash = cache_hash(cache, key);
    struct shard *shard = shard_of(cache, hash);
    lock_acquire(&shard->lock);
    note_guards(shard, key, hash, version);
    struct cache_item *item = table_find(&shard->table, key, hash);
    if (item && (!version || version_compare(item->version, *version) < 0)) {
        shard->counters.dropped[cause]++;
        shard_drop(shard, item);
    }
    shard_unlock(shard);
}

struct filter {
    bool (*is_stale)(void *context, const struct cache_item *);
    void *context;
    enum cache_cause cause;
};

static void filter_visit(void *context, struct shard *shard, struct cache_item *item) {
    const struct filter *filter = context;
    if (filter->is_stale(filter->context, item)) {
        shard->counters.dropped[filter->cause]++;
        shard_drop(shard, item);
    }
}

void cache_filter(struct cache *cache, bool (*is_stale)(void *context, const struct cache_item *),
                  void *context, enum cache_cause cause) {
    struct filter filter = {is_stale, context, cause};
    for (size_t i = 0; i <= cache->shard_mask; i++) {
        struct shard *shard = &cache->shards[i];
        lock_acquire(&shard->lock);
        if (shard->entries)
            shard_walk(shard, 0, shard->table.mask + 1, filter_visit, &filter);
        shard_unlock(shard);
    }
}

void cache_outrun(struct cache *cache, uint32_t space) {
    for (size_t i = 0; i <= cache->shard_mask; i++) {
        AUTO_LOCK(held, &cache->shards[i].lock);
        for (struct cache_guard *guard = cache->shards[i].guards; guard; guard = guard->next) {
            bool mine = guard->key.space == space;
            guard->outrun |= mine;
            guard->load = mine ? NULL : guard->load;
        }
    }
}

static bool everything(void *context, const struct cache_item *item) {
    (void)context;
    (void)item;
    return true;
}

void cache_clear(struct cache *cache, enum cache_cause cause) {
    for (size_t i = 0; i <= cache->shard_mask; i++) {
        AUTO_LOCK(held, &cache->shards[i].lock);
        for (struct cache_guard *guard = cache->shards[i].guards; guard; guard = guard->next) {
            guard->outrun = true;
            guard->load = NULL;
        }
    }
    cache_filter(cache, everything, NULL, cause);
    LOG(DEBUG, CACHE, "cache emptied", LOG_BOOL("flood", cause == CACHE_FLOODED));
}

/* ---- Time --------------------------------------------------------------------------------- */

uint32_t cache_ttl(const struct cache_options *options, unsigned reads, uint32_t idle) {
    double access = reads / (double)(reads + READS_HALF);
    double recency = idle < options->ttl_base ? 1 - idle / (double)options->ttl_base : 0;
    double score = (options->access_weight * access + options->recency_weight * recency) /
                   (options->access_weight + options->recency_weight);
    double low = options->ttl_min, base = options->ttl_base, high = options->ttl_max;
    double ttl =
        score <= 0.5 ? low + (base - low) * 2 * score : base + (high - base) * (2 * score - 1);
    return (uint32_t)(ttl + 0.5);
}

static void sweep_visit(void *context, struct shard *shard, struct cache_item *item) {
    const struct cache *cache = context;
    uint32_t now = cache_now(cache);
    if (!item->negative && !item_is_expired(cache, item)) { /* what has expired stays so */
        uint32_t idle = now - atomic_load_explicit(&item->last_read, memory_order_relaxed);
        unsigned reads = atomic_load_explicit(&item->reads, memory_order_relaxed);
        atomic_store_explicit(&item->expires,
                              item->loaded + cache_ttl(&cache->options, reads, idle),
                              memory_order_relaxed);
    }
    if (item_is_expired(cache, item)) {
        shard->counters.expired++;
        shard_drop(shard, item);
    }
}

/* The lock is held for a few buckets at a time. */
static void shard_sweep(struct cache *cache, struct shard *shard, uint32_t ticks) {
    enum { SLICE = 64 };
    size_t all = shard->table.mask + 1;
    size_t share = (all + CACHE_SWEEP_TICKS - 1) / CACHE_SWEEP_TICKS;
    size_t left = ticks >= CACHE_SWEEP_TICKS ? all : share * ticks;
    while (left) {
        size_t now = size_min(left, SLICE);
        lock_acquire(&shard->lock);
        shard_walk(shard, shard->swept, now, sweep_visit, cache);
        shard->swept = (shard->swept + now) & shard->table.mask;
        shard_unlock(shard);
        left -= now;
    }
}

void cache_tick(struct cache *cache, uint32_t now) {
    uint32_t before = cache_now(cache);
    if (now < before)
        return; /* the clock never goes back: what has expired stays so */
    atomic_store_explicit(&cache->now, now, memory_order_relaxed);
    sample_take(cache, now);
    for (size_t i = 0; i <= cache->shard_mask; i++)
        shard_sweep(cache, &cache->shards[i], now - before ? now - before : 1);
    pin_retire(NULL);
    LOG(TRACE, CACHE, "cache swept", LOG_WHOLE_IF("seconds", before ? now - before : 0));
}
