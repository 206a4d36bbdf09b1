/*
 * operations.h - the one table of what is counted and timed.
 *
 * X(name, layer, name for people, gen_ai.operation.name, sample). The fourth is of OpenTelemetry's
 * semantic conventions for generative AI, where these have a name for what is done; else "". The
 * fifth: one call in so many is timed.
 * Names, and their order, are part of the format of the shared memory (segment.h).
 */
#ifndef MNEME_METRICS_OPERATIONS_H
#define MNEME_METRICS_OPERATIONS_H

enum { METER_HIT_SAMPLE = 64, METER_GET_SAMPLE = 64 };

#define METER_OPERATION_TABLE(X)                                                                   \
    X(API_PUT, "api", "put", "upsert_memory", 1)                                                   \
    X(API_DELETE, "api", "delete", "delete_memory", 1)                                             \
    X(API_EPISODE_START, "api", "episode_start", "create_memory", 1)                               \
    X(API_STEP_APPEND, "api", "step_append", "update_memory", 1)                                   \
    X(API_EPISODE_COMPLETE, "api", "episode_complete", "update_memory", 1)                         \
    X(API_TAG, "api", "tag", "update_memory", 1)                                                   \
    X(API_ACQUIRE, "api", "acquire", "", METER_HIT_SAMPLE)                                         \
    X(API_LIST, "api", "list", "search_memory", 1)                                                 \
    X(API_FLUSH, "api", "flush", "", 1)                                                            \
    X(API_TICKET_WAIT, "api", "ticket_wait", "", 1)                                                \
    X(API_SYNC, "api", "sync", "", 1)                                                              \
    X(API_STATS, "api", "stats", "", 1)                                                            \
    X(API_BACKUP, "api", "backup", "", 1)                                                          \
    X(API_IMPORT, "api", "import", "", 1)                                                          \
    X(API_EXPORT, "api", "export", "", 1)                                                          \
    X(API_VERIFY, "api", "verify", "", 1)                                                          \
    X(API_TRAIN, "api", "train", "", 1)                                                            \
    X(API_RESOLVE, "api", "conflict_resolve", "update_memory", 1)                                  \
    METER_STORE_ROWS(X, KV, "kv", METER_GET_SAMPLE)                                                \
    METER_STORE_ROWS(X, SQL, "sql", 1)                                                             \
    METER_STORE_ROWS(X, MEM, "mem", METER_GET_SAMPLE)                                              \
    X(QUEUE_COMMIT, "queue", "commit", "", 1)                                                      \
    X(QUEUE_WAIT, "queue", "wait", "", 1)                                                          \
    X(CACHE_HIT, "cache", "hit", "", METER_HIT_SAMPLE)                                             \
    X(CACHE_LOAD, "cache", "load", "", 1)                                                          \
    X(NET_REQUEST, "net", "request", "", 1)                                                        \
    X(NET_ATTEMPT, "net", "attempt", "", 1)                                                        \
    X(NET_WAIT, "net", "wait", "", 1)                                                              \
    X(SYNC_STEP, "sync", "step", "", 1)                                                            \
    X(SYNC_EXCHANGE, "sync", "exchange", "", 1)

/* The operations of a store that keeps records, in the order of enum meter_store_operation. */
#define METER_STORE_ROWS(X, STORE, layer, get_sample)                                              \
    X(STORE##_APPLY, layer, "apply", "", 1)                                                        \
    X(STORE##_GET, layer, "get", "", get_sample)                                                   \
    X(STORE##_QUERY, layer, "query", "", 1)                                                        \
    X(STORE##_CHANGES, layer, "changes", "", 1)                                                    \
    X(STORE##_STATS, layer, "stats", "", 1)                                                        \
    X(STORE##_BACKUP, layer, "backup", "", 1)

enum meter_operation {
#define METER_OPERATION_ENUM(name, layer, text, gen_ai, sample) METER_##name,
    METER_OPERATION_TABLE(METER_OPERATION_ENUM)
#undef METER_OPERATION_ENUM
        METER_OPERATION_COUNT
};

#endif
