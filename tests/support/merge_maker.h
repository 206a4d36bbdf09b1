/*
 * merge_maker.h - small random records of every kind, random edits of them, and the sides that
 * merging takes. Values come from small pools, so that edits meet.
 */
#ifndef TESTS_SUPPORT_MERGE_MAKER_H
#define TESTS_SUPPORT_MERGE_MAKER_H

#include "model/schema.h"
#include "support/random_record.h"
#include "sync/merge.h"

/* A record of this kind with the id that all of them have, in the arena. It can be encoded. */
void maker_record(struct rng *rng, struct arena *arena, mneme_kind kind, mneme_record *out);

/* Change one row of the record's struct, which is copied into the arena. Rows that are no element
 * (see merge_state.h) must not be asked for. May leave it as it was by chance. */
void maker_edit_row(struct rng *rng, struct arena *arena, uint32_t row, mneme_record *record);
/* Change one to three random rows. */
void maker_edit(struct rng *rng, struct arena *arena, mneme_record *record);
/* Whether a row may be edited. */
bool maker_has_row(mneme_kind kind, uint32_t row);

/* What a store would have of it: encoded, with this version. */
struct merge_side maker_side(const mneme_record *record, mneme_version version,
                             struct arena *arena);
struct merge_side maker_tombstone(mneme_kind kind, mneme_version version, struct arena *arena);
/* Decoded as a reader sees it. */
void maker_read(const struct merge_side *side, struct arena *arena, mneme_record *out);

mneme_step maker_step(struct rng *rng, struct arena *arena, uint64_t number);
/* A step of its own, of the record as its episode. */
struct merge_side maker_step_side(const mneme_step *step, mneme_version version,
                                  struct arena *arena);

mneme_version maker_version(uint64_t tick, uint64_t device);
mneme_text maker_text(const char *s);

#endif
