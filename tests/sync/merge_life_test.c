/*
 * merge_life_test.c - deletes and births, records that are merged whole, flags, failures.
 */
#include "merge_fixture.h"

/* ---- Lives ------------------------------------------------------------------------------- */

static void merge__lets_a_tombstone_stand_against_edits_not_seen(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side dead = maker_tombstone(MNEME_HEURISTIC, maker_version(2, 2), &arena);
    struct merge_side edit = side_of(DRAFT("late", "a", NULL), 9, &arena);
    struct merge_result result = must_merge(&base, &edit, &dead, &arena);
    assert_int_equal(result.outcome, MERGE_THEIRS);
    assert_true(result.side.record->flags == MNEME_FLAG_DELETED);
    assert_true(result.loss.any && result.loss.by_delete && result.loss.mine);
    assert_int_equal(result.loss.field_count, 0);
    edit = must_stamp(&base, &edit, &arena);
    result = must_merge(&base, &dead, &edit, &arena);
    assert_int_equal(result.outcome, MERGE_MINE);
    assert_true(result.loss.any && result.loss.by_delete && !result.loss.mine);
    assert_false(must_merge(&base, &dead, &base, &arena).loss.any); /* no edit */
    assert_false(must_merge(&base, &base, &dead, &arena).loss.any);
}

/* A push was done, its answer was lost, and then the record was deleted. */
static void merge__of_own_earlier_writes_a_tombstone_loses_nothing(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side sent = side_of(DRAFT("c", "a", "x"), 3, &arena);
    uint64_t self = sent.record->version.device;
    struct merge_side dead = maker_tombstone(MNEME_HEURISTIC, maker_version(4, self), &arena);
    struct merge_result result;
    assert_int_equal(merge(&NO_SIDE, &dead, &sent, self, &arena, &result, NULL), 0);
    assert_int_equal(result.outcome, MERGE_MINE);
    assert_false(result.loss.any);
    /* Of another machine, or of this one after it, it is an edit; and so is one in its midst. */
    assert_int_equal(merge(&NO_SIDE, &dead, &sent, self + 1, &arena, &result, NULL), 0);
    assert_true(result.loss.any && result.loss.by_delete);
    struct merge_side edit = edited(&sent, DRAFT("c", "a", "x", "y"), 9, &arena);
    assert_int_equal(merge(&NO_SIDE, &dead, &edit, self, &arena, &result, NULL), 0);
    assert_true(result.loss.any && result.loss.by_delete);
    assert_int_equal(merge(&sent, &dead, &edit, self, &arena, &result, NULL), 0);
    assert_true(result.loss.any && result.loss.by_delete);
}

static void merge__takes_the_later_born_life_whole(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side first = side_of(DRAFT("first", "a", "x"), 1, &arena);
    struct merge_side dead = maker_tombstone(MNEME_HEURISTIC, maker_version(2, 2), &arena);
    struct merge_side second = edited(&dead, DRAFT("second", "a", "y"), 3, &arena);
    struct merge_side late = edited(&first, DRAFT("late", "a", "x", "z"), 9, &arena);
    struct merge_result result = must_merge(&NO_SIDE, &dead, &second, &arena);
    assert_int_equal(result.outcome, MERGE_THEIRS);
    assert_false(result.loss.any);
    result = must_merge(&first, &late, &second, &arena);
    assert_tags(&result.side, "y ", &arena);
    assert_true(result.loss.any && result.loss.by_delete && result.loss.mine);
    /* An edit of the second life is of that life. */
    struct merge_side edit = edited(&second, DRAFT("third", "a", "y"), 4, &arena);
    result = must_merge(&NO_SIDE, &edit, &dead, &arena);
    assert_int_equal(result.outcome, MERGE_MINE);
    assert_text_is(heuristic_in(&result.side, &arena)->condition, "third");
    /* A later tombstone ends it. */
    dead = maker_tombstone(MNEME_HEURISTIC, maker_version(5, 2), &arena);
    assert_int_equal(must_merge(&NO_SIDE, &edit, &dead, &arena).outcome, MERGE_THEIRS);
}

static void merge__of_tombstones_takes_the_later(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side a = maker_tombstone(MNEME_CHECKPOINT, maker_version(2, 2), &arena);
    struct merge_side b = maker_tombstone(MNEME_CHECKPOINT, maker_version(3, 1), &arena);
    assert_int_equal(must_merge(&NO_SIDE, &a, &b, &arena).outcome, MERGE_THEIRS);
    assert_int_equal(must_merge(&NO_SIDE, &b, &a, &arena).outcome, MERGE_MINE);
    assert_int_equal(must_merge(&NO_SIDE, &a, &a, &arena).outcome, MERGE_EQUAL);
    struct stored_record bare = *a.record;
    bare.parent = (mneme_id){{0}};
    bare.place = 0;
    struct merge_side c = {&bare, {NULL, 0}};
    assert_int_equal(must_merge(&NO_SIDE, &a, &c, &arena).outcome, MERGE_MINE);
    assert_int_equal(must_merge(&NO_SIDE, &c, &a, &arena).outcome, MERGE_THEIRS);
}

static void merge__with_nothing_takes_what_is_there(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side a = side_of(DRAFT("c", "a", NULL), 1, &arena);
    assert_ptr_equal(must_merge(&NO_SIDE, &NO_SIDE, &a, &arena).side.record, a.record);
    assert_ptr_equal(must_merge(&NO_SIDE, &a, &NO_SIDE, &arena).side.record, a.record);
}

static void merge__takes_dictionaries_whole(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct stored_record a = {.kind = MNEME_DICTIONARY, .id = {{1}}, .version = {1, 1}}, b = a;
    struct merge_side one = {&a, slice_of_string("\xff one")}, two = {&b, slice_of_string("two")};
    assert_int_equal(must_merge(&NO_SIDE, &one, &two, &arena).outcome, MERGE_MINE);
    assert_int_equal(must_merge(&NO_SIDE, &two, &one, &arena).outcome, MERGE_THEIRS);
    b.version.clock = 2;
    struct merge_result result = must_merge(&one, &one, &two, &arena);
    assert_int_equal(result.outcome, MERGE_THEIRS);
    assert_false(result.loss.any);
    assert_ptr_equal(must_stamp(&one, &two, &arena).record, two.record);
}

/* ---- Flags ------------------------------------------------------------------------------- */

static struct merge_side with_flags(const struct draft *d, uint32_t flags, uint64_t tick,
                                    struct arena *arena) {
    struct merge_side side = side_of(d, tick, arena);
    struct stored_record *stored = arena_alloc(arena, sizeof *stored);
    *stored = *side.record;
    stored->flags |= flags;
    side.record = stored;
    return side;
}

static void merge__keeps_flags_that_do_not_follow_from_the_content(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const uint32_t flags = FLAG_OF_API | MNEME_FLAG_LOCAL;
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side mine = with_flags(DRAFT("c", "a", NULL), flags, 1, &arena);
    struct merge_side theirs = edited(&base, DRAFT("c2", "a", NULL), 2, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_int_equal(result.outcome, MERGE_THEIRS);
    assert_int_equal(result.side.record->flags, flags);
    mine = with_flags(DRAFT("c", "a2", NULL), flags, 3, &arena);
    result = must_merge(&base, &mine, &theirs, &arena);
    assert_int_equal(result.outcome, MERGE_BOTH);
    assert_int_equal(result.side.record->flags, flags);
    result = must_merge(&base, &theirs, &mine, &arena); /* what is local here does not come over */
    assert_int_equal(result.side.record->flags, FLAG_OF_API);
}

/* ---- Failures ---------------------------------------------------------------------------- */

static void merge__refuses_bodies_that_do_not_decode(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side mine = side_of(DRAFT("c2", "a", NULL), 2, &arena);
    struct merge_side stamped = must_stamp(&base, &mine, &arena);
    struct merge_result result = {.outcome = MERGE_BOTH};
    mneme_error error;
    for (size_t cut = 1; cut < stamped.plain.size - mine.plain.size; cut++) {
        struct merge_side broken = stamped;
        broken.plain.size -= cut;
        assert_int_equal(merge(&base, &mine, &broken, 0, &arena, &result, &error), MNEME_CORRUPT);
        assert_int_equal(error.code, MNEME_CORRUPT);
        assert_int_equal(result.outcome, MERGE_BOTH);
    }
}

static void merge__without_memory_leaves_the_result_alone(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", "x"), 1, &arena);
    struct merge_side mine = side_of(DRAFT("c2", "a", "x", "y"), 2, &arena);
    struct merge_side theirs = edited(&base, DRAFT("c3", "a", NULL), 3, &arena);
    int status = MNEME_NO_MEMORY;
    for (uint64_t k = 1; status == MNEME_NO_MEMORY && k < 1000; k++) {
        AUTO_ARENA struct arena scratch = {.first_size = 16, .later_size = 16};
        struct merge_result result = {.outcome = MERGE_BOTH};
        mneme_error error = {0};
        mem_fail_after(k);
        status = merge(&base, &mine, &theirs, 0, &scratch, &result, &error);
        mem_fail_after(0);
        if (status)
            assert_int_equal(error.code, MNEME_NO_MEMORY);
        if (status)
            assert_int_equal(result.side.record == NULL, true);
    }
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge__lets_a_tombstone_stand_against_edits_not_seen),
        cmocka_unit_test(merge__of_own_earlier_writes_a_tombstone_loses_nothing),
        cmocka_unit_test(merge__takes_the_later_born_life_whole),
        cmocka_unit_test(merge__of_tombstones_takes_the_later),
        cmocka_unit_test(merge__with_nothing_takes_what_is_there),
        cmocka_unit_test(merge__takes_dictionaries_whole),
        cmocka_unit_test(merge__keeps_flags_that_do_not_follow_from_the_content),
        cmocka_unit_test(merge__refuses_bodies_that_do_not_decode),
        cmocka_unit_test(merge__without_memory_leaves_the_result_alone),
    };
    return cmocka_run_group_tests_name("sync/merge_life", tests, NULL, NULL);
}
