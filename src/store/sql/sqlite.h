/*
 * sqlite.h - the driver for a local SQLite file.
 *
 * WAL, synchronous=FULL, foreign keys off; writers
 * begin with BEGIN IMMEDIATE and wait for each other with jittered pauses, across processes, at
 * most busy_ms. Connections are pooled and belong to one thread at a time; each keeps its prepared
 * statements by their text, at most `statements` of them, the longest unused dropped first, all of
 * them dropped when the schema changes and each prepared anew after refresh_s.
 */
#ifndef MNEME_STORE_SQL_SQLITE_H
#define MNEME_STORE_SQL_SQLITE_H

#include "store/sql/driver.h"

struct sqlite_options { /* 0: the default behind each */
    bool must_exist;
    bool read_only;
    bool allow_network_filesystem;
    uint32_t connections; /* kept open: 8 */
    uint32_t statements;  /* a connection: 64 */
    uint32_t refresh_s;   /* 600 */
    uint32_t busy_ms;     /* 10,000 */
};

/* `path` without "file:". A new file is made with mode 0600, its missing directories with 0700.
 * Errors as mneme_open, with MNEME_CORRUPT for what is no SQLite database. */
int sqlite_driver_open(const char *path, const struct sqlite_options *options,
                       struct sql_driver **out, mneme_error *error);

#endif
