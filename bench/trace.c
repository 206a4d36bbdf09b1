/*
 * trace.c - the formats of traces, and the numbering of their keys.
 */
#include "bench/trace.h"

#include "bench/generate.h"

enum { FIELDS_MAX = 4, LOOK_AT = 4096, SLOTS_FIRST = 1 << 12 };

/* Next uses are kept in 32 bits by who plays a trace. */
static const size_t REQUESTS_MAX = (size_t)1 << 28;
static const size_t BYTES_MAX = (size_t)1 << 31;

/* ---- Numbering ----------------------------------------------------------------------------- */

/* What is known of a key while a trace is read. */
struct slot {
    uint64_t key;
    uint32_t number;
    bool used;
};

struct reader {
    const char *path;
    size_t line; /* from 1; 0 in a binary file */
    struct trace trace;
    size_t capacity; /* of trace.keys */
    struct slot *slots;
    size_t slot_count; /* a power of two; at most half of them are used */
};

static void reader_fini(struct reader *r) {
    trace_fini(&r->trace);
    mem_free(r->slots);
}

static int no_memory(const struct reader *r, mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for the requests of %s", r->path);
}

/* Where a key is, or the empty slot where it would be. */
static struct slot *slot_of(struct slot *slots, size_t count, uint64_t key) {
    size_t at = (size_t)mix(key, 0) & (count - 1);
    while (slots[at].used && slots[at].key != key)
        at = (at + 1) & (count - 1);
    return &slots[at];
}

static int slots_grow(struct reader *r, mneme_error *error) {
    size_t count = r->slot_count ? r->slot_count * 2 : SLOTS_FIRST;
    struct slot *slots = mem_zalloc(count, sizeof *slots);
    if (!slots)
        return no_memory(r, error);
    for (size_t i = 0; i < r->slot_count; i++)
        if (r->slots[i].used)
            *slot_of(slots, count, r->slots[i].key) = r->slots[i];
    mem_free(r->slots);
    r->slots = slots;
    r->slot_count = count;
    return 0;
}

static int add_key(struct reader *r, uint64_t key, mneme_error *error) {
    struct trace *trace = &r->trace;
    if (trace->count == REQUESTS_MAX)
        return error_set(error, MNEME_TOO_LARGE, "%s: over %zu requests", r->path, REQUESTS_MAX);
    if (trace->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : SLOTS_FIRST;
        uint32_t *keys = mem_resize(trace->keys, capacity * sizeof *keys);
        if (!keys)
            return no_memory(r, error);
        trace->keys = keys;
        r->capacity = capacity;
    }
    if (2 * trace->distinct >= r->slot_count)
        TRY(slots_grow(r, error));
    struct slot *slot = slot_of(r->slots, r->slot_count, key);
    if (!slot->used)
        *slot = (struct slot){.key = key, .number = (uint32_t)trace->distinct++, .used = true};
    trace->keys[trace->count++] = slot->number;
    return 0;
}

/* ---- Lines --------------------------------------------------------------------------------- */

static bool is_space(uint8_t c) { return c == ' ' || c == '\t' || c == '\r'; }

/* What stands up to the next white space. */
static struct slice next_word(struct slice *line) {
    while (line->size && is_space(*line->data))
        *line = slice_of(line->data + 1, line->size - 1);
    size_t size = 0;
    while (size < line->size && !is_space(line->data[size]))
        size++;
    struct slice word = slice_of(line->data, size);
    *line = slice_of(line->data + size, line->size - size);
    return word;
}

static bool parse_number(struct slice digits, uint64_t *out) {
    uint64_t value = 0;
    for (size_t i = 0; i < digits.size; i++) {
        unsigned digit = digits.data[i] - (unsigned)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *out = value;
    return digits.size > 0;
}

/* The numbers of a line; *count is 0 for an empty one. */
static int parse_line(const struct reader *r, struct slice line, uint64_t numbers[FIELDS_MAX],
                      size_t *count, mneme_error *error) {
    *count = 0;
    for (struct slice word = next_word(&line); word.size; word = next_word(&line)) {
        if (*count == FIELDS_MAX)
            return error_set(error, MNEME_INVALID, "%s: line %zu has more than four fields",
                             r->path, r->line);
        if (!parse_number(word, &numbers[*count]))
            return error_set(error, MNEME_INVALID, "%s: line %zu: '%.*s' is not a number", r->path,
                             r->line, (int)size_min(word.size, 30), (const char *)word.data);
        ++*count;
    }
    return 0;
}

static int add_block(struct reader *r, uint64_t start, uint64_t count, mneme_error *error) {
    if (count == 0 || count > REQUESTS_MAX || start > UINT64_MAX - count)
        return error_set(error, MNEME_INVALID, "%s: line %zu: %llu keys from %llu on", r->path,
                         r->line, (unsigned long long)count, (unsigned long long)start);
    for (uint64_t i = 0; i < count; i++)
        TRY(add_key(r, start + i, error));
    return 0;
}

/* The first line that is not empty says what all have: one number, or four. */
static int add_line(struct reader *r, struct slice line, size_t *fields, mneme_error *error) {
    uint64_t numbers[FIELDS_MAX];
    size_t count;
    TRY(parse_line(r, line, numbers, &count, error));
    if (count == 0)
        return 0;
    if (*fields == 0)
        *fields = count;
    if (count != *fields || (count != 1 && count != FIELDS_MAX))
        return error_set(error, MNEME_INVALID,
                         "%s: line %zu has %zu numbers; every line has one (a key) or four (start, "
                         "count and two more)",
                         r->path, r->line, count);
    r->trace.format = count == 1 ? "numbers" : "blocks";
    return count == 1 ? add_key(r, numbers[0], error) : add_block(r, numbers[0], numbers[1], error);
}

static int parse_lines(struct reader *r, struct slice bytes, mneme_error *error) {
    size_t fields = 0;
    while (bytes.size) {
        const uint8_t *end = memchr(bytes.data, '\n', bytes.size);
        size_t size = end ? (size_t)(end - bytes.data) : bytes.size;
        r->line++;
        TRY(add_line(r, slice_of(bytes.data, size), &fields, error));
        size += end != NULL;
        bytes = slice_of(bytes.data + size, bytes.size - size);
    }
    return 0;
}

/* ---- All formats --------------------------------------------------------------------------- */

static int parse_binary(struct reader *r, struct slice bytes, mneme_error *error) {
    if (bytes.size % 4)
        return error_set(
            error, MNEME_INVALID,
            "%s: neither text nor numbers of four bytes (it has %zu bytes); or its end "
            "is missing",
            r->path, bytes.size);
    r->trace.format = "binary";
    for (size_t at = 0; at < bytes.size; at += 4)
        TRY(add_key(r, get_be32(bytes.data + at), error));
    return 0;
}

/* Small numbers of 32 bits have bytes that no text has. */
static bool looks_like_text(struct slice bytes) {
    for (size_t i = 0; i < size_min(bytes.size, LOOK_AT); i++) {
        uint8_t c = bytes.data[i];
        if (c != '\n' && !is_space(c) && (c < ' ' || c > '~'))
            return false;
    }
    return true;
}

int trace_parse(struct slice bytes, const char *path, struct trace *out, mneme_error *error) {
    CLEANUP(reader_fini) struct reader r = {.path = path};
    if (looks_like_text(bytes))
        TRY(parse_lines(&r, bytes, error));
    else
        TRY(parse_binary(&r, bytes, error));
    if (r.trace.count == 0)
        return error_set(error, MNEME_INVALID, "%s: there are no requests in it", path);
    *out = r.trace;
    r.trace = (struct trace){0};
    return 0;
}

int trace_load(const char *path, struct trace *out, mneme_error *error) {
    AUTO_BUF struct buf bytes = BUF_INIT(BYTES_MAX);
    TRY(trace_read(path, &bytes, error));
    return trace_parse(buf_slice(&bytes), path, out, error);
}

void trace_fini(struct trace *trace) {
    mem_free(trace->keys);
    *trace = (struct trace){0};
}
