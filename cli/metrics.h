/*
 * metrics.h - what the processes of a store did, as tables and as JSON.
 */
#ifndef MNEME_CLI_METRICS_H
#define MNEME_CLI_METRICS_H

#include "cli.h"

/* "19ns", "4.9us", "320us", "1.2ms", "2.5s": at most five columns. */
const char *display_latency(struct pool *pool, uint64_t ns);
/* "812", "12.3k", "4.1M": at most five columns. */
const char *display_short(struct pool *pool, double count);

/* Tables of the processes, and of a process's, or the machine's, operations in a window. */
void put_processes_page(struct cli *cli, const mneme_metrics *metrics);
void put_operations_page(struct cli *cli, const mneme_process *process, mneme_window window);

/* As members of an object. */
void put_metrics_json(struct json_line *line, const mneme_metrics *metrics);
void put_shapes_json(struct json_line *line, const mneme_process *process);
void put_slow_json(FILE *out, const mneme_slow_operation *slow);

#endif
