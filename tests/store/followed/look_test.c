/*
 * look_test.c - looks at the log of a store that others write to: what they bring, and what happens
 * while one is under way.
 *
 * Most races are told in one thread: the store far away calls back when it has read and has not
 * yet returned, and the case does the rest then. So they are lost in the same way each time.
 */
#include <pthread.h>
#include <unistd.h>

#include "os/os.h"
#include "store/followed/followed_impl.h"
#include "support/followed_scene.h"

enum { PATIENCE_MS = 20000 };

/* ---- What a look brings ---------------------------------------------------------------------- */

static void look__brings_what_others_wrote(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->shared, put_step_of(2, 9));
    apply_ok(scene->shared, delete_of(MNEME_STEP, 2));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 1));
    uint64_t moment = moment_of(scene->store);
    look_ok(scene);
    assert_true(moment_of(scene->store) > moment);
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
    assert_known(scene, 0);
    moment = moment_of(scene->store);
    look_ok(scene); /* and nothing new */
    assert_int_equal(moment_of(scene->store), moment);
    assert_int_equal(shim_calls(scene->shim, SHIM_STATS), 0);
    assert_known(scene, 0);
}

static void look__that_is_the_first_begins_at_the_end(void **state) {
    struct followed_scene *scene = *state;
    for (unsigned n = 1; n <= 9; n++)
        apply_ok(scene->shared, put_of(MNEME_PATTERN, n));
    uint64_t moment = moment_of(scene->store);
    look_ok(scene);
    assert_true(moment_of(scene->store) > moment);
    assert_known(scene, 8);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 4));
    assert_known(scene, 8);
}

static void put_many(struct store *store, unsigned first, unsigned count) {
    AUTO_FREE struct mutation *puts = mem_zalloc(count, sizeof *puts);
    assert_non_null(puts);
    for (unsigned i = 0; i < count; i++)
        puts[i] = put_of(MNEME_PATTERN, first + i);
    assert_int_equal(apply_mutations(store, puts, count, NULL), 0);
}

/* There is no change left that it could read; who has read before must be told all the same. */
static void look__that_is_the_first_tells_though_the_last_was_purged(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    apply_ok(scene->shared, purge_of(MNEME_PATTERN, 2));
    uint64_t moment = moment_of(scene->store);
    look_ok(scene);
    assert_true(moment_of(scene->store) > moment);
}

static void look__takes_many_pages(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    put_many(scene->shared, 1, 2000);
    look_ok(scene);
    assert_known(scene, 0);
    assert_known(scene, 1500);
}

static void look__does_not_read_a_flood_to_its_end(void **state) {
    struct followed_scene *scene = *state;
    enum { FLOOD = 4 * FOLLOWED_CHANGES };
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    put_many(scene->shared, 1, FLOOD);
    look_ok(scene);
    assert_true(shim_calls(scene->shim, SHIM_CHANGES) < 16);
    assert_int_equal(epoch_of(scene), 0);
    assert_known(scene, FLOOD);
    assert_known(scene, FLOOD + 1);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    assert_known(scene, FLOOD);
}

static void look__asks_for_less_when_it_is_too_much(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    put_many(scene->shared, 2, 50);
    atomic_store(&scene->shim->changes_limit, 7);
    look_ok(scene);
    atomic_store(&scene->shim->changes_limit, 0);
    assert_known(scene, 0);
}

static void look__that_fails_says_why_and_changes_nothing(void **state) {
    struct followed_scene *scene = *state;
    mneme_error error;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    uint64_t moment = moment_of(scene->store);
    atomic_store(&scene->shim->status[SHIM_CHANGES], MNEME_UNAVAILABLE);
    assert_int_equal(followed_look(scene->store, &error), MNEME_UNAVAILABLE);
    assert_non_null(strstr(error.message, "as told"));
    assert_int_equal(moment_of(scene->store), moment);
    assert_known(scene, 0); /* what is cached is served all the same */
    atomic_store(&scene->shim->status[SHIM_CHANGES], 0);
    look_ok(scene);
}

static void look__does_not_believe_a_log_out_of_order(void **state) {
    struct followed_scene *scene = *state;
    mneme_error error;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    atomic_store(&scene->shim->shuffles, true);
    assert_int_equal(followed_look(scene->store, &error), MNEME_CORRUPT);
    atomic_store(&scene->shim->shuffles, false);
    look_ok(scene);
    assert_known(scene, 0);
}

static void look__at_another_store_is_refused(void **state) {
    struct followed_scene *scene = *state;
    mneme_error error;
    assert_int_equal(followed_look(scene->shared, &error), MNEME_INVALID);
}

/* ---- Reads that are ahead -------------------------------------------------------------------- */

static void read__of_what_is_not_known_yet_looks(void **state) {
    struct followed_scene *scene = *state;
    struct store_query query = query_for(MNEME_PATTERN);
    mneme_id id = numbered_id(2);
    bool more;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    for (unsigned way = 0; way < 2; way++) {
        AUTO_RECORDS struct record_set set = {0};
        apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
        uint64_t moment = moment_of(scene->store);
        if (way == 0)
            assert_int_equal(store_get_one(scene->store, MNEME_PATTERN, &id, &set, NULL), 0);
        else
            assert_int_equal(store_query(scene->store, &query, &set, &more, NULL), 0);
        assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 1);
        assert_true(moment_of(scene->store) > moment);
        assert_known(scene, 0);
        assert_int_equal(store_get_one(scene->store, MNEME_PATTERN, &id, &set, NULL), 0);
        assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 0);
    }
}

static void read__is_good_when_the_look_fails(void **state) {
    struct followed_scene *scene = *state;
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(2);
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    atomic_store(&scene->shim->status[SHIM_CHANGES], MNEME_UNAVAILABLE);
    assert_int_equal(store_get_one(scene->store, MNEME_PATTERN, &id, &set, NULL), 0);
    assert_int_equal(set.count, 1);
}

static void changes__since_a_number_ahead_look_first(void **state) {
    struct followed_scene *scene = *state;
    struct store_stats stats;
    AUTO_RECORDS struct record_set set = {0};
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->shared, put_of(MNEME_PATTERN, 2));
    assert_int_equal(store_stats(scene->store, &stats, NULL), 0);
    assert_int_equal(stats.changes, 2);
    assert_changes(scene, stats.changes);
    assert_known(scene, stats.changes);
    atomic_store(&scene->shim->status[SHIM_CHANGES], MNEME_UNAVAILABLE);
    assert_int_equal(store_changes(scene->store, 3, 9, true, &set, NULL), MNEME_UNAVAILABLE);
}

/* ---- While a look is under way --------------------------------------------------------------- */

static void write_own(void *context) {
    struct followed_scene *scene = context;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
}

/* The page was read before the commit, and arrives behind it. */
static void page__that_was_read_before_a_commit_takes_nothing_back(void **state) {
    struct followed_scene *scene = *state;
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    shim_meanwhile(scene, SHIM_CHANGES, write_own);
    look_ok(scene);
    assert_int_equal(epoch_of(scene), 0);
    assert_known(scene, 0);
    assert_known(scene, 1);
    look_ok(scene);
    assert_int_equal(epoch_of(scene), 0);
    assert_known(scene, 0);
}

static void look_now(void *context) { look_ok(context); }

static void commit__that_a_look_has_brought_is_not_taken_twice(void **state) {
    struct followed_scene *scene = *state;
    for (unsigned round = 0; round < 3; round++) {
        shim_meanwhile(scene, SHIM_APPLY, look_now);
        apply_ok(scene->store, put_step_of(1, 9));
        assert_known(scene, round);
    }
    shim_meanwhile(scene, SHIM_APPLY, look_now);
    apply_ok(scene->store, delete_of(MNEME_STEP, 1));
    assert_int_equal(epoch_of(scene), 0);
    assert_known(scene, 0);
}

/* A thread that writes behind a gap while a look is under way that has read before it. */
struct late_writer {
    struct followed_scene *scene;
    pthread_t thread;
    atomic_bool ended;
};

static void *write_late(void *context) {
    struct late_writer *writer = context;
    struct mutation put = put_of(MNEME_PATTERN, 5);
    CHECK(apply_one(writer->scene->store, &put) == 0);
    struct followed *f = followed_of(writer->scene->store);
    lock_acquire(&f->lock);
    CHECK(f->ring.top >= put.record.change);
    lock_release(&f->lock);
    atomic_store(&writer->ended, true);
    return NULL;
}

static void start_late_writer(void *context) {
    struct late_writer *writer = context;
    apply_ok(writer->scene->shared, put_of(MNEME_PATTERN, 4));
    (void)shim_calls(writer->scene->shim, SHIM_APPLY);
    assert_int_equal(pthread_create(&writer->thread, NULL, write_late, writer), 0);
    struct followed *f = followed_of(writer->scene->store);
    for (int i = 0; i < PATIENCE_MS; i++) { /* until it waits for a look that begins later */
        lock_acquire(&f->lock);
        bool waits = f->needed > f->looks.begun;
        lock_release(&f->lock);
        if (waits)
            break;
        usleep(1000);
    }
    assert_false(atomic_load(&writer->ended));
}

static void gap__waits_for_a_look_that_begins_behind_it(void **state) {
    struct followed_scene *scene = *state;
    static struct late_writer writer; /* its thread's, which runs on when the case fails */
    writer = (struct late_writer){.scene = scene};
    apply_ok(scene->store, put_of(MNEME_PATTERN, 1));
    scene->shim->context = &writer;
    atomic_store(&scene->shim->meanwhile[SHIM_CHANGES], start_late_writer);
    look_ok(scene);
    assert_int_equal(pthread_join(writer.thread, NULL), 0);
    assert_true(atomic_load(&writer.ended));
    assert_int_equal(shim_calls(scene->shim, SHIM_CHANGES), 2);
    assert_known(scene, 0);
}

int main(void) {
    alarm(300); /* who waits for a look of his own would wait for ever */
    const struct CMUnitTest tests[] = {
        FOLLOWED_CASE(look__brings_what_others_wrote),
        FOLLOWED_CASE(look__that_is_the_first_begins_at_the_end),
        FOLLOWED_CASE(look__that_is_the_first_tells_though_the_last_was_purged),
        FOLLOWED_CASE(look__takes_many_pages),
        FOLLOWED_CASE(look__does_not_read_a_flood_to_its_end),
        FOLLOWED_CASE(look__asks_for_less_when_it_is_too_much),
        FOLLOWED_CASE(look__that_fails_says_why_and_changes_nothing),
        FOLLOWED_CASE(look__does_not_believe_a_log_out_of_order),
        FOLLOWED_CASE(look__at_another_store_is_refused),
        FOLLOWED_CASE(read__of_what_is_not_known_yet_looks),
        FOLLOWED_CASE(read__is_good_when_the_look_fails),
        FOLLOWED_CASE(changes__since_a_number_ahead_look_first),
        FOLLOWED_CASE(page__that_was_read_before_a_commit_takes_nothing_back),
        FOLLOWED_CASE(commit__that_a_look_has_brought_is_not_taken_twice),
        FOLLOWED_CASE(gap__waits_for_a_look_that_begins_behind_it),
    };
    return cmocka_run_group_tests_name("followed looks", tests, NULL, NULL);
}
