/*
 * store_watched.h - a decorator that counts what is asked of a store, fails on demand, and lets
 * something happen between a read and its return.
 */
#ifndef MNEME_TESTS_STORE_WATCHED_H
#define MNEME_TESTS_STORE_WATCHED_H

#include "store/store_impl.h"

struct watched {
    struct store base;
    struct store *below;
    atomic_uint applies, gets, queries, changes;
    /* Unless 0, these calls fail with that status, and a text. */
    atomic_int get_status, query_status, changes_status;
    /* Unless NULL: called when a get, a query or an apply is done, and has not returned yet. */
    void (*meanwhile)(void *context);
    void *context;
    atomic_bool calls_back; /* or nothing is called; once */
    uint64_t fails_outside; /* see watched_fail_outside */
};

/* Takes `below`, and closes it with itself. NULL: no memory. */
struct watched *watched_open(struct store *below);

/* Let the k-th allocation from now fail, those that are made inside of this store not counted: what
 * then fails has no excuse in the store. For one thread. */
void watched_fail_outside(struct watched *w, uint64_t k);
/* None fails any more. Whether one did. */
bool watched_has_failed(struct watched *w);

#endif
