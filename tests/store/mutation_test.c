/*
 * mutation_test.c - the rules of mutations, and what each failed condition says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/store_impl.h"
#include "support/store_records.h"

static void mutation_validate__names_kind_id_and_rule(void **state) {
    (void)state;
    struct mutation put = put_of(MNEME_HEURISTIC, 0x2a);
    struct attribute twice[] = {attribute_of("tag", "x"), attribute_of("tag", "x")};
    mneme_error error = {0};
    assert_int_equal(mutation_validate(&put, &error), 0);
    put.record.attributes = twice;
    put.record.attribute_count = 1;
    assert_int_equal(mutation_validate(&put, &error), 0);
    put.record.attribute_count = 2;
    assert_int_equal(mutation_validate(&put, &error), MNEME_INVALID);
    assert_int_equal(error.code, MNEME_INVALID);
    assert_string_equal(error.message,
                        "heuristic 01890a5d-0000-0000-0000-00000000002a: its attributes are not "
                        "in order, or one stands twice: sort them by name, then value");
    assert_int_equal(mutation_validate(&put, NULL), MNEME_INVALID);
}

static void mutation_validate__reads_content_of_puts_only(void **state) {
    (void)state;
    struct mutation gone = delete_of(MNEME_STEP, 1);
    gone.record.flags = MNEME_FLAG_DELETED;
    gone.record.place = 5;
    gone.record.body.size = SIZE_MAX;
    gone.record.attribute_count = SIZE_MAX;
    assert_int_equal(mutation_validate(&gone, NULL), 0);
    gone.op = MUTATION_PURGE;
    gone.record.version.clock = UINT64_MAX;
    assert_int_equal(mutation_validate(&gone, NULL), 0);
    gone.op = MUTATION_PUT;
    assert_int_equal(mutation_validate(&gone, NULL), MNEME_INVALID);
}

static void mutation_validate__takes_all_at_the_limit(void **state) {
    (void)state;
    static const uint8_t bytes[STORE_ATTRIBUTE_NAME_MAX] = {1};
    struct attribute attribute = {slice_of(bytes, STORE_ATTRIBUTE_NAME_MAX),
                                  slice_of(bytes, STORE_ATTRIBUTE_VALUE_MAX)};
    struct mutation put = put_of(MNEME_DICTIONARY, 1);
    put.record.attributes = &attribute;
    put.record.attribute_count = 1;
    put.record.parent = numbered_id(2);
    put.record.place = STORE_PLACE_MAX;
    put.record.version.clock = STORE_CLOCK_MAX;
    put.record.body = slice_of(bytes, STORE_BODY_MAX); /* only its size is read */
    assert_int_equal(mutation_validate(&put, NULL), 0);
}

static void tombstone__keeps_parent_place_and_time(void **state) {
    (void)state;
    struct mutation gone = delete_of(MNEME_STEP, 1);
    gone.record.version = (mneme_version){7, 8};
    struct stored_record nothing = tombstone_of(&gone, NULL);
    struct stored_record expected = {
        .kind = MNEME_STEP, .flags = MNEME_FLAG_DELETED, .id = numbered_id(1), .version = {7, 8}};
    assert_null(record_difference(&expected, &nothing));
    struct stored_record present = put_of(MNEME_STEP, 1).record;
    present.flags = MNEME_FLAG_SEALED;
    present.parent = expected.parent = numbered_id(3);
    present.place = expected.place = 4;
    present.change = 99;
    present.plain_size = 10;
    present.body = slice_of("x", 1);
    expected.time_us = present.time_us;
    struct stored_record something = tombstone_of(&gone, &present);
    assert_null(record_difference(&expected, &something));
}

static void mutation_is_late__when_a_replica_brings_nothing_newer(void **state) {
    (void)state;
    struct mutation put = put_of(MNEME_STEP, 1);
    struct stored_record present = put.record;
    present.version = (mneme_version){5, 5};
    assert_false(mutation_is_late(&put, &present)); /* the store gives it a new one */
    put.record.version = (mneme_version){5, 5};
    assert_true(mutation_is_late(&put, &present));
    assert_false(mutation_is_late(&put, NULL));
    put.record.version = (mneme_version){5, 6};
    assert_false(mutation_is_late(&put, &present));
    put.record.version = (mneme_version){4, 6};
    assert_true(mutation_is_late(&put, &present));
}

static void version_next__rises_and_keeps_up_with_the_clock(void **state) {
    (void)state;
    mneme_version v = version_next((mneme_version){0, 0}, 9, 1000);
    assert_true(v.clock == 1000 << 16 && v.device == 9);
    mneme_version same_ms = version_next(v, 9, 1000);
    assert_true(same_ms.clock == v.clock + 1);
    mneme_version clock_went_back = version_next(same_ms, 9, 10);
    assert_true(clock_went_back.clock == same_ms.clock + 1);
    mneme_version later = version_next(clock_went_back, 3, 1001);
    assert_true(later.clock == 1001 << 16 && later.device == 3);
    /* 65,536 versions in a millisecond run into the next one, and still rise. */
    mneme_version full = version_next((mneme_version){(1001 << 16) + 0xffff, 1}, 1, 1001);
    assert_true(full.clock == 1002 << 16);
    mneme_version last = version_next((mneme_version){STORE_CLOCK_MAX, 1}, 1, 1001);
    assert_true(last.clock == STORE_CLOCK_MAX + 1);
}

static void condition_test__says_what_failed_and_what_to_do(void **state) {
    (void)state;
    struct stored_record live = put_of(MNEME_EPISODE, 1).record;
    struct stored_record sealed = live, dead = live;
    sealed.flags = MNEME_FLAG_SEALED;
    dead.flags = MNEME_FLAG_DELETED;
    live.version = sealed.version = dead.version = (mneme_version){5, 5};
    const struct {
        enum condition condition;
        const struct stored_record *present;
        int status;
        const char *says;
    } rows[] = {
        {CONDITION_ABSENT, NULL, 0, ""},
        {CONDITION_ABSENT, &dead, 0, ""},
        {CONDITION_ABSENT, &live, MNEME_CONFLICT, "is there already; choose another id"},
        {CONDITION_LIVE, &sealed, 0, ""},
        {CONDITION_LIVE, NULL, MNEME_NOT_FOUND, "check the id"},
        {CONDITION_LIVE, &dead, MNEME_NOT_FOUND, "was deleted; put it again"},
        {CONDITION_OPEN, &live, 0, ""},
        {CONDITION_OPEN, NULL, MNEME_NOT_FOUND, "check the id"},
        {CONDITION_OPEN, &sealed, MNEME_CONFLICT, "is completed and takes no more changes; start"},
        {CONDITION_VERSION, &live, MNEME_CONFLICT, "changed by another writer meanwhile; read it"},
        {CONDITION_VERSION, &dead, MNEME_NOT_FOUND, "was deleted"},
        {CONDITION_NONE, NULL, 0, ""},
        {CONDITION_CHILDREN, NULL, 0, ""},
        {CONDITION_NO_ATTRIBUTE, NULL, 0, ""},
        {(enum condition)50, NULL, MNEME_INVALID, "no condition 50"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct mutation check = check_of(MNEME_EPISODE, 1, rows[i].condition);
        mneme_error error = {0};
        assert_int_equal(condition_test(&check, rows[i].present, &error), rows[i].status);
        assert_int_equal(error.code, rows[i].status);
        assert_non_null(strstr(error.message, rows[i].says));
        if (rows[i].status && rows[i].status != MNEME_INVALID)
            assert_non_null(strstr(error.message, "episode 01890a5d-0000-0000-0000-000000000001"));
    }
}

static void condition_test__of_a_delete_wants_a_live_record_but_of_replicas(void **state) {
    (void)state;
    struct stored_record dead = put_of(MNEME_EPISODE, 1).record;
    dead.flags = MNEME_FLAG_DELETED;
    struct mutation gone = delete_of(MNEME_EPISODE, 1);
    assert_int_equal(condition_test(&gone, NULL, NULL), MNEME_NOT_FOUND);
    assert_int_equal(condition_test(&gone, &dead, NULL), MNEME_NOT_FOUND);
    gone.record.version.clock = 1;
    assert_int_equal(condition_test(&gone, NULL, NULL), 0);
    assert_int_equal(condition_test(&gone, &dead, NULL), 0);
}

static void condition_failed__names_what_the_store_looked_up(void **state) {
    (void)state;
    mneme_error error = {0};
    struct mutation check = check_of(MNEME_EPISODE, 1, CONDITION_CHILDREN);
    check.expect_kind = MNEME_STEP;
    assert_int_equal(condition_failed(&check, &error), MNEME_CONFLICT);
    assert_string_equal(error.message,
                        "the step records of episode 01890a5d-0000-0000-0000-000000000001 changed "
                        "meanwhile; read them again and retry");
    check.condition = CONDITION_NO_ATTRIBUTE;
    check.expect_attribute = attribute_of("origin", "tau-bench:12");
    assert_int_equal(condition_failed(&check, &error), MNEME_CONFLICT);
    assert_non_null(strstr(error.message, "kind episode with origin = tau-bench:12;"));
    check.expect_attribute.value = slice_of("\x1b[2J", 4); /* nothing that moves a terminal */
    assert_int_equal(condition_failed(&check, &error), MNEME_CONFLICT);
    assert_null(strchr(error.message, 0x1b));
    assert_non_null(strstr(error.message, "4 bytes"));
    check.expect_attribute = attribute_of("na\nme", "x");
    assert_int_equal(condition_failed(&check, &error), MNEME_CONFLICT);
    assert_null(strchr(error.message, '\n'));
}

static void store_kind_name__knows_every_kind(void **state) {
    (void)state;
    static const char *const names[] = {"record",     "episode",   "step",     "pattern",
                                        "heuristic",  "embedding", "relation", "checkpoint",
                                        "dictionary", "superseded"};
    for (int kind = 0; kind < MNEME_KIND_COUNT; kind++)
        assert_string_equal(store_kind_name((mneme_kind)kind), names[kind]);
    assert_string_equal(store_kind_name((mneme_kind)MNEME_KIND_COUNT), "record");
    assert_string_equal(store_kind_name((mneme_kind)-1), "record");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutation_validate__names_kind_id_and_rule),
        cmocka_unit_test(mutation_validate__reads_content_of_puts_only),
        cmocka_unit_test(mutation_validate__takes_all_at_the_limit),
        cmocka_unit_test(tombstone__keeps_parent_place_and_time),
        cmocka_unit_test(mutation_is_late__when_a_replica_brings_nothing_newer),
        cmocka_unit_test(version_next__rises_and_keeps_up_with_the_clock),
        cmocka_unit_test(condition_test__says_what_failed_and_what_to_do),
        cmocka_unit_test(condition_test__of_a_delete_wants_a_live_record_but_of_replicas),
        cmocka_unit_test(condition_failed__names_what_the_store_looked_up),
        cmocka_unit_test(store_kind_name__knows_every_kind),
    };
    return cmocka_run_group_tests_name("mutation", tests, NULL, NULL);
}
