/*
 * json_text_test.c - strings to JSON text, and where a value ends in text not parsed yet.
 */
#include "sample.h"

/* ---- Strings ----------------------------------------------------------------------------- */

static void codec_json_put_string__escapes_only_what_must_be(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    json_put_string(&b, slice_of("a\"\\/\b\f\n\r\t\0\x01\x1f\x7f\xc3\xa9", 15));
    buf_append_byte(&b, 0);
    assert_string_equal((const char *)b.data,
                        "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u0001\\u001f\x7f\xc3\xa9\"");
    buf_reset(&b);
    json_put_string(&b, (struct slice){0});
    assert_int_equal(b.size, 2);
}

static void codec_json_put_string__each_character_comes_back(void **state) {
    (void)state;
    for (unsigned c = 0; c < 0x80; c++) {
        const char text[] = {'x', (char)c, 'y'};
        AUTO_BUF struct buf b = BUF_INIT(200);
        json_put_string(&b, slice_of(text, 3));
        AUTO_ARENA struct arena arena = {0};
        const struct json_node *root;
        assert_int_equal(json_parse(buf_slice(&b), &arena, &root, NULL), 0);
        assert_true(slice_equal(root->text, slice_of(text, 3)));
    }
}

/* ---- Spans ------------------------------------------------------------------------------- */

static size_t span(const char *text, size_t size) {
    /* A block of its own, so that a sanitizer sees a read past the text. */
    AUTO_FREE uint8_t *exact = mem_alloc(size);
    assert_non_null(exact);
    memcpy(exact, text, size);
    size_t found = 77;
    assert_int_equal(json_span(slice_of(exact, size), &found, NULL), 0);
    return found;
}

static void codec_json_span__finds_the_end_of_each_kind_of_value(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {
        {"{}", 2},
        {"[]x", 2},
        {"{\"a\":[1,{}]},", 12},
        {"\"abc\" ", 5},
        {"\"a\\\"b\",", 6},
        {"\"a\\\\\",\"", 5},
        {"\"\\\\\\\"\"1", 6},
        {"[\"]}\\\"]\",1] [", 11},
        {"{\"\\\\\":\"}\"}{", 10},
        {"12.5e3,", 6},
        {"-1]", 2},
        {"true}", 4},
        {"null\n", 4},
        {"false:", 5},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(span(cases[i].text, strlen(cases[i].text)), cases[i].size);
}

static void codec_json_span__is_zero_for_every_cut(void **state) {
    (void)state;
    static const char text[] = "{\"key\\\"\\\\\":[1,2.5,{\"\":\"]}\\\\\\\"\"},[[]]],\"long text "
                               "without anything in it that matters\":null}";
    size_t whole = strlen(text);
    for (size_t size = 1; size < whole; size++)
        assert_int_equal(span(text, size), 0);
    assert_int_equal(span(text, whole), whole);
    static const char string[] = "\"text \\\\ \\\" of some length\"";
    for (size_t size = 1; size < strlen(string); size++)
        assert_int_equal(span(string, size), 0);
    assert_int_equal(span(string, strlen(string)), strlen(string));
    assert_int_equal(span("123", 3), 0); /* more digits may follow */
    assert_int_equal(span("tru", 3), 0);
}

static void codec_json_span__is_zero_for_no_text(void **state) {
    (void)state;
    size_t size = 77;
    assert_int_equal(json_span((struct slice){0}, &size, NULL), 0);
    assert_int_equal(size, 0);
}

static void codec_json_span__refuses_what_begins_no_value(void **state) {
    (void)state;
    static const char *const cases[] = {"]", "}", ",", ":", " 1", "x", "\n{}", "\xef\xbb\xbf{}",
                                        "+1"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        size_t size = 77;
        mneme_error error = {0};
        assert_int_equal(json_span(slice_of_string(cases[i]), &size, &error), MNEME_INVALID);
        assert_int_equal(size, 77);
        assert_non_null(strstr(error.message, "expected a value"));
    }
    size_t size = 77;
    assert_int_equal(json_span(slice_of("\0", 1), &size, NULL), MNEME_INVALID);
}

static void codec_json_span__depth_and_damage_are_left_to_the_parser(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&b, '[');
    for (int i = 0; i < 100000; i++)
        buf_append_byte(&b, ']');
    size_t size;
    assert_int_equal(json_span(buf_slice(&b), &size, NULL), 0);
    assert_int_equal(size, 200000);
    assert_int_equal(span("{1:}{}", 6), 4); /* so that the next record can be found */
}

static void codec_json_span__splits_an_array_of_records(void **state) {
    (void)state;
    struct random r = {0x5a5a5a};
    AUTO_BUF struct buf file = BUF_INIT(1 << 20);
    size_t starts[200];
    buf_append_byte(&file, '[');
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        buf_append_string(&file, i ? ",\n" : "\n");
        starts[i] = file.size;
        sample_append(&file, &r);
    }
    buf_append_byte(&file, ']');
    for (size_t i = 0; i < COUNT_OF(starts); i++) {
        size_t size;
        struct slice rest = slice_of(file.data + starts[i], file.size - starts[i]);
        assert_int_equal(json_span(rest, &size, NULL), 0);
        size_t next = i + 1 < COUNT_OF(starts) ? starts[i + 1] - 2 : file.size - 1;
        assert_int_equal(starts[i] + size, next);
        assert_int_equal(json_check(slice_of(rest.data, size), NULL), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_json_put_string__escapes_only_what_must_be),
        cmocka_unit_test(codec_json_put_string__each_character_comes_back),
        cmocka_unit_test(codec_json_span__finds_the_end_of_each_kind_of_value),
        cmocka_unit_test(codec_json_span__is_zero_for_every_cut),
        cmocka_unit_test(codec_json_span__is_zero_for_no_text),
        cmocka_unit_test(codec_json_span__refuses_what_begins_no_value),
        cmocka_unit_test(codec_json_span__depth_and_damage_are_left_to_the_parser),
        cmocka_unit_test(codec_json_span__splits_an_array_of_records),
    };
    return cmocka_run_group_tests_name("codec/json_text", tests, NULL, NULL);
}
