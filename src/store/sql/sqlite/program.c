/*
 * program.c - running the steps of a program on a connection.
 */
#include <stdio.h>

#include "store/sql/sqlite/sqlite_impl.h"

enum {
    RUN_AGAIN = 1,          /* no mneme_status: somebody was in the way, start over */
    VALUES_KEPT = 256 << 10 /* bytes of room for a result's values that a connection keeps */
};

struct run {
    struct sqlite_connection *c;
    const struct sql_program *program;
    int64_t now_us; /* when it began, or began over */
    bool settled;   /* its transaction has ended: failures are no longer the run's */
    struct sql_results *results;
    mneme_error *error;
};

/* ---- Values --------------------------------------------------------------------------------- */

/* A NULL pointer would bind NULL, not an empty text or blob. */
static const void *not_null(struct slice s) { return s.data ? (const void *)s.data : ""; }

static int bind_value(sqlite3_stmt *handle, int at, const struct sql_value *value) {
    switch (value->type) {
    case SQL_NULL:
        return sqlite3_bind_null(handle, at);
    case SQL_INTEGER:
        return sqlite3_bind_int64(handle, at, value->integer);
    case SQL_REAL:
        return sqlite3_bind_double(handle, at, value->real);
    case SQL_TEXT:
        return sqlite3_bind_text64(handle, at, not_null(value->bytes), value->bytes.size,
                                   SQLITE_STATIC, SQLITE_UTF8);
    case SQL_BLOB:
        return sqlite3_bind_blob64(handle, at, not_null(value->bytes), value->bytes.size,
                                   SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

static int bind_all(sqlite3_stmt *handle, const struct sql_step *step, const char **why) {
    if ((size_t)sqlite3_bind_parameter_count(handle) != step->arg_count) {
        *why = "the statement has not as many parameters as it was given values";
        return SQLITE_RANGE;
    }
    for (size_t i = 0; i < step->arg_count; i++) {
        int rc = bind_value(handle, (int)i + 1, &step->args[i]);
        if (rc)
            return rc;
    }
    return SQLITE_OK;
}

static int copy_bytes(struct arena *arena, const void *data, int size, struct slice *out) {
    if (size == 0)
        return SQLITE_OK; /* of an empty blob SQLite gives no address */
    if (!data || arena_copy(arena, slice_of(data, (size_t)size), out))
        return SQLITE_NOMEM;
    return SQLITE_OK;
}

static int copy_text(struct arena *arena, sqlite3_stmt *handle, int at, struct slice *out,
                     const char **why) {
    const void *text = sqlite3_column_text(handle, at); /* first: it may convert from UTF-16 */
    int rc = copy_bytes(arena, text, sqlite3_column_bytes(handle, at), out);
    if (rc == SQLITE_OK && !utf8_valid(*out)) { /* SQLite stores any bytes as text */
        *why = "a text in it is not valid UTF-8";
        return SQLITE_CORRUPT;
    }
    return rc;
}

static int copy_value(struct arena *arena, sqlite3_stmt *handle, int at, struct sql_value *out,
                      const char **why) {
    *out = (struct sql_value){.type = SQL_NULL};
    switch (sqlite3_column_type(handle, at)) {
    case SQLITE_INTEGER:
        *out = sql_integer(sqlite3_column_int64(handle, at));
        return SQLITE_OK;
    case SQLITE_FLOAT:
        out->type = SQL_REAL;
        out->real = sqlite3_column_double(handle, at);
        return SQLITE_OK;
    case SQLITE_TEXT:
        out->type = SQL_TEXT;
        return copy_text(arena, handle, at, &out->bytes, why);
    case SQLITE_BLOB: {
        out->type = SQL_BLOB;
        const void *data = sqlite3_column_blob(handle, at);
        return copy_bytes(arena, data, sqlite3_column_bytes(handle, at), &out->bytes);
    }
    default:
        return SQLITE_OK;
    }
}

static int copy_row(struct run *run, sqlite3_stmt *handle, int columns, const char **why) {
    struct buf *values = &run->c->values;
    for (int i = 0; i < columns; i++) {
        struct sql_value value;
        int rc = copy_value(&run->results->arena, handle, i, &value, why);
        if (rc)
            return rc;
        buf_append(values, &value, sizeof value);
    }
    return values->status ? SQLITE_NOMEM : SQLITE_OK;
}

/* ---- One step ------------------------------------------------------------------------------- */

/* Step to the end and copy the rows; an SQLite code. */
static int fetch(struct run *run, sqlite3_stmt *handle, struct sql_step_result *result,
                 const char **why) {
    struct slice values;
    size_t rows = 0;
    int rc;
    buf_reset(&run->c->values);
    while ((rc = sqlite3_step(handle)) == SQLITE_ROW) {
        /* Asked for now, since SQLite may have prepared it again, for a table with more columns. */
        rc = copy_row(run, handle, sqlite3_column_count(handle), why);
        if (rc)
            return rc;
        rows++;
    }
    if (rc != SQLITE_DONE)
        return rc;
    if (arena_copy(&run->results->arena, buf_slice(&run->c->values), &values))
        return SQLITE_NOMEM;
    result->columns = (size_t)sqlite3_column_count(handle);
    result->rows = rows;
    result->values = (const struct sql_value *)(const void *)values.data;
    return SQLITE_OK;
}

/* What a failed step means: for itself (0), or for the run. */
static int step_failed(struct run *run, struct sql_step_result *result, int rc, const char *why) {
    struct sqlite_connection *c = run->c;
    struct slice copy;
    bool again = sqlite_code_again(rc), fatal = sqlite_code_fatal(rc);
    if (!why && rc == SQLITE_NOMEM && sqlite3_errcode(c->db) != SQLITE_NOMEM)
        why = "no memory for the result";
    /* After a full disk it is of use as it was, and opening another one would need room. */
    c->broken = c->broken || (fatal && (rc & 0xff) != SQLITE_FULL);
    if ((again || fatal) && !run->settled) {
        int status =
            sqlite_fail(run->error, c->db, rc, why, "cannot use the store", c->driver->path);
        return again ? RUN_AGAIN : status;
    }
    const char *text = why ? why : sqlite3_errmsg(c->db);
    result->outcome = SQL_FAILED;
    result->status = sqlite_status(c->db, rc);
    result->message = arena_copy(&run->results->arena, slice_of(text, strlen(text) + 1), &copy)
                          ? mneme_status_text(result->status)
                          : (const char *)copy.data;
    return 0;
}

static bool is_wanted(const struct run *run, const struct sql_step *step) {
    if (step->guard == SQL_ALWAYS)
        return true;
    bool done = run->results->steps[step->guard_step].outcome == SQL_DONE;
    return done == (step->guard == SQL_IF_DONE);
}

/* Prepare, bind and fetch; an SQLite code. */
static int perform(struct run *run, const struct sql_step *step, struct sql_step_result *result,
                   struct sqlite_statement **statement, const char **why) {
    int rc = sqlite_statements_get(run->c, step->sql, run->now_us, statement, why);
    if (rc == SQLITE_OK)
        rc = bind_all((*statement)->handle, step, why);
    if (rc == SQLITE_OK)
        rc = fetch(run, (*statement)->handle, result, why);
    return rc;
}

/* A commit that could not be synced is in the log all the same, and a recovery after a crash may
 * take it. */
static int commit_failed(struct run *run, const struct sql_step *step, int status) {
    if (status != MNEME_IO || !slice_equal(step->sql, slice_of_string("COMMIT")))
        return status;
    size_t used = strlen(run->error->message);
    snprintf(run->error->message + used, sizeof run->error->message - used,
             "; the write may or may not be there after a restart: read it before you write it "
             "again");
    run->error->code = MNEME_UNCERTAIN;
    return MNEME_UNCERTAIN;
}

static int run_step(struct run *run, size_t i) {
    const struct sql_step *step = &run->program->steps[i];
    struct sql_step_result *result = &run->results->steps[i];
    struct sqlite_statement *statement = NULL;
    const char *why = NULL;
    if (!is_wanted(run, step))
        return 0;
    bool open = !sqlite3_get_autocommit(run->c->db);
    int rc = perform(run, step, result, &statement, &why);
    result->outcome = SQL_DONE;
    int status = rc ? step_failed(run, result, rc, why) : 0; /* before the reset, for its text */
    status = commit_failed(run, step, status);
    if (rc == SQLITE_OK && open && sqlite3_get_autocommit(run->c->db))
        run->settled = true;
    if (statement) {
        sqlite3_reset(statement->handle);
        sqlite3_clear_bindings(statement->handle); /* they are the caller's memory */
        sqlite_statements_used(run->c, statement, rc, run->now_us);
    }
    return status;
}

/* ---- The program ---------------------------------------------------------------------------- */

static int run_own(struct run *run, sqlite3_stmt *handle) {
    sqlite3_step(handle);
    int rc = sqlite3_reset(handle);
    struct sql_step_result ignored = {0};
    if (rc == SQLITE_OK)
        return 0;
    int status = step_failed(run, &ignored, rc, NULL);
    return status ? status
                  : sqlite_fail(run->error, run->c->db, rc, NULL, "cannot use the store",
                                run->c->driver->path);
}

static int run_steps(struct run *run) {
    /* What only reads sees one moment, so it is one transaction. */
    bool own = !run->program->writes && run->program->count > 1;
    int status = own ? run_own(run, run->c->begin) : 0;
    for (size_t i = 0; i < run->program->count && status == 0; i++)
        status = run_step(run, i);
    if (own && status == 0 && !sqlite3_get_autocommit(run->c->db))
        status = run_own(run, run->c->commit);
    return status;
}

/* Leave nothing open, whatever happened. */
static void clean_up(struct sqlite_connection *c) {
    if (!sqlite3_get_autocommit(c->db)) {
        sqlite3_step(c->rollback);
        sqlite3_reset(c->rollback);
        c->broken = c->broken || !sqlite3_get_autocommit(c->db);
    }
    if (c->values.capacity > VALUES_KEPT)
        buf_fini(&c->values);
}

static int run_once(struct run *run) {
    struct sql_results *results = run->results;
    sql_results_fini(results);
    run->settled = false;
    results->steps = arena_zalloc(&results->arena, run->program->count, sizeof *results->steps);
    if (!results->steps)
        return error_set(run->error, MNEME_NO_MEMORY, "no memory for the result");
    results->count = run->program->count;
    int status = run_steps(run);
    clean_up(run->c);
    return status;
}

int sqlite_program_run(struct sqlite_connection *c, const struct sql_program *program,
                       int64_t now_us, struct sql_results *results, mneme_error *error) {
    mneme_error unused;
    struct run run = {.c = c,
                      .program = program,
                      .now_us = now_us,
                      .results = results,
                      .error = error ? error : &unused};
    int status = run_once(&run);
    for (int i = 0; status == RUN_AGAIN && sqlite_connection_pause(c, i); i++) {
        c->tally.repeats++;
        status = run_once(&run);
    }
    c->used_us += clock_monotonic_us() - now_us;
    return status == RUN_AGAIN ? MNEME_LOCKED : status;
}
