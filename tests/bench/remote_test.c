/*
 * remote_test.c - what `mneme bench remote --url` does to a user's database, and the request that
 * its reference repeats.
 */
#include <stdlib.h>

#include "bench/remote_curl.h"
#include "bench/remote_server.h"
#include "support/api_fixture.h"
#include "support/remote_http.h"

/* ---- Helpers ------------------------------------------------------------------------------ */

/* A bench that was told the URL of this server, without anything to measure. */
struct scene {
    struct sqld server;
    struct bench_options options;
    struct kit kit;
};

static int scene_setup(void **state) {
    struct scene *scene = mem_zalloc(1, sizeof *scene);
    mneme_error error;
    assert_non_null(scene);
    OK(sqld_start(NULL, &scene->server, &error), &error);
    scene->options = (struct bench_options){.url = scene->server.url};
    scene->kit.options = &scene->options;
    scene->kit.report.options = &scene->options;
    *state = scene;
    return 0;
}

static int scene_teardown(void **state) {
    struct scene *scene = *state;
    sqld_stop(&scene->server);
    mem_free(scene);
    return 0;
}

/* Run one statement; the answer must have `part` in it. */
static void run(const struct scene *scene, const char *sql, const char *part) {
    struct http_answer answer = http_sql(scene->server.ports[SQLD_HTTP].number, sql);
    if (!strstr(answer.text, part))
        fail_msg("%s: no \"%s\" in %s", sql, part, answer.text);
}

static const char count_tables[] = "SELECT 'there are ' || count(*) FROM sqlite_master"
                                   " WHERE name LIKE 'mneme%'";

/* What a bench leaves that is killed: all but its tables. */
static void forget(struct remote *r) {
    r->ours = false;
    remote_fini(r);
}

/* ---- The user's database ------------------------------------------------------------------- */

static void remote_fini__drops_what_init_made_and_nothing_else(void **state) {
    struct scene *scene = *state;
    struct remote r = {0};
    mneme_error error;
    run(scene, "CREATE TABLE notes(text)", "\"ok\"");
    run(scene, "INSERT INTO notes VALUES('mine')", "\"ok\"");
    OK(remote_init(&r, &scene->kit, &error), &error);
    run(scene, "SELECT count(*) FROM mneme_bench", "\"0\"");
    remote_fini(&r);
    run(scene, count_tables, "there are 0");
    run(scene, "SELECT text FROM notes", "mine");
}

static void remote_init__leaves_a_memory_alone(void **state) {
    struct scene *scene = *state;
    struct remote r = {0};
    mneme_error error;
    mneme *m = store_open_quiet(scene->server.url);
    mneme_id id = put_pattern(m, "kept", "a memory that somebody needs");
    store_close_ok(m);
    REFUSED(remote_init(&r, &scene->kit, &error), MNEME_CONFLICT, &error);
    assert_says(&error, "database of its own");
    remote_fini(&r);
    const mneme_record *record;
    m = store_open_quiet(scene->server.url);
    OK(mneme_acquire(m, MNEME_PATTERN, &id, &record, &error), &error);
    mneme_release(m, record);
    store_close_ok(m);
}

static void remote_init__takes_over_what_a_killed_bench_left(void **state) {
    struct scene *scene = *state;
    struct remote killed = {0}, r = {0};
    mneme_error error;
    OK(remote_init(&killed, &scene->kit, &error), &error);
    mneme *m = store_open_quiet(scene->server.url);
    (void)put_pattern(m, "left", "by a bench");
    store_close_ok(m);
    forget(&killed);
    run(scene, "SELECT 'records: ' || count(*) FROM mneme_record", "records: 1");
    OK(remote_init(&r, &scene->kit, &error), &error);
    run(scene, "SELECT count(*) FROM sqlite_master WHERE name = 'mneme_record'", "\"0\"");
    remote_fini(&r);
    run(scene, count_tables, "there are 0");
}

static void remote_init__reaches_a_near_server_at_two_distances(void **state) {
    struct scene *scene = *state;
    struct remote r = {0};
    mneme_error error;
    OK(remote_init(&r, &scene->kit, &error), &error);
    assert_int_equal(r.distance_count, 2);
    assert_string_equal(r.distances[STRAIGHT].url, scene->server.url);
    assert_string_equal(r.distances[WIRE].url, proxy_url(r.proxy));
    mneme *m = store_open_quiet(r.distances[WIRE].url);
    store_close_ok(m);
    assert_true(proxy_counters(r.proxy).requests > 0);
    remote_fini(&r);
}

static void remote_init__says_what_a_url_must_be(void **state) {
    struct scene *scene = *state;
    static const char *const urls[] = {"memory.mdb", "mem:", "file:memory.db"};
    mneme_error error;
    for (size_t i = 0; i < COUNT_OF(urls); i++) {
        struct remote r = {0};
        scene->options.url = urls[i];
        REFUSED(remote_init(&r, &scene->kit, &error), MNEME_INVALID, &error);
        assert_says(&error, "--url");
        remote_fini(&r);
    }
}

/* ---- The request that libcurl repeats ------------------------------------------------------ */

static void curl_reference__sends_what_was_seen(void **state) {
    struct scene *scene = *state;
    static const char seen[] =
        "POST /v3/pipeline HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 99\r\n\r\n"
        "{\"requests\":[{\"type\":\"execute\",\"stmt\":{\"sql\":\"SELECT 40 + 2\"}}]}";
    AUTO_CURL struct curl_reference c = {0};
    mneme_error error;
    OK(curl_reference_init(&c, scene->server.url, slice_of_string(seen), &error), &error);
    for (int i = 0; i < 2; i++) {
        OK(curl_reference_send(&c, &error), &error);
        buf_append_byte(&c.answer, 0);
        assert_non_null(strstr((const char *)c.answer.data, "\"42\""));
    }
}

static void curl_reference__tells_of_another_answer(void **state) {
    struct scene *scene = *state;
    AUTO_CURL struct curl_reference c = {0};
    mneme_error error;
    OK(curl_reference_init(&c, scene->server.url,
                           slice_of_string("POST /v3/pipeline HTTP/1.1\r\n\r\nno JSON"), &error),
       &error);
    REFUSED(curl_reference_send(&c, &error), MNEME_UNAVAILABLE, &error);
}

static void curl_reference__refuses_what_is_no_post(void **state) {
    static const char *const seen[] = {"", "GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n",
                                       "POST /\r\n\r\n"};
    mneme_error error;
    (void)state;
    for (size_t i = 0; i < COUNT_OF(seen); i++) {
        AUTO_CURL struct curl_reference c = {0};
        REFUSED(curl_reference_init(&c, "http://localhost", slice_of_string(seen[i]), &error),
                MNEME_FAILURE, &error);
    }
}

int main(void) {
    unsetenv("MNEME_TOKEN");
    unsetenv("TURSO_AUTH_TOKEN");
    unsetenv("MNEME_TOKEN_FILE");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(remote_fini__drops_what_init_made_and_nothing_else,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(remote_init__leaves_a_memory_alone, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(remote_init__takes_over_what_a_killed_bench_left,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(remote_init__reaches_a_near_server_at_two_distances,
                                        scene_setup, scene_teardown),
        cmocka_unit_test_setup_teardown(remote_init__says_what_a_url_must_be, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(curl_reference__sends_what_was_seen, scene_setup,
                                        scene_teardown),
        cmocka_unit_test_setup_teardown(curl_reference__tells_of_another_answer, scene_setup,
                                        scene_teardown),
        cmocka_unit_test(curl_reference__refuses_what_is_no_post),
    };
    return cmocka_run_group_tests_name("bench/remote", tests, NULL, NULL);
}
