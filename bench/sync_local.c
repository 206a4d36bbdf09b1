/*
 * sync_local.c - durable puts and gets of a store whose remote can be reached, swallows all that
 * it is sent, or is down, against those of a store without one.
 *
 * The arms take turns, each with the same episodes and a server of its own, and another begins each
 * round. What an arm has still to send when its turn is over, it sends before the next one's
 * begins: so the work of its thread is in its own figures, or in nobody's. Those whose remote fails
 * were in step with it before.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/generate.h"
#include "bench/sync_cases.h"

enum { ALONE, NEAR, FAR, STALLED, DOWN, ARMS };
enum { HOT = 100, A_HIT = 100 };
static const char *const arm_names[ARMS] = {"alone", "reachable", "40 ms away", "stalled", "down"};

enum { PUT, GET, HIT, CALLS };
static const char *const call_names[CALLS] = {"put", "get", "cached get"};
static const char *const call_units[CALLS] = {"us", "us", "ns"};
static const double call_scales[CALLS] = {1e6, 1e6, 1e9 / A_HIT};

struct arm {
    struct site site;
    mneme *m;             /* with caches, and the thread */
    mneme *uncached;      /* of the same file */
    double *times[CALLS]; /* in call_units; of one round behind the other */
};

struct local {
    struct kit *kit;
    struct arm arms[ARMS];
    struct arena arena;
    mneme_id *ids;   /* of the episodes that all stores have */
    size_t stored;   /* … and how many these are */
    size_t turn;     /* how many puts, gets and groups of cached gets a turn has */
    uint64_t number; /* of the next episode */
    uint64_t chance;
};

/* ---- Arms --------------------------------------------------------------------------------- */

static struct proxy_action stall(void *context, const struct proxy_request *request) {
    (void)context, (void)request;
    return (struct proxy_action){.fault = PROXY_STALL};
}

/* Bring the store in step with its remote; then let that fail, if it is to. */
static int arm_join(struct arm *arm, size_t which, mneme_error *error) {
    TRY(wait_until_sent(arm->m, error));
    if (which == STALLED) {
        proxy_decide_with(arm->site.proxy, stall, NULL);
        (void)proxy_reset_all(arm->site.proxy);
    } else if (which == DOWN) {
        sqld_kill(&arm->site.server);
    }
    return 0;
}

static int arm_open(struct local *l, size_t which, const struct scratch_path *base,
                    mneme_error *error) {
    char file[32];
    struct arm *arm = &l->arms[which];
    snprintf(file, sizeof file, "arm%zu.mdb", which);
    const struct scratch_path path = scratch_path_of(&l->kit->scratch, file);
    if (which != ALONE)
        TRY(site_start(&arm->site, which == FAR ? delays[1].ms : 0, error));
    const char *url = which == STALLED ? proxy_url(arm->site.proxy) : arm->site.url;
    TRY(scratch_copy_file(base, &path, error));
    mneme_options options = synced_options(url, MNEME_SYNC_BACKGROUND);
    TRY(mneme_open(path.text, &options, &arm->m, error));
    options.sync.mode = MNEME_SYNC_MANUAL;
    options.cache.off = true;
    TRY(mneme_open(path.text, &options, &arm->uncached, error));
    for (size_t i = 0; i < CALLS; i++) {
        arm->times[i] =
            arena_zalloc(&l->arena, l->kit->options->rounds * l->turn, sizeof *arm->times[i]);
        if (!arm->times[i])
            return error_set(error, MNEME_NO_MEMORY, "no memory for times");
    }
    return which == ALONE ? 0 : arm_join(arm, which, error);
}

static void arm_close(struct arm *arm) {
    (void)mneme_close(arm->uncached, NULL);
    (void)mneme_close(arm->m, NULL);
    site_stop(&arm->site);
}

/* ---- Turns -------------------------------------------------------------------------------- */

static int get(mneme *m, const mneme_id *id, mneme_error *error) {
    const mneme_record *record;
    TRY(mneme_acquire(m, MNEME_EPISODE, id, &record, error));
    mneme_release(m, record);
    return 0;
}

static int get_hot(struct local *l, struct arm *arm, uint64_t chance, mneme_error *error) {
    for (size_t i = 0; i < A_HIT; i++)
        TRY(get(arm->m, &l->ids[(chance + i) % size_min(HOT, l->stored)], error));
    return 0;
}

static int call_once(struct local *l, struct arm *arm, const mneme_record *record,
                     double times[CALLS], mneme_error *error) {
    uint64_t chance = mix(l->chance, (uint64_t)record->time_us);
    double at[CALLS + 1];
    at[PUT] = seconds_now();
    TRY(mneme_put(arm->m, record, 1, NULL, NULL, error));
    at[GET] = seconds_now();
    TRY(get(arm->uncached, &l->ids[chance % l->stored], error));
    at[HIT] = seconds_now();
    TRY(get_hot(l, arm, chance, error));
    at[CALLS] = seconds_now();
    for (size_t i = 0; i < CALLS; i++)
        times[i] = (at[i + 1] - at[i]) * call_scales[i];
    return 0;
}

/* `round` of those that count, or SIZE_MAX. */
static int take_turn(struct local *l, size_t which, const mneme_record *records, size_t round,
                     mneme_error *error) {
    struct arm *arm = &l->arms[which];
    double times[CALLS];
    for (size_t i = 0; i < l->turn; i++) {
        TRY(call_once(l, arm, &records[i], times, error));
        for (size_t c = 0; c < CALLS && round != SIZE_MAX; c++)
            arm->times[c][round * l->turn + i] = times[c];
    }
    return which == NEAR || which == FAR ? wait_until_sent(arm->m, error) : 0;
}

static int take_round(struct local *l, size_t round, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    mneme_record *records = arena_zalloc(&arena, l->turn, sizeof *records);
    if (!records)
        return error_set(error, MNEME_NO_MEMORY, "no memory for episodes");
    for (size_t i = 0; i < l->turn; i++)
        TRY(corpus_vary(&l->kit->corpus, l->number++, &arena, &records[i], error));
    l->chance = mix(l->chance, l->number);
    for (size_t i = 0; i < ARMS; i++) {
        size_t which = (i + (round == SIZE_MAX ? 0 : round)) % ARMS;
        TRY(interrupt_check(error));
        TRY(take_turn(l, which, records, round, error));
    }
    return 0;
}

/* ---- Rows --------------------------------------------------------------------------------- */

/* Of all counted calls of an arm; the spread and the points are those of the rounds' medians. */
static struct measured middle_of(struct local *l, size_t which, size_t call, double *p99) {
    double *times = l->arms[which].times[call], medians[BENCH_ROUNDS_MAX];
    size_t rounds = l->kit->options->rounds, count = rounds * l->turn;
    for (size_t r = 0; r < rounds; r++)
        medians[r] = measured_of(times + r * l->turn, l->turn).median;
    struct measured result = measured_of(medians, rounds);
    result.median = measured_of(times, count).median;
    *p99 = times[(count - 1) * 99 / 100];
    return result;
}

static void print_call(struct local *l, size_t call) {
    double alone_p99, p99;
    struct measured alone = middle_of(l, ALONE, call, &alone_p99);
    for (size_t which = ALONE + 1; which < ARMS; which++) {
        char name[SYNC_NAME_SIZE];
        snprintf(name, sizeof name, "%s p50, %s", call_names[call], arm_names[which]);
        struct row row = {.name = name,
                          .unit = call_units[call],
                          .reference = "no remote",
                          .value = middle_of(l, which, call, &p99),
                          .reference_value = alone,
                          .goal = AT_MOST(1.1)};
        report_row(&l->kit->report, &row);
        snprintf(name, sizeof name, "%s p99, %s", call_names[call], arm_names[which]);
        row.value = (struct measured){.median = p99};
        row.reference_value = (struct measured){.median = alone_p99};
        row.goal = AT_MOST(1.5);
        report_row(&l->kit->report, &row);
    }
}

static int local_init(struct local *l, mneme_error *error) {
    const struct scratch_path base = scratch_path_of(&l->kit->scratch, "base.mdb");
    TRY(store_fill(l->kit, &base, l->stored, error));
    l->number = l->stored;
    l->ids = arena_zalloc(&l->arena, l->stored, sizeof *l->ids);
    if (!l->ids)
        return error_set(error, MNEME_NO_MEMORY, "no memory for ids");
    for (size_t i = 0; i < l->stored; i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        TRY(corpus_vary(&l->kit->corpus, i, &arena, &record, error));
        l->ids[i] = record.id;
    }
    for (size_t i = 0; i < ARMS; i++)
        TRY(arm_open(l, i, &base, error));
    return 0;
}

static void local_fini(struct local *l) {
    for (size_t i = 0; i < ARMS; i++)
        arm_close(&l->arms[i]);
    arena_fini(&l->arena);
}

int sync_local(struct kit *kit, mneme_error *error) {
    CLEANUP(local_fini)
    struct local l = {.kit = kit,
                      .stored = bench_size(kit->options, 50, 1000, 1000),
                      .turn = bench_size(kit->options, 5, 300, 1000)};
    report_heading(&kit->report, "durable puts and gets of a store that is synced");
    report_progress(&kit->report, "bringing stores in step with their remotes");
    TRY(local_init(&l, error));
    report_progress(&kit->report, "measuring: puts and gets");
    TRY(take_round(&l, SIZE_MAX, error));
    for (size_t r = 0; r < kit->options->rounds; r++)
        TRY(take_round(&l, r, error));
    for (size_t call = 0; call < CALLS; call++)
        print_call(&l, call);
    return 0;
}
