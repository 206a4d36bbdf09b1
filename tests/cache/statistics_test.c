/*
 * statistics_test.c - the hit rates of the last minute and hour, by a clock under control.
 */
#include "cache_fixture.h"

/* ---- Fixture: a cache in which key 1 is there and key 2 never ------------------------------- */

static void rates_init(struct scene *s) {
    const struct cache_options options = {.bytes = 1 << 20,
                                          .entries = 100,
                                          .ttl_min = 1000000,
                                          .ttl_base = 1000000,
                                          .ttl_max = 1000000};
    scene_init(s, &options);
    scene_keep(s, 1, 1);
}

static void look_up(struct scene *s, unsigned hits, unsigned misses) {
    struct source source = {.ledger = &s->ledger, .status = MNEME_IO};
    struct cache_item *item = NULL;
    for (unsigned i = 0; i < hits; i++)
        assert_int_equal(scene_version(s, 1), 1);
    for (unsigned i = 0; i < misses; i++)
        assert_int_equal(source_get(s, &source, 2, &item, NULL), MNEME_IO);
}

static void assert_minute(struct scene *s, uint64_t hits, uint64_t lookups) {
    struct cache_stats stats = scene_stats(s);
    assert_int_equal(stats.minute_hits, hits);
    assert_int_equal(stats.minute_lookups, lookups);
}

static void assert_hour(struct scene *s, uint64_t hits, uint64_t lookups) {
    struct cache_stats stats = scene_stats(s);
    assert_int_equal(stats.hour_hits, hits);
    assert_int_equal(stats.hour_lookups, lookups);
}

/* ---- Rates ---------------------------------------------------------------------------------- */

static void cache_rates__of_a_young_cache_are_of_its_life(void **state) {
    (void)state;
    SCENE(s);
    rates_init(&s);
    assert_minute(&s, 0, 0);
    look_up(&s, 3, 2); /* before the first tick */
    assert_minute(&s, 3, 5);
    assert_hour(&s, 3, 5);
    cache_tick(s.cache, 1000);
    assert_minute(&s, 3, 5);
    look_up(&s, 1, 1);
    for (uint32_t t = 1; t < 60; t++) {
        cache_tick(s.cache, 1000 + t);
        assert_minute(&s, 4, 7);
    }
    assert_hour(&s, 4, 7);
}

static void cache_rates__of_a_minute_forget_second_by_second(void **state) {
    (void)state;
    for (uint32_t start = 0; start < 200; start += 13) {
        SCENE(s);
        rates_init(&s);
        cache_tick(s.cache, start);
        for (uint32_t t = 1; t <= 200; t++) {
            look_up(&s, t, 1); /* in the second that ends with tick t */
            cache_tick(s.cache, start + t);
            uint32_t first = t > 60 ? t - 59 : 1; /* of the last sixty ones */
            uint32_t seconds = t - first + 1;
            assert_minute(&s, (first + t) * (uint64_t)seconds / 2,
                          (first + t) * (uint64_t)seconds / 2 + seconds);
        }
        for (uint32_t t = 201; t <= 260; t++)
            cache_tick(s.cache, start + t);
        assert_minute(&s, 0, 0);
        look_up(&s, 2, 1); /* the current second counts, too */
        assert_minute(&s, 2, 3);
    }
}

static void cache_rates__of_an_hour_forget_minute_by_minute(void **state) {
    (void)state;
    SCENE(s);
    rates_init(&s);
    cache_tick(s.cache, 0);
    for (uint32_t minute = 1; minute <= 200; minute++) {
        look_up(&s, 2, 1);
        for (uint32_t second = 1; second <= 60; second += 7)
            cache_tick(s.cache, (minute - 1) * 60 + second);
        cache_tick(s.cache, minute * 60);
        uint32_t counted = minute < 60 ? minute : 60;
        assert_hour(&s, 2 * counted, 3 * counted);
        assert_minute(&s, 2, 3);
    }
    for (uint32_t minute = 201; minute <= 260; minute++)
        cache_tick(s.cache, minute * 60);
    assert_hour(&s, 0, 0);
}

/* ---- Gaps ----------------------------------------------------------------------------------- */

/* What is looked up in a gap between ticks counts as of its first second. */
static void cache_rates__survive_a_gap(void **state) {
    (void)state;
    SCENE(s);
    rates_init(&s);
    cache_tick(s.cache, 100);
    look_up(&s, 5, 0);
    cache_tick(s.cache, 130);
    look_up(&s, 3, 1);
    cache_tick(s.cache, 160);
    assert_minute(&s, 8, 9);
    cache_tick(s.cache, 161);
    assert_minute(&s, 3, 4);
    cache_tick(s.cache, 190);
    assert_minute(&s, 3, 4);
    cache_tick(s.cache, 191);
    assert_minute(&s, 0, 0);
    assert_hour(&s, 8, 9);
}

static void cache_rates__survive_a_long_gap(void **state) {
    (void)state;
    static const uint32_t gaps[] = {60, 61, 62, 121, 122, 3599, 3660, 3661, 100000, 3000000000};
    for (size_t i = 0; i < COUNT_OF(gaps); i++) {
        SCENE(s);
        const struct cache_options options = {
            .bytes = 1000, .entries = 100, .ttl_max = INT32_MAX, .ttl_base = INT32_MAX};
        scene_init(&s, &options);
        cache_tick(s.cache, 1);
        struct source source = {.ledger = &s.ledger, .status = MNEME_IO};
        struct cache_item *item = NULL;
        assert_int_equal(source_get(&s, &source, 2, &item, NULL), MNEME_IO);
        cache_tick(s.cache, 1 + gaps[i]);
        assert_minute(&s, 0, gaps[i] == 60);
        assert_hour(&s, 0, gaps[i] < 3660);
        assert_int_equal(source_get(&s, &source, 2, &item, NULL), MNEME_IO);
        assert_minute(&s, 0, 1 + (gaps[i] == 60));
    }
}

static void cache_rates__do_not_mind_a_clock_that_stands_or_goes_back(void **state) {
    (void)state;
    SCENE(s);
    rates_init(&s);
    cache_tick(s.cache, 500);
    look_up(&s, 4, 0);
    cache_tick(s.cache, 500);
    cache_tick(s.cache, 499);
    cache_tick(s.cache, 0);
    assert_minute(&s, 4, 4);
    cache_tick(s.cache, 560);
    assert_minute(&s, 4, 4);
    cache_tick(s.cache, 561);
    assert_minute(&s, 0, 0);
}

/* ---- Many threads --------------------------------------------------------------------------- */

enum { THREADS = 40, HITS = SANITIZED ? 1000 : 20000 }; /* more than there are stripes */

static void *hit_often(void *context) {
    for (int i = 0; i < HITS; i++)
        CHECK(scene_version(context, 1) == 1);
    return NULL;
}

static void cache_hits__of_many_threads_are_all_counted(void **state) {
    (void)state;
    SCENE(s);
    rates_init(&s);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], hit_often, &s, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(scene_stats(&s).hits, THREADS * HITS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_rates__of_a_young_cache_are_of_its_life),
        cmocka_unit_test(cache_rates__of_a_minute_forget_second_by_second),
        cmocka_unit_test(cache_rates__of_an_hour_forget_minute_by_minute),
        cmocka_unit_test(cache_rates__survive_a_gap),
        cmocka_unit_test(cache_rates__survive_a_long_gap),
        cmocka_unit_test(cache_rates__do_not_mind_a_clock_that_stands_or_goes_back),
        cmocka_unit_test(cache_hits__of_many_threads_are_all_counted),
    };
    return cmocka_run_group_tests_name("cache/statistics", tests, NULL, NULL);
}
