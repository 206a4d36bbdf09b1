/*
 * store_cases_read.c - conformance: get, changes and statistics.
 */
#include "support/store_cases.h"

/* ---- Get --------------------------------------------------------------------------------- */

static void get__finds_many_names_also_twice_and_missing_ones(struct store_home *home) {
    for (unsigned n = 1; n <= 20; n++) {
        struct mutation put = put_of(n % 2 ? MNEME_EPISODE : MNEME_STEP, n);
        put.record.plain_size = n;
        must_apply(home->store, &put, 1);
    }
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 7));
    struct record_name names[60];
    size_t found[60];
    for (unsigned i = 0; i < 60; i++) {
        names[i].kind = i % 3 ? MNEME_EPISODE : MNEME_STEP;
        names[i].id = numbered_id(i * 7 % 25);
    }
    AUTO_RECORDS struct record_set set = {0};
    assert_int_equal(store_get(home->store, names, 60, &set, found, NULL), 0);
    for (unsigned i = 0; i < 60; i++) {
        unsigned n = i * 7 % 25;
        bool there = n >= 1 && n <= 20 && (n % 2 != 0) == (i % 3 != 0);
        assert_int_equal(found[i] != SIZE_MAX, there);
        if (!there)
            continue;
        const struct stored_record *record = &set.records[found[i]];
        assert_int_equal(number_of(&record->id), n);
        assert_int_equal(record->kind, names[i].kind);
        assert_int_equal(record->flags, n == 7 ? MNEME_FLAG_DELETED : 0);
        assert_int_equal(record->plain_size, n == 7 ? 0 : n);
    }
}

static void get__appends_to_the_set(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    must_apply_one(home->store, put_of(MNEME_EPISODE, 2));
    AUTO_RECORDS struct record_set set = {0};
    mneme_id first = numbered_id(1), second = numbered_id(2);
    assert_int_equal(store_get(home->store, NULL, 0, &set, NULL, NULL), 0);
    assert_int_equal(set.count, 0);
    assert_int_equal(store_get_one(home->store, MNEME_EPISODE, &first, &set, NULL), 0);
    assert_int_equal(store_get_one(home->store, MNEME_EPISODE, &second, &set, NULL), 0);
    struct store_query query = {.kind = MNEME_EPISODE, .limit = 10};
    bool more = true;
    assert_int_equal(store_query(home->store, &query, &set, &more, NULL), 0);
    assert_int_equal(store_changes(home->store, 1, 10, false, &set, NULL), 0);
    static const unsigned numbers[] = {1, 2, 2, 1, 2};
    assert_int_equal(set.count, COUNT_OF(numbers));
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(number_of(&set.records[i].id), numbers[i]);
}

static void get_one__knows_live_records_only(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    must_apply_one(home->store, put_of(MNEME_EPISODE, 2));
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 2));
    AUTO_RECORDS struct record_set set = {0};
    mneme_id ids[] = {numbered_id(1), numbered_id(2), numbered_id(3)};
    mneme_error error = {0};
    assert_int_equal(store_get_one(home->store, MNEME_EPISODE, &ids[0], &set, &error), 0);
    assert_int_equal(error.code, 0);
    for (size_t i = 1; i < 3; i++) {
        assert_int_equal(store_get_one(home->store, MNEME_EPISODE, &ids[i], &set, &error),
                         MNEME_NOT_FOUND);
        assert_int_equal(error.code, MNEME_NOT_FOUND);
        assert_non_null(strstr(error.message, "episode 01890a5d-0000-0000-0000-00000000000"));
    }
    assert_int_equal(store_get_one(home->store, MNEME_STEP, &ids[0], &set, NULL), MNEME_NOT_FOUND);
    assert_int_equal(set.count, 1);
}

/* ---- Changes ----------------------------------------------------------------------------- */

/* The feed from `since` is exactly these records, with these change numbers. */
static void assert_feed(struct store *store, uint64_t since, size_t limit, const unsigned *numbers,
                        const uint64_t *changes, size_t count) {
    AUTO_RECORDS struct record_set set = {0};
    assert_int_equal(store_changes(store, since, limit, false, &set, NULL), 0);
    assert_int_equal(set.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(number_of(&set.records[i].id), numbers[i]);
        assert_int_equal(set.records[i].change, changes[i]);
    }
}

static void changes__list_each_record_once_at_its_last_change(struct store_home *home) {
    assert_feed(home->store, 0, 10, NULL, NULL, 0);
    for (unsigned n = 1; n <= 5; n++)
        must_apply_one(home->store, put_of(n % 2 ? MNEME_EPISODE : MNEME_STEP, n));
    for (int i = 0; i < 50; i++)
        must_apply_one(home->store, put_of(MNEME_EPISODE, 3));
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    must_apply_one(home->store, delete_of(MNEME_STEP, 4));
    must_apply_one(home->store, purge_of(MNEME_STEP, 2));
    const unsigned numbers[] = {5, 3, 1, 4};
    const uint64_t changes[] = {5, 55, 56, 57};
    assert_feed(home->store, 0, 10, numbers, changes, 4);
    assert_feed(home->store, 4, 10, numbers, changes, 4);
    assert_feed(home->store, 5, 10, numbers + 1, changes + 1, 3);
    assert_feed(home->store, 54, 10, numbers + 1, changes + 1, 3);
    assert_feed(home->store, 55, 1, numbers + 2, changes + 2, 1);
    assert_feed(home->store, 56, 10, numbers + 3, changes + 3, 1);
    assert_feed(home->store, 57, 10, NULL, NULL, 0);
    assert_feed(home->store, UINT64_MAX, 10, NULL, NULL, 0);
    struct store_stats stats;
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    assert_int_equal(stats.changes, 57);
}

static void changes__come_whole_and_in_pages(struct store_home *home) {
    const struct attribute attribute = attribute_of("tag", "x");
    struct mutation puts[40];
    for (unsigned i = 0; i < COUNT_OF(puts); i++) {
        puts[i] = put_of(MNEME_STEP, 40 - i);
        puts[i].record.parent = numbered_id(99);
        puts[i].record.attributes = &attribute;
        puts[i].record.attribute_count = 1;
        puts[i].record.body = slice_of("0123456789012345678901234567890123456789", i);
    }
    must_apply(home->store, puts, COUNT_OF(puts));
    for (size_t limit = 1; limit <= 41; limit += 4) {
        AUTO_RECORDS struct record_set set = {0};
        size_t before;
        do {
            before = set.count;
            uint64_t since = before ? set.records[before - 1].change : 0;
            assert_int_equal(store_changes(home->store, since, limit, false, &set, NULL), 0);
            assert_true(set.count - before <= limit);
            assert_true(set.count == before || set.records[before].change > since);
        } while (set.count > before);
        assert_int_equal(set.count, COUNT_OF(puts));
        for (size_t i = 0; i < set.count; i++)
            assert_null(record_difference(&puts[i].record, &set.records[i]));
    }
}

/* ---- Statistics -------------------------------------------------------------------------- */

static void stats__count_live_and_dead_records_and_bytes(struct store_home *home) {
    struct mutation puts[] = {put_of(MNEME_EPISODE, 1), put_of(MNEME_EPISODE, 2),
                              put_of(MNEME_EPISODE, 3), put_of(MNEME_STEP, 1)};
    for (unsigned i = 0; i < COUNT_OF(puts); i++) {
        puts[i].record.body = slice_of("0123456789", i + 1);
        puts[i].record.plain_size = 100 * (i + 1);
    }
    must_apply(home->store, puts, COUNT_OF(puts));
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 2));
    struct mutation smaller = put_of(MNEME_EPISODE, 3);
    smaller.record.body = slice_of("x", 1);
    smaller.record.plain_size = 7;
    must_apply(home->store, &smaller, 1);
    struct store_stats stats = {0};
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    struct kind_stats expected[MNEME_KIND_COUNT] = {
        [MNEME_EPISODE] = {.records = 2, .tombstones = 1, .stored_bytes = 2, .plain_bytes = 107},
        [MNEME_STEP] = {.records = 1, .stored_bytes = 4, .plain_bytes = 400}};
    assert_memory_equal(stats.kinds, expected, sizeof expected);
    assert_int_equal(stats.changes, 6);
    must_apply_one(home->store, put_of(MNEME_EPISODE, 2));
    must_apply_one(home->store, purge_of(MNEME_EPISODE, 1));
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    expected[MNEME_EPISODE] =
        (struct kind_stats){.records = 2, .stored_bytes = 1, .plain_bytes = 7};
    assert_memory_equal(stats.kinds, expected, sizeof expected);
}

static const struct store_case cases[] = {
    CASE(get__finds_many_names_also_twice_and_missing_ones),
    CASE(get__appends_to_the_set),
    CASE(get_one__knows_live_records_only),
    CASE(changes__list_each_record_once_at_its_last_change),
    CASE(changes__come_whole_and_in_pages),
    CASE(stats__count_live_and_dead_records_and_bytes),
};
const struct store_case_list store_read_cases = {cases, COUNT_OF(cases)};
