/*
 * summary_test.c - the two documents of `mneme bench report`, made of a run that never was: names
 * that look like markup, missed goals, rows without a reference, and figures that are no numbers.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "bench/html_impl.h"
#include "bench/summary.h"

/* ---- A run that never was ------------------------------------------------------------------- */

#define NASTY "<b>&\"'|*_x_ `~[a](b) $\\"

static struct measured rounds_of(double middle) {
    double values[] = {middle * 0.9, middle, middle * 1.1, middle * 0.95, middle * 1.2};
    return measured_of(values, COUNT_OF(values));
}

static struct row row_of(const char *name, double value, const char *reference, double other,
                         struct goal goal) {
    struct row row = {.name = name, .unit = "us", .reference = reference, .goal = goal};
    row.value = rounds_of(value);
    row.reference_value = rounds_of(other);
    return row;
}

enum { ITEMS = 12 };

struct scene {
    struct bench_options options;
    struct noted items[ITEMS];
    struct noted target;
    struct bench_result benches[3];
    struct summary summary;
};

static void scene_init(struct scene *s) {
    *s = (struct scene){.options = {.rounds = 5}};
    const struct noted items[ITEMS] = {
        {.row = row_of("before any heading", 2, "a reference", 1, NO_GOAL)},
        {.heading = "group " NASTY},
        {.row = row_of("case " NASTY, 10, "reference " NASTY, 8, AT_MOST(1.5))},
        {.row = row_of("too slow", 16, "a reference", 8, AT_MOST(1.5))},
        {.row = row_of("alone", 3, NULL, 0, NO_GOAL)},
        {.row = row_of("no number", NAN, "a reference", 1, AT_LEAST(2))},
        {.row = row_of("without end", INFINITY, "a reference", 1, AT_LEAST(2))},
        {.row = row_of("nothing", 0, "a reference", 1, AT_LEAST(2))},
        {.row = row_of("against nothing", 5, "a reference", 0, NO_GOAL)},
        {.row = row_of("a figure by itself", 39, NULL, 0, VALUE_AT_MOST(40))},
        {.row = row_of("none of it", 0, NULL, 0, VALUE_AT_MOST(0))},
        {.heading = "LEFT OUT: there is no \x01\xff file"},
    };
    memcpy(s->items, items, sizeof items);
    s->target = (struct noted){.row = row_of("the plan's", 3, "today", 1, AT_LEAST(2))};
    s->benches[0] =
        (struct bench_result){.name = "store",
                              .about = "things " NASTY,
                              .noted = {s->items, ITEMS, "data " NASTY, "ext4", 0.5, true, 0, ""},
                              .seconds = 61};
    s->benches[1] = (struct bench_result){
        .name = "remote",
        .about = "servers",
        .noted = {.ended = true, .status = MNEME_UNAVAILABLE, .message = "there is no <sqld>"}};
    s->benches[2] = (struct bench_result){.name = "targets",
                                          .about = "what was asked",
                                          .noted = {&s->target, 1, .ended = true, .message = ""}};
    s->summary = (struct summary){.options = &s->options,
                                  .date = "2025-01-01 00:00 UTC",
                                  .command = "mneme bench report --dir '<x> ```'",
                                  .benches = s->benches,
                                  .count = 3};
    s->summary.facts.items[0] = (struct fact){"mneme", "1.2.3 " NASTY};
    s->summary.facts.count = 1;
}

typedef void write_document(const struct summary *summary, struct buf *out);

/* A text that the caller frees. */
static char *written(write_document *write, const struct summary *summary) {
    AUTO_BUF struct buf out = BUF_INIT(1 << 24);
    write(summary, &out);
    buf_append_byte(&out, 0);
    assert_int_equal(out.status, 0);
    char *text = mem_alloc(out.size);
    assert_non_null(text);
    memcpy(text, out.data, out.size);
    return text;
}

static void assert_has(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("there is no: %s", part);
}

static void assert_lacks(const char *text, const char *part) {
    if (strstr(text, part))
        fail_msg("there is: %s", part);
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

/* ---- Both documents ------------------------------------------------------------------------- */

static void bench_summary__counts_goals_and_failures(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    struct goal_count goals = summary_goals(&s.summary);
    /* Those of the case with the name, the infinite one, the figure, the zero, the target hold. */
    assert_int_equal(goals.goals, 8);
    assert_int_equal(goals.missed, 3);
    assert_int_equal(summary_failures(&s.summary), 1);
    assert_int_equal(summary_rows(&s.summary), 11);
    assert_ptr_equal(summary_targets(&s.summary), &s.benches[2]);
}

static void bench_summary__warns_of_what_could_not_run(void **state) {
    (void)state;
    struct scene s;
    char text[WARNING_SIZE];
    bool found = false;
    const char *warning;
    scene_init(&s);
    s.options.quick = true;
    s.benches[0].noted.data = "200 GENERATED episodes";
    assert_has(summary_warning(&s.summary, 0, text), "--quick");
    size_t i = 0;
    for (; (warning = summary_warning(&s.summary, i, text)); i++)
        found = found || (strstr(warning, "remote") && strstr(warning, "there is no <sqld>"));
    assert_true(found);
    assert_true(i >= 3); /* and one of the data */
    assert_null(summary_warning(&s.summary, i + 1, text));
}

static void bench_summary__is_the_same_each_time(void **state) {
    (void)state;
    write_document *const writers[] = {summary_to_markdown, summary_to_html};
    struct scene s;
    scene_init(&s);
    for (size_t i = 0; i < COUNT_OF(writers); i++) {
        AUTO_FREE char *one = written(writers[i], &s.summary);
        AUTO_FREE char *two = written(writers[i], &s.summary);
        assert_string_equal(one, two);
    }
}

static void bench_summary__stands_a_run_without_benches(void **state) {
    (void)state;
    struct bench_options options = {.rounds = 1};
    const struct summary summary = {.options = &options, .command = "mneme bench report"};
    AUTO_FREE char *markdown = written(summary_to_markdown, &summary);
    AUTO_FREE char *html = written(summary_to_html, &summary);
    assert_has(markdown, "0 of 0 hold.");
    assert_has(html, "0 of 0 goals hold.");
}

/* ---- Markdown ------------------------------------------------------------------------------- */

static void bench_summary_markdown__has_every_row_escaped(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    AUTO_FREE char *text = written(summary_to_markdown, &s.summary);
    assert_has(text, "| case &lt;b\\>&amp;\"'\\|\\*\\_x\\_ \\`\\~\\[a\\](b) \\$\\\\ | 10.0 µs |");
    assert_has(text, "| too slow | 16.0 µs | a reference: 8.00 | 2.000× | ≤ 1.5× | **MISSED** |");
    assert_has(text, "| a figure by itself | 39.0 µs |  |  | ≤ 40 µs | holds |");
    assert_has(text, "| alone | 3.00 µs |  |  |  |  |");
    assert_has(text, "| no number | nan µs |");
    assert_has(text, "**LEFT OUT: there is no \uFFFD\uFFFD file**");
    assert_has(text, "> **Failed:** there is no &lt;sqld\\>");
    assert_has(text, "| store | too slow | a reference | ≤ 1.5× | 2.000× |");
    assert_has(text, "5 of 8 hold");
    assert_lacks(text, "<b");
    assert_lacks(text, "<sqld");
}

static void bench_summary_markdown__puts_targets_before_goals(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    AUTO_FREE char *text = written(summary_to_markdown, &s.summary);
    assert_has(text, "| the plan's | ≥ 2× | 3.000× | 3.00 µs, today 1.00 | reached |");
    assert_true(strstr(text, "## Targets") < strstr(text, "## Goals"));
    assert_int_equal(occurrences(text, "the plan's"), 1);
}

static void bench_summary_markdown__fences_code_that_has_fences(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    s.summary.command = "x ````";
    AUTO_FREE char *text = written(summary_to_markdown, &s.summary);
    assert_has(text, "\n`````sh\nx ````\n`````\n");
}

/* Every row of a table has as many cells as its head, or a forge shows none of it. */
static void bench_summary_markdown__has_whole_tables(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    AUTO_FREE char *text = written(summary_to_markdown, &s.summary);
    size_t cells = 0;
    char *rest, *line = strtok_r(text, "\n", &rest);
    bool inside = false;
    for (; line; line = strtok_r(NULL, "\n", &rest)) {
        size_t count = occurrences(line, "|") - occurrences(line, "\\|");
        bool head = strncmp(line, "|---", 4) == 0 || strncmp(line, "| case |", 8) == 0 ||
                    strncmp(line, "| target |", 10) == 0 || strncmp(line, "| bench |", 9) == 0 ||
                    strncmp(line, "| | |", 5) == 0;
        if (line[0] == '|' && inside && !head)
            assert_int_equal(count, cells);
        inside = line[0] == '|';
        if (head)
            cells = count;
    }
}

/* ---- HTML ----------------------------------------------------------------------------------- */

/* The judge is an XML parser, which stops at the first tag that is not closed. */
static void bench_summary_html__is_well_formed(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    AUTO_FREE char *text = written(summary_to_html, &s.summary);
    FILE *judge = popen(
        "python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.stdin.buffer)'", "w");
    assert_non_null(judge);
    fwrite(text, 1, strlen(text), judge);
    assert_int_equal(pclose(judge), 0);
}

static void bench_summary_html__has_every_row_escaped(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    AUTO_FREE char *text = written(summary_to_html, &s.summary);
    assert_has(text, "class=\"case\">case &lt;b&gt;&amp;&quot;'|*_x_ `~[a](b) $\\</th>");
    assert_has(text, "<span class=\"number\">8.00</span> <span class=\"name\">reference &lt;b");
    assert_has(text, "there is no &lt;sqld&gt;");
    assert_has(text, "LEFT OUT: there is no \uFFFD\uFFFD file");
    assert_has(text, "✕ MISSED");
    assert_lacks(text, "<b>");
    assert_lacks(text, "<script");
    assert_lacks(text, "http://1");
    assert_lacks(text, "https:");
    assert_int_equal(occurrences(text, "<tr role=\"row\" class=\"figure\""), 11);
}

/* Nothing that is no number may come into a drawing. */
static void bench_summary_html__draws_numbers_only(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    AUTO_FREE char *text = written(summary_to_html, &s.summary);
    assert_has(text, "no number</th><td role=\"cell\" class=\"track\"></td>");
    assert_lacks(text, "\"nan");
    assert_lacks(text, "\"-nan");
    assert_lacks(text, "\"inf");
    assert_lacks(text, "\"-inf");
    assert_lacks(text, "nan%");
    assert_lacks(text, "inf%");
}

static void bench_summary_html__tells_missed_ones_by_shape(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    s.benches[0].noted.count = 4; /* of the store: one without a goal, one that holds, one missed */
    s.summary.count = 1;
    AUTO_FREE char *text = written(summary_to_html, &s.summary);
    /* Once in the row, once at a glance. */
    assert_int_equal(occurrences(text, "<path class=\"mark missed\""), 2);
    assert_int_equal(occurrences(text, "<circle class=\"mark holds\""), 2);
    assert_int_equal(occurrences(text, "<circle class=\"mark bare\""), 1);
    assert_has(text,
               "too slow: 16.0 µs against 8.00 of a reference, ratio 2.000×; goal ≤ 1.5×: MISSED"
               "</title>");
}

/* ---- Axes ----------------------------------------------------------------------------------- */

static void bench_html_axis__holds_all_that_is_drawn(void **state) {
    (void)state;
    struct scene s;
    scene_init(&s);
    for (size_t count = 1; count <= ITEMS; count++) {
        struct axis axis = axis_of(s.items, count);
        double ticks[AXIS_TICKS_MAX];
        size_t tick_count = axis_ticks(&axis, ticks);
        assert_true(axis_exists(&axis));
        assert_true(tick_count > 0 && tick_count <= AXIS_TICKS_MAX);
        for (size_t i = 1; i < tick_count; i++)
            assert_true(ticks[i] > ticks[i - 1]);
        assert_true(axis_percent(&axis, 1) > 0 && axis_percent(&axis, 1) < 100);
        assert_true(axis_percent(&axis, 2) > axis_percent(&axis, 1));
        assert_true(axis_percent(&axis, 0) == 0);
        assert_true(axis_percent(&axis, INFINITY) == 100);
    }
}

static void bench_html_axis__has_labels_at_any_width(void **state) {
    (void)state;
    for (double width = 0.3; width < 40; width *= 1.1)
        for (double low = -12; low < 6; low += 0.37) {
            const struct axis axis = {low, low + width, 0};
            double ticks[AXIS_TICKS_MAX];
            size_t count = axis_ticks(&axis, ticks);
            assert_true(count > 0 && count <= AXIS_TICKS_MAX);
            for (size_t i = 0; i < count; i++)
                assert_true(isfinite(ticks[i]) && ticks[i] > 0);
        }
}

static void bench_html_axis__measures_margins_both_ways(void **state) {
    (void)state;
    const struct row faster = row_of("faster", 8, "r", 2, AT_LEAST(2));
    const struct row smaller = row_of("smaller", 1, "r", 2, AT_MOST(1));
    const struct row figure = row_of("figure", 10, NULL, 0, VALUE_AT_MOST(40));
    const struct row none = row_of("none", 10, "r", 2, NO_GOAL);
    double margin;
    assert_true(row_margin(&faster, &margin) && fabs(margin - 2) < 1e-9);
    assert_true(row_margin(&smaller, &margin) && fabs(margin - 2) < 1e-9);
    assert_true(row_margin(&figure, &margin) && fabs(margin - 4) < 1e-9);
    assert_false(row_margin(&none, &margin));
}

/* ---- Notes ---------------------------------------------------------------------------------- */

/* All notes of a scene's bench, in a buffer. */
static void take_notes(const struct bench_result *bench, struct buf *out) {
    char *text = NULL;
    size_t size = 0;
    FILE *notes = open_memstream(&text, &size);
    assert_non_null(notes);
    for (size_t i = 0; i < bench->noted.count; i++) {
        const struct noted *item = &bench->noted.items[i];
        if (item->heading)
            note_heading(notes, item->heading);
        else
            note_row(notes, &item->row);
    }
    note_footer(notes, bench->noted.data, bench->noted.file_system, bench->noted.load);
    note_end(notes, bench->noted.status, bench->noted.message);
    fclose(notes);
    buf_append(out, text, size);
    (free)(text);
}

static void bench_notes__come_back_as_they_were(void **state) {
    (void)state;
    struct scene s;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf bytes = BUF_INIT(1 << 20);
    struct noted_bench noted;
    scene_init(&s);
    take_notes(&s.benches[0], &bytes);
    assert_int_equal(notes_read(buf_slice(&bytes), &arena, &noted, NULL), 0);
    assert_true(noted.ended);
    assert_int_equal(noted.count, ITEMS);
    struct bench_result copy = s.benches[0];
    copy.noted = noted;
    s.summary.count = 1;
    AUTO_FREE char *before = written(summary_to_html, &s.summary);
    s.summary.benches = &copy;
    AUTO_FREE char *after = written(summary_to_html, &s.summary);
    assert_string_equal(before, after);
}

/* A bench that crashed: whatever was written until then is read, and nothing is made up. */
static void bench_notes__may_be_cut_off_anywhere(void **state) {
    (void)state;
    struct scene s;
    AUTO_BUF struct buf bytes = BUF_INIT(1 << 20);
    size_t most = 0;
    scene_init(&s);
    take_notes(&s.benches[0], &bytes);
    for (size_t size = 0; size < bytes.size; size += 7) {
        AUTO_ARENA struct arena arena = {0};
        struct noted_bench noted;
        assert_int_equal(notes_read(slice_of(bytes.data, size), &arena, &noted, NULL), 0);
        assert_false(noted.ended);
        assert_true(noted.count >= most && noted.count <= ITEMS);
        most = noted.count;
    }
    assert_int_equal(most, ITEMS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bench_summary__counts_goals_and_failures),
        cmocka_unit_test(bench_summary__warns_of_what_could_not_run),
        cmocka_unit_test(bench_summary__is_the_same_each_time),
        cmocka_unit_test(bench_summary__stands_a_run_without_benches),
        cmocka_unit_test(bench_summary_markdown__has_every_row_escaped),
        cmocka_unit_test(bench_summary_markdown__puts_targets_before_goals),
        cmocka_unit_test(bench_summary_markdown__fences_code_that_has_fences),
        cmocka_unit_test(bench_summary_markdown__has_whole_tables),
        cmocka_unit_test(bench_summary_html__is_well_formed),
        cmocka_unit_test(bench_summary_html__has_every_row_escaped),
        cmocka_unit_test(bench_summary_html__draws_numbers_only),
        cmocka_unit_test(bench_summary_html__tells_missed_ones_by_shape),
        cmocka_unit_test(bench_html_axis__holds_all_that_is_drawn),
        cmocka_unit_test(bench_html_axis__has_labels_at_any_width),
        cmocka_unit_test(bench_html_axis__measures_margins_both_ways),
        cmocka_unit_test(bench_notes__come_back_as_they_were),
        cmocka_unit_test(bench_notes__may_be_cut_off_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
