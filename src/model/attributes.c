/*
 * attributes.c - the (name, value) pairs under which a store indexes a record.
 *
 * Which fields are indexed stands in the schemas (`attribute`): texts that are not empty, an
 * outcome always, ids as 16 raw bytes, each tag, and each metadata pair as "meta.NAME".
 *
 * A value of more than STORE_ATTRIBUTE_VALUE_MAX bytes is replaced by a digest: the byte 0xff,
 * which no UTF-8 text begins with, and the first 31 bytes of its SHA-256.
 */
#include <stdlib.h>

#include "codec/codec.h"
#include "model/member.h"
#include "os/os.h"

enum { DIGEST_SIZE = 32 };
static const char META[] = "meta.";

/* ---- Of a record ------------------------------------------------------------------------- */

static size_t field_attributes(const struct field *f, const void *from) {
    const uint8_t *at = member_at(from, f->at);
    if (f->type == FIELD_TEXTS || f->type == FIELD_KEYED)
        return load_size(member_at(from, f->count_at));
    if (f->type == FIELD_TEXT)
        return load_text(at).size != 0;
    return f->type != FIELD_ENUM || f->names->names[load_enum(at)] != NULL;
}

size_t attributes_count(const struct schema *schema, const void *from) {
    size_t count = 0;
    for (const struct field *f = schema->fields; f < schema->fields + schema->count; f++) {
        if (f->type == FIELD_MESSAGE)
            count += attributes_count(f->schema, member_at(from, f->at));
        else if (f->attribute)
            count += field_attributes(f, from);
    }
    return count;
}

static int make_value(struct slice value, struct arena *arena, struct slice *out) {
    if (value.size <= STORE_ATTRIBUTE_VALUE_MAX) {
        *out = value;
        return 0;
    }
    uint8_t digest[PACK_SHA256_SIZE];
    sha256(value, digest);
    memmove(digest + 1, digest, DIGEST_SIZE - 1);
    digest[0] = 0xff;
    return arena_copy(arena, slice_of(digest, DIGEST_SIZE), out);
}

static int make_meta_name(mneme_text name, struct arena *arena, struct slice *out) {
    size_t prefix = sizeof META - 1;
    uint8_t *at = arena_alloc(arena, prefix + name.size);
    if (!at)
        return MNEME_NO_MEMORY;
    memcpy(at, META, prefix);
    if (name.size)
        memcpy(at + prefix, name.data, name.size);
    *out = slice_of(at, prefix + name.size);
    return 0;
}

/* Append the attributes of one field at *next. */
static int make_field(const struct field *f, const void *from, struct arena *arena,
                      struct attribute **next) {
    const uint8_t *at = member_at(from, f->at);
    if (field_attributes(f, from) == 0)
        return 0;
    if (f->type == FIELD_TEXTS || f->type == FIELD_KEYED) {
        struct list list = load_list(f, from);
        for (size_t i = 0; i < list.count; i++, (*next)++) {
            const uint8_t *item = list.items + i * field_item_size(f);
            mneme_text value = load_text(f->type == FIELD_TEXTS ? item : item + sizeof value);
            (*next)->name = slice_of_string(f->attribute);
            if (f->type == FIELD_KEYED)
                TRY(make_meta_name(load_text(item), arena, &(*next)->name));
            TRY(make_value(slice_of_text(value), arena, &(*next)->value));
        }
        return 0;
    }
    (*next)->name = slice_of_string(f->attribute);
    struct slice value;
    if (f->type == FIELD_ENUM)
        value = slice_of_string(f->names->names[load_enum(at)]);
    else if (f->type == FIELD_ID)
        TRY(arena_copy(arena, slice_of(at, sizeof(mneme_id)), &value));
    else
        value = slice_of_text(load_text(at));
    TRY(make_value(value, arena, &(*next)->value));
    (*next)++;
    return 0;
}

static int make_struct(const struct schema *schema, const void *from, struct arena *arena,
                       struct attribute **next) {
    for (const struct field *f = schema->fields; f < schema->fields + schema->count; f++) {
        if (f->type == FIELD_MESSAGE)
            TRY(make_struct(f->schema, member_at(from, f->at), arena, next));
        else if (f->attribute)
            TRY(make_field(f, from, arena, next));
    }
    return 0;
}

static int compare_attributes(const void *a, const void *b) {
    const struct attribute *x = a, *y = b;
    int order = slice_compare(x->name, y->name);
    return order ? order : slice_compare(x->value, y->value);
}

int attributes_make(const struct schema *schema, const void *from, struct arena *arena,
                    struct stored_record *out) {
    size_t count = attributes_count(schema, from);
    struct attribute *list = arena_zalloc(arena, count, sizeof *list);
    if (!list)
        return MNEME_NO_MEMORY;
    struct attribute *end = list;
    TRY(make_struct(schema, from, arena, &end));
    qsort(list, count, sizeof *list, compare_attributes);
    out->attributes = count ? list : NULL;
    out->attribute_count = count;
    return 0;
}

/* ---- Of a query -------------------------------------------------------------------------- */

/* The field that is indexed under this name; the row of the metadata for "meta.…". */
static const struct field *find_field(const struct schema *schema, mneme_text name) {
    for (const struct field *f = schema->fields; f < schema->fields + schema->count; f++) {
        if (f->type == FIELD_MESSAGE) {
            const struct field *inner = find_field(f->schema, name);
            if (inner)
                return inner;
        } else if (f->attribute && f->type == FIELD_KEYED) {
            if (name.size > sizeof META - 1 && memcmp(name.data, META, sizeof META - 1) == 0)
                return f;
        } else if (f->attribute && text_is(name, f->attribute)) {
            return f;
        }
    }
    return NULL;
}

static void list_names(const struct schema *schema, struct buf *b) {
    for (const struct field *f = schema->fields; f < schema->fields + schema->count; f++) {
        if (f->type == FIELD_MESSAGE)
            list_names(f->schema, b);
        else if (f->attribute)
            buf_printf(b, "%s%s%s", b->size ? ", " : "", f->attribute,
                       f->type == FIELD_KEYED ? "NAME" : "");
    }
}

static int refuse_name(mneme_kind kind, mneme_text name, mneme_error *error) {
    AUTO_BUF struct buf names = BUF_INIT(MNEME_ERROR_TEXT_MAX);
    list_names(kind_find(kind)->schema, &names);
    if (names.size == 0)
        return error_set(error, MNEME_INVALID, "a %s has no attributes to ask for",
                         kind_name(kind));
    return error_set(error, MNEME_INVALID, "%s has no attribute \"%.*s\"; it has %.*s",
                     kind_name(kind), shown_size(slice_of_text(name)), name.data ? name.data : "",
                     (int)names.size, (const char *)names.data);
}

static int enum_value(const struct field *f, mneme_text value, mneme_error *error) {
    AUTO_BUF struct buf names = BUF_INIT(MNEME_ERROR_TEXT_MAX);
    for (size_t i = 0; i < f->names->count; i++) {
        const char *name = f->names->names[i];
        if (name && text_is(value, name))
            return 0;
        if (name)
            buf_printf(&names, "%s%s", names.size ? ", " : "", name);
    }
    return error_set(error, MNEME_INVALID, "%s \"%.*s\" is none of %.*s", f->attribute,
                     shown_size(slice_of_text(value)), value.data ? value.data : "",
                     (int)names.size, names.data ? (const char *)names.data : "");
}

static int id_value(const struct field *f, mneme_text value, struct arena *arena, struct slice *out,
                    mneme_error *error) {
    mneme_id id;
    int status = id_parse(value, &id, error);
    if (status)
        return error_prefix(error, status, "%s", f->attribute);
    return arena_copy(arena, slice_of(id.bytes, sizeof id.bytes), out);
}

static int check_pair(const mneme_pair *pair, mneme_error *error) {
    bool readable =
        (pair->name.data || !pair->name.size) && (pair->value.data || !pair->value.size);
    if (!readable || !utf8_valid(slice_of_text(pair->name)) ||
        !utf8_valid(slice_of_text(pair->value)))
        return error_set(error, MNEME_INVALID, "attribute name and value must be valid UTF-8");
    if (pair->name.size > STORE_ATTRIBUTE_NAME_MAX)
        return error_set(error, MNEME_TOO_LARGE, "attribute name of %zu bytes; at most %d",
                         pair->name.size, STORE_ATTRIBUTE_NAME_MAX);
    return 0;
}

int model_attribute(mneme_kind kind, const mneme_pair *pair, struct arena *arena,
                    struct attribute *out, mneme_error *error) {
    if (!kind_find(kind))
        return error_set(error, MNEME_INVALID, "kind %d has no attributes", (int)kind);
    TRY(check_pair(pair, error));
    const struct field *f = find_field(kind_find(kind)->schema, pair->name);
    if (!f)
        return refuse_name(kind, pair->name, error);
    struct attribute made = {slice_of_text(pair->name), slice_of_text(pair->value)};
    int status = 0;
    if (f->type == FIELD_ENUM)
        status = enum_value(f, pair->value, error);
    else if (f->type == FIELD_ID)
        status = id_value(f, pair->value, arena, &made.value, error);
    else
        status = make_value(made.value, arena, &made.value);
    if (status == MNEME_NO_MEMORY)
        return error_set(error, status, "out of memory");
    TRY(status);
    *out = made;
    return 0;
}
