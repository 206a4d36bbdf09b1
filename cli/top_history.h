/*
 * top_history.h - the figures of the last minute, sample by sample, for sparklines.
 *
 * A sample is what happened between two pictures. A series is one figure of each sample, for
 * whatever a key names: "api.put", "pid 4711". Series that have had no figure for a minute go.
 */
#ifndef MNEME_CLI_TOP_HISTORY_H
#define MNEME_CLI_TOP_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTORY_SAMPLES = 640, HISTORY_SECONDS = 60 }; /* a minute of the shortest intervals */

struct history_series;
struct history {
    struct {
        double begin_s, end_s;
    } samples[HISTORY_SAMPLES]; /* a ring */
    size_t taken;               /* samples; the latest is number taken - 1 */
    struct history_series **series;
    size_t count, capacity;
};

void history_fini(struct history *history);

/* Begin a sample that reaches from then to now; history_add gives the figures of it. */
void history_begin(struct history *history, double begin_s, double end_s);
/* How many there were, and the 99th percentile of how long they took; 0: none was timed. */
void history_add(struct history *history, const char *key, uint64_t count, uint64_t p99_ns);

/* How many there were a second in all of the minute, as far as it is known. */
double history_rate(const struct history *history, const char *key);

enum history_figure { HISTORY_RATE, HISTORY_P99 };
/* The last minute in `count` cells of the same length, the latest last: rates a second, or the
 * greatest percentile. HISTORY_UNKNOWN where there was no sample. Cells begin at fixed times, so
 * that what has been drawn moves on but does not change. */
#define HISTORY_UNKNOWN (-1.0)
void history_cells(const struct history *history, const char *key, enum history_figure figure,
                   double *cells, size_t count);

#endif
