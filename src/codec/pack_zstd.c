/*
 * pack_zstd.c - zstd frames, and the pool of contexts they are made and read with.
 */
#include "codec/pack_internal.h"

#include <zstd_errors.h>

static void *zstd_alloc(void *opaque, size_t size) {
    (void)opaque;
    return mem_alloc(size);
}

static void zstd_free(void *opaque, void *block) {
    (void)opaque;
    mem_free(block);
}

static const ZSTD_customMem zstd_memory = {zstd_alloc, zstd_free, NULL};

/* ---- Contexts ---------------------------------------------------------------------------- */

/* Our frames carry nothing that is known from outside. Attaching a dictionary, where zstd would
 * copy its tables for inputs over 16 KiB, doubles the speed there (at the same ratio). */
static ZSTD_CCtx *compressor_create(int level) {
    const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {
        {ZSTD_c_compressionLevel, level}, {ZSTD_c_format, ZSTD_f_zstd1_magicless},
        {ZSTD_c_contentSizeFlag, 0},      {ZSTD_c_checksumFlag, 0},
        {ZSTD_c_dictIDFlag, 0},           {ZSTD_c_forceAttachDict, ZSTD_dictForceAttach},
    };
    ZSTD_CCtx *compressor = ZSTD_createCCtx_advanced(zstd_memory);
    for (size_t i = 0; compressor && i < COUNT_OF(settings); i++) {
        size_t result =
            ZSTD_CCtx_setParameter(compressor, settings[i].parameter, settings[i].value);
        if (ZSTD_isError(result)) {
            ZSTD_freeCCtx(compressor);
            compressor = NULL;
        }
    }
    return compressor;
}

static ZSTD_DCtx *decompressor_create(void) {
    ZSTD_DCtx *decompressor = ZSTD_createDCtx_advanced(zstd_memory);
    if (decompressor &&
        ZSTD_isError(ZSTD_DCtx_setParameter(decompressor, ZSTD_d_format, ZSTD_f_zstd1_magicless))) {
        ZSTD_freeDCtx(decompressor);
        decompressor = NULL;
    }
    return decompressor;
}

void zstd_pool_init(struct zstd_pool *pool, int level) {
    *pool = (struct zstd_pool){.level = level};
    lock_init(&pool->lock, RANK_PACK);
}

void zstd_pool_fini(struct zstd_pool *pool) {
    while (pool->compressor_count)
        ZSTD_freeCCtx(pool->compressors[--pool->compressor_count]);
    while (pool->decompressor_count)
        ZSTD_freeDCtx(pool->decompressors[--pool->decompressor_count]);
    lock_fini(&pool->lock);
}

static ZSTD_CCtx *compressor_acquire(struct zstd_pool *pool) {
    ZSTD_CCtx *waiting = NULL;
    lock_acquire(&pool->lock);
    if (pool->compressor_count)
        waiting = pool->compressors[--pool->compressor_count];
    lock_release(&pool->lock);
    return waiting ? waiting : compressor_create(pool->level);
}

static void compressor_release(struct zstd_pool *pool, ZSTD_CCtx *compressor) {
    lock_acquire(&pool->lock);
    if (pool->compressor_count < CODER_POOL_MAX)
        pool->compressors[pool->compressor_count++] = TAKE(compressor);
    lock_release(&pool->lock);
    ZSTD_freeCCtx(compressor);
}

static ZSTD_DCtx *decompressor_acquire(struct zstd_pool *pool) {
    ZSTD_DCtx *waiting = NULL;
    lock_acquire(&pool->lock);
    if (pool->decompressor_count)
        waiting = pool->decompressors[--pool->decompressor_count];
    lock_release(&pool->lock);
    return waiting ? waiting : decompressor_create();
}

static void decompressor_release(struct zstd_pool *pool, ZSTD_DCtx *decompressor) {
    lock_acquire(&pool->lock);
    if (pool->decompressor_count < CODER_POOL_MAX)
        pool->decompressors[pool->decompressor_count++] = TAKE(decompressor);
    lock_release(&pool->lock);
    ZSTD_freeDCtx(decompressor);
}

/* ---- Frames ------------------------------------------------------------------------------ */

int zstd_pack(struct zstd_pool *pool, const struct dictionary *dictionary, struct slice plain,
              uint8_t *to, size_t room, size_t *size, mneme_error *error) {
    ZSTD_CCtx *compressor = compressor_acquire(pool);
    if (!compressor)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a zstd compressor");
    size_t result = ZSTD_CCtx_refCDict(compressor, dictionary ? dictionary->compressing : NULL);
    if (!ZSTD_isError(result))
        result = ZSTD_compress2(compressor, to, room, plain.data, plain.size);
    /* The dictionary may be gone before this context is used again. */
    ZSTD_CCtx_reset(compressor, ZSTD_reset_session_only);
    ZSTD_CCtx_refCDict(compressor, NULL);
    compressor_release(pool, compressor);
    if (!ZSTD_isError(result)) {
        *size = result;
        return 0;
    }
    ZSTD_ErrorCode code = ZSTD_getErrorCode(result);
    if (code == ZSTD_error_memory_allocation)
        return error_set(error, MNEME_NO_MEMORY, "no memory to compress %zu bytes", plain.size);
    if (code != ZSTD_error_dstSize_tooSmall)
        return error_set(error, MNEME_FAILURE, "zstd cannot compress: %s",
                         ZSTD_getErrorName(result));
    *size = 0;
    return 0;
}

int zstd_unpack(struct zstd_pool *pool, const struct dictionary *dictionary, struct slice packed,
                uint8_t *plain, size_t plain_size, mneme_error *error) {
    ZSTD_DCtx *decompressor = decompressor_acquire(pool);
    if (!decompressor)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a zstd decompressor");
    size_t result =
        ZSTD_decompress_usingDDict(decompressor, plain, plain_size, packed.data, packed.size,
                                   dictionary ? dictionary->decompressing : NULL);
    decompressor_release(pool, decompressor);
    if (ZSTD_isError(result) && ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation)
        return error_set(error, MNEME_NO_MEMORY, "no memory to decompress %zu bytes", plain_size);
    if (ZSTD_isError(result))
        return error_set(error, MNEME_CORRUPT, "damaged zstd frame: %s", ZSTD_getErrorName(result));
    if (result != plain_size)
        return error_set(error, MNEME_CORRUPT,
                         "damaged zstd frame: it holds %zu bytes, its header says %zu", result,
                         plain_size);
    return 0;
}
