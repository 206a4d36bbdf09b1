/*
 * hrana_base64_test.c - bytes to base64 and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/sql/hrana/base64.h"

static void check_put(const char *bytes, const char *padded, const char *bare) {
    AUTO_BUF struct buf b = BUF_INIT(100);
    base64_put(&b, slice_of_string(bytes), true);
    assert_true(slice_equal(buf_slice(&b), slice_of_string(padded)));
    buf_reset(&b);
    base64_put(&b, slice_of_string(bytes), false);
    assert_true(slice_equal(buf_slice(&b), slice_of_string(bare)));
}

static void sql_base64_put__writes_the_vectors_of_rfc_4648(void **state) {
    (void)state;
    check_put("", "", "");
    check_put("f", "Zg==", "Zg");
    check_put("fo", "Zm8=", "Zm8");
    check_put("foo", "Zm9v", "Zm9v");
    check_put("foob", "Zm9vYg==", "Zm9vYg");
    check_put("fooba", "Zm9vYmE=", "Zm9vYmE");
    check_put("foobar", "Zm9vYmFy", "Zm9vYmFy");
    check_put("\xfb\xff\xbe", "+/++", "+/++");
}

static void sql_base64_put__stops_at_the_buffers_maximum(void **state) {
    (void)state;
    AUTO_BUF struct buf b = BUF_INIT(7);
    base64_put(&b, slice_of("foob", 4), true);
    assert_int_equal(b.status, MNEME_TOO_LARGE);
}

static void sql_base64_get__gives_back_what_was_put(void **state) {
    (void)state;
    uint8_t bytes[300], back[304];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 256);
    for (size_t size = 0; size <= sizeof bytes; size++)
        for (int padding = 0; padding < 2; padding++) {
            AUTO_BUF struct buf b = BUF_INIT(500);
            base64_put(&b, slice_of(bytes, size), padding);
            size_t got = 999;
            assert_true(base64_room(b.size) <= sizeof back);
            assert_true(base64_get(buf_slice(&b), back, &got));
            assert_true(slice_equal(slice_of(back, got), slice_of(bytes, size)));
        }
}

static void sql_base64_get__refuses_what_is_not_base64(void **state) {
    (void)state;
    static const char *const bad[] = {
        "A",      "AAAAA",    "=",     "==",       "A=",      "A==",     "A===",     "====",
        "AA=A",   "AA==AA==", "AB==",  "AAB=",     "AAB",     "AB",      "AA-_",     "AA\n",
        "AAAA\n", " AAA",     "AA\\/", "AAAA====", "AAA\xc3", "\200AAA", "AAAAAA\"="};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        uint8_t out[16];
        size_t size = 77;
        if (base64_get(slice_of_string(bad[i]), out, &size))
            fail_msg("\"%s\" was taken", bad[i]);
    }
}

static void sql_base64_get__refuses_each_byte_that_is_no_letter(void **state) {
    (void)state;
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (unsigned c = 0; c < 256; c++)
        for (size_t at = 0; at < 8; at++) {
            uint8_t text[8] = {'A', 'A', 'A', 'A', 'A', 'A', 'A', 'A'}, out[8];
            size_t size;
            text[at] = (uint8_t)c;
            bool letter = c && strchr(letters, (int)c) != NULL;
            bool padding = c == '=' && at == 7;
            assert_int_equal(base64_get(slice_of(text, 8), out, &size), letter || padding);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_base64_put__writes_the_vectors_of_rfc_4648),
        cmocka_unit_test(sql_base64_put__stops_at_the_buffers_maximum),
        cmocka_unit_test(sql_base64_get__gives_back_what_was_put),
        cmocka_unit_test(sql_base64_get__refuses_what_is_not_base64),
        cmocka_unit_test(sql_base64_get__refuses_each_byte_that_is_no_letter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
