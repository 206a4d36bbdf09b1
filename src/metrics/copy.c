/*
 * copy.c - what another handle's segment held at one moment, and how it is added to a third.
 *
 * A file is read, not mapped: whatever its owner, or anybody else, does to it meanwhile, a number
 * may be wrong, but no address is.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "metrics/segment.h"

enum { EPOCH_TRIES = 8 };

void segment_copy_fini(struct segment_copy *copy) {
    mem_free(copy->head);
    *copy = (struct segment_copy){0};
}

/* Texts that end, counts that stay inside. Numbers of blocks are looked at when they are used. */
static int check(struct segment_copy *copy) {
    struct segment_head *head = copy->head;
    if (head->magic != SEGMENT_MAGIC || head->layout != segment_layout())
        return MNEME_CORRUPT;
    head->command[COMMAND_TEXT - 1] = 0;
    for (unsigned i = 0; i < SHAPES; i++)
        head->shapes[i].text[SHAPE_TEXT - 1] = 0;
    for (unsigned i = 0; i < SLOW_ENTRIES; i++)
        head->slow[i].detail[SLOW_DETAIL - 1] = 0;
    return atomic_load(&head->shape_count) <= SHAPES ? 0 : MNEME_CORRUPT;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static bool read_all(int fd, uint8_t *to, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t n = pread(fd, to + at, size - at, (off_t)at);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

/* The epoch as it is now. */
static bool read_epoch(int fd, uint64_t *epoch) {
    return pread(fd, epoch, sizeof *epoch, offsetof(struct segment_head, epoch)) == sizeof *epoch;
}

int segment_copy_file(struct segment_copy *copy, int fd) {
    struct stat st;
    if (fstat(fd, &st) || (size_t)st.st_size < SEGMENT_BLOCKS_AT ||
        (size_t)st.st_size > SEGMENT_MAX)
        return MNEME_CORRUPT;
    copy->size = (size_t)st.st_size;
    copy->head = mem_alloc(copy->size);
    if (!copy->head)
        return MNEME_NO_MEMORY;
    /* Should its owner have died while counts moved, the last try has to do. */
    for (int i = 0; i < EPOCH_TRIES; i++) {
        uint64_t before, after;
        if (!read_epoch(fd, &before) || !read_all(fd, (uint8_t *)copy->head, copy->size) ||
            !read_epoch(fd, &after)) {
            segment_copy_fini(copy);
            return MNEME_CORRUPT;
        }
        if (before == after && before % 2 == 0)
            break;
    }
    int status = check(copy);
    if (status)
        segment_copy_fini(copy);
    return status;
}

/* Word by word: others go on counting. */
static void copy_words(uint64_t *to, const struct segment_head *from, size_t words) {
    const atomic_uint_fast64_t *word = (const atomic_uint_fast64_t *)(const void *)from;
    for (size_t i = 0; i < words; i++)
        to[i] = atomic_load_explicit(&word[i], memory_order_relaxed);
}

int segment_copy_mapped(struct segment_copy *copy, const struct segment *segment) {
    struct segment_head *head = segment->head;
    copy->size = SEGMENT_BLOCKS_AT + atomic_load(&head->used) * sizeof(union block);
    copy->head = mem_alloc(copy->size);
    if (!copy->head)
        return MNEME_NO_MEMORY;
    for (int i = 0; i < EPOCH_TRIES; i++) {
        uint64_t before = atomic_load(&head->epoch);
        copy_words((uint64_t *)(void *)copy->head, head, copy->size / sizeof(uint64_t));
        FULL_BARRIER();
        if (atomic_load(&head->epoch) == before && before % 2 == 0)
            break;
    }
    int status = check(copy);
    if (status)
        segment_copy_fini(copy);
    return status;
}

/* ---- Looking --------------------------------------------------------------------------------- */

static union block *copy_block(const struct segment_copy *copy, unsigned number) {
    size_t blocks = (copy->size - SEGMENT_BLOCKS_AT) / sizeof(union block);
    return number && number <= blocks ? segment_block(copy->head, number) : NULL;
}

struct cell *copy_cell(const struct segment_copy *copy, unsigned number) {
    union block *block = copy_block(copy, atomic_load(&copy->head->cells[number]));
    return block ? &block->cell : NULL;
}

struct octave *copy_octave(const struct segment_copy *copy, const struct cell *cell,
                           unsigned octave) {
    union block *block = copy_block(copy, atomic_load(&cell->octaves[octave]));
    return block ? &block->octave : NULL;
}
