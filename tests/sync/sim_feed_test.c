/*
 * sim_feed_test.c - the simulated feed keeps feed.h, and its faults are what they say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/feed_cases.h"
#include "support/sim_feed.h"
#include "support/store_records.h"

#include "os/os.h"

/* ---- The cases of every feed ------------------------------------------------------------- */

enum { REFUSED_BYTES = 5000 };

/* The place of a case, and what it has the next exchange meet. */
struct place {
    struct sim_server server;
    enum sim_fault next;
};

static bool refuses_large(void *context, const struct stored_record *record) {
    (void)context;
    return record->body.size >= REFUSED_BYTES;
}

static enum sim_fault fault_once(void *context, const struct feed_request *request) {
    (void)request;
    struct place *place = context;
    enum sim_fault fault = place->next;
    place->next = SIM_FINE;
    return fault;
}

static int place_open(struct feed_place *out, mneme_error *error) {
    struct place *place = mem_zalloc(1, sizeof *place);
    if (!place)
        return MNEME_NO_MEMORY;
    out->context = place;
    TRY(sim_server_open(&place->server, 1, error));
    place->server.now_us = clock_wall_us();
    place->server.refuses = refuses_large;
    out->store = place->server.primary.store;
    struct sim_feed_hooks hooks = {.context = place, .before = fault_once};
    for (size_t i = 0; i < FEED_PLACE_FEEDS; i++)
        TRY(sim_feed_open(&place->server, &hooks, &out->feeds[i], error));
    return 0;
}

static void place_close(struct feed_place *out) {
    struct place *place = out->context;
    for (size_t i = 0; i < FEED_PLACE_FEEDS; i++)
        feed_close(out->feeds[i]);
    if (place)
        sim_server_fini(&place->server);
    mem_free(place);
}

static void place_lose_next(struct feed_place *out, size_t feed, bool done) {
    (void)feed;
    struct place *place = out->context;
    place->next = done ? SIM_LOST_AFTER : SIM_LOST_BEFORE;
}

static const struct feed_maker maker = {.name = "sim",
                                        .open = place_open,
                                        .close = place_close,
                                        .lose_next = place_lose_next,
                                        .refused_bytes = REFUSED_BYTES};

/* ---- Its own faults ---------------------------------------------------------------------- */

struct scene {
    struct sim_server server;
    struct feed *feed;
    struct feed_request request;
};

static int setup(void **state) {
    static struct scene scene;
    scene = (struct scene){.request = {.peer = 1, .fence = 1, .tag = 1, .next_tag = 2}};
    scene.request.pull_max = 10;
    *state = &scene;
    return sim_server_open(&scene.server, 7, NULL) ||
           sim_feed_open(&scene.server, NULL, &scene.feed, NULL);
}

static int teardown(void **state) {
    struct scene *scene = *state;
    feed_close(scene->feed);
    sim_server_fini(&scene->server);
    return 0;
}

/* Exchange, acknowledge, and return the verdict. */
static enum feed_verdict verdict_of(struct scene *scene) {
    AUTO_ANSWER struct feed_answer answer = {0};
    assert_int_equal(feed_exchange(scene->feed, &scene->request, &answer, NULL), 0);
    if (answer.verdict == FEED_OK && !scene->request.quiet) {
        memcpy(scene->request.epoch, answer.epoch, sizeof answer.epoch);
        scene->request.cursor = answer.cursor;
        scene->request.tag = scene->request.next_tag++;
    }
    return answer.verdict;
}

static void sim__server_that_is_down_does_nothing(void **state) {
    struct scene *scene = *state;
    AUTO_ANSWER struct feed_answer answer = {0};
    sim_feed_fault(scene->feed, SIM_DOWN);
    assert_int_equal(feed_exchange(scene->feed, &scene->request, &answer, NULL), MNEME_UNAVAILABLE);
    assert_int_equal(scene->server.primary.peer_count, 0);
    sim_feed_fault(scene->feed, SIM_FINE);
    assert_int_equal(verdict_of(scene), FEED_OK);
}

static void sim__restored_server_knows_another_tag(void **state) {
    struct scene *scene = *state;
    struct sim_remote copy;
    assert_int_equal(verdict_of(scene), FEED_OK);
    assert_int_equal(sim_remote_copy(&scene->server.primary, &copy, NULL), 0);
    assert_int_equal(verdict_of(scene), FEED_OK);
    assert_int_equal(sim_server_restore(&scene->server, &copy, NULL), 0);
    sim_remote_fini(&copy);
    assert_int_equal(verdict_of(scene), FEED_OTHER_TAG);
}

static void sim__replaced_server_has_another_epoch(void **state) {
    struct scene *scene = *state;
    assert_int_equal(verdict_of(scene), FEED_OK);
    assert_int_equal(sim_server_replace(&scene->server, NULL), 0);
    assert_int_equal(verdict_of(scene), FEED_OTHER_EPOCH);
}

static void sim__replica_answers_quiet_looks_and_lags(void **state) {
    struct scene *scene = *state;
    assert_int_equal(verdict_of(scene), FEED_OK);
    assert_int_equal(sim_server_feed_replica(&scene->server, NULL), 0);
    assert_int_equal(verdict_of(scene), FEED_OK);
    scene->request.quiet = true;
    scene->request.pull_max = 0;
    assert_int_equal(verdict_of(scene), FEED_OTHER_TAG); /* it has not heard of the last exchange */
    assert_int_equal(sim_server_feed_replica(&scene->server, NULL), 0);
    assert_int_equal(verdict_of(scene), FEED_OK);
    sim_server_drop_replica(&scene->server);
    assert_int_equal(verdict_of(scene), FEED_OK);
}

static void sim__large_page_is_cut_by_bytes(void **state) {
    struct scene *scene = *state;
    AUTO_ANSWER struct feed_answer answer = {0};
    for (unsigned n = 1; n <= 4; n++) {
        struct mutation put = put_of(MNEME_PATTERN, n);
        put.record.body = slice_of_string("0123456789");
        assert_int_equal(apply_one(scene->server.primary.store, &put), 0);
    }
    scene->server.page_bytes = 15;
    assert_int_equal(feed_exchange(scene->feed, &scene->request, &answer, NULL), 0);
    assert_int_equal(answer.records.count, 2);
    assert_true(answer.more);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sim__server_that_is_down_does_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(sim__restored_server_knows_another_tag, setup, teardown),
        cmocka_unit_test_setup_teardown(sim__replaced_server_has_another_epoch, setup, teardown),
        cmocka_unit_test_setup_teardown(sim__replica_answers_quiet_looks_and_lags, setup, teardown),
        cmocka_unit_test_setup_teardown(sim__large_page_is_cut_by_bytes, setup, teardown),
    };
    int failed = feed_cases_run(&maker);
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
