/*
 * follow.c - what follows from an exchange in the local store: the fates of what went out, and what
 * came in; each with the state that is true once it is stored.
 */
#include "sync/plan.h"

enum { ATTEMPTS = 16 /* to apply something while others write */ };

/* The last try went well, and read the feed up to here. */
static void note_pulled(const struct sync *s, const struct feed_answer *answer,
                        struct sync_state *next) {
    next->cursor = answer->cursor;
    next->head = answer->head;
    next->floor = answer->floor;
    next->pull_us = wall_us(s);
    next->error_us = 0;
    next->error_code = 0;
    next->error_text[0] = 0;
    next->next_us = 0;
}

/* ---- What went out --------------------------------------------------------------------------- */

static int settle(struct sync *s, const struct flight *flight, struct sync_progress *progress,
                  mneme_error *error) {
    const struct sync_progress before = *progress;
    bool raced = true;
    for (int attempt = 0; raced; attempt++) {
        AUTO_SYNC_WRITES struct writes w = {0};
        struct sync_state next = s->state;
        if (attempt == ATTEMPTS)
            return error_set(error, MNEME_LOCKED,
                             "records that were just sent are written all the "
                             "time; what became of them is asked again");
        *progress = before;
        TRY(outbox_settle(s, &flight->out, &flight->answer, &w, progress, error));
        next.pushed += progress->pushed - before.pushed;
        next.plain_bytes += flight->out.plain_bytes;
        if (progress->pushed > before.pushed)
            next.push_us = wall_us(s);
        if (flight->answer.records.count == 0)
            note_pulled(s, &flight->answer, &next);
        TRY(writes_apply(s, &w, &next, &raced, error));
    }
    outbox_settled(s, &flight->out);
    return 0;
}

/* ---- What came in ---------------------------------------------------------------------------- */

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

static int take_in(struct sync *s, const struct feed_answer *answer, struct sync_progress *progress,
                   mneme_error *error) {
    const struct sync_progress before = *progress;
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
        note_pulled(s, answer, &next);
        next.pulled += progress->pulled - before.pulled;
        next.merged += progress->merged - before.merged;
        next.plain_bytes += plain_size_of(&answer->records);
        TRY(writes_apply(s, &w, &next, &raced, error));
    }
    return 0;
}

/* ---- Both ------------------------------------------------------------------------------------ */

int follow_flight(struct sync *s, const struct flight *flight, struct sync_progress *progress,
                  mneme_error *error) {
    const struct feed_answer *answer = &flight->answer;
    /* What came is not looked at before it is known what became of what went. */
    if (flight->out.count || answer->records.count == 0)
        TRY(settle(s, flight, progress, error));
    if (answer->records.count)
        TRY(take_in(s, answer, progress, error));
    return 0;
}

int follow_look(struct sync *s, const struct feed_answer *answer, mneme_error *error) {
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_state next = s->state;
    bool raced;
    if (answer->head == s->state.head && !s->state.error_us &&
        wall_us(s) - s->state.pull_us <= SYNC_TELL_US)
        return 0;
    note_pulled(s, answer, &next);
    return writes_apply(s, &w, &next, &raced, error);
}
