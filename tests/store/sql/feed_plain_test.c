/*
 * feed_plain_test.c - many pushes in one exchange, whose attributes are indexed later.
 */
#include "feed_fixture.h"

enum { MANY = 60 };

static struct attribute tag_a, tag_odd[2];

/* Records from `first` on; every second one has a further tag. Later ones are older. */
static void push_many(struct peer *peer, unsigned first) {
    tag_a = attribute_of("tag", "a");
    tag_odd[0] = attribute_of("tag", "a");
    tag_odd[1] = attribute_of("tag", "odd \"one\"");
    for (unsigned i = 0; i < MANY; i++) {
        peer_push(peer, FEED_PUT, first + i, 50 + i, 0);
        peer->records[i].time_us = 1000 - (first + i);
        peer->records[i].attributes = i % 2 ? tag_odd : &tag_a;
        peer->records[i].attribute_count = i % 2 ? 2 : 1;
    }
}

/* As many as are found by the filters, newest first, in pages. */
static size_t found_by(struct remote *remote, const struct attribute *filters, size_t count) {
    struct store_query query = {
        .kind = MNEME_EPISODE, .limit = 7, .filters = filters, .filter_count = count};
    size_t found = 0;
    int64_t last = INT64_MAX;
    for (bool more = true; more;) {
        AUTO_RECORDS struct record_set set = {0};
        mneme_error error = {0};
        if (store_query(remote->store, &query, &set, &more, &error))
            fail_msg("%s", error.message);
        for (size_t i = 0; i < set.count; i++) {
            assert_true(set.records[i].time_us < last);
            last = set.records[i].time_us;
        }
        found += set.count;
        if (set.count)
            query.after = position_after(&query, &set.records[set.count - 1]);
    }
    return found;
}

static int64_t unindexed(struct remote *remote) {
    return remote_number(remote, "SELECT change - indexed FROM mneme_store");
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void many__go_in_alone_in_their_order(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_push(&a, FEED_PUT, 3, 50, 0);
    peer_exchange(&a);
    push_many(&b, 1); /* the third is stale */
    struct feed_push *late = peer_push(&b, FEED_DELETE, 1, 900, 2);
    peer_push(&b, FEED_PUT, 5, 60, 0);
    size_t writes = remote->meddler.writes;
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(remote->meddler.writes, writes + 1);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(b.pushes[i].fate, i == 2 ? FEED_STALE : FEED_TAKEN);
        assert_int_equal(b.pushes[i].change, i == 2 ? 0 : 2 + i);
    }
    assert_int_equal(late->fate, FEED_TAKEN);
    assert_int_equal(late->change, 2 + MANY);
    assert_int_equal(b.pushes[MANY + 1].fate, FEED_STALE);
    assert_int_equal(answer->head, 2 + MANY);
    assert_int_equal(answer->records.count, 1);
    assert_true(pulled_is(&b, 0, 3));
    answer = peer_exchange(&a);
    assert_int_equal(answer->records.count, MANY - 1); /* one is a tombstone */
    assert_int_equal(answer->records.records[0].change, 3);
    b.records[1].change = 3;
    assert_null(record_difference(&answer->records.records[0], &b.records[1]));
    assert_int_equal(
        remote_number(remote, "SELECT records + tombstones FROM mneme_kind WHERE kind = 'episode'"),
        MANY);
    assert_int_equal(remote_number(remote, "SELECT clock FROM mneme_store"), 900);
}

/* What the other peer takes is what was pushed, in its order, and the counts are theirs. */
static void assert_arrives(struct remote *remote, struct peer *from, struct peer *to,
                           size_t count) {
    peer_exchange(from);
    struct feed_answer *answer = peer_exchange(to);
    assert_int_equal(answer->records.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(from->pushes[i].fate, FEED_TAKEN);
        from->records[i].change = from->pushes[i].change;
        assert_null(record_difference(&answer->records.records[i], &from->records[i]));
    }
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_record WHERE 'integer'"
                                           " IN (typeof(time_us), typeof(clock)) AND"
                                           " typeof(body) = 'blob' AND typeof(id) = 'blob' AND"
                                           " typeof(kind) || typeof(device) = 'texttext'"),
                     count);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_kind k WHERE (records,"
                                           " stored_bytes, plain_bytes) IS NOT (SELECT count(*),"
                                           " ifnull(sum(body_size), 0), ifnull(sum(plain_size), 0)"
                                           " FROM mneme_record r WHERE r.kind = k.kind)"),
                     0);
}

static void many__of_all_sorts_arrive_as_they_are(void **state) {
    static const enum mneme_kind kinds[] = {MNEME_EPISODE, MNEME_STEP, MNEME_HEURISTIC};
    static const char *const tags[] = {"", "\xc3\xa4\xf0\x9f\x8d\x8e \"x\"", "  spaces  ",
                                       "\xff\x01"};
    static uint8_t body[1000];
    struct attribute attributes[4];
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (size_t i = 0; i < COUNT_OF(tags); i++)
        attributes[i] = attribute_of("tag", tags[i]);
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (uint8_t)(i * 7);
    for (unsigned i = 0; i < MANY; i++) {
        peer_push(&a, FEED_PUT, 1 + i, i % 7 ? (uint64_t)INT64_MAX - i : i + 1, 0);
        struct stored_record *r = &a.records[i];
        r->kind = kinds[i % 3];
        r->time_us = i % 5 ? (int64_t)i - 30 : INT64_MIN;
        r->version.device = i % 2 ? UINT64_MAX : i;
        r->flags = i % 4 ? 0 : MNEME_FLAG_SEALED;
        r->attributes = &attributes[i % 4];
        r->attribute_count = i % 3 ? 1 : 0;
        r->body = slice_of(body + i, i % 6 ? 13 * i : 0);
        r->plain_size = i * 1000;
        if (i % 3 == 1) {
            r->parent = numbered_id(900 + i % 2);
            r->place = 10 + i;
        }
    }
    assert_arrives(remote, &a, &b, MANY);
    assert_int_equal(remote_number(remote, "SELECT count(parent) FROM mneme_record"), MANY / 3);
}

static void many__of_one_sort_arrive_as_they_are(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    for (unsigned i = 0; i < MANY; i++) {
        peer_push(&a, FEED_PUT, 1 + i, 50, 0);
        a.records[i].kind = MNEME_STEP;
        a.records[i].parent = numbered_id(900);
        a.records[i].place = 1; /* twice is nothing that a push is told of */
    }
    assert_arrives(remote, &a, &b, MANY);
}

/* One half is large, the other small: a large and a small one fill a page. */
static void push_halves(struct peer *peer, enum mneme_kind kind) {
    static uint8_t body[2800];
    for (unsigned i = 0; i < MANY; i++) {
        peer_push(peer, FEED_PUT, 1 + i, 50, 0);
        peer->records[i].kind = kind;
        peer->records[i].body = slice_of(body, i < MANY / 2 ? sizeof body : 1000);
    }
}

static void many__without_parents_go_in_as_they_fill_pages(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    push_halves(&a, MNEME_EPISODE);
    a.records[MANY - 1].kind = MNEME_HEURISTIC; /* stays behind what it may need */
    peer_exchange(&a);
    struct feed_answer *answer = peer_exchange(&b);
    assert_int_equal(answer->records.count, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        unsigned at = i < MANY / 2 ? 2 * i : i < MANY - 1 ? 2 * (i - MANY / 2) + 1 : MANY - 1;
        assert_int_equal(a.pushes[i].fate, FEED_TAKEN);
        assert_int_equal(a.pushes[i].change, 1 + at);
        a.records[i].change = 1 + at;
        assert_null(record_difference(&answer->records.records[at], &a.records[i]));
    }
}

static void many__with_parents_go_in_in_their_order(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    push_halves(&a, MNEME_STEP);
    for (unsigned i = 0; i < MANY; i++) {
        a.records[i].parent = numbered_id(900);
        a.records[i].place = 1 + i;
    }
    assert_arrives(remote, &a, &b, MANY);
}

static void many__are_told_again_when_the_answer_was_lost(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a, b;
    peer_init(&a, remote->feed, 1);
    peer_init(&b, remote->feed, 2);
    peer_push(&a, FEED_PUT, 3, 50, 0);
    peer_exchange(&a);
    remote->meddler.twice = true;
    push_many(&b, 1);
    peer_exchange(&b);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(b.pushes[i].change, i == 2 ? 0 : 2 + i);
    assert_int_equal(remote_number(remote, "SELECT change FROM mneme_store"), 1 + MANY);
}

static void many__are_found_before_they_are_indexed_and_after(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    push_many(&a, 1);
    peer_exchange(&a);
    push_many(&a, 101);
    peer_exchange(&a);
    struct mutation other = put_of(MNEME_EPISODE, 500); /* indexed at once, as what has no gap */
    struct attribute both[2] = {tag_odd[1], tag_a};
    assert_int_equal(unindexed(remote), 2 * MANY);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_attribute"), 0);
    for (int round = 0; round < 2; round++) {
        struct mutation check = {.op = MUTATION_CHECK,
                                 .condition = CONDITION_NO_ATTRIBUTE,
                                 .record = {.kind = MNEME_EPISODE, .id = numbered_id(9)},
                                 .expect_attribute = tag_odd[1]};
        size_t more = round ? 1 : 0; /* the other one */
        assert_int_equal(found_by(remote, &tag_a, 1), 2 * MANY + more);
        assert_int_equal(found_by(remote, both, 2), MANY);
        /* The condition sees them before it lets their index be made. */
        assert_int_equal(apply_one(remote->store, &check), MNEME_CONFLICT);
        if (round == 0) {
            assert_int_equal(unindexed(remote), 2 * MANY);
            other.record.attributes = &tag_a;
            other.record.attribute_count = 1;
            assert_int_equal(apply_one(remote->store, &other), 0);
            assert_int_equal(unindexed(remote), 0);
        }
    }
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_attribute"), 3 * MANY + 1);
}

static void many__are_found_once_while_others_are_indexed(void **state) {
    struct remote *remote = *state;
    AUTO_PEER struct peer a;
    peer_init(&a, remote->feed, 1);
    push_many(&a, 1);
    peer_exchange(&a);
    /* As after a portion of them. */
    remote_do(remote, "INSERT INTO mneme_attribute SELECT kind, 'tag', 'a', time_us, id FROM"
                      " mneme_record WHERE change <= 30");
    remote_do(remote, "UPDATE mneme_store SET indexed = 20");
    assert_int_equal(found_by(remote, &tag_a, 1), MANY);
    remote_do(remote, "DELETE FROM mneme_record WHERE change % 2");
    assert_int_equal(found_by(remote, &tag_a, 1), MANY / 2);
    assert_int_equal(remote_number(remote, "SELECT count(*) FROM mneme_attribute"), 15);
}

#define FILE_CASE(name)                                                                            \
    { #name " (file)", name, file_setup, remote_teardown, NULL }
#define SERVER_CASE(name)                                                                          \
    { #name " (server)", name, server_setup, remote_teardown, NULL }
#define CASE(name) FILE_CASE(name), SERVER_CASE(name)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(many__go_in_alone_in_their_order),
        CASE(many__of_all_sorts_arrive_as_they_are),
        CASE(many__of_one_sort_arrive_as_they_are),
        CASE(many__without_parents_go_in_as_they_fill_pages),
        CASE(many__with_parents_go_in_in_their_order),
        CASE(many__are_told_again_when_the_answer_was_lost),
        CASE(many__are_found_before_they_are_indexed_and_after),
        CASE(many__are_found_once_while_others_are_indexed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
