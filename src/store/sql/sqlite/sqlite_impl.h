/*
 * sqlite_impl.h - what the files of the SQLite driver share.
 *
 * Model. A driver has a queue for those who write and one for connections. Who writes first waits
 * for his turn, holding nothing, and then for a connection; so at most one connection of a driver
 * asks SQLite for the write lock, the others are free for readers, and two connections of one
 * driver never wait for each other. Against other processes (and other drivers of this one) the
 * busy handler waits.
 *
 * Invariants
 *   1. A connection that is idle has no transaction open and no statement that was not reset.
 *   2. Connections, idle and in use together, are at most `connections`.
 *   3. No file of a database is opened and closed here but by SQLite: closing any descriptor of a
 *      file drops the POSIX locks that this process has on it (fcntl(2)), those of SQLite too.
 *      Paths are only looked at (lstat, access).
 *   4. After fork() a child leaves everything that it inherited as it is.
 */
#ifndef MNEME_STORE_SQLITE_IMPL_H
#define MNEME_STORE_SQLITE_IMPL_H

#include <sqlite3.h>

#include "os/os.h"
#include "store/place.h"
#include "store/sql/sqlite.h"

/* ---- Prepared statements -------------------------------------------------------------------- */

/* Where time goes; of one use of a connection. */
struct sqlite_tally {
    uint64_t programs, repeats, prepared, hits, evictions, refreshes;
    int64_t prepare_us;
};

struct sqlite_statement {
    sqlite3_stmt *handle;
    struct sqlite_statement *newer, *older; /* by last use */
    struct sqlite_statement *next;          /* of the same bucket */
    uint64_t hash;
    int64_t prepared_us;
    size_t size;
    char text[];
};

/*
 * Statements by their text. `count` of them hang in the buckets by their hash, and in one list by
 * their last use. Two texts at different times may lie at the same address, so the address says
 * nothing, and a text is always hashed and compared: some 30 ns for one of 200 bytes.
 */
struct sqlite_statements {
    struct sqlite_statement **buckets;
    size_t mask; /* buckets - 1, which is a power of two less one */
    struct sqlite_statement *newest, *oldest;
    size_t count, max;
    int64_t refresh_us;
};

struct sqlite_connection;

int sqlite_statements_init(struct sqlite_statements *s, uint32_t max, int64_t refresh_us);
/* Tolerant of {0}. */
void sqlite_statements_fini(struct sqlite_statements *s);
/*
 * The statement with this text, prepared; it is now the last used. Returns an SQLite code; then the
 * reason is *why or, when that is NULL, what the connection has to say.
 */
int sqlite_statements_get(struct sqlite_connection *c, struct slice sql, int64_t now_us,
                          struct sqlite_statement **out, const char **why);
/* After a statement was used and reset, with what its step said: if SQLite had to prepare it
 * again, or could not, see whether the schema is another one, and drop all the others then. */
void sqlite_statements_used(struct sqlite_connection *c, struct sqlite_statement *used, int rc,
                            int64_t now_us);

/* ---- Connections ---------------------------------------------------------------------------- */

struct sqlite_connection {
    sqlite3 *db;
    struct sqlite_driver *driver;
    struct sqlite_connection *next; /* among the idle */
    sqlite3_stmt *begin, *commit, *rollback, *schema;
    struct sqlite_statements statements;
    struct sqlite_tally tally;
    struct buf values; /* of the statement that runs, an array of sql_value */
    int schema_version;
    uint32_t page_size;
    int64_t busy_until_us; /* the busy handler waits no longer than this */
    int64_t waited_us;     /* in its pauses, in this use */
    int64_t used_us;       /* running programs, in this use */
    uint64_t random;
    int wal_patience; /* frames of the log at which its restart is tried (again) */
    bool broken;      /* close it after this use */
};

/* Open a database without its settings. *db is to be closed in any case. */
int sqlite_open(const char *path, bool writable, sqlite3 **db, const char *doing,
                mneme_error *error);
/* Open one, and check that it is the driver's file. */
int sqlite_connection_open(struct sqlite_driver *driver, int64_t deadline_us,
                           struct sqlite_connection **out, mneme_error *error);
void sqlite_connection_close(struct sqlite_connection *c);
/* Sleep a random time that grows with `attempt`, not past busy_until_us; false: it has passed. */
bool sqlite_connection_pause(struct sqlite_connection *c, int attempt);

/* ---- The driver ----------------------------------------------------------------------------- */

/* So many may be inside at once; the others wait in the order of their coming. */
struct sqlite_gate {
    uint32_t free;
    struct sqlite_waiter *first, *last;
};

struct sqlite_driver {
    struct sql_driver base;
    char *path;          /* absolute, for a connection may be opened after a chdir() */
    unsigned generation; /* of the process that opened it */
    bool read_only;      /* programs that write are refused */
    bool writable;       /* the file may be written, so SQLite may open it so */
    uint32_t statements; /* a connection */
    int64_t refresh_us, busy_us;
    uint64_t device, inode;     /* of the file */
    _Atomic int64_t seen_us;    /* when it was last seen at its path */
    struct sqlite_driver *next; /* of the open ones of this process */

    struct lock lock; /* RANK_SQL; guards what follows */
    struct sqlite_gate turn, connections;
    struct sqlite_connection *idle; /* the last used first: its caches are warm */
    struct sql_counters counters;
};

static inline struct sqlite_driver *sqlite_driver_of(struct sql_driver *driver) {
    return (struct sqlite_driver *)(void *)driver;
}

/* MNEME_FORKED in a child of the process that opened it. */
int sqlite_driver_check(const struct sqlite_driver *driver, mneme_error *error);

/* Wait for the turn (if `writes`) and a connection. *now_us is moved on when that took time.
 * MNEME_LOCKED: not by the deadline. */
int sqlite_pool_acquire(struct sqlite_driver *driver, bool writes, int64_t deadline_us,
                        int64_t *now_us, struct sqlite_connection **out, mneme_error *error);
/* Give both back; NULL: there is no connection to give. */
void sqlite_pool_release(struct sqlite_driver *driver, bool writes, struct sqlite_connection *c);

/* Run a program on a connection until busy_until_us. */
int sqlite_program_run(struct sqlite_connection *c, const struct sql_program *program,
                       int64_t now_us, struct sql_results *results, mneme_error *error);

int sqlite_backup(struct sql_driver *driver, const char *path, mneme_error *error);

/* ---- Files ---------------------------------------------------------------------------------- */

/* Check the path, and make the database if there is none and that is wanted. */
int sqlite_file_prepare(const char *path, const struct sqlite_options *options,
                        struct path_info *info, bool *writable, mneme_error *error);
/* With a connection open: MNEME_CORRUPT when the file ends within a page. */
int sqlite_file_check_whole(const struct sqlite_driver *driver, uint32_t page_size,
                            mneme_error *error);
/* MNEME_NOT_FOUND when the driver's file is not at its path any more. Looked for before every write
 * and, as that costs a quarter of a short read, ten times a second among reads. */
int sqlite_file_check(struct sqlite_driver *driver, int64_t now_us, bool writes,
                      mneme_error *error);
/* Make an empty database of mode 0600 at this path, which must not be there. */
int sqlite_file_create(const char *path, mneme_error *error);
/* Remove a database of ours that got no name, with its journals. */
void sqlite_file_discard(const char *path);

/* ---- SQLite's codes ------------------------------------------------------------------------- */

/* Whether a code says that somebody else is in the way, so that the program may be run again. */
bool sqlite_code_again(int rc);
/* Whether it is about the file, the disk or memory, so that nothing more can be done in this run.
 */
bool sqlite_code_fatal(int rc);
/* The one border for SQLite's (extended) codes; `db` (may be NULL) knows the errno behind some. */
int sqlite_status(sqlite3 *db, int rc);
/* Fill *error from a code: "doing: SQLite's text", and the next step; returns the status. The
 * text is `why` or, when that is NULL, what the connection has to say. */
int sqlite_fail(mneme_error *error, sqlite3 *db, int rc, const char *why, const char *doing,
                const char *path);

#endif
