/*
 * top_screen.h - what `top` shows, and where.
 */
#ifndef MNEME_CLI_TOP_SCREEN_H
#define MNEME_CLI_TOP_SCREEN_H

#include "top_canvas.h"
#include "top_figures.h"
#include "top_history.h"

enum { SCREEN_MIN_COLUMNS = 56, SCREEN_MIN_ROWS = 12 };

enum top_sort { SORT_RATE, SORT_LATENCY, SORT_ERRORS, SORT_NAME, TOP_SORTS };

/* All that a screen is drawn from. */
struct top_view {
    struct pictures pictures; /* .now NULL: there has been none */
    const struct history *history;
    const mneme_sync_status *sync; /* NULL: the store is not synced */
    const char *store;             /* path or URL */
    const char *trouble;           /* why there is no newer picture; "": there is */
    double interval_s;
    enum top_window window;
    enum top_sort sort;
    bool paused, help, processes; /* processes: they have most of the screen */
    bool keys;                    /* there is somebody who could press one */
};

/* Draw on a canvas that was begun. */
void screen_draw(const struct top_view *view, struct canvas *canvas);

/* Parts of it, each at most `rows` lines (top_tables.c). */
struct top_rows {
    size_t operations, caches, processes; /* without the line of their titles; 0: not drawn */
};
/* How many there are to draw. */
struct top_rows tables_wanted(const struct top_view *view, struct pool *pool);
void draw_operations(const struct top_view *view, struct canvas *canvas, size_t rows);
void draw_caches(const struct top_view *view, struct canvas *canvas, size_t rows);
void draw_processes(const struct top_view *view, struct canvas *canvas, size_t rows);

#endif
