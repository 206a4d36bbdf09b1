/*
 * kit.c - setting a bench up and putting things away; training, encoding, new stores.
 */
#include "bench/kit.h"

/* ---- Dictionaries ------------------------------------------------------------------------- */

int kit_bodies(const struct record_list *records, struct arena *arena, struct slice *bodies,
               struct stored_record *headers, mneme_error *error) {
    for (size_t i = 0; i < records->count; i++) {
        AUTO_BUF struct buf body = BUF_INIT(STORE_BODY_MAX);
        struct stored_record header;
        TRY(model_encode(records->items[i], arena, &body, &header, error));
        if (arena_copy(arena, buf_slice(&body), &bodies[i]))
            return error_set(error, MNEME_NO_MEMORY, "no memory for encoded records");
        if (headers)
            headers[i] = header;
    }
    return 0;
}

static int train(struct kit *kit, mneme_kind kind, const struct record_list *records,
                 mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct slice *bodies = arena_zalloc(&arena, records->count, sizeof *bodies);
    if (!bodies)
        return error_set(error, MNEME_NO_MEMORY, "no memory for training");
    TRY(kit_bodies(records, &arena, bodies, NULL, error));
    bool trained;
    return dictionaries_train_from(kit->encoder, kind, bodies, records->count, &trained, error);
}

static int train_all(struct kit *kit, mneme_error *error) {
    const mneme_options options = {.size = sizeof options, .no_training = true};
    const struct store_query query = {.kind = MNEME_DICTIONARY, .limit = STORE_PAGE_MAX};
    AUTO_ARENA struct arena arena = {0};
    struct record_list steps;
    bool more;
    TRY(mneme_open("mem:", &options, &kit->encoder, error));
    TRY(corpus_steps(&kit->corpus.trained, &arena, &steps, error));
    TRY(train(kit, MNEME_EPISODE, &kit->corpus.trained, error));
    TRY(train(kit, MNEME_STEP, &steps, error));
    return store_query(kit->encoder->store, &query, &kit->dictionaries, &more, error);
}

/* ---- Life --------------------------------------------------------------------------------- */

int kit_init(struct kit *kit, const struct bench_options *options, mneme_error *error) {
    kit->options = options;
    interrupt_catch();
    TRY(scratch_create(&kit->scratch, options, error));
    TRY(corpus_load(&kit->corpus, error));
    TRY(corpus_steps(&kit->corpus.fresh, &kit->arena, &kit->steps, error));
    TRY(train_all(kit, error));
    report_begin(&kit->report, options);
    snprintf(kit->report.data, sizeof kit->report.data,
             "%zu %s episodes; dictionaries saw %zu, the others are measured",
             kit->corpus.trained.count + kit->corpus.fresh.count,
             kit->corpus.real ? "real (tau-bench, airline)" : "GENERATED (no real ones found)",
             kit->corpus.trained.count);
    return 0;
}

int kit_end(struct kit *kit, mneme_error *error) {
    return report_end(&kit->report, kit->scratch.file_system, error);
}

void kit_fini(struct kit *kit) {
    record_set_fini(&kit->dictionaries);
    (void)mneme_close(kit->encoder, NULL);
    corpus_fini(&kit->corpus);
    arena_fini(&kit->arena);
    scratch_remove(&kit->scratch);
}

/* ---- Stores ------------------------------------------------------------------------------- */

static int give_dictionaries(struct kit *kit, mneme *m, mneme_error *error) {
    for (size_t i = 0; i < kit->dictionaries.count; i++) {
        struct mutation put = {.op = MUTATION_PUT, .record = kit->dictionaries.records[i]};
        struct batch batch = {.mutations = &put, .count = 1}, *only = &batch;
        int status = store_apply(m->store, &only, 1);
        if (status == 0)
            status = batch.status;
        if (status)
            return error_set(error, status, "%s", batch.error.message);
    }
    return 0;
}

static int open_with(struct kit *kit, const struct scratch_path *path, bool uncached, mneme **out,
                     mneme_error *error) {
    const mneme_options options = {
        .size = sizeof options, .no_training = true, .cache.off = uncached};
    AUTO_HANDLE mneme *m = NULL;
    scratch_remove_file(path);
    TRY(mneme_open(path->text, &options, &m, error));
    TRY(give_dictionaries(kit, m, error));
    *out = TAKE(m);
    return 0;
}

int kit_open(struct kit *kit, const struct scratch_path *path, mneme **out, mneme_error *error) {
    return open_with(kit, path, false, out, error);
}

int kit_open_uncached(struct kit *kit, const struct scratch_path *path, mneme **out,
                      mneme_error *error) {
    return open_with(kit, path, true, out, error);
}

int kit_encode(struct kit *kit, const mneme_record *record, struct write_set *set,
               mneme_error *error) {
    struct mutation *put;
    return write_set_put(kit->encoder, set, record, &put, error);
}

/* ---- Rows --------------------------------------------------------------------------------- */

int kit_compare(struct kit *kit, const char *name, const char *unit, struct contestant ours,
                const char *reference, struct contestant theirs, struct goal goal,
                mneme_error *error) {
    const struct contestant both[] = {ours, theirs};
    struct measured results[2];
    report_progress(&kit->report, "measuring: %s", name);
    TRY(measure(kit->options, both, 2, results, error));
    report_row(&kit->report, &(struct row){.name = name,
                                           .unit = unit,
                                           .reference = reference,
                                           .value = results[0],
                                           .reference_value = results[1],
                                           .goal = goal});
    return 0;
}
