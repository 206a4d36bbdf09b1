/*
 * histogram_test.c - buckets, and what is told of them against the true percentiles.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "metrics/picture_impl.h"

enum { SAMPLES = 20000 };

static uint64_t random_next(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static double unit(uint64_t *state) {
    return (double)(random_next(state) >> 11) / 9007199254740992;
}

static uint64_t draw_even(uint64_t *state) { return random_next(state) % 5000000; }
static uint64_t draw_small(uint64_t *state) { return random_next(state) % 40; }
static uint64_t draw_exponential(uint64_t *state) {
    return (uint64_t)(-log(1 - unit(state)) * 20000);
}
static uint64_t draw_pareto(uint64_t *state) {
    double value = 1000 / pow(1 - unit(state), 1.5);
    return value < 2e11 ? (uint64_t)value : (uint64_t)2e11;
}
/* Two humps far apart: the median may lie in either. */
static uint64_t draw_two(uint64_t *state) {
    return random_next(state) % 2 ? 20 + random_next(state) % 10
                                  : 4000000 + random_next(state) % 900000;
}

static uint64_t (*const draws[])(uint64_t *) = {draw_even, draw_small, draw_exponential,
                                                draw_pareto, draw_two};

static int by_value(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void add(struct window_tally *window, uint64_t ns) {
    window->buckets[histogram_bucket(ns)]++;
    window->sum_ns += ns;
    window->max_ns = ns > window->max_ns ? ns : window->max_ns;
}

/* Never below the true one; above it by at most 1/16. */
static void assert_near(uint64_t told, uint64_t truth) {
    assert_true(told >= truth);
    assert_true((double)told <= (double)truth * (1 + 1.0 / 16));
}

static uint64_t ranked(const uint64_t *sorted, size_t count, double q) {
    size_t rank = (size_t)ceil(q * (double)count - 1e-9);
    return sorted[rank ? rank - 1 : 0];
}

/* ---- Cases ----------------------------------------------------------------------------------- */

static void bucket__holds_what_lies_between_its_bounds(void **state) {
    (void)state;
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS - OCTAVE_BUCKETS; i++) {
        uint64_t most = histogram_most(i), least = histogram_most(i - 1) + 1;
        assert_int_equal(histogram_bucket(most), i);
        assert_int_equal(histogram_bucket(least), i);
        assert_true((double)(most - least) <= (double)least / 16);
    }
}

static void bucket__takes_any_duration(void **state) {
    (void)state;
    assert_int_equal(histogram_bucket(0), 0);
    assert_int_equal(histogram_bucket(HISTOGRAM_MAX - 1), HISTOGRAM_BUCKETS - OCTAVE_BUCKETS - 1);
    assert_int_equal(histogram_bucket(HISTOGRAM_MAX), HISTOGRAM_BUCKETS - OCTAVE_BUCKETS);
    assert_int_equal(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - OCTAVE_BUCKETS);
}

static void latency__is_within_its_bound_of_the_truth(void **state) {
    (void)state;
    uint64_t *samples = malloc(SAMPLES * sizeof *samples);
    struct window_tally *window = malloc(sizeof *window);
    assert_true(samples && window);
    for (size_t d = 0; d < COUNT_OF(draws); d++) {
        for (size_t count = 1; count <= SAMPLES; count = count * 7 + 3) {
            uint64_t seed = 0x9e3779b97f4a7c15 + d * 77 + count;
            *window = (struct window_tally){.sum_ns = 0};
            for (size_t i = 0; i < count; i++)
                add(window, samples[i] = draws[d](&seed));
            qsort(samples, count, sizeof *samples, by_value);
            mneme_latency told = tally_latency(window);
            assert_int_equal(told.count, count);
            assert_near(told.p50_ns, ranked(samples, count, 0.5));
            assert_near(told.p95_ns, ranked(samples, count, 0.95));
            assert_near(told.p99_ns, ranked(samples, count, 0.99));
            assert_near(told.p999_ns, ranked(samples, count, 0.999));
            assert_int_equal(told.max_ns, samples[count - 1]);
        }
    }
    free(window);
    free(samples);
}

static void tally__joined_is_as_all_in_one(void **state) {
    (void)state;
    struct tally *parts = calloc(3, sizeof *parts), *all = calloc(1, sizeof *all);
    uint64_t seed = 12345;
    assert_true(parts && all);
    all->any = true;
    for (size_t i = 0; i < 3000; i++) {
        uint64_t ns = draw_pareto(&seed);
        parts[i % 2].any = true;
        add(&parts[i % 2].windows[MNEME_WINDOW_HOUR], ns);
        add(&all->windows[MNEME_WINDOW_HOUR], ns);
    }
    for (size_t i = 0; i < 2; i++)
        tally_join(&parts[2], &parts[i]);
    assert_memory_equal(&parts[2], all, sizeof *all);
    free(all);
    free(parts);
}

static void latency__of_nothing_is_nothing(void **state) {
    (void)state;
    static struct window_tally window;
    mneme_latency told = tally_latency(&window), zero = {0};
    assert_memory_equal(&told, &zero, sizeof zero);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(bucket__holds_what_lies_between_its_bounds),
        cmocka_unit_test(bucket__takes_any_duration),
        cmocka_unit_test(latency__is_within_its_bound_of_the_truth),
        cmocka_unit_test(tally__joined_is_as_all_in_one),
        cmocka_unit_test(latency__of_nothing_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
