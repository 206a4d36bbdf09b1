/*
 * transport.h - how one request goes over one connection: libcurl, or a script for tests.
 *
 * What it is. The seam below the pool and the client: everything that they take from outside, which
 * is the network, the time and chance. tests/support/net_fake.h is the other implementation.
 *
 * Ownership. A connection is made by `connect`, belongs to one thread at a time, and is given back
 * by `close`. The fields of struct net_connection are the pool's.
 * Threads. All functions may be called from any thread, those of one connection not at once.
 */
#ifndef MNEME_NET_TRANSPORT_H
#define MNEME_NET_TRANSPORT_H

#include "net/listen.h"
#include "net/net.h"
#include "os/os.h"

/* Time and chance. net_world_real is the clock of the system. */
struct net_world {
    int64_t (*now_us)(struct net_world *);            /* never goes back */
    void (*pause)(struct net_world *, int64_t until); /* blocks this thread */
    /* As signal_wait, with a deadline of this clock. */
    bool (*wait)(struct net_world *, struct signal *, struct lock *, int64_t deadline_us);
    double (*chance)(struct net_world *); /* uniform, 0 <= x < 1 */
};
extern struct net_world net_world_real;

/* What a transport's own connection begins with. */
struct net_connection {
    struct net_connection *newer, *older; /* among the idle ones, or those to be closed */
    int64_t opened_us, taken_us, idle_us; /* when */
};

/* One attempt: what it is told, and what becomes of it besides the response. */
struct net_attempt {
    const struct net_request *request;
    size_t response_max;
    int64_t timeout_us; /* all of it ends within this */
    bool keep;          /* out: the connection may be used again */
    bool hopeless;      /* out: another attempt would end in the same way */
    uint32_t connects;  /* out: connections that were made for it */
};

struct net_transport_operations {
    /* Make one; the network need not be touched before the first request. MNEME_NO_MEMORY. */
    int (*connect)(struct net_transport *, struct net_connection **out, mneme_error *error);
    /*
     * Send once, never twice, and read the whole answer. 0: there is one, with any status. Else
     * response->status is 0 and its body empty. MNEME_UNAVAILABLE: no answer; MNEME_TOO_LARGE;
     * MNEME_INVALID: a request that cannot be sent; MNEME_NO_MEMORY. In each case the response's
     * sent, reused, connect_us, bytes_up and bytes_down are set, of this attempt alone. The body
     * comes reset, with its maximum set.
     */
    int (*perform)(struct net_connection *, struct net_attempt *, struct net_response *,
                   mneme_error *error);
    /*
     * Send once, and hand on what comes, on a connection that is good for nothing else; NULL: this
     * transport cannot. 0 with response->status 0: stop_fd became readable. 0 with a status: the
     * answer is not one to listen to, and the body has its start. Else MNEME_UNAVAILABLE, what
     * `bytes` returned, MNEME_INVALID, MNEME_NO_MEMORY. The bytes of the response are set.
     */
    int (*listen)(struct net_connection *, struct net_attempt *, struct net_response *,
                  const struct net_listening *, int stop_fd, mneme_error *error);
    void (*close)(struct net_connection *);
    void (*destroy)(struct net_transport *); /* after its connections */
};

struct net_transport {
    const struct net_transport_operations *operations;
    struct net_world *world;
};

/* The one over libcurl; copies what it needs of the options. MNEME_UNSUPPORTED: no TLS in libcurl.
 * MNEME_INVALID: a token or ca_file that cannot be used. */
int net_transport_curl_create(const struct net_options *options, const struct net_url *url,
                              struct net_transport **out, mneme_error *error);

#endif
