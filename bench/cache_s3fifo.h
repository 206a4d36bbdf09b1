/*
 * cache_s3fifo.h - what S3-FIFO would hit (Yang et al., "FIFO queues are all you need for cache
 * eviction", SOSP 2023), counting bytes where the paper counts objects.
 *
 * A new key enters the small queue, a tenth of the bytes, or the main queue when it left the small
 * one lately. What comes out of the small queue goes to the main one if it was asked for twice or
 * more in between, else only its name stays, in the ghost queue. What comes out of the main queue
 * goes round once more for each time, of up to three, that it was asked for.
 */
#ifndef MNEME_BENCH_CACHE_S3FIFO_H
#define MNEME_BENCH_CACHE_S3FIFO_H

#include "base/base.h"

/* Which queue a key is in; all queues are linked through arrays by number of key. */
enum s3_place { S3_OUT, S3_SMALL, S3_MAIN, S3_GHOST, S3_PLACES };

struct s3_queue {
    uint32_t first, last; /* S3_NONE when it is empty; the first leaves first */
    size_t bytes;
};

struct s3fifo {
    const uint32_t *sizes; /* of each key; the caller's */
    uint32_t *next, *previous;
    uint8_t *place, *asked;
    struct s3_queue queues[S3_PLACES];
    size_t capacity; /* bytes */
};
#define S3_NONE UINT32_MAX

/* `sizes` has `keys` elements. MNEME_NO_MEMORY. */
int s3fifo_init(struct s3fifo *s3, const uint32_t *sizes, size_t keys, size_t capacity,
                mneme_error *error);
void s3fifo_fini(struct s3fifo *s3); /* tolerant of {0} */

/* Ask for a key; true: it was there. */
bool s3fifo_ask(struct s3fifo *s3, uint32_t key);

#endif
