/*
 * store_maker.c - the table of stores under test, and directories for them.
 */
#include "support/store_maker.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/batched.h"
#include "store/cached.h"
#include "store/followed.h"
#include "store/kv.h"
#include "store/mem.h"
#include "store/metered.h"
#include "store/sql.h"
#include "store/sql/hrana.h"
#include "store/sql/sqlite.h"
#include "support/server_database.h"

/* ---- Makers ------------------------------------------------------------------------------ */

static int open_mem(const char *path, struct store **out, mneme_error *error) {
    (void)path;
    return mem_store_open(0x6d656d, out, error);
}

static int open_kv(const char *path, struct store **out, mneme_error *error) {
    /* A small first size of the map: the suites see it grow. */
    static const struct kv_options options = {.map_bytes = 1 << 20};
    return kv_store_open(path, &options, out, error);
}

/* One meter for all, in memory of its own; it outlives every store. */
static struct meter *test_meter(void) {
    static struct meter *meter;
    static const struct meter_options options = {.slow_ns = 1};
    if (!meter && meter_open(&options, &meter, NULL))
        return NULL;
    return meter;
}

static int open_metered(int (*open_below)(const char *, struct store **, mneme_error *),
                        enum metered_as as, const char *path, struct store **out,
                        mneme_error *error) {
    struct store *below = NULL;
    TRY(open_below(path, &below, error));
    int status = metered_open(below, as, test_meter(), out, error);
    if (status)
        store_close(below);
    return status;
}

static int open_metered_mem(const char *path, struct store **out, mneme_error *error) {
    return open_metered(open_mem, METERED_MEM, path, out, error);
}

static int open_metered_kv(const char *path, struct store **out, mneme_error *error) {
    return open_metered(open_kv, METERED_KV, path, out, error);
}

static int open_batched(int (*open_below)(const char *, struct store **, mneme_error *),
                        const char *path, struct store **out, mneme_error *error) {
    struct store *below = NULL;
    TRY(open_below(path, &below, error));
    int status = batched_open(below, NULL, out, error);
    if (status)
        store_close(below);
    return status;
}

static int open_batched_mem(const char *path, struct store **out, mneme_error *error) {
    return open_batched(open_mem, path, out, error);
}

static int open_batched_kv(const char *path, struct store **out, mneme_error *error) {
    return open_batched(open_metered_kv, path, out, error);
}

static int open_cached(int (*open_below)(const char *, struct store **, mneme_error *),
                       const char *path, size_t bytes, size_t entries, struct store **out,
                       mneme_error *error) {
    struct cached_options options = {0};
    for (size_t i = 0; i < CACHED_PARTS; i++)
        options.parts[i] = (struct cache_options){.bytes = bytes, .entries = entries};
    struct store *below = NULL;
    TRY(open_below(path, &below, error));
    int status = cached_open(below, &options, out, error);
    if (status)
        store_close(below);
    return status;
}

static int open_cached_mem(const char *path, struct store **out, mneme_error *error) {
    return open_cached(open_mem, path, 64 << 20, 10000, out, error);
}

static int open_cached_kv(const char *path, struct store **out, mneme_error *error) {
    return open_cached(open_batched_kv, path, 64 << 20, 10000, out, error);
}

/* Without looks, whose thread would allocate memory when it is another's turn to lack it. */
static int open_followed_mem(const char *path, struct store **out, mneme_error *error) {
    static const struct followed_options options = {.no_looks = true, .whole_changes = true};
    struct store *below = NULL;
    TRY(open_mem(path, &below, error));
    int status = followed_open(below, &options, out, error);
    if (status)
        store_close(below);
    return status;
}

static int open_batched_followed_mem(const char *path, struct store **out, mneme_error *error) {
    return open_batched(open_followed_mem, path, out, error);
}

static int open_cached_followed_mem(const char *path, struct store **out, mneme_error *error) {
    return open_cached(open_batched_followed_mem, path, 64 << 20, 10000, out, error);
}

/* Room for next to nothing: items go as fast as they come. */
static int open_tiny_cached_kv(const char *path, struct store **out, mneme_error *error) {
    return open_cached(open_batched_kv, path, 6000, 3, out, error);
}

static int open_sql(struct sql_driver *driver, struct store **out, mneme_error *error) {
    int status = sql_store_open(driver, NULL, out, error);
    if (status)
        driver->operations->close(driver);
    return status;
}

static int open_sqlite(const char *path, struct store **out, mneme_error *error) {
    struct sql_driver *driver = NULL;
    TRY(sqlite_driver_open(path, NULL, &driver, error));
    return open_sql(driver, out, error);
}

/* A new database of a server for each store. */
static int open_hrana(enum hrana_encoding encoding, struct store **out, mneme_error *error) {
    struct server_database database;
    struct sql_driver *driver = NULL;
    TRY(server_database_make(&database, error));
    struct hrana_options options = {
        .net.url = database.origin, .name_space = database.name, .encoding = encoding};
    TRY(hrana_driver_open(&options, &driver, error));
    return open_sql(driver, out, error);
}

static int open_hrana_json(const char *path, struct store **out, mneme_error *error) {
    (void)path;
    return open_hrana(HRANA_JSON, out, error);
}

static int open_hrana_protobuf(const char *path, struct store **out, mneme_error *error) {
    (void)path;
    return open_hrana(HRANA_PROTOBUF, out, error);
}

static int open_followed_hrana(const char *path, struct store **out, mneme_error *error) {
    static const struct followed_options options = {.no_looks = true, .whole_changes = true};
    struct store *below = NULL;
    TRY(open_hrana_protobuf(path, &below, error));
    int status = followed_open(below, &options, out, error);
    if (status)
        store_close(below);
    return status;
}

static int open_batched_followed_hrana(const char *path, struct store **out, mneme_error *error) {
    return open_batched(open_followed_hrana, path, out, error);
}

/* What a URL of a server opens. */
static int open_cached_hrana(const char *path, struct store **out, mneme_error *error) {
    return open_cached(open_batched_followed_hrana, path, 64 << 20, 10000, out, error);
}

static int open_batched_sqlite(const char *path, struct store **out, mneme_error *error) {
    return open_batched(open_sqlite, path, out, error);
}

const struct store_maker store_makers[] = {
    {.name = "mem", .shares = true, .persistent = false, .open = open_mem},
    {.name = "kv", .shares = true, .persistent = true, .open = open_kv},
    {.name = "metered(mem)", .shares = true, .persistent = false, .open = open_metered_mem},
    {.name = "metered(kv)", .shares = true, .persistent = true, .open = open_metered_kv},
    {.name = "sql(sqlite)",
     .slow = true,
     .persistent = true,
     .open = open_sqlite,
     .refuses_largest = true},
    {.name = "batched(mem)", .shares = true, .persistent = false, .open = open_batched_mem},
    {.name = "batched(kv)", .shares = true, .persistent = true, .open = open_batched_kv},
    {.name = "batched(sql(sqlite))",
     .slow = true,
     .persistent = true,
     .open = open_batched_sqlite,
     .refuses_largest = true},
    {.name = "cached(mem)",
     .shares = true,
     .persistent = false,
     .open = open_cached_mem,
     .recovers = true},
    {.name = "followed(mem)", .shares = true, .persistent = false, .open = open_followed_mem},
    {.name = "cached(batched(followed(mem)))",
     .shares = true,
     .persistent = false,
     .open = open_cached_followed_mem,
     .recovers = true},
    {.name = "cached(batched(kv))",
     .shares = true,
     .persistent = true,
     .open = open_cached_kv,
     .recovers = true},
    {.name = "tiny_cached(batched(kv))",
     .shares = true,
     .persistent = true,
     .open = open_tiny_cached_kv,
     .recovers = true},
    {.name = "sql(hrana, JSON)",
     .slow = true,
     .open = open_hrana_json,
     .recovers = true,
     .refuses_largest = true},
    {.name = "sql(hrana, protobuf)",
     .slow = true,
     .open = open_hrana_protobuf,
     .recovers = true,
     .refuses_largest = true},
    {.name = "cached(batched(followed(sql(hrana))))",
     .slow = true,
     .open = open_cached_hrana,
     .recovers = true,
     .refuses_largest = true},
};
const size_t store_maker_count = COUNT_OF(store_makers);

bool store_maker_wanted(const struct store_maker *maker, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], maker->name) == 0)
            return true;
    return argc <= 1;
}

/* ---- Homes ------------------------------------------------------------------------------- */

static void set_path(struct store_home *home) {
    snprintf(home->path, sizeof home->path, "%.255s/store-%u.mdb", home->directory, home->crashes);
}

int store_home_make(struct store_home *home, const struct store_maker *maker, mneme_error *error) {
    const char *parent = getenv("TMPDIR");
    *home = (struct store_home){.maker = maker};
    snprintf(home->directory, sizeof home->directory, "%.200s/mneme-store-XXXXXX",
             parent && *parent ? parent : "/tmp");
    if (!mkdtemp(home->directory)) {
        home->directory[0] = 0;
        return error_set(error, MNEME_IO, "cannot make a directory for a store under test");
    }
    set_path(home);
    return maker->open(home->path, &home->store, error);
}

void store_home_remove(struct store_home *home) {
    store_close(TAKE(home->store));
    DIR *listing = home->directory[0] ? opendir(home->directory) : NULL;
    if (!listing)
        return;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;)
        (void)unlinkat(dirfd(listing), entry->d_name, 0);
    closedir(listing);
    (void)rmdir(home->directory);
    home->directory[0] = 0;
}

int store_home_reopen(struct store_home *home, mneme_error *error) {
    store_close(TAKE(home->store));
    return home->maker->open(home->path, &home->store, error);
}

static int copy_stream(FILE *from, FILE *to) {
    char bytes[1 << 16];
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, from)) > 0;)
        if (fwrite(bytes, 1, n, to) != n)
            return MNEME_IO;
    return ferror(from) || fflush(to) ? MNEME_IO : 0;
}

static int copy_file(const char *from_path, const char *to_path, mneme_error *error) {
    FILE *from = fopen(from_path, "rb");
    FILE *to = from ? fopen(to_path, "wb") : NULL;
    int status = to ? copy_stream(from, to) : MNEME_IO;
    if (to)
        (void)fchmod(fileno(to), 0600);
    if (to && fclose(to))
        status = MNEME_IO;
    if (from)
        fclose(from);
    return status ? error_set(error, status, "cannot copy %s to %s", from_path, to_path) : 0;
}

/* SQLite's write-ahead log, when there is one. */
static int copy_log(const char *from_path, const char *to_path, mneme_error *error) {
    char from[340], to[340];
    snprintf(from, sizeof from, "%.319s-wal", from_path);
    snprintf(to, sizeof to, "%.319s-wal", to_path);
    return access(from, F_OK) == 0 ? copy_file(from, to, error) : 0;
}

int store_home_crash(struct store_home *home, mneme_error *error) {
    char before[sizeof home->path];
    memcpy(before, home->path, sizeof before);
    home->crashes++;
    set_path(home);
    TRY(copy_file(before, home->path, error));
    TRY(copy_log(before, home->path, error));
    store_close(TAKE(home->store));
    return home->maker->open(home->path, &home->store, error);
}
