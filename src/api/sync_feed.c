/*
 * sync_feed.c - a feed that opens its remote when it is first needed, and again after it failed.
 */
#include "api/remote.h"
#include "api/sync.h"
#include "store/sql_feed.h"

struct late_feed {
    struct feed base;
    const char *url;
    const mneme_options *options;
    struct meter *meter; /* may be NULL */
    struct store *sql;   /* NULL: not open */
    struct lock lock;    /* guards the rest */
    struct signal awake; /* `woken` was set */
    struct feed *inner;  /* NULL: not open */
    bool woken;
};

static struct late_feed *late_of(struct feed *feed) { return (struct late_feed *)(void *)feed; }

/* ---- Opening ------------------------------------------------------------------------------- */

static int open_store(const struct late_feed *f, struct store **out, mneme_error *error) {
    struct sql_options tables = {.must_exist = false};
    struct sql_driver *driver;
    struct url url;
    TRY(url_parse(f->url, &url, error));
    TRY(remote_driver_open_metered(&url, f->options, f->meter, &driver, error));
    int status = sql_store_open(driver, &tables, out, error);
    if (status)
        driver->operations->close(driver);
    return url_explain(&url, status, error);
}

static int open_inner(struct late_feed *f, mneme_error *error) {
    struct store *sql;
    struct feed *inner;
    if (f->sql)
        return 0;
    TRY(open_store(f, &sql, error));
    int status = sql_feed_open(sql, &inner, error);
    if (status) {
        store_close(sql);
        return status;
    }
    f->sql = sql;
    AUTO_LOCK(held, &f->lock);
    f->inner = inner;
    return 0;
}

void late_feed_forget(struct feed *feed) {
    struct late_feed *f = late_of(feed);
    lock_acquire(&f->lock);
    struct feed *inner = f->inner;
    f->inner = NULL;
    lock_release(&f->lock);
    feed_close(inner);
    store_close(f->sql);
    f->sql = NULL;
}

/* ---- The operations ------------------------------------------------------------------------ */

static int late_exchange(struct feed *feed, struct feed_request *request,
                         struct feed_answer *answer, mneme_error *error) {
    TRY(open_inner(late_of(feed), error));
    return feed_exchange(late_of(feed)->inner, request, answer, error);
}

static int late_peers(struct feed *feed, struct feed_peer *peers, size_t room, size_t *count,
                      mneme_error *error) {
    TRY(open_inner(late_of(feed), error));
    return feed_peers(late_of(feed)->inner, peers, room, count, error);
}

static int late_collect(struct feed *feed, int64_t keep_us, uint64_t *collected,
                        mneme_error *error) {
    TRY(open_inner(late_of(feed), error));
    return feed_collect(late_of(feed)->inner, keep_us, collected, error);
}

/* What woke it before it began to wait counts, too. */
static int late_wait(struct feed *feed, int64_t until_us, mneme_error *error) {
    struct late_feed *f = late_of(feed);
    lock_acquire(&f->lock);
    struct feed *inner = f->woken ? NULL : f->inner;
    while (!inner && !f->woken && clock_monotonic_us() < until_us)
        (void)signal_wait(&f->awake, &f->lock, until_us);
    f->woken = false;
    lock_release(&f->lock);
    return inner ? feed_wait(inner, until_us, error) : 0;
}

static void late_wake(struct feed *feed) {
    struct late_feed *f = late_of(feed);
    AUTO_LOCK(held, &f->lock);
    if (f->inner) { /* which keeps it, too, and one wait must not end for it in both */
        feed_wake(f->inner);
        return;
    }
    f->woken = true;
    signal_all(&f->awake);
}

static void late_close(struct feed *feed) {
    struct late_feed *f = late_of(feed);
    late_feed_forget(feed);
    signal_fini(&f->awake);
    lock_fini(&f->lock);
    mem_free(f);
}

int late_feed_open(const char *url, const mneme_options *options, struct meter *meter,
                   struct feed **out, mneme_error *error) {
    static const struct feed_operations operations = {.exchange = late_exchange,
                                                      .peers = late_peers,
                                                      .collect = late_collect,
                                                      .wait = late_wait,
                                                      .wake = late_wake,
                                                      .close = late_close};
    struct late_feed *f = mem_zalloc(1, sizeof *f);
    if (!f)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync with a remote");
    f->base.operations = &operations;
    f->url = url;
    f->options = options;
    f->meter = meter;
    lock_init(&f->lock, RANK_API);
    signal_init(&f->awake);
    *out = &f->base;
    return 0;
}
