/*
 * html_table.c - the table of a bench, a body for each group of rows. Its cells say what they are
 * (role), because the style lays them out anew on narrow screens.
 */
#include "bench/html_impl.h"

void html_row_id(struct buf *out, const struct bench_result *bench, size_t item) {
    buf_printf(out, "%s-%zu", bench->name, item + 1);
}

static void put_cell(struct buf *out, const char *name, const char *text) {
    buf_printf(out, "<td role=\"cell\" class=\"%s\">", name);
    html_text(out, text);
    buf_append_string(out, "</td>");
}

/* ---- A row --------------------------------------------------------------------------------- */

static void put_goal(struct buf *out, const struct row *row, bool target) {
    char text[ROW_TEXT_SIZE];
    row_goal_text(text, row);
    buf_append_string(out, "<td role=\"cell\" class=\"goal\">");
    if (row->goal.kind != GOAL_NONE) {
        bool holds = row_holds(row);
        buf_append_string(out, "<span class=\"asked\">");
        html_text(out, text);
        buf_printf(out, "</span> <span class=\"verdict %s\">%s</span>", holds ? "holds" : "missed",
                   !holds   ? "✕ MISSED"
                   : target ? "✓ reached"
                            : "✓ holds");
    }
    buf_append_string(out, "</td>");
}

static void put_figures(struct buf *out, const struct row *row) {
    char text[ROW_TEXT_SIZE];
    row_ratio_text(text, row);
    buf_printf(out, "<td role=\"cell\" class=\"ratio\">%s</td>", text);
    row_value_text(text, row);
    put_cell(out, "value", text);
    buf_append_string(out, "<td role=\"cell\" class=\"reference\">");
    if (row->reference) {
        row_reference_text(text, row);
        buf_printf(out, "<span class=\"number\">%s</span> <span class=\"name\">", text);
        html_text(out, row->reference);
        buf_append_string(out, "</span>");
    }
    buf_append_string(out, "</td>");
}

static void put_row(struct buf *out, const struct bench_result *bench, size_t item,
                    const struct axis *axis, bool target) {
    const struct row *row = &bench->noted.items[item].row;
    char spread[ROW_TEXT_SIZE];
    buf_append_string(out, "<tr role=\"row\" class=\"figure\" id=\"");
    html_row_id(out, bench, item);
    buf_append_string(out, "\"><th role=\"rowheader\" scope=\"row\" class=\"case\">");
    html_text(out, row->name);
    buf_append_string(out, "</th><td role=\"cell\" class=\"track\">");
    plot_row(out, axis, row);
    buf_append_string(out, "</td>");
    put_goal(out, row, target);
    put_figures(out, row);
    buf_append_string(out, "<td role=\"cell\" class=\"rounds\">");
    plot_rounds(out, axis, row);
    row_spread_text(spread, row);
    buf_printf(out, "<span class=\"spread\">%s</span></td></tr>\n", spread);
}

/* ---- Groups -------------------------------------------------------------------------------- */

static void put_group_head(struct buf *out, const char *heading, const struct axis *axis) {
    buf_append_string(out, "<tr role=\"row\" class=\"group\"><th role=\"rowheader\" "
                           "scope=\"rowgroup\" class=\"heading\">");
    html_text(out, heading);
    buf_append_string(out, "</th><td role=\"cell\" class=\"track\">");
    if (axis_exists(axis))
        plot_axis(out, axis);
    buf_append_string(out, "</td><td role=\"cell\" class=\"rounds\">");
    if (axis->factor > 0)
        buf_printf(out, "÷%.3g … ×%.3g", axis->factor, axis->factor);
    buf_append_string(out, "</td></tr>\n");
}

/* The group that begins with this item: its heading, if it has one, and all rows up to the next.
 * Returns what comes after it. */
static size_t put_group(struct buf *out, const struct bench_result *bench, size_t first,
                        bool targets) {
    const struct noted *items = bench->noted.items;
    const char *heading = items[first].heading;
    size_t begin = first + (heading != NULL), end = begin;
    while (end < bench->noted.count && !items[end].heading)
        end++;
    struct axis axis = axis_of(items + begin, end - begin);
    buf_append_string(out, "<tbody role=\"rowgroup\">\n");
    put_group_head(out, heading ? heading : "", &axis);
    for (size_t i = begin; i < end; i++)
        put_row(out, bench, i, &axis, targets);
    buf_append_string(out, "</tbody>\n");
    return end;
}

static void put_table(struct buf *out, const struct bench_result *bench, bool targets) {
    buf_printf(out, "<table role=\"table\" class=\"bench%s\">\n", targets ? " targets" : "");
    buf_append_string(out, "<caption>");
    html_text(out, bench->about);
    buf_append_string(out, "</caption>\n<thead role=\"rowgroup\"><tr role=\"row\" class=\"head\">");
    const char *const columns[][2] = {
        {"case", targets ? "target" : "case"},
        {"track", targets ? "ratio, or part of what was asked" : "ratio to the reference"},
        {"goal", targets ? "asked" : "goal"},
        {"ratio", "ratio"},
        {"value", "measured"},
        {"reference", "reference"},
        {"rounds", "rounds"}};
    for (size_t i = 0; i < COUNT_OF(columns); i++)
        buf_printf(out, "<th role=\"columnheader\" scope=\"col\" class=\"%s\">%s</th>",
                   columns[i][0], columns[i][1]);
    buf_append_string(out, "</tr></thead>\n");
    for (size_t i = 0; i < bench->noted.count;)
        i = put_group(out, bench, i, targets);
    buf_append_string(out, "</table>\n");
}

static void put_foot(struct buf *out, const struct bench_result *bench) {
    buf_append_string(out, "<p class=\"foot\">");
    if (bench->noted.data) {
        buf_append_string(out, "Data: ");
        html_text(out, bench->noted.data);
        buf_append_string(out, ". File system: ");
        html_text(out, bench->noted.file_system);
        buf_printf(out, ". Load before: %.1f. ", bench->noted.load);
    }
    buf_printf(out, "It took %.0f s.</p>\n", bench->seconds);
}

void html_bench(struct buf *out, const struct bench_result *bench, bool targets) {
    struct goal_count goals = bench_goals(bench);
    buf_printf(out, "<section id=\"%s\">\n<h2>%s</h2>\n<p class=\"lead\">", bench->name,
               targets ? "Targets" : bench->name);
    html_text(out, bench->about);
    buf_append_string(out, ". ");
    if (goals.goals)
        buf_printf(out, "<strong>%zu of %zu goals %s.</strong> ", goals.goals - goals.missed,
                   goals.goals, targets ? "reached" : "hold");
    buf_printf(out, "<code>mneme bench %s</code></p>\n", bench->name);
    if (bench->noted.status) {
        buf_append_string(out, "<p class=\"warning\"><strong>Failed:</strong> ");
        html_text(out, bench->noted.message);
        buf_append_string(out, "</p>\n");
    }
    if (bench->noted.count)
        put_table(out, bench, targets);
    put_foot(out, bench);
    buf_append_string(out, "</section>\n");
}
