/*
 * embedding.c - the fields of an embedding. Its format stands in the first byte of the vector.
 */
#include "model/schema.h"

static const char *const format_name_list[] = {
    [MNEME_F32] = "f32",
    [MNEME_F16] = "f16",
    [MNEME_I8] = "i8",
};
static const struct names format_names = {format_name_list, COUNT_OF(format_name_list)};

static const struct field embedding_fields[] = {
    ROW_WITH(1, "id", ID, mneme_embedding, id, .flags = IN_HEADER),
    ROW_WITH(2, "subject", ID, mneme_embedding, subject, .flags = NEEDED, .attribute = "subject"),
    ROW_WITH(3, "subject_kind", ENUM, mneme_embedding, subject_kind, .names = &kind_names),
    ROW_WITH(4, "model", TEXT, mneme_embedding, model, .attribute = "model"),
    ROW_WITH(5, "created", TIME, mneme_embedding, created_us, .flags = IN_HEADER),
    ROW_WITH(6, "stored_as", ENUM, mneme_embedding, stored_as, .flags = IN_HEADER,
             .names = &format_names),
    ROW_WITH(7, "values", VECTOR, mneme_embedding, values, COUNT_AT(mneme_embedding, count)),
};
const struct schema embedding_schema = SCHEMA_OF(embedding_fields, mneme_embedding);
