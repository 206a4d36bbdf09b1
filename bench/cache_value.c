/*
 * cache_value.c - making keys, values, and caches for them.
 */
#include "bench/cache_value.h"

#include <malloc.h>

#include "bench/generate.h"
#include "cache/cache_impl.h"

static void value_destroy(struct cache_item *item) { mem_free(item); }

struct cache_key value_key(uint64_t number) {
    struct cache_key key = {.space = MNEME_PATTERN};
    put_be64(key.id.bytes, mix(number, 1));
    put_be64(key.id.bytes + 8, mix(number, 2));
    return key;
}

struct cache_item *value_make(uint64_t number, size_t bytes) {
    struct cache_value *value = mem_alloc(size_max(bytes, sizeof *value + sizeof value->words[0]));
    if (!value)
        return NULL;
    struct cache_key key = value_key(number);
    size_t usable = malloc_usable_size(value), size = usable - sizeof *value;
    memset(value->words, 1, size); /* so that it is in memory, as a real one is */
    value->words[0] = number;
    cache_item_init(&value->item, &key, (mneme_version){0}, usable + sizeof(size_t), value_destroy);
    return &value->item;
}

struct cache_item *value_make_empty(uint64_t number, size_t charge) {
    struct cache_item *item = mem_alloc(sizeof *item);
    struct cache_key key = value_key(number);
    if (item)
        cache_item_init(item, &key, (mneme_version){0}, charge, value_destroy);
    return item;
}

int value_cache_create(size_t bytes, size_t entries, unsigned shards, struct cache **out,
                       mneme_error *error) {
    const struct cache_options options = {.bytes = bytes, .entries = entries, .shards = shards};
    TRY(cache_create(&options, out, error));
    (*out)->seed = 1;
    return 0;
}

int value_ask(struct cache *cache, uint64_t number, size_t charge, bool *hit, mneme_error *error) {
    struct cache_key key = value_key(number);
    struct cache_item *item = cache_acquire(cache, &key);
    *hit = item != NULL;
    if (item) {
        cache_item_release(item);
        return 0;
    }
    item = value_make_empty(number, charge);
    if (!item)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a value");
    cache_keep(cache, item);
    return 0;
}
