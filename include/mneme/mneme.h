/*
 * mneme.h - the public interface of mneme, a local-first episodic memory store for agents.
 *
 * What it is. Open a store, record what agents do, read it back. This is the only header an
 * application includes.
 *
 * Model. A store holds records (types.h). Writes are batches, each all or nothing. Reads hand
 * out immutable snapshots that stay valid until they are released.
 *
 * Threads. A `mneme` handle may be used by any number of threads at once. Several processes may
 * open one file at once. Within one process opening the same file twice gives two handles that
 * share one environment. A handle must not be used in a child after fork(): calls there return
 * MNEME_FORKED; open a new handle in the child instead.
 *
 * Errors. 0 or a negative mneme_status; see error.h. A failed call changes neither the store
 * nor its output parameters. Besides what a call lists, every call may return MNEME_INVALID
 * (a NULL or out-of-range argument), MNEME_NO_MEMORY, MNEME_IO, MNEME_CORRUPT (what was read
 * does not match its checksum) and MNEME_FORKED. Calls that write may return MNEME_NO_SPACE,
 * MNEME_PERMISSION, MNEME_LOCKED when a stopped process pins old data (see max_stale_bytes), and
 * MNEME_NOT_FOUND when the file was deleted or replaced while it was open.
 *
 * Remote stores. Every call that reads or writes one may return, too: MNEME_UNAVAILABLE (the
 * server cannot be reached, or nothing was done there: try again later), MNEME_UNAUTHORIZED (no
 * token, or one that is not taken) and, from calls that write, MNEME_UNCERTAIN: no answer came, so
 * the write may be there or not. Read to learn which, or write again what may be written twice:
 * records that carry their ids. docs/remote.md tells more.
 *
 * Logging. Off, unless the variable MNEME_LOG or mneme_log_set (log.h) say otherwise.
 *
 * Limits. A text: 16 MiB. A record, encoded: 64 MiB. JSON: 64 levels deep. A tag, a metadata
 * name: 1 to 1,024 bytes. A batch: 65,536 records.
 */
#ifndef MNEME_MNEME_H
#define MNEME_MNEME_H

#include "mneme/error.h"
#include "mneme/log.h"
#include "mneme/metrics.h"
#include "mneme/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MNEME_VERSION_MAJOR 0
#define MNEME_VERSION_MINOR 1
#define MNEME_VERSION_PATCH 0

/* "0.1.0"; the version of the library that runs, not of the header. */
MNEME_API const char *mneme_version_text(void);

/* ---- Opening --------------------------------------------------------------------------- */

typedef struct mneme mneme;

typedef enum mneme_compression {
    MNEME_COMPRESS_DEFAULT = 0, /* zstd with trained dictionaries */
    MNEME_COMPRESS_NONE = 1,
    MNEME_COMPRESS_LZ4 = 2,
    MNEME_COMPRESS_GZIP = 3,
    MNEME_COMPRESS_ZSTD = 4 /* without dictionaries */
} mneme_compression;

/*
 * The caches of a handle. Records and lists that were read are kept in memory, decoded, and handed
 * out again as long as they are true: a commit of this or of another process is seen by the next
 * call.
 */
typedef enum mneme_cache_id {
    MNEME_CACHE_EPISODES = 0, /* episodes, steps and checkpoints */
    MNEME_CACHE_PATTERNS = 1, /* patterns, heuristics, relations and embeddings */
    MNEME_CACHE_QUERIES = 2,  /* which records a listing found, in which order */
    MNEME_CACHE_COUNT = 3
} mneme_cache_id;

/* Of one cache. 0 is the default. */
typedef struct mneme_cache_limits {
    bool off;
    uint64_t bytes;     /* 32 MiB for episodes, 24 MiB for patterns, 8 MiB for queries */
    uint64_t entries;   /* 10,000; for queries 1,000 */
    uint32_t ttl_s;     /* seconds that an entry lives at first: 300; it grows with the times it */
    uint32_t ttl_min_s; /* … is read, and shrinks as it is not, between these two: */
    uint32_t ttl_max_s; /* … 60 and 3,600. ARCHITECTURE.md has the formula */
} mneme_cache_limits;

typedef struct mneme_cache_options {
    bool off;               /* none of them */
    bool no_fill_by_writes; /* keep what is read, but not what is written */
    double access_weight;   /* of how often an entry was read, in its time to live; and … */
    double recency_weight;  /* … of how lately. Both 0: 0.6 and 0.4 */
    mneme_cache_limits limits[MNEME_CACHE_COUNT];
} mneme_cache_options;

/* How requests and answers of a server are written. */
typedef enum mneme_encoding {
    MNEME_ENCODING_AUTO = 0, /* protobuf where the server offers it, else JSON */
    MNEME_ENCODING_JSON = 1,
    MNEME_ENCODING_PROTOBUF = 2
} mneme_encoding;

/*
 * Of stores behind a server, and, the last three, of "file:" stores. 0 or NULL is the default,
 * which stands behind each. Texts are copied by mneme_open, or used up by it. The library reads
 * no variable of the environment for them, and no text of it ever shows a secret.
 */
typedef struct mneme_remote_options {
    const char *token;       /* sent as "Authorization: Bearer TOKEN"; NULL: none */
    const char *token_file;  /* has the token: a plain file of ours that only we may read (0600) */
    const char *basic;       /* "user:password" instead of a token */
    const char *replica_url; /* reads go there, and fall back to the store's own URL; NULL: none */
    const char *name_space;  /* of a server with several; NULL: what it makes of the host name */
    mneme_encoding encoding;
    bool allow_plain_http; /* http:// to other hosts than this one; everything goes unencrypted */
    const char *ca_file;   /* certificates to trust instead of the system's; NULL: the system's */
    bool no_streams;       /* the server keeps nothing open between reads that follow each other,
                              and so opens its database anew for each */
    uint32_t pool_min;     /* connections that are kept though idle: 0 */
    uint32_t pool_max;     /* connections at most: 8 */
    uint32_t pool_idle_ms; /* an idle one is closed after this: 30,000 */
    uint32_t pool_age_ms;  /* one is not used for longer than this: 600,000 */
    uint32_t acquire_ms;   /* wait for a free connection at most: 10,000 */
    uint32_t connect_ms;   /* wait for a new one, TLS included: 5,000 */
    uint32_t timeout_ms;   /* a request with all its attempts and pauses: 30,000 */
    uint32_t stall_ms;     /* give up an attempt when no byte moves for so long: 10,000 */
    uint32_t attempts;     /* of one request: 5 */
    uint32_t breaker_failures; /* after so many in a row requests fail at once: 5 */
    uint32_t breaker_open_ms;  /* … for this long, longer each time: 500 */
    uint32_t refresh_ms;       /* how often the server is asked what others wrote: 1,000 */
    uint32_t connections;      /* "file:": kept open: 8 */
    uint32_t statements;       /* "file:": kept prepared by each connection: 64 */
    uint32_t busy_ms;          /* "file:": wait for other writers at most: 10,000 */
} mneme_remote_options;

/* Who talks to the remote that a store is synced with. */
typedef enum mneme_sync_mode {
    MNEME_SYNC_BACKGROUND = 0, /* a thread of the handle, for as long as it is open */
    MNEME_SYNC_MANUAL = 1      /* mneme_sync does, when it is called */
} mneme_sync_mode;

/*
 * Of a store that is a plain path, and its remote; docs/sync.md tells what that means. 0 or NULL is
 * the default. Token, replica, TLS, time limits and the rest are those of mneme_options.remote.
 */
typedef struct mneme_sync_options {
    const char *url;  /* libsql://, https://, http://, or file: for an SQLite file; NULL: none */
    const char *name; /* of this machine, for people: at most 63 bytes; NULL: its host name */
    mneme_sync_mode mode;
    /* Which records begin to be shared: those that meet one row of each name that stands here.
     * Names: "kind", and those of mneme_query.where. None: all. Copied. */
    const mneme_pair *only;
    size_t only_count;
    uint32_t poll_ms;     /* least pause between looks for what others wrote: 250 … */
    uint32_t poll_max_ms; /* … and the longest, which it grows to while nothing happens: 30,000 */
    uint32_t push_max;    /* records a request at most: 100 */
    uint32_t gather_ms;   /* so long after a push a write waits at most for others to go with it:
                             100. Not at all when none went lately */
    uint32_t keep_days;   /* how long a delete is remembered for those who are away: 90 */
    uint32_t lease_ms;    /* after this long a process that died is no longer waited for: 30,000 */
} mneme_sync_options;

/* Zero-initialise, set `size` and what differs from the default. */
typedef struct mneme_options {
    size_t size;                    /* sizeof(mneme_options) */
    bool must_exist;                /* do not create: MNEME_NOT_FOUND when there is no store */
    bool read_only;                 /* every write returns MNEME_PERMISSION */
    mneme_compression compression;  /* of what is written from now on */
    int compression_level;          /* 1 to 19 (gzip 1 to 9); 0: 3 for zstd, 6 for gzip */
    uint32_t compression_min_bytes; /* without a dictionary, shorter bodies stay raw; 0: 1,024 */
    bool no_training;               /* never train dictionaries by itself */
    uint32_t batch_operations;      /* commit a group at this many operations; 0: 100 */
    uint32_t batch_interval_ms;     /* … or after this long; 0: 100 */
    uint32_t queue_operations;      /* writers wait when more are queued; 0: 4,096 */
    uint64_t max_stale_bytes;       /* refuse writes when a stopped reader pins more; 0: 1 GiB */
    bool allow_network_filesystem;  /* default: refuse NFS, CIFS, 9p and FUSE stores */
    mneme_cache_options cache;
    mneme_remote_options remote;
    mneme_sync_options sync;
    bool no_metrics;  /* measure nothing; what others do can be looked at all the same: metrics.h */
    uint64_t slow_us; /* an operation that takes longer is kept as a slow one; 0: 100,000 */
} mneme_options;

/*
 * Open the store at `url`:
 *   memory.mdb                  a path: mneme's own file, on LMDB
 *   file:memory.db              an SQLite file, also file:///data/memory.db
 *   libsql://host, https://…    a server that speaks Hrana: Turso Cloud, sqld; http:// only to this
 *                               machine, unless allow_plain_http
 *   mem:                        a store in memory that ends with its handle
 * A new file is made with mode 0600, its missing directories with 0700; in a server's database the
 * tables are made. `options` may be NULL. The handle goes to *out; close it once.
 *
 * With options.sync.url the store is synced with that remote; nothing here waits for it, and
 * whether it can be reached is no matter (mneme_sync_status_get tells).
 *
 * MNEME_INVALID: the path is a directory, a symbolic link or something else that is not a plain
 * file; the URL has a scheme this build does not know, or a secret in it; an option is wrong; a
 * remote for what is not a plain path.
 * MNEME_NOT_FOUND: must_exist and it does not. MNEME_PERMISSION: not readable or writable.
 * MNEME_CORRUPT: not a mneme store, empty, or truncated. MNEME_NEWER_FORMAT: made by a newer
 * version; the file is left untouched. MNEME_UNSUPPORTED: on a network filesystem. MNEME_LOCKED:
 * too many readers at once (1,024). A server: MNEME_UNAVAILABLE, MNEME_UNAUTHORIZED,
 * MNEME_NOT_FOUND (no such database there).
 */
MNEME_API int mneme_open(const char *url, const mneme_options *options, mneme **out,
                         mneme_error *error);

/*
 * Finish every queued write, then close. NULL is allowed. What is still held stays valid until it
 * is released (with NULL for the handle). The handle is gone even when an error comes back, which
 * then says which writes did not reach the disk. No other thread may use the handle meanwhile.
 * What was not synced yet goes out when the store is opened next. A request to the remote that is
 * under way is waited for up to 2 seconds; one that takes longer is left to a thread, which ends,
 * and gives the file free, when the request does (see timeout_ms).
 */
MNEME_API int mneme_close(mneme *m, mneme_error *error);

/*
 * The path where every tool finds the user's store: $MNEME_STORE, else
 * $XDG_DATA_HOME/mneme/memory.mdb, else ~/.local/share/mneme/memory.mdb (a relative XDG value
 * is ignored, as the XDG specification says). Written with its NUL to `path`.
 * MNEME_TOO_LARGE: does not fit. MNEME_NOT_FOUND: neither variable nor HOME is set.
 */
MNEME_API int mneme_default_store(char *path, size_t size, mneme_error *error);

/* ---- Writing --------------------------------------------------------------------------- */

/* When a write is acknowledged. */
typedef enum mneme_durability {
    MNEME_SYNC = 0,   /* the call returns when the commit is on disk */
    MNEME_BATCH = 1,  /* returns a ticket at once; it resolves when its group is on disk */
    MNEME_RELAXED = 2 /* returns at once; on disk within batch_interval_ms; after a crash what
                         is there is a prefix of what was written */
} mneme_durability;

/* A promise of one MNEME_BATCH write. */
typedef uint64_t mneme_ticket;

/* How to write. NULL or all zero: MNEME_SYNC. */
typedef struct mneme_write {
    mneme_durability durability;
    mneme_ticket *ticket; /* with MNEME_BATCH: receives the ticket; required */
    bool keep_versions;   /* records carry versions (an import, a restore): a record goes in only
                             when its version is greater than what is stored; else it is passed
                             over, which is no error */
    bool only_new;        /* MNEME_CONFLICT when a record of that kind and id exists */
    bool local_only;      /* what is put never leaves this machine, now or after later writes of the
                             same record; steps and checkpoints go by their episode */
} mneme_write;

/*
 * Store `count` records, all or none. Each needs kind and as.…; its id, when zero, is made and
 * written to ids[i] (ids may be NULL; when given it has room for count). A record of the same
 * kind and id is replaced. An episode with end_us or an outcome is stored sealed, with its
 * steps inside; one without is open, and its steps become records of their own.
 * Replacing an open episode drops the steps that are not in the new one.
 *
 * MNEME_INVALID names record and field. MNEME_TOO_LARGE: see Limits. MNEME_NOT_FOUND: a step or
 * checkpoint whose episode does not exist. MNEME_CONFLICT: a step of a sealed episode, or one whose
 * id belongs, or belonged, to another episode; only_new.
 */
MNEME_API int mneme_put(mneme *m, const mneme_record *records, size_t count, const mneme_write *how,
                        mneme_id *ids, mneme_error *error);

/* Delete, all or none; MNEME_NOT_FOUND names the first that is not there. An episode's open
 * steps and its checkpoints go with it. */
MNEME_API int mneme_delete(mneme *m, mneme_kind kind, const mneme_id *ids, size_t count,
                           const mneme_write *how, mneme_error *error);

/*
 * Begin an episode: like mneme_put of one open episode without steps. Its id goes to *id (may
 * be NULL). MNEME_CONFLICT: an episode with this id exists.
 */
MNEME_API int mneme_episode_start(mneme *m, const mneme_episode *episode, const mneme_write *how,
                                  mneme_id *id, mneme_error *error);

/*
 * Append a step to an open episode. Its id goes to *id and, unless durability is MNEME_BATCH or
 * MNEME_RELAXED (then 0), its number to *number; both may be NULL. Cost does not depend on how
 * many steps there are. MNEME_NOT_FOUND: no such episode. MNEME_CONFLICT: it is completed.
 */
MNEME_API int mneme_step_append(mneme *m, const mneme_id *episode, const mneme_step *step,
                                const mneme_write *how, mneme_id *id, uint64_t *number,
                                mneme_error *error);

/* What completing adds to an episode; empty members leave what it has. */
typedef struct mneme_completion {
    mneme_outcome outcome; /* kind is required */
    mneme_reward reward;
    mneme_reflection reflection;
    const mneme_applied_pattern *applied;
    size_t applied_count;
    int64_t end_us; /* 0: now */
} mneme_completion;

/*
 * Complete an episode: set outcome and end, and seal it, its steps moving into one record in the
 * same transaction. MNEME_NOT_FOUND; MNEME_CONFLICT: it is already completed; or, of a queued one,
 * as for mneme_tag_add.
 */
MNEME_API int mneme_episode_complete(mneme *m, const mneme_id *id,
                                     const mneme_completion *completion, const mneme_write *how,
                                     mneme_error *error);

/*
 * Add or remove a tag of an episode, pattern or heuristic. Adding one that is there, or removing
 * one that is not, is no error and writes nothing. MNEME_NOT_FOUND: no such record. MNEME_CONFLICT,
 * of a queued one only: the record was written, by others or by sync, before its group was; then
 * this is to be called again.
 */
MNEME_API int mneme_tag_add(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                            const mneme_write *how, mneme_error *error);
MNEME_API int mneme_tag_remove(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                               const mneme_write *how, mneme_error *error);

/*
 * Wait until a ticket's write is on disk (0) or has failed (the write's own error). Waiting makes
 * the group commit at once, and may be repeated: the answer stays the same. timeout_ms < 0 waits
 * for ever; when the time is up: MNEME_LOCKED. MNEME_NOT_FOUND: this handle never gave the ticket.
 */
MNEME_API int mneme_ticket_wait(mneme *m, mneme_ticket ticket, int64_t timeout_ms,
                                mneme_error *error);

/* Wait until everything written before this call, on this handle, is on disk. When a RELAXED
 * write failed since the last flush, its error comes back. */
MNEME_API int mneme_flush(mneme *m, mneme_error *error);

/* ---- Reading --------------------------------------------------------------------------- */

/*
 * Read one record. *out stays valid until mneme_release, whatever is written meanwhile. An open
 * episode comes with the steps it has so far. MNEME_NOT_FOUND: not there, or deleted.
 */
MNEME_API int mneme_acquire(mneme *m, mneme_kind kind, const mneme_id *id, const mneme_record **out,
                            mneme_error *error);
MNEME_API void mneme_release(mneme *m, const mneme_record *record);

typedef enum mneme_order { MNEME_NEWEST_FIRST = 0, MNEME_OLDEST_FIRST = 1 } mneme_order;

/*
 * Which records to list. Zero-initialise and set what matters; everything that is set must
 * hold. Order is applied before limit.
 *
 * Attributes that `where` can name: "type" (task type of an episode; type of a pattern or
 * relation), "domain", "language", "framework", "outcome" ("success", "partial_success",
 * "failure", "abstained", "open"), "tag", "origin", "subject" (of an embedding or a superseded
 * edit), "kind" (of that subject), "from", "to" (of a relation), and "meta.NAME" for each metadata
 * name.
 */
typedef struct mneme_query {
    mneme_kind kind;         /* required */
    int64_t since_us;        /* time >= since_us; 0: no bound */
    int64_t until_us;        /* time < until_us; 0: no bound */
    const mneme_pair *where; /* attribute = value, at most 16; a name may repeat */
    size_t where_count;
    const mneme_id *parent;   /* steps or checkpoints of this episode, in their order */
    const uint8_t *id_prefix; /* ids that begin with these bytes, in the order of ids */
    size_t id_prefix_size;    /* bytes, at most 16 */
    mneme_order order;        /* by time, then id */
    size_t limit;             /* page size; 0: 100; at most 10,000 */
    mneme_text after;         /* `next` of the page before; empty: from the start */
} mneme_query;

/* One page of a listing. Released as a whole; the records need no release of their own. */
typedef struct mneme_page {
    const mneme_record *const *records;
    size_t count;
    mneme_text next; /* pass as `after` for the next page; empty: this was the last */
} mneme_page;

/*
 * List records, a page at a time. Pages hold no snapshot between calls; a listing sees each
 * record that is there all the while exactly once. MNEME_INVALID: unknown attribute, a parent
 * together with an id prefix, or an `after` that is damaged or belongs to another query.
 */
MNEME_API int mneme_list(mneme *m, const mneme_query *query, const mneme_page **page,
                         mneme_error *error);
MNEME_API void mneme_page_release(mneme *m, const mneme_page *page);

/* ---- The store as a whole ---------------------------------------------------------------- */

typedef struct mneme_kind_stats {
    uint64_t records;      /* live ones */
    uint64_t tombstones;   /* deleted ones that are still remembered */
    uint64_t stored_bytes; /* bodies as stored */
    uint64_t plain_bytes;  /* the same bodies before compression */
} mneme_kind_stats;

/* Of one cache, since the handle was opened; all 0 when it is off. */
typedef struct mneme_cache_stats {
    uint64_t hits, misses;  /* look-ups */
    uint64_t negative_hits; /* among the hits: known not to be there */
    uint64_t joins;         /* among the misses: shared the load of another thread */
    uint64_t admissions;    /* entries that were kept */
    uint64_t rejections;    /* loaded, but not kept: outrun by a write, or too large */
    uint64_t evictions_by_bytes, evictions_by_entries; /* by the limit that was passed */
    uint64_t expirations;
    uint64_t invalidations_by_change;  /* the record, or what the list depends on, has changed */
    uint64_t invalidations_by_flood;   /* too much changed at once to look at each */
    uint64_t invalidations_by_replace; /* a newer entry took its place */
    uint64_t bytes, entries;           /* now */
    uint64_t bytes_max, entries_max;
    uint64_t minute_hits, minute_lookups; /* of the last minute */
    uint64_t hour_hits, hour_lookups;
} mneme_cache_stats;

/* "episodes", "patterns", "queries"; NULL for an unknown one. */
MNEME_API const char *mneme_cache_name(mneme_cache_id id);

typedef enum mneme_breaker {
    MNEME_BREAKER_CLOSED = 0, /* requests go */
    MNEME_BREAKER_OPEN = 1,   /* requests fail at once, after failures in a row */
    MNEME_BREAKER_TRYING = 2  /* one request goes, to see whether the server is back */
} mneme_breaker;

/*
 * Of the server, or the SQLite file, behind a handle, since it was opened; all 0 for other stores.
 * What only a server has is 0 for a file, and the other way round.
 */
typedef struct mneme_remote_stats {
    char dialect[16];         /* "hrana": a server; "sqlite": a file; "": neither */
    uint64_t requests;        /* transactions and reads that were asked for */
    uint64_t repeats;         /* … that were run again, another writer having been in the way */
    uint64_t retries;         /* attempts over the network beyond a request's first */
    uint64_t failures;        /* requests that came to nothing */
    uint64_t retries_refused; /* … and were not tried again: too much failed lately */
    uint64_t bytes_up, bytes_down; /* on the wire, headers included */
    uint64_t connects, reuses;     /* requests on a new connection, and on one that was there */
    uint64_t closed_by_idle, closed_by_age, closed_by_failure; /* connections */
    uint64_t waits, wait_us;                   /* requests that waited for a connection; how long */
    uint64_t acquire_timeouts;                 /* … in vain */
    uint32_t open, idle, waiting, target;      /* connections now; what the pool aims at */
    mneme_breaker breaker;                     /* now */
    uint64_t breaker_opened, breaker_refused;  /* times; requests that failed at once */
    uint64_t replica_reads, replica_fallbacks; /* reads of the replica; … that had to leave it */
    uint64_t prepared, prepare_hits;           /* "sqlite": statements made ready; found ready */
    uint64_t prepare_evictions, prepare_refreshes; /* … dropped for room; for age or new tables */
} mneme_remote_stats;

/* A machine that syncs with the same remote. */
typedef struct mneme_sync_peer {
    char name[64];
    int64_t seen_us; /* when it was last there */
    uint64_t behind; /* changes that it had not taken then */
    bool self;       /* this one */
} mneme_sync_peer;

#define MNEME_SYNC_PEERS_MAX 64

/* How it stands with sync. Times are 0 when there is none. */
typedef struct mneme_sync_status {
    size_t size;                 /* sizeof(mneme_sync_status), set by the caller */
    bool shared;                 /* the store has been synced, or somebody tried to */
    char remote[512];            /* the URL */
    char phase[32];              /* "in step", "first meeting", "meeting anew", "comparing names" */
    uint64_t pending;            /* records that wait to go out; 0 before the first sync */
    uint64_t pending_bytes;      /* their bodies; of the first 10,000 */
    int64_t oldest_us;           /* when the first of them was written */
    uint64_t held, held_refused; /* records that stay here; … as the remote refused them */
    uint64_t superseded;         /* conflicts to look at */
    uint64_t cursor, head;       /* changes of the remote that were taken; that there are */
    int64_t push_us, pull_us;    /* when something last went out; when it was last looked */
    int64_t error_us;            /* since when it fails; 0: the last try went well */
    int error_code;              /* a mneme_status */
    char error_text[300];        /* a sentence */
    int64_t next_us;             /* when the next try is due */
    int64_t skew_us;             /* the remote's clock minus ours */
    uint64_t pushed, pulled, merged; /* records, since the store was first synced */
    uint64_t bytes_up, bytes_down;   /* on the wire */
    uint64_t plain_bytes;            /* what the records would have taken uncompressed */
    char worker[96];                 /* who syncs this store now; "": nobody */
    size_t peer_count;
    mneme_sync_peer peers[MNEME_SYNC_PEERS_MAX]; /* the latest first */
} mneme_sync_status;

typedef struct mneme_stats {
    size_t size;     /* sizeof(mneme_stats), set by the caller */
    char path[1024]; /* as it was opened: a path or a URL */
    uint64_t file_bytes;
    uint64_t used_bytes; /* of the file, in pages that hold data */
    uint64_t commits;    /* since the file was made */
    uint64_t readers;    /* read slots in use now */
    uint64_t changes;    /* sequence number of the last change */
    uint64_t device;     /* of this store */
    mneme_kind_stats kinds[MNEME_KIND_COUNT];
    /* Since this handle was opened: */
    uint64_t groups;              /* commits made by the group commit */
    uint64_t grouped_writes;      /* batches in them */
    uint64_t compressed_in;       /* bytes given to compression */
    uint64_t compressed_out;      /* bytes that came out */
    uint64_t compression_skipped; /* bodies stored raw */
    uint64_t dictionary_bodies;   /* bodies compressed with a dictionary */
    mneme_cache_stats caches[MNEME_CACHE_COUNT];
    mneme_remote_stats remote;
    mneme_sync_status sync;
} mneme_stats;

MNEME_API int mneme_stats_get(mneme *m, mneme_stats *stats, mneme_error *error);

/* ---- Sync -------------------------------------------------------------------------------- */

/* What a run has done so far. */
typedef struct mneme_sync_report {
    size_t size;             /* sizeof(mneme_sync_report), set by the caller */
    uint64_t pushed, pulled; /* records */
    uint64_t merged;         /* of those pulled: joined with an edit that was made here */
    uint64_t superseded;     /* edits that were overruled, and kept (mneme_conflict_resolve) */
    uint64_t held;           /* records that stay here: local ones, excluded ones, refused ones */
    uint64_t collected;      /* old deletes that were forgotten; with `collect` */
    uint64_t freed;          /* held records that were tried again; with `retry_held` */
    uint64_t cursor, head;   /* changes of the remote that were taken; that there are */
    uint64_t pending;        /* records that were waiting when the run began */
    bool waiting;            /* another process syncs this store, and is waited for */
    bool by_other;           /* … which has sent all, and goes on to look for what is new */
} mneme_sync_report;

/* How to run. NULL or all zero: once through, without waiting for another process. */
typedef struct mneme_sync_run {
    size_t size;     /* sizeof(mneme_sync_run) */
    int64_t wait_ms; /* while another process syncs this store, wait at most so long for it to be
                        done or to end; < 0: for ever */
    bool collect;    /* afterwards forget deletes older than keep_days, there and here */
    bool retry_held; /* first free what the remote refused, or what was excluded */
    /* Called after each request, or after some (16, or a second's) where there is much to move; a
       non-zero return stops with MNEME_CANCELLED. May be NULL. */
    int (*progress)(void *context, const mneme_sync_report *so_far);
    void *context;
} mneme_sync_run;

/*
 * Bring store and remote together until nothing is left to do, in either mode. *report may be NULL.
 * MNEME_INVALID: the handle has no remote. MNEME_LOCKED: another process syncs this store; its name
 * stands in the text. MNEME_UNAVAILABLE, MNEME_UNCERTAIN: the remote does not answer; nothing is
 * lost, try again later. MNEME_UNAUTHORIZED, MNEME_NOT_FOUND (no such database): other settings are
 * needed. MNEME_CANCELLED.
 */
MNEME_API int mneme_sync(mneme *m, const mneme_sync_run *run, mneme_sync_report *report,
                         mneme_error *error);

/* How it stands, from the store alone: the remote is not asked, and the handle needs none. */
MNEME_API int mneme_sync_status_get(mneme *m, mneme_sync_status *status, mneme_error *error);

/*
 * Settle a conflict: a record of kind MNEME_SUPERSEDED is deleted. With `restore` the edit that it
 * keeps is written first, as a new write, in the same batch: the record is again what it was on the
 * side that lost, an episode with the steps of both sides, one that was deleted is live again.
 * MNEME_NOT_FOUND: no such conflict. MNEME_CONFLICT: what the record belongs to is gone, or takes
 * no more steps.
 */
MNEME_API int mneme_conflict_resolve(mneme *m, const mneme_id *id, bool restore,
                                     const mneme_write *how, mneme_error *error);

/* ---- Copies and checks ---------------------------------------------------------------------- */

/*
 * Copy the store, as of one moment, to a new file at `path` while others go on writing. A copy of
 * mneme's own file is compacted; that of a "file:" store is an SQLite file, page by page, and
 * `path` may be such a URL. MNEME_CONFLICT: `path` exists.
 * MNEME_UNSUPPORTED: a store in memory, or behind a server; mneme_export writes what is in it.
 */
MNEME_API int mneme_backup(mneme *m, const char *path, mneme_error *error);

/* One thing that verify found: a sentence naming the damaged part. */
typedef void mneme_finding(void *context, const char *text);

typedef struct mneme_verify_report {
    uint64_t records; /* checked */
    uint64_t bytes;
    uint64_t findings;
} mneme_verify_report;

/*
 * Check a store file deeply: structure, every checksum, every index entry both ways, every body
 * decoded. Runs in a child process, so that damage cannot take the caller down; the file is
 * only read. `finding` (may be NULL) is called for each damage. MNEME_CORRUPT when anything was
 * found; MNEME_NOT_FOUND, MNEME_PERMISSION, MNEME_NEWER_FORMAT as for mneme_open. `path` may be a
 * "file:" URL: then SQLite checks its file, and every record is read and decoded, in this process.
 * MNEME_UNSUPPORTED: a store behind a server, or in memory; see mneme_verify_records.
 */
MNEME_API int mneme_verify(const char *path, mneme_finding *finding, void *context,
                           mneme_verify_report *report, mneme_error *error);

/*
 * Read every record of an open store, deleted ones too, and decode it; what lies under them (pages,
 * indices) is left to the store's own means. For stores behind a server. Errors as mneme_verify,
 * and as reads.
 */
MNEME_API int mneme_verify_records(mneme *m, mneme_finding *finding, void *context,
                                   mneme_verify_report *report, mneme_error *error);

/* ---- Doctor ------------------------------------------------------------------------------ */

typedef enum mneme_verdict {
    MNEME_CHECK_FINE = 0,
    MNEME_CHECK_WARNING = 1, /* works, but … */
    MNEME_CHECK_FAILED = 2
} mneme_verdict;

/* One check: what was looked at, a sentence on what was found, and the next step, or "". */
typedef struct mneme_check {
    mneme_verdict verdict;
    int code;          /* a mneme_status, when it failed */
    const char *topic; /* "settings", "store", "server", "access", "latency", "clock", … */
    const char *text;
    const char *next;
} mneme_check;

typedef void mneme_check_sink(void *context, const mneme_check *check);

typedef struct mneme_doctor_report {
    size_t size;                       /* sizeof(mneme_doctor_report), set by the caller */
    uint32_t fine, warnings, failures; /* checks */
    bool exists;                       /* there is a store of mneme's */
    bool reads, writes;                /* both are allowed */
    int64_t connect_us;                /* of a server: to connect anew, TLS included */
    int64_t latency_us;                /* … a request on a kept connection, the median of some */
    int64_t skew_us;                   /* … its clock minus ours, when it tells */
} mneme_doctor_report;

/*
 * Look at the store of `url`, as mneme_open would be given it, and say what is there, whether it
 * can be used, and if not, why, one check after the other; `sink` is called with each. Nothing is
 * made or changed: what the token may write is tried in a transaction that is rolled back.
 * Returns the code of the first check that failed, with its text; 0 when none did. *report, may be
 * NULL, is filled in either case.
 */
MNEME_API int mneme_doctor(const char *url, const mneme_options *options, mneme_check_sink *sink,
                           void *context, mneme_doctor_report *report, mneme_error *error);

/*
 * Train compression dictionaries from what is stored, where it pays (the library does so by
 * itself in the background unless no_training). *trained, may be NULL, receives how many.
 */
MNEME_API int mneme_train(mneme *m, size_t *trained, mneme_error *error);

/* ---- Text forms ------------------------------------------------------------------------- */

/* "01890a5d-ac96-774b-bcce-b302099a8057": 36 characters and a NUL. */
#define MNEME_ID_TEXT_SIZE 37
MNEME_API void mneme_id_format(const mneme_id *id, char text[MNEME_ID_TEXT_SIZE]);
/* MNEME_INVALID unless `text` is 36 characters in that form (either case) or 32 hex digits. */
MNEME_API int mneme_id_parse(mneme_text text, mneme_id *id, mneme_error *error);
/* A new UUIDv7, greater than every one this process made before. */
MNEME_API int mneme_id_make(mneme_id *id, mneme_error *error);
MNEME_API bool mneme_id_is_zero(const mneme_id *id);

/* "2026-11-21T08:02:00.000001Z" (RFC 3339, UTC, microseconds when they are not 0). */
#define MNEME_TIME_TEXT_SIZE 36
MNEME_API void mneme_time_format(int64_t time_us, char text[MNEME_TIME_TEXT_SIZE]);
/*
 * RFC 3339 date-times with any offset, plain dates (midnight UTC), "now", and ages such as "90s",
 * "15m", "36h", "7d", "2w" (that long before now). MNEME_INVALID names what was expected.
 */
MNEME_API int mneme_time_parse(mneme_text text, int64_t *time_us, mneme_error *error);

/* "episode", "pattern", …; NULL for an unknown kind. */
MNEME_API const char *mneme_kind_name(mneme_kind kind);

/* The text of a C string. */
static inline mneme_text mneme_text_of(const char *s) {
    mneme_text t = {s, 0};
    while (s && s[t.size])
        t.size++;
    return t;
}

/* A growable block of bytes that the library allocates and the caller frees. Start from {0}. */
typedef struct mneme_bytes {
    char *data;
    size_t size;
    size_t capacity;
} mneme_bytes;
MNEME_API void mneme_bytes_free(mneme_bytes *bytes);

/*
 * Append a record as one line of JSON, without the newline, to `out`: the format "jsonl" of
 * export and import, described field by field in docs/jsonl.md. Reading it back gives the same
 * record, and writing that the same bytes.
 */
MNEME_API int mneme_record_to_json(const mneme_record *record, mneme_bytes *out,
                                   mneme_error *error);

/*
 * Read one JSON object. `kind` says what it is when the object has no member "kind"
 * (MNEME_KIND_NONE: it must have one). *out is released with mneme_record_free.
 * MNEME_INVALID: names the field; not JSON, invalid UTF-8, duplicate or unknown members.
 * MNEME_TOO_LARGE: more than 64 levels, or over another limit.
 */
MNEME_API int mneme_record_from_json(mneme_text json, mneme_kind kind, const mneme_record **out,
                                     mneme_error *error);
MNEME_API void mneme_record_free(const mneme_record *record);

/* ---- Import and export -------------------------------------------------------------------- */

typedef struct mneme_progress {
    const char *file;
    uint64_t bytes_done;
    uint64_t bytes_total; /* of all files */
    uint64_t records;     /* read so far */
    uint64_t imported;
    uint64_t duplicates; /* already there: passed over */
    uint64_t rejected;   /* bad ones */
} mneme_progress;

typedef struct mneme_import_options {
    size_t size;        /* sizeof(mneme_import_options) */
    const char *format; /* "jsonl", "tau-bench", "swe-agent", "mcp-memory", "do-memory", "sqlite";
                           NULL: guessed from each file */
    unsigned threads;   /* that parse and compress; 0: 1 */
    size_t batch;       /* records a transaction; 0: 10,000, of a store behind a server 500 */
    /* Called about ten times a second and at the end; a non-zero return stops the import with
     * MNEME_CANCELLED; what went in stays. May be NULL. */
    int (*progress)(void *context, const mneme_progress *progress);
    /* Called for each bad record with a sentence naming file, record and field. May be NULL. */
    void (*rejected)(void *context, const char *text);
    void *context;
    bool local_only; /* as mneme_write.local_only */
} mneme_import_options;

/*
 * Import files. Records that are there already (the same id and version, or for foreign formats
 * the same origin, or the same id and content) are passed over, so an interrupted import is
 * finished by running it again. An SQLite file is read into a temporary one, in $TMPDIR or /tmp,
 * before the first record goes in. *total (may be NULL) receives the counts. MNEME_PARTIAL: some
 * records were bad, the rest went in. MNEME_NOT_FOUND: no such file. MNEME_INVALID: unknown format,
 * or it cannot be guessed; a database without tables that are known. MNEME_LOCKED: others keep
 * the database locked.
 */
MNEME_API int mneme_import(mneme *m, const char *const *files, size_t count,
                           const mneme_import_options *options, mneme_progress *total,
                           mneme_error *error);

/* Receives exported bytes, whole lines; a non-zero return ends the export with MNEME_CANCELLED. */
typedef int mneme_sink(void *context, const char *data, size_t size);

/*
 * Write the records of `kind` (MNEME_KIND_NONE: of every kind but dictionaries), oldest first, as
 * jsonl. An open episode's steps are part of its line. *records, may be NULL: how many.
 */
MNEME_API int mneme_export(mneme *m, mneme_kind kind, mneme_sink *sink, void *context,
                           uint64_t *records, mneme_error *error);

#ifdef __cplusplus
}
#endif
#endif
