/*
 * pool.h - connections that are kept between requests, and a fair queue for them.
 *
 * Invariants, whenever the lock is free:
 *   (1) open = idle + taken <= max, where one that is being made counts as taken;
 *   (2) when somebody waits, none is idle and open = max: nobody waits while one could be opened;
 *   (3) who waits is served in the order of arrival; a newcomer goes behind them.
 * (3) follows from (2) and from release, which hands over: the connection, or the right to open
 * one, goes to the first who waits and never lies free between the two.
 *
 * Life of a connection. Made when one is needed and none is idle; the newest idle one is used
 * first, so that the others can grow old. Closed after a failure, at its maximum age, or when it
 * was idle too long while more than `min` are open: idle_us, and a quarter of that for those above
 * the target (see demand.h). A burst that comes again every few seconds so keeps its connections,
 * whatever the mean demand is. Nothing runs in the background: this is looked at when the pool is
 * used or its counters are read.
 */
#ifndef MNEME_NET_POOL_H
#define MNEME_NET_POOL_H

#include "net/demand.h"
#include "net/transport.h"

struct net_pool_options { /* all required */
    struct net_transport *transport;
    uint32_t min, max;
    int64_t idle_us, age_us, acquire_us;
};

/* One who waits, on his own stack. */
struct net_waiter;

struct net_pool {
    struct net_pool_options options;
    struct lock lock;                       /* guards all below */
    struct net_connection *newest, *oldest; /* idle */
    struct net_waiter *first, *last;
    struct net_demand demand;
    uint32_t open, idle, waiting, target;
    uint64_t closed_by_idle, closed_by_age, closed_by_failure;
    uint64_t acquire_timeouts, waits;
    int64_t wait_us;
};

void net_pool_init(struct net_pool *pool, const struct net_pool_options *options);
/* Closes what is idle; nothing may be taken. */
void net_pool_fini(struct net_pool *pool);

/*
 * Take a connection, by deadline_us and within acquire_us; *wait_us is how long that took in the
 * queue. MNEME_UNAVAILABLE: no free one in time. MNEME_NO_MEMORY.
 */
int net_pool_acquire(struct net_pool *pool, int64_t deadline_us, struct net_connection **out,
                     int64_t *wait_us, mneme_error *error);
/* Give it back. keep: it is as good as before; else it failed, and is closed. */
void net_pool_release(struct net_pool *pool, struct net_connection *connection, bool keep);

/* Fills in what the pool knows. */
void net_pool_counters(struct net_pool *pool, struct net_counters *out);

#endif
