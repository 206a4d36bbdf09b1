/*
 * policy_load_test.c - a policy under load: the invariants over random operations, what it is
 * worth on a few patterns, and readers that race.
 */
#include <math.h>
#include <pthread.h>

#include "policy_fixture.h"

/* ---- Invariants -------------------------------------------------------------------------- */

static size_t random_size(uint64_t *seed, size_t largest) {
    *seed = mixed(*seed);
    double exponent = (double)(*seed >> 11) * 0x1p-53;
    return (size_t)pow((double)largest, exponent);
}

static void cache_policy__keeps_its_invariants_over_random_operations(void **state) {
    (void)state;
    static const struct policy_options budgets[] = {{SIZE_MAX, 300}, {20000, SIZE_MAX}, {4000, 90},
                                                    {SIZE_MAX, 1},   {0, 10},           {10, 0}};
    for (size_t b = 0; b < COUNT_OF(budgets); b++) {
        FIXTURE(f);
        fixture_init(&f, budgets[b].bytes, budgets[b].entries);
        uint64_t seed = b;
        for (size_t step = 0; step < 20000; step++) {
            size_t key = random_size(&seed, 2000);
            struct policy_node *node = &f.nodes[key];
            if (node->place != POLICY_OUT && mixed(seed) % 8 == 0)
                policy_remove(f.policy, node);
            if (node->place == POLICY_OUT)
                node->size = random_size(&seed, 5000);
            request(&f, key);
            assert_fits(&f);
            if (step % 500 == 0)
                check(&f);
        }
        check(&f);
        for (size_t k = 0; k < KEYS; k++)
            if (f.nodes[k].place != POLICY_OUT)
                policy_remove(f.policy, &f.nodes[k]);
        check(&f);
        assert_null(policy_victim(f.policy));
    }
}

/* ---- What it is worth -------------------------------------------------------------------- */

/* Key k is asked for with a probability proportional to 1 / (k + 1)^1.1. */
static void cache_policy__comes_near_the_best_fixed_set_of_keys(void **state) {
    (void)state;
    enum { FITS = 1000, REQUESTS = 400000 };
    FIXTURE(f);
    fixture_init(&f, SIZE_MAX, FITS);
    AUTO_FREE double *sums = mem_alloc(KEYS * sizeof *sums);
    double sum = 0;
    for (size_t k = 0; k < KEYS; k++)
        sums[k] = sum += pow((double)(k + 1), -1.1);
    size_t hits = 0;
    for (size_t i = 0; i < REQUESTS; i++) {
        double at = (double)(mixed(i) >> 11) * 0x1p-53 * sum;
        size_t low = 0, high = KEYS - 1;
        while (low < high) {
            size_t middle = (low + high) / 2;
            *(sums[middle] < at ? &low : &high) = middle + (sums[middle] < at);
        }
        bool hit = request(&f, low);
        hits += hit && i >= REQUESTS / 5;
    }
    check(&f);
    assert_true((double)hits / (REQUESTS * 4 / 5) > 0.97 * sums[FITS - 1] / sum);
}

static void cache_policy__keeps_what_is_popular_through_a_scan(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, SIZE_MAX, 1000);
    for (int round = 0; round < 4; round++)
        request_range(&f, 0, 600);
    request_range(&f, 1000, 15000);
    assert_true(request_range(&f, 0, 600) >= 590);
}

static void cache_policy__gives_new_favourites_the_place_of_old_ones(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, SIZE_MAX, 1000);
    for (int round = 0; round < 50; round++)
        request_range(&f, 0, 1000);
    size_t hits = 0;
    for (int round = 0; round < 50; round++)
        hits = request_range(&f, 2000, 2900);
    assert_true(hits >= 890);
}

/* ---- Readers ----------------------------------------------------------------------------- */

static void cache_policy_touch__counts_up_to_its_maximum(void **state) {
    (void)state;
    struct policy_node node = {0};
    for (unsigned i = 1; i <= 10; i++) {
        policy_touch(&node);
        assert_int_equal(atomic_load(&node.hits), i < POLICY_HITS_MAX ? i : POLICY_HITS_MAX);
    }
}

static void *touch_all(void *context) {
    const struct fixture *f = context;
    for (int round = 0; round < 200; round++)
        for (size_t k = 0; k < 500; k++)
            policy_touch(&f->nodes[k]);
    return NULL;
}

static void cache_policy_touch__may_race_with_every_call(void **state) {
    (void)state;
    FIXTURE(f);
    fixture_init(&f, SIZE_MAX, 100);
    pthread_t readers[2];
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        assert_int_equal(pthread_create(&readers[i], NULL, touch_all, &f), 0);
    for (size_t step = 0; step < 50000; step++) {
        size_t key = mixed(step) % 500;
        if (f.nodes[key].place != POLICY_OUT && step % 5 == 0)
            policy_remove(f.policy, &f.nodes[key]);
        request(&f, key);
    }
    for (size_t i = 0; i < COUNT_OF(readers); i++)
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    assert_fits(&f);
    check(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_policy__keeps_its_invariants_over_random_operations),
        cmocka_unit_test(cache_policy__comes_near_the_best_fixed_set_of_keys),
        cmocka_unit_test(cache_policy__keeps_what_is_popular_through_a_scan),
        cmocka_unit_test(cache_policy__gives_new_favourites_the_place_of_old_ones),
        cmocka_unit_test(cache_policy_touch__counts_up_to_its_maximum),
        cmocka_unit_test(cache_policy_touch__may_race_with_every_call),
    };
    return cmocka_run_group_tests_name("cache/policy_load", tests, NULL, NULL);
}
