/*
 * remote_read_test.c - reads from a remote store, and its opening, over a wire that fails: an
 * answer is the right one or an error, outputs of a failed call are as they were, and a store that
 * could not be opened is opened by the next try.
 */
#include <stdlib.h>

#include "os/os.h"
#include "store/mem.h"
#include "support/api_fixture.h"
#include "support/remote_scene.h"
#include "support/store_compare.h"

struct fault {
    const char *name;
    struct proxy_action action;
    const char *text;
};

static const struct fault faults[] = {
    {"reset", {.fault = PROXY_RESET}, NULL},
    {"lost answer", {.fault = PROXY_LOSE}, NULL},
    {"answer cut in its head", {.fault = PROXY_TRUNCATE, .bytes = 50}, NULL},
    {"answer cut in its body", {.fault = PROXY_TRUNCATE, .bytes = 600}, NULL},
    {"garbage", {.fault = PROXY_REPLACE, .close = true}, "\x16\x03\x01garbage"},
    {"empty object", {.fault = PROXY_REPLACE}, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},
    {"503", {.fault = PROXY_ANSWER}, "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"},
    {"429", {.fault = PROXY_ANSWER}, "HTTP/1.1 429 No\r\nContent-Length: 0\r\n\r\n"},
};

static struct proxy_action action_of(const struct fault *fault) {
    struct proxy_action action = fault->action;
    if (fault->text)
        action.answer = slice_of_string(fault->text);
    return action;
}

/* ---- Reads -------------------------------------------------------------------------------------
 */

enum { LARGE_RECORD = 60 };

typedef int reader(struct store *store, struct record_set *out, mneme_error *error);

static int by_change(const void *a, const void *b) {
    const struct stored_record *x = a, *y = b;
    return (x->change > y->change) - (x->change < y->change);
}

static int read_by_name(struct store *store, struct record_set *out, mneme_error *error) {
    struct record_name names[] = {{MNEME_PATTERN, numbered_id(4)},
                                  {MNEME_PATTERN, numbered_id(LARGE_RECORD)},
                                  {MNEME_STEP, numbered_id(2)},
                                  {MNEME_STEP, numbered_id(99)}};
    size_t found[COUNT_OF(names)];
    TRY(store_get(store, names, COUNT_OF(names), out, found, error));
    if (out->count != 3 || found[3] != SIZE_MAX)
        return error_set(error, MNEME_FAILURE, "not the records that were named");
    qsort(out->records, out->count, sizeof *out->records, by_change); /* they are in any order */
    return 0;
}

static int read_by_query(struct store *store, struct record_set *out, mneme_error *error) {
    struct attribute odd = attribute_of("tag", "even");
    const struct store_query query = {
        .kind = MNEME_PATTERN, .filters = &odd, .filter_count = 1, .limit = 100};
    bool more;
    return store_query(store, &query, out, &more, error);
}

static int read_changes(struct store *store, struct record_set *out, mneme_error *error) {
    return store_changes(store, 0, STORE_PAGE_MAX, false, out, error);
}

static int read_stats(struct store *store, struct record_set *out, mneme_error *error) {
    struct store_stats stats;
    (void)out;
    return store_stats(store, &stats, error);
}

static const struct {
    const char *name;
    reader *read;
} readers[] = {{"get", read_by_name},
               {"query", read_by_query},
               {"changes", read_changes},
               {"stats", read_stats}};

/* Returns whether a request was struck. */
static bool read_under(struct remote_scene *scene, size_t r, const struct fault *fault, uint64_t k,
                       uint64_t last) {
    AUTO_RECORDS struct record_set ours = {0}, models = {0};
    AUTO_FREE struct comparison *c = mem_zalloc(1, sizeof *c);
    mneme_error error = {0};
    assert_non_null(c);
    remote_doing(scene, "%s, %s at request %llu%s", readers[r].name, fault->name,
                 (unsigned long long)k, last > k ? " and on" : "");
    OK(readers[r].read(scene->model, &models, &error), &error);
    uint64_t before = proxy_counters(scene->proxy).faults;
    assert_true(proxy_script(scene->proxy, k, last, action_of(fault)));
    int64_t began_us = clock_monotonic_us();
    int status = readers[r].read(scene->store, &ours, &error);
    if (clock_monotonic_us() - began_us > INT64_C(1000) * (3 * REMOTE_TOTAL_MS + 5000))
        fail_msg("%s: took too long", scene->what);
    bool struck = proxy_counters(scene->proxy).faults > before;
    proxy_decide_with(scene->proxy, NULL, NULL);
    if (status && (last == k || (status != MNEME_UNAVAILABLE && status != MNEME_CORRUPT)))
        fail_msg("%s: %s", scene->what, error.message);
    if (status && (ours.count != 0 || error.code != status || !error.message[0]))
        fail_msg("%s: failed, and left something", scene->what);
    if (status == 0 && set_differs(c, &ours, &models))
        fail_msg("%s: %s", scene->what, c->text);
    if (struck && last > k && status == 0)
        fail_msg("%s: succeeded without an answer", scene->what);
    remote_heal(scene);
    return struck;
}

static void read_all(struct remote_scene *scene) {
    unsigned struck = 0;
    for (size_t f = 0; f < COUNT_OF(faults); f++)
        for (size_t r = 0; r < COUNT_OF(readers); r++)
            for (uint64_t k = 1; read_under(scene, r, &faults[f], k, k); k++, struck++)
                read_under(scene, r, &faults[f], k, UINT64_MAX);
    assert_true(struck >= COUNT_OF(faults) * COUNT_OF(readers));
}

/* With a body of several chunks among the records. */
static void make_content(struct remote_scene *scene) {
    struct store *const stores[] = {scene->direct, scene->model};
    mneme_error error;
    remote_prepare(scene);
    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        AUTO_FREE struct remote_work *work = mem_zalloc(1, sizeof *work);
        assert_non_null(work);
        OK(remote_work_make(REMOTE_LARGE, stores[i], work, &error), &error);
        assert_int_equal(remote_work_apply(work, UINT32_MAX, stores[i]), 0);
        assert_int_equal(work->batches[0].status, 0);
        remote_work_fini(work);
    }
}

static void remote_reads__give_all_or_an_error(void **state) {
    (void)state;
    static const enum hrana_encoding encodings[] = {HRANA_JSON, HRANA_PROTOBUF};
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        struct remote_scene scene;
        remote_scene_make(&scene, &(struct remote_options){.encoding = encodings[i]});
        make_content(&scene);
        read_all(&scene);
        remote_scene_remove(&scene);
    }
}

/* ---- Opening -----------------------------------------------------------------------------------
 */

/* Open on a new server, whose tables are not made yet, with a fault at request k and on. */
static bool open_under(const struct fault *fault, uint64_t k, uint64_t last) {
    struct remote_scene scene;
    struct store *const mark = (struct store *)(void *)&scene, *store = mark;
    mneme_error error = {0};
    remote_scene_make(&scene, &(struct remote_options){.no_store = true});
    struct hrana_options through = remote_driver_options(&scene, proxy_url(scene.proxy));
    remote_doing(&scene, "open, %s at request %llu%s", fault->name, (unsigned long long)k,
                 last > k ? " and on" : "");
    assert_true(proxy_script(scene.proxy, k, last, action_of(fault)));
    int status = remote_open(&scene, &through, false, &store, &error);
    bool struck = proxy_counters(scene.proxy).faults > 0;
    proxy_decide_with(scene.proxy, NULL, NULL);
    if (status && (last == k || store != mark || !error.message[0]))
        fail_msg("%s: %s", scene.what, error.message);
    if (status && status != MNEME_UNAVAILABLE && status != MNEME_UNCERTAIN &&
        status != MNEME_CORRUPT)
        fail_msg("%s: %s", scene.what, error.message);
    if (status)
        OK(remote_open(&scene, &through, false, &store, &error), &error);
    scene.store = store;
    OK(remote_open(&scene, &through, false, &scene.direct, &error), &error);
    remote_prepare(&scene);
    remote_compare(&scene);
    remote_scene_remove(&scene);
    return struck;
}

static void remote_open__may_fail_and_be_tried_again(void **state) {
    (void)state;
    for (size_t f = 0; f < COUNT_OF(faults); f += 2) /* each time it is a server of its own */
        for (uint64_t k = 1; open_under(&faults[f], k, k); k++)
            open_under(&faults[f], k, UINT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_reads__give_all_or_an_error),
        cmocka_unit_test(remote_open__may_fail_and_be_tried_again),
    };
    return cmocka_run_group_tests_name("reliability/remote_read", tests, NULL, NULL);
}
