/*
 * write_test.c - how the sql store writes: programs a batch costs, lost answers, batches that fail
 * among others, bodies in chunks. That it writes what it should is in the conformance suite.
 */
#include "os/os.h"
#include "sql_fixture.h"
#include "store/sql/sql_impl.h"

enum { BIG = (5 << 20) + 3 };

static void apply_two(struct store *store, struct mutation *first, struct mutation *second,
                      struct batch out[2]) {
    out[0] = (struct batch){.mutations = first, .count = 1};
    out[1] = (struct batch){.mutations = second, .count = 1};
    struct batch *batches[] = {&out[0], &out[1]};
    assert_int_equal(store_apply(store, batches, 2), 0);
}

/* ---- How many programs ----------------------------------------------------------------------- */

static void apply__of_many_batches_is_one_program(void **state) {
    enum { BATCHES = 100 };
    struct scene *scene = *state;
    struct mutation puts[BATCHES];
    struct batch batches[BATCHES], *pointers[BATCHES];
    for (unsigned i = 0; i < BATCHES; i++) {
        puts[i] = put_of(MNEME_EPISODE, i + 1);
        puts[i].condition = CONDITION_ABSENT;
        batches[i] = (struct batch){.mutations = &puts[i], .count = 1};
        pointers[i] = &batches[i];
    }
    assert_int_equal(store_apply(scene->store, pointers, BATCHES), 0);
    assert_int_equal(scene->shim->writes, 1);
    for (unsigned i = 0; i < BATCHES; i++) {
        assert_int_equal(batches[i].status, 0);
        assert_int_equal(puts[i].record.change, i + 1);
    }
}

static void apply__of_one_batch_that_fails_is_one_program(void **state) {
    struct scene *scene = *state;
    struct mutation check = check_of(MNEME_EPISODE, 1, CONDITION_LIVE);
    assert_int_equal(apply_one(scene->store, &check), MNEME_NOT_FOUND);
    assert_int_equal(scene->shim->writes, 1);
}

static void apply__with_batches_that_fail_is_two_programs(void **state) {
    struct scene *scene = *state;
    struct mutation first = check_of(MNEME_EPISODE, 1, CONDITION_LIVE);
    struct mutation second = put_of(MNEME_EPISODE, 1);
    struct batch batches[2];
    apply_two(scene->store, &first, &second, batches);
    assert_int_equal(batches[0].status, MNEME_NOT_FOUND);
    assert_int_equal(batches[0].failed, 0);
    assert_int_equal(batches[1].status, 0);
    assert_int_equal(second.record.change, 1);
    assert_int_equal(scene->shim->writes, 2);
}

static void apply__keeps_requests_small(void **state) {
    struct scene *scene = *state;
    AUTO_FREE uint8_t *body = mem_alloc(BIG);
    assert_non_null(body);
    test_random_fill(2, body, BIG);
    struct mutation first = put_of(MNEME_EPISODE, 1), second = put_of(MNEME_EPISODE, 2);
    struct batch batches[2];
    first.record.body = second.record.body = slice_of(body, BIG);
    apply_two(scene->store, &first, &second, batches);
    assert_int_equal(batches[0].status, 0);
    assert_int_equal(batches[1].status, 0);
    assert_int_equal(scene->shim->writes, 2); /* together they are over SQL_REQUEST_BYTES */
}

/* ---- Lost answers ---------------------------------------------------------------------------- */

static void apply__whose_answer_is_lost_happens_once(void **state) {
    struct scene *scene = *state;
    scene->shim->loses_answers = true;
    struct mutation puts[] = {put_of(MNEME_EPISODE, 1), put_of(MNEME_STEP, 2),
                              put_of(MNEME_STEP, 3)};
    puts[0].condition = CONDITION_ABSENT; /* would fail the second time */
    puts[1].record.parent = puts[2].record.parent = numbered_id(1);
    assert_int_equal(apply_mutations(scene->store, puts, COUNT_OF(puts), NULL), 0);
    for (unsigned i = 0; i < COUNT_OF(puts); i++) {
        assert_true(puts[i].applied);
        assert_int_equal(puts[i].record.change, i + 1);
        assert_int_equal(puts[i].record.place, i);
        assert_false(version_is_zero(puts[i].record.version));
    }
    assert_true(version_compare(puts[0].record.version, puts[1].record.version) < 0);
    struct mutation gone = delete_of(MNEME_STEP, 2), late = put_of(MNEME_STEP, 3);
    late.record.version = (mneme_version){.clock = 1, .device = 1};
    assert_int_equal(apply_one(scene->store, &gone), 0);
    assert_int_equal(gone.record.change, 4);
    assert_int_equal(apply_one(scene->store, &late), 0);
    assert_false(late.applied);
    assert_int_equal(shim_number(scene->shim, "SELECT change FROM mneme_store"), 4);
}

static void apply__that_fails_fails_again_when_its_answer_is_lost(void **state) {
    struct scene *scene = *state;
    scene->shim->loses_answers = true;
    struct mutation check = check_of(MNEME_EPISODE, 1, CONDITION_LIVE);
    assert_int_equal(apply_one(scene->store, &check), MNEME_NOT_FOUND);
}

/* The second time it is known which batches went in, but not why another did not. */
static void apply__with_a_batch_that_fails_does_not_double_the_others(void **state) {
    struct scene *scene = *state;
    scene->shim->loses_answers = true;
    struct mutation first = check_of(MNEME_EPISODE, 1, CONDITION_LIVE);
    struct mutation second = put_of(MNEME_EPISODE, 1);
    struct batch batches[2];
    apply_two(scene->store, &first, &second, batches);
    assert_int_equal(batches[0].status, MNEME_CONFLICT);
    assert_non_null(strstr(batches[0].error.message, "retry"));
    assert_int_equal(batches[1].status, 0);
    assert_int_equal(second.record.change, 1);
}

static void apply__is_uncertain_for_all_when_no_answer_comes(void **state) {
    struct scene *scene = *state;
    scene->shim->fails_after = 1;
    struct mutation before = put_of(MNEME_EPISODE, 9);
    struct mutation first = put_of(MNEME_EPISODE, 1), second = put_of(MNEME_EPISODE, 2);
    struct batch batches[2];
    assert_int_equal(apply_one(scene->store, &before), 0);
    apply_two(scene->store, &first, &second, batches);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(batches[i].status, MNEME_UNCERTAIN);
        assert_int_equal(batches[i].error.code, MNEME_UNCERTAIN);
        assert_false(batches[i].mutations[0].applied);
    }
}

static void apply__that_arrives_late_does_nothing(void **state) {
    struct scene *scene = *state;
    struct mutation before = put_of(MNEME_EPISODE, 1), lost = put_of(MNEME_EPISODE, 1),
                    after = put_of(MNEME_EPISODE, 1);
    AUTO_RESULTS struct sql_results results = {0};
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(1);
    before.record.time_us = 1;
    lost.record.time_us = 2;
    after.record.time_us = 3;
    assert_int_equal(apply_one(scene->store, &before), 0);
    scene->shim->fails_after = scene->shim->writes;
    assert_int_equal(apply_one(scene->store, &lost), MNEME_UNCERTAIN);
    size_t failed = scene->shim->writes;

    /* As long as the server is away, nothing else is begun: it would not be known what it saw. */
    struct store_stats stats;
    mneme_error error = {0};
    struct sql_program held = scene->shim->held;
    assert_int_equal(store_get_one(scene->store, MNEME_EPISODE, &id, &set, &error),
                     MNEME_UNAVAILABLE);
    assert_non_null(strstr(error.message, "not settled yet"));
    assert_int_equal(store_stats(scene->store, &stats, NULL), MNEME_UNAVAILABLE);
    assert_int_equal(apply_one(scene->store, &after), MNEME_UNAVAILABLE);
    scene->shim->held = held;

    scene->shim->fails_after = 0;
    assert_int_equal(store_get_one(scene->store, MNEME_EPISODE, &id, &set, &error), 0);
    assert_int_equal(set.records[0].time_us, 1);
    assert_int_equal(shim_deliver(scene->shim, &results, &error), 0);
    assert_int_equal(store_get_one(scene->store, MNEME_EPISODE, &id, &set, &error), 0);
    assert_int_equal(set.records[1].time_us, 1);
    assert_int_equal(apply_one(scene->store, &after), 0);
    assert_int_equal(shim_deliver(scene->shim, &results, &error), 0);
    assert_int_equal(store_get_one(scene->store, MNEME_EPISODE, &id, &set, &error), 0);
    assert_int_equal(set.records[2].time_us, 3);
    assert_int_equal(after.record.change, 2);
    /* Once it is settled, nothing more is asked. */
    assert_int_equal(scene->shim->writes, failed + 3 + 1 + 1);
}

/* … and one that had arrived before the answer was lost is there, once. */
static void apply__that_had_arrived_is_there_when_it_is_settled(void **state) {
    struct scene *scene = *state;
    struct mutation put = put_of(MNEME_EPISODE, 1);
    AUTO_RESULTS struct sql_results results = {0};
    struct store_stats stats;
    mneme_error error = {0};
    scene->shim->writes = scene->shim->fails_after = 1;
    assert_int_equal(apply_one(scene->store, &put), MNEME_UNCERTAIN);
    assert_int_equal(shim_deliver(scene->shim, &results, &error), 0);
    scene->shim->fails_after = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(store_stats(scene->store, &stats, &error), 0);
        assert_int_equal(stats.kinds[MNEME_EPISODE].records, 1);
        assert_int_equal(stats.changes, 1);
        assert_int_equal(shim_deliver(scene->shim, &results, &error), 0);
    }
}

static void apply__settles_many(void **state) {
    enum { MANY = SQL_UNSETTLED_MAX + 5 };
    struct scene *scene = *state;
    struct sql *s = sql_of(scene->store);
    struct store_stats stats;
    for (uint8_t i = 0; i < MANY; i++)
        settle_later(s, (uint8_t[SQL_TRANSACTION_ID]){i, 1});
    assert_int_equal(store_stats(scene->store, &stats, NULL), 0);
    assert_int_equal(shim_number(scene->shim, "SELECT count(*) FROM mneme_transaction"),
                     SQL_UNSETTLED_MAX);
    assert_int_equal(atomic_load(&s->unsettled_count), 0);
}

static void transaction__is_forgotten_after_an_hour(void **state) {
    struct scene *scene = *state;
    for (unsigned n = 1; n <= 3; n++) {
        struct mutation put = put_of(MNEME_EPISODE, n);
        assert_int_equal(apply_one(scene->store, &put), 0);
    }
    assert_int_equal(shim_number(scene->shim, "SELECT count(*) FROM mneme_transaction"), 3);
    assert_int_equal(shim_execute(scene->shim,
                                  "UPDATE mneme_transaction SET made_s = made_s - 3601"
                                  " WHERE rowid < 3",
                                  NULL),
                     0);
    struct mutation put = put_of(MNEME_EPISODE, 4);
    assert_int_equal(apply_one(scene->store, &put), 0);
    assert_int_equal(shim_number(scene->shim, "SELECT count(*) FROM mneme_transaction"), 2);
}

/* ---- Chunks ---------------------------------------------------------------------------------- */

static void assert_body(struct store *store, unsigned n, struct slice body) {
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(n);
    mneme_error error = {0};
    if (store_get_one(store, MNEME_EPISODE, &id, &set, &error))
        fail_msg("%s", error.message);
    assert_true(slice_equal(set.records[0].body, body));
}

static void body__of_any_length_around_a_chunk_comes_back(void **state) {
    static const size_t sizes[] = {0,
                                   1,
                                   SQL_CHUNK_BYTES - 1,
                                   SQL_CHUNK_BYTES,
                                   SQL_CHUNK_BYTES + 1,
                                   2 * SQL_CHUNK_BYTES,
                                   2 * SQL_CHUNK_BYTES + 1,
                                   (SQL_CHUNKS_READ + 1) * SQL_CHUNK_BYTES,
                                   (SQL_CHUNKS_READ + 2) * SQL_CHUNK_BYTES + 5};
    struct scene *scene = *state;
    size_t most = sizes[COUNT_OF(sizes) - 1];
    AUTO_FREE uint8_t *body = mem_alloc(most);
    assert_non_null(body);
    test_random_fill(3, body, most);
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct mutation put = put_of(MNEME_EPISODE, 1);
        put.record.body = slice_of(body, sizes[i]);
        assert_int_equal(apply_one(scene->store, &put), 0);
        assert_body(scene->store, 1, put.record.body);
        assert_int_equal(shim_number(scene->shim, "SELECT count(*) FROM mneme_chunk"),
                         sizes[i] ? (int64_t)((sizes[i] - 1) / SQL_CHUNK_BYTES) : 0);
    }
    assert_int_equal(
        shim_number(scene->shim, "SELECT max(length(body)) > 1048576 FROM mneme_record"), 0);
}

static void body__that_is_passed_over_leaves_no_chunks(void **state) {
    struct scene *scene = *state;
    AUTO_FREE uint8_t *body = mem_alloc(BIG);
    assert_non_null(body);
    test_random_fill(4, body, BIG);
    struct mutation put = put_of(MNEME_EPISODE, 1), late = put_of(MNEME_EPISODE, 1);
    assert_int_equal(apply_one(scene->store, &put), 0);
    late.record.version = (mneme_version){.clock = 1, .device = 1};
    late.record.body = slice_of(body, BIG);
    assert_int_equal(apply_one(scene->store, &late), 0);
    assert_false(late.applied);
    assert_int_equal(shim_number(scene->shim, "SELECT count(*) FROM mneme_chunk"), 0);
    assert_body(scene->store, 1, slice_of(NULL, 0));
}

/* On the careful way a batch of several statements is taken back as a whole, and alone. */
static void batch__of_several_statements_is_all_or_nothing(void **state) {
    struct scene *scene = *state;
    AUTO_FREE uint8_t *body = mem_alloc(BIG);
    assert_non_null(body);
    test_random_fill(5, body, BIG);
    struct mutation torn[] = {put_of(MNEME_EPISODE, 1), check_of(MNEME_EPISODE, 7, CONDITION_LIVE)};
    struct mutation whole[] = {put_of(MNEME_EPISODE, 2), put_of(MNEME_EPISODE, 3)};
    torn[0].record.body = whole[0].record.body = slice_of(body, BIG / 2);
    struct batch batches[] = {{.mutations = torn, .count = 2}, {.mutations = whole, .count = 2}};
    struct batch *pointers[] = {&batches[0], &batches[1]};
    assert_int_equal(store_apply(scene->store, pointers, 2), 0);
    assert_int_equal(scene->shim->writes, 2);
    assert_int_equal(batches[0].status, MNEME_NOT_FOUND);
    assert_int_equal(batches[0].failed, 1);
    assert_int_equal(batches[1].status, 0);
    assert_int_equal(whole[0].record.change, 1);
    assert_int_equal(whole[1].record.change, 2);
    assert_body(scene->store, 2, whole[0].record.body);
    assert_int_equal(shim_number(scene->shim, "SELECT count(*) FROM mneme_record"), 2);
    assert_int_equal(shim_number(scene->shim, "SELECT count(*) FROM mneme_chunk"), 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(apply__of_many_batches_is_one_program),
        CASE(apply__of_one_batch_that_fails_is_one_program),
        CASE(apply__with_batches_that_fail_is_two_programs),
        CASE(apply__keeps_requests_small),
        CASE(apply__whose_answer_is_lost_happens_once),
        CASE(apply__that_fails_fails_again_when_its_answer_is_lost),
        CASE(apply__with_a_batch_that_fails_does_not_double_the_others),
        CASE(apply__is_uncertain_for_all_when_no_answer_comes),
        CASE(apply__that_arrives_late_does_nothing),
        CASE(apply__that_had_arrived_is_there_when_it_is_settled),
        CASE(apply__settles_many),
        CASE(transaction__is_forgotten_after_an_hour),
        CASE(body__of_any_length_around_a_chunk_comes_back),
        CASE(body__that_is_passed_over_leaves_no_chunks),
        CASE(batch__of_several_statements_is_all_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
