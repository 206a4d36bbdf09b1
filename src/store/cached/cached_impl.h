/*
 * cached_impl.h - inside the decorator: its state, and what its files share.
 */
#ifndef MNEME_STORE_CACHED_IMPL_H
#define MNEME_STORE_CACHED_IMPL_H

#include "os/os.h"
#include "store/cached.h"
#include "store/store_impl.h"

struct cached {
    struct store base;
    struct store *below;
    struct cached_options options;
    struct cache *parts[CACHED_PARTS];       /* NULL: off */
    struct cache *by_kind[MNEME_KIND_COUNT]; /* one of the parts; NULL: not cached */
    /* The moment that the caches are in step with: written under `lock`, read by every read. */
    atomic_uint_fast64_t synced;
    struct lock lock;     /* one at a time takes over changes, or keeps what a list has read */
    uint64_t last_change; /* up to here changes have been taken over; lock */
    bool placed;          /* last_change is known; lock */
    struct keeper {
        struct lock lock;
        struct signal wake;
        pthread_t thread;
        bool runs, closing;
        atomic_bool idle; /* it is not there, or sleeps until woken */
    } keeper;
};

static inline struct cached *cached_of(struct store *store) {
    return (struct cached *)(void *)store;
}

/* The cache for records of a kind; NULL: they are not cached. */
static inline struct cache *cached_part_of(const struct cached *c, mneme_kind kind) {
    return (unsigned)kind < MNEME_KIND_COUNT ? c->by_kind[kind] : NULL;
}

static inline struct cache_key cached_key(mneme_kind kind, const mneme_id *id) {
    return (struct cache_key){.id = *id, .space = (uint32_t)kind};
}

/* ---- sync.c ------------------------------------------------------------------------------- */

int sync_slowly(struct cached *c);

/*
 * Get in step with the store below. False: the changes cannot be read now, and nothing that is
 * cached may be used. The load of the moment comes before any look into a cache.
 */
static inline bool cached_sync(struct cached *c) {
    uint64_t moment = atomic_load_explicit(c->base.moment, memory_order_acquire);
    return LIKELY(moment == atomic_load_explicit(&c->synced, memory_order_acquire)) ||
           sync_slowly(c) == 0;
}

/* ---- value.c: items that are stored records ------------------------------------------------- */

int value_build(void *context, const struct cache_key *key, const struct stored_record *record,
                struct cache_item **out, mneme_error *error);
const struct stored_record *value_record(const struct cache_item *item);

/* ---- list.c -------------------------------------------------------------------------------- */

/* Drop the lists that any of these records touches. */
void lists_drop(struct cached *c, const struct stored_record *changes, size_t count);

/* ---- keeper.c: the thread that tells the caches the time ------------------------------------ */

void keeper_init(struct cached *c);
void keeper_fini(struct cached *c);
/* Set the clock, before anything is kept. */
void keeper_start(struct cached *c);
/* Something was loaded: see that the keeper runs. */
void keeper_need(struct cached *c);

#endif
