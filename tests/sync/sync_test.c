/*
 * sync_test.c - the engine's promises one by one: what flows, what merges, and what a lost answer,
 * a kill, a second worker and a wrong clock cannot spoil.
 */
#include "sync_fixture.h"

#include <stdio.h>

/* ---- What flows -------------------------------------------------------------------------- */

static void sync__writes_of_one_device_are_read_on_another(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    unsigned made = deed(scene, 1, PATTERN, SIM_PUT);
    SYNC(scene, 1);
    SYNC(scene, 2);
    assert_int_equal(shows(scene, 2, PATTERN, made), 1);
    unsigned edited = deed(scene, 2, PATTERN, SIM_TITLE);
    SYNC(scene, 2);
    SYNC(scene, 1);
    assert_int_equal(shows(scene, 1, PATTERN, edited), 1);
    assert_int_equal(shows(scene, 1, PATTERN, made), 0);
    deed(scene, 1, PATTERN, SIM_DELETE);
    SYNC(scene, 1);
    SYNC(scene, 2);
    assert_false(is_live(scene, 2, PATTERN));
    settle(scene);
    scene_end(scene);
}

static void sync__steps_of_an_open_episode_flow_and_are_sealed(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    unsigned steps[4];
    deed(scene, 1, EPISODE, SIM_PUT);
    SYNC(scene, 1);
    SYNC(scene, 2);
    for (unsigned i = 0; i < COUNT_OF(steps); i++) {
        unsigned device = 1 + i % 2;
        steps[i] = deed(scene, device, EPISODE, SIM_STEP);
        SYNC(scene, device);
        SYNC(scene, 3 - device);
        assert_int_equal(shows(scene, 3 - device, EPISODE, steps[i]), 1);
    }
    deed(scene, 2, EPISODE, SIM_COMPLETE);
    SYNC(scene, 2);
    SYNC(scene, 1);
    assert_true(is_sealed(scene, 1, EPISODE));
    for (unsigned i = 0; i < COUNT_OF(steps); i++)
        assert_int_equal(shows(scene, 1, EPISODE, steps[i]), 1);
    settle(scene); /* which finds steps that were left over */
    scene_end(scene);
}

/* A step that a device appends while another one completes the episode. */
static void late_step(bool step_syncs_first) {
    struct scene *scene = scene_make(3);
    deed(scene, 1, EPISODE, SIM_PUT);
    unsigned early = deed(scene, 1, EPISODE, SIM_STEP);
    SYNC(scene, 1);
    SYNC(scene, 2);
    unsigned late = deed(scene, 2, EPISODE, SIM_STEP);
    deed(scene, 1, EPISODE, SIM_COMPLETE);
    SYNC(scene, step_syncs_first ? 2 : 1);
    SYNC(scene, step_syncs_first ? 1 : 2);
    assert_int_equal(shows(scene, 2, EPISODE, late), 1);
    settle(scene);
    for (unsigned device = 1; device <= 3; device++) {
        assert_true(is_sealed(scene, device, EPISODE));
        assert_int_equal(shows(scene, device, EPISODE, early), 1);
        assert_int_equal(shows(scene, device, EPISODE, late), 1);
    }
    scene_end(scene);
}

static void sync__late_step_joins_the_sealed_episode(void **state) {
    (void)state;
    late_step(true);
    late_step(false);
}

static void sync__repeated_edits_are_sent_once(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    deed(scene, 1, PATTERN, SIM_PUT);
    SYNC(scene, 1);
    uint64_t taken = scene->world.server.taken;
    for (int i = 0; i < 20; i++)
        deed(scene, 1, PATTERN, SIM_TITLE);
    SYNC(scene, 1);
    assert_int_equal(scene->world.server.taken, taken + 1);
    scene_end(scene);
}

/* ---- What merges ------------------------------------------------------------------------- */

static void sync__later_edit_wins_and_the_other_is_superseded(void **state) {
    (void)state;
    struct scene *scene = scene_make(3);
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    unsigned first = deed(scene, 1, PATTERN, SIM_TITLE);
    unsigned tag = deed(scene, 1, PATTERN, SIM_ADD_TAG);
    unsigned second = deed(scene, 2, PATTERN, SIM_TITLE);
    unsigned other_tag = deed(scene, 2, PATTERN, SIM_ADD_TAG);
    settle(scene);
    for (unsigned device = 1; device <= 3; device++) {
        assert_int_equal(shows(scene, device, PATTERN, second), 1);
        assert_int_equal(shows(scene, device, PATTERN, first), 0);
        assert_int_equal(shows(scene, device, PATTERN, tag), 1);
        assert_int_equal(shows(scene, device, PATTERN, other_tag), 1);
    }
    assert_int_equal(superseded_with(scene, first), 1);
    assert_int_equal(superseded_with(scene, second), 0);
    assert_int_equal(status_of(scene, 3).superseded, 1);
    scene_end(scene);
}

static void sync__edits_of_different_members_both_stand(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    deed(scene, 1, PATTERN, SIM_PUT);
    unsigned tag = deed(scene, 1, PATTERN, SIM_ADD_TAG);
    settle(scene);
    unsigned title = deed(scene, 1, PATTERN, SIM_TITLE);
    deed(scene, 2, PATTERN, SIM_DROP_TAG);
    settle(scene);
    assert_int_equal(shows(scene, 1, PATTERN, title), 1);
    assert_int_equal(shows(scene, 2, PATTERN, title), 1);
    assert_true(shows(scene, 1, PATTERN, tag) == shows(scene, 2, PATTERN, tag));
    assert_int_equal(status_of(scene, 1).superseded, 0);
    scene_end(scene);
}

static void sync__delete_stands_against_an_edit_that_it_had_not_seen(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    deed(scene, 1, PATTERN, SIM_DELETE);
    unsigned edit = deed(scene, 2, PATTERN, SIM_TITLE);
    settle(scene);
    assert_false(is_live(scene, 1, PATTERN));
    assert_false(is_live(scene, 2, PATTERN));
    assert_int_equal(superseded_with(scene, edit), 1);
    unsigned again = deed(scene, 2, PATTERN, SIM_PUT); /* a new life */
    settle(scene);
    assert_int_equal(shows(scene, 1, PATTERN, again), 1);
    scene_end(scene);
}

/* ---- What cannot spoil it ---------------------------------------------------------------- */

/* A story with everything in it. `spoil` is told of every point before it is passed. */
struct story {
    struct scene *scene;
    unsigned step, late, title, tag;
};

static void tell(struct story *story, unsigned device) {
    mneme_error error = {0};
    struct sync_progress progress;
    for (unsigned i = 0; i < 40; i++) { /* what fails is tried again */
        bool killed;
        progress = (struct sync_progress){0};
        int status = sim_step(process_of(story->scene, device), false, &progress, &killed, &error);
        if (status == MNEME_LOCKED)
            sim_pass(&story->scene->world, SIM_HOUR);
        if (status == 0 && !progress.more)
            return;
    }
    fail_msg("device %u does not come to an end: %s", device, error.message);
}

static struct story story_play(void (*spoil)(struct scene *scene, unsigned k), unsigned k) {
    struct story story = {.scene = scene_make(2)};
    struct scene *scene = story.scene;
    scene->world.settings.push_max = 3;
    scene->world.settings.pull_max = 2;
    spoil(scene, k);
    deed(scene, 1, EPISODE, SIM_PUT);
    story.step = deed(scene, 1, EPISODE, SIM_STEP);
    deed(scene, 1, PATTERN, SIM_PUT);
    tell(&story, 1);
    tell(&story, 2);
    story.late = deed(scene, 2, EPISODE, SIM_STEP);
    deed(scene, 1, EPISODE, SIM_COMPLETE);
    deed(scene, 2, PATTERN, SIM_TITLE);
    story.tag = deed(scene, 2, PATTERN, SIM_ADD_TAG);
    story.title = deed(scene, 1, PATTERN, SIM_TITLE);
    tell(&story, 2);
    tell(&story, 1);
    tell(&story, 2);
    return story;
}

static void story_check(struct story *story, const char *how, unsigned k) {
    struct scene *scene = story->scene;
    if (sim_rest(&scene->world, NULL) || sim_unequal(&scene->world))
        fail_msg("%s %u: %s", how, k, scene->world.failure);
    for (unsigned device = 1; device <= 2; device++) {
        assert_int_equal(shows(scene, device, EPISODE, story->step), 1);
        assert_int_equal(shows(scene, device, EPISODE, story->late), 1);
        assert_int_equal(shows(scene, device, PATTERN, story->title), 1);
        assert_int_equal(shows(scene, device, PATTERN, story->tag), 1);
    }
    assert_int_equal(status_of(scene, 1).superseded, 1); /* the other title */
    scene_end(scene);
}

/* The k-th exchange of the world is spoilt, by both devices' hooks. */
static struct {
    unsigned left;
    enum sim_fault fault;
} spoiler;

static void spoil_exchange(struct sim_world *world, struct sim_process *process, void *context) {
    (void)world, (void)context;
    if (spoiler.left && --spoiler.left == 0)
        process->fault = spoiler.fault;
}

static void arm_fault(struct scene *scene, unsigned k) {
    spoiler.left = k;
    scene->world.meanwhile = spoil_exchange;
}

static void every_answer_is_lost_once(enum sim_fault fault) {
    spoiler.fault = fault;
    for (unsigned k = 1;; k++) {
        struct story story = story_play(arm_fault, k);
        bool spoilt = spoiler.left == 0;
        story_check(&story, "lost at point", k);
        if (!spoilt)
            break;
        assert_true(k < 500);
    }
}

static void sync__each_lost_answer_changes_nothing(void **state) {
    (void)state;
    every_answer_is_lost_once(SIM_LOST_AFTER);
    every_answer_is_lost_once(SIM_LOST_BEFORE);
    every_answer_is_lost_once(SIM_DOWN);
}

static void kill_at_point(struct sim_world *world, struct sim_process *process, void *context) {
    (void)world, (void)context;
    if (spoiler.left && --spoiler.left == 0)
        process->dead = true;
}

static void arm_kill(struct scene *scene, unsigned k) {
    spoiler.left = k;
    scene->world.meanwhile = kill_at_point;
}

static void sync__kill_at_each_point_changes_nothing(void **state) {
    (void)state;
    for (unsigned k = 1;; k++) {
        struct story story = story_play(arm_kill, k);
        bool spoilt = spoiler.left == 0;
        story_check(&story, "killed at point", k);
        if (!spoilt)
            break;
        assert_true(k < 500);
    }
}

/* A user who writes while the engine works, at each point once. */
static void write_at_point(struct sim_world *world, struct sim_process *process, void *context) {
    struct scene *scene = context;
    unsigned device = process->device->number;
    bool done;
    (void)world;
    if (spoiler.left == 1 && !is_live(scene, device, PATTERN))
        return; /* to make it here would be another story */
    if (spoiler.left && --spoiler.left == 0)
        assert_int_equal(sim_work(process->device, PATTERN, SIM_ADD_TAG, &scene->random,
                                  &scene->token, &done, NULL),
                         0);
}

static void arm_write(struct scene *scene, unsigned k) {
    spoiler.left = k;
    scene->world.meanwhile = write_at_point;
    scene->world.meanwhile_context = scene;
}

static void sync__writes_during_a_step_are_kept(void **state) {
    (void)state;
    for (unsigned k = 1;; k++) {
        struct story story = story_play(arm_write, k);
        bool spoilt = spoiler.left == 0;
        story_check(&story, "written at point", k);
        if (!spoilt)
            break;
        assert_true(k < 500);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sync__writes_of_one_device_are_read_on_another),
        cmocka_unit_test(sync__steps_of_an_open_episode_flow_and_are_sealed),
        cmocka_unit_test(sync__late_step_joins_the_sealed_episode),
        cmocka_unit_test(sync__repeated_edits_are_sent_once),
        cmocka_unit_test(sync__later_edit_wins_and_the_other_is_superseded),
        cmocka_unit_test(sync__edits_of_different_members_both_stand),
        cmocka_unit_test(sync__delete_stands_against_an_edit_that_it_had_not_seen),
        cmocka_unit_test(sync__each_lost_answer_changes_nothing),
        cmocka_unit_test(sync__kill_at_each_point_changes_nothing),
        cmocka_unit_test(sync__writes_during_a_step_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
