/*
 * memory_test.c - allocation that can be made to fail, buffers with a maximum, arenas, checked
 * arithmetic and slices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"

/* ---- Allocation ------------------------------------------------------------------------------ */

static void mem_fail_after__fails_the_one_that_is_asked_for(void **state) {
    (void)state;
    for (uint64_t k = 1; k <= 5; k++) {
        void *blocks[5];
        mem_fail_after(k);
        blocks[0] = mem_alloc(10);
        blocks[1] = mem_zalloc(2, 10);
        blocks[2] = mem_resize(NULL, 10);
        blocks[3] = mem_alloc(0);
        blocks[4] = mem_zalloc(0, 0);
        assert_int_equal(mem_fail_after(0), 5);
        for (uint64_t i = 0; i < 5; i++) {
            assert_true((blocks[i] == NULL) == (i + 1 == k));
            mem_free(blocks[i]);
        }
    }
    assert_int_equal(mem_fail_after(0), 0);
}

static void checked_arithmetic__leaves_the_result_when_it_overflows(void **state) {
    size_t out = 7;
    (void)state;
    assert_true(checked_add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_false(checked_add(SIZE_MAX, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_true(checked_mul(0, SIZE_MAX, &out) && out == 0);
    assert_true(checked_mul(SIZE_MAX, 0, &out) && out == 0);
    assert_true(checked_mul(SIZE_MAX, 1, &out) && out == SIZE_MAX);
    assert_false(checked_mul(SIZE_MAX / 2 + 1, 2, &out));
    assert_true(out == SIZE_MAX);
}

/* ---- Slices ---------------------------------------------------------------------------------- */

static void slices__order_as_bytes_and_a_prefix_comes_first(void **state) {
    static const char *const rising[] = {"", "a", "aa", "ab", "b", "\x7f", "\xff"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rising); i++) {
        for (size_t j = 0; j < COUNT_OF(rising); j++) {
            struct slice a = slice_of_string(rising[i]), b = slice_of_string(rising[j]);
            int order = slice_compare(a, b);
            assert_true(i < j ? order < 0 : i > j ? order > 0 : order == 0);
            assert_true(slice_equal(a, b) == (i == j));
        }
    }
    assert_true(slice_equal((struct slice){0}, slice_of_string("")));
    assert_true(text_is((mneme_text){"a\0b", 3}, "a") == false);
}

static void versions__order_by_clock_then_device(void **state) {
    static const mneme_version rising[] = {
        {0, 0}, {0, 1}, {1, 0}, {1, UINT64_MAX}, {UINT64_MAX, 0}};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(rising); i++)
        for (size_t j = 0; j < COUNT_OF(rising); j++)
            assert_int_equal(version_compare(rising[i], rising[j]), i < j ? -1 : i > j);
    assert_true(version_is_zero(rising[0]) && !version_is_zero(rising[1]));
}

static void numbers__go_big_endian_and_back(void **state) {
    uint8_t bytes[8];
    (void)state;
    put_be64(bytes, UINT64_C(0x0102030405060708));
    for (int i = 0; i < 8; i++)
        assert_int_equal(bytes[i], i + 1);
    assert_true(get_be64(bytes) == UINT64_C(0x0102030405060708));
    put_be32(bytes, 0xfffefdfc);
    assert_true(get_be32(bytes) == 0xfffefdfc);
    assert_int_equal(bytes[3], 0xfc);
}

/* ---- Buffers --------------------------------------------------------------------------------- */

static void buf__grows_up_to_its_maximum_and_no_further(void **state) {
    AUTO_BUF struct buf b = BUF_INIT(1000);
    (void)state;
    for (int i = 0; i < 1000; i++)
        buf_append_byte(&b, (uint8_t)i);
    assert_int_equal(b.status, 0);
    assert_int_equal(b.size, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(b.data[i], (uint8_t)i);
    buf_append_byte(&b, 1);
    assert_int_equal(b.status, MNEME_TOO_LARGE);
    buf_append(&b, NULL, 0);
    buf_append_string(&b, "");
    assert_int_equal(b.size, 1000);
    assert_null(buf_reserve(&b, 0)); /* the first failure sticks */
    buf_reset(&b);
    assert_int_equal(b.status, 0);
    assert_int_equal(b.size, 0);
    buf_append_string(&b, "again");
    assert_memory_equal(b.data, "again", 5);
    assert_null(buf_reserve(&b, SIZE_MAX));
    assert_int_equal(b.status, MNEME_TOO_LARGE);
}

static void buf_of_no_bytes__takes_none(void **state) {
    AUTO_BUF struct buf b = BUF_INIT(0);
    struct buf zero = {0};
    (void)state;
    buf_append(&b, "x", 1);
    assert_int_equal(b.status, MNEME_TOO_LARGE);
    buf_fini(&zero);
    buf_fini(&zero);
}

static void buf__keeps_what_it_has_when_memory_ends(void **state) {
    AUTO_BUF struct buf b = BUF_INIT(SIZE_MAX);
    (void)state;
    buf_append_string(&b, "kept");
    mem_fail_after(1);
    buf_append(&b, "0123456789012345678901234567890123456789012345678901234567890123456789", 70);
    mem_fail_after(0);
    assert_int_equal(b.status, MNEME_NO_MEMORY);
    assert_int_equal(b.size, 4);
    assert_memory_equal(b.data, "kept", 4);
}

static void buf_printf__writes_no_nul_into_the_size(void **state) {
    AUTO_BUF struct buf b = BUF_INIT(64);
    (void)state;
    buf_printf(&b, "%d-%s", 42, "x");
    buf_printf(&b, "%s", "");
    assert_int_equal(b.size, 4);
    assert_memory_equal(b.data, "42-x", 4);
    buf_printf(&b, "%100d", 1);
    assert_int_equal(b.status, MNEME_TOO_LARGE);
    assert_int_equal(b.size, 4);
}

/* ---- Arenas ---------------------------------------------------------------------------------- */

static void arena__gives_aligned_memory_of_any_size(void **state) {
    AUTO_ARENA struct arena a = {.first_size = 100};
    (void)state;
    for (size_t size = 0; size < 3000; size += 13) {
        uint8_t *at = arena_alloc(&a, size);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        memset(at, 0xaa, size);
    }
    uint8_t *large = arena_zalloc(&a, 3, 1 << 20);
    assert_non_null(large);
    assert_int_equal(large[(3 << 20) - 1], 0);
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 40));
    assert_null(arena_zalloc(&a, SIZE_MAX / 2, 3));
}

static void arena_taken__lives_until_its_first_allocation_is_freed(void **state) {
    AUTO_ARENA struct arena a = {.first_size = 10};
    struct slice copy, none = {(const uint8_t *)"x", 1};
    (void)state;
    assert_null(arena_take(&a));
    char *first = arena_alloc(&a, 8);
    assert_non_null(first);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(arena_copy(&a, slice_of_string("some bytes to keep"), &copy), 0);
        assert_memory_equal(copy.data, "some bytes to keep", copy.size);
    }
    assert_int_equal(arena_copy(&a, (struct slice){0}, &none), 0);
    assert_null(none.data);
    assert_ptr_equal(arena_take(&a), first);
    assert_null(a.first);
    memcpy(first, "mine now", 8);
    arena_free_taken(first);
    arena_free_taken(NULL);
}

static void arena__is_usable_after_memory_has_ended(void **state) {
    AUTO_ARENA struct arena a = {0};
    struct slice out = {NULL, 9};
    (void)state;
    mem_fail_after(1);
    assert_null(arena_alloc(&a, 8));
    mem_fail_after(1);
    assert_int_equal(arena_copy(&a, slice_of_string("abc"), &out), MNEME_NO_MEMORY);
    mem_fail_after(0);
    assert_int_equal(out.size, 9);
    assert_non_null(arena_alloc(&a, 8));
    mem_fail_after(1);
    assert_null(arena_alloc(&a, 5000));
    mem_fail_after(0);
    assert_non_null(arena_alloc(&a, 5000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mem_fail_after__fails_the_one_that_is_asked_for),
        cmocka_unit_test(checked_arithmetic__leaves_the_result_when_it_overflows),
        cmocka_unit_test(slices__order_as_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(versions__order_by_clock_then_device),
        cmocka_unit_test(numbers__go_big_endian_and_back),
        cmocka_unit_test(buf__grows_up_to_its_maximum_and_no_further),
        cmocka_unit_test(buf_of_no_bytes__takes_none),
        cmocka_unit_test(buf__keeps_what_it_has_when_memory_ends),
        cmocka_unit_test(buf_printf__writes_no_nul_into_the_size),
        cmocka_unit_test(arena__gives_aligned_memory_of_any_size),
        cmocka_unit_test(arena_taken__lives_until_its_first_allocation_is_freed),
        cmocka_unit_test(arena__is_usable_after_memory_has_ended),
    };
    return cmocka_run_group_tests_name("base/memory", tests, NULL, NULL);
}
