/*
 * hrana_speech_test.c - which way of speaking and which server: steps down, namespaces, replicas.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/hrana_script.h"

/* ---- Fixture ----------------------------------------------------------------------------- */

struct scene {
    struct hrana_script script;
    struct sql_driver *driver;
};

static void scene_init(struct scene *scene, struct hrana_options options) {
    script_init(&scene->script);
    scene->driver = script_driver(&scene->script, options);
}
static void scene_fini(struct scene *scene) {
    scene->driver->operations->close(scene->driver);
    script_fini(&scene->script);
}
#define AUTO_SCENE CLEANUP(scene_fini)

static int run(struct scene *scene, bool writes, mneme_error *error) {
    const struct sql_step step = {.sql = slice_of_string("SELECT 1")};
    const struct sql_program program = {.steps = &step, .count = 1, .writes = writes};
    AUTO_RESULTS struct sql_results results = {0};
    return sql_run(scene->driver, &program, &results, error);
}

static void run_ok(struct scene *scene, bool writes) {
    mneme_error error = {0};
    if (run(scene, writes, &error) != 0)
        fail_msg("%s", error.message);
}

static void check_paths(const struct scene *scene, size_t count, const char *const *paths) {
    for (size_t i = 0; i < count && i < scene->script.request_count; i++)
        assert_string_equal(scene->script.requests[i].path, paths[i]);
    assert_int_equal(scene->script.request_count, count);
}
#define CHECK_PATHS(scene, ...)                                                                    \
    check_paths(scene, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *),                \
                (const char *const[]){__VA_ARGS__})

/* Of a program of one step: a row with a 1. */
static void add_proto(struct scene *scene) {
    static const char body[] = "\x1a\x16\x0a\x14\x1a\x12\x0a\x10\x0a\x0e\x12\x0c\x0a\x03\x0a\x01"
                               "1\x12\x05\x0a\x03\x2a\x01x";
    script_add(&scene->script, (struct script_answer){.http = 200,
                                                      .type = "application/x-protobuf",
                                                      .body = body,
                                                      .size = sizeof body - 1});
}

static const struct hrana_options automatic = {.encoding = HRANA_AUTO};
static const struct hrana_options in_json = {.encoding = HRANA_JSON};

/* ---- Protobuf ---------------------------------------------------------------------------- */

static void sql_hrana_speech__asks_for_protobuf_once(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, automatic);
    assert_int_equal(scene.script.request_count, 0);
    script_add_text(&scene.script, 200, "Hello, this is HTTP API v3");
    add_proto(&scene);
    add_proto(&scene);
    run_ok(&scene, false);
    run_ok(&scene, true);
    CHECK_PATHS(&scene, "/v3-protobuf", "/v3-protobuf/pipeline", "/v3-protobuf/pipeline");
    assert_string_equal(scene.script.requests[0].method, "GET");
    assert_string_equal(scene.script.requests[1].type, "application/x-protobuf");
}

static void sql_hrana_speech__speaks_json_where_protobuf_is_not_offered(void **state) {
    (void)state;
    static const int statuses[] = {404, 400, 401, 405, 204};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        AUTO_SCENE struct scene scene;
        scene_init(&scene, automatic);
        script_add_text(&scene.script, statuses[i], "route not found");
        script_add_json(&scene.script, 200, SCRIPT_ONE);
        script_add_json(&scene.script, 200, SCRIPT_ONE);
        run_ok(&scene, false);
        run_ok(&scene, false);
        CHECK_PATHS(&scene, "/v3-protobuf", "/v3/pipeline", "/v3/pipeline");
    }
}

static void sql_hrana_speech__asks_again_what_was_not_told(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, automatic);
    script_add_text(&scene.script, 503, "");
    script_add_json(&scene.script, 200, SCRIPT_ONE);
    script_add_text(&scene.script, 200, "");
    add_proto(&scene);
    run_ok(&scene, false);
    run_ok(&scene, false);
    CHECK_PATHS(&scene, "/v3-protobuf", "/v3/pipeline", "/v3-protobuf", "/v3-protobuf/pipeline");
}

static void sql_hrana_speech__fails_when_nobody_answers_the_question(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    struct hrana_options options = automatic;
    options.net.attempts_max = 1;
    scene_init(&scene, options);
    script_add_lost(&scene.script, true);
    mneme_error error = {0};
    assert_int_equal(run(&scene, true, &error), MNEME_UNAVAILABLE);
    assert_non_null(strstr(error.message, "nothing was written, try again"));
}

static void sql_hrana_speech__leaves_protobuf_when_it_is_refused_later(void **state) {
    (void)state;
    static const int statuses[] = {400, 404};
    for (size_t i = 0; i < COUNT_OF(statuses); i++) {
        AUTO_SCENE struct scene scene;
        scene_init(&scene, automatic);
        script_add_text(&scene.script, 200, "");
        script_add_text(&scene.script, statuses[i], "what is this?");
        script_add_json(&scene.script, 200, SCRIPT_ONE);
        script_add_json(&scene.script, 200, SCRIPT_ONE);
        run_ok(&scene, true);
        run_ok(&scene, true);
        CHECK_PATHS(&scene, "/v3-protobuf", "/v3-protobuf/pipeline", "/v3/pipeline",
                    "/v3/pipeline");
    }
}

static void sql_hrana_speech__speaks_only_what_it_is_told_to(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, (struct hrana_options){.encoding = HRANA_PROTOBUF});
    script_add_text(&scene.script, 404, "route not found");
    assert_int_equal(run(&scene, false, NULL), MNEME_NOT_FOUND);
    CHECK_PATHS(&scene, "/v3-protobuf/pipeline");
}

/* ---- Version 2 --------------------------------------------------------------------------- */

static void sql_hrana_speech__falls_back_to_version_2_and_stays_there(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, in_json);
    script_add_text(&scene.script, 404, "");
    for (int i = 0; i < 2; i++)
        script_add_json(&scene.script, 200, SCRIPT_ONE);
    run_ok(&scene, true);
    run_ok(&scene, false);
    CHECK_PATHS(&scene, "/v3/pipeline", "/v2/pipeline", "/v2/pipeline");
}

static void sql_hrana_speech__does_not_learn_from_a_server_that_is_not_there(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, in_json);
    script_add_text(&scene.script, 404, "not here");
    script_add_text(&scene.script, 404, "not here either");
    script_add_json(&scene.script, 200, SCRIPT_ONE);
    mneme_error error = {0};
    assert_int_equal(run(&scene, true, &error), MNEME_NOT_FOUND);
    assert_non_null(strstr(error.message, "not here either"));
    run_ok(&scene, true);
    CHECK_PATHS(&scene, "/v3/pipeline", "/v2/pipeline", "/v3/pipeline");
}

static void sql_hrana_speech__shares_the_time_between_steps_down(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    struct hrana_options options = in_json;
    options.net.total_ms = 1234;
    scene_init(&scene, options);
    script_add_text(&scene.script, 404, "");
    script_add_json(&scene.script, 200, SCRIPT_ONE);
    run_ok(&scene, false);
    assert_int_equal(scene.script.requests[0].timeout_ms, 1234);
    assert_in_range(scene.script.requests[1].timeout_ms, 1, 1234);
}

/* ---- Namespaces and paths ---------------------------------------------------------------- */

static void sql_hrana_open__puts_the_urls_path_in_front(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    struct hrana_options options = automatic;
    options.net.url = "http://localhost/dev/alpha/";
    scene_init(&scene, options);
    script_add_text(&scene.script, 404, "");
    script_add_text(&scene.script, 404, "");
    script_add_json(&scene.script, 200, SCRIPT_ONE);
    run_ok(&scene, false);
    CHECK_PATHS(&scene, "/dev/alpha/v3-protobuf", "/dev/alpha/v3/pipeline",
                "/dev/alpha/v2/pipeline");
    assert_string_equal(scene.script.requests[1].header, "");
}

static void sql_hrana_open__names_the_namespace_in_a_header(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    struct hrana_options options = automatic;
    options.name_space = "alpha";
    scene_init(&scene, options);
    script_add_text(&scene.script, 404, "");
    script_add_json(&scene.script, 200, SCRIPT_ONE);
    run_ok(&scene, false);
    for (size_t i = 0; i < 2; i++)
        assert_string_equal(scene.script.requests[i].header, "x-namespace-bin: YWxwaGE");
}

static void sql_hrana_open__refuses_bad_options(void **state) {
    (void)state;
    char long_name[300] = "";
    memset(long_name, 'n', sizeof long_name - 1);
    const struct hrana_options bad[] = {
        {.net.url = "http://"},
        {.net.url = "http://127.0.0.1", .name_space = ""},
        {.net.url = "http://127.0.0.1", .name_space = long_name},
        {.net.url = "http://127.0.0.1", .replica_url = "ftp://x"},
        {.net.url = "http://example.com"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct sql_driver *driver = NULL;
        mneme_error error = {0};
        assert_int_equal(hrana_driver_open(&bad[i], &driver, &error), MNEME_INVALID);
        assert_null(driver);
        assert_true(error.message[0]);
    }
}

static void sql_hrana_open__survives_each_failing_allocation(void **state) {
    (void)state;
    int status = MNEME_NO_MEMORY;
    for (uint64_t k = 1; status; k++) {
        AUTO_SCRIPT struct hrana_script script;
        script_init(&script);
        const struct hrana_options options = {.net.url = "http://127.0.0.1",
                                              .net.transport = &script.transport,
                                              .replica_url = "http://127.0.0.1:1",
                                              .name_space = "n"};
        struct sql_driver *driver = NULL;
        mem_fail_after(k);
        status = hrana_driver_open(&options, &driver, NULL);
        mem_fail_after(0);
        assert_true(status == 0 || (status == MNEME_NO_MEMORY && !driver));
        assert_true(k < 50);
        if (status == 0)
            driver->operations->close(driver);
    }
}

static void sql_hrana_backup__is_not_supported(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, in_json);
    assert_int_equal(scene.driver->operations->backup(scene.driver, "/tmp/x", NULL),
                     MNEME_UNSUPPORTED);
}

/* ---- Replicas ---------------------------------------------------------------------------- */

static const struct hrana_options replicated = {.net.url = "http://localhost/primary",
                                                .replica_url = "http://localhost/replica",
                                                .encoding = HRANA_JSON};
#define PRIMARY "/primary/v3/pipeline"
#define REPLICA "/replica/v3/pipeline"

static void write_at(struct scene *scene, unsigned index) {
    script_add_json(&scene->script, 200, script_one_at(index));
    run_ok(scene, true);
}

/* What the next read asks a replica to have seen; "" for nothing. */
static void check_read_asks_for(struct scene *scene, const char *index) {
    script_add_json(&scene->script, 200, SCRIPT_ONE);
    run_ok(scene, false);
    const struct script_request *r = &scene->script.requests[scene->script.request_count - 1];
    assert_string_equal(r->path, REPLICA);
    const char *found = strstr((const char *)r->body.data, "\"replication_index\":");
    assert_int_equal(found != NULL, index[0] != 0);
    if (found)
        assert_memory_equal(found + 20, index, strlen(index));
}

static void sql_hrana_replica__serves_reads_that_see_the_writes_before_them(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, replicated);
    check_read_asks_for(&scene, "");
    write_at(&scene, 7);
    check_read_asks_for(&scene, "\"7\"");
    write_at(&scene, 9);
    check_read_asks_for(&scene, "\"9\"");
    CHECK_PATHS(&scene, REPLICA, PRIMARY, REPLICA, PRIMARY, REPLICA);
    assert_int_equal(scene.script.requests[0].timeout_ms, 500);
    struct sql_counters counters;
    scene.driver->operations->counters(scene.driver, &counters);
    assert_int_equal(counters.replica_reads, 3);
    assert_int_equal(counters.replica_fallbacks, 0);
    assert_int_equal(counters.net.calls, 5);
}

static void sql_hrana_replica__forgets_an_index_of_a_log_that_was_rebuilt(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, replicated);
    write_at(&scene, 76860);
    write_at(&scene, 14884);
    check_read_asks_for(&scene, "\"14884\"");
}

static void sql_hrana_replica__is_left_when_it_fails_or_lags(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    struct hrana_options options = replicated;
    options.replica_wait_ms = 70;
    scene_init(&scene, options);
    script_add_lost(&scene.script, true);
    script_add_json(&scene.script, 200, SCRIPT_ONE);
    run_ok(&scene, false);
    script_add_json(&scene.script, 500, "{}");
    script_add_json(&scene.script, 200, SCRIPT_ONE);
    run_ok(&scene, false);
    CHECK_PATHS(&scene, REPLICA, PRIMARY, REPLICA, PRIMARY);
    assert_int_equal(scene.script.requests[0].timeout_ms, 70);
    struct sql_counters counters;
    scene.driver->operations->counters(scene.driver, &counters);
    assert_int_equal(counters.replica_fallbacks, 2);
    assert_int_equal(counters.replica_reads, 0);
}

/* Answers in protobuf do not say the index, and who reads must know how far he has read. */
static void sql_hrana_replica__has_everything_go_in_json(void **state) {
    static const enum hrana_encoding encodings[] = {HRANA_AUTO, HRANA_PROTOBUF};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_SCENE struct scene scene;
        struct hrana_options options = replicated;
        options.encoding = encodings[i];
        scene_init(&scene, options);
        script_add_json(&scene.script, 200, script_one_at(5));
        run_ok(&scene, true);
        check_read_asks_for(&scene, "\"5\"");
        CHECK_PATHS(&scene, PRIMARY, REPLICA);
    }
}

static void sql_hrana_replica__serves_reads_that_do_not_go_back(void **state) {
    (void)state;
    AUTO_SCENE struct scene scene;
    scene_init(&scene, replicated);
    script_add_json(&scene.script, 200, script_one_at(8)); /* of a replica */
    run_ok(&scene, false);
    check_read_asks_for(&scene, "\"8\"");
    script_add_lost(&scene.script, true);
    script_add_json(&scene.script, 200, script_one_at(9)); /* of the primary, in its place */
    run_ok(&scene, false);
    check_read_asks_for(&scene, "\"9\"");
    script_add_json(&scene.script, 200, script_one_at(6)); /* one that lags says nothing new */
    run_ok(&scene, false);
    check_read_asks_for(&scene, "\"9\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_hrana_speech__asks_for_protobuf_once),
        cmocka_unit_test(sql_hrana_speech__speaks_json_where_protobuf_is_not_offered),
        cmocka_unit_test(sql_hrana_speech__asks_again_what_was_not_told),
        cmocka_unit_test(sql_hrana_speech__fails_when_nobody_answers_the_question),
        cmocka_unit_test(sql_hrana_speech__leaves_protobuf_when_it_is_refused_later),
        cmocka_unit_test(sql_hrana_speech__speaks_only_what_it_is_told_to),
        cmocka_unit_test(sql_hrana_speech__falls_back_to_version_2_and_stays_there),
        cmocka_unit_test(sql_hrana_speech__does_not_learn_from_a_server_that_is_not_there),
        cmocka_unit_test(sql_hrana_speech__shares_the_time_between_steps_down),
        cmocka_unit_test(sql_hrana_open__puts_the_urls_path_in_front),
        cmocka_unit_test(sql_hrana_open__names_the_namespace_in_a_header),
        cmocka_unit_test(sql_hrana_open__refuses_bad_options),
        cmocka_unit_test(sql_hrana_open__survives_each_failing_allocation),
        cmocka_unit_test(sql_hrana_backup__is_not_supported),
        cmocka_unit_test(sql_hrana_replica__serves_reads_that_see_the_writes_before_them),
        cmocka_unit_test(sql_hrana_replica__forgets_an_index_of_a_log_that_was_rebuilt),
        cmocka_unit_test(sql_hrana_replica__is_left_when_it_fails_or_lags),
        cmocka_unit_test(sql_hrana_replica__has_everything_go_in_json),
        cmocka_unit_test(sql_hrana_replica__serves_reads_that_do_not_go_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
