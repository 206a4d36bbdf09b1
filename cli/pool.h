/*
 * pool.h - memory that lives as long as one run of the command line.
 *
 * A command makes a few small strings and arrays and ends; freeing each of them by hand would
 * be most of its text. All are freed together by pool_free. When memory runs out the program
 * says so and exits with code 1: nothing it could do instead would be of use, and the store is
 * safe against an exit at any moment.
 */
#ifndef MNEME_CLI_POOL_H
#define MNEME_CLI_POOL_H

#include <stddef.h>

struct pool {
    struct pool_block *first;
};

/* `count` x `size` zeroed bytes, aligned for any type. Never NULL. */
void *pool_alloc(struct pool *pool, size_t count, size_t size);
/* A copy of `size` bytes with a NUL behind them. */
char *pool_copy(struct pool *pool, const char *bytes, size_t size);
char *pool_format(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pool_free(struct pool *pool);

#endif
