/*
 * log_spec.c - "info,net=debug": which layer logs at which level.
 */
#include <stdio.h>

#include "os/log_impl.h"

static const char *const layer_names[LOG_LAYER_COUNT] = {
#define LOG_LAYER_NAME(name, text) text,
    LOG_LAYERS(LOG_LAYER_NAME)
#undef LOG_LAYER_NAME
};

static const char *const level_names[] = {"off", "error", "warn", "info", "debug", "trace"};

const char *log_layer_name(enum log_layer layer) { return layer_names[layer]; }
const char *log_level_name(mneme_log_level level) { return level_names[level]; }

static int find_name(const char *const *names, size_t count, mneme_text text) {
    for (size_t i = 0; i < count; i++)
        if (text_is(text, names[i]))
            return (int)i;
    return -1;
}

static mneme_text trim(const char *from, const char *to) {
    while (from < to && (*from == ' ' || *from == '\t'))
        from++;
    while (to > from && (to[-1] == ' ' || to[-1] == '\t'))
        to--;
    return (mneme_text){from, (size_t)(to - from)};
}

/* What is quoted comes from the user, so it is cut. */
#define QUOTED(text) (int)size_min((text).size, 40), (text).data

static int refuse_layer(mneme_text name, mneme_error *error) {
    char list[128] = "";
    for (size_t i = 0, used = 0; i < LOG_LAYER_COUNT; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "",
                                 layer_names[i]);
    return error_set(error, MNEME_INVALID, "there is no layer \"%.*s\" to log; there are %s",
                     QUOTED(name), list);
}

static int parse_level(mneme_text name, uint8_t *out, mneme_error *error) {
    int level = find_name(level_names, COUNT_OF(level_names), name);
    if (level < 0)
        return error_set(error, MNEME_INVALID,
                         "\"%.*s\" is no level to log at; write off, error, warn, info, debug or "
                         "trace, for one layer net=debug, and commas between several",
                         QUOTED(name));
    *out = (uint8_t)level;
    return 0;
}

/* What a spec has said so far. */
struct spec {
    uint8_t levels[LOG_LAYER_COUNT];
    bool named[LOG_LAYER_COUNT];
    uint8_t others;
    bool others_named;
};

static int parse_part(struct spec *spec, mneme_text part, mneme_error *error) {
    const char *end = part.data + part.size;
    const char *equals = part.size ? memchr(part.data, '=', part.size) : NULL;
    if (!equals) {
        TRY(parse_level(part, &spec->others, error));
        if (spec->others_named)
            return error_set(error, MNEME_INVALID,
                             "\"%.*s\" is a second level for all layers; give one, and LAYER=LEVEL "
                             "for those that differ",
                             QUOTED(part));
        spec->others_named = true;
        return 0;
    }
    mneme_text name = trim(part.data, equals);
    int layer = find_name(layer_names, LOG_LAYER_COUNT, name);
    if (layer < 0)
        return refuse_layer(name, error);
    if (spec->named[layer])
        return error_set(error, MNEME_INVALID, "the layer \"%.*s\" is given two levels to log at",
                         QUOTED(name));
    spec->named[layer] = true;
    return parse_level(trim(equals + 1, end), &spec->levels[layer], error);
}

int log_spec_parse(const char *text, uint8_t levels[LOG_LAYER_COUNT], mneme_error *error) {
    struct spec spec = {.others = MNEME_LOG_OFF};
    for (const char *at = text; at;) {
        const char *end = at + strcspn(at, ",");
        TRY(parse_part(&spec, trim(at, end), error));
        at = *end ? end + 1 : NULL;
    }
    for (size_t i = 0; i < LOG_LAYER_COUNT; i++)
        levels[i] = spec.named[i] ? spec.levels[i] : spec.others;
    return 0;
}
