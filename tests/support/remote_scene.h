/*
 * remote_scene.h - a store under test on a real server behind a proxy that makes faults, and what
 * its content must be.
 *
 * Model. Three stores: `store`, under test, speaks to the server through the proxy; `direct` looks
 * at the same database past it; `model` is the reference store, fed with what was acknowledged. For
 * a batch that ended with MNEME_UNCERTAIN both outcomes are right: which one it was is found by
 * looking, and the model follows. All other outcomes are certain: 0 is in, a failure is not.
 * Failures end the test, and name the operation, the fault and the number of the request.
 */
#ifndef TESTS_SUPPORT_REMOTE_SCENE_H
#define TESTS_SUPPORT_REMOTE_SCENE_H

#include "bench/proxy.h"
#include "bench/sqld.h"
#include "store/drivers.h"
#include "store/sql.h"
#include "support/remote_work.h"

enum { REMOTE_TOTAL_MS = 3000, REMOTE_STALL_MS = 250 };

struct remote_options {
    enum hrana_encoding encoding; /* HRANA_AUTO: JSON, so that no request asks what there is */
    bool batched;                 /* the group commit in front */
    bool no_store;                /* open the store under test later */
    const struct sqld_options *server;
    const char *token; /* of all stores */
};

struct remote_scene {
    struct remote_options options;
    struct sqld server;
    struct proxy *proxy;
    struct store *store, *direct, *model;
    char what[200];   /* is being done; for messages */
    mneme_error said; /* by the last operation that failed */
};

void remote_scene_make(struct remote_scene *scene, const struct remote_options *options);
void remote_scene_remove(struct remote_scene *scene);

/* Options of a driver with short times, so that faults cost milliseconds. */
struct hrana_options remote_driver_options(const struct remote_scene *scene, const char *url);
/* Open a store; without batched unless told. Status as sql_store_open. */
int remote_open(const struct remote_scene *scene, const struct hrana_options *options, bool batched,
                struct store **out, mneme_error *error);
/* The store under test, opened anew. */
void remote_reopen(struct remote_scene *scene);

/* Put the records that operations work on into their first state, past the faults. */
void remote_prepare(struct remote_scene *scene);

/* What is done is told to people by these words when something is wrong. */
void remote_doing(struct remote_scene *scene, const char *format, ...) PRINTF_LIKE(2, 3);

/* Wait until the store under test answers again: with no more faults this takes at most some
 * seconds. */
void remote_heal(struct remote_scene *scene);

/* The server must hold exactly what the model does: records, attributes, places, order of changes,
 * what queries find, counters. */
void remote_compare(struct remote_scene *scene);

/* Start the server again; it may be down. */
void remote_restart(struct remote_scene *scene);

/* An operation written out; freed with mem_free behind remote_work_fini. */
struct remote_work *remote_work_new(struct remote_scene *scene, enum remote_op op);

/* Run an operation on the store under test. No call may take much longer than its time limit. */
void remote_run(struct remote_scene *scene, struct remote_work *work);

/*
 * What became of it is compared with what the server holds, and the model follows. Returns the
 * first status that is no outcome of a condition, 0: none; scene->said is its text. Call after
 * remote_heal.
 */
int remote_settle(struct remote_scene *scene, enum remote_op op, const struct remote_work *work);

/* Run an operation and settle it, with nothing in the way. Returns as remote_settle. */
int remote_try(struct remote_scene *scene, enum remote_op op);

/*
 * All of it: prepare, run the operation with this fault at its requests first to last, heal,
 * settle. Returns as remote_settle; *struck tells whether there was such a request.
 */
int remote_strike(struct remote_scene *scene, enum remote_op op, struct proxy_action action,
                  uint64_t first, uint64_t last, bool *struck);

#endif
