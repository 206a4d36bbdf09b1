/*
 * dictionary_test.c - compression dictionaries: trained in the background, by hand and at closing;
 * used for what is written after, readable by every handle and process, missed when they are gone.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "store/kv.h"
#include "support/api_fixture.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

enum { RECORDS = 1200 };

/* Much alike, and each of them small: what a dictionary is for. */
static void describe(unsigned n, char out[400]) {
    snprintf(out, 400,
             "{\"reservation\": \"R%05u\", \"passenger\": {\"name\": \"passenger number %u\", "
             "\"seat\": \"%u%c\"}, \"flights\": [{\"from\": \"ZRH\", \"to\": \"SFO\", \"date\": "
             "\"2026-%02u-%02u\"}], \"status\": \"confirmed\", \"price\": %u}",
             n * 7919 % 100000, n, n % 40, 'A' + (int)(n % 6), 1 + n % 12, 1 + n % 28,
             n * 13 % 999);
}

static mneme_id id_of(unsigned n) {
    return (mneme_id){{1, 0x9a, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n, 0, 0x70}};
}

static void put_range(mneme *m, unsigned from, unsigned to) {
    mneme_error error;
    for (unsigned n = from; n < to; n++) {
        char description[400];
        describe(n, description);
        mneme_pattern pattern = pattern_of("reservation", description);
        pattern.id = id_of(n);
        pattern.created_us = 1 + n;
        mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
        mneme_write how = {.durability = MNEME_RELAXED};
        OK(mneme_put(m, &record, 1, &how, NULL, &error), &error);
    }
    OK(mneme_flush(m, &error), &error);
}

/* Names what is wrong; NULL when everything in the range is as it was written. */
static const char *read_range(mneme *m, unsigned from, unsigned to) {
    static char problem[700];
    for (unsigned n = from; n < to; n++) {
        char description[400];
        const mneme_record *record;
        mneme_error error;
        mneme_id id = id_of(n);
        describe(n, description);
        if (mneme_acquire(m, MNEME_PATTERN, &id, &record, &error)) {
            snprintf(problem, sizeof problem, "%u: %s", n, error.message);
            return problem;
        }
        mneme_text t = record->as.pattern->description;
        bool same = t.size == strlen(description) && memcmp(t.data, description, t.size) == 0;
        mneme_release(m, record);
        if (!same)
            return "a record is not what was written";
    }
    return NULL;
}

static void assert_range(mneme *m, unsigned from, unsigned to) {
    const char *problem = read_range(m, from, to);
    if (problem)
        fail_msg("%s", problem);
}

static mneme *open_training(const char *path) {
    mneme *m = NULL;
    mneme_error error;
    OK(mneme_open(path, NULL, &m, &error), &error);
    return m;
}

static mneme_stats stats_of(mneme *m) {
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    OK(mneme_stats_get(m, &stats, &error), &error);
    return stats;
}

static int read_in_another_process(void *context) {
    mneme *m = NULL;
    mneme_error error;
    mneme_options options = quiet_options();
    int status = mneme_open(context, &options, &m, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    const char *problem = read_range(m, 0, RECORDS);
    CHILD_CHECK(!problem, "%s", problem);
    return mneme_close(m, &error) == 0 ? 0 : 1;
}

static void trained_by_hand__compresses_what_is_written_after(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    size_t trained = 77;
    OK(mneme_train(m, &trained, &error), &error);
    assert_int_equal(trained, 0); /* of nothing */
    put_range(m, 0, RECORDS / 2);
    assert_int_equal(stats_of(m).dictionary_bodies, 0);
    OK(mneme_train(m, &trained, &error), &error);
    assert_int_equal(trained, 1);
    mneme_stats before = stats_of(m);
    assert_int_equal(before.kinds[MNEME_DICTIONARY].records, 1);
    put_range(m, RECORDS / 2, RECORDS);
    mneme_stats after = stats_of(m);
    assert_int_equal(after.dictionary_bodies, RECORDS / 2);
    uint64_t raw = before.kinds[MNEME_PATTERN].stored_bytes;
    uint64_t packed = after.kinds[MNEME_PATTERN].stored_bytes - raw;
    assert_true(packed * 2 < raw);
    assert_range(m, 0, RECORDS);
    assert_int_equal(child_run(read_in_another_process, home->path), 0);
    store_close_ok(m);
    assert_verified(home->path);
    m = store_open_quiet(home->path);
    assert_range(m, 0, RECORDS);
    OK(mneme_train(m, NULL, &error), &error);
    put_range(m, 0, RECORDS); /* with the newer one */
    assert_range(m, 0, RECORDS);
    store_close_ok(m);
    assert_verified(home->path);
}

static void trained_in_the_background__is_used_without_a_call(void **state) {
    struct home *home = *state;
    mneme *m = open_training(home->path);
    unsigned n = 0;
    while (stats_of(m).dictionary_bodies == 0) { /* ends, or the test's time limit does */
        put_range(m, n, n + 100);
        n += 100;
    }
    assert_true(stats_of(m).kinds[MNEME_DICTIONARY].records >= 1);
    assert_range(m, 0, n);
    store_close_ok(m);
    assert_verified(home->path);
    m = store_open_quiet(home->path);
    assert_range(m, 0, n);
    store_close_ok(m);
}

/* A process that writes a little and ends trains when it closes. */
static void written_by_many_short_handles__is_trained_all_the_same(void **state) {
    struct home *home = *state;
    unsigned n = 0;
    uint64_t dictionaries = 0;
    for (; dictionaries == 0 && n < 4 * RECORDS; n += 100) {
        mneme *m = open_training(home->path);
        put_range(m, n, n + 100);
        store_close_ok(m);
        m = store_open_quiet(home->path);
        dictionaries = stats_of(m).kinds[MNEME_DICTIONARY].records;
        store_close_ok(m);
    }
    assert_true(dictionaries > 0);
    mneme *m = open_training(home->path);
    put_range(m, n, n + 10);
    assert_int_equal(stats_of(m).dictionary_bodies, 10);
    assert_range(m, 0, n + 10);
    store_close_ok(m);
}

static void two_handles_and_processes_train_at_once__one_dictionary_a_generation(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    put_range(m, 0, RECORDS);
    store_close_ok(m);
    mneme *handles[3];
    for (unsigned i = 0; i < 3; i++)
        handles[i] = open_training(home->path);
    for (unsigned i = 0; i < 3; i++)
        put_range(handles[i], RECORDS + i, RECORDS + i + 1);
    for (unsigned i = 0; i < 3; i++)
        store_close_ok(handles[i]); /* each finds that training is due, the first does it */
    m = store_open_quiet(home->path);
    assert_int_equal(stats_of(m).kinds[MNEME_DICTIONARY].records, 1);
    assert_range(m, 0, RECORDS + 3);
    store_close_ok(m);
}

static void no_training__trains_nothing(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    put_range(m, 0, RECORDS);
    store_close_ok(m);
    m = store_open_quiet(home->path);
    assert_int_equal(stats_of(m).kinds[MNEME_DICTIONARY].records, 0);
    store_close_ok(m);
}

static void dictionaries__are_no_records_of_the_user(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    put_range(m, 0, RECORDS);
    OK(mneme_train(m, NULL, &error), &error);
    mneme_query query = {.kind = MNEME_DICTIONARY};
    const mneme_page *page = NULL;
    REFUSED(mneme_list(m, &query, &page, &error), MNEME_INVALID, &error);
    store_close_ok(m);
}

/* Take every dictionary out of the store, behind the library's back. */
static void remove_dictionaries(const char *path) {
    struct store *store = NULL;
    mneme_error error;
    bool more;
    OK(kv_store_open(path, NULL, &store, &error), &error);
    struct store_query query = {.kind = MNEME_DICTIONARY, .limit = 10};
    AUTO_RECORDS struct record_set found = {0};
    OK(store_query(store, &query, &found, &more, &error), &error);
    assert_true(found.count > 0);
    for (size_t i = 0; i < found.count; i++) {
        struct mutation purge = {.op = MUTATION_PURGE,
                                 .record = {.kind = MNEME_DICTIONARY, .id = found.records[i].id}};
        struct batch batch = {.mutations = &purge, .count = 1}, *only = &batch;
        OK(store_apply(store, &only, 1), &batch.error);
    }
    store_close(store);
}

static void dictionary_that_is_gone__is_named_and_other_records_live(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    put_range(m, 0, RECORDS / 2);
    OK(mneme_train(m, NULL, &error), &error);
    put_range(m, RECORDS / 2, RECORDS);
    store_close_ok(m);
    remove_dictionaries(home->path);
    m = store_open_quiet(home->path);
    assert_range(m, 0, RECORDS / 2);
    mneme_id id = id_of(RECORDS - 1);
    const mneme_record *record = NULL;
    REFUSED(mneme_acquire(m, MNEME_PATTERN, &id, &record, &error), MNEME_CORRUPT, &error);
    assert_says(&error, "dictionary");
    put_range(m, RECORDS, RECORDS + 10);
    assert_range(m, RECORDS, RECORDS + 10);
    store_close_ok(m);
    REFUSED(mneme_verify(home->path, NULL, NULL, NULL, &error), MNEME_CORRUPT, &error);
}

struct shared_use {
    mneme *m;
    unsigned from;
};

static void *put_and_read(void *context) {
    struct shared_use *use = context;
    put_range(use->m, use->from, use->from + 600);
    return read_range(use->m, use->from, use->from + 600) ? context : NULL;
}

static void many_threads__train_and_use_them_together(void **state) {
    struct home *home = *state;
    mneme *m = open_training(home->path);
    struct shared_use uses[4];
    pthread_t threads[4];
    for (unsigned i = 0; i < 4; i++) {
        uses[i] = (struct shared_use){m, i * 1000};
        assert_int_equal(pthread_create(&threads[i], NULL, put_and_read, &uses[i]), 0);
    }
    void *failed[4];
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], &failed[i]);
    for (unsigned i = 0; i < 4; i++)
        assert_null(failed[i]);
    store_close_ok(m);
    assert_verified(home->path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(trained_by_hand__compresses_what_is_written_after),
        CASE(trained_in_the_background__is_used_without_a_call),
        CASE(written_by_many_short_handles__is_trained_all_the_same),
        CASE(two_handles_and_processes_train_at_once__one_dictionary_a_generation),
        CASE(no_training__trains_nothing),
        CASE(dictionaries__are_no_records_of_the_user),
        CASE(dictionary_that_is_gone__is_named_and_other_records_live),
        CASE(many_threads__train_and_use_them_together),
    };
    return cmocka_run_group_tests_name("api/dictionary", tests, NULL, NULL);
}
