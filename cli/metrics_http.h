/*
 * metrics_http.h - the HTTP surface of `mneme metrics serve`: GET /metrics, and a page at /.
 *
 * Model. One request a connection. What takes a server hostage is bounded: connections, threads,
 * the size of a request, and how long a connection may last, whatever it does. A web page that a
 * user has open can make the browser ask this server, and read the answer once the page's own name
 * means 127.0.0.1 (DNS rebinding). Its requests still name that page in the header Host. So the
 * name there must be one of ours; over a socket in the file system any is.
 */
#ifndef MNEME_CLI_METRICS_HTTP_H
#define MNEME_CLI_METRICS_HTTP_H

#include "listen.h"
#include "metrics_source.h"

enum { HTTP_CONNECTIONS = 64, HTTP_THREADS = 4, HTTP_REQUEST_BYTES = 16384, HTTP_SECONDS = 30 };

struct http_server;

struct http_options {
    const struct listener *listener; /* open; outlives the server */
    mneme_text_list names;           /* that Host may have besides those of the listener */
    struct metrics_source *source;   /* outlives the server */
};

/* Answer at the listener, whose descriptor is the server's from here on. */
int http_start(const struct http_options *options, struct http_server **out, mneme_error *error);
/* End connections that have lasted too long; to be called every second or so. */
void http_sweep(struct http_server *server);
/* NULL is allowed. Answers that were begun are finished. */
void http_stop(struct http_server *server);

/* ---- What headers mean ----------------------------------------------------------------------- */

/* Whether "NAME", "NAME:PORT" or "[ADDRESS]:PORT" names this machine, the listener, or one of the
 * names. */
bool http_host_is_ours(const struct http_options *options, const char *host);
/* The format to answer a header Accept with; NULL: there is none. */
enum metrics_format http_format(const char *accept);

#endif
