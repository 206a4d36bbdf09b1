/*
 * sql_shim.c - see sql_shim.h.
 */
#include "support/sql_shim.h"

static struct sql_shim *shim_of(struct sql_driver *driver) {
    return (struct sql_shim *)(void *)driver;
}

static bool asks_for_size(const struct sql_program *program) {
    for (size_t i = 0; i < program->count; i++)
        if (memmem(program->steps[i].sql.data, program->steps[i].sql.size, "pragma_page_size", 16))
            return true;
    return false;
}

static int hold(struct sql_shim *shim, const struct sql_program *program) {
    struct sql_step *steps = arena_zalloc(&shim->late, program->count, sizeof *steps);
    shim->held = (struct sql_program){.steps = steps, .count = program->count, .writes = true};
    for (size_t i = 0; steps && i < program->count; i++) {
        const struct sql_step *from = &program->steps[i];
        struct sql_value *args = arena_zalloc(&shim->late, from->arg_count, sizeof *args);
        steps[i] = *from;
        steps[i].args = args;
        if (!args || arena_copy(&shim->late, from->sql, &steps[i].sql))
            return MNEME_NO_MEMORY;
        for (size_t j = 0; j < from->arg_count; j++) {
            args[j] = from->args[j];
            TRY(arena_copy(&shim->late, from->args[j].bytes, &args[j].bytes));
        }
    }
    return steps ? 0 : MNEME_NO_MEMORY;
}

int shim_deliver(struct sql_shim *shim, struct sql_results *results, mneme_error *error) {
    return sql_run(shim->below, &shim->held, results, error);
}

static int run_write(struct sql_shim *shim, const struct sql_program *program,
                     struct sql_results *results, mneme_error *error) {
    shim->writes++;
    if (shim->fails_after && shim->writes > shim->fails_after && hold(shim, program) == 0)
        return error_set(error, MNEME_UNCERTAIN, "the answer was lost");
    if (shim->loses_answers) {
        AUTO_RESULTS struct sql_results lost = {0};
        TRY(sql_run(shim->below, program, &lost, error));
    }
    return sql_run(shim->below, program, results, error);
}

static int run_read(struct sql_shim *shim, const struct sql_program *program,
                    struct sql_results *results, mneme_error *error) {
    AUTO_RESULTS struct sql_results answer = {0};
    size_t rows = 0;
    shim->reads++;
    TRY(sql_run(shim->below, program, &answer, error));
    for (size_t i = 0; i < answer.count; i++)
        rows += answer.steps[i].rows;
    if (shim->rows_max && rows > shim->rows_max) {
        shim->refusals++;
        return error_set(error, MNEME_TOO_LARGE, "the answer is too large");
    }
    if (shim->refuses_sizes && asks_for_size(program))
        answer.steps[answer.count - 1] = (struct sql_step_result){
            .outcome = SQL_FAILED, .status = MNEME_FAILURE, .message = "not authorized"};
    *results = answer;
    answer = (struct sql_results){0};
    return 0;
}

static int run(struct sql_driver *driver, const struct sql_program *program,
               struct sql_results *results, mneme_error *error) {
    struct sql_shim *shim = shim_of(driver);
    return program->writes ? run_write(shim, program, results, error)
                           : run_read(shim, program, results, error);
}

static int backup(struct sql_driver *driver, const char *path, mneme_error *error) {
    struct sql_driver *below = shim_of(driver)->below;
    return below->operations->backup(below, path, error);
}

static void counters(struct sql_driver *driver, struct sql_counters *out) {
    struct sql_driver *below = shim_of(driver)->below;
    below->operations->counters(below, out);
}

static void destroy(struct sql_driver *driver) {
    struct sql_driver *below = shim_of(driver)->below;
    if (below)
        below->operations->close(below);
    arena_fini(&shim_of(driver)->late);
    mem_free(driver);
}

static const struct sql_driver_operations operations = {.name = "shim",
                                                        .rows_max = 64,
                                                        .run = run,
                                                        .backup = backup,
                                                        .counters = counters,
                                                        .close = destroy};

int shim_open(const char *path, const struct sql_options *options, struct sql_shim **shim,
              struct store **out, mneme_error *error) {
    struct sql_shim *made = mem_zalloc(1, sizeof *made);
    if (!made)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a shim");
    made->base.operations = &operations;
    int status = sqlite_driver_open(path, NULL, &made->below, error);
    if (!status)
        status = sql_store_open(&made->base, options, out, error);
    if (status) {
        destroy(&made->base);
        return status;
    }
    made->reads = made->writes = 0; /* what opening took */
    *shim = made;
    return 0;
}

int shim_execute(struct sql_shim *shim, const char *sql, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    struct sql_step steps[] = {
        {.sql = slice_of_string("BEGIN IMMEDIATE")},
        {.sql = slice_of_string(sql), .guard = SQL_IF_DONE, .guard_step = 0},
        {.sql = slice_of_string("COMMIT"), .guard = SQL_IF_DONE, .guard_step = 1}};
    struct sql_program program = {.steps = steps, .count = COUNT_OF(steps), .writes = true};
    TRY(sql_run(shim->below, &program, &results, error));
    if (results.steps[1].outcome != SQL_DONE)
        return error_set(error, results.steps[1].status, "%s", results.steps[1].message);
    return results.steps[2].outcome == SQL_DONE ? 0 : MNEME_FAILURE;
}

int64_t shim_number(struct sql_shim *shim, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    struct sql_step step = {.sql = slice_of_string(sql)};
    struct sql_program program = {.steps = &step, .count = 1};
    if (sql_run(shim->below, &program, &results, NULL) || results.steps[0].rows != 1 ||
        results.steps[0].columns != 1 || results.steps[0].values[0].type != SQL_INTEGER)
        return INT64_MIN;
    return results.steps[0].values[0].integer;
}
