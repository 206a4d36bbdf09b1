/*
 * conflict.c - mneme_conflict_resolve: an edit that was overruled is dropped, or written again.
 */
#include <stdlib.h>

#include "api/calls.h"
#include "api/handle.h"

/* ---- Steps --------------------------------------------------------------------------------- */

static bool has_step(const mneme_step_list *steps, const mneme_id *id) {
    for (size_t i = 0; i < steps->count; i++)
        if (id_equal(&steps->items[i].id, id))
            return true;
    return false;
}

static int step_compare(const void *a, const void *b) {
    const mneme_step *left = a, *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return memcmp(&left->id, &right->id, sizeof left->id);
}

/* The steps of both, those of `lost` where both have one; their numbers rise. */
static int join_steps(const mneme_episode *lost, const mneme_episode *now, struct arena *arena,
                      mneme_step_list *out) {
    size_t count = lost->steps.count, most;
    mneme_step *steps = NULL;
    if (checked_add(count, now->steps.count, &most))
        steps = arena_zalloc(arena, most, sizeof *steps);
    if (!steps)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        steps[i] = lost->steps.items[i];
    for (size_t i = 0; i < now->steps.count; i++)
        if (!has_step(&lost->steps, &now->steps.items[i].id))
            steps[count++] = now->steps.items[i];
    qsort(steps, count, sizeof *steps, step_compare);
    for (size_t i = 1; i < count; i++)
        if (steps[i].number <= steps[i - 1].number)
            steps[i].number = steps[i - 1].number + 1;
    *out = (mneme_step_list){steps, count};
    return 0;
}

/* An episode takes the steps along that it has now: they were no part of the conflict, and
 * replacing it would drop them. */
static int keep_steps(mneme *m, struct arena *arena, mneme_record *lost, mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    mneme_record now;
    int status = store_get_one(m->store, MNEME_EPISODE, &lost->id, &stored, error);
    if (status == MNEME_NOT_FOUND)
        return 0;
    TRY(status);
    TRY(record_open(m, &stored.records[0], arena, &now, error));
    mneme_episode *episode = arena_alloc(arena, sizeof *episode);
    if (!episode)
        return error_set(error, MNEME_NO_MEMORY, "no memory for an episode");
    *episode = *lost->as.episode;
    if (join_steps(lost->as.episode, now.as.episode, arena, &episode->steps))
        return error_set(error, MNEME_NO_MEMORY, "no memory for the steps of an episode");
    lost->as.episode = episode;
    return 0;
}

/* ---- Resolving ----------------------------------------------------------------------------- */

static int put_lost(mneme *m, struct write_set *set, const mneme_superseded *conflict,
                    const mneme_write *how, mneme_error *error) {
    mneme_record lost;
    mneme_id id;
    struct slice json = slice_of_text(conflict->lost);
    int status = model_from_json(json, conflict->subject_kind, &set->arena, &lost, error);
    if (status)
        return error_prefix(error, MNEME_CORRUPT, "the edit that was kept cannot be read");
    if (lost.kind != conflict->subject_kind || !id_equal(&lost.id, &conflict->subject))
        return error_set(error, MNEME_CORRUPT,
                         "the edit that was kept is of another record than it says");
    if (lost.kind == MNEME_EPISODE)
        TRY(keep_steps(m, &set->arena, &lost, error));
    mneme_write plainly = {.local_only = how && how->local_only};
    return write_set_put_whole(m, set, &lost, &plainly, clock_wall_us(), &id, error);
}

static int resolve_once(mneme *m, struct write_set *set, const mneme_id *id, bool restore,
                        const mneme_write *how, mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    mneme_record conflict;
    TRY(store_get_one(m->store, MNEME_SUPERSEDED, id, &stored, error));
    TRY(record_open(m, &stored.records[0], &set->arena, &conflict, error));
    if (restore)
        TRY(put_lost(m, set, conflict.as.superseded, how, error));
    if (!write_set_add(set, MUTATION_DELETE, CONDITION_LIVE, MNEME_SUPERSEDED, id))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a write");
    return write_set_commit(m, set, how, error);
}

int call_conflict_resolve(mneme *m, const mneme_id *id, bool restore, const mneme_write *how,
                          mneme_error *error) {
    TRY(write_check(m, how, error));
    if (!id)
        return error_set(error, MNEME_INVALID, "the id is NULL");
    for (unsigned attempt = 0;; attempt++) {
        AUTO_WRITES struct write_set set = {0};
        batched_drain(m->queue);
        int status = resolve_once(m, &set, id, restore, how, error);
        if (status == 0 || !write_set_again(&set, attempt))
            return status;
    }
}
