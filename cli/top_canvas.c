/*
 * top_canvas.c - see top_canvas.h.
 */
#include "top_canvas.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "display.h"

static const char *const sparks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const bars[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"};
enum { SPARKS = sizeof sparks / sizeof sparks[0], BARS = sizeof bars / sizeof bars[0] - 1 };

/* What stands for our own characters in ASCII; for all others a question mark does. */
static const struct {
    wchar_t wide;
    char plain;
} replacements[] = {
    {L'▁', '_'}, {L'▂', ':'}, {L'▃', '-'}, {L'▄', '='}, {L'▅', '+'}, {L'▆', '*'}, {L'▇', '%'},
    {L'█', '#'}, {L'▏', ':'}, {L'▎', ':'}, {L'▍', '-'}, {L'▌', '-'}, {L'▋', '='}, {L'▊', '='},
    {L'▉', '+'}, {L'·', '.'}, {L'…', '~'}, {L'µ', 'u'}, {L'─', '-'}, {L'↑', '^'}, {L'↓', 'v'},
};

/* ---- The whole ------------------------------------------------------------------------------- */

bool canvas_begin(struct canvas *canvas) {
    canvas->row = canvas->column = 0;
    canvas->out = open_memstream(&canvas->text, &canvas->size);
    return canvas->out != NULL;
}

static char replacement(wchar_t wide) {
    for (size_t i = 0; i < sizeof replacements / sizeof replacements[0]; i++)
        if (replacements[i].wide == wide)
            return replacements[i].plain;
    return '?';
}

/* In place: ASCII for a character is no longer than its UTF-8, and as wide. */
static size_t make_ascii(char *text, size_t size) {
    size_t kept = 0;
    mbstate_t state = {0};
    for (size_t at = 0; at < size;) {
        wchar_t wide = L'?';
        size_t taken = mbrtowc(&wide, text + at, size - at, &state);
        if (taken == 0 || taken > size - at) {
            state = (mbstate_t){0};
            taken = 1;
            wide = L'\uFFFD';
        }
        int columns = wide < 0x80 ? 1 : wcwidth(wide);
        char plain = wide < 0x80 ? (char)wide : replacement(wide);
        for (int i = 0; i < columns; i++)
            text[kept++] = plain;
        at += taken;
    }
    return kept;
}

static void end_screen(const struct canvas *canvas) {
    if (canvas->column < canvas->columns)
        fputs("\033[K", canvas->out);
    if (canvas->row < canvas->rows)
        fprintf(canvas->out, "\033[%zu;1H\033[J", canvas->row + 1);
}

const char *canvas_end(struct canvas *canvas, size_t *size) {
    if (canvas->lines)
        fputc('\n', canvas->out);
    else
        end_screen(canvas);
    fclose(canvas->out);
    *size = canvas->ascii ? make_ascii(canvas->text, canvas->size) : canvas->size;
    const char *copy = pool_copy(canvas->pool, canvas->text, *size);
    free(canvas->text);
    canvas->text = NULL;
    return copy;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

size_t canvas_rows_left(const struct canvas *canvas) { return canvas->rows - canvas->row; }

/* Each line is put at its place, so that one that fills the last column moves no other; what was
 * there is overwritten and not erased first, which would flicker. */
bool canvas_line(struct canvas *canvas) {
    if (canvas->row == canvas->rows)
        return false;
    if (canvas->lines && canvas->row > 0)
        fputc('\n', canvas->out);
    if (!canvas->lines && canvas->row > 0 && canvas->column < canvas->columns)
        fputs("\033[K", canvas->out);
    canvas->row++;
    canvas->column = 0;
    if (!canvas->lines)
        fprintf(canvas->out, "\033[%zu;1H", canvas->row);
    return true;
}

static void begin_style(const struct canvas *canvas, enum style style) {
    static const char *const codes[] = {
        [PLAIN] = "",  [BOLD] = "1",  [DIM] = "2",    [ACCENT] = "36",
        [GOOD] = "32", [WARN] = "33", [BAD] = "1;31",
    };
    if (canvas->color && style != PLAIN)
        fprintf(canvas->out, "\033[%sm", codes[style]);
}

static void end_style(const struct canvas *canvas, enum style style) {
    if (canvas->color && style != PLAIN)
        fputs("\033[0m", canvas->out);
}

void canvas_put(struct canvas *canvas, enum style style, const char *text) {
    size_t room = canvas->columns - canvas->column;
    if (room == 0 || text[0] == '\0')
        return;
    begin_style(canvas, style);
    canvas->column += display_put(canvas->out, mneme_text_of(text), room);
    end_style(canvas, style);
}

static void put_spaces(struct canvas *canvas, size_t count) {
    size_t room = canvas->columns - canvas->column;
    count = count < room ? count : room;
    fprintf(canvas->out, "%*s", (int)count, "");
    canvas->column += count;
}

void canvas_to(struct canvas *canvas, size_t column) {
    if (canvas->column < column)
        put_spaces(canvas, column - canvas->column);
    else if (canvas->column > 0)
        put_spaces(canvas, 1);
}

void canvas_gap(struct canvas *canvas) { put_spaces(canvas, 2); }

__attribute__((format(printf, 3, 0))) static void print(struct canvas *canvas, enum style style,
                                                        const char *format, va_list arguments) {
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    canvas_put(canvas, style, text);
}

void canvas_print(struct canvas *canvas, enum style style, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    print(canvas, style, format, arguments);
    va_end(arguments);
}

void canvas_print_apart(struct canvas *canvas, enum style style, const char *format, ...) {
    va_list arguments;
    canvas_gap(canvas);
    va_start(arguments, format);
    print(canvas, style, format, arguments);
    va_end(arguments);
}

void canvas_put_before(struct canvas *canvas, enum style style, const char *text, size_t column) {
    size_t width = display_width(mneme_text_of(text));
    canvas_to(canvas, column > width ? column - width : 0);
    canvas_put(canvas, style, text);
}

/* ---- Sparklines and bars --------------------------------------------------------------------- */

static const char *spark(double value, double most) {
    if (value < 0)
        return " ";
    if (value == 0 || most <= 0)
        return ".";
    size_t level = (size_t)(value / most * SPARKS);
    return sparks[level < SPARKS ? level : SPARKS - 1];
}

void canvas_spark(struct canvas *canvas, enum style style, const double *values, size_t count) {
    double most = 0;
    for (size_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    style = most > 0 ? style : DIM;
    begin_style(canvas, style);
    for (size_t i = 0; i < count && canvas->column < canvas->columns; i++, canvas->column++)
        fputs(spark(values[i], most), canvas->out);
    end_style(canvas, style);
}

void canvas_bar(struct canvas *canvas, enum style style, double part, size_t cells) {
    part = part < 0 ? 0 : part > 1 ? 1 : part;
    size_t eighths = (size_t)(part * (double)(cells * BARS) + 0.5);
    if (part > 0 && eighths == 0)
        eighths = 1; /* a little is not nothing */
    size_t used = (eighths + BARS - 1) / BARS;
    begin_style(canvas, style);
    for (size_t i = 0; i < eighths / BARS; i++)
        fputs(bars[BARS], canvas->out);
    fputs(bars[eighths % BARS], canvas->out);
    end_style(canvas, style);
    begin_style(canvas, DIM);
    for (size_t i = used; i < cells; i++)
        fputs("·", canvas->out);
    end_style(canvas, DIM);
    canvas->column += cells;
}

/* ---- Numbers --------------------------------------------------------------------------------- */

/* Three digits that count, of a value below 1000. */
static const char *three_digits(struct pool *pool, double value, const char *unit) {
    int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
    return pool_format(pool, "%.*f%s", decimals, value, unit);
}

const char *short_number(struct pool *pool, double value) {
    if (value < 0.005)
        return "0";
    if (value < 9.95)
        return pool_format(pool, "%.*f", value < 0.095 ? 2 : 1, value);
    if (value < 9999.5)
        return display_count(pool, (uint64_t)(value + 0.5));
    return value < 999500 ? three_digits(pool, value / 1e3, " k")
                          : three_digits(pool, value / 1e6, " M");
}

const char *short_count(struct pool *pool, uint64_t count) {
    return count < 10000 ? display_count(pool, count) : short_number(pool, (double)count);
}

const char *short_duration(struct pool *pool, uint64_t ns) {
    double value = (double)ns;
    if (value < 999.5)
        return pool_format(pool, "%.0f ns", value);
    if (value < 999.5e3)
        return three_digits(pool, value / 1e3, " µs");
    if (value < 999.5e6)
        return three_digits(pool, value / 1e6, " ms");
    if (value < 120e9)
        return three_digits(pool, value / 1e9, " s");
    return pool_format(pool, "%.0f min", value / 60e9);
}

const char *short_bytes(struct pool *pool, double bytes) {
    static const char *const units[] = {" KiB", " MiB", " GiB", " TiB", " PiB"};
    if (bytes < 1000)
        return pool_format(pool, "%.0f B", bytes);
    size_t unit = 0;
    for (bytes /= 1024; bytes >= 999.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        bytes /= 1024;
    return pool_format(pool, "%.*f%s", bytes < 99.95 ? 1 : 0, bytes, units[unit]);
}

/* Not rounded up to 100: that some failed must be seen. */
const char *short_ratio(struct pool *pool, double ratio) {
    if (ratio < 0)
        return "-";
    if (ratio >= 1)
        return "100 %";
    return pool_format(pool, "%.1f %%", (double)(uint64_t)(ratio * 1000) / 10);
}

const char *short_age(struct pool *pool, double seconds) {
    long long s = seconds > 0 ? (long long)seconds : 0;
    if (s < 120)
        return pool_format(pool, "%lld s", s);
    if (s < 7200)
        return pool_format(pool, "%lld min", s / 60);
    if (s < 172800)
        return pool_format(pool, "%lld h %lld min", s / 3600, s / 60 % 60);
    return pool_format(pool, "%lld d %lld h", s / 86400, s / 3600 % 24);
}
