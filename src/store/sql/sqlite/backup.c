/*
 * backup.c - a copy of the database, as of one moment, while others write.
 *
 * All pages are copied in one step of sqlite3_backup, which is one read transaction of the source:
 * in the log's mode that keeps nobody from writing, and a copy in many steps would start over with
 * every write of another connection.
 */
#include <stdio.h>

#include "store/sql/sqlite/sqlite_impl.h"

static int copy_all(struct sqlite_connection *c, sqlite3 *to, const char *path,
                    mneme_error *error) {
    sqlite3_backup *backup = sqlite3_backup_init(to, "main", c->db, "main");
    if (!backup)
        return sqlite_fail(error, to, sqlite3_extended_errcode(to), NULL, "cannot write the backup",
                           path);
    int rc = sqlite3_backup_step(backup, -1);
    for (int i = 0; sqlite_code_again(rc) && sqlite_connection_pause(c, i); i++)
        rc = sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    return rc == SQLITE_DONE
               ? 0
               : sqlite_fail(error, to, rc, sqlite3_errstr(rc), "cannot write the backup", path);
}

/* What fails half-way is thrown away, so it needs no journal; SQLite syncs the copy at its end. */
static int copy_to(struct sqlite_connection *c, const char *part, const char *path,
                   mneme_error *error) {
    sqlite3 *to = NULL;
    int status = sqlite_open(part, true, &to, "cannot write the backup", error);
    int rc = status ? 0
                    : sqlite3_exec(to, "PRAGMA synchronous=FULL; PRAGMA journal_mode=OFF", NULL,
                                   NULL, NULL);
    if (rc)
        status = sqlite_fail(error, to, rc, NULL, "cannot write the backup", path);
    if (status == 0)
        status = copy_all(c, to, path, error);
    rc = sqlite3_close(to);
    ASSERT(rc == SQLITE_OK);
    (void)rc;
    return status;
}

static int make_copy(struct sqlite_connection *c, const char *path, mneme_error *error) {
    char part[4096], absolute[4096];
    uint64_t random;
    TRY(random_bytes(&random, sizeof random, error));
    /* "./" because SQLite takes "file:x" and ":memory:" for something else than a file. */
    int n = snprintf(absolute, sizeof absolute, "%s%s", path[0] == '/' ? "" : "./", path);
    int m = snprintf(part, sizeof part, "%s.part-%016llx", absolute, (unsigned long long)random);
    if (n < 0 || m < 0 || (size_t)n >= sizeof absolute || (size_t)m >= sizeof part)
        return error_set(error, MNEME_INVALID, "the path of the backup is too long");
    TRY(sqlite_file_create(part, error));
    int status = copy_to(c, part, path, error);
    if (status == 0)
        return path_publish(part, path, error);
    sqlite_file_discard(part);
    return status;
}

int sqlite_backup(struct sql_driver *base, const char *path, mneme_error *error) {
    struct sqlite_driver *driver = sqlite_driver_of(base);
    struct sqlite_connection *c;
    struct path_info info;
    TRY(sqlite_driver_check(driver, error));
    TRY(path_inspect(path, &info, error));
    if (info.type != PATH_ABSENT)
        return error_set(error, MNEME_CONFLICT, "%s exists; name a file that does not", path);
    int64_t now = clock_monotonic_us();
    TRY(sqlite_file_check(driver, now, true, error));
    TRY(sqlite_pool_acquire(driver, false, now + driver->busy_us, &now, &c, error));
    int status = make_copy(c, path, error);
    sqlite_pool_release(driver, false, c);
    return status;
}
