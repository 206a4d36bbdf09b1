/*
 * remote_batch.c - real episodes stored in groups, against one durable request each.
 */
#include <stdio.h>

#include "bench/remote_cases.h"

enum { A_CALL = 100 };

struct puts {
    struct remote *r;
    mneme *m;
    struct arena arena; /* of the records that a run puts, new ones for each */
    mneme_record *records;
    mneme_ticket *tickets;
    size_t grouped, single; /* how many records a run puts */
};

static int take(struct puts *p, size_t count, mneme_error *error) {
    arena_fini(&p->arena);
    return episodes_take(p->r, count, &p->arena, &p->records, NULL, error);
}

/* Queue them all; the group commit sends them. */
static int run_queued(void *context, double *value, mneme_error *error) {
    struct puts *p = context;
    TRY(take(p, p->grouped, error));
    double start = seconds_now();
    for (size_t i = 0; i < p->grouped; i++) {
        const mneme_write how = {.durability = MNEME_BATCH, .ticket = &p->tickets[i]};
        TRY(mneme_put(p->m, &p->records[i], 1, &how, NULL, error));
    }
    TRY(mneme_flush(p->m, error));
    for (size_t i = 0; i < p->grouped; i++)
        TRY(mneme_ticket_wait(p->m, p->tickets[i], -1, error));
    *value = (double)p->grouped / (seconds_now() - start);
    return 0;
}

static int put_in_calls(struct puts *p, size_t count, size_t a_call, double *value,
                        mneme_error *error) {
    TRY(take(p, count, error));
    double start = seconds_now();
    for (size_t i = 0; i < count; i += a_call)
        TRY(mneme_put(p->m, p->records + i, size_min(a_call, count - i), NULL, NULL, error));
    *value = (double)count / (seconds_now() - start);
    return 0;
}

static int run_calls(void *context, double *value, mneme_error *error) {
    struct puts *p = context;
    return put_in_calls(p, p->grouped, A_CALL, value, error);
}

static int run_single(void *context, double *value, mneme_error *error) {
    struct puts *p = context;
    return put_in_calls(p, p->single, 1, value, error);
}

static int measure_at(struct remote *r, struct puts *p, const struct distance *d,
                      mneme_error *error) {
    const struct contestant contestants[] = {{run_queued, p}, {run_calls, p}, {run_single, p}};
    struct measured results[COUNT_OF(contestants)];
    char name[ROW_NAME_SIZE], count[COUNT_TEXT_SIZE], what[ROW_NAME_SIZE];
    format_count(count, p->grouped);
    snprintf(what, sizeof what, "%s episodes batched", count);
    name_at(name, what, d);
    report_progress(&r->kit->report, "measuring: %s", name);
    TRY(measure(r->kit->options, contestants, COUNT_OF(contestants), results, error));
    struct row row = {.name = name,
                      .unit = "rec/s",
                      .reference = "one request each",
                      .value = results[0],
                      .reference_value = results[2],
                      .goal = goal_at(d, AT_LEAST(12), AT_LEAST(60))};
    report_row(&r->kit->report, &row);
    name_at(name, "100 episodes a call", d);
    row.value = results[1];
    row.goal = NO_GOAL;
    report_row(&r->kit->report, &row);
    return 0;
}

static void puts_fini(struct puts *p) { arena_fini(&p->arena); }

int remote_batches(struct remote *r, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(puts_fini)
    struct puts p = {.r = r, .grouped = bench_size(r->kit->options, 2 * A_CALL, 1000, 1000)};
    p.tickets = arena_zalloc(&arena, p.grouped, sizeof *p.tickets);
    if (!p.tickets)
        return error_set(error, MNEME_NO_MEMORY, "no memory for tickets");
    report_heading(&r->kit->report, "durable writes to a server");
    for (size_t i = 0; i < r->distance_count; i++) {
        const struct distance *d = &r->distances[i];
        const mneme_options options = remote_options(r);
        AUTO_HANDLE mneme *m = NULL;
        distance_set(r, d);
        p.single = d->kind == DISTANCE_NONE ? bench_size(r->kit->options, 10, 200, 1000)
                                            : bench_size(r->kit->options, 3, 100, 1000);
        TRY(mneme_open(d->url, &options, &m, error));
        p.m = m;
        TRY(measure_at(r, &p, d, error));
    }
    return 0;
}
