/*
 * apply_test.c - what a transaction of the LMDB store leaves on the disk.
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

static void fail_for(void *context, const char *text) {
    (void)context;
    fail_msg("%s", text);
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

/* Record n of hundreds that come in no order: of a few parents, with attributes that many share, at
 * times before 1970 too, and at the same ones. */
static struct mutation scattered(unsigned n) {
    static struct attribute attributes[2][2];
    attributes[n % 2][0] = attribute_of("domain", n % 2 ? "a" : "b");
    attributes[n % 2][1] = attribute_of("tag", "both");
    struct mutation put = put_of(n % 3 ? MNEME_STEP : MNEME_PATTERN, 1 + n * 7 % 400);
    put.record.time_us = (int64_t)(n * 11 % 200) * 1000003 - 100000000;
    put.record.attributes = attributes[n % 2];
    put.record.attribute_count = COUNT_OF(attributes[0]);
    if (n % 3) {
        put.record.parent = numbered_id(1000 + n % 5);
        put.record.place = 1 + n * 13 % 50;
    }
    return put;
}

/* Many index keys of a transaction are sorted in another way than few. */
static void apply__leaves_an_index_in_order_of_many_and_few(void **state) {
    enum { MANY = 300, FEW = 20 };
    struct store_home *home = *state;
    struct mutation puts[MANY];
    struct kv_check check = {.finding = fail_for, .context = NULL};
    for (unsigned i = 0; i < MANY; i++)
        puts[i] = scattered(i);
    must_apply(home->store, puts, MANY);
    for (unsigned i = 0; i < FEW; i++)
        puts[i] = put_of(MNEME_HEURISTIC, FEW - i);
    must_apply(home->store, puts, FEW);
    store_close(TAKE(home->store));
    assert_int_equal(kv_store_check(home->path, &check, NULL), 0);
    assert_int_equal(check.records, MANY + FEW);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(apply__commits_nothing_when_nothing_is_written, make_home,
                                        remove_home),
        cmocka_unit_test_setup_teardown(apply__leaves_an_index_in_order_of_many_and_few, make_home,
                                        remove_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
