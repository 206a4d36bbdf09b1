/*
 * hrana_stream_test.c - which reads keep a stream, and what becomes of it.
 */
#include "store/sql/hrana/encode.h"
#include "store/sql/hrana/stream.h"
#include "support/api_fixture.h"

static const struct sql_step select_step = {.sql = {(const uint8_t *)"SELECT 1", 8}};
static const struct sql_step begin_step = {.sql = {(const uint8_t *)"BEGIN", 5}};
static const struct sql_program read_program = {.steps = &select_step, .count = 1};
static const struct sql_program write_program = {.steps = &select_step, .count = 1, .writes = true};
static const struct sql_program ending_program = {
    .steps = &begin_step, .count = 1, .writes = true, .ends = true};
static const struct sql_program begin_program = {.steps = &begin_step, .count = 1};

enum { SECOND_US = 1000000 };
static const int64_t start_us = 100 * INT64_C(1000000);

/* Three quick reads: the next one keeps its stream. */
static void warm(struct hrana_streams *s) {
    for (int i = 0; i < 5; i++)
        assert_false(hrana_streams_take(s, &read_program, start_us).kept);
}

static struct hrana_stream take(struct hrana_streams *s, int64_t now_us) {
    return hrana_streams_take(s, &read_program, now_us);
}

static void give(struct hrana_streams *s, const struct hrana_stream *used, const char *baton,
                 int64_t now_us) {
    hrana_streams_give(s, used, slice_of_string(baton), now_us);
}

static void hrana_streams__are_kept_for_reads_in_a_row(void **state) {
    (void)state;
    struct hrana_streams s = {.count = 0};
    warm(&s);
    struct hrana_stream stream = take(&s, start_us);
    assert_true(stream.kept);
    assert_string_equal(stream.baton, "");
    give(&s, &stream, "one", start_us);
    stream = take(&s, start_us);
    assert_string_equal(stream.baton, "one");
    give(&s, &stream, "two", start_us);
    assert_string_equal(take(&s, start_us).baton, "two");
}

static void hrana_streams__are_not_for_reads_now_and_then(void **state) {
    (void)state;
    struct hrana_streams s = {.count = 0};
    for (int i = 0; i < 10; i++)
        assert_false(take(&s, start_us + 2 * i * (int64_t)SECOND_US).kept);
}

static void hrana_streams__are_not_for_what_may_leave_something(void **state) {
    (void)state;
    struct hrana_streams s = {.count = 0};
    warm(&s);
    assert_false(hrana_streams_take(&s, &write_program, start_us).kept);
    assert_false(hrana_streams_take(&s, &begin_program, start_us).kept);
    assert_true(take(&s, start_us).kept);
}

static void hrana_streams__are_for_writes_that_end(void **state) {
    (void)state;
    static const struct sql_step steps[] = {{.sql = {(const uint8_t *)"BEGIN", 5}},
                                            {.sql = {(const uint8_t *)"COMMIT", 6}},
                                            {.sql = {(const uint8_t *)"ROLLBACK", 8}}};
    static const struct {
        enum sql_outcome commit, rollback;
        bool clean;
    } rows[] = {{SQL_DONE, SQL_SKIPPED, true},
                {SQL_FAILED, SQL_DONE, true},
                {SQL_SKIPPED, SQL_DONE, true},
                {SQL_SKIPPED, SQL_SKIPPED, false},
                {SQL_FAILED, SQL_FAILED, false}};
    struct sql_program program = {.steps = steps, .count = 3, .writes = true, .ends = true};
    struct hrana_streams s = {.count = 0};
    warm(&s);
    assert_true(hrana_streams_take(&s, &ending_program, start_us).kept);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct sql_step_result results[3] = {
            {.outcome = SQL_DONE}, {.outcome = rows[i].commit}, {.outcome = rows[i].rollback}};
        struct sql_results set = {.steps = results, .count = 3};
        assert_int_equal(hrana_stream_is_clean(&program, &set), rows[i].clean);
    }
}

static void hrana_streams__are_given_up_before_the_server_does(void **state) {
    (void)state;
    struct hrana_streams s = {.count = 0};
    warm(&s);
    struct hrana_stream stream = take(&s, start_us);
    give(&s, &stream, "old", start_us);
    assert_string_equal(take(&s, start_us + 9 * SECOND_US).baton, "");
    assert_int_equal(s.open, 0);
}

static void hrana_streams__are_few(void **state) {
    (void)state;
    struct hrana_streams s = {.count = 0};
    struct hrana_stream streams[HRANA_STREAMS_MAX];
    warm(&s);
    for (size_t i = 0; i < HRANA_STREAMS_MAX; i++) {
        streams[i] = take(&s, start_us);
        assert_true(streams[i].kept);
    }
    assert_false(take(&s, start_us).kept);
    give(&s, &streams[0], "back", start_us);
    assert_string_equal(take(&s, start_us).baton, "back");
}

static void hrana_streams__forget_what_is_no_baton(void **state) {
    (void)state;
    static const char *const texts[] = {"", "a\"b", "a\\b", "a b", "a\nb", "\xc3\xa4"};
    char large[HRANA_BATON_SIZE + 1];
    struct hrana_streams s = {.count = 0};
    warm(&s);
    for (size_t i = 0; i <= COUNT_OF(texts); i++) {
        struct hrana_stream stream = take(&s, start_us);
        assert_true(stream.kept);
        memset(large, 'a', sizeof large);
        large[HRANA_BATON_SIZE] = 0;
        give(&s, &stream, i < COUNT_OF(texts) ? texts[i] : large, start_us);
        assert_int_equal(s.count, 0);
        assert_int_equal(s.open, 0);
    }
}

static void assert_body(const struct buf *body, const char *bytes, size_t size) {
    assert_int_equal(body->status, 0);
    assert_int_equal(body->size, size);
    assert_memory_equal(body->data, bytes, size);
}
#define ASSERT_BODY(body, text) assert_body((body), (text), sizeof(text) - 1)

static void hrana_stream_set__leaves_the_stream_open(void **state) {
    (void)state;
    const struct hrana_stream fresh = {.kept = true}, known = {.kept = true, .baton = "b4"},
                              none = {.kept = false};
    const struct hrana_stream *const streams[] = {&none, &fresh, &known};
    static const char *const ends[] = {",{\"type\":\"close\"}]}", "]}", "],\"baton\":\"b4\"}"};
    for (size_t i = 0; i < COUNT_OF(streams); i++) {
        AUTO_BUF struct buf json = BUF_INIT(1000);
        char text[200];
        assert_int_equal(hrana_encode_json(&json, &read_program, 0, NULL), 0);
        hrana_stream_set_json(&json, json.size, streams[i]);
        int size = snprintf(text, sizeof text,
                            "{\"requests\":[{\"type\":\"batch\",\"batch\":{\"steps\":[{\"stmt\":"
                            "{\"sql\":\"SELECT 1\"}}]}}%s",
                            ends[i]);
        assert_body(&json, text, (size_t)size);
    }
#define BATCH "\x12\x12\x1a\x10\x0a\x0e\x0a\x0c\x12\x0a\x0a\x08SELECT 1"
    AUTO_BUF struct buf closed = BUF_INIT(1000), opened = BUF_INIT(1000), again = BUF_INIT(1000);
    assert_int_equal(hrana_encode_proto(&closed, &read_program, 0, NULL), 0);
    hrana_stream_set_proto(&closed, closed.size, &none);
    ASSERT_BODY(&closed, BATCH "\x12\x02\x0a\x00");
    assert_int_equal(hrana_encode_proto(&opened, &read_program, 0, NULL), 0);
    hrana_stream_set_proto(&opened, opened.size, &fresh);
    ASSERT_BODY(&opened, BATCH);
    assert_int_equal(hrana_encode_proto(&again, &read_program, 0, NULL), 0);
    hrana_stream_set_proto(&again, again.size, &known);
    ASSERT_BODY(&again, BATCH "\x0a\x02"
                              "b4");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hrana_streams__are_kept_for_reads_in_a_row),
        cmocka_unit_test(hrana_streams__are_not_for_reads_now_and_then),
        cmocka_unit_test(hrana_streams__are_not_for_what_may_leave_something),
        cmocka_unit_test(hrana_streams__are_for_writes_that_end),
        cmocka_unit_test(hrana_streams__are_given_up_before_the_server_does),
        cmocka_unit_test(hrana_streams__are_few),
        cmocka_unit_test(hrana_streams__forget_what_is_no_baton),
        cmocka_unit_test(hrana_stream_set__leaves_the_stream_open),
    };
    return cmocka_run_group_tests_name("store/sql/hrana_stream", tests, NULL, NULL);
}
