/*
 * corpus.c - loading real episodes through the importer that ships, and making variations of them.
 */
#include "bench/corpus.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/generate.h"

enum { GENERATED_COUNT = 200, EPISODES_MAX = 10000 };

/* The first episode of a corpus of variations, 2025-01-01T00:00:00Z, and a minute to the next. */
static const int64_t vary_start_us = INT64_C(1735689600) * 1000000;
static const int64_t vary_every_us = INT64_C(60) * 1000000;

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for the episodes to measure with");
}

/* ---- Loading ------------------------------------------------------------------------------ */

/* The number of the task that an episode works on. */
static uint64_t task_of(const mneme_record *record, size_t index) {
    const mneme_pair_list *metadata = &record->as.episode->metadata;
    for (size_t i = 0; i < metadata->count; i++) {
        mneme_text value = metadata->items[i].value;
        char digits[24];
        if (text_is(metadata->items[i].name, "task_id") && value.size < sizeof digits) {
            snprintf(digits, sizeof digits, "%.*s", (int)value.size, value.data);
            return strtoull(digits, NULL, 10);
        }
    }
    return index;
}

static int split(struct corpus *corpus, const mneme_record *const *records, size_t count,
                 mneme_error *error) {
    corpus->trained.items = arena_zalloc(&corpus->arena, count, sizeof *corpus->trained.items);
    corpus->fresh.items = arena_zalloc(&corpus->arena, count, sizeof *corpus->fresh.items);
    if (!corpus->trained.items || !corpus->fresh.items)
        return no_memory(error);
    for (size_t i = 0; i < count; i++) {
        struct record_list *list = task_of(records[i], i) % 2 ? &corpus->fresh : &corpus->trained;
        list->items[list->count++] = records[i];
    }
    if (corpus->trained.count == 0 || corpus->fresh.count == 0)
        return error_set(error, MNEME_INVALID, "%s: too few episodes to measure with",
                         corpus->path);
    return 0;
}

static int load_real(struct corpus *corpus, mneme_error *error) {
    const mneme_options options = {.size = sizeof options, .no_training = true};
    const char *path = corpus->path;
    mneme_query query = {.kind = MNEME_EPISODE, .order = MNEME_OLDEST_FIRST, .limit = EPISODES_MAX};
    TRY(mneme_open("mem:", &options, &corpus->source, error));
    TRY(mneme_import(corpus->source, &path, 1, NULL, NULL, error));
    TRY(mneme_list(corpus->source, &query, &corpus->page, error));
    return split(corpus, corpus->page->records, corpus->page->count, error);
}

static int load_generated(struct corpus *corpus, mneme_error *error) {
    mneme_record *records = arena_zalloc(&corpus->arena, GENERATED_COUNT, sizeof *records);
    const mneme_record **list = arena_zalloc(&corpus->arena, GENERATED_COUNT, sizeof *list);
    if (!records || !list)
        return no_memory(error);
    for (size_t i = 0; i < GENERATED_COUNT; i++) {
        TRY(generate_episode(1, i, GENERATED_USUAL, &corpus->arena, &records[i], error));
        list[i] = &records[i];
    }
    return split(corpus, list, GENERATED_COUNT, error);
}

int corpus_load(struct corpus *corpus, mneme_error *error) {
    const char *directory = getenv("MNEME_DATA_DIR");
    snprintf(corpus->path, sizeof corpus->path, "%s/tau-bench-airline.json",
             directory && *directory ? directory : MNEME_DEFAULT_DATA_DIR);
    corpus->real = access(corpus->path, R_OK) == 0;
    return corpus->real ? load_real(corpus, error) : load_generated(corpus, error);
}

void corpus_fini(struct corpus *corpus) {
    if (corpus->page)
        mneme_page_release(corpus->source, corpus->page);
    (void)mneme_close(corpus->source, NULL);
    arena_fini(&corpus->arena);
    *corpus = (struct corpus){0};
}

/* ---- Variations --------------------------------------------------------------------------- */

/* A UUIDv7 of this time; `part` tells the ids of one variation apart. */
static mneme_id vary_id(uint64_t number, uint64_t part, int64_t time_us) {
    mneme_id id;
    put_be64(id.bytes, (uint64_t)time_us / 1000 << 16 | 0x7000 | (part & 0xfff));
    put_be64(id.bytes + 8, UINT64_C(1) << 63 | mix(number, part) >> 2);
    return id;
}

/* Other letters for those behind the first `mark` of a text, as many as there were. */
static int vary_text(mneme_text *text, char mark, const char *alphabet, uint64_t chance,
                     struct arena *arena) {
    char *copy = arena_alloc(arena, text->size);
    if (!copy)
        return MNEME_NO_MEMORY;
    bool behind = false;
    for (size_t i = 0; i < text->size; i++) {
        chance = mix(chance, i);
        copy[i] = behind ? alphabet[chance % strlen(alphabet)] : text->data[i];
        behind = behind || copy[i] == mark;
    }
    text->data = copy;
    return 0;
}

static int vary_call_id(mneme_step *step, uint64_t chance, struct arena *arena) {
    static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    if (step->metadata.count != 1 || !text_is(step->metadata.items[0].name, "tool_call_id"))
        return 0;
    mneme_pair *pair = arena_alloc(arena, sizeof *pair);
    if (!pair)
        return MNEME_NO_MEMORY;
    *pair = step->metadata.items[0];
    step->metadata.items = pair;
    return vary_text(&pair->value, '_', letters, chance, arena);
}

static int vary_steps(mneme_episode *e, uint64_t number, int64_t shift_us, struct arena *arena) {
    if (e->steps.count == 0)
        return 0;
    mneme_step *steps = arena_zalloc(arena, e->steps.count, sizeof *steps);
    if (!steps)
        return MNEME_NO_MEMORY;
    for (size_t i = 0; i < e->steps.count; i++) {
        steps[i] = e->steps.items[i];
        steps[i].time_us += shift_us;
        steps[i].id = vary_id(number, i + 1, steps[i].time_us);
        TRY(vary_call_id(&steps[i], mix(number, i), arena));
    }
    e->steps.items = steps;
    return 0;
}

int corpus_vary(const struct corpus *corpus, uint64_t number, struct arena *arena,
                mneme_record *out, mneme_error *error) {
    const mneme_record *from = corpus->fresh.items[number % corpus->fresh.count];
    mneme_episode *e = arena_alloc(arena, sizeof *e);
    if (!e)
        return no_memory(error);
    *e = *from->as.episode;
    int64_t start_us = vary_start_us + (int64_t)number * vary_every_us;
    int64_t shift_us = start_us - e->start_us;
    e->start_us = start_us;
    e->end_us += shift_us;
    e->id = vary_id(number, 0, start_us);
    if (vary_steps(e, number, shift_us, arena) ||
        vary_text(&e->origin, ':', "0123456789abcdef", mix(number, 1), arena))
        return no_memory(error);
    *out = (mneme_record){.kind = MNEME_EPISODE,
                          .flags = from->flags,
                          .id = e->id,
                          .time_us = start_us,
                          .as.episode = e};
    return 0;
}

/* ---- Steps -------------------------------------------------------------------------------- */

int corpus_vary_new(const struct corpus *corpus, uint64_t number, struct arena *arena,
                    mneme_record *out, mneme_error *error) {
    mneme_episode *blank = arena_alloc(arena, sizeof *blank);
    if (!blank)
        return error_set(error, MNEME_NO_MEMORY, "no memory for episodes");
    TRY(corpus_vary(corpus, number, arena, out, error));
    *blank = *out->as.episode;
    blank->id = out->id = (mneme_id){{0}};
    out->as.episode = blank;
    return 0;
}

int corpus_steps(const struct record_list *episodes, struct arena *arena, struct record_list *out,
                 mneme_error *error) {
    size_t count = 0, at = 0;
    for (size_t i = 0; i < episodes->count; i++)
        count += episodes->items[i]->as.episode->steps.count;
    mneme_record *records = arena_zalloc(arena, count, sizeof *records);
    out->items = arena_zalloc(arena, count, sizeof *out->items);
    if (!records || !out->items)
        return no_memory(error);
    for (size_t i = 0; i < episodes->count; i++) {
        const mneme_step_list *steps = &episodes->items[i]->as.episode->steps;
        for (size_t j = 0; j < steps->count; j++, at++) {
            records[at] = (mneme_record){.kind = MNEME_STEP,
                                         .id = steps->items[j].id,
                                         .parent = episodes->items[i]->id,
                                         .time_us = steps->items[j].time_us,
                                         .as.step = &steps->items[j]};
            out->items[at] = &records[at];
        }
    }
    out->count = count;
    return 0;
}
