/*
 * sync_agent.h - a process that works on a device's file: random writes of all kinds to records
 * that all devices write to, and runs of sync in between. Each is told on the board (sync_board.h).
 */
#ifndef MNEME_TESTS_SYNC_AGENT_H
#define MNEME_TESTS_SYNC_AGENT_H

#include "support/sync_board.h"

/* Slots: three patterns and three episodes that are shared, and a pattern and an episode that stay
 * on the device. Each has one id. */
enum { SYNC_SHARED_SLOTS = 6, SYNC_LOCAL_PATTERN = 6, SYNC_LOCAL_EPISODE = 7, SYNC_SLOTS = 8 };

struct sync_agent {
    struct sync_board *board; /* in shared memory */
    const char *path;
    mneme_options options;
    unsigned number, device; /* of the deeds */
    uint64_t seed;
    unsigned calls;        /* how many it makes */
    unsigned doom;         /* in how many of a hundred calls it ends itself */
    unsigned sync_percent; /* calls that are runs of sync */
};

/* Run it: for child_start. Exits with 1, having told on standard error, when something is wrong. */
int sync_agent_run(void *agent);

#endif
