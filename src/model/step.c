/*
 * step.c - the fields of a step, as a record of its own and inside an episode's body.
 */
#include "model/schema.h"

static const char *const result_name_list[] = {
    [MNEME_RESULT_NONE] = "none",
    [MNEME_RESULT_SUCCESS] = "success",
    [MNEME_RESULT_ERROR] = "error",
    [MNEME_RESULT_TIMEOUT] = "timeout",
};
static const struct names result_names = {result_name_list, COUNT_OF(result_name_list)};

static const struct field step_fields[] = {
    ROW(1, "id", STEP_ID, mneme_step, id),
    ROW(2, "number", STEP_NUMBER, mneme_step, number),
    ROW(3, "time", STEP_TIME, mneme_step, time_us),
    ROW(4, "tool", TEXT, mneme_step, tool),
    ROW(5, "action", TEXT, mneme_step, action),
    ROW(6, "parameters", JSON, mneme_step, parameters),
    ROW_WITH(7, "result", ENUM, mneme_step, result, .names = &result_names),
    ROW(8, "output", TEXT, mneme_step, output),
    ROW_WITH(9, "latency_ms", INT, mneme_step, latency_ms,
             .present_at = offsetof(mneme_step, has_latency)),
    ROW_WITH(10, "tokens", INT, mneme_step, tokens, .present_at = offsetof(mneme_step, has_tokens)),
    ROW_WITH(11, "metadata", KEYED, mneme_step, metadata.items,
             COUNT_AT(mneme_step, metadata.count), .schema = &pair_schema),
};
const struct schema step_schema = SCHEMA_OF(step_fields, mneme_step);
