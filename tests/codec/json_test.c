/*
 * json_test.c - the JSON parser: the tree, the bytes each value came from, and what it refuses.
 */
#include <stdio.h>
#include <stdlib.h>

#include "sample.h"

struct fixture {
    struct arena arena;
    const struct json_node *root;
    mneme_error error;
};

static int parse_slice(struct fixture *f, struct slice text) {
    arena_fini(&f->arena);
    f->root = NULL;
    f->error = (mneme_error){0};
    int status = json_parse(text, &f->arena, &f->root, &f->error);
    assert_int_equal(json_check(text, NULL), status);
    assert_true(status == 0 || f->root == NULL);
    assert_true(status == 0 || f->error.code == status);
    return status;
}

static int parse(struct fixture *f, const char *text) {
    return parse_slice(f, slice_of_string(text));
}

static void fixture_fini(struct fixture *f) { arena_fini(&f->arena); }
#define FIXTURE(name) CLEANUP(fixture_fini) struct fixture name = {0}

static void assert_slice(struct slice got, const char *expected) {
    assert_int_equal(got.size, strlen(expected));
    assert_memory_equal(got.data, expected, got.size);
}

static void assert_refused(const char *text, size_t size, int status, const char *words) {
    FIXTURE(f);
    int got = parse_slice(&f, slice_of(text, size));
    if (got != status || !strstr(f.error.message, words))
        fail_msg("%s: status %d, \"%s\"", text, got, f.error.message);
}
#define ASSERT_INVALID(literal, words)                                                             \
    assert_refused(literal, sizeof(literal) - 1, MNEME_INVALID, words)

/* The first child, and the next, where there must be one. */
static const struct json_node *first_of(const struct json_node *parent) {
    const struct json_node *child = json_first(parent);
    if (!child)
        abort();
    return child;
}

static const struct json_node *next_of(const struct json_node *parent,
                                       const struct json_node *child) {
    child = json_next(parent, child);
    if (!child)
        abort();
    return child;
}

static const struct json_node *member_of(const struct json_node *object, const char *key) {
    const struct json_node *member = json_member(object, key);
    if (!member)
        abort();
    return member;
}

/* ---- The tree ---------------------------------------------------------------------------- */

static void codec_json__a_document_becomes_nodes_in_its_order(void **state) {
    (void)state;
    FIXTURE(f);
    assert_int_equal(parse(&f, " {\"a\" : [1, \"x\\n\" , null], \"b\":{}, \"c\":true,\"d\":[] } "),
                     0);
    const struct json_node *root = f.root;
    assert_int_equal(root->type, JSON_OBJECT);
    assert_int_equal(root->count, 4);
    const struct json_node *a = first_of(root);
    assert_slice(a->key, "a");
    assert_int_equal(a->type, JSON_ARRAY);
    assert_int_equal(a->count, 3);
    assert_slice(a->raw, "[1, \"x\\n\" , null]");
    const struct json_node *one = first_of(a), *x = next_of(a, one), *null = next_of(a, x);
    assert_slice(one->text, "1");
    assert_slice(x->text, "x\n");
    assert_slice(x->raw, "\"x\\n\"");
    assert_int_equal(null->type, JSON_NULL);
    assert_slice(null->raw, "null");
    assert_null(json_next(a, null));
    const struct json_node *b = next_of(root, a);
    assert_slice(b->key, "b");
    assert_null(json_first(b));
    assert_ptr_equal(json_member(root, "c"), next_of(root, b));
    assert_int_equal(member_of(root, "c")->type, JSON_TRUE);
    assert_slice(member_of(root, "d")->raw, "[]");
    assert_null(json_next(root, member_of(root, "d")));
    assert_null(json_member(root, "e"));
    assert_null(json_member(a, "a"));
    assert_int_equal(one->key.size, 0);
}

static void codec_json__any_value_may_be_the_document(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum json_type type;
        const char *raw;
    } cases[] = {{"null", JSON_NULL, "null"},       {" true\n", JSON_TRUE, "true"},
                 {"\tfalse ", JSON_FALSE, "false"}, {"-12.50e+3", JSON_NUMBER, "-12.50e+3"},
                 {" \"\" ", JSON_STRING, "\"\""},   {"[]", JSON_ARRAY, "[]"},
                 {"\r\n{ }", JSON_OBJECT, "{ }"},   {"0", JSON_NUMBER, "0"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        FIXTURE(f);
        assert_int_equal(parse(&f, cases[i].text), 0);
        assert_int_equal(f.root->type, cases[i].type);
        assert_slice(f.root->raw, cases[i].raw);
        assert_ptr_equal(f.root->after, f.root + 1);
    }
}

static void codec_json__decodes_every_escape(void **state) {
    (void)state;
    FIXTURE(f);
    assert_int_equal(parse(&f, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00\""),
                     0);
    assert_slice(f.root->text, "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void codec_json__keeps_an_escaped_nul(void **state) {
    (void)state;
    FIXTURE(f);
    assert_int_equal(parse(&f, "{\"a\\u0000b\":\"\\u0000\"}"), 0);
    const struct json_node *m = first_of(f.root);
    assert_int_equal(m->key.size, 3);
    assert_memory_equal(m->key.data, "a\0b", 3);
    assert_int_equal(m->text.size, 1);
    assert_int_equal(m->text.data[0], 0);
}

static void codec_json__keeps_the_text_of_numbers(void **state) {
    (void)state;
    FIXTURE(f);
    assert_int_equal(
        parse(&f, "[9007199254740993,1.10,-0,-0.0,1E+2,123456789012345678901234567890]"), 0);
    static const char *const texts[] = {
        "9007199254740993", "1.10", "-0", "-0.0", "1E+2", "123456789012345678901234567890"};
    const struct json_node *n = json_first(f.root);
    for (size_t i = 0; n; i++, n = json_next(f.root, n))
        assert_slice(n->text, texts[i]);
    assert_int_equal(f.root->count, COUNT_OF(texts));
}

/* ---- Random documents -------------------------------------------------------------------- */

static void put_space(struct buf *b, struct random *r) {
    static const char spaces[] = " \t\n\r";
    for (uint64_t i = random_below(r, 12); i > 9; i--)
        buf_append_byte(b, (uint8_t)spaces[random_below(r, 4)]);
}

/* A random string, escaped in `text` in a random way and in `plain` in json_put_string's. */
static void put_random_string(struct buf *text, struct buf *plain, struct random *r,
                              const char *id) {
    static const struct {
        const char *escaped, *decoded;
    } parts[] = {{"\\\"", "\""},   {"\\\\", "\\"},
                 {"\\u0041", "A"}, {"plain words ", NULL},
                 {"\\n", "\n"},    {"\\u001f", "\x1f"},
                 {"\\/", "/"},     {"\xc3\xa9", NULL},
                 {"{[,:]}", NULL}, {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
                 {"\x7f", NULL}};
    AUTO_BUF struct buf decoded = BUF_INIT(1 << 16);
    buf_append_byte(text, '"');
    buf_append_string(text, id);
    buf_append_string(&decoded, id);
    for (uint64_t i = random_below(r, 8); i > 0; i--) {
        size_t p = (size_t)random_below(r, COUNT_OF(parts));
        buf_append_string(text, parts[p].escaped);
        buf_append_string(&decoded, parts[p].decoded ? parts[p].decoded : parts[p].escaped);
    }
    buf_append_byte(text, '"');
    json_put_string(plain, buf_slice(&decoded));
}

static void put_random_value(struct buf *text, struct buf *plain, struct random *r, int depth) {
    static const char *const scalars[] = {"null", "true",    "false",
                                          "0",    "-1.5e-7", "12345678901234567"};
    uint64_t kind = random_below(r, depth > 6 ? 2 : 4);
    put_space(text, r);
    if (kind == 0) {
        const char *scalar = scalars[random_below(r, COUNT_OF(scalars))];
        buf_append_string(text, scalar);
        buf_append_string(plain, scalar);
    } else if (kind == 1) {
        put_random_string(text, plain, r, "");
    } else {
        bool object = kind == 2;
        uint64_t count = random_below(r, random_below(r, 4) ? 5 : 40);
        buf_append_byte(text, object ? '{' : '[');
        buf_append_byte(plain, object ? '{' : '[');
        for (uint64_t i = 0; i < count; i++) {
            char id[24];
            snprintf(id, sizeof id, "%llu:", (unsigned long long)i);
            if (i) {
                buf_append_byte(text, ',');
                buf_append_byte(plain, ',');
            }
            put_space(text, r);
            if (object) {
                put_random_string(text, plain, r, id);
                put_space(text, r);
                buf_append_byte(text, ':');
                buf_append_byte(plain, ':');
            }
            put_random_value(text, plain, r, depth + 1);
        }
        put_space(text, r);
        buf_append_byte(text, object ? '}' : ']');
        buf_append_byte(plain, object ? '}' : ']');
    }
    put_space(text, r);
}

static void write_tree(struct buf *b, const struct json_node *node) {
    if (node->type == JSON_STRING) {
        json_put_string(b, node->text);
    } else if (node->type == JSON_ARRAY || node->type == JSON_OBJECT) {
        bool object = node->type == JSON_OBJECT;
        uint32_t n = 0;
        buf_append_byte(b, object ? '{' : '[');
        for (const struct json_node *c = json_first(node); c; c = json_next(node, c), n++) {
            if (n)
                buf_append_byte(b, ',');
            if (object) {
                json_put_string(b, c->key);
                buf_append_byte(b, ':');
            }
            write_tree(b, c);
        }
        assert_int_equal(n, node->count);
        buf_append_byte(b, object ? '}' : ']');
    } else {
        buf_append_slice(b, node->raw);
    }
}

static void codec_json__random_documents_come_back_whole(void **state) {
    (void)state;
    struct random r = {0xfeedbeef};
    for (int round = 0; round < 400; round++) {
        AUTO_BUF struct buf text = BUF_INIT(64 << 20), plain = BUF_INIT(64 << 20);
        AUTO_BUF struct buf written = BUF_INIT(64 << 20);
        put_random_value(&text, &plain, &r, 0);
        assert_int_equal(text.status | plain.status, 0);
        /* A block of its own, so that a sanitizer sees a read past the text. */
        AUTO_FREE uint8_t *exact = mem_alloc(text.size);
        assert_non_null(exact);
        memcpy(exact, text.data, text.size);
        FIXTURE(f);
        assert_int_equal(parse_slice(&f, slice_of(exact, text.size)), 0);
        write_tree(&written, f.root);
        assert_true(slice_equal(buf_slice(&written), buf_slice(&plain)));
    }
}

static void codec_json__raw_is_the_exact_source_of_each_value(void **state) {
    (void)state;
    struct random r = {0xabcdef};
    for (int round = 0; round < 60; round++) {
        AUTO_BUF struct buf text = BUF_INIT(64 << 20), plain = BUF_INIT(64 << 20);
        put_random_value(&text, &plain, &r, 2);
        FIXTURE(f);
        FIXTURE(part);
        assert_int_equal(parse_slice(&f, buf_slice(&text)), 0);
        for (const struct json_node *n = f.root; n < f.root->after; n++) {
            assert_int_equal(parse_slice(&part, n->raw), 0);
            assert_true(slice_equal(part.root->raw, n->raw)); /* no white space around it */
            assert_int_equal(part.root->type, n->type);
            assert_int_equal(part.root->after - part.root, n->after - n);
            assert_true(slice_equal(part.root->text, n->text));
        }
    }
}

static void codec_json__any_damage_is_an_answer_not_a_crash(void **state) {
    (void)state;
    struct random r = {0x5eed};
    for (int round = 0; round < 3000; round++) {
        AUTO_BUF struct buf text = BUF_INIT(64 << 20), plain = BUF_INIT(64 << 20);
        put_random_value(&text, &plain, &r, 5);
        for (uint64_t i = 1 + random_below(&r, 3); i > 0; i--) {
            static const char bytes[] = "\"\\{}[]:,0e-u\x1f\xed\xff";
            text.data[random_below(&r, text.size)] = (uint8_t)bytes[random_below(&r, sizeof bytes)];
        }
        FIXTURE(f);
        int status = parse_slice(&f, buf_slice(&text));
        assert_true(status == 0 || status == MNEME_INVALID);
    }
}

/* ---- What it refuses --------------------------------------------------------------------- */

static void codec_json__refuses_bad_syntax_and_says_where(void **state) {
    (void)state;
    ASSERT_INVALID("", "byte 0: expected a value");
    ASSERT_INVALID("  ", "byte 2: expected a value");
    ASSERT_INVALID("[1,]", "byte 3: expected a value");
    ASSERT_INVALID("{\"a\":1,}", "byte 7: expected the name");
    ASSERT_INVALID("{a:1}", "byte 1: expected the name");
    ASSERT_INVALID("{\"a\" 1}", "byte 5: expected a colon");
    ASSERT_INVALID("{\"a\":1 \"b\":2}", "byte 7: expected a comma or }");
    ASSERT_INVALID("[1 2]", "byte 3: expected a comma or ]");
    ASSERT_INVALID("[1}", "expected a comma or ]");
    ASSERT_INVALID("[", "byte 1: expected a value");
    ASSERT_INVALID("{\"a\":", "byte 5: expected a value");
    ASSERT_INVALID("1 2", "byte 2: expected the end");
    ASSERT_INVALID("{} {}", "byte 3: expected the end");
    ASSERT_INVALID("\"abc", "closing quote");
    ASSERT_INVALID("\"\\x\"", "escape");
    ASSERT_INVALID("\"\\u12g4\"", "hexadecimal");
    ASSERT_INVALID("'a'", "expected a value");
    ASSERT_INVALID("/* c */ 1", "expected a value");
    ASSERT_INVALID("[1, // c\n2]", "expected a value");
    ASSERT_INVALID("truE", "expected a value");
    ASSERT_INVALID("nul", "expected a value");
}

static void codec_json__refuses_what_is_no_number(void **state) {
    (void)state;
    static const char *const cases[] = {"NaN", "Infinity", "-Infinity", "-",    "+1",   "01",
                                        "1.",  ".5",       "1e",        "1e+",  "0x10", "1_0",
                                        "--1", "[nan]",    "-a",        "1.e5", "1.5.", "00"};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_refused(cases[i], strlen(cases[i]), MNEME_INVALID, "JSON at byte");
}

static void codec_json__refuses_numbers_beyond_a_double(void **state) {
    (void)state;
    ASSERT_INVALID("1e999", "too large for a double");
    ASSERT_INVALID("[-1e309]", "too large for a double");
    ASSERT_INVALID("[1, 17976931348623159e292]", "byte 4: a number too large for a double");
    ASSERT_INVALID("1e99999999999999999999", "too large for a double");
    AUTO_BUF struct buf digits = BUF_INIT(1000);
    for (int i = 0; i < 400; i++)
        buf_append_byte(&digits, '9');
    assert_refused((const char *)digits.data, digits.size, MNEME_INVALID, "too large");
    FIXTURE(f);
    assert_int_equal(parse(&f, "[1.7976931348623157e308, 1e-999, 0e-99999999999]"), 0);
}

static void codec_json__refuses_text_that_is_not_utf8(void **state) {
    (void)state;
    ASSERT_INVALID("\"\xff\"", "byte 1: not UTF-8");
    ASSERT_INVALID("\"abc\xc3\"", "byte 4: not UTF-8");
    ASSERT_INVALID("\"\xc0\x80\"", "byte 1: not UTF-8");              /* overlong NUL */
    ASSERT_INVALID("\"\xc3\xa9 \xed\xa0\x80\"", "byte 4: not UTF-8"); /* a surrogate */
    ASSERT_INVALID("\"\xf4\x90\x80\x80\"", "byte 1: not UTF-8");      /* above U+10FFFF */
    ASSERT_INVALID("[\"0123456789\xe2\x82", "byte 12: not UTF-8");
    ASSERT_INVALID("\xff\xfe[\0]\0", "byte 0: not UTF-8");   /* UTF-16 with its mark */
    ASSERT_INVALID("[\0]\0", "byte 1: a control character"); /* UTF-16 without */
}

static void codec_json__refuses_a_byte_order_mark(void **state) {
    (void)state;
    ASSERT_INVALID("\xef\xbb\xbf{}", "byte order mark");
    FIXTURE(f);
    assert_int_equal(parse(&f, "\"\xef\xbb\xbf\""), 0); /* inside a string it is a character */
}

static void codec_json__refuses_half_a_surrogate_pair(void **state) {
    (void)state;
    ASSERT_INVALID("\"\\ud800\"", "surrogate");
    ASSERT_INVALID("\"\\ud800x\"", "surrogate");
    ASSERT_INVALID("\"\\ud800\\n\"", "surrogate");
    ASSERT_INVALID("\"\\ud800\\ud800\"", "surrogate");
    ASSERT_INVALID("\"\\udc00\"", "surrogate");
    ASSERT_INVALID("[\"ok\",\"\\uDFFF\"]", "byte 6: half of a surrogate");
    ASSERT_INVALID("{\"\\udc00\":1}", "byte 1: half of a surrogate");
    FIXTURE(f);
    assert_int_equal(parse(&f, "\"\\ud7ff\\ue000 \xed\x95\x9c\""), 0); /* the neighbours are fine */
}

static void codec_json__refuses_each_control_character_anywhere(void **state) {
    (void)state;
    for (uint8_t c = 0; c < 0x20; c++) {
        for (size_t at = 0; at < 40; at++) {
            char text[48];
            memset(text, 'x', sizeof text);
            text[0] = '"';
            text[42] = '"';
            text[1 + at] = (char)c;
            assert_refused(text, 43, MNEME_INVALID, "control character");
        }
        bool space = c == '\t' || c == '\n' || c == '\r';
        const char around[] = {'1', (char)c};
        FIXTURE(f);
        assert_int_equal(parse_slice(&f, slice_of(around, 2)), space ? 0 : MNEME_INVALID);
    }
}

/* ---- Duplicate members ------------------------------------------------------------------- */

static void codec_json__refuses_a_second_member_of_one_name(void **state) {
    (void)state;
    ASSERT_INVALID("{\"a\":1,\"a\":2}", "byte 11: the value of a member whose name stands twice");
    ASSERT_INVALID("{\"a\":1,\"b\":2,\"\\u0061\":3}", "stands twice");
    ASSERT_INVALID("{\"\":1,\"\":2}", "stands twice");
    ASSERT_INVALID("[{\"x\":{\"a\":{\"q\":1},\"b\":[],\"a\":2}}]", "stands twice");
    FIXTURE(f);
    assert_int_equal(parse(&f, "{\"a\":{\"a\":1},\"A\":{\"a\":1},\"aa\":[{\"a\":1},{\"a\":1}]}"),
                     0);
}

/* An object of `count` members, of which the last has the name of member `twin`. */
static void put_object(struct buf *b, size_t count, size_t twin) {
    for (size_t i = 0; i < count; i++)
        buf_printf(b, "%c\"name%zu\":%zu", i ? ',' : '{', i + 1 == count ? twin : i, i);
    buf_append_byte(b, '}');
}

static void codec_json__finds_duplicates_among_few_and_many(void **state) {
    (void)state;
    for (size_t count = 2; count < 70; count++) {
        for (size_t twin = 0; twin < count; twin++) {
            AUTO_BUF struct buf text = BUF_INIT(1 << 20);
            put_object(&text, count, twin);
            FIXTURE(f);
            int expected = twin + 1 == count ? 0 : MNEME_INVALID;
            assert_int_equal(parse_slice(&f, buf_slice(&text)), expected);
        }
    }
}

static void codec_json__takes_a_very_wide_object(void **state) {
    (void)state;
    enum { MEMBERS = 300000 };
    AUTO_BUF struct buf text = BUF_INIT(16 << 20);
    put_object(&text, MEMBERS, MEMBERS - 1);
    FIXTURE(f);
    assert_int_equal(parse_slice(&f, buf_slice(&text)), 0);
    assert_int_equal(f.root->count, MEMBERS);
    int64_t value;
    assert_true(json_int64(member_of(f.root, "name299999"), &value) && value == 299999);
    buf_reset(&text);
    put_object(&text, MEMBERS, 150000);
    assert_int_equal(parse_slice(&f, buf_slice(&text)), MNEME_INVALID);
}

/* ---- Limits ------------------------------------------------------------------------------ */

static void put_nested(struct buf *b, size_t depth, const char *open, const char *close) {
    for (size_t i = 0; i < depth; i++)
        buf_append_string(b, open);
    buf_append_string(b, "1");
    for (size_t i = 0; i < depth; i++)
        buf_append_string(b, close);
}

static int parse_nested(size_t depth, const char *open, const char *close) {
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    put_nested(&text, depth, open, close);
    FIXTURE(f);
    return parse_slice(&f, buf_slice(&text));
}

static void codec_json__takes_64_levels_and_no_more(void **state) {
    (void)state;
    assert_int_equal(parse_nested(64, "[", "]"), 0);
    assert_int_equal(parse_nested(65, "[", "]"), MNEME_TOO_LARGE);
    assert_int_equal(parse_nested(64, "{\"a\":", "}"), 0);
    assert_int_equal(parse_nested(65, "{\"a\":", "}"), MNEME_TOO_LARGE);
    assert_int_equal(parse_nested(32, "[{\"a\":", "}]"), 0);
    assert_int_equal(parse_nested(10000, "[", "]"), MNEME_TOO_LARGE);
    assert_int_equal(parse_nested(10000, "[", ""), MNEME_TOO_LARGE);
}

static void codec_json__takes_a_million_values_and_bounds_them(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(16 << 20);
    buf_append_byte(&text, '[');
    for (size_t i = 0; i + 1 < JSON_NODES_MAX; i++)
        buf_append_string(&text, i ? ",0" : "0");
    buf_append_byte(&text, ']');
    FIXTURE(f);
    assert_int_equal(json_parse(buf_slice(&text), &f.arena, &f.root, NULL), 0);
    assert_int_equal(f.root->count, JSON_NODES_MAX - 1);
    assert_ptr_equal(f.root->after, f.root + JSON_NODES_MAX);
    arena_fini(&f.arena);
    text.size--;
    buf_append_string(&text, ",0]");
    assert_int_equal(json_parse(buf_slice(&text), &f.arena, &f.root, &f.error), MNEME_TOO_LARGE);
    assert_non_null(strstr(f.error.message, "4194304 values"));
    /* Too many bytes are refused by their number, before any is read. */
    struct slice large = slice_of(text.data, (size_t)JSON_SIZE_MAX + 1);
    assert_int_equal(json_parse(large, &f.arena, &f.root, NULL), MNEME_TOO_LARGE);
    assert_int_equal(json_check(large, NULL), MNEME_TOO_LARGE);
}

/* ---- Memory ------------------------------------------------------------------------------ */

static int parse_alone(struct slice text) {
    AUTO_ARENA struct arena arena = {0};
    const struct json_node *root = NULL;
    int status = json_parse(text, &arena, &root, NULL);
    assert_int_equal(status == 0, root != NULL);
    return status;
}

static void codec_json__survives_each_failing_allocation(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_append_byte(&text, '[');
    for (int i = 0; i < 200; i++)
        buf_append_string(&text, "1,[[],[{}]],");
    put_object(&text, 100, 99); /* enough members to be sorted */
    buf_append_byte(&text, ']');
    ASSERT_SURVIVES_NO_MEMORY(parse_alone(buf_slice(&text)));
    ASSERT_SURVIVES_NO_MEMORY(json_check(buf_slice(&text), NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_json__a_document_becomes_nodes_in_its_order),
        cmocka_unit_test(codec_json__any_value_may_be_the_document),
        cmocka_unit_test(codec_json__decodes_every_escape),
        cmocka_unit_test(codec_json__keeps_an_escaped_nul),
        cmocka_unit_test(codec_json__keeps_the_text_of_numbers),
        cmocka_unit_test(codec_json__random_documents_come_back_whole),
        cmocka_unit_test(codec_json__raw_is_the_exact_source_of_each_value),
        cmocka_unit_test(codec_json__any_damage_is_an_answer_not_a_crash),
        cmocka_unit_test(codec_json__refuses_bad_syntax_and_says_where),
        cmocka_unit_test(codec_json__refuses_what_is_no_number),
        cmocka_unit_test(codec_json__refuses_numbers_beyond_a_double),
        cmocka_unit_test(codec_json__refuses_text_that_is_not_utf8),
        cmocka_unit_test(codec_json__refuses_a_byte_order_mark),
        cmocka_unit_test(codec_json__refuses_half_a_surrogate_pair),
        cmocka_unit_test(codec_json__refuses_each_control_character_anywhere),
        cmocka_unit_test(codec_json__refuses_a_second_member_of_one_name),
        cmocka_unit_test(codec_json__finds_duplicates_among_few_and_many),
        cmocka_unit_test(codec_json__takes_a_very_wide_object),
        cmocka_unit_test(codec_json__takes_64_levels_and_no_more),
        cmocka_unit_test(codec_json__takes_a_million_values_and_bounds_them),
        cmocka_unit_test(codec_json__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests_name("codec/json", tests, NULL, NULL);
}
