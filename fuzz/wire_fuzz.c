/*
 * wire_fuzz.c - any bytes as a message; what is read, written again, gives the bytes it came from.
 */
#include <stdlib.h>

#include "codec/wire.h"

static void require(bool condition) {
    if (!condition)
        abort();
}

static void write_field(struct buf *b, struct wire_reader *r, const struct wire_field *f) {
    if (f->type == WIRE_VARINT)
        wire_put_int_always(b, f->number, wire_int(r, f));
    else if (f->type == WIRE_FIXED)
        wire_put_double_always(b, f->number, wire_double(r, f));
    else
        wire_put_bytes_always(b, f->number, wire_bytes(r, f));
}

/* As nested messages are written. */
static void write_nested(struct buf *b, const struct wire_field *f) {
    size_t mark = wire_begin(b, f->number);
    buf_append_slice(b, f->bytes);
    wire_end(b, mark);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTO_BUF struct buf fields = BUF_INIT(1 << 24), nested = BUF_INIT(1 << 24);
    struct wire_reader r = wire_reader_of(slice_of(data, size));
    struct wire_field f;
    while (wire_next(&r, &f)) {
        write_field(&fields, &r, &f);
        if (f.type == WIRE_BYTES)
            write_nested(&nested, &f);
        else
            write_field(&nested, &r, &f);
        /* One value has one form, so reading and writing is the identity on what was read. */
        struct slice read = slice_of(data, (size_t)(r.at - data));
        require(slice_equal(buf_slice(&fields), read) && slice_equal(buf_slice(&nested), read));
    }
    require(r.bad || r.at == r.end);
    if (r.bad) {
        require(!wire_next(&r, &f) && wire_get_varint(&r) == 0);
        require(wire_get_bytes(&r, 0).size == 0);
    }
    return 0;
}
