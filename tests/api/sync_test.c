/*
 * sync_test.c - a store with a remote, through the public interface: two files are two machines,
 * and the remote is a database of a real server. How edits merge is tested below this (tests/sync).
 */
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "bench/port.h"
#include "os/os.h"
#include "support/api_fixture.h"
#include "support/server_database.h"

enum { PATIENCE_US = 60 * 1000 * 1000, NAP_US = 5 * 1000 };

/* ---- Fixture ------------------------------------------------------------------------------- */

/* A home, and a database that nothing is in. */
struct scene {
    struct home home;
    struct server_database database;
};

static int setup(void **state) {
    static struct scene scene;
    mneme_error error;
    home_make(&scene.home);
    OK(server_database_make(&scene.database, &error), &error);
    *state = &scene;
    return 0;
}

static int teardown(void **state) {
    struct scene *scene = *state;
    home_remove(&scene->home);
    return 0;
}

static mneme_options options_for(const char *url, mneme_sync_mode mode) {
    mneme_options options = quiet_options();
    options.sync.url = url;
    options.sync.mode = mode;
    options.sync.poll_ms = 20;
    options.sync.poll_max_ms = 100;
    return options;
}

/* Of a handle that does not look by itself: what makes it send is that something was written. */
static mneme_options lazy_options_for(const char *url) {
    mneme_options options = options_for(url, MNEME_SYNC_BACKGROUND);
    options.sync.poll_ms = options.sync.poll_max_ms = 3600 * 1000;
    return options;
}

static mneme *open_with(const struct scene *scene, const char *name, const mneme_options *options) {
    mneme *m = NULL;
    mneme_error error;
    OK(mneme_open(home_file(&scene->home, name), options, &m, &error), &error);
    return m;
}

static mneme *open_manual(const struct scene *scene, const char *name) {
    mneme_options options = options_for(scene->database.url, MNEME_SYNC_MANUAL);
    return open_with(scene, name, &options);
}

static mneme_sync_report sync_ok(mneme *m) {
    mneme_sync_report report = {.size = sizeof report};
    mneme_error error;
    OK(mneme_sync(m, NULL, &report, &error), &error);
    return report;
}

static mneme_sync_status status_of(mneme *m) {
    mneme_sync_status status = {.size = sizeof status};
    mneme_error error;
    OK(mneme_sync_status_get(m, &status, &error), &error);
    return status;
}

static bool is_there(mneme *m, mneme_kind kind, const mneme_id *id) {
    const mneme_record *record;
    mneme_error error;
    int status = mneme_acquire(m, kind, id, &record, &error);
    if (status == 0)
        mneme_release(m, record);
    else if (status != MNEME_NOT_FOUND)
        fail_msg("%s", error.message);
    return status == 0;
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

static void put_text(mneme *m, const mneme_id *id, const char *description,
                     const mneme_write *how) {
    mneme_pattern pattern = pattern_of("name", description);
    mneme_record record = {.kind = MNEME_PATTERN, .id = *id, .as.pattern = &pattern};
    mneme_error error;
    OK(mneme_put(m, &record, 1, how, NULL, &error), &error);
}

static void assert_text(mneme *m, const mneme_id *id, const char *description) {
    const mneme_record *record;
    mneme_error error;
    OK(mneme_acquire(m, MNEME_PATTERN, id, &record, &error), &error);
    mneme_text found = record->as.pattern->description;
    assert_int_equal(found.size, strlen(description));
    assert_memory_equal(found.data, description, found.size);
    mneme_release(m, record);
}

static void assert_same_stores(mneme *a, mneme *b) {
    mneme_bytes left = store_text_ok(a), right = store_text_ok(b);
    assert_same_text(&left, &right);
    mneme_bytes_free(&left);
    mneme_bytes_free(&right);
}

/* ---- Options ------------------------------------------------------------------------------- */

static void open__refuses_remotes_that_make_no_sense(void **state) {
    struct scene *scene = *state;
    mneme_pair bad = {text("colour"), text("red")}, kind = {text("kind"), text("episodes")};
    const struct {
        const char *store;
        mneme_sync_options sync;
        const char *said;
    } cases[] = {
        {"mem:", {.url = "file:r.db"}, "plain path"},
        {"file:s.db", {.url = "file:r.db"}, "plain path"},
        {"s.mdb", {.url = "other.mdb"}, "no remote"},
        {"s.mdb", {.url = "mem:"}, "no remote"},
        {"s.mdb", {.url = "https://user:hunter2@host"}, ""},
        {"s.mdb", {.url = "http://example.org"}, "plain http"},
        {"s.mdb", {.url = "file:r.db", .mode = (mneme_sync_mode)7}, "mode 7"},
        {"s.mdb", {.url = "file:r.db", .name = ""}, "sync.name"},
        {"s.mdb", {.url = "file:r.db", .only = &bad, .only_count = 1}, "\"colour\""},
        {"s.mdb", {.url = "file:r.db", .only = &kind, .only_count = 1}, "\"episodes\""},
        {"s.mdb", {.url = "file:r.db", .only_count = 1}, "sync.only is NULL"},
        {"s.mdb", {.url = "file:r.db", .poll_ms = 9, .poll_max_ms = 8}, "poll_ms"},
        {"s.mdb", {.url = "file:r.db", .push_max = 1001}, "push_max"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mneme_options options = quiet_options();
        mneme *m = NULL;
        mneme_error error;
        const char *store = strcmp(cases[i].store, "s.mdb") == 0
                                ? home_file(&scene->home, cases[i].store)
                                : cases[i].store;
        options.sync = cases[i].sync;
        REFUSED(mneme_open(store, &options, &m, &error), MNEME_INVALID, &error);
        assert_says(&error, cases[i].said);
        assert_null(strstr(error.message, "hunter2"));
        assert_null(m);
    }
    assert_false(file_exists(home_file(&scene->home, "s.mdb")));
}

static void sync__needs_a_remote_and_the_right_to_write(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    mneme *m = store_open_quiet(scene->home.path);
    REFUSED(mneme_sync(m, NULL, NULL, &error), MNEME_INVALID, &error);
    assert_says(&error, "sync.url");
    assert_false(status_of(m).shared);
    store_close_ok(m);
    mneme_options options = options_for("file:r.db", MNEME_SYNC_BACKGROUND);
    options.read_only = true;
    OK(mneme_open(scene->home.path, &options, &m, &error), &error);
    REFUSED(mneme_sync(m, NULL, NULL, &error), MNEME_PERMISSION, &error);
    store_close_ok(m);
}

static void calls__look_at_sizes(void **state) {
    struct scene *scene = *state;
    mneme *m = open_manual(scene, "a.mdb");
    mneme_error error;
    mneme_sync_run run = {.size = sizeof run + 1};
    mneme_sync_report report = {.size = 1};
    mneme_sync_status status = {.size = 1};
    REFUSED(mneme_sync(m, &run, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_sync(m, NULL, &report, &error), MNEME_INVALID, &error);
    REFUSED(mneme_sync_status_get(m, &status, &error), MNEME_INVALID, &error);
    REFUSED(mneme_sync_status_get(m, NULL, &error), MNEME_INVALID, &error);
    REFUSED(mneme_conflict_resolve(m, NULL, false, NULL, &error), MNEME_INVALID, &error);
    mneme_id id;
    OK(mneme_id_make(&id, &error), &error);
    REFUSED(mneme_conflict_resolve(m, &id, true, NULL, &error), MNEME_NOT_FOUND, &error);
    store_close_ok(m);
}

/* ---- By hand ------------------------------------------------------------------------------- */

static int count_steps(void *context, const mneme_sync_report *so_far) {
    size_t *steps = context;
    (void)so_far;
    ++*steps;
    return 0;
}

static int stop_when_some_went(void *context, const mneme_sync_report *so_far) {
    (void)context;
    return so_far->pushed > 0;
}

static void manual__what_is_written_here_is_read_there(void **state) {
    struct scene *scene = *state;
    mneme *a = open_manual(scene, "a.mdb"), *b = open_manual(scene, "b.mdb");
    mneme_id pattern = put_pattern(a, "retry", "after 429");
    mneme_id episode = start_episode(a, "book a flight");
    append_step(a, &episode, "found 3");
    assert_int_equal(status_of(a).pending, 0); /* nobody counts before the first time */
    assert_string_equal(status_of(a).remote, scene->database.url);
    mneme_sync_report report = sync_ok(a);
    assert_int_equal(report.pending, 3);
    assert_int_equal(report.pushed, 3);
    assert_int_equal(report.pulled, 0);
    assert_int_equal(status_of(a).pending, 0);
    assert_true(status_of(a).push_us > 0);
    assert_false(is_there(b, MNEME_PATTERN, &pattern)); /* which the cache keeps */
    assert_int_equal(sync_ok(b).pulled, 3);
    assert_true(is_there(b, MNEME_PATTERN, &pattern));
    assert_same_stores(a, b);
    assert_int_equal(sync_ok(a).pushed, 0);
    assert_int_equal(sync_ok(b).pulled, 0);
    store_close_ok(a);
    store_close_ok(b);
}

static void manual__goes_in_steps_and_can_be_stopped(void **state) {
    struct scene *scene = *state;
    mneme_options options = options_for(scene->database.url, MNEME_SYNC_MANUAL);
    options.sync.push_max = 1; /* and a step is 16 exchanges at most */
    mneme *m = open_with(scene, "a.mdb", &options);
    mneme_error error;
    size_t steps = 0;
    for (int i = 0; i < 35; i++)
        put_pattern(m, "name", "description");
    mneme_sync_run run = {.size = sizeof run, .progress = stop_when_some_went};
    mneme_sync_report report = {.size = sizeof report};
    REFUSED(mneme_sync(m, &run, &report, &error), MNEME_CANCELLED, &error);
    assert_int_equal(report.pushed, 16);
    run.progress = count_steps;
    run.context = &steps;
    OK(mneme_sync(m, &run, &report, &error), &error);
    assert_int_equal(report.pushed, 19);
    assert_true(steps >= 2);
    store_close_ok(m);
}

static void manual__a_file_can_be_the_remote(void **state) {
    struct scene *scene = *state;
    char url[400];
    snprintf(url, sizeof url, "file:%s", home_file(&scene->home, "remote.db"));
    mneme_options options = options_for(url, MNEME_SYNC_MANUAL);
    mneme *a = open_with(scene, "a.mdb", &options), *b = open_with(scene, "b.mdb", &options);
    put_pattern(a, "one", "from a");
    put_pattern(b, "two", "from b");
    sync_ok(a);
    sync_ok(b);
    sync_ok(a);
    assert_int_equal(count_records(a, MNEME_PATTERN), 2);
    assert_same_stores(a, b);
    store_close_ok(a);
    store_close_ok(b);
}

static void stats__tell_the_same(void **state) {
    struct scene *scene = *state;
    mneme *m = open_manual(scene, "a.mdb");
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    put_pattern(m, "one", "of it");
    sync_ok(m);
    mneme_sync_status status = status_of(m);
    OK(mneme_stats_get(m, &stats, &error), &error);
    assert_memory_equal(&stats.sync, &status, sizeof status);
    assert_int_equal(status.pushed, 1);
    assert_true(status.bytes_up > 0);
    assert_int_equal(status.peer_count, 1);
    assert_true(status.peers[0].self);
    store_close_ok(m);
    /* A store that cannot be synced has nothing to tell. */
    m = store_open_quiet("mem:");
    OK(mneme_stats_get(m, &stats, &error), &error);
    assert_false(stats.sync.shared);
    store_close_ok(m);
}

/* ---- In the background --------------------------------------------------------------------- */

static void background__two_machines_see_each_others_writes(void **state) {
    struct scene *scene = *state;
    mneme_options options = options_for(scene->database.url, MNEME_SYNC_BACKGROUND);
    mneme *a = open_with(scene, "a.mdb", &options), *b = open_with(scene, "b.mdb", &options);
    mneme_id id = put_pattern(a, "retry", "first");
    assert_false(is_there(b, MNEME_PATTERN, &(mneme_id){{1}}));
    SOON(is_there(b, MNEME_PATTERN, &id));
    put_text(b, &id, "second", NULL);
    SOON(status_of(b).pending == 0);
    uint64_t pulled = status_of(a).pulled;
    SOON(pulled != status_of(a).pulled || status_of(a).pulled > 0);
    assert_text(a, &id, "second");
    mneme_error error;
    OK(mneme_delete(a, MNEME_PATTERN, &id, 1, NULL, &error), &error);
    SOON(!is_there(b, MNEME_PATTERN, &id));
    store_close_ok(a);
    store_close_ok(b);
}

static int put_in_child(void *context) {
    const char *path = context;
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    mneme_pattern pattern = pattern_of("child", "of another process");
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    CHILD_CHECK(mneme_open(path, &options, &m, &error) == 0, "%s", error.message);
    CHILD_CHECK(mneme_put(m, &record, 1, NULL, NULL, &error) == 0, "%s", error.message);
    CHILD_CHECK(mneme_close(m, &error) == 0, "%s", error.message);
    return 0;
}

static void background__what_other_processes_write_goes_out(void **state) {
    struct scene *scene = *state;
    char path[400];
    snprintf(path, sizeof path, "%s", home_file(&scene->home, "a.mdb"));
    put_in_child(path); /* so that there is a store */
    mneme_options options = lazy_options_for(scene->database.url);
    mneme *a = open_with(scene, "a.mdb", &options);
    SOON(status_of(a).pushed == 1);
    assert_int_equal(child_run(put_in_child, path), 0);
    SOON(status_of(a).pushed == 2);
    store_close_ok(a);
}

static void background__queued_writes_go_out_when_they_are_on_disk(void **state) {
    struct scene *scene = *state;
    mneme_options options = lazy_options_for(scene->database.url);
    mneme *a = open_with(scene, "a.mdb", &options);
    mneme_write how = {.durability = MNEME_RELAXED};
    mneme_id id;
    mneme_error error;
    SOON(status_of(a).pull_us != 0);
    OK(mneme_id_make(&id, &error), &error);
    put_text(a, &id, "relaxed", &how);
    SOON(status_of(a).pushed == 1);
    store_close_ok(a);
}

static void one_worker__the_second_handle_waits_or_says_who_works(void **state) {
    struct scene *scene = *state;
    mneme *a = open_manual(scene, "a.mdb"), *again = open_manual(scene, "a.mdb");
    mneme_error error;
    put_pattern(a, "one", "of it");
    sync_ok(a); /* and has the lease now */
    put_pattern(again, "two", "of it");
    REFUSED(mneme_sync(again, NULL, NULL, &error), MNEME_LOCKED, &error);
    store_close_ok(a); /* gives it back */
    assert_int_equal(sync_ok(again).pushed, 1);
    store_close_ok(again);
    /* A worker that lives does the work, which is as good. */
    mneme_options options = options_for(scene->database.url, MNEME_SYNC_BACKGROUND);
    a = open_with(scene, "a.mdb", &options);
    SOON(status_of(a).worker[0]);
    again = open_manual(scene, "a.mdb");
    put_pattern(again, "three", "of it");
    mneme_sync_run run = {.size = sizeof run, .wait_ms = PATIENCE_US / 1000};
    mneme_sync_report report = {.size = sizeof report};
    OK(mneme_sync(again, &run, &report, &error), &error);
    assert_true(report.by_other);
    assert_int_equal(status_of(again).pushed, 3);
    store_close_ok(again);
    store_close_ok(a);
}

/* ---- A remote that is not there ------------------------------------------------------------ */

/* A socket that listens and never answers. */
static int silent_port(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(listen(fd, 16), 0);
    *port = ntohs(address.sin_port);
    return fd;
}

static void work_as_if_alone(mneme *m) {
    mneme_id id = put_pattern(m, "local", "work");
    assert_true(is_there(m, MNEME_PATTERN, &id));
    put_text(m, &id, "more work", NULL);
    assert_text(m, &id, "more work");
    mneme_id episode = start_episode(m, "go on");
    append_step(m, &episode, "went on");
    mneme_error error;
    OK(complete(m, &episode, &error), &error);
}

static void dead_remote__stops_nobody_and_status_says_why(void **state) {
    struct scene *scene = *state;
    char url[64];
    mneme_error error;
    AUTO_PORT struct port dead = {0};
    OK(port_take(&dead, &error), &error);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", dead.number);
    mneme_options options = options_for(url, MNEME_SYNC_BACKGROUND);
    mneme *m = open_with(scene, "a.mdb", &options);
    work_as_if_alone(m);
    SOON(status_of(m).error_us != 0);
    mneme_sync_status status = status_of(m);
    assert_int_equal(status.error_code, MNEME_UNAVAILABLE);
    assert_non_null(strstr(status.error_text, "127.0.0.1"));
    assert_int_equal(status.pending, 2);
    assert_true(status.oldest_us > 0);
    SOON(status_of(m).next_us > 0);
    store_close_ok(m);
    options.sync.mode = MNEME_SYNC_MANUAL;
    m = open_with(scene, "a.mdb", &options);
    REFUSED(mneme_sync(m, NULL, NULL, &error), MNEME_UNAVAILABLE, &error);
    store_close_ok(m);
    /* Nothing was lost by it. */
    m = open_manual(scene, "a.mdb");
    assert_int_equal(sync_ok(m).pushed, 2);
    assert_int_equal(status_of(m).error_us, 0);
    store_close_ok(m);
}

static void stalled_remote__is_left_alone_by_who_closes(void **state) {
    struct scene *scene = *state;
    char url[64];
    uint16_t port;
    int fd = silent_port(&port);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
    mneme_options options = options_for(url, MNEME_SYNC_BACKGROUND);
    options.remote.timeout_ms = 4000;
    options.remote.stall_ms = 4000;
    mneme *m = open_with(scene, "a.mdb", &options);
    work_as_if_alone(m);
    SOON(status_of(m).worker[0]); /* it has begun */
    store_close_ok(m);
    /* The file can be used again at once, and is free when the request has ended. */
    m = store_open_quiet(home_file(&scene->home, "a.mdb"));
    SOON(status_of(m).worker[0] == 0);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    store_close_ok(m);
    close(fd);
    /* The thread frees the handle as its last deed. */
    usleep(100 * 1000);
}

static void token_file__is_read_when_it_is_there(void **state) {
    struct scene *scene = *state;
    char path[400];
    snprintf(path, sizeof path, "%s", home_file(&scene->home, "token"));
    mneme_options options = options_for(scene->database.url, MNEME_SYNC_MANUAL);
    options.remote.token_file = path;
    mneme *m = open_with(scene, "a.mdb", &options);
    mneme_error error;
    put_pattern(m, "one", "of it");
    REFUSED(mneme_sync(m, NULL, NULL, &error), MNEME_NOT_FOUND, &error);
    assert_says(&error, "token");
    assert_int_equal(status_of(m).error_code, MNEME_NOT_FOUND);
    file_write(path, "word\n", 5);
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(sync_ok(m).pushed, 1);
    store_close_ok(m);
}

/* ---- What stays here ----------------------------------------------------------------------- */

static void local_only__never_leaves(void **state) {
    struct scene *scene = *state;
    mneme *a = open_manual(scene, "a.mdb"), *b = open_manual(scene, "b.mdb");
    mneme_write local = {.local_only = true};
    mneme_error error;
    mneme_id mine, episode, shared = put_pattern(a, "shared", "by all");
    mneme_episode e = {.task = text("of my own")};
    OK(mneme_id_make(&mine, &error), &error);
    put_text(a, &mine, "mine", &local);
    OK(mneme_episode_start(a, &e, &local, &episode, &error), &error);
    append_step(a, &episode, "a secret");
    sync_ok(a);
    put_text(a, &mine, "still mine", NULL); /* the mark sticks */
    OK(mneme_tag_add(a, MNEME_EPISODE, &episode, text("t"), NULL, &error), &error);
    OK(complete(a, &episode, &error), &error);
    sync_ok(a);
    assert_int_equal(status_of(a).pending, 0);
    sync_ok(b);
    assert_true(is_there(b, MNEME_PATTERN, &shared));
    assert_int_equal(count_records(b, MNEME_PATTERN), 1);
    assert_int_equal(count_records(b, MNEME_EPISODE), 0);
    assert_int_equal(count_records(b, MNEME_STEP), 0);
    const mneme_record *record;
    OK(mneme_acquire(a, MNEME_EPISODE, &episode, &record, &error), &error);
    assert_true(record->flags & MNEME_FLAG_LOCAL);
    assert_true(record->flags & MNEME_FLAG_SEALED);
    assert_int_equal(record->as.episode->steps.count, 1);
    mneme_release(a, record);
    store_close_ok(a);
    store_close_ok(b);
}

static size_t train(mneme *m) {
    size_t trained;
    mneme_error error;
    OK(mneme_train(m, &trained, &error), &error);
    return trained;
}

static void training__takes_nothing_that_stays_here(void **state) {
    enum { MANY = 400 };
    struct scene *scene = *state;
    mneme *m = store_open_quiet(home_file(&scene->home, "a.mdb"));
    mneme_write local = {.local_only = true};
    mneme_id ids[MANY], episode;
    mneme_episode e = {.task = text("of my own")};
    mneme_error error;
    char text_of_it[160];
    OK(mneme_episode_start(m, &e, &local, &episode, &error), &error);
    for (int i = 0; i < MANY; i++) {
        snprintf(text_of_it, sizeof text_of_it,
                 "what is alike in all of these can be learned, but for number %d, which is not "
                 "the same as number %d in another one of them",
                 i, i * i);
        OK(mneme_id_make(&ids[i], &error), &error);
        put_text(m, &ids[i], text_of_it, &local);
        append_step(m, &episode, text_of_it);
    }
    assert_int_equal(train(m), 0);
    OK(mneme_delete(m, MNEME_PATTERN, ids, MANY, NULL, &error), &error);
    for (int i = 0; i < MANY; i++) {
        snprintf(text_of_it, sizeof text_of_it,
                 "what is alike in all of these can be learned, but for number %d, which is not "
                 "the same as number %d in another one of them",
                 i, i * i);
        put_text(m, &ids[i], text_of_it, NULL);
    }
    assert_int_equal(train(m), 1);
    store_close_ok(m);
}

static void only__shares_what_it_names(void **state) {
    struct scene *scene = *state;
    mneme_pair rows[] = {{text("tag"), text("work")}, {text("tag"), text("team")}};
    mneme_options options = options_for(scene->database.url, MNEME_SYNC_MANUAL);
    options.sync.only = rows;
    options.sync.only_count = 2;
    mneme *a = open_with(scene, "a.mdb", &options), *b = open_manual(scene, "b.mdb");
    const char *const tags[] = {"work", "home", "team"};
    for (size_t i = 0; i < 3; i++) {
        mneme_text tag = text(tags[i]);
        mneme_pattern pattern = pattern_of(tags[i], "description");
        pattern.tags = (mneme_text_list){&tag, 1};
        mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
        mneme_error error;
        OK(mneme_put(a, &record, 1, NULL, NULL, &error), &error);
    }
    sync_ok(a);
    sync_ok(b);
    assert_int_equal(count_records(b, MNEME_PATTERN), 2);
    assert_int_equal(status_of(a).held, 1);
    assert_int_equal(status_of(a).held_refused, 0);
    store_close_ok(a);
    store_close_ok(b);
}

/* ---- Conflicts ----------------------------------------------------------------------------- */

/* The only conflict of a store. */
static mneme_id conflict_of(mneme *m) {
    mneme_query query = {.kind = MNEME_SUPERSEDED};
    const mneme_page *page;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    assert_int_equal(page->count, 1);
    mneme_id id = page->records[0]->id;
    mneme_page_release(m, page);
    return id;
}

static void sync_both(mneme *a, mneme *b) {
    sync_ok(a);
    sync_ok(b);
    sync_ok(a);
    sync_ok(b);
}

static void next_millisecond(void) {
    int64_t now = clock_wall_us() / 1000;
    while (clock_wall_us() / 1000 <= now)
        continue;
}

/* A pattern that a and b have changed, b later: its conflict is on both. */
static mneme_id make_conflict(mneme *a, mneme *b) {
    mneme_id id = put_pattern(a, "name", "at first");
    sync_both(a, b);
    put_text(a, &id, "by a", NULL);
    next_millisecond(); /* in one, the device decides who is later */
    put_text(b, &id, "by b", NULL);
    sync_both(a, b);
    assert_text(a, &id, "by b");
    assert_text(b, &id, "by b");
    assert_int_equal(status_of(a).superseded, 1);
    assert_int_equal(status_of(b).superseded, 1);
    return id;
}

static void conflict__is_dropped_everywhere(void **state) {
    struct scene *scene = *state;
    mneme *a = open_manual(scene, "a.mdb"), *b = open_manual(scene, "b.mdb");
    mneme_id id = make_conflict(a, b), conflict = conflict_of(a);
    mneme_error error;
    const mneme_record *record;
    OK(mneme_acquire(b, MNEME_SUPERSEDED, &conflict, &record, &error), &error);
    assert_int_equal(record->as.superseded->subject_kind, MNEME_PATTERN);
    assert_memory_equal(&record->as.superseded->subject, &id, sizeof id);
    mneme_release(b, record);
    OK(mneme_conflict_resolve(b, &conflict, false, NULL, &error), &error);
    REFUSED(mneme_conflict_resolve(b, &conflict, false, NULL, &error), MNEME_NOT_FOUND, &error);
    sync_both(b, a);
    assert_int_equal(count_records(a, MNEME_SUPERSEDED), 0);
    assert_text(a, &id, "by b");
    store_close_ok(a);
    store_close_ok(b);
}

static void conflict__is_restored_everywhere(void **state) {
    struct scene *scene = *state;
    mneme *a = open_manual(scene, "a.mdb"), *b = open_manual(scene, "b.mdb");
    mneme_id id = make_conflict(a, b), conflict = conflict_of(b);
    mneme_error error;
    OK(mneme_conflict_resolve(b, &conflict, true, NULL, &error), &error);
    assert_text(b, &id, "by a");
    assert_int_equal(count_records(b, MNEME_SUPERSEDED), 0);
    sync_both(b, a);
    assert_text(a, &id, "by a");
    assert_int_equal(count_records(a, MNEME_SUPERSEDED), 0);
    assert_same_stores(a, b);
    store_close_ok(a);
    store_close_ok(b);
}

static void conflict__a_deleted_episode_lives_again_with_its_steps(void **state) {
    struct scene *scene = *state;
    mneme *a = open_manual(scene, "a.mdb"), *b = open_manual(scene, "b.mdb");
    mneme_error error;
    mneme_id id = start_episode(a, "book a flight");
    append_step(a, &id, "found 3");
    OK(complete(a, &id, &error), &error);
    sync_both(a, b);
    OK(mneme_tag_add(b, MNEME_EPISODE, &id, text("late"), NULL, &error), &error);
    OK(mneme_delete(a, MNEME_EPISODE, &id, 1, NULL, &error), &error);
    sync_both(a, b);
    assert_false(is_there(b, MNEME_EPISODE, &id));
    mneme_id conflict = conflict_of(a);
    OK(mneme_conflict_resolve(a, &conflict, true, NULL, &error), &error);
    sync_both(a, b);
    const mneme_record *record;
    OK(mneme_acquire(b, MNEME_EPISODE, &id, &record, &error), &error);
    assert_int_equal(record->as.episode->steps.count, 1);
    assert_int_equal(record->as.episode->tags.count, 1);
    mneme_release(b, record);
    assert_int_equal(count_records(b, MNEME_SUPERSEDED), 0);
    store_close_ok(a);
    store_close_ok(b);
}

static void conflict__restoring_an_open_episode_keeps_its_steps(void **state) {
    struct scene *scene = *state;
    mneme *a = open_manual(scene, "a.mdb"), *b = open_manual(scene, "b.mdb");
    mneme_error error;
    mneme_id id = start_episode(a, "at first");
    append_step(a, &id, "one");
    sync_both(a, b);
    mneme *const sides[] = {a, b};
    for (size_t i = 0; i < 2; i++) {
        mneme_step step = step_of("tool", "one");
        const mneme_record *now;
        OK(mneme_acquire(sides[i], MNEME_EPISODE, &id, &now, &error), &error);
        mneme_episode episode = *now->as.episode;
        episode.task = text(i == 0 ? "by a" : "by b");
        mneme_record record = {.kind = MNEME_EPISODE, .id = id, .as.episode = &episode};
        OK(mneme_put(sides[i], &record, 1, NULL, NULL, &error), &error);
        mneme_release(sides[i], now);
        OK(mneme_step_append(sides[i], &id, &step, NULL, NULL, NULL, &error), &error);
        next_millisecond();
    }
    sync_both(a, b);
    mneme_id conflict = conflict_of(a);
    OK(mneme_conflict_resolve(a, &conflict, true, NULL, &error), &error);
    sync_both(a, b);
    const mneme_record *record;
    OK(mneme_acquire(b, MNEME_EPISODE, &id, &record, &error), &error);
    assert_memory_equal(record->as.episode->task.data, "by a", 4);
    assert_int_equal(record->as.episode->steps.count, 3);
    mneme_release(b, record);
    assert_same_stores(a, b);
    store_close_ok(a);
    store_close_ok(b);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- Dictionaries --------------------------------------------------------------------------- */

static int stop_at_once(void *context, const mneme_sync_report *so_far) {
    (void)context, (void)so_far;
    return 1;
}

static mneme_id put_one_of_many(mneme *m, unsigned n) {
    char description[300];
    mneme_error error;
    mneme_id id;
    snprintf(
        description, sizeof description,
        "{\"reservation\": \"%05u\", \"user\": \"traveller_%u\", \"seat\": \"%u%c\", \"flights\": "
        "[{\"from\": \"ZRH\", \"to\": \"SFO\", \"date\": \"2026-%02u-%02u\"}], \"price\": %u}",
        n * 7919 % 100000, n, n % 40, 'A' + (int)(n % 6), 1 + n % 12, 1 + n % 28, n * 13 % 999);
    mneme_pattern pattern = pattern_of("reservation", description);
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    OK(mneme_put(m, &record, 1, &(mneme_write){.durability = MNEME_RELAXED}, &id, &error), &error);
    return id;
}

/* What was changed before a dictionary was trained goes out before it, in requests of its own; who
 * reads the remote between the two can read it. */
static void dictionary__is_not_used_before_it_is_there(void **state) {
    enum { MANY = 700, SOME = 10 };
    struct scene *scene = *state;
    mneme_options options = options_for(scene->database.url, MNEME_SYNC_MANUAL);
    const mneme_sync_run run = {.size = sizeof run, .progress = stop_at_once};
    mneme_id ids[SOME];
    mneme *there = NULL;
    mneme_error error;
    size_t trained;
    options.sync.push_max = SOME;
    mneme *m = open_with(scene, "a.mdb", &options);
    for (unsigned i = 0; i < SOME; i++)
        ids[i] = put_one_of_many(m, i);
    (void)sync_ok(m);
    for (unsigned i = 0; i < SOME; i++)
        OK(mneme_tag_add(m, MNEME_PATTERN, &ids[i], text("edited"), NULL, &error), &error);
    for (unsigned i = SOME; i < MANY; i++)
        (void)put_one_of_many(m, i);
    OK(mneme_flush(m, &error), &error);
    OK(mneme_train(m, &trained, &error), &error);
    assert_int_equal(trained, 1);
    assert_int_equal(mneme_sync(m, &run, NULL, &error), MNEME_CANCELLED);
    OK(mneme_open(scene->database.url, NULL, &there, &error), &error);
    for (unsigned i = 0; i < SOME; i++) {
        const mneme_record *record;
        OK(mneme_acquire(there, MNEME_PATTERN, &ids[i], &record, &error), &error);
        assert_int_equal(record->as.pattern->tags.count, 1);
        mneme_release(there, record);
    }
    store_close_ok(there);
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(open__refuses_remotes_that_make_no_sense),
        CASE(sync__needs_a_remote_and_the_right_to_write),
        CASE(calls__look_at_sizes),
        CASE(manual__what_is_written_here_is_read_there),
        CASE(manual__goes_in_steps_and_can_be_stopped),
        CASE(manual__a_file_can_be_the_remote),
        CASE(stats__tell_the_same),
        CASE(background__two_machines_see_each_others_writes),
        CASE(background__what_other_processes_write_goes_out),
        CASE(background__queued_writes_go_out_when_they_are_on_disk),
        CASE(one_worker__the_second_handle_waits_or_says_who_works),
        CASE(dead_remote__stops_nobody_and_status_says_why),
        CASE(stalled_remote__is_left_alone_by_who_closes),
        CASE(token_file__is_read_when_it_is_there),
        CASE(local_only__never_leaves),
        CASE(training__takes_nothing_that_stays_here),
        CASE(only__shares_what_it_names),
        CASE(conflict__is_dropped_everywhere),
        CASE(conflict__is_restored_everywhere),
        CASE(conflict__a_deleted_episode_lives_again_with_its_steps),
        CASE(conflict__restoring_an_open_episode_keeps_its_steps),
        CASE(dictionary__is_not_used_before_it_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
