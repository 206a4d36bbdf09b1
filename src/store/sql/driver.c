/*
 * driver.c - what the drivers of driver.h share.
 */
#include "store/sql/driver.h"

void sql_results_fini(struct sql_results *results) {
    arena_fini(&results->arena);
    buf_fini(&results->body);
    *results = (struct sql_results){0};
}

/* A program is made by the store above, so what is wrong with it is a bug of ours. */
static void program_check(const struct sql_program *program) {
    for (size_t i = 0; i < program->count; i++) {
        ASSERT(program->steps[i].guard == SQL_ALWAYS || program->steps[i].guard_step < i);
        ASSERT(program->steps[i].sql.size > 0);
    }
}

int sql_run(struct sql_driver *driver, const struct sql_program *program,
            struct sql_results *results, mneme_error *error) {
    program_check(program);
    sql_results_fini(results);
    int status = driver->operations->run(driver, program, results, error);
    if (status)
        sql_results_fini(results);
    return status;
}
