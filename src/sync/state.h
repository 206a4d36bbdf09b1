/*
 * state.h - what sync remembers in the local store: one value, written with the records it is of.
 */
#ifndef MNEME_SYNC_STATE_H
#define MNEME_SYNC_STATE_H

#include "sync/sync.h"

enum sync_phase {
    PHASE_MEETING, /* pull all there is before anything is pushed; marks at 0 are to be confirmed */
    PHASE_COMPARING, /* the same; what is not confirmed was deleted on the remote */
    PHASE_IN_STEP
};

struct sync_state {
    /* The lease: who works, until when by the machine's boot clock. Its fence is the store's. */
    uint64_t holder;
    int64_t lease_until_us;
    char worker[96];
    /* Who we are to the remote, and where we stand; see feed.h. */
    uint64_t peer, tag, next_tag;
    uint64_t spare_tag; /* that comes behind next_tag; see exchange.c */
    char epoch[FEED_EPOCH_SIZE];
    enum sync_phase phase;
    uint64_t cursor, head, floor;
    uint64_t told_cursor; /* that our row at the remote has */
    int64_t told_us;
    uint64_t filter; /* a hash of it */
    /* For people. */
    char remote[512];
    int64_t push_us, pull_us, error_us, next_us, skew_us, peers_us, collect_us;
    bool skew_known;
    int error_code;
    char error_text[300];
    uint64_t pushed, pulled, merged, bytes_up, bytes_down, plain_bytes;
    size_t peer_count;
    struct sync_peer peers[FEED_PEERS_MAX];
};

/* An empty slice is the state of a store that never synced: all zero. MNEME_CORRUPT. */
int state_decode(struct slice bytes, struct sync_state *out, mneme_error *error);
/* Appends. Errors stick to the buffer. */
void state_encode(const struct sync_state *state, struct buf *out);

#endif
