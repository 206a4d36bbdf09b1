/*
 * sqlite_test.c - the SQLite driver: programs and guards, values, refusals, files.
 */
#include <float.h>
#include <math.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "store/sql/sqlite/sqlite_impl.h"
#include "store/sql/sqlite_scene.h"

/* ---- Programs ------------------------------------------------------------------------------- */

static void assert_outcomes(const struct sql_results *results, const char *expected) {
    static const char letters[] = {'-', 'd', 'f'};
    assert_int_equal(results->count, strlen(expected));
    for (size_t i = 0; i < results->count; i++)
        if (letters[results->steps[i].outcome] != expected[i])
            fail_msg("step %zu is '%c', not '%c': %s", i, letters[results->steps[i].outcome],
                     expected[i], results->steps[i].message ? results->steps[i].message : "");
}

static void run__follows_the_guards(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step steps[] = {
        {SQL("SELECT 1")},
        {SQL("SELECT 2"), IF_DONE(0)},
        {SQL("SELECT 3"), IF_NOT_DONE(0)},
        {SQL("SELECT nothing")},
        {SQL("SELECT 4"), IF_DONE(3)},
        {SQL("SELECT 5"), IF_NOT_DONE(3)},
        {SQL("SELECT 6"), IF_DONE(4)},
        {SQL("SELECT 7"), IF_NOT_DONE(4)},
        {SQL("SELECT 8"), IF_NOT_DONE(6)},
    };
    scene_open(scene, NULL);
    OK(scene_run(scene, steps, COUNT_OF(steps), false, &results, &error), &error);
    assert_outcomes(&results, "dd-f-d-dd");
    assert_int_equal(results.steps[8].values[0].integer, 8);
}

static void run__of_one_transaction__commits_what_it_did(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step steps[] = {
        {SQL("BEGIN IMMEDIATE")},          {SQL("INSERT INTO t VALUES (1), (2)")},
        {SQL("INSERT INTO t VALUES (2)")}, {SQL("ROLLBACK"), IF_DONE(2)},
        {SQL("COMMIT"), IF_NOT_DONE(2)},
    };
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a INTEGER PRIMARY KEY)");
    OK(scene_run(scene, steps, COUNT_OF(steps), true, &results, &error), &error);
    assert_outcomes(&results, "ddf-d");
    assert_int_equal(results.steps[2].status, MNEME_CONFLICT);
    assert_string_equal(results.steps[2].message, "UNIQUE constraint failed: t.a");
    scene_close(scene);
    scene_open(scene, NULL);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 2);
}

static void run__rolls_back_what_is_left_open(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sqlite_options options = {.connections = 1};
    const struct sql_step steps[] = {{SQL("BEGIN IMMEDIATE")}, {SQL("INSERT INTO t VALUES (1)")}};
    scene_open(scene, &options);
    scene_write(scene, "CREATE TABLE t (a)");
    OK(scene_run(scene, steps, COUNT_OF(steps), true, &results, &error), &error);
    assert_outcomes(&results, "dd");
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 0);
    scene_write(scene, "INSERT INTO t VALUES (2)"); /* no lock is left */
}

static void run__says_of_each_failed_step_what_it_is(void **state) {
    static const struct {
        const char *sql;
        int status;
        const char *says;
    } cases[] = {
        {"SELECT 1; SELECT 2", MNEME_FAILURE, "more than one statement"},
        {" -- nothing", MNEME_FAILURE, "no statement"},
        {"SELECT ?", MNEME_FAILURE, "parameters"},
        {"SELEC 1", MNEME_FAILURE, "syntax error"},
        {"SELECT * FROM missing", MNEME_FAILURE, "no such table: missing"},
        {"SELECT json('{')", MNEME_FAILURE, "malformed JSON"},
        {"INSERT INTO t VALUES (NULL)", MNEME_CONFLICT, "NOT NULL constraint failed: t.a"},
        {"INSERT INTO v VALUES (1)", MNEME_CONFLICT, "said by a trigger"},
        {"SELECT zeroblob(2000000000)", MNEME_TOO_LARGE, "too big"},
    };
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a NOT NULL)");
    scene_write(scene, "CREATE VIEW v AS SELECT a FROM t");
    scene_write(scene, "CREATE TRIGGER g INSTEAD OF INSERT ON v "
                       "BEGIN SELECT RAISE(ABORT, 'said by a trigger'); END");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        mneme_error error;
        const struct sql_step steps[] = {{.sql = slice_of_string(cases[i].sql)}, {SQL("SELECT 1")}};
        OK(scene_run(scene, steps, 2, true, &results, &error), &error);
        assert_outcomes(&results, "fd");
        if (results.steps[0].status != cases[i].status ||
            !strstr(results.steps[0].message, cases[i].says))
            fail_msg("%s: %s, %s", cases[i].sql, mneme_status_name(results.steps[0].status),
                     results.steps[0].message);
    }
}

static void run__with_a_nul_in_the_statement__refuses_it(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step step = {SQL("SELECT 1\0 garbage")};
    scene_open(scene, NULL);
    OK(scene_run(scene, &step, 1, false, &results, &error), &error);
    assert_outcomes(&results, "f");
}

/* A thread that counts up, for readers to look at. */
struct counting {
    struct scene *scene;
    _Atomic bool stop;
};

static void *count_up(void *context) {
    struct counting *counting = context;
    while (!counting->stop) {
        AUTO_RESULTS struct sql_results results = {0};
        const struct sql_step step = {SQL("UPDATE t SET a = a + 1")};
        CHECK(scene_run(counting->scene, &step, 1, true, &results, NULL) == 0);
        CHECK(results.steps[0].outcome == SQL_DONE);
    }
    return NULL;
}

static void run__that_reads_sees_one_moment(void **state) {
    struct scene *scene = *state;
    struct counting counting = {.scene = scene};
    pthread_t thread;
    AUTO_RESULTS struct sql_results results = {0};
    int64_t last = 0;
    unsigned moves = 0;
    mneme_error error = {0};
    bool same = true;
    int status = 0;
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t AS SELECT 0 AS a");
    assert_int_equal(pthread_create(&thread, NULL, count_up, &counting), 0);
    for (unsigned i = 0; i < 200000 && moves < 100 && same; i++) {
        const struct sql_step steps[] = {
            {SQL("SELECT a FROM t")},
            {SQL("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 999)"
                 "SELECT max(i) FROM n")},
            {SQL("SELECT a FROM t")}};
        status = scene_run(scene, steps, 3, false, &results, &error);
        same = status == 0 && results.steps[0].outcome == SQL_DONE &&
               results.steps[2].outcome == SQL_DONE &&
               results.steps[0].values[0].integer == results.steps[2].values[0].integer;
        moves += same && results.steps[0].values[0].integer != last;
        last = same ? results.steps[0].values[0].integer : last;
    }
    counting.stop = true;
    pthread_join(thread, NULL);
    OK(status, &error);
    assert_outcomes(&results, "ddd");
    assert_true(same);
    assert_int_equal(moves, 100);
}

/* ---- Values --------------------------------------------------------------------------------- */

static void assert_comes_back(struct scene *scene, struct sql_value value, const char *type) {
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step steps[] = {
        {SQL("INSERT INTO t VALUES (?)"), .args = &value, .arg_count = 1},
        {SQL("SELECT a, typeof(a) FROM t")},
        {SQL("DELETE FROM t")}};
    OK(scene_run(scene, steps, 3, true, &results, &error), &error);
    assert_outcomes(&results, "ddd");
    assert_int_equal(results.steps[1].rows, 1);
    assert_int_equal(results.steps[1].columns, 2);
    const struct sql_value *back = results.steps[1].values;
    assert_int_equal(back->type, value.type);
    assert_true(slice_equal(back[1].bytes, slice_of_string(type)));
    assert_int_equal(back->integer, value.integer);
    assert_memory_equal(&back->real, &value.real, sizeof value.real);
    assert_true(slice_equal(back->bytes, value.bytes));
}

static void run__gives_values_of_all_types_back(void **state) {
    static const int64_t integers[] = {0, 1, -1, INT32_MAX, INT64_MAX, INT64_MIN};
    static const double reals[] = {0.5, -1e300, DBL_MAX, DBL_MIN, 5e-324, INFINITY, -INFINITY, 0.0};
    static const char texts[][8] = {"", "a", "\0x", "h\xc3\xa4", "\xf0\x9f\x98\x80"};
    struct scene *scene = *state;
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a ANY) STRICT");
    for (size_t i = 0; i < COUNT_OF(integers); i++)
        assert_comes_back(scene, sql_integer(integers[i]), "integer");
    for (size_t i = 0; i < COUNT_OF(reals); i++)
        assert_comes_back(scene, (struct sql_value){.type = SQL_REAL, .real = reals[i]}, "real");
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_comes_back(scene, sql_text(slice_of(texts[i], strlen(texts[i] + 1) + (i > 0))),
                          "text");
    assert_comes_back(scene, sql_text((struct slice){0}), "text");
    assert_comes_back(scene, sql_blob((struct slice){0}), "blob");
    assert_comes_back(scene, sql_blob(slice_of("\xff\0\xfe", 3)), "blob");
    assert_comes_back(scene, sql_null(), "null");
    AUTO_FREE uint8_t *large = mem_zalloc(3, 1 << 20);
    large[12345] = 7;
    assert_comes_back(scene, sql_blob(slice_of(large, 3 << 20)), "blob");
}

static void run__gives_rows_in_order_and_nothing_of_the_run_before(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    scene_open(scene, NULL);
    for (int64_t n = 3000; n >= 0; n -= 1000) {
        mneme_error error;
        const struct sql_step step = {
            SQL("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)"
                "SELECT i, 'row ' || i, NULL FROM n WHERE ?1 > 0"),
            VALUES(sql_integer(n))};
        OK(scene_run(scene, &step, 1, false, &results, &error), &error);
        assert_int_equal(results.steps[0].columns, 3);
        assert_int_equal(results.steps[0].rows, (size_t)n);
        for (int64_t i = 0; i < n; i++) {
            char expected[32];
            const struct sql_value *row = results.steps[0].values + 3 * i;
            snprintf(expected, sizeof expected, "row %lld", (long long)i + 1);
            assert_int_equal(row[0].integer, i + 1);
            assert_true(slice_equal(row[1].bytes, slice_of_string(expected)));
            assert_int_equal(row[2].type, SQL_NULL);
        }
    }
}

static void run__finds_text_that_is_no_text__corrupt(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step steps[] = {{SQL("BEGIN IMMEDIATE")},
                                     {SQL("INSERT INTO t VALUES (1)")},
                                     {SQL("SELECT CAST(x'61ff' AS TEXT)")},
                                     {SQL("COMMIT")}};
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    REFUSED(scene_run(scene, steps, COUNT_OF(steps), true, &results, &error), MNEME_CORRUPT,
            &error);
    assert_says(&error, "UTF-8");
    assert_int_equal(results.count, 0);
    assert_null(results.steps);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 0);
}

/* The outcome is known then, so the run must not end as if it were not. */
static void run__that_fails_after_its_commit__tells_so_in_the_step(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step steps[] = {{SQL("BEGIN IMMEDIATE")},
                                     {SQL("INSERT INTO t VALUES (1)")},
                                     {SQL("COMMIT")},
                                     {SQL("SELECT CAST(x'61ff' AS TEXT)")}};
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    OK(scene_run(scene, steps, COUNT_OF(steps), true, &results, &error), &error);
    assert_outcomes(&results, "dddf");
    assert_int_equal(results.steps[3].status, MNEME_CORRUPT);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 1);
}

/* ---- Files ---------------------------------------------------------------------------------- */

static mode_t mode_of(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 0777;
}

static void open__makes_a_private_file_and_its_directories(void **state) {
    struct scene *scene = *state;
    snprintf(scene->path, sizeof scene->path, "%s", home_file(&scene->home, "a/b/c.db"));
    mode_t before = umask(0);
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    umask(before);
    assert_int_equal(mode_of(home_file(&scene->home, "a")), 0700);
    assert_int_equal(mode_of(home_file(&scene->home, "a/b")), 0700);
    assert_int_equal(mode_of(scene->path), 0600);
    assert_int_equal(mode_of(home_file(&scene->home, "a/b/c.db-wal")), 0600);
    assert_int_equal(mode_of(home_file(&scene->home, "a/b/c.db-shm")), 0600);
    scene_close(scene);
    unlink(scene->path);
    assert_int_equal(rmdir(home_file(&scene->home, "a/b")), 0); /* nothing else is left */
}

static void open__sets_what_the_driver_promises(void **state) {
    struct scene *scene = *state;
    scene_open(scene, NULL);
    scene_says(scene, "PRAGMA journal_mode", "wal");
    scene_says(scene, "PRAGMA encoding", "UTF-8");
    assert_int_equal(scene_number(scene, "PRAGMA synchronous"), 2);
    assert_int_equal(scene_number(scene, "PRAGMA foreign_keys"), 0);
    assert_int_equal(scene_number(scene, "PRAGMA mmap_size"), 0);
    assert_int_equal(scene_number(scene, "PRAGMA temp_store"), 2);
    assert_int_equal(scene_number(scene, "PRAGMA recursive_triggers"), 0);
    assert_int_equal(scene_number(scene, "PRAGMA journal_size_limit"), 16 << 20);
}

static void open__refuses_what_is_no_database(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    char garbage[9000];
    const struct {
        const char *name;
        size_t size;
    } files[] = {{"five", 5}, {"page", 4096}, {"more", sizeof garbage}};
    memset(garbage, 'x', sizeof garbage);
    file_write(scene->path, "", 0);
    REFUSED(sqlite_driver_open(scene->path, NULL, &scene->driver, &error), MNEME_CORRUPT, &error);
    assert_says(&error, "empty");
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        const char *path = home_file(&scene->home, files[i].name);
        file_write(path, garbage, files[i].size);
        REFUSED(sqlite_driver_open(path, NULL, &scene->driver, &error), MNEME_CORRUPT, &error);
        assert_says(&error, "no SQLite database");
        struct file_bytes after = file_read(path);
        assert_int_equal(after.size, files[i].size);
        assert_memory_equal(after.data, garbage, after.size);
        file_bytes_free(&after);
    }
    assert_null(scene->driver);
}

static void open__refuses_a_truncated_database(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_write(scene, "INSERT INTO t VALUES (zeroblob(20000))");
    scene_close(scene);
    struct file_bytes whole = file_read(scene->path);
    for (size_t size = whole.size - 1; size > 0; size = size > 1000 ? size - 1000 : 0) {
        file_write(scene->path, whole.data, size);
        REFUSED(sqlite_driver_open(scene->path, NULL, &scene->driver, &error), MNEME_CORRUPT,
                &error);
    }
    file_bytes_free(&whole);
}

static void open__refuses_paths_that_are_no_plain_file(void **state) {
    struct scene *scene = *state;
    const char *link_path = home_file(&scene->home, "link"),
               *fifo = home_file(&scene->home, "fifo");
    mneme_error error;
    scene_open(scene, NULL);
    scene_close(scene);
    assert_int_equal(symlink(scene->path, link_path), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    REFUSED(sqlite_driver_open(link_path, NULL, &scene->driver, &error), MNEME_INVALID, &error);
    assert_says(&error, "symbolic link");
    REFUSED(sqlite_driver_open(fifo, NULL, &scene->driver, &error), MNEME_INVALID, &error);
    REFUSED(sqlite_driver_open(scene->home.directory, NULL, &scene->driver, &error), MNEME_INVALID,
            &error);
    assert_says(&error, "directory");
}

static void open__of_nothing__is_as_the_options_say(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    const struct sqlite_options must = {.must_exist = true}, reading = {.read_only = true};
    REFUSED(sqlite_driver_open(scene->path, &must, &scene->driver, &error), MNEME_NOT_FOUND,
            &error);
    REFUSED(sqlite_driver_open(scene->path, &reading, &scene->driver, &error), MNEME_NOT_FOUND,
            &error);
    assert_false(file_exists(scene->path));
    scene_open(scene, NULL);
    scene_close(scene);
    scene_open(scene, &must);
}

static void open__does_not_play_the_log_of_a_deleted_database(void **state) {
    struct scene *scene = *state;
    mneme_error error;
    file_write(home_file(&scene->home, "memory.db-wal"), "log", 3);
    REFUSED(sqlite_driver_open(scene->path, NULL, &scene->driver, &error), MNEME_CORRUPT, &error);
    assert_says(&error, "memory.db-wal");
    assert_false(file_exists(scene->path));
    unlink(home_file(&scene->home, "memory.db-wal"));
    scene_open(scene, NULL);
}

static void open__takes_a_database_of_another_program(void **state) {
    struct scene *scene = *state;
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(scene->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE o (a); INSERT INTO o VALUES (5)", 0, 0, 0), 0);
    sqlite3_close(db);
    scene_open(scene, NULL);
    assert_int_equal(scene_number(scene, "SELECT a FROM o"), 5);
    scene_says(scene, "PRAGMA journal_mode", "wal");
}

static void open__takes_odd_names_as_names(void **state) {
    static const char *const names[] = {":memory:", "file:x?mode=memory", "a%20b?c#d"};
    struct scene *scene = *state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scene->home.directory), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        mneme_error error;
        OK(sqlite_driver_open(names[i], NULL, &scene->driver, &error), &error);
        scene_write(scene, "CREATE TABLE t (a)");
        assert_true(file_exists(home_file(&scene->home, names[i])));
        scene_close(scene);
    }
    assert_int_equal(chdir(before), 0);
}

static void run__of_a_relative_path__survives_a_chdir(void **state) {
    struct scene *scene = *state;
    struct counting counting = {.scene = scene};
    struct sqlite_connection *first, *second;
    mneme_error error;
    char before[4096];
    int64_t now = clock_monotonic_us();
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scene->home.directory), 0);
    OK(sqlite_driver_open("memory.db", NULL, &scene->driver, &error), &error);
    assert_int_equal(chdir("/"), 0);
    struct sqlite_driver *driver = sqlite_driver_of(counting.scene->driver);
    OK(sqlite_pool_acquire(driver, false, -1, &now, &first, &error), &error);
    OK(sqlite_pool_acquire(driver, false, now + 1000000, &now, &second, &error), &error);
    assert_ptr_not_equal(first, second);
    sqlite_pool_release(driver, false, first);
    sqlite_pool_release(driver, false, second);
    scene_write(scene, "CREATE TABLE t (a)");
    assert_int_equal(chdir(before), 0);
}

static void read_only__reads_and_refuses_to_write(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sqlite_options options = {.read_only = true};
    const struct sql_step step = {SQL("INSERT INTO t VALUES (1)")};
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_close(scene);
    scene_open(scene, &options);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 0);
    REFUSED(scene_run(scene, &step, 1, true, &results, &error), MNEME_PERMISSION, &error);
    assert_says(&error, "reading only");
    /* A program that lies about it is held back by SQLite. */
    OK(scene_run(scene, &step, 1, false, &results, &error), &error);
    assert_int_equal(results.steps[0].outcome, SQL_FAILED);
    assert_int_equal(results.steps[0].status, MNEME_PERMISSION);
}

static int open_as_nobody(void *context) {
    struct scene *scene = context;
    mneme_error error;
    const struct sqlite_options reading = {.read_only = true};
    CHILD_CHECK(setgid(65534) == 0 && setuid(65534) == 0, "setuid");
    int status = sqlite_driver_open(scene->path, NULL, &scene->driver, &error);
    CHILD_CHECK(status == MNEME_PERMISSION, "%d", status);
    status = sqlite_driver_open(scene->path, &reading, &scene->driver, &error);
    CHILD_CHECK(status == 0, "%s", error.message);
    struct sql_results results = {0};
    const struct sql_step step = {SQL("SELECT count(*) FROM t")};
    status = scene_run(scene, &step, 1, false, &results, &error);
    CHILD_CHECK(status == 0 && results.steps[0].outcome == SQL_DONE, "%s", error.message);
    sql_results_fini(&results);
    scene_close(scene);
    return 0;
}

/* Who may only read the file may read it while somebody who may write has it open. */
static void open__of_a_file_of_somebody_else__reads_only(void **state) {
    struct scene *scene = *state;
    if (geteuid() != 0)
        return; /* only root can be somebody else */
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_close(scene);
    assert_int_equal(chmod(scene->home.directory, 0777), 0);
    assert_int_equal(chmod(scene->path, 0644), 0);
    assert_int_equal(child_run(open_as_nobody, scene), 0);
}

static void run__on_a_file_that_went__says_so(void **state) {
    struct scene *scene = *state;
    AUTO_RESULTS struct sql_results results = {0};
    mneme_error error;
    const struct sql_step write = {SQL("INSERT INTO t VALUES (1)")}, read = {SQL("SELECT 1")};
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a)");
    assert_int_equal(rename(scene->path, home_file(&scene->home, "away.db")), 0);
    REFUSED(scene_run(scene, &write, 1, true, &results, &error), MNEME_NOT_FOUND, &error);
    assert_says(&error, "deleted or replaced");
    int status = 0;
    int64_t deadline = clock_monotonic_us() + INT64_C(20000000);
    while (status == 0 && clock_monotonic_us() < deadline)
        status = scene_run(scene, &read, 1, false, &results, &error);
    assert_int_equal(status, MNEME_NOT_FOUND);
    file_copy(home_file(&scene->home, "away.db"), scene->path);
    REFUSED(scene_run(scene, &write, 1, true, &results, &error), MNEME_NOT_FOUND, &error);
    assert_int_equal(unlink(scene->path), 0);
    assert_int_equal(rename(home_file(&scene->home, "away.db"), scene->path), 0);
    OK(scene_run(scene, &write, 1, true, &results, &error), &error);
}

/* ---- The pool ------------------------------------------------------------------------------- */

struct guest {
    struct sqlite_driver *driver;
    int number;
    int *order;
    _Atomic int *arrived;
    pthread_t thread;
};

static void *be_guest(void *context) {
    struct guest *guest = context;
    struct sqlite_connection *c;
    int64_t now = 0;
    CHECK(sqlite_pool_acquire(guest->driver, false, -1, &now, &c, NULL) == 0);
    guest->order[(*guest->arrived)++] = guest->number;
    sqlite_pool_release(guest->driver, false, c);
    return NULL;
}

static bool somebody_waits_last(struct sqlite_driver *driver, const void *before) {
    AUTO_LOCK(held, &driver->lock);
    return driver->connections.last && driver->connections.last != before;
}

static void pool__serves_in_the_order_of_coming(void **state) {
    enum { GUESTS = 12 };
    struct scene *scene = *state;
    struct guest guests[GUESTS];
    struct sqlite_connection *c;
    int order[GUESTS];
    _Atomic int arrived = 0;
    int64_t now = 0;
    mneme_error error;
    const struct sqlite_options options = {.connections = 1, .busy_ms = 60000};
    scene_open(scene, &options);
    struct sqlite_driver *driver = sqlite_driver_of(scene->driver);
    OK(sqlite_pool_acquire(driver, false, -1, &now, &c, &error), &error);
    for (int i = 0; i < GUESTS; i++) {
        const void *last = driver->connections.last;
        guests[i] = (struct guest){driver, i, order, &arrived, 0};
        assert_int_equal(pthread_create(&guests[i].thread, NULL, be_guest, &guests[i]), 0);
        while (!somebody_waits_last(driver, last))
            sched_yield();
    }
    /* Who gives up leaves the others as they are. */
    struct sqlite_connection *none;
    int status =
        sqlite_pool_acquire(driver, false, clock_monotonic_us() + 1000, &now, &none, &error);
    sqlite_pool_release(driver, false, c);
    for (int i = 0; i < GUESTS; i++)
        pthread_join(guests[i].thread, NULL);
    assert_int_equal(status, MNEME_LOCKED);
    assert_int_equal(error.code, MNEME_LOCKED);
    for (int i = 0; i < GUESTS; i++)
        assert_int_equal(order[i], i);
}

static void *read_much(void *context) {
    struct scene *scene = context;
    for (unsigned i = 0; i < 300; i++) {
        AUTO_RESULTS struct sql_results results = {0};
        const struct sql_step step = {SQL("SELECT count(*) FROM t")};
        CHECK(scene_run(scene, &step, 1, false, &results, NULL) == 0);
        CHECK(results.steps[0].outcome == SQL_DONE);
    }
    return NULL;
}

static void pool__opens_no_more_than_it_may(void **state) {
    enum { THREADS = 12, CONNECTIONS = 3 };
    struct scene *scene = *state;
    pthread_t threads[THREADS];
    const struct sqlite_options options = {.connections = CONNECTIONS, .busy_ms = 60000};
    scene_open(scene, &options);
    scene_write(scene, "CREATE TABLE t (a)");
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_much, scene), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t open = 0;
    for (struct sqlite_connection *c = sqlite_driver_of(scene->driver)->idle; c; c = c->next)
        open++;
    assert_in_range(open, 1, CONNECTIONS);
    assert_int_equal(sqlite_driver_of(scene->driver)->connections.free, CONNECTIONS);
    assert_int_equal(scene_counters(scene).programs, THREADS * 300 + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SCENE_CASE(run__follows_the_guards),
        SCENE_CASE(run__of_one_transaction__commits_what_it_did),
        SCENE_CASE(run__rolls_back_what_is_left_open),
        SCENE_CASE(run__says_of_each_failed_step_what_it_is),
        SCENE_CASE(run__with_a_nul_in_the_statement__refuses_it),
        SCENE_CASE(run__that_reads_sees_one_moment),
        SCENE_CASE(run__gives_values_of_all_types_back),
        SCENE_CASE(run__gives_rows_in_order_and_nothing_of_the_run_before),
        SCENE_CASE(run__finds_text_that_is_no_text__corrupt),
        SCENE_CASE(run__that_fails_after_its_commit__tells_so_in_the_step),
        SCENE_CASE(open__makes_a_private_file_and_its_directories),
        SCENE_CASE(open__sets_what_the_driver_promises),
        SCENE_CASE(open__refuses_what_is_no_database),
        SCENE_CASE(open__refuses_a_truncated_database),
        SCENE_CASE(open__refuses_paths_that_are_no_plain_file),
        SCENE_CASE(open__of_nothing__is_as_the_options_say),
        SCENE_CASE(open__does_not_play_the_log_of_a_deleted_database),
        SCENE_CASE(open__takes_a_database_of_another_program),
        SCENE_CASE(open__takes_odd_names_as_names),
        SCENE_CASE(run__of_a_relative_path__survives_a_chdir),
        SCENE_CASE(read_only__reads_and_refuses_to_write),
        SCENE_CASE(open__of_a_file_of_somebody_else__reads_only),
        SCENE_CASE(run__on_a_file_that_went__says_so),
        SCENE_CASE(pool__serves_in_the_order_of_coming),
        SCENE_CASE(pool__opens_no_more_than_it_may),
    };
    return cmocka_run_group_tests_name("store/sql/sqlite", tests, NULL, NULL);
}
