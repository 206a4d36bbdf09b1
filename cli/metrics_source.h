/*
 * metrics_source.h - the open store of which `mneme metrics serve` takes pictures.
 *
 * Model. Each scrape takes a picture of its own. A store that was removed, replaced or cannot be
 * read is opened anew by the next scrape, so that serving goes on when it is back.
 * Threads. metrics_source_text is called by any number of threads.
 */
#ifndef MNEME_CLI_METRICS_SOURCE_H
#define MNEME_CLI_METRICS_SOURCE_H

#include "cli.h"

struct metrics_source;

enum metrics_format { METRICS_OPENMETRICS, METRICS_PROMETHEUS };

/* Opens the store of the settings. The URL and options live in cli->pool, as long as the source. */
int metrics_source_open(struct cli *cli, mneme_metrics_scope scope, struct metrics_source **out);
/* NULL is allowed. */
void metrics_source_close(struct metrics_source *source);

/* Append a picture, taken now. Whatever opening and reading say when there is none. */
int metrics_source_text(struct metrics_source *source, enum metrics_format format, mneme_bytes *out,
                        mneme_error *error);

/* A picture of an open store as text: what `stats` prints as well. */
int metrics_text(mneme *store, mneme_metrics_scope scope, enum metrics_format format,
                 mneme_bytes *out, mneme_error *error);

#endif
