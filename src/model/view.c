/*
 * view.c - the header of a record and the struct of its kind name the same id, time and parent;
 * a caller may fill in either. A view is the record with both agreeing.
 */
#include "model/member.h"

static bool join_ids(const mneme_id *a, mneme_id *b) {
    if (id_is_zero(b))
        *b = *a;
    return id_is_zero(a) || id_equal(a, b);
}

static bool join_times(int64_t a, int64_t *b) {
    if (*b == 0)
        *b = a;
    return a == 0 || a == *b;
}

static int check_record(const mneme_record *record, const void *body, mneme_error *error) {
    const char *name = kind_name(record->kind);
    if (!kind_find(record->kind))
        return error_set(error, MNEME_INVALID, "record: kind %d (%s) is not one that can be stored",
                         (int)record->kind, name ? name : "unknown");
    if (record->flags & MNEME_FLAG_DELETED)
        return error_set(error, MNEME_INVALID, "%s: is a tombstone; delete it by its id", name);
    if (!body)
        return error_set(error, MNEME_INVALID, "%s: has no content: set as.%s", name, name);
    return 0;
}

static int contradiction(const mneme_record *record, const char *what, mneme_error *error) {
    return error_set(error, MNEME_INVALID, "%s: %s: differs between the record and its content",
                     kind_name(record->kind), what);
}

/* Let header and body of the view give each other what one of them lacks. */
static int join_parent(const mneme_record *record, struct view *view, mneme_error *error) {
    const struct kind *kind = view->kind;
    if (!kind->has_parent && !id_is_zero(&view->parent))
        return error_set(error, MNEME_INVALID, "%s: parent: only steps and checkpoints have one",
                         kind_name(record->kind));
    if (kind->parent_at == 0)
        return 0;
    mneme_id parent = load_id(member_at(&view->body, kind->parent_at));
    if (!join_ids(&parent, &view->parent))
        return contradiction(record, "episode", error);
    store_id(member_of(&view->body, kind->parent_at), view->parent);
    return 0;
}

int view_of(const mneme_record *record, struct view *view, mneme_error *error) {
    const void *body = record_body(record);
    TRY(check_record(record, body, error));
    const struct kind *kind = kind_find(record->kind);
    view->kind = kind;
    view->parent = record->parent;
    memcpy(&view->body, body, kind->schema->size);
    view->id = load_id(member_at(body, kind->id_at));
    if (!join_ids(&record->id, &view->id))
        return contradiction(record, "id", error);
    view->time_us = load_int(member_at(body, kind->time_at));
    if (!join_times(record->time_us, &view->time_us))
        return contradiction(record, "time", error);
    TRY(join_parent(record, view, error));
    store_id(member_of(&view->body, kind->id_at), view->id);
    store_int(member_of(&view->body, kind->time_at), view->time_us);
    return 0;
}
