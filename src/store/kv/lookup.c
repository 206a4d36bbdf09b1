/*
 * lookup.c - what conditions ask of the index, inside the transaction that will write.
 */
#include "store/kv/kv_impl.h"

/* Walk back from `end` to the first child that counts. */
static int find_last(struct kv_env *env, MDB_txn *txn, mneme_kind kind, bool live,
                     struct index_walk *walk, const struct kv_key *prefix, const struct kv_key *end,
                     uint64_t *place, mneme_error *error) {
    int rc = index_seek_before(walk, end);
    for (; rc == 0; rc = index_previous(walk)) {
        int64_t sort;
        mneme_id id;
        if (!kv_has_prefix(index_key(walk), prefix) ||
            !kv_index_parse(index_key(walk), prefix->size, &sort, &id))
            return 0;
        AUTO_ARENA struct arena scratch = {0};
        struct stored_record record = {0};
        bool found = true;
        if (live)
            TRY(kv_load(env, txn, kind, &id, &scratch, &record, &found, error));
        if (!found || record.flags & MNEME_FLAG_DELETED)
            continue;
        *place = (uint64_t)sort;
        return 0;
    }
    return rc == MDB_NOTFOUND ? 0 : kv_fail(error, rc, "cannot read an index");
}

int kv_last_place(struct kv_env *env, MDB_txn *txn, const mneme_id *parent, mneme_kind kind,
                  bool live, uint64_t *place, mneme_error *error) {
    static const mneme_id zero;
    struct kv_key prefix = kv_child_prefix(parent, kind);
    struct kv_key end = kv_index_key(prefix, INT64_MAX, &zero);
    struct index_walk walk = {0};
    int rc = index_open(&walk, txn, env->index);
    if (rc)
        return kv_fail(error, rc, "cannot read an index");
    *place = 0;
    int status = find_last(env, txn, kind, live, &walk, &prefix, &end, place, error);
    index_close(&walk);
    return status;
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
