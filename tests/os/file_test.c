/*
 * file_test.c - what a path is, directories, names given once, whole files.
 */
#include <sys/stat.h>

#include "os/os.h"
#include "support/api_fixture.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

static enum path_type type_of(const char *path) {
    struct path_info info;
    mneme_error error;
    OK(path_inspect(path, &info, &error), &error);
    return info.type;
}

static void path_inspect__tells_what_is_there(void **state) {
    struct home *home = *state;
    struct path_info info;
    mneme_error error;
    const char *file = home_file(home, "file"), *link = home_file(home, "link");
    file_write(file, "abc", 3);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(mkfifo(home_file(home, "fifo"), 0600), 0);
    assert_int_equal(type_of(home->directory), PATH_DIRECTORY);
    assert_int_equal(type_of(link), PATH_SYMLINK);
    assert_int_equal(type_of(home_file(home, "fifo")), PATH_OTHER);
    assert_int_equal(type_of(home_file(home, "none")), PATH_ABSENT);
    OK(path_inspect(file, &info, &error), &error);
    assert_int_equal(info.type, PATH_FILE);
    assert_int_equal(info.size, 3);
    assert_true(info.inode != 0);
    REFUSED(path_inspect(home_file(home, "file/below"), &info, &error), MNEME_INVALID, &error);
}

static void path_make_parents__makes_what_is_missing(void **state) {
    struct home *home = *state;
    mneme_error error;
    char path[8000];
    OK(path_make_parents(home_file(home, "a/b/c/file"), &error), &error);
    OK(path_make_parents(home_file(home, "a/b/c/file"), &error), &error);
    assert_int_equal(type_of(home_file(home, "a/b/c")), PATH_DIRECTORY);
    assert_int_equal(type_of(home_file(home, "a/b/c/file")), PATH_ABSENT);
    OK(path_make_parents("plain", &error), &error);
    file_write(home_file(home, "f"), "", 0);
    REFUSED(path_make_parents(home_file(home, "f/x/y"), &error), MNEME_INVALID, &error);
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = 0;
    REFUSED(path_make_parents(path, &error), MNEME_INVALID, &error);
}

static void path_sync_parent__needs_a_directory(void **state) {
    struct home *home = *state;
    mneme_error error;
    OK(path_sync_parent(home_file(home, "any"), &error), &error);
    OK(path_sync_parent("any", &error), &error);
    OK(path_sync_parent("/any", &error), &error);
    REFUSED(path_sync_parent(home_file(home, "no/any"), &error), MNEME_NOT_FOUND, &error);
}

static void path_publish__gives_a_name_once(void **state) {
    struct home *home = *state;
    mneme_error error;
    const char *part = home_file(home, "part"), *path = home_file(home, "whole");
    file_write(part, "first", 5);
    OK(path_publish(part, path, &error), &error);
    assert_int_equal(type_of(part), PATH_ABSENT);
    file_write(part, "second", 6);
    REFUSED(path_publish(part, path, &error), MNEME_CONFLICT, &error);
    assert_int_equal(type_of(part), PATH_ABSENT);
    struct file_bytes bytes = file_read(path);
    assert_int_equal(bytes.size, 5);
    file_bytes_free(&bytes);
    REFUSED(path_publish(part, home_file(home, "x"), &error), MNEME_NOT_FOUND, &error);
}

static void path_on_network__knows_a_local_disk(void **state) {
    struct home *home = *state;
    bool network = true;
    const char *name = NULL;
    mneme_error error;
    OK(path_on_network(home_file(home, "x"), &network, &name, &error), &error);
    assert_false(network);
    OK(path_on_network("x", &network, &name, &error), &error);
    REFUSED(path_on_network(home_file(home, "no/x"), &network, &name, &error), MNEME_NOT_FOUND,
            &error);
}

static void path_is_full__knows_room_from_none(void **state) {
    struct home *home = *state;
    file_write(home_file(home, "f"), "abc", 3);
    assert_false(path_is_full(home_file(home, "f"), 1));
    assert_true(path_is_full(home_file(home, "f"), UINT64_MAX / 2));
}

static void file_map__gives_the_bytes_of_a_plain_file(void **state) {
    struct home *home = *state;
    struct slice bytes;
    mneme_error error;
    file_write(home_file(home, "f"), "abc", 3);
    OK(file_map(home_file(home, "f"), &bytes, &error), &error);
    assert_int_equal(bytes.size, 3);
    assert_memory_equal(bytes.data, "abc", 3);
    file_unmap(bytes);
    file_write(home_file(home, "empty"), "", 0);
    OK(file_map(home_file(home, "empty"), &bytes, &error), &error);
    assert_int_equal(bytes.size, 0);
    file_unmap(bytes);
    REFUSED(file_map(home_file(home, "none"), &bytes, &error), MNEME_NOT_FOUND, &error);
    REFUSED(file_map(home->directory, &bytes, &error), MNEME_INVALID, &error);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(path_inspect__tells_what_is_there),
        CASE(path_make_parents__makes_what_is_missing),
        CASE(path_sync_parent__needs_a_directory),
        CASE(path_publish__gives_a_name_once),
        CASE(path_on_network__knows_a_local_disk),
        CASE(path_is_full__knows_room_from_none),
        CASE(file_map__gives_the_bytes_of_a_plain_file),
    };
    return cmocka_run_group_tests_name("os/file", tests, NULL, NULL);
}
