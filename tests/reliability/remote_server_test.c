/*
 * remote_server_test.c - servers that die, stop, or fill up: what is stored stays equal to what was
 * acknowledged, and callers hear the cause.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>

#include "support/api_fixture.h"
#include "support/remote_http.h"
#include "support/remote_scene.h"

static void scene_setup(struct remote_scene *scene, const struct remote_options *options) {
    remote_scene_make(scene, options);
    remote_prepare(scene);
}

/* ---- Death -------------------------------------------------------------------------------------
 */

/* Kill the server when the k-th request is about to reach it. */
struct killer {
    const struct remote_scene *scene;
    uint64_t left;
};

static struct proxy_action kill_at(void *context, const struct proxy_request *request) {
    struct killer *killer = context;
    (void)request;
    if (--killer->left == 0)
        kill(killer->scene->server.pid, SIGKILL);
    return (struct proxy_action){.fault = PROXY_PASS};
}

/* Killed at any request of an operation, or while it may be at work, and started again. */
static void remote_server__may_be_killed_and_restarted(void **state) {
    static const enum remote_op ops[] = {REMOTE_EPISODE, REMOTE_BATCHES, REMOTE_LARGE};
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, NULL);
    for (size_t i = 0; i < COUNT_OF(ops); i++)
        for (uint64_t k = 1; k <= 2; k++) {
            remote_prepare(&scene);
            AUTO_FREE struct remote_work *work = remote_work_new(&scene, ops[i]);
            struct killer killer = {.scene = &scene, .left = k};
            remote_doing(&scene, "%s, killed at request %d", remote_op_names[ops[i]], (int)k);
            proxy_decide_with(scene.proxy, kill_at, &killer);
            remote_run(&scene, work);
            proxy_decide_with(scene.proxy, NULL, NULL);
            remote_restart(&scene);
            remote_heal(&scene);
            int status = remote_settle(&scene, ops[i], work);
            if (status != 0 && status != MNEME_UNCERTAIN && status != MNEME_UNAVAILABLE)
                fail_msg("%s: %s", scene.what, scene.said.message);
            remote_work_fini(work);
        }
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

/* The answers are kept back, so the server is done when it dies. */
static void remote_server__keeps_what_it_did_when_killed(void **state) {
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, NULL);
    AUTO_FREE struct remote_work *work = remote_work_new(&scene, REMOTE_EPISODE);
    remote_doing(&scene, "killed behind a commit");
    assert_true(
        proxy_script(scene.proxy, 1, UINT64_MAX, (struct proxy_action){.fault = PROXY_MUTE}));
    remote_run(&scene, work);
    assert_int_equal(work->batches[0].status, MNEME_UNCERTAIN);
    sqld_kill(&scene.server);
    remote_restart(&scene);
    proxy_decide_with(scene.proxy, NULL, NULL);
    remote_heal(&scene);
    assert_int_equal(remote_settle(&scene, REMOTE_EPISODE, work), MNEME_UNCERTAIN);
    mneme_id id = numbered_id(23);
    struct record_set set = {0};
    mneme_error error;
    OK(store_get_one(scene.direct, MNEME_EPISODE, &id, &set, &error), &error);
    record_set_fini(&set);
    remote_scene_remove(&scene);
}

/* Kept connections die with the server, or are closed for being idle: nobody notices. */
static void remote_server__may_restart_between_calls(void **state) {
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, NULL);
    assert_int_equal(remote_try(&scene, REMOTE_PUT), 0);
    remote_restart(&scene);
    assert_int_equal(remote_try(&scene, REMOTE_APPEND), 0);
    assert_true(proxy_close_idle(scene.proxy) > 0);
    assert_int_equal(remote_try(&scene, REMOTE_MIXED), 0);
    assert_true(proxy_reset_all(scene.proxy) > 0);
    assert_int_equal(remote_try(&scene, REMOTE_REPLICA), 0);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

/* A server that is down, seen without a proxy: nothing was written, and the text says why. */
static void remote_server__that_is_down_is_unavailable(void **state) {
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, NULL);
    AUTO_FREE struct remote_work *work = remote_work_new(&scene, REMOTE_PUT);
    struct store_stats stats;
    mneme_error error;
    sqld_kill(&scene.server);
    (void)remote_work_apply(work, UINT32_MAX, scene.direct);
    assert_int_equal(work->batches[0].status, MNEME_UNAVAILABLE);
    assert_true(mneme_status_retryable(work->batches[0].status));
    assert_says(&work->batches[0].error, "connect");
    REFUSED(store_stats(scene.direct, &stats, &error), MNEME_UNAVAILABLE, &error);
    remote_restart(&scene);
    remote_heal(&scene);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

/* It takes requests, and time stands still for it. */
static void remote_server__may_be_stopped(void **state) {
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, NULL);
    AUTO_FREE struct remote_work *work = remote_work_new(&scene, REMOTE_APPEND);
    remote_doing(&scene, "stopped");
    kill(scene.server.pid, SIGSTOP);
    remote_run(&scene, work);
    assert_int_equal(work->batches[0].status, MNEME_UNCERTAIN);
    kill(scene.server.pid, SIGCONT);
    remote_heal(&scene);
    (void)http_sql_number(scene.server.ports[SQLD_HTTP].number, "SELECT 1");
    assert_int_equal(remote_settle(&scene, REMOTE_APPEND, work), MNEME_UNCERTAIN);
    remote_compare(&scene);
    remote_scene_remove(&scene);
}

/* ---- Want of room ------------------------------------------------------------------------------
 */

/* Large puts until one fails; then there is room, by `relieve`, and all goes on. What was
 * acknowledged before stays. The work is settled once it has healed. */
static int fill(struct remote_scene *scene, void (*relieve)(struct remote_scene *)) {
    int status = 0;
    for (int i = 0; i < 30 && status == 0; i++) {
        AUTO_FREE struct remote_work *work = remote_work_new(scene, REMOTE_LARGE);
        remote_doing(scene, "large put %d on a full disk", i);
        remote_run(scene, work);
        status = work->batches[0].status;
        if (status)
            relieve(scene);
        assert_int_equal(remote_settle(scene, REMOTE_LARGE, work), status);
        remote_work_fini(work);
    }
    remote_doing(scene, "with room again");
    assert_int_equal(remote_try(scene, REMOTE_EPISODE), 0);
    remote_compare(scene);
    return status;
}

/* SQLite tells a lack of room from other failures of the disk in some places only. */
static bool is_full_disk(int status) {
    return status == MNEME_NO_SPACE || status == MNEME_IO || status == MNEME_UNCERTAIN;
}

static void lift_limit(struct remote_scene *scene) {
    scene->server.options.file_size_max = 0;
    remote_restart(scene);
    remote_heal(scene);
}

/* A file cannot grow. */
static void remote_server__may_be_unable_to_grow_a_file(void **state) {
    static const struct sqld_options limited = {.file_size_max = 4 << 20};
    struct remote_scene scene;
    (void)state;
    scene_setup(&scene, &(struct remote_options){.server = &limited});
    int status = fill(&scene, lift_limit);
    if (!is_full_disk(status))
        fail_msg("%s: %s", mneme_status_name(status), scene.said.message);
    assert_says(&scene.said, "disk");
    remote_scene_remove(&scene);
}

static bool mount_small(const char *directory) {
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, "") == 0 &&
           mount("none", directory, "tmpfs", 0, "size=24m") == 0;
}

static void grow_disk(struct remote_scene *scene) {
    const char *directory = scene->server.options.directory;
    assert_int_equal(mount("none", directory, "tmpfs", MS_REMOUNT, "size=200m"), 0);
    remote_heal(scene);
}

/* A disk of its own that is full; only where this process may mount one. */
static void remote_server__may_run_out_of_disk(void **state) {
    const struct home *home = *state;
    const struct sqld_options server = {.directory = home->directory};
    struct remote_scene scene;
    if (!mount_small(home->directory)) {
        print_message("no right to mount a tmpfs: the case before this one stands for it\n");
        return;
    }
    scene_setup(&scene, &(struct remote_options){.server = &server});
    int status = fill(&scene, grow_disk);
    if (!is_full_disk(status))
        fail_msg("%s: %s", mneme_status_name(status), scene.said.message);
    assert_true(strstr(scene.said.message, "disk") || strstr(scene.said.message, "full"));
    remote_scene_remove(&scene);
    assert_int_equal(umount(home->directory), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_server__may_be_killed_and_restarted),
        cmocka_unit_test(remote_server__keeps_what_it_did_when_killed),
        cmocka_unit_test(remote_server__may_restart_between_calls),
        cmocka_unit_test(remote_server__that_is_down_is_unavailable),
        cmocka_unit_test(remote_server__may_be_stopped),
        cmocka_unit_test(remote_server__may_be_unable_to_grow_a_file),
        cmocka_unit_test_setup_teardown(remote_server__may_run_out_of_disk, home_setup,
                                        home_teardown),
    };
    return cmocka_run_group_tests_name("reliability/remote_server", tests, NULL, NULL);
}
