/*
 * ttl_test.c - times to live: the formula, expiry at the tick, and the sweep that gives memory
 * back.
 */
#include "cache_fixture.h"

/* ---- The formula ---------------------------------------------------------------------------- */

static const struct cache_options defaults = {
    .ttl_base = 300, .ttl_min = 60, .ttl_max = 3600, .access_weight = 0.6, .recency_weight = 0.4};

static void cache_ttl__has_the_values_of_its_formula(void **state) {
    (void)state;
    static const struct {
        double access_weight, recency_weight;
        unsigned reads;
        uint32_t idle, ttl;
    } cases[] = {
        {0.6, 0.4, 0, 300, 60},
        {0.6, 0.4, 0, UINT32_MAX, 60},
        {0.6, 0.4, 0, 0, 252},
        {0.6, 0.4, 0, 150, 156},
        {0.6, 0.4, 8, 300, 204},
        {0.6, 0.4, 8, 0, 1620},
        {0.6, 0.4, 255, 0, 3480},
        {6, 4, 255, 0, 3480},
        {1, 0, 0, 0, 60},
        {1, 0, 8, 0, 300},
        {1, 0, 8, 1000, 300},
        {1, 0, 24, 0, 1950},
        {1, 0, 1000000000, 300, 3600},
        {0, 1, 0, 0, 3600},
        {0, 1, 255, 75, 1950},
        {0, 1, 0, 150, 300},
        {0, 1, 255, 225, 180},
        {0, 1, 255, 300, 60},
        {1, 1, 8, 150, 300},
        {1, 1, 0, 0, 300},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct cache_options options = defaults;
        options.access_weight = cases[i].access_weight;
        options.recency_weight = cases[i].recency_weight;
        uint32_t ttl = cache_ttl(&options, cases[i].reads, cases[i].idle);
        if (ttl != cases[i].ttl)
            fail_msg("case %zu: %u seconds, not %u", i, ttl, cases[i].ttl);
    }
}

static void cache_ttl__rises_with_reads_and_falls_with_idleness(void **state) {
    (void)state;
    for (unsigned reads = 0; reads <= 255; reads++)
        for (uint32_t idle = 0; idle <= 400; idle++) {
            uint32_t ttl = cache_ttl(&defaults, reads, idle);
            assert_in_range(ttl, defaults.ttl_min, defaults.ttl_max);
            assert_true(ttl <= cache_ttl(&defaults, reads + 1, idle));
            assert_true(ttl >= cache_ttl(&defaults, reads, idle + 1));
        }
}

static void cache_ttl__of_three_equal_times_is_that_time(void **state) {
    (void)state;
    struct cache_options options = defaults;
    options.ttl_min = options.ttl_base = options.ttl_max = 77;
    for (unsigned reads = 0; reads <= 255; reads += 5)
        for (uint32_t idle = 0; idle <= 100; idle += 7)
            assert_int_equal(cache_ttl(&options, reads, idle), 77);
}

/* ---- Expiry --------------------------------------------------------------------------------- */

/* The tick from which on the item is not handed out: told by looking, which does not read it. */
static uint32_t expiry(struct scene *s, uint64_t number) {
    struct cache_item *item = scene_peek(s, number);
    return item ? atomic_load(&item->expires) : 0;
}

static void scene_init_ttl(struct scene *s, uint32_t least, uint32_t base, uint32_t most) {
    const struct cache_options options = {.bytes = 1 << 20,
                                          .entries = 1000,
                                          .shards = 1,
                                          .ttl_min = least,
                                          .ttl_base = base,
                                          .ttl_max = most};
    scene_init(s, &options);
}

static void cache_items__begin_with_the_base(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 20, 200, 2000);
    struct source none = {.ledger = &s.ledger};
    for (uint32_t now = 1000; now <= 3000; now += 1000) {
        cache_tick(s.cache, now);
        scene_keep(&s, now, 1);
        assert_int_equal(expiry(&s, now), now + 200);
        assert_int_equal(source_version(&s, &none, now + 1), 0);
        assert_int_equal(expiry(&s, now + 1), now + 20);
    }
}

static void cache_items__expire_at_their_tick(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 100, 100, 100);
    cache_tick(s.cache, 50);
    scene_keep(&s, 1, 1);
    for (uint32_t now = 50; now < 150; now++) {
        cache_tick(s.cache, now);
        assert_int_equal(scene_version(&s, 1), 1);
    }
    cache_tick(s.cache, 150);
    assert_int_equal(scene_version(&s, 1), 0);
}

/* Without a sweep, by the clock alone. */
static void cache_items__expire_before_the_sweep_comes_by(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 100, 100, 100);
    scene_keep(&s, 1, 1);
    atomic_store(&s.cache->now, 99);
    assert_int_equal(scene_version(&s, 1), 1);
    atomic_store(&s.cache->now, 100);
    assert_int_equal(scene_version(&s, 1), 0);
    assert_non_null(scene_peek(&s, 1));
    assert_int_equal(scene_stats(&s).expired, 0);
    struct source source = {.ledger = &s.ledger, .version = 1};
    assert_int_equal(source_version(&s, &source, 1), 1);
    assert_int_equal(source.loads, 1); /* and whoever finds it counts it */
    assert_int_equal(scene_stats(&s).expired, 1);
    assert_int_equal(expiry(&s, 1), 200);
}

static void cache_items__negative_keep_the_least_time(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 30, 300, 3000);
    struct source none = {.ledger = &s.ledger};
    assert_int_equal(source_version(&s, &none, 1), 0);
    for (uint32_t now = 0; now < 30; now++) {
        cache_tick(s.cache, now);
        for (int reads = 0; reads < 20; reads++)
            assert_int_equal(source_version(&s, &none, 1), 0);
    }
    assert_int_equal(none.loads, 1);
    cache_tick(s.cache, 30);
    assert_int_equal(source_version(&s, &none, 1), 0);
    assert_int_equal(none.loads, 2);
    assert_int_equal(scene_stats(&s).expired, 1);
}

/* ---- Growing and shrinking ------------------------------------------------------------------ */

static void cache_items__read_all_the_time_live_long(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 60, 300, 3600);
    scene_keep(&s, 1, 1);
    uint32_t now = 0;
    for (; scene_version(&s, 1) && now <= 3600; now++)
        cache_tick(s.cache, now + 1);
    /* A sweep finds it read in the tick before. */
    assert_int_equal(now, cache_ttl(&defaults, 255, 1));
    assert_in_range(now, 3400, 3600);
}

static void cache_items__never_read_live_shortly(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options by_access = {
        .bytes = 1 << 20, .entries = 1000, .shards = 1, .access_weight = 1};
    scene_init(&s, &by_access);
    scene_keep(&s, 1, 1);
    assert_int_equal(expiry(&s, 1), 300);
    uint32_t now = 0;
    for (; scene_peek(&s, 1) && now < 300; now++)
        cache_tick(s.cache, now + 1);
    assert_in_range(now, 60, 60 + CACHE_SWEEP_TICKS); /* ttl_min, and until the sweep came by */
}

static void cache_items__idle_lose_what_they_had_earned(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 60, 300, 3600);
    scene_keep(&s, 1, 1);
    for (int reads = 0; reads < 8; reads++)
        assert_int_equal(scene_version(&s, 1), 1);
    uint32_t before = UINT32_MAX;
    for (uint32_t now = 0; now <= 150; now += CACHE_SWEEP_TICKS) {
        cache_tick(s.cache, now);
        if (now == 0)
            continue; /* looks at a tenth only */
        uint32_t after = expiry(&s, 1);
        assert_int_equal(after, cache_ttl(&defaults, 8, now));
        assert_true(after < before);
        before = after;
    }
}

static void cache_tick__does_not_bring_back_what_has_expired(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 60, 300, 3600);
    scene_keep(&s, 1, 1);
    for (int reads = 0; reads < 100; reads++)
        assert_int_equal(scene_version(&s, 1), 1);
    assert_true(cache_ttl(&defaults, 100, 400) > 400); /* it would have earned more, meanwhile */
    cache_tick(s.cache, 400);
    assert_int_equal(scene_version(&s, 1), 0);
    assert_null(scene_peek(&s, 1));
    assert_int_equal(scene_stats(&s).expired, 1);
}

/* ---- The sweep, and the clock --------------------------------------------------------------- */

static void cache_tick__gives_memory_back_without_reads(void **state) {
    (void)state;
    enum { COUNT = 900 };
    SCENE(s);
    scene_init_ttl(&s, 50, 50, 50);
    for (uint64_t i = 0; i < COUNT; i++)
        scene_keep(&s, i, 1);
    for (uint32_t now = 1; now < 50; now++)
        cache_tick(s.cache, now);
    assert_int_equal(scene_stats(&s).entries, COUNT);
    for (uint32_t now = 50; now < 50 + CACHE_SWEEP_TICKS; now++)
        cache_tick(s.cache, now);
    struct cache_stats stats = scene_stats(&s);
    assert_int_equal(stats.entries, 0);
    assert_int_equal(stats.bytes, 0);
    assert_int_equal(stats.expired, COUNT);
    assert_in_range(ledger_live(&s.ledger), 0, RETIRE_COUNT - 1); /* what waits for company */
}

static void cache_tick__sweeps_everything_after_a_gap(void **state) {
    (void)state;
    static const uint32_t gaps[] = {CACHE_SWEEP_TICKS, 1000, UINT32_MAX - 1000};
    for (size_t i = 0; i < COUNT_OF(gaps); i++) {
        SCENE(s);
        scene_init_ttl(&s, 5, 5, 5);
        for (uint64_t number = 0; number < 500; number++)
            scene_keep(&s, number, 1);
        cache_tick(s.cache, gaps[i]);
        assert_int_equal(scene_stats(&s).entries, 0);
        assert_int_equal(scene_stats(&s).expired, 500);
    }
}

static void cache_tick__never_goes_back(void **state) {
    (void)state;
    SCENE(s);
    scene_init_ttl(&s, 100, 100, 100);
    cache_tick(s.cache, 1000);
    scene_keep(&s, 1, 1);
    cache_tick(s.cache, 1100);
    assert_int_equal(scene_version(&s, 1), 0);
    scene_keep(&s, 2, 1);
    cache_tick(s.cache, 1050);
    cache_tick(s.cache, 0);
    assert_int_equal(scene_version(&s, 1), 0);
    assert_int_equal(expiry(&s, 2), 1200);
    scene_keep(&s, 3, 1);
    assert_int_equal(expiry(&s, 3), 1200);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_ttl__has_the_values_of_its_formula),
        cmocka_unit_test(cache_ttl__rises_with_reads_and_falls_with_idleness),
        cmocka_unit_test(cache_ttl__of_three_equal_times_is_that_time),
        cmocka_unit_test(cache_items__begin_with_the_base),
        cmocka_unit_test(cache_items__expire_at_their_tick),
        cmocka_unit_test(cache_items__expire_before_the_sweep_comes_by),
        cmocka_unit_test(cache_items__negative_keep_the_least_time),
        cmocka_unit_test(cache_items__read_all_the_time_live_long),
        cmocka_unit_test(cache_items__never_read_live_shortly),
        cmocka_unit_test(cache_items__idle_lose_what_they_had_earned),
        cmocka_unit_test(cache_tick__does_not_bring_back_what_has_expired),
        cmocka_unit_test(cache_tick__gives_memory_back_without_reads),
        cmocka_unit_test(cache_tick__sweeps_everything_after_a_gap),
        cmocka_unit_test(cache_tick__never_goes_back),
    };
    return cmocka_run_group_tests_name("cache/ttl", tests, NULL, NULL);
}
