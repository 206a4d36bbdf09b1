/*
 * plan.c - the items of a plan: added, and found by name.
 *
 * A page has a thousand records, and each asks for others of it: a child for its episode, an
 * episode for its steps. So names are found by a hash, and steps are listed apart.
 */
#include "sync/plan.h"

void plan_fini(struct plan *plan) {
    record_set_fini(&plan->mine);
    record_set_fini(&plan->bases);
    record_set_fini(&plan->children);
    arena_fini(&plan->arena);
    *plan = (struct plan){0};
}

/* The slot of a name: where its first item is, or where it would go. */
static size_t slot_of(const struct plan *plan, mneme_kind kind, const mneme_id *id) {
    uint64_t halves[2];
    memcpy(halves, id->bytes, sizeof halves);
    /* Fibonacci hashing (Knuth, volume 3, 6.4), of which the upper bits are the good ones. */
    uint64_t hash = ((halves[0] + kind) * 31 ^ halves[1]) * UINT64_C(0x9e3779b97f4a7c15);
    size_t mask = plan->slot_count - 1, slot = (size_t)(hash >> 32) & mask;
    for (;; slot = (slot + 1) & mask) {
        const struct item *item = plan->slots[slot] ? &plan->items[plan->slots[slot] - 1] : NULL;
        if (!item || (item->kind == kind && id_equal(&item->id, id)))
            return slot;
    }
}

struct item *plan_find(struct plan *plan, mneme_kind kind, const mneme_id *id) {
    if (plan->count == 0)
        return NULL;
    size_t at = plan->slots[slot_of(plan, kind, id)];
    return at ? &plan->items[at - 1] : NULL;
}

static void note_item(struct plan *plan, size_t at) {
    const struct item *item = &plan->items[at];
    size_t *slot = &plan->slots[slot_of(plan, item->kind, &item->id)];
    if (*slot == 0)
        *slot = at + 1;
}

int plan_reserve(struct plan *plan, size_t capacity, mneme_error *error) {
    size_t slot_count = 16;
    while (slot_count < 2 * capacity)
        slot_count *= 2;
    struct item *items = arena_zalloc(&plan->arena, capacity, sizeof *items);
    size_t *steps = arena_zalloc(&plan->arena, capacity, sizeof *steps);
    size_t *slots = arena_zalloc(&plan->arena, slot_count, sizeof *slots);
    if (!items || !steps || !slots)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    if (plan->count) {
        memcpy(items, plan->items, plan->count * sizeof *items);
        memcpy(steps, plan->steps, plan->step_count * sizeof *steps);
    }
    plan->items = items;
    plan->steps = steps;
    plan->slots = slots;
    plan->capacity = capacity;
    plan->slot_count = slot_count;
    for (size_t i = 0; i < plan->count; i++)
        note_item(plan, i);
    return 0;
}

int plan_add(struct plan *plan, const struct item *items, size_t count, mneme_error *error) {
    if (plan->count + count > plan->capacity)
        TRY(plan_reserve(plan, (plan->count + count) * 2, error));
    for (size_t i = 0; i < count; i++) {
        plan->items[plan->count] = items[i];
        if (items[i].kind == MNEME_STEP)
            plan->steps[plan->step_count++] = plan->count;
        note_item(plan, plan->count++);
    }
    return 0;
}
