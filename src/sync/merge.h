/*
 * merge.h - what becomes of a record that two machines have changed: the same on every machine, in
 * whatever order the changes meet.
 *
 * Model. A record's content is a set of elements, each a register that is written as a whole and
 * has a *stamp*, the version (mneme_version) of the write that gave it its value:
 *   - each member of the kind's struct that is not listed below (the tables in src/model), whole: a
 *     text, a number, a message such as `outcome`, a list such as `messages`;
 *   - each tag; each metadata pair, by its name; each step of a sealed episode, by its id. An
 * element of these that was removed leaves its stamp, and wins or loses like any value. Merging
 * takes of each element the value with the greater stamp; under equal stamps, which only two
 * memories with one device number can have, the greater bytes. That is commutative, associative and
 * idempotent (a join of last-writer-wins registers; Shapiro et al., "A comprehensive study of
 * Convergent and Commutative Replicated Data Types", INRIA RR-7506, 2011, sections 3.2 and 3.3), so
 * the order of delivery does not matter. The merged record's version is the greater of the two; no
 * stamp in it is greater.
 *
 * Deletes. A record's life has a number, its *birth*: the version of the tombstone it was written
 * over, zero for its first life. A tombstone beats every life born before it, whatever their
 * stamps; a record written by somebody who had seen the tombstone is a new life, and beats it. Of
 * two lives the later born is taken whole. So a delete stands against edits that its author had not
 * seen; those are kept as superseded.
 *
 * Stamps in a body. Behind the model's fields a plain body may have one more, number STAMPS_FIELD,
 * which the model skips: birth, a default stamp, and the elements whose stamp is another
 * (stamps.h). Without it the birth is zero and every stamp is the record's version, but zero of
 * members that are empty: so is what has been written once. Ordinary writes know nothing of stamps,
 * and write a body without; merge_stamp finds out what they changed by comparing with the base, the
 * state that was last shared.
 *
 * Order in lists. A tag and a pair have a place beside their value: the version of the write that
 * put it there, and which of those that it put there it was. Lists stand in the order of places,
 * and of two places of one item the greater wins, independently of its value: so a new value does
 * not move a pair, and moving it does not win against a new value. A write that changed the order
 * places anew from the first item on that does not stand behind the one before it. merge_state.h
 * says why that is associative. Steps are ordered by (number, id); numbers of steps that two
 * machines appended at once may be equal, and are made to rise when a record is read (model_decode,
 * model_attach_steps).
 *
 * Steps in an open episode. When one machine opens a sealed episode again and another changes a
 * step in it, the merged body is open and has that step: readers find it beside the steps that are
 * records.
 *
 * Ownership. Sides are borrowed; results live in the arena, or point into the sides' memory.
 * Threads. No shared state. Errors: MNEME_CORRUPT (a body or its stamps do not decode),
 * MNEME_TOO_LARGE (merged it is over the limits of a record), MNEME_NO_MEMORY.
 */
#ifndef MNEME_SYNC_MERGE_H
#define MNEME_SYNC_MERGE_H

#include "model/model.h"

enum { STAMPS_FIELD = 60000, SHARED_FIELD = 60001 };

/* A record as a store has it, and its plain body; a tombstone's is empty, and so is what a
 * tombstone knows of births. `record` NULL: there is none. */
struct merge_side {
    const struct stored_record *record;
    struct slice plain;
};

/*
 * Give what was changed since `base` its stamp: *out is `mine` with a body that has stamps, and
 * mine's version. Without a base (record NULL), when all stamps would be the version, or when mine
 * has stamps already, *out is `mine` itself. A base that is a tombstone makes `mine` a new life.
 */
int merge_stamp(const struct merge_side *base, const struct merge_side *mine, struct arena *arena,
                struct merge_side *out, mneme_error *error);

enum merge_outcome {
    MERGE_EQUAL,  /* both are the same */
    MERGE_MINE,   /* the result is mine */
    MERGE_THEIRS, /* … theirs */
    MERGE_BOTH    /* … has something of each */
};

/* An edit that was lost: the whole record on the losing side, and which members lost (their names
 * in JSON, in the order of the schema; none by a delete). */
struct merge_loss {
    bool any;
    bool by_delete;
    bool mine; /* the losing side */
    const char *const *fields;
    size_t field_count;
};

struct merge_result {
    enum merge_outcome outcome;
    struct merge_side
        side; /* the merged record, its body empty (it is in `plain`) but for outcomes
                 MINE, THEIRS and EQUAL, where it is that side: mine as merge_stamp makes
                 it; either with flags of the other, in a copy, if it has to have them */
    struct merge_loss loss;
    struct merge_loss
        also; /* of the other side, when each has lost something; then `loss` is mine */
};

/*
 * Merge two states of one record. `base` (record NULL: unknown) is the state that mine came from;
 * it serves to stamp mine, and to tell a loss: an element that was changed on both sides since, to
 * different values. Without a base what differs and is older is lost, unless one
 * device wrote both, which knew the one when it wrote the other. A base that is a tombstone counts
 * as none for that. Of superseded records and dictionaries nothing is ever lost. Of the flags that
 * do not follow from the content the result has those of both, of MNEME_FLAG_LOCAL mine.
 * `self` is the device that wrote mine: what theirs has of its earlier writes mine knows of, and no
 * loss is told of them (merge_own.c). 0: mine may not know, for this machine's memory may have been
 * set back; nor may later writes of the same device know of mine, unless mine is its own base.
 */
int merge(const struct merge_side *base, const struct merge_side *mine,
          const struct merge_side *theirs, uint64_t self, struct arena *arena,
          struct merge_result *out, mneme_error *error);

/*
 * The base to keep of `state`, which was merged and is not shared yet: what is written over it is
 * compared with it, and losses are told by `shared`, the state that was shared last, or a base that
 * was made of one (record NULL: none was).
 */
int merge_base(const struct merge_side *state, const struct merge_side *shared, struct arena *arena,
               struct merge_side *out, mneme_error *error);

/* The birth of a live record; of a kind without a schema, and of a tombstone, zero. */
int merge_birth(const struct merge_side *side, struct arena *arena, mneme_version *out,
                mneme_error *error);

/*
 * Put steps that are records of their own into the sealed episode that they belong to; each is an
 * element with the stamp of its version, a tombstone the removal of its step. *changed: whether one
 * was not in it already, with that stamp or a greater one. *out is then the episode with them, its
 * version the greatest stamp; else, and when it is a tombstone, the episode itself.
 */
int merge_fold(const struct merge_side *episode, const struct merge_side *steps, size_t count,
               struct arena *arena, struct merge_side *out, bool *changed, mneme_error *error);

/* A step, and the stamp that it has in its episode. */
struct merge_step {
    mneme_id id;
    mneme_version stamp;
};

/*
 * The steps of `loser`, a completed life of an episode that lost to the life of `winner`, or to
 * that tombstone, which are no older than that: their versions do not tell that they went with the
 * loser. None when both are one life.
 */
int merge_outlived_steps(const struct merge_side *winner, const struct merge_side *loser,
                         struct arena *arena, struct merge_step **out, size_t *count,
                         mneme_error *error);

/*
 * The record that tells of a loss: kind MNEME_SUPERSEDED, its id made from subject and lost
 * version, its version the lost one, so that every machine that makes it makes the same. *out has
 * no body; it is in *plain. `lost` is the losing side, `kept` the version that won. A record whose
 * line of JSON is no text that a record may have (too long) is named, but not kept.
 */
int merge_superseded(const struct merge_side *lost, mneme_version kept,
                     const struct merge_loss *loss, struct arena *arena, struct stored_record *out,
                     struct slice *plain, mneme_error *error);

#endif
