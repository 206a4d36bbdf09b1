/*
 * clock_test.c - clocks, and times as text at the ends of what a number can hold.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "os/os.h"
#include "support/random_record.h"

static mneme_text text_of(const char *s) { return (mneme_text){s, strlen(s)}; }

static void clock_monotonic__never_goes_back(void **state) {
    (void)state;
    int64_t last = clock_monotonic_us();
    for (int i = 0; i < 100000; i++) {
        int64_t now = clock_monotonic_us();
        assert_true(now >= last);
        last = now;
    }
    assert_true(clock_wall_us() > INT64_C(1600000000000000));
}

/* Against the C library's own calendar. */
static void time_format__agrees_with_gmtime(void **state) {
    struct rng rng = {9};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char ours[TIME_TEXT_SIZE], theirs[64];
        int64_t seconds = (int64_t)rng_below(&rng, UINT64_C(315537897599)) - INT64_C(62135596800);
        time_t t = (time_t)seconds;
        struct tm tm;
        time_format(seconds * 1000000, ours);
        assert_non_null(gmtime_r(&t, &tm));
        snprintf(theirs, sizeof theirs, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_string_equal(ours, theirs);
    }
}

static void time_format__goes_back_through_parse(void **state) {
    struct rng rng = {10};
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[TIME_TEXT_SIZE];
        int64_t back = 0, us = (int64_t)rng_below(&rng, UINT64_C(315537897600000000)) -
                               INT64_C(62135596800000000);
        time_format(us, text);
        assert_int_equal(time_parse_rfc3339(text_of(text), &back, NULL), 0);
        assert_int_equal(back, us);
    }
}

static void time_format__stays_in_its_bounds_for_every_number(void **state) {
    static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        char text[TIME_TEXT_SIZE + 1];
        text[TIME_TEXT_SIZE] = 'x';
        time_format(times[i], text);
        assert_int_equal(text[TIME_TEXT_SIZE], 'x');
        assert_true(strlen(text) >= 20);
        assert_int_equal(text[strlen(text) - 1], 'Z');
    }
}

static void time_parse_rfc3339__takes_no_ages_and_no_dates(void **state) {
    static const char *const bad[] = {"now", "7d", "2026-11-21", "", "2026-11-21T08:02:00"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t us = 5;
        mneme_error error;
        assert_int_equal(time_parse_rfc3339(text_of(bad[i]), &us, &error), MNEME_INVALID);
        assert_int_equal(us, 5);
        assert_non_null(strstr(error.message, "is not a time"));
    }
}

/* What a time may look like at its edges, and any bytes at all. */
static void time_parse__survives_any_bytes(void **state) {
    static const char good[] = "2026-11-21T08:02:00.123456+02:00";
    struct rng rng = {11};
    (void)state;
    for (int i = 0; i < 50000; i++) {
        char text[sizeof good];
        int64_t us;
        memcpy(text, good, sizeof good);
        for (uint64_t n = rng_below(&rng, 3); n; n--)
            text[rng_below(&rng, sizeof good)] = (char)rng_next(&rng);
        (void)time_parse((mneme_text){text, rng_below(&rng, sizeof good + 1)}, &us, NULL);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_monotonic__never_goes_back),
        cmocka_unit_test(time_format__agrees_with_gmtime),
        cmocka_unit_test(time_format__goes_back_through_parse),
        cmocka_unit_test(time_format__stays_in_its_bounds_for_every_number),
        cmocka_unit_test(time_parse_rfc3339__takes_no_ages_and_no_dates),
        cmocka_unit_test(time_parse__survives_any_bytes),
    };
    return cmocka_run_group_tests_name("os/clock", tests, NULL, NULL);
}
