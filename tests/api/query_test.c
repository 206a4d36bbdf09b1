/*
 * query_test.c - listings of every shape through the public interface, held against a plain filter
 * over all records; paging with cursors, and cursors that are no good.
 */
#include <stdlib.h>
#include <string.h>

#include "support/api_fixture.h"

enum { EPISODES = 200 };

static const int64_t TIME = INT64_C(1763712120000000);

/* ---- Records with a pattern to them ---------------------------------------------------------- */

static const char *const types[] = {"debugging", "testing", "other"};
static const char *const domains[] = {"airline", "retail"};
static const char *const outcomes[] = {"success", "partial_success", "failure", "abstained",
                                       "open"};

struct shelf {
    struct home home;
    mneme *m;
    mneme_id ids[EPISODES];
};

/* Episode n: every attribute is a function of n; times go up by threes, with some the same. */
static int64_t time_of(unsigned n) { return TIME + n / 3; }

static void put_episode(struct shelf *s, unsigned n) {
    char run[16];
    snprintf(run, sizeof run, "%u", n % 4);
    mneme_pair metadata[] = {{text("run"), text(run)}, {text("odd name=\n"), text("")}};
    mneme_text tags[] = {text("all"), text(n % 2 ? "odd" : "even")};
    mneme_episode episode = {.task = text("t"),
                             .task_type = text(types[n % 3]),
                             .context = {.domain = text(domains[n % 2]),
                                         .language = text(n % 5 ? "c" : "python"),
                                         .framework = text(n % 7 ? "" : "cmocka")},
                             .start_us = time_of(n),
                             .outcome = {.kind = (mneme_outcome_kind)((n + 1) % 5)},
                             .metadata = {metadata, 2},
                             .tags = {tags, 2},
                             .origin = text(n % 9 ? "" : "tau-bench:1")};
    mneme_record record = {.kind = MNEME_EPISODE, .as.episode = &episode};
    mneme_error error;
    OK(mneme_put(s->m, &record, 1, NULL, &s->ids[n], &error), &error);
}

static int shelf_setup(void **state) {
    struct shelf *s = calloc(1, sizeof *s);
    if (!s)
        return -1;
    home_make(&s->home);
    s->m = store_open_quiet(s->home.path);
    for (unsigned n = 0; n < EPISODES; n++)
        put_episode(s, n);
    *state = s;
    return 0;
}

static int shelf_teardown(void **state) {
    struct shelf *s = *state;
    store_close_ok(s->m);
    home_remove(&s->home);
    free(s);
    return 0;
}

/* ---- Holding a listing against a filter ------------------------------------------------------ */

typedef bool matches(unsigned n);

static bool n_of(const struct shelf *s, const mneme_id *id, unsigned *n) {
    for (*n = 0; *n < EPISODES; ++*n)
        if (memcmp(&s->ids[*n], id, sizeof *id) == 0)
            return true;
    return false;
}

/* List in pages of `limit`, and expect exactly the episodes that match, in the right order. */
static void expect(struct shelf *s, mneme_query query, matches *wanted, size_t limit) {
    char cursor[256];
    bool seen[EPISODES] = {false};
    mneme_id last = {{0}};
    int64_t last_time = 0;
    bool first = true;
    query.kind = MNEME_EPISODE;
    query.limit = limit;
    do {
        const mneme_page *page;
        mneme_error error;
        OK(mneme_list(s->m, &query, &page, &error), &error);
        assert_true(page->count <= limit);
        assert_true(page->next.size == 0 || page->count == limit); /* order before limit */
        for (size_t i = 0; i < page->count; i++) {
            const mneme_record *r = page->records[i];
            unsigned n;
            assert_true(n_of(s, &r->id, &n));
            assert_false(seen[n]);
            assert_true(wanted(n));
            seen[n] = true;
            int order = memcmp(&r->id, &last, sizeof last);
            if (query.id_prefix_size == 0 && r->time_us != last_time)
                order = r->time_us < last_time ? -1 : 1;
            assert_true(first || (query.order == MNEME_OLDEST_FIRST ? order > 0 : order < 0));
            first = false;
            last = r->id;
            last_time = r->time_us;
        }
        assert_true(page->next.size <= sizeof cursor);
        if (page->next.size)
            memcpy(cursor, page->next.data, page->next.size);
        query.after = (mneme_text){cursor, page->next.size};
        mneme_page_release(s->m, page);
    } while (query.after.size);
    for (unsigned n = 0; n < EPISODES; n++)
        assert_true(seen[n] == wanted(n));
}

static void expect_always(struct shelf *s, mneme_query query, matches *wanted) {
    static const size_t limits[] = {1, 7, 66, 67, 200, 10000};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        query.order = MNEME_NEWEST_FIRST;
        expect(s, query, wanted, limits[i]);
        query.order = MNEME_OLDEST_FIRST;
        expect(s, query, wanted, limits[i]);
    }
}

static bool all(unsigned n) { return n < EPISODES; }
static bool since_100(unsigned n) { return n >= 99; }
static bool between(unsigned n) { return n >= 60 && n < 120; }
static bool none(unsigned n) { return n > EPISODES; }
static bool debugging(unsigned n) { return n % 3 == 0; }
static bool retail(unsigned n) { return n % 2 == 1; }
static bool python(unsigned n) { return n % 5 == 0; }
static bool framework(unsigned n) { return n % 7 == 0; }
static bool origin(unsigned n) { return n % 9 == 0; }
static bool run_2(unsigned n) { return n % 4 == 2; }
static bool even_testing_recent(unsigned n) { return n % 2 == 0 && n % 3 == 1 && since_100(n); }
static bool open_ones(unsigned n) { return (n + 1) % 5 == 0; }
static bool success(unsigned n) { return (n + 1) % 5 == 1; }

/* ---- Cases ----------------------------------------------------------------------------------- */

static void by_time__bounds_are_since_and_before(void **state) {
    struct shelf *s = *state;
    expect_always(s, (mneme_query){.kind = MNEME_EPISODE}, all);
    expect_always(s, (mneme_query){.since_us = time_of(99)}, since_100);
    expect_always(s, (mneme_query){.since_us = time_of(60), .until_us = time_of(120)}, between);
    expect_always(s, (mneme_query){.since_us = TIME + 1000}, none);
    expect_always(s, (mneme_query){.until_us = TIME}, none);
    expect_always(s, (mneme_query){.since_us = TIME + 5, .until_us = TIME + 5}, none);
    expect_always(s, (mneme_query){.since_us = INT64_MIN, .until_us = INT64_MAX}, all);
}

static void by_attribute__each_name_finds_its_own(void **state) {
    struct shelf *s = *state;
    static const struct {
        const char *name, *value;
        matches *wanted;
    } cases[] = {{"type", "debugging", debugging},
                 {"domain", "retail", retail},
                 {"language", "python", python},
                 {"framework", "cmocka", framework},
                 {"origin", "tau-bench:1", origin},
                 {"tag", "odd", retail},
                 {"tag", "all", all},
                 {"meta.run", "2", run_2},
                 {"meta.odd name=\n", "", all},
                 {"outcome", "open", open_ones},
                 {"outcome", "success", success},
                 {"type", "nothing", none},
                 {"meta.never", "x", none},
                 {"tag", "al", none}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mneme_pair where = {text(cases[i].name), text(cases[i].value)};
        expect_always(s, (mneme_query){.where = &where, .where_count = 1}, cases[i].wanted);
    }
    for (unsigned i = 0; i < 5; i++) {
        mneme_pair where = {text("outcome"), text(outcomes[i])};
        mneme_query query = {.kind = MNEME_EPISODE, .where = &where, .where_count = 1};
        const mneme_page *page;
        mneme_error error;
        OK(mneme_list(s->m, &query, &page, &error), &error);
        assert_int_equal(page->count, EPISODES / 5);
        mneme_page_release(s->m, page);
    }
}

static void by_several__all_must_hold(void **state) {
    struct shelf *s = *state;
    mneme_pair where[16] = {
        {text("tag"), text("even")}, {text("type"), text("testing")}, {text("tag"), text("all")}};
    expect_always(s, (mneme_query){.where = where, .where_count = 3, .since_us = time_of(99)},
                  even_testing_recent);
    for (size_t i = 3; i < 16; i++)
        where[i] = where[i % 3];
    expect_always(s, (mneme_query){.where = where, .where_count = 16, .since_us = time_of(99)},
                  even_testing_recent);
    where[15] = (mneme_pair){text("type"), text("debugging")};
    expect_always(s, (mneme_query){.where = where, .where_count = 16}, none);
}

static void by_id_prefix__finds_what_begins_so(void **state) {
    struct shelf *s = *state;
    for (size_t size = 1; size <= 16; size++) {
        mneme_query query = {.kind = MNEME_EPISODE,
                             .id_prefix = s->ids[77].bytes,
                             .id_prefix_size = size,
                             .limit = 1000};
        const mneme_page *page;
        mneme_error error;
        size_t expected = 0;
        for (unsigned n = 0; n < EPISODES; n++)
            expected += memcmp(s->ids[n].bytes, s->ids[77].bytes, size) == 0;
        OK(mneme_list(s->m, &query, &page, &error), &error);
        assert_int_equal(page->count, expected);
        mneme_page_release(s->m, page);
    }
    expect_always(s, (mneme_query){.id_prefix = s->ids[0].bytes, .id_prefix_size = 3}, all);
    mneme_pair where = {text("tag"), text("odd")};
    expect_always(
        s,
        (mneme_query){
            .id_prefix = s->ids[0].bytes, .id_prefix_size = 3, .where = &where, .where_count = 1},
        retail);
    static const uint8_t high[2] = {0xff, 0xff};
    expect_always(s, (mneme_query){.id_prefix = high, .id_prefix_size = 2}, none);
}

static void by_parent__steps_and_checkpoints_in_their_order(void **state) {
    struct shelf *s = *state;
    mneme_error error;
    mneme_id a = start_episode(s->m, "a"), b = start_episode(s->m, "b");
    for (unsigned n = 0; n < 30; n++) {
        append_step(s->m, &a, "of a");
        append_step(s->m, &b, "of b");
        mneme_checkpoint checkpoint = {.episode = a, .step = n, .note = text("n"), .created_us = 9};
        mneme_record record = {.kind = MNEME_CHECKPOINT, .as.checkpoint = &checkpoint};
        OK(mneme_put(s->m, &record, 1, NULL, NULL, &error), &error);
    }
    for (int order = 0; order < 2; order++) {
        mneme_query query = {.kind = MNEME_STEP, .parent = &a, .order = (mneme_order)order};
        const mneme_page *page;
        OK(mneme_list(s->m, &query, &page, &error), &error);
        assert_int_equal(page->count, 30);
        for (size_t i = 0; i < 30; i++)
            assert_int_equal(page->records[i]->as.step->number, order ? i + 1 : 30 - i);
        mneme_page_release(s->m, page);
        query.kind = MNEME_CHECKPOINT;
        OK(mneme_list(s->m, &query, &page, &error), &error);
        assert_int_equal(page->count, 30);
        for (size_t i = 0; i < 30; i++)
            assert_int_equal(page->records[i]->as.checkpoint->step, order ? i : 29 - i);
        mneme_page_release(s->m, page);
    }
    mneme_query of_none = {.kind = MNEME_STEP, .parent = &s->ids[0]};
    const mneme_page *page;
    OK(mneme_list(s->m, &of_none, &page, &error), &error);
    assert_int_equal(page->count, 0);
    mneme_page_release(s->m, page);
}

static void by_attributes_of_other_kinds__are_found(void **state) {
    struct shelf *s = *state;
    mneme_error error;
    char from[MNEME_ID_TEXT_SIZE], subject[MNEME_ID_TEXT_SIZE];
    mneme_id pattern = put_pattern(s->m, "p", "");
    const float values[3] = {1, 2, 3};
    mneme_relation relation = {.type = text("caused_by"), .from = pattern, .to = s->ids[0]};
    mneme_embedding embedding = {
        .subject = pattern, .model = text("m"), .values = values, .count = 3};
    mneme_record records[2] = {{.kind = MNEME_RELATION, .as.relation = &relation},
                               {.kind = MNEME_EMBEDDING, .as.embedding = &embedding}};
    OK(mneme_put(s->m, records, 2, NULL, NULL, &error), &error);
    mneme_id_format(&pattern, from);
    mneme_id_format(&pattern, subject);
    const struct {
        mneme_kind kind;
        mneme_pair where;
    } cases[] = {{MNEME_PATTERN, {text("type"), text("tool_sequence")}},
                 {MNEME_RELATION, {text("type"), text("caused_by")}},
                 {MNEME_RELATION, {text("from"), text(from)}},
                 {MNEME_EMBEDDING, {text("subject"), text(subject)}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        mneme_query query = {.kind = cases[i].kind, .where = &cases[i].where, .where_count = 1};
        const mneme_page *page;
        OK(mneme_list(s->m, &query, &page, &error), &error);
        assert_int_equal(page->count, 1);
        mneme_page_release(s->m, page);
    }
}

static void query_that_makes_no_sense__is_refused(void **state) {
    struct shelf *s = *state;
    mneme_pair unknown = {text("colour"), text("red")}, nameless = {text(""), text("x")};
    mneme_pair no_name = {{NULL, 3}, text("x")}, no_value = {text("tag"), {NULL, 3}};
    mneme_pair many[17];
    for (size_t i = 0; i < 17; i++)
        many[i] = (mneme_pair){text("tag"), text("all")};
    const mneme_query bad[] = {
        {.kind = MNEME_KIND_NONE},
        {.kind = MNEME_DICTIONARY},
        {.kind = (mneme_kind)99},
        {.kind = MNEME_EPISODE, .order = (mneme_order)2},
        {.kind = MNEME_EPISODE, .limit = 10001},
        {.kind = MNEME_EPISODE, .where = many, .where_count = 17},
        {.kind = MNEME_EPISODE, .where = NULL, .where_count = 1},
        {.kind = MNEME_EPISODE, .where = &unknown, .where_count = 1},
        {.kind = MNEME_EPISODE, .where = &nameless, .where_count = 1},
        {.kind = MNEME_EPISODE, .where = &no_name, .where_count = 1},
        {.kind = MNEME_EPISODE, .where = &no_value, .where_count = 1},
        {.kind = MNEME_EPISODE, .parent = &s->ids[0]},
        {.kind = MNEME_STEP,
         .parent = &s->ids[0],
         .id_prefix = s->ids[0].bytes,
         .id_prefix_size = 4},
        {.kind = MNEME_EPISODE, .id_prefix = s->ids[0].bytes, .id_prefix_size = 17},
        {.kind = MNEME_EPISODE, .id_prefix = NULL, .id_prefix_size = 4},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const mneme_page *page = NULL;
        mneme_error error;
        REFUSED(mneme_list(s->m, &bad[i], &page, &error), MNEME_INVALID, &error);
        assert_null(page);
    }
}

/* ---- Cursors --------------------------------------------------------------------------------- */

static void cursor_of(struct shelf *s, const mneme_query *query, char cursor[256], size_t *size) {
    const mneme_page *page;
    mneme_error error;
    OK(mneme_list(s->m, query, &page, &error), &error);
    assert_in_range(page->next.size, 1, 255);
    memcpy(cursor, page->next.data, page->next.size);
    *size = page->next.size;
    mneme_page_release(s->m, page);
}

static void cursor_that_was_changed__is_refused(void **state) {
    struct shelf *s = *state;
    mneme_query query = {.kind = MNEME_EPISODE, .limit = 10};
    char cursor[256];
    size_t size;
    const mneme_page *page = NULL;
    mneme_error error;
    cursor_of(s, &query, cursor, &size);
    for (size_t i = 0; i < size; i++) {
        char before = cursor[i];
        query.after = (mneme_text){cursor, size};
        cursor[i] = before == '0' ? '1' : '0';
        REFUSED(mneme_list(s->m, &query, &page, &error), MNEME_INVALID, &error);
        cursor[i] = '\xff';
        REFUSED(mneme_list(s->m, &query, &page, &error), MNEME_INVALID, &error);
        cursor[i] = before;
        if (i) {
            query.after.size = i;
            REFUSED(mneme_list(s->m, &query, &page, &error), MNEME_INVALID, &error);
        }
    }
    cursor[size] = '0';
    query.after = (mneme_text){cursor, size + 1};
    REFUSED(mneme_list(s->m, &query, &page, &error), MNEME_INVALID, &error);
    query.after = (mneme_text){NULL, size};
    REFUSED(mneme_list(s->m, &query, &page, &error), MNEME_INVALID, &error);
    assert_null(page);
}

static void cursor_of_another_query__is_refused(void **state) {
    struct shelf *s = *state;
    mneme_pair tag = {text("tag"), text("all")}, other = {text("tag"), text("odd")};
    const mneme_query base = {
        .kind = MNEME_EPISODE, .where = &tag, .where_count = 1, .since_us = TIME, .limit = 10};
    char cursor[256];
    size_t size;
    cursor_of(s, &base, cursor, &size);
    mneme_query changed[7];
    for (size_t i = 0; i < 7; i++)
        changed[i] = base;
    changed[0].kind = MNEME_PATTERN;
    changed[1].order = MNEME_OLDEST_FIRST;
    changed[2].where = &other;
    changed[3].where_count = 0;
    changed[4].since_us = TIME + 1;
    changed[5].until_us = TIME + 100000;
    changed[6].id_prefix = s->ids[0].bytes;
    changed[6].id_prefix_size = 1;
    for (size_t i = 0; i < 7; i++) {
        const mneme_page *page = NULL;
        mneme_error error;
        changed[i].after = (mneme_text){cursor, size};
        REFUSED(mneme_list(s->m, &changed[i], &page, &error), MNEME_INVALID, &error);
    }
    mneme_query same = base; /* another page size is the same query */
    const mneme_page *page;
    mneme_error error;
    same.limit = 3;
    same.after = (mneme_text){cursor, size};
    OK(mneme_list(s->m, &same, &page, &error), &error);
    assert_int_equal(page->count, 3);
    mneme_page_release(s->m, page);
}

/* What is there all the while is seen exactly once, whatever comes and goes between pages. */
static void records_come_and_go_between_pages__the_rest_is_seen_once(void **state) {
    struct shelf *s = *state;
    mneme_query query = {.kind = MNEME_EPISODE, .limit = 9, .order = MNEME_OLDEST_FIRST};
    bool seen[EPISODES] = {false};
    char cursor[256];
    mneme_error error;
    unsigned next = 0;
    do {
        const mneme_page *page;
        OK(mneme_list(s->m, &query, &page, &error), &error);
        for (size_t i = 0; i < page->count; i++) {
            unsigned n;
            if (n_of(s, &page->records[i]->id, &n)) {
                assert_false(seen[n]);
                seen[n] = true;
            }
        }
        query.after = (mneme_text){cursor, page->next.size};
        if (page->next.size)
            memcpy(cursor, page->next.data, page->next.size);
        mneme_page_release(s->m, page);
        /* One before the cursor and one after it go, one before and one after it come. */
        if (next < 40) {
            mneme_id gone[2] = {s->ids[next], s->ids[EPISODES - 1 - next]};
            OK(mneme_delete(s->m, MNEME_EPISODE, gone, 2, NULL, &error), &error);
            for (int side = 0; side < 2; side++) {
                mneme_episode made = {.task = text("new"), .start_us = TIME + (side ? 1000 : -9)};
                OK(mneme_episode_start(s->m, &made, NULL, NULL, &error), &error);
            }
            next++;
        }
    } while (query.after.size);
    for (unsigned n = next; n < EPISODES - next; n++)
        assert_true(seen[n]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, shelf_setup, shelf_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(by_time__bounds_are_since_and_before),
        CASE(by_attribute__each_name_finds_its_own),
        CASE(by_several__all_must_hold),
        CASE(by_id_prefix__finds_what_begins_so),
        CASE(by_parent__steps_and_checkpoints_in_their_order),
        CASE(by_attributes_of_other_kinds__are_found),
        CASE(query_that_makes_no_sense__is_refused),
        CASE(cursor_that_was_changed__is_refused),
        CASE(cursor_of_another_query__is_refused),
        CASE(records_come_and_go_between_pages__the_rest_is_seen_once),
    };
    return cmocka_run_group_tests_name("api/query", tests, NULL, NULL);
}
