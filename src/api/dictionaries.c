/*
 * dictionaries.c - the compression dictionaries of a store: finding, choosing and training them.
 *
 * A dictionary is a record like any other: kind MNEME_DICTIONARY, its id the front of its SHA-256,
 * its body the dictionary. It is never deleted, for bodies refer to it for ever.
 *
 * When to train. A kind's bodies, uncompressed, pass 128 KiB, 2 MiB, 32 MiB, … (each 16 times the
 * one before): these are its generations 0, 1, 2, …. Each generation is trained for once, by
 * whichever process gets there first: the record carries the attribute generation = "KIND:N", and
 * goes in only if there is none. When no dictionary pays, an empty record says so.
 */
#include <stdio.h>

#include "api/handle.h"

enum {
    REFRESH_US = 10 * 1000 * 1000, /* how long another process's new dictionary may go unused */
    SAMPLE_BYTES = 4 << 20,
    SAMPLE_PAGE = 256,
    SAMPLES_MAX = 20000,
    NOTICE_BYTES = 64 << 10, /* of new bodies, before it is looked whether training is due */
    FIRST_BYTES = 128 << 10,
    GROWTH = 16,
    DICTIONARY_LEVEL = 3
};

struct dictionaries {
    mneme *m;
    struct lock lock;          /* guards all that follows */
    struct dictionary **known; /* every one that was opened */
    size_t known_count, known_capacity;
    struct dictionary *current[MNEME_KIND_COUNT]; /* among `known`; NULL: none */
    int64_t looked_us[MNEME_KIND_COUNT];          /* when `current` was last looked up; 0: never */
    size_t noticed[MNEME_KIND_COUNT];             /* plain bytes written since the last look */
    bool thread_runs, thread_ended, closing;
    pthread_t thread;
};

static int level_of(const mneme *m) {
    return m->options.compression_level ? m->options.compression_level : DICTIONARY_LEVEL;
}

/* Vectors do not compress; dictionaries are compressed without one. */
static bool kind_is_trained(mneme_kind kind) {
    return kind_is_public(kind) && kind != MNEME_EMBEDDING;
}

int dictionaries_create(mneme *m, struct dictionaries **out, mneme_error *error) {
    struct dictionaries *d = mem_zalloc(1, sizeof *d);
    if (!d)
        return error_set(error, MNEME_NO_MEMORY, "no memory for dictionaries");
    d->m = m;
    lock_init(&d->lock, RANK_API);
    *out = d;
    return 0;
}

/* ---- Finding ------------------------------------------------------------------------------ */

static mneme_id dictionary_id(const uint8_t sha[PACK_SHA256_SIZE]) {
    mneme_id id = {{0}};
    memcpy(id.bytes + 1, sha, sizeof id.bytes - 1);
    return id;
}

int dictionary_open(struct packer *packer, int level, const struct stored_record *record,
                    struct dictionary **out, mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct slice plain;
    struct dictionary *d;
    TRY(unpack(packer, record->body, NULL, NULL, &arena, &plain, error));
    TRY(dictionary_create(plain, level, &d, error));
    mneme_id id = dictionary_id(dictionary_sha256(d));
    if (!id_equal(&id, &record->id)) {
        dictionary_drop(d);
        return error_set(error, MNEME_CORRUPT,
                         "a compression dictionary does not match its SHA-256; restore the store "
                         "from a backup");
    }
    *out = d;
    return 0;
}

static struct dictionary *known_find(struct dictionaries *d, const uint8_t *ref, size_t size) {
    for (size_t i = 0; i < d->known_count; i++)
        if (memcmp(dictionary_sha256(d->known[i]), ref, size) == 0)
            return d->known[i];
    return NULL;
}

/* Open a dictionary record, or find that it is open already. Borrowed from `known`. */
static int known_open(struct dictionaries *d, const struct stored_record *record,
                      struct dictionary **out, mneme_error *error) {
    *out = known_find(d, record->id.bytes + 1, sizeof record->id.bytes - 1);
    if (*out)
        return 0;
    if (d->known_count == d->known_capacity) {
        size_t capacity = d->known_capacity ? d->known_capacity * 2 : 8;
        struct dictionary **grown = mem_resize(d->known, capacity * sizeof *grown);
        if (!grown)
            return error_set(error, MNEME_NO_MEMORY, "no memory for a dictionary");
        d->known = grown;
        d->known_capacity = capacity;
    }
    TRY(dictionary_open(d->m->packer, level_of(d->m), record, out, error));
    d->known[d->known_count++] = *out;
    return 0;
}

int dictionaries_find(void *context, const uint8_t ref[PACK_REF_SIZE], struct dictionary **out,
                      mneme_error *error) {
    mneme *m = context;
    struct dictionaries *d = m->dictionaries;
    AUTO_LOCK(held, &d->lock);
    struct dictionary *found = known_find(d, ref, PACK_REF_SIZE);
    if (!found) {
        AUTO_RECORDS struct record_set stored = {0};
        uint8_t prefix[1 + PACK_REF_SIZE] = {0};
        memcpy(prefix + 1, ref, PACK_REF_SIZE);
        struct store_query query = {
            .kind = MNEME_DICTIONARY, .id_prefix = slice_of(prefix, sizeof prefix), .limit = 16};
        bool more;
        TRY(store_query(m->store, &query, &stored, &more, error));
        for (size_t i = 0; i < stored.count && !found; i++)
            if (stored.records[i].body.size)
                TRY(known_open(d, &stored.records[i], &found, error));
    }
    if (!found)
        return error_set(error, MNEME_CORRUPT,
                         "the dictionary %02x%02x%02x%02x that a record was compressed with is "
                         "missing; restore the store from a backup",
                         ref[0], ref[1], ref[2], ref[3]);
    *out = dictionary_hold(found);
    return 0;
}

/* The newest dictionary of a kind. A failure is no reason to fail a write: it goes without. */
static void current_look(struct dictionaries *d, mneme_kind kind) {
    AUTO_RECORDS struct record_set stored = {0};
    struct attribute type = {slice_of_string("type"), slice_of_string(kind_name(kind))};
    struct store_query query = {
        .kind = MNEME_DICTIONARY, .filters = &type, .filter_count = 1, .limit = 1};
    bool more;
    struct dictionary *found;
    if (store_query(d->m->store, &query, &stored, &more, NULL) == 0 && stored.count &&
        known_open(d, &stored.records[0], &found, NULL) == 0)
        d->current[kind] = found;
}

struct dictionary *dictionaries_current(mneme *m, mneme_kind kind) {
    struct dictionaries *d = m->dictionaries;
    if (m->options.compression != MNEME_COMPRESS_DEFAULT || !kind_is_trained(kind))
        return NULL;
    AUTO_LOCK(held, &d->lock);
    int64_t now = clock_monotonic_us();
    if (d->looked_us[kind] == 0 || now - d->looked_us[kind] > REFRESH_US) {
        d->looked_us[kind] = now;
        current_look(d, kind);
    }
    return d->current[kind] ? dictionary_hold(d->current[kind]) : NULL;
}

/* ---- Training ----------------------------------------------------------------------------- */

/* Samples of plain bodies, newest first, in the arena. */
static int samples_read(mneme *m, mneme_kind kind, struct arena *arena, struct slice **samples,
                        size_t *count, mneme_error *error) {
    struct store_query query = {.kind = kind, .limit = SAMPLE_PAGE};
    size_t bytes = 0;
    bool more = true;
    *count = 0;
    *samples = arena_zalloc(arena, SAMPLES_MAX, sizeof **samples);
    if (!*samples)
        return error_set(error, MNEME_NO_MEMORY, "no memory for training");
    while (more && bytes < SAMPLE_BYTES && *count + SAMPLE_PAGE <= SAMPLES_MAX) {
        AUTO_RECORDS struct record_set page = {0};
        TRY(store_query(m->store, &query, &page, &more, error));
        for (size_t i = 0; i < page.count; i++) {
            struct slice plain, copy;
            TRY(unpack(m->packer, page.records[i].body, dictionaries_find, m, arena, &plain,
                       error));
            if (arena_copy(arena, plain, &copy))
                return error_set(error, MNEME_NO_MEMORY, "no memory for training");
            (*samples)[(*count)++] = copy;
            bytes += copy.size;
        }
        if (more)
            query.after = position_after(&query, &page.records[page.count - 1]);
    }
    return 0;
}

struct generation_text {
    char text[32];
};

/* The generation that so many plain bytes call for; empty: none yet. */
static struct generation_text generation_of(mneme_kind kind, uint64_t plain_bytes) {
    struct generation_text out = {""};
    int generation = -1;
    for (uint64_t bytes = FIRST_BYTES; bytes <= plain_bytes && generation < 12; bytes *= GROWTH)
        generation++;
    if (generation >= 0)
        snprintf(out.text, sizeof out.text, "%s:%d", kind_name(kind), generation);
    return out;
}

/* Store a dictionary, or with NULL the note that none pays. With `generation` only if that has
 * not been dealt with by another; *stored tells. */
static int dictionary_store(mneme *m, mneme_kind kind, const struct dictionary *d,
                            const char *generation, bool *stored, mneme_error *error) {
    AUTO_BUF struct buf body = BUF_INIT(STORE_BODY_MAX);
    struct attribute attributes[2];
    size_t count = 0;
    mneme_id id;
    if (*generation)
        attributes[count++] =
            (struct attribute){slice_of_string("generation"), slice_of_string(generation)};
    if (d) {
        attributes[count++] =
            (struct attribute){slice_of_string("type"), slice_of_string(kind_name(kind))};
        id = dictionary_id(dictionary_sha256(d));
        TRY(pack(m->packer, NULL, dictionary_bytes(d), &body, error));
    } else {
        TRY(id_make(0, &id, error));
    }
    struct mutation mutations[2] = {
        {.op = MUTATION_CHECK,
         .condition = CONDITION_NO_ATTRIBUTE,
         .record = {.kind = MNEME_DICTIONARY, .id = id},
         .expect_attribute = attributes[0]},
        {.op = MUTATION_PUT,
         .condition = CONDITION_ABSENT,
         .record = {.kind = MNEME_DICTIONARY,
                    .id = id,
                    .time_us = clock_wall_us(),
                    .attributes = attributes,
                    .attribute_count = count,
                    .body = buf_slice(&body),
                    .plain_size = d ? (uint32_t)dictionary_bytes(d).size : 0}}};
    size_t skip = *generation ? 0 : 1;
    struct batch batch = {.mutations = mutations + skip, .count = 2 - skip};
    struct batch *only = &batch;
    int status = store_apply(m->store, &only, 1);
    status = status ? status : batch.status;
    *stored = status == 0 && d;
    if (status == MNEME_CONFLICT) /* another process trained it, or this very one is there */
        return 0;
    if (status && error)
        *error = batch.error;
    return status;
}

static int train_and_store(mneme *m, mneme_kind kind, const struct slice *samples, size_t count,
                           const char *generation, bool *trained, mneme_error *error) {
    struct dictionary *d = NULL;
    struct training report;
    *trained = false;
    TRY(dictionary_train(samples, count, level_of(m), &d, &report, error));
    int status = d || *generation ? dictionary_store(m, kind, d, generation, trained, error) : 0;
    dictionary_drop(d);
    lock_acquire(&m->dictionaries->lock);
    m->dictionaries->looked_us[kind] = 0; /* the next write takes the new one */
    lock_release(&m->dictionaries->lock);
    return status;
}

int dictionaries_train_from(mneme *m, mneme_kind kind, const struct slice *samples, size_t count,
                            bool *trained, mneme_error *error) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += samples[i].size;
    struct generation_text generation = generation_of(kind, bytes);
    return train_and_store(m, kind, samples, count, generation.text, trained, error);
}

static int train_from_store(mneme *m, mneme_kind kind, const char *generation, bool *trained,
                            mneme_error *error) {
    AUTO_ARENA struct arena arena = {0};
    struct slice *samples;
    size_t count;
    TRY(samples_read(m, kind, &arena, &samples, &count, error));
    return train_and_store(m, kind, samples, count, generation, trained, error);
}

int mneme_train(mneme *m, size_t *trained, mneme_error *error) {
    TRY(handle_check(m, error));
    if (m->options.read_only)
        return error_set(error, MNEME_PERMISSION, "%s was opened for reading only", m->path);
    size_t count = 0;
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        bool did = false;
        if (kind_is_trained((mneme_kind)kind))
            TRY(train_from_store(m, (mneme_kind)kind, "", &did, error));
        count += did;
    }
    if (trained)
        *trained = count;
    return 0;
}

/* Train what is due among the kinds that were written. Errors are left: writes go on without. */
static void train_due(struct dictionaries *d) {
    for (int i = 1; i < MNEME_KIND_COUNT; i++) {
        mneme_kind kind = (mneme_kind)i;
        struct store_stats stats;
        bool trained, exists;
        lock_acquire(&d->lock);
        bool look = d->noticed[kind] > 0;
        d->noticed[kind] = 0;
        lock_release(&d->lock);
        if (!look || store_stats(d->m->store, &stats, NULL))
            continue;
        struct generation_text generation = generation_of(kind, stats.kinds[kind].plain_bytes);
        struct attribute mark = {slice_of_string("generation"), slice_of_string(generation.text)};
        struct store_query query = {.kind = MNEME_DICTIONARY,
                                    .filters = &mark,
                                    .filter_count = 1,
                                    .limit = 1,
                                    .without_bodies = true};
        AUTO_RECORDS struct record_set found = {0};
        if (*generation.text == 0 || store_query(d->m->store, &query, &found, &exists, NULL))
            continue;
        if (found.count == 0)
            (void)train_from_store(d->m, kind, generation.text, &trained, NULL);
    }
}

static void *train_thread(void *argument) {
    struct dictionaries *d = argument;
    train_due(d);
    lock_acquire(&d->lock);
    d->thread_ended = true;
    lock_release(&d->lock);
    return NULL;
}

static bool trains_itself(const mneme *m) {
    return !m->options.no_training && !m->options.read_only &&
           m->options.compression == MNEME_COMPRESS_DEFAULT;
}

void dictionaries_wrote(mneme *m, mneme_kind kind, size_t plain_bytes) {
    struct dictionaries *d = m->dictionaries;
    if (!trains_itself(m) || !kind_is_trained(kind))
        return;
    AUTO_LOCK(held, &d->lock);
    d->noticed[kind] += plain_bytes;
    if (d->noticed[kind] < NOTICE_BYTES || d->closing || (d->thread_runs && !d->thread_ended))
        return;
    if (d->thread_runs)
        pthread_join(d->thread, NULL);
    d->thread_ended = false;
    d->thread_runs = thread_start(&d->thread, train_thread, d, NULL) == 0;
}

/* A process that writes a little and ends never reaches NOTICE_BYTES; so it looks once more now. */
void dictionaries_finish(mneme *m) {
    struct dictionaries *d = m->dictionaries;
    lock_acquire(&d->lock);
    d->closing = true;
    bool join = d->thread_runs;
    d->thread_runs = false;
    lock_release(&d->lock);
    if (join)
        pthread_join(d->thread, NULL);
    if (trains_itself(m))
        train_due(d);
}

void dictionaries_destroy(struct dictionaries *d) {
    if (!d)
        return;
    for (size_t i = 0; i < d->known_count; i++)
        dictionary_drop(d->known[i]);
    mem_free(d->known);
    lock_fini(&d->lock);
    mem_free(d);
}
