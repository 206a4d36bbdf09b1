/*
 * jsonl.c - mneme's own format: one record a line (docs/jsonl.md).
 */
#include "exchange/exchange_impl.h"

static enum guess jsonl_guess(const struct outline *outline) {
    if (outline_has(outline, "kind"))
        return GUESS_BY_CONTENT;
    bool named =
        path_ends_with(outline->path, ".jsonl") || path_ends_with(outline->path, ".ndjson");
    return named ? GUESS_BY_NAME : GUESS_NO;
}

/* An episode without an id is known again by its origin, which is made from the line when it
 * has none of its own. */
static int give_origin(struct slice line, struct arena *arena, mneme_record *record) {
    if (record->as.episode->origin.size)
        return 0;
    mneme_episode *copy = arena_alloc(arena, sizeof *copy);
    if (!copy)
        return MNEME_NO_MEMORY;
    *copy = *record->as.episode;
    TRY(origin_make(jsonl_format.name, line, arena, &copy->origin));
    record->as.episode = copy;
    return 0;
}

static int jsonl_parse(const struct piece *piece, const char *path, struct arena *arena,
                       struct exchange_record *out, mneme_error *error) {
    (void)path;
    mneme_record record;
    TRY(model_from_json(piece->text, MNEME_KIND_NONE, arena, &record, error));
    bool versioned = !version_is_zero(record.version);
    enum identity identity = versioned ? IDENTITY_VERSION : IDENTITY_CONTENT;
    if (id_is_zero(&record.id) && versioned)
        return error_set(error, MNEME_INVALID, "%s: id: missing; a record with a version needs it",
                         kind_name(record.kind));
    if (id_is_zero(&record.id) && record.kind == MNEME_EPISODE) {
        identity = IDENTITY_ORIGIN;
        if (give_origin(piece->text, arena, &record))
            return exchange_no_memory(error);
    } else if (id_is_zero(&record.id)) {
        identity = IDENTITY_DIGEST;
        record.id = digest_id(piece->text);
    }
    *out = (struct exchange_record){.record = record, .identity = identity};
    return 0;
}

const struct format_operations jsonl_format = {
    .name = "jsonl", .guess = jsonl_guess, .split = split_lines, .parse = jsonl_parse};
