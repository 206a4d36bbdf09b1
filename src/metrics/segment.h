/*
 * segment.h - inside metrics: the memory in which a handle's numbers lie, and its layout.
 *
 * One file a handle, mapped by its owner, which alone writes to it, and read by others. It begins
 * with a `struct segment_head`; behind it lie blocks of one size, handed out one after the other to
 * what needs them: a *cell* for an operation that happens (one a stripe, so that threads on
 * different cores do not share lines), and under it an *octave* for each octave of durations that
 * occurs. So a handle takes the memory of what it does, and not of all that it could do. The file
 * has room on the filesystem before it is written to (posix_fallocate): a full one is an error that
 * can be told, and never a SIGBUS.
 *
 * Windows. A count is in exactly one of 21 slots: of seven for intervals of ten seconds, of 13 for
 * periods of five minutes, or of the rest of its life. It is recorded in the slot of the current
 * interval. When that has passed, whoever records next empties the slot that is to be used again
 * into that of its period, and so on (segment_advance). Intervals are numbered by CLOCK_MONOTONIC,
 * which is the machine's, so that the windows of all processes are the same. Numbers:
 *   (1) `interval` is the latest that was seen; slot s has the greatest interval i <= it with
 *       i % 7 = s; its period is i / 30; period slots likewise, with 13.
 *   (2) The sum over the slots is what was recorded since the owner opened the store.
 *   (3) `epoch` is odd while counts move between slots: who read meanwhile reads again.
 * A thread that was asleep for a minute between looking at the slot and counting counts into a
 * later interval; nothing is lost, for slots are emptied by exchange.
 */
#ifndef MNEME_METRICS_SEGMENT_H
#define MNEME_METRICS_SEGMENT_H

#include "metrics/histogram.h"
#include "metrics/metrics.h"
#include "os/os.h"

enum {
    MINUTE_SLOTS = 7,
    HOUR_SLOTS = 13,
    RECENT_SLOTS = MINUTE_SLOTS + HOUR_SLOTS, /* the hour's come after the minute's */
    LIFE_SLOT = RECENT_SLOTS,
    SLOTS,
    PERIOD_INTERVALS = 30,
    CODES = 32, /* of errors: by number; what is beyond is in the last */
    STRIPES = 4,
    SHAPES = 64,
    SHAPE_TEXT = 112,
    SLOW_ENTRIES = 128,
    SLOW_DETAIL = 200,
    CELLS = METER_OPERATION_COUNT * STRIPES + SHAPES,
    BLOCKS_MAX = 2000,
    GROW_BLOCKS = 46, /* about 64 KiB */
    COMMAND_TEXT = 32,
};
#define INTERVAL_NS UINT64_C(10000000000)
#define SEGMENT_MAGIC UINT64_C(0x31746d656d656e6d)

struct cell_slot {
    atomic_uint_fast64_t sum_ns, max_ns, errors;
    atomic_uint_fast64_t untimed; /* happened, and is in no bucket */
};

struct cell {
    struct cell_slot slots[SLOTS];
    atomic_uint_fast64_t codes[CODES]; /* of its life */
    atomic_ushort octaves[OCTAVES];    /* numbers of blocks; 0: none */
};

/* A line of 64 bytes is what is written in one interval. */
struct octave {
    atomic_uint recent[RECENT_SLOTS][OCTAVE_BUCKETS];
    atomic_uint_fast64_t life[OCTAVE_BUCKETS];
};

union block {
    _Alignas(64) struct cell cell;
    struct octave octave;
};

/* Written once, word by word, before shape_count tells of it. */
struct shape {
    uint64_t hash;
    atomic_uint_fast64_t hits;
    char text[SHAPE_TEXT];
};

/* Written word by word, and overwritten while others read: `check` is a hash of the rest, by which
 * a reader tells an entry of which it has met one half from another's other half. */
struct slow_entry {
    uint64_t check;
    int64_t at_us;
    uint64_t duration_ns, records;
    int32_t operation, code;
    int64_t pid; /* of who did it: entries move to `ended` */
    char detail[SLOW_DETAIL];
    uint64_t spare;
};

struct segment_head {
    uint64_t magic, layout; /* layout: of tables and structs, see segment_layout */
    int64_t pid;
    int64_t since_us;  /* wall clock */
    uint64_t since_ns; /* CLOCK_MONOTONIC */
    char command[COMMAND_TEXT];
    uint64_t ended;  /* handles that were added to this one */
    uint64_t adding; /* a hash of the name of the file that is being added; see shelf.c */
    atomic_uint_fast64_t epoch, interval;
    atomic_uint_fast64_t lost; /* for want of a block */
    atomic_uint blocks, used;  /* that there is room for; that were handed out */
    atomic_uint_fast64_t published_ns;
    atomic_uint_fast64_t levels_set[(METER_LEVEL_COUNT + 63) / 64];
    atomic_uint_fast64_t levels[METER_LEVEL_COUNT]; /* the bits of a double */
    atomic_ushort cells[CELLS];                     /* numbers of blocks; 0: none */
    atomic_uint shape_count;
    struct shape shapes[SHAPES];
    atomic_uint_fast64_t slow_count;
    struct slow_entry slow[SLOW_ENTRIES];
};

#define SEGMENT_BLOCKS_AT ((sizeof(struct segment_head) + 63) / 64 * 64)
#define SEGMENT_MAX (SEGMENT_BLOCKS_AT + (size_t)BLOCKS_MAX * sizeof(union block))

/* A mapped one. */
struct segment {
    struct segment_head *head;
    int fd;           /* -1: memory of our own */
    struct lock lock; /* handing out blocks, and shapes */
};

/* Where a cell lies in segment_head.cells. */
static inline unsigned cell_of_operation(unsigned operation, unsigned stripe) {
    return operation * STRIPES + stripe;
}
static inline unsigned cell_of_shape(unsigned shape) {
    return METER_OPERATION_COUNT * STRIPES + shape;
}

static inline union block *segment_block(struct segment_head *head, unsigned number) {
    return (union block *)(void *)((uint8_t *)head + SEGMENT_BLOCKS_AT) + number - 1;
}

static inline uint64_t interval_of(uint64_t monotonic_ns) {
    /* An offset, so that none is near 0 even on a machine that has just begun. */
    return monotonic_ns / INTERVAL_NS + UINT64_C(100) * PERIOD_INTERVALS;
}
static inline uint64_t period_of(uint64_t interval) { return interval / PERIOD_INTERVALS; }
static inline unsigned minute_slot(uint64_t interval) {
    return (unsigned)(interval % MINUTE_SLOTS);
}
static inline unsigned hour_slot(uint64_t period) {
    return MINUTE_SLOTS + (unsigned)(period % HOUR_SLOTS);
}

/* A number that differs where another build lays these structs out, or numbers the tables,
 * otherwise. */
uint64_t segment_layout(void);

/*
 * Map the file `fd`, which becomes the segment's, or memory of our own (-1), and make room for the
 * first blocks. `fresh`: it is new, and its head is filled in; else it must have one of this layout
 * (MNEME_CORRUPT). MNEME_NO_SPACE: the filesystem is full, or files may not get so large.
 */
int segment_open(struct segment *segment, int fd, bool fresh, mneme_error *error);
/* Unmaps and closes. */
void segment_close(struct segment *segment);

/* The cell, or octave of a cell, made when there is none. NULL: no room. */
struct cell *segment_cell(struct segment *segment, unsigned number);
struct octave *segment_octave(struct segment *segment, struct cell *cell, unsigned octave);

/* Let `interval` be the current one. One thread at a time. */
void segment_advance(struct segment *segment, uint64_t interval);

/* The shape of this text: its number, and SHAPES - 1, "other", when there are too many. */
unsigned segment_shape(struct segment *segment, const char text[SHAPE_TEXT]);
/* Let an entry take the place of the oldest one; its check is filled in. */
void segment_note_slow(struct segment *segment, struct slow_entry *entry);
/* Whether an entry is whole. */
bool slow_entry_is_whole(const struct slow_entry *entry);

/* Count into a slot of a cell. */
void segment_count(struct segment *segment, struct cell *cell, unsigned slot, uint64_t ns,
                   uint32_t weight);

static inline void raise_to(atomic_uint_fast64_t *most, uint64_t value) {
    uint64_t now = atomic_load_explicit(most, memory_order_relaxed);
    while (UNLIKELY(value > now) &&
           !atomic_compare_exchange_weak_explicit(most, &now, value, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}
static inline void add_to(atomic_uint_fast64_t *count, uint64_t more) {
    atomic_fetch_add_explicit(count, more, memory_order_relaxed);
}
static inline uint64_t value_of(const atomic_uint_fast64_t *count) {
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* Whether totals of a level are sums over those that have ended, too. */
bool meter_level_adds_up(unsigned level);
static inline bool level_is_set(const struct segment_head *head, unsigned level) {
    return value_of(&head->levels_set[level / 64]) >> level % 64 & 1;
}

/* ---- Copies (copy.c) ------------------------------------------------------------------------ */

/* What another process's segment held at one moment, checked. Start from {0}. */
struct segment_copy {
    struct segment_head *head;
    size_t size; /* bytes */
};
void segment_copy_fini(struct segment_copy *copy);
/* From a file; MNEME_CORRUPT: not a segment of this layout, or a damaged one. MNEME_NO_MEMORY. */
int segment_copy_file(struct segment_copy *copy, int fd);
/* From one that is mapped here. */
int segment_copy_mapped(struct segment_copy *copy, const struct segment *segment);
/* NULL: there is none. */
struct cell *copy_cell(const struct segment_copy *copy, unsigned number);
struct octave *copy_octave(const struct segment_copy *copy, const struct cell *cell,
                           unsigned octave);

/* Add what is in a copy to a segment: all counts, in the windows they belong to, and of the levels
 * those that only grow. `interval`: the current one. (add.c) */
void segment_add(struct segment *to, const struct segment_copy *from, uint64_t interval);

#endif
