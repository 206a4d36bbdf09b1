/*
 * cache_episode.c - reading a real episode: from the cache, and from the store when all that it
 * needs lies in memory. Both handles are open on the same file.
 */
#include "bench/cache_cases.h"
#include "bench/generate.h"

struct episodes {
    struct kit *kit;
    mneme *cached, *plain;
    mneme_id *ids; /* in the order in which they are read */
    size_t count, passes;
};

struct reading {
    struct episodes *episodes;
    mneme *m;
    size_t passes; /* over all episodes */
};

static int run_reads(void *context, double *value, mneme_error *error) {
    const struct reading *reading = context;
    const struct episodes *e = reading->episodes;
    double start = seconds_now();
    for (size_t i = 0; i < reading->passes * e->count; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(reading->m, MNEME_EPISODE, &e->ids[i % e->count], &record, error));
        mneme_release(reading->m, record);
    }
    *value = (double)(reading->passes * e->count) / 1e3 / (seconds_now() - start);
    return 0;
}

static int episodes_init(struct episodes *e, struct arena *arena, mneme_error *error) {
    const struct record_list *fresh = &e->kit->corpus.fresh;
    struct scratch_path path = scratch_path_of(&e->kit->scratch, "episodes.mdb");
    mneme_options options = {.size = sizeof options, .no_training = true, .cache.off = true};
    TRY(kit_open(e->kit, &path, &e->cached, error));
    TRY(mneme_open(path.text, &options, &e->plain, error));
    e->count = fresh->count;
    e->ids = arena_zalloc(arena, e->count, sizeof *e->ids);
    if (!e->ids)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu ids", e->count);
    for (size_t i = 0; i < e->count; i++) {
        size_t other = (size_t)(mix(1, i) % (i + 1)); /* each order is as likely as any */
        TRY(mneme_put(e->cached, fresh->items[i], 1, NULL, NULL, error));
        e->ids[i] = e->ids[other];
        e->ids[other] = fresh->items[i]->id;
    }
    return 0;
}

static void episodes_fini(struct episodes *e) {
    (void)mneme_close(e->cached, NULL);
    (void)mneme_close(e->plain, NULL);
}

int cache_episodes(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(episodes_fini) struct episodes e = {.kit = kit};
    report_heading(&kit->report, "episodes that lie in memory");
    TRY(episodes_init(&e, &arena, error));
    struct reading cached = {&e, e.cached, bench_size(kit->options, 1, 5000, 20000)};
    struct reading plain = {&e, e.plain, bench_size(kit->options, 1, 50, 200)};
    return kit_compare(kit, "read from the cache", "k/s", (struct contestant){run_reads, &cached},
                       "cache off", (struct contestant){run_reads, &plain}, AT_LEAST(100), error);
}
