/*
 * wire.h - the compact encoding: a message is a row of fields, each a tag and a value.
 *
 * Format. A tag is a varint (field number x 4 + type). Types: 0 varint (LEB128, at most 10
 * bytes), 1 fixed 8 bytes (little-endian; doubles), 2 bytes (varint length, then that many). A
 * nested message is a bytes field. Field numbers are 1 to 65,535 and never reused. Fields stand
 * in any order; a field that repeats is a list. A reader skips numbers it does not know, so old
 * readers read new records. Absent means zero or empty.
 * Threads. No shared state.
 * Errors. Writers: the buffer's sticky status. Readers: a sticky `bad`; after it every read gives
 * zero, so a caller may read to the end and check once.
 */
#ifndef MNEME_CODEC_WIRE_H
#define MNEME_CODEC_WIRE_H

#include "base/base.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED = 1, WIRE_BYTES = 2 };
enum { WIRE_FIELD_MAX = 65535 };

/* ---- Writing ----------------------------------------------------------------------------- */

void wire_put_varint(struct buf *b, uint64_t value); /* bare, without a tag */
static inline uint64_t zigzag(int64_t v) { return ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); }
static inline int64_t unzigzag(uint64_t v) { return (int64_t)(v >> 1) ^ -(int64_t)(v & 1); }

/* These write nothing for zero or an empty slice; the _always forms write it. */
void wire_put_uint(struct buf *b, uint32_t field, uint64_t value);
void wire_put_uint_always(struct buf *b, uint32_t field, uint64_t value);
void wire_put_int(struct buf *b, uint32_t field, int64_t value); /* zigzag */
void wire_put_int_always(struct buf *b, uint32_t field, int64_t value);
void wire_put_double(struct buf *b, uint32_t field, double value); /* -0.0 is not zero */
void wire_put_double_always(struct buf *b, uint32_t field, double value);
void wire_put_bytes(struct buf *b, uint32_t field, struct slice value);
void wire_put_bytes_always(struct buf *b, uint32_t field, struct slice value);

/* A nested message: begin, put its fields, end with the mark that begin gave. */
size_t wire_begin(struct buf *b, uint32_t field);
void wire_end(struct buf *b, size_t mark);

/* ---- Reading ----------------------------------------------------------------------------- */

struct wire_reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

static inline struct wire_reader wire_reader_of(struct slice s) {
    return (struct wire_reader){s.data, s.size ? s.data + s.size : s.data, false};
}

/* One field as read by wire_next. */
struct wire_field {
    uint32_t number;
    enum wire_type type;
    uint64_t value;     /* of a varint or fixed field */
    struct slice bytes; /* of a bytes field */
};

static inline size_t wire_left(const struct wire_reader *r) { return (size_t)(r->end - r->at); }

/* Bare values, without a tag. Nearly all varints have one byte or two, and decoding an episode
 * reads hundreds: so those are read in line. */
uint64_t wire_get_long_varint(struct wire_reader *r);
uint64_t wire_get_fixed(struct wire_reader *r);
static inline uint64_t wire_get_varint(struct wire_reader *r) {
    if (!r->bad && wire_left(r) >= 2) {
        uint8_t first = r->at[0], second = r->at[1];
        if (first < 0x80) {
            r->at++;
            return first;
        }
        if (second > 0 && second < 0x80) {
            r->at += 2;
            return (uint64_t)(first & 0x7f) | (uint64_t)second << 7;
        }
    }
    return wire_get_long_varint(r);
}
static inline struct slice wire_get_bytes(struct wire_reader *r, uint64_t size) {
    if (r->bad || size > wire_left(r)) {
        r->bad = true;
        return (struct slice){0};
    }
    struct slice bytes = slice_of(r->at, (size_t)size);
    if (size) /* an empty reader may stand at NULL */
        r->at += size;
    return bytes;
}

/* False at the end and when the input is bad. */
static inline bool wire_next(struct wire_reader *r, struct wire_field *field) {
    if (r->bad || r->at == r->end)
        return false;
    uint64_t tag = wire_get_varint(r);
    *field = (struct wire_field){.number = (uint32_t)(tag >> 2),
                                 .type = (enum wire_type)(tag & 3)};
    if (tag >> 2 == 0 || tag >> 2 > WIRE_FIELD_MAX)
        r->bad = true;
    else if (field->type == WIRE_BYTES)
        field->bytes = wire_get_bytes(r, wire_get_varint(r));
    else if (field->type == WIRE_VARINT)
        field->value = wire_get_varint(r);
    else if (field->type == WIRE_FIXED)
        field->value = wire_get_fixed(r);
    else
        r->bad = true;
    return !r->bad;
}

/* The value of a field, or a sticky `bad` on r when its type is another. */
static inline bool wire_is(struct wire_reader *r, const struct wire_field *f, enum wire_type type) {
    r->bad |= f->type != type;
    return !r->bad;
}
static inline uint64_t wire_uint(struct wire_reader *r, const struct wire_field *f) {
    return wire_is(r, f, WIRE_VARINT) ? f->value : 0;
}
static inline int64_t wire_int(struct wire_reader *r, const struct wire_field *f) {
    return unzigzag(wire_uint(r, f));
}
static inline double wire_double(struct wire_reader *r, const struct wire_field *f) {
    double value = 0;
    if (wire_is(r, f, WIRE_FIXED))
        memcpy(&value, &f->value, sizeof value);
    return value;
}
static inline struct slice wire_bytes(struct wire_reader *r, const struct wire_field *f) {
    return wire_is(r, f, WIRE_BYTES) ? f->bytes : (struct slice){0};
}

#endif
