/*
 * record_set.c - records copied out of a store, in one arena.
 */
#include "store/store_impl.h"

void record_set_fini(struct record_set *set) {
    arena_fini(&set->arena);
    *set = (struct record_set){0};
}

/*
 * The array doubles, and the old one is left behind in the arena: all those together are no
 * larger than the new one, so growth costs linear time and at most twice the memory.
 */
static int record_set_reserve_one(struct record_set *set) {
    if (set->count < set->capacity)
        return 0;
    size_t capacity = set->capacity ? set->capacity : 8, size;
    if (!checked_mul(capacity, 2, &capacity) || !checked_mul(capacity, sizeof *set->records, &size))
        return MNEME_NO_MEMORY;
    struct stored_record *records = arena_alloc(&set->arena, size);
    if (!records)
        return MNEME_NO_MEMORY;
    if (set->count)
        memcpy(records, set->records, set->count * sizeof *records);
    set->records = records;
    set->capacity = capacity;
    return 0;
}

struct stored_record *record_set_add(struct record_set *set) {
    if (record_set_reserve_one(set))
        return NULL;
    struct stored_record *record = &set->records[set->count++];
    *record = (struct stored_record){0};
    return record;
}

static int attributes_copy(struct arena *arena, const struct attribute *from, size_t count,
                           const struct attribute **out) {
    struct attribute *to = NULL;
    if (count) {
        to = arena_zalloc(arena, count, sizeof *to);
        if (!to)
            return MNEME_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        TRY(arena_copy(arena, from[i].name, &to[i].name));
        TRY(arena_copy(arena, from[i].value, &to[i].value));
    }
    *out = to;
    return 0;
}

int record_copy(struct arena *arena, const struct stored_record *from, bool without_body,
                struct stored_record *to) {
    struct stored_record copy = *from;
    TRY(attributes_copy(arena, from->attributes, from->attribute_count, &copy.attributes));
    TRY(arena_copy(arena, without_body ? (struct slice){0} : from->body, &copy.body));
    *to = copy;
    return 0;
}

int record_set_copy(struct record_set *set, const struct stored_record *from, bool without_body) {
    struct stored_record copy;
    TRY(record_copy(&set->arena, from, without_body, &copy));
    struct stored_record *to = record_set_add(set);
    if (!to)
        return MNEME_NO_MEMORY;
    *to = copy;
    return 0;
}
