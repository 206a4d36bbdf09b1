/*
 * calls.c - the public functions that open, write, read or move records: each is one call, which
 * the log knows by a number, and whose end it tells, and which is counted and timed (metrics.h).
 *
 * mneme_acquire, whose hits are a matter of nanoseconds, and the measuring of lists stand in
 * held.c. Those that may be the first call of a process look first how it is to be logged.
 */
#include "api/calls.h"

#include "api/call.h"
#include "api/metrics.h"

/* A call of a handle `m`, which is also counted and timed; what follows says what it is about. */
#define MEASURED(operation, name, expression, ...)                                                 \
    BLOCK_VALUE(uint64_t begun_ = measure_begin(m); int status_ = API_CALL(name, expression);      \
                struct subject about_ = {__VA_ARGS__};                                             \
                measure_end(m, METER_API_##operation, begun_, status_, &about_);)

int mneme_open(const char *url, const mneme_options *options, mneme **out, mneme_error *error) {
    TRY(log_configure_once(error));
    return API_CALL("mneme_open", call_open(url, options, out, error));
}

int mneme_close(mneme *m, mneme_error *error) {
    if (!m)
        return 0;
    return API_CALL("mneme_close", call_close(m, error));
}

int mneme_flush(mneme *m, mneme_error *error) {
    return MEASURED(FLUSH, "mneme_flush", call_flush(m, error), .text = NULL);
}

int mneme_ticket_wait(mneme *m, mneme_ticket ticket, int64_t timeout_ms, mneme_error *error) {
    return MEASURED(TICKET_WAIT, "mneme_ticket_wait",
                    call_ticket_wait(m, ticket, timeout_ms, error), .text = NULL);
}

int mneme_stats_get(mneme *m, mneme_stats *stats, mneme_error *error) {
    return MEASURED(STATS, "mneme_stats_get", call_stats_get(m, stats, error), .text = NULL);
}

int mneme_backup(mneme *m, const char *path, mneme_error *error) {
    return MEASURED(BACKUP, "mneme_backup", call_backup(m, path, error), .text = path);
}

int mneme_put(mneme *m, const mneme_record *records, size_t count, const mneme_write *how,
              mneme_id *ids, mneme_error *error) {
    return MEASURED(PUT, "mneme_put", call_put(m, records, count, how, ids, error),
                    .kind = records && count ? records->kind : MNEME_KIND_NONE,
                    .id = records && count ? &records->id : NULL, .count = count);
}

int mneme_delete(mneme *m, mneme_kind kind, const mneme_id *ids, size_t count,
                 const mneme_write *how, mneme_error *error) {
    return MEASURED(DELETE, "mneme_delete", call_delete(m, kind, ids, count, how, error),
                    .kind = kind, .id = count ? ids : NULL, .count = count);
}

int mneme_episode_start(mneme *m, const mneme_episode *episode, const mneme_write *how,
                        mneme_id *id, mneme_error *error) {
    return MEASURED(EPISODE_START, "mneme_episode_start",
                    call_episode_start(m, episode, how, id, error), .kind = MNEME_EPISODE,
                    .id = status_ ? NULL : id, .count = 1);
}

int mneme_step_append(mneme *m, const mneme_id *episode, const mneme_step *step,
                      const mneme_write *how, mneme_id *id, uint64_t *number, mneme_error *error) {
    return MEASURED(STEP_APPEND, "mneme_step_append",
                    call_step_append(m, episode, step, how, id, number, error),
                    .kind = MNEME_EPISODE, .id = episode, .count = 1);
}

int mneme_episode_complete(mneme *m, const mneme_id *id, const mneme_completion *completion,
                           const mneme_write *how, mneme_error *error) {
    return MEASURED(EPISODE_COMPLETE, "mneme_episode_complete",
                    call_episode_complete(m, id, completion, how, error), .kind = MNEME_EPISODE,
                    .id = id, .count = 1);
}

int mneme_tag_add(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                  const mneme_write *how, mneme_error *error) {
    return MEASURED(TAG, "mneme_tag_add", call_tag_add(m, kind, id, tag, how, error), .kind = kind,
                    .id = id, .count = 1);
}

int mneme_tag_remove(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                     const mneme_write *how, mneme_error *error) {
    return MEASURED(TAG, "mneme_tag_remove", call_tag_remove(m, kind, id, tag, how, error),
                    .kind = kind, .id = id, .count = 1);
}

int mneme_list(mneme *m, const mneme_query *query, const mneme_page **out, mneme_error *error) {
    return API_CALL("mneme_list", call_list(m, query, out, error));
}

int mneme_conflict_resolve(mneme *m, const mneme_id *id, bool restore, const mneme_write *how,
                           mneme_error *error) {
    return MEASURED(RESOLVE, "mneme_conflict_resolve",
                    call_conflict_resolve(m, id, restore, how, error), .kind = MNEME_SUPERSEDED,
                    .id = id, .count = 1);
}

int mneme_export(mneme *m, mneme_kind kind, mneme_sink *sink, void *context, uint64_t *records,
                 mneme_error *error) {
    return MEASURED(EXPORT, "mneme_export", call_export(m, kind, sink, context, records, error),
                    .kind = kind);
}

int mneme_import(mneme *m, const char *const *files, size_t count,
                 const mneme_import_options *options, mneme_progress *total, mneme_error *error) {
    return MEASURED(IMPORT, "mneme_import", call_import(m, files, count, options, total, error),
                    .text = files && count ? files[0] : NULL);
}

int mneme_train(mneme *m, size_t *trained, mneme_error *error) {
    return MEASURED(TRAIN, "mneme_train", call_train(m, trained, error), .text = NULL);
}

int mneme_sync_status_get(mneme *m, mneme_sync_status *status, mneme_error *error) {
    return API_CALL("mneme_sync_status_get", call_sync_status_get(m, status, error));
}

int mneme_sync(mneme *m, const mneme_sync_run *how, mneme_sync_report *report, mneme_error *error) {
    return MEASURED(SYNC, "mneme_sync", call_sync(m, how, report, error), .text = NULL);
}

int mneme_verify(const char *path, mneme_finding *finding, void *context,
                 mneme_verify_report *report, mneme_error *error) {
    TRY(log_configure_once(error));
    return API_CALL("mneme_verify", call_verify(path, finding, context, report, error));
}

int mneme_verify_records(mneme *m, mneme_finding *finding, void *context,
                         mneme_verify_report *report, mneme_error *error) {
    return MEASURED(VERIFY, "mneme_verify_records",
                    call_verify_records(m, finding, context, report, error), .text = NULL);
}

int mneme_doctor(const char *url, const mneme_options *options, mneme_check_sink *sink,
                 void *context, mneme_doctor_report *report, mneme_error *error) {
    TRY(log_configure_once(error));
    return API_CALL("mneme_doctor", call_doctor(url, options, sink, context, report, error));
}
