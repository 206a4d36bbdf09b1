/*
 * cached_scene.h - a store, watched, with caches in front of it, and a second way into it that goes
 * past these caches: what tests of the caches share.
 *
 * Each case runs over mem, whose second way is the store itself, and over kv, whose second way is
 * another handle of its file. Failures end the test (cmocka); in threads use CHECK.
 */
#ifndef MNEME_TESTS_CACHED_SCENE_H
#define MNEME_TESTS_CACHED_SCENE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/cached.h"
#include "support/store_maker.h"
#include "support/store_records.h"
#include "support/store_watched.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct cached_scene {
    struct store_home home;
    const struct cached_options *options; /* of the store that is open */
    struct watched *below;
    struct store *cached;
    struct store *other; /* writes go past the caches */
};

/* Room for everything, and nobody but the test tells the time. */
struct cached_options cached_scene_options(void);

/* Fixtures of a case: *state is the scene. */
int cached_scene_setup_mem(void **state);
int cached_scene_setup_kv(void **state);
int cached_scene_teardown(void **state);
/* Both stores of a case, in a list of cases. */
#define CACHED_CASE(function)                                                                      \
    {#function " (mem)", function, cached_scene_setup_mem, cached_scene_teardown, NULL}, {         \
#function " (kv)", function, cached_scene_setup_kv, cached_scene_teardown, NULL            \
    }

/* Put other caches in front of the same store; what was in the old ones is gone. */
void cached_scene_reopen(struct cached_scene *scene, const struct cached_options *options);

struct cache_stats part_stats(struct cached_scene *scene, enum cached_part part);

/* Apply one mutation; it must succeed. */
void apply_ok(struct store *store, struct mutation mutation);

/* What reading record n with cached_acquire gives: the clock of its version; 0: not found. */
uint64_t acquire_clock(struct cached_scene *scene, mneme_kind kind, unsigned n);
/* The same from the store below. */
uint64_t stored_clock(struct cached_scene *scene, mneme_kind kind, unsigned n);
/* Read a record with cached_acquire; it must be as it is below. Returns whether it came from the
 * caches, without a look into the store. */
bool is_cached(struct cached_scene *scene, mneme_kind kind, unsigned n);

/* A query for a kind, oldest first, with room for all that a test has. */
struct store_query query_for(mneme_kind kind);
/* List with cached_list; the page must be as the store below has it, `more` and `last` too.
 * Returns whether it came from the caches. */
bool is_listed(struct cached_scene *scene, const struct store_query *query);

#endif
