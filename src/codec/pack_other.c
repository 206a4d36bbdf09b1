/*
 * pack_other.c - LZ4 blocks and gzip streams, the algorithms beside zstd.
 */
#include <lz4.h>
/* So that zlib promises not to write to what it reads. */
#define ZLIB_CONST
#include <zlib.h>

#include "codec/pack_internal.h"

/* ---- LZ4 --------------------------------------------------------------------------------- */

/* Bodies are at most PACK_PLAIN_MAX, so their sizes fit in LZ4's int. */
int lz4_pack(struct slice plain, uint8_t *to, size_t room, size_t *size) {
    int written =
        LZ4_compress_default((const char *)plain.data, (char *)to, (int)plain.size, (int)room);
    *size = written > 0 ? (size_t)written : 0;
    return 0;
}

int lz4_unpack(struct slice packed, uint8_t *plain, size_t plain_size, mneme_error *error) {
    int written = packed.size > INT32_MAX
                      ? -1
                      : LZ4_decompress_safe((const char *)packed.data, (char *)plain,
                                            (int)packed.size, (int)plain_size);
    if (written < 0 || (size_t)written != plain_size)
        return error_set(error, MNEME_CORRUPT, "damaged LZ4 block");
    return 0;
}

/* ---- gzip -------------------------------------------------------------------------------- */

/* The largest window, and 16 for a gzip header and trailer (zlib.h). */
enum { GZIP_WINDOW_BITS = 15 + 16, GZIP_MEMORY_LEVEL = 8 };

static voidpf gzip_alloc(voidpf opaque, uInt count, uInt size) {
    (void)opaque;
    return mem_zalloc(count, size);
}

static void gzip_free(voidpf opaque, voidpf block) {
    (void)opaque;
    mem_free(block);
}

static z_stream gzip_stream(struct slice in, uint8_t *out, size_t room) {
    return (z_stream){.next_in = in.data,
                      .avail_in = (uInt)in.size,
                      .next_out = out,
                      .avail_out = (uInt)room,
                      .zalloc = gzip_alloc,
                      .zfree = gzip_free};
}

int gzip_pack(int level, struct slice plain, uint8_t *to, size_t room, size_t *size,
              mneme_error *error) {
    z_stream stream = gzip_stream(plain, to, room);
    int result = deflateInit2(&stream, level, Z_DEFLATED, GZIP_WINDOW_BITS, GZIP_MEMORY_LEVEL,
                              Z_DEFAULT_STRATEGY);
    if (result == Z_STREAM_ERROR)
        return error_set(error, MNEME_INVALID, "gzip has no level %d, use 1 to 9", level);
    if (result != Z_OK)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a gzip compressor");
    result = deflate(&stream, Z_FINISH);
    *size = result == Z_STREAM_END ? stream.total_out : 0;
    deflateEnd(&stream);
    return 0;
}

int gzip_unpack(struct slice packed, uint8_t *plain, size_t plain_size, mneme_error *error) {
    if (packed.size > UINT32_MAX)
        return error_set(error, MNEME_CORRUPT, "damaged gzip stream");
    z_stream stream = gzip_stream(packed, plain, plain_size);
    if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
        return error_set(error, MNEME_NO_MEMORY, "no memory for a gzip decompressor");
    int result = inflate(&stream, Z_FINISH);
    bool whole = result == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
    inflateEnd(&stream);
    if (result == Z_MEM_ERROR)
        return error_set(error, MNEME_NO_MEMORY, "no memory to decompress %zu bytes", plain_size);
    if (!whole)
        return error_set(error, MNEME_CORRUPT, "damaged gzip stream");
    return 0;
}
