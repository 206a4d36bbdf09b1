/*
 * backup_test.c - a backup of a live store is a store, as of one moment; statistics count what
 * is there.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/api_fixture.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

enum { BATCH = 10 };

/* ---- While others write ---------------------------------------------------------------------- */

struct writer {
    mneme *m;
    _Atomic bool stop;
    _Atomic unsigned batches; /* acknowledged */
};

/* Batch b is the relations with the numbers 10 b to 10 b + 9: a copy has whole batches, from the
 * first on. */
static void *write_batches(void *context) {
    struct writer *w = context;
    while (!w->stop) {
        mneme_relation relations[BATCH];
        mneme_record records[BATCH];
        unsigned first = w->batches * BATCH;
        for (unsigned i = 0; i < BATCH; i++) {
            relations[i] = (mneme_relation){.type = text("next"), .from = {{1}}, .to = {{2}}};
            relations[i].id.bytes[0] = 1;
            relations[i].id.bytes[1] = (uint8_t)((first + i) >> 16);
            relations[i].id.bytes[2] = (uint8_t)((first + i) >> 8);
            relations[i].id.bytes[3] = (uint8_t)(first + i);
            records[i] = (mneme_record){.kind = MNEME_RELATION, .as.relation = &relations[i]};
        }
        if (mneme_put(w->m, records, BATCH, NULL, NULL, NULL))
            return context;
        w->batches++;
    }
    return NULL;
}

static void assert_prefix(mneme *m, unsigned at_least, unsigned at_most) {
    size_t count = count_records(m, MNEME_RELATION);
    assert_int_equal(count % BATCH, 0);
    assert_in_range(count / BATCH, at_least, at_most);
    mneme_id last = {
        {1, (uint8_t)((count - 1) >> 16), (uint8_t)((count - 1) >> 8), (uint8_t)(count - 1)}};
    const mneme_record *record;
    mneme_error error;
    OK(mneme_acquire(m, MNEME_RELATION, &last, &record, &error), &error);
    mneme_release(m, record);
}

static const char *copy_path(const struct home *home, unsigned n) {
    char name[32];
    snprintf(name, sizeof name, "copy-%u.mdb", n);
    return home_file(home, name);
}

static void assert_copy(const char *url, unsigned at_least, unsigned at_most) {
    assert_verified(url);
    mneme *copy = store_open_quiet(url);
    assert_prefix(copy, at_least, at_most);
    put_pattern(copy, "a copy", "is a store of its own");
    store_close_ok(copy);
}

static void backup_while_others_write__is_whole_and_of_one_moment(void **state) {
    enum { COPIES = 8, PATIENCE_MS = 60000 };
    unsigned before[COPIES], after[COPIES], made = 0;
    int status = 0;
    struct home *home = *state;
    struct writer writer = {.m = store_open_quiet(home->path)};
    pthread_t thread;
    mneme_error error;
    assert_int_equal(pthread_create(&thread, NULL, write_batches, &writer), 0);
    for (; made < COPIES && status == 0; made++) {
        for (int i = 0; i < PATIENCE_MS && writer.batches < 3 * (made + 1); i++)
            usleep(1000);
        before[made] = writer.batches;
        status = mneme_backup(writer.m, copy_path(home, made), &error);
        after[made] = writer.batches + 1; /* one may be under way */
    }
    writer.stop = true;
    void *failed;
    pthread_join(thread, &failed);
    assert_null(failed);
    OK(status, &error);
    for (unsigned n = 0; n < COPIES; n++) {
        assert_true(before[n] >= 3 * (n + 1));
        assert_copy(home_url(copy_path(home, n)), before[n], after[n]);
    }
    assert_int_equal(count_records(writer.m, MNEME_PATTERN), 0);
    store_close_ok(writer.m);
}

static void backup__has_everything_and_is_private(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    struct stat st;
    const char *path = home_file(home, "copy.mdb");
    mneme_id id = start_episode(m, "t");
    append_step(m, &id, "one");
    put_pattern(m, "a", "b");
    mneme_id gone = put_pattern(m, "gone", "");
    OK(mneme_delete(m, MNEME_PATTERN, &gone, 1, NULL, &error), &error);
    mode_t mask = umask(0);
    OK(mneme_backup(m, path, &error), &error);
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    mneme *copy = store_open_quiet(home_url(path));
    mneme_bytes first = store_text_ok(m), second = store_text_ok(copy);
    assert_same_text(&first, &second);
    mneme_bytes_free(&first);
    mneme_bytes_free(&second);
    mneme_stats one = {.size = sizeof one}, two = {.size = sizeof two};
    OK(mneme_stats_get(m, &one, &error), &error);
    OK(mneme_stats_get(copy, &two, &error), &error);
    assert_memory_equal(one.kinds, two.kinds, sizeof one.kinds);
    assert_int_equal(one.changes, two.changes);
    store_close_ok(copy);
    store_close_ok(m);
}

static void backup__takes_queued_writes_along(void **state) {
    struct home *home = *state;
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    options.batch_interval_ms = 3600 * 1000;
    OK(mneme_open(home->path, &options, &m, &error), &error);
    mneme_write how = {.durability = MNEME_RELAXED};
    mneme_pattern pattern = pattern_of("queued", "");
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    OK(mneme_put(m, &record, 1, &how, NULL, &error), &error);
    OK(mneme_backup(m, home_file(home, "copy.mdb"), &error), &error);
    mneme *copy = store_open_quiet(home_url(home_file(home, "copy.mdb")));
    assert_int_equal(count_records(copy, MNEME_PATTERN), 1);
    store_close_ok(copy);
    store_close_ok(m);
}

static void backup_to_where_it_cannot_go__leaves_nothing(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    const char *taken = home_file(home, "taken");
    file_write(taken, "mine", 4);
    REFUSED(mneme_backup(m, taken, &error), MNEME_CONFLICT, &error);
    assert_says(&error, taken);
    struct file_bytes still = file_read(taken);
    assert_int_equal(still.size, 4);
    file_bytes_free(&still);
    REFUSED(mneme_backup(m, home->path, &error), MNEME_CONFLICT, &error);
    REFUSED(mneme_backup(m, home->directory, &error), MNEME_CONFLICT, &error);
    REFUSED(mneme_backup(m, home_file(home, "no/such/b.mdb"), &error), MNEME_NOT_FOUND, &error);
    assert_int_equal(symlink(home_file(home, "nowhere"), home_file(home, "link")), 0);
    REFUSED(mneme_backup(m, home_file(home, "link"), &error), MNEME_CONFLICT, &error);
    assert_false(file_exists(home_file(home, "nowhere")));
    store_close_ok(m);
}

/* ---- Statistics ------------------------------------------------------------------------------ */

static void stats__count_what_is_there(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error error;
    mneme_stats s = {.size = sizeof s};
    OK(mneme_stats_get(m, &s, &error), &error);
    assert_string_equal(s.path, home->path);
    assert_true(s.file_bytes >= s.used_bytes && s.used_bytes > 0);
    assert_true(s.device != 0);
    assert_int_equal(s.changes, 0);
    uint64_t device = s.device, commits = s.commits;
    mneme_id episode = start_episode(m, "t");
    append_step(m, &episode, "1");
    append_step(m, &episode, "2");
    mneme_id id = put_pattern(m, "a", "b");
    OK(mneme_delete(m, MNEME_PATTERN, &id, 1, NULL, &error), &error);
    OK(mneme_stats_get(m, &s, &error), &error);
    assert_int_equal(s.kinds[MNEME_EPISODE].records, 1);
    assert_int_equal(s.kinds[MNEME_STEP].records, 2);
    assert_int_equal(s.kinds[MNEME_PATTERN].records, 0);
    assert_int_equal(s.kinds[MNEME_PATTERN].tombstones, 1);
    assert_int_equal(s.kinds[MNEME_PATTERN].stored_bytes, 0);
    assert_true(s.kinds[MNEME_STEP].plain_bytes > 0 && s.kinds[MNEME_STEP].stored_bytes > 0);
    assert_int_equal(s.changes, 5);
    assert_int_equal(s.commits, commits + 5);
    assert_int_equal(s.groups, 5);
    assert_int_equal(s.grouped_writes, 5);
    assert_int_equal(s.compression_skipped, 4); /* all of them small */
    OK(complete(m, &episode, &error), &error);
    OK(mneme_stats_get(m, &s, &error), &error);
    assert_int_equal(s.kinds[MNEME_STEP].records, 0);
    assert_int_equal(s.kinds[MNEME_STEP].tombstones, 0);
    store_close_ok(m);
    m = store_open_quiet(home->path);
    OK(mneme_stats_get(m, &s, &error), &error);
    assert_int_equal(s.device, device);
    assert_int_equal(s.kinds[MNEME_EPISODE].records, 1);
    assert_int_equal(s.groups, 0); /* of this handle */
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(backup_while_others_write__is_whole_and_of_one_moment),
        CASE(backup__has_everything_and_is_private),
        CASE(backup__takes_queued_writes_along),
        CASE(backup_to_where_it_cannot_go__leaves_nothing),
        CASE(stats__count_what_is_there),
    };
    return cmocka_run_group_tests_name("api/backup", tests, NULL, NULL);
}
