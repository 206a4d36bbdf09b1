/*
 * write.c - apply: batches in one LMDB transaction, each all or nothing.
 *
 * A batch whose condition fails has, as a rule, written nothing yet, because conditions come first.
 * When it has, there is no way to undo a part of a transaction (LMDB's nested transactions are not
 * used: they leak in 0.9.24), so the transaction is given up and begun again without that batch.
 * Every such turn ends one batch, so there are at most as many turns as batches.
 */
#include <errno.h>

#include "os/log.h"
#include "store/kv/write_impl.h"

/* What a mutation got, kept aside until the commit has succeeded. */
struct result {
    mneme_version version;
    uint64_t place;
    uint64_t change;
    uint32_t flags;
    bool applied;
};

int writer_fail(struct writer *w, int rc, mneme_error *error) {
    w->lmdb_code = rc;
    return kv_fail(error, rc, "cannot write to the store");
}

int writer_put(struct writer *w, MDB_dbi table, const struct kv_key *key, struct slice value,
               mneme_error *error) {
    MDB_val k = kv_val(key), v = {value.size, (void *)(uintptr_t)value.data};
    int rc = mdb_put(w->txn, table, &k, &v, 0);
    return LIKELY(rc == 0) ? 0 : writer_fail(w, rc, error);
}

int writer_put_last(struct writer *w, MDB_dbi table, const struct kv_key *key, struct slice value,
                    mneme_error *error) {
    MDB_val k = kv_val(key), v = {value.size, (void *)(uintptr_t)value.data};
    int rc = mdb_put(w->txn, table, &k, &v, MDB_APPEND);
    if (rc == MDB_KEYEXIST) /* it is not behind the last one */
        return writer_put(w, table, key, value, error);
    return rc == 0 ? 0 : writer_fail(w, rc, error);
}

int writer_del(struct writer *w, MDB_dbi table, const struct kv_key *key, mneme_error *error) {
    MDB_val k = kv_val(key);
    int rc = mdb_del(w->txn, table, &k, NULL);
    return LIKELY(rc == 0 || rc == MDB_NOTFOUND) ? 0 : writer_fail(w, rc, error);
}

/* ---- Index entries of a record ------------------------------------------------------------ */

typedef int index_change(struct writer *w, const struct kv_key *key, size_t prefix_size,
                         mneme_error *error);

static int index_flush(struct writer *w, mneme_error *error) {
    int rc = pending_flush(&w->pending, w->txn, w->env->index);
    return LIKELY(rc == 0) ? 0 : writer_fail(w, rc, error);
}

static int entry_add(struct writer *w, const struct kv_key *key, size_t prefix_size,
                     mneme_error *error) {
    if (pending_add(&w->pending, key, prefix_size))
        return error_set(error, MNEME_NO_MEMORY, "no memory for index entries");
    return 0;
}

static int entry_remove(struct writer *w, const struct kv_key *key, size_t prefix_size,
                        mneme_error *error) {
    (void)prefix_size;
    TRY(index_flush(w, error));
    int rc = index_remove(w->txn, w->env->index, key);
    return LIKELY(rc == 0 || rc == MDB_NOTFOUND) ? 0 : writer_fail(w, rc, error);
}

/* Do `change` for every index key that invariants (2) and (3) give the record. */
static int index_each(struct writer *w, const struct stored_record *r, index_change *change,
                      mneme_error *error) {
    if (!id_is_zero(&r->parent)) {
        struct kv_key prefix = kv_child_prefix(&r->parent, r->kind);
        struct kv_key key = kv_index_key(prefix, (int64_t)r->place, &r->id);
        TRY(change(w, &key, prefix.size, error));
    }
    if (r->flags & MNEME_FLAG_DELETED)
        return 0;
    struct kv_key time = kv_time_prefix(r->kind);
    struct kv_key by_time = kv_index_key(time, r->time_us, &r->id);
    TRY(change(w, &by_time, time.size, error));
    for (size_t i = 0; i < r->attribute_count; i++) {
        struct kv_key prefix = kv_attribute_prefix(r->kind, &r->attributes[i]);
        struct kv_key key = kv_index_key(prefix, r->time_us, &r->id);
        TRY(change(w, &key, prefix.size, error));
    }
    return 0;
}

/* Whether both have the same index entries, so that a rewrite may leave them alone. */
static bool index_same(const struct stored_record *a, const struct stored_record *b) {
    bool same = a->time_us == b->time_us && a->place == b->place &&
                id_equal(&a->parent, &b->parent) && a->attribute_count == b->attribute_count &&
                ((a->flags ^ b->flags) & MNEME_FLAG_DELETED) == 0;
    for (size_t i = 0; same && i < a->attribute_count; i++)
        same = slice_equal(a->attributes[i].name, b->attributes[i].name) &&
               slice_equal(a->attributes[i].value, b->attributes[i].value);
    return same;
}

/* ---- Records ------------------------------------------------------------------------------ */

static size_t chunk_count(size_t blob_size) { return (blob_size + KV_CHUNK - 1) / KV_CHUNK; }

/* How many chunks a stored record has, from its first one. */
static int stored_chunks(struct writer *w, const struct stored_record *r, size_t *count,
                         mneme_error *error) {
    struct kv_key key = kv_record_key(r->kind, &r->id, 0);
    MDB_val k = kv_val(&key), value;
    int rc = mdb_get(w->txn, w->env->records, &k, &value);
    if (rc)
        return writer_fail(w, rc, error);
    *count = chunk_count(kv_blob_size(value));
    return 0;
}

/* Store the blob that lies in w->blob as the chunks of a record. */
static int put_chunks(struct writer *w, const struct stored_record *r, mneme_error *error) {
    struct slice left = buf_slice(&w->blob);
    for (size_t chunk = 0; left.size; chunk++) {
        size_t size = size_min(left.size, KV_CHUNK);
        struct kv_key key = kv_record_key(r->kind, &r->id, chunk);
        TRY(writer_put_last(w, w->env->records, &key, slice_of(left.data, size), error));
        left = slice_of(left.data + size, left.size - size);
    }
    return 0;
}

static int remove_chunks(struct writer *w, const struct stored_record *r, size_t from, size_t to,
                         mneme_error *error) {
    for (size_t chunk = from; chunk < to; chunk++) {
        struct kv_key key = kv_record_key(r->kind, &r->id, chunk);
        TRY(writer_del(w, w->env->records, &key, error));
    }
    return 0;
}

static void count_record(struct kv_state *state, const struct stored_record *r, uint64_t by) {
    struct kind_stats *row = &state->kinds[r->kind];
    if (r->flags & MNEME_FLAG_DELETED) {
        row->tombstones += by;
        return;
    }
    row->records += by;
    row->stored_bytes += by * r->body.size;
    row->plain_bytes += by * r->plain_size;
}

/* Remove what the old state of a record has and the new one (NULL: none) does not. */
static int retire(struct writer *w, const struct stored_record *old,
                  const struct stored_record *new, size_t new_chunks, mneme_error *error) {
    size_t old_chunks = 0;
    TRY(stored_chunks(w, old, &old_chunks, error));
    TRY(remove_chunks(w, old, new_chunks, old_chunks, error));
    struct kv_key change = kv_change_key(old->change);
    TRY(writer_del(w, w->env->changes, &change, error));
    if (!new || !index_same(old, new))
        TRY(index_each(w, old, entry_remove, error));
    count_record(&w->state, old, UINT64_MAX); /* - 1 */
    return 0;
}

static int store_record(struct writer *w, const struct stored_record *old,
                        struct stored_record *new, mneme_error *error) {
    uint8_t name[1 + sizeof new->id.bytes];
    name[0] = (uint8_t) new->kind;
    memcpy(name + 1, new->id.bytes, sizeof new->id.bytes);
    new->change = ++w->state.last_change;
    buf_reset(&w->blob);
    TRY(kv_blob_write(&w->blob, new, w->env->device, error));
    if (old)
        TRY(retire(w, old, new, chunk_count(w->blob.size), error));
    TRY(put_chunks(w, new, error));
    struct kv_key change = kv_change_key(new->change);
    TRY(writer_put_last(w, w->env->changes, &change, slice_of(name, sizeof name), error));
    if (!old || !index_same(old, new))
        TRY(index_each(w, new, entry_add, error));
    count_record(&w->state, new, 1);
    return 0;
}

/* ---- Conditions --------------------------------------------------------------------------- */

/* Before an index is looked up: put in what is pending under that prefix. */
static int settle_prefix(struct writer *w, struct kv_key prefix, mneme_error *error) {
    return pending_maybe(&w->pending, &prefix) ? index_flush(w, error) : 0;
}

static int children_expected(struct writer *w, const struct mutation *m, bool *holds,
                             mneme_error *error) {
    uint64_t count, last_place;
    TRY(settle_prefix(w, kv_child_prefix(&m->record.id, m->expect_kind), error));
    TRY(kv_children(w->env, w->txn, &m->record.id, m->expect_kind, &count, &last_place, error));
    *holds = count == m->expect_count && last_place == m->expect_place;
    return 0;
}

static int condition_holds(struct writer *w, const struct mutation *m,
                           const struct stored_record *present, mneme_error *error) {
    TRY(condition_test(m, present, error));
    if (m->condition == CONDITION_CHILDREN) {
        bool holds = false;
        TRY(children_expected(w, m, &holds, error));
        return holds ? 0 : condition_failed(m, error);
    }
    if (m->condition == CONDITION_FENCE)
        return w->state.fence == mutation_fence(m) ? 0 : condition_failed(m, error);
    if (m->condition == CONDITION_NO_ATTRIBUTE) {
        bool exists = false;
        TRY(settle_prefix(w, kv_attribute_prefix(m->record.kind, &m->expect_attribute), error));
        TRY(kv_attribute_exists(w->env, w->txn, m->record.kind, &m->expect_attribute, &exists,
                                error));
        return exists ? condition_failed(m, error) : 0;
    }
    return 0;
}

/* ---- Mutations and batches ---------------------------------------------------------------- */

/* A version that the store gives, or the one that a replica brings. */
static void settle_version(struct writer *w, struct stored_record *record) {
    if (version_is_zero(record->version))
        record->version = version_next(w->last_version, w->env->device, w->now_ms);
    if (record->version.clock > w->last_version.clock)
        w->last_version = record->version;
}

static int write_record(struct writer *w, const struct mutation *m,
                        const struct stored_record *present, struct result *result,
                        mneme_error *error) {
    struct stored_record new = mutation_leaves(m, present);
    if (new.place == 0 && !id_is_zero(&new.parent)) {
        TRY(settle_prefix(w, kv_child_prefix(&new.parent, new.kind), error));
        TRY(kv_last_place(w->env, w->txn, &new.parent, new.kind, &new.place, error));
        new.place++;
    }
    settle_version(w, &new);
    TRY(store_record(w, present, &new, error));
    *result = (struct result){new.version, new.place, new.change, new.flags, true};
    return 0;
}

/* Do what a mutation says, all that it asks for being so; *wrote: the transaction has changed. */
static int change(struct writer *w, const struct mutation *m, const struct stored_record *present,
                  struct result *result, bool *wrote, mneme_error *error) {
    bool put = m->op == MUTATION_PUT || m->op == MUTATION_DELETE;
    *result = (struct result){.applied = true};
    if (m->op == MUTATION_CHECK)
        return 0;
    if (m->op == MUTATION_PURGE)
        result->applied = present != NULL;
    if (put && mutation_is_late(m, present)) {
        result->applied = false;
        return 0;
    }
    *wrote = true;
    if (m->op == MUTATION_STATE)
        return marks_set_state(w, m, error);
    if (put)
        TRY(write_record(w, m, present, result, error));
    else if (m->op == MUTATION_PURGE && present)
        TRY(retire(w, present, NULL, 0, error));
    return marks_change(w, m, present, error);
}

/* Do one mutation; *wrote tells whether the transaction has changed. */
static int mutate(struct writer *w, const struct mutation *m, struct result *result, bool *wrote,
                  mneme_error *error) {
    AUTO_ARENA struct arena scratch = {0};
    struct stored_record old;
    bool there = false;
    if (mutation_has_name(m))
        TRY(kv_load(w->env, w->txn, m->record.kind, &m->record.id, &scratch, &old, &there, error));
    const struct stored_record *present = there ? &old : NULL;
    TRY(condition_holds(w, m, present, error));
    TRY(marks_test(w, m, present, error));
    return change(w, m, present, result, wrote, error);
}

/* All mutations of a batch. On failure the batch has its status; *wrote tells whether the
 * transaction has to be given up for it. */
static int apply_batch(struct writer *w, struct batch *batch, struct result *results, bool *wrote) {
    struct kv_state state = w->state;
    mneme_version last_version = w->last_version;
    *wrote = false;
    batch->status = 0;
    batch->failed = batch->count;
    for (size_t i = 0; i < batch->count && batch->status == 0; i++) {
        batch->status = mutate(w, &batch->mutations[i], &results[i], wrote, &batch->error);
        if (batch->status)
            batch->failed = i;
    }
    if (batch->status) {
        w->state = state;
        w->last_version = last_version;
    }
    return batch->status;
}

static int writer_begin(struct writer *w, mneme_error *error) {
    w->lmdb_code = 0;
    pending_reset(&w->pending);
    TRY(kv_write_begin(w->env, &w->txn, error));
    int status = kv_readers_check(w->env, error);
    if (status == 0)
        status = kv_state_get(w->txn, w->env->main, &w->state, error);
    if (status) {
        kv_write_abort(w->env, w->txn);
        return status;
    }
    w->last_version = (mneme_version){w->state.last_clock, w->env->device};
    w->now_ms = (uint64_t)(clock_wall_us() + w->skew_us) / 1000;
    return 0;
}

static int writer_commit(struct writer *w, mneme_error *error) {
    w->state.last_clock = w->last_version.clock;
    int rc = pending_flush(&w->pending, w->txn, w->env->index);
    if (rc == 0)
        rc = kv_state_put(w->txn, w->env->main, &w->state);
    if (rc) {
        kv_write_abort(w->env, w->txn);
    } else {
        rc = kv_write_commit(w->env, w->txn);
    }
    return rc ? writer_fail(w, rc, error) : 0;
}

/* One attempt at everything that is not `done`. A batch that fails on its own becomes done. */
enum attempt { ATTEMPT_COMMITTED, ATTEMPT_AGAIN, ATTEMPT_FAILED };

static enum attempt attempt(struct writer *w, struct batch *const *batches, size_t count,
                            bool *done, struct result *results, mneme_error *error) {
    if (writer_begin(w, error))
        return ATTEMPT_FAILED;
    bool any = false; /* a commit of nothing would be synced to disk all the same */
    for (size_t i = 0; i < count; results += batches[i++]->count) {
        if (done[i])
            continue;
        bool wrote;
        if (apply_batch(w, batches[i], results, &wrote) == 0) {
            any = any || wrote;
        } else if (w->lmdb_code) {
            kv_write_abort(w->env, w->txn);
            if (error)
                *error = batches[i]->error;
            return ATTEMPT_FAILED;
        } else {
            done[i] = true;
            if (wrote) {
                kv_write_abort(w->env, w->txn);
                return ATTEMPT_AGAIN;
            }
        }
    }
    if (any)
        return writer_commit(w, error) ? ATTEMPT_FAILED : ATTEMPT_COMMITTED;
    kv_write_abort(w->env, w->txn);
    return ATTEMPT_COMMITTED;
}

/* ---- Apply -------------------------------------------------------------------------------- */

/* After a failed commit: whether it is in the file all the same, told by the record that it wrote
 * last (the others may have been written more than once in it), and confirmed by the disk. */
static bool commit_is_in(struct kv_env *env, struct batch *const *batches, size_t count,
                         const bool *done, const struct result *results) {
    const struct mutation *witness = NULL;
    const struct result *got = NULL;
    for (size_t i = 0; i < count; results += batches[i++]->count) {
        for (size_t j = 0; !done[i] && j < batches[i]->count; j++) {
            if (results[j].change && (!got || results[j].change > got->change)) {
                witness = &batches[i]->mutations[j];
                got = &results[j];
            }
        }
    }
    MDB_txn *txn;
    if (!witness || kv_read_begin(env, &txn, NULL))
        return false;
    AUTO_ARENA struct arena scratch = {0};
    struct stored_record record;
    bool there = false;
    bool in = kv_load(env, txn, witness->record.kind, &witness->record.id, &scratch, &record,
                      &there, NULL) == 0 &&
              there && record.change == got->change &&
              version_compare(record.version, got->version) == 0;
    in = in && mdb_env_sync(env->mdb, 1) == 0;
    kv_read_end(env, txn);
    return in;
}

/* Hand the results of the batches that went in to their callers. */
static void publish(struct batch *const *batches, size_t count, const bool *done,
                    const struct result *results) {
    for (size_t i = 0; i < count; results += batches[i++]->count) {
        for (size_t j = 0; !done[i] && j < batches[i]->count; j++) {
            struct mutation *m = &batches[i]->mutations[j];
            m->applied = results[j].applied;
            if (results[j].change) {
                if (m->op == MUTATION_PUT)
                    m->record.flags = results[j].flags;
                m->record.version = results[j].version;
                m->record.place = results[j].place;
                m->record.change = results[j].change;
            }
        }
    }
}

static void fail_rest(struct batch *const *batches, size_t count, const bool *done,
                      const mneme_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (done[i])
            continue;
        batches[i]->status = error->code;
        batches[i]->failed = batches[i]->count;
        batches[i]->error = *error;
    }
}

/* One batch may be what is too much for a transaction or for the disk: each gets its own. */
static void apply_one_by_one(struct writer *w, struct batch *const *batches, size_t count,
                             bool *done, struct result *results);

static void apply_all(struct writer *w, struct batch *const *batches, size_t count, bool *done,
                      struct result *results) {
    mneme_error error = {.code = MNEME_FAILURE};
    for (;;) {
        enum attempt how = attempt(w, batches, count, done, results, &error);
        if (how == ATTEMPT_COMMITTED) {
            publish(batches, count, done, results);
            return;
        }
        if (how == ATTEMPT_AGAIN)
            continue;
        int code = w->lmdb_code;
        if (code && kv_write_recover(w->env, code, &error))
            continue;
        if (code && commit_is_in(w->env, batches, count, done, results)) {
            LOG(WARN, STORE, "a commit that failed is in the file all the same",
                LOG_STRING("file.path", w->env->path), LOG_WHOLE("lmdb.code", code));
            publish(batches, count, done, results);
            return;
        }
        if (count > 1 && (code == MDB_TXN_FULL || code == MDB_MAP_FULL || code == ENOSPC))
            apply_one_by_one(w, batches, count, done, results);
        else
            fail_rest(batches, count, done, &error);
        return;
    }
}

static void apply_one_by_one(struct writer *w, struct batch *const *batches, size_t count,
                             bool *done, struct result *results) {
    for (size_t i = 0; i < count; results += batches[i++]->count)
        if (!done[i])
            apply_all(w, &batches[i], 1, &done[i], results);
}

int kv_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct kv_env *env = kv_of(store)->env;
    if (kv_of(store)->read_only || env->no_write) {
        for (size_t i = 0; i < count; i++)
            batches[i]->status = error_set(&batches[i]->error, MNEME_PERMISSION,
                                           "%s was opened for reading only", env->path);
        return 0;
    }
    size_t mutations = 0;
    for (size_t i = 0; i < count; i++)
        mutations += batches[i]->count;
    AUTO_FREE bool *done = mem_zalloc(count, sizeof *done);
    AUTO_FREE struct result *results = mem_zalloc(mutations, sizeof *results);
    if (!done || !results)
        return MNEME_NO_MEMORY;
    struct writer w = {
        .env = env, .skew_us = kv_of(store)->clock_skew_us, .blob = BUF_INIT(KV_BLOB_MAX)};
    for (size_t i = 0; i < count; i++)
        batches[i]->status = 0;
    apply_all(&w, batches, count, done, results);
    pending_fini(&w.pending);
    buf_fini(&w.blob);
    return 0;
}
