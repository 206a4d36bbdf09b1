/*
 * merge_maker.c - small random records and edits, by walks over the schemas.
 */
#include "support/merge_maker.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/member.h"
#include "support/random_value.h"

static const mneme_id RECORD_ID = {{1, 0x89, 0x0a, 0x5d, 0xac, 0x96, 0x77, 0x4b, 0xbc, 7}};
static const int64_t RECORD_TIME = INT64_C(1763712120000001);
static const mneme_id PARENT_ID = {{9, 9, 9}};

static const char *const WORDS[] = {"ash", "birch", "cedar", "dogwood", "elm", "fir", "gum"};

mneme_text maker_text(const char *s) { return (mneme_text){s, strlen(s)}; }

mneme_version maker_version(uint64_t tick, uint64_t device) {
    return (mneme_version){(UINT64_C(1763712120000) << 16) + (tick << 12), device};
}

static mneme_text word(struct rng *rng) {
    return maker_text(WORDS[rng_below(rng, COUNT_OF(WORDS))]);
}

static mneme_id small_id(struct rng *rng) {
    return (mneme_id){{5, (uint8_t)(1 + rng_below(rng, 6))}};
}

/* ---- Values ------------------------------------------------------------------------------ */

static void fill_struct(struct rng *rng, struct arena *arena, const struct schema *schema,
                        void *to);
static void fill_value(struct rng *rng, struct arena *arena, const struct field *f, void *to);

mneme_step maker_step(struct rng *rng, struct arena *arena, uint64_t number) {
    mneme_step step = {0};
    fill_struct(rng, arena, &step_schema, &step);
    step.number = number;
    return step;
}

/* A list of items with keys: one is removed, added, moved or changed, or it is made anew. */
static void edit_items(struct rng *rng, struct arena *arena, const struct field *f, void *to) {
    enum { ITEMS_MAX = 8 };
    struct list list = load_list(f, to);
    size_t size = field_item_size(f), count = size_min(list.count, ITEMS_MAX - 1);
    uint8_t *items = must_alloc(arena, ITEMS_MAX, size);
    if (count)
        memcpy(items, list.items, count * size);
    size_t at = count ? rng_below(rng, count) : 0;
    unsigned what = (unsigned)rng_below(rng, 4);
    if (what == 0 && count) { /* remove */
        memmove(items + at * size, items + (at + 1) * size, (count - at - 1) * size);
        count--;
    } else if (what == 1 && count && f->type == FIELD_KEYED) { /* another value */
        fill_value(rng, arena, &f->schema->fields[1], items + at * size);
    } else if (what == 2 && count > 1) { /* to the front */
        uint8_t *moved = must_alloc(arena, 1, size);
        memcpy(moved, items + at * size, size);
        memmove(items + size, items, at * size);
        memcpy(items, moved, size);
    } else {
        mneme_text name = word(rng);
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known = known || text_equal(load_text(items + i * size), name);
        if (!known) {
            if (f->type == FIELD_KEYED)
                fill_struct(rng, arena, f->schema, items + count * size);
            store_text(items + count++ * size, name);
        }
    }
    store_list(f, to, count ? items : NULL, count);
}

/* One step is removed, changed or appended; numbers rise, with gaps. */
static void edit_steps(struct rng *rng, struct arena *arena, const struct field *f, void *to) {
    enum { STEPS_MAX = 8 };
    struct list list = load_list(f, to);
    size_t count = size_min(list.count, STEPS_MAX - 1);
    mneme_step *steps = must_alloc(arena, STEPS_MAX, sizeof *steps);
    if (count)
        memcpy(steps, list.items, count * sizeof *steps);
    size_t at = count ? rng_below(rng, count) : 0;
    unsigned what = (unsigned)rng_below(rng, 4);
    if (what == 0 && count) {
        memmove(steps + at, steps + at + 1, (count - at - 1) * sizeof *steps);
        count--;
    } else if (what == 1 && count) {
        mneme_step changed = maker_step(rng, arena, steps[at].number);
        changed.id = steps[at].id;
        steps[at] = changed;
    } else {
        mneme_step step = maker_step(rng, arena, count ? steps[count - 1].number + 1 : 1);
        bool known = false;
        for (size_t i = 0; i < count; i++)
            known = known || id_equal(&steps[i].id, &step.id);
        if (!known)
            steps[count++] = step;
    }
    store_list(f, to, count ? steps : NULL, count);
}

static void fill_list(struct rng *rng, struct arena *arena, const struct field *f, void *to) {
    size_t count = rng_below(rng, 3);
    size_t size = f->type == FIELD_IDS ? sizeof(mneme_id) : field_item_size(f);
    uint8_t *items = must_alloc(arena, count, size);
    for (size_t i = 0; i < count; i++) {
        if (f->type == FIELD_IDS)
            store_id(items + i * size, small_id(rng));
        else if (f->type == FIELD_TEXTS)
            store_text(items + i * size, word(rng));
        else
            fill_struct(rng, arena, f->schema, items + i * size);
    }
    store_list(f, to, count ? items : NULL, count);
}

static void fill_vector(struct rng *rng, struct arena *arena, mneme_embedding *e) {
    float *values = must_alloc(arena, 2, sizeof *values);
    e->stored_as = (mneme_embedding_format)rng_below(rng, 3);
    values[0] = 127.0f / 64;
    values[1] = (float)rng_below(rng, 127) / 64;
    e->values = values;
    e->count = 1 + rng_below(rng, 2);
}

static void fill_value(struct rng *rng, struct arena *arena, const struct field *f, void *to) {
    void *at = member_of(to, f->at);
    if (f->present_at) {
        bool present = rng_chance(rng, 70);
        store_bool(member_of(to, f->present_at), present);
        if (!present)
            return;
    }
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_JSON:
        store_text(at, f->flags & NEEDED || rng_chance(rng, 80) ? word(rng) : (mneme_text){0});
        break;
    case FIELD_OBJECT:
        store_text(at, maker_text(rng_chance(rng, 50) ? "{\"a\":1}" : "{}"));
        break;
    case FIELD_ID:
    case FIELD_STEP_ID:
        store_id(at, small_id(rng));
        break;
    case FIELD_TIME:
    case FIELD_STEP_TIME:
        store_int(at, RECORD_TIME + (int64_t)rng_below(rng, 5) * 1000 - 2000);
        break;
    case FIELD_UINT:
    case FIELD_STEP_NUMBER:
        store_uint(at, rng_below(rng, 5));
        break;
    case FIELD_INT:
        store_int(at, (int64_t)rng_below(rng, 5) - 2);
        break;
    case FIELD_DOUBLE:
        store_double(at, (double)rng_below(rng, 5) / 4);
        break;
    case FIELD_ENUM:
        store_enum(at, (uint32_t)(1 + rng_below(rng, f->names->count - 1)));
        break;
    case FIELD_MESSAGE:
        fill_struct(rng, arena, f->schema, at);
        break;
    case FIELD_TEXTS:
    case FIELD_IDS:
    case FIELD_LIST:
        fill_list(rng, arena, f, to);
        break;
    case FIELD_KEYED:
        store_list(f, to, NULL, 0);
        edit_items(rng, arena, f, to);
        break;
    case FIELD_VECTOR:
        fill_vector(rng, arena, to);
        break;
    }
}

static void fill_struct(struct rng *rng, struct arena *arena, const struct schema *schema,
                        void *to) {
    for (uint32_t i = 0; i < schema->count; i++)
        fill_value(rng, arena, &schema->fields[i], to);
}

/* ---- Records ----------------------------------------------------------------------------- */

bool maker_has_row(mneme_kind kind, uint32_t row) {
    const struct kind *k = kind_find(kind);
    if (row >= k->schema->count)
        return false;
    const struct field *f = &k->schema->fields[row];
    return row > 0 && (!(f->flags & IN_HEADER) || f->type == FIELD_TIME);
}

/* Its struct is the caller's to write to. */
static void *own_body(struct arena *arena, mneme_record *record) {
    size_t size = kind_find(record->kind)->schema->size;
    void *body = must_alloc(arena, 1, size);
    memcpy(body, record_body(record), size);
    record_set_body(record, body);
    return body;
}

void maker_edit_row(struct rng *rng, struct arena *arena, uint32_t row, mneme_record *record) {
    const struct kind *kind = kind_find(record->kind);
    const struct field *f = &kind->schema->fields[row];
    void *body = own_body(arena, record);
    if (f->schema == &step_schema)
        edit_steps(rng, arena, f, body);
    else if (f->flags & TAGS || f->type == FIELD_KEYED)
        edit_items(rng, arena, f, body);
    else if (f->type == FIELD_MESSAGE && f->present_at == 0 && rng_chance(rng, 20))
        memset(member_of(body, f->at), 0, f->schema->size);
    else if (f->type == FIELD_TIME && !(f->flags & IN_HEADER) && rng_chance(rng, 20))
        store_int(member_of(body, f->at), 0);
    else
        fill_value(rng, arena, f, body);
    record->time_us = load_int(member_at(body, kind->time_at));
}

void maker_edit(struct rng *rng, struct arena *arena, mneme_record *record) {
    uint32_t count = kind_find(record->kind)->schema->count;
    for (uint64_t edits = 1 + rng_below(rng, 3); edits > 0;) {
        uint32_t row = (uint32_t)rng_below(rng, count);
        if (!maker_has_row(record->kind, row))
            continue;
        maker_edit_row(rng, arena, row, record);
        edits--;
    }
}

void maker_record(struct rng *rng, struct arena *arena, mneme_kind kind, mneme_record *out) {
    const struct kind *k = kind_find(kind);
    void *body = must_alloc(arena, 1, k->schema->size);
    *out = (mneme_record){.kind = kind, .id = RECORD_ID};
    for (uint32_t i = 0; i < k->schema->count; i++)
        if (maker_has_row(kind, i) && k->schema->fields[i].schema != &step_schema)
            fill_value(rng, arena, &k->schema->fields[i], body);
    store_id(member_of(body, k->id_at), RECORD_ID);
    if (k->has_parent)
        out->parent = PARENT_ID;
    if (k->parent_at)
        store_id(member_of(body, k->parent_at), PARENT_ID);
    record_set_body(out, body);
    for (uint32_t i = 0; i < k->schema->count; i++) {
        const struct field *f = &k->schema->fields[i];
        if (f->flags & TAGS)
            store_list(f, body, NULL, 0);
        for (int n = 0;
             n < 3 && (f->flags & TAGS || f->schema == &step_schema || (f->type == FIELD_KEYED));
             n++)
            maker_edit_row(rng, arena, i, out);
    }
    out->time_us = load_int(member_at(record_body(out), k->time_at));
}

/* ---- Sides ------------------------------------------------------------------------------- */

static void give_up(const char *what, const mneme_error *error) {
    fprintf(stderr, "merge_maker: %s: %s\n", what, error->message);
    abort();
}

struct merge_side maker_side(const mneme_record *record, mneme_version version,
                             struct arena *arena) {
    AUTO_BUF struct buf body = BUF_INIT(1 << 20);
    mneme_error error = {0};
    struct stored_record *stored = must_alloc(arena, 1, sizeof *stored);
    struct slice plain;
    if (model_encode(record, arena, &body, stored, &error) != 0)
        give_up("a record does not encode", &error);
    if (arena_copy(arena, buf_slice(&body), &plain) != 0)
        abort();
    stored->version = version;
    if (!id_is_zero(&stored->parent) && stored->place == 0)
        stored->place = 1 + version.device % 3;
    return (struct merge_side){stored, plain};
}

struct merge_side maker_tombstone(mneme_kind kind, mneme_version version, struct arena *arena) {
    struct stored_record *stored = must_alloc(arena, 1, sizeof *stored);
    *stored = (struct stored_record){.kind = kind,
                                     .flags = MNEME_FLAG_DELETED,
                                     .id = RECORD_ID,
                                     .version = version,
                                     .time_us = RECORD_TIME};
    if (kind_find(kind) && kind_find(kind)->has_parent) {
        stored->parent = PARENT_ID;
        stored->place = 1;
    }
    return (struct merge_side){stored, {NULL, 0}};
}

void maker_read(const struct merge_side *side, struct arena *arena, mneme_record *out) {
    mneme_error error = {0};
    if (model_decode(side->record, side->plain, arena, out, &error) != 0)
        give_up("a side does not decode", &error);
}

struct merge_side maker_step_side(const mneme_step *step, mneme_version version,
                                  struct arena *arena) {
    const mneme_record record = {.kind = MNEME_STEP, .parent = RECORD_ID, .as.step = step};
    return maker_side(&record, version, arena);
}
