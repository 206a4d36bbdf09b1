/*
 * env.c - the LMDB environment of a file: opening it once a process, opening it afresh, growing
 * its map.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "os/log.h"
#include "store/kv/kv_impl.h"

static const uint64_t MAP_DEFAULT = UINT64_C(16) << 30;
static const uint64_t STALE_DEFAULT = UINT64_C(1) << 30;

/* Open environments of this process: LMDB forbids two on one file, for closing one would drop
 * the locks of the other. A child after fork() starts with an empty table. */
static pthread_mutex_t registry_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct kv_env *registry;
static pthread_once_t registry_once = PTHREAD_ONCE_INIT;

/* A fork() on another thread must not leave the child with the mutex locked for ever. */
static void registry_lock(void) { pthread_mutex_lock(&registry_mutex); }
static void registry_unlock(void) { pthread_mutex_unlock(&registry_mutex); }
static void registry_register(void) {
    pthread_atfork(registry_lock, registry_unlock, registry_unlock);
}

int kv_fail(mneme_error *error, int lmdb_code, const char *doing) {
    switch (lmdb_code) {
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_BAD_DBI:
    case MDB_BAD_TXN: /* what LMDB answers after it has met a damaged page */
    case MDB_CURSOR_FULL:
    case MDB_BAD_VALSIZE:
        return error_set(error, MNEME_CORRUPT,
                         "%s: the store is damaged (%s); run `mneme verify`, and restore it from "
                         "a backup",
                         doing, mdb_strerror(lmdb_code));
    case MDB_VERSION_MISMATCH:
        return error_set(error, MNEME_NEWER_FORMAT, "%s: %s", doing, mdb_strerror(lmdb_code));
    case MDB_READERS_FULL:
        return error_set(error, MNEME_LOCKED,
                         "%s: more than %d readers at once; close some, and try again", doing,
                         KV_READERS);
    case MDB_MAP_FULL:
        return error_set(error, MNEME_NO_SPACE, "%s: no more address space for the store", doing);
    case MDB_TXN_FULL:
        return error_set(error, MNEME_TOO_LARGE, "%s: the batch is too large; split it", doing);
    case MDB_PANIC:
        return error_set(error, MNEME_IO, "%s: an earlier write failed", doing);
    default:
        if (lmdb_code > 0)
            return error_set_errno(error, lmdb_code, "%s", doing);
        return error_set(error, MNEME_FAILURE, "%s: %s", doing, mdb_strerror(lmdb_code));
    }
}

/* ---- Opening ----------------------------------------------------------------------------- */

int kv_env_begin(struct kv_env *env, unsigned flags, MDB_txn **txn) {
    int rc = mdb_txn_begin(env->mdb, NULL, flags, txn);
    if (rc == MDB_READERS_FULL) {
        int dead = 0;
        mdb_reader_check(env->mdb, &dead);
        rc = mdb_txn_begin(env->mdb, NULL, flags, txn);
    }
    return rc;
}

static int env_open_tables(struct kv_env *env, MDB_txn *txn) {
    int rc = mdb_dbi_open(txn, NULL, 0, &env->main);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "records", 0, &env->records);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "index", 0, &env->index);
    if (rc == 0)
        rc = mdb_dbi_open(txn, "changes", 0, &env->changes);
    return rc;
}

/* Read the identity, and open the tables that come with its format. */
static int env_identify(struct kv_env *env, MDB_txn *txn, mneme_error *error) {
    struct kv_identity identity;
    int status = kv_identity_get(txn, env->main, &identity, error);
    if (status)
        return error_prefix(error, status, "%s", env->path);
    int rc = identity.format < KV_FORMAT ? 0 : kv_open_marks(txn, 0, &env->marks);
    if (rc)
        return error_set(error, MNEME_CORRUPT,
                         "%s lacks a table (%s); run `mneme verify`, and restore it from a backup",
                         env->path, mdb_strerror(rc));
    env->device = identity.device;
    env->format = identity.format;
    return 0;
}

/* Open the tables and read the identity. */
static int env_join(struct kv_env *env, mneme_error *error) {
    MDB_txn *txn = NULL;
    int rc = kv_env_begin(env, MDB_RDONLY, &txn);
    for (int attempt = 0; rc == MDB_MAP_RESIZED && attempt < 8; attempt++) {
        rc = mdb_env_set_mapsize(env->mdb, 0); /* others have grown it since it was mapped */
        rc = rc ? rc : kv_env_begin(env, MDB_RDONLY, &txn);
    }
    if (rc)
        return kv_fail(error, rc, "cannot open the store");
    rc = env_open_tables(env, txn);
    int status;
    if (rc == MDB_NOTFOUND || rc == MDB_INCOMPATIBLE)
        status = error_set(error, MNEME_CORRUPT,
                           "%s is an LMDB file of another program; choose another path", env->path);
    else if (rc)
        status = kv_fail(error, rc, "cannot open the store");
    else
        status = env_identify(env, txn, error);
    /* Committing, not aborting, is what keeps the table handles open. */
    if (status)
        mdb_txn_abort(txn);
    else
        mdb_txn_commit(txn);
    return status;
}

static int open_once(struct kv_env *env, MDB_env **out) {
    MDB_env *mdb = NULL;
    int rc = mdb_env_create(&mdb);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(mdb, KV_TABLES_MAX);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(mdb, KV_READERS);
    if (rc == 0)
        rc = mdb_env_set_mapsize(mdb, env->map_bytes);
    unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | (env->no_write ? MDB_RDONLY : 0);
    if (rc == 0)
        rc = mdb_env_open(mdb, env->path, flags, 0600);
    if (rc)
        mdb_env_close(mdb);
    else
        *out = mdb;
    return rc;
}

/*
 * A lock file that LMDB does not know is looked at again:
 *   1. A is the first to open the store, and begins to fill the lock file, under an exclusive lock;
 *   2. B waits for a shared one;
 *   3. A is killed. B gets its lock, and finds a lock file that is half full: MDB_INVALID;
 *   4. B gives up and closes. Now nobody has a lock, and the next to open fills the file anew.
 * The store itself was found to be one before this.
 */
static int open_patiently(struct kv_env *env, MDB_env **out) {
    enum { TRIES = 20, PAUSE_NS = 5 * 1000 * 1000 };
    int rc = open_once(env, out);
    for (int i = 1; i < TRIES && (rc == MDB_INVALID || rc == MDB_VERSION_MISMATCH); i++) {
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        rc = open_once(env, out);
    }
    return rc;
}

static int env_open_lmdb(struct kv_env *env, mneme_error *error) {
    MDB_env *mdb = NULL;
    int rc = open_patiently(env, &mdb);
    if (rc) {
        char doing[MNEME_ERROR_TEXT_MAX];
        snprintf(doing, sizeof doing, "cannot open the store %s", env->path);
        return kv_fail(error, rc, doing);
    }
    env->mdb = mdb;
    int dead = 0;
    mdb_reader_check(mdb, &dead);
    if (dead)
        LOG(WARN, STORE, "slots of readers that died were cleared",
            LOG_STRING("file.path", env->path), LOG_WHOLE("readers", dead));
    return 0;
}

/* What LMDB opened must be what was inspected: a path that became a link meanwhile is refused. */
static int env_same_file(struct kv_env *env, const struct path_info *before, mneme_error *error) {
    mdb_filehandle_t fd;
    struct stat st;
    struct path_info now;
    TRY(path_inspect(env->path, &now, error));
    if (mdb_env_get_fd(env->mdb, &fd) || fstat(fd, &st) || now.type != PATH_FILE ||
        now.inode != (uint64_t)st.st_ino || now.device != (uint64_t)st.st_dev ||
        before->inode != now.inode || before->device != now.device)
        return error_set(error, MNEME_LOCKED, "%s was replaced while it was opened; try again",
                         env->path);
    env->device_number = now.device;
    env->inode = now.inode;
    return 0;
}

static void env_destroy(struct kv_env *env) {
    if (!env)
        return;
    for (size_t i = 0; i < env->pooled; i++)
        mdb_txn_abort(env->pool[i]);
    if (env->mdb)
        mdb_env_close(env->mdb);
    kv_moment_close(env);
    shared_lock_fini(&env->gate);
    lock_fini(&env->turn);
    lock_fini(&env->pool_lock);
    mem_free(env->path);
    mem_free(env);
}

static struct kv_env *env_create(const char *path, const struct kv_options *options,
                                 bool no_write) {
    size_t size = strlen(path) + 1;
    AUTO_FREE char *copy = mem_alloc(size);
    struct kv_env *env = copy ? mem_zalloc(1, sizeof *env) : NULL;
    if (!env)
        return NULL;
    memcpy(copy, path, size);
    env->path = TAKE(copy);
    env->generation = process_generation();
    env->lock_fd = -1;
    env->handles = 1;
    env->no_write = no_write;
    env->map_bytes = options->map_bytes ? options->map_bytes : MAP_DEFAULT;
    env->max_stale_bytes = options->max_stale_bytes ? options->max_stale_bytes : STALE_DEFAULT;
    shared_lock_init(&env->gate, RANK_KV);
    lock_init(&env->turn, RANK_TURN);
    lock_init(&env->pool_lock, RANK_LEAF);
    return env;
}

static int env_open_new(const char *path, const struct kv_options *options,
                        const struct path_info *info, bool no_write, struct kv_env **out,
                        mneme_error *error) {
    struct kv_env *env = env_create(path, options, no_write);
    if (!env)
        return error_set(error, MNEME_NO_MEMORY, "no memory to open %s", path);
    int status = env_open_lmdb(env, error);
    if (status == 0)
        status = env_same_file(env, info, error);
    if (status == 0)
        status = env_join(env, error);
    if (status == 0 && !options->read_only)
        status = kv_env_upgrade(env, error);
    if (status) {
        env_destroy(env);
        return status;
    }
    kv_moment_open(env);
    LOG(DEBUG, STORE, "file opened", LOG_STRING("file.path", path),
        LOG_WHOLE("map_bytes", env->map_bytes), LOG_BOOL("read_only", no_write),
        LOG_WHOLE("format", env->format));
    *out = env;
    return 0;
}

/* The checks on the path that need no environment. *no_write: open for reading only. */
static int env_prepare(const char *path, const struct kv_options *options, struct path_info *info,
                       bool *no_write, mneme_error *error) {
    struct place_rules rules = {.must_exist = options->must_exist,
                                .read_only = options->read_only,
                                .allow_network_filesystem = options->allow_network_filesystem};
    TRY(place_inspect(path, &rules, info, error));
    if (info->type == PATH_ABSENT) {
        TRY(kv_make(path, error));
        LOG(INFO, STORE, "file made", LOG_STRING("file.path", path));
        TRY(path_inspect(path, info, error));
    }
    TRY(kv_preflight(path, info, error));
    bool writable = access(path, W_OK) == 0;
    if (!writable && !options->read_only)
        return error_set(error, MNEME_PERMISSION, "%s is not writable", path);
    *no_write = !writable;
    return 0;
}

int kv_env_open(const char *path, const struct kv_options *options, struct kv_env **out,
                mneme_error *error) {
    struct path_info info = {.type = PATH_ABSENT};
    bool no_write = false;
    TRY(env_prepare(path, options, &info, &no_write, error));
    int status = 0;
    pthread_once(&registry_once, registry_register);
    registry_lock();
    struct kv_env *env = registry;
    while (env && !(env->inode == info.inode && env->device_number == info.device &&
                    env->generation == process_generation()))
        env = env->next;
    if (env && env->no_write && !options->read_only) {
        status =
            error_set(error, MNEME_LOCKED,
                      "%s is open for reading only in this process; close that handle first", path);
    } else if (env) {
        status = options->read_only ? 0 : kv_env_upgrade(env, error);
        env->handles += status == 0;
    } else {
        status = env_open_new(path, options, &info, no_write, &env, error);
        if (env) { /* it is NULL still when opening failed */
            env->next = registry;
            registry = env;
        }
    }
    registry_unlock();
    if (status == 0)
        *out = env;
    return status;
}

void kv_env_close(struct kv_env *env) {
    if (env->generation != process_generation())
        return; /* the parent's environment: not ours to close */
    registry_lock();
    if (--env->handles == 0) {
        struct kv_env **at = &registry;
        while (*at && *at != env)
            at = &(*at)->next;
        if (*at)
            *at = env->next;
        env_destroy(env);
    }
    registry_unlock();
}

/* ---- Reopening and resizing --------------------------------------------------------------- */

/* Close, with the gate held for writing; whoever comes next opens it again. */
static void env_shut(struct kv_env *env) {
    for (size_t i = 0; i < env->pooled; i++)
        mdb_txn_abort(env->pool[i]);
    env->pooled = 0;
    if (env->mdb)
        mdb_env_close(env->mdb);
    env->mdb = NULL;
}

int kv_env_gone(const struct kv_env *env, mneme_error *error) {
    return error_set(error, MNEME_NOT_FOUND,
                     "%s was deleted or replaced while it was open, and what is written now would "
                     "be lost; close it, and open it again",
                     env->path);
}

int kv_env_reopen(struct kv_env *env, mneme_error *error) {
    struct path_info now;
    env_shut(env);
    TRY(path_inspect(env->path, &now, error));
    if (now.inode != env->inode || now.device != env->device_number)
        return kv_env_gone(env, error); /* LMDB would make a file that is not there */
    int status = env_open_lmdb(env, error);
    if (status == 0)
        status = env_join(env, error);
    if (status)
        env_shut(env);
    LOG(WARN, STORE, "file opened again after a failure", LOG_STRING("file.path", env->path),
        LOG_ERROR_TYPE(status));
    return status;
}

/* LMDB takes the old map down first, so after a failure nothing is mapped, and only opening the
 * environment again helps. */
int kv_env_resize(struct kv_env *env, uint64_t bytes) {
    MDB_envinfo info;
    shared_lock_acquire_write(&env->gate);
    uint64_t before = env->map_bytes;
    int rc = env->mdb ? mdb_env_set_mapsize(env->mdb, bytes) : 0;
    if (rc)
        env_shut(env);
    else if (env->mdb && mdb_env_info(env->mdb, &info) == 0)
        env->map_bytes = info.me_mapsize;
    LOG(INFO, STORE, "map resized", LOG_STRING("file.path", env->path),
        LOG_WHOLE("from_bytes", before), LOG_WHOLE("to_bytes", env->map_bytes),
        LOG_BOOL("ok", rc == 0));
    shared_lock_release(&env->gate);
    return rc;
}
