/*
 * sim_schedule.h - random schedules of work, sync and disaster, as data: made from a seed, played,
 * shrunk, printed.
 *
 * Every operation has random numbers of its own, so that it does the same when others are left out.
 */
#ifndef MNEME_TESTS_SIM_SCHEDULE_H
#define MNEME_TESTS_SIM_SCHEDULE_H

#include "support/sim_check.h"

enum { SIM_OPS_MAX = 64 };

enum sim_action {
    SIM_WORK,        /* write something */
    SIM_SYNC,        /* one step of a device's process */
    SIM_SYNC_ALL,    /* steps until there is nothing more to do */
    SIM_SYNC_KILLED, /* one step, killed at some point of it */
    SIM_SYNC_LOST,   /* one step, the answer of its exchange lost */
    SIM_SYNC_SLOW,   /* one step, the exchange takes longer than the lease */
    SIM_END,         /* end a process in order */
    SIM_ONLINE,      /* cut a device off, or connect it again */
    SIM_CLOCK,       /* set a device's clock, wrongly */
    SIM_TIME,        /* let hours or days pass */
    SIM_KEEP,        /* copy a device's store … */
    SIM_SET_BACK,    /* … and set it back to that */
    SIM_REMOTE_KEEP, /* the same of the server's database */
    SIM_REMOTE_SET_BACK,
    SIM_REMOTE_REPLACE, /* by an empty one */
    SIM_REPLICA,        /* feed the replica, or drop it */
    SIM_COLLECT,        /* collect tombstones */
    SIM_ACTIONS
};

struct sim_op {
    enum sim_action action;
    unsigned device, process, slot; /* from 0 */
    enum sim_deed deed;
    uint64_t seed;
};

struct sim_schedule {
    uint64_t seed;
    unsigned device_count;
    enum sim_lie lie; /* of the server */
    bool trace;       /* print operations and exchanges as they go */
    size_t count;
    struct sim_op ops[SIM_OPS_MAX];
};

/* What may happen: bits of actions. */
extern const unsigned sim_all_actions;
void sim_schedule_make(struct sim_schedule *schedule, uint64_t seed, unsigned actions);

/* Counted over all plays. */
struct sim_totals {
    uint64_t writes, exchanges, taken, stale, refused, superseded, points;
};

/* Play it; true when a rule is broken, with the failure as text. `totals` may be NULL. */
bool sim_schedule_fails(const struct sim_schedule *schedule, char failure[SIM_FAILURE_SIZE],
                        struct sim_totals *totals);
/* Whether two failures are of one kind: alike but for their numbers and ids. */
bool sim_failures_alike(const char *a, const char *b);
/* Leave out what is not needed to fail in this way. */
void sim_schedule_shrink(struct sim_schedule *schedule, char failure[SIM_FAILURE_SIZE]);
void sim_schedule_print(const struct sim_schedule *schedule, struct buf *out);

#endif
