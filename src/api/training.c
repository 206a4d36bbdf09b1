/*
 * training.c - training the compression dictionaries of a store: when, from what, and what pays.
 *
 * When. A kind's bodies, uncompressed, pass 128 KiB, 2 MiB, 32 MiB, … (each 16 times the one
 * before): these are its generations 0, 1, 2, …. Each generation is trained for once, by
 * whichever process gets there first: the record carries the attribute generation = "KIND:N", and
 * goes in only if there is none. When no dictionary pays, an empty record says so.
 */
#include <stdio.h>

#include "api/calls.h"
#include "api/dictionaries.h"
#include "os/log.h"

enum {
    NOTICE_BYTES = 64 << 10, /* of new bodies, before it is looked whether training is due */
    FIRST_BYTES = 128 << 10,
    GROWTH = 16
};

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
    int64_t begun_us = clock_monotonic_us();
    *trained = false;
    TRY(dictionary_train(samples, count, dictionary_level(m), &d, &report, error));
    int status = d || *generation ? dictionary_store(m, kind, d, generation, trained, error) : 0;
    LOG(INFO, API, "training ended", LOG_STRING("kind", kind_name(kind)),
        LOG_WHOLE("samples", report.samples), LOG_WHOLE("sample_bytes", report.sample_bytes),
        LOG_WHOLE("dictionary_bytes", d ? dictionary_bytes(d).size : 0),
        LOG_BOOL("stored", *trained), LOG_MS("duration_ms", clock_monotonic_us() - begun_us),
        LOG_ERROR_TYPE(status));
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

int call_train(mneme *m, size_t *trained, mneme_error *error) {
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

/* How many bytes a store behind a server is left alone after a look: a part of what it lacks until
 * the next generation, as others write too. */
static size_t next_notice(const mneme *m, uint64_t plain_bytes) {
    uint64_t next = FIRST_BYTES;
    while (next <= plain_bytes && next < UINT64_MAX / GROWTH)
        next *= GROWTH;
    uint64_t part = (next - plain_bytes) / 4;
    return m->far && part > NOTICE_BYTES ? (size_t)part : NOTICE_BYTES;
}

static void train_kind_if_due(struct dictionaries *d, mneme_kind kind) {
    struct store_stats stats;
    bool trained, exists;
    if (store_stats(d->m->store, &stats, NULL))
        return;
    lock_acquire(&d->lock);
    d->notice[kind] = next_notice(d->m, stats.kinds[kind].plain_bytes);
    lock_release(&d->lock);
    struct generation_text generation = generation_of(kind, stats.kinds[kind].plain_bytes);
    struct attribute mark = {slice_of_string("generation"), slice_of_string(generation.text)};
    struct store_query query = {.kind = MNEME_DICTIONARY,
                                .filters = &mark,
                                .filter_count = 1,
                                .limit = 1,
                                .without_bodies = true};
    AUTO_RECORDS struct record_set found = {0};
    if (*generation.text == 0 || store_query(d->m->store, &query, &found, &exists, NULL))
        return;
    if (found.count == 0)
        (void)train_from_store(d->m, kind, generation.text, &trained, NULL);
}

/*
 * A handle that closes looks once more, for a process that writes a little and ends never reaches
 * NOTICE_BYTES. Behind a server that would double what such a process costs; so there it looks with
 * a chance of what it wrote to NOTICE_BYTES, and many of them look as often as one that goes on.
 */
static bool is_worth_a_look(const struct dictionaries *d, size_t noticed) {
    uint32_t chance = 0;
    if (d->m->far && d->closing && random_bytes(&chance, sizeof chance, NULL))
        return false;
    return noticed > chance % NOTICE_BYTES;
}

/* Train what is due among the kinds that were written. Errors are left: writes go on without. */
static void train_due(struct dictionaries *d) {
    for (int kind = 1; kind < MNEME_KIND_COUNT; kind++) {
        lock_acquire(&d->lock);
        bool look = is_worth_a_look(d, d->noticed[kind]);
        d->noticed[kind] = 0;
        lock_release(&d->lock);
        if (look)
            train_kind_if_due(d, (mneme_kind)kind);
    }
}

static void *train_thread(void *argument) {
    struct dictionaries *d = argument;
    uint64_t before = log_op_begin();
    train_due(d);
    log_op_end(before);
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
    size_t notice = d->notice[kind] ? d->notice[kind] : NOTICE_BYTES;
    d->noticed[kind] += plain_bytes;
    if (d->noticed[kind] < notice || d->closing || (d->thread_runs && !d->thread_ended))
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
