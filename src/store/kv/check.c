/*
 * check.c - the deep check: a walk that recomputes the invariants of kv_impl.h.
 */
#include <stdarg.h>
#include <stdio.h>

#include "store/kv/check_impl.h"

/* Volatile: the reads are the point. */
static volatile uint8_t walk_seen;

bool key_rises(struct key_order *order, MDB_val key) {
    if (key.mv_size == 0 || key.mv_size > sizeof order->last)
        return false;
    struct slice now = slice_of(key.mv_data, key.mv_size),
                 last = slice_of(order->last, order->size);
    uint64_t number = 0, last_number = 0;
    bool rises = order->size == 0 || slice_compare(last, now) < 0;
    if (order->numbers && key.mv_size != sizeof number)
        return false;
    if (order->numbers && order->size) {
        memcpy(&number, now.data, sizeof number);
        memcpy(&last_number, last.data, sizeof last_number);
        rises = last_number < number;
    }
    memcpy(order->last, now.data, now.size);
    order->size = now.size;
    return rises;
}

static int walk_table(MDB_txn *txn, MDB_dbi table) {
    struct key_order order = {.numbers = table == 0};
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    int rc = mdb_cursor_open(txn, table, &cursor);
    if (rc)
        return rc;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        if (!key_rises(&order, key)) {
            rc = MDB_CORRUPTED;
            break;
        }
        const uint8_t *at = value.mv_data;
        for (size_t i = 0; i < value.mv_size; i += 512)
            walk_seen ^= at[i];
        if (value.mv_size)
            walk_seen ^= at[value.mv_size - 1];
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int kv_walk_pages(MDB_txn *txn) {
    static const char *const tables[] = {NULL,    "records", "index", "changes",
                                         "clean", "base",    "gone",  "held"};
    int rc = walk_table(txn, 0); /* LMDB's table of free pages: the next write reads it */
    for (size_t i = 0; i < COUNT_OF(tables) && rc == 0; i++) {
        MDB_dbi table;
        rc = mdb_dbi_open(txn, tables[i], 0, &table);
        if (rc == MDB_NOTFOUND && i > 3)
            return 0; /* a file of format 1 */
        rc = rc ? rc : walk_table(txn, table);
    }
    return rc;
}

struct checker {
    struct kv_check *check;
    struct store *store;
    struct kv_env *env;
    MDB_txn *txn;
    struct kv_state counted;
    struct index_walk walk;
    uint64_t index_entries; /* that the records call for */
    uint64_t chunks;
};

void check_finding(struct kv_check *check, const char *format, ...) {
    char text[MNEME_ERROR_TEXT_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    check->findings++;
    if (check->finding)
        check->finding(check->context, text);
}

static void missing(struct checker *c, const char *what, const struct stored_record *r) {
    char text[ID_TEXT_SIZE];
    id_format(&r->id, text);
    check_finding(c->check, "%s %s: its entry %s is missing", store_kind_name(r->kind), text, what);
}

static void expect_index(struct checker *c, struct kv_key key, const char *what,
                         const struct stored_record *r) {
    c->index_entries++;
    if (index_seek(&c->walk, &key) != 0 || kv_key_compare(index_key(&c->walk), &key) != 0)
        missing(c, what, r);
}

/* Invariants (2), (3) and (4), from the record to the entries. */
static void check_entries(struct checker *c, const struct stored_record *r) {
    struct kv_key change = kv_change_key(r->change);
    MDB_val key = kv_val(&change), value;
    if (mdb_get(c->txn, c->env->changes, &key, &value) != 0)
        missing(c, "in the change log", r);
    if (!id_is_zero(&r->parent))
        expect_index(c,
                     kv_index_key(kv_child_prefix(&r->parent, r->kind), (int64_t)r->place, &r->id),
                     "under its parent", r);
    if (r->flags & MNEME_FLAG_DELETED)
        return;
    expect_index(c, kv_index_key(kv_time_prefix(r->kind), r->time_us, &r->id), "by time", r);
    for (size_t i = 0; i < r->attribute_count; i++)
        expect_index(
            c, kv_index_key(kv_attribute_prefix(r->kind, &r->attributes[i]), r->time_us, &r->id),
            "by attribute", r);
}

static void check_record(struct checker *c, mneme_kind kind, const mneme_id *id, size_t blob_size) {
    AUTO_ARENA struct arena arena = {0};
    struct stored_record record;
    mneme_error error;
    bool found;
    int status = kv_load(c->env, c->txn, kind, id, &arena, &record, &found, &error);
    if (status == 0 && c->check->decode && !(record.flags & MNEME_FLAG_DELETED))
        status = c->check->decode(c->check->context, &record, &error);
    if (status) {
        check_finding(c->check, "%s", error.message);
        return;
    }
    c->check->records++;
    c->check->bytes += blob_size;
    struct kind_stats *row = &c->counted.kinds[kind];
    bool dead = record.flags & MNEME_FLAG_DELETED;
    row->records += !dead;
    row->tombstones += dead;
    row->stored_bytes += dead ? 0 : record.body.size;
    row->plain_bytes += dead ? 0 : record.plain_size;
    check_entries(c, &record);
}

static int check_records(struct checker *c, mneme_error *error) {
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(c->txn, c->env->records, &cursor);
    if (rc)
        return kv_fail(error, rc, "cannot check the records");
    struct key_order order = {0};
    MDB_val key, value;
    uint64_t chunks_expected = 0, chunks = 0;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        mneme_kind kind;
        mneme_id id;
        bool first = false;
        chunks++;
        if (!key_rises(&order, key)) {
            rc = MDB_CORRUPTED;
            break;
        }
        if (!kv_record_parse(key, &kind, &id, &first)) {
            check_finding(c->check, "a key of %zu bytes among the records is no record's",
                          key.mv_size);
            continue;
        }
        if (!first)
            continue; /* kv_load reads it with its first */
        size_t size = kv_blob_size(value);
        chunks_expected += (size + KV_CHUNK - 1) / KV_CHUNK;
        check_record(c, kind, &id, size);
    }
    mdb_cursor_close(cursor);
    if (rc != MDB_NOTFOUND)
        return kv_fail(error, rc, "cannot check the records");
    if (chunks != chunks_expected && c->check->findings == 0)
        check_finding(c->check, "%llu values of records are stored where %llu are called for",
                      (unsigned long long)chunks, (unsigned long long)chunks_expected);
    return 0;
}

/* How many keys the index holds, in ascending order all along. */
static uint64_t count_index(struct checker *c) {
    struct kv_key lowest = {.size = 1}, before = lowest;
    uint64_t count = 0;
    int rc = index_seek(&c->walk, &lowest);
    for (; rc == 0; rc = index_next(&c->walk), count++) {
        if (kv_key_compare(&before, index_key(&c->walk)) >= 0) {
            check_finding(c->check, "the index is out of order");
            return count; /* behind it there may be no end: see key_rises */
        }
        before = *index_key(&c->walk);
    }
    if (rc != MDB_NOTFOUND)
        check_finding(c->check, "the index cannot be read: %s", mdb_strerror(rc));
    return count;
}

/* The other direction: with every called-for entry present, equal counts mean no extra ones. */
static void check_counts(struct checker *c, const struct kv_state *state) {
    MDB_stat changes;
    uint64_t all = 0;
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
        all += c->counted.kinds[i].records + c->counted.kinds[i].tombstones;
    uint64_t entries = count_index(c);
    if (c->check->findings || mdb_stat(c->txn, c->env->changes, &changes))
        return; /* counts say nothing when records are damaged */
    if (entries != c->index_entries)
        check_finding(c->check, "the index has %llu entries, and the records call for %llu",
                      (unsigned long long)entries, (unsigned long long)c->index_entries);
    if (changes.ms_entries != all)
        check_finding(c->check, "the change log has %zu entries for %llu records",
                      changes.ms_entries, (unsigned long long)all);
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
        if (memcmp(&state->kinds[i], &c->counted.kinds[i], sizeof state->kinds[i]) != 0)
            check_finding(c->check, "the counters of kind %s do not match its records",
                          store_kind_name((mneme_kind)i));
}

/* A record of LMDB's table of free pages: their count, then their numbers, falling. */
static bool is_page_list(MDB_val value, uint64_t last_page) {
    const uint8_t *at = value.mv_data;
    uint64_t count = 0, before = last_page + 1, number;
    if (value.mv_size < sizeof count)
        return false;
    memcpy(&count, at, sizeof count);
    if (count > value.mv_size / sizeof number - 1)
        return false;
    for (uint64_t i = 1; i <= count; i++) {
        memcpy(&number, at + i * sizeof number, sizeof number);
        if (number >= before || number < 2) /* 0 and 1 are the meta pages */
            return false;
        before = number;
    }
    return true;
}

/* No reader needs that table, but the next write does, and would end its process over a bad one. */
static int check_free_pages(struct checker *c, mneme_error *error) {
    struct key_order order = {.numbers = true};
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    MDB_envinfo info;
    int rc = mdb_env_info(mdb_txn_env(c->txn), &info);
    rc = rc ? rc : mdb_cursor_open(c->txn, 0, &cursor);
    while (rc == 0 && (rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0)
        if (!key_rises(&order, key) || !is_page_list(value, info.me_last_pgno))
            rc = MDB_CORRUPTED;
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : kv_fail(error, rc, "cannot check the table of free pages");
}

/* All of it, within one read transaction. */
static int check_all(struct checker *c, mneme_error *error) {
    struct kv_state state;
    TRY(kv_state_get(c->txn, c->env->main, &state, error));
    TRY(check_free_pages(c, error));
    int rc = index_open(&c->walk, c->txn, c->env->index);
    if (rc)
        return kv_fail(error, rc, "cannot check the index");
    int status = check_records(c, error);
    if (status == 0)
        check_counts(c, &state);
    if (status == 0)
        status = check_marks(c->env, c->txn, &state, c->check, error);
    index_close(&c->walk);
    return status;
}

int kv_store_check(const char *path, struct kv_check *check, mneme_error *error) {
    struct kv_options options = {
        .must_exist = true, .read_only = true, .allow_network_filesystem = true};
    struct checker c = {.check = check};
    TRY(kv_store_open(path, &options, &c.store, error));
    c.env = kv_of(c.store)->env;
    int status = kv_read_begin(c.env, &c.txn, error);
    if (status == 0) {
        status = check_all(&c, error);
        kv_read_end(c.env, c.txn);
    }
    store_close(c.store);
    if (status == 0 && check->findings)
        status = error_set(error, MNEME_CORRUPT, "%s: %llu findings", path,
                           (unsigned long long)check->findings);
    return status;
}
