/*
 * store_cases.h - inside the conformance suite: its cases by subject, and what they share.
 */
#ifndef MNEME_TESTS_STORE_CASES_H
#define MNEME_TESTS_STORE_CASES_H

/* cmocka.h needs these three before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "support/store_maker.h"
#include "support/store_records.h"

/* A case gets an empty store in a home of its own. */
struct store_case {
    const char *name;
    void (*run)(struct store_home *home);
    bool persistent_only; /* makes sense only for a store that can be opened again */
};
#define CASE(function)                                                                             \
    { .name = #function, .run = function }
#define PERSISTENT_CASE(function)                                                                  \
    { .name = #function, .run = function, .persistent_only = true }

struct store_case_list {
    const struct store_case *cases;
    size_t count;
};
extern const struct store_case_list store_write_cases, store_batch_cases, store_limit_cases,
    store_read_cases, store_query_cases, store_life_cases, store_shared_cases, store_unshared_cases;

/* These fail the case unless the call succeeds. */
void must_apply(struct store *store, struct mutation *mutations, size_t count);
void must_apply_one(struct store *store, struct mutation mutation);
const struct stored_record *must_get(struct store *store, mneme_kind kind, unsigned n,
                                     struct record_set *set);

/* The number that numbered_id put into an id. */
unsigned number_of(const mneme_id *id);

/* The batch fails with this status, and the store looks as before. */
void assert_refused(struct store *store, struct mutation *mutations, size_t count, int status);
/* The store looks as in the dump. */
void assert_unchanged(struct store *store, const struct store_dump *before);

/*
 * The query lists exactly these records, newest first in this order and oldest first in the
 * reverse one, in pages of every size. Its order, limit and position are not read.
 */
void assert_listing(struct store *store, const struct store_query *query, const unsigned *numbers,
                    size_t count);
#define ASSERT_LISTING(store, query, ...)                                                          \
    assert_listing(store, query, (const unsigned[]){__VA_ARGS__},                                  \
                   COUNT_OF(((const unsigned[]){__VA_ARGS__})))

#endif
