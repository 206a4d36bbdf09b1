/*
 * children_test.c - episodes whose value has the steps that the store has of them, and the steps
 * and checkpoints that leave with their episode.
 */
#include "support/cached_scene.h"

/* ---- A builder that reads the steps of an episode ---------------------------------------- */

struct family {
    struct cache_item item;
    size_t steps;
};

static void family_destroy(struct cache_item *item) { mem_free(item); }

static int family_build(void *context, const struct cache_key *key,
                        const struct stored_record *record, struct cache_item **out,
                        mneme_error *error) {
    struct cached_scene *scene = context;
    AUTO_RECORDS struct record_set steps = {0};
    struct store_query query = query_for(MNEME_STEP);
    bool more = false;
    query.has_parent = true;
    query.parent = key->id;
    if (record->kind == MNEME_EPISODE)
        TRY(store_query(&scene->below->base, &query, &steps, &more, error));
    struct family *family = mem_zalloc(1, sizeof *family);
    if (!family)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a family");
    cache_item_init(&family->item, key, cached_stamp(record), sizeof *family, family_destroy);
    family->steps = steps.count;
    *out = &family->item;
    return 0;
}

static void open_families(struct cached_scene *scene) {
    struct cached_options options = cached_scene_options();
    options.build = family_build;
    options.context = scene;
    cached_scene_reopen(scene, &options);
}

/* How many steps the value of an episode has. *hit: it came from the caches. */
static size_t count_steps(struct cached_scene *scene, unsigned n, bool *hit) {
    struct cache_item *item;
    mneme_id id = numbered_id(n);
    unsigned before = atomic_load(&scene->below->gets);
    assert_int_equal(cached_acquire(scene->cached, MNEME_EPISODE, &id, &item, NULL), 0);
    size_t steps = ((struct family *)(void *)item)->steps;
    cache_item_release(item);
    *hit = atomic_load(&scene->below->gets) == before;
    return steps;
}

static struct mutation put_child(mneme_kind kind, unsigned n, unsigned parent) {
    struct mutation put = put_of(kind, n);
    put.record.parent = numbered_id(parent);
    return put;
}

static struct mutation put_sealed(unsigned n) {
    struct mutation put = put_of(MNEME_EPISODE, n);
    put.record.flags = MNEME_FLAG_SEALED;
    return put;
}

/* ---- Steps and their episode ------------------------------------------------------------- */

static void step__drops_its_episode_alone(void **state) {
    struct cached_scene *scene = *state;
    struct store *writers[] = {scene->other, NULL};
    bool hit;
    open_families(scene);
    writers[0] = scene->other;
    writers[1] = scene->cached;
    apply_ok(scene->other, put_of(MNEME_EPISODE, 1));
    apply_ok(scene->other, put_of(MNEME_EPISODE, 2));
    assert_int_equal(count_steps(scene, 1, &hit) + count_steps(scene, 2, &hit), 0);
    for (unsigned n = 1; n <= 6; n++) {
        struct store *writer = writers[n % 2];
        apply_ok(writer, put_child(MNEME_STEP, 100 + n, 1));
        assert_int_equal(count_steps(scene, 1, &hit), n);
        assert_false(hit);
        assert_int_equal(count_steps(scene, 1, &hit), n);
        assert_true(hit);
        assert_int_equal(count_steps(scene, 2, &hit), 0);
        assert_true(hit);
    }
    apply_ok(scene->other, delete_of(MNEME_STEP, 103));
    assert_int_equal(count_steps(scene, 1, &hit), 5);
}

static void checkpoint__leaves_its_episode_alone(void **state) {
    struct cached_scene *scene = *state;
    bool hit;
    open_families(scene);
    apply_ok(scene->other, put_of(MNEME_EPISODE, 1));
    assert_int_equal(count_steps(scene, 1, &hit), 0);
    apply_ok(scene->other, put_child(MNEME_CHECKPOINT, 100, 1));
    assert_int_equal(count_steps(scene, 1, &hit), 0);
    assert_true(hit);
}

/* The step is committed and taken over after the builder has read the steps. */
static void append_meanwhile(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, put_child(MNEME_STEP, 100, 1));
    (void)acquire_clock(scene, MNEME_PATTERN, 1); /* gets in step */
}

static void step_that_comes_while_its_episode_loads__is_not_lost(void **state) {
    struct cached_scene *scene = *state;
    bool hit;
    open_families(scene);
    apply_ok(scene->other, put_of(MNEME_EPISODE, 1));
    scene->below->meanwhile = append_meanwhile;
    scene->below->context = scene;
    atomic_store(&scene->below->calls_back, true);
    (void)count_steps(scene, 1, &hit);
    assert_int_equal(count_steps(scene, 1, &hit), 1);
    assert_int_equal(count_steps(scene, 1, &hit), 1);
    assert_true(hit);
}

/* ---- Steps that are purged with their episode -------------------------------------------- */

static struct store_query children_of(mneme_kind kind, unsigned parent) {
    struct store_query query = query_for(kind);
    query.has_parent = true;
    query.parent = numbered_id(parent);
    return query;
}

/* Two episodes with two steps and a checkpoint each, all of them cached, and lists of them. */
static void make_families(struct cached_scene *scene) {
    for (unsigned episode = 1; episode <= 2; episode++) {
        struct store_query steps = children_of(MNEME_STEP, episode);
        apply_ok(scene->other, put_of(MNEME_EPISODE, episode));
        for (unsigned n = 1; n <= 2; n++)
            apply_ok(scene->other, put_child(MNEME_STEP, 10 * episode + n, episode));
        apply_ok(scene->other, put_child(MNEME_CHECKPOINT, 10 * episode + 3, episode));
        (void)is_listed(scene, &steps);
        (void)is_cached(scene, MNEME_CHECKPOINT, 10 * episode + 3);
    }
}

/* What is cached of the first episode is as below, and of the second nothing was dropped. */
static void assert_first_left(struct cached_scene *scene) {
    struct store_query first = children_of(MNEME_STEP, 1), second = children_of(MNEME_STEP, 2);
    (void)is_cached(scene, MNEME_STEP, 11);
    (void)is_cached(scene, MNEME_STEP, 12);
    (void)is_cached(scene, MNEME_CHECKPOINT, 13);
    assert_false(is_listed(scene, &first));
    assert_true(is_listed(scene, &second));
    assert_true(is_cached(scene, MNEME_STEP, 21));
    assert_true(is_cached(scene, MNEME_STEP, 22));
    assert_true(is_cached(scene, MNEME_CHECKPOINT, 23));
}

static void seal_first(struct store *store) {
    struct mutation seal[] = {purge_of(MNEME_STEP, 11), purge_of(MNEME_STEP, 12), put_sealed(1)};
    assert_int_equal(apply_mutations(store, seal, COUNT_OF(seal), NULL), 0);
}

static void sealed_episode__takes_its_cached_steps_with_it(void **state) {
    struct cached_scene *scene = *state;
    make_families(scene);
    seal_first(scene->other);
    assert_int_equal(acquire_clock(scene, MNEME_STEP, 11), 0);
    assert_first_left(scene);
}

static void sealed_episode_of_this_handle__takes_its_cached_steps_with_it(void **state) {
    struct cached_scene *scene = *state;
    make_families(scene);
    seal_first(scene->cached);
    assert_int_equal(acquire_clock(scene, MNEME_STEP, 11), 0);
    assert_first_left(scene);
}

static void deleted_episode__takes_its_cached_steps_with_it(void **state) {
    struct cached_scene *scene = *state;
    make_families(scene);
    struct mutation gone[] = {purge_of(MNEME_STEP, 11), purge_of(MNEME_STEP, 12),
                              purge_of(MNEME_CHECKPOINT, 13), delete_of(MNEME_EPISODE, 1)};
    assert_int_equal(apply_mutations(scene->other, gone, COUNT_OF(gone), NULL), 0);
    assert_int_equal(acquire_clock(scene, MNEME_STEP, 11), 0);
    assert_first_left(scene);
}

/* The log has one entry a record, its last: that the episode was sealed is not told any more. */
static void episode_sealed_and_opened_again__takes_its_cached_steps_with_it(void **state) {
    struct cached_scene *scene = *state;
    make_families(scene);
    seal_first(scene->other);
    apply_ok(scene->other, put_of(MNEME_EPISODE, 1));
    assert_int_equal(acquire_clock(scene, MNEME_STEP, 11), 0);
    assert_first_left(scene);
}

static void seal_meanwhile(void *context) {
    struct cached_scene *scene = context;
    seal_first(scene->other);
    (void)acquire_clock(scene, MNEME_PATTERN, 1); /* gets in step */
}

static void episode_sealed_while_a_step_loads__the_step_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    struct cache_item *item = NULL;
    mneme_id id = numbered_id(11);
    apply_ok(scene->other, put_of(MNEME_EPISODE, 1));
    apply_ok(scene->other, put_child(MNEME_STEP, 11, 1));
    scene->below->meanwhile = seal_meanwhile;
    scene->below->context = scene;
    atomic_store(&scene->below->calls_back, true);
    /* Who asked before may have it. */
    assert_int_equal(cached_acquire(scene->cached, MNEME_STEP, &id, &item, NULL), 0);
    cache_item_release(item);
    assert_int_equal(acquire_clock(scene, MNEME_STEP, 11), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHED_CASE(step__drops_its_episode_alone),
        CACHED_CASE(checkpoint__leaves_its_episode_alone),
        CACHED_CASE(step_that_comes_while_its_episode_loads__is_not_lost),
        CACHED_CASE(sealed_episode__takes_its_cached_steps_with_it),
        CACHED_CASE(sealed_episode_of_this_handle__takes_its_cached_steps_with_it),
        CACHED_CASE(deleted_episode__takes_its_cached_steps_with_it),
        CACHED_CASE(episode_sealed_and_opened_again__takes_its_cached_steps_with_it),
        CACHED_CASE(episode_sealed_while_a_step_loads__the_step_is_not_kept),
    };
    return cmocka_run_group_tests_name("cached children", tests, NULL, NULL);
}
