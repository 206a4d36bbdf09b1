/*
 * row.c - records and the values of their rows.
 */
#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "codec/json.h"
#include "store/sql/sql_impl.h"

/* ---- Devices, attributes, checksums ---------------------------------------------------------- */

struct device_text device_format(uint64_t device) {
    struct device_text out;
    snprintf(out.text, sizeof out.text, "%016" PRIx64, device);
    return out;
}

static int digit_of(uint8_t c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool device_parse(struct slice text, uint64_t *out) {
    uint64_t device = 0;
    bool good = text.size == SQL_DEVICE_TEXT - 1;
    for (size_t i = 0; good && i < text.size; i++) {
        int digit = digit_of(text.data[i]);
        good = digit >= 0;
        device = device << 4 | (uint64_t)(digit & 15);
    }
    if (good)
        *out = device;
    return good;
}

enum { ESCAPE = 1 };

int attribute_text(struct arena *arena, struct slice bytes, struct slice *out) {
    static const char digits[] = "0123456789abcdef";
    bool plain =
        utf8_valid(bytes) &&
        (bytes.size == 0 || (bytes.data[0] != ESCAPE && !memchr(bytes.data, 0, bytes.size)));
    if (plain) {
        *out = bytes;
        return 0;
    }
    uint8_t *text = arena_alloc(arena, 1 + 2 * bytes.size);
    if (!text)
        return MNEME_NO_MEMORY;
    text[0] = ESCAPE;
    for (size_t i = 0; i < bytes.size; i++) {
        text[1 + 2 * i] = (uint8_t)digits[bytes.data[i] >> 4];
        text[2 + 2 * i] = (uint8_t)digits[bytes.data[i] & 15];
    }
    *out = slice_of(text, 1 + 2 * bytes.size);
    return 0;
}

/* The bytes that attribute_text made `text` of; in the arena, or the text itself. */
static int attribute_bytes(struct arena *arena, struct slice text, struct slice *out) {
    *out = text;
    if (text.size == 0 || text.data[0] != ESCAPE)
        return 0;
    uint8_t *bytes = arena_alloc(arena, text.size / 2);
    if (!bytes)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < text.size / 2; i++) {
        int high = digit_of(text.data[1 + 2 * i]), low = digit_of(text.data[2 + 2 * i]);
        if (text.size % 2 == 0 || high < 0 || low < 0)
            return MNEME_CORRUPT;
        bytes[i] = (uint8_t)(high << 4 | low);
    }
    *out = slice_of(bytes, text.size / 2);
    return 0;
}

static int put_attribute(struct buf *b, struct arena *arena, const struct attribute *attribute) {
    struct slice name, value;
    TRY(attribute_text(arena, attribute->name, &name));
    TRY(attribute_text(arena, attribute->value, &value));
    buf_append_byte(b, '[');
    json_put_string(b, name);
    buf_append_byte(b, ',');
    json_put_string(b, value);
    buf_append_byte(b, ']');
    return 0;
}

int attribute_json(struct arena *arena, const struct attribute *attribute, struct slice *out) {
    AUTO_BUF struct buf b = BUF_INIT(SIZE_MAX / 2);
    TRY(put_attribute(&b, arena, attribute));
    return b.status ? b.status : arena_copy(arena, buf_slice(&b), out);
}

int attributes_text(struct arena *arena, const struct stored_record *record, struct slice *out) {
    AUTO_BUF struct buf b = BUF_INIT(SIZE_MAX / 2);
    buf_append_byte(&b, '[');
    for (size_t i = 0; i < record->attribute_count; i++) {
        if (i)
            buf_append_byte(&b, ',');
        TRY(put_attribute(&b, arena, &record->attributes[i]));
    }
    buf_append_byte(&b, ']');
    return b.status ? b.status : arena_copy(arena, buf_slice(&b), out);
}

int64_t body_checksum(struct slice body) {
    uint64_t hash = XXH3_64bits(body.data, body.size);
    int64_t checksum;
    memcpy(&checksum, &hash, sizeof checksum);
    return checksum;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

#define COLUMNS_BUT_BODY                                                                           \
    "r.change, r.kind, r.id, r.time_us, r.flags, r.clock, r.device, r.parent, r.place, "           \
    "r.attributes, r.plain_size, r.body_size, r.checksum, "
const char row_columns[] = COLUMNS_BUT_BODY "r.chunks, r.body";
const char row_columns_without_body[] = COLUMNS_BUT_BODY "0, x''";

static int not_ours(const char *column, mneme_error *error) {
    return error_set(error, MNEME_CORRUPT,
                     "a row of mneme_record has a %s that mneme did not write; restore it from a "
                     "backup, or delete the row",
                     column);
}

/* A number from 0 to `most`. */
static int number_of(const struct sql_value *value, int64_t most, const char *column, int64_t *out,
                     mneme_error *error) {
    if (value->type != SQL_INTEGER || value->integer < 0 || value->integer > most)
        return not_ours(column, error);
    *out = value->integer;
    return 0;
}

static int id_of(const struct sql_value *value, const char *column, mneme_id *out,
                 mneme_error *error) {
    if (value->type != SQL_BLOB || value->bytes.size != sizeof out->bytes)
        return not_ours(column, error);
    memcpy(out->bytes, value->bytes.data, sizeof out->bytes);
    return 0;
}

static int kind_of(const struct sql_value *value, mneme_kind *out, mneme_error *error) {
    for (int kind = MNEME_KIND_NONE + 1; kind < MNEME_KIND_COUNT; kind++)
        if (value->type == SQL_TEXT &&
            slice_equal(value->bytes, slice_of_string(store_kind_name((mneme_kind)kind)))) {
            *out = (mneme_kind)kind;
            return 0;
        }
    return not_ours("kind", error);
}

static int attribute_read(const struct json_node *pair, struct arena *arena,
                          struct attribute *out) {
    const struct json_node *name =
        pair->type == JSON_ARRAY && pair->count == 2 ? json_first(pair) : NULL;
    const struct json_node *value = name ? json_next(pair, name) : NULL;
    struct slice bytes, copy;
    if (!value || name->type != JSON_STRING || value->type != JSON_STRING)
        return MNEME_CORRUPT;
    TRY(attribute_bytes(arena, name->text, &bytes));
    TRY(arena_copy(arena, bytes, &copy));
    out->name = copy;
    TRY(attribute_bytes(arena, value->text, &bytes));
    TRY(arena_copy(arena, bytes, &copy));
    out->value = copy;
    return attribute_validate(out, NULL);
}

static int attributes_take(struct slice text, struct arena *arena, struct stored_record *record) {
    AUTO_ARENA struct arena parsed = {0};
    const struct json_node *root;
    size_t count = 0;
    TRY(json_parse(text, &parsed, &root, NULL));
    if (root->type != JSON_ARRAY || root->count > STORE_ATTRIBUTES_MAX)
        return MNEME_CORRUPT;
    struct attribute *attributes = arena_zalloc(arena, root->count, sizeof *attributes);
    if (!attributes)
        return MNEME_NO_MEMORY;
    for (const struct json_node *pair = json_first(root); pair; pair = json_next(root, pair))
        TRY(attribute_read(pair, arena, &attributes[count++]));
    record->attributes = attributes;
    record->attribute_count = count;
    return 0;
}

static int attributes_read(const struct sql_value *value, struct arena *arena,
                           struct stored_record *record, mneme_error *error) {
    int status =
        value->type == SQL_TEXT ? attributes_take(value->bytes, arena, record) : MNEME_CORRUPT;
    if (status == MNEME_NO_MEMORY)
        return error_set(error, MNEME_NO_MEMORY, "no memory to read records");
    return status ? not_ours("attributes column", error) : 0;
}

/* Everything but attributes and body. */
static int head_read(const struct sql_value *v, struct stored_record *record, mneme_error *error) {
    int64_t change = 0, flags = 0, clock = 0, place = 0, plain = 0;
    TRY(number_of(&v[0], INT64_MAX, "change", &change, error));
    TRY(kind_of(&v[1], &record->kind, error));
    TRY(id_of(&v[2], "id", &record->id, error));
    if (v[3].type != SQL_INTEGER)
        return not_ours("time_us", error);
    TRY(number_of(&v[4], UINT32_MAX, "flags", &flags, error));
    TRY(number_of(&v[5], INT64_MAX, "clock", &clock, error));
    if (v[6].type != SQL_TEXT || !device_parse(v[6].bytes, &record->version.device))
        return not_ours("device", error);
    if (v[7].type != SQL_NULL)
        TRY(id_of(&v[7], "parent", &record->parent, error));
    TRY(number_of(&v[8], INT64_MAX, "place", &place, error));
    TRY(number_of(&v[10], UINT32_MAX, "plain_size", &plain, error));
    record->change = (uint64_t)change;
    record->time_us = v[3].integer;
    record->flags = (uint32_t)flags;
    record->version.clock = (uint64_t)clock;
    record->place = (uint64_t)place;
    record->plain_size = (uint32_t)plain;
    return 0;
}

int row_read(const struct sql_value *values, struct record_set *out, struct row_rest *rest,
             mneme_error *error) {
    struct stored_record *record = record_set_add(out);
    int64_t size = 0, others = 0;
    if (!record)
        return error_set(error, MNEME_NO_MEMORY, "no memory to read records");
    TRY(head_read(values, record, error));
    TRY(attributes_read(&values[9], &out->arena, record, error));
    TRY(number_of(&values[11], STORE_BODY_MAX, "body_size", &size, error));
    TRY(number_of(&values[13], STORE_BODY_MAX / SQL_CHUNK_BYTES, "number of chunks", &others,
                  error));
    if (values[12].type != SQL_INTEGER)
        return not_ours("checksum", error);
    if (values[14].type != SQL_BLOB || values[14].bytes.size > (size_t)size)
        return not_ours("body", error);
    if (arena_copy(&out->arena, values[14].bytes, &record->body))
        return error_set(error, MNEME_NO_MEMORY, "no memory to read records");
    *rest = (struct row_rest){
        .chunks = (size_t)others, .size = (size_t)size, .checksum = values[12].integer};
    return 0;
}
