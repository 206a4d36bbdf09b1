/*
 * reference_lmdb.c - recording what a store put into its file, replaying it with LMDB alone.
 */
#include "bench/reference_lmdb.h"

#include "bench/measure.h"

static const size_t map_bytes = (size_t)16 << 30; /* as a store reserves */

const char *const lmdb_table_names[LMDB_TABLES] = {"main", "records", "index", "changes"};

int lmdb_fail(mneme_error *error, int code, const char *doing) {
    return error_set(error, MNEME_FAILURE, "%s: %s", doing, mdb_strerror(code));
}

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to record what a store holds");
}

/* ---- Files -------------------------------------------------------------------------------- */

static int open_tables(struct lmdb_file *file) {
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(file->env, NULL, 0, &txn);
    if (rc)
        return rc;
    for (int i = 0; i < LMDB_TABLES && rc == 0; i++)
        rc = mdb_dbi_open(txn, i == LMDB_MAIN ? NULL : lmdb_table_names[i],
                          i == LMDB_MAIN ? 0 : MDB_CREATE, &file->tables[i]);
    if (rc)
        mdb_txn_abort(txn);
    return rc ? rc : mdb_txn_commit(txn);
}

int lmdb_file_open(struct lmdb_file *file, const struct scratch_path *path, mneme_error *error) {
    int rc = mdb_env_create(&file->env);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(file->env, LMDB_TABLES);
    if (rc == 0)
        rc = mdb_env_set_mapsize(file->env, map_bytes);
    if (rc == 0)
        rc = mdb_env_open(file->env, path->text, MDB_NOSUBDIR | MDB_NOTLS, 0600);
    if (rc == 0)
        rc = open_tables(file);
    if (rc == 0)
        return 0;
    lmdb_file_close(file);
    return lmdb_fail(error, rc, "LMDB cannot open a file");
}

void lmdb_file_close(struct lmdb_file *file) {
    if (file->env)
        mdb_env_close(file->env);
    file->env = NULL;
}

/* ---- Recording ---------------------------------------------------------------------------- */

static int copy_val(struct arena *arena, MDB_val from, MDB_val *to) {
    struct slice copy;
    TRY(arena_copy(arena, slice_of(from.mv_data, from.mv_size), &copy));
    *to = (MDB_val){copy.size, (void *)(uintptr_t)copy.data};
    return 0;
}

/* LMDB's order of keys. */
static int compare_vals(MDB_val a, MDB_val b) {
    return slice_compare(slice_of(a.mv_data, a.mv_size), slice_of(b.mv_data, b.mv_size));
}

static int add_put(struct lmdb_recording *to, const struct lmdb_put *put, struct lmdb_put *added) {
    if (to->count == to->capacity) {
        size_t capacity = to->capacity ? to->capacity * 2 : 1024;
        struct lmdb_put *grown = mem_resize(to->puts, capacity * sizeof *grown);
        if (!grown)
            return MNEME_NO_MEMORY;
        to->puts = grown;
        to->capacity = capacity;
    }
    *added = *put;
    TRY(copy_val(&to->arena, put->key, &added->key));
    TRY(copy_val(&to->arena, put->value, &added->value));
    to->puts[to->count++] = *added;
    return 0;
}

/* The unnamed table lists the others, which is LMDB's own business. */
static bool names_a_table(const struct lmdb_put *entry) {
    for (size_t i = 1; i < LMDB_TABLES && entry->table == LMDB_MAIN; i++)
        if (slice_equal(slice_of(entry->key.mv_data, entry->key.mv_size),
                        slice_of_string(lmdb_table_names[i])))
            return true;
    return false;
}

/* What a batch has done to one table, found by walking it and what was known side by side. */
struct walk {
    struct lmdb_recording *to;
    enum lmdb_table table;
    const struct lmdb_entries *known;
    size_t at; /* in known */
};

/* The known keys below `key` (NULL: all that are left) are gone. */
static int record_gone(struct walk *w, const MDB_val *key) {
    while (w->at < w->known->count &&
           (!key || compare_vals(w->known->items[w->at].key, *key) < 0)) {
        struct lmdb_put gone = w->known->items[w->at++], unused;
        gone.is_deletion = true;
        TRY(add_put(w->to, &gone, &unused));
    }
    return 0;
}

static int record_entry(struct walk *w, struct lmdb_put *entry, struct lmdb_put *out) {
    TRY(record_gone(w, &entry->key));
    bool is_last = w->at == w->known->count;
    bool appends = w->table == LMDB_RECORDS || w->table == LMDB_CHANGES;
    entry->flags = is_last && appends ? MDB_APPEND : 0;
    const struct lmdb_put *next = is_last ? NULL : &w->known->items[w->at];
    if (!next || compare_vals(next->key, entry->key) != 0)
        return add_put(w->to, entry, out);
    w->at++;
    if (compare_vals(next->value, entry->value) != 0)
        return add_put(w->to, entry, out);
    *out = *next;
    return 0;
}

static int record_table(struct lmdb_recording *to, enum lmdb_table table, MDB_cursor *cursor,
                        size_t entries) {
    struct walk w = {.to = to, .table = table, .known = &to->known[table]};
    struct lmdb_entries now = {.items = mem_zalloc(entries, sizeof *now.items)};
    struct lmdb_put entry = {.table = table};
    int status = now.items ? 0 : MNEME_NO_MEMORY;
    while (status == 0 && mdb_cursor_get(cursor, &entry.key, &entry.value, MDB_NEXT) == 0)
        if (!names_a_table(&entry))
            status = record_entry(&w, &entry, &now.items[now.count++]);
    if (status == 0)
        status = record_gone(&w, NULL);
    mem_free(to->known[table].items);
    to->known[table] = now;
    return status;
}

static int record_tables(struct lmdb_recording *to, const struct lmdb_file *file, MDB_txn *txn,
                         mneme_error *error) {
    for (int i = LMDB_TABLES - 1; i >= 0; i--) { /* the main table last, as the store does */
        MDB_cursor *cursor = NULL;
        MDB_stat stat;
        int rc = mdb_stat(txn, file->tables[i], &stat);
        rc = rc ? rc : mdb_cursor_open(txn, file->tables[i], &cursor);
        if (rc)
            return lmdb_fail(error, rc, "cannot read a store with LMDB");
        int status = record_table(to, (enum lmdb_table)i, cursor, stat.ms_entries);
        mdb_cursor_close(cursor);
        if (status)
            return no_memory(error);
    }
    size_t *grown = mem_resize(to->ends, (to->batches + 1) * sizeof *grown);
    if (!grown)
        return no_memory(error);
    to->ends = grown;
    to->ends[to->batches++] = to->count;
    return 0;
}

int lmdb_record(struct lmdb_recording *recording, const struct scratch_path *path,
                mneme_error *error) {
    AUTO_LMDB struct lmdb_file file = {0};
    MDB_txn *txn = NULL;
    TRY(lmdb_file_open(&file, path, error));
    int rc = mdb_txn_begin(file.env, NULL, MDB_RDONLY, &txn);
    if (rc)
        return lmdb_fail(error, rc, "cannot read a store with LMDB");
    int status = record_tables(recording, &file, txn, error);
    mdb_txn_abort(txn);
    return status;
}

void lmdb_recording_fini(struct lmdb_recording *recording) {
    for (size_t i = 0; i < LMDB_TABLES; i++)
        mem_free(recording->known[i].items);
    mem_free(recording->puts);
    mem_free(recording->ends);
    arena_fini(&recording->arena);
    *recording = (struct lmdb_recording){0};
}

/* ---- Replaying ---------------------------------------------------------------------------- */

static int replay_batch(struct lmdb_file *file, const struct lmdb_put *puts, size_t count) {
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(file->env, NULL, 0, &txn);
    if (rc)
        return rc;
    for (size_t i = 0; i < count && rc == 0; i++) {
        MDB_val key = puts[i].key, value = puts[i].value;
        MDB_dbi table = file->tables[puts[i].table];
        rc = puts[i].is_deletion ? mdb_del(txn, table, &key, NULL)
                                 : mdb_put(txn, table, &key, &value, puts[i].flags);
    }
    if (rc)
        mdb_txn_abort(txn);
    return rc ? rc : mdb_txn_commit(txn);
}

int lmdb_replay(const struct lmdb_recording *recording, const struct scratch_path *path,
                double *seconds, mneme_error *error) {
    AUTO_LMDB struct lmdb_file file = {0};
    scratch_remove_file(path);
    TRY(lmdb_file_open(&file, path, error));
    double start = seconds_now();
    for (size_t i = 0, from = 0; i < recording->batches; from = recording->ends[i++]) {
        int rc = replay_batch(&file, recording->puts + from, recording->ends[i] - from);
        if (rc)
            return lmdb_fail(error, rc, "LMDB cannot put");
    }
    *seconds = seconds_now() - start;
    return 0;
}

/* ---- Usage -------------------------------------------------------------------------------- */

static uint64_t pages_of(const MDB_stat *stat) {
    return stat->ms_branch_pages + stat->ms_leaf_pages + stat->ms_overflow_pages;
}

/* Table 0 of LMDB lists the pages that are free: each value begins with how many. */
static int free_pages(MDB_txn *txn, uint64_t *pages) {
    MDB_cursor *cursor = NULL;
    MDB_stat stat;
    MDB_val key, value;
    int rc = mdb_stat(txn, 0, &stat);
    rc = rc ? rc : mdb_cursor_open(txn, 0, &cursor);
    if (rc)
        return rc;
    *pages = pages_of(&stat);
    while (mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0) {
        size_t count = 0;
        memcpy(&count, value.mv_data, size_min(sizeof count, value.mv_size));
        *pages += count;
    }
    mdb_cursor_close(cursor);
    return 0;
}

static int read_usage(struct lmdb_file *file, MDB_txn *txn, struct lmdb_usage *usage) {
    uint64_t pages = 0;
    for (int i = 0; i < LMDB_TABLES; i++) {
        MDB_stat stat;
        TRY(mdb_stat(txn, file->tables[i], &stat));
        usage->page_bytes = stat.ms_psize;
        usage->table_bytes[i] = pages_of(&stat) * stat.ms_psize;
    }
    TRY(free_pages(txn, &pages));
    usage->free_bytes = pages * usage->page_bytes;
    return 0;
}

int lmdb_usage(const struct scratch_path *path, struct lmdb_usage *usage, mneme_error *error) {
    AUTO_LMDB struct lmdb_file file = {0};
    MDB_txn *txn = NULL;
    TRY(scratch_file_size(path, &usage->file_bytes, error));
    TRY(lmdb_file_open(&file, path, error));
    int rc = mdb_txn_begin(file.env, NULL, MDB_RDONLY, &txn);
    if (rc == 0)
        rc = read_usage(&file, txn, usage);
    mdb_txn_abort(txn);
    return rc ? lmdb_fail(error, rc, "cannot read a store with LMDB") : 0;
}
