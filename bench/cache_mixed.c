/*
 * cache_mixed.c - nine reads to a write, on values that lie in the cache: what a second thread
 * adds.
 */
#include "bench/cache_cases.h"
#include "bench/cache_store.h"
#include "bench/cache_threads.h"
#include "bench/cache_value.h"
#include "bench/cache_zipf.h"

enum { VALUES = 1000, DRAWS = 1 << 15, THREADS = 2, WRITE_EVERY = 10 };

struct mixed {
    struct pattern_store store;
    struct cache *cache;
    mneme_record *records; /* what is written to the store */
    struct cache_key keys[VALUES];
    uint32_t *sequence;
    size_t calls, cache_calls; /* of each thread in a run */
    uint64_t read[THREADS];    /* so that what was read is used */
};

static size_t value_at(const struct mixed *x, unsigned thread, size_t i) {
    return x->sequence[(i + thread * (DRAWS / THREADS)) % DRAWS];
}

/* Every write is on disk before the call returns. */
static int work_public(void *context, unsigned thread, mneme_error *error) {
    struct mixed *x = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < x->calls; i++) {
        size_t at = value_at(x, thread, i);
        const mneme_record *record;
        if (i % WRITE_EVERY == 0) {
            TRY(mneme_put(x->store.m, &x->records[at], 1, NULL, NULL, error));
            continue;
        }
        TRY(mneme_acquire(x->store.m, MNEME_PATTERN, &x->store.ids[at], &record, error));
        sum += record->as.pattern->occurrences;
        mneme_release(x->store.m, record);
    }
    x->read[thread] = sum;
    return 0;
}

/* A write is a new value, made and kept in the place of the old one. */
static int work_cache(void *context, unsigned thread, mneme_error *error) {
    struct mixed *x = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < x->cache_calls; i++) {
        size_t at = value_at(x, thread, i);
        if (i % WRITE_EVERY == 0) {
            struct cache_item *fresh = value_make(at, PATTERN_BYTES);
            if (!fresh)
                return error_set(error, MNEME_NO_MEMORY, "no memory for a value");
            cache_keep(x->cache, fresh);
            continue;
        }
        struct pin_slot *slot = cache_acquire_slot(x->cache, &x->keys[at]);
        if (!slot)
            return error_set(error, MNEME_FAILURE, "a value is not in its cache");
        sum += value_word(pin_item(slot));
        pin_clear(slot);
    }
    x->read[thread] = sum;
    return 0;
}

/* ---- Contestants --------------------------------------------------------------------------- */

struct run {
    struct mixed *mixed;
    thread_work *work;
    size_t calls; /* of each thread */
    unsigned threads;
};

static int run_rate(void *context, double *value, mneme_error *error) {
    const struct run *run = context;
    double seconds;
    TRY(threads_run(run->threads, run->work, run->mixed, &seconds, error));
    *value = (double)run->calls * run->threads / 1e3 / seconds;
    return 0;
}

static int compare(struct kit *kit, const char *name, struct mixed *x, thread_work *work,
                   size_t calls, struct goal goal, mneme_error *error) {
    struct run two = {x, work, calls, 2}, one = {x, work, calls, 1};
    return kit_compare(kit, name, "k/s", (struct contestant){run_rate, &two}, "one thread",
                       (struct contestant){run_rate, &one}, goal, error);
}

/* ---- Setting up ---------------------------------------------------------------------------- */

static int mixed_init(struct mixed *x, struct kit *kit, struct arena *arena, mneme_error *error) {
    struct scratch_path path = scratch_path_of(&kit->scratch, "mixed.mdb");
    x->calls = bench_size(kit->options, 100, 3000, 20000);
    x->cache_calls = bench_size(kit->options, 1000, 500000, 2000000);
    TRY(zipf_sequence(0.99, VALUES, DRAWS, arena, &x->sequence, error));
    TRY(pattern_store_open(&path, VALUES, NULL, arena, &x->store, error));
    TRY(value_cache_create((size_t)64 << 20, 10 * VALUES, 0, &x->cache, error));
    x->records = arena_zalloc(arena, VALUES, sizeof *x->records);
    if (!x->records)
        return error_set(error, MNEME_NO_MEMORY, "no memory for patterns");
    for (size_t i = 0; i < VALUES; i++) {
        x->keys[i] = value_key(i);
        struct cache_item *item = value_make(i, PATTERN_BYTES);
        if (!item)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a value");
        cache_keep(x->cache, item);
        TRY(pattern_make(i, &x->store.ids[i], arena, &x->records[i], error));
    }
    return pattern_store_read_all(&x->store, error);
}

static void mixed_fini(struct mixed *x) {
    (void)mneme_close(x->store.m, NULL);
    cache_destroy(x->cache);
}

int cache_mixed(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(mixed_fini) struct mixed x = {0};
    report_heading(&kit->report, "the same values, every tenth call a write");
    report_progress(&kit->report, "measuring: reads and writes");
    TRY(mixed_init(&x, kit, &arena, error));
    TRY(compare(kit, "two threads, durable mneme_put", &x, work_public, x.calls, AT_LEAST(1.6),
                error));
    return compare(kit, "two threads, cache alone", &x, work_cache, x.cache_calls, AT_LEAST(1.6),
                   error);
}
