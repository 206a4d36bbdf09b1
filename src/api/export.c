/*
 * export.c - mneme_export: records as jsonl, a page at a time.
 */
#include "api/calls.h"
#include "api/handle.h"
#include "os/log.h"

/* Lines are handed on when so many bytes have gathered. */
enum { EXPORT_PAGE = 100, EXPORT_BYTES = 64 << 10 };

/* Checkpoints stand behind the episodes they belong to, so that an import finds these first.
 * Steps are part of their episode's line. */
static const mneme_kind exported[] = {MNEME_EPISODE,   MNEME_PATTERN,  MNEME_HEURISTIC,
                                      MNEME_EMBEDDING, MNEME_RELATION, MNEME_CHECKPOINT,
                                      MNEME_SUPERSEDED};

struct export {
    mneme *m;
    mneme_sink *sink;
    void *context;
    struct buf lines;
    uint64_t records;
};

static int hand_on(struct export *x, mneme_error *error) {
    if (x->lines.size && x->sink(x->context, (const char *)x->lines.data, x->lines.size) != 0)
        return error_set(error, MNEME_CANCELLED, "the export was stopped");
    buf_reset(&x->lines);
    return 0;
}

static int export_record(struct export *x, const struct stored_record *stored, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    mneme_record record;
    TRY(record_open(x->m, stored, &arena, &record, error));
    TRY(model_to_json(&record, &x->lines, error));
    buf_append_byte(&x->lines, '\n');
    if (x->lines.status)
        return error_set(error, x->lines.status, "no memory for an export");
    x->records++;
    return x->lines.size >= EXPORT_BYTES ? hand_on(x, error) : 0;
}

static int export_kind(struct export *x, mneme_kind kind, mneme_error *error) {
    struct store_query query = {.kind = kind, .order = ORDER_OLDEST_FIRST, .limit = EXPORT_PAGE};
    bool more = true;
    while (more) {
        AUTO_RECORDS struct record_set page = {0};
        TRY(store_query(x->m->store, &query, &page, &more, error));
        for (size_t i = 0; i < page.count; i++)
            TRY(export_record(x, &page.records[i], error));
        if (more)
            query.after = position_after(&query, &page.records[page.count - 1]);
    }
    return 0;
}

static int export_kinds(struct export *x, mneme_kind kind, mneme_error *error) {
    for (size_t i = 0; i < COUNT_OF(exported); i++)
        if (kind == MNEME_KIND_NONE || kind == exported[i])
            TRY(export_kind(x, exported[i], error));
    return hand_on(x, error);
}

static int check_kind(mneme_kind kind, mneme_error *error) {
    for (size_t i = 0; i < COUNT_OF(exported); i++)
        if (kind == MNEME_KIND_NONE || kind == exported[i])
            return 0;
    if (kind == MNEME_STEP)
        return error_set(error, MNEME_INVALID,
                         "steps are exported with their episodes; export kind episode");
    return error_set(error, MNEME_INVALID, "records of kind %d are not exported", (int)kind);
}

int call_export(mneme *m, mneme_kind kind, mneme_sink *sink, void *context, uint64_t *records,
                mneme_error *error) {
    TRY(handle_check(m, error));
    if (!sink)
        return error_set(error, MNEME_INVALID, "mneme_export: sink is NULL");
    TRY(check_kind(kind, error));
    struct export x = {.m = m, .sink = sink, .context = context, .lines = BUF_INIT(SIZE_MAX)};
    int status = export_kinds(&x, kind, error);
    buf_fini(&x.lines);
    LOG(INFO, API, "export ended", LOG_WHOLE("records", x.records), LOG_ERROR_TYPE(status));
    if (status == 0 && records)
        *records = x.records;
    return status;
}
