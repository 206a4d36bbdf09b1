/*
 * stats.c - the command `stats`.
 */
#include <stddef.h>
#include <string.h>

#include "commands.h"
#include "display.h"
#include "metrics.h"
#include "metrics_source.h"

/* ---- Caches ------------------------------------------------------------------------------ */

enum form { FORM_COUNT, FORM_BYTES, FORM_RATE, FORM_MINUTE_RATE, FORM_HOUR_RATE };

/* What is told of a cache, in the order of the page and of the JSON object. */
struct figure {
    const char *name;  /* in JSON; NULL: reckoned from others, which stand there by themselves */
    const char *label; /* on the page; NULL: not there */
    enum form form;
    size_t offset; /* in mneme_cache_stats, of the first two forms */
};

#define FIGURE(field, label, form)                                                                 \
    { #field, label, form, offsetof(mneme_cache_stats, field) }

static const struct figure figures[] = {
    FIGURE(entries, "entries", FORM_COUNT),
    FIGURE(entries_max, "entries at most", FORM_COUNT),
    FIGURE(bytes, "bytes", FORM_BYTES),
    FIGURE(bytes_max, "bytes at most", FORM_BYTES),
    FIGURE(hits, "hits", FORM_COUNT),
    FIGURE(negative_hits, "hits: known absent", FORM_COUNT),
    FIGURE(misses, "misses", FORM_COUNT),
    FIGURE(joins, "misses: load shared", FORM_COUNT),
    {NULL, "hit rate", FORM_RATE, 0},
    {NULL, "hit rate, last minute", FORM_MINUTE_RATE, 0},
    {NULL, "hit rate, last hour", FORM_HOUR_RATE, 0},
    FIGURE(minute_hits, NULL, FORM_COUNT),
    FIGURE(minute_lookups, NULL, FORM_COUNT),
    FIGURE(hour_hits, NULL, FORM_COUNT),
    FIGURE(hour_lookups, NULL, FORM_COUNT),
    FIGURE(admissions, "admitted", FORM_COUNT),
    FIGURE(rejections, "rejected", FORM_COUNT),
    FIGURE(evictions_by_bytes, "evicted: byte limit", FORM_COUNT),
    FIGURE(evictions_by_entries, "evicted: entry limit", FORM_COUNT),
    FIGURE(expirations, "expired", FORM_COUNT),
    FIGURE(invalidations_by_change, "dropped: change", FORM_COUNT),
    FIGURE(invalidations_by_flood, "dropped: flood", FORM_COUNT),
    FIGURE(invalidations_by_replace, "dropped: replaced", FORM_COUNT),
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static bool is_on(const mneme_cache_stats *cache) { return cache->bytes_max > 0; }

static uint64_t figure_value(const struct figure *figure, const mneme_cache_stats *cache) {
    uint64_t value;
    memcpy(&value, (const char *)cache + figure->offset, sizeof value);
    return value;
}

/* "93.1 %"; "-" when nothing was looked up. */
static const char *rate_text(struct pool *pool, uint64_t hits, uint64_t lookups) {
    if (lookups == 0)
        return "-";
    return pool_format(pool, "%.1f %%", 100.0 * (double)hits / (double)lookups);
}

static const char *figure_text(struct pool *pool, const struct figure *figure,
                               const mneme_cache_stats *cache) {
    switch (figure->form) {
    case FORM_COUNT:
        return display_count(pool, figure_value(figure, cache));
    case FORM_BYTES:
        return display_bytes(pool, figure_value(figure, cache));
    case FORM_RATE:
        return rate_text(pool, cache->hits, cache->hits + cache->misses);
    case FORM_MINUTE_RATE:
        return rate_text(pool, cache->minute_hits, cache->minute_lookups);
    case FORM_HOUR_RATE:
        return rate_text(pool, cache->hour_hits, cache->hour_lookups);
    }
    return "";
}

static void put_caches_json(FILE *out, const mneme_cache_stats *stats) {
    struct json_line caches = line_begin(out);
    for (int id = 0; id < MNEME_CACHE_COUNT; id++) {
        line_key(&caches, mneme_cache_name((mneme_cache_id)id));
        struct json_line cache = line_begin(out);
        line_add_bool(&cache, "on", is_on(&stats[id]));
        for (size_t i = 0; i < FIGURES; i++)
            if (figures[i].name != NULL)
                line_add_count(&cache, figures[i].name, figure_value(&figures[i], &stats[id]));
        line_close(&cache);
    }
    line_close(&caches);
}

/* A column for each cache; the one of a cache that is off says so and is empty below. */
static void put_caches_page(struct cli *cli, const mneme_cache_stats *stats) {
    static const char *const titles[] = {"CACHE", "EPISODES", "PATTERNS", "QUERIES", NULL};
    mneme_text cells[MNEME_CACHE_COUNT + 1];
    struct table table = table_begin(&cli->pool, titles);
    bool any = false;
    table.right = 0xe;
    for (size_t i = 0; i < FIGURES; i++) {
        if (figures[i].label == NULL)
            continue;
        cells[0] = mneme_text_of(figures[i].label);
        for (int id = 0; id < MNEME_CACHE_COUNT; id++) {
            const char *text = i == 0 ? "off" : "";
            any = any || is_on(&stats[id]);
            if (is_on(&stats[id]))
                text = figure_text(&cli->pool, &figures[i], &stats[id]);
            cells[id + 1] = mneme_text_of(text);
        }
        table_add(&table, cells);
    }
    if (any)
        table_print(&table, cli->out.stream, cli->width, cli->color);
    else
        fputs("Caches    off\n", cli->out.stream);
}

/* What the caches of all processes add up to, in place of those of this run. */
static void take_totals(mneme_cache_stats caches[MNEME_CACHE_COUNT], const mneme_metrics *metrics) {
    static const struct {
        const char *level;
        size_t offset;
    } fields[] = {
#define TOTAL(level, field) {level, offsetof(mneme_cache_stats, field)}
        TOTAL("cache", bytes),
        TOTAL("cache_limit", bytes_max),
        TOTAL("cache_entries", entries),
        TOTAL("cache_entries_limit", entries_max),
        TOTAL("cache_hits", hits),
        TOTAL("cache_negative_hits", negative_hits),
        TOTAL("cache_misses", misses),
        TOTAL("cache_joins", joins),
        TOTAL("cache_admissions", admissions),
        TOTAL("cache_rejections", rejections),
        TOTAL("cache_evictions_by_bytes", evictions_by_bytes),
        TOTAL("cache_evictions_by_entries", evictions_by_entries),
        TOTAL("cache_expirations", expirations),
        TOTAL("cache_invalidations_by_change", invalidations_by_change),
        TOTAL("cache_invalidations_by_flood", invalidations_by_flood),
        TOTAL("cache_invalidations_by_replace", invalidations_by_replace),
        TOTAL("cache_minute_hits", minute_hits),
        TOTAL("cache_minute_lookups", minute_lookups),
        TOTAL("cache_hour_hits", hour_hits),
        TOTAL("cache_hour_lookups", hour_lookups),
    };
    memset(caches, 0, MNEME_CACHE_COUNT * sizeof *caches);
    for (size_t i = 0; i < metrics->total.level_count; i++) {
        const mneme_level *level = &metrics->total.levels[i];
        for (int id = 0; id < MNEME_CACHE_COUNT; id++) {
            if (strcmp(level->label_value, mneme_cache_name((mneme_cache_id)id)) != 0)
                continue;
            uint64_t value = (uint64_t)level->value;
            for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++)
                if (strcmp(fields[j].level, level->name) == 0)
                    memcpy((char *)&caches[id] + fields[j].offset, &value, sizeof value);
        }
    }
}

/* ---- Kinds ------------------------------------------------------------------------------- */

static void put_kinds_json(FILE *out, const mneme_kind_stats *stats) {
    struct json_line kinds = line_begin(out);
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        line_key(&kinds, mneme_kind_name((mneme_kind)kind));
        struct json_line counts = line_begin(out);
        line_add_count(&counts, "records", stats[kind].records);
        line_add_count(&counts, "deleted", stats[kind].tombstones);
        line_add_count(&counts, "stored_bytes", stats[kind].stored_bytes);
        line_add_count(&counts, "plain_bytes", stats[kind].plain_bytes);
        line_close(&counts);
    }
    line_close(&kinds);
}

/* "4.9 x": how many times smaller the bodies are stored than they are. */
static const char *ratio_text(struct cli *cli, uint64_t plain, uint64_t stored) {
    return stored > 0 ? pool_format(&cli->pool, "%.1f x", (double)plain / (double)stored) : "";
}

static void add_kind_row(struct cli *cli, struct table *table, const char *name,
                         const mneme_kind_stats *stats) {
    struct pool *pool = &cli->pool;
    const mneme_text cells[] = {
        mneme_text_of(name),
        mneme_text_of(display_count(pool, stats->records)),
        mneme_text_of(stats->tombstones > 0 ? display_count(pool, stats->tombstones) : ""),
        mneme_text_of(display_bytes(pool, stats->plain_bytes)),
        mneme_text_of(display_bytes(pool, stats->stored_bytes)),
        mneme_text_of(ratio_text(cli, stats->plain_bytes, stats->stored_bytes)),
    };
    table_add(table, cells);
}

static void put_kinds_page(struct cli *cli, const mneme_kind_stats *stats) {
    static const char *const titles[] = {"KIND",   "RECORDS", "DELETED", "PLAIN",
                                         "STORED", "SMALLER", NULL};
    struct table table = table_begin(&cli->pool, titles);
    mneme_kind_stats total = {0};
    table.right = 0x3e;
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        if (stats[kind].records + stats[kind].tombstones == 0)
            continue;
        add_kind_row(cli, &table, mneme_kind_name((mneme_kind)kind), &stats[kind]);
        total.records += stats[kind].records;
        total.tombstones += stats[kind].tombstones;
        total.stored_bytes += stats[kind].stored_bytes;
        total.plain_bytes += stats[kind].plain_bytes;
    }
    add_kind_row(cli, &table, "all", &total);
    table_print(&table, cli->out.stream, cli->width, cli->color);
}

/* ---- The command ------------------------------------------------------------------------- */

static void put_sync_json(struct json_line *line, const mneme_sync_status *status) {
    if (!status->shared)
        return;
    line_key(line, "sync");
    struct json_line inner = line_begin(line->out);
    put_sync_members(&inner, status);
    line_close(&inner);
}

static void put_stats_json(FILE *out, const mneme_stats *stats, const mneme_metrics *metrics) {
    struct json_line line = line_begin(out);
    line_add_text(&line, "store", stats->path);
    line_add_count(&line, "file_bytes", stats->file_bytes);
    line_add_count(&line, "used_bytes", stats->used_bytes);
    line_add_count(&line, "commits", stats->commits);
    line_add_count(&line, "changes", stats->changes);
    line_add_count(&line, "readers", stats->readers);
    line_key(&line, "kinds");
    put_kinds_json(out, stats->kinds);
    put_remote_json(&line, stats);
    put_sync_json(&line, &stats->sync);
    line_key(&line, "caches");
    put_caches_json(out, stats->caches);
    if (metrics != NULL)
        put_metrics_json(&line, metrics);
    line_end(&line);
}

static void put_operations(struct cli *cli, const mneme_metrics *metrics) {
    const char *choice = option_value(cli, "window");
    int window = choice != NULL ? value_choice("minute|hour|life", choice) : MNEME_WINDOW_HOUR;
    put_processes_page(cli, metrics);
    fputc('\n', cli->out.stream);
    if (metrics->process_count == 0)
        return;
    put_operations_page(cli, &metrics->total, (mneme_window)window);
    fputc('\n', cli->out.stream);
    for (size_t i = 0; option_given(cli, "each") && i < metrics->process_count; i++) {
        const mneme_process *process = &metrics->processes[i];
        fprintf(cli->out.stream, "Process %lld, %s\n", (long long)process->pid, process->command);
        put_operations_page(cli, process, (mneme_window)window);
        fputc('\n', cli->out.stream);
    }
}

static void put_stats_page(struct cli *cli, const mneme_stats *stats,
                           const mneme_metrics *metrics) {
    struct pool *pool = &cli->pool;
    FILE *out = cli->out.stream;
    fprintf(out, "Store     %s\n", stats->path);
    if (stats->file_bytes > 0)
        fprintf(out, "File      %s, %s of it in use\n", display_bytes(pool, stats->file_bytes),
                display_bytes(pool, stats->used_bytes));
    fprintf(out, "Commits   %s\n", display_count(pool, stats->commits));
    put_remote_page(cli, stats);
    put_sync_line(cli, &stats->sync);
    fputc('\n', out);
    put_kinds_page(cli, stats->kinds);
    fputc('\n', out);
    if (metrics != NULL)
        put_operations(cli, metrics);
    put_caches_page(cli, stats->caches);
}

void print_stats(struct cli *cli, const mneme_stats *stats, const mneme_metrics *metrics) {
    if (cli->json)
        put_stats_json(cli->out.stream, stats, metrics);
    else
        put_stats_page(cli, stats, metrics);
}

/* The choices of --format, in their order. */
enum stats_format { STATS_TEXT, STATS_JSON, STATS_OPENMETRICS, STATS_PROMETHEUS };

static int put_metrics(struct cli *cli, enum metrics_format format) {
    mneme_metrics_scope scope =
        option_given(cli, "each") ? MNEME_METRICS_EACH : MNEME_METRICS_TOTAL;
    mneme_bytes text = {0};
    int status = metrics_text(cli->store, scope, format, &text, &cli->error);
    if (status == 0)
        fwrite(text.data, 1, text.size, cli->out.stream);
    mneme_bytes_free(&text);
    return status;
}

static int run_stats(struct cli *cli) {
    mneme_stats stats = {.size = sizeof stats};
    const mneme_metrics *metrics;
    int format = option_choice(cli, "format");
    /* Nobody else may have the store open; then this process is the one that tells how it stands.
     */
    cli->measured = format >= STATS_OPENMETRICS;
    int status = cli_open(cli, OPEN_TO_READ);
    if (status == 0 && format >= STATS_OPENMETRICS)
        return put_metrics(cli,
                           format == STATS_OPENMETRICS ? METRICS_OPENMETRICS : METRICS_PROMETHEUS);
    cli->json = cli->json || format == STATS_JSON;
    if (status == 0)
        status = mneme_stats_get(cli->store, &stats, &cli->error);
    if (status == 0)
        status = mneme_metrics_read(cli->store, &metrics, &cli->error);
    if (status != 0)
        return status;
    if (metrics->process_count > 0)
        take_totals(stats.caches, metrics);
    print_stats(cli, &stats, metrics);
    mneme_metrics_release(metrics);
    return 0;
}

static const struct option stats_options[] = {
    OPTION_CHOICE("window", "WINDOW", "minute, hour (as a rule), or life: since it was opened",
                  "minute|hour|life"),
    OPTION_SWITCH("each", "the operations of each process, too; as metrics, instead of the total"),
    OPTION_CHOICE("format", "FORMAT",
                  "text, json (as with --json), openmetrics, or prometheus: the older text",
                  "text|json|openmetrics|prometheus"),
    OPTION_END,
};

static const char *const stats_examples[] = {"mneme stats", "mneme stats --window minute --each",
                                             "mneme --json stats",
                                             "mneme stats --format openmetrics", NULL};
const struct command stats_command = {
    .name = "stats",
    .summary = "what is stored, what is done with it, and how fast",
    .details = "Prints what is stored of each kind. Then the processes of this machine that have "
               "the store open, and what they did in the last hour (--window): how often, how "
               "often it failed, and how long it took, at the median and so on; a figure is at "
               "most 6 % above the true one. `stats slow` tells which took long, `stats queries` "
               "what was asked for; docs/metrics.md tells the rest. Then the caches, one a column: "
               "what is in "
               "them, how often what was asked for was there, and why entries left. A hit that is "
               "\"known absent\" told that there is no such record; a miss with a \"load shared\" "
               "had the answer of another thread. \"Evicted\" names the limit that was passed. "
               "\"Dropped\" tells of entries that were out of date: the record has changed, or a "
               "flood of changes was not looked at one by one, or a newer entry took the place.\n"
               "\n"
               "Of a store behind a server it tells of requests, of bytes on the wire beside those "
               "of the bodies before and after compression, of the pool of connections, of the "
               "breaker that stops requests while the server fails, and of the replica.\n"
               "\n"
               "Caches belong to a process; what is printed is the sum over all that have the "
               "store open. When none has, it is the limits of this run, which has hardly read "
               "anything yet.",
    .examples = stats_examples,
    .options = stats_options,
    .observes = true,
    .is_long = true,
    .run = run_stats,
};
