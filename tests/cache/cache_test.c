/*
 * cache_test.c - keeping, noting, clearing and filtering, and what each counts; options.
 */
#include <math.h>

#include "cache_fixture.h"

/* ---- Options -------------------------------------------------------------------------------- */

static void cache_create__names_the_option_that_is_wrong(void **state) {
    (void)state;
    static const struct {
        struct cache_options options;
        const char *part;
    } cases[] = {
        {{.bytes = 0, .entries = 10}, "bytes"},
        {{.bytes = 10, .entries = 0}, "entries"},
        {{.bytes = 10, .entries = 10, .ttl_base = 59}, "59"}, /* under the default ttl_min */
        {{.bytes = 10, .entries = 10, .ttl_min = 301}, "301"},
        {{.bytes = 10, .entries = 10, .ttl_max = 299}, "299"},
        {{.bytes = 10, .entries = 10, .ttl_max = UINT32_C(1) << 31}, "2147483648"},
        {{.bytes = 10, .entries = 10, .access_weight = -1}, "weights"},
        {{.bytes = 10, .entries = 10, .recency_weight = -0.5, .access_weight = 1}, "weights"},
        {{.bytes = 10, .entries = 10, .access_weight = (double)NAN}, "weights"},
        {{.bytes = 10, .entries = 10, .recency_weight = (double)NAN}, "weights"},
        {{.bytes = 10, .entries = 10, .access_weight = (double)INFINITY}, "weights"},
        {{.bytes = 10, .entries = 10, .recency_weight = 1e300}, "weights"},
        {{.bytes = 10, .entries = 10, .shards = 3}, "3 shards"},
        {{.bytes = 10, .entries = 100, .shards = 32}, "32 shards"},
        {{.bytes = 10, .entries = 3, .shards = 4}, "4 shards"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cache *cache = NULL;
        mneme_error error = {0};
        assert_int_equal(cache_create(&cases[i].options, &cache, &error), MNEME_INVALID);
        assert_null(cache);
        assert_int_equal(error.code, MNEME_INVALID);
        if (!strstr(error.message, cases[i].part))
            fail_msg("\"%s\" does not name %s", error.message, cases[i].part);
        assert_int_equal(cache_create(&cases[i].options, &cache, NULL), MNEME_INVALID);
    }
}

static void cache_create__takes_options_at_their_ends(void **state) {
    (void)state;
    static const struct cache_options cases[] = {
        {.bytes = 1, .entries = 1},
        {.bytes = 1, .entries = 16, .shards = 16},
        {.bytes = 10, .entries = 10, .ttl_min = 1, .ttl_base = 1, .ttl_max = 1},
        {.bytes = 10, .entries = 10, .ttl_max = INT32_MAX},
        {.bytes = 10, .entries = 10, .access_weight = 1e-9},
        {.bytes = SIZE_MAX, .entries = 10, .recency_weight = 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCENE(s);
        scene_init(&s, &cases[i]);
        scene_keep(&s, 1, 1);
    }
    cache_destroy(NULL);
}

static void cache_create__divides_large_caches_into_shards(void **state) {
    (void)state;
    static const struct {
        struct cache_options options;
        unsigned shards;
    } cases[] = {
        {{.bytes = 1, .entries = 1}, 1},
        {{.bytes = (size_t)1 << 40, .entries = 2047}, 1},
        {{.bytes = (size_t)1 << 40, .entries = 2048}, 2},
        {{.bytes = (16 << 20) - 1, .entries = 100000}, 1},
        {{.bytes = 16 << 20, .entries = 100000}, 2},
        {{.bytes = 64 << 20, .entries = 4096}, 4},
        {{.bytes = 128 << 20, .entries = 16384}, 16},
        {{.bytes = (size_t)1 << 40, .entries = 100000}, 16},
        {{.bytes = 8, .entries = 8, .shards = 8}, 8},
        {{.bytes = (size_t)1 << 40, .entries = 100000, .shards = 1}, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCENE(s);
        scene_init(&s, &cases[i].options);
        assert_int_equal(s.cache->shard_mask + 1, cases[i].shards);
        struct cache_stats stats = scene_stats(&s);
        assert_in_range(stats.bytes_max, cases[i].options.bytes - cases[i].shards + 1,
                        cases[i].options.bytes);
        assert_in_range(stats.entries_max, cases[i].options.entries - cases[i].shards + 1,
                        cases[i].options.entries);
    }
}

/* ---- Keeping -------------------------------------------------------------------------------- */

static void cache_keep__replaces_an_older_item(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 5);
    scene_keep(&s, 1, 6);
    assert_int_equal(scene_version(&s, 1), 6);
    scene_keep(&s, 1, 6); /* the same version may come again */
    assert_int_equal(scene_version(&s, 1), 6);
    struct cache_stats stats = scene_stats(&s);
    assert_int_equal(stats.kept, 3);
    assert_int_equal(stats.dropped[CACHE_REPLACED], 2);
    assert_int_equal(stats.not_kept, 0);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.bytes, VALUE_BYTES);
}

static void cache_keep__drops_an_item_that_comes_late(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 6);
    scene_keep(&s, 1, 5);
    assert_int_equal(scene_version(&s, 1), 6);
    assert_int_equal(ledger_live(&s.ledger), 1);
    struct cache_stats stats = scene_stats(&s);
    assert_int_equal(stats.kept, 1);
    assert_int_equal(stats.not_kept, 1);
    assert_int_equal(stats.dropped[CACHE_REPLACED], 0);
}

static void cache_keep__does_not_keep_what_is_too_large(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 4000, .entries = 40, .shards = 4};
    scene_init(&s, &options);
    cache_keep(s.cache, value_make(&s.ledger, 1, 1, 1001));
    assert_int_equal(scene_version(&s, 1), 0);
    assert_int_equal(ledger_live(&s.ledger), 0);
    assert_int_equal(scene_stats(&s).not_kept, 1);
    cache_keep(s.cache, value_make(&s.ledger, 1, 1, 1000));
    assert_int_equal(scene_version(&s, 1), 1);
    assert_int_equal(scene_stats(&s).bytes, 1000);
}

/* Whoever keeps an item says that it is the latest: an older one is out of date at any rate. */
static void cache_keep__of_what_is_too_large_drops_the_older_item(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 1000, .entries = 10, .shards = 1};
    scene_init(&s, &options);
    cache_keep(s.cache, value_make(&s.ledger, 1, 1, 100));
    cache_keep(s.cache, value_make(&s.ledger, 1, 2, 1001));
    assert_int_equal(scene_version(&s, 1), 0);
    cache_keep(s.cache, value_make(&s.ledger, 2, 2, 100));
    cache_keep(s.cache, value_make(&s.ledger, 2, 1, 1001)); /* but one that comes late does not */
    assert_int_equal(scene_version(&s, 2), 2);
    struct cache_stats stats = scene_stats(&s);
    assert_int_equal(stats.not_kept, 2);
    assert_int_equal(stats.dropped[CACHE_REPLACED], 1);
    assert_int_equal(stats.entries, 1);
}

static void cache_keep__evicts_by_the_limit_that_was_passed(void **state) {
    (void)state;
    static const struct cache_options options[] = {{.bytes = 1 << 20, .entries = 10, .shards = 1},
                                                   {.bytes = 1000, .entries = 100, .shards = 1}};
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        SCENE(s);
        scene_init(&s, &options[by_bytes]);
        for (uint64_t i = 0; i < 10; i++)
            scene_keep(&s, i, 1);
        struct cache_stats stats = scene_stats(&s);
        assert_int_equal(stats.entries, 10);
        assert_int_equal(stats.evicted_bytes_full + stats.evicted_entries_full, 0);
        for (uint64_t i = 10; i < 200; i++)
            scene_keep(&s, i, 1);
        stats = scene_stats(&s);
        assert_int_equal(stats.entries, 10);
        assert_int_equal(stats.bytes, 10 * VALUE_BYTES);
        assert_int_equal(stats.evicted_bytes_full, by_bytes ? 190 : 0);
        assert_int_equal(stats.evicted_entries_full, by_bytes ? 0 : 190);
        assert_int_equal(stats.kept, 200);
    }
}

/* ---- Noting --------------------------------------------------------------------------------- */

static void cache_note__drops_what_is_older_and_nothing_else(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 5);
    scene_keep(&s, 2, 1);
    scene_note(&s, 1, 4);
    assert_int_equal(scene_version(&s, 1), 5);
    scene_note(&s, 1, 5);
    assert_int_equal(scene_version(&s, 1), 5);
    assert_int_equal(scene_stats(&s).dropped[CACHE_CHANGED], 0);
    scene_note(&s, 1, 6);
    assert_int_equal(scene_version(&s, 1), 0);
    assert_int_equal(scene_version(&s, 2), 1);
    assert_int_equal(scene_stats(&s).dropped[CACHE_CHANGED], 1);
    scene_note(&s, 1, 7); /* nothing is there */
    scene_note(&s, 3, 1);
    assert_int_equal(scene_stats(&s).dropped[CACHE_CHANGED], 1);
    assert_int_equal(scene_stats(&s).entries, 1);
}

static void cache_note__orders_by_device_too(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, 5); /* device 0 */
    struct cache_key key = key_of(1);
    cache_note(s.cache, &key, &(mneme_version){5, 1}, CACHE_CHANGED);
    assert_int_equal(scene_version(&s, 1), 0);
}

static void cache_note__without_a_version_drops_whatever_is_there(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    scene_keep(&s, 1, UINT64_MAX);
    scene_keep(&s, 2, 1);
    struct cache_key key = key_of(1);
    cache_note(s.cache, &key, NULL, CACHE_CHANGED);
    assert_int_equal(scene_version(&s, 1), 0);
    assert_int_equal(scene_version(&s, 2), 1);
}

static void cache_note__counts_under_the_cause_it_was_given(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    for (uint64_t cause = 0; cause < CACHE_CAUSES; cause++)
        for (uint64_t i = 0; i <= cause; i++) {
            struct cache_key key = key_of(i);
            scene_keep(&s, i, 1);
            cache_note(s.cache, &key, NULL, (enum cache_cause)cause);
        }
    struct cache_stats stats = scene_stats(&s);
    for (uint64_t cause = 0; cause < CACHE_CAUSES; cause++)
        assert_int_equal(stats.dropped[cause], cause + 1);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.bytes, 0);
}

/* ---- Clearing and filtering ----------------------------------------------------------------- */

static void cache_clear__drops_everything(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 1 << 20, .entries = 4000, .shards = 4};
    scene_init(&s, &options);
    for (uint64_t i = 0; i < 500; i++)
        scene_keep(&s, i, 1);
    assert_int_equal(scene_stats(&s).entries, 500);
    cache_clear(s.cache, CACHE_FLOODED);
    struct cache_stats stats = scene_stats(&s);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.bytes, 0);
    assert_int_equal(stats.dropped[CACHE_FLOODED], 500);
    for (uint64_t i = 0; i < 500; i++)
        assert_int_equal(scene_version(&s, i), 0);
    scene_keep(&s, 1, 1);
    assert_int_equal(scene_version(&s, 1), 1);
    cache_clear(s.cache, CACHE_FLOODED);
    cache_clear(s.cache, CACHE_FLOODED); /* of an empty cache */
    assert_int_equal(scene_stats(&s).dropped[CACHE_FLOODED], 501);
}

struct seen {
    uint64_t count, odd;
};

static bool is_odd(void *context, const struct cache_item *item) {
    struct seen *seen = context;
    bool odd = value_version(item, get_be64(item->key.id.bytes)) % 2;
    seen->count++;
    seen->odd += odd;
    return odd;
}

static void cache_filter__drops_what_it_is_told_to(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 1 << 20, .entries = 4000, .shards = 4};
    scene_init(&s, &options);
    for (uint64_t i = 0; i < 501; i++)
        scene_keep(&s, i, i + 1);
    struct seen seen = {0};
    cache_filter(s.cache, is_odd, &seen, CACHE_CHANGED);
    assert_int_equal(seen.count, 501);
    assert_int_equal(seen.odd, 251);
    assert_int_equal(scene_stats(&s).dropped[CACHE_CHANGED], 251);
    assert_int_equal(scene_stats(&s).entries, 250);
    for (uint64_t i = 0; i < 501; i++)
        assert_int_equal(scene_version(&s, i), i % 2 ? i + 1 : 0);
}

/* ---- Hits and misses ------------------------------------------------------------------------ */

static void cache_counters__tell_hits_from_misses(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct source source = {.ledger = &s.ledger, .version = 3};
    assert_int_equal(scene_version(&s, 1), 0); /* a miss of cache_acquire is not counted */
    assert_int_equal(source_version(&s, &source, 1), 3);
    assert_int_equal(source_version(&s, &source, 1), 3);
    assert_int_equal(scene_version(&s, 1), 3);
    source.version = 0;
    assert_int_equal(source_version(&s, &source, 2), 0);
    assert_int_equal(source_version(&s, &source, 2), 0);
    assert_int_equal(source_version(&s, &source, 2), 0);
    assert_int_equal(source.loads, 2);
    struct cache_stats stats = scene_stats(&s);
    assert_int_equal(stats.hits, 4);
    assert_int_equal(stats.negative_hits, 2);
    assert_int_equal(stats.misses, 2);
    assert_int_equal(stats.joins, 0);
    assert_int_equal(stats.kept, 2);
    assert_int_equal(stats.minute_hits, 4);
    assert_int_equal(stats.minute_lookups, 6);
}

static void cache_missed__is_counted_as_a_miss(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    cache_missed(s.cache);
    cache_missed(s.cache);
    assert_int_equal(scene_stats(&s).misses, 2);
    assert_int_equal(scene_stats(&s).minute_lookups, 2);
    assert_int_equal(scene_stats(&s).hits, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_create__names_the_option_that_is_wrong),
        cmocka_unit_test(cache_create__takes_options_at_their_ends),
        cmocka_unit_test(cache_create__divides_large_caches_into_shards),
        cmocka_unit_test(cache_keep__replaces_an_older_item),
        cmocka_unit_test(cache_keep__drops_an_item_that_comes_late),
        cmocka_unit_test(cache_keep__does_not_keep_what_is_too_large),
        cmocka_unit_test(cache_keep__of_what_is_too_large_drops_the_older_item),
        cmocka_unit_test(cache_keep__evicts_by_the_limit_that_was_passed),
        cmocka_unit_test(cache_note__drops_what_is_older_and_nothing_else),
        cmocka_unit_test(cache_note__orders_by_device_too),
        cmocka_unit_test(cache_note__without_a_version_drops_whatever_is_there),
        cmocka_unit_test(cache_note__counts_under_the_cause_it_was_given),
        cmocka_unit_test(cache_clear__drops_everything),
        cmocka_unit_test(cache_filter__drops_what_it_is_told_to),
        cmocka_unit_test(cache_counters__tell_hits_from_misses),
        cmocka_unit_test(cache_missed__is_counted_as_a_miss),
    };
    return cmocka_run_group_tests_name("cache/cache", tests, NULL, NULL);
}
