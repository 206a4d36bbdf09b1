/*
 * sim_feed.h - the remote side of sync without a network: what src/store/feed.h says, in plain code
 * over a mem store, and the faults of servers and networks at a word.
 *
 * Model. A `sim_remote` is a database: records, epoch, floor and the peers' rows. A `sim_server`
 * serves one, its primary, to any number of feeds; it may have a replica, which is what the primary
 * was when it was last fed, and which then answers the exchanges that a replica may answer. A copy
 * of the database can be taken at any time, and be put back later: a backup that was restored.
 *
 * Ownership. A feed borrows its server. Threads: one.
 */
#ifndef MNEME_TESTS_SIM_FEED_H
#define MNEME_TESTS_SIM_FEED_H

#include "store/feed.h"

struct sim_peer {
    uint64_t peer, cursor, tag, fence;
    int64_t seen_us;
    char name[FEED_NAME_MAX];
};

struct sim_remote {
    struct store *store;
    char epoch[FEED_EPOCH_SIZE];
    uint64_t floor;
    struct sim_peer peers[FEED_PEERS_MAX];
    size_t peer_count;
};
void sim_remote_fini(struct sim_remote *remote);
int sim_remote_copy(const struct sim_remote *from, struct sim_remote *out, mneme_error *error);

/* Faults that no server may have: to see that the tests find them. */
enum sim_lie {
    SIM_HONEST,
    SIM_DROPS_PUTS,   /* says that a push was taken, and did nothing: each fifth */
    SIM_IGNORES_TAGS, /* never says FEED_OTHER_TAG, FEED_UNKNOWN or FEED_OTHER_EPOCH */
    SIM_SKIPS_PAGES,  /* leaves the last record out of pages of several */
    SIM_LIES
};

struct sim_server {
    struct sim_remote primary, replica;
    bool has_replica;
    int64_t now_us;    /* its clock; set by whoever turns time */
    uint64_t seed;     /* epochs are made from it */
    size_t page_bytes; /* of bodies in one answer; 0: 4 MiB */
    /* Which records it will not have. NULL: it has all. */
    bool (*refuses)(void *context, const struct stored_record *record);
    void *refuses_context;
    enum sim_lie lie;
    /* Counted for the tests. */
    bool was_turned; /* set back, or replaced */
    uint64_t exchanges, quiet_exchanges, taken, stale, refused;
};

int sim_server_open(struct sim_server *server, uint64_t seed, mneme_error *error);
void sim_server_fini(struct sim_server *server);
/* Have the database be what it was when the copy was taken. */
int sim_server_restore(struct sim_server *server, const struct sim_remote *copy,
                       mneme_error *error);
/* An empty database in its place, with an epoch of its own. */
int sim_server_replace(struct sim_server *server, mneme_error *error);
/* Make the replica, or feed it: it is what the primary is now. */
int sim_server_feed_replica(struct sim_server *server, mneme_error *error);
void sim_server_drop_replica(struct sim_server *server);

enum sim_fault {
    SIM_FINE,
    SIM_DOWN,        /* MNEME_UNAVAILABLE, and nothing was done */
    SIM_LOST_BEFORE, /* MNEME_UNCERTAIN, and nothing was done */
    SIM_LOST_AFTER   /* MNEME_UNCERTAIN, and it was done */
};

/* What happens around an exchange; either may be NULL. `before` chooses the fault, and both may do
 * what others do meanwhile: write to stores, use other feeds of the server. */
struct sim_feed_hooks {
    void *context;
    enum sim_fault (*before)(void *context, const struct feed_request *request);
    void (*after)(void *context, const struct feed_request *request,
                  const struct feed_answer *answer);
};

/* The server is borrowed; feed_close closes. */
int sim_feed_open(struct sim_server *server, const struct sim_feed_hooks *hooks, struct feed **out,
                  mneme_error *error);
/* Have the next exchanges meet this fault, until another is set; a `before` hook goes first. */
void sim_feed_fault(struct feed *feed, enum sim_fault fault);

#endif
