/*
 * disk_full_test.c - a full disk: a clear error, everything earlier readable, and work goes on
 * when there is space again.
 *
 * The disk is a tmpfs of a few hundred KiB where this process may mount one; elsewhere, and in a
 * case of its own everywhere, the system's limit on the size of files stands in for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "support/api_fixture.h"

enum { SMALL = 512 << 10, LARGE = 16 << 20, TEXT = 4000 };

/* ---- A small disk --------------------------------------------------------------------------- */

struct disk {
    struct home home;
    bool mounted;
};

static void limit_files(uint64_t bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool mount_small(const char *directory) {
    static bool own_namespace;
    char options[64];
    snprintf(options, sizeof options, "size=%d", SMALL);
    if (!own_namespace &&
        (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, "")))
        return false;
    own_namespace = true;
    return mount("none", directory, "tmpfs", 0, options) == 0;
}

static void disk_make(struct disk *disk, bool mounted) {
    home_make(&disk->home);
    disk->mounted = mounted && mount_small(disk->home.directory);
    if (!disk->mounted)
        limit_files(SMALL);
}

static void disk_grow(struct disk *disk) {
    char options[64];
    snprintf(options, sizeof options, "size=%d", LARGE);
    if (disk->mounted)
        assert_int_equal(mount("none", disk->home.directory, "tmpfs", MS_REMOUNT, options), 0);
    else
        limit_files(LARGE);
}

static void disk_remove(struct disk *disk) {
    if (disk->mounted)
        assert_int_equal(umount(disk->home.directory), 0);
    else
        limit_files(RLIM_INFINITY);
    home_remove(&disk->home);
}

/* ---- Filling it ----------------------------------------------------------------------------- */

/* A text that does not compress, another for every n. */
static const char *noise(unsigned n) {
    static char out[TEXT + 1];
    uint64_t state = n * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (size_t i = 0; i < TEXT; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        out[i] = (char)(' ' + (state >> 58));
    }
    return out;
}

static int put_noise(mneme *m, unsigned n, const mneme_write *how, mneme_id *id,
                     mneme_error *error) {
    mneme_pattern pattern = pattern_of("noise", noise(n));
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    return mneme_put(m, &record, 1, how, id, error);
}

static void assert_readable(mneme *m, const mneme_id *ids, unsigned count) {
    mneme_error error;
    for (unsigned n = 0; n < count; n++) {
        const mneme_record *record;
        OK(mneme_acquire(m, MNEME_PATTERN, &ids[n], &record, &error), &error);
        assert_int_equal(record->as.pattern->description.size, TEXT);
        assert_memory_equal(record->as.pattern->description.data, noise(n), TEXT);
        mneme_release(m, record);
    }
    assert_int_equal(count_records(m, MNEME_PATTERN), count);
}

/* Write until the disk is full; how many went in. */
static unsigned fill(mneme *m, mneme_id *ids, unsigned max) {
    mneme_error error = {0};
    for (unsigned n = 0; n < max; n++) {
        int status = put_noise(m, n, NULL, &ids[n], &error);
        if (status == 0)
            continue;
        assert_int_equal(status, MNEME_NO_SPACE);
        assert_int_equal(error.code, MNEME_NO_SPACE);
        assert_int_equal(mneme_status_exit_code(status), 6);
        assert_true(mneme_status_retryable(status));
        assert_says(&error, "nothing was written to");
        return n;
    }
    fail_msg("%u records did not fill the disk", max);
    return 0;
}

/* ---- The cases ------------------------------------------------------------------------------ */

static void work_on_full_disk(bool mounted) {
    mneme_id ids[1000];
    mneme_error error;
    struct disk disk;
    disk_make(&disk, mounted);
    mneme *m = store_open_quiet(disk.home.path);
    unsigned count = fill(m, ids, 900);
    assert_true(count > 10);
    assert_readable(m, ids, count);
    assert_verified(disk.home.path);

    /* Other ways to write end the same way. */
    mneme_write relaxed = {.durability = MNEME_RELAXED};
    mneme_ticket ticket;
    mneme_write batch = {.durability = MNEME_BATCH, .ticket = &ticket};
    for (unsigned n = 0; n < 20; n++)
        OK(put_noise(m, 950 + n, &relaxed, NULL, &error), &error);
    REFUSED(mneme_flush(m, &error), MNEME_NO_SPACE, &error);
    size_t more = count_records(m, MNEME_PATTERN) - count; /* what found a free page */
    assert_true(more < 20);
    for (int i = 0; i < 3; i++) /* until the last free page is taken */
        (void)put_noise(m, 980, NULL, NULL, NULL);
    OK(put_noise(m, 981, &batch, NULL, &error), &error);
    REFUSED(mneme_ticket_wait(m, ticket, -1, &error), MNEME_NO_SPACE, &error);
    if (disk.mounted) {
        REFUSED(mneme_backup(m, home_file(&disk.home, "b.mdb"), &error), MNEME_NO_SPACE, &error);
        assert_false(file_exists(home_file(&disk.home, "b.mdb")));
    }

    /* A full disk is no reason not to open. */
    store_close_ok(m);
    m = store_open_quiet(disk.home.path);
    const mneme_record *record;
    OK(mneme_acquire(m, MNEME_PATTERN, &ids[0], &record, &error), &error);
    mneme_release(m, record);

    disk_grow(&disk);
    size_t before = count_records(m, MNEME_PATTERN);
    for (unsigned n = 0; n < 100; n++)
        OK(put_noise(m, n, NULL, NULL, &error), &error);
    assert_int_equal(count_records(m, MNEME_PATTERN), before + 100);
    store_close_ok(m);
    assert_verified(disk.home.path);
    disk_remove(&disk);
}

static void disk_is_full__writes_fail_and_everything_else_works(void **state) {
    (void)state;
    work_on_full_disk(true);
}

static void file_may_not_grow__writes_fail_and_everything_else_works(void **state) {
    (void)state;
    work_on_full_disk(false);
}

static void disk_is_full__a_new_store_is_not_half_made(void **state) {
    struct disk disk;
    mneme_error error;
    mneme *m = NULL;
    (void)state;
    disk_make(&disk, true);
    char *filler = calloc(1, SMALL);
    assert_non_null(filler);
    int fd = open(home_file(&disk.home, "filler"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_true(write(fd, filler, SMALL) > 0);
    close(fd);
    free(filler);
    if (!disk.mounted)
        limit_files(4096);
    REFUSED(mneme_open(disk.home.path, NULL, &m, &error), MNEME_NO_SPACE, &error);
    assert_null(m);
    assert_false(file_exists(disk.home.path));
    disk_grow(&disk);
    store_close_ok(store_open_quiet(disk.home.path));
    disk_remove(&disk);
}

static void disk_is_full__the_command_line_exits_with_6(void **state) {
    struct disk disk;
    mneme_id ids[1000];
    char said[1024];
    (void)state;
    disk_make(&disk, true);
    mneme *m = store_open_quiet(disk.home.path);
    fill(m, ids, 900);
    store_close_ok(m);
    int code = 0;
    for (unsigned n = 0; n < 20 && code == 0; n++) /* until the last free page is taken */
        code = cli_run(disk.home.path, said, "episode", "start", "--task", noise(n), NULL);
    assert_int_equal(code, 6);
    assert_non_null(strstr(said, "nothing was written to"));
    disk_grow(&disk);
    code = cli_run(disk.home.path, said, "episode", "start", "--task", "again", NULL);
    assert_int_equal(code, 0);
    disk_remove(&disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disk_is_full__writes_fail_and_everything_else_works),
        cmocka_unit_test(file_may_not_grow__writes_fail_and_everything_else_works),
        cmocka_unit_test(disk_is_full__a_new_store_is_not_half_made),
        cmocka_unit_test(disk_is_full__the_command_line_exits_with_6),
    };
    return cmocka_run_group_tests_name("reliability/disk_full", tests, NULL, NULL);
}
