/*
 * events.c - see events.h.
 */
#include "net/events.h"

#include <stdio.h>

/* Without a query, should there be one. */
static mneme_text path_of(const struct net_request *request) {
    return (mneme_text){request->path, strcspn(request->path, "?")};
}

#define REQUEST_FIELDS(ending)                                                                     \
    LOG_STRING("server.address", (ending)->url->host),                                             \
        LOG_WHOLE("server.port", (ending)->url->port),                                             \
        LOG_STRING("http.request.method", (ending)->request->method),                              \
        LOG_TEXT("url.path", path_of((ending)->request)),                                          \
        LOG_WHOLE_IF("http.response.status_code", (ending)->response->status)

#define ERROR_FIELDS(ending)                                                                       \
    LOG_ERROR_TYPE((ending)->status), LOG_STRING_IF("reason", reason_of(ending))

static const char *reason_of(const struct net_ending *ending) {
    return ending->status && !ending->response->status ? ending->reason : NULL;
}

void net_event_attempt(const struct net_ending *ending) {
    const struct net_response *r = ending->response;
    LOG(DEBUG, NET, "request ended", REQUEST_FIELDS(ending), LOG_MS("duration_ms", r->total_us),
        LOG_MS("connect_ms", r->connect_us), LOG_WHOLE("http.request.size", r->bytes_up),
        LOG_WHOLE("http.response.size", r->bytes_down),
        LOG_WHOLE("http.request.resend_count", ending->attempts - 1), LOG_BOOL("reused", r->reused),
        ERROR_FIELDS(ending));
}

void net_event_retry(const struct net_ending *ending, int64_t pause_us) {
    LOG(WARN, NET, "request is sent again", REQUEST_FIELDS(ending),
        LOG_WHOLE("http.request.resend_count", ending->attempts), LOG_MS("pause_ms", pause_us),
        ERROR_FIELDS(ending));
}

void net_event_failed(const struct net_ending *ending, int64_t took_us) {
    LOG(WARN, NET, "request failed", REQUEST_FIELDS(ending),
        LOG_WHOLE("attempts", ending->attempts), LOG_MS("duration_ms", took_us),
        ERROR_FIELDS(ending));
}

void net_event_breaker(const struct net_url *url, enum net_breaker_state before,
                       const struct net_breaker *breaker, int64_t now_us) {
    static const char *const names[] = {[NET_BREAKER_CLOSED] = "closed",
                                        [NET_BREAKER_OPEN] = "open",
                                        [NET_BREAKER_HALF_OPEN] = "half-open"};
    int64_t left_us = breaker->state == NET_BREAKER_OPEN ? breaker->next_try_us - now_us : 0;
    if (breaker->state != before)
        LOG(WARN, NET, "circuit breaker turned", LOG_STRING("server.address", url->host),
            LOG_WHOLE("server.port", url->port), LOG_STRING("from", names[before]),
            LOG_STRING("to", names[breaker->state]), LOG_MS("next_try_ms", left_us));
}

void net_request_id_header(char header[NET_REQUEST_ID_SIZE]) {
    char op[LOG_NUMBER_SIZE], req[LOG_NUMBER_SIZE];
    header[0] = 0;
    if (!log_is_on(LOG_LAYER_NET, MNEME_LOG_DEBUG))
        return;
    log_number_text(log_scope.op, op);
    log_number_text(log_scope.req, req);
    snprintf(header, NET_REQUEST_ID_SIZE, "x-request-id: %s.%s", op, req);
}
