/*
 * feed_cases_pull.c - what a page has.
 */
#include "support/feed_cases_impl.h"

static void pages_bring_all_in_order(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer writer = case_peer_of(run, 0, 1), reader = case_peer_of(run, 1, 2);
    unsigned next = 1;
    case_fill(&writer, 1, 25);
    reader.request.pull_max = 10;
    for (bool more = true; more;) {
        case_must_exchange(&reader, &answer);
        more = answer.more;
        assert_true(answer.records.count == 10 || !more);
        for (size_t i = 0; i < answer.records.count; i++) {
            mneme_id wanted = numbered_id(next++);
            assert_true(id_equal(&answer.records.records[i].id, &wanted));
        }
    }
    assert_int_equal(next, 26);
    assert_int_equal(reader.request.cursor, case_head(run));
    case_must_exchange(&reader, &answer);
    assert_int_equal(answer.records.count, 0);
}

static void page_is_without_what_the_exchange_pushed(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer writer = case_peer_of(run, 0, 1), reader = case_peer_of(run, 1, 2);
    case_fill(&writer, 1, 3);
    case_push(&reader, FEED_PUT, case_record(MNEME_PATTERN, 50, "own"), 0);
    case_push(&reader, FEED_PUT, case_record(MNEME_PATTERN, 2, "stale"), 0);
    case_must_exchange(&reader, &answer);
    assert_int_equal(answer.records.count, 3);
    assert_int_equal(answer.cursor, answer.head);
    assert_false(answer.more);
    case_push(&writer, FEED_DELETE, case_tombstone(MNEME_PATTERN, 1),
              answer.records.records[0].change);
    writer.request.pull_max = 100; /* its own records, too, that earlier exchanges pushed */
    writer.request.cursor = 0;
    case_must_exchange(&writer, &answer);
    assert_int_equal(answer.records.count, 3);
    case_must_exchange(&reader, &answer);
    assert_int_equal(answer.records.count, 1);
    assert_true(answer.records.records[0].flags & MNEME_FLAG_DELETED);
}

static void pulling_nothing_leaves_the_cursor(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer writer = case_peer_of(run, 0, 1), reader = case_peer_of(run, 1, 2);
    case_fill(&writer, 1, 2);
    reader.request.pull_max = 0;
    case_must_exchange(&reader, &answer);
    assert_int_equal(answer.records.count, 0);
    assert_int_equal(answer.cursor, 0);
    assert_true(answer.more);
}

static void quiet_look_writes_nothing(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct feed_peer peers[FEED_PEERS_MAX];
    size_t count = 0;
    struct case_peer writer = case_peer_of(run, 0, 1), reader = case_peer_of(run, 1, 2);
    case_must_exchange(&reader, &answer);
    case_fill(&writer, 1, 2);
    reader.request.quiet = true;
    reader.request.pull_max = 0;
    assert_int_equal(case_exchange(&reader, &answer), 0);
    assert_int_equal(answer.verdict, FEED_OK);
    assert_int_equal(answer.head, 2);
    assert_int_equal(answer.records.count, 0);
    reader.request.quiet = false;
    reader.request.pull_max = 100;
    reader.request.next_tag = 31337; /* as if that had never been: the row has the tag before */
    case_must_exchange(&reader, &answer);
    assert_int_equal(answer.records.count, 2);
    struct case_peer stranger = case_peer_of(run, 1, 3);
    stranger.request.quiet = true;
    stranger.request.pull_max = 0;
    assert_int_equal(case_exchange(&stranger, &answer), 0);
    assert_int_equal(feed_peers(run->place.feeds[0], peers, FEED_PEERS_MAX, &count, NULL), 0);
    assert_int_equal(count, 2);
}

static const struct feed_case cases[] = {
    FEED_CASE(pages_bring_all_in_order),
    FEED_CASE(page_is_without_what_the_exchange_pushed),
    FEED_CASE(pulling_nothing_leaves_the_cursor),
    FEED_CASE(quiet_look_writes_nothing),
};
const struct feed_case_list feed_pull_cases = {cases, COUNT_OF(cases)};
