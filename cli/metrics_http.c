/*
 * metrics_http.c - see metrics_http.h. libmicrohttpd reads the requests, in a few threads of its
 * own.
 */
#include "metrics_http.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A connection, from when it was accepted. */
struct guest {
    struct guest *next, *previous;
    int fd;
    time_t since;
};

struct http_server {
    struct http_options options;
    struct MHD_Daemon *daemon;
    pthread_mutex_t lock; /* of the list of guests */
    struct guest guests;  /* its head */
};

static time_t now_s(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* ---- Answers --------------------------------------------------------------------------------- */

#define PLAIN_TEXT "text/plain; charset=utf-8"

static enum MHD_Result answer_with(struct MHD_Connection *connection, unsigned code,
                                   const char *type, const char *text, size_t size) {
    /* libmicrohttpd copies the text, and only reads it. */
    union {
        const char *read;
        void *data;
    } body = {.read = text};
    struct MHD_Response *response =
        MHD_create_response_from_buffer(size, body.data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Content-Security-Policy", "default-src 'none'");
    if (code == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    enum MHD_Result queued = MHD_queue_response(connection, code, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result answer_sentence(struct MHD_Connection *connection, unsigned code,
                                       const char *sentence) {
    char text[MNEME_ERROR_TEXT_MAX + 16];
    int size = snprintf(text, sizeof text, "mneme: %s\n", sentence);
    return answer_with(connection, code, PLAIN_TEXT, text, (size_t)size);
}

static enum MHD_Result answer_page(struct MHD_Connection *connection) {
    static const char page[] = "<!DOCTYPE html>\n"
                               "<html lang=\"en\"><head><meta charset=\"utf-8\">"
                               "<title>mneme metrics</title></head>\n"
                               "<body><h1>mneme</h1>\n"
                               "<p><a href=\"/metrics\">/metrics</a> has the figures of the store "
                               "that this process serves, for Prometheus.</p></body></html>\n";
    return answer_with(connection, MHD_HTTP_OK, "text/html; charset=utf-8", page, sizeof page - 1);
}

static enum MHD_Result answer_metrics(const struct http_server *server,
                                      struct MHD_Connection *connection) {
    static const char *const types[] = {
        [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        [METRICS_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8",
    };
    const char *accept =
        MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT);
    enum metrics_format format = http_format(accept);
    mneme_bytes text = {0};
    mneme_error error = {0};
    enum MHD_Result result;
    if (metrics_source_text(server->options.source, format, &text, &error) == 0)
        result = answer_with(connection, MHD_HTTP_OK, types[format], text.data, text.size);
    else
        result = answer_sentence(connection, MHD_HTTP_SERVICE_UNAVAILABLE, error.message);
    mneme_bytes_free(&text);
    return result;
}

/* ---- Requests -------------------------------------------------------------------------------- */

static enum MHD_Result count_host(void *context, enum MHD_ValueKind kind, const char *name,
                                  const char *value) {
    int *count = context;
    (void)kind;
    (void)value;
    *count += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
    return MHD_YES;
}

/* One header Host, as two could be read differently by what stands in front. */
static bool host_is_ours(const struct http_server *server, struct MHD_Connection *connection) {
    int count = 0;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_host, &count);
    return count <= 1 && http_host_is_ours(&server->options,
                                           MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                                                       MHD_HTTP_HEADER_HOST));
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **request) {
    const struct http_server *server = context;
    (void)version;
    (void)upload;
    (void)upload_size;
    (void)request;
    if (!host_is_ours(server, connection))
        return answer_sentence(connection, MHD_HTTP_FORBIDDEN,
                               "the header Host names another machine; use the address that is "
                               "listened at, or start with --allow-host NAME");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_sentence(connection, MHD_HTTP_METHOD_NOT_ALLOWED,
                               "there is only GET and HEAD here");
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(server, connection);
    if (strcmp(url, "/") == 0)
        return answer_page(connection);
    return answer_sentence(connection, MHD_HTTP_NOT_FOUND, "there is only /metrics here");
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void welcome(struct http_server *server, struct MHD_Connection *connection, void **slot) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct guest *guest = info != NULL ? malloc(sizeof *guest) : NULL;
    *slot = guest;
    if (guest == NULL)
        return;
    *guest = (struct guest){server->guests.next, &server->guests, info->connect_fd, now_s()};
    guest->next->previous = guest;
    server->guests.next = guest;
}

static void farewell(struct guest *guest) {
    if (guest == NULL)
        return;
    guest->previous->next = guest->next;
    guest->next->previous = guest->previous;
    free(guest);
}

/* Called before the descriptor is closed, so that what http_sweep finds in the list is still it. */
static void on_connection(void *context, struct MHD_Connection *connection, void **slot,
                          enum MHD_ConnectionNotificationCode what) {
    struct http_server *server = context;
    pthread_mutex_lock(&server->lock);
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        welcome(server, connection, slot);
    else
        farewell(*slot);
    pthread_mutex_unlock(&server->lock);
}

void http_sweep(struct http_server *server) {
    time_t now = now_s();
    pthread_mutex_lock(&server->lock);
    for (struct guest *guest = server->guests.next; guest != &server->guests; guest = guest->next)
        if (now - guest->since > HTTP_SECONDS)
            shutdown(guest->fd, SHUT_RDWR);
    pthread_mutex_unlock(&server->lock);
}

/* ---- The server ------------------------------------------------------------------------------ */

int http_start(const struct http_options *options, struct http_server **out, mneme_error *error) {
    struct http_server *server = calloc(1, sizeof *server);
    if (server == NULL || pthread_mutex_init(&server->lock, NULL) != 0) {
        free(server);
        return fail_with(error, MNEME_NO_MEMORY, "no memory to serve metrics");
    }
    server->options = *options;
    server->guests.next = server->guests.previous = &server->guests;
    server->daemon = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, handle, server,
        MHD_OPTION_LISTEN_SOCKET, options->listener->fd, MHD_OPTION_THREAD_POOL_SIZE,
        (unsigned)HTTP_THREADS, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_REQUEST_BYTES,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_SECONDS, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_END);
    if (server->daemon == NULL) {
        pthread_mutex_destroy(&server->lock);
        free(server);
        return fail_with(error, MNEME_FAILURE, "the HTTP server cannot be started");
    }
    *out = server;
    return 0;
}

void http_stop(struct http_server *server) {
    if (server == NULL)
        return;
    MHD_stop_daemon(server->daemon);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
