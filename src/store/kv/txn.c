/*
 * txn.c - transactions: beginning and ending them, and getting back to work after a failed one.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "store/kv/kv_impl.h"

enum { NEARLY_FULL = 256 << 10 };

/* Hold the gate for reading, with an environment that is open; one that failed is tried again. */
static int env_enter(struct kv_env *env, mneme_error *error) {
    if (UNLIKELY(env->generation != process_generation()))
        return error_set(error, MNEME_FORKED,
                         "this store was opened before fork(); open it again in the child");
    shared_lock_acquire_read(&env->gate);
    while (UNLIKELY(!env->mdb)) {
        shared_lock_release(&env->gate);
        shared_lock_acquire_write(&env->gate);
        int status = env->mdb ? 0 : kv_env_reopen(env, error);
        shared_lock_release(&env->gate);
        TRY(status);
        shared_lock_acquire_read(&env->gate);
    }
    return 0;
}

static int env_reader(struct kv_env *env, MDB_txn **txn) {
    lock_acquire(&env->pool_lock);
    MDB_txn *pooled = env->pooled ? env->pool[--env->pooled] : NULL;
    lock_release(&env->pool_lock);
    if (!pooled)
        return kv_env_begin(env, MDB_RDONLY, txn);
    int rc = mdb_txn_renew(pooled);
    if (rc)
        mdb_txn_abort(pooled);
    else
        *txn = pooled;
    return rc;
}

int kv_read_begin(struct kv_env *env, MDB_txn **txn, mneme_error *error) {
    for (int attempt = 0;; attempt++) {
        TRY(env_enter(env, error));
        int rc = env_reader(env, txn);
        if (LIKELY(rc == 0))
            return 0;
        shared_lock_release(&env->gate);
        if (rc != MDB_MAP_RESIZED || attempt == 8)
            return kv_fail(error, rc, "cannot read the store");
        rc = kv_env_resize(env, 0);
        if (rc)
            return kv_fail(error, rc, "cannot map the grown store");
    }
}

void kv_read_end(struct kv_env *env, MDB_txn *txn) {
    mdb_txn_reset(txn);
    lock_acquire(&env->pool_lock);
    bool kept = env->pooled < COUNT_OF(env->pool);
    if (kept)
        env->pool[env->pooled++] = txn;
    lock_release(&env->pool_lock);
    if (!kept)
        mdb_txn_abort(txn);
    shared_lock_release(&env->gate);
}

/* Whether the file still has a name: a commit to a deleted one would be acknowledged for nothing.
 */
static bool env_is_named(const struct kv_env *env) {
    mdb_filehandle_t fd;
    struct stat st;
    return mdb_env_get_fd(env->mdb, &fd) || fstat(fd, &st) || st.st_nlink > 0;
}

int kv_write_begin(struct kv_env *env, MDB_txn **txn, mneme_error *error) {
    for (int attempt = 0;; attempt++) {
        TRY(env_enter(env, error));
        kv_turn_take(env);
        int rc = mdb_txn_begin(env->mdb, NULL, 0, txn);
        if (LIKELY(rc == 0 && env_is_named(env)))
            return 0;
        if (rc == 0)
            mdb_txn_abort(*txn);
        kv_turn_give(env);
        shared_lock_release(&env->gate);
        if (rc == 0)
            return kv_env_gone(env, error);
        if (attempt == 8)
            return kv_fail(error, rc, "cannot write to the store");
        if (rc == MDB_MAP_RESIZED) {
            rc = kv_env_resize(env, 0);
            if (rc)
                return kv_fail(error, rc, "cannot map the grown store");
        } else if (rc == MDB_PANIC) {
            if (!kv_write_recover(env, rc, error))
                return error ? error->code : MNEME_IO;
        } else {
            return kv_fail(error, rc, "cannot write to the store");
        }
    }
}

void kv_write_abort(struct kv_env *env, MDB_txn *txn) {
    mdb_txn_abort(txn);
    kv_turn_give(env);
    shared_lock_release(&env->gate);
}

int kv_write_commit(struct kv_env *env, MDB_txn *txn) {
    int rc = mdb_txn_commit(txn);
    kv_turn_give(env);
    shared_lock_release(&env->gate);
    return rc;
}

/*
 * After a failed commit: grow the map, or open the environment afresh. LMDB itself refuses to go on
 * after a failed write of the meta page, and after a failed sync nobody can say what the page
 * cache holds, so what is in memory is given up and the file is read again.
 */
bool kv_write_recover(struct kv_env *env, int lmdb_code, mneme_error *error) {
    if (lmdb_code == MDB_MAP_FULL) {
        int rc = kv_env_resize(env, env->map_bytes * 2);
        if (rc)
            kv_fail(error, rc, "cannot grow the store's map");
        return rc == 0;
    }
    if (lmdb_code == EIO && path_is_full(env->path, NEARLY_FULL))
        lmdb_code = ENOSPC; /* LMDB calls a write that was cut short an I/O error */
    char doing[MNEME_ERROR_TEXT_MAX];
    snprintf(doing, sizeof doing, "nothing was written to %s", env->path);
    kv_fail(error, lmdb_code, doing);
    shared_lock_acquire_write(&env->gate);
    mneme_error reopen_error;
    int status = kv_env_reopen(env, &reopen_error);
    shared_lock_release(&env->gate);
    if (status && error)
        *error = reopen_error;
    return status == 0 && lmdb_code == MDB_PANIC;
}
