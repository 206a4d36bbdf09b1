/*
 * sim_check.h - brings a simulated world to rest, and holds all its stores equal.
 */
#ifndef MNEME_TESTS_SIM_CHECK_H
#define MNEME_TESTS_SIM_CHECK_H

#include "support/sim_ledger.h"

/*
 * Everybody is online, the server takes everything, nobody is killed; sync until nothing moves.
 * True: something failed, or it does not come to rest. `ledger` may be NULL.
 */
bool sim_rest(struct sim_world *world, struct sim_ledger *ledger);

/* Every device holds what the server holds, but for what must not leave it, and nothing is there
 * twice. True: not so. */
bool sim_unequal(struct sim_world *world);

/* The rules of the ledger for the end. */
bool sim_unsettled(struct sim_world *world, struct sim_ledger *ledger);

#endif
