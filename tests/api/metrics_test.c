/*
 * metrics_test.c - what a program sees of its own and others' doings through the public calls.
 */
#include <dirent.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "metrics/metrics.h"
#include "support/api_fixture.h"

static const mneme_metrics *picture(mneme *m) {
    const mneme_metrics *metrics;
    mneme_error error;
    OK(mneme_metrics_read(m, &metrics, &error), &error);
    assert_int_equal(metrics->size, sizeof *metrics);
    return metrics;
}

static const mneme_operation *find(const mneme_process *process, const char *layer,
                                   const char *name) {
    for (size_t i = 0; i < process->operation_count; i++)
        if (strcmp(process->operations[i].layer, layer) == 0 &&
            strcmp(process->operations[i].name, name) == 0)
            return &process->operations[i];
    return NULL;
}

static uint64_t count_of(const mneme_process *process, const char *layer, const char *name) {
    const mneme_operation *operation = find(process, layer, name);
    return operation ? operation->windows[MNEME_WINDOW_LIFE].count : 0;
}

static double level_of(const mneme_process *process, const char *name, const char *label) {
    for (size_t i = 0; i < process->level_count; i++)
        if (strcmp(process->levels[i].name, name) == 0 && !*process->levels[i].unit &&
            strcmp(process->levels[i].label_value, label) == 0)
            return process->levels[i].value;
    fail_msg("there is no level %s{%s}", name, label);
    return 0;
}

static mneme *open_slow(const char *path, uint64_t slow_us) {
    mneme_options options = quiet_options();
    mneme *m;
    mneme_error error;
    options.slow_us = slow_us;
    OK(mneme_open(path, &options, &m, &error), &error);
    return m;
}

/* ---- Own doings ------------------------------------------------------------------------------ */

static void read__tells_what_was_done(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    const mneme_record *record;
    mneme_id id = start_episode(m, "one");
    append_step(m, &id, "done");
    OK(complete(m, &id, &error), &error);
    for (int i = 0; i < 3; i++) {
        OK(mneme_acquire(m, MNEME_EPISODE, &id, &record, &error), &error);
        mneme_release(m, record);
    }
    count_records(m, MNEME_EPISODE);
    const mneme_metrics *metrics = picture(m);
    const mneme_process *total = &metrics->total;
    assert_true(metrics->on);
    assert_string_equal(metrics->alone, "");
    assert_string_equal(metrics->store, home->path);
    assert_int_equal(metrics->process_count, 1);
    assert_int_equal(metrics->processes[0].pid, getpid());
    assert_true(metrics->processes[0].self);
    assert_string_equal(metrics->processes[0].command, "api-metrics_tes");
    assert_int_equal(count_of(total, "api", "episode_start"), 1);
    assert_int_equal(count_of(total, "api", "step_append"), 1);
    assert_int_equal(count_of(total, "api", "episode_complete"), 1);
    assert_true(count_of(total, "api", "list") >= 1);
    assert_int_equal(count_of(total, "queue", "commit"), 3);
    assert_int_equal(count_of(total, "kv", "apply"), 3);
    assert_string_equal(find(total, "api", "episode_start")->gen_ai, "create_memory");
    assert_true(level_of(total, "store_records", "") == 1);
    assert_true(level_of(total, "queue_groups", "") == 3);
    mneme_metrics_release(metrics);
    store_close_ok(m);
}

static void read__counts_errors_by_code(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    const mneme_record *record;
    mneme_id none = {{7}};
    for (int i = 0; i < 5; i++)
        REFUSED(mneme_acquire(m, MNEME_EPISODE, &none, &record, &error), MNEME_NOT_FOUND, &error);
    REFUSED(mneme_delete(m, (mneme_kind)99, &none, 1, NULL, &error), MNEME_INVALID, &error);
    const mneme_metrics *metrics = picture(m);
    const mneme_operation *acquire = find(&metrics->total, "api", "acquire");
    assert_non_null(acquire);
    assert_int_equal(acquire->windows[MNEME_WINDOW_LIFE].count, 5);
    assert_int_equal(acquire->windows[MNEME_WINDOW_MINUTE].errors, 5);
    assert_int_equal(acquire->error_count, 1);
    assert_int_equal(acquire->errors[0].code, MNEME_NOT_FOUND);
    assert_int_equal(acquire->errors[0].count, 5);
    assert_int_equal(find(&metrics->total, "api", "delete")->errors[0].code, MNEME_INVALID);
    mneme_metrics_release(metrics);
    store_close_ok(m);
}

static void read__has_histograms_that_add_up(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    for (int i = 0; i < 50; i++)
        start_episode(m, "one of many");
    const mneme_metrics *metrics = picture(m);
    const mneme_operation *start = find(&metrics->total, "api", "episode_start");
    const mneme_latency *life = &start->windows[MNEME_WINDOW_LIFE].latency;
    uint64_t sum = 0, before = 0;
    for (size_t i = 0; i < start->bucket_count; i++) {
        assert_true(start->buckets[i].most_ns > before && start->buckets[i].count > 0);
        before = start->buckets[i].most_ns;
        sum += start->buckets[i].count;
    }
    assert_int_equal(sum, 50);
    assert_int_equal(life->count, 50);
    assert_true(life->p50_ns <= life->p95_ns && life->p95_ns <= life->p99_ns &&
                life->p99_ns <= life->p999_ns && life->p999_ns <= life->max_ns);
    assert_true(life->p50_ns > 0 && life->sum_ns >= life->max_ns);
    mneme_metrics_release(metrics);
    store_close_ok(m);
}

static void queries__are_told_by_form_without_values(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 1);
    mneme_error error;
    const mneme_page *page;
    const mneme_pair where[] = {{text("meta.ticket"), text("SECRET-1")},
                                {text("type"), text("debugging")}};
    const mneme_query query = {.kind = MNEME_EPISODE, .where = where, .where_count = 2};
    start_episode(m, "one");
    for (int i = 0; i < 3; i++) {
        OK(mneme_list(m, &query, &page, &error), &error);
        mneme_page_release(m, page);
    }
    const mneme_metrics *metrics = picture(m);
    assert_int_equal(metrics->total.shape_count, 1);
    assert_string_equal(metrics->total.shapes[0].text, "episode where meta.*,type newest");
    assert_int_equal(metrics->total.shapes[0].count, 3);
    bool told = false; /* but the list of slow ones has them */
    for (size_t i = 0; i < metrics->slow_count; i++)
        told |= strstr(metrics->slow[i].detail, "meta.ticket = SECRET-1, type = debugging") != NULL;
    assert_true(told);
    mneme_metrics_release(metrics);
    store_close_ok(m);
}

static void slow__are_those_above_the_threshold(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 60000000);
    start_episode(m, "one");
    const mneme_metrics *metrics = picture(m);
    assert_int_equal(metrics->slow_count, 0);
    mneme_metrics_release(metrics);
    store_close_ok(m);
    m = open_slow(home->path, 1);
    mneme_id id = start_episode(m, "two");
    char id_text[MNEME_ID_TEXT_SIZE];
    mneme_id_format(&id, id_text);
    metrics = picture(m);
    bool told = false;
    for (size_t i = 0; i < metrics->slow_count; i++)
        told |= strcmp(metrics->slow[i].name, "episode_start") == 0 &&
                strstr(metrics->slow[i].detail, id_text) != NULL;
    assert_true(told);
    mneme_metrics_release(metrics);
    store_close_ok(m);
}

/* ---- Off, and alone -------------------------------------------------------------------------- */

static void no_metrics__measures_nothing_and_sees_others(void **state) {
    struct home *home = *state;
    mneme_options options = quiet_options();
    mneme *off;
    mneme_error error;
    options.no_metrics = true;
    OK(mneme_open(home->path, &options, &off, &error), &error);
    start_episode(off, "unseen");
    const mneme_metrics *metrics = picture(off);
    assert_false(metrics->on);
    assert_int_equal(metrics->process_count, 0);
    assert_int_equal(metrics->total.operation_count, 0);
    mneme_metrics_release(metrics);
    mneme *on = store_open_quiet(home->path);
    start_episode(on, "seen");
    metrics = picture(off);
    assert_int_equal(metrics->process_count, 1);
    assert_int_equal(count_of(&metrics->total, "api", "episode_start"), 1);
    mneme_metrics_release(metrics);
    store_close_ok(on);
    store_close_ok(off);
}

static void levels__of_one_that_is_idle_are_there(void **state) {
    struct home *home = *state;
    mneme_options options = quiet_options();
    mneme *off;
    mneme_error error;
    mneme *idle = store_open_quiet(home->path);
    options.no_metrics = true;
    OK(mneme_open(home->path, &options, &off, &error), &error);
    const mneme_metrics *metrics = picture(off);
    assert_int_equal(metrics->process_count, 1);
    assert_int_equal((int)level_of(&metrics->processes[0], "queue_groups", ""), 0);
    mneme_metrics_release(metrics);
    store_close_ok(off);
    store_close_ok(idle);
}

static void stores_in_memory__are_alone(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    start_episode(m, "one");
    const mneme_metrics *metrics = picture(m);
    assert_true(metrics->on && *metrics->alone);
    assert_int_equal(count_of(&metrics->total, "mem", "apply"), 1);
    mneme_metrics_release(metrics);
    store_close_ok(m);
}

static void read__refuses_what_is_wrong(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    const mneme_metrics *metrics;
    REFUSED(mneme_metrics_read(NULL, &metrics, &error), MNEME_INVALID, &error);
    REFUSED(mneme_metrics_read(m, NULL, &error), MNEME_INVALID, &error);
    mneme_metrics_release(NULL);
    store_close_ok(m);
}

/* ---- Processes ------------------------------------------------------------------------------- */

static int child_puts(void *context) {
    mneme_options options = quiet_options();
    mneme *m;
    mneme_error error;
    CHILD_CHECK(mneme_open(context, &options, &m, &error) == 0, "%s", error.message);
    for (int i = 0; i < 10; i++) {
        mneme_episode episode = {.task = text("a child's")};
        CHILD_CHECK(mneme_episode_start(m, &episode, NULL, NULL, &error) == 0, "%s", error.message);
    }
    CHILD_CHECK(mneme_close(m, &error) == 0, "%s", error.message);
    return 0;
}

static void total__has_what_processes_did_that_are_gone(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    start_episode(m, "ours");
    for (int i = 0; i < 3; i++)
        assert_int_equal(child_run(child_puts, home->path), 0);
    const mneme_metrics *metrics = picture(m);
    assert_int_equal(metrics->ended, 3);
    assert_int_equal(metrics->process_count, 1);
    assert_int_equal(count_of(&metrics->total, "api", "episode_start"), 31);
    assert_int_equal(count_of(&metrics->processes[0], "api", "episode_start"), 1);
    mneme_metrics_release(metrics);
    store_close_ok(m);
}

/* ---- The page about it -------------------------------------------------------------------------
 */

static void docs__name_every_operation_and_level(void **state) {
    (void)state;
    struct file_bytes page = file_read(MNEME_SOURCE_DIR "/docs/metrics.md");
    char *text = malloc(page.size + 1);
    char name[100];
    memcpy(text, page.data, page.size);
    text[page.size] = 0;
    for (unsigned i = 0; i < METER_OPERATION_COUNT; i++) {
        const char *layer = meter_operation_layer((enum meter_operation)i);
        bool short_form = strcmp(layer, "sql") == 0 || strcmp(layer, "mem") == 0;
        snprintf(name, sizeof name, "`%s %s`", layer,
                 short_form ? "…" : meter_operation_name((enum meter_operation)i));
        if (!strstr(text, name))
            fail_msg("docs/metrics.md does not name the operation %s", name);
    }
#define CHECK_LEVEL(id, level, unit, label, value, type, total, help)                              \
    if (!strstr(text, "| `" level "` | " unit " |") || !strstr(text, help))                        \
        fail_msg("docs/metrics.md does not describe the level %s", level);
    METER_LEVEL_TABLE(CHECK_LEVEL)
    free(text);
    file_bytes_free(&page);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

int main(void) {
    static const struct CMUnitTest tests[] = {
        CASE(read__tells_what_was_done),
        CASE(read__counts_errors_by_code),
        CASE(read__has_histograms_that_add_up),
        CASE(queries__are_told_by_form_without_values),
        CASE(slow__are_those_above_the_threshold),
        CASE(no_metrics__measures_nothing_and_sees_others),
        CASE(levels__of_one_that_is_idle_are_there),
        CASE(stores_in_memory__are_alone),
        CASE(read__refuses_what_is_wrong),
        CASE(total__has_what_processes_did_that_are_gone),
        CASE(docs__name_every_operation_and_level),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
