/*
 * memory_test.c - a cache that gets no memory, and what it takes: large values, and ten million
 * operations without growth.
 */
#include <malloc.h>

#include "cache_fixture.h"

/* ---- No memory ------------------------------------------------------------------------------ */

static void cache_create__without_memory_says_so(void **state) {
    (void)state;
    static const struct cache_options options = {.bytes = 1 << 20, .entries = 100, .shards = 4};
    int status = MNEME_NO_MEMORY;
    uint64_t k = 0;
    while (status != 0) {
        struct cache *const untouched = (void *)&status, *cache = untouched;
        mneme_error error = {0};
        mem_fail_after(++k);
        status = cache_create(&options, &cache, &error);
        mem_fail_after(0);
        if (status == 0) {
            cache_destroy(cache);
            break;
        }
        assert_int_equal(status, MNEME_NO_MEMORY);
        assert_int_equal(error.code, MNEME_NO_MEMORY);
        assert_ptr_equal(cache, untouched);
        assert_true(k < 1000);
    }
    assert_true(k > 4 * 2); /* every shard has a table and a policy */
}

struct starved {
    struct scene *scene;
    uint64_t k;
};

/* In a thread that is new to the cache: its slot among the readers must be allocated, too. */
static void *get_starved(void *context) {
    struct starved *starved = context;
    struct scene *s = starved->scene;
    struct source there = {.ledger = &s->ledger, .version = 3}, nothing = {.ledger = &s->ledger};
    struct source broken = {.ledger = &s->ledger, .status = MNEME_IO};
    struct cache_item *item = NULL;
    mem_fail_after(starved->k);
    for (int i = 0; i < 2; i++) {
        CHECK(source_version(s, &there, 1) == 3);
        CHECK(source_version(s, &nothing, 2) == 0);
        CHECK(source_get(s, &broken, 3, &item, NULL) == MNEME_IO);
    }
    mem_fail_after(0);
    CHECK(there.loads <= 2 && nothing.loads <= 2 && broken.loads == 2);
    return NULL;
}

/* Runs first, while no ended thread has left a slot. */
static void cache_get__without_memory_loads_and_does_not_keep(void **state) {
    (void)state;
    for (uint64_t k = 1; k <= 12; k++) {
        SCENE(s);
        scene_init_roomy(&s);
        struct starved starved = {&s, k};
        pthread_t thread;
        assert_int_equal(thread_start(&thread, get_starved, &starved, NULL), 0);
        pthread_join(thread, NULL);
        struct source source = {.ledger = &s.ledger, .version = 3};
        assert_int_equal(source_version(&s, &source, 1), 3); /* all is well again */
        assert_int_equal(scene_version(&s, 1), 3);
        assert_null(s.cache->shards[0].guards);
    }
}

static void cache_get__without_memory_for_its_load_hides_nothing(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    (void)pin_self();
    struct source source = {.ledger = &s.ledger, .version = 3};
    mem_fail_after(1);
    assert_int_equal(source_version(&s, &source, 1), 3);
    mem_fail_after(0);
    assert_int_equal(scene_version(&s, 1), 0); /* for one caller, and not kept */
    assert_int_equal(ledger_live(&s.ledger), 0);
    assert_int_equal(scene_stats(&s).misses, 1);
    mem_fail_after(1);
    source.version = 0;
    assert_int_equal(source_version(&s, &source, 2), 0);
    mem_fail_after(0);
    assert_null(scene_peek(&s, 2));
}

/* ---- Large values --------------------------------------------------------------------------- */

enum { MEGABYTE = 1 << 20, HELD = 12 };

static void cache_of_large_values__stays_within_its_bytes(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 8 * MEGABYTE, .entries = 1000, .shards = 1};
    scene_init(&s, &options);
    struct random random = {5};
    for (int i = 0; i < 1000; i++) {
        uint64_t number = random_below(&random, 20);
        struct source source = {.ledger = &s.ledger, .version = 1, .size_bytes = MEGABYTE};
        assert_int_equal(source_version(&s, &source, number), 1);
        assert_true(scene_stats(&s).bytes <= 8 * MEGABYTE);
        assert_in_range(ledger_live(&s.ledger), 0, 8); /* nothing large waits to be freed */
    }
    assert_int_equal(scene_stats(&s).entries, 8);
    assert_true(scene_stats(&s).evicted_bytes_full > 0);
    assert_int_equal(scene_stats(&s).evicted_entries_full, 0);
}

static void cache_of_large_values__goes_on_while_they_are_held(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 8 * MEGABYTE, .entries = 1000, .shards = 1};
    scene_init(&s, &options);
    struct cache_item *held[HELD] = {NULL};
    struct source source = {.ledger = &s.ledger, .version = 1, .size_bytes = MEGABYTE};
    for (uint64_t i = 0; i < HELD; i++) /* more than there is room for */
        assert_int_equal(source_get(&s, &source, i, &held[i], NULL), 0);
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(source_version(&s, &source, 100 + i % 30), 1);
    assert_true(scene_stats(&s).bytes <= 8 * MEGABYTE);
    assert_in_range(ledger_live(&s.ledger), HELD, HELD + 8);
    for (uint64_t i = 0; i < HELD; i++) {
        assert_int_equal(value_version(held[i], i), 1);
        cache_item_release(held[i]);
    }
    assert_in_range(ledger_live(&s.ledger), 0, 8);
}

/* ---- Growth --------------------------------------------------------------------------------- */

enum { OPERATIONS = SANITIZED ? 200000 : 10000000, GROWTH_KEYS = 5000 };

static void operate(struct scene *s, struct random *random, int count) {
    struct source source = {.ledger = &s->ledger};
    for (int i = 0; i < count; i++) {
        uint64_t number = random_below(random, 1 + random_below(random, GROWTH_KEYS));
        uint64_t dice = random_below(random, 100);
        struct cache_key key = key_of(number);
        source.version = number % 10; /* one of ten records is not there */
        source.size_bytes = 150 + number % 500;
        if (dice < 70)
            (void)source_version(s, &source, number);
        else if (dice < 90)
            cache_item_release(cache_acquire(s->cache, &key));
        else if (dice < 97)
            cache_note(s->cache, &key, NULL, CACHE_CHANGED);
        else if (number % 10)
            cache_keep(s->cache, value_make(&s->ledger, number, number % 10, source.size_bytes));
        if (i % 1000 == 0)
            cache_tick(s->cache, cache_now(s->cache) + 1);
        if (i % 100000 == 0)
            cache_clear(s->cache, CACHE_FLOODED);
    }
}

/* Bytes in use, of blocks small and large. A sanitizer's allocator answers 0. */
static size_t heap_bytes(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void cache__of_ten_million_operations_does_not_grow(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 256 << 10, .entries = 2000, .shards = 2};
    scene_init(&s, &options);
    struct random random = {42};
    operate(&s, &random, OPERATIONS / 2);
    size_t half = heap_bytes();
    operate(&s, &random, OPERATIONS / 2);
    size_t whole = heap_bytes();
    assert_in_range(whole, 0, half + (1 << 20));
    assert_in_range(half, 0, whole + (1 << 20));
    struct cache_stats stats = scene_stats(&s);
    assert_true(stats.hits > OPERATIONS / 10 && stats.kept > OPERATIONS / 100);
    assert_true(stats.expired && stats.evicted_bytes_full);
    assert_in_range(ledger_live(&s.ledger), 0, stats.entries + 2 * RETIRE_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_get__without_memory_loads_and_does_not_keep),
        cmocka_unit_test(cache_get__without_memory_for_its_load_hides_nothing),
        cmocka_unit_test(cache_create__without_memory_says_so),
        cmocka_unit_test(cache_of_large_values__stays_within_its_bytes),
        cmocka_unit_test(cache_of_large_values__goes_on_while_they_are_held),
        cmocka_unit_test(cache__of_ten_million_operations_does_not_grow),
    };
    return cmocka_run_group_tests_name("cache/memory", tests, NULL, NULL);
}
