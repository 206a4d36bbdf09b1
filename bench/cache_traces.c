/*
 * cache_traces.c - hit rates on recorded requests: ours, LRU's, and the best possible ones. Every
 * value takes one entry; the cache is one part, so that all of them know the same.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bench/cache_cases.h"
#include "bench/cache_value.h"
#include "bench/trace_play.h"

enum { NAME_MAX_SIZE = 32, SHORT = 20000, ASK_AGAIN = 1 << 16 };

/* In percent of all requests. */
struct played {
    double ours, lru, optimum;
};

static int play_ours(const struct trace *trace, size_t capacity, size_t *hits, mneme_error *error) {
    AUTO_CACHE struct cache *cache = NULL;
    TRY(value_cache_create((size_t)1 << 40, capacity, 1, &cache, error));
    *hits = 0;
    for (size_t t = 0; t < trace->count; t++) {
        bool hit;
        TRY(value_ask(cache, trace->keys[t], 1, &hit, error));
        *hits += hit;
        if (t % ASK_AGAIN == 0)
            TRY(interrupt_check(error));
    }
    return 0;
}

static int play(const struct trace *trace, size_t capacity, struct played *out,
                mneme_error *error) {
    size_t ours, lru, optimum;
    TRY(play_ours(trace, capacity, &ours, error));
    TRY(trace_play_lru(trace, capacity, &lru, error));
    TRY(trace_play_optimum(trace, capacity, &optimum, error));
    *out = (struct played){percent(ours, trace->count), percent(lru, trace->count),
                           percent(optimum, trace->count)};
    return 0;
}

static void report_played(struct report *report, const char *name, const struct played *played) {
    struct row row = {.name = name,
                      .unit = "%",
                      .reference = "best possible",
                      .value = {.median = played->ours},
                      .reference_value = {.median = played->optimum}};
    report_row(report, &row);
    row.reference = "LRU";
    row.reference_value.median = played->lru;
    report_row(report, &row);
}

/* ---- The known ones ------------------------------------------------------------------------ */

static const struct recorded {
    const char *file, *name;
    size_t capacities[7]; /* up to the first 0 */
} recorded[] = {
    {"OLTP.lis.zst", "OLTP", {250, 500, 1000, 2000, 5000, 10000}},
    {"orm-busy.trace.xz", "orm-busy", {381, 763, 3817, 7634, 19087}},
    {"web12.trace.xz", "web12", {137, 687, 1375, 3439}},
    {"multi3.trace.gz", "multi3", {250, 500, 1000, 2000}},
    {"loop.trace.gz", "loop", {250, 500, 750}},
};

/* What all rows come to. */
struct summary {
    double ratios; /* sum of ours / optimum */
    size_t rows;
    double behind; /* the most points behind LRU; may be less than 0 */
    char worst[NAME_MAX_SIZE];
};

static void add_to_summary(struct summary *summary, const char *name, const char *capacity,
                           const struct played *played) {
    double behind = played->lru - played->ours;
    if (summary->rows == 0 || behind > summary->behind) {
        summary->behind = behind;
        snprintf(summary->worst, sizeof summary->worst, "%s %s", name, capacity);
    }
    summary->ratios += played->optimum > 0 ? played->ours / played->optimum : 1;
    summary->rows++;
}

static int play_recorded(struct kit *kit, const struct recorded *source, const char *path,
                         struct summary *summary, mneme_error *error) {
    AUTO_TRACE struct trace trace = {0};
    TRY(trace_load(path, &trace, error));
    if (kit->options->quick)
        trace.count = size_min(trace.count, SHORT);
    for (const size_t *capacity = source->capacities; *capacity; capacity++) {
        char name[NAME_MAX_SIZE], count[COUNT_TEXT_SIZE];
        struct played played;
        format_count(count, *capacity);
        snprintf(name, sizeof name, "%s, %s entries", source->name, count);
        report_progress(&kit->report, "measuring: %s", name);
        TRY(play(&trace, *capacity, &played, error));
        report_played(&kit->report, name, &played);
        add_to_summary(summary, source->name, count, &played);
    }
    return 0;
}

static void report_summary(struct kit *kit, const struct summary *summary) {
    char name[NAME_MAX_SIZE + 16];
    struct measured behind = {.median = summary->behind > 0 ? summary->behind : 0};
    report_row(&kit->report,
               &(struct row){.name = "all of them: mean",
                             .unit = "%",
                             .reference = "best possible",
                             .value = {.median = 100 * summary->ratios / (double)summary->rows},
                             .reference_value = {.median = 100},
                             .goal = AT_LEAST(0.85)});
    snprintf(name, sizeof name, "behind LRU: %s", summary->worst);
    cache_report_bound(&kit->report, name, "point", behind, 1, GOAL_AT_MOST);
}

static void tell_missing(struct kit *kit, const char *path) {
    char text[5000];
    snprintf(text, sizeof text, "LEFT OUT: there is no %s", path);
    report_heading(&kit->report, text);
    if (kit->options->json)
        fprintf(stderr, "mneme bench: left out: there is no %s\n", path);
}

enum { TRACE_PATH_MAX = 4096 };

static void trace_path(char path[TRACE_PATH_MAX], const struct recorded *source) {
    const char *directory = getenv("MNEME_DATA_DIR");
    snprintf(path, TRACE_PATH_MAX, "%s/traces/%s",
             directory && *directory ? directory : MNEME_DEFAULT_DATA_DIR, source->file);
}

int cache_traces(struct kit *kit, mneme_error *error) {
    struct summary summary = {0};
    report_heading(&kit->report, "hits on traces");
    for (size_t i = 0; i < COUNT_OF(recorded); i++) {
        char path[TRACE_PATH_MAX];
        trace_path(path, &recorded[i]);
        if (access(path, R_OK) == 0)
            TRY(play_recorded(kit, &recorded[i], path, &summary, error));
        else
            tell_missing(kit, path);
    }
    if (summary.rows)
        report_summary(kit, &summary);
    return 0;
}

/* ---- All at one size ------------------------------------------------------------------------ */

static int play_at(struct kit *kit, const struct recorded *source, const char *path,
                   size_t capacity, mneme_error *error) {
    AUTO_TRACE struct trace trace = {0};
    size_t ours, optimum;
    char name[NAME_MAX_SIZE];
    snprintf(name, sizeof name, "trace %s", source->name);
    report_progress(&kit->report, "measuring: %s", name);
    TRY(trace_load(path, &trace, error));
    if (kit->options->quick)
        trace.count = size_min(trace.count, SHORT);
    TRY(play_ours(&trace, capacity, &ours, error));
    TRY(trace_play_optimum(&trace, capacity, &optimum, error));
    report_row(&kit->report,
               &(struct row){.name = name,
                             .unit = "%",
                             .reference = "best possible",
                             .value = {.median = percent(ours, trace.count)},
                             .reference_value = {.median = percent(optimum, trace.count)}});
    return 0;
}

int cache_traces_at(struct kit *kit, size_t capacity, mneme_error *error) {
    for (size_t i = 0; i < COUNT_OF(recorded); i++) {
        char path[TRACE_PATH_MAX];
        trace_path(path, &recorded[i]);
        if (access(path, R_OK) == 0)
            TRY(play_at(kit, &recorded[i], path, capacity, error));
        else
            tell_missing(kit, path);
    }
    return 0;
}

/* ---- One of the user's ---------------------------------------------------------------------- */

static int play_capacity(struct report *report, const struct trace *trace, size_t capacity,
                         mneme_error *error) {
    char name[NAME_MAX_SIZE + 16], count[COUNT_TEXT_SIZE];
    struct played played;
    format_count(count, capacity);
    snprintf(name, sizeof name, "%s entries", count);
    report_progress(report, "playing: %s", name);
    TRY(play(trace, capacity, &played, error));
    report_played(report, name, &played);
    return 0;
}

/* Parts of all keys, in thousandths. */
static int play_capacities(struct report *report, const struct trace *trace, mneme_error *error) {
    static const size_t parts[] = {1, 10, 50, 100, 250};
    size_t before = 0;
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        size_t capacity = size_max(1, trace->distinct * parts[i] / 1000);
        if (capacity == before)
            continue; /* of few keys many parts are the same */
        before = capacity;
        TRY(play_capacity(report, trace, capacity, error));
    }
    return 0;
}

static int print_end(struct report *report, const struct bench_options *options,
                     const struct trace *trace, mneme_error *error) {
    char requests[COUNT_TEXT_SIZE], keys[COUNT_TEXT_SIZE];
    format_count(requests, trace->count);
    format_count(keys, trace->distinct);
    if (!options->json)
        fprintf(report->out, "\ntrace: %s requests for %s keys; read as \"%s\"\n", requests, keys,
                trace->format);
    if (fflush(report->out) != 0 || ferror(report->out))
        return error_set(error, MNEME_IO, "cannot write the results");
    return 0;
}

int cache_trace_file(const struct bench_options *options, mneme_error *error) {
    AUTO_TRACE struct trace trace = {0};
    struct report report;
    TRY(trace_load(options->trace, &trace, error));
    report_begin(&report, options);
    if (options->capacity)
        TRY(play_capacity(&report, &trace, (size_t)options->capacity, error));
    else
        TRY(play_capacities(&report, &trace, error));
    return print_end(&report, options, &trace, error);
}
