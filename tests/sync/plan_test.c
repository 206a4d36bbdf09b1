/*
 * plan_test.c - the items of a plan are found by name, whatever is added behind them, and are
 * written in the order of ids.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/mem.h"
#include "support/store_records.h"
#include "sync/plan.h"

static void add(struct plan *plan, mneme_kind kind, unsigned n) {
    struct item item = {.kind = kind, .id = numbered_id(n)};
    assert_int_equal(plan_add(plan, &item, 1, NULL), 0);
}

static void plan_find__finds_every_item_however_many(void **state) {
    (void)state;
    enum { MOST = 300 };
    AUTO_PLAN struct plan plan = {0};
    mneme_id id = numbered_id(1);
    assert_null(plan_find(&plan, MNEME_STEP, &id));
    for (unsigned n = 1; n <= MOST; n++) {
        add(&plan, MNEME_STEP, n);
        for (unsigned k = 1; k <= n; k++) {
            id = numbered_id(k);
            assert_ptr_equal(plan_find(&plan, MNEME_STEP, &id), &plan.items[k - 1]);
            assert_null(plan_find(&plan, MNEME_EPISODE, &id));
        }
        id = numbered_id(n + 1);
        assert_null(plan_find(&plan, MNEME_STEP, &id));
    }
}

static void plan_find__finds_the_first_of_a_name(void **state) {
    (void)state;
    AUTO_PLAN struct plan plan = {0};
    mneme_id id = numbered_id(7);
    for (unsigned n = 0; n < 40; n++)
        add(&plan, MNEME_STEP, 7);
    assert_ptr_equal(plan_find(&plan, MNEME_STEP, &id), &plan.items[0]);
}

static void plan_add__lists_the_steps(void **state) {
    (void)state;
    AUTO_PLAN struct plan plan = {0};
    for (unsigned n = 1; n <= 100; n++)
        add(&plan, n % 3 ? MNEME_EPISODE : MNEME_STEP, n);
    assert_int_equal(plan.step_count, 33);
    for (size_t i = 0; i < plan.step_count; i++)
        assert_int_equal(plan.steps[i], 3 * i + 2);
}

/* So they lie behind one another in the file, from however many machines they come. */
static void plan_write__goes_by_id_behind_dictionaries(void **state) {
    (void)state;
    enum { COUNT = 50 };
    struct sync sync = {0};
    assert_int_equal(mem_store_open(1, &sync.options.local, NULL), 0);
    AUTO_PLAN struct plan plan = {.sync = &sync};
    AUTO_SYNC_WRITES struct writes w = {0};
    struct sync_progress progress = {0};
    struct stored_record records[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        unsigned number = 1 + i * 7 % COUNT;
        mneme_kind kind = number == COUNT ? MNEME_DICTIONARY : MNEME_PATTERN;
        records[i] = put_of(kind, number).record;
        struct item item = {.kind = kind, .id = records[i].id, .theirs = &records[i]};
        item.result.record = item.theirs;
        assert_int_equal(plan_add(&plan, &item, 1, NULL), 0);
    }
    assert_int_equal(plan_write(&plan, &w, &progress, NULL), 0);
    assert_int_equal(w.count, COUNT);
    assert_int_equal(progress.pulled, COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        mneme_id id = numbered_id(i == 0 ? COUNT : i);
        assert_true(id_equal(&w.mutations[i].record.id, &id));
    }
    store_close(sync.options.local);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan_find__finds_every_item_however_many),
        cmocka_unit_test(plan_find__finds_the_first_of_a_name),
        cmocka_unit_test(plan_add__lists_the_steps),
        cmocka_unit_test(plan_write__goes_by_id_behind_dictionaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
