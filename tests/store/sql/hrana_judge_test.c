/*
 * hrana_judge_test.c - what the driver makes of each kind of answer: by a script of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/hrana_script.h"

/* ---- Helpers ----------------------------------------------------------------------------- */

struct outcome {
    int status;
    mneme_error error;
    size_t requests;
    enum sql_outcome step;
    int step_status;
};

/* Run a program of one step. */
static struct outcome run_one(struct hrana_script *script, struct hrana_options options,
                              bool writes) {
    struct sql_driver *driver = script_driver(script, options);
    const struct sql_step step = {.sql = slice_of_string("SELECT 1")};
    const struct sql_program program = {.steps = &step, .count = 1, .writes = writes};
    AUTO_RESULTS struct sql_results results = {0};
    struct outcome outcome = {0};
    outcome.status = sql_run(driver, &program, &results, &outcome.error);
    outcome.requests = script->request_count;
    if (outcome.status == 0) {
        assert_int_equal(results.count, 1);
        outcome.step = results.steps[0].outcome;
        outcome.step_status = results.steps[0].status;
    } else {
        assert_int_equal(results.count, 0);
        assert_null(results.arena.first);
        assert_int_equal(outcome.error.code, outcome.status);
    }
    driver->operations->close(driver);
    return outcome;
}

static const struct hrana_options in_json = {.encoding = HRANA_JSON};

enum times { ONCE = 1, AGAIN = 3 }; /* attempts_max is 3 */

static void check_text(const struct outcome *o, const char *part) {
    if (!strstr(o->error.message, part))
        fail_msg("\"%s\" does not say \"%s\"", o->error.message, part);
}

/* The same answer to each attempt. */
static void check(struct script_answer answer, bool writes, enum times times, int status,
                  const char *part) {
    AUTO_SCRIPT struct hrana_script script;
    script_init(&script);
    for (int i = 0; i < AGAIN; i++)
        script_add(&script, answer);
    struct hrana_options options = in_json;
    options.net.attempts_max = AGAIN;
    struct outcome o = run_one(&script, options, writes);
    if (o.status != status || o.requests != times)
        fail_msg("HTTP %d, %s: %s after %zu requests: %s", answer.http, answer.body,
                 mneme_status_name(o.status), o.requests, o.error.message);
    check_text(&o, part);
}

static struct script_answer json(int http, const char *body) {
    return (struct script_answer){.http = http, .type = "application/json", .body = body};
}

static void check_code(const char *code, const char *message, enum times times, int reads,
                       int writes) {
    const char *body = script_failed(code, message);
    check(json(200, body), false, times, reads, message);
    check(json(200, body), true, times, writes, message);
}

/* ---- Answers ----------------------------------------------------------------------------- */

static void sql_hrana_run__gives_the_rows(void **state) {
    (void)state;
    AUTO_SCRIPT struct hrana_script script;
    script_init(&script);
    script_add_json(&script, 200, SCRIPT_ONE);
    struct outcome o = run_one(&script, in_json, false);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.step, SQL_DONE);
    const struct script_request *r = &script.requests[0];
    assert_string_equal(r->method, "POST");
    assert_string_equal(r->path, "/v3/pipeline");
    assert_string_equal(r->type, "application/json");
    assert_string_equal((const char *)r->body.data,
                        "{\"requests\":[{\"type\":\"batch\",\"batch\":{\"steps\":[{\"stmt\":"
                        "{\"sql\":\"SELECT 1\"}}]}},{\"type\":\"close\"}]}");
    assert_false(r->gzip);
}

static void sql_hrana_run__asks_for_gzip_off_loopback_only(void **state) {
    (void)state;
    AUTO_SCRIPT struct hrana_script script;
    script_init(&script);
    script_add_json(&script, 200, SCRIPT_ONE);
    struct hrana_options options = in_json;
    options.net.url = "libsql://db.example";
    assert_int_equal(run_one(&script, options, false).status, 0);
    assert_true(script.requests[0].gzip);
}

static void sql_hrana_run__leaves_a_steps_own_error_to_the_caller(void **state) {
    (void)state;
    static const struct {
        const char *code, *message;
        int status;
    } cases[] = {
        {"SQLITE_CONSTRAINT", "UNIQUE constraint failed: t.b", MNEME_CONFLICT},
        {"SQLITE_CONSTRAINT_UNIQUE", "UNIQUE constraint failed: t.b", MNEME_CONFLICT},
        {"SQLITE_UNKNOWN", "no such table: nope", MNEME_FAILURE},
        {"SQLITE_CONSTRAINTS", "not that one", MNEME_FAILURE},
        {"", "no code", MNEME_FAILURE},
        {"ARGS_INVALID", "wrong count", MNEME_FAILURE},
        {"ARGS_INVALID", "string or blob too big", MNEME_TOO_LARGE},
        {"SQLITE_TOOBIG", "string or blob too big", MNEME_TOO_LARGE},
        {"PROXY_ERROR", "error executing a request on the primary: UNIQUE constraint failed: t.b",
         MNEME_CONFLICT},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_SCRIPT struct hrana_script script;
        script_init(&script);
        script_add_json(&script, 200, script_failed(cases[i].code, cases[i].message));
        struct outcome o = run_one(&script, in_json, true);
        assert_int_equal(o.status, 0);
        assert_int_equal(o.step, SQL_FAILED);
        assert_int_equal(o.step_status, cases[i].status);
    }
}

static void sql_hrana_run__runs_again_what_another_writer_hindered(void **state) {
    (void)state;
    static const char *const codes[] = {"SQLITE_BUSY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_LOCKED",
                                        "TRANSACTION_TIMEOUT", "TRANSACTION_BUSY"};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        check_code(codes[i], "database is locked", AGAIN, MNEME_LOCKED, MNEME_LOCKED);
    check_code("PROXY_ERROR", "database is locked", AGAIN, MNEME_LOCKED, MNEME_LOCKED);
    check_code("STREAM_EXPIRED", "gone", AGAIN, MNEME_UNAVAILABLE, MNEME_UNAVAILABLE);
}

static void sql_hrana_run__goes_on_after_a_busy_answer(void **state) {
    (void)state;
    AUTO_SCRIPT struct hrana_script script;
    script_init(&script);
    script_add_json(&script, 200, script_failed("SQLITE_BUSY", "locked"));
    script_add_json(&script, 200, SCRIPT_ONE);
    struct sql_driver *driver = script_driver(&script, in_json);
    const struct sql_step step = {.sql = slice_of_string("SELECT 1")};
    const struct sql_program program = {.steps = &step, .count = 1, .writes = true};
    AUTO_RESULTS struct sql_results results = {0};
    assert_int_equal(sql_run(driver, &program, &results, NULL), 0);
    assert_int_equal(results.steps[0].outcome, SQL_DONE);
    struct sql_counters counters;
    driver->operations->counters(driver, &counters);
    assert_int_equal(counters.programs, 1);
    assert_int_equal(counters.repeats, 1);
    assert_int_equal(counters.net.attempts, 2);
    driver->operations->close(driver);
}

static void sql_hrana_run__runs_again_what_nobody_knows_the_end_of(void **state) {
    (void)state;
    static const char *const codes[] = {"SQLITE_NOMEM", "SQLITE_INTERRUPT", "PROXY_ERROR"};
    for (size_t i = 0; i < COUNT_OF(codes); i++)
        check_code(codes[i], "it broke", AGAIN, MNEME_UNAVAILABLE, MNEME_UNCERTAIN);
    check_code("SQLITE_IOERR_FSYNC", "it broke", AGAIN, MNEME_IO, MNEME_UNCERTAIN);
    check_code("SQLITE_CANTOPEN", "it broke", AGAIN, MNEME_IO, MNEME_UNCERTAIN);
}

/* [INSERT, COMMIT], which is answered so. */
static int run_answered(const char *body, struct sql_results *out, mneme_error *error) {
    AUTO_SCRIPT struct hrana_script script;
    script_init(&script);
    script_add_json(&script, 200, body);
    struct hrana_options options = in_json;
    options.net.attempts_max = 1;
    struct sql_driver *driver = script_driver(&script, options);
    const struct sql_step steps[] = {{.sql = slice_of_string("INSERT")},
                                     {.sql = slice_of_string("COMMIT")}};
    const struct sql_program program = {.steps = steps, .count = 2, .writes = true};
    int status = sql_run(driver, &program, out, error);
    driver->operations->close(driver);
    return status;
}

static int run_commit(const char *results, const char *errors, struct sql_results *out,
                      mneme_error *error) {
    char body[1000];
    snprintf(body, sizeof body,
             "{\"results\":[{\"response\":{\"result\":{\"step_results\":[%s],"
             "\"step_errors\":[%s]}}}]}",
             results, errors);
    return run_answered(body, out, error);
}

#define BROKE "{\"message\":\"disk I/O error\",\"code\":\"SQLITE_IOERR\"}"
#define FULL "{\"message\":\"full\",\"code\":\"SQLITE_FULL\"}"
#define DONE "{\"cols\":[],\"rows\":[]}"

static void sql_hrana_run__knows_the_end_of_what_was_not_committed(void **state) {
    (void)state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error = {0};
    assert_int_equal(run_commit("null,null", BROKE ",null", &results, &error), MNEME_IO);
    assert_non_null(strstr(error.message, "nothing was written, try again"));
    assert_int_equal(run_commit(DONE ",null", "null," BROKE, &results, &error), MNEME_UNCERTAIN);
    assert_non_null(strstr(error.message, "may or may not have been written"));
    assert_int_equal(run_answered("{\"results\":[{\"error\":" BROKE "}]}", &results, &error),
                     MNEME_UNCERTAIN);
}

static void sql_hrana_run__ends_with_what_would_not_change(void **state) {
    (void)state;
    check_code("SQLITE_FULL", "database or disk is full", ONCE, MNEME_NO_SPACE, MNEME_NO_SPACE);
    check_code("BLOCKED", "quota", ONCE, MNEME_NO_SPACE, MNEME_NO_SPACE);
    check_code("PROXY_ERROR", "blocked: quota", ONCE, MNEME_NO_SPACE, MNEME_NO_SPACE);
    check_code("SQLITE_READONLY", "attempt to write a readonly database", ONCE, MNEME_PERMISSION,
               MNEME_PERMISSION);
    check_code("SQLITE_AUTH", "no", ONCE, MNEME_PERMISSION, MNEME_PERMISSION);
    check_code("RESPONSE_TOO_LARGE", "over 10 MB", ONCE, MNEME_TOO_LARGE, MNEME_TOO_LARGE);
    check_code("SQLITE_CORRUPT_INDEX", "malformed", ONCE, MNEME_CORRUPT, MNEME_CORRUPT);
    check_code("SQLITE_NOTADB", "no database", ONCE, MNEME_CORRUPT, MNEME_CORRUPT);
    check(json(200, "{\"results\":[{\"type\":\"error\",\"error\":{\"message\":\"near x\",\"code\":"
                    "\"SQL_PARSE_ERROR\"}}]}"),
          true, ONCE, MNEME_FAILURE, "near x");
}

static void sql_hrana_run__leaves_a_committed_program_as_it_is(void **state) {
    (void)state;
    AUTO_RESULTS struct sql_results results = {0};
    assert_int_equal(run_commit("null," DONE, FULL ",null", &results, NULL), 0);
    assert_int_equal(results.steps[0].status, MNEME_NO_SPACE);
    assert_int_equal(run_commit("null," DONE, BROKE ",null", &results, NULL), 0);
    assert_int_equal(results.steps[0].status, MNEME_IO);
}

static void sql_hrana_run__does_not_believe_a_body_that_breaks_the_protocol(void **state) {
    (void)state;
    static const char *const bodies[] = {"<html>portal</html>", "{}", "{\"results\":[]}"};
    for (size_t i = 0; i < COUNT_OF(bodies); i++) {
        check(json(200, bodies[i]), false, AGAIN, MNEME_CORRUPT, "nothing was read");
        check(json(200, bodies[i]), true, AGAIN, MNEME_UNCERTAIN, "read it before");
    }
}

/* ---- HTTP -------------------------------------------------------------------------------- */

static void sql_hrana_run__ends_at_refusals(void **state) {
    (void)state;
    check(json(401, "{\"error\":\"Unauthorized: `The JWT has expired`\"}"), true, ONCE,
          MNEME_UNAUTHORIZED, "The JWT has expired");
    check(json(403, "{\"error\":\"Forbidden\"}"), true, ONCE, MNEME_PERMISSION, "read-only");
    check(json(403, "{\"error\":\"Forbidden\"}"), false, ONCE, MNEME_UNAUTHORIZED, "reading");
    check(json(404, "{\"error\":\"Namespace `127` doesn't exist\"}"), false, ONCE, MNEME_NOT_FOUND,
          "Namespace `127`");
    check(json(400, "bad JSON"), true, ONCE, MNEME_FAILURE, "bad JSON");
    check(json(413, "{}"), true, ONCE, MNEME_TOO_LARGE, "fewer records");
    check(json(301, "elsewhere"), true, ONCE, MNEME_FAILURE, "check the URL");
    check(json(505, ""), true, ONCE, MNEME_FAILURE, "505");
}

static void sql_hrana_run__tries_again_what_may_pass(void **state) {
    (void)state;
    check(json(429, "{\"error\":\"Too many concurrent requests\"}"), true, AGAIN, MNEME_UNAVAILABLE,
          "nothing was written, try again");
    static const int unknown[] = {408, 500, 502, 503, 504};
    for (size_t i = 0; i < COUNT_OF(unknown); i++) {
        check(json(unknown[i], "{\"error\":\"why\"}"), false, AGAIN, MNEME_UNAVAILABLE, "why");
        check(json(unknown[i], "why"), true, AGAIN, MNEME_UNCERTAIN,
              "may or may not have been written");
    }
}

static void sql_hrana_run__replays_what_a_lost_stream_took_with_it(void **state) {
    (void)state;
    static const struct {
        int http;
        const char *body;
    } cases[] = {
        {400, "{\"message\":\"The stream has expired\",\"code\":\"STREAM_EXPIRED\"}"},
        {400, "Received an invalid baton"},
        {400, "Received a baton that has already been used"},
        {404, "{\"error\":\"stream not found: abc\"}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        check(json(cases[i].http, cases[i].body), true, AGAIN, MNEME_UNAVAILABLE,
              "nothing was written, try again");
}

static void sql_hrana_run__knows_sent_from_unsent(void **state) {
    (void)state;
    const struct script_answer lost = {.sent = true, .body = ""}, unsent = {.body = ""};
    check(lost, true, AGAIN, MNEME_UNCERTAIN, "read it before");
    check(lost, false, AGAIN, MNEME_UNAVAILABLE, "try again");
    check(unsent, true, AGAIN, MNEME_UNAVAILABLE, "nothing was written, try again");
}

/* The last answer alone would say that nothing was written. */
static void sql_hrana_run__remembers_an_attempt_that_may_have_written(void **state) {
    (void)state;
    AUTO_SCRIPT struct hrana_script script;
    script_init(&script);
    script_add_lost(&script, true);
    script_add_json(&script, 401, "{\"error\":\"expired\"}");
    struct outcome o = run_one(&script, in_json, true);
    assert_int_equal(o.status, MNEME_UNCERTAIN);
    check_text(&o, "expired");
    check_text(&o, "may or may not have been written");
    assert_null(strstr(o.error.message, "nothing was written"));
}

static void sql_hrana_run__shows_texts_of_servers_clean_and_cut(void **state) {
    (void)state;
    char body[2000];
    memset(body, 'x', sizeof body);
    body[0] = '\x1b';
    body[sizeof body - 1] = 0;
    AUTO_SCRIPT struct hrana_script script;
    script_init(&script);
    script_add_text(&script, 403, body);
    struct outcome o = run_one(&script, in_json, true);
    assert_null(strchr(o.error.message, '\x1b'));
    check_text(&o, "; nothing was written");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_hrana_run__gives_the_rows),
        cmocka_unit_test(sql_hrana_run__asks_for_gzip_off_loopback_only),
        cmocka_unit_test(sql_hrana_run__leaves_a_steps_own_error_to_the_caller),
        cmocka_unit_test(sql_hrana_run__runs_again_what_another_writer_hindered),
        cmocka_unit_test(sql_hrana_run__goes_on_after_a_busy_answer),
        cmocka_unit_test(sql_hrana_run__runs_again_what_nobody_knows_the_end_of),
        cmocka_unit_test(sql_hrana_run__knows_the_end_of_what_was_not_committed),
        cmocka_unit_test(sql_hrana_run__ends_with_what_would_not_change),
        cmocka_unit_test(sql_hrana_run__leaves_a_committed_program_as_it_is),
        cmocka_unit_test(sql_hrana_run__does_not_believe_a_body_that_breaks_the_protocol),
        cmocka_unit_test(sql_hrana_run__ends_at_refusals),
        cmocka_unit_test(sql_hrana_run__tries_again_what_may_pass),
        cmocka_unit_test(sql_hrana_run__replays_what_a_lost_stream_took_with_it),
        cmocka_unit_test(sql_hrana_run__knows_sent_from_unsent),
        cmocka_unit_test(sql_hrana_run__remembers_an_attempt_that_may_have_written),
        cmocka_unit_test(sql_hrana_run__shows_texts_of_servers_clean_and_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
