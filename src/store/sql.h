/*
 * sql.h - the store in the libSQL dialect, over a driver: a local SQLite file, or a server such as
 * Turso Cloud or sqld. The tables are described in docs/sql.md, for people with an SQL shell.
 *
 * How it writes. One call of store_apply is one transaction in one round trip: the mutations are
 * rows of an INSERT into the view mneme_apply, whose trigger tests the conditions, gives versions,
 * change numbers and places, and keeps the tables true. When a condition fails, and there are other
 * batches, a second round trip sends each batch as a statement of its own. Every transaction has an
 * id, kept with its outcome for an hour: when an answer is lost, the same request finds it there.
 *
 * After MNEME_UNCERTAIN the next call of the store settles the matter before it does anything else:
 * the transaction is there then, or never will be (settle.c).
 *
 * Limits. As store.h, but that the attributes of a record, as JSON, may have 4 MiB: servers refuse
 * rows of 5 MB.
 */
#ifndef MNEME_STORE_SQL_H
#define MNEME_STORE_SQL_H

#include "store/sql/driver.h"
#include "store/store.h"

struct sql_options {
    bool must_exist; /* MNEME_NOT_FOUND when there are no tables of mneme */
    bool read_only;
};

/*
 * Takes the driver, and closes it with itself; on failure it stays the caller's. Makes the tables
 * when there are none, and changes those of an older format. MNEME_NEWER_FORMAT: made by a newer
 * version; nothing was touched. MNEME_CORRUPT: tables of these names that are not ours. Others as
 * the driver's.
 */
int sql_store_open(struct sql_driver *driver, const struct sql_options *options, struct store **out,
                   mneme_error *error);

/* Since the store was opened. */
void sql_store_counters(struct store *store, struct sql_counters *out);

#endif
