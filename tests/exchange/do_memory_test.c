/*
 * do_memory_test.c - backups of do-memory become records, and nothing of them is lost.
 *
 * The files do-memory-0.1.40.* of data/ were written by that program, for episodes made up for this
 * test. do-memory-all.json was written by hand after its structs, with what its command line does
 * not write: lists of patterns, heuristics and relationships, and members of other versions.
 */
#include "exchange/exchange.h"
#include "found_again.h"

#define DATA MNEME_SOURCE_DIR "/tests/exchange/data/"

static const char everything[] = DATA "do-memory-all.json";

/* ---- Helpers ------------------------------------------------------------------------------ */

static mneme_id id_numbered(const char *number) {
    char text[64];
    mneme_id id;
    mneme_error error;
    snprintf(text, sizeof text, "0b5e55ed-0000-4000-8000-%012d", atoi(number));
    OK(mneme_id_parse(mneme_text_of(text), &id, &error), &error);
    return id;
}

static const mneme_record *acquire(mneme *m, mneme_kind kind, const char *number) {
    mneme_id id = id_numbered(number);
    const mneme_record *record;
    mneme_error error;
    OK(mneme_acquire(m, kind, &id, &record, &error), &error);
    return record;
}

static void assert_text(mneme_text text, const char *expected) {
    if (!text_is(text, expected))
        fail_msg("\"%.*s\" is not \"%s\"", (int)text.size, text.data, expected);
}

static mneme *store_with(const char *path, uint64_t records) {
    mneme *m = store_open_quiet("mem:");
    assert_imported(m, path, NULL, records, 0, 0);
    assert_imported(m, path, "do-memory", 0, records, 0);
    return m;
}

static int parse_one(const char *json, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    const struct format_operations *format;
    struct exchange_record parsed;
    struct piece piece = {slice_of_string(json), 1, false};
    int status = format_find("do-memory", &format, error);
    return status ? status : format->parse(&piece, "x", &arena, &parsed, error);
}

/* Every list of a backup, each element by itself, so that what one lost is not found in another. */
static void assert_records_found(const struct home *home, const char *path) {
    AUTO_ARENA struct arena arena = {0};
    struct file_bytes bytes = file_read(path);
    struct splitter splitter = splitter_of(slice_of(bytes.data, bytes.size));
    const struct format_operations *format;
    struct piece piece;
    mneme_error error;
    OK(format_find("do-memory", &format, &error), &error);
    while (format->split(&splitter, &piece, &error) == SPLIT_RECORD) {
        mneme *m = store_open_quiet("mem:");
        const char *one = home_file(home, "one.json");
        file_write(one, piece.text.data, piece.text.size);
        assert_imported(m, one, "do-memory", 1, 0, 0);
        struct buf exported = export_all(m);
        assert_all_found(parse_ok(piece.text, &arena), buf_slice(&exported));
        buf_fini(&exported);
        store_close_ok(m);
    }
    file_bytes_free(&bytes);
}

/* ---- Nothing is lost ---------------------------------------------------------------------- */

static void exchange_do_memory__reads_what_its_command_line_writes(void **state) {
    const struct home *home = *state;
    static const char *const paths[] = {DATA "do-memory-0.1.40.json",
                                        DATA "do-memory-0.1.40.jsonl"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        mneme *m = store_with(paths[i], 4);
        assert_int_equal(count_records(m, MNEME_EPISODE), 4);
        assert_int_equal(count_records(m, MNEME_CHECKPOINT), 1);
        assert_records_found(home, paths[i]);
        store_close_ok(m);
    }
}

static void exchange_do_memory__finds_a_place_for_every_member(void **state) {
    assert_records_found(*state, everything);
}

static void exchange_do_memory__goes_through_jsonl_unchanged(void **state) {
    const struct home *home = *state;
    mneme *m = store_with(everything, 11), *copy = store_open_quiet("mem:");
    struct buf exported = export_all(m);
    const char *path = home_file(home, "copy.jsonl");
    file_write(path, exported.data, exported.size);
    assert_imported(copy, path, NULL, 13, 0, 0);
    assert_imported(copy, everything, NULL, 0, 11, 0);
    struct buf again = export_all(copy);
    assert_same_bytes(&exported, &again);
    buf_fini(&exported);
    buf_fini(&again);
    store_close_ok(m);
    store_close_ok(copy);
}

/* ---- What becomes of it ------------------------------------------------------------------- */

static void exchange_do_memory__makes_episodes(void **state) {
    (void)state;
    mneme *m = store_with(everything, 11);
    const mneme_record *record = acquire(m, MNEME_EPISODE, "1");
    const mneme_episode *e = record->as.episode;
    assert_text(e->task_type, "code_generation");
    assert_text(e->context.complexity, "complex");
    assert_int_equal(e->start_us, INT64_C(1777883400123456));
    assert_int_equal(e->outcome.kind, MNEME_PARTIAL_SUCCESS);
    assert_true(e->reward.present && e->reward.part_count == 6);
    assert_int_equal(e->tags.count, 3); /* "login" stands in both lists */
    assert_int_equal(e->applied_count, 2);
    assert_int_equal(e->applied[0].effect, MNEME_EFFECT_HELPED);
    assert_int_equal(e->steps.count, 4);
    assert_text(e->steps.items[0].parameters, "{\"pattern\": \"Set-Cookie\", \"depth\": 3}");
    assert_true(e->steps.items[0].has_tokens && !e->steps.items[1].has_tokens);
    assert_int_equal(e->steps.items[1].result, MNEME_RESULT_ERROR);
    assert_int_equal(e->steps.items[2].result, MNEME_RESULT_TIMEOUT);
    assert_int_equal(e->steps.items[2].number, 3); /* it says 2 a second time */
    assert_int_equal(e->steps.items[3].result, MNEME_RESULT_NONE);
    static const char numbers[] = "\"2\":{\"step_number\":2},\"3\":{\"step_number\":4}";
    assert_non_null(memmem(e->extra.data, e->extra.size, numbers, sizeof numbers - 1));
    mneme_release(m, record);
    static const struct {
        const char *number;
        mneme_outcome_kind kind;
    } others[] = {{"2", MNEME_FAILED},
                  {"3", MNEME_ABSTAINED},
                  {"4", MNEME_OUTCOME_NONE},
                  {"5", MNEME_SUCCESS}};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        record = acquire(m, MNEME_EPISODE, others[i].number);
        assert_int_equal(record->as.episode->outcome.kind, others[i].kind);
        assert_int_equal(record->as.episode->end_us == 0, others[i].kind == MNEME_OUTCOME_NONE);
        mneme_release(m, record);
    }
    store_close_ok(m);
}

static void exchange_do_memory__makes_what_was_learned(void **state) {
    (void)state;
    static const struct {
        const char *number, *type, *name;
        uint64_t occurrences;
    } patterns[] = {{"101", "tool_sequence", "grep -> cargo", 4},
                    {"102", "decision_point", "tests are red", 4},
                    {"103", "error_recovery", "timeout", 0},
                    {"104", "context", "let the compiler lead", 2}};
    mneme *m = store_with(everything, 11);
    for (size_t i = 0; i < COUNT_OF(patterns); i++) {
        const mneme_record *record = acquire(m, MNEME_PATTERN, patterns[i].number);
        assert_text(record->as.pattern->type, patterns[i].type);
        assert_text(record->as.pattern->name, patterns[i].name);
        assert_int_equal(record->as.pattern->occurrences, patterns[i].occurrences);
        assert_true(record->as.pattern->success_rate >= 0.75);
        mneme_release(m, record);
    }
    const mneme_record *record = acquire(m, MNEME_HEURISTIC, "201");
    mneme_id first = id_numbered("1"), second = id_numbered("2");
    assert_int_equal(record->as.heuristic->evidence_count, 1);
    assert_true(id_equal(&record->as.heuristic->evidence[0], &first));
    mneme_release(m, record);
    record = acquire(m, MNEME_RELATION, "401");
    assert_text(record->as.relation->type, "depends_on");
    assert_true(id_equal(&record->as.relation->to, &second));
    mneme_release(m, record);
    record = acquire(m, MNEME_CHECKPOINT, "302");
    assert_true(id_equal(&record->as.checkpoint->episode, &first));
    mneme_release(m, record);
    store_close_ok(m);
}

/* Only the list of checkpoints has changed, and the new one must not be passed over. */
static void exchange_do_memory__sees_that_an_episode_has_one_checkpoint_more(void **state) {
    static const char head[] = "{\"episode_id\":\"0b5e55ed-0000-4000-8000-000000000001\","
                               "\"task_description\":\"t\",\"checkpoints\":[";
    static const char one[] = "{\"checkpoint_id\":\"0b5e55ed-0000-4000-8000-000000000301\"}";
    static const char two[] = ",{\"checkpoint_id\":\"0b5e55ed-0000-4000-8000-000000000302\"}";
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    char text[512];
    snprintf(text, sizeof text, "%s%s]}", head, one);
    assert_imported(m, file_with(home, "one.json", text), NULL, 1, 0, 0);
    snprintf(text, sizeof text, "%s%s%s]}", head, one, two);
    assert_imported(m, file_with(home, "two.json", text), NULL, 1, 0, 0);
    assert_int_equal(count_records(m, MNEME_CHECKPOINT), 2);
    store_close_ok(m);
}

static void exchange_do_memory__keeps_a_local_import_on_this_machine(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    struct report *report = calloc(1, sizeof *report);
    assert_non_null(report);
    mneme_import_options options = report_options(report, NULL);
    options.local_only = true;
    import_with(m, everything, &options, report);
    assert_int_equal(report->status, 0);
    const mneme_record *record = acquire(m, MNEME_EPISODE, "1");
    assert_true(record->flags & MNEME_FLAG_LOCAL);
    mneme_release(m, record);
    free(report);
    store_close_ok(m);
}

/* ---- What is wrong ------------------------------------------------------------------------ */

#define EPISODE "\"episode_id\":\"0b5e55ed-0000-4000-8000-000000000001\",\"task_description\":\"t\""
#define NAMED "episode 0b5e55ed-0000-4000-8000-000000000001: "

static void exchange_do_memory__names_record_and_field_of_what_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"7", "expected an object"},
        {"{}", "is no episode, pattern, heuristic or relationship: "},
        {"{\"episode_id\":\"7\"}", "episode 7: episode_id: expected a UUID"},
        {"{" EPISODE ",\"start_time\":\"now\"}", NAMED "start_time: expected a time"},
        {"{" EPISODE ",\"start_time\":999999999999}", NAMED "start_time: expected a time"},
        {"{" EPISODE ",\"tags\":[7]}", NAMED "tags: expected a list of texts"},
        {"{" EPISODE ",\"steps\":[7]}", NAMED "steps[0]: expected an object"},
        {"{" EPISODE ",\"steps\":[{},{\"result\":\"Lost\"}]}", NAMED "steps[1]: result: expected"},
        {"{" EPISODE ",\"steps\":[{\"latency_ms\":-1}]}", NAMED "steps[0]: latency_ms: expected"},
        {"{" EPISODE ",\"steps\":\"__compressed__:zstd:9\\nAAAA\"}",
         NAMED "steps: is compressed by do-memory"},
        {"{" EPISODE ",\"outcome\":{\"Victory\":{}}}", NAMED "outcome: expected Success"},
        {"{" EPISODE ",\"outcome\":{\"Success\":7}}", NAMED "outcome: expected a text, or"},
        {"{" EPISODE ",\"reward\":{\"total\":1,\"base\":\"x\"}}", NAMED "reward: base: expected"},
        {"{" EPISODE ",\"applied_patterns\":[{}]}", NAMED "applied_patterns[0]: pattern_id: "},
        {"{" EPISODE ",\"checkpoints\":[{}]}", NAMED "checkpoints[0]: checkpoint_id: expected"},
        {"{\"heuristic_id\":\"0b5e55ed-0000-4000-8000-000000000001\",\"confidence\":2}",
         "heuristic 0b5e55ed-0000-4000-8000-000000000001: confidence: expected a number from 0"},
        {"{\"tool_sequence\":{\"tools\":[]}}", "id: expected a UUID"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mneme_error error;
        REFUSED(parse_one(cases[i].json, &error), MNEME_INVALID, &error);
        if (strncmp(error.message, cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("%s: \"%s\" is not \"%s\"", cases[i].json, error.message, cases[i].message);
    }
}

/* Means of 32-bit floats. */
static void exchange_do_memory__takes_a_rate_that_rounding_left_above_one(void **state) {
    (void)state;
    mneme_error error;
    OK(parse_one("{\"error_recovery\":{\"id\":\"0b5e55ed-0000-4000-8000-000000000001\","
                 "\"error_type\":\"e\",\"success_rate\":1.0000001}}",
                 &error),
       &error);
}

static void exchange_do_memory__takes_what_is_whole_of_a_backup_that_is_cut(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    struct file_bytes bytes = file_read(everything);
    const char *cut = home_file(home, "cut.json");
    const char *behind = strstr((const char *)bytes.data, "\"Rename a function\"");
    assert_non_null(behind);
    file_write(cut, bytes.data, (size_t)(behind - (const char *)bytes.data));
    struct report *report = import_file(m, cut, NULL);
    assert_int_equal(report->status, MNEME_PARTIAL);
    assert_int_equal(report->total.imported, 4);
    assert_non_null(strstr(report->rejected, "cut.json: record 5: it is cut off"));
    free(report);
    file_bytes_free(&bytes);
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exchange_do_memory__reads_what_its_command_line_writes,
                                        home_setup, home_teardown),
        cmocka_unit_test_setup_teardown(exchange_do_memory__finds_a_place_for_every_member,
                                        home_setup, home_teardown),
        cmocka_unit_test_setup_teardown(exchange_do_memory__goes_through_jsonl_unchanged,
                                        home_setup, home_teardown),
        cmocka_unit_test(exchange_do_memory__makes_episodes),
        cmocka_unit_test(exchange_do_memory__makes_what_was_learned),
        cmocka_unit_test_setup_teardown(
            exchange_do_memory__sees_that_an_episode_has_one_checkpoint_more, home_setup,
            home_teardown),
        cmocka_unit_test(exchange_do_memory__keeps_a_local_import_on_this_machine),
        cmocka_unit_test(exchange_do_memory__names_record_and_field_of_what_is_wrong),
        cmocka_unit_test(exchange_do_memory__takes_a_rate_that_rounding_left_above_one),
        cmocka_unit_test_setup_teardown(
            exchange_do_memory__takes_what_is_whole_of_a_backup_that_is_cut, home_setup,
            home_teardown),
    };
    return cmocka_run_group_tests_name("exchange/do_memory", tests, NULL, NULL);
}
