/*
 * remote_threads.c - many threads that share eight connections: how much they get done, and how
 * long the unluckiest of them waits.
 */
#include "bench/remote_cases.h"
#include "os/os.h"

enum { THREADS = 64, CONNECTIONS = 8, CALLS_MAX = 64, WAITS_MAX = THREADS * CALLS_MAX };

struct crowd {
    struct bare_store reads;
    mneme *writes;
    mneme_id id;          /* of what is read */
    mneme_record *record; /* what is written */
    size_t calls, alone;  /* of each thread; of one thread by itself */
    double times[WAITS_MAX];
    double longest; /* of all counted rounds */
    double medians[BENCH_ROUNDS_MAX + 1];
    size_t rounds;
};

struct member {
    struct crowd *crowd;
    int (*call)(struct crowd *, mneme_error *);
    size_t calls;
    double *times; /* of its calls, milliseconds */
    pthread_t thread;
    int status;
    mneme_error error;
};

static int read_once(struct crowd *c, mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    return store_get_one(c->reads.store, MNEME_EPISODE, &c->id, &set, error);
}

static int write_once(struct crowd *c, mneme_error *error) {
    return mneme_put(c->writes, c->record, 1, NULL, NULL, error);
}

static void *member_run(void *argument) {
    struct member *m = argument;
    for (size_t i = 0; i < m->calls && m->status == 0; i++) {
        double start = seconds_now();
        m->status = m->call(m->crowd, &m->error);
        m->times[i] = (seconds_now() - start) * 1e3;
    }
    return NULL;
}

/* Calls a second of all threads together. */
static int run_members(struct crowd *c, int (*call)(struct crowd *, mneme_error *), size_t threads,
                       size_t calls, double *value, mneme_error *error) {
    struct member members[THREADS];
    size_t started = 0;
    int status = 0;
    double start = seconds_now();
    for (; started < threads && status == 0; started += status == 0) {
        struct member *m = &members[started];
        *m = (struct member){
            .crowd = c, .call = call, .calls = calls, .times = c->times + started * calls};
        status = thread_start(&m->thread, member_run, m, error);
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(members[i].thread, NULL);
    *value = (double)(threads * calls) / (seconds_now() - start);
    for (size_t i = 0; i < started && status == 0; i++)
        if (members[i].status)
            status = error_set(error, members[i].status, "%s", members[i].error.message);
    return status;
}

/* The first run makes the connections, and is not counted by `measure` either. */
static int run_reads(void *context, double *value, mneme_error *error) {
    struct crowd *c = context;
    TRY(run_members(c, read_once, THREADS, c->calls, value, error));
    struct measured waits = measured_of(c->times, THREADS * c->calls);
    double longest = c->times[THREADS * c->calls - 1];
    c->longest = c->rounds && longest > c->longest ? longest : c->longest;
    c->medians[c->rounds++] = waits.median;
    return 0;
}

static int run_read_alone(void *context, double *value, mneme_error *error) {
    struct crowd *c = context;
    return run_members(c, read_once, 1, c->alone, value, error);
}

static int run_writes(void *context, double *value, mneme_error *error) {
    struct crowd *c = context;
    return run_members(c, write_once, THREADS, c->calls, value, error);
}

static int run_write_alone(void *context, double *value, mneme_error *error) {
    struct crowd *c = context;
    return run_members(c, write_once, 1, c->alone, value, error);
}

static void print(struct remote *r, const struct distance *d, struct crowd *c,
                  const struct measured *results) {
    char name[ROW_NAME_SIZE];
    name_at(name, "64 threads read", d);
    report_row(&r->kit->report, &(struct row){.name = name,
                                              .unit = "/s",
                                              .reference = "1 thread",
                                              .value = results[0],
                                              .reference_value = results[1],
                                              .goal = goal_at(d, AT_LEAST(1.5), AT_LEAST(6))});
    name_at(name, "64 threads: longest wait", d);
    report_row(&r->kit->report,
               &(struct row){.name = name,
                             .unit = "ms",
                             .reference = "median wait",
                             .value = {.median = c->longest},
                             .reference_value = measured_of(c->medians + 1, c->rounds - 1),
                             .goal = AT_MOST(5)});
    name_at(name, "64 threads put", d);
    report_row(&r->kit->report, &(struct row){.name = name,
                                              .unit = "/s",
                                              .reference = "1 thread",
                                              .value = results[2],
                                              .reference_value = results[3]});
}

static int measure_at(struct remote *r, struct crowd *c, const struct distance *d,
                      mneme_error *error) {
    const struct contestant contestants[] = {
        {run_reads, c}, {run_read_alone, c}, {run_writes, c}, {run_write_alone, c}};
    struct measured results[COUNT_OF(contestants)];
    mneme_options options = remote_options(r);
    AUTO_HANDLE mneme *m = NULL;
    bool near = d->kind == DISTANCE_NONE;
    c->calls = near ? bench_size(r->kit->options, 2, 10, CALLS_MAX)
                    : bench_size(r->kit->options, 1, 3, 16);
    c->alone =
        near ? bench_size(r->kit->options, 5, 200, 1000) : bench_size(r->kit->options, 2, 15, 50);
    c->longest = 0;
    c->rounds = 0;
    options.remote.pool_max = CONNECTIONS;
    distance_set(r, d);
    TRY(mneme_open(d->url, &options, &m, error));
    c->writes = m;
    bare_store_close(&c->reads);
    c->reads = (struct bare_store){0};
    TRY(bare_store_open(d->url, &options, &c->reads, error));
    report_progress(&r->kit->report, "measuring: %d threads at %s", THREADS, d->text);
    TRY(measure(r->kit->options, contestants, COUNT_OF(contestants), results, error));
    print(r, d, c, results);
    return 0;
}

static void crowd_fini(struct crowd *c) { bare_store_close(&c->reads); }

static int crowd_init(struct crowd *c, struct remote *r, struct arena *arena, mneme_error *error) {
    const mneme_options options = remote_options(r);
    AUTO_HANDLE mneme *m = NULL;
    TRY(episodes_take(r, 1, arena, &c->record, NULL, error));
    TRY(mneme_open(r->distances[STRAIGHT].url, &options, &m, error));
    return mneme_put(m, c->record, 1, NULL, &c->id, error);
}

int remote_threads(struct remote *r, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(crowd_fini) struct crowd c = {0};
    report_heading(&r->kit->report, "64 threads that share 8 connections");
    TRY(crowd_init(&c, r, &arena, error));
    for (size_t i = 0; i < r->distance_count; i++)
        TRY(measure_at(r, &c, &r->distances[i], error));
    return 0;
}
