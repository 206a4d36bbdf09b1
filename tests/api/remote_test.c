/*
 * remote_test.c - a store behind a server: what each call costs in requests, what options and
 * statistics say, whose secrets stay secret, and what the doctor finds. Against a real server.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "bench/sqld.h"
#include "os/os.h"
#include "support/api_fixture.h"

/* ---- Fixture ------------------------------------------------------------------------------ */

static struct sqld server;

/* One server and one database for all: each test makes records of its own. */
static int start_server(void **state) {
    mneme_error error;
    (void)state;
    if (sqld_start(&(struct sqld_options){0}, &server, &error) == 0) {
        mneme *m = store_open_quiet(server.url);
        put_pattern(m, "makes the tables", "and gives the log its first entry");
        store_close_ok(m);
        return 0;
    }
    print_error("%s\n", error.message);
    return -1;
}

static int stop_server(void **state) {
    (void)state;
    sqld_stop(&server);
    return 0;
}

/* Others are asked for changes so rarely that no look disturbs a count. */
static mneme_options remote_options(void) {
    mneme_options options = {
        .size = sizeof options, .no_training = true, .remote.refresh_ms = 3600 * 1000};
    return options;
}

static mneme_stats stats_of(mneme *m) {
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    OK(mneme_stats_get(m, &stats, &error), &error);
    return stats;
}

/* What it costs to open a store and to read for the first time: is protobuf offered? Which tables
 * are there? Where does the change log end (for the caches; for who follows it, twice)? The read.
 */
enum { COLD = 6 };

/* Until the requests of opening are made. Who follows the change log does so in a thread, which on
 * a busy machine may be late; so for a while nothing may come. */
static void wait_until_cold(mneme *m) {
    enum { STILL = 20, PAUSE_NS = 2 * 1000 * 1000 };
    int64_t give_up_us = clock_monotonic_us() + 20 * 1000 * 1000;
    uint64_t last = 0;
    for (uint64_t looks = 1, still = 0; clock_monotonic_us() < give_up_us; looks++) {
        /* Each look at the statistics is a request, too. */
        uint64_t others = stats_of(m).remote.requests - looks;
        still = others >= COLD && others == last ? still + 1 : 0;
        last = others;
        if (still == STILL)
            return;
        nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
    }
    fail_msg("the first look at the change log did not come");
}

/* A store that has been read from, and looks at the change log no more. */
static mneme *open_remote(void) {
    mneme_options options = remote_options();
    mneme *m = NULL;
    const mneme_record *record;
    mneme_error error;
    mneme_id id;
    OK(mneme_open(server.url, &options, &m, &error), &error);
    OK(mneme_id_make(&id, &error), &error);
    REFUSED(mneme_acquire(m, MNEME_PATTERN, &id, &record, &error), MNEME_NOT_FOUND, &error);
    wait_until_cold(m);
    return m;
}

/* How many requests were made since the last call, the one for the statistics aside. */
struct meter {
    mneme *m;
    uint64_t last;
};

static struct meter meter_start(mneme *m) { return (struct meter){m, stats_of(m).remote.requests}; }

static uint64_t meter_read(struct meter *meter) {
    uint64_t now = stats_of(meter->m).remote.requests;
    uint64_t spent = now - meter->last - 1;
    meter->last = now;
    return spent;
}

static mneme_id put_episode(mneme *m, const char *task) {
    mneme_episode episode = {.task = text(task), .end_us = 1, .outcome.kind = MNEME_SUCCESS};
    mneme_record record = {.kind = MNEME_EPISODE, .as.episode = &episode};
    mneme_error error;
    mneme_id id;
    OK(mneme_put(m, &record, 1, NULL, &id, &error), &error);
    return id;
}

static void acquire(mneme *m, mneme_kind kind, const mneme_id *id) {
    const mneme_record *record;
    mneme_error error;
    OK(mneme_acquire(m, kind, id, &record, &error), &error);
    mneme_release(m, record);
}

/* ---- What calls cost ----------------------------------------------------------------------- */

static void writes__cost_one_request_when_there_is_nothing_to_read(void **state) {
    (void)state;
    mneme *m = open_remote();
    put_episode(m, "warm up: the dictionaries are looked for once");
    mneme_id episode = start_episode(m, "warm up");
    append_step(m, &episode, "warm up");
    put_pattern(m, "warm", "up");
    struct meter meter = meter_start(m);
    put_episode(m, "the episode that is counted");
    assert_int_equal(meter_read(&meter), 1);
    put_pattern(m, "name", "description");
    assert_int_equal(meter_read(&meter), 1);
    episode = start_episode(m, "the episode that is counted");
    assert_int_equal(meter_read(&meter), 1);
    append_step(m, &episode, "output");
    assert_int_equal(meter_read(&meter), 1);
    store_close_ok(m);
}

static void writes__that_go_by_what_is_there_cost_a_read_each(void **state) {
    (void)state;
    mneme *m = open_remote();
    mneme_error error;
    mneme_id episode = start_episode(m, "to be completed");
    append_step(m, &episode, "output");
    struct meter meter = meter_start(m);
    OK(mneme_tag_add(m, MNEME_EPISODE, &episode, text("tag"), NULL, &error), &error);
    assert_int_equal(meter_read(&meter), 2); /* the episode; the commit */
    OK(complete(m, &episode, &error), &error);
    assert_int_equal(meter_read(&meter), 3); /* the episode; its steps; the commit */
    OK(mneme_delete(m, MNEME_EPISODE, &episode, 1, NULL, &error), &error);
    assert_int_equal(meter_read(&meter), 3); /* its steps; its checkpoints; the commit */
    store_close_ok(m);
}

static void puts_of_many__are_one_request(void **state) {
    (void)state;
    enum { COUNT = 200 };
    static mneme_record records[COUNT];
    mneme_pattern pattern = pattern_of("one of many", "description");
    mneme *m = open_remote();
    mneme_error error;
    put_pattern(m, "warm", "up");
    for (size_t i = 0; i < COUNT; i++)
        records[i] = (mneme_record){.kind = MNEME_PATTERN, .as.pattern = &pattern};
    struct meter meter = meter_start(m);
    OK(mneme_put(m, records, COUNT, NULL, NULL, &error), &error);
    assert_int_equal(meter_read(&meter), 1);
    store_close_ok(m);
}

/* Episodes with ids of the caller's may be there already, with steps that must go. */
static void puts_of_many_with_ids__look_for_them_once(void **state) {
    (void)state;
    enum { COUNT = 50 };
    mneme *m = open_remote();
    mneme_error error;
    mneme_id ids[COUNT + 1], open;
    mneme_episode episode = {
        .task = text("one of many"), .end_us = 1, .outcome.kind = MNEME_SUCCESS};
    mneme_record records[COUNT + 1];
    put_episode(m, "warm up");
    for (size_t i = 0; i < COUNT; i++) {
        OK(mneme_id_make(&ids[i], &error), &error);
        records[i] = (mneme_record){.kind = MNEME_EPISODE, .id = ids[i], .as.episode = &episode};
    }
    struct meter meter = meter_start(m);
    OK(mneme_put(m, records, COUNT, NULL, NULL, &error), &error);
    assert_int_equal(meter_read(&meter), 2); /* whether they are there; the commit */

    open = start_episode(m, "its steps go when it is replaced");
    append_step(m, &open, "output");
    records[0].id = open;
    (void)meter_read(&meter);
    OK(mneme_put(m, records, 2, NULL, NULL, &error), &error);
    assert_int_equal(meter_read(&meter), 4); /* … and the steps of each that is there */
    mneme_query steps = {.kind = MNEME_STEP, .parent = &open};
    const mneme_page *page;
    OK(mneme_list(m, &steps, &page, &error), &error);
    assert_int_equal(page->count, 0);
    mneme_page_release(m, page);

    records[COUNT] = records[1]; /* twice in one batch: the second replaces the first */
    OK(mneme_put(m, records, COUNT + 1, NULL, NULL, &error), &error);
    store_close_ok(m);
}

static void reads__cost_a_request_once_and_nothing_again(void **state) {
    (void)state;
    mneme *writer = open_remote();
    mneme_id episode = put_episode(writer, "to be read");
    mneme_id open = start_episode(writer, "open");
    append_step(writer, &open, "output");
    store_close_ok(writer);
    mneme *m = open_remote();
    struct meter meter = meter_start(m);
    acquire(m, MNEME_EPISODE, &episode);
    assert_int_equal(meter_read(&meter), 1);
    acquire(m, MNEME_EPISODE, &episode);
    assert_int_equal(meter_read(&meter), 0);
    acquire(m, MNEME_EPISODE, &open); /* the episode; its steps; whether it is still that */
    assert_int_equal(meter_read(&meter), 3);
    acquire(m, MNEME_EPISODE, &open);
    assert_int_equal(meter_read(&meter), 0);
    store_close_ok(m);
}

static void lists__cost_a_request_once_and_nothing_again(void **state) {
    (void)state;
    mneme *m = open_remote();
    mneme_query query = {.kind = MNEME_HEURISTIC};
    const mneme_page *page;
    mneme_error error;
    struct meter meter = meter_start(m);
    OK(mneme_list(m, &query, &page, &error), &error);
    mneme_page_release(m, page);
    assert_int_equal(meter_read(&meter), 1);
    OK(mneme_list(m, &query, &page, &error), &error);
    mneme_page_release(m, page);
    assert_int_equal(meter_read(&meter), 0);
    store_close_ok(m);
}

static void own_writes__are_read_at_once_and_from_the_cache(void **state) {
    (void)state;
    mneme *m = open_remote();
    put_pattern(m, "warm", "up");
    struct meter meter = meter_start(m);
    mneme_id id = put_pattern(m, "mine", "description");
    acquire(m, MNEME_PATTERN, &id);
    assert_int_equal(meter_read(&meter), 1);
    store_close_ok(m);
}

static void other_writers__are_seen_within_refresh_ms(void **state) {
    (void)state;
    mneme_options options = remote_options();
    mneme *reader, *writer = open_remote();
    mneme_error error;
    options.remote.refresh_ms = 20;
    OK(mneme_open(server.url, &options, &reader, &error), &error);
    mneme_id id = put_pattern(writer, "first", "description");
    acquire(reader, MNEME_PATTERN, &id);
    OK(mneme_delete(writer, MNEME_PATTERN, &id, 1, NULL, &error), &error);
    const mneme_record *record;
    int64_t give_up_us = clock_monotonic_us() + 20 * 1000 * 1000;
    int status = 0;
    while (status == 0 && clock_monotonic_us() < give_up_us) {
        status = mneme_acquire(reader, MNEME_PATTERN, &id, &record, &error);
        if (status == 0)
            mneme_release(reader, record);
    }
    assert_int_equal(status, MNEME_NOT_FOUND);
    store_close_ok(reader);
    store_close_ok(writer);
}

/* ---- Dictionaries -------------------------------------------------------------------------- */

static void dictionaries__are_trained_and_fetched_when_they_are_needed(void **state) {
    (void)state;
    enum { COUNT = 400 };
    mneme *m = open_remote();
    mneme_error error;
    mneme_id ids[COUNT];
    char description[600];
    size_t trained = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        snprintf(description, sizeof description,
                 "pattern %u of a family that has much in common with its relatives: it reads a "
                 "file, finds the line %u, changes it, and runs the tests again until all of them "
                 "pass; then it writes down what was learned, which is little: look first, and "
                 "change as little as possible, then look again (%u)",
                 i, i * 7919 % 1000, i * 31);
        ids[i] = put_pattern(m, "of a family", description);
    }
    OK(mneme_train(m, &trained, &error), &error);
    assert_int_equal(trained, 1);
    mneme_id last = put_pattern(m, "of a family", description);
    assert_true(stats_of(m).dictionary_bodies > 0);
    store_close_ok(m);
    m = open_remote();
    struct meter meter = meter_start(m);
    acquire(m, MNEME_PATTERN, &ids[0]);
    assert_int_equal(meter_read(&meter), 1);
    acquire(m, MNEME_PATTERN, &last);
    assert_int_equal(meter_read(&meter), 2); /* the record, and its dictionary */
    OK(mneme_verify_records(m, NULL, NULL, NULL, &error), &error);
    store_close_ok(m);
}

/* ---- Import -------------------------------------------------------------------------------- */

enum { LINES = 200 };

/* Episodes with ids, as an export has them; `version` is what stands in front of the last digits.
 */
static void write_episodes(const char *path, const char *version, unsigned serial) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (unsigned i = 0; i < LINES; i++) {
        fprintf(file, "{\"kind\":\"episode\",\"id\":\"01890a5d-ac96-774b-bc%02x-b302099a%04x\",",
                serial, i);
        if (version)
            fprintf(file, "\"version\":\"%s-000000000000000%u\",", version, serial);
        fprintf(file,
                "\"task\":\"task %u\",\"outcome\":{\"kind\":\"success\"},"
                "\"start\":\"2026-01-01T00:00:00Z\",\"end\":\"2026-01-01T00:01:00Z\"}\n",
                i);
    }
    assert_int_equal(fclose(file), 0);
}

static mneme_progress import_file(mneme *m, const char *path) {
    mneme_progress total;
    mneme_error error;
    OK(mneme_import(m, &path, 1, NULL, &total, &error), &error);
    return total;
}

/* 200 records are 7 chunks of 32, each with one look at what is there, and one transaction. */
static void import__looks_for_many_at_once(void **state) {
    struct home *home = *state;
    const char *path = home_file(home, "in.jsonl");
    static const char *const versions[] = {NULL, "01a1fe973bf50000"};
    for (unsigned i = 0; i < 2; i++) {
        mneme *m = open_remote();
        put_episode(m, "warm up");
        write_episodes(path, versions[i], i + 1);
        struct meter meter = meter_start(m);
        assert_int_equal(import_file(m, path).imported, LINES);
        assert_int_equal(meter_read(&meter), 7 + 1);
        assert_int_equal(import_file(m, path).duplicates, LINES);
        assert_in_range(meter_read(&meter), 7, 7 + 1); /* old versions go, and are passed over */
        store_close_ok(m);
    }
}

/* ---- Options and secrets ------------------------------------------------------------------- */

static const char canary[] = "canary.SECRET.canary";

static void assert_refused_without_secret(const char *url, const mneme_options *options, int code) {
    mneme *m = NULL;
    mneme_error error;
    REFUSED(mneme_open(url, options, &m, &error), code, &error);
    assert_null(m);
    if (strstr(error.message, "SECRET"))
        fail_msg("the secret is in: %s", error.message);
}

static void urls_with_a_secret__are_refused_and_not_repeated(void **state) {
    static const char *const urls[] = {
        "https://user:canary.SECRET@host",      "libsql://host?authToken=canary.SECRET",
        "LIBSQL://host/?authToken=SECRET",      "http://SECRET@localhost:1",
        "https:/host?authToken=canary.SECRET",  "libsql:host?authToken=SECRET",
        "postgres://user:SECRET@host/database", "wss://host#SECRET"};
    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++)
        assert_refused_without_secret(urls[i], NULL, MNEME_INVALID);
}

static void options_that_cannot_be__are_refused(void **state) {
    (void)state;
    mneme_options options = remote_options();
    options.remote.token = "two words SECRET";
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.token = "line\r\nX-Header: SECRET";
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.token = "";
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.token = canary;
    options.remote.basic = "user:SECRET";
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.token = NULL;
    options.remote.basic = "SECRET without a colon";
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.basic = NULL;
    options.remote.encoding = (mneme_encoding)7;
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.encoding = MNEME_ENCODING_AUTO;
    options.remote.pool_min = 9; /* pool_max is 8 unless set */
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.pool_min = 0;
    options.remote.replica_url = "https://user:SECRET@replica";
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    assert_refused_without_secret("http://192.0.2.1:8080", NULL, MNEME_INVALID); /* unencrypted */
}

static void write_secret(const char *path, const char *content, mode_t mode) {
    file_write(path, content, strlen(content));
    assert_int_equal(chmod(path, mode), 0);
}

static void token_file__must_be_ours_alone_and_hold_one_token(void **state) {
    struct home *home = *state;
    const char *path = home_file(home, "token"), *link = home_file(home, "link");
    mneme_options options = remote_options();
    options.remote.token_file = path;
    assert_refused_without_secret(server.url, &options, MNEME_NOT_FOUND);
    write_secret(path, canary, 0640);
    assert_refused_without_secret(server.url, &options, MNEME_PERMISSION);
    write_secret(path, canary, 0604);
    assert_refused_without_secret(server.url, &options, MNEME_PERMISSION);
    write_secret(path, "", 0600);
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    write_secret(path, "two SECRET words\n", 0600);
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    file_write(path, "nul\0SECRET", 10);
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    assert_int_equal(symlink(path, link), 0);
    options.remote.token_file = link;
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    options.remote.token_file = home->directory;
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    const char *fifo = home_file(home, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    options.remote.token_file = fifo;
    assert_refused_without_secret(server.url, &options, MNEME_INVALID);
    /* White space around a token is none of it; the server takes any, having no key. */
    write_secret(path, " canary.SECRET.canary\r\n", 0400);
    options.remote.token_file = path;
    mneme *m = NULL;
    mneme_error error;
    OK(mneme_open(server.url, &options, &m, &error), &error);
    store_close_ok(m);
}

static void opening_and_the_first_read__cost_what_they_must(void **state) {
    (void)state;
    mneme *m = open_remote();
    assert_int_equal(stats_of(m).remote.retries, 0);
    struct meter meter = meter_start(m);
    assert_int_equal(meter_read(&meter), 0); /* and nothing comes after */
    store_close_ok(m);
}

static void server_that_is_down__is_told(void **state) {
    (void)state;
    mneme_options options = remote_options();
    options.remote.attempts = 1;
    mneme *m = NULL;
    mneme_error error;
    REFUSED(mneme_open("http://127.0.0.1:1", &options, &m, &error), MNEME_UNAVAILABLE, &error);
    assert_says(&error, "127.0.0.1");
}

static void server_that_dies__is_told_and_used_again_when_it_is_back(void **state) {
    (void)state;
    AUTO_SQLD struct sqld own = {0};
    mneme_options options = remote_options();
    options.remote.attempts = 2;
    options.remote.timeout_ms = 5000;
    options.remote.breaker_open_ms = 10;
    mneme *m = NULL;
    mneme_error error;
    OK(sqld_start(&(struct sqld_options){0}, &own, &error), &error);
    OK(mneme_open(own.url, &options, &m, &error), &error);
    mneme_id id = put_pattern(m, "before", "description");
    acquire(m, MNEME_PATTERN, &id);
    sqld_kill(&own);
    mneme_pattern pattern = pattern_of("meanwhile", "description");
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    int status = mneme_put(m, &record, 1, NULL, NULL, &error);
    assert_true(status == MNEME_UNAVAILABLE || status == MNEME_UNCERTAIN);
    assert_says(&error, "127.0.0.1");
    OK(sqld_restart(&own, &error), &error);
    int64_t give_up_us = clock_monotonic_us() + 20 * 1000 * 1000;
    do
        status = mneme_put(m, &record, 1, NULL, NULL, &error);
    while (mneme_status_retryable(status) && clock_monotonic_us() < give_up_us);
    OK(status, &error);
    assert_int_equal(count_records(m, MNEME_PATTERN), 2);
    assert_true(stats_of(m).remote.failures > 0);
    store_close_ok(m);
}

/* ---- Statistics ---------------------------------------------------------------------------- */

static void statistics__tell_of_the_server(void **state) {
    (void)state;
    mneme *m = open_remote();
    put_pattern(m, "name", "description");
    mneme_stats stats = stats_of(m);
    assert_string_equal(stats.remote.dialect, "hrana");
    assert_string_equal(stats.path, server.url);
    assert_true(stats.remote.requests > 1 && stats.remote.bytes_up > 100);
    assert_true(stats.remote.bytes_down > 100 && stats.remote.connects >= 1);
    assert_true(stats.remote.reuses >= 1 && stats.remote.open >= 1);
    assert_int_equal(stats.remote.breaker, MNEME_BREAKER_CLOSED);
    assert_int_equal(stats.remote.failures, 0);
    assert_int_equal(stats.remote.prepared, 0);
    store_close_ok(m);
    m = store_open_quiet("mem:");
    assert_string_equal(stats_of(m).remote.dialect, "");
    assert_int_equal(stats_of(m).remote.requests, 0);
    store_close_ok(m);
}

static void statistics__tell_of_an_sqlite_file(void **state) {
    struct home *home = *state;
    char url[400];
    snprintf(url, sizeof url, "file:%s", home_file(home, "memory.db"));
    mneme *m = store_open_quiet(url);
    for (int i = 0; i < 10; i++)
        put_pattern(m, "name", "description");
    mneme_stats stats = stats_of(m);
    assert_string_equal(stats.remote.dialect, "sqlite");
    assert_true(stats.remote.requests >= 10 && stats.remote.prepare_hits > 0);
    assert_int_equal(stats.remote.bytes_up + stats.remote.connects, 0);
    store_close_ok(m);
}

int main(void) {
#define CASE(name) cmocka_unit_test(name)
#define HOME_CASE(name) cmocka_unit_test_setup_teardown(name, home_setup, home_teardown)
    const struct CMUnitTest tests[] = {
        CASE(opening_and_the_first_read__cost_what_they_must),
        CASE(writes__cost_one_request_when_there_is_nothing_to_read),
        CASE(writes__that_go_by_what_is_there_cost_a_read_each),
        CASE(puts_of_many__are_one_request),
        CASE(puts_of_many_with_ids__look_for_them_once),
        CASE(reads__cost_a_request_once_and_nothing_again),
        CASE(lists__cost_a_request_once_and_nothing_again),
        CASE(own_writes__are_read_at_once_and_from_the_cache),
        CASE(other_writers__are_seen_within_refresh_ms),
        CASE(dictionaries__are_trained_and_fetched_when_they_are_needed),
        HOME_CASE(import__looks_for_many_at_once),
        CASE(urls_with_a_secret__are_refused_and_not_repeated),
        CASE(options_that_cannot_be__are_refused),
        HOME_CASE(token_file__must_be_ours_alone_and_hold_one_token),
        CASE(server_that_is_down__is_told),
        CASE(server_that_dies__is_told_and_used_again_when_it_is_back),
        CASE(statistics__tell_of_the_server),
        HOME_CASE(statistics__tell_of_an_sqlite_file),
    };
    return cmocka_run_group_tests_name("api/remote", tests, start_server, stop_server);
}
