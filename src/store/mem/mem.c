/*
 * mem.c - the reference store: a table of records in memory.
 *
 * A batch changes the table step by step, and each step remembers the record it replaced; when a
 * later step fails, the steps are taken back from the last to the first. Taking back cannot fail,
 * because the room for it is reserved before the first step.
 */
#include <stdlib.h>

#include "os/os.h"
#include "store/mem.h"
#include "store/mem/mem_table.h"
#include "store/store_impl.h"

struct mem_store {
    struct store base;
    struct lock lock; /* guards everything below */
    struct mem_table table;
    struct mem_counters {
        uint64_t last_change, commits;
        mneme_version last_version; /* the greatest ever stored */
    } counters;
    uint64_t device;
    atomic_uint_fast64_t moment; /* how often something was committed */
};

static struct mem_store *mem_of(struct store *store) { return (struct mem_store *)(void *)store; }

/* ---- Writing ----------------------------------------------------------------------------- */

/* What one mutation did: the record before and after it, NULL for none. */
struct mem_step {
    struct stored_record *before, *after;
    bool applied;
};

static uint64_t mem_last_place(const struct mem_store *m, const mneme_id *parent, mneme_kind kind,
                               bool live_only) {
    uint64_t last = 0;
    for (size_t i = 0; i < m->table.count; i++) {
        const struct stored_record *record = m->table.records[i];
        bool counts = !live_only || !(record->flags & MNEME_FLAG_DELETED);
        if (counts && record->kind == kind && id_equal(&record->parent, parent) &&
            record->place > last)
            last = record->place;
    }
    return last;
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
    if (mutation->condition == CONDITION_LAST_PLACE)
        holds =
            mem_last_place(m, &record->id, mutation->expect_kind, true) == mutation->expect_place;
    else if (mutation->condition == CONDITION_NO_ATTRIBUTE)
        holds = !mem_has_attribute(m, record->kind, &mutation->expect_attribute);
    return holds ? 0 : condition_failed(mutation, error);
}

static int mem_write(struct mem_store *m, const struct mutation *mutation, struct mem_step *step) {
    const struct stored_record *present =
        mem_table_get(&m->table, mutation->record.kind, &mutation->record.id);
    struct mem_counters *counters = &m->counters;
    if (mutation_is_late(mutation, present))
        return 0;
    bool is_put = mutation->op == MUTATION_PUT;
    struct stored_record next = is_put ? mutation->record : tombstone_of(mutation, present);
    if (version_is_zero(next.version))
        next.version =
            version_next(counters->last_version, m->device, (uint64_t)clock_wall_us() / 1000);
    if (is_put && next.place == 0 && !id_is_zero(&next.parent))
        next.place = mem_last_place(m, &next.parent, next.kind, false) + 1;
    next.change = counters->last_change + 1;
    step->after = mem_record_create(&next);
    if (!step->after)
        return MNEME_NO_MEMORY;
    step->before = mem_table_exchange(&m->table, next.kind, &next.id, step->after);
    step->applied = true;
    counters->last_change = next.change;
    if (version_compare(next.version, counters->last_version) > 0)
        counters->last_version = next.version;
    return 0;
}

static int mem_mutate(struct mem_store *m, const struct mutation *mutation, struct mem_step *step,
                      mneme_error *error) {
    const struct stored_record *record = &mutation->record;
    TRY(mem_test(m, mutation, mem_table_get(&m->table, record->kind, &record->id), error));
    switch (mutation->op) {
    case MUTATION_PUT:
    case MUTATION_DELETE:
        if (mem_write(m, mutation, step))
            return error_set(error, MNEME_NO_MEMORY, "no memory to store a record");
        return 0;
    case MUTATION_PURGE:
        step->before = mem_table_exchange(&m->table, record->kind, &record->id, NULL);
        step->applied = step->before != NULL;
        return 0;
    case MUTATION_CHECK:
        step->applied = true;
        return 0;
    }
    return 0;
}

static void mem_take_back(struct mem_store *m, const struct batch *batch,
                          const struct mem_step *steps, size_t count) {
    for (size_t i = count; i-- > 0;) {
        const struct stored_record *record = &batch->mutations[i].record;
        if (steps[i].before || steps[i].after)
            mem_record_free(
                mem_table_exchange(&m->table, record->kind, &record->id, steps[i].before));
    }
}

/* Tell the results, and free what was replaced; only now, because the record that one mutation
 * of the batch put may be replaced by a later one. */
static void mem_finish(const struct batch *batch, const struct mem_step *steps) {
    for (size_t i = 0; i < batch->count; i++) {
        struct mutation *mutation = &batch->mutations[i];
        mutation->applied = steps[i].applied;
        if (steps[i].after) {
            mutation->record.version = steps[i].after->version;
            mutation->record.place = steps[i].after->place;
            mutation->record.change = steps[i].after->change;
        }
    }
    for (size_t i = 0; i < batch->count; i++)
        mem_record_free(steps[i].before);
}

static void mem_apply_one(struct mem_store *m, struct batch *batch) {
    AUTO_FREE struct mem_step *steps = mem_zalloc(batch->count, sizeof *steps);
    if (!steps || mem_table_reserve(&m->table, batch->count)) {
        batch->status = error_set(&batch->error, MNEME_NO_MEMORY, "no memory to apply a batch");
        return;
    }
    struct mem_counters counters = m->counters;
    for (size_t i = 0; i < batch->count; i++) {
        batch->status = mem_mutate(m, &batch->mutations[i], &steps[i], &batch->error);
        if (batch->status) {
            if (batch->status != MNEME_NO_MEMORY)
                batch->failed = i;
            mem_take_back(m, batch, steps, i);
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
