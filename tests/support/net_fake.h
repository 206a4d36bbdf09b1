/*
 * net_fake.h - a transport without a network: answers, failures and delays as a test wants them,
 * on a clock that stands still unless it is moved.
 *
 * Time. The clock begins at an hour and moves by delays of answers, by the client's pauses (which
 * return at once), and by net_fake_advance. Waits for a connection end when they are served, or
 * when this clock is past their deadline. Threads. Any thread may use a fake; an answer is asked
 * for outside of all locks of the fake.
 */
#ifndef TESTS_SUPPORT_NET_FAKE_H
#define TESTS_SUPPORT_NET_FAKE_H

#include "net/net.h"
#include "net/transport.h"

/* What becomes of one attempt. */
struct net_fake_answer {
    int http;                 /* the status; 0: a failure */
    const char *body;         /* NULL: empty */
    size_t body_size;         /* 0: up to the NUL */
    const char *content_type; /* NULL: application/json */
    int64_t retry_after_ms;   /* 0: not said */
    int64_t delay_us;         /* how long it takes; over the attempt's time it is a failure */
    int failure;              /* with http 0: 0 for MNEME_UNAVAILABLE */
    bool sent;                /* with http 0: the request may have got there */
    bool hopeless;
};

/* The answer to a request; `number` counts attempts from 0. */
typedef struct net_fake_answer net_fake_responder(void *context, const struct net_request *request,
                                                  unsigned number);

struct net_fake;
struct net_fake *net_fake_create(void);
void net_fake_destroy(struct net_fake *fake); /* its connections must be closed: it checks */
struct net_transport *net_fake_transport(struct net_fake *fake);

/* These answers, in their order; the last one again and again. They must outlive the fake. Without
 * any it is an empty 200. */
void net_fake_script(struct net_fake *fake, const struct net_fake_answer *answers, size_t count);
/* A function instead. */
void net_fake_respond(struct net_fake *fake, net_fake_responder *responder, void *context);
/* Let the k-th connection from now fail to be made (1: the next). */
void net_fake_fail_connect(struct net_fake *fake, unsigned k);

int64_t net_fake_now_us(struct net_fake *fake);
void net_fake_advance(struct net_fake *fake, int64_t us);
void net_fake_chance(struct net_fake *fake, double chance); /* 0.5 at first */

/* What was seen. */
struct net_fake_seen {
    unsigned attempts, connects, closes; /* connections open: connects - closes */
    unsigned pauses;
    int64_t pause_us[64];    /* the first of them */
    int64_t last_timeout_us; /* what the last attempt was told */
    char method[8], path[256], content_type[64];
    char headers[1024]; /* of the last request, one a line */
    char body[4096];    /* as text, its start */
};
void net_fake_seen(struct net_fake *fake, struct net_fake_seen *out);

#endif
