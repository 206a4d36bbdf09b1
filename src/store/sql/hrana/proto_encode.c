/*
 * proto_encode.c - a program in Protocol Buffers (docs/HRANA_3_SPEC.md of libsql, appendix).
 *
 * A message stands behind its length, so each is measured before it is written: the _size functions
 * mirror the put_ functions below them. A tree of messages would copy every value once more.
 */
#include "store/sql/hrana/encode.h"

enum wire_type { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2 };

/* ---- Primitives -------------------------------------------------------------------------- */

static size_t varint_size(uint64_t value) {
    size_t size = 1;
    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

static void put_varint(struct buf *b, uint64_t value) {
    uint8_t *to = buf_reserve(b, 10);
    if (!to)
        return;
    for (; value >= 0x80; value >>= 7, b->size++)
        *to++ = (uint8_t)(value | 0x80);
    *to = (uint8_t)value;
    b->size++;
}

/* All fields here have numbers below 16, so that a tag is one byte. */
static void put_tag(struct buf *b, unsigned field, enum wire_type type) {
    buf_append_byte(b, (uint8_t)(field << 3 | type));
}
/* A field that holds `size` bytes, tag and length included. */
static size_t field_size(size_t size) { return 1 + varint_size(size) + size; }

static void put_head(struct buf *b, unsigned field, size_t size) {
    put_tag(b, field, WIRE_BYTES);
    put_varint(b, size);
}
static void put_bytes(struct buf *b, unsigned field, struct slice bytes) {
    put_head(b, field, bytes.size);
    buf_append_slice(b, bytes);
}

static uint64_t zigzag(int64_t value) {
    return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0);
}

/* ---- Value { null=1 {}, sint64 integer=2, double float=3, string text=4, bytes blob=5 } ---- */

static size_t value_size(const struct sql_value *value) {
    switch (value->type) {
    case SQL_NULL:
        return 2;
    case SQL_INTEGER:
        return 1 + varint_size(zigzag(value->integer));
    case SQL_REAL:
        return 9;
    case SQL_TEXT:
    case SQL_BLOB:
        return field_size(value->bytes.size);
    }
    return 0;
}

static void put_real(struct buf *b, double real) {
    uint64_t bits;
    memcpy(&bits, &real, sizeof bits);
    put_tag(b, 3, WIRE_64);
    for (int i = 0; i < 8; i++, bits >>= 8)
        buf_append_byte(b, (uint8_t)bits);
}

static void put_value(struct buf *b, const struct sql_value *value) {
    switch (value->type) {
    case SQL_NULL:
        put_head(b, 1, 0);
        return;
    case SQL_INTEGER:
        put_tag(b, 2, WIRE_VARINT);
        put_varint(b, zigzag(value->integer));
        return;
    case SQL_REAL:
        put_real(b, value->real);
        return;
    case SQL_TEXT:
        put_bytes(b, 4, value->bytes);
        return;
    case SQL_BLOB:
        put_bytes(b, 5, value->bytes);
        return;
    }
}

/* ---- Stmt { sql=1, repeated Value args=3 } ------------------------------------------------ */

static size_t stmt_size(const struct sql_step *step) {
    size_t size = field_size(step->sql.size);
    for (size_t i = 0; i < step->arg_count; i++)
        size += field_size(value_size(&step->args[i]));
    return size;
}

static void put_stmt(struct buf *b, const struct sql_step *step) {
    put_bytes(b, 1, step->sql);
    for (size_t i = 0; i < step->arg_count; i++) {
        put_head(b, 3, value_size(&step->args[i]));
        put_value(b, &step->args[i]);
    }
}

/* ---- BatchStep { BatchCond condition=1 { uint32 step_ok=1, BatchCond not=3 }, Stmt stmt=2 } ----
 */

static size_t condition_size(const struct sql_step *step) {
    size_t ok = 1 + varint_size(step->guard_step);
    return step->guard == SQL_IF_NOT_DONE ? field_size(ok) : ok;
}

static size_t step_size(const struct sql_step *step) {
    size_t condition = step->guard == SQL_ALWAYS ? 0 : field_size(condition_size(step));
    return condition + field_size(stmt_size(step));
}

static void put_step(struct buf *b, const struct sql_step *step) {
    if (step->guard != SQL_ALWAYS) {
        put_head(b, 1, condition_size(step));
        if (step->guard == SQL_IF_NOT_DONE)
            put_head(b, 3, 1 + varint_size(step->guard_step));
        put_tag(b, 1, WIRE_VARINT);
        put_varint(b, step->guard_step);
    }
    put_head(b, 2, stmt_size(step));
    put_stmt(b, step);
}

/* ---- PipelineReqBody { repeated StreamRequest requests=2 } --------------------------------- */

int hrana_encode_proto(struct buf *b, const struct sql_program *program, uint64_t replication_index,
                       mneme_error *error) {
    size_t batch = replication_index ? 1 + varint_size(replication_index) : 0;
    for (size_t i = 0; i < program->count; i++)
        batch += field_size(step_size(&program->steps[i]));
    put_head(b, 2, field_size(field_size(batch)));
    put_head(b, 3, field_size(batch)); /* StreamRequest.batch */
    put_head(b, 1, batch);             /* BatchStreamReq.batch: steps=1, replication_index=2 */
    for (size_t i = 0; i < program->count; i++) {
        put_head(b, 1, step_size(&program->steps[i]));
        put_step(b, &program->steps[i]);
    }
    if (replication_index) {
        put_tag(b, 2, WIRE_VARINT);
        put_varint(b, replication_index);
    }
    put_head(b, 2, 2);
    put_head(b, 1, 0); /* StreamRequest.close */
    return hrana_encode_status(b, error);
}
