/*
 * outcome_test.c - what the database says of a write, read: whatever it is, nothing but an error.
 */
#include "sql_fixture.h"
#include "store/sql/write_impl.h"

enum { COUNT = 5 };

static void outcomes__are_read_by_number(void **state) {
    (void)state;
    struct outcome o[COUNT] = {0};
    struct slice text =
        slice_of_string("3:+ 0:12:0:9223372036854775807 1:- 4:1:4611686018427387903:5");
    assert_int_equal(outcomes_parse(text, o, COUNT, NULL), 0);
    assert_true(o[0].known && o[0].applied && o[0].change == 12 && o[0].place == 0);
    assert_true(o[0].clock == INT64_MAX);
    assert_true(o[1].known && !o[1].applied);
    assert_false(o[2].known);
    assert_true(o[3].known && o[3].applied && o[3].change == 0);
    assert_true(o[4].place == INT64_MAX / 2 && o[4].clock == 5);
    assert_int_equal(outcomes_parse(slice_of(NULL, 0), o, COUNT, NULL), 0);
}

static void outcomes__that_are_none_are_an_error(void **state) {
    static const char *const texts[] = {"x",         ":",
                                        "0",         "0:",
                                        "0:1",       "0:1:",
                                        "0:1:2",     "0:1:2:",
                                        "5:+",       "-1:+",
                                        "0:+ ",      "0:+  1:+",
                                        "0:+1:+",    " 0:+",
                                        "0:1:2:3:4", "0:1:2:9223372036854775808",
                                        "0:1:-2:3",  "18446744073709551616:+",
                                        "0:*",       "0:1.5:2:3"};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct outcome o[COUNT] = {0};
        mneme_error error = {0};
        struct slice text = slice_of_string(texts[i]);
        int status = outcomes_parse(text, o, COUNT, &error);
        /* A space at the end leaves nothing behind it, and is no harm. */
        if (status != (strcmp(texts[i], "0:+ ") == 0 ? 0 : MNEME_CORRUPT))
            fail_msg("\"%s\": %d", texts[i], status);
    }
}

static void verdict__is_found_in_any_text(void **state) {
    (void)state;
    struct verdict v;
    assert_true(verdict_find("SQLite error: bad JSON path: 'mneme:12:conflict'", &v));
    assert_true(v.number == 12 && !v.missing && !v.deleted);
    assert_true(verdict_find("JSON path error near 'mneme:0:missing'", &v));
    assert_true(v.number == 0 && v.missing);
    assert_true(verdict_find("error executing a request on the primary: mneme:7:deleted", &v));
    assert_true(v.number == 7 && v.deleted);
    static const char *const others[] = {"",
                                         "mneme",
                                         "mneme:",
                                         "mneme:x:missing",
                                         "mneme:1",
                                         "mneme:1:",
                                         "mneme:1:mis",
                                         "mneme:99999999999999999999:missing",
                                         "UNIQUE constraint failed"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_false(verdict_find(others[i], &v));
    assert_false(verdict_find(NULL, &v));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes__are_read_by_number),
        cmocka_unit_test(outcomes__that_are_none_are_an_error),
        cmocka_unit_test(verdict__is_found_in_any_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
