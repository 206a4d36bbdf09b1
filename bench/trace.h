/*
 * trace.h - traces of requests to a cache, and the files in which they are passed around.
 *
 * Model. A trace is the keys that were asked for, in their order; nothing else of a request is
 * kept. Keys are numbered from 0 in the order in which they first appear, so that a simulation
 * needs arrays only.
 *
 * Formats, told apart by what is in the file:
 *   blocks    lines of four numbers, "start count x y": the keys from start to start + count - 1
 *   numbers   lines of one number: the key
 *   binary    numbers of 32 bits, big-endian, and nothing else
 * each plain or compressed with gzip, xz or zstd. Numbers in lines are decimal, up to 2^64 - 1.
 */
#ifndef MNEME_BENCH_TRACE_H
#define MNEME_BENCH_TRACE_H

#include "base/base.h"

struct trace {
    uint32_t *keys; /* each below `distinct` */
    size_t count;
    size_t distinct;
    const char *format; /* "blocks", "numbers" or "binary" */
};

/*
 * Read a trace; *out is left alone when that fails. MNEME_NOT_FOUND and MNEME_PERMISSION as the
 * system says; MNEME_INVALID: no requests in it, or in none of these formats (names the line);
 * MNEME_CORRUPT: the compressed file is damaged or ends too early; MNEME_TOO_LARGE.
 */
int trace_load(const char *path, struct trace *out, mneme_error *error);
void trace_fini(struct trace *trace); /* tolerant of {0} */
#define AUTO_TRACE CLEANUP(trace_fini)

/* The same of bytes that are not compressed; `path` is for messages. */
int trace_parse(struct slice bytes, const char *path, struct trace *out, mneme_error *error);

/* ---- trace_open.c ------------------------------------------------------------------------- */

/* The bytes of a file, decompressed. */
int trace_read(const char *path, struct buf *out, mneme_error *error);

#endif
