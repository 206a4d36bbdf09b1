/*
 * feed.h - the remote side of sync: push, acknowledge and pull in one round trip.
 *
 * What it is. An interface with two implementations: the sql store (sql_feed.h), and a simulated
 * one in the tests. Whoever syncs is a *peer*, known by a random id; the remote has a row for each.
 *
 * Model. The remote is one store with one writer at a time; its change numbers are given under the
 * write lock, so a reader who has seen change n has seen all before it that still stand. What an
 * exchange does, in one transaction:
 *  1. It looks at the remote's epoch (random, made with the tables) and at the peer's row {cursor,
 *     tag, fence}. Nothing further is done, and `verdict` says why, when
 *       FEED_OTHER_EPOCH  `epoch` is not empty and differs: another database
 *       FEED_UNKNOWN      the peer has no row, and `epoch` is not empty
 *       FEED_OTHER_TAG    the row's tag is neither `tag` nor `next_tag`: the remote was set back,
 *                         or this peer's own memory was, or it was copied
 *       FEED_FENCED       the row's fence is greater than `fence`: another worker of this peer
 *                         took over
 *  2. Each push is tried on its own, in order (but new records of one kind without parents may
 *     change places): a record whose change number there is `expect` (0: nothing is there) is put,
 *     deleted or purged, exactly as it is given.
 *       FEED_TAKEN   it went in; `change` is its new number there (0 for a purge)
 *       FEED_STALE   the remote holds another change of it; for a purge also: it holds none
 *       FEED_REFUSED the remote will not have it (too large, …); `error` says why
 *  3. The peer's row becomes {cursor, next_tag, fence}, its name and time are noted.
 *  4. Records with a change number above `cursor`, or `from` if that is greater, are read, in
 *     their order, without those that this exchange pushed: at most pull_max, and fewer when their
 *     bodies are large. `cursor` of the answer is where to go on; `more` tells whether there is
 *     anything left behind it. What the peer pushed in an earlier exchange may be among them.
 *
 * An exchange with `quiet` has no pushes and pulls nothing (pull_max 0): it leaves out steps 2 to
 * 4, writes nothing, and may be answered by a replica, which may be behind: in its verdict, too.
 *
 * Tags. A peer keeps two random numbers: `tag`, which its row has had acknowledged last, and
 * `next_tag`, which the next writing exchange gives it. Both are stored durably before the
 * exchange; so when its answer is lost, either is right at the next one. After an acknowledged
 * exchange the peer's tag is its next_tag, and it makes a new next one.
 *
 * Errors. As the store's (MNEME_UNAVAILABLE, MNEME_UNAUTHORIZED, …). After MNEME_UNCERTAIN nobody
 * knows whether steps 2 and 3 were done; they were done both or neither, and will not be done
 * later.
 * Threads. One exchange at a time of one feed.
 */
#ifndef MNEME_STORE_FEED_H
#define MNEME_STORE_FEED_H

#include "store/store.h"

enum { FEED_EPOCH_SIZE = 33, FEED_NAME_MAX = 64, FEED_PEERS_MAX = 64, FEED_PULL_MAX = 1000 };

enum feed_op { FEED_PUT, FEED_DELETE, FEED_PURGE };
enum feed_fate { FEED_TAKEN, FEED_STALE, FEED_REFUSED };

struct feed_push {
    enum feed_op op;
    const struct stored_record *record; /* of a PURGE kind and id only */
    uint64_t expect;
    /* Result, when the exchange's verdict is FEED_OK: */
    enum feed_fate fate;
    uint64_t change;
    mneme_error error; /* of FEED_REFUSED */
};

struct feed_request {
    uint64_t peer, fence, tag, next_tag;
    char epoch[FEED_EPOCH_SIZE]; /* "": never met */
    char name[FEED_NAME_MAX];    /* of this machine, for people */
    uint64_t cursor;             /* everything up to it is stored at the peer … */
    uint64_t from;               /* … and up to this, if it is greater, the peer has been told */
    size_t pull_max;             /* 0: pull nothing; at most FEED_PULL_MAX */
    bool quiet;
    struct feed_push *pushes;
    size_t push_count;
};

/* Where the page begins: behind this. */
static inline uint64_t feed_from(const struct feed_request *request) {
    return request->from > request->cursor ? request->from : request->cursor;
}

enum feed_verdict { FEED_OK, FEED_OTHER_EPOCH, FEED_UNKNOWN, FEED_OTHER_TAG, FEED_FENCED };

struct feed_answer {
    enum feed_verdict verdict;
    char epoch[FEED_EPOCH_SIZE];
    uint64_t head;   /* the remote's last change number */
    uint64_t floor;  /* tombstones up to this change number have been collected */
    int64_t time_us; /* the remote's clock; 0: it did not say */
    uint64_t cursor;
    bool more;
    struct record_set records;
    uint64_t bytes_up, bytes_down; /* on the wire; 0: not counted */
};
void feed_answer_fini(struct feed_answer *answer);
#define AUTO_ANSWER CLEANUP(feed_answer_fini)

struct feed_peer {
    uint64_t peer, cursor;
    int64_t seen_us; /* the remote's clock */
    char name[FEED_NAME_MAX];
};

struct feed;
struct feed_operations {
    int (*exchange)(struct feed *, struct feed_request *, struct feed_answer *, mneme_error *);
    int (*peers)(struct feed *, struct feed_peer *peers, size_t room, size_t *count, mneme_error *);
    int (*collect)(struct feed *, int64_t keep_us, uint64_t *collected, mneme_error *);
    int (*wait)(struct feed *, int64_t until_us, mneme_error *);
    void (*wake)(struct feed *);
    void (*close)(struct feed *);
};
struct feed {
    const struct feed_operations *operations;
};

/* Start *answer from {0}; feed_answer_fini frees. After a failure it is as it was. */
int feed_exchange(struct feed *feed, struct feed_request *request, struct feed_answer *answer,
                  mneme_error *error);

/* Those that were seen, the latest first. */
int feed_peers(struct feed *feed, struct feed_peer *peers, size_t room, size_t *count,
               mneme_error *error);

/*
 * Collect tombstones: those whose version's clock is more than keep_us behind the remote's, and
 * whose change number no peer has still before it; the floor is raised to the greatest number that
 * was collected up to. Peers not seen for keep_us do not count, and their rows are removed: they
 * will find themselves FEED_UNKNOWN, with a cursor below the floor. *collected: how many.
 */
int feed_collect(struct feed *feed, int64_t keep_us, uint64_t *collected, mneme_error *error);

/*
 * Sleep until the remote may have changed, until clock_monotonic_us is until_us, or until feed_wake
 * (of any thread). Where the remote gives no hints, only the latter two. What it says is a hint:
 * there may be nothing new. Errors are those of hints that stopped; it sleeps on all the same, so
 * callers may pass NULL.
 */
int feed_wait(struct feed *feed, int64_t until_us, mneme_error *error);
void feed_wake(struct feed *feed);

/* NULL is allowed. */
void feed_close(struct feed *feed);

#endif
