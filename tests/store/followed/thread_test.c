/*
 * thread_test.c - the thread that looks at the log: it sees what others write, bears failures, and
 * ends when the store is closed.
 */
#include <unistd.h>

#include "os/os.h"
#include "store/followed/followed_impl.h"
#include "support/followed_scene.h"

enum { PATIENCE_MS = 20000 };

static void put_many(struct store *store, unsigned first, unsigned count) {
    AUTO_FREE struct mutation *puts = mem_zalloc(count, sizeof *puts);
    assert_non_null(puts);
    for (unsigned i = 0; i < count; i++)
        puts[i] = put_of(MNEME_PATTERN, first + i);
    assert_int_equal(apply_mutations(store, puts, count, NULL), 0);
}

static void open_followed(struct followed_scene *scene, uint32_t interval_ms) {
    struct followed_options options = {.interval_ms = interval_ms};
    store_close(scene->machine.top);
    machine_open(&scene->machine, scene->shared, &options, false);
    scene->store = scene->machine.followed;
    scene->shim = scene->machine.shim;
    scene->shim->context = scene;
}

static void read_something(struct followed_scene *scene) {
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(1);
    (void)store_get_one(scene->store, MNEME_PATTERN, &id, &set, NULL);
}

static void wait_for_moment_after(struct followed_scene *scene, uint64_t moment) {
    for (int i = 0; i < PATIENCE_MS && moment_of(scene->store) == moment; i++)
        usleep(1000);
    assert_true(moment_of(scene->store) > moment);
}

static void wait_for_calls(struct followed_scene *scene, enum shim_call call, unsigned count) {
    for (int i = 0; i < PATIENCE_MS && atomic_load(&scene->shim->count[call]) < count; i++)
        usleep(1000);
    assert_true(atomic_load(&scene->shim->count[call]) >= count);
}

static void thread__sees_what_others_write(void **state) {
    struct followed_scene *scene = *state;
    open_followed(scene, 1);
    usleep(5000);
    assert_int_equal(shim_calls(scene->shim, SHIM_STATS), 0); /* it begins with the first read */
    read_something(scene);
    for (unsigned n = 1; n <= 5; n++) {
        uint64_t moment = moment_of(scene->store);
        apply_ok(scene->shared, put_of(MNEME_PATTERN, n));
        wait_for_moment_after(scene, moment);
    }
    assert_changes(scene, 0);
}

static void thread__goes_on_after_failures(void **state) {
    struct followed_scene *scene = *state;
    open_followed(scene, 1);
    atomic_store(&scene->shim->status[SHIM_STATS], MNEME_UNAVAILABLE);
    read_something(scene);
    wait_for_calls(scene, SHIM_STATS, 4);
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 1));
    uint64_t moment = moment_of(scene->store);
    atomic_store(&scene->shim->status[SHIM_STATS], 0);
    wait_for_moment_after(scene, moment);
}

/* Who asks for what cannot be read now is told at once, and keeps nobody waiting. */
static void failure__that_is_young_is_told_again(void **state) {
    struct followed_scene *scene = *state;
    AUTO_RECORDS struct record_set set = {0};
    mneme_error error;
    open_followed(scene, 60000);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    wait_for_calls(scene, SHIM_CHANGES, 1);
    look_ok(scene);
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    atomic_store(&scene->shim->status[SHIM_CHANGES], MNEME_UNAVAILABLE);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 3));
    (void)shim_calls(scene->shim, SHIM_CHANGES);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(store_changes(scene->store, 0, 9, true, &set, &error), MNEME_UNAVAILABLE);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 0);
    assert_non_null(strstr(error.message, "as told"));
}

static void close__wakes_a_thread_that_sleeps_long(void **state) {
    struct followed_scene *scene = *state;
    open_followed(scene, 3600000);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    wait_for_calls(scene, SHIM_CHANGES, 1);
    open_followed(scene, 3600000); /* closes it, or the alarm ends us */
}

static void wait_for_close(void *context) {
    struct followed_scene *scene = context;
    struct followed *f = followed_of(scene->store);
    for (int i = 0; i < PATIENCE_MS; i++) {
        lock_acquire(&f->lock);
        bool closing = f->closing;
        lock_release(&f->lock);
        if (closing)
            return;
        usleep(1000);
    }
    abort();
}

static void close__during_a_look_leaves_what_it_brings(void **state) {
    struct followed_scene *scene = *state;
    put_many(scene->shared, 1, 1500);
    open_followed(scene, 1);
    read_something(scene);
    wait_for_calls(scene, SHIM_CHANGES, 2);
    put_many(scene->shared, 1, 1500);
    shim_meanwhile(scene, SHIM_CHANGES, wait_for_close);
    open_followed(scene, 1);
    assert_changes(scene, 0);
}

int main(void) {
    alarm(300); /* who waits for a look of his own would wait for ever */
    const struct CMUnitTest tests[] = {
        FOLLOWED_CASE(thread__sees_what_others_write),
        FOLLOWED_CASE(thread__goes_on_after_failures),
        FOLLOWED_CASE(failure__that_is_young_is_told_again),
        FOLLOWED_CASE(close__wakes_a_thread_that_sleeps_long),
        FOLLOWED_CASE(close__during_a_look_leaves_what_it_brings),
    };
    return cmocka_run_group_tests_name("the thread of a followed store", tests, NULL, NULL);
}
