/*
 * output.c - see output.h.
 */
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "display.h"
#include "value.h"

/* ---- The stream -------------------------------------------------------------------------- */

static ssize_t output_write(void *cookie, const char *data, size_t size) {
    struct output *output = cookie;
    size_t done = 0;
    while (done < size && output->error == 0) {
        ssize_t written = write(output->fd, data + done, size - done);
        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR)
            output->error = errno;
    }
    return (ssize_t)done;
}

int output_open(struct output *output, int fd, mneme_error *error) {
    cookie_io_functions_t functions = {.write = output_write};
    *output = (struct output){.fd = fd};
    output->stream = fopencookie(output, "w", functions);
    if (output->stream == NULL)
        return fail_with(error, MNEME_NO_MEMORY, "out of memory");
    /* On a terminal lines appear as they are made. */
    setvbuf(output->stream, NULL, isatty(fd) ? _IOLBF : _IOFBF, 1 << 16);
    return 0;
}

int output_flush(struct output *output, const char *what, mneme_error *error) {
    fflush(output->stream);
    if (output->error == 0)
        return 0;
    int status = output->error == ENOSPC || output->error == EDQUOT ? MNEME_NO_SPACE : MNEME_IO;
    return fail_with(error, status, "cannot write to %s: %s", what, strerror(output->error));
}

void output_close(struct output *output) {
    if (output->stream != NULL)
        fclose(output->stream);
    output->stream = NULL;
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void put_json_text(FILE *out, const char *text) {
    size_t size = strlen(text);
    fputc('"', out);
    while (size > 0) {
        wchar_t wide;
        mbstate_t state = {0};
        size_t taken = mbrtowc(&wide, text, size, &state);
        if (taken == 0 || taken > size) {
            fputs("\\ufffd", out);
            taken = 1;
        } else if (wide < 0x20) {
            fprintf(out, "\\u%04x", (unsigned)wide);
        } else {
            if (wide == '"' || wide == '\\')
                fputc('\\', out);
            fwrite(text, 1, taken, out);
        }
        text += taken, size -= taken;
    }
    fputc('"', out);
}

struct json_line line_begin(FILE *out) {
    fputc('{', out);
    return (struct json_line){out, true};
}

void line_key(struct json_line *line, const char *name) {
    if (!line->first)
        fputc(',', line->out);
    line->first = false;
    put_json_text(line->out, name);
    fputc(':', line->out);
}

void line_add_text(struct json_line *line, const char *name, const char *text) {
    line_key(line, name);
    put_json_text(line->out, text);
}

void line_add_id(struct json_line *line, const char *name, const mneme_id *id) {
    char text[MNEME_ID_TEXT_SIZE];
    mneme_id_format(id, text);
    line_add_text(line, name, text);
}

void line_add_count(struct json_line *line, const char *name, uint64_t count) {
    line_key(line, name);
    fprintf(line->out, "%" PRIu64, count);
}

void line_add_whole(struct json_line *line, const char *name, int64_t number) {
    line_key(line, name);
    fprintf(line->out, "%" PRId64, number);
}

void line_add_bool(struct json_line *line, const char *name, bool value) {
    line_key(line, name);
    fputs(value ? "true" : "false", line->out);
}

void line_close(const struct json_line *line) { fputc('}', line->out); }

void line_end(const struct json_line *line) { fputs("}\n", line->out); }

int json_put_record(FILE *out, const mneme_record *record, mneme_error *error) {
    mneme_bytes line = {0};
    int status = mneme_record_to_json(record, &line, error);
    if (status == 0) {
        fwrite(line.data, 1, line.size, out);
        fputc('\n', out);
    }
    mneme_bytes_free(&line);
    return status;
}

/* ---- Tables ------------------------------------------------------------------------------ */

enum { GAP = 2, SHRUNK_MIN = 8, LAST_MIN = 16 };

void put_bold(FILE *out, bool color, const char *text) {
    fprintf(out, color ? "\033[1m%s\033[0m" : "%s", text);
}

struct table table_begin(struct pool *pool, const char *const *titles) {
    struct table table = {.pool = pool, .titles = titles};
    while (titles[table.columns] != NULL)
        table.columns++;
    return table;
}

void table_add(struct table *table, const mneme_text *cells) {
    if (table->rows == table->capacity) {
        size_t capacity = table->capacity > 0 ? 2 * table->capacity : 64;
        size_t row_size = table->columns * sizeof *cells;
        mneme_text *grown = pool_alloc(table->pool, capacity, row_size);
        if (table->rows > 0)
            memcpy(grown, table->cells, table->rows * row_size);
        table->cells = grown;
        table->capacity = capacity;
    }
    memcpy(table->cells + table->rows * table->columns, cells, table->columns * sizeof *cells);
    table->rows++;
}

/* Natural widths, title included; 0 for a column without any text. */
static void measure(const struct table *table, size_t *widths) {
    for (size_t column = 0; column < table->columns; column++) {
        size_t widest = 0;
        for (size_t row = 0; row < table->rows; row++) {
            size_t width = display_width(table->cells[row * table->columns + column]);
            widest = width > widest ? width : widest;
        }
        size_t title = strlen(table->titles[column]);
        widths[column] = widest > 0 && widest < title ? title : widest;
    }
}

/* Make the row fit into `width`: see struct table. */
static void fit(const struct table *table, size_t *widths, size_t width) {
    size_t last = table->columns - 1;
    size_t fixed = 0;
    for (size_t i = 0; i < last; i++)
        fixed += widths[i] > 0 ? widths[i] + GAP : 0;
    while (fixed + LAST_MIN > width) {
        size_t widest = 1;
        for (size_t i = 2; i < last; i++)
            widest = widths[i] > widths[widest] ? i : widest;
        if (last < 2 || widths[widest] <= SHRUNK_MIN)
            break;
        widths[widest]--, fixed--;
    }
    size_t left = width > fixed + LAST_MIN ? width - fixed : LAST_MIN;
    widths[last] = widths[last] < left ? widths[last] : left;
}

static void put_row(const struct table *table, FILE *out, const size_t *widths,
                    const mneme_text *cells) {
    size_t owed = 0; /* columns of space, printed only before something else */
    for (size_t i = 0; i < table->columns; i++) {
        if (widths[i] == 0)
            continue;
        size_t used = display_width(cells[i]);
        size_t space = used < widths[i] ? widths[i] - used : 0;
        bool right = (table->right >> i & 1) != 0;
        fprintf(out, "%*s", (int)(owed + (right ? space : 0)), "");
        display_put(out, cells[i], widths[i]);
        owed = GAP + (right ? 0 : space);
    }
    fputc('\n', out);
}

void table_print(const struct table *table, FILE *out, size_t width, bool color) {
    size_t widths[TABLE_COLUMNS_MAX];
    mneme_text titles[TABLE_COLUMNS_MAX];
    measure(table, widths);
    fit(table, widths, width);
    for (size_t i = 0; i < table->columns; i++)
        titles[i] = mneme_text_of(table->titles[i]);
    fputs(color ? "\033[1m" : "", out);
    put_row(table, out, widths, titles);
    fputs(color ? "\033[0m" : "", out);
    for (size_t row = 0; row < table->rows; row++)
        put_row(table, out, widths, table->cells + row * table->columns);
}
