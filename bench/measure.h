/*
 * measure.h - running contestants in turn and taking medians.
 *
 * Model. What is compared is run in interleaved rounds, A B C A B C …, after one round that is
 * not counted, so that a disk or a processor that changes its speed changes it for all. A value is
 * in the unit of the row it becomes: a rate, a time, a number of bytes.
 */
#ifndef MNEME_BENCH_MEASURE_H
#define MNEME_BENCH_MEASURE_H

#include "bench/options.h"

enum { CONTESTANTS_MAX = 4 };

/* One run: do it, and tell its value. */
typedef int contestant_run(void *context, double *value, mneme_error *error);

struct contestant {
    contestant_run *run;
    void *context;
};

struct measured {
    double median;
    double spread; /* half the range of the middle half of the rounds, as a part of the median */
    unsigned point_count;
    double points[BENCH_ROUNDS_MAX]; /* what the rounds gave, in rising order, to be drawn; of more
                                        than there is room for every so many-th */
};

/* Run all in turn; results[i] is of contestants[i]. MNEME_CANCELLED: the user interrupted. */
int measure(const struct bench_options *options, const struct contestant *contestants, size_t count,
            struct measured *results, mneme_error *error);

/* The same figures of values that were gathered otherwise; sorts them. */
struct measured measured_of(double *values, size_t count);

/* Seconds of a clock that never goes back. */
double seconds_now(void);

/* The number behind "name:" in a file of /proc. MNEME_IO. */
int proc_number(const char *path, const char *name, uint64_t *out, mneme_error *error);

/* From here on Ctrl-C and a request to end only set a flag, so that stores are cleaned up.
 * MNEME_CANCELLED once it is set; loops that take long ask. */
void interrupt_catch(void);
int interrupt_check(mneme_error *error);

#endif
