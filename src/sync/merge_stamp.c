/*
 * merge_stamp.c - what was changed since the base gets the version of the change.
 */
#include <stdlib.h>

#include "model/member.h"
#include "sync/merge_impl.h"

/* One list of mine, compared with the same of the base. */
struct comparison {
    const struct field *field;
    const struct merge_row *base;
    struct merge_row *mine;
    mneme_version version; /* of mine */
    struct arena *arena;
    mneme_step *risen; /* of the base, by id, when its numbers do not rise as they are stored */
    size_t risen_count;
};

/* ---- Numbers of steps -------------------------------------------------------------------- */

static int by_id(const void *a, const void *b) {
    const mneme_step *x = a, *y = b;
    return memcmp(&x->id, &y->id, sizeof x->id);
}

static int by_number(const void *a, const void *b) {
    const mneme_step *x = a, *y = b;
    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return by_id(a, b);
}

/* The steps of the base as a reader was shown them, who may have written them back so. */
static int make_risen(struct comparison *c) {
    mneme_step *steps = arena_zalloc(c->arena, c->base->count, sizeof *steps);
    size_t count = 0;
    if (!steps)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < c->base->count; i++)
        if (c->base->items[i].at)
            memcpy(&steps[count++], c->base->items[i].at, sizeof *steps);
    qsort(steps, count, sizeof *steps, by_number);
    bool rises = true;
    for (size_t i = 1; i < count && rises; i++)
        rises = steps[i].number > steps[i - 1].number;
    if (rises)
        return 0;
    steps_rise(steps, count);
    qsort(steps, count, sizeof *steps, by_id);
    c->risen = steps;
    c->risen_count = count;
    return 0;
}

/* Whether a step is the base's but for a number that was made to rise. */
static int is_risen(const struct comparison *c, const struct merge_item *item,
                    const struct merge_item *base, bool *yes) {
    *yes = false;
    if (!c->risen || !base->at)
        return 0;
    mneme_step step, stored;
    memcpy(&step, item->at, sizeof step);
    memcpy(&stored, base->at, sizeof stored);
    const mneme_step *shown = bsearch(&step, c->risen, c->risen_count, sizeof step, by_id);
    if (!shown || shown->number != step.number)
        return 0;
    struct merge_item as_stored;
    step.number = stored.number;
    TRY(merge_read_item(c->field, &step, c->arena, &as_stored));
    *yes = slice_equal(as_stored.value, base->value);
    return 0;
}

/* ---- Items ------------------------------------------------------------------------------- */

static int stamp_values(struct comparison *c) {
    for (size_t i = 0; i < c->mine->count; i++) {
        struct merge_item *item = &c->mine->items[i];
        const struct merge_item *base = merge_find_item(c->base, item->key);
        bool same = base && merge_same_value(base, item);
        if (base && !same)
            TRY(is_risen(c, item, base, &same));
        if (!same)
            continue;
        struct merge_place place = item->place;
        *item = *base;
        item->place = place;
    }
    return 0;
}

/* An item keeps its place as long as all before it keep theirs and it stands behind them. */
static void stamp_places(struct comparison *c) {
    struct merge_row sorted = {.items = c->mine->items, .count = c->mine->count};
    struct merge_place last = {0};
    bool rewritten = false;
    uint64_t next = 0;
    /* The items stand by key; their places are still their indices in the list. */
    if (sorted.count)
        qsort(sorted.items, sorted.count, sizeof *sorted.items, merge_by_place);
    for (size_t i = 0; i < sorted.count; i++) {
        struct merge_item *item = &sorted.items[i];
        const struct merge_item *base = merge_find_item(c->base, item->key);
        bool behind = base && base->at && (i == 0 || merge_compare_places(&last, &base->place) < 0);
        rewritten = rewritten || !behind;
        item->place = rewritten ? (struct merge_place){c->version, next++} : base->place;
        last = item->place;
    }
    merge_sort_items(&sorted);
}

/* What the base has and mine has not was removed now, or was removed before. */
static int add_gone(struct comparison *c) {
    struct merge_row all = {.stamp = c->mine->stamp};
    all.items = arena_zalloc(c->arena, c->mine->count + c->base->count, sizeof *all.items);
    if (!all.items)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < c->mine->count; i++)
        all.items[all.count++] = c->mine->items[i];
    for (size_t i = 0; i < c->base->count; i++) {
        struct merge_item gone = c->base->items[i];
        if (merge_find_item(c->mine, gone.key))
            continue;
        if (gone.at)
            gone.stamp = c->version;
        gone.at = NULL;
        gone.value = (struct slice){0};
        all.items[all.count++] = gone;
    }
    merge_sort_items(&all);
    *c->mine = all;
    return 0;
}

static int stamp_items(struct comparison *c) {
    if (c->field->schema == &step_schema)
        TRY(make_risen(c));
    TRY(stamp_values(c));
    if (merge_has_places(c->field))
        stamp_places(c);
    return add_gone(c);
}

/* ---- Records ----------------------------------------------------------------------------- */

static int stamp_rows(const struct merge_state *base, struct arena *arena,
                      struct merge_state *mine) {
    const struct schema *schema = mine->kind->schema;
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct field *f = &schema->fields[i];
        enum merge_class class = merge_class_of(mine->kind, f);
        struct comparison c = {.field = f,
                               .base = &base->rows[i],
                               .mine = &mine->rows[i],
                               .version = mine->header.version,
                               .arena = arena};
        if (class == MERGE_WHOLE && slice_equal(base->rows[i].value, mine->rows[i].value))
            mine->rows[i].stamp = base->rows[i].stamp;
        else if (class == MERGE_WHOLE) /* emptied, too */
            mine->rows[i].stamp = mine->header.version;
        else if (class == MERGE_ITEMS)
            TRY(stamp_items(&c));
    }
    return 0;
}

int merge_stamp_state(const struct merge_side *base, const struct merge_side *mine,
                      struct arena *arena, struct merge_state *out, mneme_error *error) {
    TRY(merge_state_read(mine, arena, out, error));
    if (!base->record || out->stamped)
        return 0;
    out->stamped = true;
    if (!merge_is_live(base)) {
        out->birth = base->record->version;
        return 0;
    }
    struct merge_state old;
    TRY(merge_state_read(base, arena, &old, error));
    out->birth = old.birth;
    return stamp_rows(&old, arena, out)
               ? error_set(error, MNEME_NO_MEMORY, "no memory to merge records")
               : 0;
}

int merge_stamp(const struct merge_side *base, const struct merge_side *mine, struct arena *arena,
                struct merge_side *out, mneme_error *error) {
    struct merge_state state;
    struct merge_side made;
    if (!base->record || !merge_is_live(mine) || !kind_find(mine->record->kind)) {
        *out = *mine;
        return 0;
    }
    TRY(merge_stamp_state(base, mine, arena, &state, error));
    TRY(merge_state_write(&state, arena, &made, error));
    *out = slice_equal(made.plain, mine->plain) ? *mine : made;
    return 0;
}
