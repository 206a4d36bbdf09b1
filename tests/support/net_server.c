/*
 * net_server.c - a scripted server in a thread.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/os.h"
#include "support/net_server.h"

enum { CONNECTIONS_MAX = 64, TICK_MS = 2, REQUEST_MAX = 8 << 20 };

struct server_connection {
    int fd;
    struct buf in;
    const struct net_server_step *step; /* under way, or NULL */
    size_t sent;
};

struct net_server {
    int listener;
    uint16_t port;
    char url[64];
    pthread_t thread;
    const struct net_server_step *steps;
    size_t count;
    struct server_connection connections[CONNECTIONS_MAX]; /* the thread's own */
    struct lock lock;                                      /* guards all below */
    bool stop, refuse;
    struct net_server_seen seen;
};

static void must(bool condition, const char *what) {
    if (!condition) {
        perror(what);
        abort();
    }
}

static int listen_on_loopback(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 64) == 0 &&
             getsockname(fd, (struct sockaddr *)&address, &size) == 0,
         "listen");
    *port = ntohs(address.sin_port);
    return fd;
}

/* ---- Connections --------------------------------------------------------------------------- */

static void hang_up(struct server_connection *c, bool reset) {
    const struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (reset)
        (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(c->fd);
    c->fd = -1;
    buf_fini(&c->in);
}

static void take_connection(struct net_server *s) {
    struct server_connection fresh = {.fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC)};
    if (fresh.fd < 0)
        return;
    fresh.in = BUF_INIT(REQUEST_MAX);
    lock_acquire(&s->lock);
    s->seen.accepted++;
    bool refuse = s->refuse;
    lock_release(&s->lock);
    struct server_connection *c = s->connections;
    while (c->fd >= 0)
        must(++c < s->connections + CONNECTIONS_MAX, "too many connections");
    if (refuse)
        hang_up(&fresh, true);
    else
        *c = fresh;
}

/* The size of the request that `in` begins with; 0: it is not all there yet. */
static size_t whole_request(struct slice in) {
    const char *end = memmem(in.data, in.size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t head = (size_t)(end + 4 - (const char *)in.data);
    const char *length = memmem(in.data, head, "Content-Length: ", 16);
    size_t size = head + (length ? strtoul(length + 16, NULL, 10) : 0);
    return in.size >= size ? size : 0;
}

static void begin_step(struct net_server *s, struct server_connection *c, size_t size) {
    AUTO_LOCK(held, &s->lock);
    c->step = &s->steps[size_min(s->seen.requests, s->count - 1)];
    c->sent = 0;
    s->seen.requests++;
    s->seen.bytes_in += size;
    snprintf(s->seen.last, sizeof s->seen.last, "%.*s", (int)size, (const char *)c->in.data);
    memmove(c->in.data, c->in.data + size, c->in.size - size);
    c->in.size -= size;
}

static void read_some(struct net_server *s, struct server_connection *c) {
    uint8_t *room = buf_reserve(&c->in, 65536);
    ssize_t n = room ? recv(c->fd, room, 65536, MSG_DONTWAIT) : 0;
    if (n <= 0) {
        hang_up(c, false);
        return;
    }
    c->in.size += (size_t)n;
    size_t size = whole_request(buf_slice(&c->in));
    if (size && !c->step)
        begin_step(s, c, size);
}

static void write_some(struct net_server *s, struct server_connection *c) {
    const struct net_server_step *step = c->step;
    size_t size = !step->bytes ? 0 : step->size ? step->size : strlen(step->bytes);
    size_t piece = size - c->sent;
    if (step->piece)
        piece = size_min(piece, step->piece);
    lock_acquire(&s->lock); /* who has the bytes finds them counted */
    ssize_t n = piece ? send(c->fd, step->bytes + c->sent, piece, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
    if (n > 0) {
        s->seen.bytes_out += (uint64_t)n;
        c->sent += (size_t)n;
    }
    lock_release(&s->lock);
    if (c->sent < size)
        return;
    c->step = NULL;
    if (step->end == SERVER_KEEP)
        return;
    hang_up(c, step->end == SERVER_RESET);
    AUTO_LOCK(held, &s->lock);
    s->seen.closed++;
}

static bool serve_some(struct net_server *s) {
    struct pollfd fds[CONNECTIONS_MAX + 1] = {{.fd = s->listener, .events = POLLIN}};
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        fds[i + 1] = (struct pollfd){.fd = s->connections[i].fd, .events = POLLIN};
    (void)poll(fds, COUNT_OF(fds), TICK_MS);
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        struct server_connection *c = &s->connections[i];
        if (c->fd >= 0 && fds[i + 1].revents)
            read_some(s, c);
        if (c->fd >= 0 && c->step)
            write_some(s, c);
    }
    if (fds[0].revents)
        take_connection(s);
    AUTO_LOCK(held, &s->lock);
    return !s->stop;
}

static void *serve(void *context) {
    struct net_server *s = context;
    while (serve_some(s))
        ;
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        if (s->connections[i].fd >= 0)
            hang_up(&s->connections[i], false);
    return NULL;
}

/* ---- For tests ----------------------------------------------------------------------------- */

struct net_server *net_server_start(const struct net_server_step *steps, size_t count) {
    struct net_server *s = calloc(1, sizeof *s);
    must(s != NULL, "no memory");
    s->listener = listen_on_loopback(&s->port);
    snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u", s->port);
    s->steps = steps;
    s->count = count;
    for (int i = 0; i < CONNECTIONS_MAX; i++)
        s->connections[i].fd = -1;
    lock_init(&s->lock, RANK_LEAF);
    must(thread_start(&s->thread, serve, s, NULL) == 0, "thread");
    return s;
}

void net_server_stop(struct net_server *s) {
    lock_acquire(&s->lock);
    s->stop = true;
    lock_release(&s->lock);
    pthread_join(s->thread, NULL);
    close(s->listener);
    lock_fini(&s->lock);
    free(s);
}

uint16_t net_server_port(const struct net_server *s) { return s->port; }
const char *net_server_url(const struct net_server *s) { return s->url; }

void net_server_refuse(struct net_server *s, bool refuse) {
    AUTO_LOCK(held, &s->lock);
    s->refuse = refuse;
}

void net_server_seen(struct net_server *s, struct net_server_seen *out) {
    AUTO_LOCK(held, &s->lock);
    *out = s->seen;
}
