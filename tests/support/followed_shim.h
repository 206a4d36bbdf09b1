/*
 * followed_shim.h - a store far away, as a followed one sees it: a way into a store that others
 * have ways into too, without a moment, which counts what is asked, fails on demand, and lets
 * something happen between an operation and its return.
 */
#ifndef MNEME_TESTS_FOLLOWED_SHIM_H
#define MNEME_TESTS_FOLLOWED_SHIM_H

#include "store/store_impl.h"

enum shim_call { SHIM_APPLY, SHIM_READ, SHIM_CHANGES, SHIM_STATS, SHIM_CALLS };

struct followed_shim {
    struct store base;
    _Atomic(struct store *) below; /* the shared store, not closed with this */
    atomic_uint count[SHIM_CALLS];
    atomic_int status[SHIM_CALLS]; /* unless 0, the call fails with it; an apply when it is done */
    atomic_uint changes_limit;     /* unless 0, more changes at once are too large */
    atomic_bool shuffles;          /* changes come in the wrong order */
    /* Called when a call is done and has not returned yet, once for each time it is set. */
    _Atomic(void (*)(void *context)) meanwhile[SHIM_CALLS];
    void *context;
};

/* NULL: no memory. */
struct followed_shim *followed_shim_open(struct store *shared);

#endif
