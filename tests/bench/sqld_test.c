/*
 * sqld_test.c - the server that tests run against starts, ends, comes back with its data, and
 * leaves nothing behind.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "bench/sqld.h"
#include "support/api_fixture.h"
#include "support/remote_http.h"

/* ---- Helpers ------------------------------------------------------------------------------ */

static void start(const struct sqld_options *options, struct sqld *server) {
    mneme_error error;
    OK(sqld_start(options, server, &error), &error);
}

/* Run one statement; the answer must have `part` in it. */
static void run(const struct sqld *server, const char *sql, const char *part) {
    struct http_answer answer = http_sql(server->ports[SQLD_HTTP].number, sql);
    if (!strstr(answer.text, part))
        fail_msg("%s: no \"%s\" in %s", sql, part, answer.text);
}

/* Poll until the condition holds; the test fails after a minute. */
#define EVENTUALLY(condition)                                                                      \
    do {                                                                                           \
        unsigned tries_ = 0;                                                                       \
        while (!(condition)) {                                                                     \
            assert_true(++tries_ < 6000);                                                          \
            pause_10_ms();                                                                         \
        }                                                                                          \
    } while (0)

static void pause_10_ms(void) {
    struct timespec time = {.tv_nsec = 10000000};
    nanosleep(&time, NULL);
}

/* ---- Cases -------------------------------------------------------------------------------- */

static void sqld_start__gives_a_healthy_server_that_stop_removes(void **state) {
    (void)state;
    struct sqld server = {.pid = 0};
    start(NULL, &server);
    run(&server, "SELECT 40 + 2", "\"42\"");
    pid_t pid = server.pid;
    assert_true(file_exists(server.directory));
    sqld_stop(&server);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
    assert_false(file_exists(server.directory));
    sqld_stop(&server);
}

static void sqld_restart__keeps_port_and_data(void **state) {
    (void)state;
    AUTO_SQLD struct sqld server = {.pid = 0};
    mneme_error error;
    start(NULL, &server);
    uint16_t port = server.ports[SQLD_HTTP].number;
    run(&server, "CREATE TABLE t(a)", "\"ok\"");
    run(&server, "INSERT INTO t VALUES(7)", "\"affected_row_count\":1");
    OK(sqld_restart(&server, &error), &error);
    run(&server, "INSERT INTO t VALUES(8)", "\"affected_row_count\":1");
    sqld_kill(&server);
    assert_int_equal(http_get(port, "/health").status, 0);
    OK(sqld_restart(&server, &error), &error);
    assert_int_equal(server.ports[SQLD_HTTP].number, port);
    run(&server, "SELECT group_concat(a) FROM t", "\"7,8\"");
}

/* What the server itself leaves now and then when it ends, and could not be started with. */
static void sqld_restart__does_without_counts_that_are_null(void **state) {
    (void)state;
    AUTO_SQLD struct sqld server = {.pid = 0};
    mneme_error error;
    char path[SQLD_PATH_MAX + 64];
    start(NULL, &server);
    run(&server, "CREATE TABLE t(a)", "\"ok\"");
    sqld_kill(&server);
    snprintf(path, sizeof path, "%s/data/dbs/default/stats.json", server.directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("null", file) >= 0 && fclose(file) == 0);
    OK(sqld_restart(&server, &error), &error);
    run(&server, "SELECT count(*) + 41 FROM t", "\"41\"");
}

static void sqld_start__takes_a_directory_and_leaves_it(void **state) {
    const struct home *home = *state;
    const struct sqld_options options = {.directory = home->directory};
    struct sqld server = {.pid = 0};
    start(&options, &server);
    run(&server, "CREATE TABLE kept(a)", "\"ok\"");
    sqld_stop(&server);
    assert_true(file_exists(home_file(home, "sqld.log")));
    start(&options, &server);
    run(&server, "SELECT count(*) FROM kept", "\"0\"");
    sqld_stop(&server);
}

static void sqld_start__passes_arguments_on(void **state) {
    (void)state;
    /* The user "user" with the password "pass". */
    static const char *const arguments[] = {"--http-auth", "basic:dXNlcjpwYXNz", NULL};
    AUTO_SQLD struct sqld server = {.pid = 0};
    start(&(struct sqld_options){.arguments = arguments}, &server);
    assert_int_equal(http_sql(server.ports[SQLD_HTTP].number, "SELECT 1").status, 401);
}

static void sqld_start__limits_the_size_of_files(void **state) {
    (void)state;
    AUTO_SQLD struct sqld server = {.pid = 0};
    mneme_error error;
    start(&(struct sqld_options){.file_size_max = 2 << 20}, &server);
    run(&server, "CREATE TABLE t(a)", "\"ok\"");
    run(&server, "INSERT INTO t VALUES(randomblob(4000000))", "\"error\"");
    run(&server, "SELECT count(*) FROM t", "\"0\"");
    server.options.file_size_max = 0;
    OK(sqld_restart(&server, &error), &error);
    run(&server, "INSERT INTO t VALUES(randomblob(4000000))", "\"affected_row_count\":1");
}

static bool has_row(const struct sqld *server) {
    return strstr(http_sql(server->ports[SQLD_HTTP].number, "SELECT a FROM t").text, "\"9\"");
}

static void sqld_start__makes_a_replica(void **state) {
    (void)state;
    AUTO_SQLD struct sqld primary = {.pid = 0};
    AUTO_SQLD struct sqld replica = {.pid = 0};
    start(&(struct sqld_options){.serves_replicas = true}, &primary);
    run(&primary, "CREATE TABLE t(a)", "\"ok\"");
    run(&primary, "INSERT INTO t VALUES(9)", "\"ok\"");
    start(&(struct sqld_options){.primary = &primary}, &replica);
    EVENTUALLY(has_row(&replica));
}

static void sqld_start__tells_what_to_do_without_a_binary(void **state) {
    (void)state;
    const char *before = getenv("MNEME_SQLD");
    char *kept = before ? strdup(before) : NULL;
    struct sqld server = {.pid = 0};
    mneme_error error;
    setenv("MNEME_SQLD", "/nowhere/sqld", 1);
    REFUSED(sqld_start(NULL, &server, &error), MNEME_NOT_FOUND, &error);
    if (kept)
        setenv("MNEME_SQLD", kept, 1);
    else
        unsetenv("MNEME_SQLD");
    free(kept);
    assert_says(&error, "/nowhere/sqld");
    assert_says(&error, "make sqld");
    assert_says(&error, "x86-64");
    assert_int_equal(server.pid, 0);
}

static void sqld_start__fails_when_the_server_does(void **state) {
    (void)state;
    static const char *const arguments[] = {"--no-such-option", NULL};
    struct sqld server = {.pid = 0};
    mneme_error error;
    unsigned open = open_descriptors();
    REFUSED(sqld_start(&(struct sqld_options){.arguments = arguments}, &server, &error),
            MNEME_UNAVAILABLE, &error);
    assert_int_equal(server.pid, 0);
    assert_int_equal(open_descriptors(), open);
}

/* In a child: start a server, tell its process, and die without a word to it. */
static int start_and_die(void *context) {
    int to = *(int *)context;
    struct sqld server = {.pid = 0};
    mneme_error error = {0};
    CHILD_CHECK(sqld_start(NULL, &server, &error) == 0, "%s", error.message);
    CHILD_CHECK(write(to, &server, sizeof server) == sizeof server, "pipe");
    raise(SIGKILL);
    return 1;
}

static bool is_gone(pid_t pid) { return waitpid(pid, NULL, WNOHANG) == pid; }

static void sqld__ends_with_who_started_it(void **state) {
    (void)state;
    struct sqld server;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0); /* so that its end is seen here */
    assert_int_equal(child_run(start_and_die, &ends[1]), 1000 + SIGKILL);
    assert_int_equal(read(ends[0], &server, sizeof server), sizeof server);
    EVENTUALLY(is_gone(server.pid));
    server.pid = 0; /* and its directory is removed here */
    for (size_t i = 0; i < SQLD_PORTS; i++)
        server.ports[i] = (struct port){0};
    sqld_stop(&server);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0), 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqld_start__gives_a_healthy_server_that_stop_removes),
        cmocka_unit_test(sqld_restart__keeps_port_and_data),
        cmocka_unit_test(sqld_restart__does_without_counts_that_are_null),
        cmocka_unit_test_setup_teardown(sqld_start__takes_a_directory_and_leaves_it, home_setup,
                                        home_teardown),
        cmocka_unit_test(sqld_start__passes_arguments_on),
        cmocka_unit_test(sqld_start__limits_the_size_of_files),
        cmocka_unit_test(sqld_start__makes_a_replica),
        cmocka_unit_test(sqld_start__tells_what_to_do_without_a_binary),
        cmocka_unit_test(sqld_start__fails_when_the_server_does),
        cmocka_unit_test(sqld__ends_with_who_started_it),
    };
    return cmocka_run_group_tests_name("bench/sqld", tests, NULL, NULL);
}
