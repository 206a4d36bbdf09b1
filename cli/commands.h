/*
 * commands.h - every command of the program, by the file that defines it.
 */
#ifndef MNEME_CLI_COMMANDS_H
#define MNEME_CLI_COMMANDS_H

#include "cli.h"

/* store.c, stats.c */
extern const struct command init_command, stats_command, verify_command, backup_command,
    train_command;
/* stats_slow.c */
extern const struct command stats_slow_command, stats_queries_command;
/* top.c */
extern const struct command top_command;
/* doctor.c */
extern const struct command doctor_command;
/* import.c, export.c */
extern const struct command import_command, export_command;
/* episode.c, complete.c */
extern const struct command episode_start_command, episode_step_command, episode_complete_command,
    episode_show_command, episode_list_command, episode_delete_command;
/* query.c */
extern const struct command query_command;
/* record.c: put, show, list and delete of each kind */
extern const struct command pattern_commands[4], heuristic_commands[4], relation_commands[4];
/* tag.c */
extern const struct command tag_add_command, tag_remove_command, tag_list_command;
/* sync.c, sync_status.c, conflicts.c */
extern const struct command sync_command, sync_status_command, sync_collect_command,
    sync_retry_command, conflicts_list_command, conflicts_show_command, conflicts_resolve_command;
/* config.c, bench.c, completion.c, manual.c */
extern const struct command config_show_command, config_doc_command, bench_command,
    completion_command, manual_command;
/* metrics_serve.c */
extern const struct command metrics_serve_command;
/* help and version are in commands.c. */

#endif
