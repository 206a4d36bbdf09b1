/*
 * lock.c - ranked mutexes, conditions and threads over pthreads.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <time.h>

#include "os/log.h"
#include "os/os.h"

#ifdef MNEME_ASSERTS
/* The ranks this thread holds, in the order taken; what ASSERT checks the order by. */
enum { HELD_MAX = 16 };
static _Thread_local int held_ranks[HELD_MAX];
static _Thread_local int held_count;

static void rank_push(int rank) {
    ASSERT(held_count < HELD_MAX);
    ASSERT(held_count == 0 || held_ranks[held_count - 1] < rank);
    held_ranks[held_count++] = rank;
}
static void rank_pop(int rank) {
    ASSERT(held_count > 0);
    int i = held_count - 1;
    while (i > 0 && held_ranks[i] != rank)
        i--;
    ASSERT(held_ranks[i] == rank);
    for (held_count--; i < held_count; i++)
        held_ranks[i] = held_ranks[i + 1];
}
#else
static void rank_push(int rank) { (void)rank; }
static void rank_pop(int rank) { (void)rank; }
#endif

void lock_init(struct lock *lock, enum lock_rank rank) {
    pthread_mutex_init(&lock->mutex, NULL);
    lock->rank = (int)rank;
}

void lock_init_short(struct lock *lock, enum lock_rank rank) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
#ifdef __GLIBC__
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(&lock->mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
    lock->rank = (int)rank;
}

void lock_fini(struct lock *lock) { pthread_mutex_destroy(&lock->mutex); }

void lock_acquire(struct lock *lock) {
    rank_push(lock->rank);
    int failed = pthread_mutex_lock(&lock->mutex);
    ASSERT(failed == 0);
    (void)failed;
}

void lock_release(struct lock *lock) {
    int rank = lock->rank; /* who waits for the lock may be about to free it */
    int failed = pthread_mutex_unlock(&lock->mutex);
    ASSERT(failed == 0);
    (void)failed;
    rank_pop(rank);
}

void shared_lock_init(struct shared_lock *lock, enum lock_rank rank) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
#ifdef __GLIBC__
    /* Without this a stream of readers would keep a reopen waiting for ever. */
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    pthread_rwlock_init(&lock->rwlock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    lock->rank = (int)rank;
}

void shared_lock_fini(struct shared_lock *lock) { pthread_rwlock_destroy(&lock->rwlock); }

void shared_lock_acquire_read(struct shared_lock *lock) {
    rank_push(lock->rank);
    int failed = pthread_rwlock_rdlock(&lock->rwlock);
    ASSERT(failed == 0);
    (void)failed;
}

void shared_lock_acquire_write(struct shared_lock *lock) {
    rank_push(lock->rank);
    int failed = pthread_rwlock_wrlock(&lock->rwlock);
    ASSERT(failed == 0);
    (void)failed;
}

void shared_lock_release(struct shared_lock *lock) {
    int failed = pthread_rwlock_unlock(&lock->rwlock);
    ASSERT(failed == 0);
    (void)failed;
    rank_pop(lock->rank);
}

void signal_init(struct signal *s) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&s->cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

void signal_fini(struct signal *s) { pthread_cond_destroy(&s->cond); }
void signal_one(struct signal *s) { pthread_cond_signal(&s->cond); }
void signal_all(struct signal *s) { pthread_cond_broadcast(&s->cond); }

bool signal_wait(struct signal *s, struct lock *lock, int64_t deadline_us) {
    if (deadline_us < 0) {
        pthread_cond_wait(&s->cond, &lock->mutex);
        return true;
    }
    struct timespec until = {.tv_sec = deadline_us / 1000000,
                             .tv_nsec = deadline_us % 1000000 * 1000};
    return pthread_cond_timedwait(&s->cond, &lock->mutex, &until) != ETIMEDOUT;
}

int thread_start(pthread_t *thread, void *(*run)(void *), void *argument, mneme_error *error) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    LOG(TRACE, OS, "thread started", LOG_BOOL("ok", failed == 0));
    if (!failed)
        return 0;
    LOG(ERROR, OS, "no thread could be started", LOG_ERROR_TYPE(status_from_errno(failed)));
    return error_set_errno(error, failed, "cannot start a thread");
}

/* Counted up in every child by the handler below. */
atomic_uint process_generation_count;
static pthread_once_t generation_once = PTHREAD_ONCE_INIT;

static void generation_in_child(void) {
    atomic_fetch_add_explicit(&process_generation_count, 1, memory_order_relaxed);
}

static void generation_register(void) { pthread_atfork(NULL, NULL, generation_in_child); }

unsigned process_generation(void) {
    pthread_once(&generation_once, generation_register);
    return process_generation_again();
}

void process_expect_fault(void) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        sigaddset(&set, faults[i]);
        (void)signal(faults[i], SIG_DFL);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

bool process_has_ended(long pid) { return pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH; }
