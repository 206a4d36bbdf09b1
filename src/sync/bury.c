/*
 * bury.c - the steps of a completed life of an episode that lost to a later life.
 *
 * Three machines, one open episode:
 *   1. A deletes it and puts it again, open: a new life, born when A deleted the old one.
 *   2. B, which knows nothing of that, appends a step and shares it. C, which does not either,
 *      completes the episode, takes the step in, and takes it from the remote: without a trace.
 *   3. A hears of the completed life. Its own beats it, and goes out over it.
 *   4. B hears of the new life alone. Its step is younger than the birth of that, so nothing says
 *      that the step is of the old one, and that it has gone.
 * The same when A has only deleted it as yet: it may put it again before B hears of the delete.
 * So A, where the completed life ends, tells with tombstones what became of such steps. Their
 * values are in the superseded record of that life. A later life that is completed itself needs
 * none: whoever has such a step still puts it in (fold.c).
 */
#include "sync/plan.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
}

/* Whether a completed life came, and what is here is open or deleted, and stays so. */
static bool may_beat(const struct item *item) {
    const uint32_t sealed = MNEME_FLAG_SEALED;
    return item->kind == MNEME_EPISODE && item->changed && !item->ignored &&
           record_is_live(item->theirs) && item->theirs->flags & sealed &&
           !(record_is_live(item->result.record) && item->result.record->flags & sealed);
}

static int make_tombstone(struct plan *plan, struct item *item, const struct merge_step *step,
                          const mneme_id *episode, mneme_error *error) {
    struct stored_record *tombstone = arena_alloc(&plan->arena, sizeof *tombstone);
    if (!tombstone)
        return no_memory(error);
    *tombstone = (struct stored_record){.kind = MNEME_STEP,
                                        .flags = MNEME_FLAG_DELETED,
                                        .id = step->id,
                                        .parent = *episode,
                                        .version = step->stamp};
    if (item->result.record) {
        tombstone->place = item->result.record->place;
        tombstone->time_us = item->result.record->time_us;
    }
    item->result = (struct merge_side){.record = tombstone};
    item->changed = true;
    return 0;
}

/* Here as a record that was pulled, or not at all. One that was written here is of this life; one
 * that has gone into its episode here is told of when the outbox comes to it. */
static int bury(struct plan *plan, const struct merge_step *step, const mneme_id *episode,
                mneme_error *error) {
    struct item *item;
    TRY(plan_name(plan, MNEME_STEP, &step->id, &item, error));
    bool is_theirs = item->theirs && !item->changed && !item->ignored;
    bool is_shared = item->mark.mark == MARK_CLEAN && !item->theirs;
    bool is_absent = !item->theirs && !item->mine && item->mark.mark == MARK_NONE;
    if (!is_theirs && !is_shared && !is_absent)
        return 0;
    if (!is_absent && !record_is_live(item->result.record))
        return 0;
    TRY(make_tombstone(plan, item, step, episode, error));
    if (is_absent)
        item->base = item->result.record; /* so it goes out, for others who may have the step */
    return 0;
}

int plan_bury(struct plan *plan, size_t at, mneme_error *error) {
    struct item episode = plan->items[at];
    struct merge_side theirs;
    struct merge_step *steps;
    size_t count;
    if (!may_beat(&episode))
        return 0;
    TRY(plan_open(plan, episode.theirs, &theirs, error));
    TRY(merge_outlived_steps(&episode.result, &theirs, &plan->arena, &steps, &count, error));
    for (size_t i = 0; i < count; i++)
        TRY(bury(plan, &steps[i], &episode.id, error));
    return 0;
}
