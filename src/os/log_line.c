/*
 * log_line.c - an event as a line: logfmt, or a JSON object.
 *
 * Values are texts of anybody: what a terminal would obey (control characters, marks that turn the
 * direction of writing) is escaped, and what is not UTF-8 becomes U+FFFD. The escapes are those of
 * JSON, which readers of logfmt know for quoted values, too.
 */
#include <stdio.h>

#include "os/log_impl.h"

enum {
    TEXT_MAX = 1024, /* bytes of one value */
    TAIL_SIZE = 24   /* always left for " truncated=true" or its like, and the end of the line */
};

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
static const char ellipsis[] = "\xe2\x80\xa6";

struct line {
    char *text;
    size_t size;
    bool json;
    bool full; /* what was put last had no room */
};

/* ---- Characters -------------------------------------------------------------------------- */

static void put(struct line *line, const char *bytes, size_t size) {
    if (line->full || size > LOG_LINE_MAX - TAIL_SIZE - line->size) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
}
static void put_string(struct line *line, const char *s) { put(line, s, strlen(s)); }

/* The bytes of the character that begins here; 0: none does. */
static size_t character_size(struct slice s) {
    uint8_t first = s.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return size <= s.size && utf8_valid(slice_of(s.data, size)) ? size : 0;
}

static uint32_t character_code(const uint8_t *c, size_t size) {
    uint32_t code = size == 1 ? c[0] : c[0] & (0x3fu >> (size - 1));
    for (size_t i = 1; i < size; i++)
        code = code << 6 | (c[i] & 0x3fu);
    return code;
}

/* C0, DEL, C1; line and paragraph separators; what reorders text. */
static bool is_unsafe(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0x200e || code == 0x200f || code == 0xfeff;
}

static void put_escaped(struct line *line, uint32_t code) {
    static const char shorts[] = "\"\"\\\\\nn\rr\tt"; /* the character, and its letter */
    char escape[8] = {'\\'};
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2) {
        if (code == (uint8_t)shorts[i]) {
            escape[1] = shorts[i + 1];
            put(line, escape, 2);
            return;
        }
    }
    snprintf(escape + 1, sizeof escape - 1, "u%04x", (unsigned)(code & 0xffff));
    put(line, escape, 6);
}

static void put_quoted(struct line *line, struct slice s) {
    size_t done = 0;
    put(line, "\"", 1);
    while (done < s.size && done < TEXT_MAX) {
        struct slice rest = slice_of(s.data + done, s.size - done);
        size_t size = character_size(rest);
        uint32_t code = size ? character_code(rest.data, size) : 0;
        if (!size)
            put_string(line, replacement);
        else if (is_unsafe(code) || code == '"' || code == '\\')
            put_escaped(line, code);
        else
            put(line, (const char *)rest.data, size);
        done += size ? size : 1;
    }
    if (done < s.size)
        put_string(line, ellipsis);
    put(line, "\"", 1);
}

/* What logfmt need not quote: visible ASCII but for = " and \. */
static bool is_plain(struct slice s) {
    for (size_t i = 0; i < s.size; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~' || strchr("=\"\\", s.data[i]))
            return false;
    return s.size > 0 && s.size <= TEXT_MAX;
}

static void put_text(struct line *line, struct slice s) {
    if (!line->json && is_plain(s))
        put(line, (const char *)s.data, s.size);
    else
        put_quoted(line, s);
}

/* ---- Fields ------------------------------------------------------------------------------ */

static void put_name(struct line *line, const char *name) {
    if (line->size)
        put(line, line->json ? "," : " ", 1);
    if (line->json)
        put(line, line->size ? "\"" : "{\"", line->size ? 1 : 2);
    put_string(line, name);
    put_string(line, line->json ? "\":" : "=");
}

static void put_string_field(struct line *line, const char *name, const char *value) {
    put_name(line, name);
    put_text(line, slice_of_string(value));
}

static void put_whole(struct line *line, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    put_string(line, text);
}

static void put_whole_field(struct line *line, const char *name, int64_t value) {
    put_name(line, name);
    put_whole(line, value);
}

static void put_number_field(struct line *line, const char *name, uint64_t number) {
    char text[LOG_NUMBER_SIZE];
    if (!number)
        return;
    log_number_text(number, text);
    put_string_field(line, name, text);
}

static void put_ms(struct line *line, int64_t us) {
    char text[32];
    uint64_t size = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;
    snprintf(text, sizeof text, "%s%llu.%03u", us < 0 ? "-" : "", (unsigned long long)(size / 1000),
             (unsigned)(size % 1000));
    put_string(line, text);
}

static void put_id(struct line *line, const mneme_id *id) {
    char text[ID_TEXT_SIZE] = "";
    if (id)
        id_format(id, text);
    put_text(line, slice_of_string(text));
}

static void put_field(struct line *line, const struct log_field *field) {
    put_name(line, field->name);
    switch (field->type) {
    case LOG_TYPE_WHOLE:
        put_whole(line, field->as.whole);
        break;
    case LOG_TYPE_TEXT:
        put_text(line, slice_of_text(field->as.text));
        break;
    case LOG_TYPE_BOOL:
        put_string(line, field->as.whole ? "true" : "false");
        break;
    case LOG_TYPE_ID:
        put_id(line, field->as.id);
        break;
    case LOG_TYPE_MS:
        put_ms(line, field->as.whole);
        break;
    case LOG_END:
        break;
    }
}

/* ---- Lines ------------------------------------------------------------------------------- */

/* RFC 3339, always with its microseconds, so that lines sort as texts. */
static void put_time(struct line *line, int64_t time_us) {
    char seconds[TIME_TEXT_SIZE], text[TIME_TEXT_SIZE + 8];
    int64_t micros = time_us % 1000000;
    time_format(time_us - micros, seconds);
    snprintf(text, sizeof text, "%.*s.%06dZ", (int)strlen(seconds) - 1, seconds, (int)micros);
    put_string_field(line, "ts", text);
}

static void put_head(struct line *line, const struct log_head *head) {
    put_time(line, head->time_us);
    put_string_field(line, "level", log_level_name(head->level));
    put_string_field(line, "layer", log_layer_name(head->layer));
    put_string_field(line, "msg", head->message);
    put_whole_field(line, "pid", head->pid);
    put_whole_field(line, "tid", head->tid);
    put_number_field(line, "op", head->scope.op);
    put_number_field(line, "req", head->scope.req);
    if (head->dropped)
        put_whole_field(line, "dropped", (int64_t)head->dropped);
}

size_t log_line_write(mneme_log_format format, const struct log_head *head,
                      const struct log_field *fields, char text[LOG_LINE_MAX + 1]) {
    struct line line = {.text = text, .json = format == MNEME_LOG_JSON};
    bool cut = false;
    put_head(&line, head);
    for (; fields->type != LOG_END; fields++) {
        size_t before = line.size;
        if (!fields->name)
            continue;
        put_field(&line, fields);
        if (line.full) { /* a whole field or nothing: half a JSON string is no JSON */
            line.size = before;
            line.full = false;
            cut = true;
        }
    }
    const char *tail = cut ? (line.json ? ",\"truncated\":true" : " truncated=true") : "";
    int n = snprintf(text + line.size, LOG_LINE_MAX + 1 - line.size, "%s%s\n", tail,
                     line.json ? "}" : "");
    return line.size + (size_t)n;
}
