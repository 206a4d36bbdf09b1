/*
 * ack_model.c - planning and making the calls of a writer in the kill tests.
 */
#include <stdio.h>

#include "support/ack_model.h"
#include "support/random_record.h"

enum { STEPS_MAX = 40, TAGS_MAX = 6 };

void ack_model_init(struct ack_model *model, unsigned writer, uint64_t seed) {
    *model = (struct ack_model){.writer = writer, .seed = seed};
}

bool ack_model_full(const struct ack_model *model) {
    return model->count + ACK_TARGETS > ACK_ENTITIES;
}

/* ---- Planning ----------------------------------------------------------------------------- */

static bool is_target(const struct ack_op *op, uint32_t number) {
    for (size_t i = 0; i < op->count; i++)
        if (op->targets[i] == number)
            return true;
    return false;
}

/* Some live entity of a kind (0: of any kind but checkpoints) that the call does not have yet. */
static bool find_live(const struct ack_model *model, struct rng *rng, mneme_kind kind,
                      const struct ack_op *op, uint32_t *number) {
    for (int look = 0; model->count && look < 20; look++) {
        uint32_t n = (uint32_t)rng_below(rng, model->count);
        const struct ack_entity *e = &model->entities[n];
        bool fits = kind ? e->kind == kind : e->kind != MNEME_CHECKPOINT;
        if (e->live && fits && !is_target(op, n)) {
            *number = n;
            return true;
        }
    }
    return false;
}

static void add_target(struct ack_op *op, uint32_t number, mneme_kind new_kind) {
    op->targets[op->count] = number;
    op->new_kind[op->count++] = (uint8_t)new_kind;
}

static void plan_put(const struct ack_model *model, struct rng *rng, struct ack_op *op) {
    size_t wanted = 1 + rng_below(rng, ACK_TARGETS);
    uint32_t fresh = model->count, old;
    op->call = ACK_PUT;
    while (op->count < wanted) {
        if (rng_chance(rng, 30) && find_live(model, rng, 0, op, &old)) {
            add_target(op, old, MNEME_KIND_NONE);
            continue;
        }
        uint64_t dice = rng_below(rng, 100);
        mneme_kind kind = dice < 50   ? MNEME_PATTERN
                          : dice < 75 ? MNEME_HEURISTIC
                          : dice < 90 ? MNEME_EPISODE
                                      : MNEME_CHECKPOINT;
        if (kind == MNEME_CHECKPOINT && !model->open_episode)
            kind = MNEME_PATTERN;
        add_target(op, fresh++, kind);
    }
}

/* True when there was something to delete. */
static bool plan_delete(const struct ack_model *model, struct rng *rng, struct ack_op *op) {
    mneme_kind kind = rng_chance(rng, 70) ? MNEME_PATTERN : MNEME_EPISODE;
    size_t wanted = kind == MNEME_PATTERN ? 1 + rng_below(rng, 4) : 1;
    uint32_t number;
    op->call = ACK_DELETE;
    while (op->count < wanted && find_live(model, rng, kind, op, &number))
        add_target(op, number, MNEME_KIND_NONE);
    return op->count > 0;
}

static bool plan_tag(const struct ack_model *model, struct rng *rng, struct ack_op *op) {
    uint32_t number;
    if (!find_live(model, rng, 0, op, &number))
        return false;
    unsigned tags = model->entities[number].tags;
    bool add = tags == 0 || (tags < TAGS_MAX && rng_chance(rng, 60));
    op->call = add ? ACK_TAG_ADD : ACK_TAG_REMOVE;
    add_target(op, number, MNEME_KIND_NONE);
    return true;
}

static void plan_episode(const struct ack_model *model, struct rng *rng, struct ack_op *op) {
    if (!model->open_episode) {
        op->call = ACK_START;
        add_target(op, model->count, MNEME_EPISODE);
        return;
    }
    unsigned steps = model->entities[model->open_episode - 1].steps;
    bool done = steps == STEPS_MAX || (steps > 2 && rng_chance(rng, 15));
    op->call = done ? ACK_COMPLETE : ACK_STEP;
    add_target(op, model->open_episode - 1, MNEME_KIND_NONE);
}

void ack_plan(const struct ack_model *model, uint64_t number, struct ack_op *op) {
    struct rng rng = {model->seed + number * 1000003 + model->writer};
    uint64_t dice = rng_below(&rng, 100);
    *op = (struct ack_op){.ticketed = rng_chance(&rng, 20)};
    if (dice < 12 && plan_delete(model, &rng, op))
        return;
    if (dice >= 12 && dice < 27 && plan_tag(model, &rng, op))
        return;
    op->count = 0;
    if (dice < 60)
        plan_put(model, &rng, op);
    else
        plan_episode(model, &rng, op);
}

/* ---- What a call makes of the model --------------------------------------------------------- */

static void apply_put(struct ack_model *model, const struct ack_op *op, size_t i) {
    struct rng rng = {model->seed ^ op->targets[i]};
    struct ack_entity *e = &model->entities[op->targets[i]];
    if (op->new_kind[i]) {
        *e = (struct ack_entity){.kind = op->new_kind[i], .live = 1};
        model->count++;
    }
    if (op->new_kind[i] == MNEME_EPISODE) {
        e->sealed = 1;
        e->steps = (uint16_t)rng_below(&rng, 6);
    }
    if (op->new_kind[i] == MNEME_CHECKPOINT)
        e->parent = model->open_episode - 1;
    e->revision++;
}

/* An episode takes its checkpoints with it. */
static void apply_delete(struct ack_model *model, uint32_t number) {
    model->entities[number].live = 0;
    if (model->entities[number].kind != MNEME_EPISODE)
        return;
    if (model->open_episode == number + 1)
        model->open_episode = 0;
    for (uint32_t i = 0; i < model->count; i++)
        if (model->entities[i].kind == MNEME_CHECKPOINT && model->entities[i].parent == number)
            model->entities[i].live = 0;
}

void ack_apply(struct ack_model *model, const struct ack_op *op) {
    struct ack_entity *first = &model->entities[op->targets[0]];
    switch (op->call) {
    case ACK_PUT:
        for (size_t i = 0; i < op->count; i++)
            apply_put(model, op, i);
        break;
    case ACK_DELETE:
        for (size_t i = 0; i < op->count; i++)
            apply_delete(model, op->targets[i]);
        break;
    case ACK_START:
        *first = (struct ack_entity){.kind = MNEME_EPISODE, .live = 1, .revision = 1};
        model->open_episode = ++model->count;
        break;
    case ACK_STEP:
        first->steps++;
        break;
    case ACK_COMPLETE:
        first->sealed = 1;
        model->open_episode = 0;
        break;
    case ACK_TAG_ADD:
        first->tags++;
        break;
    case ACK_TAG_REMOVE:
        first->tags--;
        break;
    }
}

/* ---- Making the call ------------------------------------------------------------------------ */

static int run_put(mneme *m, const struct ack_model *next, const struct ack_op *op,
                   const mneme_write *how, struct arena *arena, mneme_error *error) {
    mneme_record records[ACK_TARGETS];
    for (size_t i = 0; i < op->count; i++)
        ack_record(next, op->targets[i], arena, &records[i]);
    return mneme_put(m, records, op->count, how, NULL, error);
}

static int run_delete(mneme *m, const struct ack_model *next, const struct ack_op *op,
                      const mneme_write *how, struct arena *arena, mneme_error *error) {
    mneme_id ids[ACK_TARGETS];
    mneme_record record = {.kind = MNEME_KIND_NONE};
    for (size_t i = 0; i < op->count; i++) {
        ack_record(next, op->targets[i], arena, &record);
        ids[i] = record.id;
    }
    return mneme_delete(m, record.kind, ids, op->count, how, error);
}

static int run_complete(mneme *m, const mneme_record *record, const mneme_write *how,
                        mneme_error *error) {
    const mneme_episode *e = record->as.episode;
    mneme_completion completion = {.outcome = e->outcome,
                                   .reward = e->reward,
                                   .reflection = e->reflection,
                                   .end_us = e->end_us};
    return mneme_episode_complete(m, &record->id, &completion, how, error);
}

/* The step's number must be the next one; a queued step's is not known. */
static int run_step(mneme *m, const mneme_record *record, const mneme_write *how,
                    mneme_error *error) {
    const mneme_step_list *steps = &record->as.episode->steps;
    mneme_step step = steps->items[steps->count - 1];
    uint64_t number, wanted = step.number;
    step.number = 0;
    TRY(mneme_step_append(m, &record->id, &step, how, NULL, &number, error));
    if (how->durability == MNEME_SYNC && number != wanted)
        return error_set(error, MNEME_FAILURE, "a step got number %llu, and not %llu",
                         (unsigned long long)number, (unsigned long long)wanted);
    return 0;
}

static int run_call(mneme *m, const struct ack_model *next, const struct ack_op *op,
                    const mneme_write *how, struct arena *arena, mneme_error *error) {
    mneme_record record;
    char name[8];
    ack_record(next, op->targets[0], arena, &record);
    unsigned tags = next->entities[op->targets[0]].tags;
    snprintf(name, sizeof name, "t%u", op->call == ACK_TAG_ADD ? tags - 1 : tags);
    mneme_text tag = mneme_text_of(name);
    switch (op->call) {
    case ACK_PUT:
        return run_put(m, next, op, how, arena, error);
    case ACK_DELETE:
        return run_delete(m, next, op, how, arena, error);
    case ACK_START:
        return mneme_episode_start(m, record.as.episode, how, NULL, error);
    case ACK_STEP:
        return run_step(m, &record, how, error);
    case ACK_COMPLETE:
        return run_complete(m, &record, how, error);
    case ACK_TAG_ADD:
        return mneme_tag_add(m, record.kind, &record.id, tag, how, error);
    case ACK_TAG_REMOVE:
        return mneme_tag_remove(m, record.kind, &record.id, tag, how, error);
    }
    return MNEME_FAILURE;
}

int ack_run(mneme *m, const struct ack_model *model, const struct ack_op *op, mneme_error *error) {
    AUTO_ARENA struct arena arena = {.first_size = 65536};
    struct ack_model next = *model;
    ack_apply(&next, op);
    mneme_ticket ticket = 0;
    mneme_write how = {0};
    if (op->ticketed)
        how = (mneme_write){.durability = MNEME_BATCH, .ticket = &ticket};
    TRY(run_call(m, &next, op, &how, &arena, error));
    return op->ticketed ? mneme_ticket_wait(m, ticket, -1, error) : 0;
}
