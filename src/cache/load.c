/*
 * load.c - one load for all who miss a key at once, and the guards of loads and writes.
 */
#include "cache/cache_impl.h"

/* Of one load. Freed by the last of those who share it. */
struct cache_load {
    struct cache_guard guard;
    unsigned sharers; /* the loader, and who waits for him */
    bool ended;
    int status;
    mneme_error error;
    struct cache_item *item; /* holds a pin for each who waits */
};

/* ---- Guards, under the shard's lock -------------------------------------------------------- */

static void guard_add(struct shard *shard, const struct cache_key *key, uint64_t hash,
                      struct cache_load *load, struct cache_guard *guard) {
    *guard = (struct cache_guard){.key = *key, .hash = hash, .load = load, .next = shard->guards};
    shard->guards = guard;
}

static void guard_remove(struct shard *shard, const struct cache_guard *guard) {
    struct cache_guard **at = &shard->guards;
    while (*at != guard)
        at = &(*at)->next;
    *at = guard->next;
}

/* The line that closes the race told in cache.h. */
static void guard_keep(struct cache *cache, struct shard *shard, const struct cache_guard *guard,
                       struct cache_item *item) {
    if (guard->outrun || version_compare(item->version, guard->noted) < 0)
        shard->counters.not_kept++;
    else
        shard_keep(cache, shard, item);
}

void cache_guard_begin(struct cache *cache, const struct cache_key *key,
                       struct cache_guard *guard) {
    uint64_t hash = cache_hash(cache, key);
    struct shard *shard = shard_of(cache, hash);
    AUTO_LOCK(held, &shard->lock);
    guard_add(shard, key, hash, NULL, guard);
}

void cache_guard_end(struct cache *cache, struct cache_guard *guard, struct cache_item *item) {
    struct shard *shard = shard_of(cache, guard->hash);
    lock_acquire(&shard->lock);
    guard_remove(shard, guard);
    if (item) {
        item->node.hash = guard->hash;
        guard_keep(cache, shard, guard, item);
    }
    shard_unlock(shard);
    cache_item_release(item);
}

void cache_keep(struct cache *cache, struct cache_item *item) {
    item->node.hash = cache_hash(cache, &item->key);
    struct shard *shard = shard_of(cache, item->node.hash);
    lock_acquire(&shard->lock);
    shard_keep(cache, shard, item);
    shard_unlock(shard);
    cache_item_release(item);
}

void cache_missed(struct cache *cache) {
    AUTO_LOCK(held, &cache->shards[0].lock);
    cache->shards[0].counters.misses++;
}

/* ---- Loads -------------------------------------------------------------------------------- */

/* Hand an item out, or say what a negative one says; takes its pin. */
static int item_give(struct cache_item *item, struct cache_item **out, mneme_error *error) {
    if (item->negative) {
        cache_item_release(item);
        return error_set(error, MNEME_NOT_FOUND, "there is no such record");
    }
    *out = item;
    return 0;
}

static void negative_destroy(struct cache_item *item) { mem_free(item); }

/* What remembers that there is no record; NULL: no memory, and nothing is remembered. */
static struct cache_item *negative_make(const struct cache_key *key) {
    struct cache_item *item = mem_alloc(sizeof *item);
    if (item) {
        cache_item_init(item, key, (mneme_version){0}, sizeof *item, negative_destroy);
        item->negative = true;
    }
    return item;
}

/* Wait for another's load, with the lock held, which is released. */
static int load_join(struct shard *shard, struct cache_load *load, struct cache_item **out,
                     mneme_error *error) {
    shard->counters.joins++;
    load->sharers++;
    while (!load->ended)
        (void)signal_wait(&shard->loaded, &shard->lock, -1);
    int status = load->status;
    struct cache_item *item = load->item;
    if (status && error)
        *error = load->error;
    bool last = --load->sharers == 0;
    lock_release(&shard->lock);
    if (last)
        mem_free(load);
    if (status == 0)
        *out = item;
    return status;
}

/* Keep what was loaded, hand it to those who wait. */
static void load_end(struct cache *cache, struct shard *shard, struct cache_load *load, int status,
                     const mneme_error *error, struct cache_item *item) {
    lock_acquire(&shard->lock);
    guard_remove(shard, &load->guard);
    if (item) {
        item->node.hash = load->guard.hash;
        guard_keep(cache, shard, &load->guard, item);
    }
    load->ended = true;
    load->status = status;
    load->error = *error;
    bool last = --load->sharers == 0;
    if (status == 0) {
        load->item = item;
        for (unsigned i = 0; i < load->sharers; i++)
            cache_item_hold(item);
    }
    if (!last)
        signal_all(&shard->loaded);
    shard_unlock(shard);
    if (last)
        mem_free(load);
}

static int load_alone(const struct cache_key *key, const struct cache_loader *loader,
                      struct cache_item **out, mneme_error *error) {
    return loader->load(loader->context, key, out, error);
}

static struct cache_load *load_find(const struct shard *shard, const struct cache_key *key,
                                    uint64_t hash) {
    for (struct cache_guard *guard = shard->guards; guard; guard = guard->next)
        if (guard->load && guard->hash == hash && cache_key_equal(&guard->key, key))
            return guard->load;
    return NULL;
}

static int load_lead(struct cache *cache, struct shard *shard, struct cache_load *load,
                     const struct cache_loader *loader, struct cache_item **out,
                     mneme_error *error) {
    struct cache_item *item = NULL;
    struct cache_key key = load->guard.key;
    mneme_error failure = {0};
    int status = loader->load(loader->context, &key, &item, &failure);
    if (status == MNEME_NOT_FOUND) {
        struct cache_item *negative = negative_make(&key);
        load_end(cache, shard, load, status, &failure, negative);
        cache_item_release(negative);
    } else {
        load_end(cache, shard, load, status, &failure, status == 0 ? item : NULL);
    }
    if (status && error)
        *error = failure;
    if (status == 0)
        *out = item;
    return status;
}

int cache_get(struct cache *cache, const struct cache_key *key, const struct cache_loader *loader,
              struct cache_item **out, mneme_error *error) {
    struct cache_item *item = cache_acquire(cache, key);
    struct cache_load *fresh = item ? NULL : mem_zalloc(1, sizeof *fresh);
    if (!item) {
        uint64_t hash = cache_hash(cache, key);
        struct shard *shard = shard_of(cache, hash);
        lock_acquire(&shard->lock);
        shard->counters.misses++;
        item = shard_find(cache, shard, key, hash); /* kept since we looked? */
        struct cache_load *other = item ? NULL : load_find(shard, key, hash);
        if (other) {
            mem_free(fresh);
            return load_join(shard, other, out, error);
        }
        if (!item && fresh) {
            fresh->sharers = 1;
            guard_add(shard, key, hash, fresh, &fresh->guard);
            shard_unlock(shard);
            return load_lead(cache, shard, fresh, loader, out, error);
        }
        if (item)
            cache_item_hold(item);
        shard_unlock(shard);
        mem_free(fresh);
        if (!item)
            return load_alone(key, loader, out, error);
    }
    return item_give(item, out, error);
}
