/*
 * remote_server.c - starting or finding the server, its tables, and the ways to it.
 */
#include "bench/remote_server.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/remote.h"

static const char select_tables[] =
    "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')"
    " AND name GLOB 'mneme_*' AND name NOT GLOB '*[^a-z_]*' ORDER BY type DESC, name";
static const char create_mark[] =
    "CREATE TABLE mneme_bench(id TEXT PRIMARY KEY, time_us INTEGER NOT NULL, type TEXT,"
    " domain TEXT, outcome TEXT, json TEXT NOT NULL)";
static const char index_mark[] = "CREATE INDEX mneme_bench_time ON mneme_bench(time_us, id)";

/* ---- Opening ------------------------------------------------------------------------------ */

mneme_options remote_options(const struct remote *r) {
    return (mneme_options){.size = sizeof(mneme_options), .no_training = true, .remote = r->access};
}

int bare_driver_open(const char *url, const mneme_options *options, struct sql_driver **out,
                     mneme_error *error) {
    struct url parsed;
    TRY(url_parse(url, &parsed, error));
    return remote_driver_open(&parsed, options, out, error);
}

int bare_store_open(const char *url, const mneme_options *options, struct bare_store *out,
                    mneme_error *error) {
    AUTO_DRIVER struct sql_driver *driver = NULL;
    TRY(bare_driver_open(url, options, &driver, error));
    TRY(sql_store_open(driver, NULL, &out->store, error));
    out->driver = TAKE(driver);
    return 0;
}

int bare_run(struct sql_driver *driver, const struct sql_program *program,
             struct sql_results *results, mneme_error *error) {
    TRY(sql_run(driver, program, results, error));
    for (size_t i = 0; i < results->count; i++)
        if (results->steps[i].outcome != SQL_DONE)
            return error_set(error, MNEME_FAILURE, "the server refused \"%.60s\": %s",
                             (const char *)program->steps[i].sql.data,
                             results->steps[i].message ? results->steps[i].message : "skipped");
    return 0;
}

static int run_text(struct sql_driver *driver, const char *const *texts, size_t count,
                    mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    AUTO_FREE struct sql_step *steps = mem_zalloc(count, sizeof *steps);
    if (!steps)
        return error_set(error, MNEME_NO_MEMORY, "no memory for statements");
    for (size_t i = 0; i < count; i++)
        steps[i] = (struct sql_step){.sql = slice_of_string(texts[i]),
                                     .guard = i ? SQL_IF_DONE : SQL_ALWAYS,
                                     .guard_step = i ? i - 1 : 0};
    const struct sql_program program = {.steps = steps, .count = count, .writes = true};
    return bare_run(driver, &program, &results, error);
}

/* ---- Tables ------------------------------------------------------------------------------- */

static int tables_find(struct sql_driver *driver, struct sql_results *results, mneme_error *error) {
    const struct sql_step step = {.sql = slice_of_string(select_tables)};
    const struct sql_program program = {.steps = &step, .count = 1};
    TRY(bare_run(driver, &program, results, error));
    return results->steps[0].rows == 0 || results->steps[0].columns == 2
               ? 0
               : error_set(error, MNEME_CORRUPT, "the server lists its tables in another form");
}

static int tables_drop(struct sql_driver *driver, const struct sql_results *tables,
                       mneme_error *error) {
    const struct sql_step_result *rows = &tables->steps[0];
    AUTO_ARENA struct arena arena = {0};
    const char **texts = arena_zalloc(&arena, rows->rows + 2, sizeof *texts);
    if (!texts)
        return error_set(error, MNEME_NO_MEMORY, "no memory for statements");
    texts[0] = "BEGIN IMMEDIATE";
    for (size_t i = 0; i < rows->rows; i++) {
        struct slice name = rows->values[2 * i].bytes, type = rows->values[2 * i + 1].bytes;
        size_t size = name.size + type.size + 16;
        char *text = arena_alloc(&arena, size);
        if (!text)
            return error_set(error, MNEME_NO_MEMORY, "no memory for statements");
        snprintf(text, size, "DROP %.*s %.*s", (int)type.size, (const char *)type.data,
                 (int)name.size, (const char *)name.data);
        texts[i + 1] = text;
    }
    texts[rows->rows + 1] = "COMMIT";
    return run_text(driver, texts, rows->rows + 2, error);
}

static bool has_mark(const struct sql_step_result *rows) {
    for (size_t i = 0; i < rows->rows; i++)
        if (slice_equal(rows->values[2 * i].bytes, slice_of_string("mneme_bench")))
            return true;
    return false;
}

/* Make sure that the database is ours to write to, and mark it before anything else is there. */
static int tables_claim(struct remote *r, mneme_error *error) {
    static const char *const marks[] = {"BEGIN IMMEDIATE", create_mark, index_mark, "COMMIT"};
    const mneme_options options = remote_options(r);
    AUTO_RESULTS struct sql_results tables = {0};
    AUTO_DRIVER struct sql_driver *driver = NULL;
    TRY(bare_driver_open(r->distances[STRAIGHT].url, &options, &driver, error));
    TRY(tables_find(driver, &tables, error));
    if (tables.steps[0].rows && !has_mark(&tables.steps[0]))
        return error_set(error, MNEME_CONFLICT,
                         "the database behind --url holds a memory of mneme, and the bench would "
                         "write to it; give the bench a database of its own");
    if (tables.steps[0].rows)
        TRY(tables_drop(driver, &tables, error));
    TRY(run_text(driver, marks, COUNT_OF(marks), error));
    r->ours = true;
    return 0;
}

static int tables_remove(struct remote *r, mneme_error *error) {
    const mneme_options options = remote_options(r);
    AUTO_RESULTS struct sql_results tables = {0};
    AUTO_DRIVER struct sql_driver *driver = NULL;
    TRY(bare_driver_open(r->distances[STRAIGHT].url, &options, &driver, error));
    TRY(tables_find(driver, &tables, error));
    return tables_drop(driver, &tables, error);
}

/* In a batch of their own, so that every handle finds them and trains no others. */
static int dictionaries_give(struct remote *r, mneme_error *error) {
    const struct record_set *dictionaries = &r->kit->dictionaries;
    const mneme_options options = remote_options(r);
    AUTO_BARE_STORE struct bare_store s = {0};
    AUTO_FREE struct mutation *puts = mem_zalloc(dictionaries->count, sizeof *puts);
    if (dictionaries->count == 0) /* training found that none pays */
        return 0;
    if (!puts)
        return error_set(error, MNEME_NO_MEMORY, "no memory for dictionaries");
    for (size_t i = 0; i < dictionaries->count; i++)
        puts[i] = (struct mutation){.op = MUTATION_PUT, .record = dictionaries->records[i]};
    TRY(bare_store_open(r->distances[STRAIGHT].url, &options, &s, error));
    struct batch batch = {.mutations = puts, .count = dictionaries->count}, *only = &batch;
    int status = store_apply(s.store, &only, 1);
    status = status ? status : batch.status;
    return status ? error_set(error, status, "%s", batch.error.message) : 0;
}

/* ---- The server, and the ways to it ------------------------------------------------------- */

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

/* What the command line would take from the environment, too. */
static void access_find(mneme_remote_options *access) {
    access->token = variable("MNEME_TOKEN");
    if (!access->token)
        access->token = variable("TURSO_AUTH_TOKEN");
    if (!access->token)
        access->token_file = variable("MNEME_TOKEN_FILE");
}

/* A server on this machine can be moved away. */
static int ways_find(struct remote *r, const char *text, mneme_error *error) {
    struct distance *straight = &r->distances[STRAIGHT], *wire = &r->distances[WIRE];
    struct url parsed;
    struct net_url url;
    TRY(url_parse(text, &parsed, error));
    if (parsed.kind != URL_REMOTE || strlen(text) >= sizeof straight->url)
        return error_set(error, MNEME_INVALID,
                         "--url needs the URL of a server: libsql://…, https://… or http://…");
    TRY(net_url_parse(text, &url, error));
    *straight = (struct distance){.kind = DISTANCE_UNKNOWN, .text = "far"};
    snprintf(straight->url, sizeof straight->url, "%s", text);
    snprintf(straight->origin, sizeof straight->origin, "%s", url.origin);
    r->distance_count = 1;
    if (url.tls || !url.loopback || strchr(url.host, ':'))
        return 0;
    TRY(proxy_start(url.port, 0, &r->proxy, error));
    straight->kind = DISTANCE_NONE;
    straight->text = "0 ms";
    *wire = (struct distance){.kind = DISTANCE_40_MS, .text = "40 ms"};
    snprintf(wire->origin, sizeof wire->origin, "http://%.255s:%u", url.host, proxy_port(r->proxy));
    snprintf(wire->url, sizeof wire->url, "%s%s", wire->origin, url.path);
    r->distance_count = 2;
    return 0;
}

int remote_init(struct remote *r, struct kit *kit, mneme_error *error) {
    const char *url = kit->options->url;
    r->kit = kit;
    report_progress(&kit->report, "looking at the server");
    if (url)
        access_find(&r->access);
    else
        TRY(sqld_start(NULL, &r->server, error));
    TRY(ways_find(r, url ? url : r->server.url, error));
    TRY(tables_claim(r, error));
    return dictionaries_give(r, error);
}

void remote_fini(struct remote *r) {
    mneme_error error;
    /* A server of our own goes with all that it has. */
    if (r->ours && r->kit->options->url && tables_remove(r, &error))
        fprintf(stderr, "mneme bench: its tables are still in the database: %s\n", error.message);
    proxy_stop(r->proxy);
    sqld_stop(&r->server);
}

/* ---- Rows --------------------------------------------------------------------------------- */

struct goal goal_at(const struct distance *d, struct goal near, struct goal at_40_ms) {
    switch (d->kind) {
    case DISTANCE_NONE:
        return near;
    case DISTANCE_40_MS:
        return at_40_ms;
    case DISTANCE_UNKNOWN:
        break;
    }
    return NO_GOAL;
}

void distance_set(struct remote *r, const struct distance *d) {
    if (r->proxy)
        proxy_set_delay(r->proxy, d->kind == DISTANCE_40_MS ? 40 : 0);
}

void name_at(char text[ROW_NAME_SIZE], const char *name, const struct distance *d) {
    snprintf(text, ROW_NAME_SIZE, "%s, %s", name, d->text);
}

/* ---- Episodes ----------------------------------------------------------------------------- */

int episodes_take(struct remote *r, size_t count, struct arena *arena, mneme_record **out,
                  int64_t *since_us, mneme_error *error) {
    mneme_record *records = arena_zalloc(arena, count, sizeof *records);
    if (!records)
        return error_set(error, MNEME_NO_MEMORY, "no memory for episodes");
    for (size_t i = 0; i < count; i++)
        TRY(corpus_vary_new(&r->kit->corpus, r->numbers++, arena, &records[i], error));
    *out = records;
    if (since_us)
        *since_us = records[0].time_us;
    return 0;
}
