/*
 * checkpoint.c - the fields of a checkpoint. Its episode is the parent in the header.
 */
#include "model/schema.h"

static const struct field checkpoint_fields[] = {
    ROW_WITH(1, "id", ID, mneme_checkpoint, id, .flags = IN_HEADER),
    ROW_WITH(2, "episode", ID, mneme_checkpoint, episode, .flags = IN_HEADER),
    ROW(3, "step", UINT, mneme_checkpoint, step),
    ROW(4, "note", TEXT, mneme_checkpoint, note),
    ROW(5, "state", JSON, mneme_checkpoint, state),
    ROW_WITH(6, "created", TIME, mneme_checkpoint, created_us, .flags = IN_HEADER),
    ROW_WITH(7, "metadata", KEYED, mneme_checkpoint, metadata.items,
             COUNT_AT(mneme_checkpoint, metadata.count), .schema = &pair_schema,
             .attribute = "meta."),
};
const struct schema checkpoint_schema = SCHEMA_OF(checkpoint_fields, mneme_checkpoint);
