/*
 * merge_steps_test.c - steps that are folded into sealed episodes, their numbers, and episodes that
 * are open on one side; the records that tell of losses.
 */
#include "merge_fixture.h"

#include "model/member.h"

/* An episode with steps of these ids, numbered from 1; open when `end` is 0. */
static struct merge_side episode_of(const uint8_t *ids, size_t count, int64_t end, uint64_t tick,
                                    struct arena *arena) {
    mneme_step steps[16] = {0};
    for (size_t i = 0; i < count; i++)
        steps[i] = (mneme_step){.id = {{ids[i]}}, .number = i + 1, .time_us = 1000};
    const mneme_episode e = {.task = maker_text("t"),
                             .task_type = maker_text("other"),
                             .start_us = 1000,
                             .end_us = end,
                             .steps = {count ? steps : NULL, count}};
    const mneme_record record = {.kind = MNEME_EPISODE, .id = {{1}}, .as.episode = &e};
    return maker_side(&record, maker_version(tick, tick), arena);
}

static struct merge_side step_of(uint8_t id, uint64_t number, uint64_t tick, struct arena *arena) {
    const mneme_step step = {
        .id = {{id}}, .number = number, .time_us = 2000, .tool = maker_text("late")};
    return maker_step_side(&step, maker_version(tick, tick), arena);
}

static struct merge_side must_fold(const struct merge_side *episode, const struct merge_side *steps,
                                   size_t count, bool expect_changed, struct arena *arena) {
    struct merge_side out;
    bool changed = !expect_changed;
    mneme_error error = {0};
    if (merge_fold(episode, steps, count, arena, &out, &changed, &error) != 0)
        fail_msg("%s", error.message);
    assert_int_equal(changed, expect_changed);
    return out;
}

/* "id:number " of each step, as a reader sees them. */
static void assert_steps(const struct merge_side *side, const char *expected, struct arena *arena) {
    AUTO_BUF struct buf all = BUF_INIT(1000);
    mneme_record record;
    maker_read(side, arena, &record);
    for (size_t i = 0; i < record.as.episode->steps.count; i++) {
        const mneme_step *s = &record.as.episode->steps.items[i];
        buf_printf(&all, "%d:%d ", s->id.bytes[0], (int)s->number);
    }
    assert_text_is(text_of_slice(buf_slice(&all)), expected);
}

/* ---- Folding ----------------------------------------------------------------------------- */

static void merge_fold__puts_late_steps_at_their_numbers(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side episode = episode_of((const uint8_t[]){1, 2, 4}, 3, 5000, 10, &arena);
    struct merge_side late[] = {step_of(3, 2, 11, &arena), step_of(9, 7, 5, &arena)};
    struct merge_side out = must_fold(&episode, late, 2, true, &arena);
    assert_steps(&out, "1:1 2:2 3:3 4:4 9:7 ", &arena);
    assert_int_equal(version_compare(out.record->version, maker_version(11, 11)), 0);
    assert_int_equal(out.record->flags, MNEME_FLAG_SEALED);
    struct merge_side again = must_fold(&out, late, 2, false, &arena);
    assert_ptr_equal(again.record, out.record);
    assert_ptr_equal(must_fold(&out, NULL, 0, false, &arena).record, out.record);
}

static void merge_fold__takes_the_later_state_of_a_step(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side episode = episode_of((const uint8_t[]){1, 2}, 2, 5000, 10, &arena);
    struct merge_side older = step_of(2, 8, 9, &arena), newer = step_of(2, 8, 11, &arena);
    must_fold(&episode, &older, 1, false, &arena);
    struct merge_side out = must_fold(&episode, &newer, 1, true, &arena);
    assert_steps(&out, "1:1 2:8 ", &arena);
    struct stored_record removed = *newer.record;
    removed.flags = MNEME_FLAG_DELETED;
    removed.version = maker_version(12, 1);
    struct merge_side gone = {&removed, {NULL, 0}};
    out = must_fold(&out, &gone, 1, true, &arena);
    assert_steps(&out, "1:1 ", &arena);
    must_fold(&out, &newer, 1, false, &arena); /* an older copy does not bring it back */
}

static void merge_fold__ends_in_the_same_bytes_in_any_order_and_grouping(void **state) {
    (void)state;
    struct rng rng = {3};
    for (int round = 0; round < 300; round++) {
        AUTO_ARENA struct arena arena = {.first_size = 64 << 10};
        struct merge_side episode = episode_of((const uint8_t[]){1, 2, 3}, 3, 5000, 10, &arena);
        struct merge_side late[5], other = episode, all;
        for (size_t i = 0; i < COUNT_OF(late); i++)
            late[i] = step_of((uint8_t)(1 + rng_below(&rng, 7)), 1 + rng_below(&rng, 4),
                              5 + rng_below(&rng, 12), &arena);
        bool changed;
        assert_int_equal(merge_fold(&episode, late, 5, &arena, &all, &changed, NULL), 0);
        for (size_t left = 5; left > 0; left--) {
            size_t i = rng_below(&rng, left);
            assert_int_equal(merge_fold(&other, &late[i], 1, &arena, &other, &changed, NULL), 0);
            late[i] = late[left - 1];
        }
        assert_same_side(&all, &other);
        struct merge_result result = must_merge(&NO_SIDE, &episode, &all, &arena);
        assert_same_side(&result.side, &all);
    }
}

static void merge_fold__refuses_what_has_no_steps_and_passes_over_tombstones(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side pattern = side_of(DRAFT("c", "a", NULL), 1, &arena), out;
    struct merge_side late = step_of(3, 2, 11, &arena);
    bool changed;
    mneme_error error = {0};
    assert_int_equal(merge_fold(&pattern, &late, 1, &arena, &out, &changed, &error), MNEME_INVALID);
    assert_string_equal(error.message, "a heuristic takes no steps");
    struct merge_side dead = maker_tombstone(MNEME_EPISODE, maker_version(3, 1), &arena);
    assert_ptr_equal(must_fold(&dead, &late, 1, false, &arena).record, dead.record);
}

/* ---- Numbers ----------------------------------------------------------------------------- */

static void merge__keeps_steps_that_two_machines_numbered_alike(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = episode_of((const uint8_t[]){1, 2}, 2, 5000, 10, &arena);
    struct merge_side mine = episode_of((const uint8_t[]){1, 2, 4}, 3, 5000, 11, &arena);
    struct merge_side theirs = episode_of((const uint8_t[]){1, 2, 3}, 3, 5000, 12, &arena);
    theirs = must_stamp(&base, &theirs, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_steps(&result.side, "1:1 2:2 3:3 4:4 ", &arena);
    assert_false(result.loss.any);
    /* Whoever reads that and writes it back has not touched the step that was shown as 4. */
    mneme_record record;
    maker_read(&result.side, &arena, &record);
    mneme_episode e = *record.as.episode;
    e.origin = maker_text("o");
    record.as.episode = &e;
    struct merge_side edit = maker_side(&record, maker_version(20, 1), &arena);
    edit = must_stamp(&result.side, &edit, &arena);
    struct merge_side between =
        step_of(4, 9, 15, &arena); /* newer than the step, older than the edit */
    struct merge_side out = must_fold(&edit, &between, 1, true, &arena);
    assert_steps(&out, "1:1 2:2 3:3 4:9 ", &arena);
}

/* ---- Open and sealed ---------------------------------------------------------------------- */

static void merge__of_an_open_and_a_sealed_episode_is_sealed_with_its_steps(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = episode_of(NULL, 0, 0, 1, &arena);
    struct merge_side sealed = episode_of((const uint8_t[]){1, 2}, 2, 5000, 2, &arena);
    mneme_record record;
    maker_read(&base, &arena, &record);
    mneme_episode e = *record.as.episode;
    e.task = maker_text("edited");
    record.as.episode = &e;
    struct merge_side open = maker_side(&record, maker_version(3, 3), &arena);
    open = must_stamp(&base, &open, &arena);
    struct merge_result result = must_merge(&base, &sealed, &open, &arena);
    assert_int_equal(result.side.record->flags, MNEME_FLAG_SEALED);
    assert_steps(&result.side, "1:1 2:2 ", &arena);
    maker_read(&result.side, &arena, &record);
    assert_text_is(record.as.episode->task, "edited");
    assert_int_equal(record.as.episode->end_us, 5000);
}

/* Opened again here, a late step there: the step stays in the open body, and readers find it. */
static void merge__keeps_a_late_step_of_an_episode_that_was_opened_again(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side sealed = episode_of((const uint8_t[]){1, 2}, 2, 5000, 2, &arena);
    struct merge_side late = step_of(3, 3, 4, &arena);
    struct merge_side theirs = must_fold(&sealed, &late, 1, true, &arena);
    struct merge_side mine = episode_of(NULL, 0, 0, 5, &arena);
    struct merge_result result = must_merge(&sealed, &mine, &theirs, &arena);
    assert_int_equal(result.side.record->flags, 0);
    assert_steps(&result.side, "3:3 ", &arena);
    mneme_record record;
    const mneme_step own[] = {
        {.id = {{1}}, .number = 1}, {.id = {{3}}, .number = 3}, {.id = {{2}}, .number = 3}};
    maker_read(&result.side, &arena, &record);
    assert_int_equal(model_attach_steps(&record, own, 3, &arena), 0);
    assert_int_equal(record.as.episode->steps.count, 3);
    assert_int_equal(record.as.episode->steps.items[1].id.bytes[0], 2);
    assert_int_equal(record.as.episode->steps.items[2].number, 4);
}

/* ---- Superseded -------------------------------------------------------------------------- */

static void merge_superseded__makes_the_same_record_everywhere(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side mine = side_of(DRAFT("mine", "a", NULL), 2, &arena);
    struct merge_side theirs = side_of(DRAFT("theirs", "a", NULL), 3, &arena);
    struct merge_side mine_there = must_stamp(&base, &mine, &arena);
    theirs = must_stamp(&base, &theirs, &arena);
    struct merge_result here = must_merge(&base, &mine, &theirs, &arena);
    struct merge_result there = must_merge(&base, &theirs, &mine_there, &arena);
    struct stored_record a, b;
    struct merge_side x = {&a, {0}}, y = {&b, {0}};
    assert_int_equal(
        merge_superseded(&mine, theirs.record->version, &here.loss, &arena, &a, &x.plain, NULL), 0);
    assert_int_equal(merge_superseded(&mine_there, theirs.record->version, &there.loss, &arena, &b,
                                      &y.plain, NULL),
                     0);
    assert_same_side(&x, &y);
    mneme_record record;
    mneme_error error = {0};
    maker_read(&x, &arena, &record);
    if (model_validate(&record, &error) != 0)
        fail_msg("%s", error.message);
    const mneme_superseded *told = record.as.superseded;
    assert_true(id_equal(&told->subject, &mine.record->id));
    assert_int_equal(told->subject_kind, MNEME_HEURISTIC);
    assert_text_is(told->reason, "edited elsewhere");
    assert_int_equal(told->fields.count, 1);
    assert_text_is(told->fields.items[0], "condition");
    assert_int_equal(told->lost_clock, mine.record->version.clock);
    assert_int_equal(told->kept_device, theirs.record->version.device);
    assert_int_equal(version_compare(a.version, mine.record->version), 0);
    assert_int_equal(told->time_us, (int64_t)(mine.record->version.clock >> 16) * 1000);
    assert_int_equal(id_millis(&a.id), mine.record->version.clock >> 16);
    mneme_record lost;
    assert_int_equal(
        model_from_json(slice_of_text(told->lost), MNEME_KIND_NONE, &arena, &lost, NULL), 0);
    assert_text_is(lost.as.heuristic->condition, "mine");
    assert_int_equal(version_compare(lost.version, mine.record->version), 0);
    assert_int_equal(a.attribute_count, 2);
    assert_true(slice_equal(a.attributes[0].name, slice_of_string("kind")));
    assert_true(slice_equal(a.attributes[0].value, slice_of_string("heuristic")));
}

static void merge_superseded__of_another_version_is_another_record(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const struct merge_loss loss = {.any = true, .by_delete = true};
    struct merge_side first = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side second = side_of(DRAFT("c", "a", NULL), 2, &arena);
    struct stored_record a, b;
    struct merge_side x = {&a, {0}};
    assert_int_equal(
        merge_superseded(&first, maker_version(3, 3), &loss, &arena, &a, &x.plain, NULL), 0);
    assert_int_equal(
        merge_superseded(&second, maker_version(3, 3), &loss, &arena, &b, &x.plain, NULL), 0);
    assert_false(id_equal(&a.id, &b.id));
    mneme_record record;
    x.record = &b;
    maker_read(&x, &arena, &record);
    assert_text_is(record.as.superseded->reason, "deleted elsewhere");
    assert_int_equal(record.as.superseded->fields.count, 0);
}

/* Two machines that tell of one lost edit differently: their records merge, and nothing is lost. */
static void merge__of_superseded_records_loses_nothing(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    static const char *const names[] = {"condition", "action"};
    const struct merge_loss one = {.any = true, .fields = names, .field_count = 1};
    const struct merge_loss two = {.any = true, .fields = names, .field_count = 2};
    struct merge_side lost = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct stored_record a, b;
    struct merge_side x = {&a, {0}}, y = {&b, {0}};
    assert_int_equal(merge_superseded(&lost, maker_version(3, 3), &one, &arena, &a, &x.plain, NULL),
                     0);
    assert_int_equal(merge_superseded(&lost, maker_version(4, 3), &two, &arena, &b, &y.plain, NULL),
                     0);
    struct merge_result here = must_merge(&NO_SIDE, &x, &y, &arena);
    struct merge_result there = must_merge(&NO_SIDE, &y, &x, &arena);
    assert_same_side(&here.side, &there.side);
    assert_false(here.loss.any || there.loss.any);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge_fold__puts_late_steps_at_their_numbers),
        cmocka_unit_test(merge_fold__takes_the_later_state_of_a_step),
        cmocka_unit_test(merge_fold__ends_in_the_same_bytes_in_any_order_and_grouping),
        cmocka_unit_test(merge_fold__refuses_what_has_no_steps_and_passes_over_tombstones),
        cmocka_unit_test(merge__keeps_steps_that_two_machines_numbered_alike),
        cmocka_unit_test(merge__of_an_open_and_a_sealed_episode_is_sealed_with_its_steps),
        cmocka_unit_test(merge__keeps_a_late_step_of_an_episode_that_was_opened_again),
        cmocka_unit_test(merge_superseded__makes_the_same_record_everywhere),
        cmocka_unit_test(merge_superseded__of_another_version_is_another_record),
        cmocka_unit_test(merge__of_superseded_records_loses_nothing),
    };
    return cmocka_run_group_tests_name("sync/merge_steps", tests, NULL, NULL);
}
