/*
 * sim_shim.h - a store between an engine and its device's store, which can be killed.
 *
 * Every call is told to a hook before and after it reaches the store below. The hook says whether
 * the process still lives; once it is dead every call fails with MNEME_IO and reaches nothing.
 */
#ifndef MNEME_TESTS_SIM_SHIM_H
#define MNEME_TESTS_SIM_SHIM_H

#include "store/store.h"

struct sim_shim_hooks {
    void *context;
    /* Whether the process lives. `writes`: the call is an apply; only those are points of time at
     * which it matters to be killed, or at which others do something. */
    bool (*lives)(void *context, bool writes, bool after);
};

/* `below` is borrowed. */
int sim_shim_open(struct store *below, const struct sim_shim_hooks *hooks, struct store **out,
                  mneme_error *error);

#endif
