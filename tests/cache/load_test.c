/*
 * load_test.c - guards, the race of a load with a write, and one load for all who miss a key.
 */
#include "cache_fixture.h"

/* ---- Guards --------------------------------------------------------------------------------- */

/* Which of the things that may happen between the begin and the end of a guard. */
struct guard_case {
    const char *name;
    uint64_t noted[2]; /* versions; 0: none */
    bool noted_unknown, noted_other, cleared, outrun, outrun_other;
    uint64_t kept_meanwhile;
    uint64_t brought, there_afterwards;
};

static void run_guard_case(const struct guard_case *c) {
    SCENE(s);
    scene_init_roomy(&s);
    struct cache_key key = key_of(1), other = key_of(2);
    struct cache_guard guard = {0};
    scene_note(&s, 1, 100); /* before: the store is asked later, and knows of it */
    cache_guard_begin(s.cache, &key, &guard);
    for (int i = 0; i < 2; i++)
        if (c->noted[i])
            scene_note(&s, 1, c->noted[i]);
    if (c->noted_unknown)
        cache_note(s.cache, &key, NULL, CACHE_CHANGED);
    if (c->noted_other)
        cache_note(s.cache, &other, NULL, CACHE_CHANGED);
    if (c->cleared)
        cache_clear(s.cache, CACHE_FLOODED);
    if (c->outrun)
        cache_outrun(s.cache, key.space);
    if (c->outrun_other)
        cache_outrun(s.cache, key.space + 1);
    if (c->kept_meanwhile)
        scene_keep(&s, 1, c->kept_meanwhile);
    cache_guard_end(s.cache, &guard, value_make(&s.ledger, 1, c->brought, VALUE_BYTES));
    uint64_t there = scene_version(&s, 1);
    if (there != c->there_afterwards)
        fail_msg("%s: version %u is there", c->name, (unsigned)there);
    assert_int_equal(scene_stats(&s).not_kept, there != c->brought);
    assert_null(s.cache->shards[0].guards);
}

static void cache_guard__keeps_only_what_nothing_has_outrun(void **state) {
    (void)state;
    static const struct guard_case cases[] = {
        {.name = "nothing noted", .brought = 5, .there_afterwards = 5},
        {.name = "the same noted", .noted = {5}, .brought = 5, .there_afterwards = 5},
        {.name = "an older one noted", .noted = {4}, .brought = 5, .there_afterwards = 5},
        {.name = "a newer one noted", .noted = {6}, .brought = 5},
        {.name = "newer, then older", .noted = {6, 4}, .brought = 5},
        {.name = "older, then newer", .noted = {4, 6}, .brought = 5},
        {.name = "something noted", .noted_unknown = true, .brought = UINT64_MAX},
        {.name = "another key noted", .noted_other = true, .brought = 5, .there_afterwards = 5},
        {.name = "cleared", .cleared = true, .brought = UINT64_MAX},
        {.name = "its space outrun", .outrun = true, .brought = UINT64_MAX},
        {.name = "another space outrun", .outrun_other = true, .brought = 5, .there_afterwards = 5},
        {.name = "newer kept", .kept_meanwhile = 6, .brought = 5, .there_afterwards = 6},
        {.name = "older kept", .kept_meanwhile = 4, .brought = 5, .there_afterwards = 5},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        run_guard_case(&cases[i]);
}

static void cache_guard_end__without_an_item_only_ends(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct cache_key key = key_of(1);
    struct cache_guard guard = {0};
    scene_keep(&s, 1, 1);
    cache_guard_begin(s.cache, &key, &guard);
    cache_guard_end(s.cache, &guard, NULL);
    assert_int_equal(scene_version(&s, 1), 1);
    assert_int_equal(scene_stats(&s).not_kept, 0);
}

static void cache_guards__of_one_key_end_in_any_order(void **state) {
    (void)state;
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (size_t i = 0; i < COUNT_OF(orders); i++) {
        SCENE(s);
        scene_init_roomy(&s);
        struct cache_key key = key_of(1);
        struct cache_guard guards[3] = {{.next = NULL}};
        cache_guard_begin(s.cache, &key, &guards[0]);
        scene_note(&s, 1, 5);
        cache_guard_begin(s.cache, &key, &guards[1]);
        scene_note(&s, 1, 7);
        cache_guard_begin(s.cache, &key, &guards[2]);
        for (int j = 0; j < 3; j++) {
            static const uint64_t brought[] = {6, 6, 7}; /* only the last one read late enough */
            int which = orders[i][j];
            struct cache_item *item = value_make(&s.ledger, 1, brought[which], VALUE_BYTES);
            cache_guard_end(s.cache, &guards[which], item);
        }
        assert_int_equal(scene_version(&s, 1), 7);
        assert_int_equal(scene_stats(&s).not_kept, 2);
    }
}

/* What is there already stays: only what is under way is outrun. */
static void cache_outrun__drops_nothing(void **state) {
    (void)state;
    SCENE(s);
    const struct cache_options options = {.bytes = 1 << 20, .entries = 400, .shards = 4};
    scene_init(&s, &options);
    struct cache_guard guards[20] = {{.next = NULL}};
    for (uint64_t i = 0; i < COUNT_OF(guards); i++) {
        struct cache_key key = key_of(i);
        scene_keep(&s, i, 1);
        cache_guard_begin(s.cache, &key, &guards[i]);
    }
    cache_outrun(s.cache, 1);
    for (uint64_t i = 0; i < COUNT_OF(guards); i++) { /* in every shard */
        cache_guard_end(s.cache, &guards[i], value_make(&s.ledger, i, 2, VALUE_BYTES));
        assert_int_equal(scene_version(&s, i), key_of(i).space == 1 ? 1 : 2);
    }
}

/* ---- A load and a write --------------------------------------------------------------------- */

/* What happens while a load looks into the store. */
struct event {
    struct scene *scene;
    uint64_t note, keep; /* versions; 0: none */
    bool clear, outrun;
    uint64_t read;  /* the version that a second reader finds then; 0: nobody reads */
    uint64_t got;   /* what the second reader got */
    unsigned loads; /* which the second reader has made */
};

static void event_run(void *context) {
    struct event *event = context;
    if (event->note)
        scene_note(event->scene, 1, event->note);
    if (event->keep)
        scene_keep(event->scene, 1, event->keep);
    if (event->clear)
        cache_clear(event->scene->cache, CACHE_FLOODED);
    if (event->outrun)
        cache_outrun(event->scene->cache, key_of(1).space);
    if (event->read) {
        struct source source = {.ledger = &event->scene->ledger, .version = event->read};
        event->got = source_version(event->scene, &source, 1);
        event->loads = source.loads;
    }
}

/* Load version `version` of the key (0: none), while `event` happens; what is there afterwards. */
static uint64_t load_during(struct scene *s, struct event *event, uint64_t version) {
    event->scene = s;
    struct source source = {
        .ledger = &s->ledger, .version = version, .meanwhile = event_run, .context = event};
    assert_int_equal(source_version(s, &source, 1), version);
    assert_int_equal(source.loads, 1);
    return scene_version(s, 1);
}

static void cache_load__outrun_by_a_write_is_returned_and_not_kept(void **state) {
    (void)state;
    static const struct {
        struct event event;
        uint64_t loaded, there_afterwards;
    } cases[] = {
        {{.note = 0}, 1, 1},
        {{.note = 1}, 1, 1},
        {{.note = 1}, 2, 2},
        {{.note = 2}, 1, 0},
        {{.outrun = true}, 1, 0},
        {{.clear = true}, 1, 0},
        {{.keep = 2}, 1, 2},
        {{.note = 2, .keep = 2}, 1, 2},
        {{.note = 3, .keep = 2}, 3, 3},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        SCENE(s);
        scene_init_roomy(&s);
        struct event event = cases[i].event;
        assert_int_equal(load_during(&s, &event, cases[i].loaded), cases[i].there_afterwards);
        bool kept = cases[i].loaded == cases[i].there_afterwards;
        assert_int_equal(scene_stats(&s).not_kept, !kept);
        assert_null(s.cache->shards[0].guards);
    }
}

static void cache_load__of_nothing_is_outrun_by_a_write_too(void **state) {
    (void)state;
    static const struct event events[] = {
        {.note = 1}, {.clear = true}, {.outrun = true}, {.keep = 1}};
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        SCENE(s);
        scene_init_roomy(&s);
        struct event event = events[i];
        assert_int_equal(load_during(&s, &event, 0), event.keep);
        struct source source = {.ledger = &s.ledger, .version = 1};
        assert_int_equal(source_version(&s, &source, 1),
                         1); /* "no such record" is not remembered */
        assert_int_equal(source.loads, event.keep ? 0 : 1);
    }
}

/* Who comes after the note must not be given what a load brings that began before. */
static void cache_load__after_a_note_is_one_of_its_own(void **state) {
    (void)state;
    static const struct event events[] = {
        {.note = 2, .read = 2}, {.clear = true, .read = 2}, {.outrun = true, .read = 2}};
    for (size_t i = 0; i < COUNT_OF(events); i++) {
        SCENE(s);
        scene_init_roomy(&s);
        struct event event = events[i];
        assert_int_equal(load_during(&s, &event, 1), 2);
        assert_int_equal(event.got, 2);
        assert_int_equal(event.loads, 1);
        assert_int_equal(scene_stats(&s).joins, 0);
        assert_int_equal(scene_stats(&s).misses, 2);
    }
}

static void load_another_key(void *context) {
    struct scene *s = context;
    struct source source = {.ledger = &s->ledger, .version = 9};
    assert_int_equal(source_version(s, &source, 2), 9);
    assert_int_equal(source.loads, 1);
}

static void cache_load__of_another_key_does_not_wait(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct source source = {
        .ledger = &s.ledger, .version = 1, .meanwhile = load_another_key, .context = &s};
    assert_int_equal(source_version(&s, &source, 1), 1);
    assert_int_equal(scene_stats(&s).joins, 0);
}

static void cache_load__too_large_is_returned_and_not_kept(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct source source = {.ledger = &s.ledger, .version = 1, .size_bytes = 2 << 20};
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(source_version(&s, &source, 1), 1);
        assert_int_equal(source.loads, i);
    }
    assert_int_equal(scene_stats(&s).not_kept, 3);
    assert_int_equal(ledger_live(&s.ledger), 0);
}

/* ---- Errors --------------------------------------------------------------------------------- */

static void cache_load__that_fails_is_tried_again(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct source source = {.ledger = &s.ledger, .version = 4, .status = MNEME_IO};
    struct cache_item *const untouched = (void *)&source, *item = untouched;
    mneme_error error = {0};
    assert_int_equal(source_get(&s, &source, 1, &item, &error), MNEME_IO);
    assert_ptr_equal(item, untouched);
    assert_int_equal(error.code, MNEME_IO);
    assert_string_equal(error.message, "load 1 has failed");
    assert_int_equal(source_get(&s, &source, 1, &item, NULL), MNEME_IO);
    source.status = 0;
    assert_int_equal(source_version(&s, &source, 1), 4);
    assert_int_equal(source.loads, 3);
    assert_int_equal(scene_version(&s, 1), 4);
}

static void cache_get__of_a_record_known_to_be_absent_says_so(void **state) {
    (void)state;
    SCENE(s);
    scene_init_roomy(&s);
    struct source source = {.ledger = &s.ledger};
    struct cache_item *const untouched = (void *)&source, *item = untouched;
    mneme_error error = {0};
    assert_int_equal(source_get(&s, &source, 1, &item, &error), MNEME_NOT_FOUND);
    assert_string_equal(error.message, "load 1 has found nothing");
    for (int i = 0; i < 3; i++) {
        error = (mneme_error){.code = MNEME_IO, .message = "of another call"};
        assert_int_equal(source_get(&s, &source, 1, &item, &error), MNEME_NOT_FOUND);
        assert_int_equal(error.code, MNEME_NOT_FOUND);
        assert_string_not_equal(error.message, "of another call");
    }
    assert_ptr_equal(item, untouched);
    assert_int_equal(source.loads, 1);
    assert_int_equal(scene_stats(&s).negative_hits, 3);
    struct cache_key key = key_of(1);
    struct cache_item *negative = cache_acquire(s.cache, &key);
    assert_non_null(negative);
    assert_true(negative->negative);
    cache_item_release(negative);
    scene_note(&s, 1, 1); /* now there is one */
    source.version = 1;
    assert_int_equal(source_version(&s, &source, 1), 1);
}

/* ---- Many threads miss at once -------------------------------------------------------------- */

enum { THREADS = 16 };

struct flight {
    struct scene scene;
    struct source source;
    bool outrun; /* the record changes while they wait */
    int statuses[THREADS];
    struct cache_item *items[THREADS];
    mneme_error errors[THREADS];
};

struct passenger {
    struct flight *flight;
    int seat;
    pthread_t thread;
};

static void wait_for_all_others(void *context) {
    struct flight *flight = context;
    int64_t deadline = clock_monotonic_us() + 120 * 1000000;
    while (scene_stats(&flight->scene).joins < THREADS - 1) {
        CHECK(clock_monotonic_us() < deadline); /* fail, do not hang */
        sched_yield();
    }
    if (flight->outrun)
        scene_note(&flight->scene, 1, 1000);
}

static void *fly(void *context) {
    struct passenger *p = context;
    struct flight *f = p->flight;
    f->statuses[p->seat] = source_get(&f->scene, &f->source, 1, &f->items[p->seat],
                                      p->seat == 0 ? NULL : &f->errors[p->seat]);
    return NULL;
}

/* All threads get one key; the load ends when all others wait for it. */
static void flight_run(struct flight *f, uint64_t version, int status, bool outrun) {
    struct passenger passengers[THREADS];
    *f = (struct flight){.outrun = outrun};
    scene_init_roomy(&f->scene);
    f->source = (struct source){.ledger = &f->scene.ledger,
                                .version = version,
                                .status = status,
                                .meanwhile = wait_for_all_others,
                                .context = f};
    for (int i = 0; i < THREADS; i++) {
        passengers[i] = (struct passenger){.flight = f, .seat = i};
        assert_int_equal(thread_start(&passengers[i].thread, fly, &passengers[i], NULL), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(passengers[i].thread, NULL);
    f->source.meanwhile = NULL;
    struct cache_stats stats = scene_stats(&f->scene);
    assert_int_equal(f->source.loads, 1);
    assert_int_equal(stats.misses, THREADS);
    assert_int_equal(stats.joins, THREADS - 1);
    assert_int_equal(stats.hits, 0);
}

static void cache_get__by_many_at_once_loads_once(void **state) {
    (void)state;
    struct flight f;
    flight_run(&f, 5, 0, false);
    assert_int_equal(ledger_live(&f.scene.ledger), 1);
    assert_int_equal(scene_version(&f.scene, 1), 5);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(f.statuses[i], 0);
        assert_ptr_equal(f.items[i], f.items[0]);
        cache_item_release(f.items[i]);
    }
    scene_fini(&f.scene);
}

static void cache_get__by_many_at_once_shares_what_was_outrun(void **state) {
    (void)state;
    struct flight f;
    flight_run(&f, 5, 0, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(f.statuses[i], 0);
        assert_int_equal(value_version(f.items[i], 1), 5); /* they asked before the change */
        cache_item_release(f.items[i]);
    }
    assert_int_equal(ledger_live(&f.scene.ledger), 0);
    assert_int_equal(scene_version(&f.scene, 1), 0);
    assert_int_equal(scene_stats(&f.scene).not_kept, 1);
    scene_fini(&f.scene);
}

static void cache_get__by_many_at_once_shares_an_error(void **state) {
    (void)state;
    struct flight f;
    flight_run(&f, 5, MNEME_CORRUPT, false);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(f.statuses[i], MNEME_CORRUPT);
        assert_null(f.items[i]);
        if (i == 0)
            continue; /* it did not want the text */
        assert_int_equal(f.errors[i].code, MNEME_CORRUPT);
        assert_string_equal(f.errors[i].message, "load 1 has failed");
    }
    f.source.status = 0;
    assert_int_equal(source_version(&f.scene, &f.source, 1), 5);
    assert_int_equal(f.source.loads, 2);
    scene_fini(&f.scene);
}

static void cache_get__by_many_at_once_shares_that_there_is_nothing(void **state) {
    (void)state;
    struct flight f;
    flight_run(&f, 0, 0, false);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(f.statuses[i], MNEME_NOT_FOUND);
        assert_null(f.items[i]);
        assert_string_equal(f.errors[i].message, i == 0 ? "" : "load 1 has found nothing");
    }
    assert_int_equal(source_version(&f.scene, &f.source, 1), 0);
    assert_int_equal(f.source.loads, 1);
    assert_int_equal(scene_stats(&f.scene).negative_hits, 1);
    scene_fini(&f.scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cache_guard__keeps_only_what_nothing_has_outrun),
        cmocka_unit_test(cache_guard_end__without_an_item_only_ends),
        cmocka_unit_test(cache_guards__of_one_key_end_in_any_order),
        cmocka_unit_test(cache_outrun__drops_nothing),
        cmocka_unit_test(cache_load__outrun_by_a_write_is_returned_and_not_kept),
        cmocka_unit_test(cache_load__of_nothing_is_outrun_by_a_write_too),
        cmocka_unit_test(cache_load__after_a_note_is_one_of_its_own),
        cmocka_unit_test(cache_load__of_another_key_does_not_wait),
        cmocka_unit_test(cache_load__too_large_is_returned_and_not_kept),
        cmocka_unit_test(cache_load__that_fails_is_tried_again),
        cmocka_unit_test(cache_get__of_a_record_known_to_be_absent_says_so),
        cmocka_unit_test(cache_get__by_many_at_once_loads_once),
        cmocka_unit_test(cache_get__by_many_at_once_shares_what_was_outrun),
        cmocka_unit_test(cache_get__by_many_at_once_shares_an_error),
        cmocka_unit_test(cache_get__by_many_at_once_shares_that_there_is_nothing),
    };
    return cmocka_run_group_tests_name("cache/load", tests, NULL, NULL);
}
