/*
 * client.h - between the parts of a client: its options, and what listening needs of it.
 */
#ifndef MNEME_NET_CLIENT_H
#define MNEME_NET_CLIENT_H

#include "net/transport.h"

/* Put the defaults where 0 stands. */
void net_options_fill(struct net_options *options);
/* MNEME_INVALID: as net_client_create. */
int net_options_check(const struct net_options *options, const struct net_url *url,
                      mneme_error *error);

/* 0, or MNEME_FORKED. */
int net_client_check(const struct net_client *client, mneme_error *error);

struct net_transport *net_client_transport(struct net_client *client);
const char *net_client_origin(const struct net_client *client);
int64_t net_client_total_us(const struct net_client *client);

/* Add what went over the wire to the counters. */
void net_client_count(struct net_client *client, const struct net_response *response,
                      const struct net_attempt *attempt);

#endif
