/*
 * net_fixture.h - what tests of the net layer share: a client over the scripted transport, or over
 * libcurl to the scripted server, and short ways to call.
 */
#ifndef TESTS_NET_NET_FIXTURE_H
#define TESTS_NET_NET_FIXTURE_H

#include "support/api_fixture.h"
#include "support/net_fake.h"
#include "support/net_server.h"

/* A client over a fake with these answers. */
struct fake_scene {
    struct net_fake *fake;
    struct net_client *client;
    struct net_response response;
    mneme_error error;
};

static inline void fake_scene_fini(struct fake_scene *s) {
    net_response_fini(&s->response);
    net_client_destroy(s->client);
    net_fake_destroy(s->fake);
}

static inline struct fake_scene fake_scene_make(const struct net_options *options,
                                                const struct net_fake_answer *answers,
                                                size_t count) {
    struct fake_scene s = {.fake = net_fake_create()};
    struct net_options o = *options;
    o.url = o.url ? o.url : "http://localhost:8080";
    o.transport = net_fake_transport(s.fake);
    net_fake_script(s.fake, answers, count);
    OK(net_client_create(&o, &s.client, &s.error), &s.error);
    return s;
}
#define FAKE_SCENE(name, options, ...)                                                             \
    const struct net_fake_answer name##_answers[] = {__VA_ARGS__};                                 \
    CLEANUP(fake_scene_fini)                                                                       \
    struct fake_scene name = fake_scene_make(options, name##_answers, COUNT_OF(name##_answers))

static inline int fake_scene_call(struct fake_scene *s, const struct net_request *request) {
    return net_call(s->client, request, net_judge_http, NULL, &s->response, &s->error);
}

/* A client over libcurl to a server with these steps. */
struct server_scene {
    struct net_server *server;
    struct net_client *client;
    struct net_response response;
    mneme_error error;
};

static inline void server_scene_fini(struct server_scene *s) {
    net_response_fini(&s->response);
    net_client_destroy(s->client);
    net_server_stop(s->server);
}

static inline struct server_scene server_scene_make(const struct net_options *options,
                                                    const struct net_server_step *steps,
                                                    size_t count) {
    struct server_scene s = {.server = net_server_start(steps, count)};
    struct net_options o = *options;
    o.url = net_server_url(s.server);
    OK(net_client_create(&o, &s.client, &s.error), &s.error);
    return s;
}
#define SERVER_SCENE(name, options, ...)                                                           \
    const struct net_server_step name##_steps[] = {__VA_ARGS__};                                   \
    CLEANUP(server_scene_fini)                                                                     \
    struct server_scene name = server_scene_make(options, name##_steps, COUNT_OF(name##_steps))

static inline int server_scene_call(struct server_scene *s, const struct net_request *request) {
    return net_call(s->client, request, net_judge_http, NULL, &s->response, &s->error);
}

static inline struct net_server_seen server_scene_seen(struct server_scene *s) {
    struct net_server_seen seen;
    net_server_seen(s->server, &seen);
    return seen;
}

static inline void assert_body(const struct net_response *response, const char *text) {
    assert_int_equal(response->body.size, strlen(text));
    assert_memory_equal(response->body.data, text, strlen(text));
}

#define HTTP_OK(length)                                                                            \
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " length "\r\n\r\n"

static const struct net_request get_request = {.method = "GET", .path = "/"};

static inline struct net_request post_of(const char *body) {
    return (struct net_request){.method = "POST",
                                .path = "/v3/pipeline",
                                .body = slice_of_string(body),
                                .content_type = "application/json"};
}

#endif
