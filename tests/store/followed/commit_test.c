/*
 * commit_test.c - what is written through a followed store is known when it is acknowledged, and
 * the log is read for it only where it must be.
 */
#include <pthread.h>
#include <unistd.h>

#include "os/os.h"
#include "store/followed/followed_impl.h"
#include "support/followed_scene.h"

static struct mutation tagged(unsigned n, const struct attribute *attribute) {
    struct mutation put = put_of(MNEME_PATTERN, n);
    put.record.attributes = attribute;
    put.record.attribute_count = 1;
    put.record.body = slice_of("body", 4);
    return put;
}

/* ---- Right behind what is known -------------------------------------------------------------- */

static void own_writes__are_known_without_a_look(void **state) {
    struct followed_scene *scene = *state;
    struct attribute red = attribute_of("tag", "red");
    struct mutation batch[] = {put_step_of(1, 9), tagged(2, &red), put_step_of(1, 9),
                               purge_of(MNEME_STEP, 7)};
    uint64_t moment = moment_of(scene->store);
    assert_int_equal(apply_mutations(scene->store, batch, COUNT_OF(batch), NULL), 0);
    assert_true(moment_of(scene->store) > moment);
    apply_ok(scene->store, tagged(3, &red));
    apply_ok(scene->store, tagged(2, &red)); /* replaces its first change */
    assert_known(scene, 0);
    assert_known(scene, 3);
    assert_known(scene, 5);
    assert_int_equal(shim_calls(scene->shim, SHIM_STATS), 0);
}

static void own_writes__are_known_when_there_was_more_before(void **state) {
    struct followed_scene *scene = *state;
    for (unsigned n = 1; n <= 3; n++)
        apply_ok(scene->shared, put_of(MNEME_PATTERN, n));
    apply_ok(scene->store, put_of(MNEME_PATTERN, 2));
    assert_known(scene, 3);
    assert_changes(scene, 2); /* from the log itself */
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
}

static void own_write__that_fails_changes_nothing(void **state) {
    struct followed_scene *scene = *state;
    struct mutation check = check_of(MNEME_PATTERN, 5, CONDITION_LIVE);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    uint64_t moment = moment_of(scene->store);
    assert_int_equal(apply_one(scene->store, &check), MNEME_NOT_FOUND);
    assert_int_equal(moment_of(scene->store), moment);
    assert_known(scene, 0);
}

static void own_write__that_is_passed_over_is_no_change(void **state) {
    struct followed_scene *scene = *state;
    struct mutation newer = put_of(MNEME_PATTERN, 1), older = newer;
    newer.record.version = (mneme_version){50, 7};
    older.record.version = (mneme_version){40, 7};
    apply_ok(scene->store, newer);
    struct mutation both[] = {older, put_of(MNEME_PATTERN, 2)};
    assert_int_equal(apply_mutations(scene->store, both, 2, NULL), 0);
    assert_false(both[0].applied);
    assert_known(scene, 0);
}

/* ---- Gaps ------------------------------------------------------------------------------------ */

static void gap__has_the_log_read_before_the_acknowledgement(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->store, put_of(MNEME_PATTERN, 3));
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
    assert_known(scene, 0);
}

static void others_write_between(void *context) {
    struct followed_scene *scene = context;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 20)); /* acknowledged before the first one */
}

static void own_writes__acknowledged_out_of_order_are_known(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    shim_meanwhile(scene, SHIM_APPLY, others_write_between);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 10));
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
    assert_known(scene, 0);
}

/* ---- Deletes --------------------------------------------------------------------------------- */

static void delete__of_what_is_known_has_parent_and_time(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_step_of(1, 9));
    apply_ok(scene->store, put_of(MNEME_PATTERN, 2));
    apply_ok(scene->store, delete_of(MNEME_STEP, 1));
    apply_ok(scene->store, delete_of(MNEME_PATTERN, 2));
    apply_ok(scene->store, put_step_of(1, 9)); /* live again */
    assert_known(scene, 0);
}

static void delete__with_an_unknown_parent_has_the_log_read(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->shared, put_step_of(1, 9));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    apply_ok(scene->store, put_of(MNEME_PATTERN, 3));
    struct mutation both[] = {delete_of(MNEME_STEP, 1), put_of(MNEME_PATTERN, 4)};
    assert_int_equal(apply_mutations(scene->store, both, 2, NULL), 0);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
    assert_known(scene, 2);
    apply_ok(scene->store, delete_of(MNEME_PATTERN, 2)); /* nobody asks for the time of this one */
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 0);
}

/* What is known of record 1 was purged by another, and a replica deletes it once more. */
static void delete__of_what_was_purged_has_no_parent(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_step_of(1, 9));
    apply_ok(scene->shared, purge_of(MNEME_STEP, 1));
    struct mutation replica = delete_of(MNEME_STEP, 1);
    replica.record.version = (mneme_version){UINT64_C(1) << 60, 3};
    apply_ok(scene->store, replica);
    assert_known(scene, 1);
}

/* ---- Purges ---------------------------------------------------------------------------------- */

static void purge__of_ones_own_is_no_longer_told(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_step_of(1, 9));
    struct mutation batch[] = {put_step_of(2, 9), put_of(MNEME_EPISODE, 9), purge_of(MNEME_STEP, 1),
                               purge_of(MNEME_STEP, 2)};
    assert_int_equal(apply_mutations(scene->store, batch, COUNT_OF(batch), NULL), 0);
    assert_known(scene, 0);
    uint64_t moment = moment_of(scene->store);
    apply_ok(scene->store, purge_of(MNEME_EPISODE, 9));
    assert_true(moment_of(scene->store) > moment);
    assert_known(scene, 0);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    assert_known(scene, 0);
}

static void put_it_again(void *context) {
    struct followed_scene *scene = context;
    apply_ok(scene->store, put_step_of(1, 9));
}

/* The purge is acknowledged when a later put of the same record is known already. */
static void purge__leaves_what_came_behind_it(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_step_of(1, 9));
    shim_meanwhile(scene, SHIM_APPLY, put_it_again);
    apply_ok(scene->store, purge_of(MNEME_STEP, 1));
    assert_known(scene, 0);
}

/* ---- A log that cannot be read --------------------------------------------------------------- */

static void failed_look__leaves_nothing_to_be_answered(void **state) {
    struct followed_scene *scene = *state;
    AUTO_RECORDS struct record_set set = {0};
    mneme_error error;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    uint64_t moment = moment_of(scene->store);
    atomic_store(&scene->shim->status[SHIM_CHANGES], MNEME_UNAVAILABLE);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 3));
    assert_true(moment_of(scene->store) > moment);
    for (uint64_t since = 0; since <= 4; since++) {
        assert_int_equal(store_changes(scene->store, since, 9, true, &set, &error),
                         MNEME_UNAVAILABLE);
        assert_non_null(strstr(error.message, "as told"));
    }
    apply_ok(scene->store, put_of(MNEME_PATTERN, 4)); /* no nearer to what is missing */
    assert_int_equal(store_changes(scene->store, 4, 9, true, &set, &error), MNEME_UNAVAILABLE);
    assert_int_equal(set.count, 0);
    atomic_store(&scene->shim->status[SHIM_CHANGES], 0);
    assert_changes(scene, 0);
    assert_known(scene, 0);
}

static void want_of_memory__forgets_and_is_no_failure(void **state) {
    struct followed_scene *scene = *state;
    struct mutation put = put_of(MNEME_PATTERN, 1);
    apply_ok(scene->store, put);
    struct followed *f = followed_of(scene->store);
    mem_fail_after(1);
    ring_append(&f->ring, &(struct stored_record){.kind = MNEME_STEP, .change = 2});
    mem_fail_after(0);
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    assert_null(ring_newest(&f->ring));
    assert_changes(scene, 0);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1); /* from the log itself */
    assert_known(scene, 2);
}

/* ---- A write whose outcome nobody knows ------------------------------------------------------ */

static void uncertain_write__has_the_log_read_before_an_answer(void **state) {
    struct followed_scene *scene = *state;
    struct mutation put = put_of(MNEME_PATTERN, 2);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    uint64_t moment = moment_of(scene->store);
    atomic_store(&scene->shim->status[SHIM_APPLY], MNEME_UNCERTAIN);
    assert_int_equal(apply_one(scene->store, &put), MNEME_UNCERTAIN);
    assert_true(moment_of(scene->store) > moment);
    assert_changes(scene, 0);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
    assert_known(scene, 0);
}

/* ---- Room ------------------------------------------------------------------------------------ */

static void put_many(struct store *store, unsigned first, unsigned count) {
    AUTO_FREE struct mutation *puts = mem_zalloc(count, sizeof *puts);
    assert_non_null(puts);
    for (unsigned i = 0; i < count; i++)
        puts[i] = put_of(MNEME_PATTERN, first + i);
    assert_int_equal(apply_mutations(store, puts, count, NULL), 0);
}

static void ring__keeps_the_newest(void **state) {
    struct followed_scene *scene = *state;
    put_many(scene->store, 1, FOLLOWED_CHANGES + 100);
    assert_known(scene, 100);
    assert_known(scene, 2000);
    assert_known(scene, FOLLOWED_CHANGES + 100);
    assert_changes(scene, 99);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
}

/* Half of the slots are left behind, again and again. */
static void ring__takes_in_the_same_records_for_ever(void **state) {
    struct followed_scene *scene = *state;
    put_many(scene->store, 1, 1000);
    for (unsigned round = 0; round < 24; round++)
        put_many(scene->store, 300 + round, 700);
    assert_known(scene, 0);
    assert_known(scene, 9000);
    struct followed *f = followed_of(scene->store);
    size_t bytes = 0, count = 0;
    for (size_t i = f->ring.begin; i < f->ring.end; i++) {
        const struct known_change *known = f->ring.slots[i].known;
        assert_true(i == f->ring.begin || f->ring.slots[i - 1].change < f->ring.slots[i].change);
        bytes += known ? known->bytes : 0;
        count += known != NULL;
    }
    assert_int_equal(bytes, f->ring.bytes);
    assert_int_equal(count, f->ring.count);
}

static void ring__keeps_no_more_than_its_bytes(void **state) {
    struct followed_scene *scene = *state;
    enum { NAME = 1000, COUNT = 4000 };
    static char names[COUNT][NAME];
    AUTO_FREE struct attribute *attributes = mem_zalloc(COUNT, sizeof *attributes);
    assert_non_null(attributes);
    for (unsigned i = 0; i < COUNT; i++) {
        memset(names[i], 'x', NAME);
        snprintf(names[i], NAME, "%08u", i);
        names[i][8] = 'x';
        attributes[i] = (struct attribute){.name = slice_of(names[i], NAME)};
    }
    for (unsigned n = 1; n <= 6; n++) {
        struct mutation put = put_of(MNEME_PATTERN, n);
        put.record.attributes = attributes;
        put.record.attribute_count = COUNT;
        apply_ok(scene->store, put);
    }
    struct followed *f = followed_of(scene->store);
    assert_true(f->ring.bytes <= FOLLOWED_BYTES);
    assert_in_range(f->ring.count, 1, 4);
    assert_known(scene, 6 - f->ring.count);
}

int main(void) {
    alarm(300); /* who waits for a look of his own would wait for ever */
    const struct CMUnitTest tests[] = {
        FOLLOWED_CASE(own_writes__are_known_without_a_look),
        FOLLOWED_CASE(own_writes__are_known_when_there_was_more_before),
        FOLLOWED_CASE(own_write__that_fails_changes_nothing),
        FOLLOWED_CASE(own_write__that_is_passed_over_is_no_change),
        FOLLOWED_CASE(gap__has_the_log_read_before_the_acknowledgement),
        FOLLOWED_CASE(own_writes__acknowledged_out_of_order_are_known),
        FOLLOWED_CASE(delete__of_what_is_known_has_parent_and_time),
        FOLLOWED_CASE(delete__with_an_unknown_parent_has_the_log_read),
        FOLLOWED_CASE(delete__of_what_was_purged_has_no_parent),
        FOLLOWED_CASE(purge__of_ones_own_is_no_longer_told),
        FOLLOWED_CASE(purge__leaves_what_came_behind_it),
        FOLLOWED_CASE(failed_look__leaves_nothing_to_be_answered),
        FOLLOWED_CASE(want_of_memory__forgets_and_is_no_failure),
        FOLLOWED_CASE(uncertain_write__has_the_log_read_before_an_answer),
        FOLLOWED_CASE(ring__keeps_the_newest),
        FOLLOWED_CASE(ring__takes_in_the_same_records_for_ever),
        FOLLOWED_CASE(ring__keeps_no_more_than_its_bytes),
    };
    return cmocka_run_group_tests_name("followed commits", tests, NULL, NULL);
}
