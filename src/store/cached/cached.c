/*
 * cached.c - the decorator's table of operations: reading one record, writing, opening.
 */
#include "store/cached/cached_impl.h"

enum { FILL_MAX = 64 }; /* a write of more records than this is an import, and fills no cache */

/* ---- Reading one record --------------------------------------------------------------------- */

static int load_below(struct cached *c, const struct cache_key *key, struct cache_item **out,
                      mneme_error *error) {
    AUTO_RECORDS struct record_set set = {.arena.first_size = 8192};
    TRY(store_get_one(c->below, (mneme_kind)key->space, &key->id, &set, error));
    TRY(c->options.build(c->options.context, key, &set.records[0], out, error));
    (*out)->group = set.records[0].parent;
    return 0;
}

/*
 * A load: from the store below, for the cache to keep. The lock is not held. Stores list tombstones
 * among what they have; a builder knows of live records only.
 */
static int load(void *context, const struct cache_key *key, struct cache_item **out,
                mneme_error *error) {
    struct cached *c = context;
    uint64_t begun = meter_begin(c->options.meter);
    int status = load_below(c, key, out, error);
    (void)meter_end(c->options.meter, METER_CACHE_LOAD, begun, status);
    return status;
}

/* The words that the store below has for a record that is not there. */
int cached_not_found(mneme_kind kind, const mneme_id *id, mneme_error *error) {
    struct mutation wanted = {
        .op = MUTATION_CHECK, .condition = CONDITION_LIVE, .record = {.kind = kind, .id = *id}};
    return condition_test(&wanted, NULL, error);
}

int cached_acquire(struct store *store, mneme_kind kind, const mneme_id *id,
                   struct cache_item **out, mneme_error *error) {
    struct cached *c = cached_of(store);
    struct cache_key key = cached_key(kind, id);
    struct cache *cache = cached_part_of(c, kind);
    if (UNLIKELY(!cache || !cached_sync(c)))
        return load(c, &key, out, error);
    struct cache_item *item = cache_acquire(cache, &key);
    if (LIKELY(item && !item->negative)) {
        *out = item;
        return 0;
    }
    cache_item_release(item);
    if (item)
        return cached_not_found(kind, id, error);
    struct cache_loader loader = {load, c};
    int status = cache_get(cache, &key, &loader, out, error);
    keeper_need(c);
    return status == MNEME_NOT_FOUND ? cached_not_found(kind, id, error) : status;
}

struct pin_slot *cached_acquire_slot(struct store *store, mneme_kind kind, const mneme_id *id) {
    struct cached *c = cached_of(store);
    struct cache_key key = cached_key(kind, id);
    struct cache *cache = cached_part_of(c, kind);
    if (UNLIKELY(!cache || !cached_sync(c)))
        return NULL;
    return cache_acquire_slot(cache, &key);
}

/* ---- As a store ------------------------------------------------------------------------------ */

static bool serves_records(const struct cached *c) { return c->options.build == value_build; }

/* All of some records from the caches, as of one moment. False: read them below. */
static bool get_cached(struct cached *c, const struct record_name *names, size_t count,
                       struct record_set *out, size_t *found) {
    if (!cached_sync(c))
        return false;
    uint64_t moment = atomic_load_explicit(&c->synced, memory_order_acquire);
    bool good = true;
    for (size_t i = 0; i < count && good; i++) {
        struct cache_item *item = NULL;
        good = cached_acquire(&c->base, names[i].kind, &names[i].id, &item, NULL) == 0;
        found[i] = out->count;
        good = good && record_set_copy(out, value_record(item), false) == 0;
        cache_item_release(item);
    }
    return good && atomic_load(c->base.moment) == moment;
}

static int cached_get(struct store *store, const struct record_name *names, size_t count,
                      struct record_set *out, size_t *found, mneme_error *error) {
    struct cached *c = cached_of(store);
    size_t before = out->count;
    if (serves_records(c) && get_cached(c, names, count, out, found))
        return 0;
    /* Also when one is not there: a tombstone of it may be. */
    out->count = before;
    return store_get(c->below, names, count, out, found, error);
}

static int cached_query(struct store *store, const struct store_query *query,
                        struct record_set *out, bool *more, mneme_error *error) {
    struct cached *c = cached_of(store);
    if (!serves_records(c) || query->dead)
        return store_query(c->below, query, out, more, error);
    CLEANUP(cached_page_fini) struct cached_page page = {0};
    TRY(cached_list(store, query, &page, error));
    for (size_t i = 0; i < page.count; i++)
        if (record_set_copy(out, value_record(page.items[i]), query->without_bodies))
            return error_set(error, MNEME_NO_MEMORY, "no memory to read records");
    *more = page.more;
    return 0;
}

static int cached_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                          struct record_set *out, mneme_error *error) {
    return store_changes(cached_of(store)->below, since, limit, without_bodies, out, error);
}

static int cached_store_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    return store_stats(cached_of(store)->below, out, error);
}

static int cached_backup(struct store *store, const char *path, mneme_error *error) {
    return store_backup(cached_of(store)->below, path, error);
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* A record that is being written, and will be kept. */
struct fill {
    const struct batch *batch;
    struct mutation *mutation;
    struct cache_guard guard;
};

/* Open episodes change with each step, and single steps are rarely read: not those. */
static bool fills(const struct cached *c, const struct mutation *mutation) {
    mneme_kind kind = mutation->record.kind;
    bool lasting = kind != MNEME_EPISODE || mutation->record.flags & MNEME_FLAG_SEALED;
    return mutation->op == MUTATION_PUT && lasting && kind != MNEME_STEP &&
           kind != MNEME_CHECKPOINT && cached_part_of(c, kind);
}

static size_t fill_count(const struct cached *c, struct batch *const *batches, size_t count) {
    size_t fill = 0;
    for (size_t i = 0; i < count && fill <= FILL_MAX; i++)
        for (size_t j = 0; j < batches[i]->count && fill <= FILL_MAX; j++)
            fill += fills(c, &batches[i]->mutations[j]);
    return fill <= FILL_MAX ? fill : 0;
}

static void fill_begin(struct cached *c, struct batch *const *batches, size_t count,
                       struct fill *list) {
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < batches[i]->count; j++) {
            struct mutation *mutation = &batches[i]->mutations[j];
            if (!fills(c, mutation))
                continue;
            struct cache_key key = cached_key(mutation->record.kind, &mutation->record.id);
            *list = (struct fill){.batch = batches[i], .mutation = mutation};
            cache_guard_begin(cached_part_of(c, mutation->record.kind), &key, &list->guard);
            list++;
        }
    }
}

/* What was written is now in the change log. Taking it over leaves its version with the guard, and
 * that of a later write too, which then goes before ours (cache_guard_end). */
static void fill_end(struct cached *c, struct fill *list, size_t count) {
    bool in_step = cached_sync(c);
    for (size_t i = 0; i < count; i++) {
        const struct stored_record *record = &list[i].mutation->record;
        struct cache_item *item = NULL;
        if (in_step && list[i].batch->status == 0 && list[i].mutation->applied)
            (void)c->options.build(c->options.context, &list[i].guard.key, record, &item, NULL);
        if (item)
            item->group = record->parent;
        cache_guard_end(cached_part_of(c, record->kind), &list[i].guard, item);
    }
    keeper_need(c);
}

/* What is purged leaves no change. Where its content goes does (store.h); this is for the record
 * itself, and for the lists it is in. */
static void drop_purged(struct cached *c, const struct batch *batch) {
    size_t count = 0;
    for (size_t i = 0; i < batch->count; i++)
        count += batch->mutations[i].op == MUTATION_PURGE;
    AUTO_FREE struct stored_record *gone = count ? mem_zalloc(count, sizeof *gone) : NULL;
    count = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct stored_record *record = &batch->mutations[i].record;
        struct cache *cache = cached_part_of(c, record->kind);
        struct cache_key key = cached_key(record->kind, &record->id);
        if (batch->mutations[i].op != MUTATION_PURGE)
            continue;
        if (cache)
            cache_note(cache, &key, NULL, CACHE_CHANGED);
        if (gone)
            gone[count++] = (struct stored_record){
                .kind = record->kind, .id = record->id, .flags = MNEME_FLAG_DELETED};
        else if (c->parts[CACHED_QUERIES])
            cache_clear(c->parts[CACHED_QUERIES], CACHE_FLOODED); /* no memory for the list */
    }
    if (count)
        lists_drop(c, gone, count);
}

static int apply_and_fill(struct cached *c, struct batch *const *batches, size_t count) {
    size_t fill = c->options.no_fill ? 0 : fill_count(c, batches, count);
    AUTO_FREE struct fill *list = fill ? mem_zalloc(fill, sizeof *list) : NULL;
    if (!list)
        return store_apply(c->below, batches, count);
    fill_begin(c, batches, count, list);
    int status = store_apply(c->below, batches, count);
    fill_end(c, list, fill);
    return status;
}

static int cached_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct cached *c = cached_of(store);
    int status = apply_and_fill(c, batches, count);
    for (size_t i = 0; i < count; i++)
        if (batches[i]->status == 0)
            drop_purged(c, batches[i]);
    return status;
}

/* ---- Opening and closing -------------------------------------------------------------------- */

void cached_stats(struct store *store, struct cache_stats out[CACHED_PARTS]) {
    struct cached *c = cached_of(store);
    for (size_t i = 0; i < CACHED_PARTS; i++) {
        out[i] = (struct cache_stats){0};
        if (c->parts[i])
            cache_stats_get(c->parts[i], &out[i]);
    }
}

static void cached_destroy(struct cached *c) {
    keeper_fini(c);
    for (size_t i = 0; i < CACHED_PARTS; i++)
        cache_destroy(c->parts[i]);
    lock_fini(&c->lock);
    mem_free(c);
}

static void cached_close(struct store *store) {
    struct cached *c = cached_of(store);
    store_close(c->below);
    cached_destroy(c);
}

static struct store *cached_below(struct store *store) { return cached_of(store)->below; }

static const struct store_operations cached_operations = {
    .name = "cached",
    .apply = cached_apply,
    .get = cached_get,
    .query = cached_query,
    .changes = cached_changes,
    .stats = cached_store_stats,
    .backup = cached_backup,
    .close = cached_close,
    .below = cached_below,
};

static const enum cached_part part_of_kind[MNEME_KIND_COUNT] = {
    [MNEME_EPISODE] = CACHED_EPISODES,    [MNEME_STEP] = CACHED_CHILDREN,
    [MNEME_CHECKPOINT] = CACHED_CHILDREN, [MNEME_PATTERN] = CACHED_PATTERNS,
    [MNEME_HEURISTIC] = CACHED_PATTERNS,  [MNEME_RELATION] = CACHED_PATTERNS,
    [MNEME_EMBEDDING] = CACHED_PATTERNS,  [MNEME_SUPERSEDED] = CACHED_PATTERNS,
};

/* Out of step: the first read takes its place in the change log. A store whose statistics cannot be
 * read is opened all the same, and read without caches. */
static int start(struct cached *c, mneme_error *error) {
    atomic_init(&c->synced, atomic_load(c->base.moment) - 1);
    for (size_t i = 0; i < CACHED_PARTS; i++)
        if (c->options.parts[i].bytes)
            TRY(cache_create(&c->options.parts[i], &c->parts[i], error));
    for (size_t kind = 0; kind < MNEME_KIND_COUNT; kind++)
        c->by_kind[kind] = c->parts[part_of_kind[kind]];
    c->by_kind[MNEME_KIND_NONE] = c->by_kind[MNEME_DICTIONARY] = NULL;
    keeper_start(c);
    return 0;
}

int cached_open(struct store *below, const struct cached_options *options, struct store **out,
                mneme_error *error) {
    if (!store_moment(below))
        return error_set(error, MNEME_UNSUPPORTED,
                         "the %s store cannot tell when it changes, and so cannot be cached",
                         below->operations->name);
    struct cached *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the caches");
    c->base = (struct store){&cached_operations, store_moment(below)};
    c->below = below;
    c->options = *options;
    if (!c->options.build)
        c->options.build = value_build;
    lock_init(&c->lock, RANK_CACHED);
    keeper_init(c);
    int status = start(c, error);
    if (status) {
        cached_destroy(c);
        return status;
    }
    *out = &c->base;
    return 0;
}
