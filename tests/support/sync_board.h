/*
 * sync_board.h - what the processes of a test wrote, told in shared memory, so that it is known
 * though they are killed; and whether all of it is there in the end.
 *
 * Model. Every write, and every run of sync, is a deed with a number. What a write brings has the
 * number in its text, as a token: "w17;". A deed is told in three steps: planned (nothing is done),
 * begun (it may be done), and done (the call has returned). It covers the tokens that it writes
 * over, removes or deletes, as far as its process saw them.
 *
 * A put of a whole record, and a delete, read first; what another wrote between the two goes
 * without having been seen, as it does without sync. So such a deed is forgiven what was written in
 * its time on its device, and what a run of sync on the device may have taken in then.
 *
 * Threads. Numbers may be taken at once; a deed is of one process.
 */
#ifndef MNEME_TESTS_SYNC_BOARD_H
#define MNEME_TESTS_SYNC_BOARD_H

#include <stdatomic.h>

#include "mneme/mneme.h"

enum { SYNC_DEEDS_MAX = 4096, SYNC_PROBLEM = 400 };

/* Numbers of deeds. */
struct sync_set {
    uint64_t words[SYNC_DEEDS_MAX / 64];
};
void sync_set_add(struct sync_set *set, unsigned number);
bool sync_set_has(const struct sync_set *set, unsigned number);
/* Add the tokens that stand in a text. */
void sync_set_add_text(struct sync_set *set, mneme_text text);

enum sync_phase { SYNC_PLANNED, SYNC_BEGUN, SYNC_DONE, SYNC_REFUSED };

struct sync_deed {
    atomic_uint phase;      /* enum sync_phase */
    const char *what;       /* a literal, for messages */
    bool adds;              /* it brings its token */
    bool whole;             /* it replaces or deletes all of the record */
    bool local;             /* of a record that stays on its device */
    bool syncs;             /* no write: a run of sync */
    unsigned device, agent; /* from 1 */
    unsigned slot;          /* which record; an episode's steps and checkpoints are of its slot */
    int64_t begin_us;       /* before it read; monotonic, of all processes */
    int64_t end_us;         /* 0: not ended */
    struct sync_set covers;
    char note[80]; /* how it went, for people */
};

struct sync_board {
    atomic_uint next;
    struct sync_deed deeds[SYNC_DEEDS_MAX]; /* from 1 */
};

struct sync_board *sync_board_make(void); /* in shared memory; ends the test when there is none */
void sync_board_clear(struct sync_board *board);
void sync_board_free(struct sync_board *board);

/* Plan a deed; NULL: the board is full. What it covers is set by the caller. */
struct sync_deed *sync_deed_plan(struct sync_board *board, const struct sync_deed *as);
unsigned sync_deed_number(const struct sync_board *board, const struct sync_deed *deed);
void sync_deed_begin(struct sync_deed *deed);
void sync_deed_end(struct sync_deed *deed, enum sync_phase phase);
/* An agent's process has ended: what it began cannot happen any more. */
void sync_board_reap(struct sync_board *board, unsigned agent);

/* What a store shows of the tokens. */
struct sync_view {
    mneme_bytes text;                        /* all shared records, line by line */
    unsigned char shown[SYNC_DEEDS_MAX];     /* how often; steps in their episode only */
    struct sync_set superseded;              /* tokens of lost edits */
    size_t records, conflicts, local_tokens; /* … */
};
/* `device`: whose store it is, 0: the remote. True: something is where it must not be. A board that
 * is NULL, here and below, knows of no deeds. */
bool sync_view_take(mneme *m, const struct sync_board *board, unsigned device,
                    struct sync_view *view, char problem[SYNC_PROBLEM]);
void sync_view_free(struct sync_view *view);

/* Whether every acknowledged write is accounted for in what all stores show. True: not so. */
bool sync_board_misses(const struct sync_board *board, const struct sync_view *view,
                       char problem[SYNC_PROBLEM]);
/* All deeds, for people, on standard error. */
void sync_board_print(const struct sync_board *board);

#endif
