/*
 * sync_thread.c - the thread that keeps a handle's store in step with its remote.
 *
 * It sleeps in feed_wait, in slices: between two of them it looks at the store's moment, by which
 * it learns what other processes wrote, for a load. What this handle writes, and what the remote
 * says of changes, ends a slice at once. So a step is due
 *   - when the outbox has something: gather_ms behind the last push, or at once when push_max have
 *     gathered or that time is over;
 *   - when the remote hints at something new: at once, but AGAIN_US behind the last step that
 *     wrote there, so that machines that write all the time do not chase each other with
 *     requests of few records each;
 *   - when it hints at our own push, which it does, too: the first hint behind a push is taken for
 *     that. Another's may have become one with it, so a look follows, unless the next push does;
 *   - when nothing happened for the pause between polls, which doubles from poll_ms to poll_max_ms;
 *   - after a failure: 1 s, 2 s, … 60 s later, give or take a quarter; nothing hastens that, so a
 *     remote that is down is left alone;
 *   - when another worker has the lease: a sixth of a lease later.
 *
 * Whether the outbox has something is found out by walking it from where it was last known to be
 * empty: the engine's own commits change the moment, too, but leave nothing there.
 */
#include "api/sync.h"
#include "os/log.h"

enum {
    SLICE_US = 50 * 1000,
    ECHO_US = 100 * 1000, /* a hint so soon after a push may be of that */
    AGAIN_US = 20 * 1000,
    PAUSE_US = 1000 * 1000,
    PAUSE_DOUBLINGS = 6,
    PAUSE_MAX_US = 60 * 1000 * 1000,
    LEASE_PARTS = 6,
    LEASE_LEAST_US = 250 * 1000,
    LEASE_MOST_US = 5 * 1000 * 1000,
};
/* A machine that only listens shows itself to the remote so often: it is counted among those whose
 * cursor keeps tombstones. */
#define SHOW_US (INT64_C(6) * 3600 * 1000 * 1000)
#define NEVER_US (INT64_MIN / 2) /* longer ago than any pause */

/* Times are of clock_monotonic_us. */
struct worker {
    struct syncer *s;
    int64_t due_us;    /* of the next step */
    int64_t shown_us;  /* end of the last that was not quiet; 0: none */
    int64_t poll_us;   /* the pause between polls, as it is now */
    unsigned failures; /* in a row */
    bool blocked;      /* nothing hastens the next step */
    bool pending;      /* the outbox has something */
    bool looks;        /* … or may have, whatever the moment says */
    bool hinted;       /* the remote says that something is new */
    bool echoes;       /* … or will say so of what was pushed */
    int64_t pushed_us; /* end of the last step that pushed, or could not */
    uint64_t scanned;  /* up to this change it has nothing */
    uint64_t moment;   /* of the last look */
};

static int64_t poll_least_us(const struct syncer *s) {
    return (int64_t)s->settings.sync.poll_ms * 1000;
}
static int64_t poll_most_us(const struct syncer *s) {
    return (int64_t)s->settings.sync.poll_max_ms * 1000;
}
static int64_t earlier(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

static bool is_closing(const struct syncer *s) {
    return atomic_load_explicit(&s->closing, memory_order_acquire);
}

bool sync_is_hopeless(int status) {
    return status == MNEME_UNAUTHORIZED || status == MNEME_NOT_FOUND || status == MNEME_INVALID ||
           status == MNEME_UNSUPPORTED || status == MNEME_NEWER_FORMAT || status == MNEME_CORRUPT ||
           status == MNEME_PERMISSION;
}

/* ---- The outbox ---------------------------------------------------------------------------- */

static bool outbox_has_some(struct worker *w) {
    bool more = true;
    while (more && !is_closing(w->s)) {
        AUTO_RECORDS struct record_set found = {0};
        uint64_t upto = w->scanned;
        if (shared_outbox(w->s->local, w->scanned, 1, 1, &found, &upto, &more, NULL))
            return w->pending; /* the next step will tell what is wrong */
        if (found.count)
            return true;
        w->scanned = upto;
    }
    return false;
}

/* Look if anything was written since the last look, and set the time of the next step. */
static void look_at_outbox(struct worker *w) {
    const atomic_uint_fast64_t *moment = store_moment(w->s->local);
    uint64_t now = moment ? atomic_load_explicit(moment, memory_order_acquire) : w->moment + 1;
    if (now == w->moment && !w->looks)
        return;
    w->moment = now;
    w->looks = false;
    w->pending = outbox_has_some(w);
    if (!w->pending || w->blocked)
        return;
    uint64_t fresh = atomic_load_explicit(&w->s->fresh, memory_order_relaxed);
    bool many = fresh >= w->s->settings.sync.push_max;
    int64_t gather_us = (int64_t)w->s->settings.sync.gather_ms * 1000;
    int64_t gathered_us = many ? 0 : w->pushed_us + gather_us;
    w->due_us = w->hinted ? earlier(w->due_us, gathered_us) : gathered_us;
}

/* ---- Steps --------------------------------------------------------------------------------- */

static void after_step(struct worker *w, bool quiet, uint64_t before,
                       const struct sync_progress *did) {
    int64_t now = clock_monotonic_us();
    bool moved = did->pushed || did->pulled || did->merged || did->held;
    w->failures = 0;
    w->blocked = false;
    if (!quiet)
        w->shown_us = now;
    w->poll_us = moved ? poll_least_us(w->s) : earlier(2 * w->poll_us, poll_most_us(w->s));
    w->due_us = now + w->poll_us;
    w->echoes = w->echoes || did->pushed;
    if (did->pushed || (did->more && !moved && w->pending))
        w->pushed_us = now;
    if (did->more && moved)
        w->due_us = now;
    w->hinted = false;
    if (!did->more && before > w->scanned)
        w->scanned = before;
    w->pending = did->more && w->pending;
    w->looks = true;
}

static void after_failure(struct worker *w, int status) {
    struct syncer *s = w->s;
    uint16_t chance = 0;
    unsigned doublings = w->failures < PAUSE_DOUBLINGS ? w->failures : PAUSE_DOUBLINGS;
    int64_t pause = earlier(INT64_C(1) * PAUSE_US << doublings, PAUSE_MAX_US);
    if (sync_is_hopeless(status))
        pause = PAUSE_MAX_US;
    (void)random_bytes(&chance, sizeof chance, NULL);
    pause = pause * 3 / 4 + pause / 2 * chance / UINT16_MAX;
    w->failures++;
    w->blocked = true;
    w->due_us = clock_monotonic_us() + pause;
    LOG(DEBUG, API, "sync pauses after a failure", LOG_WHOLE("failures", w->failures),
        LOG_MS("pause_ms", pause), LOG_ERROR_TYPE(status));
    syncer_enter(s);
    if (status == MNEME_UNAUTHORIZED && s->settings.remote.remote.token_file)
        late_feed_forget(s->feed);
    (void)sync_note_next(s->engine, clock_wall_us() + pause, NULL);
    syncer_leave(s);
}

/* A quiet step is enough as long as there is nothing to send, and nothing to fetch for sure. */
static bool may_be_quiet(const struct worker *w) {
    int64_t now = clock_monotonic_us();
    return !w->pending && !w->hinted && w->shown_us && now - w->shown_us < SHOW_US;
}

static void take_step(struct worker *w) {
    struct syncer *s = w->s;
    uint64_t op_before = log_op_begin();
    struct sync_progress did = {0};
    struct store_stats stats = {0};
    (void)store_stats(s->local, &stats, NULL);
    atomic_store_explicit(&s->fresh, 0, memory_order_relaxed);
    bool quiet = may_be_quiet(w);
    int status = syncer_step(s, quiet, &did, NULL);
    if (status == 0) {
        after_step(w, quiet, stats.changes, &did);
    } else if (status == MNEME_LOCKED) {
        int64_t part = (int64_t)s->settings.sync.lease_ms * 1000 / LEASE_PARTS;
        w->blocked = true;
        w->due_us = clock_monotonic_us() + later(earlier(part, LEASE_MOST_US), LEASE_LEAST_US);
    } else {
        after_failure(w, status);
    }
    log_op_end(op_before);
}

/* ---- The thread ---------------------------------------------------------------------------- */

static void take_hint(struct worker *w) {
    int64_t now = clock_monotonic_us();
    bool echo = w->echoes && now - w->pushed_us < ECHO_US;
    w->echoes = false;
    if (w->blocked || (echo && w->pending))
        return;
    w->hinted = w->hinted || !echo;
    w->due_us = earlier(w->due_us, (echo ? w->pushed_us : w->shown_us) + AGAIN_US);
}

static void sleep_a_slice(struct worker *w) {
    struct syncer *s = w->s;
    int64_t until = earlier(w->due_us, clock_monotonic_us() + SLICE_US);
    (void)feed_wait(s->feed, until, NULL);
    bool ours = atomic_exchange_explicit(&s->woken, false, memory_order_acq_rel);
    if (clock_monotonic_us() < until && !ours)
        take_hint(w);
    look_at_outbox(w);
}

/* Who closes the handle and waits no longer leaves it to us. */
static void end(struct syncer *s) {
    lock_acquire(&s->lock);
    s->ended = true;
    bool left = s->left;
    signal_all(&s->moved);
    lock_release(&s->lock);
    if (left)
        handle_destroy(s->m);
}

void *sync_thread(void *argument) {
    struct syncer *s = argument;
    struct worker w = {
        .s = s, .poll_us = poll_least_us(s), .pushed_us = NEVER_US, .hinted = true, .looks = true};
    while (!is_closing(s)) {
        if (clock_monotonic_us() >= w.due_us)
            take_step(&w);
        else
            sleep_a_slice(&w);
    }
    end(s);
    return NULL;
}
