/*
 * utf8_test.c - UTF-8 is checked as RFC 3629 has it: against its table, byte by byte, and against
 * a plain decoder for every sequence there is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"

static bool valid(const void *data, size_t size) { return utf8_valid(slice_of(data, size)); }

/* A decoder that follows the definition: lengths by the first byte, then the value's range. */
static bool decodes(const uint8_t *p, size_t size) {
    while (size) {
        size_t length = p[0] < 0x80             ? 1
                        : (p[0] & 0xe0) == 0xc0 ? 2
                        : (p[0] & 0xf0) == 0xe0 ? 3
                        : (p[0] & 0xf8) == 0xf0 ? 4
                                                : 0;
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (length == 0 || length > size)
            return false;
        uint32_t value = length == 1 ? p[0] : (uint32_t)(p[0] & (0xff >> (length + 1)));
        for (size_t i = 1; i < length; i++) {
            if ((p[i] & 0xc0) != 0x80)
                return false;
            value = value << 6 | (p[i] & 0x3f);
        }
        if (value < least[length] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
            return false;
        p += length;
        size -= length;
    }
    return true;
}

static void every_sequence_of_up_to_three_bytes__is_judged_as_decoded(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 1u << 24; n++) {
        uint8_t bytes[3] = {(uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
        if (bytes[0] < 0x80 && (n & 0x1f1f) != 0)
            continue; /* an ASCII byte first makes a shorter case: a sample of them is enough */
        if (valid(bytes, 3) != decodes(bytes, 3))
            fail_msg("%02x %02x %02x", bytes[0], bytes[1], bytes[2]);
    }
}

static void every_sequence_of_four_bytes_at_a_border__is_judged_as_decoded(void **state) {
    static const uint8_t seconds[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff};
    (void)state;
    for (unsigned first = 0xe0; first <= 0xff; first++)
        for (size_t second = 0; second < COUNT_OF(seconds); second++)
            for (size_t third = 0; third < COUNT_OF(seconds); third++)
                for (size_t fourth = 0; fourth < COUNT_OF(seconds); fourth++) {
                    uint8_t bytes[4] = {(uint8_t)first, seconds[second], seconds[third],
                                        seconds[fourth]};
                    for (size_t size = 1; size <= 4; size++)
                        assert_true(valid(bytes, size) == decodes(bytes, size));
                }
}

/* Eight ASCII bytes are looked at in one step: what comes after and within must not be missed. */
static void bad_byte__is_found_at_every_place_of_a_long_text(void **state) {
    char text[40];
    (void)state;
    for (size_t size = 0; size <= sizeof text; size++) {
        memset(text, 'a', sizeof text);
        assert_true(valid(text, size));
        for (size_t at = 0; at < size; at++) {
            text[at] = (char)0x80;
            assert_false(valid(text, size));
            text[at] = (char)0xc3;
            if (at + 1 < size) {
                text[at + 1] = (char)0xa9;
                assert_true(valid(text, size));
                text[at + 1] = 'a';
            }
            assert_false(valid(text, size));
            text[at] = 'a';
        }
    }
    assert_true(valid(NULL, 0));
    assert_true(valid("a\0b", 3));
    assert_true(valid("\xf4\x8f\xbf\xbf", 4));
    assert_false(valid("\xf4\x90\x80\x80", 4));
    assert_false(valid("\xed\xa0\x80", 3));
    assert_false(valid("\xc0\x80", 2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sequence_of_up_to_three_bytes__is_judged_as_decoded),
        cmocka_unit_test(every_sequence_of_four_bytes_at_a_border__is_judged_as_decoded),
        cmocka_unit_test(bad_byte__is_found_at_every_place_of_a_long_text),
    };
    return cmocka_run_group_tests_name("base/utf8", tests, NULL, NULL);
}
