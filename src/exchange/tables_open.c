/*
 * tables_open.c - opens an SQLite file of unknown origin so that it can do no harm, and the import
 * does none to it.
 */
#include <stdio.h>

#include "exchange/tables.h"
#include "os/os.h"

enum { BUSY_MS = 5000, URI_MAX = 3 * 4096 + 64 };

/* ---- Errors ------------------------------------------------------------------------------ */

static int status_of(int rc) {
    switch (rc & 0xff) {
    case SQLITE_NOTADB:
        return MNEME_INVALID;
    case SQLITE_NOMEM:
        return MNEME_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return MNEME_LOCKED;
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        return MNEME_PERMISSION;
    case SQLITE_IOERR:
        return MNEME_IO;
    case SQLITE_FULL:
        return MNEME_NO_SPACE;
    case SQLITE_TOOBIG:
        return MNEME_TOO_LARGE;
    default: /* SQLITE_CORRUPT, SQLITE_ERROR from a schema that makes no sense, … */
        return MNEME_CORRUPT;
    }
}

static const char *next_step(int status) {
    switch (status) {
    case MNEME_INVALID:
        return "; name its format with --format";
    case MNEME_LOCKED:
        return "; end the program that writes to it, and try again";
    case MNEME_PERMISSION:
        return "; if it was left by a crash, open it once with the program it belongs to, or copy "
               "it, with the files beside it, to where you may write";
    case MNEME_CORRUPT:
        return "; try sqlite3 FILE .recover | sqlite3 NEW.db, and import that";
    default:
        return "";
    }
}

int tables_fail(const struct tables *tables, int rc, mneme_error *error) {
    int status = status_of(rc);
    return error_set(error, status, "cannot read %s: %s%s", tables->path,
                     tables->db ? sqlite3_errmsg(tables->db) : sqlite3_errstr(rc),
                     next_step(status));
}

/* ---- Opening ----------------------------------------------------------------------------- */

/* Nothing but reading tables. What an attacker could reach by it is a parser of pages. */
static int authorize(void *context, int action, const char *a, const char *b, const char *schema,
                     const char *trigger) {
    (void)context, (void)b, (void)schema;
    bool reads = action == SQLITE_SELECT || action == SQLITE_READ || action == SQLITE_TRANSACTION ||
                 (action == SQLITE_PRAGMA && strcmp(a, "table_xinfo") == 0);
    return reads && !trigger ? SQLITE_OK : SQLITE_DENY;
}

static void disarm(sqlite3 *db) {
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_busy_timeout(db, BUSY_MS);
    sqlite3_exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0", NULL, NULL, NULL);
    sqlite3_set_authorizer(db, authorize, NULL);
}

/* A path as a URI: SQLite takes some names for something else, and options go nowhere else. */
static void put_uri(char uri[URI_MAX], const char *path, const char *options) {
    static const char hex[] = "0123456789ABCDEF";
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-";
    size_t at = (size_t)snprintf(uri, URI_MAX, "file:%s", path[0] == '/' ? "//" : "./");
    for (const char *c = path; *c && at + 32 < URI_MAX; c++) {
        if (strchr(plain, *c)) {
            uri[at++] = *c;
        } else {
            uri[at++] = '%';
            uri[at++] = hex[(uint8_t)*c >> 4];
            uri[at++] = hex[(uint8_t)*c & 15];
        }
    }
    snprintf(uri + at, URI_MAX - at, "%s", options);
}

static int try_open(struct tables *tables, const char *options) {
    char uri[URI_MAX];
    put_uri(uri, tables->path, options);
    int rc = sqlite3_open_v2(uri, &tables->db,
                             SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc)
        return rc;
    sqlite3_extended_result_codes(tables->db, 1);
    disarm(tables->db);
    return sqlite3_exec(tables->db, "BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1", NULL, NULL, NULL);
}

/* The size of the log beside the file; UINT64_MAX: there is none, or it cannot be told. */
static uint64_t log_size(const char *path) {
    char beside[4096 + 8];
    struct path_info info = {.type = PATH_ABSENT};
    int size = snprintf(beside, sizeof beside, "%s-wal", path);
    bool fits = size > 0 && (size_t)size < sizeof beside;
    if (!fits || path_inspect(beside, &info, NULL) != 0 || info.type == PATH_ABSENT)
        return UINT64_MAX;
    return info.size;
}

/* Whether the file says that it has a log (bytes 18 and 19 of the format, "WAL"). */
static bool has_log(const char *path) {
    struct slice file = {NULL, 0};
    if (file_map(path, &file, NULL) != 0)
        return false;
    bool told = file.size >= 100 && file.data[18] == 2 && file.data[19] == 2;
    file_unmap(file);
    return told;
}

/*
 * A database with a log needs two files beside it even to be read: SQLite would make them, and
 * leave them there. While a program has it open they exist. So when there is no log, nobody writes
 * and what the file says is all there is: it can be read as one that does not change. The same goes
 * for an empty log where we may not write.
 */
int tables_open(struct tables *tables, const char *path, mneme_error *error) {
    static const char fixed[] = "?mode=ro&immutable=1";
    *tables = (struct tables){.path = path};
    bool alone = has_log(path) && log_size(path) == UINT64_MAX;
    int rc = try_open(tables, alone ? fixed : "?mode=ro"), primary = rc & 0xff;
    if ((primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY) && log_size(path) == 0) {
        tables_close(tables);
        rc = try_open(tables, fixed);
    }
    return rc ? tables_fail(tables, rc, error) : 0;
}

void tables_close(struct tables *tables) {
    sqlite3_close(tables->db);
    tables->db = NULL;
}

/* ---- Looking ----------------------------------------------------------------------------- */

int tables_prepare(struct tables *tables, const char *sql, sqlite3_stmt **out, mneme_error *error) {
    int rc = sqlite3_prepare_v2(tables->db, sql, -1, out, NULL);
    return rc ? tables_fail(tables, rc, error) : 0;
}

/* A virtual table has no root page. */
static int is_plain(struct tables *tables, const char *table, bool *out, mneme_error *error) {
    static const char sql[] = "SELECT 1 FROM sqlite_schema "
                              "WHERE type = 'table' AND rootpage > 0 AND name = ?1";
    sqlite3_stmt *statement = NULL;
    TRY(tables_prepare(tables, sql, &statement, error));
    sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    int rc = sqlite3_step(statement);
    *out = rc == SQLITE_ROW;
    sqlite3_finalize(statement);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : tables_fail(tables, rc, error);
}

/* A computed column is an expression of whoever made the file, which reading it would run. */
static int look_at_columns(struct tables *tables, const char *table, const char *column, bool *out,
                           mneme_error *error) {
    enum { NAME = 1, HIDDEN = 6 };
    char sql[96];
    sqlite3_stmt *statement = NULL;
    bool computed = false;
    int rc;
    snprintf(sql, sizeof sql, "PRAGMA main.table_xinfo(%s)", table);
    TRY(tables_prepare(tables, sql, &statement, error));
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        const unsigned char *name = sqlite3_column_text(statement, NAME);
        computed = computed || sqlite3_column_int(statement, HIDDEN) != 0;
        *out = *out || (name && strcmp((const char *)name, column) == 0);
    }
    sqlite3_finalize(statement);
    if (rc != SQLITE_DONE)
        return tables_fail(tables, rc, error);
    if (computed)
        return error_set(error, MNEME_INVALID,
                         "%s: the table %s has computed columns, which are not read", tables->path,
                         table);
    return 0;
}

int tables_has(struct tables *tables, const char *table, const char *column, bool *out,
               mneme_error *error) {
    bool plain;
    *out = false;
    TRY(is_plain(tables, table, &plain, error));
    return plain ? look_at_columns(tables, table, column, out, error) : 0;
}
