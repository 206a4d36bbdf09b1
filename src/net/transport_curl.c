/*
 * transport_curl.c - requests over libcurl, and the one border for its codes.
 *
 * One request is sent once. When a kept connection turns out to be dead, libcurl itself connects
 * anew and sends again, a POST too, and tells nobody; the server may have done the first one. So
 * libcurl is asked to call before it sends (CURLOPT_PREREQFUNCTION), and the second call of a
 * request is refused. The client then knows that it was sent, and whether to do so again.
 */
#include <stdio.h>
#include <time.h>

#include "net/transport_curl.h"

/* ---- Callbacks ----------------------------------------------------------------------------- */

enum {
    BODY_AHEAD_MAX = 1 << 20, /* made ready at once for an answer that says its size */
    HEAD_MAX = 1 << 18        /* libcurl keeps all headers, and by itself knows no end */
};

/* A connection that ends amid the headers is an empty answer to libcurl, and none to us. */
size_t curl_on_header(char *line, size_t size, size_t count, void *connection) {
    struct curl_connection *c = connection;
    size *= count;
    c->head_bytes += size;
    if (c->head_bytes > HEAD_MAX)
        return 0;
    if (size >= 5 && memcmp(line, "HTTP/", 5) == 0)
        c->head_whole = false; /* the head after an interim one */
    else if (size > 0 && (line[0] == '\r' || line[0] == '\n'))
        c->head_whole = true; /* and trailers change nothing */
    return size;
}

size_t curl_on_body(char *data, size_t size, size_t count, void *connection) {
    struct curl_connection *c = connection;
    struct buf *body = &c->response->body;
    curl_off_t length = -1;
    if (body->size == 0 &&
        curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length) == CURLE_OK &&
        length > 0)
        (void)buf_reserve(body, size_min(size_min((size_t)length, BODY_AHEAD_MAX), body->max));
    buf_append(body, data, size * count);
    return body->status ? 0 : size * count;
}

int curl_on_send(void *connection, char *server, char *here, int server_port, int here_port) {
    struct curl_connection *c = connection;
    (void)server, (void)here, (void)server_port, (void)here_port;
    return c->sends++ == 0 ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT;
}

/* Called whenever something happened, and at least once a second. */
int curl_on_progress(void *connection, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                     curl_off_t up) {
    struct curl_connection *c = connection;
    (void)down_all, (void)up_all;
    int64_t now_us = clock_monotonic_us();
    if (c->moved != down + up || c->sends == 0) { /* connecting has a limit of its own */
        c->moved = down + up;
        c->moved_us = now_us;
    }
    c->stalled = now_us - c->moved_us > (int64_t)c->transport->stall_ms * 1000;
    return c->stalled;
}

/* ---- SIGPIPE ------------------------------------------------------------------------------- */

/*
 * libcurl writes to sockets without raising SIGPIPE, but a TLS library below it may not. The signal
 * goes to the thread that wrote, so it is enough to block it here, and to take it off when it came.
 */
void curl_pipe_guard_begin(struct curl_pipe_guard *guard, bool tls) {
    sigset_t pending, pipe;
    guard->active = tls && sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE);
    if (!guard->active)
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe, &guard->before);
}

void curl_pipe_guard_end(struct curl_pipe_guard *guard) {
    sigset_t pending, pipe;
    if (!guard->active)
        return;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE))
        (void)sigtimedwait(&pipe, NULL, &(const struct timespec){.tv_sec = 0});
    pthread_sigmask(SIG_SETMASK, &guard->before, NULL);
}

/* ---- What became of a request -------------------------------------------------------------- */

void curl_read_headers(struct curl_connection *c, struct net_response *response) {
    const char *type = NULL;
    struct curl_header *header;
    curl_off_t seconds = 0;
    enum { DAY_S = 86400 };
    if (curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type)
        snprintf(response->content_type, sizeof response->content_type, "%s", type);
    if (curl_easy_header(c->easy, "Date", 0, CURLH_HEADER, -1, &header) == CURLHE_OK) {
        time_t date = curl_getdate(header->value, NULL);
        response->date_us = date > 0 ? (int64_t)date * 1000000 : 0;
    }
    if (curl_easy_header(c->easy, "Retry-After", 0, CURLH_HEADER, -1, &header) == CURLHE_OK &&
        curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK && seconds >= 0)
        response->retry_after_ms = (seconds < DAY_S ? seconds : DAY_S) * 1000;
}

/* CURLINFO_REQUEST_SIZE holds that part of the body, too, that left together with the head, which
 * CURLINFO_SIZE_UPLOAD_T holds once more; so the head is counted by ourselves. */
void curl_read_sizes(struct curl_connection *c, struct net_response *response) {
    long request = 0, head = 0, connects = 0;
    curl_off_t up = 0, down = 0, connect_us = 0, tls_us = 0;
    curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &request);
    curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &up);
    curl_easy_getinfo(c->easy, CURLINFO_HEADER_SIZE, &head);
    curl_easy_getinfo(c->easy, CURLINFO_SIZE_DOWNLOAD_T, &down);
    curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
    size_t own_head = curl_head_size(c, c->attempt->request);
    response->bytes_up = size_min((size_t)request, own_head) + (uint64_t)up;
    response->bytes_down = (uint64_t)head + (uint64_t)down;
    response->reused = connects == 0 && c->sends > 0;
    c->attempt->connects = (uint32_t)connects;
    if (connects > 0) {
        curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &connect_us);
        curl_easy_getinfo(c->easy, CURLINFO_APPCONNECT_TIME_T, &tls_us);
        response->connect_us = tls_us > connect_us ? tls_us : connect_us;
    }
}

/* Failures after which the next attempt would fail in the same way. */
static bool is_hopeless(CURLcode code) {
    switch ((int)code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ENGINE_INITFAILED:
        return true;
    default:
        return false;
    }
}

/* The one border for libcurl's codes. */
int curl_status(struct curl_connection *c, CURLcode code, mneme_error *error) {
    const char *said = c->text[0] ? c->text : curl_easy_strerror(code);
    int body_status = c->response->body.status;
    c->attempt->hopeless = is_hopeless(code);
    if (c->sends > 1)
        return error_set(error, MNEME_UNAVAILABLE,
                         "the connection was closed before an answer came");
    if (c->stalled)
        return error_set(error, MNEME_UNAVAILABLE, "no byte came or went for %u ms",
                         c->transport->stall_ms);
    switch ((int)code) {
    case CURLE_WRITE_ERROR:
        if (c->head_bytes > HEAD_MAX)
            return error_set(error, MNEME_TOO_LARGE, "the answer's headers have more than %d bytes",
                             HEAD_MAX);
        if (body_status == MNEME_TOO_LARGE)
            return error_set(error, MNEME_TOO_LARGE, "the answer has more than %zu bytes",
                             c->attempt->response_max);
        if (body_status == MNEME_NO_MEMORY)
            return error_set(error, MNEME_NO_MEMORY, "no memory for the server's answer");
        return error_set(error, MNEME_UNAVAILABLE, "the answer cannot be read: %s", said);
    case CURLE_OUT_OF_MEMORY:
        return error_set(error, MNEME_NO_MEMORY, "libcurl has no memory for a request");
    case CURLE_URL_MALFORMAT:
        return error_set(error, MNEME_INVALID, "the address of a request is refused: %s", said);
    case CURLE_OPERATION_TIMEDOUT:
        return error_set(error, MNEME_UNAVAILABLE, "time is up: %s", said);
    case CURLE_PEER_FAILED_VERIFICATION:
        return error_set(error, MNEME_UNAVAILABLE,
                         "the server's TLS certificate is not trusted: %s", said);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
        return error_set(error, MNEME_UNAVAILABLE, "no connection: %s", said);
    default:
        return error_set(error, MNEME_UNAVAILABLE, "%s: %s",
                         c->sends ? "no whole answer came" : "no connection", said);
    }
}

void curl_connection_begin(struct curl_connection *c, struct net_attempt *attempt,
                           struct net_response *response) {
    c->attempt = attempt;
    c->response = response;
    c->sends = 0;
    c->head_bytes = 0;
    c->stalled = c->head_whole = false;
    c->text[0] = 0;
    c->moved = 0;
    c->moved_us = clock_monotonic_us();
}

static int curl_perform(struct net_connection *connection, struct net_attempt *attempt,
                        struct net_response *response, mneme_error *error) {
    struct curl_connection *c = (struct curl_connection *)connection;
    struct curl_pipe_guard guard;
    long http = 0;
    curl_connection_begin(c, attempt, response);
    int status = curl_connection_prepare(c, attempt->request, attempt->timeout_us, error);
    if (status != 0)
        return status;
    curl_pipe_guard_begin(&guard, c->transport->url.tls);
    CURLcode code = curl_easy_perform(c->easy);
    curl_pipe_guard_end(&guard);
    curl_read_sizes(c, response);
    /* What could not even be handed to the kernel did not leave. */
    response->sent =
        c->sends > 1 || (c->sends == 1 && (code != CURLE_SEND_ERROR || response->bytes_up > 0));
    if (code == CURLE_OK && !c->head_whole)
        code = CURLE_PARTIAL_FILE;
    if (code == CURLE_OK)
        curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &http);
    if (http > 0) {
        curl_read_headers(c, response);
        response->status = (int)http;
        attempt->keep = true;
        return 0;
    }
    status = curl_status(c, code, error);
    buf_reset(&response->body);
    return status;
}

/* ---- Life of connections and of the transport ---------------------------------------------- */

static void curl_close(struct net_connection *connection) {
    struct curl_connection *c = (struct curl_connection *)connection;
    struct curl_pipe_guard guard;
    curl_pipe_guard_begin(&guard, c->transport->url.tls);
    if (c->easy)
        curl_easy_cleanup(c->easy);
    curl_pipe_guard_end(&guard);
    curl_slist_free_all(c->headers);
    buf_fini(&c->url);
    buf_fini(&c->header_key);
    mem_free(c);
}

static int curl_connect(struct net_transport *transport, struct net_connection **out,
                        mneme_error *error) {
    enum { URL_MAX = 8192, HEADERS_MAX = 1 << 17 };
    struct curl_connection *c = mem_zalloc(1, sizeof *c);
    if (!c)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a connection");
    c->transport = (struct curl_transport *)transport;
    c->url.max = URL_MAX;
    c->header_key.max = HEADERS_MAX;
    int status = curl_connection_setup(c, error);
    if (status != 0)
        curl_close(&c->base);
    else
        *out = &c->base;
    return status;
}

/* Leave no secret behind in memory that is given back. */
static void secret_free(char *secret) {
    if (secret)
        explicit_bzero(secret, strlen(secret));
    mem_free(secret);
}

static void curl_destroy(struct net_transport *transport) {
    struct curl_transport *t = (struct curl_transport *)transport;
    secret_free(t->authorization);
    mem_free(t->ca_file);
    mem_free(t);
}

static const struct net_transport_operations curl_operations = {
    .connect = curl_connect,
    .perform = curl_perform,
    .listen = curl_listen,
    .close = curl_close,
    .destroy = curl_destroy,
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_once_code;
/* Never undone: the application may use libcurl, too. */
static void curl_start(void) { curl_once_code = curl_global_init(CURL_GLOBAL_DEFAULT); }

/* ---- Authorization ------------------------------------------------------------------------- */

/* RFC 4648, section 4. */
static void append_base64(struct buf *b, struct slice s) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < s.size; i += 3) {
        size_t n = size_min(s.size - i, 3);
        uint32_t bits = (uint32_t)s.data[i] << 16 | (n > 1 ? (uint32_t)s.data[i + 1] << 8 : 0) |
                        (n > 2 ? (uint32_t)s.data[i + 2] : 0);
        for (size_t k = 0; k < 4; k++)
            buf_append_byte(b, k <= n ? (uint8_t)alphabet[bits >> (18 - 6 * k) & 63] : '=');
    }
}

static int make_authorization(const struct net_options *options, char **out, mneme_error *error) {
    enum { AUTHORIZATION_MAX = 1 << 16 };
    AUTO_BUF struct buf b = BUF_INIT(AUTHORIZATION_MAX);
    if (!options->token && !options->basic)
        return 0;
    buf_append_string(&b, "Authorization: ");
    if (options->token) {
        buf_append_string(&b, "Bearer ");
        buf_append_string(&b, options->token);
    } else {
        buf_append_string(&b, "Basic ");
        append_base64(&b, slice_of_string(options->basic));
    }
    buf_append_byte(&b, 0);
    if (b.status)
        return error_set(error, b.status, "no memory for the token, or it is too long");
    for (size_t i = 0; i + 1 < b.size; i++)
        if (b.data[i] < ' ' || b.data[i] > 126)
            return error_set(error, MNEME_INVALID,
                             "the token holds a control character, or one beyond ASCII; was a line "
                             "end read with it?");
    *out = (char *)b.data;
    b = (struct buf){.max = 0};
    return 0;
}

static int copy_string(const char *from, char **out, mneme_error *error) {
    if (!from)
        return 0;
    *out = mem_alloc(strlen(from) + 1);
    if (!*out)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a server's options");
    memcpy(*out, from, strlen(from) + 1);
    return 0;
}

static int curl_fill(struct curl_transport *t, const struct net_options *options,
                     mneme_error *error) {
    TRY(make_authorization(options, &t->authorization, error));
    return copy_string(options->ca_file, &t->ca_file, error);
}

int net_transport_curl_create(const struct net_options *options, const struct net_url *url,
                              struct net_transport **out, mneme_error *error) {
    pthread_once(&curl_once, curl_start);
    if (curl_once_code != CURLE_OK)
        return error_set(error, MNEME_NO_MEMORY, "libcurl does not start: %s",
                         curl_easy_strerror(curl_once_code));
    if (url->tls && !(curl_version_info(CURLVERSION_NOW)->features & CURL_VERSION_SSL))
        return error_set(error, MNEME_UNSUPPORTED, "libcurl was built without TLS");
    struct curl_transport *t = mem_zalloc(1, sizeof *t);
    if (!t)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a server's options");
    t->base = (struct net_transport){.operations = &curl_operations, .world = &net_world_real};
    t->url = *url;
    t->connect_ms = options->connect_ms;
    t->stall_ms = options->stall_ms;
    int status = curl_fill(t, options, error);
    if (status != 0)
        curl_destroy(&t->base);
    else
        *out = &t->base;
    return status;
}
