/*
 * dictionary.c - a compression dictionary: its bytes, its digest, and zstd's two forms of it.
 */
#include <sha2.h>
#include <stdatomic.h>

#include "codec/pack_internal.h"

/* zstd takes fewer bytes for no dictionary, and trains to 110 KiB. */
enum { DICTIONARY_MIN = 8, DICTIONARY_MAX = 1 << 20 };

void sha256(struct slice bytes, uint8_t digest[PACK_SHA256_SIZE]) {
    SHA2_CTX context;
    SHA256Init(&context);
    SHA256Update(&context, bytes.data, bytes.size);
    SHA256Final(digest, &context);
}

/* ---- Life -------------------------------------------------------------------------------- */

/* What one dictionary's block holds, in this order. */
struct layout {
    size_t bytes_at, compressing_at, decompressing_at;
    size_t size;
    ZSTD_compressionParameters parameters;
};

static size_t round_up(size_t size) {
    return (size + 63) & ~(size_t)63; /* zstd asks for 8; a cache line serves its tables better */
}

static struct layout layout_of(size_t size, int level) {
    struct layout l = {.parameters = ZSTD_getCParams(level, 0, size)};
    l.bytes_at = round_up(sizeof(struct dictionary));
    l.compressing_at = round_up(l.bytes_at + size);
    l.decompressing_at = round_up(
        l.compressing_at + ZSTD_estimateCDictSize_advanced(size, l.parameters, ZSTD_dlm_byRef));
    l.size = l.decompressing_at + ZSTD_estimateDDictSize(size, ZSTD_dlm_byRef);
    return l;
}

/*
 * zstd's forms are built in our memory, since its 1.5.4 uses what it allocates for a CDict
 * unchecked (fixed in 1.5.6). The memory is zero, since the same version leaves the CDict's level
 * as it finds it (fixed in 1.5.5); zero stands for "by the parameters given".
 */
int dictionary_create(struct slice bytes, int level, struct dictionary **out, mneme_error *error) {
    if (bytes.size < DICTIONARY_MIN || bytes.size > DICTIONARY_MAX)
        return error_set(error, MNEME_CORRUPT,
                         "a compression dictionary of %zu bytes; it has %d to %d", bytes.size,
                         DICTIONARY_MIN, DICTIONARY_MAX);
    struct layout layout = layout_of(bytes.size, level);
    AUTO_FREE uint8_t *block = mem_zalloc(1, layout.size);
    if (!block)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a dictionary of %zu bytes",
                         bytes.size);
    struct dictionary *d = (struct dictionary *)(void *)block;
    memcpy(block + layout.bytes_at, bytes.data, bytes.size);
    d->bytes = slice_of(block + layout.bytes_at, bytes.size);
    d->compressing = ZSTD_initStaticCDict(
        block + layout.compressing_at, layout.decompressing_at - layout.compressing_at,
        d->bytes.data, d->bytes.size, ZSTD_dlm_byRef, ZSTD_dct_auto, layout.parameters);
    d->decompressing =
        ZSTD_initStaticDDict(block + layout.decompressing_at, layout.size - layout.decompressing_at,
                             d->bytes.data, d->bytes.size, ZSTD_dlm_byRef, ZSTD_dct_auto);
    if (!d->compressing || !d->decompressing)
        return error_set(error, MNEME_CORRUPT, "damaged compression dictionary");
    sha256(bytes, d->digest);
    atomic_init(&d->holders, 1);
    *out = d;
    block = NULL;
    return 0;
}

/* Who has a holder's pointer may add a holder: the count is above zero, and no order matters. */
struct dictionary *dictionary_hold(struct dictionary *d) {
    atomic_fetch_add_explicit(&d->holders, 1, memory_order_relaxed);
    return d;
}

/* Released by each holder and acquired by the last, so that all use comes before the end. */
void dictionary_drop(struct dictionary *d) {
    if (d && atomic_fetch_sub_explicit(&d->holders, 1, memory_order_acq_rel) == 1)
        mem_free(d);
}

struct slice dictionary_bytes(const struct dictionary *d) {
    return d->bytes;
}

const uint8_t *dictionary_sha256(const struct dictionary *d) { return d->digest; }
