/*
 * value.c - items whose value is the stored record: what a cached store hands out as a store.
 */
#include "store/cached/cached_impl.h"

struct value {
    struct cache_item item;
    struct stored_record record;
};

static void value_destroy(struct cache_item *item) { arena_free_taken(item); }

int value_build(void *context, const struct cache_key *key, const struct stored_record *record,
                struct cache_item **out, mneme_error *error) {
    (void)context;
    AUTO_ARENA struct arena arena = {.first_size = sizeof(struct value) + record->body.size + 512};
    struct value *value = arena_zalloc(&arena, 1, sizeof *value);
    if (!value || record_copy(&arena, record, false, &value->record))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a record");
    cache_item_init(&value->item, key, cached_stamp(record), arena_size(&arena), value_destroy);
    *out = arena_take(&arena);
    return 0;
}

const struct stored_record *value_record(const struct cache_item *item) {
    return &((const struct value *)(const void *)item)->record;
}
