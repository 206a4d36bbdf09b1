/*
 * cache_fixture.h - what the tests of the cache share: values that know whether they are whole, a
 * ledger of those that live, and a cache to put them into.
 */
#ifndef TESTS_CACHE_CACHE_FIXTURE_H
#define TESTS_CACHE_CACHE_FIXTURE_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cache/cache_impl.h"

/* A sanitizer makes every step many times dearer: take fewer. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

/* For threads, where cmocka's assertions must not be used. */
#define CHECK(condition)                                                                           \
    ((condition) ? (void)0                                                                         \
                 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort()))

/* ---- Random numbers: xorshift64, the seed is never zero ------------------------------------- */

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *r) {
    r->state ^= r->state << 13;
    r->state ^= r->state >> 7;
    r->state ^= r->state << 17;
    return r->state;
}

static inline uint64_t random_below(struct random *r, uint64_t limit) {
    return (random_next(r) >> 11) % limit;
}

/* ---- Values --------------------------------------------------------------------------------- */

struct ledger {
    atomic_uint_fast64_t made, freed;
};

static inline uint64_t ledger_live(struct ledger *ledger) {
    uint64_t freed = atomic_load(&ledger->freed); /* first: what is freed was made */
    return atomic_load(&ledger->made) - freed;
}

struct value {
    struct cache_item item;
    uint64_t number, version; /* of its key; of its record */
    uint64_t sum;             /* tells whether it is whole */
    struct ledger *ledger;
};

static inline struct cache_key key_of(uint64_t number) {
    struct cache_key key = {.space = (uint32_t)(number % 3)};
    put_be64(key.id.bytes, number);
    put_be64(key.id.bytes + 8, ~number);
    return key;
}

static inline uint64_t value_sum(const struct value *value) {
    return (value->number * UINT64_C(0x9e3779b97f4a7c15) ^ value->version) + 12345;
}

static inline void value_destroy(struct cache_item *item) {
    struct value *value = (struct value *)(void *)item;
    CHECK(value->sum == value_sum(value)); /* or it has been freed before */
    value->sum = ~value->sum;
    atomic_fetch_add(&value->ledger->freed, 1);
    free(value);
}

/* Takes as much of the heap as it is charged with. The caller has its one pin. */
static inline struct cache_item *value_make(struct ledger *ledger, uint64_t number,
                                            uint64_t version, size_t size_bytes) {
    struct value *value = calloc(1, size_max(sizeof *value, size_bytes));
    CHECK(value);
    struct cache_key key = key_of(number);
    cache_item_init(&value->item, &key, (mneme_version){version, 0}, size_bytes, value_destroy);
    value->number = number;
    value->version = version;
    value->sum = value_sum(value);
    value->ledger = ledger;
    atomic_fetch_add(&ledger->made, 1);
    return &value->item;
}

/* The version of a value that must be of this key, and whole. */
static inline uint64_t value_version(const struct cache_item *item, uint64_t number) {
    const struct value *value = (const struct value *)(const void *)item;
    CHECK(!item->negative);
    CHECK(value->sum == value_sum(value));
    CHECK(value->number == number);
    CHECK(value->version == item->version.clock);
    return value->version;
}

/* ---- A cache -------------------------------------------------------------------------------- */

enum { VALUE_BYTES = 100 }; /* what a value is charged with where sizes do not matter */

struct scene {
    struct cache *cache;
    struct ledger ledger;
};

static inline void scene_init(struct scene *scene, const struct cache_options *options) {
    *scene = (struct scene){.cache = NULL};
    mneme_error error = {0};
    if (cache_create(options, &scene->cache, &error))
        fail_msg("cache_create: %s", error.message);
}

/* Every value was freed, once. */
static inline void scene_fini(struct scene *scene) {
    cache_destroy(scene->cache);
    assert_int_equal(atomic_load(&scene->ledger.made), atomic_load(&scene->ledger.freed));
}
#define SCENE(name) CLEANUP(scene_fini) struct scene name

/* A cache of one shard in which nothing has to go. */
static inline void scene_init_roomy(struct scene *scene) {
    const struct cache_options options = {.bytes = 1 << 20, .entries = 1000, .shards = 1};
    scene_init(scene, &options);
}

static inline struct cache_stats scene_stats(struct scene *scene) {
    struct cache_stats stats;
    cache_stats_get(scene->cache, &stats);
    return stats;
}

/* Keep version `version` of a key. */
static inline void scene_keep(struct scene *scene, uint64_t number, uint64_t version) {
    cache_keep(scene->cache, value_make(&scene->ledger, number, version, VALUE_BYTES));
}

static inline void scene_note(struct scene *scene, uint64_t number, uint64_t version) {
    struct cache_key key = key_of(number);
    cache_note(scene->cache, &key, &(mneme_version){version, 0}, CACHE_CHANGED);
}

/* The version that the cache hands out; 0: none. */
static inline uint64_t scene_version(struct scene *scene, uint64_t number) {
    struct cache_key key = key_of(number);
    struct cache_item *item = cache_acquire(scene->cache, &key);
    uint64_t version = item ? value_version(item, number) : 0;
    cache_item_release(item);
    return version;
}

/* Whether there is an item, even one that has expired; leaves no trace. */
static inline struct cache_item *scene_peek(struct scene *scene, uint64_t number) {
    struct cache_key key = key_of(number);
    uint64_t hash = cache_hash(scene->cache, &key);
    return table_find(&shard_of(scene->cache, hash)->table, &key, hash);
}

/* ---- A store to load from ------------------------------------------------------------------- */

/* A loader for one key: what it finds, and what happens while it looks. */
struct source {
    struct ledger *ledger;
    uint64_t version;  /* found; 0: there is no such record */
    int status;        /* unless 0: it fails with this, and a text */
    size_t size_bytes; /* 0: VALUE_BYTES */
    void (*meanwhile)(void *context);
    void *context;
    atomic_uint loads;
};

static inline int source_load(void *context, const struct cache_key *key, struct cache_item **out,
                              mneme_error *error) {
    struct source *source = context;
    unsigned load = atomic_fetch_add(&source->loads, 1) + 1;
    uint64_t number = get_be64(key->id.bytes), version = source->version;
    if (source->meanwhile)
        source->meanwhile(source->context);
    if (source->status)
        return error_set(error, source->status, "load %u has failed", load);
    if (version == 0)
        return error_set(error, MNEME_NOT_FOUND, "load %u has found nothing", load);
    *out = value_make(source->ledger, number, version,
                      source->size_bytes ? source->size_bytes : VALUE_BYTES);
    return 0;
}

static inline int source_get(struct scene *scene, struct source *source, uint64_t number,
                             struct cache_item **out, mneme_error *error) {
    struct cache_key key = key_of(number);
    struct cache_loader loader = {source_load, source};
    return cache_get(scene->cache, &key, &loader, out, error);
}

/* The version that comes, loaded or not; 0: there is no such record. */
static inline uint64_t source_version(struct scene *scene, struct source *source, uint64_t number) {
    struct cache_item *item = NULL;
    int status = source_get(scene, source, number, &item, NULL);
    CHECK(status == 0 ? item != NULL : status == MNEME_NOT_FOUND && !item);
    uint64_t version = item ? value_version(item, number) : 0;
    cache_item_release(item);
    return version;
}

#endif
