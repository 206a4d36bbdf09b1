/*
 * policy_ghost_test.c - what a policy remembers of evicted keys, and what it does when they
 * come back.
 */
#include "policy_fixture.h"

/* ---- Ghosts ------------------------------------------------------------------------------ */

static void cache_policy__admits_at_once_what_returns_soon(void **state) {
    (void)state;
    FIXTURE(f);
    fill_100(&f);
    request_range(&f, 1000, 1010);
    assert_int_equal(f.nodes[90].place, POLICY_OUT);
    double share = f.policy->share;
    request(&f, 90);
    assert_true(is_main(&f, 90));
    assert_int_equal(f.nodes[90].frequency, 2 * POLICY_ACCESS);
    assert_int_equal(f.nodes[0].place,
                     POLICY_OUT); /* who had waited since before 90 was asked for */
    assert_true(f.policy->share > share);
    check(&f);
}

static void cache_policy__tries_again_what_returns_late(void **state) {
    (void)state;
    FIXTURE(f);
    fill_100(&f);
    request_range(&f, 1000, 1010);
    assert_int_equal(f.policy->loads[POLICY_MAIN].entries, 90);
    request_range(&f, 0, 90);
    request(&f, 1010); /* all of the main part is ranked anew, and has not waited since */
    double share = f.policy->share;
    request(&f, 90);
    assert_int_equal(f.nodes[90].place, POLICY_FRESH);
    assert_int_equal(f.nodes[90].frequency, 2 * POLICY_ACCESS);
    assert_true(f.policy->share < share);
    assert_int_equal(f.policy->loads[POLICY_MAIN].entries, 91); /* the border moves with it */
    check(&f);
}

static void cache_policy__ages_what_ghosts_remember(void **state) {
    (void)state;
    FIXTURE(f);
    fill_100(&f);
    f.nodes[90].frequency = 16;
    request(&f, 1000);
    assert_int_equal(f.nodes[90].place, POLICY_OUT);
    f.policy->epoch += 2;
    request(&f, 90);
    assert_int_equal(f.nodes[90].frequency, 4 + POLICY_ACCESS);
    f.nodes[91].frequency = 16;
    request(&f, 1001);
    assert_int_equal(f.nodes[91].place, POLICY_OUT);
    f.policy->epoch += 256; /* as many as a node can count */
    request(&f, 91);
    assert_int_equal(f.nodes[91].frequency, POLICY_ACCESS);
}

static void cache_policy__shrinks_the_small_part_when_the_main_part_evicts_too_soon(void **state) {
    (void)state;
    FIXTURE(f);
    fill_100(&f);
    press_main(&f, 0);
    assert_int_equal(f.nodes[0].place, POLICY_OUT);
    double share = f.policy->share;
    request(&f, 0);
    assert_true(f.policy->share < share);
}

static void cache_policy__keeps_the_share_within_its_bounds(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, SIZE_MAX, 100);
    double least = 1, most = 0;
    for (size_t step = 0; step < 200000; step++) {
        /* By turns a loop, and keys asked for twice: again after 35 others came. */
        size_t twice = 200 + (step / 2 + (step % 2 ? 0 : 35)) % 19000;
        size_t key = step % 40000 < 20000 ? step % 120 : twice;
        request(&f, key);
        least = f.policy->share < least ? f.policy->share : least;
        most = f.policy->share > most ? f.policy->share : most;
    }
    assert_true(least >= 0.02 && least < 0.03);
    assert_true(most <= 0.5 && most > 0.4);
    check(&f);
}

static void cache_policy__remembers_what_was_removed(void **state) {
    (void)state;
    FIXTURE(f);
    fill_100(&f);
    request(&f, 1000);                        /* the first eviction: from now on there are ghosts */
    static const size_t keys[] = {0, 91, 96}; /* main, trial, fresh */
    double share = f.policy->share;
    for (size_t i = 0; i < COUNT_OF(keys); i++) {
        struct policy_node *node = &f.nodes[keys[i]];
        policy_touch(node);
        policy_touch(node);
        policy_remove(f.policy, node);
        assert_int_equal(node->place, POLICY_OUT);
        check(&f);
        request(&f, keys[i]);
        assert_int_equal(node->frequency, 4 * POLICY_ACCESS);
    }
    assert_true(is_main(&f, 91)); /* its key was used lately */
    assert_true(f.policy->share == share);
    assert_int_equal(f.evicted, 1);
    check(&f);
}

static void cache_policy_ghost__forgets_the_oldest_of_a_bucket(void **state) {
    (void)state;
    struct ghost_table table = {0};
    ghost_put(&table, 1, (struct ghost){.stamp = 1}); /* without room: nothing happens */
    ghost_grow(&table, GHOST_WAYS);
    assert_int_equal(ghost_room(&table), GHOST_WAYS);
    for (uint32_t k = 0; k <= GHOST_WAYS; k++)
        ghost_put(&table, mixed(k), (struct ghost){.stamp = k});
    struct ghost ghost = {.stamp = 77};
    assert_false(ghost_take(&table, mixed(0), &ghost));
    assert_int_equal(ghost.stamp, 77);
    assert_true(ghost_take(&table, mixed(4), &ghost));
    assert_int_equal(ghost.stamp, 4);
    assert_false(ghost_take(&table, mixed(4), &ghost));
    ghost_put(&table, mixed(100), (struct ghost){.stamp = 100}); /* there is room for it again */
    for (uint32_t k = 1; k <= GHOST_WAYS; k++)
        assert_true(ghost_take(&table, mixed(k), &ghost) == (k != 4));
    assert_true(ghost_take(&table, mixed(100), &ghost));
    ghost_fini(&table);
}

static void cache_policy_ghost__keeps_the_order_of_a_bucket_when_it_grows(void **state) {
    (void)state;
    struct ghost_table table = {0};
    struct ghost ghost;
    ghost_grow(&table, GHOST_WAYS);
    uint32_t key = 0, found = 0;
    uint32_t keys[GHOST_WAYS + 2]; /* that share a bucket of two: the lower half of the prints */
    while (found < COUNT_OF(keys)) {
        uint64_t hash = mixed(key++);
        if ((uint32_t)((uint32_t)(hash ^ hash >> 32) * UINT32_C(0x9E3779B1)) < UINT32_C(1) << 31)
            keys[found++] = key - 1;
    }
    for (size_t i = 0; i < GHOST_WAYS; i++)
        ghost_put(&table, mixed(keys[i]), (struct ghost){0});
    ghost_grow(&table, (size_t)2 * GHOST_WAYS);
    for (size_t i = GHOST_WAYS; i < COUNT_OF(keys); i++)
        ghost_put(&table, mixed(keys[i]), (struct ghost){0});
    for (size_t i = 0; i < COUNT_OF(keys); i++)
        assert_true(ghost_take(&table, mixed(keys[i]), &ghost) == (i >= 2));
    ghost_fini(&table);
}

static void cache_policy_ghost__keeps_what_it_has_when_it_grows(void **state) {
    (void)state;
    struct ghost_table table = {0};
    struct ghost ghost = {0};
    ghost_grow(&table, 0);
    assert_int_equal(ghost_room(&table), 0);
    ghost_grow(&table, 1);
    for (uint32_t k = 0; k < GHOST_WAYS; k++)
        ghost_put(&table, mixed(k), (struct ghost){.stamp = k});
    mem_fail_after(1);
    ghost_grow(&table, 1000);
    mem_fail_after(0);
    assert_int_equal(ghost_room(&table), GHOST_WAYS);
    ghost_grow(&table, 1000);
    assert_int_equal(ghost_room(&table), 1000);
    ghost_grow(&table, 10); /* never smaller */
    assert_int_equal(ghost_room(&table), 1000);
    for (uint32_t k = 0; k < GHOST_WAYS; k++) {
        assert_true(ghost_take(&table, mixed(k), &ghost));
        assert_int_equal(ghost.stamp, k);
    }
    ghost_fini(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_policy__admits_at_once_what_returns_soon),
        cmocka_unit_test(cache_policy__tries_again_what_returns_late),
        cmocka_unit_test(cache_policy__ages_what_ghosts_remember),
        cmocka_unit_test(cache_policy__shrinks_the_small_part_when_the_main_part_evicts_too_soon),
        cmocka_unit_test(cache_policy__keeps_the_share_within_its_bounds),
        cmocka_unit_test(cache_policy__remembers_what_was_removed),
        cmocka_unit_test(cache_policy_ghost__forgets_the_oldest_of_a_bucket),
        cmocka_unit_test(cache_policy_ghost__keeps_the_order_of_a_bucket_when_it_grows),
        cmocka_unit_test(cache_policy_ghost__keeps_what_it_has_when_it_grows),
    };
    return cmocka_run_group_tests_name("cache/policy_ghost", tests, NULL, NULL);
}
