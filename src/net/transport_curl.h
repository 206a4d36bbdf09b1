/*
 * transport_curl.h - the parts of the libcurl transport: what is set once for a connection
 * (curl_setup.c), what happens with a request (transport_curl.c), or with one whose answer goes on
 * (listen_curl.c).
 *
 * A connection is one easy handle, which keeps its socket between requests. What does not change is
 * set when it is made; a request sets what is new: the body, the time, and the URL or the headers
 * if they are not those of the request before.
 */
#ifndef MNEME_NET_TRANSPORT_CURL_H
#define MNEME_NET_TRANSPORT_CURL_H

#include <signal.h>

#include <curl/curl.h>

#include "net/transport.h"

struct curl_transport {
    struct net_transport base;
    struct net_url url;
    char *authorization; /* a header, or NULL; a secret */
    char *ca_file;       /* or NULL */
    uint32_t connect_ms, stall_ms;
};

struct curl_connection {
    struct net_connection base;
    struct curl_transport *transport;
    CURL *easy;
    char text[CURL_ERROR_SIZE]; /* curl's own, of the last failure */

    /* As they were set for the last request. */
    struct buf url;        /* with its NUL */
    struct buf header_key; /* all that the list was made from */
    struct curl_slist *headers;
    size_t header_bytes; /* of the list, as sent */
    bool own_host, gzip, post;

    /* Of the request that runs. */
    struct net_attempt *attempt;
    struct net_response *response;
    unsigned sends;   /* how often the request was about to be sent; the second time is refused */
    curl_off_t moved; /* bytes, when … */
    int64_t moved_us; /* … they moved last */
    bool stalled;
    size_t head_bytes; /* of the answer, so far */
    bool head_whole;   /* the empty line behind the headers came */
};

/* Make the easy handle and set what stays. */
int curl_connection_setup(struct curl_connection *c, mneme_error *error);
/* Set what this request needs. MNEME_INVALID: a part that HTTP has no form for. */
int curl_connection_prepare(struct curl_connection *c, const struct net_request *request,
                            int64_t timeout_us, mneme_error *error);
/* Bytes of the request's head, as HTTP/1.1 has it. */
size_t curl_head_size(const struct curl_connection *c, const struct net_request *request);

/* ---- In transport_curl.c ----------------------------------------------------------------- */

/* A request begins: forget the one before. */
void curl_connection_begin(struct curl_connection *c, struct net_attempt *attempt,
                           struct net_response *response);
/* What the answer's headers, and libcurl's counters, tell of a request that has ended. */
void curl_read_headers(struct curl_connection *c, struct net_response *response);
void curl_read_sizes(struct curl_connection *c, struct net_response *response);
/* The one border for libcurl's codes. */
int curl_status(struct curl_connection *c, CURLcode code, mneme_error *error);

/* Around all that may write to a socket of TLS. */
struct curl_pipe_guard {
    bool active;
    sigset_t before;
};
void curl_pipe_guard_begin(struct curl_pipe_guard *guard, bool tls);
void curl_pipe_guard_end(struct curl_pipe_guard *guard);

/* The callbacks. */
size_t curl_on_header(char *line, size_t size, size_t count, void *connection);
size_t curl_on_body(char *data, size_t size, size_t count, void *connection);
int curl_on_send(void *connection, char *server, char *here, int server_port, int here_port);
int curl_on_progress(void *connection, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                     curl_off_t up);

/* ---- In listen_curl.c -------------------------------------------------------------------- */

/* As struct net_transport_operations has it. */
int curl_listen(struct net_connection *connection, struct net_attempt *attempt,
                struct net_response *response, const struct net_listening *listening, int stop_fd,
                mneme_error *error);

#endif
