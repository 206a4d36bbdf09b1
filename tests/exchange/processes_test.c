/*
 * processes_test.c - imports that are killed, and imports of one file by two processes at once:
 * in the end every record is there exactly once.
 */
#include <signal.h>

#include "exchange_fixture.h"
#include "trajectories.h"

enum { KILLS = 12, IMPORTERS = 3 };

/* ---- Helpers ------------------------------------------------------------------------------ */

/* What a child needs for an import, and a pipe on which it tells each commit. */
struct job {
    const char *store, *file;
    int tell;
    unsigned threads;
};

static int tell_commit(void *context, const mneme_progress *progress) {
    const struct job *job = context;
    uint64_t records = progress->records;
    return job->tell >= 0 && write(job->tell, &records, sizeof records) < 0;
}

/* In a child: import in small transactions, so that a kill falls between or into them. */
static int import_in_child(void *context) {
    struct job *job = context;
    mneme_options quiet = quiet_options();
    mneme_import_options options = {.size = sizeof options,
                                    .threads = job->threads,
                                    .batch = 10,
                                    .progress = tell_commit,
                                    .context = job};
    mneme_error error;
    mneme *m;
    CHILD_CHECK(mneme_open(job->store, &quiet, &m, &error) == 0, "%s", error.message);
    CHILD_CHECK(mneme_import(m, &job->file, 1, &options, NULL, &error) == 0, "%s", error.message);
    CHILD_CHECK(mneme_close(m, &error) == 0, "%s", error.message);
    return 0;
}

static int compare_lines(const void *a, const void *b) {
    const char *const *x = a, *const *y = b;
    return strcmp(*x, *y);
}

/* The content of a store, without what differs from import to import (ids, versions, times), in
 * an order of its own: equal texts, equal content. */
static struct buf content_of(mneme *m) {
    static const char *const kept[] = {"origin", "task", "extra", "metadata", "messages", "reward"};
    struct buf out = BUF_INIT(JSON_MAX);
    AUTO_BUF struct buf lines = export_all(m);
    AUTO_ARENA struct arena arena = {0};
    char *found[TRAJECTORY_COUNT + 1];
    size_t count = 0;
    for (uint8_t *line = lines.data; line < lines.data + lines.size;) {
        uint8_t *end = memchr(line, '\n', (size_t)(lines.data + lines.size - line));
        const struct json_node *root = parse_ok(slice_of(line, (size_t)(end - line)), &arena);
        struct buf kept_text = BUF_INIT(JSON_MAX);
        for (size_t i = 0; i < COUNT_OF(kept); i++)
            if (json_member(root, kept[i]))
                buf_append_slice(&kept_text, json_member(root, kept[i])->raw);
        buf_append_byte(&kept_text, 0);
        assert_true(count < COUNT_OF(found));
        found[count++] = (char *)kept_text.data;
        line = end + 1;
    }
    qsort(found, count, sizeof *found, compare_lines);
    for (size_t i = 0; i < count; i++) {
        buf_append_string(&out, found[i]);
        buf_append_byte(&out, '\n');
        mem_free(found[i]);
    }
    return out;
}

static void assert_content_is_whole(const struct home *home, const char *file) {
    mneme *whole = store_open_quiet("mem:"), *m = store_open_quiet(home->path);
    assert_imported(whole, file, NULL, TRAJECTORY_COUNT, 0, 0);
    assert_int_equal(count_records(m, MNEME_EPISODE), TRAJECTORY_COUNT);
    AUTO_BUF struct buf expected = content_of(whole), found = content_of(m);
    assert_same_bytes(&expected, &found);
    store_close_ok(whole);
    store_close_ok(m);
    assert_verified(home->path);
}

/* ---- Cases -------------------------------------------------------------------------------- */

/* Kill an importing child after so many microseconds of its first sign of life. */
static void kill_an_import(struct job *job, useconds_t after_us) {
    int pipe_ends[2];
    uint64_t records;
    assert_int_equal(pipe(pipe_ends), 0);
    job->tell = pipe_ends[1];
    pid_t child = child_start(import_in_child, job);
    close(pipe_ends[1]);
    (void)!read(pipe_ends[0], &records, sizeof records);
    usleep(after_us);
    kill(child, SIGKILL);
    int ended = child_wait(child);
    assert_true(ended == 0 || ended == 1000 + SIGKILL);
    close(pipe_ends[0]);
}

static void exchange_import__killed_again_and_again_is_finished_by_the_next(void **state) {
    const struct home *home = *state;
    struct job job = {.store = home->path, .file = generate_trajectories(home, "runs.json")};
    struct rng rng = {.state = 11};
    size_t partial = 0;
    for (unsigned i = 0; i < KILLS; i++) {
        job.threads = 1 + i % 2;
        kill_an_import(&job, (useconds_t)rng_below(&rng, 12000));
        mneme *m = store_open_quiet(home->path);
        size_t count = count_records(m, MNEME_EPISODE);
        assert_true(count <= TRAJECTORY_COUNT);
        partial += count > 0 && count < TRAJECTORY_COUNT;
        store_close_ok(m);
    }
    print_message("of %d imports killed, %zu left a part behind\n", KILLS, partial);
    job.tell = -1;
    assert_int_equal(child_run(import_in_child, &job), 0);
    assert_content_is_whole(home, job.file);
}

static void exchange_import__by_processes_at_once_stores_every_record_once(void **state) {
    const struct home *home = *state;
    struct job job = {.store = home->path,
                      .file = generate_trajectories(home, "runs.json"),
                      .tell = -1,
                      .threads = 2};
    pid_t children[IMPORTERS];
    for (size_t i = 0; i < IMPORTERS; i++)
        children[i] = child_start(import_in_child, &job);
    for (size_t i = 0; i < IMPORTERS; i++)
        assert_int_equal(child_wait(children[i]), 0);
    assert_content_is_whole(home, job.file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            exchange_import__killed_again_and_again_is_finished_by_the_next, home_setup,
            home_teardown),
        cmocka_unit_test_setup_teardown(
            exchange_import__by_processes_at_once_stores_every_record_once, home_setup,
            home_teardown),
    };
    return cmocka_run_group_tests_name("exchange/processes", tests, NULL, NULL);
}
