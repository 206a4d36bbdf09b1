/*
 * do_memory_episode.c - an episode of do-memory, with its steps and its checkpoints.
 */
#include <stdio.h>

#include "exchange/do_memory.h"

struct reading {
    struct dm *dm;
    const struct json_node *root;
    mneme_episode *e;
    struct buf extra;  /* what the episode has no member for, an object that is being written */
    bool numbers_rise; /* … so that the steps keep them */
};

/* ---- Steps ------------------------------------------------------------------------------- */

/* "Timeout", {"Success": {output}} or {"Error": {message}}. */
static int read_result(struct dm *dm, const struct json_node *object, mneme_step *step) {
    const struct json_node *node = dm_member(object, "result"), *value;
    struct slice name;
    if (!node)
        return 0;
    TRY(dm_variant(dm, node, "result", &name, &value));
    if (slice_equal(name, slice_of_string("Success"))) {
        step->result = MNEME_RESULT_SUCCESS;
        return dm_text(dm, value, "output", &step->output);
    }
    if (slice_equal(name, slice_of_string("Error"))) {
        step->result = MNEME_RESULT_ERROR;
        return dm_text(dm, value, "message", &step->output);
    }
    if (!slice_equal(name, slice_of_string("Timeout")))
        return error_set(dm->error, MNEME_INVALID,
                         "result: expected \"Success\", \"Error\" or \"Timeout\"");
    step->result = MNEME_RESULT_TIMEOUT;
    return 0;
}

/* A string of JSON; in versions before it was one, the JSON itself. */
static int read_parameters(struct dm *dm, const struct json_node *object, mneme_step *step) {
    const struct json_node *older = dm_member(object, "parameters");
    if (older && !dm_member(object, "parameters_json"))
        step->parameters = text_of_slice(older->raw);
    return dm_text(dm, object, "parameters_json", &step->parameters);
}

static int read_numbers(struct dm *dm, const struct json_node *object, mneme_step *step) {
    uint64_t latency = 0, tokens = 0;
    TRY(dm_count(dm, object, "latency_ms", &latency));
    TRY(dm_count(dm, object, "tokens_used", &tokens));
    if (latency > INT64_MAX || tokens > INT64_MAX)
        return error_set(dm->error, MNEME_INVALID, "latency_ms or tokens_used: too large");
    step->has_latency = dm_member(object, "latency_ms") != NULL;
    step->has_tokens = dm_member(object, "tokens_used") != NULL;
    step->latency_ms = (int64_t)latency;
    step->tokens = (int64_t)tokens;
    return 0;
}

static int read_step_metadata(struct dm *dm, const struct json_node *object, mneme_step *step) {
    const struct json_node *metadata;
    mneme_pair_list all = {NULL, 0};
    TRY(dm_container(dm, object, "metadata", JSON_OBJECT, &metadata));
    if (!metadata || metadata->count == 0)
        return 0;
    TRY(dm_metadata(dm, metadata, NULL, 0, &all));
    /* What was imported is told by the episode, not by each of its steps. */
    bool own = dm_member(metadata, IMPORTED_FROM) == NULL;
    step->metadata = (mneme_pair_list){all.items + own, all.count - own};
    return 0;
}

static int read_step(struct dm *dm, const struct json_node *object, mneme_step *step) {
    if (object->type != JSON_OBJECT)
        return error_set(dm->error, MNEME_INVALID, "expected an object");
    TRY(dm_count(dm, object, "step_number", &step->number));
    TRY(dm_time(dm, object, "timestamp", &step->time_us));
    TRY(dm_text(dm, object, "tool", &step->tool));
    TRY(dm_text(dm, object, "action", &step->action));
    TRY(read_parameters(dm, object, step));
    TRY(read_result(dm, object, step));
    TRY(read_numbers(dm, object, step));
    return read_step_metadata(dm, object, step);
}

/* mneme orders steps by their numbers, do-memory by their place. */
static void number_steps(struct reading *r, mneme_step *steps, size_t count) {
    r->numbers_rise = true;
    for (size_t i = 0; i < count; i++)
        if (steps[i].number <= (i ? steps[i - 1].number : 0))
            r->numbers_rise = false;
    for (size_t i = 0; i < count && !r->numbers_rise; i++)
        steps[i].number = i + 1;
}

static int read_steps(struct reading *r) {
    const struct json_node *list;
    TRY(dm_container(r->dm, r->root, "steps", JSON_ARRAY, &list));
    size_t count = list ? list->count : 0;
    mneme_step *steps = arena_zalloc(r->dm->arena, count, sizeof *steps);
    if (!steps)
        return MNEME_NO_MEMORY;
    const struct json_node *item = list ? json_first(list) : NULL;
    for (size_t i = 0; item; item = json_next(list, item), i++) {
        int status = read_step(r->dm, item, &steps[i]);
        if (status == MNEME_INVALID)
            return error_prefix(r->dm->error, status, "steps[%zu]", i);
        TRY(status);
    }
    number_steps(r, steps, count);
    r->e->steps = (mneme_step_list){steps, count};
    return 0;
}

/* What steps have no member for, by their place: "steps": {"0": {…}}. */
static void put_steps_rest(struct reading *r) {
    static const char *const told[] = {"timestamp",       "tool",       "action",     "parameters",
                                       "parameters_json", "result",     "latency_ms", "tokens_used",
                                       "metadata",        "step_number"};
    struct dm_told all = {told, COUNT_OF(told) - !r->numbers_rise};
    const struct json_node *list = dm_member(r->root, "steps");
    const struct json_node *item = list ? json_first(list) : NULL;
    size_t start = r->extra.size;
    object_key(&r->extra, slice_of_string("steps"));
    buf_append_byte(&r->extra, '{');
    size_t empty = r->extra.size;
    for (size_t i = 0; item; item = json_next(list, item), i++) {
        char place[24];
        snprintf(place, sizeof place, "%zu", i);
        dm_put_rest(&r->extra, place, item, all);
    }
    if (r->extra.size == empty)
        r->extra.size = start;
    else
        buf_append_byte(&r->extra, '}');
}

/* ---- Context and tags -------------------------------------------------------------------- */

static bool list_has(const mneme_text *texts, size_t count, mneme_text text) {
    for (size_t i = 0; i < count; i++)
        if (text_equal(texts[i], text))
            return true;
    return false;
}

/* The tags of the episode and those of its context, by which do-memory looks for it, too. The
 * latter stay in extra as well. */
static int read_tags(struct reading *r) {
    mneme_text_list own = {NULL, 0}, context = {NULL, 0};
    TRY(dm_texts(r->dm, r->root, "tags", &own));
    TRY(dm_texts(r->dm, dm_member(r->root, "context"), "tags", &context));
    mneme_text *tags = arena_zalloc(r->dm->arena, own.count + context.count, sizeof *tags);
    if (!tags)
        return MNEME_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < own.count; i++)
        tags[count++] = own.items[i];
    for (size_t i = 0; i < context.count; i++) {
        mneme_text tag = context.items[i];
        if (tag.size > 0 && tag.size <= MODEL_NAME_MAX && !list_has(tags, count, tag))
            tags[count++] = tag;
    }
    r->e->tags = (mneme_text_list){tags, count};
    return 0;
}

/* ---- Outcome, reward, reflection --------------------------------------------------------- */

static int read_outcome(struct reading *r) {
    static const struct {
        const char *name;
        mneme_outcome_kind kind;
    } kinds[] = {{"Success", MNEME_SUCCESS},
                 {"PartialSuccess", MNEME_PARTIAL_SUCCESS},
                 {"Failure", MNEME_FAILED},
                 {"Abstained", MNEME_ABSTAINED}};
    const struct json_node *node = dm_member(r->root, "outcome"), *value;
    mneme_outcome *outcome = &r->e->outcome;
    struct slice name;
    if (!node)
        return 0;
    TRY(dm_variant(r->dm, node, "outcome", &name, &value));
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (slice_equal(name, slice_of_string(kinds[i].name)))
            outcome->kind = kinds[i].kind;
    if (outcome->kind == MNEME_OUTCOME_NONE)
        return error_set(r->dm->error, MNEME_INVALID,
                         "outcome: expected Success, PartialSuccess, Failure or Abstained");
    TRY(dm_text(r->dm, value, "verdict", &outcome->verdict));
    TRY(dm_text(r->dm, value, "reason", &outcome->reason));
    TRY(dm_texts(r->dm, value, "artifacts", &outcome->artifacts));
    TRY(dm_texts(r->dm, value, "completed", &outcome->completed));
    TRY(dm_texts(r->dm, value, "failed", &outcome->failed));
    dm_put_rest(&r->extra, "outcome", value,
                DM_TOLD("verdict", "reason", "artifacts", "completed", "failed"));
    return 0;
}

/* The total, and its parts: base, efficiency, … A total that is not finite is null in JSON; then
 * the whole stays in extra. */
static int read_reward(struct reading *r) {
    const struct json_node *reward;
    TRY(dm_container(r->dm, r->root, "reward", JSON_OBJECT, &reward));
    if (reward && !dm_member(reward, "total")) {
        dm_put_rest(&r->extra, "reward", reward, (struct dm_told){NULL, 0});
        return 0;
    }
    size_t count = 0, most = reward ? reward->count : 0;
    mneme_reward_part *parts = arena_zalloc(r->dm->arena, most, sizeof *parts);
    if (!parts)
        return MNEME_NO_MEMORY;
    const struct json_node *member = reward ? json_first(reward) : NULL;
    for (; member; member = json_next(reward, member)) {
        if (member->type == JSON_NULL || key_is(member, "total"))
            continue;
        if (member->type != JSON_NUMBER || !json_double(member, &parts[count].value))
            return error_set(r->dm->error, MNEME_INVALID, "reward: %.*s: expected a number",
                             (int)size_min(member->key.size, 64), (const char *)member->key.data);
        parts[count++].name = text_of_slice(member->key);
    }
    mneme_reward *out = &r->e->reward;
    out->present = reward != NULL;
    out->parts = parts;
    out->part_count = count;
    return dm_number(r->dm, reward, "total", &out->total);
}

static int read_reflection(struct reading *r) {
    const struct json_node *reflection;
    mneme_reflection *out = &r->e->reflection;
    TRY(dm_container(r->dm, r->root, "reflection", JSON_OBJECT, &reflection));
    TRY(dm_texts(r->dm, reflection, "successes", &out->successes));
    TRY(dm_texts(r->dm, reflection, "improvements", &out->improvements));
    TRY(dm_texts(r->dm, reflection, "insights", &out->insights));
    dm_put_rest(&r->extra, "reflection", reflection,
                DM_TOLD("successes", "improvements", "insights"));
    return 0;
}

/* ---- Applied patterns -------------------------------------------------------------------- */

static int read_effect(struct dm *dm, const struct json_node *item, mneme_effect *out) {
    static const char *const names[] = {"Pending", "Helped", "NoEffect", "Hindered"};
    mneme_text name = mneme_text_of(names[0]);
    TRY(dm_text(dm, item, "outcome", &name));
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (text_is(name, names[i])) {
            *out = (mneme_effect)i;
            return 0;
        }
    return error_set(dm->error, MNEME_INVALID,
                     "outcome: expected Helped, NoEffect, Hindered or Pending");
}

static int read_application(struct dm *dm, const struct json_node *item,
                            mneme_applied_pattern *out) {
    if (item->type != JSON_OBJECT)
        return error_set(dm->error, MNEME_INVALID, "expected an object");
    TRY(dm_need_id(dm, item, "pattern_id", &out->pattern));
    TRY(dm_count(dm, item, "applied_at_step", &out->step));
    return read_effect(dm, item, &out->effect);
}

/* The list stays in extra when any of it says more. */
static int read_applied(struct reading *r) {
    const struct dm_told told = DM_TOLD("pattern_id", "applied_at_step", "outcome");
    const struct json_node *list;
    mneme_text rest = {NULL, 0};
    TRY(dm_container(r->dm, r->root, "applied_patterns", JSON_ARRAY, &list));
    mneme_applied_pattern *applied =
        arena_zalloc(r->dm->arena, list ? list->count : 0, sizeof *applied);
    if (!applied)
        return MNEME_NO_MEMORY;
    const struct json_node *item = list ? json_first(list) : NULL;
    for (size_t i = 0; item; item = json_next(list, item), i++) {
        int status = read_application(r->dm, item, &applied[i]);
        if (status == MNEME_INVALID)
            return error_prefix(r->dm->error, status, "applied_patterns[%zu]", i);
        TRY(status);
        if (rest.size == 0)
            TRY(dm_rest(r->dm, item, told, &rest));
    }
    if (rest.size)
        object_member(&r->extra, slice_of_string("applied_patterns"), list->raw);
    r->e->applied = applied;
    r->e->applied_count = list ? list->count : 0;
    return 0;
}

/* ---- Checkpoints ------------------------------------------------------------------------- */

/* Older versions say created_at and reason for timestamp and label. */
static int read_checkpoint(struct dm *dm, const struct json_node *item, const mneme_id *episode,
                           mneme_record *out) {
    const struct dm_told told =
        DM_TOLD("checkpoint_id", "episode_id", "step_number", "timestamp", "created_at", "label",
                "reason", "note", "salient_features_snapshot");
    mneme_text label = {NULL, 0}, rest = {NULL, 0};
    mneme_checkpoint *c = arena_zalloc(dm->arena, 1, sizeof *c);
    if (!c)
        return MNEME_NO_MEMORY;
    if (item->type != JSON_OBJECT)
        return error_set(dm->error, MNEME_INVALID, "expected an object");
    TRY(dm_need_id(dm, item, "checkpoint_id", &c->id));
    TRY(dm_count(dm, item, "step_number", &c->step));
    TRY(dm_time(dm, item, "created_at", &c->created_us));
    TRY(dm_time(dm, item, "timestamp", &c->created_us));
    TRY(dm_text(dm, item, "reason", &label));
    TRY(dm_text(dm, item, "label", &label));
    TRY(dm_text(dm, item, "note", &c->note));
    TRY(dm_rest(dm, item, told, &rest));
    const struct json_node *features = dm_member(item, "salient_features_snapshot");
    if (features)
        c->state = text_of_slice(features->raw);
    const mneme_pair more[] = {{mneme_text_of("label"), label}, {mneme_text_of("extra"), rest}};
    TRY(dm_metadata(dm, NULL, more, COUNT_OF(more), &c->metadata));
    c->episode = *episode;
    *out = (mneme_record){.kind = MNEME_CHECKPOINT,
                          .id = c->id,
                          .parent = *episode,
                          .time_us = c->created_us,
                          .as.checkpoint = c};
    return 0;
}

/* They become records of their own. Their ids stay in extra, so that an episode with one
 * checkpoint more is seen to differ. */
static int read_checkpoints(struct reading *r, struct exchange_record *out) {
    const struct json_node *list;
    TRY(dm_container(r->dm, r->root, "checkpoints", JSON_ARRAY, &list));
    if (!list || list->count == 0)
        return 0;
    mneme_record *records = arena_zalloc(r->dm->arena, list->count, sizeof *records);
    if (!records)
        return MNEME_NO_MEMORY;
    object_key(&r->extra, slice_of_string("checkpoints"));
    const struct json_node *item = json_first(list);
    for (size_t i = 0; item; item = json_next(list, item), i++) {
        int status = read_checkpoint(r->dm, item, &r->e->id, &records[i]);
        if (status == MNEME_INVALID)
            return error_prefix(r->dm->error, status, "checkpoints[%zu]", i);
        TRY(status);
        buf_append_byte(&r->extra, i ? ',' : '[');
        json_put_string(&r->extra, json_member(item, "checkpoint_id")->text);
    }
    buf_append_byte(&r->extra, ']');
    out->parts = records;
    out->part_count = list->count;
    return 0;
}

/* ---- The episode ------------------------------------------------------------------------- */

static int read_head(struct reading *r) {
    mneme_text type = {NULL, 0};
    const struct json_node *metadata;
    TRY(dm_need_id(r->dm, r->root, "episode_id", &r->e->id));
    TRY(dm_text(r->dm, r->root, "task_description", &r->e->task));
    TRY(dm_text(r->dm, r->root, "task_type", &type));
    if (type.size)
        TRY(dm_snake(r->dm, type, &r->e->task_type));
    TRY(dm_time(r->dm, r->root, "start_time", &r->e->start_us));
    TRY(dm_time(r->dm, r->root, "end_time", &r->e->end_us));
    TRY(dm_container(r->dm, r->root, "metadata", JSON_OBJECT, &metadata));
    TRY(dm_metadata(r->dm, metadata, NULL, 0, &r->e->metadata));
    TRY(dm_context(r->dm, r->root, &r->e->context));
    return read_tags(r);
}

/* `domain` and `language` are columns that repeat the context. */
static int read_all(struct reading *r, struct exchange_record *out) {
    const struct dm_told told =
        DM_TOLD("episode_id", "task_type", "task_description", "context", "start_time", "end_time",
                "steps", "outcome", "reward", "reflection", "applied_patterns", "metadata", "tags",
                "checkpoints", "domain", "language");
    object_begin(&r->extra);
    TRY(read_head(r));
    dm_put_rest(&r->extra, "context", dm_member(r->root, "context"),
                DM_TOLD("language", "framework", "domain", "complexity"));
    TRY(read_steps(r));
    put_steps_rest(r);
    TRY(read_outcome(r));
    TRY(read_reward(r));
    TRY(read_reflection(r));
    TRY(read_applied(r));
    TRY(read_checkpoints(r, out));
    dm_put_rest(&r->extra, NULL, r->root, told);
    return object_end(&r->extra, r->dm->arena, &r->e->extra);
}

int dm_episode(struct dm *dm, const struct json_node *object, struct exchange_record *out) {
    struct reading r = {.dm = dm, .root = object, .extra = BUF_INIT(JSON_SIZE_MAX)};
    r.e = arena_zalloc(dm->arena, 1, sizeof *r.e);
    int status = r.e ? read_all(&r, out) : MNEME_NO_MEMORY;
    buf_fini(&r.extra);
    TRY(status);
    bool sealed = r.e->end_us != 0 || r.e->outcome.kind != MNEME_OUTCOME_NONE;
    out->record = (mneme_record){.kind = MNEME_EPISODE,
                                 .flags = sealed ? MNEME_FLAG_SEALED : 0,
                                 .id = r.e->id,
                                 .time_us = r.e->start_us,
                                 .as.episode = r.e};
    return 0;
}
