/*
 * store_file.c - the helpers of store_file.h.
 */
#include <lmdb.h>

#include "support/api_fixture.h"
#include "support/store_file.h"

#define LMDB_OK(call) assert_int_equal((call), 0)

static MDB_env *open_env(const char *path, unsigned flags) {
    MDB_env *env = NULL;
    LMDB_OK(mdb_env_create(&env));
    LMDB_OK(mdb_env_set_maxdbs(env, 8));
    LMDB_OK(mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK | flags, 0600));
    return env;
}

/* A page begins with its number, so a pointer into the map tells where in the file it points. */
static size_t offset_of(MDB_env *env, const void *in_map) {
    MDB_stat stat;
    LMDB_OK(mdb_env_stat(env, &stat));
    size_t in_page = (uintptr_t)in_map % stat.ms_psize;
    uint64_t number;
    memcpy(&number, (const uint8_t *)in_map - in_page, sizeof number);
    return (size_t)number * stat.ms_psize + in_page;
}

static struct file_value value_of(MDB_env *env, MDB_val key, MDB_val value) {
    struct file_value out = {.offset = offset_of(env, value.mv_data), .size = value.mv_size};
    if (key.mv_size >= 17) { /* id, kind, and the number of a further chunk */
        memcpy(out.id.bytes, key.mv_data, sizeof out.id.bytes);
        out.kind = (mneme_kind)((const uint8_t *)key.mv_data)[16];
    }
    return out;
}

size_t file_values(const char *path, const char *table, struct file_value *out, size_t max) {
    MDB_env *env = open_env(path, MDB_RDONLY);
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    size_t count = 0;
    LMDB_OK(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    LMDB_OK(mdb_dbi_open(txn, table, 0, &dbi));
    LMDB_OK(mdb_cursor_open(txn, dbi, &cursor));
    while (count < max && mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0)
        out[count++] = value_of(env, key, value);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return count;
}

static MDB_val text_val(const char *text) {
    return (MDB_val){strlen(text), (void *)(uintptr_t)text};
}

struct file_value file_main_value(const char *path, const char *key) {
    MDB_env *env = open_env(path, MDB_RDONLY);
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    MDB_val name = text_val(key), value;
    LMDB_OK(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn));
    LMDB_OK(mdb_dbi_open(txn, NULL, 0, &dbi));
    LMDB_OK(mdb_get(txn, dbi, &name, &value));
    struct file_value out = {.offset = offset_of(env, value.mv_data), .size = value.mv_size};
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return out;
}

void file_main_put(const char *path, const char *key, const void *value, size_t size) {
    MDB_env *env = open_env(path, 0);
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    MDB_val name = text_val(key), bytes = {size, (void *)(uintptr_t)value};
    LMDB_OK(mdb_txn_begin(env, NULL, 0, &txn));
    LMDB_OK(mdb_dbi_open(txn, NULL, 0, &dbi));
    LMDB_OK(mdb_put(txn, dbi, &name, &bytes, 0));
    LMDB_OK(mdb_txn_commit(txn));
    mdb_env_close(env);
}

void file_foreign_lmdb(const char *path, const char *const *tables, bool with_key) {
    MDB_env *env = open_env(path, 0);
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    LMDB_OK(mdb_txn_begin(env, NULL, 0, &txn));
    LMDB_OK(mdb_dbi_open(txn, NULL, 0, &dbi));
    for (size_t i = 0; tables && tables[i]; i++) {
        MDB_dbi table;
        LMDB_OK(mdb_dbi_open(txn, tables[i], MDB_CREATE, &table));
    }
    MDB_val key = text_val("hello"), value = text_val("world");
    if (with_key)
        LMDB_OK(mdb_put(txn, dbi, &key, &value, 0));
    LMDB_OK(mdb_txn_commit(txn));
    mdb_env_close(env);
}
