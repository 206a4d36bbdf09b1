/*
 * demand.h - how many connections a pool is about to need.
 *
 * By Little's law the mean number in use is arrivals per second x mean service time (J. D. C.
 * Little, "A Proof for the Queuing Formula L = lambda W", Operations Research 9(3), 1961). It is
 * measured in each interval of a second and forecast for the next by linear exponential smoothing
 * (C. C. Holt, "Forecasting Seasonals and Trends by Exponentially Weighted Moving Averages", ONR
 * Memorandum 52, 1957; reprinted in the International Journal of Forecasting 20(1), 2004):
 *
 *   level' = a x demand + (1 - a) x (level + trend)       a = 0.5
 *   trend' = b x (level' - level) + (1 - b) x trend       b = 0.3
 *   forecast = level' + trend'
 *
 * The mean is too few for half of the time; sqrt(forecast) more is the margin (square-root
 * staffing: S. Halfin and W. Whitt, "Heavy-Traffic Limits for Queues with Many Exponential
 * Servers", Operations Research 29(3), 1981).
 */
#ifndef MNEME_NET_DEMAND_H
#define MNEME_NET_DEMAND_H

#include "base/base.h"

enum { NET_DEMAND_INTERVAL_US = 1000000 };

struct net_demand {
    int64_t end_us; /* of the interval that runs */
    uint64_t arrivals, services;
    int64_t service_us; /* all services of this interval together */
    double mean_us;     /* of one; what was known last when an interval ended without any */
    double level, trend;
    bool begun;
};

void net_demand_init(struct net_demand *d, int64_t now_us);
static inline void net_demand_arrive(struct net_demand *d) { d->arrivals++; }
static inline void net_demand_serve(struct net_demand *d, int64_t service_us) {
    d->services++;
    d->service_us += service_us;
}
/* End the intervals that are over; true when there was one, and the forecast is a new one. */
bool net_demand_update(struct net_demand *d, int64_t now_us);
/* Connections for the next interval, between min and max. */
uint32_t net_demand_target(const struct net_demand *d, uint32_t min, uint32_t max);

#endif
