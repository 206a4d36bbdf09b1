/*
 * remote_access_test.c - others in the way of a remote store: writers that hold the lock, clients
 * that hold all connections, tokens that do not allow it.
 */
#include <time.h>

#include "os/os.h"
#include "support/api_fixture.h"
#include "support/hrana_token.h"
#include "support/remote_http.h"
#include "support/remote_scene.h"

static void scene_setup(struct remote_scene *scene, const struct remote_options *options) {
    remote_scene_make(scene, options);
    remote_prepare(scene);
}

/* Open the store under test with more time for each answer. */
static void reopen_patiently(struct remote_scene *scene, uint32_t attempts) {
    struct hrana_options patient = remote_driver_options(scene, proxy_url(scene->proxy));
    mneme_error error;
    patient.net.stall_ms = 10000;
    patient.net.total_ms = 20000;
    patient.net.attempts_max = attempts;
    store_close(TAKE(scene->store));
    OK(remote_open(scene, &patient, false, &scene->store, &error), &error);
}

/* ---- Others in the way -------------------------------------------------------------------------
 */

/* An open stream of another client. */
struct stream {
    uint16_t port;
    char baton[256];
};

static struct http_answer stream_run(struct stream *stream, const char *sql) {
    char body[1024];
    const char *quote = stream->baton[0] ? "\"" : "";
    snprintf(body, sizeof body,
             "{\"baton\":%s%s%s,\"requests\":[{\"type\":\"execute\",\"stmt\":{\"sql\":\"%s\"}}]}",
             quote, stream->baton[0] ? stream->baton : "null", quote, sql);
    struct http_answer answer = http_post(stream->port, "/v2/pipeline", body);
    const char *at = strstr(answer.text, "\"baton\":\"");
    stream->baton[0] = 0;
    if (at)
        (void)sscanf(at + 9, "%255[^\"]", stream->baton);
    return answer;
}

static void *release_later(void *argument) {
    struct timespec while_others_wait = {.tv_nsec = 300000000};
    nanosleep(&while_others_wait, NULL);
    stream_run(argument, "ROLLBACK");
    return NULL;
}

/* Another process holds the write lock, and gives it back in time. */
static void remote_server__lets_writers_wait_for_another(void **state) {
    struct remote_scene scene;
    pthread_t thread;
    mneme_error error;
    (void)state;
    scene_setup(&scene, NULL);
    static struct stream other; /* the thread's, though the case may fail before it ends */
    other = (struct stream){.port = scene.server.ports[SQLD_HTTP].number};
    reopen_patiently(&scene, 3);
    assert_int_equal(stream_run(&other, "BEGIN IMMEDIATE").status, 200);
    OK(thread_start(&thread, release_later, &other, &error), &error);
    int status = remote_try(&scene, REMOTE_APPEND);
    pthread_join(thread, NULL);
    assert_int_equal(status, 0);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

/* It does not give it back: the writer gives up, and says so. Readers are not held up. */
static void remote_server__held_by_another_stops_writers_only(void **state) {
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, NULL);
    struct stream other = {.port = scene.server.ports[SQLD_HTTP].number};
    AUTO_FREE struct remote_work *work = remote_work_new(&scene, REMOTE_APPEND);
    remote_doing(&scene, "held by another");
    assert_int_equal(stream_run(&other, "BEGIN IMMEDIATE").status, 200);
    remote_run(&scene, work);
    int status = work->batches[0].status;
    assert_true(status == MNEME_UNCERTAIN || status == MNEME_LOCKED || status == MNEME_UNAVAILABLE);
    remote_heal(&scene);
    stream_run(&other, "ROLLBACK");
    /* Attempts that were given up may still stand in line; they end before this one begins. */
    assert_int_equal(http_sql(other.port, "UPDATE mneme_store SET id = id").status, 200);
    assert_int_equal(remote_settle(&scene, REMOTE_APPEND, work), status);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

/* More clients than the server serves at a time. */
static void remote_server__with_too_many_clients_is_unavailable(void **state) {
    static const char *const arguments[] = {"--max-concurrent-connections", "2",
                                            "--connection-creation-timeout-sec", "1", NULL};
    static const struct sqld_options few = {.arguments = arguments};
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, &(struct remote_options){.server = &few});
    struct stream others[2];
    reopen_patiently(&scene, 1);
    AUTO_FREE struct remote_work *work = remote_work_new(&scene, REMOTE_APPEND);
    remote_doing(&scene, "too many clients");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        others[i] = (struct stream){.port = scene.server.ports[SQLD_HTTP].number};
        assert_int_equal(stream_run(&others[i], "SELECT 1").status, 200);
    }
    remote_run(&scene, work);
    int status = work->batches[0].status;
    assert_int_equal(status, MNEME_UNAVAILABLE);
    assert_says(&work->batches[0].error, "429");
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        char body[512];
        snprintf(body, sizeof body, "{\"baton\":\"%s\",\"requests\":[{\"type\":\"close\"}]}",
                 others[i].baton);
        assert_int_equal(http_post(others[i].port, "/v2/pipeline", body).status, 200);
    }
    remote_heal(&scene);
    assert_int_equal(remote_settle(&scene, REMOTE_APPEND, work), status);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

static void *read_stats(void *store) {
    struct store_stats stats;
    (void)store_stats(store, &stats, NULL);
    return NULL;
}

/* The one connection that the client may have is waiting for an answer. */
static void remote_client__whose_pool_is_exhausted_says_so(void **state) {
    struct remote_scene scene;
    pthread_t thread;
    mneme_error error;
    (void)state;
    scene_setup(&scene, NULL);
    struct hrana_options one = remote_driver_options(&scene, proxy_url(scene.proxy));
    one.net.pool_max = 1;
    one.net.acquire_ms = 50;
    one.net.attempts_max = 1;
    one.net.stall_ms = 10000;
    store_close(TAKE(scene.store));
    OK(remote_open(&scene, &one, false, &scene.store, &error), &error);
    AUTO_FREE struct remote_work *work = remote_work_new(&scene, REMOTE_PUT);
    remote_doing(&scene, "pool exhausted");
    assert_true(
        proxy_script(scene.proxy, 1, 1, (struct proxy_action){.fault = PROXY_DELAY, .ms = 1500}));
    OK(thread_start(&thread, read_stats, scene.store, &error), &error);
    int64_t until = clock_monotonic_us() + 10000000;
    while (proxy_counters(scene.proxy).scripted == 0)
        assert_true(clock_monotonic_us() < until);
    remote_run(&scene, work);
    pthread_join(thread, NULL);
    assert_int_equal(remote_settle(&scene, REMOTE_PUT, work), MNEME_UNAVAILABLE);
    assert_says(&work->batches[0].error, "connection");
    assert_int_equal(remote_try(&scene, REMOTE_PUT), 0);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

/* ---- Tokens ------------------------------------------------------------------------------------
 */

/* Open a store with a token. */
static int open_with(const struct remote_scene *scene, const char *token, struct store **out,
                     mneme_error *error) {
    struct hrana_options options = remote_driver_options(scene, proxy_url(scene->proxy));
    options.net.token = token;
    return remote_open(scene, &options, false, out, error);
}

static void remote_server__refuses_tokens(void **state) {
    char good[600], expired[600], reader[600], claims[128];
    AUTO_TOKEN_KEY struct token_key key;
    struct remote_scene scene;
    struct store *store = NULL;
    mneme_error error;
    (void)state;
    token_key_init(&key);
    const char *const arguments[] = {"--auth-jwt-key-file", key.public_path, NULL};
    const struct sqld_options server = {.arguments = arguments};
    token_make(&key, "{}", good);
    snprintf(claims, sizeof claims, "{\"exp\":%lld}", (long long)time(NULL) - 3600);
    token_make(&key, claims, expired);
    token_make(&key, "{\"a\":\"ro\",\"id\":\"default\"}", reader);

    scene_setup(&scene, &(struct remote_options){.server = &server, .token = good});
    assert_int_equal(remote_try(&scene, REMOTE_PUT), 0);
    REFUSED(open_with(&scene, expired, &store, &error), MNEME_UNAUTHORIZED, &error);
    assert_says(&error, "expired");
    REFUSED(open_with(&scene, "garbage", &store, &error), MNEME_UNAUTHORIZED, &error);
    assert_null(strstr(error.message, "garbage"));
    REFUSED(open_with(&scene, NULL, &store, &error), MNEME_UNAUTHORIZED, &error);
    assert_null(store);

    /* A token that may only read reads all, and writes nothing. */
    AUTO_FREE struct remote_work *work = remote_work_new(&scene, REMOTE_REPLACE);
    store_close(TAKE(scene.store));
    OK(open_with(&scene, reader, &scene.store, &error), &error);
    remote_doing(&scene, "read-only token");
    remote_run(&scene, work);
    assert_int_equal(remote_settle(&scene, REMOTE_REPLACE, work), MNEME_PERMISSION);
    assert_says(&scene.said, "read-only");
    assert_null(strstr(scene.said.message, reader));
    remote_heal(&scene);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_server__lets_writers_wait_for_another),
        cmocka_unit_test(remote_server__held_by_another_stops_writers_only),
        cmocka_unit_test(remote_server__with_too_many_clients_is_unavailable),
        cmocka_unit_test(remote_client__whose_pool_is_exhausted_says_so),
        cmocka_unit_test(remote_server__refuses_tokens),
    };
    return cmocka_run_group_tests_name("reliability/remote_access", tests, NULL, NULL);
}
