/*
 * writes.c - batches of sync on the local store.
 */
#include "sync/sync_impl.h"

void writes_fini(struct writes *w) {
    arena_fini(&w->arena);
    mem_free(w->mutations);
    *w = (struct writes){0};
}

static struct mutation *room(struct writes *w) {
    if (w->count == w->capacity) {
        size_t capacity = w->capacity ? w->capacity * 2 : 64;
        struct mutation *grown = mem_resize(w->mutations, capacity * sizeof *grown);
        if (!grown) {
            w->failed = true;
            return NULL;
        }
        w->mutations = grown;
        w->capacity = capacity;
    }
    return &w->mutations[w->count++];
}

struct mutation *writes_add(struct writes *w, enum mutation_op op, mneme_kind kind,
                            const mneme_id *id) {
    struct mutation *m = room(w);
    if (m)
        *m = (struct mutation){.op = op, .record = {.kind = kind, .id = *id}};
    return m;
}

struct mutation *writes_mark(struct writes *w, enum mark mark, mneme_kind kind, const mneme_id *id,
                             uint64_t at, const struct stored_record *base) {
    struct mutation *m = writes_add(w, MUTATION_MARK, kind, id);
    if (!m)
        return NULL;
    if (base)
        m->record = *base;
    m->shared = (struct shared_change){.mark = mark, .at = at};
    return m;
}

struct mutation *writes_record(struct writes *w, const struct stored_record *record, enum mark mark,
                               uint64_t at) {
    bool live = !(record->flags & MNEME_FLAG_DELETED);
    struct mutation *m =
        writes_add(w, live ? MUTATION_PUT : MUTATION_DELETE, record->kind, &record->id);
    if (!m)
        return NULL;
    m->record = *record;
    m->exact = true;
    m->shared = (struct shared_change){.mark = mark, .at = at};
    return m;
}

void writes_expect(struct mutation *m, uint64_t change) {
    if (!m)
        return;
    m->condition = CONDITION_CHANGE;
    m->expect_change = change;
}

static int send(struct sync *s, struct batch *batch, bool *raced, mneme_error *error) {
    int status = store_apply(s->options.local, &batch, 1);
    if (status == 0)
        status = batch->status;
    const struct mutation *failed =
        status && batch->failed < batch->count ? &batch->mutations[batch->failed] : NULL;
    *raced = failed &&
             (failed->condition == CONDITION_CHANGE || failed->condition == CONDITION_CHILDREN);
    if (*raced)
        return 0;
    if (status && error)
        *error = batch->error;
    return status;
}

int writes_apply(struct sync *s, struct writes *w, const struct sync_state *state, bool *raced,
                 mneme_error *error) {
    AUTO_BUF struct buf bytes = BUF_INIT(SHARED_STATE_MAX);
    *raced = false;
    if (w->count == 0 && !state && !w->failed)
        return 0;
    struct mutation *guard = room(w);
    struct mutation *set = guard && state ? room(w) : NULL;
    if (w->failed)
        return error_set(error, MNEME_NO_MEMORY, "no memory to sync");
    guard = &w->mutations[w->count - (set ? 2 : 1)];
    *guard = (struct mutation){.op = MUTATION_CHECK,
                               .condition = CONDITION_FENCE,
                               .record.kind = MNEME_EPISODE,
                               .record.id.bytes = {1},
                               .shared.fence = s->fence};
    if (set) {
        state_encode(state, &bytes);
        if (bytes.status)
            return error_set(error, bytes.status, "no memory for the state of sync");
        *set = (struct mutation){.op = MUTATION_STATE,
                                 .condition = CONDITION_FENCE,
                                 .expect_change = s->fence,
                                 .shared.fence = s->fence};
        set->record.body = buf_slice(&bytes);
    }
    struct batch batch = {.mutations = w->mutations, .count = w->count};
    int status = send(s, &batch, raced, error);
    w->count -= set ? 2 : 1;
    if (status == 0 && !*raced && state)
        s->state = *state;
    return status;
}
