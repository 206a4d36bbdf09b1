/*
 * soak_look.c - comparing records with ledgers, and learning how pending writes went.
 */
#include "bench/soak_look.h"

#include <stdio.h>

/* ---- What is wanted ------------------------------------------------------------------------- */

static bool has_tag(const mneme_text_list *tags, const char *tag) {
    for (size_t i = 0; i < tags->count; i++)
        if (text_is(tags->items[i], tag))
            return true;
    return false;
}

/* Tags are a set: the writer's word, and those of the state. */
static bool tags_match(unsigned writer, uint32_t tags, const mneme_text_list *found,
                       char why[SOAK_WHY_SIZE]) {
    char tag[SOAK_WORD_SIZE];
    size_t wanted = 1;
    soak_word(writer, tag);
    bool all = has_tag(found, tag);
    for (unsigned i = 0; i < SOAK_TAGS && all; i++) {
        if (!(tags >> i & 1))
            continue;
        wanted++;
        soak_tag(writer, i, tag);
        all = has_tag(found, tag);
    }
    if (!all)
        snprintf(why, SOAK_WHY_SIZE, "the tag %s is not there", tag);
    else if (wanted != found->count)
        snprintf(why, SOAK_WHY_SIZE, "%zu tags, and not %zu", found->count, wanted);
    return all && wanted == found->count;
}

static int add_steps(uint64_t seed, const struct soak_ledger *l, const struct soak_object *o,
                     const struct soak_state *state, struct arena *arena, mneme_episode *episode) {
    bool whole = state->end && state->end == state->content;
    size_t count = whole ? soak_whole_steps(state->end) : state->steps;
    mneme_step *steps = arena_zalloc(arena, count + 1, sizeof *steps);
    if (!steps)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        uint32_t write = whole ? state->end : o->steps[i];
        TRY(soak_step(seed, l->writer, write, whole ? (unsigned)i : 0, arena, &steps[i]));
        steps[i].number = i + 1;
    }
    episode->steps = (mneme_step_list){steps, count};
    return 0;
}

static int want_episode(uint64_t seed, const struct soak_ledger *l, uint32_t object,
                        const struct soak_state *state, const mneme_record *found,
                        struct arena *arena, mneme_record *out) {
    mneme_episode *episode;
    TRY(soak_episode(seed, l->writer, object, state->content, arena, out, &episode));
    TRY(add_steps(seed, l, &l->objects[object], state, arena, episode));
    episode->tags = found->as.episode->tags;
    if (state->end) {
        mneme_completion end;
        soak_completion(state->end, &end);
        episode->outcome = end.outcome;
        episode->reward = end.reward;
        episode->end_us = end.end_us;
    }
    return 0;
}

/* A plain record, but with the tags that were found, which are compared by themselves. */
static int want_plain(uint64_t seed, const struct soak_ledger *l, uint32_t object,
                      const struct soak_state *state, const mneme_record *found,
                      struct arena *arena, mneme_record *out) {
    TRY(soak_plain(seed, l->writer, object, state->content, arena, out));
    if (out->kind == MNEME_PATTERN) {
        mneme_pattern *pattern = arena_alloc(arena, sizeof *pattern);
        if (!pattern)
            return MNEME_NO_MEMORY;
        *pattern = *out->as.pattern;
        pattern->tags = found->as.pattern->tags;
        out->as.pattern = pattern;
    } else if (out->kind == MNEME_HEURISTIC) {
        mneme_heuristic *heuristic = arena_alloc(arena, sizeof *heuristic);
        if (!heuristic)
            return MNEME_NO_MEMORY;
        *heuristic = *out->as.heuristic;
        heuristic->tags = found->as.heuristic->tags;
        out->as.heuristic = heuristic;
    }
    return 0;
}

static const mneme_text_list *tags_of(const mneme_record *record) {
    if (record->kind == MNEME_EPISODE)
        return &record->as.episode->tags;
    if (record->kind == MNEME_PATTERN)
        return &record->as.pattern->tags;
    return record->kind == MNEME_HEURISTIC ? &record->as.heuristic->tags : NULL;
}

bool soak_matches(uint64_t seed, const struct soak_ledger *l, uint32_t object,
                  const struct soak_state *state, const mneme_record *found,
                  char why[SOAK_WHY_SIZE]) {
    AUTO_ARENA struct arena arena = {0};
    const struct soak_object *o = &l->objects[object];
    mneme_record wanted;
    if (!found || state->life != LIFE_LIVE) {
        snprintf(why, SOAK_WHY_SIZE, "%s", found ? "it is there" : "it is not there");
        return !found == (state->life != LIFE_LIVE);
    }
    if (found->kind != o->kind) {
        snprintf(why, SOAK_WHY_SIZE, "it is of kind %s", mneme_kind_name(found->kind));
        return false;
    }
    const mneme_text_list *tags = tags_of(found);
    if (tags && !tags_match(l->writer, state->tags, tags, why))
        return false;
    int status = o->kind == MNEME_EPISODE
                     ? want_episode(seed, l, object, state, found, &arena, &wanted)
                     : want_plain(seed, l, object, state, found, &arena, &wanted);
    if (status)
        snprintf(why, SOAK_WHY_SIZE, "no memory");
    return status == 0 && soak_equal(&wanted, found, why, SOAK_WHY_SIZE);
}

/* ---- Looking -------------------------------------------------------------------------------- */

int soak_look(const struct soak_eye *eye, const struct soak_ledger *l, uint32_t object,
              uint32_t *states, mneme_error *error) {
    const struct soak_object *o = &l->objects[object];
    mneme_id id =
        soak_id((struct soak_name){.class = SOAK_OBJECT, .writer = l->writer, .number = object});
    char why[SOAK_WHY_SIZE] = "", text[MNEME_ID_TEXT_SIZE];
    const mneme_record *found = NULL;
    int status = mneme_acquire(eye->m, o->kind, &id, &found, error);
    if (status && status != MNEME_NOT_FOUND)
        return status;
    *states = 0;
    for (uint32_t i = 0; i <= o->pending_count; i++) {
        struct soak_state state = ledger_state(l, object, i);
        if (soak_matches(eye->seed, l, object, &state, found, why))
            *states |= UINT32_C(1) << i;
    }
    if (found)
        mneme_release(eye->m, found);
    if (*states)
        return 0;
    mneme_id_format(&id, text);
    return error_set(error, MNEME_FAILURE,
                     "writer %u, object %u (%s %s), %u pending, last content of write %u: %.300s",
                     l->writer, object, mneme_kind_name(o->kind), text, o->pending_count,
                     o->now.content, why);
}

/* ---- Settling ------------------------------------------------------------------------------- */

enum vote { VOTE_NONE, VOTE_IN, VOTE_OUT };

/* How the pending write number `at` of an object went, if these are the states it can be in. */
static enum vote vote_of(uint32_t states, uint32_t at) {
    uint32_t without = (UINT32_C(1) << (at + 1)) - 1;
    if (!(states & without))
        return VOTE_IN;
    return states & ~without ? VOTE_NONE : VOTE_OUT;
}

/* All objects of a write must agree. */
static int learn(const struct soak_eye *eye, const struct soak_ledger *l,
                 const struct soak_write *w, enum vote *out, mneme_error *error) {
    *out = VOTE_NONE;
    for (uint32_t i = 0; i < w->count; i++) {
        const struct soak_object *o = &l->objects[w->object + i];
        uint32_t states, at = 0;
        TRY(soak_look(eye, l, w->object + i, &states, error));
        while (at < o->pending_count && o->pending[at] != w->number)
            at++;
        enum vote vote = vote_of(states, at);
        if (vote != VOTE_NONE && *out != VOTE_NONE && vote != *out)
            return error_set(error, MNEME_FAILURE,
                             "writer %u: write %u, of objects %u to %u, went in by half: object %u "
                             "%s it",
                             l->writer, w->number, w->object, w->object + w->count - 1,
                             w->object + i, vote == VOTE_IN ? "has" : "lacks");
        *out = vote == VOTE_NONE ? *out : vote;
    }
    return 0;
}

int soak_settle(const struct soak_eye *eye, struct soak_ledger *l, uint32_t number,
                mneme_error *error) {
    const struct soak_write w = *ledger_pending(l, number);
    enum vote vote;
    TRY(learn(eye, l, &w, &vote, error));
    /* When both are possible the states are the same, so either will do. */
    return ledger_end(l, number, vote == VOTE_OUT ? MNEME_CANCELLED : 0, error);
}

int soak_settle_all(const struct soak_eye *eye, struct soak_ledger *l, bool killed,
                    mneme_error *error) {
    enum vote votes[SOAK_PENDING_MAX];
    uint32_t count = l->pending_count, numbers[SOAK_PENDING_MAX], lost = 0;
    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = l->pending[i].number;
        TRY(learn(eye, l, &l->pending[i], &votes[i], error));
        /* A queued tag or end may have been beaten by sync, and those behind it not. */
        enum soak_verb verb = l->pending[i].verb;
        bool beaten = verb == VERB_TAG || verb == VERB_UNTAG || verb == VERB_COMPLETE;
        if (votes[i] == VOTE_OUT && !lost && !beaten)
            lost = numbers[i];
        if (votes[i] == VOTE_IN && lost && killed)
            return error_set(error, MNEME_FAILURE,
                             "writer %u: write %u is there, and write %u, queued before it, is not",
                             l->writer, numbers[i], lost);
    }
    for (uint32_t i = 0; i < count; i++)
        TRY(ledger_end(l, numbers[i], votes[i] == VOTE_OUT ? MNEME_CANCELLED : 0, error));
    return 0;
}
