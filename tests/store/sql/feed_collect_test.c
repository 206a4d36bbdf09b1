/*
 * feed_collect_test.c - tombstones that nobody needs any more; waiting for changes. On an SQLite
 * file and on a real server.
 */
#include <pthread.h>

#include "feed_fixture.h"

#define DAY_US (INT64_C(86400) * 1000000)

/* The clock of a version made so many days ago. */
static uint64_t days_ago(unsigned days) {
    return (uint64_t)(clock_wall_us() / 1000 - (int64_t)days * 86400 * 1000) << 16;
}

static uint64_t collect(struct remote *remote, int64_t keep_us) {
    uint64_t collected = UINT64_MAX;
    mneme_error error = {0};
    if (feed_collect(remote->feed, keep_us, &collected, &error))
        fail_msg("%s", error.message);
    return collected;
}

/* Record 1 lives; 2 and 4 were deleted ten days ago, 3 two days ago. */
static void push_tombstones(struct peer *a) {
    peer_push(a, FEED_PUT, 1, days_ago(20), 0);
    peer_push(a, FEED_DELETE, 2, days_ago(10), 0);
    peer_push(a, FEED_DELETE, 3, days_ago(2), 0);
    peer_push(a, FEED_DELETE, 4, days_ago(10), 0);
    peer_exchange(a);
    peer_exchange(a); /* its cursor in the remote's row: 4 */
}

static void collect__takes_what_is_old_and_seen_by_all(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    push_tombstones(&a);
    b.request.pull_max = 3;
    peer_exchange(&b);
    assert_int_equal(collect(remote, 5 * DAY_US), 0); /* b has all of them before it */
    assert_int_equal(peer_exchange(&b)->floor, 0);    /* its cursor there: 3 */
    assert_int_equal(collect(remote, 15 * DAY_US), 0);
    assert_int_equal(collect(remote, 5 * DAY_US), 1);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_record"), 3);
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->floor, 2);
    assert_int_equal(answer->cursor, 4);
    assert_int_equal(collect(remote, 5 * DAY_US), 1);
    assert_int_equal(collect(remote, 5 * DAY_US), 0);
    assert_int_equal(peer_look(&b)->floor, 4);
    assert_int_equal(remote_number(remote, "SELECT tombstones FROM mneme_kind"
                                           " WHERE kind = 'episode'"),
                     1);
    assert_int_equal(peer_look(&b)->head, 4);
}

static void collect__does_not_wait_for_who_was_away_too_long(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    struct feed_peer peers[2];
    size_t count = 0;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_exchange(&b);
    push_tombstones(&a);
    remote_do(remote, "UPDATE mneme_peer SET seen_us = seen_us - 4 * 86400000000"
                      " WHERE name = 'machine 2'");
    assert_int_equal(collect(remote, 5 * DAY_US), 0);
    remote_do(remote, "UPDATE mneme_peer SET seen_us = seen_us - 2 * 86400000000"
                      " WHERE name = 'machine 2'");
    assert_int_equal(collect(remote, 5 * DAY_US), 2);
    assert_int_equal(feed_peers(remote->feed, peers, 2, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(peers[0].peer, 1);
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->verdict, FEED_UNKNOWN);
    assert_true(b.request.cursor < answer->floor);
}

static void collect__works_without_peers_and_without_tombstones(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    assert_int_equal(collect(remote, 0), 0);
    peer_init(&a, remote->feed, 1);
    push_tombstones(&a);
    remote_do(remote, "DELETE FROM mneme_peer");
    assert_int_equal(collect(remote, 0), 3);
    assert_int_equal(remote_number(remote, "SELECT floor FROM mneme_store"), 4);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_record"), 1);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void wait__ends_at_its_time_or_when_woken(void **state) {
    struct remote *remote = *state;
    int64_t start = clock_monotonic_us();
    (void)feed_wait(remote->feed, start - 5, NULL);
    (void)feed_wait(remote->feed, start + 3000, NULL);
    feed_wake(remote->feed);
    (void)feed_wait(remote->feed, start + 600 * INT64_C(1000000), NULL);
    assert_true(clock_monotonic_us() - start < 300 * INT64_C(1000000));
}

static void *wake_from_elsewhere(void *feed) {
    feed_wake(feed);
    return NULL;
}

static void wait__is_ended_by_another_thread(void **state) {
    struct remote *remote = *state;
    pthread_t thread;
    int64_t start = clock_monotonic_us();
    assert_int_equal(thread_start(&thread, wake_from_elsewhere, remote->feed, NULL), 0);
    (void)feed_wait(remote->feed, start + 600 * INT64_C(1000000), NULL);
    pthread_join(thread, NULL);
    assert_true(clock_monotonic_us() - start < 300 * INT64_C(1000000));
}

/* A real server tells of what another machine pushed. The wait has no other end within its bound.
 */
static void wait__is_ended_by_a_change_on_the_server(void **state) {
    struct server_database database;
    AUTO_PEER struct peer a, b;
    struct feed *waits = NULL, *writes = NULL;
    mneme_error error = {0};
    (void)state;
    if (server_database_make(&database, &error))
        fail_msg("%s", error.message);
    struct store *stores[] = {server_store(&database), server_store(&database)};
    assert_int_equal(sql_feed_open(stores[0], &waits, NULL), 0);
    assert_int_equal(sql_feed_open(stores[1], &writes, NULL), 0);
    peer_init(&a, waits, 1);
    peer_init(&b, writes, 2);
    peer_exchange(&a);
    for (unsigned n = 1; n <= 3; n++) {
        int64_t bound = clock_monotonic_us() + 300 * INT64_C(1000000);
        peer_push(&b, FEED_PUT, n, 50, 0);
        peer_exchange(&b);
        /* The first hint may be that listening began. */
        while (!peer_look(&a)->more && clock_monotonic_us() < bound)
            assert_int_equal(feed_wait(waits, bound, &error), 0);
        assert_true(clock_monotonic_us() < bound);
        assert_int_equal(peer_exchange(&a)->records.count, 1);
    }
    feed_close(waits);
    feed_close(writes);
    store_close(stores[0]);
    store_close(stores[1]);
}

#define FILE_CASE(name)                                                                            \
    { #name " (file)", name, file_setup, remote_teardown, NULL }
#define SERVER_CASE(name)                                                                          \
    { #name " (server)", name, server_setup, remote_teardown, NULL }
#define CASE(name) FILE_CASE(name), SERVER_CASE(name)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(collect__takes_what_is_old_and_seen_by_all),
        CASE(collect__does_not_wait_for_who_was_away_too_long),
        CASE(collect__works_without_peers_and_without_tombstones),
        CASE(wait__ends_at_its_time_or_when_woken),
        CASE(wait__is_ended_by_another_thread),
        cmocka_unit_test(wait__is_ended_by_a_change_on_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
