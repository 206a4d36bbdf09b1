/*
 * lookup.c - what conditions ask of the index, inside the transaction that will write.
 */
#include "store/kv/kv_impl.h"

int kv_last_place(struct kv_env *env, MDB_txn *txn, const mneme_id *parent, mneme_kind kind,
                  uint64_t *place, mneme_error *error) {
    static const mneme_id zero;
    struct kv_key prefix = kv_child_prefix(parent, kind);
    struct kv_key end = kv_index_key(prefix, INT64_MAX, &zero);
    struct index_walk walk = {0};
    int64_t sort;
    mneme_id id;
    int rc = index_open(&walk, txn, env->index);
    if (rc == 0)
        rc = index_seek_before(&walk, &end);
    bool found = rc == 0 && kv_has_prefix(index_key(&walk), &prefix) &&
                 kv_index_parse(index_key(&walk), prefix.size, &sort, &id);
    *place = found ? (uint64_t)sort : 0;
    index_close(&walk);
    return rc && rc != MDB_NOTFOUND ? kv_fail(error, rc, "cannot read an index") : 0;
}

/* Whether the record that an index key names is live, from its first chunk: reading all of each
 * child would double the work of completing an episode, which reads them once more. */
static int is_live(struct kv_env *env, MDB_txn *txn, mneme_kind kind, const mneme_id *id,
                   bool *live) {
    struct kv_key key = kv_record_key(kind, id, 0);
    MDB_val at = kv_val(&key), value;
    int rc = mdb_get(txn, env->records, &at, &value);
    *live = rc == 0 && !(kv_blob_flags(value) & MNEME_FLAG_DELETED);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int kv_children(struct kv_env *env, MDB_txn *txn, const mneme_id *parent, mneme_kind kind,
                uint64_t *count, uint64_t *last_place, mneme_error *error) {
    struct kv_key prefix = kv_child_prefix(parent, kind);
    struct index_walk walk = {0};
    int64_t sort;
    mneme_id id;
    *count = *last_place = 0;
    int rc = index_open(&walk, txn, env->index);
    if (rc == 0)
        rc = index_seek(&walk, &prefix);
    while (rc == 0 && kv_has_prefix(index_key(&walk), &prefix) &&
           kv_index_parse(index_key(&walk), prefix.size, &sort, &id)) {
        bool live = false;
        rc = is_live(env, txn, kind, &id, &live);
        *count += live;
        *last_place = live ? (uint64_t)sort : *last_place; /* places rise */
        rc = rc ? rc : index_next(&walk);
    }
    index_close(&walk);
    return rc && rc != MDB_NOTFOUND ? kv_fail(error, rc, "cannot read an index") : 0;
}

static int find_attribute(struct kv_env *env, MDB_txn *txn, const struct store_query *query,
                          struct index_walk *walk, const struct kv_key *prefix, bool *exists,
                          mneme_error *error) {
    int rc = index_seek(walk, prefix);
    for (; rc == 0 && !*exists; rc = index_next(walk)) {
        int64_t sort;
        mneme_id id;
        if (!kv_has_prefix(index_key(walk), prefix) ||
            !kv_index_parse(index_key(walk), prefix->size, &sort, &id))
            return 0;
        AUTO_ARENA struct arena scratch = {0};
        struct stored_record record;
        bool found;
        TRY(kv_load(env, txn, query->kind, &id, &scratch, &record, &found, error));
        *exists = found && query_matches(query, &record);
    }
    return rc && rc != MDB_NOTFOUND ? kv_fail(error, rc, "cannot read an index") : 0;
}

int kv_attribute_exists(struct kv_env *env, MDB_txn *txn, mneme_kind kind,
                        const struct attribute *attribute, bool *exists, mneme_error *error) {
    struct kv_key prefix = kv_attribute_prefix(kind, attribute);
    struct store_query query = {.kind = kind, .filters = attribute, .filter_count = 1, .limit = 1};
    struct index_walk walk = {0};
    int rc = index_open(&walk, txn, env->index);
    if (rc)
        return kv_fail(error, rc, "cannot read an index");
    *exists = false;
    int status = find_attribute(env, txn, &query, &walk, &prefix, exists, error);
    index_close(&walk);
    return status;
}
