/*
 * listen.h - hints of a server that a table may have changed.
 *
 * sqld answers GET /beta/listen?table=T with server-sent events: one for each transaction that
 * changed rows of T, as it is committed. What sqld 0.24 was seen to do:
 * - Rows that a trigger writes count, those of an INSTEAD OF trigger, too; a transaction that is
 *   rolled back does not. The event comes with the answer to the writer, about 1 ms after COMMIT.
 * - A view, or a table that is not there, may be listened to as well, and never changes.
 * - A comment comes every 15 seconds, so silence means that the server is gone.
 * - The token must be one that may read; without it the answer is 401. A token that expires
 *   meanwhile does not end it.
 * - /dev/NAME/beta/listen is 404: there the namespace goes in a header. A namespace that is deleted
 *   does not end it.
 * - A replica that knows its primary's address answers 307. That is not followed, for the token
 *   would go to a server that the user has not named. A replica that does not know it listens to
 *   itself, where changes from the primary do not count: no hint ever comes.
 * - A server that is told to end (SIGTERM) takes no new connection, but waits for those who listen
 *   for as long as they do; sqld is then killed by whoever is in charge of it.
 * So hints let pollers sleep longer, but they do not replace looking.
 *
 * Model. A thread that listens, and listens again when that ends: after pause_ms, which doubles up
 * to pause_max_ms unless it had listened for longer than the pause before it was. A server that has
 * no such thing (404 and other refusals, another content type) is asked again after absent_ms only.
 *
 * Threads. One of its own, which calls `changed`; all signals are blocked there. In a child after
 * fork() there is none: it is not live, MNEME_FORKED, and hrana_listener_close leaves it as it is.
 */
#ifndef MNEME_STORE_SQL_HRANA_LISTEN_H
#define MNEME_STORE_SQL_HRANA_LISTEN_H

#include "store/sql/driver.h"

/* 0 is the default, which stands behind each. */
struct hrana_listen_options {
    const char *table; /* letters, digits and '_'; required */
    /* Something may have changed: there was an event, or listening began (what happened before it,
     * nobody knows). Several events may be one call. Must not take long, nor close the listener. */
    void (*changed)(void *context);
    void *context;
    uint32_t silence_ms;   /* 40,000 */
    uint32_t pause_ms;     /* 1,000 */
    uint32_t pause_max_ms; /* 60,000 */
    uint32_t absent_ms;    /* 600,000 */
};

struct hrana_listener;

/* Nothing is asked of the server yet. The driver must outlive it. MNEME_UNSUPPORTED: a driver
 * without a server, or over a transport of tests. MNEME_INVALID: the table's name. MNEME_IO: no
 * file descriptor or thread is left. MNEME_NO_MEMORY. */
int hrana_listener_open(struct sql_driver *driver, const struct hrana_listen_options *options,
                        struct hrana_listener **out, mneme_error *error);

/* Hints arrive now. From any thread. */
bool hrana_listener_is_live(struct hrana_listener *listener);

/* 0: hints arrive, or nothing has failed yet; else what ended them last, and when it will be tried
 * again. MNEME_UNSUPPORTED: the server has none. From any thread. */
int hrana_listener_status(struct hrana_listener *listener, mneme_error *error);

/* Within milliseconds, whatever the server does; then `changed` is not called any more. NULL is
 * allowed. */
void hrana_listener_close(struct hrana_listener *listener);

/* The pause that follows one of before_us (0: none yet), after which it listened for listened_us.
 * Of it, half and a random part of the other half are waited. All options are set. */
int64_t hrana_listen_pause_us(const struct hrana_listen_options *options, int64_t before_us,
                              int64_t listened_us);

#endif
