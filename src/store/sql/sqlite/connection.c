/*
 * connection.c - one connection to the database: its settings, its waiting, its log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store/sql/sqlite/sqlite_impl.h"

/* ---- Waiting for others --------------------------------------------------------------------- */

static const int64_t PAUSE_FIRST_US = 200, PAUSE_MAX_US = 20000;

/* xorshift64 (Marsaglia 2003); only spreads the pauses. */
static uint64_t next_random(struct sqlite_connection *c) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

bool sqlite_connection_pause(struct sqlite_connection *c, int attempt) {
    int64_t now = clock_monotonic_us(), left = c->busy_until_us - now;
    if (left <= 0)
        return false;
    int64_t most = attempt < 7 ? PAUSE_FIRST_US << attempt : PAUSE_MAX_US;
    int64_t pause = most / 2 + (int64_t)(next_random(c) % (uint64_t)(most / 2));
    if (pause > left)
        pause = left;
    nanosleep(&(struct timespec){.tv_nsec = (long)pause * 1000}, NULL);
    c->waited_us += clock_monotonic_us() - now;
    return true;
}

static int on_busy(void *context, int attempt) {
    struct sqlite_connection *c = context;
    return sqlite_connection_pause(c, attempt);
}

/* ---- Bounding the log ----------------------------------------------------------------------- */

/*
 * The log is moved into the database every 1,000 frames, as SQLite does by itself; then it begins
 * anew when a writer finds no reader in it. With readers at all times that never happens, and the
 * log grows. From WAL_LONG frames on it is waited for, for WAL_WAIT_US: a restart makes new readers
 * read the database alone, so it is enough that each that reads now ends. One that does not end is
 * asked again only when the log has grown by another quarter.
 */
enum { WAL_STEP = 1000, WAL_LONG = 16000 };
static const int64_t WAL_WAIT_US = 50000;

static int on_commit(void *context, sqlite3 *db, const char *schema, int frames) {
    struct sqlite_connection *c = context;
    if (frames < c->wal_patience - WAL_LONG / 4)
        c->wal_patience = WAL_LONG; /* it has begun anew */
    if (frames >= c->wal_patience) {
        int64_t until = c->busy_until_us;
        c->busy_until_us = clock_monotonic_us() + WAL_WAIT_US;
        if (sqlite3_wal_checkpoint_v2(db, schema, SQLITE_CHECKPOINT_RESTART, NULL, NULL))
            c->wal_patience = frames + WAL_LONG / 4;
        c->busy_until_us = until;
    } else if (frames >= WAL_STEP) {
        sqlite3_wal_checkpoint_v2(db, schema, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    return SQLITE_OK; /* the commit is made, whatever became of this; the next one tries again */
}

/* ---- Settings ------------------------------------------------------------------------------- */

/*
 * cache_size: 4 MiB hold the inner pages of a database of about 1 GiB, and the leaves that are hot.
 * More is of little use, as SQLite empties the cache of a connection whenever another one has
 * written; what is not in it is in the page cache of the system.
 * journal_size_limit: what a log that grew in a large write is cut to when it begins anew.
 * recursive_triggers: off everywhere else but in some builds; with it REPLACE fires triggers.
 */
static const char SETTINGS[] = "PRAGMA synchronous=FULL;"
                               "PRAGMA mmap_size=0;"
                               "PRAGMA temp_store=MEMORY;"
                               "PRAGMA cache_size=-4096;"
                               "PRAGMA journal_size_limit=16777216;"
                               "PRAGMA recursive_triggers=OFF;"
                               "PRAGMA read_uncommitted=OFF";

/* The first value that a statement gives, as text. */
static int ask(sqlite3 *db, const char *sql, char *out, size_t size) {
    sqlite3_stmt *handle = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &handle, NULL);
    out[0] = 0;
    if (rc == SQLITE_OK && sqlite3_step(handle) == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(handle, 0);
        snprintf(out, size, "%s", text ? (const char *)text : "");
    }
    int end = sqlite3_finalize(handle);
    return rc ? rc : end;
}

static int fail(struct sqlite_connection *c, int rc, mneme_error *error) {
    return sqlite_fail(error, c->db, rc, NULL, "cannot open the store", c->driver->path);
}

/* Another process that changes the mode at this moment is in the way without being waited for by
 * the busy handler. */
static int set_mode(struct sqlite_connection *c, mneme_error *error) {
    char mode[32];
    int rc = ask(c->db, "PRAGMA journal_mode=WAL", mode, sizeof mode);
    for (int i = 0; sqlite_code_again(rc) && sqlite_connection_pause(c, i); i++)
        rc = ask(c->db, "PRAGMA journal_mode=WAL", mode, sizeof mode);
    if (rc)
        return fail(c, rc, error);
    if (strcmp(mode, "wal") != 0)
        return error_set(error, MNEME_UNSUPPORTED,
                         "%s cannot be kept with a write-ahead log (its filesystem allows journal "
                         "mode \"%s\" only); keep the store on a local disk",
                         c->driver->path, mode);
    return 0;
}

static int set_up(struct sqlite_connection *c, mneme_error *error) {
    char text[32];
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_ENABLE_FKEY, 0, NULL);
    int rc = sqlite3_exec(c->db, SETTINGS, NULL, NULL, NULL);
    if (rc)
        return fail(c, rc, error);
    if (c->driver->read_only) /* a writable file is opened for both: its log may need recovery */
        rc = sqlite3_exec(c->db, "PRAGMA query_only=ON", NULL, NULL, NULL);
    if (rc)
        return fail(c, rc, error);
    if (!c->driver->read_only)
        TRY(set_mode(c, error));
    rc = ask(c->db, "PRAGMA synchronous", text, sizeof text);
    if (rc)
        return fail(c, rc, error);
    if (strcmp(text, "2") != 0)
        return error_set(error, MNEME_UNSUPPORTED,
                         "this SQLite does not take synchronous=FULL; use another build of it");
    rc = ask(c->db, "PRAGMA page_size", text, sizeof text);
    if (rc)
        return fail(c, rc, error);
    c->page_size = (uint32_t)strtoul(text, NULL, 10);
    sqlite3_wal_hook(c->db, on_commit, c); /* in the place of SQLite's own */
    return 0;
}

/* The statements that the driver needs itself. Reading the version reads the file: one that is no
 * database is found out here. */
static int prepare_own(struct sqlite_connection *c) {
    static const char *const texts[] = {"BEGIN", "COMMIT", "ROLLBACK", "PRAGMA schema_version"};
    sqlite3_stmt **const handles[] = {&c->begin, &c->commit, &c->rollback, &c->schema};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        int rc =
            sqlite3_prepare_v3(c->db, texts[i], -1, SQLITE_PREPARE_PERSISTENT, handles[i], NULL);
        if (rc)
            return rc;
    }
    if (sqlite3_step(c->schema) == SQLITE_ROW)
        c->schema_version = sqlite3_column_int(c->schema, 0);
    return sqlite3_reset(c->schema);
}

/* ---- Opening and closing -------------------------------------------------------------------- */

/*
 * SQLite follows links, so it must be shown that it opened the file that was inspected:
 *   1. its descriptor is of the file that its own name for it means (HAS_MOVED compares inodes);
 *   2. that name, which has no links in it, means the file that was inspected.
 */
static int check_same_file(struct sqlite_connection *c, mneme_error *error) {
    struct sqlite_driver *driver = c->driver;
    const char *name = sqlite3_db_filename(c->db, "main");
    struct stat st;
    int moved = 1;
    int rc = sqlite3_file_control(c->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (rc || moved || !name || lstat(name, &st) != 0 || (uint64_t)st.st_ino != driver->inode ||
        (uint64_t)st.st_dev != driver->device)
        return error_set(error, MNEME_NOT_FOUND,
                         "%s was deleted or replaced while it was open; close it, and open it "
                         "again",
                         driver->path);
    return 0;
}

int sqlite_open(const char *path, bool writable, sqlite3 **db, const char *doing,
                mneme_error *error) {
    int flags = (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_NOMUTEX |
                SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
    int rc = sqlite3_open_v2(path, db, flags, NULL);
    if (rc)
        return sqlite_fail(error, *db, rc, NULL, doing, path);
    /* When a file cannot be opened for both, SQLite tries reading alone, and does not say why. */
    if (writable && sqlite3_db_readonly(*db, "main") == 1)
        return error_set(error, access(path, W_OK) == 0 ? MNEME_IO : MNEME_PERMISSION,
                         "%s %s: it could not be opened for writing; look at its permissions and "
                         "at how many files are open, and try again",
                         doing, path);
    return 0;
}

static int open_db(struct sqlite_connection *c, mneme_error *error) {
    TRY(sqlite_open(c->driver->path, c->driver->writable, &c->db, "cannot open the store", error));
    sqlite3_busy_handler(c->db, on_busy, c);
    TRY(check_same_file(c, error));
    TRY(set_up(c, error));
    int rc = prepare_own(c);
    return rc ? fail(c, rc, error) : 0;
}

void sqlite_connection_close(struct sqlite_connection *c) {
    sqlite3_stmt *const own[] = {c->begin, c->commit, c->rollback, c->schema};
    sqlite_statements_fini(&c->statements);
    for (size_t i = 0; i < COUNT_OF(own); i++)
        sqlite3_finalize(own[i]);
    int rc = sqlite3_close(c->db);
    ASSERT(rc == SQLITE_OK);
    (void)rc;
    buf_fini(&c->values);
    mem_free(c);
}

int sqlite_connection_open(struct sqlite_driver *driver, int64_t deadline_us,
                           struct sqlite_connection **out, mneme_error *error) {
    uint64_t seed;
    TRY(random_bytes(&seed, sizeof seed, error));
    struct sqlite_connection *c = mem_zalloc(1, sizeof *c);
    if (!c || sqlite_statements_init(&c->statements, driver->statements, driver->refresh_us)) {
        mem_free(c);
        return error_set(error, MNEME_NO_MEMORY, "no memory to open %s", driver->path);
    }
    c->driver = driver;
    c->busy_until_us = deadline_us;
    c->random = seed | 1;
    c->wal_patience = WAL_LONG;
    c->values = BUF_INIT(SIZE_MAX);
    int status = open_db(c, error);
    if (status) {
        sqlite_connection_close(c);
        return status;
    }
    *out = c;
    return 0;
}
