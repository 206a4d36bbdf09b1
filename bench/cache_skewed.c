/*
 * cache_skewed.c - what is kept when not all fits: hit rates of requests drawn by Zipf's law, with
 * values of one size and of many, and what leaves when all does fit.
 */
#include <math.h>

#include "bench/cache_cases.h"
#include "bench/cache_s3fifo.h"
#include "bench/cache_value.h"
#include "bench/cache_zipf.h"
#include "bench/generate.h"

enum { KEYS = 100000, CAPACITY = 10000 };
static const size_t NO_LIMIT = (size_t)1 << 40; /* bytes */

static int ask_often(struct cache *cache, struct zipf *zipf, size_t requests, size_t *hits,
                     mneme_error *error) {
    *hits = 0;
    for (size_t i = 0; i < requests; i++) {
        bool hit;
        TRY(value_ask(cache, zipf_draw(zipf), 1, &hit, error));
        *hits += hit;
    }
    return interrupt_check(error);
}

/* ---- One size ------------------------------------------------------------------------------ */

/* The most that can be hit, in the long run, is to keep the keys that are the most popular. */
static int equal_sizes(struct kit *kit, unsigned shards, const char *name, mneme_error *error) {
    AUTO_CACHE struct cache *cache = NULL;
    AUTO_ZIPF struct zipf zipf = {0};
    size_t requests = bench_size(kit->options, 5000, 2000000, 10000000), hits;
    report_progress(&kit->report, "measuring: %s", name);
    TRY(zipf_init(&zipf, 1.1, KEYS, 1, error));
    TRY(value_cache_create(NO_LIMIT, CAPACITY, shards, &cache, error));
    TRY(ask_often(cache, &zipf, requests / 2, &hits, error)); /* not counted */
    TRY(ask_often(cache, &zipf, requests, &hits, error));
    report_row(&kit->report,
               &(struct row){.name = name,
                             .unit = "%",
                             .reference = "10,000 most popular",
                             .value = {.median = percent(hits, requests)},
                             .reference_value = {.median = 100 * zipf.up_to[CAPACITY - 1]},
                             .goal = AT_LEAST(0.97)});
    return 0;
}

/* ---- Many sizes ---------------------------------------------------------------------------- */

struct sizes {
    uint32_t *units; /* of each key */
    size_t capacity; /* in units */
};

/* 1 to 100 units, as many of 1 to 10 as of 10 to 100, whatever the popularity. */
static int sizes_make(struct sizes *sizes, struct arena *arena, mneme_error *error) {
    size_t total = 0;
    sizes->units = arena_zalloc(arena, KEYS, sizeof *sizes->units);
    if (!sizes->units)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %d sizes", KEYS);
    for (size_t i = 0; i < KEYS; i++) {
        sizes->units[i] = (uint32_t)pow(100, fraction_of(mix(5, i)));
        total += sizes->units[i];
    }
    sizes->capacity = total / 10;
    return 0;
}

struct both_hits {
    size_t ours, s3fifo;
};

static int ask_both(struct cache *cache, struct s3fifo *s3, const struct sizes *sizes,
                    struct zipf *zipf, size_t requests, struct both_hits *hits,
                    mneme_error *error) {
    enum { UNIT = 1024 };
    *hits = (struct both_hits){0, 0};
    for (size_t i = 0; i < requests; i++) {
        size_t key = zipf_draw(zipf);
        bool hit;
        TRY(value_ask(cache, key, sizes->units[key] * (size_t)UNIT, &hit, error));
        hits->ours += hit;
        hits->s3fifo += s3fifo_ask(s3, (uint32_t)key);
    }
    return interrupt_check(error);
}

static int many_sizes(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_CACHE struct cache *cache = NULL;
    AUTO_ZIPF struct zipf zipf = {0};
    CLEANUP(s3fifo_fini) struct s3fifo s3 = {0};
    struct sizes sizes;
    struct both_hits hits;
    size_t requests = bench_size(kit->options, 5000, 2000000, 10000000);
    report_progress(&kit->report, "measuring: values of many sizes");
    TRY(sizes_make(&sizes, &arena, error));
    TRY(zipf_init(&zipf, 0.9, KEYS, 1, error));
    TRY(s3fifo_init(&s3, sizes.units, KEYS, sizes.capacity, error));
    TRY(value_cache_create(sizes.capacity * 1024, KEYS, 1, &cache, error));
    TRY(ask_both(cache, &s3, &sizes, &zipf, requests / 2, &hits, error)); /* not counted */
    TRY(ask_both(cache, &s3, &sizes, &zipf, requests, &hits, error));
    double ours = percent(hits.ours, requests), theirs = percent(hits.s3fifo, requests);
    report_row(&kit->report, &(struct row){.name = "sizes of 1 to 100: hits",
                                           .unit = "%",
                                           .reference = "S3-FIFO",
                                           .value = {.median = ours},
                                           .reference_value = {.median = theirs}});
    struct measured ahead = {.median = ours > theirs ? ours - theirs : 0};
    cache_report_bound(&kit->report, "points ahead of S3-FIFO", "point", ahead, 5, GOAL_AT_LEAST);
    return 0;
}

/* ---- All of it fits ------------------------------------------------------------------------ */

static int steady_load(struct kit *kit, mneme_error *error) {
    enum { ASKED_FOR = 8000, HOUR = 3600 };
    AUTO_CACHE struct cache *cache = NULL;
    AUTO_ZIPF struct zipf zipf = {0};
    size_t a_second = bench_size(kit->options, 2, 500, 2000), hits;
    struct cache_stats stats;
    report_progress(&kit->report, "measuring: evictions of a steady load");
    TRY(zipf_init(&zipf, 0.9, ASKED_FOR, 1, error));
    TRY(value_cache_create(NO_LIMIT, CAPACITY, 0, &cache, error));
    for (uint32_t second = 0; second < HOUR; second++) {
        cache_tick(cache, second);
        TRY(ask_often(cache, &zipf, a_second, &hits, error));
    }
    cache_stats_get(cache, &stats);
    double evicted = (double)(stats.evicted_bytes_full + stats.evicted_entries_full);
    report_row(&kit->report, &(struct row){.name = "an hour, 8,000 keys: evictions",
                                           .unit = "count",
                                           .reference = "entries",
                                           .value = {.median = evicted},
                                           .reference_value = {.median = CAPACITY},
                                           .goal = AT_MOST(0.1)});
    return 0;
}

int cache_skewed(struct kit *kit, mneme_error *error) {
    report_heading(&kit->report, "100,000 keys, room for a tenth of them; Zipf 1.1, for sizes 0.9");
    TRY(equal_sizes(kit, 1, "hits, in one part", error));
    TRY(equal_sizes(kit, 0, "hits, in as many as it chooses", error));
    TRY(many_sizes(kit, error));
    return steady_load(kit, error);
}
