/*
 * cache.c - `mneme bench cache`: its parts in their order.
 */
#include "bench/benches.h"
#include "bench/cache_cases.h"

void cache_report_bound(struct report *report, const char *name, const char *unit,
                        struct measured value, double bound, enum goal_kind kind) {
    report_row(
        report,
        &(struct row){.name = name, .unit = unit, .value = value, .goal = {kind, bound, true}});
}

int cache_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    if (options->trace)
        return cache_trace_file(options, error);
    TRY(kit_init(&kit, options, error));
    TRY(cache_memory(&kit, error)); /* first, while the heap has no holes */
    TRY(cache_hot_set(&kit, error));
    TRY(cache_mixed(&kit, error));
    TRY(cache_large_set(&kit, error));
    TRY(cache_episodes(&kit, error));
    TRY(cache_skewed(&kit, error));
    TRY(cache_traces(&kit, error));
    return kit_end(&kit, error);
}
