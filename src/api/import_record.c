/*
 * import_record.c - one record of a file becomes mutations that go in only once.
 */
#include <xxhash.h>

#include "api/import.h"

/* Samples for training: as much as it can use, in no more records than this. */
enum { TRAIN_BYTES = 4 << 20, TRAIN_RECORDS = 4096 };

static int no_memory(mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory for an import");
}

bool record_is_bad(int status) {
    return status == MNEME_INVALID || status == MNEME_TOO_LARGE || status == MNEME_NOT_FOUND ||
           status == MNEME_CONFLICT;
}

/* ---- Ids ---------------------------------------------------------------------------------- */

/*
 * The ids of steps that have none are made of their episode's: its time, then a hash of it with
 * the number added. So they do not differ from import to import, no two episodes share them, and
 * in a compressed body they cost next to nothing.
 */
static mneme_id step_id(const mneme_id *episode, uint64_t number) {
    mneme_id id = *episode;
    uint64_t hash = XXH3_64bits(episode->bytes, sizeof episode->bytes);
    put_be64(id.bytes + 8, ((hash >> 3) + number) | UINT64_C(1)
                                                        << 63); /* the variant of RFC 9562 */
    return id;
}

static int give_step_ids(mneme_record *record, struct arena *arena, mneme_error *error) {
    const mneme_episode *e = record->as.episode;
    mneme_episode *copy = arena_alloc(arena, sizeof *copy);
    mneme_step *steps = arena_zalloc(arena, e->steps.count, sizeof *steps);
    if (!copy || !steps)
        return no_memory(error);
    *copy = *e;
    for (size_t i = 0; i < e->steps.count; i++) {
        steps[i] = e->steps.items[i];
        if (id_is_zero(&steps[i].id))
            steps[i].id = step_id(&record->id, i + 1);
    }
    copy->steps.items = steps;
    record->as.episode = copy;
    return 0;
}

/* Fill in a blank id, and those of an episode's steps. A record with a time of its own gets an
 * id of that time. */
static int give_ids(mneme_record *record, const mneme_id *id, struct arena *arena,
                    mneme_error *error) {
    if (id_is_zero(&record->id) && record->time_us > 0)
        TRY(id_make((uint64_t)record->time_us / 1000, &record->id, error));
    else if (id_is_zero(&record->id))
        record->id = *id;
    bool has_steps = record->kind == MNEME_EPISODE && record->as.episode->steps.count > 0;
    return has_steps ? give_step_ids(record, arena, error) : 0;
}

/* ---- Is it there already? ------------------------------------------------------------------ */

static int content_of(const mneme_record *record, struct buf *out, mneme_error *error) {
    mneme_record content = *record;
    content.version = (mneme_version){0};
    return model_to_json(&content, out, error);
}

/* Fill the blanks of `record` as they were filled when `stored` went in. */
static int fill_like(const mneme_record *record, const mneme_record *stored, struct arena *arena,
                     mneme_record *out, mneme_error *error) {
    mneme_record like = *record;
    mneme_step step;
    int64_t now_us = stored->time_us;
    if (like.kind == MNEME_EPISODE && stored->as.episode->end_us)
        now_us = stored->as.episode->end_us;
    if (like.time_us == 0)
        like.time_us = stored->time_us;
    if (like.kind == MNEME_STEP && like.as.step->number == 0) {
        step = *like.as.step;
        step.number = stored->as.step->number;
        like.as.step = &step;
    }
    return model_fill(&like, now_us, arena, out, error);
}

/* Whether what is stored under the record's id has the same content. */
static int is_stored(mneme *m, const struct write_set *set, const mneme_record *record, bool *same,
                     mneme_error *error) {
    AUTO_RECORDS struct record_set own = {0};
    struct record_name name = {record->kind, record->id};
    const struct stored_record *present;
    bool was_known;
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf ours = BUF_INIT(JSON_SIZE_MAX), theirs = BUF_INIT(JSON_SIZE_MAX);
    mneme_record stored, filled;
    *same = false;
    TRY(write_set_look(m, set, &name, &own, &present, &was_known, error));
    if (!present || present->flags & MNEME_FLAG_DELETED)
        return 0;
    TRY(record_open(m, present, &arena, &stored, error));
    TRY(fill_like(record, &stored, &arena, &filled, error));
    TRY(content_of(&filled, &ours, error));
    TRY(content_of(&stored, &theirs, error));
    *same = slice_equal(buf_slice(&ours), buf_slice(&theirs));
    return 0;
}

/* The batch goes in only if no episode has this origin. */
static int check_origin(struct write_set *set, const mneme_record *record, mneme_error *error) {
    struct slice origin;
    struct attribute attribute;
    if (arena_copy(&set->arena, slice_of_text(record->as.episode->origin), &origin))
        return no_memory(error);
    mneme_pair pair = {mneme_text_of("origin"), text_of_slice(origin)};
    TRY(model_attribute(MNEME_EPISODE, &pair, &set->arena, &attribute, error));
    struct mutation *check =
        write_set_add(set, MUTATION_CHECK, CONDITION_NO_ATTRIBUTE, MNEME_EPISODE, &record->id);
    if (!check)
        return no_memory(error);
    check->expect_attribute = attribute;
    return 0;
}

bool record_was_there(const struct batch *batch) {
    if (batch->status != MNEME_CONFLICT || batch->failed >= batch->count)
        return false;
    enum condition condition = batch->mutations[batch->failed].condition;
    return condition == CONDITION_NO_ATTRIBUTE || condition == CONDITION_ABSENT;
}

/* ---- Preparing ---------------------------------------------------------------------------- */

/* The values of attributes may lie in the record, which ends before the set does. */
static int own_attributes(struct write_set *set, size_t first, mneme_error *error) {
    for (size_t i = first; i < set->count; i++) {
        struct stored_record *record = &set->mutations[i].record;
        struct attribute *own = arena_zalloc(&set->arena, record->attribute_count, sizeof *own);
        if (!own)
            return no_memory(error);
        for (size_t j = 0; j < record->attribute_count; j++) {
            own[j].name = record->attributes[j].name;
            if (arena_copy(&set->arena, record->attributes[j].value, &own[j].value))
                return no_memory(error);
        }
        record->attributes = own;
    }
    return 0;
}

static int put_record(mneme *m, const struct exchange_record *parsed, int64_t now_us,
                      struct write_set *set, mneme_error *error) {
    mneme_write how = {.keep_versions = parsed->identity == IDENTITY_VERSION,
                       .only_new = parsed->identity == IDENTITY_DIGEST};
    mneme_id id;
    if (parsed->identity == IDENTITY_ORIGIN)
        TRY(check_origin(set, &parsed->record, error));
    size_t first = set->count;
    TRY(write_set_put_whole(m, set, &parsed->record, &how, now_us, &id, error));
    for (size_t i = 0; i < parsed->part_count; i++)
        TRY(write_set_put_whole(m, set, &parsed->parts[i], &how, now_us, &id, error));
    return own_attributes(set, first, error);
}

int record_prepare(mneme *m, const struct input *input, const struct slot *slot, int64_t now_us,
                   struct write_set *set, bool *duplicate, mneme_error *error) {
    AUTO_ARENA struct arena arena = {
        .first_size = size_min(size_max(2 * slot->piece.text.size, 4096), 1 << 20)};
    struct exchange_record parsed;
    *duplicate = false;
    TRY(input->format->parse(&slot->piece, input->path, &arena, &parsed, error));
    /* Without an id and a time of its own a record takes both from one moment: see kv_index_key. */
    if (id_is_zero(&parsed.record.id) && parsed.record.time_us == 0)
        now_us = (int64_t)id_millis(&slot->id) * 1000;
    TRY(give_ids(&parsed.record, &slot->id, &arena, error));
    if (parsed.identity == IDENTITY_CONTENT)
        TRY(is_stored(m, set, &parsed.record, duplicate, error));
    if (*duplicate)
        return 0;
    size_t count = set->count, plain_bytes[MNEME_KIND_COUNT];
    memcpy(plain_bytes, set->plain_bytes, sizeof plain_bytes);
    int status = put_record(m, &parsed, now_us, set, error);
    if (status) {
        set->count = count;
        memcpy(set->plain_bytes, plain_bytes, sizeof plain_bytes);
    }
    return status;
}

bool record_is_looked_for(const struct input *input, const struct slot *slot,
                          struct record_name *name) {
    AUTO_ARENA struct arena arena = {.first_size = size_max(2 * slot->piece.text.size, 4096)};
    struct exchange_record parsed;
    if (input->format->parse(&slot->piece, input->path, &arena, &parsed, NULL))
        return false; /* the reason is told when it is prepared */
    bool replica = parsed.identity == IDENTITY_VERSION && parsed.record.kind == MNEME_EPISODE;
    *name = (struct record_name){parsed.record.kind, parsed.record.id};
    return (replica || parsed.identity == IDENTITY_CONTENT) && !id_is_zero(&name->id);
}

/* ---- Training ----------------------------------------------------------------------------- */

struct samples {
    mneme *m;
    struct arena arena;
    struct slice *items; /* of all kinds, TRAIN_RECORDS of them */
    mneme_kind *kinds;
    size_t count;
    size_t bytes;
    bool wanted[MNEME_KIND_COUNT];
};

/* The plain body of a record, if its kind wants training. What is wrong with a record is not
 * told here: it will be when it is imported. */
static int sample_record(struct samples *s, const struct input *input, const struct slot *slot,
                         int64_t now_us, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    AUTO_BUF struct buf body = BUF_INIT(STORE_BODY_MAX);
    struct exchange_record parsed;
    struct stored_record stored;
    mneme_record filled;
    struct slice copy;
    int status = input->format->parse(&slot->piece, input->path, &arena, &parsed, error);
    if (status == 0 && !s->wanted[parsed.record.kind])
        return 0;
    status = status ? status : give_ids(&parsed.record, &slot->id, &arena, error);
    status = status ? status : model_fill(&parsed.record, now_us, &arena, &filled, error);
    status = status ? status : model_validate(&filled, error);
    status = status ? status : model_encode(&filled, &arena, &body, &stored, error);
    if (status)
        return record_is_bad(status) ? 0 : status;
    if (arena_copy(&s->arena, buf_slice(&body), &copy))
        return no_memory(error);
    s->items[s->count] = copy;
    s->kinds[s->count++] = filled.kind;
    s->bytes += copy.size;
    return 0;
}

static int sample_source(struct samples *s, struct source *source, int64_t now_us,
                         mneme_error *error) {
    int status = 0;
    while (status == 0 && s->bytes < TRAIN_BYTES && s->count < TRAIN_RECORDS) {
        struct chunk *chunk;
        TRY(source_next(source, &chunk, error));
        if (!chunk)
            break;
        for (size_t i = 0; status == 0 && i < chunk->count && s->count < TRAIN_RECORDS; i++)
            if (chunk->slots[i].state != SLOT_BAD)
                status = sample_record(s, chunk->input, &chunk->slots[i], now_us, error);
        chunk_free(chunk);
    }
    return status;
}

static int train_kind(struct samples *s, mneme_kind kind, struct slice *room, mneme_error *error) {
    size_t count = 0;
    bool trained;
    for (size_t i = 0; i < s->count; i++)
        if (s->kinds[i] == kind)
            room[count++] = s->items[i];
    return count ? dictionaries_train_from(s->m, kind, room, count, &trained, error) : 0;
}

static int train(struct samples *s, struct source *source, int64_t now_us, mneme_error *error) {
    s->items = arena_zalloc(&s->arena, TRAIN_RECORDS, sizeof *s->items);
    s->kinds = arena_zalloc(&s->arena, TRAIN_RECORDS, sizeof *s->kinds);
    struct slice *room = arena_zalloc(&s->arena, TRAIN_RECORDS, sizeof *room);
    if (!s->items || !s->kinds || !room)
        return no_memory(error);
    int status = sample_source(s, source, now_us, error);
    source_rewind(source);
    for (int kind = 1; status == 0 && kind < MNEME_KIND_COUNT; kind++)
        if (s->wanted[kind])
            status = train_kind(s, (mneme_kind)kind, room, error);
    return status;
}

int import_train(mneme *m, struct source *source, int64_t now_us, mneme_error *error) {
    struct samples samples = {.m = m};
    bool wanted = false;
    if (m->options.no_training || m->options.compression != MNEME_COMPRESS_DEFAULT)
        return 0;
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        struct dictionary *d = dictionaries_current(m, (mneme_kind)kind);
        /* Vectors do not compress, and a step's lines are part of their episode's. */
        samples.wanted[kind] =
            !d && kind_is_public((mneme_kind)kind) && kind != MNEME_EMBEDDING && kind != MNEME_STEP;
        wanted = wanted || samples.wanted[kind];
        dictionary_drop(d);
    }
    int status = wanted ? train(&samples, source, now_us, error) : 0;
    arena_fini(&samples.arena);
    /* Without a dictionary the import goes on; if the server stays away, the first commit tells. */
    return status == MNEME_UNAVAILABLE || status == MNEME_UNCERTAIN ? 0 : status;
}
