/*
 * encode.c - a struct becomes a compact body: one walk over its schema.
 *
 * Fields stand in the order of the table, so that bodies of a kind look alike and a compression
 * dictionary learns them. Zero and empty are left out.
 */
#include "codec/codec.h"
#include "model/member.h"

static void encode_time(const struct field *f, int64_t time_us, int64_t base_us, struct buf *b) {
    /* The difference wraps, so that every pair of times comes back. */
    if (time_us)
        wire_put_int_always(b, f->number, (int64_t)((uint64_t)time_us - (uint64_t)base_us));
}

/* What a step says differently from the chain. */
static void encode_step_head(const struct field *f, const uint8_t *at, const struct chain *chain,
                             struct buf *b) {
    if (f->type == FIELD_STEP_ID) {
        if (memcmp(at, &chain->id, sizeof chain->id) != 0)
            wire_put_bytes_always(b, f->number, slice_of(at, sizeof chain->id));
    } else if (f->type == FIELD_STEP_NUMBER) {
        if (load_uint(at) != chain->number)
            wire_put_uint_always(b, f->number, load_uint(at));
    } else if (load_int(at) != chain->time_us) {
        uint64_t later = (uint64_t)load_int(at) - (uint64_t)chain->time_us;
        wire_put_int_always(b, f->number, (int64_t)later);
    }
}

static void encode_nested(const struct field *f, const void *from, const struct chain *chain,
                          struct buf *b) {
    size_t mark = wire_begin(b, f->number);
    body_encode(f->schema, from, chain, b);
    wire_end(b, mark);
}

/* A struct in the struct; an empty one is taken back unless its own flag says it is there. */
static void encode_message(const struct field *f, const void *from, const struct chain *chain,
                           struct buf *b) {
    size_t before = b->size;
    size_t mark = wire_begin(b, f->number);
    size_t begun = b->size;
    body_encode(f->schema, member_at(from, f->at), chain, b);
    if (b->size == begun && f->present_at == 0)
        b->size = before;
    else
        wire_end(b, mark);
}

static void encode_list(const struct field *f, const void *from, const struct chain *chain,
                        struct buf *b) {
    struct list list = load_list(f, from);
    struct chain next = {.number = 1, .time_us = chain->time_us};
    for (size_t i = 0; i < list.count; i++) {
        const uint8_t *item = list.items + i * f->schema->size;
        encode_nested(f, item, &next, b);
        if (f->schema == &step_schema)
            chain_step(&next, item);
    }
}

static void encode_texts(const struct field *f, const void *from, struct buf *b) {
    struct list list = load_list(f, from);
    for (size_t i = 0; i < list.count; i++) {
        mneme_text text = load_text(list.items + i * sizeof text);
        wire_put_bytes_always(b, f->number, slice_of_text(text));
    }
}

static void encode_ids(const struct field *f, const void *from, struct buf *b) {
    struct list list = load_list(f, from);
    wire_put_bytes(b, f->number, slice_of(list.items, list.count * sizeof(mneme_id)));
}

static void encode_int(const struct field *f, const uint8_t *at, struct buf *b) {
    if (f->present_at)
        wire_put_int_always(b, f->number, load_int(at)); /* 0 that is there is kept */
    else
        wire_put_int(b, f->number, load_int(at));
}

static void encode_value(const struct field *f, const void *from, const struct chain *chain,
                         struct buf *b) {
    const uint8_t *at = member_at(from, f->at);
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_JSON:
    case FIELD_OBJECT:
        wire_put_bytes(b, f->number, slice_of_text(load_text(at)));
        break;
    case FIELD_TEXTS:
        encode_texts(f, from, b);
        break;
    case FIELD_ID: {
        mneme_id id = load_id(at);
        if (!id_is_zero(&id))
            wire_put_bytes(b, f->number, slice_of(id.bytes, sizeof id.bytes));
        break;
    }
    case FIELD_IDS:
        encode_ids(f, from, b);
        break;
    case FIELD_TIME:
        encode_time(f, load_int(at), chain->time_us, b);
        break;
    case FIELD_UINT:
        wire_put_uint(b, f->number, load_uint(at));
        break;
    case FIELD_INT:
        encode_int(f, at, b);
        break;
    case FIELD_DOUBLE:
        wire_put_double(b, f->number, load_double(at));
        break;
    case FIELD_ENUM:
        wire_put_uint(b, f->number, load_enum(at));
        break;
    case FIELD_MESSAGE:
        encode_message(f, from, chain, b);
        break;
    case FIELD_LIST:
    case FIELD_KEYED:
        encode_list(f, from, chain, b);
        break;
    case FIELD_VECTOR:
        vector_encode(from, f->number, b);
        break;
    case FIELD_STEP_ID:
    case FIELD_STEP_NUMBER:
    case FIELD_STEP_TIME:
        encode_step_head(f, at, chain, b);
        break;
    }
}

void field_encode(const struct field *f, const void *from, const struct chain *chain,
                  struct buf *b) {
    if (field_is_present(f, from))
        encode_value(f, from, chain, b);
}

void body_encode(const struct schema *schema, const void *from, const struct chain *chain,
                 struct buf *b) {
    for (const struct field *f = schema->fields; f < schema->fields + schema->count; f++)
        if (!(f->flags & IN_HEADER))
            field_encode(f, from, chain, b);
}
