/*
 * merge_state.c - a side's body and stamps become a state.
 */
#include "sync/merge_state.h"

#include <stdlib.h>

#include "codec/codec.h"
#include "model/member.h"
#include "os/os.h"
#include "sync/stamps.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to merge records");
}

static int corrupt(const struct stored_record *record, mneme_error *error) {
    char id[ID_TEXT_SIZE];
    id_format(&record->id, id);
    return error_set(error, MNEME_CORRUPT, "%s %s: its body does not decode; run mneme verify",
                     store_kind_name(record->kind), id);
}

enum merge_class merge_class_of(const struct kind *kind, const struct field *f) {
    if (f->at == kind->id_at && (f->type == FIELD_ID || f->type == FIELD_STEP_ID))
        return MERGE_NOT;
    if (f->flags & IN_HEADER)
        return f->type == FIELD_TIME ? MERGE_WHOLE : MERGE_NOT;
    bool items = f->flags & TAGS || f->type == FIELD_KEYED || f->schema == &step_schema;
    return items ? MERGE_ITEMS : MERGE_WHOLE;
}

/* ---- Items ------------------------------------------------------------------------------- */

int merge_compare_places(const struct merge_place *a, const struct merge_place *b) {
    int order = version_compare(a->stamp, b->stamp);
    if (order)
        return order;
    return a->index == b->index ? 0 : a->index < b->index ? -1 : 1;
}

bool merge_same_value(const struct merge_item *a, const struct merge_item *b) {
    return !a->at == !b->at && slice_equal(a->value, b->value);
}

int merge_compare_items(const struct merge_item *a, const struct merge_item *b) {
    int order = version_compare(a->stamp, b->stamp);
    if (order)
        return order;
    if (!a->at != !b->at)
        return a->at ? 1 : -1;
    return slice_compare(a->value, b->value);
}

static int compare_keys(const void *a, const void *b) {
    const struct merge_item *x = a, *y = b;
    return slice_compare(x->key, y->key);
}

int merge_by_place(const void *a, const void *b) {
    const struct merge_item *x = a, *y = b;
    int order = merge_compare_places(&x->place, &y->place);
    return order ? order : compare_keys(a, b);
}

struct merge_item *merge_find_item(const struct merge_row *row, struct slice key) {
    const struct merge_item wanted = {.key = key};
    return row->count ? bsearch(&wanted, row->items, row->count, sizeof wanted, compare_keys)
                      : NULL;
}

static struct merge_item join_items(const struct merge_item *a, const struct merge_item *b) {
    struct merge_item joined = merge_compare_items(a, b) >= 0 ? *a : *b;
    joined.place = merge_compare_places(&a->place, &b->place) >= 0 ? a->place : b->place;
    return joined;
}

void merge_sort_items(struct merge_row *row) {
    size_t kept = 0;
    if (row->count)
        qsort(row->items, row->count, sizeof *row->items, compare_keys);
    for (size_t i = 0; i < row->count; i++) {
        if (kept && slice_equal(row->items[kept - 1].key, row->items[i].key))
            row->items[kept - 1] = join_items(&row->items[kept - 1], &row->items[i]);
        else
            row->items[kept++] = row->items[i];
    }
    row->count = kept;
}

/* ---- Reading ----------------------------------------------------------------------------- */

/* What is read of one side. */
struct side_reader {
    const struct kind *kind;
    const void *body;
    const struct stamps *stamps;
    struct arena *arena;
    struct buf scratch;
};

static void side_reader_fini(struct side_reader *in) { buf_fini(&in->scratch); }

static int take_scratch(struct side_reader *in, struct slice *out) {
    TRY(in->scratch.status);
    TRY(arena_copy(in->arena, buf_slice(&in->scratch), out));
    in->scratch.size = 0;
    return 0;
}

static int read_whole(struct side_reader *in, const struct field *f, struct merge_row *row) {
    static const struct chain absolute;
    if (f->flags & IN_HEADER) { /* the time */
        uint8_t *bytes = buf_reserve(&in->scratch, sizeof(uint64_t));
        if (!bytes)
            return MNEME_NO_MEMORY;
        put_be64(bytes, load_uint(member_at(in->body, f->at)));
        in->scratch.size += sizeof(uint64_t);
    } else {
        field_encode(f, in->body, &absolute, &in->scratch);
    }
    return take_scratch(in, &row->value);
}

int merge_read_item(const struct field *f, const void *at, struct arena *arena,
                    struct merge_item *out) {
    static const struct chain absolute;
    AUTO_BUF struct buf value = BUF_INIT(SIZE_MAX / 2);
    *out = (struct merge_item){.at = at};
    if (f->schema == &step_schema)
        out->key = slice_of(member_at(at, offsetof(mneme_step, id)), sizeof(mneme_id));
    else
        out->key = slice_of_text(load_text(at));
    if (f->type == FIELD_TEXTS)
        return 0; /* a tag says nothing but its name */
    body_encode(f->schema, at, &absolute, &value);
    return value.status ? value.status : arena_copy(arena, buf_slice(&value), &out->value);
}

static const struct stamps_list *find_list(const struct stamps *stamps, uint32_t number) {
    for (size_t i = 0; i < stamps->list_count; i++)
        if (stamps->lists[i].number == number)
            return &stamps->lists[i];
    return NULL;
}

/* Whether all that the list is said to have is there. */
static bool list_fits(const struct stamps_list *list, size_t count) {
    const struct stamps_run *v = list->values + list->value_count;
    const struct stamps_run *p = list->places + list->place_count;
    return (list->value_count == 0 || v[-1].start + v[-1].count <= count) &&
           (list->place_count == 0 || p[-1].start + p[-1].count <= count);
}

static void stamp_items(const struct field *f, const struct stamps_list *list,
                        struct merge_row *row) {
    for (const struct stamps_run *r = list->values; r < list->values + list->value_count; r++)
        for (size_t i = 0; i < r->count; i++)
            row->items[r->start + i].stamp = r->stamp;
    for (const struct stamps_run *r = list->places; r < list->places + list->place_count; r++)
        for (size_t i = 0; i < r->count && merge_has_places(f); i++)
            row->items[r->start + i].place = (struct merge_place){r->stamp, r->first + i};
    for (size_t i = 0; i < list->gone_count; i++) {
        const struct stamps_gone *gone = &list->gone[i];
        struct merge_item *item = &row->items[row->count++];
        *item = (struct merge_item){.key = gone->key, .stamp = gone->stamp};
        if (merge_has_places(f))
            item->place = (struct merge_place){gone->place, gone->index};
    }
}

static int read_items(struct side_reader *in, const struct field *f, struct merge_row *row) {
    const struct stamps_list *said = find_list(in->stamps, f->number);
    struct list list = load_list(f, in->body);
    size_t gone = said ? said->gone_count : 0;
    row->items = arena_zalloc(in->arena, list.count + gone, sizeof *row->items);
    if (!row->items)
        return MNEME_NO_MEMORY;
    row->count = list.count;
    for (size_t i = 0; i < list.count; i++) {
        TRY(merge_read_item(f, list.items + i * field_item_size(f), in->arena, &row->items[i]));
        row->items[i].stamp = in->stamps->fallback;
        if (merge_has_places(f))
            row->items[i].place = (struct merge_place){in->stamps->fallback, i};
    }
    if (said && !list_fits(said, list.count))
        return MNEME_CORRUPT;
    if (said)
        stamp_items(f, said, row);
    merge_sort_items(row);
    return 0;
}

static int read_rows(struct side_reader *in, struct merge_state *out) {
    const struct schema *schema = in->kind->schema;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        enum merge_class class = merge_class_of(in->kind, f);
        out->rows[i].stamp = in->stamps->fallback;
        if (class == MERGE_WHOLE) {
            TRY(read_whole(in, f, &out->rows[i]));
            out->rows[i].stamp = merge_unsaid_stamp(&out->rows[i], in->stamps->fallback);
        } else if (class == MERGE_ITEMS) {
            TRY(read_items(in, f, &out->rows[i]));
        }
    }
    for (size_t i = 0; i < in->stamps->member_count;
         i++) /* those of a newer model are passed over */
        if (in->stamps->members[i].number <= schema->count)
            out->rows[in->stamps->members[i].number - 1].stamp = in->stamps->members[i].stamp;
    return 0;
}

/* The bytes of the stamps in a body; empty: it has none. */
static int find_stamps(struct slice plain, struct slice *out) {
    struct wire_reader r = wire_reader_of(plain);
    struct wire_field w;
    *out = (struct slice){0};
    while (wire_next(&r, &w)) {
        if (w.number != STAMPS_FIELD)
            continue;
        r.bad |= out->data != NULL;
        *out = wire_bytes(&r, &w);
        r.bad |= out->size == 0;
    }
    return r.bad ? MNEME_CORRUPT : 0;
}

int merge_state_read(const struct merge_side *side, struct arena *arena, struct merge_state *out,
                     mneme_error *error) {
    const struct stored_record *record = side->record;
    struct stamps stamps = {.fallback = record->version};
    struct slice bytes;
    void *body = NULL;
    *out = (struct merge_state){.kind = kind_find(record->kind), .header = *record};
    out->header.attributes = NULL;
    out->header.attribute_count = 0;
    out->header.body = (struct slice){0};
    int status = find_stamps(side->plain, &bytes);
    if (status == 0)
        status = record_body_of(record, side->plain, arena, &body);
    if (status == 0 && bytes.size) {
        TRY(stamps_decode(bytes, arena, &stamps, error));
        out->stamped = out->carried = true;
    }
    out->birth = stamps.birth;
    if (status == 0) {
        CLEANUP(side_reader_fini)
        struct side_reader in = {out->kind, body, &stamps, arena, BUF_INIT(STORE_BODY_MAX)};
        status = read_rows(&in, out);
    }
    if (status == MNEME_CORRUPT)
        return corrupt(record, error);
    return status ? no_memory(error) : 0;
}

/* ---- Joining ----------------------------------------------------------------------------- */

static int join_rows(const struct merge_row *a, const struct merge_row *b, struct arena *arena,
                     struct merge_row *out) {
    int order = version_compare(a->stamp, b->stamp);
    if (order == 0)
        order = slice_compare(a->value, b->value);
    *out = order >= 0 ? *a : *b;
    if (a->count + b->count == 0)
        return 0;
    out->count = 0;
    out->items = arena_zalloc(arena, a->count + b->count, sizeof *out->items);
    if (!out->items)
        return MNEME_NO_MEMORY;
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        int side = i == a->count   ? 1
                   : j == b->count ? -1
                                   : slice_compare(a->items[i].key, b->items[j].key);
        if (side == 0)
            out->items[out->count++] = join_items(&a->items[i++], &b->items[j++]);
        else
            out->items[out->count++] = side < 0 ? a->items[i++] : b->items[j++];
    }
    return 0;
}

static int compare_headers(const struct stored_record *a, const struct stored_record *b) {
    int order = version_compare(a->version, b->version);
    if (order == 0)
        order = memcmp(&a->parent, &b->parent, sizeof a->parent);
    if (order == 0 && a->place != b->place)
        order = a->place < b->place ? -1 : 1;
    return order;
}

int merge_join(const struct merge_state *a, const struct merge_state *b, struct arena *arena,
               struct merge_state *out) {
    const uint32_t of_here = MNEME_FLAG_LOCAL;
    *out = compare_headers(&a->header, &b->header) >= 0 ? *a : *b;
    out->header.flags = a->header.flags | (b->header.flags & ~of_here);
    out->stamped = true;
    for (uint32_t i = 0; i < a->kind->schema->count; i++)
        TRY(join_rows(&a->rows[i], &b->rows[i], arena, &out->rows[i]));
    return 0;
}
