/*
 * read_test.c - how the sql store reads: pages under a server's limit, indexes, and rows that no
 * sql store wrote.
 */
#include "sql_fixture.h"
#include "store/sql/sql_impl.h"

enum { RECORDS = 100 };

static void put_many(struct store *store) {
    struct mutation puts[RECORDS];
    struct attribute tag = attribute_of("tag", "a");
    for (unsigned i = 0; i < RECORDS; i++) {
        puts[i] = put_of(MNEME_EPISODE, i + 1);
        puts[i].record.attributes = &tag;
        puts[i].record.attribute_count = i % 2;
    }
    assert_int_equal(apply_mutations(store, puts, RECORDS, NULL), 0);
}

static void read__asks_for_fewer_rows_when_the_answer_is_too_large(void **state) {
    struct scene *scene = *state;
    put_many(scene->store);
    for (size_t most = 1; most <= 64; most *= 4) {
        AUTO_RECORDS struct record_set set = {0};
        struct record_name names[RECORDS];
        size_t found[RECORDS], before = scene->shim->refusals;
        bool more = true;
        scene->shim->rows_max = most;
        struct store_query query = {.kind = MNEME_EPISODE, .limit = RECORDS - 1};
        assert_int_equal(store_query(scene->store, &query, &set, &more, NULL), 0);
        assert_int_equal(set.count, RECORDS - 1);
        assert_true(more);
        assert_int_equal(store_changes(scene->store, 0, RECORDS, false, &set, NULL), 0);
        assert_int_equal(set.count, 2 * RECORDS - 1);
        for (unsigned i = 0; i < RECORDS; i++)
            names[i] = (struct record_name){MNEME_EPISODE, numbered_id(RECORDS - i)};
        assert_int_equal(store_get(scene->store, names, RECORDS, &set, found, NULL), 0);
        for (unsigned i = 0; i < RECORDS; i++)
            assert_true(id_equal(&set.records[found[i]].id, &names[i].id));
        assert_true(scene->shim->refusals > before);
    }
}

static void read__says_so_when_one_record_is_too_large(void **state) {
    struct scene *scene = *state;
    AUTO_RECORDS struct record_set set = {0};
    struct store_query query = {.kind = MNEME_EPISODE, .limit = 1};
    struct mutation puts[] = {put_of(MNEME_EPISODE, 1), put_of(MNEME_EPISODE, 2)};
    bool more;
    mneme_error error = {0};
    assert_int_equal(apply_mutations(scene->store, puts, 2, NULL), 0);
    scene->shim->rows_max = 1;
    query.limit = 2;
    assert_int_equal(store_query(scene->store, &query, &set, &more, &error), 0);
    assert_int_equal(set.count, 2);
}

/* No plan sorts, or walks a table: what a query costs depends on its page only. */
static void query__is_answered_by_an_index_in_its_order(void **state) {
    static const char *const plans[] = {
        "mneme_record r INDEXED BY mneme_record_time WHERE r.kind = 'episode' AND r.live = 1"
        " AND r.time_us >= 5 AND (r.time_us, r.id) < (9, x'00') ORDER BY r.time_us DESC, r.id DESC",
        "mneme_record r INDEXED BY mneme_record_parent WHERE r.kind = 'step' AND r.parent = x'00'"
        " AND r.live = 1 AND (r.place, r.id) > (3, x'00') ORDER BY r.place, r.id",
        "mneme_record r INDEXED BY mneme_record_name WHERE r.kind = 'episode' AND r.live = 1"
        " AND r.id >= x'00' AND r.id < x'01' ORDER BY r.id",
        "mneme_attribute a CROSS JOIN mneme_record r ON r.kind = 'episode' AND r.id = a.id WHERE"
        " a.kind = 'episode' AND a.name = 'tag' AND a.value = 'a' AND a.time_us >= 5"
        " AND (a.time_us, a.id) < (9, x'00') ORDER BY a.time_us DESC, a.id DESC",
    };
    struct scene *scene = *state;
    for (size_t i = 0; i < COUNT_OF(plans); i++) {
        AUTO_RESULTS struct sql_results results = {0};
        char sql[1024];
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN SELECT %s FROM %s LIMIT 10", row_columns,
                 plans[i]);
        struct sql_step step = {.sql = slice_of_string(sql)};
        struct sql_program program = {.steps = &step, .count = 1};
        assert_int_equal(sql_run(scene->shim->below, &program, &results, NULL), 0);
        assert_int_equal(results.steps[0].outcome, SQL_DONE);
        for (size_t row = 0; row < results.steps[0].rows; row++) {
            struct slice text = results.steps[0].values[row * results.steps[0].columns + 3].bytes;
            assert_null(memmem(text.data, text.size, "SCAN", 4));
            assert_null(memmem(text.data, text.size, "TEMP B-TREE", 11));
        }
    }
}

static void attribute__of_any_bytes_comes_back_and_is_found(void **state) {
    static const struct slice values[] = {{(const uint8_t *)"", 0},
                                          {(const uint8_t *)"\0", 1},
                                          {(const uint8_t *)"a\0b", 3},
                                          {(const uint8_t *)"\xff\xfe", 2},
                                          {(const uint8_t *)"\x01", 1},
                                          {(const uint8_t *)"\x01"
                                                            "61",
                                           3},
                                          {(const uint8_t *)"\xc3\xa9\"\\", 4},
                                          {(const uint8_t *)"'; DROP TABLE x", 15}};
    struct scene *scene = *state;
    for (unsigned i = 0; i < COUNT_OF(values); i++) {
        AUTO_RECORDS struct record_set set = {0};
        struct attribute attribute = {values[i].size ? values[i] : slice_of("n", 1), values[i]};
        struct mutation put = put_of(MNEME_PATTERN, i + 1);
        bool more;
        put.record.attributes = &attribute;
        put.record.attribute_count = 1;
        assert_int_equal(apply_one(scene->store, &put), 0);
        struct store_query query = {
            .kind = MNEME_PATTERN, .filters = &attribute, .filter_count = 1, .limit = 10};
        assert_int_equal(store_query(scene->store, &query, &set, &more, NULL), 0);
        assert_int_equal(set.count, 1);
        assert_true(id_equal(&set.records[0].id, &put.record.id));
        assert_true(slice_equal(set.records[0].attributes[0].value, values[i]));
    }
}

/* ---- Rows that no sql store wrote ------------------------------------------------------------ */

static void row__that_is_not_ours_is_an_error_that_names_the_column(void **state) {
    static const struct {
        const char *change, *text;
    } damages[] = {
        {"kind = 'banana'", "kind"},
        {"kind = x'00'", "kind"},
        {"id = x'0102'", "id"},
        {"time_us = 'noon'", "time_us"},
        {"flags = -1", "flags"},
        {"flags = 4294967296", "flags"},
        {"clock = 0.5", "clock"},
        {"clock = -5", "clock"},
        {"device = 'none'", "device"},
        {"device = 'ABCDEF0123456789'", "device"},
        {"parent = 'x'", "parent"},
        {"place = -1", "place"},
        {"attributes = 'x'", "attributes"},
        {"attributes = '{}'", "attributes"},
        {"attributes = '[[\"a\"]]'", "attributes"},
        {"attributes = '[[\"a\",1]]'", "attributes"},
        {"attributes = '[[\"\",\"\"]]'", "attributes"},
        {"attributes = '[[\"\\u00016\",\"\"]]'", "attributes"},
        {"attributes = '[[\"\\u0001zz\",\"\"]]'", "attributes"},
        {"plain_size = -1", "plain_size"},
        {"body_size = 67108865", "body_size"},
        {"body_size = 2", "body"},
        {"body_size = 4", "checksum"},
        {"chunks = 65", "chunks"},
        {"checksum = checksum + 1", "checksum"},
        {"checksum = 'x'", "checksum"},
        {"body = x'000000'", "checksum"},
        {"body = 'abc'", "body"},
    };
    struct scene *scene = *state;
    for (unsigned i = 0; i < COUNT_OF(damages); i++) {
        AUTO_RECORDS struct record_set set = {0};
        mneme_error error = {0};
        char sql[256];
        struct mutation put = put_of(MNEME_EPISODE, i + 1);
        put.record.body = slice_of("abc", 3);
        assert_int_equal(apply_one(scene->store, &put), 0);
        snprintf(sql, sizeof sql, "UPDATE mneme_record SET %s WHERE change = %d", damages[i].change,
                 (int)put.record.change);
        assert_int_equal(shim_execute(scene->shim, sql, NULL), 0);
        int status = store_changes(scene->store, put.record.change - 1, 10, false, &set, &error);
        if (status != MNEME_CORRUPT || !strstr(error.message, damages[i].text))
            fail_msg("%s: %d, %s", damages[i].change, status, error.message);
        assert_int_equal(set.count, 0);
        snprintf(sql, sizeof sql, "DELETE FROM mneme_record WHERE change = %d",
                 (int)put.record.change);
        (void)shim_execute(scene->shim, sql, NULL);
    }
}

static void stats__do_without_the_size_of_the_file(void **state) {
    struct scene *scene = *state;
    struct store_stats stats;
    struct mutation put = put_of(MNEME_EPISODE, 1);
    assert_int_equal(apply_one(scene->store, &put), 0);
    assert_int_equal(store_stats(scene->store, &stats, NULL), 0);
    assert_true(stats.file_bytes > 4096 && stats.used_bytes <= stats.file_bytes);
    scene->shim->refuses_sizes = true;
    assert_int_equal(store_stats(scene->store, &stats, NULL), 0);
    assert_int_equal(stats.file_bytes, 0);
    assert_int_equal(stats.kinds[MNEME_EPISODE].records, 1);
    assert_int_equal(stats.commits, 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(read__asks_for_fewer_rows_when_the_answer_is_too_large),
        CASE(read__says_so_when_one_record_is_too_large),
        CASE(query__is_answered_by_an_index_in_its_order),
        CASE(attribute__of_any_bytes_comes_back_and_is_found),
        CASE(row__that_is_not_ours_is_an_error_that_names_the_column),
        CASE(stats__do_without_the_size_of_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
