/*
 * fault_open_test.c - opening, closing, backup, reading and growing the map, with the k-th
 * allocation, write, sync or mapping failing: an error comes back, no half-made file is left,
 * nothing leaks, and the same call works afterwards.
 */
#include <string.h>

#include "reliability/io_faults.h"
#include "store/kv.h"
#include "support/fault_scene.h"

enum { K_MAX = 20000 };

/* ---- One call, failing at every k ----------------------------------------------------------- */

enum fault {
    ALLOCATIONS,
    WRITES,
    WRITES_SHORT,
    WRITES_STICKY,
    SYNCS,
    MAPS,
#if IO_HAS_MEMORY
    LMDB_ALLOCATIONS,
#endif
    FAULTS
};

static void fault_arm(enum fault fault, uint64_t k) {
    switch (fault) {
    case ALLOCATIONS:
        mem_fail_after(k);
        break;
    case WRITES:
        io_faults_arm(IO_WRITES, IO_ENOSPC, k);
        break;
    case WRITES_SHORT:
        io_faults_arm(IO_WRITES, IO_SHORT, k);
        break;
    case WRITES_STICKY:
        io_faults_arm(IO_WRITES, IO_STICKY, k);
        break;
    case SYNCS:
        io_faults_arm(IO_SYNCS, IO_EIO, k);
        break;
    case MAPS:
        io_faults_arm(IO_MAPS, IO_EIO, k);
        break;
#if IO_HAS_MEMORY
    case LMDB_ALLOCATIONS:
        io_faults_arm(IO_MEMORY, IO_EIO, k);
        break;
#endif
    case FAULTS:
        break;
    }
}

/* Whether the fault hit something. */
static bool fault_disarm(enum fault fault, uint64_t k) {
    return fault == ALLOCATIONS ? mem_fail_after(0) >= k : io_faults_disarm() > 0;
}

static bool code_fits(enum fault fault, int status) {
    if (fault == ALLOCATIONS || fault >= MAPS)
        return status == MNEME_NO_MEMORY;
    return status == MNEME_IO || status == MNEME_NO_SPACE;
}

struct subject {
    struct scene scene;
    mneme_bytes text; /* of the store as it was made */
};

/* `act` makes the call; `look` is told what it returned, must find everything as it should be
 * then, and make the same call work. */
struct fault_call {
    int (*act)(struct subject *s, mneme_error *error);
    void (*look)(struct subject *s, int status);
};

static void subject_make(struct subject *s) {
    scene_make(&s->scene);
    s->text = scene_text(&s->scene);
}

static void subject_remove(struct subject *s) {
    mneme_bytes_free(&s->text);
    scene_remove(&s->scene);
}

static void assert_unchanged(struct subject *s) {
    mneme_bytes now = scene_text(&s->scene);
    assert_same_text(&now, &s->text);
    mneme_bytes_free(&now);
}

static void fail_at_every_k(const struct fault_call *call, enum fault fault) {
    struct subject s;
    subject_make(&s);
    unsigned descriptors = open_descriptors();
    uint64_t k = 1;
    for (bool hit = true; hit && k < K_MAX; k++) {
        mneme_error error = {0};
        fault_arm(fault, k);
        int status = call->act(&s, &error);
        hit = fault_disarm(fault, k);
        if (status && (!code_fits(fault, status) || error.code != status || !error.message[0]))
            fail_msg("fault %d, k %llu: %s (%s)", (int)fault, (unsigned long long)k,
                     mneme_status_name(status), error.message);
        assert_true(hit || status == 0);
        call->look(&s, status);
        if (open_descriptors() != descriptors)
            fail_msg("fault %d, k %llu: descriptors were left open", (int)fault,
                     (unsigned long long)k);
    }
    assert_true(k < K_MAX);
    subject_remove(&s);
}

static void fail_in_every_way(const struct fault_call *call) {
    for (int fault = 0; fault < FAULTS; fault++)
        fail_at_every_k(call, (enum fault)fault);
}

/* ---- Opening -------------------------------------------------------------------------------- */

static int act_open(struct subject *s, mneme_error *error) {
    mneme_options options = quiet_options();
    store_close_ok(s->scene.m);
    s->scene.m = NULL;
    return mneme_open(s->scene.home.path, &options, &s->scene.m, error);
}

static void look_open(struct subject *s, int status) {
    if (status) {
        assert_null(s->scene.m);
        s->scene.m = store_open_quiet(s->scene.home.path);
    }
    assert_unchanged(s);
    scene_reset(&s->scene);
}

static void open_fails__and_works_the_next_time(void **state) {
    (void)state;
    fail_in_every_way(&(struct fault_call){act_open, look_open});
}

static mneme *new_store;

static int act_open_new(struct subject *s, mneme_error *error) {
    mneme_options options = quiet_options();
    new_store = NULL;
    return mneme_open(home_file(&s->scene.home, "sub/new.mdb"), &options, &new_store, error);
}

static void look_open_new(struct subject *s, int status) {
    const char *path = home_file(&s->scene.home, "sub/new.mdb");
    assert_true((status == 0) == (new_store != NULL));
    if (status && file_exists(path))
        assert_verified(path); /* whole, or not there */
    if (status)
        new_store = store_open_quiet(path);
    put_pattern(new_store, "a", "b");
    assert_int_equal(count_records(new_store, MNEME_PATTERN), 1);
    store_close_ok(new_store);
    assert_verified(path);
    unlink(path);
    unlink(home_file(&s->scene.home, "sub/new.mdb-lock"));
    assert_int_equal(rmdir(home_file(&s->scene.home, "sub")), 0); /* nothing else is left */
}

static void open_of_a_new_store_fails__and_leaves_no_half_made_one(void **state) {
    (void)state;
    fail_in_every_way(&(struct fault_call){act_open_new, look_open_new});
}

/* ---- Closing -------------------------------------------------------------------------------- */

static int act_close(struct subject *s, mneme_error *error) {
    mneme_options options = quiet_options();
    mneme_error ignored;
    options.batch_interval_ms = 60000;
    mneme *m = NULL;
    int status = mneme_open(s->scene.home.path, &options, &m, error);
    if (status)
        return status;
    mneme_pattern pattern = pattern_of("queued", "written by close");
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    mneme_write how = {.durability = MNEME_RELAXED};
    status = mneme_put(m, &record, 1, &how, NULL, error);
    if (status) {
        mneme_close(m, &ignored);
        return status;
    }
    return mneme_close(m, error);
}

static void look_close(struct subject *s, int status) {
    assert_int_equal(count_records(s->scene.m, MNEME_PATTERN), status ? 1 : 2);
    scene_reset(&s->scene);
}

static void close_fails__and_says_that_queued_writes_are_lost(void **state) {
    (void)state;
    fail_in_every_way(&(struct fault_call){act_close, look_close});
}

/* ---- Backup --------------------------------------------------------------------------------- */

static int act_backup(struct subject *s, mneme_error *error) {
    return mneme_backup(s->scene.m, home_file(&s->scene.home, "copy/b.mdb"), error);
}

static void look_backup(struct subject *s, int status) {
    const char *path = home_file(&s->scene.home, "copy/b.mdb");
    mneme_error error;
    if (status && file_exists(path)) /* only its directory's sync can have failed */
        assert_verified(path);
    else if (status)
        OK(act_backup(s, &error), &error);
    mneme *copy = store_open_quiet(path);
    struct scene seen = {.m = copy};
    mneme_bytes now = scene_text(&seen);
    assert_same_text(&now, &s->text);
    mneme_bytes_free(&now);
    store_close_ok(copy);
    unlink(path);
    unlink(home_file(&s->scene.home, "copy/b.mdb-lock"));
    assert_int_equal(rmdir(home_file(&s->scene.home, "copy")), 0); /* nothing else is left */
    assert_unchanged(s);
}

static int act_backup_into_new_directory(struct subject *s, mneme_error *error) {
    assert_int_equal(mkdir(home_file(&s->scene.home, "copy"), 0700), 0);
    return act_backup(s, error);
}

static void backup_fails__and_leaves_no_file(void **state) {
    (void)state;
    fail_in_every_way(&(struct fault_call){act_backup_into_new_directory, look_backup});
}

/* ---- Reading -------------------------------------------------------------------------------- */

static mneme_bytes read_text;

static int act_read(struct subject *s, mneme_error *error) {
    mneme_stats stats = {.size = sizeof stats};
    int status = mneme_stats_get(s->scene.m, &stats, error);
    if (status)
        return status;
    return store_text(s->scene.m, &read_text, error);
}

static void look_read(struct subject *s, int status) {
    if (status == 0)
        mneme_bytes_free(&read_text);
    assert_unchanged(s);
}

static void read_fails__and_works_the_next_time(void **state) {
    (void)state;
    fail_at_every_k(&(struct fault_call){act_read, look_read}, ALLOCATIONS);
#if IO_HAS_MEMORY
    fail_at_every_k(&(struct fault_call){act_read, look_read}, LMDB_ALLOCATIONS);
#endif
}

/* ---- A map that cannot grow ----------------------------------------------------------------- */

static int put_blob(struct store *store, unsigned n, mneme_error *error) {
    static uint8_t bytes[50000];
    memset(bytes, (int)n, sizeof bytes);
    struct mutation put = {.op = MUTATION_PUT,
                           .record = {.kind = MNEME_PATTERN,
                                      .id = {{1, (uint8_t)n}},
                                      .time_us = n,
                                      .body = slice_of(bytes, sizeof bytes)}};
    struct batch batch = {.mutations = &put, .count = 1}, *only = &batch;
    (void)store_apply(store, &only, 1);
    if (batch.status)
        *error = batch.error;
    return batch.status;
}

static void map_cannot_grow__is_an_error_and_the_store_works_on(void **state) {
    struct home home;
    struct kv_options options = {.map_bytes = 256 << 10};
    struct store *store;
    struct store_stats stats;
    mneme_error error = {0};
    unsigned failed = 0;
    (void)state;
    home_make(&home);
    OK(kv_store_open(home.path, &options, &store, &error), &error);
    for (unsigned n = 1; n <= 60; n++) {
        io_faults_arm(IO_MAPS, IO_STICKY, 1);
        int status = put_blob(store, n, &error);
        io_faults_disarm();
        assert_true(status == 0 || status == MNEME_NO_MEMORY || status == MNEME_NO_SPACE);
        OK(store_stats(store, &stats, &error), &error);
        assert_int_equal(stats.kinds[MNEME_PATTERN].records, status ? n - 1 : n);
        if (status) {
            failed++;
            OK(put_blob(store, n, &error), &error);
        }
    }
    assert_true(failed > 0);
    store_close(store);
    struct kv_check check = {.findings = 0};
    OK(kv_store_check(home.path, &check, &error), &error);
    assert_int_equal(check.records, 60);
    home_remove(&home);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_fails__and_works_the_next_time),
        cmocka_unit_test(open_of_a_new_store_fails__and_leaves_no_half_made_one),
        cmocka_unit_test(close_fails__and_says_that_queued_writes_are_lost),
        cmocka_unit_test(backup_fails__and_leaves_no_file),
        cmocka_unit_test(read_fails__and_works_the_next_time),
        cmocka_unit_test(map_cannot_grow__is_an_error_and_the_store_works_on),
    };
    return cmocka_run_group_tests_name("reliability/fault_open", tests, NULL, NULL);
}
