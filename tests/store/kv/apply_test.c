/*
 * apply_test.c - what a transaction of the LMDB store costs the disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/kv.h"
#include "support/store_cases.h"

static int make_home(void **state) {
    struct store_home *home = mem_zalloc(1, sizeof *home);
    *state = home;
    for (size_t i = 0; home && i < store_maker_count; i++)
        if (strcmp(store_makers[i].name, "kv") == 0)
            return store_home_make(home, &store_makers[i], NULL);
    return -1;
}

static int remove_home(void **state) {
    store_home_remove(*state);
    mem_free(*state);
    return 0;
}

static uint64_t commits_of(struct store *store) {
    struct store_stats stats;
    assert_int_equal(store_stats(store, &stats, NULL), 0);
    return stats.commits;
}

/* A transaction that changed no page would be synced to disk all the same. */
static void apply__commits_nothing_when_nothing_is_written(void **state) {
    struct store *store = ((struct store_home *)*state)->store;
    struct mutation check = check_of(MNEME_PATTERN, 1, CONDITION_LIVE);
    must_apply_one(store, put_of(MNEME_PATTERN, 1));
    uint64_t before = commits_of(store);
    must_apply_one(store, check);
    assert_int_equal(commits_of(store), before);
    struct mutation both[] = {check, put_of(MNEME_PATTERN, 2)};
    must_apply(store, both, COUNT_OF(both));
    assert_int_equal(commits_of(store), before + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(apply__commits_nothing_when_nothing_is_written, make_home,
                                        remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
