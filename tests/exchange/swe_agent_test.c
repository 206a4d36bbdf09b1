/*
 * swe_agent_test.c - trajectories of SWE-agent, of older and newer versions, become episodes, and
 * nothing of them is lost. The files of data/ are made up for this test.
 */
#include "exchange/exchange.h"
#include "model/model.h"
#include "rebuild.h"

static const char data_directory[] = MNEME_SOURCE_DIR "/tests/exchange/data/";

/* ---- Helpers ------------------------------------------------------------------------------ */

/* A file of data/, imported into a store in memory and read back. */
struct imported {
    mneme *m;
    const mneme_page *page;
    const mneme_episode *e;
    char path[1024];
};

static void import_open(struct imported *imported, const char *name) {
    mneme_query query = {.kind = MNEME_EPISODE};
    mneme_error error;
    snprintf(imported->path, sizeof imported->path, "%s%s", data_directory, name);
    imported->m = store_open_quiet("mem:");
    assert_imported(imported->m, imported->path, NULL, 1, 0, 0);
    assert_imported(imported->m, imported->path, "swe-agent", 0, 1, 0);
    OK(mneme_list(imported->m, &query, &imported->page, &error), &error);
    assert_int_equal(imported->page->count, 1);
    imported->e = imported->page->records[0]->as.episode;
}

static void import_close(struct imported *imported) {
    mneme_page_release(imported->m, imported->page);
    store_close_ok(imported->m);
}

static void assert_rebuilt(const struct imported *imported) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
    struct file_bytes bytes = file_read(imported->path);
    rebuild_swe_agent(imported->e, &arena, &b);
    const struct json_node *source = parse_ok(slice_of(bytes.data, bytes.size), &arena);
    if (!json_same(parse_ok(buf_slice(&b), &arena), source))
        fail_msg("%s was rebuilt as:\n%.*s", imported->path, (int)b.size, (const char *)b.data);
    file_bytes_free(&bytes);
}

static void assert_text(mneme_text text, const char *expected) {
    if (!text_is(text, expected))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.size, text.data, expected);
}

static int parse_one(const char *json, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    const struct format_operations *format;
    struct exchange_record parsed;
    struct piece piece = {slice_of_string(json), 1, false};
    int status = format_find("swe-agent", &format, error);
    return status ? status : format->parse(&piece, "x.traj", &arena, &parsed, error);
}

/* ---- Cases -------------------------------------------------------------------------------- */

static void exchange_swe_agent__reads_a_run_of_an_older_version(void **state) {
    (void)state;
    struct imported run;
    import_open(&run, "django__django-1.traj");
    assert_rebuilt(&run);
    assert_text(run.e->task, "A form drops\nits label.");
    assert_int_equal(run.e->outcome.kind, MNEME_PARTIAL_SUCCESS);
    assert_text(run.e->outcome.verdict, "submitted");
    assert_text(metadata_of(&run.e->metadata, "instance_id"), "django__django-1");
    assert_text(metadata_of(&run.e->metadata, "environment"), "swe_main");
    assert_int_equal(run.e->steps.count, 2);
    const mneme_step *step = &run.e->steps.items[0];
    assert_text(step->tool, "find_file");
    assert_text(step->action, "find_file forms.py\n");
    assert_int_equal(step->result, MNEME_RESULT_SUCCESS);
    assert_text(metadata_of(&step->metadata, "thought"), "I look for the file first.\n");
    assert_int_equal(run.e->steps.items[1].result, MNEME_RESULT_NONE);
    assert_int_equal(run.e->message_count, 6);
    assert_int_equal(run.e->messages[3].after_step, 0);
    assert_int_equal(run.e->messages[5].after_step, 1);
    import_close(&run);
}

static void exchange_swe_agent__reads_a_run_of_a_newer_version(void **state) {
    (void)state;
    struct imported run;
    import_open(&run, "library-2.traj");
    assert_rebuilt(&run);
    assert_text(run.e->task, "The tool\nleaks memory.");
    assert_int_equal(run.e->outcome.kind, MNEME_FAILED);
    assert_text(run.e->outcome.verdict, "exit_cost");
    assert_true(run.e->steps.items[0].has_latency);
    assert_int_equal(run.e->steps.items[0].latency_ms, 281);
    assert_text(run.e->steps.items[1].tool, "");
    import_close(&run);
}

static void exchange_swe_agent__reads_a_demonstration_with_a_history_only(void **state) {
    (void)state;
    struct imported run;
    import_open(&run, "hello.traj");
    assert_rebuilt(&run);
    assert_text(run.e->task, "Say hello.");
    assert_int_equal(run.e->outcome.kind, MNEME_ABSTAINED);
    assert_int_equal(run.e->steps.count, 0);
    import_close(&run);
}

static void exchange_swe_agent__names_a_run_without_words_after_its_file(void **state) {
    struct imported run;
    const char *path = file_with(*state, "astropy-9.traj", "{\"trajectory\":[],\"info\":{}}");
    mneme_query query = {.kind = MNEME_EPISODE};
    mneme_error error;
    run.m = store_open_quiet("mem:");
    assert_imported(run.m, path, NULL, 1, 0, 0);
    OK(mneme_list(run.m, &query, &run.page, &error), &error);
    assert_text(run.page->records[0]->as.episode->task, "SWE-agent run astropy-9");
    import_close(&run);
}

static void exchange_swe_agent__names_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"[]", "expected an object"},
        {"{\"info\":{}}", "needs the member \"trajectory\" or \"history\""},
        {"{\"trajectory\":null,\"history\":null}",
         "needs the member \"trajectory\" or \"history\""},
        {"{\"trajectory\":{}}", "trajectory: expected an array"},
        {"{\"trajectory\":[{},7]}", "trajectory[1]: expected an object"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mneme_error error;
        REFUSED(parse_one(cases[i].json, &error), MNEME_INVALID, &error);
        assert_string_equal(error.message, cases[i].message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange_swe_agent__reads_a_run_of_an_older_version),
        cmocka_unit_test(exchange_swe_agent__reads_a_run_of_a_newer_version),
        cmocka_unit_test(exchange_swe_agent__reads_a_demonstration_with_a_history_only),
        cmocka_unit_test_setup_teardown(
            exchange_swe_agent__names_a_run_without_words_after_its_file, home_setup,
            home_teardown),
        cmocka_unit_test(exchange_swe_agent__names_what_is_wrong),
    };
    return cmocka_run_group_tests_name("exchange/swe_agent", tests, NULL, NULL);
}
