/*
 * calls.h - the public functions without what each of them does alike; see calls.c.
 *
 * call_NAME is mneme_NAME of include/mneme/mneme.h, word for word.
 */
#ifndef MNEME_API_CALLS_H
#define MNEME_API_CALLS_H

#include "mneme/mneme.h"

/* open.c */
int call_open(const char *url, const mneme_options *options, mneme **out, mneme_error *error);
int call_close(mneme *m, mneme_error *error);
int call_flush(mneme *m, mneme_error *error);
int call_ticket_wait(mneme *m, mneme_ticket ticket, int64_t timeout_ms, mneme_error *error);
int call_stats_get(mneme *m, mneme_stats *stats, mneme_error *error);
int call_backup(mneme *m, const char *path, mneme_error *error);

/* write.c */
int call_put(mneme *m, const mneme_record *records, size_t count, const mneme_write *how,
             mneme_id *ids, mneme_error *error);
int call_delete(mneme *m, mneme_kind kind, const mneme_id *ids, size_t count,
                const mneme_write *how, mneme_error *error);
int call_episode_start(mneme *m, const mneme_episode *episode, const mneme_write *how, mneme_id *id,
                       mneme_error *error);
int call_step_append(mneme *m, const mneme_id *episode, const mneme_step *step,
                     const mneme_write *how, mneme_id *id, uint64_t *number, mneme_error *error);
int call_episode_complete(mneme *m, const mneme_id *id, const mneme_completion *completion,
                          const mneme_write *how, mneme_error *error);
int call_tag_add(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                 const mneme_write *how, mneme_error *error);
int call_tag_remove(mneme *m, mneme_kind kind, const mneme_id *id, mneme_text tag,
                    const mneme_write *how, mneme_error *error);

/* read.c */
int call_list(mneme *m, const mneme_query *query, const mneme_page **out, mneme_error *error);

/* conflict.c */
int call_conflict_resolve(mneme *m, const mneme_id *id, bool restore, const mneme_write *how,
                          mneme_error *error);

/* export.c */
int call_export(mneme *m, mneme_kind kind, mneme_sink *sink, void *context, uint64_t *records,
                mneme_error *error);

/* import.c */
int call_import(mneme *m, const char *const *files, size_t count,
                const mneme_import_options *options, mneme_progress *total, mneme_error *error);

/* training.c */
int call_train(mneme *m, size_t *trained, mneme_error *error);

/* sync.c */
int call_sync_status_get(mneme *m, mneme_sync_status *status, mneme_error *error);

/* sync_run.c */
int call_sync(mneme *m, const mneme_sync_run *how, mneme_sync_report *report, mneme_error *error);

/* verify.c */
int call_verify(const char *path, mneme_finding *finding, void *context,
                mneme_verify_report *report, mneme_error *error);

/* verify_records.c */
int call_verify_records(mneme *m, mneme_finding *finding, void *context,
                        mneme_verify_report *report, mneme_error *error);

/* doctor.c */
int call_doctor(const char *url, const mneme_options *options, mneme_check_sink *sink,
                void *context, mneme_doctor_report *report, mneme_error *error);

#endif
