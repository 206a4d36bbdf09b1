/*
 * store_cases_query.c - conformance: queries of every shape, in both orders, page by page.
 */
#include "support/store_cases.h"

static void put_at(struct store *store, unsigned n, int64_t time_us) {
    struct mutation put = put_of(MNEME_EPISODE, n);
    put.record.time_us = time_us;
    must_apply(store, &put, 1);
}

static void query__orders_by_time_then_id(struct store_home *home) {
    static const int64_t times[] = {0,         500, -3, 500, INT64_MIN, 500,
                                    INT64_MAX, 0,   -1, 1,   INT64_MIN, INT64_MAX};
    for (unsigned n = 1; n <= COUNT_OF(times); n++)
        put_at(home->store, n, times[n - 1]);
    must_apply_one(home->store, put_of(MNEME_STEP, 100));
    struct store_query query = {.kind = MNEME_EPISODE};
    ASSERT_LISTING(home->store, &query, 12, 7, 6, 4, 2, 10, 8, 1, 9, 3, 11, 5);
    query.kind = MNEME_STEP;
    ASSERT_LISTING(home->store, &query, 100);
    query.kind = MNEME_PATTERN;
    assert_listing(home->store, &query, NULL, 0);
}

static void query__bounds_time_from_since_to_before_until(struct store_home *home) {
    static const int64_t times[] = {INT64_MIN, -1, 0, 1, 10, 10, 11, INT64_MAX};
    for (unsigned n = 1; n <= COUNT_OF(times); n++)
        put_at(home->store, n, times[n - 1]);
    struct store_query query = {.kind = MNEME_EPISODE, .has_since = true, .since_us = 10};
    ASSERT_LISTING(home->store, &query, 8, 7, 6, 5);
    query.since_us = INT64_MAX;
    ASSERT_LISTING(home->store, &query, 8);
    query.since_us = INT64_MIN;
    ASSERT_LISTING(home->store, &query, 8, 7, 6, 5, 4, 3, 2, 1);
    query.has_until = true;
    query.until_us = INT64_MAX;
    ASSERT_LISTING(home->store, &query, 7, 6, 5, 4, 3, 2, 1);
    query.since_us = 0;
    query.until_us = 10;
    ASSERT_LISTING(home->store, &query, 4, 3);
    query.until_us = 0;
    assert_listing(home->store, &query, NULL, 0);
    query.until_us = -100;
    assert_listing(home->store, &query, NULL, 0);
    query.has_since = false;
    ASSERT_LISTING(home->store, &query, 1);
    query.until_us = INT64_MIN;
    assert_listing(home->store, &query, NULL, 0);
}

/* Record n has "a" and, by the bits of n, some of "b" to "q", all with value "1"; so the filters
 * of any set of bits must find exactly the records with those bits. */
static void query__needs_all_of_several_filters(struct store_home *home) {
    enum { BITS = STORE_FILTERS_MAX - 1 };
    char names[BITS + 1][2];
    for (int i = 0; i <= BITS; i++)
        memcpy(names[i], (char[2]){(char)('a' + i), 0}, 2);
    static const unsigned numbers[] = {(1 << BITS) - 1, 0x5555 & ((1 << BITS) - 1), 12, 8, 5, 4, 1};
    for (size_t r = 0; r < COUNT_OF(numbers); r++) {
        struct attribute attributes[BITS + 1] = {attribute_of("a", "1")};
        struct mutation put = put_of(MNEME_EPISODE, numbers[r]);
        put.record.attributes = attributes;
        put.record.attribute_count = 1;
        for (int i = 0; i < BITS; i++)
            if (numbers[r] >> i & 1)
                attributes[put.record.attribute_count++] = attribute_of(names[i + 1], "1");
        must_apply(home->store, &put, 1);
    }
    static const unsigned masks[] = {0, 1, 2, 4, 8, 12, 5, 13, 0x5555, 0x2aaa, (1 << BITS) - 1};
    for (size_t m = 0; m < COUNT_OF(masks); m++) {
        struct attribute filters[BITS + 1];
        struct store_query query = {.kind = MNEME_EPISODE, .filters = filters};
        for (int i = BITS - 1; i >= 0; i--) /* not in the order of attributes */
            if (masks[m] >> i & 1)
                filters[query.filter_count++] = attribute_of(names[i + 1], "1");
        filters[query.filter_count++] = attribute_of("a", "1");
        unsigned expected[COUNT_OF(numbers)];
        size_t count = 0;
        for (size_t r = 0; r < COUNT_OF(numbers); r++)
            if ((numbers[r] & masks[m]) == masks[m])
                expected[count++] = numbers[r];
        assert_listing(home->store, &query, expected, count);
    }
}

static void query__tells_names_and_values_exactly_apart(struct store_home *home) {
    static const char *const pairs[][2] = {{"a", "b"},  {"a", ""},   {"ab", ""}, {"a", "bc"},
                                           {"ab", "c"}, {"abc", ""}, {"A", "b"}, {"a", "b "}};
    for (unsigned i = 0; i < COUNT_OF(pairs); i++) {
        struct attribute attribute = attribute_of(pairs[i][0], pairs[i][1]);
        struct mutation put = put_of(MNEME_EPISODE, i + 1);
        put.record.attributes = &attribute;
        put.record.attribute_count = 1;
        must_apply(home->store, &put, 1);
    }
    const uint8_t binary[] = {0, 1, 0, 0xff};
    for (unsigned size = 0; size < 4; size++) {
        struct attribute attribute = {slice_of(binary, size + 1), slice_of(binary, 3 - size)};
        struct mutation put = put_of(MNEME_EPISODE, 20 + size);
        put.record.attributes = &attribute;
        put.record.attribute_count = 1;
        must_apply(home->store, &put, 1);
    }
    for (unsigned i = 0; i < COUNT_OF(pairs); i++) {
        struct attribute filter = attribute_of(pairs[i][0], pairs[i][1]);
        struct store_query query = {.kind = MNEME_EPISODE, .filters = &filter, .filter_count = 1};
        ASSERT_LISTING(home->store, &query, i + 1);
    }
    for (unsigned size = 0; size < 4; size++) {
        struct attribute filter = {slice_of(binary, size + 1), slice_of(binary, 3 - size)};
        struct store_query query = {.kind = MNEME_EPISODE, .filters = &filter, .filter_count = 1};
        ASSERT_LISTING(home->store, &query, 20 + size);
    }
}

static void query__orders_filtered_records_by_time_too(struct store_home *home) {
    const struct attribute two[] = {attribute_of("tag", "x"), attribute_of("tag", "y")};
    for (unsigned n = 1; n <= 12; n++) {
        struct mutation put = put_of(MNEME_EPISODE, n);
        put.record.time_us = n % 3;
        put.record.attributes = two + (n % 4 == 0); /* every fourth has "y" only */
        put.record.attribute_count = n % 2 ? 1 : 2u - (n % 4 == 0);
        must_apply(home->store, &put, 1);
    }
    struct store_query query = {.kind = MNEME_EPISODE, .filters = two, .filter_count = 1};
    ASSERT_LISTING(home->store, &query, 11, 5, 2, 10, 7, 1, 9, 6, 3);
    query.filters = two + 1;
    ASSERT_LISTING(home->store, &query, 8, 2, 10, 4, 12, 6);
    query.filters = two;
    query.filter_count = 2;
    ASSERT_LISTING(home->store, &query, 2, 10, 6);
    query.filters = (const struct attribute[]){two[0], two[0]};
    ASSERT_LISTING(home->store, &query, 11, 5, 2, 10, 7, 1, 9, 6, 3);
    query.has_since = true;
    query.since_us = 1;
    query.has_until = true;
    query.until_us = 2;
    ASSERT_LISTING(home->store, &query, 10, 7, 1);
}

static void query__by_id_prefix_orders_by_id(struct store_home *home) {
    static const uint8_t ids[][16] = {
        {0x10},       {0x10, 0, 1},       {0x10, 0xff},         {0x11},
        {0x0f, 0xff}, {0xff, 0xff, 0xff}, {0xff, 0xff, 0xff, 1}};
    for (unsigned i = 0; i < COUNT_OF(ids); i++) {
        struct mutation put = put_of(MNEME_EPISODE, 1);
        memcpy(put.record.id.bytes, ids[i], 16);
        put_be32(put.record.id.bytes + 12, i + 1);
        put.record.time_us = 100 - (int64_t)i; /* time has no say in this order */
        must_apply(home->store, &put, 1);
        put.record.kind = MNEME_STEP;
        put.record.version = (mneme_version){0};
        must_apply(home->store, &put, 1);
    }
    struct store_query query = {.kind = MNEME_EPISODE};
    query.id_prefix = slice_of("\x10", 1);
    ASSERT_LISTING(home->store, &query, 3, 2, 1);
    query.id_prefix = slice_of("\x10\x00", 2);
    ASSERT_LISTING(home->store, &query, 2, 1);
    query.id_prefix = slice_of("\xff\xff\xff", 3);
    ASSERT_LISTING(home->store, &query, 7, 6);
    query.id_prefix = slice_of("\x12", 1);
    assert_listing(home->store, &query, NULL, 0);
    uint8_t whole[16] = {0x10, 0xff};
    put_be32(whole + 12, 3);
    query.id_prefix = slice_of(whole, 16);
    ASSERT_LISTING(home->store, &query, 3);
    query.id_prefix = slice_of("\x10", 1);
    query.has_since = true;
    query.since_us = 99;
    ASSERT_LISTING(home->store, &query, 2, 1);
    query.has_until = true;
    query.until_us = 100;
    ASSERT_LISTING(home->store, &query, 2);
}

static void query__by_parent_orders_by_place_then_id(struct store_home *home) {
    static const struct {
        unsigned n, parent;
        uint64_t place;
    } children[] = {{1, 100, 9},  {2, 100, 1}, {3, 100, 256},
                    {4, 100, 1},  {5, 200, 2}, {6, 100, (uint64_t)1 << 40},
                    {7, 100, 255}};
    const struct attribute attribute = attribute_of("tag", "x");
    for (size_t i = 0; i < COUNT_OF(children); i++) {
        struct mutation put = put_of(MNEME_STEP, children[i].n);
        put.record.parent = numbered_id(children[i].parent);
        put.record.place = children[i].place;
        put.record.time_us = -(int64_t)i;
        put.record.attributes = &attribute;
        put.record.attribute_count = children[i].n % 2;
        must_apply(home->store, &put, 1);
        put.record.kind = MNEME_CHECKPOINT;
        put.record.parent = numbered_id(300);
        put.record.version = (mneme_version){0};
        must_apply(home->store, &put, 1);
    }
    struct store_query query = {.kind = MNEME_STEP, .has_parent = true, .parent = numbered_id(100)};
    ASSERT_LISTING(home->store, &query, 6, 3, 7, 1, 4, 2);
    query.filters = &attribute;
    query.filter_count = 1;
    ASSERT_LISTING(home->store, &query, 3, 7, 1);
    query.has_since = true;
    query.since_us = -2;
    ASSERT_LISTING(home->store, &query, 3, 1);
    query.has_until = true;
    query.until_us = 0;
    ASSERT_LISTING(home->store, &query, 3);
    query.parent = numbered_id(300);
    assert_listing(home->store, &query, NULL, 0);
}

/* One thing changes at a time, so that no index is renewed only because another one is. */
static void query__follows_every_change_of_a_record(struct store_home *home) {
    const struct attribute x = attribute_of("tag", "x"), y = attribute_of("tag", "y");
    struct store_query by_time = {.kind = MNEME_STEP, .has_since = true, .since_us = 1000};
    struct store_query by_x = {.kind = MNEME_STEP, .filters = &x, .filter_count = 1};
    struct store_query by_y = {.kind = MNEME_STEP, .filters = &y, .filter_count = 1};
    struct store_query of_100 = {
        .kind = MNEME_STEP, .has_parent = true, .parent = numbered_id(100)};
    struct store_query of_200 = {
        .kind = MNEME_STEP, .has_parent = true, .parent = numbered_id(200)};
    struct mutation put = put_of(MNEME_STEP, 1), other = put_of(MNEME_STEP, 2);
    other.record.parent = put.record.parent = numbered_id(100);
    other.record.place = 5;
    put.record.place = 3;
    put.record.attributes = &x;
    put.record.attribute_count = 1;
    must_apply_one(home->store, other);
    must_apply_one(home->store, put);
    ASSERT_LISTING(home->store, &by_time, 2, 1);
    put.record.time_us = 999;
    must_apply_one(home->store, put);
    ASSERT_LISTING(home->store, &by_time, 2);
    put.record.time_us = 3000;
    must_apply_one(home->store, put);
    ASSERT_LISTING(home->store, &by_time, 1, 2);
    by_time.since_us = 2500;
    ASSERT_LISTING(home->store, &by_time, 1);
    by_time.since_us = 1000;
    put.record.attributes = &y;
    must_apply_one(home->store, put);
    assert_listing(home->store, &by_x, NULL, 0);
    ASSERT_LISTING(home->store, &by_y, 1);
    ASSERT_LISTING(home->store, &of_100, 2, 1);
    put.record.place = 7;
    must_apply_one(home->store, put);
    ASSERT_LISTING(home->store, &of_100, 1, 2);
    put.record.parent = numbered_id(200);
    must_apply_one(home->store, put);
    ASSERT_LISTING(home->store, &of_100, 2);
    ASSERT_LISTING(home->store, &of_200, 1);
    must_apply_one(home->store, delete_of(MNEME_STEP, 1));
    assert_listing(home->store, &by_y, NULL, 0);
    assert_listing(home->store, &of_200, NULL, 0);
    must_apply_one(home->store, put);
    ASSERT_LISTING(home->store, &by_y, 1);
    ASSERT_LISTING(home->store, &of_200, 1);
    must_apply_one(home->store, purge_of(MNEME_STEP, 1));
    assert_listing(home->store, &by_y, NULL, 0);
    assert_listing(home->store, &of_200, NULL, 0);
}

static void query__finds_a_record_that_comes_and_goes(struct store_home *home) {
    struct store_query query = {.kind = MNEME_STEP};
    must_apply_one(home->store, put_of(MNEME_STEP, 2));
    for (int i = 0; i < 3; i++) {
        must_apply_one(home->store, delete_of(MNEME_STEP, 2));
        assert_listing(home->store, &query, NULL, 0);
        must_apply_one(home->store, put_of(MNEME_STEP, 2));
        ASSERT_LISTING(home->store, &query, 2);
    }
    /* One that is as its tombstone was, but for being live. */
    struct mutation replica = delete_of(MNEME_STEP, 3), live = put_of(MNEME_STEP, 3);
    replica.record.version.clock = 1;
    live.record.time_us = 0;
    must_apply_one(home->store, replica);
    must_apply_one(home->store, live);
    ASSERT_LISTING(home->store, &query, 2, 3);
}

static void query__leaves_bodies_out_when_asked(struct store_home *home) {
    const struct attribute attribute = attribute_of("tag", "x");
    AUTO_FREE uint8_t *body = mem_zalloc(1, 10000);
    assert_non_null(body);
    struct mutation put = put_of(MNEME_EPISODE, 1);
    put.record.body = slice_of(body, 10000);
    put.record.plain_size = 20000;
    put.record.attributes = &attribute;
    put.record.attribute_count = 1;
    must_apply(home->store, &put, 1);
    struct store_query query = {.kind = MNEME_EPISODE, .limit = 1, .without_bodies = true};
    AUTO_RECORDS struct record_set set = {0};
    bool more = true;
    assert_int_equal(store_query(home->store, &query, &set, &more, NULL), 0);
    query.without_bodies = false;
    assert_int_equal(store_query(home->store, &query, &set, &more, NULL), 0);
    assert_false(more);
    assert_null(record_difference(&put.record, &set.records[1]));
    put.record.body.size = 0;
    assert_null(record_difference(&put.record, &set.records[0]));
}

/* A position is a place in the order, not a record: it holds when the record has gone or when
 * there never was one. */
static void query__goes_on_from_a_record_that_is_gone(struct store_home *home) {
    for (unsigned n = 1; n <= 6; n++)
        put_at(home->store, n, n / 3);
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 4));
    struct store_query query = {.kind = MNEME_EPISODE,
                                .limit = 10,
                                .after = {.set = true, .sort = 1, .id = numbered_id(4)}};
    AUTO_RECORDS struct record_set set = {0};
    bool more = true;
    assert_int_equal(store_query(home->store, &query, &set, &more, NULL), 0);
    query.order = ORDER_OLDEST_FIRST;
    assert_int_equal(store_query(home->store, &query, &set, &more, NULL), 0);
    static const unsigned numbers[] = {3, 2, 1, 5, 6};
    assert_int_equal(set.count, COUNT_OF(numbers));
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        assert_int_equal(number_of(&set.records[i].id), numbers[i]);
    query.after.sort = INT64_MAX;
    assert_int_equal(store_query(home->store, &query, &set, &more, NULL), 0);
    query.order = ORDER_NEWEST_FIRST;
    query.after.sort = INT64_MIN;
    assert_int_equal(store_query(home->store, &query, &set, &more, NULL), 0);
    assert_int_equal(set.count, COUNT_OF(numbers));
    assert_false(more);
}

/* More than a store may look at in one go. */
static void query__pages_through_thousands(struct store_home *home) {
    enum { COUNT = 9000, BATCH = 1000 };
    const struct attribute attribute = attribute_of("tag", "rare");
    AUTO_FREE struct mutation *puts = mem_zalloc(BATCH, sizeof *puts);
    assert_non_null(puts);
    for (unsigned first = 1; first <= COUNT; first += BATCH) {
        for (unsigned i = 0; i < BATCH; i++) {
            puts[i] = put_of(MNEME_STEP, first + i);
            puts[i].record.time_us = (first + i) / 100;
            puts[i].record.parent = numbered_id(COUNT + 1);
            puts[i].record.attributes = &attribute;
            puts[i].record.attribute_count = (first + i) % 2999 == 0;
        }
        must_apply(home->store, puts, BATCH);
    }
    struct store_query shapes[] = {
        {.kind = MNEME_STEP, .limit = 701},
        {.kind = MNEME_STEP, .limit = STORE_PAGE_MAX},
        {.kind = MNEME_STEP, .limit = 4096, .has_parent = true, .parent = numbered_id(COUNT + 1)},
        {.kind = MNEME_STEP, .limit = 4097, .id_prefix = slice_of("\x01\x89", 2)}};
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        bool more = true;
        unsigned expected = COUNT;
        while (more) {
            AUTO_RECORDS struct record_set set = {0};
            assert_int_equal(store_query(home->store, &shapes[i], &set, &more, NULL), 0);
            for (size_t r = 0; r < set.count; r++)
                assert_int_equal(number_of(&set.records[r].id), expected--);
            shapes[i].after = position_after(&shapes[i], &set.records[set.count - 1]);
        }
        assert_int_equal(expected, 0);
    }
    struct store_query rare = {.kind = MNEME_STEP,
                               .has_parent = true,
                               .parent = numbered_id(COUNT + 1),
                               .filters = &attribute,
                               .filter_count = 1};
    ASSERT_LISTING(home->store, &rare, 8997, 5998, 2999);
}

static const struct store_case cases[] = {
    CASE(query__orders_by_time_then_id),
    CASE(query__bounds_time_from_since_to_before_until),
    CASE(query__needs_all_of_several_filters),
    CASE(query__tells_names_and_values_exactly_apart),
    CASE(query__orders_filtered_records_by_time_too),
    CASE(query__by_id_prefix_orders_by_id),
    CASE(query__by_parent_orders_by_place_then_id),
    CASE(query__follows_every_change_of_a_record),
    CASE(query__finds_a_record_that_comes_and_goes),
    CASE(query__leaves_bodies_out_when_asked),
    CASE(query__goes_on_from_a_record_that_is_gone),
    CASE(query__pages_through_thousands),
};
const struct store_case_list store_query_cases = {cases, COUNT_OF(cases)};
