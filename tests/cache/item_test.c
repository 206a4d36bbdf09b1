/*
 * item_test.c - the life of an item: made, kept, unlinked, freed once, and not while it is held.
 */
#include "cache_fixture.h"

/* ---- Pins ----------------------------------------------------------------------------------- */

static void cache_item__is_freed_with_its_last_pin(void **state) {
    (void)state;
    struct ledger ledger = {0};
    struct cache_item *item = value_make(&ledger, 1, 1, VALUE_BYTES);
    cache_item_hold(item);
    cache_item_release(item);
    assert_int_equal(ledger_live(&ledger), 1);
    cache_item_release(item);
    assert_int_equal(ledger_live(&ledger), 0);
    cache_item_release(NULL);
}

static void cache_item__kept_is_the_very_item_that_readers_get(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct cache_item *made = value_make(&s.ledger, 7, 3, VALUE_BYTES);
    cache_item_hold(made); /* keeping takes the other pin */
    cache_keep(s.cache, made);
    struct cache_key key = key_of(7);
    struct cache_item *first = cache_acquire(s.cache, &key), *second = cache_acquire(s.cache, &key);
    assert_ptr_equal(first, made);
    assert_ptr_equal(second, made);
    assert_int_equal(atomic_load(&made->pins), 4);
    cache_item_release(first);
    cache_item_release(second);
    assert_int_equal(atomic_load(&made->pins), 2);
    cache_item_release(made);
}

static void cache_item__of_another_space_is_another(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 7, 1);
    struct cache_key key = key_of(7);
    key.space++;
    assert_null(cache_acquire(s.cache, &key));
    key.space--;
    key.id.bytes[15] ^= 1;
    assert_null(cache_acquire(s.cache, &key));
    assert_int_equal(scene_version(&s, 7), 1);
}

/* ---- Outliving ------------------------------------------------------------------------------ */

static void cache_item__held_outlives_its_invalidation(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    struct cache_key key = key_of(1);
    struct cache_item *held = cache_acquire(s.cache, &key);
    scene_note(&s, 1, 2);
    assert_null(cache_acquire(s.cache, &key));
    for (uint64_t i = 100; i < 100 + 3 * RETIRE_COUNT;
         i++) { /* enough for what was unlinked to be freed */
        scene_keep(&s, i, 1);
        scene_note(&s, i, 2);
    }
    assert_in_range(ledger_live(&s.ledger), 1, 1 + RETIRE_COUNT);
    assert_int_equal(value_version(held, 1), 1);
    cache_item_release(held);
}

static void cache_items__held_outlive_their_eviction(void **state) {
    (void)state;
    enum { HELD = 10 };
    SCENE(s);
    const struct cache_options options = {.bytes = 1 << 20, .entries = HELD, .shards = 1};
    scene_init(&s, &options);
    struct cache_item *held[HELD];
    for (uint64_t i = 0; i < HELD; i++) {
        struct cache_key key = key_of(i);
        scene_keep(&s, i, i + 1);
        held[i] = cache_acquire(s.cache, &key);
        assert_non_null(held[i]);
    }
    for (uint64_t i = 100; i < 5000; i++) {
        scene_keep(&s, i / 5, 1);
        (void)scene_version(&s, i / 5);
    }
    assert_true(scene_stats(&s).evicted_entries_full > 100);
    unsigned left = 0;
    for (uint64_t i = 0; i < HELD; i++) {
        left += scene_peek(&s, i) != NULL;
        assert_int_equal(value_version(held[i], i), i + 1);
        cache_item_release(held[i]);
    }
    assert_in_range(left, 0, HELD - 1);
}

static void cache_item__held_outlives_the_cache(void **state) {
    (void)state;
    struct scene s;
    scene_init_roomy(&s);
    for (uint64_t i = 0; i < 20; i++)
        scene_keep(&s, i, i + 1);
    struct cache_key one = key_of(1), two = key_of(2);
    struct cache_item *kept = cache_acquire(s.cache, &one);
    struct cache_item *dropped = cache_acquire(s.cache, &two);
    scene_note(&s, 2, 100); /* waits to be freed when the cache goes */
    cache_destroy(s.cache);
    assert_int_equal(ledger_live(&s.ledger), 2);
    assert_int_equal(value_version(kept, 1), 2);
    assert_int_equal(value_version(dropped, 2), 3);
    cache_item_release(kept);
    cache_item_release(dropped);
    assert_int_equal(ledger_live(&s.ledger), 0);
}

/* ---- Giving back ---------------------------------------------------------------------------- */

static void cache_items__unlinked_are_freed_while_the_cache_lives(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    for (uint64_t i = 0; i < 5000; i++) {
        scene_keep(&s, i % 50, i + 1); /* takes the place of the one before */
        assert_in_range(ledger_live(&s.ledger), 1, 50 + RETIRE_COUNT);
    }
}

static void cache_items__unlinked_and_large_are_freed_sooner(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 1 << 20, .entries = 1000, .shards = 1};
    scene_init(&s, &options);
    for (uint64_t i = 0; i < 100; i++) {
        cache_keep(s.cache, value_make(&s.ledger, 1, i + 1, 40 << 10));
        assert_int_equal(ledger_live(&s.ledger), 1);
    }
}

/* A reader that stays inside, as one that was put to sleep there. */
static void cache_items__wait_for_a_reader_that_stays_inside(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 1);
    struct pin_thread *self = pin_self();
    assert_non_null(self);
    struct cache_item *seen = scene_peek(&s, 1);
    pin_set(&self->probing, seen);
    for (uint64_t version = 2; version < 200; version++)
        scene_keep(&s, 1, version);
    assert_int_equal(value_version(seen, 1), 1);
    assert_in_range(ledger_live(&s.ledger), 2,
                    2 + RETIRE_COUNT); /* the others have gone meanwhile */
    pin_clear(&self->probing);
    for (uint64_t version = 200; version < 400; version++)
        scene_keep(&s, 1, version);
    assert_in_range(ledger_live(&s.ledger), 1, 1 + RETIRE_COUNT);
    assert_int_equal(pin_waiting(), 0);
}

static void cache_items__waiting_for_a_reader_go_with_the_cache(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct pin_thread *self = pin_self();
    assert_non_null(self);
    scene_keep(&s, 1, 1);
    pin_set(&self->probing, scene_peek(&s, 1));
    for (uint64_t version = 2; version < 200; version++)
        scene_keep(&s, 1, version);
    pin_clear(&self->probing);
}

/* ---- Under a lock of nobody ----------------------------------------------------------------- */

struct caller {
    struct cache_item item;
    struct cache *cache;
    unsigned *destroyed;
};

/* A destructor may call the cache: no lock of it is held. */
static void call_cache(struct cache_item *item) {
    struct caller *caller = (struct caller *)(void *)item;
    struct cache_stats stats;
    cache_stats_get(caller->cache, &stats);
    cache_note(caller->cache, &item->key, &item->version, CACHE_CHANGED);
    ++*caller->destroyed;
    free(caller);
}

static void cache_item_destructor__is_called_without_a_lock(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    unsigned destroyed = 0;
    struct cache_key key = key_of(1);
    for (uint64_t version = 1; version <= 3 * RETIRE_COUNT; version++) {
        struct caller *caller = calloc(1, sizeof *caller);
        assert_non_null(caller);
        cache_item_init(&caller->item, &key, (mneme_version){version, 0}, VALUE_BYTES, call_cache);
        caller->cache = s.cache;
        caller->destroyed = &destroyed;
        cache_keep(s.cache, &caller->item);
    }
    assert_in_range(destroyed, 2 * RETIRE_COUNT, 3 * RETIRE_COUNT - 1);
    cache_clear(s.cache, CACHE_CHANGED);
    /* The rest, too, before the cache. */
    for (uint64_t i = 100; destroyed < 3 * RETIRE_COUNT && i < 400; i++) {
        scene_keep(&s, i, 1);
        scene_note(&s, i, 2);
    }
    assert_int_equal(destroyed, 3 * RETIRE_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_item__is_freed_with_its_last_pin),
        cmocka_unit_test(cache_item__kept_is_the_very_item_that_readers_get),
        cmocka_unit_test(cache_item__of_another_space_is_another),
        cmocka_unit_test(cache_item__held_outlives_its_invalidation),
        cmocka_unit_test(cache_items__held_outlive_their_eviction),
        cmocka_unit_test(cache_item__held_outlives_the_cache),
        cmocka_unit_test(cache_items__unlinked_are_freed_while_the_cache_lives),
        cmocka_unit_test(cache_items__unlinked_and_large_are_freed_sooner),
        cmocka_unit_test(cache_items__wait_for_a_reader_that_stays_inside),
        cmocka_unit_test(cache_items__waiting_for_a_reader_go_with_the_cache),
        cmocka_unit_test(cache_item_destructor__is_called_without_a_lock),
    };
    return cmocka_run_group_tests_name("cache/item", tests, NULL, NULL);
}
