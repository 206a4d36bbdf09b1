/*
 * sim_work.h - what people and agents do with a device's store in the simulation, by the rules of
 * src/api, and what a reader then sees.
 *
 * Model. There are a few *slots*, each a record that all devices call by one id (or, of local-only
 * ones, one for each device). Every value that is written has a *token* in it, a number that is
 * never written again: "w17;". So what a reader sees of a record is a set of elements {key, token},
 * and of each token it can be told where it went.
 */
#ifndef MNEME_TESTS_SIM_WORK_H
#define MNEME_TESTS_SIM_WORK_H

#include "model/model.h"
#include "support/sim_world.h"

enum {
    SIM_SLOTS = 16,
    SIM_ELEMENTS_MAX = 96,
    /* Keys of elements; tags and steps have one for each token. */
    SIM_KEY_TITLE = 1,
    SIM_KEY_DOMAIN = 2,
    SIM_KEY_VERDICT = 3,
    SIM_KEY_META = 10,
    SIM_KEY_TAG = 1000,
    SIM_KEY_STEP = 10000
};

struct sim_slot {
    mneme_kind kind;
    unsigned parent; /* of a checkpoint: the slot of its episode + 1 */
    bool everywhere; /* any device may make it; else one of them, and the others edit */
    bool local;      /* never leaves its device */
};
extern const struct sim_slot sim_slots[SIM_SLOTS];
mneme_id sim_slot_id(unsigned slot, unsigned device);

struct sim_element {
    unsigned key, token;
};

/* What a reader sees of one slot. */
struct sim_seen {
    bool stored, live, sealed;
    struct record_set set, steps; /* the record, and the steps that are records of their own */
    struct arena arena;
    mneme_record record; /* of a live one; an open episode has its steps in it too */
    struct sim_element elements[SIM_ELEMENTS_MAX];
    size_t count;
};
void sim_seen_fini(struct sim_seen *seen);
#define AUTO_SEEN CLEANUP(sim_seen_fini)
/* *seen from {0}. */
int sim_see(struct store *store, unsigned slot, unsigned device, struct sim_seen *seen,
            mneme_error *error);
/* The first token in a text at or after *at, which moves behind it; 0: there is none. */
unsigned sim_token_next(struct slice text, size_t *at);

enum sim_deed {
    SIM_PUT,  /* make it if it is not there (again, if it was deleted), else edit some members */
    SIM_EDIT, /* title, domain or metadata */
    SIM_TAG,  /* add a tag, or remove one */
    SIM_STEP, /* append a step, if it is an open episode */
    SIM_COMPLETE, /* … seal it */
    SIM_DELETE,
    SIM_REPLACE, /* put it whole, knowing nothing of what is there */
    SIM_POISON,  /* an edit that the server may refuse */
    /* For tests that say what they want: */
    SIM_TITLE,
    SIM_ADD_TAG,
    SIM_DROP_TAG, /* the first */
    SIM_DEEDS
};

/* Do it on the device's store, choosing by `random`; *done: whether there was anything to do.
 * Tokens are taken from *token, which is the next one. */
int sim_work(struct sim_device *device, unsigned slot, enum sim_deed deed,
             struct test_random *random, unsigned *token, bool *done, mneme_error *error);

/* What a body with poison in it has. */
extern const char sim_poison[];

#endif
