/*
 * soak.c - `mneme bench soak`: some minutes of load while everything goes wrong that can, and then
 * a look at every record. docs/bench.md explains the rows.
 */
#include "bench/benches.h"
#include "bench/soak_stage.h"

enum { PROCESSES = 4, THREADS = 4 };

/* ---- Rows ----------------------------------------------------------------------------------- */

static void row(struct soak_stage *stage, const char *name, const char *unit, double value) {
    report_row(&stage->report, &(struct row){.name = name, .unit = unit, .value.median = value});
}

static void row_against(struct soak_stage *stage, const char *name, const char *unit, double value,
                        const char *reference, double reference_value) {
    report_row(&stage->report, &(struct row){.name = name,
                                             .unit = unit,
                                             .value.median = value,
                                             .reference = reference,
                                             .reference_value.median = reference_value});
}

static void call_rows(struct soak_stage *stage, bool far) {
    char name[40];
    for (unsigned i = 0; i < CALLS; i++) {
        const struct soak_times *times = &stage->board->times[far][i];
        uint64_t count = soak_times_count(times);
        if (!count)
            continue;
        const char *call = soak_call_names[i], *where = far ? ", server" : "";
        double p99_us = soak_times_quantile(times, 0.99) / 1e3;
        snprintf(name, sizeof name, "%s%s", call, where);
        row(stage, name, "/s", (double)count / stage->seconds);
        snprintf(name, sizeof name, "%s%s: p99", call, where);
        row_against(stage, name, "us", p99_us, "p50", soak_times_quantile(times, 0.5) / 1e3);
        snprintf(name, sizeof name, "%s%s: longest", call, where);
        row_against(stage, name, "us", (double)atomic_load(&times->longest_ns) / 1e3, "p99",
                    p99_us);
    }
}

static void count_rows(struct soak_stage *stage) {
    static const char *const names[COUNTS] = {"writes acknowledged",
                                              "writes refused as they must",
                                              "beaten by another writer",
                                              "no space",
                                              "server not to be reached",
                                              "no answer from the server",
                                              "records read, compared",
                                              "lists compared",
                                              "outcomes found by reading",
                                              "backups taken, looked into",
                                              "long reads"};
    for (unsigned i = 0; i < COUNTS; i++)
        row(stage, names[i], "", (double)atomic_load(&stage->board->counts[i]));
}

static void event_rows(struct soak_stage *stage) {
    char name[40];
    for (unsigned i = 0; i < EVENTS; i++) {
        if (i == EVENT_WAKE || i == EVENT_ROOM || i == EVENT_SERVER_UP || i == EVENT_FINE)
            continue;
        snprintf(name, sizeof name, "happened: %s", soak_event_names[i]);
        row(stage, name, "", stage->happened[i]);
    }
}

static void size_rows(struct soak_stage *stage, const struct soak_verdict *verdict) {
    double start = 0, end = 0, most = 0, before = 0;
    for (unsigned i = 0; i < stage->slots; i++) {
        struct soak_slot *slot = &stage->board->slots[i];
        start += (double)atomic_load(&slot->memory_start) / stage->slots / (1 << 20);
        end += (double)atomic_load(&slot->memory_now) / stage->slots / (1 << 20);
        before += (double)atomic_load(&slot->descriptors_start) / stage->slots;
        most += (double)atomic_load(&slot->descriptors_now) / stage->slots;
    }
    row_against(stage, "memory of a process", "MiB", end, "at its start", start);
    row_against(stage, "descriptors of a process", "", most, "at its start", before);
    row_against(stage, "store file", "MiB", (double)verdict->file_bytes / (1 << 20), "at the start",
                (double)stage->file_bytes / (1 << 20));
    row_against(stage, "store file", "MiB", (double)verdict->file_bytes / (1 << 20), "live bodies",
                (double)verdict->live_bytes / (1 << 20));
    row_against(stage, "pages in use", "MiB", (double)verdict->used_bytes / (1 << 20),
                "live bodies", (double)verdict->live_bytes / (1 << 20));
}

static void print_rows(struct soak_stage *stage, const struct soak_verdict *verdict) {
    report_heading(&stage->report, "calls on the store");
    call_rows(stage, false);
    report_heading(&stage->report, "calls on the server");
    call_rows(stage, true);
    report_heading(&stage->report, "what came of them");
    count_rows(stage);
    event_rows(stage);
    report_heading(&stage->report, "sizes");
    size_rows(stage, verdict);
    report_heading(&stage->report, "the last look at everything");
    row(stage, "until in step with the server", "s", verdict->settle_seconds);
    row(stage, "live records", "", (double)verdict->live);
    row(stage, "conflicts of sync", "", (double)verdict->conflicts);
    row(stage, "times met anew", "", verdict->peers ? (double)verdict->peers - 1 : 0);
    row(stage, "checked", "", (double)verdict->checked);
    row(stage, "wrong", "", (double)verdict->wrong);
}

/* ---- The whole ------------------------------------------------------------------------------ */

static void announce(struct soak_stage *stage) {
    char text[160];
    snprintf(text, sizeof text, "seed %llu: %u processes of %u threads, %.1f s, %zu events",
             (unsigned long long)stage->seed, stage->slots, stage->threads,
             (double)stage->length_ms / 1000, stage->plan.count);
    report_heading(&stage->report, text);
    if (!stage->options->json)
        soak_plan_print(&stage->plan, stdout);
    fflush(stdout);
}

static int soak(struct soak_stage *stage, mneme_error *error) {
    struct soak_verdict verdict;
    TRY(soak_stage_set(stage, error));
    report_begin(&stage->report, stage->options);
    stage->report.once = true;
    announce(stage);
    stage->played = true;
    TRY(soak_stage_play(stage, error));
    report_progress(&stage->report, "the last look at everything");
    TRY(soak_check(stage, &verdict, error));
    print_rows(stage, &verdict);
    snprintf(stage->report.data, sizeof stage->report.data, "made up by seed %llu",
             (unsigned long long)stage->seed);
    TRY(report_end(&stage->report, stage->scratch.file_system, error));
    if (verdict.wrong)
        return error_set(error, MNEME_FAILURE, "%llu of %llu looks found something wrong",
                         (unsigned long long)verdict.wrong, (unsigned long long)verdict.checked);
    return 0;
}

int soak_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_FREE struct soak_stage *stage = mem_zalloc(1, sizeof *stage);
    if (!stage)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a soak");
    double minutes = options->minutes > 0 ? options->minutes : options->quick ? 0.1 : 2;
    stage->options = options;
    stage->seed = options->seed;
    stage->slots = options->processes ? options->processes : options->quick ? 3 : PROCESSES;
    stage->threads = options->threads ? options->threads : options->quick ? 2 : THREADS;
    stage->length_ms = (int64_t)(minutes * 60000);
    interrupt_catch();
    int status = soak(stage, error);
    soak_stage_strike(stage, stage->played && status && status != MNEME_CANCELLED);
    return status;
}
