/*
 * member.h - the members of a struct by their offset, for the walks over a schema.
 *
 * Through memcpy, which compiles to one move, because the types differ from row to row.
 */
#ifndef MNEME_MODEL_MEMBER_H
#define MNEME_MODEL_MEMBER_H

#include "model/schema.h"

static inline const uint8_t *member_at(const void *from, uint32_t offset) {
    return (const uint8_t *)from + offset;
}
static inline void *member_of(void *to, uint32_t offset) { return (uint8_t *)to + offset; }

#define DEFINE_LOAD(name, type)                                                                    \
    static inline type load_##name(const void *at) {                                               \
        type value;                                                                                \
        memcpy(&value, at, sizeof value);                                                          \
        return value;                                                                              \
    }                                                                                              \
    static inline void store_##name(void *at, type value) { memcpy(at, &value, sizeof value); }
DEFINE_LOAD(text, mneme_text)
DEFINE_LOAD(id, mneme_id)
DEFINE_LOAD(uint, uint64_t)
DEFINE_LOAD(int, int64_t)
DEFINE_LOAD(double, double)
DEFINE_LOAD(enum, uint32_t)
DEFINE_LOAD(bool, bool)
DEFINE_LOAD(size, size_t)
DEFINE_LOAD(pointer, const void *)
#undef DEFINE_LOAD
_Static_assert(sizeof(mneme_kind) == sizeof(uint32_t), "enumerations are loaded as uint32_t");

struct list {
    const uint8_t *items;
    size_t count;
};
static inline struct list load_list(const struct field *f, const void *from) {
    return (struct list){load_pointer(member_at(from, f->at)),
                         load_size(member_at(from, f->count_at))};
}
static inline void store_list(const struct field *f, void *to, const void *items, size_t count) {
    store_pointer(member_of(to, f->at), items);
    store_size(member_of(to, f->count_at), count);
}
static inline uint8_t *load_items(const struct field *f, void *to) {
    uint8_t *items;
    memcpy(&items, member_of(to, f->at), sizeof items);
    return items;
}
/* False only for a member whose own flag says that it is not there. */
static inline bool field_is_present(const struct field *f, const void *from) {
    return f->present_at == 0 || load_bool(member_at(from, f->present_at));
}
/* Bytes of one item of a list whose items stand in fields of their own; 0 for other types. */
static inline size_t field_item_size(const struct field *f) {
    if (f->type == FIELD_TEXTS)
        return sizeof(mneme_text);
    return f->type == FIELD_LIST || f->type == FIELD_KEYED ? f->schema->size : 0;
}

#endif
