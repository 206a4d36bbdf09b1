/*
 * json_text.c - strings to JSON text, and where a value ends in text that is not parsed yet.
 */
#include "codec/json.h"

/* ---- Writing strings --------------------------------------------------------------------- */

/* The letter after the backslash of a byte that must be escaped; 'u' for the long form. */
static char escape_of(uint8_t byte) {
    switch (byte) {
    case '"':
    case '\\':
        return (char)byte;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return byte < 0x20 ? 'u' : 0;
    }
}

static void put_escaped(struct buf *b, uint8_t byte, char escape) {
    static const char hex[] = "0123456789abcdef";
    const char text[] = {'\\', escape, '0', '0', hex[byte >> 4], hex[byte & 15]};
    buf_append(b, text, escape == 'u' ? 6 : 2);
}

void json_put_string(struct buf *b, struct slice text) {
    size_t written = 0;
    buf_append_byte(b, '"');
    for (size_t i = 0; i < text.size; i++) {
        char escape = escape_of(text.data[i]);
        if (!escape)
            continue;
        buf_append(b, text.data + written, i - written);
        put_escaped(b, text.data[i], escape);
        written = i + 1;
    }
    if (written < text.size)
        buf_append(b, text.data + written, text.size - written);
    buf_append_byte(b, '"');
}

/* ---- Finding the end of a value ---------------------------------------------------------- */

/* Behind the closing quote of the string whose first character is at `start`; 0: it is not there.
 * A quote behind an odd number of backslashes is escaped. */
static size_t string_end(struct slice text, size_t start) {
    const uint8_t *first = text.data + start, *end = text.data + text.size, *quote;
    for (const uint8_t *p = first; p < end; p = quote + 1) {
        quote = memchr(p, '"', (size_t)(end - p));
        if (!quote)
            return 0;
        const uint8_t *backslash = quote;
        while (backslash > first && backslash[-1] == '\\')
            backslash--;
        if ((quote - backslash) % 2 == 0)
            return (size_t)(quote - text.data) + 1;
    }
    return 0;
}

/* Behind the bracket that closes the one at text[0]; 0: it is not there. */
static size_t container_end(struct slice text) {
    size_t depth = 0, i = 0;
    while (i < text.size) {
        uint8_t c = text.data[i++];
        if (c == '"') {
            i = string_end(text, i);
            if (i == 0)
                return 0;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return i;
        }
    }
    return 0;
}

/* Behind a number or literal; 0: it may go on behind the text. */
static size_t scalar_end(struct slice text) {
    static const char delimiters[] = " \t\n\r,:]}[{\"";
    for (size_t i = 0; i < text.size; i++)
        if (memchr(delimiters, text.data[i], sizeof delimiters - 1))
            return i;
    return 0;
}

int json_span(struct slice text, size_t *size, mneme_error *error) {
    uint8_t first = text.size ? text.data[0] : '"';
    if (memchr("{[\"-tfn", first, 7) == NULL && (first < '0' || first > '9'))
        return error_set(error, MNEME_INVALID,
                         "not JSON: expected a value, which begins with { [ \" - t f n or a digit");
    if (first == '{' || first == '[')
        *size = container_end(text);
    else if (first == '"')
        *size = string_end(text, 1);
    else
        *size = scalar_end(text);
    return 0;
}
