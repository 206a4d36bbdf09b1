/*
 * split.c - cuts a file into the texts of its records, without parsing them.
 */
#include "exchange/exchange_impl.h"

struct splitter splitter_of(struct slice file) {
    struct splitter s = {.text = file};
    /* The mark of UTF-8 that some editors put in front. */
    if (file.size >= 3 && memcmp(file.data, "\xEF\xBB\xBF", 3) == 0)
        s.at = 3;
    return s;
}

static bool is_space(uint8_t c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

static void skip_space(struct splitter *s) {
    while (s->at < s->text.size && is_space(s->text.data[s->at]))
        s->at++;
}

/* Where the line that holds byte `at` ends: at its newline, or at the end of the text. */
static size_t line_end(struct slice text, size_t at) {
    if (at == text.size)
        return at;
    const uint8_t *newline = memchr(text.data + at, '\n', text.size - at);
    return newline ? (size_t)(newline - text.data) : text.size;
}

enum split_result split_lines(struct splitter *s, struct piece *out, mneme_error *error) {
    (void)error;
    while (s->at < s->text.size) {
        size_t start = s->at, end = line_end(s->text, start);
        s->at = end < s->text.size ? end + 1 : end;
        s->number++;
        while (start < end && is_space(s->text.data[start]))
            start++;
        while (start < end && is_space(s->text.data[end - 1]))
            end--;
        if (start < end) {
            *out = (struct piece){slice_of(s->text.data + start, end - start), s->number, true};
            return SPLIT_RECORD;
        }
    }
    return SPLIT_END;
}

/* ---- Documents --------------------------------------------------------------------------- */

static enum split_result damaged(struct splitter *s, struct piece *out) {
    *out = (struct piece){{NULL, 0}, s->number + 1, false};
    s->layout = LAYOUT_END;
    return SPLIT_BAD;
}

static enum split_result take_value(struct splitter *s, struct piece *out, mneme_error *error) {
    struct slice rest = slice_of(s->text.data + s->at, s->text.size - s->at);
    size_t size;
    if (json_span(rest, &size, error) != 0)
        return damaged(s, out);
    if (size == 0) {
        error_set(error, MNEME_INVALID, "it is cut off: the file ends within it");
        return damaged(s, out);
    }
    s->at += size;
    *out = (struct piece){slice_of(rest.data, size), ++s->number, false};
    return SPLIT_RECORD;
}

static enum split_result end_array(struct splitter *s, struct piece *out, mneme_error *error) {
    s->at++;
    skip_space(s);
    if (s->at < s->text.size) {
        error_set(error, MNEME_INVALID, "there is text behind the array, at byte %zu", s->at);
        return damaged(s, out);
    }
    s->layout = LAYOUT_END;
    return SPLIT_END;
}

static enum split_result split_array(struct splitter *s, struct piece *out, mneme_error *error) {
    skip_space(s);
    if (s->at == s->text.size) {
        error_set(error, MNEME_INVALID, "the file is cut off: its array does not end");
        return damaged(s, out);
    }
    if (s->text.data[s->at] == ']')
        return end_array(s, out, error);
    if (s->number > 0 && s->text.data[s->at] != ',') {
        error_set(error, MNEME_INVALID, "expected ',' or ']' at byte %zu", s->at);
        return damaged(s, out);
    }
    if (s->number > 0)
        s->at++;
    skip_space(s);
    return take_value(s, out, error);
}

static enum split_result split_values(struct splitter *s, struct piece *out, mneme_error *error) {
    skip_space(s);
    return s->at < s->text.size ? take_value(s, out, error) : SPLIT_END;
}

/* A first value that has its line for itself tells that every line is a record. */
static enum layout layout_of(const struct splitter *s) {
    struct splitter ahead = *s;
    skip_space(&ahead);
    if (ahead.at == s->text.size)
        return LAYOUT_END;
    if (s->text.data[ahead.at] == '[')
        return LAYOUT_ARRAY;
    struct slice line = slice_of(s->text.data + ahead.at, line_end(s->text, ahead.at) - ahead.at);
    size_t size;
    if (json_span(line, &size, NULL) != 0 || size == 0)
        return LAYOUT_VALUES;
    struct splitter behind = {.text = line, .at = size};
    skip_space(&behind);
    return behind.at == line.size ? LAYOUT_LINES : LAYOUT_VALUES;
}

enum split_result split_document(struct splitter *s, struct piece *out, mneme_error *error) {
    if (s->layout == LAYOUT_UNKNOWN) {
        s->layout = layout_of(s);
        if (s->layout == LAYOUT_ARRAY) {
            skip_space(s);
            s->at++;
        }
    }
    switch (s->layout) {
    case LAYOUT_LINES:
        return split_lines(s, out, error);
    case LAYOUT_ARRAY:
        return split_array(s, out, error);
    case LAYOUT_VALUES:
        return split_values(s, out, error);
    case LAYOUT_MEMBERS:
    case LAYOUT_ELEMENTS:
    case LAYOUT_UNKNOWN:
    case LAYOUT_END:
        break;
    }
    return SPLIT_END;
}

/* ---- An object of lists ------------------------------------------------------------------ */

/* Pass over the byte, with the white space before and behind it. */
static bool skip_byte(struct splitter *s, uint8_t byte) {
    skip_space(s);
    if (s->at == s->text.size || s->text.data[s->at] != byte)
        return false;
    s->at++;
    skip_space(s);
    return true;
}

/* Pass over a string or another value that is no record. False: it is damaged, or cut off. */
static bool skip_value(struct splitter *s, mneme_error *error) {
    struct slice rest = slice_of(s->text.data + s->at, s->text.size - s->at);
    size_t size;
    if (json_span(rest, &size, error) != 0)
        return false;
    if (size == 0) {
        error_set(error, MNEME_INVALID, "the file is cut off");
        return false;
    }
    s->at += size;
    return true;
}

static void expected(const struct splitter *s, char end, mneme_error *error) {
    if (s->at == s->text.size)
        error_set(error, MNEME_INVALID, "the file is cut off: its %s does not end",
                  end == '}' ? "object" : "list");
    else
        error_set(error, MNEME_INVALID, "expected ',' or '%c' at byte %zu", end, s->at);
}

/* Up to the first element of the next member that is an array. False: it is damaged. At the end of
 * the object the layout is END. */
static bool enter_list(struct splitter *s, mneme_error *error) {
    while (s->layout == LAYOUT_MEMBERS) {
        if (skip_byte(s, '}')) {
            s->layout = LAYOUT_END;
            if (s->at == s->text.size)
                return true;
            error_set(error, MNEME_INVALID, "there is text behind the object, at byte %zu", s->at);
            return false;
        }
        if (s->begun && !skip_byte(s, ',')) {
            expected(s, '}', error);
            return false;
        }
        s->begun = true;
        if (!skip_value(s, error))
            return false;
        if (!skip_byte(s, ':')) {
            error_set(error, MNEME_INVALID, "expected ':' at byte %zu", s->at);
            return false;
        }
        if (skip_byte(s, '[')) {
            s->layout = LAYOUT_ELEMENTS;
            s->begun = false;
        } else if (!skip_value(s, error)) {
            return false;
        }
    }
    return true;
}

enum split_result split_lists(struct splitter *s, struct piece *out, mneme_error *error) {
    if (s->layout == LAYOUT_UNKNOWN && skip_byte(s, '{'))
        s->layout = LAYOUT_MEMBERS;
    while (s->layout != LAYOUT_END) {
        if (!enter_list(s, error))
            return damaged(s, out);
        if (s->layout == LAYOUT_END)
            break;
        if (skip_byte(s, ']')) {
            s->layout = LAYOUT_MEMBERS;
            s->begun = true;
            continue;
        }
        if (s->begun && !skip_byte(s, ',')) {
            expected(s, ']', error);
            return damaged(s, out);
        }
        s->begun = true;
        return take_value(s, out, error);
    }
    return SPLIT_END;
}
