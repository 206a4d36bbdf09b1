/*
 * hrana_listen_test.c - hints of changes, from a scripted server and from a real one.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"
#include "store/sql.h"
#include "store/sql/hrana/listen.h"
#include "store/sql_feed.h"
#include "support/api_fixture.h"
#include "support/hrana_scene.h"
#include "support/hrana_token.h"
#include "support/net_server.h"
#include "support/server_database.h"
#include "support/store_records.h"

static atomic_uint changes;
static void count_change(void *context) {
    atomic_uint *count = context;
    atomic_fetch_add(count, 1);
}

/* Pauses so short that a test need not wait for them. */
static const struct hrana_listen_options quick = {.table = "mneme_record",
                                                  .changed = count_change,
                                                  .context = &changes,
                                                  .pause_ms = 1,
                                                  .pause_max_ms = 10};

/* Until the condition holds; fails the test after a minute. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        unsigned rounds_ = 0;                                                                      \
        while (!(condition) && ++rounds_ < 30000)                                                  \
            usleep(2000);                                                                          \
        assert_true(rounds_ < 30000);                                                              \
    } while (0)

static void close_listener(struct hrana_listener **listener) { hrana_listener_close(*listener); }
#define AUTO_LISTENER CLEANUP(close_listener)

static struct hrana_listener *open_listener(struct sql_driver *driver,
                                            const struct hrana_listen_options *options) {
    struct hrana_listener *listener = NULL;
    mneme_error error = {0};
    atomic_store(&changes, 0);
    if (hrana_listener_open(driver, options, &listener, &error) != 0)
        fail_msg("%s", error.message);
    return listener;
}

/* ---- A scripted server ------------------------------------------------------------------- */

#define HEAD                                                                                       \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define EVENT "20\r\nevent:changes\ndata:{\"insert\":1}\n\r\n1\r\n\n\r\n"

struct scripted {
    struct net_server *server;
    struct sql_driver *driver;
};

static void scripted_fini(struct scripted *s) {
    close_driver(&s->driver);
    net_server_stop(s->server);
}

static struct scripted scripted_make(const char *path, const struct net_server_step *steps,
                                     size_t count) {
    struct scripted s = {.server = net_server_start(steps, count)};
    char url[200];
    snprintf(url, sizeof url, "%s%s", net_server_url(s.server), path);
    s.driver = open_driver((struct hrana_options){.net.url = url, .net.token = "t0ken"});
    return s;
}
#define SCRIPTED(name, path, ...)                                                                  \
    const struct net_server_step name##_steps[] = {__VA_ARGS__};                                   \
    CLEANUP(scripted_fini)                                                                         \
    struct scripted name = scripted_make(path, name##_steps, COUNT_OF(name##_steps))

static struct net_server_seen seen(struct scripted *s) {
    struct net_server_seen out;
    net_server_seen(s->server, &out);
    return out;
}

static void hrana_listen__tells_of_each_event_and_of_the_beginning(void **state) {
    (void)state;
    for (size_t piece = 0; piece < 3; piece++) {
        SCRIPTED(s, "", {.bytes = HEAD "d\r\n:keep-alive\n\n\r\n" EVENT, .piece = piece * 7});
        AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &quick);
        WAIT_FOR(atomic_load(&changes) == 2);
        assert_true(hrana_listener_is_live(listener));
        assert_int_equal(hrana_listener_status(listener, NULL), 0);
        assert_int_equal(seen(&s).accepted, 1);
    }
}

/* After each failure it listens again, and says so, for something may have been missed. */
static void hrana_listen__listens_again_after_failures(void **state) {
    (void)state;
    SCRIPTED(s, "", {.bytes = HEAD EVENT, .end = SERVER_CLOSE},
             {.bytes = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"},
             {.bytes = "garbage\r\n", .end = SERVER_CLOSE},
             {.bytes = HEAD "5\r\ndata:\r\n", .end = SERVER_RESET},
             {.bytes = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n"},
             {.bytes = HEAD "2\r\n\n\n\r\n" EVENT});
    AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &quick);
    WAIT_FOR(seen(&s).requests == 6);
    WAIT_FOR(hrana_listener_is_live(listener));
    /* Twice the first time; once or not at all for the head that was reset; twice the last time.
     * What the line that was cut off had begun does not count. */
    WAIT_FOR(atomic_load(&changes) >= 4);
    assert_in_range(atomic_load(&changes), 4, 5);
    assert_int_equal(hrana_listener_status(listener, NULL), 0);
}

/* Who has no hints says so once, and is left alone for ten minutes. */
static void hrana_listen__leaves_a_server_alone_that_has_no_hints(void **state) {
    (void)state;
    static const char *const answers[] = {
        "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 307 No\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi"};
    for (size_t i = 0; i < COUNT_OF(answers); i++) {
        mneme_error error = {0};
        SCRIPTED(s, "", {.bytes = answers[i]});
        AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &quick);
        WAIT_FOR(hrana_listener_status(listener, &error) != 0);
        assert_int_equal(error.code, MNEME_UNSUPPORTED);
        const char *when = strstr(error.message, "tried again in ");
        assert_non_null(when);
        assert_in_range(strtol(when + strlen("tried again in "), NULL, 10), 500, 600);
        assert_false(hrana_listener_is_live(listener));
        assert_int_equal(atomic_load(&changes), 0);
        assert_int_equal(seen(&s).requests, 1);
    }
}

static void hrana_listen__asks_again_when_the_ten_minutes_are_over(void **state) {
    (void)state;
    SCRIPTED(s, "", {.bytes = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"}, {.bytes = HEAD});
    struct hrana_listen_options options = quick;
    options.absent_ms = 1;
    AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &options);
    WAIT_FOR(hrana_listener_is_live(listener));
    WAIT_FOR(atomic_load(&changes) == 1);
}

static void hrana_listen__ends_on_silence_and_on_a_line_without_end(void **state) {
    (void)state;
    enum { SIZE = 70000 };
    static char answer[SIZE]; /* it outlives the server */
    mneme_error error = {0};
    memset(answer, 'x', SIZE);
    int head = snprintf(answer, SIZE, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n");
    answer[head] = 'x';
    SCRIPTED(s, "", {.bytes = answer, .size = SIZE}, {.bytes = HEAD});
    struct hrana_listen_options options = quick;
    options.silence_ms = 50;
    options.pause_ms = options.pause_max_ms = 1000000;
    {
        AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &options);
        WAIT_FOR(hrana_listener_status(listener, &error) != 0);
        assert_int_equal(error.code, MNEME_CORRUPT);
    }
    AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &options);
    WAIT_FOR(hrana_listener_status(listener, &error) != 0);
    assert_int_equal(error.code, MNEME_UNAVAILABLE);
    assert_non_null(strstr(error.message, "no byte came for 50 ms"));
    const char *when = strstr(error.message, "tried again in ");
    assert_non_null(when);
    assert_in_range(strtol(when + strlen("tried again in "), NULL, 10), 490, 1000);
}

static void hrana_listen__asks_for_its_table_and_database(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"", "GET /beta/listen?table=mneme_record HTTP", "text/event-stream\r\n\r\n"},
        {"/p/q", "GET /p/q/beta/listen?table=mneme_record HTTP", "text/event-stream\r\n\r\n"},
        {"/dev/home", "GET /beta/listen?table=mneme_record HTTP", "\r\nx-namespace-bin: aG9tZQ\r"},
        {"/dev/a%20b", "GET /dev/a%20b/beta/listen", "text/event-stream\r\n\r\n"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCRIPTED(s, cases[i][0], {.bytes = HEAD});
        AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &quick);
        WAIT_FOR(hrana_listener_is_live(listener));
        struct net_server_seen now = seen(&s);
        assert_non_null(strstr(now.last, cases[i][1]));
        assert_non_null(strstr(now.last, cases[i][2]));
        assert_non_null(strstr(now.last, "\r\nAuthorization: Bearer t0ken\r\n"));
    }
}

static void hrana_listen__refuses_what_cannot_be_listened_to(void **state) {
    (void)state;
    static const char *const names[] = {"", "a b", "a&b", "t\xC3\xA9", "a/../b"};
    struct hrana_listener *listener = NULL;
    mneme_error error = {0};
    SCRIPTED(s, "", {.bytes = HEAD});
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct hrana_listen_options options = quick;
        options.table = names[i];
        assert_int_equal(hrana_listener_open(s.driver, &options, &listener, &error), MNEME_INVALID);
    }
    struct sql_driver_operations operations = {.name = "sqlite"};
    struct sql_driver other = {&operations};
    assert_int_equal(hrana_listener_open(&other, &quick, &listener, &error), MNEME_UNSUPPORTED);
    assert_null(listener);
    hrana_listener_close(NULL);
    assert_int_equal(seen(&s).accepted, 0);
}

static void hrana_listen__pauses_longer_each_time_unless_it_was_well(void **state) {
    (void)state;
    const struct hrana_listen_options o = {.pause_ms = 1000, .pause_max_ms = 60000};
    int64_t pause_us = 0;
    static const int64_t seconds[] = {1, 2, 4, 8, 16, 32, 60, 60};
    for (size_t i = 0; i < COUNT_OF(seconds); i++) {
        pause_us = hrana_listen_pause_us(&o, pause_us, 0);
        assert_int_equal(pause_us, seconds[i] * 1000000);
    }
    assert_int_equal(hrana_listen_pause_us(&o, 8000000, 7000000), 16000000);
    assert_int_equal(hrana_listen_pause_us(&o, 8000000, 9000000), 1000000);
}

/* ---- A real server ----------------------------------------------------------------------- */

static struct sqld server;

static struct store *open_store(const char *url) {
    struct sql_driver *driver = open_driver((struct hrana_options){.net.url = url});
    struct store *store = NULL;
    mneme_error error = {0};
    if (sql_store_open(driver, NULL, &store, &error) != 0)
        fail_msg("%s", error.message);
    return store;
}

static void write_record(struct store *store, unsigned n) {
    struct mutation put = put_of(MNEME_EPISODE, n);
    assert_int_equal(apply_one(store, &put), 0);
}

/* The store writes through the trigger of a view. */
static void hrana_listen__is_woken_by_a_write_of_a_store(void **state) {
    (void)state;
    struct store *store = open_store(server.url);
    AUTO_DRIVER struct sql_driver *driver =
        open_driver((struct hrana_options){.net.url = server.url});
    AUTO_LISTENER struct hrana_listener *listener = open_listener(driver, &quick);
    WAIT_FOR(atomic_load(&changes) == 1);
    assert_true(hrana_listener_is_live(listener));
    for (unsigned n = 1; n <= 3; n++) {
        write_record(store, n);
        WAIT_FOR(atomic_load(&changes) == 1 + n);
    }
    struct mutation gone = delete_of(MNEME_EPISODE, 1);
    assert_int_equal(apply_one(store, &gone), 0);
    WAIT_FOR(atomic_load(&changes) == 5);
    do_sql(driver, true, "UPDATE mneme_store SET commits = commits"); /* of no table of ours */
    write_record(store, 4);
    WAIT_FOR(atomic_load(&changes) == 6);
    store_close(store);
}

/* With a time limit that no test outlasts, each wait ends by a hint, or not at all. */
static void hrana_listen__wakes_who_waits_for_a_feed(void **state) {
    (void)state;
    const int64_t hour_us = INT64_C(3600000000);
    struct store *store = open_store(server.url), *elsewhere = open_store(server.url);
    struct feed *feed = NULL;
    mneme_error error = {0};
    assert_int_equal(sql_feed_open(store, &feed, &error), 0);
    int64_t until_us = clock_monotonic_us() + hour_us;
    assert_int_equal(feed_wait(feed, until_us, &error), 0); /* it begins to listen */
    for (unsigned n = 10; n < 13; n++) {
        write_record(elsewhere, n);
        assert_int_equal(feed_wait(feed, until_us, &error), 0);
    }
    feed_close(feed);
    store_close(store);
    store_close(elsewhere);
}

static void hrana_listen__comes_back_with_the_server(void **state) {
    (void)state;
    mneme_error error = {0};
    struct store *store = open_store(server.url);
    AUTO_DRIVER struct sql_driver *driver =
        open_driver((struct hrana_options){.net.url = server.url});
    AUTO_LISTENER struct hrana_listener *listener = open_listener(driver, &quick);
    WAIT_FOR(hrana_listener_is_live(listener));
    sqld_kill(&server);
    WAIT_FOR(!hrana_listener_is_live(listener));
    WAIT_FOR(hrana_listener_status(listener, &error) == MNEME_UNAVAILABLE);
    unsigned before = atomic_load(&changes);
    assert_int_equal(sqld_restart(&server, &error), 0);
    WAIT_FOR(hrana_listener_is_live(listener));
    WAIT_FOR(atomic_load(&changes) == before + 1);
    write_record(store, 20);
    WAIT_FOR(atomic_load(&changes) == before + 2);
    store_close(store);
}

/* The server stands still, before it has answered and after. */
static void hrana_listen__closes_while_the_server_stalls(void **state) {
    (void)state;
    struct hrana_listen_options options = quick;
    options.silence_ms = 3600000;
    AUTO_DRIVER struct sql_driver *driver =
        open_driver((struct hrana_options){.net = {.url = server.url, .total_ms = 3600000}});
    struct hrana_listener *heard = open_listener(driver, &options);
    WAIT_FOR(hrana_listener_is_live(heard));
    int how;
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    assert_int_equal(waitpid(server.pid, &how, WUNTRACED), server.pid); /* it stands now */
    struct hrana_listener *unheard = open_listener(driver, &options);
    hrana_listener_close(heard);
    hrana_listener_close(unheard);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_int_equal(atomic_load(&changes), 0);
}

static void hrana_listen__hears_its_own_namespace(void **state) {
    (void)state;
    struct server_database own, other;
    mneme_error error = {0};
    assert_int_equal(server_database_make(&own, &error), 0);
    assert_int_equal(server_database_make(&other, &error), 0);
    struct store *store = open_store(own.url), *elsewhere = open_store(other.url);
    AUTO_DRIVER struct sql_driver *by_path =
        open_driver((struct hrana_options){.net.url = own.url});
    AUTO_DRIVER struct sql_driver *by_name =
        open_driver((struct hrana_options){.net.url = own.origin, .name_space = own.name});
    struct sql_driver *drivers[] = {by_path, by_name};
    for (unsigned i = 0; i < COUNT_OF(drivers); i++) {
        AUTO_LISTENER struct hrana_listener *listener = open_listener(drivers[i], &quick);
        WAIT_FOR(atomic_load(&changes) == 1);
        assert_true(hrana_listener_is_live(listener));
        write_record(elsewhere, 1 + i);
        write_record(store, 1 + i);
        WAIT_FOR(atomic_load(&changes) == 2);
    }
    store_close(store);
    store_close(elsewhere);
}

static int look_in_child(void *context) {
    struct hrana_listener *listener = context;
    mneme_error error;
    bool live = hrana_listener_is_live(listener);
    int status = hrana_listener_status(listener, &error);
    hrana_listener_close(listener);
    return !live && status == MNEME_FORKED ? 0 : 1;
}

static void hrana_listen__goes_on_when_a_child_closes_it(void **state) {
    (void)state;
    SCRIPTED(s, "", {.bytes = HEAD}, {.bytes = HEAD});
    AUTO_LISTENER struct hrana_listener *listener = open_listener(s.driver, &quick);
    WAIT_FOR(hrana_listener_is_live(listener));
    assert_int_equal(child_run(look_in_child, listener), 0);
    assert_true(hrana_listener_is_live(listener));
    assert_int_equal(seen(&s).accepted, 1);
}

static void hrana_listen__needs_a_token_where_the_server_does(void **state) {
    (void)state;
    AUTO_TOKEN_KEY struct token_key key;
    AUTO_SQLD struct sqld own = {0};
    char token[600];
    mneme_error error = {0};
    token_key_init(&key);
    token_make(&key, "{\"a\":\"ro\",\"id\":\"default\"}", token);
    const char *const arguments[] = {"--auth-jwt-key-file", key.public_path, NULL};
    start_server(&own, &(struct sqld_options){.arguments = arguments});
    AUTO_DRIVER struct sql_driver *none = open_driver((struct hrana_options){.net.url = own.url});
    AUTO_DRIVER struct sql_driver *reader =
        open_driver((struct hrana_options){.net = {.url = own.url, .token = token}});
    AUTO_LISTENER struct hrana_listener *refused = open_listener(none, &quick);
    WAIT_FOR(hrana_listener_status(refused, &error) != 0);
    assert_int_equal(error.code, MNEME_UNAUTHORIZED);
    AUTO_LISTENER struct hrana_listener *heard = open_listener(reader, &quick);
    WAIT_FOR(hrana_listener_is_live(heard));
}

static void hrana_listen__leaves_a_replica_alone(void **state) {
    (void)state;
    AUTO_SQLD struct sqld primary = {0};
    AUTO_SQLD struct sqld replica = {0};
    mneme_error error = {0};
    start_server(&primary, &(struct sqld_options){.serves_replicas = true});
    const char *const arguments[] = {"--http-primary-url", primary.url, NULL};
    start_server(&replica, &(struct sqld_options){.primary = &primary, .arguments = arguments});
    AUTO_DRIVER struct sql_driver *driver =
        open_driver((struct hrana_options){.net.url = replica.url});
    AUTO_LISTENER struct hrana_listener *listener = open_listener(driver, &quick);
    WAIT_FOR(hrana_listener_status(listener, &error) != 0);
    assert_int_equal(error.code, MNEME_UNSUPPORTED);
    assert_non_null(strstr(error.message, "307"));
}

static int start(void **state) {
    (void)state;
    mneme_error error = {0};
    if (sqld_start(&(struct sqld_options){0}, &server, &error) == 0)
        return 0;
    print_error("%s\n", error.message);
    return -1;
}

static int stop(void **state) {
    (void)state;
    sqld_stop(&server);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hrana_listen__tells_of_each_event_and_of_the_beginning),
        cmocka_unit_test(hrana_listen__listens_again_after_failures),
        cmocka_unit_test(hrana_listen__leaves_a_server_alone_that_has_no_hints),
        cmocka_unit_test(hrana_listen__asks_again_when_the_ten_minutes_are_over),
        cmocka_unit_test(hrana_listen__ends_on_silence_and_on_a_line_without_end),
        cmocka_unit_test(hrana_listen__asks_for_its_table_and_database),
        cmocka_unit_test(hrana_listen__refuses_what_cannot_be_listened_to),
        cmocka_unit_test(hrana_listen__pauses_longer_each_time_unless_it_was_well),
        cmocka_unit_test(hrana_listen__is_woken_by_a_write_of_a_store),
        cmocka_unit_test(hrana_listen__wakes_who_waits_for_a_feed),
        cmocka_unit_test(hrana_listen__comes_back_with_the_server),
        cmocka_unit_test(hrana_listen__closes_while_the_server_stalls),
        cmocka_unit_test(hrana_listen__hears_its_own_namespace),
        cmocka_unit_test(hrana_listen__goes_on_when_a_child_closes_it),
        cmocka_unit_test(hrana_listen__needs_a_token_where_the_server_does),
        cmocka_unit_test(hrana_listen__leaves_a_replica_alone),
    };
    return cmocka_run_group_tests_name("store/sql/hrana_listen", tests, start, stop);
}
