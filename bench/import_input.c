/*
 * import_input.c - files to import: many variations as jsonl, the real file, many trials of it.
 */
#include "bench/import_input.h"

#include <errno.h>
#include <stdio.h>

#include "exchange/exchange.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for a file to import");
}

void input_fini(struct input *input) {
    buf_fini(&input->text);
    mem_free(input->pieces);
}

static int input_write(struct input *input, mneme_error *error) {
    FILE *file = fopen(input->path.text, "wbe");
    bool ok = file && fwrite(input->text.data, 1, input->text.size, file) == input->text.size;
    if (file && fclose(file) != 0)
        ok = false;
    return ok ? 0 : error_set_errno(error, errno, "cannot write %s", input->path.text);
}

/* Where the records lie in the text. */
static int input_split(struct input *input, mneme_error *error) {
    const struct format_operations *format;
    struct splitter splitter = splitter_of(buf_slice(&input->text));
    struct piece piece;
    enum split_result result;
    size_t capacity = 0;
    TRY(format_find(input->format, &format, error));
    while ((result = format->split(&splitter, &piece, error)) == SPLIT_RECORD) {
        if (input->count == capacity) {
            capacity = capacity ? capacity * 2 : 256;
            struct slice *grown = mem_resize(input->pieces, capacity * sizeof *grown);
            if (!grown)
                return no_memory(error);
            input->pieces = grown;
        }
        input->pieces[input->count++] = piece.text;
        input->bytes += piece.text.size;
    }
    return result == SPLIT_BAD ? MNEME_INVALID : 0;
}

int input_make_jsonl(struct input *input, struct kit *kit, size_t count, mneme_error *error) {
    *input = (struct input){.path = scratch_path_of(&kit->scratch, "many.jsonl"),
                            .format = "jsonl",
                            .text = BUF_INIT(SIZE_MAX)};
    for (size_t i = 0; i < count; i++) {
        AUTO_ARENA struct arena arena = {0};
        mneme_record record;
        TRY(corpus_vary(&kit->corpus, i, &arena, &record, error));
        record.version = (mneme_version){(uint64_t)record.time_us / 1000 << 16, 1};
        TRY(model_to_json(&record, &input->text, error));
        buf_append_byte(&input->text, '\n');
    }
    if (input->text.status)
        return no_memory(error);
    TRY(input_split(input, error));
    return input_write(input, error);
}

/* ---- The real file, many times over --------------------------------------------------------- */

/* The number behind the last "name": in a record's text; false when there is none. */
static bool find_number(struct slice text, const char *name, struct slice *digits) {
    size_t size = strlen(name);
    for (size_t at = text.size; at-- > size;) {
        if (memcmp(text.data + at - size, name, size) != 0)
            continue;
        size_t end = at;
        while (end < text.size && text.data[end] >= '0' && text.data[end] <= '9')
            end++;
        *digits = slice_of(text.data + at, end - at);
        return end > at;
    }
    return false;
}

/* Append the records of odd tasks, each with its number of trial replaced. */
static int append_trials(struct input *input, const struct input *real, size_t trial,
                         mneme_error *error) {
    for (size_t i = 0; i < real->count; i++) {
        struct slice text = real->pieces[i], task, digits;
        if (!find_number(text, "\"task_id\": ", &task) ||
            !find_number(text, "\"trial\": ", &digits))
            return error_set(error, MNEME_INVALID, "%s: record %zu has no task or trial",
                             real->path.text, i);
        if (task.data[task.size - 1] % 2 == 0)
            continue;
        buf_append_string(&input->text, input->text.size ? ",\n" : "[");
        buf_append(&input->text, text.data, (size_t)(digits.data - text.data));
        buf_printf(&input->text, "%zu", 10 * trial + digits.data[digits.size - 1] - '0');
        const uint8_t *rest = digits.data + digits.size;
        buf_append(&input->text, rest, (size_t)(text.data + text.size - rest));
    }
    return 0;
}

int input_read_real(struct input *real, struct kit *kit, mneme_error *error) {
    struct slice mapping;
    *real = (struct input){.format = "tau-bench", .text = BUF_INIT(SIZE_MAX)};
    snprintf(real->path.text, sizeof real->path.text, "%s", kit->corpus.path);
    TRY(file_map(kit->corpus.path, &mapping, error));
    buf_append_slice(&real->text, mapping);
    file_unmap(mapping);
    return real->text.status ? no_memory(error) : input_split(real, error);
}

int input_make_trials(struct input *input, struct kit *kit, const struct input *real, size_t count,
                      mneme_error *error) {
    *input = (struct input){.path = scratch_path_of(&kit->scratch, "many.json"),
                            .format = "tau-bench",
                            .text = BUF_INIT(SIZE_MAX)};
    for (size_t trial = 0; trial * kit->corpus.fresh.count < count; trial++)
        TRY(append_trials(input, real, trial, error));
    buf_append_string(&input->text, "]\n");
    if (input->text.status)
        return no_memory(error);
    TRY(input_split(input, error));
    return input_write(input, error);
}

size_t input_even_tasks(const struct input *real, struct slice *samples) {
    size_t count = 0;
    for (size_t i = 0; i < real->count; i++) {
        struct slice task;
        if (find_number(real->pieces[i], "\"task_id\": ", &task) &&
            task.data[task.size - 1] % 2 == 0)
            samples[count++] = real->pieces[i];
    }
    return count;
}
