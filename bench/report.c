/*
 * report.c - rows as a table of 100 columns or as lines of JSON, and what stands below the table.
 */
#include "bench/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench/facts.h"
#include "bench/notes.h"
#include "codec/codec.h"

/* ---- Numbers ----------------------------------------------------------------------------- */

void format_count(char text[COUNT_TEXT_SIZE], size_t count) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%zu", count);
    for (int i = 0; i < size; i++) {
        if (i && (size - i) % 3 == 0)
            *text++ = ',';
        *text++ = digits[i];
    }
    *text = 0;
}

void format_value(char text[COUNT_TEXT_SIZE], double value) {
    if (value >= 999.5 && value < 1e15)
        format_count(text, (size_t)(value + 0.5));
    else
        snprintf(text, COUNT_TEXT_SIZE, "%.*f",
                 value >= 99.95                      ? 0
                 : value >= 9.995                    ? 1
                 : value >= 0.0995 || value < 0.0005 ? 2
                                                     : 3,
                 value);
}

void format_ratio(char text[COUNT_TEXT_SIZE], double ratio) {
    snprintf(text, COUNT_TEXT_SIZE, "%.*f", ratio < 9.995 ? 3 : ratio < 99.95 ? 1 : 0, ratio);
}

/* ">= 0.85" of a ratio; ">= 200 rec/s" of a value; "" of nothing. */
static void format_goal(char text[32], const struct row *row) {
    const struct goal *goal = &row->goal;
    text[0] = 0;
    if (goal->kind != GOAL_NONE)
        snprintf(text, 32, "%s %g%s%s", goal->kind == GOAL_AT_LEAST ? ">=" : "<=", goal->bound,
                 goal->of_value ? " " : "", goal->of_value ? row->unit : "");
}

double row_ratio(const struct row *row) {
    bool known = row->reference && row->reference_value.median > 0;
    return known ? row->value.median / row->reference_value.median : 0;
}

bool row_holds(const struct row *row) {
    double figure = row->goal.of_value ? row->value.median : row_ratio(row);
    return row->goal.kind == GOAL_AT_LEAST ? figure >= row->goal.bound : figure <= row->goal.bound;
}

/* ---- Rows -------------------------------------------------------------------------------- */

static void print_json_row(struct report *report, const struct row *row) {
    AUTO_BUF struct buf line = BUF_INIT(4096);
    char goal[32];
    format_goal(goal, row);
    bool has_goal = row->goal.kind != GOAL_NONE;
    buf_append_string(&line, "{\"bench\":");
    json_put_string(&line, slice_of_string(report->options->name));
    buf_append_string(&line, ",\"case\":");
    json_put_string(&line, slice_of_string(row->name));
    buf_append_string(&line, ",\"value\":");
    json_put_double(&line, row->value.median);
    buf_append_string(&line, ",\"unit\":");
    json_put_string(&line, slice_of_string(row->unit));
    buf_append_string(&line, ",\"reference\":");
    if (row->reference) {
        json_put_string(&line, slice_of_string(row->reference));
        buf_append_string(&line, ",\"reference_value\":");
        json_put_double(&line, row->reference_value.median);
        buf_append_string(&line, ",\"ratio\":");
        json_put_double(&line, row_ratio(row));
    } else {
        buf_append_string(&line, "null,\"reference_value\":null,\"ratio\":null");
    }
    buf_append_string(&line, ",\"goal\":");
    if (has_goal)
        json_put_string(&line, slice_of_string(goal));
    else
        buf_append_string(&line, "null");
    buf_printf(&line, ",\"holds\":%s}\n", !has_goal ? "null" : row_holds(row) ? "true" : "false");
    fwrite(line.data, 1, line.size, report->out);
}

/* A line of the table, of at most 100 columns, without the white space at its end. */
static void print_line(struct report *report, const char *const cells[8]) {
    char line[256], goal[64];
    snprintf(goal, sizeof goal, "%6s  %-7s", cells[5], cells[6]);
    if (!*cells[5]) /* a value's goal has a unit, and takes the place of the ratio, too */
        snprintf(goal, sizeof goal, "%15s", cells[6]);
    int size = snprintf(line, sizeof line, "%-31s %8s %-5s  %-20s %8s %s %s", cells[0], cells[1],
                        cells[2], cells[3], cells[4], goal, cells[7]);
    while (size > 0 && line[size - 1] == ' ')
        size--;
    fprintf(report->out, "%.*s\n", size, line);
}

static void print_table_row(struct report *report, const struct row *row) {
    char value[COUNT_TEXT_SIZE], reference_value[COUNT_TEXT_SIZE] = "";
    char ratio[COUNT_TEXT_SIZE] = "", goal[32];
    format_value(value, row->value.median);
    format_goal(goal, row);
    if (row->reference) {
        format_value(reference_value, row->reference_value.median);
        if (!row->goal.of_value)
            format_ratio(ratio, row_ratio(row));
    }
    const char *verdict = row->goal.kind == GOAL_NONE ? "" : row_holds(row) ? "holds" : "MISSED";
    print_line(report, (const char *const[]){row->name, value, row->unit,
                                             row->reference ? row->reference : "", reference_value,
                                             ratio, goal, verdict});
}

static void clear_progress(struct report *report) {
    if (report->progress_shown)
        fputs("\r\033[K", stderr);
    report->progress_shown = false;
}

void report_row(struct report *report, const struct row *row) {
    clear_progress(report);
    if (row->goal.kind != GOAL_NONE) {
        report->goals++;
        report->missed += !row_holds(row);
    }
    if (row->value.spread > 0 && report->spread_count < COUNT_OF(report->spreads))
        report->spreads[report->spread_count++] = row->value.spread;
    if (report->options->json)
        print_json_row(report, row);
    else
        print_table_row(report, row);
    fflush(report->out);
    note_row(report->options->notes, row);
}

/* ---- Around the rows ---------------------------------------------------------------------- */

void report_begin(struct report *report, const struct bench_options *options) {
    *report = (struct report){.options = options, .out = stdout};
    (void)getloadavg(&report->load, 1);
    if (!options->json)
        print_line(report, (const char *const[]){"case", "value", "unit", "reference", "value",
                                                 "ratio", "goal", ""});
}

void report_heading(struct report *report, const char *text) {
    clear_progress(report);
    if (!report->options->json)
        fprintf(report->out, "-- %s\n", text);
    note_heading(report->options->notes, text);
}

void report_progress(struct report *report, const char *format, ...) {
    if (!isatty(STDERR_FILENO))
        return;
    clear_progress(report);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fflush(stderr);
    report->progress_shown = true;
}

static void print_footer(struct report *report, const char *file_system) {
    char processor[PROCESSOR_SIZE];
    struct utsname system;
    FILE *out = report->out;
    facts_processor(processor);
    uname(&system);
    struct measured spread = measured_of(report->spreads, report->spread_count);
    double widest = report->spread_count ? report->spreads[report->spread_count - 1] : 0;
    fputc('\n', out);
    if (report->missed)
        fprintf(out, "goals:   %u of %u missed\n", report->missed, report->goals);
    else if (report->goals)
        fprintf(out, "goals:   all %u hold\n", report->goals);
    fprintf(out, "machine: %s%s%ld CPUs, %s %s, %s; load before: %.1f\n", processor,
            *processor ? ", " : "", sysconf(_SC_NPROCESSORS_ONLN), system.sysname, system.release,
            file_system, report->load);
    fprintf(out, "data:    %s\n", report->data);
    if (!report->once)
        fprintf(out,
                "rounds:  medians of %u, in turn with their reference, after one not counted\n"
                "spread:  the middle half of the rounds of a row within +-%.1f %%; at worst +-%.1f "
                "%%\n",
                report->options->rounds, spread.median * 100, widest * 100);
    if (report->options->quick)
        fputs("--quick: these sizes are too small for the figures to mean anything\n", out);
}

int report_end(struct report *report, const char *file_system, mneme_error *error) {
    clear_progress(report);
    if (!report->options->json)
        print_footer(report, file_system);
    note_footer(report->options->notes, report->data, file_system, report->load);
    if (fflush(report->out) != 0 || ferror(report->out))
        return error_set_errno(error, errno ? errno : EIO, "cannot write the results");
    return 0;
}
