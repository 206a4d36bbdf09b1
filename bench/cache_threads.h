/*
 * cache_threads.h - the same work in several threads at once, timed.
 */
#ifndef MNEME_BENCH_CACHE_THREADS_H
#define MNEME_BENCH_CACHE_THREADS_H

#include "base/base.h"

enum { BENCH_THREADS_MAX = 16 };

/* What a thread does; `number` (0, 1, …) says which of them it is. */
typedef int thread_work(void *context, unsigned number, mneme_error *error);

/*
 * Run `count` threads, which begin together. *seconds is from then until the last one has ended.
 * The first failure of any comes back.
 */
int threads_run(unsigned count, thread_work *work, void *context, double *seconds,
                mneme_error *error);

#endif
