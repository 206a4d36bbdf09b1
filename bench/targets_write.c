/*
 * targets_write.c - real episodes and patterns written in groups, against one call and one commit
 * each: to a file, and to a server near and far.
 */
#include <stdio.h>

#include "bench/targets_cases.h"

struct writing {
    struct kit *kit;
    mneme *m;
    struct arena arena; /* of the records that a run puts, new ones for each */
    mneme_record *records;
    mneme_ticket *tickets;
    uint64_t number;
    size_t grouped, single; /* how many records a run puts */
};

static int take(struct writing *w, mneme_kind kind, size_t count, mneme_error *error) {
    arena_fini(&w->arena);
    w->tickets = arena_zalloc(&w->arena, count, sizeof *w->tickets);
    if (!w->tickets)
        return error_set(error, MNEME_NO_MEMORY, "no memory for tickets");
    return targets_records(w->kit, kind, count, &w->number, &w->arena, &w->records, error);
}

/* Queue them one by one; the group commit makes the groups. Until all of them are durable. */
static int run_grouped(struct writing *w, mneme_kind kind, double *value, mneme_error *error) {
    TRY(take(w, kind, w->grouped, error));
    double start = seconds_now();
    for (size_t i = 0; i < w->grouped; i++) {
        const mneme_write how = {.durability = MNEME_BATCH, .ticket = &w->tickets[i]};
        TRY(mneme_put(w->m, &w->records[i], 1, &how, NULL, error));
    }
    TRY(mneme_flush(w->m, error));
    for (size_t i = 0; i < w->grouped; i++)
        TRY(mneme_ticket_wait(w->m, w->tickets[i], -1, error));
    *value = (double)w->grouped / (seconds_now() - start);
    return 0;
}

static int run_episodes(void *context, double *value, mneme_error *error) {
    return run_grouped(context, MNEME_EPISODE, value, error);
}

static int run_patterns(void *context, double *value, mneme_error *error) {
    return run_grouped(context, MNEME_PATTERN, value, error);
}

static int run_singly(struct writing *w, mneme_kind kind, double *value, mneme_error *error) {
    TRY(take(w, kind, w->single, error));
    double start = seconds_now();
    for (size_t i = 0; i < w->single; i++)
        TRY(mneme_put(w->m, &w->records[i], 1, NULL, NULL, error));
    *value = (double)w->single / (seconds_now() - start);
    return 0;
}

static int run_single_episodes(void *context, double *value, mneme_error *error) {
    return run_singly(context, MNEME_EPISODE, value, error);
}

static int run_single_patterns(void *context, double *value, mneme_error *error) {
    return run_singly(context, MNEME_PATTERN, value, error);
}

enum { EPISODES, PATTERNS, SINGLE_EPISODES, SINGLE_PATTERNS, RUNS };
enum { EMBEDDED, PLACES = EMBEDDED + 1 + DISTANCES_MAX };

static int measure_at(struct writing *w, const char *place, struct measured results[RUNS],
                      mneme_error *error) {
    const struct contestant contestants[RUNS] = {[EPISODES] = {run_episodes, w},
                                                 [PATTERNS] = {run_patterns, w},
                                                 [SINGLE_EPISODES] = {run_single_episodes, w},
                                                 [SINGLE_PATTERNS] = {run_single_patterns, w}};
    report_progress(&w->kit->report, "measuring: writes, %s", place);
    return measure(w->kit->options, contestants, RUNS, results, error);
}

static void writing_fini(struct writing *w) {
    (void)mneme_close(w->m, NULL);
    arena_fini(&w->arena);
}

static int measure_embedded(struct kit *kit, struct measured results[RUNS], mneme_error *error) {
    const struct scratch_path path = scratch_path_of(&kit->scratch, "writes.mdb");
    CLEANUP(writing_fini)
    struct writing w = {.kit = kit,
                        .grouped = bench_size(kit->options, 100, 1000, 5000),
                        .single = bench_size(kit->options, 10, 200, 1000)};
    TRY(kit_open(kit, &path, &w.m, error));
    return measure_at(&w, "embedded", results, error);
}

static int measure_remote(struct remote *r, const struct distance *d, struct measured results[RUNS],
                          mneme_error *error) {
    const mneme_options options = remote_options(r);
    bool near = d->kind == DISTANCE_NONE;
    CLEANUP(writing_fini)
    struct writing w = {.kit = r->kit,
                        .number = r->numbers,
                        .grouped = bench_size(r->kit->options, 100, 400, 1000),
                        .single = near ? bench_size(r->kit->options, 5, 50, 200)
                                       : bench_size(r->kit->options, 3, 6, 50)};
    distance_set(r, d);
    TRY(mneme_open(d->url, &options, &w.m, error));
    TRY(measure_at(&w, d->text, results, error));
    r->numbers = w.number;
    return 0;
}

static void print_ratio(struct kit *kit, const char *what, const char *place,
                        const struct measured *grouped, const struct measured *single) {
    char name[ROW_NAME_SIZE];
    snprintf(name, sizeof name, "%s batched, %s", what, place);
    report_row(&kit->report, &(struct row){.name = name,
                                           .unit = "rec/s",
                                           .reference = "one commit each",
                                           .value = *grouped,
                                           .reference_value = *single,
                                           .goal = AT_LEAST(3)});
}

static void print_rate(struct kit *kit, const char *what, const char *place,
                       const struct measured *rate, double bound) {
    char name[ROW_NAME_SIZE];
    snprintf(name, sizeof name, "bulk insert: %s, %s", what, place);
    targets_value(kit, name, "rec/s", *rate, VALUE_AT_LEAST(bound));
}

int targets_writes(struct remote *r, mneme_error *error) {
    struct kit *kit = r->kit;
    struct measured results[PLACES][RUNS];
    const char *places[PLACES] = {"embedded"};
    size_t count = EMBEDDED + 1;
    TRY(measure_embedded(kit, results[EMBEDDED], error));
    for (size_t i = 0; i < r->distance_count; i++, count++) {
        places[count] = r->distances[i].text;
        TRY(measure_remote(r, &r->distances[i], results[count], error));
    }
    report_heading(&kit->report, "batched writes: 2 to 3 times as many a second");
    for (size_t i = 0; i < count; i++) {
        print_ratio(kit, "episodes", places[i], &results[i][EPISODES],
                    &results[i][SINGLE_EPISODES]);
        print_ratio(kit, "patterns", places[i], &results[i][PATTERNS],
                    &results[i][SINGLE_PATTERNS]);
    }
    report_heading(&kit->report, "bulk insert: 200 to 300 episodes, 250 patterns a second");
    for (size_t i = 0; i < count; i++) {
        print_rate(kit, "episodes", places[i], &results[i][EPISODES], 300);
        print_rate(kit, "patterns", places[i], &results[i][PATTERNS], 250);
    }
    return 0;
}
