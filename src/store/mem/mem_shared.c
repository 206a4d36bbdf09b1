/*
 * mem_shared.c - the mem store's side of shared.h: each call looks at everything there is.
 */
#include <stdlib.h>

#include "store/mem/mem_impl.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to read what is shared");
}

static struct shared_counts count_marks(const struct mem_marks *marks) {
    struct shared_counts counts = {0};
    for (size_t i = 0; i < marks->count; i++) {
        counts.clean += marks->marks[i]->mark == MARK_CLEAN;
        counts.changed += marks->marks[i]->mark == MARK_BASE;
        counts.gone += marks->marks[i]->mark == MARK_GONE;
        counts.held += marks->marks[i]->held;
    }
    return counts;
}

static int mem_state(struct store *store, struct arena *arena, struct slice *state, uint64_t *fence,
                     struct shared_counts *counts, mneme_error *error) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    if (state && arena_copy(arena, m->state ? m->state->bytes : slice_of(NULL, 0), state))
        return no_memory(error);
    if (fence)
        *fence = mem_fence(m);
    if (counts)
        *counts = count_marks(&m->marks);
    return 0;
}

static int mem_marks(struct store *store, const struct record_name *names, size_t count,
                     struct shared_mark *marks, struct record_set *bases, mneme_error *error) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    for (size_t i = 0; i < count; i++) {
        struct mem_mark mark = mem_marks_get(&m->marks, names[i].kind, &names[i].id);
        marks[i] = (struct shared_mark){
            .mark = mark.mark, .at = mark.at, .held = mark.held, .base = SIZE_MAX};
        if (mark.mark == MARK_NONE)
            marks[i].at = 0;
        if (mark.mark != MARK_BASE)
            continue;
        marks[i].base = bases->count;
        if (record_set_copy(bases, &mark.base, false))
            return no_memory(error);
    }
    return 0;
}

static int by_change(const void *a, const void *b) {
    const struct stored_record *const *left = a, *const *right = b;
    return (*left)->change < (*right)->change ? -1 : (*left)->change > (*right)->change;
}

/* The records behind a change number, in their order. */
static const struct stored_record **records_behind(const struct mem_store *m, uint64_t since,
                                                   size_t *count) {
    const struct stored_record **records =
        mem_zalloc(m->table.count, sizeof(const struct stored_record *));
    *count = 0;
    for (size_t i = 0; records && i < m->table.count; i++)
        if (m->table.records[i]->change > since)
            records[(*count)++] = m->table.records[i];
    if (records)
        qsort(records, *count, sizeof(const struct stored_record *), by_change);
    return records;
}

static int mem_outbox(struct store *store, uint64_t since, size_t limit, size_t bytes,
                      struct record_set *out, uint64_t *upto, bool *more, mneme_error *error) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    size_t count, taken = 0, sum = 0;
    AUTO_FREE const struct stored_record **records = records_behind(m, since, &count);
    if (!records)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct mem_mark mark = mem_marks_get(&m->marks, records[i]->kind, &records[i]->id);
        *more = taken == limit || (taken && sum > bytes);
        if (*more)
            return 0;
        *upto = records[i]->change;
        if (mark.mark == MARK_CLEAN || mark.held)
            continue;
        if (record_set_copy(out, records[i], false))
            return no_memory(error);
        taken++;
        sum += records[i]->body.size;
    }
    if (m->counters.last_change > since)
        *upto = m->counters.last_change;
    return 0;
}

static bool is_behind(const struct record_name *name, const struct record_name *after) {
    int order = after ? memcmp(name->id.bytes, after->id.bytes, sizeof name->id.bytes) : 1;
    return order > 0 || (order == 0 && name->kind > after->kind);
}

static int mem_names(struct store *store, enum mark wanted, const struct record_name *after,
                     size_t limit, struct record_name *names, uint64_t *at, struct slice *reasons,
                     struct arena *arena, size_t *count, mneme_error *error) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    for (size_t i = 0; i < m->marks.count && *count < limit; i++) {
        const struct mem_mark *mark = m->marks.marks[i];
        bool fits = wanted == MARK_HELD ? mark->held : mark->mark == wanted;
        if (!fits || !is_behind(&mark->name, after))
            continue;
        struct slice said =
            wanted == MARK_HELD ? mark->reason : slice_of(&mark->parent, sizeof mark->parent);
        bool tells = wanted == MARK_HELD || wanted == MARK_GONE;
        if (reasons && tells && arena_copy(arena, said, &reasons[*count]))
            return no_memory(error);
        names[*count] = mark->name;
        at[*count] = wanted == MARK_HELD ? 0 : mark->at;
        ++*count;
    }
    return 0;
}

const struct shared_operations mem_shared_operations = {
    .state = mem_state,
    .marks = mem_marks,
    .outbox = mem_outbox,
    .names = mem_names,
};
