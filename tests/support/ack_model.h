/*
 * ack_model.h - the oracle of the kill tests: what a writer's records must be after so many
 * acknowledged calls.
 *
 * Model. A writer has entities, numbered from 0. Which call it makes next is a pure function of
 * its seed, its state and the number of the call, so a process that was killed is followed by
 * another that knows what to expect, and content is a pure function of (writer, entity,
 * revision). A store is looked at by making the same kind of state out of what it holds: two
 * states are compared, field by field.
 * Errors. A sentence in `problem`; nothing here ends a process.
 */
#ifndef TESTS_SUPPORT_ACK_MODEL_H
#define TESTS_SUPPORT_ACK_MODEL_H

#include "base/base.h"
#include "mneme/mneme.h"

enum { ACK_ENTITIES = 3000, ACK_TARGETS = 8, ACK_WRITERS = 8, ACK_PROBLEM = 600 };

struct ack_entity {
    uint8_t kind;      /* a mneme_kind; 0: not made yet */
    uint8_t live;      /* not deleted */
    uint8_t sealed;    /* of an episode */
    uint8_t tags;      /* it has the tags t0 … */
    uint16_t revision; /* 1 when it is made, counted up when it is replaced */
    uint16_t steps;    /* of an episode */
    uint32_t parent;   /* of a checkpoint: the episode's number */
};

struct ack_model {
    unsigned writer;
    uint64_t seed;
    uint32_t count;
    uint32_t open_episode; /* number of the episode that takes steps, plus 1; 0: none */
    struct ack_entity entities[ACK_ENTITIES];
};

enum ack_call {
    ACK_PUT,
    ACK_START,
    ACK_STEP,
    ACK_COMPLETE,
    ACK_DELETE,
    ACK_TAG_ADD,
    ACK_TAG_REMOVE
};

/* One call of the public interface. */
struct ack_op {
    enum ack_call call;
    bool ticketed; /* written as MNEME_BATCH, and acknowledged by mneme_ticket_wait */
    size_t count;
    uint32_t targets[ACK_TARGETS];
    uint8_t new_kind[ACK_TARGETS]; /* of a PUT: 0 replaces */
};

void ack_model_init(struct ack_model *model, unsigned writer, uint64_t seed);
/* Whether the model has no room for another call. */
bool ack_model_full(const struct ack_model *model);
/* The call with this number. */
void ack_plan(const struct ack_model *model, uint64_t number, struct ack_op *op);
/* What the call makes of the model. */
void ack_apply(struct ack_model *model, const struct ack_op *op);
/* Make the call, and wait until it is acknowledged. */
int ack_run(mneme *m, const struct ack_model *model, const struct ack_op *op, mneme_error *error);

/* The record that an entity is now, as the library gives it back but for its version. */
void ack_record(const struct ack_model *model, uint32_t number, struct arena *arena,
                mneme_record *out);

/* Read the whole store into one model a writer; false when a call fails or a record is not what
 * any writer can have written. */
bool ack_observe(mneme *m, struct ack_model *seen, unsigned writers, char problem[ACK_PROBLEM]);
/* Whether what was seen is what the model says. */
bool ack_same(const struct ack_model *seen, const struct ack_model *model,
              char problem[ACK_PROBLEM]);

#endif
