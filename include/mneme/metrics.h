/*
 * metrics.h - what a store's processes did, how long it took, and how they stand: read, and
 * written as OpenMetrics.
 *
 * Model. Every handle measures what it does, in memory that it shares with the other processes of
 * this machine which have the same store open: operations (count, errors by code, latencies),
 * levels and counts of its parts, the shapes of the queries it was asked, and the latest slow
 * operations. mneme_metrics_read takes a picture of all of them: the machine's total, and each
 * process. What a process measured stays in the total when it closes the store, for as long as
 * another one has it open.
 *
 * Latencies are kept in buckets whose width is 1/16 of their lower bound (log-linear), so a
 * percentile is at most 6.25 % above the true one and never below it; the greatest is exact.
 * Operations too short to be timed each time are sampled (`sample`); their counts are exact.
 *
 * Ownership. A picture is the caller's until mneme_metrics_release; all in it lives that long.
 * Threads. Any thread may take pictures; one picture is read by any number of them.
 */
#ifndef MNEME_METRICS_H
#define MNEME_METRICS_H

#include "mneme/error.h"
#include "mneme/types.h"

#ifdef __cplusplus
extern "C" {
#endif

struct mneme;
struct mneme_bytes;

/* ---- The picture ---------------------------------------------------------------------------- */

typedef enum mneme_window {
    MNEME_WINDOW_MINUTE = 0, /* the last 60 to 70 seconds */
    MNEME_WINDOW_HOUR = 1,   /* the last 60 to 65 minutes */
    MNEME_WINDOW_LIFE = 2,   /* since the process opened the store */
    MNEME_WINDOW_COUNT = 3
} mneme_window;

typedef struct mneme_latency {
    uint64_t count; /* that were timed */
    uint64_t sum_ns, p50_ns, p95_ns, p99_ns, p999_ns, max_ns;
} mneme_latency;

/* How many took at most `most_ns`, and more than the bucket before it. */
typedef struct mneme_latency_bucket {
    uint64_t most_ns;
    uint64_t count;
} mneme_latency_bucket;

typedef struct mneme_error_count {
    int code; /* a mneme_status */
    uint64_t count;
} mneme_error_count;

typedef struct mneme_operation_window {
    double span_s; /* how long the window really is; less where the process is younger */
    uint64_t count;
    uint64_t errors; /* among them */
    mneme_latency latency;
} mneme_operation_window;

typedef struct mneme_operation {
    const char *layer;  /* "api", "kv", "sql", "mem", "queue", "cache", "net", "sync", "codec" */
    const char *name;   /* "put", "acquire", "apply", "commit", … */
    const char *gen_ai; /* OpenTelemetry's gen_ai.operation.name for it, such as "create_memory";
                           "": it has none */
    uint32_t sample;    /* one in so many is timed: 1 but for the shortest */
    mneme_operation_window windows[MNEME_WINDOW_COUNT];
    const mneme_error_count *errors; /* of its life, those that happened */
    size_t error_count;
    const mneme_latency_bucket *buckets; /* of its life, those that are not empty, rising */
    size_t bucket_count;
} mneme_operation;

typedef enum mneme_level_type {
    MNEME_LEVEL_COUNTER = 0, /* only grows */
    MNEME_LEVEL_GAUGE = 1
} mneme_level_type;

/* One number of a part: "pool_open", "cache_hits", "outbox_records"; docs/metrics.md has them all.
 */
typedef struct mneme_level {
    const char *name; /* without prefix, unit and "_total"; may stand several times with labels */
    const char *unit; /* "bytes", "seconds", "ratio", or "" for a count */
    const char *help; /* a sentence */
    const char *label_name, *label_value; /* "cache" = "episodes", …; "": none */
    mneme_level_type type;
    double value;
} mneme_level;

/* Queries of one form: what was asked for, without the values. */
typedef struct mneme_query_shape {
    const char *text; /* "episode where type,meta.* since newest" */
    uint64_t count;
    uint64_t hits; /* answered from the cache */
    uint64_t errors;
    mneme_latency latency; /* of its life */
} mneme_query_shape;

/* An operation that took longer than slow_us (mneme_options). */
typedef struct mneme_slow_operation {
    int64_t at_us; /* wall clock, when it ended */
    int64_t pid;
    const char *layer, *name;
    uint64_t duration_ns;
    int code;         /* 0 or a mneme_status */
    uint64_t records; /* read or written */
    const char *detail; /* the predicate with its values, or kind and id; shortened. It is content:
                           for the store's owner, and in no metric */
} mneme_slow_operation;

typedef struct mneme_process {
    int64_t pid;         /* 0: the total */
    const char *command; /* "python3": the name of its program; "": the total */
    int64_t since_us;    /* when it opened the store, wall clock */
    bool self;
    const mneme_operation *operations; /* those that happened */
    size_t operation_count;
    const mneme_level *levels;
    size_t level_count;
    const mneme_query_shape *shapes; /* the most frequent first */
    size_t shape_count;
} mneme_process;

typedef struct mneme_metrics {
    size_t size;         /* sizeof(mneme_metrics) of the library */
    int64_t at_us;       /* wall clock */
    const char *store;   /* path or URL */
    bool on;             /* this handle measures */
    const char *alone;   /* why other processes cannot be seen; "": they can */
    uint64_t ended;      /* handles that were closed and are in the total */
    mneme_process total; /* of the machine */
    const mneme_process *processes; /* the oldest first; several handles of one are added up */
    size_t process_count;
    const mneme_slow_operation *slow; /* of all processes, the latest first */
    size_t slow_count;
} mneme_metrics;

/* Take a picture of what the processes of this machine do with this handle's store. */
MNEME_API int mneme_metrics_read(struct mneme *m, const mneme_metrics **out, mneme_error *error);
/* NULL is allowed. */
MNEME_API void mneme_metrics_release(const mneme_metrics *metrics);

/* ---- For registries ------------------------------------------------------------------------- */

typedef enum mneme_metric_type {
    MNEME_METRIC_COUNTER = 0,
    MNEME_METRIC_GAUGE = 1,
    MNEME_METRIC_HISTOGRAM = 2,
    MNEME_METRIC_INFO = 3
} mneme_metric_type;

typedef struct mneme_metric_label {
    const char *name, *value;
} mneme_metric_label;

typedef struct mneme_metric_bucket {
    double most;    /* upper bound, in the unit; the last is infinity */
    uint64_t count; /* of all up to it (cumulative) */
} mneme_metric_bucket;

/* One sample, or one histogram, of a family. Samples of a family follow each other. */
typedef struct mneme_metric {
    const char *name; /* of the family: "mneme_operation_duration_seconds"; as OpenMetrics has it,
                         without "_total", "_bucket" and the like */
    const char *unit; /* "seconds", "bytes", "ratio"; "": none */
    const char *help;
    mneme_metric_type type;
    const mneme_metric_label *labels;
    size_t label_count;
    double value; /* of counters and gauges; 1 of infos */
    const mneme_metric_bucket *buckets; /* of histograms */
    size_t bucket_count;
    uint64_t count;
    double sum; /* in the unit */
} mneme_metric;

/* Whose figures: */
typedef enum mneme_metrics_scope {
    MNEME_METRICS_TOTAL = 0, /* the machine's */
    MNEME_METRICS_EACH = 1,  /* each process's, with a label "pid" */
    MNEME_METRICS_SELF = 2   /* this process's: right for a registry that is scraped itself */
} mneme_metrics_scope;

/*
 * Hand every metric of a picture to an application's own registry, family by family;
 * docs/prometheus.md lists them. All samples of a family have labels of the same names; a value may
 * be empty. What the visitor is given lives as long as its call. No label has content of a record.
 * A return other than 0 ends it, and is returned.
 */
typedef int mneme_metric_visitor(void *context, const mneme_metric *metric);
MNEME_API int mneme_metrics_visit(const mneme_metrics *metrics, mneme_metrics_scope scope,
                                  mneme_metric_visitor *visitor, void *context, mneme_error *error);

/*
 * Append the picture to `out`, which is as it was if this fails. OpenMetrics is text of its version
 * 1.0, "# EOF" at the end: "application/openmetrics-text; version=1.0.0; charset=utf-8". The text
 * of Prometheus, "text/plain; version=0.0.4; charset=utf-8", is what is older, and read everywhere.
 * Both have the same samples. MNEME_NO_MEMORY.
 */
MNEME_API int mneme_metrics_to_openmetrics(const mneme_metrics *metrics, mneme_metrics_scope scope,
                                           struct mneme_bytes *out, mneme_error *error);
MNEME_API int mneme_metrics_to_prometheus(const mneme_metrics *metrics, mneme_metrics_scope scope,
                                          struct mneme_bytes *out, mneme_error *error);

#ifdef __cplusplus
}
#endif
#endif
