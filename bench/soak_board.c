/*
 * soak_board.c - the memory that the processes of a soak share, and latencies in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/soak.h"

const char *const soak_call_names[CALLS] = {"put",  "put many", "tag",    "delete", "start",
                                            "step", "complete", "queued", "wait",   "get",
                                            "list", "backup",   "open",   "close"};

/* ---- Files ---------------------------------------------------------------------------------- */

struct soak_path soak_store_path(const char *directory) {
    struct soak_path path;
    snprintf(path.text, sizeof path.text, "%s/store.mdb", directory);
    return path;
}

struct soak_path soak_backup_path(const char *directory, unsigned slot) {
    struct soak_path path;
    snprintf(path.text, sizeof path.text, "%s/backup-%u.mdb", directory, slot);
    return path;
}

struct soak_path soak_ledger_path(const char *directory, unsigned writer) {
    struct soak_path path;
    snprintf(path.text, sizeof path.text, "%s/ledger-%03u.txt", directory, writer);
    return path;
}

/* ---- The board ------------------------------------------------------------------------------ */

int soak_board_map(const char *directory, struct soak_board **out, mneme_error *error) {
    struct soak_path path;
    snprintf(path.text, sizeof path.text, "%s/board", directory);
    int fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(struct soak_board)) != 0) {
        int code = errno;
        if (fd >= 0)
            close(fd);
        return error_set_errno(error, code, "cannot make %s", path.text);
    }
    void *board = mmap(NULL, sizeof(struct soak_board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int code = errno;
    close(fd);
    if (board == MAP_FAILED)
        return error_set_errno(error, code, "cannot map %s", path.text);
    *out = board;
    return 0;
}

void soak_board_unmap(struct soak_board *board) {
    if (board)
        munmap(board, sizeof *board);
}

/* ---- Latencies ------------------------------------------------------------------------------ */

static size_t bucket_of(uint64_t ns) {
    if (ns < 16)
        return (size_t)ns;
    unsigned top = 63;
    while (!(ns >> top))
        top--;
    return 16 * (size_t)(top - 3) + (size_t)(ns >> (top - 4) & 15);
}

/* The middle of a bucket. */
static double value_of(size_t bucket) {
    if (bucket < 16)
        return (double)bucket;
    double low = (double)((16 + bucket % 16) << (bucket / 16 - 1));
    return low + (double)(UINT64_C(1) << (bucket / 16 - 1)) / 2;
}

void soak_times_add(struct soak_times *times, int64_t ns) {
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    unsigned long long longest = atomic_load_explicit(&times->longest_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&times->buckets[bucket_of(value)], 1, memory_order_relaxed);
    while (value > longest && !atomic_compare_exchange_weak(&times->longest_ns, &longest, value))
        ;
}

uint64_t soak_times_count(const struct soak_times *times) {
    uint64_t count = 0;
    for (size_t i = 0; i < SOAK_BUCKETS; i++)
        count += atomic_load_explicit(&times->buckets[i], memory_order_relaxed);
    return count;
}

double soak_times_quantile(const struct soak_times *times, double part) {
    uint64_t count = soak_times_count(times), seen = 0;
    double longest = (double)atomic_load(&times->longest_ns);
    for (size_t i = 0; i < SOAK_BUCKETS; i++) {
        seen += atomic_load_explicit(&times->buckets[i], memory_order_relaxed);
        if (seen && (double)seen >= part * (double)count)
            return value_of(i) < longest ? value_of(i) : longest;
    }
    return 0;
}
