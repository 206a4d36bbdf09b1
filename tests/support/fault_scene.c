/*
 * fault_scene.c - the scene and the cases of fault_scene.h.
 */
#include "support/fault_scene.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const int64_t TIME = INT64_C(1763712120000000);

/* Numbers of records: below 50 those of the scene, above it what cases make. */
enum {
    OPEN_EPISODE = 1,
    SEALED_EPISODE = 2,
    PATTERN = 3,
    HEURISTIC = 4,
    RELATION = 5,
    EMBEDDING = 6,
    CHECKPOINT = 7,
    PROBE = 8,
    FIRST_STEP = 10,
    MADE = 50
};

static mneme_id id_of(unsigned n) {
    mneme_id id = {{1, 0x9a, 0xa5, 0x6f, 0x34, 0xc0, 0x70, 0, 0x80}};
    id.bytes[14] = (uint8_t)(n >> 8);
    id.bytes[15] = (uint8_t)n;
    return id;
}

/* ---- One record of each kind ---------------------------------------------------------------- */

/* A record and all that it points to; number n of its kind. */
struct sample {
    mneme_record record;
    mneme_id evidence;
    mneme_text tag, insight;
    mneme_pair metadata;
    mneme_step steps[3];
    float values[64];
    char long_text[6000];
    union {
        mneme_episode episode;
        mneme_step step;
        mneme_pattern pattern;
        mneme_heuristic heuristic;
        mneme_relation relation;
        mneme_embedding embedding;
        mneme_checkpoint checkpoint;
    } as;
};

static void fill_text(char *to, size_t size) {
    static const char words[] = "search for the order, then refund it to the card; ";
    for (size_t i = 0; i < size; i++)
        to[i] = (char)(words[i % (sizeof words - 1)] ^ (i % 97 == 0));
}

static void sample_steps(struct sample *s, unsigned n) {
    for (unsigned i = 0; i < COUNT(s->steps); i++) {
        s->steps[i] = step_of("search", "three flights found");
        s->steps[i].id = id_of(n * 100 + i);
        s->steps[i].time_us = TIME + i;
        s->steps[i].parameters = text("{\"from\": \"ZRH\"}");
    }
    s->steps[1].output = (mneme_text){s->long_text, sizeof s->long_text};
}

static void sample_episode(struct sample *s, unsigned n, bool sealed) {
    sample_steps(s, n);
    s->as.episode = (mneme_episode){.id = id_of(n),
                                    .task = text("book a flight to Zurich"),
                                    .task_type = text("debugging"),
                                    .context = {.domain = text("airline")},
                                    .start_us = TIME + n,
                                    .steps = {s->steps, COUNT(s->steps)},
                                    .metadata = {&s->metadata, 1},
                                    .tags = {&s->tag, 1}};
    if (sealed) {
        s->as.episode.end_us = TIME + 1000;
        s->as.episode.outcome = (mneme_outcome){.kind = MNEME_SUCCESS, .verdict = text("good")};
        s->as.episode.reflection.insights = (mneme_text_list){&s->insight, 1};
    }
    s->record = (mneme_record){.kind = MNEME_EPISODE, .as.episode = &s->as.episode};
}

static void sample_learned(struct sample *s, mneme_kind kind, unsigned n) {
    if (kind == MNEME_PATTERN) {
        s->as.pattern = pattern_of("retry", "search again with other dates");
        s->as.pattern.id = id_of(n);
        s->as.pattern.created_us = TIME + n;
        s->as.pattern.content = (mneme_text){"[1, 2]", 6};
        s->as.pattern.tags = (mneme_text_list){&s->tag, 1};
        s->record.as.pattern = &s->as.pattern;
    } else if (kind == MNEME_HEURISTIC) {
        s->as.heuristic = (mneme_heuristic){.id = id_of(n),
                                            .condition = text("no seats are left"),
                                            .action = text("offer the next day"),
                                            .confidence = 0.5,
                                            .created_us = TIME + n,
                                            .evidence = &s->evidence,
                                            .evidence_count = 1};
        s->record.as.heuristic = &s->as.heuristic;
    } else if (kind == MNEME_RELATION) {
        s->as.relation = (mneme_relation){.id = id_of(n),
                                          .type = text("caused_by"),
                                          .from = id_of(PATTERN),
                                          .to = id_of(HEURISTIC),
                                          .created_us = TIME + n};
        s->record.as.relation = &s->as.relation;
    } else {
        s->as.embedding = (mneme_embedding){.id = id_of(n),
                                            .subject = id_of(PATTERN),
                                            .model = text("m"),
                                            .values = s->values,
                                            .count = COUNT(s->values),
                                            .created_us = TIME + n};
        s->record.as.embedding = &s->as.embedding;
    }
}

static struct sample *sample_make(mneme_kind kind, unsigned n) {
    struct sample *s = calloc(1, sizeof *s);
    assert_non_null(s);
    s->evidence = id_of(SEALED_EPISODE);
    s->tag = text("travel");
    s->insight = text("ask for dates first");
    s->metadata = (mneme_pair){text("run"), text("7")};
    fill_text(s->long_text, sizeof s->long_text);
    for (size_t i = 0; i < COUNT(s->values); i++)
        s->values[i] = (float)i / 64;
    s->record.kind = kind;
    if (kind == MNEME_EPISODE) {
        sample_episode(s, n, n % 2 == 0);
    } else if (kind == MNEME_STEP) {
        s->as.step = step_of("book", "booked");
        s->as.step.id = id_of(n);
        s->as.step.time_us = TIME + n;
        s->record.parent = id_of(OPEN_EPISODE);
        s->record.as.step = &s->as.step;
    } else if (kind == MNEME_CHECKPOINT) {
        s->as.checkpoint = (mneme_checkpoint){.id = id_of(n),
                                              .episode = id_of(OPEN_EPISODE),
                                              .note = text("half way"),
                                              .state = text("{}"),
                                              .created_us = TIME + n};
        s->record.as.checkpoint = &s->as.checkpoint;
    } else {
        sample_learned(s, kind, n);
    }
    return s;
}

/* Put records, given as pairs of kind and number. */
static int put_samples(mneme *m, const unsigned (*which)[2], size_t count, const mneme_write *how,
                       mneme_error *error) {
    struct sample *samples[16];
    mneme_record records[16] = {{.kind = MNEME_KIND_NONE}};
    for (size_t i = 0; i < count; i++) {
        samples[i] = sample_make((mneme_kind)which[i][0], which[i][1]);
        records[i] = samples[i]->record;
    }
    int status = mneme_put(m, records, count, how, NULL, error);
    for (size_t i = 0; i < count; i++)
        free(samples[i]);
    return status;
}

/* ---- The scene ------------------------------------------------------------------------------ */

static const unsigned scene_records[][2] = {
    {MNEME_EPISODE, OPEN_EPISODE}, {MNEME_EPISODE, SEALED_EPISODE}, {MNEME_PATTERN, PATTERN},
    {MNEME_HEURISTIC, HEURISTIC},  {MNEME_RELATION, RELATION},      {MNEME_EMBEDDING, EMBEDDING},
    {MNEME_CHECKPOINT, CHECKPOINT}};

/* Whole episodes, a line each. */
static void write_import_file(const char *path) {
    mneme_error error;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (unsigned n = 0; n < 3; n++) {
        struct sample *s = sample_make(MNEME_EPISODE, MADE + 20 + 2 * n);
        mneme_bytes line = {0};
        s->record.id = s->as.episode.id;
        s->record.time_us = s->as.episode.start_us;
        s->record.version = (mneme_version){(uint64_t)TIME / 1000 * 65536, 7};
        s->record.flags = MNEME_FLAG_SEALED;
        for (size_t i = 0; i < COUNT(s->steps); i++)
            s->steps[i].number = i + 1;
        OK(mneme_record_to_json(&s->record, &line, &error), &error);
        assert_true(fprintf(file, "%.*s\n", (int)line.size, line.data) > 0);
        mneme_bytes_free(&line);
        free(s);
    }
    assert_int_equal(fclose(file), 0);
}

void scene_make(struct scene *scene) {
    mneme_error error;
    home_make(&scene->home);
    snprintf(scene->base, sizeof scene->base, "%s", home_file(&scene->home, "base.mdb"));
    snprintf(scene->import, sizeof scene->import, "%s", home_file(&scene->home, "in.jsonl"));
    mneme *m = store_open_quiet(scene->base);
    OK(put_samples(m, scene_records, COUNT(scene_records), NULL, &error), &error);
    store_close_ok(m);
    write_import_file(scene->import);
    scene->m = NULL;
    scene_reset(scene);
}

void scene_remove(struct scene *scene) {
    store_close_ok(scene->m);
    home_remove(&scene->home);
}

void scene_reset(struct scene *scene) {
    store_close_ok(scene->m);
    unlink(scene->home.path);
    file_copy(scene->base, scene->home.path);
    scene->m = store_open_quiet(scene->home.path);
}

void scene_reopen(struct scene *scene) {
    store_close_ok(scene->m);
    scene->m = store_open_quiet(scene->home.path);
}

void scene_probe(struct scene *scene) {
    mneme_error error;
    OK(put_samples(scene->m, (const unsigned[][2]){{MNEME_RELATION, PROBE}}, 1, NULL, &error),
       &error);
}

mneme_bytes scene_text(struct scene *scene) {
    static const char name[] = "\"version\":\"";
    mneme_bytes all = store_text_ok(scene->m);
    for (size_t i = 0; i + sizeof name + 33 < all.size; i++)
        if (memcmp(all.data + i, name, sizeof name - 1) == 0)
            memset(all.data + i + sizeof name - 1, 'v', 33);
    return all;
}

/* ---- The cases ------------------------------------------------------------------------------ */

#define PUT_CASE(name, ...)                                                                        \
    static int name(struct scene *scene, mneme_error *error) {                                     \
        static const unsigned which[][2] = {__VA_ARGS__};                                          \
        return put_samples(scene->m, which, COUNT(which), NULL, error);                            \
    }
PUT_CASE(put_one_pattern, {MNEME_PATTERN, MADE})
PUT_CASE(put_heuristic, {MNEME_HEURISTIC, MADE})
PUT_CASE(put_relation, {MNEME_RELATION, MADE})
PUT_CASE(put_embedding, {MNEME_EMBEDDING, MADE})
PUT_CASE(put_checkpoint, {MNEME_CHECKPOINT, MADE})
PUT_CASE(put_step, {MNEME_STEP, MADE})
PUT_CASE(put_sealed_episode, {MNEME_EPISODE, MADE})
PUT_CASE(put_open_episode, {MNEME_EPISODE, MADE + 1})
PUT_CASE(replace_sealed_episode, {MNEME_EPISODE, SEALED_EPISODE})
PUT_CASE(put_all, {MNEME_PATTERN, MADE}, {MNEME_HEURISTIC, MADE}, {MNEME_RELATION, MADE},
         {MNEME_EMBEDDING, MADE}, {MNEME_CHECKPOINT, MADE}, {MNEME_STEP, MADE},
         {MNEME_EPISODE, MADE}, {MNEME_EPISODE, MADE + 1}, {MNEME_PATTERN, PATTERN})

/* With one step where there were three. */
static int replace_open_episode(struct scene *scene, mneme_error *error) {
    struct sample *s = sample_make(MNEME_EPISODE, OPEN_EPISODE);
    s->as.episode.steps.count = 1;
    s->as.episode.task = text("book a train to Zurich");
    int status = mneme_put(scene->m, &s->record, 1, NULL, NULL, error);
    free(s);
    return status;
}

static int start(struct scene *scene, mneme_error *error) {
    mneme_episode episode = {.id = id_of(MADE), .task = text("cancel a flight"), .start_us = TIME};
    return mneme_episode_start(scene->m, &episode, NULL, NULL, error);
}

static int append(struct scene *scene, mneme_error *error) {
    mneme_step step = step_of("book", "booked");
    mneme_id episode = id_of(OPEN_EPISODE);
    step.id = id_of(MADE);
    step.time_us = TIME;
    return mneme_step_append(scene->m, &episode, &step, NULL, NULL, NULL, error);
}

static int complete_episode(struct scene *scene, mneme_error *error) {
    mneme_id id = id_of(OPEN_EPISODE);
    mneme_completion completion = {.outcome = {.kind = MNEME_FAILED, .reason = text("no seats")},
                                   .reward = {.present = true, .total = -1},
                                   .end_us = TIME + 5000};
    return mneme_episode_complete(scene->m, &id, &completion, NULL, error);
}

static int delete_episode(struct scene *scene, mneme_error *error) {
    mneme_id id = id_of(OPEN_EPISODE);
    return mneme_delete(scene->m, MNEME_EPISODE, &id, 1, NULL, error);
}

static int delete_pattern(struct scene *scene, mneme_error *error) {
    mneme_id id = id_of(PATTERN);
    return mneme_delete(scene->m, MNEME_PATTERN, &id, 1, NULL, error);
}

static int tag_add(struct scene *scene, mneme_error *error) {
    mneme_id id = id_of(OPEN_EPISODE);
    return mneme_tag_add(scene->m, MNEME_EPISODE, &id, text("later"), NULL, error);
}

static int tag_remove(struct scene *scene, mneme_error *error) {
    mneme_id id = id_of(PATTERN);
    return mneme_tag_remove(scene->m, MNEME_PATTERN, &id, text("travel"), NULL, error);
}

static int put_and_wait(struct scene *scene, mneme_error *error) {
    static const unsigned which[][2] = {{MNEME_PATTERN, MADE}, {MNEME_EPISODE, MADE}};
    mneme_ticket ticket = 0;
    mneme_write how = {.durability = MNEME_BATCH, .ticket = &ticket};
    int status = put_samples(scene->m, which, COUNT(which), &how, error);
    return status ? status : mneme_ticket_wait(scene->m, ticket, -1, error);
}

static int put_relaxed_and_flush(struct scene *scene, mneme_error *error) {
    static const unsigned which[][2] = {{MNEME_HEURISTIC, MADE}, {MNEME_EPISODE, MADE + 1}};
    mneme_write how = {.durability = MNEME_RELAXED};
    int status = put_samples(scene->m, which, COUNT(which), &how, error);
    return status ? status : mneme_flush(scene->m, error);
}

/* Many pages at once. */
static int put_large(struct scene *scene, mneme_error *error) {
    size_t size = 300000;
    char *description = malloc(size + 1);
    assert_non_null(description);
    uint64_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        description[i] = (char)(' ' + (state >> 58));
    }
    description[size] = 0;
    mneme_pattern pattern = pattern_of("large", description);
    pattern.id = id_of(MADE);
    pattern.created_us = TIME;
    mneme_record record = {.kind = MNEME_PATTERN, .as.pattern = &pattern};
    int status = mneme_put(scene->m, &record, 1, NULL, NULL, error);
    free(description);
    return status;
}

static int import_file(struct scene *scene, mneme_error *error) {
    const char *files[] = {scene->import};
    return mneme_import(scene->m, files, 1, NULL, NULL, error);
}

const struct fault_case fault_cases[] = {
    {"put_pattern", put_one_pattern, false},
    {"put_heuristic", put_heuristic, false},
    {"put_relation", put_relation, false},
    {"put_embedding", put_embedding, false},
    {"put_checkpoint", put_checkpoint, false},
    {"put_step", put_step, false},
    {"put_sealed_episode", put_sealed_episode, false},
    {"put_open_episode", put_open_episode, false},
    {"replace_sealed_episode", replace_sealed_episode, false},
    {"put_all", put_all, false},
    {"replace_open_episode", replace_open_episode, false},
    {"start", start, false},
    {"append", append, false},
    {"complete", complete_episode, false},
    {"delete_episode", delete_episode, false},
    {"delete_pattern", delete_pattern, false},
    {"tag_add", tag_add, false},
    {"tag_remove", tag_remove, false},
    {"put_and_wait", put_and_wait, false},
    {"put_relaxed_and_flush", put_relaxed_and_flush, false},
    {"put_large", put_large, false},
    {"import", import_file, true},
};
const size_t fault_case_count = COUNT(fault_cases);
