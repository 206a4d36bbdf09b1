/*
 * metrics.c - `mneme bench metrics`: what it costs to measure. Two handles on one file, one that
 * measures and one that does not, do the same in short turns, some hundred in all, so that
 * what the machine does meanwhile hits both alike; medians are of the turns.
 */
#include "metrics/metrics.h"
#include <time.h>

#include "bench/benches.h"
#include "bench/generate.h"
#include "bench/kit.h"

enum { TURNS = 400, TURNS_MAX = 4000, LIST_LIMIT = 20 };

struct costs {
    struct kit *kit;
    struct scratch_path path;
    mneme *on, *off;
    mneme_id *ids;
    size_t count;
    uint64_t made; /* records that were put */
    struct arena arena;
};

/* Do something `times` times with a handle, beginning at a number. */
typedef int turn(struct costs *c, mneme *m, size_t times, uint64_t from, mneme_error *error);

static void costs_close(struct costs *c) {
    (void)mneme_close(TAKE(c->on), NULL);
    (void)mneme_close(TAKE(c->off), NULL);
}

static void costs_fini(struct costs *c) {
    costs_close(c);
    arena_fini(&c->arena);
}

static int costs_open(struct costs *c, bool cached, mneme_error *error) {
    mneme_options options = {.size = sizeof options, .no_training = true, .cache.off = !cached};
    costs_close(c);
    TRY(mneme_open(c->path.text, &options, &c->on, error));
    options.no_metrics = true;
    return mneme_open(c->path.text, &options, &c->off, error);
}

/* ---- Turns --------------------------------------------------------------------------------- */

static int acquire_some(struct costs *c, mneme *m, size_t times, uint64_t from,
                        mneme_error *error) {
    for (size_t i = 0; i < times; i++) {
        const mneme_record *record;
        TRY(mneme_acquire(m, MNEME_EPISODE, &c->ids[(from + i) % c->count], &record, error));
        mneme_release(m, record);
    }
    return 0;
}

static int get_some(struct costs *c, mneme *m, size_t times, uint64_t from, mneme_error *error) {
    for (size_t i = 0; i < times; i++) {
        AUTO_RECORDS struct record_set set = {0};
        const mneme_id *id = &c->ids[(from + i) % c->count];
        TRY(store_get_one(m->store, MNEME_EPISODE, id, &set, error));
    }
    return 0;
}

static int list_some(struct costs *c, mneme *m, size_t times, uint64_t from, mneme_error *error) {
    mneme_query query = {.kind = MNEME_EPISODE, .limit = LIST_LIMIT};
    (void)c;
    (void)from;
    for (size_t i = 0; i < times; i++) {
        const mneme_page *page;
        TRY(mneme_list(m, &query, &page, error));
        mneme_page_release(m, page);
    }
    return 0;
}

static int put_with(struct costs *c, mneme *m, size_t times, mneme_durability durability,
                    mneme_error *error) {
    mneme_ticket ticket;
    mneme_write how = {.durability = durability, .ticket = &ticket};
    for (size_t i = 0; i < times; i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        TRY(corpus_vary(&c->kit->corpus, c->made++, &arena, &record, error));
        TRY(mneme_put(m, &record, 1, &how, NULL, error));
    }
    return durability == MNEME_BATCH ? mneme_flush(m, error) : 0;
}

static int put_synced(struct costs *c, mneme *m, size_t times, uint64_t from, mneme_error *error) {
    (void)from;
    return put_with(c, m, times, MNEME_SYNC, error);
}

static int put_batched(struct costs *c, mneme *m, size_t times, uint64_t from, mneme_error *error) {
    (void)from;
    return put_with(c, m, times, MNEME_BATCH, error);
}

/* ---- Comparing ----------------------------------------------------------------------------- */

struct pair {
    const char *name, *unit;
    double scale; /* of seconds */
    turn *run;
    size_t times; /* a turn */
    bool waits;   /* for the disk: by the wall clock, and not by what the thread computed */
    struct goal goal;
};

/* What this thread has computed: nothing that other programs do at the same time is in it. */
static double thread_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int take_turn(struct costs *c, mneme *m, const struct pair *pair, uint64_t from,
                     double *value, mneme_error *error) {
    double start = pair->waits ? seconds_now() : thread_seconds();
    TRY(pair->run(c, m, pair->times, from, error));
    double end = pair->waits ? seconds_now() : thread_seconds();
    *value = (end - start) * pair->scale / (double)pair->times;
    return 0;
}

/* Who goes first changes with each turn. */
static int take_turns(struct costs *c, const struct pair *pair, double *on, double *off,
                      size_t count, mneme_error *error) {
    double unused;
    TRY(take_turn(c, c->on, pair, 0, &unused, error));
    TRY(take_turn(c, c->off, pair, 0, &unused, error));
    for (size_t i = 0; i < count; i++) {
        bool first = i % 2;
        TRY(interrupt_check(error));
        TRY(take_turn(c, first ? c->on : c->off, pair, i, first ? &on[i] : &off[i], error));
        TRY(take_turn(c, first ? c->off : c->on, pair, i, first ? &off[i] : &on[i], error));
    }
    return 0;
}

static void report_difference(struct costs *c, const struct pair *pair, struct measured difference,
                              struct goal goal) {
    struct row row = {.name = pair->name, .unit = pair->unit, .value = difference, .goal = goal};
    row.value.median = row.value.median > 0 ? row.value.median : 0; /* less than can be seen */
    report_row(&c->kit->report, &row);
}

/* `extra`: a row of the difference under this name; NULL: none. */
static int compare(struct costs *c, const struct pair *pair, const char *extra,
                   struct goal extra_goal, mneme_error *error) {
    size_t count =
        bench_size(c->kit->options, 3, TURNS * c->kit->options->rounds / 7 + 1, 4 * TURNS);
    count = size_min(count, TURNS_MAX);
    AUTO_FREE double *on = mem_zalloc(3 * count, sizeof *on);
    if (!on)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a bench");
    double *off = on + count, *difference = off + count;
    report_progress(&c->kit->report, "measuring: %s", pair->name);
    TRY(take_turns(c, pair, on, off, count, error));
    for (size_t i = 0; i < count; i++)
        difference[i] = on[i] - off[i];
    struct row row = {.name = pair->name,
                      .unit = pair->unit,
                      .reference = "not measured",
                      .value = measured_of(on, count),
                      .reference_value = measured_of(off, count),
                      .goal = pair->goal};
    report_row(&c->kit->report, &row);
    struct pair other = *pair;
    other.name = extra;
    if (extra)
        report_difference(c, &other, measured_of(difference, count), extra_goal);
    return 0;
}

static int hits(struct costs *c, mneme_error *error) {
    const struct pair hit = {.name = "cache hit",
                             .unit = "ns",
                             .scale = 1e9,
                             .run = acquire_some,
                             .times = bench_size(c->kit->options, 100, 20000, 100000)};
    TRY(costs_open(c, true, error));
    TRY(acquire_some(c, c->on, c->count, 0, error));
    TRY(acquire_some(c, c->off, c->count, 0, error));
    return compare(c, &hit, "cache hit, difference", VALUE_AT_MOST(5), error);
}

static int operations(struct costs *c, mneme_error *error) {
    size_t some = bench_size(c->kit->options, 10, 500, 2000);
    size_t few = bench_size(c->kit->options, 2, 8, 20);
    const struct pair pairs[] = {
        {"get, from kv", "us", 1e6, get_some, 4 * some, false, AT_MOST(1.01)},
        {"acquire, not cached", "us", 1e6, acquire_some, some / 4 + 1, false, AT_MOST(1.01)},
        {"query of 20, not cached", "us", 1e6, list_some, some / 50 + 1, false, AT_MOST(1.01)},
        {"put, batched", "us", 1e6, put_batched, some / 50 + 1, true, AT_MOST(1.01)},
        {"put, synced", "us", 1e6, put_synced, few, true, AT_MOST(1.01)},
    };
    TRY(costs_open(c, false, error));
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        TRY(compare(c, &pairs[i], NULL, NO_GOAL, error));
    return 0;
}

/* ---- Alone --------------------------------------------------------------------------------- */

static int run_counting(void *context, double *value, mneme_error *error) {
    struct costs *c = context;
    size_t times = bench_size(c->kit->options, 1000, 1000000, 5000000);
    (void)error;
    double start = thread_seconds();
    for (size_t i = 0; i < times; i++)
        (void)meter_end(c->on->meter, METER_KV_QUERY, meter_begin(c->on->meter), 0);
    *value = (thread_seconds() - start) * 1e9 / (double)times;
    return 0;
}

static int run_picture(void *context, double *value, mneme_error *error) {
    struct costs *c = context;
    const mneme_metrics *metrics;
    double start = seconds_now();
    TRY(mneme_metrics_read(c->on, &metrics, error));
    *value = (seconds_now() - start) * 1e6;
    mneme_metrics_release(metrics);
    return 0;
}

static int run_memory(void *context, double *value, mneme_error *error) {
    struct costs *c = context;
    const mneme_metrics *metrics;
    TRY(mneme_metrics_read(c->on, &metrics, error));
    *value = 0;
    for (size_t i = 0; i < metrics->total.level_count; i++)
        if (strcmp(metrics->total.levels[i].name, "metrics_memory") == 0)
            *value = metrics->total.levels[i].value / 1024;
    mneme_metrics_release(metrics);
    return 0;
}

static int alone(struct costs *c, mneme_error *error) {
    const struct {
        const char *name, *unit;
        contestant_run *run;
    } rows[] = {{"count and time, alone", "ns", run_counting},
                {"a picture", "us", run_picture},
                {"memory of a handle", "KiB", run_memory}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct contestant one = {rows[i].run, c};
        struct measured result;
        TRY(measure(c->kit->options, &one, 1, &result, error));
        report_row(&c->kit->report,
                   &(struct row){.name = rows[i].name, .unit = rows[i].unit, .value = result});
    }
    return 0;
}

/* ---- The bench ----------------------------------------------------------------------------- */

static int fill(struct costs *c, mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    c->count = bench_size(c->kit->options, 20, 500, 2000);
    c->ids = arena_zalloc(&c->arena, c->count, sizeof *c->ids);
    if (!c->ids)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a bench");
    TRY(kit_open(c->kit, &c->path, &m, error));
    for (size_t i = 0; i < c->count; i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        mneme_write how = {.durability = MNEME_RELAXED};
        TRY(corpus_vary(&c->kit->corpus, c->made++, &arena, &record, error));
        TRY(mneme_put(m, &record, 1, &how, &c->ids[i], error));
    }
    return mneme_flush(m, error);
}

static int run(struct kit *kit, mneme_error *error) {
    CLEANUP(costs_fini) struct costs c = {.kit = kit};
    c.path = scratch_path_of(&kit->scratch, "metrics.mdb");
    report_progress(&kit->report, "making a store");
    TRY(fill(&c, error));
    report_heading(&kit->report, "measured, and not: the same file, in turns");
    TRY(hits(&c, error));
    TRY(operations(&c, error));
    report_heading(&kit->report, "the measuring itself");
    return alone(&c, error);
}

int metrics_bench(const struct bench_options *options, mneme_error *error) {
    AUTO_KIT struct kit kit = {0};
    TRY(kit_init(&kit, options, error));
    TRY(run(&kit, error));
    return kit_end(&kit, error);
}
