/*
 * relation.c - the fields of a relation between two records.
 */
#include "model/schema.h"

static const struct field relation_fields[] = {
    ROW_WITH(1, "id", ID, mneme_relation, id, .flags = IN_HEADER),
    ROW_WITH(2, "type", TEXT, mneme_relation, type, .flags = NEEDED, .attribute = "type"),
    ROW_WITH(3, "from", ID, mneme_relation, from, .flags = NEEDED, .attribute = "from"),
    ROW_WITH(4, "from_kind", ENUM, mneme_relation, from_kind, .names = &kind_names),
    ROW_WITH(5, "to", ID, mneme_relation, to, .flags = NEEDED, .attribute = "to"),
    ROW_WITH(6, "to_kind", ENUM, mneme_relation, to_kind, .names = &kind_names),
    ROW(7, "weight", DOUBLE, mneme_relation, weight),
    ROW_WITH(8, "created", TIME, mneme_relation, created_us, .flags = IN_HEADER),
    ROW_WITH(9, "metadata", KEYED, mneme_relation, metadata.items,
             COUNT_AT(mneme_relation, metadata.count), .schema = &pair_schema,
             .attribute = "meta."),
};
const struct schema relation_schema = SCHEMA_OF(relation_fields, mneme_relation);
