/*
 * file.c - the path of a database: what may lie there, making a new one, noticing that it went.
 *
 * A new database is made under a name of its own and then given the right one, as kv's are (see
 * kv/make.c); so an empty file is always damage. SQLite would take it for a new database.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "os/log.h"
#include "store/sql/sqlite/sqlite_impl.h"

static const int64_t LOOK_EVERY_US = 100000;
static const char *const BESIDE[] = {"-wal", "-journal", "-shm"};

enum { FILE_PATH_SIZE = 4096 };

static bool path_join(char out[FILE_PATH_SIZE], const char *path, const char *suffix) {
    int n = snprintf(out, FILE_PATH_SIZE, "%s%s", path, suffix);
    return n >= 0 && n < FILE_PATH_SIZE;
}

void sqlite_file_discard(const char *path) {
    char beside[FILE_PATH_SIZE];
    for (size_t i = 0; i < COUNT_OF(BESIDE); i++)
        if (path_join(beside, path, BESIDE[i]))
            unlink(beside);
    unlink(path);
}

int sqlite_file_create(const char *path, mneme_error *error) {
    /* SQLite would make it with mode 0644. The file has no locks yet that this close could drop. */
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot make %s", path);
    close(fd);
    return 0;
}

/* ---- Making a new one ----------------------------------------------------------------------- */

static int on_mode(void *context, int count, char **values, char **names) {
    bool *wal = context;
    (void)names;
    *wal = count == 1 && values[0] && strcmp(values[0], "wal") == 0;
    return 0;
}

/* The settings that a database keeps; the change of the journal writes its first page. */
static int write_first_page(sqlite3 *db, const char *path, mneme_error *error) {
    bool wal = false;
    int rc = sqlite3_exec(db,
                          "PRAGMA page_size=4096; PRAGMA encoding='UTF-8';"
                          "PRAGMA auto_vacuum=NONE; PRAGMA synchronous=FULL",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA journal_mode=WAL", on_mode, &wal, NULL);
    if (rc)
        return sqlite_fail(error, db, rc, NULL, "cannot make the store", path);
    if (!wal)
        return error_set(error, MNEME_UNSUPPORTED,
                         "%s cannot be kept with a write-ahead log on its filesystem; keep the "
                         "store on a local disk",
                         path);
    return 0;
}

static int fill_part(const char *part, const char *path, mneme_error *error) {
    sqlite3 *db = NULL;
    int status = sqlite_open(part, true, &db, "cannot make the store", error);
    if (status == 0)
        status = write_first_page(db, path, error);
    int rc = sqlite3_close(db);
    ASSERT(rc == SQLITE_OK);
    (void)rc;
    return status;
}

static int file_make(const char *path, mneme_error *error) {
    char part[FILE_PATH_SIZE], suffix[32];
    uint64_t random;
    TRY(random_bytes(&random, sizeof random, error));
    snprintf(suffix, sizeof suffix, ".new-%016llx", (unsigned long long)random);
    if (!path_join(part, path, suffix))
        return error_set(error, MNEME_INVALID, "the path of the store is too long");
    TRY(sqlite_file_create(part, error));
    int status = fill_part(part, path, error);
    if (status) {
        sqlite_file_discard(part);
        return status;
    }
    status = path_publish(part, path, error);
    return status == MNEME_CONFLICT ? 0 : status; /* another one was faster: his is as good */
}

/*
 * SQLite would play the log of a database that was deleted into the new one of its name. A log is
 * no leftover when its database is there after all: another process
 *   1. made it after `path` was found absent,  2. opened it and so made the log that is seen here.
 * The database is looked for again after the log, so that is found out.
 */
static int refuse_leftovers(const char *path, mneme_error *error) {
    struct path_info info;
    char beside[FILE_PATH_SIZE];
    for (size_t i = 0; i < 2; i++) {
        if (!path_join(beside, path, BESIDE[i]))
            return error_set(error, MNEME_INVALID, "the path of the store is too long");
        TRY(path_inspect(beside, &info, error));
        if (info.type == PATH_ABSENT)
            continue;
        TRY(path_inspect(path, &info, error));
        if (info.type == PATH_ABSENT)
            return error_set(error, MNEME_CORRUPT,
                             "%s is missing, but %s of it is there; bring the store back, or move "
                             "that file away to make a new store",
                             path, beside);
    }
    return 0;
}

/* ---- Checking ------------------------------------------------------------------------------- */

int sqlite_file_prepare(const char *path, const struct sqlite_options *options,
                        struct path_info *info, bool *writable, mneme_error *error) {
    struct place_rules rules = {.must_exist = options->must_exist,
                                .read_only = options->read_only,
                                .allow_network_filesystem = options->allow_network_filesystem};
    TRY(place_inspect(path, &rules, info, error));
    if (info->type == PATH_ABSENT) {
        TRY(refuse_leftovers(path, error));
        TRY(file_make(path, error));
        LOG(INFO, STORE, "SQLite file made", LOG_STRING("file.path", path));
        TRY(path_inspect(path, info, error));
    }
    TRY(place_check_file(path, info, "memory.db", error));
    *writable = access(path, W_OK) == 0;
    if (!*writable && !options->read_only)
        return error_set(error, MNEME_PERMISSION, "%s is not writable", path);
    return 0;
}

/*
 * A page that is there in part SQLite would fill with zeroes. It is sound only when the log has
 * that page: a copy from the log into the database may have ended half-way. Another process may do
 * that at this moment, so the log is looked at again.
 */
int sqlite_file_check_whole(const struct sqlite_driver *driver, uint32_t page_size,
                            mneme_error *error) {
    struct path_info before, info, after;
    char log[FILE_PATH_SIZE];
    if (!path_join(log, driver->path, BESIDE[0]))
        return error_set(error, MNEME_INVALID, "the path of the store is too long");
    TRY(path_inspect(log, &before, error));
    TRY(path_inspect(driver->path, &info, error));
    TRY(path_inspect(log, &after, error));
    if (page_size > 0 && info.size % page_size != 0 && before.size == 0 && after.size == 0)
        return error_set(error, MNEME_CORRUPT,
                         "%s is truncated: its last page is there in part; restore it from a "
                         "backup",
                         driver->path);
    return 0;
}

int sqlite_file_check(struct sqlite_driver *driver, int64_t now_us, bool writes,
                      mneme_error *error) {
    struct path_info info;
    /* Relaxed: two threads may look at once, or one not for a moment longer. */
    int64_t seen = atomic_load_explicit(&driver->seen_us, memory_order_relaxed);
    if (!writes && now_us - seen < LOOK_EVERY_US)
        return 0;
    TRY(path_inspect(driver->path, &info, error));
    if (info.type != PATH_FILE || info.inode != driver->inode || info.device != driver->device)
        return error_set(error, MNEME_NOT_FOUND,
                         "%s was deleted or replaced while it was open, and what is written now "
                         "would be lost; close it, and open it again",
                         driver->path);
    atomic_store_explicit(&driver->seen_us, now_us, memory_order_relaxed);
    return 0;
}
