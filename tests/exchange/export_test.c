/*
 * export_test.c - mneme_export, and the way back: what was exported and imported is the same
 * store, and exports to the same bytes.
 */
#include "exchange_fixture.h"
#include "model/model.h"
#include "support/random_record.h"

enum { STORES = 40, RECORDS = 30 };

/* ---- Helpers ------------------------------------------------------------------------------ */

static int put_one(mneme *m, const mneme_record *record, mneme_error *error) {
    return mneme_put(m, record, 1, NULL, NULL, error);
}

/* Random records of every kind. Steps and checkpoints go to the last open episode, if there is
 * one; without, the store refuses them. */
static void fill_store(mneme *m, uint64_t seed) {
    struct rng rng = {.state = seed};
    mneme_id open_episode = {{0}};
    for (unsigned i = 0; i < RECORDS; i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_kind kind = (mneme_kind)(1 + rng_below(&rng, MNEME_CHECKPOINT));
        mneme_record record;
        mneme_error error;
        random_record(&rng, &arena, kind, &record);
        record.version = (mneme_version){0};
        if (kind == MNEME_STEP || kind == MNEME_CHECKPOINT) {
            if (mneme_id_is_zero(&open_episode))
                continue;
            record.parent = open_episode;
        }
        mneme_checkpoint checkpoint;
        if (kind == MNEME_CHECKPOINT) {
            checkpoint = *record.as.checkpoint;
            checkpoint.episode = open_episode;
            record.as.checkpoint = &checkpoint;
        }
        mneme_step step;
        if (kind == MNEME_STEP) {
            step = *record.as.step;
            step.number = 0;
            record.as.step = &step;
        }
        OK(put_one(m, &record, &error), &error);
        if (kind == MNEME_EPISODE && !(record.flags & MNEME_FLAG_SEALED))
            open_episode = record.id;
    }
}

static struct buf export_of(mneme *m, mneme_kind kind, uint64_t *records) {
    struct buf out = BUF_INIT(JSON_MAX);
    mneme_error error;
    OK(mneme_export(m, kind, export_sink, &out, records, &error), &error);
    return out;
}

static size_t count_lines(const struct buf *b) {
    size_t lines = 0;
    for (size_t i = 0; i < b->size; i++)
        lines += b->data[i] == '\n';
    return lines;
}

/* ---- There and back ----------------------------------------------------------------------- */

static void there_and_back(struct home *home, uint64_t seed, unsigned threads) {
    mneme *first = store_open_quiet("mem:"), *second = store_open_quiet(home->path);
    fill_store(first, seed);
    AUTO_BUF struct buf before = export_all(first);
    const char *path = home_file(home, "out.jsonl");
    file_write(path, before.data ? before.data : (const void *)"", before.size);
    struct report report = {.status = 0};
    mneme_import_options options = report_options(&report, NULL);
    options.threads = threads;
    options.batch = 7;
    import_with(second, path, &options, &report);
    if (report.status)
        fail_msg("seed %llu: %s", (unsigned long long)seed, report.rejected);
    AUTO_BUF struct buf after = export_all(second);
    assert_same_bytes(&before, &after);
    import_with(second, path, &options, &report);
    assert_int_equal(report.status, 0);
    assert_int_equal(report.total.duplicates, report.total.records);
    AUTO_BUF struct buf again = export_all(second);
    assert_same_bytes(&before, &again);
    store_close_ok(first);
    store_close_ok(second);
    home_renew(home);
}

static void exchange_export__comes_back_byte_for_byte(void **state) {
    for (uint64_t seed = 1; seed <= STORES; seed++)
        there_and_back(*state, seed, 1 + (unsigned)(seed % 3));
}

/* Without versions the records are new ones, with the content that they had. */
static void exchange_export__without_versions_comes_back_in_content(void **state) {
    const struct home *home = *state;
    mneme *first = store_open_quiet("mem:"), *second = store_open_quiet("mem:");
    AUTO_BUF struct buf stripped = BUF_INIT(JSON_MAX);
    AUTO_ARENA struct arena arena = {0};
    fill_store(first, 99);
    AUTO_BUF struct buf before = export_all(first);
    for (const uint8_t *line = before.data; line < before.data + before.size;) {
        const uint8_t *end = memchr(line, '\n', (size_t)(before.data + before.size - line));
        mneme_record record;
        mneme_error error;
        OK(model_from_json(slice_of(line, (size_t)(end - line)), MNEME_KIND_NONE, &arena, &record,
                           &error),
           &error);
        record.version = (mneme_version){0};
        OK(model_to_json(&record, &stripped, &error), &error);
        buf_append_byte(&stripped, '\n');
        line = end + 1;
    }
    const char *path = home_file(home, "stripped.jsonl");
    file_write(path, stripped.data, stripped.size);
    assert_imported(second, path, NULL, count_lines(&stripped), 0, 0);
    assert_imported(second, path, NULL, 0, count_lines(&stripped), 0);
    store_close_ok(first);
    store_close_ok(second);
}

/* ---- What is exported --------------------------------------------------------------------- */

static void exchange_export__gives_the_kind_that_was_asked_for(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    mneme_id episode = start_episode(m, "task");
    append_step(m, &episode, "output");
    put_pattern(m, "p", "d");
    uint64_t records = 0;
    AUTO_BUF struct buf episodes = export_of(m, MNEME_EPISODE, &records);
    assert_int_equal(records, 1);
    assert_int_equal(count_lines(&episodes), 1);
    buf_append_byte(&episodes, 0);
    assert_non_null(strstr((const char *)episodes.data, "\"output\":\"output\""));
    AUTO_BUF struct buf all = export_of(m, MNEME_KIND_NONE, &records);
    assert_int_equal(records, 2);
    assert_int_equal(count_lines(&all), 2);
    AUTO_BUF struct buf none = export_of(m, MNEME_RELATION, &records);
    assert_int_equal(records, 0);
    assert_int_equal(none.size, 0);
    store_close_ok(m);
}

static void exchange_export__leaves_deleted_records_out(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    mneme_id id = put_pattern(m, "p", "d");
    mneme_error error;
    OK(mneme_delete(m, MNEME_PATTERN, &id, 1, NULL, &error), &error);
    AUTO_BUF struct buf out = export_all(m);
    assert_int_equal(out.size, 0);
    store_close_ok(m);
}

static void exchange_export__refuses_what_it_cannot_give(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    struct buf out = BUF_INIT(JSON_MAX);
    uint64_t records = 7;
    mneme_error error;
    REFUSED(mneme_export(NULL, MNEME_EPISODE, export_sink, &out, &records, &error), MNEME_INVALID,
            &error);
    REFUSED(mneme_export(m, MNEME_EPISODE, NULL, &out, &records, &error), MNEME_INVALID, &error);
    REFUSED(mneme_export(m, MNEME_STEP, export_sink, &out, &records, &error), MNEME_INVALID,
            &error);
    assert_says(&error, "export kind episode");
    REFUSED(mneme_export(m, MNEME_DICTIONARY, export_sink, &out, &records, &error), MNEME_INVALID,
            &error);
    REFUSED(mneme_export(m, (mneme_kind)99, export_sink, &out, &records, &error), MNEME_INVALID,
            &error);
    assert_int_equal(records, 7);
    store_close_ok(m);
}

static int stop_at_once(void *context, const char *data, size_t size) {
    (void)data, (void)size;
    return ++*(int *)context;
}

static void exchange_export__stops_when_the_sink_says_so(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    uint64_t records = 7;
    int calls = 0;
    mneme_error error;
    put_pattern(m, "p", "d");
    REFUSED(mneme_export(m, MNEME_KIND_NONE, stop_at_once, &calls, &records, &error),
            MNEME_CANCELLED, &error);
    assert_int_equal(calls, 1);
    assert_int_equal(records, 7);
    store_close_ok(m);
}

/* More than one page, and more than one buffer. */
static void exchange_export__gives_every_record_of_many(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    mneme_record records[250];
    mneme_pattern patterns[250];
    char description[1000];
    mneme_error error;
    memset(description, 'd', sizeof description);
    for (size_t i = 0; i < COUNT_OF(records); i++) {
        patterns[i] = pattern_of("p", "d");
        patterns[i].description = (mneme_text){description, sizeof description};
        records[i] = (mneme_record){.kind = MNEME_PATTERN, .as.pattern = &patterns[i]};
    }
    OK(mneme_put(m, records, COUNT_OF(records), NULL, NULL, &error), &error);
    uint64_t count = 0;
    AUTO_BUF struct buf out = export_of(m, MNEME_KIND_NONE, &count);
    assert_int_equal(count, COUNT_OF(records));
    assert_int_equal(count_lines(&out), COUNT_OF(records));
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exchange_export__comes_back_byte_for_byte, home_setup,
                                        home_teardown),
        cmocka_unit_test_setup_teardown(exchange_export__without_versions_comes_back_in_content,
                                        home_setup, home_teardown),
        cmocka_unit_test(exchange_export__gives_the_kind_that_was_asked_for),
        cmocka_unit_test(exchange_export__leaves_deleted_records_out),
        cmocka_unit_test(exchange_export__refuses_what_it_cannot_give),
        cmocka_unit_test(exchange_export__stops_when_the_sink_says_so),
        cmocka_unit_test(exchange_export__gives_every_record_of_many),
    };
    return cmocka_run_group_tests_name("exchange/export", tests, NULL, NULL);
}
