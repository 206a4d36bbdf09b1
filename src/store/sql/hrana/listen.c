/*
 * listen.c - the thread that listens, and when it listens again.
 */
#include "store/sql/hrana/listen.h"

#include <stdio.h>

#include "net/listen.h"
#include "store/sql/hrana/base64.h"
#include "store/sql/hrana/events.h"
#include "store/sql/hrana/hrana_impl.h"

struct hrana_listener {
    struct hrana_listen_options options; /* filled; `table` is not kept */
    struct net_listener *net;
    char path[HRANA_PATH_SIZE + 100];
    char name_space[400]; /* a header; "": none */
    unsigned generation;  /* of the process that has the thread */
    pthread_t thread;
    struct hrana_events events; /* the thread's, as is … */
    int64_t opened_us;          /* … when the answer began; 0: it has not */

    struct lock lock; /* guards what follows */
    struct signal stopped;
    bool stop, live;
    int status; /* of what ended last; 0: nothing failed, or it is well again */
    mneme_error error;
    int64_t next_us; /* after a failure: when it is tried again */
};

/* ---- Listening once ---------------------------------------------------------------------- */

/* What is heard now, also of a failure before, is behind us. */
static void on_opened(void *context) {
    struct hrana_listener *l = context;
    l->events = (struct hrana_events){0};
    l->opened_us = clock_monotonic_us();
    {
        AUTO_LOCK(held, &l->lock);
        l->live = true;
        l->status = 0;
    }
    l->options.changed(l->options.context);
}

static int on_bytes(void *context, struct slice bytes, mneme_error *error) {
    struct hrana_listener *l = context;
    size_t whole = 0;
    TRY(hrana_events_read(&l->events, bytes, &whole, error));
    if (whole > 0)
        l->options.changed(l->options.context);
    return 0;
}

static int listen_once(struct hrana_listener *l, mneme_error *error) {
    const char *headers[] = {"Accept: text/event-stream", l->name_space};
    const struct net_listening listening = {.path = l->path,
                                            .headers = headers,
                                            .header_count = l->name_space[0] ? 2 : 1,
                                            .content_type = "text/event-stream",
                                            .silence_ms = l->options.silence_ms,
                                            .opened = on_opened,
                                            .bytes = on_bytes,
                                            .context = l};
    l->opened_us = 0;
    return net_listener_run(l->net, &listening, error);
}

/* ---- And again --------------------------------------------------------------------------- */

/* Answers that the next try would get, too. Who is not let in may be tomorrow, so that is none. */
static bool is_absent(int status) {
    return status == MNEME_NOT_FOUND || status == MNEME_UNSUPPORTED || status == MNEME_FAILURE ||
           status == MNEME_INVALID || status == MNEME_TOO_LARGE;
}

/* Half of it is chance, so that those who were cut off together do not come back together. */
static int64_t with_chance(int64_t pause_us) {
    uint8_t bytes[8] = {0};
    (void)random_bytes(bytes, sizeof bytes, NULL); /* without, all come early: no harm */
    return pause_us / 2 + (int64_t)(get_be64(bytes) % (uint64_t)(pause_us / 2 + 1));
}

int64_t hrana_listen_pause_us(const struct hrana_listen_options *options, int64_t before_us,
                              int64_t listened_us) {
    int64_t least_us = (int64_t)options->pause_ms * 1000;
    int64_t most_us = (int64_t)options->pause_max_ms * 1000;
    int64_t pause_us = before_us == 0 || listened_us > before_us ? least_us : before_us * 2;
    return pause_us < most_us ? pause_us : most_us;
}

/* How long to wait after a failure; *pause_us is the growing pause. */
static int64_t choose_pause(const struct hrana_listener *l, int status, int64_t *pause_us) {
    if (is_absent(status))
        return (int64_t)l->options.absent_ms * 1000;
    int64_t listened_us = l->opened_us ? clock_monotonic_us() - l->opened_us : 0;
    *pause_us = hrana_listen_pause_us(&l->options, *pause_us, listened_us);
    return with_chance(*pause_us);
}

/* It ended with this. False: it was stopped. */
static bool pause_after(struct hrana_listener *l, int status, const mneme_error *failure,
                        int64_t *pause_us) {
    int64_t until_us = clock_monotonic_us() + choose_pause(l, status, pause_us);
    AUTO_LOCK(held, &l->lock);
    l->live = false;
    l->error = *failure;
    l->next_us = until_us;
    l->status = l->error.code = is_absent(status) ? MNEME_UNSUPPORTED : status;
    while (!l->stop && clock_monotonic_us() < until_us)
        (void)signal_wait(&l->stopped, &l->lock, until_us);
    return !l->stop;
}

static void *run(void *context) {
    struct hrana_listener *l = context;
    int64_t pause_us = 0;
    for (;;) {
        mneme_error failure = {0};
        int status = listen_once(l, &failure);
        if (status == 0 || !pause_after(l, status, &failure, &pause_us))
            return NULL;
    }
}

/* ---- Life -------------------------------------------------------------------------------- */

static bool is_name(const char *table) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    size_t size = strlen(table);
    return size > 0 && size <= 64 && strspn(table, letters) == size;
}

/* The namespace that a path of sqld's names, "/dev/NAME"; "": none, or one that is escaped. */
static const char *dev_name(const char *database) {
    static const char dev[] = "/dev/";
    const char *name = database + strlen(dev);
    bool plain = strncmp(database, dev, strlen(dev)) == 0 && !strpbrk(name, "/%");
    return plain ? name : "";
}

static int set_request(struct hrana_listener *l, const struct hrana_server *server,
                       const char *table, mneme_error *error) {
    const char *name = dev_name(server->database);
    if (!is_name(table))
        return error_set(error, MNEME_INVALID,
                         "a table to listen to has a name of 1 to 64 letters, digits and '_'");
    snprintf(l->path, sizeof l->path, "%s/beta/listen?table=%s", *name ? "" : server->database,
             table);
    memcpy(l->name_space, server->name_space, sizeof l->name_space);
    if (!*name)
        return 0;
    AUTO_BUF struct buf header = BUF_INIT(sizeof l->name_space);
    buf_append_string(&header, "x-namespace-bin: ");
    base64_put(&header, slice_of_string(name), false);
    buf_append_byte(&header, 0);
    if (header.status)
        return error_set(error, header.status,
                         "no memory for the name of a namespace, or it is "
                         "too long to listen to");
    memcpy(l->name_space, header.data, header.size);
    return 0;
}

#define DEFAULT(field, value) ((field) = (field) ? (field) : (value))

static void fill(struct hrana_listener *l, const struct hrana_listen_options *options) {
    l->options = *options;
    l->options.table = NULL;
    DEFAULT(l->options.silence_ms, 40000);
    DEFAULT(l->options.pause_ms, 1000);
    DEFAULT(l->options.pause_max_ms, 60000);
    DEFAULT(l->options.absent_ms, 600000);
    l->generation = process_generation();
}

static void destroy(struct hrana_listener *l) {
    net_listener_destroy(l->net);
    signal_fini(&l->stopped);
    lock_fini(&l->lock);
    mem_free(l);
}

int hrana_listener_open(struct sql_driver *driver, const struct hrana_listen_options *options,
                        struct hrana_listener **out, mneme_error *error) {
    if (strcmp(driver->operations->name, "hrana") != 0)
        return error_set(error, MNEME_UNSUPPORTED, "only a server tells of changes");
    const struct hrana *hrana = (struct hrana *)(void *)driver;
    struct hrana_listener *l = mem_zalloc(1, sizeof *l);
    if (!l)
        return error_set(error, MNEME_NO_MEMORY, "no memory to listen to a server");
    fill(l, options);
    lock_init(&l->lock, RANK_LEAF);
    signal_init(&l->stopped);
    int status = set_request(l, &hrana->primary, options->table, error);
    if (status == 0)
        status = net_listener_create(hrana->primary.client, &l->net, error);
    if (status == 0)
        status = thread_start(&l->thread, run, l, error);
    if (status) {
        destroy(l);
        return status;
    }
    *out = l;
    return 0;
}

/* A child's copy has no thread, and its lock may be held by one of the parent's for ever. */
static bool is_ours(const struct hrana_listener *l) {
    return l->generation == process_generation_again();
}

bool hrana_listener_is_live(struct hrana_listener *l) {
    if (!is_ours(l))
        return false;
    AUTO_LOCK(held, &l->lock);
    return l->live;
}

int hrana_listener_status(struct hrana_listener *l, mneme_error *error) {
    if (!is_ours(l))
        return error_set(error, MNEME_FORKED, "the parent process listens, and not its child");
    AUTO_LOCK(held, &l->lock);
    if (l->status == 0)
        return 0;
    int64_t left_us = l->next_us - clock_monotonic_us();
    if (error) {
        *error = l->error;
        size_t used = strlen(error->message);
        snprintf(error->message + used, sizeof error->message - used,
                 "; it is tried again in %lld s", (long long)(left_us > 0 ? left_us / 1000000 : 0));
    }
    return l->status;
}

void hrana_listener_close(struct hrana_listener *l) {
    if (!l || !is_ours(l))
        return;
    lock_acquire(&l->lock);
    l->stop = true;
    signal_all(&l->stopped);
    lock_release(&l->lock);
    net_listener_stop(l->net);
    pthread_join(l->thread, NULL);
    destroy(l);
}
