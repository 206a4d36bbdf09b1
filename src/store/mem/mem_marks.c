/*
 * mem_marks.c - the marks of the mem store: the rules of shared.h in the plainest words, and the
 * sorted array that keeps them.
 */
#include "store/mem/mem_marks.h"

#include "store/store_impl.h"

/* ---- Rules ------------------------------------------------------------------------------- */

static struct mem_mark after_write(struct mem_mark now, const struct mutation *mutation,
                                   const struct stored_record *present) {
    switch (mutation->shared.mark) {
    case MARK_CLEAN:
        now.mark = MARK_CLEAN;
        now.at = mutation->shared.at;
        return now;
    case MARK_BASE:
        if (now.mark != MARK_BASE)
            now.mark = MARK_NONE;
        return now;
    case MARK_NONE:
    case MARK_GONE:
    case MARK_HELD:
    case MARK_FREE:
        break;
    }
    now.held = false;
    if (now.mark == MARK_CLEAN)
        now.base = *present;
    else if (now.mark == MARK_GONE)
        now.base = base_of_gone(&mutation->record);
    else if (now.mark == MARK_BASE && write_begins_life(mutation, present))
        now.base = *present;
    if (now.mark != MARK_NONE)
        now.mark = MARK_BASE;
    return now;
}

static struct mem_mark after_purge(struct mem_mark now, const struct mutation *mutation,
                                   const struct stored_record *present) {
    if (mutation->shared.mark == MARK_CLEAN)
        return (struct mem_mark){.name = now.name};
    if (!present)
        return now;
    now.held = false;
    if (now.mark != MARK_NONE)
        now.mark = MARK_GONE;
    now.parent = present->parent;
    return now;
}

static struct mem_mark after_mark(struct mem_mark now, const struct mutation *mutation) {
    const struct shared_change *shared = &mutation->shared;
    switch (shared->mark) {
    case MARK_CLEAN:
    case MARK_BASE:
    case MARK_GONE:
        now.mark = shared->mark;
        now.at = shared->at;
        now.base = mutation->record;
        now.parent = mutation->record.parent;
        break;
    case MARK_HELD:
        now.held = true;
        now.reason = shared->reason;
        break;
    case MARK_FREE:
        now.held = false;
        break;
    case MARK_NONE:
        return (struct mem_mark){.name = now.name};
    }
    return now;
}

struct mem_mark mem_mark_after(const struct mem_mark *before, const struct mutation *mutation,
                               const struct stored_record *present) {
    switch (mutation->op) {
    case MUTATION_PUT:
    case MUTATION_DELETE:
        return after_write(*before, mutation, present);
    case MUTATION_PURGE:
        return after_purge(*before, mutation, present);
    case MUTATION_MARK:
        return after_mark(*before, mutation);
    case MUTATION_CHECK:
    case MUTATION_STATE:
        break;
    }
    return *before;
}

/* ---- One mark, and the state ------------------------------------------------------------- */

struct mem_mark *mem_mark_create(const struct mem_mark *from) {
    AUTO_ARENA struct arena arena = {.first_size = sizeof(struct mem_mark)};
    struct mem_mark *mark = arena_zalloc(&arena, 1, sizeof *mark);
    if (!mark)
        return NULL;
    *mark = (struct mem_mark){.name = from->name,
                              .mark = from->mark,
                              .at = from->at,
                              .parent = from->parent,
                              .held = from->held};
    if (from->mark == MARK_BASE && record_copy(&arena, &from->base, false, &mark->base))
        return NULL;
    if (from->held && arena_copy(&arena, from->reason, &mark->reason))
        return NULL;
    return arena_take(&arena);
}

void mem_mark_free(struct mem_mark *mark) { arena_free_taken(mark); }

struct mem_state *mem_state_create(uint64_t fence, struct slice bytes) {
    AUTO_ARENA struct arena arena = {.first_size = sizeof(struct mem_state)};
    struct mem_state *state = arena_zalloc(&arena, 1, sizeof *state);
    if (!state || arena_copy(&arena, bytes, &state->bytes))
        return NULL;
    state->fence = fence;
    return arena_take(&arena);
}

void mem_state_free(struct mem_state *state) { arena_free_taken(state); }

/* ---- The table --------------------------------------------------------------------------- */

void mem_marks_fini(struct mem_marks *table) {
    for (size_t i = 0; i < table->count; i++)
        mem_mark_free(table->marks[i]);
    mem_free(table->marks);
    *table = (struct mem_marks){0};
}

static int name_compare(const struct record_name *a, mneme_kind kind, const mneme_id *id) {
    int order = memcmp(a->id.bytes, id->bytes, sizeof id->bytes);
    return order ? order : a->kind == kind ? 0 : a->kind < kind ? -1 : 1;
}

/* Where the mark of this name is, or would have to go. */
static bool table_find(const struct mem_marks *table, mneme_kind kind, const mneme_id *id,
                       size_t *at) {
    for (*at = 0; *at < table->count; ++*at) {
        int order = name_compare(&table->marks[*at]->name, kind, id);
        if (order >= 0)
            return order == 0;
    }
    return false;
}

struct mem_mark mem_marks_get(const struct mem_marks *table, mneme_kind kind, const mneme_id *id) {
    size_t at;
    return table_find(table, kind, id, &at) ? *table->marks[at]
                                            : (struct mem_mark){.name = {kind, *id}};
}

int mem_marks_reserve(struct mem_marks *table, size_t extra) {
    size_t need, size;
    if (!checked_add(table->count, extra, &need))
        return MNEME_NO_MEMORY;
    if (need <= table->capacity)
        return 0;
    size_t capacity = size_max(need, table->capacity + table->capacity / 2);
    if (!checked_mul(capacity, sizeof(struct mem_mark *), &size))
        return MNEME_NO_MEMORY;
    struct mem_mark **marks = mem_resize(table->marks, size);
    if (!marks)
        return MNEME_NO_MEMORY;
    table->marks = marks;
    table->capacity = capacity;
    return 0;
}

struct mem_mark *mem_marks_exchange(struct mem_marks *table, mneme_kind kind, const mneme_id *id,
                                    struct mem_mark *mark) {
    size_t at;
    bool there = table_find(table, kind, id, &at);
    struct mem_mark *old = there ? table->marks[at] : NULL;
    if (!mark && !there)
        return NULL;
    struct mem_mark **place = table->marks + at;
    size_t behind = table->count - at;
    if (!there) {
        ASSERT(table->count < table->capacity);
        memmove(place + 1, place, behind * sizeof(struct mem_mark *));
        table->count++;
    } else if (!mark) {
        memmove(place, place + 1, (behind - 1) * sizeof(struct mem_mark *));
        table->count--;
    }
    if (mark)
        *place = mark;
    return old;
}

int mem_marks_copy(struct mem_marks *to, const struct mem_marks *from) {
    TRY(mem_marks_reserve(to, from->count));
    for (size_t i = 0; i < from->count; i++) {
        struct mem_mark *mark = mem_mark_create(from->marks[i]);
        if (!mark)
            return MNEME_NO_MEMORY;
        to->marks[to->count++] = mark;
    }
    return 0;
}
