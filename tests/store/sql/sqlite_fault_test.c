/*
 * sqlite_fault_test.c - the SQLite driver with the k-th allocation, write, sync or opening failing,
 * and on a full disk: an error that fits, a program whole or not at all, and work goes on after it.
 *
 * Calls fail through SQLite's own seam for tests (xSetSystemCall of its VFS), and its memory
 * through its allocator. Only syncs have no seam: fdatasync is defined here, where libsqlite3 finds
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "store/sql/sqlite_scene.h"

enum { K_MAX = 3000 };

enum fault {
    WRITES,
    WRITES_FULL,
    WRITES_SHORT,
    WRITES_STICKY,
    TRUNCATES,
    SYNCS,
    OPENS,
    OUR_MEMORY,
    ITS_MEMORY,
    FAULTS
};

static struct {
    bool armed;
    enum fault fault;
    uint64_t left, hits;
} faults;

static bool is_hit(enum fault a, enum fault b) {
    if (!faults.armed || (faults.fault != a && faults.fault != b))
        return false;
    if (faults.left > 0)
        faults.left--;
    else if (faults.fault != WRITES_STICKY)
        return false;
    faults.hits += faults.left == 0;
    return faults.left == 0;
}

static ssize_t failing_pwrite(int fd, const void *data, size_t size, off_t at) {
    bool hit = is_hit(WRITES, WRITES_FULL) || is_hit(WRITES_SHORT, WRITES_STICKY);
    if (hit && faults.fault == WRITES_SHORT) {
        /* What is left to write finds no room at all. */
        errno = ENOSPC;
        return size > 1 ? pwrite(fd, data, size / 2, at) : -1;
    }
    if (hit) {
        errno = faults.fault == WRITES_FULL ? ENOSPC : EIO;
        return -1;
    }
    return pwrite(fd, data, size, at);
}

static int failing_ftruncate(int fd, off_t size) {
    if (is_hit(TRUNCATES, TRUNCATES)) {
        errno = EIO;
        return -1;
    }
    return ftruncate(fd, size);
}

static int failing_open(const char *path, int flags, int mode) {
    if (is_hit(OPENS, OPENS)) {
        errno = EMFILE;
        return -1;
    }
    return open(path, flags, mode);
}

__attribute__((visibility("default"))) int fdatasync(int fd) {
    if (is_hit(SYNCS, SYNCS)) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static sqlite3_mem_methods memory;
static void *failing_malloc(int size) {
    return is_hit(ITS_MEMORY, ITS_MEMORY) ? NULL : memory.xMalloc(size);
}
static void *failing_realloc(void *block, int size) {
    return is_hit(ITS_MEMORY, ITS_MEMORY) ? NULL : memory.xRealloc(block, size);
}

/* As an application might, before anything uses SQLite. */
static void install(void) {
    sqlite3_mem_methods mine;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory), SQLITE_OK);
    mine = memory;
    mine.xMalloc = failing_malloc;
    mine.xRealloc = failing_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &mine), SQLITE_OK);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    assert_int_equal(vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)failing_pwrite), 0);
    assert_int_equal(vfs->xSetSystemCall(vfs, "ftruncate", (sqlite3_syscall_ptr)failing_ftruncate),
                     0);
    assert_int_equal(vfs->xSetSystemCall(vfs, "open", (sqlite3_syscall_ptr)failing_open), 0);
}

static void arm(enum fault fault, uint64_t k) {
    faults.fault = fault;
    faults.left = k;
    faults.hits = 0;
    faults.armed = fault != OUR_MEMORY;
    if (fault == OUR_MEMORY)
        mem_fail_after(k);
}

/* Whether it hit something. */
static bool disarm(enum fault fault, uint64_t k) {
    faults.armed = false;
    return fault == OUR_MEMORY ? mem_fail_after(0) >= k : faults.hits > 0;
}

/* Whether a status says what happened. SQLite passes over some failures, as of a checkpoint. */
static bool fits(enum fault fault, int status) {
    if (status == 0)
        return true;
    if (fault == OUR_MEMORY || fault == ITS_MEMORY)
        return status == MNEME_NO_MEMORY;
    return status == MNEME_IO || status == MNEME_NO_SPACE || status == MNEME_UNCERTAIN;
}

/* ---- One call, failing at every k ------------------------------------------------------------ */

static void prepare_scene(struct scene *scene) {
    scene_open(scene, NULL);
    scene_write(scene, "CREATE TABLE t (a, b)");
    scene_write(scene, "CREATE INDEX i ON t (a)");
    scene_write(scene, "INSERT INTO t VALUES (0, zeroblob(9000))");
}

struct call {
    int (*act)(struct scene *scene, mneme_error *error);
    /* Told whether it failed; everything must be as it should be, and be made ready for another. */
    void (*look)(struct scene *scene, bool failed);
};

static void fail_at_every_k(struct scene *scene, const struct call *call, enum fault fault) {
    uint64_t k = 1;
    for (bool hit = true; hit && k < K_MAX; k++) {
        mneme_error error = {0};
        arm(fault, k);
        int status = call->act(scene, &error);
        hit = disarm(fault, k);
        if (!fits(fault, status) || (status && (error.code != status || !error.message[0])))
            fail_msg("fault %d, k %llu: %s (%s)", (int)fault, (unsigned long long)k,
                     mneme_status_name(status), error.message);
        assert_true(hit || status == 0);
        call->look(scene, status != 0);
    }
    assert_true(k < K_MAX);
}

static void fail_in_every_way(struct scene *scene, const struct call *call) {
    for (int fault = 0; fault < FAULTS; fault++)
        fail_at_every_k(scene, call, (enum fault)fault);
}

/* ---- Writing ----------------------------------------------------------------------------------
 */

static int64_t rows;

static int act_write(struct scene *scene, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    const struct sql_step steps[] = {
        {SQL("BEGIN IMMEDIATE")},
        {SQL("INSERT INTO t VALUES (?, zeroblob(9000))"), VALUES(sql_integer(rows))},
        {SQL("UPDATE t SET b = zeroblob(5000) WHERE a = ?"), VALUES(sql_integer(rows))},
        {SQL("COMMIT")},
        {SQL("SELECT count(*) FROM t WHERE length(b) = 5000")}};
    int status = scene_run(scene, steps, COUNT_OF(steps), true, &results, error);
    assert_int_equal(results.count, status ? 0 : COUNT_OF(steps));
    for (size_t i = 0; status == 0 && i < 4; i++)
        assert_int_equal(results.steps[i].outcome, SQL_DONE);
    /* What fails after the commit is that step's own. */
    if (status == 0 && results.steps[4].outcome == SQL_FAILED) {
        assert_non_null(results.steps[4].message);
        rows++;
        return error_set(error, results.steps[4].status, "%s", results.steps[4].message);
    }
    if (status == 0)
        rows++;
    return status;
}

/* After a failed sync nobody can say whether the commit is there; all or nothing, in any case. */
static void look_write(struct scene *scene, bool failed) {
    int64_t now = scene_number(scene, "SELECT count(*) FROM t");
    assert_in_range(now, rows, rows + failed);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t WHERE length(b) = 5000"), now - 1);
    rows = now;
    if (failed) {
        scene_says(scene, "PRAGMA integrity_check", "ok");
        scene_write(scene, "UPDATE t SET b = zeroblob(9000) WHERE a = 0");
    }
}

static void write__fails_and_works_the_next_time(void **state) {
    struct scene *scene = *state;
    rows = 1;
    prepare_scene(scene);
    fail_in_every_way(scene, &(struct call){act_write, look_write});
    scene_close(scene);
    scene_open(scene, NULL);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), rows);
    scene_says(scene, "PRAGMA integrity_check", "ok");
}

/* ---- Reading ------------------------------------------------------------------------------------
 */

static int act_read(struct scene *scene, mneme_error *error) {
    AUTO_RESULTS struct sql_results results = {0};
    const struct sql_step steps[] = {{SQL("SELECT a, 'text ' || a, zeroblob(2000) FROM t")},
                                     {SQL("SELECT a FROM t WHERE a = ?"), VALUES(sql_integer(0))}};
    int status = scene_run(scene, steps, COUNT_OF(steps), false, &results, error);
    assert_int_equal(results.count, status ? 0 : COUNT_OF(steps));
    if (status == 0) {
        assert_int_equal(results.steps[0].rows, 1);
        assert_true(slice_equal(results.steps[0].values[1].bytes, slice_of_string("text 0")));
        assert_int_equal(results.steps[1].rows, 1);
    }
    return status;
}

static void look_read(struct scene *scene, bool failed) {
    (void)failed;
    scene_close(scene);
    scene_open(scene, NULL);
}

static void read__fails_and_works_the_next_time(void **state) {
    struct scene *scene = *state;
    prepare_scene(scene);
    fail_in_every_way(scene, &(struct call){act_read, look_read});
}

/* ---- Opening ------------------------------------------------------------------------------------
 */

static int act_open_new(struct scene *scene, mneme_error *error) {
    return sqlite_driver_open(home_file(&scene->home, "sub/new.db"), NULL, &scene->driver, error);
}

static void look_open_new(struct scene *scene, bool failed) {
    mneme_error error;
    const char *path = home_file(&scene->home, "sub/new.db");
    assert_true(failed == !scene->driver);
    if (failed) /* it is whole, or not there */
        OK(sqlite_driver_open(path, NULL, &scene->driver, &error), &error);
    scene_write(scene, "CREATE TABLE t (a)");
    scene_says(scene, "PRAGMA integrity_check", "ok");
    scene_close(scene);
    unlink(path);
    assert_int_equal(rmdir(home_file(&scene->home, "sub")), 0); /* nothing else is left */
}

static void open__of_a_new_file_fails_and_leaves_no_part(void **state) {
    fail_in_every_way(*state, &(struct call){act_open_new, look_open_new});
}

static int act_open(struct scene *scene, mneme_error *error) {
    return sqlite_driver_open(scene->path, NULL, &scene->driver, error);
}

static void look_open(struct scene *scene, bool failed) {
    assert_true(failed == !scene->driver);
    if (failed)
        scene_open(scene, NULL);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), 1);
    scene_close(scene);
}

static void open__fails_and_works_the_next_time(void **state) {
    struct scene *scene = *state;
    prepare_scene(scene);
    scene_close(scene);
    fail_in_every_way(scene, &(struct call){act_open, look_open});
}

/* ---- Backup -------------------------------------------------------------------------------------
 */

static int act_backup(struct scene *scene, mneme_error *error) {
    const char *path = home_file(&scene->home, "copies/copy.db");
    return scene->driver->operations->backup(scene->driver, path, error);
}

static void look_backup(struct scene *scene, bool failed) {
    struct scene copy = *scene;
    snprintf(copy.path, sizeof copy.path, "%s", home_file(&scene->home, "copies/copy.db"));
    assert_true(failed || file_exists(copy.path));
    if (!failed) {
        scene_open(&copy, NULL);
        assert_int_equal(scene_number(&copy, "SELECT count(*) FROM t"), 1);
        scene_close(&copy);
        unlink(copy.path);
    }
    assert_int_equal(rmdir(home_file(&scene->home, "copies")), 0); /* nothing else is left */
    assert_int_equal(mkdir(home_file(&scene->home, "copies"), 0700), 0);
    scene_close(scene);
    scene_open(scene, NULL);
}

static void backup__fails_and_leaves_no_part(void **state) {
    struct scene *scene = *state;
    prepare_scene(scene);
    assert_int_equal(mkdir(home_file(&scene->home, "copies"), 0700), 0);
    fail_in_every_way(scene, &(struct call){act_backup, look_backup});
}

/* ---- A full disk --------------------------------------------------------------------------------
 */

static void limit_files(uint64_t bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Write until there is no room; how many rows went in. */
static int64_t fill(struct scene *scene) {
    const struct sql_step step = {SQL("INSERT INTO t VALUES (1, randomblob(20000))")};
    for (int64_t count = 0; count < 1000; count++) {
        AUTO_RESULTS struct sql_results results = {0};
        mneme_error error;
        int status = scene_run(scene, &step, 1, true, &results, &error);
        if (status == MNEME_NO_SPACE) {
            assert_says(&error, "free some space");
            return count;
        }
        OK(status, &error);
        assert_int_equal(results.steps[0].outcome, SQL_DONE);
    }
    fail_msg("the disk is not full yet");
    return 0;
}

static void full_disk__loses_nothing_and_work_goes_on(void **state) {
    struct scene *scene = *state;
    int64_t count = 1;
    prepare_scene(scene);
    limit_files(1 << 20);
    for (int i = 0; i < 6; i++) { /* moving the log into the database makes room, at first */
        count += fill(scene);
        assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), count);
    }
    assert_int_equal(fill(scene), 0);
    assert_in_range(count, 10, 110);
    scene_close(scene);
    scene_open(scene, NULL);
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), count);
    limit_files(RLIM_INFINITY);
    scene_write(scene, "INSERT INTO t VALUES (1, randomblob(20000))");
    assert_int_equal(scene_number(scene, "SELECT count(*) FROM t"), count + 1);
    scene_says(scene, "PRAGMA integrity_check", "ok");
}

int main(void) {
    install();
    const struct CMUnitTest tests[] = {
        SCENE_CASE(write__fails_and_works_the_next_time),
        SCENE_CASE(read__fails_and_works_the_next_time),
        SCENE_CASE(open__of_a_new_file_fails_and_leaves_no_part),
        SCENE_CASE(open__fails_and_works_the_next_time),
        SCENE_CASE(backup__fails_and_leaves_no_part),
        SCENE_CASE(full_disk__loses_nothing_and_work_goes_on),
    };
    return cmocka_run_group_tests_name("store/sql/sqlite_fault", tests, NULL, NULL);
}
