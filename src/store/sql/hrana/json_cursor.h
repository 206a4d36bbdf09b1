/*
 * json_cursor.h - reads JSON from front to back, without a tree.
 *
 * Why not codec/json.h: an answer of a thousand rows is mostly base64, which a tree copies and
 * checks byte by byte before it is decoded. Of 3.4 MB with a thousand records the tree alone takes
 * as long (1.5 to 1.8 ms) as all of the decoding does without it.
 * Errors. The first one sticks: `wrong` says what was expected at `at`, all calls after it do
 * nothing and find nothing, so that loops end and writers check once. What is skipped is not
 * checked but for its brackets and quotes.
 * Nothing here calls itself, so depth costs nothing.
 */
#ifndef MNEME_STORE_SQL_HRANA_JSON_CURSOR_H
#define MNEME_STORE_SQL_HRANA_JSON_CURSOR_H

#include "base/base.h"

struct json_cursor {
    const uint8_t *start, *at, *end;
    const char *wrong; /* NULL: nothing */
};

/* A string as it stands between its quotes. */
struct json_raw {
    struct slice text;
    bool escaped; /* has a backslash */
};

/* Always false. */
bool json_cursor_fail(struct json_cursor *c, const char *wrong);

/* Step over `byte`, with white space before it, if it is the next; json_cursor_expect fails when
 * it is not. */
bool json_cursor_take(struct json_cursor *c, char byte);
bool json_cursor_expect(struct json_cursor *c, char byte, const char *wrong);
bool json_cursor_null(struct json_cursor *c);

/* for (bool first = json_cursor_object(c); json_cursor_member(c, &first, &key);) reads one value
 * each turn; so for arrays. */
bool json_cursor_object(struct json_cursor *c);
bool json_cursor_member(struct json_cursor *c, bool *first, struct slice *key);
bool json_cursor_array(struct json_cursor *c);
bool json_cursor_element(struct json_cursor *c, bool *first);

bool json_cursor_string(struct json_cursor *c, struct json_raw *out);
/* The characters of a number, not looked at. */
bool json_cursor_number(struct json_cursor *c, struct slice *out);
bool json_cursor_skip(struct json_cursor *c);
/* Nothing but white space is left. */
bool json_cursor_end(struct json_cursor *c);

/* Decode a string to `out`, which has room for raw.text.size bytes; false when an escape is bad, or
 * what it gives is not UTF-8, or it holds a control character. */
bool json_raw_decode(struct json_raw raw, uint8_t *out, size_t *size);

static inline bool json_key_is(struct slice key, const char *name) {
    return key.size == strlen(name) && memcmp(key.data, name, key.size) == 0;
}

#endif
