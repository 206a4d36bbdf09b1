/*
 * sync_site.h - servers that `mneme bench sync` starts, stores that are synced with them, and a
 * bare client's table of the same bytes.
 *
 * Model. A site is an sqld of our own, reached straight or over a wire (proxy.h). Each holds the
 * database of one contestant, so that nobody's work is in another's way. What is compared with is a
 * table of ids and bodies, written and read over our driver by requests of one statement.
 */
#ifndef MNEME_BENCH_SYNC_SITE_H
#define MNEME_BENCH_SYNC_SITE_H

#include "bench/kit.h"
#include "bench/proxy.h"
#include "bench/sqld.h"
#include "store/sql/driver.h"

/* How far away a server is; one row of a table each. */
struct delay {
    double ms; /* that a round trip takes more; 0: straight to it */
    const char *text;
};
extern const struct delay delays[2];

struct site {
    struct sqld server;
    struct proxy *proxy;
    const char *url; /* over the wire, or with a delay of 0 straight */
};

/* Start from {0}. Errors as sqld_start and proxy_start. */
int site_start(struct site *site, double delay_ms, mneme_error *error);
void site_stop(struct site *site); /* tolerant of {0} and of a second call */
#define AUTO_SITE CLEANUP(site_stop)

/* "push, 40 ms": a row's name, in a text of its own. */
enum { SYNC_NAME_SIZE = 64 };
void name_of(char text[SYNC_NAME_SIZE], const char *name, const struct delay *delay);

/* ---- Stores ------------------------------------------------------------------------------- */

/* A new store of `count` variations of real episodes, from number 0 on, closed. */
int store_fill(struct kit *kit, const struct scratch_path *path, size_t count, mneme_error *error);

/* Of a store that is synced with `url` (NULL: with nothing), and trains no dictionaries. */
mneme_options synced_options(const char *url, mneme_sync_mode mode);

/* Wait until everything has gone out. MNEME_UNAVAILABLE: not within a minute. */
int wait_until_sent(mneme *m, mneme_error *error);

void wait_for_us(int64_t us);

/* ---- A bare client ------------------------------------------------------------------------ */

struct bare {
    struct sql_driver *driver;
    struct buf insert; /* "INSERT INTO plain VALUES (?,?),…" */
};

/* Start from {0}. A client with no connection yet. */
int bare_open(struct bare *bare, const char *url, mneme_error *error);
void bare_close(struct bare *bare);
#define AUTO_BARE CLEANUP(bare_close)

/* Make the table. */
int bare_create(struct bare *bare, mneme_error *error);
/* One request with one INSERT, durable as the server is. */
int bare_insert(struct bare *bare, const mneme_id *ids, const struct slice *bodies, size_t count,
                mneme_error *error);
/* One request: up to `limit` rows behind row *at, which moves on. *bytes: of their bodies. */
int bare_page(struct bare *bare, int64_t *at, size_t limit, size_t *rows, uint64_t *bytes,
              mneme_error *error);

#endif
