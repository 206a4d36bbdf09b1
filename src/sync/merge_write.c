/*
 * merge_write.c - a state becomes a record again: its body, and behind it its stamps.
 */
#include <stdlib.h>

#include "codec/codec.h"
#include "model/member.h"
#include "os/os.h"
#include "sync/merge_state.h"
#include "sync/stamps.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to merge records");
}

/* A state while it is written. */
struct writer {
    const struct merge_state *state;
    struct arena *arena;
    struct stamps stamps;
    mneme_version version;
    struct merge_item *orders[SCHEMA_FIELDS_MAX]; /* live items, in the order of the list */
    size_t counts[SCHEMA_FIELDS_MAX];
};

/* ---- Content ----------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) {
    const struct merge_item *x = a, *y = b;
    const mneme_step *s = x->at, *t = y->at;
    if (s->number != t->number)
        return s->number < t->number ? -1 : 1;
    return slice_compare(x->key, y->key);
}

/* The live items of a row in their order, and as a list in the struct. */
static int write_items(struct writer *w, uint32_t i, void *body) {
    const struct field *f = &w->state->kind->schema->fields[i];
    const struct merge_row *row = &w->state->rows[i];
    size_t size = field_item_size(f), count = 0;
    struct merge_item *order = arena_zalloc(w->arena, row->count, sizeof *order);
    uint8_t *items = arena_zalloc(w->arena, row->count, size);
    if (!order || !items)
        return MNEME_NO_MEMORY;
    for (size_t j = 0; j < row->count; j++)
        if (row->items[j].at)
            order[count++] = row->items[j];
    qsort(order, count, sizeof *order, merge_has_places(f) ? merge_by_place : by_number);
    for (size_t j = 0; j < count; j++)
        memcpy(items + j * size, order[j].at, size);
    store_list(f, body, count ? items : NULL, count);
    w->orders[i] = order;
    w->counts[i] = count;
    return 0;
}

/* The whole rows one after the other are a body in which all times are absolute. */
static int decode_wholes(const struct merge_state *state, struct arena *arena, void *body) {
    const struct schema *schema = state->kind->schema;
    const struct chain absolute = {.id = state->header.id};
    AUTO_BUF struct buf bytes = BUF_INIT(SIZE_MAX / 2);
    for (uint32_t i = 0; i < schema->count; i++)
        if (merge_class_of(state->kind, &schema->fields[i]) == MERGE_WHOLE &&
            !(schema->fields[i].flags & IN_HEADER))
            buf_append_slice(&bytes, state->rows[i].value);
    TRY(bytes.status);
    struct slice kept; /* texts of the body point into it */
    TRY(arena_copy(arena, buf_slice(&bytes), &kept));
    return body_decode(schema, kept, &absolute, arena, body);
}

static int write_content(struct writer *w, mneme_record *record) {
    const struct kind *kind = w->state->kind;
    const struct schema *schema = kind->schema;
    const struct stored_record *header = &w->state->header;
    void *body = arena_zalloc(w->arena, 1, schema->size);
    if (!body)
        return MNEME_NO_MEMORY;
    TRY(decode_wholes(w->state, w->arena, body));
    store_id(member_of(body, kind->id_at), header->id);
    if (kind->parent_at)
        store_id(member_of(body, kind->parent_at), header->parent);
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        enum merge_class class = merge_class_of(kind, f);
        if (class == MERGE_WHOLE && f->flags & IN_HEADER)
            store_int(member_of(body, f->at), (int64_t)get_be64(w->state->rows[i].value.data));
        else if (class == MERGE_ITEMS)
            TRY(write_items(w, i, body));
    }
    *record = (mneme_record){.kind = header->kind,
                             .id = header->id,
                             .parent = header->parent,
                             .time_us = load_int(member_at(body, kind->time_at))};
    record_set_body(record, body);
    return 0;
}

/* ---- Stamps ------------------------------------------------------------------------------ */

static int compare_versions(const void *a, const void *b) {
    const mneme_version *x = a, *y = b;
    return version_compare(*x, *y);
}

/* The stamp that most elements have, of those that as many have the greatest; and the greatest. */
static int find_fallback(struct writer *w) {
    const struct schema *schema = w->state->kind->schema;
    size_t max = schema->count, count = 0, most = 0;
    for (uint32_t i = 0; i < schema->count; i++)
        max += w->state->rows[i].count;
    mneme_version *all = arena_zalloc(w->arena, max, sizeof *all);
    if (!all)
        return MNEME_NO_MEMORY;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct merge_row *row = &w->state->rows[i];
        bool whole = merge_class_of(w->state->kind, &schema->fields[i]) == MERGE_WHOLE;
        if (whole && row->value.size)
            all[count++] = row->stamp;
        else if (whole && version_compare(row->stamp, w->version) > 0)
            w->version = row->stamp;
        for (size_t j = 0; j < row->count; j++)
            if (row->items[j].at)
                all[count++] = row->items[j].stamp;
            else if (version_compare(row->items[j].stamp, w->version) > 0)
                w->version = row->items[j].stamp;
    }
    qsort(all, count, sizeof *all, compare_versions);
    for (size_t i = 0, begin = 0; i < count; i++) {
        if (version_compare(all[begin], all[i]) != 0)
            begin = i;
        if (i - begin + 1 >= most) {
            most = i - begin + 1;
            w->stamps.fallback = all[i];
        }
    }
    if (version_compare(all[count - 1], w->version) > 0)
        w->version = all[count - 1];
    return 0;
}

static bool is_fallback(const struct writer *w, mneme_version stamp) {
    return version_compare(stamp, w->stamps.fallback) == 0;
}

static void value_runs(const struct writer *w, const struct merge_item *items, size_t count,
                       struct stamps_list *out) {
    struct stamps_run *run = NULL;
    for (size_t i = 0; i < count; i++) {
        if (is_fallback(w, items[i].stamp))
            continue;
        if (run && run->start + run->count == i &&
            version_compare(run->stamp, items[i].stamp) == 0) {
            run->count++;
            continue;
        }
        run = &out->values[out->value_count++];
        *run = (struct stamps_run){.start = i, .count = 1, .stamp = items[i].stamp};
    }
}

static void place_runs(const struct writer *w, const struct merge_item *items, size_t count,
                       struct stamps_list *out) {
    struct stamps_run *run = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct merge_place *place = &items[i].place;
        if (is_fallback(w, place->stamp) && place->index == i)
            continue;
        if (run && run->start + run->count == i && run->first + run->count == place->index &&
            version_compare(run->stamp, place->stamp) == 0) {
            run->count++;
            continue;
        }
        run = &out->places[out->place_count++];
        *run = (struct stamps_run){i, 1, place->stamp, place->index};
    }
}

static void gone_items(const struct merge_row *row, struct stamps_list *out) {
    for (size_t i = 0; i < row->count; i++) {
        const struct merge_item *item = &row->items[i];
        if (!item->at)
            out->gone[out->gone_count++] =
                (struct stamps_gone){item->key, item->stamp, item->place.stamp, item->place.index};
    }
}

static int stamp_list(struct writer *w, uint32_t i) {
    const struct field *f = &w->state->kind->schema->fields[i];
    const struct merge_row *row = &w->state->rows[i];
    struct stamps_list *list = &w->stamps.lists[w->stamps.list_count];
    *list = (struct stamps_list){.number = f->number,
                                 .values = arena_zalloc(w->arena, row->count, sizeof *list->values),
                                 .places = arena_zalloc(w->arena, row->count, sizeof *list->places),
                                 .gone = arena_zalloc(w->arena, row->count, sizeof *list->gone)};
    if (!list->values || !list->places || !list->gone)
        return MNEME_NO_MEMORY;
    value_runs(w, w->orders[i], w->counts[i], list);
    if (merge_has_places(f))
        place_runs(w, w->orders[i], w->counts[i], list);
    gone_items(row, list);
    if (list->value_count + list->place_count + list->gone_count > 0)
        w->stamps.list_count++;
    return 0;
}

static int make_stamps(struct writer *w) {
    const struct schema *schema = w->state->kind->schema;
    struct stamps *s = &w->stamps;
    TRY(find_fallback(w));
    s->birth = w->state->birth;
    s->members = arena_zalloc(w->arena, schema->count, sizeof *s->members);
    s->lists = arena_zalloc(w->arena, schema->count, sizeof *s->lists);
    if (!s->members || !s->lists)
        return MNEME_NO_MEMORY;
    for (uint32_t i = 0; i < schema->count; i++) {
        enum merge_class class = merge_class_of(w->state->kind, &schema->fields[i]);
        const struct merge_row *row = &w->state->rows[i];
        mneme_version unsaid = merge_unsaid_stamp(row, s->fallback);
        if (class == MERGE_WHOLE && version_compare(row->stamp, unsaid) != 0)
            s->members[s->member_count++] = (struct stamps_member){i + 1, row->stamp};
        else if (class == MERGE_ITEMS)
            TRY(stamp_list(w, i));
    }
    return 0;
}

/* Whether a body without stamps says the same. */
static bool says_nothing(const struct writer *w) {
    return version_is_zero(w->stamps.birth) && is_fallback(w, w->version) &&
           w->stamps.member_count + w->stamps.list_count == 0;
}

static int append_stamps(struct writer *w, struct buf *b) {
    if (says_nothing(w))
        return 0;
    size_t mark = wire_begin(b, STAMPS_FIELD);
    TRY(stamps_encode(&w->stamps, b));
    wire_end(b, mark);
    return b->status;
}

/* ---- The record -------------------------------------------------------------------------- */

static int too_large(const struct stored_record *record, mneme_error *error) {
    char id[ID_TEXT_SIZE];
    id_format(&record->id, id);
    return error_set(error, MNEME_TOO_LARGE,
                     "%s %s: merged, it is over the limits of a record (%d MiB, %d tags and "
                     "metadata names); shorten it on one of the machines",
                     store_kind_name(record->kind), id, STORE_BODY_MAX >> 20, STORE_ATTRIBUTES_MAX);
}

static int write_record(struct writer *w, struct buf *b, struct stored_record *out,
                        mneme_error *error) {
    const struct stored_record *header = &w->state->header;
    const uint32_t of_content = MNEME_FLAG_DELETED | MNEME_FLAG_SEALED;
    mneme_record record;
    TRY(write_content(w, &record));
    TRY(record_encode(&record, true, w->arena, b, out, error));
    TRY(make_stamps(w));
    TRY(append_stamps(w, b));
    if (b->size > STORE_BODY_MAX || out->attribute_count > STORE_ATTRIBUTES_MAX)
        return MNEME_TOO_LARGE;
    out->flags |= header->flags & ~of_content;
    out->version = w->version;
    if (out->place == 0)
        out->place = header->place;
    out->plain_size = (uint32_t)b->size;
    return 0;
}

int merge_state_write(const struct merge_state *state, struct arena *arena, struct merge_side *out,
                      mneme_error *error) {
    AUTO_BUF struct buf b = BUF_INIT(2 * (size_t)STORE_BODY_MAX);
    struct writer w = {.state = state, .arena = arena, .version = state->header.version};
    struct stored_record *record = arena_zalloc(arena, 1, sizeof *record);
    if (!record)
        return no_memory(error);
    int status = write_record(&w, &b, record, error);
    if (status == MNEME_TOO_LARGE)
        return too_large(&state->header, error);
    struct slice plain = {0};
    if (status == MNEME_NO_MEMORY || (status == 0 && arena_copy(arena, buf_slice(&b), &plain)))
        return no_memory(error);
    if (status)
        return error_set(error, status, "%s: what was merged makes no record",
                         store_kind_name(state->header.kind));
    *out = (struct merge_side){record, plain};
    return 0;
}
