/*
 * precision_test.c - a change drops exactly the lists that it touches: those whose query its record
 * matches now, and those in which it is. A table of changes against a table of queries.
 */
#include "support/cached_scene.h"

/* ---- Records ----------------------------------------------------------------------------- */

static const struct attribute red = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"red", 3}};
static const struct attribute blue = {{(const uint8_t *)"tag", 3}, {(const uint8_t *)"blue", 4}};

/* A change of one record, by the numbers of put_of. */
struct change {
    const char *name;
    enum mutation_op op;
    mneme_kind kind;
    unsigned n;
    int64_t time_us; /* 0: n thousand */
    const struct attribute *tag;
    unsigned parent;
    uint32_t flags;
    unsigned drops; /* the lists, as bits */
};

static struct mutation mutation_for(const struct change *change) {
    struct mutation mutation = put_of(change->kind, change->n);
    mutation.op = change->op;
    mutation.record.flags = change->flags;
    if (change->time_us)
        mutation.record.time_us = change->time_us;
    mutation.record.parent = numbered_id(change->parent);
    mutation.record.attributes = change->tag;
    mutation.record.attribute_count = change->tag ? 1 : 0;
    return mutation;
}

/* Episodes 1 to 6 and patterns 1 to 4, the odd ones red and the even ones blue; patterns 300 and
 * 301, whose ids begin alike; two steps of episode 50 and one of episode 51. */
static void make_records(struct store *store) {
    static const struct change others[] = {
        {.kind = MNEME_PATTERN, .n = 300},
        {.kind = MNEME_PATTERN, .n = 301},
        {.kind = MNEME_EPISODE, .n = 50, .time_us = 50},
        {.kind = MNEME_EPISODE, .n = 51, .time_us = 51},
        {.kind = MNEME_STEP, .n = 11, .parent = 50},
        {.kind = MNEME_STEP, .n = 12, .parent = 50},
        {.kind = MNEME_STEP, .n = 21, .parent = 51},
    };
    struct mutation puts[6 + 4 + COUNT_OF(others)];
    size_t count = 0;
    for (unsigned n = 1; n <= 6; n++) {
        struct change put = {.kind = MNEME_EPISODE, .n = n, .tag = n % 2 ? &red : &blue};
        puts[count++] = mutation_for(&put);
        put.kind = MNEME_PATTERN;
        if (n <= 4)
            puts[count++] = mutation_for(&put);
    }
    for (size_t i = 0; i < COUNT_OF(others); i++)
        puts[count++] = mutation_for(&others[i]);
    assert_int_equal(apply_mutations(store, puts, count, NULL), 0);
}

/* ---- Queries ----------------------------------------------------------------------------- */

enum { SINCE, RED, RED_PAGE, RED_SECOND, PATTERN_BLUE, PREFIX, PARENT, QUERIES };
enum {
    IN_SINCE = 1 << SINCE,           /* episodes from 3,500 on: 4, 5, 6 */
    IN_RED = 1 << RED,               /* red episodes: 1, 3, 5 */
    IN_RED_PAGE = 1 << RED_PAGE,     /* the first of them: 1; behind it 3 */
    IN_RED_SECOND = 1 << RED_SECOND, /* the page behind that: 3; behind it 5 */
    IN_BLUE = 1 << PATTERN_BLUE,     /* blue patterns: 2, 4 */
    IN_PREFIX = 1 << PREFIX,         /* patterns 300, 301 */
    IN_PARENT = 1 << PARENT,         /* steps of episode 50: 11, 12 */
    ALL_RED = IN_RED | IN_RED_PAGE | IN_RED_SECOND,
};

struct questions {
    mneme_id prefix;
    struct store_query queries[QUERIES];
};

static void questions_init(struct questions *q) {
    mneme_kind kinds[QUERIES] = {
        [PATTERN_BLUE] = MNEME_PATTERN, [PREFIX] = MNEME_PATTERN, [PARENT] = MNEME_STEP};
    for (size_t i = 0; i < QUERIES; i++)
        q->queries[i] = query_for(kinds[i] ? kinds[i] : MNEME_EPISODE);
    q->queries[SINCE].has_since = true;
    q->queries[SINCE].since_us = 3500;
    for (size_t i = RED; i <= PATTERN_BLUE; i++) {
        q->queries[i].filters = i == PATTERN_BLUE ? &blue : &red;
        q->queries[i].filter_count = 1;
    }
    q->queries[RED_PAGE].limit = q->queries[RED_SECOND].limit = 1;
    q->queries[RED_SECOND].after =
        (struct position){.set = true, .sort = 1000, .id = numbered_id(1)};
    q->prefix = numbered_id(300);
    q->queries[PREFIX].id_prefix = slice_of(q->prefix.bytes, 15);
    q->queries[PARENT].has_parent = true;
    q->queries[PARENT].parent = numbered_id(50);
}

/* ---- Changes ----------------------------------------------------------------------------- */

static const struct change changes[] = {
    {"new, matches since and tag", MUTATION_PUT, MNEME_EPISODE, 9, 0, &red, 0, 0,
     IN_SINCE | ALL_RED},
    {"new, matches since", MUTATION_PUT, MNEME_EPISODE, 9, 0, &blue, 0, 0, IN_SINCE},
    {"new, matches nothing", MUTATION_PUT, MNEME_EPISODE, 9, 500, &blue, 0, 0, 0},
    {"new, without a tag", MUTATION_PUT, MNEME_EPISODE, 9, 500, NULL, 0, 0, 0},
    {"new, just at since", MUTATION_PUT, MNEME_EPISODE, 9, 3500, NULL, 0, 0, IN_SINCE},
    {"new, just before since", MUTATION_PUT, MNEME_EPISODE, 9, 3499, NULL, 0, 0, 0},
    {"new, same tag, other kind", MUTATION_PUT, MNEME_HEURISTIC, 9, 0, &red, 0, 0, 0},
    {"keeps its matches", MUTATION_PUT, MNEME_EPISODE, 5, 0, &red, 0, 0, IN_SINCE | ALL_RED},
    {"keeps matching nothing", MUTATION_PUT, MNEME_EPISODE, 2, 0, &blue, 0, 0, 0},
    {"comes to match a tag", MUTATION_PUT, MNEME_EPISODE, 2, 0, &red, 0, 0, ALL_RED},
    {"leaves a tag, first of a page", MUTATION_PUT, MNEME_EPISODE, 1, 0, &blue, 0, 0,
     IN_RED | IN_RED_PAGE},
    {"leaves a tag, behind a page", MUTATION_PUT, MNEME_EPISODE, 3, 0, &blue, 0, 0, ALL_RED},
    {"leaves a tag, two behind a page", MUTATION_PUT, MNEME_EPISODE, 5, 0, &blue, 0, 0,
     IN_SINCE | IN_RED | IN_RED_SECOND},
    {"time moves into since", MUTATION_PUT, MNEME_EPISODE, 2, 7000, &blue, 0, 0, IN_SINCE},
    {"time moves out of since", MUTATION_PUT, MNEME_EPISODE, 4, 700, &blue, 0, 0, IN_SINCE},
    {"time moves in since", MUTATION_PUT, MNEME_EPISODE, 4, 7000, &blue, 0, 0, IN_SINCE},
    {"deleted, matched nothing", MUTATION_DELETE, MNEME_EPISODE, 2, 0, NULL, 0, 0, 0},
    {"deleted, first of a page", MUTATION_DELETE, MNEME_EPISODE, 1, 0, NULL, 0, 0,
     IN_RED | IN_RED_PAGE},
    {"deleted, behind a page", MUTATION_DELETE, MNEME_EPISODE, 3, 0, NULL, 0, 0, ALL_RED},
    {"deleted, two behind a page", MUTATION_DELETE, MNEME_EPISODE, 5, 0, NULL, 0, 0,
     IN_SINCE | IN_RED | IN_RED_SECOND},
    {"deleted, matched since", MUTATION_DELETE, MNEME_EPISODE, 6, 0, NULL, 0, 0, IN_SINCE},
    {"new pattern of the tag", MUTATION_PUT, MNEME_PATTERN, 9, 0, &blue, 0, 0, IN_BLUE},
    {"new pattern of another tag", MUTATION_PUT, MNEME_PATTERN, 9, 0, &red, 0, 0, 0},
    {"pattern takes the tag", MUTATION_PUT, MNEME_PATTERN, 1, 0, &blue, 0, 0, IN_BLUE},
    {"pattern leaves the tag", MUTATION_PUT, MNEME_PATTERN, 2, 0, &red, 0, 0, IN_BLUE},
    {"pattern deleted", MUTATION_DELETE, MNEME_PATTERN, 4, 0, NULL, 0, 0, IN_BLUE},
    {"pattern of another tag deleted", MUTATION_DELETE, MNEME_PATTERN, 3, 0, NULL, 0, 0, 0},
    {"new pattern of the prefix", MUTATION_PUT, MNEME_PATTERN, 302, 0, NULL, 0, 0, IN_PREFIX},
    {"pattern of the prefix changes", MUTATION_PUT, MNEME_PATTERN, 301, 0, NULL, 0, 0, IN_PREFIX},
    {"pattern of the prefix takes the tag", MUTATION_PUT, MNEME_PATTERN, 301, 0, &blue, 0, 0,
     IN_PREFIX | IN_BLUE},
    {"pattern of the prefix deleted", MUTATION_DELETE, MNEME_PATTERN, 300, 0, NULL, 0, 0,
     IN_PREFIX},
    {"episode of the prefix", MUTATION_PUT, MNEME_EPISODE, 303, 500, NULL, 0, 0, 0},
    {"new step of the parent", MUTATION_PUT, MNEME_STEP, 13, 0, NULL, 50, 0, IN_PARENT},
    {"new step of another parent", MUTATION_PUT, MNEME_STEP, 22, 0, NULL, 51, 0, 0},
    {"new checkpoint of the parent", MUTATION_PUT, MNEME_CHECKPOINT, 13, 0, NULL, 50, 0, 0},
    {"step changes", MUTATION_PUT, MNEME_STEP, 11, 0, &red, 50, 0, IN_PARENT},
    {"step comes from another parent", MUTATION_PUT, MNEME_STEP, 21, 0, NULL, 50, 0, IN_PARENT},
    {"step goes to another parent", MUTATION_PUT, MNEME_STEP, 12, 0, NULL, 51, 0, IN_PARENT},
    {"step deleted", MUTATION_DELETE, MNEME_STEP, 12, 0, NULL, 0, 0, IN_PARENT},
    {"step of another parent deleted", MUTATION_DELETE, MNEME_STEP, 21, 0, NULL, 0, 0, 0},
    {"parent changes", MUTATION_PUT, MNEME_EPISODE, 50, 50, NULL, 0, 0, IN_PARENT},
    {"parent sealed", MUTATION_PUT, MNEME_EPISODE, 50, 50, NULL, 0, MNEME_FLAG_SEALED, IN_PARENT},
    {"parent deleted", MUTATION_DELETE, MNEME_EPISODE, 50, 0, NULL, 0, 0, IN_PARENT},
    {"another parent sealed", MUTATION_PUT, MNEME_EPISODE, 51, 51, NULL, 0, MNEME_FLAG_SEALED, 0},
    {"record that is not there purged", MUTATION_PURGE, MNEME_EPISODE, 99, 0, NULL, 0, 0, 0},
};

/* ---- Cases ------------------------------------------------------------------------------- */

/* Which lists a change dropped, as bits; each must then be right. */
static unsigned lists_dropped(struct cached_scene *scene, const struct questions *q) {
    unsigned dropped = 0;
    for (size_t i = 0; i < QUERIES; i++)
        dropped |= (unsigned)!is_listed(scene, &q->queries[i]) << i;
    return dropped;
}

static unsigned bits(unsigned set) { return (unsigned)__builtin_popcount(set); }

/* A change by `writer`, in caches that have all lists; and none is lost by chance. */
static void assert_drops(struct cached_scene *scene, struct store *writer,
                         const struct change *change, const struct questions *q) {
    (void)lists_dropped(scene, q);
    assert_int_equal(lists_dropped(scene, q), 0);
    struct cache_stats before = part_stats(scene, CACHED_QUERIES);
    apply_ok(writer, mutation_for(change));
    unsigned dropped = lists_dropped(scene, q);
    if (dropped != change->drops)
        fail_msg("%s: drops %#x, and not %#x", change->name, dropped, change->drops);
    struct cache_stats after = part_stats(scene, CACHED_QUERIES);
    assert_int_equal(after.dropped[CACHE_CHANGED] - before.dropped[CACHE_CHANGED], bits(dropped));
    assert_int_equal(after.dropped[CACHE_FLOODED], before.dropped[CACHE_FLOODED]);
    assert_int_equal(after.hits - before.hits, QUERIES - bits(dropped));
    assert_int_equal(after.misses - before.misses, bits(dropped));
}

static void clear_records(struct store *store) {
    enum { MOST = 64 };
    AUTO_RECORDS struct record_set all = {0};
    struct mutation purges[MOST];
    assert_int_equal(store_changes(store, 0, MOST, false, &all, NULL), 0);
    for (size_t i = 0; i < all.count; i++)
        purges[i] = (struct mutation){.op = MUTATION_PURGE, .record = all.records[i]};
    assert_int_equal(apply_mutations(store, purges, all.count, NULL), 0);
}

/* Every change begins with the same records and without caches. */
static void every_change(struct cached_scene *scene, bool through_the_caches) {
    struct cached_options options = cached_scene_options();
    struct questions q;
    questions_init(&q);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        clear_records(scene->other);
        make_records(scene->other);
        cached_scene_reopen(scene, &options);
        assert_drops(scene, through_the_caches ? scene->cached : scene->other, &changes[i], &q);
    }
}

static void change_by_this_handle__drops_the_lists_it_touches(void **state) {
    every_change(*state, true);
}

static void change_by_another_handle__drops_the_lists_it_touches(void **state) {
    every_change(*state, false);
}

/* A purge leaves no change, and its own handle alone can tell. */
static void purge_by_this_handle__drops_the_lists_it_was_in(void **state) {
    struct cached_scene *scene = *state;
    static const struct change purges[] = {
        {"first of a page", MUTATION_PURGE, MNEME_EPISODE, 1, 0, NULL, 0, 0, IN_RED | IN_RED_PAGE},
        {"behind a page", MUTATION_PURGE, MNEME_EPISODE, 3, 0, NULL, 0, 0, ALL_RED},
        {"a step", MUTATION_PURGE, MNEME_STEP, 11, 0, NULL, 0, 0, IN_PARENT},
        {"in no list", MUTATION_PURGE, MNEME_STEP, 21, 0, NULL, 0, 0, 0},
    };
    struct cached_options options = cached_scene_options();
    struct questions q;
    questions_init(&q);
    for (size_t i = 0; i < COUNT_OF(purges); i++) {
        clear_records(scene->other);
        make_records(scene->other);
        cached_scene_reopen(scene, &options);
        assert_drops(scene, scene->cached, &purges[i], &q);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CACHED_CASE(change_by_this_handle__drops_the_lists_it_touches),
        CACHED_CASE(change_by_another_handle__drops_the_lists_it_touches),
        CACHED_CASE(purge_by_this_handle__drops_the_lists_it_was_in),
    };
    return cmocka_run_group_tests_name("cached precision", tests, NULL, NULL);
}
