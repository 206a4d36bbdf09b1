/*
 * wire_test.c - the compact encoding: its bytes, its round trip, and what it refuses.
 */
#include "sample.h"

static struct slice bytes_of(struct buf *b) {
    assert_int_equal(b->status, 0);
    return buf_slice(b);
}

static void assert_bytes(struct slice got, const char *expected, size_t size) {
    assert_int_equal(got.size, size);
    assert_memory_equal(got.data, expected, size);
}
#define ASSERT_BYTES(got, literal) assert_bytes(got, literal, sizeof(literal) - 1)

/* ---- The bytes --------------------------------------------------------------------------- */

static void codec_wire__writes_the_documented_bytes(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(1000);
    wire_put_uint(&b, 1, 300);
    wire_put_int(&b, 2, -1);
    wire_put_double(&b, 3, 1.0);
    wire_put_bytes(&b, 4, slice_of_string("hi"));
    wire_put_uint(&b, 65535, 1);
    ASSERT_BYTES(bytes_of(&b), "\x04\xac\x02"
                               "\x08\x01"
                               "\x0d\x00\x00\x00\x00\x00\x00\xf0\x3f"
                               "\x12\x02hi"
                               "\xfc\xff\x0f\x01");
}

static void codec_wire__leaves_out_zero_unless_told_to_write_it(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(1000);
    wire_put_uint(&b, 1, 0);
    wire_put_int(&b, 2, 0);
    wire_put_double(&b, 3, 0.0);
    wire_put_bytes(&b, 4, (struct slice){0});
    assert_int_equal(b.size, 0);
    wire_put_uint_always(&b, 1, 0);
    wire_put_int_always(&b, 2, 0);
    wire_put_double_always(&b, 3, 0.0);
    wire_put_bytes_always(&b, 4, (struct slice){0});
    ASSERT_BYTES(bytes_of(&b), "\x04\x00\x08\x00\x0d\0\0\0\0\0\0\0\0\x12\x00");
}

static void codec_wire__keeps_the_sign_of_zero(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(1000);
    wire_put_double(&b, 3, -0.0);
    struct wire_reader r = wire_reader_of(bytes_of(&b));
    struct wire_field f = {0};
    assert_true(wire_next(&r, &f));
    double value = wire_double(&r, &f);
    assert_true(value == 0 && 1 / value < 0);
}

static void codec_wire__zigzag_keeps_the_ends_of_the_range(void **state) {
    (void)state;
    static const int64_t values[] = {0, 1, -1, 63, -64, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(values); i++)
        assert_true(unzigzag(zigzag(values[i])) == values[i]);
    assert_int_equal(zigzag(-1), 1);
    assert_int_equal(zigzag(1), 2);
}

/* ---- Nested messages --------------------------------------------------------------------- */

static void codec_wire__nested_messages_take_the_shortest_length(void **state) {
    (void)state;
    static const struct {
        size_t body, header;
    } cases[] = {{0, 2}, {1, 2}, {127, 2}, {128, 3}, {16383, 3}, {16384, 4}, {2097152, 5}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_BUF struct buf b = BUF_INIT(4 << 20);
        size_t mark = wire_begin(&b, 7);
        for (size_t j = 0; j < cases[i].body; j++)
            buf_append_byte(&b, (uint8_t)(j * 31));
        wire_end(&b, mark);
        assert_int_equal(b.size, cases[i].header + cases[i].body);
        struct wire_reader r = wire_reader_of(bytes_of(&b));
        struct wire_field f = {0};
        assert_true(wire_next(&r, &f));
        assert_int_equal(f.number, 7);
        assert_int_equal(f.bytes.size, cases[i].body);
        for (size_t j = 0; j < f.bytes.size; j++)
            assert_int_equal(f.bytes.data[j], (uint8_t)(j * 31));
        assert_false(wire_next(&r, &f));
        assert_false(r.bad);
    }
}

static void codec_wire__nests_messages_in_messages(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    size_t marks[50];
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        marks[i] = wire_begin(&b, (uint32_t)i + 1);
        wire_put_bytes(&b, 1000, slice_of_string("some bytes before the next level"));
    }
    for (size_t i = COUNT_OF(marks); i > 0; i--)
        wire_end(&b, marks[i - 1]);
    struct slice level = bytes_of(&b);
    for (size_t i = 0; i < COUNT_OF(marks); i++) {
        struct wire_reader r = wire_reader_of(level);
        struct wire_field f = {0};
        if (i > 0) {
            assert_true(wire_next(&r, &f));
            assert_int_equal(f.number, 1000);
        }
        assert_true(wire_next(&r, &f));
        assert_int_equal(f.number, i + 1);
        level = wire_bytes(&r, &f);
        assert_false(wire_next(&r, &f));
        assert_false(r.bad);
    }
}

static void codec_wire__a_full_buffer_stays_failed_and_unharmed(void **state) {
    (void)state;
    for (size_t max = 0; max < 160; max++) {
        AUTO_BUF struct buf b = BUF_INIT(max);
        size_t mark = wire_begin(&b, 1);
        wire_put_bytes(&b, 2, slice_of_string("0123456789012345678901234567890123456789"));
        size_t inner = wire_begin(&b, 3);
        for (int i = 0; i < 100; i++)
            wire_put_uint(&b, 4, 5);
        wire_end(&b, inner);
        wire_end(&b, mark);
        assert_int_equal(b.status, MNEME_TOO_LARGE);
        assert_true(b.size <= max);
    }
}

/* ---- Round trip -------------------------------------------------------------------------- */

enum { FIELDS_MAX = 40 };

struct random_field {
    struct wire_field field;
    double number;
};

static uint64_t random_magnitude(struct random *r) { return random_next(r) >> random_below(r, 64); }

static struct random_field random_field(struct random *r, struct slice pool) {
    struct random_field f = {
        .field = {.number = 1 + (uint32_t)random_below(r, random_below(r, 2) ? 30 : 65535),
                  .type = (enum wire_type)random_below(r, 3)}};
    f.field.value = random_magnitude(r);
    memcpy(&f.number, &f.field.value, sizeof f.number);
    f.field.bytes = slice_of(pool.data, random_below(r, random_below(r, 8) ? 20 : pool.size));
    return f;
}

static void put_random(struct buf *b, const struct random_field *f) {
    if (f->field.type == WIRE_VARINT)
        wire_put_uint_always(b, f->field.number, f->field.value);
    else if (f->field.type == WIRE_FIXED)
        wire_put_double_always(b, f->field.number, f->number);
    else
        wire_put_bytes_always(b, f->field.number, f->field.bytes);
}

static void assert_field(const struct wire_field *got, const struct wire_field *expected) {
    assert_int_equal(got->number, expected->number);
    assert_int_equal(got->type, expected->type);
    if (expected->type == WIRE_BYTES)
        assert_true(slice_equal(got->bytes, expected->bytes));
    else
        assert_true(got->value == expected->value);
}

static void codec_wire__random_messages_come_back_and_truncated_ones_never_lie(void **state) {
    (void)state;
    struct random r = {0x1234567};
    uint8_t pool[300];
    for (size_t i = 0; i < sizeof pool; i++)
        pool[i] = (uint8_t)random_next(&r);
    for (int round = 0; round < 300; round++) {
        struct random_field fields[FIELDS_MAX];
        size_t ends[FIELDS_MAX], count = random_below(&r, FIELDS_MAX);
        AUTO_BUF struct buf b = BUF_INIT(1 << 20);
        for (size_t i = 0; i < count; i++) {
            fields[i] = random_field(&r, slice_of(pool, sizeof pool));
            put_random(&b, &fields[i]);
            ends[i] = b.size;
        }
        struct slice whole = bytes_of(&b);
        for (size_t size = 0; size <= whole.size; size++) {
            /* A block of its own, so that a sanitizer sees a read past the cut. */
            AUTO_FREE uint8_t *cut = mem_alloc(size);
            assert_non_null(cut);
            if (size)
                memcpy(cut, whole.data, size);
            struct wire_reader reader = wire_reader_of(slice_of(cut, size));
            struct wire_field f = {0};
            size_t n = 0;
            for (; wire_next(&reader, &f); n++) {
                assert_true(n < count && ends[n] <= size);
                assert_field(&f, &fields[n].field);
            }
            bool at_a_boundary = n == count ? size == whole.size : size == (n ? ends[n - 1] : 0);
            assert_int_equal(reader.bad, !at_a_boundary);
        }
    }
}

/* ---- Refusals ---------------------------------------------------------------------------- */

static bool reads_varint(const char *bytes, size_t size, uint64_t *value) {
    struct wire_reader r = wire_reader_of(slice_of(bytes, size));
    *value = wire_get_varint(&r);
    return !r.bad && r.at == r.end;
}
#define READS_VARINT(literal, value) reads_varint(literal, sizeof(literal) - 1, value)

static void codec_wire__varints_have_one_form_and_64_bits(void **state) {
    (void)state;
    uint64_t v;
    assert_true(READS_VARINT("\x00", &v) && v == 0);
    assert_true(READS_VARINT("\x7f", &v) && v == 127);
    assert_true(READS_VARINT("\x80\x01", &v) && v == 128);
    assert_true(READS_VARINT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", &v) && v == UINT64_MAX);
    assert_false(READS_VARINT("", &v));
    assert_false(READS_VARINT("\x80", &v));
    assert_false(READS_VARINT("\x80\x00", &v));                                 /* zero, too long */
    assert_false(READS_VARINT("\xff\x00", &v));                                 /* 127, too long */
    assert_false(READS_VARINT("\x81\x80\x00", &v));                             /* 1, too long */
    assert_false(READS_VARINT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", &v)); /* 65 bits */
    assert_false(READS_VARINT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", &v));
    assert_int_equal(v, 0);
}

static bool reads_field(const char *bytes, size_t size) {
    struct wire_reader r = wire_reader_of(slice_of(bytes, size));
    struct wire_field f = {.number = 77};
    bool read = wire_next(&r, &f);
    assert_int_equal(read, !r.bad);
    return read;
}
#define READS_FIELD(literal) reads_field(literal, sizeof(literal) - 1)

static void codec_wire__refuses_bad_fields(void **state) {
    (void)state;
    assert_true(READS_FIELD("\x04\x01"));
    assert_false(READS_FIELD("\x00\x01"));                                     /* field 0 */
    assert_false(READS_FIELD("\x07\x01"));                                     /* type 3 */
    assert_true(READS_FIELD("\xfc\xff\x0f\x01"));                              /* field 65,535 */
    assert_false(READS_FIELD("\x80\x80\x10\x01"));                             /* field 65,536 */
    assert_false(READS_FIELD("\x84\x80\x80\x80\x80\x80\x80\x80\x80\x01\x01")); /* no field */
    assert_false(READS_FIELD("\x06\x03hi"));                                   /* one byte short */
    assert_false(READS_FIELD("\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01hi"));
    assert_false(READS_FIELD("\x05\x01\x02\x03")); /* a fixed field of three bytes */
}

static void codec_wire__bad_sticks_and_reads_zero(void **state) {
    (void)state;
    struct wire_reader r = wire_reader_of(slice_of("\x04\x01\x07\x04\x01", 5));
    struct wire_field f = {0};
    assert_true(wire_next(&r, &f));
    assert_false(wire_next(&r, &f));
    assert_true(r.bad);
    assert_false(wire_next(&r, &f));
    assert_int_equal(wire_get_varint(&r), 0);
    assert_int_equal(wire_get_bytes(&r, 1).size, 0);
    assert_int_equal(wire_uint(&r, &f), 0);
}

static void codec_wire__a_value_of_another_type_is_bad(void **state) {
    (void)state;
    const struct wire_field number = {.number = 1, .type = WIRE_VARINT, .value = 5};
    const struct wire_field bytes = {
        .number = 1, .type = WIRE_BYTES, .bytes = slice_of_string("x")};
    struct wire_reader r = {0};
    assert_int_equal(wire_uint(&r, &number), 5);
    assert_int_equal(wire_int(&r, &number), -3);
    assert_int_equal(wire_bytes(&r, &bytes).size, 1);
    assert_false(r.bad);
    assert_int_equal(wire_bytes(&r, &number).size, 0);
    assert_true(r.bad);
    r.bad = false;
    assert_int_equal(wire_uint(&r, &bytes), 0);
    assert_true(r.bad);
    r.bad = false;
    assert_true(wire_double(&r, &number) == 0 && r.bad);
}

static void codec_wire__empty_input_is_an_empty_message(void **state) {
    (void)state;
    struct wire_reader r = wire_reader_of((struct slice){0});
    struct wire_field f = {0};
    assert_false(wire_next(&r, &f));
    assert_int_equal(wire_get_bytes(&r, 0).size, 0);
    assert_false(r.bad);
    assert_int_equal(wire_get_bytes(&r, 1).size, 0);
    assert_true(r.bad);
}

static int put_much(void) {
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    size_t mark = wire_begin(&b, 1);
    for (uint32_t i = 1; i < 200; i++)
        wire_put_int(&b, i, -(int64_t)i * 1000003);
    wire_end(&b, mark);
    return b.status;
}

static void codec_wire__survives_each_failing_allocation(void **state) {
    (void)state;
    ASSERT_SURVIVES_NO_MEMORY(put_much());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_wire__writes_the_documented_bytes),
        cmocka_unit_test(codec_wire__leaves_out_zero_unless_told_to_write_it),
        cmocka_unit_test(codec_wire__keeps_the_sign_of_zero),
        cmocka_unit_test(codec_wire__zigzag_keeps_the_ends_of_the_range),
        cmocka_unit_test(codec_wire__nested_messages_take_the_shortest_length),
        cmocka_unit_test(codec_wire__nests_messages_in_messages),
        cmocka_unit_test(codec_wire__a_full_buffer_stays_failed_and_unharmed),
        cmocka_unit_test(codec_wire__random_messages_come_back_and_truncated_ones_never_lie),
        cmocka_unit_test(codec_wire__varints_have_one_form_and_64_bits),
        cmocka_unit_test(codec_wire__refuses_bad_fields),
        cmocka_unit_test(codec_wire__bad_sticks_and_reads_zero),
        cmocka_unit_test(codec_wire__a_value_of_another_type_is_bad),
        cmocka_unit_test(codec_wire__empty_input_is_an_empty_message),
        cmocka_unit_test(codec_wire__survives_each_failing_allocation),
    };
    return cmocka_run_group_tests_name("codec/wire", tests, NULL, NULL);
}
