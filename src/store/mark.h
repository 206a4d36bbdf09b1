/*
 * mark.h - what a mutation says of the sharing of its record; shared.h tells what it means.
 */
#ifndef MNEME_STORE_MARK_H
#define MNEME_STORE_MARK_H

#include "base/base.h"

enum mark { MARK_NONE, MARK_CLEAN, MARK_BASE, MARK_GONE, MARK_HELD, MARK_FREE };

struct shared_change {
    enum mark mark;
    uint64_t at;         /* change number of the remote */
    uint64_t fence;      /* of CONDITION_FENCE and MUTATION_STATE */
    struct slice reason; /* of MARK_HELD */
};

#endif
