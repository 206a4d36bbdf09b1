/*
 * upgrade.c - raising a file of format 1 to format 2: tables of marks, and a state with one more
 * kind. One transaction, at the first opening for writing; so there is never half of it. Who has
 * the file open with an older mneme reads on, and is refused at its next write or opening.
 */
#include "os/log.h"
#include "store/kv/kv_impl.h"

int kv_open_marks(MDB_txn *txn, unsigned flags, struct kv_mark_tables *out) {
    int rc = mdb_dbi_open(txn, "clean", flags, &out->clean);
    rc = rc ? rc : mdb_dbi_open(txn, "base", flags, &out->base);
    rc = rc ? rc : mdb_dbi_open(txn, "gone", flags, &out->gone);
    return rc ? rc : mdb_dbi_open(txn, "held", flags, &out->held);
}

/* Another process may have done all but opening the tables here. */
static int upgrade_within(struct kv_env *env, MDB_txn *txn, struct kv_mark_tables *tables,
                          mneme_error *error) {
    struct kv_identity identity;
    struct kv_state state;
    TRY(kv_identity_get(txn, env->main, &identity, error));
    TRY(kv_state_get(txn, env->main, &state, error));
    int rc = kv_open_marks(txn, identity.format < KV_FORMAT ? MDB_CREATE : 0, tables);
    if (rc == 0 && identity.format < KV_FORMAT)
        rc = kv_state_put(txn, env->main, &state);
    if (rc == 0 && identity.format < KV_FORMAT)
        rc = kv_identity_put(txn, env->main, identity.device);
    return rc ? kv_fail(error, rc, "cannot raise the store to the format of this mneme") : 0;
}

static int upgrade_alone(struct kv_env *env, mneme_error *error) {
    MDB_txn *txn = NULL;
    struct kv_mark_tables tables;
    int rc = mdb_txn_begin(env->mdb, NULL, 0, &txn);
    if (rc)
        return kv_fail(error, rc, "cannot write to the store");
    int status = upgrade_within(env, txn, &tables, error);
    if (status) {
        mdb_txn_abort(txn);
        return status;
    }
    rc = mdb_txn_commit(txn);
    if (rc)
        return kv_fail(error, rc, "cannot raise the store to the format of this mneme");
    LOG(INFO, STORE, "format raised", LOG_STRING("file.path", env->path),
        LOG_WHOLE("from", env->format), LOG_WHOLE("to", KV_FORMAT));
    env->marks = tables;
    env->format = KV_FORMAT;
    return 0;
}

int kv_env_upgrade(struct kv_env *env, mneme_error *error) {
    shared_lock_acquire_write(&env->gate);
    int status = env->mdb ? 0 : kv_env_reopen(env, error);
    if (status == 0 && env->format < KV_FORMAT)
        status = upgrade_alone(env, error);
    shared_lock_release(&env->gate);
    return status;
}
