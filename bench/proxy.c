/*
 * proxy.c - the thread of the proxy, and what others ask of it.
 */
#include "bench/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "bench/proxy_impl.h"

enum { EVENTS = 64, BACKLOG = 1024 };

/* ---- For connections ---------------------------------------------------------------------- */

int64_t proxy_half_us(struct proxy *proxy) {
    AUTO_LOCK(guard, &proxy->lock);
    return proxy->half_us;
}

void proxy_count(struct proxy *proxy, uint64_t *counter, uint64_t more) {
    AUTO_LOCK(guard, &proxy->lock);
    *counter += more;
}

void proxy_count_busy(struct proxy *proxy, bool begins) {
    AUTO_LOCK(guard, &proxy->lock);
    if (begins)
        proxy->counters.under_way++;
    else
        proxy->counters.under_way--;
}

void proxy_watch(struct proxy *proxy, struct end *end, uint32_t events) {
    struct epoll_event event = {.events = events, .data.ptr = end};
    if (events == end->events)
        return;
    int what = !events ? EPOLL_CTL_DEL : end->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    (void)epoll_ctl(proxy->epoll, what, end->fd, &event);
    end->events = events;
}

static struct proxy_action decide(struct proxy *proxy, const struct proxy_request *request) {
    const struct proxy_fault_script *script = &proxy->script;
    uint64_t number = proxy->counters.scripted;
    if (proxy->decide)
        return proxy->decide(proxy->decide_context, request);
    if (number < script->first || number > script->last)
        return (struct proxy_action){.fault = PROXY_PASS};
    return script->action;
}

void proxy_ask(struct connection *c, struct slice bytes) {
    struct proxy *proxy = c->proxy;
    AUTO_LOCK(guard, &proxy->lock);
    proxy->counters.scripted++;
    struct proxy_request request = {.number = ++proxy->counters.requests, .bytes = bytes};
    c->action = decide(proxy, &request);
    proxy->counters.faults += c->action.fault != PROXY_PASS;
    buf_reset(&c->copy);
    buf_append_slice(&c->copy, c->action.answer);
    c->action.answer = buf_slice(&c->copy);
}

/* ---- The thread --------------------------------------------------------------------------- */

static void take_connections(struct proxy *proxy) {
    for (;;) {
        int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return;
        connection_open(proxy, fd);
    }
}

static unsigned close_connections(struct proxy *proxy, bool idle_only, bool reset) {
    unsigned count = 0;
    for (struct connection *c = proxy->connections; c; c = c->next) {
        if (c->closed || (idle_only && !connection_is_idle(c)))
            continue;
        connection_close(c, reset);
        count++;
    }
    return count;
}

/* Free what was closed. Not before the end of a round: events may still point to it. */
static void sweep(struct proxy *proxy) {
    unsigned open = 0;
    for (struct connection **at = &proxy->connections; *at;) {
        struct connection *c = *at;
        if (c->closed) {
            *at = c->next;
            connection_free(c);
        } else {
            at = &c->next;
            open++;
        }
    }
    AUTO_LOCK(guard, &proxy->lock);
    proxy->counters.open = open;
}

static void drain(int fd) {
    uint64_t count;
    (void)!read(fd, &count, sizeof count);
}

/* Returns false when it is to stop. */
static bool obey(struct proxy *proxy) {
    enum proxy_command command;
    {
        AUTO_LOCK(guard, &proxy->lock);
        command = proxy->command;
    }
    unsigned count = 0;
    if (command != COMMAND_NONE)
        count =
            close_connections(proxy, command == COMMAND_CLOSE_IDLE, command == COMMAND_RESET_ALL);
    sweep(proxy);
    AUTO_LOCK(guard, &proxy->lock);
    if (command != COMMAND_NONE) {
        proxy->command = COMMAND_NONE;
        proxy->affected = count;
        signal_all(&proxy->done);
    }
    return command != COMMAND_STOP;
}

static void set_timer(struct proxy *proxy, int64_t due_us) {
    if (due_us == proxy->timer_us)
        return;
    struct itimerspec spec = {.it_value = {0, 0}};
    if (due_us != INT64_MAX)
        spec.it_value = (struct timespec){.tv_sec = (time_t)(due_us / 1000000),
                                          .tv_nsec = (long)(due_us % 1000000) * 1000};
    (void)timerfd_settime(proxy->timer, TFD_TIMER_ABSTIME, &spec, NULL);
    proxy->timer_us = due_us;
}

static void flush_all(struct proxy *proxy) {
    int64_t next_us = INT64_MAX, now_us = clock_monotonic_us();
    for (struct connection *c = proxy->connections; c; c = c->next) {
        int64_t due_us = connection_flush(c, now_us);
        next_us = due_us < next_us ? due_us : next_us;
    }
    set_timer(proxy, next_us);
}

static void handle_event(struct proxy *proxy, const struct epoll_event *event) {
    if (event->data.ptr == &proxy->listener) {
        take_connections(proxy);
    } else if (event->data.ptr == &proxy->waker) {
        drain(proxy->waker);
    } else if (event->data.ptr == &proxy->timer) {
        drain(proxy->timer);
        proxy->timer_us = INT64_MAX;
    } else {
        connection_event(event->data.ptr, event->events);
    }
}

static void *run(void *argument) {
    struct proxy *proxy = argument;
    struct epoll_event events[EVENTS];
    do {
        int count = epoll_wait(proxy->epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++)
            handle_event(proxy, &events[i]);
        flush_all(proxy);
    } while (obey(proxy));
    return NULL;
}

/* ---- Start and stop ----------------------------------------------------------------------- */

static int add_descriptor(struct proxy *proxy, int *fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    return epoll_ctl(proxy->epoll, EPOLL_CTL_ADD, *fd, &event);
}

static int listen_somewhere(struct proxy *proxy) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (proxy->listener < 0 || bind(proxy->listener, (struct sockaddr *)&address, size) != 0 ||
        listen(proxy->listener, BACKLOG) != 0 ||
        getsockname(proxy->listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    proxy->port = ntohs(address.sin_port);
    snprintf(proxy->url, sizeof proxy->url, "http://127.0.0.1:%u", (unsigned)proxy->port);
    return 0;
}

static int make_descriptors(struct proxy *proxy) {
    proxy->epoll = epoll_create1(EPOLL_CLOEXEC);
    proxy->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    proxy->waker = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool made = proxy->epoll >= 0 && proxy->timer >= 0 && proxy->waker >= 0;
    if (!made || listen_somewhere(proxy) != 0 || add_descriptor(proxy, &proxy->listener) != 0 ||
        add_descriptor(proxy, &proxy->timer) != 0 || add_descriptor(proxy, &proxy->waker) != 0)
        return -1;
    return 0;
}

int proxy_start(uint16_t server_port, double delay_ms, struct proxy **out, mneme_error *error) {
    struct proxy *proxy = mem_zalloc(1, sizeof *proxy);
    if (!proxy)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a proxy");
    proxy->server_port = server_port;
    proxy->epoll = proxy->listener = proxy->timer = proxy->waker = -1;
    proxy->timer_us = INT64_MAX;
    proxy->script.answer = BUF_INIT(SIZE_MAX / 2);
    lock_init(&proxy->lock, RANK_LEAF);
    signal_init(&proxy->done);
    proxy_set_delay(proxy, delay_ms);
    int status = 0;
    if (make_descriptors(proxy) != 0)
        status = error_set_errno(error, errno, "cannot start a proxy");
    if (!status)
        status = thread_start(&proxy->thread, run, proxy, error);
    proxy->has_thread = status == 0;
    if (status)
        proxy_stop(proxy);
    else
        *out = proxy;
    return status;
}

static unsigned command(struct proxy *proxy, enum proxy_command what) {
    uint64_t one = 1;
    AUTO_LOCK(guard, &proxy->lock);
    while (proxy->command != COMMAND_NONE)
        signal_wait(&proxy->done, &proxy->lock, -1);
    proxy->command = what;
    (void)!write(proxy->waker, &one, sizeof one);
    while (proxy->command != COMMAND_NONE)
        signal_wait(&proxy->done, &proxy->lock, -1);
    return proxy->affected;
}

void proxy_stop(struct proxy *proxy) {
    if (!proxy)
        return;
    if (proxy->has_thread) {
        command(proxy, COMMAND_STOP);
        pthread_join(proxy->thread, NULL);
    }
    int *const descriptors[] = {&proxy->epoll, &proxy->listener, &proxy->timer, &proxy->waker};
    for (size_t i = 0; i < COUNT_OF(descriptors); i++)
        if (*descriptors[i] >= 0)
            close(*descriptors[i]);
    signal_fini(&proxy->done);
    lock_fini(&proxy->lock);
    buf_fini(&proxy->script.answer);
    mem_free(proxy);
}

/* ---- What others ask ---------------------------------------------------------------------- */

uint16_t proxy_port(const struct proxy *proxy) { return proxy->port; }

const char *proxy_url(const struct proxy *proxy) { return proxy->url; }

void proxy_set_delay(struct proxy *proxy, double delay_ms) {
    AUTO_LOCK(guard, &proxy->lock);
    proxy->half_us = (int64_t)(delay_ms * 500);
}

bool proxy_script(struct proxy *proxy, uint64_t first, uint64_t last, struct proxy_action action) {
    AUTO_LOCK(guard, &proxy->lock);
    struct proxy_fault_script *script = &proxy->script;
    buf_reset(&script->answer);
    buf_append_slice(&script->answer, action.answer);
    proxy->decide = NULL;
    proxy->counters.scripted = 0;
    script->first = first;
    script->last = last;
    script->action = action;
    script->action.answer = buf_slice(&script->answer);
    return script->answer.status == 0;
}

void proxy_decide_with(struct proxy *proxy, proxy_decide *decide_next, void *context) {
    AUTO_LOCK(guard, &proxy->lock);
    proxy->decide = decide_next;
    proxy->decide_context = context;
    proxy->counters.scripted = 0;
    proxy->script.first = 1;
    proxy->script.last = 0;
}

unsigned proxy_close_idle(struct proxy *proxy) { return command(proxy, COMMAND_CLOSE_IDLE); }

unsigned proxy_reset_all(struct proxy *proxy) { return command(proxy, COMMAND_RESET_ALL); }

struct proxy_counters proxy_counters(struct proxy *proxy) {
    AUTO_LOCK(guard, &proxy->lock);
    return proxy->counters;
}

void proxy_answer(struct buf *out, int status, const char *headers, struct slice body) {
    buf_printf(out, "HTTP/1.1 %d Fault\r\nContent-Length: %zu\r\n%s\r\n", status, body.size,
               headers);
    buf_append_slice(out, body);
}
