/*
 * soak_hand.h - a thread of a soak: what it has at hand, and what it does.
 *
 * Model. A hand writes as one writer, and looks at what it wrote. It ends when its process asks it
 * to, or with MNEME_FAILURE when it sees something wrong. Threads. A hand is of its thread; the
 * crew is of all threads of the process.
 */
#ifndef MNEME_BENCH_SOAK_HAND_H
#define MNEME_BENCH_SOAK_HAND_H

#include <pthread.h>

#include "bench/soak.h"
#include "bench/soak_look.h"

enum { SOAK_QUEUE_MAX = 24 };

struct soak_hand;

/* One process. */
struct soak_crew {
    struct soak_post post;
    struct soak_board *board;
    struct soak_slot *slot;
    mneme *m;
    atomic_bool stop;
    atomic_bool careful;        /* files may not grow, or soon will not: nothing stays queued */
    atomic_llong limited_until; /* monotonic; a write that began before may find no space */
    struct soak_hand *hands;
};

struct soak_queued {
    uint32_t number;
    bool relaxed;
    mneme_ticket ticket;
};

struct soak_hand {
    struct soak_crew *crew;
    unsigned number; /* in its process */
    pthread_t thread;
    bool started;
    struct soak_eye eye;
    struct soak_ledger ledger;
    uint32_t first; /* writes with smaller numbers were another process's */
    uint64_t chance;
    struct soak_queued queue[SOAK_QUEUE_MAX];
    size_t queue_count;
    uint32_t race;       /* the episode of all that steps go to now */
    int last;            /* the status of the last write that did not stay queued */
    bool outage;         /* a call came to nothing for want of the server */
    atomic_bool drained; /* nothing is queued, and nothing will be while the crew is careful */
    atomic_int status;   /* … it ended with */
    mneme_error error;
};

/* Until the crew stops; *hand is filled but for the thread. */
void *soak_hand_run(void *hand);

/* A random number below `bound`. */
uint32_t soak_pick(struct soak_hand *hand, uint32_t bound);
static inline bool soak_is_far(const struct soak_hand *hand) {
    return hand->crew->post.role == SOAK_FAR;
}
static inline struct soak_times *soak_times_of(struct soak_hand *hand, enum soak_call call) {
    return &hand->crew->board->times[soak_is_far(hand)][call];
}
int64_t soak_now_ns(void);

/* Whether a call to the server came to nothing, as it may; it is counted. */
bool soak_is_outage(struct soak_hand *hand, int status);
/* Whether there may have been no room for a write that began then; it is counted. */
bool soak_is_full(struct soak_hand *hand, int status, int64_t begin_ns);

/* ---- Writing (soak_write.c) ------------------------------------------------------------------ */

/* Write it: into the ledger, the store, and the ledger again, or the queue. */
int soak_write_run(struct soak_hand *hand, struct soak_write *write, mneme_error *error);
/* Wait for all that is queued. */
int soak_drain(struct soak_hand *hand, mneme_error *error);
/* Find out about writes that were not answered, as far as the server can be reached. */
int soak_resolve(struct soak_hand *hand, mneme_error *error);

/* ---- Looking (soak_visit.c) ------------------------------------------------------------------ */

/* Read an object of one's own, which must be as it was written. */
int soak_visit_one(struct soak_hand *hand, uint32_t object, mneme_error *error);
/* List one's own records of a kind: all of them, and no others. */
int soak_visit_list(struct soak_hand *hand, mneme_kind kind, mneme_error *error);
/* Copy the store, check the copy, and look for one's own records in it. */
int soak_visit_backup(struct soak_hand *hand, mneme_error *error);
/* Hold some records and read all of the store for a while; what is held must not change. */
int soak_visit_long(struct soak_hand *hand, mneme_error *error);
/* Try what must be refused, and see that nothing of it went in. */
int soak_visit_refused(struct soak_hand *hand, mneme_error *error);

#endif
