/*
 * html_glance.c - all goals at a glance: a strip a bench, on which each goal stands where it was
 * met: left of the line those that are missed, on the right how many times better than asked.
 */
#include <math.h>
#include <stdlib.h>

#include "bench/html_impl.h"

enum { LANES = 4, LANE_HEIGHT = 11, STRIP_HEIGHT = LANES * LANE_HEIGHT + 4, GOALS_MAX = 512 };

/* Up to `most` the strip is a scale; beyond, goals only stand in rows. */
static const double most = 10, scale_percent = 80, apart_percent = 1.7;

struct goal_mark {
    double margin;
    size_t item;
    bool missed;
};

/* By margin; what is equal in the order of the bench, so that a page is always the same. */
static int compare_marks(const void *a, const void *b) {
    const struct goal_mark *x = a, *y = b;
    if (x->margin < y->margin || x->margin > y->margin)
        return x->margin < y->margin ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static size_t marks_of(const struct bench_result *bench, struct goal_mark marks[GOALS_MAX]) {
    size_t count = 0;
    for (size_t i = 0; i < bench->noted.count && count < GOALS_MAX; i++) {
        const struct row *row = &bench->noted.items[i].row;
        double margin;
        if (!bench->noted.items[i].heading && row_margin(row, &margin))
            marks[count++] = (struct goal_mark){margin, i, !row_holds(row)};
    }
    qsort(marks, count, sizeof *marks, compare_marks);
    return count;
}

/* The scale that all strips share: down to what is missed the most, and never less than half. */
static struct axis shared_axis(const struct summary *summary) {
    double least = 0.5;
    for (size_t i = 0; i < summary->count; i++) {
        struct goal_mark marks[GOALS_MAX];
        if (marks_of(&summary->benches[i], marks) && marks[0].margin > 0)
            least = fmin(least, marks[0].margin);
    }
    return (struct axis){log10(fmax(least, 0.05)) - 0.06, log10(most), 0};
}

static double scaled(const struct axis *axis, double value) {
    return axis_percent(axis, value) * scale_percent / 100;
}

/* ---- A strip ------------------------------------------------------------------------------- */

static void put_mark(struct buf *out, const struct bench_result *bench,
                     const struct goal_mark *mark, double percent, size_t lane) {
    double y = 2 + LANE_HEIGHT * ((double)lane + 0.5);
    buf_append_string(out, "<a href=\"#");
    html_row_id(out, bench, mark->item);
    buf_append_string(out, "\">");
    plot_title(out, &bench->noted.items[mark->item].row);
    if (mark->missed)
        buf_printf(out,
                   "<svg x=\"%.2f%%\" y=\"%g\" overflow=\"visible\"><path class=\"mark missed\" "
                   "d=\"M-4 -4L4 4M4 -4L-4 4\"/></svg>",
                   percent, y);
    else
        buf_printf(out, "<circle class=\"mark holds\" cx=\"%.2f%%\" cy=\"%g\" r=\"4\"/>", percent,
                   y);
    buf_append_string(out, "</a>");
}

/* Marks that would lie upon each other go to lanes of their own, from the middle outwards. */
static void put_marks(struct buf *out, const struct axis *axis, const struct bench_result *bench,
                      const struct goal_mark *marks, size_t count) {
    static const size_t order[LANES] = {1, 2, 0, 3};
    double last[LANES] = {-100, -100, -100, -100};
    size_t beyond = 0;
    for (size_t i = 0; i < count; i++) {
        if (marks[i].margin > most) {
            put_mark(out, bench, &marks[i],
                     scale_percent + 2.5 + apart_percent * (double)(beyond / LANES),
                     order[beyond % LANES]);
            beyond++;
            continue;
        }
        double percent = scaled(axis, marks[i].margin);
        size_t lane = 0;
        for (size_t at = 0; at < LANES; at++) {
            if (percent - last[order[at]] >= apart_percent) {
                lane = order[at];
                break;
            }
            if (last[order[at]] < last[lane])
                lane = order[at];
        }
        last[lane] = percent;
        put_mark(out, bench, &marks[i], percent, lane);
    }
}

static void put_strip(struct buf *out, const struct axis *axis, const struct bench_result *bench) {
    struct goal_mark marks[GOALS_MAX];
    size_t count = marks_of(bench, marks);
    struct goal_count goals = bench_goals(bench);
    if (!goals.goals)
        return;
    buf_printf(out,
               "<div class=\"strip\"><a class=\"name\" href=\"#%s\">%s</a>"
               "<svg width=\"100%%\" height=\"%d\" role=\"group\" aria-label=\"%s: %zu of %zu "
               "goals hold\">",
               bench->name, bench->name, STRIP_HEIGHT, bench->name, goals.goals - goals.missed,
               goals.goals);
    buf_printf(out,
               "<rect class=\"bad\" x=\"0\" y=\"0\" width=\"%.2f%%\" height=\"%d\"/>"
               "<line class=\"goal\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"%d\"/>",
               scaled(axis, 1), STRIP_HEIGHT, scaled(axis, 1), scaled(axis, 1), STRIP_HEIGHT);
    put_marks(out, axis, bench, marks, count);
    buf_printf(out, "</svg><span class=\"count%s\">%zu of %zu</span></div>\n",
               goals.missed ? "" : " all", goals.goals - goals.missed, goals.goals);
}

static void put_scale(struct buf *out, const struct axis *axis) {
    static const double ticks[] = {0.1, 0.5, 1, 2, 5};
    buf_append_string(out, "<div class=\"strip scale\"><span></span><svg width=\"100%\" "
                           "height=\"22\" aria-hidden=\"true\">");
    for (size_t i = 0; i < COUNT_OF(ticks); i++)
        if (log10(ticks[i]) > axis->low)
            buf_printf(out, "<text x=\"%.2f%%\" y=\"15\" text-anchor=\"middle\">%s%g×</text>",
                       scaled(axis, ticks[i]), ticks[i] == 1.0 ? "goal " : "", ticks[i]);
    buf_printf(out, "<text x=\"%.2f%%\" y=\"15\">over %g×</text></svg><span></span></div>\n",
               scale_percent + 1.5, most);
}

void html_glance(struct buf *out, const struct summary *summary) {
    struct axis axis = shared_axis(summary);
    buf_append_string(out, "<div class=\"glance\">\n");
    put_scale(out, &axis);
    for (size_t i = 0; i < summary->count; i++)
        put_strip(out, &axis, &summary->benches[i]);
    buf_append_string(out, "</div>\n");
}
