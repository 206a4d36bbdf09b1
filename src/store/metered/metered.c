/*
 * metered.c - the decorator that counts and times.
 */
#include "store/metered.h"

#include "store/describe.h"
#include "store/store_impl.h"

/* As the rows of a store in operations.h. */
enum { APPLY, GET, QUERY, CHANGES, STATS, BACKUP };

struct metered {
    struct store base;
    struct store *below;
    struct meter *meter;
    enum meter_operation first;
    bool samples_gets;
};

static struct metered *metered_of(struct store *store) { return (struct metered *)(void *)store; }

static const struct store_operations *below_of(const struct metered *m) {
    return m->below->operations;
}

/* ---- Telling of slow ones ----------------------------------------------------------------------
 */

static bool ends_slow(struct metered *m, int operation, uint64_t begun, int status) {
    enum meter_operation which = (enum meter_operation)((int)m->first + operation);
    return UNLIKELY(meter_end(m->meter, which, begun, status) & METER_SLOW);
}

static void tell(struct metered *m, int operation, uint64_t begun, int status, size_t records,
                 const struct description *what) {
    struct meter_slow slow = {.operation = (enum meter_operation)((int)m->first + operation),
                              .begun = begun,
                              .status = status,
                              .records = records,
                              .detail = description_slice(what)};
    meter_slow(m->meter, &slow);
}

static void tell_apply(struct metered *m, uint64_t begun, int status, struct batch *const *batches,
                       size_t count) {
    struct description what = {.size = 0};
    const struct mutation *first = NULL;
    size_t mutations = 0;
    for (size_t i = 0; i < count; i++) {
        if (!first && batches[i]->count)
            first = &batches[i]->mutations[0];
        mutations += batches[i]->count;
    }
    if (first)
        describe_record(first->record.kind, &first->record.id, mutations, &what);
    tell(m, APPLY, begun, status, mutations, &what);
}

/* ---- Operations --------------------------------------------------------------------------------
 */

/*
 * store_apply has looked at the batches; they are handed on without that being done again. A batch
 * that failed by a condition is no failure of the store.
 */
static int metered_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct metered *m = metered_of(store);
    uint64_t begun = meter_begin(m->meter);
    int status = below_of(m)->apply(m->below, batches, count);
    if (ends_slow(m, APPLY, begun, status))
        tell_apply(m, begun, status, batches, count);
    return status;
}

static void tell_get(struct metered *m, uint64_t begun, int status, const struct record_name *names,
                     size_t count) {
    struct description what = {.size = 0};
    if (count)
        describe_record(names[0].kind, &names[0].id, count, &what);
    tell(m, GET, begun, status, count, &what);
}

/* Of a store in memory a get takes a microsecond, and timing one a twentieth of that. */
static int get_sampled(struct metered *m, const struct record_name *names, size_t count,
                       struct record_set *out, size_t *found, mneme_error *error) {
    bool due = meter_get_is_due();
    uint64_t begun = due ? meter_begin(m->meter) : 0;
    int status = below_of(m)->get(m->below, names, count, out, found, error);
    if (UNLIKELY(status != 0)) {
        meter_get_take_back();
        meter_failed(m->meter, m->first + GET, status);
    } else if (due && meter_get_end(m->meter, m->first + GET, begun) & METER_SLOW) {
        tell_get(m, begun, status, names, count);
    }
    return status;
}

static int metered_get(struct store *store, const struct record_name *names, size_t count,
                       struct record_set *out, size_t *found, mneme_error *error) {
    struct metered *m = metered_of(store);
    if (m->samples_gets)
        return get_sampled(m, names, count, out, found, error);
    uint64_t begun = meter_begin(m->meter);
    int status = below_of(m)->get(m->below, names, count, out, found, error);
    if (ends_slow(m, GET, begun, status))
        tell_get(m, begun, status, names, count);
    return status;
}

static int metered_query(struct store *store, const struct store_query *query,
                         struct record_set *out, bool *more, mneme_error *error) {
    struct metered *m = metered_of(store);
    size_t before = out->count;
    uint64_t begun = meter_begin(m->meter);
    int status = below_of(m)->query(m->below, query, out, more, error);
    if (ends_slow(m, QUERY, begun, status)) {
        struct description what;
        describe_query(query, &what);
        tell(m, QUERY, begun, status, out->count - before, &what);
    }
    return status;
}

static int metered_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                           struct record_set *out, mneme_error *error) {
    struct metered *m = metered_of(store);
    size_t before = out->count;
    uint64_t begun = meter_begin(m->meter);
    int status = below_of(m)->changes(m->below, since, limit, without_bodies, out, error);
    if (ends_slow(m, CHANGES, begun, status))
        tell(m, CHANGES, begun, status, out->count - before, &(struct description){.size = 0});
    return status;
}

static int metered_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    struct metered *m = metered_of(store);
    uint64_t begun = meter_begin(m->meter);
    int status = below_of(m)->stats(m->below, out, error);
    if (ends_slow(m, STATS, begun, status))
        tell(m, STATS, begun, status, 0, &(struct description){.size = 0});
    return status;
}

static int metered_backup(struct store *store, const char *path, mneme_error *error) {
    struct metered *m = metered_of(store);
    uint64_t begun = meter_begin(m->meter);
    int status = below_of(m)->backup(m->below, path, error);
    if (ends_slow(m, BACKUP, begun, status))
        tell(m, BACKUP, begun, status, 0, &(struct description){.size = 0});
    return status;
}

static void metered_close(struct store *store) {
    store_close(metered_of(store)->below);
    mem_free(store);
}

static struct store *metered_below(struct store *store) { return metered_of(store)->below; }

static const struct store_operations metered_operations = {
    .name = "metered",
    .apply = metered_apply,
    .get = metered_get,
    .query = metered_query,
    .changes = metered_changes,
    .stats = metered_stats,
    .backup = metered_backup,
    .close = metered_close,
    .below = metered_below,
};

int metered_open(struct store *below, enum metered_as as, struct meter *meter, struct store **out,
                 mneme_error *error) {
    struct metered *m = mem_zalloc(1, sizeof *m);
    if (!m)
        return error_set(error, MNEME_NO_MEMORY, "no memory to measure a store");
    m->base.operations = &metered_operations;
    m->base.moment = store_moment(below);
    m->below = below;
    m->meter = meter;
    m->first = (enum meter_operation)as;
    m->samples_gets = as != METERED_SQL;
    *out = &m->base;
    return 0;
}
