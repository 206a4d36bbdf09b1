/*
 * sync.c - the engine: its life, and a step from lease to state.
 */
#include <stdio.h>

#include "sync/sync_impl.h"

enum {
    PUSH_MAX = 100,
    PUSH_BYTES = 4 << 20,
    LEASE_US = 30 * 1000000,
    AHEAD_US = 60 * 1000000,
    RUN_US = 1000 * 1000, /* how long a step begins new flights, and how many */
    RUN_FLIGHTS = 16
};
static const int64_t KEEP_US = 90LL * 24 * 3600 * 1000000;

/* ---- Life ------------------------------------------------------------------------------------ */

static int64_t machine_wall(void *context) {
    (void)context;
    return clock_wall_us();
}
static int64_t machine_boot(void *context) {
    (void)context;
    return clock_monotonic_us();
}
static uint64_t machine_random(void *context) {
    uint64_t number = 0;
    (void)context;
    (void)random_bytes(&number, sizeof number, NULL);
    return number ? number : (uint64_t)clock_monotonic_us();
}

struct sync_world world_or_machine(const struct sync_world *given) {
    return given ? *given : (struct sync_world){NULL, machine_wall, machine_boot, machine_random};
}

int sync_open(const struct sync_options *options, struct sync **out, mneme_error *error) {
    struct sync *s = mem_zalloc(1, sizeof *s);
    if (!s)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    struct sync_options *o = &s->options;
    *o = *options;
    o->push_max = o->push_max ? o->push_max : PUSH_MAX;
    o->push_bytes = o->push_bytes ? o->push_bytes : PUSH_BYTES;
    o->pull_max = o->pull_max ? size_min(o->pull_max, FEED_PULL_MAX) : FEED_PULL_MAX;
    o->lease_us = o->lease_us ? o->lease_us : LEASE_US;
    o->ahead_us = o->ahead_us ? o->ahead_us : AHEAD_US;
    o->keep_us = o->keep_us ? o->keep_us : KEEP_US;
    s->world = world_or_machine(options->world);
    s->holder = chance(s) | 1;
    *out = s;
    return 0;
}

void sync_close(struct sync *s) {
    if (!s)
        return;
    lease_release(s);
    mem_free(s);
}

/* ---- Peers ----------------------------------------------------------------------------------- */

static int ask_peers(struct sync *s, uint64_t head, mneme_error *error) {
    struct feed_peer peers[FEED_PEERS_MAX];
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next = s->state;
    bool raced;
    if (s->state.peers_us && wall_us(s) - s->state.peers_us < SYNC_TELL_US)
        return 0;
    TRY(feed_peers(s->options.feed, peers, FEED_PEERS_MAX, &next.peer_count, error));
    for (size_t i = 0; i < next.peer_count; i++) {
        struct sync_peer *p = &next.peers[i];
        bool self = peers[i].peer == s->state.peer;
        uint64_t cursor = self ? s->state.cursor : peers[i].cursor; /* ours is told later */
        *p = (struct sync_peer){
            .seen_us = peers[i].seen_us, .behind = head > cursor ? head - cursor : 0, .self = self};
        memcpy(p->name, peers[i].name, sizeof p->name);
    }
    next.peers_us = wall_us(s);
    return writes_apply(s, &w, &next, &raced, error);
}

/* ---- A step ---------------------------------------------------------------------------------- */

/* What the flights of a step came to. */
struct run {
    bool meeting;
    int64_t until_us; /* by the boot clock: no more flights are begun */
    size_t flights;
    bool went, stale; /* something was sent, or held; the remote had another change of it */
    bool more;        /* the last flight left something */
    struct sync_progress *progress;
};

/* Whether the next step has something to do already. Stale pushes are tried again once; what they
 * met has come by then, or never will by itself. */
static bool more_to_do(struct sync *s, const struct run *run,
                       const struct sync_progress *progress) {
    struct shared_counts counts = {0};
    s->stale_rounds = run->stale ? s->stale_rounds + 1 : 0;
    (void)shared_state(s->options.local, NULL, NULL, NULL, &counts, NULL);
    return run->more || progress->merged || progress->superseded || (run->went && s->rescan) ||
           (run->stale && s->stale_rounds <= 2) || (run->went && counts.gone);
}

static void run_note(struct run *run, const struct flight *flight) {
    const struct outgoing *out = &flight->out;
    for (size_t i = 0; i < out->count; i++)
        run->stale = run->stale || (out->ours[i] && out->pushes[i].fate == FEED_STALE);
    run->went = run->went || out->count || out->held;
    run->more = flight->answer.more || out->more;
    run->progress->cursor = flight->answer.cursor;
    run->progress->head = flight->answer.head;
}

/* One that is under way, one that was answered, one that is prepared. */
struct flights {
    struct flight of[3];
};

static void flights_fini(struct flights *flights) {
    for (size_t i = 0; i < COUNT_OF(flights->of); i++)
        flight_fini(&flights->of[i]);
}

/* Gather what goes behind the flight that is under way, if something is left. */
static int prepare(struct sync *s, struct run *run, const struct flight *behind,
                   struct flight *next, mneme_error *error) {
    if (run->meeting || !behind->out.more || behind->out.left)
        return 0;
    TRY(outbox_gather(s, &behind->out, &next->out, error));
    run->progress->held += next->out.held;
    run->went = run->went || next->out.held;
    return 0;
}

/* Begin the flight behind `now`, if something is left for it and the step is not long already. */
static void begin_next(struct sync *s, struct run *run, const struct flight *now,
                       struct flight *next) {
    bool more = now->out.more || now->answer.more, stored = s->state.spare_tag != 0;
    s->state.spare_tag = !more ? 0 : stored ? s->state.spare_tag : chance(s) | 1;
    if (!more || !stored || now->out.left || boot_us(s) >= run->until_us ||
        ++run->flights == RUN_FLIGHTS)
        return;
    if (next->out.count || now->answer.more)
        flight_begin(s, next, &now->answer);
}

/* `now` has been answered: store what that means, while `next` is under way. */
static int follow(struct sync *s, struct run *run, const struct flight *now, struct flight *next,
                  mneme_error *error) {
    begin_next(s, run, now, next);
    TRY(follow_flight(s, now, run->progress, error));
    s->unsure = next->begun;
    s->current_us = now->answer.more ? 0 : boot_us(s);
    run_note(run, now);
    return 0;
}

/* Flights, from flights[0], which is begun, until nothing is left for them. *met: the remote turned
 * out to be another one. */
static int fly(struct sync *s, struct run *run, struct flight flights[3], bool *met,
               mneme_error *error) {
    for (size_t i = 0;; i++) {
        struct flight *now = &flights[i % 3], *next = &flights[(i + 1) % 3];
        TRY(prepare(s, run, now, next, error));
        int status = flight_finish(s, now, met, error);
        if (status && i > 0) { /* the next step finds out if it fails again */
            run->more = true;
            return 0;
        }
        if (status || *met)
            return status;
        TRY(follow(s, run, now, next, error));
        if (!next->begun)
            return 0;
        flight_fini(now);
    }
}

/* There will be a second flight. */
static int spare_store(struct sync *s, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next = s->state;
    bool raced;
    if (next.spare_tag)
        return 0;
    next.spare_tag = chance(s) | 1;
    return writes_apply(s, &w, &next, &raced, error);
}

/* Once the outbox was read: talk to the remote, unless a look is enough. */
static int talk(struct sync *s, struct run *run, struct flight flights[3], bool quiet, bool *met,
                mneme_error *error) {
    AUTO_ANSWER struct feed_answer seen = {0};
    struct flight *first = &flights[0];
    bool enough = false;
    *met = false;
    if (quiet && first->out.count == 0)
        TRY(exchange_look(s, &enough, &seen, error));
    if (enough) {
        run->progress->cursor = seen.cursor;
        run->progress->head = seen.head;
        run->went = first->out.held != 0;
        run->more = first->out.more;
        s->current_us = boot_us(s);
        return follow_look(s, &seen, error);
    }
    TRY(exchange_confirm(s, met, error));
    if (*met)
        return 0;
    if (run->meeting || first->out.more)
        TRY(spare_store(s, error));
    flight_begin(s, first, NULL);
    return fly(s, run, flights, met, error);
}

static int has_outbox(struct sync *s, bool *out, mneme_error *error) {
    struct store_stats stats;
    struct shared_counts counts;
    uint64_t all = 0;
    TRY(store_stats(s->options.local, &stats, error));
    TRY(shared_state(s->options.local, NULL, NULL, NULL, &counts, error));
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
        all += stats.kinds[i].records + stats.kinds[i].tombstones;
    *out = counts.gone || all > counts.clean + counts.held;
    return 0;
}

static int step(struct sync *s, bool quiet, struct sync_progress *progress, mneme_error *error) {
    CLEANUP(flights_fini) struct flights f = {0};
    struct run run = {.meeting = s->state.phase != PHASE_IN_STEP,
                      .until_us = boot_us(s) + RUN_US,
                      .progress = progress};
    bool met;
    if (!run.meeting)
        TRY(outbox_gather(s, NULL, &f.of[0].out, error));
    progress->held += f.of[0].out.held;
    TRY(talk(s, &run, f.of, quiet, &met, error));
    progress->more = met || more_to_do(s, &run, progress);
    if (met)
        return 0;
    if (run.meeting && !run.more) {
        TRY(meet_end(s, progress, error));
        TRY(has_outbox(s, &progress->more, error));
    }
    if (!progress->more)
        (void)ask_peers(s, progress->head, NULL); /* they are for people only */
    return 0;
}

/* Leave the failure for sync_status to tell; a failure of that is of no matter. */
static void note_error(struct sync *s, int status, const mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next = s->state;
    bool raced;
    if (status == MNEME_LOCKED || s->state.holder != s->holder)
        return;
    if (next.error_us && next.error_code == status && wall_us(s) - next.error_us < SYNC_TELL_US)
        return;
    next.error_us = wall_us(s);
    next.error_code = status;
    snprintf(next.error_text, sizeof next.error_text, "%s", error->message);
    (void)writes_apply(s, &w, &next, &raced, NULL);
}

static void log_step(const struct sync_progress *p, int64_t took_us, int status) {
    bool moved = p->pushed || p->pulled || p->merged || p->superseded || p->held;
    mneme_log_level level = status && status != MNEME_LOCKED ? MNEME_LOG_WARN
                            : moved                          ? MNEME_LOG_INFO
                                                             : MNEME_LOG_DEBUG;
    const struct log_field fields[] = {LOG_WHOLE("pushed", p->pushed),
                                       LOG_WHOLE("pulled", p->pulled),
                                       LOG_WHOLE("merged", p->merged),
                                       LOG_WHOLE("superseded", p->superseded),
                                       LOG_WHOLE("held", p->held),
                                       LOG_BOOL("more", p->more),
                                       LOG_MS("duration_ms", took_us),
                                       LOG_ERROR_TYPE(status),
                                       {.type = LOG_END}};
    if (log_is_on(LOG_LAYER_SYNC, level))
        log_emit(level, LOG_LAYER_SYNC, status ? "exchange failed" : "exchange ended", fields);
}

int sync_step(struct sync *s, bool quiet, struct sync_progress *out, mneme_error *error) {
    mneme_error text = {0};
    struct sync_progress progress = {0};
    int64_t begun_us = boot_us(s);
    int status = lease_hold(s, &text);
    if (status == 0)
        status = scope_check(s, &text);
    if (status == 0)
        status = step(s, quiet, &progress, &text);
    log_step(&progress, boot_us(s) - begun_us, status);
    if (status) {
        s->rescan = true;
        note_error(s, status, &text);
        if (error)
            *error = text;
        return status;
    }
    *out = progress;
    return 0;
}

int sync_note_next(struct sync *s, int64_t next_us, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next = s->state;
    bool raced;
    if (s->state.holder != s->holder)
        return 0;
    next.next_us = next_us;
    return writes_apply(s, &w, &next, &raced, error);
}
