/*
 * feed_row_test.c - the packed rows of a feed's page.
 */
#include "sql_fixture.h"
#include "store/sql/feed_impl.h"

#define ID "000102030405060708090A0B0C0D0EFF"

static int unpack(const char *head, struct feed_row *out, mneme_error *error) {
    const struct sql_value packed[FEED_COLUMNS] = {sql_integer(7), value_of_string(head),
                                                   sql_blob(slice_of_string("body"))};
    return feed_row_unpack(packed, out, error);
}

static void feed_row__has_every_column(void **state) {
    (void)state;
    struct feed_row row;
    assert_int_equal(unpack("step -9223372036854775808 2 9223372036854775807 00000000000000ff 3 4 5"
                            " -6 0 " ID " " ID " [[\"tag\",\"a b  c\"]]",
                            &row, NULL),
                     0);
    const struct sql_value *v = row.values;
    static const uint8_t id[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255};
    const struct {
        size_t column;
        int64_t number;
    } numbers[] = {{0, 7},  {3, INT64_MIN}, {4, 2},   {5, INT64_MAX}, {8, 3},
                   {10, 4}, {11, 5},        {12, -6}, {13, 0}};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        assert_int_equal(v[numbers[i].column].type, SQL_INTEGER);
        assert_true(v[numbers[i].column].integer == numbers[i].number);
    }
    assert_true(slice_equal(v[1].bytes, slice_of_string("step")));
    assert_true(slice_equal(v[2].bytes, slice_of(id, sizeof id)));
    assert_true(slice_equal(v[7].bytes, slice_of(id, sizeof id)));
    assert_true(slice_equal(v[6].bytes, slice_of_string("00000000000000ff")));
    assert_true(slice_equal(v[9].bytes, slice_of_string("[[\"tag\",\"a b  c\"]]")));
    assert_true(v[14].type == SQL_BLOB && slice_equal(v[14].bytes, slice_of_string("body")));
}

static void feed_row__may_have_no_parent(void **state) {
    (void)state;
    struct feed_row row;
    assert_int_equal(unpack("episode 1 2 3 d 0 0 0 0 0 " ID "  []", &row, NULL), 0);
    assert_int_equal(row.values[7].type, SQL_NULL);
    assert_true(slice_equal(row.values[9].bytes, slice_of_string("[]")));
}

static void feed_row__refuses_what_no_store_wrote(void **state) {
    (void)state;
    static const char *const heads[] = {
        "",
        "episode",
        "episode 1 2 3 d 0 0 0 0 0 " ID,
        "episode 1 2 3 d 0 0 0 0 0 " ID " []",
        "episode  2 3 d 0 0 0 0 0 " ID "  []",
        "episode - 2 3 d 0 0 0 0 0 " ID "  []",
        "episode 1.5 2 3 d 0 0 0 0 0 " ID "  []",
        "episode 9223372036854775808 2 3 d 0 0 0 0 0 " ID "  []",
        "episode -9223372036854775809 2 3 d 0 0 0 0 0 " ID "  []",
        "episode 99999999999999999999 2 3 d 0 0 0 0 0 " ID "  []",
        "episode 1 2 3 d 0 0 0 0 0 000102030405060708090a0b0c0d0eff  []",
    };
    for (size_t i = 0; i < COUNT_OF(heads); i++) {
        struct feed_row row;
        mneme_error error = {0};
        assert_int_equal(unpack(heads[i], &row, &error), MNEME_CORRUPT);
        assert_non_null(strstr(error.message, "mneme_record"));
    }
    const struct sql_value number[FEED_COLUMNS] = {{0}};
    struct feed_row row;
    assert_int_equal(feed_row_unpack(number, &row, NULL), MNEME_CORRUPT);
}

/* So that row_read refuses it. */
static void feed_row__gives_an_id_of_another_length_none(void **state) {
    (void)state;
    struct feed_row row;
    assert_int_equal(unpack("episode 1 2 3 d 0 0 0 0 0 0102 0A []", &row, NULL), 0);
    assert_true(row.values[2].type == SQL_BLOB && row.values[2].bytes.size == 0);
    assert_true(row.values[7].type == SQL_BLOB && row.values[7].bytes.size == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(feed_row__has_every_column),
        cmocka_unit_test(feed_row__may_have_no_parent),
        cmocka_unit_test(feed_row__refuses_what_no_store_wrote),
        cmocka_unit_test(feed_row__gives_an_id_of_another_length_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
