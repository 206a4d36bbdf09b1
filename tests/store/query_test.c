/*
 * query_test.c - which records match a query, and where its pages go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/store_impl.h"
#include "support/store_records.h"

static struct stored_record sample(struct attribute attributes[3]) {
    attributes[0] = attribute_of("domain", "travel");
    attributes[1] = attribute_of("tag", "a");
    attributes[2] = attribute_of("tag", "c");
    struct stored_record record = put_of(MNEME_STEP, 5).record;
    record.parent = numbered_id(9);
    record.place = 77;
    record.attributes = attributes;
    record.attribute_count = 3;
    return record;
}

static void query_matches__live_records_of_its_kind_only(void **state) {
    (void)state;
    struct attribute attributes[3];
    struct stored_record record = sample(attributes);
    struct store_query query = {.kind = MNEME_STEP};
    assert_true(query_matches(&query, &record));
    query.kind = MNEME_EPISODE;
    assert_false(query_matches(&query, &record));
    query.kind = MNEME_STEP;
    record.flags = MNEME_FLAG_SEALED;
    assert_true(query_matches(&query, &record));
    record.flags |= MNEME_FLAG_DELETED;
    assert_false(query_matches(&query, &record));
}

static void query_matches__time_from_since_to_before_until(void **state) {
    (void)state;
    struct attribute attributes[3];
    struct stored_record record = sample(attributes);
    struct store_query query = {.kind = MNEME_STEP, .has_since = true, .has_until = true};
    for (int64_t since = 4999; since <= 5001; since++) {
        for (int64_t until = 4999; until <= 5001; until++) {
            query.since_us = since;
            query.until_us = until;
            assert_int_equal(query_matches(&query, &record), since <= 5000 && until > 5000);
        }
    }
    query.has_since = query.has_until = false;
    assert_true(query_matches(&query, &record));
}

static void query_matches__needs_every_filter(void **state) {
    (void)state;
    struct attribute attributes[3];
    struct stored_record record = sample(attributes);
    static const struct {
        const char *name, *value;
        bool has;
    } rows[] = {{"domain", "travel", true}, {"tag", "a", true},  {"tag", "c", true},
                {"tag", "b", false},        {"tag", "", false},  {"domain", "trave", false},
                {"aaa", "a", false},        {"zzz", "c", false}, {"ta", "ga", false}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct attribute filters[] = {attribute_of("tag", "c"),
                                      attribute_of(rows[i].name, rows[i].value)};
        struct store_query query = {.kind = MNEME_STEP, .filters = filters, .filter_count = 2};
        assert_int_equal(query_matches(&query, &record), rows[i].has);
    }
    record.attribute_count = 0;
    struct store_query query = {.kind = MNEME_STEP, .filters = attributes, .filter_count = 1};
    assert_false(query_matches(&query, &record));
}

static void query_matches__parent_and_id_prefix(void **state) {
    (void)state;
    struct attribute attributes[3];
    struct stored_record record = sample(attributes);
    struct store_query query = {.kind = MNEME_STEP, .has_parent = true, .parent = numbered_id(9)};
    assert_true(query_matches(&query, &record));
    query.parent = numbered_id(8);
    assert_false(query_matches(&query, &record));
    query.has_parent = false;
    for (size_t size = 0; size <= 16; size++) {
        mneme_id prefix = record.id;
        query.id_prefix = slice_of(&prefix, size);
        assert_true(query_matches(&query, &record));
        if (size) {
            prefix.bytes[size - 1] ^= 1;
            assert_false(query_matches(&query, &record));
        }
    }
}

static void query_sort_key__is_place_or_nothing_or_time(void **state) {
    (void)state;
    struct attribute attributes[3];
    struct stored_record record = sample(attributes);
    struct store_query query = {.kind = MNEME_STEP};
    assert_int_equal(query_sort_key(&query, &record), 5000);
    query.has_parent = true;
    assert_int_equal(query_sort_key(&query, &record), 77);
    query.has_parent = false;
    query.id_prefix = slice_of("x", 1);
    assert_int_equal(query_sort_key(&query, &record), 0);
    struct position after = position_after(&query, &record);
    assert_true(after.set);
    assert_true(id_equal(&after.id, &record.id));
}

static void query_goes_on__strictly_after_its_position(void **state) {
    (void)state;
    struct stored_record record = put_of(MNEME_STEP, 5).record;
    struct store_query query = {.kind = MNEME_STEP, .order = ORDER_OLDEST_FIRST};
    assert_true(query_goes_on_with(&query, &record));
    static const struct {
        int64_t sort;
        unsigned n;
        bool oldest, newest; /* whether the record comes after it in that order */
    } rows[] = {{5000, 5, false, false},    {5000, 4, true, false}, {5000, 6, false, true},
                {4999, 9, true, false},     {5001, 1, false, true}, {INT64_MIN, 9, true, false},
                {INT64_MAX, 1, false, true}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        query.after =
            (struct position){.set = true, .sort = rows[i].sort, .id = numbered_id(rows[i].n)};
        query.order = ORDER_OLDEST_FIRST;
        assert_int_equal(query_goes_on_with(&query, &record), rows[i].oldest);
        query.order = ORDER_NEWEST_FIRST;
        assert_int_equal(query_goes_on_with(&query, &record), rows[i].newest);
    }
}

static void query_validate__names_what_is_wrong(void **state) {
    (void)state;
    struct attribute filters[STORE_FILTERS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(filters); i++)
        filters[i] = attribute_of("tag", "x");
    filters[1] = attribute_of("", "x");
    const struct {
        struct store_query query;
        int status;
        const char *says;
    } rows[] = {
        {{.kind = MNEME_STEP, .limit = 1}, 0, ""},
        {{.kind = MNEME_DICTIONARY, .limit = STORE_PAGE_MAX}, 0, ""},
        {{.kind = (mneme_kind)10, .limit = 1}, MNEME_INVALID, "kind 10"},
        {{.kind = (mneme_kind)-1, .limit = 1}, MNEME_INVALID, "kind -1"},
        {{.kind = MNEME_STEP}, MNEME_INVALID, "0 records"},
        {{.kind = MNEME_STEP, .limit = 10001}, MNEME_TOO_LARGE, "10001"},
        {{.kind = MNEME_STEP, .limit = 1, .filters = filters, .filter_count = 1}, 0, ""},
        {{.kind = MNEME_STEP, .limit = 1, .filters = filters, .filter_count = 2},
         MNEME_INVALID,
         "filter 2"},
        {{.kind = MNEME_STEP, .limit = 1, .filters = filters, .filter_count = 17},
         MNEME_TOO_LARGE,
         "17 filters"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        mneme_error error = {0};
        assert_int_equal(query_validate(&rows[i].query, &error), rows[i].status);
        assert_int_equal(error.code, rows[i].status);
        assert_non_null(strstr(error.message, rows[i].says));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(query_matches__live_records_of_its_kind_only),
        cmocka_unit_test(query_matches__time_from_since_to_before_until),
        cmocka_unit_test(query_matches__needs_every_filter),
        cmocka_unit_test(query_matches__parent_and_id_prefix),
        cmocka_unit_test(query_sort_key__is_place_or_nothing_or_time),
        cmocka_unit_test(query_goes_on__strictly_after_its_position),
        cmocka_unit_test(query_validate__names_what_is_wrong),
    };
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
