/*
 * store_cases_write.c - conformance: put, delete, purge, versions and places.
 */
#include "os/os.h"
#include "support/store_cases.h"

/* ---- Put --------------------------------------------------------------------------------- */

static void put__keeps_every_field(struct store_home *home) {
    const struct attribute attributes[] = {attribute_of("domain", "travel"),
                                           attribute_of("meta.a", ""), attribute_of("tag", "x"),
                                           attribute_of("tag", "y")};
    struct mutation put = put_of(MNEME_STEP, 7);
    put.record.flags = MNEME_FLAG_SEALED | 1u << 20;
    put.record.parent = numbered_id(3);
    put.record.place = 12;
    put.record.attributes = attributes;
    put.record.attribute_count = COUNT_OF(attributes);
    put.record.body = slice_of("body\0with a NUL", 15);
    put.record.plain_size = 4711;
    must_apply(home->store, &put, 1);
    assert_true(put.applied);
    assert_int_equal(put.record.change, 1);
    assert_false(version_is_zero(put.record.version));
    AUTO_RECORDS struct record_set set = {0};
    const struct stored_record *stored = must_get(home->store, MNEME_STEP, 7, &set);
    assert_null(record_difference(&put.record, stored));
}

static void put__keeps_kinds_with_the_same_id_apart(struct store_home *home) {
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        struct mutation put = put_of((mneme_kind)kind, 1);
        put.record.plain_size = (uint32_t)kind;
        must_apply(home->store, &put, 1);
    }
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        AUTO_RECORDS struct record_set set = {0};
        assert_int_equal(must_get(home->store, (mneme_kind)kind, 1, &set)->plain_size, kind);
        assert_int_equal(set.records[0].kind, kind);
    }
}

static void put__replaces_all_of_the_old_record(struct store_home *home) {
    const struct attribute attribute = attribute_of("tag", "old");
    struct mutation old = put_of(MNEME_CHECKPOINT, 1);
    old.record.flags = MNEME_FLAG_SEALED;
    old.record.parent = numbered_id(9);
    old.record.attributes = &attribute;
    old.record.attribute_count = 1;
    old.record.body = slice_of_string("old body");
    old.record.plain_size = 99;
    must_apply(home->store, &old, 1);
    struct mutation put = put_of(MNEME_CHECKPOINT, 1);
    put.record.time_us = -5;
    must_apply(home->store, &put, 1);
    assert_int_equal(put.record.change, 2);
    AUTO_RECORDS struct record_set set = {0};
    const struct stored_record *stored = must_get(home->store, MNEME_CHECKPOINT, 1, &set);
    assert_null(record_difference(&put.record, stored));
    struct store_query query = {.kind = MNEME_CHECKPOINT, .filters = &attribute, .filter_count = 1};
    assert_listing(home->store, &query, NULL, 0);
}

/* All small sizes, because a store may cut a body into parts at any of them. */
static void put__keeps_bodies_of_every_size_to_the_byte(struct store_home *home) {
    enum { SMALL = 2800, BIG = 5 << 20 };
    static const size_t more[] = {4096, 100 << 10, BIG - 7};
    AUTO_FREE uint8_t *bytes = mem_alloc(BIG);
    AUTO_FREE struct mutation *puts = mem_zalloc(SMALL + COUNT_OF(more), sizeof *puts);
    assert_true(bytes && puts);
    test_random_fill(1, bytes, BIG);
    for (unsigned i = 0; i < SMALL + COUNT_OF(more); i++) {
        puts[i] = put_of(MNEME_EPISODE, i + 1);
        puts[i].record.body = slice_of(bytes + i % 7, i < SMALL ? i : more[i - SMALL]);
    }
    must_apply(home->store, puts, SMALL + COUNT_OF(more));
    for (unsigned i = 0; i < SMALL + COUNT_OF(more); i++) {
        AUTO_RECORDS struct record_set set = {0};
        const struct stored_record *stored = must_get(home->store, MNEME_EPISODE, i + 1, &set);
        assert_null(record_difference(&puts[i].record, stored));
    }
}

static void put__changes_the_size_of_a_body_up_and_down(struct store_home *home) {
    static const size_t sizes[] = {10, 9000, 0, 1331, 600, 1330, 651, 300000, 1, 4000};
    AUTO_FREE uint8_t *bytes = mem_alloc(300000);
    assert_non_null(bytes);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        test_random_fill(i, bytes, sizes[i]);
        struct mutation put = put_of(MNEME_EPISODE, 1);
        put.record.body = slice_of(bytes, sizes[i]);
        must_apply(home->store, &put, 1);
        AUTO_RECORDS struct record_set set = {0};
        assert_null(record_difference(&put.record, must_get(home->store, MNEME_EPISODE, 1, &set)));
    }
}

static void put__keeps_attribute_values_of_every_size_and_byte(struct store_home *home) {
    uint8_t bytes[256 + STORE_ATTRIBUTE_VALUE_MAX];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (unsigned size = 0; size <= STORE_ATTRIBUTE_VALUE_MAX; size++) {
        struct attribute attribute = {slice_of_string("tag"), slice_of(bytes + size * 4, size)};
        struct mutation put = put_of(MNEME_PATTERN, size + 1);
        put.record.attributes = &attribute;
        put.record.attribute_count = 1;
        must_apply(home->store, &put, 1);
        AUTO_RECORDS struct record_set set = {0};
        assert_null(
            record_difference(&put.record, must_get(home->store, MNEME_PATTERN, size + 1, &set)));
    }
    for (unsigned size = 0; size <= STORE_ATTRIBUTE_VALUE_MAX; size++) {
        struct attribute attribute = {slice_of_string("tag"), slice_of(bytes + size * 4, size)};
        struct store_query query = {
            .kind = MNEME_PATTERN, .filters = &attribute, .filter_count = 1};
        ASSERT_LISTING(home->store, &query, size + 1);
    }
}

static void put__copies_what_it_was_given(struct store_home *home) {
    uint8_t body[] = "body", name[] = "name", value[] = "value";
    struct attribute attribute = {slice_of(name, 4), slice_of(value, 5)};
    struct mutation put = put_of(MNEME_EPISODE, 1);
    put.record.body = slice_of(body, 4);
    put.record.attributes = &attribute;
    put.record.attribute_count = 1;
    must_apply(home->store, &put, 1);
    memset(body, 'x', 4);
    memset(name, 'x', 4);
    memset(value, 'x', 5);
    attribute = (struct attribute){{0}, {0}};
    AUTO_RECORDS struct record_set set = {0};
    const struct stored_record *stored = must_get(home->store, MNEME_EPISODE, 1, &set);
    assert_true(slice_equal(stored->body, slice_of_string("body")));
    assert_true(slice_equal(stored->attributes[0].name, slice_of_string("name")));
    assert_true(slice_equal(stored->attributes[0].value, slice_of_string("value")));
}

/* ---- Versions ---------------------------------------------------------------------------- */

static void version__rises_with_every_write(struct store_home *home) {
    uint64_t before_ms = (uint64_t)clock_wall_us() / 1000;
    mneme_version last = {0, 0};
    for (unsigned i = 0; i < 20; i++) {
        struct mutation write = i % 5 == 4 ? delete_of(MNEME_EPISODE, 2) : put_of(MNEME_EPISODE, 2);
        must_apply(home->store, &write, 1);
        assert_true(version_compare(write.record.version, last) > 0);
        assert_true(write.record.version.clock >> 16 >= before_ms);
        last = write.record.version;
    }
    struct store_stats stats;
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    assert_int_equal(last.device, stats.device);
}

static struct mutation versioned(struct mutation mutation, uint64_t clock, uint64_t device) {
    mutation.record.version = (mneme_version){clock, device};
    return mutation;
}

static void version__of_a_replica_goes_in_only_when_greater(struct store_home *home) {
    static const struct {
        uint64_t clock, device;
        bool applied;
    } puts[] = {{5, 5, true}, {5, 5, false}, {4, 9, false}, {5, 4, false},
                {5, 6, true}, {6, 0, true},  {0, 9, false}};
    uint64_t changes = 0;
    for (size_t i = 0; i < COUNT_OF(puts); i++) {
        struct mutation put = versioned(put_of(MNEME_EPISODE, 1), puts[i].clock, puts[i].device);
        put.record.plain_size = (uint32_t)i;
        put.applied = !puts[i].applied;
        must_apply(home->store, &put, 1);
        assert_int_equal(put.applied, puts[i].applied);
        changes += puts[i].applied;
        struct store_stats stats;
        assert_int_equal(store_stats(home->store, &stats, NULL), 0);
        assert_int_equal(stats.changes, changes);
    }
    AUTO_RECORDS struct record_set set = {0};
    const struct stored_record *stored = must_get(home->store, MNEME_EPISODE, 1, &set);
    assert_int_equal(stored->plain_size, 5);
    assert_int_equal(stored->version.clock, 6);
}

static void version__of_a_tombstone_counts(struct store_home *home) {
    must_apply_one(home->store, versioned(put_of(MNEME_EPISODE, 1), 5, 1));
    must_apply_one(home->store, versioned(delete_of(MNEME_EPISODE, 1), 7, 1));
    struct mutation late = versioned(put_of(MNEME_EPISODE, 1), 6, 1);
    must_apply(home->store, &late, 1);
    assert_false(late.applied);
    struct mutation later = versioned(put_of(MNEME_EPISODE, 1), 8, 1);
    must_apply(home->store, &later, 1);
    assert_true(later.applied);
}

static void version__given_is_greater_than_those_of_replicas(struct store_home *home) {
    uint64_t future = (uint64_t)1 << 61;
    must_apply_one(home->store, versioned(put_of(MNEME_EPISODE, 1), future, 77));
    must_apply_one(home->store, purge_of(MNEME_EPISODE, 1));
    struct mutation put = put_of(MNEME_EPISODE, 2);
    must_apply(home->store, &put, 1);
    assert_true(put.record.version.clock > future);
    must_apply_one(home->store, versioned(delete_of(MNEME_EPISODE, 3), future * 2 - 1, 0));
    struct mutation other = put_of(MNEME_EPISODE, 4);
    must_apply(home->store, &other, 1);
    assert_true(other.record.version.clock > future * 2 - 1);
}

/* ---- Delete and purge -------------------------------------------------------------------- */

static void delete__leaves_a_tombstone(struct store_home *home) {
    const struct attribute attribute = attribute_of("tag", "x");
    struct mutation put = put_of(MNEME_STEP, 1);
    put.record.flags = MNEME_FLAG_SEALED;
    put.record.parent = numbered_id(50);
    put.record.place = 8;
    put.record.attributes = &attribute;
    put.record.attribute_count = 1;
    put.record.body = slice_of_string("body");
    put.record.plain_size = 4;
    must_apply(home->store, &put, 1);
    struct mutation gone = delete_of(MNEME_STEP, 1);
    must_apply(home->store, &gone, 1);
    assert_true(gone.applied);
    assert_int_equal(gone.record.place, 8);
    AUTO_RECORDS struct record_set set = {0};
    const struct stored_record *stored = must_get(home->store, MNEME_STEP, 1, &set);
    struct stored_record expected = {.kind = MNEME_STEP,
                                     .flags = MNEME_FLAG_DELETED,
                                     .id = numbered_id(1),
                                     .parent = numbered_id(50),
                                     .place = 8,
                                     .time_us = 1000,
                                     .change = 2,
                                     .version = gone.record.version};
    assert_null(record_difference(&expected, stored));
    struct store_query by_filter = {.kind = MNEME_STEP, .filters = &attribute, .filter_count = 1};
    struct store_query by_parent = {
        .kind = MNEME_STEP, .has_parent = true, .parent = numbered_id(50)};
    struct store_query by_id = {.kind = MNEME_STEP, .id_prefix = slice_of(&expected.id, 16)};
    struct store_query by_time = {.kind = MNEME_STEP};
    assert_listing(home->store, &by_filter, NULL, 0);
    assert_listing(home->store, &by_parent, NULL, 0);
    assert_listing(home->store, &by_id, NULL, 0);
    assert_listing(home->store, &by_time, NULL, 0);
}

static void delete__of_what_is_not_live_is_not_found(struct store_home *home) {
    struct mutation absent = delete_of(MNEME_EPISODE, 1);
    assert_refused(home->store, &absent, 1, MNEME_NOT_FOUND);
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 1));
    struct mutation dead = delete_of(MNEME_EPISODE, 1);
    assert_refused(home->store, &dead, 1, MNEME_NOT_FOUND);
    struct mutation other_kind = delete_of(MNEME_STEP, 1);
    assert_refused(home->store, &other_kind, 1, MNEME_NOT_FOUND);
}

static void delete__is_undone_by_a_later_put(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 1));
    struct mutation again = put_of(MNEME_EPISODE, 1);
    must_apply(home->store, &again, 1);
    AUTO_RECORDS struct record_set set = {0};
    assert_null(record_difference(&again.record, must_get(home->store, MNEME_EPISODE, 1, &set)));
    struct store_query query = {.kind = MNEME_EPISODE};
    ASSERT_LISTING(home->store, &query, 1);
}

static void delete__of_a_replica_needs_no_live_record(struct store_home *home) {
    struct mutation unknown = versioned(delete_of(MNEME_EPISODE, 1), 5, 1);
    must_apply(home->store, &unknown, 1);
    assert_true(unknown.applied);
    struct mutation raise = versioned(delete_of(MNEME_EPISODE, 1), 6, 1);
    must_apply(home->store, &raise, 1);
    assert_true(raise.applied);
    struct mutation late = versioned(delete_of(MNEME_EPISODE, 1), 6, 1);
    must_apply(home->store, &late, 1);
    assert_false(late.applied);
    AUTO_RECORDS struct record_set set = {0};
    const struct stored_record *stored = must_get(home->store, MNEME_EPISODE, 1, &set);
    struct stored_record expected = {.kind = MNEME_EPISODE,
                                     .flags = MNEME_FLAG_DELETED,
                                     .id = numbered_id(1),
                                     .version = {6, 1},
                                     .change = 2};
    assert_null(record_difference(&expected, stored));
}

static void purge__leaves_no_trace(struct store_home *home) {
    struct mutation put = put_of(MNEME_STEP, 1);
    put.record.parent = numbered_id(50);
    must_apply(home->store, &put, 1);
    must_apply_one(home->store, put_of(MNEME_EPISODE, 50));
    struct mutation purge = purge_of(MNEME_STEP, 1);
    must_apply(home->store, &purge, 1);
    assert_true(purge.applied);
    struct record_name name = {MNEME_STEP, numbered_id(1)};
    size_t found = 0;
    AUTO_RECORDS struct record_set set = {0};
    assert_int_equal(store_get(home->store, &name, 1, &set, &found, NULL), 0);
    assert_true(found == SIZE_MAX);
    assert_int_equal(store_changes(home->store, 0, 10, false, &set, NULL), 0);
    assert_int_equal(set.count, 1);
    assert_int_equal(set.records[0].kind, MNEME_EPISODE);
    struct store_stats stats;
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    assert_int_equal(stats.changes, 2);
    assert_int_equal(stats.kinds[MNEME_STEP].records + stats.kinds[MNEME_STEP].tombstones, 0);
    must_apply_one(home->store, versioned(put_of(MNEME_STEP, 1), 1, 1));
    assert_int_equal(must_get(home->store, MNEME_STEP, 1, &set)->version.clock, 1);
}

static void purge__passes_over_what_is_absent_and_takes_tombstones(struct store_home *home) {
    struct mutation absent = purge_of(MNEME_STEP, 1);
    absent.applied = true;
    must_apply(home->store, &absent, 1);
    assert_false(absent.applied);
    must_apply_one(home->store, put_of(MNEME_STEP, 1));
    must_apply_one(home->store, delete_of(MNEME_STEP, 1));
    struct mutation dead = purge_of(MNEME_STEP, 1);
    must_apply(home->store, &dead, 1);
    assert_true(dead.applied);
    struct store_stats stats;
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    assert_int_equal(stats.kinds[MNEME_STEP].tombstones, 0);
}

/* ---- Places ------------------------------------------------------------------------------ */

static uint64_t put_child(struct store *store, mneme_kind kind, unsigned n, unsigned parent,
                          uint64_t place) {
    struct mutation put = put_of(kind, n);
    put.record.parent = numbered_id(parent);
    put.record.place = place;
    must_apply(store, &put, 1);
    return put.record.place;
}

static void place__is_given_by_parent_and_kind(struct store_home *home) {
    assert_int_equal(put_child(home->store, MNEME_STEP, 1, 100, 0), 1);
    assert_int_equal(put_child(home->store, MNEME_STEP, 2, 100, 0), 2);
    assert_int_equal(put_child(home->store, MNEME_STEP, 3, 200, 0), 1);
    assert_int_equal(put_child(home->store, MNEME_CHECKPOINT, 1, 100, 0), 1);
    assert_int_equal(put_child(home->store, MNEME_STEP, 4, 100, 0), 3);
    struct mutation orphan = put_of(MNEME_STEP, 5);
    must_apply(home->store, &orphan, 1);
    assert_int_equal(orphan.record.place, 0);
}

static void place__set_by_the_caller_stands_and_moves_the_next(struct store_home *home) {
    assert_int_equal(put_child(home->store, MNEME_STEP, 1, 100, 10), 10);
    assert_int_equal(put_child(home->store, MNEME_STEP, 2, 100, 3), 3);
    assert_int_equal(put_child(home->store, MNEME_STEP, 3, 100, 10), 10);
    assert_int_equal(put_child(home->store, MNEME_STEP, 4, 100, 0), 11);
    assert_int_equal(put_child(home->store, MNEME_STEP, 5, 100, STORE_PLACE_MAX), STORE_PLACE_MAX);
    assert_int_equal(put_child(home->store, MNEME_STEP, 6, 100, 0), (uint64_t)STORE_PLACE_MAX + 1);
    struct store_query query = {.kind = MNEME_STEP, .has_parent = true, .parent = numbered_id(100)};
    ASSERT_LISTING(home->store, &query, 6, 5, 4, 3, 1, 2);
}

static void place__is_not_given_twice(struct store_home *home) {
    put_child(home->store, MNEME_STEP, 1, 100, 0);
    put_child(home->store, MNEME_STEP, 2, 100, 0);
    must_apply_one(home->store, delete_of(MNEME_STEP, 2));
    assert_int_equal(put_child(home->store, MNEME_STEP, 3, 100, 0), 3);
    /* A record that is replaced goes to the end, unless its place is set. */
    assert_int_equal(put_child(home->store, MNEME_STEP, 1, 100, 1), 1);
    assert_int_equal(put_child(home->store, MNEME_STEP, 1, 100, 0), 4);
    assert_int_equal(put_child(home->store, MNEME_STEP, 2, 100, 0), 5);
}

static void place__of_a_purged_record_is_forgotten(struct store_home *home) {
    put_child(home->store, MNEME_STEP, 1, 100, 0);
    put_child(home->store, MNEME_STEP, 2, 100, 0);
    must_apply_one(home->store, purge_of(MNEME_STEP, 2));
    assert_int_equal(put_child(home->store, MNEME_STEP, 3, 100, 0), 2);
}

static void place__follows_the_record_to_another_parent(struct store_home *home) {
    put_child(home->store, MNEME_STEP, 1, 100, 0);
    put_child(home->store, MNEME_STEP, 2, 200, 0);
    put_child(home->store, MNEME_STEP, 3, 200, 0);
    assert_int_equal(put_child(home->store, MNEME_STEP, 1, 200, 0), 3);
    struct store_query query = {.kind = MNEME_STEP, .has_parent = true, .parent = numbered_id(200)};
    ASSERT_LISTING(home->store, &query, 1, 3, 2);
    query.parent = numbered_id(100);
    assert_listing(home->store, &query, NULL, 0);
    assert_int_equal(put_child(home->store, MNEME_STEP, 4, 100, 0), 1);
}

static const struct store_case cases[] = {
    CASE(put__keeps_every_field),
    CASE(put__keeps_kinds_with_the_same_id_apart),
    CASE(put__replaces_all_of_the_old_record),
    CASE(put__keeps_bodies_of_every_size_to_the_byte),
    CASE(put__changes_the_size_of_a_body_up_and_down),
    CASE(put__keeps_attribute_values_of_every_size_and_byte),
    CASE(put__copies_what_it_was_given),
    CASE(version__rises_with_every_write),
    CASE(version__of_a_replica_goes_in_only_when_greater),
    CASE(version__of_a_tombstone_counts),
    CASE(version__given_is_greater_than_those_of_replicas),
    CASE(delete__leaves_a_tombstone),
    CASE(delete__of_what_is_not_live_is_not_found),
    CASE(delete__is_undone_by_a_later_put),
    CASE(delete__of_a_replica_needs_no_live_record),
    CASE(purge__leaves_no_trace),
    CASE(purge__passes_over_what_is_absent_and_takes_tombstones),
    CASE(place__is_given_by_parent_and_kind),
    CASE(place__set_by_the_caller_stands_and_moves_the_next),
    CASE(place__is_not_given_twice),
    CASE(place__of_a_purged_record_is_forgotten),
    CASE(place__follows_the_record_to_another_parent),
};
const struct store_case_list store_write_cases = {cases, COUNT_OF(cases)};
