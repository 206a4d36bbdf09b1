/*
 * json_out.c - a record becomes one line of JSON: one walk over its schema (docs/jsonl.md).
 *
 * Zero and empty members are left out, so that reading the line back and writing it again gives
 * the same bytes.
 */
#include <stdio.h>

#include "codec/codec.h"
#include "model/member.h"
#include "os/os.h"

/* A comma unless this is the first of its container. */
static void put_comma(struct buf *b) {
    uint8_t last = b->size ? b->data[b->size - 1] : '{';
    if (last != '{' && last != '[')
        buf_append_byte(b, ',');
}

static void put_name(struct buf *b, struct slice name) {
    put_comma(b);
    buf_append_byte(b, '"');
    buf_append_slice(b, name);
    buf_append(b, "\":", 2);
}

static void put_text(struct buf *b, mneme_text text) { json_put_string(b, slice_of_text(text)); }

static void put_id(struct buf *b, mneme_id id) {
    char text[ID_TEXT_SIZE];
    id_format(&id, text);
    json_put_string(b, slice_of_string(text));
}

static void put_time(struct buf *b, int64_t time_us) {
    char text[TIME_TEXT_SIZE];
    time_format(time_us, text);
    json_put_string(b, slice_of_string(text));
}

/* ---- JSON inside JSON -------------------------------------------------------------------- */

/* A record puts at most three containers around a member; a text nested deeper than this would
 * make a line that is too deep to be read. */
enum { EMBEDDED_DEPTH_MAX = JSON_DEPTH_MAX - 4 };

/* Brackets outside of strings are not nested too deep, and no byte is a control character. */
static bool is_flat_line(struct slice text) {
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20)
            return false;
        if (in_string && c == '\\')
            i++;
        else if (c == '"')
            in_string = !in_string;
        else if (!in_string && (c == '{' || c == '[') && ++depth > EMBEDDED_DEPTH_MAX)
            return false;
        else if (!in_string && (c == '}' || c == ']') && depth > 0)
            depth--;
    }
    return true;
}

/*
 * Whether the bytes can stand in the line as they are and be found again exactly: an object or
 * array from the first byte to the last, valid, on one line. Everything else is written as a
 * string. MNEME_NO_MEMORY must not change the answer, so it is an error.
 */
static int is_embeddable(struct slice text, bool *yes) {
    *yes = false;
    if (text.size < 2 || (text.data[0] != '{' && text.data[0] != '['))
        return 0;
    uint8_t last = text.data[text.size - 1];
    if ((last != '}' && last != ']') || !is_flat_line(text))
        return 0;
    int status = json_check(text, NULL);
    *yes = status == 0;
    return status == MNEME_NO_MEMORY ? status : 0;
}

static void put_json(struct buf *b, mneme_text text) {
    bool embed;
    int status = is_embeddable(slice_of_text(text), &embed);
    if (status)
        b->status = status;
    else if (embed)
        buf_append_slice(b, slice_of_text(text));
    else
        put_text(b, text);
}

/* ---- Members ----------------------------------------------------------------------------- */

static void put_value(struct buf *b, const struct field *f, const void *from);

static void put_members(struct buf *b, const struct field *from_row, const struct field *end,
                        const void *from);

static void put_struct(struct buf *b, const struct schema *schema, const void *from) {
    buf_append_byte(b, '{');
    put_members(b, schema->fields, schema->fields + schema->count, from);
    buf_append_byte(b, '}');
}

static void put_list(struct buf *b, const struct field *f, const void *from) {
    struct list list = load_list(f, from);
    buf_append_byte(b, '[');
    for (size_t i = 0; i < list.count; i++) {
        put_comma(b);
        if (f->type == FIELD_TEXTS)
            put_text(b, load_text(list.items + i * sizeof(mneme_text)));
        else if (f->type == FIELD_IDS)
            put_id(b, load_id(list.items + i * sizeof(mneme_id)));
        else
            put_struct(b, f->schema, list.items + i * f->schema->size);
    }
    buf_append_byte(b, ']');
}

/* Items of {name, value} as members of one object. */
static void put_keyed(struct buf *b, const struct field *f, const void *from) {
    struct list list = load_list(f, from);
    buf_append_byte(b, '{');
    for (size_t i = 0; i < list.count; i++) {
        const uint8_t *item = list.items + i * f->schema->size;
        put_comma(b);
        put_text(b, load_text(item));
        buf_append_byte(b, ':');
        put_value(b, &f->schema->fields[1], item);
    }
    buf_append_byte(b, '}');
}

static void put_vector(struct buf *b, const mneme_embedding *e) {
    buf_append_byte(b, '[');
    for (size_t i = 0; i < e->count; i++) {
        put_comma(b);
        json_put_double(b, (double)e->values[i]);
    }
    buf_append_byte(b, ']');
}

static void put_value(struct buf *b, const struct field *f, const void *from) {
    const uint8_t *at = member_at(from, f->at);
    switch (f->type) {
    case FIELD_TEXT:
        put_text(b, load_text(at));
        break;
    case FIELD_JSON:
    case FIELD_OBJECT:
        put_json(b, load_text(at));
        break;
    case FIELD_ID:
    case FIELD_STEP_ID:
        put_id(b, load_id(at));
        break;
    case FIELD_TIME:
    case FIELD_STEP_TIME:
        put_time(b, load_int(at));
        break;
    case FIELD_UINT:
    case FIELD_STEP_NUMBER:
        json_put_uint(b, load_uint(at));
        break;
    case FIELD_INT:
        json_put_int(b, load_int(at));
        break;
    case FIELD_DOUBLE:
        json_put_double(b, load_double(at));
        break;
    case FIELD_ENUM:
        put_text(b, text_of_slice(slice_of_string(f->names->names[load_enum(at)])));
        break;
    case FIELD_MESSAGE:
        put_struct(b, f->schema, at);
        break;
    case FIELD_TEXTS:
    case FIELD_IDS:
    case FIELD_LIST:
        put_list(b, f, from);
        break;
    case FIELD_KEYED:
        put_keyed(b, f, from);
        break;
    case FIELD_VECTOR:
        put_vector(b, from);
        break;
    }
}

/* Whether a member has its default value, and so is left out. */
static bool is_blank(const struct field *f, const void *from) {
    static const uint8_t zeros[sizeof(mneme_id)];
    const uint8_t *at = member_at(from, f->at);
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_JSON:
    case FIELD_OBJECT:
        return load_text(at).size == 0;
    case FIELD_TEXTS:
    case FIELD_IDS:
    case FIELD_LIST:
    case FIELD_KEYED:
    case FIELD_VECTOR:
        return load_size(member_at(from, f->count_at)) == 0;
    case FIELD_ID:
    case FIELD_STEP_ID:
        return memcmp(at, zeros, sizeof(mneme_id)) == 0;
    case FIELD_ENUM:
        return load_enum(at) == 0;
    case FIELD_TIME:
    case FIELD_UINT:
    case FIELD_INT:
    case FIELD_DOUBLE: /* by its bits: -0.0 is not blank */
    case FIELD_STEP_NUMBER:
    case FIELD_STEP_TIME:
        return load_uint(at) == 0;
    case FIELD_MESSAGE:
        return false;
    }
    return false;
}

/* A member that carries its own flag is written when that is set, even if it is 0. */
static bool is_written(const struct field *f, const void *from) {
    if (f->present_at || f->flags & ALWAYS)
        return field_is_present(f, from);
    return !is_blank(f, from);
}

static void put_members(struct buf *b, const struct field *row, const struct field *end,
                        const void *from) {
    for (; row < end; row++) {
        if (!is_written(row, from))
            continue;
        size_t before = b->size;
        put_name(b, slice_of(row->name, row->name_size));
        size_t named = b->size;
        put_value(b, row, from);
        /* A struct in which everything is blank is blank itself. */
        if (row->type == FIELD_MESSAGE && row->present_at == 0 && b->size == named + 2)
            b->size = before;
    }
}

/* ---- Records ----------------------------------------------------------------------------- */

static void put_version(struct buf *b, mneme_version version) {
    put_name(b, slice_of_string("version"));
    buf_printf(b, "\"%016llx-%016llx\"", (unsigned long long)version.clock,
               (unsigned long long)version.device);
}

static void put_record(struct buf *b, const mneme_record *record, const struct view *view) {
    const struct schema *schema = view->kind->schema;
    const struct field *rest = schema->fields + 1; /* the first is the id, in every kind */
    buf_append_byte(b, '{');
    put_name(b, slice_of_string("kind"));
    put_text(b, text_of_slice(slice_of_string(kind_name(record->kind))));
    put_members(b, schema->fields, rest, &view->body);
    if (!version_is_zero(record->version))
        put_version(b, record->version);
    if (view->kind->parent_name) {
        put_name(b, slice_of_string(view->kind->parent_name));
        put_id(b, view->parent);
    }
    put_members(b, rest, schema->fields + schema->count, &view->body);
    buf_append_byte(b, '}');
}

int model_to_json(const mneme_record *record, struct buf *out, mneme_error *error) {
    struct view view;
    TRY(model_validate(record, error));
    TRY(view_of(record, &view, error));
    size_t before = out->size;
    put_record(out, record, &view);
    if (out->status) {
        out->size = before;
        return error_set(error, out->status, "%s: %s", kind_name(record->kind),
                         mneme_status_text(out->status));
    }
    return 0;
}
