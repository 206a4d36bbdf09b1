/*
 * store_broken.h - a mem store with one fault built in, to see that the suites find it.
 */
#ifndef MNEME_TESTS_STORE_BROKEN_H
#define MNEME_TESTS_STORE_BROKEN_H

#include "support/store_maker.h"

enum store_fault {
    FAULT_NONE,            /* a decorator that does nothing wrong */
    FAULT_DROPS_DELETES,   /* says that a delete went in, and does nothing */
    FAULT_LOSES_ATTRIBUTE, /* stores records without their last attribute */
    FAULT_IGNORES_ORDER,   /* queries are always oldest first */
    FAULT_CUTS_BODIES,     /* stores at most 1330 bytes of a body */
    FAULT_TEARS_BATCHES,   /* stores the first mutation of a batch whose second one fails */
    FAULT_COUNT
};

extern const struct store_maker store_broken_makers[FAULT_COUNT];

#endif
