/*
 * feed_test.c - exchanges of peers with a remote, line by line of feed.h, on an SQLite file and on
 * a real server.
 */
#include "feed_fixture.h"

enum { BIG = (2 << 20) + 5 };

/* ---- Meeting --------------------------------------------------------------------------------- */

static void exchange__of_a_new_peer_introduces_it(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    struct feed_peer peers[4];
    size_t count = 0;
    peer_init(&a, remote->feed, 1);
    struct feed_answer *answer = peer_exchange(&a);
    assert_int_equal(answer->verdict, FEED_OK);
    assert_int_equal(strlen(answer->epoch), FEED_EPOCH_SIZE - 1);
    assert_int_equal(answer->head, 0);
    assert_int_equal(answer->floor, 0);
    assert_int_equal(answer->cursor, 0);
    assert_false(answer->more);
    assert_int_equal(answer->records.count, 0);
    assert_true(llabs(answer->time_us - clock_wall_us()) < 60000000);
    assert_int_equal(feed_peers(remote->feed, peers, COUNT_OF(peers), &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(peers[0].peer, 1);
    assert_string_equal(peers[0].name, "machine 1");
    assert_true(llabs(peers[0].seen_us - clock_wall_us()) < 60000000);
}

static void peers__are_listed_the_latest_first_and_with_their_cursors(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    struct feed_peer peers[2];
    size_t count = 0;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, UINT32_MAX);
    b.request.peer = UINT64_MAX; /* any number is one */
    peer_push(&a, FEED_PUT, 1, 5, 0);
    peer_exchange(&a);
    peer_exchange(&a);
    peer_exchange(&b);
    remote_do(remote, "UPDATE mneme_peer SET seen_us = seen_us - 5000000 WHERE cursor = 1");
    assert_int_equal(feed_peers(remote->feed, peers, 2, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_true(peers[0].peer == UINT64_MAX);
    assert_int_equal(peers[0].cursor, 0); /* what it had when it asked */
    assert_int_equal(peers[1].peer, 1);
    assert_int_equal(peers[1].cursor, 1);
    assert_int_equal(feed_peers(remote->feed, peers, 1, &count, NULL), 0);
    assert_int_equal(count, 1);
    remote_do(remote, "UPDATE mneme_peer SET peer = 'none' WHERE cursor = 1");
    assert_int_equal(feed_peers(remote->feed, peers, 2, &count, NULL), MNEME_CORRUPT);
}

/* An exchange that is refused changes nothing: neither the record nor the peer's row. */
static void assert_verdict(struct remote *remote, struct peer *peer, enum feed_verdict verdict) {
    AUTO_PEER struct peer tried = *peer, looks = *peer;
    tried.answer = looks.answer = (struct feed_answer){0};
    tried.request.pushes = tried.pushes;
    int64_t sum = remote_number(remote, "SELECT sum(fence + cursor + seen_us) FROM mneme_peer");
    tried.request.push_count = 0;
    tried.request.next_tag = 77;
    if (verdict == FEED_OTHER_TAG)
        tried.request.tag = looks.request.tag = 78;
    if (verdict == FEED_OTHER_TAG)
        looks.request.next_tag = 79;
    peer_push(&tried, FEED_PUT, 100, 5, 0);
    struct feed_answer *answer = peer_exchange(&tried);
    assert_int_equal(answer->verdict, verdict);
    assert_int_equal(strlen(answer->epoch), FEED_EPOCH_SIZE - 1);
    assert_int_equal(answer->head, 1);
    assert_int_equal(answer->cursor, tried.request.cursor);
    assert_int_equal(answer->records.count, 0);
    assert_int_equal(peer_look(&looks)->verdict, verdict);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_record"), 1);
    assert_int_equal(
        remote_number(remote, "SELECT ifnull(sum(fence + cursor + seen_us), 0) FROM mneme_peer"),
        sum);
}

static void verdict__says_what_speaks_against_an_exchange(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    a.request.fence = 5;
    peer_push(&a, FEED_PUT, 1, 5, 0);
    peer_exchange(&a);
    a.request.fence = 4;
    assert_verdict(remote, &a, FEED_FENCED);
    assert_verdict(remote, &a, FEED_OTHER_TAG); /* before the fence */
    a.request.peer = 2;
    remote_do(remote, "UPDATE mneme_peer SET peer = '0000000000000009'");
    assert_verdict(remote, &a, FEED_UNKNOWN);
    a.request.epoch[0] = 'x';
    assert_verdict(remote, &a, FEED_OTHER_EPOCH); /* before everything */
    a.request.epoch[0] = 0;
    assert_int_equal(peer_look(&a)->verdict, FEED_OK); /* never met is no stranger */
    a.request.epoch[0] = 0;
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OK);
}

static void tag__is_right_when_it_is_either(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    peer_exchange(&a);
    struct feed_request before = a.request;
    peer_exchange(&a);
    uint64_t tag = a.request.tag;
    a.request = before; /* the answer was lost: the row has next_tag */
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OK);
    assert_int_equal(a.request.tag, tag);
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OK);
    a.request = before;
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OTHER_TAG);
}

/* ---- Pushing --------------------------------------------------------------------------------- */

static void push__goes_in_exactly_as_it_is_and_reaches_others(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    struct attribute attributes[] = {attribute_of("domain", "airline"), attribute_of("tag", "a")};
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    struct feed_push *first = peer_push(&a, FEED_PUT, 1, 50, 0);
    a.records[0].attributes = attributes;
    a.records[0].attribute_count = COUNT_OF(attributes);
    a.records[0].body = slice_of_string("what was done");
    a.records[0].plain_size = 99;
    a.records[0].flags = MNEME_FLAG_SEALED;
    a.records[0].parent = numbered_id(9);
    a.records[0].place = 4;
    struct feed_push *second = peer_push(&a, FEED_DELETE, 2, 60, 0);
    a.records[1].flags = MNEME_FLAG_DELETED;
    a.records[1].parent = numbered_id(9);
    a.records[1].place = 3;
    a.records[1].time_us = 123;
    struct feed_answer *answer = peer_exchange(&a);
    assert_int_equal(first->fate, FEED_TAKEN);
    assert_int_equal(first->change, 1);
    assert_int_equal(second->fate, FEED_TAKEN);
    assert_int_equal(second->change, 2);
    assert_int_equal(answer->head, 2);
    assert_int_equal(answer->cursor, 2); /* its own pushes do not come back */
    assert_int_equal(answer->records.count, 0);
    assert_false(answer->more);

    answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 2);
    for (size_t i = 0; i < 2; i++) {
        a.records[i].change = i + 1;
        assert_null(record_difference(&answer->records.records[i], &a.records[i]));
    }
    assert_int_equal(answer->cursor, 2);
    /* An older version over a newer one: only what was expected counts. */
    first = peer_push(&b, FEED_PUT, 1, 10, 1);
    peer_exchange(&b);
    assert_int_equal(first->fate, FEED_TAKEN);
    answer = peer_exchange(&a);
    assert_int_equal(answer->records.count, 1);
    assert_int_equal(answer->records.records[0].version.clock, 10);
    assert_int_equal(answer->records.records[0].change, 3);
}

static void numbers__above_the_signed_ones_stay_as_they_are(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    struct feed_peer peers[2];
    size_t count;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    a.request.peer = UINT64_MAX - 1;
    a.request.next_tag = UINT64_MAX - 100;
    peer_push(&a, FEED_PUT, 1, 50, 0);
    a.records[0].version.device = UINT64_MAX;
    peer_exchange(&a);
    a.records[0].change = 1;
    assert_int_equal(peer_look(&a)->verdict, FEED_OK); /* tag and peer are found again */
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 1);
    assert_null(record_difference(&answer->records.records[0], &a.records[0]));
    assert_int_equal(peer_exchange(&a)->verdict, FEED_OK);
    assert_int_equal(feed_peers(remote->feed, peers, 2, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_true(peers[0].peer == UINT64_MAX - 1 || peers[1].peer == UINT64_MAX - 1);
}

static void pushes__fail_alone(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (unsigned n = 1; n <= 4; n++)
        peer_push(&a, FEED_PUT, n, 50, 0);
    peer_exchange(&a);
    struct feed_push *const pushes[] = {
        peer_push(&b, FEED_PUT, 1, 60, 0),    peer_push(&b, FEED_PUT, 1, 60, 1),
        peer_push(&b, FEED_PUT, 1, 70, 1),    peer_push(&b, FEED_PURGE, 2, 60, 2),
        peer_push(&b, FEED_PURGE, 2, 60, 2),  peer_push(&b, FEED_PURGE, 7, 60, 0),
        peer_push(&b, FEED_DELETE, 3, 40, 2), peer_push(&b, FEED_DELETE, 3, 40, 3),
        peer_push(&b, FEED_PUT, 8, 60, 5),    peer_push(&b, FEED_PUT, 9, 60, 0)};
    static const struct {
        enum feed_fate fate;
        uint64_t change;
    } wanted[] = {{FEED_STALE, 0}, {FEED_TAKEN, 5}, {FEED_STALE, 0}, {FEED_TAKEN, 0},
                  {FEED_STALE, 0}, {FEED_STALE, 0}, {FEED_STALE, 0}, {FEED_TAKEN, 6},
                  {FEED_STALE, 0}, {FEED_TAKEN, 7}};
    size_t writes = remote->meddler.writes;
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(remote->meddler.writes, writes + 1);
    for (size_t i = 0; i < COUNT_OF(wanted); i++) {
        if (pushes[i]->fate != wanted[i].fate || pushes[i]->change != wanted[i].change)
            fail_msg("push %zu: fate %d, change %d", i, (int)pushes[i]->fate,
                     (int)pushes[i]->change);
    }
    assert_int_equal(answer->records.count, 1); /* the others it has itself replaced */
    assert_true(pulled_is(&b, 0, 4));
    assert_int_equal(answer->cursor, 7);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_record"), 4);
}

static void push__that_the_server_refuses_does_not_take_others_down(void **state) {
    enum { PUSHES = 21 };
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    struct feed_push *pushes[PUSHES];
    remote_do(remote, "CREATE TRIGGER poison BEFORE INSERT ON mneme_record"
                      " WHEN NEW.plain_size = 666 BEGIN SELECT RAISE(ABORT, 'poison'); END");
    peer_init(&a, remote->feed, 1);
    for (unsigned n = 0; n < PUSHES; n++) {
        pushes[n] = peer_push(&a, FEED_PUT, n + 1, 50, 0);
        a.records[n].plain_size = n % 9 == 3 ? 666 : 0;
    }
    struct feed_answer *answer = peer_exchange(&a);
    for (unsigned n = 0; n < PUSHES; n++) {
        assert_int_equal(pushes[n]->fate, n % 9 == 3 ? FEED_REFUSED : FEED_TAKEN);
        if (n % 9 == 3)
            assert_non_null(strstr(pushes[n]->error.message, "poison"));
    }
    assert_int_equal(answer->head, PUSHES - 2);
    assert_int_equal(answer->cursor, PUSHES - 2);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_record"), PUSHES - 2);
    /* One alone, and nothing else. */
    struct feed_push *alone = peer_push(&a, FEED_PUT, 4, 50, 0);
    a.records[0].plain_size = 666;
    peer_exchange(&a);
    assert_int_equal(alone->fate, FEED_REFUSED);
}

static void push__that_breaks_a_rule_is_refused_without_being_asked(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    struct feed_push *const pushes[] = {
        peer_push(&a, FEED_PUT, 1, 0, 0), peer_push(&a, FEED_DELETE, 2, 0, 0),
        peer_push(&a, FEED_PUT, 3, 9, 0), peer_push(&a, FEED_PUT, 4, 9, 0)};
    a.records[0].version = a.records[1].version = (mneme_version){0};
    a.records[2].body = slice_of(a.records, (size_t)STORE_BODY_MAX + 1);
    size_t writes = remote->meddler.writes;
    assert_int_equal(peer_exchange(&a)->head, 1);
    assert_int_equal(remote->meddler.writes, writes + 1);
    assert_int_equal(pushes[0]->fate, FEED_REFUSED);
    assert_int_equal(pushes[1]->fate, FEED_REFUSED);
    assert_int_equal(pushes[2]->fate, FEED_REFUSED);
    assert_int_equal(pushes[2]->error.code, MNEME_TOO_LARGE);
    assert_int_equal(pushes[3]->fate, FEED_TAKEN);
}

static void body__of_many_chunks_goes_up_and_comes_down(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    AUTO_FREE uint8_t *body = mem_alloc(BIG);
    assert_non_null(body);
    test_random_fill(9, body, BIG);
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    struct feed_push *big = peer_push(&a, FEED_PUT, 1, 50, 0);
    a.records[0].body = slice_of(body, BIG);
    peer_push(&a, FEED_PUT, 2, 50, 0);
    peer_exchange(&a);
    assert_int_equal(big->fate, FEED_TAKEN);
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 2);
    assert_true(slice_equal(answer->records.records[0].body, slice_of(body, BIG)));
    /* A stale one leaves none of its chunks. */
    big = peer_push(&b, FEED_PUT, 2, 60, 1);
    b.records[0].body = slice_of(body, BIG);
    peer_exchange(&b);
    assert_int_equal(big->fate, FEED_STALE);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_chunk"), BIG >> 20);
}

/* ---- Pulling --------------------------------------------------------------------------------- */

static void pull__goes_in_pages_in_the_order_of_changes(void **state) {
    enum { RECORDS = 30, PAGE = 7 };
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    unsigned seen = 0;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (unsigned n = 1; n <= RECORDS; n++)
        peer_push(&a, FEED_PUT, n, 50, 0);
    peer_exchange(&a);
    b.request.pull_max = PAGE;
    for (bool more = true; more; more = b.answer.more) {
        assert_true(seen < RECORDS);
        peer_exchange(&b);
        for (size_t i = 0; i < b.answer.records.count; i++)
            assert_true(pulled_is(&b, i, ++seen));
        assert_true(b.answer.records.count == PAGE || seen == RECORDS);
        assert_int_equal(b.answer.cursor, seen);
    }
    assert_int_equal(seen, RECORDS);
}

/* What a peer pushes is not pulled, whatever else is, and what was left behind comes later. */
static void pull__leaves_out_what_was_pushed_beside(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (unsigned n = 1; n <= 3; n++)
        peer_push(&a, FEED_PUT, n, 50, 0);
    peer_exchange(&a);
    peer_push(&b, FEED_PUT, 4, 50, 0);
    b.request.pull_max = 2;
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 2);
    assert_int_equal(answer->cursor, 2);
    assert_true(answer->more);
    peer_push(&b, FEED_PUT, 5, 50, 0);
    answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 2); /* of an exchange before, it may come back */
    assert_true(pulled_is(&b, 0, 3));
    b.request.pull_max = 0;
    peer_push(&b, FEED_PUT, 6, 50, 0);
    answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 0);
    assert_int_equal(answer->cursor, 4);
    assert_true(answer->more);
    b.request.pull_max = 10;
    assert_int_equal(peer_exchange(&b)->cursor, 6);
}

static void pull__of_nothing_goes_past_what_was_pushed(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    a.request.pull_max = 0;
    peer_push(&a, FEED_PUT, 1, 50, 0);
    struct feed_answer *answer = peer_exchange(&a);
    assert_int_equal(answer->cursor, 1);
    assert_false(answer->more);
}

static void cursor__goes_past_what_was_purged(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_push(&a, FEED_PUT, 1, 50, 0);
    peer_push(&a, FEED_PUT, 2, 50, 0);
    peer_exchange(&a);
    peer_push(&a, FEED_PURGE, 2, 50, 2);
    peer_exchange(&a);
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, 1);
    assert_int_equal(answer->head, 2);
    assert_int_equal(answer->cursor, 2);
    assert_false(answer->more);
}

static void look__writes_nothing(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    mneme_error error = {0};
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_exchange(&a);
    peer_exchange(&b);
    assert_false(peer_look(&b)->more);
    peer_push(&a, FEED_PUT, 1, 50, 0);
    peer_exchange(&a);
    int64_t sum = remote_number(remote, "SELECT sum(seen_us) FROM mneme_peer");
    size_t writes = remote->meddler.writes, reads = remote->meddler.reads;
    struct feed_answer *answer = peer_look(&b);
    assert_true(answer->more);
    assert_int_equal(answer->head, 1);
    assert_int_equal(answer->cursor, 0);
    assert_int_equal(answer->records.count, 0);
    assert_int_equal(remote->meddler.writes, writes);
    assert_int_equal(remote->meddler.reads, reads + 1);
    assert_int_equal(remote_number(remote, "SELECT sum(seen_us) FROM mneme_peer"), sum);
    assert_int_equal(peer_exchange(&b)->records.count, 1); /* with the tag it had */

    b.request.quiet = true;
    assert_int_equal(peer_try(&b, &error), MNEME_INVALID);
    b.request.quiet = false;
    b.request.pull_max = FEED_PULL_MAX + 1;
    assert_int_equal(peer_try(&b, &error), MNEME_INVALID);
}

#define FILE_CASE(name)                                                                            \
    { #name " (file)", name, file_setup, remote_teardown, NULL }
#define SERVER_CASE(name)                                                                          \
    { #name " (server)", name, server_setup, remote_teardown, NULL }
#define CASE(name) FILE_CASE(name), SERVER_CASE(name)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(exchange__of_a_new_peer_introduces_it),
        CASE(peers__are_listed_the_latest_first_and_with_their_cursors),
        CASE(verdict__says_what_speaks_against_an_exchange),
        CASE(tag__is_right_when_it_is_either),
        CASE(push__goes_in_exactly_as_it_is_and_reaches_others),
        CASE(numbers__above_the_signed_ones_stay_as_they_are),
        CASE(pushes__fail_alone),
        CASE(push__that_the_server_refuses_does_not_take_others_down),
        CASE(push__that_breaks_a_rule_is_refused_without_being_asked),
        CASE(body__of_many_chunks_goes_up_and_comes_down),
        CASE(pull__goes_in_pages_in_the_order_of_changes),
        CASE(pull__leaves_out_what_was_pushed_beside),
        CASE(pull__of_nothing_goes_past_what_was_pushed),
        CASE(cursor__goes_past_what_was_purged),
        CASE(look__writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
