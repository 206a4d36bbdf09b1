/*
 * base.h - bytes, buffers, memory, errors and ids: what every layer stands on.
 *
 * What it is. Slices (borrowed bytes), buffers (growable, with a maximum told at birth), arenas
 * (many allocations, one free), checked arithmetic, the error setter, ids and times as text.
 * Ownership. A slice never owns. A buffer owns its bytes until buf_fini or buf_take. What an
 * arena hands out lives until arena_fini or, once taken, until arena_free_taken.
 * Threads. Nothing here is shared, but for the test hook mem_fail_after.
 * Errors. Allocation failure is MNEME_NO_MEMORY, a buffer over its maximum MNEME_TOO_LARGE.
 */
#ifndef MNEME_BASE_H
#define MNEME_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/compiler.h"
#include "mneme/error.h"
#include "mneme/types.h"

/* ---- Errors ------------------------------------------------------------------------------ */

/* Fill *error (may be NULL) with `code` and a formatted sentence; returns `code`. */
int error_set(mneme_error *error, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The same with the text of an errno value appended: "… : No space left on device". */
int error_set_errno(mneme_error *error, int errno_value, const char *format, ...) PRINTF_LIKE(3, 4);
/* Put "prefix: " before the text that *error has; returns `code` unchanged. */
int error_prefix(mneme_error *error, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* The mneme_status of an errno value: the one border for errno. */
int status_from_errno(int errno_value);

/* ---- Memory ------------------------------------------------------------------------------ */

/* Like malloc, calloc, realloc and free; NULL when there is no memory. Size 0 gives a block. */
MUST_USE void *mem_alloc(size_t size);
MUST_USE void *mem_zalloc(size_t count, size_t size);
MUST_USE void *mem_resize(void *block, size_t size);
void mem_free(void *block);

/* For tests: let the next k-1 allocations pass and the k-th fail (k = 0: none fails). Returns
 * how many allocations were made since the last call. */
uint64_t mem_fail_after(uint64_t k);

static inline void mem_free_cleanup(void *pointer_to_block) {
    void *block;
    memcpy(&block, pointer_to_block, sizeof block);
    mem_free(block);
}
#define AUTO_FREE CLEANUP(mem_free_cleanup)

/* ---- Checked arithmetic ------------------------------------------------------------------ */

/* False, and *out untouched, when the result does not fit. */
static inline bool checked_add(size_t a, size_t b, size_t *out) {
    return b <= SIZE_MAX - a && (*out = a + b, true);
}
static inline bool checked_mul(size_t a, size_t b, size_t *out) {
    return (b == 0 || a <= SIZE_MAX / b) && (*out = a * b, true);
}
static inline size_t size_min(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t size_max(size_t a, size_t b) { return a > b ? a : b; }

/* ---- Slices ------------------------------------------------------------------------------ */

struct slice {
    const uint8_t *data;
    size_t size;
};

static inline struct slice slice_of(const void *data, size_t size) {
    return (struct slice){(const uint8_t *)data, size};
}
static inline struct slice slice_of_text(mneme_text t) { return slice_of(t.data, t.size); }
static inline struct slice slice_of_string(const char *s) { return slice_of(s, strlen(s)); }
static inline bool slice_equal(struct slice a, struct slice b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}
/* Order as memcmp, a prefix before what it begins. */
int slice_compare(struct slice a, struct slice b);
static inline mneme_text text_of_slice(struct slice s) {
    return (mneme_text){(const char *)s.data, s.size};
}
static inline bool text_equal(mneme_text a, mneme_text b) {
    return slice_equal(slice_of_text(a), slice_of_text(b));
}
static inline bool text_is(mneme_text a, const char *s) {
    return slice_equal(slice_of_text(a), slice_of_string(s));
}
/* Whether the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool utf8_valid(struct slice s);

/* ---- Buffers ----------------------------------------------------------------------------- */

/*
 * A growable block of bytes. The first failure sticks: later appends do nothing, and `status`
 * tells at the end, so that writers need no check a call.
 */
struct buf {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t max; /* never grows over this */
    int status; /* 0, MNEME_NO_MEMORY or MNEME_TOO_LARGE */
};

#define BUF_INIT(max_size) ((struct buf){.max = (max_size)})
void buf_fini(struct buf *b); /* tolerant of {0} and of a second call */
#define AUTO_BUF CLEANUP(buf_fini)

/* Make room for `extra` more bytes; NULL (and a sticky status) when that fails. The caller
 * writes there and adds to b->size. */
uint8_t *buf_reserve(struct buf *b, size_t extra);
void buf_append(struct buf *b, const void *data, size_t size);
static inline void buf_append_slice(struct buf *b, struct slice s) {
    buf_append(b, s.data, s.size);
}
static inline void buf_append_byte(struct buf *b, uint8_t byte) { buf_append(b, &byte, 1); }
static inline void buf_append_string(struct buf *b, const char *s) { buf_append(b, s, strlen(s)); }
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Empty it and clear the status; keeps the block. */
static inline void buf_reset(struct buf *b) {
    b->size = 0;
    b->status = 0;
}
static inline struct slice buf_slice(const struct buf *b) { return slice_of(b->data, b->size); }

/* ---- Arenas ------------------------------------------------------------------------------ */

/*
 * Memory that is given back as a whole. arena_take hands the chain of blocks over: the first
 * allocation made from a fresh arena lies at the front of the first block, so an object that is
 * allocated first can be freed later by arena_free_taken(object).
 */
struct arena_block;
struct arena {
    struct arena_block *first;
    struct arena_block *current;
    size_t first_size; /* bytes of the first block; 0: a default */
    size_t later_size; /* of the others, for an arena that is kept long; 0: twice the one before */
};

void arena_fini(struct arena *a);
#define AUTO_ARENA CLEANUP(arena_fini)
/* Aligned for any type; NULL when there is no memory. arena_zalloc checks count x size. */
MUST_USE void *arena_alloc(struct arena *a, size_t size);
MUST_USE void *arena_zalloc(struct arena *a, size_t count, size_t size);
/* What it takes from the heap, in bytes. */
size_t arena_size(const struct arena *a);
/* A copy of the bytes; *out is {NULL,0} for none. MNEME_NO_MEMORY. */
MUST_USE int arena_copy(struct arena *a, struct slice s, struct slice *out);
/* Empties `a` and returns its first allocation, which now owns the whole chain. */
void *arena_take(struct arena *a);
void arena_free_taken(void *first_allocation);

/* ---- Big-endian numbers ------------------------------------------------------------------ */

static inline void put_be64(uint8_t *p, uint64_t v) {
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}
static inline uint64_t get_be64(const uint8_t *p) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}
static inline void put_be32(uint8_t *p, uint32_t v) {
    for (int i = 3; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}
static inline uint32_t get_be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ---- Ids and versions -------------------------------------------------------------------- */

static inline bool id_is_zero(const mneme_id *id) {
    static const mneme_id zero;
    return memcmp(id, &zero, sizeof zero) == 0;
}
static inline bool id_equal(const mneme_id *a, const mneme_id *b) {
    return memcmp(a, b, sizeof *a) == 0;
}
/* The 48-bit millisecond time in the front of a UUIDv7; of other ids a number without meaning. */
static inline uint64_t id_millis(const mneme_id *id) { return get_be64(id->bytes) >> 16; }

/* -1, 0 or 1: clock first, then device. */
static inline int version_compare(mneme_version a, mneme_version b) {
    if (a.clock != b.clock)
        return a.clock < b.clock ? -1 : 1;
    return a.device == b.device ? 0 : a.device < b.device ? -1 : 1;
}
static inline bool version_is_zero(mneme_version v) { return v.clock == 0 && v.device == 0; }

#endif
