/*
 * sqlite_scene.h - a database in a home of its own and a driver for it, and short ways to run
 * programs: what the tests of the SQLite driver share.
 *
 * Failures end the test (cmocka); threads and children use the functions without "_ok", and CHECK.
 */
#ifndef TESTS_STORE_SQL_SQLITE_SCENE_H
#define TESTS_STORE_SQL_SQLITE_SCENE_H

#include <stdlib.h>

#include "os/os.h"
#include "store/sql/sqlite.h"
#include "support/api_fixture.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* Parts of a struct sql_step: its text, its values, its guard. */
#define SQL(text) .sql = {(const uint8_t *)(text), sizeof(text) - 1}
#define VALUES(...)                                                                                \
    .args = (const struct sql_value[]){__VA_ARGS__},                                               \
    .arg_count = sizeof((const struct sql_value[]){__VA_ARGS__}) / sizeof(struct sql_value)
#define IF_DONE(step) .guard = SQL_IF_DONE, .guard_step = (step)
#define IF_NOT_DONE(step) .guard = SQL_IF_NOT_DONE, .guard_step = (step)

struct scene {
    struct home home;
    char path[320];
    struct sql_driver *driver;
};

static inline void scene_open(struct scene *scene, const struct sqlite_options *options) {
    mneme_error error;
    OK(sqlite_driver_open(scene->path, options, &scene->driver, &error), &error);
}

static inline void scene_close(struct scene *scene) {
    if (scene->driver)
        scene->driver->operations->close(scene->driver);
    scene->driver = NULL;
}

static inline int scene_run(struct scene *scene, const struct sql_step *steps, size_t count,
                            bool writes, struct sql_results *results, mneme_error *error) {
    struct sql_program program = {.steps = steps, .count = count, .writes = writes};
    return sql_run(scene->driver, &program, results, error);
}

/* One statement; its step must be done. The results are the caller's. */
static inline void scene_do(struct scene *scene, const char *sql, bool writes,
                            struct sql_results *results) {
    mneme_error error;
    struct sql_step step = {.sql = slice_of_string(sql)};
    OK(scene_run(scene, &step, 1, writes, results, &error), &error);
    if (results->steps[0].outcome != SQL_DONE)
        fail_msg("%s: %s", sql, results->steps[0].message);
}

static inline void scene_write(struct scene *scene, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    scene_do(scene, sql, true, &results);
}

/* The one number that a statement gives. */
static inline int64_t scene_number(struct scene *scene, const char *sql) {
    AUTO_RESULTS struct sql_results results = {0};
    scene_do(scene, sql, false, &results);
    assert_int_equal(results.steps[0].rows * results.steps[0].columns, 1);
    assert_int_equal(results.steps[0].values[0].type, SQL_INTEGER);
    return results.steps[0].values[0].integer;
}

/* The one text that a statement gives must be this. */
static inline void scene_says(struct scene *scene, const char *sql, const char *text_expected) {
    AUTO_RESULTS struct sql_results results = {0};
    scene_do(scene, sql, false, &results);
    assert_int_equal(results.steps[0].rows * results.steps[0].columns, 1);
    const struct sql_value *value = &results.steps[0].values[0];
    assert_int_equal(value->type, SQL_TEXT);
    if (!slice_equal(value->bytes, slice_of_string(text_expected)))
        fail_msg("%s: %.*s, not %s", sql, (int)value->bytes.size, (const char *)value->bytes.data,
                 text_expected);
}

static inline struct sql_counters scene_counters(struct scene *scene) {
    struct sql_counters counters;
    scene->driver->operations->counters(scene->driver, &counters);
    return counters;
}

/* Fixtures of a case: *state is the scene, its path not made yet and no driver open. */
static inline int scene_setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    home_make(&scene->home);
    snprintf(scene->path, sizeof scene->path, "%s", home_file(&scene->home, "memory.db"));
    *state = scene;
    return 0;
}

static inline int scene_teardown(void **state) {
    struct scene *scene = *state;
    scene_close(scene);
    home_remove(&scene->home);
    free(scene);
    return 0;
}

#define SCENE_CASE(function) cmocka_unit_test_setup_teardown(function, scene_setup, scene_teardown)

#endif
