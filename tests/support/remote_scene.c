/*
 * remote_scene.c - see remote_scene.h.
 */
#include "support/remote_scene.h"

#include <stdio.h>

#include "os/os.h"
#include "store/batched.h"
#include "store/mem.h"
#include "support/api_fixture.h"
#include "support/store_compare.h"

enum { HEAL_MS = 20000, CALL_SLACK_MS = 5000 };

void remote_doing(struct remote_scene *scene, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(scene->what, sizeof scene->what, format, args);
    va_end(args);
}

#define DEMAND(scene, status, error)                                                               \
    do {                                                                                           \
        if ((status) != 0)                                                                         \
            fail_msg("%s: %s", (scene)->what, (error)->message);                                   \
    } while (0)

/* ---- Opening -----------------------------------------------------------------------------------
 */

struct hrana_options remote_driver_options(const struct remote_scene *scene, const char *url) {
    enum hrana_encoding encoding = scene->options.encoding;
    return (struct hrana_options){.net = {.url = url,
                                          .token = scene->options.token,
                                          .total_ms = REMOTE_TOTAL_MS,
                                          .stall_ms = REMOTE_STALL_MS,
                                          .connect_ms = 1000,
                                          .acquire_ms = 1000,
                                          .attempts_max = 3,
                                          .base_ms = 1,
                                          .cap_ms = 4,
                                          .budget_ratio = 1,
                                          .budget_max = 1000,
                                          .breaker_failures = 5,
                                          .breaker_open_ms = 5,
                                          .breaker_open_max_ms = 20},
                                  .encoding = encoding ? encoding : HRANA_JSON};
}

int remote_open(const struct remote_scene *scene, const struct hrana_options *options, bool batched,
                struct store **out, mneme_error *error) {
    struct sql_driver *driver = NULL;
    struct store *store = NULL;
    (void)scene;
    TRY(hrana_driver_open(options, &driver, error));
    int status = sql_store_open(driver, NULL, &store, error);
    if (status) {
        driver->operations->close(driver);
        return status;
    }
    if (!batched) {
        *out = store;
        return 0;
    }
    status = batched_open(store, NULL, out, error);
    if (status)
        store_close(store);
    return status;
}

void remote_reopen(struct remote_scene *scene) {
    struct hrana_options through = remote_driver_options(scene, proxy_url(scene->proxy));
    mneme_error error;
    store_close(TAKE(scene->store));
    OK(remote_open(scene, &through, scene->options.batched, &scene->store, &error), &error);
}

void remote_scene_make(struct remote_scene *scene, const struct remote_options *options) {
    mneme_error error;
    *scene = (struct remote_scene){.options = options ? *options : (struct remote_options){0}};
    remote_doing(scene, "set up");
    OK(sqld_start(scene->options.server, &scene->server, &error), &error);
    OK(proxy_start(scene->server.ports[SQLD_HTTP].number, 0, &scene->proxy, &error), &error);
    struct hrana_options past = remote_driver_options(scene, scene->server.url);
    past.net.total_ms = 30000;
    past.net.stall_ms = 20000;
    OK(mem_store_open(1, &scene->model, &error), &error);
    if (scene->options.no_store)
        return;
    OK(remote_open(scene, &past, false, &scene->direct, &error), &error);
    remote_reopen(scene);
}

void remote_scene_remove(struct remote_scene *scene) {
    store_close(TAKE(scene->store));
    store_close(TAKE(scene->direct));
    store_close(TAKE(scene->model));
    proxy_stop(TAKE(scene->proxy));
    sqld_stop(&scene->server);
}

/* ---- Preparing and healing ---------------------------------------------------------------------
 */

static void apply_all(struct remote_scene *scene, struct remote_work *work, struct store *store) {
    mneme_error error = {0};
    int status = remote_work_apply(work, UINT32_MAX, store);
    for (size_t i = 0; i < work->count && !status; i++) {
        status = work->batches[i].status;
        error = work->batches[i].error;
    }
    DEMAND(scene, status, &error);
}

void remote_prepare(struct remote_scene *scene) {
    struct store *const stores[] = {scene->direct, scene->model};
    for (size_t i = 0; i < COUNT_OF(stores); i++) {
        AUTO_FREE struct remote_work *work = mem_zalloc(1, sizeof *work);
        mneme_error error = {0};
        assert_non_null(work);
        DEMAND(scene, remote_work_prepare(work, &error), &error);
        apply_all(scene, work, stores[i]);
    }
}

void remote_heal(struct remote_scene *scene) {
    int64_t until = clock_monotonic_us() + (int64_t)HEAL_MS * 1000;
    struct store_stats stats;
    mneme_error error;
    while (store_stats(scene->store, &stats, &error) != 0)
        if (clock_monotonic_us() > until)
            fail_msg("%s: it does not heal: %s", scene->what, error.message);
}

/* ---- Comparing ---------------------------------------------------------------------------------
 */

static struct comparison *comparison_make(struct remote_scene *scene, struct store *model) {
    struct comparison *c = mem_zalloc(1, sizeof *c);
    assert_non_null(c);
    c->store = scene->direct;
    c->model = model;
    return c;
}

/* Records and counters; what queries find is left to remote_compare. */
static bool content_differs(struct remote_scene *scene, struct store *model, char text[512]) {
    AUTO_FREE struct comparison *c = comparison_make(scene, model);
    bool differs = changes_differ(c, 0, STORE_PAGE_MAX) || stats_differ(c);
    memcpy(text, c->text, sizeof c->text);
    return differs;
}

void remote_compare(struct remote_scene *scene) {
    AUTO_FREE struct comparison *c = comparison_make(scene, scene->model);
    struct attribute odd = attribute_of("tag", "odd");
    bool differs = changes_differ(c, 0, STORE_PAGE_MAX) || stats_differ(c);
    for (mneme_kind kind = MNEME_EPISODE; kind < MNEME_KIND_COUNT && !differs; kind++) {
        const struct store_query all = {.kind = kind, .limit = 7};
        const struct store_query by_attribute = {
            .kind = kind, .filters = &odd, .filter_count = 1, .limit = 100};
        const struct store_query by_parent = {
            .kind = kind, .has_parent = true, .parent = numbered_id(1), .limit = 100};
        differs = query_differs(c, &all) || query_differs(c, &by_attribute) ||
                  query_differs(c, &by_parent);
    }
    if (differs)
        fail_msg("%s: the server holds something else: %s", scene->what, c->text);
}

/* ---- Running -----------------------------------------------------------------------------------
 */

void remote_restart(struct remote_scene *scene) {
    mneme_error error;
    OK(sqld_restart(&scene->server, &error), &error);
}

struct remote_work *remote_work_new(struct remote_scene *scene, enum remote_op op) {
    struct remote_work *work = mem_zalloc(1, sizeof *work);
    mneme_error error = {0};
    assert_non_null(work);
    DEMAND(scene, remote_work_make(op, scene->direct, work, &error), &error);
    return work;
}

void remote_run(struct remote_scene *scene, struct remote_work *work) {
    int64_t began_us = clock_monotonic_us();
    for (size_t i = 0; i < work->count; i++)
        work->batches[i].status = 1; /* none of ours */
    int status = remote_work_apply(work, UINT32_MAX, scene->store);
    int64_t took_ms = (clock_monotonic_us() - began_us) / 1000;
    /* The careful way is a second transaction, so twice the time of one. */
    if (took_ms > 3 * REMOTE_TOTAL_MS + CALL_SLACK_MS)
        fail_msg("%s: took %lld ms", scene->what, (long long)took_ms);
    if (status)
        fail_msg("%s: the call failed: %s", scene->what, work->batches[0].error.message);
    for (size_t i = 0; i < work->count; i++)
        if (work->batches[i].status > 0)
            fail_msg("%s: batch %zu has no status", scene->what, i);
}

/* When an answer is lost, the reason why a condition failed may be, too. */
static bool lost_its_reason(const struct batch *batch) {
    return batch->status == MNEME_CONFLICT &&
           strstr(batch->error.message, "the answer that said which was lost") != NULL;
}

/* Whether a condition of the batch failed: it names the mutation. */
static bool is_condition(const struct batch *batch) {
    return (batch->status == MNEME_CONFLICT || batch->status == MNEME_NOT_FOUND) &&
           (batch->failed < batch->count || lost_its_reason(batch));
}

/* Which batches went in, or failed by a condition; and of which it is not known. */
static void sort_batches(const struct remote_scene *scene, const struct remote_work *work,
                         unsigned *certain, unsigned *unknown) {
    *certain = *unknown = 0;
    for (size_t i = 0; i < work->count; i++) {
        const struct batch *batch = &work->batches[i];
        if (batch->status == 0 || is_condition(batch))
            *certain |= 1U << i;
        else if (batch->status == MNEME_UNCERTAIN)
            *unknown |= 1U << i;
        if (batch->status != 0 && batch->error.message[0] == 0)
            fail_msg("%s: batch %zu failed without a word", scene->what, i);
        if (batch->status != 0 && batch->error.code != batch->status)
            fail_msg("%s: batch %zu has status %d and the error %d", scene->what, i, batch->status,
                     batch->error.code);
    }
}

/* Do the same to a copy of the model. */
static struct store *model_after(struct remote_scene *scene, enum remote_op op, unsigned wanted,
                                 struct remote_work *done) {
    struct store *copy = NULL;
    mneme_error error = {0};
    DEMAND(scene, mem_store_clone(scene->model, &copy, &error), &error);
    remote_work_fini(done);
    *done = (struct remote_work){0};
    DEMAND(scene, remote_work_make(op, copy, done, &error), &error);
    assert_int_equal(remote_work_apply(done, wanted, copy), 0);
    return copy;
}

static void compare_results(struct remote_scene *scene, const struct remote_work *work,
                            const struct remote_work *done, unsigned certain) {
    AUTO_FREE struct comparison *c = mem_zalloc(1, sizeof *c);
    assert_non_null(c);
    for (size_t i = 0; i < work->count; i++) {
        const struct batch *ours = &work->batches[i], *models = &done->batches[i];
        const struct mutation *before = &work->before[ours->mutations - work->mutations];
        if (certain & 1U << i && !(models->status && lost_its_reason(ours)) &&
            batch_differs(c, ours, before, models))
            fail_msg("%s: batch %zu: %s", scene->what, i, c->text);
    }
}

static int first_failure(struct remote_scene *scene, const struct remote_work *work) {
    for (size_t i = 0; i < work->count; i++)
        if (work->batches[i].status != 0 && !is_condition(&work->batches[i])) {
            scene->said = work->batches[i].error;
            return scene->said.code;
        }
    return 0;
}

int remote_settle(struct remote_scene *scene, enum remote_op op, const struct remote_work *work) {
    AUTO_FREE struct remote_work *done = mem_zalloc(1, sizeof *done);
    unsigned certain, unknown;
    char without[512], with[512];
    assert_non_null(done);
    sort_batches(scene, work, &certain, &unknown);
    struct store *model = model_after(scene, op, certain, done);
    compare_results(scene, work, done, certain);
    if (content_differs(scene, model, without)) {
        if (!unknown)
            fail_msg("%s: the server holds something else: %s", scene->what, without);
        store_close(model);
        model = model_after(scene, op, certain | unknown, done);
        if (content_differs(scene, model, with))
            fail_msg("%s: neither without it (%s) nor with it (%s)", scene->what, without, with);
    }
    store_close(scene->model);
    scene->model = model;
    remote_work_fini(done);
    return first_failure(scene, work);
}

int remote_try(struct remote_scene *scene, enum remote_op op) {
    remote_doing(scene, "%s with nothing in the way", remote_op_names[op]);
    AUTO_FREE struct remote_work *work = remote_work_new(scene, op);
    remote_run(scene, work);
    int status = remote_settle(scene, op, work);
    remote_work_fini(work);
    return status;
}

int remote_strike(struct remote_scene *scene, enum remote_op op, struct proxy_action action,
                  uint64_t first, uint64_t last, bool *struck) {
    remote_prepare(scene);
    AUTO_FREE struct remote_work *work = remote_work_new(scene, op);
    uint64_t before = proxy_counters(scene->proxy).faults;
    assert_true(proxy_script(scene->proxy, first, last, action));
    remote_run(scene, work);
    *struck = proxy_counters(scene->proxy).faults > before;
    proxy_decide_with(scene->proxy, NULL, NULL);
    remote_heal(scene);
    int status = remote_settle(scene, op, work);
    remote_work_fini(work);
    return status;
}
