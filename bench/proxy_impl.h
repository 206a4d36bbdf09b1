/*
 * proxy_impl.h - the inside of the proxy: connections, and the delayed bytes of each direction.
 *
 * All of it belongs to the proxy's thread but what `lock` guards.
 */
#ifndef MNEME_BENCH_PROXY_IMPL_H
#define MNEME_BENCH_PROXY_IMPL_H

#include "bench/proxy.h"
#include "bench/proxy_frame.h"
#include "os/os.h"

/* ---- A direction -------------------------------------------------------------------------- */

enum segment_kind { SEGMENT_BYTES, SEGMENT_END, SEGMENT_RESET };

/* What is to be done on a socket at a time: write bytes, close it, or reset it. */
struct segment {
    struct segment *next;
    int64_t due_us;
    enum segment_kind kind;
    size_t size, sent;
    uint8_t bytes[];
};

struct wire {
    struct segment *first, *last; /* in their order, `due_us` never falling */
};
void wire_fini(struct wire *wire);
/* False: no memory. */
bool wire_add(struct wire *wire, enum segment_kind kind, int64_t due_us, const void *bytes,
              size_t size);

enum wire_outcome {
    WIRE_IDLE,    /* all that was due is done */
    WIRE_BLOCKED, /* the socket takes no more now */
    WIRE_ENDED,   /* SEGMENT_END was due, or the socket is broken */
    WIRE_RESET    /* SEGMENT_RESET was due */
};
enum wire_outcome wire_flush(struct wire *wire, int fd, int64_t now_us, uint64_t *written);

/* ---- A connection ------------------------------------------------------------------------- */

/* One of the two sockets of a connection, and what is on its way to it. */
struct end {
    struct connection *connection;
    int fd;
    uint32_t events; /* of epoll, now; 0: not watched */
    struct wire wire;
};

struct connection {
    struct connection *next;
    struct proxy *proxy;
    struct end client, server;
    int64_t taken_us;
    bool closed;      /* freed at the end of the round */
    bool busy;        /* a request has no whole answer yet */
    struct buf inbox; /* from the client: the request that is not whole, and what is behind it */
    size_t framed;    /* bytes of inbox that `request` was fed */
    struct frame request, answer;
    struct proxy_action action;
    struct buf copy;     /* of the bytes that action.answer points to */
    uint64_t answered;   /* bytes of the answer that came from the server */
    int64_t slow_due_us; /* of the last piece of a slow answer */
};

/* Takes the descriptor. Connects to the server; resets the client when that fails. */
void connection_open(struct proxy *proxy, int client_fd);
/* What happened on one of its sockets; `events` as epoll's. */
void connection_event(struct end *end, uint32_t events);
/* Do what is due. Returns the time of what is due next, INT64_MAX: nothing. */
int64_t connection_flush(struct connection *connection, int64_t now_us);
/* No request, and no part of one or of an answer, is under way. */
bool connection_is_idle(const struct connection *connection);
void connection_close(struct connection *connection, bool reset);
void connection_free(struct connection *connection);

/* ---- The proxy ---------------------------------------------------------------------------- */

enum proxy_command { COMMAND_NONE, COMMAND_CLOSE_IDLE, COMMAND_RESET_ALL, COMMAND_STOP };

struct proxy_fault_script {
    uint64_t first, last;
    struct proxy_action action; /* its bytes are in `answer` */
    struct buf answer;
};

struct proxy {
    uint16_t server_port, port;
    char url[64];
    int epoll, listener, timer, waker;
    int64_t timer_us; /* what the timer is set to; INT64_MAX: nothing */
    pthread_t thread;
    bool has_thread;
    struct connection *connections;

    struct lock lock; /* guards all that follows */
    struct signal done;
    int64_t half_us; /* half the round trip's delay */
    enum proxy_command command;
    unsigned affected; /* by the last command */
    proxy_decide *decide;
    void *decide_context;
    struct proxy_fault_script script;
    struct proxy_counters counters;
};

int64_t proxy_half_us(struct proxy *proxy);
/* Ask what becomes of a request; fills connection->action and its copy. */
void proxy_ask(struct connection *connection, struct slice request);
/* Watch a socket for these events; 0: not any more. */
void proxy_watch(struct proxy *proxy, struct end *end, uint32_t events);
void proxy_count(struct proxy *proxy, uint64_t *counter, uint64_t more);
void proxy_count_busy(struct proxy *proxy, bool begins);

#endif
