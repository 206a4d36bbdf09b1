/*
 * sync_race_test.c - somebody writes, or the process dies, while a step is under way: at each of
 * its points in turn.
 */
#include "sync_fixture.h"

enum { CHECKPOINT = 10, POINTS_MAX = 300 };

/* ---- One write at one point -------------------------------------------------------------- */

static struct {
    struct scene *scene;
    unsigned left; /* points until it is done; 0: it was */
    unsigned device, slot;
    enum sim_deed what;
    bool done; /* it wrote something */
} other;

static void write_at_point(struct sim_world *world, struct sim_process *process, void *context) {
    mneme_error error = {0};
    (void)world, (void)context;
    if (process->device->number != other.device || other.left == 0 || --other.left > 0)
        return;
    if (sim_work(process->device, other.slot, other.what, &other.scene->random, &other.scene->token,
                 &other.done, &error))
        fail_msg("%s", error.message);
}

/* At the k-th point of what follows a device does this. */
static void plan_write_at(struct scene *scene, unsigned k, unsigned device, unsigned slot,
                          enum sim_deed what) {
    other.scene = scene;
    other.left = k;
    other.device = device;
    other.slot = slot;
    other.what = what;
    other.done = false;
    scene->world.meanwhile = write_at_point;
}

/* Sync the device; whether the write fell into that. */
static bool sync_with_write(struct scene *scene, unsigned device) {
    SYNC(scene, device);
    scene->world.meanwhile = NULL;
    return other.left == 0;
}

/* ---- Meetings ---------------------------------------------------------------------------- */

static bool is_told_or_shown(struct scene *scene, unsigned slot, unsigned token) {
    return shows(scene, 1, slot, token) || superseded_with(scene, token);
}

/* Device 2 writes a record, of which it knows what was shared, while it meets another remote, on
 * which device 1 has made a rival of it. */
static void race__write_during_a_meeting_is_met_too(void **state) {
    (void)state;
    bool fell = true;
    for (unsigned k = 1; fell; k++) {
        struct scene *scene = scene_make(3);
        unsigned first = deed(scene, 1, PATTERN, SIM_PUT);
        settle(scene);
        unsigned title = deed(scene, 1, PATTERN, SIM_TITLE);
        assert_int_equal(sim_server_replace(&scene->world.server, NULL), 0);
        plan_write_at(scene, k, 2, PATTERN, SIM_ADD_TAG);
        fell = sync_with_write(scene, 2);
        settle(scene);
        assert_int_equal(shows(scene, 1, PATTERN, first), 0);
        assert_int_equal(shows(scene, 1, PATTERN, title), 1);
        scene_end(scene);
        assert_true(k < POINTS_MAX);
    }
}

static void race__rival_of_a_record_written_during_a_meeting_is_told(void **state) {
    (void)state;
    bool fell = true;
    for (unsigned k = 1; fell; k++) {
        struct scene *scene = scene_make(2);
        unsigned mine = deed(scene, 2, PATTERN, SIM_PUT);
        SYNC(scene, 2);
        assert_int_equal(sim_server_replace(&scene->world.server, NULL), 0);
        unsigned theirs = deed(scene, 1, PATTERN, SIM_PUT);
        SYNC(scene, 1);
        plan_write_at(scene, k, 2, PATTERN, SIM_ADD_TAG);
        fell = sync_with_write(scene, 2);
        settle(scene);
        assert_true(is_told_or_shown(scene, PATTERN, mine));
        assert_true(is_told_or_shown(scene, PATTERN, theirs));
        scene_end(scene);
        assert_true(k < POINTS_MAX);
    }
}

/* ---- Families ---------------------------------------------------------------------------- */

/* A child comes while its episode is deleted here. */
static void race__child_that_comes_to_an_episode_being_deleted_goes_everywhere(void **state) {
    (void)state;
    bool fell = true;
    for (unsigned k = 1; fell; k++) {
        struct scene *scene = scene_make(2);
        deed(scene, 2, OTHER_EPISODE, SIM_PUT);
        settle(scene);
        unsigned step = deed(scene, 1, OTHER_EPISODE, SIM_STEP);
        unsigned note = deed(scene, 1, CHECKPOINT, SIM_PUT);
        SYNC(scene, 1);
        plan_write_at(scene, k, 2, OTHER_EPISODE, SIM_DELETE);
        fell = sync_with_write(scene, 2);
        settle(scene);
        assert_int_equal(is_live(scene, 1, OTHER_EPISODE), !fell);
        assert_int_equal(shows(scene, 1, OTHER_EPISODE, step), !fell);
        assert_int_equal(shows(scene, 1, CHECKPOINT, note), !fell);
        scene_end(scene);
        assert_true(k < POINTS_MAX);
    }
}

/* A child is made here while the tombstone of its episode comes. */
static void joins_while_a_delete_comes(unsigned slot, enum sim_deed what) {
    bool fell = true;
    for (unsigned k = 1; fell; k++) {
        struct scene *scene = scene_make(3);
        deed(scene, 2, OTHER_EPISODE, SIM_PUT);
        settle(scene);
        deed(scene, 2, OTHER_EPISODE, SIM_DELETE);
        SYNC(scene, 2);
        unsigned token = scene->token;
        plan_write_at(scene, k, 1, slot, what);
        fell = sync_with_write(scene, 1);
        assert_false(is_live(scene, 1, CHECKPOINT));
        settle(scene);
        assert_false(is_live(scene, 3, CHECKPOINT));
        bool made_anew = is_live(scene, 3, OTHER_EPISODE);
        assert_true(!other.done || made_anew || superseded_with(scene, token));
        scene_end(scene);
        assert_true(k < POINTS_MAX);
    }
}

static void race__checkpoint_made_while_a_delete_comes_goes_too(void **state) {
    (void)state;
    joins_while_a_delete_comes(CHECKPOINT, SIM_PUT);
}

static void race__step_made_while_a_delete_comes_goes_too(void **state) {
    (void)state;
    joins_while_a_delete_comes(OTHER_EPISODE, SIM_STEP);
}

/* Both delete a checkpoint for its episode: its tombstones differ in what each store made up. */
static void race__one_delete_of_two_machines_ends_equal(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    scene->world.settings.pull_max = 1;
    deed(scene, 2, OTHER_EPISODE, SIM_PUT);
    settle(scene);
    deed(scene, 2, OTHER_EPISODE, SIM_DELETE);
    unsigned note = deed(scene, 1, CHECKPOINT, SIM_PUT);
    SYNC(scene, 1);
    deed(scene, 1, CHECKPOINT, SIM_TITLE);
    SYNC(scene, 2);
    settle(scene);
    assert_int_equal(shows(scene, 1, CHECKPOINT, note), 0);
    assert_int_equal(superseded_with(scene, note), 1);
    scene_end(scene);
}

/* ---- Ends -------------------------------------------------------------------------------- */

/* What a process that died had pushed comes back while its record was written again here, with a
 * clock that is `ahead_us` ahead of the remote's, and then `later_us`. */
static void removal_stays(int64_t ahead_us, int64_t later_us) {
    bool died = true;
    for (unsigned k = 1; died; k++) {
        struct scene *scene = scene_make(2);
        struct sim_process *process = process_of(scene, 1);
        SYNC(scene, 1);
        device_of(scene, 1)->skew_us = ahead_us;
        deed(scene, 1, PATTERN, SIM_PUT);
        unsigned tag = deed(scene, 1, PATTERN, SIM_ADD_TAG);
        assert_int_equal(sim_start(process, NULL), 0);
        process->dies_at = k;
        (void)sim_step(process, false, NULL, &died, NULL);
        process->dies_at = 0;
        deed(scene, 1, PATTERN, SIM_DROP_TAG);
        unsigned left = shows(scene, 1, PATTERN, tag);
        device_of(scene, 1)->skew_us = later_us;
        settle(scene);
        assert_int_equal(shows(scene, 1, PATTERN, tag), left);
        assert_int_equal(shows(scene, 2, PATTERN, tag), left);
        scene_end(scene);
        assert_true(k < POINTS_MAX);
    }
}

static void race__removal_stays_after_a_push_of_the_future_of_which_nobody_knows(void **state) {
    (void)state;
    removal_stays(3 * SIM_HOUR, 3 * SIM_HOUR);
}

static void race__removal_stays_though_the_clock_is_set_before_the_push_is_known(void **state) {
    (void)state;
    removal_stays(0, -7 * SIM_HOUR);
    removal_stays(3 * SIM_HOUR, 0);
}

/* The marks were of the remote that comes back, and some have been taken back already. */
static void race__meeting_that_was_cut_is_begun_anew_though_the_old_remote_is_back(void **state) {
    (void)state;
    bool died = true;
    for (unsigned k = 1; died; k++) {
        struct scene *scene = scene_make(2);
        struct sim_process *process = process_of(scene, 1);
        struct sim_remote copy;
        deed(scene, 1, PATTERN, SIM_PUT);
        settle(scene);
        assert_int_equal(sim_remote_copy(&scene->world.server.primary, &copy, NULL), 0);
        unsigned tag = deed(scene, 1, PATTERN, SIM_ADD_TAG);
        assert_int_equal(sim_server_replace(&scene->world.server, NULL), 0);
        process->dies_at = k;
        (void)sim_step(process, false, NULL, &died, NULL);
        process->dies_at = 0;
        assert_int_equal(sim_server_restore(&scene->world.server, &copy, NULL), 0);
        sim_remote_fini(&copy);
        settle(scene);
        assert_int_equal(shows(scene, 2, PATTERN, tag), 1);
        scene_end(scene);
        assert_true(k < POINTS_MAX);
    }
}

/* One record goes with an exchange; the store is set back after some of them. */
static void race__loss_is_told_before_it_is_caused(void **state) {
    enum { STEPS = 8 };
    (void)state;
    for (unsigned steps = 1; steps <= STEPS; steps++) {
        struct scene *scene = scene_make(2);
        scene->world.settings.push_max = 1;
        unsigned theirs = deed(scene, 2, PATTERN, SIM_PUT);
        SYNC(scene, 2);
        unsigned mine = deed(scene, 1, PATTERN, SIM_PUT);
        assert_int_equal(sim_keep_copy(device_of(scene, 1)), 0);
        for (unsigned i = 0; i < steps; i++)
            assert_int_equal(step_of(process_of(scene, 1), false, NULL), 0);
        assert_int_equal(sim_restore_copy(device_of(scene, 1)), 0);
        settle(scene);
        assert_true(is_told_or_shown(scene, PATTERN, mine));
        assert_true(is_told_or_shown(scene, PATTERN, theirs));
        scene_end(scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(race__write_during_a_meeting_is_met_too),
        cmocka_unit_test(race__rival_of_a_record_written_during_a_meeting_is_told),
        cmocka_unit_test(race__child_that_comes_to_an_episode_being_deleted_goes_everywhere),
        cmocka_unit_test(race__checkpoint_made_while_a_delete_comes_goes_too),
        cmocka_unit_test(race__step_made_while_a_delete_comes_goes_too),
        cmocka_unit_test(race__one_delete_of_two_machines_ends_equal),
        cmocka_unit_test(race__removal_stays_after_a_push_of_the_future_of_which_nobody_knows),
        cmocka_unit_test(race__removal_stays_though_the_clock_is_set_before_the_push_is_known),
        cmocka_unit_test(race__meeting_that_was_cut_is_begun_anew_though_the_old_remote_is_back),
        cmocka_unit_test(race__loss_is_told_before_it_is_caused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
