/*
 * metered.h - counts and times every operation of the store below, and keeps the slow ones.
 *
 * A decorator that changes nothing of what passes through it: right above a store that keeps
 * records, and so below the group commit and the caches, it sees what that store really does.
 * Threads, errors, limits: as the store below.
 */
#ifndef MNEME_STORE_METERED_H
#define MNEME_STORE_METERED_H

#include "metrics/metrics.h"
#include "store/store.h"

/* The first of the operations of operations.h that are this store's. */
enum metered_as {
    METERED_KV = METER_KV_APPLY,
    METERED_SQL = METER_SQL_APPLY,
    METERED_MEM = METER_MEM_APPLY
};

/* Takes `below`, and closes it with itself; on failure it stays the caller's. The meter is borrowed
 * until then. MNEME_NO_MEMORY. */
int metered_open(struct store *below, enum metered_as as, struct meter *meter, struct store **out,
                 mneme_error *error);

#endif
