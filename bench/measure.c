/*
 * measure.c - interleaved rounds, medians, and the clock.
 */
#include "bench/measure.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
}

void interrupt_catch(void) {
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

int interrupt_check(mneme_error *error) {
    return interrupted ? error_set(error, MNEME_CANCELLED, "interrupted") : 0;
}

double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int proc_number(const char *path, const char *name, uint64_t *out, mneme_error *error) {
    char line[128];
    size_t size = strlen(name);
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof line, file)) {
        found = strncmp(line, name, size) == 0 && line[size] == ':';
        if (found)
            *out = strtoull(line + size + 1, NULL, 10);
    }
    if (file)
        fclose(file);
    return found ? 0 : error_set_errno(error, file ? ENOENT : errno, "%s of %s", name, path);
}

static int compare_doubles(const void *a, const void *b) {
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

struct measured measured_of(double *values, size_t count) {
    if (count == 0)
        return (struct measured){.median = 0};
    qsort(values, count, sizeof *values, compare_doubles);
    double median = (values[(count - 1) / 2] + values[count / 2]) / 2;
    double range = values[count - 1 - count / 4] - values[count / 4];
    struct measured result = {.median = median, .spread = median > 0 ? range / 2 / median : 0};
    result.point_count = (unsigned)size_min(count, BENCH_ROUNDS_MAX);
    for (size_t i = 0; i < result.point_count; i++)
        result.points[i] = values[(2 * i + 1) * count / (2 * result.point_count)];
    return result;
}

static int run_round(const struct contestant *contestants, size_t count, double *values,
                     mneme_error *error) {
    for (size_t i = 0; i < count; i++) {
        TRY(interrupt_check(error));
        TRY(contestants[i].run(contestants[i].context, &values[i], error));
    }
    return 0;
}

int measure(const struct bench_options *options, const struct contestant *contestants, size_t count,
            struct measured *results, mneme_error *error) {
    double values[CONTESTANTS_MAX][BENCH_ROUNDS_MAX], round[CONTESTANTS_MAX];
    ASSERT(count <= CONTESTANTS_MAX && options->rounds <= BENCH_ROUNDS_MAX);
    TRY(run_round(contestants, count, round, error)); /* not counted */
    for (size_t r = 0; r < options->rounds; r++) {
        TRY(run_round(contestants, count, round, error));
        for (size_t i = 0; i < count; i++)
            values[i][r] = round[i];
    }
    for (size_t i = 0; i < count; i++)
        results[i] = measured_of(values[i], options->rounds);
    return 0;
}
