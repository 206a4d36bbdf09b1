/*
 * pack_internal.h - what the files of the compression share; private to the codec.
 */
#ifndef MNEME_CODEC_PACK_INTERNAL_H
#define MNEME_CODEC_PACK_INTERNAL_H

/* Magicless frames, attached dictionaries and our own allocator belong to the part of zstd's
 * interface that is not frozen; the shared library exports it. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#include "codec/pack.h"
#include "os/os.h"

/* Immutable once made, but for the count. One block with all that it points to. */
struct dictionary {
    _Atomic unsigned holders;
    struct slice bytes;
    const ZSTD_CDict *compressing;
    const ZSTD_DDict *decompressing;
    uint8_t digest[PACK_SHA256_SIZE];
};

/*
 * Contexts that wait for their next use. One is made when none waits; so there come to be as many
 * as there are threads at once, and no more than CODER_POOL_MAX are kept.
 */
enum { CODER_POOL_MAX = 16 };
struct zstd_pool {
    struct lock lock; /* guards the rest */
    ZSTD_CCtx *compressors[CODER_POOL_MAX];
    ZSTD_DCtx *decompressors[CODER_POOL_MAX];
    size_t compressor_count;
    size_t decompressor_count;
    int level;
};
void zstd_pool_init(struct zstd_pool *pool, int level);
void zstd_pool_fini(struct zstd_pool *pool);

/*
 * One coder of each algorithm. Compression: *size bytes written to `to`, which has `room`; *size
 * is 0 when that is not enough. MNEME_NO_MEMORY. Decompression: exactly to.size bytes, or false.
 */
int zstd_pack(struct zstd_pool *pool, const struct dictionary *dictionary, struct slice plain,
              uint8_t *to, size_t room, size_t *size, mneme_error *error);
int zstd_unpack(struct zstd_pool *pool, const struct dictionary *dictionary, struct slice packed,
                uint8_t *plain, size_t plain_size, mneme_error *error);
int gzip_pack(int level, struct slice plain, uint8_t *to, size_t room, size_t *size,
              mneme_error *error);
int gzip_unpack(struct slice packed, uint8_t *plain, size_t plain_size, mneme_error *error);
int lz4_pack(struct slice plain, uint8_t *to, size_t room, size_t *size);
int lz4_unpack(struct slice packed, uint8_t *plain, size_t plain_size, mneme_error *error);

#endif
