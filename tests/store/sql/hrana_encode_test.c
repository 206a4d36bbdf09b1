/*
 * hrana_encode_test.c - programs to requests, byte for byte.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/sql/hrana/encode.h"

#define HEAD "{\"requests\":[{\"type\":\"batch\",\"batch\":{\"steps\":["
#define TAIL "]}},{\"type\":\"close\"}]}"

typedef int encode_fn(struct buf *b, const struct sql_program *program, uint64_t index,
                      mneme_error *error);

static void check(encode_fn *encode, const struct sql_step *steps, size_t count, uint64_t index,
                  struct slice expected) {
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    const struct sql_program program = {.steps = steps, .count = count};
    assert_int_equal(encode(&b, &program, index, NULL), 0);
    if (!slice_equal(buf_slice(&b), expected))
        fail_msg("%.*s", (int)b.size, (const char *)b.data);
}

static void check_json(const struct sql_step *steps, size_t count, const char *expected) {
    check(hrana_encode_json, steps, count, 0, slice_of_string(expected));
}

static void check_json_value(struct sql_value value, const char *expected) {
    const struct sql_step step = {
        .sql = slice_of_string("SELECT ?"), .args = &value, .arg_count = 1};
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    buf_printf(&b, HEAD "{\"stmt\":{\"sql\":\"SELECT ?\",\"args\":[%s]}}" TAIL, expected);
    check(hrana_encode_json, &step, 1, 0, buf_slice(&b));
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void sql_hrana_json__is_one_batch_and_a_close(void **state) {
    (void)state;
    const struct sql_step steps[] = {
        {.sql = slice_of_string("BEGIN IMMEDIATE")},
        {.sql = slice_of_string("SELECT 1"), .guard = SQL_IF_DONE, .guard_step = 0},
        {.sql = slice_of_string("COMMIT"), .guard = SQL_IF_DONE, .guard_step = 1},
        {.sql = slice_of_string("ROLLBACK"), .guard = SQL_IF_NOT_DONE, .guard_step = 2}};
    check_json(steps, 4,
               HEAD "{\"stmt\":{\"sql\":\"BEGIN IMMEDIATE\"}},"
                    "{\"condition\":{\"type\":\"ok\",\"step\":0},\"stmt\":{\"sql\":\"SELECT 1\"}},"
                    "{\"condition\":{\"type\":\"ok\",\"step\":1},\"stmt\":{\"sql\":\"COMMIT\"}},"
                    "{\"condition\":{\"type\":\"not\",\"cond\":{\"type\":\"ok\",\"step\":2}},"
                    "\"stmt\":{\"sql\":\"ROLLBACK\"}}" TAIL);
    check_json(steps, 0, HEAD TAIL);
}

static void sql_hrana_json__has_a_form_for_each_value(void **state) {
    (void)state;
    check_json_value(sql_null(), "{\"type\":\"null\"}");
    check_json_value(sql_integer(INT64_MIN),
                     "{\"type\":\"integer\",\"value\":\"-9223372036854775808\"}");
    check_json_value(sql_integer(INT64_MAX),
                     "{\"type\":\"integer\",\"value\":\"9223372036854775807\"}");
    check_json_value((struct sql_value){.type = SQL_REAL, .real = 0.1},
                     "{\"type\":\"float\",\"value\":0.1}");
    check_json_value(sql_text(slice_of("a\"\n\0/", 5)),
                     "{\"type\":\"text\",\"value\":\"a\\\"\\n\\u0000/\"}");
    check_json_value(sql_text(slice_of("", 0)), "{\"type\":\"text\",\"value\":\"\"}");
    check_json_value(sql_blob(slice_of("\xfb\xff\xbe\0", 4)),
                     "{\"type\":\"blob\",\"base64\":\"+/++AA==\"}");
    check_json_value(sql_blob((struct slice){0}), "{\"type\":\"blob\",\"base64\":\"\"}");
}

static void sql_hrana_json__puts_commas_between_arguments_and_the_index_behind_steps(void **state) {
    (void)state;
    const struct sql_value args[] = {sql_integer(1), sql_null()};
    const struct sql_step step = {
        .sql = slice_of_string("SELECT ?,\"x\""), .args = args, .arg_count = 2};
    check(hrana_encode_json, &step, 1, UINT64_MAX,
          slice_of_string(HEAD "{\"stmt\":{\"sql\":\"SELECT ?,\\\"x\\\"\",\"args\":[{\"type\":"
                               "\"integer\",\"value\":\"1\"},{\"type\":\"null\"}]}}],"
                               "\"replication_index\":\"18446744073709551615\"}},"
                               "{\"type\":\"close\"}]}"));
}

static void sql_hrana_json__cannot_say_infinity(void **state) {
    (void)state;
    const double bad[] = {(double)INFINITY, -(double)INFINITY, (double)NAN};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_BUF struct buf b = BUF_INIT(1 << 20);
        const struct sql_value value = {.type = SQL_REAL, .real = bad[i]};
        const struct sql_step step = {
            .sql = slice_of_string("SELECT ?"), .args = &value, .arg_count = 1};
        const struct sql_program program = {.steps = &step, .count = 1};
        assert_int_equal(hrana_encode_json(&b, &program, 0, NULL), MNEME_INVALID);
        assert_int_equal(hrana_encode_proto(&b, &program, 0, NULL), 0);
    }
}

/* ---- Protocol Buffers -------------------------------------------------------------------- */

#define SELECT_1 "\x0a\x08SELECT 1"

static void sql_hrana_proto__is_one_batch_and_a_close(void **state) {
    (void)state;
    const struct sql_step steps[] = {
        {.sql = slice_of_string("SELECT 1")},
        {.sql = slice_of_string("SELECT 1"), .guard = SQL_IF_DONE, .guard_step = 0},
        {.sql = slice_of_string("SELECT 1"), .guard = SQL_IF_NOT_DONE, .guard_step = 1}};
    static const char expected[] =
        "\x12\x38"                  /* requests */
        "\x1a\x36"                  /* batch */
        "\x0a\x34"                  /* batch */
        "\x0a\x0c\x12\x0a" SELECT_1 /* a step: a statement */
        "\x0a\x10\x0a\x02\x08\x00\x12\x0a" SELECT_1
        "\x0a\x12\x0a\x04\x1a\x02\x08\x01\x12\x0a" SELECT_1 "\x12\x02\x0a\x00"; /* close */
    check(hrana_encode_proto, steps, 3, 0, slice_of(expected, sizeof expected - 1));
}

static void sql_hrana_proto__has_a_form_for_each_value(void **state) {
    (void)state;
    const struct sql_value args[] = {sql_null(),
                                     sql_integer(-1),
                                     sql_integer(INT64_MIN),
                                     {.type = SQL_REAL, .real = 1.0},
                                     sql_text(slice_of("a\0", 2)),
                                     sql_blob(slice_of("\xff", 1)),
                                     sql_blob((struct slice){0})};
    const struct sql_step step = {
        .sql = slice_of_string("S"), .args = args, .arg_count = COUNT_OF(args)};
    static const char expected[] =
        "\x12\x3d\x1a\x3b\x0a\x39\x0a\x34\x12\x32\x0a\x01S"
        "\x1a\x02\x0a\x00"                                     /* null {} */
        "\x1a\x02\x10\x01"                                     /* -1, zigzag */
        "\x1a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* the least integer */
        "\x1a\x09\x19\x00\x00\x00\x00\x00\x00\xf0\x3f"         /* 1.0 */
        "\x1a\x04\x22\x02"
        "a\x00"
        "\x1a\x03\x2a\x01\xff"
        "\x1a\x02\x2a\x00"
        "\x10\xac\x02" /* replication_index */
        "\x12\x02\x0a\x00";
    check(hrana_encode_proto, &step, 1, 300, slice_of(expected, sizeof expected - 1));
}

static void sql_hrana_proto__measures_long_values(void **state) {
    (void)state;
    static uint8_t bytes[20000];
    const struct sql_value value = sql_blob(slice_of(bytes, sizeof bytes));
    const struct sql_step step = {.sql = slice_of_string("S"), .args = &value, .arg_count = 1};
    const struct sql_program program = {.steps = &step, .count = 1};
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    assert_int_equal(hrana_encode_proto(&b, &program, 0, NULL), 0);
    static const char head[] = "\x12\xbb\x9c\x01\x1a\xb7\x9c\x01\x0a\xb3\x9c\x01\x0a\xaf\x9c\x01"
                               "\x12\xab\x9c\x01\x0a\x01S\x1a\xa4\x9c\x01\x2a\xa0\x9c\x01";
    assert_int_equal(b.size, sizeof head - 1 + sizeof bytes + 4);
    assert_memory_equal(b.data, head, sizeof head - 1);
}

static void sql_hrana_encode__says_what_is_too_large(void **state) {
    (void)state;
    encode_fn *const encoders[] = {hrana_encode_json, hrana_encode_proto};
    const struct sql_step step = {.sql = slice_of_string("SELECT 'some longer statement'")};
    const struct sql_program program = {.steps = &step, .count = 1};
    for (size_t i = 0; i < 2; i++) {
        AUTO_BUF struct buf b = BUF_INIT(30);
        mneme_error error = {0};
        assert_int_equal(encoders[i](&b, &program, 0, &error), MNEME_TOO_LARGE);
        assert_non_null(strstr(error.message, "30 bytes"));
        AUTO_BUF struct buf starved = BUF_INIT(1000);
        mem_fail_after(1);
        assert_int_equal(encoders[i](&starved, &program, 0, &error), MNEME_NO_MEMORY);
        mem_fail_after(0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_hrana_json__is_one_batch_and_a_close),
        cmocka_unit_test(sql_hrana_json__has_a_form_for_each_value),
        cmocka_unit_test(sql_hrana_json__puts_commas_between_arguments_and_the_index_behind_steps),
        cmocka_unit_test(sql_hrana_json__cannot_say_infinity),
        cmocka_unit_test(sql_hrana_proto__is_one_batch_and_a_close),
        cmocka_unit_test(sql_hrana_proto__has_a_form_for_each_value),
        cmocka_unit_test(sql_hrana_proto__measures_long_values),
        cmocka_unit_test(sql_hrana_encode__says_what_is_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
