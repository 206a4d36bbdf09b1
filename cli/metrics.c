/*
 * metrics.c - processes and operations, for `stats`.
 */
#include "metrics.h"

#include <math.h>
#include <string.h>

#include "display.h"

/* ---- Numbers ----------------------------------------------------------------------------- */

const char *display_latency(struct pool *pool, uint64_t ns) {
    static const char *const units[] = {"ns", "us", "ms", "s"};
    double value = (double)ns;
    size_t unit = 0;
    while (unit < 3 && value >= 999.5) {
        value /= 1000;
        unit++;
    }
    bool whole = unit == 0 || value >= 9.95;
    return pool_format(pool, whole ? "%.0f%s" : "%.1f%s", value, units[unit]);
}

const char *display_short(struct pool *pool, double count) {
    static const char *const units[] = {"", "k", "M", "G", "T", "P"};
    size_t unit = 0;
    while (unit < 5 && count >= 999.5) {
        count /= 1000;
        unit++;
    }
    bool whole = count >= 99.95 || count == floor(count);
    return pool_format(pool, whole ? "%.0f%s" : "%.1f%s", count, units[unit]);
}

/* ---- Pages ------------------------------------------------------------------------------- */

/* What callers asked for: the operations of the library's own calls. */
static void count_calls(const mneme_process *process, double *per_second, uint64_t *errors) {
    *per_second = 0;
    *errors = 0;
    for (size_t i = 0; i < process->operation_count; i++) {
        const mneme_operation *operation = &process->operations[i];
        const mneme_operation_window *minute = &operation->windows[MNEME_WINDOW_MINUTE];
        if (strcmp(operation->layer, "api") != 0)
            continue;
        if (minute->span_s > 0)
            *per_second += (double)minute->count / minute->span_s;
        *errors += operation->windows[MNEME_WINDOW_LIFE].errors;
    }
}

static void add_process(struct cli *cli, struct table *table, const mneme_process *process) {
    struct pool *pool = &cli->pool;
    double per_second;
    uint64_t errors;
    count_calls(process, &per_second, &errors);
    const mneme_text cells[] = {
        mneme_text_of(pool_format(pool, "%lld", (long long)process->pid)),
        mneme_text_of(display_time(pool, process->since_us, 19)),
        mneme_text_of(display_short(pool, per_second)),
        mneme_text_of(errors > 0 ? display_short(pool, (double)errors) : ""),
        mneme_text_of(process->command),
    };
    table_add(table, cells);
}

void put_processes_page(struct cli *cli, const mneme_metrics *metrics) {
    static const char *const titles[] = {"PROCESS", "SINCE (UTC)", "CALLS/S",
                                         "ERRORS",  "COMMAND",     NULL};
    FILE *out = cli->out.stream;
    if (metrics->process_count == 0) {
        fprintf(out, "%s%s.\n", *metrics->alone ? "Other processes cannot be seen: " : "",
                *metrics->alone ? metrics->alone
                                : "No process has it open, or none that measures");
        return;
    }
    struct table table = table_begin(&cli->pool, titles);
    table.right = 0xd;
    for (size_t i = 0; i < metrics->process_count; i++)
        add_process(cli, &table, &metrics->processes[i]);
    table_print(&table, out, cli->width, cli->color);
    if (metrics->ended > 0)
        fprintf(out, "and %s that closed it, counted below\n",
                display_count(&cli->pool, metrics->ended));
}

static void add_operation(struct cli *cli, struct table *table, const mneme_operation *operation,
                          mneme_window window) {
    struct pool *pool = &cli->pool;
    const mneme_operation_window *w = &operation->windows[window];
    double minutes = w->span_s / 60;
    const mneme_text cells[] = {
        mneme_text_of(pool_format(pool, "%s %s", operation->layer, operation->name)),
        mneme_text_of(display_short(pool, (double)w->count)),
        mneme_text_of(display_short(pool, minutes > 0 ? (double)w->count / minutes : 0)),
        mneme_text_of(w->errors > 0 ? display_short(pool, (double)w->errors) : ""),
        mneme_text_of(display_latency(pool, w->latency.p50_ns)),
        mneme_text_of(display_latency(pool, w->latency.p95_ns)),
        mneme_text_of(display_latency(pool, w->latency.p99_ns)),
        mneme_text_of(display_latency(pool, w->latency.p999_ns)),
        mneme_text_of(display_latency(pool, w->latency.max_ns)),
    };
    table_add(table, cells);
}

void put_operations_page(struct cli *cli, const mneme_process *process, mneme_window window) {
    static const char *const titles[] = {"OPERATION", "COUNT", "/MIN",  "ERRORS", "P50",
                                         "P95",       "P99",   "P99.9", "MAX",    NULL};
    struct table table = table_begin(&cli->pool, titles);
    table.right = 0x1fe;
    for (size_t i = 0; i < process->operation_count; i++)
        if (process->operations[i].windows[window].count > 0)
            add_operation(cli, &table, &process->operations[i], window);
    if (table.rows > 0)
        table_print(&table, cli->out.stream, cli->width, cli->color);
    else
        fputs("Nothing was done in that time.\n", cli->out.stream);
}

/* ---- JSON -------------------------------------------------------------------------------- */

static const char *const window_names[] = {
    [MNEME_WINDOW_MINUTE] = "minute", [MNEME_WINDOW_HOUR] = "hour", [MNEME_WINDOW_LIFE] = "life"};

static void add_real(struct json_line *line, const char *name, double value) {
    line_key(line, name);
    fprintf(line->out, "%.15g", isfinite(value) ? value : 0);
}

static void add_time(struct json_line *line, const char *name, int64_t time_us) {
    char text[MNEME_TIME_TEXT_SIZE];
    mneme_time_format(time_us, text);
    line_add_text(line, name, text);
}

static void add_latency(struct json_line *line, const mneme_latency *latency) {
    line_add_count(line, "timed", latency->count);
    line_add_count(line, "sum_ns", latency->sum_ns);
    line_add_count(line, "p50_ns", latency->p50_ns);
    line_add_count(line, "p95_ns", latency->p95_ns);
    line_add_count(line, "p99_ns", latency->p99_ns);
    line_add_count(line, "p999_ns", latency->p999_ns);
    line_add_count(line, "max_ns", latency->max_ns);
}

static void put_operation_json(FILE *out, const mneme_operation *operation) {
    struct json_line line = line_begin(out);
    line_add_text(&line, "layer", operation->layer);
    line_add_text(&line, "name", operation->name);
    if (*operation->gen_ai)
        line_add_text(&line, "gen_ai", operation->gen_ai);
    line_add_count(&line, "sample", operation->sample);
    for (int w = 0; w < MNEME_WINDOW_COUNT; w++) {
        const mneme_operation_window *window = &operation->windows[w];
        line_key(&line, window_names[w]);
        struct json_line inner = line_begin(out);
        add_real(&inner, "span_s", window->span_s);
        line_add_count(&inner, "count", window->count);
        line_add_count(&inner, "errors", window->errors);
        add_latency(&inner, &window->latency);
        line_close(&inner);
    }
    line_key(&line, "errors");
    struct json_line errors = line_begin(out);
    for (size_t i = 0; i < operation->error_count; i++)
        line_add_count(&errors, mneme_status_name(operation->errors[i].code),
                       operation->errors[i].count);
    line_close(&errors);
    line_close(&line);
}

static void add_levels(struct json_line *line, const mneme_process *process) {
    line_key(line, "levels");
    struct json_line levels = line_begin(line->out);
    for (size_t i = 0; i < process->level_count; i++) {
        const mneme_level *level = &process->levels[i];
        char name[128];
        snprintf(name, sizeof name, "%s%s%s%s%s", level->name, *level->unit ? "_" : "", level->unit,
                 *level->label_value ? "." : "", level->label_value);
        add_real(&levels, name, level->value);
    }
    line_close(&levels);
}

static void add_process_members(struct json_line *line, const mneme_process *process) {
    FILE *out = line->out;
    line_key(line, "operations");
    fputc('[', out);
    for (size_t i = 0; i < process->operation_count; i++) {
        fputs(i > 0 ? "," : "", out);
        put_operation_json(out, &process->operations[i]);
    }
    fputc(']', out);
    add_levels(line, process);
    put_shapes_json(line, process);
}

void put_shapes_json(struct json_line *line, const mneme_process *process) {
    FILE *out = line->out;
    line_key(line, "queries");
    fputc('[', out);
    for (size_t i = 0; i < process->shape_count; i++) {
        const mneme_query_shape *shape = &process->shapes[i];
        fputs(i > 0 ? "," : "", out);
        struct json_line inner = line_begin(out);
        line_add_text(&inner, "form", shape->text);
        line_add_count(&inner, "count", shape->count);
        line_add_count(&inner, "hits", shape->hits);
        line_add_count(&inner, "errors", shape->errors);
        add_latency(&inner, &shape->latency);
        line_close(&inner);
    }
    fputc(']', out);
}

void put_slow_json(FILE *out, const mneme_slow_operation *slow) {
    struct json_line line = line_begin(out);
    add_time(&line, "at", slow->at_us);
    line_add_whole(&line, "pid", slow->pid);
    line_add_text(&line, "layer", slow->layer);
    line_add_text(&line, "name", slow->name);
    line_add_count(&line, "duration_ns", slow->duration_ns);
    line_add_text(&line, "status", mneme_status_name(slow->code));
    line_add_count(&line, "records", slow->records);
    line_add_text(&line, "detail", slow->detail);
    line_end(&line);
}

void put_metrics_json(struct json_line *line, const mneme_metrics *metrics) {
    FILE *out = line->out;
    line_key(line, "processes");
    fputc('[', out);
    for (size_t i = 0; i < metrics->process_count; i++) {
        const mneme_process *process = &metrics->processes[i];
        fputs(i > 0 ? "," : "", out);
        struct json_line inner = line_begin(out);
        line_add_whole(&inner, "pid", process->pid);
        line_add_text(&inner, "command", process->command);
        add_time(&inner, "since", process->since_us);
        add_process_members(&inner, process);
        line_close(&inner);
    }
    fputc(']', out);
    line_add_count(line, "ended", metrics->ended);
    if (*metrics->alone)
        line_add_text(line, "alone", metrics->alone);
    line_key(line, "total");
    struct json_line total = line_begin(out);
    add_process_members(&total, &metrics->total);
    line_close(&total);
}
