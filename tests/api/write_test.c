/*
 * write_test.c - the calls that write, through the public interface: put and what it replaces,
 * episodes from start to completion, deletes, tags, checkpoints, versions, limits.
 */
#include <stdlib.h>
#include <string.h>

#include "api/handle.h"
#include "support/api_fixture.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, store_setup, store_teardown)

static const int64_t TIME = INT64_C(1763712120000000);

struct store_home {
    struct home home;
    mneme *m;
};

static int store_setup(void **state) {
    struct store_home *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    home_make(&s->home);
    s->m = store_open_quiet(s->home.path);
    *state = s;
    return 0;
}

static int store_teardown(void **state) {
    struct store_home *s = *state;
    store_close_ok(s->m);
    assert_verified(s->home.path);
    home_remove(&s->home);
    free(s);
    return 0;
}

static const mneme_record *acquire(mneme *m, mneme_kind kind, const mneme_id *id) {
    const mneme_record *record;
    mneme_error error;
    OK(mneme_acquire(m, kind, id, &record, &error), &error);
    return record;
}

static void assert_absent(mneme *m, mneme_kind kind, const mneme_id *id) {
    const mneme_record *record = NULL;
    mneme_error error;
    REFUSED(mneme_acquire(m, kind, id, &record, &error), MNEME_NOT_FOUND, &error);
    assert_null(record);
}

static void assert_text(mneme_text t, const char *expected) {
    assert_int_equal(t.size, strlen(expected));
    assert_memory_equal(t.size ? t.data : "", expected, t.size);
}

static int put(mneme *m, mneme_record record, const mneme_write *how, mneme_id *id,
               mneme_error *error) {
    return mneme_put(m, &record, 1, how, id, error);
}

#define RECORD(kind_, member_, body_) ((mneme_record){.kind = (kind_), .as.member_ = (body_)})

/* ---- Put ------------------------------------------------------------------------------------- */

static void put_fills_in__id_time_and_version(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    int64_t before = 0, after = 0;
    mneme_error error;
    OK(mneme_time_parse(text("now"), &before, &error), &error);
    mneme_id id = put_pattern(m, "a", "b");
    OK(mneme_time_parse(text("now"), &after, &error), &error);
    assert_false(mneme_id_is_zero(&id));
    assert_int_equal(id.bytes[6] >> 4, 7);
    const mneme_record *r = acquire(m, MNEME_PATTERN, &id);
    assert_in_range(r->time_us, before, after);
    assert_int_equal(r->as.pattern->created_us, r->time_us);
    assert_true(r->version.clock >> 16 >= (uint64_t)before / 1000);
    assert_true(r->version.device != 0);
    mneme_release(m, r);
}

static void put_again__replaces_and_raises_the_version(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_id id = put_pattern(m, "first", "");
    const mneme_record *old = acquire(m, MNEME_PATTERN, &id);
    mneme_pattern pattern = pattern_of("second", "");
    pattern.id = id;
    OK(put(m, RECORD(MNEME_PATTERN, pattern, &pattern), NULL, NULL, &error), &error);
    const mneme_record *now = acquire(m, MNEME_PATTERN, &id);
    assert_text(old->as.pattern->name, "first"); /* what was read does not change */
    assert_text(now->as.pattern->name, "second");
    assert_true(now->version.clock > old->version.clock);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    mneme_release(m, old);
    mneme_release(m, now);
}

static void put_of_many__is_all_or_nothing(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_pattern good = pattern_of("good", ""), bad = pattern_of("bad", "");
    mneme_step orphan = step_of("a", "b");
    bad.success_rate = 2;
    mneme_id missing = {{9}}, ids[3];
    memset(ids, 0x55, sizeof ids);
    mneme_record records[3] = {RECORD(MNEME_PATTERN, pattern, &good),
                               RECORD(MNEME_PATTERN, pattern, &bad),
                               RECORD(MNEME_PATTERN, pattern, &good)};
    REFUSED(mneme_put(m, records, 3, NULL, ids, &error), MNEME_INVALID, &error);
    assert_says(&error, "records[1]");
    assert_says(&error, "success_rate");
    records[1] = (mneme_record){.kind = MNEME_STEP, .parent = missing, .as.step = &orphan};
    REFUSED(mneme_put(m, records, 3, NULL, ids, &error), MNEME_NOT_FOUND, &error);
    records[1] = (mneme_record){.kind = MNEME_STEP, .as.step = &orphan};
    REFUSED(mneme_put(m, records, 3, NULL, ids, &error), MNEME_INVALID, &error);
    for (size_t i = 0; i < sizeof ids; i++)
        assert_int_equal(((uint8_t *)ids)[i], 0x55);
    assert_int_equal(count_records(m, MNEME_PATTERN), 0);
    records[1] = records[0];
    OK(mneme_put(m, records, 3, NULL, ids, &error), &error);
    assert_true(memcmp(&ids[0], &ids[1], 16) < 0 && memcmp(&ids[1], &ids[2], 16) < 0);
    assert_int_equal(count_records(m, MNEME_PATTERN), 3);
    OK(mneme_put(m, NULL, 0, NULL, NULL, &error), &error);
}

static void put_only_new__refuses_what_is_there(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_write only_new = {.only_new = true};
    mneme_id id = put_pattern(m, "first", "");
    mneme_pattern pattern = pattern_of("second", ""), fresh = pattern_of("fresh", "");
    pattern.id = id;
    mneme_record records[2] = {RECORD(MNEME_PATTERN, pattern, &fresh),
                               RECORD(MNEME_PATTERN, pattern, &pattern)};
    REFUSED(mneme_put(m, records, 2, &only_new, NULL, &error), MNEME_CONFLICT, &error);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    OK(mneme_delete(m, MNEME_PATTERN, &id, 1, NULL, &error), &error);
    OK(mneme_put(m, records, 2, &only_new, NULL, &error), &error); /* a deleted one is not there */
    assert_int_equal(count_records(m, MNEME_PATTERN), 2);
}

static void put_keeping_versions__lets_the_greater_one_win(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_write keep = {.keep_versions = true};
    mneme_pattern pattern = pattern_of("middle", "");
    pattern.id = (mneme_id){{1}};
    mneme_record record = RECORD(MNEME_PATTERN, pattern, &pattern);
    record.version = (mneme_version){(uint64_t)TIME / 1000 << 16, 7};
    OK(put(m, record, &keep, NULL, &error), &error);
    pattern.name = text("older");
    record.version.clock--;
    OK(put(m, record, &keep, NULL, &error), &error); /* passed over */
    const mneme_record *r = acquire(m, MNEME_PATTERN, &pattern.id);
    assert_text(r->as.pattern->name, "middle");
    assert_int_equal(r->version.device, 7);
    assert_int_equal(r->version.clock, (uint64_t)TIME / 1000 << 16);
    mneme_release(m, r);
    pattern.name = text("newer");
    record.version.clock += 2;
    OK(put(m, record, &keep, NULL, &error), &error);
    OK(mneme_delete(m, MNEME_PATTERN, &pattern.id, 1, NULL, &error), &error);
    OK(put(m, record, &keep, NULL, &error), &error); /* the tombstone is newer */
    assert_absent(m, MNEME_PATTERN, &pattern.id);
    record.version = (mneme_version){0}; /* none given: the store's own, which is the newest */
    OK(put(m, record, &keep, NULL, &error), &error);
    r = acquire(m, MNEME_PATTERN, &pattern.id);
    assert_text(r->as.pattern->name, "newer");
    mneme_release(m, r);
}

/* ---- Episodes -------------------------------------------------------------------------------- */

static void episode_lives__from_start_to_completion(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_text tags[] = {text("a"), text("b")};
    mneme_pair metadata[] = {{text("k"), text("v")}};
    mneme_episode episode = {.task = text("fix the build"),
                             .task_type = text("debugging"),
                             .context = {.language = text("c")},
                             .start_us = TIME,
                             .tags = {tags, 2},
                             .metadata = {metadata, 1}};
    mneme_id id, step_id;
    uint64_t number = 0;
    OK(mneme_episode_start(m, &episode, NULL, &id, &error), &error);
    mneme_step step = step_of("make", "failed");
    step.parameters = text("{\"target\" : 1e3}");
    OK(mneme_step_append(m, &id, &step, NULL, &step_id, &number, &error), &error);
    assert_int_equal(number, 1);
    assert_int_equal(append_step(m, &id, "two"), 2);

    const mneme_record *r = acquire(m, MNEME_EPISODE, &id);
    assert_int_equal(r->flags, 0);
    assert_int_equal(r->as.episode->steps.count, 2);
    assert_text(r->as.episode->steps.items[0].parameters, "{\"target\" : 1e3}");
    mneme_release(m, r);
    r = acquire(m, MNEME_STEP, &step_id);
    assert_memory_equal(&r->parent, &id, sizeof id);
    assert_int_equal(r->as.step->number, 1);
    mneme_release(m, r);

    mneme_text insights[] = {text("read the log first")};
    mneme_applied_pattern applied[] = {
        {.pattern = {{3}}, .step = 1, .effect = MNEME_EFFECT_HELPED}};
    mneme_completion completion = {
        .outcome = {.kind = MNEME_PARTIAL_SUCCESS, .verdict = text("it builds")},
        .reward = {.present = true, .total = 0.5},
        .reflection = {.insights = {insights, 1}},
        .applied = applied,
        .applied_count = 1,
        .end_us = TIME + 5};
    OK(mneme_episode_complete(m, &id, &completion, NULL, &error), &error);
    r = acquire(m, MNEME_EPISODE, &id);
    const mneme_episode *e = r->as.episode;
    assert_int_equal(r->flags, MNEME_FLAG_SEALED);
    assert_int_equal(e->steps.count, 2);
    assert_int_equal(e->steps.items[1].number, 2);
    assert_int_equal(e->outcome.kind, MNEME_PARTIAL_SUCCESS);
    assert_int_equal(e->end_us, TIME + 5);
    assert_int_equal(e->applied_count, 1);
    assert_text(e->reflection.insights.items[0], "read the log first");
    assert_int_equal(e->tags.count, 2);
    assert_text(e->metadata.items[0].value, "v");
    mneme_release(m, r);
    assert_absent(m, MNEME_STEP, &step_id); /* it is inside now */
    assert_int_equal(count_records(m, MNEME_STEP), 0);

    REFUSED(mneme_step_append(m, &id, &step, NULL, NULL, NULL, &error), MNEME_CONFLICT, &error);
    REFUSED(mneme_episode_complete(m, &id, &completion, NULL, &error), MNEME_CONFLICT, &error);
}

static void episode_start__refuses_what_is_no_start(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_id id = start_episode(m, "t");
    mneme_episode twice = {.id = id, .task = text("again")}, no_task = {.task = text("")};
    mneme_episode ended = {.task = text("t"), .end_us = TIME};
    REFUSED(mneme_episode_start(m, &twice, NULL, NULL, &error), MNEME_CONFLICT, &error);
    REFUSED(mneme_episode_start(m, &no_task, NULL, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_episode_start(m, &ended, NULL, NULL, &error), MNEME_INVALID, &error);
    mneme_id unknown = {{8}};
    mneme_step step = step_of("a", "b");
    REFUSED(mneme_step_append(m, &unknown, &step, NULL, NULL, NULL, &error), MNEME_NOT_FOUND,
            &error);
    REFUSED(complete(m, &unknown, &error), MNEME_NOT_FOUND, &error);
    OK(mneme_delete(m, MNEME_EPISODE, &id, 1, NULL, &error), &error);
    REFUSED(mneme_step_append(m, &id, &step, NULL, NULL, NULL, &error), MNEME_NOT_FOUND, &error);
    REFUSED(complete(m, &id, &error), MNEME_NOT_FOUND, &error);
}

static void complete_without_end__ends_now_and_not_before_the_start(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_episode future = {.task = text("t"), .start_us = INT64_C(4102444800000000)}; /* 2100 */
    mneme_id id;
    OK(mneme_episode_start(m, &future, NULL, &id, &error), &error);
    OK(complete(m, &id, &error), &error);
    const mneme_record *r = acquire(m, MNEME_EPISODE, &id);
    assert_true(r->as.episode->end_us >= r->as.episode->start_us);
    mneme_release(m, r);
}

static mneme_episode episode_with_steps(mneme_step steps[3], const mneme_id *id) {
    for (unsigned i = 0; i < 3; i++)
        steps[i] = step_of("a", "b");
    return (mneme_episode){.id = *id, .task = text("t"), .steps = {steps, 3}};
}

static void put_of_an_open_episode__replaces_its_steps(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_step steps[3];
    mneme_id id = start_episode(m, "t");
    for (unsigned n = 0; n < 5; n++)
        append_step(m, &id, "old");
    mneme_episode episode = episode_with_steps(steps, &id);
    OK(put(m, RECORD(MNEME_EPISODE, episode, &episode), NULL, NULL, &error), &error);
    const mneme_record *r = acquire(m, MNEME_EPISODE, &id);
    assert_int_equal(r->as.episode->steps.count, 3);
    assert_text(r->as.episode->steps.items[0].output, "b");
    mneme_release(m, r);
    assert_int_equal(count_records(m, MNEME_STEP), 3);
    uint64_t number = append_step(m, &id, "next");
    assert_true(number >= 4); /* numbers are not given twice */
    OK(complete(m, &id, &error), &error);
    r = acquire(m, MNEME_EPISODE, &id);
    assert_int_equal(r->as.episode->steps.count, 4);
    mneme_release(m, r);
}

static void put_of_a_sealed_episode__replaces_an_open_one_and_back(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_step steps[3];
    mneme_id id = start_episode(m, "t");
    append_step(m, &id, "old");
    mneme_episode episode = episode_with_steps(steps, &id);
    episode.outcome.kind = MNEME_FAILED; /* sealed by its outcome alone */
    OK(put(m, RECORD(MNEME_EPISODE, episode, &episode), NULL, NULL, &error), &error);
    const mneme_record *r = acquire(m, MNEME_EPISODE, &id);
    assert_int_equal(r->flags, MNEME_FLAG_SEALED);
    assert_int_equal(r->as.episode->steps.count, 3);
    mneme_release(m, r);
    assert_int_equal(count_records(m, MNEME_STEP), 0);
    episode.outcome.kind = MNEME_OUTCOME_NONE;
    episode.steps.count = 2;
    OK(put(m, RECORD(MNEME_EPISODE, episode, &episode), NULL, NULL, &error), &error);
    r = acquire(m, MNEME_EPISODE, &id);
    assert_int_equal(r->flags, 0);
    assert_int_equal(r->as.episode->steps.count, 2);
    mneme_release(m, r);
    append_step(m, &id, "goes on");
    assert_int_equal(count_records(m, MNEME_STEP), 3);
}

/* What a process leaves that dies while it completes an episode that others append to: a completed
 * episode, its steps still records of their own. */
static mneme_id leave_loose(mneme *m) {
    AUTO_RECORDS struct record_set stored = {0};
    mneme_error error;
    mneme_id id = start_episode(m, "t"), other = start_episode(m, "t");
    for (unsigned n = 0; n < 3; n++)
        append_step(m, &id, "found where it is");
    OK(complete(m, &other, &error), &error);
    OK(store_get_one(m->store, MNEME_EPISODE, &other, &stored, &error), &error);
    struct mutation put = {.op = MUTATION_PUT, .record = stored.records[0]};
    put.record.id = id;
    put.record.flags |= FLAG_LOOSE;
    put.record.version = (mneme_version){0};
    struct batch batch = {.mutations = &put, .count = 1}, *only = &batch;
    OK(store_apply(m->store, &only, 1), &batch.error);
    OK(mneme_delete(m, MNEME_EPISODE, &other, 1, NULL, &error), &error);
    return id;
}

static void assert_completed_with_steps(mneme *m, const mneme_id *id, size_t tags) {
    const mneme_record *r = acquire(m, MNEME_EPISODE, id);
    assert_int_equal(r->flags, MNEME_FLAG_SEALED);
    assert_int_equal(r->as.episode->outcome.kind, MNEME_SUCCESS);
    assert_int_equal(r->as.episode->steps.count, 3);
    assert_int_equal(r->as.episode->steps.items[2].number, 3);
    assert_int_equal(r->as.episode->tags.count, tags);
    mneme_release(m, r);
}

static void completed_with_loose_steps__is_completed_and_loses_none(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_step step = step_of("a", "b");
    mneme_id id = leave_loose(m), gone = leave_loose(m);
    assert_completed_with_steps(m, &id, 0);
    REFUSED(mneme_step_append(m, &id, &step, NULL, NULL, NULL, &error), MNEME_CONFLICT, &error);
    REFUSED(complete(m, &id, &error), MNEME_CONFLICT, &error);
    OK(mneme_delete(m, MNEME_EPISODE, &gone, 1, NULL, &error), &error);
    assert_int_equal(count_records(m, MNEME_STEP), 3);
    OK(mneme_tag_remove(m, MNEME_EPISODE, &id, text("none"), NULL, &error), &error);
    assert_completed_with_steps(m, &id, 0);
    OK(mneme_tag_add(m, MNEME_EPISODE, &id, text("some"), NULL, &error), &error);
    assert_completed_with_steps(m, &id, 1);
    assert_int_equal(count_records(m, MNEME_STEP), 0); /* rewritten, it has them inside */
}

static void completed_with_loose_steps__is_replaced_by_a_newer_replica(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_id id = leave_loose(m);
    const mneme_record *r = acquire(m, MNEME_EPISODE, &id);
    mneme_write keep = {.keep_versions = true};
    mneme_record replica = *r;
    replica.version.clock += 1000;
    OK(put(m, replica, &keep, NULL, &error), &error);
    mneme_release(m, r);
    assert_completed_with_steps(m, &id, 0);
    assert_int_equal(count_records(m, MNEME_STEP), 0);
}

/* ---- Deletes --------------------------------------------------------------------------------- */

static mneme_id put_checkpoint(mneme *m, const mneme_id *episode, const char *note) {
    mneme_checkpoint checkpoint = {.episode = *episode, .note = text(note), .state = text("{}")};
    mneme_error error;
    mneme_id id;
    OK(put(m, RECORD(MNEME_CHECKPOINT, checkpoint, &checkpoint), NULL, &id, &error), &error);
    return id;
}

static void delete_of_an_episode__takes_steps_and_checkpoints_along(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_id open = start_episode(m, "open"), other = start_episode(m, "other");
    append_step(m, &open, "a");
    append_step(m, &other, "b");
    mneme_id note = put_checkpoint(m, &open, "half way"), kept = put_checkpoint(m, &other, "kept");
    OK(mneme_delete(m, MNEME_EPISODE, &open, 1, NULL, &error), &error);
    assert_absent(m, MNEME_EPISODE, &open);
    assert_absent(m, MNEME_CHECKPOINT, &note);
    assert_int_equal(count_records(m, MNEME_STEP), 1);
    mneme_release(m, acquire(m, MNEME_CHECKPOINT, &kept));
    OK(complete(m, &other, &error), &error);
    mneme_id after = put_checkpoint(m, &other, "of a completed one");
    OK(mneme_delete(m, MNEME_EPISODE, &other, 1, NULL, &error), &error);
    assert_absent(m, MNEME_CHECKPOINT, &after);
    mneme_checkpoint lost = {.episode = other, .note = text("n")};
    REFUSED(put(m, RECORD(MNEME_CHECKPOINT, checkpoint, &lost), NULL, NULL, &error),
            MNEME_NOT_FOUND, &error);
    mneme_stats stats = {.size = sizeof stats};
    OK(mneme_stats_get(m, &stats, &error), &error);
    assert_int_equal(stats.kinds[MNEME_EPISODE].records, 0);
    assert_int_equal(stats.kinds[MNEME_EPISODE].tombstones, 2);
    assert_int_equal(stats.kinds[MNEME_CHECKPOINT].tombstones, 3);
}

static void delete_of_many__is_all_or_nothing(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    char missing[MNEME_ID_TEXT_SIZE];
    mneme_id ids[3] = {put_pattern(m, "a", ""), {{7}}, put_pattern(m, "c", "")};
    mneme_id_format(&ids[1], missing);
    REFUSED(mneme_delete(m, MNEME_PATTERN, ids, 3, NULL, &error), MNEME_NOT_FOUND, &error);
    assert_says(&error, missing);
    assert_int_equal(count_records(m, MNEME_PATTERN), 2);
    ids[1] = put_pattern(m, "b", "");
    OK(mneme_delete(m, MNEME_PATTERN, ids, 3, NULL, &error), &error);
    assert_int_equal(count_records(m, MNEME_PATTERN), 0);
    REFUSED(mneme_delete(m, MNEME_PATTERN, ids, 1, NULL, &error), MNEME_NOT_FOUND, &error);
    OK(mneme_delete(m, MNEME_PATTERN, NULL, 0, NULL, &error), &error);
    /* The same id under another kind is another record. */
    REFUSED(mneme_delete(m, MNEME_HEURISTIC, ids, 1, NULL, &error), MNEME_NOT_FOUND, &error);
}

/* ---- Tags ------------------------------------------------------------------------------------ */

static void tags__are_added_and_removed_once(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    mneme_heuristic heuristic = {.condition = text("c"), .action = text("a")};
    mneme_id ids[3] = {start_episode(m, "t"), put_pattern(m, "n", "")};
    const mneme_kind kinds[3] = {MNEME_EPISODE, MNEME_PATTERN, MNEME_HEURISTIC};
    OK(put(m, RECORD(MNEME_HEURISTIC, heuristic, &heuristic), NULL, &ids[2], &error), &error);
    append_step(m, &ids[0], "stays");
    for (size_t i = 0; i < 3; i++) {
        mneme_pair where = {text("tag"), text("red")};
        mneme_query query = {.kind = kinds[i], .where = &where, .where_count = 1};
        const mneme_page *page;
        mneme_stats before = {.size = sizeof before}, after = before;
        OK(mneme_tag_add(m, kinds[i], &ids[i], text("red"), NULL, &error), &error);
        OK(mneme_tag_add(m, kinds[i], &ids[i], text("blue"), NULL, &error), &error);
        OK(mneme_stats_get(m, &before, &error), &error);
        OK(mneme_tag_add(m, kinds[i], &ids[i], text("red"), NULL, &error), &error);
        OK(mneme_tag_remove(m, kinds[i], &ids[i], text("green"), NULL, &error), &error);
        OK(mneme_stats_get(m, &after, &error), &error);
        assert_int_equal(after.changes, before.changes); /* nothing was written */
        OK(mneme_list(m, &query, &page, &error), &error);
        assert_int_equal(page->count, 1);
        mneme_page_release(m, page);
        OK(mneme_tag_remove(m, kinds[i], &ids[i], text("red"), NULL, &error), &error);
        OK(mneme_list(m, &query, &page, &error), &error);
        assert_int_equal(page->count, 0);
        mneme_page_release(m, page);
        REFUSED(mneme_tag_add(m, kinds[i], &(mneme_id){{5}}, text("x"), NULL, &error),
                MNEME_NOT_FOUND, &error);
        REFUSED(mneme_tag_add(m, kinds[i], &ids[i], text("\xff"), NULL, &error), MNEME_INVALID,
                &error);
    }
    const mneme_record *r = acquire(m, MNEME_EPISODE, &ids[0]);
    assert_int_equal(r->as.episode->tags.count, 1);
    assert_text(r->as.episode->tags.items[0], "blue");
    assert_int_equal(r->as.episode->steps.count, 1);
    assert_int_equal(r->flags, 0);
    mneme_release(m, r);
    OK(complete(m, &ids[0], &error), &error);
    OK(mneme_tag_add(m, MNEME_EPISODE, &ids[0], text("late"), NULL, &error), &error);
    r = acquire(m, MNEME_EPISODE, &ids[0]);
    assert_int_equal(r->as.episode->tags.count, 2);
    assert_int_equal(r->as.episode->steps.count, 1);
    assert_int_equal(r->flags, MNEME_FLAG_SEALED);
    mneme_release(m, r);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void what_is_too_large__is_refused_and_what_just_fits_is_kept(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    mneme_error error;
    enum { TEXT_MAX = 16 << 20 };
    char *large = malloc(TEXT_MAX + 2);
    assert_non_null(large);
    memset(large, 'x', TEXT_MAX + 1);
    large[TEXT_MAX + 1] = 0;
    mneme_pattern pattern = pattern_of("large", "");
    pattern.description = (mneme_text){large, TEXT_MAX + 1};
    mneme_record record = RECORD(MNEME_PATTERN, pattern, &pattern);
    mneme_id id;
    REFUSED(put(m, record, NULL, NULL, &error), MNEME_TOO_LARGE, &error);
    assert_says(&error, "description");
    pattern.description.size = TEXT_MAX;
    OK(put(m, record, NULL, &id, &error), &error);
    const mneme_record *r = acquire(m, MNEME_PATTERN, &id);
    assert_int_equal(r->as.pattern->description.size, TEXT_MAX);
    assert_memory_equal(r->as.pattern->description.data, large, TEXT_MAX);
    mneme_release(m, r);
    assert_int_equal(mneme_tag_add(m, MNEME_PATTERN, &id, (mneme_text){large, 1024}, NULL, &error),
                     0);
    int status = mneme_tag_add(m, MNEME_PATTERN, &id, (mneme_text){large, 1025}, NULL, &error);
    assert_true(status == MNEME_TOO_LARGE || status == MNEME_INVALID);
    free(large);
    mneme_record *many = calloc(65537, sizeof *many);
    assert_non_null(many);
    REFUSED(mneme_put(m, many, 65537, NULL, NULL, &error), MNEME_TOO_LARGE, &error);
    mneme_id *ids = calloc(65537, sizeof *ids);
    assert_non_null(ids);
    REFUSED(mneme_delete(m, MNEME_PATTERN, ids, 65537, NULL, &error), MNEME_TOO_LARGE, &error);
    free(many);
    free(ids);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
}

static void batch_of_the_greatest_size__goes_in(void **state) {
    mneme *m = ((struct store_home *)*state)->m;
    enum { MOST = 65536 };
    mneme_error error;
    mneme_relation relation = {.type = text("t"), .from = {{1}}, .to = {{2}}};
    mneme_record *records = calloc(MOST, sizeof *records);
    assert_non_null(records);
    for (size_t i = 0; i < MOST; i++)
        records[i] = RECORD(MNEME_RELATION, relation, &relation);
    OK(mneme_put(m, records, MOST, NULL, NULL, &error), &error);
    mneme_stats stats = {.size = sizeof stats};
    OK(mneme_stats_get(m, &stats, &error), &error);
    assert_int_equal(stats.kinds[MNEME_RELATION].records, MOST);
    free(records);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(put_fills_in__id_time_and_version),
        CASE(put_again__replaces_and_raises_the_version),
        CASE(put_of_many__is_all_or_nothing),
        CASE(put_only_new__refuses_what_is_there),
        CASE(put_keeping_versions__lets_the_greater_one_win),
        CASE(episode_lives__from_start_to_completion),
        CASE(episode_start__refuses_what_is_no_start),
        CASE(complete_without_end__ends_now_and_not_before_the_start),
        CASE(put_of_an_open_episode__replaces_its_steps),
        CASE(put_of_a_sealed_episode__replaces_an_open_one_and_back),
        CASE(completed_with_loose_steps__is_completed_and_loses_none),
        CASE(completed_with_loose_steps__is_replaced_by_a_newer_replica),
        CASE(delete_of_an_episode__takes_steps_and_checkpoints_along),
        CASE(delete_of_many__is_all_or_nothing),
        CASE(tags__are_added_and_removed_once),
        CASE(what_is_too_large__is_refused_and_what_just_fits_is_kept),
        CASE(batch_of_the_greatest_size__goes_in),
    };
    return cmocka_run_group_tests_name("api/write", tests, NULL, NULL);
}
