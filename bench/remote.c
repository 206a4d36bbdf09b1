/*
 * remote.c - `mneme bench remote`: its parts in their order.
 */
#include "bench/benches.h"
#include "bench/remote_cases.h"

static int measure_all(struct kit *kit, mneme_error *error) {
    AUTO_REMOTE struct remote r = {0};
    TRY(remote_init(&r, kit, error));
    TRY(remote_batches(&r, error));
    TRY(remote_wire(&r, error));
    TRY(remote_points(&r, error));
    TRY(remote_cached(&r, error));
    TRY(remote_threads(&r, error));
    return remote_prepared(kit, error);
}

int remote_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    TRY(kit_init(&kit, options, error));
    TRY(measure_all(&kit, error));
    return kit_end(&kit, error);
}
