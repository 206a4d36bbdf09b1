/*
 * soak_ledger.h - what one writer meant to write, what was acknowledged, and so what must be there.
 *
 * Model. A ledger is a file of lines, each written with one write(2): "B …" before a write is
 * tried, "E …" when it has ended, with its status. A process that is killed leaves a true ledger: a
 * write that has begun and not ended may be there or not. From the lines follows a state for each
 * object, the last that is certain, and the writes that are pending on it, in their order. The
 * writer itself keeps the same model as it writes, and whoever comes after it reads the model from
 * the file. Ownership. ledger_open to ledger_close. Threads. One at a time. Errors. MNEME_IO;
 * MNEME_CORRUPT: a line that no writer writes. MNEME_NO_MEMORY.
 */
#ifndef MNEME_BENCH_SOAK_LEDGER_H
#define MNEME_BENCH_SOAK_LEDGER_H

#include "base/base.h"
#include "mneme/mneme.h"

enum soak_verb {
    VERB_PUT,        /* plain records object … object + count - 1, new or over what is there */
    VERB_TAG,        /* tag `extra` of an object */
    VERB_UNTAG,      /* … is removed */
    VERB_DELETE,     /* `count` objects of one kind */
    VERB_START,      /* an open episode */
    VERB_STEP,       /* one more step of it */
    VERB_COMPLETE,   /* … its end */
    VERB_WHOLE,      /* an episode with steps and end in one write */
    VERB_RACE_STEP,  /* a step of the episode `object` of all */
    VERB_RACE_TAG,   /* tag `extra` of the pattern `object` of all */
    VERB_RACE_UNTAG, /* … is removed */
    VERBS
};

struct soak_write {
    uint32_t number; /* from 1; rising in a ledger */
    enum soak_verb verb;
    uint32_t object, count, extra;
    bool queued; /* the call returns before it is on disk */
    bool local;  /* what it makes stays on this machine */
};

enum soak_life { LIFE_NONE, LIFE_LIVE, LIFE_DELETED };

/* What an object is. */
struct soak_state {
    enum soak_life life;
    uint32_t content; /* the write that its content is of */
    uint32_t tags;    /* bits */
    uint32_t steps;   /* the first so many of the object's steps are there */
    uint32_t end;     /* the write that completed the episode; 0: open */
};

enum { SOAK_PENDING_MAX = 256, SOAK_OBJECT_PENDING_MAX = 8 };

struct soak_object {
    mneme_kind kind;
    bool local;
    struct soak_state now;
    uint32_t *steps; /* the writes that they are of, those that are pending too */
    uint32_t step_count;
    uint32_t pending[SOAK_OBJECT_PENDING_MAX]; /* numbers of writes */
    uint32_t pending_count;
    uint32_t live_at; /* its place in the list of those that can be worked on */
};

enum soak_fate { FATE_PENDING, FATE_DONE, FATE_FAILED };

/* A step in an episode of all. */
struct soak_race_step {
    uint32_t race, write;
    enum soak_fate fate;
};

struct soak_shared_tags {
    uint32_t set;    /* those that are there */
    uint32_t unsure; /* … that may be, or not; they are never used again */
};

enum { SOAK_SHARED = 4 }; /* patterns that all tag */

struct soak_ledger {
    int fd;
    unsigned writer;
    uint32_t next; /* number of the next write */
    struct soak_object *objects;
    uint32_t count, room;
    uint32_t *live; /* objects that are live, or may be */
    uint32_t live_count, live_room;
    struct soak_write pending[SOAK_PENDING_MAX];
    uint32_t pending_count;
    struct soak_race_step *race_steps;
    uint32_t race_count, race_room;
    struct soak_shared_tags shared[SOAK_SHARED];
    uint64_t done; /* writes that were acknowledged, or found to be there */
};

/* Read the ledger at `path`, and, when it is to be written to, go on behind its end. */
int ledger_open(const char *path, unsigned writer, bool writable, struct soak_ledger *out,
                mneme_error *error);
void ledger_close(struct soak_ledger *ledger); /* tolerant of {.fd = -1} */
#define AUTO_LEDGER CLEANUP(ledger_close)

/* Before a write is tried; gives it its number. */
int ledger_begin(struct soak_ledger *ledger, struct soak_write *write, mneme_error *error);
/* … when it has ended. MNEME_UNCERTAIN, of a write to what all write to: it is never known. */
int ledger_end(struct soak_ledger *ledger, uint32_t number, int status, mneme_error *error);

/* The write of this number that is pending. */
const struct soak_write *ledger_pending(const struct soak_ledger *ledger, uint32_t number);
/* What an object is when the first `count` of the writes pending on it are there. */
struct soak_state ledger_state(const struct soak_ledger *ledger, uint32_t object, uint32_t count);

#endif
