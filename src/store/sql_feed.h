/*
 * sql_feed.h - the remote side of sync (feed.h) in the tables of an sql store.
 *
 * How it works. An exchange is one program of the driver, so one request to a server: a row of the
 * view mneme_exchange begins it, the pushes are rows of mneme_push and mneme_apply, and after the
 * COMMIT, when nobody has to wait for it any more, the page of what is new is read. A quiet one is
 * one SELECT, which a replica may answer. Peers have a row each in the table mneme_peer
 * (docs/sql.md).
 *
 * Pages have as many records as are meant to fit into 4 MiB, by the mean size of what was read
 * lately. Chunks of long bodies are fetched afterwards; a record that changed meanwhile, and what
 * follows it, is left for the next exchange.
 *
 * Where the server gives hints (sqld), feed_wait listens to them from its first call on; what this
 * feed pushes itself is hinted at, too.
 *
 * When a server refuses pushes, halving finds out which, in transactions that are rolled back. Then
 * the exchange is made without them.
 */
#ifndef MNEME_STORE_SQL_FEED_H
#define MNEME_STORE_SQL_FEED_H

#include "store/feed.h"

/* `sql` must be a store of sql_store_open; it is borrowed, must outlive the feed, and may serve
 * others meanwhile. MNEME_NO_MEMORY. */
int sql_feed_open(struct store *sql, struct feed **out, mneme_error *error);

#endif
