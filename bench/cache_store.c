/*
 * cache_store.c - making and filling a store of patterns.
 */
#include "bench/cache_store.h"

#include "bench/generate.h"

enum { CONTENT_BYTES = 1536, BATCH = 1000 };

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for a store of patterns");
}

/* A JSON string of digits that do not repeat. */
static mneme_text make_content(uint64_t number, struct arena *arena) {
    char *text = arena_alloc(arena, CONTENT_BYTES);
    if (!text)
        return (mneme_text){0};
    for (size_t i = 0; i < CONTENT_BYTES; i++)
        text[i] = "0123456789abcdef"[mix(number, i / 16) >> i % 16 * 4 & 15];
    text[0] = text[CONTENT_BYTES - 1] = '"';
    return (mneme_text){text, CONTENT_BYTES};
}

int pattern_make(uint64_t number, const mneme_id *id, struct arena *arena, mneme_record *out,
                 mneme_error *error) {
    mneme_pattern *pattern = arena_zalloc(arena, 1, sizeof *pattern);
    if (!pattern)
        return no_memory(error);
    *pattern = (mneme_pattern){.id = *id,
                               .type = mneme_text_of("tool_sequence"),
                               .name = mneme_text_of("Measured"),
                               .content = make_content(number, arena),
                               .occurrences = number};
    *out = (mneme_record){.kind = MNEME_PATTERN, .id = *id, .as.pattern = pattern};
    return pattern->content.size ? 0 : no_memory(error);
}

static int put_batch(const struct pattern_store *store, size_t from, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    const mneme_id none = {{0}};
    size_t count = size_min(BATCH, store->count - from);
    mneme_record *records = arena_zalloc(&arena, count, sizeof *records);
    if (!records)
        return no_memory(error);
    for (size_t i = 0; i < count; i++)
        TRY(pattern_make(from + i, &none, &arena, &records[i], error));
    TRY(mneme_put(store->m, records, count, NULL, store->ids + from, error));
    return interrupt_check(error);
}

static void shuffle(mneme_id *ids, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)(mix(1, i) % i);
        mneme_id id = ids[i - 1];
        ids[i - 1] = ids[other];
        ids[other] = id;
    }
}

int pattern_store_open(const struct scratch_path *path, size_t count,
                       const mneme_cache_limits *limits, struct arena *arena,
                       struct pattern_store *out, mneme_error *error) {
    mneme_options options = {
        .size = sizeof options, .no_training = true, .compression = MNEME_COMPRESS_NONE};
    options.cache.no_fill_by_writes = true;
    if (limits)
        options.cache.limits[MNEME_CACHE_PATTERNS] = *limits;
    AUTO_HANDLE mneme *m = NULL;
    scratch_remove_file(path);
    TRY(mneme_open(path->text, &options, &m, error));
    struct pattern_store store = {.m = m, .count = count};
    store.ids = arena_zalloc(arena, count, sizeof *store.ids);
    if (!store.ids)
        return no_memory(error);
    for (size_t from = 0; from < count; from += BATCH)
        TRY(put_batch(&store, from, error));
    shuffle(store.ids, count);
    *out = store;
    out->m = TAKE(m);
    return 0;
}

int pattern_store_read_all(const struct pattern_store *store, mneme_error *error) {
    for (size_t i = 0; i < store->count; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(store->m, MNEME_PATTERN, &store->ids[i], &record, error));
        mneme_release(store->m, record);
    }
    return 0;
}
