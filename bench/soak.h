/*
 * soak.h - what the parts of `mneme bench soak` share: who works, and the board on which it is
 * told.
 *
 * Model. Some processes work on one store file that is synced with a server, one works on the
 * server itself. Each has a slot; a process that was killed or ended is followed by another in its
 * slot. Threads of a slot are writers: a writer has a number of its own, a ledger (soak_ledger.h),
 * and records that nobody else writes to, so that it is known at any time what they must be. All
 * writers also append to the same episodes and tag the same patterns.
 * Threads. The board lies in memory that all processes share; its fields are atomic.
 */
#ifndef MNEME_BENCH_SOAK_H
#define MNEME_BENCH_SOAK_H

#include <stdatomic.h>

#include "base/base.h"
#include "mneme/mneme.h"

enum { SOAK_SLOTS_MAX = 16, SOAK_THREADS_MAX = 16, SOAK_PATH_MAX = 4200 };

/* By slot: the last one works on the server, every second of the others has tiny caches. */
enum soak_role { SOAK_LOCAL, SOAK_TINY, SOAK_FAR };

/* What one process is told. */
struct soak_post {
    const char *directory; /* with the store, the ledgers and the board */
    const char *url;       /* of the server, over the proxy */
    uint64_t seed;
    unsigned slot, threads;
    enum soak_role role;
};

static inline unsigned soak_writer(unsigned slot, unsigned thread) {
    return slot * SOAK_THREADS_MAX + thread;
}

/* ---- Files ---------------------------------------------------------------------------------- */

struct soak_path {
    char text[SOAK_PATH_MAX];
};
struct soak_path soak_store_path(const char *directory);
struct soak_path soak_backup_path(const char *directory, unsigned slot);
struct soak_path soak_ledger_path(const char *directory, unsigned writer);

/* ---- The board ------------------------------------------------------------------------------ */

/* What is timed. A queued write is one that returns before it is on disk, waiting for it is WAIT.
 */
enum soak_call {
    CALL_PUT,
    CALL_PUT_MANY,
    CALL_TAG,
    CALL_DELETE,
    CALL_START,
    CALL_STEP,
    CALL_COMPLETE,
    CALL_QUEUED,
    CALL_WAIT,
    CALL_GET,
    CALL_LIST,
    CALL_BACKUP,
    CALL_OPEN,
    CALL_CLOSE,
    CALLS
};
extern const char *const soak_call_names[CALLS];

/* Latencies: 16 buckets to each power of two of nanoseconds, so a bucket is at most 6.25 % wide. */
enum { SOAK_BUCKETS = 16 * 61 };
struct soak_times {
    atomic_ullong buckets[SOAK_BUCKETS];
    atomic_ullong longest_ns;
};

/* What came of calls, and what was looked at. */
enum soak_count {
    COUNT_DONE,        /* writes that were acknowledged */
    COUNT_REFUSED,     /* writes that had to be refused, and were */
    COUNT_CONFLICTS,   /* another writer was faster */
    COUNT_NO_SPACE,    /* the disk was full */
    COUNT_UNAVAILABLE, /* the server was not to be reached, or had no connection free */
    COUNT_UNCERTAIN,   /* … or did not answer */
    COUNT_CHECKED,     /* records that were read and compared */
    COUNT_LISTED,      /* listings that were compared */
    COUNT_SETTLED,     /* writes whose outcome was found by reading */
    COUNT_BACKUPS,
    COUNT_HELD, /* times that a reader held what it had read, and listed all, for a second */
    COUNTS
};

/* What a process is asked to do; its threads see to it, and clear it. */
struct soak_slot {
    atomic_bool full;   /* files may not grow */
    atomic_bool backup; /* copy the store, and look into the copy */
    atomic_bool hold;   /* read for long */
    atomic_int generation;
    atomic_ullong turns;
    atomic_ullong memory_start, memory_now; /* bytes; of the process that runs now */
    atomic_uint descriptors_start, descriptors_now;
};

struct soak_board {
    struct soak_slot slots[SOAK_SLOTS_MAX];
    struct soak_times times[2][CALLS]; /* near, far */
    atomic_ullong counts[COUNTS];
};

/* Map the board of a directory; it is made when it is not there. */
int soak_board_map(const char *directory, struct soak_board **out, mneme_error *error);
void soak_board_unmap(struct soak_board *board); /* NULL is allowed */

void soak_times_add(struct soak_times *times, int64_t ns);
uint64_t soak_times_count(const struct soak_times *times);
/* The time, in nanoseconds, that this part of all calls stayed under. */
double soak_times_quantile(const struct soak_times *times, double part);

static inline void soak_count(struct soak_board *board, enum soak_count what) {
    atomic_fetch_add_explicit(&board->counts[what], 1, memory_order_relaxed);
}

/* ---- Processes ------------------------------------------------------------------------------ */

/* `mneme bench soak-worker …`: one process. 0, or 1 when something is wrong. */
int soak_worker_main(int argc, char **argv);

#endif
