/*
 * sync_scope_test.c - what is shared and what stays, what a remote refuses, and what the status
 * tells.
 */
#include "sync_fixture.h"

#include <stdio.h>

/* ---- What stays -------------------------------------------------------------------------- */

static void scope__local_records_never_leave(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    unsigned pattern = deed(scene, 1, LOCAL_PATTERN, SIM_PUT);
    deed(scene, 1, LOCAL_EPISODE, SIM_PUT);
    unsigned step = deed(scene, 1, LOCAL_EPISODE, SIM_STEP);
    deed(scene, 1, PATTERN, SIM_PUT);
    SYNC(scene, 1);
    deed(scene, 1, LOCAL_PATTERN, SIM_ADD_TAG);
    deed(scene, 1, LOCAL_EPISODE, SIM_COMPLETE);
    settle(scene);
    assert_false(on_server(scene, LOCAL_PATTERN, 1));
    assert_false(on_server(scene, LOCAL_EPISODE, 1));
    assert_int_equal(shows(scene, 1, LOCAL_PATTERN, pattern), 1);
    assert_int_equal(shows(scene, 1, LOCAL_EPISODE, step), 1);
    assert_int_equal(status_of(scene, 1).pending, 0);
    assert_int_equal(status_of(scene, 1).held, 2);
    assert_int_equal(status_of(scene, 1).held_refused, 0);
    deed(scene, 1, LOCAL_PATTERN, SIM_DELETE);
    settle(scene);
    AUTO_RECORDS struct record_set all = {0};
    assert_int_equal(
        store_changes(scene->world.server.primary.store, 0, STORE_PAGE_MAX, false, &all, NULL), 0);
    assert_int_equal(all.count, 1); /* no step of it, and no tombstone */
    scene_end(scene);
}

static void scope__deleted_before_it_was_shared_is_not_told(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    SYNC(scene, 1);
    deed(scene, 1, PATTERN, SIM_PUT);
    deed(scene, 1, PATTERN, SIM_DELETE);
    SYNC(scene, 1);
    struct store_stats stats;
    assert_int_equal(store_stats(scene->world.server.primary.store, &stats, NULL), 0);
    assert_int_equal(stats.changes, 0);
    assert_int_equal(status_of(scene, 1).pending, 0);
    scene_end(scene);
}

static const mneme_pair only_patterns[] = {{{"kind", 4}, {"pattern", 7}}};

/* Have device 1 sync what the filter has, from now on. */
static void set_filter(struct scene *scene, const mneme_pair *rows, size_t count) {
    sim_stop(process_of(scene, 1), false);
    scene->world.settings.filter = (struct sync_filter){rows, count};
    assert_int_equal(sim_start(process_of(scene, 1), NULL), 0);
    scene->world.settings.filter = (struct sync_filter){NULL, 0};
}

static void scope__filter_says_what_begins_to_be_shared(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    set_filter(scene, only_patterns, 1);
    unsigned pattern = deed(scene, 1, PATTERN, SIM_PUT);
    unsigned episode = deed(scene, 1, EPISODE, SIM_PUT);
    unsigned step = deed(scene, 1, EPISODE, SIM_STEP);
    deed(scene, 2, OTHER_EPISODE, SIM_PUT);
    SYNC(scene, 2);
    SYNC(scene, 1);
    assert_true(on_server(scene, PATTERN, 1));
    assert_false(on_server(scene, EPISODE, 1));
    assert_false(is_live(scene, 1, OTHER_EPISODE));
    assert_int_equal(status_of(scene, 1).held, 2);
    assert_int_equal(status_of(scene, 1).pending, 0);
    set_filter(scene, NULL, 0); /* now all of it flows, what was passed over too */
    SYNC(scene, 1);
    SYNC(scene, 2);
    assert_int_equal(shows(scene, 2, PATTERN, pattern), 1);
    assert_int_equal(shows(scene, 2, EPISODE, episode), 1);
    assert_int_equal(shows(scene, 2, EPISODE, step), 1);
    assert_true(is_live(scene, 1, OTHER_EPISODE));
    settle(scene);
    scene_end(scene);
}

static void scope__what_is_shared_stays_shared(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    deed(scene, 1, EPISODE, SIM_PUT);
    settle(scene);
    set_filter(scene, only_patterns, 1);
    unsigned step = deed(scene, 1, EPISODE, SIM_STEP);
    unsigned title = deed(scene, 2, EPISODE, SIM_TITLE);
    SYNC(scene, 1);
    SYNC(scene, 2);
    SYNC(scene, 1);
    assert_int_equal(shows(scene, 2, EPISODE, step), 1);
    assert_int_equal(shows(scene, 1, EPISODE, title), 1);
    scene_end(scene);
}

/* ---- What is refused --------------------------------------------------------------------- */

static bool refuses_poison(void *context, const struct stored_record *record) {
    size_t size = strlen(sim_poison);
    (void)context;
    for (size_t i = 0; i + size <= record->body.size; i++)
        if (memcmp(record->body.data + i, sim_poison, size) == 0)
            return true;
    return false;
}

static void refused__record_is_set_aside_and_the_rest_flows(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    size_t freed = 0;
    scene->world.server.refuses = refuses_poison;
    deed(scene, 1, PATTERN, SIM_PUT);
    deed(scene, 1, PATTERN, SIM_POISON);
    deed(scene, 1, EPISODE, SIM_PUT);
    SYNC(scene, 1);
    assert_true(on_server(scene, EPISODE, 1));
    assert_false(on_server(scene, PATTERN, 1));
    struct sync_status status = status_of(scene, 1);
    assert_int_equal(status.held, 1);
    assert_int_equal(status.held_refused, 1);
    assert_int_equal(status.pending, 0);
    uint64_t refused = scene->world.server.refused;
    SYNC(scene, 1);
    assert_int_equal(scene->world.server.refused, refused); /* it is not tried all the time */
    scene->world.server.refuses = NULL;
    assert_int_equal(sync_retry_held(process_of(scene, 1)->sync, &freed, NULL), 0);
    assert_int_equal(freed, 1);
    SYNC(scene, 1);
    assert_true(on_server(scene, PATTERN, 1));
    assert_int_equal(status_of(scene, 1).held, 0);
    settle(scene);
    scene_end(scene);
}

static void refused__edit_frees_the_record(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    scene->world.server.refuses = refuses_poison;
    deed(scene, 1, PATTERN, SIM_PUT);
    SYNC(scene, 1);
    deed(scene, 1, PATTERN, SIM_POISON);
    SYNC(scene, 1);
    assert_int_equal(status_of(scene, 1).held_refused, 1);
    unsigned edit = deed(scene, 2, EPISODE, SIM_PUT);
    SYNC(scene, 2);
    deed(scene, 1, PATTERN, SIM_REPLACE); /* without the poison */
    SYNC(scene, 1);
    assert_int_equal(status_of(scene, 1).held, 0);
    assert_int_equal(shows(scene, 1, EPISODE, edit), 1);
    settle(scene);
    scene_end(scene);
}

/* What comes from others for a record that is held here is merged into it all the same. */
static void refused__others_edits_come_in(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    scene->world.server.refuses = refuses_poison;
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    scene->world.server.refuses = refuses_poison;
    deed(scene, 1, PATTERN, SIM_POISON);
    SYNC(scene, 1);
    unsigned tag = deed(scene, 2, PATTERN, SIM_ADD_TAG);
    SYNC(scene, 2);
    SYNC(scene, 1);
    assert_int_equal(shows(scene, 1, PATTERN, tag), 1);
    settle(scene);
    scene_end(scene);
}

static void refused__steps_of_a_refused_episode_follow_it(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    scene->world.server.refuses = refuses_poison;
    deed(scene, 1, EPISODE, SIM_PUT);
    deed(scene, 1, EPISODE, SIM_POISON);
    unsigned early = deed(scene, 1, EPISODE, SIM_STEP);
    SYNC(scene, 1);
    unsigned late = deed(scene, 1, EPISODE, SIM_STEP);
    SYNC(scene, 1);
    scene->world.server.refuses = NULL;
    deed(scene, 1, EPISODE, SIM_TITLE); /* which frees it */
    SYNC(scene, 1);
    SYNC(scene, 2);
    assert_int_equal(shows(scene, 2, EPISODE, early), 1);
    assert_int_equal(shows(scene, 2, EPISODE, late), 1);
    settle(scene);
    scene_end(scene);
}

/* ---- What the status tells --------------------------------------------------------------- */

static void status__of_a_store_that_was_never_synced(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    deed(scene, 1, PATTERN, SIM_PUT);
    struct sync_status status = status_of(scene, 1);
    assert_false(status.shared);
    assert_int_equal(status.error_code, 0);
    scene_end(scene);
}

static void status__tells_what_waits_and_for_how_long(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    SYNC(scene, 1);
    int64_t written_us = scene->world.now_us;
    deed(scene, 1, PATTERN, SIM_PUT);
    sim_pass(&scene->world, SIM_HOUR);
    deed(scene, 1, EPISODE, SIM_PUT);
    deed(scene, 1, EPISODE, SIM_STEP);
    struct sync_status status = status_of(scene, 1);
    assert_true(status.shared);
    assert_string_equal(status.remote, "sim://server");
    assert_string_equal(status.phase, "in step");
    assert_int_equal(status.pending, 3);
    assert_true(status.pending_bytes > 10);
    assert_true(status.oldest_us >= written_us && status.oldest_us < written_us + 2 * SIM_SECOND);
    SYNC(scene, 1);
    status = status_of(scene, 1);
    assert_int_equal(status.pending, 0);
    assert_int_equal(status.pending_bytes, 0);
    assert_int_equal(status.oldest_us, 0);
    assert_int_equal(status.pushed, 3);
    assert_int_equal(status.cursor, status.head);
    assert_true(status.push_us >= written_us + SIM_HOUR);
    assert_true(status.plain_bytes > 10);
    scene_end(scene);
}

static void status__tells_the_failure_until_it_is_over(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    mneme_error error = {0};
    SYNC(scene, 1);
    deed(scene, 1, PATTERN, SIM_PUT);
    device_of(scene, 1)->offline = true;
    assert_int_equal(step_of(process_of(scene, 1), false, &error), MNEME_UNAVAILABLE);
    assert_int_equal(
        sync_note_next(process_of(scene, 1)->sync, scene->world.now_us + SIM_HOUR, &error), 0);
    struct sync_status status = status_of(scene, 1);
    assert_int_equal(status.error_code, MNEME_UNAVAILABLE);
    assert_non_null(strstr(status.error_text, "down"));
    assert_true(status.error_us != 0);
    assert_int_equal(status.next_us, scene->world.now_us + SIM_HOUR);
    assert_int_equal(status.pending, 1);
    device_of(scene, 1)->offline = false;
    SYNC(scene, 1);
    status = status_of(scene, 1);
    assert_int_equal(status.error_us, 0);
    assert_int_equal(status.error_code, 0);
    assert_int_equal(status.pending, 0);
    scene_end(scene);
}

static void status__names_the_peers(void **state) {
    (void)state;
    struct scene *scene = scene_make(3);
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    sim_pass(&scene->world, SIM_HOUR);
    SYNC(scene, 1);
    struct sync_status status = status_of(scene, 1);
    unsigned selves = 0, named = 0;
    assert_int_equal(status.peer_count, 3);
    for (size_t i = 0; i < status.peer_count; i++) {
        selves += status.peers[i].self;
        named += strncmp(status.peers[i].name, "device ", 7) == 0;
        assert_true(status.peers[i].seen_us != 0);
        if (status.peers[i].self)
            assert_string_equal(status.peers[i].name, "device 1");
    }
    assert_int_equal(selves, 1);
    assert_int_equal(named, 3);
    assert_true(status.worker[0] != 0);
    scene_end(scene);
}

static void status__of_a_quiet_device_costs_no_writes(void **state) {
    (void)state;
    struct scene *scene = scene_make(1);
    mneme_error error = {0};
    struct store_stats before, after, server_before, server_after;
    deed(scene, 1, PATTERN, SIM_PUT);
    settle(scene);
    assert_int_equal(store_stats(device_of(scene, 1)->store, &before, NULL), 0);
    assert_int_equal(store_stats(scene->world.server.primary.store, &server_before, NULL), 0);
    for (int i = 0; i < 10; i++) {
        sim_pass(&scene->world, SIM_SECOND / 10);
        assert_int_equal(step_of(process_of(scene, 1), true, &error), 0);
    }
    assert_int_equal(store_stats(device_of(scene, 1)->store, &after, NULL), 0);
    assert_int_equal(store_stats(scene->world.server.primary.store, &server_after, NULL), 0);
    assert_int_equal(after.commits, before.commits);
    assert_int_equal(server_after.commits, server_before.commits);
    scene_end(scene);
}

static bool refuses_all(void *context, const struct stored_record *record) {
    (void)context, (void)record;
    return true;
}

/* The episode that the remote refused of one machine comes from another; with some members, so that
 * in some rounds nothing is left of the first. */
static void refused__steps_go_once_another_has_shared_their_episode(void **state) {
    enum { ROUNDS = 16 };
    (void)state;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        struct scene *scene = scene_make(3);
        scene->random.state = round;
        scene->world.server.refuses = refuses_all;
        deed(scene, 1, EPISODE, SIM_PUT);
        SYNC(scene, 1);
        unsigned step = deed(scene, 1, EPISODE, SIM_STEP);
        SYNC(scene, 1);
        scene->world.server.refuses = NULL;
        deed(scene, 2, EPISODE, SIM_PUT);
        SYNC(scene, 2);
        SYNC(scene, 1);
        SYNC(scene, 3);
        assert_int_equal(shows(scene, 3, EPISODE, step), 1);
        scene_end(scene);
    }
}

/* It was edited so that the remote takes it, and the answer was lost. */
static void refused__steps_go_once_their_episode_comes_back(void **state) {
    (void)state;
    struct scene *scene = scene_make(2);
    scene->world.server.refuses = refuses_all;
    deed(scene, 1, EPISODE, SIM_PUT);
    SYNC(scene, 1);
    unsigned step = deed(scene, 1, EPISODE, SIM_STEP);
    SYNC(scene, 1);
    scene->world.server.refuses = NULL;
    deed(scene, 1, EPISODE, SIM_TITLE);
    process_of(scene, 1)->fault = SIM_LOST_AFTER;
    assert_int_equal(step_of(process_of(scene, 1), false, NULL), MNEME_UNCERTAIN);
    settle(scene);
    assert_int_equal(shows(scene, 2, EPISODE, step), 1);
    scene_end(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scope__local_records_never_leave),
        cmocka_unit_test(scope__deleted_before_it_was_shared_is_not_told),
        cmocka_unit_test(scope__filter_says_what_begins_to_be_shared),
        cmocka_unit_test(scope__what_is_shared_stays_shared),
        cmocka_unit_test(refused__record_is_set_aside_and_the_rest_flows),
        cmocka_unit_test(refused__edit_frees_the_record),
        cmocka_unit_test(refused__others_edits_come_in),
        cmocka_unit_test(refused__steps_of_a_refused_episode_follow_it),
        cmocka_unit_test(refused__steps_go_once_another_has_shared_their_episode),
        cmocka_unit_test(refused__steps_go_once_their_episode_comes_back),
        cmocka_unit_test(status__of_a_store_that_was_never_synced),
        cmocka_unit_test(status__tells_what_waits_and_for_how_long),
        cmocka_unit_test(status__tells_the_failure_until_it_is_over),
        cmocka_unit_test(status__names_the_peers),
        cmocka_unit_test(status__of_a_quiet_device_costs_no_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
