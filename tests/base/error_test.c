/*
 * error_test.c - the error setter cuts long texts, and errno values become codes in one place.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"

static void error_set__fills_and_returns_the_code(void **state) {
    mneme_error error = {0};
    (void)state;
    assert_int_equal(error_set(&error, MNEME_INVALID, "%s %d", "number", 7), MNEME_INVALID);
    assert_int_equal(error.code, MNEME_INVALID);
    assert_string_equal(error.message, "number 7");
    assert_int_equal(error_set(NULL, MNEME_IO, "%s", "x"), MNEME_IO);
}

static void error_set__cuts_what_is_too_long(void **state) {
    char longest[2000];
    struct {
        mneme_error error;
        char guard[8];
    } room;
    (void)state;
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    memset(&room, 'g', sizeof room);
    error_set(&room.error, MNEME_IO, "%s", longest);
    assert_int_equal(strlen(room.error.message), MNEME_ERROR_TEXT_MAX - 1);
    error_set_errno(&room.error, ENOSPC, "%s", longest);
    assert_int_equal(strlen(room.error.message), MNEME_ERROR_TEXT_MAX - 1);
    error_prefix(&room.error, MNEME_IO, "%s", longest);
    assert_int_equal(strlen(room.error.message), MNEME_ERROR_TEXT_MAX - 1);
    error_set(&room.error, MNEME_IO, "short");
    error_prefix(&room.error, MNEME_IO, "%s", longest + 1490);
    assert_int_equal(strlen(room.error.message), MNEME_ERROR_TEXT_MAX - 1);
    assert_memory_equal(room.guard, "gggggggg", 8);
}

static void error_prefix__goes_before_the_text(void **state) {
    mneme_error error;
    (void)state;
    error_set(&error, MNEME_INVALID, "is wrong");
    assert_int_equal(error_prefix(&error, MNEME_INVALID, "record %d", 3), MNEME_INVALID);
    assert_string_equal(error.message, "record 3: is wrong");
    assert_int_equal(error_prefix(NULL, MNEME_INVALID, "x"), MNEME_INVALID);
    /* One that was never filled has no end: the text stays in its bounds. */
    memset(&error, 'y', sizeof error);
    error_prefix(&error, MNEME_INVALID, "x");
    assert_true(strlen(error.message) < MNEME_ERROR_TEXT_MAX);
}

static void errno_values__become_codes(void **state) {
    static const struct {
        int value, code;
    } cases[] = {
        {ENOMEM, MNEME_NO_MEMORY}, {ENOSPC, MNEME_NO_SPACE},  {EDQUOT, MNEME_NO_SPACE},
        {EFBIG, MNEME_NO_SPACE},   {ENOENT, MNEME_NOT_FOUND}, {EACCES, MNEME_PERMISSION},
        {EPERM, MNEME_PERMISSION}, {EROFS, MNEME_PERMISSION}, {EEXIST, MNEME_CONFLICT},
        {EAGAIN, MNEME_LOCKED},    {EBUSY, MNEME_LOCKED},     {EISDIR, MNEME_INVALID},
        {ENOTDIR, MNEME_INVALID},  {ELOOP, MNEME_INVALID},    {ENAMETOOLONG, MNEME_INVALID},
        {EINVAL, MNEME_INVALID},   {EIO, MNEME_IO},           {ENODEV, MNEME_IO},
        {987654, MNEME_IO}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mneme_error error;
        assert_int_equal(status_from_errno(cases[i].value), cases[i].code);
        assert_int_equal(error_set_errno(&error, cases[i].value, "doing %s", "it"), cases[i].code);
        assert_int_equal(error.code, cases[i].code);
        assert_memory_equal(error.message, "doing it: ", 10);
        assert_true(strlen(error.message) > 10);
    }
    assert_int_equal(error_set_errno(NULL, EIO, "x"), MNEME_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_set__fills_and_returns_the_code),
        cmocka_unit_test(error_set__cuts_what_is_too_long),
        cmocka_unit_test(error_prefix__goes_before_the_text),
        cmocka_unit_test(errno_values__become_codes),
    };
    return cmocka_run_group_tests_name("base/error", tests, NULL, NULL);
}
