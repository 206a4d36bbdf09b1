/*
 * curl_setup.c - the options of an easy handle: those that stay, and those of a request.
 */
#include <stdio.h>

#include "mneme/mneme.h"
#include "net/events.h"
#include "net/transport_curl.h"

#define TEXT_OF_(x) #x
#define TEXT_OF(x) TEXT_OF_(x)
#define VERSION                                                                                    \
    TEXT_OF(MNEME_VERSION_MAJOR)                                                                   \
    "." TEXT_OF(MNEME_VERSION_MINOR) "." TEXT_OF(MNEME_VERSION_PATCH)

/* An option that libcurl refuses sticks in `ok`, so that one look at the end is enough. */
#define SET(ok, easy, option, value) ((ok) &= curl_easy_setopt(easy, option, value) == CURLE_OK)

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for a request to the server");
}

/* ---- What stays ---------------------------------------------------------------------------- */

static bool set_protocol(CURL *easy, const struct curl_transport *t) {
    bool ok = true;
    SET(ok, easy, CURLOPT_PROTOCOLS_STR, t->url.tls ? "https" : "http");
    /* Over plain http, an upgrade to HTTP/2 hangs sqld, and libcurl 7.88 breaks on a reused HTTP/2
     * connection (curl issue 10634). Over TLS both sides negotiate. */
    SET(ok, easy, CURLOPT_HTTP_VERSION,
        t->url.tls ? (long)CURL_HTTP_VERSION_2TLS : (long)CURL_HTTP_VERSION_1_1);
    SET(ok, easy, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(ok, easy, CURLOPT_SSL_VERIFYHOST, 2L);
    SET(ok, easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (t->ca_file)
        SET(ok, easy, CURLOPT_CAINFO, t->ca_file);
    SET(ok, easy, CURLOPT_FOLLOWLOCATION, 0L);
    SET(ok, easy, CURLOPT_PATH_AS_IS, 1L);
    if (t->url.loopback)
        SET(ok, easy, CURLOPT_PROXY, ""); /* whatever the environment names */
    return ok;
}

static bool set_connection(CURL *easy, const struct curl_transport *t) {
    bool ok = true;
    SET(ok, easy, CURLOPT_NOSIGNAL, 1L);
    SET(ok, easy, CURLOPT_MAXCONNECTS, 1L);
    SET(ok, easy, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(ok, easy, CURLOPT_CONNECTTIMEOUT_MS, (long)t->connect_ms);
    SET(ok, easy, CURLOPT_BUFFERSIZE, 65536L);
    return ok;
}

static bool set_callbacks(struct curl_connection *c) {
    bool ok = true;
    SET(ok, c->easy, CURLOPT_ERRORBUFFER, c->text);
    SET(ok, c->easy, CURLOPT_WRITEFUNCTION, curl_on_body);
    SET(ok, c->easy, CURLOPT_WRITEDATA, c);
    SET(ok, c->easy, CURLOPT_HEADERFUNCTION, curl_on_header);
    SET(ok, c->easy, CURLOPT_HEADERDATA, c);
    SET(ok, c->easy, CURLOPT_PREREQFUNCTION, curl_on_send);
    SET(ok, c->easy, CURLOPT_PREREQDATA, c);
    SET(ok, c->easy, CURLOPT_XFERINFOFUNCTION, curl_on_progress);
    SET(ok, c->easy, CURLOPT_XFERINFODATA, c);
    SET(ok, c->easy, CURLOPT_NOPROGRESS, 0L);
    return ok;
}

int curl_connection_setup(struct curl_connection *c, mneme_error *error) {
    c->easy = curl_easy_init();
    if (!c->easy || !set_protocol(c->easy, c->transport) ||
        !set_connection(c->easy, c->transport) || !set_callbacks(c))
        return error_set(error, MNEME_NO_MEMORY, "libcurl has no memory for a connection");
    return 0;
}

/* ---- Headers ------------------------------------------------------------------------------- */

/* "Name: value" on one line; the value may hold any UTF-8. */
static bool header_is_sound(const char *header) {
    const char *colon = strchr(header, ':');
    if (!colon || colon == header)
        return false;
    for (const char *p = header; *p; p++)
        if (((uint8_t)*p < ' ' && *p != '\t') || *p == 127)
            return false;
    return true;
}

static int header_add(struct curl_connection *c, const char *header, mneme_error *error) {
    if (!header_is_sound(header)) /* it may be a secret: not shown */
        return error_set(error, MNEME_INVALID,
                         "a header of the request has no name, or a control character");
    struct curl_slist *longer = curl_slist_append(c->headers, header);
    if (!longer)
        return no_memory(error);
    c->headers = longer;
    size_t size = strlen(header);
    if (header[size - 1] != ':') /* else it only takes one of curl's own away */
        c->header_bytes += size + 2;
    c->own_host |= strncmp(header, "Host:", 5) == 0;
    return 0;
}

static int headers_build(struct curl_connection *c, const struct net_request *request,
                         const char *request_id, mneme_error *error) {
    char line[256];
    static const char *const always[] = {"User-Agent: mneme/" VERSION, "Accept:", "Expect:"};
    for (size_t i = 0; i < COUNT_OF(always); i++)
        TRY(header_add(c, always[i], error));
    int n = snprintf(line, sizeof line, "Content-Type:%s%s", request->content_type ? " " : "",
                     request->content_type ? request->content_type : "");
    if (n < 0 || (size_t)n >= sizeof line)
        return error_set(error, MNEME_INVALID, "the content type of the request is too long");
    TRY(header_add(c, line, error));
    if (c->transport->authorization)
        TRY(header_add(c, c->transport->authorization, error));
    for (size_t i = 0; i < request->header_count; i++)
        TRY(header_add(c, request->headers[i], error));
    return request_id[0] ? header_add(c, request_id, error) : 0;
}

static void headers_drop(struct curl_connection *c) {
    (void)curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(TAKE(c->headers));
    c->header_bytes = 0;
    c->own_host = false;
    buf_reset(&c->header_key);
}

/* Does the list fit the request? Then *key is what it was made from; else what to make it from. */
static int headers_key(const struct net_request *request, const char *request_id, struct buf *key) {
    if (request->content_type)
        buf_append_string(key, request->content_type);
    buf_append_byte(key, 0);
    for (size_t i = 0; i < request->header_count; i++)
        buf_append(key, request->headers[i], strlen(request->headers[i]) + 1);
    buf_append_string(key, request_id);
    return key->status;
}

static int set_headers(struct curl_connection *c, const struct net_request *request,
                       mneme_error *error) {
    /* The new key is written behind the old one, in the same block. */
    size_t old = c->header_key.size;
    char request_id[NET_REQUEST_ID_SIZE];
    net_request_id_header(request_id);
    if (headers_key(request, request_id, &c->header_key) != 0) {
        headers_drop(c);
        return error_set(error, MNEME_NO_MEMORY, "no memory for the headers of a request");
    }
    struct slice was = slice_of(c->header_key.data, old);
    struct slice is = slice_of(c->header_key.data + old, c->header_key.size - old);
    bool same = c->headers && slice_equal(was, is);
    if (same) {
        c->header_key.size = old;
        return 0;
    }
    size_t size = is.size;
    headers_drop(c);
    memmove(c->header_key.data, is.data, size);
    int status = headers_build(c, request, request_id, error);
    if (status == 0 && curl_easy_setopt(c->easy, CURLOPT_HTTPHEADER, c->headers) != CURLE_OK)
        status = no_memory(error);
    if (status != 0)
        headers_drop(c);
    else
        c->header_key.size = size;
    return status;
}

/* ---- The rest of a request ----------------------------------------------------------------- */

static int set_url(struct curl_connection *c, const struct net_request *request,
                   mneme_error *error) {
    size_t origin = strlen(c->transport->url.origin), path = strlen(request->path);
    if (c->url.size == origin + path + 1 && memcmp(c->url.data + origin, request->path, path) == 0)
        return 0;
    bool sound = request->path[0] == '/';
    for (const char *p = request->path; *p; p++)
        sound &= (uint8_t)*p > ' ' && (uint8_t)*p < 127 && *p != '#';
    if (!sound)
        return error_set(error, MNEME_INVALID,
                         "the path of a request must begin with '/' and have no space, '#' or "
                         "character beyond ASCII");
    buf_reset(&c->url);
    buf_append_string(&c->url, c->transport->url.origin);
    buf_append(&c->url, request->path, path + 1);
    int status = c->url.status;
    if (status == 0 &&
        curl_easy_setopt(c->easy, CURLOPT_URL, (const char *)c->url.data) != CURLE_OK)
        status = MNEME_NO_MEMORY;
    if (status == 0)
        return 0;
    buf_reset(&c->url);
    return error_set(error, status, "no memory for the address of a request, or it is too long");
}

static int set_method(struct curl_connection *c, const struct net_request *request,
                      mneme_error *error) {
    bool ok = true, post = strcmp(request->method, "POST") == 0;
    if (!post && strcmp(request->method, "GET") != 0)
        return error_set(error, MNEME_INVALID, "a request is GET or POST");
    if (post) {
        /* Not NULL, which would have curl ask a callback. */
        SET(ok, c->easy, CURLOPT_POSTFIELDS,
            request->body.size ? (const char *)request->body.data : "");
        SET(ok, c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
    } else if (c->post) {
        SET(ok, c->easy, CURLOPT_HTTPGET, 1L);
    }
    c->post = post;
    if (request->gzip != c->gzip)
        SET(ok, c->easy, CURLOPT_ACCEPT_ENCODING, request->gzip ? "gzip" : NULL);
    c->gzip = request->gzip;
    return ok ? 0 : no_memory(error);
}

int curl_connection_prepare(struct curl_connection *c, const struct net_request *request,
                            int64_t timeout_us, mneme_error *error) {
    TRY(set_url(c, request, error));
    TRY(set_headers(c, request, error));
    TRY(set_method(c, request, error));
    int64_t timeout_ms = timeout_us / 1000 > 1 ? timeout_us / 1000 : 1; /* 0 would be none */
    if (curl_easy_setopt(c->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) != CURLE_OK)
        return error_set(error, MNEME_INVALID, "the time for a request is out of range");
    return 0;
}

static size_t digits(uint64_t n) {
    size_t count = 1;
    for (; n >= 10; n /= 10)
        count++;
    return count;
}

size_t curl_head_size(const struct curl_connection *c, const struct net_request *request) {
    const struct net_url *url = &c->transport->url;
    size_t size = strlen(request->method) + strlen(request->path) + strlen("  HTTP/1.1\r\n\r\n");
    if (!c->own_host) {
        size += strlen("Host: \r\n") + strlen(url->host);
        size += strchr(url->host, ':') ? 2 : 0; /* the brackets */
        size += url->port == (url->tls ? 443 : 80) ? 0 : 1 + digits(url->port);
    }
    if (c->gzip)
        size += strlen("Accept-Encoding: gzip\r\n");
    if (c->post)
        size += strlen("Content-Length: \r\n") + digits(request->body.size);
    return size + c->header_bytes;
}
