/*
 * store_growth.c - whether a put, a get and the memory of the process stay what they were when a
 * store grows a hundredfold.
 *
 * Two stores of generated episodes are built, a small and a large one, and measured in turn. A
 * growing store cannot be measured in turn with what it was; a second one can.
 */
#include <malloc.h>

#include "bench/generate.h"
#include "bench/store_cases.h"

enum {
    BUILD_BATCH = 1000,
    PUT_BATCH = 100,
    SINGLES = 50, /* puts of one record a run, and of PUT_BATCH; few, for the small store grows */
    BATCHES = 5,
    SAMPLES = 2000 /* episodes that the dictionary is trained on */
};

struct grown {
    struct kit *kit;
    struct scratch_path path;
    mneme *m;
    uint64_t seed;
    size_t first; /* so many episodes before measuring */
    size_t count; /* and so many now */
    size_t gets;  /* a run */
    uint64_t chance;
};

/* ---- Puts and gets ------------------------------------------------------------------------ */

static int put_batch(struct grown *g, size_t size, double *seconds, mneme_error *error) {
    AUTO_ARENA struct arena arena = {.first_size = 1 << 16};
    static const mneme_write only_new = {.only_new = true};
    mneme_record *records = arena_zalloc(&arena, size, sizeof *records);
    if (!records)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu records", size);
    for (size_t i = 0; i < size; i++)
        TRY(generate_episode(g->seed, g->count + i, GENERATED_SMALL, &arena, &records[i], error));
    double start = seconds_now();
    TRY(mneme_put(g->m, records, size, &only_new, NULL, error));
    *seconds += seconds_now() - start;
    g->count += size;
    return 0;
}

static int run_singles(void *context, double *value, mneme_error *error) {
    double seconds = 0;
    for (size_t i = 0; i < SINGLES; i++)
        TRY(put_batch(context, 1, &seconds, error));
    *value = seconds * 1e6 / SINGLES;
    return 0;
}

static int run_batches(void *context, double *value, mneme_error *error) {
    double seconds = 0;
    for (size_t i = 0; i < BATCHES; i++)
        TRY(put_batch(context, PUT_BATCH, &seconds, error));
    *value = seconds * 1e6 / (BATCHES * PUT_BATCH);
    return 0;
}

static int run_gets(void *context, double *value, mneme_error *error) {
    struct grown *g = context;
    double start = seconds_now();
    for (size_t i = 0; i < g->gets; i++) {
        const mneme_record *record;
        mneme_id id = generated_id(g->seed, mix(g->chance, i) % g->first);
        TRY(mneme_acquire(g->m, MNEME_EPISODE, &id, &record, error));
        mneme_release(g->m, record);
    }
    *value = (seconds_now() - start) * 1e6 / (double)g->gets;
    g->chance++;
    return 0;
}

/* ---- Building ----------------------------------------------------------------------------- */

/* Memory that is the process's own: not the pages of files that it has mapped. */
static int read_memory(double *mebibytes, mneme_error *error) {
    uint64_t kibibytes = 0;
    malloc_trim(0);
    TRY(proc_number("/proc/self/status", "RssAnon", &kibibytes, error));
    *mebibytes = (double)kibibytes / 1024;
    return 0;
}

static int build(struct grown *g, size_t count, mneme_error *error) {
    double unused = 0;
    while (g->count < count) {
        TRY(interrupt_check(error));
        TRY(put_batch(g, size_min(BUILD_BATCH, count - g->count), &unused, error));
        if (g->count % (100 * BUILD_BATCH) == 0)
            report_progress(&g->kit->report, "building a store: %zu episodes", g->count);
    }
    g->first = g->count;
    return 0;
}

/* A dictionary for these episodes, from their own first ones. */
static int train(struct grown *g, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    size_t count = bench_size(g->kit->options, 200, SAMPLES, SAMPLES);
    mneme_record *records = arena_zalloc(&arena, count, sizeof *records);
    const mneme_record **items = arena_zalloc(&arena, count, sizeof *items);
    struct slice *bodies = arena_zalloc(&arena, count, sizeof *bodies);
    if (!records || !items || !bodies)
        return error_set(error, MNEME_NO_MEMORY, "no memory for training");
    for (size_t i = 0; i < count; i++) {
        TRY(generate_episode(g->seed, i, GENERATED_SMALL, &arena, &records[i], error));
        items[i] = &records[i];
    }
    bool trained;
    TRY(kit_bodies(&(struct record_list){items, count}, &arena, bodies, NULL, error));
    return dictionaries_train_from(g->m, MNEME_EPISODE, bodies, count, &trained, error);
}

static int grown_open(struct grown *g, struct kit *kit, const char *name, mneme_error *error) {
    const mneme_options options = {.size = sizeof options, .no_training = true, .cache.off = true};
    *g = (struct grown){.kit = kit,
                        .path = scratch_path_of(&kit->scratch, name),
                        .seed = kit->options->seed,
                        .gets = bench_size(kit->options, 100, 5000, 20000)};
    TRY(mneme_open(g->path.text, &options, &g->m, error));
    return train(g, error);
}

static void grown_close(struct grown *g) { (void)mneme_close(g->m, NULL); }

/* ---- Rows --------------------------------------------------------------------------------- */

static int compare_grown(struct grown *large, struct grown *small, const char *what,
                         contestant_run *run, mneme_error *error) {
    char name[64], reference[64], count[COUNT_TEXT_SIZE];
    format_count(count, large->first);
    snprintf(name, sizeof name, "%s episodes: %s", count, what);
    format_count(count, small->first);
    snprintf(reference, sizeof reference, "at %s", count);
    return kit_compare(large->kit, name, "us", (struct contestant){run, large}, reference,
                       (struct contestant){run, small}, AT_MOST(1.5), error);
}

static void report_memory(struct grown *large, struct grown *small, double at_end,
                          double at_first) {
    char name[64], reference[64], count[COUNT_TEXT_SIZE];
    format_count(count, large->first);
    snprintf(name, sizeof name, "%s episodes: memory", count);
    format_count(count, small->first);
    snprintf(reference, sizeof reference, "at %s", count);
    report_row(&large->kit->report, &(struct row){.name = name,
                                                  .unit = "MiB",
                                                  .reference = reference,
                                                  .value = {.median = at_end},
                                                  .reference_value = {.median = at_first},
                                                  .goal = AT_MOST(1.2)});
}

int store_growth(struct kit *kit, mneme_error *error) {
    size_t few = bench_size(kit->options, 500, 10000, 10000);
    size_t many = bench_size(kit->options, 2000, 1000000, 2000000);
    double at_first, at_end;
    CLEANUP(grown_close) struct grown small = {0};
    CLEANUP(grown_close) struct grown large = {0};
    report_heading(&kit->report, "growth, with small generated episodes; times are of one episode");
    TRY(grown_open(&small, kit, "small.mdb", error));
    TRY(grown_open(&large, kit, "large.mdb", error));
    TRY(build(&small, few, error));
    TRY(build(&large, few, error));
    TRY(read_memory(&at_first, error));
    TRY(build(&large, many, error));
    TRY(read_memory(&at_end, error));
    TRY(compare_grown(&large, &small, "put", run_singles, error));
    TRY(compare_grown(&large, &small, "put 100", run_batches, error));
    TRY(compare_grown(&large, &small, "get", run_gets, error));
    report_memory(&large, &small, at_end, at_first);
    return 0;
}
