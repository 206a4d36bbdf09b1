/*
 * record.c - whole records: to and from what a store keeps, and the filling in of blanks.
 */
#include <stdlib.h>

#include "model/member.h"
#include "os/os.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "out of memory");
}

/* ---- Encoding ---------------------------------------------------------------------------- */

static int encode_view(struct view *view, bool all_steps, struct arena *arena, struct buf *body,
                       struct stored_record *out) {
    const struct schema *schema = view->kind->schema;
    struct chain chain = {.id = view->id, .number = 1, .time_us = view->time_us};
    if (schema == &episode_schema && !all_steps && !episode_is_finished(&view->body.episode))
        view->body.episode.steps = (mneme_step_list){NULL, 0};
    if (schema == &step_schema)
        chain.number = out->place = view->body.step.number;
    size_t before = body->size;
    body_encode(schema, &view->body, &chain, body);
    TRY(body->status);
    if (body->size - before > STORE_BODY_MAX)
        return MNEME_TOO_LARGE;
    out->plain_size = (uint32_t)(body->size - before);
    return attributes_make(schema, &view->body, arena, out);
}

int record_encode(const mneme_record *record, bool all_steps, struct arena *arena, struct buf *body,
                  struct stored_record *out, mneme_error *error) {
    struct view view;
    TRY(view_of(record, &view, error));
    struct stored_record made = {
        .kind = record->kind, .id = view.id, .parent = view.parent, .time_us = view.time_us};
    if (record->kind == MNEME_EPISODE && episode_is_finished(&view.body.episode))
        made.flags = MNEME_FLAG_SEALED;
    size_t before = body->size;
    int status = encode_view(&view, all_steps, arena, body, &made);
    if (status) {
        body->size = before;
        return status == MNEME_TOO_LARGE
                   ? error_set(error, status, "%s: larger than %d MiB when encoded",
                               kind_name(record->kind), STORE_BODY_MAX >> 20)
                   : no_memory(error);
    }
    *out = made;
    return 0;
}

int model_encode(const mneme_record *record, struct arena *arena, struct buf *body,
                 struct stored_record *out, mneme_error *error) {
    return record_encode(record, false, arena, body, out, error);
}

/* ---- Decoding ---------------------------------------------------------------------------- */

int record_body_of(const struct stored_record *stored, struct slice plain, struct arena *arena,
                   void **out) {
    const struct kind *kind = kind_find(stored->kind);
    void *body = arena_zalloc(arena, 1, kind->schema->size);
    if (!body)
        return MNEME_NO_MEMORY;
    struct chain chain = {.id = stored->id, .number = 1, .time_us = stored->time_us};
    if (kind->schema == &step_schema)
        chain.number = stored->place;
    TRY(body_decode(kind->schema, plain, &chain, arena, body));
    store_id(member_of(body, kind->id_at), stored->id);
    store_int(member_of(body, kind->time_at), stored->time_us);
    if (kind->parent_at)
        store_id(member_of(body, kind->parent_at), stored->parent);
    *out = body;
    return 0;
}

void steps_rise(mneme_step *steps, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (steps[i].number <= steps[i - 1].number)
            steps[i].number = steps[i - 1].number + 1;
}

static int decode_body(const struct stored_record *stored, struct slice plain, struct arena *arena,
                       mneme_record *out) {
    void *body;
    TRY(record_body_of(stored, plain, arena, &body));
    if (stored->kind == MNEME_EPISODE) {
        /* The items of the list were made by the decoder, in the arena: they may be written to. */
        const mneme_episode *e = body;
        mneme_step *steps;
        memcpy(&steps, &e->steps.items, sizeof steps);
        steps_rise(steps, e->steps.count);
    }
    record_set_body(out, body);
    return 0;
}

int model_decode(const struct stored_record *stored, struct slice plain, struct arena *arena,
                 mneme_record *out, mneme_error *error) {
    if (!kind_find(stored->kind))
        return error_set(error, MNEME_CORRUPT, "a record of kind %d, which the model has not",
                         (int)stored->kind);
    mneme_record made = {.kind = stored->kind,
                         .flags = stored->flags,
                         .id = stored->id,
                         .parent = stored->parent,
                         .version = stored->version,
                         .time_us = stored->time_us};
    if (!(stored->flags & MNEME_FLAG_DELETED)) {
        int status = decode_body(stored, plain, arena, &made);
        if (status == MNEME_NO_MEMORY)
            return no_memory(error);
        if (status) {
            char id[ID_TEXT_SIZE];
            id_format(&stored->id, id);
            return error_set(error, status, "%s %s: its body does not decode; run mneme verify",
                             kind_name(stored->kind), id);
        }
    }
    *out = made;
    return 0;
}

/* ---- Steps that are attached -------------------------------------------------------------- */

static int compare_ids(const void *a, const void *b) {
    const mneme_step *x = a, *y = b;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

static int compare_steps(const void *a, const void *b) {
    const mneme_step *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return compare_ids(a, b);
}

static bool numbers_rise(const mneme_step *steps, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (steps[i].number <= steps[i - 1].number)
            return false;
    return true;
}

/* Those of `more` and those of `list` whose ids are not among them, by number. */
static int join_steps(const mneme_step_list *list, const mneme_step_list *more, struct arena *arena,
                      mneme_step_list *out) {
    mneme_step *steps = arena_zalloc(arena, more->count + list->count, sizeof *steps);
    if (!steps)
        return MNEME_NO_MEMORY;
    size_t count = more->count;
    if (count)
        memcpy(steps, more->items, count * sizeof *steps);
    qsort(steps, count, sizeof *steps, compare_ids);
    for (size_t i = 0; i < list->count; i++)
        if (!bsearch(&list->items[i], steps, more->count, sizeof *steps, compare_ids))
            steps[count++] = list->items[i];
    qsort(steps, count, sizeof *steps, compare_steps);
    steps_rise(steps, count);
    *out = (mneme_step_list){count ? steps : NULL, count};
    return 0;
}

int model_attach_steps(mneme_record *episode, const mneme_step *steps, size_t count,
                       struct arena *arena) {
    ASSERT(episode->kind == MNEME_EPISODE);
    mneme_episode *copy = arena_alloc(arena, sizeof *copy);
    if (!copy)
        return MNEME_NO_MEMORY;
    *copy = *episode->as.episode;
    mneme_step_list list = {steps, count};
    if (copy->steps.count || !numbers_rise(steps, count))
        TRY(join_steps(&copy->steps, &list, arena, &list));
    copy->steps = list;
    episode->as.episode = copy;
    return 0;
}

/* ---- Blanks ------------------------------------------------------------------------------ */

/* A new id for a blank one, made for the time that was given, or for now. */
static int fill_id(mneme_id *id, int64_t given_us, mneme_error *error) {
    if (!id_is_zero(id))
        return 0;
    return id_make(given_us > 0 ? (uint64_t)given_us / 1000 : 0, id, error);
}

static int fill_steps(mneme_episode *e, struct arena *arena, mneme_error *error) {
    if (e->steps.count == 0)
        return 0;
    size_t size;
    if (!e->steps.items)
        return error_set(error, MNEME_INVALID, "episode: steps: has a count but no data");
    if (!checked_mul(e->steps.count, sizeof(mneme_step), &size))
        return no_memory(error);
    mneme_step *steps = arena_alloc(arena, size);
    if (!steps)
        return no_memory(error);
    memcpy(steps, e->steps.items, size);
    struct chain last = {.number = 0, .time_us = e->start_us};
    for (size_t i = 0; i < e->steps.count; i++) {
        TRY(fill_id(&steps[i].id, steps[i].time_us, error));
        if (steps[i].number == 0)
            steps[i].number = last.number + 1;
        if (steps[i].time_us == 0)
            steps[i].time_us = last.time_us;
        last = (struct chain){.number = steps[i].number, .time_us = steps[i].time_us};
    }
    e->steps.items = steps;
    return 0;
}

static int fill_episode(mneme_episode *e, int64_t now_us, struct arena *arena, mneme_error *error) {
    if (e->task_type.size == 0)
        e->task_type = (mneme_text){"other", 5};
    if (e->outcome.kind != MNEME_OUTCOME_NONE && e->end_us == 0)
        e->end_us = now_us;
    return fill_steps(e, arena, error);
}

int model_fill(const mneme_record *record, int64_t now_us, struct arena *arena, mneme_record *out,
               mneme_error *error) {
    struct view view;
    TRY(view_of(record, &view, error));
    const struct kind *kind = view.kind;
    TRY(fill_id(&view.id, view.time_us, error));
    if (view.time_us == 0)
        view.time_us = now_us;
    store_id(member_of(&view.body, kind->id_at), view.id);
    store_int(member_of(&view.body, kind->time_at), view.time_us);
    if (record->kind == MNEME_EPISODE)
        TRY(fill_episode(&view.body.episode, now_us, arena, error));
    void *body = arena_alloc(arena, kind->schema->size);
    if (!body)
        return no_memory(error);
    memcpy(body, &view.body, kind->schema->size);
    mneme_record made = {.kind = record->kind,
                         .id = view.id,
                         .parent = view.parent,
                         .version = record->version,
                         .time_us = view.time_us};
    if (record->kind == MNEME_EPISODE && episode_is_finished(&view.body.episode))
        made.flags = MNEME_FLAG_SEALED;
    record_set_body(&made, body);
    *out = made;
    return 0;
}
