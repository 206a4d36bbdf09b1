/*
 * mem_marks.h - inside the mem store: what is marked of its names, and the state of who syncs.
 */
#ifndef MNEME_STORE_MEM_MARKS_H
#define MNEME_STORE_MEM_MARKS_H

#include "store/shared.h"

/* What is marked of a name. Each lies in a block of its own, and never changes once it is in a
 * table; one that says nothing is in none. */
struct mem_mark {
    struct record_name name;
    enum mark mark; /* NONE, CLEAN, BASE or GONE */
    uint64_t at;
    struct stored_record base; /* of BASE */
    mneme_id parent;           /* of GONE */
    bool held;
    struct slice reason; /* of held */
};

static inline bool mem_mark_says_nothing(const struct mem_mark *mark) {
    return mark->mark == MARK_NONE && !mark->held;
}

/* What is marked after a mutation that is not passed over, by the rules of shared.h. `present`: the
 * record before it, NULL for none. The result borrows from all three. */
struct mem_mark mem_mark_after(const struct mem_mark *before, const struct mutation *mutation,
                               const struct stored_record *present);

/* Sorted by id, then kind. */
struct mem_marks {
    struct mem_mark **marks;
    size_t count, capacity;
};
void mem_marks_fini(struct mem_marks *table);
/* The mark of a name; one that says nothing when there is none. */
struct mem_mark mem_marks_get(const struct mem_marks *table, mneme_kind kind, const mneme_id *id);
/* Make room for `extra` more. MNEME_NO_MEMORY. */
int mem_marks_reserve(struct mem_marks *table, size_t extra);
/* Put `mark` (NULL: nothing) in the place of the mark of this name, and return that one. Cannot
 * fail: room has been reserved. */
struct mem_mark *mem_marks_exchange(struct mem_marks *table, mneme_kind kind, const mneme_id *id,
                                    struct mem_mark *mark);
/* Copy all to an empty table. MNEME_NO_MEMORY: some may have been copied. */
int mem_marks_copy(struct mem_marks *to, const struct mem_marks *from);

/* A deep copy in one block; NULL when there is no memory. */
struct mem_mark *mem_mark_create(const struct mem_mark *from);
void mem_mark_free(struct mem_mark *mark); /* NULL is allowed */

/* The state, in one block. */
struct mem_state {
    uint64_t fence;
    struct slice bytes;
};
struct mem_state *mem_state_create(uint64_t fence, struct slice bytes);
void mem_state_free(struct mem_state *state); /* NULL is allowed */

#endif
