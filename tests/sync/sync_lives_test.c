/*
 * sync_lives_test.c - an episode that was deleted and put again, and its steps of both lives.
 */
#include "sync_fixture.h"

static void step_some(struct scene *scene, unsigned device, unsigned steps) {
    mneme_error error = {0};
    for (unsigned i = 0; i < steps; i++)
        if (step_of(process_of(scene, device), false, &error))
            fail_msg("device %u: %s", device, error.message);
}

/* Device 3 completes the old life, with a step of device 2 that is younger than the new one, and
 * takes it from the remote, before the new life of device 1 comes there; or is about to. */
static void lives__step_of_a_completed_life_goes_with_it(void **state) {
    (void)state;
    for (unsigned steps = 1; steps <= 5; steps++) {
        struct scene *scene = scene_make(4);
        deed(scene, 1, EPISODE, SIM_PUT);
        settle(scene);
        deed(scene, 1, EPISODE, SIM_DELETE);
        unsigned again = deed(scene, 1, EPISODE, SIM_PUT);
        unsigned step = deed(scene, 2, EPISODE, SIM_STEP);
        SYNC(scene, 2);
        deed(scene, 3, EPISODE, SIM_COMPLETE);
        step_some(scene, 3, steps);
        SYNC(scene, 1);
        settle(scene);
        for (unsigned device = 1; device <= 4; device++) {
            assert_int_equal(shows(scene, device, EPISODE, again), 1);
            assert_int_equal(shows(scene, device, EPISODE, step), 0);
        }
        assert_true(superseded_with(scene, step) > 0);
        scene_end(scene);
    }
}

/* The completed life lost to the delete alone; device 1 puts the episode again before device 2
 * hears of it. */
static void lives__step_of_a_completed_life_goes_though_its_delete_is_not_heard(void **state) {
    (void)state;
    struct scene *scene = scene_make(3);
    deed(scene, 1, EPISODE, SIM_PUT);
    settle(scene);
    deed(scene, 1, EPISODE, SIM_DELETE);
    unsigned step = deed(scene, 2, EPISODE, SIM_STEP);
    SYNC(scene, 2);
    deed(scene, 3, EPISODE, SIM_COMPLETE);
    SYNC(scene, 3);
    SYNC(scene, 1);
    deed(scene, 1, EPISODE, SIM_PUT);
    SYNC(scene, 1);
    settle(scene);
    for (unsigned device = 1; device <= 3; device++)
        assert_int_equal(shows(scene, device, EPISODE, step), 0);
    assert_true(superseded_with(scene, step) > 0);
    scene_end(scene);
}

/* Device 1 has that step already when it hears of the completed life, and it is purged by then. */
static void lives__step_that_came_before_its_completed_life_goes_with_it(void **state) {
    (void)state;
    struct scene *scene = scene_make(4);
    deed(scene, 1, EPISODE, SIM_PUT);
    settle(scene);
    deed(scene, 1, EPISODE, SIM_DELETE);
    deed(scene, 1, EPISODE, SIM_PUT);
    unsigned step = deed(scene, 2, EPISODE, SIM_STEP);
    SYNC(scene, 2);
    deed(scene, 3, EPISODE, SIM_COMPLETE);
    step_some(scene, 3, 2);
    sim_stop(process_of(scene, 1), false);
    scene->world.settings.pull_max = 1;
    step_some(scene, 1, 1);
    SYNC(scene, 3);
    SYNC(scene, 1);
    settle(scene);
    for (unsigned device = 1; device <= 4; device++)
        assert_int_equal(shows(scene, device, EPISODE, step), 0);
    assert_true(superseded_with(scene, step) > 0);
    scene_end(scene);
}

/* The same, and the new life is completed itself: the step is late for it. */
static void lives__step_is_late_for_a_completed_new_life(void **state) {
    (void)state;
    struct scene *scene = scene_make(4);
    deed(scene, 1, EPISODE, SIM_PUT);
    settle(scene);
    deed(scene, 1, EPISODE, SIM_DELETE);
    deed(scene, 1, EPISODE, SIM_PUT);
    deed(scene, 1, EPISODE, SIM_COMPLETE);
    unsigned step = deed(scene, 2, EPISODE, SIM_STEP);
    SYNC(scene, 2);
    deed(scene, 3, EPISODE, SIM_COMPLETE);
    SYNC(scene, 3);
    SYNC(scene, 1);
    settle(scene);
    assert_true(is_sealed(scene, 4, EPISODE));
    assert_true(shows(scene, 4, EPISODE, step) || superseded_with(scene, step));
    scene_end(scene);
}

/* Device 1 hears of the delete, and device 2, which made it, of the step only in its new life. */
static void lives__step_that_the_deleter_did_not_know_ends_alike_everywhere(void **state) {
    (void)state;
    struct scene *scene = scene_make(3);
    scene->world.settings.pull_max = 1;
    deed(scene, 1, EPISODE, SIM_PUT);
    settle(scene);
    deed(scene, 2, EPISODE, SIM_DELETE);
    deed(scene, 3, PATTERN, SIM_PUT);
    unsigned step = deed(scene, 3, EPISODE, SIM_STEP);
    SYNC(scene, 3);
    SYNC(scene, 1);
    step_some(scene, 2, 1); /* the delete goes, and the pattern comes */
    deed(scene, 2, EPISODE, SIM_PUT);
    SYNC(scene, 1);
    settle(scene);
    assert_true(shows(scene, 1, EPISODE, step) || superseded_with(scene, step));
    scene_end(scene);
}

/* A push is done, its answer is lost, the process ends; the next one hears of its own step when it
 * has completed and deleted the episode, knowing of the step. `by_other`: another machine has. */
static void lives__own_step_that_was_deleted_knowingly_is_no_conflict(void **state) {
    (void)state;
    for (int by_other = 0; by_other < 2; by_other++) {
        struct scene *scene = scene_make(2);
        unsigned deleter = by_other ? 2 : 1;
        deed(scene, 1, EPISODE, SIM_PUT);
        settle(scene);
        unsigned step = deed(scene, 1, EPISODE, SIM_STEP);
        process_of(scene, 1)->fault = SIM_LOST_AFTER;
        assert_int_equal(step_of(process_of(scene, 1), false, NULL), MNEME_UNCERTAIN);
        sim_stop(process_of(scene, 1), true);
        sim_pass(&scene->world, SIM_HOUR);
        deed(scene, deleter, EPISODE, SIM_COMPLETE);
        deed(scene, deleter, EPISODE, SIM_DELETE);
        SYNC(scene, deleter);
        settle(scene);
        assert_false(is_live(scene, 1, EPISODE) || is_live(scene, 2, EPISODE));
        assert_true((superseded_with(scene, step) > 0) == (by_other == 1));
        scene_end(scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lives__step_of_a_completed_life_goes_with_it),
        cmocka_unit_test(lives__step_of_a_completed_life_goes_though_its_delete_is_not_heard),
        cmocka_unit_test(lives__step_that_came_before_its_completed_life_goes_with_it),
        cmocka_unit_test(lives__step_is_late_for_a_completed_new_life),
        cmocka_unit_test(lives__step_that_the_deleter_did_not_know_ends_alike_everywhere),
        cmocka_unit_test(lives__own_step_that_was_deleted_knowingly_is_no_conflict),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
