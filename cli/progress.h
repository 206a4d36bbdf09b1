/*
 * progress.h - the line that shows on a terminal how far a long command is.
 *
 * It appears on standard error when that is a terminal and the command has run for half a
 * second, and is redrawn in place.
 */
#ifndef MNEME_CLI_PROGRESS_H
#define MNEME_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool enabled;
    bool drawn;         /* the line is on the screen now */
    uint64_t begin_ms;  /* of the work; monotonic */
    uint64_t redraw_ms; /* not before */
};

void progress_begin(struct progress *progress, bool quiet);
/* The work proper begins: rate and time left count from here. */
void progress_begin_work(struct progress *progress);
/* Draw the line anew, at most about ten times a second. */
void progress_update(struct progress *progress, uint64_t bytes_done, uint64_t bytes_total,
                     uint64_t records);
/* The same for work that is counted in records. */
void progress_update_records(struct progress *progress, uint64_t done, uint64_t total);
/* Take the line off the screen, before other text or at the end. */
void progress_clear(struct progress *progress);

/* Milliseconds since the work began. */
uint64_t progress_elapsed_ms(const struct progress *progress);

#endif
