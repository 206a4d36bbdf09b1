/*
 * kinds.c - the table of kinds, and the structs that several kinds share.
 */
#include "model/schema.h"

static const char *const kind_name_list[MNEME_KIND_COUNT] = {
    [MNEME_EPISODE] = "episode",       [MNEME_STEP] = "step",
    [MNEME_PATTERN] = "pattern",       [MNEME_HEURISTIC] = "heuristic",
    [MNEME_EMBEDDING] = "embedding",   [MNEME_RELATION] = "relation",
    [MNEME_CHECKPOINT] = "checkpoint", [MNEME_DICTIONARY] = "dictionary",
    [MNEME_SUPERSEDED] = "superseded",
};
const struct names kind_names = {kind_name_list, COUNT_OF(kind_name_list)};

static const struct field context_fields[] = {
    ROW_WITH(1, "language", TEXT, mneme_context, language, .attribute = "language"),
    ROW_WITH(2, "framework", TEXT, mneme_context, framework, .attribute = "framework"),
    ROW_WITH(3, "domain", TEXT, mneme_context, domain, .attribute = "domain"),
    ROW(4, "complexity", TEXT, mneme_context, complexity),
};
const struct schema context_schema = SCHEMA_OF(context_fields, mneme_context);

static const struct field pair_fields[] = {
    ROW(1, "name", TEXT, mneme_pair, name),
    ROW(2, "value", TEXT, mneme_pair, value),
};
const struct schema pair_schema = SCHEMA_OF(pair_fields, mneme_pair);

/* clang-format off */
#define HEAD(struct_, schema_, time_)                                                              \
    .schema = &(schema_), .id_at = offsetof(struct_, id), .time_at = offsetof(struct_, time_)

static const struct kind kinds[] = {
    [MNEME_EPISODE]    = {HEAD(mneme_episode, episode_schema, start_us)},
    [MNEME_STEP]       = {HEAD(mneme_step, step_schema, time_us),
                          .has_parent = true, .parent_name = "episode"},
    [MNEME_PATTERN]    = {HEAD(mneme_pattern, pattern_schema, created_us)},
    [MNEME_HEURISTIC]  = {HEAD(mneme_heuristic, heuristic_schema, created_us)},
    [MNEME_EMBEDDING]  = {HEAD(mneme_embedding, embedding_schema, created_us)},
    [MNEME_RELATION]   = {HEAD(mneme_relation, relation_schema, created_us)},
    [MNEME_CHECKPOINT] = {HEAD(mneme_checkpoint, checkpoint_schema, created_us),
                          .has_parent = true, .parent_at = offsetof(mneme_checkpoint, episode)},
    [MNEME_SUPERSEDED] = {HEAD(mneme_superseded, superseded_schema, time_us)},
};
/* clang-format on */

const struct kind *kind_find(mneme_kind kind) {
    bool has_row = kind > MNEME_KIND_NONE && kind < COUNT_OF(kinds) && kinds[kind].schema;
    return has_row ? &kinds[kind] : NULL;
}

bool kind_is_public(mneme_kind kind) { return kind_find(kind) != NULL; }

const char *kind_name(mneme_kind kind) {
    return kind < kind_names.count ? kind_names.names[kind] : NULL;
}

mneme_kind kind_of_name(mneme_text name) {
    for (size_t i = 0; i < kind_names.count; i++)
        if (kind_names.names[i] && text_is(name, kind_names.names[i]))
            return (mneme_kind)i;
    return MNEME_KIND_NONE;
}

const char *outcome_name(mneme_outcome_kind kind) {
    return kind < outcome_names.count ? outcome_names.names[kind] : NULL;
}
