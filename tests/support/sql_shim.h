/*
 * sql_shim.h - a driver before a driver, that does what servers do to an sql store now and then.
 */
#ifndef MNEME_TESTS_SQL_SHIM_H
#define MNEME_TESTS_SQL_SHIM_H

#include "store/sql.h"
#include "store/sql/sqlite.h"

struct sql_shim {
    struct sql_driver base;
    struct sql_driver *below;
    bool loses_answers; /* run every program that writes twice, and answer with the second time */
    size_t rows_max;    /* MNEME_TOO_LARGE for answers with more rows; 0: no limit */
    bool refuses_sizes; /* fail the steps that ask for the size of the file */
    size_t fails_after; /* MNEME_UNCERTAIN for the programs that write after so many; 0: none */
    size_t writes, reads, refusals; /* programs so far */
    struct arena late;              /* a copy of the last program that failed so */
    struct sql_program held;
};

/* A store on an SQLite file behind a shim, which belongs to the store. */
int shim_open(const char *path, const struct sql_options *options, struct sql_shim **shim,
              struct store **out, mneme_error *error);

/* Let the last program that was answered with MNEME_UNCERTAIN reach the file after all. */
int shim_deliver(struct sql_shim *shim, struct sql_results *results, mneme_error *error);

/* Run one statement on the file, beside the store; its values are as written in the text. */
int shim_execute(struct sql_shim *shim, const char *sql, mneme_error *error);
/* The number in the one row and column that a SELECT answers with; INT64_MIN: there is none. */
int64_t shim_number(struct sql_shim *shim, const char *sql);

#endif
