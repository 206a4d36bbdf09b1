/*
 * record_set_test.c - sets of records: growth, deep copies, want of memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/store_impl.h"
#include "support/store_records.h"

static const struct attribute attributes[] = {
    {{(const uint8_t *)"a", 1}, {(const uint8_t *)"1", 1}}, {{(const uint8_t *)"b", 1}, {NULL, 0}}};

static struct stored_record record_of(unsigned n) {
    struct stored_record record = put_of(MNEME_EPISODE, n).record;
    record.attributes = attributes;
    record.attribute_count = 2;
    record.body = slice_of("0123456789", n % 11);
    record.plain_size = n;
    return record;
}

static void record_set__is_empty_and_freed_twice_without_harm(void **state) {
    (void)state;
    struct record_set set = {0};
    record_set_fini(&set);
    struct stored_record *record = record_set_add(&set);
    assert_non_null(record);
    assert_int_equal(record->kind, MNEME_KIND_NONE);
    assert_null(record->attributes);
    record_set_fini(&set);
    record_set_fini(&set);
    assert_int_equal(set.count, 0);
}

static void record_set_copy__keeps_all_records_while_it_grows(void **state) {
    (void)state;
    AUTO_RECORDS struct record_set set = {0};
    for (unsigned n = 1; n <= 5000; n++) {
        struct stored_record record = record_of(n);
        assert_int_equal(record_set_copy(&set, &record, n % 2 == 0), 0);
    }
    assert_int_equal(set.count, 5000);
    for (unsigned n = 1; n <= 5000; n++) {
        struct stored_record record = record_of(n);
        if (n % 2 == 0)
            record.body.size = 0;
        assert_null(record_difference(&record, &set.records[n - 1]));
    }
}

/* Growth that copied everything each time would take a multiple of this many allocations' memory:
 * the arena's blocks stay few. */
static void record_set_add__grows_in_few_allocations(void **state) {
    (void)state;
    AUTO_RECORDS struct record_set set = {0};
    mem_fail_after(0);
    for (int i = 0; i < 100000; i++)
        assert_non_null(record_set_add(&set));
    assert_in_range(mem_fail_after(0), 1, 64);
}

static void record_set_copy__owns_what_it_holds(void **state) {
    (void)state;
    uint8_t body[] = "body", name[] = "n", value[] = "v";
    struct attribute attribute = {slice_of(name, 1), slice_of(value, 1)};
    struct stored_record record = put_of(MNEME_STEP, 1).record;
    record.body = slice_of(body, 4);
    record.attributes = &attribute;
    record.attribute_count = 1;
    AUTO_RECORDS struct record_set set = {0};
    assert_int_equal(record_set_copy(&set, &record, false), 0);
    memset(body, 0, sizeof body);
    memset(name, 0, sizeof name);
    memset(value, 0, sizeof value);
    assert_memory_equal(set.records[0].body.data, "body", 4);
    assert_memory_equal(set.records[0].attributes[0].name.data, "n", 1);
    assert_memory_equal(set.records[0].attributes[0].value.data, "v", 1);
}

static void record_set_copy__leaves_the_set_as_it_was_without_memory(void **state) {
    (void)state;
    static const uint8_t big[50000];
    struct stored_record record = record_of(1);
    record.body = slice_of(big, sizeof big);
    unsigned failures = 0;
    for (uint64_t k = 1;; k++) {
        AUTO_RECORDS struct record_set set = {0};
        for (unsigned n = 1; n <= 16; n++) { /* the array is full: the next copy grows it */
            struct stored_record small = record_of(n);
            assert_int_equal(record_set_copy(&set, &small, false), 0);
        }
        mem_fail_after(k);
        int status = record_set_copy(&set, &record, false);
        mem_fail_after(0);
        assert_int_equal(set.count, status ? 16 : 17);
        struct stored_record last = record_of(16);
        assert_null(record_difference(&last, &set.records[15]));
        if (status == 0)
            break;
        assert_int_equal(status, MNEME_NO_MEMORY);
        failures++;
    }
    assert_true(failures > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(record_set__is_empty_and_freed_twice_without_harm),
        cmocka_unit_test(record_set_copy__keeps_all_records_while_it_grows),
        cmocka_unit_test(record_set_add__grows_in_few_allocations),
        cmocka_unit_test(record_set_copy__owns_what_it_holds),
        cmocka_unit_test(record_set_copy__leaves_the_set_as_it_was_without_memory),
    };
    return cmocka_run_group_tests_name("record_set", tests, NULL, NULL);
}
