/*
 * followed.h - makes a store that others write to, far away, fit to be cached: it follows the
 * store's change log, and so has a moment.
 *
 * What it is. A decorator right above a store without a moment (sql). It keeps the newest changes
 * of the log in memory (their records without bodies) and answers store_changes from there, so that
 * getting in step costs no round trip. They come from two sides: what is applied through it, and
 * the log of the store below, looked at every interval_ms.
 *
 * What readers may rely on.
 *  1. What was applied through this store is seen by every read that begins after the
 *     acknowledgement, as the moment has changed before it.
 *  2. What others wrote is seen at the latest interval_ms and a round trip after it was committed,
 *     as long as the store below answers. (`kv` needs none of this: its moment is in memory that
 *     all processes share.)
 *  3. What was read does not go back: a read that shows a change which is not known yet looks at
 *     the log before it returns, if the log can be read.
 *  4. When looks fail, what is cached above is served all the same, so that a network that is gone
 *     does not make hits fail; how old that may become is bounded by the caches' times to live. It
 *     looks again after interval_ms, then after twice as long each time, up to 30 seconds.
 *  5. Purges of others have no change number. They are seen with the change of the record that took
 *     what was purged; until then, store_changes may tell of a record that is gone.
 *
 * How own writes come in without a round trip. When the change numbers that a batch was given come
 * right behind the last one known, its mutations are the log's next entries. When there is a gap,
 * another has written meanwhile: the log is read at once, and only then is the batch acknowledged.
 * So it is for what a mutation does not tell all of: the DELETE of a record that has a parent, if
 * its last change is not among those kept. If that read fails, the batch is acknowledged all the
 * same; the moment changes, and store_changes fails or looks until a look has ended well: a cache
 * above then serves nothing. So it is, too, after a batch of which nobody knows whether it went in
 * (MNEME_UNCERTAIN).
 *
 * A database that was replaced, or restored from a backup, has another log: change numbers go back,
 * or name other changes. This is noticed by a look, or by the number of an own change. Then the
 * upper 16 bits of the moment change, for whom what he has read is void, and who has to begin anew
 * behind the `changes` of store_stats; and store_changes fails with MNEME_CONFLICT for what lies
 * before that. It is not noticed when within one look's time a restored log has outgrown what was
 * known of the old one, and the last record of the old one was changed again.
 *
 * What it relies on. Reads of the store below, its log and statistics too, see what was
 * acknowledged through it, and never less than a read that ended before they began.
 *
 * Threads. As a store; it has a thread of its own, which begins with the first read or write; those
 * fail when it cannot be started. No lock is held during a call of the store below; looks are made
 * one at a time. Closing waits for the request that is under way.
 * Errors. As the store below.
 * Limits. Keeps at most FOLLOWED_CHANGES changes, of FOLLOWED_BYTES together. A caller whose
 * `since` is older is answered by the store below.
 */
#ifndef MNEME_STORE_FOLLOWED_H
#define MNEME_STORE_FOLLOWED_H

#include "store/store.h"

enum { FOLLOWED_CHANGES = 4096, FOLLOWED_BYTES = 16 << 20 };

struct followed_options {
    uint32_t interval_ms; /* 0: 1,000 */
    bool no_looks;        /* no thread; for who knows that nobody else writes, and for tests */
    bool whole_changes;   /* store_changes tells bodies, and the times of tombstones, too; they are
                             kept in memory: for tests that hold every store to the letter */
};

/* Takes `below`, and closes it with itself; on failure it stays the caller's. */
int followed_open(struct store *below, const struct followed_options *options, struct store **out,
                  mneme_error *error);

/* Look at the log of the store below now. Errors as store_changes. MNEME_INVALID: `store` is not a
 * followed one. */
int followed_look(struct store *store, mneme_error *error);

#endif
