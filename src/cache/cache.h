/*
 * cache.h - a concurrent cache of immutable values, for its callers.
 *
 * What it is. A map from keys to items, bounded in bytes and in entries. A hit takes no lock and
 * copies nothing: it hands out the item itself, pinned. What a value is, the cache does not know:
 * the caller's struct begins with a cache_item, and brings its destructor.
 *
 * Model. An item's life:
 *  1. made:     by the caller, who holds its one pin (cache_item_init). Now key, version and value
 *               may be written; never later.
 *  2. kept:     it is in the table, which holds a pin of its own. Any thread may acquire it.
 *  3. unlinked: evicted, expired, invalidated or replaced. Nobody finds it; who holds it goes on.
 *  4. freed:    with the last pin, by its destructor, on whatever thread that is.
 * An item may go from 1 to 4 directly: that is a load that was not kept.
 *
 * Versions. A key's items have versions, and cache_note tells which one is the latest. An older one
 * leaves; and a load or a write that is under way for the key meanwhile will not be kept when what
 * it brings is older (see cache_load below for the race that this closes).
 *
 * Ownership. Who acquires releases, once. Items outlive the cache when they are still held.
 * Threads. Every call but create, destroy and tick may be made by any thread at any time; tick by
 * one thread at a time. No call of the cache is made under a lock of the caller's ranked above
 * RANK_CACHE, and loaders and destructors are called without any lock of the cache.
 * Errors. An allocation that fails is a miss, not an error: the value is then loaded for one caller
 * and not kept. Only cache_create can fail.
 * Limits. An item larger than a shard's share of the bytes is not kept; see cache_options.shards.
 */
#ifndef MNEME_CACHE_CACHE_H
#define MNEME_CACHE_CACHE_H

#include "base/base.h"
#include "cache/pin.h"
#include "cache/policy.h"

struct cache;

struct cache_key {
    mneme_id id;
    uint32_t space; /* keys of different spaces are different; a record's kind */
};

/* What readers come to is at the end, so that it shares cache lines with the value behind it. */
struct cache_item {
    void (*destroy)(struct cache_item *item);
    mneme_version version;
    mneme_id group;          /* the caller's own, for cache_filter */
    uint32_t loaded;         /* tick at which it was kept */
    atomic_uint pins;        /* of its holders; the table is one */
    struct policy_node node; /* node.size: all that the item costs, in bytes; see cache_item_init */
    atomic_uint expires;     /* tick from which on it is not handed out */
    atomic_uint last_read;   /* tick */
    atomic_uchar reads;      /* to 255; for its time to live */
    bool negative;           /* says that there is no record of this key; has no value */
    struct cache_key key;
};

/* `size_bytes`: what the item and all that it points to take from the heap. */
void cache_item_init(struct cache_item *item, const struct cache_key *key, mneme_version version,
                     size_t size_bytes, void (*destroy)(struct cache_item *));

static inline struct cache_item *cache_item_of(struct policy_node *node) {
    return (struct cache_item *)(void *)((uint8_t *)node - offsetof(struct cache_item, node));
}

static inline void cache_item_hold(struct cache_item *item) {
    atomic_fetch_add_explicit(&item->pins, 1, memory_order_relaxed);
}
/* NULL is allowed. */
static inline void cache_item_release(struct cache_item *item) {
    /* Release and acquire: whoever frees it comes after everybody's reads. */
    if (item && atomic_fetch_sub_explicit(&item->pins, 1, memory_order_acq_rel) == 1)
        item->destroy(item);
}

/* ---- Making ------------------------------------------------------------------------------ */

struct cache_options {
    size_t bytes;   /* of all items together; required */
    size_t entries; /* required */
    /* Times to live, in ticks (seconds): 0: 300, 60 and 3,600. See cache_ttl. */
    uint32_t ttl_base, ttl_min, ttl_max;
    double access_weight, recency_weight; /* both 0: 0.6 and 0.4 */
    /* How many parts have a lock and a policy of their own, a power of two up to 16; bytes and
     * entries are divided among them. 0: as many as leave each 1,024 entries and 8 MiB. */
    unsigned shards;
};

/* MNEME_NO_MEMORY; MNEME_INVALID names the option. */
int cache_create(const struct cache_options *options, struct cache **out, mneme_error *error);
/* No other thread uses it any more. NULL is allowed. */
void cache_destroy(struct cache *cache);

/*
 * The time to live that an item has earned, in ticks since it was kept:
 *
 *     access  = reads / (reads + 8)                       0 … 1: half at 8 reads
 *     recency = max(0, 1 - idle / ttl_base)               0 … 1: idle ticks since the last read
 *     score   = (access_weight x access + recency_weight x recency) / (both weights)
 *     ttl     = ttl_min  + (ttl_base - ttl_min) x 2 score          for a score up to 1/2
 *               ttl_base + (ttl_max - ttl_base) x (2 score - 1)    above
 *
 * An item begins with ttl_base, a negative one has ttl_min and keeps it. The others are reckoned
 * again whenever a sweep comes by (cache_tick).
 */
uint32_t cache_ttl(const struct cache_options *options, unsigned reads, uint32_t idle);

/* ---- Reading ----------------------------------------------------------------------------- */

/* A hit: the item, pinned, perhaps a negative one. NULL: a miss, which is not counted. */
struct cache_item *cache_acquire(struct cache *cache, const struct cache_key *key);

/*
 * The same hit, pinned by a slot of this thread (pin.h), with the item in slot->item: half the
 * time, and no store that other readers see. Give it back with pin_clear, on any thread. NULL also
 * when the thread has no slot free. What is unlinked meanwhile is not freed at once when it is
 * given back, but with the next eviction or tick of any cache.
 */
struct pin_slot *cache_acquire_slot(struct cache *cache, const struct cache_key *key);

/*
 * Makes the item of a key: *out with its one pin. MNEME_NOT_FOUND: there is no such record (the
 * cache remembers that). Called without a lock.
 */
struct cache_loader {
    int (*load)(void *context, const struct cache_key *key, struct cache_item **out,
                mneme_error *error);
    void *context;
};

/*
 * A hit, or else a load: one for all threads that miss the key at the same time; the others wait
 * and share what comes, errors too. *out is pinned. MNEME_NOT_FOUND for a negative item, too.
 *
 * The race. A load reads the store while others write it:
 *   1. A misses, and its load reads version 1 of the record.
 *   2. B writes version 2, and B's process notes it (cache_note): there is nothing to drop yet.
 *   3. A's load ends, and would keep version 1, which nobody will ever drop again.
 * So a load is known to the cache from before it reads. cache_note leaves the version with it, and
 * detaches it: who misses later begins a load of his own. At its end it is kept only if what it
 * brings is as new as what was noted. Those who wait for it asked before the note, and may have it.
 */
int cache_get(struct cache *cache, const struct cache_key *key, const struct cache_loader *loader,
              struct cache_item **out, mneme_error *error);

/* Count a look-up that missed, of somebody who found out with cache_acquire. */
void cache_missed(struct cache *cache);

/* ---- Writing ------------------------------------------------------------------------------ */

/*
 * The same guard for a write: begun before the store is asked, ended after what was committed has
 * been noted. It is the caller's memory, zeroed, and stays in its place until its end.
 */
struct cache_guard {
    struct cache_key key;
    uint64_t hash;
    mneme_version noted;     /* the latest version that was noted meanwhile */
    bool outrun;             /* something was noted that no version is new enough for */
    struct cache_load *load; /* of a load that others may join; else NULL */
    struct cache_guard *next;
};
void cache_guard_begin(struct cache *cache, const struct cache_key *key, struct cache_guard *guard);
/* Keep `item` if nothing newer was noted; takes its pin in any case. NULL: only end the guard. */
void cache_guard_end(struct cache *cache, struct cache_guard *guard, struct cache_item *item);

/* Keep an item that the caller knows to be the latest; takes its pin. */
void cache_keep(struct cache *cache, struct cache_item *item);

/* Why an item was dropped, for the statistics. */
enum cache_cause {
    CACHE_CHANGED,  /* its record has a later version, or what it was made from has changed */
    CACHE_FLOODED,  /* too much changed at once to look at it one by one */
    CACHE_REPLACED, /* a newer item took its place */
    CACHE_CAUSES
};

/* The latest version of a key is this one. Version NULL: whatever was made so far is out of date.
 */
void cache_note(struct cache *cache, const struct cache_key *key, const mneme_version *version,
                enum cache_cause cause);
/* Drop everything, and let no load that is under way be kept. */
void cache_clear(struct cache *cache, enum cache_cause cause);
/* Let no load or write of a key of this space that is under way be kept. */
void cache_outrun(struct cache *cache, uint32_t space);
/* Show every item to `is_stale`, and drop those for which it answers true. It is called under a
 * shard's lock: no calls of the cache, and no time to waste. */
void cache_filter(struct cache *cache, bool (*is_stale)(void *context, const struct cache_item *),
                  void *context, enum cache_cause cause);

/* ---- Time and statistics ------------------------------------------------------------------ */

enum { CACHE_SWEEP_TICKS = 10 }; /* after as many ticks every item has been looked at once */

/*
 * Tell the time, in seconds since whenever, never less than before: items expire by it. Each call
 * also looks through a part of the items and drops those that have expired, so that memory comes
 * back without reads; and it takes a sample for the hit rates. To be called about once a second.
 */
void cache_tick(struct cache *cache, uint32_t now);

struct cache_stats {
    uint64_t hits, misses;  /* of cache_acquire hits, and of cache_get */
    uint64_t negative_hits; /* among the hits */
    uint64_t joins;         /* among the misses: waited for another's load */
    uint64_t kept;          /* items that went into the table */
    uint64_t not_kept;      /* loaded, and outrun by a write, or too large */
    uint64_t evicted_bytes_full, evicted_entries_full; /* by the limit that was passed */
    uint64_t expired;
    uint64_t dropped[CACHE_CAUSES];
    uint64_t bytes, entries;                                       /* now */
    uint64_t bytes_max, entries_max;                               /* the limits */
    uint64_t minute_hits, minute_lookups, hour_hits, hour_lookups; /* of the last minute, hour */
};
void cache_stats_get(struct cache *cache, struct cache_stats *out);

#endif
