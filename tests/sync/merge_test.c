/*
 * merge_test.c - what merging makes of two states: elements, their order, losses.
 */
#include "merge_fixture.h"

#include "model/member.h"

/* ---- Elements ---------------------------------------------------------------------------- */

static void merge__keeps_both_edits_of_different_members(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side mine = side_of(DRAFT("c2", "a", NULL), 3, &arena);
    struct merge_side theirs = edited(&base, DRAFT("c", "a2", NULL), 2, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_int_equal(result.outcome, MERGE_BOTH);
    assert_false(result.loss.any);
    assert_text_is(heuristic_in(&result.side, &arena)->condition, "c2");
    assert_text_is(heuristic_in(&result.side, &arena)->action, "a2");
    assert_int_equal(version_compare(result.side.record->version, maker_version(3, 3)), 0);
    assert_int_equal(result.side.record->plain_size, result.side.plain.size);
    assert_int_equal(result.side.record->body.size, 0);
}

/* For every kind, and every two of its members: an edit of one here and of the other there. */
static void check_two_rows(struct rng *rng, mneme_kind kind, uint32_t r, uint32_t s) {
    AUTO_ARENA struct arena arena = {.first_size = 64 << 10};
    const struct schema *schema = kind_find(kind)->schema;
    static const struct chain absolute;
    mneme_record record;
    maker_record(rng, &arena, kind, &record);
    struct merge_side base = maker_side(&record, maker_version(1, 1), &arena);
    mneme_record here, there, before, after;
    maker_read(&base, &arena, &here);
    maker_read(&base, &arena, &there);
    before = here;
    maker_edit_row(rng, &arena, r, &here);
    maker_edit_row(rng, &arena, s, &there);
    struct merge_side mine = maker_side(&here, maker_version(2, 2), &arena);
    struct merge_side theirs = maker_side(&there, maker_version(3, 3), &arena);
    theirs = must_stamp(&base, &theirs, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_false(result.loss.any || result.also.any);
    maker_read(&result.side, &arena, &after);
    maker_read(&mine, &arena, &here);
    maker_read(&theirs, &arena, &there);
    for (uint32_t i = 0; i < schema->count; i++) {
        const mneme_record *from = i == r ? &here : i == s ? &there : &before;
        AUTO_BUF struct buf expected = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
        if (!maker_has_row(kind, i))
            continue;
        if (kind == MNEME_EPISODE && schema->fields[i].schema == &step_schema)
            continue; /* whether they are in the body depends on another row */
        field_encode(&schema->fields[i], record_body(from), &absolute, &expected);
        field_encode(&schema->fields[i], record_body(&after), &absolute, &got);
        if (!slice_equal(buf_slice(&expected), buf_slice(&got)))
            fail_msg("kind %d: edits of %s and %s: wrong %s", (int)kind, schema->fields[r].name,
                     schema->fields[s].name, schema->fields[i].name);
    }
}

static void merge__keeps_edits_of_any_two_members_of_any_kind(void **state) {
    (void)state;
    struct rng rng = {5};
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        uint32_t count =
            kind_find((mneme_kind)kind) ? kind_find((mneme_kind)kind)->schema->count : 0;
        for (uint32_t r = 0; r < count; r++)
            for (uint32_t s = 0; s < count; s++)
                for (int n = 0; n < 10; n++)
                    if (r != s && maker_has_row((mneme_kind)kind, r) &&
                        maker_has_row((mneme_kind)kind, s))
                        check_two_rows(&rng, (mneme_kind)kind, r, s);
    }
}

static void merge__takes_the_later_of_two_edits_and_tells_the_loss(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side mine = side_of(DRAFT("mine", "a", NULL), 2, &arena);
    struct merge_side theirs = edited(&base, DRAFT("theirs", "a", NULL), 3, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_int_equal(result.outcome, MERGE_THEIRS);
    assert_ptr_equal(result.side.record, theirs.record);
    assert_true(result.loss.any && result.loss.mine && !result.loss.by_delete);
    assert_int_equal(result.loss.field_count, 1);
    assert_string_equal(result.loss.fields[0], "condition");
    assert_false(result.also.any);
    result = must_merge(&base, &theirs, &mine, &arena);
    assert_text_is(heuristic_in(&result.side, &arena)->condition, "theirs");
    assert_true(result.loss.any && !result.loss.mine);
}

static void merge__of_the_same_edit_twice_loses_nothing(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side mine = side_of(DRAFT("same", "a", NULL), 2, &arena);
    struct merge_side theirs = edited(&base, DRAFT("same", "a", NULL), 3, &arena);
    assert_false(must_merge(&base, &mine, &theirs, &arena).loss.any);
}

/* And it knows what it wrote. */
static void merge__without_a_base_loses_what_is_older_unless_one_device_wrote_both(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side mine = side_of(DRAFT("mine", "a", "x"), 3, &arena);
    struct merge_side theirs = side_of(DRAFT("theirs", "a", "y"), 2, &arena);
    struct merge_result result = must_merge(&NO_SIDE, &mine, &theirs, &arena);
    assert_true(result.loss.any && !result.loss.mine);
    assert_int_equal(result.loss.field_count, 1);
    assert_tags(&result.side, "y x ", &arena);
    struct stored_record same = *theirs.record;
    same.version.device = mine.record->version.device;
    theirs.record = &same;
    assert_true(must_merge(&NO_SIDE, &mine, &theirs, &arena).loss.any);
    assert_int_equal(merge(&NO_SIDE, &mine, &theirs, same.version.device, &arena, &result, NULL),
                     0);
    assert_false(result.loss.any);
}

/* Who never wrote a member loses nothing by what another wrote there. */
static void merge__without_a_base_loses_no_member_that_was_never_written(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side mine = side_of(DRAFT("same", "filled in", NULL), 3, &arena);
    struct merge_side theirs = side_of(DRAFT("same", "", NULL), 2, &arena);
    struct merge_result result = must_merge(&NO_SIDE, &mine, &theirs, &arena);
    assert_false(result.loss.any || result.also.any);
    assert_text_is(heuristic_in(&result.side, &arena)->action, "filled in");
    result = must_merge(&NO_SIDE, &theirs, &mine, &arena);
    assert_false(result.loss.any || result.also.any);
}

static void merge__tells_both_losses_when_each_side_lost(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side theirs = edited(&base, DRAFT("early", "a", NULL), 2, &arena);
    theirs = edited(&theirs, DRAFT("early", "late", NULL), 4, &arena);
    struct merge_side mine = side_of(DRAFT("mine", "mine", NULL), 3, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_int_equal(result.outcome, MERGE_BOTH);
    assert_true(result.loss.any && result.loss.mine && result.also.any && !result.also.mine);
    assert_string_equal(result.loss.fields[0], "action");
    assert_string_equal(result.also.fields[0], "condition");
    assert_text_is(heuristic_in(&result.side, &arena)->condition, "mine");
    assert_text_is(heuristic_in(&result.side, &arena)->action, "late");
}

static void merge__under_equal_stamps_takes_the_greater_bytes(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side mine = side_of(DRAFT("b", "a", NULL), 2, &arena);
    struct merge_side theirs = side_of(DRAFT("c", "a", NULL), 2, &arena);
    struct merge_result here = must_merge(&NO_SIDE, &mine, &theirs, &arena);
    struct merge_result there = must_merge(&NO_SIDE, &theirs, &mine, &arena);
    assert_int_equal(here.outcome, MERGE_THEIRS);
    assert_int_equal(there.outcome, MERGE_MINE);
    assert_same_side(&here.side, &there.side);
    assert_int_equal(must_merge(&NO_SIDE, &mine, &mine, &arena).outcome, MERGE_EQUAL);
}

/* A reader of metadata may change any pair; which machine did it is no matter of the others. */
static void merge__keeps_edits_of_different_pairs_and_their_order(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const struct draft first = {
        .condition = "c", .action = "a", .metadata = {{"p", "1"}, {"q", "1"}, {"r", "1"}}};
    const struct draft here = {
        .condition = "c", .action = "a", .metadata = {{"p", "2"}, {"q", "1"}, {"r", "1"}}};
    const struct draft there = {"c", "a",
                                .metadata = {{"p", "1"}, {"q", "1"}, {"r", "2"}, {"s", "1"}}};
    struct merge_side base = side_of(&first, 1, &arena);
    struct merge_side mine = side_of(&here, 3, &arena);
    struct merge_side theirs = edited(&base, &there, 2, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_metadata(&result.side, "p=2 q=1 r=2 s=1 ", &arena);
    assert_false(result.loss.any);
}

static void merge__tells_the_loss_of_a_pair_changed_twice_or_removed(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    const struct draft first = {
        .condition = "c", .action = "a", .metadata = {{"p", "1"}, {"q", "1"}}};
    const struct draft changed = {
        .condition = "c", .action = "a", .metadata = {{"p", "2"}, {"q", "1"}}};
    const struct draft removed = {.condition = "c", .action = "a", .metadata = {{"q", "1"}}};
    struct merge_side base = side_of(&first, 1, &arena);
    struct merge_side mine = side_of(&changed, 2, &arena);
    struct merge_side theirs = edited(&base, &removed, 3, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_metadata(&result.side, "q=1 ", &arena);
    assert_true(result.loss.any && result.loss.mine);
    assert_string_equal(result.loss.fields[0], "metadata");
}

/* ---- Tags -------------------------------------------------------------------------------- */

static void merge__unites_tags_and_keeps_removals(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", "x", "y"), 1, &arena);
    struct merge_side mine = side_of(DRAFT("c", "a", "x", "y", "m"), 3, &arena);
    struct merge_side theirs = edited(&base, DRAFT("c", "a", "y", "t"), 2, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_tags(&result.side, "y t m ", &arena);
    assert_false(result.loss.any);
}

static void merge__does_not_bring_back_a_removed_tag_by_an_older_copy(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side old = side_of(DRAFT("c", "a", "x", "y"), 1, &arena);
    struct merge_side now = edited(&old, DRAFT("c", "a", "y"), 2, &arena);
    struct merge_result result = must_merge(&NO_SIDE, &now, &old, &arena);
    assert_int_equal(result.outcome, MERGE_MINE);
    assert_tags(&result.side, "y ", &arena);
    /* Nor when others have edited both, and met. */
    struct merge_side left = edited(&old, DRAFT("c2", "a", "x", "y"), 5, &arena);
    struct merge_side right = edited(&now, DRAFT("c", "a2", "y"), 4, &arena);
    result = must_merge(&NO_SIDE, &left, &right, &arena);
    assert_tags(&result.side, "y ", &arena);
    /* Whoever adds it again has it. */
    struct merge_side again = edited(&right, DRAFT("c", "a2", "y", "x"), 6, &arena);
    result = must_merge(&NO_SIDE, &again, &left, &arena);
    assert_tags(&result.side, "y x ", &arena);
}

static void merge__keeps_the_order_that_a_writer_gave(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", "z", "y", "x"), 1, &arena);
    struct merge_side mine = side_of(DRAFT("c", "a", "x", "z", "y"), 3, &arena);
    struct merge_side theirs = edited(&base, DRAFT("c", "a2", "z", "y", "x", "w"), 2, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_tags(&result.side, "x w z y ", &arena);
    struct merge_side alone = must_stamp(&base, &mine, &arena);
    assert_tags(&alone, "x z y ", &arena);
    result = must_merge(&NO_SIDE, &alone, &base, &arena);
    assert_tags(&result.side, "x z y ", &arena);
}

/* Moving a tag does not win against its removal: only its place is newer. */
static void merge__of_a_moved_and_a_removed_tag_removes_it(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", "x", "y"), 1, &arena);
    struct merge_side mine = side_of(DRAFT("c", "a", "y", "x"), 3, &arena);
    struct merge_side theirs = edited(&base, DRAFT("c", "a", "y"), 2, &arena);
    struct merge_result result = must_merge(&base, &mine, &theirs, &arena);
    assert_tags(&result.side, "y ", &arena);
}

/* ---- Stamps ------------------------------------------------------------------------------ */

static void merge_stamp__gives_mine_itself_when_there_is_nothing_to_say(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", NULL), 1, &arena);
    struct merge_side mine = side_of(DRAFT("c2", "a", NULL), 2, &arena);
    struct merge_side out = must_stamp(&NO_SIDE, &mine, &arena);
    assert_ptr_equal(out.record, mine.record);
    out = must_stamp(&base, &mine, &arena);
    assert_true(out.plain.size > mine.plain.size);
    assert_true(out.plain.size < mine.plain.size + 60);
    assert_int_equal(version_compare(out.record->version, mine.record->version), 0);
    assert_memory_equal(out.plain.data, mine.plain.data, mine.plain.size);
    struct merge_side again = must_stamp(&base, &out, &arena); /* it has stamps already */
    assert_ptr_equal(again.record, out.record);
    struct merge_side dead = maker_tombstone(MNEME_HEURISTIC, maker_version(3, 1), &arena);
    assert_ptr_equal(must_stamp(&base, &dead, &arena).record, dead.record);
}

static void merge_stamp__lets_what_was_not_touched_lose_against_older_edits(void **state) {
    (void)state;
    AUTO_ARENA struct arena arena = {0};
    struct merge_side base = side_of(DRAFT("c", "a", "x"), 1, &arena);
    struct merge_side older = edited(&base, DRAFT("older", "a", "x"), 2, &arena);
    struct merge_side newer = edited(&base, DRAFT("c", "newer", "x"), 9, &arena);
    struct merge_side newest = edited(&newer, DRAFT("c", "newest", "x"), 10, &arena);
    struct merge_result result = must_merge(&NO_SIDE, &newest, &older, &arena);
    assert_text_is(heuristic_in(&result.side, &arena)->condition, "older");
    assert_text_is(heuristic_in(&result.side, &arena)->action, "newest");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merge__keeps_both_edits_of_different_members),
        cmocka_unit_test(merge__keeps_edits_of_any_two_members_of_any_kind),
        cmocka_unit_test(merge__takes_the_later_of_two_edits_and_tells_the_loss),
        cmocka_unit_test(merge__of_the_same_edit_twice_loses_nothing),
        cmocka_unit_test(merge__without_a_base_loses_what_is_older_unless_one_device_wrote_both),
        cmocka_unit_test(merge__without_a_base_loses_no_member_that_was_never_written),
        cmocka_unit_test(merge__tells_both_losses_when_each_side_lost),
        cmocka_unit_test(merge__under_equal_stamps_takes_the_greater_bytes),
        cmocka_unit_test(merge__keeps_edits_of_different_pairs_and_their_order),
        cmocka_unit_test(merge__tells_the_loss_of_a_pair_changed_twice_or_removed),
        cmocka_unit_test(merge__unites_tags_and_keeps_removals),
        cmocka_unit_test(merge__does_not_bring_back_a_removed_tag_by_an_older_copy),
        cmocka_unit_test(merge__keeps_the_order_that_a_writer_gave),
        cmocka_unit_test(merge__of_a_moved_and_a_removed_tag_removes_it),
        cmocka_unit_test(merge_stamp__gives_mine_itself_when_there_is_nothing_to_say),
        cmocka_unit_test(merge_stamp__lets_what_was_not_touched_lose_against_older_edits),
    };
    return cmocka_run_group_tests_name("sync/merge", tests, NULL, NULL);
}
