/*
 * random_value.h - random members of records, with the values that break careless code among them.
 */
#ifndef TESTS_SUPPORT_RANDOM_VALUE_H
#define TESTS_SUPPORT_RANDOM_VALUE_H

#include "support/random_record.h"

/* Zeroed memory from the arena; aborts when there is none. */
void *must_alloc(struct arena *arena, size_t count, size_t size);

uint64_t random_uint(struct rng *rng);
int64_t random_int(struct rng *rng);
double random_double(struct rng *rng);   /* finite; -0.0 and subnormals too */
double random_fraction(struct rng *rng); /* 0 to 1 */
int64_t random_time(struct rng *rng);    /* never 0; from the year 0001 to 9999 */
mneme_id random_id(struct rng *rng);     /* never zero */
size_t random_count(struct rng *rng);    /* items of a list: mostly few, at times hundreds */

mneme_text random_json(struct rng *rng, struct arena *arena);   /* JSON, or nearly, or not */
mneme_text random_object(struct rng *rng, struct arena *arena); /* a JSON object, or empty */
/* 1 to 1,024 bytes; differs from the name for every other index. */
mneme_text random_name(struct rng *rng, struct arena *arena, size_t index);
mneme_text_list random_texts(struct rng *rng, struct arena *arena);
mneme_text_list random_tags(struct rng *rng, struct arena *arena);
mneme_pair_list random_pairs(struct rng *rng, struct arena *arena);
mneme_context random_context(struct rng *rng, struct arena *arena);

#endif
