/*
 * followed_impl.h - inside the decorator: its state, and what its files share.
 */
#ifndef MNEME_STORE_FOLLOWED_IMPL_H
#define MNEME_STORE_FOLLOWED_IMPL_H

#include "os/os.h"
#include "store/followed.h"
#include "store/store_impl.h"

/* ---- ring.c: the newest changes ------------------------------------------------------------- */

/* RING_SLOTS: every second may be empty before they are moved together. */
enum { RING_SLOTS = 2 * FOLLOWED_CHANGES, RING_BUCKETS = FOLLOWED_CHANGES };

/* The newest change of a record, in a block of its own. */
struct known_change {
    struct stored_record record;
    struct known_change *next; /* in its bucket */
    size_t slot, bytes;
};

/*
 * All changes with numbers in (floor, top], the newest of each record, as the log has them. Slots
 * are in the order of their numbers; one is empty when its record has a newer change, or none any
 * more. The caller sees to the lock.
 *  1. slots[i].change < slots[j].change for begin <= i < j < end, and all lie in (floor, top].
 *  2. Each record that has a change in (floor, top] is in exactly one slot, with the newest of
 *     them; but what was purged by others may still be there.
 *  3. count is that of the slots that are not empty, bytes the sum of theirs.
 */
struct change_ring {
    struct ring_slot {
        uint64_t change;
        struct known_change *known; /* NULL: empty */
    } * slots;
    struct known_change **buckets; /* by name */
    size_t begin, end, count, bytes;
    uint64_t floor, top;
    bool with_bodies;
};

int ring_init(struct change_ring *ring, bool with_bodies);
void ring_fini(struct change_ring *ring); /* tolerant of {0} */
/* Forget everything, and begin behind this change. */
void ring_restart(struct change_ring *ring, uint64_t change);
/* Add a change behind `top`. Without memory for it, begin anew behind it: less is known then, and
 * nothing that is not so. */
void ring_append(struct change_ring *ring, const struct stored_record *record);
/* What is known of a record; NULL: nothing. */
const struct stored_record *ring_find(const struct change_ring *ring, mneme_kind kind,
                                      const mneme_id *id);
/* Its record was purged after the change `until`, and before any later one. */
void ring_forget(struct change_ring *ring, mneme_kind kind, const mneme_id *id, uint64_t until);
/* The newest of all; NULL: there is none. */
const struct stored_record *ring_newest(const struct change_ring *ring);
/* As store_changes, for `since` not less than `floor`. MNEME_NO_MEMORY. */
int ring_copy(const struct change_ring *ring, uint64_t since, size_t limit, bool without_bodies,
              struct record_set *out);

/* ---- The store ------------------------------------------------------------------------------- */

struct followed {
    struct store base;
    struct store *below;
    struct followed_options options;
    atomic_uint_fast64_t moment; /* see followed_bump */
    atomic_bool thread_runs;
    pthread_t thread;
    struct lock lock;        /* guards all below; never held during a call of the store below */
    struct signal look_over; /* a look has ended, or the store is closing */
    bool closing;
    bool known; /* the ring has begun */
    struct change_ring ring;
    uint64_t epoch;      /* how often the log below was found to be another one */
    uint64_t valid_from; /* changes are not told since a number below it, but 0: see look.c, 10 */
    uint64_t needed;     /* the number of the look that must end well before the ring is used */
    struct looks {
        bool under_way;
        uint64_t begun, ended, good; /* numbers: of the last one begun, ended, ended well */
        int status;                  /* of the last one that ended */
        mneme_error error;
        unsigned failures;           /* in a row */
        int64_t ended_us, behind_us; /* when it ended; when a commit was last found to come right
                                        behind what was known, which is as good as a look */
    } looks;
};

static inline struct followed *followed_of(struct store *store) {
    return (struct followed *)(void *)store;
}

/* What the ring answers is more than before: those who look at the moment shall ask. To be called
 * when the ring has it, with or without the lock. */
static inline void followed_bump(struct followed *f) { atomic_fetch_add(&f->moment, 1); }

/* The log below is another one than before, known behind `change`: whatever was read is void. With
 * the lock. */
void followed_begin_anew(struct followed *f, uint64_t change);

/* ---- look.c: looks at the log below, and the thread ------------------------------------------ */

/* Start the thread, unless it runs. */
int looks_start(struct followed *f, mneme_error *error);
void looks_stop(struct followed *f);

/*
 * Wait, or look, until everything up to `change` is known, or look `number` has ended (at most one
 * more than have begun). With the lock. The status is that of the last look, unless the change is
 * known.
 */
int looks_reach(struct followed *f, uint64_t number, uint64_t change, mneme_error *error);

/* The same for who can do without: while the thread runs, a failure that is younger than
 * interval_ms is told again, and no look is made. */
int looks_try(struct followed *f, uint64_t number, uint64_t change, mneme_error *error);

#endif
