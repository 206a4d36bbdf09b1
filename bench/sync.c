/*
 * sync.c - `mneme bench sync`: its parts in their order.
 */
#include "bench/benches.h"
#include "bench/sync_cases.h"

static int measure_all(struct kit *kit, mneme_error *error) {
    TRY(sync_local(kit, error));
    TRY(sync_bulk(kit, error));
    TRY(sync_watch(kit, error));
    return sync_edit(kit, error);
}

int sync_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    TRY(kit_init(&kit, options, error));
    TRY(measure_all(&kit, error));
    return kit_end(&kit, error);
}
