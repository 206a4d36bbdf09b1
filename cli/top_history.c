/*
 * top_history.c - see top_history.h.
 */
#include "top_history.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct history_series {
    char key[64];
    size_t seen; /* the number of the latest sample that has a figure */
    struct {
        uint64_t count, p99_ns;
    } figures[HISTORY_SAMPLES];
};

/* ---- Series ---------------------------------------------------------------------------------- */

void history_fini(struct history *history) {
    for (size_t i = 0; i < history->count; i++)
        free(history->series[i]);
    free(history->series);
    *history = (struct history){.taken = 0};
}

static struct history_series *find(const struct history *history, const char *key) {
    for (size_t i = 0; i < history->count; i++)
        if (strcmp(history->series[i]->key, key) == 0)
            return history->series[i];
    return NULL;
}

/* NULL when there is no memory: then there is no sparkline. */
static struct history_series *add_series(struct history *history, const char *key) {
    if (history->count == history->capacity) {
        size_t capacity = history->capacity * 2 + 16;
        void *grown = realloc(history->series, capacity * sizeof(struct history_series *));
        if (grown == NULL)
            return NULL;
        history->series = grown;
        history->capacity = capacity;
    }
    struct history_series *series = calloc(1, sizeof *series);
    if (series == NULL)
        return NULL;
    snprintf(series->key, sizeof series->key, "%s", key);
    history->series[history->count++] = series;
    return series;
}

/* ---- Samples --------------------------------------------------------------------------------- */

/* The oldest sample that there still is. */
static size_t first_sample(const struct history *history) {
    return history->taken > HISTORY_SAMPLES ? history->taken - HISTORY_SAMPLES : 0;
}

static bool is_of_the_minute(const struct history *history, size_t sample) {
    double now_s = history->samples[(history->taken - 1) % HISTORY_SAMPLES].end_s;
    return sample >= first_sample(history) &&
           history->samples[sample % HISTORY_SAMPLES].end_s > now_s - HISTORY_SECONDS;
}

void history_begin(struct history *history, double begin_s, double end_s) {
    size_t slot = history->taken % HISTORY_SAMPLES;
    history->samples[slot].begin_s = begin_s;
    history->samples[slot].end_s = end_s;
    history->taken++;
    size_t kept = 0;
    for (size_t i = 0; i < history->count; i++) {
        struct history_series *series = history->series[i];
        series->figures[slot].count = series->figures[slot].p99_ns = 0;
        if (is_of_the_minute(history, series->seen))
            history->series[kept++] = series;
        else
            free(series);
    }
    history->count = kept;
}

void history_add(struct history *history, const char *key, uint64_t count, uint64_t p99_ns) {
    struct history_series *series = find(history, key);
    if (series == NULL)
        series = add_series(history, key);
    if (series == NULL || history->taken == 0)
        return;
    size_t sample = history->taken - 1;
    series->figures[sample % HISTORY_SAMPLES].count = count;
    series->figures[sample % HISTORY_SAMPLES].p99_ns = p99_ns;
    series->seen = sample;
}

/* ---- Figures --------------------------------------------------------------------------------- */

static double overlap(double begin_a, double end_a, double begin_b, double end_b) {
    double both = fmin(end_a, end_b) - fmax(begin_a, begin_b);
    return both > 0 ? both : 0;
}

/* What a series has between two times; seconds: how much of that time is known. */
static void sum_between(const struct history *history, const struct history_series *series,
                        double begin_s, double end_s, double *seconds, double *count, double *p99) {
    *seconds = *count = *p99 = 0;
    for (size_t i = first_sample(history); i < history->taken; i++) {
        size_t slot = i % HISTORY_SAMPLES;
        double length = history->samples[slot].end_s - history->samples[slot].begin_s;
        double part =
            overlap(begin_s, end_s, history->samples[slot].begin_s, history->samples[slot].end_s);
        if (part <= 0 || length <= 0)
            continue;
        *seconds += part;
        if (series == NULL)
            continue;
        *count += (double)series->figures[slot].count * part / length;
        *p99 = fmax(*p99, (double)series->figures[slot].p99_ns);
    }
}

static double latest_end(const struct history *history) {
    return history->taken > 0 ? history->samples[(history->taken - 1) % HISTORY_SAMPLES].end_s : 0;
}

double history_rate(const struct history *history, const char *key) {
    double seconds, count, p99, end_s = latest_end(history);
    sum_between(history, find(history, key), end_s - HISTORY_SECONDS, end_s, &seconds, &count,
                &p99);
    return seconds > 0 ? count / seconds : 0;
}

void history_cells(const struct history *history, const char *key, enum history_figure figure,
                   double *cells, size_t count) {
    const struct history_series *series = find(history, key);
    double length = (double)HISTORY_SECONDS / (double)(count > 0 ? count : 1);
    double last = ceil(latest_end(history) / length);
    for (size_t i = 0; i < count; i++) {
        double begin_s = (last - (double)(count - i)) * length;
        double seconds, sum, p99;
        sum_between(history, series, begin_s, begin_s + length, &seconds, &sum, &p99);
        if (seconds <= 0)
            cells[i] = HISTORY_UNKNOWN;
        else
            cells[i] = figure == HISTORY_RATE ? sum / seconds : p99;
    }
}
