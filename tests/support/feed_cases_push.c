/*
 * feed_cases_push.c - what becomes of a push.
 */
#include "support/feed_cases_impl.h"

static void put_goes_in_as_it_is(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    AUTO_RECORDS struct record_set set = {0};
    struct attribute attributes[] = {attribute_of("domain", "rust"), attribute_of("tag", "a")};
    struct case_peer peer = case_peer_of(run, 0, 1);
    struct stored_record step = case_record(MNEME_STEP, 2, "body of a step");
    step.parent = numbered_id(1);
    step.place = 17;
    step.flags = MNEME_FLAG_SEALED;
    step.attributes = attributes;
    step.attribute_count = 2;
    step.plain_size = 1234;
    struct feed_push *push = case_push(&peer, FEED_PUT, step, 0);
    case_must_exchange(&peer, &answer);
    assert_int_equal(push->fate, FEED_TAKEN);
    assert_int_equal(push->change, case_head(run));
    assert_int_equal(answer.head, case_head(run));
    size_t at = case_look(run, MNEME_STEP, 2, &set);
    assert_true(at != SIZE_MAX);
    step.change = push->change;
    const char *difference = record_difference(&set.records[at], &step);
    if (difference)
        fail_msg("%s is not as it was pushed", difference);
}

static void each_push_has_its_own_fate(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    AUTO_RECORDS struct record_set set = {0};
    struct case_peer peer = case_peer_of(run, 0, 1);
    uint64_t at = case_push_as(&peer, FEED_PUT, case_record(MNEME_PATTERN, 1, "one"), 0);
    const enum feed_fate fates[] = {FEED_STALE, FEED_TAKEN, FEED_STALE, FEED_TAKEN, FEED_STALE};
    case_push(&peer, FEED_PUT, case_record(MNEME_PATTERN, 1, "blind"), 0);
    case_push(&peer, FEED_PUT, case_record(MNEME_PATTERN, 2, "new"), 0);
    case_push(&peer, FEED_PUT, case_record(MNEME_PATTERN, 3, "never there"), 5);
    case_push(&peer, FEED_PUT, case_record(MNEME_PATTERN, 1, "right"), at);
    case_push(&peer, FEED_PUT, case_record(MNEME_PATTERN, 1, "late"), at);
    case_must_exchange(&peer, &answer);
    for (size_t i = 0; i < COUNT_OF(fates); i++)
        assert_int_equal(peer.pushes[i].fate, fates[i]);
    assert_true(peer.pushes[3].change > peer.pushes[1].change);
    assert_int_equal(case_head(run), peer.pushes[3].change);
    assert_false(case_is_there(run, MNEME_PATTERN, 3));
    size_t found = case_look(run, MNEME_PATTERN, 1, &set);
    assert_memory_equal(set.records[found].body.data, "right", 5);
}

static void older_version_goes_in_where_it_is_expected(struct case_run *run) {
    AUTO_RECORDS struct record_set set = {0};
    struct case_peer peer = case_peer_of(run, 0, 1);
    struct stored_record record = case_record(MNEME_PATTERN, 1, "one");
    record.version = case_version(50);
    uint64_t at = case_push_as(&peer, FEED_PUT, record, 0);
    record.version = case_version(20);
    case_push_as(&peer, FEED_PUT, record, at);
    size_t found = case_look(run, MNEME_PATTERN, 1, &set);
    assert_int_equal(version_compare(set.records[found].version, case_version(20)), 0);
}

static void delete_leaves_the_tombstone_that_was_given(struct case_run *run) {
    AUTO_RECORDS struct record_set set = {0};
    struct case_peer peer = case_peer_of(run, 0, 1);
    struct stored_record dead = case_tombstone(MNEME_STEP, 2);
    dead.parent = numbered_id(1);
    dead.place = 4;
    dead.change = case_push_as(&peer, FEED_DELETE, dead, 0);
    size_t found = case_look(run, MNEME_STEP, 2, &set);
    assert_true(found != SIZE_MAX);
    const char *difference = record_difference(&set.records[found], &dead);
    if (difference)
        fail_msg("%s is not as it was pushed", difference);
    uint64_t at = case_push_as(&peer, FEED_PUT, case_record(MNEME_PATTERN, 3, "dies"), 0);
    case_push_as(&peer, FEED_DELETE, case_tombstone(MNEME_PATTERN, 3), at);
    found = case_look(run, MNEME_PATTERN, 3, &set);
    assert_true(set.records[found].flags & MNEME_FLAG_DELETED);
    case_push_as(&peer, FEED_PUT, case_record(MNEME_PATTERN, 3, "lives"),
                 set.records[found].change);
}

static void purge_takes_what_it_expects_and_nothing_else(struct case_run *run) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct case_peer peer = case_peer_of(run, 0, 1);
    struct stored_record one = case_record(MNEME_STEP, 1, "one"),
                         two = case_record(MNEME_STEP, 2, "2");
    one.parent = two.parent = numbered_id(9);
    uint64_t at = case_push_as(&peer, FEED_PUT, one, 0);
    uint64_t other = case_push_as(&peer, FEED_PUT, two, 0);
    case_push(&peer, FEED_PURGE, one, at);
    case_push(&peer, FEED_PURGE, two, other + 1);
    case_push(&peer, FEED_PURGE, case_record(MNEME_STEP, 3, ""), 0);
    case_push(&peer, FEED_PURGE, case_record(MNEME_STEP, 4, ""), 2);
    case_must_exchange(&peer, &answer);
    assert_int_equal(peer.pushes[0].fate, FEED_TAKEN);
    assert_int_equal(peer.pushes[0].change, 0);
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(peer.pushes[i].fate, FEED_STALE);
    assert_false(case_is_there(run, MNEME_STEP, 1));
    assert_true(case_is_there(run, MNEME_STEP, 2));
    assert_int_equal(answer.head, other);
}

static void refused_one_leaves_the_others_alone(struct case_run *run) {
    size_t size = run->maker->refused_bytes;
    if (!size)
        return;
    AUTO_ANSWER struct feed_answer answer = {0};
    AUTO_FREE uint8_t *body = mem_zalloc(size, 1);
    assert_non_null(body);
    struct case_peer peer = case_peer_of(run, 0, 1);
    for (unsigned n = 1; n <= 5; n++) {
        struct stored_record record = case_record(MNEME_PATTERN, n, "small");
        if (n == 2 || n == 4)
            record.body = slice_of(body, size);
        case_push(&peer, FEED_PUT, record, 0);
    }
    case_must_exchange(&peer, &answer);
    for (unsigned n = 1; n <= 5; n++) {
        bool refused = n == 2 || n == 4;
        assert_int_equal(peer.pushes[n - 1].fate, refused ? FEED_REFUSED : FEED_TAKEN);
        assert_int_equal(case_is_there(run, MNEME_PATTERN, n), !refused);
        if (refused)
            assert_true(strlen(peer.pushes[n - 1].error.message) > 10);
    }
}

static const struct feed_case cases[] = {
    FEED_CASE(put_goes_in_as_it_is),
    FEED_CASE(each_push_has_its_own_fate),
    FEED_CASE(older_version_goes_in_where_it_is_expected),
    FEED_CASE(delete_leaves_the_tombstone_that_was_given),
    FEED_CASE(purge_takes_what_it_expects_and_nothing_else),
    FEED_CASE(refused_one_leaves_the_others_alone),
};
const struct feed_case_list feed_push_cases = {cases, COUNT_OF(cases)};
