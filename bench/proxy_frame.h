/*
 * proxy_frame.h - where a message of HTTP/1.1 ends (RFC 9112, section 6), fed as it comes.
 */
#ifndef MNEME_BENCH_PROXY_FRAME_H
#define MNEME_BENCH_PROXY_FRAME_H

#include "base/base.h"

enum { FRAME_LINE_MAX = 1 << 16 }; /* bytes of a head, or of one line of a chunked body */

enum frame_state {
    FRAME_HEAD,
    FRAME_LENGTH,      /* `left` bytes of body */
    FRAME_CHUNK_SIZE,  /* in the line before a chunk */
    FRAME_CHUNK,       /* `left` bytes of chunk and line end */
    FRAME_TRAILER,     /* in a line behind the last chunk */
    FRAME_UNTIL_CLOSE, /* of an answer: the connection's end is its own */
    FRAME_DONE,
    FRAME_BROKEN /* no HTTP */
};

struct frame {
    enum frame_state state;
    bool is_answer;
    uint64_t left;
    struct buf line; /* of the head or line that is not whole yet */
};

void frame_begin(struct frame *frame, bool is_answer);
void frame_fini(struct frame *frame); /* tolerant of {0} */

/* How many of these bytes belong to the message; fewer than `size` only when it is done or broken.
 */
size_t frame_feed(struct frame *frame, const uint8_t *bytes, size_t size);

#endif
