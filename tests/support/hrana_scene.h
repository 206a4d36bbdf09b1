/*
 * hrana_scene.h - a real server with a driver on it, and programs in short.
 */
#ifndef MNEME_TESTS_HRANA_SCENE_H
#define MNEME_TESTS_HRANA_SCENE_H

#include "bench/sqld.h"
#include "store/sql/hrana.h"

/* Fails the test when it does not start. */
void start_server(struct sqld *server, const struct sqld_options *options);
struct sql_driver *open_driver(struct hrana_options options);
void close_driver(struct sql_driver **driver);
#define AUTO_DRIVER CLEANUP(close_driver)

/* Run one statement; what sql_run gives. */
int run_sql(struct sql_driver *driver, bool writes, const char *sql, struct sql_results *results,
            mneme_error *error);
/* The same, and fail the test unless it is done. */
void do_sql(struct sql_driver *driver, bool writes, const char *sql);
/* The integer that a SELECT gives. */
int64_t get_integer(struct sql_driver *driver, const char *sql);
/* Run statements as a transaction that ends clean: [BEGIN IMMEDIATE, …, COMMIT, ROLLBACK]; each
 * needs the one before it. The results are of all these steps. */
int run_transaction(struct sql_driver *driver, const struct sql_step *steps, size_t count,
                    struct sql_results *results, mneme_error *error);

#endif
