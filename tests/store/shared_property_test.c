/*
 * shared_property_test.c - every store that shares is as mem over random local writes, writes of
 * sync, marks, states and purges, with reopening and crashes; and its marks pass the deep check.
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
#include "store/kv.h"
#include "store/mem.h"
#include "support/store_compare.h"
#include "support/store_maker.h"
#include "support/store_share.h"

enum { RUNS = 20, OPS = 80, NAMES = 7, BATCH_MAX = 4, BODY_MAX = 3000, PAGE = 16 };

static uint64_t first_seed;
static unsigned runs;

struct player {
    struct test_random random;
    struct store_home home;
    struct comparison c;
    struct mutation ours[BATCH_MAX], models[BATCH_MAX], before[BATCH_MAX];
    uint8_t bodies[BATCH_MAX][BODY_MAX];
};

static bool chance(struct player *p, unsigned percent) {
    return test_random_below(&p->random, 100) < percent;
}

/* ---- One batch --------------------------------------------------------------------------- */

/* Names 1 to 5 are patterns, the rest steps of one episode. */
static struct record_name some_name(struct player *p) {
    unsigned n = 1 + test_random_below(&p->random, NAMES);
    return (struct record_name){n <= 5 ? MNEME_PATTERN : MNEME_STEP, numbered_id(n)};
}

static enum mark some_mark(struct player *p, enum mutation_op op) {
    static const enum mark of_writes[] = {MARK_NONE, MARK_CLEAN, MARK_BASE};
    if (op == MUTATION_MARK)
        return (enum mark)test_random_below(&p->random, MARK_FREE + 1);
    if (op == MUTATION_PURGE)
        return chance(p, 30) ? MARK_CLEAN : MARK_NONE;
    return chance(p, 60) ? MARK_NONE
                         : of_writes[test_random_below(&p->random, COUNT_OF(of_writes))];
}

/* The change number that a record has now, the same in both stores; 0: there is none. */
static uint64_t change_of(struct player *p, const struct record_name *name) {
    AUTO_RECORDS struct record_set set = {0};
    size_t found;
    if (store_get(p->c.model, name, 1, &set, &found, NULL) || found == SIZE_MAX)
        return 0;
    return set.records[found].change;
}

static void make_condition(struct player *p, struct mutation *m) {
    struct record_name name = {m->record.kind, m->record.id};
    static const enum condition of_records[] = {CONDITION_ABSENT, CONDITION_LIVE, CONDITION_CHANGE};
    bool writes = m->op == MUTATION_PUT || m->op == MUTATION_DELETE || m->op == MUTATION_PURGE;
    if (m->op != MUTATION_CHECK && chance(p, 60))
        return;
    if (m->op == MUTATION_STATE || (!writes && chance(p, 50))) {
        m->condition = CONDITION_FENCE;
        m->expect_change = test_random_below(&p->random, 3);
        if (m->op != MUTATION_STATE)
            m->shared.fence = test_random_below(&p->random, 3);
        return;
    }
    m->condition = of_records[test_random_below(&p->random, COUNT_OF(of_records))];
    m->expect_change = chance(p, 80) ? change_of(p, &name) : test_random_below(&p->random, 9);
}

static void make_content(struct player *p, struct mutation *m, uint8_t *body) {
    struct stored_record *r = &m->record;
    unsigned size = test_random_below(&p->random, chance(p, 20) ? BODY_MAX : 40);
    test_random_fill(test_random_next(&p->random), body, size);
    r->body = slice_of(body, size);
    r->plain_size = size;
    r->time_us = test_random_below(&p->random, 100);
    r->flags = chance(p, 10) ? MNEME_FLAG_LOCAL : 0;
    if (r->kind == MNEME_STEP)
        r->parent = numbered_id(50);
    if (m->op == MUTATION_MARK && chance(p, 20)) /* a base that is a tombstone */
        r->flags = MNEME_FLAG_DELETED;
}

static struct mutation make_mutation(struct player *p, uint8_t *body) {
    static const enum mutation_op ops[] = {
        MUTATION_PUT,   MUTATION_PUT,  MUTATION_PUT,  MUTATION_DELETE, MUTATION_PURGE,
        MUTATION_CHECK, MUTATION_MARK, MUTATION_MARK, MUTATION_MARK,   MUTATION_STATE};
    static const char *const reasons[] = {"", "too large", "private"};
    struct record_name name = some_name(p);
    struct mutation m = {.op = ops[test_random_below(&p->random, COUNT_OF(ops))],
                         .record = {.kind = name.kind, .id = name.id}};
    m.shared.fence = m.op == MUTATION_STATE ? test_random_below(&p->random, 3) : 0;
    if (m.op != MUTATION_CHECK && m.op != MUTATION_STATE)
        m.shared.mark = some_mark(p, m.op);
    m.shared.at = test_random_next(&p->random) >> test_random_below(&p->random, 64);
    if (m.shared.mark == MARK_HELD)
        m.shared.reason = slice_of_string(reasons[test_random_below(&p->random, 3)]);
    if (m.op == MUTATION_PUT || m.op == MUTATION_STATE || m.op == MUTATION_MARK)
        make_content(p, &m, body);
    if (m.op == MUTATION_STATE && chance(p, 30))
        m.record.body = slice_of(NULL, 0);
    if (chance(p, 40) && m.op != MUTATION_PURGE) {
        m.record.version = (mneme_version){1 + test_random_below(&p->random, 9), 3};
        m.exact = chance(p, 70);
    }
    make_condition(p, &m);
    return m;
}

static bool apply_differs(struct player *p) {
    size_t count = 1 + test_random_below(&p->random, BATCH_MAX);
    struct batch ours = {.mutations = p->ours, .count = count};
    struct batch models = {.mutations = p->models, .count = count};
    for (size_t i = 0; i < count; i++)
        p->ours[i] = p->models[i] = p->before[i] = make_mutation(p, p->bodies[i]);
    struct batch *const our_list[] = {&ours}, *const model_list[] = {&models};
    if (store_apply(p->c.store, our_list, 1) != store_apply(p->c.model, model_list, 1))
        return differs_by(&p->c, "apply returned another status");
    return batch_differs(&p->c, &ours, p->before, &models);
}

/* ---- The look at both -------------------------------------------------------------------- */

static bool state_differs(struct comparison *c) {
    AUTO_ARENA struct arena arena = {0};
    struct slice ours, models;
    uint64_t our_fence, model_fence;
    struct shared_counts our_counts, model_counts;
    if (shared_state(c->store, &arena, &ours, &our_fence, &our_counts, NULL) ||
        shared_state(c->model, &arena, &models, &model_fence, &model_counts, NULL))
        return differs_by(c, "the state could not be read");
    if (!slice_equal(ours, models) || our_fence != model_fence)
        return differs_by(c, "the state or its fence differs");
    if (memcmp(&our_counts, &model_counts, sizeof our_counts) != 0)
        return differs_by(c, "the counts of marks differ");
    return false;
}

static bool marks_differ(struct comparison *c) {
    AUTO_RECORDS struct record_set ours = {0}, models = {0};
    struct record_name names[NAMES];
    struct shared_mark our_marks[NAMES], model_marks[NAMES];
    for (unsigned n = 1; n <= NAMES; n++)
        names[n - 1] = (struct record_name){n <= 5 ? MNEME_PATTERN : MNEME_STEP, numbered_id(n)};
    if (shared_marks(c->store, names, NAMES, our_marks, &ours, NULL) ||
        shared_marks(c->model, names, NAMES, model_marks, &models, NULL))
        return differs_by(c, "marks could not be read");
    for (unsigned i = 0; i < NAMES; i++) {
        const struct shared_mark *a = &our_marks[i], *b = &model_marks[i];
        if (a->mark != b->mark || a->at != b->at || a->held != b->held || a->base != b->base)
            return differs_by(c, "name %u is marked %d at %" PRIu64 " instead of %d at %" PRIu64,
                              i + 1, (int)a->mark, a->at, (int)b->mark, b->at);
    }
    return set_differs(c, &ours, &models);
}

static bool names_differ(struct comparison *c, enum mark mark) {
    AUTO_ARENA struct arena arena = {0};
    struct record_name ours[PAGE], models[PAGE];
    struct slice our_reasons[PAGE] = {{0}}, model_reasons[PAGE] = {{0}};
    uint64_t our_at[PAGE], model_at[PAGE];
    size_t our_count, model_count;
    if (shared_names(c->store, mark, NULL, PAGE, ours, our_at, our_reasons, &arena, &our_count,
                     NULL) ||
        shared_names(c->model, mark, NULL, PAGE, models, model_at, model_reasons, &arena,
                     &model_count, NULL))
        return differs_by(c, "names could not be listed");
    if (our_count != model_count)
        return differs_by(c, "%zu names of mark %d instead of %zu", our_count, (int)mark,
                          model_count);
    for (size_t i = 0; i < our_count; i++)
        if (ours[i].kind != models[i].kind || !id_equal(&ours[i].id, &models[i].id) ||
            our_at[i] != model_at[i] || !slice_equal(our_reasons[i], model_reasons[i]))
            return differs_by(c, "name %zu of mark %d differs", i, (int)mark);
    return false;
}

static bool outbox_differs(struct player *p) {
    AUTO_RECORDS struct record_set ours = {0}, models = {0};
    size_t limit = 1 + test_random_below(&p->random, 4);
    size_t bytes = test_random_below(&p->random, 2000);
    uint64_t since = test_random_below(&p->random, 30), our_upto, model_upto;
    bool our_more, model_more;
    if (shared_outbox(p->c.store, since, limit, bytes, &ours, &our_upto, &our_more, NULL) ||
        shared_outbox(p->c.model, since, limit, bytes, &models, &model_upto, &model_more, NULL))
        return differs_by(&p->c, "the outbox could not be read");
    if (our_upto != model_upto || our_more != model_more)
        return differs_by(&p->c, "the outbox was looked at up to %" PRIu64 " instead of %" PRIu64,
                          our_upto, model_upto);
    return set_differs(&p->c, &ours, &models);
}

static bool anything_differs(struct player *p) {
    struct comparison *c = &p->c;
    return state_differs(c) || marks_differ(c) || names_differ(c, MARK_CLEAN) ||
           names_differ(c, MARK_BASE) || names_differ(c, MARK_GONE) || names_differ(c, MARK_HELD) ||
           outbox_differs(p) || changes_differ(c, 0, STORE_PAGE_MAX) || stats_differ(c);
}

/* ---- A play ------------------------------------------------------------------------------ */

static void note_finding(void *context, const char *text) {
    (void)differs_by(context, "the deep check: %s", text);
}

static bool is_unsound(struct player *p) {
    struct kv_check check = {.finding = note_finding, .context = &p->c};
    mneme_error error = {0};
    store_close(TAKE(p->home.store));
    int status = kv_store_check(p->home.path, &check, &error);
    if (status && !check.findings)
        (void)differs_by(&p->c, "the deep check: %s", error.message);
    return status != 0;
}

static bool op_differs(struct player *p) {
    unsigned dice = p->home.maker->persistent ? test_random_below(&p->random, 100) : 99;
    mneme_error error = {0};
    if (dice < 4) {
        int status =
            dice < 2 ? store_home_reopen(&p->home, &error) : store_home_crash(&p->home, &error);
        p->c.store = p->home.store;
        if (status)
            return differs_by(&p->c, "open: %s", error.message);
    } else if (apply_differs(p)) {
        return true;
    }
    return anything_differs(p);
}

static bool play(struct player *p) {
    struct store_stats stats;
    struct mutation share = state_of("first", 1), copy = share;
    if (store_stats(p->c.store, &stats, NULL) || mem_store_open(stats.device, &p->c.model, NULL))
        return differs_by(&p->c, "mem could not be opened");
    unsigned off = test_random_below(&p->random, 10); /* operations before it is shared */
    for (unsigned i = 0; i < OPS; i++) {
        if (i == off && apply_one(p->c.store, &share) + apply_one(p->c.model, &copy))
            return differs_by(&p->c, "a state did not go in");
        if (op_differs(p))
            return true;
    }
    return p->home.maker->persistent && is_unsound(p);
}

static void store_shares_as_mem_does(void **state) {
    const struct store_maker *maker = *state;
    for (unsigned i = 0; i < runs; i++) {
        AUTO_FREE struct player *p = mem_zalloc(1, sizeof *p);
        assert_non_null(p);
        p->random.state = first_seed + i;
        assert_int_equal(store_home_make(&p->home, maker, NULL), 0);
        p->c.store = p->home.store;
        bool differs = play(p);
        store_close(p->c.model);
        store_home_remove(&p->home);
        if (differs)
            fail_msg("%s with MNEME_SEED=%" PRIu64 ": %s", maker->name, first_seed + i, p->c.text);
    }
}

static uint64_t number_from_environment(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    char *end;
    uint64_t number = text ? strtoull(text, &end, 0) : 0;
    return text && *text && !*end ? number : otherwise;
}

int main(int argc, char **argv) {
    int failed = 0;
    first_seed = number_from_environment("MNEME_SEED", (uint64_t)clock_wall_us());
    runs = (unsigned)number_from_environment("MNEME_PROPERTY_RUNS", RUNS);
    print_message("MNEME_SEED=%" PRIu64 " MNEME_PROPERTY_RUNS=%u\n", first_seed, runs);
    for (size_t i = 0; i < store_maker_count; i++) {
        const struct store_maker *maker = &store_makers[i];
        const struct CMUnitTest tests[] = {{"store__shares_as_mem_does", store_shares_as_mem_does,
                                            NULL, NULL, (void *)(uintptr_t)maker}};
        if (maker->shares && store_maker_wanted(maker, argc, argv))
            failed += _cmocka_run_group_tests(maker->name, tests, 1, NULL, NULL);
    }
    return failed != 0;
}
