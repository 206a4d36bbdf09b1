/*
 * sync_thread_test.c - when the thread of a handle sends and fetches: what gathers, and what ends
 * that. Times that are waited for are an hour, or do not count.
 */
#include "os/os.h"
#include "support/api_fixture.h"
#include "support/server_database.h"

enum { PATIENCE_US = 60 * 1000 * 1000, NAP_US = 5 * 1000 };
enum { HOUR_MS = 3600 * 1000, PUSH_MAX = 20, A_WHILE_US = 300 * 1000 };

/* ---- Fixture ------------------------------------------------------------------------------- */

struct scene {
    struct home home;
    struct server_database database;
    mneme *a, *b; /* two machines */
};

/* Of a handle that sends for no other reason than the one that is tested. */
static mneme *open_lazy(const struct scene *scene, const char *name) {
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    options.sync.url = scene->database.url;
    options.sync.poll_ms = options.sync.poll_max_ms = options.sync.gather_ms = HOUR_MS;
    options.sync.push_max = PUSH_MAX;
    OK(mneme_open(home_file(&scene->home, name), &options, &m, &error), &error);
    return m;
}

static mneme_sync_status status_of(mneme *m) {
    mneme_sync_status status = {.size = sizeof status};
    mneme_error error;
    OK(mneme_sync_status_get(m, &status, &error), &error);
    return status;
}

static bool is_there(mneme *m, const mneme_id *id) {
    const mneme_record *record;
    mneme_error error;
    int status = mneme_acquire(m, MNEME_PATTERN, id, &record, &error);
    if (status == 0)
        mneme_release(m, record);
    return status == 0;
}

/* A batch of more mutations than records: with an id that is given it checks, too. */
static void put_episode(mneme *m) {
    mneme_episode episode = {.task = text("gathers")};
    mneme_record record = {.kind = MNEME_EPISODE, .as.episode = &episode};
    mneme_error error;
    OK(mneme_id_make(&record.id, &error), &error);
    OK(mneme_put(m, &record, 1, NULL, NULL, &error), &error);
}

/* Wait until `condition`; fails when it does not come true. */
#define SOON(condition)                                                                            \
    do {                                                                                           \
        int64_t give_up_us_ = clock_monotonic_us() + PATIENCE_US;                                  \
        while (!(condition)) {                                                                     \
            if (clock_monotonic_us() > give_up_us_)                                                \
                fail_msg("this did not come true: %s", #condition);                                \
            usleep(NAP_US);                                                                        \
        }                                                                                          \
    } while (0)

/* Write something that goes at once, for nothing has gone before; what follows gathers. */
static void begin_to_gather(mneme *m) {
    (void)put_pattern(m, "first", "goes at once");
    SOON(status_of(m).pushed == 1);
}

static int setup(void **state) {
    static struct scene scene;
    mneme_error error;
    home_make(&scene.home);
    OK(server_database_make(&scene.database, &error), &error);
    scene.a = open_lazy(&scene, "a.mdb");
    scene.b = open_lazy(&scene, "b.mdb");
    *state = &scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    store_close_ok(scene->a);
    store_close_ok(scene->b);
    home_remove(&scene->home);
    return 0;
}

/* ---- Cases --------------------------------------------------------------------------------- */

/* The server tells the machine of its own push, too, and each write wakes the thread. */
static void writes__gather_though_the_remote_tells_of_the_last_push(void **state) {
    struct scene *scene = *state;
    begin_to_gather(scene->a);
    for (int i = 0; i < PUSH_MAX - 1; i++) {
        put_episode(scene->a);
        usleep(NAP_US);
    }
    usleep(A_WHILE_US);
    assert_int_equal(status_of(scene->a).pushed, 1);
    assert_int_equal(status_of(scene->a).pending, PUSH_MAX - 1);
}

static void writes__go_when_a_request_is_full_of_records(void **state) {
    struct scene *scene = *state;
    begin_to_gather(scene->a);
    for (int i = 0; i < PUSH_MAX; i++)
        put_episode(scene->a);
    SOON(status_of(scene->a).pushed == 1 + PUSH_MAX);
    assert_int_equal(status_of(scene->a).pending, 0);
}

static void hints__end_gathering(void **state) {
    struct scene *scene = *state;
    begin_to_gather(scene->b);
    usleep(A_WHILE_US); /* what the server tells of that push is over */
    (void)put_pattern(scene->b, "second", "gathers");
    mneme_id id = put_pattern(scene->a, "of the other machine", "goes at once");
    SOON(is_there(scene->b, &id));
    SOON(status_of(scene->b).pending == 0);
}

/* Both may be one hint to the machine that pushes. */
static void hints__of_others_are_followed_right_behind_a_push(void **state) {
    struct scene *scene = *state;
    SOON(status_of(scene->a).pull_us && status_of(scene->b).pull_us);
    mneme_id of_a = put_pattern(scene->a, "of one", "goes at once");
    mneme_id of_b = put_pattern(scene->b, "of the other", "goes at once");
    SOON(is_there(scene->a, &of_b));
    SOON(is_there(scene->b, &of_a));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(writes__gather_though_the_remote_tells_of_the_last_push),
        CASE(writes__go_when_a_request_is_full_of_records),
        CASE(hints__end_gathering),
        CASE(hints__of_others_are_followed_right_behind_a_push),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
