/*
 * sync.c - getting in step: what the change log names is dropped from the caches.
 *
 * The order of things, for a reader R and a writer W of any process:
 *   1. W's commit changes the moment, and only then is acknowledged.
 *   2. R loads the moment, and finds another than `synced`.
 *   3. R takes the lock, loads the moment again (M), and reads the change log from where it was
 * read last. It finds W's change there, for a read that begins after the moment has changed sees
 * it.
 *   4. R drops what is touched, and only then sets `synced` to M. A commit that comes between makes
 *      the moment another one than M: the next reader comes here again.
 * Readers that come meanwhile wait at 3 for the lock, and then find that they are in step.
 */
#include "os/log.h"
#include "store/cached/cached_impl.h"

/* More changes than these at once are not worth a look at each. */
enum { PAGE = 256, FLOOD = 1024 };

/* An episode's steps and checkpoints, which may have been purged with it. */
static bool is_child(void *context, const struct cache_item *item) {
    const mneme_id *episode = context;
    return id_equal(&item->group, episode);
}

static void drop_children(struct cached *c, const struct stored_record *episode) {
    struct cache *cache = c->parts[CACHED_CHILDREN];
    if (!cache)
        return;
    mneme_id id = episode->id;
    cache_outrun(cache, MNEME_STEP);
    cache_outrun(cache, MNEME_CHECKPOINT);
    cache_filter(cache, is_child, &id, CACHE_CHANGED);
}

static void drop_record(struct cached *c, const struct stored_record *change) {
    struct cache *cache = cached_part_of(c, change->kind);
    struct cache_key key = cached_key(change->kind, &change->id);
    mneme_version stamp = cached_stamp(change);
    if (cache)
        cache_note(cache, &key, &stamp, CACHE_CHANGED);
    if (change->kind == MNEME_STEP && c->parts[CACHED_EPISODES]) {
        key = cached_key(MNEME_EPISODE, &change->parent);
        cache_note(c->parts[CACHED_EPISODES], &key, NULL, CACHE_CHANGED);
    }
    /* An open one too: it may have been completed, and opened again by a put, since we looked. */
    if (change->kind == MNEME_EPISODE)
        drop_children(c, change);
}

/* Begin anew behind the last change: drop everything, and let nothing under way be kept. */
static void drop_everything(struct cached *c, uint64_t last_change) {
    for (size_t i = 0; i < CACHED_PARTS; i++)
        if (c->parts[i])
            cache_clear(c->parts[i], CACHE_FLOODED);
    c->last_change = last_change; /* all up to it were there before the clearing */
}

/* *flood is false when what is left to take over is no flood. */
static int drop_if_flooded(struct cached *c, bool *flood, mneme_error *error) {
    struct store_stats stats;
    TRY(store_stats(c->below, &stats, error));
    *flood = stats.changes - c->last_change > FLOOD;
    if (!*flood)
        return 0;
    LOG(INFO, STORE, "caches emptied, for much was changed elsewhere",
        LOG_WHOLE("changes", stats.changes - c->last_change));
    drop_everything(c, stats.changes);
    return 0;
}

static int take_page(struct cached *c, size_t *count, mneme_error *error) {
    AUTO_RECORDS struct record_set changes = {.arena.first_size = 4096};
    TRY(store_changes(c->below, c->last_change, PAGE, true, &changes, error));
    for (size_t i = 0; i < changes.count; i++)
        drop_record(c, &changes.records[i]);
    if (changes.count) {
        lists_drop(c, changes.records, changes.count);
        c->last_change = changes.records[changes.count - 1].change;
    }
    LOG(TRACE, STORE, "changes reached the caches", LOG_WHOLE("changes", changes.count),
        LOG_WHOLE("last_change", c->last_change));
    *count = changes.count;
    return 0;
}

/* The first time nothing is cached: what is in the log so far need not be looked at. Yet a write
 * may be under way, with a guard that was told nothing. */
static int take_place(struct cached *c, mneme_error *error) {
    struct store_stats stats;
    TRY(store_stats(c->below, &stats, error));
    drop_everything(c, stats.changes);
    c->placed = true;
    return 0;
}

static int take_changes(struct cached *c, mneme_error *error) {
    size_t count = 0;
    bool flood = false;
    if (!c->placed)
        return take_place(c, error);
    TRY(take_page(c, &count, error));
    while (count == PAGE && !flood) {
        TRY(drop_if_flooded(c, &flood, error));
        if (!flood)
            TRY(take_page(c, &count, error));
    }
    return 0;
}

int sync_slowly(struct cached *c) {
    AUTO_LOCK(held, &c->lock);
    uint64_t moment = atomic_load_explicit(c->base.moment, memory_order_acquire);
    uint64_t synced = atomic_load_explicit(&c->synced, memory_order_relaxed);
    if (moment == synced)
        return 0;
    if ((moment ^ synced) >> 48) /* another log: see store_moment */
        c->placed = false;
    TRY(take_changes(c, NULL));
    atomic_store_explicit(&c->synced, moment, memory_order_release);
    return 0;
}
