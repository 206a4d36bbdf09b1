/*
 * error.c - the border between SQLite's codes and ours.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "store/sql/sqlite/sqlite_impl.h"

bool sqlite_code_again(int rc) {
    int primary = rc & 0xff;
    /* PROTOCOL: the race for a place in the index of the log was lost many times. SCHEMA: others
     * changed the schema more often than SQLite is ready to prepare a statement anew. */
    return primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_PROTOCOL ||
           primary == SQLITE_SCHEMA;
}

bool sqlite_code_fatal(int rc) {
    switch (rc & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_NOMEM:
    case SQLITE_CANTOPEN:
        return true;
    default:
        return rc == SQLITE_READONLY_DBMOVED;
    }
}

/* The errno behind a code, where SQLite still has it; 0: it has not. */
static int errno_of(sqlite3 *db, int rc) {
    int primary = rc & 0xff;
    return db && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) ? sqlite3_system_errno(db)
                                                                         : 0;
}

/* Whether there is no room for some pages more, in the database or in its log. */
static bool no_room(sqlite3 *db) {
    enum { ROOM = 64 << 10 };
    const char *name = db ? sqlite3_db_filename(db, "main") : NULL;
    return name && name[0] &&
           (path_is_full(name, ROOM) || path_is_full(sqlite3_filename_wal(name), ROOM));
}

/* SQLite tells a full disk from other failures, but not a limit on the size of files or a quota;
 * and what else it calls on the way out may change errno. */
static int status_of_io(sqlite3 *db, int rc) {
    int number = errno_of(db, rc);
    int status = number ? status_from_errno(number) : MNEME_IO;
    if (rc == SQLITE_IOERR_NOMEM)
        return MNEME_NO_MEMORY;
    if (status == MNEME_NO_SPACE || status == MNEME_NO_MEMORY)
        return status;
    bool grows = rc == SQLITE_IOERR_WRITE || rc == SQLITE_IOERR_TRUNCATE ||
                 rc == SQLITE_IOERR_SHMSIZE || rc == SQLITE_IOERR_SHMMAP;
    return grows && no_room(db) ? MNEME_NO_SPACE : MNEME_IO;
}

static bool directory_is_writable(const char *path) {
    char directory[4096];
    const char *slash = strrchr(path, '/');
    int size = slash ? (int)(slash - path) + 1 : 0;
    int n = snprintf(directory, sizeof directory, "%.*s.", size, path);
    return n > 0 && (size_t)n < sizeof directory && access(directory, W_OK) == 0;
}

/* A database is opened only after it was seen, so what is missing (ENOENT) is a file beside it that
 * could not be made: SQLite tried to open it for reading at the end, and has errno from that. */
static int status_of_open(sqlite3 *db, int rc) {
    int number = errno_of(db, rc);
    const char *name = db ? sqlite3_db_filename(db, "main") : NULL;
    if (rc == SQLITE_CANTOPEN_ISDIR)
        return MNEME_INVALID;
    if (number && number != ENOENT)
        return status_from_errno(number);
    return name && directory_is_writable(name) ? MNEME_IO : MNEME_PERMISSION;
}

int sqlite_status(sqlite3 *db, int rc) {
    if (sqlite_code_again(rc))
        return MNEME_LOCKED;
    switch (rc & 0xff) {
    case SQLITE_OK:
        return 0;
    case SQLITE_FULL:
        return MNEME_NO_SPACE;
    case SQLITE_IOERR:
        return status_of_io(db, rc);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return MNEME_CORRUPT;
    case SQLITE_CANTOPEN:
        return status_of_open(db, rc);
    case SQLITE_READONLY:
        return rc == SQLITE_READONLY_DBMOVED ? MNEME_NOT_FOUND : MNEME_PERMISSION;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return MNEME_PERMISSION;
    case SQLITE_TOOBIG:
        return MNEME_TOO_LARGE;
    case SQLITE_NOMEM:
        return MNEME_NO_MEMORY;
    case SQLITE_CONSTRAINT:
        return MNEME_CONFLICT;
    default:
        return MNEME_FAILURE;
    }
}

static const char *next_step(int status, int rc) {
    if (rc == SQLITE_NOTADB)
        return "; it is no SQLite database: choose another path, or move that file away";
    if (rc == SQLITE_READONLY_DBMOVED)
        return "; close it, and open it again";
    if (status == MNEME_CORRUPT)
        return "; run `mneme verify`, and restore it from a backup";
    if (status == MNEME_NO_SPACE)
        return "; free some space, and try again";
    if (status == MNEME_LOCKED)
        return "; another process or connection holds the lock: try again";
    if (status == MNEME_PERMISSION)
        return "; the file and its directory must let it be read, and written by who writes";
    return "";
}

int sqlite_fail(mneme_error *error, sqlite3 *db, int rc, const char *why, const char *doing,
                const char *path) {
    int status = sqlite_status(db, rc);
    int number = why ? 0 : errno_of(db, rc);
    const char *text = why ? why : db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
    char reason[128] = "", buffer[96];
    if (number)
        snprintf(reason, sizeof reason, " (%s)", strerror_r(number, buffer, sizeof buffer));
    return error_set(error, status, "%s %s: %s%s%s", doing, path, text, reason,
                     next_step(status, rc));
}
