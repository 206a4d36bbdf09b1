/*
 * settings_table.c - the list of all settings: names, variables, defaults, what they take.
 */
#include "settings.h"

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* The last arguments are the rule and `.says = …`; a row without a sentence fails a test. */
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
/* Those of one cache, and what it keeps. Its table is allocated for all entries at once, hence
 * their bound. */
#define CACHE_ROWS(id, key, variable, bytes, entries, what)                                        \
    CACHE_ROW_OF(id, CACHE_USED, key, "_" variable, "on", ON_OR_OFF,                               \
                 .says = "Whether there is a cache of " what "."),                                 \
        CACHE_ROW_OF(id, CACHE_BYTES, key "_bytes", "_" variable "_BYTES", bytes, CACHE_SIZE,      \
                     .says = "The most memory that the cache of " key " takes."),                  \
        CACHE_ROW_OF(id, CACHE_ENTRIES, key "_entries", "_" variable "_ENTRIES", entries,          \
                     {.type = VALUE_WHOLE, .min = 1, .max = 100000000},                            \
                     .says = "The most entries that the cache of " key " holds."),                 \
        CACHE_ROW_OF(id, CACHE_TTL_S, key "_ttl_s", "_" variable "_TTL_S", "300", CACHE_SECONDS,   \
                     .says = "How long an entry of the cache of " key                              \
                             " lives at first; that grows with reads and shrinks without."),       \
        CACHE_ROW_OF(id, CACHE_TTL_MIN_S, key "_ttl_min_s", "_" variable "_TTL_MIN_S", "60",       \
                     CACHE_SECONDS,                                                                \
                     .says = "The shortest that " key "_ttl_s may become by itself."),             \
        CACHE_ROW_OF(id, CACHE_TTL_MAX_S, key "_ttl_max_s", "_" variable "_TTL_MAX_S", "3600",     \
                     CACHE_SECONDS,                                                                \
                     .says = "The longest that " key "_ttl_s may become by itself.")

/* Rows of [remote] and [sqlite]. */
#define REMOTE_ROW(setting, key, variable, fallback, ...)                                          \
    ROW(setting, "remote", key, "MNEME_REMOTE_" variable, NULL, fallback, __VA_ARGS__)
#define REMOTE_NUMBER(setting, key, variable, fallback, min_, max_, says_)                         \
    REMOTE_ROW(setting, key, variable, fallback,                                                   \
               {.type = VALUE_WHOLE, .min = (min_), .max = (max_)}, .says = (says_))
#define SQLITE_NUMBER(setting, key, variable, fallback, min_, max_, says_)                         \
    ROW(setting, "sqlite", key, "MNEME_SQLITE_" variable, NULL, fallback,                          \
        {.type = VALUE_WHOLE, .min = (min_), .max = (max_)}, .says = (says_))
/* Rows of [sync]. */
#define SYNC_NUMBER(setting, key, variable, fallback, min_, max_, says_)                           \
    ROW(setting, "sync", key, "MNEME_SYNC_" variable, NULL, fallback,                              \
        {.type = VALUE_WHOLE, .min = (min_), .max = (max_)}, .says = (says_))
/* A secret stands in no file of settings, and is never printed. */
#define SECRET_ROW(setting, key_, variable, other_variable, says_)                                 \
    [setting] = {.section = "remote",                                                              \
                 .key = (key_),                                                                    \
                 .environment = (variable),                                                        \
                 .other_environment = (other_variable),                                            \
                 .fallback = "",                                                                   \
                 .rule = ANY_TEXT,                                                                 \
                 .secret = true,                                                                   \
                 .says = (says_)}

const struct section_spec section_specs[] = {
    {"store", "The store, and how it is written."},
    {"cache",
     "What a program that keeps a store open holds in memory. There is one cache of episodes, "
     "one of patterns, one of queries, and a limit of each."},
    {"remote",
     "How a server is reached: that of a store behind a server, and that of the remote of a "
     "synced store."},
    {"sqlite", "Stores of file: URLs."},
    {"sync",
     "The remote of a store that is a plain path. Token, certificates and time limits are those "
     "of [remote]."},
    {"log", "What the library tells while it works; docs/logging.md describes it."},
    {"metrics", "What is measured; docs/metrics.md describes it."},
    {"output", "What is printed."},
    {NULL, NULL},
};

const struct setting_spec setting_specs[SETTING_COUNT] = {
    ROW(SETTING_STORE, "store", "url", "MNEME_STORE", "--store", NULL, ANY_FILE,
        .says =
            "The store: a path, file:PATH for SQLite, libsql://HOST or https://HOST for a server."),
    STORE_ROW(SETTING_DURABILITY, "durability", "DURABILITY", "sync",
              {.type = VALUE_CHOICE, .choices = "sync|batch|relaxed"},
              .says = "When a write returns: sync, when it is on disk; batch, when its group is; "
                      "relaxed, at once, and the group follows within batch_interval_ms."),
    STORE_ROW(SETTING_COMPRESSION, "compression", "COMPRESSION", "dictionary",
              {.type = VALUE_CHOICE, .choices = "dictionary|zstd|lz4|gzip|none"},
              .says = "How bodies are compressed from now on; dictionary is zstd with dictionaries "
                      "that are trained from what is stored."),
    STORE_ROW(SETTING_COMPRESSION_LEVEL, "compression_level", "COMPRESSION_LEVEL", "0",
              {.type = VALUE_WHOLE, .min = 0, .max = 19},
              .says =
                  "How hard compression tries, of gzip at most 9; 0 is 3 for zstd and 6 for gzip."),
    STORE_ROW(SETTING_BATCH_OPERATIONS, "batch_operations", "BATCH_OPERATIONS", "100",
              {.type = VALUE_WHOLE, .min = 1, .max = 65536},
              .says = "A group of queued writes is committed at this many operations."),
    STORE_ROW(SETTING_BATCH_INTERVAL_MS, "batch_interval_ms", "BATCH_INTERVAL_MS", "100",
              {.type = VALUE_WHOLE, .min = 1, .max = 60000},
              .says = "A group of queued writes is committed at the latest after this long."),
    ROW(SETTING_CACHE, "cache", "enabled", "MNEME_CACHE", "--no-cache", "on", ON_OR_OFF,
        .says = "Whether there are caches at all."),
    CACHE_ROW(SETTING_CACHE_FILL_BY_WRITES, "fill_by_writes", "_FILL_BY_WRITES", "on", ON_OR_OFF,
              .says = "Whether what is written is kept in the caches, too, or only what is read."),
    CACHE_ROW(SETTING_CACHE_ACCESS_WEIGHT, "access_weight", "_ACCESS_WEIGHT", "0.6", CACHE_WEIGHT,
              .says = "How much it counts for the life of an entry how often it was read."),
    CACHE_ROW(SETTING_CACHE_RECENCY_WEIGHT, "recency_weight", "_RECENCY_WEIGHT", "0.4",
              CACHE_WEIGHT,
              .says = "How much it counts for the life of an entry how lately it was read; not "
                      "both weights may be 0."),
    CACHE_ROWS(MNEME_CACHE_EPISODES, "episodes", "EPISODES", "32 MiB", "10000",
               "episodes, with their steps and checkpoints"),
    CACHE_ROWS(MNEME_CACHE_PATTERNS, "patterns", "PATTERNS", "24 MiB", "10000",
               "patterns, heuristics, relations and embeddings"),
    CACHE_ROWS(MNEME_CACHE_QUERIES, "queries", "QUERIES", "8 MiB", "1000", "what listings found"),
    SECRET_ROW(SETTING_TOKEN, "token", "MNEME_TOKEN", "TURSO_AUTH_TOKEN",
               "The token of the server; taken from the environment only, and never printed."),
    ROW(SETTING_TOKEN_FILE, "remote", "token_file", "MNEME_TOKEN_FILE", "--token-file", "",
        ANY_FILE, .says = "A file with the token, which only you may read (mode 0600)."),
    SECRET_ROW(SETTING_BASIC, "basic", "MNEME_BASIC", NULL,
               "user:password for a server that wants those; taken from the environment only, and "
               "never printed."),
    REMOTE_ROW(SETTING_REPLICA_URL, "replica_url", "REPLICA_URL", "", ANY_TEXT,
               .says = "A replica that reads go to; when it does not answer or lags behind, they "
                       "go to the store itself."),
    REMOTE_ROW(SETTING_NAMESPACE, "namespace", "NAMESPACE", "", ANY_TEXT,
               .says = "The namespace, of a server with several; empty is what the server makes of "
                       "the host name."),
    REMOTE_ROW(
        SETTING_ENCODING, "encoding", "ENCODING", "auto",
        {.type = VALUE_CHOICE, .choices = "auto|json|protobuf"},
        .says =
            "How requests are encoded; auto is protobuf where the server offers it, else JSON."),
    REMOTE_ROW(SETTING_STREAMS, "streams", "STREAMS", "on", ON_OR_OFF,
               .says = "Whether the server keeps its database open for us between reads that "
                       "follow each other."),
    REMOTE_ROW(SETTING_PLAIN_HTTP, "allow_plain_http", "ALLOW_PLAIN_HTTP", "off", ON_OR_OFF,
               .says = "Whether http:// is allowed to other machines than this one; everything "
                       "then goes unencrypted."),
    REMOTE_ROW(SETTING_CA_FILE, "ca_file", "CA_FILE", "", ANY_FILE,
               .says = "Certificates to trust instead of the system's, as PEM."),
    REMOTE_NUMBER(SETTING_POOL_MIN, "pool_min", "POOL_MIN", "0", 0, 1000,
                  "Connections that are kept though they are idle."),
    REMOTE_NUMBER(SETTING_POOL_MAX, "pool_max", "POOL_MAX", "8", 1, 1000, "Connections at most."),
    REMOTE_NUMBER(SETTING_POOL_IDLE_MS, "pool_idle_ms", "POOL_IDLE_MS", "30000", 1, DAY_MS,
                  "An idle connection is closed after this long."),
    REMOTE_NUMBER(SETTING_POOL_AGE_MS, "pool_age_ms", "POOL_AGE_MS", "600000", 1, DAY_MS,
                  "A connection is not used for longer than this."),
    REMOTE_NUMBER(SETTING_ACQUIRE_MS, "acquire_ms", "ACQUIRE_MS", "10000", 1, DAY_MS,
                  "The longest wait for a free connection."),
    REMOTE_NUMBER(SETTING_CONNECT_MS, "connect_ms", "CONNECT_MS", "5000", 1, DAY_MS,
                  "The longest wait for a new connection, TLS included."),
    REMOTE_NUMBER(SETTING_TIMEOUT_MS, "timeout_ms", "TIMEOUT_MS", "30000", 1, DAY_MS,
                  "The longest that a request may take with all its attempts and pauses."),
    REMOTE_NUMBER(SETTING_STALL_MS, "stall_ms", "STALL_MS", "10000", 1, DAY_MS,
                  "An attempt is given up when no byte has moved for so long."),
    REMOTE_NUMBER(SETTING_ATTEMPTS, "attempts", "ATTEMPTS", "5", 1, 100,
                  "Attempts of one request at most."),
    REMOTE_NUMBER(SETTING_BREAKER_FAILURES, "breaker_failures", "BREAKER_FAILURES", "5", 1, 1000,
                  "After so many failures in a row requests fail at once."),
    REMOTE_NUMBER(
        SETTING_BREAKER_OPEN_MS, "breaker_open_ms", "BREAKER_OPEN_MS", "500", 1, DAY_MS,
        "How long requests fail at once before the server is tried again; longer each time."),
    REMOTE_NUMBER(SETTING_REFRESH_MS, "refresh_ms", "REFRESH_MS", "1000", 1, DAY_MS,
                  "How often the server is asked what others wrote; so old may what is read be."),
    SQLITE_NUMBER(SETTING_SQLITE_CONNECTIONS, "connections", "CONNECTIONS", "8", 1, 1000,
                  "Connections to the file that are kept open."),
    SQLITE_NUMBER(SETTING_SQLITE_STATEMENTS, "statements", "STATEMENTS", "64", 1, 10000,
                  "Statements that each connection keeps prepared."),
    SQLITE_NUMBER(SETTING_SQLITE_BUSY_MS, "busy_ms", "BUSY_MS", "10000", 1, DAY_MS,
                  "The longest wait for other writers."),
    ROW(SETTING_SYNC_URL, "sync", "url", "MNEME_REMOTE", "--remote", "", ANY_TEXT,
        .says =
            "The remote to sync with: libsql://HOST, https://HOST, or file:PATH; empty is none."),
    ROW(SETTING_SYNC_NAME, "sync", "name", "MNEME_SYNC_NAME", NULL, "", ANY_TEXT,
        .says = "The name of this machine, for people; empty is its host name."),
    ROW(SETTING_SYNC_ONLY, "sync", "only", "MNEME_SYNC_ONLY", NULL, "", ANY_TEXT,
        .says = "Share only records with these attributes, NAME=VALUE with commas between them; of "
                "values of one name one must fit."),
    SYNC_NUMBER(SETTING_SYNC_POLL_MS, "poll_ms", "POLL_MS", "250", 1, DAY_MS,
                "The shortest pause between looks for what others wrote."),
    SYNC_NUMBER(SETTING_SYNC_POLL_MAX_MS, "poll_max_ms", "POLL_MAX_MS", "30000", 1, DAY_MS,
                "The longest such pause, which it grows to while nothing happens."),
    SYNC_NUMBER(SETTING_SYNC_PUSH_MAX, "push_max", "PUSH_MAX", "100", 1, 1000,
                "Records that one request takes at most."),
    SYNC_NUMBER(SETTING_SYNC_GATHER_MS, "gather_ms", "GATHER_MS", "100", 1, 60000,
                "So long after a push a write waits at most for others to go with it."),
    SYNC_NUMBER(SETTING_SYNC_KEEP_DAYS, "keep_days", "KEEP_DAYS", "90", 1, 36500,
                "How long a delete is remembered for machines that are away."),
    SYNC_NUMBER(SETTING_SYNC_LEASE_MS, "lease_ms", "LEASE_MS", "30000", 100, DAY_MS,
                "After this long a process that died is no longer waited for."),
    ROW(SETTING_LOG_LEVEL, "log", "level", "MNEME_LOG", "--log", "off", ANY_TEXT,
        .says = "What is logged, and of which layer: off, error, warn, info, debug or trace, or "
                "LAYER=LEVEL with commas between them."),
    ROW(SETTING_LOG_FORMAT, "log", "format", "MNEME_LOG_FORMAT", NULL, "logfmt",
        {.type = VALUE_CHOICE, .choices = "logfmt|json"}, .says = "How a line of the log looks."),
    ROW(SETTING_METRICS, "metrics", "enabled", "MNEME_METRICS", NULL, "on", ON_OR_OFF,
        .says =
            "Whether operations are counted and timed, for this process and for others to see."),
    ROW(SETTING_SLOW_MS, "metrics", "slow_ms", "MNEME_SLOW_MS", NULL, "100",
        {.type = VALUE_WHOLE, .min = 1, .max = DAY_MS},
        .says = "An operation that takes longer is kept for `mneme stats slow`."),
    ROW(SETTING_COLOR, "output", "color", "NO_COLOR", "--no-color", "auto",
        {.type = VALUE_CHOICE, .choices = "auto|never"},
        .says = "Whether a terminal gets colours; NO_COLOR with any value is never."),
};
