/*
 * soak_record.c - ids that are names, and content that follows from the number of its write.
 */
#include "bench/soak_record.h"

#include <stdio.h>

#include "bench/generate.h"

enum { MAGIC = 0x5a, TEXT_MAX = 1500, LARGE_MIN = 60000, LARGE_MAX = 300000 };
static const int64_t begin_us = INT64_C(1770000000) * 1000000;

/* ---- Names ---------------------------------------------------------------------------------- */

/* A UUIDv7 in form, its time going with the number, so that new ones lie at the end of a table. */
mneme_id soak_id(struct soak_name name) {
    mneme_id id;
    uint64_t millis = (uint64_t)begin_us / 1000 + name.number;
    put_be64(id.bytes, millis << 16 | 0x7000 | name.index);
    id.bytes[8] = (uint8_t)(0x80 | name.class);
    id.bytes[9] = MAGIC;
    id.bytes[10] = (uint8_t)(name.writer >> 8);
    id.bytes[11] = (uint8_t)name.writer;
    put_be32(id.bytes + 12, name.number);
    return id;
}

bool soak_name_of(const mneme_id *id, struct soak_name *name) {
    *name = (struct soak_name){.class = id->bytes[8] & 0x3f,
                               .writer = (unsigned)id->bytes[10] << 8 | id->bytes[11],
                               .number = get_be32(id->bytes + 12),
                               .index = id->bytes[7]};
    mneme_id same = soak_id(*name);
    return name->class >= SOAK_OBJECT && name->class <= SOAK_BOARD && id_equal(id, &same);
}

uint64_t soak_chance(uint64_t seed, unsigned writer, uint32_t write) {
    return mix(mix(seed, writer), write);
}

void soak_word(unsigned writer, char word[SOAK_WORD_SIZE]) {
    snprintf(word, SOAK_WORD_SIZE, "w%u", writer);
}

void soak_tag(unsigned writer, unsigned number, char tag[SOAK_WORD_SIZE]) {
    snprintf(tag, SOAK_WORD_SIZE, "w%u-%u", writer, number);
}

/* ---- Texts ---------------------------------------------------------------------------------- */

static int copy(struct arena *arena, const char *text, mneme_text *out) {
    struct slice copied;
    TRY(arena_copy(arena, slice_of_string(text), &copied));
    *out = text_of_slice(copied);
    return 0;
}

/* `size` bytes of words and numbers that compress like text. */
static int make_text(struct arena *arena, uint64_t chance, size_t size, mneme_text *out) {
    static const char *const words[] = {
        "the ",  "test ",   "fails ", "again ", "because ", "a ",     "file ",  "is ",
        "read ", "before ", "it ",    "was ",   "closed ",  "retry ", "found ", "nothing "};
    char *text = arena_alloc(arena, size + 32);
    size_t at = 0;
    if (!text)
        return MNEME_NO_MEMORY;
    while (at < size) {
        chance = mix(chance, at);
        const char *word = words[chance % COUNT_OF(words)];
        int more = snprintf(text + at, 32, chance & 0x10000 ? "%s" : "%s%llu ", word,
                            (unsigned long long)(chance >> 40));
        at += more > 0 ? size_min((size_t)more, size + 31 - at) : 1;
    }
    *out = (mneme_text){text, size};
    return 0;
}

/* As a rule some hundred bytes; one of forty is large, so that the file grows in leaps. */
static size_t size_of(uint64_t chance) {
    return chance % 40 == 7 ? LARGE_MIN + (chance >> 8) % (LARGE_MAX - LARGE_MIN)
                            : 20 + (chance >> 8) % TEXT_MAX;
}

/* {"write": "17"} */
static int make_metadata(struct arena *arena, uint32_t write, mneme_pair_list *out) {
    char number[16];
    mneme_pair *pair = arena_alloc(arena, sizeof *pair);
    if (!pair)
        return MNEME_NO_MEMORY;
    snprintf(number, sizeof number, "%u", write);
    pair->name = mneme_text_of("write");
    TRY(copy(arena, number, &pair->value));
    *out = (mneme_pair_list){pair, 1};
    return 0;
}

static int make_word(struct arena *arena, unsigned writer, mneme_text *word,
                     mneme_text_list *tags) {
    char text[SOAK_WORD_SIZE];
    soak_word(writer, text);
    TRY(copy(arena, text, word));
    mneme_text *item = arena_alloc(arena, sizeof *item);
    if (!item)
        return MNEME_NO_MEMORY;
    *item = *word;
    *tags = (mneme_text_list){item, 1};
    return 0;
}

/* ---- Plain records -------------------------------------------------------------------------- */

mneme_kind soak_plain_kind(uint32_t object) {
    static const mneme_kind kinds[] = {MNEME_PATTERN, MNEME_HEURISTIC, MNEME_PATTERN,
                                       MNEME_RELATION};
    return kinds[object % COUNT_OF(kinds)];
}

static int make_pattern(uint64_t chance, unsigned writer, uint32_t write, struct arena *arena,
                        mneme_record *out) {
    mneme_pattern *pattern = arena_zalloc(arena, 1, sizeof *pattern);
    if (!pattern)
        return MNEME_NO_MEMORY;
    pattern->name = mneme_text_of("what was learned");
    pattern->created_us = out->time_us;
    pattern->success_rate = (double)(chance % 101) / 100;
    pattern->occurrences = write;
    out->as.pattern = pattern;
    TRY(make_word(arena, writer, &pattern->type, &pattern->tags));
    TRY(make_text(arena, chance, 40, &pattern->description));
    TRY(make_text(arena, mix(chance, 1), size_of(chance), &pattern->content));
    return make_metadata(arena, write, &pattern->metadata);
}

static int make_heuristic(uint64_t chance, unsigned writer, uint32_t write, struct arena *arena,
                          mneme_record *out) {
    mneme_text word;
    mneme_heuristic *heuristic = arena_zalloc(arena, 1, sizeof *heuristic);
    if (!heuristic)
        return MNEME_NO_MEMORY;
    heuristic->confidence = (double)(chance % 101) / 100;
    heuristic->created_us = out->time_us;
    out->as.heuristic = heuristic;
    TRY(make_word(arena, writer, &word, &heuristic->tags));
    TRY(make_text(arena, chance, 60, &heuristic->condition));
    TRY(make_text(arena, mix(chance, 1), 100, &heuristic->action));
    return make_metadata(arena, write, &heuristic->metadata);
}

static int make_relation(uint64_t chance, unsigned writer, uint32_t write, struct arena *arena,
                         mneme_record *out) {
    mneme_text_list tags;
    mneme_relation *relation = arena_zalloc(arena, 1, sizeof *relation);
    if (!relation)
        return MNEME_NO_MEMORY;
    *relation = (mneme_relation){
        .from = soak_id((struct soak_name){.class = SOAK_RACE, .number = (uint32_t)chance % 50}),
        .to = soak_id((struct soak_name){.class = SOAK_OBJECT, .writer = writer}),
        .from_kind = MNEME_EPISODE,
        .to_kind = MNEME_PATTERN,
        .weight = (double)(chance % 1000) / 8,
        .created_us = out->time_us};
    out->as.relation = relation;
    TRY(make_word(arena, writer, &relation->type, &tags));
    return make_metadata(arena, write, &relation->metadata);
}

int soak_plain(uint64_t seed, unsigned writer, uint32_t object, uint32_t write, struct arena *arena,
               mneme_record *out) {
    uint64_t chance = mix(soak_chance(seed, writer, write), object);
    *out = (mneme_record){
        .kind = soak_plain_kind(object),
        .id = soak_id((struct soak_name){.class = SOAK_OBJECT, .writer = writer, .number = object}),
        .time_us = begin_us + (int64_t)object * 1000};
    if (out->kind == MNEME_PATTERN)
        return make_pattern(chance, writer, write, arena, out);
    if (out->kind == MNEME_HEURISTIC)
        return make_heuristic(chance, writer, write, arena, out);
    return make_relation(chance, writer, write, arena, out);
}

/* ---- Episodes ------------------------------------------------------------------------------- */

int soak_episode(uint64_t seed, unsigned writer, uint32_t object, uint32_t write,
                 struct arena *arena, mneme_record *out, mneme_episode **episode) {
    uint64_t chance = mix(soak_chance(seed, writer, write), object);
    mneme_episode *made = arena_zalloc(arena, 1, sizeof *made);
    if (!made)
        return MNEME_NO_MEMORY;
    *out = (mneme_record){
        .kind = MNEME_EPISODE,
        .id = soak_id((struct soak_name){.class = SOAK_OBJECT, .writer = writer, .number = object}),
        .time_us = begin_us + (int64_t)object * 1000,
        .as.episode = made};
    made->id = out->id;
    made->start_us = out->time_us;
    made->context.domain = mneme_text_of("soak");
    *episode = made;
    TRY(make_word(arena, writer, &made->task_type, &made->tags));
    TRY(make_text(arena, chance, 20 + chance % 200, &made->task));
    return make_metadata(arena, write, &made->metadata);
}

int soak_step(uint64_t seed, unsigned writer, uint32_t write, unsigned index, struct arena *arena,
              mneme_step *out) {
    uint64_t chance = mix(soak_chance(seed, writer, write), index);
    *out = (mneme_step){.id = soak_id((struct soak_name){SOAK_STEP, writer, write, index}),
                        .time_us = begin_us + (int64_t)write * 100 + index,
                        .tool = mneme_text_of("read_file"),
                        .action = mneme_text_of("look"),
                        .parameters = mneme_text_of("{\"path\": \"a/b.c\"}"),
                        .result = MNEME_RESULT_SUCCESS,
                        .has_latency = true,
                        .latency_ms = write};
    return make_text(arena, chance, 10 + chance % 700, &out->output);
}

unsigned soak_whole_steps(uint32_t write) { return 1 + write % 5; }

void soak_completion(uint32_t write, mneme_completion *out) {
    *out = (mneme_completion){.outcome = {.kind = MNEME_SUCCESS, .verdict = mneme_text_of("done")},
                              .reward = {.present = true, .total = (double)(write % 100) / 4},
                              .end_us = begin_us + INT64_C(1000000000000) + write};
}

/* ---- What all write to ---------------------------------------------------------------------- */

int soak_race(uint64_t seed, uint32_t number, struct arena *arena, mneme_record *out) {
    mneme_episode *episode;
    TRY(soak_episode(seed, 0, number, 0, arena, out, &episode));
    out->id = episode->id = soak_id((struct soak_name){.class = SOAK_RACE, .number = number});
    episode->task_type = mneme_text_of("race");
    episode->tags = (mneme_text_list){NULL, 0};
    return 0;
}

int soak_shared_pattern(uint64_t seed, uint32_t number, struct arena *arena, mneme_record *out) {
    uint64_t chance = soak_chance(seed, 0, number);
    mneme_pattern *pattern;
    *out = (mneme_record){.kind = MNEME_PATTERN,
                          .id = soak_id((struct soak_name){.class = SOAK_BOARD, .number = number}),
                          .time_us = begin_us};
    TRY(make_pattern(chance, 0, 0, arena, out));
    pattern = arena_alloc(arena, sizeof *pattern);
    if (!pattern)
        return MNEME_NO_MEMORY;
    *pattern = *out->as.pattern;
    pattern->type = mneme_text_of("shared");
    pattern->tags = (mneme_text_list){NULL, 0};
    out->as.pattern = pattern;
    return 0;
}

/* ---- Comparing ------------------------------------------------------------------------------ */

static void tell_difference(const mneme_bytes *wanted, const mneme_bytes *found, char *why,
                            size_t size) {
    size_t at = 0;
    while (at < wanted->size && at < found->size && wanted->data[at] == found->data[at])
        at++;
    size_t from = at > 30 ? at - 30 : 0;
    snprintf(why, size, "at byte %zu: wanted %.*s | found %.*s", at,
             (int)size_min(160, wanted->size - from), wanted->data + from,
             (int)size_min(160, found->size > from ? found->size - from : 0), found->data + from);
}

bool soak_equal(const mneme_record *wanted, const mneme_record *found, char *why, size_t size) {
    mneme_record like = *wanted;
    mneme_bytes texts[2] = {{0}};
    mneme_error error;
    like.version = found->version;
    like.flags = found->flags;
    bool same = false;
    if (mneme_record_to_json(&like, &texts[0], &error) ||
        mneme_record_to_json(found, &texts[1], &error))
        snprintf(why, size, "%s", error.message);
    else if (texts[0].size == texts[1].size &&
             memcmp(texts[0].data, texts[1].data, texts[0].size) == 0)
        same = true;
    else
        tell_difference(&texts[0], &texts[1], why, size);
    mneme_bytes_free(&texts[0]);
    mneme_bytes_free(&texts[1]);
    return same;
}
