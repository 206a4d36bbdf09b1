/*
 * notes.h - what a bench reported, kept for those who write it down again.
 *
 * Model. `mneme bench report` runs every bench in a process of its own. Besides printing its table,
 * the report of that process writes notes to a file, and the first process reads them back. Both
 * are the same program, so a note is the bytes of its struct and its texts.
 * Ownership. What is read lives in the arena given.
 */
#ifndef MNEME_BENCH_NOTES_H
#define MNEME_BENCH_NOTES_H

#include "bench/report.h"

/* All of these do nothing where `notes` is NULL. A failed write shows when they are read. */
void note_heading(FILE *notes, const char *text);
void note_row(FILE *notes, const struct row *row);
void note_footer(FILE *notes, const char *data, const char *file_system, double load);
/* How the bench ended: 0, or a status and its sentence. */
void note_end(FILE *notes, int status, const char *message);

/* A heading, or a row. */
struct noted {
    const char *heading; /* NULL: it is a row */
    struct row row;
};

/* All that a bench reported. */
struct noted_bench {
    const struct noted *items;
    size_t count;
    const char *data;        /* what was measured on; NULL: the table has no footer */
    const char *file_system; /* of the stores; NULL as above */
    double load;             /* of the machine when it began */
    bool ended;              /* it came to its end, well or not */
    int status;
    const char *message; /* why it failed; "" if it did not */
};

/* Read all notes; what was cut off at the end is passed over, and `ended` is false then.
 * MNEME_NO_MEMORY. */
int notes_read(struct slice bytes, struct arena *arena, struct noted_bench *out,
               mneme_error *error);

#endif
