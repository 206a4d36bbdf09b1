/*
 * listen_test.c - answers that go on, from a server that sends what a script says.
 */
#include "bench/port.h"
#include "net/listen.h"
#include "net_fixture.h"
#include "os/os.h"

static const struct net_options defaults = {0};

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
#define ENDLESS HEAD "Transfer-Encoding: chunked\r\n\r\n"

/* ---- One who listens ------------------------------------------------------------------------ */

struct ear {
    struct net_listener *listener;
    struct net_listening listening;
    const char *until; /* stop, from within, when this text is whole; NULL: never */
    int refuse;        /* the status that bytes are answered with */
    mneme_error error;
    int status;

    struct lock lock; /* of what follows */
    unsigned opened;
    struct buf heard;
};

static void on_opened(void *context) {
    struct ear *ear = context;
    AUTO_LOCK(held, &ear->lock);
    assert_int_equal(ear->heard.size, 0);
    ear->opened++;
}

static int on_bytes(void *context, struct slice bytes, mneme_error *error) {
    struct ear *ear = context;
    AUTO_LOCK(held, &ear->lock);
    assert_true(bytes.size > 0 && ear->opened > 0);
    buf_append_slice(&ear->heard, bytes);
    if (ear->until && ear->heard.size >= strlen(ear->until))
        net_listener_stop(ear->listener);
    return ear->refuse ? error_set(error, ear->refuse, "heard enough") : 0;
}

static void ear_init(struct ear *ear, struct net_client *client) {
    *ear = (struct ear){.listening = {.path = "/listen",
                                      .content_type = "text/event-stream",
                                      .opened = on_opened,
                                      .bytes = on_bytes,
                                      .context = ear},
                        .heard = BUF_INIT(1 << 20)};
    lock_init(&ear->lock, RANK_LEAF);
    OK(net_listener_create(client, &ear->listener, &ear->error), &ear->error);
}

static void ear_fini(struct ear *ear) {
    net_listener_destroy(ear->listener);
    buf_fini(&ear->heard);
    lock_fini(&ear->lock);
}
#define EAR(name, scene)                                                                           \
    CLEANUP(ear_fini) struct ear name;                                                             \
    ear_init(&name, (scene).client)

static int ear_run(struct ear *ear) {
    return net_listener_run(ear->listener, &ear->listening, &ear->error);
}

static void *ear_thread(void *context) {
    struct ear *ear = context;
    ear->status = ear_run(ear);
    return NULL;
}

static unsigned ear_opened(struct ear *ear) {
    AUTO_LOCK(held, &ear->lock);
    return ear->opened;
}

/* Until the condition holds; fails the test after half a minute. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        unsigned rounds_ = 0;                                                                      \
        while (!(condition) && ++rounds_ < 15000)                                                  \
            usleep(2000);                                                                          \
        assert_true(rounds_ < 15000);                                                              \
    } while (0)

/* ---- What is heard -------------------------------------------------------------------------- */

static void listen__hands_on_what_comes_in_any_pieces(void **state) {
    (void)state;
    static const char text[] = "event:changes\ndata:{\"insert\":1}\n\n:keep-alive\n\n";
    static const char answer[] = "HTTP/1.1 100 Continue\r\n\r\n" ENDLESS
                                 "2e\r\nevent:changes\ndata:{\"insert\":1}\n\n:keep-alive\n\n\r\n";
    for (size_t piece = 0; piece < 12; piece++) {
        SERVER_SCENE(s, &defaults, {.bytes = answer, .piece = piece});
        EAR(ear, s);
        ear.until = text;
        OK(ear_run(&ear), &ear.error);
        assert_int_equal(ear.opened, 1);
        assert_int_equal(ear.heard.size, strlen(text));
        assert_memory_equal(ear.heard.data, text, strlen(text));
    }
}

/* It begins with the head: the first byte behind it may be long in coming. And whoever stops it
 * does not wait for the server. */
static void listen__opens_with_the_head_and_is_stopped_by_another_thread(void **state) {
    (void)state;
    SERVER_SCENE(s, &defaults, {.bytes = ENDLESS});
    EAR(ear, s);
    ear.listening.silence_ms = 3600000;
    pthread_t thread;
    OK(thread_start(&thread, ear_thread, &ear, &ear.error), &ear.error);
    WAIT_FOR(ear_opened(&ear) == 1);
    net_listener_stop(ear.listener);
    pthread_join(thread, NULL);
    assert_int_equal(ear.status, 0);
    assert_int_equal(ear.heard.size, 0);
    /* And so is what comes later: the server is not even asked. */
    OK(ear_run(&ear), &ear.error);
    assert_int_equal(ear.opened, 1);
}

static void listen__is_stopped_before_there_is_an_answer(void **state) {
    (void)state;
    SERVER_SCENE(s, &((struct net_options){.total_ms = 3600000}), {.bytes = NULL});
    EAR(ear, s);
    pthread_t thread;
    OK(thread_start(&thread, ear_thread, &ear, &ear.error), &ear.error);
    WAIT_FOR(server_scene_seen(&s).requests == 1);
    net_listener_stop(ear.listener);
    pthread_join(thread, NULL);
    assert_int_equal(ear.status, 0);
    assert_int_equal(ear.opened, 0);
}

static void listen__sends_what_every_request_sends(void **state) {
    (void)state;
    char expected[512];
    const char *headers[] = {"Accept: text/event-stream"};
    SERVER_SCENE(s, &((struct net_options){.token = "t0ken"}), {.bytes = ENDLESS "1\r\nx\r\n"});
    EAR(ear, s);
    ear.listening.headers = headers;
    ear.listening.header_count = 1;
    ear.until = "x";
    OK(ear_run(&ear), &ear.error);
    snprintf(expected, sizeof expected,
             "GET /listen HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: mneme/%s\r\n"
             "Authorization: Bearer t0ken\r\nAccept: text/event-stream\r\n\r\n",
             net_server_port(s.server), mneme_version_text());
    assert_string_equal(server_scene_seen(&s).last, expected);
    struct net_counters counters = net_client_counters(s.client);
    assert_int_equal(counters.connects, 1);
    assert_int_equal(counters.bytes_up, strlen(expected));
    assert_int_equal(counters.bytes_down, strlen(ENDLESS) + 1);
    assert_int_equal(counters.calls, 0);
}

/* With a pool of one there is still room for a call. */
static void listen__takes_no_place_in_the_pool(void **state) {
    (void)state;
    SERVER_SCENE(s, &((struct net_options){.pool_max = 1, .acquire_ms = 60000}), {.bytes = ENDLESS},
                 {.bytes = HTTP_OK("2") "ok"});
    EAR(ear, s);
    pthread_t thread;
    OK(thread_start(&thread, ear_thread, &ear, &ear.error), &ear.error);
    WAIT_FOR(ear_opened(&ear) == 1);
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_body(&s.response, "ok");
    assert_int_equal(net_client_counters(s.client).open, 1);
    net_listener_stop(ear.listener);
    pthread_join(thread, NULL);
}

/* ---- How it ends ---------------------------------------------------------------------------- */

static void listen__ends_when_the_server_ends_it(void **state) {
    (void)state;
    SERVER_SCENE(s, &defaults, {.bytes = ENDLESS "1\r\nx\r\n0\r\n\r\n"},
                 {.bytes = ENDLESS "1\r\nx\r\n", .end = SERVER_CLOSE},
                 {.bytes = HEAD "\r\nx", .end = SERVER_CLOSE},
                 {.bytes = ENDLESS "1\r\nx\r\n", .end = SERVER_RESET},
                 {.bytes = ENDLESS "no chunk\r\n"});
    for (unsigned i = 0; i < 5; i++) {
        EAR(ear, s);
        REFUSED(ear_run(&ear), MNEME_UNAVAILABLE, &ear.error);
        assert_says(&ear.error, net_server_url(s.server));
        assert_int_equal(server_scene_seen(&s).accepted, i + 1); /* not tried again */
    }
}

static void listen__ends_on_silence(void **state) {
    (void)state;
    SERVER_SCENE(s, &defaults, {.bytes = ENDLESS "1\r\nx\r\n"});
    EAR(ear, s);
    ear.listening.silence_ms = 30;
    REFUSED(ear_run(&ear), MNEME_UNAVAILABLE, &ear.error);
    assert_says(&ear.error, "no byte came for 30 ms");
    assert_int_equal(ear.opened, 1);
}

/* No head, and an answer of another kind that takes for ever. */
static void listen__bounds_the_time_of_all_that_is_not_listening(void **state) {
    (void)state;
    SERVER_SCENE(s, &((struct net_options){.total_ms = 30}), {.bytes = NULL},
                 {.bytes = "HTTP/1.1 200 O"},
                 {.bytes = "HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\nsoon"});
    for (unsigned i = 0; i < 2; i++) {
        EAR(ear, s);
        REFUSED(ear_run(&ear), MNEME_UNAVAILABLE, &ear.error);
        assert_says(&ear.error, "no answer came within 30 ms");
    }
    EAR(ear, s);
    REFUSED(ear_run(&ear), MNEME_NOT_FOUND, &ear.error);
}

static void listen__tells_what_other_answers_say(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        int status;
        const char *says;
    } cases[] = {
        {"HTTP/1.1 404 No\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nnone",
         MNEME_NOT_FOUND, "404: none"},
        {"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", MNEME_NOT_FOUND, "404"},
        {"HTTP/1.1 401 No\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
         MNEME_UNAUTHORIZED, "401: {}"},
        {"HTTP/1.1 503 No\r\nContent-Type: text/event-stream\r\nContent-Length: 0\r\n\r\n",
         MNEME_UNAVAILABLE, "503"},
        {"HTTP/1.1 204 OK\r\nContent-Type: text/event-stream\r\n\r\n", MNEME_UNSUPPORTED, "204"},
        {HTTP_OK("2") "ok", MNEME_UNSUPPORTED, "not with text/event-stream"},
        {"HTTP/1.1 200 OK\r\nContent-Type: text/event-streams\r\n\r\n", MNEME_UNSUPPORTED, "200"},
        {"HTTP/1.1 200 OK\r\n\r\nx", MNEME_UNSUPPORTED, "200"},
        {"garbage\r\n\r\n", MNEME_UNAVAILABLE, ""},
        {"HTTP/1.1 200 OK\r\nX", MNEME_UNAVAILABLE, ""},
        {"", MNEME_UNAVAILABLE, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SERVER_SCENE(s, &defaults, {.bytes = cases[i].answer, .end = SERVER_CLOSE});
        EAR(ear, s);
        REFUSED(ear_run(&ear), cases[i].status, &ear.error);
        assert_says(&ear.error, cases[i].says);
        assert_int_equal(ear.opened, 0);
        assert_int_equal(ear.heard.size, 0);
    }
}

/* Of an answer without end that is not the right one, no more is read than can be shown. */
static void listen__leaves_another_answer_that_does_not_end(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    static const char head[] = "HTTP/1.1 500 No\r\nContent-Type: text/plain\r\n\r\n";
    static char answer[SIZE]; /* it outlives the server */
    memset(answer, 'x', SIZE);
    memcpy(answer, head, strlen(head));
    SERVER_SCENE(s, &defaults, {.bytes = answer, .size = SIZE});
    EAR(ear, s);
    REFUSED(ear_run(&ear), MNEME_UNAVAILABLE, &ear.error);
    assert_says(&ear.error, "500: xxx");
    assert_true(net_client_counters(s.client).bytes_down < SIZE / 4);
}

/* libcurl keeps the headers. */
static void listen__leaves_a_head_without_end(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    static char answer[SIZE]; /* it outlives the server */
    int size = snprintf(answer, SIZE, "%s", HEAD);
    while (size < SIZE - 100)
        size += snprintf(answer + size, (size_t)(SIZE - size), "X-%d: and so on\r\n", size);
    SERVER_SCENE(s, &defaults, {.bytes = answer});
    EAR(ear, s);
    REFUSED(ear_run(&ear), MNEME_TOO_LARGE, &ear.error);
    assert_says(&ear.error, "headers");
    REFUSED(server_scene_call(&s, &get_request), MNEME_TOO_LARGE, &s.error);
    assert_says(&s.error, "headers");
}

static void listen__knows_the_type_in_any_case_and_with_parameters(void **state) {
    (void)state;
    SERVER_SCENE(s, &defaults,
                 {.bytes = "HTTP/1.1 200 OK\r\nContent-Type: Text/Event-Stream; charset=utf-8\r\n"
                           "\r\nx"});
    EAR(ear, s);
    ear.until = "x";
    OK(ear_run(&ear), &ear.error);
    assert_int_equal(ear.heard.size, 1);
}

static void listen__follows_no_redirect(void **state) {
    (void)state;
    static const struct net_server_step elsewhere_steps[] = {{.bytes = ENDLESS}};
    struct net_server *elsewhere = net_server_start(elsewhere_steps, 1);
    struct net_server_seen seen;
    char answer[256];
    snprintf(answer, sizeof answer,
             "HTTP/1.1 307 There\r\nLocation: %s/listen\r\nContent-Length: 0\r\n\r\n",
             net_server_url(elsewhere));
    SERVER_SCENE(s, &((struct net_options){.token = "t0ken"}), {.bytes = answer});
    EAR(ear, s);
    REFUSED(ear_run(&ear), MNEME_FAILURE, &ear.error);
    assert_says(&ear.error, "307");
    net_server_seen(elsewhere, &seen);
    assert_int_equal(seen.accepted, 0);
    net_server_stop(elsewhere);
}

static void listen__ends_with_what_its_reader_says(void **state) {
    (void)state;
    SERVER_SCENE(s, &defaults, {.bytes = ENDLESS "1\r\nx\r\n"});
    EAR(ear, s);
    ear.refuse = MNEME_CORRUPT;
    REFUSED(ear_run(&ear), MNEME_CORRUPT, &ear.error);
    assert_says(&ear.error, ": heard enough");
}

static void listen__tells_that_nobody_is_there(void **state) {
    (void)state;
    char url[64];
    struct server_scene s = {.server = NULL};
    AUTO_PORT struct port dead = {0};
    OK(port_take(&dead, &s.error), &s.error);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", dead.number);
    OK(net_client_create(&(struct net_options){.url = url}, &s.client, &s.error), &s.error);
    {
        EAR(ear, s);
        REFUSED(ear_run(&ear), MNEME_UNAVAILABLE, &ear.error);
        assert_says(&ear.error, "no connection");
        ear.listening.path = "no path";
        REFUSED(ear_run(&ear), MNEME_INVALID, &ear.error);
    }
    net_client_destroy(s.client);
}

/* ---- The rest ------------------------------------------------------------------------------- */

static void listen__needs_a_real_transport(void **state) {
    (void)state;
    struct net_listener *listener = NULL;
    FAKE_SCENE(s, &defaults, {.http = 200});
    REFUSED(net_listener_create(s.client, &listener, &s.error), MNEME_UNSUPPORTED, &s.error);
    assert_null(listener);
    net_listener_destroy(NULL);
}

static int stop_in_child(void *context) {
    struct ear *ear = context;
    mneme_error error;
    net_listener_stop(ear->listener);
    return net_listener_run(ear->listener, &ear->listening, &error) == MNEME_FORKED ? 0 : 1;
}

/* A child has the parent's descriptors, and must not stop it. */
static void listen__is_of_no_use_after_fork(void **state) {
    (void)state;
    SERVER_SCENE(s, &defaults, {.bytes = ENDLESS "1\r\nx\r\n"});
    EAR(ear, s);
    ear.until = "x";
    assert_int_equal(child_run(stop_in_child, &ear), 0);
    OK(ear_run(&ear), &ear.error);
    assert_int_equal(ear.heard.size, 1);
}

static void listen__survives_each_failed_allocation(void **state) {
    (void)state;
    SERVER_SCENE(s, &defaults, {.bytes = ENDLESS "1\r\nx\r\n"});
    unsigned k = 0;
    int status = MNEME_NO_MEMORY;
    while (status != 0 && ++k < 100) {
        EAR(ear, s);
        ear.until = "x";
        (void)buf_reserve(&ear.heard, 64);
        mem_fail_after(k);
        status = ear_run(&ear);
        mem_fail_after(0);
        /* The server's own buffers come from the same allocator: then there is no answer. */
        if (status != 0 && status != MNEME_NO_MEMORY && status != MNEME_UNAVAILABLE)
            fail_msg("allocation %u: %d %s", k, status, ear.error.message);
    }
    assert_int_equal(status, 0);
    assert_true(k > 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen__hands_on_what_comes_in_any_pieces),
        cmocka_unit_test(listen__opens_with_the_head_and_is_stopped_by_another_thread),
        cmocka_unit_test(listen__is_stopped_before_there_is_an_answer),
        cmocka_unit_test(listen__sends_what_every_request_sends),
        cmocka_unit_test(listen__takes_no_place_in_the_pool),
        cmocka_unit_test(listen__ends_when_the_server_ends_it),
        cmocka_unit_test(listen__ends_on_silence),
        cmocka_unit_test(listen__bounds_the_time_of_all_that_is_not_listening),
        cmocka_unit_test(listen__tells_what_other_answers_say),
        cmocka_unit_test(listen__leaves_another_answer_that_does_not_end),
        cmocka_unit_test(listen__leaves_a_head_without_end),
        cmocka_unit_test(listen__knows_the_type_in_any_case_and_with_parameters),
        cmocka_unit_test(listen__follows_no_redirect),
        cmocka_unit_test(listen__ends_with_what_its_reader_says),
        cmocka_unit_test(listen__tells_that_nobody_is_there),
        cmocka_unit_test(listen__needs_a_real_transport),
        cmocka_unit_test(listen__is_of_no_use_after_fork),
        cmocka_unit_test(listen__survives_each_failed_allocation),
    };
    return cmocka_run_group_tests_name("net/listen", tests, NULL, NULL);
}
