/*
 * proxy_connection.c - the life of one connection: a request is gathered, judged and carried, then
 * its answer; in between the faults.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/proxy_impl.h"

enum { READ_SIZE = 1 << 16, REQUEST_MAX = 256 << 20 };

/* ---- Opening and closing ------------------------------------------------------------------ */

static int connect_to(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void reset_socket(int fd) {
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

static void set_no_delay(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void connection_open(struct proxy *proxy, int client_fd) {
    int server_fd = connect_to(proxy->server_port);
    struct connection *c = server_fd < 0 ? NULL : mem_zalloc(1, sizeof *c);
    proxy_count(proxy, &proxy->counters.connections, 1);
    if (!c) {
        reset_socket(client_fd);
        close(client_fd);
        if (server_fd >= 0)
            close(server_fd);
        return;
    }
    set_no_delay(client_fd);
    set_no_delay(server_fd);
    c->proxy = proxy;
    c->client = (struct end){.connection = c, .fd = client_fd};
    c->server = (struct end){.connection = c, .fd = server_fd};
    c->taken_us = clock_monotonic_us();
    c->inbox = BUF_INIT(REQUEST_MAX);
    c->copy = BUF_INIT(REQUEST_MAX);
    frame_begin(&c->request, false);
    frame_begin(&c->answer, true);
    c->next = proxy->connections;
    proxy->connections = c;
    proxy_watch(proxy, &c->client, EPOLLIN);
    proxy_watch(proxy, &c->server, EPOLLIN);
}

static void set_busy(struct connection *c, bool busy) {
    if (c->busy != busy)
        proxy_count_busy(c->proxy, busy);
    c->busy = busy;
}

bool connection_is_idle(const struct connection *c) {
    return !c->busy && c->inbox.size == 0 && !c->client.wire.first && !c->server.wire.first;
}

void connection_close(struct connection *c, bool reset) {
    if (c->closed)
        return;
    set_busy(c, false);
    c->closed = true;
    if (reset)
        reset_socket(c->client.fd);
    proxy_watch(c->proxy, &c->client, 0);
    proxy_watch(c->proxy, &c->server, 0);
    close(c->client.fd);
    close(c->server.fd);
}

void connection_free(struct connection *c) {
    wire_fini(&c->client.wire);
    wire_fini(&c->server.wire);
    frame_fini(&c->request);
    frame_fini(&c->answer);
    buf_fini(&c->inbox);
    buf_fini(&c->copy);
    mem_free(c);
}

/* ---- Carrying ----------------------------------------------------------------------------- */

static void put(struct end *end, enum segment_kind kind, int64_t due_us, const void *bytes,
                size_t size) {
    if (!wire_add(&end->wire, kind, due_us, bytes, size))
        connection_close(end->connection, true);
}

/* When what comes from the client now is at the server. */
static int64_t up_due(const struct connection *c) {
    int64_t half_us = proxy_half_us(c->proxy), now_us = clock_monotonic_us();
    int64_t connected_us = c->taken_us + 2 * half_us;
    return (now_us > connected_us ? now_us : connected_us) + half_us;
}

/* When what comes from the server now is at the client. */
static int64_t down_due(const struct connection *c) {
    return clock_monotonic_us() + proxy_half_us(c->proxy);
}

/* ---- Requests ----------------------------------------------------------------------------- */

/* Answer in the server's place, at this time. */
static void answer_instead(struct connection *c, int64_t due_us) {
    put(&c->client, SEGMENT_BYTES, due_us, c->copy.data, c->copy.size);
    if (c->action.close)
        put(&c->client, SEGMENT_END, due_us, NULL, 0);
    set_busy(c, false);
}

static void handle_request(struct connection *c, struct slice request) {
    int64_t due_us = up_due(c), back_us = due_us + proxy_half_us(c->proxy);
    proxy_ask(c, request);
    set_busy(c, true);
    c->answered = 0;
    c->slow_due_us = 0;
    frame_begin(&c->answer, true);
    if (c->action.fault == PROXY_RESET)
        put(&c->client, SEGMENT_RESET, back_us, NULL, 0);
    else if (c->action.fault == PROXY_ANSWER)
        answer_instead(c, back_us);
    else if (c->action.fault == PROXY_DELAY)
        put(&c->server, SEGMENT_BYTES, due_us + (int64_t)c->action.ms * 1000, request.data,
            request.size);
    else if (c->action.fault != PROXY_STALL)
        put(&c->server, SEGMENT_BYTES, due_us, request.data, request.size);
}

/* Take whole requests out of the inbox, one at a time: the next when the answer is there. */
static void take_requests(struct connection *c) {
    while (!c->closed && !c->busy && c->framed < c->inbox.size) {
        c->framed += frame_feed(&c->request, c->inbox.data + c->framed, c->inbox.size - c->framed);
        if (c->request.state == FRAME_BROKEN) {
            connection_close(c, true);
            return;
        }
        if (c->request.state != FRAME_DONE)
            return;
        size_t rest = c->inbox.size - c->framed;
        handle_request(c, slice_of(c->inbox.data, c->framed));
        memmove(c->inbox.data, c->inbox.data + c->framed, rest);
        c->inbox.size = rest;
        c->framed = 0;
        frame_begin(&c->request, false);
    }
}

static void from_client(struct connection *c) {
    uint8_t *to = buf_reserve(&c->inbox, READ_SIZE);
    if (!to) {
        connection_close(c, true);
        return;
    }
    ssize_t got = recv(c->client.fd, to, READ_SIZE, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        /* What it has sent still arrives, then its end does. */
        proxy_watch(c->proxy, &c->client, 0);
        wire_fini(&c->client.wire);
        put(&c->server, SEGMENT_END, up_due(c), NULL, 0);
        return;
    }
    c->inbox.size += (size_t)got;
    proxy_count(c->proxy, &c->proxy->counters.bytes_up, (uint64_t)got);
    take_requests(c);
}

/* ---- Answers ------------------------------------------------------------------------------ */

/* The answer is there, or as much of it as will be. */
static void answer_ended(struct connection *c) {
    int64_t due_us = down_due(c);
    switch (c->action.fault) {
    case PROXY_LOSE:
        put(&c->client, SEGMENT_RESET, due_us, NULL, 0);
        return;
    case PROXY_TRUNCATE:
        put(&c->client, SEGMENT_END, due_us, NULL, 0);
        return;
    case PROXY_REPLACE:
        answer_instead(c, due_us);
        return;
    case PROXY_MUTE:
        return; /* and stays busy */
    case PROXY_CLOSE:
        put(&c->client, SEGMENT_END, due_us, NULL, 0);
        set_busy(c, false);
        return;
    case PROXY_PASS:
    case PROXY_STALL:
    case PROXY_RESET:
    case PROXY_ANSWER:
    case PROXY_SLOW:
    case PROXY_DELAY:
    default:
        set_busy(c, false);
        return;
    }
}

static void put_slowly(struct connection *c, const uint8_t *bytes, size_t size) {
    size_t piece = size_max(c->action.bytes, 1);
    int64_t due_us = down_due(c);
    for (size_t done = 0; done < size && !c->closed; done += piece) {
        int64_t next_us = c->slow_due_us + (int64_t)c->action.ms * 1000;
        c->slow_due_us = next_us > due_us ? next_us : due_us;
        put(&c->client, SEGMENT_BYTES, c->slow_due_us, bytes + done, size_min(piece, size - done));
    }
}

static void carry_answer(struct connection *c, const uint8_t *bytes, size_t size) {
    uint64_t before = c->answered;
    enum proxy_fault fault = c->action.fault;
    c->answered += size;
    if (fault == PROXY_LOSE || fault == PROXY_REPLACE || fault == PROXY_MUTE || size == 0)
        return;
    if (fault == PROXY_SLOW) {
        put_slowly(c, bytes, size);
        return;
    }
    if (fault == PROXY_TRUNCATE)
        size = before < c->action.bytes ? size_min(size, c->action.bytes - (size_t)before) : 0;
    if (size)
        put(&c->client, SEGMENT_BYTES, down_due(c), bytes, size);
}

static void server_gone(struct connection *c, bool orderly) {
    bool was_whole = c->busy && c->answer.state == FRAME_UNTIL_CLOSE;
    proxy_watch(c->proxy, &c->server, 0);
    wire_fini(&c->server.wire);
    if (was_whole)
        answer_ended(c);
    if (!c->closed)
        put(&c->client, orderly ? SEGMENT_END : SEGMENT_RESET, down_due(c), NULL, 0);
}

static void from_server(struct connection *c) {
    uint8_t bytes[READ_SIZE];
    ssize_t got = recv(c->server.fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        server_gone(c, got == 0);
        return;
    }
    size_t size = c->busy ? frame_feed(&c->answer, bytes, (size_t)got) : 0;
    carry_answer(c, bytes, size);
    if (c->closed)
        return;
    if (c->answer.state == FRAME_BROKEN || size < (size_t)got) {
        connection_close(c, true); /* bytes that no request asked for */
        return;
    }
    if (c->answer.state == FRAME_DONE) {
        answer_ended(c);
        take_requests(c);
    }
}

/* ---- Rounds ------------------------------------------------------------------------------- */

void connection_event(struct end *end, uint32_t events) {
    struct connection *c = end->connection;
    if (c->closed || !end->events || !(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return; /* what can be written is, in connection_flush */
    if (end == &c->client)
        from_client(c);
    else
        from_server(c);
}

/* Whether the connection goes on. */
static bool flush_end(struct end *end, int64_t now_us, uint64_t *written) {
    struct connection *c = end->connection;
    enum wire_outcome outcome = wire_flush(&end->wire, end->fd, now_us, written);
    if (outcome == WIRE_ENDED || outcome == WIRE_RESET) {
        connection_close(c, outcome == WIRE_RESET);
        return false;
    }
    if (end->events)
        proxy_watch(c->proxy, end, EPOLLIN | (outcome == WIRE_BLOCKED ? EPOLLOUT : 0));
    return true;
}

static int64_t next_due(const struct end *end, int64_t now_us) {
    const struct segment *first = end->wire.first;
    return first && first->due_us > now_us ? first->due_us : INT64_MAX; /* else it is blocked */
}

int64_t connection_flush(struct connection *c, int64_t now_us) {
    uint64_t up = 0, down = 0;
    if (c->closed)
        return INT64_MAX;
    bool goes_on = flush_end(&c->server, now_us, &up) && flush_end(&c->client, now_us, &down);
    if (down)
        proxy_count(c->proxy, &c->proxy->counters.bytes_down, down);
    if (!goes_on)
        return INT64_MAX;
    int64_t a = next_due(&c->server, now_us), b = next_due(&c->client, now_us);
    return a < b ? a : b;
}
