/*
 * merge_property_test.c - random histories of one record on several machines: in whatever order and
 * grouping its states are merged, the end is the same bytes.
 *
 * MNEME_MERGE_SEED and MNEME_MERGE_ROUNDS begin and count the histories.
 */
#include <stdlib.h>

#include "merge_fixture.h"

enum { ROUNDS = 20000, STATES_MAX = 14, ORDERS = 3, MERGED_MAX = 5 };

struct history {
    struct rng rng;
    struct arena *arena;
    mneme_kind kind;
    uint64_t tick;
    struct merge_side states[STATES_MAX]; /* all that were ever shared */
    size_t count;
};

static bool is_dead(const struct merge_side *side) {
    return side->record->flags & MNEME_FLAG_DELETED;
}

/* Later than all before; at times two machines take one device number, and the same tick. */
static mneme_version next_version(struct history *h) {
    if (!rng_chance(&h->rng, 5))
        h->tick++;
    return maker_version(h->tick, 1 + rng_below(&h->rng, 4));
}

/* A write of somebody who has seen `base` and nothing else. */
static struct merge_side written(struct history *h, const struct merge_side *base) {
    mneme_version version = next_version(h);
    mneme_record record;
    if (version_compare(version, base->record->version) <= 0)
        version = maker_version(++h->tick, version.device);
    if (!is_dead(base) && rng_chance(&h->rng, 15))
        return maker_tombstone(h->kind, version, h->arena);
    if (is_dead(base)) {
        maker_record(&h->rng, h->arena, h->kind, &record);
    } else {
        maker_read(base, h->arena, &record);
        maker_edit(&h->rng, h->arena, &record);
    }
    struct merge_side mine = maker_side(&record, version, h->arena);
    return must_stamp(base, &mine, h->arena);
}

static struct merge_side merged(struct history *h, const struct merge_side *a,
                                const struct merge_side *b) {
    return must_merge(&NO_SIDE, a, b, h->arena).side;
}

/* A late step, or the removal of one. */
static struct merge_side folded(struct history *h, const struct merge_side *episode) {
    mneme_step late = maker_step(&h->rng, h->arena, 1 + rng_below(&h->rng, 6));
    struct merge_side step = maker_step_side(&late, next_version(h), h->arena), out;
    struct stored_record removed = *step.record;
    bool changed;
    removed.flags = MNEME_FLAG_DELETED;
    if (rng_chance(&h->rng, 20))
        step = (struct merge_side){&removed, {NULL, 0}};
    assert_int_equal(merge_fold(episode, &step, 1, h->arena, &out, &changed, NULL), 0);
    return out;
}

static void make_history(struct history *h) {
    mneme_record record;
    maker_record(&h->rng, h->arena, h->kind, &record);
    h->states[h->count++] = maker_side(&record, next_version(h), h->arena);
    if (rng_chance(&h->rng, 20)) { /* made on two machines, under one id */
        maker_record(&h->rng, h->arena, h->kind, &record);
        h->states[h->count++] = maker_side(&record, next_version(h), h->arena);
    }
    size_t wanted = 3 + rng_below(&h->rng, STATES_MAX - 4);
    while (h->count < wanted) {
        const struct merge_side *base = &h->states[rng_below(&h->rng, h->count)];
        const struct merge_side *other = &h->states[rng_below(&h->rng, h->count)];
        if (rng_chance(&h->rng, 25))
            h->states[h->count++] = merged(h, base, other);
        else if (h->kind == MNEME_EPISODE && !is_dead(base) && rng_chance(&h->rng, 25))
            h->states[h->count++] = folded(h, base);
        else
            h->states[h->count++] = written(h, base);
    }
}

static void shuffle(struct rng *rng, struct merge_side *sides, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = rng_below(rng, i);
        struct merge_side swapped = sides[j];
        sides[j] = sides[i - 1];
        sides[i - 1] = swapped;
    }
}

/* Merge random pairs until one is left; at times one stays and is merged once more. */
static struct merge_side merge_all(struct history *h, const struct merge_side *sides,
                                   size_t count) {
    struct merge_side left[MERGED_MAX];
    memcpy(left, sides, count * sizeof *left);
    while (count > 1) {
        shuffle(&h->rng, left, count);
        struct merge_side one = merged(h, &left[count - 1], &left[count - 2]);
        if (rng_chance(&h->rng, 15))
            one = merged(h, &one, &left[rng_below(&h->rng, count)]); /* perhaps another's, early */
        left[--count - 1] = one;
    }
    return left[0];
}

static void check_orders(struct history *h, uint64_t seed) {
    struct merge_side chosen[MERGED_MAX];
    size_t count = 2 + rng_below(&h->rng, MERGED_MAX - 1);
    for (size_t i = 0; i < count; i++)
        chosen[i] = h->states[rng_below(&h->rng, h->count)];
    struct merge_side first = merge_all(h, chosen, count);
    for (int i = 1; i < ORDERS; i++) {
        struct merge_side again = merge_all(h, chosen, count);
        if (!sides_equal(&first, &again))
            fail_msg("seed %llu: %zu states of kind %d merged to different bytes",
                     (unsigned long long)seed, count, (int)h->kind);
    }
    for (size_t i = 0; i < count; i++) { /* all of them are in it already */
        struct merge_side again = merged(h, &chosen[i], &first);
        if (!sides_equal(&first, &again))
            fail_msg("seed %llu: a merged state changed by what is in it",
                     (unsigned long long)seed);
    }
}

/* What sync does: two machines write from one base; the second to push merges, with the base. */
static void check_exchange(struct history *h, uint64_t seed) {
    const struct merge_side *base = &h->states[rng_below(&h->rng, h->count)];
    struct merge_side mine = written(h, base), theirs = written(h, base);
    struct merge_side there = must_merge(base, &mine, &theirs, h->arena).side;
    struct merge_side here = must_merge(base, &theirs, &mine, h->arena).side;
    struct merge_side blind = merged(h, &mine, &theirs);
    if (!sides_equal(&there, &here) || !sides_equal(&there, &blind))
        fail_msg("seed %llu: an exchange of kind %d did not converge", (unsigned long long)seed,
                 (int)h->kind);
}

/* What a merged body decodes to, encodes to the same fields, but for steps in an open episode. */
static void check_body(struct history *h, uint64_t seed) {
    const struct merge_side *side = &h->states[h->count - 1];
    mneme_record record, again;
    if (is_dead(side))
        return;
    maker_read(side, h->arena, &record);
    mneme_error error = {0};
    if (model_validate(&record, &error) != 0)
        fail_msg("seed %llu: %s", (unsigned long long)seed, error.message);
    if (h->kind == MNEME_EPISODE && !(record.flags & MNEME_FLAG_SEALED))
        return;
    struct merge_side plain = maker_side(&record, record.version, h->arena);
    maker_read(&plain, h->arena, &again);
    if (!records_equal(&record, &again))
        fail_msg("seed %llu: a merged body did not encode to the same", (unsigned long long)seed);
}

static uint64_t setting(const char *name, uint64_t otherwise) {
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 10) : otherwise;
}

static void merge__ends_in_the_same_bytes_in_any_order(void **state) {
    (void)state;
    static const mneme_kind kinds[] = {MNEME_EPISODE,  MNEME_EPISODE,    MNEME_STEP,
                                       MNEME_PATTERN,  MNEME_HEURISTIC,  MNEME_EMBEDDING,
                                       MNEME_RELATION, MNEME_CHECKPOINT, MNEME_SUPERSEDED};
    uint64_t first = setting("MNEME_MERGE_SEED", 1), rounds = setting("MNEME_MERGE_ROUNDS", ROUNDS);
    print_message("seeds %llu to %llu\n", (unsigned long long)first,
                  (unsigned long long)(first + rounds - 1));
    for (uint64_t seed = first; seed < first + rounds; seed++) {
        AUTO_ARENA struct arena arena = {.first_size = 64 << 10};
        struct history h = {.rng = {seed}, .arena = &arena, .kind = kinds[seed % COUNT_OF(kinds)]};
        make_history(&h);
        check_orders(&h, seed);
        check_exchange(&h, seed);
        check_body(&h, seed);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge__ends_in_the_same_bytes_in_any_order),
    };
    return cmocka_run_group_tests_name("sync/merge_property", tests, NULL, NULL);
}
