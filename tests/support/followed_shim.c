/*
 * followed_shim.c - the decorator of followed_shim.h.
 */
#include "support/followed_shim.h"

static struct followed_shim *shim_of(struct store *store) {
    return (struct followed_shim *)(void *)store;
}

static struct store *below_of(struct store *store) { return atomic_load(&shim_of(store)->below); }

static int asked(struct store *store, enum shim_call call, mneme_error *error) {
    struct followed_shim *shim = shim_of(store);
    atomic_fetch_add(&shim->count[call], 1);
    int status = atomic_load(&shim->status[call]);
    return status ? error_set(error, status, "the store far away fails as told") : 0;
}

static void call_back(struct store *store, enum shim_call call) {
    struct followed_shim *shim = shim_of(store);
    void (*meanwhile)(void *context) = atomic_exchange(&shim->meanwhile[call], NULL);
    if (meanwhile)
        meanwhile(shim->context);
}

static int shim_apply(struct store *store, struct batch *const *batches, size_t count) {
    int status = store_apply(below_of(store), batches, count);
    call_back(store, SHIM_APPLY);
    int told = asked(store, SHIM_APPLY, NULL);
    return told ? told : status;
}

static int shim_get(struct store *store, const struct record_name *names, size_t count,
                    struct record_set *out, size_t *found, mneme_error *error) {
    TRY(asked(store, SHIM_READ, error));
    int status = store_get(below_of(store), names, count, out, found, error);
    call_back(store, SHIM_READ);
    return status;
}

static int shim_query(struct store *store, const struct store_query *query, struct record_set *out,
                      bool *more, mneme_error *error) {
    TRY(asked(store, SHIM_READ, error));
    int status = store_query(below_of(store), query, out, more, error);
    call_back(store, SHIM_READ);
    return status;
}

static int shim_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                        struct record_set *out, mneme_error *error) {
    struct followed_shim *shim = shim_of(store);
    unsigned most = atomic_load(&shim->changes_limit);
    size_t before = out->count;
    TRY(asked(store, SHIM_CHANGES, error));
    if (most && limit > most)
        return error_set(error, MNEME_TOO_LARGE, "more than %u changes are too large", most);
    int status = store_changes(below_of(store), since, limit, without_bodies, out, error);
    if (atomic_load(&shim->shuffles) && out->count >= before + 2) {
        struct stored_record first = out->records[before];
        out->records[before] = out->records[before + 1];
        out->records[before + 1] = first;
    }
    call_back(store, SHIM_CHANGES);
    return status;
}

static int shim_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    TRY(asked(store, SHIM_STATS, error));
    int status = store_stats(below_of(store), out, error);
    call_back(store, SHIM_STATS);
    return status;
}

static int shim_backup(struct store *store, const char *path, mneme_error *error) {
    return store_backup(below_of(store), path, error);
}

static void shim_close(struct store *store) { mem_free(store); }

struct followed_shim *followed_shim_open(struct store *shared) {
    static const struct store_operations operations = {.name = "shim",
                                                       .apply = shim_apply,
                                                       .get = shim_get,
                                                       .query = shim_query,
                                                       .changes = shim_changes,
                                                       .stats = shim_stats,
                                                       .backup = shim_backup,
                                                       .close = shim_close};
    struct followed_shim *shim = mem_zalloc(1, sizeof *shim);
    if (shim) {
        shim->base.operations = &operations;
        atomic_init(&shim->below, shared);
    }
    return shim;
}
