/*
 * feed.c - the feed of the sql store: its life, and waiting.
 */
#include "store/sql/feed_impl.h"

static void sql_feed_wake(struct feed *feed) {
    struct sql_feed *f = sql_feed_of(feed);
    AUTO_LOCK(held, &f->lock);
    f->woken = true;
    signal_all(&f->signal);
}

static void changed(void *context) { sql_feed_wake(context); }

/* Hints are asked for once somebody waits. Where a driver has none, that is no failure. */
static int listen_first(struct sql_feed *f, mneme_error *error) {
    if (f->has_waited)
        return 0;
    f->has_waited = true;
    int status =
        hrana_listener_open(f->sql->driver,
                            &(struct hrana_listen_options){
                                .table = "mneme_record", .changed = changed, .context = &f->base},
                            &f->listener, error);
    return status == MNEME_UNSUPPORTED ? 0 : status;
}

static int sql_feed_wait(struct feed *feed, int64_t until_us, mneme_error *error) {
    struct sql_feed *f = sql_feed_of(feed);
    int status = listen_first(f, error);
    {
        AUTO_LOCK(held, &f->lock);
        int64_t deadline = until_us < 0 ? 0 : until_us;
        while (!f->woken && signal_wait(&f->signal, &f->lock, deadline))
            continue;
        f->woken = false;
    }
    if (status || !f->listener)
        return status;
    status = hrana_listener_status(f->listener, error);
    return status == MNEME_UNSUPPORTED ? 0 : status;
}

static void sql_feed_close(struct feed *feed) {
    struct sql_feed *f = sql_feed_of(feed);
    hrana_listener_close(f->listener);
    signal_fini(&f->signal);
    lock_fini(&f->lock);
    mem_free(f);
}

static const struct feed_operations operations = {
    .exchange = sql_feed_exchange,
    .peers = sql_feed_peers,
    .collect = sql_feed_collect,
    .wait = sql_feed_wait,
    .wake = sql_feed_wake,
    .close = sql_feed_close,
};

int sql_feed_open(struct store *sql, struct feed **out, mneme_error *error) {
    struct sql_feed *f = mem_zalloc(1, sizeof *f);
    if (!f)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open a feed");
    f->base.operations = &operations;
    f->sql = sql_of(sql);
    f->page_max = FEED_PULL_MAX;
    lock_init(&f->lock, RANK_LEAF);
    signal_init(&f->signal);
    *out = &f->base;
    return 0;
}
