/*
 * cache_large.c - 100,000 values of 2 KB, all of them in the cache, in random order: more than the
 * processor's own caches hold, so that memory decides. The reference is what memory takes: a load
 * whose address is the result of the one before.
 */
#include <errno.h>
#include <sys/mman.h>

#include "bench/cache_cases.h"
#include "bench/cache_store.h"
#include "bench/cache_value.h"
#include "bench/generate.h"

enum { LINE = 64, STEPS = 1000000 };

struct large {
    struct scratch_path path;
    struct pattern_store store;
    struct cache *cache;
    struct cache_key *keys; /* in the order in which they are asked for */
    uint8_t *chase;         /* lines, each of which begins with the number of the next */
    size_t chase_bytes, chase_at, chase_steps;
    uint64_t read; /* so that what was read is used */
};

static int run_public(void *context, double *value, mneme_error *error) {
    struct large *l = context;
    uint64_t sum = 0;
    double start = seconds_now();
    for (size_t i = 0; i < l->store.count; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(l->store.m, MNEME_PATTERN, &l->store.ids[i], &record, error));
        sum += record->as.pattern->occurrences;
        mneme_release(l->store.m, record);
    }
    *value = (seconds_now() - start) * 1e9 / (double)l->store.count;
    l->read = sum;
    return 0;
}

static int run_cache(void *context, double *value, mneme_error *error) {
    struct large *l = context;
    uint64_t sum = 0;
    double start = seconds_now();
    for (size_t i = 0; i < l->store.count; i++) {
        struct pin_slot *slot = cache_acquire_slot(l->cache, &l->keys[i]);
        if (!slot)
            return error_set(error, MNEME_FAILURE, "a value is not in its cache");
        sum += value_word(pin_item(slot));
        pin_clear(slot);
    }
    *value = (seconds_now() - start) * 1e9 / (double)l->store.count;
    l->read = sum;
    return 0;
}

/* ---- Memory -------------------------------------------------------------------------------- */

static uint64_t *line_at(const struct large *l, size_t number) {
    return (uint64_t *)(void *)(l->chase + number * LINE);
}

static int run_chase(void *context, double *value, mneme_error *error) {
    struct large *l = context;
    size_t at = l->chase_at;
    (void)error;
    double start = seconds_now();
    for (size_t i = 0; i < l->chase_steps; i++)
        at = *line_at(l, at);
    *value = (seconds_now() - start) * 1e9 / (double)l->chase_steps;
    l->chase_at = at; /* the next run goes on there */
    return 0;
}

/* Numbers below a power of two, each once, in an order that no prefetcher guesses: steps that can
 * all be undone (odd factors, and shifts of the upper half into the lower one). */
static size_t scatter(size_t number, size_t mask) {
    unsigned half = (64 - (unsigned)__builtin_clzll(mask)) / 2;
    for (int i = 0; i < 3; i++) {
        number = number * (size_t)0x9e3779b97f4a7c15 & mask;
        number ^= number >> half;
    }
    return number;
}

static int chase_init(struct large *l, mneme_error *error) {
    size_t mask = l->chase_bytes / LINE - 1;
    void *at =
        mmap(NULL, l->chase_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return error_set_errno(error, errno, "no memory to measure memory with");
    l->chase = at;
    (void)madvise(at, l->chase_bytes, MADV_HUGEPAGE); /* or misses of the TLB would be measured */
    for (size_t i = 0; i <= mask; i++)
        *line_at(l, scatter(i, mask)) = scatter((i + 1) & mask, mask);
    return 0;
}

/* ---- Setting up ---------------------------------------------------------------------------- */

static int fill_cache(struct large *l, size_t bytes, struct arena *arena, mneme_error *error) {
    size_t count = l->store.count;
    TRY(value_cache_create(bytes, 2 * count, 0, &l->cache, error));
    l->keys = arena_zalloc(arena, count, sizeof *l->keys);
    if (!l->keys)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu keys", count);
    for (size_t i = 0; i < count; i++) {
        struct cache_item *item = value_make(i, PATTERN_BYTES);
        if (!item)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a value");
        l->keys[i] = item->key;
        cache_keep(l->cache, item);
    }
    for (size_t i = count; i > 1; i--) {
        size_t other = (size_t)(mix(1, i) % i);
        struct cache_key key = l->keys[i - 1];
        l->keys[i - 1] = l->keys[other];
        l->keys[other] = key;
    }
    return 0;
}

static int large_init(struct large *l, struct kit *kit, struct arena *arena, mneme_error *error) {
    const size_t bytes = (size_t)300 << 20;
    size_t count = bench_size(kit->options, 500, 100000, 100000);
    const mneme_cache_limits limits = {.bytes = bytes, .entries = 2 * count};
    l->path = scratch_path_of(&kit->scratch, "large.mdb");
    TRY(pattern_store_open(&l->path, count, &limits, arena, &l->store, error));
    TRY(pattern_store_read_all(&l->store, error));
    TRY(fill_cache(l, bytes, arena, error));
    l->chase_bytes = bench_size(kit->options, (size_t)1 << 22, (size_t)1 << 30, (size_t)1 << 30);
    l->chase_steps = bench_size(kit->options, 1000, STEPS, STEPS);
    return chase_init(l, error);
}

static void large_fini(struct large *l) {
    (void)mneme_close(l->store.m, NULL);
    cache_destroy(l->cache);
    if (l->chase)
        munmap(l->chase, l->chase_bytes);
}

int cache_large_set(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(large_fini) struct large l = {0};
    const struct contestant contestants[] = {{run_public, &l}, {run_cache, &l}, {run_chase, &l}};
    struct measured results[COUNT_OF(contestants)];
    report_heading(&kit->report, "100,000 values of 2 KB, all of them in the cache, random order");
    report_progress(&kit->report, "measuring: hits that memory has to serve");
    TRY(large_init(&l, kit, &arena, error));
    TRY(measure(kit->options, contestants, COUNT_OF(contestants), results, error));
    struct row row = {.name = "hit: mneme_acquire, release",
                      .unit = "ns",
                      .reference = "load from memory",
                      .value = results[0],
                      .reference_value = results[2],
                      .goal = AT_MOST(0.6)};
    report_row(&kit->report, &row);
    row.name = "hit: the cache alone";
    row.value = results[1];
    row.goal = NO_GOAL;
    report_row(&kit->report, &row);
    return cache_memory_of_handle(kit, &l.path, l.store.ids, l.store.count, error);
}
