/*
 * soak_plan.h - what is to happen to processes, server and wire, and when: it follows from a seed.
 */
#ifndef MNEME_BENCH_SOAK_PLAN_H
#define MNEME_BENCH_SOAK_PLAN_H

#include <stdio.h>

#include "base/base.h"

enum soak_event_kind {
    EVENT_KILL,        /* a process, with SIGKILL; another takes its slot */
    EVENT_RESTART,     /* it is asked to end, and another takes its slot */
    EVENT_SLEEP,       /* it is stopped … */
    EVENT_WAKE,        /* … and goes on */
    EVENT_FULL,        /* its files may not grow … */
    EVENT_ROOM,        /* … and may again */
    EVENT_BACKUP,      /* it copies the store */
    EVENT_HOLD,        /* it reads for long */
    EVENT_SERVER_DOWN, /* SIGKILL for the server … */
    EVENT_SERVER_UP,   /* … which starts again on the same port and data */
    EVENT_STALL,       /* the wire takes requests and answers none … */
    EVENT_LOSE,        /* the wire loses half of the requests or answers, or cuts them short … */
    EVENT_FINE,        /* … and carries all again */
    EVENT_CUT,         /* all connections are reset */
    EVENTS
};
extern const char *const soak_event_names[EVENTS];

struct soak_event {
    int64_t at_ms;
    enum soak_event_kind kind;
    unsigned slot; /* of events that are a process's */
};

struct soak_plan {
    struct soak_event *events; /* by time */
    size_t count;
};

/* What has begun ends in time. `slots`: how many processes. MNEME_NO_MEMORY. */
int soak_plan_make(uint64_t seed, int64_t length_ms, unsigned slots, struct soak_plan *out,
                   mneme_error *error);
void soak_plan_free(struct soak_plan *plan);

/* For people: times in seconds, some events a line. */
void soak_plan_print(const struct soak_plan *plan, FILE *out);

#endif
