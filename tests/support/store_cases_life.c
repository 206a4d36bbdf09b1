/*
 * store_cases_life.c - conformance: reopening, crashes, backup, threads, and want of memory.
 */
#include <pthread.h>
#include <stdio.h>

#include "support/store_cases.h"

/* Some of everything: several kinds, parents, attributes, tombstones, bodies short and long. */
static void fill(struct store *store) {
    static uint8_t body[6000];
    const struct attribute attributes[] = {attribute_of("domain", "travel"),
                                           attribute_of("tag", "a"), attribute_of("tag", "b")};
    test_random_fill(1, body, sizeof body);
    for (unsigned n = 1; n <= 30; n++) {
        struct mutation put = put_of(n % 3 ? MNEME_STEP : MNEME_EPISODE, n);
        put.record.attributes = attributes + n % 3;
        put.record.attribute_count = n % 2 + (n % 3 == 0);
        put.record.body = slice_of(body, n * 200);
        if (n % 3)
            put.record.parent = numbered_id(1 + n % 4);
        must_apply(store, &put, 1);
    }
    must_apply_one(store, delete_of(MNEME_EPISODE, 3));
    must_apply_one(store, delete_of(MNEME_STEP, 4));
    must_apply_one(store, purge_of(MNEME_STEP, 5));
}

/* ---- Reopening --------------------------------------------------------------------------- */

static void assert_survives(struct store_home *home,
                            int (*again)(struct store_home *, mneme_error *)) {
    fill(home->store);
    struct mutation last = put_of(MNEME_EPISODE, 100);
    must_apply(home->store, &last, 1);
    CLEANUP(store_dump_fini) struct store_dump before;
    assert_int_equal(store_dump_take(home->store, &before, NULL), 0);
    for (int i = 0; i < 3; i++) {
        mneme_error error = {0};
        if (again(home, &error))
            fail_msg("open again: %s", error.message);
        assert_unchanged(home->store, &before);
    }
    struct store_stats stats;
    assert_int_equal(store_stats(home->store, &stats, NULL), 0);
    assert_int_equal(stats.device, before.stats.device);
    struct mutation next = put_of(MNEME_EPISODE, 101);
    must_apply(home->store, &next, 1);
    assert_int_equal(next.record.change, last.record.change + 1);
    assert_true(version_compare(next.record.version, last.record.version) > 0);
}

static void reopen__keeps_everything_and_goes_on_counting(struct store_home *home) {
    assert_survives(home, store_home_reopen);
}

static void crash__loses_nothing_acknowledged(struct store_home *home) {
    assert_survives(home, store_home_crash);
}

static void
reopen__keeps_the_order_of_versions_after_a_clock_from_the_future(struct store_home *home) {
    struct mutation future = put_of(MNEME_EPISODE, 1);
    future.record.version = (mneme_version){(uint64_t)1 << 61, 3};
    must_apply(home->store, &future, 1);
    must_apply_one(home->store, purge_of(MNEME_EPISODE, 1));
    assert_int_equal(store_home_reopen(home, NULL), 0);
    struct mutation put = put_of(MNEME_EPISODE, 2);
    must_apply(home->store, &put, 1);
    assert_true(version_compare(put.record.version, future.record.version) > 0);
    assert_int_equal(put.record.change, 2);
}

/* ---- Backup ------------------------------------------------------------------------------ */

static void backup__is_a_store_of_its_own_or_refused(struct store_home *home) {
    fill(home->store);
    char path[sizeof home->path + 16];
    snprintf(path, sizeof path, "%s-copy", home->path);
    mneme_error error = {0};
    int status = store_backup(home->store, path, &error);
    if (!home->maker->persistent) {
        assert_int_equal(status, MNEME_UNSUPPORTED);
        assert_int_equal(error.code, MNEME_UNSUPPORTED);
        assert_true(strlen(error.message) > 10);
        return;
    }
    if (status)
        fail_msg("backup: %s", error.message);
    assert_int_equal(store_backup(home->store, path, &error), MNEME_CONFLICT);
    assert_non_null(strstr(error.message, path));
    CLEANUP(store_dump_fini) struct store_dump before;
    assert_int_equal(store_dump_take(home->store, &before, NULL), 0);
    must_apply_one(home->store, put_of(MNEME_EPISODE, 500));
    struct store *copy = NULL;
    assert_int_equal(home->maker->open(path, &copy, &error), 0);
    assert_unchanged(copy, &before);
    must_apply_one(copy, put_of(MNEME_EPISODE, 501));
    store_close(copy);
}

/* ---- Threads ----------------------------------------------------------------------------- */

enum { THREADS = 4, WRITES = 40 };

struct writer {
    pthread_t thread;
    struct store *store;
    unsigned index;
    int failures;
    uint64_t changes[WRITES];
};

/* cmocka's checks may not be made on other threads: failures are counted. */
static void *write_and_read(void *argument) {
    struct writer *writer = argument;
    for (unsigned i = 0; i < WRITES; i++) {
        unsigned n = writer->index * WRITES + i + 1;
        struct mutation pair[] = {put_of(MNEME_STEP, n), put_of(MNEME_EPISODE, n)};
        pair[0].record.parent = numbered_id(7777);
        writer->failures += apply_mutations(writer->store, pair, 2, NULL) != 0;
        writer->changes[i] = pair[0].record.change;
        writer->failures += pair[1].record.change != pair[0].record.change + 1;
        AUTO_RECORDS struct record_set set = {0};
        writer->failures +=
            store_get_one(writer->store, MNEME_EPISODE, &pair[1].record.id, &set, NULL) != 0;
        struct store_query query = {.kind = MNEME_STEP, .limit = 5};
        bool more;
        writer->failures += store_query(writer->store, &query, &set, &more, NULL) != 0;
        struct mutation missing = delete_of(MNEME_PATTERN, n);
        writer->failures += apply_one(writer->store, &missing) != MNEME_NOT_FOUND;
    }
    return NULL;
}

static void threads__write_at_once_and_all_is_there(struct store_home *home) {
    static struct writer writers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){.store = home->store, .index = i};
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_and_read, &writers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(writers[i].failures, 0);
        for (unsigned w = 1; w < WRITES; w++)
            assert_true(writers[i].changes[w - 1] < writers[i].changes[w]);
    }
    /* Every number was given once: changes and, under the common parent, places. */
    AUTO_RECORDS struct record_set changes = {0}, steps = {0};
    assert_int_equal(store_changes(home->store, 0, STORE_PAGE_MAX, false, &changes, NULL), 0);
    assert_int_equal(changes.count, THREADS * WRITES * 2);
    for (size_t i = 0; i < changes.count; i++)
        assert_int_equal(changes.records[i].change, i + 1);
    struct store_query query = {.kind = MNEME_STEP,
                                .has_parent = true,
                                .parent = numbered_id(7777),
                                .order = ORDER_OLDEST_FIRST,
                                .limit = STORE_PAGE_MAX};
    bool more;
    assert_int_equal(store_query(home->store, &query, &steps, &more, NULL), 0);
    assert_int_equal(steps.count, THREADS * WRITES);
    for (size_t i = 0; i < steps.count; i++)
        assert_int_equal(steps.records[i].place, i + 1);
}

/* ---- Want of memory ---------------------------------------------------------------------- */

enum { ALLOCATIONS_MAX = 5000 };

static int no_memory_apply(struct store *store) {
    static const uint8_t body[3000] = {1};
    const struct attribute attribute = attribute_of("tag", "new");
    struct mutation mutations[] = {put_of(MNEME_EPISODE, 200), put_of(MNEME_EPISODE, 6),
                                   delete_of(MNEME_STEP, 7), purge_of(MNEME_STEP, 8),
                                   put_of(MNEME_STEP, 10)};
    mutations[0].record.attributes = mutations[4].record.attributes = &attribute;
    mutations[0].record.attribute_count = mutations[4].record.attribute_count = 1;
    mutations[0].record.body = slice_of(body, sizeof body);
    mutations[4].record.parent = numbered_id(2);
    struct batch batch;
    int status = apply_mutations(store, mutations, COUNT_OF(mutations), &batch);
    if (status && (batch.error.code != status || !batch.error.message[0]))
        return MNEME_FAILURE;
    return status;
}

/* Run an operation with its k-th allocation failing, for k = 1, 2, … until it succeeds. After
 * each failure the store is unchanged. */
static void assert_bears_want_of_memory(struct store *store, int (*operation)(struct store *),
                                        bool recovers) {
    CLEANUP(store_dump_fini) struct store_dump before;
    assert_int_equal(store_dump_take(store, &before, NULL), 0);
    uint64_t k = 1;
    for (; k < ALLOCATIONS_MAX; k++) {
        mem_fail_after(k);
        int status = operation(store);
        mem_fail_after(0);
        if (status == 0)
            break;
        assert_int_equal(status, MNEME_NO_MEMORY);
        assert_unchanged(store, &before);
    }
    assert_true((k > 1 || recovers) && k < ALLOCATIONS_MAX);
}

static void memory__fails_in_apply_and_nothing_changes(struct store_home *home) {
    fill(home->store);
    assert_bears_want_of_memory(home->store, no_memory_apply, false);
    AUTO_RECORDS struct record_set set = {0};
    assert_int_equal(must_get(home->store, MNEME_EPISODE, 200, &set)->body.size, 3000);
}

/* A set that has something keeps just that when a read into it fails. */
static int no_memory_read(struct store *store, int which) {
    AUTO_RECORDS struct record_set set = {0};
    mneme_id first = numbered_id(1);
    TRY(store_get_one(store, MNEME_STEP, &first, &set, NULL));
    struct record_name names[30];
    size_t found[30];
    for (unsigned i = 0; i < 30; i++)
        names[i] =
            (struct record_name){i % 3 == 2 ? MNEME_EPISODE : MNEME_STEP, numbered_id(i + 1)};
    struct store_query query = {
        .kind = MNEME_STEP, .limit = 100, .has_parent = which == 3, .parent = numbered_id(2)};
    bool more = true;
    mneme_error error = {0};
    int status = which == 0   ? store_get(store, names, 30, &set, found, &error)
                 : which == 1 ? store_changes(store, 0, 100, false, &set, &error)
                              : store_query(store, &query, &set, &more, &error);
    if (status && (set.count != 1 || !more || error.code != status || !error.message[0]))
        return MNEME_FAILURE;
    return status;
}

static int no_memory_get(struct store *store) { return no_memory_read(store, 0); }
static int no_memory_changes(struct store *store) { return no_memory_read(store, 1); }
static int no_memory_query(struct store *store) { return no_memory_read(store, 2); }
static int no_memory_children(struct store *store) { return no_memory_read(store, 3); }

static void memory__fails_in_reads_and_outputs_stay(struct store_home *home) {
    fill(home->store);
    assert_bears_want_of_memory(home->store, no_memory_get, home->maker->recovers);
    assert_bears_want_of_memory(home->store, no_memory_changes, home->maker->recovers);
    assert_bears_want_of_memory(home->store, no_memory_query, home->maker->recovers);
    assert_bears_want_of_memory(home->store, no_memory_children, home->maker->recovers);
}

static const struct store_case cases[] = {
    PERSISTENT_CASE(reopen__keeps_everything_and_goes_on_counting),
    PERSISTENT_CASE(crash__loses_nothing_acknowledged),
    PERSISTENT_CASE(reopen__keeps_the_order_of_versions_after_a_clock_from_the_future),
    CASE(backup__is_a_store_of_its_own_or_refused),
    CASE(threads__write_at_once_and_all_is_there),
    CASE(memory__fails_in_apply_and_nothing_changes),
    CASE(memory__fails_in_reads_and_outputs_stay),
};
const struct store_case_list store_life_cases = {cases, COUNT_OF(cases)};
