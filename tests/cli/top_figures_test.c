/*
 * top_figures_test.c - what `top` makes of two pictures that are made by hand, and how it draws it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top_screen.h"

/* ---- Fixture ----------------------------------------------------------------------------- */

#define US UINT64_C(1000)
#define LEVEL(name_, unit_, label, value_)                                                         \
    { .name = (name_), .unit = (unit_), .label_value = (label), .value = (value_) }

/* One operation: put. Before, two processes have done 100, of which the looking one did 40. Then
 * the other one does 100 more, of which 98 take 20 us, and two 5 ms; and the looking one 10. */
static const mneme_latency_bucket total_before[] = {{20 * US, 100}};
static const mneme_latency_bucket self_before[] = {{20 * US, 40}};
static const mneme_latency_bucket total_now[] = {{20 * US, 198}, {30 * US, 10}, {5000 * US, 2}};
static const mneme_latency_bucket self_now[] = {{20 * US, 40}, {30 * US, 10}};

#define OPERATION(list, all, failed)                                                               \
    {                                                                                              \
        .layer = "api", .name = "put", .sample = 1, .buckets = (list),                             \
        .bucket_count = sizeof(list) / sizeof((list)[0]), .windows = {                             \
            {60, (all), (failed), {.count = (all), .p99_ns = 7 * US}},                             \
            {3600, (all), (failed), {.count = (all)}},                                             \
            {9000, (all), (failed), {.count = (all), .max_ns = 4900 * US}}                         \
        }                                                                                          \
    }

static const mneme_operation operations[] = {
    OPERATION(total_before, 100, 1), OPERATION(self_before, 40, 1), OPERATION(total_now, 210, 5),
    OPERATION(self_now, 50, 1)};

static const mneme_level levels_before[] = {LEVEL("cache_hits", "", "patterns", 1000),
                                            LEVEL("cache_misses", "", "patterns", 0)};
static const mneme_level levels_now[] = {
    LEVEL("cache_hits", "", "patterns", 1090),
    LEVEL("cache_misses", "", "patterns", 10),
    LEVEL("cache", "bytes", "patterns", 512 * 1024),
    LEVEL("cache_limit", "bytes", "patterns", 1024 * 1024),
    LEVEL("store_records", "", "", 1234),
};

#define OF(list) .levels = (list), .level_count = sizeof(list) / sizeof((list)[0])

static const mneme_process processes[] = {
    {.pid = 7,
     .command = "agent",
     .operations = &operations[2],
     .operation_count = 1,
     OF(levels_now)},
    {.pid = 9,
     .command = "mneme",
     .self = true,
     .operations = &operations[1],
     .operation_count = 1},
    {.pid = 9,
     .command = "mneme",
     .self = true,
     .operations = &operations[3],
     .operation_count = 1},
};

static const mneme_metrics before = {
    .store = "s",
    .alone = "",
    .processes = &processes[1],
    .process_count = 1,
    .total = {.operations = &operations[0], .operation_count = 1, OF(levels_before)}};

static const mneme_process processes_now[2] = {
    {.pid = 7,
     .command = "agent",
     .operations = &operations[2],
     .operation_count = 1,
     OF(levels_now)},
    {.pid = 9,
     .command = "mneme",
     .self = true,
     .operations = &operations[3],
     .operation_count = 1},
};
static const mneme_metrics now = {
    .store = "s",
    .alone = "",
    .processes = processes_now,
    .process_count = 2,
    .total = {.operations = &operations[2], .operation_count = 1, OF(levels_now)}};

static const struct pictures pictures = {
    .before = &before, .now = &now, .earlier = &before, .seconds = 2, .earlier_seconds = 2};

static char *draw(struct pool *pool, const struct history *history, size_t columns, size_t rows) {
    size_t size;
    struct top_view view = {
        .pictures = pictures, .history = history, .store = "s", .trouble = "", .interval_s = 1};
    struct canvas canvas = {.pool = pool, .columns = columns, .rows = rows, .lines = true};
    assert_true(canvas_begin(&canvas));
    screen_draw(&view, &canvas);
    const char *text = canvas_end(&canvas, &size);
    return pool_copy(pool, text, size);
}

/* ---- Figures ----------------------------------------------------------------------------- */

static void top_figures__are_of_what_others_did_between(void **state) {
    (void)state;
    struct pool pool = {NULL};
    size_t count;
    const struct top_operation *list = figures_operations(&pictures, TOP_NOW, &pool, &count);
    assert_int_equal(count, 1);
    assert_string_equal(list[0].key, "api.put");
    assert_int_equal(list[0].count, 100);
    assert_true(list[0].rate == 50);
    assert_int_equal(list[0].timed, 100);
    assert_int_equal(list[0].errors, 4);
    assert_int_equal(list[0].p50_ns, 20 * US);
    assert_int_equal(list[0].p99_ns, 4900 * US); /* the bucket's bound is above the greatest */
    assert_int_equal(list[0].max_ns, 4900 * US);
    pool_free(&pool);
}

/* What a process did that has ended is in the total, and in no process. */
static void top_figures__calls_of_others_have_those_of_the_ended(void **state) {
    (void)state;
    assert_int_equal(figures_calls_of_others(&pictures), 100);
    struct pictures alone = pictures;
    struct mneme_metrics ended = now;
    ended.processes = &processes_now[1]; /* only the one that looks is still there */
    ended.process_count = 1;
    alone.now = &ended;
    assert_int_equal(figures_calls_of_others(&alone), 100);
    alone.before = NULL;
    assert_int_equal(figures_calls_of_others(&alone), 0);
}

static void top_figures__of_a_window_are_the_recorders(void **state) {
    (void)state;
    struct pool pool = {NULL};
    size_t count;
    const struct top_operation *list = figures_operations(&pictures, TOP_MINUTE, &pool, &count);
    assert_int_equal(list[0].count, 160);
    assert_int_equal(list[0].p99_ns, 7 * US);
    assert_true(list[0].rate > 2.66 && list[0].rate < 2.67);
    pool_free(&pool);
}

static void top_figures__without_a_picture_before_have_no_rates(void **state) {
    (void)state;
    struct pool pool = {NULL};
    size_t count;
    struct pictures one = {.now = &now};
    const struct top_operation *list = figures_operations(&one, TOP_NOW, &pool, &count);
    assert_int_equal(count, 1);
    assert_true(list[0].rate == 0);
    assert_int_equal(list[0].timed, 0);
    assert_true(figures_growth_of_others(&one, "cache_hits", "", "patterns") == 0);
    pool_free(&pool);
}

static void top_figures__of_counts_that_fell_are_zero(void **state) {
    (void)state;
    struct pool pool = {NULL};
    size_t count;
    struct pictures back = {
        .before = &now, .now = &before, .earlier = &now, .seconds = 1, .earlier_seconds = 1};
    const struct top_operation *list = figures_operations(&back, TOP_NOW, &pool, &count);
    assert_int_equal(list[0].count, 0);
    assert_true(figures_growth_of_others(&back, "cache_hits", "", "patterns") == 0);
    pool_free(&pool);
}

/* ---- The screen -------------------------------------------------------------------------- */

static void top_screen__shows_the_figures_at_each_width(void **state) {
    (void)state;
    static const size_t widths[] = {56, 60, 80, 200};
    static struct history history;
    history_begin(&history, 10, 12);
    history_add(&history, "api.put", 100, 5000 * US);
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        struct pool pool = {NULL};
        const char *text = draw(&pool, &history, widths[i], 40);
        assert_non_null(strstr(text, "1 process"));
        assert_non_null(strstr(text, "api put"));
        assert_non_null(strstr(text, " 50 "));
        assert_non_null(strstr(text, "4.90 ms"));
        assert_non_null(strstr(text, "\nCACHE"));
        assert_non_null(strstr(text, "90.0 %"));
        assert_non_null(strstr(text, widths[i] < 72 ? "50 %" : "512 KiB of 1.0 MiB"));
        assert_non_null(strstr(text, "7 agent"));
        assert_non_null(strstr(text, "9 this one"));
        assert_null(strstr(text, "REMOTE"));
        pool_free(&pool);
    }
    history_fini(&history);
}

static void top_history__cells_keep_rates_and_forget_after_a_minute(void **state) {
    (void)state;
    static struct history history;
    double cells[60];
    history_begin(&history, 100, 110);
    history_add(&history, "a", 50, 7);
    history_cells(&history, "a", HISTORY_RATE, cells, 6);
    assert_true(cells[5] > 4.99 && cells[5] < 5.01);
    assert_true(cells[4] == HISTORY_UNKNOWN);
    history_cells(&history, "a", HISTORY_P99, cells, 60);
    assert_true(cells[59] == 7 && cells[50] == 7 && cells[49] == HISTORY_UNKNOWN);
    history_begin(&history, 110, 160);
    assert_true(history_rate(&history, "a") > 0.8 && history_rate(&history, "a") < 0.9);
    history_begin(&history, 160, 175);
    assert_true(history_rate(&history, "a") == 0);
    assert_int_equal(history.count, 0);
    history_fini(&history);
}

static void top_canvas__numbers_are_short(void **state) {
    (void)state;
    struct pool pool = {NULL};
    assert_string_equal(short_number(&pool, 0), "0");
    assert_string_equal(short_number(&pool, 0.031), "0.03");
    assert_string_equal(short_number(&pool, 9.94), "9.9");
    assert_string_equal(short_number(&pool, 9999), "9,999");
    assert_string_equal(short_number(&pool, 28514), "28.5 k");
    assert_string_equal(short_number(&pool, 1.25e6), "1.25 M");
    assert_string_equal(short_count(&pool, 3), "3");
    assert_string_equal(short_duration(&pool, 850), "850 ns");
    assert_string_equal(short_duration(&pool, 999600), "1.00 ms");
    assert_string_equal(short_duration(&pool, 12300000000), "12.3 s");
    assert_string_equal(short_ratio(&pool, 0.99999), "99.9 %");
    assert_string_equal(short_ratio(&pool, -1), "-");
    assert_string_equal(short_bytes(&pool, 1023.0 * 1024), "1.0 MiB");
    assert_string_equal(short_age(&pool, 7300), "2 h 1 min");
    pool_free(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(top_figures__are_of_what_others_did_between),
        cmocka_unit_test(top_figures__calls_of_others_have_those_of_the_ended),
        cmocka_unit_test(top_figures__of_a_window_are_the_recorders),
        cmocka_unit_test(top_figures__without_a_picture_before_have_no_rates),
        cmocka_unit_test(top_figures__of_counts_that_fell_are_zero),
        cmocka_unit_test(top_screen__shows_the_figures_at_each_width),
        cmocka_unit_test(top_history__cells_keep_rates_and_forget_after_a_minute),
        cmocka_unit_test(top_canvas__numbers_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
