/*
 * ack_observe.c - the content of the records in the kill tests, and reading it back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "support/ack_model.h"
#include "support/random_record.h"

static const int64_t BASE_US = INT64_C(1763712120000000);

/* ---- Content ------------------------------------------------------------------------------- */

static void *must(void *block) {
    if (!block)
        abort();
    return block;
}

/* Bytes 7 and 10 to 13 hold writer and number; the last two the number of a step. */
static mneme_id id_of(unsigned writer, mneme_kind kind, uint32_t number, uint32_t step) {
    mneme_id id;
    put_be64(id.bytes, (uint64_t)(BASE_US / 1000 + number) << 16 | 0x7000 | writer);
    put_be64(id.bytes + 8,
             UINT64_C(1) << 63 | (uint64_t)kind << 48 | (uint64_t)number << 16 | (step & 0xffff));
    return id;
}

static void id_parts(const mneme_id *id, unsigned *writer, uint32_t *number, uint32_t *step) {
    *writer = id->bytes[7];
    *number = get_be32(id->bytes + 10);
    *step = (uint32_t)id->bytes[14] << 8 | id->bytes[15];
}

/* Words, mostly a few, sometimes enough for many chunks of a record. */
static mneme_text words(struct rng *rng, struct arena *arena) {
    static const char *const some[] = {"refund ", "order ",  "the ",   "user ",  "confirms ",
                                       "search ", "flight ", "error ", "retry ", "passenger "};
    size_t size = 1 + rng_below(rng, rng_chance(rng, 3) ? 40000 : 400);
    char *data = must(arena_alloc(arena, size));
    size_t at = 0;
    while (at < size) {
        const char *word = some[rng_below(rng, COUNT_OF(some))];
        size_t part = size_min(strlen(word), size - at);
        memcpy(data + at, word, part);
        at += part;
        if (at < size)
            data[at++] = (char)('a' + rng_below(rng, 26));
    }
    return (mneme_text){data, size};
}

static mneme_text numbered(struct arena *arena, const char *prefix, unsigned number) {
    char *data = must(arena_alloc(arena, 64));
    int n = snprintf(data, 64, "%s%u", prefix, number);
    return (mneme_text){data, n > 0 ? (size_t)n : 0};
}

static mneme_text_list tags_of(struct arena *arena, unsigned count) {
    mneme_text *items = must(arena_zalloc(arena, count, sizeof *items));
    for (unsigned i = 0; i < count; i++)
        items[i] = numbered(arena, "t", i);
    return (mneme_text_list){items, count};
}

static mneme_pair_list metadata_of(struct arena *arena, unsigned revision) {
    mneme_pair *pair = must(arena_alloc(arena, sizeof *pair));
    *pair = (mneme_pair){mneme_text_of("revision"), numbered(arena, "", revision)};
    return (mneme_pair_list){pair, 1};
}

static mneme_step_list steps_of(const struct ack_model *model, uint32_t number, unsigned count,
                                struct arena *arena) {
    mneme_step *items = must(arena_zalloc(arena, count, sizeof *items));
    for (unsigned i = 0; i < count; i++) {
        struct rng rng = {model->seed + number * 4099 + i};
        items[i] = (mneme_step){.id = id_of(model->writer, MNEME_STEP, number, i + 1),
                                .number = i + 1,
                                .time_us = BASE_US + (int64_t)number * 1000 + i,
                                .tool = mneme_text_of("search"),
                                .action = words(&rng, arena),
                                .parameters = mneme_text_of("{\"a\": [1, 2]}"),
                                .result = MNEME_RESULT_SUCCESS,
                                .output = words(&rng, arena),
                                .has_latency = true,
                                .latency_ms = i};
    }
    return (mneme_step_list){count ? items : NULL, count};
}

static const mneme_episode *episode_of(const struct ack_model *model, uint32_t number,
                                       struct rng *rng, struct arena *arena) {
    const struct ack_entity *entity = &model->entities[number];
    mneme_episode *e = must(arena_zalloc(arena, 1, sizeof *e));
    *e = (mneme_episode){.id = id_of(model->writer, MNEME_EPISODE, number, 0),
                         .task = words(rng, arena),
                         .task_type = mneme_text_of("debugging"),
                         .context = {.domain = numbered(arena, "domain", number % 7)},
                         .start_us = BASE_US + (int64_t)number * 1000,
                         .steps = steps_of(model, number, entity->steps, arena),
                         .tags = tags_of(arena, entity->tags),
                         .metadata = metadata_of(arena, entity->revision)};
    if (entity->sealed) {
        mneme_text *insight = must(arena_alloc(arena, sizeof *insight));
        *insight = words(rng, arena);
        e->end_us = e->start_us + 5000000;
        e->outcome = (mneme_outcome){.kind = MNEME_SUCCESS, .verdict = words(rng, arena)};
        e->reward = (mneme_reward){.present = true, .total = number / 8.0};
        e->reflection.insights = (mneme_text_list){insight, 1};
    }
    return e;
}

static void body_of(const struct ack_model *model, uint32_t number, struct rng *rng,
                    struct arena *arena, mneme_record *out) {
    const struct ack_entity *e = &model->entities[number];
    if (e->kind == MNEME_EPISODE) {
        out->as.episode = episode_of(model, number, rng, arena);
    } else if (e->kind == MNEME_PATTERN) {
        mneme_pattern *p = must(arena_zalloc(arena, 1, sizeof *p));
        *p = (mneme_pattern){.id = out->id,
                             .type = mneme_text_of("error_recovery"),
                             .name = words(rng, arena),
                             .description = words(rng, arena),
                             .created_us = out->time_us,
                             .tags = tags_of(arena, e->tags),
                             .metadata = metadata_of(arena, e->revision)};
        out->as.pattern = p;
    } else if (e->kind == MNEME_HEURISTIC) {
        mneme_heuristic *h = must(arena_zalloc(arena, 1, sizeof *h));
        *h = (mneme_heuristic){.id = out->id,
                               .condition = words(rng, arena),
                               .action = words(rng, arena),
                               .confidence = 0.25,
                               .created_us = out->time_us,
                               .tags = tags_of(arena, e->tags),
                               .metadata = metadata_of(arena, e->revision)};
        out->as.heuristic = h;
    } else {
        mneme_checkpoint *c = must(arena_zalloc(arena, 1, sizeof *c));
        *c = (mneme_checkpoint){.id = out->id,
                                .episode = out->parent,
                                .note = words(rng, arena),
                                .state = mneme_text_of("{\"at\": 1}"),
                                .created_us = out->time_us,
                                .metadata = metadata_of(arena, e->revision)};
        out->as.checkpoint = c;
    }
}

void ack_record(const struct ack_model *model, uint32_t number, struct arena *arena,
                mneme_record *out) {
    const struct ack_entity *e = &model->entities[number];
    struct rng rng = {model->seed * 31 + model->writer + number * 65537 + e->revision};
    *out = (mneme_record){.kind = (mneme_kind)e->kind,
                          .flags = e->sealed ? MNEME_FLAG_SEALED : 0,
                          .id = id_of(model->writer, (mneme_kind)e->kind, number, 0),
                          .time_us = BASE_US + (int64_t)number * 1000};
    if (e->kind == MNEME_CHECKPOINT)
        out->parent = id_of(model->writer, MNEME_EPISODE, e->parent, 0);
    body_of(model, number, &rng, arena, out);
}

/* ---- Reading it back ------------------------------------------------------------------------ */

/* The state that a record shows; what is wrong in it will show in the comparison that follows. */
static struct ack_entity entity_of(const mneme_record *r) {
    struct ack_entity e = {.kind = (uint8_t)r->kind, .live = 1};
    const mneme_pair_list *metadata = NULL;
    if (r->kind == MNEME_EPISODE) {
        e.sealed = (r->flags & MNEME_FLAG_SEALED) != 0;
        e.tags = (uint8_t)r->as.episode->tags.count;
        e.steps = (uint16_t)r->as.episode->steps.count;
        metadata = &r->as.episode->metadata;
    } else if (r->kind == MNEME_PATTERN) {
        e.tags = (uint8_t)r->as.pattern->tags.count;
        metadata = &r->as.pattern->metadata;
    } else if (r->kind == MNEME_HEURISTIC) {
        e.tags = (uint8_t)r->as.heuristic->tags.count;
        metadata = &r->as.heuristic->metadata;
    } else {
        uint32_t step;
        unsigned writer;
        id_parts(&r->parent, &writer, &e.parent, &step);
        metadata = &r->as.checkpoint->metadata;
    }
    char revision[8] = "";
    if (metadata->count == 1)
        memcpy(revision, metadata->items[0].value.data,
               size_min(metadata->items[0].value.size, sizeof revision - 1));
    e.revision = (uint16_t)strtoul(revision, NULL, 10);
    return e;
}

static bool observe_record(const mneme_record *r, struct ack_model *seen, unsigned writers,
                           uint64_t *steps, char *problem) {
    unsigned writer;
    uint32_t number, step;
    char id[MNEME_ID_TEXT_SIZE];
    mneme_id_format(&r->id, id);
    id_parts(&r->id, &writer, &number, &step);
    bool known = writer < writers && number < ACK_ENTITIES;
    if (known && r->kind == MNEME_STEP) {
        ++*steps;
        return true; /* its content is compared in its episode */
    }
    mneme_record expected = {.kind = MNEME_KIND_NONE};
    AUTO_ARENA struct arena arena = {.first_size = 65536};
    if (known) {
        seen[writer].entities[number] = entity_of(r);
        ack_record(&seen[writer], number, &arena, &expected);
        expected.version = r->version;
    }
    if (known && records_equal(r, &expected))
        return true;
    snprintf(problem, ACK_PROBLEM, "%s %s is not what writer %u wrote as number %u",
             mneme_kind_name(r->kind), id, writer, number);
    return false;
}

static bool observe_kind(mneme *m, mneme_kind kind, struct ack_model *seen, unsigned writers,
                         uint64_t *steps, char *problem) {
    mneme_query query = {.kind = kind, .limit = 500, .order = MNEME_OLDEST_FIRST};
    char cursor[256];
    do {
        const mneme_page *page;
        mneme_error error;
        if (mneme_list(m, &query, &page, &error)) {
            snprintf(problem, ACK_PROBLEM, "%s", error.message);
            return false;
        }
        bool good = page->next.size <= sizeof cursor;
        for (size_t i = 0; i < page->count && good; i++)
            good = observe_record(page->records[i], seen, writers, steps, problem);
        query.after = (mneme_text){cursor, page->next.size};
        if (good && page->next.size)
            memcpy(cursor, page->next.data, page->next.size);
        mneme_page_release(m, page);
        if (!good)
            return false;
    } while (query.after.size);
    return true;
}

bool ack_observe(mneme *m, struct ack_model *seen, unsigned writers, char problem[ACK_PROBLEM]) {
    static const mneme_kind kinds[] = {MNEME_EPISODE, MNEME_STEP, MNEME_PATTERN, MNEME_HEURISTIC,
                                       MNEME_CHECKPOINT};
    uint64_t steps = 0;
    for (unsigned w = 0; w < writers; w++)
        memset(seen[w].entities, 0, sizeof seen[w].entities);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (!observe_kind(m, kinds[i], seen, writers, &steps, problem))
            return false;
    for (unsigned w = 0; w < writers; w++)
        for (uint32_t n = 0; n < ACK_ENTITIES; n++)
            if (seen[w].entities[n].kind == MNEME_EPISODE && !seen[w].entities[n].sealed)
                steps -= seen[w].entities[n].steps;
    if (steps != 0)
        snprintf(problem, ACK_PROBLEM, "there are %lld steps too many", (long long)steps);
    return steps == 0;
}

static bool entity_same(const struct ack_entity *seen, const struct ack_entity *expected) {
    if (!expected->live)
        return !seen->live;
    return seen->live && seen->kind == expected->kind && seen->sealed == expected->sealed &&
           seen->tags == expected->tags && seen->revision == expected->revision &&
           seen->steps == expected->steps && seen->parent == expected->parent;
}

bool ack_same(const struct ack_model *seen, const struct ack_model *model,
              char problem[ACK_PROBLEM]) {
    for (uint32_t n = 0; n < ACK_ENTITIES; n++) {
        const struct ack_entity *s = &seen->entities[n], *e = &model->entities[n];
        if (entity_same(s, e))
            continue;
        snprintf(problem, ACK_PROBLEM,
                 "writer %u, number %u: kind %u live %u sealed %u tags %u revision %u steps %u, "
                 "where kind %u live %u sealed %u tags %u revision %u steps %u was acknowledged",
                 model->writer, n, s->kind, s->live, s->sealed, s->tags, s->revision, s->steps,
                 e->kind, e->live, e->sealed, e->tags, e->revision, e->steps);
        return false;
    }
    return true;
}
