/*
 * demand.c - the forecast of a pool's demand.
 */
#include <math.h>

#include "net/demand.h"

static const double level_share = 0.5, trend_share = 0.3;

/* After so many intervals without a call the forecast has long been 0. */
enum { EMPTY_INTERVALS_MAX = 64 };

void net_demand_init(struct net_demand *d, int64_t now_us) {
    *d = (struct net_demand){.end_us = now_us + NET_DEMAND_INTERVAL_US};
}

static void demand_measured(struct net_demand *d, double demand) {
    double level =
        d->begun ? level_share * demand + (1 - level_share) * (d->level + d->trend) : demand;
    /* A falling trend does not go on below nothing. */
    level = level > 0 ? level : 0;
    d->trend = d->begun ? trend_share * (level - d->level) + (1 - trend_share) * d->trend : 0;
    d->level = level;
    d->begun = true;
}

bool net_demand_update(struct net_demand *d, int64_t now_us) {
    if (now_us < d->end_us)
        return false;
    if (d->services)
        d->mean_us = (double)d->service_us / (double)d->services;
    demand_measured(d, (double)d->arrivals * d->mean_us / NET_DEMAND_INTERVAL_US);
    d->arrivals = d->services = 0;
    d->service_us = 0;
    int64_t empty = (now_us - d->end_us) / NET_DEMAND_INTERVAL_US;
    d->end_us += (empty + 1) * NET_DEMAND_INTERVAL_US;
    for (int64_t i = 0; i < empty && i < EMPTY_INTERVALS_MAX; i++)
        demand_measured(d, 0);
    return true;
}

uint32_t net_demand_target(const struct net_demand *d, uint32_t min, uint32_t max) {
    double forecast = d->level + d->trend;
    if (!d->begun || forecast >= max) /* nothing is measured yet: keep what there is */
        return max;
    double needed = forecast > 0 ? ceil(forecast + sqrt(forecast)) : 0;
    uint32_t target = needed < max ? (uint32_t)needed : max;
    return target > min ? target : min;
}
