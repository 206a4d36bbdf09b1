/*
 * html_plot.c - a row's place between its goal and its reference, and how its rounds lie.
 *
 * Nothing is told by colour alone: what holds is a disc, what is missed a cross and a word, what
 * has no goal a ring; the side on which a goal holds is shaded, and a flag points to it.
 */
#include <math.h>

#include "bench/html_impl.h"

/* ---- Sentences ----------------------------------------------------------------------------- */

void plot_sentence(struct buf *out, const struct row *row) {
    char value[ROW_TEXT_SIZE], text[ROW_TEXT_SIZE];
    row_value_text(value, row);
    html_text(out, row->name);
    buf_append_string(out, ": ");
    html_text(out, value);
    if (row->reference) {
        row_reference_text(text, row);
        buf_printf(out, " against %s of ", text);
        html_text(out, row->reference);
        row_ratio_text(text, row);
        buf_printf(out, ", ratio %s", text);
    }
    if (row->goal.kind != GOAL_NONE) {
        row_goal_text(text, row);
        buf_append_string(out, "; goal ");
        html_text(out, text);
    }
}

void plot_title(struct buf *out, const struct row *row) {
    buf_append_string(out, "<title>");
    plot_sentence(out, row);
    if (row->goal.kind != GOAL_NONE)
        buf_printf(out, ": %s", row_verdict(row));
    buf_append_string(out, "</title>");
}

/* ---- Shapes -------------------------------------------------------------------------------- */

/* A line from top to bottom at `percent`. */
static void put_upright(struct buf *out, const char *name, double percent) {
    buf_printf(out, "<line class=\"%s\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"0\" y2=\"100%%\"/>", name,
               percent, percent);
}

/* A path around a point of the middle line, or of the top. */
static void put_shape(struct buf *out, const char *name, double percent, bool top,
                      const char *path) {
    buf_printf(out,
               "<svg x=\"%.2f%%\" y=\"%s\" overflow=\"visible\">"
               "<path class=\"%s\" d=\"%s\"/></svg>",
               percent, top ? "0" : "50%", name, path);
}

static void put_disc(struct buf *out, const char *name, double percent, int y_percent,
                     double radius) {
    buf_printf(out, "<circle class=\"%s\" cx=\"%.2f%%\" cy=\"%d%%\" r=\"%g\"/>", name, percent,
               y_percent, radius);
}

/* ---- The axis of a group ------------------------------------------------------------------- */

struct label {
    char text[32];
    double percent;
};

/* "0.1×", "30×", "100k×". */
static struct label label_of(const struct axis *axis, double tick) {
    struct label label = {.percent = axis_percent(axis, tick)};
    const char *unit = tick >= 1e6 ? "M" : tick >= 1e3 ? "k" : "";
    snprintf(label.text, sizeof label.text, "%g%s×",
             tick / (tick >= 1e6   ? 1e6
                     : tick >= 1e3 ? 1e3
                                   : 1),
             unit);
    return label;
}

/* Whether it stands clear of all labels, on an axis as narrow as the style makes it. */
static bool is_free(const struct label *labels, size_t count, const struct label *label) {
    const double character = 4; /* percent of that axis */
    for (size_t i = 0; i < count; i++) {
        double both = character * (double)(strlen(labels[i].text) + strlen(label->text)) / 2;
        if (fabs(labels[i].percent - label->percent) < both)
            return false;
    }
    return true;
}

static void put_label(struct buf *out, const struct label *label) {
    const char *anchor = label->percent < 8 ? "start" : label->percent > 92 ? "end" : "middle";
    buf_printf(out, "<text x=\"%.2f%%\" y=\"15\" text-anchor=\"%s\">%s</text>", label->percent,
               anchor, label->text);
}

/* That of 1 goes before all others. */
void plot_axis(struct buf *out, const struct axis *axis) {
    double ticks[AXIS_TICKS_MAX];
    struct label labels[AXIS_TICKS_MAX + 1] = {label_of(axis, 1)};
    size_t tick_count = axis_ticks(axis, ticks), count = 1;
    for (size_t i = 0; i < tick_count; i++) {
        labels[count] = label_of(axis, ticks[i]);
        count += is_free(labels, count, &labels[count]);
    }
    buf_append_string(out,
                      "<svg class=\"axis\" width=\"100%\" height=\"22\" aria-hidden=\"true\">");
    for (size_t i = 0; i < count; i++)
        put_label(out, &labels[i]);
    buf_append_string(out, "</svg>");
}

/* ---- A row --------------------------------------------------------------------------------- */

static void put_goal(struct buf *out, const struct axis *axis, const struct row *row) {
    double goal;
    if (!row_goal_place(row, &goal))
        return;
    bool at_least = row->goal.kind == GOAL_AT_LEAST;
    double percent = axis_percent(axis, goal);
    buf_printf(out, "<rect class=\"good\" x=\"%.2f%%\" y=\"0\" width=\"%.2f%%\" height=\"100%%\"/>",
               at_least ? percent : 0, at_least ? 100 - percent : percent);
    put_upright(out, "goal", percent);
    put_shape(out, "flag", percent, true, at_least ? "M0 1L7 5L0 9Z" : "M0 1L-7 5L0 9Z");
}

static void put_range(struct buf *out, const struct axis *axis, const struct row *row) {
    double low, high;
    if (!row_range(row, &low, &high))
        return;
    double from = axis_percent(axis, low), to = axis_percent(axis, high);
    buf_printf(out, "<line class=\"range\" x1=\"%.2f%%\" x2=\"%.2f%%\" y1=\"50%%\" y2=\"50%%\"/>",
               from, to);
    if (from > 0) /* what goes on beyond the axis has no end here */
        put_shape(out, "range", from, false, "M0 -4V4");
    if (to < 100)
        put_shape(out, "range", to, false, "M0 -4V4");
}

static void put_mark(struct buf *out, const struct axis *axis, const struct row *row,
                     double place) {
    bool has_goal = row->goal.kind != GOAL_NONE, missed = has_goal && !row_holds(row);
    const char *name = missed ? "mark missed" : has_goal ? "mark holds" : "mark bare";
    double percent = axis_percent(axis, place);
    if (!(place > 0))
        put_shape(out, name, 0, false, "M8 -5L2 0L8 5");
    else if (isinf(place))
        put_shape(out, name, 100, false, "M-8 -5L-2 0L-8 5");
    else if (missed)
        put_shape(out, name, percent, false, "M-5 -5L5 5M5 -5L-5 5");
    else
        put_disc(out, name, percent, 50, 5);
}

void plot_row(struct buf *out, const struct axis *axis, const struct row *row) {
    double place, ticks[AXIS_TICKS_MAX];
    if (!axis_exists(axis) || !row_place(row, &place))
        return;
    buf_append_string(out, "<svg class=\"plot\" role=\"img\">");
    plot_title(out, row);
    put_goal(out, axis, row);
    size_t count = axis_ticks(axis, ticks);
    for (size_t i = 0; i < count; i++)
        put_upright(out, "grid", axis_percent(axis, ticks[i]));
    put_upright(out, "one", axis_percent(axis, 1));
    put_range(out, axis, row);
    put_mark(out, axis, row, place);
    buf_append_string(out, "</svg>");
}

/* ---- Rounds -------------------------------------------------------------------------------- */

/* One lane: each round around the median of its own. */
static void put_lane(struct buf *out, const struct axis *axis, const struct measured *m,
                     const char *name, int y_percent) {
    const double reach = log10(axis->factor), inset = 4;
    const struct axis lane = {-reach, reach, 0};
    if (m->point_count < 2 || !(m->median > 0))
        return;
    for (unsigned i = 0; i < m->point_count; i++)
        put_disc(out, name,
                 inset + axis_percent(&lane, m->points[i] / m->median) * (100 - 2 * inset) / 100,
                 y_percent, 3);
}

void plot_rounds(struct buf *out, const struct axis *axis, const struct row *row) {
    char spread[ROW_TEXT_SIZE];
    if (axis->factor == 0 || row->value.point_count < 2)
        return;
    row_spread_text(spread, row);
    buf_append_string(out, "<svg class=\"plot\" role=\"img\"><title>");
    html_text(out, row->name);
    buf_printf(out, ": %u rounds around their median%s%s%s</title>", row->value.point_count,
               row->reference ? ", those of the reference below" : "",
               *spread ? "; middle half within " : "", spread);
    put_upright(out, "one", 50);
    put_lane(out, axis, &row->value, "round", row->reference ? 28 : 50);
    if (row->reference)
        put_lane(out, axis, &row->reference_value, "round other", 72);
    buf_append_string(out, "</svg>");
}
