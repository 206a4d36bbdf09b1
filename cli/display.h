/*
 * display.h - text that came from a store, printed so that a terminal stays whole.
 *
 * Stored text may hold anything: line feeds, escape sequences, bytes that are not UTF-8. Plain
 * output replaces control characters and direction overrides by '?', so that a record cannot
 * move the cursor or dress up as something else; --json prints it faithfully instead. Widths
 * are counted in terminal columns (wcwidth), hence main sets the UTF-8 locale.
 */
#ifndef MNEME_CLI_DISPLAY_H
#define MNEME_CLI_DISPLAY_H

#include <stdio.h>

#include "mneme/mneme.h"
#include "pool.h"

/* How many columns the text takes on one line; runs of white space count as one. */
size_t display_width(mneme_text text);

/* Print the text on one line in at most `columns`; what is cut off leaves a "…" behind. Returns
 * the columns printed. */
size_t display_put(FILE *out, mneme_text text, size_t columns);

/* Print the text in lines of `columns`, at most `max_lines` of them (0: all), each but the first
 * indented by `indent`. Keeps its line feeds. Ends with a line feed. */
void display_put_lines(FILE *out, mneme_text text, size_t indent, size_t columns, size_t max_lines);

/* Columns of the terminal on `fd`: $COLUMNS, else what it says itself, else `otherwise`. */
size_t display_columns(int fd, size_t otherwise);

/* "1.4 MiB", "12,345", "12,345 records", "3 min 12 s". */
const char *display_bytes(struct pool *pool, uint64_t bytes);
const char *display_count(struct pool *pool, uint64_t count);
const char *display_records(struct pool *pool, uint64_t count);
const char *display_duration(struct pool *pool, int64_t duration_us);
/* "2026-11-21 08:02:00" (UTC); with `columns` < 19 cut there, so that 16 leaves the minutes. */
const char *display_time(struct pool *pool, int64_t time_us, size_t columns);

#endif
