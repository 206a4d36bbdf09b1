/*
 * top_screen.c - the screen of `top`: its head, the lines on the remote and on sync, its foot, and
 * how many rows each part gets.
 */
#include "top_screen.h"

#include <string.h>
#include <time.h>

#include "display.h"

enum { INDENT = 8 }; /* of what is told of the remote and of sync */

static const char *const window_names[] = {"now", "minute", "hour"};
static const char *const sort_names[] = {"rate", "p99", "errors", "name"};

/* ---- Head and foot --------------------------------------------------------------------------- */

static const char *clock_text(struct pool *pool) {
    char text[16];
    struct tm local;
    time_t now = time(NULL);
    if (localtime_r(&now, &local) == NULL || strftime(text, sizeof text, "%H:%M:%S", &local) == 0)
        return "";
    return pool_copy(pool, text, strlen(text));
}

static void draw_title(const struct top_view *view, struct canvas *canvas) {
    const char *clock = clock_text(canvas->pool);
    const char *state = view->paused ? "PAUSED " : "";
    size_t columns = canvas->columns, side = strlen(clock) + strlen(state) + 1;
    if (!canvas_line(canvas))
        return;
    canvas_put(canvas, BOLD, "mneme top");
    canvas_gap(canvas);
    canvas->columns = columns > side ? columns - side : 0;
    canvas_put(canvas, PLAIN, view->store);
    canvas->columns = columns;
    canvas_to(canvas, columns - side + 1);
    canvas_put(canvas, WARN, state);
    canvas_put(canvas, PLAIN, clock);
}

static size_t others(const mneme_metrics *now) {
    return now->process_count - (figures_self(now) != NULL);
}

/* The oldest of the others; 0: there is none. */
static double oldest_s(const mneme_metrics *now) {
    for (size_t i = 0; i < now->process_count; i++)
        if (!now->processes[i].self)
            return (double)(now->at_us - now->processes[i].since_us) / 1e6;
    return 0;
}

static double call_rate(const struct pictures *p) {
    return p->seconds > 0 ? (double)figures_calls_of_others(p) / p->seconds : 0;
}

/* A fact is told as a whole or, for want of room, not at all. */
static void put_fact(struct canvas *canvas, enum style style, const char *text) {
    if (canvas->column + 2 + display_width(mneme_text_of(text)) <= canvas->columns)
        canvas_print_apart(canvas, style, "%s", text);
}

static void draw_facts(const struct top_view *view, struct canvas *canvas) {
    const struct pictures *p = &view->pictures;
    struct pool *pool = canvas->pool;
    size_t count = others(p->now);
    double file = figures_of_store(p, "store_file", "bytes");
    double used = figures_of_store(p, "store_used", "bytes");
    if (!canvas_line(canvas))
        return;
    if (count == 0)
        canvas_put(canvas, PLAIN, "no other process");
    else
        canvas_print(canvas, PLAIN, "%zu process%s, up %s", count, count == 1 ? "" : "es",
                     short_age(pool, oldest_s(p->now)));
    put_fact(canvas, PLAIN, pool_format(pool, "%s calls/s", short_number(pool, call_rate(p))));
    if (p->now->alone[0] != '\0')
        canvas_print_apart(canvas, WARN, "sees only itself: %s", p->now->alone);
    if (figures_has_store(p, "store_records"))
        put_fact(canvas, PLAIN,
                 display_records(pool, (uint64_t)figures_of_store(p, "store_records", "")));
    if (file > 0)
        put_fact(canvas, PLAIN, pool_format(pool, "file %s", short_bytes(pool, file)));
    if (file > 0)
        put_fact(canvas, PLAIN, pool_format(pool, "%s used", short_bytes(pool, used)));
}

static void draw_foot(const struct top_view *view, struct canvas *canvas) {
    static const char *const keys[] = {"q", "space", "w", "s", "p", "?"};
    const char *words[] = {"quit",
                           view->paused ? "go on" : "pause",
                           window_names[view->window],
                           sort_names[view->sort],
                           view->processes ? "operations" : "processes",
                           "help"};
    if (!view->keys || !canvas_line(canvas))
        return;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (i > 0)
            canvas_gap(canvas);
        canvas_put(canvas, BOLD, keys[i]);
        canvas_print(canvas, PLAIN, " %s", words[i]);
    }
}

/* ---- The remote ------------------------------------------------------------------------------ */

static double other(const struct top_view *view, const char *name, const char *unit) {
    return figures_of_others(&view->pictures, name, unit, "");
}

static double other_rate(const struct top_view *view, const char *name, const char *unit) {
    return figures_growth_of_others(&view->pictures, name, unit, "");
}

static enum style bad_if(double value) { return value > 0 ? BAD : DIM; }

static void put_breaker(const struct top_view *view, struct canvas *canvas) {
    double state = figures_of_store(&view->pictures, "breaker_state", "");
    if (state >= 2)
        canvas_put(canvas, BAD, "breaker OPEN: the server fails");
    else if (state >= 1)
        canvas_put(canvas, WARN, "breaker trying the server");
    else
        canvas_put(canvas, GOOD, "breaker closed");
}

static void draw_remote(const struct top_view *view, struct canvas *canvas) {
    struct pool *pool = canvas->pool;
    double waiting = other(view, "pool_waiting", "");
    if (!canvas_line(canvas))
        return;
    canvas_put(canvas, BOLD, "REMOTE");
    canvas_to(canvas, INDENT);
    put_breaker(view, canvas);
    canvas_print_apart(canvas, PLAIN, "pool %.0f open, %.0f idle, ", other(view, "pool_open", ""),
                       other(view, "pool_idle", ""));
    canvas_print(canvas, waiting > 0 ? WARN : PLAIN, "%.0f waiting", waiting);
    if (!canvas_line(canvas))
        return;
    canvas_to(canvas, INDENT);
    canvas_print(canvas, PLAIN, "%s requests/s, ↑ %s/s ↓ %s/s",
                 short_number(pool, other_rate(view, "remote_requests", "")),
                 short_bytes(pool, other_rate(view, "remote_sent", "bytes")),
                 short_bytes(pool, other_rate(view, "remote_received", "bytes")));
    double retries = other_rate(view, "remote_retries", "");
    double failures = other_rate(view, "remote_failures", "");
    canvas_print_apart(canvas, bad_if(retries), "%s retries/s", short_number(pool, retries));
    canvas_print_apart(canvas, bad_if(failures), "%s failed/s", short_number(pool, failures));
}

/* ---- Sync ------------------------------------------------------------------------------------ */

static const char *ago(struct pool *pool, int64_t now_us, int64_t then_us) {
    if (then_us == 0)
        return "never";
    return pool_format(pool, "%s ago", short_age(pool, (double)(now_us - then_us) / 1e6));
}

static void put_outbox(const struct top_view *view, struct canvas *canvas) {
    const mneme_sync_status *sync = view->sync;
    struct pool *pool = canvas->pool;
    int64_t now_us = view->pictures.now->at_us;
    if (sync->pending == 0) {
        canvas_put(canvas, GOOD, "nothing waits to go out");
        return;
    }
    canvas_print(canvas, WARN, "%s record%s wait%s to go out", short_count(pool, sync->pending),
                 sync->pending == 1 ? "" : "s", sync->pending == 1 ? "s" : "");
    if (sync->oldest_us > 0)
        canvas_print(canvas, PLAIN, ", the oldest for %s",
                     short_age(pool, (double)(now_us - sync->oldest_us) / 1e6));
}

static void draw_sync(const struct top_view *view, struct canvas *canvas) {
    const mneme_sync_status *sync = view->sync;
    struct pool *pool = canvas->pool;
    int64_t now_us = view->pictures.now->at_us;
    if (!canvas_line(canvas))
        return;
    canvas_put(canvas, BOLD, "SYNC");
    canvas_to(canvas, INDENT);
    put_outbox(view, canvas);
    if (sync->superseded > 0)
        canvas_print_apart(canvas, WARN, "%s conflicts", short_count(pool, sync->superseded));
    if (!canvas_line(canvas))
        return;
    canvas_to(canvas, INDENT);
    if (sync->error_us != 0) {
        canvas_print(canvas, BAD, "failing for %s: %s",
                     short_age(pool, (double)(now_us - sync->error_us) / 1e6), sync->error_text);
        return;
    }
    canvas_print(canvas, PLAIN, "pushed %s, %s/s; pulled %s, %s/s",
                 ago(pool, now_us, sync->push_us),
                 short_number(pool, figures_growth_of_store(&view->pictures, "sync_pushed", "")),
                 ago(pool, now_us, sync->pull_us),
                 short_number(pool, figures_growth_of_store(&view->pictures, "sync_pulled", "")));
    if (sync->head > sync->cursor)
        canvas_print_apart(canvas, WARN, "%s behind", short_count(pool, sync->head - sync->cursor));
}

/* ---- Help ------------------------------------------------------------------------------------ */

static void draw_help(struct canvas *canvas) {
    static const char *const keys[][2] = {
        {"q", "quit; so does Ctrl-C"},
        {"space", "hold the picture, and go on"},
        {"w", "what rates and times are of: now, the last minute, the last hour"},
        {"s", "order: by the rate of the last minute, by p99, errors, name"},
        {"p", "more of the processes, or of the operations"},
        {"?", "this"},
    };
    static const char *const lines[] = {
        "Layers are parts of those above: api, cache, queue, kv or sql, net.",
        "Times are at most 6.25 % above the true ones; - : none was timed.",
        "Sparklines are of the last minute, each up to its own greatest; . is 0.",
        "Errors are those of the last minute, or of the hour.",
        "Cache hits are of now, and of the last hour.",
        "Rates of caches, the remote and sync are of the last 5 seconds.",
        "What this program does itself is left out; of the last minute and hour,",
        "latencies of what it does, too (stats), have its own.",
    };
    canvas_line(canvas);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0] && canvas_line(canvas); i++) {
        canvas_put(canvas, BOLD, keys[i][0]);
        canvas_to(canvas, INDENT);
        canvas_put(canvas, PLAIN, keys[i][1]);
    }
    canvas_line(canvas);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0] && canvas_line(canvas); i++)
        canvas_put(canvas, PLAIN, lines[i]);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static size_t take(size_t *left, size_t wanted) {
    size_t taken = *left < wanted ? *left : wanted;
    *left -= taken;
    return taken;
}

struct plan {
    struct top_rows rows;
    bool remote, sync;
    bool blanks; /* a line between the parts */
};

/* Rows go to what matters most first: some operations, how the remote and sync stand, the caches as
 * a whole, a process; then each part gets more, in turn. */
static struct plan make_plan(const struct top_view *view, struct pool *pool, size_t left) {
    enum { FEW_OPERATIONS = 3, SOME_OPERATIONS = 7, SOME_PROCESSES = 3 };
    struct top_rows wanted = tables_wanted(view, pool), got = {0};
    struct plan plan = {.sync = view->sync != NULL,
                        .remote = figures_has(&view->pictures, "pool_open")};
    size_t *first = view->processes ? &got.processes : &got.operations;
    size_t first_wanted = view->processes ? wanted.processes : wanted.operations;
    take(&left, 1 + 2 * (size_t)plan.sync + 2 * (size_t)plan.remote);
    got.operations = take(&left, FEW_OPERATIONS);
    if (left >= 2 + 1 && wanted.processes > 0)
        take(&left, 1), got.processes = take(&left, 1);
    if (left >= 2 && wanted.caches > 0)
        take(&left, 1), got.caches = take(&left, 1);
    *first += take(&left, view->processes ? SOME_PROCESSES : SOME_OPERATIONS - FEW_OPERATIONS);
    if (left >= 3 && got.caches > 0)
        got.caches += take(&left, wanted.caches - got.caches);
    size_t parts = 1;
    parts += got.processes > 0 ? 1 : 0;
    parts += got.caches > 0 ? 1 : 0;
    parts += plan.remote || plan.sync ? 1 : 0;
    plan.blanks = left >= parts;
    if (plan.blanks)
        take(&left, parts);
    if (!view->processes && got.processes > 0)
        got.processes += take(&left, SOME_PROCESSES - got.processes);
    if (*first < first_wanted)
        *first += take(&left, first_wanted - *first);
    if (got.processes > 0 && got.processes < wanted.processes)
        got.processes += take(&left, wanted.processes - got.processes);
    if (got.operations < wanted.operations)
        got.operations += take(&left, wanted.operations - got.operations);
    plan.rows = got;
    return plan;
}

static void draw_blank(const struct plan *plan, struct canvas *canvas) {
    if (plan->blanks)
        canvas_line(canvas);
}

static void draw_parts(const struct top_view *view, struct canvas *canvas) {
    struct plan plan = make_plan(view, canvas->pool, canvas_rows_left(canvas));
    draw_blank(&plan, canvas);
    draw_operations(view, canvas, plan.rows.operations);
    if (plan.rows.caches > 0)
        draw_blank(&plan, canvas);
    draw_caches(view, canvas, plan.rows.caches);
    if (plan.remote || plan.sync)
        draw_blank(&plan, canvas);
    if (plan.remote)
        draw_remote(view, canvas);
    if (plan.sync)
        draw_sync(view, canvas);
    if (plan.rows.processes > 0)
        draw_blank(&plan, canvas);
    draw_processes(view, canvas, plan.rows.processes);
}

static void draw_trouble(const struct top_view *view, struct canvas *canvas) {
    if (canvas_line(canvas))
        canvas_print(canvas, BAD, "%s; tried again every %g s", view->trouble, view->interval_s);
}

void screen_draw(const struct top_view *view, struct canvas *canvas) {
    size_t foot = view->keys ? 1 : 0;
    if (canvas->columns < SCREEN_MIN_COLUMNS || canvas->rows < SCREEN_MIN_ROWS) {
        if (canvas_line(canvas))
            canvas_print(canvas, PLAIN, "too small: needs %dx%d, has %zux%zu", SCREEN_MIN_COLUMNS,
                         SCREEN_MIN_ROWS, canvas->columns, canvas->rows);
        return;
    }
    draw_title(view, canvas);
    canvas->rows -= foot;
    if (view->trouble[0] != '\0')
        draw_trouble(view, canvas);
    else if (view->pictures.now != NULL)
        draw_facts(view, canvas);
    if (view->help)
        draw_help(canvas);
    else if (view->pictures.now != NULL)
        draw_parts(view, canvas);
    while (foot > 0 && canvas_line(canvas)) {
    }
    canvas->rows += foot;
    draw_foot(view, canvas);
}
