/*
 * progress.c - see progress.h.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "display.h"

enum { FIRST_DRAW_MS = 500, REDRAW_MS = 100, BAR_MIN = 5, BAR_MAX = 30 };

static uint64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress, bool quiet) {
    *progress = (struct progress){
        .enabled = !quiet && isatty(STDERR_FILENO) != 0,
        .begin_ms = now_ms(),
    };
    progress->redraw_ms = progress->begin_ms + FIRST_DRAW_MS;
}

void progress_begin_work(struct progress *progress) { progress->begin_ms = now_ms(); }

uint64_t progress_elapsed_ms(const struct progress *progress) {
    return now_ms() - progress->begin_ms;
}

/* "[#####-----]", as wide as `columns` says, brackets included. */
static void put_bar(double part, size_t columns) {
    size_t cells = columns - 2;
    size_t full = (size_t)(part * (double)cells);
    fputc('[', stderr);
    for (size_t i = 0; i < cells; i++)
        fputc(i < full ? '#' : '-', stderr);
    fputs("] ", stderr);
}

static const char *time_left(struct pool *pool, double part, uint64_t elapsed_ms) {
    if (part <= 0)
        return "";
    uint64_t seconds = (uint64_t)((double)elapsed_ms / 1000 * (1 - part) / part + 0.5);
    return pool_format(pool, ", %llu:%02llu left", (unsigned long long)seconds / 60,
                       (unsigned long long)seconds % 60);
}

struct amount {
    uint64_t done, total, records;
    const char *(*text)(struct pool *pool, uint64_t amount);
};

static void draw(const struct amount *work, uint64_t elapsed_ms) {
    struct pool pool = {NULL};
    uint64_t done = work->done, total = work->total;
    double part = total > 0 ? (double)(done < total ? done : total) / (double)total : 0;
    uint64_t rate = elapsed_ms > 0 ? work->records * 1000 / elapsed_ms : 0;
    const char *text = pool_format(&pool, "%3d %%, %s of %s, %s records/s%s", (int)(part * 100),
                                   work->text(&pool, done), work->text(&pool, total),
                                   display_count(&pool, rate), time_left(&pool, part, elapsed_ms));
    /* The last column stays free: writing there wraps the line on some terminals. */
    size_t columns = display_columns(STDERR_FILENO, 80) - 1;
    size_t used = strlen(text) + 1;
    size_t room = columns > used ? columns - used : 0;
    fputs("\r\033[K", stderr);
    if (room >= BAR_MIN)
        put_bar(part, room < BAR_MAX ? room : BAR_MAX);
    display_put(stderr, mneme_text_of(text), columns);
    fflush(stderr);
    pool_free(&pool);
}

static void update(struct progress *progress, const struct amount *work) {
    uint64_t now = now_ms();
    if (!progress->enabled || now < progress->redraw_ms)
        return;
    draw(work, now - progress->begin_ms);
    progress->drawn = true;
    progress->redraw_ms = now + REDRAW_MS;
}

void progress_update(struct progress *progress, uint64_t bytes_done, uint64_t bytes_total,
                     uint64_t records) {
    update(progress, &(struct amount){bytes_done, bytes_total, records, display_bytes});
}

void progress_update_records(struct progress *progress, uint64_t done, uint64_t total) {
    update(progress, &(struct amount){done, total, done, display_count});
}

void progress_clear(struct progress *progress) {
    if (progress->drawn)
        fputs("\r\033[K", stderr);
    progress->drawn = false;
}
