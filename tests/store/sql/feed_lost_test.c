/*
 * feed_lost_test.c - exchanges whose answers are lost, late or too large, on an SQLite file behind
 * a driver that does so.
 */
#include "feed_fixture.h"

enum { BIG = (1 << 20) + 5 };

/* ---- Lost answers ---------------------------------------------------------------------------- */

static void exchange__whose_answer_is_lost_happens_once(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_push(&a, FEED_PUT, 1, 50, 0);
    peer_push(&a, FEED_PUT, 2, 50, 0);
    peer_exchange(&a);
    struct feed_push *const pushes[] = {peer_push(&b, FEED_PUT, 2, 60, 2),
                                        peer_push(&b, FEED_PUT, 1, 60, 2),
                                        peer_push(&b, FEED_PUT, 3, 60, 0)};
    remote->meddler.twice = true;
    struct feed_answer *answer = peer_exchange(&b);
    remote->meddler.twice = false;
    assert_int_equal(answer->verdict, FEED_OK);
    assert_int_equal(pushes[0]->fate, FEED_TAKEN);
    assert_int_equal(pushes[0]->change, 3);
    assert_int_equal(pushes[1]->fate, FEED_STALE);
    assert_int_equal(pushes[2]->fate, FEED_TAKEN);
    assert_int_equal(pushes[2]->change, 4);
    assert_int_equal(answer->records.count, 1);
    assert_true(pulled_is(&b, 0, 1));
    assert_int_equal(answer->cursor, 4);
    assert_int_equal(remote_number(remote, "SELECT change FROM mneme_store"), 4);
    assert_int_equal(peer_exchange(&b)->verdict, FEED_OK);
}

static struct peer *other;

/* Between the two times the program runs, another worker takes over, and another machine writes. */
static void others_come_between(void *context) {
    AUTO_PEER struct peer taker;
    struct remote *remote = context;
    struct sql *s = sql_of(remote->store);
    s->driver = remote->meddler.below;
    peer_init(&taker, remote->feed, 1);
    taker.request.tag = other->request.next_tag;
    taker.request.next_tag = 55;
    taker.request.fence = 2;
    peer_push(&taker, FEED_PUT, 7, 60, 0);
    peer_exchange(&taker);
    s->driver = &remote->meddler.base;
}

static void exchange__found_again_answers_as_it_would_have(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_push(&b, FEED_PUT, 1, 50, 0);
    peer_push(&b, FEED_PUT, 2, 50, 0);
    peer_exchange(&b);
    struct feed_push *push = peer_push(&a, FEED_PUT, 3, 50, 0);
    other = &a;
    remote->meddler.twice = true;
    remote->meddler.context = remote;
    remote->meddler.between = others_come_between;
    struct feed_answer *answer = peer_exchange(&a);
    assert_int_equal(answer->verdict, FEED_OK); /* it was in before it was fenced off */
    assert_int_equal(push->fate, FEED_TAKEN);
    assert_int_equal(push->change, 3);
    assert_int_equal(answer->records.count, 2);
    assert_int_equal(answer->cursor, 3);
    assert_int_equal(answer->head, 4);
    assert_true(answer->more);
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OTHER_TAG);
}

static void verdict__whose_answer_is_lost_is_given_again(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    peer_exchange(&a);
    a.request.tag = a.request.next_tag = 7;
    remote->meddler.twice = true;
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OTHER_TAG);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_transaction"), 1);
}

/* ---- Nobody knows ---------------------------------------------------------------------------- */

/* Of the shim below: it fails what writes, and can deliver it late. */
static void lose(struct remote *remote) {
    remote->scene->shim->fails_after = remote->scene->shim->writes;
}

static void exchange__nobody_knows_of_is_settled_before_the_next(void **state) {
    struct remote *remote = *state;
    struct sql_shim *shim = remote->scene->shim;
    AUTO_RESULTS struct sql_results results = {0};
    AUTO_PEER struct peer a;
    mneme_error error = {0};
    peer_init(&a, remote->feed, 1);
    peer_exchange(&a);
    lose(remote);
    peer_push(&a, FEED_PUT, 1, 50, 0);
    assert_int_equal(peer_try(&a, &error), MNEME_UNCERTAIN);
    struct sql_program held = shim->held;
    assert_int_equal(peer_try(&a, &error), MNEME_UNAVAILABLE);
    assert_non_null(strstr(error.message, "not settled"));
    shim->held = held;
    shim->fails_after = 0;
    struct feed_push *again = peer_push(&a, FEED_PUT, 1, 60, 0);
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OK);
    assert_int_equal(again->fate, FEED_TAKEN);
    assert_int_equal(shim_deliver(shim, &results, &error), 0); /* late, and does nothing */
    assert_int_equal(shim_number(shim, "SELECT clock FROM mneme_record"), 60);
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OK);
}

static void exchange__nobody_knows_of_that_was_made_is_recognized(void **state) {
    struct remote *remote = *state;
    struct sql_shim *shim = remote->scene->shim;
    AUTO_RESULTS struct sql_results results = {0};
    AUTO_PEER struct peer a;
    mneme_error error = {0};
    peer_init(&a, remote->feed, 1);
    shim->writes = 1;
    lose(remote);
    peer_push(&a, FEED_PUT, 1, 50, 0);
    assert_int_equal(peer_try(&a, &error), MNEME_UNCERTAIN);
    assert_int_equal(shim_deliver(shim, &results, &error), 0); /* it had arrived */
    shim->fails_after = 0;
    struct feed_push *again = peer_push(&a, FEED_PUT, 1, 50, 0);
    struct feed_answer *answer = peer_exchange(&a);
    assert_int_equal(answer->verdict, FEED_OK);
    assert_int_equal(again->fate, FEED_STALE);
    assert_int_equal(answer->records.count, 1); /* and so it learns what is there */
    assert_int_equal(shim_number(shim, "SELECT change FROM mneme_store"), 1);
}

static void exchange__that_fails_leaves_the_answer_as_it_was(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    peer_push(&a, FEED_PUT, 1, 50, 0);
    peer_exchange(&a);
    AUTO_ANSWER struct feed_answer answer = {0};
    struct feed_answer before = {.head = 77};
    answer = before;
    remote_do(remote, "DROP VIEW mneme_exchange");
    assert_int_equal(feed_exchange(remote->feed, &a.request, &answer, NULL), MNEME_FAILURE);
    assert_memory_equal(&answer, &before, sizeof answer);
}

/* ---- Pages that are too large ---------------------------------------------------------------- */

static void page__too_large_is_asked_for_in_smaller_ones(void **state) {
    enum { RECORDS = 40 };
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    size_t seen = 0, rounds = 0;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (unsigned n = 1; n <= RECORDS; n++)
        peer_push(&a, FEED_PUT, n, 50, 0);
    peer_exchange(&a);
    remote->meddler.rows_max = 9;
    do {
        struct feed_push *push = peer_push(&b, FEED_PUT, 100 + (unsigned)rounds, 50, 0);
        peer_exchange(&b);
        assert_int_equal(push->fate, FEED_TAKEN); /* that much is done in any case */
        for (size_t i = 0; i < b.answer.records.count; i++)
            seen += b.answer.records.records[i].change <= RECORDS;
    } while (b.answer.more && ++rounds < 100 && seen < RECORDS);
    assert_int_equal(seen, RECORDS);
}

static void page__of_one_record_too_large_is_an_error(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    mneme_error error = {0};
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_push(&a, FEED_PUT, 1, 50, 0);
    peer_exchange(&a);
    remote_do(remote, "UPDATE mneme_record SET body_size = 7");
    assert_int_equal(peer_try(&b, &error), MNEME_CORRUPT);
    /* With something pushed beside, the others go on. */
    struct feed_push *push = peer_push(&b, FEED_PUT, 2, 50, 0);
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(push->fate, FEED_TAKEN);
    assert_int_equal(answer->cursor, 0);
    assert_true(answer->more);
}

static void page__ends_before_a_row_that_cannot_be_read(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    mneme_error error = {0};
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (unsigned n = 1; n <= 3; n++)
        peer_push(&a, FEED_PUT, n, 50, 0);
    peer_exchange(&a);
    remote_do(remote, "UPDATE mneme_record SET flags = '1 2' WHERE change = 2");
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 1);
    assert_true(pulled_is(&b, 0, 1));
    assert_int_equal(answer->cursor, 1);
    assert_true(answer->more);
    assert_int_equal(peer_try(&b, &error), MNEME_CORRUPT);
    assert_non_null(strstr(error.message, "mneme_record"));
}

/* ---- Chunks that change ---------------------------------------------------------------------- */

static void change_big(void *context) {
    remote_do(context, "UPDATE mneme_record SET change = 50, clock = clock + 1,"
                       " checksum = checksum + 1 WHERE chunks > 0");
    remote_do(context, "DELETE FROM mneme_chunk");
    remote_do(context, "UPDATE mneme_store SET change = 50");
}

static void record__that_changes_while_it_is_read_is_left_for_the_next(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    AUTO_FREE uint8_t *body = mem_zalloc(1, BIG);
    assert_non_null(body);
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (unsigned n = 1; n <= 3; n++)
        peer_push(&a, FEED_PUT, n, 50, 0);
    a.records[1].body = slice_of(body, BIG);
    peer_exchange(&a);
    remote->meddler.context = remote;
    remote->meddler.before = change_big;
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 1);
    assert_true(pulled_is(&b, 0, 1));
    assert_int_equal(answer->cursor, 1);
    assert_true(answer->more);
    remote_do(remote, "UPDATE mneme_record SET chunks = 0, body_size = 0, body = x''"
                      " WHERE chunks > 0");
    answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 2);
    assert_true(pulled_is(&b, 0, 3));
    assert_true(pulled_is(&b, 1, 2));
    assert_int_equal(answer->cursor, 50);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, file_setup, remote_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(exchange__whose_answer_is_lost_happens_once),
        CASE(exchange__found_again_answers_as_it_would_have),
        CASE(verdict__whose_answer_is_lost_is_given_again),
        CASE(exchange__nobody_knows_of_is_settled_before_the_next),
        CASE(exchange__nobody_knows_of_that_was_made_is_recognized),
        CASE(exchange__that_fails_leaves_the_answer_as_it_was),
        CASE(page__too_large_is_asked_for_in_smaller_ones),
        CASE(page__of_one_record_too_large_is_an_error),
        CASE(page__ends_before_a_row_that_cannot_be_read),
        CASE(record__that_changes_while_it_is_read_is_left_for_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
