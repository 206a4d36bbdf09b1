/*
 * import_test.c - mneme_import: what goes in, what is known again, what is refused, and what is
 * said about it.
 */
#include "exchange_fixture.h"
#include "trajectories.h"

/* ---- Helpers ------------------------------------------------------------------------------ */

static mneme *with_home(void **state, const struct home **home) {
    *home = *state;
    return store_open_quiet("mem:");
}

static void assert_count(mneme *m, mneme_kind kind, size_t expected) {
    assert_int_equal(count_records(m, kind), expected);
}

/* `records` lines of jsonl, each an episode with a text of about `size` bytes. */
static const char *many_lines(const struct home *home, const char *name, unsigned records,
                              size_t size) {
    struct rng rng = {.state = records};
    AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
    const char *path = home_file(home, name);
    for (unsigned i = 0; i < records; i++) {
        buf_printf(&b, "{\"kind\":\"episode\",\"task\":\"%u ", i);
        put_words(&rng, &b, size / 6);
        buf_append_string(&b, "\",\"outcome\":{\"kind\":\"success\"}}\n");
    }
    assert_int_equal(b.status, 0);
    file_write(path, b.data, b.size);
    return path;
}

/* ---- Refusals ----------------------------------------------------------------------------- */

static void exchange_import__refuses_what_it_cannot_read_before_it_begins(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *good = file_with(home, "good.jsonl", "{\"kind\":\"episode\",\"task\":\"t\"}\n");
    const char *bad = file_with(home, "letter.txt", "Dear reader");
    const char *const absent[] = {good, home_file(home, "absent.jsonl")};
    const char *const letter[] = {good, bad}, *const folder[] = {home->directory};
    const char *const nothing[] = {good, NULL};
    mneme_import_options csv = {.size = sizeof csv, .format = "csv"}, sizeless = {.size = 0};
    mneme_import_options large = {.size = sizeof large, .batch = 65537};
    mneme_error error;
    REFUSED(mneme_import(NULL, &good, 1, NULL, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_import(m, NULL, 1, NULL, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_import(m, nothing, 2, NULL, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_import(m, absent, 2, NULL, NULL, &error), MNEME_NOT_FOUND, &error);
    assert_says(&error, "absent.jsonl");
    REFUSED(mneme_import(m, letter, 2, NULL, NULL, &error), MNEME_INVALID, &error);
    assert_says(&error, "letter.txt: its format cannot be guessed");
    REFUSED(mneme_import(m, folder, 1, NULL, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_import(m, &good, 1, &csv, NULL, &error), MNEME_INVALID, &error);
    assert_says(&error, "no format \"csv\"");
    REFUSED(mneme_import(m, &good, 1, &sizeless, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_import(m, &good, 1, &large, NULL, &error), MNEME_INVALID, &error);
    assert_count(m, MNEME_EPISODE, 0);
    store_close_ok(m);
}

static void exchange_import__takes_no_files_and_empty_files(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    mneme_progress total = {.records = 9};
    mneme_error error;
    OK(mneme_import(m, NULL, 0, NULL, &total, &error), &error);
    assert_int_equal(total.records, 0);
    assert_imported(m, file_with(home, "empty", ""), NULL, 0, 0, 0);
    assert_imported(m, file_with(home, "blank", "\n \n"), "tau-bench", 0, 0, 0);
    assert_imported(m, file_with(home, "none.json", "[]"), "tau-bench", 0, 0, 0);
    store_close_ok(m);
}

static void exchange_import__says_file_record_and_field_of_what_is_bad(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *path = file_with(home, "mixed.jsonl",
                                 "{\"kind\":\"episode\",\"task\":\"one\"}\n"
                                 "{\"kind\":\"episode\",\"task\":\"\"}\n"
                                 "\n"
                                 "not JSON\n"
                                 "{\"kind\":\"dragon\"}\n"
                                 "{\"kind\":\"episode\",\"task\":\"two\",\"colour\":1}\n"
                                 "{\"kind\":\"step\",\"episode\":"
                                 "\"01890a5d-ac96-774b-bcce-b302099a8057\"}\n"
                                 "{\"kind\":\"pattern\",\"version\":"
                                 "\"0000000000000001-0000000000000001\",\"type\":\"context\"}\n"
                                 "{\"kind\":\"episode\",\"task\":\"three\"}\n"
                                 "{\"kind\":\"episode\",\"task\":\"fo");
    struct report *report = import_file(m, path, NULL);
    assert_int_equal(report->status, MNEME_PARTIAL);
    assert_says(&report->error, "7 of 9 records were bad; the rest went in");
    assert_int_equal(report->total.imported, 2);
    assert_int_equal(report->total.rejected, 7);
    static const char *const expected[] = {"mixed.jsonl:2: episode: task: ",
                                           "mixed.jsonl:4: ",
                                           "mixed.jsonl:5: record: kind \"dragon\"",
                                           "mixed.jsonl:6: episode: colour: unknown member",
                                           "mixed.jsonl:7: ",
                                           "mixed.jsonl:8: pattern: id: missing",
                                           "mixed.jsonl:10: "};
    const char *line = report->rejected;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        assert_int_equal(strncmp(line, home->directory, strlen(home->directory)), 0);
        const char *found = strstr(line, expected[i]);
        if (!found || found > end)
            fail_msg("\"%.*s\" does not say \"%s\"", (int)(end - line), line, expected[i]);
        line = end + 1;
    }
    assert_string_equal(line, "");
    assert_count(m, MNEME_EPISODE, 2);
    free(report);
    store_close_ok(m);
}

static void exchange_import__takes_what_is_whole_of_a_file_that_is_cut(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *whole = generate_trajectories(home, "whole.json");
    struct file_bytes bytes = file_read(whole);
    const char *cut = home_file(home, "cut.json");
    file_write(cut, bytes.data, bytes.size / 2);
    struct report *report = import_file(m, cut, NULL);
    assert_int_equal(report->status, MNEME_PARTIAL);
    assert_int_equal(report->total.rejected, 1);
    assert_true(report->total.imported > 50 && report->total.imported < 150);
    assert_non_null(strstr(report->rejected, "cut.json: record "));
    assert_non_null(strstr(report->rejected, "cut off"));
    assert_imported(m, whole, NULL, TRAJECTORY_COUNT - report->total.imported,
                    report->total.imported, 0);
    free(report);
    file_bytes_free(&bytes);
    store_close_ok(m);
}

/* A record over the limits is refused by itself, with the limit named. */
static void exchange_import__refuses_a_record_that_is_too_large(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
    const char *path = home_file(home, "large.jsonl");
    buf_append_string(&b, "{\"kind\":\"episode\",\"task\":\"");
    uint8_t *text_at = buf_reserve(&b, 17 << 20);
    assert_non_null(text_at);
    memset(text_at, 'x', 17 << 20);
    b.size += 17 << 20;
    buf_append_string(&b, "\"}\n{\"kind\":\"episode\",\"task\":\"small\"}\n");
    file_write(path, b.data, b.size);
    struct report *report = import_file(m, path, NULL);
    assert_int_equal(report->status, MNEME_PARTIAL);
    assert_int_equal(report->total.imported, 1);
    assert_int_equal(report->total.rejected, 1);
    assert_non_null(strstr(report->rejected, "large.jsonl:1: episode: task: "));
    free(report);
    store_close_ok(m);
}

/* ---- What is there already ---------------------------------------------------------------- */

static void exchange_import__knows_foreign_records_again(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *path = generate_trajectories(home, "runs.json");
    assert_imported(m, path, NULL, TRAJECTORY_COUNT, 0, 0);
    assert_imported(m, path, NULL, 0, TRAJECTORY_COUNT, 0);
    assert_count(m, MNEME_EPISODE, TRAJECTORY_COUNT);
    store_close_ok(m);
}

static void exchange_import__knows_lines_without_ids_again(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *path = file_with(home, "lines.jsonl",
                                 "{\"kind\":\"episode\",\"task\":\"open\"}\n"
                                 "{\"kind\":\"episode\",\"task\":\"mine\",\"origin\":\"run:7\"}\n"
                                 "{\"kind\":\"pattern\",\"type\":\"context\",\"name\":\"p\"}\n"
                                 "{\"kind\":\"heuristic\",\"condition\":\"c\",\"action\":\"a\"}\n"
                                 "{\"kind\":\"episode\",\"task\":\"open\"}\n");
    assert_imported(m, path, NULL, 4, 1, 0);
    assert_imported(m, path, NULL, 0, 5, 0);
    assert_imported(m,
                    file_with(home, "other.jsonl",
                              "{\"kind\":\"episode\",\"task\":\"new\",\"origin\":\"run:7\"}\n"),
                    NULL, 0, 1, 0);
    store_close_ok(m);
}

static void exchange_import__replaces_a_record_of_the_same_id_that_differs(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *old =
        file_with(home, "old.jsonl",
                  "{\"kind\":\"episode\",\"id\":\"01890a5d-ac96-774b-bcce-"
                  "b302099a8057\",\"task\":\"old\",\"steps\":[{\"tool\":\"a\"},"
                  "{\"tool\":\"b\"}]}\n"
                  "{\"kind\":\"step\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8058\","
                  "\"episode\":\"01890a5d-ac96-774b-bcce-b302099a8057\"}\n"
                  "{\"kind\":\"pattern\",\"id\":\"01890a5d-ac96-774b-bcce-"
                  "b302099a8059\",\"type\":\"context\",\"name\":\"p\"}\n");
    const char *new = file_with(home, "new.jsonl",
                                "{\"kind\":\"episode\",\"id\":\"01890a5d-ac96-774b-bcce-"
                                "b302099a8057\",\"task\":\"new\",\"outcome\":{\"kind\":"
                                "\"success\"},\"steps\":[{\"tool\":\"c\"}]}\n"
                                "{\"kind\":\"pattern\",\"id\":\"01890a5d-ac96-774b-bcce-"
                                "b302099a8059\",\"type\":\"context\",\"name\":\"q\"}\n");
    assert_imported(m, old, NULL, 3, 0, 0);
    assert_count(m, MNEME_STEP, 3);
    assert_imported(m, new, NULL, 2, 0, 0);
    assert_count(m, MNEME_STEP, 0);
    assert_imported(m, new, NULL, 0, 2, 0);
    AUTO_BUF struct buf lines = export_all(m);
    buf_append_byte(&lines, 0);
    assert_non_null(strstr((const char *)lines.data, "\"task\":\"new\""));
    assert_non_null(strstr((const char *)lines.data, "\"name\":\"q\""));
    assert_null(strstr((const char *)lines.data, "\"tool\":\"a\""));
    store_close_ok(m);
}

/* The lines of a file are taken one after the other, even if they speak of one record. */
static void exchange_import__takes_lines_of_one_record_in_their_order(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    AUTO_BUF struct buf b = BUF_INIT(JSON_MAX);
    for (int i = 0; i < 100; i++)
        buf_printf(&b,
                   "{\"kind\":\"episode\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                   "\"task\":\"take %d\",\"steps\":[{\"tool\":\"t\"}]}\n",
                   i);
    buf_append_byte(&b, 0);
    assert_imported(m, file_with(home, "takes.jsonl", (const char *)b.data), NULL, 100, 0, 0);
    AUTO_BUF struct buf lines = export_all(m);
    buf_append_byte(&lines, 0);
    assert_non_null(strstr((const char *)lines.data, "\"task\":\"take 99\""));
    assert_count(m, MNEME_STEP, 1);
    store_close_ok(m);
}

static void exchange_import__keeps_the_newer_of_two_versions(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    static const char line[] =
        "{\"kind\":\"pattern\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8059\","
        "\"version\":\"%016x-0000000000000001\",\"type\":\"context\","
        "\"name\":\"v%u\"}\n";
    char content[3][512];
    for (unsigned i = 0; i < 3; i++)
        snprintf(content[i], sizeof content[i], line, i + 1, i + 1);
    assert_imported(m, file_with(home, "2.jsonl", content[1]), NULL, 1, 0, 0);
    assert_imported(m, file_with(home, "1.jsonl", content[0]), NULL, 0, 1, 0);
    assert_imported(m, file_with(home, "2.jsonl", content[1]), NULL, 0, 1, 0);
    assert_imported(m, file_with(home, "3.jsonl", content[2]), NULL, 1, 0, 0);
    store_close_ok(m);
}

/* An export from before an episode was completed, then one from after: its steps move into it. */
static void exchange_import__completes_an_episode_that_was_open(void **state) {
    const struct home *home;
    mneme *from = with_home(state, &home), *to = store_open_quiet(home->path);
    mneme_id episode = start_episode(from, "task");
    mneme_error error;
    append_step(from, &episode, "one");
    AUTO_BUF struct buf open_lines = export_all(from);
    OK(complete(from, &episode, &error), &error);
    AUTO_BUF struct buf sealed_lines = export_all(from);
    file_write(home_file(home, "open.jsonl"), open_lines.data, open_lines.size);
    file_write(home_file(home, "sealed.jsonl"), sealed_lines.data, sealed_lines.size);
    assert_imported(to, home_file(home, "open.jsonl"), NULL, 1, 0, 0);
    assert_count(to, MNEME_STEP, 1);
    assert_imported(to, home_file(home, "sealed.jsonl"), NULL, 1, 0, 0);
    assert_count(to, MNEME_STEP, 0);
    assert_imported(to, home_file(home, "open.jsonl"), NULL, 0, 1, 0);
    assert_count(to, MNEME_STEP, 0);
    AUTO_BUF struct buf out = export_all(to);
    assert_same_bytes(&sealed_lines, &out);
    store_close_ok(from);
    store_close_ok(to);
}

/* ---- The order of things ------------------------------------------------------------------ */

static void exchange_import__gives_ids_in_the_order_of_the_file(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *path = many_lines(home, "many.jsonl", 3000, 400);
    struct report report = {.status = 0};
    mneme_import_options options = report_options(&report, NULL);
    options.threads = 3;
    options.batch = 100;
    import_with(m, path, &options, &report);
    assert_int_equal(report.status, 0);
    mneme_query query = {.kind = MNEME_EPISODE, .order = MNEME_OLDEST_FIRST, .limit = 3000};
    const mneme_page *page;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    assert_int_equal(page->count, 3000);
    for (size_t i = 0; i < page->count; i++) {
        mneme_text task = page->records[i]->as.episode->task;
        assert_int_equal(strtoul(task.data, NULL, 10), i);
        assert_true(i == 0 || memcmp(&page->records[i - 1]->id, &page->records[i]->id, 16) < 0);
    }
    mneme_page_release(m, page);
    store_close_ok(m);
}

static void exchange_import__gives_the_same_store_for_any_number_of_threads(void **state) {
    const struct home *home;
    mneme *one = with_home(state, &home), *four = store_open_quiet("mem:");
    const char *path = generate_trajectories(home, "runs.json");
    struct report report = {.status = 0};
    mneme_import_options options = report_options(&report, NULL);
    import_with(one, path, &options, &report);
    options.threads = 4;
    options.batch = 10;
    import_with(four, path, &options, &report);
    assert_int_equal(report.status, 0);
    assert_int_equal(report.total.imported, TRAJECTORY_COUNT);
    AUTO_BUF struct buf a = export_all(one), b = export_all(four);
    AUTO_ARENA struct arena arena = {0};
    for (uint8_t *x = a.data, *y = b.data; x < a.data + a.size;) {
        uint8_t *x_end = memchr(x, '\n', (size_t)(a.data + a.size - x));
        uint8_t *y_end = memchr(y, '\n', (size_t)(b.data + b.size - y));
        const struct json_node *left = parse_ok(slice_of(x, (size_t)(x_end - x)), &arena);
        const struct json_node *right = parse_ok(slice_of(y, (size_t)(y_end - y)), &arena);
        assert_true(json_same(json_member(left, "origin"), json_member(right, "origin")));
        assert_true(json_same(json_member(left, "extra"), json_member(right, "extra")));
        x = x_end + 1;
        y = y_end + 1;
    }
    store_close_ok(one);
    store_close_ok(four);
}

/* ---- Progress ----------------------------------------------------------------------------- */

static void exchange_import__tells_progress_up_to_the_end(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *path = generate_trajectories(home, "runs.json");
    struct report *report = import_file(m, path, NULL);
    assert_int_equal(report->status, 0);
    assert_true(report->told >= 2);
    assert_int_equal(report->last.records, TRAJECTORY_COUNT);
    assert_int_equal(report->last.bytes_done, report->last.bytes_total);
    assert_string_equal(report->last.file, path);
    free(report);
    store_close_ok(m);
}

static void exchange_import__stops_when_it_is_asked_to(void **state) {
    const struct home *home;
    mneme *m = with_home(state, &home);
    const char *path = generate_trajectories(home, "runs.json");
    struct report report = {.cancel_after = 1};
    mneme_import_options options = report_options(&report, NULL);
    options.threads = 2;
    import_with(m, path, &options, &report);
    assert_int_equal(report.status, MNEME_CANCELLED);
    assert_int_equal(report.total.imported, count_records(m, MNEME_EPISODE));
    report.cancel_after = 0;
    uint64_t before = report.total.imported;
    import_with(m, path, &options, &report);
    assert_int_equal(report.status, 0);
    assert_int_equal(report.total.imported, TRAJECTORY_COUNT - before);
    assert_int_equal(report.total.duplicates, before);
    store_close_ok(m);
}

static void exchange_import__reports_a_store_that_takes_nothing(void **state) {
    const struct home *home = *state;
    mneme_options options = {.size = sizeof options, .read_only = true};
    const char *path = file_with(home, "a.jsonl", "{\"kind\":\"episode\",\"task\":\"t\"}\n");
    mneme_error error;
    mneme *m;
    store_close_ok(store_open_quiet(home->path));
    OK(mneme_open(home->path, &options, &m, &error), &error);
    struct report *report = import_file(m, path, NULL);
    assert_int_equal(report->status, MNEME_PERMISSION);
    assert_int_equal(report->total.imported, 0);
    free(report);
    store_close_ok(m);
}

/* ---- Dictionaries ------------------------------------------------------------------------- */

static void exchange_import__trains_before_the_first_record_goes_in(void **state) {
    const struct home *home = *state;
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    mneme *m;
    OK(mneme_open(home->path, NULL, &m, &error), &error);
    assert_imported(m, generate_trajectories(home, "runs.json"), NULL, TRAJECTORY_COUNT, 0, 0);
    OK(mneme_stats_get(m, &stats, &error), &error);
    assert_int_equal(stats.dictionary_bodies, TRAJECTORY_COUNT);
    assert_true(stats.kinds[MNEME_EPISODE].stored_bytes * 4 <
                stats.kinds[MNEME_EPISODE].plain_bytes);
    store_close_ok(m);
    assert_verified(home->path);
}

/* ---- Failures ----------------------------------------------------------------------------- */

/* The k-th allocation fails, for every k: an error comes back, nothing leaks, no record is there
 * in part, and importing again finishes. */
static void exchange_import__survives_every_failed_allocation(void **state) {
    const struct home *home = *state;
    const char *path =
        file_with(home, "few.jsonl",
                  "{\"kind\":\"episode\",\"task\":\"a\",\"steps\":[{\"tool\":\"x\"}]}\n"
                  "{\"kind\":\"pattern\",\"type\":\"context\",\"name\":\"p\"}\n"
                  "{\"kind\":\"dragon\"}\n"
                  "{\"kind\":\"episode\",\"task\":\"b\",\"outcome\":{\"kind\":"
                  "\"failure\"}}\n");
    int status = MNEME_NO_MEMORY;
    for (uint64_t k = 1; status != MNEME_PARTIAL; k++) {
        mneme *m = store_open_quiet("mem:");
        mneme_import_options options = {.size = sizeof options};
        mneme_error error;
        mem_fail_after(k);
        status = mneme_import(m, &path, 1, &options, NULL, &error);
        mem_fail_after(0);
        assert_true(status == MNEME_NO_MEMORY || status == MNEME_PARTIAL);
        assert_true(error.code == status && error.message[0]);
        struct report *report = import_file(m, path, NULL);
        assert_int_equal(report->total.imported + report->total.duplicates, 3);
        assert_count(m, MNEME_EPISODE, 2);
        assert_count(m, MNEME_STEP, 1);
        free(report);
        store_close_ok(m);
        assert_true(k < 10000);
    }
}

#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(exchange_import__##name, home_setup, home_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(refuses_what_it_cannot_read_before_it_begins),
        CASE(takes_no_files_and_empty_files),
        CASE(says_file_record_and_field_of_what_is_bad),
        CASE(takes_what_is_whole_of_a_file_that_is_cut),
        CASE(refuses_a_record_that_is_too_large),
        CASE(knows_foreign_records_again),
        CASE(knows_lines_without_ids_again),
        CASE(replaces_a_record_of_the_same_id_that_differs),
        CASE(takes_lines_of_one_record_in_their_order),
        CASE(keeps_the_newer_of_two_versions),
        CASE(completes_an_episode_that_was_open),
        CASE(gives_ids_in_the_order_of_the_file),
        CASE(gives_the_same_store_for_any_number_of_threads),
        CASE(tells_progress_up_to_the_end),
        CASE(stops_when_it_is_asked_to),
        CASE(reports_a_store_that_takes_nothing),
        CASE(trains_before_the_first_record_goes_in),
        CASE(survives_every_failed_allocation),
    };
    return cmocka_run_group_tests_name("exchange/import", tests, NULL, NULL);
}
