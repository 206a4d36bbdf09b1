/*
 * durability_test.c - the three durabilities, tickets and flush; what is there after a kill; the
 * group commit as its counters show it.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "support/api_fixture.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

/* A store whose queue is written only when somebody waits, so that tests decide when. */
static mneme *open_slow(const char *path, uint32_t operations, uint32_t queue) {
    mneme_options options = quiet_options();
    mneme_error error;
    mneme *m = NULL;
    options.batch_interval_ms = 3600 * 1000;
    options.batch_operations = operations;
    options.queue_operations = queue;
    OK(mneme_open(path, &options, &m, &error), &error);
    return m;
}

static mneme_stats stats_of(mneme *m) {
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    OK(mneme_stats_get(m, &stats, &error), &error);
    return stats;
}

static mneme_ticket put_ticketed(mneme *m, unsigned n) {
    mneme_ticket ticket = 0;
    mneme_write how = {.durability = MNEME_BATCH, .ticket = &ticket};
    mneme_pattern pattern = pattern_of("ticketed", "");
    mneme_error error;
    pattern.id.bytes[0] = 1;
    pattern.id.bytes[1] = (uint8_t)(n >> 8);
    pattern.id.bytes[2] = (uint8_t)n;
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    OK(mneme_put(m, &record, 1, &how, NULL, &error), &error);
    assert_true(ticket != 0);
    return ticket;
}

static void put_relaxed(mneme *m, const char *name, mneme_id *id) {
    mneme_write how = {.durability = MNEME_RELAXED};
    mneme_pattern pattern = pattern_of(name, "");
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    mneme_error error;
    OK(mneme_put(m, &record, 1, &how, id, &error), &error);
}

/* ---- Tickets --------------------------------------------------------------------------------- */

static void ticketed_writes__share_a_commit_when_one_is_waited_for(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_error error;
    mneme_ticket tickets[50];
    mneme_stats before = stats_of(m);
    for (unsigned n = 0; n < 50; n++)
        tickets[n] = put_ticketed(m, n);
    assert_int_equal(stats_of(m).groups, before.groups); /* each returned at once */
    assert_int_equal(count_records(m, MNEME_PATTERN), 0);
    OK(mneme_ticket_wait(m, tickets[0], -1, &error), &error);
    for (unsigned n = 0; n < 50; n++) /* the last ones too, and as often as one likes */
        for (int again = 0; again < 2; again++)
            OK(mneme_ticket_wait(m, tickets[n], 0, &error), &error);
    mneme_stats after = stats_of(m);
    assert_int_equal(after.groups - before.groups, 1);
    assert_int_equal(after.grouped_writes - before.grouped_writes, 50);
    assert_int_equal(after.commits - before.commits, 1);
    assert_int_equal(count_records(m, MNEME_PATTERN), 50);
    store_close_ok(m);
}

static void full_group__is_committed_without_a_wait(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 10, 4096);
    mneme_error error;
    for (unsigned n = 0; n < 25; n++)
        put_ticketed(m, n);
    OK(mneme_flush(m, &error), &error);
    mneme_stats stats = stats_of(m);
    assert_int_equal(stats.grouped_writes, 25);
    assert_int_equal(count_records(m, MNEME_PATTERN), 25);
    assert_true(stats.groups >= 3); /* of at most ten operations each */
    store_close_ok(m);
}

static void old_group__is_committed_by_itself(void **state) {
    struct home *home = *state;
    mneme_options options = quiet_options();
    mneme_error error;
    mneme *m = NULL;
    options.batch_interval_ms = 1;
    OK(mneme_open(home->path, &options, &m, &error), &error);
    mneme_id id;
    put_relaxed(m, "by itself", &id);
    while (count_records(m, MNEME_PATTERN) == 0)
        usleep(1000); /* ends, or the test's time limit does */
    store_close_ok(m);
}

static void ticket_that_was_never_given__is_not_found(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_error error;
    REFUSED(mneme_ticket_wait(m, 0, 0, &error), MNEME_NOT_FOUND, &error);
    REFUSED(mneme_ticket_wait(m, 1, 0, &error), MNEME_NOT_FOUND, &error);
    mneme_ticket ticket = put_ticketed(m, 1);
    REFUSED(mneme_ticket_wait(m, ticket + 1, -1, &error), MNEME_NOT_FOUND, &error);
    REFUSED(mneme_ticket_wait(m, UINT64_MAX, INT64_MAX, &error), MNEME_NOT_FOUND, &error);
    OK(mneme_ticket_wait(m, ticket, INT64_MAX, &error), &error);
    OK(mneme_ticket_wait(m, ticket, INT64_MIN, &error), &error);
    store_close_ok(m);
}

static void ticket_of_a_failed_write__keeps_its_error(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_error error;
    mneme_id id = {{1}};
    mneme_ticket bad = 0, good;
    mneme_write how = {.durability = MNEME_BATCH, .ticket = &bad};
    OK(mneme_delete(m, MNEME_PATTERN, &id, 1, &how, &error), &error); /* no such record */
    good = put_ticketed(m, 3);
    for (int again = 0; again < 3; again++) {
        REFUSED(mneme_ticket_wait(m, bad, -1, &error), MNEME_NOT_FOUND, &error);
        assert_says(&error, "01000000-0000-0000-0000-000000000000");
        OK(mneme_ticket_wait(m, good, -1, &error), &error);
    }
    OK(mneme_flush(m, &error), &error); /* a ticket's failure is the ticket's */
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    store_close_ok(m);
}

static void *wait_for_ticket(void *context) {
    void **both = context;
    mneme_error error;
    int status = mneme_ticket_wait(both[0], *(mneme_ticket *)both[1], -1, &error);
    return status ? context : NULL;
}

static void ticket__may_be_waited_for_by_many_threads(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_ticket ticket = put_ticketed(m, 1);
    void *context[2] = {m, &ticket}, *results[8];
    pthread_t threads[8];
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_for_ticket, context), 0);
    for (size_t i = 0; i < 8; i++)
        pthread_join(threads[i], &results[i]);
    for (size_t i = 0; i < 8; i++)
        assert_null(results[i]);
    store_close_ok(m);
}

/* ---- Relaxed writes and flush ---------------------------------------------------------------- */

static void relaxed_write__is_there_after_flush(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_error error;
    mneme_id id;
    const mneme_record *record = NULL;
    put_relaxed(m, "relaxed", &id);
    assert_false(mneme_id_is_zero(&id));
    REFUSED(mneme_acquire(m, MNEME_PATTERN, &id, &record, &error), MNEME_NOT_FOUND, &error);
    OK(mneme_flush(m, &error), &error);
    OK(mneme_acquire(m, MNEME_PATTERN, &id, &record, &error), &error);
    mneme_release(m, record);
    OK(mneme_flush(m, &error), &error);
    store_close_ok(m);
}

static void relaxed_write_that_fails__is_told_by_one_flush(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_error error;
    mneme_id id = {{1}}, good;
    mneme_write how = {.durability = MNEME_RELAXED};
    OK(mneme_delete(m, MNEME_PATTERN, &id, 1, &how, &error), &error);
    put_relaxed(m, "good", &good);
    REFUSED(mneme_flush(m, &error), MNEME_NOT_FOUND, &error);
    OK(mneme_flush(m, &error), &error);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    OK(mneme_delete(m, MNEME_PATTERN, &id, 1, &how, &error), &error);
    REFUSED(mneme_close(m, &error), MNEME_NOT_FOUND, &error); /* the handle is gone all the same */
}

static void close__writes_what_is_queued(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_id id;
    for (int n = 0; n < 30; n++)
        put_relaxed(m, "queued", &id);
    put_ticketed(m, 1);
    store_close_ok(m);
    m = store_open_quiet(home->path);
    assert_int_equal(count_records(m, MNEME_PATTERN), 31);
    store_close_ok(m);
}

/* Writes take effect in the order of the calls, whatever their durability. */
static void order_of_calls__is_the_order_of_effect(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 100, 4096);
    mneme_error error;
    mneme_ticket ticket;
    mneme_write relaxed = {.durability = MNEME_RELAXED};
    mneme_write batch = {.durability = MNEME_BATCH, .ticket = &ticket};
    mneme_episode episode = {.task = text("queued")};
    mneme_completion completion = {.outcome = {.kind = MNEME_SUCCESS}};
    mneme_step step = step_of("a", "b");
    mneme_id id;
    uint64_t number = 77;
    OK(mneme_episode_start(m, &episode, &relaxed, &id, &error), &error);
    OK(mneme_step_append(m, &id, &step, &batch, NULL, &number, &error), &error);
    assert_int_equal(number, 0); /* not known yet */
    OK(mneme_step_append(m, &id, &step, &relaxed, NULL, NULL, &error), &error);
    OK(mneme_step_append(m, &id, &step, NULL, NULL, &number, &error), &error);
    assert_int_equal(number, 3);
    OK(mneme_step_append(m, &id, &step, &relaxed, NULL, NULL, &error), &error);
    OK(mneme_tag_add(m, MNEME_EPISODE, &id, text("t"), &relaxed, &error), &error);
    OK(mneme_episode_complete(m, &id, &completion, &relaxed, &error), &error);
    OK(mneme_flush(m, &error), &error);
    const mneme_record *record;
    OK(mneme_acquire(m, MNEME_EPISODE, &id, &record, &error), &error);
    assert_int_equal(record->flags, MNEME_FLAG_SEALED);
    assert_int_equal(record->as.episode->steps.count, 4);
    assert_int_equal(record->as.episode->tags.count, 1);
    mneme_release(m, record);
    store_close_ok(m);
}

/* ---- A small queue --------------------------------------------------------------------------- */

struct pusher {
    mneme *m;
    unsigned number;
};

static void *push(void *context) {
    struct pusher *pusher = context;
    mneme_write relaxed = {.durability = MNEME_RELAXED};
    for (unsigned n = 0; n < 100; n++) {
        mneme_pattern pattern = pattern_of("pushed", "");
        mneme_record records[3];
        for (size_t i = 0; i < 3; i++)
            records[i] = (mneme_record){.kind = MNEME_PATTERN, .as.pattern = &pattern};
        if (mneme_put(pusher->m, records, 3, n % 3 ? &relaxed : NULL, NULL, NULL))
            return context;
    }
    return NULL;
}

static void full_queue__pushes_back_and_drops_nothing(void **state) {
    struct home *home = *state;
    mneme *m = open_slow(home->path, 4, 8);
    struct pusher pushers[4];
    pthread_t threads[4];
    mneme_error error;
    for (unsigned i = 0; i < 4; i++) {
        pushers[i] = (struct pusher){m, i};
        assert_int_equal(pthread_create(&threads[i], NULL, push, &pushers[i]), 0);
    }
    void *results[4];
    for (unsigned i = 0; i < 4; i++)
        pthread_join(threads[i], &results[i]);
    for (unsigned i = 0; i < 4; i++)
        assert_null(results[i]);
    OK(mneme_flush(m, &error), &error);
    assert_int_equal(count_records(m, MNEME_PATTERN), 4 * 100 * 3);
    store_close_ok(m);
}

/* ---- After a kill ---------------------------------------------------------------------------- */

enum { PREFIX_MAX = 20000 };

struct prefix {
    const char *path;
    volatile uint32_t *flushed; /* shared: what must be there */
};

static int write_relaxed(void *context) {
    struct prefix *prefix = context;
    mneme_options options = quiet_options();
    mneme_error error;
    mneme *m = NULL;
    options.batch_interval_ms = 2;
    options.batch_operations = 7;
    CHILD_CHECK(mneme_open(prefix->path, &options, &m, &error) == 0, "%s", error.message);
    mneme_write how = {.durability = MNEME_RELAXED};
    uint32_t first = (uint32_t)count_records(m, MNEME_RELATION);
    for (uint32_t n = first; n < PREFIX_MAX; n++) {
        mneme_relation relation = {.type = text("next"), .from = {{1}}, .to = {{2}}};
        for (int i = 0; i < 4; i++)
            relation.id.bytes[i] = (uint8_t)((n + 1) >> (24 - 8 * i));
        mneme_record record = {.kind = MNEME_RELATION, .as.relation = &relation};
        CHILD_CHECK(mneme_put(m, &record, 1, &how, NULL, &error) == 0, "%s", error.message);
        if (n % 50 == 49) {
            CHILD_CHECK(mneme_flush(m, &error) == 0, "%s", error.message);
            *prefix->flushed = n + 1;
        }
    }
    for (;;)
        pause();
}

/* The relations are those with the numbers 1 to `count`; of more than a page, the first of them. */
static void assert_first_ids(mneme *m, size_t count) {
    static const uint8_t front[1] = {0};
    mneme_query query = {.kind = MNEME_RELATION,
                         .id_prefix = front,
                         .id_prefix_size = 1,
                         .order = MNEME_OLDEST_FIRST,
                         .limit = 10000};
    const mneme_page *page;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    assert_int_equal(page->count, count < 10000 ? count : 10000);
    for (uint32_t i = 0; i < page->count; i++) {
        const uint8_t *b = page->records[i]->id.bytes;
        assert_int_equal((uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3], i + 1);
    }
    mneme_page_release(m, page);
}

/* Until something was flushed, which takes some stores longer than a round. */
static void wait_for_a_flush(const struct prefix *prefix) {
    for (unsigned i = 0; *prefix->flushed == 0 && i < 30000; i++)
        usleep(1000);
}

/* What is there after a kill is what was written up to some moment, and all that was flushed. */
static void relaxed_writes_after_a_kill__are_a_prefix(void **state) {
    struct home *home = *state;
    struct prefix prefix = {.path = home->path};
    prefix.flushed = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal((void *)(uintptr_t)prefix.flushed, MAP_FAILED);
    for (unsigned round = 0; round < 15; round++) {
        pid_t child = child_start(write_relaxed, &prefix);
        usleep(10000 + round * 1700);
        if (round == 14)
            wait_for_a_flush(&prefix);
        kill(child, SIGKILL);
        assert_int_equal(child_wait(child), 1000 + SIGKILL);
        mneme *m = store_open_quiet(home->path);
        size_t count = count_records(m, MNEME_RELATION);
        assert_true(count >= *prefix.flushed);
        assert_first_ids(m, count);
        store_close_ok(m);
    }
    assert_true(*prefix.flushed > 0);
    munmap((void *)(uintptr_t)prefix.flushed, 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(ticketed_writes__share_a_commit_when_one_is_waited_for),
        CASE(full_group__is_committed_without_a_wait),
        CASE(old_group__is_committed_by_itself),
        CASE(ticket_that_was_never_given__is_not_found),
        CASE(ticket_of_a_failed_write__keeps_its_error),
        CASE(ticket__may_be_waited_for_by_many_threads),
        CASE(relaxed_write__is_there_after_flush),
        CASE(relaxed_write_that_fails__is_told_by_one_flush),
        CASE(close__writes_what_is_queued),
        CASE(order_of_calls__is_the_order_of_effect),
        CASE(full_queue__pushes_back_and_drops_nothing),
        CASE(relaxed_writes_after_a_kill__are_a_prefix),
    };
    return cmocka_run_group_tests_name("api/durability", tests, NULL, NULL);
}
