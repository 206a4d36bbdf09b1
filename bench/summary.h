/*
 * summary.h - all that the benches reported in one run of `mneme bench report`, and the two
 * documents that are made of it.
 */
#ifndef MNEME_BENCH_SUMMARY_H
#define MNEME_BENCH_SUMMARY_H

#include "bench/facts.h"
#include "bench/notes.h"

/* One bench that was run. */
struct bench_result {
    const char *name, *about;
    struct noted_bench noted;
    double seconds; /* that it took */
};

struct summary {
    const struct bench_options *options;
    struct facts facts;
    char date[32];       /* "2025-01-31 12:00 UTC" */
    const char *command; /* that prints it all again */
    struct bench_result *benches;
    size_t count;
};

/* How many rows have a goal, and in how many of them it is missed. */
struct goal_count {
    size_t goals, missed;
};
struct goal_count summary_goals(const struct summary *summary);
struct goal_count bench_goals(const struct bench_result *bench);
/* How many benches failed. */
size_t summary_failures(const struct summary *summary);
/* Of how many rows. */
size_t summary_rows(const struct summary *summary);
/* The bench of the plan's targets, which comes first in both documents; NULL: it was not run. */
const struct bench_result *summary_targets(const struct summary *summary);

/*
 * What a reader must know before any figure, number `index` of it; NULL: there is no more. E.g.
 * that sizes were too small, or that a bench failed.
 */
enum { WARNING_SIZE = 1400 };
const char *summary_warning(const struct summary *summary, size_t index, char text[WARNING_SIZE]);

/* ---- Texts of a row, the same in both documents; not escaped ------------------------------- */

enum { ROW_TEXT_SIZE = 96 };
/* "1,234 rec/s"; of a reference without its unit; "" without a reference. */
void row_value_text(char text[ROW_TEXT_SIZE], const struct row *row);
void row_reference_text(char text[ROW_TEXT_SIZE], const struct row *row);
/* "24.1×"; "" without a reference. */
void row_ratio_text(char text[ROW_TEXT_SIZE], const struct row *row);
/* "≥ 0.85×", "≤ 40 ns"; "" without a goal. */
void row_goal_text(char text[ROW_TEXT_SIZE], const struct row *row);
/* "±1.2 %"; "±1.2 %, ±104 %" with a reference that varies too; "" of what was counted once. */
void row_spread_text(char text[ROW_TEXT_SIZE], const struct row *row);
/* "holds", "MISSED", or "" without a goal. */
const char *row_verdict(const struct row *row);

/* Bytes of text as people may have made them: what is no UTF-8 and what controls a terminal
 * becomes U+FFFD, white space a blank; then `put` writes each character, escaped. */
typedef void put_character(struct buf *out, const char *character, size_t size);
void text_put(struct buf *out, const char *text, put_character *put);

/* ---- The documents ------------------------------------------------------------------------- */

/* BENCHMARKS.md, and BENCHMARKS.html: a page in one file. out->status tells of no memory. */
void summary_to_markdown(const struct summary *summary, struct buf *out);
void summary_to_html(const struct summary *summary, struct buf *out);

#endif
