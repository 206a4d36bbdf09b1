/*
 * log_test.c - what requests leave in the log, and what goes along with them while it is on.
 */
#include "net_fixture.h"

/* ---- Fixture ------------------------------------------------------------------------------- */

/* All lines since log_to_text, each with its end. */
static char said[1 << 16];
static size_t said_size;

static void take(void *context, mneme_log_level level, const char *line, size_t size) {
    (void)context, (void)level;
    assert_true(said_size + size + 2 < sizeof said);
    memcpy(said + said_size, line, size);
    said_size += size;
    memcpy(said + said_size++, "\n", 2);
}

static void log_to_text(const char *spec) {
    const mneme_log_options options = {.size = sizeof options, .spec = spec, .sink = take};
    mneme_error error;
    OK(mneme_log_set(&options, &error), &error);
    said[said_size = 0] = 0;
}

static int log_off(void **state) {
    (void)state;
    return mneme_log_set(NULL, NULL);
}

/* How many lines have this in them. */
static unsigned lines_with(const char *part) {
    unsigned count = 0;
    for (const char *at = said; (at = strstr(at, part)); at += strlen(part))
        count++;
    return count;
}

/* ---- Lines --------------------------------------------------------------------------------- */

static void request__leaves_one_line_with_what_it_cost(void **state) {
    (void)state;
    SERVER_SCENE(s, &(struct net_options){.token = "c4nary"}, {.bytes = HTTP_OK("2") "ok"});
    log_to_text("net=debug");
    struct net_request request = get_request;
    request.path = "/path?query=c4nary";
    OK(server_scene_call(&s, &request), &s.error);
    char sizes[128];
    snprintf(sizes, sizeof sizes, " http.request.size=%llu http.response.size=%llu ",
             (unsigned long long)s.response.bytes_up, (unsigned long long)s.response.bytes_down);
    assert_int_equal(lines_with("msg=\"request ended\""), 1);
    assert_int_equal(lines_with("http.request.method=GET url.path=/path "
                                "http.response.status_code=200 "),
                     1);
    assert_int_equal(lines_with(sizes), 1);
    assert_int_equal(lines_with("http.request.resend_count=0 reused=false\n"), 1);
    assert_int_equal(lines_with("c4nary"), 0);
    OK(server_scene_call(&s, &request), &s.error);
    assert_int_equal(lines_with("reused=true\n"), 1);
}

static void retries__are_warnings_and_a_failure_is_told_once(void **state) {
    (void)state;
    FAKE_SCENE(s, &(struct net_options){.attempts_max = 3}, {.http = 503, .body = "c4nary"});
    log_to_text("net=warn");
    REFUSED(fake_scene_call(
                &s, &(struct net_request){.method = "GET", .path = "/", .idempotent = true}),
            MNEME_UNAVAILABLE, &s.error);
    assert_int_equal(lines_with("msg=\"request is sent again\""), 2);
    assert_int_equal(lines_with("http.request.resend_count=2 pause_ms=50.000 "
                                "error.type=MNEME_UNAVAILABLE\n"),
                     1);
    assert_int_equal(lines_with("msg=\"request failed\""), 1);
    assert_int_equal(lines_with(" attempts=3 "), 1);
    assert_int_equal(lines_with("level=warn"), 3);
    /* What a server says may be anything. */
    assert_int_equal(lines_with("c4nary"), 0);
    assert_int_equal(lines_with(" req="), 3);
}

static void breaker__tells_each_turn(void **state) {
    (void)state;
    static const struct net_options options = {.attempts_max = 1, .breaker_failures = 2};
    FAKE_SCENE(s, &options, {.http = 500}, {.http = 500}, {.http = 200});
    log_to_text("net=warn");
    for (int i = 0; i < 2; i++)
        REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    assert_int_equal(lines_with("from=closed to=open next_try_ms="), 1);
    REFUSED(fake_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    assert_int_equal(lines_with("circuit breaker turned"), 1);
    net_fake_advance(s.fake, 60000000);
    OK(fake_scene_call(&s, &get_request), &s.error);
    assert_int_equal(lines_with("from=open to=half-open"), 1);
    assert_int_equal(lines_with("from=half-open to=closed"), 1);
}

/* ---- The header ---------------------------------------------------------------------------- */

static void request_id__goes_along_at_debug_only(void **state) {
    (void)state;
    char expected[64];
    SERVER_SCENE(s, &(struct net_options){.token = "t"}, {.bytes = HTTP_OK("2") "ok"});
    log_to_text("trace,net=info");
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_null(strstr(server_scene_seen(&s).last, "request-id"));
    log_to_text("net=debug");
    for (int i = 0; i < 2; i++) { /* another one each time, on one connection */
        uint64_t before = server_scene_seen(&s).bytes_in;
        OK(server_scene_call(&s, &get_request), &s.error);
        const char *req = strstr(said, " req=");
        assert_non_null(req);
        snprintf(expected, sizeof expected, "\r\nx-request-id: 0.%.*s\r\n",
                 (int)strcspn(req + 5, " "), req + 5);
        assert_non_null(strstr(server_scene_seen(&s).last, expected));
        assert_int_equal(server_scene_seen(&s).bytes_in - before, s.response.bytes_up);
        said[said_size = 0] = 0;
    }
    assert_int_equal(server_scene_seen(&s).accepted, 1);
    log_off(NULL);
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_null(strstr(server_scene_seen(&s).last, "request-id"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(request__leaves_one_line_with_what_it_cost, log_off),
        cmocka_unit_test_teardown(retries__are_warnings_and_a_failure_is_told_once, log_off),
        cmocka_unit_test_teardown(breaker__tells_each_turn, log_off),
        cmocka_unit_test_teardown(request_id__goes_along_at_debug_only, log_off),
    };
    return cmocka_run_group_tests_name("net/log", tests, NULL, NULL);
}
