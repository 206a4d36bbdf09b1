/*
 * store_conformance.c - runs the cases, and what they share.
 */
#include "support/store_conformance.h"

#include <stdio.h>

#include "support/store_cases.h"

enum { CASES_MAX = 128, NAME_MAX_SIZE = 128 };

struct case_run {
    const struct store_case *store_case;
    struct store_home home;
    char name[NAME_MAX_SIZE];
};

static int case_setup(void **state) {
    struct case_run *run = *state;
    mneme_error error = {0};
    int status = store_home_make(&run->home, run->home.maker, &error);
    if (status)
        print_error("cannot open: %s\n", error.message);
    return status;
}

static int case_teardown(void **state) {
    struct case_run *run = *state;
    mem_fail_after(0);
    store_home_remove(&run->home);
    return 0;
}

static void case_test(void **state) {
    struct case_run *run = *state;
    run->store_case->run(&run->home);
}

int store_conformance_run(const struct store_maker *maker) {
    const struct store_case_list *const lists[] = {&store_write_cases,
                                                   &store_batch_cases,
                                                   &store_limit_cases,
                                                   &store_read_cases,
                                                   &store_query_cases,
                                                   &store_life_cases,
                                                   maker->shares ? &store_shared_cases
                                                                 : &store_unshared_cases};
    static struct case_run runs[CASES_MAX];
    struct CMUnitTest tests[CASES_MAX];
    size_t count = 0;
    for (size_t list = 0; list < COUNT_OF(lists); list++) {
        for (size_t i = 0; i < lists[list]->count; i++) {
            const struct store_case *store_case = &lists[list]->cases[i];
            if (store_case->persistent_only && !maker->persistent)
                continue;
            if (count == CASES_MAX)
                return 1;
            struct case_run *run = &runs[count];
            *run = (struct case_run){.store_case = store_case, .home.maker = maker};
            snprintf(run->name, sizeof run->name, "%s %s", maker->name, store_case->name);
            tests[count++] =
                (struct CMUnitTest){run->name, case_test, case_setup, case_teardown, run};
        }
    }
    return _cmocka_run_group_tests(maker->name, tests, count, NULL, NULL);
}

/* ---- Shared by the cases ----------------------------------------------------------------- */

void must_apply(struct store *store, struct mutation *mutations, size_t count) {
    struct batch batch;
    if (apply_mutations(store, mutations, count, &batch))
        fail_msg("mutation %zu of %zu: %s", batch.failed, count, batch.error.message);
    assert_int_equal(batch.failed, count);
}

void must_apply_one(struct store *store, struct mutation mutation) {
    must_apply(store, &mutation, 1);
}

const struct stored_record *must_get(struct store *store, mneme_kind kind, unsigned n,
                                     struct record_set *set) {
    struct record_name name = {kind, numbered_id(n)};
    size_t found = SIZE_MAX;
    assert_int_equal(store_get(store, &name, 1, set, &found, NULL), 0);
    assert_true(found < set->count);
    return &set->records[found];
}

unsigned number_of(const mneme_id *id) { return get_be32(id->bytes + 12); }

void assert_unchanged(struct store *store, const struct store_dump *before) {
    CLEANUP(store_dump_fini) struct store_dump now;
    assert_int_equal(store_dump_take(store, &now, NULL), 0);
    assert_true(store_dump_equal(before, &now));
}

void assert_refused(struct store *store, struct mutation *mutations, size_t count, int status) {
    CLEANUP(store_dump_fini) struct store_dump before;
    assert_int_equal(store_dump_take(store, &before, NULL), 0);
    struct batch batch;
    assert_int_equal(apply_mutations(store, mutations, count, &batch), status);
    assert_int_equal(batch.error.code, status);
    assert_true(strlen(batch.error.message) > 10);
    assert_unchanged(store, &before);
}

/* Go through all pages of one size and compare what comes with the numbers expected. */
static void assert_pages(struct store *store, struct store_query query, const unsigned *numbers,
                         size_t count) {
    size_t seen = 0;
    bool more = true;
    while (more) {
        AUTO_RECORDS struct record_set set = {0};
        mneme_error error = {0};
        if (store_query(store, &query, &set, &more, &error))
            fail_msg("query: %s", error.message);
        assert_true(set.count <= query.limit);
        assert_true(set.count > 0 || !more);
        for (size_t i = 0; i < set.count; i++, seen++) {
            assert_true(seen < count);
            size_t at = query.order == ORDER_NEWEST_FIRST ? seen : count - 1 - seen;
            assert_int_equal(number_of(&set.records[i].id), numbers[at]);
        }
        assert_int_equal(more, seen < count);
        if (set.count)
            query.after = position_after(&query, &set.records[set.count - 1]);
    }
    assert_int_equal(seen, count);
}

void assert_listing(struct store *store, const struct store_query *query, const unsigned *numbers,
                    size_t count) {
    struct store_query page = *query;
    page.after = (struct position){0};
    for (page.limit = 1; page.limit <= count + 1; page.limit++) {
        page.order = ORDER_NEWEST_FIRST;
        assert_pages(store, page, numbers, count);
        page.order = ORDER_OLDEST_FIRST;
        assert_pages(store, page, numbers, count);
    }
}
