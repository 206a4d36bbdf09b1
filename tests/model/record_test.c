/*
 * record_test.c - blanks that are filled in, what goes into the header, attached steps.
 */
#include "model/schema.h"
#include "model_fixture.h"

static const int64_t NOW = INT64_C(1800000000000000);

static mneme_record filled(const mneme_record *record, struct arena *arena) {
    mneme_record out;
    mneme_error error;
    if (model_fill(record, NOW, arena, &out, &error) != 0)
        fail_msg("%s", error.message);
    return out;
}

static void model_fill__gives_id_time_and_type(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const mneme_episode e = {.task = text_of("t")};
    mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    record.version = (mneme_version){3, 4};
    mneme_record out = filled(&record, &arena);
    assert_false(id_is_zero(&out.id));
    assert_true(id_equal(&out.id, &out.as.episode->id));
    assert_int_equal(out.time_us, NOW);
    assert_int_equal(out.as.episode->start_us, NOW);
    assert_text(out.as.episode->task_type, "other");
    assert_int_equal(out.flags, 0);
    assert_int_equal(out.version.device, 4);
    assert_int_equal(e.start_us, 0);
}

static void model_fill__keeps_what_is_given_on_either_side(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const mneme_pattern p = {.created_us = 5};
    mneme_record record = RECORD(MNEME_PATTERN, pattern, &p);
    record.id = id_of(8);
    mneme_record out = filled(&record, &arena);
    assert_true(id_equal(&out.as.pattern->id, &record.id));
    assert_int_equal(out.time_us, 5);
    const mneme_checkpoint c = {.episode = id_of(2)};
    record = RECORD(MNEME_CHECKPOINT, checkpoint, &c);
    out = filled(&record, &arena);
    assert_true(id_equal(&out.parent, &c.episode));
}

static void model_fill__makes_ids_for_the_time_of_the_record(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_heuristic h = {.created_us = FIXTURE_TIME};
    mneme_record record = RECORD(MNEME_HEURISTIC, heuristic, &h);
    mneme_record out = filled(&record, &arena);
    assert_int_equal(id_millis(&out.id), FIXTURE_TIME / 1000);
    h.created_us = -5; /* before 1970: an id cannot say that, so it says now */
    out = filled(&record, &arena);
    assert_in_range(id_millis(&out.id), FIXTURE_TIME / 1000, INT64_C(1) << 47);
}

static void model_fill__numbers_and_times_the_steps_of_an_episode(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const mneme_step steps[] = {
        {.tool = text_of("a")}, {.number = 7, .time_us = 2000}, {.id = id_of(1)}, {.number = 9}};
    const mneme_episode e = {.task = text_of("t"), .start_us = 1000, .steps = {steps, 4}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    const mneme_step *out = filled(&record, &arena).as.episode->steps.items;
    const uint64_t numbers[] = {1, 7, 8, 9};
    const int64_t times[] = {1000, 2000, 2000, 2000};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(out[i].number, numbers[i]);
        assert_int_equal(out[i].time_us, times[i]);
        assert_false(id_is_zero(&out[i].id));
    }
    assert_true(id_equal(&out[2].id, &steps[2].id));
    assert_int_equal(steps[0].number, 0);
}

static void model_fill__ends_an_episode_that_has_an_outcome(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_episode e = {.task = text_of("t"), .outcome = {.kind = MNEME_SUCCESS}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    mneme_record out = filled(&record, &arena);
    assert_int_equal(out.as.episode->end_us, NOW);
    assert_int_equal(out.flags, MNEME_FLAG_SEALED);
    e = (mneme_episode){.task = text_of("t"), .end_us = 7};
    out = filled(&record, &arena);
    assert_int_equal(out.as.episode->end_us, 7);
    assert_int_equal(out.flags, MNEME_FLAG_SEALED);
}

static void model_fill__leaves_the_number_of_a_lone_step_to_the_store(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const mneme_step s = {.tool = text_of("t")};
    mneme_record record = RECORD(MNEME_STEP, step, &s);
    record.parent = id_of(1);
    mneme_record out = filled(&record, &arena);
    assert_int_equal(out.as.step->number, 0);
    assert_int_equal(out.as.step->time_us, NOW);
    assert_true(id_equal(&out.parent, &record.parent));
}

static void model_fill__fails_without_a_trace(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    mneme_episode e = {.task = text_of("t"), .steps = {NULL, 2}};
    const mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    mneme_record out = {.kind = MNEME_KIND_NONE};
    mneme_error error = {0};
    assert_refused(model_fill(&record, NOW, &arena, &out, &error), MNEME_INVALID, &error,
                   "episode: steps: has a count but no data");
    const mneme_step step = {.number = 1};
    e.steps = (mneme_step_list){&step, 1};
    for (uint64_t k = 1; k <= 2; k++) {
        AUTO_ARENA struct arena scratch = {.first_size = 16};
        mem_fail_after(k);
        int status = model_fill(&record, NOW, &scratch, &out, &error);
        mem_fail_after(0);
        assert_refused(status, MNEME_NO_MEMORY, &error, "out of memory");
        assert_int_equal(out.kind, MNEME_KIND_NONE);
    }
}

/* A step's number is its place: what the store makes of it is what is read. */
static void model_encode__puts_a_steps_number_into_the_header(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(4096);
    const mneme_step s = {.id = id_of(1), .number = 6, .time_us = 9, .tool = text_of("grep")};
    mneme_record record = RECORD(MNEME_STEP, step, &s), out;
    record.parent = id_of(2);
    struct stored_record stored;
    assert_int_equal(model_encode(&record, &arena, &body, &stored, NULL), 0);
    assert_int_equal(stored.place, 6);
    assert_true(id_equal(&stored.parent, &record.parent));
    assert_int_equal(body.size, 6); /* nothing but the tool */
    stored.place = 12;
    assert_int_equal(model_decode(&stored, buf_slice(&body), &arena, &out, NULL), 0);
    assert_int_equal(out.as.step->number, 12);
    assert_int_equal(out.as.step->time_us, 9);
    assert_true(id_equal(&out.as.step->id, &s.id));
}

static void model_attach_steps__leaves_the_first_episode_alone(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const mneme_step steps[] = {{.number = 1}, {.number = 2}};
    const mneme_episode e = {.task = text_of("t")};
    mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    mem_fail_after(1);
    assert_int_equal(model_attach_steps(&record, steps, 2, &arena), MNEME_NO_MEMORY);
    mem_fail_after(0);
    assert_ptr_equal(record.as.episode, &e);
    assert_int_equal(model_attach_steps(&record, steps, 2, &arena), 0);
    assert_ptr_equal(record.as.episode->steps.items, steps);
    assert_text(record.as.episode->task, "t");
    assert_int_equal(e.steps.count, 0);
}

/* Two machines gave one number; see sync/merge.h. */
static void model_decode__makes_equal_numbers_rise_and_keeps_what_is_stored(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(4096), again = BUF_INIT(4096);
    static const uint64_t stored_numbers[] = {1, 2, 2, 3, 9, 9}, shown[] = {1, 2, 3, 4, 9, 10};
    mneme_step steps[COUNT_OF(shown)] = {0};
    for (size_t i = 0; i < COUNT_OF(shown); i++)
        steps[i] =
            (mneme_step){.id = id_of((uint8_t)(1 + i)), .number = stored_numbers[i], .time_us = 5};
    const mneme_episode e = {.id = id_of(99),
                             .task = text_of("t"),
                             .start_us = 5,
                             .end_us = 6,
                             .steps = {steps, COUNT_OF(shown)}};
    mneme_record record = RECORD(MNEME_EPISODE, episode, &e), out;
    struct stored_record stored;
    void *raw;
    assert_int_equal(model_encode(&record, &arena, &body, &stored, NULL), 0);
    assert_int_equal(model_decode(&stored, buf_slice(&body), &arena, &out, NULL), 0);
    for (size_t i = 0; i < COUNT_OF(shown); i++)
        assert_int_equal(out.as.episode->steps.items[i].number, shown[i]);
    assert_int_equal(model_validate(&out, NULL), 0);
    assert_int_equal(record_body_of(&stored, buf_slice(&body), &arena, &raw), 0);
    record_set_body(&record, raw);
    assert_int_equal(model_encode(&record, &arena, &again, &stored, NULL), 0);
    assert_true(slice_equal(buf_slice(&body), buf_slice(&again)));
}

static void model_attach_steps__joins_them_with_those_inside(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const mneme_step inside[] = {{.id = id_of(1), .number = 1, .tool = text_of("old")},
                                 {.id = id_of(2), .number = 2}};
    const mneme_step own[] = {{.id = id_of(3), .number = 2},
                              {.id = id_of(4), .number = 2},
                              {.id = id_of(1), .number = 7, .tool = text_of("new")}};
    const uint8_t ids[] = {2, 3, 4, 1};
    const uint64_t numbers[] = {2, 3, 4, 7};
    const mneme_episode e = {.task = text_of("t"), .steps = {inside, 2}};
    mneme_record record = RECORD(MNEME_EPISODE, episode, &e);
    assert_int_equal(model_attach_steps(&record, own, 3, &arena), 0);
    const mneme_step_list *all = &record.as.episode->steps;
    assert_int_equal(all->count, COUNT_OF(ids));
    for (size_t i = 0; i < COUNT_OF(ids); i++) {
        mneme_id id = id_of(ids[i]);
        assert_true(id_equal(&all->items[i].id, &id));
        assert_int_equal(all->items[i].number, numbers[i]);
    }
    assert_text(all->items[3].tool, "new");
    const mneme_episode none = {.task = text_of("t")};
    record.as.episode = &none;
    assert_int_equal(model_attach_steps(&record, own, 2, &arena), 0);
    assert_int_equal(record.as.episode->steps.items[1].number, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_fill__gives_id_time_and_type),
        cmocka_unit_test(model_fill__keeps_what_is_given_on_either_side),
        cmocka_unit_test(model_fill__makes_ids_for_the_time_of_the_record),
        cmocka_unit_test(model_fill__numbers_and_times_the_steps_of_an_episode),
        cmocka_unit_test(model_fill__ends_an_episode_that_has_an_outcome),
        cmocka_unit_test(model_fill__leaves_the_number_of_a_lone_step_to_the_store),
        cmocka_unit_test(model_fill__fails_without_a_trace),
        cmocka_unit_test(model_encode__puts_a_steps_number_into_the_header),
        cmocka_unit_test(model_attach_steps__leaves_the_first_episode_alone),
        cmocka_unit_test(model_decode__makes_equal_numbers_rise_and_keeps_what_is_stored),
        cmocka_unit_test(model_attach_steps__joins_them_with_those_inside),
    };
    return cmocka_run_group_tests_name("model/record", tests, NULL, NULL);
}
