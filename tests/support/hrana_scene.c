/*
 * hrana_scene.c - the helpers of hrana_scene.h.
 */
#include "support/hrana_scene.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void start_server(struct sqld *server, const struct sqld_options *options) {
    mneme_error error = {0};
    if (sqld_start(options, server, &error) != 0)
        fail_msg("%s", error.message);
}

struct sql_driver *open_driver(struct hrana_options options) {
    struct sql_driver *driver;
    mneme_error error = {0};
    if (hrana_driver_open(&options, &driver, &error) != 0)
        fail_msg("%s", error.message);
    return driver;
}

void close_driver(struct sql_driver **driver) {
    if (*driver)
        (*driver)->operations->close(*driver);
    *driver = NULL;
}

int run_sql(struct sql_driver *driver, bool writes, const char *sql, struct sql_results *results,
            mneme_error *error) {
    const struct sql_step step = {.sql = slice_of_string(sql)};
    const struct sql_program program = {.steps = &step, .count = 1, .writes = writes};
    return sql_run(driver, &program, results, error);
}

void do_sql(struct sql_driver *driver, bool writes, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error = {0};
    if (run_sql(driver, writes, sql, &results, &error) != 0)
        fail_msg("%s: %s", sql, error.message);
    if (results.steps[0].outcome != SQL_DONE)
        fail_msg("%s: %s", sql, results.steps[0].message);
}

int64_t get_integer(struct sql_driver *driver, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error = {0};
    if (run_sql(driver, false, sql, &results, &error) != 0)
        fail_msg("%s: %s", sql, error.message);
    const struct sql_step_result *result = &results.steps[0];
    if (result->outcome != SQL_DONE || result->rows != 1)
        fail_msg("%s: %s", sql, result->message ? result->message : "not one row");
    assert_int_equal(result->values[0].type, SQL_INTEGER);
    return result->values[0].integer;
}

int run_transaction(struct sql_driver *driver, const struct sql_step *steps, size_t count,
                    struct sql_results *results, mneme_error *error) {
    struct sql_step all[32] = {{.sql = slice_of_string("BEGIN IMMEDIATE")}};
    assert_true(count + 3 <= COUNT_OF(all));
    for (size_t i = 0; i < count; i++) {
        all[i + 1] = steps[i];
        all[i + 1].guard = SQL_IF_DONE;
        all[i + 1].guard_step = i;
    }
    all[count + 1] = (struct sql_step){
        .sql = slice_of_string("COMMIT"), .guard = SQL_IF_DONE, .guard_step = count};
    all[count + 2] = (struct sql_step){
        .sql = slice_of_string("ROLLBACK"), .guard = SQL_IF_NOT_DONE, .guard_step = count + 1};
    const struct sql_program program = {.steps = all, .count = count + 3, .writes = true};
    return sql_run(driver, &program, results, error);
}
