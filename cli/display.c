/*
 * display.c - see display.h.
 */
#include "display.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

/* One character as it is printed. */
struct glyph {
    const char *bytes;
    size_t size;
    size_t columns;
};

/* Characters that reorder the text around them (Unicode bidirectional controls). */
static bool is_direction_control(wchar_t c) {
    return (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0x200E ||
           c == 0x200F;
}

static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/* Take the first character off *rest; false at the end. */
static bool next_glyph(mneme_text *rest, struct glyph *glyph) {
    wchar_t wide;
    mbstate_t state = {0};
    if (rest->size == 0)
        return false;
    if (is_space(rest->data[0])) {
        *glyph = (struct glyph){" ", 1, 1};
        rest->data++, rest->size--;
        return true;
    }
    size_t size = mbrtowc(&wide, rest->data, rest->size, &state);
    bool decoded = size > 0 && size <= rest->size;
    int columns = decoded ? wcwidth(wide) : -1;
    if (columns < 0 || is_direction_control(wide))
        *glyph = (struct glyph){"?", 1, 1};
    else
        *glyph = (struct glyph){rest->data, size, (size_t)columns};
    size_t taken = decoded ? size : 1;
    rest->data += taken, rest->size -= taken;
    return true;
}

/* The same, with a run of white space taken as one space. */
static bool next_glyph_folded(mneme_text *rest, struct glyph *glyph) {
    if (!next_glyph(rest, glyph))
        return false;
    if (glyph->bytes[0] == ' ')
        while (rest->size > 0 && is_space(rest->data[0]))
            rest->data++, rest->size--;
    return true;
}

size_t display_width(mneme_text text) {
    struct glyph glyph;
    size_t width = 0;
    while (next_glyph_folded(&text, &glyph))
        width += glyph.columns;
    return width;
}

size_t display_put(FILE *out, mneme_text text, size_t columns) {
    struct glyph glyph;
    size_t printed = 0;
    bool cut = display_width(text) > columns;
    size_t room = cut && columns > 0 ? columns - 1 : columns;
    while (next_glyph_folded(&text, &glyph) && printed + glyph.columns <= room) {
        fwrite(glyph.bytes, 1, glyph.size, out);
        printed += glyph.columns;
    }
    if (cut && columns > 0) {
        fputs("…", out);
        printed++;
    }
    return printed;
}

/* How many bytes of `text`, which has no line feed, go on a line of `columns`: all, or up to
 * the last space that fits, or as many as fit. At least one character, so that it ends. */
static size_t bytes_of_line(mneme_text text, size_t columns) {
    struct glyph glyph;
    mneme_text rest = text;
    size_t width = 0, fitting = 0, at_space = 0;
    while (next_glyph(&rest, &glyph)) {
        width += glyph.columns;
        if (width > columns && fitting > 0)
            return at_space > 0 ? at_space : fitting;
        fitting = text.size - rest.size;
        if (glyph.bytes[0] == ' ')
            at_space = fitting;
    }
    return text.size;
}

static mneme_text without_trailing_space(mneme_text text) {
    while (text.size > 0 && is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

static void put_glyphs(FILE *out, mneme_text text) {
    struct glyph glyph;
    while (next_glyph(&text, &glyph))
        fwrite(glyph.bytes, 1, glyph.size, out);
}

void display_put_lines(FILE *out, mneme_text text, size_t indent, size_t columns,
                       size_t max_lines) {
    size_t room = columns > indent + 20 ? columns - indent - 1 : 20;
    text = without_trailing_space(text);
    for (size_t line = 1; text.size > 0; line++) {
        const char *feed = memchr(text.data, '\n', text.size);
        size_t paragraph = feed != NULL ? (size_t)(feed - text.data) : text.size;
        size_t taken = bytes_of_line((mneme_text){text.data, paragraph}, room);
        put_glyphs(out, without_trailing_space((mneme_text){text.data, taken}));
        if (taken == paragraph && feed != NULL)
            taken++;
        text.data += taken, text.size -= taken;
        if (text.size > 0 && line == max_lines) {
            fprintf(out, "%*s…", paragraph == 0 ? (int)indent : 1, "");
            break;
        }
        if (text.size > 0)
            fprintf(out, "\n%*s", text.data[0] == '\n' ? 0 : (int)indent, "");
    }
    fputc('\n', out);
}

size_t display_columns(int fd, size_t otherwise) {
    const char *text = getenv("COLUMNS");
    struct winsize size = {0};
    unsigned long columns = text != NULL ? strtoul(text, NULL, 10) : 0;
    if (columns == 0 && ioctl(fd, TIOCGWINSZ, &size) == 0)
        columns = size.ws_col;
    return columns >= 20 && columns <= 10000 ? columns : otherwise;
}

const char *display_bytes(struct pool *pool, uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit < 6; unit++)
        value /= 1024;
    return pool_format(pool, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

const char *display_count(struct pool *pool, uint64_t count) {
    if (count < 1000)
        return pool_format(pool, "%" PRIu64, count);
    return pool_format(pool, "%s,%03" PRIu64, display_count(pool, count / 1000), count % 1000);
}

const char *display_records(struct pool *pool, uint64_t count) {
    return pool_format(pool, "%s record%s", display_count(pool, count), count == 1 ? "" : "s");
}

const char *display_duration(struct pool *pool, int64_t duration_us) {
    int64_t seconds = duration_us / 1000000;
    if (duration_us < 1000000)
        return pool_format(pool, "%" PRId64 " ms", duration_us / 1000);
    if (seconds < 60)
        return pool_format(pool, "%" PRId64 " s", seconds);
    if (seconds < 3600)
        return pool_format(pool, "%" PRId64 " min %" PRId64 " s", seconds / 60, seconds % 60);
    return pool_format(pool, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds / 60 % 60);
}

const char *display_time(struct pool *pool, int64_t time_us, size_t columns) {
    char text[MNEME_TIME_TEXT_SIZE];
    mneme_time_format(time_us, text);
    char *t = strchr(text, 'T');
    if (t == NULL || t != text + 10)
        return pool_copy(pool, text, strlen(text));
    *t = ' ';
    return pool_copy(pool, text, columns < 19 ? columns : 19);
}
