/*
 * moment.c - a look at the number of the last commit, in a nanosecond.
 *
 * Every read transaction of LMDB begins with the number of the last commit, which stands in the
 * lock file that all processes map; the committer stores it there when the commit is on disk. So it
 * changes exactly when reads begin to see something new. LMDB tells it only through an environment
 * that may just be closed and opened afresh; hence the lock file is mapped here once more, and
 * stays mapped as long as the environment lives.
 *
 * Layout, from LMDB 0.9's mdb.c (struct MDB_txbody): magic u32, format u32, a pthread_mutex_t, the
 * last transaction u64. Where the number is not found there (another layout, a medium that cannot
 * be written and so has no lock file), the store has no moment, and there is no cache in front of
 * it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/kv/kv_impl.h"

enum { MAGIC_AT = 0, LAST_TXN_AT = 8 + sizeof(pthread_mutex_t), MAP_SIZE = 4096 };
static const uint32_t LOCK_MAGIC = 0xBEEFC0DE;

static bool is_mapped(struct kv_env *env) {
    struct stat st;
    uint32_t magic;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s-lock", env->path);
    if (n < 0 || (size_t)n >= sizeof path)
        return false;
    env->lock_fd = open(path, (env->no_write ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
    if (env->lock_fd < 0 || fstat(env->lock_fd, &st) || st.st_size < MAP_SIZE)
        return false;
    void *map = mmap(NULL, MAP_SIZE, PROT_READ, MAP_SHARED, env->lock_fd, 0);
    if (map == MAP_FAILED)
        return false;
    env->lock_map = map;
    memcpy(&magic, env->lock_map + MAGIC_AT, sizeof magic);
    return magic == LOCK_MAGIC;
}

/* The number that LMDB gives a read transaction lies between what we read before and after. */
static bool is_confirmed(struct kv_env *env, const atomic_uint_fast64_t *moment) {
    MDB_txn *txn = NULL;
    uint64_t before = atomic_load(moment);
    if (kv_env_begin(env, MDB_RDONLY, &txn))
        return false;
    uint64_t id = mdb_txn_id(txn);
    mdb_txn_abort(txn);
    return before <= id && id <= atomic_load(moment);
}

_Static_assert(sizeof(size_t) == 8 && sizeof(atomic_uint_fast64_t) == 8 && LAST_TXN_AT % 8 == 0,
               "LMDB's transaction numbers are size_t");

/* The lock file's descriptor stays open: to close it would drop the locks that LMDB has on the
 * file, for POSIX gives them up with any descriptor of it. Writers take their turns with it
 * (turn.c). */
void kv_moment_open(struct kv_env *env) {
    if (!is_mapped(env))
        return;
    const atomic_uint_fast64_t *moment = (const void *)(env->lock_map + LAST_TXN_AT);
    if (is_confirmed(env, moment))
        env->moment = moment;
}

void kv_moment_close(struct kv_env *env) {
    if (env->lock_map)
        munmap(env->lock_map, MAP_SIZE);
    if (env->lock_fd >= 0)
        close(env->lock_fd);
}
