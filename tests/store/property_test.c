/*
 * property_test.c - every store is as mem over random operations, with reopening and crashes.
 *
 * The first seed is printed; MNEME_SEED sets it, and MNEME_PROPERTY_RUNS how many seeds are tried
 * on each store. With arguments, only the stores named.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "os/os.h"
#include "support/store_broken.h"
#include "support/store_property.h"

enum {
    RUNS = 150,
    SLOW = 5,
    KILL_RUNS = 40,
    BROKEN_RUNS = 50,
    BROKEN_OPS_MAX = 4,
    MAKERS_MAX = 16
};

static uint64_t first_seed;
static unsigned runs;

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    char *end;
    uint64_t number = text ? strtoull(text, &end, 0) : 0;
    return text && *text && !*end ? number : otherwise;
}

static void fail_with(const struct store_maker *maker, const struct property_failure *failure) {
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    property_print(maker, failure, &text);
    print_error("%s", text.data ? (const char *)text.data : failure->text);
    fail_msg("%s is not as mem", maker->name);
}

static void store_is_as_mem_over_random_operations(void **state) {
    const struct store_maker *maker = *state;
    AUTO_FREE struct property_failure *failure = mem_alloc(sizeof *failure);
    assert_non_null(failure);
    for (unsigned i = 0; i < (maker->slow ? runs / SLOW : runs); i++) {
        if (property_differs(maker, first_seed + i, failure)) {
            property_shrink(maker, failure);
            fail_with(maker, failure);
        }
    }
}

static void store_is_as_mem_after_a_kill(void **state) {
    const struct store_maker *maker = *state;
    AUTO_FREE struct property_failure *failure = mem_alloc(sizeof *failure);
    assert_non_null(failure);
    unsigned kills = (unsigned)size_min(runs, maker->slow ? KILL_RUNS / SLOW : KILL_RUNS);
    for (unsigned i = 0; i < kills; i++)
        if (property_killed_differs(maker, first_seed + i, failure))
            fail_msg("%s with seed %" PRIu64 ": %s", maker->name, failure->seed, failure->text);
}

/* The test of the test: a store with a fault is found out, and the script shrinks to a few
 * operations that show the fault. */
static void fault_is_found_and_shrunk(void **state) {
    const struct store_maker *maker = *state;
    AUTO_FREE struct property_failure *failure = mem_alloc(sizeof *failure);
    assert_non_null(failure);
    unsigned tried = 0;
    while (!property_differs(maker, first_seed + tried, failure))
        assert_true(++tried < BROKEN_RUNS);
    property_shrink(maker, failure);
    AUTO_BUF struct buf text = BUF_INIT(1 << 20);
    property_print(maker, failure, &text);
    assert_non_null(text.data);
    if (failure->script.count > BROKEN_OPS_MAX)
        fail_msg("shrunk to more than %d operations: %s", BROKEN_OPS_MAX, (const char *)text.data);
    assert_non_null(strstr((const char *)text.data, "MNEME_SEED="));
}

static void decorator_without_a_fault_is_as_mem(void **state) {
    (void)state;
    AUTO_FREE struct property_failure *failure = mem_alloc(sizeof *failure);
    assert_non_null(failure);
    for (unsigned i = 0; i < BROKEN_RUNS; i++)
        assert_false(property_differs(&store_broken_makers[FAULT_NONE], first_seed + i, failure));
}

static int run_store(const struct store_maker *maker) {
    /* cmocka wants the state writable; it is only read. */
    void *state = (void *)(uintptr_t)maker;
    const struct CMUnitTest tests[] = {
        {"store__is_as_mem_over_random_operations", store_is_as_mem_over_random_operations, NULL,
         NULL, state},
        {"store__is_as_mem_after_a_kill", store_is_as_mem_after_a_kill, NULL, NULL, state},
    };
    return _cmocka_run_group_tests(maker->name, tests, maker->persistent ? 2 : 1, NULL, NULL);
}

static int run_faults(void) {
    struct CMUnitTest tests[FAULT_COUNT] = {{"property__decorator_without_a_fault_is_as_mem",
                                             decorator_without_a_fault_is_as_mem, NULL, NULL,
                                             NULL}};
    for (int fault = 1; fault < FAULT_COUNT; fault++)
        tests[fault] =
            (struct CMUnitTest){store_broken_makers[fault].name, fault_is_found_and_shrunk, NULL,
                                NULL, (void *)(uintptr_t)&store_broken_makers[fault]};
    return _cmocka_run_group_tests("property", tests, FAULT_COUNT, NULL, NULL);
}

int main(int argc, char **argv) {
    first_seed = number_from_environment("MNEME_SEED", (uint64_t)clock_wall_us());
    runs = (unsigned)number_from_environment("MNEME_PROPERTY_RUNS", RUNS);
    print_message("MNEME_SEED=%" PRIu64 " MNEME_PROPERTY_RUNS=%u\n", first_seed, runs);
    int failed = argc > 1 ? 0 : run_faults();
    for (size_t i = 0; i < store_maker_count; i++)
        if (store_maker_wanted(&store_makers[i], argc, argv))
            failed += run_store(&store_makers[i]);
    return failed != 0;
}
