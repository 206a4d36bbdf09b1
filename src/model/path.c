/*
 * path.c - the place of an error, "episode: steps[3].latency_ms: ", put into words.
 */
#include <stdarg.h>
#include <stdio.h>

#include "model/schema.h"

enum { PATH_DEPTH_MAX = 8, PATH_NAME_SHOWN = 64 };

struct words {
    char text[MNEME_ERROR_TEXT_MAX];
    size_t size;
};

static void put(struct words *w, const char *format, ...) PRINTF_LIKE(2, 3);
static void put(struct words *w, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->size, sizeof w->text - w->size, format, args);
    va_end(args);
    if (n > 0)
        w->size = size_min(w->size + (size_t)n, sizeof w->text - 1);
}

int shown_size(struct slice text) {
    size_t size = size_min(text.size, PATH_NAME_SHOWN);
    while (size < text.size && size > 0 && (text.data[size] & 0xc0) == 0x80)
        size--;
    return (int)size;
}

/* Names can come from the input: cut long ones, and show no control bytes. */
static void put_name(struct words *w, struct slice name) {
    size_t size = (size_t)shown_size(name);
    for (size_t i = 0; i < size; i++)
        put(w, "%c", name.data[i] < 0x20 || name.data[i] == 0x7f ? '?' : name.data[i]);
    put(w, "%s", size < name.size ? "..." : "");
}

/* The outermost name is that of the kind and stands apart: "episode: steps[3].tool: ". */
static void put_path(struct words *w, const struct path *path) {
    const struct path *chain[PATH_DEPTH_MAX];
    size_t depth = 0;
    for (; path && depth < PATH_DEPTH_MAX; path = path->above)
        chain[depth++] = path;
    for (size_t i = depth; i-- > 0;) {
        if (!chain[i]->name.data) {
            put(w, "[%zu]", chain[i]->index);
            continue;
        }
        if (i + 2 < depth)
            put(w, ".");
        put_name(w, chain[i]->name);
        if (i + 1 == depth && depth > 1)
            put(w, ": ");
    }
    put(w, ": ");
}

int path_error(const struct path *path, int code, mneme_error *error, const char *format, ...) {
    struct words w = {.size = 0};
    char text[MNEME_ERROR_TEXT_MAX];
    va_list args;
    if (!error)
        return code;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put_path(&w, path);
    put(&w, "%s", text);
    return error_set(error, code, "%s", w.text);
}
