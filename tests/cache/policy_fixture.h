/*
 * policy_fixture.h - a policy with a node for every key, requests as the cache makes them, and the
 * check of the invariants.
 */
#ifndef TESTS_CACHE_POLICY_FIXTURE_H
#define TESTS_CACHE_POLICY_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cache/policy_impl.h"

/* ---- Fixture ----------------------------------------------------------------------------- */

enum { KEYS = 20000 };

/* Key k is node k. */
struct fixture {
    struct policy *policy;
    struct policy_node *nodes;
    size_t evicted;
};

static inline uint64_t mixed(uint64_t x) {
    x = (x + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static inline void fixture_init(struct fixture *f, size_t bytes, size_t entries) {
    const struct policy_options options = {.bytes = bytes, .entries = entries};
    *f = (struct fixture){policy_create(&options), mem_zalloc(KEYS, sizeof *f->nodes), 0};
    assert_non_null(f->policy);
    assert_non_null(f->nodes);
    for (size_t k = 0; k < KEYS; k++)
        f->nodes[k].hash = mixed(k), f->nodes[k].size = 1;
}

static inline void fixture_fini(struct fixture *f) {
    policy_destroy(f->policy);
    mem_free(f->nodes);
}
#define FIXTURE(name) CLEANUP(fixture_fini) struct fixture name

/* ---- Invariants -------------------------------------------------------------------------- */

static inline void check_chain(const struct policy *p, int place, struct policy_load *sum) {
    const struct policy_node *newer = NULL;
    for (const struct policy_node *n = p->chains[place].newest; n; newer = n, n = n->next) {
        assert_int_equal(n->place, place);
        assert_ptr_equal(n->previous, newer);
        sum->bytes += n->size;
        sum->entries++;
        if (place < POLICY_MAIN)
            continue;
        assert_true(n->rank - p->floor <= POLICY_DENSITY_MAX);
        if (newer)
            assert_true(n->rank - p->floor <= newer->rank - p->floor);
    }
    assert_ptr_equal(p->chains[place].oldest, newer);
}

/* The numbered invariants of policy_impl.h. */
static inline void check(const struct fixture *f) {
    const struct policy *p = f->policy;
    struct policy_load sums[POLICY_MAIN + 1] = {{0, 0}};
    size_t in = 0, sum = 0;
    for (int place = POLICY_FRESH; place < POLICY_PLACES; place++)
        check_chain(p, place, &sums[place < POLICY_MAIN ? place : POLICY_MAIN]);
    assert_memory_equal(sums, p->loads, sizeof sums);
    for (int class = 0; class < POLICY_CLASSES; class ++) {
        const struct policy_node *oldest = p->chains[POLICY_MAIN + class].oldest;
        assert_int_equal(p->occupied >> class & 1, oldest != NULL);
        if (oldest)
            assert_int_equal(p->oldest_ranks[class], oldest->rank);
    }
    for (size_t k = 0; k < KEYS; k++)
        in += f->nodes[k].place != POLICY_OUT;
    for (int place = POLICY_FRESH; place <= POLICY_MAIN; place++)
        sum += sums[place].entries;
    assert_int_equal(in, sum);
    assert_int_equal(p->chains[POLICY_OUT].newest != NULL, false);
}

static inline void assert_fits(const struct fixture *f) {
    size_t bytes = 0, entries = 0;
    for (int place = POLICY_FRESH; place <= POLICY_MAIN; place++) {
        bytes += f->policy->loads[place].bytes;
        entries += f->policy->loads[place].entries;
    }
    assert_true(bytes <= f->policy->options.bytes);
    assert_true(entries <= f->policy->options.entries);
}

/* ---- Requests ---------------------------------------------------------------------------- */

/* What the cache does on a request; true: it was a hit. */
static inline bool request(struct fixture *f, size_t key) {
    struct policy_node *node = &f->nodes[key], *victim;
    if (node->place != POLICY_OUT) {
        policy_touch(node);
        return true;
    }
    policy_add(f->policy, node);
    while ((victim = policy_victim(f->policy))) {
        assert_int_equal(victim->place, POLICY_OUT);
        f->evicted++;
    }
    return false;
}

static inline size_t request_range(struct fixture *f, size_t from, size_t to) {
    size_t hits = 0;
    for (size_t k = from; k < to; k++)
        hits += request(f, k);
    return hits;
}

static inline bool is_main(const struct fixture *f, size_t key) {
    return f->nodes[key].place >= POLICY_MAIN;
}

/* A full policy for 100 nodes: 0 .. 89 in the main part, the rest in the small part, of which
 * 95 .. 99 are fresh. Nobody had a hit. */
static inline void fill_100(struct fixture *f) {
    fixture_init(f, SIZE_MAX, 100);
    request_range(f, 0, 100);
    check(f);
    assert_int_equal(f->evicted, 0);
    assert_int_equal(f->policy->loads[POLICY_MAIN].entries, 90);
    assert_int_equal(f->nodes[90].place, POLICY_TRIAL);
    assert_int_equal(f->nodes[94].place, POLICY_TRIAL);
    assert_int_equal(f->nodes[94].stamp, 95);
    assert_int_equal(f->nodes[95].place, POLICY_FRESH);
}

/* Make the main part give up one node: another gets in by a hit on trial. */
static inline void press_main(struct fixture *f, size_t round) {
    request(f, 90 + round);
    request(f, 5000 + round);
    assert_true(is_main(f, 90 + round));
}

#endif
