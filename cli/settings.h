/*
 * settings.h - what the user has configured, and where each value came from.
 *
 * Precedence, highest first: option of the command line, environment, the user's file
 * ($XDG_CONFIG_HOME/mneme/config.ini), the machine's (mneme/config.ini in $XDG_CONFIG_DIRS, as
 * a rule /etc/xdg), default. settings_table.c is the list of all settings.
 */
#ifndef MNEME_CLI_SETTINGS_H
#define MNEME_CLI_SETTINGS_H

#include "mneme/mneme.h"
#include "pool.h"
#include "value.h"

/* The settings that each cache has. */
enum cache_setting {
    CACHE_USED,
    CACHE_BYTES,
    CACHE_ENTRIES,
    CACHE_TTL_S,
    CACHE_TTL_MIN_S,
    CACHE_TTL_MAX_S,
    CACHE_SETTING_COUNT
};

enum setting {
    SETTING_STORE,
    SETTING_DURABILITY,
    SETTING_COMPRESSION,
    SETTING_COMPRESSION_LEVEL,
    SETTING_BATCH_OPERATIONS,
    SETTING_BATCH_INTERVAL_MS,
    SETTING_CACHE,
    SETTING_CACHE_FILL_BY_WRITES,
    SETTING_CACHE_ACCESS_WEIGHT,
    SETTING_CACHE_RECENCY_WEIGHT,
    SETTING_CACHES, /* here begin those of each cache, in the order of mneme_cache_id */
    SETTING_TOKEN = SETTING_CACHES + (int)MNEME_CACHE_COUNT * (int)CACHE_SETTING_COUNT,
    SETTING_TOKEN_FILE,
    SETTING_BASIC,
    SETTING_REPLICA_URL,
    SETTING_NAMESPACE,
    SETTING_ENCODING,
    SETTING_STREAMS,
    SETTING_PLAIN_HTTP,
    SETTING_CA_FILE,
    SETTING_POOL_MIN,
    SETTING_POOL_MAX,
    SETTING_POOL_IDLE_MS,
    SETTING_POOL_AGE_MS,
    SETTING_ACQUIRE_MS,
    SETTING_CONNECT_MS,
    SETTING_TIMEOUT_MS,
    SETTING_STALL_MS,
    SETTING_ATTEMPTS,
    SETTING_BREAKER_FAILURES,
    SETTING_BREAKER_OPEN_MS,
    SETTING_REFRESH_MS,
    SETTING_SQLITE_CONNECTIONS,
    SETTING_SQLITE_STATEMENTS,
    SETTING_SQLITE_BUSY_MS,
    SETTING_SYNC_URL,
    SETTING_SYNC_NAME,
    SETTING_SYNC_ONLY,
    SETTING_SYNC_POLL_MS,
    SETTING_SYNC_POLL_MAX_MS,
    SETTING_SYNC_PUSH_MAX,
    SETTING_SYNC_GATHER_MS,
    SETTING_SYNC_KEEP_DAYS,
    SETTING_SYNC_LEASE_MS,
    SETTING_LOG_LEVEL,
    SETTING_LOG_FORMAT,
    SETTING_METRICS,
    SETTING_SLOW_MS,
    SETTING_COLOR,
    SETTING_COUNT
};
#define SETTING_OF_CACHE(id, which)                                                                \
    ((enum setting)((int)SETTING_CACHES + (int)(id) * (int)CACHE_SETTING_COUNT + (int)(which)))

struct setting_spec {
    const char *section; /* in the file */
    const char *key;
    const char *environment; /* variable */
    const char *option;      /* of the command line, or NULL */
    const char *fallback;    /* NULL: mneme_default_store */
    struct value_rule rule;
    const char *says;              /* one sentence */
    const char *other_environment; /* a variable that is looked at when the first is not set */
    bool secret;                   /* taken from the environment only, and printed as "***" */
};
extern const struct setting_spec setting_specs[SETTING_COUNT];

/* The sections in the order of the table, and what their settings are about. */
struct section_spec {
    const char *name; /* NULL ends the table */
    const char *says;
};
extern const struct section_spec section_specs[];

struct settings {
    struct pool *pool;
    const char *values[SETTING_COUNT];  /* NULL only when there is no default store */
    const char *origins[SETTING_COUNT]; /* "default", "file /etc/xdg/mneme/config.ini:3", … */
};

/* Defaults, files and environment. MNEME_INVALID names the file and line, or the variable, or
 * settings that do not go together. */
int settings_load(struct settings *settings, struct pool *pool, mneme_error *error);

/* What may be shown of a value: "***" for a secret, and a URL without what could be one. */
const char *settings_shown(const struct settings *settings, enum setting setting);

/* Set one value; what was there before is overruled. */
int settings_set(struct settings *settings, enum setting setting, const char *value,
                 const char *origin, const char *name, mneme_error *error);

/*
 * Read the text of a configuration file; `path` is only for messages. On an error the settings
 * before the bad line are in effect already, so the caller gives up on them altogether.
 */
int settings_parse(struct settings *settings, mneme_text text, const char *path,
                   mneme_error *error);

#endif
