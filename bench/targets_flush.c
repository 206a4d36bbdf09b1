/*
 * targets_flush.c - when the group commit commits what nobody waits for: at the hundredth
 * operation, after 100 ms, and when it is told to. Commits are those that mneme_stats tells.
 */
#include <stdio.h>

#include "bench/cache_store.h"
#include "bench/sync_site.h"
#include "bench/targets_cases.h"

enum { OPERATIONS = 100, INTERVAL_MS = 100, SETTLE_US = 10000, PATIENCE_US = 10000000 };

struct flushing {
    struct kit *kit;
    struct scratch_path path;
    mneme *m;
    struct arena arena;
    mneme_record record; /* a pattern without an id: each put is a new one */
};

static int put(struct flushing *f, mneme_durability durability, mneme_error *error) {
    const mneme_write how = {.durability = durability};
    return mneme_put(f->m, &f->record, 1, &how, NULL, error);
}

static int commits_of(struct flushing *f, uint64_t *out, mneme_error *error) {
    mneme_stats stats = {.size = sizeof stats};
    TRY(mneme_stats_get(f->m, &stats, error));
    *out = stats.commits;
    return 0;
}

/* Until there are more than `before`, but no longer than this. *seen: whether there are. */
static int await_commit(struct flushing *f, uint64_t before, double us, bool *seen,
                        mneme_error *error) {
    double deadline = seconds_now() + us / 1e6;
    uint64_t commits;
    do {
        TRY(commits_of(f, &commits, error));
        *seen = commits > before;
        if (!*seen)
            wait_for_us(20);
    } while (!*seen && seconds_now() < deadline);
    return 0;
}

static int no_commit(mneme_error *error) {
    return error_set(error, MNEME_FAILURE, "what was queued is not committed after seconds");
}

static int flushing_open(struct flushing *f, uint32_t interval_ms, mneme_error *error) {
    const mneme_options options = {
        .size = sizeof options, .no_training = true, .batch_interval_ms = interval_ms};
    TRY(mneme_close(TAKE(f->m), error));
    return mneme_open(f->path.text, &options, &f->m, error);
}

/* ---- The hundredth operation --------------------------------------------------------------- */

/* Queue operations until one is followed by a commit. Which one? Those around the hundredth are
 * given time for it. */
static int operations_until_commit(struct flushing *f, double *out, mneme_error *error) {
    uint64_t before;
    bool seen = false;
    size_t count = 0;
    TRY(commits_of(f, &before, error));
    while (!seen && count < 2 * OPERATIONS) {
        TRY(put(f, MNEME_RELAXED, error));
        count++;
        if (count == OPERATIONS)
            TRY(await_commit(f, before, PATIENCE_US, &seen, error));
        else
            TRY(await_commit(f, before, count + 2 > OPERATIONS ? SETTLE_US : 0, &seen, error));
    }
    *out = (double)count;
    return seen ? mneme_flush(f->m, error) : no_commit(error);
}

static int by_count(struct flushing *f, mneme_error *error) {
    double counts[200];
    size_t tries = bench_size(f->kit->options, 3, 50, COUNT_OF(counts));
    report_progress(&f->kit->report, "measuring: commits by operations");
    TRY(flushing_open(f, 60000, error)); /* nothing comes by time */
    for (size_t i = 0; i < tries; i++) {
        TRY(interrupt_check(error));
        TRY(operations_until_commit(f, &counts[i], error));
    }
    targets_value(f->kit, "commit at operation, earliest", "count", percentile_of(counts, tries, 0),
                  VALUE_AT_LEAST(OPERATIONS));
    targets_value(f->kit, "commit at operation, latest", "count", percentile_of(counts, tries, 100),
                  VALUE_AT_MOST(OPERATIONS));
    return 0;
}

/* ---- 100 ms --------------------------------------------------------------------------------- */

/* Milliseconds: of a durable put, and from a queued one to its commit. */
static int time_once(struct flushing *f, double *durable, double *queued, mneme_error *error) {
    uint64_t before;
    bool seen;
    double start = seconds_now();
    TRY(put(f, MNEME_SYNC, error));
    *durable = (seconds_now() - start) * 1e3;
    TRY(commits_of(f, &before, error));
    start = seconds_now();
    TRY(put(f, MNEME_RELAXED, error));
    TRY(await_commit(f, before, PATIENCE_US, &seen, error));
    *queued = (seconds_now() - start) * 1e3;
    return seen ? 0 : no_commit(error);
}

static int by_time(struct flushing *f, mneme_error *error) {
    double durable[200], queued[200];
    size_t tries = bench_size(f->kit->options, 3, 40, COUNT_OF(queued));
    report_progress(&f->kit->report, "measuring: commits by time");
    TRY(flushing_open(f, 0, error)); /* as shipped */
    for (size_t i = 0; i < tries; i++) {
        TRY(interrupt_check(error));
        TRY(time_once(f, &durable[i], &queued[i], error));
    }
    struct measured due = measured_of(durable, tries);
    due.median += INTERVAL_MS;
    targets_value(f->kit, "queued until its commit, least", "ms", percentile_of(queued, tries, 0),
                  VALUE_AT_LEAST(INTERVAL_MS));
    struct row row = {.name = "queued until its commit",
                      .unit = "ms",
                      .reference = "100 ms and a commit",
                      .value = measured_of(queued, tries),
                      .reference_value = due,
                      .goal = AT_MOST(1.01)};
    report_row(&f->kit->report, &row);
    row.name = "queued until its commit, p99";
    row.value = percentile_of(queued, tries, 99);
    row.goal = NO_GOAL;
    report_row(&f->kit->report, &row);
    return 0;
}

/* ---- On demand ------------------------------------------------------------------------------ */

/* Milliseconds of a durable put, and of a flush of one queued put; how many commits that made. */
static int flush_once(struct flushing *f, double *durable, double *flushed, double *made,
                      mneme_error *error) {
    uint64_t before, after;
    double start = seconds_now();
    TRY(put(f, MNEME_SYNC, error));
    *durable = (seconds_now() - start) * 1e3;
    TRY(put(f, MNEME_RELAXED, error));
    TRY(commits_of(f, &before, error));
    start = seconds_now();
    TRY(mneme_flush(f->m, error));
    *flushed = (seconds_now() - start) * 1e3;
    TRY(commits_of(f, &after, error));
    *made = (double)(after - before);
    return 0;
}

static int by_demand(struct flushing *f, mneme_error *error) {
    double durable[1000], flushed[1000], made[1000];
    size_t tries = bench_size(f->kit->options, 3, 200, COUNT_OF(flushed));
    report_progress(&f->kit->report, "measuring: commits by demand");
    TRY(flushing_open(f, 60000, error));
    for (size_t i = 0; i < tries; i++) {
        TRY(interrupt_check(error));
        TRY(flush_once(f, &durable[i], &flushed[i], &made[i], error));
    }
    targets_value(f->kit, "commits when mneme_flush is done", "count",
                  percentile_of(made, tries, 0), VALUE_AT_LEAST(1));
    report_row(&f->kit->report, &(struct row){.name = "mneme_flush of one queued write",
                                              .unit = "ms",
                                              .reference = "a durable put",
                                              .value = measured_of(flushed, tries),
                                              .reference_value = measured_of(durable, tries),
                                              .goal = AT_MOST(1.2)});
    return 0;
}

static void flushing_fini(struct flushing *f) {
    (void)mneme_close(f->m, NULL);
    arena_fini(&f->arena);
}

int targets_flush(struct kit *kit, mneme_error *error) {
    const mneme_id none = {{0}};
    CLEANUP(flushing_fini)
    struct flushing f = {.kit = kit, .path = scratch_path_of(&kit->scratch, "flush.mdb")};
    report_heading(&kit->report, "flush: at 100 operations, at 100 ms, on demand; exactly");
    TRY(pattern_make(1, &none, &f.arena, &f.record, error));
    TRY(kit_open(kit, &f.path, &f.m, error));
    TRY(by_count(&f, error));
    TRY(by_time(&f, error));
    return by_demand(&f, error);
}
