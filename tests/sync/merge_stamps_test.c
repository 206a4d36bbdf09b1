/*
 * merge_stamps_test.c - stamps to bytes and back, and bytes that are none.
 */
#include "merge_fixture.h"

#include "sync/stamps.h"

enum { STAMPS_MAX = 1 << 20 };

static mneme_version small_version(struct rng *rng) {
    return maker_version(rng_below(rng, 5), rng_below(rng, 3));
}

static struct stamps_run *random_runs(struct rng *rng, struct arena *arena, bool places,
                                      size_t *count) {
    *count = rng_below(rng, 4);
    struct stamps_run *runs = arena_zalloc(arena, *count, sizeof *runs);
    uint64_t end = 0;
    for (size_t i = 0; i < *count; i++) {
        runs[i] = (struct stamps_run){end + rng_below(rng, 300), 1 + rng_below(rng, 300),
                                      small_version(rng), places ? rng_below(rng, 300) : 0};
        end = runs[i].start + runs[i].count;
    }
    return runs;
}

static void random_stamps(struct rng *rng, struct arena *arena, struct stamps *out) {
    static const char *const keys[] = {"", "a", "ab", "b"};
    *out = (struct stamps){.fallback = small_version(rng)};
    if (rng_chance(rng, 30))
        out->birth = small_version(rng);
    out->member_count = rng_below(rng, 4);
    out->members = arena_zalloc(arena, out->member_count, sizeof *out->members);
    for (size_t i = 0; i < out->member_count; i++)
        out->members[i] = (struct stamps_member){3 * i + 1 + rng_below(rng, 3), small_version(rng)};
    out->lists = arena_zalloc(arena, 2, sizeof *out->lists);
    for (uint64_t n = rng_below(rng, 3); out->list_count < n;) {
        struct stamps_list *list = &out->lists[out->list_count++];
        list->number = 200 * out->list_count;
        list->values = random_runs(rng, arena, false, &list->value_count);
        list->places = random_runs(rng, arena, true, &list->place_count);
        list->gone_count = 1 + rng_below(rng, COUNT_OF(keys));
        list->gone = arena_zalloc(arena, list->gone_count, sizeof *list->gone);
        for (size_t i = 0; i < list->gone_count; i++)
            list->gone[i] = (struct stamps_gone){slice_of_string(keys[i]), small_version(rng),
                                                 small_version(rng), rng_below(rng, 300)};
    }
}

static bool same_version(mneme_version a, mneme_version b) { return version_compare(a, b) == 0; }

static void assert_runs(const struct stamps_run *a, size_t a_count, const struct stamps_run *b,
                        size_t b_count) {
    assert_int_equal(a_count, b_count);
    for (size_t i = 0; i < a_count; i++) {
        assert_int_equal(a[i].start, b[i].start);
        assert_int_equal(a[i].count, b[i].count);
        assert_int_equal(a[i].first, b[i].first);
        assert_true(same_version(a[i].stamp, b[i].stamp));
    }
}

static void assert_stamps(const struct stamps *a, const struct stamps *b) {
    assert_true(same_version(a->birth, b->birth) && same_version(a->fallback, b->fallback));
    assert_int_equal(a->member_count, b->member_count);
    for (size_t i = 0; i < a->member_count; i++) {
        assert_int_equal(a->members[i].number, b->members[i].number);
        assert_true(same_version(a->members[i].stamp, b->members[i].stamp));
    }
    assert_int_equal(a->list_count, b->list_count);
    for (size_t i = 0; i < a->list_count; i++) {
        const struct stamps_list *x = &a->lists[i], *y = &b->lists[i];
        assert_int_equal(x->number, y->number);
        assert_runs(x->values, x->value_count, y->values, y->value_count);
        assert_runs(x->places, x->place_count, y->places, y->place_count);
        assert_int_equal(x->gone_count, y->gone_count);
        for (size_t j = 0; j < x->gone_count; j++) {
            assert_true(slice_equal(x->gone[j].key, y->gone[j].key));
            assert_true(same_version(x->gone[j].stamp, y->gone[j].stamp));
            assert_true(same_version(x->gone[j].place, y->gone[j].place));
            assert_int_equal(x->gone[j].index, y->gone[j].index);
        }
    }
}

static void stamps__come_back_as_they_were(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 3000; seed++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf bytes = BUF_INIT(STAMPS_MAX), again = BUF_INIT(STAMPS_MAX);
        struct rng rng = {seed};
        struct stamps made, read;
        random_stamps(&rng, &arena, &made);
        assert_int_equal(stamps_encode(&made, &bytes), 0);
        assert_int_equal(stamps_decode(buf_slice(&bytes), &arena, &read, NULL), 0);
        assert_stamps(&made, &read);
        assert_int_equal(stamps_encode(&read, &again), 0);
        assert_true(slice_equal(buf_slice(&bytes), buf_slice(&again)));
    }
}

/* In a block of exactly its size, so that the sanitizer sees a read behind it. */
static int decode_exact(struct slice bytes, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct stamps read;
    AUTO_FREE uint8_t *copy = mem_alloc(bytes.size);
    assert_non_null(copy);
    if (bytes.size)
        memcpy(copy, bytes.data, bytes.size);
    return stamps_decode(slice_of(copy, bytes.size), &arena, &read, error);
}

static void stamps__that_are_cut_or_damaged_are_refused_or_read(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf bytes = BUF_INIT(STAMPS_MAX);
        struct rng rng = {seed};
        struct stamps made;
        mneme_error error = {0};
        random_stamps(&rng, &arena, &made);
        assert_int_equal(stamps_encode(&made, &bytes), 0);
        for (size_t size = 0; size < bytes.size; size++)
            assert_int_equal(decode_exact(slice_of(bytes.data, size), &error), MNEME_CORRUPT);
        buf_append_byte(&bytes, 0);
        assert_int_equal(decode_exact(buf_slice(&bytes), &error), MNEME_CORRUPT);
        for (int i = 0; i < 100; i++) {
            bytes.data[rng_below(&rng, bytes.size)] = (uint8_t)rng_next(&rng);
            int status = decode_exact(buf_slice(&bytes), &error);
            assert_true(status == 0 || status == MNEME_CORRUPT);
        }
    }
}

static void stamps__of_a_newer_format_are_refused_in_plain_words(void **state) {
    (void)state;
    mneme_error error = {0};
    assert_int_equal(decode_exact(slice_of_string("\x02"), &error), MNEME_CORRUPT);
    assert_string_equal(error.message,
                        "stamps of format 2, which this mneme does not know; update it");
}

/* A number of items that the rest of the bytes cannot hold takes no memory. */
static void stamps__with_a_great_count_are_refused_at_once(void **state) {
    (void)state;
    mneme_error error = {0};
    const uint8_t bytes[] = {STAMPS_FORMAT, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0};
    mem_fail_after(0);
    assert_int_equal(decode_exact(slice_of(bytes, sizeof bytes), &error), MNEME_CORRUPT);
    assert_in_range(mem_fail_after(0), 0, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stamps__come_back_as_they_were),
        cmocka_unit_test(stamps__that_are_cut_or_damaged_are_refused_or_read),
        cmocka_unit_test(stamps__of_a_newer_format_are_refused_in_plain_words),
        cmocka_unit_test(stamps__with_a_great_count_are_refused_at_once),
    };
    return cmocka_run_group_tests_name("sync/merge_stamps", tests, NULL, NULL);
}
