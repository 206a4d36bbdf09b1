/*
 * probe.c - a look at the server, for `mneme doctor`.
 */
#include <stdlib.h>

#include "store/sql/hrana/hrana_impl.h"

enum { ROUNDS = 9 };

/* ---- What it speaks ---------------------------------------------------------------------- */

/* Whether GET of `path` is answered with 200; sqld says so of each protocol it speaks. */
static int offers(struct hrana *hrana, const char *path, bool *out, mneme_error *error) {
    AUTO_RESPONSE struct net_response response = {0};
    TRY(hrana_server_get(&hrana->primary, path, 0, 0, &response, error));
    *out = response.status == 200;
    return 0;
}

static int look(struct hrana *hrana, struct hrana_probe *out, mneme_error *error) {
    AUTO_RESPONSE struct net_response response = {0};
    TRY(hrana_server_get(&hrana->primary, "/version", 0, 0, &response, error));
    out->connect_us = response.connect_us;
    if (response.status == 200)
        hrana_excerpt(buf_slice(&response.body), out->server, sizeof out->server);
    TRY(offers(hrana, "/v2", &out->v2, error));
    TRY(offers(hrana, "/v3", &out->v3, error));
    return offers(hrana, "/v3-protobuf", &out->protobuf, error);
}

/* ---- How quick it is, and what time it has ----------------------------------------------- */

static int run_on(struct hrana_server *server, const struct sql_program *program,
                  struct sql_results *results, mneme_error *error) {
    struct hrana_call call = {.program = program, .answer.results = results};
    return hrana_server_run(server, &call, error);
}

/* SQLite's clock has milliseconds; 'now' is one moment throughout a statement. */
static const char NOW_MS[] = "SELECT CAST(strftime('%s','now') AS INTEGER)*1000"
                             "+CAST(substr(strftime('%f','now'),4) AS INTEGER)";

struct round {
    int64_t took_us, skew_us;
    bool has_clock;
};

static int run_round(struct hrana_server *server, struct round *out, mneme_error *error) {
    const struct sql_step step = {.sql = slice_of_string(NOW_MS)};
    const struct sql_program program = {.steps = &step, .count = 1};
    AUTO_RESULTS struct sql_results results = {0};
    int64_t wall_us = clock_wall_us(), begun_us = clock_monotonic_us();
    TRY(run_on(server, &program, &results, error));
    out->took_us = clock_monotonic_us() - begun_us;
    const struct sql_step_result *result = &results.steps[0];
    out->has_clock = result->outcome == SQL_DONE && result->rows == 1 && result->columns == 1 &&
                     result->values[0].type == SQL_INTEGER &&
                     result->values[0].integer < INT64_MAX / 1000 && result->values[0].integer > 0;
    if (out->has_clock) /* the server's millisecond is taken for half over */
        out->skew_us = result->values[0].integer * 1000 + 500 - (wall_us + out->took_us / 2);
    return 0;
}

static int round_compare(const void *a, const void *b) {
    const struct round *x = a, *y = b;
    return x->took_us < y->took_us ? -1 : x->took_us > y->took_us;
}

/* The first round connects and asks for protobuf, so it does not count. */
static int measure(struct hrana *hrana, struct hrana_probe *out, mneme_error *error) {
    struct round rounds[ROUNDS];
    TRY(run_round(&hrana->primary, &rounds[0], error));
    for (size_t i = 0; i < ROUNDS; i++)
        TRY(run_round(&hrana->primary, &rounds[i], error));
    qsort(rounds, ROUNDS, sizeof rounds[0], round_compare);
    out->latency_us = rounds[ROUNDS / 2].took_us;
    out->skew_known = rounds[0].has_clock; /* the quickest round knows best */
    out->skew_us = rounds[0].has_clock ? rounds[0].skew_us : 0;
    out->reads = true;
    return 0;
}

/* ---- What the token allows --------------------------------------------------------------- */

static int try_write(struct hrana *hrana, struct hrana_probe *out, mneme_error *error) {
    const struct sql_step steps[] = {
        {.sql = slice_of_string("BEGIN IMMEDIATE")},
        {.sql = slice_of_string("CREATE TABLE mneme_probe(a)"), .guard = SQL_IF_DONE},
        {.sql = slice_of_string("ROLLBACK")}};
    const struct sql_program program = {.steps = steps, .count = COUNT_OF(steps), .writes = true};
    AUTO_RESULTS struct sql_results results = {0};
    int status = run_on(&hrana->primary, &program, &results, error);
    out->writes = status == 0 && results.steps[1].outcome == SQL_DONE;
    return status == MNEME_PERMISSION || status == MNEME_NO_SPACE ? 0 : status;
}

int hrana_probe(struct sql_driver *driver, struct hrana_probe *out, mneme_error *error) {
    struct hrana *hrana = (struct hrana *)(void *)driver;
    struct round round;
    *out = (struct hrana_probe){0};
    TRY(look(hrana, out, error));
    TRY(measure(hrana, out, error));
    {
        AUTO_LOCK(held, &hrana->primary.lock); /* not all servers answer to GET */
        out->v3 |= hrana->primary.speech == HRANA_V3_JSON;
        out->v2 |= hrana->primary.speech == HRANA_V2_JSON;
    }
    TRY(try_write(hrana, out, error));
    out->replica_ok = hrana->has_replica && run_round(&hrana->replica, &round, NULL) == 0;
    return 0;
}
