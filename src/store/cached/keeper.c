/*
 * keeper.c - a thread that tells the caches the time once a second, as long as there is something
 * in them: so memory comes back without reads, and a process that reads nothing is not woken up.
 */
#include "store/cached/cached_impl.h"

enum { TICK_US = 1000000 };

void cached_tick(struct store *store, uint32_t now) {
    struct cached *c = cached_of(store);
    for (size_t i = 0; i < CACHED_PARTS; i++)
        if (c->parts[i])
            cache_tick(c->parts[i], now);
}

static bool all_empty(struct cached *c) {
    struct cache_stats stats[CACHED_PARTS];
    cached_stats(&c->base, stats);
    uint64_t entries = 0;
    for (size_t i = 0; i < CACHED_PARTS; i++)
        entries += stats[i].entries;
    return entries == 0;
}

static void *keeper_run(void *context) {
    struct cached *c = context;
    struct keeper *keeper = &c->keeper;
    lock_acquire(&keeper->lock);
    while (!keeper->closing) {
        int64_t now = clock_monotonic_us();
        lock_release(&keeper->lock);
        cached_tick(&c->base, (uint32_t)(now / TICK_US));
        bool idle = all_empty(c);
        lock_acquire(&keeper->lock);
        if (keeper->closing)
            break;
        /* Who keeps something after all_empty looked finds `idle` set, and wakes us. */
        atomic_store(&keeper->idle, idle);
        (void)signal_wait(&keeper->wake, &keeper->lock, now + TICK_US);
        if (idle && !keeper->closing && all_empty(c))
            (void)signal_wait(&keeper->wake, &keeper->lock, -1);
        atomic_store(&keeper->idle, false);
    }
    lock_release(&keeper->lock);
    return NULL;
}

void keeper_start(struct cached *c) {
    if (!c->options.no_keeper)
        cached_tick(&c->base, (uint32_t)(clock_monotonic_us() / TICK_US));
}

void keeper_init(struct cached *c) {
    lock_init(&c->keeper.lock, RANK_CACHED);
    signal_init(&c->keeper.wake);
    atomic_init(&c->keeper.idle, true);
}

void keeper_need(struct cached *c) {
    struct keeper *keeper = &c->keeper;
    if (LIKELY(!atomic_load(&keeper->idle)) || c->options.no_keeper)
        return;
    AUTO_LOCK(held, &keeper->lock);
    if (keeper->closing)
        return;
    if (!keeper->runs && thread_start(&keeper->thread, keeper_run, c, NULL) == 0)
        keeper->runs = true; /* else: the next load tries again; only times to live stand still */
    if (keeper->runs)
        atomic_store(&keeper->idle, false);
    signal_one(&keeper->wake);
}

void keeper_fini(struct cached *c) {
    struct keeper *keeper = &c->keeper;
    lock_acquire(&keeper->lock);
    keeper->closing = true;
    signal_one(&keeper->wake);
    bool join = keeper->runs;
    lock_release(&keeper->lock);
    if (join)
        pthread_join(keeper->thread, NULL);
    signal_fini(&keeper->wake);
    lock_fini(&keeper->lock);
}
