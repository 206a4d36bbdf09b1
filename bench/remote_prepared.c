/*
 * remote_prepared.c - an SQLite file: what it spares to keep statements prepared.
 *
 * The reference is the same store with room for one prepared statement: reads of one name and of
 * two, whose texts differ, take turns, so that each has to be prepared.
 */
#include <stdio.h>

#include "bench/remote_cases.h"

enum { EPISODES = 400 };

struct prepared {
    struct kit *kit;
    struct bare_store kept, unkept;
    struct arena arena; /* of the episodes, to which the puts point */
    struct mutation *puts;
    size_t pairs, rounds; /* of reads in a run; of the mixed load */
    double total_us[2];   /* of the last run: kept, unkept */
};

static int apply(struct bare_store *s, struct mutation *mutations, size_t count,
                 mneme_error *error) {
    struct batch batch = {.mutations = mutations, .count = count}, *only = &batch;
    int status = store_apply(s->store, &only, 1);
    status = status ? status : batch.status;
    return status ? error_set(error, status, "%s", batch.error.message) : 0;
}

static struct record_name name_of(const struct prepared *p, size_t i) {
    const struct stored_record *record = &p->puts[i % EPISODES].record;
    return (struct record_name){record->kind, record->id};
}

/* ---- Reads of one name and of two ---------------------------------------------------------- */

static int read_names(struct bare_store *s, const struct record_name *names, size_t count,
                      mneme_error *error) {
    AUTO_RECORDS struct record_set set = {0};
    size_t found[2];
    TRY(store_get(s->store, names, count, &set, found, error));
    return set.count == count
               ? 0
               : error_set(error, MNEME_FAILURE, "a record that was put is not there");
}

/* Microseconds of preparation in a pair of reads; *total_us: of all of it. */
static int run_reads(const struct prepared *p, struct bare_store *s, double *prepare_us,
                     double *total_us, mneme_error *error) {
    struct sql_counters before, after;
    sql_store_counters(s->store, &before);
    double start = seconds_now();
    for (size_t i = 0; i < p->pairs; i++) {
        struct record_name names[2] = {name_of(p, i), name_of(p, i + 1)};
        TRY(read_names(s, names, 1, error));
        TRY(read_names(s, names, 2, error));
    }
    *total_us = (seconds_now() - start) * 1e6 / (double)p->pairs;
    sql_store_counters(s->store, &after);
    *prepare_us = (double)(after.prepare_us - before.prepare_us) / (double)p->pairs;
    return 0;
}

static int run_kept(void *context, double *value, mneme_error *error) {
    struct prepared *p = context;
    return run_reads(p, &p->kept, value, &p->total_us[0], error);
}

static int run_unkept(void *context, double *value, mneme_error *error) {
    struct prepared *p = context;
    return run_reads(p, &p->unkept, value, &p->total_us[1], error);
}

/* What the run before it took in all. */
static int run_kept_total(void *context, double *value, mneme_error *error) {
    const struct prepared *p = context;
    (void)error;
    *value = p->total_us[0];
    return 0;
}

static int run_unkept_total(void *context, double *value, mneme_error *error) {
    const struct prepared *p = context;
    (void)error;
    *value = p->total_us[1];
    return 0;
}

static int measure_reads(struct prepared *p, mneme_error *error) {
    const struct contestant contestants[] = {
        {run_kept, p}, {run_unkept, p}, {run_kept_total, p}, {run_unkept_total, p}};
    struct measured results[COUNT_OF(contestants)];
    TRY(measure(p->kit->options, contestants, COUNT_OF(contestants), results, error));
    report_row(&p->kit->report, &(struct row){.name = "SQLite file, two reads: prepare",
                                              .unit = "us",
                                              .reference = "one statement kept",
                                              .value = results[0],
                                              .reference_value = results[1],
                                              .goal = AT_MOST(0.2)});
    report_row(&p->kit->report, &(struct row){.name = "SQLite file, two reads: all",
                                              .unit = "us",
                                              .reference = "one statement kept",
                                              .value = results[2],
                                              .reference_value = results[3]});
    return 0;
}

/* ---- A mixed load --------------------------------------------------------------------------- */

static int query_some(struct bare_store *s, bool by_outcome, mneme_error *error) {
    static const struct attribute outcome = {{(const uint8_t *)"outcome", 7},
                                             {(const uint8_t *)"success", 7}};
    const struct store_query query = {
        .kind = MNEME_EPISODE, .filters = &outcome, .filter_count = by_outcome, .limit = 10};
    AUTO_RECORDS struct record_set set = {0};
    bool more;
    return store_query(s->store, &query, &set, &more, error);
}

/* What a store does all day: writes, some in groups, reads, lists, looks at the change log. */
static int mix_once(struct prepared *p, size_t i, mneme_error *error) {
    struct bare_store *s = &p->kept;
    struct record_name names[2] = {name_of(p, i), name_of(p, i * 7)};
    size_t group = i % 4 == 0 ? 10 : 1, first = i % (EPISODES - group);
    AUTO_RECORDS struct record_set changes = {0};
    for (size_t j = first; j < first + group; j++)
        p->puts[j].record.version = (mneme_version){0};
    TRY(apply(s, p->puts + first, group, error));
    TRY(read_names(s, names, 1, error));
    TRY(query_some(s, i % 2, error));
    return store_changes(s->store, p->puts[first].record.change - 1, 10, false, &changes, error);
}

static int measure_mix(struct prepared *p, mneme_error *error) {
    struct sql_counters before, after;
    sql_store_counters(p->kept.store, &before);
    for (size_t i = 0; i < p->rounds; i++) {
        TRY(interrupt_check(error));
        TRY(mix_once(p, i, error));
    }
    sql_store_counters(p->kept.store, &after);
    double hits = (double)(after.prepare_hits - before.prepare_hits);
    double all = hits + (double)(after.prepared - before.prepared);
    report_row(&p->kit->report, &(struct row){.name = "SQLite file, mixed load: hits",
                                              .unit = "%",
                                              .value = {.median = all > 0 ? 100 * hits / all : 0},
                                              .goal = VALUE_AT_LEAST(95)});
    return 0;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void prepared_fini(struct prepared *p) {
    bare_store_close(&p->kept);
    bare_store_close(&p->unkept);
    arena_fini(&p->arena);
}

static int prepared_init(struct prepared *p, struct write_set *set, mneme_error *error) {
    const struct scratch_path path = scratch_path_of(&p->kit->scratch, "prepared.db");
    mneme_options options = {.size = sizeof options};
    char url[SCRATCH_PATH_MAX + 80];
    mneme_record record;
    for (size_t i = 0; i < EPISODES; i++) {
        TRY(corpus_vary(&p->kit->corpus, i, &p->arena, &record, error));
        TRY(kit_encode(p->kit, &record, set, error));
    }
    p->puts = set->mutations;
    snprintf(url, sizeof url, "file:%s", path.text);
    TRY(bare_store_open(url, &options, &p->kept, error));
    options.remote.statements = 1;
    TRY(bare_store_open(url, &options, &p->unkept, error));
    return apply(&p->kept, p->puts, EPISODES, error);
}

int remote_prepared(struct kit *kit, mneme_error *error) {
    AUTO_WRITES struct write_set set = {0};
    CLEANUP(prepared_fini)
    struct prepared p = {.kit = kit,
                         .pairs = bench_size(kit->options, 20, 2000, 10000),
                         .rounds = bench_size(kit->options, 60, 300, 2000)};
    report_heading(&kit->report, "an SQLite file: statements that are kept prepared");
    report_progress(&kit->report, "measuring: prepared statements");
    TRY(prepared_init(&p, &set, error));
    TRY(measure_reads(&p, error));
    return measure_mix(&p, error);
}
