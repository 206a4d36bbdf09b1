/*
 * hrana_sqld_test.c - the driver against a real server, in both encodings.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/os.h"
#include "support/hrana_scene.h"

static struct sqld server;
static const enum hrana_encoding encodings[] = {HRANA_JSON, HRANA_PROTOBUF};

static struct sql_driver *open_server(enum hrana_encoding encoding) {
    return open_driver((struct hrana_options){.net.url = server.url, .encoding = encoding});
}

static void empty_table(struct sql_driver *driver, const char *columns) {
    AUTO_BUF struct buf sql = BUF_INIT(500);
    do_sql(driver, true, "DROP TABLE IF EXISTS t");
    buf_printf(&sql, "CREATE TABLE t(%s)", columns);
    buf_append_byte(&sql, 0);
    do_sql(driver, true, (const char *)sql.data);
}

/* ---- Values ------------------------------------------------------------------------------ */

static void check_equal(const struct sql_value *got, const struct sql_value *put) {
    assert_int_equal(got->type, put->type);
    if (got->type == SQL_INTEGER)
        assert_true(got->integer == put->integer);
    if (got->type == SQL_REAL)
        assert_true(got->real == put->real);
    if (got->type == SQL_TEXT || got->type == SQL_BLOB)
        assert_true(slice_equal(got->bytes, put->bytes));
}

/* Through a table, and as they are. */
static void check_round_trip(struct sql_driver *driver, const struct sql_value *values,
                             size_t count) {
    empty_table(driver, "n INTEGER PRIMARY KEY, v");
    for (size_t i = 0; i < count; i++) {
        const struct sql_value args[] = {sql_integer((int64_t)i), values[i]};
        const struct sql_step insert = {
            .sql = slice_of_string("INSERT INTO t VALUES(?,?)"), .args = args, .arg_count = 2};
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        if (run_transaction(driver, &insert, 1, &results, &error) != 0)
            fail_msg("value %zu: %s", i, error.message);
        assert_int_equal(results.steps[2].outcome, SQL_DONE);
        assert_int_equal(results.steps[3].outcome, SQL_SKIPPED);
    }
    AUTO_RESULTS struct sql_results results = {0};
    assert_int_equal(run_sql(driver, false, "SELECT v FROM t ORDER BY n", &results, NULL), 0);
    assert_int_equal(results.steps[0].rows, count);
    for (size_t i = 0; i < count; i++)
        check_equal(&results.steps[0].values[i], &values[i]);
}

static void sql_hrana__carries_all_values(void **state) {
    (void)state;
    static uint8_t every_byte[3000];
    for (size_t i = 0; i < sizeof every_byte; i++)
        every_byte[i] = (uint8_t)(i * 151);
    const struct sql_value values[] = {
        sql_null(),
        sql_integer(0),
        sql_integer(-1),
        sql_integer(INT64_MIN),
        sql_integer(INT64_MAX),
        {.type = SQL_REAL, .real = 0.1},
        {.type = SQL_REAL, .real = -1e300},
        {.type = SQL_REAL, .real = 5e-324},
        {.type = SQL_REAL, .real = 1.0},
        sql_text(slice_of("", 0)),
        sql_text(slice_of("a\0b", 3)),
        sql_text(
            slice_of_string("\"\\/\b\f\n\r\t\x01\x1f\x7f \xc3\xa9 \xf0\x9f\x98\x80 \xe2\x80\xa8")),
        sql_blob(slice_of("", 0)),
        sql_blob(slice_of("\0", 1)),
        sql_blob(slice_of("\xfb\xff", 2)),
        sql_blob(slice_of(every_byte, sizeof every_byte)),
    };
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        check_round_trip(driver, values, COUNT_OF(values));
    }
}

static void sql_hrana__carries_infinity_in_protobuf_only(void **state) {
    (void)state;
    const struct sql_value values[] = {{.type = SQL_REAL, .real = (double)INFINITY},
                                       {.type = SQL_REAL, .real = -(double)INFINITY}};
    AUTO_DRIVER struct sql_driver *proto = open_server(HRANA_PROTOBUF);
    check_round_trip(proto, values, COUNT_OF(values));
    AUTO_DRIVER struct sql_driver *json = open_server(HRANA_JSON);
    AUTO_RESULTS struct sql_results results = {0};
    assert_int_equal(run_sql(json, false, "SELECT v FROM t", &results, NULL), 0);
    assert_true(results.steps[0].values[0].type == SQL_REAL);
    assert_true(isnan(results.steps[0].values[0].real));
}

static void sql_hrana__gives_rows_in_their_order(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        AUTO_RESULTS struct sql_results results = {0};
        assert_int_equal(run_sql(driver, false,
                                 "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n+1 FROM c "
                                 "WHERE n<2999) SELECT n, n*2, NULL FROM c",
                                 &results, NULL),
                         0);
        const struct sql_step_result *r = &results.steps[0];
        assert_true(r->rows == 3000 && r->columns == 3);
        for (size_t n = 0; n < 3000; n++)
            assert_true(r->values[3 * n].integer == (int64_t)n &&
                        r->values[3 * n + 1].integer == (int64_t)n * 2 &&
                        r->values[3 * n + 2].type == SQL_NULL);
    }
}

static void sql_hrana__gives_an_empty_result_its_columns(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        AUTO_RESULTS struct sql_results results = {0};
        assert_int_equal(run_sql(driver, false, "SELECT 1, 2 WHERE 0", &results, NULL), 0);
        assert_int_equal(results.steps[0].outcome, SQL_DONE);
        assert_int_equal(results.steps[0].rows, 0);
        assert_int_equal(results.steps[0].columns, 2);
    }
}

/* ---- Programs ---------------------------------------------------------------------------- */

static void sql_hrana__rolls_back_a_program_with_a_failed_step(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        empty_table(driver, "v UNIQUE");
        const struct sql_step steps[] = {{.sql = slice_of_string("INSERT INTO t VALUES(1)")},
                                         {.sql = slice_of_string("INSERT INTO t VALUES(1)")},
                                         {.sql = slice_of_string("INSERT INTO t VALUES(2)")}};
        AUTO_RESULTS struct sql_results results = {0};
        assert_int_equal(run_transaction(driver, steps, 3, &results, NULL), 0);
        const struct sql_step_result *s = results.steps;
        assert_int_equal(s[1].outcome, SQL_DONE);
        assert_int_equal(s[2].outcome, SQL_FAILED);
        assert_int_equal(s[2].status, MNEME_CONFLICT);
        assert_non_null(strstr(s[2].message, "UNIQUE constraint failed: t.v"));
        assert_int_equal(s[3].outcome, SQL_SKIPPED);
        assert_int_equal(s[4].outcome, SQL_SKIPPED);
        assert_int_equal(s[5].outcome, SQL_DONE);
        assert_int_equal(get_integer(driver, "SELECT count(*) FROM t"), 0);
    }
}

static void sql_hrana__keeps_nothing_of_a_transaction_left_open(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        empty_table(driver, "v");
        const struct sql_step steps[] = {{.sql = slice_of_string("BEGIN IMMEDIATE")},
                                         {.sql = slice_of_string("INSERT INTO t VALUES(1)")}};
        const struct sql_program program = {.steps = steps, .count = 2, .writes = true};
        AUTO_RESULTS struct sql_results results = {0};
        assert_int_equal(sql_run(driver, &program, &results, NULL), 0);
        assert_int_equal(results.steps[1].outcome, SQL_DONE);
        assert_int_equal(get_integer(driver, "SELECT count(*) FROM t"), 0);
    }
}

static void sql_hrana__holds_a_skipped_step_for_not_done(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        const struct sql_step steps[] = {
            {.sql = slice_of_string("SELECT * FROM there_is_no_such_table")},
            {.sql = slice_of_string("SELECT 1"), .guard = SQL_IF_DONE, .guard_step = 0},
            {.sql = slice_of_string("SELECT 2"), .guard = SQL_IF_NOT_DONE, .guard_step = 1},
            {.sql = slice_of_string("SELECT 3"), .guard = SQL_IF_NOT_DONE, .guard_step = 2},
            {.sql = slice_of_string("SELECT 4"), .guard = SQL_IF_DONE, .guard_step = 2}};
        const struct sql_program program = {.steps = steps, .count = 5};
        AUTO_RESULTS struct sql_results results = {0};
        assert_int_equal(sql_run(driver, &program, &results, NULL), 0);
        const enum sql_outcome expected[] = {SQL_FAILED, SQL_SKIPPED, SQL_DONE, SQL_SKIPPED,
                                             SQL_DONE};
        for (size_t k = 0; k < 5; k++)
            assert_int_equal(results.steps[k].outcome, expected[k]);
        assert_int_equal(results.steps[0].status, MNEME_FAILURE);
        assert_int_equal(results.steps[4].values[0].integer, 4);
    }
}

static void sql_hrana__tells_of_statements_the_server_refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        assert_int_equal(run_sql(driver, true, "SELEC 1", &results, &error), MNEME_FAILURE);
        assert_non_null(strstr(error.message, "SELEC"));
        assert_non_null(strstr(error.message, "nothing was written"));
        assert_int_equal(results.count, 0);
    }
}

/* ---- Limits ------------------------------------------------------------------------------ */

static void sql_hrana__says_that_a_value_is_too_large(void **state) {
    (void)state;
    enum { SIZE = 6 << 20 };
    AUTO_FREE uint8_t *bytes = mem_zalloc(SIZE, 1);
    assert_non_null(bytes);
    const struct sql_value value = sql_blob(slice_of(bytes, SIZE));
    const struct sql_step insert = {
        .sql = slice_of_string("INSERT INTO t VALUES(?)"), .args = &value, .arg_count = 1};
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        empty_table(driver, "v");
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        int status = run_transaction(driver, &insert, 1, &results, &error);
        if (status)
            fail_msg("%s", error.message);
        assert_int_equal(results.steps[1].outcome, SQL_FAILED);
        assert_int_equal(results.steps[1].status, MNEME_TOO_LARGE);
        assert_int_equal(get_integer(driver, "SELECT count(*) FROM t"), 0);
    }
}

static void sql_hrana__says_that_an_answer_is_too_large(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        empty_table(driver, "v");
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        do_sql(driver, true, "INSERT INTO t VALUES(randomblob(4000000)),(randomblob(4000000))");
        assert_int_equal(run_sql(driver, false, "SELECT v FROM t", &results, &error), 0);
        assert_int_equal(results.steps[0].rows, 2);
        do_sql(driver, true, "INSERT INTO t VALUES(randomblob(4000000))");
        assert_int_equal(run_sql(driver, false, "SELECT v FROM t", &results, &error),
                         MNEME_TOO_LARGE);
        assert_non_null(strstr(error.message, "ask for less"));
        do_sql(driver, true, "DROP TABLE t");
    }
}

/* ---- Many at once ------------------------------------------------------------------------ */

enum { WRITERS = 8, PROGRAMS = 20 };

struct writer {
    pthread_t thread;
    struct sql_driver *driver;
    int64_t number;
    int failed;
    mneme_error error;
};

static void *write_many(void *argument) {
    struct writer *w = argument;
    for (int64_t i = 0; i < PROGRAMS && !w->failed; i++) {
        const struct sql_value args[] = {sql_integer(w->number), sql_integer(i)};
        const struct sql_step steps[] = {
            {.sql = slice_of_string("INSERT INTO t VALUES(?,?)"), .args = args, .arg_count = 2},
            {.sql = slice_of_string("UPDATE sum SET n=n+1")}};
        AUTO_RESULTS struct sql_results results = {0};
        w->failed = run_transaction(w->driver, steps, 2, &results, &w->error);
        if (!w->failed && results.steps[3].outcome != SQL_DONE)
            w->failed = MNEME_FAILURE;
    }
    return NULL;
}

/* All are joined before anything is asserted: a case that fails returns at once, and its stack,
 * with the writers and the driver, must not be in use then. */
static void run_writers(struct sql_driver *driver) {
    struct writer writers[WRITERS];
    size_t started = 0;
    for (int status = 0; started < WRITERS && status == 0; started += status == 0) {
        writers[started] = (struct writer){.driver = driver, .number = (int64_t)started};
        status = thread_start(&writers[started].thread, write_many, &writers[started], NULL);
    }
    for (size_t n = 0; n < started; n++)
        pthread_join(writers[n].thread, NULL);
    assert_int_equal(started, WRITERS);
    for (size_t n = 0; n < WRITERS; n++)
        if (writers[n].failed)
            fail_msg("writer %zu: %s", n, writers[n].error.message);
}

static void sql_hrana__serves_many_writers(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_server(encodings[i]);
        empty_table(driver, "a, b, UNIQUE(a, b)");
        do_sql(driver, true, "CREATE TABLE IF NOT EXISTS sum(n)");
        do_sql(driver, true, "DELETE FROM sum");
        do_sql(driver, true, "INSERT INTO sum VALUES(0)");
        run_writers(driver);
        assert_int_equal(get_integer(driver, "SELECT count(*) FROM t"), WRITERS * PROGRAMS);
        assert_int_equal(get_integer(driver, "SELECT n FROM sum"), WRITERS * PROGRAMS);
    }
}

static void sql_hrana__asks_for_protobuf_once_on_one_connection(void **state) {
    (void)state;
    AUTO_DRIVER struct sql_driver *driver = open_server(HRANA_AUTO);
    assert_int_equal(get_integer(driver, "SELECT 7"), 7);
    struct sql_counters counters;
    driver->operations->counters(driver, &counters);
    assert_int_equal(counters.programs, 1);
    assert_int_equal(counters.net.calls, 2);
    assert_int_equal(get_integer(driver, "SELECT 8"), 8);
    driver->operations->counters(driver, &counters);
    assert_int_equal(counters.net.calls, 3);
    assert_int_equal(counters.net.connects, 1);
}

/* ---- The probe --------------------------------------------------------------------------- */

static void sql_hrana_probe__tells_what_it_found(void **state) {
    (void)state;
    AUTO_DRIVER struct sql_driver *driver = open_server(HRANA_AUTO);
    struct hrana_probe probe;
    mneme_error error = {0};
    if (hrana_probe(driver, &probe, &error) != 0)
        fail_msg("%s", error.message);
    assert_true(probe.v2 && probe.v3 && probe.protobuf && probe.reads && probe.writes);
    assert_true(probe.connect_us > 0 && probe.latency_us > 0);
    assert_non_null(strstr(probe.server, "sqld"));
    assert_true(probe.skew_known && !probe.replica_ok);
    assert_in_range(probe.skew_us + 60000000, 0, 120000000);
    assert_int_equal(
        get_integer(driver, "SELECT count(*) FROM sqlite_master WHERE name='mneme_probe'"), 0);
}

static void sql_hrana_probe__says_that_nobody_answers(void **state) {
    (void)state;
    AUTO_DRIVER struct sql_driver *driver =
        open_driver((struct hrana_options){.net.url = "http://127.0.0.1:1", .net.attempts_max = 1});
    struct hrana_probe probe;
    mneme_error error = {0};
    assert_int_equal(hrana_probe(driver, &probe, &error), MNEME_UNAVAILABLE);
    assert_non_null(strstr(error.message, "127.0.0.1:1"));
    assert_false(probe.reads || probe.v3);
}

static int group_setup(void **state) {
    (void)state;
    start_server(&server, NULL);
    return 0;
}
static int group_teardown(void **state) {
    (void)state;
    sqld_stop(&server);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_hrana__carries_all_values),
        cmocka_unit_test(sql_hrana__carries_infinity_in_protobuf_only),
        cmocka_unit_test(sql_hrana__gives_rows_in_their_order),
        cmocka_unit_test(sql_hrana__gives_an_empty_result_its_columns),
        cmocka_unit_test(sql_hrana__rolls_back_a_program_with_a_failed_step),
        cmocka_unit_test(sql_hrana__keeps_nothing_of_a_transaction_left_open),
        cmocka_unit_test(sql_hrana__holds_a_skipped_step_for_not_done),
        cmocka_unit_test(sql_hrana__tells_of_statements_the_server_refuses),
        cmocka_unit_test(sql_hrana__says_that_a_value_is_too_large),
        cmocka_unit_test(sql_hrana__says_that_an_answer_is_too_large),
        cmocka_unit_test(sql_hrana__serves_many_writers),
        cmocka_unit_test(sql_hrana__asks_for_protobuf_once_on_one_connection),
        cmocka_unit_test(sql_hrana_probe__tells_what_it_found),
        cmocka_unit_test(sql_hrana_probe__says_that_nobody_answers),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
