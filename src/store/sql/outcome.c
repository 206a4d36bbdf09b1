/*
 * outcome.c - reading what the trigger of mneme_apply says: outcomes, and conditions that failed.
 */
#include "store/sql/write_impl.h"

static bool take_number(struct slice *text, uint64_t *out) {
    uint64_t number = 0;
    size_t digits = 0;
    for (; digits < text->size && text->data[digits] >= '0' && text->data[digits] <= '9';
         digits++) {
        uint64_t digit = text->data[digits] - (uint64_t)'0';
        if (number > (INT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *text = slice_of(text->data + digits, text->size - digits);
    *out = number;
    return digits > 0;
}

static bool take_byte(struct slice *text, uint8_t byte) {
    if (text->size == 0 || text->data[0] != byte)
        return false;
    *text = slice_of(text->data + 1, text->size - 1);
    return true;
}

static bool take_outcome(struct slice *text, struct outcome *outcomes, size_t count) {
    struct outcome o = {.known = true, .applied = true};
    uint64_t number;
    if (!take_number(text, &number) || !take_byte(text, ':') || number >= count)
        return false;
    if (take_byte(text, '-'))
        o.applied = false;
    else if (!take_byte(text, '+') &&
             !(take_number(text, &o.change) && take_byte(text, ':') &&
               take_number(text, &o.place) && take_byte(text, ':') && take_number(text, &o.clock)))
        return false;
    outcomes[number] = o;
    return true;
}

int outcomes_parse(struct slice text, struct outcome *outcomes, size_t count, mneme_error *error) {
    bool good = true;
    while (good && text.size) {
        good = take_outcome(&text, outcomes, count);
        good = good && (text.size == 0 || take_byte(&text, ' '));
    }
    return good ? 0
                : error_set(error, MNEME_CORRUPT,
                            "the outcome that the database kept of a transaction is not readable");
}

bool verdict_find(const char *message, struct verdict *out) {
    static const char mark[] = "mneme:";
    const char *at = message ? strstr(message, mark) : NULL;
    if (!at)
        return false;
    struct slice text = slice_of_string(at + sizeof mark - 1);
    if (!take_number(&text, &out->number))
        return false;
    const char *word = (const char *)text.data;
    out->missing = strncmp(word, ":missing", 8) == 0;
    out->deleted = strncmp(word, ":deleted", 8) == 0;
    return out->missing || out->deleted || strncmp(word, ":conflict", 9) == 0;
}
