/*
 * object.c - JSON objects made of members of other objects, without insignificant white space.
 */
#include "exchange/exchange_impl.h"

int exchange_no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to read a record");
}

/* Behind the closing quote of the string that begins at `at`. The text is valid JSON. */
static const uint8_t *string_end(const uint8_t *at, const uint8_t *end) {
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    return at < end ? at + 1 : end;
}

/* What stays of valid JSON, which has line breaks nowhere but between its tokens. */
static void put_minified(struct buf *b, struct slice raw) {
    uint8_t *to = buf_reserve(b, raw.size);
    const uint8_t *at = raw.data, *end = raw.data + raw.size;
    if (!to)
        return;
    while (at < end) {
        if (*at == '"') {
            size_t size = (size_t)(string_end(at, end) - at);
            memcpy(to, at, size);
            to += size;
            at += size;
        } else {
            *to = *at++;
            to += *to > ' ';
        }
    }
    b->size = (size_t)(to - b->data);
}

void object_key(struct buf *b, struct slice key) {
    if (b->size && b->data[b->size - 1] != '{')
        buf_append_byte(b, ',');
    json_put_string(b, key);
    buf_append_byte(b, ':');
}

void object_begin(struct buf *b) {
    buf_reset(b);
    buf_append_byte(b, '{');
}

void object_member(struct buf *b, struct slice key, struct slice raw) {
    object_key(b, key);
    put_minified(b, raw);
}

void object_number(struct buf *b, const char *key, uint64_t value) {
    object_key(b, slice_of_string(key));
    json_put_uint(b, value);
}

int object_end(struct buf *b, struct arena *arena, mneme_text *out) {
    struct slice copy = {NULL, 0};
    if (b->size > 1) {
        buf_append_byte(b, '}');
        TRY(b->status);
        TRY(arena_copy(arena, buf_slice(b), &copy));
    }
    TRY(b->status);
    *out = text_of_slice(copy);
    return 0;
}

mneme_text member_text(const struct json_node *object, const char *key) {
    const struct json_node *member =
        object && object->type == JSON_OBJECT ? json_member(object, key) : NULL;
    return is_string(member) ? text_of_slice(member->text) : (mneme_text){NULL, 0};
}
