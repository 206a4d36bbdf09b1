/*
 * exchange_fuzz.c - reads arbitrary bytes as a file to import. The first byte chooses the format,
 * or that it is guessed. Every record that is read and valid must survive its JSON form.
 */
#include <stdio.h>
#include <stdlib.h>

#include "exchange/exchange.h"
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_BUF_MAX = 64 << 20 };

static void demand(bool holds, const char *what) {
    if (!holds) {
        fprintf(stderr, "exchange_fuzz: %s\n", what);
        abort();
    }
}

/* To a line, back, and to the same line. */
static void through_json(const mneme_record *record, struct arena *arena) {
    AUTO_BUF struct buf line = BUF_INIT(FUZZ_BUF_MAX), again = BUF_INIT(FUZZ_BUF_MAX);
    mneme_record read;
    mneme_error error;
    demand(model_to_json(record, &line, &error) == 0, "what is valid must have a JSON form");
    demand(!line.size || !memchr(line.data, '\n', line.size), "a record must be one line");
    demand(model_from_json(buf_slice(&line), MNEME_KIND_NONE, arena, &read, &error) == 0,
           "its JSON must be read back");
    demand(model_to_json(&read, &again, &error) == 0, "and written again");
    demand(slice_equal(buf_slice(&line), buf_slice(&again)), "with the same bytes");
}

static void read_record(const struct format_operations *format, const struct piece *piece,
                        const char *path) {
    AUTO_ARENA struct arena arena = {0};
    struct exchange_record parsed;
    mneme_record filled;
    mneme_error error = {.code = 0};
    if (format->parse(piece, path, &arena, &parsed, &error) != 0) {
        demand(error.code != 0 && error.message[0], "a failure must say why");
        return;
    }
    bool blank = id_is_zero(&parsed.record.id);
    demand(parsed.identity != IDENTITY_ORIGIN ||
               (blank && parsed.record.as.episode->origin.size > 0),
           "what is known by its origin must have one, and no id");
    demand(parsed.identity == IDENTITY_ORIGIN || !blank, "all else must have an id");
    for (size_t i = 0; i <= parsed.part_count; i++) {
        const mneme_record *record = i ? &parsed.parts[i - 1] : &parsed.record;
        if (model_fill(record, 1, &arena, &filled, &error) == 0 &&
            model_validate(&filled, &error) == 0)
            through_json(&filled, &arena);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const names[] = {"jsonl", "tau-bench", "swe-agent"};
    static const char *const paths[] = {"a.jsonl", "b-airline.json", "c.traj"};
    const struct format_operations *format;
    struct piece piece;
    mneme_error error = {.code = 0};
    enum split_result result;
    if (size == 0)
        return 0;
    struct slice file = slice_of(data + 1, size - 1);
    unsigned choice = data[0] % 8;
    const char *path = paths[choice % 3];
    const char *name = choice == 6 ? "mcp-memory" : choice == 7 ? "do-memory" : names[choice % 3];
    bool guessed = choice >= 3 && choice < 6;
    int status =
        guessed ? format_guess(file, path, &format, &error) : format_find(name, &format, &error);
    if (status != 0 || format->load) /* what is no text: see tables_fuzz.c */
        return 0;
    struct splitter splitter = splitter_of(file);
    while ((result = format->split(&splitter, &piece, &error)) == SPLIT_RECORD) {
        demand(piece.text.size > 0 && piece.text.data >= file.data &&
                   piece.text.data + piece.text.size <= file.data + file.size,
               "a record must lie in its file");
        read_record(format, &piece, path);
    }
    if (result == SPLIT_BAD)
        demand(format->split(&splitter, &piece, &error) == SPLIT_END, "damage must be the end");
    return 0;
}
