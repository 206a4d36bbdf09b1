/*
 * cache_test.c - the caches of a handle, as a caller sees them: the same record again, what is held
 * stays, options and statistics.
 */
#include <math.h>

#include "api/cache_fixture.h"

/* ---- The same record again --------------------------------------------------------------- */

/* One copy in memory, whatever header leads to it. */
static void assert_same_content(const mneme_record *a, const mneme_record *b) {
    assert_ptr_equal(a->as.pattern, b->as.pattern);
    assert_int_equal(a->version.clock, b->version.clock);
    assert_memory_equal(&a->id, &b->id, sizeof a->id);
}

static void mneme_acquire__shares_one_copy_while_nothing_changes(void **state) {
    mneme *m = open_cached(*state);
    mneme_id id = put_pattern(m, "name", "first"), other = put_pattern(m, "name", "another");
    const mneme_record *first = acquire(m, MNEME_PATTERN, &id), *again;
    again = acquire(m, MNEME_PATTERN, &id);
    assert_same_content(first, again);
    mneme_release(m, again);
    rewrite_pattern(m, &other, "changed");
    again = acquire(m, MNEME_PATTERN, &id);
    assert_same_content(first, again);
    mneme_release(m, again);
    rewrite_pattern(m, &id, "second");
    again = acquire(m, MNEME_PATTERN, &id);
    assert_ptr_not_equal(first->as.pattern, again->as.pattern);
    assert_description(first, "first");
    assert_description(again, "second");
    mneme_release(m, first);
    mneme_release(m, again);
    store_close_ok(m);
}

static void mneme_list__shares_records_with_mneme_acquire(void **state) {
    mneme *m = open_cached(*state);
    mneme_id id = put_pattern(m, "name", "shared");
    const mneme_record *record = acquire(m, MNEME_PATTERN, &id);
    for (int round = 0; round < 2; round++) {
        const mneme_page *page = list(m, MNEME_PATTERN, NULL);
        assert_int_equal(page->count, 1);
        assert_same_content(page->records[0], record);
        mneme_page_release(m, page);
    }
    mneme_release(m, record);
    store_close_ok(m);
}

/* ---- What is held stays ------------------------------------------------------------------ */

static void held_record__outlives_change_delete_and_handle(void **state) {
    mneme *m = open_cached(*state);
    mneme_id id = put_pattern(m, "name", "as it was");
    const mneme_record *held = acquire(m, MNEME_PATTERN, &id);
    rewrite_pattern(m, &id, "changed");
    const mneme_record *changed = acquire(m, MNEME_PATTERN, &id);
    delete_record(m, MNEME_PATTERN, &id);
    assert_gone(m, MNEME_PATTERN, &id);
    assert_description(held, "as it was");
    store_close_ok(m);
    assert_description(held, "as it was");
    assert_description(changed, "changed");
    mneme_release(NULL, held);
    mneme_release(NULL, changed);
}

static mneme_options tiny_options(void) {
    mneme_options options = cached_options();
    for (size_t i = 0; i < MNEME_CACHE_COUNT; i++)
        options.cache.limits[i] = (mneme_cache_limits){.bytes = 20000, .entries = 4};
    return options;
}

static void held_record__outlives_its_eviction(void **state) {
    enum { RECORDS = 40 };
    mneme_options options = tiny_options();
    mneme *m = open_with(*state, &options);
    const mneme_record *held[RECORDS];
    char description[RECORDS][32];
    for (unsigned i = 0; i < RECORDS; i++) {
        snprintf(description[i], sizeof description[i], "pattern %u", i);
        mneme_id id = put_pattern(m, "name", description[i]);
        held[i] = acquire(m, MNEME_PATTERN, &id);
    }
    mneme_cache_stats stats = stats_of(m, MNEME_CACHE_PATTERNS);
    assert_true(stats.entries <= 4 && stats.bytes <= 20000);
    assert_true(stats.evictions_by_entries + stats.evictions_by_bytes > 0);
    for (unsigned i = 0; i < RECORDS; i++) {
        assert_description(held[i], description[i]);
        mneme_release(m, held[i]);
    }
    store_close_ok(m);
}

static void held_page__outlives_change_delete_and_handle(void **state) {
    mneme *m = open_cached(*state);
    mneme_id ids[2] = {put_pattern(m, "name", "one"), put_pattern(m, "name", "two")};
    const mneme_page *pages[2] = {list(m, MNEME_PATTERN, NULL), list(m, MNEME_PATTERN, NULL)};
    rewrite_pattern(m, &ids[0], "changed");
    delete_record(m, MNEME_PATTERN, &ids[1]);
    store_close_ok(m);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pages[i]->count, 2);
        assert_description(pages[i]->records[0], "two"); /* newest first */
        assert_description(pages[i]->records[1], "one");
        mneme_page_release(NULL, pages[i]);
    }
}

/* ---- Options ----------------------------------------------------------------------------- */

static void assert_works(mneme *m) {
    mneme_id id = put_pattern(m, "name", "first");
    for (int round = 0; round < 3; round++) {
        const mneme_record *record = acquire(m, MNEME_PATTERN, &id);
        assert_description(record, round ? "second" : "first");
        mneme_release(m, record);
        assert_int_equal(count_listed(m, MNEME_PATTERN, "type", "tool_sequence"), 1);
        rewrite_pattern(m, &id, "second");
    }
    delete_record(m, MNEME_PATTERN, &id);
    assert_gone(m, MNEME_PATTERN, &id);
    assert_gone(m, MNEME_PATTERN, &id);
    assert_int_equal(count_listed(m, MNEME_PATTERN, "type", "tool_sequence"), 0);
}

static void assert_no_stats(mneme *m, mneme_cache_id id) {
    mneme_cache_stats stats = stats_of(m, id), none = {0};
    assert_memory_equal(&stats, &none, sizeof none);
}

static void cache_off__counts_nothing_and_is_right(void **state) {
    mneme_options options = cached_options();
    options.cache.off = true;
    mneme *m = open_with(*state, &options);
    assert_works(m);
    for (int i = 0; i < MNEME_CACHE_COUNT; i++)
        assert_no_stats(m, (mneme_cache_id)i);
    store_close_ok(m);
}

static void cache_each_off__is_as_all_off(void **state) {
    mneme_options options = cached_options();
    for (int i = 0; i < MNEME_CACHE_COUNT; i++)
        options.cache.limits[i].off = true;
    mneme *m = open_with(*state, &options);
    assert_works(m);
    for (int i = 0; i < MNEME_CACHE_COUNT; i++)
        assert_no_stats(m, (mneme_cache_id)i);
    store_close_ok(m);
}

static void cache_one_off__leaves_the_others(void **state) {
    for (int off = 0; off < MNEME_CACHE_COUNT; off++) {
        mneme_options options = cached_options();
        options.cache.limits[off].off = true;
        mneme *m = open_with(*state, &options);
        assert_works(m);
        mneme_id id = start_episode(m, "an episode");
        mneme_release(m, acquire(m, MNEME_EPISODE, &id));
        for (int i = 0; i < MNEME_CACHE_COUNT; i++) {
            mneme_cache_stats stats = stats_of(m, (mneme_cache_id)i);
            bool lists = i == MNEME_CACHE_QUERIES && off == MNEME_CACHE_PATTERNS;
            if (i == off)
                assert_no_stats(m, (mneme_cache_id)i);
            else
                assert_true(lists || stats.misses > 0);
        }
        store_close_ok(m);
    }
}

static void cache_tiny__is_right(void **state) {
    mneme_options options = tiny_options();
    mneme *m = open_with(*state, &options);
    for (int i = 0; i < 20; i++)
        assert_works(m);
    store_close_ok(m);
}

/* Room for nothing at all is no error either. */
static void cache_of_one_byte__is_right(void **state) {
    mneme_options options = cached_options();
    for (size_t i = 0; i < MNEME_CACHE_COUNT; i++)
        options.cache.limits[i] = (mneme_cache_limits){.bytes = 1, .entries = 1};
    mneme *m = open_with(*state, &options);
    assert_works(m);
    assert_int_equal(stats_of(m, MNEME_CACHE_PATTERNS).entries, 0);
    assert_true(stats_of(m, MNEME_CACHE_PATTERNS).rejections > 0);
    store_close_ok(m);
}

static void cache_no_fill_by_writes__keeps_what_is_read(void **state) {
    mneme_options options = cached_options();
    options.cache.no_fill_by_writes = true;
    mneme *m = open_with(*state, &options);
    mneme_id id = put_pattern(m, "name", "read later");
    put_pattern(m, "name", "never read");
    assert_int_equal(stats_of(m, MNEME_CACHE_PATTERNS).entries, 0);
    mneme_release(m, acquire(m, MNEME_PATTERN, &id));
    put_pattern(m, "name", "never read");
    assert_int_equal(stats_of(m, MNEME_CACHE_PATTERNS).entries, 1);
    store_close_ok(m);
}

static void cache_fill_by_writes__serves_the_first_read(void **state) {
    mneme *m = open_cached(*state);
    mneme_id first = put_pattern(m, "name", "gets the caches in step");
    mneme_release(m, acquire(m, MNEME_PATTERN, &first));
    uint64_t misses = stats_of(m, MNEME_CACHE_PATTERNS).misses;
    mneme_id id = put_pattern(m, "name", "kept as it was written");
    const mneme_record *record = acquire(m, MNEME_PATTERN, &id);
    assert_description(record, "kept as it was written");
    mneme_release(m, record);
    assert_int_equal(stats_of(m, MNEME_CACHE_PATTERNS).misses, misses);
    store_close_ok(m);
}

static void cache_options__that_make_no_sense_are_refused(void **state) {
    struct home *home = *state;
    mneme_error error;
    mneme *m = NULL;
    for (int i = 0; i < MNEME_CACHE_COUNT; i++) {
        mneme_options options = cached_options();
        options.cache.limits[i].ttl_min_s = 1000; /* over the 300 of ttl_s */
        REFUSED(mneme_open(home->path, &options, &m, &error), MNEME_INVALID, &error);
        assert_says(&error, "times to live are 1000, 300 and 3600");
        options.cache.limits[i] = (mneme_cache_limits){.ttl_s = 5000};
        REFUSED(mneme_open(home->path, &options, &m, &error), MNEME_INVALID, &error);
        assert_says(&error, "times to live are");
    }
    const double weights[][2] = {{-1, 0.5}, {0.5, -1}, {INFINITY, 1}, {NAN, 1}};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++) {
        mneme_options options = cached_options();
        options.cache.access_weight = weights[i][0];
        options.cache.recency_weight = weights[i][1];
        REFUSED(mneme_open(home->path, &options, &m, &error), MNEME_INVALID, &error);
        assert_says(&error, "weights");
    }
    assert_null(m);
    m = open_cached(home); /* nothing of the attempts is left in the way */
    assert_works(m);
    store_close_ok(m);
}

/* ---- Statistics -------------------------------------------------------------------------- */

static void mneme_stats_get__counts_what_the_caches_do(void **state) {
    mneme_options options = cached_options();
    options.cache.no_fill_by_writes = true;
    options.cache.limits[MNEME_CACHE_PATTERNS] =
        (mneme_cache_limits){.bytes = 1 << 20, .entries = 9};
    mneme *m = open_with(*state, &options);
    mneme_id id = put_pattern(m, "name", "counted"), none = {{1, 2, 3}};
    for (int i = 0; i < 3; i++) {
        mneme_release(m, acquire(m, MNEME_PATTERN, &id));
        assert_gone(m, MNEME_PATTERN, &none);
    }
    mneme_cache_stats stats = stats_of(m, MNEME_CACHE_PATTERNS);
    assert_int_equal(stats.misses, 2);
    assert_int_equal(stats.hits, 4);
    assert_int_equal(stats.negative_hits, 2);
    assert_int_equal(stats.admissions, 2);
    assert_int_equal(stats.entries, 2);
    assert_true(stats.bytes > 0 && stats.bytes < stats.bytes_max);
    assert_int_equal(stats.bytes_max, 1 << 20);
    assert_int_equal(stats.entries_max, 9);
    rewrite_pattern(m, &id, "changed");
    mneme_release(m, acquire(m, MNEME_PATTERN, &id));
    assert_int_equal(stats_of(m, MNEME_CACHE_PATTERNS).invalidations_by_change, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_listed(m, MNEME_PATTERN, "type", "tool_sequence"), 1);
    stats = stats_of(m, MNEME_CACHE_QUERIES);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.hits, 2);
    store_close_ok(m);
}

static void mneme_cache_name__names_each(void **state) {
    (void)state;
    assert_string_equal(mneme_cache_name(MNEME_CACHE_EPISODES), "episodes");
    assert_string_equal(mneme_cache_name(MNEME_CACHE_PATTERNS), "patterns");
    assert_string_equal(mneme_cache_name(MNEME_CACHE_QUERIES), "queries");
    assert_null(mneme_cache_name(MNEME_CACHE_COUNT));
    assert_null(mneme_cache_name((mneme_cache_id)-1));
}

static void store_in_memory__has_caches_too(void **state) {
    (void)state;
    mneme_options options = cached_options();
    mneme *m = NULL;
    mneme_error error;
    OK(mneme_open("mem:", &options, &m, &error), &error);
    assert_works(m);
    assert_true(stats_of(m, MNEME_CACHE_PATTERNS).hits > 0);
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        HOME_CASE(mneme_acquire__shares_one_copy_while_nothing_changes),
        HOME_CASE(mneme_list__shares_records_with_mneme_acquire),
        HOME_CASE(held_record__outlives_change_delete_and_handle),
        HOME_CASE(held_record__outlives_its_eviction),
        HOME_CASE(held_page__outlives_change_delete_and_handle),
        HOME_CASE(cache_off__counts_nothing_and_is_right),
        HOME_CASE(cache_each_off__is_as_all_off),
        HOME_CASE(cache_one_off__leaves_the_others),
        HOME_CASE(cache_tiny__is_right),
        HOME_CASE(cache_of_one_byte__is_right),
        HOME_CASE(cache_no_fill_by_writes__keeps_what_is_read),
        HOME_CASE(cache_fill_by_writes__serves_the_first_read),
        HOME_CASE(cache_options__that_make_no_sense_are_refused),
        HOME_CASE(mneme_stats_get__counts_what_the_caches_do),
        HOME_CASE(mneme_cache_name__names_each),
        HOME_CASE(store_in_memory__has_caches_too),
    };
    return cmocka_run_group_tests_name("api/cache", tests, NULL, NULL);
}
