/*
 * write_impl.h - what the files that write share: rows of mneme_apply, and what comes back of them.
 */
#ifndef MNEME_STORE_SQL_WRITE_IMPL_H
#define MNEME_STORE_SQL_WRITE_IMPL_H

#include "store/sql/sql_impl.h"

/* ---- mutation_row.c -------------------------------------------------------------------------- */

/* A row of mneme_apply: a mutation, or a further chunk of its body. */
struct mutation_row {
    const struct mutation *mutation;
    size_t batch;     /* index of its batch */
    size_t number;    /* of the mutation, counted through all batches */
    size_t chunk;     /* 0: the mutation itself */
    bool passes_over; /* a CONDITION_CHANGE that fails passes it over, and ends nothing */
};

/* How many chunks there are of a put's body besides the first. */
size_t mutation_chunks(const struct mutation *mutation);
/* The SQL_MUTATION_COLUMNS values; what they point to is the mutation's, or in the arena.
 * MNEME_NO_MEMORY. */
int mutation_row_values(struct arena *arena, const struct mutation_row *row,
                        struct sql_value *values);
/* Whether a put has more attributes than a row may hold. */
bool mutation_has_too_many_attributes(const struct mutation *mutation);

/* ---- apply_rows.c: the rows of batches, and INSERTs of them ---------------------------------- */

struct apply_rows {
    const struct mutation_row *rows; /* batch by batch, mutation by mutation */
    size_t count, mutation_count;
    const struct sql_value *values; /* SQL_MUTATION_COLUMNS a row */
};
/* In the arena; batches are borrowed. MNEME_NO_MEMORY. */
int apply_rows_make(struct arena *arena, struct batch *const *batches, size_t count,
                    bool passes_over, struct apply_rows *out);
/* How many of `left` rows the next INSERT has. */
size_t apply_rows_together(const struct sql *s, size_t left);
/* Add the INSERTs of some rows, each run if the step before it was done; puts that may be passed
 * over go to mneme_push. */
void program_apply(struct program *p, const struct sql *s, const struct apply_rows *rows,
                   size_t from, size_t to);

/* ---- outcome.c ------------------------------------------------------------------------------- */

/* What became of a mutation. */
struct outcome {
    bool known, applied;
    uint64_t change, place, clock; /* 0 when it gets none */
};

/* Read "0:+ 1:- 3:CHANGE:PLACE:CLOCK", the number of a mutation in front of each, into
 * outcomes[number]; others stay as they are. MNEME_CORRUPT. */
int outcomes_parse(struct slice text, struct outcome *outcomes, size_t count, mneme_error *error);

/* What the message of a failed step tells of a condition: see schema.c, 5. */
struct verdict {
    uint64_t number; /* of the mutation */
    bool missing, deleted;
};
/* False: the message is of something else. */
bool verdict_find(const char *message, struct verdict *out);

#endif
