/*
 * sync_site.c - starting servers, filling and opening stores, and the bare client's requests.
 */
#include "bench/sync_site.h"

#include <stdio.h>
#include <time.h>

#include "api/remote.h"

enum { A_CALL = 100, WAIT_US = 2000, SEND_MAX_US = 60 * 1000 * 1000 };

const struct delay delays[2] = {{0, "0 ms"}, {40, "40 ms"}};

/* ---- Sites -------------------------------------------------------------------------------- */

int site_start(struct site *site, double delay_ms, mneme_error *error) {
    TRY(sqld_start(NULL, &site->server, error));
    TRY(proxy_start(site->server.ports[SQLD_HTTP].number, delay_ms, &site->proxy, error));
    site->url = delay_ms > 0 ? proxy_url(site->proxy) : site->server.url;
    return 0;
}

void site_stop(struct site *site) {
    proxy_stop(TAKE(site->proxy));
    sqld_stop(&site->server);
}

void name_of(char text[SYNC_NAME_SIZE], const char *name, const struct delay *delay) {
    snprintf(text, SYNC_NAME_SIZE, "%s, %s", name, delay->text);
}

void wait_for_us(int64_t us) {
    struct timespec time = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&time, NULL);
}

/* ---- Stores ------------------------------------------------------------------------------- */

int store_fill(struct kit *kit, const struct scratch_path *path, size_t count, mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    TRY(kit_open(kit, path, &m, error));
    for (size_t at = 0; at < count; at += A_CALL) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record records[A_CALL];
        size_t some = size_min(A_CALL, count - at);
        TRY(interrupt_check(error));
        for (size_t i = 0; i < some; i++)
            TRY(corpus_vary(&kit->corpus, at + i, &arena, &records[i], error));
        TRY(mneme_put(m, records, some, NULL, NULL, error));
    }
    return mneme_close(TAKE(m), error);
}

mneme_options synced_options(const char *url, mneme_sync_mode mode) {
    return (mneme_options){
        .size = sizeof(mneme_options), .no_training = true, .sync = {.url = url, .mode = mode}};
}

int wait_until_sent(mneme *m, mneme_error *error) {
    int64_t until = clock_monotonic_us() + SEND_MAX_US;
    mneme_sync_status status = {.size = sizeof status};
    do {
        TRY(interrupt_check(error));
        wait_for_us(WAIT_US);
        TRY(mneme_sync_status_get(m, &status, error));
        if (clock_monotonic_us() > until)
            return error_set(error, MNEME_UNAVAILABLE,
                             "after a minute %llu records had not been sent: %s",
                             (unsigned long long)status.pending,
                             status.error_us ? status.error_text : "there was no error");
    } while (status.pending || strcmp(status.phase, "in step") != 0);
    return 0;
}

/* ---- A bare client ------------------------------------------------------------------------ */

int bare_open(struct bare *bare, const char *url, mneme_error *error) {
    const mneme_options options = {.size = sizeof options};
    struct url parsed;
    bare->insert = BUF_INIT(64 << 10);
    TRY(url_parse(url, &parsed, error));
    return remote_driver_open(&parsed, &options, &bare->driver, error);
}

void bare_close(struct bare *bare) {
    if (bare->driver)
        bare->driver->operations->close(bare->driver);
    buf_fini(&bare->insert);
}

/* Run one statement, which must be done. */
static int run(struct bare *bare, struct slice sql, const struct sql_value *args, size_t count,
               bool writes, struct sql_results *results, mneme_error *error) {
    const struct sql_step step = {.sql = sql, .args = args, .arg_count = count};
    const struct sql_program program = {.steps = &step, .count = 1, .writes = writes};
    TRY(sql_run(bare->driver, &program, results, error));
    const struct sql_step_result *only = &results->steps[0];
    return only->outcome == SQL_DONE
               ? 0
               : error_set(error, MNEME_FAILURE, "the server refused \"%.40s\": %s",
                           (const char *)sql.data, only->message ? only->message : "skipped");
}

int bare_create(struct bare *bare, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    return run(bare, slice_of_string("CREATE TABLE plain(id BLOB PRIMARY KEY, body BLOB)"), NULL, 0,
               true, &results, error);
}

int bare_insert(struct bare *bare, const mneme_id *ids, const struct slice *bodies, size_t count,
                mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    AUTO_FREE struct sql_value *values = mem_zalloc(2 * count, sizeof *values);
    if (!values)
        return error_set(error, MNEME_NO_MEMORY, "no memory for values");
    buf_reset(&bare->insert);
    buf_append_string(&bare->insert, "INSERT INTO plain VALUES ");
    for (size_t i = 0; i < count; i++) {
        buf_append_string(&bare->insert, i ? ",(?,?)" : "(?,?)");
        values[2 * i] = sql_blob(slice_of(ids[i].bytes, sizeof ids[i].bytes));
        values[2 * i + 1] = sql_blob(bodies[i]);
    }
    TRY(bare->insert.status);
    return run(bare, buf_slice(&bare->insert), values, 2 * count, true, &results, error);
}

int bare_page(struct bare *bare, int64_t *at, size_t limit, size_t *rows, uint64_t *bytes,
              mneme_error *error) {
    static const char text[] = "SELECT rowid, id, body FROM plain WHERE rowid > ?"
                               " ORDER BY rowid LIMIT ?";
    AUTO_RESULTS struct sql_results results = {0};
    const struct sql_value args[] = {sql_integer(*at), sql_integer((int64_t)limit)};
    TRY(run(bare, slice_of_string(text), args, COUNT_OF(args), false, &results, error));
    const struct sql_step_result *page = &results.steps[0];
    if (page->rows && page->columns != 3)
        return error_set(error, MNEME_FAILURE, "the plain table cannot be read");
    *rows = page->rows;
    *bytes = 0;
    for (size_t i = 0; i < page->rows; i++) {
        *at = page->values[3 * i].integer;
        *bytes += page->values[3 * i + 2].bytes.size;
    }
    return 0;
}
