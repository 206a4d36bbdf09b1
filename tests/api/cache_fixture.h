/*
 * cache_fixture.h - handles with caches, and short ways to read through them.
 */
#ifndef TESTS_API_CACHE_FIXTURE_H
#define TESTS_API_CACHE_FIXTURE_H

#include <string.h>

#include "support/api_fixture.h"

/* ---- Handles and records ----------------------------------------------------------------- */

/* With caches as they come, whatever the environment says. */
static inline mneme_options cached_options(void) {
    return (mneme_options){.size = sizeof(mneme_options), .no_training = true};
}

static inline mneme *open_with(const struct home *home, const mneme_options *options) {
    mneme *m = NULL;
    mneme_error error;
    OK(mneme_open(home->path, options, &m, &error), &error);
    return m;
}

static inline mneme *open_cached(const struct home *home) {
    mneme_options options = cached_options();
    return open_with(home, &options);
}

static inline const mneme_record *acquire(mneme *m, mneme_kind kind, const mneme_id *id) {
    const mneme_record *record = NULL;
    mneme_error error;
    OK(mneme_acquire(m, kind, id, &record, &error), &error);
    return record;
}

static inline void assert_gone(mneme *m, mneme_kind kind, const mneme_id *id) {
    const mneme_record *record = NULL;
    mneme_error error;
    REFUSED(mneme_acquire(m, kind, id, &record, &error), MNEME_NOT_FOUND, &error);
    assert_null(record);
}

static inline void assert_description(const mneme_record *record, const char *expected) {
    mneme_text is = record->as.pattern->description;
    assert_int_equal(is.size, strlen(expected));
    assert_memory_equal(is.data, expected, is.size);
}

static inline void rewrite_pattern(mneme *m, const mneme_id *id, const char *description) {
    mneme_pattern pattern = pattern_of("name", description);
    mneme_record record = {.kind = MNEME_PATTERN, .id = *id, .as.pattern = &pattern};
    mneme_error error;
    OK(mneme_put(m, &record, 1, NULL, NULL, &error), &error);
}

static inline void delete_record(mneme *m, mneme_kind kind, const mneme_id *id) {
    mneme_error error;
    OK(mneme_delete(m, kind, id, 1, NULL, &error), &error);
}

static inline const mneme_page *list(mneme *m, mneme_kind kind, const mneme_pair *where) {
    mneme_query query = {.kind = kind, .where = where, .where_count = where ? 1 : 0};
    const mneme_page *page = NULL;
    mneme_error error;
    OK(mneme_list(m, &query, &page, &error), &error);
    return page;
}

static inline size_t count_listed(mneme *m, mneme_kind kind, const char *name, const char *value) {
    mneme_pair where = {.name = text(name), .value = text(value)};
    const mneme_page *page = list(m, kind, &where);
    size_t count = page->count;
    mneme_page_release(m, page);
    return count;
}

static inline mneme_cache_stats stats_of(mneme *m, mneme_cache_id id) {
    mneme_stats stats = {.size = sizeof stats};
    mneme_error error;
    OK(mneme_stats_get(m, &stats, &error), &error);
    return stats.caches[id];
}

#define HOME_CASE(function) cmocka_unit_test_setup_teardown(function, home_setup, home_teardown)

#endif
