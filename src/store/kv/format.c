/*
 * format.c - keys, and the blob of a record.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "codec/codec.h"
#include "store/kv/kv_impl.h"

/* ---- Keys -------------------------------------------------------------------------------- */

static void key_add(struct kv_key *key, const void *data, size_t size) {
    ASSERT(key->size + size <= sizeof key->data);
    memcpy(key->data + key->size, data, size);
    key->size += (uint32_t)size;
}

static void key_add_byte(struct kv_key *key, uint8_t byte) { key_add(key, &byte, 1); }

struct kv_key kv_record_key(mneme_kind kind, const mneme_id *id, size_t chunk) {
    struct kv_key key = {.size = 0};
    key_add(&key, id->bytes, sizeof id->bytes);
    key_add_byte(&key, (uint8_t)kind);
    if (chunk) {
        key_add_byte(&key, (uint8_t)(chunk >> 8));
        key_add_byte(&key, (uint8_t)chunk);
    }
    return key;
}

bool kv_record_parse(MDB_val key, mneme_kind *kind, mneme_id *id, bool *first_chunk) {
    const uint8_t *at = key.mv_data;
    size_t head = sizeof id->bytes + 1;
    if (key.mv_size != head && key.mv_size != head + 2)
        return false;
    memcpy(id->bytes, at, sizeof id->bytes);
    *kind = (mneme_kind)at[sizeof id->bytes];
    *first_chunk = key.mv_size == head;
    return kind_is_valid(*kind);
}

struct kv_key kv_time_prefix(mneme_kind kind) {
    struct kv_key key = {.size = 0};
    key_add_byte(&key, 'T');
    key_add_byte(&key, (uint8_t)kind);
    return key;
}

/* 40 bits of a hash stand for name and value: keys stay short, and a reader compares the record's
 * own attributes, so that a collision costs a look and never a wrong answer. Attributes come last
 * of all, and those of dictionaries (kind 8) first among them, so that a store's first import finds
 * nothing behind its keys, and fills pages to the brim. */
struct kv_key kv_attribute_prefix(mneme_kind kind, const struct attribute *attribute) {
    XXH64_hash_t name = XXH3_64bits(attribute->name.data, attribute->name.size);
    XXH64_hash_t hash = XXH3_64bits_withSeed(attribute->value.data, attribute->value.size, name);
    uint8_t bytes[8];
    put_be64(bytes, hash);
    struct kv_key key = {.size = 0};
    key_add_byte(&key, 'V');
    key_add_byte(&key, kind == MNEME_DICTIONARY ? 0 : (uint8_t)kind);
    key_add(&key, bytes, 5);
    return key;
}

struct kv_key kv_child_prefix(const mneme_id *parent, mneme_kind kind) {
    struct kv_key key = {.size = 0};
    key_add_byte(&key, 'C');
    key_add(&key, parent->bytes, sizeof parent->bytes);
    key_add_byte(&key, (uint8_t)kind);
    return key;
}

struct kv_key kv_change_key(uint64_t change) {
    struct kv_key key = {.size = 8};
    put_be64(key.data, change);
    return key;
}

/*
 * Sort key (the sign bit turned, so that bytes order as the signed numbers do), then the id. Most
 * ids hold, in their first 6 bytes, the very millisecond of the time that is the sort key; then
 * these are left out. A byte between says whether they are (1), or are less (0) or greater (2)
 * than that millisecond and stand there, so that the order is by time, then id, all the same.
 */
enum { ID_TIME_SIZE = 6 };

static int64_t floor_millis(int64_t time_us) { return time_us / 1000 - (time_us % 1000 < 0); }

struct kv_key kv_index_key(struct kv_key prefix, int64_t sort, const mneme_id *id) {
    uint8_t bytes[8];
    int64_t millis = floor_millis(sort), in_id = (int64_t)id_millis(id);
    uint8_t form = in_id == millis ? 1 : in_id < millis ? 0 : 2;
    size_t skip = form == 1 ? ID_TIME_SIZE : 0;
    put_be64(bytes, (uint64_t)sort ^ UINT64_C(1) << 63);
    key_add(&prefix, bytes, sizeof bytes);
    key_add_byte(&prefix, form);
    key_add(&prefix, id->bytes + skip, sizeof id->bytes - skip);
    return prefix;
}

size_t kv_index_prefix_size(const uint8_t *key, size_t size) {
    switch (size ? key[0] : 0) {
    case 'T':
        return 1 + 1;
    case 'V':
        return 1 + 1 + 5;
    case 'C':
        return 1 + sizeof(mneme_id) + 1;
    default:
        return 0;
    }
}

size_t kv_index_tail_size(const uint8_t *tail, size_t size) {
    size_t head = 8 + 1, whole = head + sizeof(mneme_id);
    size_t expected = size > 8 && tail[8] == 1 ? whole - ID_TIME_SIZE : whole;
    return size > 8 && tail[8] <= 2 && expected <= size ? expected : 0;
}

bool kv_index_parse(const struct kv_key *key, size_t prefix_size, int64_t *sort, mneme_id *id) {
    const uint8_t *tail = key->data + prefix_size;
    if (key->size <= prefix_size ||
        kv_index_tail_size(tail, key->size - prefix_size) != key->size - prefix_size)
        return false;
    *sort = (int64_t)(get_be64(tail) ^ UINT64_C(1) << 63);
    put_be64(id->bytes, (uint64_t)floor_millis(*sort) << 16);
    size_t skip = tail[8] == 1 ? ID_TIME_SIZE : 0;
    memcpy(id->bytes + skip, tail + 9, sizeof id->bytes - skip);
    return true;
}

/* ---- Blobs ------------------------------------------------------------------------------- */

/* Names that nearly every store has are one byte in the header. The table belongs to the file
 * format: entries are added at the end and never changed. */
#define SHORT(name)                                                                                \
    { (const uint8_t *)(name), sizeof(name) - 1 }
static const struct slice short_names[] = {
    SHORT("type"),    SHORT("domain"), SHORT("language"), SHORT("framework"),
    SHORT("outcome"), SHORT("tag"),    SHORT("origin"),   SHORT("subject"),
    SHORT("model"),   SHORT("from"),   SHORT("to"),
};
/* Codes below 31 are for names of the table; 31 is for "meta." before the bytes that follow. */
static const char meta_prefix[] = "meta.";
enum { NAME_META = 31, SHORT_NAMES_MAX = 32 };

enum { SHAPE_PARENT = 1, SHAPE_FOREIGN_DEVICE = 2 };

static void put_name(struct buf *b, struct slice name) {
    for (size_t i = 0; i < COUNT_OF(short_names); i++) {
        if (slice_equal(name, short_names[i])) {
            wire_put_varint(b, i);
            return;
        }
    }
    size_t meta = sizeof meta_prefix - 1;
    if (name.size >= meta && memcmp(name.data, meta_prefix, meta) == 0) {
        wire_put_varint(b, NAME_META);
        wire_put_varint(b, name.size - meta);
        buf_append(b, name.data + meta, name.size - meta);
        return;
    }
    wire_put_varint(b, SHORT_NAMES_MAX + name.size);
    buf_append_slice(b, name);
}

/* "meta." and the bytes that follow in the blob, as one name in the arena. */
static int get_meta_name(struct wire_reader *r, struct arena *arena, struct slice *out) {
    size_t meta = sizeof meta_prefix - 1;
    struct slice rest = wire_get_bytes(r, (size_t)wire_get_varint(r));
    uint8_t *name = arena_alloc(arena, meta + rest.size);
    if (!name)
        return MNEME_NO_MEMORY;
    memcpy(name, meta_prefix, meta);
    if (rest.size)
        memcpy(name + meta, rest.data, rest.size);
    *out = slice_of(name, meta + rest.size);
    return 0;
}

static int get_name(struct wire_reader *r, struct arena *arena, struct slice *out) {
    uint64_t code = wire_get_varint(r);
    if (code < COUNT_OF(short_names))
        *out = short_names[code];
    else if (code == NAME_META)
        return get_meta_name(r, arena, out);
    else if (code >= SHORT_NAMES_MAX && code <= SHORT_NAMES_MAX + STORE_ATTRIBUTE_NAME_MAX)
        *out = wire_get_bytes(r, (size_t)(code - SHORT_NAMES_MAX));
    else
        r->bad = true;
    return 0;
}

/* The key is mixed into the checksum, so that a page that landed in the wrong place is seen. */
static uint64_t blob_checksum(mneme_kind kind, const mneme_id *id, struct slice rest) {
    struct kv_key key = kv_record_key(kind, id, 0);
    XXH64_hash_t seed = XXH3_64bits(key.data, key.size);
    return XXH3_64bits_withSeed(rest.data, rest.size, seed);
}

/* Times and clocks of a record lie near the time in its id, so they are kept as differences. */
static void put_header(struct buf *b, const struct stored_record *r, uint64_t home) {
    uint64_t millis = id_millis(&r->id);
    bool parent = !id_is_zero(&r->parent), foreign = r->version.device != home;
    wire_put_varint(b, r->flags);
    buf_append_byte(b,
                    (uint8_t)((parent ? SHAPE_PARENT : 0) | (foreign ? SHAPE_FOREIGN_DEVICE : 0)));
    wire_put_varint(b, r->change);
    wire_put_varint(b, zigzag((int64_t)((r->version.clock >> 16) - millis)));
    wire_put_varint(b, r->version.clock & 0xffff);
    if (foreign) {
        uint8_t device[8];
        put_be64(device, r->version.device);
        buf_append(b, device, sizeof device);
    }
    wire_put_varint(b, zigzag((int64_t)((uint64_t)r->time_us - millis * 1000)));
    if (parent) {
        buf_append(b, r->parent.bytes, sizeof r->parent.bytes);
        wire_put_varint(b, r->place);
    }
    wire_put_varint(b, r->plain_size);
    wire_put_varint(b, r->attribute_count);
    for (size_t i = 0; i < r->attribute_count; i++) {
        put_name(b, r->attributes[i].name);
        wire_put_varint(b, r->attributes[i].value.size);
        buf_append_slice(b, r->attributes[i].value);
    }
}

/* How much follows is known behind the header, and stands before it, at `at`; the header, which is
 * short, moves up to that. */
static void put_rest_size(struct buf *out, size_t at, size_t header, size_t body_size) {
    size_t size = out->size - header;
    out->size = at;
    wire_put_varint(out, size + body_size);
    memmove(out->data + out->size, out->data + header, size);
    out->size += size;
}

int kv_blob_write(struct buf *out, const struct stored_record *record, uint64_t home,
                  mneme_error *error) {
    enum { FRONT = 8 + 10 }; /* the checksum, and the longest varint */
    size_t start = out->size;
    if (buf_reserve(out, FRONT))
        out->size += FRONT;
    put_header(out, record, home);
    if (!out->status)
        put_rest_size(out, start + 8, start + FRONT, record->body.size);
    buf_append_slice(out, record->body);
    if (out->status)
        return error_set(error, out->status, "a %zu-byte record could not be written",
                         record->body.size);
    put_be64(out->data + start,
             blob_checksum(record->kind, &record->id,
                           slice_of(out->data + start + 8, out->size - start - 8)));
    return 0;
}

size_t kv_blob_size(MDB_val first_chunk) {
    struct wire_reader r = wire_reader_of(slice_of(first_chunk.mv_data, first_chunk.mv_size));
    wire_get_bytes(&r, 8);
    uint64_t rest = wire_get_varint(&r);
    if (r.bad || rest > KV_BLOB_MAX)
        return 0;
    return (size_t)(r.at - (const uint8_t *)first_chunk.mv_data) + (size_t)rest;
}

uint32_t kv_blob_flags(MDB_val first_chunk) {
    struct wire_reader r = wire_reader_of(slice_of(first_chunk.mv_data, first_chunk.mv_size));
    wire_get_bytes(&r, 8);
    wire_get_varint(&r);
    return (uint32_t)wire_get_varint(&r);
}

static int get_attributes(struct wire_reader *r, struct arena *arena, struct stored_record *out) {
    uint64_t count = wire_get_varint(r);
    if (r->bad || count > STORE_ATTRIBUTES_MAX || count > (uint64_t)(r->end - r->at)) {
        r->bad = true;
        return 0;
    }
    out->attribute_count = (size_t)count;
    if (count == 0)
        return 0;
    struct attribute *attributes = arena_zalloc(arena, (size_t)count, sizeof *attributes);
    if (!attributes)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        TRY(get_name(r, arena, &attributes[i].name));
        attributes[i].value = wire_get_bytes(r, (size_t)wire_get_varint(r));
    }
    out->attributes = attributes;
    return 0;
}

static int get_header(struct wire_reader *r, uint64_t home, struct arena *arena,
                      struct stored_record *out) {
    uint64_t millis = id_millis(&out->id);
    out->flags = (uint32_t)wire_get_varint(r);
    struct slice shape_byte = wire_get_bytes(r, 1);
    unsigned shape = shape_byte.size ? shape_byte.data[0] : 0;
    out->change = wire_get_varint(r);
    uint64_t clock = (uint64_t)unzigzag(wire_get_varint(r)) + millis;
    out->version.clock = clock << 16 | (wire_get_varint(r) & 0xffff);
    out->version.device = home;
    if (shape & SHAPE_FOREIGN_DEVICE) {
        struct slice device = wire_get_bytes(r, 8);
        out->version.device = device.size == 8 ? get_be64(device.data) : 0;
    }
    out->time_us = (int64_t)((uint64_t)unzigzag(wire_get_varint(r)) + millis * 1000);
    if (shape & SHAPE_PARENT) {
        struct slice parent = wire_get_bytes(r, sizeof out->parent.bytes);
        if (parent.size)
            memcpy(out->parent.bytes, parent.data, parent.size);
        out->place = wire_get_varint(r);
    }
    out->plain_size = (uint32_t)wire_get_varint(r);
    return get_attributes(r, arena, out);
}

int kv_blob_read(struct slice blob, mneme_kind kind, const mneme_id *id, uint64_t home,
                 struct arena *arena, struct stored_record *out, mneme_error *error) {
    struct stored_record record = {.kind = kind, .id = *id};
    struct wire_reader r = wire_reader_of(blob);
    struct slice checksum = wire_get_bytes(&r, 8);
    uint64_t expected = checksum.size ? get_be64(checksum.data) : 0;
    uint64_t found = r.bad ? 0 : blob_checksum(kind, id, slice_of(r.at, (size_t)(r.end - r.at)));
    bool good = !r.bad && found == expected;
    if (good) {
        wire_get_varint(&r);
        if (get_header(&r, home, arena, &record))
            return error_set(error, MNEME_NO_MEMORY, "no memory for a record's attributes");
        good = !r.bad;
    }
    if (!good) {
        char text[ID_TEXT_SIZE];
        id_format(id, text);
        return error_set(error, MNEME_CORRUPT,
                         "record %s of kind %d is damaged (its checksum does not match); run "
                         "`mneme verify`, and restore it from a backup",
                         text, (int)kind);
    }
    record.body = slice_of(r.at, (size_t)(r.end - r.at));
    *out = record;
    return 0;
}
