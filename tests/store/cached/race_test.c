/*
 * race_test.c - what happens while a read or a write is under way: the old may reach those who
 * asked before, but it is not kept.
 *
 * Most races are told in one thread: the store below calls back when it has read and has not yet
 * returned, and the case writes then. So they are lost in the same way each time.
 */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "os/os.h"
#include "support/cached_scene.h"

static const struct attribute red = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"red", 3}};

static struct mutation put_red(mneme_kind kind, unsigned n) {
    struct mutation put = put_of(kind, n);
    put.record.attributes = &red;
    put.record.attribute_count = 1;
    return put;
}

static void call_back(struct cached_scene *scene, void (*meanwhile)(void *context)) {
    scene->below->meanwhile = meanwhile;
    scene->below->context = scene;
    atomic_store(&scene->below->calls_back, true);
}

static void get_in_step(struct cached_scene *scene) {
    (void)acquire_clock(scene, MNEME_RELATION, 999);
}

/* ---- A record that is written while it is loaded ----------------------------------------- */

static void write_and_get_in_step(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    get_in_step(scene);
}

static void load__that_a_write_has_outrun_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    uint64_t old = stored_clock(scene, MNEME_PATTERN, 1);
    call_back(scene, write_and_get_in_step);
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), old); /* who asked before the write */
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).not_kept, 1);
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
}

static void write_alone(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
}

/* Nobody has taken the change over when the load ends: whoever reads next does, and drops it. */
static void load__that_ends_before_a_write_is_known_is_dropped_later(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    call_back(scene, write_alone);
    (void)acquire_clock(scene, MNEME_PATTERN, 1);
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
}

static void write_and_read(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), stored_clock(scene, MNEME_PATTERN, 1));
}

/* Who comes behind the write must not join the load that began before it. */
static void load__that_a_write_has_outrun_is_not_joined(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    uint64_t old = stored_clock(scene, MNEME_PATTERN, 1);
    call_back(scene, write_and_read);
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), old);
    assert_true(is_cached(scene, MNEME_PATTERN, 1)); /* what the second load has kept */
}

static void load__that_found_nothing_before_a_write_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    call_back(scene, write_and_get_in_step);
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), 0);
    assert_true(acquire_clock(scene, MNEME_PATTERN, 1) > 0);
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
}

static void delete_and_get_in_step(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, delete_of(MNEME_PATTERN, 1));
    get_in_step(scene);
}

static void load__of_what_is_deleted_meanwhile_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    call_back(scene, delete_and_get_in_step);
    assert_true(acquire_clock(scene, MNEME_PATTERN, 1) > 0);
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), 0);
}

static void flood_and_get_in_step(void *context) {
    struct cached_scene *scene = context;
    enum { FLOOD = 1500 };
    struct mutation *puts = calloc(FLOOD, sizeof *puts);
    assert_non_null(puts);
    for (unsigned n = 0; n < FLOOD; n++)
        puts[n] = put_of(MNEME_PATTERN, n + 1);
    assert_int_equal(apply_mutations(scene->other, puts, FLOOD, NULL), 0);
    free(puts);
    get_in_step(scene);
}

static void load__that_a_flood_has_outrun_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    call_back(scene, flood_and_get_in_step);
    (void)acquire_clock(scene, MNEME_PATTERN, 1);
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
}

/* ---- A list that changes while it is read ------------------------------------------------ */

static void write_red_and_get_in_step(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, put_red(MNEME_EPISODE, 2));
    get_in_step(scene);
}

static void write_red_alone(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, put_red(MNEME_EPISODE, 2));
}

/* A page that is read while `meanwhile` adds a record is without it; the next one has it. */
static void assert_list_race(struct cached_scene *scene, void (*meanwhile)(void *context)) {
    struct store_query query = query_for(MNEME_EPISODE);
    CLEANUP(cached_page_fini) struct cached_page page = {0};
    query.filters = &red;
    query.filter_count = 1;
    apply_ok(scene->other, put_red(MNEME_EPISODE, 1));
    call_back(scene, meanwhile);
    assert_int_equal(cached_list(scene->cached, &query, &page, NULL), 0);
    assert_int_equal(page.count, 1);
    assert_false(is_listed(scene, &query));
    assert_true(is_listed(scene, &query));
}

static void list__that_a_write_has_outrun_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    assert_list_race(scene, write_red_and_get_in_step);
    assert_int_equal(part_stats(scene, CACHED_QUERIES).dropped[CACHE_CHANGED], 0);
}

static void list__that_is_read_before_a_write_is_known_is_dropped_later(void **state) {
    struct cached_scene *scene = *state;
    assert_list_race(scene, write_red_alone);
    assert_int_equal(part_stats(scene, CACHED_QUERIES).dropped[CACHE_CHANGED], 1);
}

/* The records of an outrun page are not kept either. */
static void rewrite_and_get_in_step(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, put_red(MNEME_EPISODE, 1));
    get_in_step(scene);
}

static void list__that_a_write_has_outrun_keeps_no_record(void **state) {
    struct cached_scene *scene = *state;
    assert_list_race(scene, rewrite_and_get_in_step);
    assert_true(is_cached(scene, MNEME_EPISODE, 1));
}

/* A page from the caches reads what it lacks; a write in between would make it of two moments. */
static void page__that_a_write_breaks_is_read_again(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = query_for(MNEME_EPISODE);
    struct mutation step = put_of(MNEME_STEP, 50);
    CLEANUP(cached_page_fini) struct cached_page page = {0};
    step.record.parent = numbered_id(1);
    for (unsigned n = 1; n <= 3; n++)
        apply_ok(scene->other, put_red(MNEME_EPISODE, n));
    assert_false(is_listed(scene, &query));
    apply_ok(scene->other, step); /* drops record 1, and no list */
    call_back(scene, write_red_alone);
    unsigned queries = atomic_load(&scene->below->queries);
    assert_int_equal(cached_list(scene->cached, &query, &page, NULL), 0);
    assert_int_equal(atomic_load(&scene->below->queries), queries + 1);
    assert_int_equal(page.items[1]->version.clock, stored_clock(scene, MNEME_EPISODE, 2));
}

/* ---- A record that another writes while this handle writes it ---------------------------- */

static void write__that_another_has_outrun_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    call_back(scene, write_alone); /* committed behind ours, before ours is kept */
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1));
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), stored_clock(scene, MNEME_PATTERN, 1));
}

static void delete_alone(void *context) {
    struct cached_scene *scene = context;
    apply_ok(scene->other, delete_of(MNEME_PATTERN, 1));
}

static void write__that_another_deletes_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    call_back(scene, delete_alone);
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1));
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), 0);
}

/* ---- Threads ----------------------------------------------------------------------------- */

enum { MISSERS = 16, PATIENCE_MS = 20000 };

/* Until all the others have joined the load. */
static void wait_for_joins(void *context) {
    struct cached_scene *scene = context;
    struct cache_stats stats[CACHED_PARTS];
    for (int i = 0; i < PATIENCE_MS; i++) {
        cached_stats(scene->cached, stats);
        if (stats[CACHED_PATTERNS].joins == MISSERS - 1)
            return;
        usleep(1000);
    }
}

static void *miss(void *context) {
    struct cached_scene *scene = context;
    struct cache_item *item = NULL;
    mneme_id id = numbered_id(1);
    CHECK(cached_acquire(scene->cached, MNEME_PATTERN, &id, &item, NULL) == 0);
    return item;
}

static void many_that_miss__share_one_read_and_one_item(void **state) {
    struct cached_scene *scene = *state;
    pthread_t threads[MISSERS];
    void *items[MISSERS];
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    get_in_step(scene);
    unsigned gets = atomic_load(&scene->below->gets);
    call_back(scene, wait_for_joins);
    for (size_t i = 0; i < MISSERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, miss, scene), 0);
    for (size_t i = 0; i < MISSERS; i++)
        assert_int_equal(pthread_join(threads[i], &items[i]), 0);
    assert_int_equal(atomic_load(&scene->below->gets), gets + 1);
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).joins, MISSERS - 1);
    for (size_t i = 0; i < MISSERS; i++) {
        assert_ptr_equal(items[i], items[0]);
        cache_item_release(items[i]);
    }
}

enum { RECORDS = 4, WRITES = 400, READERS = 3 };

/* For each record the clock of the latest version whose write has returned. */
struct crowd {
    struct cached_scene *scene;
    atomic_uint_fast64_t acknowledged[RECORDS];
    atomic_bool ended;
};

static void write_one(struct crowd *crowd, struct store *store, unsigned n) {
    struct mutation put = put_red(MNEME_PATTERN, n + 1);
    CHECK(apply_one(store, &put) == 0);
    uint64_t clock = put.record.change, known = atomic_load(&crowd->acknowledged[n]);
    while (known < clock && !atomic_compare_exchange_weak(&crowd->acknowledged[n], &known, clock))
        ;
}

static void *write_past_the_caches(void *context) {
    struct crowd *crowd = context;
    for (unsigned i = 0; i < WRITES; i++)
        write_one(crowd, crowd->scene->other, i % RECORDS);
    return NULL;
}

static void *write_through_the_caches(void *context) {
    struct crowd *crowd = context;
    for (unsigned i = 0; i < WRITES; i++)
        write_one(crowd, crowd->scene->cached, i * 7 % RECORDS);
    return NULL;
}

/* Whatever was acknowledged before a read is in it, and nothing that was read goes back. */
static void *read_records(void *context) {
    struct crowd *crowd = context;
    uint64_t least[RECORDS] = {0};
    for (unsigned i = 0; !atomic_load(&crowd->ended); i++) {
        unsigned n = i % RECORDS;
        struct cache_item *item = NULL;
        mneme_id id = numbered_id(n + 1);
        uint64_t known = atomic_load(&crowd->acknowledged[n]);
        int status = cached_acquire(crowd->scene->cached, MNEME_PATTERN, &id, &item, NULL);
        CHECK(status == 0 || (status == MNEME_NOT_FOUND && known == 0 && least[n] == 0));
        if (status)
            continue;
        CHECK(item->version.clock >= known && item->version.clock >= least[n]);
        least[n] = item->version.clock;
        cache_item_release(item);
    }
    return NULL;
}

static void *read_lists(void *context) {
    struct crowd *crowd = context;
    struct store_query query = query_for(MNEME_PATTERN);
    query.filters = &red;
    query.filter_count = 1;
    while (!atomic_load(&crowd->ended)) {
        struct cached_page page = {0};
        uint64_t known[RECORDS];
        unsigned there = 0;
        for (unsigned n = 0; n < RECORDS; n++) {
            known[n] = atomic_load(&crowd->acknowledged[n]);
            there += known[n] > 0;
        }
        CHECK(cached_list(crowd->scene->cached, &query, &page, NULL) == 0);
        CHECK(page.count >= there);
        for (size_t i = 0; i < page.count; i++) {
            uint32_t n = get_be32(page.items[i]->key.id.bytes + 12) - 1;
            CHECK(page.items[i]->version.clock >= known[n]);
        }
        cached_page_fini(&page);
    }
    return NULL;
}

static void readers_among_writers__see_what_was_acknowledged(void **state) {
    struct crowd crowd = {.scene = *state};
    pthread_t readers[READERS + 1], writers[2];
    for (size_t i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_records, &crowd), 0);
    assert_int_equal(pthread_create(&readers[READERS], NULL, read_lists, &crowd), 0);
    assert_int_equal(pthread_create(&writers[0], NULL, write_past_the_caches, &crowd), 0);
    assert_int_equal(pthread_create(&writers[1], NULL, write_through_the_caches, &crowd), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(writers[i], NULL);
    atomic_store(&crowd.ended, true);
    for (size_t i = 0; i <= READERS; i++)
        pthread_join(readers[i], NULL);
    assert_true(part_stats(crowd.scene, CACHED_PATTERNS).hits > 0);
}

int main(void) {
    alarm(300); /* who joins a load that waits for himself would wait for ever */
    const struct CMUnitTest tests[] = {
        CACHED_CASE(load__that_a_write_has_outrun_is_not_kept),
        CACHED_CASE(load__that_ends_before_a_write_is_known_is_dropped_later),
        CACHED_CASE(load__that_a_write_has_outrun_is_not_joined),
        CACHED_CASE(load__that_found_nothing_before_a_write_is_not_kept),
        CACHED_CASE(load__of_what_is_deleted_meanwhile_is_not_kept),
        CACHED_CASE(load__that_a_flood_has_outrun_is_not_kept),
        CACHED_CASE(list__that_a_write_has_outrun_is_not_kept),
        CACHED_CASE(list__that_is_read_before_a_write_is_known_is_dropped_later),
        CACHED_CASE(list__that_a_write_has_outrun_keeps_no_record),
        CACHED_CASE(page__that_a_write_breaks_is_read_again),
        CACHED_CASE(write__that_another_has_outrun_is_not_kept),
        CACHED_CASE(write__that_another_deletes_is_not_kept),
        CACHED_CASE(many_that_miss__share_one_read_and_one_item),
        CACHED_CASE(readers_among_writers__see_what_was_acknowledged),
    };
    return cmocka_run_group_tests_name("cached races", tests, NULL, NULL);
}
