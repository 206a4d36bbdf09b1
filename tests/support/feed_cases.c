/*
 * feed_cases.c - runs the cases, and what they share.
 */
#include <stdio.h>

#include "support/feed_cases_impl.h"

enum { CASES_MAX = 64 };

/* ---- Fixture ----------------------------------------------------------------------------- */

struct case_peer case_peer_of(const struct case_run *run, size_t feed, uint64_t number) {
    struct case_peer peer = {.feed = run->place.feeds[feed],
                             .request = {.peer = number,
                                         .fence = 1,
                                         .tag = number * 1000,
                                         .next_tag = number * 1000 + 1,
                                         .pull_max = 100}};
    snprintf(peer.request.name, sizeof peer.request.name, "machine %u", (unsigned)number);
    return peer;
}

mneme_version case_version(unsigned n) {
    return (mneme_version){(UINT64_C(1000000000000) + n) << 16, 7};
}

struct stored_record case_record(mneme_kind kind, unsigned n, const char *body) {
    return (struct stored_record){.kind = kind,
                                  .id = numbered_id(n),
                                  .version = case_version(n),
                                  .time_us = n,
                                  .body = slice_of_string(body),
                                  .plain_size = 1};
}

struct feed_push *case_push(struct case_peer *peer, enum feed_op op, struct stored_record record,
                            uint64_t expect) {
    size_t at = peer->request.push_count++;
    assert_true(at < CASE_PUSHES_MAX);
    peer->records[at] = record;
    peer->pushes[at] = (struct feed_push){.op = op, .expect = expect};
    return &peer->pushes[at];
}

/* The addresses are set last, because a peer is moved about as a value. */
int case_exchange(struct case_peer *peer, struct feed_answer *answer) {
    mneme_error error = {0};
    peer->request.pushes = peer->pushes;
    for (size_t i = 0; i < peer->request.push_count; i++)
        peer->pushes[i].record = &peer->records[i];
    feed_answer_fini(answer);
    *answer = (struct feed_answer){0};
    return feed_exchange(peer->feed, &peer->request, answer, &error);
}

/* What a syncer does after an acknowledged exchange. */
void case_acknowledge(struct case_peer *peer, const struct feed_answer *answer) {
    memcpy(peer->request.epoch, answer->epoch, sizeof answer->epoch);
    peer->request.cursor = answer->cursor;
    peer->request.tag = peer->request.next_tag++;
    peer->request.push_count = 0;
}

void case_must_exchange(struct case_peer *peer, struct feed_answer *answer) {
    assert_int_equal(case_exchange(peer, answer), 0);
    assert_int_equal(answer->verdict, FEED_OK);
    case_acknowledge(peer, answer);
}

uint64_t case_push_as(struct case_peer *peer, enum feed_op op, struct stored_record record,
                      uint64_t expect) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct feed_push *push = case_push(peer, op, record, expect);
    case_must_exchange(peer, &answer);
    assert_int_equal(push->fate, FEED_TAKEN);
    return push->change;
}

size_t case_look(struct case_run *run, mneme_kind kind, unsigned n, struct record_set *set) {
    struct record_name name = {kind, numbered_id(n)};
    size_t found = SIZE_MAX;
    assert_int_equal(store_get(run->place.store, &name, 1, set, &found, NULL), 0);
    return found;
}

bool case_is_there(struct case_run *run, mneme_kind kind, unsigned n) {
    AUTO_RECORDS struct record_set set = {0};
    return case_look(run, kind, n, &set) != SIZE_MAX;
}

uint64_t case_head(struct case_run *run) {
    struct store_stats stats;
    assert_int_equal(store_stats(run->place.store, &stats, NULL), 0);
    return stats.changes;
}

struct stored_record case_tombstone(mneme_kind kind, unsigned n) {
    struct stored_record dead = case_record(kind, n, "");
    dead.flags = MNEME_FLAG_DELETED;
    dead.plain_size = 0;
    return dead;
}

void case_fill(struct case_peer *writer, unsigned first, unsigned count) {
    AUTO_ANSWER struct feed_answer answer = {0};
    writer->request.pull_max = 0;
    for (unsigned n = first; n < first + count; n++) {
        case_push(writer, FEED_PUT, case_record(MNEME_PATTERN, n, "body"), 0);
        if (writer->request.push_count == CASE_PUSHES_MAX || n + 1 == first + count)
            case_must_exchange(writer, &answer);
    }
}

void case_verdict(struct case_run *run, struct case_peer peer, enum feed_verdict verdict) {
    AUTO_ANSWER struct feed_answer answer = {0};
    uint64_t head = case_head(run);
    case_push(&peer, FEED_PUT, case_record(MNEME_PATTERN, 999, "never"), 0);
    assert_int_equal(case_exchange(&peer, &answer), 0);
    assert_int_equal(answer.verdict, verdict);
    assert_int_equal(strlen(answer.epoch), FEED_EPOCH_SIZE - 1);
    assert_int_equal(answer.records.count, 0);
    assert_int_equal(case_head(run), head);
    assert_false(case_is_there(run, MNEME_PATTERN, 999));
}

/* ---- Running ----------------------------------------------------------------------------- */

static int case_setup(void **state) {
    struct case_run *run = *state;
    mneme_error error = {0};
    int status = run->maker->open(&run->place, &error);
    if (status)
        print_error("cannot open: %s\n", error.message);
    return status;
}

static int case_teardown(void **state) {
    struct case_run *run = *state;
    run->maker->close(&run->place);
    run->place = (struct feed_place){0};
    return 0;
}

static void case_test(void **state) {
    struct case_run *run = *state;
    run->run(run);
}

int feed_cases_run(const struct feed_maker *maker) {
    static const struct feed_case_list *const lists[] = {&feed_meet_cases, &feed_push_cases,
                                                         &feed_pull_cases};
    static struct case_run runs[CASES_MAX];
    struct CMUnitTest tests[CASES_MAX];
    size_t count = 0;
    for (size_t list = 0; list < COUNT_OF(lists); list++) {
        for (size_t i = 0; i < lists[list]->count; i++, count++) {
            if (count == CASES_MAX)
                return 1;
            struct case_run *run = &runs[count];
            *run = (struct case_run){.maker = maker, .run = lists[list]->cases[i].run};
            snprintf(run->name, sizeof run->name, "%s: %s", maker->name,
                     lists[list]->cases[i].name);
            tests[count] =
                (struct CMUnitTest){run->name, case_test, case_setup, case_teardown, run};
        }
    }
    return _cmocka_run_group_tests(maker->name, tests, count, NULL, NULL);
}
