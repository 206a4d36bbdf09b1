/*
 * feed_exchange.c - one exchange with the remote (feed.h).
 *
 * The program of an exchange that writes:
 *   BEGIN IMMEDIATE; a row of mneme_exchange; pushes; a row of mneme_end; COMMIT;
 *   and, whatever became of these: ROLLBACK unless it was committed; the page; the numbers of the
 *   store with what the transaction left.
 * A row of mneme_transaction stands for "it went in", now or when the same program ran before and
 * its answer was lost: then the INSERT into mneme_exchange fails, the guards skip the rest, and the
 * last two steps answer what they would have answered then. Records that others wrote in between
 * are above `before`, and so not in the page.
 */
#include "store/sql/feed_impl.h"

/* An exchange under way. */
struct exchange {
    struct sql_feed *feed;
    struct feed_request *request;
    struct feed_answer *answer;
    struct arena arena;
    struct mutation *mutations; /* of the pushes that are tried */
    struct feed_push **pushes;  /* of each */
    size_t count, plain;        /* the first are put in plainly: feed_plain.c */
    uint8_t id[SQL_TRANSACTION_ID];
    struct device_text peer, tag, next_tag;
    char name[FEED_NAME_MAX];
};

static struct sql_value text_value(const char *s) { return sql_text(slice_of_string(s)); }

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for an exchange");
}

/* ---- Pushes as mutations --------------------------------------------------------------------- */

static struct mutation mutation_of(const struct feed_push *push) {
    static const enum mutation_op ops[] = {
        [FEED_PUT] = MUTATION_PUT, [FEED_DELETE] = MUTATION_DELETE, [FEED_PURGE] = MUTATION_PURGE};
    struct mutation m = {.op = ops[push->op],
                         .condition = CONDITION_CHANGE,
                         .record = *push->record,
                         .expect_change = push->expect,
                         .exact = push->op != FEED_PURGE};
    if (push->op == FEED_PURGE) /* nothing else of it need be there */
        m.record = (struct stored_record){.kind = push->record->kind, .id = push->record->id};
    return m;
}

/* What no server need be asked about. */
static int push_validate(const struct mutation *m, mneme_error *error) {
    TRY(mutation_validate(m, error));
    if (m->op != MUTATION_PURGE && version_is_zero(m->record.version))
        return error_set(error, MNEME_INVALID, "a record that is pushed has no version");
    if (mutation_has_too_many_attributes(m))
        return error_set(error, MNEME_TOO_LARGE,
                         "the attributes of a record are over %d MiB as JSON, which is more than a "
                         "row of a server may hold; use fewer or shorter tags and metadata names",
                         SQL_ATTRIBUTES_BYTES >> 20);
    return 0;
}

static void refuse(struct feed_push *push, const mneme_error *error) {
    push->fate = FEED_REFUSED;
    push->change = 0;
    push->error = *error;
}

static int take_pushes(struct exchange *x, mneme_error *error) {
    struct feed_request *request = x->request;
    x->mutations = arena_zalloc(&x->arena, request->push_count, sizeof *x->mutations);
    x->pushes = arena_zalloc(&x->arena, request->push_count, sizeof *x->pushes);
    if (!x->mutations || !x->pushes)
        return no_memory(error);
    for (size_t i = 0; i < request->push_count; i++) {
        mneme_error text = {0};
        struct mutation m = mutation_of(&request->pushes[i]);
        if (push_validate(&m, &text)) {
            refuse(&request->pushes[i], &text);
            continue;
        }
        x->pushes[x->count] = &request->pushes[i];
        x->mutations[x->count++] = m;
    }
    return 0;
}

/* ---- The program ----------------------------------------------------------------------------- */

enum { STEP_EXCHANGE = 1 };

/* What the steps of a program are, but for pushes. */
struct plan {
    size_t commit, numbers;
    struct feed_page page;
};

/* The bytes that the digits of an epoch stand for: half as many. Another text as it is. */
static struct sql_value epoch_value(struct arena *arena, const char *epoch) {
    uint64_t halves[2];
    uint8_t *bytes;
    struct slice text = slice_of_string(epoch);
    if (text.size == 0)
        return sql_blob(text);
    if (text.size != FEED_EPOCH_SIZE - 1 || !device_parse(slice_of(text.data, 16), &halves[0]) ||
        !device_parse(slice_of(text.data + 16, 16), &halves[1]) ||
        !(bytes = arena_alloc(arena, 16)))
        return sql_text(text);
    for (size_t i = 0; i < 16; i++)
        bytes[i] = (uint8_t)(halves[i / 8] >> 8 * (7 - i % 8));
    return sql_blob(slice_of(bytes, 16));
}

static void add_exchange(struct program *p, const struct exchange *x) {
    const struct feed_request *request = x->request;
    struct sql_value values[] = {sql_blob(slice_of(x->id, sizeof x->id)),
                                 sql_integer((int64_t)request->peer),
                                 epoch_value(p->arena, request->epoch),
                                 sql_integer((int64_t)request->tag),
                                 sql_integer((int64_t)request->next_tag),
                                 sql_integer((int64_t)request->fence),
                                 sql_integer((int64_t)request->cursor),
                                 text_value(x->name),
                                 sql_integer((int64_t)x->plain),
                                 sql_integer((int64_t)feed_plain_clock(x->mutations, x->plain))};
    size_t count = COUNT_OF(values) - (x->plain ? 0 : 2);
    program_add(p, "BEGIN IMMEDIATE", NULL, 0);
    program_then(p,
                 x->plain ? "INSERT INTO mneme_exchange VALUES(?,?,?,?,?,?,?,?,?,?)"
                          : "INSERT INTO mneme_exchange VALUES(?,?,?,?,?,?,?,?,0,0)",
                 program_values(p, values, count), count);
}

static struct plan add_end(struct program *p, const struct exchange *x) {
    struct sql_value id = sql_blob(slice_of(x->id, sizeof x->id));
    struct plan plan;
    program_then(p, "INSERT INTO mneme_end VALUES(0)", NULL, 0);
    plan.commit = program_then(p, "COMMIT", NULL, 0);
    program_guarded(p, "ROLLBACK", NULL, 0, SQL_IF_NOT_DONE, plan.commit);
    plan.page = feed_add_page(p, x->feed, x->request, x->id);
    /* An exchange that went in was one with this epoch, where the peer knew it. */
    plan.numbers =
        program_add(p,
                    x->request->epoch[0] ? "SELECT iif(a,0,e)e,c,f,t,b,a,o FROM mneme_now LEFT"
                                           " JOIN mneme_told ON id=?"
                                         : "SELECT e,c,f,t,b,a,o FROM mneme_now LEFT"
                                           " JOIN mneme_told ON id=?",
                    program_values(p, &id, 1), 1);
    return plan;
}

/* ---- The answer ------------------------------------------------------------------------------ */

static uint64_t number_of(const struct sql_value *value) {
    return value->type == SQL_INTEGER && value->integer > 0 ? (uint64_t)value->integer : 0;
}

/* Epoch, head, floor and clock: the first four columns of one row of `columns`. An epoch of 0 is
 * `known`. */
static int numbers_read(const struct sql_results *results, size_t step, size_t columns,
                        const char *known, struct feed_answer *answer, mneme_error *error) {
    const struct sql_step_result *row = &results->steps[step];
    TRY(step_check(results, step, "the remote did not say how it stands", error));
    const struct sql_value *v = row->values;
    bool has_row = row->rows == 1 && row->columns == columns;
    struct slice epoch =
        has_row && v[0].type == SQL_INTEGER ? slice_of_string(known) : slice_of(NULL, 0);
    if (has_row && v[0].type == SQL_TEXT)
        epoch = v[0].bytes;
    if (epoch.size >= FEED_EPOCH_SIZE || epoch.size == 0)
        return error_set(error, MNEME_CORRUPT,
                         "the table mneme_store has not one row, or no epoch; restore the store "
                         "from a backup");
    memcpy(answer->epoch, epoch.data, epoch.size);
    answer->epoch[epoch.size] = 0;
    answer->head = number_of(&v[1]);
    answer->floor = number_of(&v[2]);
    answer->time_us = v[3].type == SQL_INTEGER ? v[3].integer : 0;
    return 0;
}

/* A letter for each push, or one for all plain ones: see schema.c, 7. */
static int tell(struct exchange *x, uint64_t before, struct slice told, mneme_error *error) {
    size_t all = told.size && told.data[0] == 'a' ? x->plain : 0, rest = all ? all - 1 : 0;
    if (told.size + rest != x->count)
        return error_set(error, MNEME_CORRUPT, "of %zu pushes the remote tells what became of %zu",
                         x->count, told.size + rest);
    for (size_t i = 0; i < x->count; i++) {
        char fate = i < all ? 'n' : (char)told.data[i - rest];
        before += i < x->plain || fate == 'n';
        x->pushes[i]->fate = fate == '-' ? FEED_STALE : FEED_TAKEN;
        x->pushes[i]->change = fate == 'n' ? before : 0;
    }
    return 0;
}

/* The transaction went in. */
static int take_answer(struct exchange *x, const struct sql_results *results,
                       const struct plan *plan, mneme_error *error) {
    const struct sql_value *v = results->steps[plan->numbers].values;
    struct slice told = v[6].type == SQL_TEXT ? v[6].bytes : slice_of(NULL, 0);
    uint64_t before = number_of(&v[4]), upto = number_of(&v[5]);
    TRY(tell(x, before, told, error));
    TRY(feed_take_page(x->feed, x->request, results, plan->page, upto, x->answer, error));
    /* Where nothing was to be pulled, and nothing is but what was pushed. */
    if (plan->page.step == SIZE_MAX && feed_from(x->request) >= before && upto > x->answer->cursor)
        x->answer->cursor = upto;
    x->answer->more = x->answer->more && x->answer->head > x->answer->cursor;
    return 0;
}

static bool verdict_of(const struct sql_step_result *step, enum feed_verdict *out) {
    static const struct {
        const char *mark;
        enum feed_verdict verdict;
    } verdicts[] = {{"mneme:epoch", FEED_OTHER_EPOCH},
                    {"mneme:unknown", FEED_UNKNOWN},
                    {"mneme:tag", FEED_OTHER_TAG},
                    {"mneme:fence", FEED_FENCED}};
    for (size_t i = 0; step->outcome == SQL_FAILED && i < COUNT_OF(verdicts); i++)
        if (step->message && strstr(step->message, verdicts[i].mark)) {
            *out = verdicts[i].verdict;
            return true;
        }
    return false;
}

/* ---- One try --------------------------------------------------------------------------------- */

/* The transaction did not go in. *refused: on account of the pushes. */
static int take_failure(struct exchange *x, const struct sql_results *results,
                        const struct plan *plan, bool *refused, mneme_error *error) {
    if (verdict_of(&results->steps[STEP_EXCHANGE], &x->answer->verdict)) {
        x->answer->cursor = feed_from(x->request);
        return 0;
    }
    for (size_t i = 0; i <= plan->commit; i++) {
        const struct sql_step_result *step = &results->steps[i];
        if (step->outcome != SQL_FAILED)
            continue;
        *refused = i > STEP_EXCHANGE && i < plan->commit - 1 && feed_is_refusal(step->status);
        return step_check(results, i, "the exchange was not made", error);
    }
    return error_set(error, MNEME_CORRUPT, "the remote took an exchange, and has no trace of it");
}

static int try_once(struct exchange *x, bool *refused, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    struct sql *s = x->feed->sql;
    struct program p = {.arena = &x->arena, .ends = true};
    struct apply_rows rows;
    struct batch batch = {.mutations = x->mutations, .count = x->count}, *batches = &batch;
    *refused = false;
    TRY(random_bytes(x->id, sizeof x->id, error));
    x->plain = feed_plain_count(x->mutations, x->count);
    feed_pack(&x->arena, x->mutations, x->pushes, x->plain);
    if (apply_rows_make(&x->arena, &batches, 1, true, &rows))
        return no_memory(error);
    add_exchange(&p, x);
    feed_add_plain(&p, s, &rows, x->plain);
    program_apply(&p, s, &rows, x->plain, rows.count);
    struct plan plan = add_end(&p, x);
    TRY(settle(s, error));
    int status = program_run(&p, s->driver, true, &results, error);
    if (status == MNEME_UNCERTAIN)
        settle_later(s, x->id);
    *refused = status && x->count && feed_is_refusal(status);
    TRY(status);
    status = numbers_read(&results, plan.numbers, 7, x->request->epoch, x->answer, error);
    if (status)
        return results.steps[plan.commit].outcome == SQL_DONE
                   ? error_prefix(error, MNEME_UNCERTAIN, "the exchange was made")
                   : status;
    if (results.steps[plan.numbers].values[5].type == SQL_INTEGER)
        return take_answer(x, &results, &plan, error);
    return take_failure(x, &results, &plan, refused, error);
}

/* Set those aside that the server refuses. *found: how many there are. */
static int set_aside(struct exchange *x, size_t *found, mneme_error *error) {
    mneme_error *errors = arena_zalloc(&x->arena, x->count, sizeof *errors);
    size_t left = 0;
    if (!errors)
        return no_memory(error);
    TRY(feed_find_refused(x->feed, x->mutations, x->count, errors, error));
    for (size_t i = 0; i < x->count; i++) {
        if (errors[i].code) {
            refuse(x->pushes[i], &errors[i]);
            continue;
        }
        x->mutations[left] = x->mutations[i];
        x->pushes[left++] = x->pushes[i];
    }
    *found = x->count - left;
    x->count = left;
    return 0;
}

static int exchange_writing(struct exchange *x, mneme_error *error) {
    for (;;) { /* each round there are fewer pushes */
        mneme_error text = {0};
        size_t found = 0;
        bool refused;
        int status = try_once(x, &refused, &text);
        if (status && refused)
            TRY(set_aside(x, &found, error));
        if (found)
            continue;
        if (status && error)
            *error = text;
        return status;
    }
}

/* ---- Looking --------------------------------------------------------------------------------- */

static enum feed_verdict judge(const struct exchange *x, const struct sql_value *v) {
    const struct feed_request *request = x->request;
    bool met = request->epoch[0] != 0, known = v[4].type == SQL_TEXT;
    if (met && strcmp(request->epoch, x->answer->epoch) != 0)
        return FEED_OTHER_EPOCH;
    if (!known)
        return met ? FEED_UNKNOWN : FEED_OK;
    if (!slice_equal(v[4].bytes, slice_of_string(x->tag.text)) &&
        !slice_equal(v[4].bytes, slice_of_string(x->next_tag.text)))
        return FEED_OTHER_TAG;
    return number_of(&v[5]) > request->fence ? FEED_FENCED : FEED_OK;
}

static int exchange_looking(struct exchange *x, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    struct sql *s = x->feed->sql;
    struct program p = {.arena = &x->arena};
    struct sql_value peer = text_value(x->peer.text);
    program_add(&p, "SELECT e,c,f,t,tag,fence FROM mneme_now LEFT JOIN mneme_peer ON peer=?", &peer,
                1);
    TRY(settle(s, error));
    TRY(program_run(&p, s->driver, false, &results, error));
    TRY(numbers_read(&results, 0, 6, "", x->answer, error));
    x->answer->verdict = judge(x, results.steps[0].values);
    x->answer->cursor = feed_from(x->request);
    x->answer->more = x->answer->verdict == FEED_OK && x->answer->head > x->answer->cursor;
    return 0;
}

/* ---- Both ------------------------------------------------------------------------------------ */

static struct net_counters wire_of(struct sql *s) {
    struct sql_counters counters = {0};
    s->driver->operations->counters(s->driver, &counters);
    return counters.net;
}

static int request_validate(const struct feed_request *request, mneme_error *error) {
    if (feed_from(request) > INT64_MAX || request->fence > INT64_MAX)
        return error_set(error, MNEME_INVALID, "a cursor or fence number is out of range");
    for (size_t i = 0; i < request->push_count; i++)
        if (request->pushes[i].op > FEED_PURGE || !request->pushes[i].record)
            return error_set(error, MNEME_INVALID, "push %zu is none", i);
    return 0;
}

int sql_feed_exchange(struct feed *feed, struct feed_request *request, struct feed_answer *answer,
                      mneme_error *error) {
    struct sql_feed *f = sql_feed_of(feed);
    struct exchange x = {.feed = f,
                         .request = request,
                         .answer = answer,
                         .peer = device_format(request->peer),
                         .tag = device_format(request->tag),
                         .next_tag = device_format(request->next_tag)};
    TRY(request_validate(request, error));
    if (utf8_valid(slice_of_string(request->name)))
        memcpy(x.name, request->name, sizeof x.name);
    struct net_counters before = wire_of(f->sql);
    int status = 0;
    if (request->quiet) {
        status = exchange_looking(&x, error);
    } else if (f->sql->read_only) {
        status = error_set(error, MNEME_PERMISSION, "the store was opened for reading only");
    } else {
        status = take_pushes(&x, error);
        if (!status)
            status = exchange_writing(&x, error);
    }
    arena_fini(&x.arena);
    struct net_counters after = wire_of(f->sql);
    answer->bytes_up = after.bytes_up - before.bytes_up;
    answer->bytes_down = after.bytes_down - before.bytes_down;
    return status;
}
