/*
 * lock_test.c - locks and their ranks, signals, threads, and what a fork does to a process.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "os/os.h"
#include "support/api_fixture.h"

/* ---- Locks ----------------------------------------------------------------------------------- */

struct counter {
    struct lock lock;
    struct shared_lock shared;
    struct signal signal;
    int count, readers_saw_odd;
};

static void *count_up(void *context) {
    struct counter *c = context;
    for (int i = 0; i < 10000; i++) {
        lock_acquire(&c->lock);
        c->count++;
        lock_release(&c->lock);
    }
    return NULL;
}

static void lock__lets_one_thread_in(void **state) {
    struct counter c = {.count = 0};
    pthread_t threads[4];
    (void)state;
    lock_init(&c.lock, RANK_LEAF);
    for (int i = 0; i < 4; i++)
        assert_int_equal(thread_start(&threads[i], count_up, &c, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(c.count, 40000);
    lock_fini(&c.lock);
}

/* A writer makes the count odd for a moment; a reader must never see it so. */
static void *write_shared(void *context) {
    struct counter *c = context;
    for (int i = 0; i < 5000; i++) {
        shared_lock_acquire_write(&c->shared);
        c->count++;
        c->count++;
        shared_lock_release(&c->shared);
    }
    return NULL;
}

static void *read_shared(void *context) {
    struct counter *c = context;
    void *odd = NULL;
    for (int i = 0; i < 5000; i++) {
        shared_lock_acquire_read(&c->shared);
        if (c->count % 2)
            odd = context;
        shared_lock_release(&c->shared);
    }
    return odd;
}

static void shared_lock__keeps_readers_from_a_writer(void **state) {
    struct counter c = {.count = 0};
    pthread_t threads[4];
    (void)state;
    shared_lock_init(&c.shared, RANK_KV);
    for (int i = 0; i < 4; i++)
        assert_int_equal(thread_start(&threads[i], i % 2 ? read_shared : write_shared, &c, NULL),
                         0);
    void *odd[4];
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], &odd[i]);
    for (int i = 0; i < 4; i++)
        assert_null(odd[i]);
    assert_int_equal(c.count, 20000);
    shared_lock_fini(&c.shared);
}

static void locks_in_rising_rank__are_taken(void **state) {
    struct lock first, second;
    struct shared_lock between;
    (void)state;
    lock_init(&first, RANK_API);
    shared_lock_init(&between, RANK_KV);
    lock_init(&second, RANK_LEAF);
    for (int i = 0; i < 3; i++) {
        AUTO_LOCK(outer, &first);
        shared_lock_acquire_read(&between);
        AUTO_LOCK(inner, &second);
        shared_lock_release(&between); /* in any order */
    }
    lock_fini(&first);
    lock_fini(&second);
    shared_lock_fini(&between);
}

/* Where assertions are compiled in, the first wrong order ends the process; elsewhere it is only
 * a deadlock that did not happen. */
static int take_in_falling_rank(void *context) {
    struct lock first, second;
    (void)context;
    fclose(stderr); /* what it says is for those who did not expect it */
    lock_init(&first, RANK_LEAF);
    lock_init(&second, RANK_API);
    lock_acquire(&first);
    lock_acquire(&second);
    return 0;
}

static void locks_in_falling_rank__are_caught_in_test_builds(void **state) {
    (void)state;
#ifdef MNEME_ASSERTS
    assert_int_equal(child_run(take_in_falling_rank, NULL), 1000 + SIGABRT);
#else
    assert_int_equal(child_run(take_in_falling_rank, NULL), 0);
#endif
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void *signal_later(void *context) {
    struct counter *c = context;
    lock_acquire(&c->lock);
    c->count = 1;
    signal_all(&c->signal);
    lock_release(&c->lock);
    return NULL;
}

static void signal__wakes_who_waits_and_deadlines_pass(void **state) {
    struct counter c = {.count = 0};
    pthread_t thread;
    (void)state;
    lock_init(&c.lock, RANK_LEAF);
    signal_init(&c.signal);
    lock_acquire(&c.lock);
    assert_false(signal_wait(&c.signal, &c.lock, 0));
    int64_t deadline = clock_monotonic_us() + 2000;
    while (signal_wait(&c.signal, &c.lock, deadline))
        ;
    assert_true(clock_monotonic_us() >= deadline);
    assert_int_equal(thread_start(&thread, signal_later, &c, NULL), 0);
    while (c.count == 0)
        assert_true(signal_wait(&c.signal, &c.lock, -1));
    lock_release(&c.lock);
    pthread_join(thread, NULL);
    signal_fini(&c.signal);
    lock_fini(&c.lock);
}

/* ---- Threads and processes ------------------------------------------------------------------- */

static void *read_mask(void *context) {
    pthread_sigmask(SIG_SETMASK, NULL, context);
    return NULL;
}

static void thread__takes_no_signals_of_the_application(void **state) {
    sigset_t inside, before, after;
    pthread_t thread;
    (void)state;
    sigemptyset(&inside);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(thread_start(&thread, read_mask, &inside, NULL), 0);
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    assert_int_equal(sigismember(&inside, SIGTERM), 1);
    assert_int_equal(sigismember(&inside, SIGALRM), 1);
    assert_int_equal(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM));
}

static int compare_generation(void *context) {
    return process_generation() == *(unsigned *)context ? 1 : 0;
}

static void process_generation__is_another_in_a_child(void **state) {
    (void)state;
    unsigned mine = process_generation();
    assert_int_equal(child_run(compare_generation, &mine), 0);
    assert_int_equal(process_generation(), mine);
}

static int fault(void *context) {
    process_expect_fault();
    raise(*(int *)context);
    return 0;
}

static void process_that_expects_a_fault__dies_of_it(void **state) {
    int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
    (void)state;
    for (size_t i = 0; i < COUNT_OF(signals); i++)
        assert_int_equal(child_run(fault, &signals[i]), 1000 + signals[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lock__lets_one_thread_in),
        cmocka_unit_test(shared_lock__keeps_readers_from_a_writer),
        cmocka_unit_test(locks_in_rising_rank__are_taken),
        cmocka_unit_test(locks_in_falling_rank__are_caught_in_test_builds),
        cmocka_unit_test(signal__wakes_who_waits_and_deadlines_pass),
        cmocka_unit_test(thread__takes_no_signals_of_the_application),
        cmocka_unit_test(process_generation__is_another_in_a_child),
        cmocka_unit_test(process_that_expects_a_fault__dies_of_it),
    };
    return cmocka_run_group_tests_name("os/lock", tests, NULL, NULL);
}
