/*
 * do_memory.c - the backup of do-memory, the command line of the Rust project
 * rust-self-learning-memory: {backup_id, timestamp, episodes: [...], patterns: [...]}, or an
 * episode a line. The same parser reads the rows of its tables (sqlite.c).
 *
 * Which record an object is, its members tell. Ids are those of the source, so that what refers to
 * a record finds it.
 */
#include "exchange/do_memory.h"

/* The members of a backup that its records do not have. */
static const char *const backup_members[] = {"backup_id",  "episodes",      "patterns",
                                             "heuristics", "relationships", "timestamp"};

static enum guess do_memory_guess(const struct outline *outline) {
    bool backup = outline_has(outline, "backup_id") || outline_has(outline, "episodes");
    bool record =
        (outline_has(outline, "episode_id") && outline_has(outline, "task_description")) ||
        outline_has(outline, "heuristic_id") || outline_has(outline, "relationship_type");
    return backup || record ? GUESS_BY_CONTENT : GUESS_NO;
}

/* ---- Splitting --------------------------------------------------------------------------- */

/* A backup begins with one of its members. */
static bool is_backup(const struct splitter *s) {
    struct slice key = object_first_key(slice_of(s->text.data + s->at, s->text.size - s->at));
    for (size_t i = 0; i < COUNT_OF(backup_members); i++)
        if (slice_equal(key, slice_of_string(backup_members[i])))
            return true;
    return false;
}

static enum split_result do_memory_split(struct splitter *s, struct piece *out,
                                         mneme_error *error) {
    bool lists = s->layout == LAYOUT_MEMBERS || s->layout == LAYOUT_ELEMENTS ||
                 (s->layout == LAYOUT_UNKNOWN && is_backup(s));
    return lists ? split_lists(s, out, error) : split_document(s, out, error);
}

/* ---- Records ----------------------------------------------------------------------------- */

static int make_record(struct dm *dm, const struct json_node *object, struct exchange_record *out) {
    if (object->type != JSON_OBJECT)
        return error_set(dm->error, MNEME_INVALID, "expected an object");
    if (dm_member(object, "relationship_type"))
        return dm_relation(dm, object, &out->record);
    if (dm_member(object, "embedding_id"))
        return dm_embedding(dm, object, &out->record);
    if (dm_member(object, "episode_id"))
        return dm_episode(dm, object, out);
    if (dm_member(object, "heuristic_id"))
        return dm_heuristic(dm, object, &out->record);
    if (dm_member(object, "pattern_id"))
        return dm_pattern_row(dm, object, &out->record);
    if (dm_is_pattern(object))
        return dm_pattern(dm, object, &out->record);
    return error_set(dm->error, MNEME_INVALID,
                     "is no episode, pattern, heuristic or relationship: it has no episode_id, "
                     "pattern_id, heuristic_id or relationship_type, and is no {\"tool_sequence\": "
                     "{…}}");
}

/* What is wrong, and with which record: its place alone says little when there are many lists, or
 * tables. */
static int reject(const struct json_node *object, const mneme_error *why, mneme_error *error) {
    static const struct {
        const char *key, *kind;
    } kinds[] = {{"relationship_id", "relationship"},
                 {"embedding_id", "embedding"},
                 {"episode_id", "episode"},
                 {"heuristic_id", "heuristic"},
                 {"pattern_id", "pattern"}};
    for (size_t i = 0; i < COUNT_OF(kinds) && object->type == JSON_OBJECT; i++) {
        mneme_text id = member_text(object, kinds[i].key);
        if (id.size)
            return error_set(error, why->code, "%s %.*s: %s", kinds[i].kind,
                             (int)size_min(id.size, 36), id.data, why->message);
    }
    return error_set(error, why->code, "%s", why->message);
}

static int do_memory_parse(const struct piece *piece, const char *path, struct arena *arena,
                           struct exchange_record *out, mneme_error *error) {
    (void)path;
    mneme_error own = {.code = 0};
    struct dm dm = {arena, &own};
    struct exchange_record record = {.identity = IDENTITY_CONTENT};
    const struct json_node *object;
    TRY(json_parse(piece->text, arena, &object, error));
    int status = make_record(&dm, object, &record);
    if (status == MNEME_NO_MEMORY)
        return exchange_no_memory(error);
    if (status == MNEME_TOO_LARGE)
        return error_set(error, status, "larger than this format may be");
    if (status)
        return reject(object, &own, error);
    *out = record;
    return 0;
}

const struct format_operations do_memory_format = {.name = "do-memory",
                                                   .guess = do_memory_guess,
                                                   .split = do_memory_split,
                                                   .parse = do_memory_parse};
