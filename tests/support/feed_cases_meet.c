/*
 * feed_cases_meet.c - who may exchange: epochs, tags, fences, peers; and tombstones that are
 * collected.
 */
#include "os/os.h"
#include "support/feed_cases_impl.h"

/* ---- Meeting and verdicts ---------------------------------------------------------------- */

static void first_exchange_tells_the_epoch(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0}, other = {0};
    struct case_peer one = case_peer_of(run, 0, 1), two = case_peer_of(run, 1, 2);
    case_must_exchange(&one, &answer);
    assert_int_equal(strlen(answer.epoch), FEED_EPOCH_SIZE - 1);
    assert_int_equal(answer.head, 0);
    assert_int_equal(answer.floor, 0);
    assert_int_equal(answer.records.count, 0);
    assert_false(answer.more);
    case_must_exchange(&two, &other);
    assert_string_equal(answer.epoch, other.epoch);
}

static void strangers_are_told_why_and_nothing_is_done(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer peer = case_peer_of(run, 0, 1);
    peer.request.fence = 5;
    case_push_as(&peer, FEED_PUT, case_record(MNEME_PATTERN, 1, "one"), 0);
    struct case_peer epoch = peer, unknown = peer, tag = peer, fence = peer;
    epoch.request.epoch[3] = epoch.request.epoch[3] == 'a' ? 'b' : 'a';
    case_verdict(run, epoch, FEED_OTHER_EPOCH);
    unknown.request.peer = 77;
    case_verdict(run, unknown, FEED_UNKNOWN);
    tag.request.tag = 123456, tag.request.next_tag = 123457;
    case_verdict(run, tag, FEED_OTHER_TAG);
    fence.request.fence = 4;
    case_verdict(run, fence, FEED_FENCED);
    case_must_exchange(&peer, &answer); /* whose tag is as it was */
}

static void greater_fence_takes_over(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer peer = case_peer_of(run, 0, 1);
    case_must_exchange(&peer, &answer);
    struct case_peer late = peer;
    peer.request.fence = 2;
    case_must_exchange(&peer, &answer);
    late.request.tag = peer.request.tag, late.request.next_tag = peer.request.next_tag;
    case_verdict(run, late, FEED_FENCED);
}

/* When an answer was lost the peer does not know which of its two tags the row has. */
static void either_tag_is_right_after_a_lost_answer(struct case_run *run) {
    for (int done = 0; run->maker->lose_next && done < 2; done++) {
        AUTO_ANSWER struct feed_answer answer = {0};
        struct case_peer peer = case_peer_of(run, 0, 1 + (uint64_t)done);
        unsigned n = 10 + (unsigned)done;
        case_must_exchange(&peer, &answer);
        case_push(&peer, FEED_PUT, case_record(MNEME_PATTERN, n, "lost"), 0);
        run->maker->lose_next(&run->place, 0, done);
        assert_int_equal(case_exchange(&peer, &answer), MNEME_UNCERTAIN);
        assert_int_equal(answer.records.count, 0);
        assert_int_equal(case_is_there(run, MNEME_PATTERN, n), done);
        assert_int_equal(case_exchange(&peer, &answer), 0);
        assert_int_equal(answer.verdict, FEED_OK);
        assert_int_equal(peer.pushes[0].fate, done ? FEED_STALE : FEED_TAKEN);
        assert_int_equal(answer.records.count, done ? 1 : 0);
        case_acknowledge(&peer, &answer);
        case_must_exchange(&peer, &answer);
    }
}

static void first_exchange_may_be_lost(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer peer = case_peer_of(run, 0, 1);
    if (!run->maker->lose_next)
        return;
    run->maker->lose_next(&run->place, 0, true);
    assert_int_equal(case_exchange(&peer, &answer), MNEME_UNCERTAIN);
    case_must_exchange(&peer, &answer);
}

/* ---- Peers and tombstones ---------------------------------------------------------------- */

static void peers_are_told_the_latest_first(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct feed_peer peers[FEED_PEERS_MAX];
    size_t count = 99;
    struct case_peer one = case_peer_of(run, 0, 1), two = case_peer_of(run, 1, 2);
    assert_int_equal(feed_peers(one.feed, peers, FEED_PEERS_MAX, &count, NULL), 0);
    assert_int_equal(count, 0);
    case_must_exchange(&one, &answer);
    case_fill(&one, 1, 2);
    case_must_exchange(&two, &answer);
    case_must_exchange(&two, &answer);
    assert_int_equal(feed_peers(one.feed, peers, FEED_PEERS_MAX, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_true(peers[0].seen_us >= peers[1].seen_us);
    const struct feed_peer *second = peers[0].peer == 2 ? &peers[0] : &peers[1];
    assert_int_equal(second->peer, 2);
    assert_int_equal(second->cursor, 2);
    assert_string_equal(second->name, "machine 2");
    assert_int_equal(feed_peers(one.feed, peers, 1, &count, NULL), 0);
    assert_int_equal(count, 1);
}

static const int64_t HOUR_US = INT64_C(3600) * 1000 * 1000;

static void tombstones_are_kept_for_peers_behind_them(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer one = case_peer_of(run, 0, 1), two = case_peer_of(run, 1, 2);
    uint64_t collected = 99;
    case_push_as(&one, FEED_DELETE, case_tombstone(MNEME_PATTERN, 1), 0);
    case_must_exchange(&one, &answer); /* which tells that it has seen them */
    case_must_exchange(&two, &answer);
    case_must_exchange(&two, &answer);
    case_push_as(&one, FEED_PUT, case_record(MNEME_PATTERN, 2, "lives"), 0);
    uint64_t last = case_push_as(&one, FEED_DELETE, case_tombstone(MNEME_PATTERN, 3), 0);
    case_must_exchange(&one, &answer);
    assert_int_equal(feed_collect(one.feed, HOUR_US, &collected, NULL), 0);
    assert_int_equal(collected, 1);
    assert_false(case_is_there(run, MNEME_PATTERN, 1));
    assert_true(case_is_there(run, MNEME_PATTERN, 2));
    assert_true(case_is_there(run, MNEME_PATTERN, 3));
    case_must_exchange(&two, &answer);
    assert_int_equal(answer.floor, 1);
    case_must_exchange(&two, &answer);
    assert_int_equal(feed_collect(one.feed, HOUR_US, &collected, NULL), 0);
    assert_int_equal(collected, 1);
    assert_false(case_is_there(run, MNEME_PATTERN, 3));
    case_must_exchange(&one, &answer);
    assert_int_equal(answer.floor, last);
    assert_int_equal(feed_collect(one.feed, HOUR_US, &collected, NULL), 0);
    assert_int_equal(collected, 0);
}

static void young_tombstones_are_kept(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer one = case_peer_of(run, 0, 1);
    struct stored_record young = case_tombstone(MNEME_PATTERN, 1);
    uint64_t collected = 99;
    young.version.clock = (uint64_t)(clock_wall_us() / 1000) << 16;
    case_push_as(&one, FEED_DELETE, young, 0);
    case_must_exchange(&one, &answer);
    assert_int_equal(feed_collect(one.feed, HOUR_US, &collected, NULL), 0);
    assert_int_equal(collected, 0);
    assert_true(case_is_there(run, MNEME_PATTERN, 1));
}

static void peers_long_gone_do_not_count_and_are_forgotten(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct feed_peer peers[FEED_PEERS_MAX];
    size_t count = 99;
    uint64_t collected = 99;
    struct case_peer one = case_peer_of(run, 0, 1);
    case_push_as(&one, FEED_DELETE, case_tombstone(MNEME_PATTERN, 1),
                 0); /* its row is still before it */
    assert_int_equal(feed_collect(one.feed, HOUR_US, &collected, NULL), 0);
    assert_int_equal(collected, 0);
    /* Seen before an hour that has not begun yet. */
    assert_int_equal(feed_collect(one.feed, -HOUR_US, &collected, NULL), 0);
    assert_int_equal(collected, 1);
    assert_int_equal(feed_peers(one.feed, peers, FEED_PEERS_MAX, &count, NULL), 0);
    assert_int_equal(count, 0);
    case_verdict(run, one, FEED_UNKNOWN);
    one.request.cursor = 0;
    assert_int_equal(case_exchange(&one, &answer), 0);
    assert_true(answer.floor > one.request.cursor);
}

static void waiting_ends_with_its_deadline(struct case_run *run) {
    feed_wake(run->place.feeds[0]);
    (void)feed_wait(run->place.feeds[0], clock_monotonic_us() + 20000, NULL);
    (void)feed_wait(run->place.feeds[0], clock_monotonic_us() - 1, NULL);
}

static const struct feed_case cases[] = {
    FEED_CASE(first_exchange_tells_the_epoch),
    FEED_CASE(strangers_are_told_why_and_nothing_is_done),
    FEED_CASE(greater_fence_takes_over),
    FEED_CASE(either_tag_is_right_after_a_lost_answer),
    FEED_CASE(first_exchange_may_be_lost),
    FEED_CASE(peers_are_told_the_latest_first),
    FEED_CASE(tombstones_are_kept_for_peers_behind_them),
    FEED_CASE(young_tombstones_are_kept),
    FEED_CASE(peers_long_gone_do_not_count_and_are_forgotten),
    FEED_CASE(waiting_ends_with_its_deadline),
};
const struct feed_case_list feed_meet_cases = {cases, COUNT_OF(cases)};
