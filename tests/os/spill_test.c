/*
 * spill_test.c - temporary files without a name: nothing is left of them.
 */
#include <dirent.h>
#include <stdlib.h>

#include "os/os.h"
#include "support/api_fixture.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

static size_t count_files(const char *directory) {
    DIR *dir = opendir(directory);
    size_t count = 0;
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void spill__gives_back_what_was_written_and_leaves_no_file(void **state) {
    struct home *home = *state;
    struct slice mapping;
    mneme_error error;
    int fd = -1;
    size_t before = count_files(home->directory);
    setenv("TMPDIR", home->directory, 1);
    OK(spill_create(&fd, &error), &error);
    assert_int_equal(count_files(home->directory), before);
    OK(spill_write(fd, slice_of("one ", 4), &error), &error);
    OK(spill_write(fd, slice_of("two", 3), &error), &error);
    OK(spill_map(fd, &mapping, &error), &error);
    spill_close(fd);
    assert_true(slice_equal(mapping, slice_of("one two", 7)));
    file_unmap(mapping);
    unsetenv("TMPDIR");
}

static void spill__maps_nothing_to_nothing(void **state) {
    (void)state;
    struct slice mapping = slice_of("x", 1);
    mneme_error error;
    int fd = -1;
    OK(spill_create(&fd, &error), &error);
    OK(spill_map(fd, &mapping, &error), &error);
    spill_close(fd);
    spill_close(-1);
    assert_int_equal(mapping.size, 0);
    file_unmap(mapping);
}

static void spill__names_a_directory_that_is_not_there(void **state) {
    struct home *home = *state;
    mneme_error error;
    int fd = -1;
    setenv("TMPDIR", home_file(home, "absent"), 1);
    REFUSED(spill_create(&fd, &error), MNEME_NOT_FOUND, &error);
    assert_says(&error, "absent");
    assert_int_equal(fd, -1);
    unsetenv("TMPDIR");
}

static void spill__says_when_it_cannot_write(void **state) {
    (void)state;
    mneme_error error;
    assert_true(spill_write(-1, slice_of("x", 1), &error) < 0);
    assert_says(&error, "cannot write to a temporary file");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(spill__gives_back_what_was_written_and_leaves_no_file),
        cmocka_unit_test(spill__maps_nothing_to_nothing),
        CASE(spill__names_a_directory_that_is_not_there),
        cmocka_unit_test(spill__says_when_it_cannot_write),
    };
    return cmocka_run_group_tests_name("os/spill", tests, NULL, NULL);
}
