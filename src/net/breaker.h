/*
 * breaker.h - the circuit breaker: a server that fails again and again is left alone for a while.
 *
 *   closed ---- `failures` failures in a row ----> open
 *   open ------ open_us have passed, one asks ---> half open; that one goes, others are refused
 *   half open - its pass is a success -----------> closed
 *   half open - its pass is a failure -----------> open, for twice the time
 *
 * Each attempt holds a pass, and gives it back with what became of it. What a pass of an earlier
 * state tells is old, and changes nothing: a straggler neither closes an open breaker nor opens one
 * that was closed since. No lock of its own: the caller holds one.
 */
#ifndef MNEME_NET_BREAKER_H
#define MNEME_NET_BREAKER_H

#include "net/net.h"

struct net_breaker {
    uint32_t failures_max; /* options */
    int64_t open_us, open_max_us;

    enum net_breaker_state state;
    uint64_t era;        /* counts changes of state */
    uint32_t failures;   /* in a row, while closed */
    uint32_t openings;   /* without a success between them */
    int64_t next_try_us; /* while open */
    uint64_t opened, half_opened, closed, refused;
};

enum net_pass_end { NET_PASS_SUCCESS, NET_PASS_FAILURE, NET_PASS_UNUSED };

/* May an attempt go? True with the *pass that it must end. */
bool net_breaker_ask(struct net_breaker *b, int64_t now_us, uint64_t *pass);
/* `chance` (0 to 1) places the next try between the half and the whole of the time it is open. */
void net_breaker_end(struct net_breaker *b, uint64_t pass, enum net_pass_end end, int64_t now_us,
                     double chance);

#endif
