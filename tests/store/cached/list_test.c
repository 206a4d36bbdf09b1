/*
 * list_test.c - lists through the caches: what is kept, which queries share it, and where a page
 * ends.
 */
#include "support/cached_scene.h"

enum { EPISODES = 6 };

/* ---- Records to list --------------------------------------------------------------------- */

static const struct attribute red = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"red", 3}};
static const struct attribute blue = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"blue", 4}};

static struct mutation put_with(mneme_kind kind, unsigned n, const struct attribute *attribute) {
    struct mutation put = put_of(kind, n);
    put.record.attributes = attribute;
    put.record.attribute_count = attribute ? 1 : 0;
    return put;
}

static struct mutation put_child(unsigned n, unsigned parent) {
    struct mutation put = put_of(MNEME_STEP, n);
    put.record.parent = numbered_id(parent);
    return put;
}

/* Episodes 1 to 6, the odd ones red and the even ones blue; patterns too; two steps. */
static void make_records(struct cached_scene *scene) {
    for (unsigned n = 1; n <= EPISODES; n++) {
        apply_ok(scene->other, put_with(MNEME_EPISODE, n, n % 2 ? &red : &blue));
        apply_ok(scene->other, put_with(MNEME_PATTERN, n, n % 2 ? &red : &blue));
    }
    apply_ok(scene->other, put_child(101, 1));
    apply_ok(scene->other, put_child(102, 1));
}

static struct store_query since(int64_t time_us) {
    struct store_query query = query_for(MNEME_EPISODE);
    query.has_since = true;
    query.since_us = time_us;
    return query;
}

static struct store_query with(mneme_kind kind, const struct attribute *attribute) {
    struct store_query query = query_for(kind);
    query.filters = attribute;
    query.filter_count = 1;
    return query;
}

static struct store_query steps_of(unsigned parent) {
    struct store_query query = query_for(MNEME_STEP);
    query.has_parent = true;
    query.parent = numbered_id(parent);
    return query;
}

static struct store_query with_limit(struct store_query query, size_t limit) {
    query.limit = limit;
    return query;
}

/* ---- What is kept ------------------------------------------------------------------------ */

static void cached_list__second_time_is_a_hit(void **state) {
    struct cached_scene *scene = *state;
    static const uint8_t prefix[] = {0x01, 0x89};
    struct store_query queries[] = {
        since(3000), with(MNEME_EPISODE, &red), with(MNEME_PATTERN, &red),
        steps_of(1), query_for(MNEME_PATTERN),  query_for(MNEME_RELATION)};
    make_records(scene);
    queries[4].id_prefix = slice_of(prefix, sizeof prefix);
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        assert_false(is_listed(scene, &queries[i]));
    for (size_t i = 0; i < COUNT_OF(queries); i++)
        assert_true(is_listed(scene, &queries[i]));
    struct cache_stats stats = part_stats(scene, CACHED_QUERIES);
    assert_int_equal(stats.misses, COUNT_OF(queries));
    assert_int_equal(stats.hits, COUNT_OF(queries));
    assert_int_equal(stats.entries, COUNT_OF(queries));
}

static void cached_list__keeps_its_records(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = with(MNEME_EPISODE, &red);
    make_records(scene);
    assert_false(is_listed(scene, &query));
    assert_true(is_cached(scene, MNEME_EPISODE, 1));
    assert_true(is_cached(scene, MNEME_EPISODE, 5));
    assert_false(is_cached(scene, MNEME_EPISODE, 2));
    unsigned gets = atomic_load(&scene->below->gets);
    assert_true(is_listed(scene, &query));
    assert_int_equal(atomic_load(&scene->below->gets), gets);
}

static void cached_list__gives_the_items_that_are_cached(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = query_for(MNEME_EPISODE);
    struct cache_item *item;
    mneme_id id = numbered_id(2);
    make_records(scene);
    assert_int_equal(cached_acquire(scene->cached, MNEME_EPISODE, &id, &item, NULL), 0);
    for (int round = 0; round < 2; round++) {
        CLEANUP(cached_page_fini) struct cached_page page = {0};
        assert_int_equal(cached_list(scene->cached, &query, &page, NULL), 0);
        assert_ptr_equal(page.items[1], item);
    }
    cache_item_release(item);
}

/* Queries that differ in one thing are lists of their own. */
static void cached_list__differs_by_everything_in_the_query(void **state) {
    struct cached_scene *scene = *state;
    struct store_query base = since(2000), other[8];
    make_records(scene);
    for (size_t i = 0; i < COUNT_OF(other); i++)
        other[i] = base;
    other[0].limit = 99;
    other[1].order = ORDER_NEWEST_FIRST;
    other[2].since_us = 2001;
    other[3].has_until = true;
    other[3].until_us = 5000;
    other[4].filters = &red;
    other[4].filter_count = 1;
    other[5].kind = MNEME_PATTERN;
    other[6].after = (struct position){.set = true, .sort = 3000, .id = numbered_id(3)};
    other[7].id_prefix = slice_of("\x01", 1);
    assert_false(is_listed(scene, &base));
    for (size_t i = 0; i < COUNT_OF(other); i++)
        assert_false(is_listed(scene, &other[i]));
    assert_true(is_listed(scene, &base));
    for (size_t i = 0; i < COUNT_OF(other); i++)
        assert_true(is_listed(scene, &other[i]));
}

/* What is not set in a query, and whether bodies are wanted, makes no difference. */
static void cached_list__shares_what_is_the_same(void **state) {
    struct cached_scene *scene = *state;
    struct store_query base = query_for(MNEME_EPISODE), same = base;
    make_records(scene);
    same.since_us = 12345;
    same.until_us = 1;
    same.parent = numbered_id(9);
    same.after.sort = 77;
    same.without_bodies = true;
    assert_false(is_listed(scene, &base));
    assert_true(is_listed(scene, &same));
}

static void cached_list__queries_off_reads_the_store(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    struct store_query query = query_for(MNEME_EPISODE);
    options.parts[CACHED_QUERIES].bytes = 0;
    cached_scene_reopen(scene, &options);
    make_records(scene);
    assert_false(is_listed(scene, &query));
    assert_false(is_listed(scene, &query));
    assert_true(is_cached(scene, MNEME_EPISODE, 1));
}

static void cached_list__records_off_keeps_no_list(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    struct store_query query = query_for(MNEME_EPISODE);
    options.parts[CACHED_EPISODES].bytes = 0;
    cached_scene_reopen(scene, &options);
    make_records(scene);
    assert_false(is_listed(scene, &query));
    assert_false(is_listed(scene, &query));
    assert_int_equal(part_stats(scene, CACHED_QUERIES).entries, 0);
}

static void cached_list__bad_query_is_refused(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = with_limit(query_for(MNEME_EPISODE), 0);
    struct cached_page page = {0};
    mneme_error error;
    assert_int_equal(cached_list(scene->cached, &query, &page, &error), MNEME_INVALID);
    query = query_for(MNEME_KIND_COUNT);
    assert_int_equal(cached_list(scene->cached, &query, &page, &error), MNEME_INVALID);
    assert_null(page.items);
}

/* The greatest page has no room for the one behind it, and is not kept. */
static void cached_list__greatest_page_is_right(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = with_limit(query_for(MNEME_EPISODE), STORE_PAGE_MAX);
    make_records(scene);
    assert_false(is_listed(scene, &query));
    assert_false(is_listed(scene, &query));
    query.limit--;
    assert_false(is_listed(scene, &query));
    assert_true(is_listed(scene, &query));
}

/* ---- Pages ------------------------------------------------------------------------------- */

/* Read a listing page by page; returns how many pages came from the caches. */
static unsigned walk(struct cached_scene *scene, struct store_query query, size_t *pages,
                     size_t *records) {
    unsigned listed = 0;
    bool more = true;
    *pages = *records = 0;
    while (more) {
        CLEANUP(cached_page_fini) struct cached_page page = {0};
        listed += is_listed(scene, &query);
        assert_int_equal(cached_list(scene->cached, &query, &page, NULL), 0);
        query.after = page.last;
        *records += page.count;
        more = page.more;
        assert_true(++*pages <= EPISODES);
    }
    return listed;
}

static void cached_list__pages_follow_each_other(void **state) {
    struct cached_scene *scene = *state;
    size_t pages, records;
    make_records(scene);
    for (size_t limit = 1; limit <= EPISODES; limit++) {
        struct store_query query = with_limit(query_for(MNEME_EPISODE), limit);
        query.order = limit % 2 ? ORDER_NEWEST_FIRST : ORDER_OLDEST_FIRST;
        assert_int_equal(walk(scene, query, &pages, &records), 0);
        assert_int_equal(records, EPISODES);
        assert_int_equal(walk(scene, query, &pages, &records), pages);
        assert_int_equal(pages, (EPISODES + limit - 1) / limit);
        assert_int_equal(records, EPISODES);
    }
}

/* The record behind a page is what its `more` rests on. */
static void cached_list__more_goes_with_the_record_behind(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = with_limit(with(MNEME_EPISODE, &red), 2); /* 1 and 3; behind: 5 */
    make_records(scene);
    assert_false(is_listed(scene, &query));
    apply_ok(scene->other, delete_of(MNEME_EPISODE, 5));
    assert_false(is_listed(scene, &query)); /* which compares `more` with the store's */
    assert_true(is_listed(scene, &query));
    apply_ok(scene->cached, put_with(MNEME_EPISODE, 5, &red));
    assert_false(is_listed(scene, &query));
    apply_ok(scene->cached, put_with(MNEME_EPISODE, 5, &blue));
    assert_false(is_listed(scene, &query));
    assert_true(is_listed(scene, &query));
}

/* A page that a change makes empty, and one that it ends just here. */
static void cached_list__last_page_grows_and_shrinks(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = with_limit(query_for(MNEME_EPISODE), 3);
    make_records(scene);
    query.after = (struct position){.set = true, .sort = 5000, .id = numbered_id(5)};
    assert_false(is_listed(scene, &query));
    apply_ok(scene->other, delete_of(MNEME_EPISODE, 6));
    assert_false(is_listed(scene, &query));
    assert_true(is_listed(scene, &query));
    for (unsigned n = 6; n <= 9; n++) {
        apply_ok(scene->other, put_with(MNEME_EPISODE, n, NULL));
        assert_false(is_listed(scene, &query));
        assert_true(is_listed(scene, &query));
    }
}

/* ---- Records that left while their list stayed ------------------------------------------- */

/* An open episode is dropped with each of its steps, and lists of it stay. */
static void step__leaves_the_list_of_its_episode(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = query_for(MNEME_EPISODE);
    make_records(scene);
    assert_false(is_listed(scene, &query));
    apply_ok(scene->other, put_child(103, 2));
    assert_true(is_listed(scene, &query));
    assert_int_equal(part_stats(scene, CACHED_EPISODES).dropped[CACHE_CHANGED], 1);
    assert_true(is_cached(scene, MNEME_EPISODE, 2));
}

/* Where too many records of a list are gone, one query is cheaper than many reads. */
static void cached_list__many_missing_records_are_read_at_once(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    struct store_query query = query_for(MNEME_EPISODE);
    options.parts[CACHED_EPISODES].entries = 2;
    cached_scene_reopen(scene, &options);
    make_records(scene);
    for (int round = 0; round < 3; round++) {
        unsigned gets = atomic_load(&scene->below->gets);
        assert_false(is_listed(scene, &query));
        assert_int_equal(atomic_load(&scene->below->gets), gets);
    }
}

/* ---- As a store -------------------------------------------------------------------------- */

static void store_query__is_answered_from_the_caches(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = with_limit(query_for(MNEME_PATTERN), 4);
    make_records(scene);
    for (int round = 0; round < 2; round++) {
        AUTO_RECORDS struct record_set set = {0}, below = {0};
        bool more = false, more_below = false;
        unsigned before = atomic_load(&scene->below->queries);
        query.without_bodies = round;
        assert_int_equal(store_query(scene->cached, &query, &set, &more, NULL), 0);
        assert_int_equal(atomic_load(&scene->below->queries) - before, round ? 0 : 1);
        assert_int_equal(store_query(scene->other, &query, &below, &more_below, NULL), 0);
        assert_int_equal(more, more_below);
        assert_int_equal(set.count, below.count);
        for (size_t i = 0; i < set.count; i++)
            assert_null(record_difference(&set.records[i], &below.records[i]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHED_CASE(cached_list__second_time_is_a_hit),
        CACHED_CASE(cached_list__keeps_its_records),
        CACHED_CASE(cached_list__gives_the_items_that_are_cached),
        CACHED_CASE(cached_list__differs_by_everything_in_the_query),
        CACHED_CASE(cached_list__shares_what_is_the_same),
        CACHED_CASE(cached_list__queries_off_reads_the_store),
        CACHED_CASE(cached_list__records_off_keeps_no_list),
        CACHED_CASE(cached_list__bad_query_is_refused),
        CACHED_CASE(cached_list__greatest_page_is_right),
        CACHED_CASE(cached_list__pages_follow_each_other),
        CACHED_CASE(cached_list__more_goes_with_the_record_behind),
        CACHED_CASE(cached_list__last_page_grows_and_shrinks),
        CACHED_CASE(step__leaves_the_list_of_its_episode),
        CACHED_CASE(cached_list__many_missing_records_are_read_at_once),
        CACHED_CASE(store_query__is_answered_from_the_caches),
    };
    return cmocka_run_group_tests_name("cached lists", tests, NULL, NULL);
}
