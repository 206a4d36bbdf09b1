/*
 * sync_meet_test.c - meetings: for the first time, with a remote that was set back or replaced,
 * after a time away that was longer than tombstones are kept, and of stores that were copied.
 */
#include "sync_fixture.h"

#include <stdio.h>

/* ---- First meetings ---------------------------------------------------------------------- */

static void meet__empty_or_full_with_empty_or_full(void **state) {
    (void)state;
    for (unsigned full = 0; full < 4; full++) {
        struct scene *scene = scene_make(2);
        unsigned here = 0, there = 0;
        if (full & 1) {
            there = deed(scene, 2, PATTERN, SIM_PUT);
            deed(scene, 2, EPISODE, SIM_PUT);
            SYNC(scene, 2);
        }
        if (full & 2)
            here = deed(scene, 1, OTHER_EPISODE + 1, SIM_PUT);
        SYNC(scene, 1);
        assert_string_equal(status_of(scene, 1).phase, "in step");
        settle(scene);
        for (unsigned device = 1; device <= 2; device++) {
            assert_int_equal(shows(scene, device, PATTERN, there), full & 1);
            assert_int_equal(shows(scene, device, OTHER_EPISODE + 1, here), full >> 1);
        }
        scene_end(scene);
    }
}

static void meet__same_record_on_both_sides_loses_neither_edit(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    unsigned first = deed(scene, 1, PATTERN, SIM_PUT);
    unsigned tag = deed(scene, 1, PATTERN, SIM_ADD_TAG);
    unsigned second = deed(scene, 2, PATTERN, SIM_PUT);
    unsigned other_tag = deed(scene, 2, PATTERN, SIM_ADD_TAG);
    settle(scene);
    assert_int_equal(shows(scene, 1, PATTERN, second), 1);
    assert_int_equal(shows(scene, 1, PATTERN, tag), 1);
    assert_int_equal(shows(scene, 1, PATTERN, other_tag), 1);
    assert_int_equal(superseded_with(scene, first), 1);
    scene_end(scene);
}

/* Slots that a device may make by itself. */
static size_t fill(struct scene *scene, unsigned device) {
    size_t count = 0;
    for (unsigned slot = 0; slot < SIM_SLOTS; slot++) {
        if (sim_slots[slot].local || sim_slots[slot].parent || slot % 2 != device - 1)
            continue;
        deed(scene, device, slot, SIM_PUT);
        count++;
    }
    return count;
}

static struct { unsigned left; } cut;

static void cut_at_point(struct sim_world *world, struct sim_process *process, void *context) {
    (void)world, (void)context;
    if (cut.left && --cut.left == 0)
        process->dead = true;
}

/* Cut at each point in turn; it goes on where it was, and takes each record once. */
static void meet__bootstrap_that_is_cut_goes_on(void **state) {
    (void)state;
    for (unsigned k = 1;; k++) {
        struct scene *scene = scene_make(2);
        struct sync_progress progress = {0};
        mneme_error error = {0};
        bool killed = false;
        uint64_t cursor = 0;
        scene->world.settings.pull_max = 2;
        fill(scene, 1);
        SYNC(scene, 1);
        cut.left = k;
        scene->world.meanwhile = cut_at_point;
        for (unsigned i = 0; i < 40; i++) {
            int status = sim_step(process_of(scene, 2), false, &progress, &killed, &error);
            if (status == MNEME_LOCKED)
                sim_pass(&scene->world, SIM_HOUR);
            assert_true(status == 0 || status == MNEME_LOCKED || killed);
            if (status == 0) {
                assert_true(progress.cursor >= cursor);
                cursor = progress.cursor;
                if (!progress.more)
                    break;
            }
        }
        assert_int_equal(cursor, progress.head);
        bool was_cut = cut.left == 0;
        settle(scene);
        scene_end(scene);
        if (!was_cut)
            break;
        assert_true(k < 300);
    }
}

/* ---- Remotes that are not what they were ------------------------------------------------- */

static void meet__remote_that_was_set_back_gets_all_again(void **state) {
    (void)state;
    struct scene *scene = scene_make(3);
    struct sim_remote copy;
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    assert_int_equal(sim_remote_copy(&scene->world.server.primary, &copy, NULL), 0);
    unsigned title = deed(scene, 1, PATTERN, SIM_TITLE);
    unsigned made = deed(scene, 2, OTHER_EPISODE, SIM_PUT);
    settle(scene);
    assert_int_equal(sim_server_restore(&scene->world.server, &copy, NULL), 0);
    sim_remote_fini(&copy);
    unsigned step = deed(scene, 3, OTHER_EPISODE, SIM_STEP);
    settle(scene);
    for (unsigned device = 1; device <= 3; device++) {
        assert_int_equal(shows(scene, device, PATTERN, title), 1);
        assert_int_equal(shows(scene, device, OTHER_EPISODE, made), 1);
        assert_int_equal(shows(scene, device, OTHER_EPISODE, step), 1);
    }
    assert_int_equal(status_of(scene, 1).superseded, 0);
    scene_end(scene);
}

static void meet__remote_that_was_replaced_gets_all_again(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    unsigned made = deed(scene, 1, PATTERN, SIM_PUT);
    deed(scene, 2, OTHER_EPISODE, SIM_PUT);
    settle(scene);
    deed(scene, 1, OTHER_EPISODE, SIM_DELETE);
    settle(scene);
    assert_int_equal(sim_server_replace(&scene->world.server, NULL), 0);
    unsigned title = deed(scene, 2, PATTERN, SIM_TITLE);
    settle(scene);
    assert_true(on_server(scene, PATTERN, 1));
    assert_int_equal(shows(scene, 1, PATTERN, title), 1);
    assert_int_equal(shows(scene, 1, PATTERN, made), 0);
    assert_false(is_live(scene, 1, OTHER_EPISODE));
    assert_false(is_live(scene, 2, OTHER_EPISODE));
    scene_end(scene);
}

/* A replica that lags tells of another tag, and of a shorter feed: nothing to begin anew for. */
static void meet__replica_that_lags_is_not_believed(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    mneme_error error = {0};
    deed(scene, 1, PATTERN, SIM_PUT);
    SYNC(scene, 1);
    assert_int_equal(sim_server_feed_replica(&scene->world.server, NULL), 0);
    deed(scene, 1, PATTERN, SIM_TITLE);
    SYNC(scene, 1);
    uint64_t stale = scene->world.server.stale, taken = scene->world.server.taken;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(step_of(process_of(scene, 1), true, &error), 0);
        assert_string_equal(status_of(scene, 1).phase, "in step");
    }
    assert_int_equal(scene->world.server.stale, stale);
    assert_int_equal(scene->world.server.taken, taken);
    assert_int_equal(sim_server_feed_replica(&scene->world.server, NULL), 0);
    uint64_t quiet = scene->world.server.quiet_exchanges;
    uint64_t all = scene->world.server.exchanges;
    for (int i = 0; i < 5; i++)
        assert_int_equal(step_of(process_of(scene, 1), true, &error), 0);
    assert_int_equal(scene->world.server.quiet_exchanges - quiet, 5); /* only looks */
    assert_int_equal(scene->world.server.exchanges - all, 5);
    scene_end(scene);
}

static void meet__quiet_look_finds_what_is_new(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    mneme_error error = {0};
    SYNC(scene, 1);
    assert_int_equal(step_of(process_of(scene, 1), true, &error), 0);
    unsigned made = deed(scene, 2, PATTERN, SIM_PUT);
    SYNC(scene, 2);
    assert_int_equal(step_of(process_of(scene, 1), true, &error), 0);
    assert_int_equal(shows(scene, 1, PATTERN, made), 1);
    unsigned title = deed(scene, 1, PATTERN, SIM_TITLE);
    assert_int_equal(step_of(process_of(scene, 1), true, &error), 0); /* which is not that quiet */
    SYNC(scene, 2);
    assert_int_equal(shows(scene, 2, PATTERN, title), 1);
    scene_end(scene);
}

/*
 * A backup of the remote is taken when it has done an exchange of which the device does not know;
 * the device goes on, and then the remote is set back to the backup. `killed`: the device's process
 * ended in that exchange; else it went on itself.
 */
static void backup_in_a_lost_exchange(bool killed) {
    struct scene *scene = scene_make(2);
    struct sim_remote copy;
    mneme_error error = {0};
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    deed(scene, 1, PATTERN, SIM_TITLE);
    assert_int_equal(sim_start(process_of(scene, 1), &error), 0);
    process_of(scene, 1)->fault = SIM_LOST_AFTER;
    assert_int_equal(step_of(process_of(scene, 1), false, &error), MNEME_UNCERTAIN);
    if (killed) {
        sim_stop(process_of(scene, 1), true);
        sim_pass(&scene->world, SIM_HOUR);
    }
    assert_int_equal(sim_remote_copy(&scene->world.server.primary, &copy, NULL), 0);
    unsigned made = deed(scene, 1, EPISODE, SIM_PUT);
    SYNC(scene, 1);
    assert_int_equal(sim_server_restore(&scene->world.server, &copy, NULL), 0);
    sim_remote_fini(&copy);
    unsigned other = deed(scene, 2, OTHER_EPISODE, SIM_PUT);
    deed(scene, 2, OTHER_EPISODE, SIM_STEP);
    SYNC(scene, 2); /* so that the remote is not shorter than device 1 knew it */
    settle(scene);
    for (unsigned device = 1; device <= 2; device++) {
        assert_int_equal(shows(scene, device, EPISODE, made), 1);
        assert_int_equal(shows(scene, device, OTHER_EPISODE, other), 1);
    }
    scene_end(scene);
}

static void meet__backup_of_a_lost_exchange_is_told_from_later_ones(void **state) {
    (void)state;
    backup_in_a_lost_exchange(false);
    backup_in_a_lost_exchange(true);
}

/* ---- A long time away -------------------------------------------------------------------- */

static void collect_all(struct scene *scene) {
    mneme_error error = {0};
    uint64_t collected;
    sim_tell_time(device_of(scene, 1));
    if (sim_start(process_of(scene, 1), &error) ||
        sync_collect(process_of(scene, 1)->sync, &collected, &error))
        fail_msg("%s", error.message);
}

static void meet__what_was_deleted_while_one_was_away_stays_so(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    uint64_t collected = 0;
    deed(scene, 1, PATTERN, SIM_PUT);
    deed(scene, 1, EPISODE, SIM_PUT);
    settle(scene);
    unsigned made = deed(scene, 2, PATTERN + 1, SIM_PUT); /* never sent */
    unsigned edit = deed(scene, 2, EPISODE, SIM_TITLE);
    deed(scene, 1, PATTERN, SIM_DELETE);
    deed(scene, 1, EPISODE, SIM_DELETE);
    SYNC(scene, 1);
    sim_pass(&scene->world, 100 * SIM_DAY);
    SYNC(scene, 1);
    SYNC(scene, 1);
    collect_all(scene);
    assert_int_equal(sync_collect(process_of(scene, 1)->sync, &collected, NULL), 0);
    assert_int_equal(collected, 0); /* all of them are */
    SYNC(scene, 2);
    assert_false(is_live(scene, 2, PATTERN));
    assert_false(is_live(scene, 2, EPISODE));
    settle(scene);
    assert_false(is_live(scene, 1, PATTERN));
    assert_int_equal(shows(scene, 1, PATTERN + 1, made), 1);
    assert_int_equal(superseded_with(scene, edit), 1);
    scene_end(scene);
}

static void meet__what_was_put_again_while_one_was_away_lives(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    mneme_error error = {0};
    uint64_t collected;
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    deed(scene, 2, PATTERN, SIM_DELETE);
    SYNC(scene, 2);
    sim_pass(&scene->world, 100 * SIM_DAY);
    SYNC(scene, 2);
    deed(scene, 2, OTHER_EPISODE, SIM_PUT);
    SYNC(scene, 2);
    unsigned again = deed(scene, 2, PATTERN, SIM_PUT);
    assert_int_equal(sync_collect(process_of(scene, 2)->sync, &collected, &error), 0);
    SYNC(scene, 1); /* it compares: the pattern was deleted */
    SYNC(scene, 2);
    settle(scene);
    assert_int_equal(shows(scene, 1, PATTERN, again), 1);
    assert_int_equal(shows(scene, 2, PATTERN, again), 1);
    scene_end(scene);
}

static void meet__long_away_without_a_collection_is_nothing(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    unsigned edit = deed(scene, 2, PATTERN, SIM_TITLE);
    sim_pass(&scene->world, 100 * SIM_DAY);
    SYNC(scene, 1);
    collect_all(scene); /* the peer's row goes, but no tombstone */
    settle(scene);
    assert_int_equal(shows(scene, 1, PATTERN, edit), 1);
    scene_end(scene);
}

/* ---- Copies ------------------------------------------------------------------------------ */

static void meet__device_that_was_set_back_takes_all_again(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    assert_int_equal(sim_keep_copy(device_of(scene, 1)), 0);
    unsigned title = deed(scene, 1, PATTERN, SIM_TITLE);
    unsigned made = deed(scene, 1, EPISODE, SIM_PUT);
    deed(scene, 2, PATTERN, SIM_ADD_TAG);
    settle(scene);
    assert_int_equal(sim_restore_copy(device_of(scene, 1)), 0);
    assert_false(is_live(scene, 1, EPISODE));
    settle(scene);
    assert_int_equal(shows(scene, 1, PATTERN, title), 1);
    assert_int_equal(shows(scene, 1, EPISODE, made), 1);
    assert_int_equal(status_of(scene, 1).superseded, 0);
    scene_end(scene);
}

/* What it writes over, without knowing that it had written it. */
static void meet__device_that_was_set_back_is_told_what_it_writes_over(void **state) {
    (void)state;
    for (int shared = 0; shared <= 1; shared++) {
        struct scene *scene = scene_make(2);
        deed(scene, 1, PATTERN, SIM_PUT);
        if (shared)
            SYNC(scene, 1);
        assert_int_equal(sim_keep_copy(device_of(scene, 1)), 0);
        unsigned before = deed(scene, 1, PATTERN, SIM_TITLE);
        SYNC(scene, 1);
        deed(scene, 2, PATTERN + 1, SIM_PUT);
        settle(scene);
        assert_int_equal(sim_restore_copy(device_of(scene, 1)), 0);
        unsigned after = deed(scene, 1, PATTERN, SIM_TITLE);
        settle(scene);
        assert_int_equal(shows(scene, 2, PATTERN, after), 1);
        assert_int_equal(superseded_with(scene, before), 1);
        scene_end(scene);
    }
}

/* What it writes then may have the version of something that it wrote before, or an older one. */
static void meet__device_that_was_set_back_in_time_loses_nothing(void **state) {
    (void)state;
    for (int older = 0; older <= 1; older++) {
        struct scene *scene = scene_make(2);
        struct sim_device *device = device_of(scene, 1);
        deed(scene, 1, PATTERN, SIM_PUT);
        scene->token = 31;
        device->skew_us = older ? 0 : -5 * SIM_HOUR; /* then versions are counted on */
        assert_int_equal(sim_keep_copy(device), 0);
        unsigned before = deed(scene, 1, PATTERN, SIM_TITLE);
        SYNC(scene, 1);
        device->skew_us = -5 * SIM_HOUR;
        assert_int_equal(sim_restore_copy(device), 0);
        scene->token = 21; /* of two titles of one version the greater wins */
        unsigned after = deed(scene, 1, PATTERN, SIM_TITLE);
        settle(scene);
        assert_int_equal(shows(scene, 2, PATTERN, before), 1);
        assert_int_equal(superseded_with(scene, after), 1);
        scene_end(scene);
    }
}

/* Device 2 becomes a copy of device 1, with its memory of the remote: two of one name. */
static void meet__copied_store_goes_on_beside_the_first(void **state) {
    (void)state;
    struct scene *scene = scene_make(3);
    const unsigned own = 3; /* the slot that device 1 of three may fill */
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    assert_int_equal(sim_keep_copy(device_of(scene, 1)), 0);
    store_close(device_of(scene, 2)->copy);
    device_of(scene, 2)->copy = device_of(scene, 1)->copy;
    device_of(scene, 1)->copy = NULL;
    assert_int_equal(sim_restore_copy(device_of(scene, 2)), 0);
    for (int i = 0; i < 4; i++) {
        deed(scene, 1, own, i ? SIM_STEP : SIM_PUT);
        sim_pass(&scene->world, SIM_HOUR); /* the lease that was copied */
        SYNC(scene, 1);
        deed(scene, 2, EPISODE, i ? SIM_STEP : SIM_PUT);
        SYNC(scene, 2);
    }
    settle(scene);
    assert_true(is_live(scene, 3, EPISODE));
    assert_true(is_live(scene, 3, own));
    scene_end(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meet__empty_or_full_with_empty_or_full),
        cmocka_unit_test(meet__same_record_on_both_sides_loses_neither_edit),
        cmocka_unit_test(meet__bootstrap_that_is_cut_goes_on),
        cmocka_unit_test(meet__remote_that_was_set_back_gets_all_again),
        cmocka_unit_test(meet__remote_that_was_replaced_gets_all_again),
        cmocka_unit_test(meet__replica_that_lags_is_not_believed),
        cmocka_unit_test(meet__quiet_look_finds_what_is_new),
        cmocka_unit_test(meet__backup_of_a_lost_exchange_is_told_from_later_ones),
        cmocka_unit_test(meet__what_was_deleted_while_one_was_away_stays_so),
        cmocka_unit_test(meet__what_was_put_again_while_one_was_away_lives),
        cmocka_unit_test(meet__long_away_without_a_collection_is_nothing),
        cmocka_unit_test(meet__device_that_was_set_back_takes_all_again),
        cmocka_unit_test(meet__device_that_was_set_back_is_told_what_it_writes_over),
        cmocka_unit_test(meet__device_that_was_set_back_in_time_loses_nothing),
        cmocka_unit_test(meet__copied_store_goes_on_beside_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
