/*
 * top_tables.c - the three tables of top's screen: operations, caches, processes.
 */
#include <stdlib.h>
#include <string.h>

#include "top_screen.h"

enum { SPARK_MAX = 60, CACHE_ROWS_MAX = 4 };

static size_t at_most(size_t value, size_t most) { return value < most ? value : most; }

/* "0" is quiet, so that what is not stands out. */
static enum style style_of(double value, enum style otherwise) {
    return value > 0 ? otherwise : DIM;
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* Columns, each by where it ends, or, of a sparkline, begins; 0: there is no room for it. */
struct operation_columns {
    size_t name, rate, rates, rates_size, p50, p99, max, p99s, p99s_size, errors;
};

/* 56 columns hold names, rates, the two percentiles and errors; the greatest and then the second
 * sparkline come with more, and what is left makes the sparklines longer, to a cell a second. */
static struct operation_columns operation_columns(size_t columns) {
    enum { NUMBER = 8, ERRORS = 7, NAME = 16, SPARK_LEAST = 9 };
    struct operation_columns c = {.name = columns >= 100 ? 22 : NAME};
    size_t used = c.name + 3 * NUMBER + ERRORS + 1;
    bool with_max = columns >= used + NUMBER + SPARK_LEAST;
    used += with_max ? NUMBER : 0;
    bool with_p99s = columns >= used + 2 * (SPARK_LEAST + 1);
    size_t left = columns - used - (with_p99s ? 1 : 0);
    c.rates_size = at_most(with_p99s ? (left + 1) / 2 : left, SPARK_MAX);
    c.p99s_size = with_p99s ? at_most(left - c.rates_size, SPARK_MAX) : 0;
    c.rate = c.name + NUMBER;
    c.rates = c.rate + 1;
    c.p50 = c.rates + c.rates_size + NUMBER;
    c.p99 = c.p50 + NUMBER;
    c.max = with_max ? c.p99 + NUMBER : 0;
    c.p99s = with_p99s ? (with_max ? c.max : c.p99) + 1 : 0;
    c.errors = (with_p99s ? c.p99s + c.p99s_size : with_max ? c.max : c.p99) + ERRORS;
    return c;
}

static void put_operation_titles(const struct top_view *view, struct canvas *canvas,
                                 const struct operation_columns *c) {
    static const char *const rates[] = {"now/s", "min/s", "hour/s"};
    const char *errors = view->window == TOP_HOUR ? "err/h" : "err/m";
    canvas_put(canvas, BOLD, "OPERATION");
    canvas_put_before(canvas, BOLD, rates[view->window], c->rate);
    canvas_to(canvas, c->rates);
    canvas_put(canvas, BOLD, c->rates_size >= 12 ? "rate, 60 s" : "60 s");
    canvas_put_before(canvas, BOLD, "p50", c->p50);
    canvas_put_before(canvas, BOLD, "p99", c->p99);
    if (c->max > 0)
        canvas_put_before(canvas, BOLD, "max", c->max);
    if (c->p99s > 0) {
        canvas_to(canvas, c->p99s);
        canvas_put(canvas, BOLD, "p99, 60 s");
    }
    canvas_put_before(canvas, BOLD, errors, c->errors);
}

static void put_latency(struct canvas *canvas, const struct top_operation *operation, uint64_t ns,
                        size_t end) {
    if (end > 0)
        canvas_put_before(canvas, operation->timed > 0 ? PLAIN : DIM,
                          operation->timed > 0 ? short_duration(canvas->pool, ns) : "-", end);
}

static void put_spark(const struct top_view *view, struct canvas *canvas, const char *key,
                      enum history_figure figure, size_t begin, size_t size) {
    double cells[SPARK_MAX];
    if (size == 0)
        return;
    history_cells(view->history, key, figure, cells, size);
    canvas_to(canvas, begin);
    canvas_spark(canvas, figure == HISTORY_RATE ? ACCENT : PLAIN, cells, size);
}

static void put_operation(const struct top_view *view, struct canvas *canvas,
                          const struct top_operation *o, const struct operation_columns *c) {
    struct pool *pool = canvas->pool;
    /* A name that is too long loses its layer's last letters last: "api episode_comp…". */
    size_t columns = canvas->columns;
    canvas->columns = at_most(c->name, columns);
    canvas_print(canvas, style_of(o->rate, PLAIN), "%s %s", o->layer, o->name);
    canvas->columns = columns;
    canvas_put_before(canvas, style_of(o->rate, BOLD), short_number(pool, o->rate), c->rate);
    put_spark(view, canvas, o->key, HISTORY_RATE, c->rates, c->rates_size);
    put_latency(canvas, o, o->p50_ns, c->p50);
    put_latency(canvas, o, o->p99_ns, c->p99);
    put_latency(canvas, o, o->max_ns, c->max);
    put_spark(view, canvas, o->key, HISTORY_P99, c->p99s, c->p99s_size);
    canvas_put_before(canvas, style_of((double)o->errors, BAD), short_count(pool, o->errors),
                      c->errors);
}

/* An operation and what it is sorted by. The rate is that of the last minute, whatever window is
 * shown, but for an hour: lines that change places each second cannot be read. */
struct ranked {
    const struct top_operation *operation;
    double rank;
};

static int by_rank(const void *a, const void *b) {
    const struct ranked *x = a, *y = b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? 1 : -1;
    return strcmp(x->operation->key, y->operation->key);
}

static double rank(const struct top_view *view, const struct top_operation *operation) {
    switch (view->sort) {
    case SORT_LATENCY:
        return (double)operation->p99_ns;
    case SORT_ERRORS:
        return (double)operation->errors;
    case SORT_NAME:
    case TOP_SORTS:
        return 0;
    case SORT_RATE:
        break;
    }
    return view->window == TOP_HOUR ? operation->rate : history_rate(view->history, operation->key);
}

void draw_operations(const struct top_view *view, struct canvas *canvas, size_t rows) {
    size_t count;
    struct operation_columns columns = operation_columns(canvas->columns);
    const struct top_operation *list =
        figures_operations(&view->pictures, view->window, canvas->pool, &count);
    struct ranked *ranked = pool_alloc(canvas->pool, count + 1, sizeof *ranked);
    for (size_t i = 0; i < count; i++)
        ranked[i] = (struct ranked){&list[i], rank(view, &list[i])};
    qsort(ranked, count, sizeof *ranked, by_rank);
    if (canvas_line(canvas))
        put_operation_titles(view, canvas, &columns);
    for (size_t i = 0; i < count && i < rows && canvas_line(canvas); i++)
        put_operation(view, canvas, ranked[i].operation, &columns);
    if (count == 0 && rows > 0 && canvas_line(canvas))
        canvas_put(canvas, DIM, "nothing was done yet");
}

/* ---- Caches ---------------------------------------------------------------------------------- */

static const char *const cache_names[] = {"episodes", "patterns", "queries", NULL};

struct cache_figures {
    double lookups, hits, hour, bytes, limit, evictions; /* of these, ratios: hits, hour */
};

static double growth(const struct top_view *view, const char *name, const char *cache) {
    return figures_growth_of_others(&view->pictures, name, "", cache);
}

static double level(const struct top_view *view, const char *name, const char *unit,
                    const char *cache) {
    return figures_of_others(&view->pictures, name, unit, cache);
}

/* One cache's, or those of all (NULL). */
static struct cache_figures cache_figures(const struct top_view *view, const char *only) {
    double hits = 0, misses = 0, hour_hits = 0, hour_lookups = 0;
    struct cache_figures f = {0};
    for (size_t i = 0; cache_names[i] != NULL; i++) {
        const char *name = cache_names[i];
        if (only != NULL && strcmp(name, only) != 0)
            continue;
        hits += growth(view, "cache_hits", name);
        misses += growth(view, "cache_misses", name);
        hour_hits += level(view, "cache_hour_hits", "", name);
        hour_lookups += level(view, "cache_hour_lookups", "", name);
        f.bytes += level(view, "cache", "bytes", name);
        f.limit += level(view, "cache_limit", "bytes", name);
        f.evictions += growth(view, "cache_evictions_by_bytes", name) +
                       growth(view, "cache_evictions_by_entries", name);
    }
    f.lookups = hits + misses;
    f.hits = f.lookups > 0 ? hits / f.lookups : -1;
    f.hour = hour_lookups > 0 ? hour_hits / hour_lookups : -1;
    return f;
}

enum {
    CACHE_LOOKUPS = 21, /* where columns end; the bar begins */
    CACHE_HITS = 30,
    CACHE_HOUR = 38,
    CACHE_BAR = 39,
    CACHE_USE = 20,       /* "999.9 KiB of 64.0 MiB" */
    CACHE_EVICTIONS = 12, /* and the space before */
    CACHE_COLUMNS = CACHE_BAR + 41 + CACHE_USE + CACHE_EVICTIONS
};

static size_t cache_columns(const struct canvas *canvas) {
    return at_most(canvas->columns, CACHE_COLUMNS);
}

static void put_use(struct canvas *canvas, const struct cache_figures *f) {
    struct pool *pool = canvas->pool;
    const char *text = f->limit > 0 ? pool_format(pool, "%s of %s", short_bytes(pool, f->bytes),
                                                  short_bytes(pool, f->limit))
                                    : "off";
    size_t room = cache_columns(canvas) - CACHE_BAR - CACHE_EVICTIONS;
    double part = f->limit > 0 ? f->bytes / f->limit : 0;
    canvas_to(canvas, CACHE_BAR);
    if (room >= CACHE_USE + 5) {
        canvas_bar(canvas, part > 0.95 ? WARN : ACCENT, part, room - CACHE_USE - 1);
        canvas_to(canvas, canvas->column + 1);
    }
    if (room >= CACHE_USE)
        canvas_put(canvas, style_of(f->bytes, PLAIN), text);
    else
        canvas_print(canvas, style_of(f->bytes, PLAIN), "%.0f %%", part * 100);
}

static void put_cache(struct canvas *canvas, const char *name, const struct cache_figures *f) {
    struct pool *pool = canvas->pool;
    canvas_put(canvas, style_of(f->lookups, PLAIN), name);
    canvas_put_before(canvas, style_of(f->lookups, BOLD), short_number(pool, f->lookups),
                      CACHE_LOOKUPS);
    canvas_put_before(canvas, style_of(f->hits, PLAIN), short_ratio(pool, f->hits), CACHE_HITS);
    canvas_put_before(canvas, style_of(f->hour, PLAIN), short_ratio(pool, f->hour), CACHE_HOUR);
    put_use(canvas, f);
    canvas_put_before(canvas, style_of(f->evictions, WARN), short_number(pool, f->evictions),
                      cache_columns(canvas));
}

void draw_caches(const struct top_view *view, struct canvas *canvas, size_t rows) {
    if (rows == 0 || !canvas_line(canvas))
        return;
    canvas_put(canvas, BOLD, "CACHE");
    canvas_put_before(canvas, BOLD, "lookups/s", CACHE_LOOKUPS);
    canvas_put_before(canvas, BOLD, "hits now", CACHE_HITS);
    canvas_put_before(canvas, BOLD, "1 h", CACHE_HOUR);
    canvas_to(canvas, CACHE_BAR);
    canvas_print(canvas, BOLD, "%s", canvas->columns >= 72 ? "bytes of limit" : "full");
    canvas_put_before(canvas, BOLD, "evicted/s", cache_columns(canvas));
    for (size_t i = 0; cache_names[i] != NULL && i + 1 < rows && canvas_line(canvas); i++) {
        struct cache_figures f = cache_figures(view, cache_names[i]);
        put_cache(canvas, cache_names[i], &f);
    }
    struct cache_figures all = cache_figures(view, NULL);
    if (canvas_line(canvas))
        put_cache(canvas, "all", &all);
}

/* ---- Processes ------------------------------------------------------------------------------- */

struct ranked_process {
    const mneme_process *process;
    double rate;
};

/* The busiest of the last minute first, and the one that looks last. */
static int by_calls(const void *a, const void *b) {
    const struct ranked_process *x = a, *y = b;
    if (x->process->self != y->process->self)
        return x->process->self ? 1 : -1;
    if (x->rate != y->rate)
        return x->rate < y->rate ? 1 : -1;
    return x->process->pid < y->process->pid ? -1 : x->process->pid > y->process->pid;
}

static const char *process_key(struct pool *pool, const mneme_process *process) {
    return pool_format(pool, "pid %lld", (long long)process->pid);
}

static const struct ranked_process *rank_processes(const struct top_view *view, struct pool *pool) {
    const mneme_metrics *now = view->pictures.now;
    struct ranked_process *list = pool_alloc(pool, now->process_count + 1, sizeof *list);
    for (size_t i = 0; i < now->process_count; i++) {
        const mneme_process *process = &now->processes[i];
        list[i] = (struct ranked_process){process,
                                          history_rate(view->history, process_key(pool, process))};
    }
    qsort(list, now->process_count, sizeof *list, by_calls);
    return list;
}

struct process_columns {
    size_t pid, command, calls, rates, rates_size, up, cache, errors;
};

static struct process_columns process_columns(size_t columns) {
    enum { PID = 8, COMMAND = 17, NUMBER = 9, BYTES = 11, SPARK_LEAST = 9 };
    struct process_columns c = {.pid = PID, .command = PID + 1};
    size_t used = PID + 1 + COMMAND + 3 * NUMBER + BYTES + 1;
    c.calls = c.command + COMMAND + NUMBER;
    if (columns >= used + SPARK_LEAST) {
        c.rates = c.calls + 1;
        c.rates_size = at_most(columns - used, SPARK_MAX);
    } else {
        c.calls -= used > columns ? used - columns : 0;
    }
    c.up = (c.rates_size > 0 ? c.rates + c.rates_size : c.calls) + NUMBER;
    c.cache = c.up + BYTES;
    c.errors = c.cache + NUMBER;
    return c;
}

static void put_process(const struct top_view *view, struct canvas *canvas,
                        const mneme_process *process, const struct process_columns *c) {
    struct pool *pool = canvas->pool;
    const struct pictures *p = &view->pictures;
    double seconds = p->seconds > 0 ? p->seconds : 1;
    double rate = (double)figures_calls(p, process) / seconds, bytes = 0;
    uint64_t errors = figures_call_errors(process);
    for (size_t i = 0; cache_names[i] != NULL; i++)
        bytes += figures_of_process(process, "cache", "bytes", cache_names[i]);
    canvas_put_before(canvas, PLAIN, pool_format(pool, "%lld", (long long)process->pid), c->pid);
    canvas_to(canvas, c->command);
    canvas_put(canvas, process->self ? DIM : PLAIN, process->self ? "this one" : process->command);
    canvas_put_before(canvas, style_of(rate, BOLD), short_number(pool, rate), c->calls);
    if (c->rates_size > 0)
        put_spark(view, canvas, process_key(pool, process), HISTORY_RATE, c->rates, c->rates_size);
    canvas_put_before(canvas, PLAIN,
                      short_age(pool, (double)(p->now->at_us - process->since_us) / 1e6), c->up);
    canvas_put_before(canvas, style_of(bytes, PLAIN), short_bytes(pool, bytes), c->cache);
    canvas_put_before(canvas, style_of((double)errors, BAD), short_count(pool, errors), c->errors);
}

void draw_processes(const struct top_view *view, struct canvas *canvas, size_t rows) {
    const mneme_metrics *now = view->pictures.now;
    struct process_columns columns = process_columns(canvas->columns);
    const struct ranked_process *list = rank_processes(view, canvas->pool);
    if (rows == 0 || !canvas_line(canvas))
        return;
    canvas_put_before(canvas, BOLD, "PID", columns.pid);
    canvas_to(canvas, columns.command);
    canvas_put(canvas, BOLD, "PROCESS");
    canvas_put_before(canvas, BOLD, "calls/s", columns.calls);
    if (columns.rates_size > 0) {
        canvas_to(canvas, columns.rates);
        canvas_put(canvas, BOLD, columns.rates_size >= 12 ? "rate, 60 s" : "60 s");
    }
    canvas_put_before(canvas, BOLD, "up", columns.up);
    canvas_put_before(canvas, BOLD, "cache", columns.cache);
    canvas_put_before(canvas, BOLD, "err/m", columns.errors);
    for (size_t i = 0; i < now->process_count && i < rows && canvas_line(canvas); i++)
        put_process(view, canvas, list[i].process, &columns);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

struct top_rows tables_wanted(const struct top_view *view, struct pool *pool) {
    struct top_rows rows = {.operations = 0};
    figures_operations(&view->pictures, view->window, pool, &rows.operations);
    rows.operations = rows.operations > 0 ? rows.operations : 1;
    rows.caches = figures_has(&view->pictures, "cache_hits") ? CACHE_ROWS_MAX : 0;
    rows.processes = view->pictures.now->process_count;
    return rows;
}
