/*
 * io_faults.h - makes the k-th write, sync or mapping of a file of this program fail.
 *
 * The calls are defined here, in the program, so that liblmdb.so and the C library's other users
 * bind to them instead of to the C library's. They pass through until a fault is armed, and only
 * calls on plain files count. Include this in one file of a program.
 */
#ifndef TESTS_RELIABILITY_IO_FAULTS_H
#define TESTS_RELIABILITY_IO_FAULTS_H

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/base.h"

enum io_class { IO_WRITES, IO_SYNCS, IO_MAPS, IO_MEMORY, IO_CLASSES };

/* What becomes of the call that is hit, and of those that follow it. */
enum io_mode {
    IO_EIO,           /* fails */
    IO_ENOSPC,        /* fails */
    IO_SHORT,         /* writes one half */
    IO_STICKY,        /* fails, as does every write and sync after it */
    IO_LIE,           /* is done, and says that it failed */
    IO_LIE_THEN_FAIL, /* the same, and the write after it fails: what was done stays */
    IO_MODES
};

static struct {
    _Atomic int armed; /* 0, or 1 + an io_class */
    _Atomic int mode;
    _Atomic uint64_t left; /* calls until the one that is hit; 0: it was */
    _Atomic uint64_t calls[IO_CLASSES];
    _Atomic uint64_t hits;
} io_faults;

/* Let the k-th call (1, 2, …) of a class be hit, and count from 0 again. */
static inline void io_faults_arm(enum io_class class, enum io_mode mode, uint64_t k) {
    for (int i = 0; i < IO_CLASSES; i++)
        io_faults.calls[i] = 0;
    io_faults.hits = 0;
    io_faults.left = k;
    io_faults.mode = (int)mode;
    io_faults.armed = 1 + (int)class;
}
/* No more faults; how many calls were hit. */
static inline uint64_t io_faults_disarm(void) {
    io_faults.armed = 0;
    return io_faults.hits;
}

enum io_fate { IO_PASS, IO_HALF, IO_FAIL, IO_DO_AND_FAIL };

static inline bool io_is_file(int fd) {
    struct stat st;
    int before = errno;
    bool is = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    errno = before;
    return is;
}

static inline enum io_fate io_fate(enum io_class class, bool file) {
    if (!file)
        return IO_PASS;
    io_faults.calls[class]++;
    int armed = io_faults.armed;
    enum io_mode mode = (enum io_mode)io_faults.mode;
    if (!armed)
        return IO_PASS;
    bool hit = false, after = io_faults.left == 0;
    if (armed == 1 + (int)class && !after)
        hit = io_faults.left-- == 1;
    bool same_kind = (armed > IO_MAPS) == (class >= IO_MAPS);
    if (after && same_kind &&
        (mode == IO_STICKY ||
         (mode == IO_LIE_THEN_FAIL && class == IO_WRITES && io_faults.hits == 1)))
        hit = true;
    if (!hit)
        return IO_PASS;
    io_faults.hits++;
    errno = class >= IO_MAPS ? ENOMEM : mode == IO_ENOSPC ? ENOSPC : EIO;
    if (mode == IO_SHORT && class == IO_WRITES)
        return IO_HALF;
    return mode == IO_LIE || (mode == IO_LIE_THEN_FAIL && !after) ? IO_DO_AND_FAIL : IO_FAIL;
}

/* The C library's own function of that name. */
#define IO_REAL(name)                                                                              \
    __extension__({                                                                                \
        static __typeof__(name) *real_;                                                            \
        if (!real_) {                                                                              \
            void *symbol_ = dlsym(RTLD_NEXT, #name);                                               \
            if (!symbol_)                                                                          \
                abort();                                                                           \
            memcpy(&real_, &symbol_, sizeof real_);                                                \
        }                                                                                          \
        real_;                                                                                     \
    })

/* Decide, and do it: `whole` and `half` are the real call, with all of the bytes and with half. */
#define IO_CALL(class, file, whole, half)                                                          \
    do {                                                                                           \
        enum io_fate fate_ = io_fate((class), (file));                                             \
        int error_ = errno;                                                                        \
        if (fate_ == IO_PASS)                                                                      \
            return (whole);                                                                        \
        if (fate_ == IO_HALF)                                                                      \
            return (half);                                                                         \
        if (fate_ == IO_DO_AND_FAIL && (whole) < 0)                                                \
            return -1;                                                                             \
        errno = error_;                                                                            \
        return -1;                                                                                 \
    } while (0)

#define IO_EXPORTED __attribute__((visibility("default")))

IO_EXPORTED ssize_t write(int fd, const void *data, size_t size) {
    IO_CALL(IO_WRITES, io_is_file(fd), IO_REAL(write)(fd, data, size),
            IO_REAL(write)(fd, data, size / 2));
}
IO_EXPORTED ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    IO_CALL(IO_WRITES, io_is_file(fd), IO_REAL(pwrite)(fd, data, size, at),
            IO_REAL(pwrite)(fd, data, size / 2, at));
}
IO_EXPORTED ssize_t writev(int fd, const struct iovec *parts, int count) {
    IO_CALL(IO_WRITES, io_is_file(fd), IO_REAL(writev)(fd, parts, count),
            IO_REAL(writev)(fd, parts, count / 2));
}
IO_EXPORTED ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    IO_CALL(IO_WRITES, io_is_file(fd), IO_REAL(pwritev)(fd, parts, count, at),
            IO_REAL(pwritev)(fd, parts, count / 2, at));
}
IO_EXPORTED int ftruncate(int fd, off_t size) {
    IO_CALL(IO_WRITES, io_is_file(fd), IO_REAL(ftruncate)(fd, size), -1);
}
IO_EXPORTED int fdatasync(int fd) { IO_CALL(IO_SYNCS, io_is_file(fd), IO_REAL(fdatasync)(fd), -1); }
IO_EXPORTED int fsync(int fd) { IO_CALL(IO_SYNCS, true, IO_REAL(fsync)(fd), -1); }
IO_EXPORTED int msync(void *at, size_t size, int flags) {
    IO_CALL(IO_SYNCS, true, IO_REAL(msync)(at, size, flags), -1);
}

IO_EXPORTED void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t from) {
    if (fd >= 0 && io_fate(IO_MAPS, io_is_file(fd)) != IO_PASS)
        return MAP_FAILED;
    return IO_REAL(mmap)(at, size, protection, flags, fd, from);
}

/*
 * LMDB's own memory (IO_MEMORY): what is asked for from within its code. Not in builds with a
 * sanitizer, which have their own allocator.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IO_HAS_MEMORY 0
#else
#define IO_HAS_MEMORY 1

static struct { uintptr_t low, high; } io_lmdb;

static inline int io_find_lmdb(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size, (void)context;
    if (!info->dlpi_name || !strstr(info->dlpi_name, "liblmdb"))
        return 0;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            io_lmdb.low = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            io_lmdb.high = io_lmdb.low + info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1;
}

/* Whether this call of an allocator comes from LMDB and is the one that fails. */
static inline bool io_memory_fails(const void *caller) {
    if (io_faults.armed != 1 + IO_MEMORY)
        return false;
    if (io_lmdb.low == 0)
        dl_iterate_phdr(io_find_lmdb, NULL);
    bool inside = (uintptr_t)caller >= io_lmdb.low && (uintptr_t)caller < io_lmdb.high;
    return io_fate(IO_MEMORY, inside) != IO_PASS;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *block, size_t size);

IO_EXPORTED void *malloc(size_t size) {
    return io_memory_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}
IO_EXPORTED void *calloc(size_t count, size_t size) {
    return io_memory_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}
IO_EXPORTED void *realloc(void *block, size_t size) {
    return io_memory_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}
#endif

#endif
