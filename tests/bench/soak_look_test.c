/*
 * soak_look_test.c - the oracle of `mneme bench soak`: a ledger that is read back says what its
 * writer knew, and what a store shows that the ledger does not say is found.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bench/soak_look.h"
#include "support/api_fixture.h"

enum { WRITER = 18, SEED = 5 };

/* ---- Fixture ------------------------------------------------------------------------------ */

struct scene {
    char path[64];
    struct soak_ledger ledger;
    struct soak_eye eye;
};

static int setup(void **state) {
    static struct scene scene;
    const mneme_options options = {.size = sizeof options, .no_training = true};
    mneme_error error;
    strcpy(scene.path, "/tmp/mneme-soak-XXXXXX");
    int fd = mkstemp(scene.path);
    assert_true(fd >= 0);
    close(fd);
    OK(ledger_open(scene.path, WRITER, true, &scene.ledger, &error), &error);
    scene.eye.seed = SEED;
    OK(mneme_open("mem:", &options, &scene.eye.m, &error), &error);
    *state = &scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    ledger_close(&scene->ledger);
    unlink(scene->path);
    return mneme_close(scene->eye.m, NULL);
}

/* Read the ledger anew, as the process after this one does. */
static void reopen(struct scene *scene) {
    mneme_error error;
    ledger_close(&scene->ledger);
    OK(ledger_open(scene->path, WRITER, true, &scene->ledger, &error), &error);
}

static uint32_t begin(struct scene *scene, enum soak_verb verb, uint32_t object, uint32_t count) {
    struct soak_write w = {.verb = verb, .object = object, .count = count};
    mneme_error error;
    OK(ledger_begin(&scene->ledger, &w, &error), &error);
    return w.number;
}

static void end(struct scene *scene, uint32_t number, int status) {
    mneme_error error;
    OK(ledger_end(&scene->ledger, number, status, &error), &error);
}

static void put(struct scene *scene, uint32_t object, uint32_t write) {
    AUTO_ARENA struct arena arena = {0};
    mneme_record record;
    mneme_error error;
    assert_int_equal(soak_plain(SEED, WRITER, object, write, &arena, &record), 0);
    OK(mneme_put(scene->eye.m, &record, 1, NULL, NULL, &error), &error);
}

static int look(struct scene *scene, uint32_t object, uint32_t *states) {
    return soak_look(&scene->eye, &scene->ledger, object, states, NULL);
}

/* ---- Names and content ---------------------------------------------------------------------- */

static void name__is_read_back_from_the_id(void **state) {
    (void)state;
    struct soak_name name = {SOAK_STEP, 513, 70000, 4}, read;
    mneme_id id = soak_id(name), other = {{1, 2, 3}};
    assert_true(soak_name_of(&id, &read));
    assert_int_equal(read.class, SOAK_STEP);
    assert_int_equal(read.writer, 513);
    assert_int_equal(read.number, 70000);
    assert_int_equal(read.index, 4);
    assert_false(soak_name_of(&other, &read));
}

/* ---- Looking -------------------------------------------------------------------------------- */

static void record__is_as_it_was_acknowledged(void **state) {
    struct scene *scene = *state;
    uint32_t states, write = begin(scene, VERB_PUT, 0, 1);
    put(scene, 0, write);
    end(scene, write, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(look(scene, 0, &states), 0);
        assert_int_equal(states, 1);
        reopen(scene);
    }
}

static void record__that_is_lost_is_found_missing(void **state) {
    struct scene *scene = *state;
    uint32_t states, write = begin(scene, VERB_PUT, 0, 1);
    end(scene, write, 0);
    assert_int_equal(look(scene, 0, &states), MNEME_FAILURE);
}

static void record__with_older_content_is_found(void **state) {
    struct scene *scene = *state;
    uint32_t states, first = begin(scene, VERB_PUT, 0, 1);
    put(scene, 0, first);
    end(scene, first, 0);
    end(scene, begin(scene, VERB_PUT, 0, 1), 0);
    assert_int_equal(look(scene, 0, &states), MNEME_FAILURE);
}

static void record__that_was_deleted_and_is_there_is_found(void **state) {
    struct scene *scene = *state;
    uint32_t states, first = begin(scene, VERB_PUT, 0, 1);
    put(scene, 0, first);
    end(scene, first, 0);
    end(scene, begin(scene, VERB_DELETE, 0, 1), 0);
    assert_int_equal(look(scene, 0, &states), MNEME_FAILURE);
}

static void record__that_was_refused_and_is_there_is_found(void **state) {
    struct scene *scene = *state;
    uint32_t states, first = begin(scene, VERB_PUT, 0, 1);
    put(scene, 0, first);
    end(scene, first, MNEME_NO_SPACE);
    assert_int_equal(look(scene, 0, &states), MNEME_FAILURE);
}

static void record__with_a_tag_too_many_is_found(void **state) {
    struct scene *scene = *state;
    uint32_t states, first = begin(scene, VERB_PUT, 0, 1);
    mneme_id id = soak_id((struct soak_name){.class = SOAK_OBJECT, .writer = WRITER});
    mneme_error error;
    put(scene, 0, first);
    end(scene, first, 0);
    OK(mneme_tag_add(scene->eye.m, MNEME_PATTERN, &id, text("w18-3"), NULL, &error), &error);
    assert_int_equal(look(scene, 0, &states), MNEME_FAILURE);
}

/* ---- Settling ------------------------------------------------------------------------------- */

static void pending_write__is_settled_by_what_is_there(void **state) {
    struct scene *scene = *state;
    uint32_t states, first = begin(scene, VERB_PUT, 0, 1);
    mneme_error error;
    put(scene, 0, first);
    end(scene, first, 0);
    uint32_t second = begin(scene, VERB_PUT, 0, 1), third = begin(scene, VERB_PUT, 0, 1);
    put(scene, 0, second);
    reopen(scene);
    assert_int_equal(scene->ledger.pending_count, 2);
    assert_int_equal(look(scene, 0, &states), 0);
    assert_int_equal(states, 2);
    OK(soak_settle_all(&scene->eye, &scene->ledger, true, &error), &error);
    reopen(scene);
    assert_int_equal(scene->ledger.pending_count, 0);
    assert_int_equal(scene->ledger.objects[0].now.content, second);
    assert_int_equal(scene->ledger.next, third + 1);
}

static void batch__that_went_in_by_half_is_found(void **state) {
    struct scene *scene = *state;
    uint32_t write = begin(scene, VERB_PUT, 0, 3);
    mneme_error error;
    put(scene, 0, write);
    put(scene, 2, write);
    assert_int_equal(soak_settle_all(&scene->eye, &scene->ledger, true, &error), MNEME_FAILURE);
    assert_non_null(strstr(error.message, "by half"));
}

static void queue__with_a_gap_is_found(void **state) {
    struct scene *scene = *state;
    uint32_t second;
    mneme_error error;
    begin(scene, VERB_PUT, 0, 1);
    second = begin(scene, VERB_PUT, 1, 1);
    put(scene, 1, second);
    assert_int_equal(soak_settle_all(&scene->eye, &scene->ledger, true, &error), MNEME_FAILURE);
    assert_non_null(strstr(error.message, "queued before it"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(name__is_read_back_from_the_id),
        CASE(record__is_as_it_was_acknowledged),
        CASE(record__that_is_lost_is_found_missing),
        CASE(record__with_older_content_is_found),
        CASE(record__that_was_deleted_and_is_there_is_found),
        CASE(record__that_was_refused_and_is_there_is_found),
        CASE(record__with_a_tag_too_many_is_found),
        CASE(pending_write__is_settled_by_what_is_there),
        CASE(batch__that_went_in_by_half_is_found),
        CASE(queue__with_a_gap_is_found),
    };
    return cmocka_run_group_tests_name("bench/soak_look", tests, NULL, NULL);
}
