/*
 * followed_model.h - what became of the records of a shared store, as everybody who reads them must
 * find it: never less than what he knows.
 *
 * A record's states are numbered by the change that made them. A reader who finds a version finds
 * its change here; who finds nothing has found the next state, from what he knows on, in which
 * there is nothing.
 */
#ifndef MNEME_TESTS_FOLLOWED_MODEL_H
#define MNEME_TESTS_FOLLOWED_MODEL_H

#include "store/store.h"

enum { MODEL_RECORDS = 12, MODEL_STATES = 2000 };

struct model_record {
    struct model_state {
        uint64_t change;
        mneme_version version; /* zero: there is nothing */
    } states[MODEL_STATES];
    size_t count;
};

/* There is no room for more: 0 then, else 1. */
int model_add(struct model_record *record, uint64_t change, mneme_version version);

/* The change of the state that a reader found (version zero: nothing), who knows of the change
 * `least`; 0 when there is none that he may find. */
uint64_t model_find(const struct model_record *record, uint64_t least, mneme_version version);

/* The change of its last state; 0: it has none. */
uint64_t model_last(const struct model_record *record);

#endif
