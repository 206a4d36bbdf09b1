/*
 * formats_test.c - which format a file has, and where its records begin and end.
 */
#include "exchange/exchange.h"
#include "exchange_fixture.h"

/* ---- Helpers ------------------------------------------------------------------------------ */

static const char *guess(const char *path, const char *content) {
    const struct format_operations *format;
    mneme_error error;
    int status = format_guess(slice_of_string(content), path, &format, &error);
    if (status == 0)
        return format->name;
    assert_int_equal(status, MNEME_INVALID);
    assert_says(&error, path);
    return "none";
}

/* What a splitter finds: "[1:TEXT][2:TEXT]", lines with an L, and "!MESSAGE" for damage. */
static const char *split(const char *format_name, const char *content) {
    static char out[2048];
    const struct format_operations *format;
    mneme_error error;
    struct piece piece;
    enum split_result result;
    size_t size = 0;
    OK(format_find(format_name, &format, &error), &error);
    struct splitter splitter = splitter_of(slice_of_string(content));
    out[0] = 0;
    while ((result = format->split(&splitter, &piece, &error)) == SPLIT_RECORD)
        size += (size_t)snprintf(out + size, sizeof out - size, "[%s%u:%.*s]",
                                 piece.is_line ? "L" : "", (unsigned)piece.number,
                                 (int)piece.text.size, (const char *)piece.text.data);
    if (result == SPLIT_BAD) {
        snprintf(out + size, sizeof out - size, "!%u:%s", (unsigned)piece.number, error.message);
        assert_int_equal(format->split(&splitter, &piece, &error), SPLIT_END);
    }
    return out;
}

#define SPLITS(format, content, expected) assert_string_equal(split(format, content), expected)

/* ---- Guessing ----------------------------------------------------------------------------- */

static void exchange_formats__are_guessed_by_content_before_name(void **state) {
    (void)state;
    assert_string_equal(guess("a", "{\"kind\":\"episode\",\"task\":\"t\"}\n"), "jsonl");
    assert_string_equal(guess("a", " [ {\"task_id\" : 0, \"info\": {\"kind\":1}, \"traj\": []}]"),
                        "tau-bench");
    assert_string_equal(guess("a.jsonl", "{\"reward\":1,\"traj\":[]}\n"), "tau-bench");
    assert_string_equal(guess("a.json", "{\"environment\":\"m\",\"trajectory\":[]}"), "swe-agent");
    assert_string_equal(guess("a.traj", "{\"history\":[]}"), "swe-agent");
    assert_string_equal(guess("a.traj", "{\"kind\":\"step\"}"), "jsonl");
    assert_string_equal(
        guess("a.jsonl", "{\"type\":\"entity\",\"name\":\"n\",\"entityType\":\"e\"}\n"),
        "mcp-memory");
    assert_string_equal(guess("a", "{\"type\":\"relation\",\"relationType\":\"r\"}"), "mcp-memory");
    assert_string_equal(guess("a.json", "{\"backup_id\":\"b\",\"episodes\":[]}"), "do-memory");
    assert_string_equal(guess("a.jsonl", "{\"episode_id\":1,\"task_description\":2}"), "do-memory");
    assert_string_equal(guess("a.jsonl", "SQLite format 3"), "jsonl");
    assert_string_equal(guess("a", "\xEF\xBB\xBF{\"kind\":\"step\"}"), "jsonl");
}

static void exchange_formats__are_guessed_by_name_when_content_does_not_tell(void **state) {
    (void)state;
    assert_string_equal(guess("x/a.jsonl", "{\"task\":\"t\"}"), "jsonl");
    assert_string_equal(guess("x/a.NDJSON", "not JSON"), "jsonl");
    assert_string_equal(guess("x/a.traj", "{"), "swe-agent");
    assert_string_equal(guess("x/a", ""), "jsonl");
    assert_string_equal(guess("x/a", " \n\n"), "jsonl");
}

static void exchange_formats__that_cannot_be_guessed_are_said_to_be(void **state) {
    (void)state;
    assert_string_equal(guess("a.json", "{\"history\":[]}"), "none");
    assert_string_equal(guess("a.txt", "Dear reader"), "none");
    assert_string_equal(guess("a", "[1,2]"), "none");
    assert_string_equal(guess("a", "{\"kin"), "none");
    assert_string_equal(guess("a", "{\"kind"), "none");
    assert_string_equal(guess(".jsonl", "7"), "none");
}

static void exchange_formats__are_found_by_name(void **state) {
    (void)state;
    const struct format_operations *format = NULL;
    mneme_error error;
    OK(format_find("swe-agent", &format, &error), &error);
    assert_string_equal(format->name, "swe-agent");
    REFUSED(format_find("csv", &format, &error), MNEME_INVALID, &error);
    assert_string_equal(error.message,
                        "there is no format \"csv\"; known are jsonl, tau-bench, swe-agent, "
                        "mcp-memory, do-memory, sqlite");
    assert_string_equal(format->name, "swe-agent");
}

/* ---- Splitting ---------------------------------------------------------------------------- */

static void exchange_split__takes_jsonl_by_lines(void **state) {
    (void)state;
    SPLITS("jsonl", "", "");
    SPLITS("jsonl", "\n \r\n\t\n", "");
    SPLITS("jsonl", "{1}\n\n {2}\r\n{3}", "[L1:{1}][L3:{2}][L4:{3}]");
    SPLITS("jsonl", "\xEF\xBB\xBF{1}\n", "[L1:{1}]");
    SPLITS("jsonl", "[{1},\n{2}]", "[L1:[{1},][L2:{2}]]");
}

static void exchange_split__takes_the_elements_of_an_array(void **state) {
    (void)state;
    SPLITS("tau-bench", "[]", "");
    SPLITS("tau-bench", " [ ] \n", "");
    SPLITS("tau-bench", "[{\"a\":\"]}\\\"\"} ,\n{}]", "[1:{\"a\":\"]}\\\"\"}][2:{}]");
    SPLITS("tau-bench", "[7, null,\"x\"]", "[1:7][2:null][3:\"x\"]");
}

static void exchange_split__takes_a_value_a_line_or_values_of_many_lines(void **state) {
    (void)state;
    SPLITS("tau-bench", "{}\n{\n{\"b\":1}\n", "[L1:{}][L2:{][L3:{\"b\":1}]");
    SPLITS("tau-bench", "{\n}\n{ }", "[1:{\n}][2:{ }]");
    SPLITS("tau-bench", "{} {}\n", "[1:{}][2:{}]");
    SPLITS("swe-agent", "{\n\"trajectory\": []\n}\n", "[1:{\n\"trajectory\": []\n}]");
    SPLITS("swe-agent", "", "");
}

static void exchange_split__takes_the_lists_of_an_object(void **state) {
    (void)state;
    SPLITS("do-memory", "{\"backup_id\":\"b\"}", "");
    SPLITS("do-memory", " {\"episodes\" : [ ] } \n", "");
    SPLITS("do-memory",
           "{\"backup_id\":\"]}\",\"episodes\":[{\"a\":[1]} ,{}],\"n\":7,\"patterns\":[{}]}",
           "[1:{\"a\":[1]}][2:{}][3:{}]");
    SPLITS("do-memory", "{\"episode_id\":1}\n{}\n", "[L1:{\"episode_id\":1}][L2:{}]");
    SPLITS("do-memory", "[{},{}]", "[1:{}][2:{}]");
    SPLITS("do-memory", "{\"episodes\":[{}", "[1:{}]!2:the file is cut off: its list does not end");
    SPLITS("do-memory", "{\"episodes\":[{}]",
           "[1:{}]!2:the file is cut off: its object does not end");
    SPLITS("do-memory", "{\"episodes\":[{},", "[1:{}]!2:it is cut off: the file ends within it");
    SPLITS("do-memory", "{\"episodes\":[{} {}]}", "[1:{}]!2:expected ',' or ']' at byte 16");
    SPLITS("do-memory", "{\"episodes\":[] \"patterns\":[]}", "!1:expected ',' or '}' at byte 15");
    SPLITS("do-memory", "{\"episodes\" []}", "!1:expected ':' at byte 12");
    SPLITS("do-memory", "{\"episodes\":[]} x", "!1:there is text behind the object, at byte 16");
    SPLITS("do-memory", "{\"backup_id\":\"", "!1:the file is cut off");
}

static void exchange_split__tells_where_a_file_is_damaged(void **state) {
    (void)state;
    SPLITS("tau-bench", "[", "!1:the file is cut off: its array does not end");
    SPLITS("tau-bench", "[{},", "[1:{}]!2:it is cut off: the file ends within it");
    SPLITS("tau-bench", "[{}", "[1:{}]!2:the file is cut off: its array does not end");
    SPLITS("tau-bench", "[{},{\"a\":", "[1:{}]!2:it is cut off: the file ends within it");
    SPLITS("tau-bench", "[{} {}]", "[1:{}]!2:expected ',' or ']' at byte 4");
    SPLITS("tau-bench", "[{}] x", "[1:{}]!2:there is text behind the array, at byte 5");
    SPLITS("tau-bench", "[{},]",
           "[1:{}]!2:not JSON: expected a value, which begins with "
           "{ [ \" - t f n or a digit");
    SPLITS("swe-agent", "{\n\"a\":", "!1:it is cut off: the file ends within it");
    SPLITS("swe-agent", "hello",
           "!1:not JSON: expected a value, which begins with "
           "{ [ \" - t f n or a digit");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exchange_formats__are_guessed_by_content_before_name),
        cmocka_unit_test(exchange_formats__are_guessed_by_name_when_content_does_not_tell),
        cmocka_unit_test(exchange_formats__that_cannot_be_guessed_are_said_to_be),
        cmocka_unit_test(exchange_formats__are_found_by_name),
        cmocka_unit_test(exchange_split__takes_jsonl_by_lines),
        cmocka_unit_test(exchange_split__takes_the_elements_of_an_array),
        cmocka_unit_test(exchange_split__takes_a_value_a_line_or_values_of_many_lines),
        cmocka_unit_test(exchange_split__takes_the_lists_of_an_object),
        cmocka_unit_test(exchange_split__tells_where_a_file_is_damaged),
    };
    return cmocka_run_group_tests_name("exchange/formats", tests, NULL, NULL);
}
