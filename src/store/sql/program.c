/*
 * program.c - putting programs together, step by step.
 */
#include "store/sql/sql_impl.h"

size_t program_guarded(struct program *p, const char *sql, const struct sql_value *args,
                       size_t count, enum sql_guard guard, size_t guard_step) {
    if (p->count == p->capacity && !p->failed) {
        size_t capacity = p->capacity ? p->capacity * 2 : 16;
        struct sql_step *grown = arena_zalloc(p->arena, capacity, sizeof *grown);
        p->failed = !grown;
        if (grown && p->count)
            memcpy(grown, p->steps, p->count * sizeof *grown);
        p->steps = grown ? grown : p->steps;
        p->capacity = grown ? capacity : p->capacity;
    }
    p->failed = p->failed || !sql || (count && !args);
    if (p->failed)
        return 0;
    p->steps[p->count] = (struct sql_step){.sql = slice_of_string(sql),
                                           .args = args,
                                           .arg_count = count,
                                           .guard = guard,
                                           .guard_step = guard_step};
    return p->count++;
}

size_t program_add(struct program *p, const char *sql, const struct sql_value *args, size_t count) {
    return program_guarded(p, sql, args, count, SQL_ALWAYS, 0);
}

size_t program_then(struct program *p, const char *sql, const struct sql_value *args,
                    size_t count) {
    return program_guarded(p, sql, args, count, SQL_IF_DONE, p->count ? p->count - 1 : 0);
}

struct sql_value *program_values(struct program *p, const struct sql_value *values, size_t count) {
    struct sql_value *copy = arena_zalloc(p->arena, count, sizeof *copy);
    if (copy)
        memcpy(copy, values, count * sizeof *copy);
    p->failed = p->failed || !copy;
    return copy;
}

int program_run(struct program *p, struct sql_driver *driver, bool writes,
                struct sql_results *results, mneme_error *error) {
    struct sql_program program = {
        .steps = p->steps, .count = p->count, .writes = writes, .ends = p->ends};
    if (p->failed)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a program of SQL");
    TRY(sql_run(driver, &program, results, error));
    if (results->count != p->count)
        return error_set(error, MNEME_CORRUPT, "%zu steps were sent, and %zu came back", p->count,
                         results->count);
    return 0;
}

int store_run(struct sql *s, struct program *p, bool writes, struct sql_results *results,
              mneme_error *error) {
    TRY(settle(s, error));
    int status = program_run(p, s->driver, writes, results, error);
    if (status != MNEME_NOT_FOUND)
        return status;
    if (error)
        error->code = MNEME_UNAVAILABLE;
    return MNEME_UNAVAILABLE;
}

int step_check(const struct sql_results *results, size_t step, const char *what,
               mneme_error *error) {
    const struct sql_step_result *result = &results->steps[step];
    if (result->outcome == SQL_DONE)
        return 0;
    if (result->outcome == SQL_SKIPPED)
        return error_set(error, MNEME_CORRUPT, "%s: the step was skipped, and should not have been",
                         what);
    return error_set(error, result->status ? result->status : MNEME_FAILURE, "%s: %s", what,
                     result->message ? result->message : "no reason was given");
}
