/*
 * sync_fixture.h - what the directed tests of the engine share: a small world, deeds by slot, and
 * what devices then show.
 */
#ifndef TESTS_SYNC_SYNC_FIXTURE_H
#define TESTS_SYNC_SYNC_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/sim_check.h"

/* Slots of sim_slots that the tests use by what they are. */
enum { EPISODE = 0, OTHER_EPISODE = 1, PATTERN = 6, LOCAL_EPISODE = 14, LOCAL_PATTERN = 15 };

struct scene {
    struct sim_world world;
    struct test_random random;
    unsigned token; /* the next one */
};

static inline struct scene *scene_make(size_t devices) {
    struct scene *scene = mem_zalloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->token = 1;
    scene->random.state = 7;
    assert_int_equal(sim_world_make(&scene->world, 11, devices), 0);
    return scene;
}

static inline void scene_end(struct scene *scene) {
    sim_world_fini(&scene->world);
    mem_free(scene);
}

static inline struct sim_device *device_of(struct scene *scene, unsigned device) {
    return &scene->world.devices[device - 1];
}
static inline struct sim_process *process_of(struct scene *scene, unsigned device) {
    return &device_of(scene, device)->processes[0];
}

/* Do a deed on device 1, 2, …; returns the first token that was written. Time passes. */
static inline unsigned deed(struct scene *scene, unsigned device, unsigned slot,
                            enum sim_deed what) {
    mneme_error error = {0};
    bool done;
    unsigned first = scene->token;
    sim_pass(&scene->world, SIM_SECOND);
    if (sim_work(device_of(scene, device), slot, what, &scene->random, &scene->token, &done,
                 &error))
        fail_msg("%s", error.message);
    assert_true(done);
    return first;
}

/* Whether the device shows the token in the slot, how often; and whether the record is live. */
static inline unsigned shows(struct scene *scene, unsigned device, unsigned slot, unsigned token) {
    AUTO_SEEN struct sim_seen seen = {0};
    unsigned times = 0;
    assert_int_equal(sim_see(device_of(scene, device)->store, slot, device, &seen, NULL), 0);
    for (size_t i = 0; i < seen.count; i++)
        times += seen.elements[i].token == token;
    return times;
}
static inline bool is_live(struct scene *scene, unsigned device, unsigned slot) {
    AUTO_SEEN struct sim_seen seen = {0};
    assert_int_equal(sim_see(device_of(scene, device)->store, slot, device, &seen, NULL), 0);
    return seen.live;
}
static inline bool is_sealed(struct scene *scene, unsigned device, unsigned slot) {
    AUTO_SEEN struct sim_seen seen = {0};
    assert_int_equal(sim_see(device_of(scene, device)->store, slot, device, &seen, NULL), 0);
    return seen.sealed;
}

/* Sync a device until it has nothing more to do. */
static inline void sync_device_now(struct scene *scene, unsigned device) {
    mneme_error error = {0};
    sim_pass(&scene->world, SIM_SECOND);
    if (sim_drain(process_of(scene, device), &error))
        fail_msg("device %u: %s", device, error.message);
}
#define SYNC(scene, device) sync_device_now(scene, device)

/* One step; its status. */
static inline int step_of(struct sim_process *process, bool quiet, mneme_error *error) {
    bool killed;
    return sim_step(process, quiet, NULL, &killed, error);
}

/* Bring all to rest: everybody holds the same. */
static inline void settle(struct scene *scene) {
    if (sim_rest(&scene->world, NULL) || sim_unequal(&scene->world))
        fail_msg("%s", scene->world.failure);
}

static inline struct sync_status status_of(struct scene *scene, unsigned device) {
    struct sync_status *status = test_malloc(sizeof *status), copy;
    mneme_error error = {0};
    if (sync_status(device_of(scene, device)->store, &process_of(scene, device)->clocks, status,
                    &error))
        fail_msg("%s", error.message);
    copy = *status;
    test_free(status);
    return copy;
}

/* Whether a superseded record on the server has the token in its lost edit; how many do. */
static inline unsigned superseded_with(struct scene *scene, unsigned token) {
    AUTO_RECORDS struct record_set set = {0};
    AUTO_ARENA struct arena arena = {0};
    unsigned times = 0;
    assert_int_equal(
        store_changes(scene->world.server.primary.store, 0, STORE_PAGE_MAX, false, &set, NULL), 0);
    for (size_t i = 0; i < set.count; i++) {
        struct slice plain;
        mneme_record record;
        size_t at = 0;
        if (set.records[i].kind != MNEME_SUPERSEDED || set.records[i].flags & MNEME_FLAG_DELETED)
            continue;
        assert_int_equal(sim_body_open(&set.records[i], &plain, NULL), 0);
        assert_int_equal(model_decode(&set.records[i], plain, &arena, &record, NULL), 0);
        for (unsigned found;
             (found = sim_token_next(slice_of_text(record.as.superseded->lost), &at));)
            times += found == token;
    }
    return times;
}

static inline bool on_server(struct scene *scene, unsigned slot, unsigned device) {
    AUTO_RECORDS struct record_set set = {0};
    struct record_name name = {sim_slots[slot].kind, sim_slot_id(slot, device)};
    size_t found;
    assert_int_equal(store_get(scene->world.server.primary.store, &name, 1, &set, &found, NULL), 0);
    return found != SIZE_MAX && !(set.records[found].flags & MNEME_FLAG_DELETED);
}

#endif
