/*
 * followed_test.c - machines with caches over one store far away, all at once: who reads sees what
 * was acknowledged on his machine before the read began, and nothing that was read goes back.
 * Looks at the log fail now and then, and in between everybody pauses: then all must be seen by
 * all.
 */
#include <pthread.h>
#include <unistd.h>

#include "os/os.h"
#include "store/mem.h"
#include "support/followed_scene.h"

enum { MACHINES = 3, WRITERS = 2, READERS = 2, RECORDS = 6, WRITES = 300, ROUNDS = 3 };
enum { PATIENCE_MS = 20000 };

struct place {
    struct machine machine;
    /* For each record the clock of the latest version whose write has returned here. */
    atomic_uint_fast64_t acknowledged[RECORDS];
    struct world *world;
};

struct world {
    struct store *shared;
    bool looks_fail; /* now and then */
    struct place places[MACHINES];
    atomic_bool ended;
};

static const struct attribute tag = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"x", 1}};

static void *write_records(void *context) {
    struct place *place = context;
    for (unsigned i = 0; i < WRITES; i++) {
        unsigned n = i * 5 % RECORDS;
        struct mutation put = put_of(MNEME_PATTERN, n + 1);
        put.record.attributes = &tag;
        put.record.attribute_count = 1;
        CHECK(apply_one(place->machine.top, &put) == 0);
        uint64_t clock = put.record.change, known = atomic_load(&place->acknowledged[n]);
        while (known < clock &&
               !atomic_compare_exchange_weak(&place->acknowledged[n], &known, clock))
            ;
    }
    return NULL;
}

/* What a reader of a machine finds of a record. */
static uint64_t read_one(struct place *place, unsigned n, uint64_t least) {
    struct cache_item *item = NULL;
    mneme_id id = numbered_id(n + 1);
    uint64_t known = atomic_load(&place->acknowledged[n]);
    int status = cached_acquire(place->machine.top, MNEME_PATTERN, &id, &item, NULL);
    CHECK(status == 0 || (status == MNEME_NOT_FOUND && known == 0));
    CHECK(status == 0 || least == 0 || place->world->looks_fail);
    uint64_t clock = item ? item->version.clock : 0;
    CHECK(clock >= known);
    CHECK(clock >= least || place->world->looks_fail);
    cache_item_release(item);
    return clock;
}

static void read_list(struct place *place, uint64_t least[RECORDS]) {
    struct store_query query = query_for(MNEME_PATTERN);
    struct cached_page page = {0};
    uint64_t known[RECORDS];
    query.filters = &tag;
    query.filter_count = 1;
    for (unsigned n = 0; n < RECORDS; n++)
        known[n] = atomic_load(&place->acknowledged[n]);
    CHECK(cached_list(place->machine.top, &query, &page, NULL) == 0);
    for (size_t i = 0; i < page.count; i++) {
        unsigned n = get_be32(page.items[i]->key.id.bytes + 12) - 1;
        CHECK(page.items[i]->version.clock >= known[n]);
        CHECK(page.items[i]->version.clock >= least[n] || place->world->looks_fail);
        least[n] = page.items[i]->version.clock;
        known[n] = 0;
    }
    for (unsigned n = 0; n < RECORDS; n++)
        CHECK(known[n] == 0);
    cached_page_fini(&page);
}

static void *read_records(void *context) {
    struct place *place = context;
    uint64_t least[RECORDS] = {0};
    for (unsigned i = 0; !atomic_load(&place->world->ended); i++) {
        if (i % 7 == 0)
            read_list(place, least);
        least[i % RECORDS] = read_one(place, i % RECORDS, least[i % RECORDS]);
    }
    return NULL;
}

static void *disturb_looks(void *context) {
    struct world *world = context;
    for (unsigned i = 0; !atomic_load(&world->ended); i++) {
        struct followed_shim *shim = world->places[i % MACHINES].machine.shim;
        atomic_store(&shim->status[SHIM_CHANGES],
                     i % 3 || !world->looks_fail ? 0 : MNEME_UNAVAILABLE);
        usleep(500);
    }
    for (unsigned i = 0; i < MACHINES; i++)
        atomic_store(&world->places[i].machine.shim->status[SHIM_CHANGES], 0);
    return NULL;
}

/* All have stopped: within a while all machines have the same, with nobody asking for a look. */
static void assert_all_see_all(struct world *world) {
    for (unsigned n = 0; n < RECORDS; n++) {
        uint64_t latest = 0;
        for (unsigned m = 0; m < MACHINES; m++)
            if (atomic_load(&world->places[m].acknowledged[n]) > latest)
                latest = atomic_load(&world->places[m].acknowledged[n]);
        for (unsigned m = 0; m < MACHINES; m++) {
            uint64_t clock = 0;
            for (int i = 0; i < PATIENCE_MS && clock != latest; i++) {
                clock = read_one(&world->places[m], n, clock);
                if (clock != latest)
                    usleep(1000);
            }
            assert_int_equal(clock, latest);
            assert_int_equal(read_one(&world->places[m], n, latest), latest); /* a hit, then */
        }
    }
}

static void run_round(struct world *world) {
    enum { A_MACHINE = WRITERS + READERS };
    pthread_t threads[MACHINES][A_MACHINE], disturber;
    atomic_store(&world->ended, false);
    assert_int_equal(pthread_create(&disturber, NULL, disturb_looks, world), 0);
    for (unsigned m = 0; m < MACHINES; m++)
        for (unsigned i = 0; i < A_MACHINE; i++)
            assert_int_equal(pthread_create(&threads[m][i], NULL,
                                            i < WRITERS ? write_records : read_records,
                                            &world->places[m]),
                             0);
    for (unsigned m = 0; m < MACHINES; m++)
        for (unsigned i = 0; i < WRITERS; i++)
            pthread_join(threads[m][i], NULL);
    atomic_store(&world->ended, true);
    for (unsigned m = 0; m < MACHINES; m++)
        for (unsigned i = WRITERS; i < A_MACHINE; i++)
            pthread_join(threads[m][i], NULL);
    pthread_join(disturber, NULL);
    assert_all_see_all(world);
}

/* `with_groups`: commits come one after the other; else they overtake each other. */
static void run_world(bool with_groups, bool looks_fail) {
    static const struct followed_options options = {.interval_ms = 1};
    static struct world world;
    world = (struct world){.looks_fail = looks_fail};
    assert_int_equal(mem_store_open(1, &world.shared, NULL), 0);
    for (unsigned m = 0; m < MACHINES; m++) {
        struct place *place = &world.places[m];
        struct cached_options caches = cached_scene_options();
        place->world = &world;
        machine_open(&place->machine, world.shared, &options, with_groups);
        if (!with_groups)
            assert_int_equal(
                cached_open(place->machine.followed, &caches, &place->machine.top, NULL), 0);
    }
    for (unsigned round = 0; round < ROUNDS; round++)
        run_round(&world);
    for (unsigned m = 0; m < MACHINES; m++) {
        struct cache_stats stats[CACHED_PARTS];
        cached_stats(world.places[m].machine.top, stats);
        assert_true(stats[CACHED_PATTERNS].hits > 0);
        assert_int_equal(moment_of(world.places[m].machine.top) >> 48, 0);
        store_close(world.places[m].machine.top);
    }
    store_close(world.shared);
}

static void machines__with_group_commits_see_their_own(void **state) {
    (void)state;
    run_world(true, false);
}

static void machines__whose_commits_overtake_each_other_see_their_own(void **state) {
    (void)state;
    run_world(false, false);
}

static void machines__whose_looks_fail_see_their_own(void **state) {
    (void)state;
    run_world(true, true);
    run_world(false, true);
}

int main(void) {
    alarm(600);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(machines__with_group_commits_see_their_own),
        cmocka_unit_test(machines__whose_commits_overtake_each_other_see_their_own),
        cmocka_unit_test(machines__whose_looks_fail_see_their_own),
    };
    return cmocka_run_group_tests_name("followed, with threads", tests, NULL, NULL);
}
