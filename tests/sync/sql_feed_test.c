/*
 * sql_feed_test.c - the feed of the sql store keeps feed.h in the same cases as the simulated one:
 * on an SQLite file, and on a real server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/sql.h"
#include "store/sql/hrana.h"
#include "store/sql/sqlite.h"
#include "store/sql_feed.h"
#include "support/feed_cases.h"
#include "support/server_database.h"

/* The directory of an SQLite file; empty on a server. */
struct place {
    char directory[64], path[96];
};

static int place_feeds(struct feed_place *out, struct sql_driver *driver, mneme_error *error) {
    TRY(sql_store_open(driver, NULL, &out->store, error));
    for (size_t i = 0; i < FEED_PLACE_FEEDS; i++)
        TRY(sql_feed_open(out->store, &out->feeds[i], error));
    return 0;
}

static int file_open(struct feed_place *out, mneme_error *error) {
    struct place *place = mem_zalloc(1, sizeof *place);
    struct sql_driver *driver;
    if (!place)
        return MNEME_NO_MEMORY;
    out->context = place;
    snprintf(place->directory, sizeof place->directory, "/tmp/mneme-feed-XXXXXX");
    if (!mkdtemp(place->directory))
        return MNEME_IO;
    snprintf(place->path, sizeof place->path, "%s/memory.db", place->directory);
    TRY(sqlite_driver_open(place->path, NULL, &driver, error));
    return place_feeds(out, driver, error);
}

static int server_open(struct feed_place *out, mneme_error *error) {
    struct server_database database;
    struct sql_driver *driver;
    out->context = mem_zalloc(1, sizeof(struct place));
    if (!out->context)
        return MNEME_NO_MEMORY;
    TRY(server_database_make(&database, error));
    struct hrana_options options = {.net = {.url = database.origin}, .name_space = database.name};
    TRY(hrana_driver_open(&options, &driver, error));
    return place_feeds(out, driver, error);
}

static void place_close(struct feed_place *out) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    struct place *place = out->context;
    char path[128];
    for (size_t i = 0; i < FEED_PLACE_FEEDS; i++)
        feed_close(out->feeds[i]);
    store_close(out->store);
    for (size_t i = 0; place && place->path[0] && i < COUNT_OF(ends); i++) {
        snprintf(path, sizeof path, "%s%s", place->path, ends[i]);
        (void)unlink(path);
    }
    if (place && place->path[0])
        (void)rmdir(place->directory);
    mem_free(place);
}

int main(void) {
    static const struct feed_maker file = {"sqlite", file_open, place_close, NULL, 0};
    static const struct feed_maker server = {"sqld", server_open, place_close, NULL, 0};
    return feed_cases_run(&file) + feed_cases_run(&server);
}
