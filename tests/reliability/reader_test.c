/*
 * reader_test.c - a reader that was killed, or sleeps in the middle of a read, does not make the
 * file grow without bound.
 *
 * The readers are other processes that hold a read transaction of LMDB itself.
 */
#include <lmdb.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "support/api_fixture.h"

enum { MIB = 1 << 20, TEXT = 20000, RECORDS = 8 };

/* ---- A reader ------------------------------------------------------------------------------- */

struct reader {
    const char *path;
    int ready[2]; /* the child writes a byte when it stands in its transaction */
    pid_t child;
};

static int hold_transaction(void *context) {
    struct reader *reader = context;
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    CHILD_CHECK(mdb_env_create(&env) == 0, "create");
    CHILD_CHECK(mdb_env_set_mapsize(env, (size_t)1 << 34) == 0, "map size");
    CHILD_CHECK(mdb_env_open(env, reader->path, MDB_NOSUBDIR | MDB_RDONLY, 0600) == 0, "open");
    CHILD_CHECK(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0, "begin");
    CHILD_CHECK(write(reader->ready[1], "", 1) == 1, "tell");
    for (;;)
        pause();
}

static void reader_start(struct reader *reader, const char *path) {
    char byte;
    *reader = (struct reader){.path = path};
    assert_int_equal(pipe(reader->ready), 0);
    reader->child = child_start(hold_transaction, reader);
    assert_int_equal(read(reader->ready[0], &byte, 1), 1);
}

static void reader_kill(struct reader *reader) {
    kill(reader->child, SIGKILL);
    child_wait(reader->child);
    close(reader->ready[0]);
    close(reader->ready[1]);
}

/* ---- A writer ------------------------------------------------------------------------------- */

static mneme *open_bounded(const char *path) {
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    options.max_stale_bytes = 4 * MIB;
    options.compression = MNEME_COMPRESS_NONE;
    OK(mneme_open(path, &options, &m, &error), &error);
    return m;
}

/* Replace the same few records over and over. */
static int overwrite(mneme *m, unsigned n, mneme_error *error) {
    static char description[TEXT + 1];
    memset(description, 'a' + (int)(n % 26), TEXT);
    mneme_pattern pattern = pattern_of("again", description);
    pattern.id.bytes[0] = (uint8_t)(1 + n % RECORDS);
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    return mneme_put(m, &record, 1, NULL, NULL, error);
}

static void overwrite_many(mneme *m, unsigned count) {
    mneme_error error;
    for (unsigned n = 0; n < count; n++)
        OK(overwrite(m, n, &error), &error);
}

static uint64_t file_bytes(mneme *m) {
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    OK(mneme_stats_get(m, &stats, &error), &error);
    return stats.file_bytes;
}

/* ---- The cases ------------------------------------------------------------------------------ */

static void reader_killed__its_snapshot_is_given_up(void **state) {
    struct home *home = *state;
    struct reader reader;
    mneme *m = open_bounded(home->path);
    overwrite_many(m, RECORDS);
    reader_start(&reader, home->path);
    reader_kill(&reader);
    overwrite_many(m, 1000); /* 20 MB of old pages, were they kept */
    assert_true(file_bytes(m) < 3 * MIB);
    store_close_ok(m);
    assert_verified(home->path);
}

static void reader_killed__is_cleared_when_the_store_is_opened(void **state) {
    struct home *home = *state;
    struct reader reader;
    mneme *m = open_bounded(home->path);
    overwrite_many(m, RECORDS);
    reader_start(&reader, home->path);
    reader_kill(&reader);
    mneme *second = open_bounded(home->path); /* shares the first one's environment */
    store_close_ok(second);
    store_close_ok(m);
    m = open_bounded(home->path);
    overwrite_many(m, 30);
    assert_true(file_bytes(m) < MIB);
    store_close_ok(m);
}

/* Write until the sleeping reader is noticed, no longer than until the file is too large. */
static void write_until_refused(mneme *m, const struct reader *reader) {
    mneme_error error = {0};
    char pid[32];
    int status = 0;
    for (unsigned n = 0; n < 2000 && status == 0; n++)
        status = overwrite(m, n, &error);
    assert_int_equal(status, MNEME_LOCKED);
    assert_int_equal(error.code, MNEME_LOCKED);
    snprintf(pid, sizeof pid, "process %ld ", (long)reader->child);
    assert_says(&error, pid);
    assert_true(mneme_status_retryable(status));
    assert_true(file_bytes(m) < 8 * MIB);
}

static void reader_sleeps__writes_are_refused_and_name_it(void **state) {
    struct home *home = *state;
    struct reader reader;
    mneme_error error;
    mneme *m = open_bounded(home->path);
    overwrite_many(m, RECORDS);
    reader_start(&reader, home->path);
    kill(reader.child, SIGSTOP);
    write_until_refused(m, &reader);

    /* Reading goes on, and the answer stays the same, also to one who opens the store now. */
    assert_int_equal(count_records(m, MNEME_PATTERN), RECORDS);
    REFUSED(overwrite(m, 0, &error), MNEME_LOCKED, &error);
    mneme_id id = {{1}};
    REFUSED(mneme_delete(m, MNEME_PATTERN, &id, 1, NULL, &error), MNEME_LOCKED, &error);
    store_close_ok(m);
    m = open_bounded(home->path);
    REFUSED(overwrite(m, 0, &error), MNEME_LOCKED, &error);

    kill(reader.child, SIGCONT); /* it still stands in its read */
    REFUSED(overwrite(m, 0, &error), MNEME_LOCKED, &error);
    reader_kill(&reader);
    overwrite_many(m, 500);
    assert_true(file_bytes(m) < 12 * MIB);
    store_close_ok(m);
    assert_verified(home->path);
}

static int read_and_end(void *context) {
    struct reader *reader = context;
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    char byte;
    CHILD_CHECK(mdb_env_create(&env) == 0, "create");
    CHILD_CHECK(mdb_env_set_mapsize(env, (size_t)1 << 34) == 0, "map size");
    CHILD_CHECK(mdb_env_open(env, reader->path, MDB_NOSUBDIR | MDB_RDONLY, 0600) == 0, "open");
    CHILD_CHECK(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) == 0, "begin");
    CHILD_CHECK(write(reader->ready[1], "", 1) == 1, "tell");
    CHILD_CHECK(read(reader->ready[0], &byte, 1) == 1, "wait");
    mdb_txn_abort(txn);
    CHILD_CHECK(write(reader->ready[1], "", 1) == 1, "tell");
    for (;;)
        pause();
}

static void reader_ends_its_read__writes_go_on(void **state) {
    struct home *home = *state;
    struct reader reader = {.path = home->path};
    mneme *m = open_bounded(home->path);
    int to[2], from[2];
    char byte;
    overwrite_many(m, RECORDS);
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    reader.ready[0] = to[0];
    reader.ready[1] = from[1];
    reader.child = child_start(read_and_end, &reader);
    assert_int_equal(read(from[0], &byte, 1), 1);
    kill(reader.child, SIGSTOP);
    write_until_refused(m, &reader);
    kill(reader.child, SIGCONT);
    assert_int_equal(write(to[1], "", 1), 1);
    assert_int_equal(read(from[0], &byte, 1), 1);
    overwrite_many(m, 500); /* the process lives on */
    reader_kill(&reader);
    close(to[1]);
    close(from[0]);
    store_close_ok(m);
}

/* A short read is over long before anybody would be in its way. */
static void readers_come_and_go__nothing_is_refused(void **state) {
    struct home *home = *state;
    mneme *m = open_bounded(home->path);
    mneme_error error;
    overwrite_many(m, RECORDS);
    for (unsigned n = 0; n < 600; n++) {
        assert_int_equal(count_records(m, MNEME_PATTERN), RECORDS);
        OK(overwrite(m, n, &error), &error);
    }
    assert_true(file_bytes(m) < 3 * MIB);
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reader_killed__its_snapshot_is_given_up, home_setup,
                                        home_teardown),
        cmocka_unit_test_setup_teardown(reader_killed__is_cleared_when_the_store_is_opened,
                                        home_setup, home_teardown),
        cmocka_unit_test_setup_teardown(reader_sleeps__writes_are_refused_and_name_it, home_setup,
                                        home_teardown),
        cmocka_unit_test_setup_teardown(reader_ends_its_read__writes_go_on, home_setup,
                                        home_teardown),
        cmocka_unit_test_setup_teardown(readers_come_and_go__nothing_is_refused, home_setup,
                                        home_teardown),
    };
    return cmocka_run_group_tests_name("reliability/reader", tests, NULL, NULL);
}
