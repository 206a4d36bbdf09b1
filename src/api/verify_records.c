/*
 * verify_records.c - the check of a store that is open: every record is read and decoded.
 */
#include <stdio.h>

#include "api/calls.h"
#include "api/handle.h"
#include "api/remote.h"
#include "os/log.h"

enum { VERIFY_PAGE = 500 };

struct check {
    mneme *m;
    mneme_finding *finding;
    void *context;
    mneme_verify_report report;
};

static void found(struct check *check, const char *text) {
    check->report.findings++;
    if (check->finding)
        check->finding(check->context, text);
}

/* ---- Records ------------------------------------------------------------------------------ */

static int decode(mneme *m, const struct stored_record *record, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct dictionary *dictionary = NULL;
    struct slice plain;
    mneme_record out;
    if (record->flags & MNEME_FLAG_DELETED)
        return 0;
    if (record->kind != MNEME_DICTIONARY) {
        TRY(unpack(m->packer, record->body, dictionaries_find, m, &arena, &plain, error));
        return model_decode(record, plain, &arena, &out, error);
    }
    if (record->body.size) /* an empty one says that training did not pay */
        TRY(dictionary_open(m->packer, 1, record, &dictionary, error));
    dictionary_drop(dictionary);
    return 0;
}

static int check_record(struct check *check, const struct stored_record *record,
                        mneme_error *error) {
    mneme_error why = {0};
    check->report.records++;
    check->report.bytes += record->body.size;
    int status = decode(check->m, record, &why);
    if (status == 0)
        return 0;
    if (status != MNEME_CORRUPT && status != MNEME_INVALID) { /* not the record's fault */
        if (error)
            *error = why;
        return status;
    }
    char text[MNEME_ERROR_TEXT_MAX + 64], id[ID_TEXT_SIZE];
    id_format(&record->id, id);
    snprintf(text, sizeof text, "%s %s: %s", store_kind_name(record->kind), id, why.message);
    found(check, text);
    return 0;
}

static int check_records(struct check *check, mneme_error *error) {
    uint64_t since = 0;
    for (;;) {
        AUTO_RECORDS struct record_set page = {0};
        mneme_error why = {0};
        int status = store_changes(check->m->store, since, VERIFY_PAGE, false, &page, &why);
        if (status == MNEME_CORRUPT) {
            found(check, why.message);
            return 0;
        }
        if (status && error)
            *error = why;
        TRY(status);
        if (page.count == 0)
            return 0;
        for (size_t i = 0; i < page.count; i++)
            TRY(check_record(check, &page.records[i], error));
        since = page.records[page.count - 1].change;
    }
}

/* ---- An SQLite file ------------------------------------------------------------------------ */

/* What SQLite finds wrong with its own structure: sqlite.org/pragma.html, integrity_check. */
static int check_file(struct check *check, mneme_error *error) {
    static const char pragma[] = "PRAGMA integrity_check";
    struct sql_step step = {.sql = slice_of_string(pragma)};
    struct sql_program program = {.steps = &step, .count = 1};
    AUTO_RESULTS struct sql_results results = {0};
    TRY(sql_run(check->m->driver, &program, &results, error));
    const struct sql_step_result *result = &results.steps[0];
    if (result->outcome != SQL_DONE) {
        found(check, result->message ? result->message : "the file cannot be checked");
        return 0;
    }
    for (size_t i = 0; i < result->rows; i++) {
        mneme_text row = text_of_slice(result->values[i * result->columns].bytes);
        char text[MNEME_ERROR_TEXT_MAX];
        snprintf(text, sizeof text, "%.*s", (int)size_min(row.size, sizeof text - 1), row.data);
        if (!text_is(row, "ok"))
            found(check, text);
    }
    return 0;
}

/* ---- The call ------------------------------------------------------------------------------ */

int call_verify_records(mneme *m, mneme_finding *finding, void *context,
                        mneme_verify_report *report, mneme_error *error) {
    TRY(handle_check(m, error));
    struct check check = {.m = m, .finding = finding, .context = context};
    batched_drain(m->queue);
    int status = m->driver && !m->far ? check_file(&check, error) : 0;
    if (status == 0)
        status = check_records(&check, error);
    LOG(INFO, API, "records checked", LOG_WHOLE("records", check.report.records),
        LOG_WHOLE("findings", check.report.findings), LOG_ERROR_TYPE(status));
    if (report)
        *report = check.report;
    TRY(status);
    if (check.report.findings)
        return error_set(error, MNEME_CORRUPT,
                         "%s is damaged in %llu place%s; restore it from a backup or an export",
                         m->path, (unsigned long long)check.report.findings,
                         check.report.findings == 1 ? "" : "s");
    return 0;
}

int verify_file(const char *url, mneme_finding *finding, void *context, mneme_verify_report *report,
                mneme_error *error) {
    mneme_options options = {
        .size = sizeof options, .must_exist = true, .read_only = true, .cache.off = true};
    mneme *m;
    TRY(mneme_open(url, &options, &m, error));
    int status = mneme_verify_records(m, finding, context, report, error);
    (void)mneme_close(m, NULL);
    return status;
}
