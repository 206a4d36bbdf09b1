/*
 * sim_see.c - the slots, and what a reader sees of them: as src/api reads records.
 */
#include "support/sim_work.h"

const struct sim_slot sim_slots[SIM_SLOTS] = {
    [0] = {.kind = MNEME_EPISODE, .everywhere = true},
    [1] = {.kind = MNEME_EPISODE},
    [2] = {.kind = MNEME_EPISODE},
    [3] = {.kind = MNEME_EPISODE},
    [4] = {.kind = MNEME_EPISODE},
    [5] = {.kind = MNEME_EPISODE},
    [6] = {.kind = MNEME_PATTERN, .everywhere = true},
    [7] = {.kind = MNEME_PATTERN},
    [8] = {.kind = MNEME_PATTERN},
    [9] = {.kind = MNEME_PATTERN},
    [10] = {.kind = MNEME_CHECKPOINT, .parent = 1 + 1},
    [11] = {.kind = MNEME_CHECKPOINT, .parent = 2 + 1},
    [12] = {.kind = MNEME_PATTERN},
    [13] = {.kind = MNEME_PATTERN},
    [14] = {.kind = MNEME_EPISODE, .local = true},
    [15] = {.kind = MNEME_PATTERN, .local = true},
};

mneme_id sim_slot_id(unsigned slot, unsigned device) {
    return numbered_id(100 + slot + (sim_slots[slot].local ? 100 * device : 0));
}

/* ---- Reading ----------------------------------------------------------------------------- */

void sim_seen_fini(struct sim_seen *seen) {
    record_set_fini(&seen->set);
    record_set_fini(&seen->steps);
    arena_fini(&seen->arena);
    *seen = (struct sim_seen){0};
}

unsigned sim_token_next(struct slice text, size_t *at) {
    for (; *at < text.size; ++*at) {
        size_t i = *at + 1;
        unsigned token = 0;
        if (text.data[*at] != 'w')
            continue;
        for (; i < text.size && text.data[i] >= '0' && text.data[i] <= '9'; i++)
            token = token * 10 + (text.data[i] - '0');
        if (token && i < text.size && text.data[i] == ';') {
            *at = i + 1;
            return token;
        }
    }
    return 0;
}

static unsigned token_of(mneme_text text) {
    size_t at = 0;
    return sim_token_next(slice_of_text(text), &at);
}

static void add_element(struct sim_seen *seen, unsigned key, mneme_text text) {
    unsigned token = token_of(text);
    if (token == 0 || seen->count == SIM_ELEMENTS_MAX)
        return;
    if (key == SIM_KEY_TAG || key == SIM_KEY_STEP)
        key += token;
    seen->elements[seen->count++] = (struct sim_element){key, token};
}

static void add_common(struct sim_seen *seen, mneme_text title, const mneme_context *context,
                       const mneme_text_list *tags, const mneme_pair_list *metadata) {
    add_element(seen, SIM_KEY_TITLE, title);
    if (context)
        add_element(seen, SIM_KEY_DOMAIN, context->domain);
    for (size_t i = 0; tags && i < tags->count; i++)
        add_element(seen, SIM_KEY_TAG, tags->items[i]);
    for (size_t i = 0; i < metadata->count; i++)
        add_element(seen, SIM_KEY_META + (unsigned)(metadata->items[i].name.data[1] - '0'),
                    metadata->items[i].value);
}

static int open_record(const struct stored_record *stored, struct arena *arena, mneme_record *out,
                       mneme_error *error) {
    struct slice plain;
    TRY(sim_body_open(stored, &plain, error));
    return model_decode(stored, plain, arena, out, error);
}

/* The steps that are records of their own become part of the episode, as src/api reads it. */
static int see_steps(struct store *store, struct sim_seen *seen, mneme_error *error) {
    struct store_query query = {.kind = MNEME_STEP,
                                .has_parent = true,
                                .parent = seen->record.id,
                                .order = ORDER_OLDEST_FIRST,
                                .limit = STORE_PAGE_MAX};
    bool more;
    TRY(store_query(store, &query, &seen->steps, &more, error));
    if (seen->steps.count == 0)
        return 0;
    mneme_step *steps = arena_zalloc(&seen->arena, seen->steps.count, sizeof *steps);
    if (!steps)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < seen->steps.count; i++) {
        mneme_record step;
        TRY(open_record(&seen->steps.records[i], &seen->arena, &step, error));
        steps[i] = *step.as.step;
    }
    return model_attach_steps(&seen->record, steps, seen->steps.count, &seen->arena);
}

static void see_elements(struct sim_seen *seen) {
    const mneme_record *record = &seen->record;
    if (record->kind == MNEME_EPISODE) {
        const mneme_episode *e = record->as.episode;
        add_common(seen, e->task, &e->context, &e->tags, &e->metadata);
        add_element(seen, SIM_KEY_VERDICT, e->outcome.verdict);
        for (size_t i = 0; i < e->steps.count; i++)
            add_element(seen, SIM_KEY_STEP, e->steps.items[i].action);
    } else if (record->kind == MNEME_PATTERN) {
        const mneme_pattern *p = record->as.pattern;
        add_common(seen, p->name, &p->context, &p->tags, &p->metadata);
    } else if (record->kind == MNEME_CHECKPOINT) {
        const mneme_checkpoint *c = record->as.checkpoint;
        add_common(seen, c->note, NULL, NULL, &c->metadata);
    }
}

int sim_see(struct store *store, unsigned slot, unsigned device, struct sim_seen *seen,
            mneme_error *error) {
    struct record_name name = {sim_slots[slot].kind, sim_slot_id(slot, device)};
    size_t found;
    TRY(store_get(store, &name, 1, &seen->set, &found, error));
    seen->stored = found != SIZE_MAX;
    if (!seen->stored)
        return 0;
    const struct stored_record *stored = &seen->set.records[found];
    seen->live = !(stored->flags & MNEME_FLAG_DELETED);
    seen->sealed = stored->flags & MNEME_FLAG_SEALED;
    if (!seen->live)
        return 0;
    TRY(open_record(stored, &seen->arena, &seen->record, error));
    if (stored->kind == MNEME_EPISODE && !seen->sealed)
        TRY(see_steps(store, seen, error));
    see_elements(seen);
    return 0;
}
