/*
 * cache_threads.c - threads that begin together.
 */
#include "bench/cache_threads.h"

#include "bench/measure.h"
#include "os/os.h"

struct start {
    struct lock lock; /* guards what follows */
    struct signal changed;
    unsigned ready;
    bool go, cancelled;
};

struct worker {
    struct start *start;
    thread_work *work;
    void *context;
    unsigned number;
    pthread_t thread;
    int status;
    mneme_error error;
};

/* Wait for the others; false when there will be no start. */
static bool wait_for_start(struct start *start) {
    AUTO_LOCK(held, &start->lock);
    start->ready++;
    signal_all(&start->changed);
    while (!start->go && !start->cancelled)
        (void)signal_wait(&start->changed, &start->lock, -1);
    return start->go;
}

static void *worker_run(void *argument) {
    struct worker *w = argument;
    if (wait_for_start(w->start))
        w->status = w->work(w->context, w->number, &w->error);
    return NULL;
}

/* The time of the start, taken before anybody runs, for then this thread may have to wait. */
static double start_all(struct start *start, unsigned count, bool cancelled) {
    AUTO_LOCK(held, &start->lock);
    while (!cancelled && start->ready < count)
        (void)signal_wait(&start->changed, &start->lock, -1);
    start->go = !cancelled;
    start->cancelled = cancelled;
    signal_all(&start->changed);
    return seconds_now();
}

static int run_workers(struct start *start, struct worker *workers, unsigned count, double *seconds,
                       mneme_error *error) {
    unsigned started = 0;
    int status = 0;
    while (started < count && status == 0) {
        status = thread_start(&workers[started].thread, worker_run, &workers[started], error);
        started += status == 0;
    }
    double begin = start_all(start, count, status != 0);
    for (unsigned i = 0; i < started; i++)
        pthread_join(workers[i].thread, NULL);
    *seconds = seconds_now() - begin;
    for (unsigned i = 0; i < started && status == 0; i++)
        if (workers[i].status)
            status = error_set(error, workers[i].status, "%s", workers[i].error.message);
    return status;
}

int threads_run(unsigned count, thread_work *work, void *context, double *seconds,
                mneme_error *error) {
    struct worker workers[BENCH_THREADS_MAX];
    struct start start = {0};
    ASSERT(count <= BENCH_THREADS_MAX);
    lock_init(&start.lock, RANK_LEAF);
    signal_init(&start.changed);
    for (unsigned i = 0; i < count; i++)
        workers[i] =
            (struct worker){.start = &start, .work = work, .context = context, .number = i};
    int status = run_workers(&start, workers, count, seconds, error);
    signal_fini(&start.changed);
    lock_fini(&start.lock);
    return status;
}
