/*
 * sql_fixture.h - an sql store behind a shim, in a directory of its own, for its unit tests.
 */
#ifndef MNEME_TESTS_STORE_SQL_FIXTURE_H
#define MNEME_TESTS_STORE_SQL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/sql_shim.h"
#include "support/store_records.h"

struct scene {
    char directory[64], path[96];
    struct sql_shim *shim;
    struct store *store;
};

static inline int scene_setup(void **state) {
    struct scene *scene = calloc(1, sizeof *scene);
    mneme_error error = {0};
    assert_non_null(scene);
    snprintf(scene->directory, sizeof scene->directory, "/tmp/mneme-sql-XXXXXX");
    assert_non_null(mkdtemp(scene->directory));
    snprintf(scene->path, sizeof scene->path, "%s/memory.db", scene->directory);
    if (shim_open(scene->path, NULL, &scene->shim, &scene->store, &error))
        fail_msg("%s", error.message);
    *state = scene;
    return 0;
}

static inline void scene_close(struct scene *scene) {
    store_close(scene->store);
    scene->store = NULL;
}

static inline int scene_teardown(void **state) {
    static const char *const ends[] = {"", "-wal", "-shm", "-journal"};
    struct scene *scene = *state;
    char path[128];
    scene_close(scene);
    for (size_t i = 0; i < COUNT_OF(ends); i++) {
        snprintf(path, sizeof path, "%s%s", scene->path, ends[i]);
        (void)unlink(path);
    }
    assert_int_equal(rmdir(scene->directory), 0);
    free(scene);
    return 0;
}

#endif
