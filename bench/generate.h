/*
 * generate.h - made-up episodes of a programming agent, for where no real ones are at hand.
 *
 * Model. Episode i of a seed is always the same, and is made from the two numbers alone, so that a
 * million of them need no memory. Ids and times rise with i.
 */
#ifndef MNEME_BENCH_GENERATE_H
#define MNEME_BENCH_GENERATE_H

#include "bench/options.h"

enum generated_size {
    GENERATED_SMALL, /* one or two steps, a few hundred bytes of JSON */
    GENERATED_USUAL  /* 4 to 15 steps and a dialogue: several KiB of JSON */
};

/* Make episode `index`, completed, in the arena. MNEME_NO_MEMORY. */
int generate_episode(uint64_t seed, uint64_t index, enum generated_size size, struct arena *arena,
                     mneme_record *out, mneme_error *error);

/* The id that it has. */
mneme_id generated_id(uint64_t seed, uint64_t index);

/* A well-mixed number from two (splitmix64: Steele, Lea and Flood 2014). */
uint64_t mix(uint64_t a, uint64_t b);

#endif
