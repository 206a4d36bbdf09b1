/*
 * preflight.c - what can be said of a store file before LMDB maps it.
 *
 * LMDB trusts its file: a foreign or truncated one ends the process with a signal. So the two
 * meta pages are read here with plain reads. Layout, from LMDB 0.9's mdb.c (page header of 16
 * bytes, then MDB_meta): magic u32, version u32, address u64, map size u64, two tree
 * descriptors of 48 bytes (the first begins with the page size, u32), last page u64, txn id u64.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/kv/kv_impl.h"

enum {
    META_AT = 16,
    META_SIZE = 4 + 4 + 8 + 8 + 2 * 48 + 8 + 8,
    PAGE_SIZE_AT = 4 + 4 + 8 + 8,
    LAST_PAGE_AT = 4 + 4 + 8 + 8 + 2 * 48,
    TXN_AT = LAST_PAGE_AT + 8,
    LMDB_DATA_VERSION = 1
};
static const uint32_t LMDB_MAGIC = 0xBEEFC0DE;

struct meta {
    uint32_t magic, version, page_size;
    uint64_t last_page, txn;
};

/* Numbers in the file are in the machine's own order: LMDB files do not travel between orders. */
static struct meta meta_parse(const uint8_t *at) {
    struct meta meta;
    memcpy(&meta.magic, at, 4);
    memcpy(&meta.version, at + 4, 4);
    memcpy(&meta.page_size, at + PAGE_SIZE_AT, 4);
    memcpy(&meta.last_page, at + LAST_PAGE_AT, 8);
    memcpy(&meta.txn, at + TXN_AT, 8);
    return meta;
}

static bool meta_read(int fd, uint64_t offset, struct meta *meta) {
    uint8_t bytes[META_SIZE];
    if (pread(fd, bytes, sizeof bytes, (off_t)(offset + META_AT)) != (ssize_t)sizeof bytes)
        return false;
    *meta = meta_parse(bytes);
    return true;
}

static int preflight_foreign(const char *path, mneme_error *error) {
    return error_set(error, MNEME_CORRUPT,
                     "%s is not a mneme store; choose another path, or move that file away", path);
}

/*
 * The last page of a truncated file may be there in part. What is missing of it reads as zeroes, so
 * it is taken out of the map: touching it then ends the walk as touching a missing page does. Where
 * the map begins shows in any page, for each begins with its number.
 */
static bool walk_forbid_part(MDB_txn *txn, uint64_t size, uint32_t page_size) {
    MDB_dbi main;
    MDB_cursor *cursor = NULL;
    MDB_val key, value;
    if (mdb_dbi_open(txn, NULL, 0, &main) || mdb_cursor_open(txn, main, &cursor))
        return false;
    int rc = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
    mdb_cursor_close(cursor);
    if (rc || size % page_size == 0)
        return rc == 0;
    uint8_t *page = (uint8_t *)key.mv_data - (uintptr_t)key.mv_data % page_size;
    uint64_t number;
    memcpy(&number, page, sizeof number);
    return mprotect(page + (size / page_size - number) * page_size, page_size, PROT_NONE) == 0;
}

static bool walk_in_child(const char *path, uint64_t size, uint32_t page_size) {
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    process_expect_fault();
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0)
        dup2(null, STDERR_FILENO); /* LMDB's own word on a bad page would confuse */
    return mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, KV_TABLES_MAX) == 0 &&
           mdb_env_set_maxreaders(env, KV_READERS) == 0 &&
           mdb_env_open(env, path, MDB_NOSUBDIR | MDB_RDONLY, 0600) == 0 &&
           mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0 &&
           walk_forbid_part(txn, size, page_size) && kv_walk_pages(txn) == 0;
}

/*
 * A file that is shorter than its last page can be sound: pages that were taken and given back
 * in one transaction are never written. Whether a page that is in use is missing shows only in a
 * walk, which would end in SIGBUS; so a child walks, and says through a pipe that it got through.
 * (Its exit code may be lost to an application that waits for all children, or for none.)
 */
static int preflight_walk(const char *path, uint64_t size, uint32_t page_size, mneme_error *error) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return error_set_errno(error, errno, "cannot check %s", path);
    pid_t child = fork();
    if (child == 0) {
        bool good = walk_in_child(path, size, page_size);
        _exit(good && write(ends[1], "", 1) == 1 ? 0 : 1);
    }
    int failed = child < 0 ? errno : 0;
    close(ends[1]);
    char byte;
    ssize_t got = 0;
    while (!failed && (got = read(ends[0], &byte, 1)) < 0 && errno == EINTR)
        ;
    close(ends[0]);
    if (failed)
        return error_set_errno(error, failed, "cannot start a process to check %s", path);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    if (got != 1)
        return error_set(error, MNEME_CORRUPT,
                         "%s is truncated: pages that it refers to are missing; restore it from "
                         "a backup",
                         path);
    return 0;
}

static int preflight_fd(const char *path, int fd, mneme_error *error) {
    struct meta first, second;
    struct stat st;
    if (!meta_read(fd, 0, &first) || first.magic != LMDB_MAGIC || first.page_size < 512 ||
        first.page_size > 65536)
        return preflight_foreign(path, error);
    if (first.version != LMDB_DATA_VERSION)
        return error_set(error, MNEME_NEWER_FORMAT,
                         "%s has LMDB data version %u, and this mneme knows %d; use a newer mneme",
                         path, first.version, LMDB_DATA_VERSION);
    if (!meta_read(fd, first.page_size, &second) || second.magic != LMDB_MAGIC)
        return error_set(error, MNEME_CORRUPT,
                         "%s is truncated or damaged: its second page is missing; restore it "
                         "from a backup",
                         path);
    /* The size is asked for last: others may be writing, and the file only grows. */
    if (fstat(fd, &st) != 0)
        return error_set_errno(error, errno, "cannot read %s", path);
    uint64_t size = (uint64_t)st.st_size;
    uint64_t last = first.txn > second.txn ? first.last_page : second.last_page;
    if (last >= UINT64_MAX / 65536 || size < (last + 1) * first.page_size)
        return preflight_walk(path, size, first.page_size, error);
    return 0;
}

int kv_preflight(const char *path, const struct path_info *info, mneme_error *error) {
    TRY(place_check_file(path, info, "memory.mdb", error));
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot read %s", path);
    int status = preflight_fd(path, fd, error);
    close(fd);
    return status;
}
