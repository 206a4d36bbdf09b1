/*
 * store_cases_shared.c - conformance: what is remembered of sharing (shared.h).
 */
#include "support/store_cases.h"
#include "support/store_share.h"

/* ---- Helpers ----------------------------------------------------------------------------- */

static void share(struct store_home *home) { must_apply_one(home->store, state_of("state", 1)); }

/* A record that is clean, at 10 more than its number. */
static void put_clean(struct store_home *home, unsigned n) {
    must_apply_one(home->store,
                   marked_as(with_body(put_of(MNEME_PATTERN, n), "first"), MARK_CLEAN, n + 10));
}

static struct shared_mark mark_in(struct store *store, unsigned n, struct record_set *bases) {
    struct record_name name = {MNEME_PATTERN, numbered_id(n)};
    struct shared_mark mark;
    mneme_error error = {0};
    if (shared_marks(store, &name, 1, &mark, bases, &error))
        fail_msg("marks: %s", error.message);
    return mark;
}

/* The mark of pattern n; of a base also its body. */
static void assert_mark(struct store_home *home, unsigned n, enum mark expected, uint64_t at,
                        const char *base) {
    AUTO_RECORDS struct record_set bases = {0};
    struct shared_mark mark = mark_in(home->store, n, &bases);
    assert_int_equal(mark.mark, expected);
    assert_int_equal(mark.at, at);
    if (expected != MARK_BASE) {
        assert_true(mark.base == SIZE_MAX);
        assert_int_equal(bases.count, 0);
        return;
    }
    assert_int_equal(mark.base, 0);
    assert_int_equal(bases.count, 1);
    assert_true(slice_equal(bases.records[0].body, slice_of_string(base)));
}

static bool is_held(struct store_home *home, unsigned n) {
    AUTO_RECORDS struct record_set bases = {0};
    return mark_in(home->store, n, &bases).held;
}

static struct shared_counts counts_of(struct store *store) {
    struct shared_counts counts;
    assert_int_equal(shared_state(store, NULL, NULL, NULL, &counts, NULL), 0);
    return counts;
}

static void assert_counts(struct store_home *home, uint64_t clean, uint64_t changed, uint64_t gone,
                          uint64_t held) {
    struct shared_counts counts = counts_of(home->store);
    assert_int_equal(counts.clean, clean);
    assert_int_equal(counts.changed, changed);
    assert_int_equal(counts.gone, gone);
    assert_int_equal(counts.held, held);
}

static void assert_state(struct store *store, const char *text, uint64_t expected_fence) {
    AUTO_ARENA struct arena arena = {0};
    struct slice state;
    uint64_t fence;
    assert_int_equal(shared_state(store, &arena, &state, &fence, NULL, NULL), 0);
    assert_true(slice_equal(state, slice_of_string(text)));
    assert_int_equal(fence, expected_fence);
}

/* The outbox is these records, whatever the size of the pages. */
static void assert_outbox(struct store_home *home, const unsigned *numbers, size_t count) {
    for (size_t limit = 1; limit <= count + 1; limit++) {
        AUTO_RECORDS struct record_set set = {0};
        uint64_t upto = 0;
        bool more = true;
        for (unsigned pages = 0; more; pages++) {
            size_t before = set.count;
            assert_true(pages < 100);
            assert_int_equal(
                shared_outbox(home->store, upto, limit, SIZE_MAX, &set, &upto, &more, NULL), 0);
            assert_true(set.count - before <= limit);
        }
        assert_int_equal(set.count, count);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(number_of(&set.records[i].id), numbers[i]);
    }
}
#define ASSERT_OUTBOX(home, ...)                                                                   \
    assert_outbox(home, (const unsigned[]){__VA_ARGS__},                                           \
                  COUNT_OF(((const unsigned[]){__VA_ARGS__})))

/* ---- State and fence --------------------------------------------------------------------- */

static void share__is_off_at_first(struct store_home *home) {
    assert_state(home->store, "", 0);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 2));
    struct mutation marks[] = {mark_of(MARK_CLEAN, MNEME_PATTERN, 2, 1),
                               marked_as(put_of(MNEME_PATTERN, 2), MARK_CLEAN, 1)};
    assert_refused(home->store, &marks[0], 1, MNEME_INVALID);
    assert_refused(home->store, &marks[1], 1, MNEME_INVALID);
    assert_counts(home, 0, 0, 0, 0);
    /* The state may come in the same batch as the first mark. */
    struct mutation both[] = {state_of("s", 1), marks[0]};
    must_apply(home->store, both, 2);
    assert_mark(home, 2, MARK_CLEAN, 1, NULL);
}

static void state__is_kept_with_its_fence(struct store_home *home) {
    struct mutation state = state_of("one", 7), check = {.op = MUTATION_CHECK};
    check.condition = state.condition = CONDITION_FENCE;
    must_apply_one(home->store, check); /* before the first the fence is 0 */
    must_apply_one(home->store, state);
    assert_true(state.record.change == 0);
    assert_state(home->store, "one", 7);
    assert_refused(home->store, &check, 1, MNEME_LOCKED);
    assert_refused(home->store, &state, 1, MNEME_LOCKED);
    check.shared.fence = state.expect_change = 7;
    must_apply_one(home->store, check);
    state.shared.fence = 8;
    state.record.body = slice_of(NULL, 0);
    must_apply_one(home->store, state);
    assert_state(home->store, "one", 8); /* without one it stays */
    AUTO_FREE uint8_t *large = mem_zalloc(SHARED_STATE_MAX + 1, 1);
    assert_non_null(large);
    state.condition = CONDITION_NONE;
    state.record.body = slice_of(large, SHARED_STATE_MAX + 1);
    assert_refused(home->store, &state, 1, MNEME_TOO_LARGE);
    state.record.body.size--;
    must_apply_one(home->store, state);
}

static void fence__guards_a_batch(struct store_home *home) {
    share(home);
    put_clean(home, 1);
    struct mutation batch[] = {put_of(MNEME_PATTERN, 2),
                               mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 99),
                               state_of("late", 2),
                               {.op = MUTATION_CHECK}};
    batch[3].condition = CONDITION_FENCE;
    batch[3].shared.fence = 1; /* the state before it in the batch has set it to 2 */
    assert_refused(home->store, batch, 4, MNEME_LOCKED);
    assert_mark(home, 1, MARK_CLEAN, 11, NULL);
    assert_state(home->store, "state", 1);
    batch[3].shared.fence = 2;
    must_apply(home->store, batch, 4);
    struct mutation mark = mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 5);
    mark.condition = CONDITION_FENCE;
    mark.shared.fence = 1;
    assert_refused(home->store, &mark, 1, MNEME_LOCKED);
    mark.shared.fence = 2;
    must_apply_one(home->store, mark);
    assert_mark(home, 1, MARK_CLEAN, 5, NULL);
}

/* ---- What writes do to marks ------------------------------------------------------------- */

static void write__of_a_new_record_leaves_no_mark(struct store_home *home) {
    share(home);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    must_apply_one(home->store, delete_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    assert_counts(home, 0, 0, 0, 0);
}

static void write__of_a_clean_record_makes_it_the_base(struct store_home *home) {
    AUTO_RECORDS struct record_set stored = {0}, bases = {0};
    share(home);
    put_clean(home, 1);
    assert_mark(home, 1, MARK_CLEAN, 11, NULL);
    must_get(home->store, MNEME_PATTERN, 1, &stored);
    must_apply_one(home->store, with_body(put_of(MNEME_PATTERN, 1), "second"));
    assert_mark(home, 1, MARK_BASE, 11, "first");
    must_apply_one(home->store, with_body(put_of(MNEME_PATTERN, 1), "third"));
    must_apply_one(home->store, delete_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_BASE, 11, "first");
    (void)mark_in(home->store, 1, &bases);
    assert_null(record_difference(&stored.records[0], &bases.records[0]));
    assert_counts(home, 0, 1, 0, 0);
    /* A tombstone can be clean, too. */
    must_apply_one(home->store, mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 12));
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_BASE, 12, "");
}

static void write__may_say_what_it_is_marked_as(struct store_home *home) {
    share(home);
    put_clean(home, 1);
    must_apply_one(home->store, with_body(put_of(MNEME_PATTERN, 1), "mine"));
    /* A base stays when a merged record is put. */
    must_apply_one(home->store,
                   marked_as(with_body(put_of(MNEME_PATTERN, 1), "merged"), MARK_BASE, 0));
    assert_mark(home, 1, MARK_BASE, 11, "first");
    must_apply_one(home->store, marked_as(delete_of(MNEME_PATTERN, 1), MARK_CLEAN, 20));
    assert_mark(home, 1, MARK_CLEAN, 20, NULL);
    assert_counts(home, 1, 0, 0, 0);
    /* What is replaced is not made a base; the batch sets one. */
    struct mutation both[] = {
        marked_as(with_body(put_of(MNEME_PATTERN, 1), "merged"), MARK_BASE, 0),
        mark_of(MARK_BASE, MNEME_PATTERN, 1, 30)};
    must_apply(home->store, both, 2);
    assert_mark(home, 1, MARK_BASE, 30, "base");
    put_clean(home, 2);
    must_apply_one(home->store, marked_as(put_of(MNEME_PATTERN, 2), MARK_BASE, 0));
    assert_mark(home, 2, MARK_NONE, 0, NULL);
}

static void write__that_is_late_marks_nothing(struct store_home *home) {
    share(home);
    put_clean(home, 1);
    struct mutation late = put_of(MNEME_PATTERN, 1);
    late.record.version = (mneme_version){1, 1};
    must_apply(home->store, &late, 1);
    assert_false(late.applied);
    assert_mark(home, 1, MARK_CLEAN, 11, NULL);
    late = marked_as(late, MARK_CLEAN, 5);
    must_apply(home->store, &late, 1);
    assert_mark(home, 1, MARK_CLEAN, 11, NULL);
}

static void purge__leaves_what_the_remote_still_holds(struct store_home *home) {
    share(home);
    for (unsigned n = 1; n <= 3; n++)
        put_clean(home, n);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 2));
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1));
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 2));
    must_apply_one(home->store, marked_as(purge_of(MNEME_PATTERN, 3), MARK_CLEAN, 0));
    assert_mark(home, 1, MARK_GONE, 11, NULL);
    assert_mark(home, 2, MARK_GONE, 12, NULL);
    assert_mark(home, 3, MARK_NONE, 0, NULL);
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1)); /* passed over */
    assert_mark(home, 1, MARK_GONE, 11, NULL);
    must_apply_one(home->store, marked_as(purge_of(MNEME_PATTERN, 1), MARK_CLEAN, 0));
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    assert_counts(home, 0, 0, 1, 0);
}

static void put__of_a_gone_record_has_an_empty_base(struct store_home *home) {
    AUTO_RECORDS struct record_set bases = {0};
    share(home);
    put_clean(home, 1);
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1));
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_BASE, 11, "");
    (void)mark_in(home->store, 1, &bases);
    assert_int_equal(bases.records[0].flags, MNEME_FLAG_DELETED);
    assert_true(version_is_zero(bases.records[0].version));
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1));
    assert_mark(home, 1, MARK_GONE, 11, NULL);
    must_apply_one(home->store, marked_as(put_of(MNEME_PATTERN, 1), MARK_CLEAN, 40));
    assert_mark(home, 1, MARK_CLEAN, 40, NULL);
    assert_counts(home, 1, 0, 0, 0);
}

/* ---- MUTATION_MARK ----------------------------------------------------------------------- */

static void mark__changes_no_record(struct store_home *home) {
    share(home);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    struct store_dump before;
    assert_int_equal(store_dump_take(home->store, &before, NULL), 0);
    const atomic_uint_fast64_t *moment = store_moment(home->store);
    uint64_t was = moment ? atomic_load(moment) : 0;
    struct mutation mark = mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 4);
    must_apply(home->store, &mark, 1);
    assert_true(mark.applied);
    assert_int_equal(mark.record.change, 0);
    assert_true(!moment || atomic_load(moment) != was);
    must_apply_one(home->store, state_of("again", 1));
    must_apply_one(home->store, mark_of(MARK_BASE, MNEME_PATTERN, 1, 5));
    assert_mark(home, 1, MARK_BASE, 5, "base");
    must_apply_one(home->store, mark_of(MARK_NONE, MNEME_PATTERN, 1, 0));
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    assert_unchanged(home->store, &before);
    store_dump_fini(&before);
}

static void mark__must_fit_what_is_stored(struct store_home *home) {
    share(home);
    put_clean(home, 1);
    struct mutation wrong[] = {mark_of(MARK_CLEAN, MNEME_PATTERN, 2, 1),
                               mark_of(MARK_BASE, MNEME_PATTERN, 2, 1),
                               hold_of(MNEME_PATTERN, 2, "x"),
                               mark_of(MARK_GONE, MNEME_PATTERN, 1, 1),
                               mark_of((enum mark)50, MNEME_PATTERN, 1, 1),
                               marked_as(put_of(MNEME_PATTERN, 1), MARK_GONE, 1),
                               marked_as(put_of(MNEME_PATTERN, 1), MARK_HELD, 1),
                               marked_as(purge_of(MNEME_PATTERN, 1), MARK_BASE, 1),
                               put_of(MNEME_PATTERN, 1)};
    wrong[8].condition = CONDITION_FENCE;
    static const int statuses[] = {MNEME_NOT_FOUND, MNEME_NOT_FOUND, MNEME_NOT_FOUND,
                                   MNEME_CONFLICT,  MNEME_INVALID,   MNEME_INVALID,
                                   MNEME_INVALID,   MNEME_INVALID,   MNEME_INVALID};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_refused(home->store, &wrong[i], 1, statuses[i]);
    static const uint8_t reason[SHARED_REASON_MAX + 1];
    struct mutation hold = hold_of(MNEME_PATTERN, 1, "");
    hold.shared.reason = slice_of(reason, sizeof reason);
    assert_refused(home->store, &hold, 1, MNEME_TOO_LARGE);
    hold.shared.reason.size--;
    must_apply_one(home->store, hold);
    must_apply_one(home->store, mark_of(MARK_GONE, MNEME_PATTERN, 2, 6));
    assert_mark(home, 2, MARK_GONE, 6, NULL);
    must_apply_one(home->store, hold_of(MNEME_PATTERN, 2, "also what is gone"));
    must_apply_one(home->store, mark_of(MARK_NONE, MNEME_PATTERN, 3, 0));
    must_apply_one(home->store, mark_of(MARK_FREE, MNEME_PATTERN, 3, 0));
    assert_counts(home, 1, 0, 1, 2);
}

static void mark__takes_conditions(struct store_home *home) {
    share(home);
    struct mutation put = put_of(MNEME_PATTERN, 1);
    must_apply(home->store, &put, 1);
    struct mutation mark = mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 3);
    mark.condition = CONDITION_CHANGE;
    mark.expect_change = put.record.change + 1;
    assert_refused(home->store, &mark, 1, MNEME_CONFLICT);
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    mark.expect_change--;
    must_apply_one(home->store, mark);
    assert_mark(home, 1, MARK_CLEAN, 3, NULL);
}

static void marks__go_in_only_with_their_batch(struct store_home *home) {
    share(home);
    put_clean(home, 1);
    put_clean(home, 2);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 2));
    must_apply_one(home->store, put_of(MNEME_PATTERN, 3));
    struct mutation batch[] = {put_of(MNEME_PATTERN, 1),
                               purge_of(MNEME_PATTERN, 2),
                               mark_of(MARK_CLEAN, MNEME_PATTERN, 3, 9),
                               hold_of(MNEME_PATTERN, 3, "why"),
                               state_of("new", 9),
                               mark_of(MARK_GONE, MNEME_PATTERN, 4, 9),
                               mark_of(MARK_NONE, MNEME_PATTERN, 1, 0),
                               check_of(MNEME_PATTERN, 9, CONDITION_LIVE)};
    assert_refused(home->store, batch, COUNT_OF(batch), MNEME_NOT_FOUND);
    assert_mark(home, 1, MARK_CLEAN, 11, NULL);
    assert_mark(home, 2, MARK_BASE, 12, "first");
    assert_mark(home, 3, MARK_NONE, 0, NULL);
    assert_counts(home, 1, 1, 0, 0);
    assert_state(home->store, "state", 1);
    must_apply(home->store, batch, COUNT_OF(batch) - 1);
    assert_mark(home, 1, MARK_NONE, 0, NULL);
    assert_counts(home, 1, 0, 2, 1);
    assert_state(home->store, "new", 9);
}

/* Whichever allocation fails, the batch is all there or not at all. */
static void marks__survive_a_lack_of_memory(struct store_home *home) {
    share(home);
    put_clean(home, 1);
    for (uint64_t k = 1;; k++) {
        struct mutation batch[] = {with_body(put_of(MNEME_PATTERN, 1), "second"),
                                   hold_of(MNEME_PATTERN, 1, "why"), state_of("new", 2)};
        assert_true(k < 1000);
        (void)mem_fail_after(k);
        int status = apply_mutations(home->store, batch, COUNT_OF(batch), NULL);
        (void)mem_fail_after(0);
        if (status == 0)
            break;
        assert_int_equal(status, MNEME_NO_MEMORY);
        assert_mark(home, 1, MARK_CLEAN, 11, NULL);
        assert_false(is_held(home, 1));
        assert_state(home->store, "state", 1);
    }
    assert_mark(home, 1, MARK_BASE, 11, "first");
    assert_state(home->store, "new", 2);
}

/* ---- The outbox -------------------------------------------------------------------------- */

static void outbox__is_what_is_new_or_changed(struct store_home *home) {
    must_apply_one(home->store, put_of(MNEME_PATTERN, 5)); /* from before it was shared */
    share(home);
    put_clean(home, 1);
    put_clean(home, 2);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 3));
    ASSERT_OUTBOX(home, 5, 3);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    ASSERT_OUTBOX(home, 5, 3, 1);
    must_apply_one(home->store, delete_of(MNEME_PATTERN, 5)); /* moves its one entry to the end */
    ASSERT_OUTBOX(home, 3, 1, 5);
    must_apply_one(home->store, mark_of(MARK_CLEAN, MNEME_PATTERN, 3, 9));
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1));
    ASSERT_OUTBOX(home, 5);
    must_apply_one(home->store, mark_of(MARK_CLEAN, MNEME_PATTERN, 5, 9));
    assert_outbox(home, NULL, 0);
}

static void outbox__leaves_out_what_is_held(struct store_home *home) {
    share(home);
    put_clean(home, 1);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1));
    must_apply_one(home->store, put_of(MNEME_PATTERN, 2));
    must_apply_one(home->store, hold_of(MNEME_PATTERN, 1, "too large"));
    must_apply_one(home->store, hold_of(MNEME_PATTERN, 2, "private"));
    assert_outbox(home, NULL, 0);
    assert_counts(home, 0, 1, 0, 2);
    must_apply_one(home->store, mark_of(MARK_FREE, MNEME_PATTERN, 2, 0));
    ASSERT_OUTBOX(home, 2);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 1)); /* who changes it frees it */
    ASSERT_OUTBOX(home, 2, 1);
    must_apply_one(home->store, hold_of(MNEME_PATTERN, 1, "too large"));
    must_apply_one(home->store, marked_as(put_of(MNEME_PATTERN, 1), MARK_BASE, 0));
    assert_true(is_held(home, 1)); /* sync does not */
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 1));
    assert_false(is_held(home, 1));
}

static void outbox__is_bounded_by_bytes(struct store_home *home) {
    static const uint8_t body[1000];
    share(home);
    for (unsigned n = 1; n <= 4; n++) {
        struct mutation put = put_of(MNEME_PATTERN, n);
        put.record.body = slice_of(body, sizeof body);
        must_apply_one(home->store, put);
    }
    static const struct {
        size_t bytes, count;
    } cases[] = {{0, 1}, {999, 1}, {1000, 2}, {1999, 2}, {2000, 3}, {3999, 4}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_RECORDS struct record_set set = {0};
        uint64_t upto = 77;
        bool more = false;
        assert_int_equal(
            shared_outbox(home->store, 0, 100, cases[i].bytes, &set, &upto, &more, NULL), 0);
        assert_int_equal(set.count, cases[i].count);
        assert_int_equal(more, set.count < 4);
        assert_int_equal(upto, set.records[set.count - 1].change);
        assert_int_equal(set.records[0].body.size, sizeof body);
    }
}

static void outbox__tells_how_far_it_looked(struct store_home *home) {
    AUTO_RECORDS struct record_set set = {0};
    uint64_t upto = 0;
    bool more = true;
    share(home);
    assert_int_equal(shared_outbox(home->store, 3, 1, 0, &set, &upto, &more, NULL), 0);
    assert_int_equal(upto, 3);
    assert_false(more);
    for (unsigned n = 1; n <= 5; n++)
        put_clean(home, n);
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 5)); /* its change is there no more */
    assert_int_equal(shared_outbox(home->store, 0, 1, 0, &set, &upto, &more, NULL), 0);
    assert_int_equal(set.count, 0);
    assert_int_equal(upto, 5);
    assert_false(more);
    assert_int_equal(shared_outbox(home->store, UINT64_MAX, 1, 0, &set, &upto, &more, NULL), 0);
    assert_true(upto == UINT64_MAX);
    assert_int_equal(shared_outbox(home->store, 0, 0, 0, &set, &upto, &more, NULL), MNEME_INVALID);
}

/* ---- Names ------------------------------------------------------------------------------- */

static void assert_names(struct store *store, enum mark mark, const unsigned *numbers,
                         size_t count) {
    for (size_t limit = 1; limit <= count + 1; limit++) {
        AUTO_ARENA struct arena arena = {0};
        struct record_name names[16];
        uint64_t at[16];
        size_t seen = 0, got = limit;
        while (got == limit) {
            assert_true(seen + limit <= COUNT_OF(names));
            assert_int_equal(shared_names(store, mark, seen ? &names[seen - 1] : NULL, limit,
                                          names + seen, at + seen, NULL, &arena, &got, NULL),
                             0);
            seen += got;
        }
        assert_int_equal(seen, count);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(number_of(&names[i].id), numbers[i]);
            assert_int_equal(at[i], mark == MARK_HELD ? 0 : numbers[i] + 10);
        }
    }
}

static void names__are_listed_by_mark(struct store_home *home) {
    share(home);
    for (unsigned n = 9; n >= 1; n--)
        put_clean(home, n);
    for (unsigned n = 4; n <= 6; n++)
        must_apply_one(home->store, put_of(MNEME_PATTERN, n));
    for (unsigned n = 7; n <= 9; n++)
        must_apply_one(home->store, purge_of(MNEME_PATTERN, n));
    must_apply_one(home->store, hold_of(MNEME_PATTERN, 2, "two"));
    must_apply_one(home->store, hold_of(MNEME_PATTERN, 5, "five"));
    assert_names(home->store, MARK_CLEAN, (const unsigned[]){1, 2, 3}, 3);
    assert_names(home->store, MARK_BASE, (const unsigned[]){4, 5, 6}, 3);
    assert_names(home->store, MARK_GONE, (const unsigned[]){7, 8, 9}, 3);
    assert_names(home->store, MARK_HELD, (const unsigned[]){2, 5}, 2);
    AUTO_ARENA struct arena arena = {0};
    struct record_name names[4];
    struct slice reasons[4];
    uint64_t at[4];
    size_t count;
    assert_int_equal(
        shared_names(home->store, MARK_HELD, NULL, 4, names, at, reasons, &arena, &count, NULL), 0);
    assert_true(slice_equal(reasons[0], slice_of_string("two")));
    assert_true(slice_equal(reasons[1], slice_of_string("five")));
    assert_int_equal(
        shared_names(home->store, MARK_FREE, NULL, 4, names, at, reasons, &arena, &count, NULL),
        MNEME_INVALID);
}

/* ---- Exact writes, and those that stay here ---------------------------------------------- */

static void exact__goes_in_with_the_version_it_brings(struct store_home *home) {
    AUTO_RECORDS struct record_set set = {0};
    struct mutation put = put_of(MNEME_PATTERN, 1);
    must_apply(home->store, &put, 1);
    struct mutation older = with_body(put_of(MNEME_PATTERN, 1), "older");
    older.exact = true;
    older.record.version = (mneme_version){5, 6};
    older.condition = CONDITION_CHANGE;
    older.expect_change = put.record.change + 1;
    assert_refused(home->store, &older, 1, MNEME_CONFLICT);
    older.expect_change = put.record.change;
    must_apply(home->store, &older, 1);
    assert_true(older.applied);
    const struct stored_record *now = must_get(home->store, MNEME_PATTERN, 1, &set);
    assert_int_equal(now->version.clock, 5);
    assert_true(slice_equal(now->body, slice_of_string("older")));
    struct mutation next = put_of(MNEME_PATTERN, 2); /* the store's own go on from the greatest */
    must_apply(home->store, &next, 1);
    assert_true(version_compare(next.record.version, put.record.version) > 0);
    struct mutation nothing = check_of(MNEME_PATTERN, 3, CONDITION_CHANGE);
    must_apply_one(home->store, nothing);
    nothing.expect_change = 1;
    assert_refused(home->store, &nothing, 1, MNEME_CONFLICT);
}

static void exact__delete_leaves_the_tombstone_it_brings(struct store_home *home) {
    AUTO_RECORDS struct record_set set = {0};
    struct mutation gone = delete_of(MNEME_STEP, 1);
    gone.exact = true;
    gone.record.version = (mneme_version){5, 6};
    gone.record.parent = numbered_id(50);
    gone.record.place = 4;
    gone.record.time_us = 77;
    must_apply_one(home->store, gone);
    const struct stored_record *now = must_get(home->store, MNEME_STEP, 1, &set);
    assert_int_equal(now->flags, MNEME_FLAG_DELETED);
    assert_true(id_equal(&now->parent, &gone.record.parent));
    assert_int_equal(now->place, 4);
    assert_int_equal(now->time_us, 77);
    struct mutation step = put_of(MNEME_STEP, 2);
    step.record.parent = gone.record.parent;
    must_apply(home->store, &step, 1);
    assert_int_equal(step.record.place, 5);
    gone.record = (struct stored_record){
        .kind = MNEME_STEP, .id = numbered_id(2), .version = {6, 6}, .time_us = 1};
    must_apply_one(home->store, gone); /* without a parent: what is stored */
    now = must_get(home->store, MNEME_STEP, 2, &set);
    assert_int_equal(now->place, 5);
    assert_int_equal(now->time_us, 2000);
}

static void local__sticks_until_the_record_is_deleted(struct store_home *home) {
    AUTO_RECORDS struct record_set set = {0};
    struct mutation put = put_of(MNEME_EPISODE, 1), again = put_of(MNEME_EPISODE, 1);
    put.record.flags = MNEME_FLAG_LOCAL;
    again.record.flags = MNEME_FLAG_SEALED;
    must_apply_one(home->store, put);
    must_apply(home->store, &again, 1);
    assert_int_equal(again.record.flags, MNEME_FLAG_LOCAL | MNEME_FLAG_SEALED);
    assert_int_equal(must_get(home->store, MNEME_EPISODE, 1, &set)->flags, again.record.flags);
    must_apply_one(home->store, delete_of(MNEME_EPISODE, 1));
    assert_int_equal(must_get(home->store, MNEME_EPISODE, 1, &set)->flags, MNEME_FLAG_DELETED);
    must_apply_one(home->store, put_of(MNEME_EPISODE, 1));
    assert_int_equal(must_get(home->store, MNEME_EPISODE, 1, &set)->flags, 0);
}

/* ---- On disk ----------------------------------------------------------------------------- */

static void make_some(struct store_home *home) {
    share(home);
    for (unsigned n = 1; n <= 3; n++)
        put_clean(home, n);
    must_apply_one(home->store, put_of(MNEME_PATTERN, 2));
    must_apply_one(home->store, purge_of(MNEME_PATTERN, 3));
    must_apply_one(home->store, hold_of(MNEME_PATTERN, 2, "why"));
}

static void assert_some(struct store_home *home) {
    assert_mark(home, 1, MARK_CLEAN, 11, NULL);
    assert_mark(home, 2, MARK_BASE, 12, "first");
    assert_mark(home, 3, MARK_GONE, 13, NULL);
    assert_true(is_held(home, 2));
    assert_counts(home, 1, 1, 1, 1);
    assert_state(home->store, "state", 1);
}

static void marks__are_there_after_reopening(struct store_home *home) {
    make_some(home);
    assert_int_equal(store_home_reopen(home, NULL), 0);
    assert_some(home);
    assert_int_equal(store_home_crash(home, NULL), 0);
    assert_some(home);
}

static void marks__are_in_a_backup(struct store_home *home) {
    struct store_home copy = *home;
    make_some(home);
    strcat(copy.path, "-copy");
    assert_int_equal(store_backup(home->store, copy.path, NULL), 0);
    assert_int_equal(home->maker->open(copy.path, &copy.store, NULL), 0);
    assert_some(&copy);
    store_close(copy.store);
}

/* ---- Stores that cannot ------------------------------------------------------------------ */

static void share__is_refused_where_it_cannot_be(struct store_home *home) {
    mneme_error error = {0};
    struct shared_counts counts;
    struct mutation wrong[] = {state_of("state", 1),
                               mark_of(MARK_CLEAN, MNEME_PATTERN, 1, 1),
                               marked_as(put_of(MNEME_PATTERN, 1), MARK_CLEAN, 1),
                               {.op = MUTATION_CHECK, .condition = CONDITION_FENCE}};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        assert_refused(home->store, &wrong[i], 1, MNEME_UNSUPPORTED);
    assert_int_equal(shared_state(home->store, NULL, NULL, NULL, &counts, &error),
                     MNEME_UNSUPPORTED);
    assert_non_null(strstr(error.message, "cannot be synced"));
}

static const struct store_case cases[] = {
    CASE(share__is_off_at_first),
    CASE(state__is_kept_with_its_fence),
    CASE(fence__guards_a_batch),
    CASE(write__of_a_new_record_leaves_no_mark),
    CASE(write__of_a_clean_record_makes_it_the_base),
    CASE(write__may_say_what_it_is_marked_as),
    CASE(write__that_is_late_marks_nothing),
    CASE(purge__leaves_what_the_remote_still_holds),
    CASE(put__of_a_gone_record_has_an_empty_base),
    CASE(mark__changes_no_record),
    CASE(mark__must_fit_what_is_stored),
    CASE(mark__takes_conditions),
    CASE(marks__go_in_only_with_their_batch),
    CASE(marks__survive_a_lack_of_memory),
    CASE(outbox__is_what_is_new_or_changed),
    CASE(outbox__leaves_out_what_is_held),
    CASE(outbox__is_bounded_by_bytes),
    CASE(outbox__tells_how_far_it_looked),
    CASE(names__are_listed_by_mark),
    CASE(exact__goes_in_with_the_version_it_brings),
    CASE(exact__delete_leaves_the_tombstone_it_brings),
    CASE(local__sticks_until_the_record_is_deleted),
    PERSISTENT_CASE(marks__are_there_after_reopening),
    PERSISTENT_CASE(marks__are_in_a_backup),
};
const struct store_case_list store_shared_cases = {cases, COUNT_OF(cases)};

static const struct store_case unshared_cases[] = {CASE(share__is_refused_where_it_cannot_be)};
const struct store_case_list store_unshared_cases = {unshared_cases, COUNT_OF(unshared_cases)};
