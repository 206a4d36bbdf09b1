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
    TELL_US = 60 * 1000000, /* how often a cursor that moved is told, and peers are asked for */
    ATTEMPTS = 16           /* to apply something while others write */
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

/* ---- The exchange ---------------------------------------------------------------------------- */

static bool cursor_is_due(const struct sync *s) {
    return s->state.told_cursor != s->state.cursor && wall_us(s) - s->state.told_us > TELL_US;
}

/*
 * A look pulls nothing and leaves our row there as it is; to tell is to write the row, and nothing
 * else. For what is pulled the row gets a new tag:
 * else a remote that is set back to before it, and grows past it again, could not be told from the
 * one that we knew.
 */
enum purpose { LOOK, TELL, TALK };

static int exchange(struct sync *s, struct outgoing *out, enum purpose purpose,
                    struct feed_answer *answer, mneme_error *error) {
    struct sync_state *state = &s->state;
    struct feed_request request = {.peer = state->peer,
                                   .fence = s->fence,
                                   .tag = state->tag,
                                   .next_tag = state->next_tag,
                                   .cursor = state->cursor,
                                   .pull_max = purpose == TALK ? s->options.pull_max : 0,
                                   .quiet = purpose == LOOK,
                                   .pushes = out->pushes,
                                   .push_count = out->count};
    memcpy(request.epoch, state->epoch, sizeof request.epoch);
    if (s->options.name)
        snprintf(request.name, sizeof request.name, "%s", s->options.name);
    int64_t begun_us = wall_us(s);
    TRY(feed_exchange(s->options.feed, &request, answer, error));
    if (answer->time_us) {
        state->skew_us = answer->time_us - begun_us - (wall_us(s) - begun_us) / 2;
        state->skew_known = true;
    }
    state->bytes_up += answer->bytes_up;
    state->bytes_down += answer->bytes_down;
    if (answer->verdict == FEED_OK && purpose != LOOK && answer->head < request.cursor)
        answer->verdict = FEED_OTHER_TAG; /* it has less than it had: it was set back */
    if (answer->verdict != FEED_OK || purpose == LOOK)
        return 0;
    memcpy(state->epoch, answer->epoch, sizeof state->epoch);
    state->tag = state->next_tag;
    state->next_tag = chance(s) | 1;
    state->told_cursor = request.cursor;
    state->told_us = wall_us(s);
    return 0;
}

/* Whether a look is enough: nothing goes out, and nothing has come. What a look says against us may
 * be a replica's that is behind, so it is not believed, but asked again. */
static int look(struct sync *s, bool *enough, struct feed_answer *answer, mneme_error *error) {
    struct outgoing nothing = {0};
    *enough = false;
    if (s->state.epoch[0] == 0 || s->state.phase != PHASE_IN_STEP || cursor_is_due(s))
        return 0;
    AUTO_ANSWER struct feed_answer seen = {0};
    TRY(exchange(s, &nothing, LOOK, &seen, error));
    *enough = seen.verdict == FEED_OK && seen.head == s->state.cursor;
    answer->head = seen.head;
    answer->cursor = s->state.cursor;
    answer->floor = seen.floor;
    return 0;
}

/* ---- What follows from it -------------------------------------------------------------------- */

/* What went out; with it the new tag, whatever else there is. */
static int settle(struct sync *s, const struct outgoing *out, const struct feed_answer *answer,
                  struct sync_progress *progress, mneme_error *error) {
    struct sync_progress before = *progress;
    bool raced = true;
    for (int attempt = 0; raced; attempt++) {
        AUTO_SYNC_WRITES struct writes w = {0};
        struct sync_state next = s->state;
        if (attempt == ATTEMPTS)
            return error_set(error, MNEME_LOCKED,
                             "records that were just sent are written all the "
                             "time; what became of them is asked again");
        *progress = before;
        TRY(outbox_settle(s, out, answer, &w, progress, error));
        next.pushed += progress->pushed - before.pushed;
        next.plain_bytes += out->plain_bytes;
        if (progress->pushed > before.pushed)
            next.push_us = wall_us(s);
        TRY(writes_apply(s, &w, &next, &raced, error));
    }
    s->unsure = false;
    return 0;
}

static uint64_t plain_size_of(const struct record_set *set) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < set->count; i++)
        bytes += set->records[i].plain_size;
    return bytes;
}

/* Merging opens bodies, which may need the dictionaries that came with them. */
static int take_dictionaries(struct sync *s, const struct feed_answer *answer, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    bool raced;
    for (size_t i = 0; i < answer->records.count; i++) {
        const struct stored_record *r = &answer->records.records[i];
        struct record_name name = {r->kind, r->id};
        AUTO_RECORDS struct record_set here = {0};
        size_t found;
        if (r->kind != MNEME_DICTIONARY)
            continue;
        TRY(store_get(s->options.local, &name, 1, &here, &found, error));
        if (found == SIZE_MAX)
            writes_expect(writes_record(&w, r, MARK_CLEAN, r->change), 0);
    }
    return w.count ? writes_apply(s, &w, NULL, &raced, error) : 0;
}

/* What came in; with it the new cursor. */
static int take_in(struct sync *s, const struct feed_answer *answer, struct sync_progress *progress,
                   mneme_error *error) {
    struct sync_progress before = *progress;
    bool raced = true;
    TRY(take_dictionaries(s, answer, error));
    for (int attempt = 0; raced; attempt++) {
        AUTO_PLAN struct plan plan = {.sync = s, .answer = answer};
        AUTO_SYNC_WRITES struct writes w = {0};
        struct sync_state next = s->state;
        if (attempt == ATTEMPTS)
            return error_set(error, MNEME_LOCKED,
                             "records that came in are written here all the "
                             "time; they are asked for again");
        *progress = before;
        TRY(plan_make(&plan, error));
        TRY(plan_families(&plan, error));
        TRY(plan_write(&plan, &w, progress, error));
        next.cursor = answer->cursor;
        next.head = answer->head;
        next.floor = answer->floor;
        next.pulled += progress->pulled - before.pulled;
        next.merged += progress->merged - before.merged;
        next.plain_bytes += plain_size_of(&answer->records);
        next.pull_us = wall_us(s);
        next.error_us = 0;
        next.error_code = 0;
        next.error_text[0] = 0;
        next.next_us = 0;
        TRY(writes_apply(s, &w, &next, &raced, error));
    }
    return 0;
}

static bool must_note(const struct sync *s, const struct feed_answer *answer) {
    return answer->records.count || answer->cursor != s->state.cursor ||
           answer->head != s->state.head || s->state.error_us ||
           wall_us(s) - s->state.pull_us > TELL_US;
}

static int ask_peers(struct sync *s, uint64_t head, mneme_error *error) {
    struct feed_peer peers[FEED_PEERS_MAX];
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next = s->state;
    bool raced;
    if (s->state.peers_us && wall_us(s) - s->state.peers_us < TELL_US)
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

static int fenced(mneme_error *error) {
    return error_set(error, MNEME_LOCKED,
                     "another worker of this store has gone on meanwhile; this one stops");
}

/* Whether the next step has something to do already. Stale pushes are tried again once; what they
 * met has come by then, or never will by itself. */
static bool more_to_do(struct sync *s, const struct outgoing *out, const struct feed_answer *answer,
                       const struct sync_progress *progress) {
    struct shared_counts counts = {0};
    bool stale = false;
    for (size_t i = 0; i < out->count; i++)
        stale = stale || (out->ours[i] && out->pushes[i].fate == FEED_STALE);
    s->stale_rounds = stale ? s->stale_rounds + 1 : 0;
    (void)shared_state(s->options.local, NULL, NULL, NULL, &counts, NULL);
    bool went = out->count || out->held;
    return answer->more || out->more || progress->merged || progress->superseded ||
           (went && s->rescan) || (stale && s->stale_rounds <= 2) || (went && counts.gone);
}

/* An exchange that writes our row. *met: the remote is not the one we knew, and a meeting has begun
 * instead. */
static int converse(struct sync *s, struct outgoing *out, enum purpose purpose,
                    struct feed_answer *answer, bool *met, mneme_error *error) {
    *met = false;
    s->unsure = true;
    TRY(exchange(s, out, purpose, answer, error)); /* `settle` makes sure */
    if (answer->verdict == FEED_FENCED) {
        /* Nobody took over from us here: then our memory was set back, and is another peer. */
        uint64_t fence = s->fence;
        TRY(lease_hold(s, error));
        if (s->fence != fence)
            return fenced(error);
    }
    *met = answer->verdict != FEED_OK;
    return *met ? meet_begin(s, answer, error) : 0;
}

/*
 * The pair of tags of an exchange of which nobody knows is used up by one that only tells it, until
 * that is acknowledged. Were it used again for records, then a remote that is set back to behind
 * the first use could not be told from one that has had the second, too.
 */
static int confirm(struct sync *s, bool *met, mneme_error *error) {
    AUTO_ANSWER struct feed_answer answer = {0};
    struct outgoing nothing = {0};
    struct sync_progress progress = {0};
    *met = false;
    if (!s->unsure)
        return 0;
    TRY(converse(s, &nothing, TELL, &answer, met, error));
    return *met ? 0 : settle(s, &nothing, &answer, &progress, error);
}

static int talk(struct sync *s, struct outgoing *out, struct feed_answer *answer, bool *met,
                mneme_error *error) {
    TRY(confirm(s, met, error));
    if (*met)
        return 0;
    int status = converse(s, out, TALK, answer, met, error);
    if (status == MNEME_UNCERTAIN) /* if this fails, too, merging finds out (merge_own.c) */
        (void)outbox_suspect(s, out, NULL);
    return status;
}

static int step(struct sync *s, bool quiet, struct sync_progress *progress, mneme_error *error) {
    AUTO_OUTGOING struct outgoing out = {0};
    AUTO_ANSWER struct feed_answer answer = {0};
    bool meeting = s->state.phase != PHASE_IN_STEP, enough = false;
    if (!meeting)
        TRY(outbox_gather(s, &out, error));
    progress->held += out.held;
    if (quiet && out.count == 0)
        TRY(look(s, &enough, &answer, error));
    if (!enough) {
        bool met;
        TRY(talk(s, &out, &answer, &met, error));
        progress->more = met;
        if (met)
            return 0;
        TRY(settle(s, &out, &answer, progress, error));
    }
    if (must_note(s, &answer))
        TRY(take_in(s, &answer, progress, error));
    progress->cursor = answer.cursor;
    progress->head = answer.head;
    progress->more = more_to_do(s, &out, &answer, progress);
    if (meeting && !answer.more) {
        progress->more = true;
        TRY(meet_end(s, progress, error));
    }
    if (!progress->more)
        (void)ask_peers(s, answer.head, NULL); /* they are for people only */
    return 0;
}

/* Leave the failure for sync_status to tell; a failure of that is of no matter. */
static void note_error(struct sync *s, int status, const mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next = s->state;
    bool raced;
    if (status == MNEME_LOCKED || s->state.holder != s->holder)
        return;
    if (next.error_us && next.error_code == status && wall_us(s) - next.error_us < TELL_US)
        return;
    next.error_us = wall_us(s);
    next.error_code = status;
    snprintf(next.error_text, sizeof next.error_text, "%s", error->message);
    (void)writes_apply(s, &w, &next, &raced, NULL);
}

int sync_step(struct sync *s, bool quiet, struct sync_progress *out, mneme_error *error) {
    mneme_error text = {0};
    struct sync_progress progress = {0};
    int status = lease_hold(s, &text);
    if (status == 0)
        status = scope_check(s, &text);
    if (status == 0)
        status = step(s, quiet, &progress, &text);
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
