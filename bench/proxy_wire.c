/*
 * proxy_wire.c - bytes on their way: written in their order, none before its time.
 */
#include <errno.h>
#include <sys/socket.h>

#include "bench/proxy_impl.h"

static void drop_first(struct wire *wire) {
    struct segment *first = wire->first;
    wire->first = first->next;
    if (!wire->first)
        wire->last = NULL;
    mem_free(first);
}

void wire_fini(struct wire *wire) {
    while (wire->first)
        drop_first(wire);
}

bool wire_add(struct wire *wire, enum segment_kind kind, int64_t due_us, const void *bytes,
              size_t size) {
    struct segment *segment = mem_alloc(sizeof *segment + size);
    if (!segment)
        return false;
    *segment = (struct segment){.due_us = due_us, .kind = kind, .size = size};
    if (wire->last && wire->last->due_us > due_us)
        segment->due_us = wire->last->due_us;
    if (size)
        memcpy(segment->bytes, bytes, size);
    if (wire->last)
        wire->last->next = segment;
    else
        wire->first = segment;
    wire->last = segment;
    return true;
}

static enum wire_outcome write_first(struct wire *wire, int fd, uint64_t *written) {
    struct segment *first = wire->first;
    while (first->sent < first->size) {
        ssize_t sent = send(fd, first->bytes + first->sent, first->size - first->sent,
                            MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == EAGAIN || errno == EWOULDBLOCK ? WIRE_BLOCKED : WIRE_ENDED;
        first->sent += (size_t)sent;
        *written += (uint64_t)sent;
    }
    return WIRE_IDLE;
}

enum wire_outcome wire_flush(struct wire *wire, int fd, int64_t now_us, uint64_t *written) {
    while (wire->first && wire->first->due_us <= now_us) {
        if (wire->first->kind != SEGMENT_BYTES)
            return wire->first->kind == SEGMENT_END ? WIRE_ENDED : WIRE_RESET;
        enum wire_outcome outcome = write_first(wire, fd, written);
        if (outcome != WIRE_IDLE)
            return outcome;
        drop_first(wire);
    }
    return WIRE_IDLE;
}
