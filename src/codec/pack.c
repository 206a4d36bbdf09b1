/*
 * pack.c - packed bodies: the header, the choice of an algorithm, and the limits; see pack.h.
 */
#include <stdatomic.h>

#include "codec/pack_internal.h"
#include "codec/wire.h"

/* A plain size over RATIO_FROM is believed up to RATIO_MAX times the packed size. */
enum { MIN_BYTES_DEFAULT = 1024, RATIO_FROM = 1 << 20, RATIO_MAX = 1000 };

struct packer {
    struct pack_options options;
    struct zstd_pool pool;
    /* Statistics; each is right, together they may be one body apart. */
    _Atomic uint64_t in, out, skipped, with_dictionary;
};

int packer_create(const struct pack_options *options, struct packer **out, mneme_error *error) {
    if ((unsigned)options->algorithm > PACK_ZSTD_DICTIONARY)
        return error_set(error, MNEME_INVALID, "no compression algorithm has the number %d",
                         (int)options->algorithm);
    bool gzip = options->algorithm == PACK_GZIP;
    int lowest = gzip ? 1 : ZSTD_minCLevel(), highest = gzip ? 9 : ZSTD_maxCLevel();
    int level = options->level ? options->level : gzip ? 6 : 3;
    if (level < lowest || level > highest)
        return error_set(error, MNEME_INVALID, "compression level %d; use %d to %d", level, lowest,
                         highest);
    struct packer *p = mem_zalloc(1, sizeof *p);
    if (!p)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a packer");
    p->options = *options;
    p->options.level = level;
    if (!p->options.min_bytes)
        p->options.min_bytes = MIN_BYTES_DEFAULT;
    zstd_pool_init(&p->pool, level);
    *out = p;
    return 0;
}

void packer_destroy(struct packer *p) {
    if (!p)
        return;
    zstd_pool_fini(&p->pool);
    mem_free(p);
}

/* Relaxed: nothing is decided by the counters. */
static void counter_add(_Atomic uint64_t *counter, uint64_t n) {
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static uint64_t counter_get(const _Atomic uint64_t *counter) {
    return atomic_load_explicit(counter, memory_order_relaxed);
}

struct pack_counters packer_counters(const struct packer *p) {
    return (struct pack_counters){.in = counter_get(&p->in),
                                  .out = counter_get(&p->out),
                                  .skipped = counter_get(&p->skipped),
                                  .with_dictionary = counter_get(&p->with_dictionary)};
}

/* ---- Packing ----------------------------------------------------------------------------- */

static enum pack_algorithm choose(const struct packer *p, const struct dictionary *dictionary,
                                  size_t plain_size) {
    enum pack_algorithm algorithm = p->options.algorithm;
    if (algorithm == PACK_ZSTD_DICTIONARY && dictionary)
        return PACK_ZSTD_DICTIONARY;
    if (plain_size < p->options.min_bytes)
        return PACK_RAW;
    return algorithm == PACK_ZSTD_DICTIONARY ? PACK_ZSTD : algorithm;
}

/* *size is 0 when the result does not fit in `room` or the body is to stay raw. */
static int compress(struct packer *p, enum pack_algorithm algorithm,
                    const struct dictionary *dictionary, struct slice plain, uint8_t *to,
                    size_t room, size_t *size, mneme_error *error) {
    *size = 0;
    switch (algorithm) {
    case PACK_LZ4:
        return lz4_pack(plain, to, room, size);
    case PACK_GZIP:
        return gzip_pack(p->options.level, plain, to, room, size, error);
    case PACK_ZSTD:
        return zstd_pack(&p->pool, NULL, plain, to, room, size, error);
    case PACK_ZSTD_DICTIONARY:
        return zstd_pack(&p->pool, dictionary, plain, to, room, size, error);
    case PACK_RAW:
        break;
    }
    return 0;
}

/* Whether a plain size may be believed. What compresses even better than this is kept raw. */
static bool credible(size_t packed_size, size_t plain_size) {
    return plain_size <= RATIO_FROM || plain_size / RATIO_MAX <= packed_size;
}

/* Appends header and compressed bytes, or nothing unless that is smaller than the raw form. */
static int append_compressed(struct packer *p, enum pack_algorithm algorithm,
                             const struct dictionary *dictionary, struct slice plain,
                             struct buf *out, mneme_error *error) {
    size_t start = out->size;
    buf_append_byte(out, (uint8_t)algorithm);
    wire_put_varint(out, plain.size);
    if (algorithm == PACK_ZSTD_DICTIONARY)
        buf_append(out, dictionary->digest, PACK_REF_SIZE);
    size_t header = out->size - start, size = 0;
    if (out->status == 0 && header < plain.size) {
        size_t room = size_min(plain.size - header, out->max - out->size);
        uint8_t *to = buf_reserve(out, room);
        if (to)
            TRY(compress(p, algorithm, dictionary, plain, to, room, &size, error));
    }
    out->size = size && credible(header + size, plain.size) ? out->size + size : start;
    return 0;
}

static int append_packed(struct packer *p, struct dictionary *dictionary, struct slice plain,
                         struct buf *out, mneme_error *error) {
    size_t start = out->size;
    enum pack_algorithm algorithm = choose(p, dictionary, plain.size);
    if (algorithm != PACK_RAW)
        TRY(append_compressed(p, algorithm, dictionary, plain, out, error));
    bool raw = out->size == start;
    if (raw) {
        buf_append_byte(out, PACK_RAW);
        buf_append_slice(out, plain);
    }
    if (out->status)
        return error_set(error, out->status, "no room for a packed body of %zu bytes", plain.size);
    counter_add(&p->in, plain.size);
    counter_add(&p->out, out->size - start);
    counter_add(&p->skipped, raw);
    counter_add(&p->with_dictionary, !raw && algorithm == PACK_ZSTD_DICTIONARY);
    return 0;
}

int pack(struct packer *p, struct dictionary *dictionary, struct slice plain, struct buf *out,
         mneme_error *error) {
    if (plain.size > PACK_PLAIN_MAX)
        return error_set(error, MNEME_TOO_LARGE, "a body of %zu bytes; %d are the limit",
                         plain.size, PACK_PLAIN_MAX);
    if (out->status)
        return error_set(error, out->status, "the buffer for a packed body has failed before");
    if (plain.size == 0)
        return 0;
    size_t start = out->size;
    int status = append_packed(p, dictionary, plain, out, error);
    if (status) {
        out->size = start;
        out->status = 0;
    }
    return status;
}

/* ---- Unpacking --------------------------------------------------------------------------- */

struct packed_body {
    enum pack_algorithm algorithm;
    size_t plain_size;
    struct slice ref;   /* of the dictionary */
    struct slice bytes; /* compressed; of a raw body the body */
};

static int corrupt_header(mneme_error *error) {
    return error_set(error, MNEME_CORRUPT, "a packed body with a damaged header");
}

/* `packed` is not empty. */
static int packed_read(struct slice packed, struct packed_body *body, mneme_error *error) {
    struct wire_reader r = wire_reader_of(packed);
    uint8_t algorithm = packed.data[0];
    r.at++;
    if (algorithm > PACK_ZSTD_DICTIONARY)
        return error_set(error, MNEME_CORRUPT,
                         "a packed body of unknown algorithm %u: damaged, or of a newer version",
                         algorithm);
    bool raw = algorithm == PACK_RAW;
    uint64_t plain_size = raw ? packed.size - 1 : wire_get_varint(&r);
    struct slice ref = wire_get_bytes(&r, algorithm == PACK_ZSTD_DICTIONARY ? PACK_REF_SIZE : 0);
    if (r.bad || plain_size == 0)
        return corrupt_header(error);
    if (plain_size > PACK_PLAIN_MAX)
        return error_set(error, MNEME_CORRUPT,
                         "a packed body that says it holds %llu bytes; %d are the limit",
                         (unsigned long long)plain_size, PACK_PLAIN_MAX);
    *body = (struct packed_body){.algorithm = (enum pack_algorithm)algorithm,
                                 .plain_size = (size_t)plain_size,
                                 .ref = ref,
                                 .bytes = slice_of(r.at, (size_t)(r.end - r.at))};
    return 0;
}

int packed_plain_size(struct slice packed, size_t *size, mneme_error *error) {
    struct packed_body body = {0};
    if (packed.size)
        TRY(packed_read(packed, &body, error));
    *size = body.plain_size;
    return 0;
}

static int unpack_with_dictionary(struct packer *p, const struct packed_body *body,
                                  dictionary_finder *find, void *context, uint8_t *to,
                                  mneme_error *error) {
    struct dictionary *dictionary = NULL;
    if (!find)
        return error_set(error, MNEME_NOT_FOUND, "a packed body needs a dictionary");
    TRY(find(context, body->ref.data, &dictionary, error));
    int status;
    if (memcmp(dictionary->digest, body->ref.data, PACK_REF_SIZE) != 0)
        status = error_set(error, MNEME_CORRUPT, "a dictionary that is not the one asked for");
    else
        status = zstd_unpack(&p->pool, dictionary, body->bytes, to, body->plain_size, error);
    dictionary_drop(dictionary);
    return status;
}

static int decompress(struct packer *p, const struct packed_body *body, dictionary_finder *find,
                      void *context, uint8_t *to, mneme_error *error) {
    switch (body->algorithm) {
    case PACK_LZ4:
        return lz4_unpack(body->bytes, to, body->plain_size, error);
    case PACK_GZIP:
        return gzip_unpack(body->bytes, to, body->plain_size, error);
    case PACK_ZSTD:
        return zstd_unpack(&p->pool, NULL, body->bytes, to, body->plain_size, error);
    case PACK_ZSTD_DICTIONARY:
        return unpack_with_dictionary(p, body, find, context, to, error);
    case PACK_RAW:
        break;
    }
    return corrupt_header(error);
}

int unpack(struct packer *p, struct slice packed, dictionary_finder *find, void *context,
           struct arena *arena, struct slice *plain, mneme_error *error) {
    if (packed.size == 0) {
        *plain = (struct slice){0};
        return 0;
    }
    struct packed_body body;
    TRY(packed_read(packed, &body, error));
    if (body.algorithm == PACK_RAW) {
        *plain = body.bytes;
        return 0;
    }
    if (!credible(packed.size, body.plain_size))
        return error_set(error, MNEME_CORRUPT,
                         "a packed body of %zu bytes that says it holds %zu; %d times is the limit",
                         packed.size, body.plain_size, RATIO_MAX);
    uint8_t *to = arena_alloc(arena, body.plain_size);
    if (!to)
        return error_set(error, MNEME_NO_MEMORY, "no memory to decompress %zu bytes",
                         body.plain_size);
    TRY(decompress(p, &body, find, context, to, error));
    *plain = slice_of(to, body.plain_size);
    return 0;
}
