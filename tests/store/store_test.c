/*
 * store_test.c - what the calls of store.h do for every store, over a store that always fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/store_impl.h"
#include "support/store_records.h"

/* It adds to every output, and then fails with `status`. */
struct failing_store {
    struct store base;
    int status;
    size_t applied[8]; /* how many batches each call of apply was given */
    size_t apply_count;
    bool closed;
};

static struct failing_store *failing_of(struct store *store) {
    return (struct failing_store *)(void *)store;
}

static int failing_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct failing_store *failing = failing_of(store);
    (void)batches;
    failing->applied[failing->apply_count++] = count;
    return failing->status;
}

static int fail_after_adding(struct store *store, struct record_set *out, mneme_error *error) {
    if (!record_set_add(out))
        return MNEME_NO_MEMORY;
    return failing_of(store)->status
               ? error_set(error, failing_of(store)->status, "the disk is on fire")
               : 0;
}

static int failing_get(struct store *store, const struct record_name *names, size_t count,
                       struct record_set *out, size_t *found, mneme_error *error) {
    (void)names;
    for (size_t i = 0; i < count; i++)
        found[i] = out->count;
    return fail_after_adding(store, out, error);
}

static int failing_query(struct store *store, const struct store_query *query,
                         struct record_set *out, bool *more, mneme_error *error) {
    (void)query;
    *more = true;
    return fail_after_adding(store, out, error);
}

static int failing_changes(struct store *store, uint64_t since, size_t limit, bool without_bodies,
                           struct record_set *out, mneme_error *error) {
    (void)since;
    (void)limit;
    (void)without_bodies;
    return fail_after_adding(store, out, error);
}

static int failing_stats(struct store *store, struct store_stats *out, mneme_error *error) {
    (void)error;
    out->changes = 5;
    return failing_of(store)->status;
}

static int failing_backup(struct store *store, const char *path, mneme_error *error) {
    (void)path;
    return error_set(error, failing_of(store)->status, "no backup");
}

static void failing_close(struct store *store) { failing_of(store)->closed = true; }

static struct failing_store failing_make(int status) {
    static const struct store_operations operations = {.name = "failing",
                                                       .apply = failing_apply,
                                                       .get = failing_get,
                                                       .query = failing_query,
                                                       .changes = failing_changes,
                                                       .stats = failing_stats,
                                                       .backup = failing_backup,
                                                       .close = failing_close};
    return (struct failing_store){.base = {.operations = &operations}, .status = status};
}

static void store__takes_back_what_a_failed_read_added(void **state) {
    (void)state;
    struct failing_store failing = failing_make(MNEME_IO);
    struct store *store = &failing.base;
    AUTO_RECORDS struct record_set set = {0};
    assert_non_null(record_set_add(&set));
    struct record_name name = {MNEME_EPISODE, numbered_id(1)};
    struct store_query query = {.kind = MNEME_EPISODE, .limit = 1};
    struct store_stats stats = {.changes = 1};
    size_t found;
    bool more = false;
    mneme_error error = {0};
    assert_int_equal(store_get(store, &name, 1, &set, &found, &error), MNEME_IO);
    assert_string_equal(error.message, "the disk is on fire");
    assert_int_equal(store_get_one(store, name.kind, &name.id, &set, NULL), MNEME_IO);
    assert_int_equal(store_query(store, &query, &set, &more, NULL), MNEME_IO);
    assert_int_equal(store_changes(store, 0, 1, false, &set, NULL), MNEME_IO);
    assert_int_equal(store_stats(store, &stats, NULL), MNEME_IO);
    assert_int_equal(store_backup(store, "x", NULL), MNEME_IO);
    assert_int_equal(set.count, 1);
    assert_int_equal(stats.changes, 1);
    assert_false(more);
}

static void store__hands_on_what_a_read_found(void **state) {
    (void)state;
    struct failing_store failing = failing_make(0);
    AUTO_RECORDS struct record_set set = {0};
    struct store_query query = {.kind = MNEME_EPISODE, .limit = 1};
    struct store_stats stats = {0};
    bool more = false;
    assert_int_equal(store_query(&failing.base, &query, &set, &more, NULL), 0);
    assert_true(more);
    assert_int_equal(set.count, 1);
    assert_int_equal(store_stats(&failing.base, &stats, NULL), 0);
    assert_int_equal(stats.changes, 5);
}

static void store_apply__gives_a_store_valid_batches_only(void **state) {
    (void)state;
    struct failing_store failing = failing_make(0);
    struct mutation good = put_of(MNEME_EPISODE, 1), bad = put_of(MNEME_EPISODE, 0);
    struct batch batches[6];
    struct batch *list[6];
    static const bool valid[6] = {false, true, true, false, false, true};
    for (size_t i = 0; i < 6; i++) {
        batches[i] = (struct batch){.mutations = valid[i] ? &good : &bad, .count = 1};
        list[i] = &batches[i];
    }
    assert_int_equal(store_apply(&failing.base, list, 6), 0);
    assert_int_equal(failing.apply_count, 2);
    assert_int_equal(failing.applied[0], 2);
    assert_int_equal(failing.applied[1], 1);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(batches[i].status, valid[i] ? 0 : MNEME_INVALID);
}

static void store_apply__that_could_try_nothing_fails_every_batch(void **state) {
    (void)state;
    struct failing_store failing = failing_make(MNEME_FORKED);
    struct mutation good = put_of(MNEME_EPISODE, 1);
    struct batch batches[2] = {{.mutations = &good, .count = 1}, {.mutations = &good, .count = 1}};
    struct batch *const list[] = {&batches[0], &batches[1]};
    assert_int_equal(store_apply(&failing.base, list, 2), MNEME_FORKED);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(batches[i].status, MNEME_FORKED);
        assert_int_equal(batches[i].error.code, MNEME_FORKED);
        assert_non_null(strstr(batches[i].error.message, "failing"));
        assert_int_equal(batches[i].failed, 1);
    }
}

static void store_close__takes_null(void **state) {
    (void)state;
    store_close(NULL);
    struct failing_store failing = failing_make(0);
    store_close(&failing.base);
    assert_true(failing.closed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store__takes_back_what_a_failed_read_added),
        cmocka_unit_test(store__hands_on_what_a_read_found),
        cmocka_unit_test(store_apply__gives_a_store_valid_batches_only),
        cmocka_unit_test(store_apply__that_could_try_nothing_fails_every_batch),
        cmocka_unit_test(store_close__takes_null),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
