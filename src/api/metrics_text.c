/*
 * metrics_text.c - a picture of what was measured, as OpenMetrics 1.0 and as the text of
 * Prometheus.
 *
 * Both are lines "name{labels} value" under comments that say what a family is. They differ in
 * these comments: OpenMetrics names a counter without "_total", has units and infos, and an end. No
 * sample has a time, which is that of the scrape, and none a "_created": servers store it as a
 * series of its own.
 */
#include <math.h>
#include <stdio.h>

#include "api/handle.h"
#include "codec/json.h"

struct writer {
    struct buf out;
    bool open;        /* OpenMetrics */
    char family[128]; /* the one that is being written */
};

/* ---- Parts of a line ------------------------------------------------------------------------- */

/* Line feeds, backslashes and quotes escaped; of a help, the older text escapes no quotes. */
static void put_escaped(struct writer *w, const char *text, bool quotes) {
    for (; *text != '\0'; text++) {
        if (*text == '\n') {
            buf_append_string(&w->out, "\\n");
            continue;
        }
        if (*text == '\\' || (*text == '"' && quotes))
            buf_append_byte(&w->out, '\\');
        buf_append_byte(&w->out, (uint8_t)*text);
    }
}

static void put_value(struct writer *w, double value) {
    if (isnan(value))
        buf_append_string(&w->out, "NaN");
    else if (isinf(value))
        buf_append_string(&w->out, value < 0 ? "-Inf" : "+Inf");
    else
        json_put_double(&w->out, value);
}

/*
 * A bound is a label, and so part of a series' name: servers compare it as text, whichever of the
 * two formats it came in. So it has the form that OpenMetrics calls canonical: "2.5e-06", "0.25",
 * "10.0". Not by printf, whose decimal point is the locale's. Bounds have two digits.
 */
static void put_bound(struct writer *w, double bound) {
    bool small = bound > 0 && bound < 1e-4;
    int exponent = small ? (int)floor(log10(bound) + 1e-9) : 0;
    put_value(w, small ? round(bound * pow(10, 1 - exponent)) / 10 : bound);
    if (small)
        buf_printf(&w->out, "e-%02d", -exponent);
    else if (bound == floor(bound) && !isinf(bound))
        buf_append_string(&w->out, ".0");
}

/* Labels in braces, none if there are none; `bound` not NULL: and the label of a bucket. */
static void put_labels(struct writer *w, const mneme_metric *metric, const double *bound) {
    if (metric->label_count == 0 && bound == NULL)
        return;
    buf_append_byte(&w->out, '{');
    for (size_t i = 0; i < metric->label_count; i++) {
        buf_printf(&w->out, "%s%s=\"", i > 0 ? "," : "", metric->labels[i].name);
        put_escaped(w, metric->labels[i].value, true);
        buf_append_byte(&w->out, '"');
    }
    if (bound != NULL) {
        buf_append_string(&w->out, metric->label_count > 0 ? ",le=\"" : "le=\"");
        put_bound(w, *bound);
        buf_append_byte(&w->out, '"');
    }
    buf_append_byte(&w->out, '}');
}

static void put_sample(struct writer *w, const mneme_metric *metric, const char *suffix,
                       const double *bound, double value) {
    buf_printf(&w->out, "%s%s", metric->name, suffix);
    put_labels(w, metric, bound);
    buf_append_byte(&w->out, ' ');
    put_value(w, value);
    buf_append_byte(&w->out, '\n');
}

/* ---- Families -------------------------------------------------------------------------------- */

/* What a sample's name has behind the family's. */
static const char *suffix_of(mneme_metric_type type) {
    return type == MNEME_METRIC_COUNTER ? "_total" : type == MNEME_METRIC_INFO ? "_info" : "";
}

static const char *type_name(const struct writer *w, mneme_metric_type type) {
    switch (type) {
    case MNEME_METRIC_COUNTER:
        return "counter";
    case MNEME_METRIC_GAUGE:
        return "gauge";
    case MNEME_METRIC_HISTOGRAM:
        return "histogram";
    case MNEME_METRIC_INFO:
        return w->open ? "info" : "gauge";
    }
    return "unknown";
}

static void put_family(struct writer *w, const mneme_metric *metric) {
    const char *suffix = w->open ? "" : suffix_of(metric->type);
    buf_printf(&w->out, "# HELP %s%s ", metric->name, suffix);
    put_escaped(w, metric->help, w->open);
    buf_printf(&w->out, "\n# TYPE %s%s %s\n", metric->name, suffix, type_name(w, metric->type));
    if (w->open && metric->unit[0] != '\0')
        buf_printf(&w->out, "# UNIT %s %s\n", metric->name, metric->unit);
}

static int put_metric(void *context, const mneme_metric *metric) {
    struct writer *w = context;
    if (strcmp(w->family, metric->name) != 0) {
        snprintf(w->family, sizeof w->family, "%s", metric->name);
        put_family(w, metric);
    }
    if (metric->type == MNEME_METRIC_HISTOGRAM) {
        for (size_t i = 0; i < metric->bucket_count; i++)
            put_sample(w, metric, "_bucket", &metric->buckets[i].most,
                       (double)metric->buckets[i].count);
        put_sample(w, metric, "_count", NULL, (double)metric->count);
        put_sample(w, metric, "_sum", NULL, metric->sum);
    } else {
        put_sample(w, metric, suffix_of(metric->type), NULL, metric->value);
    }
    return w->out.status;
}

static int to_text(const mneme_metrics *metrics, mneme_metrics_scope scope, bool open,
                   mneme_bytes *out, mneme_error *error) {
    if (!out)
        return error_set(error, MNEME_INVALID, "there is no place for the text: out is NULL");
    struct writer w = {.out = {.data = (uint8_t *)out->data,
                               .size = out->size,
                               .capacity = out->capacity,
                               .max = SIZE_MAX},
                       .open = open};
    int status = mneme_metrics_visit(metrics, scope, put_metric, &w, error);
    if (open && status == 0)
        buf_append_string(&w.out, "# EOF\n");
    out->data = (char *)w.out.data; /* the block may have moved, whatever came of it */
    out->capacity = w.out.capacity;
    if (w.out.status != 0)
        return error_set(error, w.out.status, "no memory for the text of the metrics");
    if (status == 0)
        out->size = w.out.size;
    return status;
}

int mneme_metrics_to_openmetrics(const mneme_metrics *metrics, mneme_metrics_scope scope,
                                 mneme_bytes *out, mneme_error *error) {
    return to_text(metrics, scope, true, out, error);
}

int mneme_metrics_to_prometheus(const mneme_metrics *metrics, mneme_metrics_scope scope,
                                mneme_bytes *out, mneme_error *error) {
    return to_text(metrics, scope, false, out, error);
}
