/*
 * server.c - programs on one server: which way of speaking, the request, the steps down.
 */
#include <stdio.h>

#include "os/log.h"
#include "store/sql/hrana/base64.h"
#include "store/sql/hrana/encode.h"
#include "store/sql/hrana/server.h"

enum { REQUEST_MAX = 256 << 20, TOTAL_DEFAULT_MS = 30000 };
enum { CLOSE_MS = 500 }; /* how long closing waits for the server, at most */

/* ---- Making ------------------------------------------------------------------------------ */

/* sqld takes the namespace of the header before that of the host name. */
static int set_name_space(struct hrana_server *server, const char *name, mneme_error *error) {
    static const char header[] = "x-namespace-bin: ";
    enum { NAME_MAX_BYTES = 256 };
    AUTO_BUF struct buf text = BUF_INIT(sizeof server->name_space);
    if (!name)
        return 0;
    size_t size = strlen(name);
    if (size == 0 || size > NAME_MAX_BYTES)
        return error_set(error, MNEME_INVALID, "a namespace has 1 to %d bytes; this one has %zu",
                         NAME_MAX_BYTES, size);
    buf_append_string(&text, header);
    base64_put(&text, slice_of(name, size), false);
    buf_append_byte(&text, 0);
    if (text.status)
        return error_set(error, text.status, "no memory for the name of a namespace");
    memcpy(server->name_space, text.data, text.size);
    server->headers[0] = server->name_space;
    server->header_count = 1;
    return 0;
}

static int set_url(struct hrana_server *server, const char *text, struct net_url *url,
                   mneme_error *error) {
    static const char *const pipelines[] = {"/v3-protobuf/pipeline", "/v3/pipeline",
                                            "/v2/pipeline"};
    TRY(net_url_parse(text, url, error));
    memcpy(server->database, url->path, sizeof server->database);
    for (size_t i = 0; i < HRANA_SPEECHES; i++)
        snprintf(server->paths[i], sizeof server->paths[i], "%s%s", url->path, pipelines[i]);
    server->gzip = !url->loopback; /* over loopback it costs more time than it saves */
    return 0;
}

int hrana_server_init(struct hrana_server *server, const struct hrana_options *options,
                      const char *url_text, mneme_error *error) {
    *server = (struct hrana_server){.no_streams = options->no_streams,
                                    .may_step_down = options->encoding == HRANA_AUTO,
                                    .total_ms = options->net.total_ms ? options->net.total_ms
                                                                      : TOTAL_DEFAULT_MS};
    bool is_asked = options->encoding != HRANA_AUTO;
    server->speech = options->encoding == HRANA_PROTOBUF ? HRANA_V3_PROTO : HRANA_V3_JSON;
    server->asked = is_asked ? HRANA_ASKED : HRANA_UNASKED;
    struct net_url url;
    TRY(set_url(server, url_text, &url, error));
    TRY(set_name_space(server, options->name_space, error));
    struct net_options net = options->net;
    net.url = url.origin;
    TRY(net_client_create(&net, &server->client, error));
    lock_init(&server->lock, RANK_SQL);
    return 0;
}

/* ---- Which way of speaking --------------------------------------------------------------- */

static enum net_verdict judge_any(void *context, const struct net_response *response, int *status,
                                  mneme_error *error) {
    (void)context;
    (void)response;
    (void)status;
    (void)error;
    return NET_DONE;
}

int hrana_server_get(struct hrana_server *server, const char *path, uint32_t total_ms,
                     uint32_t attempts_max, struct net_response *response, mneme_error *error) {
    char whole[HRANA_PATH_SIZE];
    snprintf(whole, sizeof whole, "%s%s", server->database, path);
    struct net_request request = {.method = "GET",
                                  .path = whole,
                                  .headers = server->headers,
                                  .header_count = server->header_count,
                                  .idempotent = true,
                                  .total_ms = total_ms,
                                  .attempts_max = attempts_max,
                                  .response_max = 1 << 16};
    return net_call(server->client, &request, judge_any, NULL, response, error);
}

static void learn(struct hrana_server *server, enum hrana_speech speech) {
    AUTO_LOCK(held, &server->lock);
    server->speech = speech;
    server->asked = HRANA_ASKED;
}

/* Ask for protobuf. A server that is too busy to say is asked again by the next call. */
static int ask(struct hrana_server *server, const struct hrana_call *call, enum hrana_speech *out,
               mneme_error *error) {
    AUTO_RESPONSE struct net_response response = {0};
    int status = hrana_server_get(server, "/v3-protobuf", call->total_ms, call->attempts_max,
                                  &response, error);
    bool told =
        status == 0 && response.status < 500 && response.status != 408 && response.status != 429;
    *out = told && response.status == 200 ? HRANA_V3_PROTO : HRANA_V3_JSON;
    LOG(DEBUG, STORE, "encoding chosen",
        LOG_STRING("encoding", *out == HRANA_V3_PROTO ? "protobuf" : "json"),
        LOG_BOOL("told", told), LOG_ERROR_TYPE(status));
    AUTO_LOCK(held, &server->lock);
    server->asked = told ? HRANA_ASKED : HRANA_UNASKED;
    if (told)
        server->speech = *out;
    return status;
}

/* What to speak. While one thread asks, the others go on in JSON, which every server knows. */
static int choose(struct hrana_server *server, const struct hrana_call *call,
                  enum hrana_speech *out, mneme_error *error) {
    bool asks = false;
    {
        AUTO_LOCK(held, &server->lock);
        *out = server->speech;
        asks = server->asked == HRANA_UNASKED && !call->wants_index;
        if (asks)
            server->asked = HRANA_ASKING;
    }
    if (asks)
        TRY(ask(server, call, out, error));
    if (call->wants_index && *out == HRANA_V3_PROTO)
        *out = HRANA_V3_JSON;
    return 0;
}

/* ---- Running ----------------------------------------------------------------------------- */

static int encode(struct buf *body, const struct hrana_call *call, enum hrana_speech speech,
                  mneme_error *error) {
    buf_reset(body);
    return speech == HRANA_V3_PROTO
               ? hrana_encode_proto(body, call->program, call->replication_index, error)
               : hrana_encode_json(body, call->program, call->replication_index, error);
}

/* The attempt has ended, and the stream it went over came back with this baton, or without. */
static void give_stream(struct hrana_exchange *x, struct slice baton) {
    AUTO_LOCK(held, &x->server->lock);
    hrana_streams_give(&x->server->streams, &x->stream, baton, clock_monotonic_us());
    x->stream.kept = false;
}

/* A replica is asked by one request each: what it has seen is told in it. */
static int choose_stream(void *context, struct slice *body, mneme_error *error) {
    struct hrana_exchange *x = context;
    give_stream(x, slice_of(NULL, 0));
    x->stream = (struct hrana_stream){.kept = false};
    if (x->attempts++ == 0 && !x->call->wants_index && !x->server->no_streams) {
        AUTO_LOCK(held, &x->server->lock);
        x->stream = hrana_streams_take(&x->server->streams, x->call->program, clock_monotonic_us());
    }
    if (x->speech == HRANA_V3_PROTO)
        hrana_stream_set_proto(x->body, x->size, &x->stream);
    else
        hrana_stream_set_json(x->body, x->size, &x->stream);
    *body = buf_slice(x->body);
    return hrana_encode_status(x->body, error);
}

static int exchange(struct hrana_exchange *x, struct buf *body, uint32_t total_ms,
                    struct net_response *response, mneme_error *error) {
    struct hrana_server *server = x->server;
    x->step_down = false;
    TRY(encode(body, x->call, x->speech, error));
    x->body = body;
    x->size = body->size;
    struct net_request request = {
        .method = "POST",
        .path = server->paths[x->speech],
        .body = buf_slice(body),
        .content_type = x->speech == HRANA_V3_PROTO ? "application/x-protobuf" : "application/json",
        .headers = server->headers,
        .header_count = server->header_count,
        .ready = choose_stream,
        .idempotent = true,
        .writes = x->call->program->writes,
        .gzip = server->gzip,
        .total_ms = total_ms,
        .attempts_max = x->call->attempts_max};
    int status = net_call(server->client, &request, hrana_judge, x, response, error);
    bool keeps = status == 0 && hrana_stream_is_clean(x->call->program, x->call->answer.results);
    give_stream(x, keeps ? x->call->answer.baton : slice_of(NULL, 0));
    x->call->repeats += response->attempts ? response->attempts - 1 : 0;
    return status;
}

/* Every failure ends by saying whether to try again. It stands behind the last word of net, which
 * alone knows of attempts that were not answered. */
static int advise(int status, bool writes, mneme_error *error) {
    const char *advice = writes ? "nothing was written" : "nothing was read";
    if (status == MNEME_UNCERTAIN)
        advice = "it may or may not have been written: read it before you write it again";
    else if (mneme_status_retryable(status))
        advice = writes ? "nothing was written, try again" : "nothing was read, try again";
    if (error) {
        size_t used = strlen(error->message);
        snprintf(error->message + used, sizeof error->message - used, "; %s", advice);
    }
    return status;
}

/* What is left of the call's time, for steps down share it. */
static uint32_t time_left_ms(int64_t deadline_us) {
    int64_t left = (deadline_us - clock_monotonic_us()) / 1000;
    return left > 1 ? (uint32_t)left : 1;
}

int hrana_server_run(struct hrana_server *server, struct hrana_call *call, mneme_error *error) {
    uint32_t total_ms = call->total_ms ? call->total_ms : server->total_ms;
    int64_t deadline_us = clock_monotonic_us() + (int64_t)total_ms * 1000;
    struct hrana_exchange x = {.server = server, .call = call};
    AUTO_BUF struct buf body = BUF_INIT(REQUEST_MAX);
    AUTO_RESPONSE struct net_response response = {0};
    int status = choose(server, call, &x.speech, error);
    if (status)
        return advise(status, call->program->writes, error);
    status = exchange(&x, &body, total_ms, &response, error);
    bool stepped_down = false;
    while (status && x.step_down) {
        stepped_down = true;
        x.speech++;
        LOG(INFO, STORE, "an older protocol is tried",
            LOG_STRING("url.path", server->paths[x.speech]));
        status = exchange(&x, &body, time_left_ms(deadline_us), &response, error);
    }
    if (status)
        return advise(status, call->program->writes, error);
    if (stepped_down)
        learn(server, x.speech);
    call->answer.results->body = response.body; /* in which the values may lie */
    response.body = (struct buf){0};
    return 0;
}

/* ---- Ending ------------------------------------------------------------------------------ */

static int close_stream(struct hrana_server *server, const struct hrana_stream *stream,
                        uint32_t total_ms) {
    bool proto = server->speech == HRANA_V3_PROTO;
    AUTO_BUF struct buf body = BUF_INIT(REQUEST_MAX);
    AUTO_RESPONSE struct net_response response = {0};
    if (proto)
        hrana_stream_close_proto(&body, stream);
    else
        hrana_stream_close_json(&body, stream);
    const struct net_request request = {.method = "POST",
                                        .path = server->paths[server->speech],
                                        .body = buf_slice(&body),
                                        .content_type =
                                            proto ? "application/x-protobuf" : "application/json",
                                        .headers = server->headers,
                                        .header_count = server->header_count,
                                        .total_ms = total_ms,
                                        .attempts_max = 1,
                                        .response_max = 1 << 16};
    return body.status ? body.status
                       : net_call(server->client, &request, judge_any, NULL, &response, NULL);
}

/* A server that does not answer ends them by itself, 10 s later. */
static void close_streams(struct hrana_server *server) {
    int64_t deadline_us = clock_monotonic_us() + (int64_t)CLOSE_MS * 1000;
    struct hrana_stream stream;
    int status = 0;
    while (status == 0 && clock_monotonic_us() < deadline_us &&
           hrana_streams_close(&server->streams, clock_monotonic_us(), &stream))
        status = close_stream(server, &stream, time_left_ms(deadline_us));
}

void hrana_server_fini(struct hrana_server *server) {
    if (!server->client)
        return;
    close_streams(server);
    net_client_destroy(TAKE(server->client));
    lock_fini(&server->lock);
}
