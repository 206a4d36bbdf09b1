/*
 * json.h - JSON text (RFC 8259) to a tree and back. The parser and the number formatting are
 * those of Debian's RapidJSON behind this header; why, with figures, stands in ARCHITECTURE.md.
 *
 * Model. A parsed document is an array of nodes in document order, in one arena; a container's
 * children are walked by json_first and json_next. Number text is kept as written, so that
 * 64-bit integers and the digits of reals survive. Every node knows the exact bytes it came from.
 * Ownership. Everything lives as long as the arena given to json_parse and the text parsed.
 * Errors. MNEME_INVALID with the byte offset and what was expected: bad syntax, invalid UTF-8, a
 * lone surrogate, a duplicate member, a number that no double can hold. MNEME_TOO_LARGE: deeper
 * or larger than the limits.
 * Limits. JSON_DEPTH_MAX levels, JSON_SIZE_MAX bytes, JSON_NODES_MAX values. RapidJSON also takes
 * integers of 309 digits from 1.797e308 on, and zeros with an exponent over 308, for too large.
 */
#ifndef MNEME_CODEC_JSON_H
#define MNEME_CODEC_JSON_H

#include "base/base.h"

/* Levels of arrays and objects; bytes of text (256 MiB); values, at 64 bytes each. */
enum { JSON_DEPTH_MAX = 64, JSON_SIZE_MAX = 256 << 20, JSON_NODES_MAX = 4 << 20 };

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json_node {
    enum json_type type;
    uint32_t count;                /* elements of an array, members of an object */
    struct slice key;              /* decoded; of a member of an object */
    struct slice text;             /* decoded string, or digits of a number */
    struct slice raw;              /* the bytes in the source, from first to last of this value */
    const struct json_node *after; /* the node behind this one and all below it */
};

/* Parse one JSON value with nothing but white space around it. */
int json_parse(struct slice text, struct arena *arena, const struct json_node **root,
               mneme_error *error);

/* The same checks without a tree. Cheap enough for each step's parameters. */
int json_check(struct slice text, mneme_error *error);

/* First child, and the next of the same parent; NULL when there is none. */
static inline const struct json_node *json_first(const struct json_node *node) {
    return node->count ? node + 1 : NULL;
}
static inline const struct json_node *json_next(const struct json_node *parent,
                                                const struct json_node *child) {
    return child->after < parent->after ? child->after : NULL;
}
/* The member of an object, or NULL. */
const struct json_node *json_member(const struct json_node *object, const char *key);

/* The value of a number node: false when it is not an integer in range. */
bool json_int64(const struct json_node *node, int64_t *out);
bool json_uint64(const struct json_node *node, uint64_t *out);
/* Correctly rounded, independent of the locale. */
bool json_double(const struct json_node *node, double *out);

/*
 * Splits a file that is one huge array of objects, or a row of values, without parsing it whole:
 * finds the end of the JSON value that begins at text[0] (no white space before it) by counting
 * brackets outside of strings. *size: its bytes; 0 when it is not complete in `text`, and so for
 * a number or literal that ends with the text. MNEME_INVALID: no value begins so.
 */
int json_span(struct slice text, size_t *size, mneme_error *error);

/* ---- Writing ----------------------------------------------------------------------------- */

/* A quoted string. Only what must be escaped is (quote, backslash, controls below 0x20). */
void json_put_string(struct buf *b, struct slice text);
/* The shortest digits that read back as the same double; integers up to 2^53 without exponent
 * or point ("1", "0.5", "1e300"); -0 as "-0.0". `value` is finite. */
void json_put_double(struct buf *b, double value);
void json_put_int(struct buf *b, int64_t value);
void json_put_uint(struct buf *b, uint64_t value);

#endif
