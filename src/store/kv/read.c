/*
 * read.c - one record, get and changes.
 */
#include "store/kv/kv_impl.h"

/* ---- One record -------------------------------------------------------------------------- */

static int damaged(mneme_kind kind, const mneme_id *id, mneme_error *error) {
    char text[ID_TEXT_SIZE];
    id_format(id, text);
    return error_set(error, MNEME_CORRUPT,
                     "record %s of kind %d is damaged (a part of it is missing); run `mneme "
                     "verify`, and restore it from a backup",
                     text, (int)kind);
}

/* The next chunk: the cursor is opened on the second, and steps from there. LMDB's code. */
static int next_chunk(struct kv_env *env, MDB_txn *txn, mneme_kind kind, const mneme_id *id,
                      size_t chunk, MDB_cursor **cursor, MDB_val *value) {
    struct kv_key expected = kv_record_key(kind, id, chunk);
    MDB_val key = kv_val(&expected);
    if (!*cursor) {
        int rc = mdb_cursor_open(txn, env->records, cursor);
        return rc ? rc : mdb_cursor_get(*cursor, &key, value, MDB_SET_KEY);
    }
    int rc = mdb_cursor_get(*cursor, &key, value, MDB_NEXT);
    if (rc == 0 &&
        (key.mv_size != expected.size || memcmp(key.mv_data, expected.data, expected.size) != 0))
        return MDB_NOTFOUND;
    return rc;
}

/* Gather the chunks of a blob of `size` bytes at `data`; `value` is its first. LMDB's code, and
 * MDB_NOTFOUND when a part is missing or has the wrong size. */
static int gather_chunks(struct kv_env *env, MDB_txn *txn, mneme_kind kind, const mneme_id *id,
                         MDB_val value, uint8_t *data, size_t size) {
    MDB_cursor *cursor = NULL;
    size_t at = 0;
    int rc = 0;
    for (size_t chunk = 1; rc == 0; chunk++) {
        if (value.mv_size == 0 || value.mv_size > size - at) {
            rc = MDB_NOTFOUND;
            break;
        }
        memcpy(data + at, value.mv_data, value.mv_size);
        at += value.mv_size;
        if (at == size)
            break;
        rc = next_chunk(env, txn, kind, id, chunk, &cursor, &value);
    }
    if (cursor)
        mdb_cursor_close(cursor);
    return rc;
}

static int load_chunks(struct kv_env *env, MDB_txn *txn, mneme_kind kind, const mneme_id *id,
                       MDB_val first, struct arena *arena, struct slice *blob, mneme_error *error) {
    size_t size = kv_blob_size(first);
    if (size < first.mv_size)
        return damaged(kind, id, error);
    uint8_t *data = arena_alloc(arena, size);
    if (!data)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a record of %zu bytes", size);
    int rc = gather_chunks(env, txn, kind, id, first, data, size);
    if (rc)
        return rc == MDB_NOTFOUND ? damaged(kind, id, error)
                                  : kv_fail(error, rc, "cannot read a record");
    *blob = slice_of(data, size);
    return 0;
}

int kv_load(struct kv_env *env, MDB_txn *txn, mneme_kind kind, const mneme_id *id,
            struct arena *arena, struct stored_record *out, bool *found, mneme_error *error) {
    struct kv_key key = kv_record_key(kind, id, 0);
    MDB_val at = kv_val(&key), value;
    int rc = mdb_get(txn, env->records, &at, &value);
    *found = rc == 0;
    if (rc)
        return rc == MDB_NOTFOUND ? 0 : kv_fail(error, rc, "cannot read a record");
    struct slice blob = {0};
    TRY(load_chunks(env, txn, kind, id, value, arena, &blob, error));
    return kv_blob_read(blob, kind, id, env->device, arena, out, error);
}

static int get_all(struct kv_env *env, MDB_txn *txn, const struct record_name *names, size_t count,
                   struct record_set *out, size_t *found, mneme_error *error) {
    for (size_t i = 0; i < count; i++) {
        struct stored_record record;
        bool there;
        TRY(kv_load(env, txn, names[i].kind, &names[i].id, &out->arena, &record, &there, error));
        found[i] = SIZE_MAX;
        if (!there)
            continue;
        struct stored_record *slot = record_set_add(out);
        if (!slot)
            return error_set(error, MNEME_NO_MEMORY, "no memory for %zu records", count);
        *slot = record;
        found[i] = out->count - 1;
    }
    return 0;
}

int kv_get(struct store *store, const struct record_name *names, size_t count,
           struct record_set *out, size_t *found, mneme_error *error) {
    struct kv_env *env = kv_of(store)->env;
    MDB_txn *txn;
    TRY(kv_read_begin(env, &txn, error));
    int status = get_all(env, txn, names, count, out, found, error);
    kv_read_end(env, txn);
    return status;
}

/* ---- Changes ----------------------------------------------------------------------------- */

static int collect_changes(struct kv_env *env, MDB_txn *txn, MDB_cursor *cursor, uint64_t since,
                           size_t limit, bool without_bodies, struct record_set *out,
                           mneme_error *error) {
    struct kv_key from = kv_change_key(since + 1);
    MDB_val key = kv_val(&from), value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    size_t start = out->count;
    for (; rc == 0 && out->count - start < limit;
         rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        mneme_id id;
        if (value.mv_size != 1 + sizeof id.bytes)
            return error_set(error, MNEME_CORRUPT, "an entry of the change log is damaged");
        const uint8_t *at = value.mv_data;
        memcpy(id.bytes, at + 1, sizeof id.bytes);
        struct stored_record record;
        bool found;
        TRY(kv_load(env, txn, (mneme_kind)at[0], &id, &out->arena, &record, &found, error));
        if (!found)
            return error_set(error, MNEME_CORRUPT,
                             "the change log names a record that is not there; run `mneme verify`");
        struct stored_record *slot = record_set_add(out);
        if (!slot)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a page of changes");
        if (without_bodies)
            record.body = slice_of(NULL, 0);
        *slot = record;
    }
    return rc && rc != MDB_NOTFOUND ? kv_fail(error, rc, "cannot read the change log") : 0;
}

int kv_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
               struct record_set *out, mneme_error *error) {
    if (since == UINT64_MAX)
        return 0;
    struct kv_env *env = kv_of(store)->env;
    MDB_txn *txn;
    TRY(kv_read_begin(env, &txn, error));
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(txn, env->changes, &cursor);
    int status = rc ? kv_fail(error, rc, "cannot read the change log")
                    : collect_changes(env, txn, cursor, since, limit, without_bodies, out, error);
    if (cursor)
        mdb_cursor_close(cursor);
    kv_read_end(env, txn);
    return status;
}
