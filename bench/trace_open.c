/*
 * trace_open.c - the bytes of a trace's file, decompressed.
 */
#define ZLIB_CONST /* its input is const */
#include <limits.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "bench/trace.h"
#include "os/os.h"

enum { PIECE = 1 << 18 };

/* xz says what a file needs before it is given; no trace in use needs a tenth of it. */
static const uint64_t XZ_MEMORY_MAX = UINT64_C(1) << 30;

static int damaged(const char *path, const char *algorithm, mneme_error *error) {
    return error_set(error, MNEME_CORRUPT, "%s: damaged, or not a file of %s", path, algorithm);
}

static int cut_short(const char *path, const char *algorithm, mneme_error *error) {
    return error_set(error, MNEME_CORRUPT, "%s: compressed with %s, and its end is missing", path,
                     algorithm);
}

static int no_memory(const char *path, mneme_error *error) {
    return error_set(error, MNEME_NO_MEMORY, "no memory to decompress %s", path);
}

static void gzip_close(z_stream *stream) { (void)inflateEnd(stream); }

static int gzip_read(const char *path, struct slice in, struct buf *out, mneme_error *error) {
    enum { WINDOW_BITS = 15, GZIP_ONLY = 16 };
    CLEANUP(gzip_close) z_stream stream = {0};
    uint8_t *room;
    int result = Z_OK;
    if (inflateInit2(&stream, WINDOW_BITS + GZIP_ONLY) != Z_OK)
        return no_memory(path, error);
    stream.next_in = in.data;
    while ((in.size || stream.avail_in) && (room = buf_reserve(out, PIECE))) {
        uInt given = (uInt)size_min(in.size, UINT_MAX - stream.avail_in);
        in.size -= given;
        stream.avail_in += given;
        stream.next_out = room;
        stream.avail_out = PIECE;
        if (result == Z_STREAM_END) /* another file stands behind the first */
            (void)inflateReset(&stream);
        result = inflate(&stream, Z_NO_FLUSH);
        out->size += PIECE - stream.avail_out;
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return damaged(path, "gzip", error);
    }
    return out->status || result == Z_STREAM_END ? 0 : cut_short(path, "gzip", error);
}

static int xz_read(const char *path, struct slice in, struct buf *out, mneme_error *error) {
    CLEANUP(lzma_end) lzma_stream stream = LZMA_STREAM_INIT;
    uint8_t *room;
    lzma_ret result = lzma_stream_decoder(&stream, XZ_MEMORY_MAX, LZMA_CONCATENATED);
    stream.next_in = in.data;
    stream.avail_in = in.size;
    while (result == LZMA_OK && (room = buf_reserve(out, PIECE))) {
        stream.next_out = room;
        stream.avail_out = PIECE;
        result = lzma_code(&stream, LZMA_FINISH);
        out->size += PIECE - stream.avail_out;
    }
    if (result == LZMA_MEM_ERROR || result == LZMA_MEMLIMIT_ERROR)
        return no_memory(path, error);
    if (out->status || result == LZMA_STREAM_END)
        return 0;
    return (result == LZMA_BUF_ERROR ? cut_short : damaged)(path, "xz", error);
}

static void zstd_close(ZSTD_DStream **stream) { (void)ZSTD_freeDStream(*stream); }

static int zstd_read(const char *path, struct slice in, struct buf *out, mneme_error *error) {
    CLEANUP(zstd_close) ZSTD_DStream *stream = ZSTD_createDStream();
    ZSTD_inBuffer input = {in.data, in.size, 0};
    size_t rest = 1, written = PIECE; /* a piece that was filled may have more behind it */
    uint8_t *room;
    if (!stream)
        return no_memory(path, error);
    while ((input.pos < input.size || (rest && written == PIECE)) &&
           (room = buf_reserve(out, PIECE))) {
        ZSTD_outBuffer output = {room, PIECE, 0};
        rest = ZSTD_decompressStream(stream, &output, &input);
        if (ZSTD_isError(rest))
            return damaged(path, "zstd", error);
        written = output.pos;
        out->size += written;
    }
    return out->status || rest == 0 ? 0 : cut_short(path, "zstd", error);
}

/* ---- Which of them ------------------------------------------------------------------------ */

typedef int decompressor(const char *path, struct slice in, struct buf *out, mneme_error *error);

static int plain_read(const char *path, struct slice in, struct buf *out, mneme_error *error) {
    (void)path;
    (void)error;
    buf_append_slice(out, in);
    return 0;
}

static decompressor *decompressor_of(struct slice in) {
    static const struct {
        const char *magic; /* the first bytes of such a file */
        decompressor *read;
    } known[] = {{"\x1f\x8b", gzip_read},
                 {"\xfd"
                  "7zXZ",
                  xz_read},
                 {"\x28\xb5\x2f\xfd", zstd_read}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        struct slice magic = slice_of_string(known[i].magic);
        if (in.size >= magic.size && memcmp(in.data, magic.data, magic.size) == 0)
            return known[i].read;
    }
    return plain_read;
}

int trace_read(const char *path, struct buf *out, mneme_error *error) {
    struct slice file;
    TRY(file_map(path, &file, error));
    int status = decompressor_of(file)(path, file, out, error);
    file_unmap(file);
    TRY(status);
    if (out->status == MNEME_TOO_LARGE)
        return error_set(error, MNEME_TOO_LARGE, "%s: over %zu MiB decompressed", path,
                         out->max >> 20);
    return out->status ? no_memory(path, error) : 0;
}
