/*
 * net_server.h - an HTTP server on loopback that sends bytes by a script, for tests of the real
 * transport. One thread serves all its connections.
 */
#ifndef TESTS_SUPPORT_NET_SERVER_H
#define TESTS_SUPPORT_NET_SERVER_H

#include <stdint.h>

#include "base/base.h"

enum net_server_end {
    SERVER_KEEP,  /* the connection stays */
    SERVER_CLOSE, /* closed when all is sent */
    SERVER_RESET, /* the same, with a reset */
};

/* What follows when a whole request was read. */
struct net_server_step {
    const char *bytes; /* sent as they are; NULL: nothing */
    size_t size;       /* 0: up to the NUL */
    size_t piece;      /* so many bytes at a time, a few milliseconds apart; 0: at once */
    enum net_server_end end;
};

struct net_server;
/* The last step is done again and again. The steps must outlive the server. */
struct net_server *net_server_start(const struct net_server_step *steps, size_t count);
void net_server_stop(struct net_server *server);
uint16_t net_server_port(const struct net_server *server);
const char *net_server_url(const struct net_server *server); /* http://127.0.0.1:PORT */
/* Reset each connection as soon as it is accepted, without reading. */
void net_server_refuse(struct net_server *server, bool refuse);

struct net_server_seen {
    unsigned accepted, requests;
    unsigned closed;              /* by a step's end */
    uint64_t bytes_in, bytes_out; /* of whole requests, and of what was sent */
    char last[4096];              /* the start of the last request */
};
void net_server_seen(struct net_server *server, struct net_server_seen *out);

#endif
