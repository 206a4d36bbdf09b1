/*
 * listen.h - one answer that goes on for hours, read as it comes: how a server tells of changes.
 *
 * What it is. A GET on a connection of its own, beside the client's pool: it takes no place there,
 * and is neither sent again nor held back by the breaker, so who listens again makes the pauses.
 * All else is as net.h says: TLS, the token, no redirects, plain http to this machine only.
 *
 * Limits. Nothing is kept of what was handed on. A head, and an answer that is not what was asked
 * for, must be there within the client's total_ms; heads end at 256 KiB, other answers at 4.
 *
 * Threads. net_listener_run blocks its thread, one at a time; net_listener_stop is for the others.
 * The client must outlive its listeners.
 */
#ifndef MNEME_NET_LISTEN_H
#define MNEME_NET_LISTEN_H

#include "net/net.h"

struct net_listening {
    const char *path;           /* as in net_request … */
    const char *const *headers; /* … */
    size_t header_count;
    const char *content_type;      /* what the answer must be, its parameters aside */
    uint32_t silence_ms;           /* it ends when no byte came for so long; 0: 40,000 */
    void (*opened)(void *context); /* the answer has begun, and is the right one; NULL: none */
    /* What came; another status than 0 ends it with that, and *error says why. */
    int (*bytes)(void *context, struct slice bytes, mneme_error *error);
    void *context;
};

struct net_listener;

/* MNEME_UNSUPPORTED: the client's transport is not libcurl. MNEME_IO: no file descriptor is left.
 * MNEME_NO_MEMORY. */
int net_listener_create(struct net_client *client, struct net_listener **out, mneme_error *error);

/*
 * Listen until it ends. 0: it was stopped. MNEME_UNAVAILABLE: no connection, silence, or the server
 * or the network ended the answer. MNEME_UNSUPPORTED: an answer of another type. For other statuses
 * than 200 the codes of net_judge_http; a redirect is MNEME_FAILURE. MNEME_TOO_LARGE: a head.
 * MNEME_INVALID: a path or header that HTTP has no form for. MNEME_FORKED. MNEME_NO_MEMORY. Else
 * what `bytes` returned.
 */
int net_listener_run(struct net_listener *listener, const struct net_listening *listening,
                     mneme_error *error);

/* End what runs, within milliseconds, and whatever is run later. From any thread, and again. */
void net_listener_stop(struct net_listener *listener);

/* Nothing may run. NULL is allowed. */
void net_listener_destroy(struct net_listener *listener);

#endif
