/*
 * write.c - the public calls that write.
 */
#include "api/calls.h"
#include "api/handle.h"

enum { PATIENCE = 8 }; /* attempts to complete an episode at one stroke */

int write_check(const mneme *m, const mneme_write *how, mneme_error *error) {
    TRY(handle_check(m, error));
    if (m->options.read_only)
        return error_set(error, MNEME_PERMISSION, "%s was opened for reading only", m->path);
    if (how && ((int)how->durability < 0 || how->durability > MNEME_RELAXED))
        return error_set(error, MNEME_INVALID, "there is no durability %d", (int)how->durability);
    if (how && how->durability == MNEME_BATCH && !how->ticket)
        return error_set(error, MNEME_INVALID,
                         "a MNEME_BATCH write needs mneme_write.ticket, to learn of its end");
    return 0;
}

static int count_check(const void *items, size_t count, mneme_error *error) {
    if (count > API_BATCH_MAX)
        return error_set(error, MNEME_TOO_LARGE, "a batch of %zu records is over %d; split it",
                         count, API_BATCH_MAX);
    return items || count == 0 ? 0 : error_set(error, MNEME_INVALID, "the records are NULL");
}

/* ---- Put and delete ----------------------------------------------------------------------- */

/* Behind a server, several episodes that may be there already are looked for in one request. Not
 * when one of them stands twice: what becomes of the second depends on the first. */
static int look_ahead(mneme *m, struct write_set *set, const mneme_record *records, size_t count,
                      const mneme_write *how, struct known *known, mneme_error *error) {
    bool twice = false;
    if (!m->far || count < 2 || (how && how->only_new))
        return 0;
    known->names = arena_zalloc(&set->arena, count, sizeof *known->names);
    known->found = arena_zalloc(&set->arena, count, sizeof *known->found);
    if (!known->names || !known->found)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu records", count);
    for (size_t i = 0; i < count; i++) {
        const mneme_episode *episode =
            records[i].kind == MNEME_EPISODE ? records[i].as.episode : NULL;
        mneme_id id = id_is_zero(&records[i].id) && episode ? episode->id : records[i].id;
        if (episode && !id_is_zero(&id))
            known->names[known->count++] = (struct record_name){MNEME_EPISODE, id};
    }
    if (known->count < 2)
        return 0;
    batched_drain(m->queue); /* what was queued before is part of what is read */
    TRY(known_look(m, known, &twice, error));
    set->known = twice ? NULL : known;
    return 0;
}

static int put_all(mneme *m, struct write_set *set, const mneme_record *records, size_t count,
                   const mneme_write *how, mneme_id *ids, mneme_error *error) {
    int64_t now_us = clock_wall_us();
    for (size_t i = 0; i < count; i++) {
        int status = write_set_put_whole(m, set, &records[i], how, now_us, &ids[i], error);
        if (status)
            return count > 1 ? error_prefix(error, status, "records[%zu]", i) : status;
    }
    return 0;
}

static int put_once(mneme *m, struct write_set *set, const mneme_record *records, size_t count,
                    const mneme_write *how, mneme_id *ids, mneme_error *error) {
    struct known known = {0};
    int status = look_ahead(m, set, records, count, how, &known, error);
    if (status == 0)
        status = put_all(m, set, records, count, how, ids, error);
    set->known = NULL;
    record_set_fini(&known.set);
    return status ? status : write_set_commit(m, set, how, error);
}

int call_put(mneme *m, const mneme_record *records, size_t count, const mneme_write *how,
             mneme_id *ids, mneme_error *error) {
    TRY(write_check(m, how, error));
    TRY(count_check(records, count, error));
    AUTO_FREE mneme_id *made = mem_zalloc(count, sizeof *made);
    if (!made)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu ids", count);
    for (unsigned attempt = 0;; attempt++) {
        AUTO_WRITES struct write_set set = {0};
        int status = put_once(m, &set, records, count, how, made, error);
        if (status && write_set_again(&set, attempt))
            continue;
        if (status == 0 && ids && count)
            memcpy(ids, made, count * sizeof *ids);
        return status;
    }
}

static int delete_one(mneme *m, struct write_set *set, mneme_kind kind, const mneme_id *id,
                      mneme_error *error) {
    if (!write_set_add(set, MUTATION_DELETE, CONDITION_LIVE, kind, id))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a write");
    if (kind != MNEME_EPISODE)
        return 0;
    TRY(write_set_drop_children(m, set, id, MNEME_STEP, MUTATION_DELETE, error));
    return write_set_drop_children(m, set, id, MNEME_CHECKPOINT, MUTATION_DELETE, error);
}

int call_delete(mneme *m, mneme_kind kind, const mneme_id *ids, size_t count,
                const mneme_write *how, mneme_error *error) {
    TRY(write_check(m, how, error));
    TRY(count_check(ids, count, error));
    if (!kind_is_public(kind))
        return error_set(error, MNEME_INVALID, "records of kind %d cannot be deleted", (int)kind);
    for (unsigned attempt = 0;; attempt++) {
        AUTO_WRITES struct write_set set = {0};
        int status = 0;
        for (size_t i = 0; i < count && status == 0; i++)
            status = delete_one(m, &set, kind, &ids[i], error);
        if (status == 0)
            status = write_set_commit(m, &set, how, error);
        if (status == 0 || !write_set_again(&set, attempt))
            return status;
    }
}

/* ---- Episodes ----------------------------------------------------------------------------- */

int call_episode_start(mneme *m, const mneme_episode *episode, const mneme_write *how, mneme_id *id,
                       mneme_error *error) {
    TRY(write_check(m, how, error));
    if (!episode)
        return error_set(error, MNEME_INVALID, "the episode is NULL");
    if (episode->end_us || episode->outcome.kind || episode->steps.count)
        return error_set(error, MNEME_INVALID,
                         "an episode that starts has no end, outcome or steps yet; store a whole "
                         "one with mneme_put");
    mneme_record record = {.kind = MNEME_EPISODE, .id = episode->id, .as.episode = episode};
    mneme_write only_new = how ? *how : (mneme_write){0};
    only_new.only_new = true;
    AUTO_WRITES struct write_set set = {0};
    mneme_id made;
    TRY(write_set_put_whole(m, &set, &record, &only_new, clock_wall_us(), &made, error));
    TRY(write_set_commit(m, &set, how, error));
    if (id)
        *id = made;
    return 0;
}

int call_step_append(mneme *m, const mneme_id *episode, const mneme_step *step,
                     const mneme_write *how, mneme_id *id, uint64_t *number, mneme_error *error) {
    TRY(write_check(m, how, error));
    if (!episode || !step)
        return error_set(error, MNEME_INVALID, "the episode's id or the step is NULL");
    mneme_record record = {.kind = MNEME_STEP, .id = step->id, .parent = *episode, .as.step = step};
    AUTO_WRITES struct write_set set = {0};
    mneme_id made;
    TRY(write_set_put_whole(m, &set, &record, NULL, clock_wall_us(), &made, error));
    TRY(write_set_commit(m, &set, how, error));
    if (id)
        *id = made;
    bool queued = how && how->durability != MNEME_SYNC;
    if (number)
        *number = queued ? 0 : set.mutations[set.count - 1].record.place;
    return 0;
}

static void complete_with(mneme_episode *episode, const mneme_completion *c, int64_t now_us) {
    int64_t least = episode->start_us > now_us ? episode->start_us : now_us;
    episode->outcome = c->outcome;
    episode->end_us = c->end_us ? c->end_us : least;
    if (c->reward.present)
        episode->reward = c->reward;
    if (c->reflection.successes.count)
        episode->reflection.successes = c->reflection.successes;
    if (c->reflection.improvements.count)
        episode->reflection.improvements = c->reflection.improvements;
    if (c->reflection.insights.count)
        episode->reflection.insights = c->reflection.insights;
    if (c->applied_count) {
        episode->applied = c->applied;
        episode->applied_count = c->applied_count;
    }
}

static int check_not_completed(const struct stored_record *episode, mneme_error *error) {
    if (!(episode->flags & MNEME_FLAG_SEALED))
        return 0;
    char text[ID_TEXT_SIZE];
    id_format(&episode->id, text);
    return error_set(error, MNEME_CONFLICT, "episode %s is already completed", text);
}

/*
 * The steps move into the episode's own record. What was read must be what is sealed: the episode
 * is put under the version that was read, each step is purged under its own, and the guard of
 * write_set_drop_children fails when a step has joined since. Then all is read again.
 */
static int complete_once(mneme *m, struct write_set *set, const mneme_id *id,
                         const mneme_completion *completion, const mneme_write *how,
                         mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    AUTO_RECORDS struct record_set steps = {0};
    mneme_record record;
    TRY(store_get_one(m->store, MNEME_EPISODE, id, &stored, error));
    TRY(check_not_completed(&stored.records[0], error));
    TRY(children_get(m, MNEME_STEP, id, false, &steps, error));
    TRY(write_set_drop(set, id, MNEME_STEP, MUTATION_PURGE, &steps, error));
    TRY(record_open_with(m, &stored.records[0], &steps, &set->arena, &record, error));
    mneme_episode episode = *record.as.episode;
    complete_with(&episode, completion, clock_wall_us());
    record.as.episode = &episode;
    record.version = (mneme_version){0};
    struct mutation *put;
    TRY(write_set_put(m, set, &record, &put, error));
    put->condition = CONDITION_CHANGE;
    put->expect_change = stored.records[0].change;
    return write_set_commit(m, set, how, error);
}

/*
 * Others may append so fast that between the reading of the steps and the commit there is always
 * one more. Then the episode is completed without them, which no append can disturb and after
 * which there are none; readers find the steps where they are (FLAG_LOOSE). Then the steps move in.
 * A process that dies between the two leaves the episode loose, which costs space and nothing else.
 */
static int complete_loosely(mneme *m, struct write_set *set, const mneme_id *id,
                            const mneme_completion *completion, const mneme_write *how,
                            mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    mneme_record record;
    TRY(store_get_one(m->store, MNEME_EPISODE, id, &stored, error));
    TRY(check_not_completed(&stored.records[0], error));
    TRY(record_open_with(m, &stored.records[0], NULL, &set->arena, &record, error));
    mneme_episode episode = *record.as.episode;
    complete_with(&episode, completion, clock_wall_us());
    episode.steps = (mneme_step_list){NULL, 0};
    record.as.episode = &episode;
    record.version = (mneme_version){0};
    struct mutation *put;
    TRY(write_set_put(m, set, &record, &put, error));
    put->record.flags |= FLAG_LOOSE;
    put->condition = CONDITION_CHANGE;
    put->expect_change = stored.records[0].change;
    return write_set_commit(m, set, how, error);
}

/* Move the steps of a loose episode into it. It is completed already, so a failure is none. */
static void move_steps_in(mneme *m, const mneme_id *id) {
    for (unsigned attempt = 0; attempt < API_RETRIES; attempt++) {
        AUTO_WRITES struct write_set set = {0};
        AUTO_RECORDS struct record_set stored = {0};
        AUTO_RECORDS struct record_set steps = {0};
        mneme_record record;
        struct mutation *put;
        if (store_get_one(m->store, MNEME_EPISODE, id, &stored, NULL) ||
            !(stored.records[0].flags & FLAG_LOOSE) ||
            children_get(m, MNEME_STEP, id, false, &steps, NULL) ||
            write_set_drop(&set, id, MNEME_STEP, MUTATION_PURGE, &steps, NULL) ||
            record_open_with(m, &stored.records[0], &steps, &set.arena, &record, NULL))
            return;
        record.version = (mneme_version){0};
        if (write_set_put(m, &set, &record, &put, NULL))
            return;
        put->condition = CONDITION_CHANGE;
        put->expect_change = stored.records[0].change;
        if (write_set_commit(m, &set, NULL, NULL) == 0 || !set.raced)
            return;
    }
}

int call_episode_complete(mneme *m, const mneme_id *id, const mneme_completion *completion,
                          const mneme_write *how, mneme_error *error) {
    TRY(write_check(m, how, error));
    if (!id || !completion)
        return error_set(error, MNEME_INVALID, "the id or the completion is NULL");
    if (completion->outcome.kind == MNEME_OUTCOME_NONE)
        return error_set(error, MNEME_INVALID,
                         "outcome.kind: say how the episode ended (success, partial success, "
                         "failed or abstained)");
    for (unsigned attempt = 0;; attempt++) {
        AUTO_WRITES struct write_set set = {0};
        batched_drain(m->queue);
        bool loosely = attempt >= PATIENCE;
        int status = loosely ? complete_loosely(m, &set, id, completion, how, error)
                             : complete_once(m, &set, id, completion, how, error);
        if (status == 0 && loosely)
            move_steps_in(m, id);
        if (status == 0 || !write_set_again(&set, attempt))
            return status;
    }
}

/* ---- Tags --------------------------------------------------------------------------------- */

static size_t tag_find(const mneme_text_list *tags, mneme_text tag) {
    size_t i = 0;
    while (i < tags->count && !text_equal(tags->items[i], tag))
        i++;
    return i;
}

/* *tags with `tag` added or removed; *changed tells whether that made a difference. */
static int tags_edit(struct arena *arena, mneme_text_list *tags, mneme_text tag, bool add,
                     bool *changed) {
    size_t at = tag_find(tags, tag);
    *changed = add == (at == tags->count);
    if (!*changed)
        return 0;
    mneme_text *items = arena_zalloc(arena, tags->count + 1, sizeof *items);
    if (!items)
        return MNEME_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < tags->count; i++)
        if (i != at)
            items[count++] = tags->items[i];
    if (add)
        items[count++] = tag;
    *tags = (mneme_text_list){items, count};
    return 0;
}

/* A copy of the record with its tags edited. */
static int record_edit_tags(struct arena *arena, mneme_record *record, mneme_text tag, bool add,
                            bool *changed, mneme_error *error) {
    mneme_text_list tags = record->kind == MNEME_EPISODE   ? record->as.episode->tags
                           : record->kind == MNEME_PATTERN ? record->as.pattern->tags
                                                           : record->as.heuristic->tags;
    size_t size = record->kind == MNEME_EPISODE   ? sizeof(mneme_episode)
                  : record->kind == MNEME_PATTERN ? sizeof(mneme_pattern)
                                                  : sizeof(mneme_heuristic);
    void *copy = arena_alloc(arena, size);
    if (!copy || tags_edit(arena, &tags, tag, add, changed))
        return error_set(error, MNEME_NO_MEMORY, "no memory to edit tags");
    memcpy(copy, record->as.episode, size); /* the union's members are all pointers */
    if (record->kind == MNEME_EPISODE)
        ((mneme_episode *)copy)->tags = tags;
    else if (record->kind == MNEME_PATTERN)
        ((mneme_pattern *)copy)->tags = tags;
    else
        ((mneme_heuristic *)copy)->tags = tags;
    record->as.episode = copy;
    record->version = (mneme_version){0};
    return 0;
}

static int tag_once(mneme *m, struct write_set *set, mneme_kind kind, const mneme_id *id,
                    mneme_text tag, bool add, const mneme_write *how, mneme_error *error) {
    AUTO_RECORDS struct record_set stored = {0};
    AUTO_RECORDS struct record_set steps = {0};
    mneme_record record;
    bool changed;
    TRY(store_get_one(m->store, kind, id, &stored, error));
    bool loose = stored.records[0].flags & FLAG_LOOSE;
    if (loose) { /* what is put has the steps inside */
        TRY(children_get(m, MNEME_STEP, id, false, &steps, error));
        TRY(write_set_drop(set, id, MNEME_STEP, MUTATION_PURGE, &steps, error));
    }
    TRY(record_open_with(m, &stored.records[0], loose ? &steps : NULL, &set->arena, &record,
                         error));
    TRY(record_edit_tags(&set->arena, &record, tag, add, &changed, error));
    if (changed) {
        struct mutation *put;
        TRY(write_set_put(m, set, &record, &put, error));
        put->condition = CONDITION_CHANGE;
        put->expect_change = stored.records[0].change;
    } else {
        set->count = 0;
    }
    return write_set_commit(m, set, how, error);
}

static int tag_write(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag, bool add,
                     const mneme_write *how, mneme_error *error) {
    TRY(write_check(m, how, error));
    if (!id)
        return error_set(error, MNEME_INVALID, "the id is NULL");
    if (kind != MNEME_EPISODE && kind != MNEME_PATTERN && kind != MNEME_HEURISTIC)
        return error_set(error, MNEME_INVALID,
                         "only episodes, patterns and heuristics have tags, not kind %d",
                         (int)kind);
    for (unsigned attempt = 0;; attempt++) {
        AUTO_WRITES struct write_set set = {0};
        batched_drain(m->queue);
        int status = tag_once(m, &set, kind, id, tag, add, how, error);
        if (status == 0 || !write_set_again(&set, attempt))
            return status;
    }
}

int call_tag_add(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                 const mneme_write *how, mneme_error *error) {
    return tag_write(m, kind, id, tag, true, how, error);
}

int call_tag_remove(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                    const mneme_write *how, mneme_error *error) {
    return tag_write(m, kind, id, tag, false, how, error);
}
