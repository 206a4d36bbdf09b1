/*
 * proxy.h - a wire to an HTTP/1.1 server on this machine, with a length and with faults.
 *
 * Model. A thread takes connections on a loopback port and carries them to the server's. Each
 * direction delays what it carries by half the round trip and keeps its order; bytes per second are
 * not limited. A new connection costs a round trip more before its first request arrives, as its
 * handshake would. A request is carried once all of it is there; what becomes of it is decided
 * then. Ownership. proxy_stop ends the thread and all connections. Threads. Any thread may call;
 * the callback that decides runs on the proxy's own, for a short time, and must not call the proxy.
 * Errors. As the system says, at the start only. What is no HTTP closes its connection.
 * Limits. No TLS, no HTTP/2, no upgrades, no answers of 1xx. A message is kept in memory.
 */
#ifndef MNEME_BENCH_PROXY_H
#define MNEME_BENCH_PROXY_H

#include "base/base.h"

enum proxy_fault {
    PROXY_PASS,
    PROXY_STALL,    /* take the request and never answer; the server sees nothing of it */
    PROXY_MUTE,     /* let the server do it and keep the answer; the connection stays open */
    PROXY_RESET,    /* reset the connection; the server sees nothing of the request */
    PROXY_LOSE,     /* reset it when the server's answer is there */
    PROXY_TRUNCATE, /* carry the first `bytes` of the answer, its head among them, then close */
    PROXY_ANSWER,   /* answer `answer`, bytes as on the wire, in the server's place */
    PROXY_REPLACE,  /* the same, but when the server has done the request and answered */
    PROXY_SLOW,     /* carry the answer in pieces of `bytes`, `ms` apart */
    PROXY_DELAY,    /* hold the request back for `ms` more */
    PROXY_CLOSE     /* carry the answer, then close though the client may count on the connection */
};

struct proxy_action {
    enum proxy_fault fault;
    size_t bytes;
    uint32_t ms;
    struct slice answer;
    bool close; /* of ANSWER and REPLACE: close the connection behind it */
};

struct proxy_request {
    uint64_t number;    /* from 1, in the order in which requests were there */
    struct slice bytes; /* head and body, as they came */
};

/* What is to become of a request. The bytes of `answer` are copied when it has returned. */
typedef struct proxy_action proxy_decide(void *context, const struct proxy_request *request);

struct proxy;

/* Carry connections to 127.0.0.1:server_port. delay_ms is what a round trip takes more. */
int proxy_start(uint16_t server_port, double delay_ms, struct proxy **out, mneme_error *error);
void proxy_stop(struct proxy *proxy); /* NULL is allowed */
static inline void proxy_stop_cleanup(struct proxy **proxy) { proxy_stop(*proxy); }
#define AUTO_PROXY CLEANUP(proxy_stop_cleanup)

uint16_t proxy_port(const struct proxy *proxy);
const char *proxy_url(const struct proxy *proxy); /* "http://127.0.0.1:PORT" */

/* For what comes in from now on. */
void proxy_set_delay(struct proxy *proxy, double delay_ms);

/* From now on requests first, first + 1, …, last, counted from 1 at this call, get this fault, all
 * others pass. The bytes of `answer` are copied. Returns whether there was memory for them. */
bool proxy_script(struct proxy *proxy, uint64_t first, uint64_t last, struct proxy_action action);
/* From now on the callback decides; NULL: all pass. It is not called any more when this returns. */
void proxy_decide_with(struct proxy *proxy, proxy_decide *decide, void *context);

/* Close the connections that have no request under way; returns when they are. How many. */
unsigned proxy_close_idle(struct proxy *proxy);
/* Reset all connections; returns when they are. How many. */
unsigned proxy_reset_all(struct proxy *proxy);

struct proxy_counters {
    uint64_t connections;          /* taken, of all time */
    uint64_t requests;             /* that were there as a whole, of all time */
    uint64_t scripted;             /* … since the last proxy_script or proxy_decide_with */
    uint64_t faults;               /* … that did not just pass */
    uint64_t bytes_up, bytes_down; /* read from clients, written to them */
    unsigned open, under_way;      /* connections; requests that have no whole answer yet */
};
struct proxy_counters proxy_counters(struct proxy *proxy);

/* A whole answer of HTTP/1.1 with this status, body and length. `headers` are more of them, each
 * with its "\r\n"; "" for none. */
void proxy_answer(struct buf *out, int status, const char *headers, struct slice body);

#endif
