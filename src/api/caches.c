/*
 * caches.c - the caches of a handle: from options to a decorated store, and their statistics.
 */
#include "api/handle.h"

/* Steps and checkpoints that are read by themselves share the limits of the episodes. */
enum { CHILDREN_SHARE = 8 };

static const char *const names[MNEME_CACHE_COUNT] = {
    [MNEME_CACHE_EPISODES] = "episodes",
    [MNEME_CACHE_PATTERNS] = "patterns",
    [MNEME_CACHE_QUERIES] = "queries",
};

const char *mneme_cache_name(mneme_cache_id id) {
    return (int)id >= 0 && id < MNEME_CACHE_COUNT ? names[id] : NULL;
}

/* ---- Opening ------------------------------------------------------------------------------ */

static uint64_t or_default(uint64_t value, uint64_t standard) { return value ? value : standard; }

static struct cache_options limits_of(const mneme_cache_options *options, mneme_cache_id id) {
    static const struct {
        uint64_t bytes, entries;
    } standard[MNEME_CACHE_COUNT] = {
        [MNEME_CACHE_EPISODES] = {32 << 20, 10000},
        [MNEME_CACHE_PATTERNS] = {24 << 20, 10000},
        [MNEME_CACHE_QUERIES] = {8 << 20, 1000},
    };
    const mneme_cache_limits *limits = &options->limits[id];
    if (limits->off)
        return (struct cache_options){0};
    return (struct cache_options){.bytes = or_default(limits->bytes, standard[id].bytes),
                                  .entries = or_default(limits->entries, standard[id].entries),
                                  .ttl_base = limits->ttl_s,
                                  .ttl_min = limits->ttl_min_s,
                                  .ttl_max = limits->ttl_max_s,
                                  .access_weight = options->access_weight,
                                  .recency_weight = options->recency_weight};
}

static struct cache_options share_of(struct cache_options whole, size_t parts, bool rest) {
    if (whole.bytes == 0)
        return whole;
    whole.bytes = size_max(rest ? whole.bytes - whole.bytes / parts : whole.bytes / parts, 1);
    whole.entries =
        size_max(rest ? whole.entries - whole.entries / parts : whole.entries / parts, 1);
    return whole;
}

int caches_open(mneme *m, mneme_error *error) {
    const mneme_cache_options *options = &m->options.cache;
    struct cache_options episodes = limits_of(options, MNEME_CACHE_EPISODES);
    struct cached_options caches = {
        .parts = {[CACHED_EPISODES] = share_of(episodes, CHILDREN_SHARE, true),
                  [CACHED_CHILDREN] = share_of(episodes, CHILDREN_SHARE, false),
                  [CACHED_PATTERNS] = limits_of(options, MNEME_CACHE_PATTERNS),
                  [CACHED_QUERIES] = limits_of(options, MNEME_CACHE_QUERIES)},
        .no_fill = options->no_fill_by_writes,
        .build = held_build,
        .context = m,
        .meter = m->meter};
    bool all_off = options->off;
    for (size_t i = 0, off = 0; i < MNEME_CACHE_COUNT; i++) {
        off += options->limits[i].off;
        all_off |= off == MNEME_CACHE_COUNT;
    }
    if (all_off || !store_moment(m->store))
        return 0; /* off, or the store cannot tell when it changes: every read goes to it */
    TRY(cached_open(m->store, &caches, &m->cached, error));
    m->store = m->cached;
    return 0;
}

/* ---- Statistics --------------------------------------------------------------------------- */

static void add_stats(mneme_cache_stats *to, const struct cache_stats *from) {
    to->hits += from->hits;
    to->misses += from->misses;
    to->negative_hits += from->negative_hits;
    to->joins += from->joins;
    to->admissions += from->kept;
    to->rejections += from->not_kept;
    to->evictions_by_bytes += from->evicted_bytes_full;
    to->evictions_by_entries += from->evicted_entries_full;
    to->expirations += from->expired;
    to->invalidations_by_change += from->dropped[CACHE_CHANGED];
    to->invalidations_by_flood += from->dropped[CACHE_FLOODED];
    to->invalidations_by_replace += from->dropped[CACHE_REPLACED];
    to->bytes += from->bytes;
    to->entries += from->entries;
    to->bytes_max += from->bytes_max;
    to->entries_max += from->entries_max;
    to->minute_hits += from->minute_hits;
    to->minute_lookups += from->minute_lookups;
    to->hour_hits += from->hour_hits;
    to->hour_lookups += from->hour_lookups;
}

void caches_stats(mneme *m, mneme_cache_stats out[MNEME_CACHE_COUNT]) {
    static const mneme_cache_id part_of[CACHED_PARTS] = {
        [CACHED_EPISODES] = MNEME_CACHE_EPISODES,
        [CACHED_CHILDREN] = MNEME_CACHE_EPISODES,
        [CACHED_PATTERNS] = MNEME_CACHE_PATTERNS,
        [CACHED_QUERIES] = MNEME_CACHE_QUERIES,
    };
    struct cache_stats stats[CACHED_PARTS];
    if (!m->cached)
        return;
    cached_stats(m->cached, stats);
    for (size_t i = 0; i < CACHED_PARTS; i++)
        add_stats(&out[part_of[i]], &stats[i]);
}
