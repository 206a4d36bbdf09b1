/*
 * cached.h - read caches in front of a store: records as decoded values, and lists as ids.
 *
 * What it is. A decorator. A record that was read is kept as an item (cache/cache.h), built once by
 * a function of a layer above, and handed out pinned. What a query found is kept as the list of its
 * ids.
 *
 * Coherence. The store below has a moment (store_moment), a number that every commit of every
 * process changes. A read looks at it; when it is not the one that the caches are in step with,
 * what the change log names since then is dropped first. So a read that begins after a commit was
 * acknowledged, here or in another process, sees that commit or a later one.
 *
 * What a change drops. The item of its record, when that is of an older version. With a step, its
 * episode, for the value of an episode has its steps. With an episode, its steps and checkpoints:
 * when it is completed its steps move into it and are purged, which the log does not tell of each.
 * And of the lists: those whose query the record matches now, and those in which it is. A list
 * knows one record more than it shows, so that whether there are more is part of it.
 *
 * Ownership. Items and pages are pinned for the caller; see their calls.
 * Threads. As a store; items may be released by any thread.
 * Errors. As a store's reads. What the caches themselves lack (memory, a change log that cannot be
 * read) makes a read go to the store below, and is no error.
 */
#ifndef MNEME_STORE_CACHED_H
#define MNEME_STORE_CACHED_H

#include "cache/cache.h"
#include "metrics/metrics.h"
#include "store/store.h"

/* Children are steps and checkpoints that are read by themselves. They have a cache of their own,
 * which is looked through whenever an episode is completed. */
enum cached_part {
    CACHED_EPISODES,
    CACHED_CHILDREN,
    CACHED_PATTERNS,
    CACHED_QUERIES,
    CACHED_PARTS
};

struct cached_options {
    struct cache_options parts[CACHED_PARTS]; /* bytes 0: this one is off */
    bool no_fill;                             /* keep what is read, not what is written */
    bool no_keeper;                           /* no thread: cached_tick tells the time */
    /*
     * Make the item of a live record: its key and version are those given, its size and destructor
     * the builder's. May read the store below. The record is borrowed. NULL: an item is the stored
     * record itself, and store_get and store_query are answered from the caches too; else these go
     * to the store below, for what a builder makes cannot be turned back.
     */
    int (*build)(void *context, const struct cache_key *key, const struct stored_record *record,
                 struct cache_item **out, mneme_error *error);
    void *context;
    struct meter *meter; /* NULL: none. Borrowed */
};

/*
 * Takes `below`, and closes it with itself; on failure it stays the caller's. MNEME_UNSUPPORTED:
 * the store below has no moment, and so cannot be cached.
 */
int cached_open(struct store *below, const struct cached_options *options, struct store **out,
                mneme_error *error);

/* How new an item of a record is, for cache_item_init: by the record's last change number. Its
 * version will not do, since merging, and dating back, may put another content under the same or a
 * lesser one.
 */
static inline mneme_version cached_stamp(const struct stored_record *record) {
    return (mneme_version){.clock = record->change};
}

/* A live record, pinned: give it back with cache_item_release. MNEME_NOT_FOUND as store_get_one. */
int cached_acquire(struct store *store, mneme_kind kind, const mneme_id *id,
                   struct cache_item **out, mneme_error *error);

/* A hit of the same, in a slot of this thread (cache_acquire_slot), perhaps a negative one: then
 * clear it, and say cached_not_found. NULL: use cached_acquire. */
struct pin_slot *cached_acquire_slot(struct store *store, mneme_kind kind, const mneme_id *id);
/* MNEME_NOT_FOUND, with a text. */
int cached_not_found(mneme_kind kind, const mneme_id *id, mneme_error *error);

/* What cached_list found. Start from {0}. */
struct cached_page {
    struct cache_item **items;
    size_t count;
    bool more;
    bool hit;             /* the list was there */
    struct position last; /* where the listing goes on */
};
/* One page of live records, as of one moment, but for what the builder reads by itself. */
int cached_list(struct store *store, const struct store_query *query, struct cached_page *out,
                mneme_error *error);
/* Releases the items, those that are not NULL. */
void cached_page_fini(struct cached_page *page);

/* Tell the time of the caches, in seconds; for those who have no_keeper. */
void cached_tick(struct store *store, uint32_t now);

/* All 0 for a part that is off. */
void cached_stats(struct store *store, struct cache_stats out[CACHED_PARTS]);

#endif
