/*
 * segment.c - a mapped segment: its room, its cells, its windows.
 */
#include "metrics/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(sizeof(struct octave) == 1408 && sizeof(union block) == 1408,
               "an octave is 22 lines, and a cell fits into as many");
_Static_assert(BLOCKS_MAX <= UINT16_MAX, "numbers of blocks are 16 bits");

/* ---- Layout -------------------------------------------------------------------------------- */

static uint64_t mix_text(uint64_t hash, const char *text) {
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * UINT64_C(0x100000001b3); /* FNV-1a */
    return hash * UINT64_C(0x100000001b3);
}

uint64_t segment_layout(void) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ sizeof(struct segment_head);
#define MIX_OPERATION(name, layer, text, gen_ai, sample)                                           \
    hash = mix_text(mix_text(hash, layer), text);
    METER_OPERATION_TABLE(MIX_OPERATION)
#define MIX_LEVEL(name, text, unit, label, value, type, total, help)                               \
    hash = mix_text(mix_text(mix_text(hash, text), unit), value);
    METER_LEVEL_TABLE(MIX_LEVEL)
    return hash;
}

/* ---- Room ------------------------------------------------------------------------------------ */

/* Room for so many blocks. A limit on the size of files is asked for first: it ends a process that
 * passes it by a signal. */
static int make_room(int fd, unsigned blocks, mneme_error *error) {
    struct rlimit limit;
    size_t size = SEGMENT_BLOCKS_AT + blocks * sizeof(union block);
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        limit.rlim_cur < size)
        return error_set(error, MNEME_NO_SPACE, "files may have %llu bytes at most (ulimit -f)",
                         (unsigned long long)limit.rlim_cur);
    int rc;
    do
        rc = posix_fallocate(fd, 0, (off_t)size);
    while (rc == EINTR);
    return rc ? error_set_errno(error, rc, "no room for %zu bytes", size) : 0;
}

static int map(int fd, struct segment_head **out, mneme_error *error) {
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE : MAP_SHARED | MAP_NORESERVE;
    void *at = mmap(NULL, SEGMENT_MAX, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (at == MAP_FAILED)
        return error_set_errno(error, errno, "cannot map %zu bytes", (size_t)SEGMENT_MAX);
    *out = at;
    return 0;
}

static int check_size(int fd, const struct segment_head *head, mneme_error *error) {
    struct stat st;
    unsigned blocks = atomic_load(&head->blocks);
    if (fstat(fd, &st) || (size_t)st.st_size < SEGMENT_BLOCKS_AT || head->magic != SEGMENT_MAGIC ||
        head->layout != segment_layout() || blocks > BLOCKS_MAX ||
        (size_t)st.st_size < SEGMENT_BLOCKS_AT + blocks * sizeof(union block) ||
        atomic_load(&head->used) > blocks)
        return error_set(error, MNEME_CORRUPT, "not a file of this version's metrics");
    return 0;
}

/* "python3": argv[0] would show what a program was called with. */
static void read_command(char out[COMMAND_TEXT]) {
    int fd = open("/proc/self/comm", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, out, COMMAND_TEXT - 1);
    if (fd >= 0)
        close(fd);
    size = size < 0 ? 0 : size;
    out[size] = 0;
    for (char *c = out; *c; c++)
        if ((uint8_t)*c < ' ' || (uint8_t)*c >= 0x7f)
            *c = c[1] ? '?' : 0; /* a line feed ends it */
}

static void fill_head(struct segment_head *head, bool shared) {
    head->magic = SEGMENT_MAGIC;
    head->layout = segment_layout();
    head->pid = getpid();
    head->since_us = clock_wall_us();
    head->since_ns = clock_monotonic_ns();
    read_command(head->command);
    atomic_store(&head->interval, interval_of(head->since_ns));
    atomic_store(&head->blocks, shared ? GROW_BLOCKS : BLOCKS_MAX);
}

static int open_head(int fd, bool fresh, struct segment_head **out, mneme_error *error) {
    struct segment_head *head = NULL;
    struct stat st;
    if (fd >= 0 && fresh)
        TRY(make_room(fd, GROW_BLOCKS, error));
    else if (fd >= 0 && (fstat(fd, &st) || (size_t)st.st_size < SEGMENT_BLOCKS_AT))
        return error_set(error, MNEME_CORRUPT, "not a file of this version's metrics");
    TRY(map(fd, &head, error));
    if (fresh)
        fill_head(head, fd >= 0);
    int status = fresh ? 0 : check_size(fd, head, error);
    if (status)
        munmap(head, SEGMENT_MAX);
    else
        *out = head;
    return status;
}

int segment_open(struct segment *segment, int fd, bool fresh, mneme_error *error) {
    int status = open_head(fd, fresh, &segment->head, error);
    if (status) {
        if (fd >= 0)
            close(fd);
        return status;
    }
    segment->fd = fd;
    lock_init(&segment->lock, RANK_LEAF);
    return 0;
}

void segment_close(struct segment *segment) {
    if (!segment->head)
        return;
    munmap(segment->head, SEGMENT_MAX);
    if (segment->fd >= 0)
        close(segment->fd);
    lock_fini(&segment->lock);
    segment->head = NULL;
}

/* ---- Blocks ---------------------------------------------------------------------------------- */

/* The number of a block that is all zero; 0: there is no room. Under the lock. */
static unsigned take_block(struct segment *segment) {
    struct segment_head *head = segment->head;
    unsigned used = atomic_load(&head->used), blocks = atomic_load(&head->blocks);
    if (used == blocks) {
        unsigned more = (unsigned)size_min(blocks + GROW_BLOCKS, BLOCKS_MAX);
        if (more == blocks || make_room(segment->fd, more, NULL))
            return 0;
        atomic_store(&head->blocks, more);
    }
    atomic_store(&head->used, used + 1);
    return used + 1;
}

/* What `number` names, or a new block that it names from now on. */
static union block *named_block(struct segment *segment, atomic_ushort *number) {
    unsigned at = atomic_load_explicit(number, memory_order_acquire);
    if (UNLIKELY(at == 0)) {
        AUTO_LOCK(held, &segment->lock);
        at = atomic_load_explicit(number, memory_order_relaxed);
        if (at == 0 && (at = take_block(segment)) != 0)
            atomic_store_explicit(number, (unsigned short)at, memory_order_release);
    }
    return at ? segment_block(segment->head, at) : NULL;
}

struct cell *segment_cell(struct segment *segment, unsigned number) {
    union block *block = named_block(segment, &segment->head->cells[number]);
    return block ? &block->cell : NULL;
}

struct octave *segment_octave(struct segment *segment, struct cell *cell, unsigned octave) {
    union block *block = named_block(segment, &cell->octaves[octave]);
    return block ? &block->octave : NULL;
}

/* ---- Counting -------------------------------------------------------------------------------- */

void segment_count(struct segment *segment, struct cell *cell, unsigned slot, uint64_t ns,
                   uint32_t weight) {
    unsigned bucket = histogram_bucket(ns), place = bucket % OCTAVE_BUCKETS;
    struct octave *octave = segment_octave(segment, cell, bucket / OCTAVE_BUCKETS);
    struct cell_slot *to = &cell->slots[slot];
    if (UNLIKELY(!octave))
        add_to(&to->untimed, weight);
    else if (slot < LIFE_SLOT)
        atomic_fetch_add_explicit(&octave->recent[slot][place], weight, memory_order_relaxed);
    else
        add_to(&octave->life[place], weight);
    add_to(&to->sum_ns, ns * weight);
    raise_to(&to->max_ns, ns);
}

/* ---- Windows --------------------------------------------------------------------------------- */

static void move_count(atomic_uint_fast64_t *from, atomic_uint_fast64_t *to) {
    if (value_of(from))
        add_to(to, atomic_exchange_explicit(from, 0, memory_order_relaxed));
}

static void move_octave(struct octave *octave, unsigned from, unsigned to) {
    for (unsigned i = 0; i < OCTAVE_BUCKETS; i++) {
        atomic_uint *count = &octave->recent[from][i];
        if (atomic_load_explicit(count, memory_order_relaxed) == 0)
            continue;
        unsigned moved = atomic_exchange_explicit(count, 0, memory_order_relaxed);
        if (to < LIFE_SLOT)
            atomic_fetch_add_explicit(&octave->recent[to][i], moved, memory_order_relaxed);
        else
            add_to(&octave->life[i], moved);
    }
}

static void move_cell(struct segment_head *head, struct cell *cell, unsigned from, unsigned to) {
    struct cell_slot *source = &cell->slots[from], *target = &cell->slots[to];
    move_count(&source->sum_ns, &target->sum_ns);
    move_count(&source->errors, &target->errors);
    move_count(&source->untimed, &target->untimed);
    raise_to(&target->max_ns, atomic_exchange_explicit(&source->max_ns, 0, memory_order_relaxed));
    for (unsigned i = 0; i < OCTAVES; i++) {
        unsigned number = atomic_load_explicit(&cell->octaves[i], memory_order_acquire);
        if (number)
            move_octave(&segment_block(head, number)->octave, from, to);
    }
}

static void move_slot(struct segment_head *head, unsigned from, unsigned to) {
    for (unsigned i = 0; i < CELLS; i++) {
        unsigned number = atomic_load_explicit(&head->cells[i], memory_order_acquire);
        if (number)
            move_cell(head, &segment_block(head, number)->cell, from, to);
    }
}

/*
 * Slots whose intervals are over go to their periods first, as long as these are those of the old
 * `interval`, (1), which its seven intervals cannot be older than by more than one; then periods
 * that are over go to the rest of its life.
 */
void segment_advance(struct segment *segment, uint64_t interval) {
    struct segment_head *head = segment->head;
    uint64_t before = value_of(&head->interval);
    if (interval <= before)
        return;
    atomic_fetch_add(&head->epoch, 1);
    for (uint64_t i = before + 1; i <= interval && i <= before + MINUTE_SLOTS; i++)
        move_slot(head, minute_slot(i), hour_slot(period_of(i - MINUTE_SLOTS)));
    uint64_t period = period_of(before), last = period_of(interval);
    for (uint64_t p = period + 1; p <= last && p <= period + HOUR_SLOTS; p++)
        move_slot(head, hour_slot(p), LIFE_SLOT);
    atomic_store(&head->interval, interval);
    atomic_fetch_add(&head->epoch, 1);
}
