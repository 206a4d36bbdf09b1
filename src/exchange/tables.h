/*
 * tables.h - inside the format sqlite: opening an SQLite file that somebody else made.
 *
 * The file may be hostile. It is opened for reading only; its views, triggers and virtual tables
 * are never used, its schema may call no function that is not harmless, and an authorizer refuses
 * all but reading.
 */
#ifndef MNEME_EXCHANGE_TABLES_H
#define MNEME_EXCHANGE_TABLES_H

#include <sqlite3.h>

#include "base/base.h"

struct tables {
    sqlite3 *db;
    const char *path;
};

/* Opens it and begins to read: all that follows is of one moment. Close in any case.
 * MNEME_INVALID: no SQLite database. MNEME_CORRUPT, MNEME_LOCKED, MNEME_PERMISSION, MNEME_IO. */
int tables_open(struct tables *tables, const char *path, mneme_error *error);
void tables_close(struct tables *tables); /* tolerant of {0} */

/* Whether there is a plain table of that name, an identifier, with that column. MNEME_INVALID: it
 * has computed columns. */
int tables_has(struct tables *tables, const char *table, const char *column, bool *out,
               mneme_error *error);

/* To be finalized with sqlite3_finalize, which takes NULL. */
int tables_prepare(struct tables *tables, const char *sql, sqlite3_stmt **out, mneme_error *error);

/* What SQLite says, in our words: the border. */
int tables_fail(const struct tables *tables, int rc, mneme_error *error);

#endif
