/*
 * exchange_fixture.h - what the tests of import and export share: importing with all that it
 * reports, exporting into memory, and comparing JSON by what it means.
 */
#ifndef TESTS_EXCHANGE_EXCHANGE_FIXTURE_H
#define TESTS_EXCHANGE_EXCHANGE_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "codec/json.h"
#include "os/os.h"
#include "support/api_fixture.h"

enum { REPORT_MAX = 1 << 16, JSON_MAX = 1 << 28 };

/* ---- Importing ---------------------------------------------------------------------------- */

/* What an import said: its counts, its error, and its rejected records, a line each. */
struct report {
    int status;
    mneme_error error;
    mneme_progress total;
    char rejected[REPORT_MAX];
    unsigned told;         /* calls of the progress callback */
    unsigned cancel_after; /* of them, then it asks to stop; 0: never */
    mneme_progress last;   /* what the last one was told */
};

static inline int report_progress(void *context, const mneme_progress *progress) {
    struct report *report = context;
    report->last = *progress;
    report->told++;
    return report->cancel_after != 0 && report->told >= report->cancel_after;
}

static inline void report_rejected(void *context, const char *problem) {
    struct report *report = context;
    size_t size = strlen(report->rejected);
    snprintf(report->rejected + size, sizeof report->rejected - size, "%s\n", problem);
}

static inline mneme_import_options report_options(struct report *report, const char *format) {
    return (mneme_import_options){.size = sizeof(mneme_import_options),
                                  .format = format,
                                  .progress = report_progress,
                                  .rejected = report_rejected,
                                  .context = report};
}

static inline void import_with(mneme *m, const char *path, const mneme_import_options *options,
                               struct report *report) {
    report->rejected[0] = 0;
    report->status = mneme_import(m, &path, 1, options, &report->total, &report->error);
}

/* Freed with free(). */
static inline struct report *import_file(mneme *m, const char *path, const char *format) {
    struct report *report = calloc(1, sizeof *report);
    assert_non_null(report);
    mneme_import_options options = report_options(report, format);
    import_with(m, path, &options, report);
    return report;
}

/* Import and demand these counts; the status must be what follows from them. */
static inline void assert_imported(mneme *m, const char *path, const char *format,
                                   uint64_t imported, uint64_t duplicates, uint64_t rejected) {
    struct report *report = import_file(m, path, format);
    if (report->status != (rejected ? MNEME_PARTIAL : 0))
        fail_msg("%s: %s; %s", mneme_status_name(report->status), report->error.message,
                 report->rejected);
    assert_int_equal(report->total.imported, imported);
    assert_int_equal(report->total.duplicates, duplicates);
    assert_int_equal(report->total.rejected, rejected);
    assert_int_equal(report->total.records, imported + duplicates + rejected);
    assert_int_equal(report->total.bytes_done, report->total.bytes_total);
    free(report);
}

static inline const char *file_with(const struct home *home, const char *name,
                                    const char *content) {
    const char *path = home_file(home, name);
    file_write(path, content, strlen(content));
    return path;
}

/* ---- Exporting ---------------------------------------------------------------------------- */

static inline int export_sink(void *context, const char *data, size_t size) {
    struct buf *out = context;
    assert_true(size > 0 && data[size - 1] == '\n');
    buf_append(out, data, size);
    return out->status;
}

/* The export of everything. Freed with buf_fini. */
static inline struct buf export_all(mneme *m) {
    struct buf out = BUF_INIT(JSON_MAX);
    mneme_error error;
    OK(mneme_export(m, MNEME_KIND_NONE, export_sink, &out, NULL, &error), &error);
    return out;
}

static inline void assert_same_bytes(const struct buf *a, const struct buf *b) {
    size_t common = a->size < b->size ? a->size : b->size;
    for (size_t i = 0; i < common; i++)
        if (a->data[i] != b->data[i])
            fail_msg("they differ at byte %zu:\n%.300s\n%.300s", i,
                     (const char *)a->data + (i < 100 ? 0 : i - 100),
                     (const char *)b->data + (i < 100 ? 0 : i - 100));
    assert_int_equal(a->size, b->size);
}

/* ---- JSON by its meaning ------------------------------------------------------------------- */

static inline const struct json_node *parse_ok(struct slice json, struct arena *arena) {
    const struct json_node *root;
    mneme_error error;
    OK(json_parse(json, arena, &root, &error), &error);
    return root;
}

static inline bool json_same(const struct json_node *a, const struct json_node *b);

static inline bool same_members(const struct json_node *a, const struct json_node *b) {
    for (const struct json_node *m = json_first(a); m; m = json_next(a, m)) {
        const struct json_node *other = json_first(b);
        while (other && !slice_equal(other->key, m->key))
            other = json_next(b, other);
        if (!other || !json_same(m, other))
            return false;
    }
    return true;
}

static inline bool same_elements(const struct json_node *a, const struct json_node *b) {
    const struct json_node *other = json_first(b);
    for (const struct json_node *m = json_first(a); m; m = json_next(a, m)) {
        if (!json_same(m, other))
            return false;
        other = json_next(b, other);
    }
    return true;
}

/* The same value; the order of members does not count. Numbers are equal as doubles. */
static inline bool json_same(const struct json_node *a, const struct json_node *b) {
    double x, y;
    if (a->type != b->type || a->count != b->count)
        return false;
    if (a->type == JSON_NUMBER)
        return slice_equal(a->text, b->text) ||
               (json_double(a, &x) && json_double(b, &y) && !(x < y) && !(x > y));
    if (a->type == JSON_STRING)
        return slice_equal(a->text, b->text);
    if (a->type == JSON_OBJECT)
        return same_members(a, b);
    return a->type != JSON_ARRAY || same_elements(a, b);
}

#endif
