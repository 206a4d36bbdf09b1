/*
 * hrana_streams_test.c - reads over streams that a server keeps open: what the requests say, what
 * happens when a stream is gone, and a real server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/hrana_scene.h"
#include "support/hrana_script.h"

enum { COLD = 5 }; /* reads in a row before one keeps its stream */

/* ---- Scripts --------------------------------------------------------------------------------- */

struct scene {
    struct hrana_script script;
    struct sql_driver *driver;
    char answers[16][1200];
    size_t answer_count;
};

static void scene_init(struct scene *scene) {
    script_init(&scene->script);
    scene->driver = script_driver(&scene->script, (struct hrana_options){.encoding = HRANA_JSON});
    scene->answer_count = 0;
}
static void scene_fini(struct scene *scene) {
    script_add_json(&scene->script, 200, "{}"); /* to the closing of what was kept */
    scene->driver->operations->close(scene->driver);
    script_fini(&scene->script);
}
#define AUTO_SCENE CLEANUP(scene_fini)

/* The answer to a read, with these two members in front. */
static void add_answer(struct scene *scene, const char *baton, const char *base_url) {
    char *text = scene->answers[scene->answer_count++];
    snprintf(text, sizeof scene->answers[0], "{\"baton\":%s,\"base_url\":%s,%s", baton, base_url,
             strstr(SCRIPT_ONE, "\"results\""));
    script_add_json(&scene->script, 200, text);
}

static int run(struct scene *scene, bool writes, mneme_error *error) {
    const struct sql_step step = {.sql = slice_of_string("SELECT 1")};
    const struct sql_program program = {.steps = &step, .count = 1, .writes = writes};
    AUTO_RESULTS struct sql_results results = {0};
    int status = sql_run(scene->driver, &program, &results, error);
    if (status == 0)
        assert_int_equal(results.steps[0].values[0].integer, 1);
    return status;
}

static void run_ok(struct scene *scene, bool writes) {
    mneme_error error = {0};
    if (run(scene, writes, &error) != 0)
        fail_msg("%s", error.message);
}

/* Whether the last request closed its stream, and over which it went ("" for none). */
static void check_last(const struct scene *scene, bool closes, const char *baton) {
    const struct script_request *r = &scene->script.requests[scene->script.request_count - 1];
    struct slice body = buf_slice(&r->body);
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"baton\":\"%s\"}", baton);
    bool closed = memmem(body.data, body.size, "\"close\"", 7) != NULL;
    bool has = memmem(body.data, body.size, wanted, strlen(wanted)) != NULL;
    bool any = memmem(body.data, body.size, "baton", 5) != NULL;
    assert_int_equal(closed, closes);
    assert_int_equal(has || (!any && !*baton), true);
}

static void warm(struct scene *scene) {
    for (int i = 0; i < COLD; i++) {
        add_answer(scene, "null", "null");
        run_ok(scene, false);
        check_last(scene, true, "");
    }
    add_answer(scene, "\"b1\"", "null");
    run_ok(scene, false);
    check_last(scene, false, "");
}

static void sql_hrana_stream__is_kept_by_reads_in_a_row(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene);
    warm(&scene);
    add_answer(&scene, "\"b2\"", "null");
    run_ok(&scene, false);
    check_last(&scene, false, "b1");
    add_answer(&scene, "null", "null");
    run_ok(&scene, true); /* a write goes by itself */
    check_last(&scene, true, "");
    add_answer(&scene, "null", "null"); /* the server closes it */
    run_ok(&scene, false);
    check_last(&scene, false, "b2");
    add_answer(&scene, "\"b3\"", "null");
    run_ok(&scene, false);
    check_last(&scene, false, "");
}

static void sql_hrana_stream__that_is_gone_is_done_without(void **state) {
    static const struct {
        int http;
        const char *body;
    } refusals[] = {
        {400, "{\"message\":\"The stream has expired due to inactivity\",\"code\":"
              "\"STREAM_EXPIRED\"}"},
        {400, "{\"error\":\"Received an invalid baton\"}"},
        {404, "{\"error\":\"stream not found: 1\"}"},
        {502, "{}"},
    };
    (void)state;
    for (size_t i = 0; i <= COUNT_OF(refusals); i++) {
        AUTO_SCENE struct scene scene;
        scene_init(&scene);
        warm(&scene);
        if (i < COUNT_OF(refusals))
            script_add_json(&scene.script, refusals[i].http, refusals[i].body);
        else
            script_add_lost(&scene.script, true);
        add_answer(&scene, "null", "null");
        run_ok(&scene, false);
        check_last(&scene, true, "");
        assert_int_equal(scene.script.request_count, COLD + 3);
        add_answer(&scene, "\"b9\"", "null"); /* and the next one opens another */
        run_ok(&scene, false);
        check_last(&scene, false, "");
    }
}

static void sql_hrana_stream__at_another_server_is_not_followed(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene);
    warm(&scene);
    add_answer(&scene, "\"b2\"", "\"http://elsewhere\"");
    run_ok(&scene, false);
    check_last(&scene, false, "b1");
    add_answer(&scene, "\"b3\"", "null");
    run_ok(&scene, false);
    check_last(&scene, false, "");
}

static void sql_hrana_stream__with_a_bad_baton_is_not_kept(void **state) {
    static const char *const batons[] = {"\"a\\\"b\"", "\"a\\u0041\"", "\"\"", "\"a b\""};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(batons); i++) {
        AUTO_SCENE struct scene scene;
        scene_init(&scene);
        warm(&scene);
        add_answer(&scene, batons[i], "null");
        run_ok(&scene, false);
        add_answer(&scene, "\"b3\"", "null");
        run_ok(&scene, false);
        check_last(&scene, false, "");
    }
}

static void sql_hrana_stream__is_closed_with_its_driver(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    warm(&scene);
    add_answer(&scene, "null", "null");
    size_t before = scene.script.request_count;
    scene.driver->operations->close(scene.driver);
    assert_int_equal(scene.script.request_count, before + 1);
    const struct buf *body = &scene.script.requests[before].body;
    assert_true(
        slice_equal(buf_slice(body),
                    slice_of_string("{\"baton\":\"b1\",\"requests\":[{\"type\":\"close\"}]}")));
    script_fini(&scene.script);
}

/* ---- A real server --------------------------------------------------------------------------- */

static const enum hrana_encoding encodings[] = {HRANA_JSON, HRANA_PROTOBUF};

static void sql_hrana_stream__sees_what_others_wrote(void **state) {
    (void)state;
    AUTO_SQLD struct sqld server = {0};
    start_server(&server, NULL);
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        struct hrana_options options = {.net.url = server.url, .encoding = encodings[i]};
        AUTO_DRIVER struct sql_driver *reader = open_driver(options),
                                      *writer = open_driver(options);
        do_sql(writer, true, "CREATE TABLE IF NOT EXISTS t(n INTEGER)");
        do_sql(writer, true, "DELETE FROM t");
        do_sql(writer, true, "INSERT INTO t VALUES (0)");
        for (int64_t n = 1; n <= 30; n++) {
            do_sql(n % 2 ? writer : reader, true, "UPDATE t SET n = n + 1");
            assert_int_equal(get_integer(reader, "SELECT n FROM t"), n);
        }
        do_sql(writer, true, "ALTER TABLE t ADD COLUMN added INTEGER DEFAULT 7");
        assert_int_equal(get_integer(reader, "SELECT added FROM t"), 7);
        do_sql(writer, true, "DROP TABLE t");
    }
}

/* sqld has 128 connections, and gives none that it has lent for 10 seconds. */
static void sql_hrana_stream__of_many_short_drivers_use_up_nothing(void **state) {
    enum { DRIVERS = 150 };
    (void)state;
    AUTO_SQLD struct sqld server = {0};
    start_server(&server, NULL);
    for (size_t i = 0; i < DRIVERS; i++) {
        struct hrana_options options = {.net.url = server.url, .encoding = encodings[i % 2]};
        AUTO_DRIVER struct sql_driver *driver = open_driver(options);
        for (int read = 0; read <= COLD; read++)
            assert_int_equal(get_integer(driver, "SELECT 42"), 42);
    }
}

static void sql_hrana_stream__survives_the_server(void **state) {
    (void)state;
    AUTO_SQLD struct sqld server = {0};
    mneme_error error;
    start_server(&server, NULL);
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        struct hrana_options options = {.net.url = server.url, .encoding = encodings[i]};
        AUTO_DRIVER struct sql_driver *driver = open_driver(options);
        for (int round = 0; round < 3; round++) {
            for (int read = 0; read < 8; read++)
                assert_int_equal(get_integer(driver, "SELECT 42"), 42);
            sqld_kill(&server);
            if (sqld_restart(&server, &error))
                fail_msg("%s", error.message);
        }
    }
}

/* A statement that fails, or rolls back what is not there, leaves the stream in order. */
static void sql_hrana_stream__goes_on_after_a_failed_step(void **state) {
    (void)state;
    AUTO_SQLD struct sqld server = {0};
    start_server(&server, NULL);
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        struct hrana_options options = {.net.url = server.url, .encoding = encodings[i]};
        AUTO_DRIVER struct sql_driver *driver = open_driver(options);
        for (int read = 0; read < 12; read++) {
            AUTO_RESULTS struct sql_results results = {0};
            assert_int_equal(run_sql(driver, false, "SELECT * FROM nowhere", &results, NULL), 0);
            assert_int_equal(results.steps[0].outcome, SQL_FAILED);
            assert_int_equal(get_integer(driver, "SELECT 42"), 42);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_hrana_stream__is_kept_by_reads_in_a_row),
        cmocka_unit_test(sql_hrana_stream__that_is_gone_is_done_without),
        cmocka_unit_test(sql_hrana_stream__at_another_server_is_not_followed),
        cmocka_unit_test(sql_hrana_stream__with_a_bad_baton_is_not_kept),
        cmocka_unit_test(sql_hrana_stream__sees_what_others_wrote),
        cmocka_unit_test(sql_hrana_stream__is_closed_with_its_driver),
        cmocka_unit_test(sql_hrana_stream__of_many_short_drivers_use_up_nothing),
        cmocka_unit_test(sql_hrana_stream__survives_the_server),
        cmocka_unit_test(sql_hrana_stream__goes_on_after_a_failed_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
