/*
 * histogram.h - which bucket a duration falls into.
 *
 * Log-linear, as in HdrHistogram: each octave [2^k, 2^(k+1)) is cut into 16 buckets of one width,
 * which is 1/16 of the octave's lower bound, so at most 1/16 of each value in it. Values under 16
 * have a bucket each. With the greatest value of a bucket standing for all in it, what is told is
 * never less than the true value, and more by less than a bucket's width: by less than 1/16,
 * 6.25 %. The 36th octave begins at 2^38 ns, 4.6 minutes, and all that took longer is in its first
 * bucket.
 */
#ifndef MNEME_METRICS_HISTOGRAM_H
#define MNEME_METRICS_HISTOGRAM_H

#include "base/base.h"

enum {
    OCTAVE_BUCKETS = 16,
    OCTAVES = 36,
    HISTOGRAM_BUCKETS = OCTAVES * OCTAVE_BUCKETS,
};
#define HISTOGRAM_MAX (UINT64_C(1) << 38)

/* The bucket of a duration: octave * OCTAVE_BUCKETS + place in it. */
static inline unsigned histogram_bucket(uint64_t ns) {
    if (ns < OCTAVE_BUCKETS)
        return (unsigned)ns;
    if (UNLIKELY(ns >= HISTOGRAM_MAX))
        return HISTOGRAM_BUCKETS - OCTAVE_BUCKETS;
    unsigned top = HIGHEST_BIT(ns); /* 4 to 37 */
    return (top - 3) * OCTAVE_BUCKETS + (unsigned)(ns >> (top - 4)) % OCTAVE_BUCKETS;
}

/* The greatest duration of a bucket. */
static inline uint64_t histogram_most(unsigned bucket) {
    unsigned octave = bucket / OCTAVE_BUCKETS, place = bucket % OCTAVE_BUCKETS;
    if (octave == 0)
        return place;
    return ((uint64_t)(OCTAVE_BUCKETS + place + 1) << (octave - 1)) - 1;
}

#endif
