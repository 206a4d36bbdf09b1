/*
 * tau_bench_test.c - trajectories of tau-bench become episodes, and nothing of them is lost.
 */
#include "exchange/exchange.h"
#include "model/model.h"
#include "rebuild.h"
#include "trajectories.h"

/* ---- Helpers ------------------------------------------------------------------------------ */

/* The records of a file, found and parsed by the JSON parser alone. */
static const struct json_node *source_of(const char *path, struct arena *arena,
                                         struct file_bytes *bytes) {
    *bytes = file_read(path);
    return parse_ok(slice_of(bytes->data, bytes->size), arena);
}

static void assert_rebuilt(const mneme_episode *e, const struct json_node *source) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
    rebuild_tau_bench(e, &arena, &b);
    assert_int_equal(b.status, 0);
    if (!json_same(parse_ok(buf_slice(&b), &arena), source))
        fail_msg("source:\n%.*s\nrebuilt:\n%.*s", (int)source->raw.size,
                 (const char *)source->raw.data, (int)b.size, (const char *)b.data);
}

/* One trajectory, given as text, through the parser and the model's checks. */
static int parse_one(const char *json, const char *path, struct arena *arena, mneme_record *out,
                     mneme_error *error) {
    const struct format_operations *format;
    struct exchange_record parsed = {.identity = IDENTITY_CONTENT};
    struct piece piece = {slice_of_string(json), 1, false};
    int status = format_find("tau-bench", &format, error);
    if (status == 0)
        status = format->parse(&piece, path, arena, &parsed, error);
    if (status == 0)
        status = model_fill(&parsed.record, 1, arena, out, error);
    return status ? status : model_validate(out, error);
}

static mneme_record parse_good(const char *json, struct arena *arena) {
    mneme_record record = {0};
    mneme_error error;
    OK(parse_one(json, "runs.json", arena, &record, &error), &error);
    return record;
}

static void assert_text(mneme_text text, const char *expected) {
    if (!text_is(text, expected))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.size, text.data, expected);
}

/* ---- Cases -------------------------------------------------------------------------------- */

static void exchange_tau_bench__gives_back_every_trajectory_of_the_file(void **state) {
    const struct home *home = *state;
    const char *path = trajectories_file(home);
    AUTO_ARENA struct arena arena = {0};
    struct file_bytes bytes;
    const struct json_node *file = source_of(path, &arena, &bytes);
    mneme *m = store_open_quiet(home->path);
    assert_imported(m, path, NULL, file->count, 0, 0);
    store_close_ok(m);
    m = store_open_quiet(home->path);
    mneme_query query = {.kind = MNEME_EPISODE, .order = MNEME_OLDEST_FIRST, .limit = 10000};
    const mneme_page *page;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    assert_int_equal(page->count, file->count);
    const struct json_node *source = json_first(file);
    for (size_t i = 0; i < page->count; i++, source = json_next(file, source)) {
        assert_rebuilt(page->records[i]->as.episode, source);
        assert_true(page->records[i]->flags & MNEME_FLAG_SEALED);
    }
    mneme_page_release(m, page);
    store_close_ok(m);
    file_bytes_free(&bytes);
}

static void exchange_tau_bench__is_found_by_what_one_asks_for(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    assert_imported(m, trajectories_file(home), "tau-bench", TRAJECTORY_COUNT, 0, 0);
    static const mneme_pair wanted[] = {{{"meta.task_id", 12}, {"7", 1}},
                                        {{"domain", 6}, {"airline", 7}},
                                        {{"type", 4}, {"other", 5}}};
    mneme_query query = {.kind = MNEME_EPISODE, .where = wanted, .where_count = COUNT_OF(wanted)};
    const mneme_page *page;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    assert_int_equal(page->count, 4);
    for (size_t i = 0; i < page->count; i++) {
        const mneme_episode *e = page->records[i]->as.episode;
        bool success = e->outcome.kind == MNEME_SUCCESS;
        assert_true(e->reward.present);
        assert_int_equal(success, e->reward.total > 0.5);
        assert_true(success || e->outcome.kind == MNEME_FAILED);
        assert_true(e->task.size > 0);
    }
    mneme_page_release(m, page);
    store_close_ok(m);
}

static void exchange_tau_bench__makes_a_step_of_a_call_and_its_answer(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_record record = parse_good(
        "{\"task_id\":3,\"trial\":1,\"reward\":1.0000000001,\"info\":{\"task\":{\"instruction\":"
        "\"Fly.\",\"user_id\":\"u\"}},\"traj\":[{\"role\":\"system\",\"content\":\"Retail agent\"},"
        "{\"role\":\"assistant\",\"content\":\"Wait.\",\"tool_calls\":[{\"id\":\"c1\",\"type\":"
        "\"function\",\"function\":{\"name\":\"find\",\"arguments\":\"{ \\\"a\\\" :1}\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"c1\",\"name\":\"find\",\"content\":\"Error: x\"}]}",
        &arena);
    const mneme_episode *e = record.as.episode;
    assert_text(e->task, "Fly.");
    assert_text(e->context.domain, "retail");
    assert_int_equal(e->outcome.kind, MNEME_SUCCESS);
    assert_int_equal(e->steps.count, 1);
    assert_text(e->steps.items[0].tool, "find");
    assert_text(e->steps.items[0].parameters, "{ \"a\" :1}");
    assert_text(e->steps.items[0].output, "Error: x");
    assert_int_equal(e->steps.items[0].result, MNEME_RESULT_ERROR);
    assert_text(metadata_of(&e->steps.items[0].metadata, "tool_call_id"), "c1");
    assert_int_equal(e->message_count, 2);
    assert_text(e->messages[1].text, "Wait.");
    assert_int_equal(e->messages[1].after_step, 0);
    assert_text(metadata_of(&e->metadata, "task_id"), "3");
}

static void exchange_tau_bench__names_a_task_that_has_no_words(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_record record = parse_good("{\"task_id\":41,\"reward\":0,\"traj\":[]}", &arena);
    assert_text(record.as.episode->task, "tau-bench task 41");
    record = parse_good("{\"reward\":0,\"traj\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", &arena);
    assert_text(record.as.episode->task, "Hi");
    record = parse_good("{\"reward\":0,\"traj\":[]}", &arena);
    assert_text(record.as.episode->task, "tau-bench task ?");
}

static void exchange_tau_bench__loses_nothing_of_odd_trajectories(void **state) {
    (void)state;
    struct rng rng = {.state = 7};
    for (int i = 0; i < 20000; i++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
        odd_trajectory(&rng, &b);
        buf_append_byte(&b, 0);
        mneme_record record = parse_good((const char *)b.data, &arena);
        assert_rebuilt(record.as.episode, parse_ok(slice_of(b.data, b.size - 1), &arena));
    }
}

static void exchange_tau_bench__names_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"7", "expected an object"},
        {"{\"reward\":1}", "traj: expected an array of messages"},
        {"{\"traj\":{},\"reward\":1}", "traj: expected an array of messages"},
        {"{\"traj\":[]}", "reward: expected a number"},
        {"{\"traj\":[],\"reward\":\"1\"}", "reward: expected a number"},
        {"{\"traj\":[{\"role\":\"user\",\"content\":\"\"},3],\"reward\":1}",
         "traj[1]: expected an object"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        mneme_error error;
        REFUSED(parse_one(cases[i].json, "x.json", &arena, &record, &error), MNEME_INVALID, &error);
        assert_string_equal(error.message, cases[i].message);
    }
}

/* Many calls that nobody answers, and many answers that nobody asked for: must end soon. */
static void exchange_tau_bench__takes_linear_time_for_unanswered_calls(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
    buf_append_string(&b, "{\"reward\":0,\"traj\":[{\"role\":\"user\",\"content\":\"x\"}");
    for (unsigned i = 0; i < 30000; i++)
        buf_printf(&b,
                   ",{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"id\":\"a%u\","
                   "\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}",
                   i);
    for (unsigned i = 0; i < 30000; i++)
        buf_printf(&b, ",{\"role\":\"tool\",\"tool_call_id\":\"b%u\",\"content\":\"\"}", i);
    buf_append_string(&b, "]}");
    buf_append_byte(&b, 0);
    mneme_record record = parse_good((const char *)b.data, &arena);
    assert_int_equal(record.as.episode->steps.count, 30000);
    assert_int_equal(record.as.episode->message_count, 30001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exchange_tau_bench__gives_back_every_trajectory_of_the_file,
                                        home_setup, home_teardown),
        cmocka_unit_test_setup_teardown(exchange_tau_bench__is_found_by_what_one_asks_for,
                                        home_setup, home_teardown),
        cmocka_unit_test(exchange_tau_bench__makes_a_step_of_a_call_and_its_answer),
        cmocka_unit_test(exchange_tau_bench__names_a_task_that_has_no_words),
        cmocka_unit_test(exchange_tau_bench__loses_nothing_of_odd_trajectories),
        cmocka_unit_test(exchange_tau_bench__names_what_is_wrong),
        cmocka_unit_test(exchange_tau_bench__takes_linear_time_for_unanswered_calls),
    };
    return cmocka_run_group_tests_name("exchange/tau_bench", tests, NULL, NULL);
}
