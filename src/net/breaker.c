/*
 * breaker.c - the circuit breaker.
 */
#include "net/breaker.h"

static void breaker_turn(struct net_breaker *b, enum net_breaker_state state) {
    b->state = state;
    b->era++;
    b->failures = 0;
}

bool net_breaker_ask(struct net_breaker *b, int64_t now_us, uint64_t *pass) {
    if (b->state == NET_BREAKER_OPEN && now_us >= b->next_try_us) {
        breaker_turn(b, NET_BREAKER_HALF_OPEN);
        b->half_opened++;
    } else if (b->state != NET_BREAKER_CLOSED) {
        b->refused++;
        return false;
    }
    *pass = b->era;
    return true;
}

static void breaker_open(struct net_breaker *b, int64_t now_us, double chance) {
    int64_t open_us = b->open_us;
    for (uint32_t i = 0; i < b->openings && open_us < b->open_max_us; i++)
        open_us *= 2;
    open_us = open_us < b->open_max_us ? open_us : b->open_max_us;
    breaker_turn(b, NET_BREAKER_OPEN);
    b->openings++;
    b->opened++;
    b->next_try_us = now_us + open_us / 2 + (int64_t)((double)open_us / 2 * chance);
}

static void breaker_close(struct net_breaker *b) {
    breaker_turn(b, NET_BREAKER_CLOSED);
    b->openings = 0;
    b->closed++;
}

void net_breaker_end(struct net_breaker *b, uint64_t pass, enum net_pass_end end, int64_t now_us,
                     double chance) {
    if (pass != b->era)
        return;
    bool half_open = b->state == NET_BREAKER_HALF_OPEN;
    if (end == NET_PASS_SUCCESS && half_open)
        breaker_close(b);
    else if (end == NET_PASS_SUCCESS)
        b->failures = 0;
    else if (end == NET_PASS_FAILURE && (half_open || ++b->failures >= b->failures_max))
        breaker_open(b, now_us, chance);
    else if (end == NET_PASS_UNUSED && half_open)
        breaker_turn(b, NET_BREAKER_OPEN); /* the next who asks goes: its time has passed */
}
