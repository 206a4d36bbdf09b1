/*
 * metrics.h - what a handle counts and times, and the picture of all handles of a store.
 *
 * What it is. A meter counts operations (operations.h), times them into histograms, and keeps what
 * parts of the handle tell of themselves (levels.h), the shapes of queries, and the latest slow
 * operations. meter_read makes a picture (mneme/metrics.h) of it and of the meters of all other
 * handles on this machine that have the same store open.
 *
 * Model. A meter's numbers lie in shared memory: DIRECTORY/mneme-UID/STORE/PID-N, of which the
 * first is /dev/shm. It is never on a disk: a store into a mapped page of a file on one can wait
 * for its journal, and so would a cache hit. Whoever has the store open reads the files of the
 * others. The owner holds a lock on its file as long as it lives; one that nobody holds is of a
 * process that died, and the next to come adds its numbers to the file `ended`, as the owner does
 * when it closes. The last to close leaves nothing behind. Where shared memory cannot be had a
 * meter has memory of its own, and meter_alone says why.
 *
 * Counting takes no lock, makes no call, and allocates nothing, but for the first time that an
 * operation happens, or takes so long, and once in ten seconds, when a thread moves the windows on.
 * Nothing is lost when threads count at once; the counts of operations that are sampled
 * lack the last of each thread, at most 95 of each of them.
 *
 * Ownership. Who opens a meter closes it, when nobody counts any more.
 * Threads. Any thread may call anything but open and close. A child after fork() must not touch its
 * parent's meters.
 * Errors. A meter that is NULL measures nothing, and is no error. Counting cannot fail.
 * Limits. 2,000 blocks of 1.4 KB (segment.h); 64 shapes; 128 slow operations.
 */
#ifndef MNEME_METRICS_METRICS_H
#define MNEME_METRICS_METRICS_H

#include "metrics/levels.h"
#include "metrics/operations.h"
#include "mneme/metrics.h"
#include "os/ticks.h"

struct meter;

struct meter_options {
    const char *store;     /* a name that all handles of the store make alike, of [0-9a-z-], at most
                              63 bytes; NULL: no other handle can have it open */
    const char *directory; /* NULL: /dev/shm */
    uint64_t slow_ns;      /* from here on an operation is slow; 0: 100 ms */
    bool observes;         /* only for meter_read, of the others: it counts nothing, and nobody
                              sees it */
};

/* MNEME_NO_MEMORY. */
int meter_open(const struct meter_options *options, struct meter **out, mneme_error *error);
/* Its numbers go to those who still have the store open. NULL is allowed. */
void meter_close(struct meter *meter);
/* Why other handles cannot be seen, or ""; lives as long as the meter. */
const char *meter_alone(const struct meter *meter);

const char *meter_operation_layer(enum meter_operation operation);
const char *meter_operation_name(enum meter_operation operation);

/* ---- Counting -------------------------------------------------------------------------------- */

/* What an operation should see to when it has ended. */
enum { METER_SLOW = 1, METER_DUE = 2 };

static inline uint64_t meter_begin(const struct meter *meter) {
    return LIKELY(meter != NULL) ? ticks_now() : 0;
}

/*
 * An operation that began at meter_begin has ended with `status`. Returns METER_SLOW when it was
 * slow: meter_slow then tells about it; and METER_DUE, to one caller a second, who then tells the
 * levels.
 */
unsigned meter_end(struct meter *meter, enum meter_operation operation, uint64_t begun, int status);

/* One that took so long. `weight`: it stands for so many; 0: for none. */
void meter_add(struct meter *meter, enum meter_operation operation, uint64_t ns, uint32_t weight);

/* ---- Sampling: operations so short that only one of some is timed
 * -------------------------------- */

/* Of each thread: how many it lets go by before it times one; and how many that were at first. */
struct meter_sampler {
    uint32_t left, period;
};
extern THREAD_LOCAL struct meter_sampler meter_hits; /* of the caches: METER_HIT_SAMPLE */
extern THREAD_LOCAL struct meter_sampler meter_gets; /* of stores in memory: METER_GET_SAMPLE */

/* Whether the next is to be timed: at uneven distances, so that no rhythm of the caller is in step
 * with it. What turns out to be something else is taken back, and counted for itself. */
static inline bool meter_hit_is_due(void) { return UNLIKELY(meter_hits.left-- == 0); }
static inline void meter_hit_take_back(void) { meter_hits.left++; }
static inline bool meter_get_is_due(void) { return UNLIKELY(meter_gets.left-- == 0); }
static inline void meter_get_take_back(void) { meter_gets.left++; }

/* A hit that was due, begun at meter_begin, has ended: it stands for all since the last, as an
 * acquire, too. Returns as meter_end. */
unsigned meter_hit_end(struct meter *meter, uint64_t begun);
/* The same of a store's get, `operation`. */
unsigned meter_get_end(struct meter *meter, enum meter_operation operation, uint64_t begun);
/* One that was not timed has failed. */
void meter_failed(struct meter *meter, enum meter_operation operation, int status);

/* ---- Levels -----------------------------------------------------------------------------------
 */

void meter_level(struct meter *meter, enum meter_level level, double value);
/* All levels that there are have been told. */
void meter_levels_told(struct meter *meter);

/* ---- Queries and slow operations ----------------------------------------------------------- */

/* A query of this form has ended; `hit`: the cache had it. More than SHAPES forms: "other". */
void meter_query(struct meter *meter, struct slice form, uint64_t begun, bool hit, int status);

struct meter_slow {
    enum meter_operation operation;
    uint64_t begun;
    int status;
    uint64_t records;    /* read or written */
    struct slice detail; /* UTF-8; shortened to what there is room for */
};
void meter_slow(struct meter *meter, const struct meter_slow *slow);

/* ---- Pictures ------------------------------------------------------------------------------ */

/*
 * Fill in all of *out but store; texts and lists lie in the arena. A meter that is NULL: on is
 * false, and there is nothing. MNEME_NO_MEMORY.
 */
int meter_read(struct meter *meter, struct arena *arena, mneme_metrics *out, mneme_error *error);

#endif
