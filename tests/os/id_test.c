/*
 * id_test.c - ids rise within a process, on all threads and across fork, and carry their time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/os.h"

enum { THREADS = 4, IDS = 20000 };

static mneme_id made(uint64_t millis) {
    mneme_id id;
    assert_int_equal(id_make(millis, &id, NULL), 0);
    return id;
}

static void id_made_now__is_a_uuid_of_version_7(void **state) {
    (void)state;
    uint64_t before = (uint64_t)clock_wall_us() / 1000;
    mneme_id id = made(0);
    assert_int_equal(id.bytes[6] >> 4, 7);
    assert_int_equal(id.bytes[8] >> 6, 2);
    assert_in_range(id_millis(&id), before, before + 60000);
}

static void ids_made_in_a_row__rise(void **state) {
    (void)state;
    mneme_id last = made(0);
    for (int i = 0; i < 200000; i++) { /* far more than a millisecond has counters */
        mneme_id next = made(0);
        assert_true(memcmp(&last, &next, sizeof last) < 0);
        last = next;
    }
}

static void *make_many(void *context) {
    mneme_id *ids = context;
    for (int i = 0; i < IDS; i++)
        if (id_make(0, &ids[i], NULL))
            return NULL;
    return context;
}

static int id_order(const void *a, const void *b) { return memcmp(a, b, sizeof(mneme_id)); }

static void ids_of_many_threads__rise_in_each_and_differ(void **state) {
    (void)state;
    mneme_id *ids = calloc(THREADS * IDS, sizeof *ids);
    pthread_t threads[THREADS];
    assert_non_null(ids);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, ids + i * IDS), 0);
    for (int i = 0; i < THREADS; i++) {
        void *done;
        pthread_join(threads[i], &done);
        assert_non_null(done);
        for (int j = 1; j < IDS; j++)
            assert_true(id_order(&ids[i * IDS + j - 1], &ids[i * IDS + j]) < 0);
    }
    qsort(ids, (size_t)THREADS * IDS, sizeof *ids, id_order);
    for (int i = 1; i < THREADS * IDS; i++)
        assert_true(id_order(&ids[i - 1], &ids[i]) != 0);
    free(ids);
}

static void ids_of_a_child__are_not_those_of_its_parent(void **state) {
    (void)state;
    mneme_id theirs[64], ours[64];
    int ends[2];
    (void)made(0);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    for (int i = 0; i < 64; i++)
        if (id_make(0, &ours[i], NULL))
            abort();
    if (child == 0)
        _exit(write(ends[1], ours, sizeof ours) == (ssize_t)sizeof ours ? 0 : 1);
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    waitpid(child, NULL, 0);
    for (int i = 0; i < 64; i++)
        for (int j = 0; j < 64; j++)
            assert_true(id_order(&ours[i], &theirs[j]) != 0);
    close(ends[0]);
    close(ends[1]);
}

static void id_of_a_given_time__carries_it(void **state) {
    static const uint64_t times[] = {1, 1000, UINT64_C(1763712120000), (UINT64_C(1) << 48) - 1};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        mneme_id a = made(times[i]), b = made(times[i]);
        assert_int_equal(id_millis(&a), times[i]);
        assert_int_equal(a.bytes[6] >> 4, 7);
        assert_true(id_order(&a, &b) != 0);
    }
    mneme_id now = made(0); /* the time of the last call does not drag this one along */
    assert_in_range(id_millis(&now), 1, (UINT64_C(1) << 48) - 2);
}

static void random_bytes__differ(void **state) {
    uint8_t a[100] = {0}, b[100] = {0};
    (void)state;
    assert_int_equal(random_bytes(a, sizeof a, NULL), 0);
    assert_int_equal(random_bytes(b, sizeof b, NULL), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_int_equal(random_bytes(a, 0, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(id_made_now__is_a_uuid_of_version_7),
        cmocka_unit_test(ids_made_in_a_row__rise),
        cmocka_unit_test(ids_of_many_threads__rise_in_each_and_differ),
        cmocka_unit_test(ids_of_a_child__are_not_those_of_its_parent),
        cmocka_unit_test(id_of_a_given_time__carries_it),
        cmocka_unit_test(random_bytes__differ),
    };
    return cmocka_run_group_tests_name("os/id", tests, NULL, NULL);
}
