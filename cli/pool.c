/*
 * pool.c - see pool.h.
 */
#include "pool.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
    struct pool_block *next;
    max_align_t data[];
};

static void exit_without_memory(void) {
    fputs("mneme: out of memory\n", stderr);
    exit(EXIT_FAILURE);
}

void *pool_alloc(struct pool *pool, size_t count, size_t size) {
    if (size != 0 && count > (SIZE_MAX - sizeof(struct pool_block)) / size)
        exit_without_memory();
    struct pool_block *block = calloc(1, sizeof *block + count * size);
    if (block == NULL) {
        exit_without_memory();
        return NULL;
    }
    block->next = pool->first;
    pool->first = block;
    return block->data;
}

char *pool_copy(struct pool *pool, const char *bytes, size_t size) {
    char *copy = pool_alloc(pool, size + 1, 1);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

char *pool_format(struct pool *pool, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    size_t room = size < 0 ? 1 : (size_t)size + 1;
    char *text = pool_alloc(pool, room, 1);
    vsnprintf(text, room, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

void pool_free(struct pool *pool) {
    while (pool->first != NULL) {
        struct pool_block *block = pool->first;
        pool->first = block->next;
        free(block);
    }
}
