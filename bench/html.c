/*
 * html.c - BENCHMARKS.html: one file, that needs no network and no script, and is well-formed XML.
 */
#include "bench/html_impl.h"

static void put_escaped(struct buf *out, const char *character, size_t size) {
    if (size == 1 && *character == '<')
        buf_append_string(out, "&lt;");
    else if (size == 1 && *character == '>')
        buf_append_string(out, "&gt;");
    else if (size == 1 && *character == '&')
        buf_append_string(out, "&amp;");
    else if (size == 1 && *character == '"')
        buf_append_string(out, "&quot;");
    else
        buf_append(out, character, size);
}

void html_text(struct buf *out, const char *text) { text_put(out, text, put_escaped); }

/* ---- Head ---------------------------------------------------------------------------------- */

static void put_start(const struct summary *summary, struct buf *out) {
    buf_append_string(out,
                      "<!DOCTYPE html>\n"
                      "<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n"
                      "<meta charset=\"utf-8\"/>\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
                      "<title>mneme benchmarks, ");
    html_text(out, summary->date);
    buf_append_string(out, "</title>\n<style>\n");
    buf_append_string(out, html_style);
    buf_append_string(out, "</style>\n</head>\n<body>\n<header>\n<h1>mneme benchmarks</h1>\n<p>");
    html_text(out, summary->date);
    for (size_t i = 0; i < size_min(summary->facts.count, 2); i++) {
        buf_append_string(out, " · ");
        html_text(out, summary->facts.items[i].name);
        buf_append_byte(out, ' ');
        html_text(out, summary->facts.items[i].text);
    }
    buf_append_string(out, "</p>\n");
}

static void put_link(struct buf *out, const char *to, const char *text, size_t missed) {
    buf_printf(out, "<li><a href=\"#%s\">%s", to, text);
    if (missed)
        buf_printf(out, " <span class=\"missed\">%zu missed</span>", missed);
    buf_append_string(out, "</a></li>\n");
}

static void put_contents(const struct summary *summary, struct buf *out) {
    const struct bench_result *targets = summary_targets(summary);
    buf_append_string(out, "<nav aria-label=\"Contents\"><ul>\n");
    put_link(out, "machine", "Machine", 0);
    put_link(out, "goals", "Goals", 0);
    if (targets)
        put_link(out, targets->name, "Targets", bench_goals(targets).missed);
    for (size_t i = 0; i < summary->count; i++)
        if (&summary->benches[i] != targets)
            put_link(out, summary->benches[i].name, summary->benches[i].name,
                     bench_goals(&summary->benches[i]).missed);
    put_link(out, "reading", "How to read this", 0);
    buf_append_string(out, "</ul></nav>\n</header>\n<main>\n");
}

/* ---- Tiles --------------------------------------------------------------------------------- */

/* "86 of 92" over what it counts, with a bar where it is a part of something. */
static void put_tile(struct buf *out, size_t part, size_t whole, const char *what) {
    double percent = whole ? 100.0 * (double)part / (double)whole : 0;
    buf_printf(out,
               "<div class=\"tile\"><p class=\"big\">%zu <small>of %zu</small></p><p>%s</p>"
               "<svg width=\"100%%\" height=\"6\" aria-hidden=\"true\">"
               "<rect class=\"rest\" width=\"100%%\" height=\"6\" rx=\"3\"/>"
               "<rect class=\"part\" width=\"%.2f%%\" height=\"6\" rx=\"3\"/></svg></div>\n",
               part, whole, what, percent);
}

static void put_tiles(const struct summary *summary, struct buf *out) {
    const struct bench_result *targets = summary_targets(summary);
    struct goal_count goals = summary_goals(summary);
    char warning[WARNING_SIZE];
    const char *text;
    buf_append_string(out, "<div class=\"tiles\">\n");
    if (targets) {
        struct goal_count reached = bench_goals(targets);
        put_tile(out, reached.goals - reached.missed, reached.goals, "targets reached");
    }
    put_tile(out, goals.goals - goals.missed, goals.goals, "goals hold");
    put_tile(out, summary->count - summary_failures(summary), summary->count,
             "benches ran to their end");
    buf_printf(out,
               "<div class=\"tile\"><p class=\"big\">%zu</p><p>figures, medians of up to %u "
               "rounds</p></div>\n</div>\n",
               summary_rows(summary), summary->options->rounds);
    for (size_t i = 0; (text = summary_warning(summary, i, warning)); i++) {
        buf_append_string(out, "<p class=\"warning\"><strong>Note:</strong> ");
        html_text(out, text);
        buf_append_string(out, "</p>\n");
    }
}

/* ---- Sections ------------------------------------------------------------------------------ */

static void put_machine(const struct summary *summary, struct buf *out) {
    buf_append_string(out, "<section id=\"machine\">\n<h2>Machine and versions</h2>\n"
                           "<dl class=\"facts\">\n");
    for (size_t i = 0; i < summary->facts.count; i++) {
        buf_append_string(out, "<div><dt>");
        html_text(out, summary->facts.items[i].name);
        buf_append_string(out, "</dt><dd>");
        html_text(out, summary->facts.items[i].text);
        buf_append_string(out, "</dd></div>\n");
    }
    buf_append_string(out, "</dl>\n<p>To print it all again, on your machine:</p>\n<pre><code>");
    html_text(out, summary->command);
    buf_append_string(out, "</code></pre>\n</section>\n");
}

static void put_missed(const struct bench_result *bench, struct buf *out) {
    for (size_t i = 0; i < bench->noted.count; i++) {
        const struct row *row = &bench->noted.items[i].row;
        if (bench->noted.items[i].heading || row->goal.kind == GOAL_NONE || row_holds(row))
            continue;
        buf_append_string(out, "<li><a href=\"#");
        html_row_id(out, bench, i);
        buf_printf(out, "\">%s</a> ", bench->name);
        plot_sentence(out, row);
        buf_append_string(out, "</li>\n");
    }
}

static void put_goals(const struct summary *summary, struct buf *out) {
    struct goal_count goals = summary_goals(summary);
    buf_append_string(out, "<section id=\"goals\">\n<h2>All goals at a glance</h2>\n");
    buf_printf(out,
               "<p class=\"lead\"><strong>%zu of %zu goals hold.</strong> Each mark is a goal; it "
               "stands at how many times better than asked its figure is. Left of the line, and "
               "crosses: missed.</p>\n",
               goals.goals - goals.missed, goals.goals);
    if (goals.goals)
        html_glance(out, summary);
    if (goals.missed) {
        buf_append_string(out, "<h3>Missed</h3>\n<p><a href=\"docs/bench.md#goals-that-are-missed-"
                               "and-why\">docs/bench.md</a> says why, and what was tried.</p>\n"
                               "<ul class=\"missed\">\n");
        for (size_t i = 0; i < summary->count; i++)
            put_missed(&summary->benches[i], out);
        buf_append_string(out, "</ul>\n");
    }
    buf_append_string(out, "</section>\n");
}

static const char reading[] =
    "<section id=\"reading\">\n<h2>How to read this</h2>\n<dl class=\"reading\">\n"
    "<div><dt>ratio</dt><dd>The median that was measured, divided by that of its reference, which "
    "ran in turn with it, in the same minutes on the same disk. The grey line is 1×: the same. "
    "Every group of rows has a logarithmic axis of its own.</dd></div>\n"
    "<div><dt>goal</dt><dd>The shaded side is where it holds, and the flag points there. A disc "
    "holds, a cross is missed, a ring has no goal. Where the goal is a figure by itself, the row "
    "is drawn as its part of that figure.</dd></div>\n"
    "<div><dt>whiskers</dt><dd>From the lower quartile of the rounds against the reference's upper "
    "one, to the opposite.</dd></div>\n"
    "<div><dt>rounds</dt><dd>Each dot is a round, at its distance from the median of all rounds; "
    "above ours, below the reference's. The width of the strip is written above it. ± is half the "
    "range of the middle half, of ours, then of the reference.</dd></div>\n"
    "</dl>\n<p><a href=\"docs/bench.md\">docs/bench.md</a> explains each row.</p>\n</section>\n";

void summary_to_html(const struct summary *summary, struct buf *out) {
    const struct bench_result *targets = summary_targets(summary);
    put_start(summary, out);
    put_contents(summary, out);
    put_tiles(summary, out);
    put_machine(summary, out);
    if (targets)
        html_bench(out, targets, true);
    put_goals(summary, out);
    for (size_t i = 0; i < summary->count; i++)
        if (&summary->benches[i] != targets)
            html_bench(out, &summary->benches[i], false);
    buf_append_string(out, reading);
    buf_append_string(out, "</main>\n</body>\n</html>\n");
}
