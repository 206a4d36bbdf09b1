/*
 * store.c - the calls of store.h: what is the same for every store, then the store's operation.
 */
#include "store/store_impl.h"

static int validate_for(struct store *store, const struct mutation *mutation, mneme_error *error) {
    if (UNLIKELY(mutation_shares(mutation)))
        TRY(shared_store(store, &store, error));
    return mutation_validate(mutation, error);
}

static int batch_validate(struct store *store, struct batch *batch) {
    batch->status = 0;
    batch->failed = batch->count;
    for (size_t i = 0; i < batch->count && !batch->status; i++) {
        batch->status = validate_for(store, &batch->mutations[i], &batch->error);
        if (batch->status)
            batch->failed = i;
    }
    return batch->status;
}

/* Apply batches that are all valid. */
static int apply_valid(struct store *store, struct batch *const *batches, size_t count) {
    int status = count ? store->operations->apply(store, batches, count) : 0;
    for (size_t i = 0; status && i < count; i++)
        batches[i]->status =
            error_set(&batches[i]->error, status, "nothing was written to the %s store: %s",
                      store->operations->name, mneme_status_text(status));
    return status;
}

/* Batches that are not valid cut the array into runs of valid ones, which keep their order. */
int store_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct batch *const *run = batches;
    size_t run_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (batch_validate(store, batches[i]) == 0) {
            run_count++;
            continue;
        }
        (void)apply_valid(store, run, run_count); /* each batch has its status */
        run = &batches[i] + 1;
        run_count = 0;
    }
    int status = apply_valid(store, run, run_count);
    return run == batches ? status : 0;
}

int store_get(struct store *store, const struct record_name *names, size_t count,
              struct record_set *out, size_t *found, mneme_error *error) {
    size_t before = out->count;
    int status = store->operations->get(store, names, count, out, found, error);
    if (status)
        out->count = before;
    return status;
}

int store_get_one(struct store *store, mneme_kind kind, const mneme_id *id, struct record_set *out,
                  mneme_error *error) {
    struct record_name name = {.kind = kind, .id = *id};
    struct mutation wanted = {
        .op = MUTATION_CHECK, .condition = CONDITION_LIVE, .record = {.kind = kind, .id = *id}};
    size_t before = out->count, found = SIZE_MAX;
    TRY(store_get(store, &name, 1, out, &found, error));
    int status = condition_test(&wanted, found == SIZE_MAX ? NULL : &out->records[found], error);
    if (status)
        out->count = before;
    return status;
}

int store_query(struct store *store, const struct store_query *query, struct record_set *out,
                bool *more, mneme_error *error) {
    TRY(query_validate(query, error));
    size_t before = out->count;
    bool others = false;
    int status = store->operations->query(store, query, out, &others, error);
    if (status)
        out->count = before;
    else
        *more = others;
    return status;
}

int store_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                  struct record_set *out, mneme_error *error) {
    TRY(limit_validate(limit, error));
    size_t before = out->count;
    int status = store->operations->changes(store, since, limit, without_bodies, out, error);
    if (status)
        out->count = before;
    return status;
}

int store_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    struct store_stats stats = {0};
    TRY(store->operations->stats(store, &stats, error));
    *out = stats;
    return 0;
}

const atomic_uint_fast64_t *store_moment(const struct store *store) { return store->moment; }

int store_backup(struct store *store, const char *path, mneme_error *error) {
    return store->operations->backup(store, path, error);
}

void store_close(struct store *store) {
    if (store)
        store->operations->close(store);
}
