/*
 * retry.h - how long to wait before an attempt, and how many retries there may be.
 *
 * The pause is random between 0 and its limit ("full jitter": M. Brooker, "Exponential Backoff and
 * Jitter", AWS Architecture Blog, 2015), so that those who failed together do not return together.
 * The budget keeps retries a fraction of all calls: when everything fails, a server sees
 * 1 + ratio times the load, not attempts_max times.
 */
#ifndef MNEME_NET_RETRY_H
#define MNEME_NET_RETRY_H

#include "net/net.h"

struct net_budget {
    double ratio, max; /* options */
    double left;
};

void net_budget_init(struct net_budget *b, double ratio, double max); /* it begins full */
void net_budget_earn(struct net_budget *b);                           /* a call begins */
bool net_budget_spend(struct net_budget *b);                          /* false: none is left */

/* Before the retry-th retry (1 for the first): chance x min(cap, base x 2^(retry - 1)), and at
 * least retry_after_ms (< 0: not said). */
int64_t net_retry_pause_us(uint32_t base_ms, uint32_t cap_ms, uint32_t retry,
                           int64_t retry_after_ms, double chance);

#endif
