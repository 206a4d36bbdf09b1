/*
 * sqlite_process_test.c - the SQLite driver among other threads, drivers and processes: nothing is
 * lost, waiting has an end, a fork is noticed, a backup is of one moment.
 */
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>

#include "store/sql/sqlite_scene.h"

enum { PROCESSES = 3, THREADS = 8, ROUNDS = 15 };

/* ---- Many writers --------------------------------------------------------------------------- */

struct writer {
    struct scene *scene;
    int64_t number;
    pthread_t thread;
};

/* Count up by reading first: one lost update shows in the sum. */
static void *write_rounds(void *context) {
    struct writer *writer = context;
    for (int64_t i = 0; i < ROUNDS; i++) {
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error = {0};
        const struct sql_step steps[] = {{SQL("BEGIN IMMEDIATE")},
                                         {SQL("INSERT INTO t VALUES (?, ?)"),
                                          VALUES(sql_integer(writer->number), sql_integer(i))},
                                         {SQL("UPDATE sum SET n = (SELECT n FROM sum) + 1")},
                                         {SQL("COMMIT")}};
        int status = scene_run(writer->scene, steps, COUNT_OF(steps), true, &results, &error);
        if (status)
            fprintf(stderr, "%s\n", error.message);
        CHECK(status == 0);
        for (size_t k = 0; k < COUNT_OF(steps); k++)
            CHECK(results.steps[k].outcome == SQL_DONE);
    }
    return NULL;
}

struct process {
    struct scene *scene;
    int64_t number;
};

static int write_in_threads(void *context) {
    struct process *process = context;
    struct writer writers[THREADS];
    mneme_error error;
    const struct sqlite_options options = {.busy_ms = 300000};
    int status =
        sqlite_driver_open(process->scene->path, &options, &process->scene->driver, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    for (int i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){process->scene, process->number * THREADS + i, 0};
        CHECK(pthread_create(&writers[i].thread, NULL, write_rounds, &writers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(writers[i].thread, NULL);
    scene_close(process->scene);
    return 0;
}

static void make_tables(struct scene *scene) {
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a, b, UNIQUE (a, b))");
    scene_write(scene, "CREATE TABLE sum AS SELECT 0 AS n");
    scene_close(scene);
}

static void run__in_threads_of_processes__loses_nothing(void **state) {
    struct scene *scene = *state;
    pid_t children[PROCESSES];
    struct process processes[PROCESSES];
    make_tables(scene);
    for (int i = 0; i < PROCESSES; i++) {
        processes[i] = (struct process){scene, i};
        children[i] = child_start(write_in_threads, &processes[i]);
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_int_equal(child_wait(children[i]), 0);
    scene_open(scene, NULL);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), PROCESSES * THREADS * ROUNDS);
    assert_int_equal(scene_number(scene, "SELECT n FROM sum"), PROCESSES * THREADS * ROUNDS);
    scene_says(scene, "PRAGMA integrity_check", "ok");
}

/* Transactions that read before they lock: SQLite refuses to go on from a moment that is past, and
 * the driver runs them again. */
static void *write_late(void *context) {
    struct writer *writer = context;
    for (int64_t i = 0; i < 100; i++) {
        AUTO_RESULTS struct sql_results results = {0};
        const struct sql_step steps[] = {{SQL("BEGIN")},
                                         {SQL("SELECT n FROM sum")},
                                         {SQL("UPDATE sum SET n = n + 1")},
                                         {SQL("COMMIT")}};
        CHECK(scene_run(writer->scene, steps, COUNT_OF(steps), true, &results, NULL) == 0);
        for (size_t k = 0; k < COUNT_OF(steps); k++)
            CHECK(results.steps[k].outcome == SQL_DONE);
    }
    return NULL;
}

static void run__begun_too_early__is_run_again(void **state) {
    struct scene *scene = *state, other;
    make_tables(scene);
    const struct sqlite_options options = {.busy_ms = 300000};
    uint64_t repeats = 0, rounds = 0;
    scene_open(scene, &options);
    other = *scene;
    scene_open(&other, &options); /* of one driver writers take turns */
    for (; repeats == 0 && rounds < 100; rounds++) {
        struct writer a = {scene, 0, 0}, b = {&other, 1, 0};
        assert_int_equal(pthread_create(&a.thread, NULL, write_late, &a), 0);
        assert_int_equal(pthread_create(&b.thread, NULL, write_late, &b), 0);
        pthread_join(a.thread, NULL);
        pthread_join(b.thread, NULL);
        repeats = scene_counters(scene).repeats + scene_counters(&other).repeats;
    }
    assert_true(repeats > 0);
    assert_int_equal(scene_number(scene, "SELECT n FROM sum"), (int64_t)rounds * 200);
    scene_close(&other);
}

/* ---- A lock that is held -------------------------------------------------------------------- */

struct holder {
    struct scene *scene;
    int held[2], go[2]; /* pipes: it holds the lock, it may end */
};

static int hold_lock(void *context) {
    struct holder *holder = context;
    sqlite3 *db = NULL;
    char byte;
    CHILD_CHECK(sqlite3_open(holder->scene->path, &db) == SQLITE_OK, "open");
    CHILD_CHECK(sqlite3_exec(db, "BEGIN IMMEDIATE", 0, 0, 0) == SQLITE_OK, "begin");
    CHILD_CHECK(write(holder->held[1], "", 1) == 1, "write");
    CHILD_CHECK(read(holder->go[0], &byte, 1) == 1, "read");
    return sqlite3_exec(db, "ROLLBACK", 0, 0, 0) || sqlite3_close(db);
}

static void run__past_busy_ms__says_who_is_in_the_way(void **state) {
    struct scene *scene = *state;
    struct holder holder = {.scene = scene};
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    char byte;
    const struct sqlite_options options = {.busy_ms = 60};
    const struct sql_step steps[] = {
        {SQL("BEGIN IMMEDIATE")}, {SQL("INSERT INTO t VALUES (1, 1)")}, {SQL("COMMIT")}};
    make_tables(scene);
    assert_int_equal(pipe(holder.held) | pipe(holder.go), 0);
    pid_t child = child_start(hold_lock, &holder);
    assert_int_equal(read(holder.held[0], &byte, 1), 1);
    scene_open(scene, &options);
    REFUSED(scene_run(scene, steps, 3, true, &results, &error), MNEME_LOCKED, &error);
    assert_says(&error, "another process");
    assert_int_equal(results.count, 0);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 0); /* readers go on */
    assert_int_equal(write(holder.go[1], "", 1), 1);
    assert_int_equal(child_wait(child), 0);
    OK(scene_run(scene, steps, 3, true, &results, &error), &error);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 1);
    for (int i = 0; i < 2; i++)
        close(holder.held[i]), close(holder.go[i]);
}

/* ---- Fork ----------------------------------------------------------------------------------- */

static int use_after_fork(void *context) {
    struct scene *scene = context;
    struct sql_results results = {0};
    struct sql_driver *again = NULL;
    mneme_error error;
    const struct sql_step step = {SQL("SELECT 1")};
    int status = scene_run(scene, &step, 1, false, &results, &error);
    CHILD_CHECK(status == MNEME_FORKED && results.count == 0, "run: %d", status);
    status = scene->driver->operations->backup(scene->driver, "/nonexistent/x", &error);
    CHILD_CHECK(status == MNEME_FORKED, "backup: %d", status);
    scene_counters(scene);
    scene->driver->operations->close(scene->driver);
    status = sqlite_driver_open(scene->path, NULL, &again, &error);
    CHILD_CHECK(status == MNEME_FORKED && !again, "open: %d", status);
    CHILD_CHECK(strstr(error.message, "fork"), "%s", error.message);
    status = sqlite_driver_open(home_file(&scene->home, "another.db"), NULL, &again, &error);
    CHILD_CHECK(status == 0, "another: %s", error.message);
    again->operations->close(again);
    return 0;
}

static void fork__is_noticed_and_leaves_the_parent_as_it_was(void **state) {
    struct scene *scene = *state;
    make_tables(scene);
    scene_open(scene, NULL);
    scene_write(scene, "INSERT INTO t VALUES (-1, -1)");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(child_run(use_after_fork, scene), 0);
        scene_write(scene, "UPDATE sum SET n = n + 1");
        assert_int_equal(scene_number(scene, "SELECT n FROM sum"), i + 1);
    }
    /* The locks are still the parent's: nobody else may take the log away. */
    assert_true(file_exists(home_file(&scene->home, "memory.db-wal")));
    struct process process = {scene, 0};
    scene_close(scene);
    assert_int_equal(child_run(write_in_threads, &process), 0); /* closed before the fork: fine */
}

/* ---- Backup --------------------------------------------------------------------------------- */

struct transfers {
    struct scene *scene;
    _Atomic bool stop;
    _Atomic unsigned done;
};

/* Each moves something from one table to the other: the sum is always the same. */
static void *transfer(void *context) {
    struct transfers *transfers = context;
    while (!transfers->stop) {
        AUTO_RESULTS struct sql_results results = {0};
        const struct sql_step steps[] = {{SQL("BEGIN IMMEDIATE")},
                                         {SQL("UPDATE x SET n = n - 1")},
                                         {SQL("UPDATE y SET n = n + 1")},
                                         {SQL("INSERT INTO filler VALUES (randomblob(3000))")},
                                         {SQL("COMMIT")}};
        CHECK(scene_run(transfers->scene, steps, COUNT_OF(steps), true, &results, NULL) == 0);
        CHECK(results.steps[4].outcome == SQL_DONE);
        transfers->done++;
    }
    return NULL;
}

static void assert_sound_backup(struct scene *scene, const char *path) {
    struct scene copy = *scene;
    struct stat st;
    snprintf(copy.path, sizeof copy.path, "%s", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    scene_open(&copy, &(struct sqlite_options){.must_exist = true});
    scene_says(&copy, "PRAGMA integrity_check", "ok");
    scene_says(&copy, "PRAGMA journal_mode", "wal");
    assert_int_equal(scene_number(&copy, "SELECT x.n + y.n FROM x, y"), 1000);
    assert_int_equal(scene_number(&copy, "SELECT y.n - (SELECT count(*) FROM filler) FROM y"), 0);
    scene_close(&copy);
}

static const char *copy_path(const struct scene *scene, unsigned n) {
    char name[32];
    snprintf(name, sizeof name, "backup%u.db", n);
    return home_file(&scene->home, name);
}

static void backup__while_others_write__is_of_one_moment(void **state) {
    enum { COPIES = 6 };
    struct scene *scene = *state;
    bool moves = true;
    int status = 0;
    struct transfers transfers = {.scene = scene};
    pthread_t thread;
    mneme_error error;
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE x AS SELECT 1000 AS n");
    scene_write(scene, "CREATE TABLE y AS SELECT 0 AS n");
    scene_write(scene, "CREATE TABLE filler (a)");
    assert_int_equal(pthread_create(&thread, NULL, transfer, &transfers), 0);
    for (unsigned i = 0; i < COPIES && status == 0 && moves; i++) {
        unsigned before = transfers.done;
        status = scene->driver->operations->backup(scene->driver, copy_path(scene, i), &error);
        for (int64_t end = clock_monotonic_us() + INT64_C(20000000);
             transfers.done < before + 20 && clock_monotonic_us() < end;)
            sched_yield();
        moves = transfers.done >= before + 20;
    }
    transfers.stop = true;
    pthread_join(thread, NULL);
    OK(status, &error);
    assert_true(moves);
    for (unsigned i = 0; i < COPIES; i++) {
        const char *path = copy_path(scene, i);
        REFUSED(scene->driver->operations->backup(scene->driver, path, &error), MNEME_CONFLICT,
                &error);
        assert_sound_backup(scene, path);
        assert_int_equal(unlink(path), 0);
    }
    scene_close(scene);
    unlink(scene->path);
    assert_int_equal(rmdir(scene->home.directory), 0); /* no part of a copy is left */
    assert_int_equal(mkdir(scene->home.directory, 0700), 0);
}

/* ---- The log -------------------------------------------------------------------------------- */

static int64_t size_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

static void write_megabytes(struct scene *scene, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        scene_write(scene, "UPDATE t SET a = randomblob(1000000)");
}

/* While a reader stays at one moment the log must grow; when he ends it is cut again. */
static void log__is_bounded_once_its_readers_end(void **state) {
    struct scene *scene = *state;
    const char *log = home_file(&scene->home, "memory.db-wal");
    sqlite3 *reader = NULL;
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_write(scene, "INSERT INTO t VALUES (1)");
    assert_int_equal(sqlite3_open(scene->path, &reader), SQLITE_OK);
    assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM t", 0, 0, 0), SQLITE_OK);
    write_megabytes(scene, 70);
    assert_true(size_of(log) > 64 << 20);
    sqlite3_close(reader);
    write_megabytes(scene, 20);
    assert_true(size_of(log) <= 16 << 20);
    assert_int_equal(scene_number(scene, "SELECT length(a) FROM t"), 1000000);
}

/* One reader after the other, so that there is never none. */
struct relay {
    struct scene *scene;
    _Atomic bool stop;
};

static int pass_on(sqlite3 *from, sqlite3 *to) {
    int rc = sqlite3_exec(to, "BEGIN; SELECT 1 FROM t", 0, 0, 0);
    return rc ? rc : sqlite3_exec(from, "COMMIT", 0, 0, 0);
}

static void *read_in_relay(void *context) {
    struct relay *relay = context;
    sqlite3 *db[2] = {NULL, NULL};
    for (size_t i = 0; i < 2; i++)
        CHECK(sqlite3_open(relay->scene->path, &db[i]) == SQLITE_OK);
    CHECK(sqlite3_exec(db[0], "BEGIN; SELECT 1 FROM t", 0, 0, 0) == SQLITE_OK);
    for (size_t i = 0; !relay->stop; i++) {
        CHECK(pass_on(db[i % 2], db[1 - i % 2]) == SQLITE_OK);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    sqlite3_close(db[0]);
    sqlite3_close(db[1]);
    return NULL;
}

static void log__is_bounded_though_there_is_always_a_reader(void **state) {
    struct scene *scene = *state;
    static struct relay relay; /* its thread's, which runs on when the case fails */
    relay.scene = scene;
    pthread_t thread;
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_write(scene, "INSERT INTO t VALUES (1)");
    assert_int_equal(pthread_create(&thread, NULL, read_in_relay, &relay), 0);
    write_megabytes(scene, 150);
    int64_t size = size_of(home_file(&scene->home, "memory.db-wal"));
    relay.stop = true;
    pthread_join(thread, NULL);
    assert_in_range(size, 1, 100 << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE_CASE(run__in_threads_of_processes__loses_nothing),
        SCENE_CASE(run__begun_too_early__is_run_again),
        SCENE_CASE(run__past_busy_ms__says_who_is_in_the_way),
        SCENE_CASE(fork__is_noticed_and_leaves_the_parent_as_it_was),
        SCENE_CASE(backup__while_others_write__is_of_one_moment),
        SCENE_CASE(log__is_bounded_once_its_readers_end),
        SCENE_CASE(log__is_bounded_though_there_is_always_a_reader),
    };
    return cmocka_run_group_tests_name("store/sql/sqlite_process", tests, NULL, NULL);
}
