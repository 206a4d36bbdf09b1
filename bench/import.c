/*
 * import.c - `mneme bench import`: how fast files come in, and how large the store is then.
 */
#include <stdio.h>

#include "bench/benches.h"
#include "bench/import_input.h"
#include "bench/reference_lmdb.h"
#include "bench/reference_zstd.h"

enum { LEVEL = 3 };

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for an import");
}

/* ---- Speed -------------------------------------------------------------------------------- */

struct importing {
    struct kit *kit;
    const struct input *input;
    struct scratch_path store;
    struct zstd_reference zstd;
    uint8_t *room;
    size_t room_size;
};

static double rate(const struct importing *im, double seconds) {
    return (double)im->input->bytes / 1e6 / seconds;
}

static int import_file(mneme *m, const char *path, const char *format, unsigned threads,
                       mneme_error *error) {
    const mneme_import_options options = {
        .size = sizeof options, .format = format, .threads = threads};
    return mneme_import(m, &path, 1, &options, NULL, error);
}

static int run_import(struct importing *im, unsigned threads, double *value, mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    TRY(kit_open(im->kit, &im->store, &m, error));
    double start = seconds_now();
    TRY(import_file(m, im->input->path.text, im->input->format, threads, error));
    *value = rate(im, seconds_now() - start);
    return 0;
}

static int run_one_thread(void *context, double *value, mneme_error *error) {
    return run_import(context, 1, value, error);
}

static int run_two_threads(void *context, double *value, mneme_error *error) {
    return run_import(context, 2, value, error);
}

static int run_zstd(void *context, double *value, mneme_error *error) {
    struct importing *im = context;
    double start = seconds_now();
    for (size_t i = 0; i < im->input->count; i++) {
        size_t size;
        TRY(zstd_reference_compress(&im->zstd, im->input->pieces[i], im->room, im->room_size, &size,
                                    error));
    }
    *value = rate(im, seconds_now() - start);
    return 0;
}

static void importing_fini(struct importing *im) {
    zstd_reference_fini(&im->zstd);
    mem_free(im->room);
}

/* The reference gets a dictionary too, trained on such texts from even tasks. */
static int importing_init(struct importing *im, const struct slice *samples, size_t count,
                          mneme_error *error) {
    struct dictionary *dictionary = NULL;
    struct training found;
    size_t largest = 0;
    TRY(dictionary_train(samples, count, LEVEL, &dictionary, &found, error));
    struct slice bytes = dictionary ? dictionary_bytes(dictionary) : (struct slice){0};
    int status = zstd_reference_init(&im->zstd, bytes, LEVEL, error);
    dictionary_drop(dictionary);
    TRY(status);
    for (size_t i = 0; i < im->input->count; i++)
        largest = size_max(largest, im->input->pieces[i].size);
    im->room_size = ZSTD_compressBound(largest);
    im->room = mem_alloc(im->room_size);
    return im->room ? 0 : no_memory(error);
}

static int speed(struct kit *kit, const struct input *input, const struct slice *samples,
                 size_t sample_count, const char *const names[2], mneme_error *error) {
    CLEANUP(importing_fini)
    struct importing im = {
        .kit = kit, .input = input, .store = scratch_path_of(&kit->scratch, "import.mdb")};
    const struct contestant contestants[] = {
        {run_one_thread, &im}, {run_two_threads, &im}, {run_zstd, &im}};
    struct measured results[COUNT_OF(contestants)];
    report_progress(&kit->report, "measuring: import of %s", input->format);
    TRY(importing_init(&im, samples, sample_count, error));
    TRY(measure(kit->options, contestants, COUNT_OF(contestants), results, error));
    struct row row = {.name = names[0],
                      .unit = "MB/s",
                      .reference = "zstd + dict. alone",
                      .value = results[0],
                      .reference_value = results[2],
                      .goal = AT_LEAST(0.5)};
    report_row(&kit->report, &row);
    row.name = names[1];
    row.reference = "one thread";
    row.value = results[1];
    row.reference_value = results[0];
    row.goal = AT_LEAST(1.7);
    report_row(&kit->report, &row);
    return 0;
}

/* ---- Training in the loop ------------------------------------------------------------------- */

struct first_import {
    struct scratch_path store;
    const struct input *input;
    bool train;
};

static int run_first(void *context, double *value, mneme_error *error) {
    struct first_import *f = context;
    const mneme_options options = {.size = sizeof options, .no_training = !f->train};
    AUTO_HANDLE mneme *m = NULL;
    scratch_remove_file(&f->store);
    TRY(mneme_open(f->store.text, &options, &m, error));
    double start = seconds_now();
    TRY(import_file(m, f->input->path.text, f->input->format, 1, error));
    TRY(mneme_close(TAKE(m), error)); /* which waits for a training that still runs */
    *value = (double)f->input->bytes / 1e6 / (seconds_now() - start);
    return 0;
}

static int training(struct kit *kit, const struct input *input, mneme_error *error) {
    struct first_import with = {.store = scratch_path_of(&kit->scratch, "first.mdb"),
                                .input = input,
                                .train = true},
                        without = with;
    without.train = false;
    return kit_compare(kit, "first import, trains dictionary", "MB/s",
                       (struct contestant){run_first, &with}, "without dictionary",
                       (struct contestant){run_first, &without}, NO_GOAL, error);
}

/* ---- Size --------------------------------------------------------------------------------- */

/* Import into a new store as a user would, and tell what all bodies in it take. */
static int import_for_size(const struct scratch_path *store, const struct input *input,
                           uint64_t *bodies, mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    mneme_stats stats = {.size = sizeof stats};
    scratch_remove_file(store);
    TRY(mneme_open(store->text, NULL, &m, error));
    TRY(import_file(m, input->path.text, input->format, 2, error));
    TRY(mneme_close(TAKE(m), error));
    TRY(mneme_open(store->text, NULL, &m, error));
    TRY(mneme_stats_get(m, &stats, error));
    *bodies = 0;
    for (size_t i = 0; i < MNEME_KIND_COUNT; i++)
        *bodies += stats.kinds[i].stored_bytes;
    return mneme_close(TAKE(m), error);
}

struct parts {
    struct kit *kit;
    char episodes[COUNT_TEXT_SIZE];
    uint64_t bodies;
};

static void report_part(const struct parts *parts, const char *part, uint64_t bytes,
                        struct goal goal) {
    char name[64];
    snprintf(name, sizeof name, "%s episodes: %s", parts->episodes, part);
    report_row(&parts->kit->report,
               &(struct row){.name = name,
                             .unit = "KiB",
                             .reference = "compressed bodies",
                             .value = {.median = (double)bytes / 1024},
                             .reference_value = {.median = (double)parts->bodies / 1024},
                             .goal = goal});
}

static int size(struct kit *kit, const struct input *input, mneme_error *error) {
    static const char *const tables[LMDB_TABLES] = {[LMDB_MAIN] = "counters",
                                                    [LMDB_RECORDS] = "records",
                                                    [LMDB_INDEX] = "indices",
                                                    [LMDB_CHANGES] = "change log"};
    struct scratch_path store = scratch_path_of(&kit->scratch, "size.mdb");
    struct lmdb_usage usage = {0};
    struct parts parts = {.kit = kit};
    report_progress(&kit->report, "measuring: size after an import of %s", input->format);
    TRY(import_for_size(&store, input, &parts.bodies, error));
    TRY(lmdb_usage(&store, &usage, error));
    format_count(parts.episodes, input->count);
    report_part(&parts, "file", usage.file_bytes, AT_MOST(1.5));
    uint64_t rest = usage.file_bytes - usage.free_bytes;
    for (int i = 0; i < LMDB_TABLES; i++) {
        report_part(&parts, tables[i], usage.table_bytes[i], NO_GOAL);
        rest -= usage.table_bytes[i];
    }
    report_part(&parts, "free pages", usage.free_bytes, NO_GOAL);
    report_part(&parts, "meta pages", rest, NO_GOAL);
    return 0;
}

/* ---- The bench ---------------------------------------------------------------------------- */

/* The lines of the episodes of even tasks, for the reference to train on. */
static int json_samples(struct kit *kit, struct slice **samples, mneme_error *error) {
    const struct record_list *trained = &kit->corpus.trained;
    *samples = arena_zalloc(&kit->arena, trained->count, sizeof **samples);
    if (!*samples)
        return no_memory(error);
    for (size_t i = 0; i < trained->count; i++) {
        AUTO_BUF struct buf line = BUF_INIT(SIZE_MAX);
        TRY(model_to_json(trained->items[i], &line, error));
        if (arena_copy(&kit->arena, buf_slice(&line), &(*samples)[i]))
            return no_memory(error);
    }
    return 0;
}

static int jsonl_rows(struct kit *kit, size_t count, mneme_error *error) {
    static const char *const names[] = {"jsonl, one thread", "jsonl, two threads"};
    AUTO_INPUT struct input many = {0};
    struct slice *samples;
    TRY(json_samples(kit, &samples, error));
    TRY(input_make_jsonl(&many, kit, count, error));
    TRY(speed(kit, &many, samples, kit->corpus.trained.count, names, error));
    return size(kit, &many, error);
}

static int tau_bench_rows(struct kit *kit, size_t count, mneme_error *error) {
    static const char *const names[] = {"tau-bench file, one thread",
                                        "tau-bench file, two threads"};
    AUTO_INPUT struct input real = {0};
    AUTO_INPUT struct input many = {0};
    TRY(input_read_real(&real, kit, error));
    struct slice *samples = arena_zalloc(&kit->arena, real.count, sizeof *samples);
    if (!samples)
        return no_memory(error);
    size_t sample_count = input_even_tasks(&real, samples);
    TRY(input_make_trials(&many, kit, &real, count, error));
    TRY(speed(kit, &many, samples, sample_count, names, error));
    TRY(training(kit, &real, error));
    return size(kit, &real, error);
}

int import_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    char heading[128], text[COUNT_TEXT_SIZE];
    size_t count = bench_size(options, 60, 4000, 20000);
    TRY(kit_init(&kit, options, error));
    format_count(text, count);
    snprintf(heading, sizeof heading, "%s variations of the episodes, other ids and times", text);
    report_heading(&kit.report, heading);
    TRY(jsonl_rows(&kit, count, error));
    if (kit.corpus.real) {
        report_heading(&kit.report, "the real file: as it is, and speed with many more trials");
        TRY(tau_bench_rows(&kit, count, error));
    }
    return kit_end(&kit, error);
}
