/*
 * segment_test.c - windows that move on, numbers that are added up, and files that lie.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "metrics/picture_impl.h"

static void open_private(struct segment *segment) {
    mneme_error error;
    *segment = (struct segment){0};
    assert_int_equal(segment_open(segment, -1, true, &error), 0);
}

static int new_file(void) {
    char path[] = "/dev/shm/mneme-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    return fd;
}

/* Count one that took `ns` in an interval. */
static void count_at(struct segment *segment, uint64_t interval, uint64_t ns) {
    segment_advance(segment, interval);
    struct cell *cell = segment_cell(segment, cell_of_operation(METER_KV_GET, 1));
    assert_non_null(cell);
    segment_count(segment, cell, minute_slot(interval), ns, 1);
    add_to(&cell->slots[minute_slot(interval)].errors, 1);
}

static void tally_of(const struct segment *segment, uint64_t interval, struct tally *out) {
    struct segment_copy copy = {0};
    assert_int_equal(segment_copy_mapped(&copy, segment), 0);
    *out = (struct tally){0};
    tally_add_operation(out, &copy, METER_KV_GET, interval);
    segment_copy_fini(&copy);
}

static void assert_counts(const struct tally *tally, uint64_t minute, uint64_t hour,
                          uint64_t life) {
    const uint64_t expected[] = {minute, hour, life};
    for (unsigned w = 0; w < MNEME_WINDOW_COUNT; w++) {
        assert_int_equal(tally_count(&tally->windows[w]), expected[w]);
        assert_int_equal(tally->windows[w].errors, expected[w]);
        assert_int_equal(tally->windows[w].sum_ns, expected[w] * 1000);
        assert_int_equal(tally->windows[w].max_ns, expected[w] ? 1000 : 0);
    }
}

static struct tally tally;

/* ---- Windows --------------------------------------------------------------------------------- */

static void window__forgets_what_is_older(void **state) {
    (void)state;
    struct segment segment;
    open_private(&segment);
    uint64_t start = value_of(&segment.head->interval) / 30 * 30 + 300;
    count_at(&segment, start, 1000);
    for (uint64_t later = 0; later < 3000; later += 1 + later / 40) {
        bool minute = later < MINUTE_SLOTS, hour = later / 30 < HOUR_SLOTS;
        tally_of(&segment, start + later, &tally); /* read by one who comes later */
        assert_counts(&tally, minute, hour, 1);
    }
    for (uint64_t later = 0; later < 3000; later += 1 + later / 40) {
        bool minute = later < MINUTE_SLOTS, hour = later / 30 < HOUR_SLOTS;
        segment_advance(&segment, start + later); /* moved on by its owner */
        tally_of(&segment, start + later, &tally);
        assert_counts(&tally, minute, hour, 1);
    }
    segment_close(&segment);
}

/* Against a list of all that was counted, over random jumps of time. */
static void window__has_what_a_list_has(void **state) {
    (void)state;
    enum { EVENTS = 4000 };
    static uint64_t when[EVENTS];
    struct segment segment;
    open_private(&segment);
    uint64_t now = value_of(&segment.head->interval), seed = 88172645463325252;
    for (size_t i = 0; i < EVENTS; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        now += seed % 100 < 60 ? 0 : seed % 100 < 98 ? seed / 100 % 9 : seed / 100 % 900;
        when[i] = now;
        count_at(&segment, now, 1000);
        if (i % 37)
            continue;
        uint64_t minute = 0, hour = 0;
        for (size_t j = 0; j <= i; j++) {
            minute += when[j] + MINUTE_SLOTS > now;
            hour += when[j] / 30 + HOUR_SLOTS > now / 30;
        }
        tally_of(&segment, now, &tally);
        assert_counts(&tally, minute, hour, i + 1);
    }
    segment_close(&segment);
}

/* ---- Adding up ------------------------------------------------------------------------------- */

static void add__keeps_every_count_in_its_window(void **state) {
    (void)state;
    for (uint64_t age = 0; age < 1200; age += 1 + age / 10) {
        struct segment from, to;
        struct segment_copy copy = {0};
        open_private(&from);
        open_private(&to);
        uint64_t start = value_of(&from.head->interval) + 100;
        count_at(&from, start, 1000);
        count_at(&to, start + age, 1000);
        assert_int_equal(segment_copy_mapped(&copy, &from), 0);
        segment_add(&to, &copy, start + age);
        segment_copy_fini(&copy);
        tally_of(&to, start + age, &tally);
        bool hour = start / 30 + HOUR_SLOTS > (start + age) / 30;
        assert_counts(&tally, 1 + (age < MINUTE_SLOTS), 1 + hour, 2);
        assert_int_equal(to.head->ended, 1);
        segment_close(&from);
        segment_close(&to);
    }
}

static void add__brings_shapes_and_slow_operations(void **state) {
    (void)state;
    struct segment from, to;
    struct segment_copy copy = {0};
    char text[SHAPE_TEXT] = "episode newest", other[SHAPE_TEXT] = "pattern newest";
    struct slow_entry entry = {.duration_ns = 5, .operation = METER_API_PUT, .detail = "what"};
    open_private(&from);
    open_private(&to);
    assert_int_equal(segment_shape(&to, other), 0);
    assert_int_equal(segment_shape(&from, text), 0);
    add_to(&from.head->shapes[0].hits, 3);
    segment_note_slow(&from, &entry);
    assert_int_equal(segment_copy_mapped(&copy, &from), 0);
    segment_add(&to, &copy, value_of(&from.head->interval));
    assert_int_equal(segment_shape(&to, text), 1);
    assert_int_equal(value_of(&to.head->shapes[1].hits), 3);
    assert_true(slow_entry_is_whole(&to.head->slow[0]));
    assert_string_equal(to.head->slow[0].detail, "what");
    segment_copy_fini(&copy);
    segment_close(&from);
    segment_close(&to);
}

/* ---- Texts ----------------------------------------------------------------------------------- */

static void shape__of_too_many_is_other(void **state) {
    (void)state;
    struct segment segment;
    char text[SHAPE_TEXT] = {0};
    open_private(&segment);
    for (unsigned i = 0; i < 2 * SHAPES; i++) {
        snprintf(text, sizeof text, "form %u", i);
        assert_int_equal(segment_shape(&segment, text), i < SHAPES ? i : SHAPES - 1);
    }
    assert_string_equal(segment.head->shapes[SHAPES - 1].text, "other");
    assert_string_equal(segment.head->shapes[SHAPES - 2].text, "form 62");
    snprintf(text, sizeof text, "form 7");
    assert_int_equal(segment_shape(&segment, text), 7);
    segment_close(&segment);
}

static void slow__half_an_entry_is_told(void **state) {
    (void)state;
    struct segment segment;
    struct slow_entry entry = {.duration_ns = 5, .operation = METER_API_PUT, .detail = "what"};
    open_private(&segment);
    assert_false(slow_entry_is_whole(&segment.head->slow[0]));
    segment_note_slow(&segment, &entry);
    assert_true(slow_entry_is_whole(&segment.head->slow[0]));
    segment.head->slow[0].detail[3] = 'n';
    assert_false(slow_entry_is_whole(&segment.head->slow[0]));
    segment_close(&segment);
}

/* ---- Room ------------------------------------------------------------------------------------ */

static void blocks__of_a_file_grow_with_it(void **state) {
    (void)state;
    struct segment segment = {0};
    struct segment_copy copy = {0};
    mneme_error error;
    int fd = new_file();
    assert_int_equal(segment_open(&segment, dup(fd), true, &error), 0);
    for (unsigned i = 0; i < METER_OPERATION_COUNT; i++) {
        struct cell *cell = segment_cell(&segment, cell_of_operation(i, 0));
        assert_non_null(cell);
        for (unsigned octave = 1; octave < 12; octave++)
            segment_count(&segment, cell, LIFE_SLOT, UINT64_C(1) << (octave + 3), 1);
    }
    assert_true(atomic_load(&segment.head->blocks) > GROW_BLOCKS);
    assert_int_equal(segment_copy_file(&copy, fd), 0);
    tally = (struct tally){0};
    tally_add_operation(&tally, &copy, METER_SYNC_EXCHANGE, 0);
    assert_int_equal(tally_count(&tally.windows[MNEME_WINDOW_LIFE]), 11);
    segment_copy_fini(&copy);
    segment_close(&segment);
    close(fd);
}

/* A limit on files, which would end the process by a signal if it were met. */
static void blocks__of_a_full_filesystem_are_not_had(void **state) {
    (void)state;
    struct segment segment = {0};
    mneme_error error;
    struct rlimit before, low;
    assert_int_equal(segment_open(&segment, new_file(), true, &error), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = SEGMENT_BLOCKS_AT + GROW_BLOCKS * sizeof(union block);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    unsigned had = 0;
    for (unsigned i = 0; i < CELLS; i++)
        had += segment_cell(&segment, i) != NULL;
    assert_int_equal(had, GROW_BLOCKS);
    struct cell *cell = segment_cell(&segment, 0);
    segment_count(&segment, cell, 0, 1000, 5);
    assert_int_equal(value_of(&cell->slots[0].untimed), 5); /* it happened, though not timed */
    struct segment none = {0};
    low.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_equal(segment_open(&none, new_file(), true, &error), MNEME_NO_SPACE);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    segment_close(&segment);
}

/* ---- Files that lie -------------------------------------------------------------------------- */

/* What the file holds, with one byte after the other changed, is read or refused, and never more
 * than that. */
static void copy__of_a_damaged_file_is_refused_or_read(void **state) {
    (void)state;
    struct segment segment = {0};
    mneme_error error;
    int fd = new_file();
    uint64_t seed = 4711;
    assert_int_equal(segment_open(&segment, dup(fd), true, &error), 0);
    count_at(&segment, value_of(&segment.head->interval), 1000);
    for (int i = 0; i < 3000; i++) {
        struct segment_copy copy = {0};
        seed = seed * 6364136223846793005 + 1442695040888963407;
        size_t at = (size_t)(seed >> 33) % (i % 2 ? sizeof(struct segment_head) : 2000);
        uint8_t *byte = (uint8_t *)segment.head + at, was = *byte;
        *byte = (uint8_t)(seed >> 20);
        if (segment_copy_file(&copy, fd) == 0) {
            struct segment to;
            open_private(&to);
            tally = (struct tally){0};
            tally_add_operation(&tally, &copy, METER_KV_GET, 1);
            segment_add(&to, &copy, value_of(&to.head->interval));
            segment_close(&to);
        }
        segment_copy_fini(&copy);
        *byte = was;
    }
    assert_int_equal(ftruncate(fd, 4096), 0);
    struct segment_copy copy = {0};
    assert_int_equal(segment_copy_file(&copy, fd), MNEME_CORRUPT);
    close(fd);
    segment.fd = -1; /* its memory ends behind the first page now */
}

static void copy__of_another_layout_is_refused(void **state) {
    (void)state;
    struct segment segment = {0}, again = {0};
    struct segment_copy copy = {0};
    mneme_error error;
    int fd = new_file();
    assert_int_equal(segment_open(&segment, dup(fd), true, &error), 0);
    segment.head->layout++;
    assert_int_equal(segment_copy_file(&copy, fd), MNEME_CORRUPT);
    assert_int_equal(segment_open(&again, dup(fd), false, &error), MNEME_CORRUPT);
    segment.head->layout--;
    assert_int_equal(segment_copy_file(&copy, fd), 0);
    segment_copy_fini(&copy);
    segment_close(&segment);
    close(fd);
}

int main(void) {
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(window__forgets_what_is_older),
        cmocka_unit_test(window__has_what_a_list_has),
        cmocka_unit_test(add__keeps_every_count_in_its_window),
        cmocka_unit_test(add__brings_shapes_and_slow_operations),
        cmocka_unit_test(shape__of_too_many_is_other),
        cmocka_unit_test(slow__half_an_entry_is_told),
        cmocka_unit_test(blocks__of_a_file_grow_with_it),
        cmocka_unit_test(blocks__of_a_full_filesystem_are_not_had),
        cmocka_unit_test(copy__of_a_damaged_file_is_refused_or_read),
        cmocka_unit_test(copy__of_another_layout_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
