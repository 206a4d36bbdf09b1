/*
 * hrana_script.c - the transport of hrana_script.h.
 */
#include "support/hrana_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

const char SCRIPT_ONE[] =
    "{\"baton\":null,\"base_url\":null,\"results\":[{\"type\":\"ok\",\"response\":{\"type\":"
    "\"batch\",\"result\":{\"step_results\":[{\"cols\":[{\"name\":\"1\",\"decltype\":null}],"
    "\"rows\":[[{\"type\":\"integer\",\"value\":\"1\"}]],\"affected_row_count\":0,"
    "\"last_insert_rowid\":null,\"replication_index\":null,\"rows_read\":0,\"rows_written\":0,"
    "\"query_duration_ms\":0.021}],\"step_errors\":[null],\"replication_index\":null}}},"
    "{\"type\":\"ok\",\"response\":{\"type\":\"close\"}}]}";

static char made[1000];

const char *script_one_at(unsigned index) {
    snprintf(made, sizeof made,
             "{\"results\":[{\"type\":\"ok\",\"response\":{\"type\":\"batch\",\"result\":"
             "{\"step_results\":[{\"cols\":[],\"rows\":[]}],\"step_errors\":[null],"
             "\"replication_index\":\"%u\"}}},{\"type\":\"ok\"}]}",
             index);
    return made;
}

const char *script_failed(const char *code, const char *message) {
    snprintf(made, sizeof made,
             "{\"results\":[{\"type\":\"ok\",\"response\":{\"type\":\"batch\",\"result\":"
             "{\"step_results\":[null],\"step_errors\":[{\"message\":\"%s\",\"code\":\"%s\"}]}}}]}",
             message, code);
    return made;
}

/* ---- World ------------------------------------------------------------------------------- */

static struct hrana_script *script_of_world(struct net_world *world) {
    return (struct hrana_script *)(void *)((char *)world - offsetof(struct hrana_script, world));
}
static int64_t script_now(struct net_world *world) { return script_of_world(world)->now_us; }
static void script_pause(struct net_world *world, int64_t until_us) {
    script_of_world(world)->now_us = until_us;
}
static bool script_wait(struct net_world *world, struct signal *s, struct lock *lock,
                        int64_t deadline_us) {
    (void)s;
    (void)lock;
    script_of_world(world)->now_us = deadline_us;
    return false;
}
static double script_chance(struct net_world *world) {
    (void)world;
    return 0.5;
}

/* ---- Transport --------------------------------------------------------------------------- */

struct script_connection {
    struct net_connection base;
    struct hrana_script *script;
};

static int script_connect(struct net_transport *transport, struct net_connection **out,
                          mneme_error *error) {
    (void)error;
    struct script_connection *made_one = mem_zalloc(1, sizeof *made_one);
    assert_non_null(made_one);
    made_one->script = (struct hrana_script *)(void *)transport;
    *out = &made_one->base;
    return 0;
}

static void script_close(struct net_connection *connection) { mem_free(connection); }
static void script_destroy(struct net_transport *transport) { (void)transport; }

static void copy_string(char *out, size_t size, const char *text) {
    snprintf(out, size, "%s", text ? text : "");
}

static void keep_request(struct hrana_script *script, const struct net_attempt *attempt) {
    const struct net_request *request = attempt->request;
    assert_true(script->request_count < SCRIPT_MAX);
    struct script_request *kept = &script->requests[script->request_count++];
    copy_string(kept->method, sizeof kept->method, request->method);
    copy_string(kept->path, sizeof kept->path, request->path);
    copy_string(kept->type, sizeof kept->type, request->content_type);
    copy_string(kept->header, sizeof kept->header,
                request->header_count ? request->headers[0] : "");
    kept->gzip = request->gzip;
    kept->timeout_ms = (uint32_t)(attempt->timeout_us / 1000);
    kept->body = BUF_INIT(1 << 20);
    buf_append_slice(&kept->body, request->body);
    buf_append_byte(&kept->body, 0);
    kept->body.size--;
    assert_int_equal(kept->body.status, 0);
}

static int script_perform(struct net_connection *connection, struct net_attempt *attempt,
                          struct net_response *response, mneme_error *error) {
    struct hrana_script *script = ((struct script_connection *)(void *)connection)->script;
    keep_request(script, attempt);
    if (script->used == script->answer_count)
        fail_msg("request %zu finds no answer left", script->request_count);
    const struct script_answer *answer = &script->answers[script->used++];
    response->sent = answer->http || answer->sent;
    if (answer->http == 0)
        return error_set(error, MNEME_UNAVAILABLE, "no answer in the script");
    response->status = answer->http;
    copy_string(response->content_type, sizeof response->content_type, answer->type);
    buf_append(&response->body, answer->body, answer->size ? answer->size : strlen(answer->body));
    attempt->keep = true;
    return response->body.status;
}

static const struct net_transport_operations operations = {.connect = script_connect,
                                                           .perform = script_perform,
                                                           .close = script_close,
                                                           .destroy = script_destroy};

/* ---- Scripts ----------------------------------------------------------------------------- */

void script_init(struct hrana_script *script) {
    *script = (struct hrana_script){.transport = {&operations, NULL},
                                    .world = {script_now, script_pause, script_wait, script_chance},
                                    .now_us = 1000};
    script->transport.world = &script->world;
}

void script_fini(struct hrana_script *script) {
    for (size_t i = 0; i < script->request_count; i++)
        buf_fini(&script->requests[i].body);
    for (size_t i = 0; i < script->answer_count; i++) {
        char *body;
        memcpy(&body, &script->answers[i].body, sizeof body);
        mem_free(body);
    }
    script->request_count = script->answer_count = 0;
}

void script_add(struct hrana_script *script, struct script_answer answer) {
    assert_true(script->answer_count < SCRIPT_MAX);
    size_t size = answer.size ? answer.size : strlen(answer.body);
    char *body = mem_alloc(size + 1);
    assert_non_null(body);
    memcpy(body, answer.body, size);
    body[size] = 0;
    answer.body = body;
    script->answers[script->answer_count++] = answer;
}

void script_add_json(struct hrana_script *script, int http, const char *body) {
    script_add(script,
               (struct script_answer){.http = http, .type = "application/json", .body = body});
}
void script_add_text(struct hrana_script *script, int http, const char *body) {
    script_add(script, (struct script_answer){.http = http, .type = "text/plain", .body = body});
}
void script_add_lost(struct hrana_script *script, bool sent) {
    script_add(script, (struct script_answer){.sent = sent, .body = ""});
}

struct sql_driver *script_driver(struct hrana_script *script, struct hrana_options options) {
    struct sql_driver *driver;
    mneme_error error = {0};
    options.net.url = options.net.url ? options.net.url : "http://127.0.0.1";
    options.net.transport = &script->transport;
    if (hrana_driver_open(&options, &driver, &error) != 0)
        fail_msg("%s", error.message);
    return driver;
}
