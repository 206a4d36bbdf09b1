/*
 * sqlite.c - the SQLite driver: opening, running, counting, closing.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "os/log.h"
#include "store/sql/sqlite/sqlite_impl.h"

enum { CONNECTIONS = 8, STATEMENTS = 64, REFRESH_S = 600, BUSY_MS = 10000, STATEMENTS_MAX = 65536 };

/* ---- The open drivers of this process ------------------------------------------------------- */

/*
 * SQLite shares what it knows of a file's locks between all connections of a process, and a child
 * after fork() has inherited that, but not the locks. A connection of its own would believe to hold
 *   1. the lock that keeps the parent, when it closes its last connection, from deleting the log;
 *   2. what it then writes to the deleted log is lost.
 * So the files that the parent had open at the fork cannot be opened in the child.
 */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct sqlite_driver *registry;
static pthread_once_t registry_once = PTHREAD_ONCE_INIT;

static void registry_lock(void) { pthread_mutex_lock(&registry_mutex); }
static void registry_unlock(void) { pthread_mutex_unlock(&registry_mutex); }
static void registry_register(void) {
    pthread_atfork(registry_lock, registry_unlock, registry_unlock);
}

static int registry_add(struct sqlite_driver *driver, mneme_error *error) {
    pthread_once(&registry_once, registry_register);
    registry_lock();
    const struct sqlite_driver *other = registry;
    while (other && !(other->inode == driver->inode && other->device == driver->device &&
                      other->generation != driver->generation))
        other = other->next;
    if (!other) {
        driver->next = registry;
        registry = driver;
    }
    registry_unlock();
    if (other)
        return error_set(error, MNEME_FORKED,
                         "%s was open when this process was forked, and SQLite cannot open it "
                         "again here; fork before it is opened, or start another program",
                         driver->path);
    return 0;
}

static void registry_remove(struct sqlite_driver *driver) {
    registry_lock();
    struct sqlite_driver **at = &registry;
    while (*at && *at != driver)
        at = &(*at)->next;
    if (*at)
        *at = driver->next;
    registry_unlock();
}

/* ---- Operations ----------------------------------------------------------------------------- */

int sqlite_driver_check(const struct sqlite_driver *driver, mneme_error *error) {
    if (UNLIKELY(driver->generation != process_generation_again()))
        return error_set(error, MNEME_FORKED,
                         "%s was opened before fork(); fork before it is opened, or start another "
                         "program",
                         driver->path);
    return 0;
}

static int sqlite_run(struct sql_driver *base, const struct sql_program *program,
                      struct sql_results *results, mneme_error *error) {
    struct sqlite_driver *driver = sqlite_driver_of(base);
    struct sqlite_connection *c;
    TRY(sqlite_driver_check(driver, error));
    if (program->writes && driver->read_only)
        return error_set(error, MNEME_PERMISSION, "%s was opened for reading only", driver->path);
    int64_t now = clock_monotonic_us();
    TRY(sqlite_file_check(driver, now, program->writes, error));
    TRY(sqlite_pool_acquire(driver, program->writes, now + driver->busy_us, &now, &c, error));
    c->tally.programs++;
    int status = sqlite_program_run(c, program, now, results, error);
    sqlite_pool_release(driver, program->writes, c);
    return status;
}

static void sqlite_counters(struct sql_driver *base, struct sql_counters *out) {
    struct sqlite_driver *driver = sqlite_driver_of(base);
    *out = (struct sql_counters){0};
    if (driver->generation != process_generation_again())
        return; /* the lock may have been held at the fork */
    AUTO_LOCK(held, &driver->lock);
    *out = driver->counters;
}

static void driver_destroy(struct sqlite_driver *driver) {
    while (driver->idle) {
        struct sqlite_connection *c = driver->idle;
        driver->idle = c->next;
        sqlite_connection_close(c);
    }
    lock_fini(&driver->lock);
    mem_free(driver->path);
    mem_free(driver);
}

static void sqlite_close(struct sql_driver *base) {
    struct sqlite_driver *driver = sqlite_driver_of(base);
    if (driver->generation != process_generation_again())
        return; /* invariant 4 */
    ASSERT(!driver->turn.first && !driver->connections.first);
    registry_remove(driver);
    driver_destroy(driver);
}

static const struct sql_driver_operations sqlite_operations = {
    .name = "sqlite",
    .rows_max = 8,
    .run = sqlite_run,
    .backup = sqlite_backup,
    .counters = sqlite_counters,
    .close = sqlite_close,
};

/* ---- Opening -------------------------------------------------------------------------------- */

/* Absolute, for the working directory may be another one when the next connection is opened; and
 * SQLite takes names like "file:x" and ":memory:" for something else than a file. */
static char *path_absolute(const char *path) {
    char directory[4096] = "";
    if (path[0] != '/' && !getcwd(directory, sizeof directory))
        return NULL;
    size_t size = strlen(directory) + strlen(path) + 2;
    char *out = mem_alloc(size);
    if (out)
        snprintf(out, size, "%s%s%s", directory, directory[0] ? "/" : "", path);
    else
        errno = ENOMEM;
    return out;
}

static uint32_t or_default(uint32_t value, uint32_t otherwise) { return value ? value : otherwise; }

/* Takes the path unless it fails for want of memory. */
static struct sqlite_driver *driver_create(char *path, const struct sqlite_options *options) {
    struct sqlite_driver *driver = mem_zalloc(1, sizeof *driver);
    if (!driver)
        return NULL;
    uint32_t statements = or_default(options->statements, STATEMENTS);
    driver->base.operations = &sqlite_operations;
    driver->path = path;
    driver->generation = process_generation();
    driver->read_only = options->read_only;
    driver->statements = statements < STATEMENTS_MAX ? statements : STATEMENTS_MAX;
    driver->refresh_us = (int64_t)or_default(options->refresh_s, REFRESH_S) * 1000000;
    driver->busy_us = (int64_t)or_default(options->busy_ms, BUSY_MS) * 1000;
    driver->turn.free = 1;
    driver->connections.free = or_default(options->connections, CONNECTIONS);
    lock_init(&driver->lock, RANK_SQL);
    return driver;
}

/* Find or make the file, and open the first connection: what is wrong with it shows now. */
static int driver_join(struct sqlite_driver *driver, const struct sqlite_options *options,
                       mneme_error *error) {
    struct path_info info;
    TRY(sqlite_file_prepare(driver->path, options, &info, &driver->writable, error));
    driver->device = info.device;
    driver->inode = info.inode;
    TRY(registry_add(driver, error));
    int64_t now = clock_monotonic_us();
    int status = sqlite_connection_open(driver, now + driver->busy_us, &driver->idle, error);
    if (status == 0)
        status = sqlite_file_check_whole(driver, driver->idle->page_size, error);
    if (status)
        registry_remove(driver);
    return status;
}

int sqlite_driver_open(const char *path, const struct sqlite_options *options,
                       struct sql_driver **out, mneme_error *error) {
    static const struct sqlite_options defaults;
    options = options ? options : &defaults;
    if (!sqlite3_threadsafe())
        return error_set(error, MNEME_UNSUPPORTED,
                         "this SQLite was built without threads; use another build of it");
    AUTO_FREE char *absolute = path_absolute(path);
    if (!absolute)
        return error_set_errno(error, errno, "cannot open the store %s", path);
    struct sqlite_driver *driver = driver_create(absolute, options);
    if (!driver)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open %s", path);
    (void)TAKE(absolute);
    int status = driver_join(driver, options, error);
    if (status) {
        driver_destroy(driver);
        return status;
    }
    LOG(DEBUG, STORE, "SQLite file opened", LOG_STRING("file.path", driver->path),
        LOG_BOOL("read_only", !driver->writable),
        LOG_WHOLE("connections", driver->connections.free));
    *out = &driver->base;
    return 0;
}
