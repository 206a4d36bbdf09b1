/*
 * notes.c - rows, headings and footers as bytes, and back.
 */
#include "bench/notes.h"

enum note_kind { NOTE_HEADING, NOTE_ROW, NOTE_FOOTER, NOTE_END };

/* ---- Writing ------------------------------------------------------------------------------ */

static void put(FILE *notes, const void *data, size_t size) { fwrite(data, 1, size, notes); }

static void put_kind(FILE *notes, enum note_kind kind) { put(notes, &kind, sizeof kind); }

/* Its length with the zero at its end, and that many bytes; a length of 0 stands for NULL. */
static void put_text(FILE *notes, const char *text) {
    size_t size = text ? strlen(text) + 1 : 0;
    put(notes, &size, sizeof size);
    if (text)
        put(notes, text, size);
}

void note_heading(FILE *notes, const char *text) {
    if (!notes)
        return;
    put_kind(notes, NOTE_HEADING);
    put_text(notes, text);
}

void note_row(FILE *notes, const struct row *row) {
    if (!notes)
        return;
    put_kind(notes, NOTE_ROW);
    put(notes, row, sizeof *row);
    put_text(notes, row->name);
    put_text(notes, row->unit);
    put_text(notes, row->reference);
}

void note_footer(FILE *notes, const char *data, const char *file_system, double load) {
    if (!notes)
        return;
    put_kind(notes, NOTE_FOOTER);
    put_text(notes, data);
    put_text(notes, file_system);
    put(notes, &load, sizeof load);
}

void note_end(FILE *notes, int status, const char *message) {
    if (!notes)
        return;
    put_kind(notes, NOTE_END);
    put(notes, &status, sizeof status);
    put_text(notes, message);
}

/* ---- Reading ------------------------------------------------------------------------------ */

/* A cursor with a sticky end: once something is cut off, nothing more is read. */
struct cursor {
    struct slice rest;
    struct arena *arena;
    bool cut, no_memory;
};

static bool take(struct cursor *c, void *out, size_t size) {
    if (c->cut || size > c->rest.size) {
        c->cut = true;
        return false;
    }
    memcpy(out, c->rest.data, size);
    c->rest = slice_of(c->rest.data + size, c->rest.size - size);
    return true;
}

static void take_text(struct cursor *c, const char **out) {
    size_t size = 0;
    *out = NULL;
    if (!take(c, &size, sizeof size) || size == 0)
        return;
    if (size > c->rest.size || c->rest.data[size - 1] != 0) {
        c->cut = true;
        return;
    }
    char *copy = arena_alloc(c->arena, size);
    if (copy) {
        take(c, copy, size);
        *out = copy;
    } else {
        c->no_memory = c->cut = true;
    }
}

static void take_row(struct cursor *c, struct row *row) {
    take(c, row, sizeof *row);
    take_text(c, &row->name);
    take_text(c, &row->unit);
    take_text(c, &row->reference);
}

/* One note; an item goes to `items`. False at the end, or where it is cut off. */
static bool take_note(struct cursor *c, struct buf *items, struct noted_bench *out) {
    enum note_kind kind;
    struct noted item = {0};
    if (!take(c, &kind, sizeof kind))
        return false;
    if (kind == NOTE_HEADING) {
        take_text(c, &item.heading);
    } else if (kind == NOTE_ROW) {
        take_row(c, &item.row);
    } else if (kind == NOTE_FOOTER) {
        take_text(c, &out->data);
        take_text(c, &out->file_system);
        take(c, &out->load, sizeof out->load);
    } else {
        take(c, &out->status, sizeof out->status);
        take_text(c, &out->message);
        out->ended = !c->cut;
    }
    if (!c->cut && (kind == NOTE_HEADING || kind == NOTE_ROW))
        buf_append(items, &item, sizeof item);
    return !c->cut;
}

int notes_read(struct slice bytes, struct arena *arena, struct noted_bench *out,
               mneme_error *error) {
    AUTO_BUF struct buf items = BUF_INIT(SIZE_MAX);
    struct cursor cursor = {.rest = bytes, .arena = arena};
    struct noted_bench bench = {.message = ""};
    while (take_note(&cursor, &items, &bench))
        continue;
    struct noted *copy = arena_zalloc(arena, items.size / sizeof *copy + 1, sizeof *copy);
    if (cursor.no_memory || items.status || !copy)
        return error_set(error, MNEME_NO_MEMORY, "no memory for what a bench reported");
    if (items.size)
        memcpy(copy, items.data, items.size);
    bench.items = copy;
    bench.count = items.size / sizeof *copy;
    *out = bench;
    return 0;
}
