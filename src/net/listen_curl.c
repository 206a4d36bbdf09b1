/*
 * listen_curl.c - listening over libcurl. Its "multi" interface waits for the server and for the
 * stop at once, where an easy handle by itself would look around once a second.
 */
#include <strings.h>

#include "net/transport_curl.h"

enum { SILENCE_DEFAULT_MS = 40000 };

struct curl_listening {
    struct curl_connection *c;
    const struct net_listening *listening;
    enum { ANSWER_AWAITED, ANSWER_HEARD, ANSWER_OTHER } answer;
    int64_t head_until_us, silence_us;
    int64_t heard_us; /* when the last byte came */
    bool stopped, silent;
    int status; /* of the callback that ended it */
    mneme_error *error;
};

/* ---- The answer ---------------------------------------------------------------------------- */

static bool is_type(CURL *easy, const char *wanted) {
    const char *type = NULL;
    size_t size = strlen(wanted);
    return curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type &&
           strncasecmp(type, wanted, size) == 0 && strchr("; \t", type[size]);
}

/* Called when bytes came, and between: the first byte behind the head may be long in coming. */
static void look_at_head(struct curl_listening *l) {
    long http = 0;
    if (l->answer != ANSWER_AWAITED || !l->c->head_whole ||
        curl_easy_getinfo(l->c->easy, CURLINFO_RESPONSE_CODE, &http) != CURLE_OK || http < 200)
        return; /* an interim answer has a head, too */
    bool heard = http == 200 && is_type(l->c->easy, l->listening->content_type);
    l->answer = heard ? ANSWER_HEARD : ANSWER_OTHER;
    l->heard_us = clock_monotonic_us();
    if (heard && l->listening->opened)
        l->listening->opened(l->listening->context);
}

/* Of another answer the start is enough, which may say why. */
static size_t keep_reason(struct buf *body, const char *data, size_t size) {
    size_t room = body->max - size_min(body->size, body->max);
    buf_append(body, data, size_min(size, room));
    return body->status || size > room ? 0 : size;
}

static size_t on_bytes(char *data, size_t size, size_t count, void *context) {
    struct curl_listening *l = context;
    size *= count;
    look_at_head(l);
    if (l->answer != ANSWER_HEARD)
        return keep_reason(&l->c->response->body, data, size);
    l->heard_us = clock_monotonic_us();
    l->status = l->listening->bytes(l->listening->context, slice_of(data, size), l->error);
    return l->status ? 0 : size;
}

/* ---- Waiting ------------------------------------------------------------------------------- */

static int64_t until_us(const struct curl_listening *l) {
    return l->answer == ANSWER_HEARD ? l->heard_us + l->silence_us : l->head_until_us;
}

/* True: the request has ended, with *code. */
static bool has_ended(CURLM *multi, CURLcode *code) {
    int left;
    const CURLMsg *message = curl_multi_info_read(multi, &left);
    if (!message || message->msg != CURLMSG_DONE)
        return false;
    *code = message->data.result;
    return true;
}

static CURLcode listen_on(struct curl_listening *l, CURLM *multi, int stop_fd) {
    for (;;) {
        CURLcode code = CURLE_OK;
        struct curl_waitfd stop = {.fd = stop_fd, .events = CURL_WAIT_POLLIN};
        int running;
        if (curl_multi_perform(multi, &running) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
        look_at_head(l);
        if (has_ended(multi, &code))
            return code;
        /* One more millisecond, so that the time is up when it wakes for that. */
        int64_t left_us = until_us(l) - clock_monotonic_us();
        l->silent = left_us <= 0;
        if (l->silent)
            return CURLE_OPERATION_TIMEDOUT;
        int wait_ms = (int)(left_us / 1000 < INT32_MAX - 1 ? left_us / 1000 + 1 : INT32_MAX);
        if (curl_multi_poll(multi, &stop, 1, wait_ms, NULL) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
        l->stopped = stop.revents != 0;
        if (l->stopped)
            return CURLE_ABORTED_BY_CALLBACK;
    }
}

/* ---- One request --------------------------------------------------------------------------- */

/* What differs from a request whose answer ends. */
static int prepare(struct curl_listening *l, mneme_error *error) {
    struct curl_connection *c = l->c;
    TRY(curl_connection_prepare(c, c->attempt->request, c->attempt->timeout_us, error));
    bool ok = curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, 0L) == CURLE_OK;
    ok &= curl_easy_setopt(c->easy, CURLOPT_NOPROGRESS, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L) == CURLE_OK;
    /* A stop does not wait for a name that takes long to be found. */
    ok &= curl_easy_setopt(c->easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK;
    ok &= curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, on_bytes) == CURLE_OK;
    ok &= curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, l) == CURLE_OK;
    return ok ? 0 : error_set(error, MNEME_NO_MEMORY, "libcurl has no memory to listen");
}

static int listen_result(struct curl_listening *l, CURLcode code, mneme_error *error) {
    struct curl_connection *c = l->c;
    if (l->stopped)
        return 0;
    if (l->status)
        return l->status;
    if (l->answer == ANSWER_OTHER) {
        long http = 0;
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &http);
        c->response->status = (int)http;
        curl_read_headers(c, c->response);
        return 0;
    }
    if (l->silent && l->answer == ANSWER_HEARD)
        return error_set(error, MNEME_UNAVAILABLE, "no byte came for %lld ms",
                         (long long)(l->silence_us / 1000));
    if (l->silent)
        return error_set(error, MNEME_UNAVAILABLE, "no answer came within %lld ms",
                         (long long)(c->attempt->timeout_us / 1000));
    if (code == CURLE_OK)
        return error_set(error, MNEME_UNAVAILABLE, "the server ended its answer");
    return curl_status(c, code, error);
}

int curl_listen(struct net_connection *connection, struct net_attempt *attempt,
                struct net_response *response, const struct net_listening *listening, int stop_fd,
                mneme_error *error) {
    struct curl_connection *c = (struct curl_connection *)connection;
    int64_t silence_ms = listening->silence_ms ? listening->silence_ms : SILENCE_DEFAULT_MS;
    struct curl_listening l = {.c = c,
                               .listening = listening,
                               .head_until_us = clock_monotonic_us() + attempt->timeout_us,
                               .silence_us = silence_ms * 1000,
                               .error = error};
    struct curl_pipe_guard guard;
    curl_connection_begin(c, attempt, response);
    TRY(prepare(&l, error));
    CURLM *multi = curl_multi_init();
    if (!multi || curl_multi_add_handle(multi, c->easy) != CURLM_OK) {
        curl_multi_cleanup(multi);
        return error_set(error, MNEME_NO_MEMORY, "libcurl has no memory to listen");
    }
    curl_pipe_guard_begin(&guard, c->transport->url.tls);
    CURLcode code = listen_on(&l, multi, stop_fd);
    curl_read_sizes(c, response);
    int status = listen_result(&l, code, error);
    curl_multi_remove_handle(multi, c->easy);
    curl_multi_cleanup(multi);
    curl_pipe_guard_end(&guard);
    return status;
}
