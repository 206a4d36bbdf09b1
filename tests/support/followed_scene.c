/*
 * followed_scene.c - the helpers of followed_scene.h.
 */
#include "support/followed_scene.h"

#include "store/batched.h"
#include "store/mem.h"

void machine_open(struct machine *machine, struct store *shared,
                  const struct followed_options *options, bool with_caches) {
    struct cached_options caches = cached_scene_options();
    struct store *batched = NULL;
    *machine = (struct machine){.shim = followed_shim_open(shared)};
    assert_non_null(machine->shim);
    assert_int_equal(followed_open(&machine->shim->base, options, &machine->followed, NULL), 0);
    machine->top = machine->followed;
    if (!with_caches)
        return;
    assert_int_equal(batched_open(machine->followed, NULL, &batched, NULL), 0);
    assert_int_equal(cached_open(batched, &caches, &machine->top, NULL), 0);
}

int followed_scene_setup(void **state) {
    static const struct followed_options options = {.no_looks = true};
    struct followed_scene *scene = calloc(1, sizeof *scene);
    if (!scene || mem_store_open(1, &scene->shared, NULL))
        return -1;
    machine_open(&scene->machine, scene->shared, &options, false);
    scene->store = scene->machine.followed;
    scene->shim = scene->machine.shim;
    scene->shim->context = scene;
    *state = scene;
    return 0;
}

int followed_scene_teardown(void **state) {
    struct followed_scene *scene = *state;
    store_close(scene->machine.top);
    store_close(scene->shared);
    store_close(scene->restored);
    free(scene);
    return 0;
}

unsigned shim_calls(struct followed_shim *shim, enum shim_call call) {
    return atomic_exchange(&shim->count[call], 0);
}

void shim_meanwhile(struct followed_scene *scene, enum shim_call call, void (*run)(void *context)) {
    atomic_store(&scene->shim->meanwhile[call], run);
}

uint64_t moment_of(const struct store *store) { return atomic_load(store_moment(store)); }

void assert_changes(struct followed_scene *scene, uint64_t since) {
    AUTO_RECORDS struct record_set ours = {0}, shared = {0};
    mneme_error error;
    if (store_changes(scene->store, since, STORE_PAGE_MAX, true, &ours, &error))
        fail_msg("store_changes: %s", error.message);
    assert_int_equal(
        store_changes(atomic_load(&scene->shim->below), since, STORE_PAGE_MAX, true, &shared, NULL),
        0);
    assert_int_equal(ours.count, shared.count);
    for (size_t i = 0; i < ours.count; i++) {
        shared.records[i].body = ours.records[i].body = (struct slice){0};
        const char *difference = record_difference(&ours.records[i], &shared.records[i]);
        if (difference)
            fail_msg("change %llu differs in %s", (unsigned long long)shared.records[i].change,
                     difference);
    }
}

void assert_known(struct followed_scene *scene, uint64_t since) {
    (void)shim_calls(scene->shim, SHIM_CHANGES);
    assert_changes(scene, since);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 0);
}

struct mutation put_step_of(unsigned n, unsigned parent) {
    struct mutation put = put_of(MNEME_STEP, n);
    put.record.parent = numbered_id(parent);
    return put;
}

void look_ok(struct followed_scene *scene) {
    mneme_error error;
    if (followed_look(scene->store, &error))
        fail_msg("followed_look: %s", error.message);
}

uint64_t epoch_of(const struct followed_scene *scene) { return moment_of(scene->store) >> 48; }
