/*
 * pattern.c - the fields of a pattern.
 */
#include "model/schema.h"

static const struct field effectiveness_fields[] = {
    ROW(1, "retrieved", UINT, mneme_effectiveness, retrieved),
    ROW(2, "applied", UINT, mneme_effectiveness, applied),
    ROW(3, "success", UINT, mneme_effectiveness, success),
    ROW(4, "failure", UINT, mneme_effectiveness, failure),
    ROW(5, "reward_delta", DOUBLE, mneme_effectiveness, reward_delta),
};
static const struct schema effectiveness_schema =
    SCHEMA_OF(effectiveness_fields, mneme_effectiveness);

static const struct field pattern_fields[] = {
    ROW_WITH(1, "id", ID, mneme_pattern, id, .flags = IN_HEADER),
    ROW_WITH(2, "type", TEXT, mneme_pattern, type, .attribute = "type"),
    ROW(3, "name", TEXT, mneme_pattern, name),
    ROW(4, "description", TEXT, mneme_pattern, description),
    ROW(5, "content", JSON, mneme_pattern, content),
    ROW_WITH(6, "created", TIME, mneme_pattern, created_us, .flags = IN_HEADER),
    ROW_WITH(7, "success_rate", DOUBLE, mneme_pattern, success_rate, .flags = FRACTION),
    ROW(8, "occurrences", UINT, mneme_pattern, occurrences),
    ROW_WITH(9, "effectiveness", MESSAGE, mneme_pattern, effectiveness,
             .schema = &effectiveness_schema),
    ROW_WITH(10, "context", MESSAGE, mneme_pattern, context, .schema = &context_schema),
    ROW_WITH(11, "tags", TEXTS, mneme_pattern, tags.items, COUNT_AT(mneme_pattern, tags.count),
             .flags = TAGS, .attribute = "tag"),
    ROW_WITH(12, "metadata", KEYED, mneme_pattern, metadata.items,
             COUNT_AT(mneme_pattern, metadata.count), .schema = &pair_schema, .attribute = "meta."),
};
const struct schema pattern_schema = SCHEMA_OF(pattern_fields, mneme_pattern);
