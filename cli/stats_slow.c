/*
 * stats_slow.c - the commands `stats slow` and `stats queries`.
 */
#include <stdlib.h>

#include "commands.h"
#include "display.h"
#include "metrics.h"

/* A picture of the store that the user means. */
static int read_metrics(struct cli *cli, const mneme_metrics **out) {
    int status = cli_open(cli, OPEN_TO_READ);
    return status == 0 ? mneme_metrics_read(cli->store, out, &cli->error) : status;
}

/* ---- stats slow -------------------------------------------------------------------------- */

static void add_slow(struct cli *cli, struct table *table, const mneme_slow_operation *slow) {
    struct pool *pool = &cli->pool;
    const char *failed = slow->code != 0 ? mneme_status_text(slow->code) : "";
    const mneme_text cells[] = {
        mneme_text_of(display_time(pool, slow->at_us, 19)),
        mneme_text_of(pool_format(pool, "%s %s", slow->layer, slow->name)),
        mneme_text_of(display_latency(pool, slow->duration_ns)),
        mneme_text_of(slow->records > 0 ? display_short(pool, (double)slow->records) : ""),
        mneme_text_of(pool_format(pool, "%s%s%s", slow->detail,
                                  *slow->detail && *failed ? ": " : "", failed)),
    };
    table_add(table, cells);
}

static void put_slow(struct cli *cli, const mneme_metrics *metrics, size_t count) {
    static const char *const titles[] = {"ENDED (UTC)", "OPERATION", "TOOK",
                                         "RECORDS",     "WHAT",      NULL};
    struct table table = table_begin(&cli->pool, titles);
    table.right = 0xc;
    for (size_t i = 0; i < count; i++) {
        if (cli->json)
            put_slow_json(cli->out.stream, &metrics->slow[i]);
        else
            add_slow(cli, &table, &metrics->slow[i]);
    }
    if (table.rows > 0)
        table_print(&table, cli->out.stream, cli->width, cli->color);
    else if (!cli->json)
        cli_say(cli, "%s",
                metrics->process_count > 0 ? "no slow operation" : "no process has the store open");
}

static int run_slow(struct cli *cli) {
    const char *limit = option_value(cli, "limit");
    const mneme_metrics *metrics;
    size_t most = limit != NULL ? strtoul(limit, NULL, 10) : 20;
    int status = read_metrics(cli, &metrics);
    if (status != 0)
        return status;
    put_slow(cli, metrics, metrics->slow_count < most ? metrics->slow_count : most);
    mneme_metrics_release(metrics);
    return 0;
}

static const struct option slow_options[] = {
    OPTION_WHOLE("limit", "N", "the latest N (20)", 1, 100000), OPTION_END};
static const char *const slow_examples[] = {"mneme stats slow", "mneme --json stats slow --limit 5",
                                            NULL};
const struct command stats_slow_command = {
    .name = "stats slow",
    .summary = "operations that took long, the latest first",
    .details =
        "Each process that has the store open keeps its latest 128 operations that took longer "
        "than [metrics] slow_ms (MNEME_SLOW_MS, 100 ms): when it ended, on which layer, how long "
        "it "
        "took, how many records it read or wrote, and of what. An operation of a caller (api) may "
        "stand above those of the layers below that it waited for. What is shown is content of the "
        "store, for its owner.",
    .examples = slow_examples,
    .options = slow_options,
    .is_long = true,
    .observes = true,
    .run = run_slow,
};

/* ---- stats queries ----------------------------------------------------------------------- */

static void add_shape(struct cli *cli, struct table *table, const mneme_query_shape *shape) {
    struct pool *pool = &cli->pool;
    double rate = shape->count > 0 ? 100.0 * (double)shape->hits / (double)shape->count : 0;
    const mneme_text cells[] = {
        mneme_text_of(display_short(pool, (double)shape->count)),
        mneme_text_of(pool_format(pool, "%.0f %%", rate)),
        mneme_text_of(shape->errors > 0 ? display_short(pool, (double)shape->errors) : ""),
        mneme_text_of(display_latency(pool, shape->latency.p50_ns)),
        mneme_text_of(display_latency(pool, shape->latency.p99_ns)),
        mneme_text_of(display_latency(pool, shape->latency.max_ns)),
        mneme_text_of(shape->text),
    };
    table_add(table, cells);
}

static void put_shapes_page(struct cli *cli, const mneme_metrics *metrics) {
    static const char *const titles[] = {"COUNT", "HITS", "ERRORS", "P50",
                                         "P99",   "MAX",  "QUERY",  NULL};
    struct table table = table_begin(&cli->pool, titles);
    table.right = 0x3f;
    for (size_t i = 0; i < metrics->total.shape_count; i++)
        add_shape(cli, &table, &metrics->total.shapes[i]);
    if (table.rows > 0)
        table_print(&table, cli->out.stream, cli->width, cli->color);
    else
        cli_say(cli, "%s",
                metrics->process_count > 0 ? "no query" : "no process has the store open");
}

static int run_queries(struct cli *cli) {
    const mneme_metrics *metrics;
    int status = read_metrics(cli, &metrics);
    if (status != 0)
        return status;
    if (cli->json) {
        struct json_line line = line_begin(cli->out.stream);
        put_shapes_json(&line, &metrics->total);
        line_end(&line);
    } else {
        put_shapes_page(cli, metrics);
    }
    mneme_metrics_release(metrics);
    return 0;
}

static const char *const queries_examples[] = {"mneme stats queries", "mneme --json stats queries",
                                               NULL};
const struct command stats_queries_command = {
    .name = "stats queries",
    .summary = "which forms of queries were asked, how often, how fast",
    .details =
        "A form is a query without its values: the kind, the attributes that it asks for (those of "
        "metadata as meta.*), bounds, order, and whether it goes on from a page before. HITS were "
        "answered from the cache of queries. All processes that have the store open, and those "
        "that had, since the first of them opened it; the most frequent form first, at most 64 "
        "of a process, the rest as \"other\".",
    .examples = queries_examples,
    .is_long = true,
    .observes = true,
    .run = run_queries,
};
