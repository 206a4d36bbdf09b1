/*
 * store_broken.c - a decorator with a fault.
 */
#include "support/store_broken.h"

#include "store/mem.h"
#include "store/store_impl.h"

enum { MUTATIONS_MAX = 16 };

struct broken_store {
    struct store base;
    struct store *below;
    enum store_fault fault;
};

static struct broken_store *broken_of(struct store *store) {
    return (struct broken_store *)(void *)store;
}

/* The mutation as this store spoils it. */
static void spoil(enum store_fault fault, struct mutation *mutation) {
    if (fault == FAULT_DROPS_DELETES && mutation->op == MUTATION_DELETE &&
        mutation->condition == CONDITION_NONE && version_is_zero(mutation->record.version)) {
        mutation->op = MUTATION_CHECK;
        mutation->condition = CONDITION_LIVE;
    }
    if (fault == FAULT_LOSES_ATTRIBUTE && mutation->record.attribute_count)
        mutation->record.attribute_count--;
    if (fault == FAULT_CUTS_BODIES)
        mutation->record.body.size = size_min(mutation->record.body.size, 1330);
}

static void apply_spoilt(struct broken_store *broken, struct batch *batch) {
    struct mutation spoilt[MUTATIONS_MAX];
    struct batch below = {.mutations = spoilt, .count = batch->count};
    struct batch *const list[] = {&below};
    for (size_t i = 0; i < batch->count; i++) {
        spoilt[i] = batch->mutations[i];
        spoil(broken->fault, &spoilt[i]);
    }
    (void)store_apply(broken->below, list, 1);
    if (below.status && broken->fault == FAULT_TEARS_BATCHES && below.failed > 0) {
        struct batch torn = {.mutations = spoilt, .count = 1};
        struct batch *const torn_list[] = {&torn};
        (void)store_apply(broken->below, torn_list, 1);
    }
    batch->status = below.status;
    batch->failed = below.failed;
    batch->error = below.error;
    for (size_t i = 0; !below.status && i < batch->count; i++) {
        batch->mutations[i].applied = spoilt[i].applied;
        batch->mutations[i].record.version = spoilt[i].record.version;
        batch->mutations[i].record.place = spoilt[i].record.place;
        batch->mutations[i].record.change = spoilt[i].record.change;
    }
}

static int broken_apply(struct store *store, struct batch *const *batches, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (batches[i]->count <= MUTATIONS_MAX)
            apply_spoilt(broken_of(store), batches[i]);
        else
            batches[i]->status = error_set(&batches[i]->error, MNEME_UNSUPPORTED,
                                           "a batch of more than %d mutations", MUTATIONS_MAX);
    return 0;
}

static int broken_get(struct store *store, const struct record_name *names, size_t count,
                      struct record_set *out, size_t *found, mneme_error *error) {
    return store_get(broken_of(store)->below, names, count, out, found, error);
}

static int broken_query(struct store *store, const struct store_query *query,
                        struct record_set *out, bool *more, mneme_error *error) {
    struct store_query spoilt = *query;
    if (broken_of(store)->fault == FAULT_IGNORES_ORDER)
        spoilt.order = ORDER_OLDEST_FIRST;
    return store_query(broken_of(store)->below, &spoilt, out, more, error);
}

static int broken_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                          struct record_set *out, mneme_error *error) {
    return store_changes(broken_of(store)->below, since, limit, without_bodies, out, error);
}

static int broken_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    return store_stats(broken_of(store)->below, out, error);
}

static int broken_backup(struct store *store, const char *path, mneme_error *error) {
    return store_backup(broken_of(store)->below, path, error);
}

static void broken_close(struct store *store) {
    store_close(broken_of(store)->below);
    mem_free(store);
}

static int broken_open(enum store_fault fault, struct store **out, mneme_error *error) {
    static const struct store_operations operations = {.name = "broken",
                                                       .apply = broken_apply,
                                                       .get = broken_get,
                                                       .query = broken_query,
                                                       .changes = broken_changes,
                                                       .stats = broken_stats,
                                                       .backup = broken_backup,
                                                       .close = broken_close};
    struct broken_store *broken = mem_zalloc(1, sizeof *broken);
    if (!broken)
        return error_set(error, MNEME_NO_MEMORY, "no memory");
    broken->base.operations = &operations;
    broken->fault = fault;
    int status = mem_store_open(1, &broken->below, error);
    if (status)
        mem_free(broken);
    else
        *out = &broken->base;
    return status;
}

#define BROKEN_OPEN(name, fault)                                                                   \
    static int name(const char *path, struct store **out, mneme_error *error) {                    \
        (void)path;                                                                                \
        return broken_open(fault, out, error);                                                     \
    }
BROKEN_OPEN(open_none, FAULT_NONE)
BROKEN_OPEN(open_drops_deletes, FAULT_DROPS_DELETES)
BROKEN_OPEN(open_loses_attribute, FAULT_LOSES_ATTRIBUTE)
BROKEN_OPEN(open_ignores_order, FAULT_IGNORES_ORDER)
BROKEN_OPEN(open_cuts_bodies, FAULT_CUTS_BODIES)
BROKEN_OPEN(open_tears_batches, FAULT_TEARS_BATCHES)

const struct store_maker store_broken_makers[FAULT_COUNT] = {
    [FAULT_NONE] = {.name = "mem without a fault", .open = open_none},
    [FAULT_DROPS_DELETES] = {.name = "mem that drops deletes", .open = open_drops_deletes},
    [FAULT_LOSES_ATTRIBUTE] = {.name = "mem that loses an attribute", .open = open_loses_attribute},
    [FAULT_IGNORES_ORDER] = {.name = "mem that ignores order", .open = open_ignores_order},
    [FAULT_CUTS_BODIES] = {.name = "mem that cuts bodies", .open = open_cuts_bodies},
    [FAULT_TEARS_BATCHES] = {.name = "mem that tears batches", .open = open_tears_batches},
};
