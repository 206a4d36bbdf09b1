/*
 * query.c - listings: one range of the index or of the ids, walked in one direction.
 */
#include "store/kv/kv_impl.h"

/*
 * Bounds are whole keys: `low` is the first inside, `high` the first behind. The walk gives up its
 * snapshot every KV_SCAN_SLICE keys and goes on behind the last one it saw, so that a long one
 * pins no old pages.
 */
struct scan {
    struct kv_env *env;
    MDB_txn *txn;
    bool by_id;             /* walks the records table, else the index */
    MDB_cursor *cursor;     /* of the records table */
    struct index_walk walk; /* of the index */
    struct kv_key prefix;   /* of the index keys */
    struct kv_key low, high;
    bool backward, started;
    struct kv_key last; /* the key it stands on */
    unsigned looked_at;
};

/* ---- Keys --------------------------------------------------------------------------------- */

/* The smallest key greater than all that begin with `prefix`; for a prefix of 0xff bytes alone,
 * one that is greater than every key of a table. */
static struct kv_key key_after_prefix(struct kv_key prefix) {
    while (prefix.size && prefix.data[prefix.size - 1] == 0xff)
        prefix.size--;
    if (prefix.size) {
        prefix.data[prefix.size - 1]++;
        return prefix;
    }
    struct kv_key end = {.size = KV_KEY_MAX / 2};
    memset(end.data, 0xff, end.size);
    return end;
}

/* The smallest key greater than `key`. */
static struct kv_key key_successor(struct kv_key key) {
    ASSERT(key.size < sizeof key.data);
    key.data[key.size++] = 0;
    return key;
}

/* ---- Walking ------------------------------------------------------------------------------ */

static int scan_open(struct scan *scan) {
    return scan->by_id ? mdb_cursor_open(scan->txn, scan->env->records, &scan->cursor)
                       : index_open(&scan->walk, scan->txn, scan->env->index);
}

static void scan_close(struct scan *scan) {
    if (scan->cursor)
        mdb_cursor_close(scan->cursor);
    scan->cursor = NULL;
    index_close(&scan->walk);
}

/* Take a new snapshot, as any read does: others may have grown the map meanwhile. After a failure
 * there is none. */
static int scan_renew(struct scan *scan, mneme_error *error) {
    scan_close(scan);
    kv_read_end(scan->env, scan->txn);
    scan->txn = NULL;
    TRY(kv_read_begin(scan->env, &scan->txn, error));
    int rc = scan_open(scan);
    return rc ? kv_fail(error, rc, "cannot read an index") : 0;
}

/* Seek in the records table; the key goes to scan->last. */
static int seek_record(struct scan *scan, const struct kv_key *bound) {
    MDB_val key = kv_val(bound), value;
    int rc = mdb_cursor_get(scan->cursor, &key, &value, MDB_SET_RANGE);
    if (scan->backward)
        rc = rc && rc != MDB_NOTFOUND
                 ? rc
                 : mdb_cursor_get(scan->cursor, &key, &value, rc ? MDB_LAST : MDB_PREV);
    return rc ? rc : kv_key_from(key, &scan->last);
}

static int step_record(struct scan *scan) {
    MDB_val key, value;
    struct kv_key before = scan->last;
    int rc = mdb_cursor_get(scan->cursor, &key, &value, scan->backward ? MDB_PREV : MDB_NEXT);
    rc = rc ? rc : kv_key_from(key, &scan->last);
    int moved = kv_key_compare(&scan->last, &before);
    return rc == 0 && (scan->backward ? moved >= 0 : moved <= 0) ? MDB_CORRUPTED : rc;
}

static int scan_seek(struct scan *scan) {
    struct kv_key bound = scan->backward  ? (scan->started ? scan->last : scan->high)
                          : scan->started ? key_successor(scan->last)
                                          : scan->low;
    if (scan->by_id)
        return seek_record(scan, &bound);
    int rc =
        scan->backward ? index_seek_before(&scan->walk, &bound) : index_seek(&scan->walk, &bound);
    if (rc == 0)
        scan->last = *index_key(&scan->walk);
    return rc;
}

static int scan_step(struct scan *scan) {
    if (scan->by_id)
        return step_record(scan);
    int rc = scan->backward ? index_previous(&scan->walk) : index_next(&scan->walk);
    if (rc == 0)
        scan->last = *index_key(&scan->walk);
    return rc;
}

/* Go to the next key in range; *found is false at the end. */
static int scan_next(struct scan *scan, bool *found, mneme_error *error) {
    bool seek = !scan->started;
    if (++scan->looked_at % KV_SCAN_SLICE == 0 && scan->started) {
        TRY(scan_renew(scan, error));
        seek = true;
    }
    int rc = seek ? scan_seek(scan) : scan_step(scan);
    *found = rc == 0 && (scan->backward ? kv_key_compare(&scan->last, &scan->low) >= 0
                                        : kv_key_compare(&scan->last, &scan->high) < 0);
    scan->started = true;
    return rc && rc != MDB_NOTFOUND ? kv_fail(error, rc, "cannot read an index") : 0;
}

/* ---- Planning ----------------------------------------------------------------------------- */

/* How many entries an attribute has, counted to a few: enough to pick the rarest. */
static unsigned count_some(struct kv_env *env, MDB_txn *txn, const struct kv_key *prefix) {
    enum { ENOUGH = 32 };
    struct index_walk walk = {0};
    unsigned n = 0;
    if (index_open(&walk, txn, env->index))
        return 0;
    int rc = index_seek(&walk, prefix);
    for (; rc == 0 && n < ENOUGH && kv_has_prefix(index_key(&walk), prefix); n++)
        rc = index_next(&walk);
    index_close(&walk);
    return n;
}

static struct kv_key rarest_filter(struct kv_env *env, MDB_txn *txn,
                                   const struct store_query *query) {
    struct kv_key best = kv_attribute_prefix(query->kind, &query->filters[0]);
    unsigned best_count = query->filter_count > 1 ? count_some(env, txn, &best) : 0;
    for (size_t i = 1; i < query->filter_count; i++) {
        struct kv_key prefix = kv_attribute_prefix(query->kind, &query->filters[i]);
        unsigned count = count_some(env, txn, &prefix);
        if (count < best_count) {
            best = prefix;
            best_count = count;
        }
    }
    return best;
}

static const mneme_id id_lowest;

static struct kv_key key_of_bytes(const uint8_t *bytes, size_t size) {
    struct kv_key key = {.size = (uint32_t)size};
    memcpy(key.data, bytes, size);
    return key;
}

static void scan_plan_ids(struct scan *scan, const struct store_query *query) {
    struct kv_key prefix = key_of_bytes(query->id_prefix.data, query->id_prefix.size);
    scan->by_id = true;
    scan->low = prefix;
    scan->high = key_after_prefix(prefix);
    if (!query->after.set)
        return;
    struct kv_key at = key_of_bytes(query->after.id.bytes, sizeof query->after.id.bytes);
    if (query->order == ORDER_NEWEST_FIRST)
        scan->high = at;
    else /* behind all that has this id */
        scan->low = key_after_prefix(at);
}

static void scan_plan_index(struct scan *scan, const struct store_query *query) {
    if (query->has_parent)
        scan->prefix = kv_child_prefix(&query->parent, query->kind);
    else if (query->filter_count)
        scan->prefix = rarest_filter(scan->env, scan->txn, query);
    else
        scan->prefix = kv_time_prefix(query->kind);
    scan->low = scan->prefix;
    scan->high = key_after_prefix(scan->prefix);
    if (!query->has_parent && query->has_since)
        scan->low = kv_index_key(scan->prefix, query->since_us, &id_lowest);
    if (!query->has_parent && query->has_until)
        scan->high = kv_index_key(scan->prefix, query->until_us, &id_lowest);
    if (!query->after.set)
        return;
    struct kv_key at = kv_index_key(scan->prefix, query->after.sort, &query->after.id);
    struct kv_key behind = key_successor(at);
    if (query->order == ORDER_NEWEST_FIRST && kv_key_compare(&at, &scan->high) < 0)
        scan->high = at;
    if (query->order == ORDER_OLDEST_FIRST && kv_key_compare(&behind, &scan->low) > 0)
        scan->low = behind;
}

/* ---- The query ---------------------------------------------------------------------------- */

/* The id that the key names; false for a record of another kind, and for a further chunk. */
static bool scan_id(const struct scan *scan, mneme_kind kind, mneme_id *id) {
    int64_t sort;
    mneme_kind record_kind;
    bool first;
    if (!scan->by_id)
        return kv_index_parse(&scan->last, scan->prefix.size, &sort, id);
    return kv_record_parse(kv_val(&scan->last), &record_kind, id, &first) && first &&
           record_kind == kind;
}

/* Walk until there is one match more than asked for, which tells that there is more. */
static int scan_collect(struct scan *scan, const struct store_query *query, struct record_set *out,
                        bool *more, mneme_error *error) {
    size_t start = out->count;
    *more = false;
    for (;;) {
        bool found;
        TRY(scan_next(scan, &found, error));
        if (!found)
            return 0;
        mneme_id id;
        if (!scan_id(scan, query->kind, &id))
            continue;
        AUTO_ARENA struct arena scratch = {.first_size = 4096};
        struct stored_record record;
        TRY(kv_load(scan->env, scan->txn, query->kind, &id, &scratch, &record, &found, error));
        if (!found || !query_matches(query, &record))
            continue;
        if (out->count - start == query->limit) {
            *more = true;
            return 0;
        }
        if (record_set_copy(out, &record, query->without_bodies))
            return error_set(error, MNEME_NO_MEMORY, "no memory for a page of records");
    }
}

int kv_query(struct store *store, const struct store_query *query, struct record_set *out,
             bool *more, mneme_error *error) {
    struct kv_env *env = kv_of(store)->env;
    struct scan scan = {.env = env, .backward = query->order == ORDER_NEWEST_FIRST};
    TRY(kv_read_begin(env, &scan.txn, error));
    if (query->id_prefix.size)
        scan_plan_ids(&scan, query);
    else
        scan_plan_index(&scan, query);
    int rc = scan_open(&scan);
    int status = rc ? kv_fail(error, rc, "cannot read an index")
                    : scan_collect(&scan, query, out, more, error);
    scan_close(&scan);
    if (scan.txn)
        kv_read_end(env, scan.txn);
    return status;
}
