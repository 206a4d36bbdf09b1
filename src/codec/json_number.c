/*
 * json_number.c - numbers between JSON text and C, exact in both directions.
 *
 * Reading a double: strtod rounds correctly, and what it depends on of the locale is the decimal
 * point only. So it is given digits and an exponent, without a point.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "codec/json.h"
#include "codec/json_rapid.h"

/* ---- Reading integers -------------------------------------------------------------------- */

/* The digits of a number that is written as an integer, without its sign. */
static bool read_digits(struct slice text, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < text.size; i++) {
        unsigned digit = (unsigned)text.data[i] - '0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return text.size > 0;
}

bool json_uint64(const struct json_node *node, uint64_t *out) {
    return node->type == JSON_NUMBER && read_digits(node->text, out);
}

bool json_int64(const struct json_node *node, int64_t *out) {
    struct slice text = node->text;
    bool negative = node->type == JSON_NUMBER && text.data[0] == '-';
    uint64_t magnitude;
    if (negative)
        text = slice_of(text.data + 1, text.size - 1);
    if (node->type != JSON_NUMBER || !read_digits(text, &magnitude) ||
        magnitude > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

/* ---- Reading doubles --------------------------------------------------------------------- */

/* A number half way between two doubles has at most 767 digits (half a unit below the smallest
 * normal number does); of what follows these it only matters whether it is all zero. */
enum { DIGITS_KEPT = 800 };

/* 0 or DIGITS x 10^scale, and a little more when digits that are not all zero were dropped. */
struct decimal {
    bool negative;
    bool dropped;
    size_t size;
    int64_t scale;
    char digits[DIGITS_KEPT];
};

static void decimal_add(struct decimal *d, char digit, bool fraction) {
    bool leading_zero = d->size == 0 && digit == '0';
    if (leading_zero || d->size < DIGITS_KEPT) {
        d->scale -= fraction;
        if (!leading_zero)
            d->digits[d->size++] = digit;
    } else {
        d->scale += !fraction;
        d->dropped |= digit != '0';
    }
}

/* An exponent, held far outside of what matters when it is huge. */
static int64_t read_exponent(const char *p, const char *end) {
    bool negative = *p == '-';
    int64_t value = 0;
    for (p += *p == '-' || *p == '+'; p < end; p++)
        if (value < INT32_MAX)
            value = value * 10 + (*p - '0');
    return negative ? -value : value;
}

/* `text` follows the grammar of JSON numbers. */
static void decimal_read(struct decimal *d, struct slice text) {
    const char *p = (const char *)text.data, *end = p + text.size;
    bool fraction = false;
    d->negative = *p == '-';
    d->dropped = false;
    d->size = 0;
    d->scale = 0;
    for (p += d->negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.')
            fraction = true;
        else
            decimal_add(d, *p, fraction);
    }
    if (p < end)
        d->scale += read_exponent(p + 1, end);
}

/* Up to 15 digits, and powers of ten to 22, are exact as doubles, so one operation on them rounds
 * once (Clinger 1990). False where that does not hold. */
static bool decimal_value_fast(const struct decimal *d, double *out) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (FLT_EVAL_METHOD != 0 || d->size > 15 || d->scale < -22 || d->scale > 22)
        return false;
    int64_t digits = 0;
    for (size_t i = 0; i < d->size; i++)
        digits = digits * 10 + (d->digits[i] - '0');
    *out = d->scale < 0 ? (double)digits / powers[-d->scale] : (double)digits * powers[d->scale];
    return true;
}

/* The magnitude of a decimal, correctly rounded; HUGE_VAL beyond a double. */
static double decimal_value(const struct decimal *d) {
    double value = 0;
    if (d->size == 0 || decimal_value_fast(d, &value))
        return value;
    char text[DIGITS_KEPT + 32];
    memcpy(text, d->digits, d->size);
    snprintf(text + d->size, sizeof text - d->size, "%se%lld", d->dropped ? "1" : "",
             (long long)(d->scale - d->dropped));
    return strtod(text, NULL);
}

bool json_double(const struct json_node *node, double *out) {
    if (node->type != JSON_NUMBER)
        return false;
    struct decimal decimal;
    decimal_read(&decimal, node->text);
    double value = decimal_value(&decimal);
    if (isinf(value))
        return false;
    *out = decimal.negative ? -value : value;
    return true;
}

/* ---- Writing ----------------------------------------------------------------------------- */

void json_put_uint(struct buf *b, uint64_t value) {
    char text[20]; /* of 18446744073709551615 */
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_append(b, text + at, sizeof text - at);
}

void json_put_int(struct buf *b, int64_t value) {
    if (value < 0)
        buf_append_byte(b, '-');
    json_put_uint(b, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

/* The last digit dropped, and where `up`, the one before it raised. */
static void decimal_shorten(struct decimal *d, bool up) {
    d->size--;
    d->scale++;
    while (up && d->size && d->digits[d->size - 1] == '9') {
        d->size--;
        d->scale++;
    }
    if (up && d->size == 0)
        d->digits[d->size++] = '1';
    else if (up)
        d->digits[d->size - 1]++;
    while (d->digits[d->size - 1] == '0') {
        d->size--;
        d->scale++;
    }
}

/* The nearest decimal of 17 digits, which every double comes back from. */
static void decimal_nearest(struct decimal *d, double value) {
    char text[40]; /* one digit, the locale's decimal point, 16 digits, the exponent */
    snprintf(text, sizeof text, "%.16e", value);
    d->size = 0;
    char *p = text;
    for (; *p != 'e'; p++)
        if (*p >= '0' && *p <= '9')
            d->digits[d->size++] = *p;
    d->scale = strtol(p + 1, NULL, 10) - (int64_t)d->size + 1;
}

/*
 * Drops digits while the decimal reads back as `value`. If any decimal of one digit less does, so
 * does this one rounded down or up, since everything between two that do does too.
 */
static void decimal_shortest(struct decimal *d, double value) {
    while (d->size > 1) {
        bool nearer_up = d->digits[d->size - 1] >= '5';
        struct decimal nearer = *d, farther = *d;
        decimal_shorten(&nearer, nearer_up);
        decimal_shorten(&farther, !nearer_up);
        if (decimal_value(&nearer) == value)
            *d = nearer;
        else if (decimal_value(&farther) == value)
            *d = farther;
        else
            return;
    }
}

/*
 * The shortest decimal that reads back as `value`, and of these one that is nearest. RapidJSON's
 * digits (Grisu2) are quick, but not always that: 1e23 comes out with 16 digits, and 0.1 + 0.2
 * ends in 7. They are right with up to 15 digits, of which no two read as one normal double.
 */
static void decimal_of(struct decimal *d, double value) {
    int scale;
    d->negative = false;
    d->dropped = false;
    d->size = (size_t)json_rapid_digits(value, d->digits, &scale);
    d->scale = scale;
    if (d->size > 15 || value < DBL_MIN) {
        decimal_nearest(d, value);
        decimal_shortest(d, value);
    }
}

/* The forms of ECMAScript's Number::toString, but for the plus sign of an exponent: plain from
 * 1e-6 up to 1e21, else with an exponent. */
static void put_decimal(struct buf *b, const struct decimal *d) {
    int64_t size = (int64_t)d->size, point = size + d->scale; /* digits before the point */
    bool plain = point > -6 && point <= 21;
    int64_t before = !plain ? 1 : point > size ? size : point > 0 ? point : 0;
    buf_append(b, d->digits, (size_t)before);
    if (before == 0)
        buf_append_byte(b, '0');
    for (int64_t i = size; plain && i < point; i++)
        buf_append_byte(b, '0');
    if (before < size)
        buf_append_byte(b, '.');
    for (int64_t i = point; plain && i < 0; i++)
        buf_append_byte(b, '0');
    buf_append(b, d->digits + before, (size_t)(size - before));
    if (!plain) {
        buf_append_byte(b, 'e');
        json_put_int(b, point - 1);
    }
}

void json_put_double(struct buf *b, double value) {
    ASSERT(isfinite(value));
    double magnitude = fabs(value);
    if (signbit(value))
        buf_append_byte(b, '-');
    if (value == 0) {
        buf_append_string(b, signbit(value) ? "0.0" : "0");
    } else if (magnitude <= 9007199254740992.0 && magnitude == floor(magnitude)) {
        json_put_uint(b, (uint64_t)magnitude);
    } else {
        struct decimal d;
        decimal_of(&d, magnitude);
        put_decimal(b, &d);
    }
}
