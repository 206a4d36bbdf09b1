/*
 * html_impl.h - the parts of BENCHMARKS.html: the page, its tables, and what is drawn in them.
 *
 * Model. A plot is one SVG a row, as wide as its cell. Places across are percentages, so that a
 * page of any width keeps its text and its marks in their size; what has a shape is an inner SVG
 * that stands at such a place. All rows of a group share an axis, so that their lines meet.
 */
#ifndef MNEME_BENCH_HTML_IMPL_H
#define MNEME_BENCH_HTML_IMPL_H

#include "bench/summary.h"

/* The style of the page, which the build makes of html.css. */
extern const char html_style[];

/* Text between tags or in a quoted attribute. */
void html_text(struct buf *out, const char *text);

/* ---- html_axis.c: where a figure stands ---------------------------------------------------- */

/* From left to right on a logarithmic scale. */
struct axis {
    double low, high; /* log10 of the ends; both 0: there is nothing to draw */
    double factor;    /* how far from its median the strip of rounds goes; 0: no rounds */
};

/* The axis of rows that stand together. */
struct axis axis_of(const struct noted *items, size_t count);
static inline bool axis_exists(const struct axis *axis) { return axis->high > axis->low; }
/* Of a positive number; outside of the axis it is at the nearer end. */
double axis_percent(const struct axis *axis, double value);
/* Numbers for labels, at least one, rising. */
enum { AXIS_TICKS_MAX = 16 };
size_t axis_ticks(const struct axis *axis, double ticks[AXIS_TICKS_MAX]);

/* What a row is drawn at: its ratio, or where its goal is a figure by itself, its part of that.
 * False: it has neither. */
bool row_place(const struct row *row, double *place);
/* Its goal on the same scale; false: there is none. */
bool row_goal_place(const struct row *row, double *place);
/* The middle half of the rounds, value against reference; false: they do not vary. */
bool row_range(const struct row *row, double *low, double *high);
/* How many times better than asked; less than 1 where the goal is missed. */
bool row_margin(const struct row *row, double *margin);

/* ---- html_plot.c: what is drawn ------------------------------------------------------------- */

void plot_axis(struct buf *out, const struct axis *axis);
void plot_row(struct buf *out, const struct axis *axis, const struct row *row);
void plot_rounds(struct buf *out, const struct axis *axis, const struct row *row);
/* One row in words: what was measured, against what, and the goal. */
void plot_sentence(struct buf *out, const struct row *row);
/* The same with the verdict as a <title>, for who cannot see the plot and for who points at it. */
void plot_title(struct buf *out, const struct row *row);

/* ---- html_glance.c: all goals at a glance --------------------------------------------------- */

void html_glance(struct buf *out, const struct summary *summary);

/* ---- html_table.c: a bench ------------------------------------------------------------------ */

void html_bench(struct buf *out, const struct bench_result *bench, bool targets);
/* The anchor of a row. */
void html_row_id(struct buf *out, const struct bench_result *bench, size_t item);

#endif
