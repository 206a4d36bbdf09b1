/*
 * shelf.c - the directory in which the processes of a store find each other's numbers.
 *
 * Files: PID-START-N for each handle (START: when its process began, so that a number that is given
 * to another process is told from it), and `ended`, the sum of those that are gone. An owner holds
 * a POSIX lock on its file: that ends with the process, however it ends, and a child does not
 * inherit it. A process never opens a file of its own for a second time, for closing that would
 * give up the lock; its meters are found in its own list.
 *
 * Whoever makes, removes, or adds up files holds flock on `ended`, and for a moment only. Nobody
 * waits for it for more than LOCK_TRIES ms: a process that was stopped with the lock must not stop
 * others, which then do without.
 *
 * The last to leave removes all. A newcomer N may meet a leaver L there:
 *   1. N opens `ended` and waits for the lock.   2. L removes its file, `ended` and the directory.
 *   3. L closes `ended`, and N has the lock.     4. N sees that `ended` has no name any longer, or
 * finds a directory gone, and begins anew (shelf_hold).
 *
 * A process that is killed while it adds a dead one's numbers leaves them half added. `adding`
 * tells the next which file that was: it is removed and not added again. What is lost is some of
 * the numbers of a process that was killed itself.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "metrics/meter_impl.h"

enum {
    LOCK_TRIES = 500,   /* a millisecond each */
    SWEEP_STORES = 16,  /* directories of other stores that a newcomer looks into */
    FILE_NUMBERS = 4096 /* handles of one process */
};

static const uint32_t MAGIC_TMPFS = 0x01021994, MAGIC_RAMFS = 0x858458f6; /* statfs(2) */

/* ---- Directories ------------------------------------------------------------------------------
 */

/* The directory open, when it is one of ours that nobody else may use; made when it is not there.
 * At `at`, or AT_FDCWD. -1: errno tells. */
static int own_directory(int at, const char *name, bool make) {
    struct stat st;
    if (make && mkdirat(at, name, 0700) && errno != EEXIST)
        return -1;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) == 0)
        return fd;
    close(fd);
    errno = EPERM;
    return -1;
}

/* The shelf's directory, and `ended`, locked. */
struct hold {
    int root, store, ended;
};

static void hold_end(struct hold *hold) {
    int *fds[] = {&hold->ended, &hold->store, &hold->root};
    for (size_t i = 0; i < COUNT_OF(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
#define AUTO_HOLD CLEANUP(hold_end)

/* 0; or an errno: ENOENT when another one removed what is needed, EWOULDBLOCK when it is locked. */
static int hold_once(const struct shelf *shelf, bool make, struct hold *hold) {
    struct stat st;
    *hold = (struct hold){-1, -1, -1};
    hold->root = own_directory(AT_FDCWD, shelf->root, make);
    if (hold->root >= 0)
        hold->store = own_directory(hold->root, shelf->store, make);
    if (hold->store >= 0)
        hold->ended = openat(hold->store, "ended", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (hold->ended < 0 || flock(hold->ended, LOCK_EX | LOCK_NB) || fstat(hold->ended, &st))
        return errno;
    return st.st_nlink ? 0 : ENOENT;
}

static void sleep_ms(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

/* `make`: the directories, too. Returns an errno. */
static int shelf_hold(const struct shelf *shelf, bool make, struct hold *hold) {
    int failed = EWOULDBLOCK;
    for (int i = 0; i < LOCK_TRIES; i++) {
        failed = hold_once(shelf, make, hold);
        if (failed == 0)
            return 0;
        hold_end(hold);
        if (failed == EWOULDBLOCK)
            sleep_ms();
        else if (failed != ENOENT || !make)
            return failed;
    }
    return failed;
}

/* ---- Files ------------------------------------------------------------------------------------
 */

/* When this process began, in the kernel's ticks since the machine did: field 22 of its stat, which
 * comes 20th after the command in brackets. */
static unsigned long long process_start(void) {
    char text[1024];
    unsigned long long start = 0;
    int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size > 0 ? size : 0] = 0;
    const char *at = strrchr(text, ')');
    for (int i = 0; at && i < 20; i++)
        at = strchr(at + 1, ' ');
    if (at)
        start = strtoull(at + 1, NULL, 10);
    return start;
}

/* "PID-START-", which all files of this process begin with. */
static void own_prefix(char out[SHELF_FILE]) {
    snprintf(out, SHELF_FILE, "%ld-%llx-", (long)getpid(), process_start());
}

static bool is_own(const char *name) {
    char prefix[SHELF_FILE];
    own_prefix(prefix);
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static bool is_segment_name(const char *name) {
    return *name >= '0' && *name <= '9' && strspn(name, "0123456789abcdef-") == strlen(name) &&
           strlen(name) < SHELF_FILE;
}

static bool is_locked(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

static bool lock_file(int fd) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_SETLK, &lock) == 0;
}

/* A file of another process, open; -1: it is gone, or nothing of ours. */
static int open_other(int store, const char *name) {
    struct stat st;
    int fd = openat(store, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* Call `visit` with each other process's file, open, for as long as it returns 0. */
typedef int file_visitor(void *context, int store, const char *name, int fd);

static int visit_others(int store, file_visitor *visit, void *context) {
    int again = dup(store), status = 0;
    DIR *listing = again < 0 ? NULL : fdopendir(again);
    if (!listing) {
        if (again >= 0)
            close(again);
        return 0;
    }
    rewinddir(listing);
    for (struct dirent *entry; status == 0 && (entry = readdir(listing)) != NULL;) {
        if (!is_segment_name(entry->d_name) || is_own(entry->d_name))
            continue;
        int fd = open_other(store, entry->d_name);
        if (fd < 0)
            continue;
        status = visit(context, store, entry->d_name, fd);
        close(fd);
    }
    closedir(listing);
    return status;
}

/* ---- Those that have ended ----------------------------------------------------------------------
 */

static uint64_t name_hash(const char *name) {
    uint64_t hash = 1;
    for (; *name; name++)
        hash = hash * 31 + (uint8_t)*name;
    return hash | 1;
}

/* `ended` as a segment; one that is empty, or of another version, is made anew. */
static int open_ended(int fd, struct segment *out) {
    struct stat st;
    if (fstat(fd, &st))
        return MNEME_IO;
    int again = st.st_size ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (again >= 0 && segment_open(out, again, false, NULL) == 0)
        return 0;
    if (ftruncate(fd, 0))
        return MNEME_IO;
    again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return again < 0 ? MNEME_IO : segment_open(out, again, true, NULL);
}

static void add_to_ended(const struct hold *hold, const char *name,
                         const struct segment_copy *copy) {
    struct segment ended;
    uint64_t hash = name_hash(name);
    if (open_ended(hold->ended, &ended))
        return;
    if (ended.head->adding != hash) {
        ended.head->adding = hash;
        segment_add(&ended, copy, interval_of(clock_monotonic_ns()));
    }
    (void)unlinkat(hold->store, name, 0);
    ended.head->adding = 0;
    segment_close(&ended);
}

struct sweep {
    const struct hold *hold;
    bool add; /* else only remove */
    size_t alive;
};

static int sweep_visit(void *context, int store, const char *name, int fd) {
    struct sweep *sweep = context;
    struct segment_copy copy = {0};
    if (is_locked(fd)) {
        sweep->alive++;
        return 0;
    }
    if (sweep->add && segment_copy_file(&copy, fd) == 0)
        add_to_ended(sweep->hold, name, &copy);
    segment_copy_fini(&copy);
    (void)unlinkat(store, name, 0);
    return 0;
}

static int count_visit(void *context, int store, const char *name, int fd) {
    (void)store;
    (void)name;
    *(size_t *)context += is_locked(fd);
    return 0;
}

/* How many of this process's own meters are there. */
static size_t count_own(const struct shelf *shelf) {
    size_t count = 0;
    registry_lock();
    for (struct meter *m = registry_first(); m; m = m->next)
        count += m->generation == process_generation() && m->shelf.store[0] &&
                 strcmp(m->shelf.store, shelf->store) == 0 &&
                 strcmp(m->shelf.root, shelf->root) == 0;
    registry_unlock();
    return count;
}

/* Sweep away the files of those that died; true: others have the store open. When there are none
 * nobody wants to know what has been. */
static bool sweep(const struct shelf *shelf, const struct hold *hold) {
    size_t alive = count_own(shelf);
    (void)visit_others(hold->store, count_visit, &alive);
    struct sweep sweep = {.hold = hold, .add = alive > 0};
    (void)visit_others(hold->store, sweep_visit, &sweep);
    if (alive == 0)
        (void)!ftruncate(hold->ended, 0);
    return alive > 0;
}

static void remove_store(const struct shelf *shelf, const struct hold *hold) {
    (void)unlinkat(hold->store, "ended", 0);
    if (unlinkat(hold->root, shelf->store, AT_REMOVEDIR) == 0)
        (void)rmdir(shelf->root); /* others may have theirs in it */
}

/* What killed processes of other stores have left; some of them, beginning anywhere. */
static void sweep_other_stores(const struct shelf *shelf) {
    DIR *listing = opendir(shelf->root);
    long count = 0;
    if (!listing)
        return;
    while (readdir(listing))
        count++;
    rewinddir(listing);
    for (long skip = (long)(clock_monotonic_ns() / 1000) % (count + 1); skip > SWEEP_STORES; skip--)
        (void)readdir(listing);
    struct dirent *entry;
    for (int i = 0; i < SWEEP_STORES && (entry = readdir(listing)) != NULL; i++) {
        struct shelf other = *shelf;
        AUTO_HOLD struct hold hold = {-1, -1, -1};
        if (entry->d_name[0] == '.' || strlen(entry->d_name) >= SHELF_STORE ||
            strcmp(entry->d_name, shelf->store) == 0)
            continue;
        memcpy(other.store, entry->d_name, strlen(entry->d_name) + 1);
        if (hold_once(&other, false, &hold) == 0 && !sweep(&other, &hold))
            remove_store(&other, &hold);
    }
    closedir(listing);
}

/* ---- Joining and leaving
 * -------------------------------------------------------------------------- */

int shelf_find(struct shelf *shelf, const struct meter_options *options, mneme_error *error) {
    const char *directory = options->directory ? options->directory : "/dev/shm";
    struct statfs fs;
    if (statfs(directory, &fs))
        return error_set_errno(error, errno, "there is no shared memory at %s", directory);
    if ((uint32_t)fs.f_type != MAGIC_TMPFS && (uint32_t)fs.f_type != MAGIC_RAMFS)
        return error_set(error, MNEME_UNSUPPORTED, "%s is not in memory (tmpfs)", directory);
    int n = snprintf(shelf->root, sizeof shelf->root, "%s/mneme-%lu", directory,
                     (unsigned long)geteuid());
    int o = snprintf(shelf->store, sizeof shelf->store, "%s", options->store);
    if (n < 0 || (size_t)n >= sizeof shelf->root || o < 0 || (size_t)o >= sizeof shelf->store)
        return error_set(error, MNEME_INVALID, "the path in %s is too long", directory);
    return 0;
}

/* A new file of this process, open and locked; -1: errno tells. */
static int make_file(struct shelf *shelf, int store) {
    char prefix[SHELF_FILE];
    own_prefix(prefix);
    for (unsigned number = 0; number < FILE_NUMBERS; number++) {
        snprintf(shelf->file, sizeof shelf->file, "%.50s%x", prefix, number);
        int fd =
            openat(store, shelf->file, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 && lock_file(fd))
            return fd;
        int failed = errno;
        if (fd >= 0) {
            (void)unlinkat(store, shelf->file, 0);
            close(fd);
        }
        errno = failed;
        if (failed != EEXIST)
            return -1;
    }
    return -1;
}

static int join_held(struct meter *meter, const struct hold *hold, bool *first,
                     mneme_error *error) {
    struct shelf *shelf = &meter->shelf;
    *first = !sweep(shelf, hold);
    int fd = make_file(shelf, hold->store);
    if (fd < 0)
        return error_set_errno(error, errno, "cannot make a file in %s", shelf->root);
    int status = segment_open(&meter->segment, fd, true, error);
    if (status == 0)
        return 0;
    (void)unlinkat(hold->store, shelf->file, 0);
    if (*first)
        remove_store(shelf, hold);
    return error_prefix(error, status, "shared memory in %s", shelf->root);
}

int shelf_join(struct meter *meter, const struct meter_options *options, mneme_error *error) {
    struct shelf *shelf = &meter->shelf;
    bool first = false;
    TRY(shelf_find(shelf, options, error));
    {
        AUTO_HOLD struct hold hold;
        int failed = shelf_hold(shelf, true, &hold);
        if (failed == EWOULDBLOCK)
            return error_set(error, MNEME_LOCKED, "another process keeps %s/%s locked", shelf->root,
                             shelf->store);
        if (failed)
            return error_set_errno(error, failed, "cannot use %s", shelf->root);
        TRY(join_held(meter, &hold, &first, error));
    }
    if (first)
        sweep_other_stores(shelf);
    return 0;
}

void shelf_leave(struct meter *meter) {
    struct shelf *shelf = &meter->shelf;
    AUTO_HOLD struct hold hold;
    struct segment_copy copy = {0};
    if (shelf_hold(shelf, false, &hold))
        return; /* what is left there will be found without its owner */
    if (!sweep(shelf, &hold)) {
        (void)unlinkat(hold.store, shelf->file, 0);
        remove_store(shelf, &hold);
        return;
    }
    if (segment_copy_mapped(&copy, &meter->segment) == 0)
        add_to_ended(&hold, shelf->file, &copy);
    segment_copy_fini(&copy);
    (void)unlinkat(hold.store, shelf->file, 0);
}

/* ---- Reading
 * -------------------------------------------------------------------------------------- */

void shelf_copies_fini(struct shelf_copies *copies) {
    for (size_t i = 0; i < copies->count; i++)
        segment_copy_fini(&copies->copies[i]);
    mem_free(copies->copies);
    *copies = (struct shelf_copies){0};
}

static int keep_copy(struct shelf_copies *out, int fd) {
    struct segment_copy *more = mem_resize(out->copies, (out->count + 1) * sizeof *more);
    if (!more)
        return MNEME_NO_MEMORY;
    out->copies = more;
    more[out->count] = (struct segment_copy){0};
    int status = segment_copy_file(&more[out->count], fd);
    if (status == MNEME_NO_MEMORY)
        return status;
    out->count += status == 0; /* damaged, or another version's: it is passed over */
    return 0;
}

static int read_visit(void *context, int store, const char *name, int fd) {
    (void)store;
    (void)name;
    return keep_copy(context, fd);
}

int shelf_read(const struct shelf *shelf, struct shelf_copies *out) {
    AUTO_HOLD struct hold hold;
    *out = (struct shelf_copies){0};
    int failed = shelf_hold(shelf, false, &hold);
    if (failed)
        return failed == ENOMEM ? MNEME_NO_MEMORY : 0;
    if (!sweep(shelf, &hold)) { /* who looks is none of them, and there are no others */
        remove_store(shelf, &hold);
        return 0;
    }
    int status = keep_copy(out, hold.ended);
    out->has_ended = out->count > 0;
    status = status ? status : visit_others(hold.store, read_visit, out);
    if (status)
        shelf_copies_fini(out);
    return status;
}
