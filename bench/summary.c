/*
 * summary.c - counts and texts that both documents share.
 */
#include "bench/summary.h"

/* ---- Counts ------------------------------------------------------------------------------- */

struct goal_count bench_goals(const struct bench_result *bench) {
    struct goal_count count = {0};
    for (size_t i = 0; i < bench->noted.count; i++) {
        const struct noted *item = &bench->noted.items[i];
        if (!item->heading && item->row.goal.kind != GOAL_NONE) {
            count.goals++;
            count.missed += !row_holds(&item->row);
        }
    }
    return count;
}

struct goal_count summary_goals(const struct summary *summary) {
    struct goal_count all = {0};
    for (size_t i = 0; i < summary->count; i++) {
        struct goal_count one = bench_goals(&summary->benches[i]);
        all.goals += one.goals;
        all.missed += one.missed;
    }
    return all;
}

size_t summary_failures(const struct summary *summary) {
    size_t failures = 0;
    for (size_t i = 0; i < summary->count; i++)
        failures += summary->benches[i].noted.status != 0;
    return failures;
}

size_t summary_rows(const struct summary *summary) {
    size_t rows = 0;
    for (size_t i = 0; i < summary->count; i++)
        for (size_t j = 0; j < summary->benches[i].noted.count; j++)
            rows += !summary->benches[i].noted.items[j].heading;
    return rows;
}

const struct bench_result *summary_targets(const struct summary *summary) {
    for (size_t i = 0; i < summary->count; i++)
        if (strcmp(summary->benches[i].name, "targets") == 0)
            return &summary->benches[i];
    return NULL;
}

/* ---- Warnings ----------------------------------------------------------------------------- */

static bool warn_of_bench(const struct bench_result *bench, char text[WARNING_SIZE]) {
    const struct noted_bench *noted = &bench->noted;
    if (noted->status)
        snprintf(text, WARNING_SIZE, "The bench %s failed%s: %s", bench->name,
                 noted->count ? " after some of its rows" : "", noted->message);
    return noted->status != 0;
}

static bool is_generated(const struct summary *summary) {
    for (size_t i = 0; i < summary->count; i++)
        if (summary->benches[i].noted.data && strstr(summary->benches[i].noted.data, "GENERATED"))
            return true;
    return false;
}

const char *summary_warning(const struct summary *summary, size_t index, char text[WARNING_SIZE]) {
    const struct {
        bool applies;
        const char *text;
    } general[] = {
        {summary->options->quick,
         "Made with --quick: these sizes are too small for the figures to mean anything."},
        {!facts_built_for_speed(),
         "This program was built without optimisation, or with checks: it is slower than a release "
         "build."},
        {is_generated(summary), "No real episodes were found: the data is generated."},
    };
    size_t at = 0;
    for (size_t i = 0; i < COUNT_OF(general); i++)
        if (general[i].applies && at++ == index)
            return general[i].text;
    for (size_t i = 0; i < summary->count; i++)
        if (warn_of_bench(&summary->benches[i], text) && at++ == index)
            return text;
    return NULL;
}

/* ---- Texts of a row ----------------------------------------------------------------------- */

static const char *unit_text(const char *unit) { return strcmp(unit, "us") == 0 ? "µs" : unit; }

void row_value_text(char text[ROW_TEXT_SIZE], const struct row *row) {
    char value[COUNT_TEXT_SIZE];
    format_value(value, row->value.median);
    snprintf(text, ROW_TEXT_SIZE, "%s %.40s", value, unit_text(row->unit));
}

void row_reference_text(char text[ROW_TEXT_SIZE], const struct row *row) {
    char value[COUNT_TEXT_SIZE] = "";
    if (row->reference)
        format_value(value, row->reference_value.median);
    snprintf(text, ROW_TEXT_SIZE, "%s", value);
}

void row_ratio_text(char text[ROW_TEXT_SIZE], const struct row *row) {
    char ratio[COUNT_TEXT_SIZE];
    text[0] = 0;
    if (row->reference) {
        format_ratio(ratio, row_ratio(row));
        snprintf(text, ROW_TEXT_SIZE, "%s×", ratio);
    }
}

void row_goal_text(char text[ROW_TEXT_SIZE], const struct row *row) {
    const struct goal *goal = &row->goal;
    text[0] = 0;
    if (goal->kind != GOAL_NONE)
        snprintf(text, ROW_TEXT_SIZE, "%s %g%s%.40s", goal->kind == GOAL_AT_LEAST ? "≥" : "≤",
                 goal->bound, goal->of_value ? " " : "",
                 goal->of_value ? unit_text(row->unit) : "×");
}

void row_spread_text(char text[ROW_TEXT_SIZE], const struct row *row) {
    double ours = row->value.spread * 100;
    double other = row->reference ? row->reference_value.spread * 100 : 0;
    text[0] = 0;
    if (other > 0)
        snprintf(text, ROW_TEXT_SIZE, "±%.*f %%, ±%.*f %%", ours < 99.95, ours, other < 99.95,
                 other);
    else if (ours > 0)
        snprintf(text, ROW_TEXT_SIZE, "±%.*f %%", ours < 99.95, ours);
}

const char *row_verdict(const struct row *row) {
    return row->goal.kind == GOAL_NONE ? "" : row_holds(row) ? "holds" : "MISSED";
}

/* ---- Text of any kind --------------------------------------------------------------------- */

/* How many bytes the character at the front has; 0: it is none. */
static size_t character_size(const char *text) {
    size_t size = strlen(text);
    for (size_t n = 1; n <= size_min(size, 4); n++)
        if (utf8_valid(slice_of(text, n)))
            return n;
    return 0;
}

/* C0, DEL and C1, and U+FFFE and U+FFFF, which XML forbids. */
static bool is_control(const char *at, size_t size) {
    unsigned char first = (unsigned char)at[0];
    return (size == 1 && (first < 0x20 || first == 0x7f)) ||
           (size == 2 && first == 0xc2 && (unsigned char)at[1] < 0xa0) ||
           (size == 3 &&
            (memcmp(at, "\xef\xbf\xbe", 3) == 0 || memcmp(at, "\xef\xbf\xbf", 3) == 0));
}

void text_put(struct buf *out, const char *text, put_character *put) {
    while (*text) {
        size_t size = character_size(text);
        if (*text == '\t' || *text == '\n' || *text == '\r')
            put(out, " ", 1);
        else if (size == 0 || is_control(text, size))
            buf_append_string(out, "\uFFFD");
        else
            put(out, text, size);
        text += size_max(size, 1);
    }
}
