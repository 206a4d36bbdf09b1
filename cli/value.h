/*
 * value.h - the values that options and settings take, and how they are checked.
 *
 * Options (cli.h) and settings (settings.h) describe their values with the same rule, so that a
 * bad one gets the same sentence wherever it came from, and completion knows what to offer.
 */
#ifndef MNEME_CLI_VALUE_H
#define MNEME_CLI_VALUE_H

#include <stdint.h>

#include "mneme/mneme.h"

enum value_type {
    VALUE_NONE = 0, /* a switch: takes no value */
    VALUE_TEXT,     /* any text; `choices`, if given, are proposals for completion only */
    VALUE_FILE,     /* the path of a file */
    VALUE_ID,       /* an id or the beginning of one */
    VALUE_TIME,     /* what mneme_time_parse takes */
    VALUE_WHOLE,    /* a whole number from min to max */
    VALUE_REAL,     /* a finite decimal number; from min to max unless both are 0 */
    VALUE_BYTES,    /* a size from min to max bytes: "65536", "64K", "64 KiB" */
    VALUE_PAIR,     /* NAME=VALUE */
    VALUE_CHOICE    /* one of `choices` */
};

struct value_rule {
    enum value_type type;
    int64_t min, max;
    const char *choices; /* "a|b|c" */
};

/* 0, or MNEME_INVALID with a sentence that begins with `name` and says what is expected. */
int value_check(const struct value_rule *rule, const char *name, const char *text,
                mneme_error *error);

/* The value of a text that value_check has passed. */
int64_t value_whole(const char *text);
double value_real(const char *text);
int64_t value_bytes(const char *text);

/* A size in the largest unit in which it is a whole number: "64 KiB". */
enum { VALUE_SIZE_TEXT = 32 };
void value_put_size(int64_t bytes, char text[VALUE_SIZE_TEXT]);

/* Where `text` stands among the choices, from 0; -1: it is none of them. */
int value_choice(const char *choices, const char *text);

/* Step through "a|b|c": sets *choice to the next one; false at the end. Start at the string. */
bool value_next_choice(const char **rest, mneme_text *choice);

/* Fill *error and return `code`. */
int fail_with(mneme_error *error, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
