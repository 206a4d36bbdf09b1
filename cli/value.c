/*
 * value.c - see value.h.
 */
#include "value.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int fail_with(mneme_error *error, int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    error->code = code;
    return code;
}

bool value_next_choice(const char **rest, mneme_text *choice) {
    if (*rest == NULL || **rest == '\0')
        return false;
    *choice = (mneme_text){*rest, strcspn(*rest, "|")};
    *rest += choice->size;
    if (**rest == '|')
        (*rest)++;
    return true;
}

int value_choice(const char *choices, const char *text) {
    mneme_text choice;
    size_t size = strlen(text);
    for (int i = 0; value_next_choice(&choices, &choice); i++)
        if (choice.size == size && memcmp(choice.data, text, size) == 0)
            return i;
    return -1;
}

static bool parse_whole(const char *text, int64_t *value) {
    char *end;
    errno = 0;
    /* strtoll passes over leading white space, which is a typing error here. */
    if (strchr("-0123456789", text[0]) == NULL)
        return false;
    long long parsed = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return false;
    *value = parsed;
    return true;
}

static bool parse_real(const char *text, double *value) {
    char *end;
    /* Only decimal digits: strtod would also take "nan", "infinity" and hexadecimal. */
    if (text[0] == '\0' || text[strspn(text, "+-.0123456789eE")] != '\0')
        return false;
    double parsed = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(parsed))
        return false;
    *value = parsed;
    return true;
}

/* K, M, G and T are binary, with or without "iB"; KB is not taken, for some mean 1,000 by it. */
static bool parse_unit(const char *text, unsigned *shift) {
    static const char letters[] = "kmgt";
    const char *letter = text[0] != '\0' ? strchr(letters, text[0] | 0x20) : NULL;
    *shift = letter != NULL ? 10 * ((unsigned)(letter - letters) + 1) : 0;
    if (letter != NULL)
        return text[1] == '\0' || strcasecmp(text + 1, "ib") == 0;
    return text[0] == '\0' || strcasecmp(text, "b") == 0;
}

static bool parse_bytes(const char *text, int64_t *value) {
    char number[20];
    unsigned shift;
    int64_t parsed;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits >= sizeof number)
        return false;
    memcpy(number, text, digits);
    number[digits] = '\0';
    text += digits;
    if (text[strspn(text, " ")] != '\0')
        text += strspn(text, " ");
    if (!parse_whole(number, &parsed) || !parse_unit(text, &shift) || parsed > INT64_MAX >> shift)
        return false;
    *value = parsed << shift;
    return true;
}

void value_put_size(int64_t bytes, char text[VALUE_SIZE_TEXT]) {
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t unit = 0;
    for (; unit < 4 && bytes >= 1024 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    snprintf(text, VALUE_SIZE_TEXT, "%lld %s", (long long)bytes, units[unit]);
}

int64_t value_whole(const char *text) {
    int64_t value = 0;
    parse_whole(text, &value);
    return value;
}

double value_real(const char *text) {
    double value = 0;
    parse_real(text, &value);
    return value;
}

int64_t value_bytes(const char *text) {
    int64_t value = 0;
    parse_bytes(text, &value);
    return value;
}

static int check_whole(const struct value_rule *rule, const char *name, const char *text,
                       mneme_error *error) {
    int64_t value;
    if (parse_whole(text, &value) && value >= rule->min && value <= rule->max)
        return 0;
    if (rule->max == INT64_MAX)
        return fail_with(error, MNEME_INVALID, "%s takes a whole number from %lld up, not '%.100s'",
                         name, (long long)rule->min, text);
    return fail_with(error, MNEME_INVALID,
                     "%s takes a whole number from %lld to %lld, not '%.100s'", name,
                     (long long)rule->min, (long long)rule->max, text);
}

static int check_real(const struct value_rule *rule, const char *name, const char *text,
                      mneme_error *error) {
    double value;
    bool is_real = parse_real(text, &value), bounded = rule->min != rule->max;
    if (is_real && (!bounded || (value >= (double)rule->min && value <= (double)rule->max)))
        return 0;
    if (!bounded)
        return fail_with(error, MNEME_INVALID,
                         "%s takes a decimal number such as 0.5, not '%.100s'", name, text);
    return fail_with(error, MNEME_INVALID,
                     "%s takes a decimal number from %lld to %lld, not '%.100s'", name,
                     (long long)rule->min, (long long)rule->max, text);
}

static int check_bytes(const struct value_rule *rule, const char *name, const char *text,
                       mneme_error *error) {
    int64_t value;
    char least[VALUE_SIZE_TEXT], most[VALUE_SIZE_TEXT];
    if (parse_bytes(text, &value) && value >= rule->min && value <= rule->max)
        return 0;
    value_put_size(rule->min, least);
    value_put_size(rule->max, most);
    return fail_with(error, MNEME_INVALID,
                     "%s takes a size from %s to %s, such as 32 MiB, not '%.100s'", name, least,
                     most, text);
}

static int check_choice(const struct value_rule *rule, const char *name, const char *text,
                        mneme_error *error) {
    char list[256] = "";
    const char *rest = rule->choices;
    mneme_text choice;
    if (value_choice(rule->choices, text) >= 0)
        return 0;
    while (value_next_choice(&rest, &choice)) {
        size_t used = strlen(list);
        snprintf(list + used, sizeof list - used, "%s%.*s", used > 0 ? ", " : "", (int)choice.size,
                 choice.data);
    }
    return fail_with(error, MNEME_INVALID, "%s takes one of %s, not '%.100s'", name, list, text);
}

static int check_time(const char *name, const char *text, mneme_error *error) {
    mneme_error inner = {0};
    int64_t time_us;
    int status = mneme_time_parse(mneme_text_of(text), &time_us, &inner);
    if (status == 0)
        return 0;
    return fail_with(error, status, "%s: %s", name, inner.message);
}

int value_check(const struct value_rule *rule, const char *name, const char *text,
                mneme_error *error) {
    switch (rule->type) {
    case VALUE_NONE:
    case VALUE_TEXT:
    case VALUE_ID:
        return 0;
    case VALUE_FILE:
        if (text[0] != '\0')
            return 0;
        return fail_with(error, MNEME_INVALID, "%s takes a path, not an empty text", name);
    case VALUE_TIME:
        return check_time(name, text, error);
    case VALUE_WHOLE:
        return check_whole(rule, name, text, error);
    case VALUE_REAL:
        return check_real(rule, name, text, error);
    case VALUE_BYTES:
        return check_bytes(rule, name, text, error);
    case VALUE_PAIR:
        if (text[0] != '=' && strchr(text, '=') != NULL)
            return 0;
        return fail_with(error, MNEME_INVALID, "%s takes NAME=VALUE, not '%.100s'", name, text);
    case VALUE_CHOICE:
        return check_choice(rule, name, text, error);
    }
    return 0;
}
