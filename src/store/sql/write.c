/*
 * write.c - applying batches: one transaction, one round trip.
 *
 * The quick way. All mutations of all batches are rows of one INSERT into mneme_apply, whose
 * trigger does the work (schema.c). When every condition holds, that was all.
 *
 * The careful way. When one does not, the whole transaction was taken back, and nothing is known
 * of the batches behind. So a second transaction has each batch as a statement of its own, which
 * SQLite takes back alone when it fails; batches that need several statements (a body in many
 * chunks) are held together by a savepoint. With one batch there is nothing more to learn, and no
 * second transaction.
 *
 * Lost answers. The first step inserts the transaction's id; when the same program runs again, it
 * fails there, nothing else is done, and the last step reads the outcome of the first time:
 *   1. the client sends the program, the server commits it, the answer is lost;
 *   2. the driver sends the same program again;
 *   3. mneme_transaction has the id: the INSERT fails, its guards skip all up to the last step;
 *   4. the SELECT of the last step finds the outcome, and the client has its numbers.
 * A batch that failed on the careful way has no outcome; when the reason was in a lost answer, the
 * caller hears that a condition did not hold, but not which.
 */
#include "store/sql/write_impl.h"

/* What is applied in one transaction. */
struct work {
    struct sql *sql;
    struct batch *const *batches;
    size_t batch_count;
    struct arena arena;
    struct apply_rows rows;
    uint8_t id[SQL_TRANSACTION_ID];
    int64_t time_us;
};

/* ---- Programs -------------------------------------------------------------------------------- */

/* The step that inserts the transaction's id. */
enum { STEP_NAME = 1 };

static void add_begin(struct program *p, const struct work *w) {
    struct sql_value values[] = {sql_blob(slice_of(w->id, sizeof w->id)), sql_integer(w->time_us)};
    program_add(p, "BEGIN IMMEDIATE", NULL, 0);
    program_then(p, "INSERT INTO mneme_transaction(id, time_us) VALUES (?, ?)",
                 program_values(p, values, COUNT_OF(values)), COUNT_OF(values));
}

/* The end of both ways, once step `last` is done. The outcome is read before the commit, so that
 * whatever keeps it from being read keeps the transaction from going in; and it is read again by
 * the last step when the transaction had gone in before. */
static void add_end(struct program *p, const struct work *w, size_t last) {
    static const char select[] =
        "SELECT device, outcome FROM mneme_store JOIN mneme_transaction WHERE id = ?";
    struct sql_value id = sql_blob(slice_of(w->id, sizeof w->id));
    const struct sql_value *value = program_values(p, &id, 1);
    program_guarded(p, "INSERT INTO mneme_end VALUES(0)", NULL, 0, SQL_IF_DONE, last);
    program_then(p, select, value, 1);
    size_t commit = program_then(p, "COMMIT", NULL, 0);
    program_guarded(p, "ROLLBACK", NULL, 0, SQL_IF_NOT_DONE, commit);
    program_guarded(p, select, value, 1, SQL_IF_NOT_DONE, STEP_NAME);
}

/* ---- Outcomes -------------------------------------------------------------------------------- */

static void tell(struct mutation *m, const struct outcome *o, uint64_t device) {
    m->applied = o->applied;
    if (!o->applied || o->change == 0)
        return;
    if (version_is_zero(m->record.version))
        m->record.version = (mneme_version){.clock = o->clock, .device = device};
    m->record.change = o->change;
    m->record.place = o->place;
}

/* The step that commits; see add_end. */
static size_t commit_of(const struct sql_results *results) { return results->count - 3; }

/* *there: the transaction went in, now or before. */
static int outcome_read(struct work *w, const struct sql_results *results, bool *there,
                        uint64_t *device, struct outcome *outcomes, mneme_error *error) {
    const struct sql_step_result *last = &results->steps[results->count - 1];
    const struct sql_step_result *commit = &results->steps[commit_of(results)];
    const struct sql_step_result *answer = commit->outcome == SQL_DONE ? commit - 1 : last;
    *there = answer->outcome == SQL_DONE && answer->rows == 1;
    if (!*there)
        return 0;
    const struct sql_value *v = answer->values;
    if (answer->columns != 2 || v[0].type != SQL_TEXT || !device_parse(v[0].bytes, device) ||
        (v[1].type != SQL_TEXT && v[1].type != SQL_NULL))
        return error_set(error, MNEME_CORRUPT,
                         "the database's answer to a write is not one of mneme's");
    struct slice text = v[1].type == SQL_TEXT ? v[1].bytes : slice_of(NULL, 0);
    return outcomes_parse(text, outcomes, w->rows.mutation_count, error);
}

/* ---- Failures -------------------------------------------------------------------------------- */

static void fail_all(struct work *w, int status, const mneme_error *text) {
    for (size_t b = 0; b < w->batch_count; b++) {
        w->batches[b]->status = status;
        w->batches[b]->error = *text;
    }
}

/* A batch whose condition did not hold; `first` is the number of its first mutation. */
static void fail_condition(struct batch *batch, size_t first, const struct verdict *verdict) {
    static const struct stored_record tombstone = {.flags = MNEME_FLAG_DELETED};
    if (verdict->number < first || verdict->number - first >= batch->count) {
        batch->status = error_set(&batch->error, MNEME_CORRUPT,
                                  "the database named a mutation that the batch does not have");
        return;
    }
    batch->failed = (size_t)(verdict->number - first);
    struct mutation wanted = batch->mutations[batch->failed];
    if (verdict->missing || verdict->deleted) {
        wanted.condition = CONDITION_LIVE;
        batch->status =
            condition_test(&wanted, verdict->deleted ? &tombstone : NULL, &batch->error);
    } else {
        batch->status = condition_failed(&wanted, &batch->error);
    }
}

/* The first step, from `from` on, that failed; SIZE_MAX: none. */
static size_t failed_step(const struct sql_results *results, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        if (results->steps[i].outcome == SQL_FAILED)
            return i;
    return SIZE_MAX;
}

/* A failure that is no condition's, of one batch or all. */
static int step_failure(const struct sql_results *results, size_t step, mneme_error *error) {
    if (step == SIZE_MAX)
        return error_set(error, MNEME_CORRUPT,
                         "the database took a transaction, and has no outcome of it");
    return step_check(results, step, "nothing was written", error);
}

/* ---- The two ways ---------------------------------------------------------------------------- */

static int work_name(struct work *w, mneme_error *error) {
    w->time_us = clock_wall_us();
    return random_bytes(w->id, sizeof w->id, error);
}

static int work_run(struct work *w, struct program *p, struct sql_results *results,
                    mneme_error *error) {
    int status = store_run(w->sql, p, true, results, error);
    if (status == MNEME_UNCERTAIN)
        settle_later(w->sql, w->id);
    return status;
}

static void tell_batch(struct batch *batch, const struct outcome *outcomes, uint64_t device) {
    for (size_t i = 0; i < batch->count; i++)
        tell(&batch->mutations[i], &outcomes[i], device);
}

static bool all_known(const struct outcome *outcomes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!outcomes[i].known)
            return false;
    return true;
}

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to apply batches");
}

/* *again: a condition of one of several batches failed. */
static int apply_quickly(struct work *w, bool *again, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &w->arena};
    struct outcome *outcomes = arena_zalloc(&w->arena, w->rows.mutation_count, sizeof *outcomes);
    struct verdict verdict;
    bool there;
    uint64_t device = 0;
    *again = false;
    TRY(work_name(w, error));
    add_begin(&p, w);
    program_apply(&p, w->sql, &w->rows, 0, w->rows.count);
    add_end(&p, w, p.count - 1);
    if (!outcomes)
        return no_memory(error);
    TRY(work_run(w, &p, &results, error));
    TRY(outcome_read(w, &results, &there, &device, outcomes, error));
    if (there && all_known(outcomes, w->rows.mutation_count)) {
        for (size_t b = 0, first = 0; b < w->batch_count; first += w->batches[b++]->count)
            tell_batch(w->batches[b], outcomes + first, device);
        return 0;
    }
    size_t step = failed_step(&results, 0, p.count);
    if (step == SIZE_MAX || !verdict_find(results.steps[step].message, &verdict))
        return step_failure(&results, step, error);
    if (w->batch_count == 1)
        fail_condition(w->batches[0], 0, &verdict);
    *again = w->batch_count > 1;
    return 0;
}

/* The steps of one batch on the careful way. */
struct span {
    size_t begin, end; /* INSERTs */
};

/* Each batch is tried whatever became of the one before, but only once the transaction has its
 * id. */
static struct span add_carefully(struct program *p, const struct work *w, size_t from, size_t to) {
    bool whole = apply_rows_together(w->sql, to - from) == to - from;
    struct span span;
    if (!whole)
        program_guarded(p, "SAVEPOINT batch", NULL, 0, SQL_IF_DONE, STEP_NAME);
    span.begin = p->count;
    program_apply(p, w->sql, &w->rows, from, to);
    span.end = p->count;
    if (p->failed)
        return span;
    if (whole) {
        p->steps[span.begin].guard_step = STEP_NAME;
        return span;
    }
    size_t release = program_then(p, "RELEASE batch", NULL, 0);
    program_guarded(p, "ROLLBACK TO batch", NULL, 0, SQL_IF_NOT_DONE, release);
    program_then(p, "RELEASE batch", NULL, 0);
    return span;
}

static void conclude(struct batch *batch, const struct sql_results *results, struct span span,
                     size_t first, const struct outcome *outcomes, uint64_t device) {
    struct verdict verdict;
    if (all_known(outcomes, batch->count)) {
        tell_batch(batch, outcomes, device);
        return;
    }
    size_t step = failed_step(results, span.begin, span.end);
    if (step == SIZE_MAX)
        batch->status = error_set(&batch->error, MNEME_CONFLICT,
                                  "a condition did not hold, and the answer that said which was "
                                  "lost; read the records again and retry");
    else if (verdict_find(results->steps[step].message, &verdict))
        fail_condition(batch, first, &verdict);
    else
        batch->status = step_failure(results, step, &batch->error);
}

static int apply_carefully(struct work *w, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &w->arena};
    struct outcome *outcomes = arena_zalloc(&w->arena, w->rows.mutation_count, sizeof *outcomes);
    struct span *spans = arena_zalloc(&w->arena, w->batch_count, sizeof *spans);
    bool there;
    uint64_t device = 0;
    if (!outcomes || !spans)
        return no_memory(error);
    TRY(work_name(w, error));
    add_begin(&p, w);
    for (size_t b = 0, from = 0, to = 0; b < w->batch_count; b++, from = to) {
        while (to < w->rows.count && w->rows.rows[to].batch == b)
            to++;
        if (from < to)
            spans[b] = add_carefully(&p, w, from, to);
    }
    add_end(&p, w, STEP_NAME);
    TRY(work_run(w, &p, &results, error));
    TRY(outcome_read(w, &results, &there, &device, outcomes, error));
    if (!there)
        return step_failure(&results, failed_step(&results, 0, p.count), error);
    for (size_t b = 0, first = 0; b < w->batch_count; first += w->batches[b++]->count)
        conclude(w->batches[b], &results, spans[b], first, outcomes + first, device);
    return 0;
}

static void apply_some(struct sql *s, struct batch *const *batches, size_t count) {
    struct work w = {.sql = s, .batches = batches, .batch_count = count};
    mneme_error error = {0};
    bool again = false;
    int status = apply_rows_make(&w.arena, batches, count, false, &w.rows);
    if (status)
        status = no_memory(&error);
    if (!status && w.rows.count)
        status = apply_quickly(&w, &again, &error);
    if (!status && again)
        status = apply_carefully(&w, &error);
    if (status)
        fail_all(&w, status, &error);
    arena_fini(&w.arena);
}

/* How many of the batches go into one transaction: at least one, and not so many that the request
 * grows out of bounds. */
static size_t batches_together(struct batch *const *batches, size_t count) {
    size_t together = 0, mutations = 0, bytes = 0;
    for (; together < count; together++) {
        const struct batch *batch = batches[together];
        mutations += batch->count;
        for (size_t i = 0; i < batch->count; i++)
            bytes +=
                batch->mutations[i].op == MUTATION_PUT ? batch->mutations[i].record.body.size : 0;
        if (together && (mutations > SQL_REQUEST_MUTATIONS || bytes > SQL_REQUEST_BYTES))
            break;
    }
    return together;
}

/* What no transaction need be made for. */
static bool is_refused(const struct sql *s, struct batch *batch) {
    if (s->read_only) {
        batch->status =
            error_set(&batch->error, MNEME_PERMISSION, "the store was opened for reading only");
        return true;
    }
    for (size_t i = 0; i < batch->count; i++) {
        if (!mutation_has_too_many_attributes(&batch->mutations[i]))
            continue;
        batch->failed = i;
        batch->status = error_set(&batch->error, MNEME_TOO_LARGE,
                                  "the attributes of a record are over %d MiB as JSON, which is "
                                  "more than a row of a server may hold; use fewer or shorter tags "
                                  "and metadata names",
                                  SQL_ATTRIBUTES_BYTES >> 20);
        return true;
    }
    return false;
}

int sql_apply(struct store *store, struct batch *const *batches, size_t count) {
    struct sql *s = sql_of(store);
    AUTO_FREE struct batch **taken = mem_zalloc(count, sizeof(struct batch *));
    size_t taken_count = 0;
    if (!taken)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!is_refused(s, batches[i]))
            taken[taken_count++] = batches[i];
    for (size_t at = 0, some; at < taken_count; at += some) {
        some = batches_together(taken + at, taken_count - at);
        apply_some(s, taken + at, some);
    }
    return 0;
}
