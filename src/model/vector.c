/*
 * vector.c - the values of an embedding in the three stored forms.
 *
 * Body: one byte mneme_embedding_format. MNEME_F32: 4 bytes a value, MNEME_F16: 2 bytes a value
 * (IEEE 754 binary16), both little-endian. MNEME_I8: the greatest magnitude as a little-endian
 * f32, then a signed byte a value; a byte q stands for q x magnitude / 127. The magnitude itself
 * is stored, not magnitude / 127, because then the greatest value comes back exactly, and what
 * was read encodes to values that read the same.
 */
#include <math.h>

#include "codec/codec.h"
#include "model/schema.h"

enum { FORMAT_BYTES = 1, SCALE_BYTES = 4, I8_MAX = 127 };

/* ---- IEEE 754 half ----------------------------------------------------------------------- */

uint16_t half_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t sign = bits >> 16 & 0x8000;
    uint32_t magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000)
        return (uint16_t)(sign | 0x7e00); /* not a number */
    if (magnitude >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00); /* 65,520 and more round to infinity */
    if (magnitude < 0x38800000) {
        /* Below 2^-14 the result counts in units of 2^-24. Adding 0.5, whose unit in the last
         * place is 2^-24, lets the machine round to nearest even. */
        float shifted;
        memcpy(&shifted, &magnitude, sizeof shifted);
        shifted += 0.5f;
        memcpy(&magnitude, &shifted, sizeof magnitude);
        return (uint16_t)(sign | (magnitude - 0x3f000000));
    }
    /* Rebias the exponent, and add just under half a unit, plus one when the last bit is odd. */
    magnitude += 0xc8000fffu + (magnitude >> 13 & 1);
    return (uint16_t)(sign | magnitude >> 13);
}

float float_of_half(uint16_t half) {
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = half >> 10 & 0x1f;
    uint32_t fraction = half & 0x3ff;
    float value;
    if (exponent == 0) {
        value = (float)fraction * 0x1p-24f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | (exponent == 31 ? 0xff : exponent + 112) << 23 | fraction << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- Encoding ---------------------------------------------------------------------------- */

static void put_le32(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}
static uint32_t get_le32(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static uint32_t bits_of_float(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
static float float_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t vector_size(mneme_embedding_format format, size_t count) {
    switch (format) {
    case MNEME_F32:
        return FORMAT_BYTES + 4 * count;
    case MNEME_F16:
        return FORMAT_BYTES + 2 * count;
    case MNEME_I8:
        return FORMAT_BYTES + SCALE_BYTES + count;
    }
    return 0;
}

static void encode_f32(const mneme_embedding *e, uint8_t *p) {
    for (size_t i = 0; i < e->count; i++)
        put_le32(p + 4 * i, bits_of_float(e->values[i]));
}

static void encode_f16(const mneme_embedding *e, uint8_t *p) {
    for (size_t i = 0; i < e->count; i++) {
        uint16_t half = half_of_float(e->values[i]);
        p[2 * i] = (uint8_t)half;
        p[2 * i + 1] = (uint8_t)(half >> 8);
    }
}

static void encode_i8(const mneme_embedding *e, uint8_t *p) {
    float magnitude = 0;
    for (size_t i = 0; i < e->count; i++)
        if (fabsf(e->values[i]) > magnitude)
            magnitude = fabsf(e->values[i]);
    put_le32(p, bits_of_float(magnitude));
    for (size_t i = 0; i < e->count; i++) {
        double q = magnitude > 0 ? (double)I8_MAX * (double)e->values[i] / (double)magnitude : 0;
        p[SCALE_BYTES + i] = (uint8_t)(int8_t)(q < 0 ? q - 0.5 : q + 0.5);
    }
}

void vector_encode(const mneme_embedding *e, uint32_t number, struct buf *b) {
    size_t size = vector_size(e->stored_as, e->count);
    size_t mark = wire_begin(b, number);
    uint8_t *p = buf_reserve(b, size);
    if (p) {
        p[0] = (uint8_t)e->stored_as;
        if (e->stored_as == MNEME_F32)
            encode_f32(e, p + FORMAT_BYTES);
        else if (e->stored_as == MNEME_F16)
            encode_f16(e, p + FORMAT_BYTES);
        else
            encode_i8(e, p + FORMAT_BYTES);
        b->size += size;
    }
    wire_end(b, mark);
}

/* ---- Decoding ---------------------------------------------------------------------------- */

static void decode_f32(const uint8_t *p, float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] = float_of_bits(get_le32(p + 4 * i));
}

static void decode_f16(const uint8_t *p, float *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        values[i] = float_of_half((uint16_t)(p[2 * i] | p[2 * i + 1] << 8));
}

static void decode_i8(const uint8_t *p, float *values, size_t count) {
    double magnitude = (double)float_of_bits(get_le32(p));
    for (size_t i = 0; i < count; i++)
        values[i] = (float)((int8_t)p[SCALE_BYTES + i] * magnitude / I8_MAX);
}

/* How many values there are; false when the size does not fit the format. */
static bool vector_count(struct slice bytes, size_t *count) {
    static const uint8_t widths[] = {[MNEME_F32] = 4, [MNEME_F16] = 2, [MNEME_I8] = 1};
    if (bytes.size == 0 || bytes.data[0] >= COUNT_OF(widths))
        return false;
    size_t head = bytes.data[0] == MNEME_I8 ? FORMAT_BYTES + SCALE_BYTES : FORMAT_BYTES;
    size_t width = widths[bytes.data[0]];
    if (bytes.size < head || (bytes.size - head) % width != 0)
        return false;
    *count = (bytes.size - head) / width;
    return true;
}

static bool all_finite(const float *values, size_t count) {
    bool finite = true;
    for (size_t i = 0; i < count; i++)
        finite &= isfinite(values[i]) != 0;
    return finite;
}

int vector_decode(struct slice bytes, struct arena *arena, mneme_embedding *e) {
    size_t count;
    if (!vector_count(bytes, &count))
        return MNEME_CORRUPT;
    float *values = arena_zalloc(arena, count, sizeof *values);
    if (!values)
        return MNEME_NO_MEMORY;
    mneme_embedding_format format = (mneme_embedding_format)bytes.data[0];
    const uint8_t *p = bytes.data + FORMAT_BYTES;
    if (format == MNEME_F32)
        decode_f32(p, values, count);
    else if (format == MNEME_F16)
        decode_f16(p, values, count);
    else
        decode_i8(p, values, count);
    if (!all_finite(values, count))
        return MNEME_CORRUPT;
    e->stored_as = format;
    e->values = values;
    e->count = count;
    return 0;
}
