/*
 * remote_wire.c - how many bytes travel to store episodes and read them back, headers included:
 * ours in both encodings, against the same episodes as plain columns and JSON text.
 *
 * The proxy counts them. They are counted once: they hardly differ from run to run.
 */
#include "bench/remote_cases.h"

enum { A_CALL = 100, COLUMNS = 6 };

struct wire {
    struct remote *r;
    struct arena *arena;
    size_t count;
};

static uint64_t bytes_carried(const struct remote *r) {
    struct proxy_counters counters = proxy_counters(r->proxy);
    return counters.bytes_up + counters.bytes_down;
}

static struct measured kilobytes(uint64_t bytes) {
    return (struct measured){.median = (double)bytes / 1e3};
}

/* ---- Ours --------------------------------------------------------------------------------- */

static int read_pages(mneme *m, int64_t since_us, size_t expected, mneme_error *error) {
    mneme_query query = {
        .kind = MNEME_EPISODE, .since_us = since_us, .order = MNEME_OLDEST_FIRST, .limit = A_CALL};
    char after[256];
    size_t count = 0;
    do {
        const mneme_page *page;
        TRY(mneme_list(m, &query, &page, error));
        count += page->count;
        query.after = (mneme_text){after, size_min(page->next.size, sizeof after)};
        if (query.after.size)
            memcpy(after, page->next.data, query.after.size);
        mneme_page_release(m, page);
    } while (query.after.size);
    return count == expected ? 0
                             : error_set(error, MNEME_FAILURE, "%zu episodes came back, not %zu",
                                         count, expected);
}

static int open_uncached(struct remote *r, mneme_encoding encoding, mneme **out,
                         mneme_error *error) {
    mneme_options options = remote_options(r);
    options.cache.off = true; /* what is read comes from the server */
    options.remote.encoding = encoding;
    options.remote.refresh_ms =
        3600000; /* looks at what others wrote come with time, not records */
    return mneme_open(r->distances[WIRE].url, &options, out, error);
}

static int acquire_bytes(struct remote *r, mneme *m, const mneme_id *id, uint64_t *out,
                         mneme_error *error) {
    uint64_t before = bytes_carried(r);
    const mneme_record *record;
    TRY(mneme_acquire(m, MNEME_EPISODE, id, &record, error));
    mneme_release(m, record);
    *out = bytes_carried(r) - before;
    return 0;
}

/* What a handle's first read takes more than its second: the dictionary. */
static int count_dictionary(struct wire *w, mneme_encoding encoding, uint64_t *out,
                            mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    mneme_record *record;
    mneme_id id;
    uint64_t first = 0, second = 0;
    TRY(episodes_take(w->r, 1, w->arena, &record, NULL, error));
    TRY(open_uncached(w->r, encoding, &m, error));
    TRY(mneme_put(m, record, 1, NULL, &id, error));
    TRY(mneme_close(TAKE(m), error));
    TRY(open_uncached(w->r, encoding, &m, error));
    TRY(acquire_bytes(w->r, m, &id, &first, error));
    TRY(acquire_bytes(w->r, m, &id, &second, error));
    *out = first - (first < second ? first : second);
    return 0;
}

static int count_ours(struct wire *w, mneme_encoding encoding, uint64_t *out, mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    mneme_record *records, *first;
    mneme_id id;
    int64_t since_us;
    uint64_t ignored;
    TRY(episodes_take(w->r, 1, w->arena, &first, NULL, error));
    TRY(episodes_take(w->r, w->count, w->arena, &records, &since_us, error));
    TRY(open_uncached(w->r, encoding, &m, error));
    TRY(mneme_put(m, first, 1, NULL, &id, error)); /* connect, fetch the dictionary */
    TRY(acquire_bytes(w->r, m, &id, &ignored, error));
    uint64_t before = bytes_carried(w->r);
    for (size_t i = 0; i < w->count; i += A_CALL)
        TRY(mneme_put(m, records + i, size_min(A_CALL, w->count - i), NULL, NULL, error));
    TRY(read_pages(m, since_us, w->count, error));
    *out = bytes_carried(w->r) - before;
    return 0;
}

/* ---- Plain columns ------------------------------------------------------------------------ */

/* The values of one row: what people filter by, and the whole episode as JSON. */
static int plain_values(struct wire *w, const mneme_record *record, struct sql_value *v,
                        mneme_error *error) {
    mneme_episode e = *record->as.episode;
    mneme_record named = *record;
    char id[MNEME_ID_TEXT_SIZE];
    mneme_bytes json = {0};
    struct slice id_copy, json_copy;
    TRY(mneme_id_make(&e.id, error));
    named.id = e.id;
    named.as.episode = &e;
    mneme_id_format(&e.id, id);
    TRY(mneme_record_to_json(&named, &json, error));
    int status = arena_copy(w->arena, slice_of(json.data, json.size), &json_copy);
    mneme_bytes_free(&json);
    if (status || arena_copy(w->arena, slice_of_string(id), &id_copy))
        return error_set(error, MNEME_NO_MEMORY, "no memory for JSON");
    v[0] = sql_text(id_copy);
    v[1] = sql_integer(record->time_us);
    v[2] = sql_text(slice_of_text(e.task_type));
    v[3] = sql_text(slice_of_text(e.context.domain));
    v[4] = sql_text(slice_of_string(outcome_name(e.outcome.kind)));
    v[5] = sql_text(json_copy);
    return 0;
}

static int plain_insert(struct wire *w, struct sql_driver *driver, const mneme_record *records,
                        size_t count, mneme_error *error) {
    AUTO_BUF struct buf sql = BUF_INIT(64 << 10);
    AUTO_RESULTS struct sql_results results = {0};
    struct sql_value *values = arena_zalloc(w->arena, count, COLUMNS * sizeof *values);
    if (!values)
        return error_set(error, MNEME_NO_MEMORY, "no memory for values");
    buf_append_string(&sql, "INSERT INTO mneme_bench VALUES ");
    for (size_t i = 0; i < count; i++) {
        buf_append_string(&sql, i ? ",(?,?,?,?,?,?)" : "(?,?,?,?,?,?)");
        TRY(plain_values(w, &records[i], values + i * COLUMNS, error));
    }
    TRY(sql.status);
    const struct sql_step step = {
        .sql = buf_slice(&sql), .args = values, .arg_count = count * COLUMNS};
    const struct sql_program program = {.steps = &step, .count = 1, .writes = true};
    return bare_run(driver, &program, &results, error);
}

/* One page; *at is where the next begins. */
static int plain_page(struct wire *w, struct sql_driver *driver, struct sql_value at[2],
                      size_t *count, mneme_error *error) {
    static const char text[] = "SELECT id, time_us, type, domain, outcome, json FROM mneme_bench"
                               " WHERE (time_us, id) > (?, ?) ORDER BY time_us, id LIMIT 100";
    AUTO_RESULTS struct sql_results results = {0};
    const struct sql_step step = {.sql = slice_of_string(text), .args = at, .arg_count = 2};
    const struct sql_program program = {.steps = &step, .count = 1};
    struct slice id;
    TRY(bare_run(driver, &program, &results, error));
    const struct sql_step_result *page = &results.steps[0];
    *count = page->rows;
    if (page->rows == 0)
        return 0;
    const struct sql_value *last = page->values + (page->rows - 1) * COLUMNS;
    if (page->columns != COLUMNS || arena_copy(w->arena, last[0].bytes, &id))
        return error_set(error, MNEME_FAILURE, "the plain table cannot be read");
    at[0] = last[1];
    at[1] = sql_text(id);
    return 0;
}

static int count_plain(struct wire *w, uint64_t *out, mneme_error *error) {
    mneme_options options = remote_options(w->r);
    struct sql_value at[2] = {sql_integer(0), sql_text(slice_of_string(""))};
    AUTO_DRIVER struct sql_driver *driver = NULL;
    mneme_record *records;
    size_t rows = 0, page;
    options.remote.encoding = MNEME_ENCODING_JSON;
    TRY(episodes_take(w->r, w->count, w->arena, &records, NULL, error));
    TRY(bare_driver_open(w->r->distances[WIRE].url, &options, &driver, error));
    TRY(plain_page(w, driver, at, &page, error)); /* of an empty table: connect */
    uint64_t before = bytes_carried(w->r);
    for (size_t i = 0; i < w->count; i += A_CALL)
        TRY(plain_insert(w, driver, records + i, size_min(A_CALL, w->count - i), error));
    do {
        TRY(plain_page(w, driver, at, &page, error));
        rows += page;
    } while (page == A_CALL && rows < w->count);
    *out = bytes_carried(w->r) - before;
    return rows == w->count ? 0 : error_set(error, MNEME_FAILURE, "the plain table lost rows");
}

/* ---- Rows --------------------------------------------------------------------------------- */

int remote_wire_count(struct remote *r, size_t count, struct wire_bytes *out, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct wire w = {.r = r, .arena = &arena, .count = count};
    report_progress(&r->kit->report, "counting bytes");
    distance_set(r, &r->distances[STRAIGHT]);
    TRY(count_plain(&w, &out->plain, error));
    TRY(count_ours(&w, MNEME_ENCODING_JSON, &out->json, error));
    TRY(count_ours(&w, MNEME_ENCODING_PROTOBUF, &out->protobuf, error));
    return count_dictionary(&w, MNEME_ENCODING_PROTOBUF, &out->dictionary, error);
}

int remote_wire(struct remote *r, mneme_error *error) {
    struct wire_bytes bytes = {0};
    if (!r->proxy) {
        report_heading(&r->kit->report, "bytes on the wire: LEFT OUT, the server is far; the "
                                        "proxy that counts them speaks no TLS");
        return 0;
    }
    report_heading(&r->kit->report, "bytes on the wire: episodes stored and read back");
    TRY(remote_wire_count(r, bench_size(r->kit->options, 100, 200, 1000), &bytes, error));
    struct row row = {.name = "episodes, JSON",
                      .unit = "KB",
                      .reference = "plain columns, JSON",
                      .value = kilobytes(bytes.json),
                      .reference_value = kilobytes(bytes.plain),
                      .goal = AT_MOST(0.24)};
    report_row(&r->kit->report, &row);
    row.name = "episodes, protobuf";
    row.value = kilobytes(bytes.protobuf);
    row.goal = AT_MOST(0.18);
    report_row(&r->kit->report, &row);
    report_row(&r->kit->report, &(struct row){.name = "the dictionary, once a handle",
                                              .unit = "KB",
                                              .value = kilobytes(bytes.dictionary)});
    return 0;
}
