/*
 * hrana_impl.h - the driver's own state, for the files of this driver.
 */
#ifndef MNEME_STORE_SQL_HRANA_HRANA_IMPL_H
#define MNEME_STORE_SQL_HRANA_HRANA_IMPL_H

#include "store/sql/hrana/server.h"

struct hrana {
    struct sql_driver base; /* first, so that a driver is one of these */
    struct hrana_server primary, replica;
    bool has_replica;
    uint32_t replica_wait_ms;

    struct lock lock; /* of what follows */
    uint64_t index;   /* the replication index that replicas must reach; 0: any will do */
    struct sql_counters counters;
};

#endif
