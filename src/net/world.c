/*
 * world.c - the system's clock, pauses, and chance for jitter.
 */
#include <errno.h>
#include <time.h>

#include "net/transport.h"

static int64_t real_now_us(struct net_world *world) {
    (void)world;
    return clock_monotonic_us();
}

static void real_pause(struct net_world *world, int64_t until_us) {
    (void)world;
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000 * 1000)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        ;
}

static bool real_wait(struct net_world *world, struct signal *signal, struct lock *lock,
                      int64_t deadline_us) {
    (void)world;
    return signal_wait(signal, lock, deadline_us);
}

static double real_chance(struct net_world *world) {
    (void)world;
    uint8_t bytes[8];
    if (random_bytes(bytes, sizeof bytes, NULL) != 0)
        return 0.5; /* jitter is no secret, and half is a fair pause */
    return (double)(get_be64(bytes) >> 11) * 0x1p-53;
}

struct net_world net_world_real = {
    .now_us = real_now_us,
    .pause = real_pause,
    .wait = real_wait,
    .chance = real_chance,
};
