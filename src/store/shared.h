/*
 * shared.h - what a store remembers of sharing its records with a remote: marks, the outbox, and
 * the state of whoever syncs. For stores that can be the local side of sync: `kv` and `mem`.
 *
 * Model. Sharing is on from the first MUTATION_STATE. From then on each record, tombstones too, is
 * in one of these conditions, and every write that changes the record changes it in the same
 * transaction:
 *  1. clean: it is what the remote holds at its change number `at`. (MARK_CLEAN)
 *  2. changed, with a base: the remote holds the base, at `at`; the record was changed since.
 *     A local PUT or DELETE of a clean record makes the record that was stored its base; further
 *     ones leave the base as it is, but a PUT over a tombstone makes that the base: a new life has
 *     begun. (MARK_BASE)
 *  3. new: there is no mark; the remote has never held it, as far as is known here.
 *  4. gone: the record was purged here (its content lives on in another record), and the remote
 *     holds it at `at`. A PURGE of a clean or changed record leaves this; of a new one nothing.
 *     (MARK_GONE) A local PUT or DELETE of that name makes it changed, with a base that says
 *     nothing: a tombstone of version zero, for what the remote holds is no longer known here.
 * Besides, a record, or what is gone, may be held: it is not to be sent, for a reason (MARK_HELD).
 * A local write of the record, or a purge, frees it.
 * The outbox are the records that are changed or new, and not held, in the order of their change
 * numbers: so an entry is written with its record, writing a record again moves its one entry to
 * the end, nothing is ever dropped from it, and it takes no room beyond the records and bases.
 *
 * How marks are set. `shared` in a mutation (start from zero: a local write):
 *   PUT, DELETE with mark CLEAN: the record as it now is is what the remote holds at `at`.
 *   PUT, DELETE with mark BASE:  the record stays changed (or becomes it), and its base is left as
 *                                it is; it is not made of the record that is replaced. One without
 *                                a base is new, unless the batch sets one.
 *   PURGE with mark CLEAN:       no trace is left, not even MARK_GONE, be the record there or not.
 *   What is passed over as late leaves marks as they are.
 *   MUTATION_MARK writes no record and gets no change number:
 *     CLEAN: the record is clean, at `at`.
 *     BASE:  `record` is the base, at `at`; the record itself is changed. Replaces a base.
 *     GONE:  a record that is not there is gone, at `at`; record.parent was its parent.
 *     HELD:  with `reason`, at most SHARED_REASON_MAX bytes; whatever else it is marked as.
 *     FREE:  no longer held.
 *     NONE:  its marks are removed, HELD too; so it is new, or of no interest when it is not there.
 *     CLEAN, BASE and HELD of what is not there are MNEME_NOT_FOUND, and GONE of what is there is
 *     MNEME_CONFLICT. `at` may be any number, 0 too.
 *   MUTATION_STATE sets the state of the store to record.body (an empty one leaves it as it is),
 *   and the fence to shared.fence. Kind and id are not read.
 * While sharing is off a mark is MNEME_INVALID; the first STATE may stand before it in the batch.
 * All of these may have a condition, a STATE only this one: CONDITION_FENCE (of CHECK, MARK or
 * STATE): the fence is `shared.fence` of a CHECK or MARK, `expect_change` of a STATE; before the
 * first STATE it is 0. It fails with MNEME_LOCKED. A CHECK with it needs no kind and id.
 * Marks, too, are written only if the whole batch goes in.
 *
 * Backups have marks and state with them.
 *
 * Threads, ownership: as store.h. Errors: MNEME_UNSUPPORTED where a store cannot share; a batch
 * with MARK, STATE, CONDITION_FENCE or a mark is refused so, too.
 */
#ifndef MNEME_STORE_SHARED_H
#define MNEME_STORE_SHARED_H

#include "store/store.h"

enum { SHARED_REASON_MAX = 500, SHARED_STATE_MAX = 256 << 10 };

/* What is marked of one name. */
struct shared_mark {
    enum mark mark; /* NONE, CLEAN, BASE or GONE */
    uint64_t at;    /* not of NONE */
    bool held;
    size_t base; /* of BASE: index of the base in the set; else SIZE_MAX */
};

struct shared_counts {
    uint64_t clean, changed, gone, held; /* of condition 1, 2, 4; records that are held */
};

/* The state of who syncs, copied into the arena (empty before the first), its fence, and counts.
 * Any of the outputs may be NULL. */
int shared_state(struct store *store, struct arena *arena, struct slice *state, uint64_t *fence,
                 struct shared_counts *counts, mneme_error *error);

/* The marks of names; bases are appended to the set (with their bodies, as they were stored). */
int shared_marks(struct store *store, const struct record_name *names, size_t count,
                 struct shared_mark *marks, struct record_set *bases, mneme_error *error);

/*
 * The next records of the outbox whose change number is greater than `since`, with bodies, in their
 * order: at most `limit`, and no more once their bodies have more than `bytes`, but one at least.
 * *upto: everything up to this change number was looked at. A call that finds nothing after many
 * entries may return early with a lower *upto than the last change. *more: there are changes behind
 * *upto, which may be in the outbox or not. While sharing is off everything is new.
 */
int shared_outbox(struct store *store, uint64_t since, size_t limit, size_t bytes,
                  struct record_set *out, uint64_t *upto, bool *more, mneme_error *error);

/* Names that are marked: of one mark (CLEAN, BASE, GONE or HELD), greater than *after (NULL: from
 * the start) in the order of (id, kind), at most `limit`. at[i]: of HELD 0. `reasons` (may be NULL)
 * gets those of HELD, in the arena, and of GONE the 16 bytes of the parent that the record had.
 * After a failure the arrays are undefined. */
int shared_names(struct store *store, enum mark mark, const struct record_name *after, size_t limit,
                 struct record_name *names, uint64_t *at, struct slice *reasons,
                 struct arena *arena, size_t *count, mneme_error *error);

#endif
