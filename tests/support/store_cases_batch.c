/*
 * store_cases_batch.c - conformance: batches and conditions.
 */
#include <stdio.h>

#include "support/store_cases.h"

/* ---- Batches ----------------------------------------------------------------------------- */

static void batch__is_all_or_nothing(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    must_apply_one(home->store, put_of(MNEME_STEP, 2));
    must_apply_one(home->store, put_of(MNEME_STEP, 3));
    struct mutation mutations[] = {put_of(MNEME_EPISODE, 1),    put_of(MNEME_EPISODE, 4),
                                   delete_of(MNEME_STEP, 2),    purge_of(MNEME_STEP, 3),
                                   delete_of(MNEME_EPISODE, 9), put_of(MNEME_EPISODE, 5)};
    mutations[1].record.parent = numbered_id(1);
    struct mutation before[COUNT_OF(mutations)];
    memcpy(before, mutations, sizeof before);
    assert_refused(home->store, mutations, COUNT_OF(mutations), MNEME_NOT_FOUND);
    /* Nothing of the mutations is touched: they can be tried again as they are. */
    for (size_t i = 0; i < COUNT_OF(mutations); i++) {
        assert_null(record_difference(&before[i].record, &mutations[i].record));
        assert_int_equal(before[i].applied, mutations[i].applied);
    }
    must_apply_one(home->store, put_of(MNEME_EPISODE, 9));
    must_apply(home->store, mutations, COUNT_OF(mutations));
    assert_int_equal(mutations[5].record.change, 9);
}

static void batch__names_the_mutation_that_failed(struct store_home *home) {
    struct mutation mutations[] = {put_of(MNEME_EPISODE, 1), put_of(MNEME_EPISODE, 2),
                                   check_of(MNEME_PATTERN, 0xabc, CONDITION_LIVE)};
    struct batch batch;
    assert_int_equal(apply_mutations(home->store, mutations, 3, &batch), MNEME_NOT_FOUND);
    assert_int_equal(batch.failed, 2);
    assert_int_equal(batch.status, MNEME_NOT_FOUND);
    assert_non_null(strstr(batch.error.message, "pattern"));
    assert_non_null(strstr(batch.error.message, "01890a5d-0000-0000-0000-000000000abc"));
}

static void batch__may_be_empty(struct store_home *home) {
    struct batch batch;
    assert_int_equal(apply_mutations(home->store, NULL, 0, &batch), 0);
    assert_int_equal(store_apply(home->store, NULL, 0), 0);
    struct store_stats stats;
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    assert_int_equal(stats.changes, 0);
}

static void batch__mutations_see_those_before_them(struct store_home *home) {
    struct mutation mutations[] = {put_of(MNEME_STEP, 1),
                                   put_of(MNEME_STEP, 1),
                                   delete_of(MNEME_STEP, 1),
                                   put_of(MNEME_STEP, 1),
                                   put_of(MNEME_STEP, 2),
                                   purge_of(MNEME_STEP, 2),
                                   check_of(MNEME_STEP, 50, CONDITION_CHILDREN)};
    mutations[0].condition = CONDITION_ABSENT;
    mutations[1].condition = CONDITION_LIVE;
    mutations[3].condition = CONDITION_ABSENT;
    mutations[4].condition = CONDITION_ABSENT;
    for (size_t i = 0; i < 5; i++)
        if (mutations[i].op == MUTATION_PUT)
            mutations[i].record.parent = numbered_id(50);
    mutations[6].expect_kind = MNEME_STEP;
    mutations[6].expect_place = 3;
    mutations[6].expect_count = 1;
    must_apply(home->store, mutations, COUNT_OF(mutations));
    static const uint64_t places[] = {1, 2, 2, 3, 4}, changes[] = {1, 2, 3, 4, 5};
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        assert_int_equal(mutations[i].record.place, places[i]);
        assert_int_equal(mutations[i].record.change, changes[i]);
        if (i > 0)
            assert_true(
                version_compare(mutations[i - 1].record.version, mutations[i].record.version) < 0);
    }
    AUTO_RECORDS struct record_set set = {0};
    assert_int_equal(store_changes(home->store, 0, 100, false, &set, NULL), 0);
    assert_int_equal(set.count, 1);
    assert_null(record_difference(&mutations[3].record, &set.records[0]));
}

static void batch__of_many_goes_in_whole(struct store_home *home) {
    enum { COUNT = 1000 };
    AUTO_FREE struct mutation *puts = mem_zalloc(COUNT + 1, sizeof *puts);
    assert_non_null(puts);
    static const uint8_t body[700];
    for (unsigned i = 0; i < COUNT; i++) {
        puts[i] = put_of(MNEME_STEP, COUNT - i);
        puts[i].record.parent = numbered_id(5000);
        puts[i].record.body = slice_of(body, i % sizeof body);
    }
    puts[COUNT] = check_of(MNEME_STEP, 6000, CONDITION_LIVE);
    assert_refused(home->store, puts, COUNT + 1, MNEME_NOT_FOUND);
    must_apply(home->store, puts, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(puts[i].record.place, i + 1);
    struct store_stats stats;
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    assert_int_equal(stats.kinds[MNEME_STEP].records, COUNT);
}

static void apply__keeps_batches_independent_and_in_order(struct store_home *home) {
    struct mutation first[] = {put_of(MNEME_EPISODE, 1)};
    struct mutation failing[] = {put_of(MNEME_EPISODE, 2), delete_of(MNEME_EPISODE, 3)};
    struct mutation invalid[] = {put_of(MNEME_EPISODE, 4), put_of(MNEME_EPISODE, 0)};
    struct mutation sees_first[] = {delete_of(MNEME_EPISODE, 1), put_of(MNEME_EPISODE, 5)};
    struct mutation sees_not[] = {put_of(MNEME_EPISODE, 6),
                                  check_of(MNEME_EPISODE, 2, CONDITION_ABSENT)};
    struct batch batches[] = {{.mutations = first, .count = 1, .status = 99, .failed = 99},
                              {.mutations = failing, .count = 2},
                              {.mutations = invalid, .count = 2},
                              {.mutations = sees_first, .count = 2},
                              {.mutations = sees_not, .count = 2}};
    struct batch *const list[] = {&batches[0], &batches[1], &batches[2], &batches[3], &batches[4]};
    assert_int_equal(store_apply(home->store, list, COUNT_OF(list)), 0);
    static const int statuses[] = {0, MNEME_NOT_FOUND, MNEME_INVALID, 0, 0};
    static const size_t failed[] = {1, 1, 1, 2, 2};
    for (size_t i = 0; i < COUNT_OF(list); i++) {
        assert_int_equal(batches[i].status, statuses[i]);
        assert_int_equal(batches[i].failed, failed[i]);
    }
    assert_int_equal(first[0].record.change, 1);
    assert_int_equal(sees_first[0].record.change, 2);
    assert_int_equal(sees_first[1].record.change, 3);
    assert_int_equal(sees_not[0].record.change, 4);
    struct store_query query = {.kind = MNEME_EPISODE};
    ASSERT_LISTING(home->store, &query, 6, 5);
}

static void apply__of_batches_that_all_fail_changes_nothing(struct store_home *home) {
    CLEANUP(store_dump_fini) struct store_dump before;
    assert_int_equal(store_dump_take(home->store, &before, NULL), 0);
    struct mutation one[] = {put_of(MNEME_EPISODE, 2), delete_of(MNEME_EPISODE, 3)};
    struct mutation two[] = {put_of(MNEME_EPISODE, 0)};
    struct batch batches[] = {{.mutations = one, .count = 2}, {.mutations = two, .count = 1}};
    struct batch *const list[] = {&batches[0], &batches[1]};
    assert_int_equal(store_apply(home->store, list, 2), 0);
    assert_int_equal(batches[0].status, MNEME_NOT_FOUND);
    assert_int_equal(batches[1].status, MNEME_INVALID);
    assert_unchanged(home->store, &before);
}

/* ---- Conditions -------------------------------------------------------------------------- */

/* A store with record 1 live, 2 sealed, 3 a tombstone, and 4 absent. */
static void make_states(struct store *store) {
    struct mutation puts[] = {put_of(MNEME_EPISODE, 1), put_of(MNEME_EPISODE, 2),
                              put_of(MNEME_EPISODE, 3), delete_of(MNEME_EPISODE, 3)};
    puts[1].record.flags = MNEME_FLAG_SEALED;
    must_apply(store, puts, COUNT_OF(puts));
}

/* Each operation with a condition on record n ends as expected. */
static void assert_condition(struct store_home *home, const struct mutation *condition, unsigned n,
                             int status) {
    struct mutation put = put_of(MNEME_EPISODE, n), check = *condition;
    check.op = MUTATION_CHECK;
    put.condition = condition->condition;
    put.expect_version = condition->expect_version;
    check.record.id = numbered_id(n);
    if (status) {
        assert_refused(home->store, &check, 1, status);
        assert_refused(home->store, &put, 1, status);
        return;
    }
    CLEANUP(store_dump_fini) struct store_dump before;
    assert_int_equal(store_dump_take(home->store, &before, NULL), 0);
    must_apply(home->store, &check, 1);
    assert_true(check.applied);
    assert_unchanged(home->store, &before);
}

static void condition__absent(struct store_home *home) {
    make_states(home->store);
    struct mutation condition = check_of(MNEME_EPISODE, 1, CONDITION_ABSENT);
    assert_condition(home, &condition, 1, MNEME_CONFLICT);
    assert_condition(home, &condition, 2, MNEME_CONFLICT);
    assert_condition(home, &condition, 3, 0);
    assert_condition(home, &condition, 4, 0);
}

static void condition__live(struct store_home *home) {
    make_states(home->store);
    struct mutation condition = check_of(MNEME_EPISODE, 1, CONDITION_LIVE);
    assert_condition(home, &condition, 1, 0);
    assert_condition(home, &condition, 2, 0);
    assert_condition(home, &condition, 3, MNEME_NOT_FOUND);
    assert_condition(home, &condition, 4, MNEME_NOT_FOUND);
}

static void condition__open(struct store_home *home) {
    make_states(home->store);
    struct mutation condition = check_of(MNEME_EPISODE, 1, CONDITION_OPEN);
    assert_condition(home, &condition, 1, 0);
    assert_condition(home, &condition, 2, MNEME_CONFLICT);
    assert_condition(home, &condition, 3, MNEME_NOT_FOUND);
    assert_condition(home, &condition, 4, MNEME_NOT_FOUND);
}

static void condition__version(struct store_home *home) {
    make_states(home->store);
    AUTO_RECORDS struct record_set set = {0};
    mneme_version current = must_get(home->store, MNEME_EPISODE, 1, &set)->version;
    mneme_version dead = must_get(home->store, MNEME_EPISODE, 3, &set)->version;
    struct mutation condition = check_of(MNEME_EPISODE, 1, CONDITION_VERSION);
    assert_condition(home, &condition, 1, MNEME_CONFLICT);
    condition.expect_version = current;
    assert_condition(home, &condition, 1, 0);
    assert_condition(home, &condition, 2, MNEME_CONFLICT);
    condition.expect_version.clock--;
    assert_condition(home, &condition, 1, MNEME_CONFLICT);
    condition.expect_version = (mneme_version){current.clock, current.device + 1};
    assert_condition(home, &condition, 1, MNEME_CONFLICT);
    condition.expect_version = dead;
    assert_condition(home, &condition, 3, MNEME_NOT_FOUND);
    assert_condition(home, &condition, 4, MNEME_NOT_FOUND);
    /* Of two writers that read the same version, one goes in. */
    struct mutation writes[] = {put_of(MNEME_EPISODE, 1), put_of(MNEME_EPISODE, 1)};
    for (size_t i = 0; i < 2; i++) {
        writes[i].condition = CONDITION_VERSION;
        writes[i].expect_version = current;
    }
    must_apply(home->store, &writes[0], 1);
    assert_refused(home->store, &writes[1], 1, MNEME_CONFLICT);
}

static void condition__children(struct store_home *home) {
    struct mutation check = check_of(MNEME_EPISODE, 50, CONDITION_CHILDREN);
    check.expect_kind = MNEME_STEP;
    must_apply_one(home->store, check);
    check.expect_place = 1;
    assert_refused(home->store, &check, 1, MNEME_CONFLICT);
    for (unsigned n = 1; n <= 3; n++) {
        struct mutation put = put_of(MNEME_STEP, n);
        put.record.parent = numbered_id(50);
        must_apply(home->store, &put, 1);
    }
    struct mutation other_kind = put_of(MNEME_CHECKPOINT, 9);
    other_kind.record.parent = numbered_id(50);
    other_kind.record.place = 99;
    must_apply(home->store, &other_kind, 1);
    for (unsigned i = 0; i < 5 * 6; i++) {
        check.expect_count = i / 6;
        check.expect_place = i % 6;
        if (check.expect_count == 3 && check.expect_place == 3)
            must_apply_one(home->store, check);
        else
            assert_refused(home->store, &check, 1, MNEME_CONFLICT);
    }
    /* Only live records count: who has read them all knows this place. */
    must_apply_one(home->store, delete_of(MNEME_STEP, 3));
    check.expect_place = check.expect_count = 2;
    must_apply_one(home->store, check);
    /* The episode's own put can carry it, as when an episode is completed. */
    struct mutation put = put_of(MNEME_EPISODE, 50);
    put.condition = CONDITION_CHILDREN;
    put.expect_kind = MNEME_STEP;
    put.expect_place = put.expect_count = 3;
    assert_refused(home->store, &put, 1, MNEME_CONFLICT);
    put.expect_place = put.expect_count = 2;
    must_apply(home->store, &put, 1);
    /* One in the middle is missed too: the greatest place stays. */
    must_apply_one(home->store, delete_of(MNEME_STEP, 1));
    assert_refused(home->store, &check, 1, MNEME_CONFLICT);
    check.expect_count = 1;
    must_apply_one(home->store, check);
    must_apply_one(home->store, delete_of(MNEME_STEP, 2));
    check.expect_place = check.expect_count = 0;
    must_apply_one(home->store, check);
}

static void condition__no_attribute(struct store_home *home) {
    const struct attribute attributes[] = {attribute_of("origin", "x:1"), attribute_of("tag", "a")};
    struct mutation put = put_of(MNEME_EPISODE, 1);
    put.record.attributes = attributes;
    put.record.attribute_count = 2;
    put.condition = CONDITION_NO_ATTRIBUTE;
    put.expect_attribute = attributes[0];
    must_apply(home->store, &put, 1);
    struct mutation twice = put;
    twice.record.id = numbered_id(2);
    twice.record.version = (mneme_version){0};
    assert_refused(home->store, &twice, 1, MNEME_CONFLICT);
    struct mutation check = check_of(MNEME_EPISODE, 9, CONDITION_NO_ATTRIBUTE);
    check.expect_attribute = attribute_of("tag", "a");
    assert_refused(home->store, &check, 1, MNEME_CONFLICT);
    static const char *const free[][2] = {
        {"tag", ""}, {"tag", "aa"}, {"ta", "ga"}, {"tagg", "a"}, {"origin", "a"}};
    for (size_t i = 0; i < COUNT_OF(free); i++) {
        check.expect_attribute = attribute_of(free[i][0], free[i][1]);
        must_apply_one(home->store, check);
    }
    check.expect_attribute = attributes[0];
    check.record.kind = MNEME_PATTERN;
    must_apply_one(home->store, check);
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 1));
    must_apply(home->store, &twice, 1);
}

static void condition__parent(struct store_home *home) {
    struct mutation put = put_of(MNEME_STEP, 1);
    put.record.parent = numbered_id(100);
    put.condition = CONDITION_PARENT;
    must_apply_one(home->store, put); /* there is none */
    must_apply_one(home->store, put);
    put.record.parent = numbered_id(200);
    assert_refused(home->store, &put, 1, MNEME_CONFLICT);
    must_apply_one(home->store, delete_of(MNEME_STEP, 1));
    assert_refused(home->store, &put, 1, MNEME_CONFLICT);
    put.record.parent = numbered_id(100);
    must_apply_one(home->store, put);
}

static void condition__holds_for_a_delete_too(struct store_home *home) {
    make_states(home->store);
    struct mutation gone = delete_of(MNEME_EPISODE, 2);
    gone.condition = CONDITION_OPEN;
    assert_refused(home->store, &gone, 1, MNEME_CONFLICT);
    gone.condition = CONDITION_VERSION;
    assert_refused(home->store, &gone, 1, MNEME_CONFLICT);
    gone.condition = CONDITION_LIVE;
    must_apply(home->store, &gone, 1);
    struct mutation purge = purge_of(MNEME_EPISODE, 3);
    purge.condition = CONDITION_LIVE;
    assert_refused(home->store, &purge, 1, MNEME_NOT_FOUND);
}

/* A replica's write that comes late is passed over, but its condition must hold all the same. */
static void condition__is_tested_before_a_late_write_is_passed_over(struct store_home *home) {
    make_states(home->store);
    struct mutation late = put_of(MNEME_EPISODE, 2);
    late.record.version = (mneme_version){1, 1};
    late.condition = CONDITION_OPEN;
    assert_refused(home->store, &late, 1, MNEME_CONFLICT);
    late.condition = CONDITION_LIVE;
    must_apply(home->store, &late, 1);
    assert_false(late.applied);
}

static const struct store_case cases[] = {
    CASE(batch__is_all_or_nothing),
    CASE(batch__names_the_mutation_that_failed),
    CASE(batch__may_be_empty),
    CASE(batch__mutations_see_those_before_them),
    CASE(batch__of_many_goes_in_whole),
    CASE(apply__keeps_batches_independent_and_in_order),
    CASE(apply__of_batches_that_all_fail_changes_nothing),
    CASE(condition__absent),
    CASE(condition__live),
    CASE(condition__open),
    CASE(condition__version),
    CASE(condition__children),
    CASE(condition__no_attribute),
    CASE(condition__parent),
    CASE(condition__holds_for_a_delete_too),
    CASE(condition__is_tested_before_a_late_write_is_passed_over),
};
const struct store_case_list store_batch_cases = {cases, COUNT_OF(cases)};
