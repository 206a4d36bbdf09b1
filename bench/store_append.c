/*
 * store_append.c - what a durable step costs when it is the 10th of its episode, and when it is the
 * 1,000th.
 *
 * Bytes written are those that the process hands to the kernel (wchar of /proc/self/io): LMDB
 * writes whole pages, so they are pages times the size of a page, on every file system alike.
 */
#include "bench/store_cases.h"

/* Appended around step EARLY, and around LATE, of EPISODES episodes a run. */
enum { EARLY = 10, LATE = 1000, AROUND = 10, EPISODES = 4, FILL_EPISODES = 20 };

struct appends {
    struct kit *kit;
    struct live_steps steps;
    mneme *m;
    size_t before; /* steps that the episodes of a run have when measuring begins */
    bool bytes;    /* measure bytes, not time */
};

static int read_written(uint64_t *bytes, mneme_error *error) {
    return proc_number("/proc/self/io", "wchar", bytes, error);
}

/* An open episode with `count` steps, in one batch. */
static int make_episode(struct appends *a, size_t count, mneme_id *id, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    mneme_step *steps = arena_zalloc(&arena, count, sizeof *steps);
    if (!steps)
        return error_set(error, MNEME_NO_MEMORY, "no memory for steps");
    for (size_t i = 0; i < count; i++)
        steps[i] = a->steps.items[i % a->steps.count];
    const mneme_episode episode = {.task = mneme_text_of("Measure what an append costs"),
                                   .steps = {steps, count}};
    const mneme_record record = {.kind = MNEME_EPISODE, .as.episode = &episode};
    return mneme_put(a->m, &record, 1, NULL, id, error);
}

static int append_one(struct appends *a, const mneme_id *episode, size_t i, double *value,
                      mneme_error *error) {
    uint64_t before = 0, after = 0;
    if (a->bytes)
        TRY(read_written(&before, error));
    double start = seconds_now();
    TRY(mneme_step_append(a->m, episode, &a->steps.items[i % a->steps.count], NULL, NULL, NULL,
                          error));
    double seconds = seconds_now() - start;
    if (a->bytes)
        TRY(read_written(&after, error));
    *value = a->bytes ? (double)(after - before) : seconds * 1e6;
    return 0;
}

static int run_appends(void *context, double *value, mneme_error *error) {
    struct appends *a = context;
    double values[EPISODES * AROUND], sum = 0;
    size_t count = 0;
    for (size_t e = 0; e < EPISODES; e++) {
        mneme_id episode;
        TRY(make_episode(a, a->before, &episode, error));
        for (size_t i = 0; i < AROUND; i++, count++) {
            TRY(append_one(a, &episode, count, &values[count], error));
            sum += values[count];
        }
    }
    /* Bytes are exact, so their mean is; times have outliers that are the disk's. */
    *value = a->bytes ? sum / (double)count : measured_of(values, count).median;
    return 0;
}

/* A store that is in use: its trees have the depth that they keep. */
static int fill(struct appends *a, mneme_error *error) {
    const struct corpus *corpus = &a->kit->corpus;
    size_t episodes = bench_size(a->kit->options, 1, FILL_EPISODES, FILL_EPISODES);
    mneme_id id;
    for (size_t i = 0; i < corpus->fresh.count; i++)
        TRY(mneme_put(a->m, corpus->fresh.items[i], 1, NULL, NULL, error));
    for (size_t i = 0; i < episodes; i++)
        TRY(make_episode(a, LATE, &id, error));
    return 0;
}

int store_appends(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_HANDLE mneme *m = NULL;
    struct scratch_path path = scratch_path_of(&kit->scratch, "appends.mdb");
    struct appends early = {.kit = kit, .before = EARLY - AROUND / 2}, late;
    report_progress(&kit->report, "filling a store");
    TRY(live_steps_make(kit, &arena, &early.steps, error));
    TRY(kit_open(kit, &path, &m, error));
    early.m = m;
    TRY(fill(&early, error));
    late = early;
    late.before = LATE - AROUND / 2;
    TRY(kit_compare(kit, "append step 1,000: time", "us", (struct contestant){run_appends, &late},
                    "append step 10", (struct contestant){run_appends, &early}, AT_MOST(1.2),
                    error));
    early.bytes = late.bytes = true;
    return kit_compare(kit, "append step 1,000: written", "B",
                       (struct contestant){run_appends, &late}, "append step 10",
                       (struct contestant){run_appends, &early}, AT_MOST(1.2), error);
}
