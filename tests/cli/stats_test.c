/*
 * stats_test.c - how figures look on the page of `stats` and in its JSON: those of a program that
 * has run for a while, which no run of the command line itself can have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

/* ---- Fixture ----------------------------------------------------------------------------- */

/* The three caches with different figures in every field, so that no two can be mistaken. */
static void fill_caches(mneme_stats *stats) {
    stats->caches[MNEME_CACHE_EPISODES] = (mneme_cache_stats){
        .hits = 2002,
        .misses = 998,
        .negative_hits = 1003,
        .joins = 104,
        .admissions = 1005,
        .rejections = 1006,
        .evictions_by_bytes = 1007,
        .evictions_by_entries = 1008,
        .expirations = 1009,
        .invalidations_by_change = 1010,
        .invalidations_by_flood = 1011,
        .invalidations_by_replace = 1012,
        .bytes = 1536,
        .entries = 1013,
        .bytes_max = 1 << 25,
        .entries_max = 1014,
        .minute_hits = 3,
        .minute_lookups = 4,
        .hour_hits = 1015,
        .hour_lookups = 1016,
    };
    stats->caches[MNEME_CACHE_QUERIES] =
        (mneme_cache_stats){.misses = 7, .bytes_max = 65536, .entries_max = 9};
}

/* What is printed of `stats`; the caller frees it. */
static char *print(const mneme_stats *stats, bool json, size_t width) {
    char *text = NULL;
    size_t size = 0;
    struct cli cli = {.json = json, .width = width};
    cli.out.stream = open_memstream(&text, &size);
    assert_non_null(cli.out.stream);
    print_stats(&cli, stats, NULL);
    fclose(cli.out.stream);
    pool_free(&cli.pool);
    return text;
}

static void check_ends_with(const char *text, const char *end) {
    size_t size = strlen(text), end_size = strlen(end);
    assert_true(size >= end_size);
    assert_string_equal(text + size - end_size, end);
}

/* ---- Cases ------------------------------------------------------------------------------- */

static void cli_stats__page_shows_caches_side_by_side(void **state) {
    (void)state;
    mneme_stats stats = {.size = sizeof stats, .path = "memory.mdb"};
    fill_caches(&stats);
    char *text = print(&stats, false, 80);
    check_ends_with(text, "\n\n"
                          "CACHE                  EPISODES  PATTERNS   QUERIES\n"
                          "entries                   1,013       off         0\n"
                          "entries at most           1,014                   9\n"
                          "bytes                   1.5 KiB                 0 B\n"
                          "bytes at most          32.0 MiB            64.0 KiB\n"
                          "hits                      2,002                   0\n"
                          "hits: known absent        1,003                   0\n"
                          "misses                      998                   7\n"
                          "misses: load shared         104                   0\n"
                          "hit rate                 66.7 %               0.0 %\n"
                          "hit rate, last minute    75.0 %                   -\n"
                          "hit rate, last hour      99.9 %                   -\n"
                          "admitted                  1,005                   0\n"
                          "rejected                  1,006                   0\n"
                          "evicted: byte limit       1,007                   0\n"
                          "evicted: entry limit      1,008                   0\n"
                          "expired                   1,009                   0\n"
                          "dropped: change           1,010                   0\n"
                          "dropped: flood            1,011                   0\n"
                          "dropped: replaced         1,012                   0\n");
    free(text);
}

static void cli_stats__page_says_off_when_all_caches_are(void **state) {
    (void)state;
    mneme_stats stats = {.size = sizeof stats, .path = "memory.mdb"};
    char *text = print(&stats, false, 80);
    check_ends_with(text, "\n\nCaches    off\n");
    free(text);
}

static void cli_stats__page_fits_80_columns_with_a_trillion_of_everything(void **state) {
    (void)state;
    const uint64_t figure = UINT64_C(1000000000000);
    mneme_stats stats = {.size = sizeof stats, .path = "memory.mdb"};
    for (size_t i = 0; i < sizeof stats.caches; i += sizeof figure)
        memcpy((char *)stats.caches + i, &figure, sizeof figure);
    char *text = print(&stats, false, 80);
    size_t figures = 0;
    for (const char *at = text; (at = strstr(at, "1,000,000,000,000")) != NULL; at++)
        figures++;
    assert_int_equal(figures, 14 * MNEME_CACHE_COUNT); /* rows that are counts, none cut short */
    for (const char *line = text, *feed; (feed = strchr(line, '\n')) != NULL; line = feed + 1)
        assert_in_range(feed - line, 0, 79);
    free(text);
}

static void cli_stats__json_names_every_figure_of_each_cache(void **state) {
    (void)state;
    mneme_stats stats = {.size = sizeof stats, .path = "memory.mdb"};
    fill_caches(&stats);
    char *text = print(&stats, true, 80);
    check_ends_with(
        text, "\"caches\":{\"episodes\":{\"on\":true,\"entries\":1013,\"entries_max\":1014,"
              "\"bytes\":1536,\"bytes_max\":33554432,\"hits\":2002,\"negative_hits\":1003,"
              "\"misses\":998,\"joins\":104,\"minute_hits\":3,\"minute_lookups\":4,"
              "\"hour_hits\":1015,\"hour_lookups\":1016,\"admissions\":1005,\"rejections\":1006,"
              "\"evictions_by_bytes\":1007,\"evictions_by_entries\":1008,\"expirations\":1009,"
              "\"invalidations_by_change\":1010,\"invalidations_by_flood\":1011,"
              "\"invalidations_by_replace\":1012},"
              "\"patterns\":{\"on\":false,\"entries\":0,\"entries_max\":0,"
              "\"bytes\":0,\"bytes_max\":0,\"hits\":0,\"negative_hits\":0,"
              "\"misses\":0,\"joins\":0,\"minute_hits\":0,\"minute_lookups\":0,"
              "\"hour_hits\":0,\"hour_lookups\":0,\"admissions\":0,\"rejections\":0,"
              "\"evictions_by_bytes\":0,\"evictions_by_entries\":0,\"expirations\":0,"
              "\"invalidations_by_change\":0,\"invalidations_by_flood\":0,"
              "\"invalidations_by_replace\":0},"
              "\"queries\":{\"on\":true,\"entries\":0,\"entries_max\":9,"
              "\"bytes\":0,\"bytes_max\":65536,\"hits\":0,\"negative_hits\":0,"
              "\"misses\":7,\"joins\":0,\"minute_hits\":0,\"minute_lookups\":0,"
              "\"hour_hits\":0,\"hour_lookups\":0,\"admissions\":0,\"rejections\":0,"
              "\"evictions_by_bytes\":0,\"evictions_by_entries\":0,\"expirations\":0,"
              "\"invalidations_by_change\":0,\"invalidations_by_flood\":0,"
              "\"invalidations_by_replace\":0}}}\n");
    free(text);
}

/* ---- Servers and SQLite files -------------------------------------------------------------- */

static mneme_stats server_stats(void) {
    mneme_stats stats = {.size = sizeof stats, .path = "https://host"};
    stats.commits = 8;
    stats.compressed_in = 10240;
    stats.compressed_out = 5120;
    stats.remote = (mneme_remote_stats){.dialect = "hrana",
                                        .requests = 1001,
                                        .repeats = 2,
                                        .retries = 3,
                                        .failures = 4,
                                        .retries_refused = 5,
                                        .bytes_up = 6144,
                                        .bytes_down = 7168,
                                        .connects = 8,
                                        .reuses = 993,
                                        .closed_by_idle = 9,
                                        .closed_by_age = 10,
                                        .closed_by_failure = 11,
                                        .open = 12,
                                        .idle = 13,
                                        .target = 14};
    return stats;
}

static void cli_stats__page_tells_of_a_server_what_applies(void **state) {
    (void)state;
    mneme_stats stats = server_stats();
    char *text = print(&stats, false, 80);
    assert_non_null(strstr(text, "Store     https://host\n"
                                 "Commits   8\n"
                                 "Server    1,001 requests, 3 tried again, 4 failed\n"
                                 "Wire      6.0 KiB up, 7.0 KiB down\n"
                                 "Bodies    10.0 KiB written, 5.0 KiB after compression\n"
                                 "Pool      12 open, 13 idle; aims at 14; 8 made, 993 used again\n"
                                 "\n"
                                 "KIND"));
    free(text);
    stats.remote.waits = 15;
    stats.remote.wait_us = 2000000;
    stats.remote.acquire_timeouts = 16;
    stats.remote.breaker = MNEME_BREAKER_OPEN;
    stats.remote.breaker_opened = 17;
    stats.remote.breaker_refused = 18;
    stats.remote.replica_reads = 19;
    stats.remote.replica_fallbacks = 20;
    text = print(&stats, false, 80);
    assert_non_null(strstr(text, "Waits     15 for a connection, 2 s in all, 16 in vain; 0 now\n"
                                 "Breaker   open; opened 17 times, 18 requests failed at once\n"
                                 "Replica   19 reads, 20 more went to the primary\n"));
    free(text);
}

static void cli_stats__page_tells_of_an_sqlite_file(void **state) {
    (void)state;
    mneme_stats stats = {.size = sizeof stats, .path = "file:memory.db"};
    stats.remote = (mneme_remote_stats){
        .dialect = "sqlite", .requests = 1, .repeats = 2, .prepared = 3, .prepare_hits = 4};
    char *text = print(&stats, false, 80);
    assert_non_null(strstr(text, "SQLite    1 transactions and reads, 2 of them run again\n"
                                 "Prepared  3 statements made ready, 4 found ready\n\n"));
    free(text);
    stats.remote.prepare_evictions = 5;
    stats.remote.prepare_refreshes = 6;
    text = print(&stats, false, 80);
    assert_non_null(strstr(text, "4 found ready, 5 dropped for room, 6 for age or new tables\n"));
    free(text);
}

static void cli_stats__json_names_every_figure_of_a_server(void **state) {
    (void)state;
    mneme_stats stats = server_stats();
    char *text = print(&stats, true, 80);
    assert_non_null(strstr(
        text, ",\"remote\":{\"dialect\":\"hrana\",\"breaker\":\"closed\",\"requests\":1001,"
              "\"repeats\":2,\"retries\":3,\"failures\":4,\"retries_refused\":5,\"bytes_up\":6144,"
              "\"bytes_down\":7168,\"connects\":8,\"reuses\":993,\"closed_by_idle\":9,"
              "\"closed_by_age\":10,\"closed_by_failure\":11,\"waits\":0,\"wait_us\":0,"
              "\"acquire_timeouts\":0,\"open\":12,\"idle\":13,\"waiting\":0,\"target\":14,"
              "\"breaker_opened\":0,\"breaker_refused\":0,\"replica_reads\":0,"
              "\"replica_fallbacks\":0,\"prepared\":0,\"prepare_hits\":0,"
              "\"prepare_evictions\":0,\"prepare_refreshes\":0,\"compressed_in\":10240,"
              "\"compressed_out\":5120},\"caches\":"));
    free(text);
    stats = (mneme_stats){.size = sizeof stats, .path = "memory.mdb"};
    text = print(&stats, true, 80);
    assert_null(strstr(text, "remote"));
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cli_stats__page_shows_caches_side_by_side),
        cmocka_unit_test(cli_stats__page_says_off_when_all_caches_are),
        cmocka_unit_test(cli_stats__page_fits_80_columns_with_a_trillion_of_everything),
        cmocka_unit_test(cli_stats__json_names_every_figure_of_each_cache),
        cmocka_unit_test(cli_stats__page_tells_of_a_server_what_applies),
        cmocka_unit_test(cli_stats__page_tells_of_an_sqlite_file),
        cmocka_unit_test(cli_stats__json_names_every_figure_of_a_server),
    };
    return cmocka_run_group_tests_name("cli/stats", tests, NULL, NULL);
}
