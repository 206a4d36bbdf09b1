/*
 * random_record.h - random but valid records of every kind, the same for the same seed, with the
 * texts, numbers and list sizes that break careless code; and an exact comparison.
 */
#ifndef TESTS_SUPPORT_RANDOM_RECORD_H
#define TESTS_SUPPORT_RANDOM_RECORD_H

#include "base/base.h"

/* splitmix64 (Steele, Lea, Flood 2014). Start with any seed. */
struct rng {
    uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t limit); /* 0 to limit - 1; limit > 0 */
bool rng_chance(struct rng *rng, unsigned percent);

/*
 * A record with nothing blank that the library would fill in (id, times, numbers of steps), so
 * that what is read back must equal it. Sealed and open episodes take turns at random. Lives in
 * the arena. Aborts when there is no memory.
 */
void random_record(struct rng *rng, struct arena *arena, mneme_kind kind, mneme_record *out);

/* A valid text of any kind: empty, plain, JSON, control characters, U+0000, several scripts. */
mneme_text random_text(struct rng *rng, struct arena *arena);

/* Every member of both, bit by bit (doubles too); written out by hand, so that it does not share
 * the library's own tables. Versions and flags count. */
bool records_equal(const mneme_record *a, const mneme_record *b);

#endif
