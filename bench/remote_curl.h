/*
 * remote_curl.h - one request sent again and again by libcurl alone: the least that a read from
 * a server can take with it.
 */
#ifndef MNEME_BENCH_REMOTE_CURL_H
#define MNEME_BENCH_REMOTE_CURL_H

#include <curl/curl.h>

#include "base/base.h"

struct curl_reference {
    CURL *easy;
    struct curl_slist *headers;
    struct buf request; /* head, body, and between them their texts ended with NUL */
    struct slice body;
    struct buf answer;
};

/*
 * Prepare a request that was seen on a wire, head and body, for another server. What libcurl itself
 * writes (Host, Content-Length) is left to it. MNEME_FAILURE: it is not one request of HTTP/1.1.
 */
int curl_reference_init(struct curl_reference *c, const char *origin, struct slice request,
                        mneme_error *error);
/* Send it, and read the answer. MNEME_UNAVAILABLE: there is none, or another than 200. */
int curl_reference_send(struct curl_reference *c, mneme_error *error);
void curl_reference_fini(struct curl_reference *c); /* tolerant of {0} */
#define AUTO_CURL CLEANUP(curl_reference_fini)

#endif
