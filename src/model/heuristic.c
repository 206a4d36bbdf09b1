/*
 * heuristic.c - the fields of a heuristic.
 */
#include "model/schema.h"

static const struct field heuristic_fields[] = {
    ROW_WITH(1, "id", ID, mneme_heuristic, id, .flags = IN_HEADER),
    ROW(2, "condition", TEXT, mneme_heuristic, condition),
    ROW(3, "action", TEXT, mneme_heuristic, action),
    ROW_WITH(4, "confidence", DOUBLE, mneme_heuristic, confidence, .flags = FRACTION),
    ROW_WITH(5, "created", TIME, mneme_heuristic, created_us, .flags = IN_HEADER),
    ROW_WITH(6, "evidence", IDS, mneme_heuristic, evidence,
             COUNT_AT(mneme_heuristic, evidence_count)),
    ROW_WITH(7, "tags", TEXTS, mneme_heuristic, tags.items, COUNT_AT(mneme_heuristic, tags.count),
             .flags = TAGS, .attribute = "tag"),
    ROW_WITH(8, "metadata", KEYED, mneme_heuristic, metadata.items,
             COUNT_AT(mneme_heuristic, metadata.count), .schema = &pair_schema,
             .attribute = "meta."),
};
const struct schema heuristic_schema = SCHEMA_OF(heuristic_fields, mneme_heuristic);
