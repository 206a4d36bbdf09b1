/*
 * decode.c - a compact body becomes a struct: texts point into the body, lists lie in the arena.
 *
 * A message is read once from front to back. At its first list item the rest of it is
 * scanned ahead, to count the items of every list, so that each list is one allocation whatever
 * the order of the fields. Texts are not checked for UTF-8 again: they were when they came in, and
 * bodies from disk carry a checksum.
 */
#include <math.h>

#include "codec/codec.h"
#include "model/member.h"

/* One message while it is read. */
struct message {
    const struct schema *schema;
    const struct chain *chain;
    struct arena *arena;
    void *out;
    struct chain steps;                   /* of the list of steps */
    bool counted;                         /* the lists are allocated */
    size_t filled[SCHEMA_FIELDS_MAX + 1]; /* items read, by field number */
};

/* Allocate every list for as many items as the message holds: the first item, just read, and
 * those that `rest` has. */
static int allocate_lists(struct message *m, const struct field *first, struct wire_reader rest) {
    size_t counts[SCHEMA_FIELDS_MAX + 1] = {0};
    struct wire_field w;
    counts[first->number] = 1;
    while (wire_next(&rest, &w))
        if (w.number <= m->schema->count)
            counts[w.number]++;
    for (uint32_t i = 0; i < m->schema->count; i++) {
        const struct field *f = &m->schema->fields[i];
        size_t item_size = field_item_size(f);
        if (item_size == 0 || counts[f->number] == 0)
            continue;
        void *items = arena_zalloc(m->arena, counts[f->number], item_size);
        if (!items)
            return MNEME_NO_MEMORY;
        store_list(f, m->out, items, counts[f->number]);
    }
    memset(m->filled, 0, sizeof m->filled);
    m->counted = true;
    return 0;
}

static int decode_item(struct message *m, const struct field *f, struct wire_reader *r,
                       const struct wire_field *w) {
    struct slice bytes = wire_bytes(r, w);
    if (!m->counted)
        TRY(allocate_lists(m, f, *r));
    void *item = load_items(f, m->out) + m->filled[f->number]++ * field_item_size(f);
    if (f->type == FIELD_TEXTS) {
        store_text(item, text_of_slice(bytes));
        return 0;
    }
    TRY(body_decode(f->schema, bytes, &m->steps, m->arena, item));
    if (f->schema == &step_schema)
        chain_step(&m->steps, item);
    return 0;
}

static void decode_id(struct wire_reader *r, struct slice bytes, void *at) {
    if (bytes.size == sizeof(mneme_id))
        memcpy(at, bytes.data, bytes.size);
    else
        r->bad = true;
}

static void decode_ids(const struct field *f, struct wire_reader *r, struct slice bytes, void *to) {
    if (bytes.size % sizeof(mneme_id) == 0)
        store_list(f, to, bytes.data, bytes.size / sizeof(mneme_id));
    else
        r->bad = true;
}

static void decode_enum(const struct field *f, struct wire_reader *r, uint64_t value, void *at) {
    if (value < f->names->count)
        store_enum(at, (uint32_t)value);
    else
        r->bad = true;
}

static void decode_double(struct wire_reader *r, double value, void *at) {
    if (isfinite(value))
        store_double(at, value);
    else
        r->bad = true;
}

static void decode_time(struct wire_reader *r, const struct wire_field *w, int64_t base_us,
                        void *at) {
    store_int(at, (int64_t)((uint64_t)wire_int(r, w) + (uint64_t)base_us));
}

static int decode_value(struct message *m, const struct field *f, struct wire_reader *r,
                        const struct wire_field *w) {
    uint8_t *at = member_of(m->out, f->at);
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_JSON:
    case FIELD_OBJECT:
        store_text(at, text_of_slice(wire_bytes(r, w)));
        break;
    case FIELD_ID:
    case FIELD_STEP_ID:
        decode_id(r, wire_bytes(r, w), at);
        break;
    case FIELD_IDS:
        decode_ids(f, r, wire_bytes(r, w), m->out);
        break;
    case FIELD_TIME:
    case FIELD_STEP_TIME:
        decode_time(r, w, m->chain->time_us, at);
        break;
    case FIELD_UINT:
    case FIELD_STEP_NUMBER:
        store_uint(at, wire_uint(r, w));
        break;
    case FIELD_INT:
        store_int(at, wire_int(r, w));
        break;
    case FIELD_DOUBLE:
        decode_double(r, wire_double(r, w), at);
        break;
    case FIELD_ENUM:
        decode_enum(f, r, wire_uint(r, w), at);
        break;
    case FIELD_MESSAGE:
        TRY(body_decode(f->schema, wire_bytes(r, w), m->chain, m->arena, at));
        break;
    case FIELD_VECTOR:
        TRY(vector_decode(wire_bytes(r, w), m->arena, m->out));
        break;
    case FIELD_TEXTS:
    case FIELD_LIST:
    case FIELD_KEYED:
        return decode_item(m, f, r, w);
    }
    if (f->present_at)
        store_bool(member_of(m->out, f->present_at), true);
    return 0;
}

static void start_step(const struct chain *chain, mneme_step *step) {
    step->id = chain->id;
    step->number = chain->number;
    step->time_us = chain->time_us;
}

int body_decode(const struct schema *schema, struct slice bytes, const struct chain *chain,
                struct arena *arena, void *out) {
    struct wire_reader r = wire_reader_of(bytes);
    struct wire_field w;
    struct message m;
    m.schema = schema;
    m.chain = chain;
    m.arena = arena;
    m.out = out;
    m.steps = (struct chain){.number = 1, .time_us = chain->time_us};
    m.counted = false; /* `filled` is set together with it: most messages have no lists */
    if (schema == &step_schema)
        start_step(chain, out);
    while (wire_next(&r, &w))
        if (w.number <= schema->count && !(schema->fields[w.number - 1].flags & IN_HEADER))
            TRY(decode_value(&m, &schema->fields[w.number - 1], &r, &w));
    return r.bad ? MNEME_CORRUPT : 0;
}
