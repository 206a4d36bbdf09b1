/*
 * output.h - where data goes: a stream that remembers why it failed, JSON members, tables.
 *
 * stdio forgets the errno of a failed write by the time anyone looks at ferror. The stream made
 * here keeps the first one, so that "disk full" and "the reader went away" can be told apart.
 */
#ifndef MNEME_CLI_OUTPUT_H
#define MNEME_CLI_OUTPUT_H

#include <stdio.h>

#include "mneme/mneme.h"
#include "pool.h"

struct output {
    FILE *stream;
    int fd;
    int error; /* errno of the first failed write; 0: none failed */
};

/* Must stay where it is until output_close. MNEME_NO_MEMORY. */
int output_open(struct output *output, int fd, mneme_error *error);
/* Write out what is buffered. MNEME_NO_SPACE or MNEME_IO, naming `what`, when a write failed. */
int output_flush(struct output *output, const char *what, mneme_error *error);
void output_close(struct output *output); /* leaves the descriptor open */

/* ---- JSON ------------------------------------------------------------------------------- */

/*
 * A JSON object on one line: line_begin, members, line_end (with the line feed). `first` tells
 * whether a comma is due. Bytes that are not UTF-8 (paths may hold such) come out as U+FFFD.
 */
struct json_line {
    FILE *out;
    bool first;
};
struct json_line line_begin(FILE *out);
void line_key(struct json_line *line, const char *name); /* the value is the caller's */
void line_add_text(struct json_line *line, const char *name, const char *text);
void line_add_id(struct json_line *line, const char *name, const mneme_id *id);
void line_add_count(struct json_line *line, const char *name, uint64_t count);
void line_add_whole(struct json_line *line, const char *name, int64_t number);
void line_add_bool(struct json_line *line, const char *name, bool value);
void line_close(const struct json_line *line); /* an object inside of another */
void line_end(const struct json_line *line);

/* The record as the library writes it, and a line feed. */
int json_put_record(FILE *out, const mneme_record *record, mneme_error *error);

/* ---- Tables ------------------------------------------------------------------------------ */

enum { TABLE_COLUMNS_MAX = 10 };

/*
 * A table with aligned columns. The last one takes what is left of the width; when that is
 * little, the widest of those between the first and the last give way. An empty column is
 * left out.
 */
struct table {
    struct pool *pool;
    const char *const *titles; /* ends with NULL */
    mneme_text *cells;         /* row by row; texts are borrowed */
    size_t columns, rows, capacity;
    unsigned right; /* bit i: column i is aligned to the right */
};
struct table table_begin(struct pool *pool, const char *const *titles);
void table_add(struct table *table, const mneme_text *cells);
void table_print(const struct table *table, FILE *out, size_t width, bool color);

/* Text in bold, if `color`. */
void put_bold(FILE *out, bool color, const char *text);

#endif
