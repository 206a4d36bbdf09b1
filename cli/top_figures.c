/*
 * top_figures.c - see top_figures.h.
 */
#include "top_figures.h"

#include <string.h>

const mneme_process *figures_self(const mneme_metrics *picture) {
    for (size_t i = 0; picture != NULL && i < picture->process_count; i++)
        if (picture->processes[i].self)
            return &picture->processes[i];
    return NULL;
}

static double not_below_zero(double value) { return value > 0 ? value : 0; }
static uint64_t difference(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* ---- Operations ------------------------------------------------------------------------------ */

static const mneme_operation *find_operation(const mneme_process *process, const char *layer,
                                             const char *name) {
    for (size_t i = 0; process != NULL && i < process->operation_count; i++) {
        const mneme_operation *operation = &process->operations[i];
        if (strcmp(operation->layer, layer) == 0 && strcmp(operation->name, name) == 0)
            return operation;
    }
    return NULL;
}

/* An operation in both pictures: of all, and of the process that looks. Each may be NULL. */
struct occurrences {
    const mneme_operation *all, *own, *all_before, *own_before;
};

static struct occurrences find_occurrences(const struct pictures *p, const mneme_operation *all) {
    const mneme_process *before = p->before != NULL ? &p->before->total : NULL;
    return (struct occurrences){
        .all = all,
        .own = find_operation(figures_self(p->now), all->layer, all->name),
        .all_before = find_operation(before, all->layer, all->name),
        .own_before = find_operation(figures_self(p->before), all->layer, all->name),
    };
}

static uint64_t count_in(const mneme_operation *operation, mneme_window window) {
    return operation != NULL ? operation->windows[window].count : 0;
}

static uint64_t errors_in(const mneme_operation *operation, mneme_window window) {
    return operation != NULL ? operation->windows[window].errors : 0;
}

static uint64_t others_count(const struct occurrences *o, mneme_window window) {
    return difference(count_in(o->all, window), count_in(o->own, window));
}

static uint64_t others_count_before(const struct occurrences *o) {
    return difference(count_in(o->all_before, MNEME_WINDOW_LIFE),
                      count_in(o->own_before, MNEME_WINDOW_LIFE));
}

/* ---- Percentiles of what is new -------------------------------------------------------------- */

struct bucket {
    uint64_t most_ns;
    int64_t count;
};

/* Buckets rise in both lists, and `list` has all that there are now. */
static void add_buckets(struct bucket *list, size_t size, const mneme_operation *of, int sign) {
    for (size_t i = 0, j = 0; of != NULL && i < of->bucket_count; i++) {
        while (j < size && list[j].most_ns < of->buckets[i].most_ns)
            j++;
        if (j < size && list[j].most_ns == of->buckets[i].most_ns)
            list[j].count += sign * (int64_t)of->buckets[i].count;
    }
}

/* The bound of the bucket in which the given part of all is reached. */
static uint64_t percentile(const struct bucket *list, size_t size, uint64_t count, double part) {
    double wanted = part * (double)count, sum = 0;
    for (size_t i = 0; i < size; i++) {
        sum += list[i].count > 0 ? (double)list[i].count : 0;
        if (sum > 0 && sum >= wanted)
            return list[i].most_ns;
    }
    return 0;
}

/* Nothing has ever taken longer than the greatest of its life, which is exact; a bound may. */
static uint64_t at_most(uint64_t value, uint64_t most) { return value < most ? value : most; }

static void set_new_latency(const struct occurrences *o, struct pool *pool,
                            struct top_operation *out) {
    size_t size = o->all->bucket_count;
    struct bucket *list = pool_alloc(pool, size + 1, sizeof *list);
    uint64_t most = o->all->windows[MNEME_WINDOW_LIFE].latency.max_ns;
    for (size_t i = 0; i < size; i++)
        list[i].most_ns = o->all->buckets[i].most_ns;
    add_buckets(list, size, o->all, 1);
    add_buckets(list, size, o->own, -1);
    add_buckets(list, size, o->all_before, -1);
    add_buckets(list, size, o->own_before, 1);
    for (size_t i = 0; i < size; i++)
        out->timed += list[i].count > 0 ? (uint64_t)list[i].count : 0;
    out->p50_ns = at_most(percentile(list, size, out->timed, 0.5), most);
    out->p99_ns = at_most(percentile(list, size, out->timed, 0.99), most);
    out->max_ns = at_most(percentile(list, size, out->timed, 1), most);
}

static void set_new(const struct pictures *p, const struct occurrences *o, struct pool *pool,
                    struct top_operation *out) {
    if (p->before == NULL || p->seconds <= 0)
        return;
    out->count = difference(others_count(o, MNEME_WINDOW_LIFE), others_count_before(o));
    out->rate = (double)out->count / p->seconds;
    if (out->count > 0)
        set_new_latency(o, pool, out);
}

static void set_window(const struct occurrences *o, mneme_window window,
                       struct top_operation *out) {
    const mneme_operation_window *all = &o->all->windows[window];
    out->count = others_count(o, window);
    out->rate = all->span_s > 0 ? (double)out->count / all->span_s : 0;
    if (out->count == 0)
        return;
    out->timed = all->latency.count;
    out->p50_ns = all->latency.p50_ns;
    out->p99_ns = all->latency.p99_ns;
    out->max_ns = all->latency.max_ns;
}

struct top_operation *figures_operations(const struct pictures *p, enum top_window window,
                                         struct pool *pool, size_t *count) {
    const mneme_process *total = &p->now->total;
    struct top_operation *list = pool_alloc(pool, total->operation_count + 1, sizeof *list);
    *count = 0;
    for (size_t i = 0; i < total->operation_count; i++) {
        const mneme_operation *all = &total->operations[i];
        struct occurrences o = find_occurrences(p, all);
        if (others_count(&o, MNEME_WINDOW_LIFE) == 0)
            continue;
        struct top_operation *out = &list[(*count)++];
        mneme_window errors = window == TOP_HOUR ? MNEME_WINDOW_HOUR : MNEME_WINDOW_MINUTE;
        *out = (struct top_operation){
            .layer = all->layer,
            .name = all->name,
            .key = pool_format(pool, "%s.%s", all->layer, all->name),
            .errors = difference(errors_in(o.all, errors), errors_in(o.own, errors)),
        };
        if (window == TOP_NOW)
            set_new(p, &o, pool, out);
        else
            set_window(&o, window == TOP_HOUR ? MNEME_WINDOW_HOUR : MNEME_WINDOW_MINUTE, out);
    }
    return list;
}

/* ---- Processes ------------------------------------------------------------------------------- */

static uint64_t calls_of(const mneme_process *process) {
    uint64_t sum = 0;
    for (size_t i = 0; process != NULL && i < process->operation_count; i++)
        if (strcmp(process->operations[i].layer, "api") == 0)
            sum += process->operations[i].windows[MNEME_WINDOW_LIFE].count;
    return sum;
}

static const mneme_process *find_process(const mneme_metrics *picture, int64_t pid) {
    for (size_t i = 0; picture != NULL && i < picture->process_count; i++)
        if (picture->processes[i].pid == pid)
            return &picture->processes[i];
    return NULL;
}

uint64_t figures_calls(const struct pictures *p, const mneme_process *process) {
    if (p->before == NULL)
        return 0;
    return difference(calls_of(process), calls_of(find_process(p->before, process->pid)));
}

uint64_t figures_calls_of_others(const struct pictures *p) {
    const mneme_process *self = figures_self(p->now);
    if (p->before == NULL)
        return 0;
    uint64_t all = difference(calls_of(&p->now->total), calls_of(&p->before->total));
    return difference(all, self != NULL ? figures_calls(p, self) : 0);
}

uint64_t figures_call_errors(const mneme_process *process) {
    uint64_t sum = 0;
    for (size_t i = 0; i < process->operation_count; i++)
        if (strcmp(process->operations[i].layer, "api") == 0)
            sum += process->operations[i].windows[MNEME_WINDOW_MINUTE].errors;
    return sum;
}

/* ---- Levels ---------------------------------------------------------------------------------- */

static const mneme_level *find_level(const mneme_process *process, const char *name,
                                     const char *unit, const char *label) {
    for (size_t i = 0; process != NULL && i < process->level_count; i++) {
        const mneme_level *level = &process->levels[i];
        if (strcmp(level->name, name) == 0 && (unit == NULL || strcmp(level->unit, unit) == 0) &&
            (label == NULL || strcmp(level->label_value, label) == 0))
            return level;
    }
    return NULL;
}

bool figures_has(const struct pictures *p, const char *name) {
    for (size_t i = 0; i < p->now->process_count; i++)
        if (!p->now->processes[i].self &&
            find_level(&p->now->processes[i], name, NULL, NULL) != NULL)
            return true;
    return false;
}

bool figures_has_store(const struct pictures *p, const char *name) {
    return find_level(&p->now->total, name, NULL, NULL) != NULL;
}

double figures_of_process(const mneme_process *process, const char *name, const char *unit,
                          const char *label) {
    const mneme_level *level = find_level(process, name, unit, label);
    return level != NULL ? level->value : 0;
}

double figures_of_store(const struct pictures *p, const char *name, const char *unit) {
    return figures_of_process(&p->now->total, name, unit, "");
}

static double of_others(const mneme_metrics *picture, const char *name, const char *unit,
                        const char *label) {
    return not_below_zero(figures_of_process(&picture->total, name, unit, label) -
                          figures_of_process(figures_self(picture), name, unit, label));
}

double figures_of_others(const struct pictures *p, const char *name, const char *unit,
                         const char *label) {
    return of_others(p->now, name, unit, label);
}

double figures_growth_of_others(const struct pictures *p, const char *name, const char *unit,
                                const char *label) {
    if (p->earlier == NULL || p->earlier_seconds <= 0)
        return 0;
    return not_below_zero(of_others(p->now, name, unit, label) -
                          of_others(p->earlier, name, unit, label)) /
           p->earlier_seconds;
}

double figures_growth_of_store(const struct pictures *p, const char *name, const char *unit) {
    if (p->earlier == NULL || p->earlier_seconds <= 0)
        return 0;
    return not_below_zero(figures_of_process(&p->now->total, name, unit, "") -
                          figures_of_process(&p->earlier->total, name, unit, "")) /
           p->earlier_seconds;
}
