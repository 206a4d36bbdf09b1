/*
 * store.c - `mneme bench store`: its parts in their order, and what several of them need.
 */
#include "bench/benches.h"
#include "bench/store_cases.h"

int store_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    TRY(kit_init(&kit, options, error));
    TRY(store_durable_batches(&kit, error));
    TRY(store_batched_or_single(&kit, error));
    TRY(store_acknowledgements(&kit, error));
    TRY(store_appends(&kit, error));
    TRY(store_reads(&kit, error));
    TRY(store_growth(&kit, error));
    return kit_end(&kit, error);
}

int live_steps_make(struct kit *kit, struct arena *arena, struct live_steps *out,
                    mneme_error *error) {
    out->count = kit->steps.count;
    out->items = arena_zalloc(arena, out->count, sizeof *out->items);
    if (!out->items)
        return error_set(error, MNEME_NO_MEMORY, "no memory for steps");
    for (size_t i = 0; i < out->count; i++) {
        out->items[i] = *kit->steps.items[i]->as.step;
        out->items[i].id = (mneme_id){{0}};
        out->items[i].number = 0;
        out->items[i].time_us = 0;
    }
    return 0;
}

int live_episode_start(mneme *m, mneme_id *id, mneme_error *error) {
    const mneme_episode episode = {.task = mneme_text_of("Measure how fast steps are recorded")};
    return mneme_episode_start(m, &episode, NULL, id, error);
}
