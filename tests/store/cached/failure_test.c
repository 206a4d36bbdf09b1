/*
 * failure_test.c - caches that cannot do their work: reads go on, from the store below.
 */
#include "store/mem.h"
#include "support/cached_scene.h"

static void put_many(struct store *store, mneme_kind kind, unsigned count) {
    for (unsigned n = 1; n <= count; n++)
        apply_ok(store, put_of(kind, n));
}

/* ---- A change log that cannot be read ---------------------------------------------------- */

static void change_log_that_fails__reads_go_below(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = query_for(MNEME_PATTERN);
    put_many(scene->other, MNEME_PATTERN, 3);
    (void)is_listed(scene, &query);
    atomic_store(&scene->below->changes_status, MNEME_IO);
    assert_true(is_cached(scene, MNEME_PATTERN, 1)); /* nothing has changed, as far as that goes */
    apply_ok(scene->other, put_of(MNEME_PATTERN, 2));
    for (int round = 0; round < 3; round++) {
        for (unsigned n = 1; n <= 4; n++)
            assert_false(is_cached(scene, MNEME_PATTERN, n));
        assert_false(is_listed(scene, &query));
        apply_ok(scene->cached, put_of(MNEME_PATTERN, 3));
    }
    uint64_t dropped = part_stats(scene, CACHED_PATTERNS).dropped[CACHE_CHANGED];
    atomic_store(&scene->below->changes_status, 0);
    assert_false(is_cached(scene, MNEME_PATTERN, 2));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    assert_false(is_listed(scene, &query));
    assert_true(is_listed(scene, &query));
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).dropped[CACHE_CHANGED], dropped + 2);
}

static void change_log_that_fails__as_a_store_too(void **state) {
    struct cached_scene *scene = *state;
    struct record_name name = {MNEME_PATTERN, numbered_id(1)};
    AUTO_RECORDS struct record_set set = {0};
    size_t found;
    put_many(scene->cached, MNEME_PATTERN, 1);
    atomic_store(&scene->below->changes_status, MNEME_IO);
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    assert_int_equal(store_get(scene->cached, &name, 1, &set, &found, NULL), 0);
    assert_int_equal(set.records[found].change, stored_clock(scene, MNEME_PATTERN, 1));
}

/* ---- A store that cannot be read --------------------------------------------------------- */

static void store_that_fails__tells_why_and_is_asked_again(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = query_for(MNEME_PATTERN);
    struct cached_page page = {0};
    struct cache_item *item = NULL;
    mneme_id id = numbered_id(1);
    mneme_error error;
    put_many(scene->other, MNEME_PATTERN, 1);
    atomic_store(&scene->below->get_status, MNEME_CORRUPT);
    atomic_store(&scene->below->query_status, MNEME_IO);
    assert_int_equal(cached_acquire(scene->cached, MNEME_PATTERN, &id, &item, &error),
                     MNEME_CORRUPT);
    assert_non_null(strstr(error.message, "as told"));
    assert_int_equal(cached_list(scene->cached, &query, &page, &error), MNEME_IO);
    assert_null(item);
    assert_null(page.items);
    atomic_store(&scene->below->get_status, 0);
    atomic_store(&scene->below->query_status, 0);
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_false(is_listed(scene, &query));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    atomic_store(&scene->below->get_status, MNEME_CORRUPT);
    assert_int_equal(cached_acquire(scene->cached, MNEME_PATTERN, &id, &item, NULL), 0);
    cache_item_release(item);
}

/* ---- No memory --------------------------------------------------------------------------- */

/* A builder that never lacks memory, so that what fails is the caches' own. */
static void plain_destroy(struct cache_item *item) { free(item); }

static int plain_build(void *context, const struct cache_key *key,
                       const struct stored_record *record, struct cache_item **out,
                       mneme_error *error) {
    (void)context, (void)error;
    struct cache_item *item = calloc(1, sizeof *item);
    CHECK(item);
    cache_item_init(item, key, cached_stamp(record), sizeof *item, plain_destroy);
    *out = item;
    return 0;
}

enum { RECORDS = 5, MOST_ALLOCATIONS = 2000 };

/* What an operation has read: the clocks of versions, by the record's number. */
struct seen {
    uint64_t clocks[RECORDS + 1];
    bool page;
    size_t count;
};

struct operation {
    const char *name;
    int (*run)(struct cached_scene *scene, struct seen *seen, mneme_error *error);
    void (*prepare)(struct cached_scene *scene); /* with all the memory it needs */
    int expected;
};

static struct mutation put_sealed(unsigned n) {
    struct mutation put = put_of(MNEME_EPISODE, n);
    put.record.flags = MNEME_FLAG_SEALED;
    return put;
}

static int acquire(struct cached_scene *scene, unsigned n, struct seen *seen, mneme_error *error) {
    struct cache_item *item = NULL;
    mneme_id id = numbered_id(n);
    int status = cached_acquire(scene->cached, MNEME_EPISODE, &id, &item, error);
    if (status == 0)
        seen->clocks[n] = item->version.clock;
    cache_item_release(item);
    return status;
}

static int acquire_one(struct cached_scene *scene, struct seen *seen, mneme_error *error) {
    return acquire(scene, 1, seen, error);
}

static int acquire_none(struct cached_scene *scene, struct seen *seen, mneme_error *error) {
    return acquire(scene, 77, seen, error);
}

static int list(struct cached_scene *scene, struct seen *seen, mneme_error *error) {
    struct store_query query = query_for(MNEME_EPISODE);
    CLEANUP(cached_page_fini) struct cached_page page = {0};
    int status = cached_list(scene->cached, &query, &page, error);
    seen->page = true;
    seen->count = page.count;
    for (unsigned n = 0; n < page.count; n++)
        seen->clocks[n + 1] = page.items[n]->version.clock;
    return status;
}

static int write_two(struct cached_scene *scene, struct mutation *two, mneme_error *error) {
    struct batch batch;
    if (apply_mutations(scene->cached, two, 2, &batch) == 0)
        return 0;
    *error = batch.error;
    return batch.status;
}

static int put_and_acquire(struct cached_scene *scene, struct seen *seen, mneme_error *error) {
    struct mutation puts[] = {put_sealed(1), put_of(MNEME_RELATION, 1)};
    TRY(write_two(scene, puts, error));
    return acquire(scene, 1, seen, error);
}

static int purge_and_list(struct cached_scene *scene, struct seen *seen, mneme_error *error) {
    struct mutation both[] = {put_sealed(99), purge_of(MNEME_EPISODE, 99)};
    TRY(write_two(scene, both, error));
    return list(scene, seen, error);
}

static void load_list(struct cached_scene *scene) {
    struct store_query query = query_for(MNEME_EPISODE);
    (void)is_listed(scene, &query);
}

/* So that a page comes from the caches, and one of its records has to be loaded. */
static void load_list_without_one(struct cached_scene *scene) {
    struct mutation step = put_of(MNEME_STEP, 50);
    step.record.parent = numbered_id(1);
    load_list(scene);
    apply_ok(scene->other, step);
}

static void load_one_and_write_it(struct cached_scene *scene) {
    (void)is_cached(scene, MNEME_EPISODE, 1);
    apply_ok(scene->other, put_sealed(1));
}

static void nothing(struct cached_scene *scene) { (void)scene; }

static const struct operation operations[] = {
    {"acquire", acquire_one, nothing, 0},
    {"acquire what was written", acquire_one, load_one_and_write_it, 0},
    {"acquire what is not there", acquire_none, nothing, MNEME_NOT_FOUND},
    {"list", list, nothing, 0},
    {"list again", list, load_list, 0},
    {"list again without one", list, load_list_without_one, 0},
    {"put and acquire", put_and_acquire, load_list, 0},
    {"purge and list", purge_and_list, load_list, 0},
};

static void put_episodes(struct store *store) {
    for (unsigned n = 1; n <= RECORDS; n++)
        apply_ok(store, put_sealed(n));
}

/* What an operation has read was right, and so is all that is read from now on. */
static void assert_all_right(struct cached_scene *scene, const struct seen *seen, int status) {
    struct store_query query = query_for(MNEME_EPISODE);
    if (seen->page)
        assert_int_equal(seen->count, status ? 0 : RECORDS);
    for (unsigned n = 1; n <= RECORDS; n++)
        if (seen->clocks[n])
            assert_int_equal(seen->clocks[n], stored_clock(scene, MNEME_EPISODE, n));
    for (int round = 0; round < 2; round++) {
        for (unsigned n = 1; n <= RECORDS + 1; n++)
            assert_true(is_cached(scene, MNEME_EPISODE, n) || !round);
        assert_true(is_listed(scene, &query) || !round);
    }
}

static void unexpected(const struct operation *operation, uint64_t k, int status,
                       const mneme_error *error) {
    fail_msg("%s, allocation %llu: %d: %s", operation->name, (unsigned long long)k, status,
             error->message);
}

/* Nothing but the array of a page may lack memory, while the store below does not. */
static void assert_sweep_outside(struct cached_scene *scene, const struct operation *operation) {
    struct cached_options options = cached_scene_options();
    options.build = plain_build;
    bool failed = true;
    for (uint64_t k = 1; failed; k++) {
        mneme_error error = {0};
        struct seen seen = {0};
        cached_scene_reopen(scene, &options);
        operation->prepare(scene);
        watched_fail_outside(scene->below, k);
        int status = operation->run(scene, &seen, &error);
        failed = watched_has_failed(scene->below);
        bool array = failed && seen.page && status == MNEME_NO_MEMORY &&
                     strcmp(error.message, "no memory for a page of records") == 0;
        if (status != operation->expected && !array)
            unexpected(operation, k, status, &error);
        assert_all_right(scene, &seen, status);
        assert_true(k < MOST_ALLOCATIONS);
    }
}

static void caches_without_memory__reads_and_writes_go_on(void **state) {
    struct cached_scene *scene = *state;
    put_episodes(scene->other);
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        assert_sweep_outside(scene, &operations[i]);
}

/* Wherever memory is lacking, the caches and the store included: what fails says so, and what is
 * read afterwards is right. */
static void assert_sweep(struct cached_scene *scene, const struct operation *operation) {
    struct cached_options options = cached_scene_options();
    bool failed = true;
    for (uint64_t k = 1; failed; k++) {
        mneme_error error = {0};
        struct seen seen = {0};
        cached_scene_reopen(scene, &options);
        operation->prepare(scene);
        mem_fail_after(k);
        int status = operation->run(scene, &seen, &error);
        failed = mem_fail_after(0) >= k;
        if (status != operation->expected && (status != MNEME_NO_MEMORY || !failed))
            unexpected(operation, k, status, &error);
        assert_all_right(scene, &seen, status);
        assert_true(k < MOST_ALLOCATIONS);
    }
}

static void no_memory_anywhere__is_told_and_does_no_harm(void **state) {
    struct cached_scene *scene = *state;
    put_episodes(scene->other);
    for (size_t i = 0; i < COUNT_OF(operations); i++)
        assert_sweep(scene, &operations[i]);
}

static void cached_open__without_memory_leaves_the_store(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    bool opened = false;
    put_many(scene->other, MNEME_PATTERN, 1);
    for (uint64_t k = 1; !opened; k++) {
        struct watched *second = watched_open(scene->below->below);
        struct store *out = NULL;
        mneme_error error = {0};
        assert_non_null(second);
        mem_fail_after(k);
        int status = cached_open(&second->base, &options, &out, &error);
        mem_fail_after(0);
        opened = status == 0;
        assert_true(opened || (status == MNEME_NO_MEMORY && error.message[0] && !out));
        assert_true(stored_clock(scene, MNEME_PATTERN, 1) > 0);
        assert_int_equal(mem_store_open(1, &second->below, NULL), 0); /* closed instead of ours */
        store_close(opened ? out : &second->base);
        assert_true(k < MOST_ALLOCATIONS);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHED_CASE(change_log_that_fails__reads_go_below),
        CACHED_CASE(change_log_that_fails__as_a_store_too),
        CACHED_CASE(store_that_fails__tells_why_and_is_asked_again),
        CACHED_CASE(caches_without_memory__reads_and_writes_go_on),
        CACHED_CASE(no_memory_anywhere__is_told_and_does_no_harm),
        CACHED_CASE(cached_open__without_memory_leaves_the_store),
    };
    return cmocka_run_group_tests_name("cached failures", tests, NULL, NULL);
}
