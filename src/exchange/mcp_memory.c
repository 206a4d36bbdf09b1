/*
 * mcp_memory.c - the memory file of the Model Context Protocol's memory server: a knowledge graph,
 * an entity or a relation a line.
 *
 * {type: "entity", name, entityType, observations: [texts]} becomes a pattern of the type "entity",
 * {type: "relation", from, to, relationType} a relation between two of them. The file has no ids:
 * the name of an entity is its identity, so ids are made from names, and a relation finds its ends
 * whether they stand before it, behind it, in another file or nowhere. Older versions of the server
 * write whatever members a client sends; those that are not named here are kept as they are.
 */
#include "exchange/exchange_impl.h"

static const char unnamed[] = "unnamed"; /* a relation in mneme has a type */

static enum guess mcp_memory_guess(const struct outline *outline) {
    bool told = outline_has(outline, "type") &&
                (outline_has(outline, "entityType") || outline_has(outline, "relationType"));
    return told ? GUESS_BY_CONTENT : GUESS_NO;
}

/* ---- Identity ---------------------------------------------------------------------------- */

/* From a JSON list of these texts, which no other texts make. */
static int id_of(const char *what, const mneme_text *names, size_t count, mneme_id *out) {
    AUTO_BUF struct buf b = BUF_INIT(JSON_SIZE_MAX);
    buf_printf(&b, "[\"mcp-memory\",\"%s\"", what);
    for (size_t i = 0; i < count; i++) {
        buf_append_byte(&b, ',');
        json_put_string(&b, slice_of_text(names[i]));
    }
    buf_append_byte(&b, ']');
    TRY(b.status);
    *out = digest_id(buf_slice(&b));
    return 0;
}

static int entity_id(mneme_text name, mneme_id *out) { return id_of("entity", &name, 1, out); }

/* ---- Members ----------------------------------------------------------------------------- */

static int need_text(const struct json_node *line, const char *what, const char *key,
                     mneme_text *out, mneme_error *error) {
    const struct json_node *member = json_member(line, key);
    if (!is_string(member))
        return error_set(error, MNEME_INVALID, "%s: %s: expected a text", what, key);
    *out = text_of_slice(member->text);
    return 0;
}

static bool is_one_of(const struct json_node *member, const char *const *keys, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (key_is(member, keys[i]))
            return true;
    return false;
}

/* An object of the members that are not among the first `count` of `told`. */
static int rest_of(const struct json_node *line, const char *const *told, size_t count,
                   struct arena *arena, mneme_text *out) {
    AUTO_BUF struct buf b = BUF_INIT(JSON_SIZE_MAX);
    const struct json_node *member = json_first(line);
    object_begin(&b);
    for (; member; member = json_next(line, member))
        if (!is_one_of(member, told, count))
            object_member(&b, member->key, member->raw);
    return object_end(&b, arena, out);
}

/* ---- Entities ---------------------------------------------------------------------------- */

/* The observations, a line each, for people. The content has them as they are. */
static int describe(const struct json_node *observations, struct arena *arena, mneme_text *out) {
    AUTO_BUF struct buf b = BUF_INIT(MODEL_TEXT_MAX);
    struct slice copy;
    const struct json_node *item = observations ? json_first(observations) : NULL;
    for (bool first = true; item; item = json_next(observations, item), first = false) {
        if (!first)
            buf_append_byte(&b, '\n');
        if (is_string(item))
            buf_append_slice(&b, item->text);
    }
    TRY(b.status);
    TRY(arena_copy(arena, buf_slice(&b), &copy));
    *out = text_of_slice(copy);
    return 0;
}

static int check_observations(const struct json_node *observations, mneme_error *error) {
    if (!observations)
        return 0;
    if (observations->type != JSON_ARRAY)
        return error_set(error, MNEME_INVALID, "entity: observations: expected a list of texts");
    const struct json_node *item = json_first(observations);
    for (size_t i = 0; item; item = json_next(observations, item), i++)
        if (!is_string(item))
            return error_set(error, MNEME_INVALID, "entity: observations[%zu]: expected a text", i);
    return 0;
}

static int make_entity(const struct json_node *line, struct arena *arena, mneme_record *record,
                       mneme_error *error) {
    static const char *const told[] = {"type", "name", "entityType"};
    const struct json_node *observations = json_member(line, "observations");
    mneme_pattern *p = arena_zalloc(arena, 1, sizeof *p);
    mneme_pair *pairs = arena_zalloc(arena, 2, sizeof *pairs);
    if (!p || !pairs)
        return MNEME_NO_MEMORY;
    pairs[0] = imported_from(&mcp_memory_format);
    pairs[1].name = mneme_text_of("entityType");
    TRY(need_text(line, "entity", "name", &p->name, error));
    TRY(need_text(line, "entity", "entityType", &pairs[1].value, error));
    TRY(check_observations(observations, error));
    TRY(entity_id(p->name, &p->id));
    TRY(describe(observations, arena, &p->description));
    TRY(rest_of(line, told, COUNT_OF(told), arena, &p->content));
    p->type = mneme_text_of("entity");
    p->metadata = (mneme_pair_list){pairs, 2};
    *record = (mneme_record){.kind = MNEME_PATTERN, .id = p->id, .as.pattern = p};
    return 0;
}

/* ---- Relations --------------------------------------------------------------------------- */

/* What a relation has no member for: the names of its ends, which may be all that is known of
 * them; that its type was empty; and members of other versions. */
static int make_metadata(const struct json_node *line, const mneme_text names[3],
                         struct arena *arena, mneme_pair_list *out) {
    static const char *const told[] = {"type", "from", "to", "relationType"};
    mneme_text rest;
    mneme_pair *pairs = arena_zalloc(arena, 5, sizeof *pairs);
    if (!pairs)
        return MNEME_NO_MEMORY;
    size_t count = 0;
    pairs[count++] = imported_from(&mcp_memory_format);
    pairs[count++] = (mneme_pair){mneme_text_of("from"), names[0]};
    pairs[count++] = (mneme_pair){mneme_text_of("to"), names[1]};
    if (names[2].size == 0)
        pairs[count++] = (mneme_pair){mneme_text_of("relationType"), names[2]};
    TRY(rest_of(line, told, COUNT_OF(told), arena, &rest));
    if (rest.size)
        pairs[count++] = (mneme_pair){mneme_text_of("extra"), rest};
    *out = (mneme_pair_list){pairs, count};
    return 0;
}

static int make_relation(const struct json_node *line, struct arena *arena, mneme_record *record,
                         mneme_error *error) {
    mneme_text names[3];
    mneme_relation *r = arena_zalloc(arena, 1, sizeof *r);
    if (!r)
        return MNEME_NO_MEMORY;
    TRY(need_text(line, "relation", "from", &names[0], error));
    TRY(need_text(line, "relation", "to", &names[1], error));
    TRY(need_text(line, "relation", "relationType", &names[2], error));
    TRY(id_of("relation", names, COUNT_OF(names), &r->id));
    TRY(entity_id(names[0], &r->from));
    TRY(entity_id(names[1], &r->to));
    TRY(make_metadata(line, names, arena, &r->metadata));
    r->type = names[2].size ? names[2] : mneme_text_of(unnamed);
    r->from_kind = r->to_kind = MNEME_PATTERN;
    *record = (mneme_record){.kind = MNEME_RELATION, .id = r->id, .as.relation = r};
    return 0;
}

/* ---- Lines ------------------------------------------------------------------------------- */

static int make_record(const struct json_node *line, struct arena *arena, mneme_record *record,
                       mneme_error *error) {
    if (line->type != JSON_OBJECT)
        return error_set(error, MNEME_INVALID, "expected an object");
    mneme_text type = member_text(line, "type");
    if (text_is(type, "entity"))
        return make_entity(line, arena, record, error);
    if (text_is(type, "relation"))
        return make_relation(line, arena, record, error);
    return error_set(error, MNEME_INVALID, "type: expected \"entity\" or \"relation\"");
}

static int mcp_memory_parse(const struct piece *piece, const char *path, struct arena *arena,
                            struct exchange_record *out, mneme_error *error) {
    (void)path;
    const struct json_node *line;
    mneme_record record = {0};
    TRY(json_parse(piece->text, arena, &line, error));
    int status = make_record(line, arena, &record, error);
    if (status == MNEME_NO_MEMORY)
        return exchange_no_memory(error);
    if (status == MNEME_TOO_LARGE)
        return error_set(error, status, "larger than this format may be");
    TRY(status);
    *out = (struct exchange_record){.record = record, .identity = IDENTITY_CONTENT};
    return 0;
}

const struct format_operations mcp_memory_format = {.name = "mcp-memory",
                                                    .guess = mcp_memory_guess,
                                                    .split = split_lines,
                                                    .parse = mcp_memory_parse};
