/*
 * proxy_test.c - the proxy carries requests and answers whole and in their order, none before its
 * time, and makes each of its faults.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "bench/port.h"
#include "bench/proxy.h"
#include "bench/proxy_frame.h"
#include "os/os.h"
#include "support/api_fixture.h"
#include "support/remote_http.h"

enum { CONNECTIONS_MAX = 80, DELAY_MS = 30 };

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

/* ---- A server behind it: answers a request with its path and the alphabet -------------------- */

struct scene {
    int listener;
    pthread_t taker, threads[CONNECTIONS_MAX];
    size_t count;
    atomic_uint requests;
    struct proxy *proxy;
};

struct visit {
    struct scene *scene;
    int fd;
};

static void answer_request(int fd, const char *request) {
    char path[64] = "", answer[512];
    (void)sscanf(request, "%*s %63s", path);
    if (strcmp(path, "/chunked") == 0)
        snprintf(answer, sizeof answer,
                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1a\r\n" LETTERS
                 "\r\n0\r\n\r\n");
    else if (strcmp(path, "/until-close") == 0)
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\n\r\n" LETTERS);
    else
        snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s " LETTERS,
                 strlen(path) + 27, path);
    (void)http_send(fd, answer);
    if (strcmp(path, "/until-close") == 0)
        shutdown(fd, SHUT_RDWR);
}

/* One connection of it. Requests come one at a time, as a proxy carries them. */
static void *serve(void *argument) {
    struct visit visit = *(struct visit *)argument;
    char bytes[4096];
    struct frame frame = {.state = FRAME_HEAD};
    mem_free(argument);
    frame_begin(&frame, false);
    for (size_t size = 0;;) {
        ssize_t got = recv(visit.fd, bytes + size, sizeof bytes - 1 - size, 0);
        if (got <= 0)
            break;
        (void)frame_feed(&frame, (const uint8_t *)bytes + size, (size_t)got);
        size += (size_t)got;
        bytes[size] = 0;
        if (frame.state != FRAME_DONE)
            continue;
        atomic_fetch_add(&visit.scene->requests, 1);
        answer_request(visit.fd, bytes);
        frame_begin(&frame, false);
        size = 0;
    }
    frame_fini(&frame);
    close(visit.fd);
    return NULL;
}

static void *take_visits(void *argument) {
    struct scene *scene = argument;
    for (int fd; (fd = accept(scene->listener, NULL, NULL)) >= 0;) {
        struct visit *visit = mem_alloc(sizeof *visit);
        if (!visit || scene->count == CONNECTIONS_MAX)
            abort();
        *visit = (struct visit){scene, fd};
        if (thread_start(&scene->threads[scene->count++], serve, visit, NULL))
            abort();
    }
    return NULL;
}

static int scene_setup(void **state) {
    static struct scene made;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    mneme_error error;
    made.count = 0;
    atomic_store(&made.requests, 0);
    made.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(made.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(made.listener, CONNECTIONS_MAX), 0);
    assert_int_equal(getsockname(made.listener, (struct sockaddr *)&address, &size), 0);
    OK(thread_start(&made.taker, take_visits, &made, &error), &error);
    OK(proxy_start(ntohs(address.sin_port), 0, &made.proxy, &error), &error);
    *state = &made;
    return 0;
}

static int scene_teardown(void **state) {
    struct scene *scene = *state;
    proxy_stop(scene->proxy);
    shutdown(scene->listener, SHUT_RDWR);
    pthread_join(scene->taker, NULL);
    for (size_t i = 0; i < scene->count; i++)
        pthread_join(scene->threads[i], NULL);
    close(scene->listener);
    return 0;
}

/* ---- Helpers ------------------------------------------------------------------------------ */

static int connect_to(const struct scene *scene) {
    int fd = http_connect(proxy_port(scene->proxy));
    assert_true(fd >= 0);
    return fd;
}

static struct http_answer ask(int fd, const char *path) {
    char request[256];
    snprintf(request, sizeof request, "POST %s HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", path);
    assert_true(http_send(fd, request));
    return http_read(fd);
}

static struct http_answer ask_once(const struct scene *scene, const char *path) {
    int fd = connect_to(scene);
    struct http_answer answer = ask(fd, path);
    close(fd);
    return answer;
}

static void assert_answered(const struct http_answer *answer, const char *path) {
    assert_int_equal(answer->status, 200);
    assert_non_null(strstr(answer->text, path));
    assert_non_null(strstr(answer->text, LETTERS));
}

/* Ask for something on a new connection that gets this fault. */
static struct http_answer ask_faulty(struct scene *scene, struct proxy_action action) {
    assert_true(proxy_script(scene->proxy, 1, 1, action));
    return ask_once(scene, "/x");
}

static struct http_answer ask_with(struct scene *scene, enum proxy_fault fault) {
    return ask_faulty(scene, (struct proxy_action){.fault = fault});
}

static void assert_healed(struct scene *scene) {
    struct http_answer answer = ask_once(scene, "/healed");
    assert_answered(&answer, "/healed");
}

/* Read until the text has `part` in it. */
static void read_until(int fd, char *text, size_t room, const char *part) {
    size_t size = 0;
    for (text[0] = 0; !strstr(text, part); text[size] = 0) {
        ssize_t got = recv(fd, text + size, room - 1 - size, 0);
        assert_true(got > 0);
        size += (size_t)got;
    }
}

/* Wait until this many connections are open; the test fails after ten seconds. */
static void wait_for_open(struct scene *scene, unsigned open) {
    int64_t until = clock_monotonic_us() + 10000000;
    while (proxy_counters(scene->proxy).open != open)
        assert_true(clock_monotonic_us() < until);
}

static void wait_for_requests(struct scene *scene, unsigned requests) {
    int64_t until = clock_monotonic_us() + 10000000;
    while (proxy_counters(scene->proxy).requests != requests)
        assert_true(clock_monotonic_us() < until);
}

/* Whether the other side has closed this connection in order. */
static bool is_closed(int fd) {
    char byte;
    return recv(fd, &byte, 1, 0) == 0;
}

/* ---- Without faults ----------------------------------------------------------------------- */

static void proxy__carries_all_framings(void **state) {
    struct scene *scene = *state;
    int fd = connect_to(scene);
    for (int i = 0; i < 3; i++) {
        struct http_answer answer = ask(fd, "/again");
        assert_answered(&answer, "/again");
    }
    close(fd);
    struct http_answer open_ended = ask_once(scene, "/until-close");
    assert_answered(&open_ended, "");
    assert_true(open_ended.ended);
    fd = connect_to(scene);
    char text[1024];
    assert_true(http_send(fd, "GET /chunked HTTP/1.1\r\n\r\nGET /next HTTP/1.1\r\n\r\n"));
    read_until(fd, text, sizeof text, "/next " LETTERS);
    assert_non_null(strstr(text, "1a\r\n" LETTERS "\r\n0\r\n\r\nHTTP/1.1 200"));
    close(fd);
    wait_for_open(scene, 0);
    assert_int_equal(atomic_load(&scene->requests), 6);
}

static void proxy__counts(void **state) {
    struct scene *scene = *state;
    struct http_answer answer = ask_once(scene, "/counted");
    wait_for_open(scene, 0);
    ask_with(scene, PROXY_RESET);
    struct proxy_counters counters = proxy_counters(scene->proxy);
    assert_int_equal(counters.connections, 2);
    assert_int_equal(counters.requests, 2);
    assert_int_equal(counters.scripted, 1);
    assert_int_equal(counters.faults, 1);
    assert_int_equal(counters.bytes_up,
                     strlen("POST /counted HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello") +
                         strlen("POST /x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"));
    assert_int_equal(counters.bytes_down, answer.size);
    wait_for_open(scene, 0);
    assert_int_equal(proxy_counters(scene->proxy).under_way, 0);
}

static void proxy__delays_and_keeps_the_order(void **state) {
    enum { REQUESTS = 20 };
    struct scene *scene = *state;
    char all[4096] = "", request[64];
    proxy_set_delay(scene->proxy, DELAY_MS);
    int64_t began_us = clock_monotonic_us();
    struct http_answer answer = ask_once(scene, "/first");
    assert_answered(&answer, "/first");
    /* One round trip to connect, and one for the request. */
    assert_true(clock_monotonic_us() - began_us >= 2 * DELAY_MS * 1000);
    began_us = clock_monotonic_us();
    int fd = connect_to(scene);
    for (int i = 0; i < REQUESTS; i++) {
        snprintf(request, sizeof request, "GET /%d HTTP/1.1\r\n\r\n", i);
        strcat(all, request);
    }
    assert_true(http_send(fd, all));
    char text[8192], *at = text;
    read_until(fd, text, sizeof text, "/19 " LETTERS);
    assert_true(clock_monotonic_us() - began_us >= 2 * DELAY_MS * 1000);
    for (int i = 0; i < REQUESTS; i++) {
        snprintf(request, sizeof request, "/%d " LETTERS, i);
        at = strstr(at, request);
        assert_non_null(at);
    }
    began_us = clock_monotonic_us();
    answer = ask(fd, "/kept");
    assert_answered(&answer, "/kept");
    assert_true(clock_monotonic_us() - began_us >= DELAY_MS * 1000);
    close(fd);
}

static void *ask_often(void *argument) {
    struct scene *scene = argument;
    int fd = http_connect(proxy_port(scene->proxy));
    bool good = fd >= 0;
    for (int i = 0; i < 20 && good; i++) {
        struct http_answer answer = {.status = 0};
        good = http_send(fd, "GET /often HTTP/1.1\r\n\r\n");
        if (good)
            answer = http_read(fd);
        good = answer.status == 200 && strstr(answer.text, "/often " LETTERS);
    }
    if (fd >= 0)
        close(fd);
    return good ? scene : NULL;
}

static void proxy__carries_many_at_once(void **state) {
    struct scene *scene = *state;
    pthread_t threads[64];
    mneme_error error;
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        OK(thread_start(&threads[i], ask_often, scene, &error), &error);
    void *good[COUNT_OF(threads)];
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        pthread_join(threads[i], &good[i]);
    for (size_t i = 0; i < COUNT_OF(threads); i++)
        assert_non_null(good[i]);
    assert_int_equal(atomic_load(&scene->requests), 20 * COUNT_OF(threads));
}

static void proxy__resets_when_there_is_no_server(void **state) {
    struct scene *scene = *state;
    struct proxy *alone;
    mneme_error error;
    AUTO_PORT struct port dead = {0};
    OK(port_take(&dead, &error), &error);
    OK(proxy_start(dead.number, 0, &alone, &error), &error);
    struct http_answer answer = http_get(proxy_port(alone), "/");
    assert_int_equal(answer.status, 0);
    proxy_stop(alone);
    assert_healed(scene);
}

/* ---- Faults -------------------------------------------------------------------------------- */

static void proxy__stalls(void **state) {
    struct scene *scene = *state;
    assert_true(proxy_script(scene->proxy, 1, 1, (struct proxy_action){.fault = PROXY_STALL}));
    int fd = connect_to(scene);
    assert_true(http_send(fd, "GET /x HTTP/1.1\r\n\r\n"));
    wait_for_requests(scene, 1);
    assert_healed(scene);
    assert_int_equal(proxy_counters(scene->proxy).under_way, 1);
    assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
    assert_int_equal(atomic_load(&scene->requests), 1); /* the other one */
    close(fd);
    wait_for_open(scene, 0);
    assert_int_equal(proxy_counters(scene->proxy).under_way, 0);
}

static void proxy__keeps_an_answer(void **state) {
    struct scene *scene = *state;
    int64_t until = clock_monotonic_us() + 10000000;
    assert_true(proxy_script(scene->proxy, 1, 1, (struct proxy_action){.fault = PROXY_MUTE}));
    int fd = connect_to(scene);
    assert_true(http_send(fd, "GET /x HTTP/1.1\r\n\r\n"));
    while (atomic_load(&scene->requests) == 0)
        assert_true(clock_monotonic_us() < until);
    assert_healed(scene);
    assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
    assert_int_equal(proxy_counters(scene->proxy).under_way, 1);
    close(fd);
}

static void proxy__resets_before_the_server_sees_it(void **state) {
    struct scene *scene = *state;
    struct http_answer answer = ask_with(scene, PROXY_RESET);
    assert_int_equal(answer.size, 0);
    assert_false(answer.ended);
    assert_int_equal(atomic_load(&scene->requests), 0);
    assert_healed(scene);
}

static void proxy__loses_an_answer(void **state) {
    struct scene *scene = *state;
    struct http_answer answer = ask_with(scene, PROXY_LOSE);
    assert_int_equal(answer.size, 0);
    assert_false(answer.ended);
    assert_int_equal(atomic_load(&scene->requests), 1);
    assert_healed(scene);
}

static void proxy__truncates_at_any_byte(void **state) {
    struct scene *scene = *state;
    struct http_answer whole = ask_once(scene, "/x");
    for (size_t bytes = 0; bytes <= whole.size; bytes += 9) {
        struct http_answer answer =
            ask_faulty(scene, (struct proxy_action){.fault = PROXY_TRUNCATE, .bytes = bytes});
        assert_int_equal(answer.size, bytes);
        assert_memory_equal(answer.text, whole.text, bytes);
        assert_true(answer.ended);
    }
    assert_healed(scene);
}

static void proxy__answers_in_the_servers_place(void **state) {
    struct scene *scene = *state;
    AUTO_BUF struct buf made = BUF_INIT(4096);
    proxy_answer(&made, 503, "Retry-After: 1\r\n", slice_of_string("busy"));
    struct proxy_action action = {.fault = PROXY_ANSWER, .answer = buf_slice(&made)};
    assert_true(proxy_script(scene->proxy, 1, 1, action));
    memset(made.data, 'x', made.size); /* the proxy has its own */
    int fd = connect_to(scene);
    struct http_answer answer = ask(fd, "/x");
    assert_int_equal(answer.status, 503);
    assert_non_null(strstr(answer.text, "\r\nRetry-After: 1\r\n"));
    assert_non_null(strstr(answer.text, "\r\n\r\nbusy"));
    assert_int_equal(atomic_load(&scene->requests), 0);
    answer = ask(fd, "/y"); /* the connection goes on */
    assert_answered(&answer, "/y");
    close(fd);
}

static void proxy__replaces_an_answer(void **state) {
    struct scene *scene = *state;
    struct http_answer answer =
        ask_faulty(scene, (struct proxy_action){.fault = PROXY_REPLACE,
                                                .answer = slice_of_string("\x16\x03garbage"),
                                                .close = true});
    assert_string_equal(answer.text, "\x16\x03garbage");
    assert_true(answer.ended);
    assert_int_equal(atomic_load(&scene->requests), 1);
    assert_healed(scene);
}

static void proxy__slows_an_answer(void **state) {
    struct scene *scene = *state;
    struct proxy_action action = {.fault = PROXY_SLOW, .bytes = 10, .ms = 5};
    int64_t began_us = clock_monotonic_us();
    struct http_answer answer = ask_faulty(scene, action);
    assert_answered(&answer, "/x");
    assert_true(clock_monotonic_us() - began_us >= (int64_t)((answer.size - 1) / 10) * 5000);
    assert_healed(scene);
}

static void proxy__holds_a_request_back(void **state) {
    struct scene *scene = *state;
    int64_t began_us = clock_monotonic_us();
    struct http_answer answer =
        ask_faulty(scene, (struct proxy_action){.fault = PROXY_DELAY, .ms = DELAY_MS});
    assert_answered(&answer, "/x");
    assert_true(clock_monotonic_us() - began_us >= DELAY_MS * 1000);
}

static void proxy__closes_behind_an_answer(void **state) {
    struct scene *scene = *state;
    assert_true(proxy_script(scene->proxy, 2, 2, (struct proxy_action){.fault = PROXY_CLOSE}));
    int fd = connect_to(scene);
    struct http_answer answer = ask(fd, "/1");
    assert_answered(&answer, "/1");
    answer = ask(fd, "/2");
    assert_answered(&answer, "/2");
    assert_true(is_closed(fd));
    close(fd);
}

static void proxy_close_idle__spares_what_is_under_way(void **state) {
    struct scene *scene = *state;
    int idle = connect_to(scene), busy = connect_to(scene);
    struct http_answer answer = ask(idle, "/1");
    assert_answered(&answer, "/1");
    assert_true(
        proxy_script(scene->proxy, 1, 1, (struct proxy_action){.fault = PROXY_DELAY, .ms = 300}));
    assert_true(http_send(busy, "GET /2 HTTP/1.1\r\n\r\n"));
    wait_for_requests(scene, 2);
    assert_int_equal(proxy_close_idle(scene->proxy), 1);
    assert_true(is_closed(idle));
    answer = http_read(busy);
    assert_answered(&answer, "/2");
    close(idle);
    close(busy);
}

static void proxy_reset_all__resets_all(void **state) {
    struct scene *scene = *state;
    int a = connect_to(scene), b = connect_to(scene);
    wait_for_open(scene, 2);
    assert_int_equal(proxy_reset_all(scene->proxy), 2);
    assert_int_equal(recv(a, &(char){0}, 1, 0), -1);
    assert_int_equal(recv(b, &(char){0}, 1, 0), -1);
    close(a);
    close(b);
    assert_healed(scene);
}

/* Resets what has "bad" in it. */
static struct proxy_action decide(void *context, const struct proxy_request *request) {
    unsigned *asked = context;
    ++*asked;
    bool bad = memmem(request->bytes.data, request->bytes.size, "bad", 3) != NULL;
    return (struct proxy_action){.fault = bad ? PROXY_RESET : PROXY_PASS};
}

static void proxy_decide_with__asks_of_every_request(void **state) {
    struct scene *scene = *state;
    unsigned asked = 0;
    proxy_decide_with(scene->proxy, decide, &asked);
    struct http_answer answer = ask_once(scene, "/good");
    assert_answered(&answer, "/good");
    answer = ask_once(scene, "/bad");
    assert_int_equal(answer.size, 0);
    proxy_decide_with(scene->proxy, NULL, NULL);
    assert_int_equal(asked, 2);
    answer = ask_once(scene, "/bad");
    assert_answered(&answer, "/bad");
    assert_int_equal(asked, 2);
}

static void proxy_script__counts_from_the_call(void **state) {
    struct scene *scene = *state;
    for (int round = 0; round < 2; round++) {
        assert_true(proxy_script(scene->proxy, 2, 3, (struct proxy_action){.fault = PROXY_LOSE}));
        for (int i = 1; i <= 4; i++)
            assert_int_equal(ask_once(scene, "/x").status, i == 2 || i == 3 ? 0 : 200);
    }
    assert_int_equal(proxy_counters(scene->proxy).faults, 4);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(proxy__carries_all_framings),
        CASE(proxy__counts),
        CASE(proxy__delays_and_keeps_the_order),
        CASE(proxy__carries_many_at_once),
        CASE(proxy__resets_when_there_is_no_server),
        CASE(proxy__stalls),
        CASE(proxy__keeps_an_answer),
        CASE(proxy__resets_before_the_server_sees_it),
        CASE(proxy__loses_an_answer),
        CASE(proxy__truncates_at_any_byte),
        CASE(proxy__answers_in_the_servers_place),
        CASE(proxy__replaces_an_answer),
        CASE(proxy__slows_an_answer),
        CASE(proxy__holds_a_request_back),
        CASE(proxy__closes_behind_an_answer),
        CASE(proxy_close_idle__spares_what_is_under_way),
        CASE(proxy_reset_all__resets_all),
        CASE(proxy_decide_with__asks_of_every_request),
        CASE(proxy_script__counts_from_the_call),
    };
    return cmocka_run_group_tests_name("bench/proxy", tests, NULL, NULL);
}
