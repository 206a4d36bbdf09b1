/*
 * judge.c - what an answer to a program means for the next attempt, and for people.
 *
 * By HTTP status: 401, 403, 404 and 429 come before the server did anything, 400 when it cannot
 * read the request or the stream is gone; after 408, 500, 502, 503 and 504 nobody knows what it
 * did, and programs are idempotent. With 200 the answer itself tells (meaning.c). The body of an
 * error is {"error":text}, {"message":text,"code":text} or plain text, in protobuf too.
 */
#include "codec/json.h"
#include "os/log.h"
#include "store/sql/hrana/server.h"

enum { EXCERPT_SIZE = 200 };

/* ---- Answers ----------------------------------------------------------------------------- */

/* Whether the program's COMMIT came to this. */
static bool commit_is(const struct hrana_call *call, enum sql_outcome outcome) {
    for (size_t i = 0; i < call->program->count; i++)
        if (call->answer.results->steps[i].outcome == outcome &&
            slice_equal(call->program->steps[i].sql, slice_of_string("COMMIT")))
            return true;
    return false;
}

/* What is not known of one step is known of the whole when its COMMIT was skipped; an error of the
 * request as a whole does not say how far it came. */
static enum net_verdict verdict_of(const struct hrana_call *call) {
    switch (call->answer.meaning->reach) {
    case HRANA_REPEAT:
        return NET_AGAIN;
    case HRANA_UNKNOWN:
        return !call->answer.refused && commit_is(call, SQL_SKIPPED) ? NET_AGAIN
                                                                     : NET_AGAIN_IF_IDEMPOTENT;
    case HRANA_STEP:
    case HRANA_END:
        break;
    }
    return NET_FAILED;
}

/* The server did its part, but its answer cannot be read. What breaks the protocol may be some
 * gateway's, and the next answer whole, and so it is with what there was no memory for; what is too
 * large for us will be so again. */
static enum net_verdict judge_unreadable(const struct hrana_exchange *x, int *status,
                                         mneme_error *error) {
    if (*status == MNEME_CORRUPT || *status == MNEME_NO_MEMORY)
        return NET_AGAIN_IF_IDEMPOTENT;
    if (x->call->program->writes)
        *status = MNEME_UNCERTAIN;
    if (error)
        error->code = *status;
    return NET_FAILED;
}

static enum net_verdict judge_answer(struct hrana_exchange *x, struct slice body, int *status,
                                     mneme_error *error) {
    struct hrana_call *call = x->call;
    struct hrana_answer *answer = &call->answer;
    sql_results_fini(answer->results);
    *answer = (struct hrana_answer){.results = answer->results};
    *status = x->speech == HRANA_V3_PROTO
                  ? hrana_decode_proto(body, call->program->count, answer, error)
                  : hrana_decode_json(body, call->program->count, answer, error);
    if (*status)
        return judge_unreadable(x, status, error);
    const struct hrana_meaning *meaning = answer->meaning;
    if (!meaning || commit_is(call, SQL_DONE)) /* … then its steps tell what there is to tell */
        return NET_DONE;
    *status = error_set(error, meaning->status, "%s (%s%s%.200s)", meaning->says, answer->code,
                        answer->code[0] ? ": " : "", answer->message);
    return verdict_of(call);
}

/* ---- Other statuses ---------------------------------------------------------------------- */

/* What the server says in its refusal: the text of its JSON, or the start of the body. */
static void refusal_text(const struct net_response *response, char out[EXCERPT_SIZE]) {
    AUTO_ARENA struct arena arena = {0};
    const struct json_node *root, *text = NULL;
    struct slice body = buf_slice(&response->body);
    if (body.size && body.data[0] == '{' && json_parse(body, &arena, &root, NULL) == 0) {
        text = json_member(root, "error");
        text = text ? text : json_member(root, "message");
    }
    hrana_excerpt(text && text->type == JSON_STRING ? text->text : body, out, EXCERPT_SIZE);
}

static bool body_has(const struct net_response *response, const char *part) {
    struct slice body = buf_slice(&response->body);
    return body.size && memmem(body.data, body.size, part, strlen(part)) != NULL;
}

/* A stream that is gone took its transaction with it. */
static bool stream_is_gone(const struct net_response *response) {
    return (response->status == 400 || response->status == 404) &&
           (body_has(response, "STREAM_EXPIRED") || body_has(response, " baton") ||
            body_has(response, "stream not found"));
}

/* Whether the refusal is of the way of speaking, and there is an older one. A server that has the
 * path but not the namespace says so. */
static bool may_step_down(const struct hrana_exchange *x, const struct net_response *response) {
    bool of_speech = response->status == 404
                         ? !body_has(response, "amespace")
                         : response->status == 400 && x->speech == HRANA_V3_PROTO;
    return of_speech && x->speech + 1 < HRANA_SPEECHES &&
           (x->speech != HRANA_V3_PROTO || x->server->may_step_down);
}

struct refusal {
    int http;
    enum net_verdict verdict;
    int status;
    const char *says;
};

static const struct refusal refusals[] = {
    {400, NET_FAILED, MNEME_FAILURE, "the server cannot read the request"},
    {401, NET_FAILED, MNEME_UNAUTHORIZED, "the server does not accept the token"},
    {403, NET_FAILED, MNEME_UNAUTHORIZED, "the token does not allow reading"},
    {404, NET_FAILED, MNEME_NOT_FOUND,
     "there is no such database or namespace, or no Hrana server; check the URL"},
    {408, NET_AGAIN_IF_IDEMPOTENT, MNEME_UNAVAILABLE, "the server took too long"},
    {413, NET_FAILED, MNEME_TOO_LARGE,
     "the request is too large for the server; write fewer records at once"},
    {429, NET_AGAIN, MNEME_UNAVAILABLE, "the server has too many requests"},
    {500, NET_AGAIN_IF_IDEMPOTENT, MNEME_UNAVAILABLE, "the server failed"},
    {502, NET_AGAIN_IF_IDEMPOTENT, MNEME_UNAVAILABLE, "the gateway has no answer of the server"},
    {503, NET_AGAIN_IF_IDEMPOTENT, MNEME_UNAVAILABLE, "the server is not available"},
    {504, NET_AGAIN_IF_IDEMPOTENT, MNEME_UNAVAILABLE, "the gateway has no answer of the server"},
};
static const struct refusal forbidden_write = {403, NET_FAILED, MNEME_PERMISSION,
                                               "the token or the database is read-only"};
static const struct refusal stream_gone = {400, NET_AGAIN, MNEME_UNAVAILABLE,
                                           "the server dropped the stream"};
static const struct refusal other = {0, NET_FAILED, MNEME_FAILURE,
                                     "no answer of a Hrana server; check the URL"};

static const struct refusal *refusal_of(const struct hrana_exchange *x,
                                        const struct net_response *response) {
    if (stream_is_gone(response))
        return &stream_gone;
    if (response->status == 403 && x->call->program->writes)
        return &forbidden_write;
    for (size_t i = 0; i < COUNT_OF(refusals); i++)
        if (refusals[i].http == response->status)
            return &refusals[i];
    return &other;
}

static enum net_verdict judge_refusal(struct hrana_exchange *x, const struct net_response *response,
                                      int *status, mneme_error *error) {
    const struct refusal *refusal = refusal_of(x, response);
    char text[EXCERPT_SIZE];
    refusal_text(response, text);
    x->step_down = refusal != &stream_gone && may_step_down(x, response);
    if (refusal == &stream_gone) {
        LOG(DEBUG, STORE, "the server dropped its streams",
            LOG_WHOLE("http.response.status_code", response->status));
        AUTO_LOCK(held, &x->server->lock);
        hrana_streams_forget(&x->server->streams);
    }
    *status = error_set(error, refusal->status, "%s (HTTP %d%s%s)", refusal->says, response->status,
                        text[0] ? ": " : "", text);
    return refusal->verdict;
}

enum net_verdict hrana_judge(void *context, const struct net_response *response, int *status,
                             mneme_error *error) {
    struct hrana_exchange *x = context;
    if (response->status >= 200 && response->status <= 299)
        return judge_answer(x, buf_slice(&response->body), status, error);
    return judge_refusal(x, response, status, error);
}
