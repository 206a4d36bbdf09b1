/*
 * base64.h - RFC 4648, section 4: the standard alphabet.
 */
#ifndef MNEME_STORE_SQL_HRANA_BASE64_H
#define MNEME_STORE_SQL_HRANA_BASE64_H

#include "base/base.h"

/* Append the text of `bytes`, with padding or without. Nothing in it needs an escape in JSON. */
void base64_put(struct buf *b, struct slice bytes, bool padding);

/* The bytes that a text of this size has at most; what base64_get needs to have room for. */
static inline size_t base64_room(size_t text_size) { return text_size / 4 * 3 + 2; }

/*
 * Read a text, padded or not, to `out`; *size is what it held. False: it holds a character that is
 * not of the alphabet, ends in the middle, or has bits behind its last byte that are not zero.
 */
bool base64_get(struct slice text, uint8_t *out, size_t *size);

#endif
