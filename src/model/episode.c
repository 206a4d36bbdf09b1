/*
 * episode.c - the fields of an episode: its body, its JSON members, its attributes.
 *
 * An open episode's body has no steps: they are records of their own until it is completed.
 */
#include "model/schema.h"

static const char *const outcome_name_list[] = {
    [MNEME_OUTCOME_NONE] = "open",
    [MNEME_SUCCESS] = "success",
    [MNEME_PARTIAL_SUCCESS] = "partial_success",
    [MNEME_FAILED] = "failure",
    [MNEME_ABSTAINED] = "abstained",
};
const struct names outcome_names = {outcome_name_list, COUNT_OF(outcome_name_list)};

static const char *const effect_name_list[] = {
    [MNEME_EFFECT_PENDING] = "pending",
    [MNEME_EFFECT_HELPED] = "helped",
    [MNEME_EFFECT_NONE] = "no_effect",
    [MNEME_EFFECT_HINDERED] = "hindered",
};
static const struct names effect_names = {effect_name_list, COUNT_OF(effect_name_list)};

#define TEXTS(number, name, struct_, member)                                                       \
    ROW_WITH(number, name, TEXTS, struct_, member.items, COUNT_AT(struct_, member.count))

static const struct field outcome_fields[] = {
    ROW_WITH(1, "kind", ENUM, mneme_outcome, kind, .names = &outcome_names, .attribute = "outcome"),
    ROW(2, "verdict", TEXT, mneme_outcome, verdict),
    ROW(3, "reason", TEXT, mneme_outcome, reason),
    TEXTS(4, "completed", mneme_outcome, completed),
    TEXTS(5, "failed", mneme_outcome, failed),
    TEXTS(6, "artifacts", mneme_outcome, artifacts),
};
static const struct schema outcome_schema = SCHEMA_OF(outcome_fields, mneme_outcome);

static const struct field part_fields[] = {
    ROW(1, "name", TEXT, mneme_reward_part, name),
    ROW(2, "value", DOUBLE, mneme_reward_part, value),
};
static const struct schema part_schema = SCHEMA_OF(part_fields, mneme_reward_part);

static const struct field reward_fields[] = {
    ROW_WITH(1, "total", DOUBLE, mneme_reward, total, .flags = ALWAYS),
    ROW_WITH(2, "parts", KEYED, mneme_reward, parts, COUNT_AT(mneme_reward, part_count),
             .schema = &part_schema),
};
static const struct schema reward_schema = SCHEMA_OF(reward_fields, mneme_reward);

static const struct field reflection_fields[] = {
    TEXTS(1, "successes", mneme_reflection, successes),
    TEXTS(2, "improvements", mneme_reflection, improvements),
    TEXTS(3, "insights", mneme_reflection, insights),
};
static const struct schema reflection_schema = SCHEMA_OF(reflection_fields, mneme_reflection);

static const struct field applied_fields[] = {
    ROW_WITH(1, "pattern", ID, mneme_applied_pattern, pattern, .flags = NEEDED),
    ROW(2, "step", UINT, mneme_applied_pattern, step),
    ROW_WITH(3, "effect", ENUM, mneme_applied_pattern, effect, .names = &effect_names),
};
static const struct schema applied_schema = SCHEMA_OF(applied_fields, mneme_applied_pattern);

static const struct field message_fields[] = {
    ROW(1, "role", TEXT, mneme_message, role),
    ROW(2, "text", TEXT, mneme_message, text),
    ROW(3, "after_step", UINT, mneme_message, after_step),
    ROW(4, "extra", OBJECT, mneme_message, extra),
};
static const struct schema message_schema = SCHEMA_OF(message_fields, mneme_message);

static const struct field episode_fields[] = {
    ROW_WITH(1, "id", ID, mneme_episode, id, .flags = IN_HEADER),
    ROW_WITH(2, "task", TEXT, mneme_episode, task, .flags = NEEDED),
    ROW_WITH(3, "task_type", TEXT, mneme_episode, task_type, .attribute = "type"),
    ROW_WITH(4, "context", MESSAGE, mneme_episode, context, .schema = &context_schema),
    ROW_WITH(5, "start", TIME, mneme_episode, start_us, .flags = IN_HEADER),
    ROW(6, "end", TIME, mneme_episode, end_us),
    ROW_WITH(7, "outcome", MESSAGE, mneme_episode, outcome, .schema = &outcome_schema),
    ROW_WITH(8, "reward", MESSAGE, mneme_episode, reward, .schema = &reward_schema,
             .present_at = offsetof(mneme_episode, reward.present)),
    ROW_WITH(9, "reflection", MESSAGE, mneme_episode, reflection, .schema = &reflection_schema),
    ROW_WITH(10, "applied", LIST, mneme_episode, applied, COUNT_AT(mneme_episode, applied_count),
             .schema = &applied_schema),
    ROW_WITH(11, "tags", TEXTS, mneme_episode, tags.items, COUNT_AT(mneme_episode, tags.count),
             .flags = TAGS, .attribute = "tag"),
    ROW_WITH(12, "metadata", KEYED, mneme_episode, metadata.items,
             COUNT_AT(mneme_episode, metadata.count), .schema = &pair_schema, .attribute = "meta."),
    ROW_WITH(13, "origin", TEXT, mneme_episode, origin, .attribute = "origin"),
    ROW(14, "extra", OBJECT, mneme_episode, extra),
    ROW_WITH(15, "steps", LIST, mneme_episode, steps.items, COUNT_AT(mneme_episode, steps.count),
             .schema = &step_schema),
    ROW_WITH(16, "messages", LIST, mneme_episode, messages, COUNT_AT(mneme_episode, message_count),
             .schema = &message_schema),
};
const struct schema episode_schema = SCHEMA_OF(episode_fields, mneme_episode);
