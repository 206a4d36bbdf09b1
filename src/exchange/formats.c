/*
 * formats.c - the table of formats, the guess which one a file has, and how records that come from
 * outside are known again.
 */
#include <strings.h>
#include <xxhash.h>

#include "exchange/exchange_impl.h"
#include "os/log.h"

static const struct format_operations *const formats[] = {&jsonl_format,     &tau_bench_format,
                                                          &swe_agent_format, &mcp_memory_format,
                                                          &do_memory_format, &sqlite_format};
static const char format_names[] = "jsonl, tau-bench, swe-agent, mcp-memory, do-memory, sqlite";

int format_find(const char *name, const struct format_operations **out, mneme_error *error) {
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (strcmp(name, formats[i]->name) == 0) {
            *out = formats[i];
            return 0;
        }
    }
    return error_set(error, MNEME_INVALID, "there is no format \"%.64s\"; known are %s", name,
                     format_names);
}

/* ---- Guessing ---------------------------------------------------------------------------- */

/* Names beyond this are not looked for, so that a guess does not read a huge file twice. */
enum { OUTLINE_BYTES_MAX = 4 << 20 };

static void skip_space(struct slice *text) {
    while (text->size && memchr(" \t\r\n", text->data[0], 4))
        *text = slice_of(text->data + 1, text->size - 1);
}

static bool take_byte(struct slice *text, uint8_t byte) {
    skip_space(text);
    if (text->size == 0 || text->data[0] != byte)
        return false;
    *text = slice_of(text->data + 1, text->size - 1);
    return true;
}

static bool take_value(struct slice *text, struct slice *value) {
    size_t size;
    skip_space(text);
    if (text->size == 0 || json_span(*text, &size, NULL) != 0 || size == 0)
        return false;
    *value = slice_of(text->data, size);
    *text = slice_of(text->data + size, text->size - size);
    return true;
}

static void outline_read(struct outline *o, struct slice text) {
    struct slice key, value;
    (void)take_byte(&text, '[');
    if (!take_byte(&text, '{'))
        return;
    while (o->count < OUTLINE_KEYS_MAX && take_value(&text, &key) && key.data[0] == '"' &&
           take_byte(&text, ':')) {
        o->keys[o->count++] = slice_of(key.data + 1, key.size - 2);
        if (!take_value(&text, &value) || !take_byte(&text, ','))
            return;
    }
}

struct slice object_first_key(struct slice text) {
    struct slice key;
    bool is_key = take_byte(&text, '{') && take_value(&text, &key) && key.data[0] == '"';
    return is_key ? slice_of(key.data + 1, key.size - 2) : slice_of(NULL, 0);
}

bool outline_has(const struct outline *outline, const char *key) {
    for (size_t i = 0; i < outline->count; i++)
        if (slice_equal(outline->keys[i], slice_of_string(key)))
            return true;
    return false;
}

bool path_ends_with(const char *path, const char *ending) {
    size_t size = strlen(path), ending_size = strlen(ending);
    return size > ending_size && strcasecmp(path + size - ending_size, ending) == 0;
}

const char *path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int format_guess(struct slice file, const char *path, const struct format_operations **out,
                 mneme_error *error) {
    struct splitter start = splitter_of(file);
    struct slice text = slice_of(file.data + start.at, file.size - start.at);
    struct outline outline = {.path = path, .head = slice_of(file.data, size_min(file.size, 64))};
    outline_read(&outline, slice_of(text.data, size_min(text.size, OUTLINE_BYTES_MAX)));
    const struct format_operations *best = NULL;
    enum guess surest = GUESS_NO;
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        enum guess guess = formats[i]->guess(&outline);
        if (guess > surest) {
            best = formats[i];
            surest = guess;
        }
    }
    skip_space(&text);
    if (!best && text.size == 0)
        best = &jsonl_format;
    if (!best)
        return error_set(error, MNEME_INVALID, "%s: its format cannot be guessed; name one of %s",
                         path, format_names);
    LOG(DEBUG, EXCHANGE, "format guessed", LOG_STRING("file.path", path),
        LOG_STRING("format", best->name));
    *out = best;
    return 0;
}

/* ---- Identity ---------------------------------------------------------------------------- */

int origin_make(const char *format, struct slice text, struct arena *arena, mneme_text *out) {
    XXH128_hash_t hash = XXH3_128bits(text.data, text.size);
    struct slice copy;
    AUTO_BUF struct buf b = BUF_INIT(256);
    buf_printf(&b, "%s:%016llx%016llx", format, (unsigned long long)hash.high64,
               (unsigned long long)hash.low64);
    TRY(b.status);
    TRY(arena_copy(arena, buf_slice(&b), &copy));
    *out = text_of_slice(copy);
    return 0;
}

mneme_id digest_id(struct slice text) {
    XXH128_hash_t hash = XXH3_128bits(text.data, text.size);
    mneme_id id;
    put_be64(id.bytes, hash.high64);
    put_be64(id.bytes + 8, hash.low64);
    id.bytes[6] = (uint8_t)(0x80 | (id.bytes[6] & 0x0F)); /* version 8 */
    id.bytes[8] = (uint8_t)(0x80 | (id.bytes[8] & 0x3F)); /* the variant of RFC 9562 */
    return id;
}
