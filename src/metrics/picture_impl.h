/*
 * picture_impl.h - inside metrics: adding up copies of segments.
 */
#ifndef MNEME_METRICS_PICTURE_IMPL_H
#define MNEME_METRICS_PICTURE_IMPL_H

#include "metrics/segment.h"

/* What one operation, or one shape, of some segments adds up to. */
struct tally {
    bool any;
    struct window_tally {
        uint64_t buckets[HISTOGRAM_BUCKETS];
        uint64_t sum_ns, max_ns, errors, untimed;
    } windows[MNEME_WINDOW_COUNT];
    uint64_t codes[CODES];
};

void tally_clear(struct tally *tally);
/* Add a cell of a copy; `interval`: the current one. NULL is passed over. */
void tally_add(struct tally *tally, const struct segment_copy *copy, const struct cell *cell,
               uint64_t interval);
void tally_add_operation(struct tally *tally, const struct segment_copy *copy,
                         enum meter_operation operation, uint64_t interval);
/* Add all of another. */
void tally_join(struct tally *to, const struct tally *from);

/* As the public structs have it. `spans`: how long each window is, in seconds. MNEME_NO_MEMORY. */
int tally_operation(const struct tally *tally, enum meter_operation operation,
                    const double spans[MNEME_WINDOW_COUNT], struct arena *arena,
                    mneme_operation *out);
mneme_latency tally_latency(const struct window_tally *window);
uint64_t tally_count(const struct window_tally *window);

/* Some segments that are told of as one: a process's, or all. */
struct source {
    const struct segment_copy *const *copies;
    size_t count;
    const struct segment_copy *ended; /* of the total: those that are gone; else NULL */
};

/* Levels and shapes of a source, as the public structs have them. */
int source_levels(const struct source *source, struct arena *arena, mneme_process *out);
int source_shapes(const struct source *source, uint64_t interval, struct arena *arena,
                  mneme_process *out);
/* The slow operations of all copies, the latest first. */
int copies_slow(const struct segment_copy *copies, size_t count, struct arena *arena,
                mneme_metrics *out);

#endif
