/*
 * store_batch.c - durable batches of 100: against plain LMDB and SQLite with the same bytes, and
 * against one call a record.
 */
#include "bench/reference_lmdb.h"
#include "bench/reference_sqlite.h"
#include "bench/store_cases.h"
#include "store/kv.h"

enum { BATCH = 100 };

/* ---- The same bytes: store, LMDB, SQLite --------------------------------------------------- */

struct durable {
    struct kit *kit;
    struct scratch_path ours, theirs;
    size_t batches;
    struct write_set encoded;   /* a PUT for each record; as they were, for every run anew */
    struct mutation *mutations; /* the copy that a run works on */
    struct lmdb_recording recording;
    mneme_record *records; /* the same with blank ids */
};

static size_t durable_count(const struct durable *d) { return d->batches * BATCH; }

static int apply_batch(struct durable *d, struct store *store, size_t i, mneme_error *error) {
    struct batch batch = {.mutations = d->mutations + i * BATCH, .count = BATCH};
    struct batch *only = &batch;
    int status = store_apply(store, &only, 1);
    status = status ? status : batch.status;
    return status ? error_set(error, status, "%s", batch.error.message) : 0;
}

static int apply_batches(struct durable *d, struct store *store, double *seconds,
                         mneme_error *error) {
    double start = seconds_now();
    for (size_t i = 0; i < d->batches; i++)
        TRY(apply_batch(d, store, i, error));
    *seconds = seconds_now() - start;
    return 0;
}

static int open_batched(const struct scratch_path *path, struct store **out, mneme_error *error) {
    struct store *below;
    TRY(kv_store_open(path->text, NULL, &below, error));
    int status = batched_open(below, NULL, out, error);
    if (status)
        store_close(below);
    return status;
}

/* Put the batches one after the other, and record after each what it has put. */
static int record_batches(struct durable *d, mneme_error *error) {
    memcpy(d->mutations, d->encoded.mutations, d->encoded.count * sizeof *d->mutations);
    scratch_remove_file(&d->ours);
    for (size_t i = 0; i < d->batches; i++) {
        struct store *store;
        TRY(open_batched(&d->ours, &store, error));
        int status = apply_batch(d, store, i, error);
        store_close(store);
        TRY(status);
        TRY(lmdb_record(&d->recording, &d->ours, error));
    }
    return 0;
}

static int run_store(void *context, double *value, mneme_error *error) {
    struct durable *d = context;
    struct store *store;
    double seconds = 0;
    memcpy(d->mutations, d->encoded.mutations, d->encoded.count * sizeof *d->mutations);
    scratch_remove_file(&d->ours);
    TRY(open_batched(&d->ours, &store, error));
    int status = apply_batches(d, store, &seconds, error);
    store_close(store);
    *value = (double)durable_count(d) / seconds;
    return status;
}

static int run_lmdb(void *context, double *value, mneme_error *error) {
    struct durable *d = context;
    double seconds = 0;
    TRY(lmdb_replay(&d->recording, &d->theirs, &seconds, error));
    *value = (double)durable_count(d) / seconds;
    return 0;
}

static int run_sqlite(void *context, double *value, mneme_error *error) {
    struct durable *d = context;
    double seconds = 0;
    TRY(sqlite_insert(d->encoded.mutations, d->encoded.count, BATCH, &d->theirs, &seconds, error));
    *value = (double)durable_count(d) / seconds;
    return 0;
}

/* The whole way: fill, validate, encode, compress, commit. */
static int run_put(void *context, double *value, mneme_error *error) {
    struct durable *d = context;
    AUTO_HANDLE mneme *m = NULL;
    TRY(kit_open(d->kit, &d->ours, &m, error));
    double start = seconds_now();
    for (size_t i = 0; i < d->batches; i++)
        TRY(mneme_put(m, d->records + i * BATCH, BATCH, NULL, NULL, error));
    *value = (double)durable_count(d) / (seconds_now() - start);
    return 0;
}

static int durable_init(struct durable *d, struct kit *kit, struct arena *arena,
                        mneme_error *error) {
    *d = (struct durable){.kit = kit,
                          .ours = scratch_path_of(&kit->scratch, "ours.mdb"),
                          .theirs = scratch_path_of(&kit->scratch, "theirs.db"),
                          .batches = bench_size(kit->options, 2, 50, 200)};
    size_t count = durable_count(d);
    d->mutations = arena_zalloc(arena, count, sizeof *d->mutations);
    d->records = arena_zalloc(arena, count, sizeof *d->records);
    if (!d->mutations || !d->records)
        return error_set(error, MNEME_NO_MEMORY, "no memory for %zu records", count);
    for (size_t i = 0; i < count; i++) {
        mneme_episode *blank = arena_alloc(arena, sizeof *blank);
        if (!blank)
            return error_set(error, MNEME_NO_MEMORY, "no memory for %zu records", count);
        TRY(corpus_vary(&kit->corpus, i, arena, &d->records[i], error));
        TRY(kit_encode(kit, &d->records[i], &d->encoded, error));
        *blank = *d->records[i].as.episode;
        blank->id = d->records[i].id = (mneme_id){{0}};
        d->records[i].as.episode = blank;
    }
    return 0;
}

static void durable_fini(struct durable *d) {
    write_set_fini(&d->encoded);
    lmdb_recording_fini(&d->recording);
}

static int durable_measure(struct durable *d, mneme_error *error) {
    const struct contestant contestants[] = {
        {run_store, d}, {run_lmdb, d}, {run_sqlite, d}, {run_put, d}};
    struct measured results[COUNT_OF(contestants)];
    struct report *report = &d->kit->report;
    report_progress(report, "measuring: durable batches");
    TRY(record_batches(d, error));
    TRY(measure(d->kit->options, contestants, COUNT_OF(contestants), results, error));
    struct row row = {.name = "batch of 100 episodes",
                      .unit = "rec/s",
                      .reference = "plain LMDB",
                      .value = results[0],
                      .reference_value = results[1],
                      .goal = AT_LEAST(0.85)};
    report_row(report, &row);
    row.reference = "SQLite WAL, FULL";
    row.reference_value = results[2];
    row.goal = AT_LEAST(1.5);
    report_row(report, &row);
    row.name = "same, with encode and compress";
    row.value = results[3];
    row.reference = "plain LMDB";
    row.reference_value = results[1];
    row.goal = NO_GOAL;
    report_row(report, &row);
    return 0;
}

int store_durable_batches(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    CLEANUP(durable_fini) struct durable d = {0};
    report_heading(&kit->report, "durable writes: a call returns when its records are on disk");
    TRY(durable_init(&d, kit, &arena, error));
    return durable_measure(&d, error);
}

/* ---- Batched, or one call a record --------------------------------------------------------- */

struct puts {
    struct kit *kit;
    struct scratch_path path;
    mneme_record *records;
    size_t batched, single; /* how many records a run puts */
    bool are_steps;         /* of an open episode, which each run makes */
};

static int run_puts(struct puts *p, size_t count, size_t a_call, double *value,
                    mneme_error *error) {
    AUTO_HANDLE mneme *m = NULL;
    TRY(kit_open(p->kit, &p->path, &m, error));
    mneme_id parent;
    TRY(live_episode_start(m, &parent, error));
    for (size_t i = 0; p->are_steps && i < count; i++)
        p->records[i].parent = parent;
    double start = seconds_now();
    for (size_t i = 0; i < count; i += a_call)
        TRY(mneme_put(m, p->records + i, a_call, NULL, NULL, error));
    *value = (double)count / (seconds_now() - start);
    return 0;
}

static int run_batched(void *context, double *value, mneme_error *error) {
    struct puts *p = context;
    return run_puts(p, p->batched, BATCH, value, error);
}

static int run_single(void *context, double *value, mneme_error *error) {
    struct puts *p = context;
    return run_puts(p, p->single, 1, value, error);
}

static int compare_puts(struct puts *p, const char *name, struct goal goal, mneme_error *error) {
    return kit_compare(p->kit, name, "rec/s", (struct contestant){run_batched, p},
                       "one call a record", (struct contestant){run_single, p}, goal, error);
}

static int puts_init(struct puts *p, struct kit *kit, struct arena *arena, mneme_error *error) {
    *p = (struct puts){.kit = kit,
                       .path = scratch_path_of(&kit->scratch, "puts.mdb"),
                       .batched = bench_size(kit->options, 2 * BATCH, 20 * BATCH, 20 * BATCH),
                       .single = bench_size(kit->options, 20, 200, 1000)};
    p->records = arena_zalloc(arena, p->batched, sizeof *p->records);
    return p->records ? 0 : error_set(error, MNEME_NO_MEMORY, "no memory for records");
}

int store_batched_or_single(struct kit *kit, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct live_steps steps;
    struct puts p;
    TRY(live_steps_make(kit, &arena, &steps, error));
    TRY(puts_init(&p, kit, &arena, error));
    p.are_steps = true;
    for (size_t i = 0; i < p.batched; i++)
        p.records[i] = (mneme_record){.kind = MNEME_STEP, .as.step = &steps.items[i % steps.count]};
    TRY(compare_puts(&p, "100 steps in one call", AT_LEAST(20), error));
    p.are_steps = false;
    for (size_t i = 0; i < p.batched; i++) {
        const mneme_record *from = kit->corpus.fresh.items[i % kit->corpus.fresh.count];
        mneme_episode *blank = arena_alloc(&arena, sizeof *blank);
        if (!blank)
            return error_set(error, MNEME_NO_MEMORY, "no memory for records");
        *blank = *from->as.episode;
        blank->id = (mneme_id){{0}};
        p.records[i] = (mneme_record){.kind = MNEME_EPISODE, .as.episode = blank};
    }
    return compare_puts(&p, "100 episodes in one call", NO_GOAL, error);
}
