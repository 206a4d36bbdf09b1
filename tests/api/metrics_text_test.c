/*
 * metrics_text_test.c - pictures of what was measured, made by hand, as families of metrics and as
 * text: names, labels, bounds, escapes, scopes. tests/cli/metrics_test.py reads real ones with the
 * tools of others.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"
#include "mneme/mneme.h"

/* ---- Fixture: a picture of two processes ----------------------------------------------------- */

static const mneme_error_count errors[] = {{MNEME_CONFLICT, 2}, {MNEME_NO_SPACE, 1}};
/* 1,087 ns holds the bound of 1 µs in its middle; 1.01 ms lies above 1 ms, 120 s above all. */
static const mneme_latency_bucket buckets[] = {{991, 3},
                                               {1087, 5},
                                               {1000000, 7},
                                               {1010000, 11},
                                               {UINT64_C(100000000000), 13},
                                               {UINT64_C(120000000000), 1}};
enum { TIMED = 3 + 5 + 7 + 11 + 13 + 1 };

static const mneme_operation operations[] = {
    {.layer = "api",
     .name = "episode_start",
     .gen_ai = "create_memory",
     .sample = 1,
     .windows[MNEME_WINDOW_LIFE] = {.count = TIMED, .errors = 3, .latency.sum_ns = 1500000000},
     .errors = errors,
     .error_count = 2,
     .buckets = buckets,
     .bucket_count = 6},
    {.layer = "kv",
     .name = "get",
     .gen_ai = "",
     .sample = 1,
     .windows[MNEME_WINDOW_LIFE].count = 9},
};
static const mneme_level levels[] = {
    {"cache", "bytes", "What a cache takes.", "cache", "episodes", MNEME_LEVEL_GAUGE, 4096},
    {"cache_hits", "", "Look-ups that were answered.", "cache", "episodes", MNEME_LEVEL_COUNTER, 7},
    {"cache", "bytes", "What a cache takes.", "cache", "queries", MNEME_LEVEL_GAUGE, 0.5},
    {"cache_hits", "", "Look-ups that were answered.", "cache", "queries", MNEME_LEVEL_COUNTER, 8},
    {"cache", "", "Caches: \"one\" of C:\\\nmany.", "", "", MNEME_LEVEL_GAUGE, 3},
};
static const mneme_query_shape shapes[] = {
    {.text = "episode where meta.a\"b\\c\nd",
     .count = 4,
     .hits = 3,
     .errors = 1,
     .latency = {.count = 4, .sum_ns = 2000000000, .p99_ns = 250000000}},
};
static const mneme_process processes[] = {
    {.pid = 41,
     .command = "python3",
     .since_us = 1500000,
     .operations = operations,
     .operation_count = 2,
     .levels = levels,
     .level_count = 2},
    {.pid = 42,
     .command = "b\xff\"d",
     .since_us = 2000000,
     .self = true,
     .operations = operations + 1,
     .operation_count = 1,
     .levels = levels + 2,
     .level_count = 3,
     .shapes = shapes,
     .shape_count = 1},
};
static const mneme_metrics picture = {
    .size = sizeof(mneme_metrics),
    .store = "/home/a/memory.mdb",
    .on = true,
    .alone = "",
    .ended = 5,
    .total = {.command = "",
              .since_us = 1500000,
              .operations = operations,
              .operation_count = 2,
              .levels = levels,
              .level_count = 5,
              .shapes = shapes,
              .shape_count = 1},
    .processes = processes,
    .process_count = 2,
};

typedef int to_text(const mneme_metrics *, mneme_metrics_scope, mneme_bytes *, mneme_error *);

static mneme_bytes text_of(to_text *format, mneme_metrics_scope scope) {
    mneme_bytes text = {0};
    assert_int_equal(format(&picture, scope, &text, NULL), 0);
    text.data[text.size - 1] = '\0'; /* the last line feed */
    return text;
}

static void check_has(const mneme_bytes *text, const char *part) {
    if (strstr(text->data, part) == NULL)
        fail_msg("there is no\n%s\nin\n%s", part, text->data);
}

static void check_lacks(const mneme_bytes *text, const char *part) {
    if (strstr(text->data, part) != NULL)
        fail_msg("there is\n%s\nin\n%s", part, text->data);
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        count++;
    }
    return count;
}

/* ---- OpenMetrics ----------------------------------------------------------------------------- */

static void metrics_text__says_what_a_family_is(void **state) {
    (void)state;
    mneme_bytes text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_TOTAL);
    check_has(&text, "\n# HELP mneme_operations Operations that have ended, those that failed "
                     "included.\n# TYPE mneme_operations counter\nmneme_operations_total{");
    check_has(&text, "\n# TYPE mneme_cache_bytes gauge\n# UNIT mneme_cache_bytes bytes\n"
                     "mneme_cache_bytes{cache=\"episodes\"} 4096\n"
                     "mneme_cache_bytes{cache=\"queries\"} 0.5\n");
    check_has(&text, "# TYPE mneme_build info\nmneme_build_info{version=\"0");
    check_has(&text, "\nmneme_processes 2\n");
    check_has(&text, "\nmneme_handles_ended_total 5\n");
    check_has(&text, "\nmneme_process_start_time_seconds 1.5\n");
    assert_string_equal(text.data + strlen(text.data) - 5, "# EOF");
    mneme_bytes_free(&text);
}

static void metrics_text__keeps_the_samples_of_a_family_together(void **state) {
    (void)state;
    mneme_bytes text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_EACH);
    assert_int_equal(occurrences(text.data, "# TYPE mneme_cache_bytes "), 1);
    assert_int_equal(occurrences(text.data, "# TYPE mneme_cache_hits "), 1);
    assert_int_equal(occurrences(text.data, "# TYPE mneme_cache "), 1);
    assert_int_equal(occurrences(text.data, "# TYPE mneme_operation_duration_seconds "), 1);
    check_has(&text, "mneme_cache_hits_total{pid=\"41\",cache=\"episodes\"} 7\n"
                     "mneme_cache_hits_total{pid=\"42\",cache=\"queries\"} 8\n");
    mneme_bytes_free(&text);
}

static void metrics_text__names_an_operation_and_its_errors(void **state) {
    (void)state;
    mneme_bytes text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_TOTAL);
    check_has(&text, "mneme_operations_total{layer=\"api\",operation=\"episode_start\","
                     "gen_ai_operation_name=\"create_memory\"} 40\n"
                     "mneme_operations_total{layer=\"kv\",operation=\"get\","
                     "gen_ai_operation_name=\"\"} 9\n");
    check_has(&text, "mneme_operation_errors_total{layer=\"api\",operation=\"episode_start\","
                     "gen_ai_operation_name=\"create_memory\",error_type=\"MNEME_CONFLICT\"} 2\n");
    check_has(&text, "error_type=\"MNEME_NO_SPACE\"} 1\n");
    mneme_bytes_free(&text);
}

static void metrics_text__counts_a_bucket_below_a_bound_when_all_of_it_is(void **state) {
    (void)state;
    mneme_bytes text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_TOTAL);
    static const char *const counts[] = {
        "le=\"1e-06\"} 3\n",  "le=\"2.5e-06\"} 8\n", "le=\"1e-05\"} 8\n", "le=\"0.0005\"} 8\n",
        "le=\"0.001\"} 15\n", "le=\"0.0025\"} 26\n", "le=\"1.0\"} 26\n",  "le=\"50.0\"} 26\n",
        "le=\"100.0\"} 39\n", "le=\"+Inf\"} 40\n"};
    const char *at = strstr(text.data, "mneme_operation_duration_seconds_bucket{layer=\"api\"");
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        assert_non_null(at);
        at = strstr(at, counts[i]);
        if (at == NULL)
            fail_msg("there is no %s", counts[i]);
    }
    check_has(&text, "mneme_operation_duration_seconds_count{layer=\"api\","
                     "operation=\"episode_start\",gen_ai_operation_name=\"create_memory\"} 40\n"
                     "mneme_operation_duration_seconds_sum{layer=\"api\","
                     "operation=\"episode_start\",gen_ai_operation_name=\"create_memory\"} 1.5\n");
    assert_int_equal(occurrences(text.data, "_bucket{layer=\"api\""), 26);
    assert_int_equal(occurrences(text.data, "_bucket{layer=\"kv\""), 26);
    mneme_bytes_free(&text);
}

static void metrics_text__escapes_what_would_end_a_label(void **state) {
    (void)state;
    mneme_bytes text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_TOTAL);
    check_has(&text, "mneme_query_shape_queries_total{shape=\"episode where "
                     "meta.a\\\"b\\\\c\\nd\"} 4\n");
    check_has(&text, "# HELP mneme_cache Caches: \\\"one\\\" of C:\\\\\\nmany.\n");
    check_has(&text, "\nmneme_query_shape_duration_seconds_total{shape=");
    check_has(&text, "\"} 2\n# HELP mneme_query_shape_p99_seconds ");
    mneme_bytes_free(&text);
}

static void metrics_text__has_no_pid_in_a_total_and_no_total_in_one_process(void **state) {
    (void)state;
    mneme_bytes text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_TOTAL);
    check_lacks(&text, "pid=");
    check_lacks(&text, "/home/a");
    mneme_bytes_free(&text);
    text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_SELF);
    check_lacks(&text, "pid=");
    check_lacks(&text, "create_memory");
    check_lacks(&text, "mneme_processes");
    check_has(&text, "\nmneme_cache_hits_total{cache=\"queries\"} 8\n");
    mneme_bytes_free(&text);
    text = text_of(mneme_metrics_to_openmetrics, MNEME_METRICS_EACH);
    check_has(&text, "\nmneme_process_info{pid=\"41\",command=\"python3\"} 1\n");
    check_has(&text, "\nmneme_process_info{pid=\"42\",command=\"b?\\\"d\"} 1\n");
    check_lacks(&text, "mneme_processes");
    mneme_bytes_free(&text);
}

/* ---- The text of Prometheus ------------------------------------------------------------------ */

static void metrics_text__of_prometheus_names_counters_whole(void **state) {
    (void)state;
    mneme_bytes text = text_of(mneme_metrics_to_prometheus, MNEME_METRICS_TOTAL);
    check_has(&text, "\n# TYPE mneme_operations_total counter\nmneme_operations_total{");
    check_has(&text, "# TYPE mneme_build_info gauge\nmneme_build_info{version=\"0");
    check_has(&text, "# HELP mneme_cache Caches: \"one\" of C:\\\\\\nmany.\n");
    check_lacks(&text, "# UNIT");
    check_lacks(&text, "# EOF");
    mneme_bytes_free(&text);
}

/* ---- Both ------------------------------------------------------------------------------------ */

static void metrics_text__appends_and_leaves_what_was_there_when_it_fails(void **state) {
    (void)state;
    mneme_bytes text = {0};
    mneme_error error = {0};
    assert_int_equal(mneme_metrics_to_openmetrics(&picture, MNEME_METRICS_TOTAL, &text, NULL), 0);
    size_t size = text.size;
    assert_int_equal(mneme_metrics_to_openmetrics(&picture, (mneme_metrics_scope)9, &text, &error),
                     MNEME_INVALID);
    assert_int_equal(mneme_metrics_to_openmetrics(NULL, MNEME_METRICS_TOTAL, &text, &error),
                     MNEME_INVALID);
    assert_int_equal(mneme_metrics_to_openmetrics(&picture, MNEME_METRICS_TOTAL, NULL, &error),
                     MNEME_INVALID);
    int failures = 0;
    for (uint64_t k = 1;; k++) {
        mem_fail_after(k);
        int status = mneme_metrics_to_prometheus(&picture, MNEME_METRICS_EACH, &text, &error);
        mem_fail_after(0);
        if (status == 0)
            break;
        assert_int_equal(status, MNEME_NO_MEMORY);
        assert_int_equal(text.size, size);
        failures++;
    }
    assert_true(failures > 0);
    assert_true(text.size > size);
    mneme_bytes_free(&text);
}

/* ---- Visitors -------------------------------------------------------------------------------- */

struct seen {
    int left;
    int answer;
};

static int look(void *context, const mneme_metric *metric) {
    struct seen *seen = context;
    assert_non_null(metric->unit);
    assert_non_null(metric->help);
    assert_true(metric->help[0] != '\0');
    for (size_t i = 0; i < metric->label_count; i++)
        assert_non_null(metric->labels[i].value);
    if (metric->type == MNEME_METRIC_HISTOGRAM) {
        assert_true(isinf(metric->buckets[metric->bucket_count - 1].most));
        assert_int_equal(metric->buckets[metric->bucket_count - 1].count, metric->count);
    }
    return --seen->left == 0 ? seen->answer : 0;
}

static void metrics_visit__ends_when_the_visitor_says_so(void **state) {
    (void)state;
    struct seen seen = {.left = 1000};
    assert_int_equal(mneme_metrics_visit(&picture, MNEME_METRICS_EACH, look, &seen, NULL), 0);
    assert_in_range(1000 - seen.left, 20, 40);
    seen = (struct seen){.left = 7, .answer = 77};
    assert_int_equal(mneme_metrics_visit(&picture, MNEME_METRICS_EACH, look, &seen, NULL), 77);
    assert_int_equal(seen.left, 0);
    mneme_error error;
    assert_int_equal(mneme_metrics_visit(&picture, MNEME_METRICS_EACH, NULL, NULL, &error),
                     MNEME_INVALID);
    assert_non_null(strstr(error.message, "visitor"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_text__says_what_a_family_is),
        cmocka_unit_test(metrics_text__keeps_the_samples_of_a_family_together),
        cmocka_unit_test(metrics_text__names_an_operation_and_its_errors),
        cmocka_unit_test(metrics_text__counts_a_bucket_below_a_bound_when_all_of_it_is),
        cmocka_unit_test(metrics_text__escapes_what_would_end_a_label),
        cmocka_unit_test(metrics_text__has_no_pid_in_a_total_and_no_total_in_one_process),
        cmocka_unit_test(metrics_text__of_prometheus_names_counters_whole),
        cmocka_unit_test(metrics_text__appends_and_leaves_what_was_there_when_it_fails),
        cmocka_unit_test(metrics_visit__ends_when_the_visitor_says_so),
    };
    return cmocka_run_group_tests_name("api/metrics_text", tests, NULL, NULL);
}
