/*
 * remote_threads_test.c - threads that write through the group commit to a remote store whose wire
 * fails at random: each finds what it was acknowledged, once, and nothing else.
 *
 * A thread writes records of its own, so it knows what they must be. After MNEME_UNCERTAIN it reads
 * the record: the old and the new content are both right, and it goes on from there.
 */
#include <stdlib.h>

#include "os/os.h"
#include "support/api_fixture.h"
#include "support/remote_scene.h"

enum { THREADS = 4, ROUNDS = 150, RECORDS = 6, BODY = 40, PATIENCE_MS = 30000 };

/* What a record must be; 0: there is none, or a tombstone. */
struct expected {
    unsigned seed;
    uint64_t change;
};

struct writer {
    struct store *store;
    unsigned number;
    struct test_random random;
    struct expected records[RECORDS];
    uint64_t steps;
    unsigned failed, uncertain;
    char problem[400];
};

static unsigned record_number(const struct writer *w, unsigned r) {
    return w->number * 1000 + r + 1;
}

static bool is_over(struct writer *w, int64_t began_us, const char *doing, const mneme_error *e) {
    if (clock_monotonic_us() - began_us < (int64_t)PATIENCE_MS * 1000)
        return false;
    snprintf(w->problem, sizeof w->problem, "%s does not end: %.300s", doing, e->message);
    return true;
}

/* Read a record until there is an answer; false: see w->problem. */
static bool read_record(struct writer *w, mneme_kind kind, unsigned n, struct record_set *set) {
    int64_t began_us = clock_monotonic_us();
    mneme_id id = numbered_id(n);
    mneme_error error = {0};
    for (;;) {
        int status = store_get_one(w->store, kind, &id, set, &error);
        if (status == 0 || status == MNEME_NOT_FOUND)
            return true;
        if (is_over(w, began_us, "a read", &error))
            return false;
    }
}

static bool has_body(const struct stored_record *record, unsigned seed) {
    uint8_t body[BODY];
    test_random_fill(seed, body, sizeof body);
    return slice_equal(record->body, slice_of(body, sizeof body));
}

/* ---- Puts and deletes ------------------------------------------------------------------------ */

/* After an uncertain write: find out, and go on from there. */
static bool resolve(struct writer *w, unsigned r, unsigned seed) {
    AUTO_RECORDS struct record_set set = {0};
    struct expected *old = &w->records[r];
    w->uncertain++;
    if (!read_record(w, MNEME_PATTERN, record_number(w, r), &set))
        return false;
    bool is_old = set.count == 0 ? old->seed == 0 : old->seed && has_body(set.records, old->seed);
    bool is_new = set.count == 0 ? seed == 0 : seed && has_body(set.records, seed);
    if (!is_old && !is_new) {
        snprintf(w->problem, sizeof w->problem, "record %u is neither old nor new",
                 record_number(w, r));
        return false;
    }
    if (is_new)
        *old = (struct expected){seed, set.count ? set.records[0].change : 0};
    return true;
}

/* `seed` 0: delete. */
static bool write_record(struct writer *w, unsigned r, unsigned seed) {
    uint8_t body[BODY];
    struct batch batch;
    unsigned n = record_number(w, r);
    struct mutation m = seed ? put_of(MNEME_PATTERN, n) : delete_of(MNEME_PATTERN, n);
    test_random_fill(seed, body, sizeof body);
    if (seed)
        m.record.body = slice_of(body, sizeof body);
    (void)apply_mutations(w->store, &m, 1, &batch);
    /* The answer that said which condition failed may have been lost. */
    bool missing = (batch.status == MNEME_NOT_FOUND || batch.status == MNEME_CONFLICT) &&
                   seed == 0 && w->records[r].seed == 0;
    if (batch.status == 0)
        w->records[r] = (struct expected){seed, seed ? m.record.change : 0};
    else if (batch.status == MNEME_UNCERTAIN)
        return resolve(w, r, seed);
    else if (!missing && !mneme_status_retryable(batch.status)) {
        snprintf(w->problem, sizeof w->problem, "record %u: %.300s", n, batch.error.message);
        return false;
    }
    w->failed += batch.status != 0 && !missing;
    return true;
}

/* ---- Steps -------------------------------------------------------------------------------------
 */

static unsigned step_number(const struct writer *w, uint64_t place) {
    return w->number * 1000 + 100 + (unsigned)place;
}

/* A step behind the last one, which the writer knows. */
static bool add_step(struct writer *w) {
    AUTO_RECORDS struct record_set set = {0};
    unsigned parent = w->number * 1000, n = step_number(w, w->steps + 1);
    struct mutation m[] = {check_of(MNEME_EPISODE, parent, CONDITION_CHILDREN),
                           put_of(MNEME_STEP, n)};
    struct batch batch;
    m[0].expect_kind = MNEME_STEP;
    m[0].expect_place = m[0].expect_count = w->steps;
    m[1].record.parent = numbered_id(parent);
    (void)apply_mutations(w->store, m, COUNT_OF(m), &batch);
    bool in = batch.status == 0;
    if (batch.status == MNEME_UNCERTAIN) {
        w->uncertain++;
        if (!read_record(w, MNEME_STEP, n, &set))
            return false;
        in = set.count > 0;
    } else if (batch.status != 0 && !mneme_status_retryable(batch.status)) {
        snprintf(w->problem, sizeof w->problem, "step %u: %.300s", n, batch.error.message);
        return false;
    }
    w->failed += !in;
    w->steps += in;
    return true;
}

static void *write_all(void *argument) {
    struct writer *w = argument;
    bool good = true;
    for (unsigned i = 0; i < ROUNDS && good; i++) {
        unsigned what = test_random_below(&w->random, 10);
        unsigned r = test_random_below(&w->random, RECORDS);
        if (what < 4)
            good = add_step(w);
        else
            good = write_record(w, r, what < 5 ? 0 : w->number * 1000 + i + 1);
    }
    return NULL;
}

/* ---- Faults
 * -------------------------------------------------------------------------------------- */

static struct proxy_action fail_at_random(void *context, const struct proxy_request *request) {
    static const char answer[] = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
    static const enum proxy_fault faults[] = {PROXY_RESET,   PROXY_LOSE,  PROXY_TRUNCATE,
                                              PROXY_ANSWER,  PROXY_CLOSE, PROXY_DELAY,
                                              PROXY_REPLACE, PROXY_SLOW};
    struct test_random *random = context;
    (void)request;
    if (test_random_below(random, 100) < 70)
        return (struct proxy_action){.fault = PROXY_PASS};
    return (struct proxy_action){.fault = faults[test_random_below(random, COUNT_OF(faults))],
                                 .bytes = 1 + test_random_below(random, 500),
                                 .ms = 1,
                                 .answer = slice_of_string(answer)};
}

/* ---- The end -----------------------------------------------------------------------------------
 */

static void check_writer(const struct remote_scene *scene, const struct writer *w) {
    struct writer reader = *w;
    reader.store = scene->direct;
    for (unsigned r = 0; r < RECORDS; r++) {
        AUTO_RECORDS struct record_set set = {0};
        const struct expected *expected = &w->records[r];
        assert_true(read_record(&reader, MNEME_PATTERN, record_number(w, r), &set));
        assert_int_equal(set.count, expected->seed != 0);
        if (set.count) {
            assert_true(has_body(set.records, expected->seed));
            assert_int_equal(set.records[0].change, expected->change); /* not written twice */
        }
    }
    for (uint64_t place = 1; place <= w->steps + 1; place++) {
        AUTO_RECORDS struct record_set set = {0};
        assert_true(read_record(&reader, MNEME_STEP, step_number(w, place), &set));
        assert_int_equal(set.count, place <= w->steps);
        assert_true(set.count == 0 || set.records[0].place == place);
    }
}

static void check_counts(const struct remote_scene *scene, const struct writer *writers) {
    uint64_t records = 0, steps = 0;
    struct store_stats stats;
    mneme_error error;
    for (size_t i = 0; i < THREADS; i++) {
        steps += writers[i].steps;
        for (size_t r = 0; r < RECORDS; r++)
            records += writers[i].records[r].seed != 0;
    }
    OK(store_stats(scene->direct, &stats, &error), &error);
    assert_int_equal(stats.kinds[MNEME_PATTERN].records, records);
    assert_int_equal(stats.kinds[MNEME_STEP].records, steps);
}

/* Few attempts, so that many calls fail. */
static void reopen_hastily(struct remote_scene *scene) {
    struct hrana_options options = remote_driver_options(scene, proxy_url(scene->proxy));
    mneme_error error;
    options.net.attempts_max = 2;
    options.net.breaker_failures = 1000;
    store_close(TAKE(scene->store));
    OK(remote_open(scene, &options, true, &scene->store, &error), &error);
}

static void remote_writers__find_what_they_wrote_once(void **state) {
    static const uint64_t seeds[] = {1, 2};
    (void)state;
    for (size_t s = 0; s < COUNT_OF(seeds); s++) {
        struct remote_scene scene;
        struct writer writers[THREADS];
        struct test_random random = {seeds[s]};
        pthread_t threads[THREADS];
        unsigned failed = 0, uncertain = 0;
        mneme_error error;
        remote_scene_make(&scene, &(struct remote_options){.batched = true});
        reopen_hastily(&scene);
        proxy_decide_with(scene.proxy, fail_at_random, &random);
        for (unsigned i = 0; i < THREADS; i++) {
            writers[i] = (struct writer){
                .store = scene.store, .number = i + 1, .random = {seeds[s] * 100 + i}};
            OK(thread_start(&threads[i], write_all, &writers[i], &error), &error);
        }
        for (size_t i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        proxy_decide_with(scene.proxy, NULL, NULL);
        for (size_t i = 0; i < THREADS; i++)
            if (writers[i].problem[0])
                fail_msg("seed %llu: %s", (unsigned long long)seeds[s], writers[i].problem);
        remote_heal(&scene);
        for (size_t i = 0; i < THREADS; i++) {
            check_writer(&scene, &writers[i]);
            failed += writers[i].failed;
            uncertain += writers[i].uncertain;
        }
        check_counts(&scene, writers);
        assert_true(failed + uncertain > 0);
        remote_scene_remove(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_writers__find_what_they_wrote_once),
    };
    return cmocka_run_group_tests_name("reliability/remote_threads", tests, NULL, NULL);
}
