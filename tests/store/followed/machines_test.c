/*
 * machines_test.c - machines with caches over one shared store, at random, in one thread: what a
 * machine has written or seen it finds again, and after a look it finds what all have written.
 *
 * MNEME_SEED repeats a run, MNEME_FOLLOWED_RUNS is how many are made.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/os.h"
#include "store/followed/followed_impl.h"
#include "store/mem.h"
#include "support/followed_model.h"
#include "support/followed_scene.h"

enum { RUNS = 40, OPERATIONS = 400, MACHINES = 3, EPISODE = 100 };

struct world {
    uint64_t seed;
    struct test_random random;
    struct store *shared;
    struct machine machines[MACHINES];
    bool reads[MACHINES]; /* whether it can read the log */
    struct model_record patterns[MODEL_RECORDS], steps[MODEL_RECORDS];
    uint64_t least_patterns[MACHINES][MODEL_RECORDS], least_steps[MACHINES][MODEL_RECORDS];
};

static unsigned below(struct world *w, unsigned most) {
    return test_random_below(&w->random, most);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void remember(struct world *w, unsigned machine, const struct mutation *mutation,
                     unsigned n) {
    bool step = mutation->record.kind == MNEME_STEP;
    struct model_record *record = step ? &w->steps[n] : &w->patterns[n];
    bool gone = mutation->op != MUTATION_PUT;
    assert_true(model_add(record, mutation->record.change,
                          gone ? (mneme_version){0} : cached_stamp(&mutation->record)));
    if (machine < MACHINES)
        *(step ? &w->least_steps[machine][n] : &w->least_patterns[machine][n]) =
            mutation->record.change;
}

static struct store *store_of(struct world *w, unsigned machine) {
    return machine < MACHINES ? w->machines[machine].top : w->shared;
}

static void write_pattern(struct world *w, unsigned machine) {
    static const struct attribute tag = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"x", 1}};
    unsigned n = below(w, MODEL_RECORDS);
    struct mutation write = put_of(MNEME_PATTERN, n + 1);
    write.record.attributes = &tag;
    write.record.attribute_count = below(w, 2);
    if (below(w, 4) == 0)
        write = delete_of(MNEME_PATTERN, n + 1);
    if (apply_one(store_of(w, machine), &write) == 0)
        remember(w, machine, &write, n);
}

static void write_step(struct world *w, unsigned machine) {
    unsigned n = below(w, MODEL_RECORDS);
    struct mutation write = put_of(MNEME_STEP, n + 1);
    write.record.parent = numbered_id(EPISODE);
    if (below(w, 4) == 0)
        write = delete_of(MNEME_STEP, n + 1);
    if (apply_one(store_of(w, machine), &write) == 0)
        remember(w, machine, &write, n);
}

/* Its steps move into the episode, and leave no change but its own. */
static void complete_episode(struct world *w, unsigned machine) {
    struct mutation batch[1 + MODEL_RECORDS] = {put_of(MNEME_EPISODE, EPISODE)};
    for (unsigned n = 0; n < MODEL_RECORDS; n++)
        batch[1 + n] = purge_of(MNEME_STEP, n + 1);
    assert_int_equal(apply_mutations(store_of(w, machine), batch, COUNT_OF(batch), NULL), 0);
    for (unsigned n = 0; n < MODEL_RECORDS; n++) {
        batch[1 + n].record.change = batch[0].record.change;
        remember(w, machine, &batch[1 + n], n);
    }
}

/* ---- Reading --------------------------------------------------------------------------------- */

static void check(struct world *w, const struct model_record *record, uint64_t *least,
                  mneme_version found, const char *what) {
    uint64_t change = model_find(record, *least, found);
    if (!change)
        fail_msg("MNEME_SEED=%" PRIu64 ": %s goes back behind change %" PRIu64, w->seed, what,
                 *least);
    if (change != UINT64_MAX)
        *least = change;
}

static void read_record(struct world *w, unsigned machine, mneme_kind kind, unsigned n) {
    struct cache_item *item = NULL;
    mneme_id id = numbered_id(n + 1);
    mneme_version found = {0};
    int status = cached_acquire(w->machines[machine].top, kind, &id, &item, NULL);
    assert_true(status == 0 || status == MNEME_NOT_FOUND);
    if (item)
        found = item->version;
    cache_item_release(item);
    if (kind == MNEME_STEP)
        check(w, &w->steps[n], &w->least_steps[machine][n], found, "a step");
    else
        check(w, &w->patterns[n], &w->least_patterns[machine][n], found, "a pattern");
}

static struct store_query some_query(unsigned which) {
    static const struct attribute tag = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"x", 1}};
    struct store_query query = query_for(which == 2 ? MNEME_STEP : MNEME_PATTERN);
    query.filters = &tag;
    query.filter_count = which == 1;
    query.has_parent = which == 2;
    query.parent = query.has_parent ? numbered_id(EPISODE) : (mneme_id){0};
    return query;
}

/* What a list shows does not go back, and right behind a look it is what the shared store has. */
static void read_list(struct world *w, unsigned machine, unsigned which, bool looked) {
    struct store_query query = some_query(which);
    CLEANUP(cached_page_fini) struct cached_page page = {0};
    AUTO_RECORDS struct record_set all = {0};
    bool more;
    assert_int_equal(cached_list(w->machines[machine].top, &query, &page, NULL), 0);
    for (size_t i = 0; i < page.count; i++) {
        unsigned n = get_be32(page.items[i]->key.id.bytes + 12) - 1;
        if (which == 2)
            check(w, &w->steps[n], &w->least_steps[machine][n], page.items[i]->version, "a list");
        else
            check(w, &w->patterns[n], &w->least_patterns[machine][n], page.items[i]->version,
                  "a list");
    }
    if (!looked)
        return;
    assert_int_equal(store_query(w->shared, &query, &all, &more, NULL), 0);
    if (page.count != all.count)
        fail_msg("MNEME_SEED=%" PRIu64 ": a list of %zu records has %zu", w->seed, all.count,
                 page.count);
    for (size_t i = 0; i < page.count; i++)
        assert_true(id_equal(&page.items[i]->key.id, &all.records[i].id));
}

/* From here on the machine knows of everything. */
static void look(struct world *w, unsigned machine) {
    int status = followed_look(w->machines[machine].followed, NULL);
    assert_int_equal(status, w->reads[machine] ? 0 : MNEME_UNAVAILABLE);
    if (status)
        return;
    assert_int_equal(moment_of(w->machines[machine].top) >> 48, 0);
    for (unsigned n = 0; n < MODEL_RECORDS; n++) {
        w->least_patterns[machine][n] = model_last(&w->patterns[n]);
        w->least_steps[machine][n] = model_last(&w->steps[n]);
        read_record(w, machine, MNEME_PATTERN, n);
        read_record(w, machine, MNEME_STEP, n);
    }
    for (unsigned which = 0; which < 3; which++)
        read_list(w, machine, which, true);
}

/* ---- Worlds ---------------------------------------------------------------------------------- */

static void fail_or_heal(struct world *w, unsigned machine) {
    w->reads[machine] = !w->reads[machine] || below(w, 4);
    atomic_store(&w->machines[machine].shim->status[SHIM_CHANGES],
                 w->reads[machine] ? 0 : MNEME_UNAVAILABLE);
}

static void do_something(struct world *w) {
    unsigned machine = below(w, MACHINES), writer = below(w, MACHINES + 1);
    switch (below(w, 16)) {
    case 0:
    case 1:
    case 2:
        write_pattern(w, writer);
        break;
    case 3:
    case 4:
        write_step(w, writer);
        break;
    case 5:
        if (below(w, 3) == 0)
            complete_episode(w, writer);
        break;
    case 6:
        look(w, machine);
        break;
    case 7:
        fail_or_heal(w, machine);
        break;
    case 8:
    case 9:
        read_list(w, machine, below(w, 3), false);
        break;
    case 10:
    case 11:
    case 12:
        read_record(w, machine, MNEME_STEP, below(w, MODEL_RECORDS));
        break;
    default:
        read_record(w, machine, MNEME_PATTERN, below(w, MODEL_RECORDS));
    }
}

static uint64_t run(uint64_t seed) {
    static const struct followed_options options = {.no_looks = true};
    AUTO_FREE struct world *w = mem_zalloc(1, sizeof *w);
    uint64_t hits = 0;
    assert_non_null(w);
    w->seed = w->random.state = seed;
    assert_int_equal(mem_store_open(1, &w->shared, NULL), 0);
    for (unsigned i = 0; i < MACHINES; i++) {
        machine_open(&w->machines[i], w->shared, &options, true);
        w->reads[i] = true;
    }
    for (unsigned i = 0; i < OPERATIONS; i++)
        do_something(w);
    for (unsigned i = 0; i < MACHINES; i++) {
        struct cache_stats stats[CACHED_PARTS];
        cached_stats(w->machines[i].top, stats);
        hits += stats[CACHED_PATTERNS].hits + stats[CACHED_QUERIES].hits;
        store_close(w->machines[i].top);
    }
    store_close(w->shared);
    return hits;
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

static void machines__find_what_they_have_written_or_seen(void **state) {
    (void)state;
    uint64_t first = number_from_environment("MNEME_SEED", (uint64_t)clock_wall_us());
    uint64_t runs = number_from_environment("MNEME_FOLLOWED_RUNS", RUNS), hits = 0;
    print_message("MNEME_SEED=%" PRIu64 "\n", first);
    for (uint64_t i = 0; i < runs; i++)
        hits += run(first + i);
    assert_true(hits > runs * OPERATIONS / 10); /* or the caches had no part in it */
}

/* ---- Through the decorators in between ------------------------------------------------------- */

static void caches__are_in_step_without_a_round_trip(void **state) {
    (void)state;
    static const struct followed_options options = {.no_looks = true};
    struct machine machine;
    struct store *shared;
    mneme_id id = numbered_id(1);
    assert_int_equal(mem_store_open(1, &shared, NULL), 0);
    machine_open(&machine, shared, &options, true);
    assert_ptr_equal(store_moment(machine.top), store_moment(machine.followed));
    for (unsigned round = 0; round < 5; round++) {
        struct cache_item *item = NULL;
        struct mutation put = put_of(MNEME_PATTERN, 1);
        assert_int_equal(apply_one(machine.top, &put), 0);
        if (round == 1) /* what was there at the start has been taken over */
            for (unsigned call = 0; call < SHIM_CALLS; call++)
                (void)shim_calls(machine.shim, (enum shim_call)call);
        assert_int_equal(cached_acquire(machine.top, MNEME_PATTERN, &id, &item, NULL), 0);
        assert_int_equal(version_compare(item->version, cached_stamp(&put.record)), 0);
        cache_item_release(item);
    }
    assert_int_equal(shim_calls(machine.shim, SHIM_APPLY), 3);
    assert_int_equal(shim_calls(machine.shim, SHIM_CHANGES), 0);
    assert_int_equal(shim_calls(machine.shim, SHIM_STATS), 0);
    assert_int_equal(shim_calls(machine.shim, SHIM_READ), 0); /* what was written is kept */
    store_close(machine.top);
    store_close(shared);
}

int main(void) {
    alarm(600);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines__find_what_they_have_written_or_seen),
        cmocka_unit_test(caches__are_in_step_without_a_round_trip),
    };
    return cmocka_run_group_tests_name("followed machines", tests, NULL, NULL);
}
