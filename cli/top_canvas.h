/*
 * top_canvas.h - a screen as lines of cells, from which the bytes for a terminal are made.
 *
 * Nothing that is put on it leaves its line or the width: text is cut, control characters are
 * replaced (display.h). Numbers, sparklines and bars are drawn with Unicode; canvas_end turns all
 * of it into ASCII for a locale that has no other.
 */
#ifndef MNEME_CLI_TOP_CANVAS_H
#define MNEME_CLI_TOP_CANVAS_H

#include <stdio.h>

#include "mneme/mneme.h"
#include "pool.h"

enum style { PLAIN, BOLD, DIM, ACCENT, GOOD, WARN, BAD };

struct canvas {
    struct pool *pool;
    size_t columns, rows;
    bool color, ascii;
    bool lines; /* plain lines that end with a line feed, as for a file; not a terminal's screen */

    FILE *out;
    char *text;
    size_t size;
    size_t row, column; /* where it stands; row: lines that were begun */
};

/* Begin, with the members before `out` set. False: no memory. */
bool canvas_begin(struct canvas *canvas);
/* The bytes, the pool's; `*size` of them. */
const char *canvas_end(struct canvas *canvas, size_t *size);

/* Begin the next line. False: there is none left. */
bool canvas_line(struct canvas *canvas);
size_t canvas_rows_left(const struct canvas *canvas);

void canvas_put(struct canvas *canvas, enum style style, const char *text);
void canvas_print(struct canvas *canvas, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Spaces up to that column; at least one, unless the line is at its beginning or is full. */
void canvas_to(struct canvas *canvas, size_t column);
/* Two spaces; of those in a text, one is left (display.h). */
void canvas_gap(struct canvas *canvas);
/* The same, and text behind it. */
void canvas_print_apart(struct canvas *canvas, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Text that ends before that column. */
void canvas_put_before(struct canvas *canvas, enum style style, const char *text, size_t column);

/* One cell for each value, as high as it is against the greatest; "." for 0, " " below. */
void canvas_spark(struct canvas *canvas, enum style style, const double *values, size_t count);
/* A part from 0 to 1 of `cells`. */
void canvas_bar(struct canvas *canvas, enum style style, double part, size_t cells);

/* "0", "0.03", "2.5", "1,234", "12.3 k": at most 6 columns. */
const char *short_number(struct pool *pool, double value);
const char *short_count(struct pool *pool, uint64_t count); /* "9,999", "12.3 k" */
/* "850 ns", "12.3 µs", "104 ms", "12.3 s", "2 min": at most 7. */
const char *short_duration(struct pool *pool, uint64_t ns);
/* "512 B", "12.3 KiB": at most 8. */
const char *short_bytes(struct pool *pool, double bytes);
/* "99.1 %"; "-" below 0. */
const char *short_ratio(struct pool *pool, double ratio);
/* "12 s", "5 min", "3 h 10 min", "2 d 4 h". */
const char *short_age(struct pool *pool, double seconds);

#endif
