/*
 * reference_zstd.c - one context of each kind, one dictionary, one call a body.
 */
#include "bench/reference_zstd.h"

static int set_up(struct zstd_reference *z, int level) {
    const struct {
        ZSTD_cParameter parameter;
        int value;
    } settings[] = {
        {ZSTD_c_compressionLevel, level}, {ZSTD_c_format, ZSTD_f_zstd1_magicless},
        {ZSTD_c_contentSizeFlag, 0},      {ZSTD_c_checksumFlag, 0},
        {ZSTD_c_dictIDFlag, 0},           {ZSTD_c_forceAttachDict, ZSTD_dictForceAttach}};
    size_t result = 0;
    for (size_t i = 0; i < COUNT_OF(settings) && !ZSTD_isError(result); i++)
        result = ZSTD_CCtx_setParameter(z->compressor, settings[i].parameter, settings[i].value);
    if (!ZSTD_isError(result))
        result = ZSTD_DCtx_setParameter(z->decompressor, ZSTD_d_format, ZSTD_f_zstd1_magicless);
    if (!ZSTD_isError(result) && z->compressing)
        result = ZSTD_CCtx_refCDict(z->compressor, z->compressing);
    return ZSTD_isError(result) ? MNEME_FAILURE : 0;
}

int zstd_reference_init(struct zstd_reference *z, struct slice dictionary, int level,
                        mneme_error *error) {
    z->compressor = ZSTD_createCCtx();
    z->decompressor = ZSTD_createDCtx();
    if (dictionary.size) {
        z->compressing = ZSTD_createCDict(dictionary.data, dictionary.size, level);
        z->decompressing = ZSTD_createDDict(dictionary.data, dictionary.size);
    }
    bool whole = z->compressor && z->decompressor &&
                 (!dictionary.size || (z->compressing && z->decompressing));
    if (!whole)
        return error_set(error, MNEME_NO_MEMORY, "no memory for zstd");
    return set_up(z, level) ? error_set(error, MNEME_FAILURE, "zstd refuses a setting") : 0;
}

void zstd_reference_fini(struct zstd_reference *z) {
    ZSTD_freeCCtx(z->compressor);
    ZSTD_freeDCtx(z->decompressor);
    ZSTD_freeCDict(z->compressing);
    ZSTD_freeDDict(z->decompressing);
    *z = (struct zstd_reference){0};
}

int zstd_reference_compress(struct zstd_reference *z, struct slice plain, uint8_t *to, size_t room,
                            size_t *size, mneme_error *error) {
    *size = ZSTD_compress2(z->compressor, to, room, plain.data, plain.size);
    return ZSTD_isError(*size) ? error_set(error, MNEME_FAILURE, "zstd cannot compress: %s",
                                           ZSTD_getErrorName(*size))
                               : 0;
}

int zstd_reference_decompress(struct zstd_reference *z, struct slice packed, uint8_t *to,
                              size_t plain_size, mneme_error *error) {
    size_t size = ZSTD_decompress_usingDDict(z->decompressor, to, plain_size, packed.data,
                                             packed.size, z->decompressing);
    if (ZSTD_isError(size) || size != plain_size)
        return error_set(error, MNEME_CORRUPT, "zstd cannot decompress: %s",
                         ZSTD_isError(size) ? ZSTD_getErrorName(size) : "another size");
    return 0;
}
