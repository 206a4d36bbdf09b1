/*
 * cache_hot.c - a thousand values of 2 KB, asked for by Zipf's law, all of them in the cache: what
 * a hit costs, through the public calls and in the cache itself, and whether threads are in each
 * other's way.
 */
#include "bench/cache_cases.h"
#include "bench/cache_lru.h"
#include "bench/cache_store.h"
#include "bench/cache_threads.h"
#include "bench/cache_value.h"
#include "bench/cache_zipf.h"
#include "bench/generate.h"
#include "cache/cache_impl.h"

enum { VALUES = 1000, DRAWS = 1 << 15, THREADS = 2 };

struct hot {
    struct pattern_store store;
    struct cache *cache;
    struct lru lru;
    struct cache_key keys[VALUES]; /* of both */
    uint32_t *sequence;            /* DRAWS numbers of values */
    size_t requests;               /* of each thread in a run */
    uint64_t read[THREADS];        /* so that what was read is used */
};

/* Threads begin at different places of the same sequence. */
static size_t value_at(const struct hot *h, unsigned thread, size_t i) {
    return h->sequence[(i + thread * (DRAWS / THREADS)) % DRAWS];
}

static int read_public(void *context, unsigned thread, mneme_error *error) {
    struct hot *h = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < h->requests; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(h->store.m, MNEME_PATTERN, &h->store.ids[value_at(h, thread, i)], &record,
                          error));
        sum += record->as.pattern->occurrences;
        mneme_release(h->store.m, record);
    }
    h->read[thread] = sum;
    return 0;
}

static int missing(mneme_error *error) {
    return error_set(error, MNEME_FAILURE, "a value is not in its cache");
}

static int read_cache(void *context, unsigned thread, mneme_error *error) {
    struct hot *h = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < h->requests; i++) {
        struct pin_slot *slot = cache_acquire_slot(h->cache, &h->keys[value_at(h, thread, i)]);
        if (!slot)
            return missing(error);
        sum += value_word(pin_item(slot));
        pin_clear(slot);
    }
    h->read[thread] = sum;
    return 0;
}

/* The least that a look-up can be: hash, find, read a word; no pin, no counting, no time to live.
 */
static int read_bare(void *context, unsigned thread, mneme_error *error) {
    struct hot *h = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < h->requests; i++) {
        const struct cache_key *key = &h->keys[value_at(h, thread, i)];
        uint64_t hash = cache_hash(h->cache, key);
        struct cache_item *item = table_find(&shard_of(h->cache, hash)->table, key, hash);
        if (!item)
            return missing(error);
        sum += value_word(item);
    }
    h->read[thread] = sum;
    return 0;
}

static int read_lru(void *context, unsigned thread, mneme_error *error) {
    struct hot *h = context;
    uint64_t sum = 0;
    for (size_t i = 0; i < h->requests; i++) {
        struct lru_entry *entry = lru_acquire(&h->lru, &h->keys[value_at(h, thread, i)]);
        if (!entry)
            return missing(error);
        sum += entry->words[0];
        lru_release(entry);
    }
    h->read[thread] = sum;
    return 0;
}

/* Nothing that threads could share: what a second one adds on this machine, just now. */
static int compute(void *context, unsigned thread, mneme_error *error) {
    struct hot *h = context;
    uint64_t number = thread;
    (void)error;
    for (size_t i = 0; i < 4 * h->requests; i++)
        number = mix(number, i);
    h->read[thread] = number;
    return 0;
}

/* ---- Contestants --------------------------------------------------------------------------- */

struct run {
    struct hot *hot;
    thread_work *work;
    unsigned threads;
};

static int run_ns(void *context, double *value, mneme_error *error) {
    const struct run *run = context;
    double seconds;
    TRY(threads_run(run->threads, run->work, run->hot, &seconds, error));
    *value = seconds * 1e9 / (double)run->hot->requests;
    return 0;
}

static int run_rate(void *context, double *value, mneme_error *error) {
    const struct run *run = context;
    double ns;
    TRY(run_ns(context, &ns, error));
    *value = 1e3 * run->threads / ns; /* millions a second, of all threads */
    return 0;
}

static int hit_costs(struct kit *kit, struct hot *h, mneme_error *error) {
    struct run runs[] = {{h, read_public, 1}, {h, read_cache, 1}, {h, read_bare, 1}};
    const struct contestant contestants[] = {
        {run_ns, &runs[0]}, {run_ns, &runs[1]}, {run_ns, &runs[2]}};
    struct measured results[COUNT_OF(contestants)];
    TRY(measure(kit->options, contestants, COUNT_OF(contestants), results, error));
    struct row row = {.name = "hit: mneme_acquire, release",
                      .unit = "ns",
                      .reference = "bare table look-up",
                      .value = results[0],
                      .reference_value = results[2],
                      .goal = AT_MOST(1.5)};
    report_row(&kit->report, &row);
    cache_report_bound(&kit->report, row.name, "ns", results[0], 40, GOAL_AT_MOST);
    row.name = "hit: the cache alone";
    row.value = results[1];
    row.goal = NO_GOAL;
    report_row(&kit->report, &row);
    return 0;
}

static int threads(struct kit *kit, struct hot *h, mneme_error *error) {
    struct run two = {h, read_public, 2}, one = {h, read_public, 1};
    struct run cache_two = {h, read_cache, 2}, cache_one = {h, read_cache, 1};
    struct run lru_two = {h, read_lru, 2}, lru_one = {h, read_lru, 1};
    struct run compute_two = {h, compute, 2}, compute_one = {h, compute, 1};
    TRY(kit_compare(kit, "two threads: arithmetic only", "M/s",
                    (struct contestant){run_rate, &compute_two}, "one thread",
                    (struct contestant){run_rate, &compute_one}, NO_GOAL, error));
    TRY(kit_compare(kit, "two threads read: public calls", "M/s",
                    (struct contestant){run_rate, &two}, "one thread",
                    (struct contestant){run_rate, &one}, AT_LEAST(1.9), error));
    TRY(kit_compare(kit, "two threads read: cache alone", "M/s",
                    (struct contestant){run_rate, &cache_two}, "one thread",
                    (struct contestant){run_rate, &cache_one}, NO_GOAL, error));
    TRY(kit_compare(kit, "two threads read: cache alone", "M/s",
                    (struct contestant){run_rate, &cache_two}, "LRU under a mutex",
                    (struct contestant){run_rate, &lru_two}, AT_LEAST(6), error));
    return kit_compare(kit, "one thread reads: cache alone", "M/s",
                       (struct contestant){run_rate, &cache_one}, "LRU under a mutex",
                       (struct contestant){run_rate, &lru_one}, NO_GOAL, error);
}

/* ---- Setting up ---------------------------------------------------------------------------- */

static int hot_fill(struct hot *h, mneme_error *error) {
    TRY(value_cache_create((size_t)64 << 20, 10 * VALUES, 0, &h->cache, error));
    for (size_t i = 0; i < VALUES; i++) {
        h->keys[i] = value_key(i);
        struct cache_item *item = value_make(i, PATTERN_BYTES);
        if (!item)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a value");
        cache_keep(h->cache, item);
        TRY(lru_put(&h->lru, &h->keys[i], PATTERN_BYTES, error));
    }
    return pattern_store_read_all(&h->store, error);
}

static int hot_init(struct hot *h, struct kit *kit, struct arena *arena, mneme_error *error) {
    struct scratch_path path = scratch_path_of(&kit->scratch, "hot.mdb");
    h->requests = bench_size(kit->options, 1000, 2000000, 10000000);
    TRY(zipf_sequence(0.99, VALUES, DRAWS, arena, &h->sequence, error));
    TRY(pattern_store_open(&path, VALUES, NULL, arena, &h->store, error));
    TRY(lru_init(&h->lru, VALUES, error));
    return hot_fill(h, error);
}

static void hot_fini(struct hot *h) {
    (void)mneme_close(h->store.m, NULL);
    cache_destroy(h->cache);
    if (h->lru.capacity)
        lru_fini(&h->lru);
}

int cache_hot_set(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(hot_fini) struct hot h = {0};
    report_heading(&kit->report, "1,000 values of 2 KB, Zipf 0.99, all of them in the cache");
    report_progress(&kit->report, "measuring: hits");
    TRY(hot_init(&h, kit, &arena, error));
    TRY(hit_costs(kit, &h, error));
    return threads(kit, &h, error);
}
