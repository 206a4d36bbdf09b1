/*
 * memory.c - allocation with a failure hook for tests, growable buffers, arenas.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

/* Allocations left until one fails; 0: none will. Relaxed: the tests that set it care for the
 * count, not for its order against other memory. */
static _Atomic uint64_t mem_countdown;
static _Atomic uint64_t mem_count;

static bool mem_must_fail(void) {
    atomic_fetch_add_explicit(&mem_count, 1, memory_order_relaxed);
    if (LIKELY(atomic_load_explicit(&mem_countdown, memory_order_relaxed) == 0))
        return false;
    return atomic_fetch_sub_explicit(&mem_countdown, 1, memory_order_relaxed) == 1;
}

uint64_t mem_fail_after(uint64_t k) {
    atomic_store_explicit(&mem_countdown, k, memory_order_relaxed);
    return atomic_exchange_explicit(&mem_count, 0, memory_order_relaxed);
}

void *mem_alloc(size_t size) { return mem_must_fail() ? NULL : malloc(size ? size : 1); }

void *mem_zalloc(size_t count, size_t size) {
    return mem_must_fail() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *mem_resize(void *block, size_t size) {
    return mem_must_fail() ? NULL : realloc(block, size ? size : 1);
}

void mem_free(void *block) { free(block); }

int slice_compare(struct slice a, struct slice b) {
    size_t common = size_min(a.size, b.size);
    int order = common ? memcmp(a.data, b.data, common) : 0;
    return order ? order : a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

void buf_fini(struct buf *b) {
    mem_free(b->data);
    *b = (struct buf){.max = b->max};
}

uint8_t *buf_reserve(struct buf *b, size_t extra) {
    if (b->status)
        return NULL;
    size_t need;
    if (!checked_add(b->size, extra, &need) || need > b->max) {
        b->status = MNEME_TOO_LARGE;
        return NULL;
    }
    if (need > b->capacity || !b->data) {
        size_t doubled = b->capacity < SIZE_MAX / 2 ? b->capacity * 2 : SIZE_MAX;
        size_t capacity = size_min(size_max(size_max(need, doubled), 64), b->max);
        uint8_t *data = mem_resize(b->data, capacity);
        if (!data) {
            b->status = MNEME_NO_MEMORY;
            return NULL;
        }
        b->data = data;
        b->capacity = capacity;
    }
    return b->data + b->size;
}

void buf_append(struct buf *b, const void *data, size_t size) {
    if (size == 0)
        return;
    uint8_t *to = buf_reserve(b, size);
    if (to) {
        memcpy(to, data, size);
        b->size += size;
    }
}

void buf_printf(struct buf *b, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    uint8_t *to = n < 0 ? NULL : buf_reserve(b, (size_t)n + 1);
    if (to) {
        va_start(args, format);
        vsnprintf((char *)to, (size_t)n + 1, format, args);
        va_end(args);
        b->size += (size_t)n;
    }
}

/* ---- Arenas ------------------------------------------------------------------------------ */

enum { ARENA_ALIGN = 16, ARENA_FIRST = 1024, ARENA_MAX_BLOCK = 1 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* of data */
    size_t used;
    size_t pad; /* keeps data aligned to ARENA_ALIGN */
    uint8_t data[];
};

_Static_assert(offsetof(struct arena_block, data) % ARENA_ALIGN == 0, "arena data is aligned");

static struct arena_block *arena_grow(struct arena *a, size_t size) {
    size_t later = a->later_size        ? a->later_size
                   : a->current == NULL ? 0
                                        : size_min(a->current->size * 2, ARENA_MAX_BLOCK);
    size_t first = a->first_size ? a->first_size : ARENA_FIRST;
    size_t room = size_max(a->current ? later : first, size);
    if (room > SIZE_MAX - sizeof(struct arena_block))
        return NULL;
    struct arena_block *block = mem_alloc(sizeof *block + room);
    if (!block)
        return NULL;
    *block = (struct arena_block){.size = room};
    if (a->current)
        a->current->next = block;
    else
        a->first = block;
    a->current = block;
    return block;
}

void *arena_alloc(struct arena *a, size_t size) {
    if (size > SIZE_MAX - ARENA_ALIGN)
        return NULL;
    size = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    struct arena_block *block = a->current;
    if (!block || block->size - block->used < size)
        block = arena_grow(a, size);
    if (!block)
        return NULL;
    void *at = block->data + block->used;
    block->used += size;
    return at;
}

void *arena_zalloc(struct arena *a, size_t count, size_t size) {
    size_t total;
    if (!checked_mul(count, size, &total))
        return NULL;
    void *at = arena_alloc(a, total);
    if (at)
        memset(at, 0, total);
    return at;
}

size_t arena_size(const struct arena *a) {
    enum { HEAP_HEADER = 16 }; /* what malloc adds to a block, about */
    size_t size = 0;
    for (const struct arena_block *block = a->first; block; block = block->next)
        size += HEAP_HEADER + sizeof *block + block->size;
    return size;
}

int arena_copy(struct arena *a, struct slice s, struct slice *out) {
    uint8_t *at = NULL;
    if (s.size) {
        at = arena_alloc(a, s.size);
        if (!at)
            return MNEME_NO_MEMORY;
        memcpy(at, s.data, s.size);
    }
    *out = slice_of(at, s.size);
    return 0;
}

static void arena_free_chain(struct arena_block *block) {
    while (block) {
        struct arena_block *next = block->next;
        mem_free(block);
        block = next;
    }
}

void arena_fini(struct arena *a) {
    arena_free_chain(a->first);
    a->first = NULL;
    a->current = NULL;
}

void *arena_take(struct arena *a) {
    void *object = a->first ? a->first->data : NULL;
    a->first = NULL;
    a->current = NULL;
    return object;
}

void arena_free_taken(void *first_allocation) {
    if (first_allocation)
        arena_free_chain((struct arena_block *)(void *)((uint8_t *)first_allocation -
                                                        offsetof(struct arena_block, data)));
}
