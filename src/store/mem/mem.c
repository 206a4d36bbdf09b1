/*
 * mem.c - the reference store: a table of records in memory, and one of marks.
 *
 * A batch changes the tables step by step, and each step remembers what it replaced; when a step
 * fails, they are taken back from the last to the first. Taking back cannot fail,
 * because the room for it is reserved before the first step.
 */
#include <stdlib.h>

#include "store/mem/mem_impl.h"

/* ---- Writing ----------------------------------------------------------------------------- */

/* What one mutation did: the record before and after it, NULL for none; and what was marked of the
 * name, or what the state was, if it changed these. */
struct mem_step {
    struct stored_record *before, *after;
    struct mem_mark *mark_before;
    struct mem_state *state_before;
    bool marked, stated, applied;
};

/* The records of a kind under a parent: how many, and their greatest place. */
struct mem_children {
    uint64_t count, last_place;
};

static struct mem_children mem_children_of(const struct mem_store *m, const mneme_id *parent,
                                           mneme_kind kind, bool live_only) {
    struct mem_children children = {0};
    for (size_t i = 0; i < m->table.count; i++) {
        const struct stored_record *record = m->table.records[i];
        if (record->kind != kind || !id_equal(&record->parent, parent) ||
            (live_only && record->flags & MNEME_FLAG_DELETED))
            continue;
        children.count++;
        if (record->place > children.last_place)
            children.last_place = record->place;
    }
    return children;
}

static bool mem_children_expected(const struct mem_store *m, const struct mutation *mutation) {
    struct mem_children children =
        mem_children_of(m, &mutation->record.id, mutation->expect_kind, true);
    return children.count == mutation->expect_count &&
           children.last_place == mutation->expect_place;
}

static bool mem_has_attribute(const struct mem_store *m, mneme_kind kind,
                              const struct attribute *attribute) {
    struct store_query query = {.kind = kind, .filters = attribute, .filter_count = 1};
    for (size_t i = 0; i < m->table.count; i++)
        if (query_matches(&query, m->table.records[i]))
            return true;
    return false;
}

static int mem_test(const struct mem_store *m, const struct mutation *mutation,
                    const struct stored_record *present, mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    TRY(condition_test(mutation, present, error));
    bool holds = true;
    if (mutation->condition == CONDITION_CHILDREN)
        holds = mem_children_expected(m, mutation);
    else if (mutation->condition == CONDITION_NO_ATTRIBUTE)
        holds = !mem_has_attribute(m, record->kind, &mutation->expect_attribute);
    else if (mutation->condition == CONDITION_FENCE)
        holds = mem_fence(m) == mutation_fence(mutation);
    return holds ? 0 : condition_failed(mutation, error);
}

/* Change what is marked of a mutation's name. */
static int mem_mark(struct mem_store *m, const struct mutation *mutation,
                    const struct stored_record *present, struct mem_step *step) {
    const struct stored_record *record = &mutation->record;
    struct mem_mark before = mem_marks_get(&m->marks, record->kind, &record->id);
    struct mem_mark after = mem_mark_after(&before, mutation, present);
    struct mem_mark *made = NULL;
    if (!m->state)
        return 0;
    if (!mem_mark_says_nothing(&after) && !(made = mem_mark_create(&after)))
        return MNEME_NO_MEMORY;
    step->mark_before = mem_marks_exchange(&m->marks, record->kind, &record->id, made);
    step->marked = true;
    return 0;
}

static int mem_set_state(struct mem_store *m, const struct mutation *mutation,
                         struct mem_step *step) {
    bool keeps = m->state && mutation->record.body.size == 0;
    struct mem_state *state =
        mem_state_create(mutation->shared.fence, keeps ? m->state->bytes : mutation->record.body);
    if (!state)
        return MNEME_NO_MEMORY;
    step->state_before = m->state;
    step->stated = true;
    m->state = state;
    return 0;
}

static uint64_t mem_now_ms(const struct mem_store *m) {
    return (uint64_t)(clock_wall_us() + m->skew_us) / 1000;
}

static int mem_write(struct mem_store *m, const struct mutation *mutation,
                     const struct stored_record *present, struct mem_step *step) {
    struct mem_counters *counters = &m->counters;
    struct stored_record next = mutation_leaves(mutation, present);
    if (version_is_zero(next.version))
        next.version = version_next(counters->last_version, m->device, mem_now_ms(m));
    if (next.place == 0 && !id_is_zero(&next.parent))
        next.place = mem_children_of(m, &next.parent, next.kind, false).last_place + 1;
    next.change = counters->last_change + 1;
    step->after = mem_record_create(&next);
    if (!step->after)
        return MNEME_NO_MEMORY;
    step->before = mem_table_exchange(&m->table, next.kind, &next.id, step->after);
    counters->last_change = next.change;
    if (version_compare(next.version, counters->last_version) > 0)
        counters->last_version = next.version;
    return 0;
}

static int mem_change(struct mem_store *m, const struct mutation *mutation,
                      const struct stored_record *present, struct mem_step *step) {
    const struct stored_record *record = &mutation->record;
    switch (mutation->op) {
    case MUTATION_PUT:
    case MUTATION_DELETE:
        step->applied = !mutation_is_late(mutation, present);
        return step->applied ? mem_write(m, mutation, present, step) : 0;
    case MUTATION_PURGE:
        step->before = mem_table_exchange(&m->table, record->kind, &record->id, NULL);
        step->applied = step->before != NULL;
        return 0;
    case MUTATION_STATE:
        step->applied = true;
        return mem_set_state(m, mutation, step);
    case MUTATION_CHECK:
    case MUTATION_MARK:
        break;
    }
    step->applied = true;
    return 0;
}

static int mem_mutate(struct mem_store *m, const struct mutation *mutation, struct mem_step *step,
                      mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    const struct stored_record *present = mem_table_get(&m->table, record->kind, &record->id);
    struct mem_mark mark = mem_marks_get(&m->marks, record->kind, &record->id);
    TRY(mem_test(m, mutation, present, error));
    TRY(mark_test(mutation, m->state != NULL, present != NULL, mark.mark == MARK_GONE, error));
    int status = mem_change(m, mutation, present, step);
    bool written = step->applied || mutation->op == MUTATION_PURGE;
    if (status == 0 && written && mutation_has_name(mutation))
        status = mem_mark(m, mutation, present, step);
    return status ? error_set(error, MNEME_NO_MEMORY, "no memory to store a record") : 0;
}

/* The steps of a batch that failed in the last one, which may be half done. */
static void mem_take_back(struct mem_store *m, const struct batch *batch,
                          const struct mem_step *steps, size_t count) {
    for (size_t i = count; i-- > 0;) {
        const struct stored_record *record = &batch->mutations[i].record;
        if (steps[i].before || steps[i].after)
            mem_record_free(
                mem_table_exchange(&m->table, record->kind, &record->id, steps[i].before));
        if (steps[i].marked)
            mem_mark_free(
                mem_marks_exchange(&m->marks, record->kind, &record->id, steps[i].mark_before));
        if (steps[i].stated) {
            mem_state_free(m->state);
            m->state = steps[i].state_before;
        }
    }
}

/* Tell the results, and free what was replaced; only now, because the record that one mutation
 * of the batch put may be replaced by a later one. */
static void mem_finish(const struct batch *batch, const struct mem_step *steps) {
    for (size_t i = 0; i < batch->count; i++) {
        struct mutation *mutation = &batch->mutations[i];
        mutation->applied = steps[i].applied;
        if (steps[i].after) {
            if (mutation->op == MUTATION_PUT)
                mutation->record.flags = steps[i].after->flags;
            mutation->record.version = steps[i].after->version;
            mutation->record.place = steps[i].after->place;
            mutation->record.change = steps[i].after->change;
        }
    }
    for (size_t i = 0; i < batch->count; i++) {
        mem_record_free(steps[i].before);
        mem_mark_free(steps[i].mark_before);
        mem_state_free(steps[i].state_before);
    }
}

static void mem_apply_one(struct mem_store *m, struct batch *batch) {
    AUTO_FREE struct mem_step *steps = mem_zalloc(batch->count, sizeof *steps);
    if (!steps || mem_table_reserve(&m->table, batch->count) ||
        mem_marks_reserve(&m->marks, batch->count)) {
        batch->status = error_set(&batch->error, MNEME_NO_MEMORY, "no memory to apply a batch");
        return;
    }
    struct mem_counters counters = m->counters;
    for (size_t i = 0; i < batch->count; i++) {
        batch->status = mem_mutate(m, &batch->mutations[i], &steps[i], &batch->error);
        if (batch->status) {
            if (batch->status != MNEME_NO_MEMORY)
                batch->failed = i;
            mem_take_back(m, batch, steps, i + 1);
            m->counters = counters;
            return;
        }
    }
    m->counters.commits++;
    atomic_fetch_add(&m->moment, 1); /* under the lock: no read sees the batch before */
    mem_finish(batch, steps);
}

static int mem_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    for (size_t i = 0; i < count; i++)
        mem_apply_one(m, batches[i]);
    return 0;
}

/* ---- Reading ----------------------------------------------------------------------------- */

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to read records");
}

static int mem_get(struct store *store, const struct record_name *names, size_t count,
                   struct record_set *out, size_t *found, mneme_error *error) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    for (size_t i = 0; i < count; i++) {
        const struct stored_record *record = mem_table_get(&m->table, names[i].kind, &names[i].id);
        found[i] = record ? out->count : SIZE_MAX;
        if (record && record_set_copy(out, record, false))
            return no_memory(error);
    }
    return 0;
}

/* A record among those that a listing chooses from. */
struct mem_entry {
    struct position position;
    const struct stored_record *record;
};

static int entry_compare(const void *a, const void *b) {
    const struct mem_entry *left = a, *right = b;
    return position_compare(left->position, right->position);
}

/* Copy the first `limit` of the sorted entries, from the front or from the back. */
static int copy_page(const struct mem_entry *entries, size_t count, bool from_back, size_t limit,
                     bool without_bodies, struct record_set *out, mneme_error *error) {
    for (size_t i = 0; i < size_min(count, limit); i++) {
        const struct mem_entry *entry = &entries[from_back ? count - 1 - i : i];
        if (record_set_copy(out, entry->record, without_bodies))
            return no_memory(error);
    }
    return 0;
}

static int mem_query(struct store *store, const struct store_query *query, struct record_set *out,
                     bool *more, mneme_error *error) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    AUTO_FREE struct mem_entry *entries = mem_zalloc(m->table.count, sizeof *entries);
    if (!entries)
        return no_memory(error);
    size_t count = 0;
    for (size_t i = 0; i < m->table.count; i++) {
        const struct stored_record *record = m->table.records[i];
        if (query_matches(query, record) && query_goes_on_with(query, record))
            entries[count++] = (struct mem_entry){position_after(query, record), record};
    }
    qsort(entries, count, sizeof *entries, entry_compare);
    *more = count > query->limit;
    return copy_page(entries, count, query->order == ORDER_NEWEST_FIRST, query->limit,
                     query->without_bodies, out, error);
}

static int mem_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                       struct record_set *out, mneme_error *error) {
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    AUTO_FREE struct mem_entry *entries = mem_zalloc(m->table.count, sizeof *entries);
    if (!entries)
        return no_memory(error);
    size_t count = 0;
    for (size_t i = 0; i < m->table.count; i++)
        if (m->table.records[i]->change > since)
            entries[count++] = (struct mem_entry){
                {.set = true, .sort = (int64_t)m->table.records[i]->change}, m->table.records[i]};
    qsort(entries, count, sizeof *entries, entry_compare);
    return copy_page(entries, count, false, limit, without_bodies, out, error);
}

static int mem_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    (void)error;
    struct mem_store *m = mem_of(store);
    AUTO_LOCK(held, &m->lock);
    out->commits = m->counters.commits;
    out->changes = m->counters.last_change;
    out->device = m->device;
    for (size_t i = 0; i < m->table.count; i++) {
        const struct stored_record *record = m->table.records[i];
        struct kind_stats *kind = &out->kinds[record->kind];
        if (record->flags & MNEME_FLAG_DELETED) {
            kind->tombstones++;
            continue;
        }
        kind->records++;
        kind->stored_bytes += record->body.size;
        kind->plain_bytes += record->plain_size;
    }
    return 0;
}

static int mem_backup(struct store *store, const char *path, mneme_error *error) {
    (void)store;
    return error_set(error, MNEME_UNSUPPORTED,
                     "a store in memory has no file to copy to %s; export it instead", path);
}

/* ---- Life -------------------------------------------------------------------------------- */

static void mem_close(struct store *store) {
    struct mem_store *m = mem_of(store);
    mem_table_fini(&m->table);
    mem_marks_fini(&m->marks);
    mem_state_free(m->state);
    lock_fini(&m->lock);
    mem_free(m);
}

static const struct store_operations mem_operations = {
    .name = "mem",
    .apply = mem_apply,
    .get = mem_get,
    .query = mem_query,
    .changes = mem_changes,
    .stats = mem_stats,
    .backup = mem_backup,
    .close = mem_close,
    .shared = &mem_shared_operations,
};

static struct mem_store *mem_create(uint64_t device) {
    struct mem_store *m = mem_zalloc(1, sizeof *m);
    if (m) {
        m->base.operations = &mem_operations;
        m->base.moment = &m->moment;
        m->device = device;
        lock_init(&m->lock, RANK_KV);
    }
    return m;
}

int mem_store_open(uint64_t device, struct store **out, mneme_error *error) {
    struct mem_store *m = mem_create(device);
    if (!m)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open a store in memory");
    *out = &m->base;
    return 0;
}

/* Copy everything that `from`'s lock guards. */
static int mem_copy_state(struct mem_store *to, struct mem_store *from) {
    AUTO_LOCK(held, &from->lock);
    to->counters = from->counters;
    to->skew_us = from->skew_us;
    if (from->state) {
        to->state = mem_state_create(from->state->fence, from->state->bytes);
        if (!to->state)
            return MNEME_NO_MEMORY;
    }
    TRY(mem_marks_copy(&to->marks, &from->marks));
    return mem_table_copy(&to->table, &from->table);
}

int mem_store_clone(struct store *store, struct store **out, mneme_error *error) {
    if (store->operations != &mem_operations)
        return error_set(error, MNEME_INVALID, "only a store in memory can be cloned, not %s",
                         store->operations->name);
    struct mem_store *clone = mem_create(mem_of(store)->device);
    if (!clone || mem_copy_state(clone, mem_of(store))) {
        if (clone)
            mem_close(&clone->base);
        return error_set(error, MNEME_NO_MEMORY, "no memory to clone a store");
    }
    *out = &clone->base;
    return 0;
}

void mem_store_skew(struct store *store, int64_t us) {
    struct mem_store *m = mem_of(store);
    ASSERT(store->operations == &mem_operations);
    AUTO_LOCK(held, &m->lock);
    m->skew_us = us;
}
