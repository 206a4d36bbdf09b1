/*
 * sync_server_test.c - what happens to the server while devices sync with it: a replica that
 * answers reads and goes away, a crash, and a copy that is put back.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/proxy.h"
#include "bench/sqld.h"
#include "os/os.h"
#include "support/store_records.h"
#include "support/sync_site.h"

enum { SOME = 6 };

/* ---- Fixture ------------------------------------------------------------------------------- */

struct scene {
    struct sync_site site;
    struct sqld server;
};

static int setup_with(void **state, bool serves_replicas) {
    static struct scene scene;
    struct sqld_options options = {.serves_replicas = serves_replicas};
    mneme_error error;
    OK(sqld_start(&options, &scene.server, &error), &error);
    sync_site_make(&scene.site, 2, scene.server.url, scene.server.url);
    *state = &scene;
    return 0;
}

static int setup(void **state) { return setup_with(state, false); }
static int setup_primary(void **state) { return setup_with(state, true); }

static int teardown(void **state) {
    struct scene *scene = *state;
    sqld_stop(&scene->server);
    sync_site_remove(&scene->site);
    return 0;
}

static mneme *open_device(const struct scene *scene, unsigned device, mneme_sync_mode mode) {
    mneme_options options = sync_site_options(&scene->site, mode);
    mneme *m = NULL;
    mneme_error error;
    OK(mneme_open(scene->site.paths[device - 1], &options, &m, &error), &error);
    return m;
}

static mneme_sync_status status_of(mneme *m) {
    mneme_sync_status status = {.size = sizeof status};
    mneme_error error;
    OK(mneme_sync_status_get(m, &status, &error), &error);
    return status;
}

static void sync_ok(mneme *m) {
    mneme_error error;
    OK(mneme_sync(m, NULL, NULL, &error), &error);
}

static bool is_there(mneme *m, const mneme_id *id) {
    const mneme_record *record;
    mneme_error error;
    int status = mneme_acquire(m, MNEME_PATTERN, id, &record, &error);
    if (status == 0)
        mneme_release(m, record);
    else if (status != MNEME_NOT_FOUND)
        fail_msg("%s", error.message);
    return status == 0;
}

/* Wait until `condition`; fails when it does not come true. */
#define SOON(condition)                                                                            \
    do {                                                                                           \
        int64_t give_up_us_ = clock_monotonic_us() + SYNC_PATIENCE_US;                             \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_us() > give_up_us_)                                                \
                fail_msg("this did not come true: %s", #condition);                                \
            usleep(2000);                                                                          \
        }                                                                                          \
    } while (0)

static void put_some(mneme *m, const char *name) {
    for (int i = 0; i < SOME; i++)
        put_pattern(m, name, "one of some");
}

static size_t count_on_server(const struct scene *scene) {
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    options.cache.off = true;
    OK(mneme_open(scene->server.url, &options, &m, &error), &error);
    size_t count = count_records(m, MNEME_PATTERN);
    store_close_ok(m);
    return count;
}

static void assert_same(const struct scene *scene) {
    char problem[SYNC_PROBLEM];
    if (sync_site_differs(&scene->site, NULL, problem))
        fail_msg("%s", problem);
}

/* ---- A replica ----------------------------------------------------------------------------- */

static void replica__answers_looks_and_may_go_away(void **state) {
    struct scene *scene = *state;
    AUTO_SQLD struct sqld replica = {0};
    AUTO_PROXY struct proxy *proxy = NULL;
    struct sqld_options as = {.primary = &scene->server};
    mneme_error error;
    OK(sqld_start(&as, &replica, &error), &error);
    OK(proxy_start(replica.ports[SQLD_HTTP].number, 0, &proxy, &error), &error);
    mneme_options options = sync_site_options(&scene->site, MNEME_SYNC_BACKGROUND);
    options.remote.replica_url = proxy_url(proxy);
    mneme *a = open_device(scene, 1, MNEME_SYNC_MANUAL), *b = NULL;
    OK(mneme_open(scene->site.paths[1], &options, &b, &error), &error);
    for (int i = 0; i < SOME; i++) {
        mneme_id id = put_pattern(a, "written", "by a");
        sync_ok(a);
        SOON(is_there(b, &id));
    }
    SOON(proxy_counters(proxy).requests > 0);
    sqld_kill(&replica);
    mneme_id id = put_pattern(a, "written", "while there is no replica");
    sync_ok(a);
    SOON(is_there(b, &id));
    id = put_pattern(b, "written", "by b");
    SOON(status_of(b).pending == 0);
    sync_ok(a);
    assert_true(is_there(a, &id));
    store_close_ok(a);
    store_close_ok(b);
    assert_same(scene);
}

/* ---- A crash ------------------------------------------------------------------------------- */

static void crash__leaves_what_the_server_acknowledged(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    mneme *a = open_device(scene, 1, MNEME_SYNC_BACKGROUND);
    SOON(status_of(a).pull_us != 0);
    put_some(a, "before");
    SOON(status_of(a).pushed == SOME && status_of(a).pending == 0);
    sqld_kill(&scene->server);
    put_some(a, "while it is down");
    SOON(status_of(a).error_us != 0);
    assert_int_equal(status_of(a).error_code, MNEME_UNAVAILABLE);
    assert_int_equal(status_of(a).pending, SOME);
    store_close_ok(a);
    OK(sqld_restart(&scene->server, &error), &error);
    assert_int_equal(count_on_server(scene), SOME);
    a = open_device(scene, 1, MNEME_SYNC_BACKGROUND);
    SOON(status_of(a).pending == 0 && status_of(a).error_us == 0);
    store_close_ok(a);
    assert_int_equal(count_on_server(scene), 2 * SOME);
    assert_same(scene);
}

static void crash__is_got_over_by_who_stays_open(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    mneme *a = open_device(scene, 1, MNEME_SYNC_BACKGROUND);
    mneme *b = open_device(scene, 2, MNEME_SYNC_BACKGROUND);
    for (int i = 0; i < 3; i++) {
        put_some(a, "a, before");
        put_some(b, "b, before");
        sqld_kill(&scene->server); /* with something on its way, or not */
        put_some(a, "a, while it is down");
        mneme_id id = put_pattern(b, "b", "while it is down");
        OK(sqld_restart(&scene->server, &error), &error);
        SOON(is_there(a, &id));
        SOON(status_of(a).pending == 0 && status_of(b).pending == 0);
    }
    store_close_ok(a);
    store_close_ok(b);
    assert_same(scene);
    assert_int_equal(count_on_server(scene), 3 * (3 * SOME + 1));
}

/* ---- A copy that is put back --------------------------------------------------------------- */

struct copy {
    const char *from, *to;
};

static int run_cp(void *context) {
    const struct copy *copy = context;
    execlp("cp", "cp", "-R", copy->from, copy->to, (char *)NULL);
    return 1;
}

static int run_rm(void *context) {
    execlp("rm", "rm", "-R", (const char *)context, (char *)NULL);
    return 1;
}

static void copy_data(struct scene *scene, const char *from, const char *to) {
    char left[SQLD_PATH_MAX + 16], right[SQLD_PATH_MAX + 16];
    snprintf(left, sizeof left, "%s/%s", scene->server.directory, from);
    snprintf(right, sizeof right, "%s/%s", scene->server.directory, to);
    if (file_exists(right))
        assert_int_equal(child_run(run_rm, right), 0);
    assert_int_equal(child_run(run_cp, &(struct copy){left, right}), 0);
}

static void sync_both(struct scene *scene) {
    for (unsigned i = 0; i < 4; i++) {
        mneme *m = open_device(scene, 1 + i % 2, MNEME_SYNC_MANUAL);
        sync_ok(m);
        store_close_ok(m);
    }
}

/* Everybody writes, the first deletes a record, and all of it is synced. */
static void write_more(struct scene *scene, const mneme_id *doomed) {
    mneme_error error;
    for (unsigned device = 1; device <= 2; device++) {
        mneme *m = open_device(scene, device, MNEME_SYNC_MANUAL);
        put_some(m, "behind the copy");
        if (device == 1)
            OK(mneme_delete(m, MNEME_PATTERN, doomed, 1, NULL, &error), &error);
        store_close_ok(m);
    }
    sync_both(scene);
}

static void copy_is_put_back__devices_bring_back_what_it_lost(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    mneme *a = open_device(scene, 1, MNEME_SYNC_MANUAL);
    put_some(a, "before the copy");
    mneme_id doomed = put_pattern(a, "doomed", "to be deleted");
    store_close_ok(a);
    sync_both(scene);
    sqld_kill(&scene->server);
    copy_data(scene, "data", "copy");
    OK(sqld_restart(&scene->server, &error), &error);
    write_more(scene, &doomed);
    assert_int_equal(count_on_server(scene), 3 * SOME);
    sqld_kill(&scene->server);
    copy_data(scene, "copy", "data");
    OK(sqld_restart(&scene->server, &error), &error);
    assert_int_equal(count_on_server(scene), SOME + 1); /* it is the old one */
    sync_both(scene);
    assert_int_equal(count_on_server(scene), 3 * SOME);
    a = open_device(scene, 1, MNEME_SYNC_MANUAL);
    assert_false(is_there(a, &doomed));
    assert_int_equal(count_records(a, MNEME_PATTERN), 3 * SOME);
    store_close_ok(a);
    assert_same(scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(replica__answers_looks_and_may_go_away, setup_primary,
                                        teardown),
        cmocka_unit_test_setup_teardown(crash__leaves_what_the_server_acknowledged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(crash__is_got_over_by_who_stays_open, setup, teardown),
        cmocka_unit_test_setup_teardown(copy_is_put_back__devices_bring_back_what_it_lost, setup,
                                        teardown),
    };
    return cmocka_run_group_tests_name("reliability/sync_server", tests, NULL, NULL);
}
