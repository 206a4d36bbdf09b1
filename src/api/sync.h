/*
 * sync.h - inside the façade: what joins a handle to its remote.
 *
 * What it is. The engine (sync/sync.h) between the handle's own store, below all decorators, and a
 * feed; and a thread that lets it run (sync_thread.c). Caches learn of what was pulled as they
 * learn of what another process wrote: through the store's moment.
 * Threads. The engine takes one step at a time: a step is taken between enter and leave, of which
 * neither is a lock that anyone else waits for; so writes and reads never wait for the remote.
 */
#ifndef MNEME_API_SYNC_H
#define MNEME_API_SYNC_H

#include "api/handle.h"
#include "sync/sync.h"

/* The options that were given, with defaults, and texts of our own. */
struct sync_settings {
    mneme_sync_options sync;
    mneme_options remote; /* what a driver is opened with */
};

struct syncer {
    mneme *m;
    struct store *local;
    struct arena arena; /* of the texts, secrets among them */
    struct sync_settings settings;
    struct feed *feed;
    struct sync *engine;
    struct lock lock;    /* guards up to `left` */
    struct signal moved; /* one of them has changed */
    bool busy;           /* somebody is in the engine */
    bool ended;          /* the thread is done with its work */
    bool left;           /* the handle was closed meanwhile, and is the thread's to free */
    bool has_thread;
    pthread_t thread;
    atomic_bool closing;
    atomic_bool woken;          /* by us, and not by the remote */
    atomic_uint_fast64_t fresh; /* records that this handle wrote since the last step */
};

/* Whether the options go together; of another store's URL `mneme_open` knows. MNEME_INVALID. */
int sync_check(const mneme_sync_options *options, const mneme_remote_options *remote,
               mneme_error *error);

/* Make m->syncer when there is a remote and the handle may write; no request is made. */
int syncer_open(mneme *m, mneme_error *error);
/* Start its thread, if it is to have one. NULL is allowed. */
int syncer_start(struct syncer *s, mneme_error *error);
/* End the thread. False: it is in a request and frees the handle when that is over. NULL: true. */
bool syncer_stop(struct syncer *s);
/* Gives the lease back. NULL is allowed. */
void syncer_destroy(struct syncer *s);

/* This handle has written: `count` records. */
void syncer_wrote(struct syncer *s, size_t count);

/* mneme_sync_status_get of any handle. */
int syncer_status(mneme *m, mneme_sync_status *out, mneme_error *error);

/* Between them the engine may be called. */
void syncer_enter(struct syncer *s);
void syncer_leave(struct syncer *s);
/* One step of the engine, between the two. */
int syncer_step(struct syncer *s, bool quiet, struct sync_progress *out, mneme_error *error);

/* ---- sync_feed.c ----------------------------------------------------------------------------- */

/*
 * A feed that opens its remote with its first exchange, so that opening a handle waits for nobody,
 * and a remote that is away fails exchanges and nothing else. `options` and its texts are borrowed
 * until it is closed.
 */
int late_feed_open(const char *url, const mneme_options *options, struct meter *meter,
                   struct feed **out, mneme_error *error);
/* Open it anew with the next exchange: the token file may have another token now. Not while
 * another thread is in an exchange or waits. */
void late_feed_forget(struct feed *feed);

/* ---- sync_thread.c --------------------------------------------------------------------------- */

/* The thread of a syncer; `argument` is it. */
void *sync_thread(void *argument);

/* Statuses that nothing but other settings can help. */
bool sync_is_hopeless(int status);

#endif
