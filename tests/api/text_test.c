/*
 * text_test.c - ids, times, kinds, codes and records as text, through the public interface.
 */
#include <stdlib.h>
#include <string.h>

#include "support/api_fixture.h"
#include "support/random_record.h"

/* ---- Ids ------------------------------------------------------------------------------------- */

static void id__goes_to_text_and_back(void **state) {
    char written[MNEME_ID_TEXT_SIZE];
    mneme_id id, back;
    mneme_error error;
    (void)state;
    for (int i = 0; i < 100; i++) {
        OK(mneme_id_make(&id, &error), &error);
        mneme_id_format(&id, written);
        assert_int_equal(strlen(written), 36);
        OK(mneme_id_parse(text(written), &back, &error), &error);
        assert_memory_equal(&id, &back, sizeof id);
    }
    OK(mneme_id_parse(text("01890A5D-AC96-774B-BCCE-B302099A8057"), &id, &error), &error);
    mneme_id_format(&id, written);
    assert_string_equal(written, "01890a5d-ac96-774b-bcce-b302099a8057");
    OK(mneme_id_parse(text("01890a5dac96774bbcceb302099a8057"), &back, &error), &error);
    assert_memory_equal(&id, &back, sizeof id);
}

static void id_that_is_none__is_refused(void **state) {
    static const char *const bad[] = {"",
                                      "x",
                                      "01890a5d-ac96-774b-bcce-b302099a805",
                                      "01890a5d-ac96-774b-bcce-b302099a80577",
                                      "01890a5d-ac96-774b-bcce-b302099a805g",
                                      "01890a5d_ac96-774b-bcce-b302099a8057",
                                      "01890a5da-c96-774b-bcce-b302099a8057",
                                      " 1890a5d-ac96-774b-bcce-b302099a8057",
                                      "01890a5dac96774bbcceb302099a805\xff",
                                      "--------------------------------",
                                      "{1890a5d-ac96-774b-bcce-b302099a805}",
                                      "../../../../../../../etc/passwd"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mneme_id id = {{0x55}};
        mneme_error error;
        REFUSED(mneme_id_parse(text(bad[i]), &id, &error), MNEME_INVALID, &error);
        assert_int_equal(id.bytes[0], 0x55);
    }
}

/* ---- Times ----------------------------------------------------------------------------------- */

static void time__goes_to_text_and_back(void **state) {
    static const struct {
        int64_t us;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {1, "1970-01-01T00:00:00.000001Z"},
                 {-1, "1969-12-31T23:59:59.999999Z"},
                 {INT64_C(1763712120000001), "2025-11-21T08:02:00.000001Z"},
                 {INT64_C(951782400000000), "2000-02-29T00:00:00Z"},
                 {INT64_C(2147483648000000), "2038-01-19T03:14:08Z"},
                 {INT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
                 {INT64_C(-62135596800000000), "0001-01-01T00:00:00Z"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char written[MNEME_TIME_TEXT_SIZE];
        int64_t back;
        mneme_error error;
        mneme_time_format(cases[i].us, written);
        assert_string_equal(written, cases[i].text);
        OK(mneme_time_parse(text(written), &back, &error), &error);
        assert_int_equal(back, cases[i].us);
    }
}

static void time_as_people_write_it__is_understood(void **state) {
    static const struct {
        const char *text;
        int64_t us;
    } cases[] = {{"2026-11-21", INT64_C(1795219200000000)},
                 {"2026-11-21T08:02:00Z", INT64_C(1795248120000000)},
                 {"2026-11-21 08:02:00z", INT64_C(1795248120000000)},
                 {"2026-11-21T08:02:00.5Z", INT64_C(1795248120500000)},
                 {"2026-11-21T08:02:00.123456789Z", INT64_C(1795248120123456)},
                 {"2026-11-21T10:02:00+02:00", INT64_C(1795248120000000)},
                 {"2026-11-20T20:32:00-11:30", INT64_C(1795248120000000)},
                 {"2016-12-31T23:59:60Z", INT64_C(1483228800000000)}}; /* a leap second */
    mneme_error error;
    int64_t us, now, age;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OK(mneme_time_parse(text(cases[i].text), &us, &error), &error);
        assert_int_equal(us, cases[i].us);
    }
    static const struct {
        const char *text;
        int64_t seconds;
    } ages[] = {{"0s", 0},       {"90s", 90},    {"15m", 900},
                {"36h", 129600}, {"7d", 604800}, {"2w", 1209600}};
    for (size_t i = 0; i < sizeof ages / sizeof *ages; i++) {
        OK(mneme_time_parse(text("now"), &now, &error), &error);
        OK(mneme_time_parse(text(ages[i].text), &age, &error), &error);
        int64_t off = age - (now - ages[i].seconds * 1000000);
        assert_in_range(off, 0, 60 * 1000000); /* the clock went on between the calls */
    }
}

static void time_that_is_none__is_refused(void **state) {
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "2026",
                                      "2026-13-01",
                                      "2026-02-30",
                                      "2025-02-29",
                                      "2026-11-21T",
                                      "2026-11-21T08:02",
                                      "2026-11-21T08:02:00",
                                      "2026-11-21T24:00:00Z",
                                      "2026-11-21T08:60:00Z",
                                      "2026-11-21T08:02:61Z",
                                      "2026-11-21T08:02:00.Z",
                                      "2026-11-21T08:02:00+25:00",
                                      "2026-11-21T08:02:00Zx",
                                      "20261121",
                                      "7",
                                      "d",
                                      "7y",
                                      "-7d",
                                      "99999999999999999999d",
                                      "1e3s",
                                      "now ",
                                      "NaN",
                                      "\xff\xff"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t us = 77;
        mneme_error error;
        REFUSED(mneme_time_parse(text(bad[i]), &us, &error), MNEME_INVALID, &error);
        assert_int_equal(us, 77);
    }
}

/* ---- Codes and kinds ------------------------------------------------------------------------- */

static void every_code__has_a_name_a_text_and_an_exit_code(void **state) {
    (void)state;
#define CHECK_CODE(name, value, exit_code, retryable, sentence)                                    \
    assert_int_equal(name, value);                                                                 \
    assert_string_equal(mneme_status_name(name), #name);                                           \
    assert_string_equal(mneme_status_text(name), sentence);                                        \
    assert_int_equal(mneme_status_retryable(name), retryable);                                     \
    assert_int_equal(mneme_status_exit_code(name), exit_code);
    MNEME_STATUS_TABLE(CHECK_CODE)
#undef CHECK_CODE
    assert_string_equal(mneme_status_name(12345), "MNEME_FAILURE");
    assert_int_equal(mneme_status_exit_code(-1000), 1);
    assert_string_equal(mneme_version_text(), "0.1.0");
}

static void every_kind__has_a_name(void **state) {
    static const char *const names[] = {"episode",   "step",     "pattern",    "heuristic",
                                        "embedding", "relation", "checkpoint", "dictionary",
                                        "superseded"};
    (void)state;
    assert_int_equal(sizeof names / sizeof names[0], MNEME_KIND_COUNT - 1);
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++)
        assert_string_equal(mneme_kind_name((mneme_kind)kind), names[kind - 1]);
    assert_null(mneme_kind_name(MNEME_KIND_NONE));
    assert_null(mneme_kind_name((mneme_kind)MNEME_KIND_COUNT));
    assert_null(mneme_kind_name((mneme_kind)-1));
}

/* ---- Records --------------------------------------------------------------------------------- */

static void record__goes_to_json_and_back_the_same(void **state) {
    struct rng rng = {5};
    (void)state;
    for (int n = 0; n < 200; n++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        const mneme_record *back = NULL;
        mneme_bytes first = {0}, second = {0};
        mneme_error error;
        random_record(&rng, &arena, (mneme_kind)(1 + n % 7), &record);
        OK(mneme_record_to_json(&record, &first, &error), &error);
        OK(mneme_record_from_json((mneme_text){first.data, first.size}, MNEME_KIND_NONE, &back,
                                  &error),
           &error);
        assert_true(records_equal(&record, back));
        OK(mneme_record_to_json(back, &second, &error), &error);
        assert_same_text(&first, &second);
        mneme_record_free(back);
        mneme_bytes_free(&first);
        mneme_bytes_free(&second);
    }
}

static void json__is_appended_and_a_failure_leaves_it(void **state) {
    mneme_bytes bytes = {0};
    mneme_error error;
    mneme_pattern pattern = pattern_of("a", "b");
    mneme_record record = {.kind = MNEME_PATTERN, .id = {{1}}, .as.pattern = &pattern};
    (void)state;
    pattern.id = record.id;
    OK(mneme_record_to_json(&record, &bytes, &error), &error);
    size_t one = bytes.size;
    OK(mneme_record_to_json(&record, &bytes, &error), &error);
    assert_int_equal(bytes.size, 2 * one);
    assert_memory_equal(bytes.data, bytes.data + one, one);
    record.kind = (mneme_kind)99;
    REFUSED(mneme_record_to_json(&record, &bytes, &error), MNEME_INVALID, &error);
    assert_int_equal(bytes.size, 2 * one);
    mneme_bytes_free(&bytes);
    assert_null(bytes.data);
    mneme_bytes_free(&bytes);
}

static void json_that_is_no_record__is_refused_and_named(void **state) {
    static const struct {
        const char *json, *says;
    } cases[] = {{"", ""},
                 {"{", ""},
                 {"[]", ""},
                 {"{}", "kind"},
                 {"{\"kind\":\"cat\"}", "kind"},
                 {"{\"kind\":\"episode\",\"task\":\"t\",\"colour\":1}", "colour"},
                 {"{\"kind\":\"episode\",\"task\":\"t\",\"task\":\"u\"}", "twice"},
                 {"{\"kind\":\"episode\",\"task\":1}", "task"},
                 {"{\"kind\":\"episode\",\"task\":\"\xff\"}", ""},
                 {"{\"kind\":\"episode\",\"task\":\"\\ud800\"}", ""},
                 {"{\"kind\":\"episode\",\"task\":\"t\"} x", ""},
                 {"{\"kind\":\"episode\",\"task\":\"t\",}", ""},
                 {"{\"kind\":\"pattern\",\"type\":\"context\",\"success_rate\":1e999}", "number"},
                 {"\xef\xbb\xbf{}", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const mneme_record *record = NULL;
        mneme_error error;
        REFUSED(mneme_record_from_json(text(cases[i].json), MNEME_KIND_NONE, &record, &error),
                MNEME_INVALID, &error);
        assert_says(&error, cases[i].says);
        assert_null(record);
    }
    char deep[4000];
    memset(deep, '[', sizeof deep);
    const mneme_record *record = NULL;
    mneme_error error;
    REFUSED(mneme_record_from_json((mneme_text){deep, sizeof deep}, MNEME_EPISODE, &record, &error),
            MNEME_TOO_LARGE, &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id__goes_to_text_and_back),
        cmocka_unit_test(id_that_is_none__is_refused),
        cmocka_unit_test(time__goes_to_text_and_back),
        cmocka_unit_test(time_as_people_write_it__is_understood),
        cmocka_unit_test(time_that_is_none__is_refused),
        cmocka_unit_test(every_code__has_a_name_a_text_and_an_exit_code),
        cmocka_unit_test(every_kind__has_a_name),
        cmocka_unit_test(record__goes_to_json_and_back_the_same),
        cmocka_unit_test(json__is_appended_and_a_failure_leaves_it),
        cmocka_unit_test(json_that_is_no_record__is_refused_and_named),
    };
    return cmocka_run_group_tests_name("api/text", tests, NULL, NULL);
}
