/*
 * random_record.c - random records of each kind.
 */
#include "support/random_record.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/random_value.h"

/* ---- Kinds ------------------------------------------------------------------------------- */

static mneme_step random_step(struct rng *rng, struct arena *arena, uint64_t number,
                              int64_t time_us) {
    mneme_step s = {.id = random_id(rng),
                    .number = number,
                    .time_us = time_us,
                    .tool = random_text(rng, arena),
                    .action = random_text(rng, arena),
                    .parameters = random_json(rng, arena),
                    .result = (mneme_result_kind)rng_below(rng, 4),
                    .output = random_text(rng, arena),
                    .has_latency = rng_chance(rng, 60),
                    .has_tokens = rng_chance(rng, 60),
                    .metadata = random_pairs(rng, arena)};
    s.latency_ms = s.has_latency ? random_int(rng) : 0;
    s.tokens = s.has_tokens ? random_int(rng) : 0;
    return s;
}

static mneme_step_list random_steps(struct rng *rng, struct arena *arena, int64_t start_us) {
    size_t count = random_count(rng);
    mneme_step *items = must_alloc(arena, count, sizeof *items);
    uint64_t number = 0;
    int64_t time_us = start_us;
    for (size_t i = 0; i < count; i++) {
        number += rng_chance(rng, 80) ? 1 : 1 + rng_below(rng, 1000);
        if (!rng_chance(rng, 20))
            time_us = random_time(rng);
        items[i] = random_step(rng, arena, number, time_us);
    }
    return (mneme_step_list){count ? items : NULL, count};
}

static mneme_reward random_reward(struct rng *rng, struct arena *arena) {
    mneme_reward r = {.present = rng_chance(rng, 60)};
    if (!r.present)
        return r;
    r.total = random_double(rng);
    r.part_count = random_count(rng);
    mneme_reward_part *parts = must_alloc(arena, r.part_count, sizeof *parts);
    for (size_t i = 0; i < r.part_count; i++)
        parts[i] = (mneme_reward_part){random_name(rng, arena, i), random_double(rng)};
    r.parts = r.part_count ? parts : NULL;
    return r;
}

static void random_applied(struct rng *rng, struct arena *arena, mneme_episode *e) {
    e->applied_count = random_count(rng);
    mneme_applied_pattern *applied = must_alloc(arena, e->applied_count, sizeof *applied);
    for (size_t i = 0; i < e->applied_count; i++)
        applied[i] = (mneme_applied_pattern){random_id(rng), random_uint(rng),
                                             (mneme_effect)rng_below(rng, 4)};
    e->applied = e->applied_count ? applied : NULL;
}

static void random_messages(struct rng *rng, struct arena *arena, mneme_episode *e) {
    e->message_count = random_count(rng);
    mneme_message *messages = must_alloc(arena, e->message_count, sizeof *messages);
    for (size_t i = 0; i < e->message_count; i++)
        messages[i] = (mneme_message){random_text(rng, arena), random_text(rng, arena),
                                      random_uint(rng), random_object(rng, arena)};
    e->messages = e->message_count ? messages : NULL;
}

static const mneme_episode *random_episode(struct rng *rng, struct arena *arena) {
    mneme_episode *e = must_alloc(arena, 1, sizeof *e);
    e->id = random_id(rng);
    e->task = random_name(rng, arena, 1);
    e->task_type = random_name(rng, arena, 2);
    e->context = random_context(rng, arena);
    e->start_us = random_time(rng);
    if (rng_chance(rng, 70)) {
        e->end_us = rng_chance(rng, 80) ? random_time(rng) : e->start_us;
        e->outcome = (mneme_outcome){(mneme_outcome_kind)rng_below(rng, 5),
                                     random_text(rng, arena),
                                     random_text(rng, arena),
                                     random_texts(rng, arena),
                                     random_texts(rng, arena),
                                     random_texts(rng, arena)};
    }
    e->reward = random_reward(rng, arena);
    e->reflection = (mneme_reflection){random_texts(rng, arena), random_texts(rng, arena),
                                       random_texts(rng, arena)};
    random_applied(rng, arena, e);
    e->steps = random_steps(rng, arena, e->start_us);
    random_messages(rng, arena, e);
    e->metadata = random_pairs(rng, arena);
    e->tags = random_tags(rng, arena);
    e->origin = random_text(rng, arena);
    e->extra = random_object(rng, arena);
    return e;
}

static const mneme_pattern *random_pattern(struct rng *rng, struct arena *arena) {
    mneme_pattern *p = must_alloc(arena, 1, sizeof *p);
    *p = (mneme_pattern){.id = random_id(rng),
                         .type = random_text(rng, arena),
                         .name = random_text(rng, arena),
                         .description = random_text(rng, arena),
                         .content = random_json(rng, arena),
                         .created_us = random_time(rng),
                         .success_rate = random_fraction(rng),
                         .occurrences = random_uint(rng),
                         .effectiveness = {random_uint(rng), random_uint(rng), random_uint(rng),
                                           random_uint(rng), random_double(rng)},
                         .context = random_context(rng, arena),
                         .tags = random_tags(rng, arena),
                         .metadata = random_pairs(rng, arena)};
    return p;
}

static const mneme_heuristic *random_heuristic(struct rng *rng, struct arena *arena) {
    mneme_heuristic *h = must_alloc(arena, 1, sizeof *h);
    *h = (mneme_heuristic){.id = random_id(rng),
                           .condition = random_text(rng, arena),
                           .action = random_text(rng, arena),
                           .confidence = random_fraction(rng),
                           .created_us = random_time(rng),
                           .evidence_count = random_count(rng),
                           .tags = random_tags(rng, arena),
                           .metadata = random_pairs(rng, arena)};
    mneme_id *evidence = must_alloc(arena, h->evidence_count, sizeof *evidence);
    for (size_t i = 0; i < h->evidence_count; i++)
        evidence[i] = random_id(rng);
    h->evidence = h->evidence_count ? evidence : NULL;
    return h;
}

static mneme_kind random_kind(struct rng *rng) {
    return (mneme_kind)(rng_below(rng, MNEME_KIND_COUNT));
}

static const mneme_relation *random_relation(struct rng *rng, struct arena *arena) {
    mneme_relation *r = must_alloc(arena, 1, sizeof *r);
    *r = (mneme_relation){.id = random_id(rng),
                          .type = random_name(rng, arena, 1),
                          .from = random_id(rng),
                          .to = random_id(rng),
                          .from_kind = random_kind(rng),
                          .to_kind = random_kind(rng),
                          .weight = random_double(rng),
                          .created_us = random_time(rng),
                          .metadata = random_pairs(rng, arena)};
    return r;
}

/* Small multiples of 1/64 up to 127/64, the greatest among them: exact in each of the three
 * stored forms, so that what is read back equals what was written. */
static const mneme_embedding *random_embedding(struct rng *rng, struct arena *arena) {
    mneme_embedding *e = must_alloc(arena, 1, sizeof *e);
    *e = (mneme_embedding){.id = random_id(rng),
                           .subject = random_id(rng),
                           .subject_kind = random_kind(rng),
                           .model = random_text(rng, arena),
                           .stored_as = (mneme_embedding_format)rng_below(rng, 3),
                           .count = 1 + rng_below(rng, rng_chance(rng, 10) ? 1536 : 16),
                           .created_us = random_time(rng)};
    float *values = must_alloc(arena, e->count, sizeof *values);
    for (size_t i = 0; i < e->count; i++)
        values[i] = (float)((int)rng_below(rng, 255) - 127) / 64;
    values[rng_below(rng, e->count)] = 127.0f / 64;
    e->values = values;
    return e;
}

static const mneme_checkpoint *random_checkpoint(struct rng *rng, struct arena *arena) {
    mneme_checkpoint *c = must_alloc(arena, 1, sizeof *c);
    *c = (mneme_checkpoint){.id = random_id(rng),
                            .episode = random_id(rng),
                            .step = random_uint(rng),
                            .note = random_text(rng, arena),
                            .state = random_json(rng, arena),
                            .created_us = random_time(rng),
                            .metadata = random_pairs(rng, arena)};
    return c;
}

static const mneme_superseded *random_superseded(struct rng *rng, struct arena *arena) {
    mneme_superseded *s = must_alloc(arena, 1, sizeof *s);
    *s = (mneme_superseded){.id = random_id(rng),
                            .subject = random_id(rng),
                            .subject_kind = random_kind(rng),
                            .reason = random_text(rng, arena),
                            .fields = random_texts(rng, arena),
                            .lost = random_json(rng, arena),
                            .lost_clock = random_uint(rng),
                            .lost_device = random_uint(rng),
                            .kept_clock = random_uint(rng),
                            .kept_device = random_uint(rng),
                            .time_us = random_time(rng)};
    return s;
}

static const mneme_step *random_own_step(struct rng *rng, struct arena *arena) {
    mneme_step *s = must_alloc(arena, 1, sizeof *s);
    *s = random_step(rng, arena, 1 + rng_below(rng, 100000), random_time(rng));
    return s;
}

#define SET_BODY(record, member, time_member, value)                                               \
    do {                                                                                           \
        (record)->as.member = (value);                                                             \
        (record)->id = (record)->as.member->id;                                                    \
        (record)->time_us = (record)->as.member->time_member;                                      \
    } while (0)

static void random_body(struct rng *rng, struct arena *arena, mneme_record *out) {
    switch (out->kind) {
    case MNEME_EPISODE:
        SET_BODY(out, episode, start_us, random_episode(rng, arena));
        break;
    case MNEME_STEP:
        SET_BODY(out, step, time_us, random_own_step(rng, arena));
        out->parent = random_id(rng);
        break;
    case MNEME_PATTERN:
        SET_BODY(out, pattern, created_us, random_pattern(rng, arena));
        break;
    case MNEME_HEURISTIC:
        SET_BODY(out, heuristic, created_us, random_heuristic(rng, arena));
        break;
    case MNEME_EMBEDDING:
        SET_BODY(out, embedding, created_us, random_embedding(rng, arena));
        break;
    case MNEME_RELATION:
        SET_BODY(out, relation, created_us, random_relation(rng, arena));
        break;
    case MNEME_CHECKPOINT:
        SET_BODY(out, checkpoint, created_us, random_checkpoint(rng, arena));
        out->parent = out->as.checkpoint->episode;
        break;
    case MNEME_SUPERSEDED:
        SET_BODY(out, superseded, time_us, random_superseded(rng, arena));
        break;
    case MNEME_DICTIONARY:
    case MNEME_KIND_NONE:
        fprintf(stderr, "random_record: kind %d is not a user's\n", (int)out->kind);
        abort();
    }
}

void random_record(struct rng *rng, struct arena *arena, mneme_kind kind, mneme_record *out) {
    *out = (mneme_record){.kind = kind};
    if (rng_chance(rng, 70))
        out->version = (mneme_version){random_uint(rng), random_uint(rng)};
    random_body(rng, arena, out);
    if (kind == MNEME_EPISODE &&
        (out->as.episode->end_us || out->as.episode->outcome.kind != MNEME_OUTCOME_NONE))
        out->flags = MNEME_FLAG_SEALED;
}
