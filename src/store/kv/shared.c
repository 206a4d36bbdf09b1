/*
 * shared.c - the calls of shared.h: state, marks, the outbox, and names by mark.
 */
#include "store/kv/kv_impl.h"

enum { LOOKS_MAX = 16384 }; /* entries of the change log that one call for the outbox looks at */

static int failed(int rc, mneme_error *error) {
    return kv_fail(error, rc, "cannot read what is marked as shared");
}

/*
 * A read transaction with the tables of marks. A file of format 1 has none (*marked false), and
 * nothing is marked in it. It may have been raised to format 2 by another process since it was
 * opened here; then it is opened again.
 */
static int begin(struct kv_env *env, MDB_txn **txn, bool *marked, mneme_error *error) {
    for (;;) {
        struct kv_identity identity = {.format = KV_FORMAT};
        TRY(kv_read_begin(env, txn, error));
        *marked = env->format >= KV_FORMAT;
        int status = *marked ? 0 : kv_identity_get(*txn, env->main, &identity, error);
        if (status == 0 && (*marked || identity.format < KV_FORMAT))
            return 0;
        kv_read_end(env, *txn);
        TRY(status);
        shared_lock_acquire_write(&env->gate);
        status = env->mdb && env->format >= KV_FORMAT ? 0 : kv_env_reopen(env, error);
        shared_lock_release(&env->gate);
        TRY(status);
    }
}

/* ---- State and counts -------------------------------------------------------------------- */

static int count_marks(struct kv_env *env, MDB_txn *txn, struct shared_counts *out) {
    MDB_stat clean, base, gone, held;
    int rc = mdb_stat(txn, env->marks.clean, &clean);
    rc = rc ? rc : mdb_stat(txn, env->marks.base, &base);
    rc = rc ? rc : mdb_stat(txn, env->marks.gone, &gone);
    rc = rc ? rc : mdb_stat(txn, env->marks.held, &held);
    if (rc == 0)
        *out = (struct shared_counts){clean.ms_entries, base.ms_entries, gone.ms_entries,
                                      held.ms_entries};
    return rc;
}

static int read_state(struct kv_env *env, MDB_txn *txn, bool marked, struct arena *arena,
                      struct slice *state, uint64_t *fence, struct shared_counts *counts,
                      mneme_error *error) {
    struct kv_state numbers;
    struct shared_counts counted = {0};
    struct slice bytes, copy;
    TRY(kv_state_get(txn, env->main, &numbers, error));
    int rc = counts && marked ? count_marks(env, txn, &counted) : 0;
    if (rc)
        return failed(rc, error);
    if (state) {
        TRY(kv_shared_get(txn, env->main, &bytes, error));
        if (arena_copy(arena, bytes, &copy))
            return error_set(error, MNEME_NO_MEMORY, "no memory for the state of sync");
        *state = copy;
    }
    if (fence)
        *fence = numbers.fence;
    if (counts)
        *counts = counted;
    return 0;
}

static int kv_shared_state(struct store *store, struct arena *arena, struct slice *state,
                           uint64_t *fence, struct shared_counts *counts, mneme_error *error) {
    struct kv_env *env = kv_of(store)->env;
    MDB_txn *txn;
    bool marked;
    TRY(begin(env, &txn, &marked, error));
    int status = read_state(env, txn, marked, arena, state, fence, counts, error);
    kv_read_end(env, txn);
    return status;
}

/* ---- Marks ------------------------------------------------------------------------------- */

static int read_mark(struct kv_env *env, MDB_txn *txn, const struct record_name *name,
                     struct shared_mark *out, struct record_set *bases, mneme_error *error) {
    struct kv_key key = kv_record_key(name->kind, &name->id, 0);
    struct kv_mark mark;
    struct stored_record base;
    int rc = kv_mark_get(env, txn, &key, &mark);
    if (rc)
        return failed(rc, error);
    *out =
        (struct shared_mark){.mark = mark.mark, .at = mark.at, .held = mark.held, .base = SIZE_MAX};
    if (mark.mark != MARK_BASE)
        return 0;
    TRY(kv_base_load(env, name, mark.base, &bases->arena, &base, error));
    struct stored_record *slot = record_set_add(bases);
    if (!slot)
        return error_set(error, MNEME_NO_MEMORY, "no memory for what is marked as shared");
    *slot = base;
    out->base = bases->count - 1;
    return 0;
}

static int kv_shared_marks(struct store *store, const struct record_name *names, size_t count,
                           struct shared_mark *marks, struct record_set *bases,
                           mneme_error *error) {
    struct kv_env *env = kv_of(store)->env;
    MDB_txn *txn;
    bool marked;
    TRY(begin(env, &txn, &marked, error));
    int status = 0;
    for (size_t i = 0; i < count && status == 0; i++) {
        marks[i] = (struct shared_mark){.base = SIZE_MAX};
        if (marked)
            status = read_mark(env, txn, &names[i], &marks[i], bases, error);
    }
    kv_read_end(env, txn);
    return status;
}

/* ---- The outbox -------------------------------------------------------------------------- */

/* How far a look at the outbox has come. */
struct outbox {
    struct kv_env *env;
    MDB_txn *txn;
    bool marked;
    struct record_set *out;
    size_t taken, bytes, looks;
};

static int is_out(const struct outbox *o, const struct record_name *name, bool *out,
                  mneme_error *error) {
    struct kv_key key = kv_record_key(name->kind, &name->id, 0);
    MDB_val k = kv_val(&key), value;
    int rc = MDB_NOTFOUND;
    if (o->marked)
        rc = mdb_get(o->txn, o->env->marks.clean, &k, &value);
    if (o->marked && rc == MDB_NOTFOUND)
        rc = mdb_get(o->txn, o->env->marks.held, &k, &value);
    *out = rc == MDB_NOTFOUND;
    return rc && rc != MDB_NOTFOUND ? failed(rc, error) : 0;
}

static int outbox_look(struct outbox *o, const struct record_name *name, mneme_error *error) {
    struct stored_record record;
    bool wanted, found;
    TRY(is_out(o, name, &wanted, error));
    o->looks++;
    if (!wanted)
        return 0;
    TRY(kv_load(o->env, o->txn, name->kind, &name->id, &o->out->arena, &record, &found, error));
    if (!found)
        return error_set(error, MNEME_CORRUPT,
                         "the change log names a record that is not there; run `mneme verify`");
    struct stored_record *slot = record_set_add(o->out);
    if (!slot)
        return error_set(error, MNEME_NO_MEMORY, "no memory for records to be sent");
    *slot = record;
    o->taken++;
    o->bytes += record.body.size;
    return 0;
}

static int outbox_walk(struct outbox *o, MDB_cursor *cursor, uint64_t since, size_t limit,
                       size_t bytes, uint64_t *upto, bool *more, mneme_error *error) {
    struct kv_key from = kv_change_key(since + 1);
    MDB_val key = kv_val(&from), value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        const uint8_t *at = value.mv_data;
        struct record_name name;
        if (value.mv_size != 1 + sizeof name.id.bytes || key.mv_size != 8)
            return error_set(error, MNEME_CORRUPT, "an entry of the change log is damaged");
        *more = o->taken == limit || (o->taken && o->bytes > bytes) || o->looks == LOOKS_MAX;
        if (*more)
            return 0;
        name.kind = (mneme_kind)at[0];
        memcpy(name.id.bytes, at + 1, sizeof name.id.bytes);
        TRY(outbox_look(o, &name, error));
        *upto = get_be64(key.mv_data);
    }
    return rc == MDB_NOTFOUND ? 0 : kv_fail(error, rc, "cannot read the change log");
}

static int outbox_read(struct outbox *o, uint64_t since, size_t limit, size_t bytes, uint64_t *upto,
                       bool *more, mneme_error *error) {
    struct kv_state state;
    MDB_cursor *cursor = NULL;
    TRY(kv_state_get(o->txn, o->env->main, &state, error));
    if (state.last_change <= since)
        return 0;
    int rc = mdb_cursor_open(o->txn, o->env->changes, &cursor);
    if (rc)
        return kv_fail(error, rc, "cannot read the change log");
    int status = outbox_walk(o, cursor, since, limit, bytes, upto, more, error);
    mdb_cursor_close(cursor);
    if (status == 0 && !*more)
        *upto = state.last_change;
    return status;
}

static int kv_shared_outbox(struct store *store, uint64_t since, size_t limit, size_t bytes,
                            struct record_set *out, uint64_t *upto, bool *more,
                            mneme_error *error) {
    struct outbox o = {.env = kv_of(store)->env, .out = out};
    TRY(begin(o.env, &o.txn, &o.marked, error));
    int status = outbox_read(&o, since, limit, bytes, upto, more, error);
    kv_read_end(o.env, o.txn);
    return status;
}

/* ---- Names ------------------------------------------------------------------------------- */

/* Where the names go. */
struct name_list {
    size_t limit, count;
    struct record_name *names;
    uint64_t *at;
    struct slice *reasons;
    struct arena *arena;
};

static int add_name(struct name_list *list, enum mark mark, MDB_val key, MDB_val value,
                    mneme_error *error) {
    struct record_name *name = &list->names[list->count];
    struct kv_mark found = {0};
    bool first;
    if (!kv_record_parse(key, &name->kind, &name->id, &first) || !first ||
        !kv_mark_parse(mark, value, &found))
        return failed(MDB_CORRUPTED, error);
    struct slice said = mark == MARK_GONE ? found.base : found.reason;
    bool tells = found.held || mark == MARK_GONE;
    if (list->reasons && tells && arena_copy(list->arena, said, &list->reasons[list->count]))
        return error_set(error, MNEME_NO_MEMORY, "no memory for what is marked as shared");
    list->at[list->count++] = found.at;
    return 0;
}

static int list_names(MDB_cursor *cursor, enum mark mark, const struct record_name *after,
                      struct name_list *list, mneme_error *error) {
    struct kv_key from = {.size = 0};
    if (after)
        from = kv_record_key(after->kind, &after->id, 0);
    MDB_val key = kv_val(&from), value;
    int rc = mdb_cursor_get(cursor, &key, &value, after ? MDB_SET_RANGE : MDB_FIRST);
    if (rc == 0 && after &&
        slice_equal(slice_of(key.mv_data, key.mv_size), slice_of(from.data, from.size)))
        rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
    for (; rc == 0 && list->count < list->limit;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))
        TRY(add_name(list, mark, key, value, error));
    return rc && rc != MDB_NOTFOUND ? failed(rc, error) : 0;
}

static int kv_shared_names(struct store *store, enum mark mark, const struct record_name *after,
                           size_t limit, struct record_name *names, uint64_t *at,
                           struct slice *reasons, struct arena *arena, size_t *count,
                           mneme_error *error) {
    struct kv_env *env = kv_of(store)->env;
    struct name_list list = {
        .limit = limit, .names = names, .at = at, .reasons = reasons, .arena = arena};
    MDB_txn *txn;
    MDB_cursor *cursor = NULL;
    bool marked;
    TRY(begin(env, &txn, &marked, error));
    int rc = marked ? mdb_cursor_open(txn, kv_mark_table(env, mark), &cursor) : 0;
    int status = rc ? failed(rc, error) : 0;
    if (cursor) {
        status = list_names(cursor, mark, after, &list, error);
        mdb_cursor_close(cursor);
    }
    kv_read_end(env, txn);
    *count = list.count;
    return status;
}

const struct shared_operations kv_shared_operations = {
    .state = kv_shared_state,
    .marks = kv_shared_marks,
    .outbox = kv_shared_outbox,
    .names = kv_shared_names,
};
