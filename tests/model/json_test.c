/*
 * json_test.c - records to JSON lines and back (docs/jsonl.md).
 */
#include "codec/codec.h"
#include "model_fixture.h"

enum { RANDOM_ROUNDS = 400 };

/* ---- There and back ---------------------------------------------------------------------- */

static void round_trip(mneme_kind kind, uint64_t seed) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf line = BUF_INIT(FIXTURE_BUF_MAX), again = BUF_INIT(FIXTURE_BUF_MAX);
    AUTO_BUF struct buf body = BUF_INIT(FIXTURE_BUF_MAX), body_again = BUF_INIT(FIXTURE_BUF_MAX);
    struct rng rng = {seed};
    mneme_record record, read;
    mneme_error error = {0};
    struct stored_record stored;
    random_record(&rng, &arena, kind, &record);
    int status = model_to_json(&record, &line, &error);
    if (status == 0)
        status = model_from_json(buf_slice(&line), MNEME_KIND_NONE, &arena, &read, &error);
    if (status)
        fail_msg("seed %llu: %s", (unsigned long long)seed, error.message);
    assert_null(memchr(line.data, '\n', line.size));
    assert_true(utf8_valid(buf_slice(&line)));
    if (!records_equal(&record, &read))
        fail_msg("a %s of seed %llu came back different", kind_name(kind),
                 (unsigned long long)seed);
    assert_int_equal(model_to_json(&read, &again, &error), 0);
    assert_true(slice_equal(buf_slice(&line), buf_slice(&again)));
    assert_int_equal(model_encode(&record, &arena, &body, &stored, &error), 0);
    assert_int_equal(model_encode(&read, &arena, &body_again, &stored, &error), 0);
    assert_true(slice_equal(buf_slice(&body), buf_slice(&body_again)));
}

static void json_round_trip__keeps_everything_of_random_records(void **state) {
    (void)state;
    for (int kind = MNEME_EPISODE; kind < MNEME_KIND_COUNT; kind++)
        for (uint64_t seed = 0; seed < RANDOM_ROUNDS && kind != MNEME_DICTIONARY; seed++)
            round_trip((mneme_kind)kind, seed);
}

/* Reads `json` and checks that it is written as `expected`. */
static void assert_rewritten(const char *json, mneme_kind kind, const char *expected) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf line = BUF_INIT(FIXTURE_BUF_MAX);
    mneme_record record;
    mneme_error error = {0};
    int status = model_from_json(slice_of_string(json), kind, &arena, &record, &error);
    if (status == 0)
        status = model_to_json(&record, &line, &error);
    if (status)
        fail_msg("%s: %s", json, error.message);
    buf_append_byte(&line, 0);
    assert_int_equal(line.status, 0);
    assert_string_equal((const char *)line.data, expected);
}

static void json_out__embeds_json_where_its_bytes_survive_and_else_a_string(void **state) {
    (void)state;
    static const char *const rows[][2] = {
        /* what the agent wrote, as a string; how it stands in the line */
        {"\"{}\"", "{}"},
        {"\"{ \\\"a\\\" : 1.0 }\"", "{ \"a\" : 1.0 }"},
        {"[1, 2e5,18446744073709551616]", "[1, 2e5,18446744073709551616]"},
        {"{\"\\u0041\":\"\\u00e9\"}", "{\"\\u0041\":\"\\u00e9\"}"},
        {"\"[1,\\n2]\"", "\"[1,\\n2]\""},
        {"\" {}\"", "\" {}\""},
        {"\"{} \"", "\"{} \""},
        {"\"{\\\"a\\\":1,\\\"a\\\":2}\"", "\"{\\\"a\\\":1,\\\"a\\\":2}\""},
        {"\"[1e999]\"", "\"[1e999]\""},
        {"\"{broken\"", "\"{broken\""},
        {"\"5\"", "\"5\""},
        {"\"\\\"text\\\"\"", "\"\\\"text\\\"\""},
        {"\"null\"", "\"null\""},
        {"\"\\u0000\\u001f\\u007f\"", "\"\\u0000\\u001f\x7f\""},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        char in[256], out[256];
        snprintf(in, sizeof in, "{\"kind\":\"pattern\",\"content\":%s}", rows[i][0]);
        snprintf(out, sizeof out, "{\"kind\":\"pattern\",\"content\":%s}", rows[i][1]);
        assert_rewritten(in, MNEME_KIND_NONE, out);
    }
}

/* A JSON text at the depth limit would not be readable inside a line, so it goes in as a string. */
static void json_out__keeps_lines_within_the_depth_that_is_read(void **state) {
    (void)state;
    for (size_t depth = JSON_DEPTH_MAX - 6; depth <= JSON_DEPTH_MAX; depth++) {
        AUTO_ARENA struct arena arena = {0};
        AUTO_BUF struct buf deep = BUF_INIT(4096), line = BUF_INIT(4096);
        for (size_t i = 0; i < depth; i++)
            buf_append_byte(&deep, '[');
        for (size_t i = 0; i < depth; i++)
            buf_append_byte(&deep, ']');
        const mneme_step step = {.parameters = text_of_slice(buf_slice(&deep))};
        const mneme_episode e = {.task = text_of("t"), .steps = {&step, 1}};
        const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
        mneme_record read;
        assert_int_equal(json_check(buf_slice(&deep), NULL), 0);
        assert_int_equal(model_to_json(&record, &line, NULL), 0);
        assert_int_equal(model_from_json(buf_slice(&line), MNEME_KIND_NONE, &arena, &read, NULL),
                         0);
        assert_true(text_equal(read.as.episode->steps.items[0].parameters, step.parameters));
    }
}

static void json_in__takes_null_as_not_given_and_members_in_any_order(void **state) {
    (void)state;
    assert_rewritten("{\"tags\":null,\"version\":null,\"start\":null,\"reward\":null,"
                     "\"outcome\":{\"kind\":null},\"task\":\"t\",\"kind\":\"episode\"}",
                     MNEME_KIND_NONE, "{\"kind\":\"episode\",\"task\":\"t\"}");
    assert_rewritten(" { \"outcome\" : {\"reason\":\"r\",\"kind\":\"failure\"}, \"task\":\"t\",\n"
                     "\"id\":\"01890A5DAC96774BBCCEB302099A8057\"}\t",
                     MNEME_EPISODE,
                     "{\"kind\":\"episode\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\","
                     "\"task\":\"t\",\"outcome\":{\"kind\":\"failure\",\"reason\":\"r\"}}");
}

static void json_in__lets_the_member_kind_decide(void **state) {
    (void)state;
    assert_rewritten("{\"kind\":\"heuristic\",\"condition\":\"c\"}", MNEME_EPISODE,
                     "{\"kind\":\"heuristic\",\"condition\":\"c\"}");
}

static void json_in__keeps_zero_apart_from_absent_where_the_struct_does(void **state) {
    (void)state;
    assert_rewritten("{\"task\":\"t\",\"reward\":{\"total\":0},\"steps\":["
                     "{\"latency_ms\":0,\"tokens\":-9223372036854775808},{\"tool\":\"x\"}]}",
                     MNEME_EPISODE,
                     "{\"kind\":\"episode\",\"task\":\"t\",\"reward\":{\"total\":0},\"steps\":["
                     "{\"latency_ms\":0,\"tokens\":-9223372036854775808},{\"tool\":\"x\"}]}");
}

static void json_out__has_the_version_and_the_episode_of_a_step(void **state) {
    (void)state;
    assert_rewritten("{\"kind\":\"step\",\"version\":\"0123456789abcdef-00000000000000ff\","
                     "\"episode\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"number\":3}",
                     MNEME_KIND_NONE,
                     "{\"kind\":\"step\",\"version\":\"0123456789abcdef-00000000000000ff\","
                     "\"episode\":\"01890a5d-ac96-774b-bcce-b302099a8057\",\"number\":3}");
}

/* ---- Refusals ---------------------------------------------------------------------------- */

static void json_in__names_the_field_that_is_wrong(void **state) {
    (void)state;
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"[]", "record: expected a JSON object"},
        {"{}", "record: needs the member \"kind\", such as \"episode\""},
        {"{\"kind\":5}", "record: \"kind\" is not a string"},
        {"{\"kind\":\"dictionary\"}",
         "record: kind \"dictionary\" is none of episode, step, pattern, heuristic, embedding, "
         "relation, checkpoint, superseded"},
        {"{\"kind\":\"episode\",\"steps\":[{},{\"latency_ms\":1.5}]}",
         "episode: steps[1].latency_ms: expected an integer"},
        {"{\"kind\":\"episode\",\"steps\":[{\"number\":-1}]}",
         "episode: steps[0].number: expected an integer that is not negative"},
        {"{\"kind\":\"episode\",\"steps\":{}}", "episode: steps: expected an array"},
        {"{\"kind\":\"episode\",\"steps\":[[]]}", "episode: steps[0]: expected an object"},
        {"{\"kind\":\"episode\",\"task\":7}", "episode: task: expected a string"},
        {"{\"kind\":\"episode\",\"tags\":[\"a\",1]}", "episode: tags[1]: expected a string"},
        {"{\"kind\":\"episode\",\"metadata\":{\"k\":1}}", "episode: metadata.k: expected a string"},
        {"{\"kind\":\"episode\",\"metadata\":[]}", "episode: metadata: expected an object"},
        {"{\"kind\":\"episode\",\"context\":{\"lang\":\"c\"}}",
         "episode: context.lang: unknown member; known are language, framework, domain, "
         "complexity"},
        {"{\"kind\":\"episode\",\"reward\":{\"parts\":{\"speed\":1}}}",
         "episode: reward: needs the member \"total\""},
        {"{\"kind\":\"episode\",\"reward\":{\"total\":1,\"parts\":{\"speed\":\"1\"}}}",
         "episode: reward.parts.speed: expected a number"},
        {"{\"kind\":\"episode\",\"outcome\":{\"kind\":\"won\"}}",
         "episode: outcome.kind: \"won\" is none of open, success, partial_success, failure, "
         "abstained"},
        {"{\"kind\":\"episode\",\"outcome\":{\"kind\":1}}",
         "episode: outcome.kind: expected a string"},
        {"{\"kind\":\"episode\",\"start\":\"yesterday\"}",
         "episode: start: expected a time such as \"2026-11-21T08:02:00.000001Z\""},
        {"{\"kind\":\"episode\",\"end\":5}",
         "episode: end: expected a time such as \"2026-11-21T08:02:00.000001Z\""},
        {"{\"kind\":\"episode\",\"id\":\"5\"}",
         "episode: id: expected an id such as 01890a5d-ac96-774b-bcce-b302099a8057"},
        {"{\"kind\":\"episode\",\"version\":\"1-1\"}",
         "episode: version: expected 16 digits of 0-9 and a-f, a '-' and 16 more digits"},
        {"{\"kind\":\"episode\",\"version\":\"0123456789ABCDEF-00000000000000ff\"}",
         "episode: version: expected 16 digits of 0-9 and a-f, a '-' and 16 more digits"},
        {"{\"kind\":\"step\",\"parameters\":5}",
         "step: parameters: expected an object, an array or a string"},
        {"{\"kind\":\"step\",\"episode\":\"x\"}",
         "step: episode: expected an id such as 01890a5d-ac96-774b-bcce-b302099a8057"},
        {"{\"kind\":\"heuristic\",\"confidence\":\"high\"}",
         "heuristic: confidence: expected a number"},
        {"{\"kind\":\"heuristic\",\"evidence\":[5]}",
         "heuristic: evidence[0]: expected an id such as 01890a5d-ac96-774b-bcce-b302099a8057"},
        {"{\"kind\":\"embedding\",\"values\":5}",
         "embedding: values: expected an array of numbers"},
        {"{\"kind\":\"embedding\",\"values\":[1,1e39]}",
         "embedding: values[1]: does not fit a 32-bit float"},
        {"{\"kind\":\"embedding\",\"values\":[\"1\"]}", "embedding: values[0]: expected a number"},
        {"{\"kind\":\"relation\",\"from_kind\":\"none\"}",
         "relation: from_kind: \"none\" is none of episode, step, pattern, heuristic, embedding, "
         "relation, checkpoint, dictionary, superseded"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record = {.kind = MNEME_KIND_NONE};
        mneme_error error = {0};
        int status = model_from_json(slice_of_string(rows[i].json), MNEME_KIND_NONE, &arena,
                                     &record, &error);
        assert_refused(status, MNEME_INVALID, &error, rows[i].message);
        assert_int_equal(record.kind, MNEME_KIND_NONE);
    }
}

static void json_in__lists_what_it_knows_for_an_unknown_member(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_record record;
    mneme_error error = {0};
    /* 64 bytes would end inside of the e with its accent: the name is cut before it. */
    const char *json =
        "{\"task\":\"t\",\"a\\nname of sixty-three bytes that nobody will ever write by "
        "hand\\u00e9\":1}";
    int status = model_from_json(slice_of_string(json), MNEME_EPISODE, &arena, &record, &error);
    assert_refused(status, MNEME_INVALID, &error,
                   "episode: a?name of sixty-three bytes that nobody will ever write by hand"
                   "...: unknown member; known are id, task, task_type, context, start, end, "
                   "outcome, reward, reflection, applied, tags, metadata, origin, extra, steps, "
                   "messages");
}

static void json_in__refuses_what_is_no_json(void **state) {
    (void)state;
    static const char *const bad[] = {"", "{", "{\"kind\":\"episode\",}", "{\"a\":\"\xff\"}",
                                      "{\"kind\":\"step\",\"kind\":\"step\"}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        mneme_error error = {0};
        assert_int_equal(
            model_from_json(slice_of_string(bad[i]), MNEME_EPISODE, &arena, &record, &error),
            MNEME_INVALID);
        assert_int_not_equal(error.message[0], 0);
    }
}

static void json_in__refuses_a_kind_that_cannot_be_read(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_record record;
    mneme_error error = {0};
    int status = model_from_json(slice_of_string("{}"), MNEME_DICTIONARY, &arena, &record, &error);
    assert_refused(status, MNEME_INVALID, &error, "record: kind 8 cannot be read");
}

static void json_out__refuses_invalid_records_and_tombstones(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT(4096);
    mneme_error error = {0};
    const mneme_pattern p = {.name = text_of("\xff")};
    mneme_record record = RECORD(MNEME_PATTERN, pattern, &p);
    assert_refused(model_to_json(&record, &line, &error), MNEME_INVALID, &error,
                   "pattern: name: not valid UTF-8");
    record.flags = MNEME_FLAG_DELETED;
    assert_refused(model_to_json(&record, &line, &error), MNEME_INVALID, &error,
                   "pattern: is a tombstone; delete it by its id");
    assert_int_equal(line.size, 0);
}

static void json_out__takes_back_what_did_not_fit(void **state) {
    (void)state;
    AUTO_BUF struct buf line = BUF_INIT(40);
    mneme_error error = {0};
    const mneme_pattern p = {.name = text_of("a name that does not fit in there")};
    const mneme_record record = RECORD(MNEME_PATTERN, pattern, &p);
    buf_append_string(&line, "before");
    assert_refused(model_to_json(&record, &line, &error), MNEME_TOO_LARGE, &error,
                   "pattern: too large");
    assert_int_equal(line.size, 6);
}

static void json_both_ways__report_every_failed_allocation(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct rng rng = {11};
    mneme_record record;
    random_record(&rng, &arena, MNEME_EPISODE, &record);
    bool done = false;
    for (uint64_t k = 1; !done; k++) {
        AUTO_ARENA struct arena scratch = {.first_size = 64};
        AUTO_BUF struct buf line = BUF_INIT(FIXTURE_BUF_MAX);
        mneme_record read = {.kind = MNEME_KIND_NONE};
        mneme_error error = {0};
        mem_fail_after(k);
        int status = model_to_json(&record, &line, &error);
        if (status == 0)
            status = model_from_json(buf_slice(&line), MNEME_KIND_NONE, &scratch, &read, &error);
        mem_fail_after(0);
        done = status == 0;
        if (!done) {
            assert_int_equal(status, MNEME_NO_MEMORY);
            assert_int_equal(error.code, MNEME_NO_MEMORY);
            assert_int_equal(read.kind, MNEME_KIND_NONE);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_round_trip__keeps_everything_of_random_records),
        cmocka_unit_test(json_out__embeds_json_where_its_bytes_survive_and_else_a_string),
        cmocka_unit_test(json_out__keeps_lines_within_the_depth_that_is_read),
        cmocka_unit_test(json_in__takes_null_as_not_given_and_members_in_any_order),
        cmocka_unit_test(json_in__lets_the_member_kind_decide),
        cmocka_unit_test(json_in__keeps_zero_apart_from_absent_where_the_struct_does),
        cmocka_unit_test(json_out__has_the_version_and_the_episode_of_a_step),
        cmocka_unit_test(json_in__names_the_field_that_is_wrong),
        cmocka_unit_test(json_in__lists_what_it_knows_for_an_unknown_member),
        cmocka_unit_test(json_in__refuses_what_is_no_json),
        cmocka_unit_test(json_in__refuses_a_kind_that_cannot_be_read),
        cmocka_unit_test(json_out__refuses_invalid_records_and_tombstones),
        cmocka_unit_test(json_out__takes_back_what_did_not_fit),
        cmocka_unit_test(json_both_ways__report_every_failed_allocation),
    };
    return cmocka_run_group_tests_name("model/json", tests, NULL, NULL);
}
