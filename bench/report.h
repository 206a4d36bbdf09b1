/*
 * report.h - the table that a bench prints, or its JSON lines.
 */
#ifndef MNEME_BENCH_REPORT_H
#define MNEME_BENCH_REPORT_H

#include <stdio.h>

#include "bench/measure.h"

enum goal_kind { GOAL_NONE, GOAL_AT_LEAST, GOAL_AT_MOST };

/* What the ratio of a row should be, or, where a figure is asked for by itself, its value. */
struct goal {
    enum goal_kind kind;
    double bound;  /* of a value: in the row's unit */
    bool of_value; /* not of the ratio */
};
#define NO_GOAL ((struct goal){GOAL_NONE, 0, false})
#define AT_LEAST(bound) ((struct goal){GOAL_AT_LEAST, (bound), false})
#define AT_MOST(bound) ((struct goal){GOAL_AT_MOST, (bound), false})
#define VALUE_AT_LEAST(bound) ((struct goal){GOAL_AT_LEAST, (bound), true})
#define VALUE_AT_MOST(bound) ((struct goal){GOAL_AT_MOST, (bound), true})

/* One case. Names are short, so that the table fits in 100 columns; docs/bench.md explains each. */
struct row {
    const char *name;      /* at most 31 characters */
    const char *unit;      /* at most 5; of both values */
    const char *reference; /* at most 20; NULL: the row has none, and no ratio */
    struct measured value;
    struct measured reference_value;
    struct goal goal; /* of value / reference_value, or of the value */
};

/* value / reference_value; 0 where there is no reference, or one that is 0. */
double row_ratio(const struct row *row);
/* Whether the row, which has a goal, is within it. */
bool row_holds(const struct row *row);

struct report {
    const struct bench_options *options;
    FILE *out;
    char data[128]; /* what was measured on: "200 real episodes" */
    unsigned goals, missed;
    double spreads[256]; /* of the values; the footer tells how much they vary */
    size_t spread_count;
    double load; /* of the machine when the bench began */
    bool progress_shown;
    bool once; /* set by a bench without rounds: each row is of all that it did */
};

void report_begin(struct report *report, const struct bench_options *options);

/* A heading over the rows that follow; nothing in JSON. */
void report_heading(struct report *report, const char *text);

/* Print a row, at once. */
void report_row(struct report *report, const struct row *row);

/* What is going on, on a terminal's standard error, until the next row. */
void report_progress(struct report *report, const char *format, ...) PRINTF_LIKE(2, 3);

/* A number with its digits in groups of three: "1,000,000". */
enum { COUNT_TEXT_SIZE = 32 };
void format_count(char text[COUNT_TEXT_SIZE], size_t count);
/* A measured figure: three digits and more, of small ones two or fewer. Not negative. */
void format_value(char text[COUNT_TEXT_SIZE], double value);
/* "0.912", "24.1", "132". */
void format_ratio(char text[COUNT_TEXT_SIZE], double ratio);

/* What is below the table: goals missed, machine, data, rounds, spread. MNEME_IO: the output
 * could not be written. */
int report_end(struct report *report, const char *file_system, mneme_error *error);

#endif
