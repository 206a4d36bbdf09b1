/*
 * sync_flight_test.c - exchanges that are begun before what came of the last one is stored: what is
 * written meanwhile, and a process that ends with two of them under way.
 */
#include "sync_fixture.h"

enum { CHANCES = 4, POINTS = 24 };
static const unsigned slots[] = {PATTERN, PATTERN + 2, EPISODE};

/* Few records a request, so that there is a next one; `chance` decides when it runs. What is
 * written again meanwhile is among what the next one could take. */
static struct scene *scene_of_small_requests(unsigned chance, unsigned devices) {
    struct scene *scene = scene_make(devices);
    scene->world.random.state = chance;
    scene->world.settings.push_max = 2;
    scene->world.settings.pull_max = 1;
    for (size_t i = 0; i < COUNT_OF(slots); i++)
        deed(scene, 1, slots[i], SIM_PUT);
    return scene;
}

/* ---- Written meanwhile ----------------------------------------------------------------------- */

struct interruption {
    struct scene *scene;
    unsigned points, at; /* it happens at this one */
    enum sim_deed what;
    unsigned token; /* that was written */
};

static void interrupt(struct sim_world *world, struct sim_process *process, void *context) {
    struct interruption *i = context;
    struct scene *scene = i->scene;
    bool done;
    (void)world;
    if (process->device->number != 1 || ++i->points != i->at)
        return;
    i->token = scene->token; /* no time passes: a step does not go on for long */
    assert_int_equal(
        sim_work(process->device, PATTERN, i->what, &scene->random, &scene->token, &done, NULL), 0);
    assert_true(done);
}

/* Whether there was such a point. */
static bool write_meanwhile(unsigned chance, unsigned at, enum sim_deed what) {
    struct scene *scene = scene_of_small_requests(chance, 2);
    struct interruption interruption = {.scene = scene, .at = at, .what = what};
    scene->world.meanwhile = interrupt;
    scene->world.meanwhile_context = &interruption;
    SYNC(scene, 1);
    scene->world.meanwhile = NULL;
    bool happened = interruption.token != 0;
    if (happened) {
        settle(scene);
        for (unsigned device = 1; device <= 2; device++) {
            assert_int_equal(is_live(scene, device, PATTERN), what != SIM_DELETE);
            assert_int_equal(shows(scene, device, PATTERN, interruption.token), what != SIM_DELETE);
        }
    }
    scene_end(scene);
    return happened;
}

static void write_at_each_point(enum sim_deed what) {
    for (unsigned chance = 1; chance <= CHANCES; chance++) {
        unsigned at = 1;
        while (at < 10 * POINTS && write_meanwhile(chance, at, what))
            at++;
        assert_true(at > 10 && at < 10 * POINTS);
    }
}

static void flight__what_is_deleted_meanwhile_is_deleted_everywhere(void **state) {
    (void)state;
    write_at_each_point(SIM_DELETE);
}

static void flight__what_is_edited_meanwhile_is_edited_everywhere(void **state) {
    (void)state;
    write_at_each_point(SIM_TITLE);
}

/* ---- A process that ends --------------------------------------------------------------------- */

/* Whether it was killed. It goes on as the peer that it was: nothing is met anew. */
static bool end_at(unsigned chance, unsigned device, unsigned point) {
    struct scene *scene = scene_of_small_requests(chance, 2);
    struct sim_process *process = process_of(scene, device);
    bool killed = false;
    if (device == 2)
        SYNC(scene, 1);
    assert_int_equal(sim_start(process, NULL), 0);
    process->dies_at = point;
    for (unsigned i = 0; i < POINTS && !killed; i++) {
        struct sync_progress progress = {0};
        assert_int_equal(sim_step(process, false, &progress, &killed, NULL) && !killed, 0);
        if (!progress.more)
            break;
    }
    settle(scene);
    assert_int_equal(scene->world.server.primary.peer_count, 2);
    for (size_t i = 0; i < COUNT_OF(slots); i++)
        assert_true(is_live(scene, 2, slots[i]));
    scene_end(scene);
    return killed;
}

static void end_at_each_point(unsigned device) {
    for (unsigned chance = 1; chance <= CHANCES; chance++) {
        unsigned point = 1;
        while (point < 10 * POINTS && end_at(chance, device, point))
            point++;
        assert_true(point > 10 && point < 10 * POINTS);
    }
}

static void flight__who_ends_while_pushing_goes_on_as_the_same_peer(void **state) {
    (void)state;
    end_at_each_point(1);
}

static void flight__who_ends_while_pulling_goes_on_as_the_same_peer(void **state) {
    (void)state;
    end_at_each_point(2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flight__what_is_deleted_meanwhile_is_deleted_everywhere),
        cmocka_unit_test(flight__what_is_edited_meanwhile_is_edited_everywhere),
        cmocka_unit_test(flight__who_ends_while_pushing_goes_on_as_the_same_peer),
        cmocka_unit_test(flight__who_ends_while_pulling_goes_on_as_the_same_peer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
