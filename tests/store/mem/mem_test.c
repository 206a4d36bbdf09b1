/*
 * mem_test.c - what is special to the mem store: clones, and its state when memory runs out. What
 * it shares with all stores is in the conformance suite.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/mem.h"
#include "support/store_broken.h"
#include "support/store_records.h"

static struct store *open_filled(void) {
    struct store *store = NULL;
    assert_int_equal(mem_store_open(42, &store, NULL), 0);
    static const uint8_t body[5000] = {1, 2, 3};
    const struct attribute attribute = attribute_of("tag", "a");
    for (unsigned n = 1; n <= 20; n++) {
        struct mutation put = put_of(n % 2 ? MNEME_STEP : MNEME_EPISODE, n);
        put.record.parent = numbered_id(n % 2 ? 2 : 0);
        put.record.body = slice_of(body, n * 100);
        put.record.attributes = &attribute;
        put.record.attribute_count = n % 3 == 0;
        assert_int_equal(apply_one(store, &put), 0);
    }
    struct mutation gone = delete_of(MNEME_EPISODE, 4);
    assert_int_equal(apply_one(store, &gone), 0);
    return store;
}

static bool stores_equal(struct store *a, struct store *b) {
    CLEANUP(store_dump_fini) struct store_dump first, second;
    assert_int_equal(store_dump_take(a, &first, NULL), 0);
    assert_int_equal(store_dump_take(b, &second, NULL), 0);
    return store_dump_equal(&first, &second);
}

static void mem_clone__is_equal_and_then_goes_its_own_way(void **state) {
    (void)state;
    struct store *store = open_filled(), *clone = NULL;
    assert_int_equal(mem_store_clone(store, &clone, NULL), 0);
    assert_true(stores_equal(store, clone));
    struct mutation put = put_of(MNEME_EPISODE, 100);
    assert_int_equal(apply_one(clone, &put), 0);
    assert_int_equal(put.record.change, 22);
    assert_int_equal(put.record.version.device, 42);
    assert_false(stores_equal(store, clone));
    store_close(store);
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(19);
    assert_int_equal(store_get_one(clone, MNEME_STEP, &id, &set, NULL), 0);
    assert_int_equal(set.records[0].body.size, 1900);
    store_close(clone);
}

static void mem_clone__is_of_mem_stores_only(void **state) {
    (void)state;
    struct store *other = NULL, *clone = NULL;
    assert_int_equal(store_broken_makers[FAULT_NONE].open("", &other, NULL), 0);
    mneme_error error = {0};
    assert_int_equal(mem_store_clone(other, &clone, &error), MNEME_INVALID);
    assert_non_null(strstr(error.message, "broken"));
    assert_null(clone);
    store_close(other);
}

static void mem_open_and_clone__fail_whole_without_memory(void **state) {
    (void)state;
    struct store *store = open_filled(), *out = NULL;
    mneme_error error = {0};
    mem_fail_after(1);
    assert_int_equal(mem_store_open(1, &out, &error), MNEME_NO_MEMORY);
    assert_null(out);
    uint64_t k = 1;
    for (;; k++) {
        mem_fail_after(k);
        int status = mem_store_clone(store, &out, &error);
        mem_fail_after(0);
        if (status == 0)
            break;
        assert_int_equal(status, MNEME_NO_MEMORY);
        assert_null(out);
    }
    assert_true(k > 20);
    assert_true(stores_equal(store, out));
    store_close(out);
    store_close(store);
}

/* Every k-th allocation of a batch with all that a batch can do fails once; each time the store
 * is as its clone, and gives the same numbers afterwards. */
static void mem_apply__is_as_never_tried_without_memory(void **state) {
    (void)state;
    struct store *store = open_filled();
    uint64_t k = 1;
    for (;; k++) {
        struct store *before = NULL;
        assert_int_equal(mem_store_clone(store, &before, NULL), 0);
        struct mutation mutations[] = {put_of(MNEME_EPISODE, 200),    delete_of(MNEME_EPISODE, 2),
                                       purge_of(MNEME_EPISODE, 4),    put_of(MNEME_EPISODE, 6),
                                       put_of(MNEME_EPISODE, 200),    purge_of(MNEME_STEP, 7),
                                       delete_of(MNEME_EPISODE, 200), put_of(MNEME_STEP, 7)};
        mutations[7].record.parent = numbered_id(2);
        struct batch batch;
        mem_fail_after(k);
        int status = apply_mutations(store, mutations, COUNT_OF(mutations), &batch);
        mem_fail_after(0);
        if (status == 0) {
            assert_int_equal(mutations[7].record.change, 27);
            assert_int_equal(mutations[7].record.place, 11);
            store_close(before);
            break;
        }
        assert_int_equal(status, MNEME_NO_MEMORY);
        assert_int_equal(batch.error.code, MNEME_NO_MEMORY);
        assert_int_equal(batch.failed, batch.count);
        assert_true(stores_equal(store, before));
        store_close(before);
    }
    assert_true(k > 6);
    store_close(store);
}

static void mem_apply__goes_on_with_the_next_batch_without_memory_for_one(void **state) {
    (void)state;
    struct store *store = open_filled();
    struct mutation first = put_of(MNEME_EPISODE, 300), second = put_of(MNEME_EPISODE, 301);
    struct batch batches[2] = {{.mutations = &first, .count = 1},
                               {.mutations = &second, .count = 1}};
    struct batch *const list[] = {&batches[0], &batches[1]};
    mem_fail_after(1);
    assert_int_equal(store_apply(store, list, 2), 0);
    mem_fail_after(0);
    assert_int_equal(batches[0].status, MNEME_NO_MEMORY);
    assert_int_equal(batches[1].status, 0);
    assert_int_equal(second.record.change, 22);
    store_close(store);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem_clone__is_equal_and_then_goes_its_own_way),
        cmocka_unit_test(mem_clone__is_of_mem_stores_only),
        cmocka_unit_test(mem_open_and_clone__fail_whole_without_memory),
        cmocka_unit_test(mem_apply__is_as_never_tried_without_memory),
        cmocka_unit_test(mem_apply__goes_on_with_the_next_batch_without_memory_for_one),
    };
    return cmocka_run_group_tests_name("mem", tests, NULL, NULL);
}
