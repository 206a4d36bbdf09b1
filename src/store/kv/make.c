/*
 * make.c - making a new store file, whole or not at all.
 *
 * The file is made under a name of its own and then given the store's. Whenever the making ends,
 * by a kill or a full disk, there is a whole store at the path or nothing; so an empty or half
 * file is always damage. Two may make a store at once:
 *   1. A and B find none.  2. Both make a file.  3. A's gets the name.  4. B's does not, because
 * path_publish replaces nothing; B opens A's.
 */
#include <stdio.h>
#include <unistd.h>

#include "store/kv/kv_impl.h"

static int make_tables(MDB_txn *txn, uint64_t device) {
    struct kv_mark_tables marks;
    MDB_dbi table, main;
    int rc = mdb_dbi_open(txn, NULL, 0, &main);
    rc = rc ? rc : mdb_dbi_open(txn, "records", MDB_CREATE, &table);
    rc = rc ? rc : mdb_dbi_open(txn, "index", MDB_CREATE, &table);
    rc = rc ? rc : mdb_dbi_open(txn, "changes", MDB_CREATE, &table);
    rc = rc ? rc : kv_open_marks(txn, MDB_CREATE, &marks);
    return rc ? rc : kv_identity_put(txn, main, device);
}

static int make_file(const char *path, uint64_t device) {
    MDB_env *mdb = NULL;
    MDB_txn *txn = NULL;
    int rc = mdb_env_create(&mdb);
    rc = rc ? rc : mdb_env_set_maxdbs(mdb, KV_TABLES_MAX);
    rc = rc ? rc : mdb_env_open(mdb, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
    rc = rc ? rc : mdb_txn_begin(mdb, NULL, 0, &txn);
    rc = rc ? rc : make_tables(txn, device);
    if (rc == 0)
        rc = mdb_txn_commit(txn);
    else if (txn)
        mdb_txn_abort(txn);
    mdb_env_close(mdb);
    return rc;
}

int kv_make(const char *path, mneme_error *error) {
    char part[4096];
    uint64_t random[2];
    TRY(random_bytes(random, sizeof random, error));
    int n = snprintf(part, sizeof part, "%s.new-%016llx", path, (unsigned long long)random[0]);
    if (n < 0 || (size_t)n >= sizeof part)
        return error_set(error, MNEME_INVALID, "the path of the store is too long");
    int rc = make_file(part, random[1] | 1);
    if (rc) {
        char doing[MNEME_ERROR_TEXT_MAX];
        unlink(part);
        snprintf(doing, sizeof doing, "cannot make the store %s", path);
        return kv_fail(error, rc, doing);
    }
    int status = path_publish(part, path, error);
    return status == MNEME_CONFLICT ? 0 : status;
}
