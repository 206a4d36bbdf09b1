/*
 * remote_work.h - the operations that tests of the remote store run under faults, as data: made for
 * any store, with all they point to.
 */
#ifndef TESTS_SUPPORT_REMOTE_WORK_H
#define TESTS_SUPPORT_REMOTE_WORK_H

#include "support/store_records.h"

enum remote_op {
    REMOTE_PUT,     /* a new record, which must be absent */
    REMOTE_REPLACE, /* one that must be live, with other attributes and body */
    REMOTE_DELETE,  /* leave a tombstone */
    REMOTE_MIXED,   /* all kinds of mutations in one batch */
    REMOTE_APPEND,  /* a step behind the last one of an open episode */
    REMOTE_EPISODE, /* a new episode and its steps, which get their places */
    REMOTE_VERSION, /* a put on the version that was read */
    REMOTE_STALE,   /* … on another: fails */
    REMOTE_MISSING, /* deletes what is not there: fails */
    REMOTE_BATCHES, /* three batches, the second of which fails */
    REMOTE_MANY,    /* twelve batches */
    REMOTE_REPLICA, /* puts with versions: one goes in, one is passed over */
    REMOTE_LARGE,   /* a body of several chunks */
    REMOTE_OPS
};
extern const char *const remote_op_names[REMOTE_OPS];

enum { REMOTE_BATCHES_MAX = 12, REMOTE_MUTATIONS_MAX = 60 };

struct remote_work {
    size_t count;
    struct batch batches[REMOTE_BATCHES_MAX];
    size_t mutation_count;
    struct mutation mutations[REMOTE_MUTATIONS_MAX], before[REMOTE_MUTATIONS_MAX];
    struct attribute attributes[REMOTE_MUTATIONS_MAX][2];
    uint8_t small_body[REMOTE_MUTATIONS_MAX][64];
    uint8_t *large_body;
};

/* Write an operation out for this store, whose versions it may ask for. Start from {0};
 * remote_work_fini frees. */
int remote_work_make(enum remote_op op, struct store *store, struct remote_work *work,
                     mneme_error *error);
/* The batch that puts everything into its first state, whatever operations ran. */
int remote_work_prepare(struct remote_work *work, mneme_error *error);
void remote_work_fini(struct remote_work *work);
#define AUTO_WORK CLEANUP(remote_work_fini)

/* Apply the batches that `wanted` has a bit of; their results are in the work. */
int remote_work_apply(struct remote_work *work, unsigned wanted, struct store *store);

#endif
