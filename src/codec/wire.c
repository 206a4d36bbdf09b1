/*
 * wire.c - the compact encoding; its format stands in wire.h.
 */
#include "codec/wire.h"

enum { VARINT_SIZE_MAX = 10, FIXED_SIZE = 8 };

/* ---- Writing ----------------------------------------------------------------------------- */

static size_t varint_write(uint8_t *to, uint64_t value) {
    size_t size = 0;
    for (; value >= 0x80; value >>= 7)
        to[size++] = (uint8_t)(value | 0x80);
    to[size++] = (uint8_t)value;
    return size;
}

void wire_put_varint(struct buf *b, uint64_t value) {
    uint8_t bytes[VARINT_SIZE_MAX];
    buf_append(b, bytes, varint_write(bytes, value));
}

/* A tag and a varint behind it, in one append. */
static void put_tagged(struct buf *b, uint32_t field, enum wire_type type, uint64_t value) {
    ASSERT(field >= 1 && field <= WIRE_FIELD_MAX);
    uint8_t bytes[2 * VARINT_SIZE_MAX];
    size_t size = varint_write(bytes, (uint64_t)field * 4 + type);
    size += varint_write(bytes + size, value);
    buf_append(b, bytes, size);
}

void wire_put_uint_always(struct buf *b, uint32_t field, uint64_t value) {
    put_tagged(b, field, WIRE_VARINT, value);
}

void wire_put_uint(struct buf *b, uint32_t field, uint64_t value) {
    if (value)
        wire_put_uint_always(b, field, value);
}

void wire_put_int_always(struct buf *b, uint32_t field, int64_t value) {
    wire_put_uint_always(b, field, zigzag(value));
}

void wire_put_int(struct buf *b, uint32_t field, int64_t value) {
    if (value)
        wire_put_int_always(b, field, value);
}

static uint64_t double_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

void wire_put_double_always(struct buf *b, uint32_t field, double value) {
    ASSERT(field >= 1 && field <= WIRE_FIELD_MAX);
    uint8_t bytes[VARINT_SIZE_MAX + FIXED_SIZE];
    size_t size = varint_write(bytes, (uint64_t)field * 4 + WIRE_FIXED);
    uint64_t bits = double_bits(value);
    for (int i = 0; i < FIXED_SIZE; i++, bits >>= 8)
        bytes[size++] = (uint8_t)bits;
    buf_append(b, bytes, size);
}

void wire_put_double(struct buf *b, uint32_t field, double value) {
    if (double_bits(value))
        wire_put_double_always(b, field, value);
}

void wire_put_bytes_always(struct buf *b, uint32_t field, struct slice value) {
    put_tagged(b, field, WIRE_BYTES, value.size);
    buf_append_slice(b, value);
}

void wire_put_bytes(struct buf *b, uint32_t field, struct slice value) {
    if (value.size)
        wire_put_bytes_always(b, field, value);
}

/* One byte is kept for the length, enough for most messages; wire_end makes room for more. */
size_t wire_begin(struct buf *b, uint32_t field) {
    put_tagged(b, field, WIRE_BYTES, 0);
    return b->size;
}

void wire_end(struct buf *b, size_t mark) {
    if (b->status)
        return;
    uint8_t bytes[VARINT_SIZE_MAX];
    size_t body = b->size - mark;
    size_t extra = varint_write(bytes, body) - 1;
    if (extra) {
        if (!buf_reserve(b, extra))
            return;
        memmove(b->data + mark + extra, b->data + mark, body);
        b->size += extra;
    }
    memcpy(b->data + mark - 1, bytes, extra + 1);
}

/* ---- Reading ----------------------------------------------------------------------------- */

/* Refuses what 64 bits do not hold and forms longer than needed, so that one value has one form. */
uint64_t wire_get_long_varint(struct wire_reader *r) {
    if (r->bad)
        return 0;
    uint64_t value = 0;
    size_t left = wire_left(r);
    for (size_t i = 0; i < left && i < VARINT_SIZE_MAX; i++) {
        uint8_t byte = r->at[i];
        if (i == VARINT_SIZE_MAX - 1 && byte > 1)
            break;
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (byte == 0 && i > 0)
            break;
        r->at += i + 1;
        return value;
    }
    r->bad = true;
    return 0;
}

uint64_t wire_get_fixed(struct wire_reader *r) {
    struct slice bytes = wire_get_bytes(r, 8);
    uint64_t value = 0;
    for (size_t i = bytes.size; i > 0; i--)
        value = value << 8 | bytes.data[i - 1];
    return value;
}
