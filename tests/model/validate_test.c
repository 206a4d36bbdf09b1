/*
 * validate_test.c - what a record must be, and that each refusal names the field.
 */
#include <math.h>

#include "model_fixture.h"

static void assert_invalid(const mneme_record *record, const char *message) {
    mneme_error error = {0};
    assert_refused(model_validate(record, &error), MNEME_INVALID, &error, message);
    assert_int_equal(model_validate(record, NULL), MNEME_INVALID);
}

static void assert_episode(const mneme_episode *e, const char *message) {
    const mneme_record record = RECORD(MNEME_EPISODE, episode, e);
    assert_invalid(&record, message);
}

static const mneme_text BAD = {"ok \xc0\x80", 5};

static void validate_record__needs_a_kind_and_content_that_agree(void **state) {
    (void)state;
    const mneme_episode e = {.id = id_of(1), .task = text_of("t"), .start_us = 5};
    mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    assert_int_equal(model_validate(&record, NULL), 0);
    record.id = id_of(1);
    record.time_us = 5;
    assert_int_equal(model_validate(&record, NULL), 0);
    record.id = id_of(2);
    assert_invalid(&record, "episode: id: differs between the record and its content");
    record.id = (mneme_id){{0}};
    record.time_us = 6;
    assert_invalid(&record, "episode: time: differs between the record and its content");
    record.time_us = 0;
    record.parent = id_of(3);
    assert_invalid(&record, "episode: parent: only steps and checkpoints have one");
    record = (mneme_record){.kind = MNEME_EPISODE};
    assert_invalid(&record, "episode: has no content: set as.episode");
    record.kind = MNEME_DICTIONARY;
    assert_invalid(&record, "record: kind 8 (dictionary) is not one that can be stored");
    record.kind = (mneme_kind)99;
    assert_invalid(&record, "record: kind 99 (unknown) is not one that can be stored");
}

static void validate_record__demands_the_episode_of_steps_and_checkpoints(void **state) {
    (void)state;
    const mneme_step s = {.tool = text_of("t")};
    mneme_record record = RECORD(MNEME_STEP, step, &s);
    assert_invalid(&record, "step: names no episode to belong to");
    record.parent = id_of(1);
    assert_int_equal(model_validate(&record, NULL), 0);
    const mneme_checkpoint c = {.episode = id_of(1)};
    record = RECORD(MNEME_CHECKPOINT, checkpoint, &c);
    assert_int_equal(model_validate(&record, NULL), 0);
    record.parent = id_of(2);
    assert_invalid(&record, "checkpoint: episode: differs between the record and its content");
}

static void validate_texts__must_be_utf8_with_data(void **state) {
    (void)state;
    assert_episode(&(mneme_episode){.task = {NULL, 0}}, "episode: task: must not be empty");
    assert_episode(&(mneme_episode){.task = BAD}, "episode: task: not valid UTF-8");
    assert_episode(&(mneme_episode){.task = {NULL, 3}}, "episode: task: has a size but no data");
    const mneme_step steps[] = {{.parameters = text_of("{broken is fine}")}, {.parameters = BAD}};
    assert_episode(&(mneme_episode){.task = text_of("t"), .steps = {steps, 2}},
                   "episode: steps[1].parameters: not valid UTF-8");
    const mneme_message m = {.role = BAD};
    assert_episode(&(mneme_episode){.task = text_of("t"), .messages = &m, .message_count = 1},
                   "episode: messages[0].role: not valid UTF-8");
    const mneme_text reasons[] = {text_of("fine"), BAD};
    assert_episode(&(mneme_episode){.task = text_of("t"), .outcome = {.failed = {reasons, 2}}},
                   "episode: outcome.failed[1]: not valid UTF-8");
}

static void validate_texts__have_a_greatest_size(void **state) {
    (void)state;
    AUTO_FREE char *text = mem_alloc(MODEL_TEXT_MAX + 1);
    assert_non_null(text);
    memset(text, 'a', MODEL_TEXT_MAX + 1);
    mneme_episode e = {.task = {text, MODEL_TEXT_MAX}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    mneme_error error;
    assert_int_equal(model_validate(&record, &error), 0);
    e.task.size++;
    assert_refused(model_validate(&record, &error), MNEME_TOO_LARGE, &error,
                   "episode: task: 16777217 bytes; a text has at most 16777216");
}

static void validate_names__are_short_and_stand_once(void **state) {
    (void)state;
    char text[MODEL_NAME_MAX + 1];
    memset(text, 'n', sizeof text);
    const mneme_text longest = {text, MODEL_NAME_MAX}, too_long = {text, MODEL_NAME_MAX + 1};
    mneme_text tags[] = {text_of("a"), longest, text_of("b")};
    mneme_episode e = {.task = text_of("t"), .tags = {tags, 3}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    mneme_error error;
    assert_int_equal(model_validate(&record, &error), 0);
    tags[1] = too_long;
    assert_refused(model_validate(&record, &error), MNEME_TOO_LARGE, &error,
                   "episode: tags[1]: 1025 bytes; a name has at most 1024");
    tags[1] = (mneme_text){NULL, 0};
    assert_episode(&e, "episode: tags[1]: must not be empty");
    tags[1] = text_of("a");
    assert_episode(&e, "episode: tags.a: stands twice");
    mneme_pair pairs[] = {{text_of("k"), text_of("")}, {text_of("k"), text_of("v")}};
    e = (mneme_episode){.task = text_of("t"), .metadata = {pairs, 2}};
    assert_episode(&e, "episode: metadata.k: stands twice");
    pairs[1].name = (mneme_text){NULL, 0};
    assert_episode(&e, "episode: metadata[1].name: must not be empty");
    pairs[1] = (mneme_pair){text_of("l"), BAD};
    assert_episode(&e, "episode: metadata[1].value: not valid UTF-8");
    const mneme_reward_part parts[] = {{text_of("p"), 1}, {text_of("p"), 2}};
    e = (mneme_episode){.task = text_of("t"),
                        .reward = {.present = true, .parts = parts, .part_count = 2}};
    assert_episode(&e, "episode: reward.parts.p: stands twice");
    e.reward.present = false;
    assert_int_equal(model_validate(&record, &error), 0);
}

/* More names than are compared without an allocation. */
static void validate_names__stand_once_in_long_lists_too(void **state) {
    (void)state;
    enum { COUNT = 3000 };
    static char texts[COUNT][8];
    static mneme_text tags[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "t%zu", i);
        tags[i] = text_of(texts[i]);
    }
    const mneme_episode e = {.task = text_of("t"), .tags = {tags, COUNT}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    mneme_error error;
    assert_int_equal(model_validate(&record, &error), 0);
    mem_fail_after(1);
    int status = model_validate(&record, &error);
    mem_fail_after(0);
    assert_refused(status, MNEME_NO_MEMORY, &error, "out of memory");
    tags[7] = text_of("t2999");
    assert_episode(&e, "episode: tags.t2999: stands twice");
}

static void validate_lists__need_their_items_and_fit_the_store(void **state) {
    (void)state;
    assert_episode(&(mneme_episode){.task = text_of("t"), .tags = {NULL, 1}},
                   "episode: tags: has a count but no data");
    assert_episode(&(mneme_episode){.task = text_of("t"), .steps = {NULL, 1}},
                   "episode: steps: has a count but no data");
    enum { COUNT = 4096 };
    static char texts[COUNT][8];
    static mneme_text tags[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "t%zu", i);
        tags[i] = text_of(texts[i]);
    }
    mneme_episode e = {.task = text_of("t"), .tags = {tags, COUNT - 1}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    mneme_error error;
    assert_int_equal(model_validate(&record, &error), 0); /* the outcome is the 4,096th */
    e.tags.count++;
    assert_refused(model_validate(&record, &error), MNEME_TOO_LARGE, &error,
                   "episode: 4097 tags, metadata names and other indexed values; at most 4096");
}

static void validate_steps__have_rising_numbers_and_their_own_ids(void **state) {
    (void)state;
    mneme_step steps[] = {{.number = 0}, {.number = 5}, {.number = 0}, {.number = 9}};
    const mneme_episode e = {.task = text_of("t"), .steps = {steps, 4}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    assert_int_equal(model_validate(&record, NULL), 0);
    steps[3].number = 6;
    assert_episode(&e, "episode: steps: step 3 has number 6 after 6; numbers must rise");
    steps[3] = (mneme_step){.id = id_of(1)};
    steps[0].id = id_of(1);
    assert_episode(&e, "episode: steps: two steps have the same id");
}

static void validate_numbers__are_finite_and_in_range(void **state) {
    (void)state;
    mneme_heuristic h = {.confidence = 1};
    mneme_record record = RECORD(MNEME_HEURISTIC, heuristic, &h);
    assert_int_equal(model_validate(&record, NULL), 0);
    h.confidence = 1.5;
    assert_invalid(&record, "heuristic: confidence: 1.5 is not between 0 and 1");
    h.confidence = -0.25;
    assert_invalid(&record, "heuristic: confidence: -0.25 is not between 0 and 1");
    h.confidence = (double)NAN;
    assert_invalid(&record, "heuristic: confidence: not a finite number");
    h = (mneme_heuristic){.created_us = INT64_MAX};
    assert_invalid(&record, "heuristic: created: outside of the years 0001 to 9999 (times are in "
                            "microseconds)");
    mneme_pattern p = {.effectiveness = {.reward_delta = (double)INFINITY}};
    record = RECORD(MNEME_PATTERN, pattern, &p);
    assert_invalid(&record, "pattern: effectiveness.reward_delta: not a finite number");
    mneme_episode e = {.task = text_of("t"), .outcome = {.kind = (mneme_outcome_kind)9}};
    assert_episode(&e, "episode: outcome.kind: 9 is none of its values");
}

static void validate_relation__needs_type_and_ends(void **state) {
    (void)state;
    mneme_relation r = {.type = text_of("caused_by"), .from = id_of(1), .to = id_of(2)};
    const mneme_record record = RECORD(MNEME_RELATION, relation, &r);
    assert_int_equal(model_validate(&record, NULL), 0);
    r.to = (mneme_id){{0}};
    assert_invalid(&record, "relation: to: names no record");
    r.type.size = 0;
    assert_invalid(&record, "relation: type: must not be empty");
}

static void validate_extra__must_be_a_json_object(void **state) {
    (void)state;
    mneme_episode e = {.task = text_of("t"), .extra = text_of(" \n{\"a\":1}")};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    assert_int_equal(model_validate(&record, NULL), 0);
    e.extra = text_of("[{}]");
    assert_episode(&e, "episode: extra: expected a JSON object");
    e.extra = text_of("{\"a\":}");
    mneme_error error = {0};
    assert_int_equal(model_validate(&record, &error), MNEME_INVALID);
    assert_memory_equal(error.message, "episode: extra: expected a JSON object: ", 40);
    e.extra = BAD;
    assert_episode(&e, "episode: extra: not valid UTF-8");
}

static void validate_embedding__has_finite_values_that_fit_its_form(void **state) {
    (void)state;
    float values[] = {1, -65504, 2};
    mneme_embedding e = {.subject = id_of(1), .stored_as = MNEME_F16, .values = values, .count = 3};
    const mneme_record record = RECORD(MNEME_EMBEDDING, embedding, &e);
    assert_int_equal(model_validate(&record, NULL), 0);
    values[1] = -65520;
    assert_invalid(&record, "embedding: values: value 1 does not fit f16 (at most 65504); store "
                            "it as f32");
    e.stored_as = MNEME_I8;
    assert_int_equal(model_validate(&record, NULL), 0);
    values[2] = (float)INFINITY;
    assert_invalid(&record, "embedding: values: value 2 is not a finite number");
    e.count = 0;
    assert_invalid(&record, "embedding: values: 0 dimensions; an embedding has 1 to 65536");
    e.count = 65537;
    assert_invalid(&record, "embedding: values: 65537 dimensions; an embedding has 1 to 65536");
    e.values = NULL;
    e.count = 1;
    assert_invalid(&record, "embedding: values: has a count but no data");
    e.subject = (mneme_id){{0}};
    assert_invalid(&record, "embedding: subject: names no record");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(validate_record__needs_a_kind_and_content_that_agree),
        cmocka_unit_test(validate_record__demands_the_episode_of_steps_and_checkpoints),
        cmocka_unit_test(validate_texts__must_be_utf8_with_data),
        cmocka_unit_test(validate_texts__have_a_greatest_size),
        cmocka_unit_test(validate_names__are_short_and_stand_once),
        cmocka_unit_test(validate_names__stand_once_in_long_lists_too),
        cmocka_unit_test(validate_lists__need_their_items_and_fit_the_store),
        cmocka_unit_test(validate_steps__have_rising_numbers_and_their_own_ids),
        cmocka_unit_test(validate_numbers__are_finite_and_in_range),
        cmocka_unit_test(validate_relation__needs_type_and_ends),
        cmocka_unit_test(validate_extra__must_be_a_json_object),
        cmocka_unit_test(validate_embedding__has_finite_values_that_fit_its_form),
    };
    return cmocka_run_group_tests_name("model/validate", tests, NULL, NULL);
}
