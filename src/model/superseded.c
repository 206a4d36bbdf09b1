/*
 * superseded.c - the fields of a superseded record: an edit that lost against another machine's.
 */
#include "model/schema.h"

static const struct field superseded_fields[] = {
    ROW_WITH(1, "id", ID, mneme_superseded, id, .flags = IN_HEADER),
    ROW_WITH(2, "subject", ID, mneme_superseded, subject, .flags = NEEDED, .attribute = "subject"),
    ROW_WITH(3, "subject_kind", ENUM, mneme_superseded, subject_kind, .names = &kind_names,
             .attribute = "kind"),
    ROW(4, "reason", TEXT, mneme_superseded, reason),
    ROW_WITH(5, "fields", TEXTS, mneme_superseded, fields.items,
             COUNT_AT(mneme_superseded, fields.count)),
    ROW(6, "lost", JSON, mneme_superseded, lost),
    ROW(7, "lost_clock", UINT, mneme_superseded, lost_clock),
    ROW(8, "lost_device", UINT, mneme_superseded, lost_device),
    ROW(9, "kept_clock", UINT, mneme_superseded, kept_clock),
    ROW(10, "kept_device", UINT, mneme_superseded, kept_device),
    ROW_WITH(11, "time", TIME, mneme_superseded, time_us, .flags = IN_HEADER),
};
const struct schema superseded_schema = SCHEMA_OF(superseded_fields, mneme_superseded);
