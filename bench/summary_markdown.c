/*
 * summary_markdown.c - BENCHMARKS.md: tables that read well on a forge and as plain text.
 */
#include "bench/summary.h"

/* ---- Text --------------------------------------------------------------------------------- */

/* What would be markup anywhere in a line. Underscores are, too, but not inside of words, where
 * most of ours are: see put_text. */
static void put_escaped(struct buf *out, const char *character, size_t size) {
    if (size == 1 && *character == '<')
        buf_append_string(out, "&lt;");
    else if (size == 1 && *character == '&')
        buf_append_string(out, "&amp;");
    else if (size == 1 && strchr("\\`*[]|~$#>", *character))
        buf_printf(out, "\\%c", *character);
    else
        buf_append(out, character, size);
}

static bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool has_outer_underscore(const char *text) {
    for (size_t i = 0; text[i]; i++)
        if (text[i] == '_' &&
            (i == 0 || !is_word_character(text[i - 1]) || !is_word_character(text[i + 1])))
            return true;
    return false;
}

static void put_escaped_underscores(struct buf *out, const char *character, size_t size) {
    if (size == 1 && *character == '_')
        buf_append_string(out, "\\_");
    else
        put_escaped(out, character, size);
}

static void put_text(struct buf *out, const char *text) {
    text_put(out, text, has_outer_underscore(text) ? put_escaped_underscores : put_escaped);
}

static void put_plain(struct buf *out, const char *character, size_t size) {
    buf_append(out, character, size);
}

/* A block of code, whose fence is longer than any in the text. */
static void put_code(struct buf *out, const char *text) {
    size_t longest = 2, run = 0;
    for (const char *at = text; *at; at++) {
        run = *at == '`' ? run + 1 : 0;
        longest = size_max(longest, run);
    }
    for (size_t i = 0; i <= longest; i++)
        buf_append_byte(out, '`');
    buf_append_string(out, "sh\n");
    text_put(out, text, put_plain);
    buf_append_byte(out, '\n');
    for (size_t i = 0; i <= longest; i++)
        buf_append_byte(out, '`');
    buf_append_byte(out, '\n');
}

static void put_cell(struct buf *out, const char *text) {
    buf_append_string(out, " ");
    put_text(out, text);
    buf_append_string(out, " |");
}

static void put_verdict(struct buf *out, const struct row *row) {
    bool missed = row->goal.kind != GOAL_NONE && !row_holds(row);
    buf_append_string(out, missed ? " **" : " ");
    put_text(out, row_verdict(row));
    buf_append_string(out, missed ? "** |" : " |");
}

/* ---- Parts -------------------------------------------------------------------------------- */

static void put_head(const struct summary *summary, struct buf *out) {
    char warning[WARNING_SIZE];
    const char *text;
    buf_append_string(out, "# Benchmarks\n\nMade on ");
    put_text(out, summary->date);
    buf_append_string(out, " by the program itself. Every ratio is to a reference measured in the "
                           "same run, in turn with it;\nvalues are medians. To print it all again, "
                           "on your machine:\n\n");
    put_code(out, summary->command);
    for (size_t i = 0; (text = summary_warning(summary, i, warning)); i++) {
        buf_append_string(out, "\n> **Note:** ");
        put_text(out, text);
        buf_append_byte(out, '\n');
    }
}

static void put_facts(const struct summary *summary, struct buf *out) {
    buf_append_string(out, "\n## Machine and versions\n\n| | |\n|---|---|\n");
    for (size_t i = 0; i < summary->facts.count; i++) {
        const struct fact *fact = &summary->facts.items[i];
        buf_append_string(out, "|");
        put_cell(out, fact->name);
        put_cell(out, fact->text);
        buf_append_byte(out, '\n');
    }
}

/* The row's line in the table of a bench. */
static void put_row(const struct row *row, struct buf *out) {
    char text[ROW_TEXT_SIZE];
    buf_append_byte(out, '|');
    put_cell(out, row->name);
    row_value_text(text, row);
    put_cell(out, text);
    buf_append_byte(out, ' ');
    if (row->reference) {
        put_text(out, row->reference);
        row_reference_text(text, row);
        buf_printf(out, ": %s", text);
    }
    buf_append_string(out, " |");
    row_ratio_text(text, row);
    put_cell(out, text);
    row_goal_text(text, row);
    put_cell(out, text);
    put_verdict(out, row);
    row_spread_text(text, row);
    put_cell(out, text);
    buf_append_byte(out, '\n');
}

static void put_bench_foot(const struct bench_result *bench, struct buf *out) {
    buf_append_byte(out, '\n');
    if (bench->noted.data) {
        buf_append_string(out, "Data: ");
        put_text(out, bench->noted.data);
        buf_append_string(out, ". File system: ");
        put_text(out, bench->noted.file_system);
        buf_printf(out, ". Load before: %.1f. ", bench->noted.load);
    }
    buf_printf(out, "It took %.0f s.\n", bench->seconds);
}

static void put_rows(const struct bench_result *bench, struct buf *out) {
    bool table = false;
    for (size_t i = 0; i < bench->noted.count; i++) {
        const struct noted *item = &bench->noted.items[i];
        if (item->heading) {
            buf_append_string(out, "\n**");
            put_text(out, item->heading);
            buf_append_string(out, "**\n");
        } else if (!table) {
            buf_append_string(out, "\n| case | measured | reference | ratio | goal | | spread |\n"
                                   "|---|--:|---|--:|--:|---|--:|\n");
        }
        table = !item->heading;
        if (!item->heading)
            put_row(&item->row, out);
    }
}

static void put_bench(const struct bench_result *bench, struct buf *out) {
    buf_append_string(out, "\n## ");
    put_text(out, bench->name);
    buf_append_byte(out, '\n');
    buf_append_byte(out, '\n');
    put_text(out, bench->about);
    buf_printf(out, ". `mneme bench %s`\n", bench->name);
    if (bench->noted.status) {
        buf_append_string(out, "\n> **Failed:** ");
        put_text(out, bench->noted.message);
        buf_append_byte(out, '\n');
    }
    put_rows(bench, out);
    put_bench_foot(bench, out);
}

/* ---- Goals -------------------------------------------------------------------------------- */

/* What was measured is what the goal is of: the ratio, or the value. */
static void put_target(const struct row *row, struct buf *out) {
    bool has_goal = row->goal.kind != GOAL_NONE, of_ratio = row->reference && !row->goal.of_value;
    char goal[ROW_TEXT_SIZE], value[ROW_TEXT_SIZE], ratio[ROW_TEXT_SIZE], other[ROW_TEXT_SIZE];
    row_goal_text(goal, row);
    row_value_text(value, row);
    row_ratio_text(ratio, row);
    row_reference_text(other, row);
    buf_append_byte(out, '|');
    put_cell(out, row->name);
    put_cell(out, goal);
    put_cell(out, of_ratio ? ratio : value);
    buf_append_byte(out, ' ');
    if (of_ratio) {
        put_text(out, value);
        buf_append_string(out, ", ");
    }
    if (row->reference) {
        put_text(out, row->reference);
        buf_printf(out, " %s", other);
    }
    buf_printf(out, " | %s | `mneme bench targets` |\n",
               !has_goal        ? ""
               : row_holds(row) ? "reached"
                                : "**MISSED**");
}

static void put_targets(const struct bench_result *targets, struct buf *out) {
    struct goal_count goals = bench_goals(targets);
    bool table = false;
    buf_printf(out, "\n## Targets\n\n%zu of %zu reached.\n", goals.goals - goals.missed,
               goals.goals);
    if (targets->noted.status) {
        buf_append_string(out, "\n> **Failed:** ");
        put_text(out, targets->noted.message);
        buf_append_byte(out, '\n');
    }
    for (size_t i = 0; i < targets->noted.count; i++) {
        const struct noted *item = &targets->noted.items[i];
        if (item->heading) {
            buf_append_string(out, "\n**");
            put_text(out, item->heading);
            buf_append_string(out, "**\n");
        } else {
            if (!table)
                buf_append_string(out,
                                  "\n| target | asked | measured | of, against | | printed by |\n"
                                  "|---|--:|--:|---|---|---|\n");
            put_target(&item->row, out);
        }
        table = !item->heading;
    }
    put_bench_foot(targets, out);
}

static void put_missed(const struct bench_result *bench, struct buf *out) {
    for (size_t i = 0; i < bench->noted.count; i++) {
        const struct row *row = &bench->noted.items[i].row;
        char goal[ROW_TEXT_SIZE], seen[ROW_TEXT_SIZE];
        if (bench->noted.items[i].heading || row->goal.kind == GOAL_NONE || row_holds(row))
            continue;
        row_goal_text(goal, row);
        if (row->goal.of_value)
            row_value_text(seen, row);
        else
            row_ratio_text(seen, row);
        buf_append_byte(out, '|');
        put_cell(out, bench->name);
        put_cell(out, row->name);
        put_cell(out, row->reference ? row->reference : "");
        put_cell(out, goal);
        put_cell(out, seen);
        buf_append_byte(out, '\n');
    }
}

static void put_goals(const struct summary *summary, struct buf *out) {
    struct goal_count goals = summary_goals(summary);
    buf_printf(out, "\n## Goals\n\n%zu of %zu hold", goals.goals - goals.missed, goals.goals);
    if (!goals.missed) {
        buf_append_string(out, ".\n");
        return;
    }
    buf_append_string(out, ". The others; [why they are missed, and what was tried]"
                           "(docs/bench.md#goals-that-are-missed-and-why):\n\n"
                           "| bench | case | against | goal | seen |\n|---|---|---|--:|--:|\n");
    for (size_t i = 0; i < summary->count; i++)
        put_missed(&summary->benches[i], out);
}

void summary_to_markdown(const struct summary *summary, struct buf *out) {
    const struct bench_result *targets = summary_targets(summary);
    put_head(summary, out);
    put_facts(summary, out);
    if (targets)
        put_targets(targets, out);
    put_goals(summary, out);
    for (size_t i = 0; i < summary->count; i++)
        if (&summary->benches[i] != targets)
            put_bench(&summary->benches[i], out);
    buf_append_string(out,
                      "\n[docs/bench.md](docs/bench.md) explains each row. Spread is half the "
                      "range of the middle half of a row's rounds, as a\npart of their median: "
                      "of the value, then of the reference.\n");
}
