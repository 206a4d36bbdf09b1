/*
 * mem.h - the reference store: plain arrays in memory, the oracle of the tests.
 *
 * Written for plainness, not speed: every operation is a scan. One mutex. It serves "mem:" too.
 */
#ifndef MNEME_STORE_MEM_H
#define MNEME_STORE_MEM_H

#include "store/store.h"

/* `device` is the device id of versions it gives. */
int mem_store_open(uint64_t device, struct store **out, mneme_error *error);

/* For tests: what is added to the wall clock where the store gives versions. */
void mem_store_skew(struct store *store, int64_t us);

/* A deep copy of a mem store, for tests that compare before and after. */
int mem_store_clone(struct store *store, struct store **out, mneme_error *error);

#endif
