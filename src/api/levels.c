/*
 * levels.c - what each part of a handle tells of itself.
 */
#include "api/levels.h"

#include "api/dictionaries.h"
#include "api/metrics.h"
#include "api/remote.h"
#include "api/sync.h"

static void tell(mneme *m, enum meter_level level, uint64_t value) {
    meter_level(m->meter, level, (double)value);
}

static void tell_caches(mneme *m) {
    mneme_cache_stats caches[MNEME_CACHE_COUNT] = {{0}};
    enum { ROWS = METER_LEVEL_PATTERNS_BYTES - METER_LEVEL_EPISODES_BYTES };
    caches_stats(m, caches);
    for (unsigned i = 0; i < MNEME_CACHE_COUNT; i++) {
        const mneme_cache_stats *c = &caches[i];
        const uint64_t values[ROWS] = {
            c->bytes,
            c->bytes_max,
            c->entries,
            c->entries_max,
            c->hits,
            c->negative_hits,
            c->misses,
            c->joins,
            c->admissions,
            c->rejections,
            c->evictions_by_bytes,
            c->evictions_by_entries,
            c->expirations,
            c->invalidations_by_change,
            c->invalidations_by_flood,
            c->invalidations_by_replace,
            c->minute_hits,
            c->minute_lookups,
            c->hour_hits,
            c->hour_lookups,
        };
        for (unsigned j = 0; j < ROWS; j++)
            tell(m, (enum meter_level)(METER_LEVEL_EPISODES_BYTES + i * ROWS + j), values[j]);
    }
}

static void tell_queue(mneme *m) {
    struct batched_counters queue;
    batched_counters(m->queue, &queue);
    tell(m, METER_LEVEL_QUEUE_GROUPS, queue.groups);
    tell(m, METER_LEVEL_QUEUE_BATCHES, queue.batches);
    tell(m, METER_LEVEL_QUEUE_LENGTH, queue.queued);
}

static void tell_compression(mneme *m) {
    struct pack_counters packed = packer_counters(m->packer);
    tell(m, METER_LEVEL_COMPRESSION_IN, packed.in);
    tell(m, METER_LEVEL_COMPRESSION_OUT, packed.out);
    tell(m, METER_LEVEL_COMPRESSION_SKIPPED, packed.skipped);
    tell(m, METER_LEVEL_DICTIONARY_BODIES, packed.with_dictionary);
}

static void tell_dictionaries(mneme *m) {
    struct dictionaries *d = m->dictionaries;
    uint64_t bytes = 0;
    AUTO_LOCK(held, &d->lock);
    for (size_t i = 0; i < d->known_count; i++)
        bytes += dictionary_bytes(d->known[i]).size;
    tell(m, METER_LEVEL_DICTIONARIES, d->known_count);
    tell(m, METER_LEVEL_DICTIONARY_BYTES, bytes);
}

static void tell_remote(mneme *m) {
    static const unsigned breaker[] = {
        [MNEME_BREAKER_CLOSED] = 0, [MNEME_BREAKER_TRYING] = 1, [MNEME_BREAKER_OPEN] = 2};
    mneme_remote_stats remote = {.dialect = ""};
    if (!m->sql)
        return;
    remote_stats(m->sql, m->driver, &remote);
    tell(m, METER_LEVEL_REMOTE_REQUESTS, remote.requests);
    tell(m, METER_LEVEL_REMOTE_FAILURES, remote.failures);
    if (!m->far) {
        tell(m, METER_LEVEL_STATEMENTS_PREPARED, remote.prepared);
        tell(m, METER_LEVEL_STATEMENTS_FOUND, remote.prepare_hits);
        return;
    }
    tell(m, METER_LEVEL_REMOTE_RETRIES, remote.retries);
    tell(m, METER_LEVEL_REMOTE_UP, remote.bytes_up);
    tell(m, METER_LEVEL_REMOTE_DOWN, remote.bytes_down);
    tell(m, METER_LEVEL_REMOTE_CONNECTS, remote.connects);
    tell(m, METER_LEVEL_REMOTE_REUSES, remote.reuses);
    tell(m, METER_LEVEL_POOL_OPEN, remote.open);
    tell(m, METER_LEVEL_POOL_IDLE, remote.idle);
    tell(m, METER_LEVEL_POOL_WAITING, remote.waiting);
    tell(m, METER_LEVEL_POOL_TARGET, remote.target);
    tell(m, METER_LEVEL_POOL_WAITS, remote.waits);
    meter_level(m->meter, METER_LEVEL_POOL_WAIT_SECONDS, (double)remote.wait_us / 1e6);
    tell(m, METER_LEVEL_POOL_TIMEOUTS, remote.acquire_timeouts);
    tell(m, METER_LEVEL_BREAKER_STATE, breaker[remote.breaker]);
    tell(m, METER_LEVEL_BREAKER_OPENED, remote.breaker_opened);
    tell(m, METER_LEVEL_BREAKER_REFUSED, remote.breaker_refused);
    tell(m, METER_LEVEL_REPLICA_READS, remote.replica_reads);
    tell(m, METER_LEVEL_REPLICA_FALLBACKS, remote.replica_fallbacks);
}

void levels_tell_store(mneme *m, const struct store_stats *told) {
    struct store_stats stats = *told;
    struct kind_stats sum = {0};
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++) {
        sum.records += stats.kinds[i].records;
        sum.tombstones += stats.kinds[i].tombstones;
        sum.stored_bytes += stats.kinds[i].stored_bytes;
        sum.plain_bytes += stats.kinds[i].plain_bytes;
    }
    tell(m, METER_LEVEL_STORE_CHANGES, stats.changes);
    tell(m, METER_LEVEL_STORE_RECORDS, sum.records);
    tell(m, METER_LEVEL_STORE_TOMBSTONES, sum.tombstones);
    tell(m, METER_LEVEL_STORE_BODIES_STORED, sum.stored_bytes);
    tell(m, METER_LEVEL_STORE_BODIES_PLAIN, sum.plain_bytes);
    if (stats.file_bytes == 0)
        return;
    tell(m, METER_LEVEL_STORE_FILE_BYTES, stats.file_bytes);
    tell(m, METER_LEVEL_STORE_USED_BYTES, stats.used_bytes);
    tell(m, METER_LEVEL_STORE_COMMITS, stats.commits);
    if (stats.map_bytes == 0)
        return;
    tell(m, METER_LEVEL_STORE_MAP_BYTES, stats.map_bytes);
    tell(m, METER_LEVEL_STORE_READERS, stats.readers);
    tell(m, METER_LEVEL_STORE_OLDEST_READER, stats.readers_lag);
}

static void tell_store(mneme *m) {
    struct store_stats stats;
    if (store_stats(m->bottom, &stats, NULL) == 0)
        levels_tell_store(m, &stats);
}

static void tell_sync(mneme *m) {
    mneme_sync_status s = {.size = sizeof s};
    if (m->sql || syncer_status(m, &s, NULL) || !s.shared)
        return;
    int64_t age_us = s.oldest_us ? clock_wall_us() - s.oldest_us : 0;
    tell(m, METER_LEVEL_OUTBOX_RECORDS, s.pending);
    tell(m, METER_LEVEL_OUTBOX_BYTES, s.pending_bytes);
    meter_level(m->meter, METER_LEVEL_OUTBOX_AGE, age_us > 0 ? (double)age_us / 1e6 : 0);
    tell(m, METER_LEVEL_SYNC_BEHIND, s.head > s.cursor ? s.head - s.cursor : 0);
    tell(m, METER_LEVEL_SYNC_CONFLICTS, s.superseded);
    tell(m, METER_LEVEL_SYNC_HELD, s.held);
    tell(m, METER_LEVEL_SYNC_FAILING, s.error_us != 0);
    tell(m, METER_LEVEL_SYNC_PUSHED, s.pushed);
    tell(m, METER_LEVEL_SYNC_PULLED, s.pulled);
    tell(m, METER_LEVEL_SYNC_MERGED, s.merged);
    tell(m, METER_LEVEL_SYNC_UP, s.bytes_up);
    tell(m, METER_LEVEL_SYNC_DOWN, s.bytes_down);
}

void levels_tell(mneme *m, bool all) {
    if (!m->meter)
        return;
    if (m->cached)
        tell_caches(m);
    tell_queue(m);
    tell_compression(m);
    tell_dictionaries(m);
    tell_remote(m);
    if (all && !m->far) /* there it would be a request, of somebody who only looks */
        tell_store(m);
    if (all)
        tell_sync(m);
    meter_levels_told(m->meter);
}
