/*
 * exchange.c - exchanges with the remote: looks, confirmations, and flights.
 *
 * A flight is an exchange that moves records. It is begun, and finished later: while it is under
 * way, in a thread of its own, what came of the one before it is stored. So a flight is begun with
 * what the last answer says, before the local store has it:
 *   - its page begins behind the last one, but the cursor that is told is the one stored here;
 *   - its pushes are the next of the outbox, behind those whose fate is not stored yet;
 *   - it uses the pair of tags (next_tag, spare), and spare was stored before the last flight.
 * When the process dies, the row at the remote has one of three tags: `tag` if neither flight was
 * done, `next_tag` if one was, `spare` if both were; and nothing of what was stored here depends on
 * more than the first of them. There is a spare only while there is enough to move: a copy of this
 * store, set back later, knows the tags that are stored, and should know few.
 */
#include <stdio.h>

#include "sync/sync_impl.h"

void sync_tags_make(const struct sync *s, struct sync_state *state) {
    state->tag = chance(s) | 1;
    state->next_tag = chance(s) | 1;
    state->spare_tag = 0;
}

/* The next pair. A new one is not used before it is stored. */
static void tags_move(const struct sync *s, struct sync_state *state) {
    state->tag = state->next_tag;
    state->next_tag = state->spare_tag ? state->spare_tag : chance(s) | 1;
    state->spare_tag = state->spare_tag ? chance(s) | 1 : 0;
}

/* ---- Request and answer ---------------------------------------------------------------------- */

/*
 * A look pulls nothing and leaves our row there as it is; to tell is to write the row, and nothing
 * else. For what is pulled the row gets a new tag: else a remote that is set back to before it, and
 * grows past it again, could not be told from the one that we knew.
 */
enum purpose { LOOK, TELL, TALK };

static void request_make(const struct sync *s, enum purpose purpose, struct feed_request *out) {
    const struct sync_state *state = &s->state;
    *out = (struct feed_request){.peer = state->peer,
                                 .fence = s->fence,
                                 .tag = state->tag,
                                 .next_tag = state->next_tag,
                                 .cursor = state->cursor,
                                 .pull_max = purpose == TALK ? s->options.pull_max : 0,
                                 .quiet = purpose == LOOK};
    memcpy(out->epoch, state->epoch, sizeof out->epoch);
    if (s->options.name)
        snprintf(out->name, sizeof out->name, "%s", s->options.name);
}

/* What an answer says of the remote and of our row there. */
static void answer_take(struct sync *s, const struct feed_request *request, int64_t begun_us,
                        int64_t ended_us, struct feed_answer *answer) {
    struct sync_state *state = &s->state;
    if (answer->time_us) {
        state->skew_us = answer->time_us - begun_us - (ended_us - begun_us) / 2;
        state->skew_known = true;
    }
    state->bytes_up += answer->bytes_up;
    state->bytes_down += answer->bytes_down;
    if (answer->verdict == FEED_OK && !request->quiet && answer->head < feed_from(request))
        answer->verdict = FEED_OTHER_TAG; /* it has less than it had: it was set back */
    if (answer->verdict != FEED_OK || request->quiet)
        return;
    memcpy(state->epoch, answer->epoch, sizeof state->epoch);
    tags_move(s, state);
    state->told_cursor = request->cursor;
    state->told_us = ended_us;
}

static int ask(struct sync *s, struct feed_request *request, struct feed_answer *answer,
               mneme_error *error) {
    uint64_t begun = meter_begin(s->options.meter);
    int status = feed_exchange(s->options.feed, request, answer, error);
    (void)meter_end(s->options.meter, METER_SYNC_EXCHANGE, begun, status);
    return status;
}

static int exchange(struct sync *s, enum purpose purpose, struct feed_answer *answer,
                    mneme_error *error) {
    struct feed_request request;
    request_make(s, purpose, &request);
    int64_t begun_us = wall_us(s);
    TRY(ask(s, &request, answer, error));
    answer_take(s, &request, begun_us, wall_us(s), answer);
    return 0;
}

static int fenced(const struct sync *s, mneme_error *error) {
    LOG(WARN, SYNC, "lease lost: another worker has gone on", LOG_WHOLE("fence", s->fence));
    return error_set(error, MNEME_LOCKED,
                     "another worker of this store has gone on meanwhile; this one stops");
}

/* What the verdict of an exchange that writes our row means. *met: the remote is not the one we
 * knew, and a meeting has begun instead. */
static int judge(struct sync *s, const struct feed_answer *answer, bool *met, mneme_error *error) {
    if (answer->verdict == FEED_FENCED) {
        /* Nobody took over from us here: then our memory was set back, and is another peer. */
        uint64_t fence = s->fence;
        TRY(lease_hold(s, error));
        if (s->fence != fence)
            return fenced(s, error);
    }
    *met = answer->verdict != FEED_OK;
    return *met ? meet_begin(s, answer, error) : 0;
}

/* ---- Looking and telling --------------------------------------------------------------------- */

static bool cursor_is_due(const struct sync *s) {
    return s->state.told_cursor != s->state.cursor && wall_us(s) - s->state.told_us > SYNC_TELL_US;
}

int exchange_look(struct sync *s, bool *enough, struct feed_answer *answer, mneme_error *error) {
    *enough = false;
    if (s->state.epoch[0] == 0 || s->state.phase != PHASE_IN_STEP || cursor_is_due(s))
        return 0;
    AUTO_ANSWER struct feed_answer seen = {0};
    TRY(exchange(s, LOOK, &seen, error));
    *enough = seen.verdict == FEED_OK && seen.head == s->state.cursor;
    answer->head = seen.head;
    answer->cursor = s->state.cursor;
    answer->floor = seen.floor;
    return 0;
}

/* Tell our row the next tag. Both flights that were under way may have been done: then the row is
 * one tag further than an exchange asks for. */
static int tell(struct sync *s, struct feed_answer *answer, mneme_error *error) {
    const struct sync_state before = s->state;
    TRY(exchange(s, TELL, answer, error));
    if (answer->verdict != FEED_OTHER_TAG || s->state.spare_tag == 0)
        return 0;
    tags_move(s, &s->state);
    int status = exchange(s, TELL, answer, error);
    if (status || answer->verdict == FEED_OTHER_TAG) {
        s->state.tag = before.tag;
        s->state.next_tag = before.next_tag;
        s->state.spare_tag = before.spare_tag;
    }
    return status;
}

/*
 * The pair of tags of an exchange of which nobody knows is used up by one that only tells it, until
 * that is acknowledged. Were it used again for records, then a remote that is set back to behind
 * the first use could not be told from one that has had the second, too.
 */
int exchange_confirm(struct sync *s, bool *met, mneme_error *error) {
    AUTO_ANSWER struct feed_answer answer = {0};
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next;
    bool raced;
    *met = false;
    if (!s->unsure)
        return 0;
    TRY(tell(s, &answer, error));
    TRY(judge(s, &answer, met, error));
    if (*met)
        return 0;
    next = s->state;
    TRY(writes_apply(s, &w, &next, &raced, error));
    s->unsure = false;
    return 0;
}

/* ---- Flights --------------------------------------------------------------------------------- */

static void *fly(void *argument) {
    struct flight *f = argument;
    struct sync *s = f->sync;
    log_scope = f->scope;
    f->status = ask(s, &f->request, &f->answer, &f->error);
    f->ended_us = wall_us(s);
    return NULL;
}

void flight_begin(struct sync *s, struct flight *f, const struct feed_answer *behind) {
    f->sync = s;
    f->scope = log_scope;
    request_make(s, TALK, &f->request);
    f->request.from = behind ? behind->cursor : 0;
    f->request.pushes = f->out.pushes;
    f->request.push_count = f->out.count;
    f->begun_us = wall_us(s);
    f->begun = true;
    s->unsure = true; /* until what becomes of it is stored */
    /* Who waits for it at once needs no thread. */
    f->has_thread = behind && !s->options.no_threads && thread_start(&f->thread, fly, f, NULL) == 0;
    if (behind && s->options.no_threads && chance(s) % 2) {
        fly(f);
        f->flown = true;
    }
}

/* Wait until it has ended. */
static void land(struct flight *f) {
    if (f->has_thread)
        pthread_join(f->thread, NULL);
    else if (!f->flown)
        fly(f);
    f->begun = false;
}

int flight_finish(struct sync *s, struct flight *f, bool *met, mneme_error *error) {
    *met = false;
    land(f);
    if (f->status == MNEME_UNCERTAIN) /* if this fails, too, merging finds out (merge_own.c) */
        (void)outbox_suspect(s, &f->out, NULL);
    if (f->status) {
        if (error)
            *error = f->error;
        return f->status;
    }
    answer_take(s, &f->request, f->begun_us, f->ended_us, &f->answer);
    LOG(DEBUG, SYNC, "request answered", LOG_WHOLE("pushes", f->request.push_count),
        LOG_WHOLE("records", f->answer.records.count), LOG_WHOLE("cursor", f->answer.cursor),
        LOG_WHOLE("head", f->answer.head), LOG_BOOL("more", f->answer.more),
        LOG_MS("duration_ms", f->ended_us - f->begun_us));
    return judge(s, &f->answer, met, error);
}

void flight_fini(struct flight *f) {
    if (f->begun && (f->has_thread || f->flown)) {
        land(f);
        (void)outbox_suspect(f->sync, &f->out, NULL);
    }
    outgoing_fini(&f->out);
    feed_answer_fini(&f->answer);
    *f = (struct flight){0};
}
