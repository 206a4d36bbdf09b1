/*
 * pool.c - kept connections and the queue for them.
 */
#include "net/pool.h"
#include "os/log.h"

struct net_waiter {
    struct net_waiter *next;
    struct signal served;
    bool granted; /* … the connection, or with NULL the right to open one */
    struct net_connection *connection;
};

static int64_t pool_now(const struct net_pool *pool) {
    struct net_world *world = pool->options.transport->world;
    return world->now_us(world);
}

void net_pool_init(struct net_pool *pool, const struct net_pool_options *options) {
    *pool = (struct net_pool){.options = *options, .target = options->max};
    lock_init_short(&pool->lock, RANK_NET);
    net_demand_init(&pool->demand, pool_now(pool));
}

/* ---- Idle connections, under the lock ------------------------------------------------------ */

static void idle_push(struct net_pool *pool, struct net_connection *c) {
    c->older = pool->newest;
    c->newer = NULL;
    if (c->older)
        c->older->newer = c;
    else
        pool->oldest = c;
    pool->newest = c;
    pool->idle++;
}

static void idle_remove(struct net_pool *pool, struct net_connection *c) {
    if (c->newer)
        c->newer->older = c->older;
    else
        pool->newest = c->older;
    if (c->older)
        c->older->newer = c->newer;
    else
        pool->oldest = c->newer;
    pool->idle--;
}

/* Onto a list of those to be closed when the lock is free: closing may touch the network. */
static void doom(struct net_pool *pool, struct net_connection *c, uint64_t *why,
                 struct net_connection **doomed) {
    c->older = *doomed;
    *doomed = c;
    ++*why;
    pool->open--;
}

static bool is_aged(const struct net_pool *pool, const struct net_connection *c, int64_t now_us) {
    return now_us - c->opened_us >= pool->options.age_us;
}

static bool is_idle_too_long(const struct net_pool *pool, const struct net_connection *c,
                             int64_t now_us) {
    if (pool->open <= pool->options.min)
        return false;
    int64_t limit = pool->options.idle_us / (pool->open > pool->target ? 4 : 1);
    return now_us - c->idle_us >= limit;
}

static void sweep(struct net_pool *pool, int64_t now_us, struct net_connection **doomed) {
    struct net_connection *next;
    for (struct net_connection *c = pool->oldest; c; c = next) {
        next = c->newer;
        bool aged = is_aged(pool, c, now_us);
        if (!aged && !is_idle_too_long(pool, c, now_us))
            continue;
        idle_remove(pool, c);
        doom(pool, c, aged ? &pool->closed_by_age : &pool->closed_by_idle, doomed);
    }
}

/* Once in an interval, and when the one that lay longest is due. */
static void look_after(struct net_pool *pool, int64_t now_us, struct net_connection **doomed) {
    bool measured = net_demand_update(&pool->demand, now_us);
    if (measured)
        pool->target = net_demand_target(&pool->demand, pool->options.min, pool->options.max);
    if (measured || (pool->oldest && is_idle_too_long(pool, pool->oldest, now_us)))
        sweep(pool, now_us, doomed);
}

static void close_all(struct net_pool *pool, struct net_connection *doomed) {
    while (doomed) {
        struct net_connection *next = doomed->older;
        pool->options.transport->operations->close(doomed);
        doomed = next;
    }
}

void net_pool_fini(struct net_pool *pool) {
    ASSERT(pool->open == pool->idle && !pool->first);
    close_all(pool, pool->newest);
    lock_fini(&pool->lock);
}

/* ---- The queue, under the lock ------------------------------------------------------------- */

/* A connection (NULL: the right to open one) goes to the first who waits. */
static bool hand_over(struct net_pool *pool, struct net_connection *c) {
    struct net_waiter *first = pool->first;
    if (!first)
        return false;
    pool->first = first->next;
    if (!pool->first)
        pool->last = NULL;
    pool->waiting--;
    if (!c)
        pool->open++;
    first->connection = c;
    first->granted = true;
    signal_one(&first->served);
    return true;
}

static void queue_leave(struct net_pool *pool, const struct net_waiter *waiter) {
    struct net_waiter **at = &pool->first, *before = NULL;
    for (; *at != waiter; at = &before->next)
        before = *at;
    *at = waiter->next;
    if (pool->last == waiter)
        pool->last = before;
    pool->waiting--;
}

/* Wait until served; false when time was up. */
static bool queue_wait(struct net_pool *pool, int64_t now_us, int64_t deadline_us,
                       struct net_connection **out, int64_t *wait_us) {
    struct net_world *world = pool->options.transport->world;
    struct net_waiter self = {.granted = false};
    signal_init(&self.served);
    if (pool->last)
        pool->last->next = &self;
    else
        pool->first = &self;
    pool->last = &self;
    pool->waiting++;
    pool->waits++;
    bool in_time = true;
    while (!self.granted && in_time)
        in_time = world->wait(world, &self.served, &pool->lock, deadline_us) ||
                  world->now_us(world) < deadline_us;
    if (!self.granted) {
        queue_leave(pool, &self);
        pool->acquire_timeouts++;
    }
    *wait_us = world->now_us(world) - now_us;
    pool->wait_us += *wait_us;
    signal_fini(&self.served);
    *out = self.connection;
    return self.granted;
}

/* ---- Acquire and release ------------------------------------------------------------------- */

/* The newest idle one, an invitation to open one (*out is NULL), or a place in the queue. */
static bool take(struct net_pool *pool, int64_t now_us, int64_t deadline_us,
                 struct net_connection **out, int64_t *wait_us, struct net_connection **doomed) {
    net_demand_arrive(&pool->demand);
    look_after(pool, now_us, doomed);
    struct net_connection *c = pool->newest;
    while (c) {
        idle_remove(pool, c);
        if (!is_aged(pool, c, now_us))
            break;
        doom(pool, c, &pool->closed_by_age, doomed);
        c = pool->newest;
    }
    *out = c;
    if (c)
        return true;
    if (pool->open < pool->options.max) {
        pool->open++;
        return true;
    }
    return queue_wait(pool, now_us, deadline_us, out, wait_us);
}

/* The right to open one was not used. */
static void give_up_place(struct net_pool *pool) {
    AUTO_LOCK(held, &pool->lock);
    pool->open--;
    (void)hand_over(pool, NULL);
}

int net_pool_acquire(struct net_pool *pool, int64_t deadline_us, struct net_connection **out,
                     int64_t *wait_us, mneme_error *error) {
    struct net_transport *transport = pool->options.transport;
    struct net_connection *c = NULL, *doomed = NULL;
    int64_t now_us = pool_now(pool), limit_us = now_us + pool->options.acquire_us;
    *wait_us = 0;
    lock_acquire(&pool->lock);
    bool served =
        take(pool, now_us, deadline_us < limit_us ? deadline_us : limit_us, &c, wait_us, &doomed);
    lock_release(&pool->lock);
    close_all(pool, doomed);
    if (!served) {
        LOG(WARN, NET, "no connection became free", LOG_WHOLE("pool_max", pool->options.max),
            LOG_MS("wait_ms", *wait_us));
        return error_set(error, MNEME_UNAVAILABLE,
                         "none of the %u connections became free within %lld ms; let more be "
                         "opened, or wait longer",
                         pool->options.max, (long long)(*wait_us / 1000));
    }
    if (!c) {
        int status = transport->operations->connect(transport, &c, error);
        if (status != 0) {
            give_up_place(pool);
            return status;
        }
        c->opened_us = now_us + *wait_us;
    }
    c->taken_us = now_us + *wait_us;
    *out = c;
    return 0;
}

void net_pool_release(struct net_pool *pool, struct net_connection *connection, bool keep) {
    struct net_connection *doomed = NULL;
    int64_t now_us = pool_now(pool);
    lock_acquire(&pool->lock);
    net_demand_serve(&pool->demand, now_us - connection->taken_us);
    connection->idle_us = now_us;
    bool aged = is_aged(pool, connection, now_us);
    if (!keep || aged) {
        doom(pool, connection, keep ? &pool->closed_by_age : &pool->closed_by_failure, &doomed);
        (void)hand_over(pool, NULL);
    } else if (!hand_over(pool, connection)) {
        idle_push(pool, connection);
    }
    look_after(pool, now_us, &doomed);
    lock_release(&pool->lock);
    close_all(pool, doomed);
}

void net_pool_counters(struct net_pool *pool, struct net_counters *out) {
    struct net_connection *doomed = NULL;
    int64_t now_us = pool_now(pool);
    lock_acquire(&pool->lock);
    look_after(pool, now_us, &doomed);
    out->open = pool->open;
    out->idle = pool->idle;
    out->waiting = pool->waiting;
    out->target = pool->target;
    out->closed_by_idle = pool->closed_by_idle;
    out->closed_by_age = pool->closed_by_age;
    out->closed_by_failure = pool->closed_by_failure;
    out->acquire_timeouts = pool->acquire_timeouts;
    out->waits = pool->waits;
    out->wait_us = (uint64_t)pool->wait_us;
    lock_release(&pool->lock);
    close_all(pool, doomed);
}
