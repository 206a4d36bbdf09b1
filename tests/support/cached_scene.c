/*
 * cached_scene.c - the helpers of cached_scene.h.
 */
#include "support/cached_scene.h"

#include "store/cached/cached_impl.h"

/* ---- Opening ----------------------------------------------------------------------------- */

struct cached_options cached_scene_options(void) {
    struct cached_options options = {.no_keeper = true};
    for (size_t i = 0; i < CACHED_PARTS; i++)
        options.parts[i] = (struct cache_options){.bytes = 16 << 20, .entries = 1000, .shards = 1};
    return options;
}

static const struct store_maker *maker_named(const char *name) {
    for (size_t i = 0; i < store_maker_count; i++)
        if (strcmp(store_makers[i].name, name) == 0)
            return &store_makers[i];
    abort(); /* no such row in the table */
}

/* In step from the start: else the first read is what takes the caches there, and empties them. */
static void open_caches(struct cached_scene *scene, const struct cached_options *options) {
    mneme_error error;
    if (cached_open(&scene->below->base, options, &scene->cached, &error))
        fail_msg("cached_open: %s", error.message);
    scene->home.store = scene->cached;
    assert_true(cached_sync(cached_of(scene->cached)));
}

static int setup(const struct store_maker *maker, void **state) {
    struct cached_scene *scene = calloc(1, sizeof *scene);
    struct cached_options options = cached_scene_options();
    mneme_error error;
    if (!scene || store_home_make(&scene->home, maker, &error))
        return -1;
    scene->below = watched_open(scene->home.store);
    if (!scene->below)
        return -1;
    scene->other = &scene->below->base;
    if (maker->persistent && maker->open(scene->home.path, &scene->other, &error))
        return -1;
    open_caches(scene, &options);
    *state = scene;
    return 0;
}

int cached_scene_setup_mem(void **state) { return setup(maker_named("mem"), state); }

int cached_scene_setup_kv(void **state) { return setup(maker_named("kv"), state); }

int cached_scene_teardown(void **state) {
    struct cached_scene *scene = *state;
    if (scene->other != &scene->below->base)
        store_close(scene->other);
    store_home_remove(&scene->home);
    free(scene);
    return 0;
}

/* The store below outlives its caches: a stand-in is closed with them. */
void cached_scene_reopen(struct cached_scene *scene, const struct cached_options *options) {
    struct watched *old = scene->below, *new = watched_open(old->below);
    bool shared = scene->other == &old->base;
    struct store *stand_in = NULL;
    assert_non_null(new);
    assert_int_equal(maker_named("mem")->open(NULL, &stand_in, NULL), 0);
    old->below = stand_in;
    store_close(scene->cached);
    scene->below = new;
    if (shared)
        scene->other = &new->base;
    open_caches(scene, options);
}

struct cache_stats part_stats(struct cached_scene *scene, enum cached_part part) {
    struct cache_stats stats[CACHED_PARTS];
    cached_stats(scene->cached, stats);
    return stats[part];
}

/* ---- Records ----------------------------------------------------------------------------- */

void apply_ok(struct store *store, struct mutation mutation) {
    struct batch batch;
    if (apply_mutations(store, &mutation, 1, &batch))
        fail_msg("apply: %s", batch.error.message);
}

uint64_t acquire_clock(struct cached_scene *scene, mneme_kind kind, unsigned n) {
    struct cache_item *item = NULL;
    mneme_error error = {0};
    mneme_id id = numbered_id(n);
    int status = cached_acquire(scene->cached, kind, &id, &item, &error);
    if (status == 0) {
        uint64_t clock = item->version.clock;
        assert_true(id_equal(&item->key.id, &id));
        cache_item_release(item);
        return clock;
    }
    if (status != MNEME_NOT_FOUND || error.code != status || !error.message[0])
        fail_msg("cached_acquire: %d: %s", status, error.message);
    return 0;
}

uint64_t stored_clock(struct cached_scene *scene, mneme_kind kind, unsigned n) {
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(n);
    int status = store_get_one(scene->below->below, kind, &id, &set, NULL);
    assert_true(status == 0 || status == MNEME_NOT_FOUND);
    return status ? 0 : set.records[0].change;
}

bool is_cached(struct cached_scene *scene, mneme_kind kind, unsigned n) {
    unsigned before = atomic_load(&scene->below->gets);
    assert_int_equal(acquire_clock(scene, kind, n), stored_clock(scene, kind, n));
    return atomic_load(&scene->below->gets) == before;
}

/* ---- Lists ------------------------------------------------------------------------------- */

struct store_query query_for(mneme_kind kind) {
    return (struct store_query){.kind = kind, .order = ORDER_OLDEST_FIRST, .limit = 100};
}

static void assert_page(const struct store_query *query, const struct cached_page *page,
                        const struct record_set *records, bool more) {
    assert_int_equal(page->count, records->count);
    assert_int_equal(page->more, more);
    for (size_t i = 0; i < page->count; i++) {
        const struct stored_record *record = &records->records[i];
        assert_true(id_equal(&page->items[i]->key.id, &record->id));
        assert_int_equal(page->items[i]->key.space, record->kind);
        assert_int_equal(page->items[i]->version.clock, record->change);
    }
    if (page->count) {
        struct position last = position_after(query, &records->records[page->count - 1]);
        assert_true(page->last.set);
        assert_int_equal(position_compare(page->last, last), 0);
    }
}

bool is_listed(struct cached_scene *scene, const struct store_query *query) {
    AUTO_RECORDS struct record_set records = {0};
    struct cached_page page = {0};
    mneme_error error = {0};
    bool more = false;
    unsigned before = atomic_load(&scene->below->queries);
    if (cached_list(scene->cached, query, &page, &error))
        fail_msg("cached_list: %s", error.message);
    bool listed = atomic_load(&scene->below->queries) == before;
    assert_int_equal(store_query(scene->below->below, query, &records, &more, NULL), 0);
    assert_page(query, &page, &records, more);
    cached_page_fini(&page);
    return listed;
}
