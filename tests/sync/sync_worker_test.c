/*
 * sync_worker_test.c - one worker at a time: the lease, its end, the fence behind it; and clocks
 * that are wrong.
 */
#include "sync_fixture.h"

#include <stdio.h>

static struct sim_process *second_of(struct scene *scene, unsigned device) {
    return &device_of(scene, device)->processes[1];
}

/* ---- The lease --------------------------------------------------------------------------- */

static void lease__second_worker_is_told_who_has_it(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    mneme_error error = {0};
    deed(scene, 1, PATTERN, SIM_PUT);
    assert_int_equal(step_of(process_of(scene, 1), false, &error), 0);
    assert_int_equal(step_of(second_of(scene, 1), false, &error), MNEME_LOCKED);
    assert_true(strlen(error.message) > 10);
    assert_true(status_of(scene, 1).worker[0] != 0);
    assert_int_equal(step_of(process_of(scene, 1), false, &error), 0);
    scene_end(scene);
}

static void lease__worker_that_ends_gives_it_back(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    mneme_error error = {0};
    assert_int_equal(step_of(process_of(scene, 1), false, &error), 0);
    sim_stop(process_of(scene, 1), false);
    assert_int_equal(status_of(scene, 1).worker[0], 0);
    assert_int_equal(step_of(second_of(scene, 1), false, &error), 0);
    scene_end(scene);
}

static void lease__of_a_dead_worker_ends(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    mneme_error error = {0};
    assert_int_equal(step_of(process_of(scene, 1), false, &error), 0);
    sim_stop(process_of(scene, 1), true);
    assert_int_equal(step_of(second_of(scene, 1), false, &error), MNEME_LOCKED);
    sim_pass(&scene->world, 31 * SIM_SECOND);
    assert_int_equal(step_of(second_of(scene, 1), false, &error), 0);
    scene_end(scene);
}

struct takeover {
    struct scene *scene;
    bool done;
};

/* Before the second process writes its first state: the first one works on, though its lease is
 * over. */
static void work_on(struct sim_world *world, struct sim_process *process, void *context) {
    struct takeover *t = context;
    mneme_error error = {0};
    (void)world;
    if (process != second_of(t->scene, 1) || t->done)
        return;
    t->done = true;
    for (int i = 0; i < 4; i++) {
        deed(t->scene, 1, PATTERN, SIM_TITLE);
        assert_int_equal(step_of(process_of(t->scene, 1), false, &error), 0);
    }
    sim_pass(world, 31 * SIM_SECOND);
}

static void lease__that_is_taken_over_leaves_what_was_stored_last(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    struct takeover takeover = {.scene = scene};
    mneme_error error = {0};
    SYNC(scene, 1);
    sim_pass(&scene->world, 31 * SIM_SECOND);
    scene->world.meanwhile = work_on;
    scene->world.meanwhile_context = &takeover;
    (void)step_of(second_of(scene, 1), false, &error);
    scene->world.meanwhile = NULL;
    assert_true(takeover.done);
    sim_stop(process_of(scene, 1), true);
    sim_pass(&scene->world, 31 * SIM_SECOND);
    while (step_of(second_of(scene, 1), false, &error) != 0)
        sim_pass(&scene->world, 31 * SIM_SECOND);
    assert_int_equal(scene->world.server.primary.peer_count, 1); /* it knew the tags */
    settle(scene);
    scene_end(scene);
}

static void lease__is_renewed_by_work(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    mneme_error error = {0};
    for (int i = 0; i < 10; i++) {
        assert_int_equal(step_of(process_of(scene, 1), false, &error), 0);
        sim_pass(&scene->world, 20 * SIM_SECOND);
        assert_int_equal(step_of(second_of(scene, 1), false, &error), MNEME_LOCKED);
    }
    scene_end(scene);
}

/* The wall clock may jump; the lease goes by another one. */
static void lease__does_not_go_by_the_wall_clock(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    mneme_error error = {0};
    assert_int_equal(step_of(process_of(scene, 1), false, &error), 0);
    device_of(scene, 1)->skew_us = 5 * SIM_HOUR;
    assert_int_equal(step_of(second_of(scene, 1), false, &error), MNEME_LOCKED);
    device_of(scene, 1)->skew_us = -5 * SIM_HOUR;
    sim_pass(&scene->world, 31 * SIM_SECOND);
    assert_int_equal(step_of(second_of(scene, 1), false, &error), 0);
    scene_end(scene);
}

/* ---- The fence --------------------------------------------------------------------------- */

/* What the second worker does while the first one stands still at its n-th point. */
static struct {
    unsigned at, seen;
    bool done;
    uint64_t commits; /* of the store, behind that */
} still;

static uint64_t commits_of(struct sim_device *device) {
    struct store_stats stats;
    assert_int_equal(store_stats(device->store, &stats, NULL), 0);
    return stats.commits;
}

static void take_over(struct sim_world *world, struct sim_process *process, void *context) {
    struct sim_process *second = context;
    mneme_error error = {0};
    bool killed;
    if (process == second || still.done || ++still.seen != still.at)
        return;
    still.done = true;
    sim_pass(world, SIM_HOUR);
    for (int i = 0; i < 5; i++)
        assert_int_equal(sim_step(second, false, NULL, &killed, &error), 0);
    still.commits = commits_of(process->device);
}

/* Wherever it stood still, the first worker changes nothing afterwards, here or there. */
static void fence__worker_that_was_overtaken_changes_nothing(void **state) {
    (void)state;
    for (still.at = 1;; still.at++) {
        struct scene *scene = scene_make(2);
        mneme_error error = {0};
        still.seen = 0;
        still.done = false;
        deed(scene, 2, OTHER_EPISODE, SIM_PUT);
        SYNC(scene, 2);
        unsigned made = deed(scene, 1, PATTERN, SIM_PUT);
        deed(scene, 1, LOCAL_PATTERN, SIM_PUT); /* which is held: a write before the exchange */
        scene->world.meanwhile = take_over;
        scene->world.meanwhile_context = second_of(scene, 1);
        int status = step_of(process_of(scene, 1), false, &error);
        scene->world.meanwhile = NULL;
        if (!still.done) {
            scene_end(scene);
            break;
        }
        uint64_t taken = scene->world.server.taken;
        assert_int_equal(commits_of(device_of(scene, 1)), still.commits);
        if (status != 0) /* unless it had nothing left to do */
            assert_int_equal(status, MNEME_LOCKED);
        assert_int_equal(step_of(process_of(scene, 1), false, &error), MNEME_LOCKED);
        assert_int_equal(commits_of(device_of(scene, 1)), still.commits);
        assert_int_equal(scene->world.server.taken, taken);
        assert_int_equal(taken, 2); /* each of the two once */
        assert_int_equal(step_of(second_of(scene, 1), false, &error), 0);
        settle(scene);
        assert_int_equal(shows(scene, 2, PATTERN, made), 1);
        scene_end(scene);
        assert_true(still.at < 100);
    }
    assert_true(still.at > 3);
}

/* ---- Clocks ------------------------------------------------------------------------------ */

static mneme_version version_on_server(struct scene *scene, unsigned slot) {
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = sim_slot_id(slot, 1);
    assert_int_equal(
        store_get_one(scene->world.server.primary.store, sim_slots[slot].kind, &id, &set, NULL), 0);
    return set.records[0].version;
}

static void clock__version_of_the_future_is_brought_back(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    device_of(scene, 1)->skew_us = 5 * SIM_HOUR;
    SYNC(scene, 1); /* it learns how wrong its clock is */
    unsigned first = deed(scene, 1, PATTERN, SIM_PUT);
    SYNC(scene, 1);
    int64_t written_us = (int64_t)(version_on_server(scene, PATTERN).clock >> 16) * 1000;
    assert_true(written_us <= scene->world.now_us + 61 * SIM_SECOND);
    SYNC(scene, 2);
    sim_pass(&scene->world, 120 * SIM_SECOND);
    unsigned later = deed(scene, 2, PATTERN, SIM_TITLE); /* by a right clock, and later */
    settle(scene);
    assert_int_equal(shows(scene, 1, PATTERN, later), 1);
    assert_int_equal(shows(scene, 1, PATTERN, first), 0);
    scene_end(scene);
}

static void clock__writes_that_followed_each_other_stay_so(void **state) {
    (void)state;
    struct scene *scene = scene_make(3);
    unsigned last = 0;
    device_of(scene, 1)->skew_us = 5 * SIM_HOUR;
    device_of(scene, 2)->skew_us = -7 * SIM_HOUR;
    deed(scene, 1, PATTERN, SIM_PUT);
    for (unsigned i = 0; i < 12; i++) {
        SYNC(scene, 1 + i % 3);
        SYNC(scene, 1 + (i + 1) % 3);
        last = deed(scene, 1 + (i + 1) % 3, PATTERN, SIM_TITLE);
        SYNC(scene, 1 + (i + 1) % 3);
    }
    settle(scene);
    for (unsigned device = 1; device <= 3; device++)
        assert_int_equal(shows(scene, device, PATTERN, last), 1);
    assert_int_equal(status_of(scene, 1).superseded, 0);
    scene_end(scene);
}

static void clock__skew_is_reported(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    device_of(scene, 1)->skew_us = 3 * SIM_HOUR;
    SYNC(scene, 1);
    int64_t skew_us = status_of(scene, 1).skew_us;
    assert_true(skew_us > -3 * SIM_HOUR - SIM_SECOND && skew_us < -3 * SIM_HOUR + SIM_SECOND);
    scene_end(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lease__second_worker_is_told_who_has_it),
        cmocka_unit_test(lease__worker_that_ends_gives_it_back),
        cmocka_unit_test(lease__of_a_dead_worker_ends),
        cmocka_unit_test(lease__that_is_taken_over_leaves_what_was_stored_last),
        cmocka_unit_test(lease__is_renewed_by_work),
        cmocka_unit_test(lease__does_not_go_by_the_wall_clock),
        cmocka_unit_test(fence__worker_that_was_overtaken_changes_nothing),
        cmocka_unit_test(clock__version_of_the_future_is_brought_back),
        cmocka_unit_test(clock__writes_that_followed_each_other_stay_so),
        cmocka_unit_test(clock__skew_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
