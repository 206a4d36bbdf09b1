/*
 * do_memory_learned.c - patterns, heuristics, relationships and embeddings of do-memory.
 */
#include "exchange/do_memory.h"

/* ---- Patterns ---------------------------------------------------------------------------- */

static const struct variant {
    const char *name, *type;
    const char *says; /* the member that names it, a text or a list of texts */
} variants[] = {{"tool_sequence", "tool_sequence", "tools"},
                {"decision_point", "decision_point", "condition"},
                {"error_recovery", "error_recovery", "error_type"},
                {"context_pattern", "context", "recommended_approach"}};

static const struct variant *variant_of(mneme_text name) {
    for (size_t i = 0; i < COUNT_OF(variants); i++)
        if (text_is(name, variants[i].name))
            return &variants[i];
    return NULL;
}

bool dm_is_pattern(const struct json_node *object) {
    const struct json_node *only = object->count == 1 ? json_first(object) : NULL;
    return only && only->type == JSON_OBJECT && variant_of(text_of_slice(only->key));
}

static int read_name(struct dm *dm, const struct json_node *object, const char *key,
                     mneme_text *out) {
    mneme_text_list words = {NULL, 0};
    struct slice copy;
    const struct json_node *member = dm_member(object, key);
    if (!member || member->type != JSON_ARRAY)
        return dm_text(dm, object, key, out);
    AUTO_BUF struct buf b = BUF_INIT(MODEL_TEXT_MAX);
    TRY(dm_texts(dm, object, key, &words));
    for (size_t i = 0; i < words.count; i++) {
        buf_append_string(&b, i ? " -> " : "");
        buf_append_slice(&b, slice_of_text(words.items[i]));
    }
    TRY(b.status);
    TRY(arena_copy(dm->arena, buf_slice(&b), &copy));
    *out = text_of_slice(copy);
    return 0;
}

static int read_effectiveness(struct dm *dm, const struct json_node *object, mneme_pattern *p) {
    const struct json_node *from;
    mneme_effectiveness *e = &p->effectiveness;
    TRY(dm_container(dm, object, "effectiveness", JSON_OBJECT, &from));
    TRY(dm_count(dm, from, "times_retrieved", &e->retrieved));
    TRY(dm_count(dm, from, "times_applied", &e->applied));
    TRY(dm_count(dm, from, "success_when_applied", &e->success));
    TRY(dm_count(dm, from, "failure_when_applied", &e->failure));
    TRY(dm_number(dm, from, "avg_reward_delta", &e->reward_delta));
    return dm_time(dm, from, "created_at", &p->created_us);
}

/* How often it was seen, and how often it went well: each variant says it in its own way. */
static int read_rates(struct dm *dm, const struct json_node *object, mneme_pattern *p) {
    const struct json_node *stats, *evidence;
    uint64_t successes = 0;
    TRY(dm_share(dm, object, "success_rate", &p->success_rate));
    TRY(dm_count(dm, object, "occurrence_count", &p->occurrences));
    TRY(dm_container(dm, object, "outcome_stats", JSON_OBJECT, &stats));
    TRY(dm_container(dm, object, "evidence", JSON_ARRAY, &evidence));
    if (evidence)
        p->occurrences = evidence->count;
    if (!stats)
        return 0;
    TRY(dm_count(dm, stats, "total_count", &p->occurrences));
    TRY(dm_count(dm, stats, "success_count", &successes));
    if (p->occurrences && successes <= p->occurrences)
        p->success_rate = (double)successes / (double)p->occurrences;
    return 0;
}

/* The content is what the pattern is made of: all that is told nowhere else. */
static int make_content(struct dm *dm, const struct json_node *object, mneme_text *out) {
    AUTO_BUF struct buf b = BUF_INIT(JSON_SIZE_MAX);
    object_begin(&b);
    dm_put_rest(&b, NULL, object,
                DM_TOLD("id", "context", "success_rate", "occurrence_count", "effectiveness"));
    dm_put_rest(&b, "context", dm_member(object, "context"),
                DM_TOLD("language", "framework", "domain", "complexity"));
    dm_put_rest(&b, "effectiveness", dm_member(object, "effectiveness"),
                DM_TOLD("times_retrieved", "times_applied", "success_when_applied",
                        "failure_when_applied", "avg_reward_delta", "created_at"));
    return object_end(&b, dm->arena, out);
}

static mneme_record pattern_record(const mneme_pattern *p) {
    return (mneme_record){
        .kind = MNEME_PATTERN, .id = p->id, .time_us = p->created_us, .as.pattern = p};
}

int dm_pattern(struct dm *dm, const struct json_node *object, mneme_record *out) {
    const struct json_node *only = json_first(object);
    const struct variant *variant = only ? variant_of(text_of_slice(only->key)) : NULL;
    mneme_pattern *p = arena_zalloc(dm->arena, 1, sizeof *p);
    if (!p)
        return MNEME_NO_MEMORY;
    if (!variant)
        return error_set(dm->error, MNEME_INVALID, "is no pattern");
    p->type = mneme_text_of(variant->type);
    TRY(dm_need_id(dm, only, "id", &p->id));
    TRY(read_name(dm, only, variant->says, &p->name));
    TRY(dm_context(dm, only, &p->context));
    TRY(dm_texts(dm, dm_member(only, "context"), "tags", &p->tags));
    TRY(read_rates(dm, only, p));
    TRY(read_effectiveness(dm, only, p));
    TRY(make_content(dm, only, &p->content));
    TRY(dm_metadata(dm, NULL, NULL, 0, &p->metadata));
    *out = pattern_record(p);
    return 0;
}

/* The column has the whole pattern as Rust's Debug prints it: its first word is the variant. */
static int read_row_type(struct dm *dm, const struct json_node *row, mneme_text *out) {
    mneme_text debug = {NULL, 0}, name;
    size_t size = 0;
    TRY(dm_text(dm, row, "pattern_type", &debug));
    while (size < debug.size && !memchr(" {(", debug.data[size], 3))
        size++;
    TRY(dm_snake(dm, (mneme_text){debug.data, size}, &name));
    const struct variant *variant = variant_of(name);
    *out = variant ? mneme_text_of(variant->type) : name;
    return 0;
}

/* A row of the table, which holds less than the pattern did: a description, and a heuristic. */
int dm_pattern_row(struct dm *dm, const struct json_node *row, mneme_record *out) {
    const struct json_node *data;
    mneme_pattern *p = arena_zalloc(dm->arena, 1, sizeof *p);
    AUTO_BUF struct buf b = BUF_INIT(JSON_SIZE_MAX);
    if (!p)
        return MNEME_NO_MEMORY;
    TRY(dm_need_id(dm, row, "pattern_id", &p->id));
    TRY(read_row_type(dm, row, &p->type));
    TRY(dm_container(dm, row, "pattern_data", JSON_OBJECT, &data));
    TRY(dm_text(dm, data, "description", &p->name));
    TRY(dm_context(dm, data, &p->context));
    TRY(dm_texts(dm, dm_member(data, "context"), "tags", &p->tags));
    TRY(read_rates(dm, row, p));
    TRY(dm_time(dm, row, "created_at", &p->created_us));
    object_begin(&b);
    dm_put_rest(&b, NULL, data, DM_TOLD("description", "context"));
    dm_put_rest(&b, "row", row,
                DM_TOLD("pattern_id", "pattern_data", "success_rate", "occurrence_count",
                        "created_at", "context_domain", "context_language", "context_tags"));
    TRY(object_end(&b, dm->arena, &p->content));
    TRY(dm_metadata(dm, NULL, NULL, 0, &p->metadata));
    *out = pattern_record(p);
    return 0;
}

/* ---- Heuristics -------------------------------------------------------------------------- */

/* The table calls two members otherwise. */
int dm_heuristic(struct dm *dm, const struct json_node *object, mneme_record *out) {
    const struct json_node *evidence;
    mneme_text rest;
    AUTO_BUF struct buf b = BUF_INIT(JSON_SIZE_MAX);
    mneme_heuristic *h = arena_zalloc(dm->arena, 1, sizeof *h);
    if (!h)
        return MNEME_NO_MEMORY;
    TRY(dm_need_id(dm, object, "heuristic_id", &h->id));
    TRY(dm_text(dm, object, "condition_text", &h->condition));
    TRY(dm_text(dm, object, "condition", &h->condition));
    TRY(dm_text(dm, object, "action_text", &h->action));
    TRY(dm_text(dm, object, "action", &h->action));
    TRY(dm_share(dm, object, "confidence", &h->confidence));
    TRY(dm_time(dm, object, "created_at", &h->created_us));
    TRY(dm_container(dm, object, "evidence", JSON_OBJECT, &evidence));
    TRY(dm_ids(dm, evidence, "episode_ids", &h->evidence, &h->evidence_count));
    object_begin(&b);
    dm_put_rest(&b, NULL, object,
                DM_TOLD("heuristic_id", "condition", "condition_text", "action", "action_text",
                        "confidence", "created_at", "evidence"));
    dm_put_rest(&b, "evidence", evidence, DM_TOLD("episode_ids"));
    TRY(object_end(&b, dm->arena, &rest));
    const mneme_pair more = {mneme_text_of("extra"), rest};
    TRY(dm_metadata(dm, NULL, &more, 1, &h->metadata));
    *out = (mneme_record){
        .kind = MNEME_HEURISTIC, .id = h->id, .time_us = h->created_us, .as.heuristic = h};
    return 0;
}

/* ---- Relationships ----------------------------------------------------------------------- */

static int read_ends(struct dm *dm, const struct json_node *object, mneme_relation *r) {
    const char *key = dm_member(object, "id") ? "id" : "relationship_id";
    bool of_pattern = dm_member(object, "pattern_id") != NULL;
    TRY(dm_need_id(dm, object, key, &r->id));
    TRY(dm_need_id(dm, object, of_pattern ? "episode_id" : "from_episode_id", &r->from));
    TRY(dm_need_id(dm, object, of_pattern ? "pattern_id" : "to_episode_id", &r->to));
    r->from_kind = MNEME_EPISODE;
    r->to_kind = of_pattern ? MNEME_PATTERN : MNEME_EPISODE;
    return 0;
}

/* Between two episodes, or, in a table of its own, from an episode to a pattern. What a row says of
 * it in columns stands in the metadata of the JSON form. */
int dm_relation(struct dm *dm, const struct json_node *object, mneme_record *out) {
    const struct json_node *metadata;
    mneme_text type = {NULL, 0}, rest;
    AUTO_BUF struct buf b = BUF_INIT(JSON_SIZE_MAX);
    mneme_relation *r = arena_zalloc(dm->arena, 1, sizeof *r);
    if (!r)
        return MNEME_NO_MEMORY;
    TRY(read_ends(dm, object, r));
    TRY(dm_text(dm, object, "relationship_type", &type));
    TRY(dm_snake(dm, type, &r->type));
    TRY(dm_time(dm, object, "created_at", &r->created_us));
    TRY(dm_container(dm, object, "metadata", JSON_OBJECT, &metadata));
    TRY(dm_number(dm, metadata, "weight", &r->weight));
    TRY(dm_number(dm, object, "weight", &r->weight));
    mneme_pair more[] = {{.name = mneme_text_of("reason")},
                         {.name = mneme_text_of("created_by")},
                         {.name = mneme_text_of("extra")}};
    for (size_t i = 0; i < 2; i++) {
        TRY(dm_text(dm, metadata, more[i].name.data, &more[i].value));
        TRY(dm_text(dm, object, more[i].name.data, &more[i].value));
    }
    object_begin(&b);
    dm_put_rest(&b, NULL, object,
                DM_TOLD("id", "relationship_id", "from_episode_id", "to_episode_id", "episode_id",
                        "pattern_id", "relationship_type", "created_at", "metadata", "weight",
                        "reason", "created_by"));
    dm_put_rest(&b, "metadata", metadata, DM_TOLD("weight", "reason", "created_by"));
    TRY(object_end(&b, dm->arena, &rest));
    more[2].value = rest;
    TRY(dm_metadata(dm, NULL, more, COUNT_OF(more), &r->metadata));
    *out = (mneme_record){
        .kind = MNEME_RELATION, .id = r->id, .time_us = r->created_us, .as.relation = r};
    return 0;
}

/* ---- Embeddings -------------------------------------------------------------------------- */

static int read_values(struct dm *dm, const struct json_node *row, mneme_embedding *e) {
    const struct json_node *list;
    TRY(dm_container(dm, row, "embedding_data", JSON_ARRAY, &list));
    if (!list)
        return error_set(dm->error, MNEME_INVALID, "embedding_data: expected a list of numbers");
    float *values = arena_zalloc(dm->arena, list->count, sizeof *values);
    if (!values)
        return MNEME_NO_MEMORY;
    const struct json_node *item = json_first(list);
    for (size_t i = 0; item; item = json_next(list, item), i++) {
        double value;
        if (item->type != JSON_NUMBER || !json_double(item, &value))
            return error_set(dm->error, MNEME_INVALID, "embedding_data[%zu]: expected a number", i);
        values[i] = (float)value;
    }
    e->values = values;
    e->count = list->count;
    return 0;
}

/* A row; its id is a short hash of item and type, so the model is part of ours. */
int dm_embedding(struct dm *dm, const struct json_node *row, mneme_record *out) {
    mneme_text type = {NULL, 0}, id = {NULL, 0};
    AUTO_BUF struct buf name = BUF_INIT(MODEL_TEXT_MAX);
    mneme_embedding *e = arena_zalloc(dm->arena, 1, sizeof *e);
    if (!e)
        return MNEME_NO_MEMORY;
    TRY(dm_text(dm, row, "embedding_id", &id));
    TRY(dm_text(dm, row, "item_type", &type));
    TRY(dm_need_id(dm, row, "item_id", &e->subject));
    TRY(dm_text(dm, row, "model", &e->model));
    TRY(dm_time(dm, row, "created_at", &e->created_us));
    TRY(read_values(dm, row, e));
    buf_append_slice(&name, slice_of_text(id));
    buf_append_byte(&name, 0);
    buf_append_slice(&name, slice_of_text(e->model));
    TRY(name.status);
    e->id = digest_id(buf_slice(&name));
    e->subject_kind = text_is(type, "pattern") ? MNEME_PATTERN : MNEME_EPISODE;
    *out = (mneme_record){
        .kind = MNEME_EMBEDDING, .id = e->id, .time_us = e->created_us, .as.embedding = e};
    return 0;
}
