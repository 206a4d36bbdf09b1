/*
 * settings_table.c - the list of all settings: names, variables, defaults, what they take.
 */
#include "settings.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

#define ROW(setting, section_, key_, variable, option_, fallback_, ...)                            \
    [setting] = {.section = (section_),                                                            \
                 .key = (key_),                                                                    \
                 .environment = (variable),                                                        \
                 .option = (option_),                                                              \
                 .fallback = (fallback_),                                                          \
                 .rule = __VA_ARGS__}

/* Weights of 0 to 1, sizes of 64 KiB to 1 TiB, seconds of up to a year. */
#define CACHE_WEIGHT                                                                               \
    { .type = VALUE_REAL, .min = 0, .max = 1 }
#define CACHE_SIZE                                                                                 \
    { .type = VALUE_BYTES, .min = INT64_C(1) << 16, .max = INT64_C(1) << 40 }
#define CACHE_SECONDS                                                                              \
    { .type = VALUE_WHOLE, .min = 1, .max = 31536000 }
#define ON_OR_OFF                                                                                  \
    { .type = VALUE_CHOICE, .choices = "on|off" }
#define ANY_TEXT                                                                                   \
    { .type = VALUE_TEXT }
#define ANY_FILE                                                                                   \
    { .type = VALUE_FILE }

#define STORE_ROW(setting, key, variable, fallback, ...)                                           \
    ROW(setting, "store", key, "MNEME_" variable, NULL, fallback, __VA_ARGS__)

/* Rows of the section [cache]; `variable` is what stands behind "MNEME_CACHE". */
#define CACHE_ROW(setting, key, variable, fallback, ...)                                           \
    ROW(setting, "cache", key, "MNEME_CACHE" variable, NULL, fallback, __VA_ARGS__)
#define CACHE_ROW_OF(id, which, key, variable, fallback, ...)                                      \
    CACHE_ROW(SETTING_OF_CACHE(id, which), key, variable, fallback, __VA_ARGS__)
/* Those of one cache. Its table is allocated for all entries at once, hence their bound. */
#define CACHE_ROWS(id, key, variable, bytes, entries)                                              \
    CACHE_ROW_OF(id, CACHE_USED, key, "_" variable, "on", ON_OR_OFF),                              \
        CACHE_ROW_OF(id, CACHE_BYTES, key "_bytes", "_" variable "_BYTES", bytes, CACHE_SIZE),     \
        CACHE_ROW_OF(id, CACHE_ENTRIES, key "_entries", "_" variable "_ENTRIES", entries,          \
                     {.type = VALUE_WHOLE, .min = 1, .max = 100000000}),                           \
        CACHE_ROW_OF(id, CACHE_TTL_S, key "_ttl_s", "_" variable "_TTL_S", "300", CACHE_SECONDS),  \
        CACHE_ROW_OF(id, CACHE_TTL_MIN_S, key "_ttl_min_s", "_" variable "_TTL_MIN_S", "60",       \
                     CACHE_SECONDS),                                                               \
        CACHE_ROW_OF(id, CACHE_TTL_MAX_S, key "_ttl_max_s", "_" variable "_TTL_MAX_S", "3600",     \
                     CACHE_SECONDS)

/* Rows of [remote] and [sqlite]. */
#define REMOTE_ROW(setting, key, variable, fallback, ...)                                          \
    ROW(setting, "remote", key, "MNEME_REMOTE_" variable, NULL, fallback, __VA_ARGS__)
#define REMOTE_NUMBER(setting, key, variable, fallback, min_, max_)                                \
    REMOTE_ROW(setting, key, variable, fallback,                                                   \
               {.type = VALUE_WHOLE, .min = (min_), .max = (max_)})
#define SQLITE_NUMBER(setting, key, variable, fallback, min_, max_)                                \
    ROW(setting, "sqlite", key, "MNEME_SQLITE_" variable, NULL, fallback,                          \
        {.type = VALUE_WHOLE, .min = (min_), .max = (max_)})
/* Rows of [sync]. */
#define SYNC_NUMBER(setting, key, variable, fallback, min_, max_)                                  \
    ROW(setting, "sync", key, "MNEME_SYNC_" variable, NULL, fallback,                              \
        {.type = VALUE_WHOLE, .min = (min_), .max = (max_)})
/* A secret stands in no file of settings, and is never printed. */
#define SECRET_ROW(setting, key_, variable, other_variable)                                        \
    [setting] = {.section = "remote",                                                              \
                 .key = (key_),                                                                    \
                 .environment = (variable),                                                        \
                 .other_environment = (other_variable),                                            \
                 .fallback = "",                                                                   \
                 .rule = ANY_TEXT,                                                                 \
                 .secret = true}

const struct setting_spec setting_specs[SETTING_COUNT] = {
    ROW(SETTING_STORE, "store", "url", "MNEME_STORE", "--store", NULL, ANY_FILE),
    STORE_ROW(SETTING_DURABILITY, "durability", "DURABILITY", "sync",
              {.type = VALUE_CHOICE, .choices = "sync|batch|relaxed"}),
    STORE_ROW(SETTING_COMPRESSION, "compression", "COMPRESSION", "dictionary",
              {.type = VALUE_CHOICE, .choices = "dictionary|zstd|lz4|gzip|none"}),
    STORE_ROW(SETTING_COMPRESSION_LEVEL, "compression_level", "COMPRESSION_LEVEL", "0",
              {.type = VALUE_WHOLE, .min = 0, .max = 19}),
    STORE_ROW(SETTING_BATCH_OPERATIONS, "batch_operations", "BATCH_OPERATIONS", "100",
              {.type = VALUE_WHOLE, .min = 1, .max = 65536}),
    STORE_ROW(SETTING_BATCH_INTERVAL_MS, "batch_interval_ms", "BATCH_INTERVAL_MS", "100",
              {.type = VALUE_WHOLE, .min = 1, .max = 60000}),
    ROW(SETTING_CACHE, "cache", "enabled", "MNEME_CACHE", "--no-cache", "on", ON_OR_OFF),
    CACHE_ROW(SETTING_CACHE_FILL_BY_WRITES, "fill_by_writes", "_FILL_BY_WRITES", "on", ON_OR_OFF),
    CACHE_ROW(SETTING_CACHE_ACCESS_WEIGHT, "access_weight", "_ACCESS_WEIGHT", "0.6", CACHE_WEIGHT),
    CACHE_ROW(SETTING_CACHE_RECENCY_WEIGHT, "recency_weight", "_RECENCY_WEIGHT", "0.4",
              CACHE_WEIGHT),
    CACHE_ROWS(MNEME_CACHE_EPISODES, "episodes", "EPISODES", "32 MiB", "10000"),
    CACHE_ROWS(MNEME_CACHE_PATTERNS, "patterns", "PATTERNS", "24 MiB", "10000"),
    CACHE_ROWS(MNEME_CACHE_QUERIES, "queries", "QUERIES", "8 MiB", "1000"),
    SECRET_ROW(SETTING_TOKEN, "token", "MNEME_TOKEN", "TURSO_AUTH_TOKEN"),
    ROW(SETTING_TOKEN_FILE, "remote", "token_file", "MNEME_TOKEN_FILE", "--token-file", "",
        ANY_FILE),
    SECRET_ROW(SETTING_BASIC, "basic", "MNEME_BASIC", NULL),
    REMOTE_ROW(SETTING_REPLICA_URL, "replica_url", "REPLICA_URL", "", ANY_TEXT),
    REMOTE_ROW(SETTING_NAMESPACE, "namespace", "NAMESPACE", "", ANY_TEXT),
    REMOTE_ROW(SETTING_ENCODING, "encoding", "ENCODING", "auto",
               {.type = VALUE_CHOICE, .choices = "auto|json|protobuf"}),
    REMOTE_ROW(SETTING_STREAMS, "streams", "STREAMS", "on", ON_OR_OFF),
    REMOTE_ROW(SETTING_PLAIN_HTTP, "allow_plain_http", "ALLOW_PLAIN_HTTP", "off", ON_OR_OFF),
    REMOTE_ROW(SETTING_CA_FILE, "ca_file", "CA_FILE", "", ANY_FILE),
    REMOTE_NUMBER(SETTING_POOL_MIN, "pool_min", "POOL_MIN", "0", 0, 1000),
    REMOTE_NUMBER(SETTING_POOL_MAX, "pool_max", "POOL_MAX", "8", 1, 1000),
    REMOTE_NUMBER(SETTING_POOL_IDLE_MS, "pool_idle_ms", "POOL_IDLE_MS", "30000", 1, DAY_MS),
    REMOTE_NUMBER(SETTING_POOL_AGE_MS, "pool_age_ms", "POOL_AGE_MS", "600000", 1, DAY_MS),
    REMOTE_NUMBER(SETTING_ACQUIRE_MS, "acquire_ms", "ACQUIRE_MS", "10000", 1, DAY_MS),
    REMOTE_NUMBER(SETTING_CONNECT_MS, "connect_ms", "CONNECT_MS", "5000", 1, DAY_MS),
    REMOTE_NUMBER(SETTING_TIMEOUT_MS, "timeout_ms", "TIMEOUT_MS", "30000", 1, DAY_MS),
    REMOTE_NUMBER(SETTING_STALL_MS, "stall_ms", "STALL_MS", "10000", 1, DAY_MS),
    REMOTE_NUMBER(SETTING_ATTEMPTS, "attempts", "ATTEMPTS", "5", 1, 100),
    REMOTE_NUMBER(SETTING_BREAKER_FAILURES, "breaker_failures", "BREAKER_FAILURES", "5", 1, 1000),
    REMOTE_NUMBER(SETTING_BREAKER_OPEN_MS, "breaker_open_ms", "BREAKER_OPEN_MS", "500", 1, DAY_MS),
    REMOTE_NUMBER(SETTING_REFRESH_MS, "refresh_ms", "REFRESH_MS", "1000", 1, DAY_MS),
    SQLITE_NUMBER(SETTING_SQLITE_CONNECTIONS, "connections", "CONNECTIONS", "8", 1, 1000),
    SQLITE_NUMBER(SETTING_SQLITE_STATEMENTS, "statements", "STATEMENTS", "64", 1, 10000),
    SQLITE_NUMBER(SETTING_SQLITE_BUSY_MS, "busy_ms", "BUSY_MS", "10000", 1, DAY_MS),
    ROW(SETTING_SYNC_URL, "sync", "url", "MNEME_REMOTE", "--remote", "", ANY_TEXT),
    ROW(SETTING_SYNC_NAME, "sync", "name", "MNEME_SYNC_NAME", NULL, "", ANY_TEXT),
    ROW(SETTING_SYNC_ONLY, "sync", "only", "MNEME_SYNC_ONLY", NULL, "", ANY_TEXT),
    SYNC_NUMBER(SETTING_SYNC_POLL_MS, "poll_ms", "POLL_MS", "250", 1, DAY_MS),
    SYNC_NUMBER(SETTING_SYNC_POLL_MAX_MS, "poll_max_ms", "POLL_MAX_MS", "30000", 1, DAY_MS),
    SYNC_NUMBER(SETTING_SYNC_PUSH_MAX, "push_max", "PUSH_MAX", "100", 1, 1000),
    SYNC_NUMBER(SETTING_SYNC_GATHER_MS, "gather_ms", "GATHER_MS", "100", 1, 60000),
    SYNC_NUMBER(SETTING_SYNC_KEEP_DAYS, "keep_days", "KEEP_DAYS", "90", 1, 36500),
    SYNC_NUMBER(SETTING_SYNC_LEASE_MS, "lease_ms", "LEASE_MS", "30000", 100, DAY_MS),
    ROW(SETTING_LOG_LEVEL, "log", "level", "MNEME_LOG", "--log", "off", ANY_TEXT),
    ROW(SETTING_LOG_FORMAT, "log", "format", "MNEME_LOG_FORMAT", NULL, "logfmt",
        {.type = VALUE_CHOICE, .choices = "logfmt|json"}),
    ROW(SETTING_COLOR, "output", "color", "NO_COLOR", "--no-color", "auto",
        {.type = VALUE_CHOICE, .choices = "auto|never"}),
};
