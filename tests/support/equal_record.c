/*
 * equal_record.c - records_equal: every member by hand, on purpose.
 */
#include "support/random_record.h"

#define SAME_BITS(a, b) (memcmp(&(a), &(b), sizeof(a)) == 0)
#define SAME_TEXT(member) text_equal(a->member, b->member)

/* Whether two lists have the same items, by a function over one item of each. */
#define SAME_ITEMS(same, a_items, a_count, b_items, b_count)                                       \
    __extension__({                                                                                \
        bool items_equal_ = (a_count) == (b_count);                                                \
        for (size_t i_ = 0; items_equal_ && i_ < (a_count); i_++)                                  \
            items_equal_ = same(&(a_items)[i_], &(b_items)[i_]);                                   \
        items_equal_;                                                                              \
    })
#define SAME_LIST(same, member)                                                                    \
    SAME_ITEMS(same, a->member.items, a->member.count, b->member.items, b->member.count)

static bool same_text(const mneme_text *a, const mneme_text *b) { return text_equal(*a, *b); }

static bool same_pair(const mneme_pair *a, const mneme_pair *b) {
    return SAME_TEXT(name) && SAME_TEXT(value);
}

static bool same_part(const mneme_reward_part *a, const mneme_reward_part *b) {
    return SAME_TEXT(name) && SAME_BITS(a->value, b->value);
}

static bool same_applied(const mneme_applied_pattern *a, const mneme_applied_pattern *b) {
    return id_equal(&a->pattern, &b->pattern) && a->step == b->step && a->effect == b->effect;
}

static bool same_message(const mneme_message *a, const mneme_message *b) {
    return SAME_TEXT(role) && SAME_TEXT(text) && SAME_TEXT(extra) && a->after_step == b->after_step;
}

static bool same_context(const mneme_context *a, const mneme_context *b) {
    return SAME_TEXT(language) && SAME_TEXT(framework) && SAME_TEXT(domain) &&
           SAME_TEXT(complexity);
}

static bool same_step(const mneme_step *a, const mneme_step *b) {
    return id_equal(&a->id, &b->id) && a->number == b->number && a->time_us == b->time_us &&
           SAME_TEXT(tool) && SAME_TEXT(action) && SAME_TEXT(parameters) &&
           a->result == b->result && SAME_TEXT(output) && a->has_latency == b->has_latency &&
           a->has_tokens == b->has_tokens && (!a->has_latency || a->latency_ms == b->latency_ms) &&
           (!a->has_tokens || a->tokens == b->tokens) && SAME_LIST(same_pair, metadata);
}

static bool same_outcome(const mneme_outcome *a, const mneme_outcome *b) {
    return a->kind == b->kind && SAME_TEXT(verdict) && SAME_TEXT(reason) &&
           SAME_LIST(same_text, completed) && SAME_LIST(same_text, failed) &&
           SAME_LIST(same_text, artifacts);
}

static bool same_reward(const mneme_reward *a, const mneme_reward *b) {
    if (!a->present || !b->present)
        return a->present == b->present;
    return SAME_BITS(a->total, b->total) &&
           SAME_ITEMS(same_part, a->parts, a->part_count, b->parts, b->part_count);
}

static bool same_reflection(const mneme_reflection *a, const mneme_reflection *b) {
    return SAME_LIST(same_text, successes) && SAME_LIST(same_text, improvements) &&
           SAME_LIST(same_text, insights);
}

static bool same_episode(const mneme_episode *a, const mneme_episode *b) {
    return id_equal(&a->id, &b->id) && SAME_TEXT(task) && SAME_TEXT(task_type) &&
           same_context(&a->context, &b->context) && a->start_us == b->start_us &&
           a->end_us == b->end_us && same_outcome(&a->outcome, &b->outcome) &&
           same_reward(&a->reward, &b->reward) && same_reflection(&a->reflection, &b->reflection) &&
           SAME_ITEMS(same_applied, a->applied, a->applied_count, b->applied, b->applied_count) &&
           SAME_LIST(same_step, steps) &&
           SAME_ITEMS(same_message, a->messages, a->message_count, b->messages, b->message_count) &&
           SAME_LIST(same_pair, metadata) && SAME_LIST(same_text, tags) && SAME_TEXT(origin) &&
           SAME_TEXT(extra);
}

static bool same_effectiveness(const mneme_effectiveness *a, const mneme_effectiveness *b) {
    return a->retrieved == b->retrieved && a->applied == b->applied && a->success == b->success &&
           a->failure == b->failure && SAME_BITS(a->reward_delta, b->reward_delta);
}

static bool same_pattern(const mneme_pattern *a, const mneme_pattern *b) {
    return id_equal(&a->id, &b->id) && SAME_TEXT(type) && SAME_TEXT(name) &&
           SAME_TEXT(description) && SAME_TEXT(content) && a->created_us == b->created_us &&
           SAME_BITS(a->success_rate, b->success_rate) && a->occurrences == b->occurrences &&
           same_effectiveness(&a->effectiveness, &b->effectiveness) &&
           same_context(&a->context, &b->context) && SAME_LIST(same_text, tags) &&
           SAME_LIST(same_pair, metadata);
}

static bool same_heuristic(const mneme_heuristic *a, const mneme_heuristic *b) {
    return id_equal(&a->id, &b->id) && SAME_TEXT(condition) && SAME_TEXT(action) &&
           SAME_BITS(a->confidence, b->confidence) && a->created_us == b->created_us &&
           SAME_ITEMS(id_equal, a->evidence, a->evidence_count, b->evidence, b->evidence_count) &&
           SAME_LIST(same_text, tags) && SAME_LIST(same_pair, metadata);
}

static bool same_relation(const mneme_relation *a, const mneme_relation *b) {
    return id_equal(&a->id, &b->id) && SAME_TEXT(type) && id_equal(&a->from, &b->from) &&
           id_equal(&a->to, &b->to) && a->from_kind == b->from_kind && a->to_kind == b->to_kind &&
           SAME_BITS(a->weight, b->weight) && a->created_us == b->created_us &&
           SAME_LIST(same_pair, metadata);
}

static bool same_float(const float *a, const float *b) { return SAME_BITS(*a, *b); }

static bool same_embedding(const mneme_embedding *a, const mneme_embedding *b) {
    return id_equal(&a->id, &b->id) && id_equal(&a->subject, &b->subject) &&
           a->subject_kind == b->subject_kind && SAME_TEXT(model) && a->stored_as == b->stored_as &&
           a->created_us == b->created_us &&
           SAME_ITEMS(same_float, a->values, a->count, b->values, b->count);
}

static bool same_checkpoint(const mneme_checkpoint *a, const mneme_checkpoint *b) {
    return id_equal(&a->id, &b->id) && id_equal(&a->episode, &b->episode) && a->step == b->step &&
           SAME_TEXT(note) && SAME_TEXT(state) && a->created_us == b->created_us &&
           SAME_LIST(same_pair, metadata);
}

static bool same_superseded(const mneme_superseded *a, const mneme_superseded *b) {
    return id_equal(&a->id, &b->id) && id_equal(&a->subject, &b->subject) &&
           a->subject_kind == b->subject_kind && SAME_TEXT(reason) &&
           SAME_LIST(same_text, fields) && SAME_TEXT(lost) && a->lost_clock == b->lost_clock &&
           a->lost_device == b->lost_device && a->kept_clock == b->kept_clock &&
           a->kept_device == b->kept_device && a->time_us == b->time_us;
}

static bool same_body(const mneme_record *a, const mneme_record *b) {
    switch (a->kind) {
    case MNEME_EPISODE:
        return same_episode(a->as.episode, b->as.episode);
    case MNEME_STEP:
        return same_step(a->as.step, b->as.step);
    case MNEME_PATTERN:
        return same_pattern(a->as.pattern, b->as.pattern);
    case MNEME_HEURISTIC:
        return same_heuristic(a->as.heuristic, b->as.heuristic);
    case MNEME_EMBEDDING:
        return same_embedding(a->as.embedding, b->as.embedding);
    case MNEME_RELATION:
        return same_relation(a->as.relation, b->as.relation);
    case MNEME_CHECKPOINT:
        return same_checkpoint(a->as.checkpoint, b->as.checkpoint);
    case MNEME_SUPERSEDED:
        return same_superseded(a->as.superseded, b->as.superseded);
    case MNEME_DICTIONARY:
    case MNEME_KIND_NONE:
        break;
    }
    return false;
}

bool records_equal(const mneme_record *a, const mneme_record *b) {
    if (a->kind != b->kind || a->flags != b->flags || !id_equal(&a->id, &b->id) ||
        !id_equal(&a->parent, &b->parent) || version_compare(a->version, b->version) != 0 ||
        a->time_us != b->time_us)
        return false;
    return a->flags & MNEME_FLAG_DELETED || same_body(a, b);
}
