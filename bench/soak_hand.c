/*
 * soak_hand.c - what a hand does next: mostly writes, some reads, and now and then what it is
 * asked.
 */
#include "bench/soak_hand.h"

#include <time.h>

#include "bench/generate.h"

enum { LIVE_MAX = 120, BATCH_MAX = 12, STEPS_MAX = 60 };

int64_t soak_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint32_t soak_pick(struct soak_hand *h, uint32_t bound) {
    h->chance = mix(h->chance, 1);
    return (uint32_t)((h->chance >> 32) % bound);
}

/* ---- Objects -------------------------------------------------------------------------------- */

/* Whether an object is live, and will be when all is there that is queued. Of a store behind a
 * server nothing is done to what is pending. */
static bool is_usable(const struct soak_hand *h, uint32_t object, struct soak_state *state) {
    const struct soak_object *o = &h->ledger.objects[object];
    *state = ledger_state(&h->ledger, object, o->pending_count);
    return state->life == LIFE_LIVE && !(o->pending_count && soak_is_far(h));
}

/* A live plain object; or an episode, when `episode`, that is open, when `open`. */
static bool find(struct soak_hand *h, bool episode, bool open, uint32_t *object) {
    for (unsigned i = 0; i < 40 && h->ledger.live_count; i++) {
        struct soak_state state;
        *object = h->ledger.live[soak_pick(h, h->ledger.live_count)];
        if (!is_usable(h, *object, &state))
            continue;
        bool is_episode = h->ledger.objects[*object].kind == MNEME_EPISODE;
        if (is_episode == episode && (!open || (!state.end && state.steps < STEPS_MAX)))
            return true;
    }
    return false;
}

/* ---- Writes --------------------------------------------------------------------------------- */

static int write_new(struct soak_hand *h, enum soak_verb verb, uint32_t count, mneme_error *error) {
    struct soak_write w = {.verb = verb, .object = h->ledger.count, .count = count};
    w.local = !soak_is_far(h) && soak_pick(h, 12) == 0;
    return soak_write_run(h, &w, error);
}

/* Put over some neighbours, as far as they are there and plain; what is there stays as local or as
 * shared as it was. */
static int write_over(struct soak_hand *h, mneme_error *error) {
    struct soak_write w = {.verb = VERB_PUT, .count = 1};
    struct soak_state state;
    if (!find(h, false, false, &w.object))
        return 0;
    for (uint32_t more = soak_pick(h, BATCH_MAX); more > 0; more--) {
        uint32_t next = w.object + w.count;
        if (next >= h->ledger.count || h->ledger.objects[next].kind == MNEME_EPISODE ||
            !is_usable(h, next, &state))
            break;
        w.count++;
    }
    return soak_write_run(h, &w, error);
}

static int write_tag(struct soak_hand *h, mneme_error *error) {
    struct soak_write w = {.count = 1, .extra = soak_pick(h, SOAK_TAGS)};
    struct soak_state state;
    if (!find(h, soak_pick(h, 2), false, &w.object) || !is_usable(h, w.object, &state) ||
        h->ledger.objects[w.object].kind == MNEME_RELATION)
        return 0;
    w.verb = state.tags >> w.extra & 1 ? VERB_UNTAG : VERB_TAG;
    return soak_write_run(h, &w, error);
}

static int write_delete(struct soak_hand *h, mneme_error *error) {
    struct soak_write w = {.verb = VERB_DELETE, .count = 1};
    return find(h, soak_pick(h, 3) == 0, false, &w.object) ? soak_write_run(h, &w, error) : 0;
}

static int write_to_episode(struct soak_hand *h, enum soak_verb verb, mneme_error *error) {
    struct soak_write w = {.verb = verb, .count = 1};
    return find(h, true, true, &w.object) ? soak_write_run(h, &w, error)
                                          : write_new(h, VERB_START, 1, error);
}

/* ---- What all write to ---------------------------------------------------------------------- */

/* Of calls that are the same whoever makes them, so that nobody needs to know who did. */
static int allow(struct soak_hand *h, int status, int64_t begin_ns, const mneme_error *said,
                 mneme_error *error) {
    if (status == 0 || status == MNEME_CONFLICT || status == MNEME_NOT_FOUND ||
        soak_is_outage(h, status) || soak_is_full(h, status, begin_ns))
        return 0;
    return error_set(error, MNEME_FAILURE, "episode %u of all: %s: %.300s", h->race,
                     mneme_status_name(status), said->message);
}

static int start_race(struct soak_hand *h, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    mneme_record record;
    mneme_error said = {0};
    int64_t begin_ns = soak_now_ns();
    if (soak_race(h->eye.seed, h->race, &arena, &record))
        return error_set(error, MNEME_NO_MEMORY, "no memory for an episode");
    int status = mneme_episode_start(h->crew->m, record.as.episode, NULL, NULL, &said);
    return allow(h, status, begin_ns, &said, error);
}

static int complete_race(struct soak_hand *h, mneme_error *error) {
    mneme_completion end;
    mneme_id id = soak_id((struct soak_name){.class = SOAK_RACE, .number = h->race});
    mneme_error said = {0};
    int64_t begin_ns = soak_now_ns();
    soak_completion(h->race, &end);
    int status = mneme_episode_complete(h->crew->m, &id, &end, NULL, &said);
    return allow(h, status, begin_ns, &said, error);
}

static int race(struct soak_hand *h, mneme_error *error) {
    struct soak_write w = {.verb = VERB_RACE_STEP, .object = h->race, .count = 1};
    if (soak_pick(h, 60) == 0)
        TRY(complete_race(h, error));
    TRY(soak_write_run(h, &w, error));
    if (h->last == MNEME_NOT_FOUND)
        return start_race(h, error);
    if (h->last == MNEME_CONFLICT)
        h->race++;
    return 0;
}

/*
 * Those who write to the server have patterns of their own. A write of theirs knows no stamps, and
 * counts as new in all of the record: it would undo what was changed here and not sent yet.
 */
static int tag_shared(struct soak_hand *h, mneme_error *error) {
    struct soak_write w = {.count = 1, .extra = soak_pick(h, SOAK_TAGS)};
    w.object = soak_pick(h, SOAK_SHARED / 2) + (soak_is_far(h) ? SOAK_SHARED / 2 : 0);
    const struct soak_shared_tags *tags = &h->ledger.shared[w.object];
    if (tags->unsure >> w.extra & 1)
        return 0;
    w.verb = tags->set >> w.extra & 1 ? VERB_RACE_UNTAG : VERB_RACE_TAG;
    return soak_write_run(h, &w, error);
}

/* ---- Turns ---------------------------------------------------------------------------------- */

static int look_at_any(struct soak_hand *h, mneme_error *error) {
    for (unsigned i = 0; i < 6 && h->ledger.count; i++)
        TRY(soak_visit_one(h, soak_pick(h, h->ledger.count), error));
    return 0;
}

static int list_any(struct soak_hand *h, mneme_error *error) {
    static const mneme_kind kinds[] = {MNEME_EPISODE, MNEME_PATTERN, MNEME_HEURISTIC,
                                       MNEME_RELATION};
    return soak_visit_list(h, kinds[soak_pick(h, COUNT_OF(kinds))], error);
}

static int take_turn(struct soak_hand *h, mneme_error *error) {
    uint32_t chance = soak_pick(h, 100);
    if (h->ledger.live_count >= LIVE_MAX && soak_pick(h, 3) == 0)
        return write_delete(h, error);
    bool room = h->ledger.live_count < LIVE_MAX;
    if (chance < 10)
        return room ? write_new(h, VERB_PUT, 1, error) : write_over(h, error);
    if (chance < 14)
        return room ? write_new(h, VERB_PUT, 2 + soak_pick(h, BATCH_MAX), error)
                    : write_over(h, error);
    if (chance < 22)
        return write_over(h, error);
    if (chance < 30)
        return write_tag(h, error);
    if (chance < 33)
        return write_delete(h, error);
    if (chance < 36)
        return room ? write_new(h, VERB_WHOLE, 1, error) : 0;
    if (chance < 56)
        return write_to_episode(h, VERB_STEP, error);
    if (chance < 59)
        return write_to_episode(h, VERB_COMPLETE, error);
    if (chance < 64)
        return race(h, error);
    if (chance < 68)
        return tag_shared(h, error);
    if (chance < 92)
        return look_at_any(h, error);
    return chance < 96 ? list_any(h, error) : soak_visit_refused(h, error);
}

/* What the process was asked for, the first hand does that comes by. */
static int obey(struct soak_hand *h, mneme_error *error) {
    struct soak_slot *slot = h->crew->slot;
    if (atomic_exchange(&slot->backup, false) && !soak_is_far(h))
        TRY(soak_visit_backup(h, error));
    if (atomic_exchange(&slot->hold, false))
        TRY(soak_visit_long(h, error));
    return 0;
}

/* Who cannot reach the server does not ask again at once. */
static void back_off(struct soak_hand *h) {
    struct timespec time = {.tv_nsec = 8 * 1000 * 1000};
    h->outage = false;
    nanosleep(&time, NULL);
}

static int run(struct soak_hand *h, mneme_error *error) {
    while (!atomic_load(&h->crew->stop)) {
        if (atomic_load(&h->crew->careful) && !atomic_load(&h->drained)) {
            TRY(soak_drain(h, error));
            atomic_store(&h->drained, true);
        }
        TRY(obey(h, error));
        if (soak_is_far(h))
            TRY(soak_resolve(h, error));
        TRY(take_turn(h, error));
        if (h->outage)
            back_off(h);
        atomic_fetch_add_explicit(&h->crew->slot->turns, 1, memory_order_relaxed);
    }
    return soak_drain(h, error);
}

void *soak_hand_run(void *context) {
    struct soak_hand *h = context;
    for (uint32_t i = 0; i < h->ledger.race_count; i++)
        if (h->ledger.race_steps[i].race > h->race)
            h->race = h->ledger.race_steps[i].race;
    atomic_store(&h->status, run(h, &h->error));
    atomic_store(&h->drained, true);
    return NULL;
}
