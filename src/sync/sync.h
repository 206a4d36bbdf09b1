/*
 * sync.h - brings a local store and a remote together: pushes the outbox, pulls the feed, merges.
 *
 * What it is. An engine: `sync_step` does an exchange with the remote and all that follows from it;
 * or several, up to 16 or for a second, where there is enough to move: then the next one is
 * under way, in a thread that ends with it, while the last one's answer is stored. Whoever owns it
 * (src/api) calls it in a loop. All it knows for longer than
 * a step lies in the local store, in the same transactions as the records (store/shared.h); so it
 * may be killed at any point, and another process may go on.
 *
 * One worker. A step needs the lease: a fence number, its holder, and when it ends by the machine's
 * boot clock, in the store's shared state. An ended lease is taken over with the next fence
 * number. Everything a step writes locally asks for its fence (CONDITION_FENCE), and the remote
 * refuses an exchange with a lesser fence than it has seen (FEED_FENCED): a worker that was stopped
 * and wakes up late changes nothing.
 *
 * A step. (1) Take or renew the lease. (2) Read the outbox, at most push_max records: leave out
 * what must not leave (local ones, what the filter excludes, tombstones of what was never shared)
 * by marking it held; stamp what has a base (merge.h); bring versions from the future back to
 * ahead_us beyond the remote's clock. (3) An exchange. (4) What was taken becomes clean, or its
 * base when it was changed meanwhile. What was refused is held, with the remote's reason. (5) What
 * was pulled is taken as it is where nothing was changed here, else merged; steps of sealed
 * episodes are folded in, children of deleted episodes deleted; losses become superseded records.
 * One local transaction, with the new cursor; when a local write came in between, it is done again.
 *
 * Meeting. A store that never synced pushes all it has, and pulls all there is. A remote with
 * another epoch or an unknown tag was replaced or set back (feed.h): all marks are removed but for
 * bases, the cursor begins at 0, all is pulled and merged, and what the remote lacks is pushed
 * again: nothing is overwritten. A peer that was away for longer than tombstones are kept
 * (FEED_UNKNOWN, cursor below the floor) compares names: what it holds clean and the remote has not
 * was deleted.
 *
 * Threads. One step at a time of one engine; status and close from any thread.
 * Errors. Of the store and the feed; see sync_step.
 */
#ifndef MNEME_SYNC_SYNC_H
#define MNEME_SYNC_SYNC_H

#include "metrics/metrics.h"
#include "os/os.h"
#include "store/feed.h"
#include "store/shared.h"

/*
 * Compression of bodies, given by the owner. Results are in the arena, or point into the record.
 * `like`: a packed body of the same record, to be compressed with the same dictionary; {0}: with
 * the newest. What goes out is made like what is here: the newest dictionary may be behind it in
 * the outbox, and who reads the remote meanwhile could not open it.
 */
struct sync_bodies {
    void *context;
    int (*open)(void *context, const struct stored_record *stored, struct arena *arena,
                struct slice *plain, mneme_error *error);
    int (*close)(void *context, mneme_kind kind, struct slice plain, struct slice like,
                 struct arena *arena, struct slice *packed, mneme_error *error);
};

/* Where time and chance come from; NULL: the machine's. For the simulation. */
struct sync_world {
    void *context;
    int64_t (*wall_us)(void *context); /* as clock_wall_us */
    int64_t (*boot_us)(void *context); /* of all processes since the machine started */
    uint64_t (*random)(void *context);
};

/* Which records begin to be shared: those that meet one row of each name that stands in it. Names:
 * "kind", "domain", "tag", and the others of mneme_query. Steps and checkpoints go with their
 * episode, embeddings with their subject; dictionaries always go. Count 0: all. What is shared
 * already stays so. */
struct sync_filter {
    const mneme_pair *rows;
    size_t count;
};

struct sync_options {
    struct store *local; /* one that can share (store/shared.h); borrowed */
    struct feed *feed;   /* borrowed; NULL: only for sync_status */
    struct sync_bodies bodies;
    const struct sync_world *world;
    const char *remote;        /* the remote's URL, without secrets, for status */
    const char *name;          /* of this machine, at most FEED_NAME_MAX - 1 bytes */
    struct sync_filter filter; /* borrowed */
    size_t push_max;           /* records an exchange: 100 */
    size_t push_bytes;         /* … and bytes of bodies: 4 MiB */
    size_t pull_max;           /* 1,000 */
    int64_t lease_us;          /* 30 s */
    int64_t ahead_us;          /* 1 minute */
    int64_t keep_us;           /* tombstones: 90 days */
    struct meter *meter;       /* counts exchanges; NULL: none. Borrowed */
    bool no_threads;           /* what would run beside runs at its begin or end: in simulations */
};

struct sync;
int sync_open(const struct sync_options *options, struct sync **out, mneme_error *error);
/* Gives the lease back. NULL is allowed. */
void sync_close(struct sync *sync);

/* What a step did. */
struct sync_progress {
    size_t pushed, pulled, merged, superseded, held;
    uint64_t cursor, head; /* of the remote's feed: how far we are, and how long it is */
    bool more;             /* another step has something to do already */
};

/*
 * Do one step. With `quiet` and nothing to push it looks first, maybe at a replica, whether there
 * is anything new; without, it asks the primary for it at once (after a hint). MNEME_LOCKED:
 * another worker has the lease; the text names it. MNEME_UNAVAILABLE, MNEME_UNCERTAIN: the remote;
 * try again later, nothing is lost. MNEME_UNAUTHORIZED, MNEME_NOT_FOUND (database): nothing helps
 * but other settings. Others as the local store. The failure is noted in the state, for
 * sync_status.
 */
int sync_step(struct sync *sync, bool quiet, struct sync_progress *out, mneme_error *error);

/* Note when the next try is due, for sync_status. */
int sync_note_next(struct sync *sync, int64_t next_us, mneme_error *error);

/* Collect old tombstones, there and here. */
int sync_collect(struct sync *sync, uint64_t *collected, mneme_error *error);

/* Try again what was refused: everything that is held is free. */
int sync_retry_held(struct sync *sync, size_t *freed, mneme_error *error);

struct sync_peer {
    char name[FEED_NAME_MAX];
    int64_t seen_us;
    uint64_t behind; /* changes it had not taken then */
    bool self;
};

struct sync_status {
    bool shared; /* this store has been synced, or been asked to */
    char remote[512];
    char phase[32];              /* "in step", "first meeting", "meeting anew", "comparing names" */
    uint64_t pending;            /* records in the outbox */
    uint64_t pending_bytes;      /* their bodies, of the first 10,000 */
    int64_t oldest_us;           /* when the oldest of them was written; 0: none */
    uint64_t held, held_refused; /* not sent: all; by the remote's refusal */
    uint64_t superseded;         /* live records of that kind: conflicts to look at */
    uint64_t cursor, head;       /* as of the last exchange */
    int64_t push_us, pull_us;    /* when something was last pushed, pulled; the last look counts */
    int64_t error_us;            /* 0: the last try went well */
    int error_code;
    char error_text[300];
    int64_t next_us;                 /* 0: not known */
    int64_t skew_us;                 /* the remote's clock minus ours */
    uint64_t pushed, pulled, merged; /* records, since the store was first synced */
    uint64_t bytes_up, bytes_down;   /* on the wire */
    uint64_t plain_bytes;            /* of the records pushed and pulled, uncompressed */
    char worker[96];                 /* who has the lease; "": nobody */
    size_t peer_count;
    struct sync_peer peers[FEED_PEERS_MAX];
};

/* From the store alone: no exchange, no lease. */
int sync_status(struct store *local, const struct sync_world *world, struct sync_status *out,
                mneme_error *error);

#endif
