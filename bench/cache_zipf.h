/*
 * cache_zipf.h - requests as caches meet them: a few keys are popular, most are not.
 *
 * Model. Of `count` keys, key k (0, 1, …) is asked for with a probability in proportion to
 * 1 / (k + 1)^exponent (Zipf's law). Draws are made from a seed, and are the same in every run.
 */
#ifndef MNEME_BENCH_CACHE_ZIPF_H
#define MNEME_BENCH_CACHE_ZIPF_H

#include "base/base.h"

struct zipf {
    double *up_to; /* up_to[k]: the probability of the keys 0 … k together */
    size_t count;
    uint64_t seed, drawn;
};

/* MNEME_NO_MEMORY. */
int zipf_init(struct zipf *zipf, double exponent, size_t count, uint64_t seed, mneme_error *error);
void zipf_fini(struct zipf *zipf); /* tolerant of {0} */
#define AUTO_ZIPF CLEANUP(zipf_fini)

/* The next key. */
size_t zipf_draw(struct zipf *zipf);

/* A number from 0 to 1, less than 1, from a well-mixed one. */
static inline double fraction_of(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }

/* `draws` of them; draws[i] < count. Drawn before anything is measured. MNEME_NO_MEMORY. */
int zipf_sequence(double exponent, size_t count, size_t draws, struct arena *arena, uint32_t **out,
                  mneme_error *error);

#endif
