/*
 * record_test.c - single records through the caches: what is kept, and what drops it.
 */
#include "store/cached/cached_impl.h"
#include "support/cached_scene.h"

static struct mutation put_text(mneme_kind kind, unsigned n, const char *body) {
    struct mutation put = put_of(kind, n);
    put.record.body = slice_of_string(body);
    return put;
}

static struct mutation put_child(mneme_kind kind, unsigned n, unsigned parent) {
    struct mutation put = put_of(kind, n);
    put.record.parent = numbered_id(parent);
    return put;
}

static void put_many(struct store *store, mneme_kind kind, unsigned from, unsigned count) {
    struct mutation *puts = calloc(count, sizeof *puts);
    assert_non_null(puts);
    for (unsigned i = 0; i < count; i++)
        puts[i] = put_of(kind, from + i);
    assert_int_equal(apply_mutations(store, puts, count, NULL), 0);
    free(puts);
}

/* ---- Reading ----------------------------------------------------------------------------- */

static void cached_acquire__second_time_is_a_hit(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->other, put_text(MNEME_PATTERN, 1, "as it was put"));
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    struct cache_stats stats = part_stats(scene, CACHED_PATTERNS);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.hits, 1);
    assert_int_equal(stats.kept, 1);
    assert_int_equal(stats.entries, 1);
    assert_true(stats.bytes > 0);
}

static void cached_acquire__gives_one_item_to_all(void **state) {
    struct cached_scene *scene = *state;
    struct cache_item *first = NULL, *second = NULL;
    mneme_id id = numbered_id(1);
    apply_ok(scene->other, put_text(MNEME_EPISODE, 1, "one item"));
    assert_int_equal(cached_acquire(scene->cached, MNEME_EPISODE, &id, &first, NULL), 0);
    assert_int_equal(cached_acquire(scene->cached, MNEME_EPISODE, &id, &second, NULL), 0);
    assert_ptr_equal(first, second);
    assert_true(slice_equal(value_record(first)->body, slice_of_string("one item")));
    cache_item_release(first);
    cache_item_release(second);
}

static void cached_acquire__each_kind_has_its_part(void **state) {
    struct cached_scene *scene = *state;
    static const struct {
        mneme_kind kind;
        enum cached_part part;
    } rows[] = {{MNEME_EPISODE, CACHED_EPISODES},    {MNEME_STEP, CACHED_CHILDREN},
                {MNEME_CHECKPOINT, CACHED_CHILDREN}, {MNEME_PATTERN, CACHED_PATTERNS},
                {MNEME_HEURISTIC, CACHED_PATTERNS},  {MNEME_EMBEDDING, CACHED_PATTERNS},
                {MNEME_RELATION, CACHED_PATTERNS}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t before = part_stats(scene, rows[i].part).entries;
        apply_ok(scene->other, put_of(rows[i].kind, 1));
        assert_false(is_cached(scene, rows[i].kind, 1));
        assert_true(is_cached(scene, rows[i].kind, 1));
        assert_int_equal(part_stats(scene, rows[i].part).entries, before + 1);
    }
    apply_ok(scene->other, put_of(MNEME_DICTIONARY, 1));
    assert_false(is_cached(scene, MNEME_DICTIONARY, 1));
    assert_false(is_cached(scene, MNEME_DICTIONARY, 1));
}

static void cached_acquire__remembers_that_there_is_none(void **state) {
    struct cached_scene *scene = *state;
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).negative_hits, 1);
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    assert_true(acquire_clock(scene, MNEME_PATTERN, 1) > 0);
}

static void cached_acquire__says_not_found_as_the_store_does(void **state) {
    struct cached_scene *scene = *state;
    AUTO_RECORDS struct record_set set = {0};
    mneme_id id = numbered_id(77);
    mneme_error wanted, loaded, hit;
    struct cache_item *item;
    store_get_one(scene->other, MNEME_STEP, &id, &set, &wanted);
    assert_int_equal(cached_acquire(scene->cached, MNEME_STEP, &id, &item, &loaded),
                     MNEME_NOT_FOUND);
    assert_int_equal(cached_acquire(scene->cached, MNEME_STEP, &id, &item, &hit), MNEME_NOT_FOUND);
    assert_string_equal(loaded.message, wanted.message);
    assert_string_equal(hit.message, wanted.message);
}

static void cached_acquire__part_that_is_off_reads_the_store(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    options.parts[CACHED_PATTERNS].bytes = 0;
    cached_scene_reopen(scene, &options);
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->cached, put_of(MNEME_STEP, 1));
    for (int round = 0; round < 2; round++) {
        assert_false(is_cached(scene, MNEME_PATTERN, 1));
        assert_int_equal(is_cached(scene, MNEME_STEP, 1), round);
    }
    struct cache_stats stats = part_stats(scene, CACHED_PATTERNS), none = {0};
    assert_memory_equal(&stats, &none, sizeof none);
}

/* ---- As a store -------------------------------------------------------------------------- */

static void store_get__is_answered_from_the_caches(void **state) {
    struct cached_scene *scene = *state;
    struct record_name names[] = {{MNEME_PATTERN, numbered_id(1)}, {MNEME_EPISODE, numbered_id(2)}};
    apply_ok(scene->other, put_text(MNEME_PATTERN, 1, "first"));
    apply_ok(scene->other, put_text(MNEME_EPISODE, 2, "second"));
    for (int round = 0; round < 2; round++) {
        AUTO_RECORDS struct record_set set = {0}, below = {0};
        size_t found[2], found_below[2];
        unsigned before = atomic_load(&scene->below->gets);
        assert_int_equal(store_get(scene->cached, names, 2, &set, found, NULL), 0);
        assert_int_equal(atomic_load(&scene->below->gets) - before, round ? 0 : 2);
        assert_int_equal(store_get(scene->other, names, 2, &below, found_below, NULL), 0);
        for (size_t i = 0; i < 2; i++)
            assert_null(record_difference(&set.records[found[i]], &below.records[found_below[i]]));
    }
}

static void store_get__finds_tombstones_all_the_same(void **state) {
    struct cached_scene *scene = *state;
    struct record_name name = {MNEME_PATTERN, numbered_id(1)};
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->cached, delete_of(MNEME_PATTERN, 1));
    for (int round = 0; round < 2; round++) {
        AUTO_RECORDS struct record_set set = {0};
        size_t found;
        assert_false(round && !is_cached(scene, MNEME_PATTERN, 1));
        assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), 0);
        assert_int_equal(store_get(scene->cached, &name, 1, &set, &found, NULL), 0);
        assert_int_equal(set.records[found].flags, MNEME_FLAG_DELETED);
    }
}

/* ---- What a write fills ------------------------------------------------------------------ */

static void cached_apply__keeps_what_it_wrote(void **state) {
    struct cached_scene *scene = *state;
    struct mutation sealed = put_of(MNEME_EPISODE, 2);
    sealed.record.flags = MNEME_FLAG_SEALED;
    apply_ok(scene->cached, put_text(MNEME_PATTERN, 1, "first"));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    apply_ok(scene->cached, put_text(MNEME_PATTERN, 1, "second"));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    apply_ok(scene->cached, sealed);
    assert_true(is_cached(scene, MNEME_EPISODE, 2));
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).entries, 1);
}

static void cached_apply__does_not_keep_what_seldom_is_read(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->cached, put_of(MNEME_EPISODE, 1)); /* open: it changes with each step */
    apply_ok(scene->cached, put_child(MNEME_STEP, 2, 1));
    apply_ok(scene->cached, put_child(MNEME_CHECKPOINT, 3, 1));
    assert_int_equal(part_stats(scene, CACHED_EPISODES).entries, 0);
    assert_int_equal(part_stats(scene, CACHED_CHILDREN).entries, 0);
}

static void cached_apply__no_fill_keeps_nothing(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    options.no_fill = true;
    cached_scene_reopen(scene, &options);
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1));
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).entries, 0);
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
}

static void cached_apply__what_was_refused_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->cached, put_text(MNEME_PATTERN, 1, "first"));
    struct mutation put = put_text(MNEME_PATTERN, 1, "second");
    put.condition = CONDITION_ABSENT;
    assert_int_equal(apply_one(scene->cached, &put), MNEME_CONFLICT);
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
}

/* A replica's put, older than what is there: whether that is cached, or only known to be there. */
static void cached_apply__what_was_passed_over_is_not_kept(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1));
    apply_ok(scene->other, put_of(MNEME_PATTERN, 2));
    assert_true(is_cached(scene, MNEME_PATTERN, 1)); /* in step, and 2 was not read */
    for (unsigned n = 1; n <= 2; n++) {
        struct mutation late = put_text(MNEME_PATTERN, n, "a replica's, older");
        late.record.version = (mneme_version){1, 1};
        apply_ok(scene->cached, late);
        assert_int_equal(is_cached(scene, MNEME_PATTERN, n), n == 1);
    }
}

static void cached_apply__record_twice_in_a_batch_is_the_last(void **state) {
    struct cached_scene *scene = *state;
    struct mutation both[] = {put_text(MNEME_PATTERN, 1, "first"),
                              put_text(MNEME_PATTERN, 1, "second")};
    assert_int_equal(apply_mutations(scene->cached, both, 2, NULL), 0);
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 1), both[1].record.change);
    struct mutation gone[] = {put_text(MNEME_PATTERN, 2, "there"), purge_of(MNEME_PATTERN, 2)};
    assert_int_equal(apply_mutations(scene->cached, gone, 2, NULL), 0);
    assert_int_equal(acquire_clock(scene, MNEME_PATTERN, 2), 0);
}

static void cached_apply__big_batch_keeps_nothing(void **state) {
    struct cached_scene *scene = *state;
    put_many(scene->cached, MNEME_PATTERN, 1, 64);
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).entries, 64);
    put_many(scene->cached, MNEME_PATTERN, 1, 65);
    assert_true(acquire_clock(scene, MNEME_PATTERN, 1) > 0); /* in step: the old ones are dropped */
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).entries, 1);
}

/* ---- What a change drops ----------------------------------------------------------------- */

/* A change of one of three cached records drops that one, whoever makes it. */
static void assert_drops_one(struct cached_scene *scene, struct store *writer, mneme_kind kind,
                             struct mutation (*change)(mneme_kind kind, unsigned n)) {
    for (unsigned n = 1; n <= 3; n++)
        apply_ok(scene->other, put_of(kind, n));
    for (unsigned n = 1; n <= 3; n++)
        assert_false(is_cached(scene, kind, n));
    uint64_t clock = acquire_clock(scene, kind, 2);
    apply_ok(writer, change(kind, 2));
    assert_true(is_cached(scene, kind, 1));
    assert_true(is_cached(scene, kind, 3));
    assert_int_not_equal(acquire_clock(scene, kind, 2), clock);
    assert_int_equal(acquire_clock(scene, kind, 2), stored_clock(scene, kind, 2));
    assert_true(is_cached(scene, kind, 2));
}

static void change__drops_its_record_alone(void **state) {
    struct cached_scene *scene = *state;
    static const mneme_kind kinds[] = {MNEME_PATTERN, MNEME_EPISODE, MNEME_STEP, MNEME_RELATION};
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        assert_drops_one(scene, scene->cached, kinds[i], put_of);
        assert_drops_one(scene, scene->other, kinds[i], put_of);
        assert_drops_one(scene, scene->cached, kinds[i], delete_of);
        assert_drops_one(scene, scene->other, kinds[i], delete_of);
    }
}

static void purge__drops_its_record_alone(void **state) {
    struct cached_scene *scene = *state;
    assert_drops_one(scene, scene->cached, MNEME_PATTERN, purge_of);
    assert_drops_one(scene, scene->cached, MNEME_STEP, purge_of);
}

static void change__is_told_of_in_the_statistics(void **state) {
    struct cached_scene *scene = *state;
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    struct cache_stats stats = part_stats(scene, CACHED_PATTERNS);
    assert_int_equal(stats.dropped[CACHE_CHANGED], 1);
    assert_int_equal(stats.entries, 1);
}

/* ---- Flood and time ---------------------------------------------------------------------- */

static void flood__clears_all(void **state) {
    struct cached_scene *scene = *state;
    struct store_query query = query_for(MNEME_PATTERN);
    apply_ok(scene->other, put_of(MNEME_PATTERN, 1));
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_false(is_listed(scene, &query));
    put_many(scene->other, MNEME_RELATION, 1, 1000);
    assert_true(is_cached(scene, MNEME_PATTERN, 1)); /* each of so many is looked at */
    assert_true(is_listed(scene, &query));
    put_many(scene->other, MNEME_RELATION, 1, 1500);
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_false(is_listed(scene, &query));
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).dropped[CACHE_FLOODED], 1);
    assert_int_equal(part_stats(scene, CACHED_QUERIES).dropped[CACHE_FLOODED], 1);
    unsigned looks = atomic_load(&scene->below->changes);
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    assert_int_equal(atomic_load(&scene->below->changes), looks); /* in step again */
}

static void tick__ends_what_has_lived_its_time(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    for (size_t i = 0; i < CACHED_PARTS; i++)
        options.parts[i].ttl_base = options.parts[i].ttl_min = options.parts[i].ttl_max = 10;
    cached_scene_reopen(scene, &options);
    struct store_query query = query_for(MNEME_PATTERN);
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1));
    cached_tick(scene->cached, 9);
    assert_true(is_cached(scene, MNEME_PATTERN, 1));
    assert_false(
        is_listed(scene, &query)); /* at 9, with a life of its own; the record has its old */
    assert_true(is_listed(scene, &query));
    cached_tick(scene->cached, 10);
    assert_false(is_cached(scene, MNEME_PATTERN, 1));
    assert_true(is_listed(scene, &query));
    cached_tick(scene->cached, 19);
    assert_false(is_listed(scene, &query));
    cached_tick(scene->cached, 40);
    assert_int_equal(part_stats(scene, CACHED_PATTERNS).entries, 0);
    assert_int_equal(part_stats(scene, CACHED_QUERIES).entries, 0);
    assert_true(part_stats(scene, CACHED_PATTERNS).expired > 0);
}

/* ---- Opening ----------------------------------------------------------------------------- */

static void cached_open__needs_a_moment(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    struct watched *blind = watched_open(scene->home.store);
    struct store *out = NULL;
    mneme_error error;
    assert_non_null(blind);
    blind->base.moment = NULL;
    assert_int_equal(cached_open(&blind->base, &options, &out, &error), MNEME_UNSUPPORTED);
    assert_int_equal(error.code, MNEME_UNSUPPORTED);
    assert_non_null(strstr(error.message, "watched"));
    assert_null(out);
    mem_free(blind);
}

static void cached_open__refuses_bad_limits(void **state) {
    struct cached_scene *scene = *state;
    struct cached_options options = cached_scene_options();
    struct store *out = NULL;
    mneme_error error;
    options.parts[CACHED_QUERIES].ttl_min = 9999;
    assert_int_equal(cached_open(&scene->below->base, &options, &out, &error), MNEME_INVALID);
    assert_null(out);
    apply_ok(scene->cached, put_of(MNEME_PATTERN, 1)); /* the store below is still the caller's */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHED_CASE(cached_acquire__second_time_is_a_hit),
        CACHED_CASE(cached_acquire__gives_one_item_to_all),
        CACHED_CASE(cached_acquire__each_kind_has_its_part),
        CACHED_CASE(cached_acquire__remembers_that_there_is_none),
        CACHED_CASE(cached_acquire__says_not_found_as_the_store_does),
        CACHED_CASE(cached_acquire__part_that_is_off_reads_the_store),
        CACHED_CASE(store_get__is_answered_from_the_caches),
        CACHED_CASE(store_get__finds_tombstones_all_the_same),
        CACHED_CASE(cached_apply__keeps_what_it_wrote),
        CACHED_CASE(cached_apply__does_not_keep_what_seldom_is_read),
        CACHED_CASE(cached_apply__no_fill_keeps_nothing),
        CACHED_CASE(cached_apply__what_was_refused_is_not_kept),
        CACHED_CASE(cached_apply__what_was_passed_over_is_not_kept),
        CACHED_CASE(cached_apply__record_twice_in_a_batch_is_the_last),
        CACHED_CASE(cached_apply__big_batch_keeps_nothing),
        CACHED_CASE(change__drops_its_record_alone),
        CACHED_CASE(purge__drops_its_record_alone),
        CACHED_CASE(change__is_told_of_in_the_statistics),
        CACHED_CASE(flood__clears_all),
        CACHED_CASE(tick__ends_what_has_lived_its_time),
        CACHED_CASE(cached_open__needs_a_moment),
        CACHED_CASE(cached_open__refuses_bad_limits),
    };
    return cmocka_run_group_tests_name("cached records", tests, NULL, NULL);
}
