/*
 * store_impl.h - for those who write a store: the table of operations, and helpers.
 *
 * A store is a struct whose first member is `struct store`. Every operation is mandatory but
 * `shared` and `below`; what a store cannot do it answers with MNEME_UNSUPPORTED and a text, never
 * with silence.
 *
 * What the calls of store.h do before an operation is called, so that no store need do it again:
 * they refuse batches (one by one), queries and limits that are not valid; they set a batch's
 * status to 0 and `failed` to its count. After a failure they take back what an operation added
 * to a record_set; `more` and the statistics reach the caller only after success.
 */
#ifndef MNEME_STORE_IMPL_H
#define MNEME_STORE_IMPL_H

#include <stdatomic.h>

#include "store/shared.h"

/* The calls of shared.h, for stores that can be the local side of sync. */
struct shared_operations {
    int (*state)(struct store *, struct arena *arena, struct slice *state, uint64_t *fence,
                 struct shared_counts *counts, mneme_error *error);
    int (*marks)(struct store *, const struct record_name *names, size_t count,
                 struct shared_mark *marks, struct record_set *bases, mneme_error *error);
    int (*outbox)(struct store *, uint64_t since, size_t limit, size_t bytes,
                  struct record_set *out, uint64_t *upto, bool *more, mneme_error *error);
    int (*names)(struct store *, enum mark mark, const struct record_name *after, size_t limit,
                 struct record_name *names, uint64_t *at, struct slice *reasons,
                 struct arena *arena, size_t *count, mneme_error *error);
};

struct store_operations {
    const char *name; /* "kv", for messages */
    int (*apply)(struct store *, struct batch *const *batches, size_t count);
    int (*get)(struct store *, const struct record_name *names, size_t count,
               struct record_set *out, size_t *found, mneme_error *error);
    int (*query)(struct store *, const struct store_query *query, struct record_set *out,
                 bool *more, mneme_error *error);
    int (*changes)(struct store *, uint64_t since, size_t limit, bool without_bodies,
                   struct record_set *out, mneme_error *error);
    int (*stats)(struct store *, struct store_stats *out, mneme_error *error);
    int (*backup)(struct store *, const char *path, mneme_error *error);
    void (*close)(struct store *);
    const struct shared_operations *shared; /* NULL: it cannot share (shared.h) … */
    struct store *(*below)(struct store *); /* … but a decorator can as the store below, if set */
};

struct store {
    const struct store_operations *operations;
    const atomic_uint_fast64_t *moment; /* see store_moment; lives as long as the store */
};

/* Append an empty record to a set; NULL when there is no memory. */
struct stored_record *record_set_add(struct record_set *set);

/* Copy a record, with its attributes and (unless without_body) its body, to the end of a set.
 * MNEME_NO_MEMORY: the set is as it was. */
int record_set_copy(struct record_set *set, const struct stored_record *from, bool without_body);

/* The same copy, in an arena, to *to. MNEME_NO_MEMORY: *to is as it was. */
int record_copy(struct arena *arena, const struct stored_record *from, bool without_body,
                struct stored_record *to);

/* Whether a live record matches everything in the query but its position and limit. */
bool query_matches(const struct store_query *query, const struct stored_record *record);

/* The sort key of a record under a query: place, 0 or time_us; see struct position. */
int64_t query_sort_key(const struct store_query *query, const struct stored_record *record);

/* Whether a record lies after the query's position in the query's order; true without one. */
bool query_goes_on_with(const struct store_query *query, const struct stored_record *record);

/* The order of positions: sort key, then id. */
int position_compare(struct position a, struct position b);

/* The order of a record's attributes: name, then value. */
int attribute_compare(const struct attribute *a, const struct attribute *b);

static inline bool kind_is_valid(mneme_kind kind) {
    return (int)kind > MNEME_KIND_NONE && (int)kind < MNEME_KIND_COUNT;
}

/* MNEME_INVALID or MNEME_TOO_LARGE for what breaks the rules of store.h. */
int mutation_validate(const struct mutation *mutation, mneme_error *error);
int query_validate(const struct store_query *query, mneme_error *error);
int attribute_validate(const struct attribute *attribute, mneme_error *error);
int limit_validate(size_t limit, mneme_error *error);

/* A failed condition's code and sentence, the same from every store. `present` is the record
 * of that name (NULL: none). Returns 0 when the record conditions hold; CHILDREN, NO_ATTRIBUTE and
 * FENCE are the store's own to look up and use condition_failed. */
int condition_test(const struct mutation *mutation, const struct stored_record *present,
                   mneme_error *error);
int condition_failed(const struct mutation *mutation, mneme_error *error);
/* MNEME_NOT_FOUND: there is no record of that name at all. */
int condition_missing(const struct mutation *mutation, mneme_error *error);

/* What a DELETE leaves: the tombstone of `present` (NULL: there was nothing), with the mutation's
 * version and without a change number. */
struct stored_record tombstone_of(const struct mutation *mutation,
                                  const struct stored_record *present);

/* What a PUT or DELETE leaves, but for what the store gives: version, place and change. */
struct stored_record mutation_leaves(const struct mutation *mutation,
                                     const struct stored_record *present);

/* Whether a mutation is one of shared.h, or has a part that is. */
bool mutation_shares(const struct mutation *mutation);

/* Whether kind and id of a mutation's record are read at all. */
bool mutation_has_name(const struct mutation *mutation);

/* The store that answers the calls of shared.h: itself, or one below. MNEME_UNSUPPORTED. */
int shared_store(struct store *store, struct store **out, mneme_error *error);

/* The fence that a CONDITION_FENCE asks for. */
static inline uint64_t mutation_fence(const struct mutation *mutation) {
    return mutation->op == MUTATION_STATE ? mutation->expect_change : mutation->shared.fence;
}

/*
 * The rules of shared.h on what may be marked: MNEME_INVALID for a mark while sharing is off,
 * MNEME_NOT_FOUND and MNEME_CONFLICT for a mark that does not fit what is stored. `there`: a record
 * or tombstone of that name is; `gone`: the name is marked so. Of a mutation that is not late.
 */
int mark_test(const struct mutation *mutation, bool sharing, bool there, bool gone,
              mneme_error *error);

/* The base of a record that is put where one is gone: nothing is known of it but its name. */
struct stored_record base_of_gone(const struct stored_record *record);
/* Whether a local write puts a record over a tombstone, which then is its base. */
bool write_begins_life(const struct mutation *mutation, const struct stored_record *present);

/* Whether a PUT or DELETE with a version of its own is passed over because of what is stored. */
bool mutation_is_late(const struct mutation *mutation, const struct stored_record *present);

/* The next version of a store: greater than `last`, not behind now_ms (hybrid logical clock). */
mneme_version version_next(mneme_version last, uint64_t device, uint64_t now_ms);

#endif
