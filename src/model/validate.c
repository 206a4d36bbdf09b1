/*
 * validate.c - what types.h and the limits in mneme.h demand of a record, as one walk over its
 * schema. Nothing here looks at ids and times that are still blank: model_fill fills those in.
 */
#include <math.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "model/member.h"

/* What RFC 3339 can write, the years 0001 to 9999, in microseconds. */
static const int64_t TIME_MIN = INT64_C(-62135596800000000);
static const int64_t TIME_MAX = INT64_C(253402300799999999);

enum { VECTOR_MAX = 65536 };
static const double HALF_LIMIT = 65520; /* from here on a half rounds to infinity */

struct checker {
    mneme_error *error;
    const struct path *path;
};

static struct checker below(const struct checker *c, const struct path *path) {
    return (struct checker){c->error, path};
}
#define REFUSE(c, ...) path_error((c)->path, MNEME_INVALID, (c)->error, __VA_ARGS__)

/* ---- Single values ----------------------------------------------------------------------- */

static int check_text(const struct checker *c, mneme_text text) {
    if (text.size && !text.data)
        return REFUSE(c, "has a size but no data");
    if (text.size > MODEL_TEXT_MAX)
        return path_error(c->path, MNEME_TOO_LARGE, c->error, "%zu bytes; a text has at most %d",
                          text.size, MODEL_TEXT_MAX);
    if (!utf8_valid(slice_of_text(text)))
        return REFUSE(c, "not valid UTF-8");
    return 0;
}

/* A tag, a metadata name, or the name of a reward's part. */
static int check_name(const struct checker *c, mneme_text text) {
    TRY(check_text(c, text));
    if (text.size == 0)
        return REFUSE(c, "must not be empty");
    if (text.size > MODEL_NAME_MAX)
        return path_error(c->path, MNEME_TOO_LARGE, c->error, "%zu bytes; a name has at most %d",
                          text.size, MODEL_NAME_MAX);
    return 0;
}

static int check_object(const struct checker *c, mneme_text text) {
    mneme_error cause = {0};
    TRY(check_text(c, text));
    if (text.size == 0)
        return 0;
    int status = json_check(slice_of_text(text), &cause);
    if (status == MNEME_NO_MEMORY)
        return status;
    if (status)
        return path_error(c->path, status, c->error, "expected a JSON object: %s", cause.message);
    size_t i = 0;
    while (i < text.size && strchr(" \t\r\n", text.data[i]))
        i++;
    return text.data[i] == '{' ? 0 : REFUSE(c, "expected a JSON object");
}

static int check_time(const struct checker *c, int64_t time_us) {
    return time_us >= TIME_MIN && time_us <= TIME_MAX
               ? 0
               : REFUSE(c, "outside of the years 0001 to 9999 (times are in microseconds)");
}

static int check_double(const struct checker *c, const struct field *f, double value) {
    if (!isfinite(value))
        return REFUSE(c, "not a finite number");
    if (f->flags & FRACTION && (value < 0 || value > 1))
        return REFUSE(c, "%g is not between 0 and 1", value);
    return 0;
}

static int check_enum(const struct checker *c, const struct field *f, uint32_t value) {
    return value < f->names->count ? 0 : REFUSE(c, "%u is none of its values", value);
}

static int check_id(const struct checker *c, const struct field *f, mneme_id id) {
    return f->flags & NEEDED && id_is_zero(&id) ? REFUSE(c, "names no record") : 0;
}

static int check_vector(const struct checker *c, const mneme_embedding *e) {
    if (e->count == 0 || e->count > VECTOR_MAX)
        return REFUSE(c, "%zu dimensions; an embedding has 1 to %d", e->count, VECTOR_MAX);
    if (!e->values)
        return REFUSE(c, "has a count but no data");
    for (size_t i = 0; i < e->count; i++) {
        if (!isfinite(e->values[i]))
            return REFUSE(c, "value %zu is not a finite number", i);
        if (e->stored_as == MNEME_F16 && fabs((double)e->values[i]) >= HALF_LIMIT)
            return REFUSE(c, "value %zu does not fit f16 (at most 65504); store it as f32", i);
    }
    return 0;
}

/* ---- No name twice ----------------------------------------------------------------------- */

static int compare_slices(const void *a, const void *b) {
    const struct slice *x = a, *y = b;
    return slice_compare(*x, *y);
}

/* Sorts `names`; gives one that stands twice, or none. Empty ones do not count. */
static struct slice find_twice(struct slice *names, size_t count) {
    qsort(names, count, sizeof *names, compare_slices);
    for (size_t i = 1; i < count; i++)
        if (names[i].size && slice_equal(names[i - 1], names[i]))
            return names[i];
    return (struct slice){NULL, 0};
}

/* The name of an item is its first member, a text. */
static int check_unique_names(const struct checker *c, struct list list, size_t item_size) {
    if (list.count < 2)
        return 0;
    struct slice few[16];
    AUTO_FREE struct slice *many = NULL;
    struct slice *names = few;
    if (list.count > COUNT_OF(few))
        names = many = mem_zalloc(list.count, sizeof *many);
    if (!names)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < list.count; i++)
        names[i] = slice_of_text(load_text(list.items + i * item_size));
    struct slice twice = find_twice(names, list.count);
    struct path path = {c->path, twice, 0};
    return twice.data ? path_error(&path, MNEME_INVALID, c->error, "stands twice") : 0;
}

/* Ids that are not blank: two steps of one id would be one record. */
static int check_unique_steps(const struct checker *c, const mneme_step *steps, size_t count) {
    AUTO_FREE struct slice *ids = mem_zalloc(count, sizeof *ids);
    if (!ids)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!id_is_zero(&steps[i].id))
            ids[i] = slice_of(steps[i].id.bytes, sizeof steps[i].id.bytes);
    struct slice twice = find_twice(ids, count);
    return twice.data ? REFUSE(c, "two steps have the same id") : 0;
}

/* A blank number means the next one; numbers must rise, since they are the order of the steps. */
static int check_steps(const struct checker *c, const mneme_step *steps, size_t count) {
    uint64_t last = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t number = steps[i].number ? steps[i].number : last + 1;
        if (number <= last)
            return REFUSE(c, "step %zu has number %llu after %llu; numbers must rise", i,
                          (unsigned long long)number, (unsigned long long)last);
        last = number;
    }
    return count < 2 ? 0 : check_unique_steps(c, steps, count);
}

/* ---- Structs ----------------------------------------------------------------------------- */

static int check_struct(const struct checker *c, const struct schema *schema, const void *from);

static int check_texts(const struct checker *c, const struct field *f, struct list list) {
    for (size_t i = 0; i < list.count; i++) {
        struct path item_path = path_index(c->path, i);
        struct checker item = below(c, &item_path);
        mneme_text text = load_text(list.items + i * sizeof text);
        TRY(f->flags & TAGS ? check_name(&item, text) : check_text(&item, text));
    }
    return f->flags & TAGS ? check_unique_names(c, list, sizeof(mneme_text)) : 0;
}

static int check_items(const struct checker *c, const struct field *f, struct list list) {
    for (size_t i = 0; i < list.count; i++) {
        const uint8_t *at = list.items + i * f->schema->size;
        struct path item_path = path_index(c->path, i);
        struct checker item = below(c, &item_path);
        TRY(check_struct(&item, f->schema, at));
        if (f->type == FIELD_KEYED) {
            struct path name_path = path_name(&item_path, "name");
            struct checker name = below(c, &name_path);
            TRY(check_name(&name, load_text(at)));
        }
    }
    if (f->type == FIELD_KEYED)
        return check_unique_names(c, list, f->schema->size);
    return 0;
}

static int check_list(const struct checker *c, const struct field *f, const void *from) {
    struct list list = load_list(f, from);
    if (list.count && !list.items)
        return REFUSE(c, "has a count but no data");
    if (f->type == FIELD_IDS)
        return 0;
    if (f->type == FIELD_TEXTS)
        return check_texts(c, f, list);
    TRY(check_items(c, f, list));
    if (f->schema == &step_schema)
        return check_steps(c, load_pointer(member_at(from, f->at)), list.count);
    return 0;
}

static int check_field(const struct checker *c, const struct field *f, const void *from) {
    const uint8_t *at = member_at(from, f->at);
    switch (f->type) {
    case FIELD_TEXT:
    case FIELD_JSON:
        TRY(check_text(c, load_text(at)));
        return f->flags & NEEDED && load_text(at).size == 0 ? REFUSE(c, "must not be empty") : 0;
    case FIELD_OBJECT:
        return check_object(c, load_text(at));
    case FIELD_ID:
    case FIELD_STEP_ID:
        return check_id(c, f, load_id(at));
    case FIELD_TIME:
    case FIELD_STEP_TIME:
        return check_time(c, load_int(at));
    case FIELD_DOUBLE:
        return check_double(c, f, load_double(at));
    case FIELD_ENUM:
        return check_enum(c, f, load_enum(at));
    case FIELD_MESSAGE:
        return check_struct(c, f->schema, at);
    case FIELD_TEXTS:
    case FIELD_IDS:
    case FIELD_LIST:
    case FIELD_KEYED:
        return check_list(c, f, from);
    case FIELD_VECTOR:
        return check_vector(c, from);
    case FIELD_UINT:
    case FIELD_INT:
    case FIELD_STEP_NUMBER:
        return 0; /* every value is good */
    }
    return 0;
}

static int check_struct(const struct checker *c, const struct schema *schema, const void *from) {
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        struct path path = path_field(c->path, f);
        struct checker field = below(c, &path);
        if (field_is_present(f, from))
            TRY(check_field(&field, f, from));
    }
    return 0;
}

int model_validate(const mneme_record *record, mneme_error *error) {
    struct view view;
    TRY(view_of(record, &view, error));
    struct path path = path_name(NULL, kind_name(record->kind));
    struct checker c = {error, &path};
    if (view.kind->has_parent && id_is_zero(&view.parent))
        return REFUSE(&c, "names no episode to belong to");
    int status = check_struct(&c, view.kind->schema, &view.body);
    if (status == MNEME_NO_MEMORY)
        return error_set(error, MNEME_NO_MEMORY, "out of memory");
    TRY(status);
    size_t count = attributes_count(view.kind->schema, &view.body);
    if (count > STORE_ATTRIBUTES_MAX)
        return path_error(&path, MNEME_TOO_LARGE, error,
                          "%zu tags, metadata names and other indexed values; at most %d", count,
                          STORE_ATTRIBUTES_MAX);
    return 0;
}
