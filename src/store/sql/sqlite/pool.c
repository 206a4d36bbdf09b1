/*
 * pool.c - whose turn it is to write, and who has which connection.
 */
#include "store/sql/sqlite/sqlite_impl.h"

struct sqlite_waiter {
    struct signal signal;
    bool admitted;
    struct sqlite_waiter *next;
};

/* ---- Gates ---------------------------------------------------------------------------------- */

static void gate_forget(struct sqlite_gate *gate, const struct sqlite_waiter *waiter) {
    struct sqlite_waiter **at = &gate->first, *before = NULL;
    while (*at != waiter) {
        before = *at;
        at = &(*at)->next;
    }
    *at = waiter->next;
    if (gate->last == waiter)
        gate->last = before;
}

/* With the lock held. Who comes while others wait goes behind them: `free` is 0 then, since who
 * leaves hands his place to the first of them. */
static bool gate_enter(struct sqlite_driver *driver, struct sqlite_gate *gate, int64_t deadline_us,
                       bool *waited) {
    if (gate->free > 0) {
        gate->free--;
        return true;
    }
    struct sqlite_waiter waiter = {.admitted = false};
    signal_init(&waiter.signal);
    if (gate->last)
        gate->last->next = &waiter;
    else
        gate->first = &waiter;
    gate->last = &waiter;
    *waited = true;
    while (!waiter.admitted && signal_wait(&waiter.signal, &driver->lock, deadline_us))
        ;
    if (!waiter.admitted)
        gate_forget(gate, &waiter);
    signal_fini(&waiter.signal);
    return waiter.admitted;
}

/* With the lock held. */
static void gate_leave(struct sqlite_gate *gate) {
    struct sqlite_waiter *waiter = gate->first;
    if (!waiter) {
        gate->free++;
        return;
    }
    gate->first = waiter->next;
    if (!gate->first)
        gate->last = NULL;
    waiter->admitted = true;
    signal_one(&waiter->signal);
}

/* ---- Connections ---------------------------------------------------------------------------- */

static int enter(struct sqlite_driver *driver, bool writes, int64_t deadline_us, bool *waited,
                 struct sqlite_connection **idle, mneme_error *error) {
    AUTO_LOCK(held, &driver->lock);
    if (writes && !gate_enter(driver, &driver->turn, deadline_us, waited))
        return error_set(error, MNEME_LOCKED,
                         "%s: other threads of this process write for too long; try again",
                         driver->path);
    if (!gate_enter(driver, &driver->connections, deadline_us, waited)) {
        if (writes)
            gate_leave(&driver->turn);
        return error_set(error, MNEME_LOCKED,
                         "%s: all connections are in use for too long; try again, or allow more",
                         driver->path);
    }
    *idle = driver->idle;
    if (*idle)
        driver->idle = (*idle)->next;
    return 0;
}

int sqlite_pool_acquire(struct sqlite_driver *driver, bool writes, int64_t deadline_us,
                        int64_t *now_us, struct sqlite_connection **out, mneme_error *error) {
    struct sqlite_connection *c = NULL;
    bool waited = false;
    TRY(enter(driver, writes, deadline_us, &waited, &c, error));
    if (!c) {
        int status = sqlite_connection_open(driver, deadline_us, &c, error);
        if (status) {
            sqlite_pool_release(driver, writes, NULL);
            return status;
        }
        waited = true;
    }
    if (waited)
        *now_us = clock_monotonic_us();
    c->busy_until_us = deadline_us;
    *out = c;
    return 0;
}

static void add_up(struct sql_counters *sum, const struct sqlite_connection *c) {
    const struct sqlite_tally *tally = &c->tally;
    sum->programs += tally->programs;
    sum->prepared += tally->prepared;
    sum->prepare_hits += tally->hits;
    sum->prepare_evictions += tally->evictions;
    sum->prepare_refreshes += tally->refreshes;
    sum->repeats += tally->repeats;
    sum->prepare_us += (uint64_t)tally->prepare_us;
    int64_t stepped = c->used_us - c->waited_us - tally->prepare_us;
    sum->step_us += stepped > 0 ? (uint64_t)stepped : 0;
}

void sqlite_pool_release(struct sqlite_driver *driver, bool writes, struct sqlite_connection *c) {
    struct sqlite_connection *broken = c && c->broken ? c : NULL;
    lock_acquire(&driver->lock);
    if (c) {
        add_up(&driver->counters, c);
        c->tally = (struct sqlite_tally){0};
        c->waited_us = c->used_us = 0;
    }
    if (c && !broken) {
        c->next = driver->idle;
        driver->idle = c;
    }
    /* A broken one that is closed last keeps its place until it is gone (invariant 2). */
    if (!broken)
        gate_leave(&driver->connections);
    if (writes)
        gate_leave(&driver->turn);
    lock_release(&driver->lock);
    if (broken) {
        sqlite_connection_close(broken);
        AUTO_LOCK(held, &driver->lock);
        gate_leave(&driver->connections);
    }
}
