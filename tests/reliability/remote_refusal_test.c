/*
 * remote_refusal_test.c - answers of HTTP that are no success: which are tried again, what the
 * caller hears of the others, and that its code tells the truth about what is stored.
 */
#include "support/api_fixture.h"
#include "support/remote_scene.h"

struct refusal {
    int http;
    const char *headers, *body;
    bool again;       /* one of them is made good by a retry */
    int code;         /* of the call when they do not end; when `unknown`, or MNEME_UNCERTAIN */
    bool unknown;     /* whether the server did it cannot be told */
    const char *says; /* stands in the message */
};

#define TEXT "Content-Type: text/plain\r\n"
#define JSON "Content-Type: application/json\r\n"

static const struct refusal refusals[] = {
    {400, TEXT, "bad JSON", false, MNEME_FAILURE, false, "bad JSON"},
    {401, JSON, "{\"error\":\"The JWT has expired\"}", false, MNEME_UNAUTHORIZED, false,
     "The JWT has expired"},
    {403, JSON, "{\"error\":\"Forbidden\"}", false, MNEME_PERMISSION, false, "read-only"},
    {408, TEXT, "", true, MNEME_UNAVAILABLE, true, "408"},
    {413, TEXT, "", false, MNEME_TOO_LARGE, false, "413"},
    {429, JSON, "{\"error\":\"Too many concurrent requests\"}", true, MNEME_UNAVAILABLE, false,
     "Too many concurrent requests"},
    {429, "Retry-After: 0\r\n", "", true, MNEME_UNAVAILABLE, false, "429"},
    {429, "Retry-After: 3600\r\n", "", false, MNEME_UNAVAILABLE, false, "429"},
    {500, JSON, "{\"error\":\"Internal Error\"}", true, MNEME_UNAVAILABLE, true, "Internal Error"},
    {502, TEXT, "<html>Bad Gateway</html>", true, MNEME_UNAVAILABLE, true, "502"},
    {503, TEXT, "", true, MNEME_UNAVAILABLE, true, "503"},
    {504, TEXT, "", true, MNEME_UNAVAILABLE, true, "504"},
    {302, "Location: http://127.0.0.1:1/\r\n", "", false, MNEME_FAILURE, false, "302"},
    /* A stream that is gone took its transaction with it. */
    {400, JSON,
     "{\"message\":\"The stream has expired due to inactivity\",\"code\":\"STREAM_EXPIRED\"}", true,
     MNEME_UNAVAILABLE, false, "expired"},
    {400, TEXT, "Received an invalid baton", true, MNEME_UNAVAILABLE, false, "invalid baton"},
    {404, JSON, "{\"error\":\"stream not found: 1\"}", true, MNEME_UNAVAILABLE, false,
     "stream not found"},
    /* Errors inside an answer. */
    {200, JSON,
     "{\"baton\":null,\"base_url\":null,\"results\":[{\"type\":\"error\",\"error\":{\"message\":"
     "\"database is locked\",\"code\":\"SQLITE_BUSY\"}},{\"type\":\"ok\",\"response\":{\"type\":"
     "\"close\"}}]}",
     true, MNEME_LOCKED, false, "database is locked"},
    {200, JSON,
     "{\"baton\":null,\"base_url\":null,\"results\":[{\"type\":\"error\",\"error\":{\"message\":"
     "\"Transaction timed-out\",\"code\":\"TRANSACTION_TIMEOUT\"}},{\"type\":\"ok\",\"response\":"
     "{\"type\":\"close\"}}]}",
     true, MNEME_LOCKED, false, "timed-out"},
    {200, JSON,
     "{\"baton\":null,\"base_url\":null,\"results\":[{\"type\":\"error\",\"error\":{\"message\":"
     "\"Operation was blocked: quota\",\"code\":\"BLOCKED\"}},{\"type\":\"ok\",\"response\":"
     "{\"type\":\"close\"}}]}",
     false, MNEME_NO_SPACE, false, "quota"},
    {200, JSON,
     "{\"baton\":null,\"base_url\":null,\"results\":[{\"type\":\"error\",\"error\":{\"message\":"
     "\"Response is too large\",\"code\":\"RESPONSE_TOO_LARGE\"}},{\"type\":\"ok\",\"response\":"
     "{\"type\":\"close\"}}]}",
     false, MNEME_TOO_LARGE, false, "too large"},
};

static const enum remote_op ops[] = {REMOTE_APPEND, REMOTE_BATCHES};

/* ---- Schedules ---------------------------------------------------------------------------------
 */

static bool is_expected(const struct refusal *refusal, bool once, bool after, int status) {
    if (status == 0)
        return once && (refusal->again || after);
    if (once && refusal->again)
        return false;
    return status == refusal->code || ((refusal->unknown || after) && status == MNEME_UNCERTAIN);
}

/* `after`: the server does the request before its answer is replaced, as when a gateway fails. */
static bool run_schedule(struct remote_scene *scene, enum remote_op op,
                         const struct refusal *refusal, bool after, uint64_t k, uint64_t last) {
    AUTO_BUF struct buf answer = BUF_INIT(4096);
    bool struck;
    proxy_answer(&answer, refusal->http, refusal->headers, slice_of_string(refusal->body));
    assert_int_equal(answer.status, 0);
    remote_doing(scene, "%s, %d %s%s at request %llu%s", remote_op_names[op], refusal->http,
                 refusal->says, after ? " behind it" : "", (unsigned long long)k,
                 last > k ? " and on" : "");
    struct proxy_action action = {.fault = after ? PROXY_REPLACE : PROXY_ANSWER,
                                  .answer = buf_slice(&answer)};
    int status = remote_strike(scene, op, action, k, last, &struck);
    if (struck && !is_expected(refusal, last == k, after, status))
        fail_msg("%s: %s", scene->what, status ? scene->said.message : "succeeded");
    if (status && !strstr(scene->said.message, refusal->says))
        fail_msg("%s: the message does not say so: %s", scene->what, scene->said.message);
    return struck;
}

static void run_all(struct remote_scene *scene, bool after) {
    for (size_t r = 0; r < COUNT_OF(refusals); r++)
        for (size_t i = 0; i < COUNT_OF(ops); i++) {
            bool hit = !after || refusals[r].unknown;
            for (uint64_t k = 1; hit; k++) {
                hit = run_schedule(scene, ops[i], &refusals[r], after, k, k);
                if (hit)
                    run_schedule(scene, ops[i], &refusals[r], after, k, UINT64_MAX);
            }
        }
    remote_compare(scene);
}

static void remote_writes__tell_refusals_apart(void **state) { run_all(*state, false); }

static void remote_writes__survive_a_gateway_that_fails_behind_the_server(void **state) {
    run_all(*state, true);
}

/* MNEME_NOT_FOUND and MNEME_CONFLICT are what conditions and absent records are told by. */
static void remote_store__whose_database_is_missing_does_not_look_empty(void **state) {
    struct remote_scene *scene = *state;
    AUTO_BUF struct buf answer = BUF_INIT(4096);
    AUTO_FREE struct remote_work *work = remote_work_new(scene, REMOTE_MISSING);
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(1);
    mneme_error error = {0};
    remote_doing(scene, "missing database");
    proxy_answer(&answer, 404, JSON, slice_of_string("{\"error\":\"Namespace `x` is gone\"}"));
    struct proxy_action action = {.fault = PROXY_ANSWER, .answer = buf_slice(&answer)};
    assert_true(proxy_script(scene->proxy, 1, UINT64_MAX, action));
    remote_run(scene, work);
    assert_says(&work->batches[0].error, "Namespace `x`");
    assert_int_not_equal(work->batches[0].status, 0);
    assert_int_not_equal(work->batches[0].status, MNEME_NOT_FOUND);
    assert_int_not_equal(work->batches[0].status, MNEME_CONFLICT);
    int status = store_get_one(scene->store, MNEME_EPISODE, &id, &set, &error);
    assert_says(&error, "Namespace `x`");
    assert_int_not_equal(status, MNEME_NOT_FOUND);
}

/* A server that is gone for good is not asked again and again. */
static void remote_writes__stop_asking_a_server_that_fails(void **state) {
    struct remote_scene *scene = *state;
    struct hrana_options options = remote_driver_options(scene, proxy_url(scene->proxy));
    AUTO_FREE struct remote_work *work = mem_zalloc(1, sizeof *work);
    mneme_error error;
    options.net.breaker_open_ms = options.net.breaker_open_max_ms = 60000;
    assert_non_null(work);
    remote_doing(scene, "breaker");
    remote_prepare(scene);
    store_close(TAKE(scene->store));
    OK(remote_open(scene, &options, false, &scene->store, &error), &error);
    assert_true(
        proxy_script(scene->proxy, 1, UINT64_MAX, (struct proxy_action){.fault = PROXY_RESET}));
    for (int i = 0; i < 10; i++) {
        *work = (struct remote_work){0};
        OK(remote_work_make(REMOTE_PUT, scene->model, work, &error), &error);
        remote_run(scene, work);
        assert_true(work->batches[0].status != 0);
    }
    assert_int_equal(proxy_counters(scene->proxy).scripted, 5);
    assert_int_equal(work->batches[0].status, MNEME_UNAVAILABLE);
    assert_says(&work->batches[0].error, "not tried");
    proxy_decide_with(scene->proxy, NULL, NULL);
    remote_reopen(scene);
    remote_compare(scene);
}

/* ---- Main --------------------------------------------------------------------------------------
 */

static int setup(void **state) {
    static struct remote_scene scene;
    remote_scene_make(&scene, NULL);
    *state = &scene;
    return 0;
}

static int teardown(void **state) {
    remote_scene_remove(*state);
    return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(remote_writes__tell_refusals_apart),
        CASE(remote_store__whose_database_is_missing_does_not_look_empty),
        CASE(remote_writes__survive_a_gateway_that_fails_behind_the_server),
        CASE(remote_writes__stop_asking_a_server_that_fails),
    };
    return cmocka_run_group_tests_name("reliability/remote_refusal", tests, NULL, NULL);
}
