/*
 * reference_zstd.h - zstd called directly, with the settings that mneme uses and nothing around it.
 */
#ifndef MNEME_BENCH_REFERENCE_ZSTD_H
#define MNEME_BENCH_REFERENCE_ZSTD_H

#define ZSTD_STATIC_LINKING_ONLY /* frames without magic number; attached dictionaries */
#include <zstd.h>

#include "base/base.h"

struct zstd_reference {
    ZSTD_CCtx *compressor;
    ZSTD_DCtx *decompressor;
    ZSTD_CDict *compressing; /* NULL: no dictionary */
    ZSTD_DDict *decompressing;
};

/* Start from {0}; an empty dictionary is none. The bytes are copied. */
int zstd_reference_init(struct zstd_reference *z, struct slice dictionary, int level,
                        mneme_error *error);
void zstd_reference_fini(struct zstd_reference *z);
#define AUTO_ZSTD CLEANUP(zstd_reference_fini)

int zstd_reference_compress(struct zstd_reference *z, struct slice plain, uint8_t *to, size_t room,
                            size_t *size, mneme_error *error);
int zstd_reference_decompress(struct zstd_reference *z, struct slice packed, uint8_t *to,
                              size_t plain_size, mneme_error *error);

#endif
