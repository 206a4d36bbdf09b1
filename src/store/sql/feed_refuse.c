/*
 * feed_refuse.c - which pushes a server refuses: by trying them, in halves.
 */
#include "store/sql/feed_impl.h"

bool feed_is_refusal(int status) {
    return status == MNEME_TOO_LARGE || status == MNEME_FAILURE || status == MNEME_CONFLICT ||
           status == MNEME_INVALID;
}

/* *why is set when these mutations together are refused. */
static int try_some(struct sql_feed *f, struct mutation *mutations, size_t count, mneme_error *why,
                    mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_RESULTS struct sql_results results = {0};
    struct program p = {.arena = &arena};
    struct batch batch = {.mutations = mutations, .count = count}, *batches = &batch;
    struct apply_rows rows;
    mneme_error text = {0};
    *why = (mneme_error){0};
    if (apply_rows_make(&arena, &batches, 1, true, &rows))
        return error_set(error, MNEME_NO_MEMORY, "no memory for an exchange");
    size_t begin = program_add(&p, "BEGIN IMMEDIATE", NULL, 0);
    program_apply(&p, f->sql, &rows, 0, rows.count);
    size_t end = program_guarded(&p, "ROLLBACK", NULL, 0, SQL_IF_DONE, begin);
    int status = program_run(&p, f->sql->driver, true, &results, &text);
    for (size_t i = 0; !status && i < end; i++)
        if (results.steps[i].outcome == SQL_FAILED)
            status = step_check(&results, i, "the remote refuses the record", &text);
    if (status && feed_is_refusal(status))
        *why = text;
    else if (status && error)
        *error = text;
    /* Nothing was to go in, so nothing is uncertain. */
    if (status == MNEME_UNCERTAIN)
        return error_set(error, MNEME_UNAVAILABLE, "%s", text.message);
    return why->code ? 0 : status;
}

int feed_find_refused(struct sql_feed *f, struct mutation *mutations, size_t count,
                      mneme_error *errors, mneme_error *error) {
    struct {
        size_t from, count;
    } ranges[64]; /* a half of each half, and so on */
    size_t depth = 0;
    ranges[depth].from = 0;
    ranges[depth++].count = count;
    while (depth > 0) {
        size_t from = ranges[--depth].from, some = ranges[depth].count;
        mneme_error why;
        if (some == 0)
            continue;
        TRY(try_some(f, mutations + from, some, &why, error));
        if (!why.code)
            continue;
        if (some == 1) {
            errors[from] = why;
            continue;
        }
        ranges[depth].from = from + some / 2;
        ranges[depth++].count = some - some / 2;
        ranges[depth].from = from;
        ranges[depth++].count = some / 2;
    }
    return 0;
}
