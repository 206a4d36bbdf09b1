/*
 * proxy_frame.c - the framing of HTTP/1.1 as a machine that is fed bytes.
 */
#include "bench/proxy_frame.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

void frame_begin(struct frame *frame, bool is_answer) {
    buf_reset(&frame->line);
    frame->line.max = FRAME_LINE_MAX;
    frame->state = FRAME_HEAD;
    frame->is_answer = is_answer;
    frame->left = 0;
}

void frame_fini(struct frame *frame) { buf_fini(&frame->line); }

/* The value of a header in a head that ends with a NUL; NULL when it has none of this name. */
static const char *header_value(const char *head, const char *name) {
    size_t size = strlen(name);
    for (const char *line = head; (line = strstr(line, "\r\n")) != NULL;) {
        line += 2;
        if (strncasecmp(line, name, size) == 0 && line[size] == ':')
            return line + size + 1 + strspn(line + size + 1, " \t");
    }
    return NULL;
}

static bool has_no_body(const char *head) {
    int status = atoi(head + strlen("HTTP/1.1 "));
    return status == 204 || status == 304;
}

static enum frame_state after_head(struct frame *frame, const char *head) {
    const char *coding = header_value(head, "Transfer-Encoding");
    const char *length = header_value(head, "Content-Length");
    if (frame->is_answer && strncmp(head, "HTTP/1.", 7) != 0)
        return FRAME_BROKEN;
    if (frame->is_answer && has_no_body(head))
        return FRAME_DONE;
    if (coding && strncasecmp(coding, "chunked", 7) == 0)
        return FRAME_CHUNK_SIZE;
    if (!length)
        return frame->is_answer ? FRAME_UNTIL_CLOSE : FRAME_DONE;
    if (*length < '0' || *length > '9')
        return FRAME_BROKEN;
    frame->left = strtoull(length, NULL, 10);
    return frame->left ? FRAME_LENGTH : FRAME_DONE;
}

static enum frame_state after_chunk_size(struct frame *frame, const char *line) {
    char *end = NULL;
    unsigned long long size = strtoull(line, &end, 16);
    if (end == line || !isxdigit((unsigned char)*line) || size > UINT32_MAX)
        return FRAME_BROKEN;
    frame->left = size + 2; /* the line end behind it */
    return size ? FRAME_CHUNK : FRAME_TRAILER;
}

static enum frame_state after_line(struct frame *frame) {
    const char *line = (const char *)frame->line.data;
    size_t size = frame->line.size - 1; /* the NUL */
    if (frame->state == FRAME_HEAD)
        return after_head(frame, line);
    if (frame->state == FRAME_CHUNK_SIZE)
        return after_chunk_size(frame, line);
    return size == 2 ? FRAME_DONE : FRAME_TRAILER;
}

/* Whether what was gathered ends a line, or in a head the empty line. */
static bool line_is_whole(const struct frame *frame) {
    const char *end = frame->state == FRAME_HEAD ? "\r\n\r\n" : "\r\n";
    size_t size = strlen(end);
    return frame->line.size >= size &&
           memcmp(frame->line.data + frame->line.size - size, end, size) == 0;
}

static size_t feed_line(struct frame *frame, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        buf_append_byte(&frame->line, bytes[i]);
        if (frame->line.status) {
            frame->state = FRAME_BROKEN;
            return i;
        }
        if (bytes[i] != '\n' || !line_is_whole(frame))
            continue;
        buf_append_byte(&frame->line, 0);
        frame->state = frame->line.status ? FRAME_BROKEN : after_line(frame);
        buf_reset(&frame->line);
        return i + 1;
    }
    return size;
}

static size_t feed_body(struct frame *frame, size_t size) {
    size_t taken = (size_t)(size < frame->left ? size : frame->left);
    frame->left -= taken;
    if (frame->left == 0)
        frame->state = frame->state == FRAME_CHUNK ? FRAME_CHUNK_SIZE : FRAME_DONE;
    return taken;
}

size_t frame_feed(struct frame *frame, const uint8_t *bytes, size_t size) {
    size_t done = 0;
    while (done < size) {
        switch (frame->state) {
        case FRAME_HEAD:
        case FRAME_CHUNK_SIZE:
        case FRAME_TRAILER:
            done += feed_line(frame, bytes + done, size - done);
            break;
        case FRAME_LENGTH:
        case FRAME_CHUNK:
            done += feed_body(frame, size - done);
            break;
        case FRAME_UNTIL_CLOSE:
            return size;
        case FRAME_DONE:
        case FRAME_BROKEN:
        default:
            return done;
        }
    }
    return done;
}
