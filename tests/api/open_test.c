/*
 * open_test.c - opening and closing through the public interface: URLs, options, what a path may
 * be, permissions, defaults, and NULL for every argument.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "support/api_fixture.h"

#define CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)

/* ---- Paths and URLs ------------------------------------------------------------------------- */

static void new_path__is_made_private_with_its_directories(void **state) {
    struct home *home = *state;
    const char *path = home_file(home, "a/b/memory.mdb");
    struct stat st;
    mode_t before = umask(0);
    store_close_ok(store_open_quiet(path));
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(stat(home_file(home, "a/b"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(home_file(home, "a"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void relative_path__is_made_where_the_process_stands(void **state) {
    struct home *home = *state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(home->directory), 0);
    store_close_ok(store_open_quiet("plain.mdb"));
    store_close_ok(store_open_quiet("./with:colon/x.mdb"));
    assert_int_equal(chdir(before), 0);
    assert_true(file_exists(home_file(home, "plain.mdb")));
    assert_true(file_exists(home_file(home, "with:colon/x.mdb")));
}

static void mem_url__is_a_store_that_ends_with_its_handle(void **state) {
    struct home *home = *state;
    mneme_error error;
    mneme_stats stats = {.size = sizeof stats};
    mneme *m = store_open_quiet("mem:"), *other = store_open_quiet("mem:");
    mneme_id id = put_pattern(m, "a", "b");
    const mneme_record *record;
    OK(mneme_acquire(m, MNEME_PATTERN, &id, &record, &error), &error);
    mneme_release(m, record);
    REFUSED(mneme_acquire(other, MNEME_PATTERN, &id, &record, &error), MNEME_NOT_FOUND, &error);
    REFUSED(mneme_backup(m, home_file(home, "b"), &error), MNEME_UNSUPPORTED, &error);
    OK(mneme_stats_get(m, &stats, &error), &error);
    assert_string_equal(stats.path, "mem:");
    store_close_ok(m);
    store_close_ok(other);
}

static void assert_not_opened(const char *const *urls, size_t count) {
    for (size_t i = 0; i < count; i++) {
        mneme *m = NULL;
        mneme_error error;
        REFUSED(mneme_open(urls[i], NULL, &m, &error), MNEME_INVALID, &error);
        assert_null(m);
    }
}

static void url_of_another_kind__is_refused(void **state) {
    static const char *const urls[] = {"mem:x", "sqlite:a", "postgres://localhost/x", "ftp://host"};
    (void)state;
    assert_not_opened(urls, sizeof urls / sizeof *urls);
}

static void file_url_that_names_no_file__is_refused(void **state) {
    static const char *const urls[] = {"file:", "file://", "file://host/memory.db", "FILE:"};
    (void)state;
    assert_not_opened(urls, sizeof urls / sizeof *urls);
}

static void file_url__has_three_spellings(void **state) {
    static const char *const spellings[] = {"file:", "file://", "file://localhost"};
    struct home *home = *state;
    char url[512];
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        snprintf(url, sizeof url, "%s%s", spellings[i], home_file(home, "memory.db"));
        mneme *m = store_open_quiet(url);
        put_pattern(m, "name", "description");
        assert_int_equal(count_records(m, MNEME_PATTERN), i + 1);
        store_close_ok(m);
    }
}

static void file_of_the_other_kind__is_named_with_its_url(void **state) {
    struct home *home = *state;
    char url[512];
    const char *sqlite = home_file(home, "memory.db");
    mneme *m = NULL;
    mneme_error error;
    snprintf(url, sizeof url, "file:%s", sqlite);
    store_close_ok(store_open_quiet(url));
    store_close_ok(store_open_quiet(home->path));
    REFUSED(mneme_open(sqlite, NULL, &m, &error), MNEME_CORRUPT, &error);
    snprintf(url, sizeof url, "file://%s", sqlite);
    assert_says(&error, url);
    REFUSED(mneme_verify(sqlite, NULL, NULL, NULL, &error), MNEME_CORRUPT, &error);
    assert_says(&error, url);
    snprintf(url, sizeof url, "file:%s", home->path);
    REFUSED(mneme_open(url, NULL, &m, &error), MNEME_CORRUPT, &error);
    assert_says(&error, "without \"file:\"");
    store_close_ok(store_open_quiet(home->path)); /* and nothing has happened to it */
}

static void path_that_is_no_plain_file__is_refused(void **state) {
    struct home *home = *state;
    mneme *m = NULL;
    mneme_error error;
    const char *link = home_file(home, "link"), *dangling = home_file(home, "dangling");
    const char *fifo = home_file(home, "fifo");
    store_close_ok(store_open_quiet(home->path));
    REFUSED(mneme_open(home->directory, NULL, &m, &error), MNEME_INVALID, &error);
    assert_says(&error, "is a directory");
    assert_int_equal(symlink(home->path, link), 0);
    REFUSED(mneme_open(link, NULL, &m, &error), MNEME_INVALID, &error);
    assert_says(&error, "symbolic link");
    assert_int_equal(symlink(home_file(home, "nowhere"), dangling), 0);
    REFUSED(mneme_open(dangling, NULL, &m, &error), MNEME_INVALID, &error);
    assert_false(file_exists(home_file(home, "nowhere")));
    assert_int_equal(mkfifo(fifo, 0600), 0);
    REFUSED(mneme_open(fifo, NULL, &m, &error), MNEME_INVALID, &error);
    REFUSED(mneme_open("/dev/null", NULL, &m, &error), MNEME_INVALID, &error);
    REFUSED(mneme_open("", NULL, &m, &error), MNEME_INVALID, &error);
    char under[400];
    snprintf(under, sizeof under, "%s/below.mdb", home->path);
    REFUSED(mneme_open(under, NULL, &m, &error), MNEME_INVALID, &error);
    assert_null(m);
}

static void path_that_is_too_long__is_refused(void **state) {
    struct home *home = *state;
    char path[8000];
    mneme *m = NULL;
    mneme_error error;
    memset(path, 'x', sizeof path);
    memcpy(path, "/tmp/", 5);
    path[4095] = 0;
    REFUSED(mneme_open(path, NULL, &m, &error), MNEME_INVALID, &error);
    path[4095] = 'x';
    path[sizeof path - 1] = 0;
    REFUSED(mneme_open(path, NULL, &m, &error), MNEME_INVALID, &error);
    (void)home;
}

/* ---- Permissions ----------------------------------------------------------------------------- */

/* As somebody who is not root, to whom permissions mean nothing. */
static int open_as_nobody(void *context) {
    struct home *home = context;
    mneme_options options = quiet_options(), read_only = quiet_options();
    mneme_error error = {0};
    mneme *m = NULL;
    read_only.read_only = true;
    if (getuid() == 0)
        CHILD_CHECK(setgid(65534) == 0 && setuid(65534) == 0, "setuid");
    int status = mneme_open(home->path, &options, &m, &error);
    CHILD_CHECK(status == MNEME_PERMISSION, "%s", error.message);
    CHILD_CHECK(strstr(error.message, home->path), "%s", error.message);
    status = mneme_open(home_file(home, "secret.mdb"), &read_only, &m, &error);
    CHILD_CHECK(status == MNEME_PERMISSION, "%s", error.message);
    status = mneme_open(home_file(home, "new.mdb"), &options, &m, &error);
    CHILD_CHECK(status == MNEME_PERMISSION, "%s", error.message);
    status = mneme_open(home_file(home, "deep/new.mdb"), &options, &m, &error);
    CHILD_CHECK(status == MNEME_PERMISSION, "%s", error.message);
    status = mneme_verify(home_file(home, "secret.mdb"), NULL, NULL, NULL, &error);
    CHILD_CHECK(status == MNEME_PERMISSION, "%s", error.message);
    return 0;
}

static void file_or_directory_without_permission__is_refused(void **state) {
    struct home *home = *state;
    const char *secret = home_file(home, "secret.mdb");
    store_close_ok(store_open_quiet(home->path));
    store_close_ok(store_open_quiet(secret));
    assert_int_equal(chmod(home->path, 0444), 0);
    assert_int_equal(chmod(secret, 0000), 0);
    assert_int_equal(chmod(home->directory, 0555), 0);
    assert_int_equal(child_run(open_as_nobody, home), 0);
    assert_int_equal(chmod(home->directory, 0700), 0);
}

static void read_only_handle__reads_and_refuses_every_write(void **state) {
    struct home *home = *state;
    mneme_error error;
    mneme_options options = quiet_options();
    mneme *m = NULL;
    options.read_only = true;
    REFUSED(mneme_open(home->path, &options, &m, &error), MNEME_NOT_FOUND, &error);
    assert_false(file_exists(home->path));
    mneme *writer = store_open_quiet(home->path);
    mneme_id id = put_pattern(writer, "a", "b"), episode = start_episode(writer, "t");
    store_close_ok(writer);
    OK(mneme_open(home->path, &options, &m, &error), &error);
    mneme_pattern pattern = pattern_of("c", "d");
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    mneme_episode started = {.task = text("t")};
    mneme_step step = step_of("a", "b");
    REFUSED(mneme_put(m, &record, 1, NULL, NULL, &error), MNEME_PERMISSION, &error);
    REFUSED(mneme_delete(m, MNEME_PATTERN, &id, 1, NULL, &error), MNEME_PERMISSION, &error);
    REFUSED(mneme_episode_start(m, &started, NULL, NULL, &error), MNEME_PERMISSION, &error);
    REFUSED(mneme_step_append(m, &episode, &step, NULL, NULL, NULL, &error), MNEME_PERMISSION,
            &error);
    REFUSED(complete(m, &episode, &error), MNEME_PERMISSION, &error);
    REFUSED(mneme_tag_add(m, MNEME_PATTERN, &id, text("t"), NULL, &error), MNEME_PERMISSION,
            &error);
    REFUSED(mneme_tag_remove(m, MNEME_PATTERN, &id, text("t"), NULL, &error), MNEME_PERMISSION,
            &error);
    REFUSED(mneme_train(m, NULL, &error), MNEME_PERMISSION, &error);
    static const char line[] = "{\"kind\":\"pattern\",\"type\":\"context\",\"name\":\"n\"}\n";
    const char *files[] = {home_file(home, "in.jsonl")};
    file_write(files[0], line, sizeof line - 1);
    REFUSED(mneme_import(m, files, 1, NULL, NULL, &error), MNEME_PERMISSION, &error);
    OK(mneme_flush(m, &error), &error);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    OK(mneme_backup(m, home_file(home, "copy.mdb"), &error), &error);
    store_close_ok(m);
}

static void must_exist__makes_nothing(void **state) {
    struct home *home = *state;
    mneme_options options = quiet_options();
    mneme *m = NULL;
    mneme_error error;
    options.must_exist = true;
    const char *path = home_file(home, "no/such.mdb");
    REFUSED(mneme_open(path, &options, &m, &error), MNEME_NOT_FOUND, &error);
    assert_says(&error, path);
    assert_false(file_exists(home_file(home, "no")));
    store_close_ok(store_open_quiet(home->path));
    OK(mneme_open(home->path, &options, &m, &error), &error);
    store_close_ok(m);
}

/* ---- Options --------------------------------------------------------------------------------- */

static void options_out_of_range__are_refused(void **state) {
    struct home *home = *state;
    const mneme_options bad[] = {
        {.size = 0},
        {.size = sizeof(mneme_options) + 1},
        {.size = sizeof(mneme_options), .compression = (mneme_compression)5},
        {.size = sizeof(mneme_options), .compression = (mneme_compression)-1},
        {.size = sizeof(mneme_options), .compression_level = 20},
        {.size = sizeof(mneme_options), .compression_level = -1},
        {.size = sizeof(mneme_options),
         .compression = MNEME_COMPRESS_GZIP,
         .compression_level = 10},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mneme *m = NULL;
        mneme_error error;
        REFUSED(mneme_open(home->path, &bad[i], &m, &error), MNEME_INVALID, &error);
        assert_null(m);
        assert_false(file_exists(home->path));
    }
}

static void options_of_an_older_header__mean_defaults_for_the_rest(void **state) {
    struct home *home = *state;
    mneme_options options = {.size = offsetof(mneme_options, compression), .no_training = true};
    mneme *m = NULL;
    mneme_error error;
    options.compression = (mneme_compression)77; /* behind the given size: not looked at */
    OK(mneme_open(home->path, &options, &m, &error), &error);
    put_pattern(m, "a", "b");
    store_close_ok(m);
}

/* Written with any compression, at the ends of its levels, a store is read with any other. */
static void compressions__are_read_by_every_handle(void **state) {
    struct home *home = *state;
    static const struct {
        mneme_compression compression;
        int level;
    } ways[] = {
        {MNEME_COMPRESS_DEFAULT, 0}, {MNEME_COMPRESS_DEFAULT, 19}, {MNEME_COMPRESS_NONE, 0},
        {MNEME_COMPRESS_LZ4, 0},     {MNEME_COMPRESS_LZ4, 12},     {MNEME_COMPRESS_GZIP, 1},
        {MNEME_COMPRESS_GZIP, 9},    {MNEME_COMPRESS_ZSTD, 1},     {MNEME_COMPRESS_ZSTD, 19}};
    enum { WAYS = sizeof ways / sizeof *ways, SIZE = 20000 };
    mneme_id ids[WAYS];
    char *description = malloc(SIZE + 1);
    assert_non_null(description);
    for (size_t i = 0; i < SIZE; i++)
        description[i] = "abcdefgh"[(i * i / 7) % 8];
    description[SIZE] = 0;
    for (size_t i = 0; i < WAYS; i++) {
        mneme_options options = quiet_options();
        mneme *m = NULL;
        mneme_error error;
        options.compression = ways[i].compression;
        options.compression_level = ways[i].level;
        OK(mneme_open(home->path, &options, &m, &error), &error);
        ids[i] = put_pattern(m, "compressed", description);
        mneme_stats stats = {.size = sizeof stats};
        OK(mneme_stats_get(m, &stats, &error), &error);
        if (ways[i].compression == MNEME_COMPRESS_NONE)
            assert_int_equal(stats.compression_skipped, 1);
        else
            assert_true(stats.compressed_in > stats.compressed_out && stats.compressed_out > 0);
        for (size_t j = 0; j <= i; j++) {
            const mneme_record *record;
            OK(mneme_acquire(m, MNEME_PATTERN, &ids[j], &record, &error), &error);
            assert_int_equal(record->as.pattern->description.size, SIZE);
            assert_memory_equal(record->as.pattern->description.data, description, SIZE);
            mneme_release(m, record);
        }
        store_close_ok(m);
    }
    free(description);
    assert_verified(home->path);
}

/* ---- The default path ------------------------------------------------------------------------ */

static void default_store__follows_the_environment(void **state) {
    char path[256];
    mneme_error error;
    (void)state;
    unsetenv("MNEME_STORE");
    setenv("HOME", "/home/u", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    OK(mneme_default_store(path, sizeof path, &error), &error);
    assert_string_equal(path, "/data/mneme/memory.mdb");
    setenv("XDG_DATA_HOME", "relative", 1);
    OK(mneme_default_store(path, sizeof path, &error), &error);
    assert_string_equal(path, "/home/u/.local/share/mneme/memory.mdb");
    unsetenv("XDG_DATA_HOME");
    OK(mneme_default_store(path, sizeof path, &error), &error);
    assert_string_equal(path, "/home/u/.local/share/mneme/memory.mdb");
    setenv("MNEME_STORE", "x.mdb", 1);
    OK(mneme_default_store(path, sizeof path, &error), &error);
    assert_string_equal(path, "x.mdb");
    REFUSED(mneme_default_store(path, 5, &error), MNEME_TOO_LARGE, &error);
    REFUSED(mneme_default_store(path, 0, &error), MNEME_TOO_LARGE, &error);
    assert_string_equal(path, "x.mdb"); /* a failed call leaves outputs alone */
    REFUSED(mneme_default_store(NULL, 10, &error), MNEME_INVALID, &error);
    setenv("MNEME_STORE", "", 1);
    unsetenv("HOME");
    REFUSED(mneme_default_store(path, sizeof path, &error), MNEME_NOT_FOUND, &error);
    unsetenv("MNEME_STORE");
}

/* ---- NULL ------------------------------------------------------------------------------------ */

static void null_arguments__are_refused(void **state) {
    struct home *home = *state;
    mneme *m = store_open_quiet(home->path);
    mneme_error e;
    mneme_id id = put_pattern(m, "a", "b"), episode = start_episode(m, "t"), zero = {{0}};
    mneme_record record = {.kind = MNEME_PATTERN};
    mneme_step step = step_of("a", "b");
    mneme_completion completion = {.outcome = {.kind = MNEME_SUCCESS}}, none = {.end_us = 0};
    mneme_write no_ticket = {.durability = MNEME_BATCH};
    mneme_write odd = {.durability = (mneme_durability)3};
    mneme_query query = {.kind = MNEME_PATTERN};
    const mneme_record *out;
    const mneme_page *page;
    mneme_bytes bytes = {0};
    int64_t time;

    REFUSED(mneme_open(NULL, NULL, &m, &e), MNEME_INVALID, &e);
    REFUSED(mneme_open(home->path, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_put(NULL, &record, 1, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_put(m, NULL, 1, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_put(m, &record, 1, NULL, NULL, &e), MNEME_INVALID, &e); /* no body */
    record.kind = (mneme_kind)99;
    REFUSED(mneme_put(m, &record, 1, NULL, NULL, &e), MNEME_INVALID, &e);
    record.kind = MNEME_DICTIONARY;
    REFUSED(mneme_put(m, &record, 1, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_put(m, &record, 1, &no_ticket, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_put(m, &record, 1, &odd, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_delete(NULL, MNEME_PATTERN, &id, 1, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_delete(m, MNEME_PATTERN, NULL, 1, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_delete(m, MNEME_DICTIONARY, &id, 1, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_delete(m, MNEME_KIND_NONE, &id, 1, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_episode_start(NULL, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_episode_start(m, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_step_append(NULL, &episode, &step, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_step_append(m, NULL, &step, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_step_append(m, &episode, NULL, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_step_append(m, &zero, &step, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_episode_complete(NULL, &episode, &completion, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_episode_complete(m, NULL, &completion, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_episode_complete(m, &episode, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_episode_complete(m, &episode, &none, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_tag_add(NULL, MNEME_PATTERN, &id, text("t"), NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_tag_add(m, MNEME_PATTERN, NULL, text("t"), NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_tag_add(m, MNEME_RELATION, &id, text("t"), NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_tag_add(m, MNEME_PATTERN, &id, text(""), NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_tag_add(m, MNEME_PATTERN, &id, (mneme_text){NULL, 3}, NULL, &e), MNEME_INVALID,
            &e);
    REFUSED(mneme_tag_remove(m, MNEME_PATTERN, NULL, text("t"), NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_ticket_wait(NULL, 1, 0, &e), MNEME_INVALID, &e);
    REFUSED(mneme_flush(NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_acquire(NULL, MNEME_PATTERN, &id, &out, &e), MNEME_INVALID, &e);
    REFUSED(mneme_acquire(m, MNEME_PATTERN, NULL, &out, &e), MNEME_INVALID, &e);
    REFUSED(mneme_acquire(m, MNEME_PATTERN, &id, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_acquire(m, MNEME_KIND_NONE, &id, &out, &e), MNEME_INVALID, &e);
    REFUSED(mneme_list(NULL, &query, &page, &e), MNEME_INVALID, &e);
    REFUSED(mneme_list(m, NULL, &page, &e), MNEME_INVALID, &e);
    REFUSED(mneme_list(m, &query, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_stats_get(NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_stats_get(m, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_stats_get(m, &(mneme_stats){.size = 1}, &e), MNEME_INVALID, &e);
    REFUSED(mneme_verify_records(NULL, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_doctor(NULL, NULL, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_doctor("", NULL, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_doctor("mem:", NULL, NULL, NULL, &(mneme_doctor_report){0}, &e), MNEME_INVALID,
            &e);
    OK(mneme_doctor("mem:", NULL, NULL, NULL, NULL, &e), &e);
    REFUSED(mneme_backup(NULL, "x", &e), MNEME_INVALID, &e);
    REFUSED(mneme_backup(m, "file:x", &e), MNEME_INVALID, &e);
    REFUSED(mneme_backup(m, "https://host", &e), MNEME_INVALID, &e);
    REFUSED(mneme_backup(m, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_backup(m, "", &e), MNEME_INVALID, &e);
    REFUSED(mneme_train(NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_import(NULL, NULL, 0, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_import(m, NULL, 1, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_export(NULL, MNEME_PATTERN, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_export(m, MNEME_PATTERN, NULL, NULL, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_id_parse(text("x"), NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_id_parse((mneme_text){NULL, 36}, &zero, &e), MNEME_INVALID, &e);
    REFUSED(mneme_id_make(NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_time_parse(text("now"), NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_time_parse((mneme_text){NULL, 20}, &time, &e), MNEME_INVALID, &e);
    REFUSED(mneme_record_to_json(NULL, &bytes, &e), MNEME_INVALID, &e);
    REFUSED(mneme_record_to_json(&record, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_record_from_json(text("{}"), MNEME_PATTERN, NULL, &e), MNEME_INVALID, &e);
    REFUSED(mneme_record_from_json((mneme_text){NULL, 2}, MNEME_PATTERN, &out, &e), MNEME_INVALID,
            &e);
    assert_true(mneme_id_is_zero(NULL));

    /* Without an error to fill the codes are the same. */
    assert_int_equal(mneme_flush(NULL, NULL), MNEME_INVALID);
    assert_int_equal(mneme_acquire(m, MNEME_PATTERN, NULL, &out, NULL), MNEME_INVALID);
    /* What gives something back takes NULL. */
    mneme_release(m, NULL);
    mneme_page_release(m, NULL);
    mneme_record_free(NULL);
    mneme_bytes_free(NULL);
    assert_int_equal(mneme_close(NULL, NULL), 0);
    assert_int_equal(count_records(m, MNEME_PATTERN), 1);
    store_close_ok(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(new_path__is_made_private_with_its_directories),
        CASE(relative_path__is_made_where_the_process_stands),
        CASE(mem_url__is_a_store_that_ends_with_its_handle),
        CASE(url_of_another_kind__is_refused),
        CASE(file_url_that_names_no_file__is_refused),
        CASE(file_url__has_three_spellings),
        CASE(file_of_the_other_kind__is_named_with_its_url),
        CASE(path_that_is_no_plain_file__is_refused),
        CASE(path_that_is_too_long__is_refused),
        CASE(file_or_directory_without_permission__is_refused),
        CASE(read_only_handle__reads_and_refuses_every_write),
        CASE(must_exist__makes_nothing),
        CASE(options_out_of_range__are_refused),
        CASE(options_of_an_older_header__mean_defaults_for_the_rest),
        CASE(compressions__are_read_by_every_handle),
        CASE(default_store__follows_the_environment),
        CASE(null_arguments__are_refused),
    };
    return cmocka_run_group_tests_name("api/open", tests, NULL, NULL);
}
