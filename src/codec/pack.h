/*
 * pack.h - compression of bodies, with dictionaries trained from records of the same kind.
 *
 * Format of a packed body. First byte: the algorithm (enum pack_algorithm). PACK_RAW: the body
 * follows. Else the plain size as a varint; with PACK_ZSTD_DICTIONARY the first 4 bytes of the
 * SHA-256 of its dictionary; then the compressed bytes. zstd frames carry neither magic number,
 * content size, dictionary id nor checksum (RFC 8878): all four are known from outside.
 * An empty body packs to nothing. The same bytes lie on disk and go over a wire.
 *
 * Safety. unpack never writes more than the plain size says, refuses a plain size over
 * PACK_PLAIN_MAX, or over 1 MiB when it is more than 1,000 times what comes in, before it
 * allocates.
 *
 * Threads. A packer may be used by many threads at once; it keeps a pool of contexts. A
 * dictionary is immutable; it is counted (dictionary_hold, dictionary_drop).
 * Errors. MNEME_NO_MEMORY. pack: MNEME_TOO_LARGE (a body over PACK_PLAIN_MAX, or no room in its
 * buffer); on failure the buffer is as before. unpack: MNEME_CORRUPT (damaged, lying about its
 * size), and what the finder returns (MNEME_NOT_FOUND: no dictionary of that name).
 */
#ifndef MNEME_CODEC_PACK_H
#define MNEME_CODEC_PACK_H

#include "base/base.h"

enum { PACK_PLAIN_MAX = 64 << 20, PACK_REF_SIZE = 4, PACK_SHA256_SIZE = 32 };

enum pack_algorithm {
    PACK_RAW = 0,
    PACK_LZ4 = 1,
    PACK_GZIP = 2,
    PACK_ZSTD = 3,
    PACK_ZSTD_DICTIONARY = 4
};

/* ---- Dictionaries ------------------------------------------------------------------------ */

struct dictionary;

/* A dictionary of these bytes (copied), for compression at `level`. Starts with one holder. */
int dictionary_create(struct slice bytes, int level, struct dictionary **out, mneme_error *error);
struct dictionary *dictionary_hold(struct dictionary *d);
void dictionary_drop(struct dictionary *d); /* NULL is allowed */
struct slice dictionary_bytes(const struct dictionary *d);
const uint8_t *dictionary_sha256(const struct dictionary *d); /* PACK_SHA256_SIZE bytes */
void sha256(struct slice bytes, uint8_t digest[PACK_SHA256_SIZE]);

/* What training found. */
struct training {
    size_t samples;
    size_t sample_bytes;
    size_t held_out_bytes; /* plain bytes of the samples that were kept back to judge by */
    size_t without;        /* what they take with zstd alone (the smaller of that and raw) */
    size_t with;           /* … with the dictionary chosen, its own bytes not counted */
};

/*
 * Train on every second sample, for several sizes; judge each on the others; keep the best, and
 * none (*out = NULL, status 0) when there is too little (fewer than 16 samples or 32 KiB) or it
 * saves less than 5 % over no dictionary. Time: about half a second for 4 MiB of samples.
 */
int dictionary_train(const struct slice *samples, size_t count, int level, struct dictionary **out,
                     struct training *report, mneme_error *error);

/* ---- Packing ----------------------------------------------------------------------------- */

struct pack_options {
    enum pack_algorithm algorithm; /* PACK_ZSTD_DICTIONARY falls back to PACK_ZSTD without one */
    int level;                     /* 0: 3 (zstd), 6 (gzip) */
    uint32_t min_bytes;            /* without a dictionary, shorter bodies stay raw; 0: 1,024 */
};

struct pack_counters {
    uint64_t in, out, skipped, with_dictionary; /* bytes, bytes, bodies, bodies */
};

struct packer;
int packer_create(const struct pack_options *options, struct packer **out, mneme_error *error);
void packer_destroy(struct packer *p); /* NULL is allowed */
struct pack_counters packer_counters(const struct packer *p);

/* Append the packed form of `plain` to `out`: compressed when that is smaller, else raw.
 * `dictionary` may be NULL. Room for plain.size + 1 bytes is always enough. */
int pack(struct packer *p, struct dictionary *dictionary, struct slice plain, struct buf *out,
         mneme_error *error);

/* Finds a dictionary by the first bytes of its SHA-256; *out is held for the caller. */
typedef int dictionary_finder(void *context, const uint8_t ref[PACK_REF_SIZE],
                              struct dictionary **out, mneme_error *error);

/* The plain size of a packed body, from its first bytes. MNEME_CORRUPT. */
int packed_plain_size(struct slice packed, size_t *size, mneme_error *error);

/* The plain body, in the arena. A raw body is not copied: *plain then points into `packed`. */
int unpack(struct packer *p, struct slice packed, dictionary_finder *find, void *context,
           struct arena *arena, struct slice *plain, mneme_error *error);

#endif
