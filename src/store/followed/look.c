/*
 * look.c - looks at the log of the store below, one at a time, and the thread that makes them.
 *
 * The log tells of each record its newest change only, in the order of their numbers, and a read
 * of it sees a prefix of all commits. The ring knows all of (floor, top], and only grows at its
 * end. From this follows, for a look L, a commit C of our own, and a reader R with a cache:
 *
 *  1. L reads a page before C, which arrives after C was taken over as change n: whatever of the
 *     page is not greater than `top` is known, or has been replaced by what is; it is passed over.
 *  2. L reads a page that has C's change n, before C is acknowledged here: the page is taken over,
 *     and C finds n known. R may see C before it is acknowledged, as with any store.
 *  3. L finds nothing while C is in flight: nothing is concluded from that; `top` stays, and C
 *     comes right behind it.
 *  4. Own commits n and n + 1 are acknowledged out of order: to the second it looks like a gap, and
 *     it waits for a look that begins now, which has both. The first then finds n known.
 *  5. Another writes n, and C is n + 1: the same. A look that was under way already may have read
 *     before C, so C waits for one that begins later, unless that one happens to bring n + 1. Who
 *     waits for the same look shares it, and its failure.
 *  6. A look fails after C: `needed` is the number of the look that would have told. Until one of
 *     that number or a later one has ended well, store_changes tells nothing, and R, who finds
 *     another moment, serves nothing that is cached. Failed in its second page, a look has still
 *     brought the first, for which the moment has changed.
 *  7. A record changes between two pages of L: the second page has it, with a number above; the
 *     ring then has less than the first page told, and lacks nothing behind any `since`.
 *  8. The moment changes after `top`, and R loads it before he asks: what he is told is never less
 *     than what the moment he has seen stands for. More does no harm.
 *  9. More changes come than the ring holds: the oldest go, and whose `since` is older is answered
 *     by the log below. After so many new ones L does not read on, but begins behind the last.
 * 10. The log is another one, as the database was replaced: the page that should begin with the
 *     newest change that is known (the witness) does not. If it shows another change of that
 *     number, or nothing that explains why the witness is gone (its record has changed, or was
 *     purged into its parent), then everything is void (followed_begin_anew). A caller's `since`
 *     from before looks like one of the new log; so none is answered until store_stats has told a
 *     number of the new log, and none below that one later. A page or statistics that were asked
 *     for before are known by their epoch, and thrown away.
 * 11. The store is closed during L: the thread ends after the request that is under way, and what
 *     that brings is left.
 */
#include "os/log.h"
#include "store/followed/followed_impl.h"

enum { PAGE = 512, BACKOFF_MAX_US = 30000000, DOUBLINGS_MAX = 20 };

/* One look: what was known when it began, and what its pages have shown. */
struct look {
    uint64_t epoch, top, since;
    bool has_witness;
    struct stored_record witness; /* its slices are not to be used */
    bool seen, explained;         /* the witness is there; why it is not */
    bool usurped;                 /* its number is another change's */
    size_t read;                  /* records, since the start or the last new beginning */
};

/* ---- Pages ----------------------------------------------------------------------------------- */

static int replaced_meanwhile(mneme_error *error) {
    return error_set(error, MNEME_CONFLICT,
                     "the database was replaced while its change log was read; read it again");
}

/* What a store below tells is not to be trusted blindly. */
static int page_check(const struct look *look, const struct record_set *page, mneme_error *error) {
    uint64_t last = look->since;
    for (size_t i = 0; i < page->count; i++) {
        if (page->records[i].change <= last)
            return error_set(error, MNEME_CORRUPT,
                             "the change log is out of order behind change %llu; check the store",
                             (unsigned long long)last);
        last = page->records[i].change;
    }
    return 0;
}

static void look_compare(struct look *look, const struct stored_record *record) {
    const struct stored_record *witness = &look->witness;
    bool same = record->kind == witness->kind && id_equal(&record->id, &witness->id);
    if (record->change > witness->change)
        look->explained |= same || id_equal(&record->id, &witness->parent);
    else if (same && version_compare(record->version, witness->version) == 0)
        look->seen = true;
    else
        look->usurped = record->change == witness->change;
}

static int page_take(struct followed *f, struct look *look, const struct record_set *page,
                     mneme_error *error) {
    AUTO_LOCK(held, &f->lock);
    if (f->closing)
        return error_set(error, MNEME_CANCELLED, "the store is being closed");
    if (f->epoch != look->epoch)
        return replaced_meanwhile(error);
    uint64_t top = f->ring.top;
    for (size_t i = 0; i < page->count; i++) {
        const struct stored_record *record = &page->records[i];
        if (look->has_witness)
            look_compare(look, record);
        look->since = record->change;
        if (record->change > f->ring.top)
            ring_append(&f->ring, record);
    }
    look->read += page->count;
    if (f->ring.top > top)
        followed_bump(f);
    return 0;
}

/* Read until the end of the log, or until it is more than the ring holds (*flood). */
static int read_pages(struct followed *f, struct look *look, bool *flood, mneme_error *error) {
    size_t limit = PAGE;
    *flood = false;
    for (bool more = true; more && !*flood;) {
        AUTO_RECORDS struct record_set page = {0};
        int status =
            store_changes(f->below, look->since, limit, !f->ring.with_bodies, &page, error);
        if (status == MNEME_TOO_LARGE && limit > 1) {
            limit /= 2;
            continue;
        }
        TRY(status);
        TRY(page_check(look, &page, error));
        TRY(page_take(f, look, &page, error));
        more = page.count == limit;
        *flood = more && look->read > FOLLOWED_CHANGES;
    }
    return 0;
}

/* ---- One look -------------------------------------------------------------------------------- */

/* Read from one before the last change on: so the next look has a witness. */
static uint64_t just_before(uint64_t change) { return change ? change - 1 : 0; }

/* Begin with a ring that knows nothing behind what the statistics tell. `lost`: the log is another
 * one, unless they tell so themselves. */
static int begin_behind(struct followed *f, struct look *look, bool lost, mneme_error *error) {
    struct store_stats stats;
    TRY(store_stats(f->below, &stats, error));
    uint64_t from = just_before(stats.changes);
    AUTO_LOCK(held, &f->lock);
    if (f->epoch != look->epoch)
        return replaced_meanwhile(error);
    if (lost || stats.changes < look->top)
        followed_begin_anew(f, from);
    else if (!f->known || from > f->ring.top)
        ring_restart(&f->ring, from);
    f->known = true;
    followed_bump(f);
    *look = (struct look){.epoch = f->epoch, .since = f->ring.top};
    return 0;
}

static int look_begin(struct followed *f, struct look *look, mneme_error *error) {
    lock_acquire(&f->lock);
    bool known = f->known;
    *look = (struct look){.epoch = f->epoch};
    lock_release(&f->lock);
    if (!known)
        TRY(begin_behind(f, look, false, error));
    AUTO_LOCK(held, &f->lock);
    const struct stored_record *newest = ring_newest(&f->ring);
    look->epoch = f->epoch;
    look->top = f->ring.top;
    look->since = newest ? newest->change - 1 : f->ring.top;
    look->has_witness = newest;
    if (newest)
        look->witness = *newest;
    return 0;
}

/* Without a witness and without anything new only the statistics tell whether numbers went back. */
static int look_for_return(struct followed *f, const struct look *look, bool *lost,
                           mneme_error *error) {
    struct store_stats stats;
    if (look->has_witness || look->read || look->top == 0)
        return 0;
    TRY(store_stats(f->below, &stats, error));
    *lost = stats.changes < look->top;
    return 0;
}

static int look_once(struct followed *f, mneme_error *error) {
    struct look look;
    bool flood;
    TRY(look_begin(f, &look, error));
    TRY(read_pages(f, &look, &flood, error));
    bool lost = look.has_witness && (look.usurped || !(look.seen || look.explained));
    TRY(look_for_return(f, &look, &lost, error));
    while (lost || flood) {
        LOG(WARN, STORE, "the change log is followed anew", LOG_BOOL("replaced", lost),
            LOG_BOOL("flood", flood), LOG_WHOLE("changes", look.read));
        TRY(begin_behind(f, &look, lost, error));
        TRY(read_pages(f, &look, &flood, error));
        lost = false;
    }
    return 0;
}

/* With the lock, which is released meanwhile. */
static void look_now(struct followed *f) {
    struct looks *looks = &f->looks;
    mneme_error error = {0};
    uint64_t number = ++looks->begun;
    looks->under_way = true;
    lock_release(&f->lock);
    uint64_t op_before = log_op_begin();
    int status = look_once(f, &error);
    if (status)
        LOG(WARN, STORE, "changes of others could not be read", LOG_ERROR_TYPE(status));
    else
        LOG(TRACE, STORE, "changes of others were read", LOG_WHOLE("look", number));
    log_op_end(op_before);
    lock_acquire(&f->lock);
    looks->under_way = false;
    looks->ended = number;
    looks->ended_us = clock_monotonic_us();
    looks->status = status;
    looks->failures = status ? looks->failures + 1 : 0;
    if (status)
        looks->error = error;
    else
        looks->good = number;
    signal_all(&f->look_over);
}

int looks_reach(struct followed *f, uint64_t number, uint64_t change, mneme_error *error) {
    while (f->ring.top < change && f->looks.ended < number) {
        if (f->looks.under_way)
            (void)signal_wait(&f->look_over, &f->lock, -1);
        else
            look_now(f);
    }
    if (f->ring.top >= change || f->looks.status == 0)
        return 0;
    if (error)
        *error = f->looks.error;
    return f->looks.status;
}

static int64_t interval_us(const struct followed *f) {
    return (int64_t)f->options.interval_ms * 1000;
}

int looks_try(struct followed *f, uint64_t number, uint64_t change, mneme_error *error) {
    const struct looks *looks = &f->looks;
    bool thread_runs = atomic_load_explicit(&f->thread_runs, memory_order_relaxed);
    if (!thread_runs || looks->status == 0 ||
        clock_monotonic_us() - looks->ended_us >= interval_us(f))
        return looks_reach(f, number, change, error);
    if (error)
        *error = looks->error;
    return looks->status;
}

/* ---- The thread ------------------------------------------------------------------------------ */

/* When the next look is due. */
static int64_t look_due_us(const struct followed *f) {
    const struct looks *looks = &f->looks;
    if (looks->ended == 0)
        return 0;
    if (looks->failures == 0)
        return interval_us(f) +
               (looks->behind_us > looks->ended_us ? looks->behind_us : looks->ended_us);
    unsigned doublings = looks->failures - 1 < DOUBLINGS_MAX ? looks->failures - 1 : DOUBLINGS_MAX;
    int64_t delay = interval_us(f);
    for (; doublings && delay < BACKOFF_MAX_US; doublings--)
        delay *= 2;
    if (delay > BACKOFF_MAX_US && interval_us(f) < BACKOFF_MAX_US)
        delay = BACKOFF_MAX_US;
    return looks->ended_us + delay;
}

static void *looks_run(void *context) {
    struct followed *f = context;
    AUTO_LOCK(held, &f->lock);
    while (!f->closing) {
        int64_t due = look_due_us(f);
        if (f->looks.under_way)
            (void)signal_wait(&f->look_over, &f->lock, -1);
        else if (clock_monotonic_us() < due)
            (void)signal_wait(&f->look_over, &f->lock, due);
        else
            look_now(f);
    }
    return NULL;
}

int looks_start(struct followed *f, mneme_error *error) {
    if (LIKELY(atomic_load_explicit(&f->thread_runs, memory_order_acquire)) || f->options.no_looks)
        return 0;
    AUTO_LOCK(held, &f->lock);
    if (atomic_load_explicit(&f->thread_runs, memory_order_relaxed))
        return 0;
    TRY(thread_start(&f->thread, looks_run, f, error));
    atomic_store_explicit(&f->thread_runs, true, memory_order_release);
    return 0;
}

void looks_stop(struct followed *f) {
    lock_acquire(&f->lock);
    f->closing = true;
    signal_all(&f->look_over);
    lock_release(&f->lock);
    if (atomic_load_explicit(&f->thread_runs, memory_order_acquire))
        pthread_join(f->thread, NULL);
}
