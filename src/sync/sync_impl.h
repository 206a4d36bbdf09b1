/*
 * sync_impl.h - inside the engine: its state, and what its files share.
 *
 * A step goes: lease_hold (lease.c), outbox_gather (outbox.c), flights (exchange.c), and for each
 * of them follow_flight (follow.c), which settles what went out (fates.c) and plans what becomes
 * of what came in (plan.c, pull.c, fold.c, merge.h).
 */
#ifndef MNEME_SYNC_IMPL_H
#define MNEME_SYNC_IMPL_H

#include "os/log.h"
#include "sync/merge.h"
#include "sync/state.h"

struct sync {
    struct sync_options options;
    uint64_t holder;         /* of the lease: random, of this engine */
    struct sync_state state; /* as last read from, or written to the store */
    uint64_t fence;
    uint64_t scanned; /* everything in the outbox up to this local change is clean or held */
    bool rescan;      /* begin anew: something was freed */
    struct record_name gone_from; /* where the next look at gone steps begins, if set */
    bool gone_from_set;
    bool unsure;        /* there may be an exchange of which nobody knows, or which is not stored */
    int64_t current_us; /* by the boot clock: when all that the remote had was here; 0: not yet */
    uint64_t stale_rounds; /* steps in a row in which the remote had changes of what it was given */
    struct sync_world world;
};

/* ---- Time and chance ------------------------------------------------------------------------- */

static inline int64_t wall_us(const struct sync *s) { return s->world.wall_us(s->world.context); }
static inline int64_t boot_us(const struct sync *s) { return s->world.boot_us(s->world.context); }
static inline uint64_t chance(const struct sync *s) { return s->world.random(s->world.context); }
/* What is not given is the machine's. */
struct sync_world world_or_machine(const struct sync_world *given);

/* ---- lease.c --------------------------------------------------------------------------------- */

/* Read the state; take the lease, or renew it when half of it is over. MNEME_LOCKED: another has
 * it. */
int lease_hold(struct sync *s, mneme_error *error);
/* Give it back, as far as that goes. */
void lease_release(struct sync *s);

/* ---- Batches on the local store (writes.c) --------------------------------------------------- */

/* Mutations that go in together, if the fence is still ours. Start from {0}. What they point to
 * lives in the arena, or longer. */
struct writes {
    struct arena arena;
    struct mutation *mutations;
    size_t count, capacity;
    bool failed; /* no memory */
};
void writes_fini(struct writes *w);
#define AUTO_SYNC_WRITES CLEANUP(writes_fini)

/* Append a zeroed mutation of this name; NULL (and it sticks): no memory. */
struct mutation *writes_add(struct writes *w, enum mutation_op op, mneme_kind kind,
                            const mneme_id *id);
/* Append a mark. `record`: of MARK_BASE. */
struct mutation *writes_mark(struct writes *w, enum mark mark, mneme_kind kind, const mneme_id *id,
                             uint64_t at, const struct stored_record *base);
/* Append a PUT or DELETE, exact, of a whole record. */
struct mutation *writes_record(struct writes *w, const struct stored_record *record, enum mark mark,
                               uint64_t at);
/* Ask that the mutation's record still has this change number; 0: that there is none. */
void writes_expect(struct mutation *m, uint64_t change);

/*
 * Apply them with the state (NULL: leave it as it is). With neither nothing is done, nor the fence
 * looked at. *raced: a record was changed by another writer meanwhile, and nothing was written;
 * that is no error. MNEME_LOCKED: the lease is another's.
 */
int writes_apply(struct sync *s, struct writes *w, const struct sync_state *state, bool *raced,
                 mneme_error *error);

/* ---- scope.c: what is shared ----------------------------------------------------------------- */

/* Why a record of the outbox must not leave; NULL: it may. */
int scope_of_outgoing(struct sync *s, const struct stored_record *record,
                      const struct shared_mark *mark, const char **reason, mneme_error *error);
/* Append that what was held because its head was not shared may go now. Before the change numbers
 * of the records move. */
int scope_free_family(struct sync *s, const struct stored_record *head, struct writes *w,
                      mneme_error *error);
/* Whether a record that is not here is to be taken in; `page` are those that come with it. */
int scope_takes(struct sync *s, const struct stored_record *record, const struct record_set *page,
                bool *takes, mneme_error *error);
/* The filter changed: see what is held, and what was passed over, with new eyes. */
int scope_check(struct sync *s, mneme_error *error);
extern const char held_refused[]; /* how reasons of the remote begin */

/* ---- outbox.c, fates.c: what goes out, and what became of it --------------------------------- */

/* A record with its plain body, and the stored form of a result; in the arena. */
int body_open(struct sync *s, const struct stored_record *record, struct arena *arena,
              struct merge_side *out, mneme_error *error);
int body_close(struct sync *s, const struct merge_side *side, struct arena *arena,
               struct stored_record *out, mneme_error *error);

/* Append the mark of a base for a record (as `sent`) that the remote may not have: what is written
 * over it is compared with it, but it does not count as shared. `shared`: what was; NULL: nothing.
 * `now`: the change number that the record must have here. */
int base_of_unshared(struct sync *s, const struct stored_record *record,
                     const struct stored_record *sent, const struct stored_record *shared,
                     uint64_t at, uint64_t now, struct writes *w, mneme_error *error);

/* The version that a record may leave this machine with: not far in the future. */
mneme_version bound_version(const struct sync *s, const struct stored_record *mine,
                            const struct stored_record *base);

/* What one exchange pushes: pushes[i] came from ours[i] (of the local store; NULL: a gone name). */
struct outgoing {
    uint64_t since; /* local change number that the outbox was read from … */
    struct record_set set, bases;
    struct shared_mark *marks; /* of the set's records */
    struct arena arena;
    struct feed_push *pushes;
    const struct stored_record **ours;
    struct stored_record *sent; /* what is pushed: ours, or with stamps and another version */
    size_t count;
    uint64_t upto; /* … and up to which */
    bool more;
    bool is_ahead; /* of what becomes of an exchange that is under way */
    bool left;     /* something of it is to be read again, and may not go yet */
    size_t plain_bytes;
    size_t held;
};
void outgoing_fini(struct outgoing *out);

static inline const struct stored_record *outgoing_base(const struct outgoing *out,
                                                        const struct shared_mark *mark) {
    return mark->mark == MARK_BASE ? &out->bases.records[mark->base] : NULL;
}

/* What is next: from where all is settled, or behind what is under way (NULL: nothing is). */
int outbox_gather(struct sync *s, const struct outgoing *behind, struct outgoing *out,
                  mneme_error *error);
/* Nobody knows what became of the exchange: what was sent may be there. */
int outbox_suspect(struct sync *s, const struct outgoing *out, mneme_error *error);
/* Append what the fates of the pushes mean here. */
int outbox_settle(struct sync *s, const struct outgoing *out, const struct feed_answer *answer,
                  struct writes *w, struct sync_progress *progress, mneme_error *error);
/* That is stored: the outbox need not be read up to there again, if nothing of it is left. */
void outbox_settled(struct sync *s, const struct outgoing *out);

/* ---- exchange.c: what is said to the remote -------------------------------------------------- */

/* How often a cursor that moved is told, and peers are asked for. */
#define SYNC_TELL_US (INT64_C(60) * 1000000)

/* New tags, of a peer that the remote has not heard of. */
void sync_tags_make(const struct sync *s, struct sync_state *state);

/* Whether a look is enough: nothing goes out, and nothing has come. What a look says against us may
 * be a replica's that is behind, so it is not believed, but asked again. */
int exchange_look(struct sync *s, bool *enough, struct feed_answer *answer, mneme_error *error);
/* Make sure of the row that the remote has of us. *met: it is another remote, and a meeting has
 * begun. */
int exchange_confirm(struct sync *s, bool *met, mneme_error *error);

/* An exchange that moves records. Start from {0} and gather into `out`; it stays where it is from
 * its begin on. */
struct flight {
    struct sync *sync;
    struct outgoing out;
    struct feed_request request;
    struct feed_answer answer;
    int64_t begun_us, ended_us; /* wall clock */
    bool begun;                 /* and not finished */
    bool flown;                 /* it has ended, without a thread */
    bool has_thread;
    pthread_t thread;
    int status; /* of the exchange, with the error */
    mneme_error error;
    struct log_scope scope; /* of who began it */
};
/* Of one that is under way: wait for its end, and note that what was sent may be there. */
void flight_fini(struct flight *flight);

/* `behind`: the answer that it goes on from, which need not be stored yet; it gets a thread. */
void flight_begin(struct sync *s, struct flight *flight, const struct feed_answer *behind);
/* Wait for its answer. *met: as above. */
int flight_finish(struct sync *s, struct flight *flight, bool *met, mneme_error *error);

/* ---- follow.c: what that means here ---------------------------------------------------------- */

/* Store the fates of what a flight pushed, and what it brought. */
int follow_flight(struct sync *s, const struct flight *flight, struct sync_progress *progress,
                  mneme_error *error);
/* Note that a look found nothing new, if nothing is noted that is true as well. */
int follow_look(struct sync *s, const struct feed_answer *answer, mneme_error *error);

/* ---- meet.c ---------------------------------------------------------------------------------- */

/* The remote is not the one that we knew: begin the meeting that its verdict asks for. */
int meet_begin(struct sync *s, const struct feed_answer *answer, mneme_error *error);
/* All is pulled: what was not confirmed is new there, or was deleted there. */
int meet_end(struct sync *s, struct sync_progress *progress, mneme_error *error);

static inline bool record_is_live(const struct stored_record *r) {
    return r && !(r->flags & MNEME_FLAG_DELETED);
}

#endif
