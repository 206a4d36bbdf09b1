/*
 * train.c - dictionaries from samples: several are trained and the best one is chosen by what it
 * saves on samples that it was not trained on.
 */
#define ZDICT_STATIC_LINKING_ONLY
#include <zdict.h>
#include <zstd_errors.h>

#include "codec/pack_internal.h"
#include "os/log.h"

/* What is tried. Sizes are limited to an eighth of the samples, beyond which a dictionary learns
 * them by heart. Segments are zstd's `k`; which is best depends on the size of records. */
static const size_t dictionary_sizes[] = {4 << 10,  8 << 10,  16 << 10,
                                          32 << 10, 64 << 10, 110 << 10};
static const unsigned segment_sizes[] = {200, 500, 1000, 2000};
enum {
    SAMPLES_MIN = 16,
    SAMPLE_BYTES_MIN = 32 << 10,
    SHARE_OF_SAMPLES = 8,
    GAIN_MIN_PERCENT = 5,  /* below that no dictionary is worth its trouble */
    LARGER_MIN_PERCENT = 1 /* what a larger dictionary must gain over a smaller one */
};

struct trainer {
    const struct slice *samples; /* the even ones are trained on, the odd ones held out */
    size_t count;
    int level;
    mneme_error *error;

    struct buf joined; /* the even samples, one behind another */
    size_t *joined_sizes;
    unsigned joined_count;

    struct packer *packer;
    struct buf packed;  /* the packed form of one sample */
    uint8_t *candidate; /* the bytes of one dictionary */

    struct dictionary *best;
    size_t best_packed; /* what the held-out samples take with it */
};

static void trainer_fini(struct trainer *t) {
    buf_fini(&t->joined);
    buf_fini(&t->packed);
    mem_free(t->joined_sizes);
    mem_free(t->candidate);
    packer_destroy(t->packer);
    dictionary_drop(t->best);
}

static int no_memory(const struct trainer *t) {
    return error_set(t->error, MNEME_NO_MEMORY, "no memory to train a dictionary");
}

static int trainer_init(struct trainer *t) {
    const struct pack_options options = {
        .algorithm = PACK_ZSTD_DICTIONARY, .level = t->level, .min_bytes = 1};
    TRY(packer_create(&options, &t->packer, t->error));
    t->joined_sizes = mem_zalloc(t->count, sizeof *t->joined_sizes);
    t->candidate = mem_alloc(dictionary_sizes[COUNT_OF(dictionary_sizes) - 1]);
    if (!t->joined_sizes || !t->candidate)
        return no_memory(t);
    for (size_t i = 0; i < t->count; i += 2) {
        if (t->samples[i].size == 0)
            continue;
        buf_append_slice(&t->joined, t->samples[i]);
        t->joined_sizes[t->joined_count++] = t->samples[i].size;
    }
    return t->joined.status ? no_memory(t) : 0;
}

/* What the held-out samples take when they are packed as records will be. */
static int trainer_judge(struct trainer *t, struct dictionary *dictionary, size_t *packed) {
    size_t sum = 0;
    for (size_t i = 1; i < t->count; i += 2) {
        buf_reset(&t->packed);
        TRY(pack(t->packer, dictionary, t->samples[i], &t->packed, t->error));
        sum += t->packed.size;
    }
    *packed = sum;
    return 0;
}

/* One dictionary; *out is NULL when zstd finds too little to make one of. */
static int trainer_make(struct trainer *t, size_t size, unsigned segment, struct dictionary **out) {
    ZDICT_fastCover_params_t parameters = {.k = segment,
                                           .d = 8,
                                           .f = 18,
                                           .accel = 1,
                                           .nbThreads = 1,
                                           .zParams = {.compressionLevel = t->level}};
    size_t made = ZDICT_trainFromBuffer_fastCover(t->candidate, size, t->joined.data,
                                                  t->joined_sizes, t->joined_count, parameters);
    *out = NULL;
    if (!ZDICT_isError(made))
        return dictionary_create(slice_of(t->candidate, made), t->level, out, t->error);
    return ZSTD_getErrorCode(made) == ZSTD_error_memory_allocation ? no_memory(t) : 0;
}

/* Takes over `dictionary`: it becomes the best one when it packs to less than `limit`. */
static int trainer_offer(struct trainer *t, struct dictionary *dictionary, size_t limit) {
    size_t packed;
    int status = trainer_judge(t, dictionary, &packed);
    if (status == 0 && packed < limit && packed < t->best_packed) {
        struct dictionary *worse = t->best;
        t->best = dictionary;
        t->best_packed = packed;
        dictionary = worse;
    }
    dictionary_drop(dictionary);
    return status;
}

/* Try each segment size for a dictionary of up to `size` bytes. */
static int trainer_try(struct trainer *t, size_t size) {
    size_t limit = t->best ? t->best_packed / 100 * (100 - LARGER_MIN_PERCENT) : t->best_packed;
    for (size_t i = 0; i < COUNT_OF(segment_sizes); i++) {
        struct dictionary *dictionary;
        TRY(trainer_make(t, size, segment_sizes[i], &dictionary));
        if (dictionary)
            TRY(trainer_offer(t, dictionary, limit));
    }
    return 0;
}

static int trainer_run(struct trainer *t, struct training *found) {
    TRY(trainer_init(t));
    TRY(trainer_judge(t, NULL, &found->without));
    t->best_packed = found->without / 100 * (100 - GAIN_MIN_PERCENT);
    for (size_t i = 0; i < COUNT_OF(dictionary_sizes); i++)
        if (dictionary_sizes[i] <= found->sample_bytes / SHARE_OF_SAMPLES)
            TRY(trainer_try(t, dictionary_sizes[i]));
    found->with = t->best ? t->best_packed : found->without;
    return 0;
}

static int measure_samples(const struct slice *samples, size_t count, struct training *found,
                           mneme_error *error) {
    *found = (struct training){.samples = count};
    for (size_t i = 0; i < count; i++) {
        if (!checked_add(found->sample_bytes, samples[i].size, &found->sample_bytes))
            return error_set(error, MNEME_TOO_LARGE, "too many samples for a dictionary");
        found->held_out_bytes += i % 2 ? samples[i].size : 0;
    }
    return 0;
}

int dictionary_train(const struct slice *samples, size_t count, int level, struct dictionary **out,
                     struct training *report, mneme_error *error) {
    struct training found;
    TRY(measure_samples(samples, count, &found, error));
    struct trainer t = {.samples = samples,
                        .count = count,
                        .level = level,
                        .error = error,
                        .joined = BUF_INIT(SIZE_MAX),
                        .packed = BUF_INIT(SIZE_MAX)};
    int status = 0;
    if (count >= SAMPLES_MIN && found.sample_bytes >= SAMPLE_BYTES_MIN)
        status = trainer_run(&t, &found);
    LOG(DEBUG, CODEC, "dictionary tried", LOG_WHOLE("samples", count),
        LOG_WHOLE("sample_bytes", found.sample_bytes),
        LOG_WHOLE("dictionary_bytes", t.best ? dictionary_bytes(t.best).size : 0),
        LOG_WHOLE("packed_without", found.without), LOG_WHOLE("packed_with", found.with),
        LOG_ERROR_TYPE(status));
    if (status == 0) {
        *out = TAKE(t.best);
        if (report)
            *report = found;
    }
    trainer_fini(&t);
    return status;
}
