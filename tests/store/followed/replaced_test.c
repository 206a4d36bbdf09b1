/*
 * replaced_test.c - a database that is replaced under a followed store: it is noticed, and whatever
 * was read of the old one is void.
 */
#include <unistd.h>

#include "store/mem.h"
#include "support/followed_scene.h"

/* Remember the shared store as it is now … */
static void back_up(struct followed_scene *scene) {
    assert_int_equal(mem_store_clone(scene->shared, &scene->restored, NULL), 0);
}

/* … and have it be so again. */
static void restore(void *context) {
    struct followed_scene *scene = context;
    atomic_store(&scene->shim->below, scene->restored);
}

static void assert_begun_anew(struct followed_scene *scene, uint64_t since) {
    AUTO_RECORDS struct record_set set = {0};
    struct store_stats stats;
    mneme_error error;
    assert_int_equal(epoch_of(scene), 1);
    assert_int_equal(store_changes(scene->store, since, 9, true, &set, &error), MNEME_CONFLICT);
    assert_non_null(strstr(error.message, "replaced"));
    assert_int_equal(store_changes(scene->store, 1, 9, true, &set, &error), MNEME_CONFLICT);
    assert_int_equal(store_stats(scene->store, &stats, NULL), 0);
    assert_changes(scene, stats.changes);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 30));
    assert_known(scene, stats.changes);
    assert_int_equal(store_changes(scene->store, stats.changes - 1, 9, true, &set, &error),
                     MNEME_CONFLICT);
    assert_changes(scene, 0); /* who reads everything may */
    assert_int_equal(epoch_of(scene), 1);
}

static void write_some(struct store *store, unsigned count) {
    for (unsigned n = 1; n <= count; n++)
        apply_ok(store, put_of(MNEME_PATTERN, n));
}

static void restored_log__that_ends_earlier_is_noticed(void **state) {
    struct followed_scene *scene = *state;
    write_some(scene->store, 5);
    back_up(scene);
    write_some(scene->store, 3);
    restore(scene);
    look_ok(scene);
    assert_begun_anew(scene, 8);
}

static void restored_log__that_has_the_same_numbers_is_noticed(void **state) {
    struct followed_scene *scene = *state;
    write_some(scene->store, 5);
    back_up(scene);
    write_some(scene->store, 3);
    write_some(scene->restored, 2);
    struct mutation put = put_of(MNEME_PATTERN, 3); /* the same record, at another time */
    put.record.version = (mneme_version){UINT64_C(1) << 60, 3};
    apply_ok(scene->restored, put);
    restore(scene);
    look_ok(scene);
    assert_begun_anew(scene, 8);
}

static void restored_log__is_noticed_though_the_last_record_has_changed(void **state) {
    struct followed_scene *scene = *state;
    write_some(scene->store, 5);
    back_up(scene);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 2));    /* change 6 … */
    apply_ok(scene->restored, put_of(MNEME_PATTERN, 7)); /* … is another one here … */
    apply_ok(scene->restored, put_of(MNEME_PATTERN, 2)); /* … and the record has changed, too */
    restore(scene);
    look_ok(scene);
    assert_begun_anew(scene, 6);
}

static void restored_log__that_has_outgrown_the_old_one_is_noticed(void **state) {
    struct followed_scene *scene = *state;
    write_some(scene->store, 5);
    back_up(scene);
    write_some(scene->store, 3);
    for (unsigned n = 0; n < 9; n++)
        apply_ok(scene->restored, put_of(MNEME_PATTERN, 50));
    restore(scene);
    look_ok(scene);
    assert_begun_anew(scene, 8);
}

static void restored_log__is_noticed_by_an_own_number(void **state) {
    struct followed_scene *scene = *state;
    write_some(scene->store, 5);
    back_up(scene);
    write_some(scene->store, 3);
    restore(scene);
    struct mutation put = put_of(MNEME_PATTERN, 9);
    apply_ok(scene->store, put);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 0);
    assert_begun_anew(scene, 8);
}

static void emptied_log__is_noticed_without_a_witness(void **state) {
    struct followed_scene *scene = *state;
    write_some(scene->store, 3);
    for (unsigned n = 1; n <= 3; n++)
        apply_ok(scene->store, purge_of(MNEME_PATTERN, n));
    look_ok(scene);
    assert_int_equal(epoch_of(scene), 0);
    assert_int_equal(mem_store_open(2, &scene->restored, NULL), 0);
    restore(scene);
    look_ok(scene);
    assert_int_equal(epoch_of(scene), 1);
}

static void restore_and_look(void *context) {
    struct followed_scene *scene = context;
    write_some(scene->restored, 3);
    restore(scene);
    look_ok(scene);
}

/* The commit was one of the old log, and its number is the next one of the new log. */
static void own_change__of_the_old_log_is_none_of_the_new_one(void **state) {
    struct followed_scene *scene = *state;
    write_some(scene->store, 5);
    back_up(scene);
    for (unsigned n = 6; n <= 8; n++)
        apply_ok(scene->store, put_of(MNEME_PATTERN, n));
    shim_meanwhile(scene, SHIM_APPLY, restore_and_look);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 9));
    AUTO_RECORDS struct record_set set = {0};
    struct store_stats stats;
    assert_int_equal(store_stats(scene->store, &stats, NULL), 0);
    assert_int_equal(stats.changes, 8);
    assert_int_equal(store_changes(scene->store, 8, 9, true, &set, NULL), 0);
    assert_int_equal(set.count, 0);
    assert_begun_anew(scene, 7);
}

static void restore_and_write(void *context) {
    struct followed_scene *scene = context;
    restore(scene);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 9));
}

/* The page is of the old log; that it is another one is noticed before it arrives. */
static void page__of_another_log_is_thrown_away(void **state) {
    struct followed_scene *scene = *state;
    mneme_error error;
    write_some(scene->store, 5);
    back_up(scene);
    write_some(scene->store, 3);
    write_some(scene->shared, 3);
    shim_meanwhile(scene, SHIM_CHANGES, restore_and_write);
    assert_int_equal(followed_look(scene->store, &error), MNEME_CONFLICT);
    look_ok(scene);
    assert_begun_anew(scene, 8);
}

static void statistics__of_another_log_are_thrown_away(void **state) {
    struct followed_scene *scene = *state;
    struct store_stats stats;
    write_some(scene->store, 5);
    back_up(scene);
    write_some(scene->store, 3);
    shim_meanwhile(scene, SHIM_STATS, restore_and_write);
    assert_int_equal(store_stats(scene->store, &stats, NULL), MNEME_CONFLICT);
    assert_begun_anew(scene, 8);
}

/* Others complete the episode of the step that we know last: no reason to begin anew. */
static void purged_witness__is_explained_by_its_parent(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_step_of(1, 9));
    struct mutation batch[] = {put_of(MNEME_EPISODE, 9), purge_of(MNEME_STEP, 1)};
    assert_int_equal(apply_mutations(scene->shared, batch, 2, NULL), 0);
    look_ok(scene);
    assert_int_equal(epoch_of(scene), 0);
    assert_known(scene, 1);
}

/* ---- Caches above ---------------------------------------------------------------------------- */

static mneme_version cached_version(struct machine *machine, unsigned n) {
    struct cache_item *item = NULL;
    mneme_id id = numbered_id(n);
    mneme_version version = {0};
    int status = cached_acquire(machine->top, MNEME_PATTERN, &id, &item, NULL);
    assert_true(status == 0 || status == MNEME_NOT_FOUND);
    if (item)
        version = item->version;
    cache_item_release(item);
    return version;
}

/* Records that were cached and are others now, or gone, are read from the restored store. */
static void caches__give_nothing_of_the_old_log(void **state) {
    struct followed_scene *scene = *state;
    static const struct followed_options options = {.no_looks = true};
    struct machine machine;
    machine_open(&machine, scene->shared, &options, true);
    write_some(machine.top, 5);
    back_up(scene);
    write_some(machine.top, 8);
    for (unsigned n = 1; n <= 8; n++)
        assert_false(version_is_zero(cached_version(&machine, n)));
    atomic_store(&machine.shim->below, scene->restored);
    assert_int_equal(followed_look(machine.followed, NULL), 0);
    for (unsigned round = 0; round < 12; round++) {
        for (unsigned n = 1; n <= 9; n++) {
            AUTO_RECORDS struct record_set set = {0};
            mneme_id id = numbered_id(n);
            int status = store_get_one(scene->restored, MNEME_PATTERN, &id, &set, NULL);
            mneme_version version = status ? (mneme_version){0} : cached_stamp(&set.records[0]);
            assert_int_equal(version_compare(cached_version(&machine, n), version), 0);
        }
        apply_ok(round % 2 ? machine.top : scene->restored, put_of(MNEME_PATTERN, 9));
        assert_int_equal(followed_look(machine.followed, NULL), 0);
    }
    store_close(machine.top);
}

int main(void) {
    alarm(300); /* who waits for a look of his own would wait for ever */
    const struct CMUnitTest tests[] = {
        FOLLOWED_CASE(restored_log__that_ends_earlier_is_noticed),
        FOLLOWED_CASE(restored_log__that_has_the_same_numbers_is_noticed),
        FOLLOWED_CASE(restored_log__is_noticed_though_the_last_record_has_changed),
        FOLLOWED_CASE(restored_log__that_has_outgrown_the_old_one_is_noticed),
        FOLLOWED_CASE(restored_log__is_noticed_by_an_own_number),
        FOLLOWED_CASE(emptied_log__is_noticed_without_a_witness),
        FOLLOWED_CASE(own_change__of_the_old_log_is_none_of_the_new_one),
        FOLLOWED_CASE(page__of_another_log_is_thrown_away),
        FOLLOWED_CASE(statistics__of_another_log_are_thrown_away),
        FOLLOWED_CASE(purged_witness__is_explained_by_its_parent),
        FOLLOWED_CASE(caches__give_nothing_of_the_old_log),
    };
    return cmocka_run_group_tests_name("followed, another log", tests, NULL, NULL);
}
