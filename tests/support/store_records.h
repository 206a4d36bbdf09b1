/*
 * store_records.h - short ways to write records and mutations in tests, and to compare records.
 */
#ifndef MNEME_TESTS_STORE_RECORDS_H
#define MNEME_TESTS_STORE_RECORDS_H

#include "store/store.h"

/* Random numbers that a seed repeats (splitmix64: Steele, Lea, Flood 2014). */
struct test_random {
    uint64_t state;
};
uint64_t test_random_next(struct test_random *random);
/* A number from 0 to below - 1. */
unsigned test_random_below(struct test_random *random, unsigned below);
/* `size` bytes that `seed` repeats. */
void test_random_fill(uint64_t seed, uint8_t *out, size_t size);

/* Ids in the order of their numbers; 0 gives the empty id. */
mneme_id numbered_id(unsigned n);

struct attribute attribute_of(const char *name, const char *value);

/* A put of record n of a kind, made at n thousand microseconds, with nothing else. */
struct mutation put_of(mneme_kind kind, unsigned n);
/* The other mutations of record n. */
struct mutation delete_of(mneme_kind kind, unsigned n);
struct mutation purge_of(mneme_kind kind, unsigned n);
struct mutation check_of(mneme_kind kind, unsigned n, enum condition condition);

/* Apply mutations as one batch and return its status (or the call's). The batch may be NULL. */
int apply_mutations(struct store *store, struct mutation *mutations, size_t count,
                    struct batch *batch);
/* Apply one mutation. */
int apply_one(struct store *store, struct mutation *mutation);

/* The name of the first field in which two records differ, NULL when they are equal. */
const char *record_difference(const struct stored_record *a, const struct stored_record *b);

/* All that can be seen of a store: its records in order of change, and its counts. */
struct store_dump {
    struct record_set set;
    struct store_stats stats;
};
int store_dump_take(struct store *store, struct store_dump *dump, mneme_error *error);
void store_dump_fini(struct store_dump *dump);
/* Whether two stores look the same (their files, commits and groups apart). */
bool store_dump_equal(const struct store_dump *a, const struct store_dump *b);

#endif
