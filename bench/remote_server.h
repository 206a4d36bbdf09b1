/*
 * remote_server.h - the server that `mneme bench remote` measures, and the ways to it.
 *
 * Model. The server is one of our own, or the user's (--url). It is reached at one or more
 * distances: straight, and over a wire of 40 ms (proxy.h); a server on another machine only as far
 * as it is. Its database has the tables of mneme, the dictionaries of the kit, and a table
 * mneme_bench, which the plain reference writes to and which marks the database as the bench's.
 * Security. A database that has tables of mneme without that mark is somebody's memory: it is left
 * alone. At the end all tables that begin with "mneme_" are dropped.
 */
#ifndef MNEME_BENCH_REMOTE_SERVER_H
#define MNEME_BENCH_REMOTE_SERVER_H

#include "bench/kit.h"
#include "bench/proxy.h"
#include "bench/sqld.h"
#include "store/sql.h"

enum { STRAIGHT, WIRE, DISTANCES_MAX };
enum { REMOTE_URL_MAX = 900 };

/* Goals are of a distance. */
enum distance_kind { DISTANCE_NONE, DISTANCE_40_MS, DISTANCE_UNKNOWN };

struct distance {
    enum distance_kind kind;
    const char *text; /* "0 ms", "40 ms", "far" */
    char url[REMOTE_URL_MAX];
    char origin[320]; /* the URL without its path */
};

struct remote {
    struct kit *kit;
    struct sqld server;                       /* ours; {0} with --url */
    struct proxy *proxy;                      /* NULL: the server is on another machine */
    struct distance distances[DISTANCES_MAX]; /* STRAIGHT, and with a proxy WIRE */
    size_t distance_count;
    mneme_remote_options access;
    bool ours;        /* the tables in the database may be dropped */
    uint64_t numbers; /* of variations of episodes that were taken */
};

/* Start from {0}. MNEME_CONFLICT: the database holds a memory. Else as the server's driver. */
int remote_init(struct remote *r, struct kit *kit, mneme_error *error);
/* Drop the tables, and end what was started. */
void remote_fini(struct remote *r);
#define AUTO_REMOTE CLEANUP(remote_fini)

/* Options for this server: no training, and what it wants to know. */
mneme_options remote_options(const struct remote *r);

/* The ratio that a row should have at this distance; none where the distance is not known. */
struct goal goal_at(const struct distance *d, struct goal near, struct goal at_40_ms);

/* Give the wire the length that it has at this distance; to be called before it is used. */
void distance_set(struct remote *r, const struct distance *d);

/* "1,000 episodes, 40 ms": a row's name, in a text of its own. */
enum { ROW_NAME_SIZE = 64 };
void name_at(char text[ROW_NAME_SIZE], const char *name, const struct distance *d);

/* The sql store alone, without the decorators above it, and its driver, which belongs to it. */
struct bare_store {
    struct store *store;
    struct sql_driver *driver;
};
int bare_store_open(const char *url, const mneme_options *options, struct bare_store *out,
                    mneme_error *error);
static inline void bare_store_close(struct bare_store *s) { store_close(s->store); }
#define AUTO_BARE_STORE CLEANUP(bare_store_close)

/* A driver alone, closed when it goes out of scope. */
int bare_driver_open(const char *url, const mneme_options *options, struct sql_driver **out,
                     mneme_error *error);
static inline void driver_close_cleanup(struct sql_driver **driver) {
    if (*driver)
        (*driver)->operations->close(*driver);
}
#define AUTO_DRIVER CLEANUP(driver_close_cleanup)

/* Run a program whose steps must all be done. */
int bare_run(struct sql_driver *driver, const struct sql_program *program,
             struct sql_results *results, mneme_error *error);

/*
 * `count` variations of real episodes that nobody had before, in the arena, without ids: mneme_put
 * makes them. Their times go on where those of the last call ended, as in a memory that grows.
 * *since_us (may be NULL): none of these begins earlier.
 */
int episodes_take(struct remote *r, size_t count, struct arena *arena, mneme_record **out,
                  int64_t *since_us, mneme_error *error);

#endif
