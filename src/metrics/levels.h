/*
 * levels.h - the one table of levels: numbers that a part of a handle tells of itself.
 *
 * X(name, public name, unit, label name, label value, type, total, help). The type is C, a counter,
 * or G, a gauge. The total over processes is a SUM of what each has, the MOST that one has, or, as
 * all have the same store, what was told LATEST.
 */
#ifndef MNEME_METRICS_LEVELS_H
#define MNEME_METRICS_LEVELS_H

#define METER_LEVEL_TABLE(X)                                                                       \
    X(STORE_FILE_BYTES, "store_file", "bytes", "", "", G, LATEST, "Size of the store's file.")     \
    X(STORE_USED_BYTES, "store_used", "bytes", "", "", G, LATEST,                                  \
      "Bytes of the file in pages that hold data.")                                                \
    X(STORE_MAP_BYTES, "store_map", "bytes", "", "", G, LATEST,                                    \
      "Size of the memory map, which the file may grow to before it is made larger.")              \
    X(STORE_COMMITS, "store_commits", "", "", "", C, LATEST, "Commits since the store was made.")  \
    X(STORE_CHANGES, "store_changes", "", "", "", C, LATEST,                                       \
      "Number of the last change of a record.")                                                    \
    X(STORE_READERS, "store_readers", "", "", "", G, LATEST, "Slots of readers that are in use.")  \
    X(STORE_OLDEST_READER, "store_oldest_reader_commits", "", "", "", G, LATEST,                   \
      "Commits since the oldest read that is under way began; it keeps their pages.")              \
    X(STORE_RECORDS, "store_records", "", "", "", G, LATEST, "Records that are not deleted.")      \
    X(STORE_TOMBSTONES, "store_tombstones", "", "", "", G, LATEST,                                 \
      "Deleted records that are remembered.")                                                      \
    X(STORE_BODIES_STORED, "store_bodies_stored", "bytes", "", "", G, LATEST,                      \
      "Bodies of all records, as stored.")                                                         \
    X(STORE_BODIES_PLAIN, "store_bodies_plain", "bytes", "", "", G, LATEST,                        \
      "The same bodies before compression.")                                                       \
    X(QUEUE_GROUPS, "queue_groups", "", "", "", C, SUM, "Commits made by the group commit.")       \
    X(QUEUE_BATCHES, "queue_batches", "", "", "", C, SUM, "Writes in those commits.")              \
    X(QUEUE_LENGTH, "queue_operations", "", "", "", G, SUM, "Operations that wait for a commit.")  \
    X(COMPRESSION_IN, "compression_in", "bytes", "", "", C, SUM,                                   \
      "Bytes of bodies given to compression.")                                                     \
    X(COMPRESSION_OUT, "compression_out", "bytes", "", "", C, SUM, "Bytes that came out.")         \
    X(COMPRESSION_SKIPPED, "compression_skipped", "", "", "", C, SUM, "Bodies stored raw.")        \
    X(DICTIONARY_BODIES, "compression_dictionary_bodies", "", "", "", C, SUM,                      \
      "Bodies compressed with a dictionary.")                                                      \
    X(DICTIONARIES, "dictionaries", "", "", "", G, MOST, "Dictionaries that are loaded.")          \
    X(DICTIONARY_BYTES, "dictionaries", "bytes", "", "", G, MOST, "Bytes of those dictionaries.")  \
    METER_CACHE_LEVELS(X, EPISODES, "episodes")                                                    \
    METER_CACHE_LEVELS(X, PATTERNS, "patterns")                                                    \
    METER_CACHE_LEVELS(X, QUERIES, "queries")                                                      \
    X(REMOTE_REQUESTS, "remote_requests", "", "", "", C, SUM,                                      \
      "Transactions and reads that a server, or an SQLite file, was asked for.")                   \
    X(REMOTE_RETRIES, "remote_retries", "", "", "", C, SUM,                                        \
      "Attempts over the network beyond the first of a request.")                                  \
    X(REMOTE_FAILURES, "remote_failures", "", "", "", C, SUM, "Requests that came to nothing.")    \
    X(REMOTE_UP, "remote_sent", "bytes", "", "", C, SUM, "Bytes sent, headers included.")          \
    X(REMOTE_DOWN, "remote_received", "bytes", "", "", C, SUM, "Bytes received.")                  \
    X(REMOTE_CONNECTS, "pool_connects", "", "", "", C, SUM, "Connections that were made.")         \
    X(REMOTE_REUSES, "pool_reuses", "", "", "", C, SUM,                                            \
      "Requests on a connection that was there.")                                                  \
    X(POOL_OPEN, "pool_open", "", "", "", G, SUM, "Connections that are open.")                    \
    X(POOL_IDLE, "pool_idle", "", "", "", G, SUM, "Connections that nobody uses.")                 \
    X(POOL_WAITING, "pool_waiting", "", "", "", G, SUM, "Requests that wait for a connection.")    \
    X(POOL_TARGET, "pool_target", "", "", "", G, SUM, "Connections that the pool aims at.")        \
    X(POOL_WAITS, "pool_waits", "", "", "", C, SUM, "Requests that had to wait for one.")          \
    X(POOL_WAIT_SECONDS, "pool_wait", "seconds", "", "", C, SUM, "How long they waited.")          \
    X(POOL_TIMEOUTS, "pool_timeouts", "", "", "", C, SUM, "Requests that waited in vain.")         \
    X(BREAKER_STATE, "breaker_state", "", "", "", G, MOST,                                         \
      "Circuit breaker: 0 closed, 1 trying, 2 open.")                                              \
    X(BREAKER_OPENED, "breaker_opened", "", "", "", C, SUM, "Times that the breaker opened.")      \
    X(BREAKER_REFUSED, "breaker_refused", "", "", "", C, SUM,                                      \
      "Requests that failed at once as it was open.")                                              \
    X(REPLICA_READS, "replica_reads", "", "", "", C, SUM, "Reads of the replica.")                 \
    X(REPLICA_FALLBACKS, "replica_fallbacks", "", "", "", C, SUM, "Reads that had to leave it.")   \
    X(STATEMENTS_PREPARED, "statements_prepared", "", "", "", C, SUM, "Statements made ready.")    \
    X(STATEMENTS_FOUND, "statements_found_prepared", "", "", "", C, SUM,                           \
      "Statements that were found ready.")                                                         \
    X(OUTBOX_RECORDS, "outbox_records", "", "", "", G, LATEST, "Records that wait to go out.")     \
    X(OUTBOX_BYTES, "outbox", "bytes", "", "", G, LATEST,                                          \
      "Bodies of those records; of the first 10,000.")                                             \
    X(OUTBOX_AGE, "outbox_oldest_age", "seconds", "", "", G, LATEST,                               \
      "How long the oldest of them waits.")                                                        \
    X(SYNC_BEHIND, "sync_behind_changes", "", "", "", G, LATEST,                                   \
      "Changes of the remote that were not taken yet, when it was last asked.")                    \
    X(SYNC_CONFLICTS, "sync_conflicts", "", "", "", G, LATEST,                                     \
      "Edits that were overruled, and are kept to be looked at.")                                  \
    X(SYNC_HELD, "sync_held", "", "", "", G, LATEST, "Records that stay on this machine.")         \
    X(SYNC_FAILING, "sync_failing", "", "", "", G, LATEST,                                         \
      "1 while the last exchange failed, else 0.")                                                 \
    X(SYNC_PUSHED, "sync_pushed", "", "", "", C, LATEST, "Records that went out.")                 \
    X(SYNC_PULLED, "sync_pulled", "", "", "", C, LATEST, "Records that came in.")                  \
    X(SYNC_MERGED, "sync_merged", "", "", "", C, LATEST,                                           \
      "Records that came in and were joined with an edit made here.")                              \
    X(SYNC_UP, "sync_sent", "bytes", "", "", C, LATEST, "Bytes of sync that went out.")            \
    X(SYNC_DOWN, "sync_received", "bytes", "", "", C, LATEST, "Bytes of sync that came in.")       \
    X(METRICS_BYTES, "metrics_memory", "bytes", "", "", G, SUM,                                    \
      "Memory that the measuring itself takes.")                                                   \
    X(METRICS_LOST, "metrics_lost", "", "", "", C, SUM,                                            \
      "Operations that were not counted, as there was no memory for it.")

#define METER_CACHE_LEVELS(X, CACHE, cache)                                                        \
    X(CACHE##_BYTES, "cache", "bytes", "cache", cache, G, SUM, "What a cache takes.")              \
    X(CACHE##_BYTES_MAX, "cache_limit", "bytes", "cache", cache, G, SUM, "What it may take.")      \
    X(CACHE##_ENTRIES, "cache_entries", "", "cache", cache, G, SUM, "Entries of a cache.")         \
    X(CACHE##_ENTRIES_MAX, "cache_entries_limit", "", "cache", cache, G, SUM,                      \
      "How many it may have.")                                                                     \
    X(CACHE##_HITS, "cache_hits", "", "cache", cache, C, SUM, "Look-ups that were answered.")      \
    X(CACHE##_NEGATIVE, "cache_negative_hits", "", "cache", cache, C, SUM,                         \
      "Among the hits: known not to be there.")                                                    \
    X(CACHE##_MISSES, "cache_misses", "", "cache", cache, C, SUM, "Look-ups that were not.")       \
    X(CACHE##_JOINS, "cache_joins", "", "cache", cache, C, SUM,                                    \
      "Among the misses: shared the load of another thread.")                                      \
    X(CACHE##_ADMISSIONS, "cache_admissions", "", "cache", cache, C, SUM,                          \
      "Entries that were kept.")                                                                   \
    X(CACHE##_REJECTIONS, "cache_rejections", "", "cache", cache, C, SUM,                          \
      "Loaded, but not kept: outrun by a write, or too large.")                                    \
    X(CACHE##_EVICTIONS_BY_BYTES, "cache_evictions_by_bytes", "", "cache", cache, C, SUM,          \
      "Entries that left as the bytes were used up.")                                              \
    X(CACHE##_EVICTIONS_BY_ENTRIES, "cache_evictions_by_entries", "", "cache", cache, C, SUM,      \
      "Entries that left as there were too many.")                                                 \
    X(CACHE##_EXPIRATIONS, "cache_expirations", "", "cache", cache, C, SUM,                        \
      "Entries that left as their time was over.")                                                 \
    X(CACHE##_BY_CHANGE, "cache_invalidations_by_change", "", "cache", cache, C, SUM,              \
      "Entries that were dropped as what they hold was changed.")                                  \
    X(CACHE##_BY_FLOOD, "cache_invalidations_by_flood", "", "cache", cache, C, SUM,                \
      "Entries that were dropped as too much changed at once to look at each.")                    \
    X(CACHE##_BY_REPLACE, "cache_invalidations_by_replace", "", "cache", cache, C, SUM,            \
      "Entries whose place a newer one took.")                                                     \
    X(CACHE##_MINUTE_HITS, "cache_minute_hits", "", "cache", cache, G, SUM,                        \
      "Look-ups of the last minute that were answered.")                                           \
    X(CACHE##_MINUTE_LOOKUPS, "cache_minute_lookups", "", "cache", cache, G, SUM,                  \
      "Look-ups of the last minute.")                                                              \
    X(CACHE##_HOUR_HITS, "cache_hour_hits", "", "cache", cache, G, SUM,                            \
      "Look-ups of the last hour that were answered.")                                             \
    X(CACHE##_HOUR_LOOKUPS, "cache_hour_lookups", "", "cache", cache, G, SUM,                      \
      "Look-ups of the last hour.")

enum meter_level {
#define METER_LEVEL_ENUM(name, text, unit, label, value, type, total, help) METER_LEVEL_##name,
    METER_LEVEL_TABLE(METER_LEVEL_ENUM)
#undef METER_LEVEL_ENUM
        METER_LEVEL_COUNT
};

#endif
