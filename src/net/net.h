/*
 * net.h - HTTP requests over a pool of kept connections, with retries and a circuit breaker.
 *
 * What it is. A client for one server (scheme, host and port): `net_call` takes a connection from
 * the pool, sends one request, reads the answer, and tries again where that is right. It knows
 * HTTP and no more; what an answer means is told by its caller's `judge`.
 *
 * Model. Three parts, each of use by itself:
 *   transport  sends one request on one connection: libcurl, or a script of answers for tests
 *   pool       which connection (pool.h): minimum, maximum, age, idle time, fair queue, size
 *   client     whether and when again (client.c): retries, their budget, the breaker
 *
 * Retries. An attempt ends in a verdict. NET_AGAIN: the server did nothing, so the request may be
 * sent again. NET_AGAIN_IF_IDEMPOTENT: it is not known what the server did; only a request with
 * `idempotent` is sent again. The pause before the n-th retry is random between 0 and
 * min(cap_ms, base_ms x 2^(n-1)) ("full jitter", AWS Architecture Blog, 2015), or what Retry-After
 * says when that is more; there is none before the first retry when a kept connection turned out
 * to be dead. Retries draw on a budget: each call adds `budget_ratio`, each retry takes 1, at most
 * `budget_max` is kept, and it begins full; with an empty budget the failure is returned as it is.
 * All attempts, pauses and waits together end within total_ms, and no pause is begun that would
 * outlast it, or end while the breaker is open.
 *
 * Breaker. Closed: all calls go. After `breaker_failures` failures in a row (no answer, 5xx; not
 * 4xx) it opens: calls fail at once with MNEME_UNAVAILABLE, and the text says when the next try is
 * due. After `breaker_open_ms` (doubled each time, up to breaker_open_max_ms, with jitter) it is
 * half open: one call goes; an answer closes it, a failure opens it again.
 *
 * Security. TLS certificates and host names are always verified. Plain http goes only to loopback
 * addresses and "localhost", unless allow_plain_http. Redirects are not followed: a 3xx is an
 * answer like any other, so a token never goes elsewhere. Tokens appear in no text.
 * HTTP. Version 1.1 over plain http; over TLS as negotiated. No "Expect: 100-continue".
 *
 * Ownership. The client copies what it is given at creation. A request is borrowed for the call.
 * The response's body belongs to the caller: start from {0}, net_response_fini frees.
 * Threads. Any thread may call at any time; a call blocks its thread. In a child
 * after fork() calls are MNEME_FORKED, and net_client_destroy leaves the parent's connections
 * alone. Errors. The one border for libcurl's codes is transport_curl.c. See net_call. A text
 * begins with the server's origin, and the number of the attempt when there was more than one.
 */
#ifndef MNEME_NET_H
#define MNEME_NET_H

#include "base/base.h"
#include "metrics/metrics.h"

/* ---- One request and its answer ---------------------------------------------------------- */

/* What is left to say once a connection is taken: `body` may be given other bytes, which live until
 * the answer is judged. A failure ends the call. */
typedef int net_ready(void *context, struct slice *body, mneme_error *error);

struct net_request {
    const char *method; /* "GET" or "POST" */
    const char *path;   /* from "/" on, with the query; sent as it is */
    struct slice body;
    const char *content_type;   /* NULL: none */
    const char *const *headers; /* "Name: value", besides the client's own */
    size_t header_count;
    net_ready *ready;      /* called before each attempt, with the judge's context; NULL: none */
    bool idempotent;       /* may be sent again when it is not known what happened */
    bool writes;           /* what went unanswered is MNEME_UNCERTAIN, not MNEME_UNAVAILABLE */
    bool gzip;             /* let the server compress its answer */
    uint32_t total_ms;     /* 0: the client's */
    uint32_t attempts_max; /* 0: the client's */
    size_t response_max;   /* bytes of the answer, uncompressed; 0: NET_RESPONSE_MAX */
};

enum { NET_RESPONSE_MAX = 64 << 20 };

struct net_response {
    int status; /* of HTTP; 0: there is no answer */
    struct buf body;
    char content_type[64];
    int64_t retry_after_ms; /* -1: not said */
    int64_t date_us;        /* the server's clock (Date header); 0: not said */
    bool sent;              /* some of the request may have reached the server, in any attempt */
    bool reused;            /* on a connection that was there already */
    uint32_t attempts;
    int64_t wait_us;    /* of all attempts, for a free connection */
    int64_t connect_us; /* of the last attempt: to connect, TLS too; 0: there was no need */
    int64_t total_us;   /* of the last attempt: all of it */
    /* Of all attempts, in HTTP/1.1: headers too, bodies as compressed, without the frames of a
     * chunked body and what TLS adds. */
    uint64_t bytes_up, bytes_down;
};
void net_response_fini(struct net_response *response);
#define AUTO_RESPONSE CLEANUP(net_response_fini)

/* ---- The client --------------------------------------------------------------------------- */

enum net_verdict { NET_DONE, NET_AGAIN, NET_AGAIN_IF_IDEMPOTENT, NET_FAILED };

/*
 * What an answer (status is not 0) means. For AGAIN… and FAILED it fills *error, the text that the
 * caller sees when there is no other attempt; it returns the code to go with it in *status.
 * net_judge_http is the one by HTTP status alone, for those who have no more to say: 2xx is done;
 * 429 AGAIN; 408, 500, 502, 503, 504 AGAIN_IF_IDEMPOTENT; all else FAILED. Its codes: 401 and 403
 * MNEME_UNAUTHORIZED, 404 MNEME_NOT_FOUND, 413 MNEME_TOO_LARGE, 429 and 5xx MNEME_UNAVAILABLE, else
 * MNEME_FAILURE. The start of a textual body is part of the text, cleaned of control characters.
 */
typedef enum net_verdict net_judge(void *context, const struct net_response *response, int *status,
                                   mneme_error *error);
net_judge net_judge_http;

struct net_transport;

/* 0 is the default, which stands behind each. */
struct net_options {
    const char *url;     /* "https://host:port" with nothing behind; required */
    const char *token;   /* sent as "Authorization: Bearer TOKEN"; NULL: none */
    const char *basic;   /* "user:password" instead */
    const char *ca_file; /* certificates to trust instead of the system's; NULL */
    bool allow_plain_http;
    uint32_t pool_min;                             /* connections kept though idle: 0 */
    uint32_t pool_max;                             /* 8 */
    uint32_t idle_ms;                              /* an idle one is closed after this: 30,000 */
    uint32_t age_ms;                               /* one is not used longer than this: 600,000 */
    uint32_t acquire_ms;                           /* wait for a connection: 10,000 */
    uint32_t connect_ms;                           /* 5,000 */
    uint32_t total_ms;                             /* a call with all its attempts: 30,000 */
    uint32_t stall_ms;                             /* no byte moves for so long: 10,000 */
    uint32_t attempts_max;                         /* 5 */
    uint32_t base_ms, cap_ms;                      /* 50 and 5,000 */
    double budget_ratio;                           /* 0.2 */
    uint32_t budget_max;                           /* 20 */
    uint32_t breaker_failures;                     /* 5 */
    uint32_t breaker_open_ms, breaker_open_max_ms; /* 500 and 30,000 */
    struct meter *meter;             /* counts calls, attempts and waits; NULL: none. Borrowed */
    struct net_transport *transport; /* NULL: libcurl. Else it is the caller's, and outlives it */
};

struct net_client;

/* MNEME_INVALID: the URL (names what is wrong), plain http to a host that is not loopback, a token
 * with a character that no header may have, pool_min over pool_max.
 * MNEME_UNSUPPORTED: libcurl was built without TLS. */
int net_client_create(const struct net_options *options, struct net_client **out,
                      mneme_error *error);
/* No call may be under way. NULL is allowed. */
void net_client_destroy(struct net_client *client);

/*
 * Send a request until the judge says NET_DONE; *response is then the answer (what it held before
 * is given back). After a failure *response tells of the last attempt, too.
 * MNEME_UNAVAILABLE: no connection (refused, unknown host, TLS, the text says which), the breaker
 * is open, no free connection within acquire_ms, or time is up; the server did nothing, or the
 * request does not write. MNEME_UNCERTAIN: it writes, and an attempt was sent and not answered, or
 * answered so that nobody knows (NET_AGAIN_IF_IDEMPOTENT); whatever came of those after it, unless
 * one was NET_DONE. MNEME_TOO_LARGE: the answer is over response_max, or its head over 256 KiB.
 * MNEME_INVALID: a path, header or method that HTTP has no form for. MNEME_FORKED. MNEME_NO_MEMORY.
 * Else the judge's code.
 */
int net_call(struct net_client *client, const struct net_request *request, net_judge *judge,
             void *context, struct net_response *response, mneme_error *error);

enum net_breaker_state { NET_BREAKER_CLOSED, NET_BREAKER_OPEN, NET_BREAKER_HALF_OPEN };

/* Since the client was created; a pool that lay idle is swept by this, too. open, idle, waiting,
 * target and state are of now. */
struct net_counters {
    uint64_t calls, attempts, retries, failures;
    uint64_t retries_refused; /* for want of budget */
    uint64_t bytes_up, bytes_down;
    uint64_t connects, reuses;
    uint64_t closed_by_idle, closed_by_age, closed_by_failure;
    uint64_t acquire_timeouts, waits, wait_us; /* calls that waited for a connection; how long */
    uint32_t open, idle, waiting, target;      /* connections; target: what the pool aims at */
    uint64_t breaker_opened, breaker_half_opened, breaker_closed, breaker_refused;
    enum net_breaker_state breaker;
};
struct net_counters net_client_counters(struct net_client *client);

/* ---- URLs ---------------------------------------------------------------------------------- */

struct net_url {
    bool tls;
    bool loopback;    /* "localhost", 127.0.0.0/8 or [::1] */
    char origin[300]; /* "https://host:port", the port only when it was given */
    char host[256];   /* without brackets */
    uint16_t port;    /* the scheme's own when none was given */
    char path[512];   /* "" or from "/" on, without a slash at the end */
};
/* Schemes http, https, libsql (https; http when the query says tls=0), ws, wss (as http, https).
 * MNEME_INVALID: names what is wrong. User names, passwords (any '@'), a query but tls=0 or
 * tls=1, and one that contradicts the scheme are refused: a secret in a URL ends up in histories
 * and logs. No text shows the URL. */
int net_url_parse(const char *url, struct net_url *out, mneme_error *error);

#endif
