/*
 * os.h - the platform: clocks, random bytes, ids, threads, locks, files. The log is in log.h.
 *
 * What it is. The only layer that may hold a platform #if. Thin: each function is one idea.
 * Threads. Everything here may be called from any thread.
 * Errors. errno becomes a mneme_status through error_set_errno, and the text names the path.
 */
#ifndef MNEME_OS_H
#define MNEME_OS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/base.h"

enum { ID_TEXT_SIZE = 37, TIME_TEXT_SIZE = 36 }; /* as MNEME_…_TEXT_SIZE */

/* ---- Clocks ------------------------------------------------------------------------------ */

int64_t clock_wall_us(void);      /* microseconds since 1970, UTC; may jump */
int64_t clock_monotonic_us(void); /* never goes back; for intervals only */

/* RFC 3339 text of a wall time and back; see mneme_time_format and mneme_time_parse. */
void time_format(int64_t time_us, char text[TIME_TEXT_SIZE]);
int time_parse(mneme_text text, int64_t *time_us, mneme_error *error);
/* Only RFC 3339 date-times, no ages: for data. */
int time_parse_rfc3339(mneme_text text, int64_t *time_us, mneme_error *error);

/* ---- Random and ids ---------------------------------------------------------------------- */

/* From the kernel's generator. MNEME_IO. */
int random_bytes(void *out, size_t size, mneme_error *error);

/*
 * A UUIDv7 (RFC 9562, 5.7) for the time given (milliseconds; 0: now): 48 bits of time, a 12-bit
 * counter and 62 random bits. Of ids made for now, each is greater than the one before it in
 * this process, on all threads (the counter, then the time, is bumped when the clock stands still).
 */
int id_make(uint64_t millis, mneme_id *out, mneme_error *error);
void id_format(const mneme_id *id, char text[ID_TEXT_SIZE]);
int id_parse(mneme_text text, mneme_id *id, mneme_error *error);

/* ---- Locks and threads ------------------------------------------------------------------- */

/*
 * Locks have a rank, and a thread takes them in rising rank only; test builds assert it, so a
 * deadlock shows as a failed assertion the first time the order is wrong.
 */
enum lock_rank {
    RANK_API = 10,      /* the handle's own state */
    RANK_CACHED = 15,   /* the order in which changes reach the caches */
    RANK_BATCHED = 20,  /* the queue of the group commit */
    RANK_FOLLOWED = 25, /* the changes that a followed store keeps */
    RANK_REGISTRY = 30, /* the table of open environments */
    RANK_KV = 40,       /* the environment of a kv store, or the arrays of a mem store */
    RANK_TURN = 45,     /* whose turn it is to write to a kv store */
    RANK_SQL = 46,      /* the connections of a driver, and what it knows of its server */
    RANK_NET = 48,      /* the pool, breaker and budget of an HTTP client */
    RANK_PACK = 50,     /* pools of compression contexts */
    RANK_CACHE = 60,    /* a shard of a cache */
    RANK_LEAF = 90      /* held for a few instructions, nothing is taken under it */
};

struct lock {
    pthread_mutex_t mutex;
    int rank;
};
void lock_init(struct lock *lock, enum lock_rank rank);
/* For a lock that is held for less than it takes to put a thread to sleep: who waits spins first.
 */
void lock_init_short(struct lock *lock, enum lock_rank rank);
void lock_fini(struct lock *lock);
void lock_acquire(struct lock *lock);
void lock_release(struct lock *lock);
static inline void lock_release_cleanup(struct lock **lock) {
    if (*lock)
        lock_release(*lock);
}
/* Hold a lock until the end of the block. */
#define AUTO_LOCK(name, lock_pointer)                                                              \
    CLEANUP(lock_release_cleanup) struct lock *name = (lock_pointer);                              \
    lock_acquire(name)

/* Many readers or one writer; a waiting writer goes before new readers. Not recursive. */
struct shared_lock {
    pthread_rwlock_t rwlock;
    int rank;
};
void shared_lock_init(struct shared_lock *lock, enum lock_rank rank);
void shared_lock_fini(struct shared_lock *lock);
void shared_lock_acquire_read(struct shared_lock *lock);
void shared_lock_acquire_write(struct shared_lock *lock);
void shared_lock_release(struct shared_lock *lock);

/* A condition; waits release the lock meanwhile. deadline_us: of clock_monotonic_us, < 0: none.
 * False when the deadline passed. */
struct signal {
    pthread_cond_t cond;
};
void signal_init(struct signal *s);
void signal_fini(struct signal *s);
void signal_one(struct signal *s);
void signal_all(struct signal *s);
bool signal_wait(struct signal *s, struct lock *lock, int64_t deadline_us);

/* All signals blocked in the new thread, so that the application's handlers run elsewhere. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument, mneme_error *error);

/*
 * Make every thread of this process execute a full memory barrier: membarrier(2), microseconds. Who
 * reads often and is waited for rarely leaves his own barriers to this one. Register first; false:
 * the kernel has none, and readers need their own. barrier_everywhere is false when it was refused
 * (by a sandbox that was put up after the start): then nothing was done.
 */
bool barrier_register(void);
bool barrier_everywhere(void);

/* A number that is another one in a child after fork(); cheap enough for every call. */
unsigned process_generation(void);
/* The same, for who has asked before: a load. */
extern atomic_uint process_generation_count;
static inline unsigned process_generation_again(void) {
    return atomic_load_explicit(&process_generation_count, memory_order_relaxed);
}

/* Whether there is no process of this number; false when that cannot be told. */
bool process_has_ended(long pid);

/* For a child that walks a file which may be damaged: let a fault end it at once and without a core
 * dump, whatever handlers the application has. */
void process_expect_fault(void);

/* ---- Files ------------------------------------------------------------------------------- */

enum path_type { PATH_ABSENT, PATH_FILE, PATH_DIRECTORY, PATH_SYMLINK, PATH_OTHER };

struct path_info {
    enum path_type type;
    uint64_t size;
    uint64_t device, inode;
};
/* Of the path itself: a symbolic link is not followed. An absent one is no error. */
int path_inspect(const char *path, struct path_info *info, mneme_error *error);
/* Make the missing directories above `path`, mode 0700. */
int path_make_parents(const char *path, mneme_error *error);
/* Make the directory entry of a file just created or renamed durable (fsync of its directory). */
int path_sync_parent(const char *path, mneme_error *error);
/* Give the whole file `part` the name `path` instead, durably, unless that name is taken
 * (MNEME_CONFLICT). `part` is gone in either case. */
int path_publish(const char *part, const char *path, mneme_error *error);
/* Whether the directory of `path` is on NFS, CIFS, 9p or FUSE; *name is the kind's name. */
int path_on_network(const char *path, bool *network, const char **name, mneme_error *error);
/* Whether the filesystem or the limit on the size of files leaves no room for `bytes` more in a
 * file: what a write that was cut short does not tell. */
bool path_is_full(const char *path, uint64_t bytes);
/* The default store path; see mneme_default_store. */
int path_default_store(char *path, size_t size, mneme_error *error);

/* A whole file, read-only. Mapped; a file that shrinks meanwhile is the caller's risk, so only
 * for input files of imports. Give back with file_unmap. */
int file_map(const char *path, struct slice *out, mneme_error *error);
void file_unmap(struct slice mapping);

/* A temporary file without a name, in $TMPDIR or /tmp, for what is too much for memory. What was
 * written is read through a mapping (file_unmap), which outlives spill_close. */
int spill_create(int *fd, mneme_error *error);
int spill_write(int fd, struct slice bytes, mneme_error *error);
int spill_map(int fd, struct slice *out, mneme_error *error);
void spill_close(int fd); /* -1 is allowed */

#endif
