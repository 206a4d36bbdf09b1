/*
 * soak_write.c - a hand writes: into the ledger what it means to do, into the store, and into the
 * ledger what came of it.
 */
#include <time.h>

#include "bench/soak_hand.h"

/* ---- The calls ------------------------------------------------------------------------------ */

static const enum soak_call call_of[VERBS] = {
    [VERB_PUT] = CALL_PUT,           [VERB_TAG] = CALL_TAG,        [VERB_UNTAG] = CALL_TAG,
    [VERB_DELETE] = CALL_DELETE,     [VERB_START] = CALL_START,    [VERB_STEP] = CALL_STEP,
    [VERB_COMPLETE] = CALL_COMPLETE, [VERB_WHOLE] = CALL_PUT,      [VERB_RACE_STEP] = CALL_STEP,
    [VERB_RACE_TAG] = CALL_TAG,      [VERB_RACE_UNTAG] = CALL_TAG,
};

static const char *const verb_names[VERBS] = {"put",         "tag",        "untag",       "delete",
                                              "start",       "step",       "complete",    "whole",
                                              "common step", "common tag", "common untag"};

static mneme_id object_id(const struct soak_hand *h, uint32_t object) {
    return soak_id(
        (struct soak_name){.class = SOAK_OBJECT, .writer = h->ledger.writer, .number = object});
}

static int put_plain(struct soak_hand *h, const struct soak_write *w, const mneme_write *how,
                     struct arena *arena, mneme_error *error) {
    mneme_record *records = arena_zalloc(arena, w->count, sizeof *records);
    if (!records)
        return error_set(error, MNEME_NO_MEMORY, "no memory for records");
    for (uint32_t i = 0; i < w->count; i++)
        if (soak_plain(h->eye.seed, h->ledger.writer, w->object + i, w->number, arena, &records[i]))
            return error_set(error, MNEME_NO_MEMORY, "no memory for records");
    return mneme_put(h->crew->m, records, w->count, how, NULL, error);
}

static int delete_some(struct soak_hand *h, const struct soak_write *w, const mneme_write *how,
                       mneme_error *error) {
    mneme_id id = object_id(h, w->object);
    return mneme_delete(h->crew->m, h->ledger.objects[w->object].kind, &id, 1, how, error);
}

static int put_whole(struct soak_hand *h, const struct soak_write *w, mneme_record *record,
                     mneme_episode *episode, const mneme_write *how, struct arena *arena,
                     mneme_error *error) {
    size_t count = soak_whole_steps(w->number);
    mneme_step *steps = arena_zalloc(arena, count, sizeof *steps);
    mneme_completion end;
    if (!steps)
        return error_set(error, MNEME_NO_MEMORY, "no memory for steps");
    for (size_t i = 0; i < count; i++)
        if (soak_step(h->eye.seed, h->ledger.writer, w->number, (unsigned)i, arena, &steps[i]))
            return error_set(error, MNEME_NO_MEMORY, "no memory for steps");
    soak_completion(w->number, &end);
    episode->steps = (mneme_step_list){steps, count};
    episode->outcome = end.outcome;
    episode->reward = end.reward;
    episode->end_us = end.end_us;
    return mneme_put(h->crew->m, record, 1, how, NULL, error);
}

static int make_episode(struct soak_hand *h, const struct soak_write *w, const mneme_write *how,
                        struct arena *arena, mneme_error *error) {
    mneme_record record;
    mneme_episode *episode;
    if (soak_episode(h->eye.seed, h->ledger.writer, w->object, w->number, arena, &record, &episode))
        return error_set(error, MNEME_NO_MEMORY, "no memory for an episode");
    return w->verb == VERB_WHOLE ? put_whole(h, w, &record, episode, how, arena, error)
                                 : mneme_episode_start(h->crew->m, episode, how, NULL, error);
}

static int append(struct soak_hand *h, const struct soak_write *w, const mneme_write *how,
                  struct arena *arena, mneme_error *error) {
    mneme_step step;
    mneme_id episode = w->verb == VERB_STEP
                           ? object_id(h, w->object)
                           : soak_id((struct soak_name){.class = SOAK_RACE, .number = w->object});
    if (soak_step(h->eye.seed, h->ledger.writer, w->number, 0, arena, &step))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a step");
    return mneme_step_append(h->crew->m, &episode, &step, how, NULL, NULL, error);
}

static int tag(struct soak_hand *h, const struct soak_write *w, const mneme_write *how,
               mneme_error *error) {
    char word[SOAK_WORD_SIZE];
    bool shared = w->verb == VERB_RACE_TAG || w->verb == VERB_RACE_UNTAG;
    mneme_id id = shared ? soak_id((struct soak_name){.class = SOAK_BOARD, .number = w->object})
                         : object_id(h, w->object);
    mneme_kind kind = shared ? MNEME_PATTERN : h->ledger.objects[w->object].kind;
    soak_tag(h->ledger.writer, w->extra, word);
    return w->verb == VERB_TAG || w->verb == VERB_RACE_TAG
               ? mneme_tag_add(h->crew->m, kind, &id, mneme_text_of(word), how, error)
               : mneme_tag_remove(h->crew->m, kind, &id, mneme_text_of(word), how, error);
}

static int complete(struct soak_hand *h, const struct soak_write *w, const mneme_write *how,
                    mneme_error *error) {
    mneme_completion end;
    mneme_id id = object_id(h, w->object);
    soak_completion(w->number, &end);
    return mneme_episode_complete(h->crew->m, &id, &end, how, error);
}

static int call(struct soak_hand *h, const struct soak_write *w, const mneme_write *how,
                mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    switch (w->verb) {
    case VERB_PUT:
        return put_plain(h, w, how, &arena, error);
    case VERB_DELETE:
        return delete_some(h, w, how, error);
    case VERB_START:
    case VERB_WHOLE:
        return make_episode(h, w, how, &arena, error);
    case VERB_STEP:
    case VERB_RACE_STEP:
        return append(h, w, how, &arena, error);
    case VERB_COMPLETE:
        return complete(h, w, how, error);
    case VERB_TAG:
    case VERB_UNTAG:
    case VERB_RACE_TAG:
    case VERB_RACE_UNTAG:
        return tag(h, w, how, error);
    case VERBS:
        break;
    }
    return error_set(error, MNEME_INVALID, "no such write");
}

/* Whether the call reads the record, and writes it on the condition that it is the same still. */
static bool reads_first(const struct soak_write *w) {
    return w->verb == VERB_TAG || w->verb == VERB_UNTAG || w->verb == VERB_COMPLETE;
}

/* ---- What came of it ------------------------------------------------------------------------ */

bool soak_is_outage(struct soak_hand *h, int status) {
    bool is = soak_is_far(h) &&
              (status == MNEME_UNAVAILABLE || status == MNEME_UNCERTAIN || status == MNEME_LOCKED);
    if (is)
        soak_count(h->crew->board, status == MNEME_UNCERTAIN ? COUNT_UNCERTAIN : COUNT_UNAVAILABLE);
    h->outage = h->outage || is;
    return is;
}

bool soak_is_full(struct soak_hand *h, int status, int64_t begin_ns) {
    bool is = status == MNEME_NO_SPACE && begin_ns / 1000 <= atomic_load(&h->crew->limited_until);
    if (is)
        soak_count(h->crew->board, COUNT_NO_SPACE);
    return is;
}

/*
 * Whether a write may find that another was faster: where others write, too; and a queued one that
 * read the record when it was queued, since sync writes a record anew when it has gone out.
 */
static bool may_be_beaten(const struct soak_write *w, int status) {
    if (w->verb >= VERB_RACE_STEP)
        return status == MNEME_CONFLICT || status == MNEME_NOT_FOUND;
    return status == MNEME_CONFLICT && reads_first(w) && w->queued;
}

/* Whether a write may fail like this; it is counted. */
static bool may_fail(struct soak_hand *h, const struct soak_write *w, int status,
                     int64_t begin_us) {
    if (soak_is_outage(h, status))
        return true;
    if (soak_is_full(h, status, begin_us * 1000))
        return true;
    bool beaten = may_be_beaten(w, status);
    if (beaten)
        soak_count(h->crew->board, COUNT_CONFLICTS);
    return beaten;
}

/* A write that failed has changed nothing: an object of a store on this machine is looked at. */
static int look_unchanged(struct soak_hand *h, const struct soak_write *w, mneme_error *error) {
    if (soak_is_far(h) || w->verb >= VERB_RACE_STEP)
        return 0;
    for (uint32_t i = 0; i < w->count; i++)
        TRY(soak_visit_one(h, w->object + i, error));
    return 0;
}

static int settle_one(struct soak_hand *h, uint32_t number, mneme_error *error) {
    mneme_error reading;
    int status = soak_settle(&h->eye, &h->ledger, number, &reading);
    if (status == 0)
        soak_count(h->crew->board, COUNT_SETTLED);
    if (status == 0 || soak_is_outage(h, status))
        return 0;
    return error_set(error, status, "%s", reading.message);
}

static int finish(struct soak_hand *h, const struct soak_write *w, int status, int64_t begin_us,
                  const mneme_error *said, mneme_error *error) {
    h->last = status;
    if (status == 0) {
        soak_count(h->crew->board, COUNT_DONE);
        return ledger_end(&h->ledger, w->number, 0, error);
    }
    if (!may_fail(h, w, status, begin_us))
        return error_set(error, MNEME_FAILURE, "writer %u, write %u (%s of object %u): %s: %.300s",
                         h->ledger.writer, w->number, verb_names[w->verb], w->object,
                         mneme_status_name(status), said->message);
    if (status == MNEME_UNCERTAIN && w->verb < VERB_RACE_STEP)
        return settle_one(h, w->number, error);
    TRY(ledger_end(&h->ledger, w->number, status, error));
    return look_unchanged(h, w, error);
}

int soak_resolve(struct soak_hand *h, mneme_error *error) {
    for (uint32_t i = h->ledger.pending_count; i-- > 0;)
        if (h->ledger.pending[i].number >= h->first)
            return settle_one(h, h->ledger.pending[i].number, error);
    return 0;
}

/* ---- The queue ------------------------------------------------------------------------------ */

/* Which writes that nobody waits for failed is not told, so that is read. */
static int end_queued(struct soak_hand *h, const struct soak_queued *q, int flushed,
                      int64_t begin_us, mneme_error *error) {
    const struct soak_write w = *ledger_pending(&h->ledger, q->number);
    mneme_error said = {0};
    if (!q->relaxed)
        return finish(h, &w, mneme_ticket_wait(h->crew->m, q->ticket, -1, &said), begin_us, &said,
                      error);
    return flushed ? settle_one(h, q->number, error) : finish(h, &w, 0, begin_us, &said, error);
}

int soak_drain(struct soak_hand *h, mneme_error *error) {
    if (!h->queue_count)
        return 0;
    struct soak_queued queue[SOAK_QUEUE_MAX];
    size_t count = h->queue_count;
    mneme_error said = {0};
    int64_t begin_us = soak_now_ns() / 1000;
    memcpy(queue, h->queue, sizeof queue);
    h->queue_count = 0;
    int flushed = mneme_flush(h->crew->m, &said);
    soak_times_add(soak_times_of(h, CALL_WAIT), soak_now_ns() - begin_us * 1000);
    if (flushed && begin_us > atomic_load(&h->crew->limited_until))
        return error_set(error, MNEME_FAILURE, "writer %u: a queued write failed: %.300s",
                         h->ledger.writer, said.message);
    for (size_t i = 0; i < count; i++)
        TRY(end_queued(h, &queue[i], flushed, begin_us, error));
    return 0;
}

/* Whether one of the write's objects has a write pending on it that allows no other behind it. */
static bool must_drain(const struct soak_hand *h, const struct soak_write *w, bool batch) {
    if (w->verb >= VERB_RACE_STEP)
        return false;
    for (uint32_t i = w->object; i < w->object + w->count && i < h->ledger.count; i++) {
        const struct soak_object *o = &h->ledger.objects[i];
        if (o->pending_count && (!batch || o->pending_count >= SOAK_OBJECT_PENDING_MAX - 1))
            return true;
        for (size_t q = 0; q < h->queue_count && o->pending_count; q++)
            if (o->pending[0] == h->queue[q].number &&
                (h->queue[q].relaxed || reads_first(ledger_pending(&h->ledger, o->pending[0]))))
                return true;
    }
    return false;
}

static mneme_durability choose_durability(struct soak_hand *h, const struct soak_write *w) {
    uint32_t chance = soak_pick(h, 10);
    if (soak_is_far(h) || w->verb >= VERB_RACE_STEP || chance < 6)
        return MNEME_SYNC;
    if (chance < 9)
        return MNEME_BATCH;
    return atomic_load(&h->crew->careful) || reads_first(w) ? MNEME_BATCH : MNEME_RELAXED;
}

int soak_write_run(struct soak_hand *h, struct soak_write *w, mneme_error *error) {
    mneme_ticket ticket = 0;
    mneme_error said = {0};
    mneme_write how = {.durability = choose_durability(h, w), .local_only = w->local};
    bool batch = how.durability == MNEME_BATCH;
    if (h->queue_count == SOAK_QUEUE_MAX || must_drain(h, w, batch))
        TRY(soak_drain(h, error));
    if (batch)
        how.ticket = &ticket;
    w->queued = how.durability != MNEME_SYNC;
    TRY(ledger_begin(&h->ledger, w, error));
    int64_t begin_ns = soak_now_ns();
    int status = call(h, w, &how, &said);
    enum soak_call what = w->queued                             ? CALL_QUEUED
                          : w->verb == VERB_PUT && w->count > 1 ? CALL_PUT_MANY
                                                                : call_of[w->verb];
    if (status == 0)
        soak_times_add(soak_times_of(h, what), soak_now_ns() - begin_ns);
    if (status || !w->queued)
        return finish(h, w, status, begin_ns / 1000, &said, error);
    h->queue[h->queue_count++] = (struct soak_queued){w->number, !batch, ticket};
    return atomic_load(&h->crew->careful) ? soak_drain(h, error) : 0;
}
