/*
 * readers.c - readers that stand in the way of reusing pages: dead ones and sleeping ones.
 */
#include <stdio.h>

#include "os/log.h"
#include "store/kv/kv_impl.h"

enum { READERS_CHECK_US = 10 * 1000 * 1000 };

struct oldest_reader {
    size_t txn; /* 0: none */
    long pid;
};

/* A line of mdb_reader_list: "%10d %zx %zu\n" (pid, thread, transaction), or "-" when idle. */
static int reader_line(const char *line, void *context) {
    struct oldest_reader *oldest = context;
    long pid = 0;
    size_t thread = 0, txn = 0;
    if (sscanf(line, "%ld %zx %zu", &pid, &thread, &txn) == 3 &&
        (oldest->txn == 0 || txn < oldest->txn)) {
        oldest->txn = txn;
        oldest->pid = pid;
    }
    return 0;
}

uint64_t kv_oldest_reader(struct kv_env *env) {
    MDB_envinfo info;
    struct oldest_reader oldest = {0};
    mdb_env_info(env->mdb, &info);
    mdb_reader_list(env->mdb, reader_line, &oldest);
    return oldest.txn && oldest.txn < info.me_last_txnid ? info.me_last_txnid - oldest.txn : 0;
}

/* Bytes in pages that were freed by transactions which the reader at `txn_id` may still see. LMDB
 * shows its table of free pages (0), which is ordered by transaction, to readers only. */
static uint64_t pinned_bytes(struct kv_env *env, size_t txn_id, uint64_t page_size) {
    MDB_txn *txn = NULL;
    MDB_cursor *cursor = NULL;
    uint64_t pages = 0;
    if (kv_env_begin(env, MDB_RDONLY, &txn))
        return 0;
    if (mdb_cursor_open(txn, 0, &cursor)) {
        mdb_txn_abort(txn);
        return 0;
    }
    MDB_val key = {sizeof txn_id, &txn_id}, value;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
    for (; rc == 0; rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
        size_t count = 0; /* the value begins with how many page numbers it lists */
        memcpy(&count, value.mv_data, size_min(sizeof count, value.mv_size));
        pages += count;
    }
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    return pages * page_size;
}

/*
 * A reader that was killed leaves its slot behind; LMDB finds out by its process id. One that
 * sleeps in the middle of a read is alive, and taking its slot away would hand it pages that
 * change under it. So the writer waits for it: rather than let the file grow without bound, it
 * says which process stands in the way.
 */
int kv_readers_check(struct kv_env *env, mneme_error *error) {
    MDB_envinfo info;
    MDB_stat stat;
    int64_t now = clock_monotonic_us();
    mdb_env_info(env->mdb, &info);
    mdb_env_stat(env->mdb, &stat);
    uint64_t grown = info.me_last_pgno - size_min(env->stale_checked_pages, info.me_last_pgno);
    bool grown_much = grown * stat.ms_psize > env->max_stale_bytes / 16;
    if (LIKELY(!env->stale && !grown_much && now - env->readers_checked_us < READERS_CHECK_US))
        return 0;
    env->readers_checked_us = now;
    env->stale_checked_pages = info.me_last_pgno;
    int dead = 0;
    mdb_reader_check(env->mdb, &dead);
    if (dead)
        LOG(WARN, STORE, "slots of readers that died were cleared",
            LOG_STRING("file.path", env->path), LOG_WHOLE("readers", dead));
    struct oldest_reader oldest = {0};
    mdb_reader_list(env->mdb, reader_line, &oldest);
    uint64_t pinned = oldest.txn ? pinned_bytes(env, oldest.txn, stat.ms_psize) : 0;
    env->stale = pinned > env->max_stale_bytes;
    LOG(TRACE, STORE, "readers looked at", LOG_WHOLE("oldest.pid", oldest.pid),
        LOG_WHOLE("pinned_bytes", pinned));
    if (!env->stale)
        return 0;
    LOG(WARN, STORE, "a stopped reader pins old pages", LOG_STRING("file.path", env->path),
        LOG_WHOLE("reader.pid", oldest.pid), LOG_WHOLE("pinned_bytes", pinned));
    return error_set(error, MNEME_LOCKED,
                     "process %ld stopped in the middle of a read and pins %llu MiB of old "
                     "data; continue or end it, then write again",
                     oldest.pid, (unsigned long long)(pinned >> 20));
}
