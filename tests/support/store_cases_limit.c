/*
 * store_cases_limit.c - conformance: what is too large or against the rules changes nothing.
 */
#include <stdio.h>

#include "support/store_cases.h"

static const uint8_t filler[2048] = "abcdefghijklmnopqrstuvwxyz";

static void limit__largest_record_goes_in_or_is_refused(struct store_home *home) {
    AUTO_FREE struct attribute *attributes = mem_zalloc(STORE_ATTRIBUTES_MAX, sizeof *attributes);
    AUTO_FREE uint8_t *values = mem_zalloc(STORE_ATTRIBUTES_MAX, STORE_ATTRIBUTE_VALUE_MAX);
    assert_true(attributes && values);
    for (size_t i = 0; i < STORE_ATTRIBUTES_MAX; i++) {
        uint8_t *value = values + i * STORE_ATTRIBUTE_VALUE_MAX;
        put_be64(value, i);
        attributes[i].name = slice_of(filler, STORE_ATTRIBUTE_NAME_MAX);
        attributes[i].value = slice_of(value, STORE_ATTRIBUTE_VALUE_MAX);
    }
    struct mutation put = put_of(MNEME_EPISODE, 1);
    put.record.attributes = attributes;
    put.record.attribute_count = STORE_ATTRIBUTES_MAX;
    put.record.plain_size = UINT32_MAX;
    if (home->maker->refuses_largest) {
        assert_int_equal(apply_one(home->store, &put), MNEME_TOO_LARGE);
        return;
    }
    must_apply(home->store, &put, 1);
    AUTO_RECORDS struct record_set set = {0};
    assert_null(record_difference(&put.record, must_get(home->store, MNEME_EPISODE, 1, &set)));
    struct store_query query = {.kind = MNEME_EPISODE,
                                .filters = attributes + STORE_ATTRIBUTES_MAX - STORE_FILTERS_MAX,
                                .filter_count = STORE_FILTERS_MAX};
    ASSERT_LISTING(home->store, &query, 1);
}

static void limit__more_is_too_large_and_changes_nothing(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    AUTO_FREE uint8_t *big = mem_zalloc(1, STORE_BODY_MAX + 1);
    AUTO_FREE struct attribute *attributes =
        mem_zalloc(STORE_ATTRIBUTES_MAX + 1, sizeof *attributes);
    AUTO_FREE uint8_t *values = mem_zalloc(STORE_ATTRIBUTES_MAX + 1, 8);
    assert_true(big && attributes && values);
    for (size_t i = 0; i <= STORE_ATTRIBUTES_MAX; i++) {
        put_be64(values + i * 8, i);
        attributes[i] = (struct attribute){slice_of_string("tag"), slice_of(values + i * 8, 8)};
    }
    struct attribute long_name = {slice_of(filler, STORE_ATTRIBUTE_NAME_MAX + 1), {0}};
    struct attribute long_value = {slice_of_string("tag"),
                                   slice_of(filler, STORE_ATTRIBUTE_VALUE_MAX + 1)};
    struct mutation puts[5];
    for (size_t i = 0; i < COUNT_OF(puts); i++)
        puts[i] = put_of(MNEME_EPISODE, (unsigned)i % 2 + 1);
    puts[0].record.body = slice_of(big, STORE_BODY_MAX + 1);
    puts[1].record.attributes = attributes;
    puts[1].record.attribute_count = STORE_ATTRIBUTES_MAX + 1;
    puts[2].record.attributes = &long_name;
    puts[2].record.attribute_count = 1;
    puts[3].record.attributes = &long_value;
    puts[3].record.attribute_count = 1;
    puts[4].record.parent = numbered_id(9);
    puts[4].record.place = (uint64_t)STORE_PLACE_MAX + 1;
    for (size_t i = 0; i < COUNT_OF(puts); i++) {
        struct mutation batch[] = {put_of(MNEME_STEP, 7), puts[i]};
        assert_refused(home->store, batch, 2, MNEME_TOO_LARGE);
    }
    struct mutation check = check_of(MNEME_EPISODE, 1, CONDITION_NO_ATTRIBUTE);
    check.expect_attribute = long_value;
    assert_refused(home->store, &check, 1, MNEME_TOO_LARGE);
}

static void rule__attributes_are_a_sorted_set(struct store_home *home) {
    const struct attribute wrong[][2] = {
        {attribute_of("b", "1"), attribute_of("a", "1")},
        {attribute_of("a", "2"), attribute_of("a", "1")},
        {attribute_of("a", "1"), attribute_of("a", "1")},
        {attribute_of("ab", ""), attribute_of("a", "z")},
        {attribute_of("", "1"), attribute_of("a", "1")},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct mutation put = put_of(MNEME_EPISODE, 1);
        put.record.attributes = wrong[i];
        put.record.attribute_count = 2;
        assert_refused(home->store, &put, 1, MNEME_INVALID);
    }
}

static void rule__a_mutation_must_make_sense(struct store_home *home) {
    struct mutation wrong[] = {
        put_of(MNEME_EPISODE, 0),
        put_of(MNEME_KIND_NONE, 1),
        put_of((mneme_kind)MNEME_KIND_COUNT, 1),
        delete_of(MNEME_EPISODE, 0),
        purge_of((mneme_kind)77, 1),
        check_of(MNEME_EPISODE, 1, CONDITION_NONE),
        check_of(MNEME_EPISODE, 1, CONDITION_CHILDREN),
        check_of(MNEME_EPISODE, 1, CONDITION_NO_ATTRIBUTE),
        check_of(MNEME_EPISODE, 1, (enum condition)99),
        put_of(MNEME_EPISODE, 1),
        put_of(MNEME_EPISODE, 1),
        put_of(MNEME_EPISODE, 1),
        put_of(MNEME_EPISODE, 1),
        delete_of(MNEME_EPISODE, 1),
    };
    wrong[9].record.place = 1;
    wrong[10].record.flags = MNEME_FLAG_DELETED;
    wrong[11].op = (enum mutation_op)99;
    wrong[12].record.version.clock = STORE_CLOCK_MAX + 1;
    wrong[13].record.version.clock = UINT64_MAX;
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_refused(home->store, &wrong[i], 1, MNEME_INVALID);
}

static void assert_query_refused(struct store *store, const struct store_query *query, int status) {
    AUTO_RECORDS struct record_set set = {0};
    bool more = true;
    mneme_error error = {0};
    assert_int_equal(store_query(store, query, &set, &more, &error), status);
    assert_int_equal(error.code, status);
    assert_true(strlen(error.message) > 10);
    assert_true(more);
    assert_int_equal(set.count, 0);
    assert_int_equal(store_query(store, query, &set, &more, NULL), status);
}

static void rule__a_query_must_make_sense(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    struct attribute filters[STORE_FILTERS_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(filters); i++)
        filters[i] = attribute_of("tag", "a");
    const struct attribute no_name = attribute_of("", "a");
    const struct attribute long_value = {slice_of_string("tag"),
                                         slice_of(filler, STORE_ATTRIBUTE_VALUE_MAX + 1)};
    const struct {
        int status;
        struct store_query query;
    } wrong[] = {
        {MNEME_INVALID, {.kind = MNEME_KIND_NONE, .limit = 1}},
        {MNEME_INVALID, {.kind = (mneme_kind)MNEME_KIND_COUNT, .limit = 1}},
        {MNEME_INVALID, {.kind = MNEME_EPISODE, .limit = 0}},
        {MNEME_TOO_LARGE, {.kind = MNEME_EPISODE, .limit = STORE_PAGE_MAX + 1}},
        {MNEME_INVALID, {.kind = MNEME_EPISODE, .limit = 1, .id_prefix = slice_of(filler, 17)}},
        {MNEME_INVALID, {.kind = MNEME_EPISODE, .limit = 1, .has_parent = true}},
        {MNEME_INVALID,
         {.kind = MNEME_EPISODE,
          .limit = 1,
          .has_parent = true,
          .parent = numbered_id(1),
          .id_prefix = slice_of(filler, 1)}},
        {MNEME_TOO_LARGE,
         {.kind = MNEME_EPISODE,
          .limit = 1,
          .filters = filters,
          .filter_count = STORE_FILTERS_MAX + 1}},
        {MNEME_INVALID,
         {.kind = MNEME_EPISODE, .limit = 1, .filters = &no_name, .filter_count = 1}},
        {MNEME_TOO_LARGE,
         {.kind = MNEME_EPISODE, .limit = 1, .filters = &long_value, .filter_count = 1}},
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_query_refused(home->store, &wrong[i].query, wrong[i].status);
}

static void rule__a_page_of_changes_has_one_record_or_more(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    AUTO_RECORDS struct record_set set = {0};
    mneme_error error = {0};
    assert_int_equal(store_changes(home->store, 0, 0, false, &set, &error), MNEME_INVALID);
    assert_int_equal(store_changes(home->store, 0, STORE_PAGE_MAX + 1, false, &set, &error),
                     MNEME_TOO_LARGE);
    assert_int_equal(set.count, 0);
    assert_int_equal(store_changes(home->store, 0, STORE_PAGE_MAX, false, &set, &error), 0);
    assert_int_equal(set.count, 1);
}

static const struct store_case cases[] = {
    CASE(limit__largest_record_goes_in_or_is_refused),
    CASE(limit__more_is_too_large_and_changes_nothing),
    CASE(rule__attributes_are_a_sorted_set),
    CASE(rule__a_mutation_must_make_sense),
    CASE(rule__a_query_must_make_sense),
    CASE(rule__a_page_of_changes_has_one_record_or_more),
};
const struct store_case_list store_limit_cases = {cases, COUNT_OF(cases)};
