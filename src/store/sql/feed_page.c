/*
 * feed_page.c - the page of records that an exchange brings back.
 */
#include "store/sql/feed_impl.h"

struct feed_page feed_add_page(struct program *p, const struct sql_feed *f,
                               const struct feed_request *request, const uint8_t *id) {
    size_t wanted = size_min(request->pull_max, f->page_max);
    struct feed_page page = {.step = SIZE_MAX, .limit = read_page(f->sql, wanted, false)};
    if (wanted == 0)
        return page;
    struct sql_value values[] = {sql_integer((int64_t)feed_from(request)),
                                 sql_blob(slice_of(id, SQL_TRANSACTION_ID)),
                                 sql_integer((int64_t)page.limit)};
    page.step = program_add(p,
                            "SELECT*FROM mneme_feed WHERE change>? AND change<=(SELECT before FROM"
                            " mneme_transaction WHERE id=?)ORDER BY change LIMIT ?",
                            program_values(p, values, COUNT_OF(values)), COUNT_OF(values));
    return page;
}

static int row_add(struct sql *s, const struct sql_value *packed, struct record_set *out,
                   mneme_error *error) {
    struct feed_row row;
    TRY(feed_row_unpack(packed, &row, error));
    return row_take(s, row.values, false, out, error);
}

/* What is there after a failure are the records before the one that failed. */
static int rows_take(struct sql *s, const struct sql_step_result *rows, struct record_set *out,
                     mneme_error *error) {
    if (rows->rows && rows->columns != FEED_COLUMNS)
        return error_set(error, MNEME_CORRUPT, "%d columns were asked for, and %zu came",
                         FEED_COLUMNS, rows->columns);
    for (size_t i = 0; i < rows->rows; i++) {
        int status = row_add(s, rows->values + i * FEED_COLUMNS, out, error);
        if (status) {
            out->count = i;
            return status;
        }
    }
    read_note_sizes(s, out->records, out->count);
    return 0;
}

/* *complete: these are all there were. */
static int read_records(struct sql_feed *f, const struct sql_step_result *rows,
                        struct feed_page page, struct record_set *out, bool *complete,
                        mneme_error *error) {
    *complete = false;
    if (rows->outcome == SQL_FAILED && rows->status == MNEME_TOO_LARGE && page.limit > 1) {
        f->page_max = page.limit / 2;
        return 0;
    }
    if (rows->outcome != SQL_DONE)
        return error_set(error, rows->status ? rows->status : MNEME_CORRUPT,
                         "what is new could not be read: %s",
                         rows->message ? rows->message : "the step was skipped");
    int status = rows_take(f->sql, rows, out, error);
    if (status)
        return out->count || status == MNEME_LOCKED ? 0 : status;
    f->page_max = size_min(f->page_max * 2, FEED_PULL_MAX);
    *complete = rows->rows < page.limit;
    return 0;
}

int feed_take_page(struct sql_feed *f, const struct feed_request *request,
                   const struct sql_results *results, struct feed_page page, uint64_t upto,
                   struct feed_answer *answer, mneme_error *error) {
    struct record_set *set = &answer->records;
    bool complete = false;
    answer->cursor = feed_from(request);
    if (page.step != SIZE_MAX) {
        int status = read_records(f, &results->steps[page.step], page, set, &complete, error);
        if (status && request->push_count == 0)
            return status;
    }
    if (set->count)
        answer->cursor = set->records[set->count - 1].change;
    if (answer->head < answer->cursor)
        answer->head = answer->cursor;
    if (complete && answer->cursor < upto)
        answer->cursor = upto;
    answer->more = answer->head > answer->cursor || (!complete && page.step != SIZE_MAX);
    return 0;
}
