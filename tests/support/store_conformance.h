/*
 * store_conformance.h - one suite of cases, a case a sentence of store.h, for every store.
 */
#ifndef MNEME_TESTS_STORE_CONFORMANCE_H
#define MNEME_TESTS_STORE_CONFORMANCE_H

#include "support/store_maker.h"

/* Run the suite as a cmocka group; returns how many cases failed. */
int store_conformance_run(const struct store_maker *maker);

#endif
