/*
 * hrana_access_test.c - tokens, namespaces and replicas, against real servers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "support/hrana_scene.h"
#include "support/hrana_token.h"

static const enum hrana_encoding encodings[] = {HRANA_JSON, HRANA_PROTOBUF};

/* ---- Tokens ------------------------------------------------------------------------------ */

static void check_refused(const struct sqld *server, const char *token, const char *reason) {
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_driver((struct hrana_options){
            .net = {.url = server->url, .token = token}, .encoding = encodings[i]});
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        assert_int_equal(run_sql(driver, true, "SELECT 1", &results, &error), MNEME_UNAUTHORIZED);
        if (!strstr(error.message, reason))
            fail_msg("\"%s\" does not say \"%s\"", error.message, reason);
        if (token && strstr(error.message, token))
            fail_msg("the token is told");
        struct sql_counters counters;
        driver->operations->counters(driver, &counters);
        assert_int_equal(counters.net.attempts, 1);
    }
}

static void check_read_only(const struct sqld *server, const char *token) {
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *driver = open_driver((struct hrana_options){
            .net = {.url = server->url, .token = token}, .encoding = encodings[i]});
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        assert_int_equal(get_integer(driver, "SELECT 5"), 5);
        const struct sql_step step = {.sql = slice_of_string("CREATE TABLE nope(a)")};
        assert_int_equal(run_transaction(driver, &step, 1, &results, &error), MNEME_PERMISSION);
        assert_non_null(strstr(error.message, "read-only"));
        assert_non_null(strstr(error.message, "nothing was written"));
        struct hrana_probe probe;
        assert_int_equal(hrana_probe(driver, &probe, &error), 0);
        assert_true(probe.reads && !probe.writes);
    }
}

static void sql_hrana_access__follows_the_token(void **state) {
    (void)state;
    char token[600];
    AUTO_TOKEN_KEY struct token_key key;
    AUTO_TOKEN_KEY struct token_key other;
    AUTO_SQLD struct sqld server = {0};
    token_key_init(&key);
    token_key_init(&other);
    const char *const arguments[] = {"--auth-jwt-key-file", key.public_path, NULL};
    start_server(&server, &(struct sqld_options){.arguments = arguments});

    check_refused(&server, NULL, "none given");
    check_refused(&server, "garbage", "JWT is invalid");
    token_make(&other, "{}", token);
    check_refused(&server, token, "JWT is invalid");
    token_make(&key, "{\"exp\":1}", token);
    check_refused(&server, token, "expired");
    token_make(&key, "{\"a\":\"ro\",\"id\":\"default\"}", token);
    check_read_only(&server, token);
    token_make(&key, "{}", token);
    AUTO_DRIVER struct sql_driver *driver =
        open_driver((struct hrana_options){.net = {.url = server.url, .token = token}});
    do_sql(driver, true, "CREATE TABLE yes(a)");
    assert_int_equal(get_integer(driver, "SELECT count(*) FROM yes"), 0);
}

/* ---- Namespaces -------------------------------------------------------------------------- */

/* Through the server's own interface for administrators. */
static void make_name_space(const struct sqld *server, const char *name) {
    char url[64], path[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", server->ports[SQLD_ADMIN].number);
    snprintf(path, sizeof path, "/v1/namespaces/%s/create", name);
    const struct net_options options = {.url = url};
    struct net_client *client;
    AUTO_RESPONSE struct net_response response = {0};
    const struct net_request request = {.method = "POST",
                                        .path = path,
                                        .body = slice_of_string("{}"),
                                        .content_type = "application/json"};
    mneme_error error = {0};
    assert_int_equal(net_client_create(&options, &client, &error), 0);
    int status = net_call(client, &request, net_judge_http, NULL, &response, &error);
    net_client_destroy(client);
    if (status)
        fail_msg("%s", error.message);
}

static void sql_hrana_access__reaches_each_namespace(void **state) {
    (void)state;
    AUTO_SQLD struct sqld server = {0};
    const char *const arguments[] = {"--enable-namespaces", NULL};
    start_server(&server, &(struct sqld_options){.arguments = arguments, .has_admin = true});
    make_name_space(&server, "alpha");
    make_name_space(&server, "beta");
    char url[100]; /* sqld reads a host with dots before the path: 127.0.0.1 is namespace 127 */
    snprintf(url, sizeof url, "http://localhost:%d/dev/beta", server.ports[SQLD_HTTP].number);
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        AUTO_DRIVER struct sql_driver *alpha = open_driver((struct hrana_options){
            .net.url = server.url, .name_space = "alpha", .encoding = encodings[i]});
        AUTO_DRIVER struct sql_driver *beta =
            open_driver((struct hrana_options){.net.url = url, .encoding = HRANA_AUTO});
        do_sql(alpha, true, "DROP TABLE IF EXISTS t");
        do_sql(beta, true, "DROP TABLE IF EXISTS t");
        do_sql(alpha, true, "CREATE TABLE t AS SELECT 1 AS n");
        do_sql(beta, true, "CREATE TABLE t AS SELECT 2 AS n");
        assert_int_equal(get_integer(alpha, "SELECT n FROM t"), 1);
        assert_int_equal(get_integer(beta, "SELECT n FROM t"), 2);
        AUTO_DRIVER struct sql_driver *none =
            open_driver((struct hrana_options){.net.url = server.url, .encoding = encodings[i]});
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        assert_int_equal(run_sql(none, true, "SELECT 1", &results, &error), MNEME_NOT_FOUND);
        assert_non_null(strstr(error.message, "`127`"));
    }
}

/* ---- Replicas ---------------------------------------------------------------------------- */

static void sql_hrana_access__reads_its_writes_from_a_replica(void **state) {
    (void)state;
    enum { ROUNDS = 25 };
    AUTO_SQLD struct sqld primary = {0};
    AUTO_SQLD struct sqld replica = {0};
    start_server(&primary, &(struct sqld_options){.serves_replicas = true});
    start_server(&replica, &(struct sqld_options){.primary = &primary});
    AUTO_DRIVER struct sql_driver *driver = open_driver((struct hrana_options){
        .net.url = primary.url, .replica_url = replica.url, .replica_wait_ms = 10000});
    do_sql(driver, true, "CREATE TABLE t(n)");
    for (int64_t i = 1; i <= ROUNDS; i++) {
        do_sql(driver, true, "INSERT INTO t VALUES(1)");
        assert_int_equal(get_integer(driver, "SELECT count(*) FROM t"), i);
    }
    struct sql_counters counters;
    driver->operations->counters(driver, &counters);
    assert_int_equal(counters.replica_reads, ROUNDS);
    assert_int_equal(counters.replica_fallbacks, 0);

    struct hrana_probe probe;
    mneme_error error = {0};
    assert_int_equal(hrana_probe(driver, &probe, &error), 0);
    assert_true(probe.replica_ok);

    sqld_stop(&replica);
    assert_int_equal(get_integer(driver, "SELECT count(*) FROM t"), ROUNDS);
    driver->operations->counters(driver, &counters);
    assert_int_equal(counters.replica_fallbacks, 1);
    assert_int_equal(hrana_probe(driver, &probe, &error), 0);
    assert_false(probe.replica_ok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sql_hrana_access__follows_the_token),
        cmocka_unit_test(sql_hrana_access__reaches_each_namespace),
        cmocka_unit_test(sql_hrana_access__reads_its_writes_from_a_replica),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
