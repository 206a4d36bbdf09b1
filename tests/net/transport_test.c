/*
 * transport_test.c - libcurl against a server that sends what a script says.
 */
#include <signal.h>
#include <stdlib.h>

#include <zlib.h>

#include "bench/port.h"
#include "net_fixture.h"

static const struct net_options once = {.attempts_max = 1};

/* ---- Answers ------------------------------------------------------------------------------- */

static void transport__reads_an_answer_and_its_headers(void **state) {
    (void)state;
    SERVER_SCENE(s, &once,
                 {.bytes = "HTTP/1.1 503 Busy\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n"
                           "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nRetry-After: 7\r\n\r\nbusy"},
                 {.bytes = HTTP_OK("2") "ok"});
    REFUSED(server_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    assert_says(&s.error, "503: busy");
    assert_says(&s.error, net_server_url(s.server));
    assert_int_equal(s.response.status, 503);
    assert_string_equal(s.response.content_type, "text/plain");
    assert_int_equal(s.response.retry_after_ms, 7000);
    assert_int_equal(s.response.date_us, INT64_C(784111777000000));
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_int_equal(s.response.status, 200);
    assert_int_equal(s.response.retry_after_ms, -1);
    assert_int_equal(s.response.date_us, 0);
    assert_body(&s.response, "ok");
}

static void transport__passes_over_interim_answers_and_trailers(void **state) {
    (void)state;
    SERVER_SCENE(s, &once,
                 {.bytes = "HTTP/1.1 103 Early\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n"
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"},
                 {.bytes = "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nX", .end = SERVER_CLOSE});
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_int_equal(s.response.status, 200);
    assert_body(&s.response, "ok");
    assert_int_equal(s.response.date_us, 0);
    REFUSED(server_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
}

/* What our headers are, byte for byte: nothing of libcurl's own but Host and the length. */
static void transport__sends_what_it_is_given_and_no_more(void **state) {
    (void)state;
    char expected[512];
    const char *headers[] = {"X-Name: \xC3\xA9t\xC3\xA9"};
    SERVER_SCENE(s, &(struct net_options){.token = "t0ken"}, {.bytes = HTTP_OK("2") "ok"});
    struct net_request request = post_of("{}");
    request.headers = headers;
    request.header_count = 1;
    OK(server_scene_call(&s, &request), &s.error);
    snprintf(expected, sizeof expected,
             "POST /v3/pipeline HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUser-Agent: mneme/%s\r\n"
             "Content-Type: application/json\r\nAuthorization: Bearer t0ken\r\n"
             "X-Name: \xC3\xA9t\xC3\xA9\r\nContent-Length: 2\r\n\r\n{}",
             net_server_port(s.server), mneme_version_text());
    assert_string_equal(server_scene_seen(&s).last, expected);
    request = get_request;
    request.gzip = true;
    OK(server_scene_call(&s, &request), &s.error);
    snprintf(expected, sizeof expected,
             "GET / HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nAccept-Encoding: gzip\r\n"
             "User-Agent: mneme/%s\r\nAuthorization: Bearer t0ken\r\n\r\n",
             net_server_port(s.server), mneme_version_text());
    assert_string_equal(server_scene_seen(&s).last, expected);
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_null(strstr(server_scene_seen(&s).last, "gzip"));
    assert_int_equal(server_scene_seen(&s).accepted, 1);
}

static void transport__sends_basic_credentials(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"user:pass", "dXNlcjpwYXNz"},
                                           {"a:b", "YTpi"},
                                           {"ab:c", "YWI6Yw=="},
                                           {"ab:cd", "YWI6Y2Q="}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char line[64];
        SERVER_SCENE(s, &(struct net_options){.basic = cases[i][0]}, {.bytes = HTTP_OK("2") "ok"});
        OK(server_scene_call(&s, &get_request), &s.error);
        snprintf(line, sizeof line, "\r\nAuthorization: Basic %s\r\n", cases[i][1]);
        assert_non_null(strstr(server_scene_seen(&s).last, line));
    }
}

static void transport__lets_a_request_name_its_host(void **state) {
    (void)state;
    const char *headers[] = {"Host: alpha.db"};
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    struct net_request request = get_request;
    request.headers = headers;
    request.header_count = 1;
    OK(server_scene_call(&s, &request), &s.error);
    struct net_server_seen seen = server_scene_seen(&s);
    assert_non_null(strstr(seen.last, "Host: alpha.db\r\n"));
    assert_null(strstr(seen.last, "127.0.0.1"));
    assert_int_equal(s.response.bytes_up, seen.bytes_in);
}

static void transport__refuses_what_http_has_no_form_for(void **state) {
    (void)state;
    static const char *const headers[] = {"no colon", "X: a\r\nY: b", ": no name",
                                          "X: a\nb",  "X: \x7f",      ""};
    static const char *const paths[] = {"", "nothing", "/a b", "/a\r\nX: y", "/\xC3\xA9", "/a#b"};
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    for (size_t i = 0; i < COUNT_OF(headers); i++) {
        struct net_request request = get_request;
        request.headers = &headers[i];
        request.header_count = 1;
        REFUSED(server_scene_call(&s, &request), MNEME_INVALID, &s.error);
        assert_false(s.response.sent);
    }
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        REFUSED(server_scene_call(&s, &(struct net_request){.method = "GET", .path = paths[i]}),
                MNEME_INVALID, &s.error);
    REFUSED(server_scene_call(&s, &(struct net_request){.method = "PUT", .path = "/"}),
            MNEME_INVALID, &s.error);
    assert_int_equal(server_scene_seen(&s).requests, 0);
    struct net_client *client;
    REFUSED(net_client_create(&(struct net_options){.url = "http://localhost", .token = "a\nb"},
                              &client, &s.error),
            MNEME_INVALID, &s.error);
    assert_null(strstr(s.error.message, "a\nb"));
}

/* ---- Kept connections ---------------------------------------------------------------------- */

static void transport__keeps_its_connection(void **state) {
    (void)state;
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    for (int i = 0; i < 5; i++) {
        OK(server_scene_call(&s, &get_request), &s.error);
        assert_int_equal(s.response.reused, i > 0);
        assert_int_equal(s.response.connect_us > 0, i == 0);
    }
    struct net_server_seen seen = server_scene_seen(&s);
    struct net_counters counters = net_client_counters(s.client);
    assert_int_equal(seen.accepted, 1);
    assert_int_equal(seen.requests, 5);
    assert_int_equal(counters.connects, 1);
    assert_int_equal(counters.reuses, 4);
    assert_int_equal(counters.bytes_up, seen.bytes_in);
    assert_int_equal(counters.bytes_down, seen.bytes_out);
}

/* A POST of its own path and headers between others changes nothing for them. */
static void transport__sets_each_request_anew(void **state) {
    (void)state;
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    const char *paths[] = {"/a", "/bb", "/a", "/c?x=%20y"};
    const char *names[] = {"N: 1", "N: 2"};
    for (size_t i = 0; i < 16; i++) {
        char line[64];
        const char *header = names[i / 3 % 2];
        struct net_request request = post_of(i % 5 ? "body" : "");
        request.path = paths[i % COUNT_OF(paths)];
        request.headers = &header;
        request.header_count = i % 4 != 1;
        if (i % 3 == 2) {
            request.method = "GET";
            request.body = slice_of(NULL, 0);
            request.content_type = NULL;
        }
        OK(server_scene_call(&s, &request), &s.error);
        struct net_server_seen seen = server_scene_seen(&s);
        snprintf(line, sizeof line, "%s %s HTTP/1.1\r\n", request.method, request.path);
        assert_memory_equal(seen.last, line, strlen(line));
        assert_int_equal(strstr(seen.last, header) != NULL, request.header_count == 1);
        assert_int_equal(strstr(seen.last, "Content-Type") != NULL, request.content_type != NULL);
        assert_int_equal(strstr(seen.last, "\r\n\r\nbody") != NULL, request.body.size == 4);
    }
    assert_int_equal(net_client_counters(s.client).bytes_up, server_scene_seen(&s).bytes_in);
}

static void transport__connects_anew_when_the_server_closed_meanwhile(void **state) {
    (void)state;
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok", .end = SERVER_CLOSE});
    for (unsigned i = 0; i < 3; i++) {
        OK(server_scene_call(&s, &get_request), &s.error);
        assert_false(s.response.reused);
        for (int k = 0; k < 20000 && server_scene_seen(&s).closed != i + 1; k++)
            usleep(500);
    }
    assert_int_equal(server_scene_seen(&s).accepted, 3);
    assert_int_equal(net_client_counters(s.client).connects, 3);
}

/* ---- Failures ------------------------------------------------------------------------------ */

static void transport__tells_that_nobody_listens(void **state) {
    (void)state;
    char url[64];
    mneme_error error;
    struct net_client *client;
    struct net_response response = {0};
    AUTO_PORT struct port dead = {0};
    OK(port_take(&dead, &error), &error);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", dead.number);
    struct net_options options = once;
    options.url = url;
    OK(net_client_create(&options, &client, &error), &error);
    struct net_request request = post_of("{}");
    request.writes = true;
    REFUSED(net_call(client, &request, net_judge_http, NULL, &response, &error), MNEME_UNAVAILABLE,
            &error);
    assert_says(&error, url);
    assert_false(response.sent);
    assert_int_equal(response.bytes_up, 0);
    net_response_fini(&response);
    net_client_destroy(client);
}

/* The server read a request and hung up. libcurl alone would send it again on a new connection. */
static void transport__sends_once_over_a_kept_connection_that_dies(void **state) {
    (void)state;
    static const enum net_server_end ends[] = {SERVER_CLOSE, SERVER_RESET};
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"}, {.end = ends[i]},
                     {.bytes = HTTP_OK("2") "ok"});
        struct net_request request = post_of("{}");
        request.writes = true;
        OK(server_scene_call(&s, &request), &s.error);
        REFUSED(server_scene_call(&s, &request), MNEME_UNCERTAIN, &s.error);
        assert_true(s.response.sent);
        assert_int_equal(server_scene_seen(&s).requests, 2);
        assert_int_equal(net_client_counters(s.client).closed_by_failure, 1);
    }
}

static void client__repeats_what_is_idempotent_when_a_kept_connection_dies(void **state) {
    (void)state;
    SERVER_SCENE(s, &(struct net_options){.base_ms = 1}, {.bytes = HTTP_OK("2") "ok"},
                 {.end = SERVER_RESET}, {.bytes = HTTP_OK("2") "ok"});
    struct net_request request = post_of("{}");
    request.writes = request.idempotent = true;
    OK(server_scene_call(&s, &request), &s.error);
    OK(server_scene_call(&s, &request), &s.error);
    assert_int_equal(s.response.attempts, 2);
    assert_int_equal(server_scene_seen(&s).requests, 3);
}

static void transport__fails_on_answers_that_are_none(void **state) {
    (void)state;
    static const struct net_server_step cases[] = {
        {.end = SERVER_CLOSE},
        {.end = SERVER_RESET},
        {.bytes = HTTP_OK("10") "short", .end = SERVER_CLOSE},
        {.bytes = HTTP_OK("10") "short", .end = SERVER_RESET},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Le", .end = SERVER_CLOSE},
        {.bytes = "what is this?\r\n\r\n", .end = SERVER_CLOSE},
        {.bytes = "\0\1\2\3\r\n\r\n", .size = 8, .end = SERVER_CLOSE},
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
         .end = SERVER_CLOSE},
        {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
         .end = SERVER_CLOSE},
        {.bytes = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SERVER_SCENE(s, &once, cases[i]);
        struct net_request request = post_of("{}");
        request.gzip = request.writes = true;
        int status = server_scene_call(&s, &request);
        if (status != MNEME_UNCERTAIN || s.response.status != 0 || s.response.body.size != 0)
            fail_msg("case %zu: %d, status %d, %zu bytes", i, status, s.response.status,
                     s.response.body.size);
        assert_true(s.response.sent);
        request.writes = false;
        REFUSED(server_scene_call(&s, &request), MNEME_UNAVAILABLE, &s.error);
    }
}

static void transport__gives_up_on_a_reset_at_once(void **state) {
    (void)state;
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    net_server_refuse(s.server, true);
    REFUSED(server_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
    assert_int_equal(s.response.status, 0);
    net_server_refuse(s.server, false);
    OK(server_scene_call(&s, &get_request), &s.error);
}

static void transport__ends_when_nothing_moves(void **state) {
    (void)state;
    static const struct net_options stalling = {.attempts_max = 1, .stall_ms = 100};
    static const struct net_server_step stalls[] = {
        {.bytes = NULL}, {.bytes = HTTP_OK("10") "short"}, {.bytes = "HTTP/1.1 200 OK\r\nX:"}};
    for (size_t i = 0; i < COUNT_OF(stalls); i++) {
        SERVER_SCENE(s, &stalling, stalls[i]);
        REFUSED(server_scene_call(&s, &get_request), MNEME_UNAVAILABLE, &s.error);
        assert_says(&s.error, "no byte came or went for 100 ms");
        assert_true(s.response.sent);
    }
}

static void transport__ends_when_time_is_up(void **state) {
    (void)state;
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("100000") "a slow one", .piece = 1});
    struct net_request request = get_request;
    request.total_ms = 60;
    REFUSED(server_scene_call(&s, &request), MNEME_UNAVAILABLE, &s.error);
    assert_says(&s.error, "time is up");
    assert_int_equal(s.response.status, 0);
}

static void transport__waits_for_a_slow_answer_that_moves(void **state) {
    (void)state;
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("10") "0123456789", .piece = 3});
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_body(&s.response, "0123456789");
}

/* ---- Sizes --------------------------------------------------------------------------------- */

static void transport__takes_no_more_than_the_maximum(void **state) {
    (void)state;
    static const struct net_server_step said = {.bytes = HTTP_OK("10") "0123456789"};
    static const struct net_server_step unsaid = {.bytes = "HTTP/1.1 200 OK\r\n\r\n0123456789",
                                                  .end = SERVER_CLOSE};
    SERVER_SCENE(s, &once, said, said, said, unsaid, unsaid);
    struct net_request request = get_request;
    request.response_max = 10;
    OK(server_scene_call(&s, &request), &s.error);
    request.response_max = 9;
    request.writes = true; /* it was answered, so nothing is uncertain */
    REFUSED(server_scene_call(&s, &request), MNEME_TOO_LARGE, &s.error);
    assert_says(&s.error, "more than 9 bytes");
    assert_int_equal(s.response.body.size, 0);
    request.response_max = 10;
    OK(server_scene_call(&s, &request), &s.error);
    OK(server_scene_call(&s, &request), &s.error);
    assert_body(&s.response, "0123456789");
    request.response_max = 9;
    REFUSED(server_scene_call(&s, &request), MNEME_TOO_LARGE, &s.error);
}

/* An answer with a gzip body of `size` times the letter a. It must outlive the server. */
static char *gzip_answer(size_t size, size_t *answer_size) {
    size_t room = size / 500 + 4096;
    char *answer = malloc(room), *plain = malloc(size);
    uint8_t *packed = malloc(room);
    assert_true(answer && plain && packed);
    memset(plain, 'a', size);
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)plain;
    z.avail_in = (uInt)size;
    z.next_out = packed;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    int head = snprintf(answer, room,
                        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %lu\r\n\r\n",
                        z.total_out);
    memcpy(answer + head, packed, z.total_out);
    *answer_size = (size_t)head + z.total_out;
    deflateEnd(&z);
    free(plain);
    free(packed);
    return answer;
}

static void transport__unpacks_and_counts_what_was_packed(void **state) {
    (void)state;
    size_t size;
    AUTO_FREE char *answer = gzip_answer(100000, &size);
    SERVER_SCENE(s, &once, {.bytes = answer, .size = size});
    struct net_request request = get_request;
    request.gzip = true;
    OK(server_scene_call(&s, &request), &s.error);
    assert_int_equal(s.response.body.size, 100000);
    assert_int_equal(s.response.bytes_down, size);
}

static void transport__stops_a_gzip_bomb_at_the_maximum(void **state) {
    (void)state;
    size_t size;
    AUTO_FREE char *answer = gzip_answer(32 << 20, &size);
    assert_true(size < 64 << 10);
    SERVER_SCENE(s, &once, {.bytes = answer, .size = size});
    struct net_request request = get_request;
    request.gzip = true;
    request.response_max = 1 << 20;
    REFUSED(server_scene_call(&s, &request), MNEME_TOO_LARGE, &s.error);
    assert_true(s.response.body.capacity <= 1 << 20);
}

/* Bodies on both sides of the sizes at which libcurl sends head and body apart. */
static void transport__counts_the_bytes_of_the_wire(void **state) {
    (void)state;
    static const size_t sizes[] = {0,     1,     15000, 16384,  17000,   65535,
                                   65536, 65537, 70000, 300000, 1100000, 3000000};
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    char *body = calloc(1, sizes[COUNT_OF(sizes) - 1]);
    assert_non_null(body);
    uint64_t in = 0, out = 0;
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct net_request request = post_of("");
        request.body = slice_of(body, sizes[i]);
        OK(server_scene_call(&s, &request), &s.error);
        struct net_server_seen seen = server_scene_seen(&s);
        if (s.response.bytes_up != seen.bytes_in - in ||
            s.response.bytes_down != seen.bytes_out - out)
            fail_msg("body of %zu: up %llu of %llu, down %llu of %llu", sizes[i],
                     (unsigned long long)s.response.bytes_up,
                     (unsigned long long)(seen.bytes_in - in),
                     (unsigned long long)s.response.bytes_down,
                     (unsigned long long)(seen.bytes_out - out));
        in = seen.bytes_in;
        out = seen.bytes_out;
    }
    free(body);
}

/* libcurl does not count the frames of a chunked body, so they are missing: 5 bytes a chunk and
 * more. What is counted is the head and the content. */
static void transport__counts_chunked_bodies_without_their_frames(void **state) {
    (void)state;
    SERVER_SCENE(s, &once,
                 {.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                           "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"});
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_body(&s.response, "hello world");
    size_t frames = strlen("5\r\n\r\n6\r\n\r\n0\r\n\r\n");
    assert_int_equal(s.response.bytes_down, server_scene_seen(&s).bytes_out - frames);
}

/* ---- Security ------------------------------------------------------------------------------ */

static void transport__follows_no_redirect(void **state) {
    (void)state;
    char answer[256];
    static const struct net_server_step never[] = {{.bytes = HTTP_OK("2") "ok"}};
    struct net_server *other = net_server_start(never, 1);
    snprintf(answer, sizeof answer, "HTTP/1.1 307 Go\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n",
             net_server_url(other));
    SERVER_SCENE(s, &(struct net_options){.token = "t0ken"}, {.bytes = answer});
    REFUSED(server_scene_call(&s, &get_request), MNEME_FAILURE, &s.error);
    assert_int_equal(s.response.status, 307);
    assert_null(strstr(s.error.message, "t0ken"));
    struct net_server_seen seen;
    net_server_seen(other, &seen);
    assert_int_equal(seen.accepted, 0);
    net_server_stop(other);
}

static void transport__takes_no_proxy_to_loopback(void **state) {
    (void)state;
    char proxy[64];
    mneme_error error;
    AUTO_PORT struct port dead = {0};
    OK(port_take(&dead, &error), &error);
    snprintf(proxy, sizeof proxy, "http://127.0.0.1:%u", dead.number);
    assert_int_equal(setenv("http_proxy", proxy, 1), 0);
    assert_int_equal(setenv("ALL_PROXY", proxy, 1), 0);
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    OK(server_scene_call(&s, &get_request), &s.error);
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

/* ---- Many threads, and no memory ----------------------------------------------------------- */

enum { THREADS = 16, CALLS = 40 };

struct shared_scene {
    struct server_scene *scene;
    _Atomic int wrong;
};

static void *call_often(void *context) {
    struct shared_scene *shared = context;
    struct net_response response = {0};
    mneme_error error;
    for (int i = 0; i < CALLS; i++) {
        struct net_request request = post_of("{}");
        if (net_call(shared->scene->client, &request, net_judge_http, NULL, &response, &error) !=
                0 ||
            response.body.size != 2)
            shared->wrong++;
    }
    net_response_fini(&response);
    return NULL;
}

static void client__serves_many_threads(void **state) {
    (void)state;
    SERVER_SCENE(s, &(struct net_options){.pool_max = 4}, {.bytes = HTTP_OK("2") "ok"});
    struct shared_scene shared = {.scene = &s};
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], call_often, &shared, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    struct net_counters counters = net_client_counters(s.client);
    assert_int_equal(shared.wrong, 0);
    assert_int_equal(counters.calls, THREADS * CALLS);
    assert_int_equal(counters.attempts, THREADS * CALLS);
    assert_int_equal(counters.connects + counters.reuses, THREADS * CALLS);
    assert_true(server_scene_seen(&s).accepted <= 4);
    assert_int_equal(counters.open, counters.idle);
}

static int create_and_call(const char *url, mneme_error *error) {
    struct net_client *client;
    struct net_response response = {0};
    struct net_options options = {
        .url = url, .token = "t", .ca_file = "/nowhere", .attempts_max = 1};
    const char *headers[] = {"A: 1", "B: 2"};
    struct net_request request = post_of("{}");
    request.headers = headers;
    request.header_count = 2;
    TRY(net_client_create(&options, &client, error));
    int status = net_call(client, &request, net_judge_http, NULL, &response, error);
    if (status == 0 && (response.body.size != 2 || response.status != 200))
        status = MNEME_FAILURE;
    net_response_fini(&response);
    net_client_destroy(client);
    return status;
}

static void client__survives_each_failed_allocation(void **state) {
    (void)state;
    mneme_error error;
    static const struct net_server_step steps[] = {
        {.bytes = HTTP_OK("2") "ok", .end = SERVER_CLOSE}};
    struct net_server *server = net_server_start(steps, 1);
    int status = MNEME_NO_MEMORY;
    unsigned k = 0;
    while (status != 0 && ++k < 100) {
        mem_fail_after(k);
        status = create_and_call(net_server_url(server), &error);
        /* The server's own buffers come from the same allocator: then there is no answer. */
        if (status != 0 && status != MNEME_NO_MEMORY && status != MNEME_UNAVAILABLE)
            fail_msg("allocation %u: %d %s", k, status, error.message);
    }
    mem_fail_after(0);
    assert_int_equal(status, 0);
    assert_true(k > 5);
    net_server_stop(server);
}

static int call_in_child(void *context) {
    struct server_scene *s = context;
    struct net_response response = {0};
    mneme_error error;
    int status = net_call(s->client, &get_request, net_judge_http, NULL, &response, &error);
    net_client_destroy(s->client);
    return status == MNEME_FORKED ? 0 : 1;
}

static void client__is_of_no_use_after_fork(void **state) {
    (void)state;
    SERVER_SCENE(s, &once, {.bytes = HTTP_OK("2") "ok"});
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_int_equal(child_run(call_in_child, &s), 0);
    OK(server_scene_call(&s, &get_request), &s.error);
    assert_true(s.response.reused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transport__reads_an_answer_and_its_headers),
        cmocka_unit_test(transport__passes_over_interim_answers_and_trailers),
        cmocka_unit_test(transport__sends_what_it_is_given_and_no_more),
        cmocka_unit_test(transport__sends_basic_credentials),
        cmocka_unit_test(transport__lets_a_request_name_its_host),
        cmocka_unit_test(transport__refuses_what_http_has_no_form_for),
        cmocka_unit_test(transport__keeps_its_connection),
        cmocka_unit_test(transport__sets_each_request_anew),
        cmocka_unit_test(transport__connects_anew_when_the_server_closed_meanwhile),
        cmocka_unit_test(transport__tells_that_nobody_listens),
        cmocka_unit_test(transport__sends_once_over_a_kept_connection_that_dies),
        cmocka_unit_test(client__repeats_what_is_idempotent_when_a_kept_connection_dies),
        cmocka_unit_test(transport__fails_on_answers_that_are_none),
        cmocka_unit_test(transport__gives_up_on_a_reset_at_once),
        cmocka_unit_test(transport__ends_when_nothing_moves),
        cmocka_unit_test(transport__ends_when_time_is_up),
        cmocka_unit_test(transport__waits_for_a_slow_answer_that_moves),
        cmocka_unit_test(transport__takes_no_more_than_the_maximum),
        cmocka_unit_test(transport__unpacks_and_counts_what_was_packed),
        cmocka_unit_test(transport__stops_a_gzip_bomb_at_the_maximum),
        cmocka_unit_test(transport__counts_the_bytes_of_the_wire),
        cmocka_unit_test(transport__counts_chunked_bodies_without_their_frames),
        cmocka_unit_test(transport__follows_no_redirect),
        cmocka_unit_test(transport__takes_no_proxy_to_loopback),
        cmocka_unit_test(client__serves_many_threads),
        cmocka_unit_test(client__survives_each_failed_allocation),
        cmocka_unit_test(client__is_of_no_use_after_fork),
    };
    return cmocka_run_group_tests_name("net/transport", tests, NULL, NULL);
}
