/*
 * import_source.c - the files of an import, mapped one at a time and cut into chunks.
 */
#include <stdio.h>

#include "api/import.h"

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for an import");
}

/* ---- Inputs ------------------------------------------------------------------------------- */

static int input_open(const char *path, const struct format_operations *format, struct slice loaded,
                      struct input **out, mneme_error *error) {
    struct input *input = mem_zalloc(1, sizeof *input);
    if (!input)
        return no_memory(error);
    *input = (struct input){.path = path,
                            .format = format,
                            .bytes = loaded,
                            .loaded = format->load != NULL,
                            .holders = 1};
    int status = input->loaded ? 0 : file_map(path, &input->bytes, error);
    if (status)
        mem_free(input);
    else
        *out = input;
    return status;
}

static void input_drop(struct input *input) {
    if (input && --input->holders == 0) {
        if (!input->loaded)
            file_unmap(input->bytes);
        mem_free(input);
    }
}

/* ---- The source --------------------------------------------------------------------------- */

/* The format of a file, and how much there is to read. */
static int source_look_at(struct source *source, size_t i, const struct format_operations *format,
                          uint64_t *bytes, mneme_error *error) {
    const char *path = source->files[i];
    struct slice file;
    if (!path)
        return error_set(error, MNEME_INVALID, "files[%zu] is NULL", i);
    TRY(file_map(path, &file, error));
    source->formats[i] = format;
    int status = format ? 0 : format_guess(file, path, &source->formats[i], error);
    size_t size = file.size;
    file_unmap(file);
    TRY(status);
    if (source->formats[i]->load) {
        TRY(source->formats[i]->load(path, &source->loaded[i], error));
        size = source->loaded[i].size;
    }
    *bytes += size;
    return 0;
}

static int source_look(struct source *source, const struct format_operations *format,
                       uint64_t *bytes, mneme_error *error) {
    for (size_t i = 0; i < source->count; i++)
        TRY(source_look_at(source, i, format, bytes, error));
    return 0;
}

int source_open(struct source *source, const char *const *files, size_t count, const char *format,
                uint64_t *bytes, mneme_error *error) {
    const struct format_operations *given = NULL;
    if (format)
        TRY(format_find(format, &given, error));
    *source = (struct source){.files = files, .count = count, .chunk_records = CHUNK_RECORDS};
    source->formats = mem_zalloc(count, sizeof *source->formats);
    source->loaded = mem_zalloc(count, sizeof *source->loaded);
    *bytes = 0;
    int status = source->formats && source->loaded ? source_look(source, given, bytes, error)
                                                   : no_memory(error);
    if (status)
        source_close(source);
    return status;
}

void source_rewind(struct source *source) {
    input_drop(source->input);
    source->input = NULL;
    source->next = 0;
}

void source_close(struct source *source) {
    source_rewind(source);
    for (size_t i = 0; source->loaded && i < source->count; i++)
        file_unmap(source->loaded[i]);
    mem_free(source->formats);
    mem_free(source->loaded);
    source->formats = NULL;
    source->loaded = NULL;
}

/* ---- Chunks ------------------------------------------------------------------------------- */

void chunk_free(struct chunk *chunk) {
    if (!chunk)
        return;
    input_drop(chunk->input);
    write_set_fini(&chunk->set);
    arena_fini(&chunk->arena);
    mem_free(chunk);
}

int slot_reject(struct chunk *chunk, struct slot *slot, const mneme_error *why) {
    size_t size = strlen(chunk->input->path) + strlen(why->message) + 64;
    slot->problem = arena_alloc(&chunk->arena, size);
    if (!slot->problem)
        return MNEME_NO_MEMORY;
    if (slot->piece.is_line)
        snprintf(slot->problem, size, "%s:%llu: %s", chunk->input->path,
                 (unsigned long long)slot->piece.number, why->message);
    else
        snprintf(slot->problem, size, "%s: record %llu: %s", chunk->input->path,
                 (unsigned long long)slot->piece.number, why->message);
    slot->state = SLOT_BAD;
    return 0;
}

/* Cut records off the open file until the chunk is full. *ended: the file has no more. */
static int chunk_fill(struct source *source, struct chunk *chunk, bool *ended, mneme_error *error) {
    size_t start = source->splitter.at;
    while (chunk->count < source->chunk_records && source->splitter.at - start < CHUNK_BYTES) {
        struct slot *slot = &chunk->slots[chunk->count];
        mneme_error why;
        enum split_result result =
            chunk->input->format->split(&source->splitter, &slot->piece, &why);
        if (result == SPLIT_END) {
            *ended = true;
            break;
        }
        chunk->count++;
        if (result == SPLIT_BAD && slot_reject(chunk, slot, &why))
            return no_memory(error);
        TRY(id_make(0, &slot->id, error));
    }
    chunk->bytes = (*ended ? chunk->input->bytes.size : source->splitter.at) - start;
    return 0;
}

static int chunk_read(struct source *source, struct chunk **out, bool *ended, mneme_error *error) {
    struct chunk *chunk = mem_zalloc(1, sizeof *chunk);
    if (!chunk)
        return no_memory(error);
    chunk->input = source->input;
    chunk->input->holders++;
    int status = chunk_fill(source, chunk, ended, error);
    if (status)
        chunk_free(chunk);
    else
        *out = chunk;
    return status;
}

/* A chunk without records, as at the end of a file, is handed out too: its bytes count. */
int source_next(struct source *source, struct chunk **out, mneme_error *error) {
    *out = NULL;
    if (!source->input) {
        if (source->next == source->count)
            return 0;
        TRY(input_open(source->files[source->next], source->formats[source->next],
                       source->loaded[source->next], &source->input, error));
        source->next++;
        source->splitter = splitter_of(source->input->bytes);
    }
    bool ended = false;
    TRY(chunk_read(source, out, &ended, error));
    if (ended) {
        input_drop(source->input);
        source->input = NULL;
    }
    return 0;
}
