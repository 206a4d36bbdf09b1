/*
 * top_figures.h - what two pictures of the metrics say of the time between them.
 *
 * Figures are of the others: what the process that looks did itself is subtracted, wherever counts
 * allow that. They do but for the latencies of the windows minute and hour, which come from the
 * recorder as they are; of the operations that looking needs (stats of a store), these have both.
 * A count that went down, as processes ended and took their figures along, counts as 0.
 */
#ifndef MNEME_CLI_TOP_FIGURES_H
#define MNEME_CLI_TOP_FIGURES_H

#include "mneme/mneme.h"
#include "pool.h"

/*
 * Two pictures and the time between; `before` NULL: there is only one, and no rates. Processes tell
 * their levels from time to time only, so the growth of a level is reckoned from a picture that is
 * some seconds older; `earlier` may be `before`.
 */
struct pictures {
    const mneme_metrics *before, *now, *earlier;
    double seconds, earlier_seconds;
};

enum top_window { TOP_NOW, TOP_MINUTE, TOP_HOUR, TOP_WINDOWS };

struct top_operation {
    const char *layer, *name; /* the picture's */
    const char *key;          /* "api.put": in the history */
    double rate;              /* a second, in the window */
    uint64_t count;           /* in the window */
    uint64_t errors;          /* of the last minute; of the hour in the window hour */
    uint64_t timed;           /* how many the percentiles are of; 0: these are 0 */
    uint64_t p50_ns, p99_ns, max_ns;
};

/* Of all operations that somebody else has done, in the order of the picture; `*count` of them. */
struct top_operation *figures_operations(const struct pictures *pictures, enum top_window window,
                                         struct pool *pool, size_t *count);

/* Calls of the library, operations of the layer "api", that a process made since the picture
 * before, and how many of its calls of the last minute failed. */
uint64_t figures_calls(const struct pictures *pictures, const mneme_process *process);
uint64_t figures_call_errors(const mneme_process *process);
/* The calls of all others, of those that have ended, too. */
uint64_t figures_calls_of_others(const struct pictures *pictures);

/* Whether another process, or anyone, tells a level of that name. */
bool figures_has(const struct pictures *pictures, const char *name);
bool figures_has_store(const struct pictures *pictures, const char *name);
/* A level that is of the store as such. label "": of no label. */
double figures_of_store(const struct pictures *pictures, const char *name, const char *unit);
/* A level that each process has for itself: the sum of the others. */
double figures_of_others(const struct pictures *pictures, const char *name, const char *unit,
                         const char *label);
/* The level of one process. */
double figures_of_process(const mneme_process *process, const char *name, const char *unit,
                          const char *label);
/* How fast such a sum, or a level of the store, grows a second; and by how much since then. */
double figures_growth_of_others(const struct pictures *pictures, const char *name, const char *unit,
                                const char *label);
double figures_growth_of_store(const struct pictures *pictures, const char *name, const char *unit);

/* The process that looks; NULL: it does not measure. */
const mneme_process *figures_self(const mneme_metrics *picture);

#endif
