/*
 * json_cursor.c - the reader of json_cursor.h.
 */
#include "store/sql/hrana/json_cursor.h"

#include "codec/json.h"

bool json_cursor_fail(struct json_cursor *c, const char *wrong) {
    if (!c->wrong)
        c->wrong = wrong;
    return false;
}

static void skip_space(struct json_cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

bool json_cursor_take(struct json_cursor *c, char byte) {
    if (c->wrong)
        return false;
    skip_space(c);
    if (c->at == c->end || *c->at != (uint8_t)byte)
        return false;
    c->at++;
    return true;
}

bool json_cursor_expect(struct json_cursor *c, char byte, const char *wrong) {
    return json_cursor_take(c, byte) || json_cursor_fail(c, wrong);
}

bool json_cursor_null(struct json_cursor *c) {
    if (c->wrong)
        return false;
    skip_space(c);
    if (c->end - c->at < 4 || memcmp(c->at, "null", 4) != 0)
        return false;
    c->at += 4;
    return true;
}

/* ---- Containers -------------------------------------------------------------------------- */

bool json_cursor_object(struct json_cursor *c) {
    return json_cursor_expect(c, '{', "expected an object");
}
bool json_cursor_array(struct json_cursor *c) {
    return json_cursor_expect(c, '[', "expected an array");
}

/* Whether another one follows in the container that `close` ends. */
static bool next(struct json_cursor *c, bool *first, char close) {
    bool was_first = *first;
    *first = false;
    if (json_cursor_take(c, close))
        return false;
    if (!was_first)
        json_cursor_expect(c, ',', "expected a comma, or the end of the object or array");
    return !c->wrong;
}

bool json_cursor_member(struct json_cursor *c, bool *first, struct slice *key) {
    struct json_raw name;
    if (!next(c, first, '}') || !json_cursor_string(c, &name) ||
        !json_cursor_expect(c, ':', "expected a colon"))
        return false;
    *key = name.text;
    return true;
}

bool json_cursor_element(struct json_cursor *c, bool *first) { return next(c, first, ']'); }

/* ---- Scalars ----------------------------------------------------------------------------- */

bool json_cursor_string(struct json_cursor *c, struct json_raw *out) {
    if (!json_cursor_expect(c, '"', "expected a string"))
        return false;
    const uint8_t *text = c->at, *from = text, *quote;
    for (;; from = quote + 1) {
        quote = memchr(from, '"', (size_t)(c->end - from));
        if (!quote)
            return json_cursor_fail(c, "a string that does not end");
        const uint8_t *backslash = quote;
        while (backslash > text && backslash[-1] == '\\')
            backslash--;
        if ((quote - backslash) % 2 == 0)
            break;
    }
    out->text = slice_of(text, (size_t)(quote - text));
    out->escaped = out->text.size && memchr(text, '\\', out->text.size);
    c->at = quote + 1;
    return true;
}

static bool is_of_number(uint8_t byte) {
    return (byte >= '0' && byte <= '9') || byte == '-' || byte == '+' || byte == '.' ||
           byte == 'e' || byte == 'E';
}

bool json_cursor_number(struct json_cursor *c, struct slice *out) {
    if (c->wrong)
        return false;
    skip_space(c);
    const uint8_t *from = c->at;
    while (c->at < c->end && is_of_number(*c->at))
        c->at++;
    *out = slice_of(from, (size_t)(c->at - from));
    return out->size > 0 || json_cursor_fail(c, "expected a number");
}

bool json_cursor_skip(struct json_cursor *c) {
    if (c->wrong)
        return false;
    skip_space(c);
    size_t size = 0;
    if (json_span(slice_of(c->at, (size_t)(c->end - c->at)), &size, NULL) != 0 || size == 0)
        return json_cursor_fail(c, "expected a value");
    c->at += size;
    return true;
}

bool json_cursor_end(struct json_cursor *c) {
    if (c->wrong)
        return false;
    skip_space(c);
    return c->at == c->end || json_cursor_fail(c, "expected the end of the answer");
}

/* ---- Text -------------------------------------------------------------------------------- */

static bool hex4(const uint8_t *p, size_t left, uint32_t *out) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; i++) {
        uint8_t c = i < left ? p[i] : 0, letter = c | 0x20;
        bool digit = c >= '0' && c <= '9', hex = letter >= 'a' && letter <= 'f';
        if (!digit && !hex)
            return false;
        value = value << 4 | (uint32_t)(digit ? c - '0' : letter - 'a' + 10);
    }
    *out = value;
    return true;
}

static size_t put_utf8(uint32_t c, uint8_t *out) {
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(leads[size] | c);
    return size;
}

/* \uXXXX, or two of them that are one character; what stands at `p` is behind the first "\u". */
static bool decode_unicode(const uint8_t **p, const uint8_t *end, uint8_t **to) {
    uint32_t high, low;
    if (!hex4(*p, (size_t)(end - *p), &high))
        return false;
    *p += 4;
    if (high >= 0xd800 && high < 0xdc00) {
        bool pair = end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' && hex4(*p + 2, 4, &low) &&
                    low >= 0xdc00 && low < 0xe000;
        if (!pair)
            return false;
        *p += 6;
        high = 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
    }
    *to += put_utf8(high, *to);
    return true;
}

/* `*p` is behind a backslash. */
static bool decode_escape(const uint8_t **p, const uint8_t *end, uint8_t **to) {
    static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (*p == end)
        return false;
    uint8_t letter = *(*p)++;
    if (letter == 'u')
        return decode_unicode(p, end, to);
    const char *found = memchr(letters, letter, sizeof letters - 1);
    if (!found)
        return false;
    *(*to)++ = (uint8_t)meant[found - letters];
    return true;
}

bool json_raw_decode(struct json_raw raw, uint8_t *out, size_t *size) {
    const uint8_t *p = raw.text.data, *end = p + raw.text.size;
    uint8_t *to = out;
    while (p < end) {
        uint8_t c = *p++;
        if (c < 0x20)
            return false;
        if (c != '\\')
            *to++ = c;
        else if (!decode_escape(&p, end, &to))
            return false;
    }
    *size = (size_t)(to - out);
    return utf8_valid(slice_of(out, *size)); /* a lone low surrogate is not */
}
