/*
 * shared.c - the calls of shared.h: what is the same for every store, then the store's operation;
 * and the rules of marks.
 */
#include "store/store_impl.h"

int shared_store(struct store *store, struct store **out, mneme_error *error) {
    while (!store->operations->shared && store->operations->below)
        store = store->operations->below(store);
    if (!store->operations->shared)
        return error_set(error, MNEME_UNSUPPORTED,
                         "the %s store keeps no marks of what was shared, and so cannot be synced; "
                         "use a local file as the store, and this one as its remote",
                         store->operations->name);
    *out = store;
    return 0;
}

/* ---- Calls ------------------------------------------------------------------------------- */

int shared_state(struct store *store, struct arena *arena, struct slice *state, uint64_t *fence,
                 struct shared_counts *counts, mneme_error *error) {
    TRY(shared_store(store, &store, error));
    return store->operations->shared->state(store, arena, state, fence, counts, error);
}

int shared_marks(struct store *store, const struct record_name *names, size_t count,
                 struct shared_mark *marks, struct record_set *bases, mneme_error *error) {
    TRY(shared_store(store, &store, error));
    size_t before = bases->count;
    int status = store->operations->shared->marks(store, names, count, marks, bases, error);
    if (status)
        bases->count = before;
    return status;
}

int shared_outbox(struct store *store, uint64_t since, size_t limit, size_t bytes,
                  struct record_set *out, uint64_t *upto, bool *more, mneme_error *error) {
    TRY(shared_store(store, &store, error));
    TRY(limit_validate(limit, error));
    size_t before = out->count;
    uint64_t looked = since;
    bool others = false;
    int status =
        store->operations->shared->outbox(store, since, limit, bytes, out, &looked, &others, error);
    if (status) {
        out->count = before;
        return status;
    }
    *upto = looked;
    *more = others;
    return 0;
}

int shared_names(struct store *store, enum mark mark, const struct record_name *after, size_t limit,
                 struct record_name *names, uint64_t *at, struct slice *reasons,
                 struct arena *arena, size_t *count, mneme_error *error) {
    TRY(shared_store(store, &store, error));
    TRY(limit_validate(limit, error));
    if (mark != MARK_CLEAN && mark != MARK_BASE && mark != MARK_GONE && mark != MARK_HELD)
        return error_set(error, MNEME_INVALID, "records are not listed by mark %d", (int)mark);
    size_t found = 0;
    TRY(store->operations->shared->names(store, mark, after, limit, names, at, reasons, arena,
                                         &found, error));
    *count = found;
    return 0;
}

/* ---- Rules ------------------------------------------------------------------------------- */

/* What MUTATION_MARK may say of what is stored. */
static int mark_fits(const struct mutation *mutation, bool there, bool gone, mneme_error *error) {
    switch (mutation->shared.mark) {
    case MARK_CLEAN:
    case MARK_BASE:
        return there ? 0 : condition_missing(mutation, error);
    case MARK_HELD:
        return there || gone ? 0 : condition_missing(mutation, error);
    case MARK_GONE:
        if (there)
            return error_set(error, MNEME_CONFLICT,
                             "%s is stored, and so cannot be marked as gone; purge it",
                             store_kind_name(mutation->record.kind));
        return 0;
    case MARK_NONE:
    case MARK_FREE:
        return 0;
    }
    return 0;
}

int mark_test(const struct mutation *mutation, bool sharing, bool there, bool gone,
              mneme_error *error) {
    bool marks = mutation->op == MUTATION_MARK || mutation->shared.mark != MARK_NONE;
    if (marks && !sharing)
        return error_set(error, MNEME_INVALID,
                         "nothing is marked in a store that is not shared; set its state first");
    return mutation->op == MUTATION_MARK ? mark_fits(mutation, there, gone, error) : 0;
}

bool write_begins_life(const struct mutation *mutation, const struct stored_record *present) {
    return mutation->op == MUTATION_PUT && present && present->flags & MNEME_FLAG_DELETED;
}

struct stored_record base_of_gone(const struct stored_record *record) {
    return (struct stored_record){
        .kind = record->kind, .flags = MNEME_FLAG_DELETED, .id = record->id};
}
