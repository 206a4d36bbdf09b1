/*
 * merge_state.h - a live record taken apart into its elements, each with its stamp.
 *
 * Model. One row for each row of the kind's schema:
 *   MERGE_WHOLE  one register: its value is what the field is encoded to, times absolute
 *   MERGE_ITEMS  tags, metadata, steps: a map from key to register, in the order of the keys
 *   MERGE_NOT    no element: id, parent, and what another row says (the format of a vector)
 * A state is read from a side, joined with others, and written to a side again; writing is a
 * function of the elements alone, so states that are equal become equal bytes.
 *
 * merge_join is a join of semilattices, taken for each element:
 *   - a register is (stamp, value); the greater pair wins. A removed item is the least value.
 *   - the place of an item is (stamp of the write that placed it, index in that write); the greater
 *     wins, whatever becomes of the item's value. A list stands in the order of (place, key).
 *     Stamp and place are joined apart, so that a new value does not move an item, and moving one
 * does not win against a new value. An item that was removed keeps its place, since otherwise it
 * would depend on the order of merging whether a place from before the removal is known after it.
 *   - the steps of an episode have no place: they stand in the order of (number, id).
 *   - the header is (version, parent, place), the greater wins; flags that do not follow from the
 *     content are united.
 * The maximum of a total order is commutative, associative and idempotent; so is a product of
 * such, and a map of such in which an absent key is the least element. Order in lists is computed
 * when the state is written, of what was joined: it has no part in the joining.
 *
 * Ownership. All in the arena, or in the memory of the sides it was read from.
 */
#ifndef MNEME_SYNC_MERGE_STATE_H
#define MNEME_SYNC_MERGE_STATE_H

#include "model/schema.h"
#include "sync/merge.h"

enum merge_class { MERGE_NOT, MERGE_WHOLE, MERGE_ITEMS };

struct merge_place {
    mneme_version stamp;
    uint64_t index;
};

struct merge_item {
    struct slice key;   /* the tag, the name, the id */
    struct slice value; /* its encoded form */
    const void *at;     /* the struct itself; NULL: removed */
    mneme_version stamp;
    struct merge_place place; /* zero for steps */
};

struct merge_row {
    mneme_version stamp; /* of a WHOLE */
    struct slice value;
    struct merge_item *items; /* of ITEMS, in the order of their keys */
    size_t count;
};

struct merge_state {
    const struct kind *kind;
    struct stored_record header; /* of what it was read from; no attributes, no body */
    mneme_version birth;
    bool stamped; /* its body had stamps, or it was given them */
    bool carried; /* its body had stamps */
    struct merge_row rows[SCHEMA_FIELDS_MAX];
};

/* The stamp of a whole row of which the stamps of a body say nothing. A member that is empty was
 * never written, unless they say when it became so: else a record that two machines made would lose
 * what one of them filled in to what the other left out. */
static inline mneme_version merge_unsaid_stamp(const struct merge_row *row,
                                               mneme_version fallback) {
    return row->value.size ? fallback : (mneme_version){0};
}

enum merge_class merge_class_of(const struct kind *kind, const struct field *f);
static inline bool merge_has_places(const struct field *f) { return f->schema != &step_schema; }

/* Of a live record of a kind with a schema. MNEME_CORRUPT, MNEME_NO_MEMORY. */
int merge_state_read(const struct merge_side *side, struct arena *arena, struct merge_state *out,
                     mneme_error *error);
/* MNEME_TOO_LARGE, MNEME_NO_MEMORY; MNEME_CORRUPT when the elements make no record. */
int merge_state_write(const struct merge_state *state, struct arena *arena, struct merge_side *out,
                      mneme_error *error);

/* Of two lives with one birth. MNEME_NO_MEMORY. */
int merge_join(const struct merge_state *a, const struct merge_state *b, struct arena *arena,
               struct merge_state *out);

/* -1, 0 or 1. */
/* An item of a list, without stamp and place; the struct is borrowed. MNEME_NO_MEMORY. */
int merge_read_item(const struct field *f, const void *at, struct arena *arena,
                    struct merge_item *out);
/* For qsort. */
int merge_by_place(const void *a, const void *b);
int merge_compare_places(const struct merge_place *a, const struct merge_place *b);
int merge_compare_items(const struct merge_item *a, const struct merge_item *b); /* registers */
bool merge_same_value(const struct merge_item *a, const struct merge_item *b);
/* The item with this key; NULL: none, not even a removed one. */
struct merge_item *merge_find_item(const struct merge_row *row, struct slice key);
/* Sort by key; of those with one key one is left, their join. */
void merge_sort_items(struct merge_row *row);

#endif
