/*
 * remote_point.c - reading one record from a server: over what the pool keeps, connections and
 * streams; over a kept connection, each read a request by itself; over a new connection each time;
 * and the same bytes by libcurl alone.
 *
 * A new connection comes from a pool whose connections are too old after a millisecond. So that
 * each is, all contestants wait that long before each read; the wait is not counted.
 */
#include <stdio.h>

#include "bench/remote_cases.h"
#include "bench/remote_curl.h"

enum { READS_MAX = 1000 };

static const double pause_s = 0.0012;

struct point {
    struct remote *r;
    struct bare_store kept, single, fresh; /* with streams, and without */
    struct curl_reference curl;
    struct buf seen; /* the last request on the wire */
    mneme_id id;
    size_t reads; /* in a run */
    double times[READS_MAX];
};

/* ---- Runs --------------------------------------------------------------------------------- */

static int read_one(const struct bare_store *s, const mneme_id *id, mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    return store_get_one(s->store, MNEME_EPISODE, id, &set, error);
}

/* Not asleep, for a processor that sleeps wakes up slowly. */
static void wait_awhile(void) {
    double until = seconds_now() + pause_s;
    while (seconds_now() < until) {
    }
}

static int time_reads(struct point *p, const struct bare_store *s, double *value,
                      mneme_error *error) {
    for (size_t i = 0; i < p->reads; i++) {
        wait_awhile();
        double start = seconds_now();
        TRY(s ? read_one(s, &p->id, error) : curl_reference_send(&p->curl, error));
        p->times[i] = (seconds_now() - start) * 1e6;
    }
    *value = measured_of(p->times, p->reads).median;
    return 0;
}

static int run_kept(void *context, double *value, mneme_error *error) {
    struct point *p = context;
    return time_reads(p, &p->kept, value, error);
}

static int run_single(void *context, double *value, mneme_error *error) {
    struct point *p = context;
    return time_reads(p, &p->single, value, error);
}

static int run_curl(void *context, double *value, mneme_error *error) {
    struct point *p = context;
    return time_reads(p, NULL, value, error);
}

/* What is measured must be what it is called. */
static int run_fresh(void *context, double *value, mneme_error *error) {
    struct point *p = context;
    struct sql_counters before, after;
    sql_store_counters(p->fresh.store, &before);
    TRY(time_reads(p, &p->fresh, value, error));
    sql_store_counters(p->fresh.store, &after);
    return after.net.connects - before.net.connects == p->reads
               ? 0
               : error_set(error, MNEME_FAILURE, "%llu connections were made for %zu reads",
                           (unsigned long long)(after.net.connects - before.net.connects),
                           p->reads);
}

/* ---- The request for curl ------------------------------------------------------------------ */

static struct proxy_action note_request(void *context, const struct proxy_request *request) {
    struct point *p = context;
    buf_reset(&p->seen);
    buf_append_slice(&p->seen, request->bytes);
    return (struct proxy_action){.fault = PROXY_PASS};
}

/* Read it through the wire, where it is seen, and see that curl sends as much. */
static int see_request(struct point *p, const mneme_options *options, const struct distance *d,
                       mneme_error *error) {
    AUTO_BARE_STORE struct bare_store s = {0};
    TRY(bare_store_open(p->r->distances[WIRE].url, options, &s, error));
    proxy_decide_with(p->r->proxy, note_request, p);
    int status = read_one(&s, &p->id, error);
    proxy_decide_with(p->r->proxy, NULL, NULL);
    TRY(status);
    TRY(p->seen.status);
    AUTO_CURL struct curl_reference trial = {0};
    size_t size = p->seen.size;
    TRY(curl_reference_init(&trial, p->r->distances[WIRE].origin, buf_slice(&p->seen), error));
    TRY(curl_reference_init(&p->curl, d->origin, buf_slice(&p->seen), error));
    proxy_decide_with(p->r->proxy, note_request, p);
    status = curl_reference_send(&trial, error);
    proxy_decide_with(p->r->proxy, NULL, NULL);
    TRY(status);
    return p->seen.size == size
               ? 0
               : error_set(error, MNEME_FAILURE, "libcurl alone sends %zu bytes, and the store %zu",
                           p->seen.size, size);
}

/* ---- Rows --------------------------------------------------------------------------------- */

static int point_init(struct point *p, mneme_encoding encoding, const struct distance *d,
                      mneme_error *error) {
    mneme_options options = remote_options(p->r);
    options.remote.encoding = encoding;
    distance_set(p->r, d);
    TRY(bare_store_open(d->url, &options, &p->kept, error));
    options.remote.no_streams = true;
    TRY(bare_store_open(d->url, &options, &p->single, error));
    if (p->r->proxy)
        TRY(see_request(p, &options, d, error));
    options.remote.pool_age_ms = 1;
    return bare_store_open(d->url, &options, &p->fresh, error);
}

static void point_fini(struct point *p) {
    bare_store_close(&p->kept);
    bare_store_close(&p->single);
    bare_store_close(&p->fresh);
    curl_reference_fini(&p->curl);
    buf_fini(&p->seen);
}

/* Rates of the medians, for a row whose goal is how much faster. */
static struct measured rate_of(struct measured us) {
    struct measured rate = {.median = us.median > 0 ? 1e6 / us.median : 0, .spread = us.spread};
    for (unsigned i = us.point_count; i > 0 && us.points[0] > 0; i--)
        rate.points[rate.point_count++] = 1e6 / us.points[i - 1];
    return rate;
}

static int measure_points(struct remote *r, const char *what, mneme_encoding encoding,
                          const struct distance *d, const mneme_id *id, mneme_error *error) {
    CLEANUP(point_fini) struct point p = {.r = r, .seen = BUF_INIT(1 << 20), .id = *id};
    const struct contestant contestants[] = {
        {run_kept, &p}, {run_fresh, &p}, {run_single, &p}, {run_curl, &p}};
    struct measured results[COUNT_OF(contestants)];
    size_t count = r->proxy ? 4 : 3;
    char name[ROW_NAME_SIZE], single_name[ROW_NAME_SIZE];
    p.reads = d->kind == DISTANCE_NONE ? bench_size(r->kit->options, 5, 150, READS_MAX)
                                       : bench_size(r->kit->options, 2, 5, 20);
    char point[32], single[32];
    snprintf(point, sizeof point, "point read, %s", what);
    snprintf(single, sizeof single, "single read, %s", what);
    name_at(name, point, d);
    name_at(single_name, single, d);
    report_progress(&r->kit->report, "measuring: %s", name);
    TRY(point_init(&p, encoding, d, error));
    TRY(measure(r->kit->options, contestants, count, results, error));
    report_row(&r->kit->report, &(struct row){.name = name,
                                              .unit = "/s",
                                              .reference = "new connection each",
                                              .value = rate_of(results[0]),
                                              .reference_value = rate_of(results[1]),
                                              .goal = AT_LEAST(1.3)});
    report_row(&r->kit->report, &(struct row){.name = single_name,
                                              .unit = "/s",
                                              .reference = "new connection each",
                                              .value = rate_of(results[2]),
                                              .reference_value = rate_of(results[1])});
    if (count == 4)
        report_row(&r->kit->report, &(struct row){.name = single_name,
                                                  .unit = "us",
                                                  .reference = "curl, same request",
                                                  .value = results[2],
                                                  .reference_value = results[3],
                                                  .goal = AT_MOST(1.15)});
    return 0;
}

int remote_points(struct remote *r, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    const mneme_options options = remote_options(r);
    AUTO_HANDLE mneme *m = NULL;
    mneme_record *record;
    mneme_id id;
    report_heading(&r->kit->report, "one record from a server");
    TRY(episodes_take(r, 1, &arena, &record, NULL, error));
    TRY(mneme_open(r->distances[STRAIGHT].url, &options, &m, error));
    TRY(mneme_put(m, record, 1, NULL, &id, error));
    for (size_t i = 0; i < r->distance_count; i++) {
        const struct distance *d = &r->distances[i];
        TRY(measure_points(r, "JSON", MNEME_ENCODING_JSON, d, &id, error));
        TRY(measure_points(r, "protobuf", MNEME_ENCODING_PROTOBUF, d, &id, error));
    }
    return 0;
}
