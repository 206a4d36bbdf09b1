/*
 * followed_scene.h - a store in memory that several machines share, as if it were far away: what
 * tests of the followed store share. Failures end the test (cmocka); in threads use CHECK.
 */
#ifndef MNEME_TESTS_FOLLOWED_SCENE_H
#define MNEME_TESTS_FOLLOWED_SCENE_H

#include "store/followed.h"
#include "support/cached_scene.h"
#include "support/followed_shim.h"

/* One machine: cached(batched(followed(shim))), or followed(shim) alone. */
struct machine {
    struct followed_shim *shim;
    struct store *followed;
    struct store *top; /* the store to be used; closing it closes all */
};

void machine_open(struct machine *machine, struct store *shared,
                  const struct followed_options *options, bool with_caches);

/* One machine without caches and without looks of its own, and the shared store, into which others
 * write. */
struct followed_scene {
    struct store *shared, *restored;
    struct machine machine;
    struct store *store; /* machine.followed */
    struct followed_shim *shim;
};
int followed_scene_setup(void **state);
int followed_scene_teardown(void **state);
#define FOLLOWED_CASE(function)                                                                    \
    { #function, function, followed_scene_setup, followed_scene_teardown, NULL }

/* How often a call has reached the shared store since it was last asked. */
unsigned shim_calls(struct followed_shim *shim, enum shim_call call);
void shim_meanwhile(struct followed_scene *scene, enum shim_call call, void (*run)(void *context));

uint64_t moment_of(const struct store *store);

/* The changes since a number must be as the shared store has them, but for bodies. */
void assert_changes(struct followed_scene *scene, uint64_t since);
/* The same, and the log must not be read for it. */
void assert_known(struct followed_scene *scene, uint64_t since);

/* A put of step n under an episode. */
struct mutation put_step_of(unsigned n, unsigned parent);
/* Look at the log, and fail the test unless it can be read. */
void look_ok(struct followed_scene *scene);
/* How often the log was found to be another one. */
uint64_t epoch_of(const struct followed_scene *scene);

#endif
