/*
 * json_number_test.c - numbers between JSON text and C: exact, both ways.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "sample.h"

static struct json_node number(const char *text) {
    return (struct json_node){.type = JSON_NUMBER, .text = slice_of_string(text)};
}

/* ---- Integers ---------------------------------------------------------------------------- */

static void codec_json_int64__takes_integers_of_its_range_only(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool fits;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"9007199254740993", true, INT64_C(9007199254740993)},
        {"-9007199254740993", true, -INT64_C(9007199254740993)},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"99999999999999999999999", false, 0},
        {"1.0", false, 0},
        {"1e3", false, 0},
        {"-1.5", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_node node = number(cases[i].text);
        int64_t value = 77;
        assert_int_equal(json_int64(&node, &value), cases[i].fits);
        assert_true(value == (cases[i].fits ? cases[i].value : 77));
    }
}

static void codec_json_uint64__takes_integers_of_its_range_only(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool fits;
        uint64_t value;
    } cases[] = {
        {"0", true, 0},
        {"18446744073709551615", true, UINT64_MAX},
        {"18446744073709551616", false, 0},
        {"18446744073709551620", false, 0},
        {"184467440737095516150", false, 0},
        {"-1", false, 0},
        {"1.5", false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_node node = number(cases[i].text);
        uint64_t value = 77;
        assert_int_equal(json_uint64(&node, &value), cases[i].fits);
        assert_true(value == (cases[i].fits ? cases[i].value : 77));
    }
}

static void codec_json_number__other_values_are_no_numbers(void **state) {
    (void)state;
    const struct json_node string = {.type = JSON_STRING, .text = slice_of_string("1")};
    const struct json_node null = {.type = JSON_NULL};
    int64_t i;
    uint64_t u;
    double d;
    assert_false(json_int64(&string, &i) || json_uint64(&string, &u) || json_double(&string, &d));
    assert_false(json_int64(&null, &i) || json_uint64(&null, &u) || json_double(&null, &d));
}

static void codec_json_put_int__writes_the_ends_of_the_range(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(200);
    json_put_int(&b, INT64_MIN);
    buf_append_byte(&b, ' ');
    json_put_int(&b, INT64_MAX);
    buf_append_byte(&b, ' ');
    json_put_int(&b, 0);
    buf_append_byte(&b, ' ');
    json_put_uint(&b, UINT64_MAX);
    buf_append_byte(&b, 0);
    assert_string_equal((const char *)b.data,
                        "-9223372036854775808 9223372036854775807 0 18446744073709551615");
}

/* ---- Reading doubles --------------------------------------------------------------------- */

static double read_double(const char *text) {
    struct json_node node = number(text);
    double value;
    assert_true(json_double(&node, &value));
    return value;
}

/* Equal bits: -0 is not 0. */
static void assert_same(double got, double expected) {
    if (memcmp(&got, &expected, sizeof got) != 0)
        fail_msg("%a is not %a", got, expected);
}

static void codec_json_double__reads_the_hard_ones(void **state) {
    (void)state;
    assert_same(read_double("-0"), -0.0);
    assert_same(read_double("-0.000e5"), -0.0);
    assert_same(read_double("9007199254740993"), 9007199254740992.0); /* half way: to even */
    assert_same(read_double("9007199254740993.00000000000000000001"), 9007199254740994.0);
    assert_same(read_double("9007199254740991"), 9007199254740991.0);
    assert_same(read_double("1.7976931348623157e308"), DBL_MAX);
    assert_same(read_double("2.2250738585072011e-308"), 0x0.fffffffffffffp-1022);
    assert_same(read_double("2.2250738585072014e-308"), DBL_MIN);
    assert_same(read_double("4.9e-324"), 0x1p-1074);
    assert_same(read_double("2.4703282292062327e-324"), 0.0);
    assert_same(read_double("2.4703282292062328e-324"), 0x1p-1074);
    assert_same(read_double("1e-999999999999999999999"), 0.0);
    assert_same(read_double("0e999999999999999999999"), 0.0);
    assert_same(read_double("1e23"), 1e23);
    assert_same(read_double("123e-25"), 123e-25);
    assert_same(read_double("6.02214076E+23"), 6.02214076e23);
}

/* 1 + 2^-53 is half way between 1 and the next double; its digits, then many zeros, then `last`. */
static double read_half_way(size_t zeros, char last) {
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_append_string(&text, "1.00000000000000011102230246251565404236316680908203125");
    for (size_t i = 0; i < zeros; i++)
        buf_append_byte(&text, '0');
    buf_append_byte(&text, (uint8_t)last);
    buf_append_byte(&text, 0);
    return read_double((const char *)text.data);
}

static void codec_json_double__the_last_of_many_digits_decides(void **state) {
    (void)state;
    static const size_t zeros[] = {0, 10, 700, 745, 746, 747, 748, 800, 5000, 100000};
    for (size_t i = 0; i < COUNT_OF(zeros); i++) {
        assert_same(read_half_way(zeros[i], '0'), 1.0);
        assert_same(read_half_way(zeros[i], '1'), 1.0 + DBL_EPSILON);
    }
}

static void codec_json_double__counts_long_runs_of_zeros(void **state) {
    (void)state;
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    buf_append_string(&text, "0.");
    for (int i = 0; i < 2000; i++)
        buf_append_byte(&text, '0');
    buf_append_string(&text, "15e2001");
    buf_append_byte(&text, 0);
    assert_same(read_double((const char *)text.data), 1.5);
    buf_reset(&text);
    buf_append_string(&text, "15");
    for (int i = 0; i < 2000; i++)
        buf_append_byte(&text, '0');
    buf_append_string(&text, ".000e-2001");
    buf_append_byte(&text, 0);
    assert_same(read_double((const char *)text.data), 1.5);
}

static void codec_json_double__is_false_beyond_a_double(void **state) {
    (void)state;
    static const char *const cases[] = {"1e309", "-1e999", "1.7976931348623159e308",
                                        "17976931348623159e292", "1e99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct json_node node = number(cases[i]);
        double value = 77;
        assert_false(json_double(&node, &value));
        assert_true(value == 77);
    }
}

static void codec_json_double__agrees_with_strtod_on_random_decimals(void **state) {
    (void)state;
    struct random r = {0xdec1a1};
    for (int i = 0; i < 100000; i++) {
        char text[80];
        unsigned long long digits = random_next(&r) >> random_below(&r, 64);
        int exponent = (int)random_below(&r, random_below(&r, 2) ? 700 : 50);
        exponent -= exponent > 50 ? 350 : 25;
        if (random_below(&r, 2))
            snprintf(text, sizeof text, "%llue%d", digits, exponent);
        else
            snprintf(text, sizeof text, "-%llu.%05lluE%+d", digits % 1000, digits, exponent);
        double expected = strtod(text, NULL), value = 77;
        struct json_node node = number(text);
        assert_int_equal(json_double(&node, &value), !isinf(expected));
        if (!isinf(expected))
            assert_same(value, expected);
    }
}

/* ---- Writing doubles --------------------------------------------------------------------- */

static void put_double(double value, char text[40]) {
    AUTO_BUF struct buf b = BUF_INIT(39);
    json_put_double(&b, value);
    assert_int_equal(b.status, 0);
    memcpy(text, b.data, b.size);
    text[b.size] = 0;
}

static void codec_json_put_double__writes_the_shortest_form(void **state) {
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0.0"},
        {1, "1"},
        {-100, "-100"},
        {0.5, "0.5"},
        {0.1, "0.1"},
        {-0.85, "-0.85"},
        {0.1 + 0.2, "0.30000000000000004"},
        {12345.678, "12345.678"},
        {9007199254740991.0, "9007199254740991"},
        {9007199254740992.0, "9007199254740992"},
        {9007199254740994.0, "9007199254740994"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e20, "100000000000000000000"},
        {1e21, "1e21"},
        {1.5e21, "1.5e21"},
        {1e23, "1e23"}, /* lies on the border of its rounding interval */
        {1e300, "1e300"},
        {1e-5, "0.00001"},
        {0.000001, "0.000001"},
        {1.25e-6, "0.00000125"},
        {1e-7, "1e-7"},
        {1.5e-7, "1.5e-7"},
        {0x1p-1074, "5e-324"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e308"},
        {0x1p-44, "5.684341886080802e-14"}, /* the interval below a power of two is narrower */
        {1.0 / 3, "0.3333333333333333"},
        {(double)0.1f, "0.10000000149011612"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char text[40];
        put_double(cases[i].value, text);
        assert_string_equal(text, cases[i].text);
    }
}

/* The fewest digits of "%.*e" that read back; a correctly rounded form is never shorter than it. */
static int fewest_digits(double value) {
    char text[40];
    int digits = 0;
    do
        snprintf(text, sizeof text, "%.*e", digits++, value);
    while (strtod(text, NULL) != value);
    return digits;
}

/* Significant digits of a decimal text. */
static int count_digits(const char *text) {
    int count = 0, zeros = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9' || (count == 0 && *p == '0'))
            continue;
        zeros = *p == '0' ? zeros + 1 : 0;
        count++;
    }
    return count - zeros;
}

static double random_double(struct random *r) {
    uint64_t bits = random_next(r);
    switch (random_below(r, 5)) {
    case 0:
        bits &= UINT64_C(0x800fffffffffffff); /* below the normal numbers */
        break;
    case 1:
        bits &= UINT64_C(0xfff0000000000000); /* powers of two */
        break;
    case 2:
        return (double)(float)((double)(int64_t)bits * 0x1p-63); /* embeddings */
    case 3:
        return (double)(int64_t)random_below(r, 1000000) / 1000; /* rewards */
    default:
        break;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return isfinite(value) ? value : 0.0;
}

static void codec_json_put_double__random_doubles_come_back_from_the_fewest_digits(void **state) {
    (void)state;
    struct random r = {0xd0b1e5};
    for (int i = 0; i < 60000; i++) {
        double value = random_double(&r);
        char text[40];
        put_double(value, text);
        assert_same(read_double(text), value);
        assert_same(strtod(text, NULL), value);
        assert_true(count_digits(text) <= fewest_digits(value));
        assert_int_equal(json_check(slice_of_string(text), NULL), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_json_int64__takes_integers_of_its_range_only),
        cmocka_unit_test(codec_json_uint64__takes_integers_of_its_range_only),
        cmocka_unit_test(codec_json_number__other_values_are_no_numbers),
        cmocka_unit_test(codec_json_put_int__writes_the_ends_of_the_range),
        cmocka_unit_test(codec_json_double__reads_the_hard_ones),
        cmocka_unit_test(codec_json_double__the_last_of_many_digits_decides),
        cmocka_unit_test(codec_json_double__counts_long_runs_of_zeros),
        cmocka_unit_test(codec_json_double__is_false_beyond_a_double),
        cmocka_unit_test(codec_json_double__agrees_with_strtod_on_random_decimals),
        cmocka_unit_test(codec_json_put_double__writes_the_shortest_form),
        cmocka_unit_test(codec_json_put_double__random_doubles_come_back_from_the_fewest_digits),
    };
    return cmocka_run_group_tests_name("codec/json_number", tests, NULL, NULL);
}
