/*
 * hrana_decode_test.c - answers of both forms, honest and hostile.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/sql/hrana/answer.h"

typedef int decode_fn(struct slice body, size_t steps, struct hrana_answer *answer,
                      mneme_error *error);

#define BATCH(results, errors)                                                                     \
    "{\"results\":[{\"type\":\"ok\",\"response\":{\"type\":\"batch\",\"result\":{"                 \
    "\"step_results\":[" results "],\"step_errors\":[" errors "]}}}]}"
#define ROW(value) BATCH("{\"cols\":[{}],\"rows\":[[" value "]]}", "null")

/* ---- Helpers ----------------------------------------------------------------------------- */

/* In a block of its own size, so that a sanitizer sees a read past the body. */
static int decode_exact(decode_fn *decode, struct slice body, size_t steps,
                        struct hrana_answer *answer, mneme_error *error) {
    AUTO_FREE uint8_t *exact = mem_alloc(body.size);
    assert_non_null(exact);
    if (body.size)
        memcpy(exact, body.data, body.size);
    return decode(slice_of(exact, body.size), steps, answer, error);
}

static void decode_ok(const char *body, size_t steps, struct hrana_answer *answer) {
    mneme_error error = {0};
    if (decode_exact(hrana_decode_json, slice_of_string(body), steps, answer, &error) != 0)
        fail_msg("%s: %s", body, error.message);
}

static void check_refused(decode_fn *decode, struct slice body, size_t steps, const char *part) {
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    mneme_error error = {0};
    int status = decode_exact(decode, body, steps, &answer, &error);
    if (status != MNEME_CORRUPT || error.code != MNEME_CORRUPT || !strstr(error.message, part))
        fail_msg("%.*s gave %d, \"%s\" and not \"%s\"", (int)body.size, (const char *)body.data,
                 status, error.message, part);
}

static struct sql_value value_of(const char *body, struct sql_results *results) {
    struct hrana_answer answer = {.results = results};
    decode_ok(body, 1, &answer);
    assert_int_equal(results->steps[0].outcome, SQL_DONE);
    assert_int_equal(results->steps[0].rows * results->steps[0].columns, 1);
    return results->steps[0].values[0];
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void sql_hrana_decode_json__reads_each_type(void **state) {
    (void)state;
    struct sql_results r[7] = {0};
    struct sql_value v = value_of(ROW("{\"type\":\"null\"}"), &r[0]);
    assert_int_equal(v.type, SQL_NULL);
    v = value_of(ROW("{\"value\":\"-9223372036854775808\",\"type\":\"integer\"}"), &r[1]);
    assert_true(v.type == SQL_INTEGER && v.integer == INT64_MIN);
    v = value_of(ROW("{\"type\" : \"float\" , \"value\" : -1.5e3 }"), &r[2]);
    assert_true(v.type == SQL_REAL && v.real == -1500.0);
    v = value_of(ROW("{\"type\":\"float\",\"value\":null}"), &r[3]);
    assert_true(v.type == SQL_REAL && isnan(v.real));
    v = value_of(ROW("{\"type\":\"text\",\"value\":\"a\\u0000\\ud83d\\ude00\\/\\n\xc3\xa9\"}"),
                 &r[4]);
    assert_int_equal(v.type, SQL_TEXT);
    assert_true(slice_equal(v.bytes, slice_of("a\0\xf0\x9f\x98\x80/\n\xc3\xa9", 10)));
    v = value_of(ROW("{\"type\":\"blob\",\"base64\":\"AP8Q\"}"), &r[5]);
    assert_true(v.type == SQL_BLOB && slice_equal(v.bytes, slice_of("\x00\xff\x10", 3)));
    v = value_of(ROW("{\"type\":\"blob\",\"base64\":\"\"}"), &r[6]);
    assert_true(v.type == SQL_BLOB && v.bytes.size == 0);
    for (size_t i = 0; i < COUNT_OF(r); i++)
        sql_results_fini(&r[i]);
}

static void sql_hrana_decode_json__tells_done_failed_and_skipped_apart(void **state) {
    (void)state;
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    decode_ok(BATCH("{\"rows\":[[{\"type\":\"integer\",\"value\":\"1\"},{\"type\":\"null\"}],"
                    "[{\"type\":\"null\"},{\"type\":\"integer\",\"value\":\"2\"}]],"
                    "\"new\":[{\"a\":[]}],\"cols\":[{},{}]},null,null",
                    "null,{\"code\":\"SQLITE_CONSTRAINT\",\"message\":\"UNIQUE \\\"failed\\\"\"},"
                    "null"),
              3, &answer);
    assert_int_equal(results.count, 3);
    const struct sql_step_result *s = results.steps;
    assert_true(s[0].outcome == SQL_DONE && s[0].rows == 2 && s[0].columns == 2);
    assert_true(s[0].values[0].integer == 1 && s[0].values[3].integer == 2);
    assert_true(s[1].outcome == SQL_FAILED && s[1].status == MNEME_CONFLICT);
    assert_string_equal(s[1].message, "UNIQUE \"failed\"");
    assert_int_equal(s[2].outcome, SQL_SKIPPED);
    assert_null(answer.meaning);
}

static void sql_hrana_decode_json__reads_the_replication_index(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t index;
    } cases[] = {{"\"14\"", 14}, {"15", 15}, {"null", 0}, {"\"18446744073709551615\"", UINT64_MAX}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf body = BUF_INIT(1000);
        AUTO_RESULTS struct sql_results results = {0};
        struct hrana_answer answer = {.results = &results};
        buf_printf(
            &body,
            "{\"results\":[{\"response\":{\"result\":{\"step_results\":[],\"step_errors\":[],"
            "\"replication_index\":%s}}}]}",
            cases[i].text);
        assert_int_equal(hrana_decode_json(buf_slice(&body), 0, &answer, NULL), 0);
        assert_true(answer.replication_index == cases[i].index);
    }
}

static void sql_hrana_decode_json__keeps_the_error_of_the_request(void **state) {
    (void)state;
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    decode_ok("{\"results\":[{\"type\":\"error\",\"error\":{\"message\":\"near \\\"x\\\"\","
              "\"code\":\"SQL_PARSE_ERROR\",\"extended_code\":[]}},{\"type\":\"ok\"}]}",
              2, &answer);
    assert_true(answer.refused);
    assert_int_equal(answer.meaning->status, MNEME_FAILURE);
    assert_string_equal(answer.message, "near \"x\"");
    assert_string_equal(answer.code, "SQL_PARSE_ERROR");
}

#define ONE "{\"cols\":[],\"rows\":[]}"

static void sql_hrana_decode_json__refuses_what_breaks_the_protocol(void **state) {
    (void)state;
    static const struct {
        const char *body, *part;
    } cases[] = {
        {"", "it is empty"},
        {"<html>captive portal</html>", "captive portal"},
        {"[]", "expected an object"},
        {"null", "expected an object"},
        {"{}", "no \"results\""},
        {"{\"results\":[]}", "no \"results\""},
        {"{\"results\":{}}", "expected an array"},
        {"{\"results\":[7]}", "expected an object"},
        {"{\"results\":[{}]}", "neither"},
        {"{\"results\":[{\"type\":\"ok\",\"response\":{\"type\":\"close\"}}]}", "neither"},
        {"{\"results\":[{\"response\":{\"result\":{}}}]}", "fewer or more steps"},
        {BATCH(ONE, "null") "x", "expected the end"},
        {BATCH("", ""), "fewer or more steps"},
        {BATCH("null,null", "null,null"), "fewer or more steps"},
        {BATCH("null," ONE, "null,null"), "more steps than the program"},
        {BATCH(ONE, ""), "fewer or more steps"},
        {BATCH(ONE, "{\"message\":\"m\"}"), "two results of one step"},
        {BATCH(ONE, "{\"message\":7}"), "two results"},
        {BATCH("null", "{\"message\":7}"), "expected a string"},
        {BATCH("null", "[]"), "expected an object"},
        {BATCH("7", "null"), "expected an object"},
        {BATCH("{\"cols\":[]}", "null"), "without"},
        {BATCH("{\"rows\":[]}", "null"), "without"},
        {BATCH("{\"cols\":7,\"rows\":[]}", "null"), "expected an array"},
        {BATCH("{\"cols\":[],\"rows\":[7]}", "null"), "expected an array"},
        {BATCH("{\"cols\":[],\"rows\":[[7]]}", "null"), "expected an object"},
        {BATCH("{\"cols\":[],\"rows\":[[{\"type\":\"null\"}]]}", "null"), "as wide"},
        {BATCH("{\"cols\":[{}],\"rows\":[[{\"type\":\"null\"}],[]]}", "null"), "as wide"},
        {ROW("{}"), "of a type"},
        {ROW("{\"type\":\"date\",\"value\":\"1\"}"), "of a type"},
        {ROW("{\"type\":7}"), "expected a string"},
        {ROW("{\"type\":\"integer\",\"value\":1}"), "an integer"},
        {ROW("{\"type\":\"integer\"}"), "an integer"},
        {ROW("{\"type\":\"integer\",\"value\":null}"), "an integer"},
        {ROW("{\"type\":\"integer\",\"value\":\"\"}"), "an integer"},
        {ROW("{\"type\":\"integer\",\"value\":\"-\"}"), "an integer"},
        {ROW("{\"type\":\"integer\",\"value\":\"1.0\"}"), "an integer"},
        {ROW("{\"type\":\"integer\",\"value\":\"9223372036854775808\"}"), "an integer"},
        {ROW("{\"type\":\"integer\",\"value\":\"99999999999999999999999999\"}"), "an integer"},
        {ROW("{\"type\":\"float\",\"value\":\"1\"}"), "a real number"},
        {ROW("{\"type\":\"float\",\"value\":1e999}"), "a real number"},
        {ROW("{\"type\":\"float\",\"value\":1e}"), "a real number"},
        {ROW("{\"type\":\"float\",\"value\":--1}"), "a real number"},
        {ROW("{\"type\":\"float\",\"value\":true}"), "expected a number"},
        {ROW("{\"type\":\"text\",\"value\":1}"), "a text"},
        {ROW("{\"type\":\"text\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\\ud800\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\\ud800\\u0041\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\\ud800\\ue000\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\\udc00\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\\u12\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\\u12g4\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\\x\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"a\nb\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\xff\"}"), "a text"},
        {ROW("{\"type\":\"text\",\"value\":\"\xed\xa0\x80\"}"), "a text"},
        {ROW("{\"type\":\"blob\",\"base64\":\"A\"}"), "base64"},
        {ROW("{\"type\":\"blob\",\"base64\":\"A_-A\"}"), "base64"},
        {ROW("{\"type\":\"blob\",\"base64\":\"AA\\/A\"}"), "base64"},
        {ROW("{\"type\":\"blob\",\"base64\":null}"), "a blob"},
        {ROW("{\"type\":\"blob\"}"), "a blob"},
        {"{\"results\":[{\"response\":{\"result\":{\"step_results\":[" ONE "],\"step_errors\":"
         "[null],\"replication_index\":-1}}}]}",
         "replication_index"},
        {"{\"results\":[{\"response\":{\"result\":{\"step_results\":[" ONE "],\"step_errors\":"
         "[null],\"replication_index\":18446744073709551616}}}]}",
         "replication_index"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check_refused(hrana_decode_json, slice_of_string(cases[i].body), 1, cases[i].part);
}

static void sql_hrana_decode_json__refuses_every_cut(void **state) {
    (void)state;
    static const char body[] =
        BATCH("{\"cols\":[{\"name\":\"a\\\"\"}],\"rows\":[[{\"type\":\"text\",\"value\":\"a\\n\"}],"
              "[{\"type\":\"blob\",\"base64\":\"AAAA\"}]]},null",
              "null,{\"message\":\"m\",\"code\":\"c\"}");
    for (size_t size = 0; size < sizeof body - 1; size++)
        check_refused(hrana_decode_json, slice_of(body, size), 2, "not of the protocol");
}

static void sql_hrana_decode_json__does_not_mind_depth(void **state) {
    (void)state;
    enum { DEPTH = 200000 };
    AUTO_BUF struct buf body = BUF_INIT(DEPTH * 3);
    buf_append_string(&body, "{\"results\":[{\"more\":");
    for (size_t i = 0; i < DEPTH; i++)
        buf_append_byte(&body, '[');
    check_refused(hrana_decode_json, buf_slice(&body), 1, "expected a value");
    for (size_t i = 0; i < DEPTH; i++)
        buf_append_byte(&body, ']');
    buf_append_string(&body, "}]}");
    check_refused(hrana_decode_json, buf_slice(&body), 1, "neither");
}

static void sql_hrana_decode__shows_no_control_characters(void **state) {
    (void)state;
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    mneme_error error = {0};
    assert_int_equal(hrana_decode_json(slice_of_string("\x1b[2J\xff\xc3\xa9"), 1, &answer, &error),
                     MNEME_CORRUPT);
    assert_non_null(strstr(error.message, " [2J?\xc3\xa9"));
}

/* ---- Protocol Buffers -------------------------------------------------------------------- */

/* Answer { results=3 { ok=1 { batch=3 { result=1 { … } } } } }; lengths below 128. */
static struct slice proto_body(struct buf *b, const char *result, size_t size) {
    uint8_t n = (uint8_t)size;
    const uint8_t head[] = {0x1a, (uint8_t)(n + 6), 0x0a, (uint8_t)(n + 4),
                            0x1a, (uint8_t)(n + 2), 0x0a, n};
    buf_append(b, head, sizeof head);
    buf_append(b, result, size);
    return buf_slice(b);
}

#define PROTO(b, bytes) proto_body(b, bytes, sizeof(bytes) - 1)

/* The result of step 0 as the answer to a program. */
static void wrap(struct buf *out, struct slice result) {
    const uint8_t tags[] = {0x12, 0x0a, 0x0a, 0x1a, 0x0a, 0x1a}; /* value, step, …, results */
    uint8_t head[64];
    size_t size = result.size, at = sizeof head;
    for (size_t i = 0; i < COUNT_OF(tags); i++) { /* from the inside */
        uint8_t one[8] = {tags[i]};
        size_t used = 1;
        for (uint64_t v = size; used == 1 || v; v >>= 7)
            one[used++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        at -= used;
        memcpy(head + at, one, used);
        size += used;
    }
    buf_append(out, head + at, sizeof head - at);
    buf_append_slice(out, result);
    assert_int_equal(out->status, 0);
}

static void sql_hrana_decode_proto__reads_each_type(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    static const char result[] =
        "\x0a\x34\x12\x32"                                 /* step_results {key 0, value */
        "\x0a\x00\x0a\x00\x0a\x00\x0a\x00\x0a\x00\x0a\x00" /* six columns */
        "\x12\x22"
        "\x0a\x02\x0a\x00"
        "\x0a\x02\x10\x01"
        "\x0a\x09\x19\x00\x00\x00\x00\x00\x00\xf0\x3f"
        "\x0a\x04\x22\x02"
        "a\x00"
        "\x0a\x03\x2a\x01\xff"
        "\x0a\x02\x2a\x00"
        "\x18\x00";
    assert_int_equal(hrana_decode_proto(PROTO(&b, result), 1, &answer, NULL), 0);
    const struct sql_step_result *s = &results.steps[0];
    assert_true(s->outcome == SQL_DONE && s->rows == 1 && s->columns == 6);
    assert_int_equal(s->values[0].type, SQL_NULL);
    assert_true(s->values[1].type == SQL_INTEGER && s->values[1].integer == -1);
    assert_true(s->values[2].type == SQL_REAL && s->values[2].real == 1.0);
    assert_true(s->values[3].type == SQL_TEXT &&
                slice_equal(s->values[3].bytes, slice_of("a\0", 2)));
    assert_true(s->values[4].type == SQL_BLOB && s->values[4].bytes.data[0] == 0xff);
    assert_true(s->values[5].type == SQL_BLOB && s->values[5].bytes.size == 0);
}

static void sql_hrana_decode_proto__tells_done_failed_and_skipped_apart(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    static const char result[] = "\x0a\x02\x12\x00"
                                 "\x12\x12\x08\x02\x12\x0e\x0a\x01m\x12\x09TOO_BUSY_";
    assert_int_equal(hrana_decode_proto(PROTO(&b, result), 3, &answer, NULL), 0);
    assert_int_equal(results.steps[0].outcome, SQL_DONE);
    assert_int_equal(results.steps[1].outcome, SQL_SKIPPED);
    assert_int_equal(results.steps[2].outcome, SQL_FAILED);
    assert_string_equal(results.steps[2].message, "m");
}

static void sql_hrana_decode_proto__refuses_what_breaks_the_protocol(void **state) {
    (void)state;
    static const struct {
        const char *result;
        size_t size;
        const char *part;
    } cases[] = {
        {"\x0a\x04\x08\x01\x12\x00", 6, "more steps"},
        {"\x0a\x08\x08\xff\xff\xff\xff\x0f\x12\x00", 10, "more steps"},
        {"\x0a\x02\x08\x00", 4, "an empty one"},
        {"\x0a\x02\x12\x00\x0a\x02\x12\x00", 8, "two results"},
        {"\x0a\x02\x12\x00\x12\x02\x12\x00", 8, "two results"},
        {"\x0a\x04\x12\x02\x12\x00", 6, ""}, /* a row without values and columns is a row */
        {"\x0a\x06\x12\x04\x0a\x00\x12\x00", 8, "as wide"},
        {"\x0a\x08\x12\x06\x0a\x00\x12\x02\x0a\x00", 10, "no known type"},
        {"\x0a\x10\x12\x0e\x0a\x00\x12\x08\x0a\x02\x0a\x00\x0a\x02\x0a\x00\x12\x00", 18,
         "as wide"}, /* two values and none, as many as there are rows */
        {"\x0a\x0b\x12\x09\x0a\x00\x12\x05\x0a\x03\x22\x01\xff", 13, "not UTF-8"},
        {"\x0a\x7f\x00", 3, "no message"},
        {"\x0a\x03\x12\x01\x0a", 5, "no message"},             /* a field cut off */
        {"\x0a\x06\x12\x04\x0a\x00\x12\x7f", 8, "no message"}, /* a row over the end */
        {"\x0a\x0a\x12\x08\x0a\x00\x12\x04\x0a\x02\x10\x80", 12, "no message"}, /* a number */
        {"\x0a\x04\x12\x02\x0b\x0c", 6, "no message"},                          /* a group */
        {"\x0a\x04\x12\x02\x02\x00", 6, "no message"},                          /* field 0 */
        {"\xff\xff\xff", 3, "no message"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf b = BUF_INIT(200);
        struct slice body = proto_body(&b, cases[i].result, cases[i].size);
        if (cases[i].part[0])
            check_refused(hrana_decode_proto, body, 1, cases[i].part);
    }
    check_refused(hrana_decode_proto, slice_of("", 0), 1, "no results");
    check_refused(hrana_decode_proto, slice_of("\x1a\x00", 2), 1, "neither");
    check_refused(hrana_decode_proto, slice_of("\x1a\x02\x0a\x00", 4), 1, "neither");
    check_refused(hrana_decode_proto, slice_of_string("<html>"), 1, "<html>");
}

static void sql_hrana_decode_proto__keeps_the_error_of_the_request(void **state) {
    (void)state;
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    static const char body[] = "\x1a\x14\x12\x12\x0a\x03"
                               "bad\x12\x0bSQLITE_BUSY";
    assert_int_equal(hrana_decode_proto(slice_of(body, sizeof body - 1), 1, &answer, NULL), 0);
    assert_true(answer.refused && answer.meaning->reach == HRANA_REPEAT);
    assert_string_equal(answer.message, "bad");
}

/* Fields of later versions, of every wire type, and what is known in another order. */
static void sql_hrana_decode_proto__steps_over_what_it_does_not_know(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    static const char result[] = "\x1a\x01z" /* field 3 of the batch */
                                 "\x0a\x2e"
                                 "\x12\x2a"
                                 "\x12\x0a\x10\x05\x0a\x06\x10\xff\xff\xff\xff\x0f" /* a row */
                                 "\x19\x01\x02\x03\x04\x05\x06\x07\x08"
                                 "\x25\x01\x02\x03\x04"
                                 "\xa8\x01\x80\x01"  /* field 21 */
                                 "\x0a\x03\x12\x01n" /* a column with its name */
                                 "\x12\x05\x0a\x03\x22\x01x"
                                 "\x08\x00";
    assert_int_equal(hrana_decode_proto(PROTO(&b, result), 1, &answer, NULL), 0);
    const struct sql_step_result *s = &results.steps[0];
    assert_true(s->outcome == SQL_DONE && s->rows == 2 && s->columns == 1);
    assert_true(s->values[0].type == SQL_INTEGER && s->values[0].integer == INT32_MIN);
    assert_true(s->values[1].type == SQL_TEXT && slice_equal(s->values[1].bytes, slice_of("x", 1)));
}

/* What takes the most memory for its bytes: NULLs of four, and rows of two without any. */
static void sql_hrana_decode_proto__takes_a_multiple_of_the_bytes(void **state) {
    (void)state;
    enum { ROWS = 1 << 16, COLUMNS = 3 };
    static const uint8_t column[] = {0x0a, 0}, null[] = {0x0a, 2, 0x0a, 0};
    for (size_t columns = 0; columns <= COLUMNS; columns += COLUMNS) {
        AUTO_BUF struct buf b = BUF_INIT(2 << 20);
        AUTO_RESULTS struct sql_results results = {0};
        struct hrana_answer answer = {.results = &results};
        for (size_t i = 0; i < columns; i++)
            buf_append(&b, column, sizeof column);
        for (size_t i = 0; i < ROWS; i++) {
            const uint8_t row[] = {0x12, (uint8_t)(columns * sizeof null)};
            buf_append(&b, row, sizeof row);
            for (size_t k = 0; k < columns; k++)
                buf_append(&b, null, sizeof null);
        }
        AUTO_BUF struct buf body = BUF_INIT(2 << 20);
        wrap(&body, buf_slice(&b));
        assert_int_equal(hrana_decode_proto(buf_slice(&body), 1, &answer, NULL), 0);
        assert_int_equal(results.steps[0].rows, ROWS);
        assert_int_equal(results.steps[0].columns, columns);
        assert_true(arena_size(&results.arena) < 12 * body.size);
    }
}

/* Rows times columns that are nowhere. */
static void sql_hrana_decode_proto__believes_no_count(void **state) {
    (void)state;
    enum { MANY = 1 << 18 };
    static const uint8_t column[] = {0x0a, 0}, row[] = {0x12, 0};
    AUTO_BUF struct buf b = BUF_INIT(2 << 20);
    AUTO_BUF struct buf body = BUF_INIT(2 << 20);
    AUTO_RESULTS struct sql_results results = {0};
    struct hrana_answer answer = {.results = &results};
    for (size_t i = 0; i < MANY; i++)
        buf_append(&b, column, sizeof column);
    for (size_t i = 0; i < MANY; i++)
        buf_append(&b, row, sizeof row);
    wrap(&body, buf_slice(&b));
    assert_int_equal(hrana_decode_proto(buf_slice(&body), 1, &answer, NULL), MNEME_CORRUPT);
    assert_true(arena_size(&results.arena) < 1 << 16);
}

/* ---- Both -------------------------------------------------------------------------------- */

static void sql_hrana_decode__survives_each_failing_allocation(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    static const char result[] = "\x0a\x0c\x12\x0a\x0a\x00\x12\x06\x0a\x04\x2a\x02xy"
                                 "\x12\x07\x08\x01\x12\x03\x0a\x01m";
    const struct {
        decode_fn *decode;
        struct slice body;
    } cases[] = {{hrana_decode_proto, PROTO(&b, result)},
                 {hrana_decode_json,
                  slice_of_string(BATCH("{\"cols\":[{}],\"rows\":[[{\"type\":\"text\",\"value\":"
                                        "\"x\"}]]},null",
                                        "null,{\"message\":\"m\",\"code\":\"SQLITE_BUSY\"}"))}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = MNEME_NO_MEMORY;
        for (uint64_t k = 1; status; k++) {
            AUTO_RESULTS struct sql_results results = {.arena.first_size = 1,
                                                       .arena.later_size = 1};
            struct hrana_answer answer = {.results = &results};
            mneme_error error = {0};
            mem_fail_after(k);
            status = cases[i].decode(cases[i].body, 2, &answer, &error);
            mem_fail_after(0);
            assert_true(status == 0 || (status == MNEME_NO_MEMORY && error.message[0]));
            assert_true(status == 0 ? k > 3 : k < 50);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_hrana_decode_json__reads_each_type),
        cmocka_unit_test(sql_hrana_decode_json__tells_done_failed_and_skipped_apart),
        cmocka_unit_test(sql_hrana_decode_json__reads_the_replication_index),
        cmocka_unit_test(sql_hrana_decode_json__keeps_the_error_of_the_request),
        cmocka_unit_test(sql_hrana_decode_json__refuses_what_breaks_the_protocol),
        cmocka_unit_test(sql_hrana_decode_json__refuses_every_cut),
        cmocka_unit_test(sql_hrana_decode_json__does_not_mind_depth),
        cmocka_unit_test(sql_hrana_decode__shows_no_control_characters),
        cmocka_unit_test(sql_hrana_decode_proto__reads_each_type),
        cmocka_unit_test(sql_hrana_decode_proto__tells_done_failed_and_skipped_apart),
        cmocka_unit_test(sql_hrana_decode_proto__refuses_what_breaks_the_protocol),
        cmocka_unit_test(sql_hrana_decode_proto__keeps_the_error_of_the_request),
        cmocka_unit_test(sql_hrana_decode_proto__steps_over_what_it_does_not_know),
        cmocka_unit_test(sql_hrana_decode_proto__takes_a_multiple_of_the_bytes),
        cmocka_unit_test(sql_hrana_decode_proto__believes_no_count),
        cmocka_unit_test(sql_hrana_decode__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
