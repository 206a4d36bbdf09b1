/*
 * options.c - the options of a client: their defaults, and what does not go together.
 */
#include "net/client.h"

#define DEFAULT(options, field, value)                                                             \
    ((options)->field = (options)->field > 0 ? (options)->field : (value))

void net_options_fill(struct net_options *o) {
    DEFAULT(o, pool_max, 8);
    DEFAULT(o, idle_ms, 30000);
    DEFAULT(o, age_ms, 600000);
    DEFAULT(o, acquire_ms, 10000);
    DEFAULT(o, connect_ms, 5000);
    DEFAULT(o, total_ms, 30000);
    DEFAULT(o, stall_ms, 10000);
    DEFAULT(o, attempts_max, 5);
    DEFAULT(o, base_ms, 50);
    DEFAULT(o, cap_ms, 5000);
    DEFAULT(o, budget_ratio, 0.2);
    DEFAULT(o, budget_max, 20);
    DEFAULT(o, breaker_failures, 5);
    DEFAULT(o, breaker_open_ms, 500);
    DEFAULT(o, breaker_open_max_ms, 30000);
}

int net_options_check(const struct net_options *options, const struct net_url *url,
                      mneme_error *error) {
    if (url->path[0])
        return error_set(error, MNEME_INVALID, "the server's URL must end with its host or port");
    if (!url->tls && !url->loopback && !options->allow_plain_http)
        return error_set(error, MNEME_INVALID,
                         "%s is not this machine, and plain http sends all in the clear; use "
                         "https, or allow plain http",
                         url->origin);
    if (options->pool_min > options->pool_max)
        return error_set(error, MNEME_INVALID,
                         "at least %u connections and at most %u cannot both be", options->pool_min,
                         options->pool_max);
    return 0;
}
