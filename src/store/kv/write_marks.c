/*
 * write_marks.c - what a mutation does to the marks of its record (shared.h, invariant 6).
 *
 * A store that is not shared pays a look at a flag; a new record in one that is, a look at the
 * sizes of two tables that are mostly empty.
 */
#include "codec/codec.h"
#include "store/kv/write_impl.h"

/* `parent`: of MARK_GONE; else NULL. */
static int mark_put(struct writer *w, enum mark mark, const struct kv_key *key, uint64_t at,
                    const mneme_id *parent, mneme_error *error) {
    buf_reset(&w->blob);
    wire_put_varint(&w->blob, at);
    if (parent)
        buf_append(&w->blob, parent->bytes, sizeof parent->bytes);
    if (w->blob.status)
        return error_set(error, w->blob.status, "no memory for a mark");
    return writer_put_last(w, kv_mark_table(w->env, mark), key, buf_slice(&w->blob), error);
}

static int base_put(struct writer *w, const struct kv_key *key, uint64_t at,
                    const struct stored_record *base, mneme_error *error) {
    buf_reset(&w->blob);
    wire_put_varint(&w->blob, at);
    TRY(kv_blob_write(&w->blob, base, w->env->device, error));
    return writer_put(w, w->env->marks.base, key, buf_slice(&w->blob), error);
}

static int mark_remove(struct writer *w, enum mark mark, const struct kv_key *key,
                       mneme_error *error) {
    MDB_dbi table = kv_mark_table(w->env, mark);
    return kv_table_is_empty(w->txn, table) ? 0 : writer_del(w, table, key, error);
}

static int marks_remove(struct writer *w, const struct kv_key *key, mneme_error *error) {
    TRY(mark_remove(w, MARK_CLEAN, key, error));
    TRY(mark_remove(w, MARK_BASE, key, error));
    return mark_remove(w, MARK_GONE, key, error);
}

/* Find the mark of one table and remove it. MARK_NONE in *out: it is not there. */
static int mark_take(struct writer *w, enum mark mark, const struct kv_key *key,
                     struct kv_mark *out, mneme_error *error) {
    MDB_dbi table = kv_mark_table(w->env, mark);
    MDB_val k = kv_val(key), value;
    *out = (struct kv_mark){0};
    if (kv_table_is_empty(w->txn, table))
        return 0;
    int rc = mdb_get(w->txn, table, &k, &value);
    if (rc == MDB_NOTFOUND)
        return 0;
    if (rc == 0 && !kv_mark_parse(mark, value, out))
        rc = MDB_CORRUPTED;
    return rc ? writer_fail(w, rc, error) : writer_del(w, table, key, error);
}

/* ---- Mutations --------------------------------------------------------------------------- */

/* A write of somebody who knows nothing of sharing. */
static int local_write(struct writer *w, const struct kv_key *key, const struct mutation *m,
                       const struct stored_record *present, mneme_error *error) {
    struct kv_mark was;
    TRY(mark_remove(w, MARK_HELD, key, error));
    TRY(mark_take(w, present ? MARK_CLEAN : MARK_GONE, key, &was, error));
    if (was.mark == MARK_NONE && write_begins_life(m, present))
        TRY(mark_take(w, MARK_BASE, key, &was, error));
    if (was.mark == MARK_NONE)
        return 0;
    struct stored_record gone = base_of_gone(&m->record);
    return base_put(w, key, was.at, present ? present : &gone, error);
}

static int changed_by_write(struct writer *w, const struct kv_key *key, const struct mutation *m,
                            const struct stored_record *present, mneme_error *error) {
    if (m->shared.mark == MARK_NONE)
        return local_write(w, key, m, present, error);
    TRY(mark_remove(w, MARK_GONE, key, error));
    if (m->shared.mark == MARK_BASE)
        return mark_remove(w, MARK_CLEAN, key, error);
    TRY(mark_remove(w, MARK_BASE, key, error));
    return mark_put(w, MARK_CLEAN, key, m->shared.at, NULL, error);
}

static int changed_by_purge(struct writer *w, const struct kv_key *key, const struct mutation *m,
                            const struct stored_record *present, mneme_error *error) {
    struct kv_mark was;
    if (m->shared.mark == MARK_NONE && !present)
        return 0;
    TRY(mark_remove(w, MARK_HELD, key, error));
    if (m->shared.mark == MARK_CLEAN)
        return marks_remove(w, key, error);
    TRY(mark_take(w, MARK_CLEAN, key, &was, error));
    if (was.mark == MARK_NONE)
        TRY(mark_take(w, MARK_BASE, key, &was, error));
    return was.mark == MARK_NONE ? 0 : mark_put(w, MARK_GONE, key, was.at, &present->parent, error);
}

static int changed_by_mark(struct writer *w, const struct kv_key *key, const struct mutation *m,
                           mneme_error *error) {
    const struct shared_change *shared = &m->shared;
    switch (shared->mark) {
    case MARK_CLEAN:
    case MARK_GONE:
        TRY(marks_remove(w, key, error));
        return mark_put(w, shared->mark, key, shared->at,
                        shared->mark == MARK_GONE ? &m->record.parent : NULL, error);
    case MARK_BASE:
        TRY(marks_remove(w, key, error));
        return base_put(w, key, shared->at, &m->record, error);
    case MARK_HELD:
        return writer_put(w, w->env->marks.held, key, shared->reason, error);
    case MARK_FREE:
        return mark_remove(w, MARK_HELD, key, error);
    case MARK_NONE:
        TRY(mark_remove(w, MARK_HELD, key, error));
        return marks_remove(w, key, error);
    }
    return 0;
}

int marks_change(struct writer *w, const struct mutation *m, const struct stored_record *present,
                 mneme_error *error) {
    if (LIKELY(!w->state.sharing))
        return 0;
    struct kv_key key = kv_record_key(m->record.kind, &m->record.id, 0);
    switch (m->op) {
    case MUTATION_PUT:
    case MUTATION_DELETE:
        return changed_by_write(w, &key, m, present, error);
    case MUTATION_PURGE:
        return changed_by_purge(w, &key, m, present, error);
    case MUTATION_MARK:
        return changed_by_mark(w, &key, m, error);
    case MUTATION_CHECK:
    case MUTATION_STATE:
        break;
    }
    return 0;
}

int marks_test(struct writer *w, const struct mutation *m, const struct stored_record *present,
               mneme_error *error) {
    if (LIKELY(m->op != MUTATION_MARK && m->shared.mark == MARK_NONE))
        return 0;
    bool gone = false;
    if (w->state.sharing && m->shared.mark == MARK_HELD && !present) {
        struct kv_key key = kv_record_key(m->record.kind, &m->record.id, 0);
        MDB_val k = kv_val(&key), value;
        int rc = mdb_get(w->txn, w->env->marks.gone, &k, &value);
        if (rc && rc != MDB_NOTFOUND)
            return writer_fail(w, rc, error);
        gone = rc == 0;
    }
    return mark_test(m, w->state.sharing, present != NULL, gone, error);
}

int marks_set_state(struct writer *w, const struct mutation *m, mneme_error *error) {
    bool keeps = w->state.sharing && m->record.body.size == 0;
    int rc = keeps ? 0 : kv_shared_put(w->txn, w->env->main, m->record.body);
    if (rc)
        return writer_fail(w, rc, error);
    w->state.sharing = true;
    w->state.fence = m->shared.fence;
    return 0;
}
