/*
 * retry.c - pauses between attempts, and their budget.
 */
#include "net/retry.h"

void net_budget_init(struct net_budget *b, double ratio, double max) {
    *b = (struct net_budget){.ratio = ratio, .max = max, .left = max};
}

void net_budget_earn(struct net_budget *b) {
    b->left += b->ratio;
    if (b->left > b->max)
        b->left = b->max;
}

bool net_budget_spend(struct net_budget *b) {
    /* Fractions like 0.2 are not exact in binary; five of them are to make one retry. */
    if (b->left < 1 - 1e-9)
        return false;
    b->left = b->left > 1 ? b->left - 1 : 0;
    return true;
}

int64_t net_retry_pause_us(uint32_t base_ms, uint32_t cap_ms, uint32_t retry,
                           int64_t retry_after_ms, double chance) {
    uint64_t limit_ms = base_ms;
    for (uint32_t i = 1; i < retry && limit_ms < cap_ms; i++)
        limit_ms *= 2;
    limit_ms = limit_ms < cap_ms ? limit_ms : cap_ms;
    int64_t pause_us = (int64_t)((double)limit_ms * 1000 * chance);
    return retry_after_ms > pause_us / 1000 ? retry_after_ms * 1000 : pause_us;
}
