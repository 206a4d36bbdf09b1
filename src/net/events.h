/*
 * events.h - what the log is told of requests. Fields have the names of OpenTelemetry's HTTP
 * conventions. Of what a server answers only the number is told: its text may be anything.
 */
#ifndef MNEME_NET_EVENTS_H
#define MNEME_NET_EVENTS_H

#include "net/breaker.h"
#include "net/transport.h"
#include "os/log.h"

struct net_ending {
    const struct net_url *url;
    const struct net_request *request;
    const struct net_response *response;
    uint32_t attempts; /* this one with those before it */
    int status;
    const char *reason; /* where there is no answer: why */
};

/* An attempt has ended. */
void net_event_attempt(const struct net_ending *ending);
/* There will be another one, after a pause. */
void net_event_retry(const struct net_ending *ending, int64_t pause_us);
/* A call has failed for good. */
void net_event_failed(const struct net_ending *ending, int64_t took_us);
/* The breaker was in state `before`. */
void net_event_breaker(const struct net_url *url, enum net_breaker_state before,
                       const struct net_breaker *breaker, int64_t now_us);

/* The header that goes with a request while net is logged at debug, or "": the server's log can be
 * joined with ours by it. */
enum { NET_REQUEST_ID_SIZE = 48 };
void net_request_id_header(char header[NET_REQUEST_ID_SIZE]);

#endif
