/*
 * feed_impl.h - inside the feed of the sql store.
 */
#ifndef MNEME_STORE_SQL_FEED_IMPL_H
#define MNEME_STORE_SQL_FEED_IMPL_H

#include "store/sql/hrana/listen.h"
#include "store/sql/write_impl.h"
#include "store/sql_feed.h"

struct sql_feed {
    struct feed base;
    struct sql *sql;
    size_t page_max;                 /* fewer after an answer that was too large */
    struct hrana_listener *listener; /* since the first wait; NULL where there are no hints */
    bool has_waited;
    struct lock lock; /* of what follows */
    struct signal signal;
    bool woken;
};

static inline struct sql_feed *sql_feed_of(struct feed *feed) {
    return (struct sql_feed *)(void *)feed;
}

/* ---- feed_exchange.c ------------------------------------------------------------------------- */

int sql_feed_exchange(struct feed *feed, struct feed_request *request, struct feed_answer *answer,
                      mneme_error *error);

/* ---- feed_plain.c ---------------------------------------------------------------------------- */

enum { FEED_PLAIN_MIN = 16 }; /* fewer pushes make a shorter request as rows of mneme_push */

/* How many mutations from the first on are put in plainly. */
size_t feed_plain_count(const struct mutation *mutations, size_t count);
/* The greatest clock of their versions. */
uint64_t feed_plain_clock(const struct mutation *mutations, size_t count);
/* Add the steps that do so; a mutation is one of `rows`. */
void feed_add_plain(struct program *p, const struct sql *s, const struct apply_rows *rows,
                    size_t count);

/* ---- feed_row.c ------------------------------------------------------------------------------ */

enum { FEED_COLUMNS = 3 }; /* of the view mneme_feed */

/* A row with a column each, as row_read takes it. Ids lie in here, the rest where it was. */
struct feed_row {
    struct sql_value values[ROW_COLUMNS];
    mneme_id id, parent;
};
/* MNEME_CORRUPT: what no sql store wrote. */
int feed_row_unpack(const struct sql_value packed[FEED_COLUMNS], struct feed_row *out,
                    mneme_error *error);

/* ---- feed_pack.c ----------------------------------------------------------------------------- */

/* Bring plain mutations, and their pushes with them, into an order that fills pages. Without
 * memory they stay as they are. */
void feed_pack(struct arena *arena, struct mutation *mutations, struct feed_push **pushes,
               size_t count);

/* ---- feed_page.c: what an exchange brings back ----------------------------------------------- */

struct feed_page {
    size_t step; /* SIZE_MAX: none */
    size_t limit;
};
/* Add the step that reads the page above `cursor`, up to where the transaction `id` began. None
 * when nothing is to be pulled. */
struct feed_page feed_add_page(struct program *p, const struct sql_feed *f,
                               const struct feed_request *request, const uint8_t *id);
/* Read it, and set cursor and `more` of the answer, whose head is known. `upto`: where the cursor
 * goes when the page was all there is. What cannot be read is left behind the cursor; it is an
 * error only when nothing else was achieved. */
int feed_take_page(struct sql_feed *f, const struct feed_request *request,
                   const struct sql_results *results, struct feed_page page, uint64_t upto,
                   struct feed_answer *answer, mneme_error *error);

/* ---- feed_refuse.c --------------------------------------------------------------------------- */

/* Whether a failure is a server's judgement on what it was sent, and not of its own state. */
bool feed_is_refusal(int status);
/* Find those of `count` mutations that the server refuses, by trying; errors[i].code is set for
 * them. An error that is no refusal ends the search. */
int feed_find_refused(struct sql_feed *f, struct mutation *mutations, size_t count,
                      mneme_error *errors, mneme_error *error);

/* ---- feed_peers.c ---------------------------------------------------------------------------- */

int sql_feed_peers(struct feed *feed, struct feed_peer *peers, size_t room, size_t *count,
                   mneme_error *error);
int sql_feed_collect(struct feed *feed, int64_t keep_us, uint64_t *collected, mneme_error *error);

#endif
