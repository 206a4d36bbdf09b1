/*
 * threads_test.c - readers, writers, invalidations, the clock and statistics at once, on a cache
 * that is far too small, over a store whose truth is known.
 *
 * The oracle. Every record has a version in the "store" and one in the "oracle". A writer raises
 * the first, notes it, and then raises the second. So a reader who asks the oracle and then the
 * cache must never be given an older version, by whatever way it came into the cache. A version
 * that is a multiple of ABSENT_EVERY says that the record is not there.
 */
#include "cache_fixture.h"

/* ---- Fixture -------------------------------------------------------------------------------- */

enum {
    KEYS = 64,
    ABSENT_EVERY = 5,
    READERS = 3,
    WRITERS = 2,
    READS = SANITIZED ? 40000 : 300000,
    WRITES = SANITIZED ? 15000 : 100000
};

struct world {
    struct scene scene;
    atomic_uint_fast64_t store[KEYS], oracle[KEYS];
    struct lock locks[KEYS / 2]; /* of the records that are written one writer at a time */
    struct cache_item *held[READERS];
    _Atomic(struct pin_slot *) handed_on[4]; /* for another thread to give back */
    uint64_t held_numbers[READERS];
    uint32_t now;
    atomic_bool done; /* readers and writers are */
};

struct worker {
    struct world *world;
    unsigned index;
    pthread_t thread;
};

static bool is_absent(uint64_t version) { return version % ABSENT_EVERY == 0; }

static struct cache_item *item_of_version(struct world *w, uint64_t number, uint64_t version) {
    return value_make(&w->scene.ledger, number, version, 50 + number * 20);
}

static int load(void *context, const struct cache_key *key, struct cache_item **out,
                mneme_error *error) {
    struct world *w = context;
    uint64_t number = get_be64(key->id.bytes), version = atomic_load(&w->store[number]);
    if (is_absent(version))
        return error_set(error, MNEME_NOT_FOUND, "no record");
    *out = item_of_version(w, number, version);
    return 0;
}

/* ---- Readers -------------------------------------------------------------------------------- */

/* Nothing was there: some version since the oracle was asked must have said so. */
static void check_absent(struct world *w, uint64_t number, uint64_t oracle) {
    uint64_t now = atomic_load(&w->store[number]);
    uint64_t next = (oracle + ABSENT_EVERY - 1) / ABSENT_EVERY * ABSENT_EVERY;
    CHECK(next <= now);
}

static void check_item(struct world *w, const struct cache_item *item, uint64_t number,
                       uint64_t oracle) {
    if (item->negative)
        check_absent(w, number, oracle);
    else
        CHECK(value_version(item, number) >= oracle && !is_absent(item->version.clock));
}

/* A hit in a slot; now and then another one lies in a second slot meanwhile. */
static void read_in_slot(struct world *w, uint64_t number, struct random *random) {
    uint64_t oracle = atomic_load(&w->oracle[number]);
    struct cache_key key = key_of(number);
    struct pin_slot *slot = cache_acquire_slot(w->scene.cache, &key);
    if (!slot)
        return;
    check_item(w, pin_item(slot), number, oracle);
    if (random_below(random, 4) == 0)
        read_in_slot(w, random_below(random, KEYS), random);
    check_item(w, pin_item(slot), number, oracle);
    if (random_below(random, 4) == 0)
        slot = atomic_exchange(&w->handed_on[random_below(random, COUNT_OF(w->handed_on))], slot);
    if (!slot)
        return;
    if (!pin_item(slot)->negative) /* perhaps of another thread, and long out of the table */
        (void)value_version(pin_item(slot), get_be64(pin_item(slot)->key.id.bytes));
    pin_clear(slot);
}

static void *read_often(void *context) {
    struct worker *worker = context;
    struct world *w = worker->world;
    struct random random = {worker->index + 1};
    struct cache_loader loader = {load, w};
    for (int i = 0; i < READS; i++) {
        uint64_t number = random_below(&random, 1 + random_below(&random, KEYS));
        uint64_t oracle = atomic_load(&w->oracle[number]);
        struct cache_key key = key_of(number);
        struct cache_item *item = NULL;
        read_in_slot(w, number, &random);
        if (random_below(&random, 2)) {
            item = cache_acquire(w->scene.cache, &key);
        } else {
            int status = cache_get(w->scene.cache, &key, &loader, &item, NULL);
            CHECK(status == 0 || status == MNEME_NOT_FOUND);
            if (status)
                check_absent(w, number, oracle);
        }
        if (!item)
            continue;
        check_item(w, item, number, oracle);
        if (item->negative || random_below(&random, 16)) {
            cache_item_release(item);
            continue;
        }
        struct cache_item *before = w->held[worker->index]; /* held for a while */
        if (before)
            (void)value_version(before, w->held_numbers[worker->index]);
        cache_item_release(before);
        w->held[worker->index] = item;
        w->held_numbers[worker->index] = number;
    }
    return NULL;
}

/* ---- Writers -------------------------------------------------------------------------------- */

static void tell_oracle(struct world *w, uint64_t number, uint64_t version) {
    uint64_t known = atomic_load(&w->oracle[number]);
    while (known < version && !atomic_compare_exchange_weak(&w->oracle[number], &known, version))
        ;
}

static uint64_t raise_and_note(struct world *w, uint64_t number, bool unknown) {
    struct cache_key key = key_of(number);
    uint64_t version = atomic_fetch_add(&w->store[number], 1) + 1;
    mneme_version noted = {version, 0};
    cache_note(w->scene.cache, &key, unknown ? NULL : &noted, CACHE_CHANGED);
    return version;
}

/* Writers of one record at once: a guard tells which of them was the last. */
static void write_guarded(struct world *w, uint64_t number, struct random *random) {
    struct cache_key key = key_of(number);
    struct cache_guard guard = {0};
    cache_guard_begin(w->scene.cache, &key, &guard);
    uint64_t version = raise_and_note(w, number, random_below(random, 8) == 0);
    tell_oracle(w, number, version);
    bool keeps = !is_absent(version) && random_below(random, 3);
    cache_guard_end(w->scene.cache, &guard, keeps ? item_of_version(w, number, version) : NULL);
}

/* One writer of a record at a time, who therefore knows what is the latest. */
static void write_alone(struct world *w, uint64_t number, struct random *random) {
    AUTO_LOCK(held, &w->locks[number / 2]);
    uint64_t version = raise_and_note(w, number, false);
    tell_oracle(w, number, version);
    if (!is_absent(version) && random_below(random, 3))
        cache_keep(w->scene.cache, item_of_version(w, number, version));
}

static bool has_odd_version(void *context, const struct cache_item *item) {
    (void)context;
    return item->version.clock % 2;
}

/* What happens to the whole cache now and then; the clock is one thread's. */
static void disturb(struct world *w, const struct worker *worker, int i, struct random *random) {
    if (worker->index == READERS && i % 50 == 0) {
        w->now += (uint32_t)random_below(random, i % 1000 ? 3 : 200);
        cache_tick(w->scene.cache, w->now);
    }
    if (worker->index != READERS && i % 1000 == 0)
        cache_filter(w->scene.cache, has_odd_version, NULL, CACHE_CHANGED);
    if (worker->index != READERS && i % 3000 == 1)
        cache_clear(w->scene.cache, CACHE_FLOODED);
}

static void *write_often(void *context) {
    struct worker *worker = context;
    struct random random = {worker->index + 1000};
    for (int i = 0; i < WRITES; i++) {
        uint64_t number = random_below(&random, 1 + random_below(&random, KEYS));
        if (number % 2)
            write_guarded(worker->world, number, &random);
        else
            write_alone(worker->world, number, &random);
        disturb(worker->world, worker, i, &random);
    }
    return NULL;
}

/* ---- Statistics ----------------------------------------------------------------------------- */

static void *count_often(void *context) {
    struct worker *worker = context;
    while (!atomic_load(&worker->world->done)) {
        struct cache_stats stats = scene_stats(&worker->world->scene);
        CHECK(stats.bytes <= stats.bytes_max && stats.entries <= stats.entries_max);
        CHECK(stats.minute_hits <= stats.hits && stats.hour_hits <= stats.hits);
        CHECK(stats.minute_lookups <= stats.hits + stats.misses);
        CHECK(stats.hour_lookups <= stats.hits + stats.misses);
        CHECK(stats.joins <= stats.misses);
        sched_yield();
    }
    return NULL;
}

/* ---- The run -------------------------------------------------------------------------------- */

static void world_run(struct world *w) {
    enum { COUNTER = READERS + WRITERS };
    struct worker workers[COUNTER + 1];
    for (unsigned i = 0; i <= COUNTER; i++) {
        workers[i] = (struct worker){.world = w, .index = i};
        void *(*run)(void *) = i < READERS ? read_often : i < COUNTER ? write_often : count_often;
        assert_int_equal(thread_start(&workers[i].thread, run, &workers[i], NULL), 0);
    }
    for (unsigned i = 0; i <= COUNTER; i++) {
        if (i == COUNTER)
            atomic_store(&w->done, true);
        pthread_join(workers[i].thread, NULL);
    }
}

static void run(const struct cache_options *options) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    scene_init(&w->scene, options);
    for (unsigned i = 0; i < COUNT_OF(w->locks); i++)
        lock_init(&w->locks[i], RANK_CACHED);
    for (uint64_t number = 0; number < KEYS; number++) {
        atomic_store(&w->store[number], 1);
        atomic_store(&w->oracle[number], 1);
    }
    world_run(w);
    struct cache_stats stats = scene_stats(&w->scene);
    assert_true(stats.hits && stats.misses && stats.kept && stats.expired);
    uint64_t left = stats.expired + stats.evicted_bytes_full + stats.evicted_entries_full;
    for (size_t cause = 0; cause < CACHE_CAUSES; cause++)
        left += stats.dropped[cause];
    assert_int_equal(stats.kept, stats.entries + left);
    cache_destroy(w->scene.cache);
    for (unsigned i = 0; i < COUNT_OF(w->handed_on); i++)
        if (w->handed_on[i])
            pin_clear(w->handed_on[i]);
    pin_retire(NULL);
    assert_int_equal(pin_waiting(), 0);
    for (unsigned i = 0; i < READERS; i++) {
        if (w->held[i])
            (void)value_version(w->held[i], w->held_numbers[i]);
        cache_item_release(w->held[i]);
    }
    assert_int_equal(ledger_live(&w->scene.ledger), 0);
    for (unsigned i = 0; i < COUNT_OF(w->locks); i++)
        lock_fini(&w->locks[i]);
    free(w);
}

#define TTLS .ttl_min = 5, .ttl_base = 20, .ttl_max = 100

static void cache_threads__never_see_what_was_outrun_on_one_shard(void **state) {
    (void)state;
    run(&(const struct cache_options){.bytes = 16000, .entries = 24, .shards = 1, TTLS});
}

static void cache_threads__never_see_what_was_outrun_on_four_shards(void **state) {
    (void)state;
    run(&(const struct cache_options){.bytes = 20000, .entries = 32, .shards = 4, TTLS});
}

/* ---- Replacing ------------------------------------------------------------------------------ */

struct relay {
    struct scene scene;
    atomic_bool done;
};

static void *read_relay(void *context) {
    struct relay *relay = context;
    uint64_t before = 0;
    while (!atomic_load(&relay->done)) {
        uint64_t version = scene_version(&relay->scene, 1);
        CHECK(version >= before && version > 0);
        before = version;
    }
    return NULL;
}

/* Nobody finds neither the old item nor the new one. */
static void cache_threads__always_find_what_is_only_replaced(void **state) {
    (void)state;
    struct relay relay = {.done = false};
    scene_init_roomy(&relay.scene);
    scene_keep(&relay.scene, 1, 1);
    pthread_t readers[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(thread_start(&readers[i], read_relay, &relay, NULL), 0);
    for (uint64_t version = 2; version < WRITES; version++)
        scene_keep(&relay.scene, 1, version);
    atomic_store(&relay.done, true);
    for (int i = 0; i < 2; i++)
        pthread_join(readers[i], NULL);
    scene_fini(&relay.scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_threads__never_see_what_was_outrun_on_one_shard),
        cmocka_unit_test(cache_threads__never_see_what_was_outrun_on_four_shards),
        cmocka_unit_test(cache_threads__always_find_what_is_only_replaced),
    };
    return cmocka_run_group_tests_name("cache/threads", tests, NULL, NULL);
}
