/*
 * metrics_visit.c - a picture of what was measured, as families of metrics for a registry.
 *
 * The names are a contract with dashboards and alerts, and so are the bounds of the histograms:
 * docs/prometheus.md lists both. All samples of a family come one after another, as OpenMetrics
 * asks, so each family is one pass over the processes.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "api/handle.h"

struct walk {
    const mneme_metrics *metrics;
    mneme_metrics_scope scope;
    mneme_metric_visitor *visitor;
    void *context;
};

/* ---- Whose figures --------------------------------------------------------------------------- */

/* Step through the processes of the scope; *at begins as 0. NULL at the end. */
static const mneme_process *next_process(const struct walk *w, size_t *at) {
    const mneme_metrics *metrics = w->metrics;
    if (w->scope == MNEME_METRICS_TOTAL)
        return (*at)++ == 0 ? &metrics->total : NULL;
    while (*at < metrics->process_count) {
        const mneme_process *process = &metrics->processes[(*at)++];
        if (w->scope == MNEME_METRICS_EACH || process->self)
            return process;
    }
    return NULL;
}

/* ---- Labels ---------------------------------------------------------------------------------- */

enum { LABELS_MAX = 5, PID_SIZE = 24, NAME_SIZE = 128, COMMAND_SIZE = 64 };

struct labels {
    mneme_metric_label items[LABELS_MAX];
    size_t count;
    char pid[PID_SIZE];
};

static void labels_add(struct labels *labels, const char *name, const char *value) {
    labels->items[labels->count++] = (mneme_metric_label){name, value};
}

static void labels_begin(struct labels *labels, const struct walk *w, const mneme_process *of) {
    labels->count = 0;
    if (w->scope != MNEME_METRICS_EACH)
        return;
    snprintf(labels->pid, sizeof labels->pid, "%" PRId64, of->pid);
    labels_add(labels, "pid", labels->pid);
}

static void labels_of_operation(struct labels *labels, const struct walk *w,
                                const mneme_process *process, const mneme_operation *operation) {
    labels_begin(labels, w, process);
    labels_add(labels, "layer", operation->layer);
    labels_add(labels, "operation", operation->name);
    labels_add(labels, "gen_ai_operation_name", operation->gen_ai);
}

static int put(const struct walk *w, mneme_metric metric, const struct labels *labels) {
    metric.labels = labels->items;
    metric.label_count = labels->count;
    return w->visitor(w->context, &metric);
}

/* ---- The processes, and the library -----------------------------------------------------------
 */

static int visit_one(const struct walk *w, mneme_metric metric) {
    static const struct labels none;
    return put(w, metric, &none);
}

static int visit_library(const struct walk *w) {
    struct labels labels = {.count = 0};
    labels_add(&labels, "version", mneme_version_text());
    TRY(put(w,
            (mneme_metric){.name = "mneme_build",
                           .help = "The version of mneme that tells this.",
                           .type = MNEME_METRIC_INFO,
                           .value = 1},
            &labels));
    return visit_one(
        w, (mneme_metric){.name = "mneme_metrics_enabled",
                          .help = "1 when the process that tells this measures itself, else 0.",
                          .type = MNEME_METRIC_GAUGE,
                          .value = w->metrics->on});
}

static int visit_machine(const struct walk *w) {
    if (w->scope != MNEME_METRICS_TOTAL)
        return 0;
    TRY(visit_one(
        w, (mneme_metric){.name = "mneme_metrics_alone",
                          .help = "1 when other processes cannot be seen, and are not in here.",
                          .type = MNEME_METRIC_GAUGE,
                          .value = w->metrics->alone[0] != '\0'}));
    TRY(visit_one(w, (mneme_metric){.name = "mneme_processes",
                                    .help = "Processes that have the store open.",
                                    .type = MNEME_METRIC_GAUGE,
                                    .value = (double)w->metrics->process_count}));
    return visit_one(w, (mneme_metric){.name = "mneme_handles_ended",
                                       .help = "Handles that were closed and are in the total.",
                                       .type = MNEME_METRIC_COUNTER,
                                       .value = (double)w->metrics->ended});
}

static int visit_since(const struct walk *w) {
    const mneme_process *process;
    for (size_t at = 0; (process = next_process(w, &at)) != NULL;) {
        struct labels labels;
        labels_begin(&labels, w, process);
        TRY(put(w,
                (mneme_metric){.name = "mneme_process_start_time_seconds",
                               .unit = "seconds",
                               .help = "When the process opened the store, since 1970.",
                               .type = MNEME_METRIC_GAUGE,
                               .value = (double)process->since_us / 1e6},
                &labels));
    }
    return 0;
}

/* The name of a program is what a system call says, which may be any bytes. */
static void copy_command(char out[COMMAND_SIZE], const char *command) {
    snprintf(out, COMMAND_SIZE, "%s", command);
    if (utf8_valid(slice_of_string(out)))
        return;
    for (char *c = out; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
}

static int visit_commands(const struct walk *w) {
    const mneme_process *process;
    if (w->scope != MNEME_METRICS_EACH)
        return 0;
    for (size_t at = 0; (process = next_process(w, &at)) != NULL;) {
        struct labels labels;
        char command[COMMAND_SIZE];
        copy_command(command, process->command);
        labels_begin(&labels, w, process);
        labels_add(&labels, "command", command);
        TRY(put(w,
                (mneme_metric){.name = "mneme_process",
                               .help = "The name of the program.",
                               .type = MNEME_METRIC_INFO,
                               .value = 1},
                &labels));
    }
    return 0;
}

/* ---- Operations ------------------------------------------------------------------------------ */

static int visit_counts(const struct walk *w) {
    const mneme_process *process;
    for (size_t at = 0; (process = next_process(w, &at)) != NULL;) {
        for (size_t i = 0; i < process->operation_count; i++) {
            const mneme_operation *operation = &process->operations[i];
            struct labels labels;
            labels_of_operation(&labels, w, process, operation);
            TRY(put(
                w,
                (mneme_metric){.name = "mneme_operations",
                               .help = "Operations that have ended, those that failed included.",
                               .type = MNEME_METRIC_COUNTER,
                               .value = (double)operation->windows[MNEME_WINDOW_LIFE].count},
                &labels));
        }
    }
    return 0;
}

static int visit_errors_of(const struct walk *w, const mneme_process *process,
                           const mneme_operation *operation) {
    for (size_t i = 0; i < operation->error_count; i++) {
        struct labels labels;
        labels_of_operation(&labels, w, process, operation);
        labels_add(&labels, "error_type", mneme_status_name(operation->errors[i].code));
        TRY(put(w,
                (mneme_metric){.name = "mneme_operation_errors",
                               .help = "Operations that failed, by what they returned.",
                               .type = MNEME_METRIC_COUNTER,
                               .value = (double)operation->errors[i].count},
                &labels));
    }
    return 0;
}

static int visit_errors(const struct walk *w) {
    const mneme_process *process;
    for (size_t at = 0; (process = next_process(w, &at)) != NULL;)
        for (size_t i = 0; i < process->operation_count; i++)
            TRY(visit_errors_of(w, process, &process->operations[i]));
    return 0;
}

/*
 * Three bounds a decade, whatever is measured: series must not come and go. A bucket of the picture
 * counts below a bound when all of it lies there; one that a bound cuts counts above. So what is
 * told to take at most B has taken at most B, and what took less than B by 1/16 or more is told.
 */
static const struct {
    uint64_t ns;
    double seconds;
} bounds[] = {
#define DECADE(ns, seconds)                                                                        \
    {(ns), (seconds)}, {(ns)*5 / 2, (seconds)*2.5}, { (ns) * 5, (seconds)*5 }
    DECADE(UINT64_C(1000), 1e-6),     DECADE(UINT64_C(10000), 1e-5),
    DECADE(UINT64_C(100000), 1e-4),   DECADE(UINT64_C(1000000), 1e-3),
    DECADE(UINT64_C(10000000), 1e-2), DECADE(UINT64_C(100000000), 1e-1),
    DECADE(UINT64_C(1000000000), 1),  DECADE(UINT64_C(10000000000), 10),
    {UINT64_C(100000000000), 100},
#undef DECADE
};
enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

/* Cumulative counts under the bounds, and under infinity; the latter is returned. */
static uint64_t fold(const mneme_operation *operation, mneme_metric_bucket out[BOUNDS + 1]) {
    uint64_t count = 0;
    size_t at = 0;
    for (size_t i = 0; i < BOUNDS; i++) {
        while (at < operation->bucket_count && operation->buckets[at].most_ns <= bounds[i].ns)
            count += operation->buckets[at++].count;
        out[i] = (mneme_metric_bucket){bounds[i].seconds, count};
    }
    while (at < operation->bucket_count)
        count += operation->buckets[at++].count;
    out[BOUNDS] = (mneme_metric_bucket){INFINITY, count};
    return count;
}

static int visit_duration(const struct walk *w, const mneme_process *process,
                          const mneme_operation *operation) {
    mneme_metric_bucket buckets[BOUNDS + 1];
    struct labels labels;
    uint64_t count = fold(operation, buckets);
    labels_of_operation(&labels, w, process, operation);
    return put(
        w,
        (mneme_metric){.name = "mneme_operation_duration_seconds",
                       .unit = "seconds",
                       .help = "How long operations took; the shortest are sampled.",
                       .type = MNEME_METRIC_HISTOGRAM,
                       .buckets = buckets,
                       .bucket_count = BOUNDS + 1,
                       .count = count,
                       .sum = (double)operation->windows[MNEME_WINDOW_LIFE].latency.sum_ns / 1e9},
        &labels);
}

static int visit_durations(const struct walk *w) {
    const mneme_process *process;
    for (size_t at = 0; (process = next_process(w, &at)) != NULL;)
        for (size_t i = 0; i < process->operation_count; i++)
            TRY(visit_duration(w, process, &process->operations[i]));
    return 0;
}

/* ---- Shapes of queries ----------------------------------------------------------------------- */

enum shape_figure { SHAPE_COUNT, SHAPE_HITS, SHAPE_ERRORS, SHAPE_SECONDS, SHAPE_P99 };

static const mneme_metric shape_families[] = {
    [SHAPE_COUNT] = {.name = "mneme_query_shape_queries",
                     .help = "Queries of this form.",
                     .type = MNEME_METRIC_COUNTER},
    [SHAPE_HITS] = {.name = "mneme_query_shape_hits",
                    .help = "Those that were answered from the cache.",
                    .type = MNEME_METRIC_COUNTER},
    [SHAPE_ERRORS] = {.name = "mneme_query_shape_errors",
                      .help = "Those that failed.",
                      .type = MNEME_METRIC_COUNTER},
    [SHAPE_SECONDS] = {.name = "mneme_query_shape_duration_seconds",
                       .unit = "seconds",
                       .help = "How long all of them took together.",
                       .type = MNEME_METRIC_COUNTER},
    [SHAPE_P99] = {.name = "mneme_query_shape_p99_seconds",
                   .unit = "seconds",
                   .help = "What 99 of 100 of them took at most, ever since.",
                   .type = MNEME_METRIC_GAUGE},
};

static double shape_value(const mneme_query_shape *shape, size_t figure) {
    switch ((enum shape_figure)figure) {
    case SHAPE_COUNT:
        return (double)shape->count;
    case SHAPE_HITS:
        return (double)shape->hits;
    case SHAPE_ERRORS:
        return (double)shape->errors;
    case SHAPE_SECONDS:
        return (double)shape->latency.sum_ns / 1e9;
    case SHAPE_P99:
        return (double)shape->latency.p99_ns / 1e9;
    }
    return 0;
}

static int visit_shapes_of(const struct walk *w, size_t figure) {
    const mneme_process *process;
    for (size_t at = 0; (process = next_process(w, &at)) != NULL;) {
        for (size_t i = 0; i < process->shape_count; i++) {
            mneme_metric metric = shape_families[figure];
            struct labels labels;
            labels_begin(&labels, w, process);
            labels_add(&labels, "shape", process->shapes[i].text);
            metric.value = shape_value(&process->shapes[i], figure);
            TRY(put(w, metric, &labels));
        }
    }
    return 0;
}

static int visit_shapes(const struct walk *w) {
    for (size_t figure = 0; figure < sizeof shape_families / sizeof shape_families[0]; figure++)
        TRY(visit_shapes_of(w, figure));
    return 0;
}

/* ---- Levels ---------------------------------------------------------------------------------- */

static bool same_family(const mneme_level *a, const mneme_level *b) {
    return strcmp(a->name, b->name) == 0 && strcmp(a->unit, b->unit) == 0;
}

static int visit_level(const struct walk *w, const mneme_process *process, const char *name,
                       const mneme_level *level) {
    struct labels labels;
    labels_begin(&labels, w, process);
    if (level->label_name[0] != '\0')
        labels_add(&labels, level->label_name, level->label_value);
    return put(w,
               (mneme_metric){.name = name,
                              .unit = level->unit,
                              .help = level->help,
                              .type = level->type == MNEME_LEVEL_COUNTER ? MNEME_METRIC_COUNTER
                                                                         : MNEME_METRIC_GAUGE,
                              .value = level->value},
               &labels);
}

static int visit_level_family(const struct walk *w, const mneme_level *family) {
    const mneme_process *process;
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "mneme_%s%s%s", family->name, family->unit[0] != '\0' ? "_" : "",
             family->unit);
    for (size_t at = 0; (process = next_process(w, &at)) != NULL;)
        for (size_t i = 0; i < process->level_count; i++)
            if (same_family(family, &process->levels[i]))
                TRY(visit_level(w, process, name, &process->levels[i]));
    return 0;
}

/* The total has each level that some process has, so it says which families there are. */
static int visit_levels(const struct walk *w) {
    const mneme_process *total = &w->metrics->total;
    for (size_t i = 0; i < total->level_count; i++) {
        size_t first = 0;
        while (!same_family(&total->levels[first], &total->levels[i]))
            first++;
        if (first == i)
            TRY(visit_level_family(w, &total->levels[i]));
    }
    return 0;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* A visitor sees no NULL where the header promises a text. */
static int visit_with_unit(void *context, const mneme_metric *metric) {
    const struct walk *w = context;
    mneme_metric whole = *metric;
    if (whole.unit == NULL)
        whole.unit = "";
    return w->visitor(w->context, &whole);
}

int mneme_metrics_visit(const mneme_metrics *metrics, mneme_metrics_scope scope,
                        mneme_metric_visitor *visitor, void *context, mneme_error *error) {
    if (!metrics || !visitor)
        return error_set(error, MNEME_INVALID,
                         "mneme_metrics_visit: the picture or visitor is NULL");
    if ((int)scope < 0 || scope > MNEME_METRICS_SELF)
        return error_set(error, MNEME_INVALID, "mneme_metrics_visit: there is no scope %d",
                         (int)scope);
    struct walk given = {.visitor = visitor, .context = context};
    const struct walk w = {metrics, scope, visit_with_unit, &given};
    static int (*const parts[])(const struct walk *) = {
        visit_library, visit_machine,   visit_since,  visit_commands, visit_counts,
        visit_errors,  visit_durations, visit_shapes, visit_levels,
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        TRY(parts[i](&w));
    return 0;
}
