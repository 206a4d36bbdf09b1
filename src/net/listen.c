/*
 * listen.c - listening over a connection of its own, and what the end of it means.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/client.h"
#include "net/events.h"
#include "net/listen.h"

struct net_listener {
    struct net_client *client;
    int stop_fd; /* readable once it was stopped, for ever */
};

int net_listener_create(struct net_client *client, struct net_listener **out, mneme_error *error) {
    TRY(net_client_check(client, error));
    if (!net_client_transport(client)->operations->listen)
        return error_set(error, MNEME_UNSUPPORTED, "this transport cannot listen");
    struct net_listener *listener = mem_alloc(sizeof *listener);
    if (!listener)
        return error_set(error, MNEME_NO_MEMORY, "no memory to listen to a server");
    *listener =
        (struct net_listener){.client = client, .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (listener->stop_fd < 0) {
        mem_free(listener);
        return error_set_errno(error, errno, "no file descriptor to listen to a server");
    }
    *out = listener;
    return 0;
}

/* What an answer means that is not one to listen to. */
static int judge(const struct net_listening *listening, const struct net_response *response,
                 mneme_error *error) {
    int status = 0;
    if (response->status < 200 || response->status > 299) {
        (void)net_judge_http(NULL, response, &status, error);
        return status;
    }
    return error_set(error, MNEME_UNSUPPORTED, "the server answered %d, and not with %s",
                     response->status, listening->content_type);
}

int net_listener_run(struct net_listener *listener, const struct net_listening *listening,
                     mneme_error *error) {
    enum { REASON_MAX = 4096 };
    struct net_client *client = listener->client;
    struct net_transport *transport = net_client_transport(client);
    const struct net_request request = {.method = "GET",
                                        .path = listening->path,
                                        .headers = listening->headers,
                                        .header_count = listening->header_count};
    struct net_attempt attempt = {
        .request = &request, .response_max = REASON_MAX, .timeout_us = net_client_total_us(client)};
    AUTO_RESPONSE struct net_response response = {.body.max = REASON_MAX};
    struct net_connection *connection;
    TRY(net_client_check(client, error));
    TRY(transport->operations->connect(transport, &connection, error));
    uint64_t req_before = log_req_begin();
    LOG(DEBUG, NET, "listening", LOG_STRING("server", net_client_origin(client)));
    int status = transport->operations->listen(connection, &attempt, &response, listening,
                                               listener->stop_fd, error);
    transport->operations->close(connection);
    LOG(DEBUG, NET, "listening ended", LOG_STRING("server", net_client_origin(client)),
        LOG_WHOLE_IF("http.response.status_code", response.status),
        LOG_WHOLE("http.response.size", response.bytes_down), LOG_ERROR_TYPE(status));
    log_req_end(req_before);
    net_client_count(client, &response, &attempt);
    if (status == 0 && response.status)
        status = judge(listening, &response, error);
    return status ? error_prefix(error, status, "%s", net_client_origin(client)) : 0;
}

/* A child after fork() has the parent's descriptor: to write there would end his listening. */
void net_listener_stop(struct net_listener *listener) {
    if (net_client_check(listener->client, NULL) == 0)
        (void)eventfd_write(listener->stop_fd, 1); /* fails only where it is readable anyway */
}

void net_listener_destroy(struct net_listener *listener) {
    if (!listener)
        return;
    close(listener->stop_fd);
    mem_free(listener);
}
