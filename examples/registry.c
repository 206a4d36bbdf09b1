/*
 * registry.c - an application that has a registry of metrics of its own, and puts mneme's there.
 *
 *     cc registry.c $(pkg-config --cflags --libs mneme) -o registry && ./registry
 *
 * mneme hands over one sample after another, family by family: `take` is called with each. A real
 * registry has a call for what `take` does; the one here is a list. The scope is SELF, as whoever
 * reads an application's metrics means that application, and not all others that have the store
 * open as well.
 */
#include <mneme/mneme.h>

#include <stdio.h>
#include <string.h>

/* ---- The application's registry ----------------------------------------------------------------
 */

enum { SAMPLES_MAX = 4096, SERIES_SIZE = 256 };

struct registry {
    size_t count;
    struct {
        char series[SERIES_SIZE];
        double value;
    } samples[SAMPLES_MAX];
};

/* 0, or an error of the application's own, which mneme_metrics_visit returns as it is. */
static int registry_set(struct registry *registry, const char *series, double value) {
    if (registry->count == SAMPLES_MAX)
        return 1;
    snprintf(registry->samples[registry->count].series, SERIES_SIZE, "%s", series);
    registry->samples[registry->count++].value = value;
    return 0;
}

/* ---- The hook ----------------------------------------------------------------------------------
 */

/* What mneme says lives as long as this call: a registry that keeps it copies it. */
static int take(void *context, const mneme_metric *metric) {
    char series[SERIES_SIZE];
    size_t used = (size_t)snprintf(series, sizeof series, "%s", metric->name);
    for (size_t i = 0; i < metric->label_count && used < sizeof series; i++)
        used += (size_t)snprintf(series + used, sizeof series - used, "|%s=%s",
                                 metric->labels[i].name, metric->labels[i].value);
    if (metric->type != MNEME_METRIC_HISTOGRAM)
        return registry_set(context, series, metric->value);
    /* This registry has no histograms. One that has takes metric->buckets: each has its upper
     * bound in metric->unit, and counts all below it. */
    return registry_set(context, series, (double)metric->count);
}

static int collect(mneme *store, struct registry *registry, mneme_error *error) {
    const mneme_metrics *metrics;
    int status = mneme_metrics_read(store, &metrics, error);
    if (status != 0)
        return status;
    registry->count = 0;
    status = mneme_metrics_visit(metrics, MNEME_METRICS_SELF, take, registry, error);
    mneme_metrics_release(metrics);
    return status;
}

/* ---- The application ---------------------------------------------------------------------------
 */

static struct registry registry;

static int work(mneme *store, mneme_error *error) {
    mneme_episode episode;
    mneme_id id;
    memset(&episode, 0, sizeof episode);
    episode.task = mneme_text_of("Find the cheapest flight");
    return mneme_episode_start(store, &episode, NULL, &id, error);
}

int main(int argc, char **argv) {
    mneme *store = NULL;
    mneme_error error;
    int status = mneme_open(argc > 1 ? argv[1] : "mem:", NULL, &store, &error);
    if (status == 0)
        status = work(store, &error);
    if (status == 0)
        status = collect(store, &registry, &error);
    if (status != 0)
        fprintf(stderr, "registry: %s\n", error.message);
    for (size_t i = 0; status == 0 && i < registry.count; i++)
        printf("%s = %g\n", registry.samples[i].series, registry.samples[i].value);
    mneme_close(store, NULL);
    return status != 0;
}
