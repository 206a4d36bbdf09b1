/*
 * marks.c - the tables of marks, and what shared.h asks of them.
 */
#include "codec/codec.h"
#include "store/kv/kv_impl.h"

MDB_dbi kv_mark_table(const struct kv_env *env, enum mark mark) {
    return mark == MARK_CLEAN  ? env->marks.clean
           : mark == MARK_BASE ? env->marks.base
           : mark == MARK_GONE ? env->marks.gone
                               : env->marks.held;
}

bool kv_table_is_empty(MDB_txn *txn, MDB_dbi table) {
    MDB_stat stat;
    return mdb_stat(txn, table, &stat) == 0 && stat.ms_entries == 0;
}

bool kv_mark_parse(enum mark mark, MDB_val value, struct kv_mark *out) {
    struct slice bytes = slice_of(value.mv_data, value.mv_size);
    if (mark == MARK_HELD) {
        out->held = true;
        out->reason = bytes;
        return bytes.size <= SHARED_REASON_MAX;
    }
    struct wire_reader r = wire_reader_of(bytes);
    out->mark = mark;
    out->at = wire_get_varint(&r);
    out->base = slice_of(r.at, wire_left(&r));
    return !r.bad && (mark == MARK_BASE   ? out->base.size > 0
                      : mark == MARK_GONE ? out->base.size == sizeof(mneme_id)
                                          : out->base.size == 0);
}

static int mark_get_from(struct kv_env *env, MDB_txn *txn, enum mark mark, const struct kv_key *key,
                         struct kv_mark *out) {
    MDB_val k = kv_val(key), value;
    int rc = mdb_get(txn, kv_mark_table(env, mark), &k, &value);
    if (rc)
        return rc;
    return kv_mark_parse(mark, value, out) ? 0 : MDB_CORRUPTED;
}

int kv_mark_get(struct kv_env *env, MDB_txn *txn, const struct kv_key *key, struct kv_mark *out) {
    *out = (struct kv_mark){0};
    int rc = mark_get_from(env, txn, MARK_CLEAN, key, out);
    if (rc == MDB_NOTFOUND)
        rc = mark_get_from(env, txn, MARK_BASE, key, out);
    if (rc == MDB_NOTFOUND)
        rc = mark_get_from(env, txn, MARK_GONE, key, out);
    if (rc == 0 || rc == MDB_NOTFOUND)
        rc = mark_get_from(env, txn, MARK_HELD, key, out);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int kv_base_load(struct kv_env *env, const struct record_name *name, struct slice base,
                 struct arena *arena, struct stored_record *out, mneme_error *error) {
    struct slice copy;
    if (arena_copy(arena, base, &copy))
        return error_set(error, MNEME_NO_MEMORY, "no memory for a record of %zu bytes", base.size);
    return kv_blob_read(copy, name->kind, &name->id, env->device, arena, out, error);
}
