/*
 * kv.c - the LMDB store's table of operations; opening, statistics and backup.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/kv/kv_impl.h"

/* ---- Statistics -------------------------------------------------------------------------- */

static int free_pages(MDB_txn *txn, uint64_t *pages) {
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(txn, 0, &cursor); /* 0: LMDB's table of free pages */
    if (rc)
        return rc;
    MDB_val key, value;
    *pages = 0;
    while ((rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        size_t count = 0;
        memcpy(&count, value.mv_data, size_min(sizeof count, value.mv_size));
        *pages += count;
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int read_stats(struct kv_env *env, MDB_txn *txn, struct store_stats *out,
                      mneme_error *error) {
    struct kv_state state;
    MDB_envinfo info;
    MDB_stat stat;
    mdb_filehandle_t fd;
    struct stat st;
    uint64_t unused = 0;
    TRY(kv_state_get(txn, env->main, &state, error));
    int rc = mdb_env_info(env->mdb, &info);
    rc = rc ? rc : mdb_env_stat(env->mdb, &stat);
    rc = rc ? rc : mdb_env_get_fd(env->mdb, &fd);
    rc = rc ? rc : free_pages(txn, &unused);
    rc = rc ? rc : fstat(fd, &st) ? errno : 0;
    if (rc)
        return kv_fail(error, rc, "cannot read the store's statistics");
    *out = (struct store_stats){.file_bytes = (uint64_t)st.st_size,
                                .used_bytes = (info.me_last_pgno + 1 - unused) * stat.ms_psize,
                                .commits = info.me_last_txnid,
                                .readers = info.me_numreaders,
                                .map_bytes = info.me_mapsize,
                                .readers_lag = kv_oldest_reader(env),
                                .changes = state.last_change,
                                .device = env->device};
    memcpy(out->kinds, state.kinds, sizeof out->kinds);
    return 0;
}

static int kv_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    struct kv_env *env = kv_of(store)->env;
    MDB_txn *txn;
    TRY(kv_read_begin(env, &txn, error));
    int status = read_stats(env, txn, out, error);
    kv_read_end(env, txn);
    return status;
}

/* ---- Backup ------------------------------------------------------------------------------ */

static int copy_to(struct kv_env *env, int fd, mneme_error *error) {
    MDB_txn *txn; /* holds the gate, so that nothing is reopened under the copy */
    TRY(kv_read_begin(env, &txn, error));
    int rc = mdb_env_copyfd2(env->mdb, fd, MDB_CP_COMPACT);
    if (rc == 0 && fsync(fd) != 0)
        rc = errno;
    kv_read_end(env, txn);
    return rc ? kv_fail(error, rc, "cannot write the backup") : 0;
}

/* The copy gets its name only when it is whole and on disk. */
static int kv_backup(struct store *store, const char *path, mneme_error *error) {
    struct path_info info;
    char part[4096];
    TRY(path_inspect(path, &info, error));
    if (info.type != PATH_ABSENT)
        return error_set(error, MNEME_CONFLICT, "%s exists; name a file that does not", path);
    int n = snprintf(part, sizeof part, "%s.part-%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof part)
        return error_set(error, MNEME_INVALID, "the path of the backup is too long");
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot make %s", part);
    int status = copy_to(kv_of(store)->env, fd, error);
    if (close(fd) != 0 && status == 0)
        status = error_set_errno(error, errno, "cannot write %s", part);
    if (status == 0)
        return path_publish(part, path, error);
    unlink(part);
    return status;
}

/* ---- Opening ----------------------------------------------------------------------------- */

static void kv_close(struct store *store) {
    kv_env_close(kv_of(store)->env);
    mem_free(store);
}

static const struct store_operations kv_operations = {
    .name = "kv",
    .apply = kv_apply,
    .get = kv_get,
    .query = kv_query,
    .changes = kv_changes,
    .stats = kv_stats,
    .backup = kv_backup,
    .close = kv_close,
    .shared = &kv_shared_operations,
};

int kv_store_open(const char *path, const struct kv_options *options, struct store **out,
                  mneme_error *error) {
    static const struct kv_options defaults;
    options = options ? options : &defaults;
    struct kv_store *kv = mem_zalloc(1, sizeof *kv);
    if (!kv)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open %s", path);
    kv->base.operations = &kv_operations;
    kv->read_only = options->read_only;
    kv->clock_skew_us = options->clock_skew_us;
    int status = kv_env_open(path, options, &kv->env, error);
    if (status) {
        mem_free(kv);
        return status;
    }
    kv->base.moment = kv->env->moment;
    *out = &kv->base;
    return 0;
}
