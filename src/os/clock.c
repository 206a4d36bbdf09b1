/*
 * clock.c - clocks, and times as RFC 3339 text.
 */
#include <stdio.h>
#include <time.h>

#include "os/os.h"

static const int64_t SECOND_US = 1000000;
static const int64_t DAY_SECONDS = 86400;

static int64_t clock_read(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

int64_t clock_wall_us(void) { return clock_read(CLOCK_REALTIME); }
int64_t clock_monotonic_us(void) { return clock_read(CLOCK_MONOTONIC); }

/* Days since 1970-01-01 of a date of the proleptic Gregorian calendar, and back; years count
 * from March, so that the leap day is the last of its year (Hinnant, "chrono-Compatible
 * Low-Level Date Algorithms"). */
static int64_t days_of_date(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static void date_of_days(int64_t days, int64_t *year, int64_t *month, int64_t *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153;
    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted + (shifted < 10 ? 3 : -9);
    *year = year_of_era + era * 400 + (*month <= 2);
}

void time_format(int64_t time_us, char text[TIME_TEXT_SIZE]) {
    int64_t micros = time_us % SECOND_US + (time_us % SECOND_US < 0 ? SECOND_US : 0);
    int64_t seconds = time_us / SECOND_US - (time_us % SECOND_US < 0);
    int64_t days = seconds / DAY_SECONDS - (seconds % DAY_SECONDS < 0);
    int64_t left = seconds - days * DAY_SECONDS;
    int64_t year, month, day;
    date_of_days(days, &year, &month, &day);
    int n = snprintf(text, TIME_TEXT_SIZE, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld",
                     (long long)year, (long long)month, (long long)day, (long long)(left / 3600),
                     (long long)(left / 60 % 60), (long long)(left % 60));
    size_t used = size_min(n < 0 ? 0 : (size_t)n, TIME_TEXT_SIZE - 1);
    if (micros)
        snprintf(text + used, TIME_TEXT_SIZE - used, ".%06lldZ", (long long)micros);
    else
        snprintf(text + used, TIME_TEXT_SIZE - used, "Z");
}

/* ---- Parsing ----------------------------------------------------------------------------- */

struct scanner {
    const char *at;
    const char *end;
    bool bad;
};

static bool scan_is(struct scanner *s, const char *any_of) {
    return s->at < s->end && *s->at && strchr(any_of, *s->at);
}

static int64_t scan_digits(struct scanner *s, int count) {
    int64_t value = 0;
    for (int i = 0; i < count; i++) {
        if (!scan_is(s, "0123456789")) {
            s->bad = true;
            return 0;
        }
        value = value * 10 + (*s->at++ - '0');
    }
    return value;
}

static void scan_char(struct scanner *s, const char *any_of) {
    if (scan_is(s, any_of))
        s->at++;
    else
        s->bad = true;
}

/* Digits after the point to microseconds; finer digits are cut. */
static int64_t scan_fraction(struct scanner *s) {
    int64_t micros = 0, unit = SECOND_US / 10;
    if (!scan_is(s, "0123456789"))
        s->bad = true;
    while (scan_is(s, "0123456789")) {
        micros += (*s->at++ - '0') * unit;
        unit /= 10;
    }
    return micros;
}

/* "Z" or "+hh:mm" to seconds east of UTC. */
static int64_t scan_offset(struct scanner *s) {
    if (scan_is(s, "Zz")) {
        s->at++;
        return 0;
    }
    int64_t sign = scan_is(s, "-") ? -1 : 1;
    scan_char(s, "+-");
    int64_t hours = scan_digits(s, 2);
    scan_char(s, ":");
    int64_t minutes = scan_digits(s, 2);
    if (hours > 23 || minutes > 59)
        s->bad = true;
    return sign * (hours * 3600 + minutes * 60);
}

static int64_t days_in_month(int64_t year, int64_t month) {
    int64_t next = month == 12 ? days_of_date(year + 1, 1, 1) : days_of_date(year, month + 1, 1);
    return next - days_of_date(year, month, 1);
}

static bool scan_date(struct scanner *s, int64_t *days) {
    int64_t year = scan_digits(s, 4);
    scan_char(s, "-");
    int64_t month = scan_digits(s, 2);
    scan_char(s, "-");
    int64_t day = scan_digits(s, 2);
    if (s->bad || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        s->bad = true;
    else
        *days = days_of_date(year, month, day);
    return !s->bad;
}

static bool scan_date_time(struct scanner *s, int64_t *time_us) {
    int64_t days;
    if (!scan_date(s, &days))
        return false;
    scan_char(s, "Tt ");
    int64_t hour = scan_digits(s, 2);
    scan_char(s, ":");
    int64_t minute = scan_digits(s, 2);
    scan_char(s, ":");
    int64_t second = scan_digits(s, 2);
    int64_t micros = 0;
    if (!s->bad && scan_is(s, ".")) {
        s->at++;
        micros = scan_fraction(s);
    }
    int64_t offset = scan_offset(s);
    /* A leap second (RFC 3339, 5.7) is taken as the first moment after it. */
    if (s->bad || s->at != s->end || hour > 23 || minute > 59 || second > 60)
        return false;
    *time_us =
        (days * DAY_SECONDS + hour * 3600 + minute * 60 + second - offset) * SECOND_US + micros;
    return true;
}

int time_parse_rfc3339(mneme_text text, int64_t *time_us, mneme_error *error) {
    struct scanner s = {text.data, text.data + text.size, false};
    if (text.size == 0 || !scan_date_time(&s, time_us))
        return error_set(error, MNEME_INVALID,
                         "\"%.*s\" is not a time; write it as 2026-11-21T08:02:00Z",
                         (int)size_min(text.size, 64), text.data ? text.data : "");
    return 0;
}

/* "15m": an amount and a unit, that long before now. */
static bool scan_age(struct scanner *s, int64_t *time_us) {
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    int64_t amount = 0;
    while (scan_is(s, "0123456789") && amount < 10000000)
        amount = amount * 10 + (*s->at++ - '0');
    if (s->end - s->at != 1 || s->at[-1] < '0' || s->at[-1] > '9')
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (units[i].unit == *s->at) {
            *time_us = clock_wall_us() - amount * units[i].seconds * SECOND_US;
            return true;
        }
    }
    return false;
}

int time_parse(mneme_text text, int64_t *time_us, mneme_error *error) {
    struct scanner s = {text.data, text.data + text.size, false};
    struct scanner date = s, age = s;
    int64_t days;
    if (text_is(text, "now"))
        *time_us = clock_wall_us();
    else if (text.size && scan_date_time(&s, time_us))
        return 0;
    else if (text.size && scan_date(&date, &days) && date.at == date.end)
        *time_us = days * DAY_SECONDS * SECOND_US;
    else if (text.size < 2 || !scan_is(&age, "0123456789") || !scan_age(&age, time_us))
        return error_set(error, MNEME_INVALID,
                         "\"%.*s\" is not a time; write 2026-11-21, 2026-11-21T08:02:00Z, "
                         "\"now\", or an age such as 15m, 36h, 7d",
                         (int)size_min(text.size, 64), text.data ? text.data : "");
    return 0;
}
