/*
 * tables_test.c - SQLite files with the tables of do-memory: what is read of them, and what a
 * damaged or hostile one can do. do-memory-0.1.40.db of data/ was written by that program, for
 * episodes made up for this test; tables that are not read were dropped from it.
 */
#include <sqlite3.h>
#include <sys/stat.h>

#include "exchange/exchange.h"
#include "exchange_fixture.h"

static const char real_file[] = MNEME_SOURCE_DIR "/tests/exchange/data/do-memory-0.1.40.db";

static const char episodes_table[] =
    "CREATE TABLE episodes(episode_id TEXT PRIMARY KEY, task_description TEXT, steps TEXT,"
    " metadata TEXT, start_time INTEGER, score REAL, picture BLOB);";

/* ---- Helpers ------------------------------------------------------------------------------ */

static void run_sql(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
}

static sqlite3 *database_open(const char *path) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    return db;
}

static const char *database_with(const struct home *home, const char *name, const char *sql) {
    const char *path = home_file(home, name);
    sqlite3 *db = database_open(path);
    run_sql(db, sql);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return path;
}

/* An INSERT of episodes with the numbers from 1. */
static const char *episodes(unsigned count, const char *steps) {
    static char sql[1024];
    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
             "INSERT INTO episodes SELECT printf('0b5e55ed-0000-4000-8000-%%012d', i),"
             " 'task ' || i || '%s', '[]', '{}', 1777000000 + i, 0.5, x'00' FROM n",
             count, steps);
    return sql;
}

static void copy_file(const char *from, const char *to) {
    struct file_bytes bytes = file_read(from);
    file_write(to, bytes.data, bytes.size);
    file_bytes_free(&bytes);
}

static void assert_refused(mneme *m, const char *path, int status, const char *says) {
    mneme_import_options options = {.size = sizeof options, .format = "sqlite"};
    mneme_error error;
    REFUSED(mneme_import(m, &path, 1, &options, NULL, &error), status, &error);
    assert_says(&error, says);
}

static bool is_there(const char *path, const char *ending) {
    char beside[1024];
    struct stat st;
    snprintf(beside, sizeof beside, "%s%s", path, ending);
    return stat(beside, &st) == 0;
}

/* ---- What is read ------------------------------------------------------------------------- */

static void exchange_tables__reads_what_do_memory_stores(void **state) {
    (void)state;
    mneme *m = store_open_quiet("mem:");
    assert_imported(m, real_file, NULL, 10, 0, 0);
    assert_imported(m, real_file, "sqlite", 0, 10, 0);
    assert_int_equal(count_records(m, MNEME_EPISODE), 4);
    assert_int_equal(count_records(m, MNEME_PATTERN), 4);
    assert_int_equal(count_records(m, MNEME_RELATION), 2);
    assert_int_equal(count_records(m, MNEME_CHECKPOINT), 1);
    mneme_pair tag = {mneme_text_of("tag"), mneme_text_of("feature")};
    mneme_query query = {.kind = MNEME_EPISODE, .where = &tag, .where_count = 1};
    const mneme_page *page;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    assert_int_equal(page->count, 1);
    assert_int_equal(page->records[0]->as.episode->steps.count, 2);
    mneme_page_release(m, page);
    store_close_ok(m);
}

static void exchange_tables__goes_through_jsonl_unchanged(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:"), *copy = store_open_quiet("mem:");
    assert_imported(m, real_file, NULL, 10, 0, 0);
    struct buf exported = export_all(m);
    const char *path = home_file(home, "copy.jsonl");
    file_write(path, exported.data, exported.size);
    assert_imported(copy, path, NULL, 11, 0, 0);
    assert_imported(copy, real_file, NULL, 0, 10, 0);
    struct buf again = export_all(copy);
    assert_same_bytes(&exported, &again);
    buf_fini(&exported);
    buf_fini(&again);
    store_close_ok(m);
    store_close_ok(copy);
}

static void exchange_tables__reads_every_table_and_what_belongs_to_an_episode(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    const char *path = database_with(
        home, "all.db",
        "CREATE TABLE episodes(episode_id TEXT, task_description TEXT, metadata TEXT);"
        "INSERT INTO episodes VALUES('0b5e55ed-0000-4000-8000-000000000001', 't', '{\"a\":\"b\"}');"
        "CREATE TABLE episode_tags(episode_id TEXT, tag TEXT);"
        "INSERT INTO episode_tags SELECT episode_id, 'red' FROM episodes;"
        "CREATE TABLE episode_summaries(episode_id TEXT, summary_text TEXT, key_concepts TEXT,"
        " key_steps TEXT, created_at INTEGER);"
        "INSERT INTO episode_summaries SELECT episode_id, 'short', '[\"k\"]', '[]', 7 FROM "
        "episodes;"
        "CREATE TABLE patterns(pattern_id TEXT, pattern_type TEXT, pattern_data TEXT);"
        "INSERT INTO patterns VALUES('0b5e55ed-0000-4000-8000-000000000002',"
        " 'DecisionPoint { id: 2 }', '{\"description\":\"d\"}');"
        "CREATE TABLE heuristics(heuristic_id TEXT, condition_text TEXT, action_text TEXT,"
        " evidence TEXT);"
        "INSERT INTO heuristics VALUES('0b5e55ed-0000-4000-8000-000000000003', 'c', 'a',"
        " '{\"episode_ids\":[\"0b5e55ed-0000-4000-8000-000000000001\"],\"sample_size\":3}');"
        "CREATE TABLE episode_pattern_relationships(relationship_id TEXT, episode_id TEXT,"
        " pattern_id TEXT, relationship_type TEXT, weight REAL);"
        "INSERT INTO episode_pattern_relationships VALUES('0b5e55ed-0000-4000-8000-000000000004',"
        " '0b5e55ed-0000-4000-8000-000000000001', '0b5e55ed-0000-4000-8000-000000000002',"
        " 'references', 0.5);"
        "CREATE TABLE embeddings(embedding_id TEXT, item_id TEXT, item_type TEXT,"
        " embedding_data TEXT, model TEXT, created_at INTEGER);"
        "INSERT INTO embeddings VALUES('e1', '0b5e55ed-0000-4000-8000-000000000001', 'episode',"
        " '[0.5,-1]', 'm', 7), ('e2', 'no id', 'query', '[1]', 'm', 7)");
    assert_imported(m, path, NULL, 5, 0, 0);
    struct buf exported = export_all(m);
    static const char *const parts[] = {
        "\"tags\":[\"red\"]",
        "\"summary\":{\"summary_text\":\"short\",\"key_concepts\":[\"k\"]",
        "\"type\":\"decision_point\",\"name\":\"d\"",
        "\"evidence\":[\"0b5e55ed-0000-4000-8000-000000000001\"]",
        "\"to_kind\":\"pattern\",\"weight\":0.5",
        "\"model\":\"m\"",
        "\"values\":[0.5,-1]"};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (!memmem(exported.data, exported.size, parts[i], strlen(parts[i])))
            fail_msg("%s is not in\n%.*s", parts[i], (int)exported.size, (char *)exported.data);
    buf_fini(&exported);
    store_close_ok(m);
}

/* ---- The file is left alone --------------------------------------------------------------- */

static void exchange_tables__leaves_nothing_beside_a_database_that_has_a_log(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    const char *path = database_with(home, "wal.db", "PRAGMA journal_mode = WAL");
    sqlite3 *db = database_open(path);
    run_sql(db, episodes_table);
    run_sql(db, episodes(3, ""));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_false(is_there(path, "-wal"));
    struct file_bytes before = file_read(path);
    assert_imported(m, path, NULL, 3, 0, 0);
    struct file_bytes after = file_read(path);
    assert_int_equal(before.size, after.size);
    assert_memory_equal(before.data, after.data, before.size);
    assert_false(is_there(path, "-wal"));
    assert_false(is_there(path, "-shm"));
    file_bytes_free(&before);
    file_bytes_free(&after);
    store_close_ok(m);
}

/* What stands in the log alone is there, too. */
static void exchange_tables__reads_a_database_that_is_being_written(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    const char *path = home_file(home, "busy.db");
    sqlite3 *db = database_open(path);
    run_sql(db, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0");
    run_sql(db, episodes_table);
    run_sql(db, episodes(5, ""));
    run_sql(db, "BEGIN; DELETE FROM episodes");
    assert_imported(m, path, NULL, 5, 0, 0);
    run_sql(db, "ROLLBACK");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    store_close_ok(m);
}

/* ---- Hostile files ------------------------------------------------------------------------ */

static void exchange_tables__takes_no_view_and_no_virtual_table_for_a_table(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    assert_refused(m,
                   database_with(home, "view.db",
                                 "CREATE VIEW episodes AS SELECT 'x' AS episode_id;"
                                 "CREATE VIEW patterns(pattern_id) AS SELECT randomblob(9);"),
                   MNEME_INVALID, "has none of the tables");
    assert_refused(
        m,
        database_with(home, "virtual.db", "CREATE VIRTUAL TABLE episodes USING fts5(episode_id)"),
        MNEME_INVALID, "has none of the tables");
    store_close_ok(m);
}

/* A column may be computed, by an expression that takes all the memory there is. */
static void exchange_tables__calls_no_function_of_the_schema(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    const char *path =
        database_with(home, "function.db",
                      "CREATE TABLE heuristics(heuristic_id TEXT, condition_text TEXT,"
                      " action_text TEXT GENERATED ALWAYS AS (hex(zeroblob(100000000))) VIRTUAL);"
                      "INSERT INTO heuristics VALUES('0b5e55ed-0000-4000-8000-000000000001', 'c')");
    assert_refused(m, path, MNEME_INVALID, "heuristics has computed columns");
    store_close_ok(m);
}

static void exchange_tables__rejects_rows_that_are_no_records_and_takes_the_others(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    const char *path = database_with(home, "odd.db", episodes_table);
    sqlite3 *db = database_open(path);
    run_sql(db, episodes(2, ""));
    run_sql(db, "INSERT INTO episodes(episode_id, task_description, steps) VALUES"
                "('0b5e55ed-0000-4000-8000-000000000011', 'a', '__compressed__:zstd:9'),"
                "('0b5e55ed-0000-4000-8000-000000000012', CAST(x'ff' AS TEXT), '[]'),"
                "('no id', 'a', '[]'), (x'00', 'a', '[]'), (NULL, 'a', '[]'),"
                "('0b5e55ed-0000-4000-8000-000000000013', 'zero' || char(0) || 'byte', '[]')");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct report *report = import_file(m, path, NULL);
    assert_int_equal(report->status, MNEME_PARTIAL);
    assert_int_equal(report->total.imported, 3);
    assert_int_equal(report->total.rejected, 5);
    static const char *const said[] = {
        "odd.db: record 3: episode 0b5e55ed-0000-4000-8000-000000000011: steps: is compressed",
        "odd.db: record 4: ", "odd.db: record 5: episode no id: episode_id: expected a UUID",
        "odd.db: record 6: ", "odd.db: record 7: "};
    for (size_t i = 0; i < COUNT_OF(said); i++)
        if (!strstr(report->rejected, said[i]))
            fail_msg("%s does not say %s", report->rejected, said[i]);
    free(report);
    store_close_ok(m);
}

static void exchange_tables__takes_what_comes_before_damage(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    const char *path = database_with(home, "whole.db", episodes_table);
    sqlite3 *db = database_open(path);
    run_sql(db, episodes(2000, " with some words to fill the pages of this table"));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct file_bytes bytes = file_read(path);
    const char *cut = home_file(home, "damaged.db");
    memset((char *)bytes.data + bytes.size / 2 / 4096 * 4096, 0xA5, 4096);
    file_write(cut, bytes.data, bytes.size);
    struct report *report = import_file(m, cut, NULL);
    assert_int_equal(report->status, MNEME_PARTIAL);
    assert_true(report->total.imported > 0 && report->total.imported < 2000);
    assert_int_equal(report->total.rejected, 1);
    assert_non_null(strstr(report->rejected, "database disk image is malformed"));
    assert_non_null(strstr(report->rejected, ".recover"));
    free(report);
    file_bytes_free(&bytes);
    store_close_ok(m);
}

/* An inner page of a table of which each child is the page `child`. */
static void put_fan(uint8_t *page, uint32_t child) {
    enum { PAGE = 512, CELLS = 40, CELL = 5, CONTENT = PAGE - CELLS * CELL };
    memset(page, 0, PAGE);
    page[0] = 5;
    page[4] = CELLS;
    page[5] = CONTENT >> 8;
    page[6] = CONTENT & 0xff;
    put_be32(page + 8, child);
    for (uint8_t i = 0; i < CELLS; i++) {
        size_t at = CONTENT + (size_t)i * CELL;
        page[12 + 2 * i] = (uint8_t)(at >> 8);
        page[13 + 2 * i] = (uint8_t)at;
        put_be32(page + at, child);
        page[at + 4] = (uint8_t)(i + 1);
    }
}

/* Five levels of pages with 41 children each, all of them the same: a small file of 10^8 rows. */
static void exchange_tables__takes_pages_that_lead_in_circles_for_damage(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    const char *path = home_file(home, "fan.db");
    sqlite3 *db = database_open(path);
    run_sql(db, "PRAGMA page_size = 512");
    run_sql(db, episodes_table);
    run_sql(db, episodes(40, ""));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct file_bytes bytes = file_read(path);
    uint8_t *pages = malloc(bytes.size);
    assert_non_null(pages);
    memcpy(pages, bytes.data, bytes.size);
    uint32_t root = 2, fan[5] = {root}, found = 1;
    const uint8_t *old = pages + 512;
    assert_int_equal(old[0], 5); /* the root has children */
    uint32_t leaf = get_be32(old + ((size_t)old[12] << 8 | old[13]));
    for (uint32_t page = 3; page <= bytes.size / 512 && found < COUNT_OF(fan); page++)
        if (page != leaf && pages[(page - 1) * 512] == 13)
            fan[found++] = page;
    assert_int_equal(found, COUNT_OF(fan));
    for (size_t i = 0; i < COUNT_OF(fan); i++)
        put_fan(pages + (fan[i] - 1) * 512, i + 1 < COUNT_OF(fan) ? fan[i + 1] : leaf);
    file_write(path, pages, bytes.size);
    struct report *report = import_file(m, path, NULL);
    assert_int_equal(report->status, MNEME_PARTIAL);
    assert_true(report->total.records > 100 && report->total.records < 100000);
    assert_int_equal(report->total.rejected, 1);
    assert_non_null(strstr(report->rejected, "more text than"));
    free(report);
    free(pages);
    file_bytes_free(&bytes);
    store_close_ok(m);
}

static void exchange_tables__refuses_what_is_no_database_of_that_kind(void **state) {
    const struct home *home = *state;
    mneme *m = store_open_quiet("mem:");
    assert_refused(m, file_with(home, "text.db", "Dear reader, this is no database at all."),
                   MNEME_INVALID, "file is not a database");
    assert_refused(m, file_with(home, "empty.db", ""), MNEME_INVALID, "has none of the tables");
    assert_refused(m, database_with(home, "other.db", "CREATE TABLE episodes(number, text)"),
                   MNEME_INVALID, "MIGRATION.md tells how");
    assert_refused(m, home_file(home, "absent.db"), MNEME_NOT_FOUND, "absent.db");
    assert_false(is_there(home_file(home, "absent.db"), ""));
    store_close_ok(m);
}

/* SQLite would take these names for something else. */
static void exchange_tables__opens_files_with_odd_names(void **state) {
    static const char *const names[] = {"a?mode=memory", "100%41.db", "# x;&.db", "Grüße.db"};
    const struct home *home = *state;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        mneme *m = store_open_quiet("mem:");
        const char *path = home_file(home, names[i]);
        copy_file(real_file, path);
        assert_imported(m, path, NULL, 10, 0, 0);
        store_close_ok(m);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(exchange_tables__reads_what_do_memory_stores),
        CASE(exchange_tables__goes_through_jsonl_unchanged),
        CASE(exchange_tables__reads_every_table_and_what_belongs_to_an_episode),
        CASE(exchange_tables__leaves_nothing_beside_a_database_that_has_a_log),
        CASE(exchange_tables__reads_a_database_that_is_being_written),
        CASE(exchange_tables__takes_no_view_and_no_virtual_table_for_a_table),
        CASE(exchange_tables__calls_no_function_of_the_schema),
        CASE(exchange_tables__rejects_rows_that_are_no_records_and_takes_the_others),
        CASE(exchange_tables__takes_what_comes_before_damage),
        CASE(exchange_tables__takes_pages_that_lead_in_circles_for_damage),
        CASE(exchange_tables__refuses_what_is_no_database_of_that_kind),
        CASE(exchange_tables__opens_files_with_odd_names),
    };
    return cmocka_run_group_tests_name("exchange/tables", tests, NULL, NULL);
}
