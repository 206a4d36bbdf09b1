/*
 * remote_http.h - the plainest HTTP client there is, so that tests of the remote store can look at
 * a server past all code that is under test. One connection a request, on this machine.
 */
#ifndef TESTS_SUPPORT_REMOTE_HTTP_H
#define TESTS_SUPPORT_REMOTE_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_answer {
    int status;       /* 0: no answer */
    size_t size;      /* bytes that came, the head too */
    bool ended;       /* the other side closed; false: it reset the connection */
    char text[20000]; /* the start of them, and a NUL */
};

/* Connect to a port of this machine, with a time limit of half a minute on every read; -1: refused.
 */
int http_connect(uint16_t port);
/* Send bytes; whether all could be sent. */
bool http_send(int fd, const char *bytes);
/* Read until the other side closes, or one whole answer with a Content-Length is there. */
struct http_answer http_read(int fd);

struct http_answer http_get(uint16_t port, const char *path);
struct http_answer http_post(uint16_t port, const char *path, const char *body);
/* One statement without values, through POST /v2/pipeline. */
struct http_answer http_sql(uint16_t port, const char *sql);
/* The same, of a statement that gives one number; the test fails when it does not. */
int64_t http_sql_number(uint16_t port, const char *sql);

#endif
