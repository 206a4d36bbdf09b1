/*
 * sync_bulk.c - a full store pushed to an empty remote, and an empty store filled from a full one,
 * against a bare client that writes and reads the same stored bytes.
 *
 * Each push has a server of its own, new and empty. Connecting counts, for both: the first request
 * of a run makes the connection.
 */
#include <stdio.h>

#include "bench/sync_cases.h"

enum { A_PUSH = 100, A_PULL = 1000, ROUNDS_MAX = 3 };

struct bulk {
    struct kit *kit;
    struct bench_options options; /* with fewer rounds: each takes seconds */
    const struct delay *delay;
    size_t count;
    struct scratch_path full, copy;
    struct arena arena; /* of what the bare client sends: */
    mneme_id *ids;
    struct slice *bodies;
    uint64_t bytes;
    struct site site; /* that is full, to read from */
};

/* ---- What is pushed ----------------------------------------------------------------------- */

static int take_page(struct bulk *b, const struct record_set *page, size_t *taken,
                     mneme_error *error) {
    for (size_t i = 0; i < page->count; i++) {
        const struct stored_record *r = &page->records[i];
        if (r->kind != MNEME_EPISODE || *taken == b->count)
            continue;
        b->ids[*taken] = r->id;
        if (arena_copy(&b->arena, r->body, &b->bodies[*taken]))
            return error_set(error, MNEME_NO_MEMORY, "no memory for the stored episodes");
        b->bytes += r->body.size;
        ++*taken;
    }
    return 0;
}

/* The bodies of all episodes, as they are stored. */
static int read_bodies(struct bulk *b, mneme_error *error) {
    const mneme_options options = synced_options(NULL, MNEME_SYNC_MANUAL);
    AUTO_HANDLE mneme *m = NULL;
    size_t taken = 0, found;
    uint64_t since = 0;
    b->ids = arena_zalloc(&b->arena, b->count, sizeof *b->ids);
    b->bodies = arena_zalloc(&b->arena, b->count, sizeof *b->bodies);
    if (!b->ids || !b->bodies)
        return error_set(error, MNEME_NO_MEMORY, "no memory for the stored episodes");
    TRY(mneme_open(b->full.text, &options, &m, error));
    do {
        AUTO_RECORDS struct record_set page = {0};
        TRY(store_changes(m->store, since, A_PULL, false, &page, error));
        TRY(take_page(b, &page, &taken, error));
        found = page.count;
        since = found ? page.records[found - 1].change : since;
    } while (found);
    return taken == b->count ? 0 : error_set(error, MNEME_FAILURE, "the store lost episodes");
}

/* ---- Pushing ------------------------------------------------------------------------------ */

static int push_to(struct bulk *b, const struct site *site, double *seconds, mneme_error *error) {
    const mneme_options options = synced_options(site->url, MNEME_SYNC_MANUAL);
    mneme_sync_report report = {.size = sizeof report};
    AUTO_HANDLE mneme *m = NULL;
    TRY(scratch_copy_file(&b->full, &b->copy, error));
    TRY(mneme_open(b->copy.text, &options, &m, error));
    double start = seconds_now();
    TRY(mneme_sync(m, NULL, &report, error));
    *seconds = seconds_now() - start;
    if (report.pushed < b->count)
        return error_set(error, MNEME_FAILURE, "%llu records were pushed, not %zu",
                         (unsigned long long)report.pushed, b->count);
    TRY(mneme_close(TAKE(m), error));
    scratch_remove_file(&b->copy);
    return 0;
}

static int insert_into(struct bulk *b, const struct site *site, double *seconds,
                       mneme_error *error) {
    AUTO_BARE struct bare maker = {0}, bare = {0};
    TRY(bare_open(&maker, site->server.url, error));
    TRY(bare_create(&maker, error));
    TRY(bare_open(&bare, site->url, error));
    double start = seconds_now();
    for (size_t i = 0; i < b->count; i += A_PUSH)
        TRY(bare_insert(&bare, b->ids + i, b->bodies + i, size_min(A_PUSH, b->count - i), error));
    *seconds = seconds_now() - start;
    return 0;
}

static int run_push(void *context, double *value, mneme_error *error) {
    struct bulk *b = context;
    AUTO_SITE struct site site = {0};
    double seconds = 0;
    TRY(site_start(&site, b->delay->ms, error));
    TRY(push_to(b, &site, &seconds, error));
    *value = (double)b->count / seconds;
    return 0;
}

static int run_insert(void *context, double *value, mneme_error *error) {
    struct bulk *b = context;
    AUTO_SITE struct site site = {0};
    double seconds = 0;
    TRY(site_start(&site, b->delay->ms, error));
    TRY(insert_into(b, &site, &seconds, error));
    *value = (double)b->count / seconds;
    return 0;
}

/* ---- Pulling ------------------------------------------------------------------------------ */

static int run_bootstrap(void *context, double *value, mneme_error *error) {
    struct bulk *b = context;
    const mneme_options options = synced_options(b->site.url, MNEME_SYNC_MANUAL);
    mneme_sync_report report = {.size = sizeof report};
    AUTO_HANDLE mneme *m = NULL;
    scratch_remove_file(&b->copy);
    TRY(mneme_open(b->copy.text, &options, &m, error));
    double start = seconds_now();
    TRY(mneme_sync(m, NULL, &report, error));
    *value = (double)b->count / (seconds_now() - start);
    if (report.pulled < b->count)
        return error_set(error, MNEME_FAILURE, "%llu records were pulled, not %zu",
                         (unsigned long long)report.pulled, b->count);
    TRY(mneme_close(TAKE(m), error));
    scratch_remove_file(&b->copy);
    return 0;
}

static int run_select(void *context, double *value, mneme_error *error) {
    struct bulk *b = context;
    AUTO_BARE struct bare bare = {0};
    size_t rows, all = 0;
    uint64_t bytes, sum = 0;
    int64_t at = 0;
    TRY(bare_open(&bare, b->site.url, error));
    double start = seconds_now();
    do {
        TRY(bare_page(&bare, &at, A_PULL, &rows, &bytes, error));
        all += rows;
        sum += bytes;
    } while (rows == A_PULL && all < b->count);
    *value = (double)b->count / (seconds_now() - start);
    return all == b->count && sum == b->bytes
               ? 0
               : error_set(error, MNEME_FAILURE, "the plain table lost rows");
}

/* ---- Rows --------------------------------------------------------------------------------- */

static int measure_pair(struct bulk *b, const char *what, contestant_run *ours,
                        const char *reference, contestant_run *theirs, mneme_error *error) {
    const struct contestant both[] = {{ours, b}, {theirs, b}};
    struct measured results[2];
    char name[SYNC_NAME_SIZE], count[COUNT_TEXT_SIZE], text[SYNC_NAME_SIZE];
    format_count(count, b->count);
    snprintf(text, sizeof text, "%s episodes %s", count, what);
    name_of(name, text, b->delay);
    report_progress(&b->kit->report, "measuring: %s", name);
    TRY(measure(&b->options, both, 2, results, error));
    report_row(&b->kit->report, &(struct row){.name = name,
                                              .unit = "rec/s",
                                              .reference = reference,
                                              .value = results[0],
                                              .reference_value = results[1],
                                              .goal = AT_LEAST(0.7)});
    return 0;
}

static int fill_site(struct bulk *b, mneme_error *error) {
    double ignored;
    TRY(site_start(&b->site, b->delay->ms, error));
    TRY(push_to(b, &b->site, &ignored, error));
    return insert_into(b, &b->site, &ignored, error);
}

static int measure_at(struct bulk *b, mneme_error *error) {
    TRY(measure_pair(b, "pushed", run_push, "INSERTs of 100 rows", run_insert, error));
    TRY(fill_site(b, error));
    TRY(measure_pair(b, "pulled", run_bootstrap, "SELECTs, 1,000 rows", run_select, error));
    site_stop(&b->site);
    return 0;
}

static void bulk_fini(struct bulk *b) {
    site_stop(&b->site);
    arena_fini(&b->arena);
}

int sync_bulk(struct kit *kit, mneme_error *error) {
    CLEANUP(bulk_fini)
    struct bulk b = {.kit = kit,
                     .options = *kit->options,
                     .count = bench_size(kit->options, 250, 10000, 10000),
                     .full = scratch_path_of(&kit->scratch, "full.mdb"),
                     .copy = scratch_path_of(&kit->scratch, "copy.mdb")};
    if (!kit->options->long_run && b.options.rounds > ROUNDS_MAX)
        b.options.rounds = ROUNDS_MAX;
    report_heading(&kit->report, "a full store meets an empty remote; an empty store a full one");
    report_progress(&kit->report, "filling a store");
    TRY(store_fill(kit, &b.full, b.count, error));
    TRY(read_bodies(&b, error));
    for (size_t i = 0; i < COUNT_OF(delays); i++) {
        b.delay = &delays[i];
        TRY(measure_at(&b, error));
    }
    scratch_remove_file(&b.full);
    return 0;
}
